"""One Collection of a Sync request, and what the client wants done in it ([MS-ASCMD] 2.2.3.29.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from hashlib import sha256

from attrs import evolve, frozen

from gateway.eas.call import Version
from gateway.eas.options import CLASSES, Malformed, flag, number, only, options_of
from gateway.element import Element
from gateway.model import Folder, SyncOptions

LONGEST_ID = 64
DEFAULT_WINDOW = 100
LARGEST_WINDOW = 512
_ID = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


class Verb(Enum):
    """What a client command is called."""

    ADD = "Add"
    CHANGE = "Change"
    DELETE = "Delete"
    FETCH = "Fetch"


@frozen
class Command:
    """A client command; C{id} is a ServerId, for an Add the ClientId, C{data} the ApplicationData.

    C{instance}: it is about one instance of a series, which a mail does not have; C{send}: a draft is to be sent.
    """

    verb: Verb
    id: str
    data: Element | None = None
    item_class: str | None = None
    instance: bool = False
    send: bool = False


@frozen
class Collection:
    """A collection as the client asks for it; C{id} and C{key} are as they were sent.

    C{item_class} is the Class that the answer has to repeat. The options are still in C{element}, because what they
    may be depends on the folder; C{None} of a collection that is asked for again, for which the last ones hold.
    """

    id: str
    key: str
    digest: bytes
    element: Element | None
    window: int = DEFAULT_WINDOW
    get_changes: bool = True
    trash: bool = True
    conversations: bool = False
    item_class: str | None = None
    commands: tuple[Command, ...] = ()

    @property
    def folder(self) -> int:
        """The folder that the id names, or 0 if it cannot be the id of one."""
        return folder_id(self.id)

    def options(self, folder: Folder, version: Version) -> SyncOptions | None:
        """The options for the items of the folder.

        @raise Malformed: they do not fit, or the Class or ConversationMode do not fit the folder.
        @raise Refused: see L{options_of}.
        """
        if self.item_class not in (None, folder.type.item_class):
            raise Malformed(f"the folder has no items of the Class {self.item_class}")
        if self.conversations and folder.type.item_class != "Email":
            raise Malformed("ConversationMode for a folder of something else than mail")
        return None if self.element is None else options_of(self.element, folder.type.item_class, version)

    def quiet(self) -> Collection:
        """The collection as it may be asked for again: without commands, and with the options that it has by then.

        One that had no commands keeps its digest: what it brings may be asked for again by the request that came.
        """
        return evolve(self, element=None, digest=b"" if self.commands else self.digest, commands=())


def folder_id(server_id: str) -> int:
    """The number of the folder that a ServerId names, or 0 if it cannot be that of one."""
    return int(server_id) if _ID.fullmatch(server_id) else 0


def item_id(server_id: str, folder: int) -> int | None:
    """The number of the item that a ServerId (C{"5:17"}) names in that folder, or C{None} if it names none there."""
    here, _, item = server_id.partition(":")
    return int(item) if here == str(folder) and _ID.fullmatch(item) else None


def server_id(folder: int, item: int) -> str:
    """The ServerId of an item."""
    return f"{folder}:{item}"


def window_size(parent: Element) -> int | None:
    """The WindowSize in an element: 0 and what is too large mean the largest.

    @raise Malformed: it is no number.
    """
    size = number(parent, "AirSync:WindowSize")
    return size if size is None or 0 < size <= LARGEST_WINDOW else LARGEST_WINDOW


def _wordy(element: Element) -> bool:
    """Whether a Collection comes with more than it needs at first.

    Several clients send the same elements with every request, GetChanges among them. That alone is Status 4
    ([MS-ASCMD] 2.2.3.84), but to refuse them would shut them out for good; they are given their key and no changes.
    """
    return element.child("AirSync:WindowSize") is not None or element.child("AirSync:Options") is not None


def parse_collection(element: Element, version: Version) -> Collection:
    """Read a Collection, whatever order its children come in; what is not known is passed over.

    @raise Malformed: Status 4.
    """
    key = _text(element, "AirSync:SyncKey")
    commands = tuple(_commands(element, version))
    get_changes = flag(element, "AirSync:GetChanges")
    if key == "0" and (commands or (get_changes and not _wordy(element))):
        raise Malformed("a first request asks for changes, or brings some")
    return Collection(
        id=_text(element, "AirSync:CollectionId"),
        key=key,
        digest=digest(element),
        element=element,
        window=window_size(element) or DEFAULT_WINDOW,
        get_changes=key != "0" and get_changes is not False,
        trash=flag(element, "AirSync:DeletesAsMoves") is not False,
        conversations=version >= Version.V14_0 and bool(flag(element, "AirSync:ConversationMode")),
        item_class=_class(element) if version < Version.V14_0 else None,
        commands=commands,
    )


def _text(parent: Element, tag: str) -> str:
    """The text of a child that must be there, of 1 to 64 characters."""
    found = only(parent, tag)
    if found is None or not 0 < len(found.text) <= LONGEST_ID:
        raise Malformed(f"{parent.name} needs {tag}, of 1 to {LONGEST_ID} characters")
    return found.text


def _class(parent: Element) -> str | None:
    found = only(parent, "AirSync:Class")
    if found is not None and found.text not in CLASSES:
        raise Malformed(f"unknown Class in {parent.name}")
    return None if found is None else found.text


def _commands(collection: Element, version: Version) -> Iterator[Command]:
    given = only(collection, "AirSync:Commands")
    for element in given or ():
        try:
            verb = Verb(element.tag.removeprefix("AirSync:"))
        except ValueError:
            raise Malformed(f"{element.tag} is no command") from None
        yield Command(
            verb,
            _text(element, "AirSync:ClientId" if verb is Verb.ADD else "AirSync:ServerId"),
            element.child("AirSync:ApplicationData") if verb in (Verb.ADD, Verb.CHANGE) else None,
            _class(element) if version >= Version.V14_0 else None,
            element.child("AirSyncBase:InstanceId") is not None,
            version >= Version.V16_0 and _sends(element),
        )


def _sends(element: Element) -> bool:
    """Whether there is a Send, beside the properties or among them ([MS-ASEMAIL] 2.2.2.72)."""
    data = element.child("AirSync:ApplicationData")
    return any(one is not None and one.child("Email2:Send") is not None for one in (element, data))


def digest(element: Element) -> bytes:
    """What tells one request for a collection from another: a hash of everything that is in it."""
    found = sha256()
    stack: list[Element | None] = [element]
    while stack:
        node = stack.pop()
        if node is None:
            found.update(b"\x01")
            continue
        value = node.value if isinstance(node.value, bytes) else (node.value or "").encode("utf-8", "surrogatepass")
        found.update(b"%b\x00%d\x00%b" % (node.tag.encode(), len(value), value))
        stack.append(None)
        stack += reversed(node.children)
    return found.digest()
