"""How often somebody may come: a rate with a burst, one number for each who came lately."""

from __future__ import annotations

from collections.abc import Hashable

from attrs import define, field


@define(eq=False)
class Rate:
    """The generic cell rate algorithm: C{per_second} on average, C{burst} at once; 0 per second is no limit."""

    per_second: float
    burst: int
    _next: dict[Hashable, float] = field(init=False, factory=dict)
    _sweep: int = field(init=False, default=1024)

    def wait(self, who: Hashable, now: float) -> float:
        """Count one more and return 0, or do not count and return the seconds until the next is welcome."""
        if self.per_second <= 0:
            return 0.0
        gap = 1.0 / self.per_second
        at = max(self._next.get(who, 0.0), now)
        early = at - now - gap * (self.burst - 1)
        if early > 1e-9:
            return early
        self._next[who] = at + gap
        if len(self._next) > self._sweep:
            self._forget(now)
        return 0.0

    def _forget(self, now: float) -> None:
        """Drop who has been away long enough to have the whole burst again."""
        self._next = {who: at for who, at in self._next.items() if at > now}
        self._sweep = max(1024, 2 * len(self._next))
