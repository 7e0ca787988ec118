"""Points in time as the protocol writes them."""

from __future__ import annotations

import time

_LAST_SECOND = 253402300799


def clamped(seconds: int) -> int:
    """The nearest second that can be written."""
    return min(max(seconds, 0), _LAST_SECOND)


def date_time(seconds: int) -> str:
    """Seconds since the epoch as dateTime: C{"2024-05-01T08:00:00.000Z"} ([MS-ASDTYPE] 2.3)."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(clamped(seconds)))
