"""The sections for bounds, storage, passwords and the log."""

# ruff: noqa: RUF009 (a declaration of an option is meant to be made once, when the class is)

from __future__ import annotations

from enum import Enum

from attrs import frozen

from gateway.config.kinds import (
    Choice,
    Decimal,
    Flag,
    Number,
    Text,
    Wrong,
)
from gateway.config.option import option


class LogFormat(Enum):
    """How a line of the log is written."""

    TEXT = "text"
    JSON = "json"


def _database(value: str) -> None:
    dialect, found, _ = value.partition("://")
    if not found or dialect not in ("postgresql+psycopg", "sqlite"):
        raise Wrong(
            "the text is not the URL of a database that pushgw knows",
            "Write postgresql+psycopg://USER:PASSWORD@HOST/NAME, or leave it empty for SQLite",
        )


@frozen(kw_only=True)
class Limits:
    """What a device may send."""

    max_body_bytes: int = option(
        33554432,
        Number(1024, 1073741824),
        "The largest body of a request, unpacked; more: HTTP 413",
        unit="bytes",
        live=True,
    )
    max_query_bytes: int = option(4096, Number(256, 65536), "The longest query of a request", unit="bytes", live=True)
    wbxml_depth: int = option(32, Number(8, 200), "How deep the elements of a body may be nested", live=True)
    wbxml_elements: int = option(50000, Number(100, 10000000), "How many elements a body may have", live=True)
    requests_per_second: float = option(
        30.0,
        Decimal(0, 100000),
        "Requests of one device in the long run; more are answered with 503; 0: any number",
        unit="requests per second",
        live=True,
    )
    request_burst: int = option(
        1000,
        Number(1, 100000),
        "Requests that a device may send at once before that counts",
        unit="requests",
        live=True,
    )
    sync_commands: int = option(200, Number(1, 100000), "Changes of the client in one Sync; more: Status 4", live=True)
    sync_collections: int = option(
        300, Number(1, 10000), "Folders in one Sync; more: Status 15", unit="folders", live=True
    )
    estimate_collections: int = option(
        1000, Number(1, 10000), "Folders in one GetItemEstimate; more: Status 103", unit="folders", live=True
    )
    max_window: int = option(
        512, Number(1, 512), "The most changes a Sync answer brings, whatever is asked for", live=True
    )
    sent_bytes: int = option(
        26214400,
        Number(1024, 1073741824),
        "The largest mail that a device may send, with what is forwarded in it; more: Status 122",
        unit="bytes",
        live=True,
    )
    sent_recipients: int = option(
        500, Number(1, 100000), "The most recipients of a mail; more: Status 115", unit="recipients", live=True
    )
    sent_per_hour: int = option(
        1000,
        Number(0, 10000000),
        "The most recipients of all mails of a user in an hour; more: Status 115; 0: any number",
        unit="recipients",
        live=True,
    )


@frozen(kw_only=True)
class Store:
    """The database."""

    url: str = option(
        "",
        Text(_database, empty=True),
        "The database as an SQLAlchemy URL; empty: SQLite in the data folder",
        secret=True,
        example="postgresql+psycopg://pushgw:PASSWORD@localhost/pushgw",
    )
    threads: int = option(8, Number(1, 64), "Threads that talk to the database", unit="threads")


@frozen(kw_only=True)
class Ledger:
    """The record of what changed."""

    keep: int = option(
        30,
        Number(1, 3650),
        "How long removals are remembered for devices that do not come; later they start afresh",
        unit="days",
        live=True,
    )


@frozen(kw_only=True)
class Cred:
    """The check of passwords."""

    threads: int = option(2, Number(1, 64), "Passwords that are verified at the same time", unit="threads")
    queue: int = option(
        64, Number(1, 100000), "Verifications that may wait; more are answered with 503", unit="requests", live=True
    )
    cache_size: int = option(
        100000,
        Number(0, 10000000),
        "Verified passwords that are remembered, as a keyed hash",
        unit="passwords",
        live=True,
    )
    cache_seconds: int = option(
        86400, Number(0, 31536000), "How long; a change of the account ends it at once", unit="seconds", live=True
    )
    slow_after: int = option(
        5,
        Number(1, 1000),
        "Wrong passwords for a user before further attempts have to wait; four times as many from one address",
        unit="attempts",
        live=True,
    )
    slow_seconds: float = option(
        30.0,
        Decimal(0, 3600),
        "The longest that an attempt has to wait; the wait begins with a second and doubles with each failure",
        unit="seconds",
        live=True,
    )


@frozen(kw_only=True)
class Log:
    """What is logged, and how."""

    format: LogFormat = option(LogFormat.TEXT, Choice(LogFormat), "Lines for people or one JSON object per line")
    access: bool = option(True, Flag(), "Whether each request gets a line", live=True)


@frozen(kw_only=True)
class Maildir:
    """The mail folders."""

    create_special: bool = option(
        True,
        Flag(),
        "Whether the Inbox of a new account, Drafts, Sent, Deleted Items and Junk are made where they are missing",
    )
    settle_seconds: float = option(
        5.0,
        Decimal(1, 300),
        "How often the times of changed folders are noted; a start does not list folders whose noted times still hold",
        unit="seconds",
    )
    rescan_seconds: float = option(
        60.0,
        Decimal(1, 86400),
        "How often folders are looked at that the kernel cannot watch, its limit being reached",
        unit="seconds",
    )
