"""Deadlines in one-second slots: one timer for all parked requests, none when nothing is parked."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from math import ceil
from typing import Generic, TypeVar

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

T = TypeVar("T")

#: How many expire before other traffic gets its turn.
SLICE = 500


@define(eq=False)
class Wheel(Generic[T]):
    """Calls C{expired} with each thing at its deadline: never before it, and within a second after it.

    C{clock} must be monotonic. A second that expires thousands is worked off in slices, oldest first.
    """

    clock: IReactorTime
    expired: Callable[[T], None]
    _slots: dict[int, dict[T, None]] = field(init=False, factory=dict)
    _due: dict[T, None] = field(init=False, factory=dict)
    _tick: IDelayedCall | None = field(init=False, default=None)

    def add(self, thing: T, seconds: float) -> int:
        """Have a thing expire that many seconds from now; the slot that is returned is wanted by L{remove}."""
        slot = ceil(self.clock.seconds() + max(0.0, seconds))
        self._slots.setdefault(slot, {})[thing] = None
        if self._tick is None:
            self._schedule()
        return slot

    def remove(self, thing: T, slot: int) -> None:
        """Take a thing out before it expires; nothing happens if it is not there."""
        self._due.pop(thing, None)
        things = self._slots.get(slot, {})
        things.pop(thing, None)
        if not things:
            self._slots.pop(slot, None)
        if not self._slots and not self._due and self._tick is not None:
            self._tick.cancel()
            self._tick = None

    def _schedule(self) -> None:
        now = self.clock.seconds()
        delay = 0.0 if self._due else (int(now) + 1) - now
        self._tick = self.clock.callLater(delay, self._turn)

    def _turn(self) -> None:
        self._tick = None
        now = int(self.clock.seconds())
        for slot in sorted(s for s in self._slots if s <= now):
            self._due.update(self._slots.pop(slot))
        for thing in list(islice(self._due, SLICE)):
            if thing in self._due:
                del self._due[thing]
                self.expired(thing)
        if (self._slots or self._due) and self._tick is None:
            self._schedule()
