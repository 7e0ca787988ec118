"""The statements of the store on the bare SQLite connection.

A rehearsal makes millions of small statements, always the same few dozen. What SQLAlchemy does for each execution anew
is done once for each statement here: the SQL is rendered by SQLAlchemy, the values are converted by the types of the
columns, and the rows are named tuples. Statements that are made on the spot go the ordinary way, on the same
connection and in the same transaction. So a rehearsal runs the store's own code and SQL, only faster; a test sees to
it that nothing but the time is different.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from attrs import define, field, frozen
from sqlalchemy import Connection, Dialect, Executable, TextClause
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect

from gateway.rehearsal.deferreds import at_once
from gateway.store.database import Database, make_engine
from gateway.store.migrate import migrate

P = ParamSpec("P")
T = TypeVar("T")
Values = Mapping[str, Any]
Convert = Callable[[Any], Any]

#: So many statements seen once are remembered until they come again.
CANDIDATES = 200


def _row_type(names: Sequence[str]) -> Any:
    return namedtuple("Row", names, rename=True)


@frozen
class Rows:
    """What a statement returned: the part of L{sqlalchemy.Result} that the store uses."""

    rows: list[Any]
    rowcount: int = -1

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def all(self) -> list[Any]:
        """The rows."""
        return self.rows

    def one(self) -> Any:
        """The only row."""
        (row,) = self.rows
        return row

    def one_or_none(self) -> Any:
        """The only row, or C{None} if there is none."""
        return self.one() if self.rows else None

    def first(self) -> Any:
        """The first row, or C{None} if there is none."""
        return self.rows[0] if self.rows else None

    def scalars(self) -> Iterator[Any]:
        """The first column."""
        return (row[0] for row in self.rows)

    def scalar_one(self) -> Any:
        """The only value."""
        return self.one()[0]

    def scalar_one_or_none(self) -> Any:
        """The only value, or C{None} if there is no row."""
        return self.one()[0] if self.rows else None


@define(eq=False)
class Prepared:
    """One statement, rendered for one set of values' names."""

    statement: Any
    dialect: Dialect
    names: Sequence[str]
    compiled: Any = field(init=False)
    row: Any = field(init=False, default=None)
    into: list[tuple[str, Convert]] = field(init=False)
    out: list[tuple[int, Convert]] = field(init=False, factory=list)
    text: str = field(init=False)
    fixed: dict[str, Any] = field(init=False)
    lists: list[str] = field(init=False)
    _texts: dict[tuple[int, ...], tuple[str, list[list[str]]]] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        writes = self.statement.is_dml
        self.compiled = self.statement.compile(dialect=self.dialect, column_keys=list(self.names) if writes else None)
        self.text = str(self.compiled)
        binds = self.compiled.binds
        converters = {
            name: bind.type.dialect_impl(self.dialect).bind_processor(self.dialect) for name, bind in binds.items()
        }
        self.into = [(name, convert) for name, convert in converters.items() if convert is not None]
        self.lists = [name for name, bind in binds.items() if bind.expanding]
        self.fixed = {name: bind.effective_value for name, bind in binds.items() if name not in self.names}
        columns = self._columns()
        if columns:
            self.row = _row_type([column["name"] for column in columns])
        for place, column in enumerate(columns):
            convert = column["type"].dialect_impl(self.dialect).result_processor(self.dialect, None)
            if convert is not None:
                self.out.append((place, convert))

    def _columns(self) -> Sequence[Any]:
        if isinstance(self.statement, TextClause):
            return ()
        return cast(
            Sequence[Any],
            self.statement.returning_column_descriptions
            if self.statement.is_dml
            else self.statement.column_descriptions,
        )

    def bound(self, values: Values) -> tuple[str, dict[str, Any]]:
        """The SQL and its parameters for these values."""
        given = {**self.fixed, **values}
        for name, convert in self.into:
            given[name] = convert(given[name])
        if not self.lists:
            return self.text, given
        if any(given[name] and isinstance(given[name][0], tuple) for name in self.lists):
            state = self.compiled.construct_expanded_state(given)
            return state.statement, {**given, **state.parameters}
        sizes = tuple(len(given[name]) for name in self.lists)
        if sizes not in self._texts:
            state = self.compiled.construct_expanded_state(given)
            self._texts[sizes] = state.statement, [state.parameter_expansion[name] for name in self.lists]
        text, expansions = self._texts[sizes]
        for name, expansion in zip(self.lists, expansions, strict=True):
            given.update(zip(expansion, given.pop(name), strict=False))
        return text, given

    def rows(self, found: list[tuple[Any, ...]]) -> list[Any]:
        """Rows as the store wants them."""
        if self.row is None or not found:
            return list(found)
        if not self.out:
            return [self.row._make(row) for row in found]
        made = []
        for row in found:
            values = list(row)
            for place, convert in self.out:
                values[place] = convert(values[place])
            made.append(self.row._make(values))
        return made


