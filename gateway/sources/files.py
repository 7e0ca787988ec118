"""The files of mails: found, read, renamed and delivered. Everything here blocks: it belongs into a thread."""

from __future__ import annotations

import errno
import os
import socket
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import combinations, count
from threading import Lock

from attrs import define, field, frozen
from twisted.logger import Logger

from gateway.interfaces import BackendDown, ItemGone
from gateway.model import Intent, IntentKind
from gateway.sources.disk import ABSENT, MailRoot
from gateway.sources.folderwork import FolderWork
from gateway.sources.names import KNOWN_LETTERS, altered, is_clean, joined, split
from gateway.sources.place import Location

LETTERS = tuple(
    "".join(chosen) for size in range(len(KNOWN_LETTERS) + 1) for chosen in combinations(sorted(KNOWN_LETTERS), size)
)
"""All states a mail without keywords can have, the fewest letters first: asking for each is cheaper than a listing."""

INDEXES = 4
TRIES = 3

Name = tuple[str, str, str]
"""A mail by user, path of the folder, and base."""


def names_of(intent: Intent) -> set[Name]:
    """The mail that an intent is about, under its name before and afterwards; for a folder a name that no mail has."""
    if intent.kind.of_folder:
        return {(intent.user, path, "") for path in (intent.path, intent.to)}
    before = (intent.user, intent.path, intent.name)
    return {before, (intent.user, intent.to, intent.to_name)} if intent.kind is IntentKind.MOVE else {before}


@frozen
class Index:
    """The names in a C{cur} at the time of its stamp, in one text: a tenth of what a dictionary takes."""

    stamp: tuple[int, int]
    names: str

    def find(self, base: str) -> str | None:
        """The name of the file with that base."""
        start = self.names.find(f"/{base}:2,")
        if start < 0:
            return None
        return self.names[start + 1 : self.names.index("/", start + 1)]


