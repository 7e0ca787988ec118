"""The directories of the mailboxes: made, looked at and compared. Everything here blocks: it belongs into a thread.

Below the mail root no symbolic link is followed, so that nobody's mailbox can lead into another's or elsewhere.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from attrs import frozen

from gateway.model import Found
from gateway.sources.folders import account_directory, is_folder_name, missing_specials
from gateway.sources.names import is_message, received, split, state_of
from gateway.sources.place import Identity, Location

SETTLED = 2.0
"""Seconds: a directory that changed less than that ago may change again without its time showing it."""

ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""What opening gives for something that is not there, or that is a symbolic link."""

SUBS = ("cur", "new", "tmp")
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@frozen
class Stamp:
    """The times of a folder's directories: a note that differs after any change; C{settled} if they are no longer
    so young that the next change might leave them as they are. C{identity} tells which directories they are."""

    note: str
    settled: bool
    identity: Identity


@frozen
class Surveyed:
    """A directory that may be a folder; C{complete} if C{new} and C{cur} are both there."""

    path: str
    identity: Identity
    complete: bool


@frozen
class Difference:
    """How the files of a folder differ from what the ledger holds; C{stamp} was taken before they were listed."""

    stamp: Stamp
    found: Sequence[Found] = ()
    gone: Sequence[str] = ()


@frozen
class MailRoot:
    """The folder that holds one Maildir++ per account.

    C{links}: the directory of an account itself may be a symbolic link. C{now} is wall-clock time, in seconds.
    """

    root: str
    links: bool = False
    now: Callable[[], float] = time.time

    @contextmanager
    def account(self, user: str) -> Iterator[int]:
        """A descriptor of the account's directory. Raises L{OSError}; ENOENT for names that cannot be accounts."""
        name = account_directory(user)
        if name is None:
            raise FileNotFoundError(errno.ENOENT, "not a name for a mail directory")
        descriptor = os.open(os.path.join(self.root, name), DIRECTORY | (0 if self.links else os.O_NOFOLLOW))
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def directory(self, user: str, path: str, sub: str) -> Iterator[int]:
        """A descriptor of C{new}, C{cur} or C{tmp} of a folder. Raises L{OSError}."""
        if path and not is_folder_name(path):
            raise FileNotFoundError(errno.ENOENT, "not a name for a folder")
        with self.account(user) as account, below(account, path) as folder, below(folder, sub) as descriptor:
            yield descriptor

    def top(self, user: str) -> str:
        """The path of an account's directory, for watching it; the slash follows a link where that is allowed."""
        return os.path.join(self.root, user) + ("/" if self.links else "")

    def place(self, user: str, path: str, sub: str = "") -> str:
        """The path of a folder's directory, for watching it."""
        return os.path.join(self.root, user, *filter(None, (path, sub)))

    def prepare(self, user: str, make: bool, anew: bool) -> bool:
        """See that the special folders are there, and on disk (C{make}); an Inbox is only made if C{anew}.

        Whether the account has a directory at all.
        """
        if account_directory(user) is None:
            return False
        if make and anew:
            os.makedirs(self.root, 0o700, exist_ok=True)
            with _opened(os.open(self.root, DIRECTORY)) as root:
                _made(root, user)
        try:
            with self.account(user) as account:
                if make and (anew or _surveyed(account, "").complete):
                    _complete(account)
                    for path in missing_specials(_folder_names(account)):
                        make_folder(account, path)
                return True
        except OSError as error:
            if error.errno in ABSENT:
                return False
            raise

    def survey(self, user: str) -> list[Surveyed] | None:
        """The directories that are or may become folders; C{None} if the account has no directory."""
        try:
            with self.account(user) as account:
                return [_surveyed(account, path) for path in ["", *_folder_names(account)]]
        except OSError as error:
            if error.errno in ABSENT:
                return None
            raise

    def stamps(self, wanted: Sequence[tuple[str, str]]) -> list[Stamp | None]:
        """The times of folders (user, path); C{None} for those that are not there."""
        return [self._stamp(user, path) for user, path in wanted]

    def _stamp(self, user: str, path: str) -> Stamp | None:
        try:
            new = os.stat(self.place(user, path, "new"), follow_symlinks=False)
            cur = os.stat(self.place(user, path, "cur"), follow_symlinks=False)
        except OSError:
            return None
        age = self.now() - max(new.st_mtime, cur.st_mtime)
        return Stamp(f"{_times(new)} {_times(cur)}", age >= SETTLED, (new.st_ino, cur.st_ino))

    def compare(self, user: str, path: str, known: Mapping[str, str]) -> Difference | None:
        """List a folder and say how it differs from the names and states that are known; C{None} if it is not there,
        which says nothing of its mails."""
        stamp = self._stamp(user, path)
        if stamp is None:
            return None
        try:
            listed = self._listed(user, path)
        except OSError as error:
            if error.errno in ABSENT:
                return None
            raise
        wanted = [(base, *where) for base, where in listed.items() if known.get(base) != state_of(where[1])]
        gone = [base for base in known if base not in listed]
        return Difference(stamp, self.look(user, path, wanted), gone)

    def _listed(self, user: str, path: str) -> dict[str, Location]:
        listed: dict[str, Location] = {}
        for sub in ("new", "cur"):  # in the direction that mails move
            with self.directory(user, path, sub) as descriptor:
                names = os.listdir(descriptor)
            listed.update((split(name)[0], (sub, name)) for name in names if is_message(name))
        return listed

    def look(self, user: str, path: str, wanted: Sequence[tuple[str, str, str]]) -> list[Found]:
        """What there is of these mails (base, C{new} or C{cur}, name); what is no file, or gone, is left out."""
        found: list[Found] = []
        for sub in ("new", "cur"):
            here = [(base, name) for base, where, name in wanted if where == sub]
            if not here:
                continue
            try:
                with self.directory(user, path, sub) as descriptor:
                    found.extend(f for base, name in here if (f := self._found(descriptor, base, name)))
            except OSError as error:
                if error.errno not in ABSENT:
                    raise
        return found

    def _found(self, descriptor: int, base: str, name: str) -> Found | None:
        try:
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        return Found(base, state_of(name), received(base, status.st_mtime, self.now()))


