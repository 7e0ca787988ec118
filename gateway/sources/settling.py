"""Notes of folder times in the ledger, so that the next start need not list what did not change."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from gateway.interfaces import ILedger
from gateway.sources.disk import MailRoot, Stamp
from gateway.sources.place import Place
from gateway.sources.work import Work

SLICE = 500


@define(eq=False)
class Settling:
    """Notes the times of folders once everything up to them is in the ledger.

    A note is true when the times were old enough not to hide a further change (L{Stamp.settled}), and when after
    they were read the kernel had no event left and the folder nothing pending. Folders that changed are looked at
    every C{delay} seconds, and what is found is written in one call.
    """

    ledger: ILedger
    root: MailRoot
    clock: IReactorTime
    run: Callable[..., Deferred[Any]]
    drain: Callable[[], bool]
    work: Work
    delay: float
    log = Logger()
    _dirty: dict[Place, int] = field(factory=dict, init=False)
    _notes: dict[Place, str] = field(factory=dict, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)
    _ticks: count[int] = field(factory=count, init=False)

    def changed(self, place: Place) -> None:
        """Something of this folder was written down: its note is no longer that of its times."""
        if not place.gone:
            self._dirty[place] = next(self._ticks)
            self._arm()

    def listed(self, place: Place, stamp: Stamp) -> None:
        """The folder was compared with the ledger completely, after the stamp was taken."""
        if place.stale or place.gone:
            return
        if stamp.settled:
            self._note(place, stamp)
        elif place.watched:
            self.changed(place)

    def is_dirty(self, place: Place) -> bool:
        """Whether the folder changed since its note."""
        return place in self._dirty

    def forget(self, place: Place) -> None:
        """The folder is no longer looked after."""
        self._dirty.pop(place, None)
        self._notes.pop(place, None)

    def stop(self) -> None:
        """Leave no timer behind."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    async def settle(self) -> None:
        """Look at the folders that changed, and write the notes that are due."""
        dirty = list(self._dirty)
        for start in range(0, len(dirty), SLICE):
            if not await self._look([p for p in dirty[start : start + SLICE] if p.quiet and p.watched]):
                break
        await self._write()

    async def _look(self, places: list[Place]) -> bool:
        ticks = [self._dirty.get(place) for place in places]
        stamps: list[Stamp | None] = await self.run(self.root.stamps, [(p.user, p.path) for p in places])
        if not self.drain():
            return False
        for place, stamp, tick in zip(places, stamps, ticks, strict=True):
            unchanged = self._dirty.get(place) == tick and place.quiet and place.watched
            # Another directory may have taken the path: its survey is under way then.
            if unchanged and stamp is not None and stamp.settled and stamp.identity == place.identity:
                del self._dirty[place]
                place.forget_names()
                self._note(place, stamp)
        return True

    def _note(self, place: Place, stamp: Stamp) -> None:
        if place.note != stamp.note:
            place.note = self._notes[place] = stamp.note
            self._arm()

    async def _write(self) -> None:
        notes, self._notes = self._notes, {}
        if not notes:
            return
        try:
            await self.ledger.listed({place.id: note for place, note in notes.items()})
        except CancelledError:
            raise
        except Exception:
            self.log.failure("The times of {count} folders could not be noted", count=len(notes))
            self._notes = {place: note for place, note in {**notes, **self._notes}.items() if not place.gone}

    def _arm(self) -> None:
        if self._timer is None and not self.work.stopping:
            self._timer = self.clock.callLater(self.delay, self._due)

    def _due(self) -> None:
        self.work.start(self._settled(), "noting folder times")

    async def _settled(self) -> None:
        try:
            await self.settle()
        finally:
            self._timer = None
            for place in [p for p in self._dirty if not p.watched]:
                del self._dirty[place]  # listed again when its time has changed
            if self._dirty or self._notes:
                self._arm()
