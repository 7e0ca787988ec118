"""How many submits a second an operator takes."""

from __future__ import annotations

from math import inf
from typing import Final

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

BURST_SECONDS: Final = 0.1
"""How much of a second's submits may go out at once."""
GROWTH: Final = 1.1
"""The rate grows by this every second without throttling."""
LEAST: Final = 0.1
BUSY, FULL = 80, 90
"""The congestion state (0 to 99) from which on the rate does not grow, and from which on it is halved."""
UNLIMITED: Final = 100_000.0
LATELY: Final = 60.0
"""Seconds for which it is remembered that the SMSC said that it is too much."""


@define(eq=False)
class Rate:
    """A number of submits a second that halves when the SMSC says that it is too much, and grows again.

    C{most} is never exceeded; 0 is any number, and is found out when the SMSC says that it is too much. What is said
    within a second of the last time counts as the same.
    """

    _clock: IReactorTime
    most: float = 0.0
    now: float = field(init=False)
    _tokens: float = field(init=False)
    _filled: float = field(init=False)
    _halved: float = field(default=-inf, init=False)
    _grown: float = field(init=False)
    _seen: float = field(default=0.0, init=False)
    _second: float = field(init=False)
    _count: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.now = self.most or inf
        self._filled = self._grown = self._second = self._clock.seconds()
        self._tokens = self._burst()

    def wait(self) -> float:
        """Seconds until the next submit may go out, 0 for now."""
        if self.now == inf:
            return 0.0
        self._fill()
        return 0.0 if self._tokens >= 1 else max((1 - self._tokens) / self.now, 0.001)

    def take(self) -> None:
        """A submit goes out."""
        self._count += 1
        if self.now != inf:
            self._tokens -= 1

    def throttled(self) -> None:
        """The SMSC has said that it is too much."""
        now = self._clock.seconds()
        if now - self._halved < 1:
            return
        self._fill()
        measured = max(self._seen, self._count / max(now - self._second, 1.0))
        self.now = max(LEAST, (measured if self.now == inf else self.now) / 2)
        self._halved = self._grown = now
        self._tokens = min(self._tokens, self._burst())

    @property
    def throttled_lately(self) -> bool:
        """Whether the SMSC has said so not long ago."""
        return self._clock.seconds() - self._halved < LATELY

    def congested(self, state: int) -> None:
        """The SMSC has said how congested it is, from 0 to 99."""
        if state >= FULL:
            self.throttled()
        elif state >= BUSY:
            self._grown = self._clock.seconds()

    def _burst(self) -> float:
        return 1.0 if self.now == inf else max(1.0, self.now * BURST_SECONDS)

    def _fill(self) -> None:
        now = self._clock.seconds()
        if now - self._second >= 1:
            self._seen, self._count, self._second = self._count / (now - self._second), 0, now
        if self.now == inf:
            return
        self._tokens = min(self._burst(), self._tokens + (now - self._filled) * self.now)
        self._filled = now
        self._grow(int(now - self._grown))

    def _grow(self, seconds: int) -> None:
        if seconds < 1 or self.now >= (self.most or inf):
            return
        self._grown += seconds
        grown = self.now * GROWTH ** min(seconds, 300)
        if self.most:
            self.now = min(self.most, grown)
        else:
            self.now = inf if grown > UNLIMITED else grown
