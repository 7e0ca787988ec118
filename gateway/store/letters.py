"""Rows of the outbox as values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, LargeBinary, bindparam, case, func, literal_column, select

from gateway.model import DeviceKey
from gateway.store.schema_sms import outbox as table
from gateway.trigger import Letter, LetterState

_STATES = {state.value: state for state in LetterState}

#: The key apart, in the order of the fields of L{Letter}.
LETTER_COLUMNS = (
    table.c.user,
    table.c.device,
    table.c.route,
    table.c.number,
    table.c.address,
    table.c.guid,
    table.c.format,
    table.c.content,
    table.c.sender,
    table.c.recipients,
    table.c.created,
    table.c.due,
    table.c.expires,
    table.c.attempts,
    table.c.doubted,
    table.c.id,
    table.c.state,
    table.c.message_id,
    table.c.result,
)
ROUTE, ID, STATE, MESSAGE_ID, RESULT = 2, 15, 16, 17, 18
_RECIPIENTS = 9
_EMPTY: ColumnElement[bytes] = literal_column("coalesce(substr(content, 1, 0), content)")
#: What is left of a letter: a mail without what it held, a trigger as it is.
LEFT = case((table.c.recipients.isnot(None), _EMPTY), else_=table.c.content)
_NEWEST = select(*(LEFT if column is table.c.content else column for column in LETTER_COLUMNS)).order_by(
    table.c.id.desc()
)


#: Octets of a mail that are enough for its header.
HEAD = 32 * 1024
_HEADS = (
    select(
        *(
            func.substr(column, 1, HEAD, type_=LargeBinary).label("content") if column is table.c.content else column
            for column in LETTER_COLUMNS
        )
    )
    .where(
        table.c.route == bindparam("the_route"),
        table.c.state.in_((LetterState.QUEUED.value, LetterState.DOUBT.value)),
        table.c.recipients.isnot(None),
        table.c.created > bindparam("after"),
        table.c.created <= bindparam("upto"),
        table.c.id > bindparam("the_id"),
    )
    .order_by(table.c.id)
    .limit(bindparam("most"))
)


def in_state(state: LetterState) -> ColumnElement[bool]:
    """The condition, with the state as a literal: as a parameter it would keep partial indexes from being used."""
    return table.c.state == literal(state)


def literal(state: LetterState) -> ColumnElement[str]:
    """The word for a state, written into the statement."""
    return literal_column(f"'{state.value}'")


def letter_of(row: Sequence[Any]) -> Letter:
    """These columns of a row as a value."""
    values = list(row)
    values[_RECIPIENTS] = tuple(values[_RECIPIENTS] or ())
    values[STATE] = _STATES[values[STATE]]
    return Letter(DeviceKey(values[0], values[1]), *values[2:])


def letters(connection: Connection, user: str | None, device: str | None, most: int) -> list[Letter]:
    """The newest letters of a device, a user or everybody, newest first; without what mails of users hold."""
    query = _NEWEST.limit(most)
    if user is not None:
        query = query.where(table.c.user == user)
    if device is not None:
        query = query.where(table.c.device == device)
    return [letter_of(row) for row in connection.execute(query).all()]


def stuck(connection: Connection, route: str, after: float, upto: float, id: int, most: int) -> list[Letter]:
    """Mails of users that were made in that time and are still to go out, with their headers alone."""
    which = {"the_route": route, "after": after, "upto": upto, "the_id": id, "most": most}
    return [letter_of(row) for row in connection.execute(_HEADS, which).all()]
