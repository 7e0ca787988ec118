"""Which folders a mailbox has: watched, written into the hierarchy, and their times compared with the notes."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from gateway.core.retrying import backoff
from gateway.interfaces import BackendDown, ILedger
from gateway.model import Folder, FoundFolder
from gateway.sources.disk import MailRoot, Stamp, Surveyed
from gateway.sources.folders import INBOX, hierarchy
from gateway.sources.place import Place
from gateway.sources.recording import Recorder
from gateway.sources.watching import TOP, WAITING, Account, Watches
from gateway.sources.work import Work

T = TypeVar("T")


@frozen
class MaildirOptions:
    """How the mailboxes are looked after.

    C{create}: make the Inbox and the special folders of an account; C{links}: the directory of an account may be a
    symbolic link; C{settle}: seconds between looks at changed folders to note their times; C{rescan}: seconds
    between looks at what cannot be watched; C{parallel}: accounts looked at at the same time.
    """

    create: bool = True
    links: bool = False
    settle: float = 10.0
    rescan: float = 30.0
    parallel: int = 8


def shape_of(folders: Iterable[Folder]) -> frozenset[FoundFolder]:
    """The hierarchy that the ledger holds, as a source would report it."""
    live = list(folders)
    paths = {folder.id: folder.path for folder in live}
    return frozenset(FoundFolder(f.path, f.name, f.type, paths.get(f.parent)) for f in live)


@define(eq=False)
class Surveyor:
    """Surveys accounts, a few at a time; whatever happens to one during its survey makes it be surveyed again."""

    ledger: ILedger
    root: MailRoot
    clock: IReactorTime
    run: Callable[..., Deferred[Any]]
    watches: Watches
    recorder: Recorder
    work: Work
    options: MaildirOptions
    log = Logger()
    accounts: dict[str, Account] = field(factory=dict, init=False)
    _queue: deque[Account] = field(factory=deque, init=False)
    _surveyors: int = field(default=0, init=False)
    _retries: dict[Account, IDelayedCall] = field(factory=dict, init=False)
    _rescan: IDelayedCall | None = field(default=None, init=False)

    def add(self, user: str, known: Sequence[Folder]) -> None:
        """Look after an account, of which the ledger knows these folders."""
        account = Account(user, shape=shape_of(known), known={folder.path: folder for folder in known})
        self.accounts[user] = account
        self.survey(account, check=True)

    def remove(self, user: str) -> None:
        """Look after an account no longer; the ledger keeps what it knows."""
        account = self.accounts.pop(user)
        account.gone = True
        self._unwatch(account)
        for place in account.places.values():
            self.recorder.forget(place)
        retry = self._retries.pop(account, None)
        if retry is not None:
            retry.cancel()

    def survey(self, account: Account, check: bool = False) -> None:
        """Survey an account soon; C{check} compares the times of all its folders too."""
        account.check = account.check or check
        if account.surveying or account.gone or self.work.stopping:
            account.again = True
            return
        account.surveying = True
        self._queue.append(account)
        if self._surveyors < self.options.parallel:
            self._surveyors += 1
            self.work.start(self._survey_all(), "surveying accounts")

    def stop(self) -> None:
        """Leave no timer behind."""
        for call in (*self._retries.values(), *([self._rescan] if self._rescan else [])):
            if call.active():
                call.cancel()
        self._retries.clear()
        for account in self.accounts.values():
            turns, account.turns = account.turns, []
            for turn in turns:
                turn.errback(BackendDown("the mail source is being stopped"))

    async def _survey_all(self) -> None:
        try:
            while self._queue and not self.work.stopping:
                await self._survey(self._queue.popleft())
        finally:
            self._surveyors -= 1

    async def _survey(self, account: Account) -> None:
        check, account.check, account.again = account.check, False, False
        try:
            if not account.gone:
                await self._look_over(account, check)
            account.failures = 0
        except CancelledError:
            raise
        except Exception:
            self.log.failure("The folders of {user} could not be looked at", user=account.user)
            account.check = account.check or check
            account.failures += 1
            self._retry(account, backoff(account.failures))
        finally:
            account.surveying = False
            self.recorder.flush()
        self._over(account)
        self._rescan_later(account)

    def _over(self, account: Account) -> None:
        """Let the next one have the folders of an account to itself, or survey it again."""
        if account.surveying:
            return
        if account.turns:
            account.surveying = True
            account.turns.pop(0).callback(None)
        elif account.again and account not in self._retries:
            self.survey(account)

    async def steadily(self, user: str, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work while the account is not surveyed, and survey it afterwards.

        @raise BackendDown: it has no directory, or was not looked at yet.
        """
        account = self.accounts.get(user)
        if account is None:
            raise BackendDown(f"the mailbox of {user} is not looked after yet")
        if account.surveying:
            turn: Deferred[None] = Deferred()
            account.turns.append(turn)
            await turn
        account.surveying = True
        try:
            if account.missing or account.gone or not account.places:
                raise BackendDown(f"the mailbox of {user} is not there")
            return await work()
        finally:
            account.again, account.surveying = True, False
            retry = self._retries.pop(account, None)
            if retry is not None:
                retry.cancel()
            self._over(account)

    def _retry(self, account: Account, seconds: float) -> None:
        if not (self.work.stopping or account.gone or account in self._retries):
            self._retries[account] = self.clock.callLater(seconds, self._retried, account)

    def _retried(self, account: Account) -> None:
        del self._retries[account]
        self.survey(account)

    async def _look_over(self, account: Account, check: bool) -> None:
        user = account.user
        if not account.prepared:
            # A mailbox that the ledger knows and that has no directory may be on a disk that is not mounted.
            there = await self.run(self.root.prepare, user, self.options.create, not account.known)
            account.prepared = there
        found: list[Surveyed] | None = None
        if account.prepared and not account.gone:
            account.top = self.watches.add((account, None, TOP), self.root.top(user), account.top)
            found = await self.run(self.root.survey, user)
        if account.gone:
            return
        if found is None or not any(one.complete and one.path == INBOX for one in found):
            self._lose(account)
            return
        account.missing = False
        self._watch(account, found)
        await self._record_hierarchy(account)
        if check:
            await self._check(account)
        for place in account.places.values():
            if place.stale or place.news:
                self.recorder.touch(place)
        self.watches.report()

    def _lose(self, account: Account) -> None:
        """An account has no directory, or no Inbox: nothing is concluded from that, it may come back."""
        if not account.missing:
            self.log.error(
                "{user} has no mail directory with an Inbox now (no symbolic link is followed): what is known of it is"
                " kept. Mount it, or make it with cur, new and tmp if it is to start empty",
                user=account.user,
            )
        account.missing = True
        self._unwatch(account)
        for place in account.places.values():
            place.overflowed()

    def _unwatch(self, account: Account) -> None:
        for path in list(account.waiting):
            self._stop_waiting(account, path)
        for place in account.places.values():
            self._drop(account, place)
        self.watches.drop(account.top, (account, None, TOP))
        account.top = 0

    def _drop(self, account: Account, place: Place) -> None:
        for wd, sub in zip(place.watches, ("new", "cur"), strict=True):
            self.watches.drop(wd, (account, place, sub))
        place.watches = (0, 0)

    def _stop_waiting(self, account: Account, path: str) -> None:
        self.watches.drop(account.waiting.pop(path), (account, None, WAITING))

    def _watch(self, account: Account, found: Sequence[Surveyed]) -> None:
        """Watch what is there and forget what is not."""
        complete = {one.path: one for one in found if one.complete}
        for one in complete.values():
            self._watch_folder(account, one)
        for path in [path for path in account.places if path not in complete]:
            place = account.places.pop(path)
            self._drop(account, place)
            self.recorder.forget(place)
        self._wait_for(account, {one.path for one in found if not one.complete and one.path})

    def _watch_folder(self, account: Account, one: Surveyed) -> None:
        place = account.places.get(one.path)
        if place is None:
            place = account.places[one.path] = Place(account.user, one.path, identity=one.identity, stale=False)
        before = place.watches
        new, cur = (
            self.watches.add((account, place, sub), self.root.place(account.user, one.path, sub), wd)
            for sub, wd in zip(("new", "cur"), before, strict=True)
        )
        place.watches = (new, cur)
        place.identity = one.identity
        if any(old not in (0, now) for old, now in zip(before, place.watches, strict=True)):
            place.stale = True  # the path is another directory's now

    def _wait_for(self, account: Account, incomplete: set[str]) -> None:
        for path in [path for path in account.waiting if path not in incomplete]:
            self._stop_waiting(account, path)
        for path in incomplete - {path for path, wd in account.waiting.items() if wd}:
            wd = self.watches.add((account, None, WAITING), self.root.place(account.user, path))
            account.waiting[path] = wd
            account.again = account.again or bool(wd)  # it may have been completed before it was watched

    async def _record_hierarchy(self, account: Account) -> None:
        found = hierarchy(account.places)
        if frozenset(found) != account.shape:
            folders, changes = await self.ledger.record_hierarchy(account.user, found)
            account.shape = shape_of(folders)
            if account.shape != frozenset(found):  # directories are still to become what the ledger says
                self._retry(account, self.options.rescan)
            account.known = {folder.path: folder for folder in folders}
            self.recorder.report(changes)
        for path, place in account.places.items():
            folder = account.known.get(path)
            if folder is not None and place.id != folder.id:
                place.id, place.note = folder.id, folder.listed
                place.stale = place.stale or not folder.listed

    async def _check(self, account: Account) -> None:
        """Have the folders listed whose times are not those of their notes."""
        places = [place for place in account.places.values() if not place.stale]
        stamps: list[Stamp | None] = await self.run(self.root.stamps, [(p.user, p.path) for p in places])
        for place, stamp in zip(places, stamps, strict=True):
            if stamp is None or stamp.note != place.note:
                place.stale = True

    def _rescan_later(self, account: Account) -> None:
        if not (account.watched or account.gone or self.work.stopping) and self._rescan is None:
            self._rescan = self.clock.callLater(self.options.rescan, self._rescan_now)

    def _rescan_now(self) -> None:
        self._rescan = None
        self.watches.try_again()
        for account in list(self.accounts.values()):
            if not account.watched:
                self.survey(account, check=True)
