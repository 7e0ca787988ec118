"""The store as L{IPostings}: what a device hands over to be sent, in one transaction."""

from __future__ import annotations

from typing import Any

from attrs import define
from sqlalchemy import Connection, Row, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from twisted.internet.defer import Deferred
from zope.interface import implementer

from gateway.arrangement import Moved
from gateway.interfaces import IPostings
from gateway.model import Change, IntentKind
from gateway.posting import Mark, Posted, Posting, Reception
from gateway.store.database import Database
from gateway.store.intents import write_intents
from gateway.store.moving import NOTHING, move, remove
from gateway.store.queue import enqueue
from gateway.store.rows import live, lock_folders, next_numbers, possible, storable, write_changes
from gateway.store.schema import item
from gateway.store.schema_mail import posting as table
from gateway.store.spending import Till

_ITEM = select(item).where(live(item.c.id == bindparam("the_id")))
_WRITTEN_TO = select(func.coalesce(func.sum(table.c.recipients), 0)).where(
    table.c.user == bindparam("the_user"), table.c.at > bindparam("counted"), table.c.at <= bindparam("now")
)
_FORGET = delete(table).where(table.c.at < bindparam("before"))


@implementer(IPostings)
@define(eq=False)
class Postings:
    """The postings of one database."""

    database: Database

    def post(self, posting: Posting) -> Deferred[Posted]:
        """See L{IPostings}."""
        return self.database.write_durably(post, posting)

    def known(self, posting: Posting) -> Deferred[bool]:
        """See L{IPostings}."""
        return self.database.read(_known, posting)

    def forget_postings(self, before: float) -> Deferred[int]:
        """See L{IPostings}."""
        return self.database.write(_forget, before)


def post(connection: Connection, posting: Posting) -> Posted:
    """Take a mail, unless it was taken before or is too much."""
    if posting.quota and _written_to(connection, posting) + posting.recipients > posting.quota:
        # A repetition is told of what it repeats, not of the quota.
        return Posted(Reception.REPEATED if _known(connection, posting) else Reception.TOO_MUCH)
    if not _new(connection, posting):
        return Posted(Reception.REPEATED)
    enqueue(connection, posting.letters, posting.now, Till())
    if posting.shift is not None:
        return Posted(Reception.TAKEN, move(connection, posting.key.user, [posting.shift], int(posting.now)))
    if posting.gone:
        return Posted(Reception.TAKEN, remove(connection, posting.key.user, posting.gone, int(posting.now)))
    return Posted(Reception.TAKEN) if posting.mark is None else _marked(connection, posting.key.user, posting)


def _written_to(connection: Connection, posting: Posting) -> int:
    given = {"the_user": posting.key.user, "counted": posting.counted, "now": posting.now}
    return int(connection.execute(_WRITTEN_TO, given).scalar_one())


def _columns(posting: Posting) -> dict[str, str]:
    return {"user": posting.key.user, "device": posting.key.device, "name": storable(posting.name)}


def _known(connection: Connection, posting: Posting) -> bool:
    here = [table.c[name] == value for name, value in _columns(posting).items()]
    return connection.execute(select(table.c.at).where(*here, table.c.at >= posting.since)).first() is not None


def _new(connection: Connection, posting: Posting) -> bool:
    """Write it down; whether it was not there. One that is being written by another node is waited for."""
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    said = {"at": posting.now, "recipients": posting.recipients}
    made = dialect.insert(table).values(**_columns(posting), **said)
    made = made.on_conflict_do_update(
        index_elements=["user", "device", "name"], set_=said, where=table.c.at < posting.since
    )
    return connection.execute(made.returning(table.c.at)).first() is not None


def _marked(connection: Connection, user: str, posting: Posting) -> Posted:
    """Note at the original what was done to it; it may be gone by now."""
    mark = posting.mark
    assert mark is not None
    row = connection.execute(_ITEM, {"the_id": mark.item}).first() if possible([mark.item]) else None
    here = lock_folders(connection, [row.folder]).get(row.folder) if row is not None else None
    # Once more: it may have been changed or moved before its folder was locked.
    row = connection.execute(_ITEM, {"the_id": mark.item}).first() if here is not None else None
    if row is None or here is None or row.folder != here.id or here.user != user or here.path is None:
        return Posted(Reception.TAKEN)
    number = next_numbers(connection, here.id, 1)
    write_changes(connection, [_changed(row, mark, number, int(posting.now))])
    wish = {"kind": IntentKind.FLAGS.value, "user": user, "folder": here.id, "path": here.path, "name": row.name}
    wishes = [] if mark.letter in row.state else [{**NOTHING, **wish, "letters_set": mark.letter}]
    intents = write_intents(connection, wishes)
    spans = ((here.id, number, number),)
    return Posted(Reception.TAKEN, Moved((), intents, (Change(here.id, number),), spans))


def _changed(row: Row[Any], mark: Mark, number: int, now: int) -> dict[str, Any]:
    """No device holds the result: each is told, also the one that sent."""
    touched = {**(row.touched or {}), "verb": [number, None]}
    if mark.letter not in row.state:
        touched[mark.letter] = [number, None]
    return {
        "id": row.id,
        "state": "".join(sorted({*row.state, mark.letter})),
        "extra": {**(row.extra or {}), "verb": [mark.verb, now]},
        "number": number,
        "removed": None,
        "device": None,
        "touched": touched,
    }


def _forget(connection: Connection, before: float) -> int:
    return connection.execute(_FORGET, {"before": before}).rowcount
