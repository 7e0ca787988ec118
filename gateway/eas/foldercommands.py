"""FolderCreate, FolderUpdate, FolderDelete ([MS-ASCMD] 2.2.1.3, 2.2.1.6, 2.2.1.4)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, NoReturn

from attrs import define
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from gateway.arrangement import Arrangement, Turn
from gateway.eas.call import Answer, Call, Refused, Unavailable
from gateway.eas.collection import LONGEST_ID, digest, folder_id
from gateway.eas.folders import BAD_KEY, FAILED, HIERARCHY, LONGEST_KEY, MALFORMED, SUCCESS
from gateway.eas.moving import Moving, Plan
from gateway.element import Element
from gateway.interfaces import BackendDown, Impossible, NameTaken, Protected
from gateway.model import Folder

TAKEN, SPECIAL, NOT_FOUND, NO_PARENT, UNKNOWN, UNUSUAL = 2, 3, 4, 5, 11, 12
NO_BODY, TOO_MANY = 101, 151

#: Folders of a user, the special ones included ([MS-ASCMD] 2.2.2: Status 151).
MOST = 1000
LONGEST_NAME = 256

#: The recipient information cache, which this server does not have ([MS-ASCMD] 2.2.3.186.2: type 19).
CACHE, CACHE_TYPE = "RI", 19

_TYPE = re.compile(r"[0-9]{1,3}", re.ASCII)
_MAIL = frozenset({1, 12})
_OTHERS = frozenset({13, 14, 15, 16, 17})


class Unfit(Exception):
    """The command cannot be executed; C{status} says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@define(eq=False)
class FolderCommand:
    """One of the commands that change the hierarchy; C{most} is how many folders a user may have."""

    log = Logger()
    names: ClassVar[tuple[str, ...]] = ()

    moving: Moving
    most: int = MOST

    async def __call__(self, call: Call) -> Answer:
        """Do it, and give the device the next key of the hierarchy.

        @raise Refused: 101 for a request without a body, 151 for a folder too many.
        @raise Unavailable: too many requests of the user are waiting.
        """
        if call.body is None:
            raise Refused(NO_BODY, f"a {call.command} without a body")
        try:
            return await self._answer(call, call.body)
        except Unfit as unfit:
            status, why = unfit.status, str(unfit)
        except (CancelledError, Refused, Unavailable):
            raise
        except BackendDown as error:
            status, why = FAILED, str(error)
        except Exception as error:
            self.log.failure("{command} of {device} failed", command=call.command, device=call.device)
            status, why = UNKNOWN, type(error).__name__
        return Answer(_root(call, Element("FolderHierarchy:Status", status)), log={"St": status, "E": why})

    async def _answer(self, call: Call, body: Element) -> Answer:
        texts = _texts(call, body, ("SyncKey", *self.names))
        plan = self.plan(texts)
        if not 0 < len(texts["SyncKey"]) <= LONGEST_KEY:
            raise Unfit(BAD_KEY, "no key of ours")
        turn = Turn(call.device, texts["SyncKey"], digest(body))
        arranged = await self.moving.arrange(call.device.user, plan, turn)
        if arranged.status != SUCCESS:
            raise Unfit(arranged.status, "the key is neither the newest nor the one before it")

        def written(live: bool) -> None:
            if live:
                self.moving.ledger.given(call.device, HIERARCHY, arranged.key)

        content = [Element("FolderHierarchy:Status", SUCCESS), Element("FolderHierarchy:SyncKey", arranged.key)]
        content += self.told(arranged.folder)
        return Answer(_root(call, *content), log={"St": SUCCESS}, written=written)

    def plan(self, texts: dict[str, str]) -> Plan:
        """What the command wants.

        @raise Unfit: that can be said without looking at the folders.
        """
        raise NotImplementedError

    def told(self, folder: int) -> list[Element]:
        """What is answered beside Status and SyncKey."""
        return []


@define(eq=False)
class FolderCreate(FolderCommand):
    """The FolderCreate command: a folder for mail."""

    names = ("ParentId", "DisplayName", "Type")

    def plan(self, texts: dict[str, str]) -> Plan:
        """Make it below its parent."""
        name, parent = texts["DisplayName"], texts["ParentId"]
        _check_name(name)
        _check_type(texts["Type"])
        if parent == CACHE:
            raise Unfit(SPECIAL, "below the recipient information cache")

        def plan(folders: Sequence[Folder]) -> Arrangement:
            above = _parent(folders, parent)
            if len(folders) >= self.most:
                raise Refused(TOO_MANY, f"{len(folders)} folders")
            try:
                return self.moving.mailbox.making(folders, above, name)
            except (NameTaken, Impossible) as error:
                _raise(error)

        return plan

    def told(self, folder: int) -> list[Element]:
        """Its ServerId."""
        return [Element("FolderHierarchy:ServerId", folder)]


