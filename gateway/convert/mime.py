"""The structure of a mail, by the parser of the standard library.

The parser itself has no bounds, so they are set around it: a mail of too many lines is not parsed, and the objects it
makes count themselves, their fields and their depth. It is fed in pieces, which saves it two copies of the mail, and
never sees a long body (L{gateway.convert.abridge}).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.feedparser import BytesFeedParser
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import Policy
from functools import cached_property
from itertools import count
from typing import Any

from twisted.logger import Logger

from gateway.convert import transfer
from gateway.convert.abridge import Abridged, Piece, abridged
from gateway.convert.charset import clean, decoded
from gateway.convert.headers import READABLE, words

MAX_DEPTH = 24
"""Multiparts within multiparts that are opened; mail programs of today make four at most."""

MAX_PARTS = 2000
"""Parts of a mail that is taken apart."""

MAX_FIELDS = 2000
"""Fields in one header of a mail that is taken apart; a mail through many hands has about 100."""

MAX_LINES = 2_000_000
"""Lines of headers, delimiters and short bodies of a mail that is taken apart: each is an object of the parser."""

PIECE = 2**16
"""Octets of a mail that the parser gets at a time."""

_HEAD = 2**13
_UNKNOWN = "application/octet-stream"
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")

_NOTHING = Abridged(b"", b"")

_log = Logger()


class TooLarge(ValueError):
    """The mail has more of something than is taken apart."""


class Part(Message):
    """One part, or the whole mail. C{number} counts the leaves from 1 and never changes for the same octets."""

    depth = 0
    number = 0
    source: Abridged = _NOTHING

    # The body as it stands in the mail; get_payload would put octets that are not ASCII through a charset.
    _payload: Any

    def set_raw(self, name: str, value: str) -> None:
        """Take a field from the parser."""
        if len(self) >= MAX_FIELDS:
            raise TooLarge("fields")
        super().set_raw(name, value)

    def attach(self, payload: Any) -> None:
        """Take a child from the parser, which then asks the child what to do with it."""
        payload.depth = self.depth + 1
        super().attach(payload)

    def get_payload(self, *asked: Any, **named: Any) -> Any:
        """What the generator writes: the library's own would put a multipart without parts through a charset."""
        return super().get_payload(*asked, **named) if asked or named else self._payload

    def get_content_type(self) -> str:
        """What the parser goes by; it is not to open messages in the message, nor multiparts without bound."""
        kind = self._named()
        closed = kind.startswith("message/") or (kind.startswith("multipart/") and self.depth >= MAX_DEPTH)
        return _UNKNOWN if closed else kind

    def get_boundary(self, failobj: Any = None) -> Any:
        """What the parser goes by; the library's own raises for contradictory parameters and takes an empty one."""
        return self.parameters().get("boundary", "").rstrip() or failobj

    def _named(self) -> str:
        kind = super().get_content_type()
        return kind if _TYPE.fullmatch(kind) else "text/plain"

    @property
    def type(self) -> str:
        """C{"text/plain"} and the like, lower-cased; people want to read a multipart that has no parts as text."""
        kind = self._named()
        return "text/plain" if kind.startswith("multipart/") and not self.children else kind

    @property
    def children(self) -> list[Part]:
        """The parts of a multipart; empty for a leaf."""
        return list(self._payload) if self.is_multipart() else []

    def leaves(self) -> Iterator[Part]:
        """This part or the leaves below it, in the order of the mail."""
        return (part for part in self.walk() if not part.is_multipart())

    def parameters(self, name: str = "content-type") -> dict[str, str]:
        """The parameters of a field by their lower-cased names (RFC 2045, 2231)."""
        try:
            found = self.get_params([], name)
        except (TypeError, ValueError):
            # RFC 2231 segments with and without a number, or with one of thousands of digits.
            return {}
        return {key: value if isinstance(value, str) else _extended(value) for key, value in found[1:]}

    @property
    def filename(self) -> str:
        """The name that the sender gave the part, as it stands; empty if there is none."""
        return words(self.parameters("content-disposition").get("filename") or self.parameters().get("name", ""))

    @property
    def encoding(self) -> str:
        """The transfer encoding, lower-cased; empty if there is none."""
        return str(self.get("content-transfer-encoding", "")).lower()

    def pieces(self) -> Iterator[Piece]:
        """The body of a leaf as it stands in the mail, piece by piece."""
        return self.source.pieces(str(self._payload or ""))

    def transferred(self) -> bytes:
        """The body of a leaf as it stands in the mail."""
        return b"".join(octets[start:end] for octets, start, end in self.pieces())

    def chunks(self) -> Iterator[bytes]:
        """The body of a leaf without its transfer encoding, piece by piece."""
        return transfer.decoded(self.pieces(), self.encoding)

    def content(self) -> bytes:
        """The body of a leaf without its transfer encoding."""
        return b"".join(self.chunks())

    @cached_property
    def decoded(self) -> tuple[str, int]:
        """The text of a leaf, in characters that XML allows, and the code page of its charset."""
        text, page = decoded(self.content(), self.parameters().get("charset", ""))
        return clean(text), page

    def size(self) -> int:
        """The length of L{content}, estimated without decoding it."""
        pieces = tuple(self.pieces())
        length = sum(end - start for _, start, end in pieces)
        if self.encoding == "base64":
            padding = b"".join(octets[max(start, end - 4) : end] for octets, start, end in pieces)[-4:].count(b"=")
            breaks = transfer.count(pieces, b"\n") + transfer.count(pieces, b"\r")
            return max(0, (length - breaks) // 4 * 3 - padding)
        return length - (2 * transfer.count(pieces, b"=") if self.encoding == "quoted-printable" else 0)


def _extended(value: tuple[str | None, str | None, str]) -> str:
    """A value of RFC 2231, octets in Latin-1; C{collapse_rfc2231_value} raises for some charsets and guesses none."""
    return clean(decoded(value[2].encode("raw-unicode-escape"), value[0] or "utf-8")[0])


def read(raw: bytes) -> Part:
    """The parts of a mail; one of which there is too much to take apart is one text."""
    try:
        return taken_apart(raw)
    except TooLarge as error:
        _log.warn("A mail of {size} bytes has too many {what} and is shown as text", size=len(raw), what=str(error))
        return unread(raw)


def taken_apart(raw: bytes) -> Part:
    """The parts of a mail. Raises L{TooLarge} for one of which there is too much."""
    root = _parsed(abridged(raw))
    for number, leaf in enumerate(root.leaves(), 1):
        leaf.number = number
    return root


def _parsed(source: Abridged) -> Part:
    text = source.text
    if max(text.count(b"\n"), text.count(b"\r")) > MAX_LINES:
        raise TooLarge("lines")
    made = count()

    def part(policy: Policy = READABLE) -> Part:
        if next(made) > MAX_PARTS:
            raise TooLarge("parts")
        fresh = Part(policy)
        fresh.source = source
        return fresh

    parser = BytesFeedParser(part, policy=READABLE)
    for start in range(0, len(text), PIECE):
        parser.feed(text[start : start + PIECE])
    root: Any = parser.close()
    return root  # type: ignore[no-any-return]


def unread(raw: bytes) -> Part:
    """The mail as one text without a header, for when it cannot be read otherwise."""
    part = Part(READABLE)
    part.set_payload(raw.decode("ascii", "surrogateescape"))
    part.number = 1
    return part


def read_head(raw: bytes) -> Message:
    """The header at the beginning of these octets."""
    return BytesHeaderParser(policy=READABLE).parsebytes(raw[:_HEAD])
