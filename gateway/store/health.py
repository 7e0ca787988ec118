"""Whether the database takes changes, and whether the clock goes on from what was written with it."""

from __future__ import annotations

from sqlalchemy import Connection, Select, Table, delete, func, insert, select

from gateway.store.schema import device, meta
from gateway.store.schema_sms import hop, outbox

_PROBE = "probe"
#: Of what has numbers the newest rows are looked at: a clock that was set back shows in them.
_ROWS = 1000


def probe(connection: Connection, now: float) -> None:
    """Change a row that means nothing: one that is written as it was would cost SQLite no write at all."""
    connection.execute(delete(meta).where(meta.c.name == _PROBE))
    connection.execute(insert(meta).values(name=_PROBE, value=str(now)))


def newest(connection: Connection) -> float:
    """The latest time that was written down, in seconds since the epoch; 0 if nothing was."""
    asked = (select(func.max(device.c.last_seen)), _latest(hop, "at"), _latest(outbox, "created"))
    return float(max(connection.execute(each).scalar_one() or 0 for each in asked))


def _latest(table: Table, column: str) -> Select[tuple[float]]:
    rows = select(table.c[column]).order_by(table.c.id.desc()).limit(_ROWS).subquery()
    return select(func.max(rows.c[column]))
