"""The table of conversations that always go to a folder; see L{gateway.store.schema}."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table, Text

from gateway.store.schema import Big, metadata

diversion = Table(
    "diversion",
    metadata,
    Column("user", Text, primary_key=True),
    Column("conversation", LargeBinary, primary_key=True),
    Column("folder", Big, nullable=False),
    Column("since", Big, nullable=False),
)
