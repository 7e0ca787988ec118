"""Receipts and the letters that they are about, whichever comes first."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from attrs import evolve
from sqlalchemy import Connection, bindparam, delete, exists, literal_column, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.store.bulk import bulk
from gateway.store.letters import ID, LETTER_COLUMNS, MESSAGE_ID, RESULT, ROUTE, STATE, in_state, letter_of
from gateway.store.rows import chunks, storable
from gateway.store.schema_sms import outbox as table
from gateway.store.schema_sms import stray_receipt as stray
from gateway.store.wanted import chosen, for_each, given_keys
from gateway.trigger import Letter, LetterState, Receipt

#: Seconds that a receipt waits for its letter.
KEPT = 24 * 3600

_NUMBERED = table.c.message_id != literal_column("''")
_FOUND = for_each(
    lambda wanted: select(*LETTER_COLUMNS).select_from(
        wanted.keys.join(table, (table.c.route == wanted.text[0]) & (table.c.message_id == wanted.text[1]) & _NUMBERED)
    )
)
_SENT = LetterState.SENT.value
_APPLY = bulk(
    update(table)
    .where(table.c.id == bindparam("the_id"), in_state(LetterState.SENT))
    .values(state=bindparam("new_state"), result=bindparam("new_result"), at=bindparam("new_at")),
    *("new_state", "new_result", "new_at", "the_id"),
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
    receipts = [_cleaned(one) for one in receipts]
    known = _letters(connection, receipts)
    answers: list[Letter | None] = []
    applied: list[tuple[Any, ...]] = []
    strays: dict[tuple[str, str], dict[str, Any]] = {}
    for one in receipts:
        place = next((place for id in one.message_ids if (place := (one.route, id)) in known), None)
        if place is None:
            answers.append(None)
            _stray(strays, one, now)
            continue
        row = known[place]
        if row[STATE] == _SENT and (one.state.value != _SENT or one.result != row[RESULT]):
            row[STATE], row[RESULT] = one.state.value, one.result
            applied.append((one.state.value, one.result, one.at, row[ID]))
        answers.append(letter_of(row))
    _APPLY.run(connection, applied)
    if strays:
        connection.execute(_PRUNE, {"before": now - KEPT})
        connection.execute(_KEEP[connection.dialect.name], list(strays.values()))
    return answers


def _cleaned(receipt: Receipt) -> Receipt:
    """An SMSC may say anything."""
    result, ids = storable(receipt.result), tuple(storable(id) for id in receipt.message_ids)
    if (result, ids) == (receipt.result, receipt.message_ids):
        return receipt
    return evolve(receipt, result=result, message_ids=ids)


def _letters(connection: Connection, receipts: Sequence[Receipt]) -> dict[tuple[str, str], list[Any]]:
    """The rows of the letters that these may be about, by route and message id; of the newest, if an SMSC uses an id
    again."""
    places = {(one.route, id) for one in receipts for id in one.message_ids}
    rows = sorted(connection.execute(chosen(connection, _FOUND), given_keys(places)).all(), key=itemgetter(ID))
    return {(row[ROUTE], row[MESSAGE_ID]): list(row) for row in rows}


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
    rows: list[Any] = []
    for some in chunks(ids):
        rows += connection.execute(_EARLY, {"ids": list(some)}).all()
    if rows:
        _APPLY.run(connection, [(row.state, row.result, row.at, row.id) for row in rows])
        struck = {(other, row.route) for row in rows for other in row.others}
        connection.execute(_STRIKE, [{"the_message": id, "the_route": route} for id, route in sorted(struck)])
