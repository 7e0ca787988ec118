"""From the outbox to the SMSC and back: letters are taken, submitted and settled, receipts stored, hops noted.

Only one call to the store is under way at a time; what comes meanwhile goes with the next one. So calls are few when
much happens, and nothing waits when little does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from random import random
from typing import Final

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.logger import Logger
from zope.interface import implementer

from gateway.interfaces import IOutbox, ITrace
from gateway.sms.incoming import Incoming
from gateway.sms.meters import Meters
from gateway.sms.operator import CentreState, IOperatorUser, Operator
from gateway.sms.pdu import Pdu
from gateway.sms.receipts import MessageIds
from gateway.sms.session import Session
from gateway.sms.settings import OperatorSettings
from gateway.sms.submitter import Render, Submitter
from gateway.trigger import Hop, Letter, LetterState, Outcome

LONGEST_REST: Final = 60.0
"""The outbox is looked at so often at least, in seconds: another process may have put something there."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
MOST_HOPS: Final = 10_000
LAST_ATTEMPTS: Final = 3
"""So often a store that fails is tried at the end."""


@implementer(IOperatorUser)
@define(eq=False, slots=False)
class Pump(Service):
    """Everything that goes out by one operator with SMPP.

    It is a service: from C{startService} letters of the route C{settings.route} are taken; C{stopService} fires when
    what was submitted is answered, or given up after C{settings.patience.drain}, everything is settled, and all
    sessions are unbound. C{places} are the SMSCs, the preferred one first, with a name for logs.

    C{render} makes the parts of a letter or raises ValueError. C{clock} is monotonic; C{now} are seconds since the
    epoch.
    """

    log = Logger()

    settings: OperatorSettings
    _places: Sequence[tuple[str, IStreamClientEndpoint]]
    _outbox: IOutbox
    _trace: ITrace
    _render: Render
    _clock: IReactorTime
    _now: Callable[[], float]
    _meters: Meters = field(factory=Meters)
    _jitter: Callable[[], float] = random
    operator: Operator = field(init=False)
    _submitter: Submitter = field(init=False)
    _incoming: Incoming = field(init=False)
    _outcomes: list[Outcome] = field(factory=list, init=False)
    _hops: list[Hop] = field(factory=list, init=False)
    _letters: dict[int, Letter] = field(factory=dict, init=False)
    _dry: bool = field(default=False, init=False)
    _kicks: int = field(default=0, init=False)
    _begin: IDelayedCall | None = field(default=None, init=False)
    _rest: IDelayedCall | None = field(default=None, init=False)
    _working: Deferred[None] | None = field(default=None, init=False)
    _pause: float = field(default=0.0, init=False)
    _drained: Deferred[None] | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        ids = MessageIds(self.settings.id_form)
        self.operator = Operator(self.settings, self._places, self, self._clock, self._meters, self._jitter)
        self._submitter = Submitter(
            self.settings, self.operator, self._render, ids, self._settled, self._clock, self._now, self._meters
        )
        self._incoming = Incoming(self.settings, ids, self._now, self._meters)

    # For the composition root.

    def startService(self) -> None:
        """Bind, and begin to take letters."""
        super().startService()
        self.operator.start()

    def stopService(self) -> Deferred[None]:
        """Stop taking, wait for answers, settle, unbind."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._submitter.give_back()
        await self._answers()
        await self._flush()
        await self.operator.stop()
        await self._flush()
        self._submitter.stop()
        for call in (self._begin, self._rest):
            if call is not None and call.active():
                call.cancel()

    def kick(self) -> None:
        """Letters were put into the outbox."""
        self._kicks += 1
        self._dry = False
        self._turn()

    def states(self) -> list[CentreState]:
        """How the SMSCs do."""
        return self.operator.states()

    # IOperatorUser.

    def ready(self) -> None:
        """See L{IOperatorUser}."""
        self._submitter.go_on()
        self._turn()

    def message(self, session: Session, pdu: Pdu) -> None:
        """See L{IOperatorUser}."""
        if self._incoming.message(session, pdu):
            self._turn()

    # What is to be stored.

    def _settled(self, outcome: Outcome, hop: Hop | None) -> None:
        self._outcomes.append(outcome)
        if hop is not None:
            self._note(hop)
        letter = self._letters.pop(outcome.id, None)
        if letter is not None and outcome.state is LetterState.SENT:
            early = self._incoming.overtaken(letter, outcome.message_id)
            if early is not None:
                self._note(early)
        if self._drained is not None and not self._submitter.in_flight:
            drained, self._drained = self._drained, None
            drained.callback(None)
        self._turn()

    def _note(self, *hops: Hop) -> None:
        if len(self._hops) < MOST_HOPS:
            self._hops.extend(hops)

    # The calls to the store.

    def _turn(self) -> None:
        """Begin to work when what comes at the same time is there."""
        if self._working is None and self._begin is None and not self._pause:
            self._begin = self._clock.callLater(0, self._work)

    def _work(self) -> None:
        if self._begin is not None and self._begin.active():
            self._begin.cancel()
        self._begin = None
        if self._working is None:
            self._working = Deferred.fromCoroutine(self._go_round())
            self._working.addBoth(self._worked)

    def _worked(self, result: object) -> None:
        self._working = None
        if result is not None:
            self.log.error("{name}: {result}", name=self.settings.name, result=result)
        if self._has_work() and not self._pause and self.running:
            self._turn()

    def _has_work(self) -> bool:
        return bool(self._outcomes or self._incoming.waiting or self._hops or self._wanted())

    def _wanted(self) -> int:
        return 0 if self._dry or not self.running else self._submitter.appetite()

    async def _go_round(self) -> None:
        """Settle, receive, take and note for as long as there is anything to do."""
        while self._has_work():
            for job in (self._settle, self._receive, self._take, self._write_hops):
                if not await self._done(job):
                    return
        self._pause = 0.0

    async def _done(self, job: Callable[[], Awaitable[None]]) -> bool:
        try:
            await job()
        except CancelledError:
            raise
        except Exception:
            self.log.failure("{name}: the store failed", name=self.settings.name)
            self._pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, 2 * self._pause))
            self._wake_in(self._pause)
            return False
        return True

    async def _take(self) -> None:
        most = self._wanted()
        if not most:
            return
        kicks = self._kicks
        letters = await self._outbox.take(self.settings.route, self._now(), most)
        for letter in letters:
            self._letters[letter.id] = letter
            if letter.doubted:
                self._note(Hop(self._now(), letter.key, "retry", "once more, as it was in doubt", letter=letter.id))
        self._submitter.add(letters)
        if not self.running:
            self._submitter.give_back()
        if len(letters) == most:
            return
        due = await self._outbox.next_due(self.settings.route)
        if kicks == self._kicks:
            self._dry = True
            self._wake_in(LONGEST_REST if due is None else min(LONGEST_REST, max(0.0, due - self._now())))

    async def _settle(self) -> None:
        outcomes, self._outcomes = self._outcomes, []
        if not outcomes:
            return
        try:
            await self._outbox.settle(outcomes)
        except BaseException:
            self._outcomes = outcomes + self._outcomes
            raise

    async def _receive(self) -> None:
        came, self._incoming.waiting = self._incoming.waiting, []
        if not came:
            return
        try:
            letters = await self._outbox.receive([one.receipt for one in came])
        except BaseException:
            self._incoming.not_stored(came)
            raise
        self._note(*self._incoming.stored(came, letters))

    async def _write_hops(self) -> None:
        hops, self._hops = self._hops, []
        if not hops:
            return
        try:
            await self._trace.note(hops)
        except BaseException:
            self._hops = hops + self._hops
            raise

    # Rest, and the end.

    def _wake_in(self, seconds: float) -> None:
        if self._rest is not None and self._rest.active():
            self._rest.cancel()
        self._rest = self._clock.callLater(seconds, self._woken) if self.running else None

    def _woken(self) -> None:
        self._rest = None
        self._dry = False
        if self._working is None and self._begin is None:
            self._begin = self._clock.callLater(0, self._work)

    async def _answers(self) -> None:
        """Wait until everything submitted is answered, but not for ever."""
        if not self._submitter.in_flight:
            return
        self._drained = Deferred()
        late = self._clock.callLater(self.settings.patience.drain, self._drained.callback, None)
        await self._drained
        if late.active():
            late.cancel()
        self._drained = None

    async def _flush(self) -> None:
        """Store what is left."""
        for _ in range(LAST_ATTEMPTS):
            if self._working is None and self._has_work():
                self._work()
            if self._working is None:
                return
            await self._working
