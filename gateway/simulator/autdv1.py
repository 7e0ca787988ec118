"""A simulated phone of the first generation: an SMS makes it synchronise, and so does the clock."""

from __future__ import annotations

import time
from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from gateway.simulator import events
from gateway.simulator.conversation import Conversation
from gateway.simulator.device import Outcome
from gateway.simulator.errors import Wiped
from gateway.simulator.line import Account, ILine
from gateway.simulator.memory import Memory
from gateway.simulator.shortmessage import ShortMessage
from gateway.simulator.synchroniser import Habits, Synchroniser

#: Phones were said to synchronise within three minutes of a trigger, so that a burst becomes one synchronisation.
COALESCE = 180.0
#: What phones could be set to synchronise at anyway: the shortest, and a usual one.
SHORTEST_SCHEDULE, USUAL_SCHEDULE = 300.0, 900.0


@define(eq=False)
class TextedDevice:
    """One phone. L{start} it once; L{receive} whatever SMS comes for it.

    A trigger is news if its GUID is the latest that the server gave with a Sync; from a server that gives none, if it
    is another than that of the trigger after which the phone synchronised last. It synchronises C{coalesce} seconds
    after the first trigger that is news, and C{schedule} seconds after the last synchronisation, C{None}: never.

    C{memory} is read and changed in place; C{keep} is called whenever it has moved.
    """

    account: Account
    line: ILine
    clock: IReactorTime
    onlooker: events.IOnlooker
    coalesce: float = COALESCE
    schedule: float | None = USUAL_SCHEDULE
    memory: Memory = field(factory=Memory)
    habits: Habits = field(factory=Habits)
    _keep: Callable[[Memory], None] | None = None
    _wall: Callable[[], float] = time.time
    _synchroniser: Synchroniser = field(init=False)
    _running: Deferred[Outcome] | None = field(init=False, default=None)
    _resting: Deferred[None] | None = field(init=False, default=None)
    _coalescing: IDelayedCall | None = field(init=False, default=None)
    _first: float | None = field(init=False, default=None)
    _overslept: bool = field(init=False, default=False)
    _wanted: str = field(init=False, default="")
    _serving: str = field(init=False, default="")

    def __attrs_post_init__(self) -> None:
        conversation = Conversation(self.line, self.memory, self.habits.patience)
        self._synchroniser = Synchroniser(
            self.account, self.memory, self.habits, self.onlooker, conversation, self.clock, self._keep
        )
        if self.memory.url:
            self.line.move(self.memory.url)

    def start(self) -> Deferred[Outcome]:
        """Switch the phone on: synchronise, then wait for an SMS or for the time to synchronise again.

        Fires when it was stopped or wiped; fails with L{GivenUp<gateway.simulator.errors.GivenUp>}.
        """
        self._running = Deferred.fromCoroutine(self._live())
        return self._running.addBoth(self._ended)

    def stop(self) -> None:
        """Switch it off: drop what is under way."""
        if self._running is not None:
            self._running.cancel()

    def network_changed(self) -> None:
        """The phone has another network; nothing of it is connected while it waits."""
        self._synchroniser.tell(events.NetworkChanged())
        self.line.close()

    def receive(self, message: ShortMessage) -> None:
        """An SMS comes in; one that comes while the phone is off is never seen."""
        if self._running is None:
            return
        guid = message.guid
        news = self._is_news(guid)
        self._synchroniser.tell(events.Texted(guid, news))
        if not news:
            return
        self._wanted = guid
        if self._coalescing is None:
            self._first = self.clock.seconds()
            self._coalescing = self.clock.callLater(self.coalesce, self._come)

    def _is_news(self, guid: str) -> bool:
        if not guid:
            return False
        if self.memory.guid:
            return guid == self.memory.guid
        return guid not in (self.memory.spent, self._serving)

    async def _live(self) -> Outcome:
        try:
            await self._synchronise()
            self._synchroniser.take_news()
            while True:
                waited = await self._rest()
                await self._synchronise()
                news = self._synchroniser.take_news()
                self._synchroniser.tell(events.Woken.of(news, waited, self._wall()))
        except Wiped:
            return Outcome.WIPED

    async def _synchronise(self) -> None:
        """Bring everything up to date, and remember for which trigger."""
        self._serving, self._wanted = self._wanted, ""
        self._synchroniser.all_is_stale()
        await self._synchroniser.persevere(self._synchroniser.catch_up)
        self._synchroniser.progressed()
        if self._serving:
            self.memory.spent, self._serving = self._serving, ""
            if self._keep is not None:
                self._keep(self.memory)

    async def _rest(self) -> float:
        """Wait for a reason to synchronise; the seconds that the first trigger, or else the phone, has waited."""
        began = self.clock.seconds()
        scheduled = None if self.schedule is None else self.clock.callLater(self.schedule, self._come)
        try:
            if not self._overslept:
                self._resting = Deferred()
                await self._resting
        finally:
            self._resting = None
            _cancel(scheduled)
        if self._first is not None:
            began = self._first
        self._no_trigger()
        return self.clock.seconds() - began

    def _come(self) -> None:
        """It is time to synchronise, or will be as soon as what is under way is over."""
        if self._resting is None:
            self._overslept = True
        else:
            self._resting.callback(None)

    def _no_trigger(self) -> None:
        """What was received is about to be served, or lost."""
        _cancel(self._coalescing)
        self._coalescing = self._first = None
        self._overslept = False

    def _ended(self, result: Outcome | Failure) -> Outcome | Failure:
        """The phone is off; that it was stopped is no failure for the one who started it."""
        self._running = None
        self._no_trigger()
        self.line.close()
        if isinstance(result, Failure) and result.check(CancelledError):
            return Outcome.STOPPED
        return result


def _cancel(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
