"""Connections, transactions and how durable they are, for SQLite and PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import RLock
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from attrs import define, field
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import StaticPool
from twisted.internet.defer import Deferred

from gateway.interfaces import BackendDown
from gateway.store.journal import Journal

P = ParamSpec("P")
T = TypeVar("T")

BUSY_SECONDS = 10


class Run(Protocol):
    """How work that waits for the database is run: C{partial(deferToThreadPool, reactor, pool)}, or in tests
    L{twisted.internet.defer.execute}."""

    def __call__(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> Deferred[T]:
        """Call C{work} and return a Deferred of what it returns."""


def make_engine(url: str | URL, connections: int = 10) -> Engine:
    """An engine for C{sqlite:///path}, C{sqlite://} (in memory, for tests) or C{postgresql+psycopg://...}.

    C{connections} is the largest number open at once: at least the number of threads that use the store.
    """
    url = make_url(url)
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, connections)
    return create_engine(url, pool_size=connections, max_overflow=0, pool_pre_ping=True)


def _sqlite(url: URL, connections: int) -> Engine:
    arguments = {"check_same_thread": False, "timeout": BUSY_SECONDS}
    if url.database in (None, "", ":memory:"):
        engine = create_engine(url, connect_args=arguments, poolclass=StaticPool)
    else:
        # It names mails and devices; what SQLite makes beside it has the mode of this file.
        os.close(os.open(url.database or "", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        engine = create_engine(url, connect_args=arguments, pool_size=connections, max_overflow=0)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, record: Any) -> None:
    """Set up a new SQLite connection."""
    # The sqlite3 module must not begin transactions by itself: it would begin them too late, and never IMMEDIATE.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")


@define(eq=False)
class Database:
    """Transactions on one engine, run where C{run} runs them.

    SQLite takes one writer at a time: a lock in this process queues ours, so that they never spin, and the busy
    time-out is left for other processes. Connection trouble becomes L{BackendDown}.
    """

    engine: Engine
    run: Run
    journal: Journal | None = field(init=False)
    _writer: RLock = field(factory=RLock, init=False)
    _readers: Engine = field(init=False)
    _writers: Engine = field(init=False)

    def __attrs_post_init__(self) -> None:
        if self.sqlite:
            self._readers = self.engine
            self._writers = self.engine.execution_options(sqlite_begin="IMMEDIATE")
        else:
            # All statements of a look see one state; the writers lock the rows of their folders instead.
            self._readers = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            self._writers = self.engine.execution_options(isolation_level="READ COMMITTED")

    @journal.default
    def _find_journal(self) -> Journal | None:
        url = self.engine.url
        in_a_file = self.sqlite and url.database not in (None, "", ":memory:")
        return Journal(Path(str(url.database))) if in_a_file else None

    @property
    def sqlite(self) -> bool:
        """Whether this is SQLite (else PostgreSQL)."""
        return self.engine.dialect.name == "sqlite"

    def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Run C{work(connection, ...)} in a transaction that sees one state of the database and changes nothing."""
        return self.run(self.reading, work, *args, **kwargs)

    def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Run C{work(connection, ...)} in a transaction whose commit a loss of power (not of the process) may undo."""
        return self.run(self.writing, False, work, *args, **kwargs)

    def write_durably(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Deferred[T]:
        """Run C{work(connection, ...)} in a transaction that is on the disk when it is committed."""
        return self.run(self.writing, True, work, *args, **kwargs)

    def reading(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As L{read}, in this thread."""
        # The one connection of a database in memory is nobody's while another thread is using it.
        alone = isinstance(self.engine.pool, StaticPool)
        with self._writer if alone else nullcontext(), _trouble(), self._readers.begin() as connection:
            return work(connection, *args, **kwargs)

    def writing(
        self, durable: bool, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As L{write} or L{write_durably}, in this thread."""
        with self._writer if self.sqlite else nullcontext(), _trouble(), self._writers.begin() as connection:
            if not durable and not self.sqlite:
                connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
            result = work(connection, *args, **kwargs)
        if durable and self.journal is not None:
            with _trouble():
                self.journal.settle()
        return result

    def close(self) -> None:
        """Close all connections that are not in use."""
        self.engine.dispose()


@contextmanager
def _trouble() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout, OSError) as error:
        raise BackendDown(f"the database: {error}") from error


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    """The statements sent while the block runs, BEGIN and COMMIT left out."""
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)
