"""The source of mail: a folder of Maildir++ mailboxes, watched with inotify."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorFDSet, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from gateway.arrangement import Arrangement
from gateway.core.retrying import backoff
from gateway.interfaces import ILedger, IMailbox, IReporter
from gateway.model import Folder, Intent, IntentKind
from gateway.sources import arranging
from gateway.sources.carrying import Carrier
from gateway.sources.disk import MailRoot
from gateway.sources.files import MailFiles
from gateway.sources.inotify import IDirectoryEvents, Inotify, NoEvents
from gateway.sources.observing import Observer
from gateway.sources.recording import Recorder
from gateway.sources.settling import Settling
from gateway.sources.surveying import MaildirOptions, Surveyor
from gateway.sources.sweeping import sweep
from gateway.sources.watching import Coverage, Watches
from gateway.sources.work import Work

__all__ = ["MaildirOptions", "MaildirSource", "directory_events"]

T = TypeVar("T")


def directory_events(reactor: IReactorFDSet) -> IDirectoryEvents:
    """inotify on this reactor, or nothing where the system has none to give, which is logged."""
    try:
        return Inotify(reactor)
    except OSError as error:
        Logger().error(
            "inotify cannot be had ({error}): changes are noticed by looking at directory times, later."
            " Too many programs may use it: see fs.inotify.max_user_instances",
            error=error,
        )
        return NoEvents(error)


@implementer(IMailbox)
@define(eq=False, slots=False)
class MaildirSource(Service):
    """Looks after the mailboxes of all enabled accounts below one directory.

    C{accounts} gives the enabled accounts; C{run} runs a blocking function with its arguments in a thread and returns
    a Deferred; C{events} comes from L{directory_events}. What changed is written to the ledger and then told to the
    reporter.
    """

    directory: str
    ledger: ILedger
    reporter: IReporter
    clock: IReactorTime
    run: Callable[..., Deferred[Any]]
    accounts: Callable[[], list[str]]
    events: IDirectoryEvents
    options: MaildirOptions = field(factory=MaildirOptions)
    root: MailRoot = field()
    watches: Watches = field(init=False)
    recorder: Recorder = field(init=False)
    surveyor: Surveyor = field(init=False)
    observer: Observer = field(init=False)
    log = Logger()
    _files: MailFiles = field(init=False)
    _settling: Settling = field(init=False)
    _carrier: Carrier = field(init=False)
    _work: Work = field(init=False)
    _known: bool = field(default=False, init=False)

    @root.default
    def _make_root(self) -> MailRoot:
        return MailRoot(self.directory, self.options.links)

    def __attrs_post_init__(self) -> None:
        """Put the parts together; each of them knows only those that it calls."""
        ledger, root, clock, run, drain = self.ledger, self.root, self.clock, self.run, self.events.drain
        work = self._work = Work(clock)
        self._files = MailFiles(root)
        self._settling = Settling(ledger, root, clock, run, drain, work, self.options.settle)
        self.recorder = Recorder(ledger, self.reporter, root, clock, run, drain, self._settling, work)
        self.watches = Watches(self.events)
        self.surveyor = Surveyor(ledger, root, clock, run, self.watches, self.recorder, work, self.options)
        self.observer = Observer(clock, self.events, self.watches, self.surveyor, self.recorder, self._settling)
        self._carrier = Carrier(ledger, self._files, clock, run, work, self._list_again, self._look_again)

    def startService(self) -> None:
        """Begin with what was not carried out before the last stop, then survey all accounts."""
        super().startService()
        self.events.start(self.observer.seen)
        self._work.start(self._begin(), "starting the mail source")

    def whenStarted(self) -> Deferred[None]:
        """Fires when every account has been compared with the ledger once (or failed, and is tried again later)."""
        return self._work.finished()

    def stopService(self) -> Deferred[None]:
        """Write down what was seen, note the times of the folders at rest, and close."""
        super().stopService()
        return Deferred.fromCoroutine(self._end())

    def accounts_changed(self) -> None:
        """The accounts were read again: begin with new ones, end with those that are gone."""
        if not (self.running and self._known):
            return
        names = set(self.accounts())
        for user in self.surveyor.accounts.keys() - names:
            self.surveyor.remove(user)
        for user in sorted(names - self.surveyor.accounts.keys()):
            self._work.start(self._add(user), "beginning with an account")

    def look_again(self, user: str) -> None:
        """Somebody says that the mailbox of a user has changed: list the folders whose times are others than noted."""
        account = self.surveyor.accounts.get(user)
        if self.running and account is not None:
            self.surveyor.survey(account, check=True)

    def coverage(self, user: str) -> Coverage:
        """How the mailbox of a user is watched."""
        account = self.surveyor.accounts.get(user)
        limit = 0 if isinstance(self.events, NoEvents) else self.watches.most()
        return Coverage(limit=limit) if account is None else account.coverage(limit)

    def read(self, user: str, path: str, name: str, state: str) -> Deferred[bytes]:
        """See L{IMailbox.read}."""
        return self.run(self._files.read, user, path, name, state)

    def carry_out(self, intents: Sequence[Intent]) -> Deferred[list[int]]:
        """See L{IMailbox.carry_out}."""
        return Deferred.fromCoroutine(self._carrier.carry_out(intents))

    def deliver(self, user: str, message: bytes) -> Deferred[None]:
        """See L{IMailbox.deliver}. Fails with L{gateway.interfaces.BackendDown} when the disk does not take it."""
        return self.run(self._files.deliver, user, message)

    def place(self, user: str, path: str, name: str, message: bytes, state: str, again: bool) -> Deferred[None]:
        """See L{IMailbox.place}. Fails with L{gateway.interfaces.BackendDown} when the disk does not take it."""
        return self.run(self._files.place, user, path, name, message, state, again)

    def stage(self, user: str, path: str, name: str, message: bytes) -> Deferred[None]:
        """See L{IMailbox.stage}. Fails with L{gateway.interfaces.BackendDown} when the disk does not take it."""
        return self.run(self._files.stage, user, path, name, message)

    def discard(self, user: str, path: str, names: Sequence[str]) -> Deferred[None]:
        """See L{IMailbox.discard}."""
        return self.run(self._files.discard, user, path, names)

    def making(self, folders: Sequence[Folder], parent: Folder | None, name: str) -> Arrangement:
        """See L{IMailbox.making}."""
        return arranging.making(folders, parent, name)

    def moving(self, folders: Sequence[Folder], folder: Folder, parent: Folder | None, name: str) -> Arrangement:
        """See L{IMailbox.moving}."""
        return arranging.moving(folders, folder, parent, name)

    def removing(self, folders: Sequence[Folder], folder: Folder) -> Arrangement:
        """See L{IMailbox.removing}."""
        return arranging.removing(folders, folder)

    def clearing(self, folders: Sequence[Folder], folder: Folder) -> Arrangement | None:
        """See L{IMailbox.clearing}."""
        return arranging.clearing(folders, folder)

    def steadily(self, user: str, work: Callable[[], Awaitable[T]]) -> Deferred[T]:
        """See L{IMailbox.steadily}."""
        return Deferred.fromCoroutine(self.surveyor.steadily(user, work))

    def sweep(self) -> Deferred[None]:
        """Remove what attempts that broke off have left in the mailboxes, once it is old (L{gateway.sources.sweeping}).

        Fails with L{gateway.interfaces.BackendDown} when the ledger does not answer.
        """
        return Deferred.fromCoroutine(self._sweep())

    async def _sweep(self) -> None:
        wanted: dict[str, list[tuple[str, str]]] = {}
        for intent in await self.ledger.pending():
            if intent.kind is IntentKind.FILL:
                wanted.setdefault(intent.user, []).append((intent.path, intent.name))
        for user in list(self.surveyor.accounts):
            if self.running:
                await self._sweep_account(user, wanted.get(user, []))

    async def _sweep_account(self, user: str, wanted: Sequence[tuple[str, str]]) -> None:
        try:
            count = await self.run(sweep, self.root, user, wanted)
        except OSError as error:
            self.log.warn("What is left in the mailbox of {user} cannot be removed: {error}", user=user, error=error)
            return
        if count:
            self.log.info("{count} files were left in the mailbox of {user}, and are removed", count=count, user=user)

    async def _begin(self) -> None:
        intents = await self._persist(self.ledger.pending)
        if intents:
            await self._persist(lambda: Deferred.fromCoroutine(self._carrier.finish(intents)))
        known: dict[str, list[Folder]] = {}
        for folder in await self._persist(self.ledger.everything):
            known.setdefault(folder.user, []).append(folder)
        self._known = True
        for user in self.accounts():
            self.surveyor.add(user, known.get(user, []))

    async def _add(self, user: str) -> None:
        known = await self._persist(lambda: self.ledger.folders(user))
        if self.running and user in self.accounts() and user not in self.surveyor.accounts:
            self.surveyor.add(user, known)

    async def _end(self) -> None:
        self.events.drain()
        self._work.stop()
        await self._work.finished()
        self.recorder.flush()
        await self._work.finished()
        await self._settling.settle()
        self.events.stop()
        for part in (self.surveyor, self._carrier, self.observer, self.recorder, self._settling):
            part.stop()

    async def _persist(self, ask: Callable[[], Deferred[T]]) -> T:
        """Ask until there is an answer."""
        failures = 0
        while True:
            try:
                return await ask()
            except CancelledError:
                raise
            except Exception:
                failures += 1
                self.log.failure("The ledger does not answer; it is asked again in {s} s", s=backoff(failures))
            await self._work.pause(backoff(failures))

    def _list_again(self, user: str, path: str) -> None:
        account = self.surveyor.accounts.get(user)
        place = account.places.get(path) if account else None
        if place is not None:
            place.stale = True
            self.recorder.touch(place)
        else:
            self._look_again(user)

    def _look_again(self, user: str) -> None:
        account = self.surveyor.accounts.get(user)
        if account is not None:
            self.surveyor.survey(account)
