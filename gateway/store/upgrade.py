"""Running the migrations that a database lacks. To import this takes its time, as Alembic brings much with it."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def configuration(connection: Connection) -> Config:
    """Alembic's configuration for our migrations, to be used on a connection."""
    configuration = Config()
    place = str(Path(__file__).parent / "migrations")
    configuration.set_main_option("script_location", place.replace("%", "%%"))
    configuration.attributes["connection"] = connection
    return configuration


def upgrade(connection: Connection, current: str | None) -> bool:
    """Run the migrations after that version; C{False} if none of ours made it, and nothing was done."""
    configured = configuration(connection)
    if current is not None and current not in versions(configured):
        return False
    command.upgrade(configured, "head")
    return True


def versions(configured: Config) -> list[str]:
    """The versions that our migrations make, the newest first."""
    return [script.revision for script in ScriptDirectory.from_config(configured).walk_revisions()]