@define(eq=False)
class FolderUpdate(FolderCommand):
    """The FolderUpdate command: a folder gets another name, another parent, or both."""

    names = ("ServerId", "ParentId", "DisplayName")

    def plan(self, texts: dict[str, str]) -> Plan:
        """Move it, with all below it."""
        id, name, parent = texts["ServerId"], texts["DisplayName"], texts["ParentId"]
        _check_name(name)
        if CACHE in (id, parent):
            raise Unfit(SPECIAL, "the recipient information cache")

        def plan(folders: Sequence[Folder]) -> Arrangement:
            folder = _named(folders, id, NOT_FOUND)
            above = _parent(folders, parent)
            if _is_within(folders, above, folder):
                raise Unfit(MALFORMED, "a folder cannot be below itself")
            try:
                return self.moving.mailbox.moving(folders, folder, above, name)
            except Protected as error:
                raise Unfit(TAKEN, "a special folder") from error
            except (NameTaken, Impossible) as error:
                _raise(error)

        return plan


@define(eq=False)
class FolderDelete(FolderCommand):
    """The FolderDelete command: a folder and those below it."""

    names = ("ServerId",)

    def plan(self, texts: dict[str, str]) -> Plan:
        """Remove it; what it holds goes to the deleted items, unless it is there already."""
        id = texts["ServerId"]
        if id == CACHE:
            raise Unfit(SPECIAL, "the recipient information cache")

        def plan(folders: Sequence[Folder]) -> Arrangement:
            folder = _named(folders, id, NOT_FOUND)
            try:
                return self.moving.mailbox.removing(folders, folder)
            except Protected as error:
                raise Unfit(SPECIAL, "a special folder") from error

        return plan


def _root(call: Call, *content: Element) -> Element:
    return Element(f"FolderHierarchy:{call.command}", *content)


def _texts(call: Call, body: Element, names: Sequence[str]) -> dict[str, str]:
    """The children, each of which must be there once.

    @raise Unfit: 10.
    """
    texts = {child.tag.removeprefix("FolderHierarchy:"): child.text for child in body if not child.children}
    if body.tag != f"FolderHierarchy:{call.command}" or len(body.children) != len(texts) or texts.keys() != {*names}:
        raise Unfit(MALFORMED, f"{call.command} needs {', '.join(names)}")
    return texts


def _check_name(name: str) -> None:
    if not 0 < len(name) <= LONGEST_NAME:
        raise Unfit(MALFORMED, f"a DisplayName has 1 to {LONGEST_NAME} characters")


def _check_type(text: str) -> None:
    type = int(text) if _TYPE.fullmatch(text) else 0
    if type == CACHE_TYPE:
        raise Unfit(SPECIAL, "a recipient information cache")
    if type in _OTHERS:
        raise Unfit(UNUSUAL, f"folders of type {type} are not kept here")
    if type not in _MAIL:
        raise Unfit(MALFORMED, "a default folder, or no type of a folder")


def _named(folders: Sequence[Folder], id: str, status: int) -> Folder:
    number = folder_id(id) if len(id) <= LONGEST_ID else 0
    found = next((folder for folder in folders if folder.id == number), None)
    if found is None:
        raise Unfit(status, "no such folder")
    return found


def _parent(folders: Sequence[Folder], id: str) -> Folder | None:
    return None if id == str(HIERARCHY) else _named(folders, id, NO_PARENT)


def _is_within(folders: Sequence[Folder], inner: Folder | None, outer: Folder) -> bool:
    known = {folder.id: folder for folder in folders}
    seen = set[int]()
    while inner is not None and inner.id not in seen:
        if inner.id == outer.id:
            return True
        seen.add(inner.id)
        inner = known.get(inner.parent)
    return False


def _raise(error: Exception) -> NoReturn:
    if isinstance(error, NameTaken):
        raise Unfit(TAKEN, "the name is taken") from error
    raise Unfit(UNKNOWN, str(error)) from error
