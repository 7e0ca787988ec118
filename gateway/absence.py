"""Values of users who are away, and of what is answered for them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum

from attrs import field, frozen


class Away(IntEnum):
    """[MS-ASCMD] 2.2.3.124: whether a user is away: not, until it is switched off, or between two times."""

    OFF = 0
    ON = 1
    TIMED = 2


class Audience(Enum):
    """[MS-ASCMD] 2.2.3.123: who gets a reply: people with an account here, people known here, everybody else."""

    INTERNAL = "internal"
    KNOWN = "known"
    UNKNOWN = "unknown"


@frozen
class Reply:
    """What one audience is answered, if C{enabled}: C{text}, and C{html} where it was written so."""

    enabled: bool = False
    text: str = ""
    html: str = ""


@frozen
class Absence:
    """Whether a user is away, and the replies; C{start} and C{end} of L{Away.TIMED} in seconds since the epoch.

    C{period} is a number that is another one for each absence: everybody is answered once in it.
    """

    away: Away = Away.OFF
    start: int = 0
    end: int = 0
    replies: Mapping[Audience, Reply] = field(factory=dict)
    period: int = 0

    def holds(self, now: float) -> bool:
        """Whether the user is away at that time."""
        return self.away is Away.ON or (self.away is Away.TIMED and self.start <= now < self.end)

    def reply(self, audience: Audience) -> Reply:
        """What an audience is answered."""
        return self.replies.get(audience, Reply())
