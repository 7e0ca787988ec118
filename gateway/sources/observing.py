"""From the events of directories to what has to be done: news of mails, folders to survey, everything after a loss."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from gateway.sources.folding import Folding
from gateway.sources.inotify import (
    DELETE_SELF,
    IGNORED,
    ISDIR,
    MOVE_SELF,
    Q_OVERFLOW,
    UNMOUNT,
    Event,
    IDirectoryEvents,
)
from gateway.sources.recording import Recorder
from gateway.sources.settling import Settling
from gateway.sources.surveying import Surveyor
from gateway.sources.watching import Watches

SELF = MOVE_SELF | DELETE_SELF | UNMOUNT | IGNORED
"""Something happened to the watched directory itself."""


@define(eq=False)
class Observer:
    """Takes in the events of all watched directories, in order."""

    clock: IReactorTime
    events: IDirectoryEvents
    watches: Watches
    surveyor: Surveyor
    recorder: Recorder
    settling: Settling
    log = Logger()
    overflows: int = field(default=0, init=False)
    _folding: Folding = field(factory=Folding, init=False)
    _release: IDelayedCall | None = field(default=None, init=False)

    def seen(self, events: Sequence[Event]) -> None:
        """The events of one read."""
        now = self.clock.seconds()
        for event in events:
            if event.mask & Q_OVERFLOW:
                self._overflowed()
            else:
                self._take(event, now)
        self._arm()

    def stop(self) -> None:
        """Leave no timer behind."""
        if self._release is not None and self._release.active():
            self._release.cancel()
        self._release = None

    def _take(self, event: Event, now: float) -> None:
        take = self.watches.ignored if event.mask & IGNORED else self.watches.owner
        owner = take(event.wd)
        if owner is None:
            return
        account, place, sub = owner
        if event.mask & SELF:
            self.surveyor.survey(account)
        elif place is None:
            if event.mask & ISDIR and (event.name.startswith(".") or event.name in ("new", "cur")):
                self.surveyor.survey(account)
        elif self._folding.fold(place, sub, event, now):
            self.recorder.touch(place)

    def _overflowed(self) -> None:
        """The kernel dropped events. What was changing is listed; of the rest the times are compared."""
        self.overflows += 1
        self.log.warn(
            "inotify lost events: all folders are looked at again. If this happens often, set"
            " fs.inotify.max_queued_events higher"
        )
        for account in list(self.surveyor.accounts.values()):
            for place in account.places.values():
                if self.settling.is_dirty(place) or not place.quiet:
                    place.overflowed()
            self.surveyor.survey(account, check=True)

    def _arm(self) -> None:
        due = self._folding.next
        if due is not None and self._release is None:
            self._release = self.clock.callLater(max(0.0, due - self.clock.seconds()), self._give_up)

    def _give_up(self) -> None:
        """The second halves did not come; after a long turn they may still be in the kernel's queue."""
        self._release = None
        if self.events.drain():
            for place in self._folding.release(self.clock.seconds()):
                self.recorder.touch(place)
        self._arm()
