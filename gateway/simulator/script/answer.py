"""What came back to a step, taken apart: documents, documents in parts, and bodies that are something else."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterator, Set

from attrs import field, frozen

from gateway.eas import wbxml
from gateway.element import Element
from gateway.simulator.errors import Garbled
from gateway.simulator.line import Reply
from gateway.simulator.script.tree import walk

_MULTIPART = "application/vnd.ms-sync.multipart"
_MOST_PARTS = 10_000
_ITEMS = frozenset({"Add", "Change", "Fetch", "Result"})
_DELETIONS = frozenset({"Delete", "SoftDelete"})
_SUBJECTS = ("Email:Subject", "Calendar:Subject", "Tasks:Subject", "Contacts:FileAs", "Notes:Subject")
_CHANGES = frozenset({"AirSync:Commands", "FolderHierarchy:Changes"})


@frozen
class Answer:
    """One answer: C{root} C{None} where the body is empty or no document; C{body} is what is no document; C{parts} are
    those after the document; C{seconds} that it took."""

    http: int
    seconds: float = 0.0
    headers: dict[str, str] = field(factory=dict)
    root: Element | None = None
    body: bytes = b""
    parts: tuple[bytes, ...] = ()

    @classmethod
    def read(cls, reply: Reply, seconds: float) -> Answer:
        """The answer in a reply.

        @raise Garbled: it says that it is a document, and is none.
        """
        content_type = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
        headers = dict(reply.headers)
        # A server that does not say what it sends sends a document.
        if not reply.body or (content_type and "vnd.ms-sync" not in content_type):
            return cls(reply.status, seconds, headers, body=reply.body)
        document, *parts = _parts(reply.body) if content_type == _MULTIPART else [reply.body]
        try:
            root = wbxml.decode(document)
        except wbxml.WBXMLError as error:
            raise Garbled(f"the answer is no WBXML: {error}") from error
        return cls(reply.status, seconds, headers, root, parts=tuple(parts))

    def elements(self) -> Iterator[Element]:
        """All elements in their order."""
        return iter(()) if self.root is None else walk(self.root)

    def status(self, good: Set[str]) -> str:
        """The Status of the whole: the first that is not good, or else the innermost; C{1} of an answer that is empty.

        Only those of the command count, not those of properties (of a flag, of a body part).
        """
        if self.root is None:
            return "1" if self.http == 200 and not self.body else ""
        tag = f"{_status_page(self.root)}:Status"
        found = [one.text for one in self.elements() if one.tag == tag]
        return next((one for one in found if one not in good), found[-1] if found else "")

    def count(self, name: str) -> int:
        """How many items or folders the answer has as Add, as Change (Update) or as Delete (SoftDelete)."""
        names = {"Change": {"Change", "Update"}, "Delete": _DELETIONS}.get(name, {name})
        return sum(child.name in names for one in self.elements() if one.tag in _CHANGES for child in one)

    def items(self) -> Iterator[tuple[str | None, Element]]:
        """What the answer has of items, each with its subject."""
        for one in self.elements():
            if one.name in _ITEMS and one.children:
                found = (below.text for below in walk(one) if below.tag in _SUBJECTS)
                yield next(found, None), one

    def subjects(self) -> list[str]:
        """The subjects of all items."""
        return [subject for subject, _ in self.items() if subject is not None]

    def contents(self) -> Iterator[bytes]:
        """Every value there is, attachments unpacked."""
        yield self.body
        yield from self.parts
        for one in self.elements():
            value = one.value
            if value:
                yield value if isinstance(value, bytes) else value.encode()
            if one.tag == "ItemOperations:Data" and value:
                yield _unpacked(one.text)

    def size(self) -> int:
        """Bytes of the attachment, or of the largest other value."""
        packed = [_unpacked(one.text) for one in self.elements() if one.tag == "ItemOperations:Data"]
        return max(map(len, packed or self.contents()), default=0)


def _status_page(root: Element) -> str:
    return root.tag.partition(":")[0]


def _unpacked(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


def _parts(body: bytes) -> list[bytes]:
    """The parts of an answer ([MS-ASCMD] 2.2.1.10.1.1), the document first.

    @raise Garbled: the table in front does not fit what follows.
    """
    try:
        (count,) = struct.unpack_from("<I", body)
        if not 1 <= count <= _MOST_PARTS:
            raise Garbled(f"the answer has {count} parts")
        table = struct.unpack_from(f"<{2 * count}I", body, 4)
    except struct.error as error:
        raise Garbled(f"the parts of the answer are not listed: {error}") from error
    found = []
    for begin, length in zip(table[::2], table[1::2], strict=True):
        if begin + length > len(body):
            raise Garbled("a part of the answer goes beyond its end")
        found.append(body[begin : begin + length])
    return found
