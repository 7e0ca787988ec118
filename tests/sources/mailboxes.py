"""A mail root in a temporary directory, with what a test does to it and what the source is told of that."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import define, field
from twisted.internet.defer import execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from gateway.interfaces import IReporter
from gateway.model import Change, DeviceKey, Folder, Item
from gateway.sources.disk import MailRoot
from gateway.sources.inotify import CREATE, DELETE, IGNORED, ISDIR, MOVED_FROM, MOVED_TO, Event, IDirectoryEvents
from gateway.sources.maildir import MaildirOptions, MaildirSource
from gateway.store import Store
from tests.stores import new_store

USER = "alice"
DEVICE = DeviceKey(USER, "phone1")


@implementer(IDirectoryEvents)
@define(eq=False)
class FedEvents:
    """Watches without a kernel: a test feeds the events. C{capacity} is how many directories can be watched;
    C{watching} is called before a directory is watched."""

    capacity: int = 1000
    watched: dict[int, int] = field(factory=dict)
    queue: list[Event] = field(factory=list)
    seen: Callable[[Sequence[Event]], None] | None = None
    watching: Callable[[str], None] = lambda path: None
    _last: int = 0

    def start(self, seen: Callable[[Sequence[Event]], None]) -> None:
        self.seen = seen

    def watch(self, path: str) -> int:
        self.watching(path)
        status = os.stat(path, follow_symlinks=path.endswith("/"))
        if not os.path.isdir(path) or os.path.islink(path.rstrip("/")):
            raise NotADirectoryError(errno.ENOTDIR, path)
        for wd, inode in self.watched.items():
            if inode == status.st_ino:
                return wd
        if len(self.watched) >= self.capacity:
            raise OSError(errno.ENOSPC, "no watches left")
        self._last += 1
        self.watched[self._last] = status.st_ino
        return self._last

    def unwatch(self, wd: int) -> None:
        self.watched.pop(wd, None)

    def drain(self) -> bool:
        events, self.queue = self.queue, []
        if events and self.seen is not None:
            self.seen(events)
        return True

    def stop(self) -> None:
        self.seen = None

    def wd(self, inode: int) -> int | None:
        """The descriptor of a watched inode."""
        return next((wd for wd, watched in self.watched.items() if watched == inode), None)

    def add(self, inode: int, mask: int, name: str, cookie: int = 0) -> None:
        """Queue an event if the directory is watched."""
        wd = self.wd(inode)
        if wd is not None:
            self.queue.append(Event(wd, mask, cookie, name))

    def ignore(self, inode: int) -> None:
        """The kernel takes the watch of a removed directory away."""
        wd = self.wd(inode)
        if wd is not None:
            del self.watched[wd]
            self.queue.append(Event(wd, IGNORED, 0, ""))


class Synced(list[Path]):
    """The paths that are written to the disk, at the time when they are."""

    def __init__(self, case: SynchronousTestCase) -> None:
        super().__init__()
        case.patch(os, "fsync", lambda descriptor: self.append(Path(os.readlink(f"/proc/self/fd/{descriptor}"))))


@implementer(IReporter)
@define(eq=False)
class Reports:
    """What was reported; C{also} is called at each report."""

    changes: list[Change] = field(factory=list)
    also: Callable[[], None] = lambda: None

    def changed(self, *changes: Change) -> None:
        self.changes.extend(changes)
        self.also()


@define(eq=False)
class Mailboxes:
    """The world of a test: what programs do to the files queues the events; C{turn} lets the source act on them.

    C{age} is how far the wall clock of the source is ahead, so that directories count as old.
    """

    path: Path
    clock: Clock = field(factory=Clock)
    events: FedEvents = field(factory=FedEvents)
    reports: Reports = field(factory=Reports)
    store: Store = field(factory=new_store)
    users: list[str] = field(factory=lambda: [USER])
    age: float = 0.0
    _cookies: int = 0

    def source(self, options: MaildirOptions | None = None, **instead: object) -> MaildirSource:
        """A source that is not started."""
        options = options or MaildirOptions(create=False)
        arguments = {
            "directory": str(self.path),
            "ledger": self.store,
            "reporter": self.reports,
            "clock": self.clock,
            "run": execute,
            "accounts": lambda: list(self.users),
            "events": self.events,
            "options": options,
            "root": MailRoot(str(self.path), options.links, lambda: time.time() + self.age),
        }
        return MaildirSource(**{**arguments, **instead})

    def folder(self, path: str = "", user: str = USER) -> Path:
        """Make a folder as a mail program does."""
        where = self.path / user / path
        made = not where.exists()
        where.mkdir(parents=True, exist_ok=True)
        if made and path:
            self.events.add(where.parent.stat().st_ino, CREATE | ISDIR, path)
        for sub in ("tmp", "new", "cur"):
            (where / sub).mkdir()
            self.events.add(where.stat().st_ino, CREATE | ISDIR, sub)
        return where

    def write(self, name: str, folder: str = "", user: str = USER, text: str = "Subject: x\n\nx\n") -> Path:
        """Deliver a mail under C{new/...} or C{cur/...}."""
        file = self.path / user / folder / name
        file.write_text(text)
        self._cookies += 1
        self.events.add(file.parent.stat().st_ino, MOVED_TO, file.name, self._cookies)
        return file

    def rename(self, source: Path, target: Path) -> Path:
        """Rename a file or a directory."""
        self._cookies += 1
        kind = ISDIR if source.is_dir() else 0
        source.rename(target)
        self.events.add(source.parent.stat().st_ino, MOVED_FROM | kind, source.name, self._cookies)
        self.events.add(target.parent.stat().st_ino, MOVED_TO | kind, target.name, self._cookies)
        return target

    def delete(self, file: Path) -> None:
        """Delete a file."""
        file.unlink()
        self.events.add(file.parent.stat().st_ino, DELETE, file.name)

    def remove_folder(self, folder: Path) -> None:
        """Remove a folder with all that is in it."""
        for sub in ("tmp", "new", "cur"):
            inode = (folder / sub).stat().st_ino
            for file in (folder / sub).iterdir():
                self.delete(file)
            (folder / sub).rmdir()
            self.events.ignore(inode)
        inode = folder.stat().st_ino
        folder.rmdir()
        self.events.ignore(inode)
        self.events.add(folder.parent.stat().st_ino, DELETE | ISDIR, folder.name)

    def turn(self, seconds: float = 0.0) -> None:
        """One turn of the reactor and the calls that fall due."""
        self.events.drain()
        self.clock.pump([seconds] + [0.0] * 5)

    def folders(self, user: str = USER) -> dict[str, Folder]:
        """The folders in the ledger by path."""
        return {folder.path: folder for folder in self.now(self.store.folders(user))}

    def states(self, path: str = "", user: str = USER) -> dict[str, str]:
        """Name to state of the mails that the ledger has in a folder."""
        return self.now(self.store.listing(self.folders(user)[path].id))

    def items(self, user: str = USER) -> list[Item]:
        """All items of a user (ids are small in a test)."""
        return self.now(self.store.items(user, range(1, 200)))

    def now(self, deferred):
        """The result that a Deferred has."""
        results: list[object] = []
        deferred.addBoth(results.append)
        (result,) = results
        return result
