"""Conversations that always go to a folder ([MS-ASCON] 3.1.4.4, 3.1.4.6; [MS-ASCMD] 2.2.3.117.1)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from weakref import WeakSet

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from gateway.arrangement import DIVERTED, Diversion, Shift
from gateway.eas.call import Call, Unavailable
from gateway.eas.collection import LONGEST_ID, folder_id
from gateway.eas.moving import Moving, Own
from gateway.element import Element
from gateway.index import MOST, Document, Matches, Portion, Sought
from gateway.interfaces import BackendDown, IDiversions, ISearchIndex, TooSlow
from gateway.model import Folder, FolderType, Item

SUCCESS, PROTOCOL, FAILED, NOT_FOUND = 1, 2, 3, 6
INVALID_IDS, NOT_ALWAYS, BAD_TARGET = 105, 155, 156

CACHE = "RI"
LENGTH = 16

_PARTS = frozenset({"ItemOperations:ConversationId", "ItemOperations:DstFldId", "ItemOperations:Options"})
PATIENCE, STEP = 3.0, 0.25
"""For how long, in seconds, the index may take in what has just arrived, and how often that is looked for."""

_NOT_TO = frozenset({FolderType.DRAFTS, FolderType.OUTBOX})
_NOT_FROM = _NOT_TO | {FolderType.SENT, FolderType.DELETED}
"""Where mails do not arrive: their owner has put them there."""


class Unfit(Exception):
    """The Move cannot be executed; C{status} says why."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


@define(eq=False)
class ConversationMoves:
    """The Move of ItemOperations: a conversation goes to a folder from all others but Sent Items, and so does every
    mail of it that comes later (L{Diverting} sees to that).

    A mail that the device has just been given is in the index a moment later, which is waited for: in each request for
    C{patience} seconds at most.
    """

    log = Logger()

    moving: Moving
    index: ISearchIndex
    diversions: IDiversions
    clock: IReactorTime
    patience: float = PATIENCE
    _spent: WeakSet[Own] = field(init=False, factory=WeakSet)

    async def move(self, call: Call, element: Element, own: Own | None = None) -> Element:
        """Execute a Move; the element for the Response.

        @raise Unavailable: too many requests of the user are waiting, and nothing was done.
        """
        names = element.all("ItemOperations:ConversationId")
        name = names[0].value if len(names) == 1 else None
        try:
            await self._move(own or self.moving.own(call.device), name, _target(element))
            status = SUCCESS
        except Unfit as unfit:
            status = unfit.status
        except (CancelledError, Unavailable):
            raise
        except (BackendDown, TooSlow) as error:
            self.log.warn("{device} moves a conversation: {error}", device=call.device, error=error)
            status = FAILED
        except Exception:
            self.log.failure("{device} cannot move a conversation", device=call.device)
            status = FAILED
        return Element(
            "ItemOperations:Move",
            Element("ItemOperations:Status", status),
            Element("ItemOperations:ConversationId", name),
        )

    async def _move(self, own: Own, name: str | bytes | None, target: str) -> None:
        if not name:
            raise Unfit(PROTOCOL)
        user, conversation = own.device.user, _conversation(name)
        folders = {folder.id: folder for folder in await self.moving.ledger.folders(user)}
        there = _checked(folders.get(folder_id(target)), target)
        items = await self._found(own, conversation, list(folders))
        await self.diversions.divert(Diversion(user, conversation, there.id, self.moving.now()))
        shifts = _shifts(items, folders, there)
        if shifts:
            await self.moving.shift(own, shifts)

    async def _found(self, own: Own, conversation: bytes, folders: Sequence[int]) -> list[Item]:
        if len(conversation) != LENGTH:
            raise Unfit(NOT_FOUND)
        user, behind = own.device.user, await self._behind(own, folders)
        matches = await self.index.search(user, Sought(conversation=conversation), 0, MOST)
        items = await self.moving.ledger.items(user, matches.items)
        if items:
            return items
        if behind:
            raise BackendDown("the index is not up to date yet")
        raise Unfit(NOT_FOUND)

    async def _behind(self, own: Own, folders: Sequence[int]) -> bool:
        """Whether the index still lacks mails of these folders when the request has no more patience with it."""
        end = self.clock.seconds() + (0 if own in self._spent else self.patience)
        while await self.index.behind(folders):
            if self.clock.seconds() >= end:
                self._spent.add(own)
                return True
            await deferLater(self.clock, STEP)
        return False


