"""One fleet and its gateway: the real core, commands and store, put together for virtual time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC
from itertools import groupby
from random import Random
from types import MappingProxyType
from typing import Any, cast

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from gateway.core.heartbeat import HeartbeatWindow
from gateway.core.parks import Parks
from gateway.core.partnerships import Partnerships
from gateway.core.policy import Policy
from gateway.core.switchboard import Claim, Ended, Switchboard
from gateway.core.tracer import Tracer
from gateway.core.waker import Settings, Waker
from gateway.core.wakerules import quiet_until
from gateway.eas import parked
from gateway.eas.call import Answer, Call
from gateway.eas.ping import Ping
from gateway.interfaces import ITrace
from gateway.model import Change, DeviceKey, FolderType, Found, FoundFolder, SyncOutcome, SyncRequest
from gateway.rehearsal.clock import Call as Timer
from gateway.rehearsal.clock import StillClock, VirtualClock
from gateway.rehearsal.deferreds import result
from gateway.rehearsal.fleet import Member, Owner, Terms, Version
from gateway.rehearsal.networks import Coverage
from gateway.rehearsal.pager import ROUTE, Operator, Pager, Subscriber
from gateway.rehearsal.parking import Parking
from gateway.rehearsal.phone import Phone
from gateway.rehearsal.quick import QuickDatabase, memory
from gateway.rehearsal.stream import DAY, Event
from gateway.rehearsal.timetable import Timetable
from gateway.simulator.heartbeat import Heartbeat
from gateway.store import Store
from gateway.store.database import Database
from gateway.trigger import Decided, Hop, Line, WakeRule

#: How parks fared is written down so often, in virtual seconds, as the gateway does.
PARKS_SECONDS = 30.0
#: After the last change the world goes on for so long, so that what is under way arrives.
EPILOGUE = 2 * 3600.0

_TYPES: Mapping[str, FolderType] = MappingProxyType(
    {
        "Email": FolderType.INBOX,
        "Calendar": FolderType.CALENDAR,
        "Contacts": FolderType.CONTACTS,
        "Tasks": FolderType.TASKS,
        "Notes": FolderType.NOTES,
    }
)


@implementer(ITrace)
class NoTrace:
    """A trace that keeps nothing: a rehearsal counts for itself."""

    def note(self, hops: Sequence[Hop]) -> Deferred[None]:
        """See L{ITrace}."""
        return succeed(None)

    def read(self, user: str, device: str | None, after: int, most: int) -> Deferred[list[Hop]]:
        """See L{ITrace}."""
        return succeed([])

    def forget_hops(self, before: float) -> Deferred[int]:
        """See L{ITrace}."""
        return succeed(0)


@define(eq=False)
class World:
    """A gateway in memory and the phones of one version, from C{start} on (seconds since the epoch)."""

    version: Version
    owners: Iterable[Owner]
    terms: Terms
    start: float
    seed: str
    classes: tuple[str, ...] = ("Email",)
    database: Database = field(factory=memory)
    members: dict[int, Member] = field(init=False, factory=dict)
    clock: VirtualClock = field(init=False)
    store: Store = field(init=False)
    board: Switchboard = field(init=False)
    policy: Policy = field(init=False)
    ping: Ping = field(init=False)
    parks: Parks = field(init=False)
    waker: Waker = field(init=False)
    operator: Operator = field(init=False)
    _items: int = field(init=False, default=0)
    _writing: Timer | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self.clock = VirtualClock(self.start)
        self.store = Store(self.database, self.clock.seconds)
        self.board = Switchboard(StillClock(self.clock), self._ended)
        self.policy = Policy(self.version.mode)
        self.ping = self._make_ping()
        self.operator = Operator(self.store.outbox, self.clock, self.seed)
        self.parks = Parks(lambda key: key in self.waker.keys, self._now, self.terms.young_seconds)
        self.waker = self._make_waker()
        for owner in self.owners:
            self.members[owner.number] = self._join(owner)
        if self.version.pages:
            result(Deferred.fromCoroutine(self.waker.start()))
        for member in self.members.values():
            if member.parking is not None:
                member.parking.park()

    def _make_ping(self) -> Ping:
        return Ping(
            parked.Parking(
                clock=self.board.clock,
                now=self._now,
                ledger=self.store,
                partnerships=Partnerships(self.store),
                board=self.board,
                policy=self.policy,
                stands=lambda device: True,
                window=HeartbeatWindow(),
                limits=parked.ParkingLimits(self.terms.heartbeat_limits),
            )
        )

    def _make_waker(self) -> Waker:
        return Waker(
            triggers=self.store.triggers,
            board=self.board,
            parks=self.parks,
            clock=self.clock,
            now=self._now,
            settings=Settings(self._rule, lambda user, folder: True, lambda line: ROUTE),
            tracer=Tracer(NoTrace(), self.clock.seconds, most=100),
            kick=self.operator.kick,
            counted=self._decided,
        )

    def _now(self) -> int:
        return int(self.clock.now)

    # The phones.

    def _join(self, owner: Owner) -> Member:
        """Give an owner a mailbox and a phone that is up to date."""
        key = DeviceKey(owner.name, f"phone{owner.number}")
        found = [FoundFolder("" if kind == "Email" else f".{kind}", kind, _TYPES[kind]) for kind in self.classes]
        folders, _ = result(self.store.record_hierarchy(owner.name, found))
        coverage = Coverage(owner.data, self._random("coverage", owner), self.start)
        phone = Phone(key, self.clock, self, owner.data, coverage, {folder.id: "0" for folder in folders})
        member = Member(owner, phone, {folder.name: folder.id for folder in folders})
        version = self.version
        if version.pages:
            result(self.store.triggers.keep_line(Line(key, f"+1555{owner.number:08d}", "rehearsal", since=self._now())))
            self.waker.registered(key)
            member.pager = Pager(phone, self._random("pager", owner), self.terms.coalesce)
            self.operator.subscribers[key] = Subscriber(member.pager, owner.sms)
        phone.prime()
        if version.pushes:
            member.parking = Parking(phone, self.board, self._ping, Heartbeat(self.terms.heartbeats))
        if version.interval:
            offset = self._random("timetable", owner).uniform(0.0, version.interval)
            member.timetable = Timetable(phone, version.interval, offset, self.start)
        return member

    def _random(self, what: str, owner: Owner) -> Random:
        return Random(f"{self.seed}/{what}/{owner.number}")  # noqa: S311

    def close(self) -> None:
        """Let go of everything."""
        self.store.close()

    # What happens.

    def play(self, events: Iterable[Event], until: float, progress: Callable[[float], None]) -> None:
        """Play events in order of time, then let what is under way arrive; C{progress} is told the time reached.

        What is counted by the day is counted until then, latencies to the very end.
        """
        told = self.start
        for time, together in groupby(events, lambda event: event.time):
            self._run(time)
            self._happen(list(together))
            if time - told >= DAY / 4:
                told = time
                progress(time)
        self._run(until)
        counted = [self._counted(member, until) for member in self.members.values()]
        self._run(until + EPILOGUE)
        progress(until)
        for member, counts in zip(self.members.values(), counted, strict=True):
            member.phone.over(self.terms.late)
            for name, count in counts.items():
                setattr(member.phone.tally, name, count)

    def _run(self, until: float) -> None:
        """Let it be that time.

        @raise RuntimeError: the gateway put up with trouble, which has no place in a rehearsal.
        """
        self.clock.run(until)
        if isinstance(self.database, QuickDatabase) and self.database.trouble is not None:
            raise RuntimeError("the rehearsal is broken") from self.database.trouble

    def _counted(self, member: Member, end: float) -> dict[str, float]:
        """What is counted by the day, at the end of the days."""
        if member.parking is not None:
            member.parking.over()
        if member.timetable is not None:
            member.timetable.over(end)
        return member.phone.tally.counts()

    def _happen(self, events: list[Event]) -> None:
        """Changes of one moment: into the ledger, and to whoever is to be told."""
        seen: dict[int, tuple[list[Found], list[str]]] = {}
        for event in events:
            member = self.members.get(event.user)
            if member is not None:
                self._note(member, event, seen)
        changes = result(self.store.record(seen)) if seen else []
        if changes:
            self.changed(*changes)

    def _note(self, member: Member, event: Event, seen: dict[int, tuple[list[Found], list[str]]]) -> None:
        """What the source would find of an event."""
        found, gone = seen.setdefault(member.folders[event.item_class], ([], []))
        names, now = member.names.setdefault(event.item_class, []), int(event.time)
        if event.kind == "add":
            self._items += 1
            name = f"{self._items}.rehearsal"
            names.append(name)
            member.phone.changed(name)
            found.append(Found(name, "", now))
        elif names and event.kind == "change":
            found.append(Found(names[-1], "S", now))
        elif names:
            gone.append(names.pop())
        if member.timetable is not None:
            member.timetable.changed()

    def changed(self, *changes: Change) -> None:
        """Report Changes: first to who decides about SMS, then to the Switchboard, as the service does."""
        self.waker.changed(*changes)
        self.board.changed(*changes)

    def _decided(self, decided: Decided) -> None:
        if decided.switched:
            member = self.members[int(decided.order.line.key.user.removeprefix("user"))]
            member.phone.tally.switches += 1

    def _rule(self, line: Line) -> WakeRule:
        terms, now = self.terms, self._now()
        day = now - now % int(DAY)
        subscriber = self.operator.subscribers[line.key]
        return WakeRule(
            mode=self.policy.mode(line.key.user, line.key.device),
            batch=terms.batch,
            repeats=terms.repeats,
            adds_only=terms.adds_only,
            settle=terms.settle,
            quiet_until=quiet_until(now, terms.quiet, UTC),
            absent=terms.absent,
            young=terms.young,
            price=subscriber.network.price,
            day=day,
            tomorrow=day + int(DAY),
            limits=terms.limits,
        )

    def _ended(self, claim: Claim, ended: Ended) -> None:
        """A park is over; in mode C{auto} it matters how."""
        if self.version is not Version.AUTO:
            return
        self.parks.ended(claim.device, ended.ending, claim.since, ended.at)
        if self._writing is None or not self._writing.active():
            self._writing = self.clock.callLater(PARKS_SECONDS, self._write_parks)

    def _write_parks(self) -> None:
        result(Deferred.fromCoroutine(self.waker.write_parks()))

    # What phones ask.

    def _ping(self, call: Call) -> Deferred[Answer]:
        return Deferred.fromCoroutine(cast(Coroutine[Deferred[Any], Any, Answer], self.ping(call)))

    def sync(self, key: DeviceKey, folder: int, sync_key: str) -> tuple[SyncOutcome, str]:
        """Execute a Sync as the command does between a request and its answer."""
        levels = self.ping.parking.levels
        begun = levels.begin(key)
        request = SyncRequest(sync_key, sync_key.encode(), self._now())
        outcome = result(self.store.sync(key, folder, request))
        levels.end(key, begun)
        told = self.waker.synced(key)
        guid = result(told) or "" if told is not None else ""
        levels.finish(key, begun, {folder: outcome.level} if outcome.level else None)
        self.store.given(key, folder, outcome.key)
        levels.over(key, begun)
        return outcome, guid

    def sync_folders(self, key: DeviceKey, sync_key: str) -> str:
        """Execute a FolderSync."""
        outcome = result(self.store.sync_folders(key, sync_key))
        self.store.given(key, 0, outcome.key)
        return outcome.key