@define(eq=False)
class QuickConnection:
    """Stands in for L{sqlalchemy.Connection} where the store executes its statements."""

    ordinary: Connection
    dialect: Dialect = field(init=False)
    _cursor: Any = field(init=False)
    _named: Dialect = field(init=False)
    _prepared: dict[tuple[Executable, tuple[str, ...]], Prepared] = field(init=False, factory=dict)
    _once: dict[Executable, None] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.dialect = self.ordinary.dialect
        self._named = sqlite_dialect(paramstyle="named")
        self._cursor = cast(Any, self.ordinary.connection.dbapi_connection).cursor()

    def execute(self, statement: Any, values: Values | Sequence[Values] | None = None) -> Any:
        """Execute a statement, once or for each of several sets of values."""
        many = values is not None and not isinstance(values, Mapping)
        if many and not values:
            raise ValueError("no values to execute a statement with")
        first = cast(Sequence[Values], values)[0] if many else cast(Values, values or {})
        prepared = self._prepare(statement, tuple(first))
        if prepared is None:
            return self.ordinary.execute(statement, cast(Any, values))
        if not many:
            text, given = prepared.bound(first)
            self._cursor.execute(text, given)
        elif prepared.row is None:
            bound = [prepared.bound(one) for one in cast(Sequence[Values], values)]
            self._cursor.executemany(bound[0][0], [given for _, given in bound])
        else:
            return self.ordinary.execute(statement, cast(Any, values))
        return Rows(prepared.rows(self._cursor.fetchall()), self._cursor.rowcount)

    def exec_driver_sql(self, statement: str, values: Sequence[Any] | None = None) -> None:
        """Execute what the driver takes as it is; a list of values is for as many executions."""
        if isinstance(values, list):
            self._cursor.executemany(statement, values)
        else:
            self._cursor.execute(statement, values or ())

    def _prepare(self, statement: Any, names: tuple[str, ...]) -> Prepared | None:
        """How to execute a statement quickly, if it has come before."""
        prepared = self._prepared.get((statement, names))
        if prepared is not None:
            return prepared
        if statement not in self._once:
            self._once[statement] = None
            if len(self._once) > CANDIDATES:
                del self._once[next(iter(self._once))]
            return None
        prepared = self._prepared[statement, names] = Prepared(statement, self._named, names)
        return prepared


@define(eq=False)
class QuickDatabase(Database):
    """A database in memory whose work is one long transaction; nothing of it is ever rolled back or kept.

    C{trouble}: what went wrong, even if whoever asked for the work puts up with that.
    """

    trouble: Exception | None = field(init=False, default=None)
    _open: QuickConnection | None = field(init=False, default=None)

    def _connection(self) -> Connection:
        if self._open is None:
            self._open = QuickConnection(self.engine.connect())
        return cast(Connection, self._open)

    def reading(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See L{Database}."""
        return self.writing(False, work, *args, **kwargs)

    def writing(
        self, durable: bool, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """See L{Database}."""
        try:
            return work(self._connection(), *args, **kwargs)
        except Exception as error:
            self.trouble = error
            raise

    def close(self) -> None:
        """See L{Database}."""
        if self._open is not None:
            self._open.ordinary.close()
        super().close()


def memory() -> QuickDatabase:
    """A new database in memory, with all tables, whose work is done at once."""
    engine = make_engine("sqlite://")
    migrate(engine)
    return QuickDatabase(engine, at_once)
