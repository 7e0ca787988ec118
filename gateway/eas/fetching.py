"""Fetching items and attachments: from the mailbox into the spool of an answer ([MS-ASCMD] 2.2.1.10.1)."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from attrs import define, field
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from gateway.convert import attachments
from gateway.convert.message import properties
from gateway.eas.call import Call, Unavailable
from gateway.eas.fetchbody import DOCUMENTS, MAILBOX, MIME, Fetch, Name
from gateway.eas.policydoc import Policy, restrict
from gateway.eas.reading import Reading
from gateway.eas.rendering import mail_of
from gateway.eas.spool import SHORT, Span, Spool, octets
from gateway.element import Element
from gateway.interfaces import BackendDown, ILedger, ItemGone
from gateway.model import Folder, Item, SyncOptions

SUCCESS, SERVER_ERROR, NOT_FOUND, BAD_RANGE, UNKNOWN_STORE, TOO_LARGE = 1, 3, 6, 8, 9, 11
BAD_LINK, IO_ERROR, CONVERSION, BAD_ATTACHMENT, DENIED = 4, 12, 14, 15, 16


class Failed(Exception):
    """An operation fails with this Status."""

    def __init__(self, status: int, why: str = "") -> None:
        super().__init__(why)
        self.status = status


def check_attachment(policy: Policy | None, size: int = 0) -> None:
    """Whether the policy lets a device have an attachment of that size ([MS-ASPROV] 2.2.2.9, 2.2.2.33).

    @raise Failed: it does not.
    """
    if policy is None:
        return
    if policy.number("AttachmentsEnabled") == 0:
        raise Failed(DENIED, "the policy forbids attachments")
    most = policy.number("MaxAttachmentSize")
    if most is not None and size > most:
        raise Failed(TOO_LARGE, "the policy forbids attachments of that size")


async def located(ledger: ILedger, folders: Mapping[int, Folder], user: str, name: Name) -> tuple[Folder, Item] | None:
    """The folder and the item that are meant, or C{None} if they are not there."""
    folder = folders.get(name.folder)
    if folder is None or folder.type.item_class != "Email":
        return None
    found = await ledger.items(user, [name.item])
    return (folder, found[0]) if found and found[0].folder == folder.id else None


def cut(chunks: Iterable[bytes], first: int, last: int) -> Iterator[bytes]:
    """What lies between two places, both included."""
    at = 0
    for chunk in chunks:
        if at > last:
            return
        piece = chunk[max(0, first - at) : last + 1 - at]
        at += len(chunk)
        if piece:
            yield piece


def base64(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same in base64, on one line."""
    left = b""
    for chunk in chunks:
        block = left + chunk
        whole = len(block) - len(block) % 3
        yield binascii.b2a_base64(block[:whole], newline=False)
        left = block[whole:]
    yield binascii.b2a_base64(left, newline=False)


