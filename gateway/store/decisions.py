"""The store as L{IDecisions}."""

from __future__ import annotations

from attrs import define
from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from twisted.internet.defer import Deferred
from zope.interface import implementer

from gateway.interfaces import IDecisions
from gateway.model import Access, Decision, DeviceKey
from gateway.store.database import Database
from gateway.store.schema import device_access as table

_ALL = select(table).order_by(table.c.user, table.c.device)


@implementer(IDecisions)
@define(eq=False)
class Decisions:
    """What commands have decided of devices, in one database."""

    database: Database

    def decisions(self) -> Deferred[list[Decision]]:
        """See L{IDecisions}."""
        return self.database.read(_decisions)

    def decide(self, key: DeviceKey, decision: Decision | None) -> Deferred[None]:
        """See L{IDecisions}."""
        return self.database.write_durably(_decide, key, decision)


def _decisions(connection: Connection) -> list[Decision]:
    return [
        Decision(DeviceKey(row.user, row.device), Access(row.access), row.by, row.at)
        for row in connection.execute(_ALL)
    ]


def _decide(connection: Connection, key: DeviceKey, decision: Decision | None) -> None:
    if decision is None:
        connection.execute(delete(table).where(table.c.user == key.user, table.c.device == key.device))
        return
    columns = {"access": decision.access.value, "by": decision.by, "at": decision.at}
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    made = dialect.insert(table).values(user=key.user, device=key.device, **columns)
    connection.execute(made.on_conflict_do_update(index_elements=["user", "device"], set_=columns))
