"""AUTD v1 on a simulated phone, and the operator between it and the gateway: SMS in virtual time."""

from __future__ import annotations

from random import Random

from attrs import define, field, frozen

from gateway.interfaces import IOutbox
from gateway.model import DeviceKey
from gateway.rehearsal.clock import VirtualClock
from gateway.rehearsal.deferreds import result
from gateway.rehearsal.networks import SmsNetwork
from gateway.rehearsal.phone import Phone
from gateway.trigger import Letter, LetterState, Outcome

#: Seconds that a phone may wait after a trigger, so that several that were held up make one synchronisation.
COALESCE = 180.0
ROUTE = "smpp:rehearsal"
#: So many letters are taken from the outbox at once.
MOST = 100


@define(eq=False)
class Pager:
    """Obeys triggers: one that has the GUID of the latest synchronisation is followed by one within C{coalesce}."""

    phone: Phone
    random: Random
    coalesce: float = COALESCE
    _due: bool = field(init=False, default=False)

    def receive(self, guid: str) -> None:
        """An SMS came in."""
        phone = self.phone
        phone.tally.sms_received += 1
        if guid != phone.guid:
            phone.tally.sms_ignored += 1
            return
        phone.heard()
        if not self._due:
            self._due = True
            phone.clock.callLater(self.random.uniform(0.0, self.coalesce), self._synchronise)

    def _synchronise(self) -> None:
        self._due = False
        self.phone.tally.connects += 1
        self.phone.synchronise()


@frozen
class Subscriber:
    """Whom a number belongs to, and what carries SMS to it."""

    pager: Pager
    network: SmsNetwork


@define(eq=False)
class Operator:
    """Takes letters from the outbox, as the pool of connections to an SMSC would, and has SMS arrive or not.

    The fate of an SMS depends on its phone and the second it was sent in, so that fleets can be compared.
    """

    outbox: IOutbox
    clock: VirtualClock
    seed: str
    subscribers: dict[DeviceKey, Subscriber] = field(factory=dict)

    def kick(self, route: str) -> None:
        """There are letters."""
        self.clock.callLater(0.0, self._pump)

    def _pump(self) -> None:
        now = self.clock.now
        letters = result(self.outbox.take(ROUTE, now, MOST))
        if letters:
            result(self.outbox.settle([Outcome(one.id, LetterState.SENT, now, str(one.id)) for one in letters]))
        for letter in letters:
            self._send(letter)
        if len(letters) == MOST:
            self.kick(ROUTE)

    def _send(self, letter: Letter) -> None:
        subscriber = self.subscribers[letter.key]
        phone, network = subscriber.pager.phone, subscriber.network
        phone.tally.sms += 1
        phone.tally.cost += network.price
        fate = Random(f"{self.seed}/sms/{phone.key.user}/{int(self.clock.now)}")  # noqa: S311
        latency = network.latency(fate)
        if latency is None:
            phone.tally.sms_lost += 1
            return
        arrival = phone.coverage.back(self.clock.now + latency)
        self.clock.call_at(arrival, subscriber.pager.receive, letter.guid)
