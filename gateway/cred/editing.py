"""Changing the accounts file: one change at a time, comments kept, and never a half-written file."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gateway.cred.accounts import Account, BadAccounts, is_account, load_accounts, read_account

Change = Callable[[Account], Account | None]


def write_whole(path: Path, data: bytes, mode: int, like: os.stat_result | None = None) -> None:
    """Put a file in place so that it is there as a whole or not at all, and on disk when this returns.

    @param like: whose owner the file shall have; the superuser's change must not take it from the gateway.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as stream:
            if like is not None and (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                with suppress(PermissionError):
                    os.fchown(descriptor, like.st_uid, like.st_gid)
            os.fchmod(descriptor, mode)
            stream.write(data)
            stream.flush()
            os.fsync(descriptor)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other changes of files in this folder out; it is the folder itself that is locked, so nothing is left."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def add_account(path: Path, account: Account) -> None:
    """Write a new account; the file is made if it is missing.

    @raise BadAccounts: if there is one of that name, or the file is wrong.
    """
    path = path.resolve()
    with locked(path.parent):
        lines = _lines(path) if path.exists() else []
        if any(is_account(line) and read_account(line).name == account.name for line in lines):
            raise BadAccounts(f"{path}: there is an account {account.name} already")
        _write(path, [*lines, account.line()])


def change_account(path: Path, name: str, change: Change) -> None:
    """Replace an account by what C{change} makes of it; C{None} removes it.

    @raise BadAccounts: if there is none of that name, or the file is wrong.
    """
    path = path.resolve()
    with locked(path.parent):
        after: list[str] = []
        found = False
        for line in _lines(path):
            if is_account(line) and (account := read_account(line)).name == name:
                found = True
                changed = change(account)
                after += [changed.line()] if changed else []
            else:
                after.append(line)
        if not found:
            raise BadAccounts(f"{path}: there is no account {name}")
        _write(path, after)


def _lines(path: Path) -> list[str]:
    load_accounts(path)
    text = path.read_bytes().decode()
    return text.removesuffix("\n").split("\n") if text else []


def _write(path: Path, lines: list[str]) -> None:
    # Nobody else is writing: the folder is locked. A change that was killed has left what it was about to put in place.
    left = re.compile(re.escape(f".{path.name}.") + "[0-9a-f]{12}")
    for draft in [one for one in path.parent.iterdir() if left.fullmatch(one.name)]:
        draft.unlink(missing_ok=True)
    text = "".join(line + "\n" for line in lines)
    write_whole(path, text.encode(), 0o600, path.stat() if path.exists() else None)
