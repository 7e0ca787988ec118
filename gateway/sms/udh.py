"""The user data header of short messages (3GPP TS 23.040 9.2.3.24), and long messages in parts."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from attrs import frozen

from gateway.sms.alphabet import Alphabet, cut

CONCAT_8, PORTS_8, PORTS_16, CONCAT_16 = 0x00, 0x04, 0x05, 0x08

SOURCE_PORT, DESTINATION_PORT = 0x020A, 0x020B
SAR_REFERENCE, SAR_TOTAL, SAR_NUMBER = 0x020C, 0x020E, 0x020F
MESSAGE_PAYLOAD = 0x0424

#: Parts of one message: their number is an octet.
MOST_PARTS = 255
#: Octets in the C{message_payload} of SMPP 3.4.
LONGEST_PAYLOAD = 64 * 1024 - 1
_HEADER_16 = 7


class Concatenation(Enum):
    """How a message too long for one SMS is sent: by a header with an 8-bit or a 16-bit reference, by the TLVs for
    segmentation, whole in the TLV C{message_payload}, or not at all."""

    UDH8 = "udh8"
    UDH16 = "udh16"
    SAR = "sar"
    PAYLOAD = "payload"
    NONE = "none"


@frozen
class Part:
    """What one submit carries: C{short_message} with its header in front if C{udhi}, and TLVs as tag and value."""

    short_message: bytes
    data_coding: int = 0
    udhi: bool = False
    tlvs: tuple[tuple[int, bytes], ...] = ()


@frozen
class Ports:
    """Port addressing: for applications on the phone instead of the reader of messages.

    @ivar tlvs: the SMSC makes the header itself, from TLVs.
    """

    destination: int
    source: int = 0
    tlvs: bool = False

    def element(self) -> bytes:
        """The information element: 16-bit ports, or 8-bit ones for two ports above 239 that fit (9.2.3.24.3).

        @raise ValueError: these are no ports.
        """
        if not (0 <= self.destination <= 0xFFFF and 0 <= self.source <= 0xFFFF):
            raise ValueError(f"{self.destination} and {self.source} are no ports")
        if all(240 <= port <= 255 for port in (self.destination, self.source)):
            return bytes((PORTS_8, 2, self.destination, self.source))
        return bytes((PORTS_16, 4)) + self.destination.to_bytes(2, "big") + self.source.to_bytes(2, "big")

    def as_tlvs(self) -> tuple[tuple[int, bytes], ...]:
        """The same for the SMSC."""
        self.element()
        values = {SOURCE_PORT: self.source, DESTINATION_PORT: self.destination}
        return tuple((tag, port.to_bytes(2, "big")) for tag, port in values.items())


@frozen
class Header:
    """What a user data header says; C{reference}, C{total} and C{number} of a part are 0 if it says nothing of them."""

    elements: tuple[tuple[int, bytes], ...] = ()
    reference: int = 0
    total: int = 0
    number: int = 0
    ports: Ports | None = None


def in_parts(
    text: str,
    alphabet: Alphabet,
    concatenation: Concatenation = Concatenation.UDH8,
    reference: int = 0,
    ports: Ports | None = None,
    coding: int | None = None,
) -> list[Part]:
    """The parts of a message: one if it fits.

    Octets are the C{text} of them in Latin-1, and L{BINARY}. Of C{reference} the lowest bits are taken, and C{coding}
    stands in the place of the alphabet's own.

    @raise ValueError: the alphabet lacks a character, or it does not fit, and may not be cut or would have more than
        255 parts.
    """
    coding = alphabet.coding if coding is None else coding
    by_tlv = ports is not None and ports.tlvs
    elements = () if ports is None or by_tlv else (ports.element(),)
    tlvs = ports.as_tlvs() if ports is not None and by_tlv else ()
    # An SMSC that makes the header of ports itself needs the same room for it.
    taken = _header((ports.element(),) if ports is not None else ())
    whole = alphabet.encode(text)
    if len(whole) <= alphabet.room(len(taken)):
        return [Part(_header(elements) + whole, coding, bool(elements), tlvs)]
    if concatenation is Concatenation.NONE:
        raise ValueError(f"{len(whole)} octets do not fit into one message of {alphabet.room(len(taken))}")
    if concatenation is Concatenation.PAYLOAD:
        return [_payload(_header(elements) + whole, coding, bool(elements), tlvs)]
    room = alphabet.room(max(1, len(taken)) + len(_element(concatenation, 0, 0, 0)))
    pieces = cut(alphabet.units(text), room)
    if len(pieces) > MOST_PARTS:
        raise ValueError(f"the message would have {len(pieces)} parts")
    return [
        _part(piece, coding, elements, tlvs, concatenation, (reference, len(pieces), number))
        for number, piece in enumerate(pieces, 1)
    ]


def _part(
    piece: bytes,
    coding: int,
    elements: tuple[bytes, ...],
    tlvs: tuple[tuple[int, bytes], ...],
    concatenation: Concatenation,
    place: tuple[int, int, int],
) -> Part:
    """One of several; C{place}: reference, total and number."""
    if concatenation is Concatenation.SAR:
        reference, total, number = place
        sar = (
            (SAR_REFERENCE, (reference & 0xFFFF).to_bytes(2, "big")),
            (SAR_TOTAL, bytes((total,))),
            (SAR_NUMBER, bytes((number,))),
        )
        return Part(_header(elements) + piece, coding, bool(elements), tlvs + sar)
    return Part(_header((*elements, _element(concatenation, *place))) + piece, coding, True, tlvs)


def _payload(content: bytes, coding: int, udhi: bool, tlvs: tuple[tuple[int, bytes], ...]) -> Part:
    if len(content) > LONGEST_PAYLOAD:
        raise ValueError(f"{len(content)} octets do not fit into a payload")
    return Part(b"", coding, udhi, (*tlvs, (MESSAGE_PAYLOAD, content)))


def _element(concatenation: Concatenation, reference: int, total: int, number: int) -> bytes:
    """The information element of a part; the SMSC that gets TLVs may use the longer one."""
    if concatenation is Concatenation.UDH8:
        return bytes((CONCAT_8, 3, reference & 0xFF, total, number))
    return bytes((CONCAT_16, 4)) + (reference & 0xFFFF).to_bytes(2, "big") + bytes((total, number))


def _header(elements: Sequence[bytes]) -> bytes:
    """The header with these elements; nothing without any."""
    content = b"".join(elements)
    return bytes((len(content),)) + content if content else b""


def read_header(data: bytes) -> tuple[Header, bytes]:
    """What a header in front of user data says, and the data after it; elements that are not known are passed over.

    @raise ValueError: it is cut short, or an element leaves it.
    """
    if not data or len(data) < 1 + data[0]:
        raise ValueError("the user data header is cut short")
    content, rest = data[1 : 1 + data[0]], data[1 + data[0] :]
    elements = []
    while content:
        if len(content) < 2 or len(content) < 2 + content[1]:
            raise ValueError("an element leaves the user data header")
        elements.append((content[0], content[2 : 2 + content[1]]))
        content = content[2 + content[1] :]
    return _read(tuple(elements)), rest


def _read(elements: tuple[tuple[int, bytes], ...]) -> Header:
    place = (0, 0, 0)
    ports = None
    for name, value in elements:
        match name, len(value):
            case (0x00, 3) | (0x08, 4):
                place = (int.from_bytes(value[:-2], "big"), value[-2], value[-1])
            case (0x04, 2) | (0x05, 4):
                half = len(value) // 2
                ports = Ports(int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big"))
    return Header(elements, *place, ports)
