"""When work that goes in rounds begins: soon when there is something to do, some way apart, later after a failure."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from math import inf
from typing import Any, Final

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

PACE: Final = 0.05
"""Seconds from the beginning of one round to that of the next, at least."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
LAST: Final = 5
"""So many rounds are made at the end at most: what fails is not tried for ever."""


@define(eq=False)
class Rounds:
    """One round after the other, never two at once.

    C{wanted} says when the next one is wanted, by the clock; it is asked after each round.
    """

    log = Logger()

    _clock: IReactorTime
    _round: Callable[[], Coroutine[Deferred[Any], Any, None]]
    _wanted: Callable[[], float]
    _name: str
    _call: IDelayedCall | None = field(default=None, init=False)
    _busy: bool = field(default=False, init=False)
    _under_way: Deferred[None] | None = field(default=None, init=False)
    _earliest: float = field(default=-inf, init=False)
    _pause: float = field(default=0.0, init=False)
    _stopped: bool = field(default=True, init=False)

    def start(self) -> None:
        """Begin with it."""
        self._stopped = False
        self.by(self._wanted())

    def soon(self) -> None:
        """There is something to do: after what else comes at the same time."""
        self.by(self._earliest)

    def at_once(self) -> None:
        """As L{soon}, however short ago the last one was; but not during the pause after a failure."""
        if not self._pause:
            self._earliest = min(self._earliest, self._clock.seconds())
        self.soon()

    def by(self, at: float) -> None:
        """Have a round begin at that time, or earlier if one was asked for."""
        if self._busy or self._stopped or at == inf:
            return
        at = max(at, self._earliest)
        if self._call is not None:
            if self._call.getTime() <= at:
                return
            self._call.cancel()
        self._call = self._clock.callLater(max(0.0, at - self._clock.seconds()), self._begin)

    async def finish(self) -> None:
        """Begin no more by itself, and do what is left."""
        self._stopped = True
        if self._call is not None:
            self._call.cancel()
            self._call = None
        for _ in range(LAST):
            if not self._busy:
                if self._wanted() > self._clock.seconds():
                    return
                self._begin()
            if self._under_way is not None:
                await self._under_way

    def _begin(self) -> None:
        self._call = None
        self._earliest = self._clock.seconds() + PACE
        self._busy = True
        under_way = Deferred.fromCoroutine(self._round())
        under_way.addCallbacks(self._done, self._failed).addCallback(self._over)
        if self._busy:
            self._under_way = under_way

    def _done(self, _: None) -> None:
        self._pause = 0.0

    def _failed(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        if self._pause:
            self.log.error("{name}: failed again: {why}", name=self._name, why=failure.getErrorMessage())
        else:
            self.log.failure("{name}: failed, and is tried again", failure, name=self._name)
        self._pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, 2 * self._pause))
        self._earliest = self._clock.seconds() + self._pause

    def _over(self, _: None) -> None:
        self._busy = False
        self._under_way = None
        if not self._stopped:
            self.by(self._wanted())
