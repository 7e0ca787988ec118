"""Items that go to other folders, or for good, by a command of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field
from sqlalchemy import Connection, Row, bindparam, insert, select

from gateway.arrangement import DIVERTED, Moved, Shift
from gateway.model import Change, Intent, IntentKind
from gateway.store.intents import write_intents
from gateway.store.rows import chunks, live, lock_folders, next_numbers, possible, write_changes
from gateway.store.schema import item

NO_SOURCE, NO_TARGET, SUCCESS, SAME, FAILED = 1, 2, 3, 4, 5

_ITEMS = select(item).where(live(item.c.id.in_(bindparam("ids", expanding=True))))
_TAKEN = select(item.c.name).where(
    live((item.c.folder == bindparam("the_folder")) & item.c.name.in_(bindparam("names", expanding=True)))
)
_ARRIVE = insert(item).returning(item.c.id, item.c.number)
# The sum keeps SQLite from reading by time of arrival, where portions that are gone lie in the way: what is removed has
# a new number.
_FIRST = (
    select(item)
    .where(live((item.c.folder == bindparam("the_folder")) & (item.c.added + 0 <= bindparam("upto"))))
    .order_by(item.c.number)
    .limit(bindparam("most"))
)

NOTHING: Mapping[str, Any] = {
    "letters_set": "",
    "letters_cleared": "",
    "to_folder": None,
    "to_path": "",
    "to_name": "",
}
"""The columns of an intent that most kinds leave empty."""


def free_names(connection: Connection, folder: int, wanted: Mapping[int, str]) -> dict[int, str]:
    """Names in a folder by item; a name that is taken there gets the item's id before its size (C{,S=...})."""
    taken: set[str] = set()
    for some in chunks(sorted(set(wanted.values()))):
        taken.update(connection.execute(_TAKEN, {"the_folder": folder, "names": list(some)}).scalars())
    names = {}
    for id, name in wanted.items():
        head, comma, tail = name.partition(",")
        names[id] = f"{head}-{id}{comma}{tail}" if name in taken else name
        taken.add(names[id])
    return names


def move(connection: Connection, user: str, shifts: Sequence[Shift], now: int) -> Moved:
    """Move items; an item that is named again after it was moved is Status 5."""
    folders = lock_folders(connection, {id for shift in shifts for id in (shift.source, shift.target)})
    mine = {id: row for id, row in folders.items() if row.user == user and row.path is not None}
    rows: dict[int, Row[Any]] = {}
    for some in chunks(possible(shift.item for shift in shifts)):
        rows.update((row.id, row) for row in connection.execute(_ITEMS, {"ids": list(some)}))
    removal = _Removal(connection, now)
    statuses, chosen = [], dict[int, tuple[Shift, Row[Any]]]()
    for shift in shifts:
        row = rows.get(shift.item)
        status = FAILED if shift.item in chosen else _judged(shift, row, mine)
        if status == SUCCESS and row is not None:
            chosen[shift.item] = shift, row
        statuses.append(status)
    arrived = _arrive(connection, removal, [*chosen.values()], mine)
    for source in dict.fromkeys(shift.source for shift, _ in chosen.values()):
        removal.take(mine[source], [row for shift, row in chosen.values() if shift.source == source], arrived)
    ids = {item: place.id for item, place in arrived.items()}
    results = [
        (status, ids[shift.item] if status == SUCCESS else 0) for shift, status in zip(shifts, statuses, strict=True)
    ]
    return removal.moved(results)


def clear(connection: Connection, user: str, folder: int, upto: int, most: int, now: int) -> Moved:
    """Remove items for good, those that were numbered first before the others."""
    here = lock_folders(connection, [folder]).get(folder)
    removal = _Removal(connection, now)
    if here is not None and here.user == user and here.path is not None:
        which = {"the_folder": folder, "upto": upto, "most": most}
        removal.take(here, connection.execute(_FIRST, which).all(), {})
    return removal.moved([])


