"""Bringing the tables of a database up to this version of the gateway."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

# Any number will do, if nothing else in the database takes the same.
_LOCK = 7_208_641


class NewerDatabase(Exception):
    """The database was made by a newer version of the gateway."""


def configuration(connection: Connection) -> Config:
    """Alembic's configuration for our migrations, to be used on a connection."""
    configuration = Config()
    place = str(Path(__file__).parent / "migrations")
    configuration.set_main_option("script_location", place.replace("%", "%%"))
    configuration.attributes["connection"] = connection
    return configuration


def migrate(engine: Engine) -> None:
    """Run the migrations that are missing, all in one transaction; raises L{NewerDatabase}."""
    with engine.execution_options(sqlite_begin="IMMEDIATE").begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        configured = configuration(connection)
        scripts = ScriptDirectory.from_config(configured)
        current = MigrationContext.configure(connection).get_current_revision()
        if current == scripts.get_current_head():
            return
        if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
            raise NewerDatabase(f"the database has the version {current!r}, which this gateway does not know")
        command.upgrade(configured, "head")
