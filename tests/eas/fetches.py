"""Fetches for the tests: requests that say what they want, and answers taken apart."""

from __future__ import annotations

import base64
import struct
from typing import Any

from attrs import define, field
from twisted.internet.defer import execute

from gateway.eas import wbxml
from gateway.eas.call import Answer, Version
from gateway.eas.gate import Rules
from gateway.eas.getattachment import GetAttachment
from gateway.eas.itemoperations import MULTIPART, FetchLimits, ItemOperations
from gateway.eas.moving import Moving
from gateway.eas.policydoc import Policy
from gateway.eas.reading import Reading
from gateway.eas.spool import Spools
from gateway.element import Element
from tests.convert.samples import multipart, part
from tests.eas.support import Sources, call_of
from tests.stores import result_of

PDF = bytes(range(256)) * 4
FILE = part(
    "application/pdf",
    base64.encodebytes(PDF),
    "Content-Transfer-Encoding: base64",
    'Content-Disposition: attachment; filename="a.pdf"',
)
TWO = multipart("mixed", part("text/plain", "Hi."), FILE, headers="Subject: Two\nFrom: b@example.org")


def op(name: str, *content: Element | str | bytes | int | None) -> Element:
    """An element of ItemOperations."""
    return Element(f"ItemOperations:{name}", *content)


def air(name: str, *content: Element | str | int | None) -> Element:
    """An element of AirSync."""
    return Element(f"AirSync:{name}", *content)


def air_base(name: str, *content: Element | str | int | None) -> Element:
    """An element of AirSyncBase."""
    return Element(f"AirSyncBase:{name}", *content)


def fetch(*content: Element | None, store: str | None = "Mailbox") -> Element:
    """A Fetch."""
    return op("Fetch", op("Store", store) if store is not None else None, *content)


def of_item(name: str, *options: Element, folder: str | None = None) -> Element:
    """A Fetch of an item by its ServerId."""
    collection = air("CollectionId", name.partition(":")[0] if folder is None else folder)
    return fetch(collection, air("ServerId", name), op("Options", *options) if options else None)


def of_file(reference: str, *options: Element) -> Element:
    """A Fetch of an attachment."""
    return fetch(air_base("FileReference", reference), op("Options", *options) if options else None)


def preference(kind: int, *more: Element, name: str = "BodyPreference") -> Element:
    """A BodyPreference."""
    return air_base(name, air_base("Type", kind), *more)


@define(eq=False)
class Fetched:
    """An answer taken apart: its document, and the parts after it."""

    root: Element
    parts: list[bytes] = field(factory=list)

    @property
    def status(self) -> str:
        """The Status of the whole."""
        return self.root.text_of("ItemOperations:Status") or ""

    @property
    def operations(self) -> list[Element]:
        """What was done."""
        response = self.root.child("ItemOperations:Response")
        return [] if response is None else response.children

    @property
    def only(self) -> Element:
        """The only operation."""
        (found,) = self.operations
        return found

    @property
    def statuses(self) -> list[str]:
        """The Status of each operation."""
        return [found.text_of("ItemOperations:Status") or "" for found in self.operations]

    @property
    def properties(self) -> Element:
        """The Properties of the only operation."""
        found = self.only.child("ItemOperations:Properties")
        assert found is not None, self.only
        return found

    @property
    def body(self) -> dict[str, str]:
        """The children of the Body of the only item."""
        found = self.properties.child("AirSyncBase:Body")
        assert found is not None
        return {child.name: child.text for child in found}

    @property
    def data(self) -> bytes:
        """The octets of the only attachment."""
        return base64.b64decode(self.properties.text_of("ItemOperations:Data") or "", validate=True)


def octets(answer: Answer) -> bytes:
    """The body of an answer, which is written then."""
    if answer.stream is None:
        return answer.raw
    try:
        raw = b"".join(answer.stream.pieces)
    finally:
        answer.stream.close()
    assert len(raw) == answer.stream.length
    return raw


def taken_apart(raw: bytes, content_type: str) -> Fetched:
    """The body of an answer: a document, or one with parts after it."""
    if content_type != MULTIPART:
        return Fetched(wbxml.decode(raw))
    (count,) = struct.unpack_from("<i", raw)
    places = [struct.unpack_from("<ii", raw, 4 + 8 * number) for number in range(count)]
    assert sum(length for _, length in places) + 4 + 8 * count == len(raw)
    document, *parts = (raw[offset : offset + length] for offset, length in places)
    return Fetched(wbxml.decode(document), parts)


@define(eq=False, slots=False)
class Desk(Sources):
    """Mails, and the commands that fetch them."""

    elements: dict[str, Any] | None = None
    limits: FetchLimits = field(factory=FetchLimits)
    others: dict[str, Any] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.ids = self.make()
        self.inbox = self.ids[""]
        self.spools = Spools()
        self.reading = Reading(self.mailbox, execute)
        rules = Rules()
        rules.policy_for = lambda user: None if self.elements is None else Policy(self.elements)
        self.moving = Moving(self.store, self.mailbox, self.reports, lambda: self.now)
        self.items_command = ItemOperations(
            self.store, self.reading, self.spools, rules, self.others, self.moving.own, self.limits
        )
        self.attachment_command = GetAttachment(self.store, self.reading, self.spools, rules)

    def arrive(self, name: str, raw: bytes = b"") -> str:
        """Have a mail arrive; its ServerId."""
        self.mail(self.inbox, name, raw)
        return f"{self.inbox}:{self.named(name)}"

    def ask(self, *operations: Element, version: Version = Version.V14_1, parts: bool = False) -> Fetched:
        """Send an ItemOperations."""
        body = op("ItemOperations", *operations)
        return self.send(wbxml.decode(wbxml.encode(body)), version, parts)

    def send(self, body: Element | None, version: Version = Version.V14_1, parts: bool = False) -> Fetched:
        """Send this as an ItemOperations."""
        call = call_of("ItemOperations", body, version, multipart=parts)
        answer = result_of(self.items_command(call))
        assert (answer.content_type == MULTIPART) == parts
        return taken_apart(octets(answer), answer.content_type)

    def attachment(self, name: str, version: Version = Version.V12_1) -> Answer:
        """Send a GetAttachment; the answer."""
        call = call_of("GetAttachment", None, version, parameters={"AttachmentName": name})
        return result_of(self.attachment_command(call))
