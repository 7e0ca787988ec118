"""From the outbox to the SMSC and back: letters are taken, submitted and settled, receipts stored, hops noted.

What is known goes in on one way, and what is to be done comes out on the other, so that neither waits for the disk of
the other. On each only one call to the store is under way at a time, and rounds of calls begin some way apart; what
comes meanwhile goes with the next one. So calls are few when much happens, and nothing waits when little does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from random import random
from typing import Final

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.logger import Logger
from zope.interface import implementer

from gateway.interfaces import IOutbox, ITrace
from gateway.sms.incoming import Came, Incoming
from gateway.sms.meters import Meters
from gateway.sms.operator import CentreState, IOperatorUser, Operator
from gateway.sms.pdu import Pdu
from gateway.sms.receipts import MessageIds
from gateway.sms.rounds import Rounds
from gateway.sms.session import Session
from gateway.sms.settings import OperatorSettings
from gateway.sms.submitter import Render, Submitter
from gateway.trigger import Hop, Letter, LetterState, Outcome

LONGEST_REST: Final = 60.0
"""The outbox is looked at so often at least, in seconds: another process may have put something there."""
HOPS_PACE: Final = 0.25
"""Hops are written so many seconds apart, at least, unless there are very many."""
PORTION: Final = 1000
"""Of these so many at once: there is one writer at a time, and who takes letters waits for them meanwhile."""
MOST_HOPS: Final = 10_000
"""While the store fails, no more hops than that are kept for it."""

_AGAIN = (LetterState.QUEUED, LetterState.DOUBT)


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
    _dry_until: float = field(default=-inf, init=False)
    _unsettled: bool = field(default=False, init=False)
    _kicks: int = field(default=0, init=False)
    _hops_next: float = field(default=-inf, init=False)
    _in: Rounds = field(init=False)
    _out: Rounds = field(init=False)
    _writing: bool = field(default=False, init=False)
    _drained: Deferred[None] | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        ids = MessageIds(self.settings.id_form)
        self.operator = Operator(self.settings, self._places, self, self._clock, self._meters, self._jitter)
        self._submitter = Submitter(
            self.settings, self.operator, self._render, ids, self._settled, self._clock, self._now, self._meters
        )
        self._incoming = Incoming(self.settings, ids, self._now, self._meters)
        name = f"{self.settings.name}: the store"
        self._in = Rounds(self._clock, self._put_in, self._next_in, name)
        self._out = Rounds(self._clock, self._take, self._next_out, name)

    # For the composition root.

    def startService(self) -> None:
        """Bind, and begin to take letters."""
        super().startService()
        self._in.start()
        self._out.start()
        self.operator.start()

    def stopService(self) -> Deferred[None]:
        """Stop taking, wait for answers, settle, unbind."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    def kick(self) -> None:
        """Letters were put into the outbox."""
        self._kicks += 1
        self._dry_until = -inf
        self._out.soon()

    def states(self) -> list[CentreState]:
        """How the SMSCs do."""
        return self.operator.states()

    # IOperatorUser.

    def ready(self) -> None:
        """See L{IOperatorUser}."""
        self._submitter.go_on()
        self._out.soon()

    def message(self, session: Session, pdu: Pdu) -> None:
        """See L{IOperatorUser}."""
        if self._incoming.message(session, pdu):
            self._in.soon()

    # What is to be stored.

    def _settled(self, outcome: Outcome, hop: Hop | None) -> None:
        self._outcomes.append(outcome)
        if hop is not None:
            self._note(hop)
        letter = self._letters.pop(outcome.id, None)
        if letter is not None and outcome.state is LetterState.SENT:
            early = self._incoming.taken(letter, outcome.message_id)
            if early is not None:
                self._note(early)
        if self._drained is not None and not self._submitter.in_flight:
            drained, self._drained = self._drained, None
            drained.callback(None)
        self._in.soon()
        if self._submitter.hungry and self._wanted():
            self._out.at_once()
        else:
            self._out.soon()

    def _note(self, *hops: Hop) -> None:
        if len(self._hops) < MOST_HOPS:
            self._hops.extend(hops)

    # The calls to the store.

    def _next_in(self) -> float:
        """When there is something to write, by the clock."""
        if self._outcomes or self._incoming.waiting or (self._hops and not self.running):
            return self._clock.seconds()
        return self._hops_next if self._hops else inf

    def _next_out(self) -> float:
        """When letters are to be taken, by the clock."""
        now = self._clock.seconds()
        if not self.running:
            return inf
        return now if self._wanted() else self._dry_until if self._dry_until > now else inf

    def _wanted(self) -> int:
        """How many letters should be taken now; after a doubt none before that is written down."""
        dry = self._clock.seconds() < self._dry_until
        if dry or self._unsettled or not self.running:
            return 0
        if self._submitter.careful and (self._writing or self._outcomes):
            return 0
        return self._submitter.appetite()

    async def _put_in(self) -> None:
        """Receipts that came while outcomes were written wait, as the outcomes that they belong to may do so too."""
        known, strange = self._incoming.collect()
        try:
            await self._settle(known)
        except BaseException:
            self._incoming.not_stored([*(one for one, _ in known), *strange])
            raise
        self._note(*self._incoming.stored(known))
        await self._receive(strange)
        await self._write_hops()

    async def _settle(self, known: Sequence[tuple[Came, Letter]]) -> None:
        outcomes, self._outcomes = self._outcomes, []
        if not outcomes and not known:
            return
        self._writing = True
        try:
            await self._outbox.settle(_with_receipts(outcomes, known))
        except BaseException:
            self._outcomes = outcomes + self._outcomes
            self._unsettled = bool(self._outcomes)
            raise
        finally:
            self._writing = False
        self._unsettled = False
        again = [outcome.due for outcome in outcomes if outcome.state in _AGAIN]
        if again:
            self._kicks += 1
            self._dry_until = min(self._dry_until, self._clock.seconds() + max(0.0, min(again) - self._now()))
        self._out.by(self._next_out())

    async def _receive(self, strange: Sequence[Came]) -> None:
        if not strange:
            return
        try:
            letters = await self._outbox.receive([one.receipt for one in strange])
        except BaseException:
            self._incoming.not_stored(strange)
            raise
        self._note(*self._incoming.stored(zip(strange, letters, strict=True)))

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
        if self._hops:
            self._in.soon()
        self._submitter.add(letters)
        if not self.running:
            self._submitter.give_back()
        if len(letters) == most:
            return
        due = await self._outbox.next_due(self.settings.route)
        if kicks == self._kicks:
            rest = LONGEST_REST if due is None else min(LONGEST_REST, max(0.0, due - self._now()))
            self._dry_until = self._clock.seconds() + rest

    async def _write_hops(self) -> None:
        if not self._hops or (self.running and self._clock.seconds() < self._hops_next):
            return
        most = PORTION if self.running else len(self._hops)
        hops, self._hops = self._hops[:most], self._hops[most:]
        if not self._hops:
            self._hops_next = self._clock.seconds() + HOPS_PACE
        try:
            await self._trace.note(hops)
        except BaseException:
            self._hops = hops + self._hops
            raise

    # The end.

    async def _stop(self) -> None:
        self._submitter.give_back()
        await self._answers()
        await self._out.finish()
        await self._in.finish()
        await self.operator.stop()
        await self._in.finish()
        self._submitter.stop()

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


def _with_receipts(outcomes: Sequence[Outcome], known: Sequence[tuple[Came, Letter]]) -> list[Outcome]:
    """What became of letters, where receipts say more; the first one that says the end counts."""
    every = {one.id: one for one in outcomes}
    for came, letter in known:
        before = every.get(letter.id)
        if before is None or before.state is LetterState.SENT:
            receipt = came.receipt
            message_id = "" if before is None else before.message_id
            every[letter.id] = Outcome(letter.id, receipt.state, receipt.at, message_id, receipt.result)
    return list(every.values())
