"""The store as L{IAbsences}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import asdict, define
from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from twisted.internet.defer import Deferred
from zope.interface import implementer

from gateway.absence import Absence, Audience, Away, Reply
from gateway.interfaces import IAbsences
from gateway.store.database import Database
from gateway.store.rows import storable
from gateway.store.schema_absence import absence, answered

#: How many people are answered in one absence; a flood of mail from invented senders ends there.
MOST_ANSWERS = 10_000

_ONE = select(absence).where(absence.c.user == bindparam("the_user"))
_LOCKED = _ONE.with_for_update()
_COUNT = (
    update(absence)
    .where(
        absence.c.user == bindparam("the_user"),
        absence.c.period == bindparam("the_period"),
        absence.c.answers < MOST_ANSWERS,
    )
    .values(answers=absence.c.answers + 1)
)
_BEFORE = select(answered.c.user).where(
    answered.c.user == bindparam("the_user"), answered.c.sender == bindparam("the_sender")
)


@implementer(IAbsences)
@define(eq=False)
class Absences:
    """Who is away, in one database."""

    database: Database

    def absence(self, user: str) -> Deferred[Absence]:
        """See L{IAbsences}."""
        return self.database.read(_absence, user)

    def keep_absence(self, user: str, kept: Absence) -> Deferred[Absence]:
        """See L{IAbsences}."""
        return self.database.write_durably(_keep, user, kept)

    def first_answer(self, user: str, period: int, sender: str) -> Deferred[bool]:
        """See L{IAbsences}."""
        return self.database.write_durably(_first_answer, user, period, storable(sender.lower()))


def _absence(connection: Connection, user: str) -> Absence:
    row = connection.execute(_ONE, {"the_user": user}).one_or_none()
    return Absence() if row is None else _read(row)


def _keep(connection: Connection, user: str, kept: Absence) -> Absence:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    first = dialect.insert(absence).values(user=user, period=0, answers=0, **_columns(Absence()))
    connection.execute(first.on_conflict_do_nothing())
    before = _read(connection.execute(_LOCKED, {"the_user": user}).one())
    when = (kept.away, kept.start, kept.end)
    here = absence.c.user == user
    connection.execute(update(absence).where(here).values(**_columns(kept)))
    if kept.away is Away.OFF or when == (before.away, before.start, before.end):
        return Absence(*when, kept.replies, before.period)
    # Another absence begins: everybody may be answered again.
    connection.execute(update(absence).where(here).values(period=before.period + 1, answers=0))
    connection.execute(delete(answered).where(answered.c.user == user))
    return Absence(*when, kept.replies, before.period + 1)


def _first_answer(connection: Connection, user: str, period: int, sender: str) -> bool:
    who = {"the_user": user, "the_sender": sender}
    if connection.execute(_BEFORE, who).one_or_none() is not None:
        return False
    # Whoever counts holds the row of the absence, so nobody else answers the same sender meanwhile.
    if not connection.execute(_COUNT, {"the_user": user, "the_period": period}).rowcount:
        return False
    if connection.execute(_BEFORE, who).one_or_none() is not None:
        return False
    connection.execute(insert(answered).values(user=user, sender=sender))
    return True


def _columns(kept: Absence) -> dict[str, Any]:
    replies = {audience.value: _dump(reply) for audience, reply in kept.replies.items()}
    return {"away": int(kept.away), "start": kept.start, "end": kept.end, "replies": replies}


def _dump(reply: Reply) -> dict[str, Any]:
    return {name: storable(value) if isinstance(value, str) else value for name, value in asdict(reply).items()}


def _read(row: Row[Any]) -> Absence:
    replies: Mapping[str, Mapping[str, Any]] = row.replies
    read = {Audience(name): Reply(**reply) for name, reply in replies.items()}
    return Absence(Away(row.away), row.start, row.end, read, row.period)
