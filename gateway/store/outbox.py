"""What goes out: taken, settled, and never lost in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Text, bindparam, case, delete, exists, func, literal_column, select, true, update

from gateway.model import DeviceKey
from gateway.store.bulk import bulk
from gateway.store.letters import LEFT, LETTER_COLUMNS, in_state, letter_of, literal
from gateway.store.queue import KNOCK, QUEUED
from gateway.store.receipts import apply_strays
from gateway.store.rows import chunks, storable
from gateway.store.schema import device
from gateway.store.schema_sms import outbox as table
from gateway.store.schema_sms import wake
from gateway.store.spending import forget_spending
from gateway.store.trace import note
from gateway.trigger import DOUBTED_TWICE, Hop, Letter, LetterState, Outcome

_DOUBT = in_state(LetterState.DOUBT)
_OLDEST = (
    select(table.c.id)
    .where(QUEUED, table.c.route == bindparam("the_route"), table.c.due <= bindparam("now"))
    .order_by(table.c.due, table.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_TAKE = (
    update(table)
    .where(table.c.id.in_(_OLDEST))
    .values(state=LetterState.DOUBT.value, attempts=table.c.attempts + 1, at=bindparam("now"))
    .returning(*LETTER_COLUMNS)
)

# A receipt may have said more about a letter than the answer that comes now.
_OPEN = ~in_state(LetterState.DELIVERED) & ~in_state(LetterState.UNDELIVERED)
_HERE = table.c.id == bindparam("the_id")
_SAID: dict[str, Any] = {"result": bindparam("new_result"), "at": bindparam("new_at")}
_QUEUED_AGAIN = {"due": bindparam("new_due"), "state": literal(LetterState.QUEUED), **_SAID}
# It is sent a second time and not a third time: a device must not be woken, and paid for, more than once more.
_TWICE = case((table.c.doubted, literal(LetterState.FAILED)), else_=literal(LetterState.QUEUED))
_SETTLE = bulk(
    update(table)
    .where(_HERE, _OPEN)
    .values(
        content=LEFT,
        state=bindparam("new_state"),
        message_id=func.coalesce(bindparam("new_message_id"), table.c.message_id),
        **_SAID,
    ),
    *("new_state", "new_message_id", "new_result", "new_at", "the_id"),
)
_AGAIN = bulk(
    update(table).where(_HERE, _OPEN).values(**_QUEUED_AGAIN, attempts=table.c.attempts - bindparam("untried")),
    *("new_due", "untried", "new_result", "new_at", "the_id"),
)
_SAID_TWICE = case((table.c.doubted, literal_column(f"'{DOUBTED_TWICE}: '", Text)), else_=literal_column("''", Text))
_LOST = bulk(
    update(table)
    .where(_HERE, _DOUBT)
    .values(
        {
            **_QUEUED_AGAIN,
            "state": _TWICE,
            "result": _SAID_TWICE + bindparam("new_result", type_=Text),
            "doubted": true(),
        }
    ),
    *("new_due", "new_result", "new_at", "the_id"),
)
# Whether a mail of a user was being sent at all when the gateway was killed is not known: it may be killed often.
_MAIL = table.c.recipients.isnot(None)
_KILLED = f"{DOUBTED_TWICE}: the gateway was killed before the answer came"
_REOPEN = (
    update(table)
    .where(_DOUBT)
    .values(
        state=case((_MAIL, literal(LetterState.QUEUED)), else_=_TWICE),
        result=case((_MAIL | ~table.c.doubted, table.c.result), else_=literal_column(f"'{_KILLED}'")),
        doubted=case((_MAIL, table.c.doubted), else_=true()),
        # In the place where it was, before those that were never in doubt; unless the clock was set back.
        due=case((table.c.due > bindparam("now"), bindparam("now")), else_=table.c.due),
        at=bindparam("now"),
    )
    .returning(table.c.id, table.c.state, table.c.user, table.c.device)
)

# Of those that were queued again: a newer one waits, or the device has come meanwhile.
_BACK = (table.c.id.in_(bindparam("ids", expanding=True)), KNOCK)
_newer = table.alias("newer")
_OVERTAKEN = (
    update(table)
    .where(
        *_BACK,
        exists(
            select(_newer.c.id).where(
                _newer.c.user == table.c.user,
                _newer.c.device == table.c.device,
                _newer.c.state == literal(LetterState.QUEUED),
                _newer.c.recipients.is_(None),
                _newer.c.route == table.c.route,
                _newer.c.id > table.c.id,
            )
        ),
    )
    .values(state=LetterState.FOLDED.value, result="a newer trigger took its place")
)
_OBEYED = (
    update(table)
    .where(
        *_BACK,
        table.c.guid != "",
        table.c.content == b"",
        exists(
            select(wake.c.device)
            .join(device, device.c.id == wake.c.device)
            .where(device.c.user == table.c.user, device.c.name == table.c.device, wake.c.guid != table.c.guid)
        ),
    )
    .values(state=LetterState.WITHDRAWN.value, result="the device came before")
)

_NEXT = select(func.min(table.c.due)).where(QUEUED, table.c.route == bindparam("the_route"))
_WAITING = select(table.c.route, func.count(), func.min(table.c.created)).where(QUEUED).group_by(table.c.route)


def take(connection: Connection, route: str, now: float, most: int) -> list[Letter]:
    """The oldest letters of a route that are due, in doubt from now on."""
    rows = connection.execute(_TAKE, {"the_route": route, "now": now, "most": most}).all()
    return sorted((letter_of(row) for row in rows), key=lambda letter: (letter.due, letter.id))


def settle(connection: Connection, outcomes: Sequence[Outcome]) -> None:
    """Write down what became of letters, and what receipts that came early say of them."""
    waits = (LetterState.DOUBT, LetterState.QUEUED)
    lost, again = ([o for o in outcomes if o.state is state] for state in waits)
    _LOST.run(connection, [(o.due, storable(o.result), o.at, o.id) for o in lost])
    _AGAIN.run(connection, [(o.due, int(o.untried), storable(o.result), o.at, o.id) for o in again])
    _SETTLE.run(
        connection,
        [
            (o.state.value, storable(o.message_id) or None, storable(o.result), o.at, o.id)
            for o in outcomes
            if o.state not in waits
        ],
    )
    _sort_out(connection, [o.id for o in outcomes if o.state in waits])
    apply_strays(connection, [o.id for o in outcomes if o.message_id])


def _sort_out(connection: Connection, ids: Sequence[int]) -> None:
    for some in chunks(ids):
        for statement in (_OBEYED, _OVERTAKEN):
            connection.execute(statement, {"ids": list(some)})


def reopen(connection: Connection, now: float) -> tuple[int, int]:
    """Queue again what is in doubt, or give it up if that was so before, with a hop; how many of each."""
    rows = connection.execute(_REOPEN, {"now": now}).all()
    ids = [row.id for row in rows if row.state == LetterState.QUEUED.value]
    lost = [row for row in rows if row.state != LetterState.QUEUED.value]
    note(connection, [Hop(now, DeviceKey(row.user, row.device), "failed", _KILLED, letter=row.id) for row in lost])
    _sort_out(connection, ids)
    return len(ids), len(lost)


def next_due(connection: Connection, route: str) -> float | None:
    """When the next queued letter of a route is due."""
    found = connection.execute(_NEXT, {"the_route": route}).scalar_one()
    return None if found is None else float(found)


def waiting(connection: Connection) -> Mapping[str, tuple[int, float]]:
    """Per route how many are queued, and when the oldest was made."""
    return {route: (count, oldest) for route, count, oldest in connection.execute(_WAITING)}


# So many letters go at once; others can write in between.
PORTION = 5000
_FIRST_KEPT = (
    select(table.c.id)
    .where(table.c.created >= bindparam("before"), table.c.created <= bindparam("now"))
    .order_by(table.c.id)
    .limit(1)
)
_OVER = select(table.c.id).where(table.c.id < bindparam("the_id"), ~QUEUED, ~_DOUBT).order_by(table.c.id).limit(PORTION)
_FORGET = delete(table).where(table.c.id.in_(_OVER))


def forget(transaction: Callable[..., Any], before: float, now: float) -> int:
    """Delete letters whose life is over, and what was counted, before that time, in several transactions.

    The numbers of letters are in the order of their making, so only old ones are read; one from the future was made
    by a wrong clock and counts as old.
    """
    total = count = transaction(_forget_some, before, now)
    while count == PORTION:
        count = transaction(_forget_some, before, now)
        total += count
    transaction(forget_spending, int(before))
    return int(total)


def _forget_some(connection: Connection, before: float, now: float) -> int:
    kept = connection.execute(_FIRST_KEPT, {"before": before, "now": now}).scalar_one_or_none()
    if kept is None:
        kept = 1 + (connection.execute(select(func.max(table.c.id))).scalar_one() or 0)
    return connection.execute(_FORGET, {"the_id": kept}).rowcount
