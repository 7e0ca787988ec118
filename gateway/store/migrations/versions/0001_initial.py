"""The first tables."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables and the epoch, which tells the keys of this database from those of any other."""
    op.create_table(
        "device",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("first_seen", BIG, nullable=False),
        sa.Column("last_seen", BIG, nullable=False),
        sa.Column("last_sync", BIG, nullable=False),
        sa.Column("last_ping", BIG, nullable=False),
        sa.Column("heartbeat", sa.Integer(), nullable=True),
        sa.Column("folders", sa.JSON(), nullable=True),
        sa.Column("information", sa.JSON(), nullable=True),
        sa.Column("policy", sa.JSON(), nullable=True),
        sa.Column("wipe", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("device_pk")),
        sa.UniqueConstraint("user", "name", name=op.f("device_user_name_uq")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "folder",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("parent", BIG, nullable=False),
        sa.Column("type", sa.Integer(), nullable=False),
        sa.Column("head", BIG, nullable=False),
        sa.Column("compacted", BIG, nullable=False),
        sa.Column("listed", sa.Text(), nullable=False),
        sa.Column("removed", BIG, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("folder_pk")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "folder_hierarchy",
        "folder",
        ["user"],
        unique=True,
        sqlite_where=sa.text("path IS NULL"),
        postgresql_where=sa.text("path IS NULL"),
    )
    op.create_index(
        "folder_path",
        "folder",
        ["user", "path"],
        unique=True,
        sqlite_where=sa.text("removed IS NULL"),
        postgresql_where=sa.text("removed IS NULL"),
    )
    op.create_table(
        "intent",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("folder", BIG, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("letters_set", sa.Text(), nullable=False),
        sa.Column("letters_cleared", sa.Text(), nullable=False),
        sa.Column("to_folder", BIG, nullable=True),
        sa.Column("to_path", sa.Text(), nullable=False),
        sa.Column("to_name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("intent_pk")),
        sqlite_autoincrement=True,
    )
    op.create_index("intent_folder", "intent", ["folder"], unique=False)
    op.create_index("intent_to_folder", "intent", ["to_folder"], unique=False)
    op.create_table(
        "meta",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("meta_pk")),
    )
    op.create_table(
        "collection",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("device", BIG, nullable=False),
        sa.Column("folder", BIG, nullable=False),
        sa.Column("counter", BIG, nullable=False),
        sa.ForeignKeyConstraint(["device"], ["device.id"], name=op.f("collection_device_fk")),
        sa.ForeignKeyConstraint(["folder"], ["folder.id"], name=op.f("collection_folder_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("collection_pk")),
        sa.UniqueConstraint("device", "folder", name=op.f("collection_device_folder_uq")),
        sqlite_autoincrement=True,
    )
    op.create_index("collection_folder", "collection", ["folder"], unique=False)
    op.create_table(
        "item",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("folder", BIG, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("extra", sa.JSON(), nullable=True),
        sa.Column("received", BIG, nullable=False),
        sa.Column("number", BIG, nullable=False),
        sa.Column("added", BIG, nullable=False),
        sa.Column("removed", BIG, nullable=True),
        sa.Column("device", BIG, nullable=True),
        sa.Column("touched", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["folder"], ["folder.id"], name=op.f("item_folder_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("item_pk")),
        sqlite_autoincrement=True,
    )
    op.create_index("item_added", "item", ["folder", "added"], unique=True)
    op.create_index(
        "item_name",
        "item",
        ["folder", "name"],
        unique=True,
        sqlite_where=sa.text("removed IS NULL"),
        postgresql_where=sa.text("removed IS NULL"),
    )
    op.create_index("item_number", "item", ["folder", "number"], unique=True)
    op.create_index("item_received", "item", ["folder", "received", "id"], unique=False)
    op.create_index(
        "item_removed",
        "item",
        ["folder", "removed"],
        unique=False,
        sqlite_where=sa.text("removed IS NOT NULL"),
        postgresql_where=sa.text("removed IS NOT NULL"),
    )
    op.create_table(
        "sync_key",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("collection", BIG, nullable=False),
        sa.Column("counter", BIG, nullable=False),
        sa.Column("number", BIG, nullable=False),
        sa.Column("added", BIG, nullable=False),
        sa.Column("head", BIG, nullable=False),
        sa.Column("floor_received", BIG, nullable=False),
        sa.Column("floor_id", BIG, nullable=False),
        sa.Column("filling", sa.Boolean(), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["collection"], ["collection.id"], name=op.f("sync_key_collection_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("sync_key_pk")),
        sa.UniqueConstraint("collection", "counter", name=op.f("sync_key_collection_counter_uq")),
        sqlite_autoincrement=True,
    )
    meta = sa.table("meta", sa.column("name"), sa.column("value"))
    op.execute(meta.insert().values(name="epoch", value=secrets.token_hex(4)))


def downgrade() -> None:
    """Drop everything."""
    for name in ("intent", "sync_key", "collection", "device", "item", "folder", "meta"):
        op.drop_table(name)
