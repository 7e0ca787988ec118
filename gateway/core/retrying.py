"""When to try again what could not be sent."""

from __future__ import annotations

from attrs import field, frozen
from attrs.validators import min_len

LONGEST_BACKOFF = 60.0


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row: 1, 2, 4 ... 60."""
    return min(LONGEST_BACKOFF, 2.0 ** min(failures - 1, 10))


@frozen
class Retry:
    """Growing pauses, and an end.

    C{pauses}: seconds after the first, second, ... attempt; the last of them holds for all further ones.
    C{longest}: seconds after which it is given up, 0: never. RFC 5321 4.5.4.1 asks for four days at least, for mail of
    people.
    """

    pauses: tuple[float, ...] = field(default=(60.0, 300.0, 900.0, 1800.0, 3600.0), validator=min_len(1))
    longest: float = 4 * 86400.0

    def pause(self, attempts: int) -> float:
        """Seconds to wait after so many attempts (at least 1)."""
        return self.pauses[min(max(attempts, 1), len(self.pauses)) - 1]

    def again(self, attempts: int, begun: float, now: float, expires: float = 0.0) -> float | None:
        """When to try again after so many attempts, or C{None} if that would be too late."""
        due = now + self.pause(attempts)
        return None if self.over(due, begun, now, expires) else due

    def over(self, at: float, begun: float, now: float, expires: float = 0.0) -> bool:
        """Whether that is too late for another attempt.

        C{begun}: when it was to be sent first; C{expires}: when it is worth nothing any more, 0: never. All times in
        seconds since the epoch; a beginning in the future, after the clock was set back, counts as now.
        """
        return (self.longest > 0 and at > min(begun, now) + self.longest) or 0 < expires < at
