"""WBXML as ActiveSync uses it ([MS-ASWBXML]): elements, text and opaque bytes; no attributes, no entities.

What is sent is canonical: a page is switched only when it changes, an element without content is its bare tag, text
is inline, C{bytes} are opaque, the string table is empty. What is accepted is everything that means the same.

Nothing here recurses, and every loop is bounded by the length of the data or by L{Limits}.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TypeVar

from attrs import define, field, frozen

from gateway.eas.codepages import TAGS, TOKENS
from gateway.element import Element

SWITCH_PAGE = 0x00
END = 0x01
STR_I = 0x03
STR_T = 0x83
OPAQUE = 0xC3
CONTENT = 0x40
TOKEN = 0x3F
FIRST_TAG = 0x05
ATTRIBUTES = 0x80

_HEADER = b"\x03\x01\x6a\x00"
_VERSIONS = (0x01, 0x02, 0x03)
_CHARSETS = {106: "utf-8", 3: "utf-8", 4: "latin-1"}
_UINT32 = 0xFFFFFFFF
_NO_TAGS: tuple[None, ...] = (None,) * (TOKEN + 1)
# Elsewhere an element that nobody knows is passed over with its content.
_STRICT_ROOTS = frozenset({"Ping:Ping", "FolderHierarchy:FolderSync"})
_NOT_XML = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


_NOTHING: Mapping[int, bytes] = MappingProxyType({})

T = TypeVar("T")


class WBXMLError(ValueError):
    """The data is no WBXML document, leaves the bounds, or the tree cannot be written as one."""


@frozen
class Limits:
    """What a document may cost.

    C{depth}: elements open at once; C{elements}: elements and pieces of text together, and half the switches of the
    page; C{size}: bytes of the document; C{expansion}: bytes that references into the string table may add up to.
    """

    depth: int = 32
    elements: int = 100_000
    size: int = 64 * 1024 * 1024
    expansion: int = 1024 * 1024


def encode(element: Element) -> bytes:
    """The document with that root.

    U+0000 is left out of text, other characters that XML does not allow become U+FFFD.

    @raise WBXMLError: a tag has no token, or an element has both children and a value.
    """
    return b"".join(segments(element, _NOTHING))


def segments(element: Element, texts: Mapping[int, T]) -> Iterator[bytes | T]:
    """The document in pieces; for an element whose C{id} is in C{texts}, what stands for its text is one of them.

    @raise WBXMLError: as L{encode}.
    """
    out = bytearray(_HEADER)
    page = 0
    stack: list[Element | None] = [element]
    while stack:
        node = stack.pop()
        if node is None:
            out.append(END)
            continue
        number, token = _token(node)
        if number != page:
            page = number
            out += bytes((SWITCH_PAGE, page))
        if id(node) in texts:
            yield bytes(out) + bytes((token | CONTENT, STR_I))
            yield texts[id(node)]
            out = bytearray((0, END))
            continue
        content = _content(node.value)
        if node.children:
            out.append(token | CONTENT)
            stack.append(None)
            stack += node.children[::-1]
        elif content:
            out.append(token | CONTENT)
            out += content
            out.append(END)
        else:
            out.append(token)
    yield bytes(out)


def _token(node: Element) -> tuple[int, int]:
    """Page and token of an element that can be written."""
    if node.children and node.value:
        raise WBXMLError(f"{node.tag} has both children and a value")
    try:
        return TOKENS[node.tag]
    except KeyError:
        raise WBXMLError(f"no token for {node.tag}") from None


def _content(value: str | bytes | None) -> bytes:
    """A value as inline text or as opaque data; nothing for an empty one."""
    if not value:
        return b""
    if isinstance(value, str):
        text = text_octets(value)
        return b"\x03%b\x00" % text if text else b""
    return b"\xc3" + _mb_u_int32(len(value)) + value


def text_octets(text: str) -> bytes:
    """Text as it is sent: without the characters that XML 1.0 does not allow."""
    if not (text.isascii() and text.isprintable()):
        text = _NOT_XML.sub("\ufffd", text.replace("\0", ""))
    return text.encode()


def _mb_u_int32(number: int) -> bytes:
    """A number in groups of seven bits, the highest first."""
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(number & 0x7F | 0x80)
    return bytes(reversed(groups))


def decode(data: bytes, limits: Limits = Limits()) -> Element:
    """The root of a document.

    Inline text and text from the string table become C{str} (bytes that are not of the charset become U+FFFD);
    an element with an opaque piece gets C{bytes}; whitespace beside elements is dropped, as are bytes after the
    root. A tag unknown to us is skipped with all that it holds, but not as root and nowhere in a Ping, where
    [MS-ASCMD] 2.2.1.13 leaves no room for one.

    @raise WBXMLError: the data is malformed, cut short or beyond the limits.
    """
    if len(data) > limits.size:
        raise WBXMLError(f"{len(data)} bytes, {limits.size} are allowed")
    try:
        strings, position = _header(data, limits)
        return _tree(data, position, strings, limits)
    except IndexError:
        raise WBXMLError("the data ends inside the document") from None


def _header(data: bytes, limits: Limits) -> tuple[_Strings, int]:
    """Check version, public identifier and charset; the string table and the position of the body."""
    if data[0] not in _VERSIONS:
        raise WBXMLError(f"no WBXML: first byte {data[0]:#04x}")
    identifier, position = _number(data, 1)
    if identifier == 0:
        _, position = _number(data, position)
    charset, position = _number(data, position)
    if charset not in _CHARSETS:
        raise WBXMLError(f"unknown charset {charset}")
    length, position = _number(data, position)
    table, position = _bytes(data, position, length)
    return _Strings(table, _CHARSETS[charset], limits.expansion), position


def _number(data: bytes, position: int) -> tuple[int, int]:
    """The mb_u_int32 at a position, and the position after it."""
    number = 0
    for place in range(position, position + 5):
        byte = data[place]
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            if number > _UINT32:
                break
            return number, place + 1
    raise WBXMLError(f"a number above 32 bits at byte {position}")


def _bytes(data: bytes, position: int, length: int) -> tuple[bytes, int]:
    """So many bytes from a position, and the position after them."""
    end = position + length
    if end > len(data):
        raise IndexError
    return data[position:end], end


@define(eq=False)
class _Strings:
    """The pieces of text of one document; C{expansion} is what references to the table may still cost."""

    table: bytes
    charset: str
    expansion: int
    seen: dict[int, str] = field(factory=dict)

    def piece(self, token: int, data: bytes, position: int) -> tuple[str | bytes, int]:
        """The text or opaque data that a token announces, and the position after it."""
        if token == STR_I:
            end = data.find(0, position)
            if end < 0:
                raise IndexError
            return data[position:end].decode(self.charset, "replace"), end + 1
        if token == OPAQUE:
            length, position = _number(data, position)
            return _bytes(data, position, length)
        if token == STR_T:
            offset, position = _number(data, position)
            return self.at(offset), position
        raise WBXMLError(f"token {token:#04x} at byte {position - 1} is not of ActiveSync")

    def at(self, offset: int) -> str:
        """The text at an offset of the string table."""
        if offset not in self.seen:
            end = self.table.find(0, offset)
            if offset >= len(self.table) or end < 0:
                raise WBXMLError(f"no string at {offset} in a table of {len(self.table)} bytes")
            self.seen[offset] = self.table[offset:end].decode(self.charset, "replace")
        self.expansion -= len(self.seen[offset])
        if self.expansion < 0:
            raise WBXMLError("the string table expands to too much text")
        return self.seen[offset]


def _tree(data: bytes, position: int, strings: _Strings, limits: Limits) -> Element:
    """The element that begins at a position."""
    document = top = Element("")
    stack: list[Element] = []
    texts: list[str | bytes] = []
    tags: tuple[str | None, ...] = TAGS[0]
    room = limits.elements + 1
    # An element needs one switch at most, and some clients switch to the page that they are on.
    turns = 2 * room
    while room:
        token = data[position]
        position += 1
        if token == SWITCH_PAGE:
            tags = TAGS[data[position]] if data[position] < len(TAGS) else _NO_TAGS
            position += 1
            turns -= 1
            if not turns:
                raise WBXMLError("more switches of the page than elements could need")
        elif token == END:
            _close(top, texts, stack)
            top = stack.pop()
        elif token & TOKEN < FIRST_TAG or token >= ATTRIBUTES:
            piece, position = strings.piece(token, data, position)
            texts.append(piece)
            room -= 1
        else:
            child = _open(tags[token & TOKEN], top, texts, document)
            room -= 1
            if token & CONTENT:
                stack.append(top)
                top = child
                if len(stack) > limits.depth:
                    raise WBXMLError(f"more than {limits.depth} elements inside one another")
        if top is document and document.children:
            return document.children[0]
    raise WBXMLError(f"more than {limits.elements} elements")


def _open(tag: str | None, parent: Element, texts: list[str | bytes], document: Element) -> Element:
    """A new element, put into its parent if we know its tag."""
    if texts:
        _drop_blank(parent, texts)
    if tag is not None:
        child = Element(tag)
        parent.children.append(child)
        return child
    if parent is document or document.children[0].tag in _STRICT_ROOTS:
        raise WBXMLError(f"unknown tag in {parent.tag or 'the document'}")
    return Element("")


def _close(element: Element, texts: list[str | bytes], stack: list[Element]) -> None:
    """Give an element the text that was met in it."""
    if not stack:
        raise WBXMLError("END before the first element")
    if not texts:
        return
    if element.children:
        _drop_blank(element, texts)
        return
    element.value = texts[0] if len(texts) == 1 else _joined(texts)
    element.value = element.value or None
    texts.clear()


def _drop_blank(element: Element, texts: list[str | bytes]) -> None:
    """Forget whitespace that stands beside elements."""
    if _joined(texts).strip():
        raise WBXMLError(f"text beside the elements in {element.tag or 'the document'}")
    texts.clear()


def _joined(texts: list[str | bytes]) -> str | bytes:
    """The pieces of one value as one: text if all are, otherwise bytes."""
    if all(isinstance(piece, str) for piece in texts):
        return "".join(texts)  # type: ignore[arg-type]
    return b"".join(piece.encode() if isinstance(piece, str) else piece for piece in texts)
