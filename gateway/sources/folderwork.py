"""Folders on the disk: made, moved and removed as the ledger intends. Everything here blocks."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Mapping
from threading import Lock
from types import MappingProxyType

from attrs import define, field
from twisted.logger import Logger

from gateway.model import Intent, IntentKind
from gateway.sources.disk import ABSENT, DIRECTORY, MailRoot, below, make_folder
from gateway.sources.folders import is_folder_name
from gateway.sources.names import is_message, split

REMEMBERED = 1000
"""So many moves are known to those who read; each matters for a moment."""

OCCUPIED = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR)


@define(eq=False)
class FolderWork:
    """Carries out what is intended for folders; each of it can be done again after it was interrupted anywhere."""

    root: MailRoot
    log = Logger()
    _moved: dict[tuple[str, str], str] = field(factory=dict, init=False)
    _lock: Lock = field(factory=Lock, init=False)
    _ways: Mapping[IntentKind, Callable[[int, Intent], bool]] = field(init=False)

    @_ways.default
    def _make_ways(self) -> Mapping[IntentKind, Callable[[int, Intent], bool]]:
        ways = {
            IntentKind.MAKE_FOLDER: self._make,
            IntentKind.MOVE_FOLDER: self._move,
            IntentKind.REMOVE_FOLDER: self._remove,
        }
        return MappingProxyType(ways)

    def carried_out(self, intent: Intent) -> bool:
        """Do it; C{False} if it cannot be done, ever. Raises L{OSError} for what may be done later."""
        if not all(is_folder_name(path) for path in (intent.path, *filter(None, [intent.to]))):
            return False
        try:
            with self.root.account(intent.user) as account:
                done = self._ways[intent.kind](account, intent)
                os.fsync(account)
                return done
        except OSError as error:
            if error.errno in ABSENT and not self._has_account(intent.user):
                return True
            raise

    def elsewhere(self, user: str, path: str) -> list[str]:
        """Where else a folder may be that the ledger has, or had a moment ago, under that path: moves take their time,
        and who reads mails meanwhile must not believe that they are gone."""
        found: list[str] = []
        with self._lock:
            at = path
            while (to := self._moved.get((user, at))) is not None and to not in (path, *found):
                found.append(to)
                at = to
            found += [before for (owner, before), after in self._moved.items() if owner == user and after == path]
        return found

    def _has_account(self, user: str) -> bool:
        try:
            with self.root.account(user):
                return True
        except OSError:
            return False

    def _make(self, account: int, intent: Intent) -> bool:
        make_folder(account, intent.path)
        return True

    def _move(self, account: int, intent: Intent) -> bool:
        with self._lock:
            self._moved.pop((intent.user, intent.path), None)
            self._moved[intent.user, intent.path] = intent.to
            while len(self._moved) > REMEMBERED:
                del self._moved[next(iter(self._moved))]
        try:
            os.rename(intent.path, intent.to, src_dir_fd=account, dst_dir_fd=account)
        except FileNotFoundError:
            pass  # done before, or gone by somebody else's hand
        except OSError as error:
            if error.errno not in OCCUPIED:
                raise
            self.log.warn(
                "The folder {path!r} of {user} cannot become {to!r}: that is there already",
                path=intent.path,
                user=intent.user,
                to=intent.to,
            )
            return False
        return True

    def _remove(self, account: int, intent: Intent) -> bool:
        """The directory gets a name that is no folder's first: from then on nobody delivers there."""
        aside = f"removed.{intent.id}"
        if not _is_directory(account, aside):
            try:
                os.rename(intent.path, aside, src_dir_fd=account, dst_dir_fd=account)
            except FileNotFoundError:
                return True
        if intent.to != intent.path:
            make_folder(account, intent.to)
            with below(account, aside) as source, below(account, intent.to) as target:
                for sub in ("new", "cur"):
                    _rescue(source, target, sub, f"-r{intent.id}")
        shutil.rmtree(aside, dir_fd=account)
        return True


def _rescue(source: int, target: int, sub: str, mark: str) -> None:
    """Move the mails of a directory to another one; the mark in their names keeps them apart from those there."""
    if not _is_directory(source, sub):
        return
    with below(source, sub) as here, below(target, sub) as there:
        for name in filter(is_message, os.listdir(here)):
            base, _ = split(name)
            head, comma, tail = base.partition(",")
            os.rename(name, f"{head}{mark}{comma}{tail}{name[len(base) :]}", src_dir_fd=here, dst_dir_fd=there)
        os.fsync(there)


def _is_directory(account: int, name: str) -> bool:
    try:
        os.close(os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=account))
    except OSError:
        return False
    return True
