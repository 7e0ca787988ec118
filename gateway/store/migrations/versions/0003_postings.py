"""What devices have handed over to be sent."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "posting",
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("recipients", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("user", "device", "name", name=op.f("posting_pk")),
    )
    op.create_index("posting_at", "posting", ["at"], unique=False)
    op.create_index("posting_user", "posting", ["user", "at", "recipients"], unique=False)


def downgrade() -> None:
    """Drop it; what is sent again goes out again."""
    op.drop_table("posting")
