"""The folders of a user, which are the items of one more folder (rule 8)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from attrs import define, evolve, field
from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.model import Change, DeviceKey, Folder, FolderOutcome, FoundFolder, Op, SyncOptions
from gateway.store.batch import UNLIMITED, fill
from gateway.store.commands import disown
from gateway.store.intents import unsettled
from gateway.store.keys import (
    BOTTOM,
    HIERARCHY,
    Chain,
    Key,
    Said,
    Told,
    keep_in_place,
    keep_next,
    key_counter,
    key_text,
    load_chain,
    start_chain,
)
from gateway.store.rows import chunks, folder_of, live, next_numbers, write_changes
from gateway.store.schema import collection, folder, item, sync_key

SUCCESS = 1
INVALID_KEY = 9

_LIVE = select(folder).where(folder.c.path.isnot(None), folder.c.removed.is_(None))
_OF_USER = _LIVE.where(folder.c.user == bindparam("the_user"))
_HOME = select(folder).where(folder.c.user == bindparam("the_user"), folder.c.path.is_(None)).with_for_update()


def everything(connection: Connection) -> list[Folder]:
    """All live folders, by user, parents before children."""
    by_user: dict[str, list[Folder]] = {}
    for row in connection.execute(_LIVE.order_by(folder.c.user, folder.c.id)):
        by_user.setdefault(row.user, []).append(folder_of(row))
    return [one for folders in by_user.values() for one in in_order(folders)]


def folders(connection: Connection, user: str) -> list[Folder]:
    """The live folders of a user, parents before children."""
    rows = connection.execute(_OF_USER.order_by(folder.c.id), {"the_user": user})
    return in_order([folder_of(row) for row in rows])


def in_order(folders: Iterable[Folder]) -> list[Folder]:
    """Parents before children, otherwise as they come."""
    waiting = {one.id: one for one in folders}
    ordered: dict[int, Folder] = {}
    for one in list(waiting.values()):
        line = []
        while one.id not in ordered and one not in line:
            line.append(one)
            one = waiting.get(one.parent, one)
        ordered.update((member.id, member) for member in reversed(line))
    return list(ordered.values())


def home_of(connection: Connection, user: str) -> Row[Any]:
    """The row of a user's hierarchy, locked; made if there is none."""
    row = connection.execute(_HOME, {"the_user": user}).one_or_none()
    if row is not None:
        return row
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    blank = {"name": "", "parent": 0, "type": 0, "head": 0, "compacted": 0, "listed": ""}
    connection.execute(dialect.insert(folder).values(user=user, **blank).on_conflict_do_nothing())
    return connection.execute(_HOME, {"the_user": user}).one()


def record_hierarchy(
    connection: Connection, user: str, found: Sequence[FoundFolder], now: int
) -> tuple[list[Folder], list[Change]]:
    """Make the live folders of a user equal to what was found; each difference gets its number.

    While the directories are still to become what the ledger says, nothing can be concluded from them.
    """
    home = home_of(connection, user)
    known = folders_by_path(connection, user)
    if unsettled(connection, home.id):
        return in_order(known.values()), []
    census = Census(connection, user, home.id, {one.path: one for one in found}, known)
    changes = census.compare(now)
    return in_order(census.known.values()), changes


def folders_by_path(connection: Connection, user: str) -> dict[str, Folder]:
    """The live folders of a user."""
    return {row.path: folder_of(row) for row in connection.execute(_OF_USER, {"the_user": user})}


