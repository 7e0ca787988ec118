"""Which rows of the ledger concern a device: said once in SQL, used by Sync, estimates, looks and compaction.

Everything that is not to be told is left out by the database, so it costs nothing however much of it there is.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen
from sqlalchemy import BigInteger, ColumnElement, and_, bindparam, or_, tuple_

from gateway.store.keys import Position, Told
from gateway.store.schema import item

Term = ColumnElement[Any]


@frozen
class Terms:
    """What a device has been told and who it is, as columns or as parameters."""

    folder: Term
    owner: Term
    number: Term
    added: Term
    received: Term
    id: Term
    head: Term | None = None


TERMS = Terms(*(bindparam(f"told_{name}") for name in ("folder", "owner", "number", "added", "received", "id")))


def parameters(folder: int, owner: int | None, told: Told) -> dict[str, Any]:
    """The values for L{TERMS}."""
    return {
        "told_folder": folder,
        "told_owner": owner,
        "told_number": told.number,
        "told_added": told.added,
        "told_received": told.floor.received,
        "told_id": told.floor.id,
    }


def _others(terms: Terms) -> ColumnElement[bool]:
    """The last change was not made by the device (rule 3).

    With C{head}: or was made after that head; a device that did not get the answer to its change, and may not
    make it again, does not hold it.
    """
    others = item.c.device.is_distinct_from(terms.owner)
    return others if terms.head is None else or_(others, item.c.number > terms.head)


def _in_view(terms: Terms) -> ColumnElement[bool]:
    # The sum keeps SQLite from choosing the index by time of reception: the numbers are the narrow range here.
    return or_(item.c.received + 0 > terms.received, and_(item.c.received == terms.received, item.c.id >= terms.id))


def changed(terms: Terms) -> ColumnElement[bool]:
    """Items that the device holds and that were changed (live) or removed since."""
    return and_(
        item.c.folder == terms.folder,
        item.c.number > terms.number,
        item.c.added <= terms.added,
        _in_view(terms),
        _others(terms),
    )


def arrived(terms: Terms) -> ColumnElement[bool]:
    """Items that came since and belong to what the device holds."""
    return and_(
        item.c.folder == terms.folder,
        item.c.added > terms.added,
        item.c.removed.is_(None),
        _in_view(terms),
        _others(terms),
    )


def _edges() -> ColumnElement[bool]:
    place = tuple_(item.c.received, item.c.id)
    return and_(place >= _place("low"), place < _place("high"))


def _place(name: str) -> ColumnElement[Any]:
    return tuple_(bindparam(f"{name}_received", type_=BigInteger), bindparam(f"{name}_id", type_=BigInteger))


def between(low: Position, high: Position) -> dict[str, Any]:
    """The values for L{leaving} and L{below}."""
    return {
        "low_received": low.received,
        "low_id": low.id,
        "high_received": high.received,
        "high_id": high.id,
    }


def leaving(terms: Terms) -> ColumnElement[bool]:
    """Items that the device holds and that lie in the range that its window has left."""
    return and_(
        item.c.folder == terms.folder,
        _edges(),
        item.c.added <= terms.added,
        or_(item.c.removed.is_(None), and_(item.c.number > terms.number, item.c.device.is_distinct_from(terms.owner))),
    )


def below(terms: Terms) -> ColumnElement[bool]:
    """Live items in the range below the floor that the device has not been told of yet."""
    return and_(
        item.c.folder == terms.folder,
        _edges(),
        item.c.removed.is_(None),
    )
