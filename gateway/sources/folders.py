"""Maildir++ folders: what directory names mean, which folders are special, and how they hang together."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Sequence

from attrs import frozen

from gateway.model import FolderType, FoundFolder
from gateway.sources.names import is_clean

INBOX = ""
"""The path of the Inbox: the mail directory itself."""

BELOW_INBOX = ".INBOX"
"""What the paths of folders below the Inbox begin with, as IMAP servers name them too."""


@frozen
class Special:
    """A folder that every mailbox has: its type, the name devices show, the directory names it may have.

    The first name is the one it is made with; among several that exist the first one wins.
    """

    type: FolderType
    name: str
    candidates: tuple[str, ...]


SPECIALS = (
    Special(FolderType.DRAFTS, "Drafts", ("Drafts",)),
    Special(FolderType.DELETED, "Deleted Items", ("Trash", "Deleted Items", "Deleted Messages")),
    Special(FolderType.SENT, "Sent Items", ("Sent", "Sent Items", "Sent Messages")),
    Special(FolderType.USER_MAIL, "Junk E-mail", ("Junk", "Spam", "Junk E-mail")),
)
"""[MS-ASCMD] 2.2.3.186.2 has no type for junk mail: it is a folder of the user's with the name devices know."""


def is_folder_name(name: str) -> bool:
    """Whether a directory of this name beside C{cur/} can be a folder."""
    return len(name) > 1 and name[0] == "." and name != ".." and is_clean(name)


def account_directory(user: str) -> str | None:
    """The directory name of an account, or C{None} for a name that could lead elsewhere."""
    if not user or user.startswith(".") or not is_clean(user) or len(user.encode()) > 255:
        return None
    return user


def decoded(name: str) -> str:
    """A part of a folder name as people read it: modified UTF-7 (RFC 3501 5.1.3), or UTF-8 as it stands."""
    if not name.isascii() or "&" not in name:
        return name
    try:
        return "".join(_decoded_parts(name))
    except (ValueError, binascii.Error):
        return name


def _decoded_parts(name: str) -> Iterable[str]:
    plain, *shifted = name.split("&")
    yield plain
    for part in shifted:
        code, end, rest = part.partition("-")
        if not end:
            raise ValueError("a shift without its end")
        if not code:
            yield "&"
        else:
            padded = code.replace(",", "/") + "=" * (-len(code) % 4)
            text = binascii.a2b_base64(padded, strict_mode=True).decode("utf-16-be")
            if not is_clean(text.replace("/", "")):
                raise ValueError("control characters")
            yield text
        yield rest


def missing_specials(paths: Iterable[str]) -> list[str]:
    """The paths of the special folders that have no directory of any of their names yet."""
    have = {_plain(path) for path in paths}
    return [f".{s.candidates[0]}" for s in SPECIALS if not have.intersection(c.lower() for c in s.candidates)]


def hierarchy(paths: Iterable[str]) -> list[FoundFolder]:
    """The folders that devices see for these directories, parents before children, always in the same order.

    A folder whose parent has no directory hangs at the nearest ancestor that has one, and its name says what
    lies between. Two folders of one parent never show the same name.
    """
    there = set(paths)
    special = special_folders(there)
    names = _Names()
    found = [FoundFolder(INBOX, names.distinct(None, "Inbox"), FolderType.INBOX)] if INBOX in there else []
    for path, kind in special.items():
        found.append(FoundFolder(path, names.distinct(None, kind.name), kind.type))
    for path in sorted(there - {INBOX} - special.keys(), key=lambda path: (path.count("."), path)):
        parent = _parent(path, there)
        shown = path.removeprefix(BELOW_INBOX if parent == INBOX else parent or "").removeprefix(".")
        label = ".".join(decoded(part) for part in shown.split("."))
        found.append(FoundFolder(path, names.distinct(parent, label), FolderType.USER_MAIL, parent))
    return found


class _Names:
    """The names given so far, for each parent."""

    def __init__(self) -> None:
        self.taken: set[tuple[str | None, str]] = set()

    def distinct(self, parent: str | None, name: str) -> str:
        shown, number = name, 1
        while (parent, shown.casefold()) in self.taken:
            number += 1
            shown = f"{name} ({number})"
        self.taken.add((parent, shown.casefold()))
        return shown


def _plain(path: str) -> str:
    return decoded(path[1:]).lower()


def special_folders(paths: set[str]) -> dict[str, Special]:
    """Which of these paths are special folders."""
    by_name: dict[str, str] = {}
    for path in sorted(paths):
        by_name.setdefault(_plain(path), path)
    chosen: dict[str, Special] = {}
    for special in SPECIALS:
        exact: Sequence[str] = [f".{c}" for c in special.candidates]
        for path, name in zip(exact, special.candidates, strict=True):
            hit = path if path in paths else by_name.get(name.lower())
            if hit:
                chosen[hit] = special
                break
    return chosen


def _parent(path: str, there: set[str]) -> str | None:
    while "." in path[1:]:
        path = path.rpartition(".")[0]
        if path in there:
            return path
        if path == BELOW_INBOX and INBOX in there:
            return INBOX
    return None