def _target(element: Element) -> str:
    """The DstFldId.

    @raise Unfit: 2 for what is malformed, 155 without MoveAlways.
    """
    targets, options = element.all("ItemOperations:DstFldId"), element.all("ItemOperations:Options")
    always = [child for one in options for child in one]
    if any(child.tag not in _PARTS for child in element) or len(targets) != 1 or len(options) > 1:
        raise Unfit(PROTOCOL)
    if not always:
        raise Unfit(NOT_ALWAYS)
    if len(always) > 1 or always[0].tag != "ItemOperations:MoveAlways" or always[0].text or always[0].children:
        raise Unfit(PROTOCOL)
    if not 0 < len(targets[0].text) <= LONGEST_ID:
        raise Unfit(PROTOCOL)
    return targets[0].text


def _conversation(name: str | bytes) -> bytes:
    """The id: opaque bytes, or base64 of them."""
    if isinstance(name, bytes):
        return name
    try:
        return base64.b64decode(name, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _checked(folder: Folder | None, name: str) -> Folder:
    """@raise Unfit: 105 for the recipient information cache, 6 for no folder, 156 for one that takes no mails."""
    if name == CACHE:
        raise Unfit(INVALID_IDS)
    if folder is None:
        raise Unfit(NOT_FOUND)
    if folder.type.item_class != "Email" or folder.type in _NOT_TO:
        raise Unfit(BAD_TARGET)
    return folder


def _shifts(items: Sequence[Item], folders: dict[int, Folder], target: Folder) -> list[Shift]:
    return [
        Shift(item.id, item.folder, target.id)
        for item in items
        if item.folder != target.id and item.folder in folders and folders[item.folder].type is not FolderType.SENT
    ]


@implementer(ISearchIndex)
@define(eq=False)
class Diverting:
    """An index that takes mails to where their conversations always go, before it takes them in.

    Only mails received since that was wanted, where mails arrive, and each of them once: those that their owner takes
    back, or deletes, stay where they are then.
    """

    log = Logger()

    index: ISearchIndex
    diversions: IDiversions
    moving: Moving

    def behind(self, folders: Sequence[int] | None) -> Deferred[list[int]]:
        """See L{ISearchIndex}."""
        return self.index.behind(folders)

    def portions(self, folders: Sequence[int], most: int) -> Deferred[list[Portion | None]]:
        """See L{ISearchIndex}."""
        return self.index.portions(folders, most)

    def put(self, done: Sequence[tuple[Portion, Sequence[Document]]]) -> Deferred[None]:
        """See L{ISearchIndex}."""
        return Deferred.fromCoroutine(self._put(done))

    def search(self, user: str, sought: Sought, offset: int, count: int) -> Deferred[Matches]:
        """See L{ISearchIndex}."""
        return self.index.search(user, sought, offset, count)

    async def _put(self, done: Sequence[tuple[Portion, Sequence[Document]]]) -> None:
        try:
            await self._divert([arrived for portion, documents in done for arrived in _arrived(portion, documents)])
        except CancelledError:
            raise
        except Exception:
            self.log.failure("It could not be asked which conversations always go elsewhere")
        await self.index.put(done)

    async def _divert(self, arrived: Sequence[tuple[Folder, Document]]) -> None:
        if not arrived:
            return
        wanted = await self.diversions.diverted([(here.user, one.conversation) for here, one in arrived])
        shifts: dict[str, list[Shift]] = {}
        for here, one in arrived:
            diversion = wanted.get((here.user, one.conversation))
            if diversion is not None and diversion.folder != here.id and one.received >= diversion.since:
                shift = Shift(one.item, here.id, diversion.folder, diverted=True)
                shifts.setdefault(here.user, []).append(shift)
        for user, some in shifts.items():
            try:
                await self.moving.divert(user, some)
            except CancelledError:
                raise
            except Exception:
                self.log.failure("Mails of {user} could not be taken to their conversations", user=user)


def _arrived(portion: Portion, documents: Sequence[Document]) -> list[tuple[Folder, Document]]:
    """The mails that may have to go elsewhere, with the folder that they are in."""
    here = portion.folder
    if here is None or here.type in _NOT_FROM:
        return []
    before = {item.id for item in portion.items if item.extra.get(DIVERTED)}
    return [(here, one) for one in documents if one.conversation and one.item not in before]
