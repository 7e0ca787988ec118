"""Who is away, and recovery passwords of devices."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables and the column."""
    op.create_table(
        "absence",
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("away", sa.Integer(), nullable=False),
        sa.Column("start", BIG, nullable=False),
        sa.Column("end", BIG, nullable=False),
        sa.Column("replies", sa.JSON(), nullable=False),
        sa.Column("period", BIG, nullable=False),
        sa.Column("answers", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("user", name=op.f("absence_pk")),
    )
    op.create_table(
        "answered",
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user", "sender", name=op.f("answered_pk")),
    )
    op.add_column("device", sa.Column("recovery", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("device", "recovery")
    op.drop_table("answered")
    op.drop_table("absence")
