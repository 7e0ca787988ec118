"""One index for the hops of a user and of a device: most of what a hop costs is to keep its indexes."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Put the device into the index of the user."""
    op.drop_index("hop_device", "hop")
    op.drop_index("hop_user", "hop")
    op.create_index("hop_user", "hop", ["user", "id", "device"], unique=False)


def downgrade() -> None:
    """Have one for each."""
    op.drop_index("hop_user", "hop")
    op.create_index("hop_device", "hop", ["user", "device", "id"], unique=False)
    op.create_index("hop_user", "hop", ["user", "id"], unique=False)
