"""Conversations that always go to a folder."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "diversion",
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("conversation", sa.LargeBinary(), nullable=False),
        sa.Column("folder", BIG, nullable=False),
        sa.Column("since", BIG, nullable=False),
        sa.PrimaryKeyConstraint("user", "conversation", name=op.f("diversion_pk")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("diversion")
