"""What the index of mails has not got yet: found out from the numbers of the ledger, folder by folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve
from sqlalchemy import BigInteger, Connection, Row, bindparam, case, or_, select, tuple_

from gateway.index import Cursor, Portion
from gateway.model import FolderType
from gateway.store.rows import LARGEST, chunks, folder_of, item_of, live, possible
from gateway.store.schema import folder, item
from gateway.store.schema_search import cursor, document

SCAN = 500
"""So many rows of the ledger are looked at for one portion."""

_TOP = (LARGEST, LARGEST)
_MAIL = [int(type) for type in FolderType if type.item_class == "Email"]
_LIVE = folder.c.path.isnot(None) & folder.c.removed.is_(None) & folder.c.type.in_(_MAIL)

# Inboxes come first.
_BEHIND = (
    select(folder.c.id)
    .select_from(folder.outerjoin(cursor, cursor.c.folder == folder.c.id))
    .where(
        _LIVE,
        folder.c.head > 0,
        or_(cursor.c.folder.is_(None), cursor.c.number < folder.c.head, cursor.c.floor_received.isnot(None)),
    )
    .order_by(case((folder.c.type == int(FolderType.INBOX), 0), else_=1), folder.c.id.desc())
)
_BEHIND_OF = _BEHIND.where(folder.c.id.in_(bindparam("ids", expanding=True)))
_LOST = (
    select(cursor.c.folder)
    .select_from(cursor.outerjoin(folder, (folder.c.id == cursor.c.folder) & _LIVE))
    .where(folder.c.id.is_(None))
)

_PLACES = (
    select(folder, cursor.c.number, cursor.c.floor_received, cursor.c.floor_id)
    .select_from(folder.outerjoin(cursor, cursor.c.folder == folder.c.id))
    .where(folder.c.id.in_(bindparam("ids", expanding=True)), _LIVE)
)
_KEPT = select(cursor.c.folder).where(cursor.c.folder == bindparam("the_folder"))
_DOCUMENTS = select(document.c.item).where(document.c.folder == bindparam("the_folder")).limit(bindparam("scan"))
_ORPHANS = (
    select(document.c.item)
    .select_from(document.outerjoin(item, live(item.c.id == document.c.item)))
    .where(document.c.folder == bindparam("the_folder"), item.c.id.is_(None))
    .limit(bindparam("scan"))
)
_ROWS = select(item, document.c.name.label("known")).select_from(item.outerjoin(document, document.c.item == item.c.id))
_NUMBERED = (
    _ROWS.where(item.c.folder == bindparam("the_folder"), item.c.number > bindparam("the_number"))
    .order_by(item.c.number)
    .limit(bindparam("scan"))
)
_BELOW = (
    _ROWS.where(
        live(item.c.folder == bindparam("the_folder")),
        tuple_(item.c.received, item.c.id)
        < tuple_(bindparam("the_time", type_=BigInteger), bindparam("the_id", type_=BigInteger)),
    )
    .order_by(item.c.received.desc(), item.c.id.desc())
    .limit(bindparam("scan"))
)


def behind(connection: Connection, folders: Sequence[int] | None) -> list[int]:
    """The folders for which there is something to do, among these or among all."""
    if folders is None:
        return [*connection.execute(_LOST).scalars(), *connection.execute(_BEHIND).scalars()]
    found: list[int] = []
    for some in chunks(possible(folders)):
        found.extend(connection.execute(_BEHIND_OF, {"ids": list(some)}).scalars())
    return found


def portions(connection: Connection, folders: Sequence[int], most: int, scan: int = SCAN) -> list[Portion | None]:
    """What is to be done next for the first of these folders, up to the one with which it is enough: at most so many
    items to be put in, or many more to be taken out. C{scan} is how many rows are looked at for each."""
    places = {place.id: place for place in connection.execute(_PLACES, {"ids": list(folders)})}
    found: list[Portion | None] = []
    left = most
    for folder_id in folders:
        if left <= 0:
            break
        portion = _portion(connection, folder_id, places.get(folder_id), left, scan)
        found.append(portion)
        left -= len(portion.items) + len(portion.gone) if portion else 0
    return found


def _portion(connection: Connection, folder_id: int, place: Row[Any] | None, most: int, scan: int) -> Portion | None:
    """What is to be done next for a folder; C{None} if the index has it all.

    What was numbered since is looked at in that order. But when that is much, or the folder is new to the index, all
    of its items are gone through, newest first.
    """
    if place is None:
        return _lost(connection, folder_id, scan)
    at = _cursor(place)
    orphans = _orphans(connection, place, scan) if at.number < place.compacted else ()
    if orphans:
        return Portion(folder_id, folder_of(place), at, gone=orphans)
    if at.number < place.head:
        return _numbered(connection, place, at, most, scan)
    if at.floor is None:
        return None
    return _below(connection, place, at, at.floor, most, scan)


def _lost(connection: Connection, folder_id: int, scan: int) -> Portion | None:
    """What is left of a folder that is gone; the last portion takes its cursor away."""
    which = {"the_folder": folder_id}
    gone = tuple(connection.execute(_DOCUMENTS, {**which, "scan": scan}).scalars())
    kept = gone or connection.execute(_KEPT, which).first()
    return Portion(folder_id, gone=gone) if kept else None


def _cursor(place: Row[Any]) -> Cursor:
    if place.number is None:
        return Cursor(place.head, _TOP if place.head else None)
    return Cursor(place.number, None if place.floor_received is None else (place.floor_received, place.floor_id))


def _orphans(connection: Connection, place: Row[Any], scan: int) -> tuple[int, ...]:
    """Documents of items that are gone: the rows that would tell of it may have been forgotten meanwhile."""
    return tuple(connection.execute(_ORPHANS, {"the_folder": place.id, "scan": scan}).scalars())


def _numbered(connection: Connection, place: Row[Any], at: Cursor, most: int, scan: int) -> Portion:
    """What was numbered after the cursor; when that is much, arrivals wait until all items are gone through."""
    which = {"the_folder": place.id, "the_number": at.number, "scan": scan}
    rows = connection.execute(_NUMBERED, which).all()
    much = at.floor == _TOP or place.head - at.number > 2 * scan
    seen = rows if much else _until(rows, most)
    new = [row for row in seen if _wanted(row)]
    finished = len(seen) == len(rows) < scan
    after = Cursor(place.head if finished else seen[-1].number, _TOP if much and new else at.floor)
    items = [] if much else sorted(new, key=lambda row: (row.received, row.id), reverse=True)
    return Portion(place.id, folder_of(place), after, tuple(item_of(row) for row in items), _outdated(seen))


def _below(
    connection: Connection, place: Row[Any], at: Cursor, floor: tuple[int, int], most: int, scan: int
) -> Portion:
    """The next items below the floor that are not in the index yet."""
    which = {"the_folder": place.id, "the_time": floor[0], "the_id": floor[1], "scan": scan}
    rows = connection.execute(_BELOW, which).all()
    seen = _until(rows, most)
    finished = len(seen) == len(rows) < scan
    after = evolve(at, floor=None if finished else (seen[-1].received, seen[-1].id))
    items = tuple(item_of(row) for row in seen if _wanted(row))
    return Portion(place.id, folder_of(place), after, items, _outdated(seen))


def _wanted(row: Row[Any]) -> bool:
    """Whether an item is there, and what is in it is not in the index."""
    return bool(row.removed is None and row.known != row.name)


def _outdated(rows: Sequence[Row[Any]]) -> tuple[int, ...]:
    """The items of which something is in the index that is not there any more."""
    return tuple(row.id for row in rows if row.known is not None and (row.removed is not None or row.known != row.name))


def _until(rows: Sequence[Row[Any]], most: int) -> Sequence[Row[Any]]:
    """The rows up to the one that is the last to be put in, if they are more than so many."""
    left = most
    for place, row in enumerate(rows):
        left -= _wanted(row)
        if not left:
            return rows[: place + 1]
    return rows
