"""A mail as MIME text for a device: the message as it is, in characters that an XML string can hold.

A message of ASCII or UTF-8 goes out unchanged but for its line ends. Parts with other octets (8-bit text in Latin-1,
binary content, control characters) would lose them in a string, so these parts are sent in base64 instead: the
decoded content stays the same.
"""

from __future__ import annotations

import binascii
import codecs
import re
from collections.abc import Iterator

from attrs import frozen

from gateway.convert.charset import clean, crlf, decoded
from gateway.convert.mime import Part

_UNFIT = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_FIELD_START = re.compile(r"\r\n(?=[^ \t\r\n])")
_ENCODING_FIELD = re.compile(r"^content-transfer-encoding[ \t]*:.*(?:\n[ \t].*)*\n?", re.IGNORECASE | re.MULTILINE)


@frozen
class Verbatim:
    """The beginning of a message, the bytes of its header, and how many bytes of it are not in C{text}."""

    text: str
    header: int
    missing: int = 0


def message(root: Part, limit: int | None) -> Verbatim:
    """The message with line ends CRLF; not much more than C{limit} bytes of it are looked at."""
    raw = root.raw if limit is None else root.raw[: limit + 8]
    header = _length(root.raw, root.start, root.body)
    as_it_is = _as_it_is(raw)
    if as_it_is is not None:
        text, read = as_it_is
        return Verbatim(crlf(text), header, _length(root.raw, read, len(root.raw)))
    return Verbatim(crlf("".join(_rewritten(root))), header)


def last_field(header: str) -> int:
    """Where the last field of a header that was cut begins."""
    last = 0
    for found in _FIELD_START.finditer(header):
        last = found.end()
    return last


def _length(raw: bytes, start: int, end: int) -> int:
    """The length of that range once every line ends with CRLF."""
    ends = raw.count(b"\n", start, end) + raw.count(b"\r", start, end)
    return end - start + ends - 2 * raw.count(b"\r\n", start, end)


def _as_it_is(raw: bytes) -> tuple[str, int] | None:
    """The octets as text, but for a character that was cut at their end, and how many they are."""
    if _UNFIT.search(raw):
        return None
    if raw.isascii():
        return raw.decode("ascii"), len(raw)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        text = decoder.decode(raw)
    except UnicodeDecodeError:
        return None
    return (text, len(raw) - len(decoder.getstate()[0])) if clean(text) == text else None


def _rewritten(part: Part) -> Iterator[str]:
    """The part in pieces of text, with the content of its leaves in base64 where that is needed."""
    header, body = part.raw[part.start : part.body], part.raw[part.body : part.end]
    if part.children:
        yield _guessed(header)
        yield from _between(part)
        return
    as_it_is = _as_it_is(body)
    if part.type.startswith("message/") or (as_it_is is not None and as_it_is[1] == len(body)):
        yield _guessed(header)
        yield _guessed(body)
        return
    yield _ENCODING_FIELD.sub("", _guessed(header).replace("\r\n", "\n").rstrip("\n") + "\n").lstrip("\n")
    yield "Content-Transfer-Encoding: base64\n\n"
    letters = binascii.b2a_base64(part.content(), newline=False).decode("ascii")
    yield "\n".join(letters[n : n + 76] for n in range(0, len(letters), 76))


def _between(part: Part) -> Iterator[str]:
    """The children of a multipart with the delimiter lines and everything else around them."""
    position = part.body
    for child in part.children:
        yield _guessed(part.raw[position : child.start])
        yield from _rewritten(child)
        position = child.end
    yield _guessed(part.raw[position : part.end])


def _guessed(octets: bytes) -> str:
    return clean(decoded(octets, "")[0])
