"""Transfer encodings undone piece by piece (RFC 2045 6), so that a large body is never in memory as a whole."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator
from email.message import Message
from itertools import chain

from gateway.convert.abridge import Piece

STEP = 3 * 2**14
"""Octets that are decoded at a time."""

_WHOLE = frozenset(("x-uuencode", "uuencode", "uue", "x-uue"))


def decoded(pieces: Iterable[Piece], encoding: str) -> Iterator[bytes]:
    """The octets of a body without its transfer encoding; one that is unknown is none.

    What is broken is read as the standard library reads it: nothing raises. Only of base64 that ends with one character
    too many, of which the library decodes nothing, all that comes before is decoded.
    """
    if encoding == "base64":
        return _base64(_steps(pieces))
    if encoding == "quoted-printable":
        return _quoted(_steps(pieces))
    if encoding in _WHOLE:
        return iter((_by_library(b"".join(_steps(pieces)), encoding),))
    return _steps(pieces)


def count(pieces: Iterable[Piece], octet: bytes) -> int:
    """How often an octet is in a body."""
    return sum(source.count(octet, start, end) for source, start, end in pieces)


def _steps(pieces: Iterable[Piece]) -> Iterator[bytes]:
    for source, start, end in pieces:
        for at in range(start, end, STEP):
            yield source[at : min(at + STEP, end)]


def _base64(steps: Iterator[bytes]) -> Iterator[bytes]:
    """Groups of four characters, for as long as there is nothing but them and line ends; the rest at once."""
    left = b""
    for step in steps:
        block = left + step.translate(None, b"\r\n")
        whole = len(block) - len(block) % 4
        try:
            if b"=" in block:
                raise binascii.Error("the end, or something odd")
            yield binascii.a2b_base64(block[:whole], strict_mode=True)
        except binascii.Error:
            yield _by_library(b"".join(chain((block,), steps)), "base64")
            return
        left = block[whole:]
    if left:
        yield _by_library(left, "base64")


def _quoted(steps: Iterator[bytes]) -> Iterator[bytes]:
    """Whole lines."""
    left: list[bytes] = []
    for step in steps:
        end = step.rfind(b"\n") + 1
        if end:
            yield binascii.a2b_qp(b"".join((*left, step[:end])))
            left.clear()
        left.append(step[end:])
    yield binascii.a2b_qp(b"".join(left))


def _by_library(octets: bytes, encoding: str) -> bytes:
    message: Message = Message()
    message["Content-Transfer-Encoding"] = encoding
    message.set_payload(octets.decode("ascii", "surrogateescape"))
    return bytes(message.get_payload(decode=True) or b"")
