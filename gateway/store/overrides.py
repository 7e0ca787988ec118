"""The store as L{IOverrides}."""

from __future__ import annotations

from attrs import define
from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from twisted.internet.defer import Deferred
from zope.interface import implementer

from gateway.interfaces import IOverrides
from gateway.model import Mode
from gateway.store.database import Database
from gateway.store.schema_sms import mode_override as table
from gateway.trigger import Override

_ALL = select(table).order_by(table.c.user, table.c.device)


@implementer(IOverrides)
@define(eq=False)
class Overrides:
    """The modes that commands have set, in one database."""

    database: Database

    def overrides(self) -> Deferred[list[Override]]:
        """See L{IOverrides}."""
        return self.database.read(_overrides)

    def override(self, user: str, device: str, override: Override | None) -> Deferred[None]:
        """See L{IOverrides}."""
        return self.database.write_durably(_override, user, device, override)


def _overrides(connection: Connection) -> list[Override]:
    return [Override(row.user, row.device, Mode(row.mode), row.by, row.at) for row in connection.execute(_ALL)]


def _override(connection: Connection, user: str, device: str, override: Override | None) -> None:
    if override is None:
        connection.execute(delete(table).where(table.c.user == user, table.c.device == device))
        return
    columns = {"mode": override.mode.value, "by": override.by, "at": override.at}
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    made = dialect.insert(table).values(user=user, device=device, **columns)
    connection.execute(made.on_conflict_do_update(index_elements=["user", "device"], set_=columns))
