"""What is known of the mails is written into the ledger: gathered, one record at a time, tried again until it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from gateway.core.retrying import backoff
from gateway.interfaces import ILedger, IReporter
from gateway.model import Change, Found
from gateway.sources.disk import Difference, MailRoot
from gateway.sources.place import Location, Place
from gateway.sources.settling import Settling
from gateway.sources.work import Work

Run = Callable[..., Deferred[Any]]
"""Runs a blocking function with its arguments in a thread: C{deferToThreadPool} with its pool, or C{execute}."""

Taken = Mapping[Place, dict[str, Location | None]]

CHUNK = 2000
"""So many mails go into one transaction: the store has others to serve between two of them."""

LISTINGS = 4


@define(eq=False)
class Recorder:
    """Writes down what the L{Place}s have to say.

    What comes while a record is on its way is folded, and goes into the next one. A folder that is stale is listed
    and compared; what events say of a mail meanwhile counts more than the listing, which may have missed a name that
    was being changed.
    """

    ledger: ILedger
    reporter: IReporter
    root: MailRoot
    clock: IReactorTime
    run: Run
    drain: Callable[[], bool]
    settling: Settling
    work: Work
    log = Logger()
    listings: int = field(default=0, init=False)
    _touched: dict[Place, None] = field(factory=dict, init=False)
    _flush: IDelayedCall | None = field(default=None, init=False)
    _recording: bool = field(default=False, init=False)
    _retries: dict[Place, IDelayedCall] = field(factory=dict, init=False)
    _unlisted: deque[Place] = field(factory=deque, init=False)
    _listers: int = field(default=0, init=False)

    def touch(self, place: Place) -> None:
        """This folder has news, or is stale: see to it before the reactor waits again."""
        self._touched[place] = None
        if self._flush is None and not self.work.stopping:
            self._flush = self.clock.callLater(0, self.flush)

    def flush(self) -> None:
        """Start writing down what can be written now."""
        if self._flush is not None and self._flush.active():
            self._flush.cancel()
        self._flush = None
        ready: dict[Place, dict[str, Location | None]] = {}
        room = CHUNK
        for place in list(self._touched):
            if place not in self._touched:
                continue  # seen to while another one was
            if place.gone:
                del self._touched[place]
            elif place.busy or not place.id or place in self._retries:
                continue  # it is touched again when that is over
            elif place.stale:
                del self._touched[place]
                self._compare_soon(place)
            elif not self._recording and room > 0:
                del self._touched[place]
                if place.news:
                    ready[place] = place.take(room)
                    room -= len(ready[place])
        if ready:
            self._start(ready)

    def forget(self, place: Place) -> None:
        """This folder is no longer looked after."""
        place.gone = True
        self._touched.pop(place, None)
        self.settling.forget(place)
        retry = self._retries.pop(place, None)
        if retry is not None:
            retry.cancel()

    def stop(self) -> None:
        """Leave no timer behind."""
        for call in (*self._retries.values(), *([self._flush] if self._flush else [])):
            if call.active():
                call.cancel()
        self._retries.clear()
        self._flush = None

    def _start(self, ready: Taken) -> None:
        for place in ready:
            place.busy = True
        self._recording = True
        self.work.start(self._record(ready), "writing down what was seen")

    async def _record(self, ready: Taken) -> None:
        try:
            seen = await self.run(self._look, [(p.id, p.user, p.path, taken) for p, taken in ready.items()])
            self.report(await self.ledger.record(seen))
        except CancelledError:
            raise
        except Exception:
            self.log.failure("{count} folders could not be written down", count=len(ready))
            for place, taken in ready.items():
                place.put_back(taken)
                self._retry(place)
        else:
            for place in ready:
                place.failures = 0
                self.settling.changed(place)
        finally:
            self._recording = False
            self._free(ready)

    def _look(
        self, wanted: Sequence[tuple[int, str, str, Mapping[str, Location | None]]]
    ) -> dict[int, tuple[Sequence[Found], Sequence[str]]]:
        """In a thread: the files of what came, and the names of what is gone."""
        return {
            number: (
                self.root.look(user, path, [(base, *where) for base, where in taken.items() if where]),
                [base for base, where in taken.items() if where is None],
            )
            for number, user, path, taken in wanted
        }

    def report(self, changes: Iterable[Change]) -> None:
        """Tell what was committed; trouble in telling does not make it be written again."""
        news = list(changes)
        try:
            if news:
                self.reporter.changed(*news)
        except Exception:
            self.log.failure("{count} changes could not be reported", count=len(news))

    def _free(self, places: Iterable[Place]) -> None:
        for place in places:
            place.busy = False
            if place.news or place.stale:
                self.touch(place)
        if self._touched:
            self.touch(next(iter(self._touched)))

    def _retry(self, place: Place) -> None:
        place.failures += 1
        if not place.gone and not self.work.stopping:
            self._retries[place] = self.clock.callLater(backoff(place.failures), self._retried, place)

    def _retried(self, place: Place) -> None:
        """By itself: a folder that the ledger refuses must not hold up the others."""
        del self._retries[place]
        if place.stale or place.busy or not place.news:
            self.touch(place)
        elif self._recording:
            self._retries[place] = self.clock.callLater(0.1, self._retried, place)
        else:
            self._touched.pop(place, None)
            self._start({place: place.take(CHUNK)})

    def _compare_soon(self, place: Place) -> None:
        if self.work.stopping:
            return
        place.busy = True
        self._unlisted.append(place)
        if self._listers < LISTINGS:
            self._listers += 1
            self.work.start(self._list(), "listing folders")

    async def _list(self) -> None:
        try:
            while self._unlisted:
                await self._compare(self._unlisted.popleft())
        finally:
            self._listers -= 1

    async def _compare(self, place: Place) -> None:
        place.stale = False
        place.forget_names()
        try:
            if await self._compared(place):
                place.failures = 0
            else:
                place.stale = True
        except CancelledError:
            raise
        except Exception:
            self.log.failure("{path!r} of {user} could not be listed", path=place.path, user=place.user)
            place.stale = True
            self._retry(place)
        finally:
            self._free([place])

    async def _compared(self, place: Place) -> bool:
        """Whether all was compared and written down; not when the source stops or lost the folder meanwhile."""
        if place.gone or self.work.stopping:
            return False
        self.listings += 1
        known = await self.ledger.listing(place.id)
        difference: Difference | None = await self.run(self.root.compare, place.user, place.path, known)
        self.drain()
        if difference is None:
            self._retry(place)
            return False
        for found, gone in _chunks(difference, place):
            if place.gone or self.work.stopping:
                return False
            if found or gone:
                self.report(await self.ledger.record({place.id: (found, gone)}))
        self.settling.listed(place, difference.stamp)
        return True


def _chunks(difference: Difference, place: Place) -> Iterator[tuple[Sequence[Found], Sequence[str]]]:
    """What differs, in pieces small enough for one transaction, without the mails that events spoke of."""
    found, gone = difference.found, difference.gone
    for start in range(0, max(len(found), len(gone)), CHUNK):
        told = place.news.keys() | place.held.keys()
        yield (
            [item for item in found[start : start + CHUNK] if item.name not in told],
            [name for name in gone[start : start + CHUNK] if name not in told],
        )
