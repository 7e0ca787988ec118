"""The tables of mail that users send; see L{gateway.store.schema}."""

from __future__ import annotations

from sqlalchemy import Column, Double, Index, Integer, Table, Text

from gateway.store.schema import metadata

# What devices have handed over, by names that tell a mail from all others of the device; users and devices by their
# names, as what was sent outlives a partnership. `recipients` is their number.
posting = Table(
    "posting",
    metadata,
    Column("user", Text, primary_key=True),
    Column("device", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("at", Double, nullable=False),
    Column("recipients", Integer, nullable=False),
)
Index("posting_user", posting.c.user, posting.c.at, posting.c.recipients)
Index("posting_at", posting.c.at)
