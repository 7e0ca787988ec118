"""Stores in memory for tests, made in a moment, and what comes of their calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from functools import cache
from sqlite3 import Connection, connect
from typing import Any

from sqlalchemy import Engine
from twisted.internet.defer import Deferred, execute
from twisted.python.failure import Failure

from gateway.store import Store, open_store
from gateway.store.database import Database


@cache
def _shared() -> tuple[Engine, Connection]:
    """One engine for all tests, so that each statement is compiled once, and a new database to begin again with."""
    engine = open_store("sqlite://", execute).database.engine
    pristine = connect(":memory:")
    with engine.connect() as made:
        made.connection.dbapi_connection.backup(pristine)  # type: ignore[union-attr]
    return engine, pristine


def new_store(seconds: Callable[[], float] = time.time) -> Store:
    """A new store in memory, whose calls are answered at once; the one before it is no more."""
    engine, pristine = _shared()
    with engine.connect() as connection:
        pristine.backup(connection.connection.dbapi_connection)  # type: ignore[arg-type]
    return Store(Database(engine, execute), seconds)


def result_of(work: Coroutine[Deferred[Any], Any, Any] | Deferred[Any]) -> Any:
    """What comes of it; it must come at once."""
    results: list[Any] = []
    done = work if isinstance(work, Deferred) else Deferred.fromCoroutine(work)
    done.addBoth(results.append)
    assert results, "no result yet"
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0]
