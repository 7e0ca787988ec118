"""Plans for folders that devices make, move and remove: which directories change, and what devices will see then."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from gateway.arrangement import Arrangement
from gateway.interfaces import Impossible, NameTaken, Protected
from gateway.model import Folder, FolderType, FoundFolder
from gateway.sources.folders import BELOW_INBOX, INBOX, hierarchy, special_folders
from gateway.sources.names import is_clean

LONGEST = 255
"""Bytes in the name of a directory; a Maildir++ folder has all its ancestors in its name."""

DEEPEST = 32
"""Levels below the top."""

# RFC 3501 5.1.3 writes printable ASCII as it is; the separator and the slash have no other place than the shift.
_SHIFTED = re.compile(r"[^ -%'-\-0-~]+")


def encoded(name: str) -> str:
    """A folder name as a part of a directory name: modified UTF-7, with dots and slashes shifted too."""
    return _SHIFTED.sub(_shift, name)


def _shift(found: re.Match[str]) -> str:
    plain, shifted = "&-", ""
    parts = []
    for piece in re.split("(&)", found[0]):
        if piece == "&":
            parts.append(plain)
        elif piece:
            code = binascii.b2a_base64(piece.encode("utf-16-be"), newline=False).decode()
            shifted = code.rstrip("=").replace("/", ",")
            parts.append(f"&{shifted}-")
    return "".join(parts)


def making(folders: Sequence[Folder], parent: Folder | None, name: str) -> Arrangement:
    """See L{gateway.interfaces.IMailbox.making}; C{folders} are all of the user, of which there is at least one."""
    path = _path(parent, name, _paths(folders))
    _check_name(folders, parent, name, None)
    found = _found(folders, {}, [path])
    _check(found, path, None if parent is None else parent.path, name)
    return _arrangement(folders, found, path, made=(path,))


def moving(folders: Sequence[Folder], folder: Folder, parent: Folder | None, name: str) -> Arrangement:
    """See L{gateway.interfaces.IMailbox.moving}."""
    _guard(folders, folder)
    tree = [folder, *_below(folders, folder)]
    if parent is not None and parent.id in {one.id for one in tree}:
        raise Impossible("a folder cannot be below itself")
    if (parent.id if parent else 0, name) == (folder.parent, folder.name):
        return _arrangement(folders, _found(folders, {}), folder.path)
    path = _path(parent, name, _paths(folders) - {one.path for one in tree})
    _check_name(folders, parent, name, folder)
    moved = {one.path: path + one.path[len(folder.path) :] for one in tree}
    for to in moved.values():
        _measure(to)
    found = _found(folders, moved)
    _check(found, path, None if parent is None else parent.path, name)
    return _arrangement(folders, found, path, moved=tuple(moved.items()))


def removing(folders: Sequence[Folder], folder: Folder) -> Arrangement:
    """See L{gateway.interfaces.IMailbox.removing}."""
    _guard(folders, folder)
    trash = next((one for one in folders if one.type is FolderType.DELETED), None)
    doomed = trash is None or trash.id in _ancestors(folders, folder)
    return _removal(
        folders, [folder, *_below(folders, folder)], folder.path, None if doomed or not trash else trash.path
    )


def clearing(folders: Sequence[Folder], folder: Folder) -> Arrangement | None:
    """See L{gateway.interfaces.IMailbox.clearing}."""
    below = _below(folders, folder)
    for one in below:
        _guard(folders, one)
    return _removal(folders, below, below[0].path, None) if below else None


def _removal(folders: Sequence[Folder], doomed: Sequence[Folder], main: str, trash: str | None) -> Arrangement:
    removed = tuple(one.path for one in reversed(doomed))  # those below before those above
    gone = frozenset(removed)
    found = tuple(hierarchy(path for path in _paths(folders) if path not in gone))
    return _arrangement(folders, found, main, removed=removed, trash=trash)


def _arrangement(
    folders: Sequence[Folder],
    found: Iterable[FoundFolder],
    main: str,
    *,
    made: tuple[str, ...] = (),
    moved: tuple[tuple[str, str], ...] = (),
    removed: tuple[str, ...] = (),
    trash: str | None = None,
) -> Arrangement:
    return Arrangement(folders[0].user, frozenset(_paths(folders)), tuple(found), main, made, moved, removed, trash)


def _paths(folders: Iterable[Folder]) -> set[str]:
    return {one.path for one in folders}


def _found(folders: Sequence[Folder], moved: Mapping[str, str], made: Iterable[str] = ()) -> tuple[FoundFolder, ...]:
    return tuple(hierarchy(chain((moved.get(one.path, one.path) for one in folders), made)))


def _path(parent: Folder | None, name: str, taken: set[str]) -> str:
    """The directory of a folder.

    @raise NameTaken: it is there already; L{Impossible}: it cannot be.
    """
    if not name.strip() or not is_clean(name.replace("/", "")):
        raise Impossible("a name that no folder can have")
    above = "" if parent is None else BELOW_INBOX if parent.path == INBOX else parent.path
    path = f"{above}.{encoded(name)}"
    _measure(path)
    if path.lower() in {one.lower() for one in taken}:
        raise NameTaken(path)
    return path


def _measure(path: str) -> None:
    if len(path.encode()) > LONGEST:
        raise Impossible("the directory would have too long a name")
    if path.count(".") > DEEPEST:
        raise Impossible("too many levels")


def _check_name(folders: Sequence[Folder], parent: Folder | None, name: str, but: Folder | None) -> None:
    """@raise NameTaken: another folder there has the name, in upper or lower case."""
    here = parent.id if parent else 0
    if any(one.parent == here and one.name.casefold() == name.casefold() for one in folders if one is not but):
        raise NameTaken(name)


def _check(found: Sequence[FoundFolder], path: str, parent: str | None, name: str) -> None:
    """See that devices will see the folder as they have asked for it.

    @raise NameTaken: they will not, because there is another one that looks the same, or it would become a special
        folder.
    """
    wanted = FoundFolder(path, name, FolderType.USER_MAIL, parent)
    if wanted not in found:
        raise NameTaken(path)


def _guard(folders: Sequence[Folder], folder: Folder) -> None:
    """@raise Protected: it is the Inbox or a special folder."""
    if folder.path == INBOX or folder.path in special_folders(_paths(folders)):
        raise Protected(folder.path)


def _below(folders: Sequence[Folder], folder: Folder) -> list[Folder]:
    """The folders below one, each after its parent."""
    found, inside = [], {folder.id}
    for one in folders:  # parents come before children
        if one.parent in inside:
            inside.add(one.id)
            found.append(one)
    return found


def _ancestors(folders: Sequence[Folder], folder: Folder) -> set[int]:
    known = {one.id: one for one in folders}
    found = set[int]()
    at = known.get(folder.parent)
    while at is not None and at.id not in found:
        found.add(at.id)
        at = known.get(at.parent)
    return found
