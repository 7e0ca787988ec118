"""The section for when users may be moved from SMS to Direct Push."""

from __future__ import annotations

from attrs import frozen

from gateway.config.kinds import Decimal, Number
from gateway.config.option import option


@frozen(kw_only=True)
class Moving:
    """What a user's phone must reach by Direct Push alone."""

    p95_seconds: float = option(
        60.0,
        Decimal(0, 86400),
        "95 % of the changes must be synchronised within so many seconds",
        unit="seconds",
        live=True,
    )
    late_seconds: float = option(
        1200.0, Decimal(1, 604800), "A change that is synchronised later than this is late", unit="seconds", live=True
    )
    late_share: float = option(0.01, Decimal(0, 1), "No more than this share of the changes may be late", live=True)
    heartbeat: int = option(
        480,
        Number(0, 3540),
        "The heartbeat that lives on the phone's network must be so long",
        unit="seconds",
        live=True,
    )
    changes: int = option(20, Number(0, 1000000), "Fewer changes than these say nothing of a user", live=True)
