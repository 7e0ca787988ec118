"""The store: the ledger, the keys and the devices in one database."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define, field
from sqlalchemy import URL, Connection, bindparam, select
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

import gateway.store.arranging as arranging
import gateway.store.compaction as compaction
import gateway.store.devices as devices
import gateway.store.given as given
import gateway.store.health as health
import gateway.store.hierarchy as hierarchy
import gateway.store.intents as intents
import gateway.store.look as look
import gateway.store.marks as marks
import gateway.store.moving as moving
import gateway.store.record as record
import gateway.store.sync as sync
from gateway.arrangement import Arranged, Arrangement, Moved, Shift, Turn
from gateway.interfaces import IDevices, ILedger
from gateway.model import (
    Change,
    Device,
    DeviceKey,
    Folder,
    FolderOutcome,
    Found,
    FoundFolder,
    Intent,
    Item,
    Looked,
    SyncOptions,
    SyncOutcome,
    SyncRequest,
)
from gateway.store.absences import Absences
from gateway.store.awareness import Awareness
from gateway.store.database import Database, Run, make_engine
from gateway.store.decisions import Decisions
from gateway.store.diversions import Diversions
from gateway.store.keys import key_counter
from gateway.store.lines import drop_line
from gateway.store.marks import Marks
from gateway.store.migrate import migrate
from gateway.store.overrides import Overrides
from gateway.store.postings import Postings
from gateway.store.rows import chunks, item_of, live, possible
from gateway.store.schema import folder as folder_table
from gateway.store.schema import item as item_table
from gateway.store.schema import meta
from gateway.store.searching import SearchIndex
from gateway.store.sending import Outbox
from gateway.store.trace import Trace
from gateway.store.triggers import Triggers

_EPOCH = select(meta.c.value).where(meta.c.name == "epoch")
_ITEMS = (
    select(item_table)
    .join(folder_table, folder_table.c.id == item_table.c.folder)
    .where(
        live(item_table.c.id.in_(bindparam("ids", expanding=True))),
        folder_table.c.user == bindparam("the_user"),
        folder_table.c.path.isnot(None),
        folder_table.c.removed.is_(None),
    )
)


def open_store(url: str | URL, run: Run, seconds: Callable[[], float] = time.time, connections: int = 10) -> Store:
    """Open a database, bring its tables up to date, and give its store.

    C{url} is C{sqlite:///path}, C{sqlite://} (in memory, for tests) or C{postgresql+psycopg://...}; C{run} takes
    work to where it may wait; C{connections} is at least the number of threads there. Waits for the database
    itself: call it before the reactor runs, or in a thread.

    @raise gateway.store.migrate.CannotOpen: it is newer than this gateway, no database, or does not answer.
    """
    engine = make_engine(url, connections)
    migrate(engine)
    return Store(Database(engine, run), seconds)


@implementer(ILedger, IDevices)
@define(eq=False)
class Store:
    """One database as L{ILedger} and L{IDevices}; its parts are an L{gateway.interfaces.ITriggers},
    L{gateway.interfaces.IOutbox}, L{gateway.interfaces.ITrace}, L{gateway.interfaces.IOverrides},
    L{gateway.interfaces.IPostings}, L{gateway.interfaces.IAbsences}, L{gateway.interfaces.IDecisions},
    L{gateway.interfaces.IDiversions} and L{gateway.interfaces.ISearchIndex}.

    C{seconds} is wall clock; it dates what is removed, and tells which stored times are of a wrong clock.
    """

    database: Database
    seconds: Callable[[], float] = time.time
    epoch: str = field(init=False)
    triggers: Triggers = field(init=False)
    outbox: Outbox = field(init=False)
    trace: Trace = field(init=False)
    overrides: Overrides = field(init=False)
    index: SearchIndex = field(init=False)
    diversions: Diversions = field(init=False)
    decisions: Decisions = field(init=False)
    postings: Postings = field(init=False)
    absences: Absences = field(init=False)
    _given: given.Given = field(factory=given.Given, init=False)
    _aware: Awareness = field(factory=Awareness, init=False)
    _unstruck: set[int] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self.epoch = self.database.reading(lambda connection: str(connection.execute(_EPOCH).scalar_one()))
        self.triggers = Triggers(self.database, self._given, self._aware, self.seconds)
        self.outbox = Outbox(self.database, self.seconds)
        self.trace = Trace(self.database, self.seconds)
        self.overrides = Overrides(self.database)
        self.index = SearchIndex(self.database)
        self.diversions = Diversions(self.database)
        self.decisions = Decisions(self.database)
        self.postings = Postings(self.database)
        self.absences = Absences(self.database)

    @property
    def _now(self) -> int:
        return int(self.seconds())

    def everything(self) -> Deferred[list[Folder]]:
        """See L{ILedger}."""
        return self.database.read(hierarchy.everything)

    def folders(self, user: str) -> Deferred[list[Folder]]:
        """See L{ILedger}."""
        return self.database.read(hierarchy.folders, user)

    def record_hierarchy(self, user: str, found: Sequence[FoundFolder]) -> Deferred[tuple[list[Folder], list[Change]]]:
        """See L{ILedger}."""
        return self.database.write(hierarchy.record_hierarchy, user, found, self._now)

    def listing(self, folder: int) -> Deferred[dict[str, str]]:
        """See L{ILedger}."""
        return self.database.read(record.listing, folder)

    def record(self, seen: Mapping[int, tuple[Sequence[Found], Sequence[str]]]) -> Deferred[list[Change]]:
        """See L{ILedger}."""
        return self.database.write(record.record, seen, self._now)

    def listed(self, notes: Mapping[int, str]) -> Deferred[None]:
        """See L{ILedger}."""
        return self.database.write(record.listed, notes)

    def items(self, user: str, ids: Sequence[int]) -> Deferred[list[Item]]:
        """See L{ILedger}."""
        return self.database.read(_items, user, ids)

    def sync(self, device: DeviceKey, folder: int, request: SyncRequest) -> Deferred[SyncOutcome]:
        """See L{ILedger}; Status 12 if there is no such folder."""
        return self.database.write_durably(sync.sync, self.epoch, device, folder, request)

    def estimate(
        self, device: DeviceKey, folder: int, key: str, options: SyncOptions | None, now: int
    ) -> Deferred[tuple[int, int]]:
        """See L{ILedger}; Status 2 if there is no such folder."""
        return self.database.read(sync.estimate, self.epoch, device, folder, key, options, now)

    def sync_folders(self, device: DeviceKey, key: str) -> Deferred[FolderOutcome]:
        """See L{ILedger}."""
        return self.database.write_durably(hierarchy.sync_folders, self.epoch, device, key)

    def repeated(self, turn: Turn) -> Deferred[Arranged | None]:
        """See L{ILedger}."""
        return self.database.write(arranging.repeated, self.epoch, turn)

    def arrange(self, arrangement: Arrangement, turn: Turn | None) -> Deferred[Arranged]:
        """See L{ILedger}."""
        return self.database.write_durably(arranging.arrange, self.epoch, arrangement, turn, self._now)

    def move(self, user: str, shifts: Sequence[Shift], now: int) -> Deferred[Moved]:
        """See L{ILedger}."""
        return self.database.write_durably(moving.move, user, shifts, now)

    def clear(self, user: str, folder: int, upto: int, most: int, now: int) -> Deferred[Moved]:
        """See L{ILedger}."""
        return self.database.write_durably(moving.clear, user, folder, upto, most, now)

    def aware(self, device: DeviceKey, spans: Sequence[tuple[int, int, int]]) -> None:
        """See L{ILedger}."""
        self._aware.add(device, spans)

    def unaware(self, device: DeviceKey, spans: Sequence[tuple[int, int, int]]) -> None:
        """See L{ILedger}."""
        self._aware.remove(device, spans)

    def look(self, device: DeviceKey, folders: Sequence[int], adds_only: bool) -> Deferred[Looked]:
        """See L{ILedger}."""
        given = {folder: self._given.counter(device, folder) for folder in (0, *folders)}
        aware = {folder: spans for folder in folders if (spans := self._aware.of(device, folder))}
        return self.database.read(look.look, device, folders, adds_only, given, aware)

    def given(self, device: DeviceKey, folder: int, key: str) -> None:
        """See L{ILedger}."""
        counter = key_counter(self.epoch, folder, key)
        if counter is not None:
            self._given.add(device, folder, counter)

    def done(self, intents_done: Sequence[int]) -> Deferred[None]:
        """See L{ILedger}."""
        done = self.database.write(intents.done, intents_done)
        return done.addErrback(self._strike_later, intents_done)

    def _strike_later(self, failure: Failure, ids: Sequence[int]) -> Failure:
        self._unstruck.update(ids)
        return failure

    def pending(self) -> Deferred[list[Intent]]:
        """See L{ILedger}."""
        return self.database.read(intents.pending)

    def compact(self, before: int) -> Deferred[int]:
        """See L{ILedger}; C{before} in seconds since the epoch."""

        def transaction(work: Callable[..., Any], *args: Any) -> Any:
            return self.database.writing(False, work, *args)

        return self.database.run(compaction.compact, transaction, before)

    def flush(self) -> Deferred[None]:
        """See L{ILedger}."""
        waiting, unstruck = self._given.waiting(), sorted(self._unstruck)
        if not waiting and not unstruck:
            return succeed(None)

        def written(_: None) -> None:
            self._given.written(waiting)
            self._unstruck.difference_update(unstruck)

        return self.database.write(_flush, waiting, unstruck).addCallback(written)

    def device(self, key: DeviceKey) -> Deferred[Device | None]:
        """See L{IDevices}."""
        return self.database.read(devices.device, key)

    def devices(self, user: str | None) -> Deferred[list[Device]]:
        """See L{IDevices}."""
        return self.database.read(devices.devices, user)

    def keep(self, device: Device, durable: bool) -> Deferred[None]:
        """See L{IDevices}."""
        write = self.database.write_durably if durable else self.database.write
        return write(devices.keep, device)

    def keep_all(self, many: Sequence[Device]) -> Deferred[None]:
        """See L{IDevices}."""
        return self.database.write(devices.keep_all, many)

    def forget(self, key: DeviceKey) -> Deferred[None]:
        """See L{IDevices}; its line goes too, and what is queued for it is withdrawn."""
        return self.database.write_durably(_forget, key, self.seconds())

    def probe(self) -> Deferred[None]:
        """Write something that means nothing, durably. Fails with L{gateway.interfaces.BackendDown} if the database
        takes no changes."""
        return self.database.write_durably(health.probe, self.seconds())

    def newest(self) -> Deferred[float]:
        """The latest time that was written down with a device, a letter or a hop; 0 if there is none."""
        return self.database.read(health.newest)

    def marks(self) -> Deferred[Marks]:
        """How far the ids of folders and items are."""
        return self.database.read(marks.marks)

    def go_on(self, past: Marks) -> Deferred[bool]:
        """Give no id that was given in the past, although this database may know nothing of it; whether it knew less.

        To be called before anything gets an id.
        """
        return self.database.write_durably(marks.go_on, past)

    def close(self) -> None:
        """Close the database, after the last Deferred has fired."""
        self.database.close()


def _flush(connection: Connection, counters: Mapping[given.Place, int], struck: Sequence[int]) -> None:
    given.mark(connection, counters)
    intents.done(connection, struck)


def _forget(connection: Connection, key: DeviceKey, now: float) -> None:
    devices.forget(connection, key)
    drop_line(connection, key, now)


def _items(connection: Connection, user: str, ids: Sequence[int]) -> list[Item]:
    found: dict[int, Item] = {}
    for some in chunks(possible(ids)):
        rows = connection.execute(_ITEMS, {"the_user": user, "ids": list(some)})
        found.update((row.id, item_of(row)) for row in rows)
    return [found[id] for id in ids if id in found]
