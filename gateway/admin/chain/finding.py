"""What is said of one link of the chain."""

from __future__ import annotations

from enum import Enum

from attrs import asdict, frozen


class Health(Enum):
    """What the doctor says of a hop."""

    GOOD = "good"
    NOTE = "note"
    BROKEN = "broken"


@frozen
class Finding:
    """One hop: what was found, and what to do about it (empty if nothing is to be done)."""

    hop: str
    health: Health
    text: str
    remedy: str = ""

    def row(self) -> dict[str, str]:
        """As JSON has it."""
        return {**asdict(self), "health": self.health.value}


def good(hop: str, text: str) -> Finding:
    """There is nothing to be done."""
    return Finding(hop, Health.GOOD, text)


def note(hop: str, text: str, remedy: str = "") -> Finding:
    """It works, and may be worth a look."""
    return Finding(hop, Health.NOTE, text, remedy)


def broken(hop: str, text: str, remedy: str) -> Finding:
    """Nothing gets any further here."""
    return Finding(hop, Health.BROKEN, text, remedy)


def span(seconds: float) -> str:
    """A span of time in words, rounded."""
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
