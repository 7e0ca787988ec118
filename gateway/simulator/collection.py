"""Sync from the phone's side ([MS-ASCMD] 2.2.1.21): requests by version, and what answers do to a folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from attrs import define, field, frozen

from gateway.element import Element
from gateway.simulator.errors import Garbled, HierarchyStale, Later, StateGone
from gateway.simulator.hierarchy import number
from gateway.simulator.memory import UNSYNCED, PhoneFolder, PhoneItem

_SENT = re.compile(r"\bsent=(\d{1,12}(?:\.\d{1,9})?)")
_SUBJECTS = ("Email:Subject", "Calendar:Subject", "Tasks:Subject", "Contacts:FileAs", "Notes:Subject")
_OK, _BAD_KEY, _MALFORMED, _GONE, _HIERARCHY = 1, 3, 4, 8, 12


@frozen
class SyncWishes:
    """What a phone asks for: C{window} items an answer, FilterType, and how many bytes of a body."""

    window: int = 100
    filter: int = 0
    truncation: int = 1024


@define
class SyncNews:
    """What an answer brought to a folder.

    C{added} are the items new on the phone by ServerId; C{statuses} the results of the phone's own commands by
    ServerId (what is not named went well), C{fetched} their ApplicationData. C{guid} is the GUID that triggers by SMS
    will have from now on, empty if nothing was said of it.
    """

    added: dict[str, PhoneItem] = field(factory=dict)
    changed: list[str] = field(factory=list)
    deleted: list[str] = field(factory=list)
    statuses: dict[str, int] = field(factory=dict)
    fetched: dict[str, Element] = field(factory=dict)
    more: bool = False
    guid: str = ""

    @property
    def count(self) -> int:
        """How many items were touched by the server."""
        return len(self.added) + len(self.changed) + len(self.deleted)


def ask_sync(folder: PhoneFolder, version: str, wishes: SyncWishes, commands: Sequence[Element] = ()) -> Element:
    """The request for one folder with its key; with commands of the phone it asks for no changes.

    Key 0 asks for nothing but a key.
    """
    parts = [Element("AirSync:Class", folder.item_class)] if version in ("2.5", "12.0") else []
    parts += [Element("AirSync:SyncKey", folder.key), Element("AirSync:CollectionId", folder.id)]
    if folder.key != UNSYNCED:
        if folder.item_class == "Email":
            parts.append(Element("AirSync:DeletesAsMoves", 1))
        parts.append(Element("AirSync:GetChanges", 0) if commands else Element("AirSync:GetChanges"))
        if not commands:
            parts.append(Element("AirSync:WindowSize", wishes.window))
        parts.append(_options(folder.item_class, version, wishes))
        if commands:
            parts.append(Element("AirSync:Commands", *commands))
    return Element("AirSync:Sync", Element("AirSync:Collections", Element("AirSync:Collection", *parts)))


def _options(item_class: str, version: str, wishes: SyncWishes) -> Element:
    options = Element("AirSync:Options")
    mail = item_class == "Email"
    if mail:
        options.children.append(Element("AirSync:FilterType", wishes.filter))
    if version == "2.5":
        options.children.append(Element("AirSync:Truncation", _scale(wishes.truncation)))
    else:
        kind, size = Element("AirSyncBase:Type", 1), Element("AirSyncBase:TruncationSize", wishes.truncation)
        options.children.append(Element("AirSyncBase:BodyPreference", kind, size))
    if mail:
        options.children.append(Element("AirSync:MIMESupport", 0))
    return options


def _scale(size: int) -> int:
    """The value of Truncation (2.5) that allows at least that many characters."""
    limits = (0, 512, 1024, 2048, 5120, 10240, 20480, 51200, 102400)
    return next((value for value, limit in enumerate(limits) if limit >= size), 9)


def apply_sync(folder: PhoneFolder, answer: Element | None) -> SyncNews:
    """Take over an answer; C{None} (an empty body) says that there is nothing new.

    @raise StateGone: a key that the server does not know; it has been set to 0.
    @raise HierarchyStale: the folder is not there any more.
    @raise Later: the server cannot now.
    @raise Garbled: the answer is not one to this request.
    """
    news = SyncNews()
    if answer is None:
        return news
    collection = _collection(folder, answer)
    _check(folder, number(collection, "AirSync:Status", _OK))
    key = collection.text_of("AirSync:SyncKey")
    if not key:
        raise Garbled("the answer to Sync has no key")
    for command in collection.child("AirSync:Commands") or ():
        _apply_command(folder, command, news)
    for response in collection.child("AirSync:Responses") or ():
        _apply_response(response, news)
    news.more = collection.child("AirSync:MoreAvailable") is not None
    news.guid = (collection.text_of("AirSync:NotifyGUID", "") or "").lower()
    folder.key = key
    return news


def _collection(folder: PhoneFolder, answer: Element) -> Element:
    status = number(answer, "AirSync:Status", _OK)
    _check(folder, status)
    collections = answer.child("AirSync:Collections") or Element("AirSync:Collections")
    for collection in collections.all("AirSync:Collection"):
        if collection.text_of("AirSync:CollectionId", folder.id) == folder.id:
            return collection
    # A folder without news may be left out of an answer; then its key stays.
    return Element("AirSync:Collection", Element("AirSync:SyncKey", folder.key))


def _check(folder: PhoneFolder, status: int) -> None:
    """Turn a Status of a request or a folder into what to do about it ([MS-ASCMD] 2.2.3.177.17)."""
    if status == _OK:
        return
    if status == _BAD_KEY and folder.key != UNSYNCED:
        folder.restart()
        raise StateGone(f"Sync status {status}: the key of {folder.name!r} is not known")
    if status in (_GONE, _HIERARCHY):
        raise HierarchyStale(f"Sync status {status} for {folder.name!r}")
    if status == _MALFORMED:
        folder.restart()
    raise Later(f"Sync status {status} for {folder.name!r}")


def _apply_command(folder: PhoneFolder, command: Element, news: SyncNews) -> None:
    id = command.text_of("AirSync:ServerId", "") or ""
    folder.doubtful.discard(id)
    if command.name in ("Add", "Change"):
        known = folder.items.get(id)
        item = folder.items[id] = _item(known or PhoneItem(), command.child("AirSync:ApplicationData"))
        if known is None:
            news.added[id] = item
        else:
            news.changed.append(id)
    elif command.name in ("Delete", "SoftDelete"):
        folder.items.pop(id, None)
        news.deleted.append(id)


def _apply_response(response: Element, news: SyncNews) -> None:
    id = response.text_of("AirSync:ServerId") or response.text_of("AirSync:ClientId", "") or ""
    news.statuses[id] = number(response, "AirSync:Status", _OK)
    data = response.child("AirSync:ApplicationData")
    if data is not None:
        news.fetched[id] = data


def _item(known: PhoneItem, data: Element | None) -> PhoneItem:
    """An item with what the data says; what it does not name stays."""
    if data is None:
        return known
    texts = {child.tag: child.text for child in data}
    subject = next((texts[tag] for tag in _SUBJECTS if tag in texts), known.subject)
    received = texts.get("Email:DateReceived", known.received)
    flag = data.child("Email:Flag")
    return PhoneItem(
        subject=subject,
        read=texts["Email:Read"] == "1" if "Email:Read" in texts else known.read,
        flagged=known.flagged if flag is None else flag.text_of("Email:Status", "0") not in ("0", ""),
        received=received,
        sent=known.sent if known.sent is not None else _sent(subject, data, received),
    )


def _sent(subject: str, data: Element, received: str) -> float | None:
    """When the item was sent: a token C{sent=SECONDS} in subject or body, else the time it was received."""
    body = data.child("AirSyncBase:Body")
    text = (body.text_of("AirSyncBase:Data", "") if body is not None else data.text_of("Email:Body", "")) or ""
    token = _SENT.search(subject) or _SENT.search(text)
    if token is not None:
        return float(token[1])
    try:
        return datetime.fromisoformat(received).timestamp()
    except ValueError:
        return None


def mark_read(item: str, read: bool) -> Element:
    """The command that marks a mail as read or unread."""
    return _change(item, Element("Email:Read", int(read)))


def mark_flag(item: str, flagged: bool) -> Element:
    """The command that sets or clears the follow-up flag of a mail (12.0 and later)."""
    if not flagged:
        return _change(item, Element("Email:Flag"))
    words = Element("Email:FlagType", "Flag for follow up")
    return _change(item, Element("Email:Flag", Element("Email:Status", 2), words))


def delete(item: str) -> Element:
    """The command that deletes an item."""
    return Element("AirSync:Delete", Element("AirSync:ServerId", item))


def fetch(item: str) -> Element:
    """The command that asks for the whole of a mail."""
    return Element("AirSync:Fetch", Element("AirSync:ServerId", item))


def _change(item: str, *data: Element) -> Element:
    return Element("AirSync:Change", Element("AirSync:ServerId", item), Element("AirSync:ApplicationData", *data))
