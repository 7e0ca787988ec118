"""The tables of the index of mails; see L{gateway.store.schema}.

On SQLite there is also C{search_words}, a table of the extension FTS5, whose rows have the numbers of the documents.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, Table, Text
from sqlalchemy.dialects.postgresql import TSVECTOR

from gateway.store.schema import Big, metadata

# `number` is made of the time of arrival, so that what is read in the order of the numbers is in that of time.
# `name` is that which the item had; it has another one when a draft was written anew. `owner` is the hierarchy of the
# user. `words` is what is searched on PostgreSQL; on SQLite it is what was put into
# `search_words`, packed, because FTS5 has to be told that again to take it out.
document = Table(
    "search_document",
    metadata,
    Column("number", Big, primary_key=True, autoincrement=False),
    Column("item", Big, nullable=False),
    Column("name", Text, nullable=False),
    Column("folder", Big, nullable=False),
    Column("owner", Big, nullable=False),
    Column("words", LargeBinary().with_variant(TSVECTOR(), "postgresql"), nullable=False),
)
Index("search_document_item", document.c.item, unique=True)
Index("search_document_folder", document.c.folder)
Index(
    "search_document_words",
    document.c.words,
    postgresql_using="gin",
    # Every search would have to go through what waits to be put in.
    postgresql_with={"fastupdate": "off"},
).ddl_if(dialect="postgresql")

# How far a folder is in the index: gateway.index.Cursor says what the columns mean.
cursor = Table(
    "search_cursor",
    metadata,
    Column("folder", Big, primary_key=True, autoincrement=False),
    Column("number", Big, nullable=False),
    Column("floor_received", Big),
    Column("floor_id", Big),
)
