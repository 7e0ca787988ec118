"""The tables of lines, triggers, what goes out, and the trace; see L{gateway.store.schema}."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Double, ForeignKey, Index, Integer, LargeBinary, Table, Text

from gateway.store.schema import Big, Json, metadata

line = Table(
    "line",
    metadata,
    Column("device", Big, ForeignKey("device.id"), primary_key=True, autoincrement=False),
    Column("number", Text, nullable=False),
    Column("operator", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("since", Big, nullable=False),
    Column("expires", Big, nullable=False),
    Column("by", Text, nullable=False),
)
Index("line_number", line.c.number)

# One row per line, what gateway.trigger.Wake says; `outside` is the last GUID that came in from another server.
wake = Table(
    "wake",
    metadata,
    Column("device", Big, ForeignKey("device.id"), primary_key=True, autoincrement=False),
    Column("guid", Text, nullable=False),
    Column("told", Text, nullable=False),
    Column("until", Big, nullable=False),
    Column("numbers", Json, nullable=False),
    Column("pending", Boolean, nullable=False),
    Column("due", Big, nullable=False),
    Column("why", Text, nullable=False),
    Column("repeats", Integer, nullable=False),
    Column("way", Text, nullable=False),
    Column("young", Integer, nullable=False),
    Column("parked", Big, nullable=False),
    Column("outside", Text, nullable=False),
)
Index("wake_due", wake.c.due, sqlite_where=wake.c.due > 0, postgresql_where=wake.c.due > 0)

# Users and devices by their names: a letter outlives a partnership. `recipients` is null for a trigger. `at` is when
# `state` was written; `day` and `cost` say what was counted in `spending` for it; `watched` is 1 as long as it has to
# be looked whether the device came after the delivery.
outbox = Table(
    "outbox",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("user", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("guid", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("sender", Text, nullable=False),
    Column("recipients", Json),
    Column("created", Double, nullable=False),
    Column("due", Double, nullable=False),
    Column("expires", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("doubted", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("day", Big, nullable=False),
    Column("cost", Double, nullable=False),
    Column("watched", Integer, nullable=False),
    sqlite_autoincrement=True,
)
_QUEUED = outbox.c.state == "queued"
_KNOCK = _QUEUED & outbox.c.recipients.is_(None)
_DOUBT = outbox.c.state == "in doubt"
_NUMBERED = outbox.c.message_id != ""
_DELIVERED = (outbox.c.state == "delivered") & (outbox.c.watched == 1)
Index(
    "outbox_due",
    outbox.c.route,
    outbox.c.due,
    outbox.c.id,
    sqlite_where=_QUEUED,
    postgresql_where=_QUEUED,
)
Index("outbox_knock", outbox.c.user, outbox.c.device, sqlite_where=_KNOCK, postgresql_where=_KNOCK)
Index("outbox_doubt", outbox.c.id, sqlite_where=_DOUBT, postgresql_where=_DOUBT)
Index("outbox_message", outbox.c.message_id, outbox.c.route, sqlite_where=_NUMBERED, postgresql_where=_NUMBERED)
Index("outbox_delivered", outbox.c.at, sqlite_where=_DELIVERED, postgresql_where=_DELIVERED)
Index("outbox_user", outbox.c.user, outbox.c.id, outbox.c.device)

# Receipts that match no letter yet; `kept` is when they came, `others` the other forms of the same message id.
stray_receipt = Table(
    "stray_receipt",
    metadata,
    Column("message_id", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("others", Json, nullable=False),
    Column("state", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("result", Text, nullable=False),
    Column("kept", Double, nullable=False),
)
Index("stray_receipt_kept", stray_receipt.c.kept)

hop = Table(
    "hop",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("user", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("folder", Big, nullable=False),
    Column("number", Big, nullable=False),
    Column("letter", Big, nullable=False),
    sqlite_autoincrement=True,
)
# The device is there to be looked at, so that the hops of one are found among those of its user.
Index("hop_user", hop.c.user, hop.c.id, hop.c.device)

mode_override = Table(
    "mode_override",
    metadata,
    Column("user", Text, primary_key=True),
    Column("device", Text, primary_key=True),
    Column("mode", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Big, nullable=False),
)

# How many triggers were sent, and for how much, since the first second of a day; `scope` is device, user, operator or
# total, `name` which one.
spending = Table(
    "spending",
    metadata,
    Column("day", Big, primary_key=True, autoincrement=False),
    Column("scope", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("count", Big, nullable=False),
    Column("cost", Double, nullable=False),
)
