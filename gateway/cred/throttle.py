"""Slowing of those who guess: how long the next attempt of a user or from an address has to wait.

Nobody is ever locked out: a wait has an upper bound, and passwords that are known to be right do not come here.

- Guesses at one user, from wherever: each attempt waits, longer with each failure. Attempts wait side by side, so
  that an attacker's do not stand in the way of the owner's.
- Guesses from one address, at whomever: attempts wait in a line, one after another, which bounds how many guesses
  an address has. When the line is too long the answer is L{Busy}.

A network address of IPv6 is a /64, since a client chooses the rest itself.
"""

from __future__ import annotations

import math
from ipaddress import IPv6Address, ip_address

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from gateway.interfaces import Busy

FIRST_WAIT = 1.0
"""Seconds to wait after the first failure that counts; each further one doubles it."""


@define
class _Record:
    failures: int
    last: float
    free: float = 0.0
    """When the line of an address is empty."""


@define(eq=False)
class Throttle:
    """Counts failures per user and per address, in tables of bounded size.

    @param clock: monotonic time.
    @param after: failures of a user that cost nothing yet; of an address it is four times as many, as many people
        can be behind one.
    @param longest: the longest wait of a user, in seconds; of an address it is a quarter, and the line is this long.
    @param forget: seconds without a failure after which all of them are forgotten.
    @param size: entries of each table; the least recently failed go first.
    @param exempt: addresses that are not counted, such as a proxy that does not say for whom it speaks.
    """

    clock: IReactorTime
    after: int = 5
    longest: float = 30.0
    forget: float = 900.0
    size: int = 10_000
    exempt: frozenset[str] = frozenset()
    _users: dict[str, _Record] = field(init=False, factory=dict)
    _addresses: dict[str, _Record] = field(init=False, factory=dict)

    def user_wait(self, user: str) -> float:
        """Seconds that an answer about this user has to wait now."""
        record = self._current(self._users, user)
        return self._wait(record.failures - self.after, self.longest) if record else 0.0

    def slowed(self, user: str) -> float:
        """Seconds for which attempts of this user have to wait if none fails any more; 0: they do not."""
        record = self._current(self._users, user)
        if record is None or not self.user_wait(user):
            return 0.0
        return record.last + self.forget - self.clock.seconds()

    def admit(self, user: str, address: str) -> float:
        """Seconds that an attempt has to wait before it is looked at; takes a place in the line of the address.

        @raise Busy: if that line is too long.
        """
        wait = self.user_wait(user)
        record = self._current(self._addresses, network(address))
        if record is None:
            return wait
        spacing = self._wait(record.failures - 4 * self.after, self.longest / 4)
        if not spacing:
            return wait
        now = self.clock.seconds()
        turn = max(record.free, now) + spacing
        if turn - now > max(self.longest, spacing):
            raise Busy("too many attempts from one address", math.ceil(turn - now))
        record.free = turn
        return max(wait, turn - now)

    def failed(self, user: str, address: str) -> None:
        """A password was wrong, and it was not one that had been wrong before."""
        self._count(self._users, user)
        if address not in self.exempt:
            self._count(self._addresses, network(address))

    def succeeded(self, user: str) -> None:
        """A password was right: the user's failures are forgotten, the address's are not."""
        self._users.pop(user, None)

    def _wait(self, beyond: int, longest: float) -> float:
        return 0.0 if beyond < 0 else min(longest, FIRST_WAIT * 2.0 ** min(beyond, 32))

    def _current(self, table: dict[str, _Record], key: str) -> _Record | None:
        record = table.get(key)
        if record is not None and self.clock.seconds() - record.last >= self.forget:
            del table[key]
            return None
        return record

    def _count(self, table: dict[str, _Record], key: str) -> None:
        record = self._current(table, key)
        if record is None:
            record = _Record(0, 0.0)
            while len(table) >= self.size:
                del table[next(iter(table))]
        else:
            del table[key]
        record.failures += 1
        record.last = self.clock.seconds()
        table[key] = record


def network(address: str) -> str:
    """The part of an address that one client cannot change: IPv4 as it is, IPv6 without its lower 64 bits."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> 64 << 64))
