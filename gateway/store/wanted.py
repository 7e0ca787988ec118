"""Many keys of two parts in one statement, whatever their number: they go in as one parameter, a JSON list of pairs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from attrs import frozen
from sqlalchemy import BigInteger, ColumnElement, Connection, FromClause, Text, bindparam, cast, func, literal_column
from sqlalchemy.dialects.postgresql import JSONB

from gateway.model import DeviceKey

Statement = TypeVar("Statement")


@frozen
class Wanted:
    """A table with a row per pair, to be joined; the columns are text or whole numbers as the other side asks."""

    pairs: FromClause
    text: tuple[ColumnElement[Any], ColumnElement[Any]]
    number: tuple[ColumnElement[Any], ColumnElement[Any]]


def _sqlite() -> Wanted:
    pairs = func.json_each(bindparam("pairs", type_=Text)).table_valued("value", name="wanted")
    first, second = (func.json_extract(pairs.c.value, literal_column(f"'$[{place}]'")) for place in (0, 1))
    return Wanted(pairs, (first, second), (first, second))


def _postgresql() -> Wanted:
    given = cast(bindparam("pairs", type_=Text), JSONB)
    pairs = func.jsonb_array_elements(given).table_valued("value", name="wanted").render_derived()
    first, second = (pairs.c.value.op("->>")(place) for place in (0, 1))
    return Wanted(pairs, (first, second), (cast(first, BigInteger), cast(second, BigInteger)))


_WANTED = {"sqlite": _sqlite(), "postgresql": _postgresql()}


def for_each(build: Callable[[Wanted], Statement]) -> Mapping[str, Statement]:
    """A statement about many pairs for each database, by the name of the dialect."""
    return {dialect: build(wanted) for dialect, wanted in _WANTED.items()}


def chosen(connection: Connection, statements: Mapping[str, Statement]) -> Statement:
    """The statement for this database."""
    return statements[connection.dialect.name]


def pairs(values: Iterable[tuple[Any, Any]]) -> dict[str, str]:
    """The parameter of such a statement."""
    return {"pairs": json.dumps(list(values))}


def device_pairs(keys: Iterable[DeviceKey]) -> dict[str, str]:
    """The parameter of a statement about devices: users and names."""
    return pairs((key.user, key.device) for key in keys)
