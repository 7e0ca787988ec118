"""The store as L{IDiversions}."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define
from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from twisted.internet.defer import Deferred
from zope.interface import implementer

from gateway.arrangement import Diversion
from gateway.interfaces import IDiversions
from gateway.store.database import Database
from gateway.store.rows import chunks
from gateway.store.schema import folder
from gateway.store.schema_diversion import diversion

MOST = 1000
"""So many conversations of a user are diverted; of more the oldest are forgotten."""

_OLD = (
    select(diversion.c.conversation)
    .where(diversion.c.user == bindparam("the_user"))
    .order_by(diversion.c.since.desc(), diversion.c.conversation)
    .offset(bindparam("most"))
)
_FORGET = delete(diversion).where(
    diversion.c.user == bindparam("the_user"), diversion.c.conversation.in_(bindparam("old", expanding=True))
)
_KNOWN = (
    select(diversion)
    .join(folder, (folder.c.id == diversion.c.folder) & folder.c.removed.is_(None))
    .where(
        diversion.c.user.in_(bindparam("users", expanding=True)),
        diversion.c.conversation.in_(bindparam("conversations", expanding=True)),
    )
)


@implementer(IDiversions)
@define(eq=False)
class Diversions:
    """The diversions of one database; C{most} are kept of a user."""

    database: Database
    most: int = MOST

    def divert(self, wanted: Diversion) -> Deferred[None]:
        """See L{IDiversions}."""
        return self.database.write_durably(_divert, wanted, self.most)

    def diverted(self, asked: Sequence[tuple[str, bytes]]) -> Deferred[dict[tuple[str, bytes], Diversion]]:
        """See L{IDiversions}."""
        return self.database.read(_diverted, asked)


def _divert(connection: Connection, wanted: Diversion, most: int) -> None:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    kept = {"folder": wanted.folder, "since": wanted.since}
    made = dialect.insert(diversion).values(user=wanted.user, conversation=wanted.conversation, **kept)
    connection.execute(made.on_conflict_do_update(index_elements=["user", "conversation"], set_=kept))
    old = list(connection.execute(_OLD, {"the_user": wanted.user, "most": most}).scalars())
    for some in chunks(old):
        connection.execute(_FORGET, {"the_user": wanted.user, "old": list(some)})


def _diverted(connection: Connection, asked: Sequence[tuple[str, bytes]]) -> dict[tuple[str, bytes], Diversion]:
    found = {}
    for some in chunks(sorted(set(asked))):
        which = {"users": sorted({user for user, _ in some}), "conversations": [which for _, which in some]}
        for row in connection.execute(_KNOWN, which):
            conversation = bytes(row.conversation)
            found[row.user, conversation] = Diversion(row.user, conversation, row.folder, row.since)
    return {key: found[key] for key in asked if key in found}