def remove(connection: Connection, user: str, id: int, now: int) -> Moved:
    """Remove one item for good, wherever it is; every device is told."""
    removal = _Removal(connection, now)
    row = connection.execute(_ITEMS, {"ids": possible([id])}).first()
    here = None if row is None else lock_folders(connection, [row.folder]).get(row.folder)
    # Once more: it may have been changed or moved before its folder was locked.
    row = connection.execute(_ITEMS, {"ids": possible([id])}).first() if here is not None else None
    if row is not None and here is not None and row.folder == here.id and here.user == user and here.path is not None:
        removal.take(here, [row], {})
    return removal.moved([])


def _judged(shift: Shift, row: Row[Any] | None, folders: Mapping[int, Row[Any]]) -> int:
    if shift.source not in folders or row is None or row.folder != shift.source:
        return NO_SOURCE
    if shift.target not in folders:
        return NO_TARGET
    return SAME if shift.source == shift.target else SUCCESS


@define
class _Place:
    """Where an item goes: its folder's row, its name and its id there."""

    folder: Row[Any]
    name: str
    id: int = 0


def _arrive(
    connection: Connection,
    removal: _Removal,
    chosen: Sequence[tuple[Shift, Row[Any]]],
    folders: Mapping[int, Row[Any]],
) -> dict[int, _Place]:
    """The items appear in their new folders, as news to every device ([MS-ASCMD] 2.2.1.12)."""
    places: dict[int, _Place] = {}
    for target in sorted({shift.target for shift, _ in chosen}):
        rows = [row for shift, row in chosen if shift.target == target]
        diverted = {shift.item for shift, _ in chosen if shift.diverted}
        names = free_names(connection, target, {row.id: row.name for row in rows})
        first = removal.number(target, len(rows))
        made = [
            {
                "folder": target,
                "name": names[row.id],
                "state": row.state,
                "extra": {**(row.extra or {}), DIVERTED: True} if row.id in diverted else row.extra or None,
                "received": row.received,
                "number": first + n,
                "added": first + n,
            }
            for n, row in enumerate(rows)
        ]
        ids = {number: id for id, number in connection.execute(_ARRIVE, made)}
        for n, row in enumerate(rows):
            places[row.id] = _Place(folders[target], names[row.id], ids[first + n])
    return places


@define(eq=False)
class _Removal:
    """What one transaction takes out of folders, and the numbers that all of it takes."""

    connection: Connection
    now: int
    intents: list[Intent] = field(factory=list)
    spans: list[tuple[int, int, int]] = field(factory=list)

    def number(self, folder: int, count: int) -> int:
        """Take numbers of a folder; the first of them."""
        head = next_numbers(self.connection, folder, count)
        self.spans.append((folder, head - count + 1, head))
        return head - count + 1

    def take(self, here: Row[Any], rows: Sequence[Row[Any]], places: Mapping[int, _Place]) -> None:
        """Items of a folder are gone from it: to their place, if they have one, or for good."""
        if not rows:
            return
        first = self.number(here.id, len(rows))
        gone = {"extra": None, "removed": self.now, "device": None, "touched": None}
        changes = [{"id": row.id, "state": row.state, "number": first + n, **gone} for n, row in enumerate(rows)]
        write_changes(self.connection, changes)
        todo = [_wish(here, row, places.get(row.id)) for row in rows]
        self.intents.extend(write_intents(self.connection, todo))

    def moved(self, results: Sequence[tuple[int, int]]) -> Moved:
        """All of it as an answer."""
        heads: dict[int, int] = {}
        for folder, _, last in self.spans:
            heads[folder] = max(last, heads.get(folder, 0))
        changes = tuple(Change(folder, head) for folder, head in heads.items())
        return Moved(tuple(results), tuple(self.intents), changes, tuple(self.spans))


def _wish(here: Row[Any], row: Row[Any], place: _Place | None) -> dict[str, Any]:
    kind = IntentKind.DELETE if place is None else IntentKind.MOVE
    wish = {"kind": kind.value, "user": here.user, "folder": here.id, "path": here.path, "name": row.name, **NOTHING}
    if place is not None:
        wish.update(to_folder=place.folder.id, to_path=place.folder.path, to_name=place.name)
    return wish
