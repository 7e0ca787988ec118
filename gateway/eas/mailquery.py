"""What a Search of the mailbox asks for: the Query of its Store ([MS-ASCMD] 2.2.3.142.2)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from attrs import define, field, frozen

from gateway.eas.call import Version
from gateway.eas.collection import LONGEST_ID
from gateway.eas.finding import Failed
from gateway.eas.options import CLASSES
from gateway.eas.querydates import BadDate, after, before
from gateway.eas.querytext import TooComplex, free_text
from gateway.element import Element
from gateway.index import Phrase, Sought

INVALID, TOO_COMPLEX = 2, 8

MAX_FOLDERS = 1000
_NEW_CLASSES = frozenset(("Notes", "SMS"))
_CONVERSATION = 16
_HEX = re.compile(r"\{?([0-9A-Fa-f]{8})-?([0-9A-Fa-f]{4})-?([0-9A-Fa-f]{4})-?([0-9A-Fa-f]{4})-?([0-9A-Fa-f]{12})\}?")


@frozen
class Asked:
    """What is looked for; C{folders} are the CollectionIds as they were sent, C{classes} those of the items that are
    wanted, and none of either means all."""

    sought: Sought
    folders: tuple[str, ...] = ()
    classes: frozenset[str] = frozenset()


def parse_query(store: Element, version: Version) -> Asked:
    """Read the Query: one And with what has to hold.

    @raise Failed: 2, it makes no sense; 8, more than one And, an Or, or something outside of the And that belongs
        into it.
    """
    queries = store.all("Search:Query")
    if len(queries) != 1:
        raise Failed(INVALID, "a Store has one Query")
    outside = [child.tag for child in queries[0] if child.tag != "Search:And"]
    conditions = queries[0].all("Search:And")
    if len(conditions) > 1 or any(tag in _READERS or tag == "Search:Or" for tag in outside):
        raise Failed(TOO_COMPLEX, "a Query has one And and nothing else")
    if outside or not conditions or not conditions[0].children:
        raise Failed(INVALID, "a Query has an And that is not empty")
    reading = _Reading(version)
    for child in conditions[0]:
        if child.tag in ("Search:And", "Search:Or"):
            raise Failed(TOO_COMPLEX, "conditions within conditions")
        if child.tag not in _READERS:
            raise Failed(INVALID, f"{child.tag} is no condition")
        try:
            _READERS[child.tag](reading, child)
        except TooComplex as error:
            raise Failed(TOO_COMPLEX, str(error)) from error
        except BadDate as error:
            raise Failed(INVALID, str(error)) from error
    return reading.asked()


@define(eq=False)
class _Reading:
    """What was read of the conditions so far."""

    version: Version
    clauses: list[tuple[Phrase, ...]] = field(factory=list)
    since: list[int] = field(factory=list)
    until: list[int] = field(factory=list)
    conversations: list[bytes] = field(factory=list)
    folders: list[str] = field(factory=list)
    classes: set[str] = field(factory=set)
    texts: int = 0

    def asked(self) -> Asked:
        """All of it."""
        if self.texts and not self.clauses:
            raise Failed(INVALID, "a text without words")
        sought = Sought(
            tuple(self.clauses),
            since=max(self.since, default=None),
            until=min(self.until, default=None),
            conversation=self.conversations[0] if self.conversations else b"",
        )
        if sought == Sought():
            raise Failed(INVALID, "nothing is looked for")
        return Asked(sought, tuple(self.folders), frozenset(self.classes))

    def text(self, element: Element) -> None:
        """FreeText (2.2.3.80.2)."""
        self.texts += 1
        self.clauses += free_text(element.text)

    def folder(self, element: Element) -> None:
        """CollectionId (2.2.3.30.5)."""
        if not 0 < len(element.text) <= LONGEST_ID:
            raise Failed(INVALID, "a CollectionId that is none")
        if len(self.folders) >= MAX_FOLDERS:
            raise Failed(TOO_COMPLEX, "too many folders")
        self.folders.append(element.text)

    def item_class(self, element: Element) -> None:
        """Class (2.2.3.27.5); two of them are younger than the others."""
        if element.text not in CLASSES or (self.version < Version.V14_0 and element.text in _NEW_CLASSES):
            raise Failed(INVALID, "an unknown Class")
        self.classes.add(element.text)

    def conversation(self, element: Element) -> None:
        """ConversationId (2.2.3.35.2)."""
        if self.version < Version.V14_0 or self.conversations:
            raise Failed(INVALID, "a ConversationId too many")
        self.conversations.append(_conversation(element.value))

    def later(self, element: Element) -> None:
        """GreaterThan (2.2.3.86)."""
        self.since.append(after(_value(element)))

    def earlier(self, element: Element) -> None:
        """LessThan (2.2.3.96)."""
        self.until.append(before(_value(element)))


_READERS: Mapping[str, Callable[[_Reading, Element], None]] = MappingProxyType(
    {
        "Search:FreeText": _Reading.text,
        "AirSync:CollectionId": _Reading.folder,
        "AirSync:Class": _Reading.item_class,
        "Search:ConversationId": _Reading.conversation,
        "Search:GreaterThan": _Reading.later,
        "Search:LessThan": _Reading.earlier,
    }
)


def _value(comparison: Element) -> str:
    """The Value that DateReceived, the only property there is, is compared with."""
    if [child.tag for child in comparison] != ["Email:DateReceived", "Search:Value"]:
        raise Failed(INVALID, f"{comparison.name} compares DateReceived with a Value")
    return comparison.children[1].text


def _conversation(value: str | bytes | None) -> bytes:
    """The id as octets, as a GUID, or in base64."""
    found = value if isinstance(value, bytes) else _decoded(value or "")
    if len(found) != _CONVERSATION:
        raise Failed(INVALID, "a ConversationId that is none")
    return found


def _decoded(text: str) -> bytes:
    digits = _HEX.fullmatch(text)
    try:
        return bytes.fromhex("".join(digits.groups())) if digits else base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
