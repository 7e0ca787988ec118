"""A stream of changes out of a ledger: when mail came to whom, without a name of anybody or anything."""

from __future__ import annotations

from collections.abc import Sequence
from random import SystemRandom

from sqlalchemy import Connection, select

from gateway.core.wakerules import WakeFolders
from gateway.rehearsal.stream import CLASSES, Event
from gateway.store.database import Database
from gateway.store.rows import folder_of
from gateway.store.schema import folder, item

_FOLDERS = select(folder).where(folder.c.path.isnot(None))
_ITEMS = select(item.c.folder, item.c.received)


def recorded(database: Database, since: float, until: float) -> list[Event]:
    """What came in that time (seconds since the epoch), in order: items of the folders that may wake a device, those
    that are gone since included as far as the ledger still has them.

    Users are numbered from 1 in an order of chance, anew each time.
    """
    return database.reading(_read, since, until)


def _read(connection: Connection, since: float, until: float) -> list[Event]:
    rule = WakeFolders(classes=frozenset(CLASSES))
    rows = [folder_of(row) for row in connection.execute(_FOLDERS)]
    places = {one.id: one for one in rows if rule.may_wake(one)}
    numbers = _numbered(sorted({one.user for one in places.values()}))
    found = connection.execute(_ITEMS.where(item.c.received >= since, item.c.received < until))
    return sorted(
        Event(float(row.received), numbers[places[row.folder].user], places[row.folder].type.item_class)
        for row in found
        if row.folder in places
    )


def _numbered(users: Sequence[str]) -> dict[str, int]:
    shuffled = SystemRandom().sample(users, len(users))
    return {user: number for number, user in enumerate(shuffled, 1)}
