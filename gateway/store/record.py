"""Writing down what a source saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen
from sqlalchemy import Connection, Row, bindparam, insert, select, update

from gateway.model import Change, Found
from gateway.store.intents import Waiting, waiting
from gateway.store.rows import chunks, live, lock_folders, next_numbers, write_changes
from gateway.store.schema import folder, item

Seen = tuple[Sequence[Found], Sequence[str]]

#: Seconds; the narrowest window that a device can ask for is a day, and clocks differ a little.
FRESH = 23 * 3600

_EARLIEST, _LATEST = -(1 << 53), 1 << 53

_NAMED = select(item).where(
    live((item.c.folder == bindparam("the_folder")) & item.c.name.in_(bindparam("names", expanding=True)))
)
_ALL = select(item.c.name, item.c.state).where(live(item.c.folder == bindparam("the_folder")))
_NEW = insert(item)


def listing(connection: Connection, folder_id: int) -> dict[str, str]:
    """Name to state of the live items of a folder."""
    return {name: state for name, state in connection.execute(_ALL, {"the_folder": folder_id})}


def record(connection: Connection, seen: Mapping[int, Seen], now: int) -> list[Change]:
    """Write down what was found and what is gone; a name that is in both was found.

    Folders that are not there any more are passed over: their items went with them.
    """
    folders = lock_folders(connection, seen)
    todo = waiting(connection, list(folders))
    changes = []
    for folder_id in folders:
        found, gone = seen[folder_id]
        news = _compare(connection, folder_id, found, gone, todo[folder_id])
        if news.count:
            changes.append(Change(folder_id, news.write(connection, folder_id, now), news.fresh(now)))
    return changes


def listed(connection: Connection, notes: Mapping[int, str]) -> None:
    """Keep what the source noted at its last complete listing."""
    query = update(folder).where(folder.c.id == bindparam("the_id")).values(listed=bindparam("note"))
    if notes:
        connection.execute(query, [{"the_id": id, "note": note} for id, note in sorted(notes.items())])


@frozen
class _News:
    """How a folder differs from the ledger."""

    new: list[Found] = field(factory=list)
    changed: list[tuple[Row[Any], str]] = field(factory=list)
    gone: list[Row[Any]] = field(factory=list)

    @property
    def count(self) -> int:
        return len(self.new) + len(self.changed) + len(self.gone)

    def fresh(self, now: int) -> bool:
        """Whether the newest of the new ones is within every window; it has the highest number."""
        return any(now - FRESH <= found.received for found in self.new)

    def write(self, connection: Connection, folder_id: int, now: int) -> int:
        """Give each row its number and write it; the folder's highest number afterwards."""
        head = next_numbers(connection, folder_id, self.count)
        number = head - self.count
        changes = []
        for row in self.gone:
            number += 1
            changes.append(_removed(row, number, now))
        for row, state in self.changed:
            number += 1
            changes.append(_changed(row, state, number))
        write_changes(connection, changes)
        if self.new:
            self.new.sort(key=lambda found: (found.received, found.name))
            rows = [_added(folder_id, found, number + n) for n, found in enumerate(self.new, 1)]
            connection.execute(_NEW, rows)
        return head


def _compare(
    connection: Connection, folder_id: int, found: Sequence[Found], gone: Sequence[str], todo: Waiting
) -> _News:
    there = {one.name: one for one in found}
    names = [*there, *(name for name in dict.fromkeys(gone) if name not in there)]
    rows: dict[str, Row[Any]] = {}
    for some in chunks(names):
        known = connection.execute(_NAMED, {"the_folder": folder_id, "names": list(some)})
        rows.update((row.name, row) for row in known)
    news = _News()
    for name in names:
        row, one = rows.get(name), there.get(name)
        if one is None:
            # A file that is still to be moved here is not gone but not there yet.
            if row is not None and name not in todo.coming:
                news.gone.append(row)
        elif row is None:
            # A file that is still to be moved away or deleted is no new one.
            if name not in todo.leaving:
                news.new.append(one)
        elif row.state != (state := todo.expected(name, one.state)):
            news.changed.append((row, state))
    return news


def _added(folder_id: int, found: Found, number: int) -> dict[str, Any]:
    return {
        "folder": folder_id,
        "name": found.name,
        "state": "".join(sorted(set(found.state))),
        "received": max(_EARLIEST, min(found.received, _LATEST)),
        "number": number,
        "added": number,
    }


def _changed(row: Row[Any], state: str, number: int) -> dict[str, Any]:
    """Somebody else changed the item: no device holds the result, and the details of a flag were not meant for it."""
    letters = set(row.state) ^ set(state)
    extra = dict(row.extra or {})
    touched = {**(row.touched or {}), **{letter: [number, None] for letter in letters}}
    if "F" in letters and "flag" in extra:
        del extra["flag"]
        touched["flag"] = [number, None]
    return {
        "id": row.id,
        "state": state,
        "extra": extra or None,
        "number": number,
        "removed": None,
        "device": None,
        "touched": touched,
    }


def _removed(row: Row[Any], number: int, now: int) -> dict[str, Any]:
    return {
        "id": row.id,
        "state": row.state,
        "extra": None,
        "number": number,
        "removed": now,
        "device": None,
        "touched": None,
    }
