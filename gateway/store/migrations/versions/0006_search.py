"""The index of mails."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "search_cursor",
        sa.Column("folder", BIG, autoincrement=False, nullable=False),
        sa.Column("number", BIG, nullable=False),
        sa.Column("floor_received", BIG, nullable=True),
        sa.Column("floor_id", BIG, nullable=True),
        sa.PrimaryKeyConstraint("folder", name=op.f("search_cursor_pk")),
    )
    op.create_table(
        "search_document",
        sa.Column("number", BIG, autoincrement=False, nullable=False),
        sa.Column("item", BIG, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folder", BIG, nullable=False),
        sa.Column("owner", BIG, nullable=False),
        sa.Column("words", sa.LargeBinary().with_variant(postgresql.TSVECTOR(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("search_document_pk")),
    )
    op.create_index("search_document_folder", "search_document", ["folder"], unique=False)
    op.create_index("search_document_item", "search_document", ["item"], unique=True)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE INDEX search_document_words ON search_document USING gin (words) WITH (fastupdate = off)")
    else:
        # The words come separated by blanks, without capitals and punctuation: nothing is left to the tokenizer.
        op.execute(
            "CREATE VIRTUAL TABLE search_words USING fts5"
            "(subject, sender, recipients, body, marks, content='', tokenize='ascii')"
        )


def downgrade() -> None:
    """Drop them."""
    if op.get_bind().dialect.name != "postgresql":
        op.execute("DROP TABLE search_words")
    op.drop_table("search_document")
    op.drop_table("search_cursor")