def _times(status: os.stat_result) -> str:
    # What puts a backup back sets the time of modification to that of then, though other mails may be there now.
    return f"{status.st_ino}.{status.st_mtime_ns}.{status.st_ctime_ns}"


@contextmanager
def _opened(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def below(descriptor: int, name: str) -> Iterator[int]:
    """A directory in a directory; the empty name is the directory itself."""
    if not name:
        yield descriptor
        return
    with _opened(os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)) as below:
        yield below


def _folder_names(account: int) -> list[str]:
    with os.scandir(account) as entries:
        return sorted(e.name for e in entries if is_folder_name(e.name) and e.is_dir(follow_symlinks=False))


def _surveyed(account: int, path: str) -> Surveyed:
    status: list[os.stat_result | None] = []
    for sub in ("new", "cur"):
        try:
            found = os.stat(os.path.join(path, sub), dir_fd=account, follow_symlinks=False)
        except OSError:
            found = None
        status.append(found if found is not None and stat.S_ISDIR(found.st_mode) else None)
    new, cur = status
    if new is None or cur is None:
        return Surveyed(path, (0, 0), False)
    return Surveyed(path, (new.st_ino, cur.st_ino), True)


def _made(parent: int, name: str) -> bool:
    """Make a directory if it is not there, on disk; whether it was made."""
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        return False
    os.fsync(parent)
    return True


def _complete(folder: int) -> None:
    made = False
    for sub in SUBS:
        with suppress(FileExistsError):
            os.mkdir(sub, 0o700, dir_fd=folder)
            made = True
    if made:
        os.fsync(folder)


def make_folder(account: int, path: str) -> None:
    """Make a folder below the directory of an account, on disk; what there is of it stays."""
    _made(account, path)
    with below(account, path) as folder:
        with suppress(FileExistsError):  # the mark of a Maildir++ folder, which delivery programs look for
            os.close(os.open("maildirfolder", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600, dir_fd=folder))
        _complete(folder)
