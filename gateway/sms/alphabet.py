"""The alphabets of short messages, how much of each fits into one, and where a longer text may be cut.

What is handed to an SMSC in the default alphabet has one septet in each octet (unpacked), as is usual with SMPP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from attrs import frozen

ESCAPE = 0x1B
#: Octets of user data in one short message (3GPP TS 23.040 9.2.3.24); 160 septets are as many.
OCTETS = 140
SEPTETS = 160

# 3GPP TS 23.038 6.2.1, from 0x00 on; the escape stands in its own place.
_DEFAULT = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
# 3GPP TS 23.038 6.2.1.1: what follows the escape.
_EXTENSION = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}


class _Table(dict[int, str]):
    """What stands for each character, as L{str.translate} takes it; others are an error, not left as they are."""

    def __missing__(self, code: int) -> str:
        raise ValueError(f"{chr(code)!r} is not in it")


_TABLE: Mapping[int, str] = MappingProxyType(
    _Table(
        {ord(character): chr(code) for code, character in enumerate(_DEFAULT) if code != ESCAPE}
        | {ord(character): chr(ESCAPE) + chr(code) for code, character in _EXTENSION.items()}
    )
)


@frozen
class Alphabet:
    """How text becomes octets: the C{data_coding} that says so (SMPP 3.4 5.2.19), and whether 160 of them fit.

    C{codec} is Python's, empty for the GSM default alphabet.
    """

    name: str
    coding: int
    codec: str
    septets: bool

    def units(self, text: str) -> list[bytes]:
        """The octets of each character, which must stay together: escape pairs, surrogate pairs.

        @raise ValueError: the alphabet lacks a character.
        """
        return [self.encode(character) for character in text]

    def encode(self, text: str) -> bytes:
        """The octets of the text.

        @raise ValueError: the alphabet lacks a character.
        """
        try:
            return text.encode(self.codec) if self.codec else text.translate(_TABLE).encode("ascii")
        except ValueError:
            raise ValueError(f"the text has a character that {self.name} lacks") from None

    def decode(self, data: bytes) -> str:
        """The text; what means nothing becomes U+FFFD."""
        return data.decode(self.codec, "replace") if self.codec else _decode(data)

    def room(self, header: int = 0) -> int:
        """How many octets of text fit beside a user data header of that many octets, its length octet included."""
        left = max(0, OCTETS - header)
        return left * 8 // 7 if self.septets else left


GSM = Alphabet("the GSM alphabet", 0x00, "", septets=True)
ASCII = Alphabet("ASCII", 0x01, "ascii", septets=True)
LATIN1 = Alphabet("Latin-1", 0x03, "latin-1", septets=False)
BINARY = Alphabet("8-bit data", 0x04, "latin-1", septets=False)
UCS2 = Alphabet("UCS-2", 0x08, "utf-16-be", septets=False)

_BY_CODING: Mapping[int, Alphabet] = MappingProxyType(
    {alphabet.coding: alphabet for alphabet in (GSM, ASCII, LATIN1, BINARY, UCS2)}
    | {0x02: BINARY, 0xF4: BINARY, 0xF5: BINARY, 0xF0: GSM, 0xF1: GSM}
)


def alphabet_of(coding: int) -> Alphabet:
    """The alphabet that a C{data_coding} stands for; one that is not known is taken as 8-bit data."""
    return _BY_CODING.get(coding, BINARY)


def alphabet_for(text: str) -> Alphabet:
    """The alphabet in which the text is shortest: the GSM default alphabet if it has all characters, or UCS-2."""
    return GSM if all(ord(character) in _TABLE for character in text) else UCS2


def septets(text: str) -> int:
    """How many septets the text takes in the GSM default alphabet.

    @raise ValueError: the alphabet lacks a character.
    """
    return len(GSM.encode(text))


def cut(units: Sequence[bytes], room: int) -> list[bytes]:
    """Join units to pieces of at most C{room} octets each; at least one piece, no unit is ever cut.

    @raise ValueError: a unit alone is longer than that.
    """
    pieces = [bytearray()]
    for unit in units:
        if len(unit) > room:
            raise ValueError(f"{len(unit)} octets that must stay together do not fit into {room}")
        if len(pieces[-1]) + len(unit) > room:
            pieces.append(bytearray())
        pieces[-1] += unit
    return [bytes(piece) for piece in pieces]


def _decode(data: bytes) -> str:
    text = []
    octets = iter(data)
    for code in octets:
        if code == ESCAPE:
            # An unknown extension is shown as the character of the default alphabet (3GPP TS 23.038 6.2.1.1).
            code = next(octets, ESCAPE)
            text.append(_EXTENSION.get(code) or (" " if code == ESCAPE else _character(code)))
        else:
            text.append(_character(code))
    return "".join(text)


def _character(code: int) -> str:
    return _DEFAULT[code] if code < len(_DEFAULT) else "\ufffd"
