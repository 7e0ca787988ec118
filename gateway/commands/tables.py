"""Tables and times, as commands print them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

import click

_SPANS = ((86400, "d"), (3600, "h"), (60, "min"))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below a head, in columns."""
    cells = [head, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def span(seconds: float) -> str:
    """A span of time in its largest unit, rounded down."""
    for length, unit in _SPANS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{max(0, int(seconds))} s"


def ago(then: float) -> str:
    """How long ago a time is, in seconds since the epoch; 0: never."""
    return f"{span(time.time() - then)} ago" if then else "never"


def clock(then: float) -> str:
    """A time in the zone of this machine, to the second."""
    return datetime.fromtimestamp(then).astimezone().strftime("%Y-%m-%d %H:%M:%S")
