"""Bodies: what may come in one, how it is unpacked and read, and how an answer is packed ([MS-ASHTTP] 2.2.1.2)."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from types import MappingProxyType

from attrs import field, frozen

from gateway.eas import wbxml
from gateway.eas.call import Answer, Refused, Version
from gateway.eas.commands import root_of
from gateway.eas.request import MAX_QUERY, BadRequest, Head
from gateway.eas.status import malformed
from gateway.element import Element

WBXML = "application/vnd.ms-sync.wbxml"
MESSAGE = "message/rfc822"
WBXML_TYPES = (WBXML, "application/vnd.ms-sync")
#: Commands whose body is a message, in the versions before 14.0.
RAW_COMMANDS = frozenset({"SendMail", "SmartForward", "SmartReply"})
#: Commands that may come without a body, and since when.
EMPTY_BODY = MappingProxyType(
    {
        "Sync": Version.V12_1,
        "Ping": Version.V2_5,
        "GetAttachment": Version.V2_5,
        "GetHierarchy": Version.V2_5,
    }
)
#: Smaller answers than this are not compressed, in bytes: those of a Ping, but not the folders of a small mailbox.
WORTH_COMPRESSING = 100
_NO_QUALITY = re.compile(r"q\s*=\s*0(\.0{0,3})?")

Header = Callable[[bytes], bytes | None]


@frozen
class BodyLimits:
    """Bounds of a request: bytes of the body after decompression, those of its WBXML, and bytes of the query."""

    bytes: int = 64 * 1024 * 1024
    wbxml: wbxml.Limits = field(factory=wbxml.Limits)
    query: int = MAX_QUERY


@frozen
class Content:
    """What a body held: a document, or the bytes of a message, or neither."""

    element: Element | None = None
    raw: bytes = b""


def text(header: bytes | None) -> str:
    """A header as text."""
    return (header or b"").decode("latin-1")


def content_type(header: Header) -> str:
    """The Content-Type without its parameters, in lower case."""
    return text(header(b"Content-Type")).partition(";")[0].strip().lower()


def read(data: bytes, head: Head, header: Header, limits: BodyLimits) -> Content:
    """Read the body of a command.

    @raise Refused: 101, the Content-Type or Content-Encoding is not of the command, or there is no body.
    @raise BadRequest: it is too large (HTTP 413), or no WBXML (102, or 4 for Ping).
    """
    kind = content_type(header)
    plain = _plain(data, header, limits.bytes)
    if not plain:
        if head.command not in EMPTY_BODY or head.version < EMPTY_BODY[head.command]:
            raise Refused(101, "an empty body")
        return Content()
    # Such a message is taken in every version: some clients go by their newest version and send as the older did.
    raw = head.command in RAW_COMMANDS and (head.version < Version.V14_0 or kind == MESSAGE)
    if kind and (kind in WBXML_TYPES) == raw:
        raise Refused(101, f"a body of type {kind[:64]}")
    if raw:
        return Content(raw=plain)
    try:
        return Content(wbxml.decode(plain, limits.wbxml))
    except wbxml.WBXMLError as error:
        raise BadRequest(malformed(root_of(head.command), head.version, str(error))) from error


def _plain(data: bytes, header: Header, most: int) -> bytes:
    """The body without its Content-Encoding."""
    encoding = text(header(b"Content-Encoding")).strip().lower()
    if not data or encoding in ("", "identity"):
        return data
    if encoding not in ("gzip", "x-gzip"):
        raise Refused(101, f"Content-Encoding {encoding[:64]}")
    return inflate(data, most)


def inflate(data: bytes, most: int) -> bytes:
    """Undo gzip, refusing what becomes larger than C{most} bytes.

    @raise BadRequest: HTTP 413, it becomes too large; no more than the bound was unpacked.
    @raise Refused: it is no gzip, is cut short, or goes on behind its end.
    """
    stream = zlib.decompressobj(wbits=31)
    try:
        plain = stream.decompress(data, most + 1)
    except zlib.error as error:
        raise Refused(101, f"Content-Encoding gzip: {error}") from error
    if len(plain) > most:
        raise BadRequest(Answer(status=413, log={"E": "a gzip body that becomes too large"}))
    if not stream.eof or stream.unused_data:
        raise Refused(101, "Content-Encoding gzip: cut short, or more than one stream")
    return plain


def accepts_gzip(header: bytes | None) -> bool:
    """Whether an Accept-Encoding header asks for gzip (RFC 9110 12.5.3); a quality of 0 forbids it."""
    for part in text(header).lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() in ("gzip", "x-gzip"):
            return not _NO_QUALITY.fullmatch(weight.strip())
    return False


def gzip(data: bytes) -> bytes:
    """The data as a gzip stream."""
    return b"".join(gzip_pieces([data]))


def gzip_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What these pieces are together as a gzip stream, piece by piece."""
    stream = zlib.compressobj(6, wbits=31)
    yield from map(stream.compress, pieces)
    yield stream.flush()


def packed(body: bytes, accepted: bytes | None) -> bytes | None:
    """The body as gzip if the client accepts that and it is worth it, or C{None}."""
    return gzip(body) if len(body) >= WORTH_COMPRESSING and accepts_gzip(accepted) else None