@define(eq=False)
class Fetching:
    """The Fetches of one request.

    What comes of them that is large goes into C{spool}: long texts, and those parts of a multipart answer that come
    after the document, which are C{parts}.
    """

    log = Logger()

    ledger: ILedger
    reading: Reading
    policy: Policy | None
    call: Call
    spool: Spool
    most: int
    parts: list[Span] = field(init=False, factory=list)
    _folders: dict[int, Folder] | None = field(init=False, default=None)

    async def answer(self, fetch: Fetch) -> Element:
        """The Fetch of the answer."""
        try:
            found = await self._properties(fetch)
        except Failed as error:
            return _answer(fetch, error.status)
        except (CancelledError, Unavailable):
            raise
        except BackendDown as error:
            self.log.warn("A Fetch of {device} has to wait: {error}", device=self.call.device, error=error)
            return _answer(fetch, SERVER_ERROR)
        except OSError as error:
            self.log.error("A Fetch of {device} failed: {error}", device=self.call.device, error=error)
            return _answer(fetch, IO_ERROR)
        except Exception:
            self.log.failure("A Fetch of {device} failed", device=self.call.device)
            return _answer(fetch, CONVERSION)
        return _answer(fetch, SUCCESS, found)

    async def _properties(self, fetch: Fetch) -> list[Element]:
        missing = BAD_ATTACHMENT if fetch.attachment else NOT_FOUND
        if fetch.store != MAILBOX:
            raise Failed(UNKNOWN_STORE if fetch.link_sound or fetch.store != DOCUMENTS else BAD_LINK)
        if fetch.refused is not None:
            raise Failed(fetch.refused)
        if self.spool.size >= self.most:
            raise Failed(TOO_LARGE)
        if fetch.attachment:
            check_attachment(self.policy)
        at = None if fetch.name is None else await self._located(fetch.name)
        if fetch.name is None or at is None:
            raise Failed(missing)
        folder, item = at
        if fetch.attachment:
            work = partial(self._attachment, fetch.name.part, fetch.range)
        else:
            work = partial(self._item, fetch, folder, item, restrict(fetch.options, self.policy))
        try:
            return await self.reading.convert(folder, item, work)
        except ItemGone as error:
            raise Failed(missing) from error

    async def _located(self, name: Name) -> tuple[Folder, Item] | None:
        user = self.call.device.user
        if self._folders is None:
            self._folders = {folder.id: folder for folder in await self.ledger.folders(user)}
        return await located(self.ledger, self._folders, user, name)

    # In a thread.

    def _item(self, fetch: Fetch, folder: Folder, item: Item, options: SyncOptions, raw: bytes) -> list[Element]:
        mail = mail_of(folder, item, raw)
        found = properties(mail, self.call.version, options, whole=fetch.whole)
        wanted = [element for element in found if not fetch.schema or element.tag in fetch.schema]
        for element in wanted:
            if element.tag == "AirSyncBase:Body" and fetch.mime_only:
                _leave_out_text(element)
            if element.tag == "AirSyncBase:Body" and self.call.multipart:
                element.children = [self._apart(child) for child in element]
            self._shelve(element)
        return [Element("AirSync:Class", folder.type.item_class), *wanted]

    def _apart(self, element: Element) -> Element:
        """The Data of a Body is a part of its own in a multipart answer ([MS-ASAIRS] 2.2.2.33)."""
        if element.tag != "AirSyncBase:Data":
            return element
        return self._part(self.spool.add(octets(element.text)))

    def _part(self, span: Span) -> Element:
        self.parts.append(span)
        return Element("ItemOperations:Part", len(self.parts))

    def _shelve(self, element: Element) -> None:
        """Put long texts into the spool."""
        for child in element:
            self._shelve(child)
        if isinstance(element.value, str) and len(element.value) > SHORT:
            self.spool.shelve(element)

    def _attachment(self, number: int, asked: tuple[int, int] | None, raw: bytes) -> list[Element]:
        try:
            part = attachments.find(raw, number)
        except LookupError as error:
            raise Failed(BAD_ATTACHMENT) from error
        check_attachment(self.policy, part.size())
        chunks = part.chunks()
        found = []
        if asked is not None:
            total = sum(len(chunk) for chunk in part.chunks())
            first, last = asked[0], min(asked[1], total - 1)
            if first > last:
                raise Failed(BAD_RANGE)
            chunks = cut(chunks, first, last)
            found = [Element("ItemOperations:Range", f"{first}-{last}"), Element("ItemOperations:Total", total)]
        return [*found, Element("AirSyncBase:ContentType", part.type), self._data(chunks)]

    def _data(self, chunks: Iterable[bytes]) -> Element:
        if self.call.multipart:
            return self._part(self.spool.add(chunks))
        data = Element("ItemOperations:Data")
        self.spool.put(data, base64(chunks))
        return data


def _leave_out_text(body: Element) -> None:
    """Whoever takes MIME alone, and says that this mail is not to come as MIME, gets the size of its text only.

    So [MS-ASCMD] 2.2.3.110.1 is read by those who wrote it.
    """
    if body.text_of("AirSyncBase:Type") != str(MIME) and body.child("AirSyncBase:Data") is not None:
        size = [child for child in body if child.tag in ("AirSyncBase:Type", "AirSyncBase:EstimatedDataSize")]
        body.children = [*size, Element("AirSyncBase:Truncated", 1)]


def _answer(fetch: Fetch, status: int, found: list[Element] | None = None) -> Element:
    """The Fetch of an answer: the Class of an item stands before its Properties."""
    outside = [element for element in found or () if element.tag == "AirSync:Class"]
    inside = [element for element in found or () if element.tag != "AirSync:Class"]
    return Element(
        "ItemOperations:Fetch",
        Element("ItemOperations:Status", status),
        *fetch.echo,
        *outside,
        Element("ItemOperations:Properties", *inside) if found is not None else None,
    )
