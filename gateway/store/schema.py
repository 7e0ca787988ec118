"""The tables of the store; C{migrations/} makes them, and a test sees that the two agree."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "uq": "%(table_name)s_%(column_0_N_name)s_uq",
        "fk": "%(table_name)s_%(column_0_name)s_fk",
    }
)

# SQLite numbers rows by itself only in a column declared as INTEGER, which holds 64 bits there.
Big = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON(none_as_null=True)

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# A row without a path is the hierarchy of its user: a folder whose items are the user's folders. Ids are never
# given twice (AUTOINCREMENT); a removed folder stays as a dead row until the next compaction.
folder = Table(
    "folder",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("user", Text, nullable=False),
    Column("path", Text),
    Column("name", Text, nullable=False),
    Column("parent", Big, nullable=False),
    Column("type", Integer, nullable=False),
    Column("head", Big, nullable=False),
    Column("compacted", Big, nullable=False),
    Column("listed", Text, nullable=False),
    Column("removed", Big),
    sqlite_autoincrement=True,
)
Index(
    "folder_path",
    folder.c.user,
    folder.c.path,
    unique=True,
    sqlite_where=folder.c.removed.is_(None),
    postgresql_where=folder.c.removed.is_(None),
)
Index(
    "folder_hierarchy",
    folder.c.user,
    unique=True,
    sqlite_where=folder.c.path.is_(None),
    postgresql_where=folder.c.path.is_(None),
)

# One row per item, moved up to a new number at each change. `added` is the number it came with, `removed` the time
# it went, `device` the device that made the last change and holds its result, `touched` which letter of the
# state or key of `extra` was changed last at which number by which device: {"S": [17, 3]}.
item = Table(
    "item",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("folder", Big, ForeignKey("folder.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("extra", Json),
    Column("received", Big, nullable=False),
    Column("number", Big, nullable=False),
    Column("added", Big, nullable=False),
    Column("removed", Big),
    Column("device", Big),
    Column("touched", Json),
    sqlite_autoincrement=True,
)
Index(
    "item_name",
    item.c.folder,
    item.c.name,
    unique=True,
    sqlite_where=item.c.removed.is_(None),
    postgresql_where=item.c.removed.is_(None),
)
Index("item_number", item.c.folder, item.c.number, unique=True)
Index("item_added", item.c.folder, item.c.added, unique=True)
Index("item_received", item.c.folder, item.c.received, item.c.id)
Index(
    "item_removed",
    item.c.folder,
    item.c.removed,
    sqlite_where=item.c.removed.isnot(None),
    postgresql_where=item.c.removed.isnot(None),
)

# A forgotten device keeps its row (not `known`) and its counters, so that its old keys never come to life again.
device = Table(
    "device",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("user", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("known", Boolean, nullable=False),
    Column("type", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("first_seen", Big, nullable=False),
    Column("last_seen", Big, nullable=False),
    Column("last_sync", Big, nullable=False),
    Column("last_ping", Big, nullable=False),
    Column("heartbeat", Integer),
    Column("folders", Json),
    Column("information", Json),
    Column("policy", Json),
    Column("wipe", Json),
    Column("recovery", Text),
    Column("admission", Json),
    UniqueConstraint("user", "name"),
    sqlite_autoincrement=True,
)

# Devices by their names: a decision outlives the partnership, and may be there before it.
device_access = Table(
    "device_access",
    metadata,
    Column("user", Text, primary_key=True),
    Column("device", Text, primary_key=True),
    Column("access", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Big, nullable=False),
)

# What a device and a folder have with each other: the counter of the last key made, which never goes back.
collection = Table(
    "collection",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("device", Big, ForeignKey("device.id"), nullable=False),
    Column("folder", Big, ForeignKey("folder.id"), nullable=False),
    Column("counter", Big, nullable=False),
    UniqueConstraint("device", "folder"),
    sqlite_autoincrement=True,
)
Index("collection_folder", collection.c.folder)

# The newest key of a collection and the one before it; gateway.store.keys says what the columns mean.
sync_key = Table(
    "sync_key",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("collection", Big, ForeignKey("collection.id"), nullable=False),
    Column("counter", Big, nullable=False),
    Column("number", Big, nullable=False),
    Column("added", Big, nullable=False),
    Column("head", Big, nullable=False),
    Column("floor_received", Big, nullable=False),
    Column("floor_id", Big, nullable=False),
    Column("filling", Boolean, nullable=False),
    Column("given", Boolean, nullable=False),
    Column("options", Json, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("answer", Json, nullable=False),
    UniqueConstraint("collection", "counter"),
    sqlite_autoincrement=True,
)

# What the source has still to do to its files; `folder` and `to_folder` are ids, `path` and `to_path` their paths. What
# it has to do to a folder is an intent of the hierarchy.
intent = Table(
    "intent",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("user", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("folder", Big, nullable=False),
    Column("path", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("letters_set", Text, nullable=False),
    Column("letters_cleared", Text, nullable=False),
    Column("to_folder", Big),
    Column("to_path", Text, nullable=False),
    Column("to_name", Text, nullable=False),
    sqlite_autoincrement=True,
)
Index("intent_folder", intent.c.folder)
Index("intent_to_folder", intent.c.to_folder)
