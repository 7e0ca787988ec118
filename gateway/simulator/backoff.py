"""How long a phone waits before it tries again."""

from __future__ import annotations

from zlib import crc32

from attrs import define, field

_DELAYS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 60.0)
_SPREAD = 0.2


@define(eq=False)
class Backoff:
    """At once the first time, then 1, 2, 4 ... and at most 60 seconds, a fifth more or less for each phone.

    C{seed} is a name of the phone: what it adds or takes is always the same, so that runs can be repeated.
    """

    seed: str
    _tries: int = field(init=False, default=0)

    def next(self) -> float:
        """The seconds to wait now."""
        delay = _DELAYS[min(self._tries, len(_DELAYS) - 1)]
        self._tries += 1
        share = crc32(self.seed.encode()) % 1001 / 1000
        return delay * (1 + _SPREAD * (2 * share - 1))

    def reset(self) -> None:
        """Things go well again."""
        self._tries = 0
