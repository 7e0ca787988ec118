"""How far ids were given, so that none is given twice when a database is lost, or an older copy takes its place.

Commands such as MoveItems name mails and folders by their ids and nothing else. A device that has not yet noticed that
the database is another one would mean a mail that it has seen, and hit one that it has not. Therefore the ids are
noted beside the database, and one that knows less goes on behind them.
"""

from __future__ import annotations

from attrs import frozen
from sqlalchemy import Connection, text, update

from gateway.store.schema import collection

#: What was given since the last note is less than this: ids of folders and of items, and keys of one collection.
FOLDERS, ITEMS, KEYS = 1_000, 1_000_000, 1_000_000

_SQLITE = text("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = :name")
_POSTGRESQL = {
    name: text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {name}_id_seq")  # noqa: S608
    for name in ("folder", "item")
}


@frozen
class Marks:
    """The last id that a folder got, and the last that an item got; 0 if there was none."""

    folder: int = 0
    item: int = 0


def marks(connection: Connection) -> Marks:
    """How far the ids of this database are."""
    return Marks(_last(connection, "folder"), _last(connection, "item"))


def go_on(connection: Connection, past: Marks) -> bool:
    """Go on behind ids that were given in the past, and behind the keys; whether there was anything to be done.

    Keys that are kept stay valid: what a device was told up to the time of an older copy is what this knows.
    """
    now = marks(connection)
    if now.folder >= past.folder and now.item >= past.item:
        return False
    _set(connection, "folder", max(now.folder, past.folder) + FOLDERS)
    _set(connection, "item", max(now.item, past.item) + ITEMS)
    connection.execute(update(collection).values(counter=collection.c.counter + KEYS))
    return True


def _last(connection: Connection, name: str) -> int:
    if connection.dialect.name == "sqlite":
        return int(connection.execute(_SQLITE, {"name": name}).scalar_one())
    return int(connection.execute(_POSTGRESQL[name]).scalar_one())


def _set(connection: Connection, name: str, last: int) -> None:
    given = {"name": name, "last": last}
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)"), given)
        return
    # The table has no key: an id that was never given has no row.
    connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), given)
    connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"), given)
