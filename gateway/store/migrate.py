"""Bringing the tables of a database up to this version of the gateway."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import DBAPIError

# Any number will do, if nothing else in the database takes the same.
_LOCK = 7_208_641


class CannotOpen(Exception):
    """The database cannot be used; the message names it and says why."""


class NewerDatabase(CannotOpen):
    """The database was made by a newer version of the gateway."""


def migrate(engine: Engine) -> None:
    """Run the migrations that are missing, all in one transaction.

    @raise NewerDatabase: there are some that this version does not know. @raise CannotOpen: it does not answer, or is
        no database.
    """
    name = engine.url.database if engine.dialect.name == "sqlite" else engine.url.render_as_string()
    try:
        _migrate(engine, name or "the database in memory")
    except DBAPIError as error:
        raise CannotOpen(f"the database {name} cannot be used: {error.orig}") from error


def _migrate(engine: Engine, name: str) -> None:
    with engine.execution_options(sqlite_begin="IMMEDIATE").begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        current = _version(connection)
        if current == newest():
            return
        # Most starts do without Alembic, and so without the time and the memory that it takes.
        from gateway.store.upgrade import upgrade

        if not upgrade(connection, current):
            raise NewerDatabase(f"{name} has the version {current!r}, of a newer gateway: this one does not know it")


def newest() -> str:
    """The version that the newest migration makes: the files of migrations begin with their versions, which ascend."""
    return max(file.name.partition("_")[0] for file in (Path(__file__).parent / "migrations" / "versions").glob("*.py"))


def _version(connection: Connection) -> str | None:
    """The version of a database; C{None} if it is new."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()
    return None if version is None else str(version)
