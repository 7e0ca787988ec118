"""Keeping the index of mails up with the ledger: in the background, a few mails at a time, new ones before old ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from gateway.core.retrying import backoff
from gateway.eas import find, searching
from gateway.eas.finding import Searcher
from gateway.eas.gate import Rules
from gateway.eas.mailsearch import MailFinder, Mails, MailSearcher
from gateway.eas.reading import Reading
from gateway.index import Document, Portion
from gateway.interfaces import IMailbox, IReporter, ISearchIndex
from gateway.model import Change
from gateway.service.gathering import Gathered, Gatherer, Run
from gateway.store import Store

MAILS = 16
"""Mails that are put in with one transaction: whoever else writes waits for no more than that."""

GATHER = 1.0
"""Seconds from a change to the look for it, also while others are put in: what comes in between is put in together."""

REST = 3.0
"""For each second of work so many seconds of rest; a core is a quarter busy at most."""

LATE = 0.1
"""Seconds by which a timer may come late before it is concluded that others need the time."""

MOST_PATIENCE = 10.0
TRIES = 3


@implementer(IReporter)
@define(eq=False)
class Indexer:
    """Puts mails into the index, those of several folders together; C{mailbox} reads them, C{run} runs in a thread what
    takes its time.

    What is still to be done is found in the store: nothing is kept here that a stop would lose. A mail that cannot be
    read keeps nobody waiting: after L{TRIES} attempts it stands in the index without words, or, if it is gone, not.
    """

    index: ISearchIndex
    mailbox: IMailbox
    clock: IReactorTime
    run: Run
    log = Logger()
    _arriving: dict[int, None] = field(factory=dict, init=False)
    _fresh: dict[int, None] = field(factory=dict, init=False)
    _queue: dict[int, None] = field(factory=dict, init=False)
    _current: frozenset[int] = field(default=frozenset(), init=False)
    _failures: dict[int, int] = field(factory=dict, init=False)
    _timers: dict[int, IDelayedCall] = field(factory=dict, init=False)
    _gathering: IDelayedCall | None = field(default=None, init=False)
    _working: Deferred[None] | None = field(default=None, init=False)
    _running: bool = field(default=False, init=False)
    _patience: float = field(default=0.0, init=False)

    @property
    def behind(self) -> int:
        """How many folders are being looked at, or wait for that."""
        waiting = self._arriving.keys() | self._fresh.keys() | self._queue.keys()
        return len(waiting | self._timers.keys() | self._current)

    def start(self) -> None:
        """Begin to catch up."""
        self._running = True
        Deferred.fromCoroutine(self.look()).addErrback(
            lambda failure: self.log.failure("What the index lacks could not be asked", failure)
        )

    async def look(self) -> None:
        """Look for everything that the index lacks: at the start, and now and then for what nobody told of."""
        found = await self.index.behind(None)
        self._queue.update(dict.fromkeys(found))
        self._work_on()

    def stop(self) -> None:
        """End; what is under way is written down or left to be done again."""
        self._running = False
        timers = [*self._timers.values(), *([self._gathering] if self._gathering else [])]
        for timer in timers:
            if timer.active():
                timer.cancel()
        self._timers.clear()
        self._gathering = None
        if self._working is not None:
            self._working.cancel()

    def changed(self, *changes: Change) -> None:
        """See L{IReporter}: these folders are looked at before all others, in a moment."""
        if not self._running:
            return
        self._arriving.update(dict.fromkeys(change.folder for change in changes))
        if self._gathering is None:
            self._gathering = self.clock.callLater(GATHER, self._gathered)

    def _gathered(self) -> None:
        self._gathering = None
        self._fresh.update(self._arriving)
        self._arriving.clear()
        self._work_on()

    def _work_on(self) -> None:
        if self._running and self._working is None and (self._fresh or self._queue):
            self._working = Deferred.fromCoroutine(self._work())
            self._working.addErrback(self._ended)

    def _ended(self, failure: Any) -> None:
        self._working = None
        if not failure.check(CancelledError):
            self.log.failure("The index of mails is not kept up any more", failure)

    async def _work(self) -> None:
        while self._running and (self._fresh or self._queue):
            fresh, folders = bool(self._fresh), self._next()
            self._current = frozenset(folders)
            began = self.clock.seconds()
            rest = await self._step(folders)
            if fresh:
                self._fresh = {**dict.fromkeys(rest), **self._fresh}
            else:
                self._queue = {**dict.fromkeys(rest), **self._queue}
            self._current = frozenset()
            await self._rest(self.clock.seconds() - began)
        self._working = None

    def _next(self) -> list[int]:
        """Take the folders that are next; one that has made trouble is alone, so that it holds up no others."""
        waiting = self._fresh or self._queue
        first = next(iter(waiting))
        good = (folder for folder in waiting if folder not in self._failures)
        folders = [first] if first in self._failures else list(islice(good, MAILS))
        for folder in folders:
            self._fresh.pop(folder, None)
            self._queue.pop(folder, None)
        return folders

    async def _step(self, folders: Sequence[int]) -> Sequence[int]:
        """Do the next portions of folders, as many as make up L{MAILS} mails; the folders for which there was no room.

        Those for which there may be more wait behind all others; those in which something failed are looked at later.
        """
        try:
            portions = await self.index.portions(folders, MAILS)
            there = [portion for portion in portions if portion is not None]
            done, again = self._judged(await Gatherer(self.mailbox, self.run).gather(there))
            if done:
                await self.index.put(done)
        except CancelledError:
            raise
        except Exception:
            self.log.failure("Mails of folders {folders} could not be put into the index", folders=folders)
            for folder in folders:
                self._again(folder)
            return ()
        for folder in folders[: len(portions)]:
            if folder in again:
                self._again(folder)
            else:
                self._failures.pop(folder, None)
        self._queue.update((portion.id, None) for portion, _ in done if not portion.last)
        return folders[len(portions) :]

    def _judged(self, found: Sequence[Gathered]) -> tuple[list[tuple[Portion, Sequence[Document]]], list[int]]:
        """What is put in, and the folders that are to be tried again instead."""
        done: list[tuple[Portion, Sequence[Document]]] = []
        again = []
        for one in found:
            tries = self._failures.get(one.portion.id, 0) + 1
            if one.blocked or (not one.whole and tries < TRIES):
                again.append(one.portion.id)
            else:
                done.append((one.portion, one.given_up()))
        return done, again

    def _again(self, folder: int) -> None:
        """Look at a folder later: after 1, 2, 4 ... 60 s."""
        failures = self._failures[folder] = self._failures.get(folder, 0) + 1
        if self._running and folder not in self._timers:
            self._timers[folder] = self.clock.callLater(backoff(failures), self._retry, folder)

    def _retry(self, folder: int) -> None:
        del self._timers[folder]
        self._queue[folder] = None
        self._work_on()

    async def _rest(self, worked: float) -> None:
        """Leave the time to others: more of it if the reactor is late, which shows that they need it."""
        due = self.clock.seconds() + worked * REST + self._patience
        await deferLater(self.clock, due - self.clock.seconds())
        late = self.clock.seconds() - due > LATE
        self._patience = min(MOST_PATIENCE, max(0.25, 2 * self._patience)) if late else 0.0


def mail_searchers(
    store: Store, reading: Reading, rules: Rules, now: Callable[[], int]
) -> tuple[dict[str, Searcher], dict[str, Searcher]]:
    """Those that search the mailbox for Search and for Find."""
    mails = Mails(store.index, store, reading, rules, now)
    return {searching.MAILBOX: MailSearcher(mails)}, {find.MAILBOX: MailFinder(mails)}
