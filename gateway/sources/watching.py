"""Which directory a watch descriptor stands for, and what happens when there are no more watches to be had."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from gateway.model import Folder, FoundFolder
from gateway.sources.inotify import IDirectoryEvents
from gateway.sources.place import Place

LIMIT = Path("/proc/sys/fs/inotify/max_user_watches")
OWN_LIMIT = Path("/proc/sys/user/max_inotify_watches")
"""That of the user namespace, which a container may have been given."""
NEAR = 0.9


@frozen
class Coverage:
    """How a mailbox is watched: whether it is C{missing} (no directory with an Inbox), how many of its folders are
    C{unwatched}, and how many directories the kernel watches at most, 0 if it watches none."""

    missing: bool = False
    unwatched: int = 0
    limit: int = 0


@define(eq=False)
class Account:
    """A mailbox that is looked after.

    C{top} is the descriptor of its directory (0: not watched); C{waiting} are those of directories that may become
    folders; C{shape} is the hierarchy as it was recorded last; C{missing}: it has no directory.
    C{surveying}, C{again}: it is being surveyed, or its folders are being changed, and has to be surveyed once more;
    C{turns} are those who wait to change its folders; C{check}: at the next survey the
    directory times of all folders are compared with the notes.
    """

    user: str
    places: dict[str, Place] = field(factory=dict)
    shape: frozenset[FoundFolder] = frozenset()
    known: Mapping[str, Folder] = field(factory=dict)
    top: int = 0
    waiting: dict[str, int] = field(factory=dict)
    surveying: bool = False
    again: bool = False
    turns: list[Deferred[None]] = field(factory=list)
    check: bool = False
    prepared: bool = False
    missing: bool = False
    gone: bool = False
    failures: int = 0

    @property
    def watched(self) -> bool:
        """Whether every change of this mailbox is told."""
        watched = bool(self.top) and all(self.waiting.values()) and not self.missing
        return watched and all(place.watched for place in self.places.values())

    def coverage(self, limit: int) -> Coverage:
        """How it is watched, below that limit of the kernel."""
        watched = [place.watched for place in self.places.values()] + [bool(wd) for wd in self.waiting.values()]
        return Coverage(self.missing, 0 if self.missing else watched.count(False), limit)


Owner = tuple[Account, Place | None, str]
"""Whose directory it is: C{"new"} or C{"cur"} of a folder, the top of an account, or one that may become a folder."""

TOP = "top"
WAITING = "waiting"


@define(eq=False)
class Watches:
    """The watches of all mailboxes. When the kernel gives no more, C{full} is set until C{try_again}."""

    events: IDirectoryEvents
    limit: Path = LIMIT
    log = Logger()
    full: bool = field(default=False, init=False)
    refused: int = field(default=0, init=False)
    _owners: dict[int, Owner] = field(factory=dict, init=False)
    _warned: bool = field(default=False, init=False)
    _complained: set[str] = field(factory=set, init=False)

    def owner(self, wd: int) -> Owner | None:
        """Whose directory a descriptor stands for."""
        return self._owners.get(wd)

    def __len__(self) -> int:
        return len(self._owners)

    def add(self, owner: Owner, path: str, before: int = 0) -> int:
        """Watch a directory (again); the descriptor or 0. C{before} is the one it had, which is dropped if the
        directory is another one now."""
        wd = self._watch(path, bool(before))
        if before and before != wd:
            self.drop(before, owner)
        if wd:
            self._owners[wd] = owner
        return wd

    def _watch(self, path: str, again: bool) -> int:
        if self.full and not again:  # what is watched already takes no further watch
            self.refused += 1
            return 0
        try:
            return self.events.watch(path)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                self.full, self.refused = True, 1
            elif error.errno in (errno.EMFILE, errno.ENFILE):  # there is no inotify at all: said at the start
                self.full = self._warned = True
            elif error.errno not in (errno.ENOENT, errno.ENOTDIR) and path not in self._complained:
                self._complained.add(path)
                self.log.error("{path} cannot be watched: {error}", path=path, error=error)
            return 0

    def drop(self, wd: int, owner: Owner) -> None:
        """Give up a descriptor, if it is not somebody else's by now (a renamed folder keeps its descriptors)."""
        holder = self._owners.get(wd)
        if holder is not None and all(mine is theirs for mine, theirs in zip(owner, holder, strict=True)):
            del self._owners[wd]
            self.events.unwatch(wd)

    def ignored(self, wd: int) -> Owner | None:
        """The kernel took a watch away, with its directory; whose it was."""
        owner = self._owners.pop(wd, None)
        if owner is not None:
            account, place, _ = owner
            account.top = 0 if account.top == wd else account.top
            account.waiting = {path: held for path, held in account.waiting.items() if held != wd}
            if place is not None:
                new, cur = place.watches
                place.watches = (0 if new == wd else new, 0 if cur == wd else cur)
                place.stale = True
        return owner

    def try_again(self) -> None:
        """Ask the kernel again from now on: watches may have become free, or the limit may have been raised."""
        self.full = False

    def report(self) -> None:
        """Log, once, that there are not enough watches, or nearly so, and what to do about it."""
        limit = _number(self.limit)
        if self._warned or not (self.full or (limit and len(self) >= NEAR * limit)):
            return
        self._warned = True
        self.log.warn(
            "inotify watches are running out: {used} in use, {refused} refused, fs.inotify.max_user_watches is {limit}."
            " What is not watched is looked at by directory time instead, which takes longer to notice a change."
            " Set it higher: sysctl -w fs.inotify.max_user_watches={proposal} (and in /etc/sysctl.d)",
            used=len(self),
            refused=self.refused,
            limit=limit or "unknown",
            proposal=_proposal(max(limit, len(self) + self.refused)),
        )

    def most(self) -> int:
        """How many directories the kernel watches for us, 0 if that is not known."""
        return min(filter(None, (_number(self.limit), _number(OWN_LIMIT))), default=0)


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _proposal(needed: int) -> int:
    """At least twice as many, as a power of two."""
    return 1 << (2 * max(needed, 1) - 1).bit_length()
