"""The tables of who is away; see L{gateway.store.schema}."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text

from gateway.store.schema import Big, Json, metadata

# `period` is another one for each absence, `answers` how many were sent in it.
absence = Table(
    "absence",
    metadata,
    Column("user", Text, primary_key=True),
    Column("away", Integer, nullable=False),
    Column("start", Big, nullable=False),
    Column("end", Big, nullable=False),
    Column("replies", Json, nullable=False),
    Column("period", Big, nullable=False),
    Column("answers", Integer, nullable=False),
)

# Who was answered in the present absence.
answered = Table(
    "answered",
    metadata,
    Column("user", Text, primary_key=True),
    Column("sender", Text, primary_key=True),
)
