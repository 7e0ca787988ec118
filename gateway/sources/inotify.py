"""A reader of inotify on the reactor that tells when the kernel dropped events."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from attrs import define, field
from inotify_simple import INotify, flags, parse_events
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

CREATE = int(flags.CREATE)
DELETE = int(flags.DELETE)
MOVED_FROM = int(flags.MOVED_FROM)
MOVED_TO = int(flags.MOVED_TO)
DELETE_SELF = int(flags.DELETE_SELF)
MOVE_SELF = int(flags.MOVE_SELF)
UNMOUNT = int(flags.UNMOUNT)
Q_OVERFLOW = int(flags.Q_OVERFLOW)
IGNORED = int(flags.IGNORED)
ISDIR = int(flags.ISDIR)

DIRECTORY = int(
    flags.CREATE
    | flags.DELETE
    | flags.MOVED_FROM
    | flags.MOVED_TO
    | flags.DELETE_SELF
    | flags.MOVE_SELF
    | flags.ONLYDIR
    | flags.DONT_FOLLOW
)
"""What is watched of a directory: the coming and going of its names, and of itself."""

READ_SIZE = 65_536
READS_PER_TURN = 4
LARGEST_EVENT = 16 + 256


class Event(NamedTuple):
    """One event: watch descriptor (-1 for an overflow), mask, cookie that pairs renames, name in the directory."""

    wd: int
    mask: int
    cookie: int
    name: str


class IDirectoryEvents(Interface):
    """Where the events of watched directories come from."""

    def start(seen: Callable[[Sequence[Event]], None]) -> None:
        """Call with the events of each read, in order, from now on. An overflow is an event with Q_OVERFLOW."""

    def watch(path: str) -> int:
        """Watch a directory and return its descriptor; the same one if it is watched already.

        Raises L{OSError}: ENOSPC when the limit of watches is reached, ENOENT, ENOTDIR, EACCES.
        """

    def unwatch(wd: int) -> None:
        """Stop watching; a descriptor that is already gone is no error."""

    def drain() -> bool:
        """Hand over at once what the kernel holds; true if nothing is left, false if there was too much."""

    def stop() -> None:
        """Close; no event is handed over afterwards."""


@implementer(IReadDescriptor, IDirectoryEvents)
@define(eq=False)
class Inotify:
    """inotify on the reactor. Making one raises L{OSError} (EMFILE when max_user_instances is reached)."""

    reactor: IReactorFDSet
    log = Logger()
    _inotify: INotify = field(factory=lambda: INotify(nonblocking=True), init=False)
    _seen: Callable[[Sequence[Event]], None] | None = field(default=None, init=False)

    def start(self, seen: Callable[[Sequence[Event]], None]) -> None:
        """See L{IDirectoryEvents.start}."""
        self._seen = seen
        self.reactor.addReader(self)

    def watch(self, path: str) -> int:
        """See L{IDirectoryEvents.watch}."""
        return int(self._inotify.add_watch(path, DIRECTORY))

    def unwatch(self, wd: int) -> None:
        """See L{IDirectoryEvents.unwatch}."""
        try:
            self._inotify.rm_watch(wd)
        except OSError as error:  # EINVAL: the kernel took the watch away with its directory
            self.log.debug("Watch {wd} was gone: {error}", wd=wd, error=error)

    def drain(self) -> bool:
        """See L{IDirectoryEvents.drain}."""
        return self._seen is None or any(not self._read() for _ in range(16 * READS_PER_TURN))

    def stop(self) -> None:
        """See L{IDirectoryEvents.stop}."""
        if self._seen is not None:
            self._seen = None
            self.reactor.removeReader(self)
        self._inotify.close()

    def doRead(self) -> None:
        """Read what is there, but not for ever: epoll tells again what was left."""
        for _ in range(READS_PER_TURN):
            if not self._read():
                return

    def _read(self) -> bool:
        """One read; false when nothing was left after it."""
        if self._seen is None:
            return False
        try:
            data = os.read(self._inotify.fileno(), READ_SIZE)
        except BlockingIOError:
            return False
        self._seen([Event(*event) for event in parse_events(data)])
        return len(data) > READ_SIZE - LARGEST_EVENT  # otherwise the kernel had no further event to fill it with

    def fileno(self) -> int:
        """The descriptor for the reactor; -1 once closed."""
        return -1 if self._inotify.closed else self._inotify.fileno()

    def connectionLost(self, reason: Failure) -> None:
        """The reactor gives the descriptor up (it is stopping, or reading failed)."""
        if not self._inotify.closed:
            self.stop()

    def logPrefix(self) -> str:
        """Whose turn it is, for the log."""
        return "inotify"


@implementer(IDirectoryEvents)
@define(eq=False)
class NoEvents:
    """What is used where inotify cannot be had: nothing is ever watched, so that everything is looked at by time."""

    why: OSError = field(factory=lambda: OSError(errno.EMFILE, "inotify is not used"))

    def start(self, seen: Callable[[Sequence[Event]], None]) -> None:
        """Nothing will be seen."""

    def watch(self, path: str) -> int:
        """Raise the error that inotify gave."""
        raise self.why

    def unwatch(self, wd: int) -> None:
        """There is nothing to take away."""

    def drain(self) -> bool:
        """There is never anything."""
        return True

    def stop(self) -> None:
        """There is nothing to close."""
