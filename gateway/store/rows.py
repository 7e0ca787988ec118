"""Rows of folders and items: reading, locking, numbering."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, bindparam, select, update

from gateway.model import Folder, FolderType, Item
from gateway.store.schema import folder, item

T = TypeVar("T")

# SQLite takes 32,766 variables in a statement, PostgreSQL 65,535.
CHUNK = 1000


# The largest id that a database can number a row with; clients may send anything.
LARGEST = (1 << 63) - 1


def possible(ids: Iterable[int]) -> list[int]:
    """The ids that a row can have, sorted, each once; a database refuses to look for others."""
    return sorted({id for id in ids if 0 < id <= LARGEST})


def storable(said: str) -> str:
    """What somebody outside said, without what a database does not take as text."""
    if said.isascii() and "\0" not in said:
        return said
    return said.replace("\0", "").encode("utf-8", "replace").decode()


def chunks(values: Sequence[T]) -> Iterable[Sequence[T]]:
    """The values in parts that fit into one statement."""
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))


def live(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """The condition, for items that are still there."""
    return condition & item.c.removed.is_(None)


_LOCK = (
    select(folder)
    .where(folder.c.id.in_(bindparam("ids", expanding=True)), folder.c.removed.is_(None))
    .order_by(folder.c.id)
    .with_for_update()
)


def lock_folders(connection: Connection, ids: Iterable[int]) -> dict[int, Row[Any]]:
    """The rows of those folders that are live, locked until the commit.

    On PostgreSQL nothing else can then number items of these folders, or hand out their keys; always in the order
    of the ids, so that two writers cannot wait for one another. On SQLite the writer is alone anyway.
    """
    found: dict[int, Row[Any]] = {}
    for some in chunks(possible(ids)):
        found.update((row.id, row) for row in connection.execute(_LOCK, {"ids": list(some)}))
    return found


_NUMBER = (
    update(folder)
    .where(folder.c.id == bindparam("the_id"))
    .values(head=folder.c.head + bindparam("count"))
    .returning(folder.c.head)
)


def next_numbers(connection: Connection, folder_id: int, count: int) -> int:
    """Take the next numbers of a folder and give the last of them.

    They come from the row itself, in the transaction that uses them (rule 4): who has a smaller number has
    committed before, so nobody can be told of 11 while 10 is still to come.
    """
    return int(connection.execute(_NUMBER, {"the_id": folder_id, "count": count}).scalar_one())


_CHANGE = (
    update(item)
    .where(item.c.id == bindparam("the_id"))
    .values({name: bindparam(f"new_{name}") for name in ("state", "extra", "number", "removed", "device", "touched")})
)


def write_changes(connection: Connection, changes: Sequence[dict[str, Any]]) -> None:
    """Write changed items; each change has the C{id} and all of C{state, extra, number, removed, device, touched}."""
    if changes:
        named = [{"the_id" if k == "id" else f"new_{k}": v for k, v in change.items()} for change in changes]
        connection.execute(_CHANGE, named)


def item_of(row: Row[Any]) -> Item:
    """A row of the table as a value."""
    return Item(row.id, row.folder, row.name, row.state, row.received, row.number, row.extra or {})


def folder_of(row: Row[Any]) -> Folder:
    """A row of the table as a value."""
    return Folder(row.id, row.user, row.path, row.name, FolderType(row.type), row.parent, row.head, row.listed)
