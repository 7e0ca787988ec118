"""The store as L{ITrace}."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define
from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select
from twisted.internet.defer import Deferred
from zope.interface import implementer

from gateway.interfaces import ITrace
from gateway.model import DeviceKey
from gateway.store.bulk import bulk
from gateway.store.database import Database
from gateway.store.rows import storable
from gateway.store.schema_sms import hop as table
from gateway.trigger import Hop

# So many hops go at once; others can write in between.
PORTION = 5000

_NOTE = bulk(insert(table), "at", "user", "device", "kind", "text", "folder", "number", "letter")
_FIRST_KEPT = (
    select(table.c.id)
    .where(table.c.at >= bindparam("before"), table.c.at <= bindparam("now"))
    .order_by(table.c.id)
    .limit(1)
)
_FORGET = delete(table).where(
    table.c.id.in_(select(table.c.id).where(table.c.id < bindparam("the_id")).order_by(table.c.id).limit(PORTION))
)


@implementer(ITrace)
@define(eq=False)
class Trace:
    """The hops of one database."""

    database: Database
    seconds: Callable[[], float]

    def note(self, hops: Sequence[Hop]) -> Deferred[None]:
        """See L{ITrace}."""
        return self.database.write(note, hops)

    def read(self, user: str, device: str | None, after: int, most: int) -> Deferred[list[Hop]]:
        """See L{ITrace}."""
        return self.database.read(_read, user, device, after, most)

    def forget_hops(self, before: float) -> Deferred[int]:
        """See L{ITrace}; in several transactions."""
        return self.database.run(self._forget, before)

    def _forget(self, before: float) -> int:
        total = count = self.database.writing(False, _forget_some, before, self.seconds())
        while count == PORTION:
            count = self.database.writing(False, _forget_some, before, self.seconds())
            total += count
        return total


def note(connection: Connection, hops: Sequence[Hop]) -> None:
    _NOTE.run(connection, [(o.at, *_who(o), o.kind, storable(o.text), o.folder, o.number, o.letter) for o in hops])


def _who(hop: Hop) -> tuple[str, str]:
    return hop.key.user, hop.key.device


def _read(connection: Connection, user: str, device: str | None, after: int, most: int) -> list[Hop]:
    query = select(table).where(table.c.user == user).limit(most)
    if device is not None:
        query = query.where(table.c.device == device)
    if after >= 0:
        return [_hop(row) for row in connection.execute(query.where(table.c.id > after).order_by(table.c.id))]
    return [_hop(row) for row in connection.execute(query.order_by(table.c.id.desc()))][::-1]


def _hop(row: Row[Any]) -> Hop:
    key = DeviceKey(row.user, row.device)
    return Hop(row.at, key, row.kind, row.text, row.folder, row.number, row.letter, row.id)


def _forget_some(connection: Connection, before: float, now: float) -> int:
    """Hops are numbered as they are written, so only old ones are read; one from the future is of a wrong clock."""
    kept = connection.execute(_FIRST_KEPT, {"before": before, "now": now}).scalar_one_or_none()
    if kept is None:
        kept = 1 + (connection.execute(select(func.max(table.c.id))).scalar_one() or 0)
    return connection.execute(_FORGET, {"the_id": kept}).rowcount
