"""Lines, triggers, what goes out, and the trace."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "hop",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("folder", BIG, nullable=False),
        sa.Column("number", BIG, nullable=False),
        sa.Column("letter", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("hop_pk")),
        sqlite_autoincrement=True,
    )
    op.create_index("hop_device", "hop", ["user", "device", "id"], unique=False)
    op.create_index("hop_user", "hop", ["user", "id"], unique=False)
    op.create_table(
        "mode_override",
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("user", "device", name=op.f("mode_override_pk")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("guid", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("recipients", sa.JSON(), nullable=True),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("due", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("doubted", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("day", BIG, nullable=False),
        sa.Column("cost", sa.Double(), nullable=False),
        sa.Column("watched", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("outbox_pk")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "outbox_delivered",
        "outbox",
        ["at"],
        unique=False,
        sqlite_where=sa.text("state = 'delivered' AND watched = 1"),
        postgresql_where=sa.text("state = 'delivered' AND watched = 1"),
    )
    op.create_index(
        "outbox_doubt",
        "outbox",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'in doubt'"),
        postgresql_where=sa.text("state = 'in doubt'"),
    )
    op.create_index(
        "outbox_due",
        "outbox",
        ["route", "due", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "outbox_knock",
        "outbox",
        ["user", "device"],
        unique=False,
        sqlite_where=sa.text("state = 'queued' AND recipients IS NULL"),
        postgresql_where=sa.text("state = 'queued' AND recipients IS NULL"),
    )
    op.create_index(
        "outbox_message",
        "outbox",
        ["message_id", "route"],
        unique=False,
        sqlite_where=sa.text("message_id != ''"),
        postgresql_where=sa.text("message_id != ''"),
    )
    op.create_index("outbox_user", "outbox", ["user", "id", "device"], unique=False)
    op.create_table(
        "spending",
        sa.Column("day", BIG, autoincrement=False, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("count", BIG, nullable=False),
        sa.Column("cost", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("day", "scope", "name", name=op.f("spending_pk")),
    )
    op.create_table(
        "stray_receipt",
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("others", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("kept", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "route", name=op.f("stray_receipt_pk")),
    )
    op.create_index("stray_receipt_kept", "stray_receipt", ["kept"], unique=False)
    op.create_table(
        "line",
        sa.Column("device", BIG, autoincrement=False, nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("since", BIG, nullable=False),
        sa.Column("expires", BIG, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["device"], ["device.id"], name=op.f("line_device_fk")),
        sa.PrimaryKeyConstraint("device", name=op.f("line_pk")),
    )
    op.create_index("line_number", "line", ["number"], unique=False)
    op.create_table(
        "wake",
        sa.Column("device", BIG, autoincrement=False, nullable=False),
        sa.Column("guid", sa.Text(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("until", BIG, nullable=False),
        sa.Column("numbers", sa.JSON(), nullable=False),
        sa.Column("pending", sa.Boolean(), nullable=False),
        sa.Column("due", BIG, nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("young", sa.Integer(), nullable=False),
        sa.Column("parked", BIG, nullable=False),
        sa.Column("outside", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["device"], ["device.id"], name=op.f("wake_device_fk")),
        sa.PrimaryKeyConstraint("device", name=op.f("wake_pk")),
    )
    op.create_index(
        "wake_due", "wake", ["due"], unique=False, sqlite_where=sa.text("due > 0"), postgresql_where=sa.text("due > 0")
    )


def downgrade() -> None:
    """Drop them."""
    for name in ("line", "wake", "outbox", "stray_receipt", "hop", "mode_override", "spending"):
        op.drop_table(name)
