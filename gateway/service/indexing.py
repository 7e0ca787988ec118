"""Keeping the index of mails up with the ledger: in the background, a few mails at a time, new ones before old ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from gateway.convert.searchable import document
from gateway.core.retrying import backoff
from gateway.eas import find, searching
from gateway.eas.finding import Searcher
from gateway.eas.gate import Rules
from gateway.eas.mailsearch import MailFinder, Mails, MailSearcher
from gateway.eas.reading import Reading
from gateway.index import Document, Portion
from gateway.interfaces import BackendDown, IMailbox, IReporter, ISearchIndex, ItemGone
from gateway.model import Change, Item
from gateway.store import Store

Run = Callable[..., Deferred[Any]]

MAILS = 16
"""Mails that are put in with one transaction: whoever else writes waits for no more than that."""

GATHER = 1.0
"""Seconds from a change to the look for it: what comes in between is put in together."""

REST = 3.0
"""For each second of work so many seconds of rest; a core is a quarter busy at most."""

LATE = 0.1
"""Seconds by which a timer may come late before it is concluded that others need the time."""

MOST_PATIENCE = 10.0
TRIES = 3


@implementer(IReporter)
@define(eq=False)
class Indexer:
    """Puts mails into the index; C{mailbox} reads them, C{run} runs in a thread what takes its time.

    What is still to be done is found in the store: nothing is kept here that a stop would lose. A mail that cannot be
    read keeps nobody waiting: after L{TRIES} attempts it stands in the index without words, or, if it is gone, not.
    """

    index: ISearchIndex
    mailbox: IMailbox
    clock: IReactorTime
    run: Run
    log = Logger()
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
        return len(self._fresh.keys() | self._queue.keys() | self._timers.keys() | self._current)

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
        self._fresh.update(dict.fromkeys(change.folder for change in changes))
        if self._gathering is None:
            self._gathering = self.clock.callLater(GATHER, self._gathered)

    def _gathered(self) -> None:
        self._gathering = None
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
            waiting = self._fresh or self._queue
            folder = next(iter(waiting))
            self._fresh.pop(folder, None)
            self._queue.pop(folder, None)
            self._current = frozenset((folder,))
            began = self.clock.seconds()
            if await self._step(folder):
                self._queue[folder] = None
            self._current = frozenset()
            await self._rest(self.clock.seconds() - began)
        self._working = None

    async def _step(self, folder: int) -> bool:
        """Do the next portion of a folder; whether there may be more. A failure has it tried again later."""
        try:
            portion = await self.index.portion(folder, MAILS)
            if portion is None:
                return False
            documents = await self._read(portion)
            if documents is not None:
                await self.index.put(portion, documents)
        except CancelledError:
            raise
        except Exception:
            self.log.failure("Mails of folder {folder} could not be put into the index", folder=folder)
            documents = None
        if documents is None:
            self._again(folder)
            return False
        self._failures.pop(folder, None)
        return True

    async def _read(self, portion: Portion) -> Sequence[Document] | None:
        """The mails of a portion for the index; C{None} if some are to be tried again."""
        documents: list[Document] = []
        missing: list[int] = []
        failed: list[Item] = []
        for item in portion.items:
            try:
                documents.append(await self._document(portion, item))
            except ItemGone:
                missing.append(item.id)
            except BackendDown as error:
                self.log.warn("Mail {item} cannot be read for the index: {error}", item=item.id, error=error)
                failed.append(item)
        if failed and len(failed) == len(portion.items):
            return None  # it is not the mails
        tries = self._failures.get(portion.id, 0) + 1
        if (missing or failed) and tries < TRIES:
            return None
        return [*documents, *(Document(item.id, item.received) for item in failed)]

    async def _document(self, portion: Portion, item: Item) -> Document:
        assert portion.folder is not None
        raw = await self.mailbox.read(portion.folder.user, portion.folder.path, item.name, item.state)
        found: Document = await self.run(document, raw, item)
        return found

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
