"""The SMS half of a gateway: who is woken, the trace of it, and what has to be looked after by and by."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from attrs import define, field
from twisted.logger import Logger

from gateway.config import Config
from gateway.core.parks import Parks
from gateway.core.policy import Policy
from gateway.core.switchboard import Claim, Ended, Switchboard
from gateway.core.tracer import Tracer
from gateway.core.waker import Waker
from gateway.eas.notify import NotifyTerms
from gateway.metrics import Metrics
from gateway.model import DeviceKey
from gateway.service.delays import Delays
from gateway.service.limits import LimitNotices
from gateway.service.mail import host_name
from gateway.service.waking import DAY, Terms
from gateway.store import Store
from gateway.trigger import Decided, Letter, LetterState, Line, Outcome, Receipt, Verdict

#: Mails that devices hand over are remembered for so many seconds: longer than any of them tries.
POSTINGS = 30 * DAY

#: What became of a letter, as the hop of the trace that says so.
HOPS = {
    LetterState.SENT: "taken",
    LetterState.QUEUED: "retry",
    LetterState.DOUBT: "retry",
    LetterState.FAILED: "failed",
    LetterState.DELIVERED: "receipt",
    LetterState.UNDELIVERED: "receipt",
}


class Sender(Protocol):
    """What sends the letters of some routes."""

    def start(self) -> None:
        """Begin with what is due."""

    def kick(self, route: str) -> None:
        """Letters were queued for a route, perhaps one of these."""

    def check(self, config: Config) -> None:
        """Raise what would be wrong with that configuration."""

    def apply(self, config: Config) -> None:
        """Put another configuration in force."""

    async def stop(self) -> None:
        """End in an orderly way."""


@define(eq=False)
class Knocking:
    """The Waker, its trace, and who sends what it queues, and what users send."""

    log = Logger()

    store: Store
    policy: Policy
    metrics: Metrics
    tracer: Tracer
    parks: Parks
    waker: Waker
    config: Config
    now: Callable[[], int]
    limits: LimitNotices
    delays: Delays
    senders: list[Sender] = field(factory=list)
    _warned: dict[DeviceKey, int] = field(init=False, factory=dict)

    async def start(self) -> None:
        """Queue again what was in doubt, decide what was not decided, and begin to send."""
        again, lost = await self.store.outbox.reopen(time.time())
        if again or lost:
            self.log.warn(
                "letters in doubt at the last stop: {again} sent again, {lost} given up", again=again, lost=lost
            )
        await self.waker.start()
        for sender in self.senders:
            sender.start()

    async def stop(self) -> None:
        """Finish the decisions under way, and let the senders end."""
        await self.waker.stop()
        for sender in self.senders:
            await sender.stop()

    def kick(self, route: str) -> None:
        """Letters for a route were queued."""
        for sender in self.senders:
            sender.kick(route)

    async def flush(self) -> None:
        """Write down what is only gathered.

        @raise gateway.interfaces.BackendDown: the store does not answer.
        """
        await self.waker.write_parks()
        await self.tracer.flush()

    def check(self, config: Config) -> None:
        """Whether a configuration could be put in force.

        @raise gateway.tls.BadCertificate: certificates that an operator or the relay needs cannot be read.
        """
        for sender in self.senders:
            sender.check(config)

    def reload(self, config: Config) -> None:
        """Put another configuration in force."""
        self.config = self.limits.config = config
        self.delays.hours = config.relay.delay_warning_hours
        for sender in self.senders:
            sender.apply(config)
        self.parks.young_seconds = config.auto.young_seconds
        self.waker.reconsider(Terms(config, self.policy, self.now).settings())

    # What others tell.

    def modes_changed(self) -> None:
        """Devices are told in another way by command: what was let off may be wanted now."""
        self.waker.reconsider(self.waker.settings)

    def ended(self, claim: Claim, ended: Ended) -> None:
        """A Watch is over."""
        if not claim.quiet:
            self.parks.ended(claim.device, ended.ending, claim.since, ended.at)

    def announced(self, key: DeviceKey, folders: Sequence[int]) -> None:
        """An answer went out that tells a device of changed folders."""
        if self.config.trace.direct_push or key in self.waker.keys:
            self.tracer.note(key, "announced", f"folders {', '.join(map(str, folders))}")

    async def synced(self, key: DeviceKey) -> str | None:
        """A device has synchronised; the GUID that its next trigger will have, if it has a line."""
        told = self.waker.synced(key)
        if told is not None:
            return await told
        if self.config.trace.direct_push:
            self.tracer.note(key, "synchronised")
        return None

    def notify_terms(self) -> NotifyTerms:
        """What devices may register by the Notify command."""
        carriers = {operator.title: name for name, operator in self.config.operators.items() if operator.title}
        sms = self.config.sms
        return NotifyTerms(carriers, sms.allow_own_addresses, sms.lease_days * DAY)

    async def guid_of(self, key: DeviceKey) -> str | None:
        """The GUID that the next trigger of a device will have, if it has a line and GUIDs are told."""
        if not self.config.sms.notify_guid:
            return None
        found = await self.store.triggers.wakes([key])
        return found[0].wake.guid if found else None

    def settled(self, letter: Letter, outcome: Outcome) -> None:
        """What became of a letter was written down."""
        if not letter.recipients:
            text = " ".join(filter(None, (outcome.message_id, outcome.result)))
            self.tracer.note(letter.key, HOPS[outcome.state], text, letter=letter.id)
        self.metrics.letters.labels(letter.route, outcome.state.value).inc()

    def received(self, letter: Letter, receipt: Receipt) -> None:
        """A bounce said what became of a letter in the end."""
        self.tracer.note(letter.key, "receipt", receipt.result, letter=letter.id)
        self.metrics.letters.labels(letter.route, receipt.state.value).inc()

    # By and by.

    async def look_after(self) -> None:
        """Raise the alarm about triggers that were delivered and not obeyed, warn of leases that lapse soon, and tell
        users of mail that waits.

        @raise gateway.interfaces.BackendDown: the store does not answer.
        """
        for line, at in await self.store.triggers.late(self.now() - self.config.sms.late_seconds):
            self._late(line, at)
        soon = self.now() + self.config.sms.lease_warning_days * DAY
        for line in await self.store.triggers.lines(None):
            if 0 < line.expires <= soon and self._warned.get(line.key) != line.expires:
                self._warned[line.key] = line.expires
                self._lapses(line)
        await self.delays.look()

    def _late(self, line: Line, at: float) -> None:
        waited = round(self.now() - at)
        self.log.warn(
            "event 3101: a trigger for {device} of {user} was delivered {seconds} s ago, and no sync followed;"
            " 'pushgw doctor {user} {device}' looks for the reason",
            event_id=3101,
            device=line.key.device,
            user=line.key.user,
            seconds=waited,
        )
        self.metrics.alarms.labels("late").inc()
        self.tracer.note(line.key, "alarm", f"delivered {waited} s ago, no sync followed")

    def _lapses(self, line: Line) -> None:
        lapsed = line.expires <= self.now()
        self.log.warn(
            "event 3102: the number of {device} of {user} {lapses}; any sync of the device renews it",
            event_id=3102,
            device=line.key.device,
            user=line.key.user,
            lapses="has lapsed" if lapsed else f"lapses in {round((line.expires - self.now()) / 3600)} h",
        )
        self.metrics.alarms.labels("lease").inc()
        self.tracer.note(line.key, "alarm", "lease lapsed" if lapsed else "lease lapses soon")

    async def forget_old(self) -> None:
        """Delete what is older than it is kept.

        @raise gateway.interfaces.BackendDown: the store does not answer.
        """
        before = time.time() - self.config.trace.keep_days * DAY
        await self.store.trace.forget_hops(before)
        await self.store.outbox.forget(before)
        await self.store.postings.forget_postings(time.time() - POSTINGS)


def make_knocking(
    config: Config,
    store: Store,
    policy: Policy,
    board: Switchboard,
    metrics: Metrics,
    reactor: Any,
    now: Callable[[], int],
) -> Knocking:
    """The SMS half, without senders yet; nothing is begun."""
    keys: set[DeviceKey] = set()
    tracer = Tracer(store.trace, time.time, lost=metrics.hops_lost.inc)
    parks = Parks(keys.__contains__, now, config.auto.young_seconds)

    def kick(route: str) -> None:
        knocking.kick(route)

    def counted(decided: Decided) -> None:
        metrics.decisions.labels(decided.verdict.value).inc()
        if decided.verdict is Verdict.LIMIT:
            knocking.limits.reached(decided)

    settings = Terms(config, policy, now).settings()
    waker = Waker(store.triggers, board, parks, reactor, now, settings, tracer, kick, counted, keys)
    limits = LimitNotices(config, store.postings, metrics, kick, now)
    hours = config.relay.delay_warning_hours
    delays = Delays(store.outbox, store.postings, kick, time.time, host_name(config), hours)
    knocking = Knocking(store, policy, metrics, tracer, parks, waker, config, now, limits, delays)
    return knocking
