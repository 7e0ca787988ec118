"""From single events to what became of each mail: order kept, renames paired, halves of a rename waited for."""

from __future__ import annotations

from attrs import define, field

from gateway.sources.inotify import CREATE, DELETE, ISDIR, MOVED_FROM, MOVED_TO, Event
from gateway.sources.names import is_message
from gateway.sources.place import Place

GRACE = 0.05
"""Seconds that the first half of a rename waits for the second one, which is in the kernel's queue by then."""


@define(eq=False)
class Folding:
    """Folds the events of files into the L{Place}s they belong to. Times are seconds of one monotonic clock."""

    grace: float = GRACE
    _moving: dict[int, tuple[Place, str, float]] = field(factory=dict)

    def fold(self, place: Place, sub: str, event: Event, now: float) -> bool:
        """Take in one event of C{new} or C{cur} of a folder; whether it said anything of a mail."""
        if event.mask & ISDIR or not is_message(event.name):
            return False
        if event.mask & MOVED_FROM:
            base = place.left(sub, event.name, event.cookie)
            if base is not None:
                self._moving[event.cookie] = (place, base, now + self.grace)
        elif event.mask & MOVED_TO:
            self._arrived(event.cookie, place, place.appeared(sub, event.name))
        elif event.mask & CREATE:
            place.appeared(sub, event.name)
        elif event.mask & DELETE:
            place.vanished(sub, event.name)
        return True

    def _arrived(self, cookie: int, place: Place, base: str) -> None:
        moving = self._moving.pop(cookie, None)
        if moving is not None and (moving[0] is not place or moving[1] != base):
            moving[0].lost(moving[1], cookie)

    @property
    def next(self) -> float | None:
        """When the oldest waiting half is given up, or C{None} if none waits."""
        return next((deadline for _, _, deadline in self._moving.values()), None)

    def release(self, now: float) -> list[Place]:
        """Give up the halves whose time is over: those mails went where nobody looks. Their folders, once each."""
        over = [cookie for cookie, (_, _, deadline) in self._moving.items() if deadline <= now]
        places: dict[Place, None] = {}
        for cookie in over:
            place, base, _ = self._moving.pop(cookie)
            place.lost(base, cookie)
            places[place] = None
        return list(places)
