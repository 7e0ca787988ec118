"""Which devices were let in, and what commands have decided of devices."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table and the column; devices that are known already count as let in."""
    op.add_column("device", sa.Column("admission", sa.JSON()))
    op.create_table(
        "device_access",
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("access", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("user", "device", name=op.f("device_access_pk")),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("device_access")
    op.drop_column("device", "admission")
