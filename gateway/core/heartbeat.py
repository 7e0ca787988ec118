"""Bounds of the heartbeat, and the alarm about heartbeats that firewalls keep short."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from attrs import define, field, frozen

DEFAULT_MINIMUM = 60
DEFAULT_MAXIMUM = 2700
#: The subscription of the original lived an hour at most; no later server offers more than 59 minutes.
CAP = 3540


@frozen
class HeartbeatLimits:
    """The smallest and the largest interval accepted, in seconds; both are accepted themselves."""

    minimum: int = DEFAULT_MINIMUM
    maximum: int = DEFAULT_MAXIMUM

    @classmethod
    def configured(cls, minimum: int, maximum: int) -> tuple[HeartbeatLimits, bool]:
        """The limits in force, and whether the pair was right; a wrong pair (event 3016) is replaced whole."""
        if 1 <= minimum <= maximum <= CAP:
            return cls(minimum, maximum), True
        return cls(), False

    def violated(self, interval: int) -> int | None:
        """The limit to answer with Status 5, or C{None} if the interval is within bounds."""
        if interval < self.minimum:
            return self.minimum
        if interval > self.maximum:
            return self.maximum
        return None


@define(eq=False)
class HeartbeatWindow:
    """The last heartbeats of all devices, in seconds; event 3033 when they are short on average.

    Phones shorten their heartbeat when connections die young, so a low average means a firewall or proxy whose idle
    time-out is too short. C{noted} is told each of them.
    """

    size: int = 200
    threshold: int = 540
    noted: Callable[[int], None] = lambda interval: None
    alarmed: bool = field(init=False, default=False)
    _total: int = field(init=False, default=0)
    _window: deque[int] = field(init=False, factory=deque)

    def add(self, interval: int) -> bool:
        """Count an accepted heartbeat; C{True} when the alarm is to be raised now.

        It is raised when the window is full and the average at or under the threshold, and not again before the
        average has been above it.
        """
        self.noted(interval)
        self._window.append(interval)
        self._total += interval
        self._trim()
        low = len(self._window) >= self.size and self.average <= self.threshold
        raised = low and not self.alarmed
        self.alarmed = low
        return raised

    def resize(self, size: int, threshold: int) -> None:
        """Take new settings over, keeping the newest heartbeats."""
        self.size, self.threshold = size, threshold
        self._trim()

    def _trim(self) -> None:
        while len(self._window) > self.size:
            self._total -= self._window.popleft()

    def __len__(self) -> int:
        return len(self._window)

    @property
    def average(self) -> float:
        """The mean of the window in seconds, 0 when it is empty."""
        return self._total / len(self._window) if self._window else 0.0
