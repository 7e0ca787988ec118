"""Mails without their long bodies, for the parser that is to find out how a mail is made up.

The parser makes an object of each line, which for a large attachment takes seconds and several times its size. What a
mail is made up of stands in its headers and in the lines that begin with two hyphens; a header begins with the mail or
after such a line, and ends at a blank line at the latest. So whatever stands between a blank line and the next such
line is body, to be left in the octets of the mail; a mark in its place says where it is.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

from attrs import frozen

LONG = 2**13
"""Octets of a body that is worth leaving out."""

Piece = tuple[bytes, int, int]
"""Octets, and from where to where they are meant."""

_HYPHENS = re.compile(rb"--+")
_BLANK = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
_LINE_END = (0x0A, 0x0D)


@frozen
class Abridged:
    """What a mail is made up of: C{text} holds a mark in place of each long body of C{raw}."""

    raw: bytes
    text: bytes
    mark: re.Pattern[str] | None = None

    def pieces(self, payload: str) -> Iterator[Piece]:
        """The octets of a body that the parser found: what is in it, and what was left out of it."""
        position = 0
        for found in self.mark.finditer(payload) if self.mark else ():
            yield _literal(payload[position : found.start()])
            yield self.raw, int(found[1], 16), int(found[2], 16)
            position = found.end()
        yield _literal(payload[position:])


def _literal(text: str) -> Piece:
    octets = text.encode("ascii", "surrogateescape")
    return octets, 0, len(octets)


def abridged(raw: bytes) -> Abridged:
    """The mail without its long bodies."""
    if len(raw) < LONG:
        return Abridged(raw, raw)
    # Nobody can have put a mark into the mail beforehand.
    name = secrets.token_hex(16)
    kept: list[bytes] = []
    position = 0
    for start, end in _bodies(raw):
        if end - start >= LONG:
            kept += (raw[position:start], f"{name}:{start:x}-{end:x};".encode())
            position = end
    if not kept:
        return Abridged(raw, raw)
    kept.append(raw[position:])
    return Abridged(raw, b"".join(kept), re.compile(f"{name}:([0-9a-f]+)-([0-9a-f]+);"))


def _bodies(raw: bytes) -> Iterator[tuple[int, int]]:
    """From where to where there is nothing but body."""
    begun = 0
    for found in _HYPHENS.finditer(raw):
        at = found.start()
        if at and raw[at - 1] in _LINE_END:
            yield from _body(raw, begun, at)
            begun = at
    yield from _body(raw, begun, len(raw))


def _body(raw: bytes, begun: int, end: int) -> Iterator[tuple[int, int]]:
    """The body in what begins with headers, without its last line end, which may be part of a delimiter."""
    blank = _BLANK.search(raw, begun, end) if end - begun >= LONG else None
    if blank and blank.end() < end:
        if raw.endswith(b"\r\n", blank.end(), end):
            end -= 2
        elif raw[end - 1] in _LINE_END:
            end -= 1
        yield blank.end(), end
