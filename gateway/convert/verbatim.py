"""A mail as MIME text for a device: the message as it is stored, in characters that an XML string can hold.

A message of ASCII or UTF-8 goes out unchanged but for its line ends. Parts with other octets (8-bit text in Latin-1,
binary content, control characters) would lose them in a string, so these parts are sent in base64 instead: the
decoded content stays the same.
"""

from __future__ import annotations

import base64
import codecs
import re

from gateway.convert.charset import clean, crlf, decoded
from gateway.convert.headers import READABLE
from gateway.convert.mime import Part

MAX_LINE = 1000
"""Octets of the longest line that RFC 5322 2.1.1 allows."""

_FIELD_START = re.compile(r"\r\n(?=[^ \t\r\n])")


def message(raw: bytes, root: Part, limit: int | None) -> tuple[str, int]:
    """The message with line ends CRLF, and how many bytes of it are not in that text.

    Not much more than C{limit} bytes of it are looked at. C{root} is what the message was read to.
    """
    beginning = raw if limit is None else raw[: limit + 8]
    text = _as_it_is(beginning, final=len(beginning) == len(raw))
    if text is None:
        return crlf(_rewritten(root)), 0
    text = crlf(text)
    return text, _length(raw) - len(text if text.isascii() else text.encode()) if len(beginning) < len(raw) else 0


def whole_lines(text: str) -> str:
    """A message that was cut, without the last line if that is not whole; in the header without the last field."""
    if "\r\n\r\n" not in text and not text.startswith("\r\n"):
        starts = [found.end() for found in _FIELD_START.finditer(text)]
        return text[: starts[-1]] if starts else ""
    end = text.rfind("\n", max(0, len(text) - MAX_LINE)) + 1
    return text[:end] if end else text


def _length(raw: bytes) -> int:
    """The length once every line ends with CRLF."""
    return len(raw) + raw.count(b"\n") + raw.count(b"\r") - 2 * raw.count(b"\r\n")


def _as_it_is(octets: bytes, final: bool) -> str | None:
    """The octets as text if a string can hold them; unless C{final}, a character may be cut at their end."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(octets, final)
    except UnicodeDecodeError:
        return None
    return text if clean(text) == text else None


def _rewritten(root: Part) -> str:
    """The message with the leaves in base64 that need it."""
    for part in root.leaves():
        # RFC 2046 5.2.1: a message in a message is never in base64.
        if not part.type.startswith("message/") and _as_it_is(part.transferred(), final=True) is None:
            content = part.content()
            del part["Content-Transfer-Encoding"]
            part["Content-Transfer-Encoding"] = "base64"
            part.set_payload(base64.encodebytes(content).decode("ascii"))
    text = root.as_bytes(policy=READABLE.clone(max_line_length=None)).decode("ascii", "surrogateescape")
    octets = b"".join(source[start:end] for source, start, end in root.source.pieces(text))
    try:
        return clean(octets.decode())
    except UnicodeDecodeError:
        return clean("".join(decoded(line, "")[0] for line in octets.splitlines(keepends=True)))
