"""Bringing the tables of a database up to this version of the gateway."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

# Any number will do, if nothing else in the database takes the same.
_LOCK = 7_208_641


class CannotOpen(Exception):
    """The database cannot be used; the message names it and says why."""


class NewerDatabase(CannotOpen):
    """The database was made by a newer version of the gateway."""


def configuration(connection: Connection) -> Config:
    """Alembic's configuration for our migrations, to be used on a connection."""
    configuration = Config()
    place = str(Path(__file__).parent / "migrations")
    configuration.set_main_option("script_location", place.replace("%", "%%"))
    configuration.attributes["connection"] = connection
    return configuration


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
        configured = configuration(connection)
        scripts = ScriptDirectory.from_config(configured)
        current = MigrationContext.configure(connection).get_current_revision()
        if current == scripts.get_current_head():
            return
        if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
            raise NewerDatabase(f"{name} has the version {current!r}, of a newer gateway: this one does not know it")
        command.upgrade(configured, "head")
