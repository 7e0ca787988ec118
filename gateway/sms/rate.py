"""How many submits a second an operator takes."""

from __future__ import annotations

from math import inf
from typing import Final

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

BURST_SECONDS: Final = 0.1
"""How much of a second's submits may go out at once."""
RECOVERY: Final = 5.0
"""Seconds from half the rate back to the whole, and from then on for two doublings and a half."""
DOUBLING: Final = 2.0
AGAIN: Final = 1.0
"""What is said within so many seconds of the last time counts as the same."""
MANY: Final = 0.2
"""The share of submits that is many."""
LATELY: Final = 60.0
"""What was said so many seconds ago is still worth telling."""
LEAST: Final = 0.1
BUSY, FULL = 80, 90
"""The congestion state (0 to 99) from which on the rate does not grow, and from which on it is halved."""
UNLIMITED: Final = 100_000.0


@define(eq=False)
class Rate:
    """A number of submits a second that halves when the SMSC says that it is too much, and grows again.

    C{most} is never exceeded; 0 is any number, and is found out when the SMSC says that it is too much. The rate is
    halved again every second in which the SMSC refuses many submits; when it refuses few, not before the rate had the
    time to come back to where it was. Above that it grows faster, as things may have changed.
    """

    _clock: IReactorTime
    most: float = 0.0
    now: float = field(init=False)
    _tokens: float = field(init=False)
    _filled: float = field(init=False)
    _reached: float = field(init=False)
    _grown: float = field(default=inf, init=False)
    _halved: float = field(default=-inf, init=False)
    _busy: float = field(default=-inf, init=False)
    _counted: float = field(default=-inf, init=False)
    _sent: int = field(default=0, init=False)
    _refused: int = field(default=0, init=False)
    _seen: float = field(default=0.0, init=False)
    _second: float = field(init=False)
    _count: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.now = self._reached = self.most or inf
        self._filled = self._second = self._clock.seconds()
        self._tokens = self._burst()

    @property
    def throttled_lately(self) -> bool:
        """Whether the SMSC has said not long ago that it is too much."""
        return self._clock.seconds() - self._halved < LATELY

    @property
    def reduced(self) -> bool:
        """Whether the SMSC has said that it is too much, and that still counts."""
        return self.now < (self.most or inf)

    def wait(self) -> float:
        """Seconds until the next submit may go out, 0 for now."""
        if self.now == inf:
            return 0.0
        self._fill()
        return 0.0 if self._tokens >= 1 else max((1 - self._tokens) / self.now, 0.001)

    def take(self) -> None:
        """A submit goes out."""
        self._sent += 1
        if self.now != inf:
            self._tokens -= 1
            return
        self._count += 1
        if self._count % 64 == 0:
            self._measure()

    def throttled(self) -> None:
        """The SMSC has said that it is too much."""
        self._refused += 1
        now = self._clock.seconds()
        if now - self._halved >= RECOVERY:
            self._halve()
        elif now - self._counted >= AGAIN:
            many = self._refused >= MANY * self._sent
            self._counted, self._sent, self._refused = now, 0, 0
            if many:
                self._halve()

    def congested(self, state: int) -> None:
        """The SMSC has said how congested it is, from 0 to 99."""
        if state >= BUSY:
            self._busy = self._clock.seconds()
        if state >= FULL and self._busy - self._halved >= AGAIN:
            self._halve()

    def _halve(self) -> None:
        now = self._clock.seconds()
        if self.now == inf:
            self._measure()
        else:
            self._fill()
        self._reached = max(2 * LEAST, self._seen if self.now == inf else self.now)
        self.now = self._reached / 2
        self._halved = self._filled = self._counted = now
        self._grown, self._sent, self._refused = 0.0, 0, 0
        self._tokens = min(self._tokens, self._burst())

    def _measure(self) -> None:
        """How many went out in a second, while that is not limited."""
        passed = self._clock.seconds() - self._second
        if passed >= 1 or not self._seen:
            self._seen = self._count / max(passed, 1.0)
        if passed >= 1:
            self._count, self._second = 0, self._clock.seconds()

    def _burst(self) -> float:
        return 1.0 if self.now == inf else max(1.0, self.now * BURST_SECONDS)

    def _fill(self) -> None:
        now = self._clock.seconds()
        passed, self._filled = now - self._filled, now
        self._tokens = min(self._burst(), self._tokens + passed * self.now)
        if self.reduced and now - self._busy >= AGAIN:
            self._grow(passed)

    def _grow(self, seconds: float) -> None:
        self._grown += seconds
        if self._grown < RECOVERY:
            grown = self._reached * (1 + self._grown / RECOVERY) / 2
        else:
            grown = self._reached * 2 ** min((self._grown - RECOVERY) / DOUBLING, 40)
        if self.most:
            self.now = min(self.most, grown)
        else:
            self.now = inf if grown > UNLIMITED else grown