@define(eq=False)
class MailFiles:
    """The files below a L{MailRoot}. C{host} goes into the names of delivered mails."""

    root: MailRoot
    host: str = field(factory=socket.gethostname)
    log = Logger()
    _folders: FolderWork = field(init=False)
    _delivered: Iterator[int] = field(factory=lambda: count(1), init=False)
    _indexes: dict[tuple[str, str], Index] = field(factory=dict, init=False)
    _lock: Lock = field(factory=Lock, init=False)

    @_folders.default
    def _make_folders(self) -> FolderWork:
        return FolderWork(self.root)

    def read(self, user: str, path: str, name: str, state: str) -> bytes:
        """The bytes of a mail. Raises L{ItemGone}, or L{BackendDown} when the disk does not give them."""
        found = self._read(user, path, name, state)
        for other in self._folders.elsewhere(user, path) if found is None else ():
            found = self._read(user, other, name, state)
            if found is not None:
                break
        if found is not None:
            return found
        raise ItemGone(f"{user}{path}/{name}")

    def _read(self, user: str, path: str, name: str, state: str) -> bytes | None:
        try:
            for _ in range(TRIES):
                where = self._find(user, path, name, state)
                if where is None:
                    break
                try:
                    return self._contents(user, path, where)
                except FileNotFoundError:  # renamed in between
                    continue
        except OSError as error:
            if error.errno not in ABSENT:
                raise BackendDown(f"reading a mail of {user}: {error}") from error
        return None

    def _contents(self, user: str, path: str, where: Location) -> bytes:
        with self.root.directory(user, path, where[0]) as directory:
            opened = os.open(where[1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
            with open(opened, "rb") as file:
                if not stat.S_ISREG(os.fstat(opened).st_mode):
                    raise FileNotFoundError(errno.ENOENT, "not a file")
                return file.read()

    def _find(self, user: str, path: str, base: str, state: str | None = None) -> Location | None:
        """Where the mail with that base lies now, or C{None}. Raises L{OSError}, also if there is no such folder."""
        if not is_clean(base):
            return None
        # Names are tried one after another: a mail that is renamed meanwhile can be missed, but hardly twice.
        where = self._looked_up(user, path, base, state)
        return where or self._looked_up(user, path, base, state)

    def _looked_up(self, user: str, path: str, base: str, state: str | None) -> Location | None:
        with self.root.directory(user, path, "new") as new:
            if state is None and _there(base, new):
                return "new", base
            with self.root.directory(user, path, "cur") as cur:
                if state is not None and _there(joined(base, state), cur):
                    return "cur", joined(base, state)
                if _there(base, new):
                    return "new", base
                name = self._find_in_cur(cur, (user, path), base)
                return ("cur", name) if name else self._find_odd(new, cur, base)

    def _find_in_cur(self, cur: int, folder: tuple[str, str], base: str) -> str | None:
        """Guess the letters; a mail with keywords is looked up in a listing that is kept while it holds."""
        for letters in LETTERS:
            if _there(joined(base, letters), cur):
                return joined(base, letters)
        index = self._indexes.get(folder)
        name = index.find(base) if index and index.stamp == _stamp(cur) else None
        if name and _there(name, cur):
            return name
        return self._indexed(cur, folder).find(base)

    def _indexed(self, cur: int, folder: tuple[str, str]) -> Index:
        stamp = _stamp(cur)
        index = Index(stamp, "/".join(["", *os.listdir(cur), ""]))
        with self._lock:
            self._indexes.pop(folder, None)
            self._indexes[folder] = index
            while len(self._indexes) > INDEXES:
                del self._indexes[next(iter(self._indexes))]
        return index

    def _find_odd(self, new: int, cur: int, base: str) -> Location | None:
        """A name without info in C{cur}, a name with info in C{new}."""
        if _there(base, cur):
            return "cur", base
        odd = next((name for name in os.listdir(new) if split(name)[0] == base), None)
        return ("new", odd) if odd else None

    def carry_out(self, intents: Sequence[Intent]) -> tuple[list[int], set[tuple[str, str]]]:
        """Do what the intents say, in order, and have it on disk; what follows a failure at the same mail waits.

        The ids of those that are done, also because there is nothing left to do; and the folders (user, path) that
        do not hold what they should, because a mail could not go where it was to go.
        """
        done: list[int] = []
        touched: set[tuple[str, str, str]] = set()
        astray: set[tuple[str, str]] = set()
        failed: set[Name] = set()
        for intent in intents:
            if not failed.isdisjoint(names_of(intent)):
                failed |= names_of(intent)
                continue
            try:
                if not self._carried_out(intent, touched):
                    astray.add((intent.user, intent.path))
                done.append(intent.id)
            except OSError as error:
                failed |= names_of(intent)
                self.log.error(
                    "{kind} in {path!r} of {user} failed and will be tried again: {error}",
                    kind=intent.kind.value,
                    user=intent.user,
                    path=intent.path,
                    error=error,
                )
        for place in touched:
            self._sync(*place)
        return done, astray

    def _carried_out(self, intent: Intent, touched: set[tuple[str, str, str]]) -> bool:
        if intent.kind.of_folder:
            return self._folders.carried_out(intent)
        if intent.kind is IntentKind.FILL:
            return self._filled(intent, touched)
        for _ in range(TRIES):
            try:
                where = self._find(intent.user, intent.path, intent.name)
            except OSError as error:
                if error.errno not in ABSENT:
                    raise
                return True
            if where is None:
                return True
            try:
                return self._apply(intent, where, touched)
            except FileNotFoundError:  # renamed in between: it has other letters now
                continue
        raise FileNotFoundError(errno.ENOENT, "the file is renamed again and again")

    def _filled(self, intent: Intent, touched: set[tuple[str, str, str]]) -> bool:
        """What is held ready appears; it may have done so before."""
        target = joined(intent.name, altered("", intent.add, ""))
        try:
            self._rename(intent.user, intent.path, ("tmp", intent.name), intent.path, ("cur", target), touched)
        except (FileNotFoundError, MissingTarget):
            return self._is_there(intent)
        return True

    def _is_there(self, intent: Intent) -> bool:
        try:
            return self._find(intent.user, intent.path, intent.name) is not None
        except OSError as error:
            if error.errno not in ABSENT:
                raise
            return False

    def _apply(self, intent: Intent, where: Location, touched: set[tuple[str, str, str]]) -> bool:
        user, path = intent.user, intent.path
        sub, name = where
        base, letters = split(name)
        if intent.kind is IntentKind.DELETE:
            with self.root.directory(user, path, sub) as source:
                os.unlink(name, dir_fd=source)
            touched.add((user, path, sub))
            return True
        if intent.kind is IntentKind.FLAGS:
            target: Location = ("cur", joined(base, altered(letters, intent.add, intent.remove)))
            to = path
        elif not is_clean(intent.to_name):
            return False
        else:
            target = (sub, intent.to_name + name[len(base) :])
            to = intent.to
        try:
            self._rename(user, path, where, to, target, touched)
        except MissingTarget:
            self.log.warn("A mail of {user} cannot be moved to {to!r}: no such folder", user=user, to=to)
            return False
        return True

    def _rename(
        self,
        user: str,
        path: str,
        where: Location,
        to: str,
        target: Location,
        touched: set[tuple[str, str, str]],
    ) -> None:
        if (path, where) == (to, target):
            return
        with (
            self.root.directory(user, path, where[0]) as source,
            self._destination(user, to, target[0]) as destination,
        ):
            os.rename(where[1], target[1], src_dir_fd=source, dst_dir_fd=destination)
        touched.update({(user, path, where[0]), (user, to, target[0])})

    @contextmanager
    def _destination(self, user: str, path: str, sub: str) -> Iterator[int]:
        with ExitStack() as stack:
            try:
                directory = stack.enter_context(self.root.directory(user, path, sub))
            except OSError as error:
                if error.errno in ABSENT:
                    raise MissingTarget from error
                raise
            yield directory

    def _sync(self, user: str, path: str, sub: str) -> None:
        try:
            with self.root.directory(user, path, sub) as directory:
                os.fsync(directory)
        except OSError as error:
            if error.errno not in ABSENT:
                raise

    def deliver(self, user: str, message: bytes) -> None:
        """Put a mail into C{new/} of the Inbox, on disk. Raises L{BackendDown} if that cannot be done now."""
        try:
            with self.root.directory(user, "", "tmp") as tmp, self.root.directory(user, "", "new") as new:
                name = self._unique()
                _write(tmp, name, message)
                try:
                    os.rename(name, name, src_dir_fd=tmp, dst_dir_fd=new)
                except OSError:
                    os.unlink(name, dir_fd=tmp)
                    raise
                os.fsync(new)
        except OSError as error:
            raise BackendDown(f"delivering to {user}: {error}") from error

    def place(self, user: str, path: str, name: str, message: bytes, state: str, again: bool) -> None:
        """Put a mail into a folder, on disk, unless it is there C{again}. Raises L{ItemGone} if there is no such
        folder, or L{BackendDown} if that cannot be done now."""
        target = ("cur", joined(name, state)) if state else ("new", name)
        try:
            if again and self._find(user, path, name) is not None:
                return
            with self.root.directory(user, path, "tmp") as tmp, self.root.directory(user, path, target[0]) as there:
                _write_anew(tmp, name, message)
                os.rename(name, target[1], src_dir_fd=tmp, dst_dir_fd=there)
                os.fsync(there)
        except OSError as error:
            if error.errno in ABSENT and path:
                raise ItemGone(f"{user}{path}") from error
            raise BackendDown(f"delivering to {user}{path}: {error}") from error

    def stage(self, user: str, path: str, name: str, message: bytes) -> None:
        """Hold a mail ready, on disk, in C{tmp}, where a FILL finds it. Raises as L{place} does."""
        try:
            with self.root.directory(user, path, "tmp") as tmp:
                _write_anew(tmp, name, message)
                os.fsync(tmp)
        except OSError as error:
            if error.errno in ABSENT:
                raise ItemGone(f"{user}{path}") from error
            raise BackendDown(f"writing a draft of {user}{path}: {error}") from error

    def discard(self, user: str, path: str, names: Sequence[str]) -> None:
        """Remove what was held ready."""
        with suppress(OSError), self.root.directory(user, path, "tmp") as tmp:
            for name in names:
                with suppress(OSError):
                    os.unlink(name, dir_fd=tmp)

    def _unique(self) -> str:
        """A name that no other delivery on this host gets (https://cr.yp.to/proto/maildir.html)."""
        seconds, micros = divmod(time.time_ns() // 1000, 1_000_000)
        host = self.host.replace("/", "\\057").replace(":", "\\072") or "localhost"
        return f"{seconds}.M{micros}P{os.getpid()}Q{next(self._delivered)}.{host}"


class MissingTarget(Exception):
    """The folder that a mail is to be moved to is not there."""


def _there(name: str, directory: int) -> bool:
    return os.access(name, os.F_OK, dir_fd=directory, follow_symlinks=False)


def _stamp(directory: int) -> tuple[int, int]:
    status = os.fstat(directory)
    return status.st_ino, status.st_mtime_ns


def _write_anew(tmp: int, name: str, message: bytes) -> None:
    with suppress(FileNotFoundError):  # what was left of an attempt that broke off
        os.unlink(name, dir_fd=tmp)
    _write(tmp, name, message)


def _write(tmp: int, name: str, message: bytes) -> None:
    opened = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=tmp)
    try:
        with open(opened, "wb") as file:
            file.write(message)
            file.flush()
            os.fsync(opened)
    except OSError:
        os.unlink(name, dir_fd=tmp)
        raise
