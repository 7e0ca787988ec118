"""Virtual time: it jumps from one thing to do to the next, however far apart they are."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from attrs import define, field
from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer


@implementer(IDelayedCall)
@define(eq=False)
class Call:
    """Something to be done at a virtual time."""

    clock: VirtualClock
    time: float
    function: Callable[..., object]
    args: tuple[Any, ...] = ()
    kw: dict[str, Any] = field(factory=dict)
    called: bool = False
    cancelled: bool = False

    def getTime(self) -> float:
        """When it is done."""
        return self.time

    def active(self) -> bool:
        """Whether it is still to be done."""
        return not (self.called or self.cancelled)

    def cancel(self) -> None:
        """Do not do it."""
        self._check()
        self.cancelled = True

    def delay(self, secondsLater: float) -> None:
        """Do it so much later."""
        self._check()
        self.time += secondsLater
        self.clock.push(self)

    def reset(self, secondsFromNow: float) -> None:
        """Do it so long from now."""
        self._check()
        self.time = self.clock.seconds() + secondsFromNow
        self.clock.push(self)

    def _check(self) -> None:
        if self.cancelled:
            raise AlreadyCancelled
        if self.called:
            raise AlreadyCalled


@implementer(IReactorTime)
@define(eq=False)
class VirtualClock:
    """L{IReactorTime} over a queue of calls; it starts at C{now}, seconds since the epoch.

    What is to be done at the same moment is done in the order in which it was asked for.
    """

    now: float
    _queue: list[tuple[float, int, Call]] = field(init=False, factory=list)
    _count: int = field(init=False, default=0)

    def seconds(self) -> float:
        """What time it is."""
        return self.now

    def callLater(self, delay: float, callable: Callable[..., Any], *args: object, **kw: object) -> Call:
        """Have something done after a delay in seconds."""
        call = Call(self, self.now + delay, callable, args, kw)
        self.push(call)
        return call

    def call_at(self, time: float, function: Callable[..., object], *args: object) -> Call:
        """Have something done at a time, or now if that is past."""
        call = Call(self, max(time, self.now), function, args)
        self.push(call)
        return call

    def push(self, call: Call) -> None:
        """Put a call into the queue; an older place of the same call is passed over."""
        self._count += 1
        heappush(self._queue, (call.time, self._count, call))

    def getDelayedCalls(self) -> list[Call]:
        """What is still to be done."""
        return sorted({call for _, _, call in self._queue if call.active()}, key=Call.getTime)

    def run(self, until: float) -> None:
        """Do everything that is due until that time, inclusive, and let it be that time."""
        queue = self._queue
        while queue and queue[0][0] <= until:
            time, _, call = heappop(queue)
            if time != call.time or not call.active():
                continue
            self.now = time
            call.called = True
            call.function(*call.args, **call.kw)
        self.now = max(self.now, until)


@implementer(IReactorTime)
@define(eq=False)
class StillClock:
    """The time of another clock, on which nothing ever comes due.

    For the Switchboard: its wheel would tick every second of every night. Whether a parked request lives to the end
    of its interval is for the model of the phone's network to say, which ends it then.
    """

    clock: IReactorTime

    def seconds(self) -> float:
        """What time it is."""
        return self.clock.seconds()

    def callLater(self, delay: float, callable: Callable[..., Any], *args: object, **kw: object) -> Call:
        """Take note of nothing."""
        return Call(VirtualClock(0.0), self.seconds() + delay, callable)

    def getDelayedCalls(self) -> list[Call]:
        """Nothing is still to be done."""
        return []
