"""Many keys of several parts in one statement, whatever their number: as one parameter, a JSON list of lists.

Such a statement must not ask SQLite for an order: it would read the other table in that order, from end to end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from attrs import frozen
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
)
from sqlalchemy.dialects.postgresql import JSONB

from gateway.model import DeviceKey

Statement = TypeVar("Statement")
Locking = Mapping[str, Select[Any]]


@frozen
class Wanted:
    """A table with a row per key, to be joined; its parts as text or as whole numbers, as the other side asks."""

    keys: FromClause
    text: tuple[ColumnElement[Any], ...]
    number: tuple[ColumnElement[Any], ...]


def _sqlite() -> Wanted:
    keys = func.json_each(bindparam("keys", type_=Text)).table_valued("value", name="wanted")
    parts = tuple(func.json_extract(keys.c.value, literal_column(f"'$[{place}]'")) for place in range(3))
    return Wanted(keys, parts, parts)


def _postgresql() -> Wanted:
    given = cast(bindparam("keys", type_=Text), JSONB)
    keys = func.jsonb_array_elements(given).table_valued("value", name="wanted").render_derived()
    parts = tuple(keys.c.value.op("->>")(place) for place in range(3))
    return Wanted(keys, parts, tuple(cast(part, BigInteger) for part in parts))


_WANTED = {"sqlite": _sqlite(), "postgresql": _postgresql()}


def for_each(build: Callable[[Wanted], Statement]) -> Mapping[str, Statement]:
    """A statement about many keys for each database, by the name of the dialect."""
    return {dialect: build(wanted) for dialect, wanted in _WANTED.items()}


def locking(statements: Mapping[str, Select[Any]], table: FromClause, *order: ColumnElement[Any]) -> Locking:
    """The same with the rows of C{table} locked until the commit, in that order; on SQLite a writer is alone."""
    locked = statements["postgresql"].order_by(*order).with_for_update(of=table)
    return {**statements, "postgresql": locked}


def chosen(connection: Connection, statements: Mapping[str, Statement]) -> Statement:
    """The statement for this database."""
    return statements[connection.dialect.name]


def given_keys(values: Iterable[tuple[Any, ...]]) -> dict[str, str]:
    """The parameter of such a statement."""
    return {"keys": json.dumps(list(values))}


def given_devices(devices: Iterable[DeviceKey]) -> dict[str, str]:
    """The parameter of a statement about devices: users and names."""
    return given_keys((one.user, one.device) for one in devices)
