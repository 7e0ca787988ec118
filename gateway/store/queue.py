"""Letters that wait to go out: putting them in, and taking them back before they went."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, text, update

from gateway.model import DeviceKey
from gateway.store.bulk import bulk
from gateway.store.letters import in_state
from gateway.store.rows import storable
from gateway.store.schema_sms import outbox as table
from gateway.store.spending import Till
from gateway.store.wanted import chosen, for_each, given_devices, locking
from gateway.trigger import Letter, LetterState

#: The conditions of the partial indexes.
QUEUED = in_state(LetterState.QUEUED)
KNOCK = QUEUED & table.c.recipients.is_(None)

_WAITING = locking(
    for_each(
        lambda wanted: select(
            table.c.id,
            table.c.user,
            table.c.device,
            table.c.route,
            table.c.day,
            table.c.cost,
            (table.c.content != b"").label("foreign"),
        ).select_from(
            wanted.keys.join(table, (table.c.user == wanted.text[0]) & (table.c.device == wanted.text[1]) & KNOCK)
        )
    ),
    table,
    table.c.id,
)
_END = bulk(
    update(table)
    .where(table.c.id == bindparam("the_id"))
    .values(state=bindparam("new_state"), result=bindparam("new_result"), at=bindparam("new_at")),
    *("new_state", "new_result", "new_at", "the_id"),
)
_PUT = bulk(insert(table), *(column.name for column in table.columns))
_SEQUENCE = text("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'")
_NUMBERS = select(func.nextval("outbox_id_seq")).select_from(func.generate_series(1, bindparam("count")))


def enqueue(
    connection: Connection, letters: Sequence[Letter], now: float, till: Till, counted: Sequence[tuple[int, float]] = ()
) -> list[int]:
    """Queue letters; their numbers. Triggers that wait for the same devices and routes are folded.

    C{counted} are the day and the price with which each letter was counted in C{till}; those of folded ones are
    taken back.
    """
    if not letters:
        return []
    last = {(one.key, one.route): place for place, one in enumerate(letters) if not one.recipients}
    rows = _waiting(connection, {key for key, _ in last})
    _end(connection, [row for row in rows if (DeviceKey(row.user, row.device), row.route) in last], _FOLDED, now, till)
    ids = _next_ids(connection, len(letters))
    made = []
    for place, (id, letter) in enumerate(zip(ids, letters, strict=True)):
        day, cost = counted[place] if counted else (0, 0.0)
        folded = last.get((letter.key, letter.route), place) != place and not letter.recipients
        if folded and day:
            till.add(day, letter.key, letter.route, cost, -1)
        made.append(_row(id, letter, _FOLDED if folded else letter.state.value, now, day, cost))
    _PUT.run(connection, made)
    return ids


_FOLDED = LetterState.FOLDED.value
_WITHDRAWN = LetterState.WITHDRAWN.value
_WORDS = {_FOLDED: "a newer trigger took its place"}


def withdraw(connection: Connection, key: DeviceKey, now: float, why: str, foreign: bool | None = None) -> int:
    """Take back the triggers that wait for a device; how many. With C{foreign}, only those of another server, or only
    our own."""
    till = Till()
    rows = [row for row in _waiting(connection, [key]) if foreign is None or row.foreign == foreign]
    _end(connection, rows, _WITHDRAWN, now, till, why)
    till.close(connection)
    return len(rows)


def _waiting(connection: Connection, keys: Iterable[DeviceKey]) -> list[Row[Any]]:
    return list(connection.execute(chosen(connection, _WAITING), given_devices(keys)).all())


def _end(connection: Connection, rows: Sequence[Row[Any]], state: str, now: float, till: Till, why: str = "") -> None:
    """They never went out: what was counted for them is taken back."""
    words = why or _WORDS.get(state, "")
    _END.run(connection, [(state, words, now, row.id) for row in rows])
    for row in rows:
        if row.day:
            till.add(row.day, DeviceKey(row.user, row.device), row.route, row.cost, -1)


def _next_ids(connection: Connection, count: int) -> list[int]:
    """Numbers for new letters, in order; so that many can be written at once and still be known."""
    if connection.dialect.name == "sqlite":
        last = connection.execute(_SEQUENCE).scalar_one_or_none() or 0
        return list(range(last + 1, last + 1 + count))
    return sorted(connection.execute(_NUMBERS, {"count": count}).scalars())


def _row(id: int, letter: Letter, state: str, now: float, day: int, cost: float) -> tuple[Any, ...]:
    """In the order of the columns."""
    return (
        id,
        letter.key.user,
        letter.key.device,
        letter.route,
        letter.number,
        letter.address,
        storable(letter.guid),
        letter.format,
        letter.content,
        letter.sender,
        json.dumps(letter.recipients) if letter.recipients else None,
        letter.created or now,
        letter.due,
        letter.expires,
        letter.attempts,
        letter.doubted,
        state,
        letter.message_id,
        letter.result,
        now,
        day,
        cost,
        int(bool(letter.guid) and not letter.content),
    )
