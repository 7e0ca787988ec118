"""Receipts and the letters that they are about, whichever comes first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve
from sqlalchemy import Connection, Row, bindparam, delete, exists, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.store.letters import LETTER_COLUMNS, letter_of
from gateway.store.rows import chunks
from gateway.store.schema_sms import outbox as table
from gateway.store.schema_sms import stray_receipt as stray
from gateway.trigger import Letter, LetterState, Receipt

#: Seconds that a receipt waits for its letter.
KEPT = 24 * 3600

_FOUND = (
    select(*LETTER_COLUMNS)
    .where(
        table.c.message_id != "",
        table.c.message_id.in_(bindparam("ids", expanding=True)),
        table.c.route == bindparam("the_route"),
    )
    .order_by(table.c.id)
)
_SENT = LetterState.SENT.value
_APPLY = (
    update(table)
    .where(table.c.id == bindparam("the_id"), table.c.state == _SENT)
    .values(state=bindparam("new_state"), at=bindparam("new_at"), result=bindparam("new_result"))
)
_ANY = select(exists(select(stray.c.message_id)))
_EARLY = (
    select(table.c.id, table.c.route, stray.c.others, stray.c.state, stray.c.at, stray.c.result)
    .join(stray, (stray.c.message_id == table.c.message_id) & (stray.c.route == table.c.route))
    .where(table.c.id.in_(bindparam("ids", expanding=True)))
)
_STRIKE = delete(stray).where(stray.c.message_id == bindparam("the_message"), stray.c.route == bindparam("the_route"))
_PRUNE = delete(stray).where(stray.c.kept < bindparam("before"))


def _keeping(dialect: Any) -> Any:
    made = dialect.insert(stray)
    said = {name: made.excluded[name] for name in ("others", "state", "at", "result", "kept")}
    return made.on_conflict_do_update(index_elements=["message_id", "route"], set_=said, where=stray.c.state == _SENT)


_KEEP = {"sqlite": _keeping(sqlite), "postgresql": _keeping(postgresql)}


def receive(connection: Connection, receipts: Sequence[Receipt], now: float) -> list[Letter | None]:
    """Match receipts with letters, and keep what matches none yet."""
    known = _letters(connection, receipts)
    answers: list[Letter | None] = []
    rows: list[dict[str, Any]] = []
    strays: dict[tuple[str, str], dict[str, Any]] = {}
    for one in receipts:
        places = [(one.route, id) for id in one.message_ids]
        place = next((place for place in places if place in known), None)
        if place is None:
            answers.append(None)
            _stray(strays, one, now)
            continue
        letter = known[place]
        if letter.state is LetterState.SENT and (one.state is not letter.state or one.result != letter.result):
            rows.append(_row(letter.id, one.state.value, one.at, one.result))
            letter = known[place] = evolve(letter, state=one.state, result=one.result)
        answers.append(letter)
    if rows:
        connection.execute(_APPLY, rows)
    if strays:
        connection.execute(_PRUNE, {"before": now - KEPT})
        connection.execute(_KEEP[connection.dialect.name], list(strays.values()))
    return answers


def _letters(connection: Connection, receipts: Sequence[Receipt]) -> dict[tuple[str, str], Letter]:
    """The letters that these may be about, by route and message id; the newest, if an SMSC uses an id again."""
    wanted: dict[str, set[str]] = {}
    for one in receipts:
        wanted.setdefault(one.route, set()).update(one.message_ids)
    found = {}
    for route, ids in wanted.items():
        for some in chunks(sorted(ids)):
            for row in connection.execute(_FOUND, {"the_route": route, "ids": list(some)}):
                letter = letter_of(row)
                found[route, letter.message_id] = letter
    return found


def _row(id: int, state: str, at: float, result: str) -> dict[str, Any]:
    return {"the_id": id, "new_state": state, "new_at": at, "new_result": result}


def _stray(strays: dict[tuple[str, str], dict[str, Any]], receipt: Receipt, now: float) -> None:
    for id in receipt.message_ids:
        before = strays.get((receipt.route, id))
        if id and (before is None or before["state"] == _SENT):
            strays[receipt.route, id] = {
                "message_id": id,
                "route": receipt.route,
                "others": list(receipt.message_ids),
                "state": receipt.state.value,
                "at": receipt.at,
                "result": receipt.result,
                "kept": now,
            }


def apply_strays(connection: Connection, ids: Sequence[int]) -> None:
    """These letters have their message ids now: apply what came before."""
    if not ids or not connection.execute(_ANY).scalar_one():
        return
    rows: list[Row[Any]] = []
    for some in chunks(ids):
        rows += connection.execute(_EARLY, {"ids": list(some)})
    if rows:
        connection.execute(_APPLY, [_row(row.id, row.state, row.at, row.result) for row in rows])
        struck = {(other, row.route) for row in rows for other in row.others}
        connection.execute(_STRIKE, [{"the_message": id, "the_route": route} for id, route in sorted(struck)])
