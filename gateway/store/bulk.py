"""Statements for very many rows: made by SQLAlchemy once, and then given to the driver as they are.

SQLAlchemy looks at each value of each row, which takes more time than the database needs for it; here it is said once
what the columns are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, Delete, Insert, Update
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

Statement = Insert | Update | Delete

_DIALECTS = {
    "sqlite": SQLiteDialect_pysqlite(paramstyle="qmark"),
    "postgresql": PGDialect_psycopg(paramstyle="format"),
}


@frozen
class Bulk:
    """A statement as each driver takes it, by the name of the dialect."""

    texts: Mapping[str, str]

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Execute it for each row, if there are any; the values as the driver takes them, JSON as text."""
        if rows:
            connection.exec_driver_sql(self.texts[connection.dialect.name], list(rows))


def bulk(statements: Statement | Mapping[str, Statement], *names: str) -> Bulk:
    """Prepare a statement, or one for each dialect, for rows of the parameters of these names.

    @raise ValueError: it has other parameters, or has them in another order.
    """
    if not isinstance(statements, Mapping):
        statements = dict.fromkeys(_DIALECTS, statements)
    texts = {}
    for name, statement in statements.items():
        columns = list(names) if isinstance(statement, Insert) else None
        made = statement.compile(dialect=_DIALECTS[name], column_keys=columns)
        if tuple(made.positiontup or ()) != names:
            raise ValueError(f"{made} takes {made.positiontup}")
        texts[name] = str(made)
    return Bulk(texts)
