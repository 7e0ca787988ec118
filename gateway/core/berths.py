"""How many requests may be parked: in all, per user and per address."""

from __future__ import annotations

from collections import Counter

from attrs import define, field, frozen


@frozen
class BerthLimits:
    """The most parked requests of one user, from one address, and of the process; 0 is any number."""

    per_user: int = 32
    per_address: int = 0
    total: int = 100_000


@define(eq=False)
class Berths:
    """Counts the parked requests against the limits."""

    limits: BerthLimits = field(factory=BerthLimits)
    _users: Counter[str] = field(init=False, factory=Counter)
    _addresses: Counter[str] = field(init=False, factory=Counter)
    _total: int = field(init=False, default=0)

    def take(self, user: str, address: str) -> str | None:
        """Count one more; the name of the limit that is reached ("user", "address", "process") or C{None}."""
        limits = self.limits
        for name, most, taken in (
            ("process", limits.total, self._total),
            ("user", limits.per_user, self._users[user]),
            ("address", limits.per_address, self._addresses[address]),
        ):
            if 0 < most <= taken:
                return name
        self._total += 1
        self._users[user] += 1
        self._addresses[address] += 1
        return None

    def leave(self, user: str, address: str) -> None:
        """Count one less."""
        self._total -= 1
        for counter, name in ((self._users, user), (self._addresses, address)):
            counter[name] -= 1
            if counter[name] <= 0:
                del counter[name]