@define(eq=False)
class Census:
    """The comparison of what was found with what is known; C{known} becomes what is found.

    C{own} are the paths of differences that the device C{owner} has made itself and knows of.
    """

    connection: Connection
    user: str
    home: int
    found: dict[str, FoundFolder]
    known: dict[str, Folder]
    owner: int | None = None
    own: frozenset[str] = frozenset()
    new: list[Folder] = field(factory=list)
    changed: list[Folder] = field(factory=list)
    gone: list[Folder] = field(factory=list)
    _placed: set[str] = field(factory=set)

    def compare(self, now: int) -> list[Change]:
        """Write down the differences."""
        self._remove(now)
        for path in self.found:
            self._place(path)
        return self._write(now)

    @property
    def differing(self) -> frozenset[str]:
        """The paths of all differences."""
        return frozenset(one.path for one in (*self.gone, *self.changed, *self.new))

    def _device(self, one: Folder) -> int | None:
        return self.owner if one.path in self.own else None

    def _remove(self, now: int) -> None:
        """Folders that were not found are dead, and their keys are gone; compaction takes the items away."""
        self.gone = [one for path, one in self.known.items() if path not in self.found]
        for some in chunks([one.id for one in self.gone]):
            ids = list(some)
            chains = select(collection.c.id).where(collection.c.folder.in_(ids))
            self.connection.execute(delete(sync_key).where(sync_key.c.collection.in_(chains)))
            self.connection.execute(update(folder).where(folder.c.id.in_(ids)).values(removed=now))
        for one in self.gone:
            del self.known[one.path]

    def _place(self, path: str) -> int:
        """Give the folder at that path its row, its parent's first; its id."""
        if path in self._placed:
            return self.known[path].id if path in self.known else 0
        self._placed.add(path)
        wanted = self.found[path]
        parent = self._place(wanted.parent) if wanted.parent in self.found else 0
        before = self.known.get(path)
        columns = {"name": wanted.name, "type": int(wanted.type), "parent": parent}
        if before is None:
            row = {"user": self.user, "path": path, "head": 0, "compacted": 0, "listed": "", **columns}
            made = insert(folder).values(**row).returning(folder.c.id)
            id = int(self.connection.execute(made).scalar_one())
            self.known[path] = Folder(id, self.user, path, wanted.name, wanted.type, parent)
            self.new.append(self.known[path])
            return id
        after = evolve(before, name=wanted.name, type=wanted.type, parent=parent)
        if after != before:
            self.connection.execute(update(folder).where(folder.c.id == before.id).values(**columns))
            self.known[path] = after
            self.changed.append(after)
        return before.id

    def _write(self, now: int) -> list[Change]:
        """Number the differences as items of the hierarchy."""
        total = len(self.gone) + len(self.changed) + len(self.new)
        if not total:
            return []
        head = next_numbers(self.connection, self.home, total)
        number = head - total
        rows = self._items([*self.gone, *self.changed])
        changes = []
        for one, removed in (*((one, now) for one in self.gone), *((one, None) for one in self.changed)):
            number += 1
            change = {"state": _fingerprint(one), "number": number, "removed": removed}
            device = {"device": self._device(one), "touched": None, "extra": None}
            changes.append({"id": rows[str(one.id)], **device, **change})
        write_changes(self.connection, changes)
        new = [
            {
                "folder": self.home,
                "name": str(one.id),
                "state": _fingerprint(one),
                "received": 0,
                "device": self._device(one),
                "number": number + n,
                "added": number + n,
            }
            for n, one in enumerate(self.new, 1)
        ]
        if new:
            self.connection.execute(insert(item), new)
        return [Change(self.home, head)]

    def _items(self, folders: Sequence[Folder]) -> dict[str, int]:
        found: dict[str, int] = {}
        for some in chunks([str(one.id) for one in folders]):
            query = select(item.c.name, item.c.id).where(live((item.c.folder == self.home) & item.c.name.in_(some)))
            found.update((name, id) for name, id in self.connection.execute(query))
        return found


def _fingerprint(one: Folder) -> str:
    return f"{one.parent}|{int(one.type)}|{one.name}"


def sync_folders(connection: Connection, epoch: str, device: DeviceKey, key: str) -> FolderOutcome:
    """What the device lacks of the hierarchy and its next key; Status 1 or 9.

    The key before the newest is taken too (the answer was lost); what is lacking is then found out again from there.
    """
    home = home_of(connection, device.user)
    chain = load_chain(connection, device, home.id)
    if key == "0":
        first = _key(Told(home.head, home.head, BOTTOM, False), home.head)
        counter = start_chain(connection, device, home.id, chain, first)
        return FolderOutcome(SUCCESS, key_text(epoch, HIERARCHY, counter), tuple(folders(connection, device.user)))
    base = chain.find(key_counter(epoch, HIERARCHY, key))
    if base is None or base.told.number < home.compacted:
        return FolderOutcome(INVALID_KEY, "0")
    newest = chain.newest
    if newest is not None and newest is not base and newest.said.commands and chain.owner is not None:
        # The answer to a folder command was lost: the device may not hold what that made.
        disown(connection, home.id, chain.owner, base.head, ())
    return _continue(connection, epoch, home, chain, base)


def _key(told: Told, head: int) -> Key:
    return Key(0, 0, told, head, False, SyncOptions(), b"", Said())


def _continue(connection: Connection, epoch: str, home: Row[Any], chain: Chain, base: Key) -> FolderOutcome:
    batch = fill(connection, home.id, chain.owner, base.told, home.head, BOTTOM, UNLIMITED)
    key = _key(batch.told, home.head)
    if not batch.rows:
        keep_in_place(connection, chain, base, key)
        return FolderOutcome(SUCCESS, key_text(epoch, HIERARCHY, base.counter))
    counter = keep_next(connection, chain, base, key)
    named = {op: [int(row.name) for what, row in batch.rows if what is op] for op in (Op.ADD, Op.CHANGE, Op.DELETE)}
    rows: list[Row[Any]] = []
    for some in chunks([*named[Op.ADD], *named[Op.CHANGE]]):
        rows.extend(connection.execute(_LIVE.where(folder.c.id.in_(some))))
    current = in_order(folder_of(row) for row in sorted(rows, key=lambda row: int(row.id)))
    return FolderOutcome(
        SUCCESS,
        key_text(epoch, HIERARCHY, counter),
        added=tuple(one for one in current if one.id in named[Op.ADD]),
        updated=tuple(one for one in current if one.id in named[Op.CHANGE]),
        deleted=tuple(named[Op.DELETE]),
    )
