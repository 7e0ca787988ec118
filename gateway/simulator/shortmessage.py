"""A short message as a phone gets it, out of what was submitted to its SMSC."""

from __future__ import annotations

import re
from uuid import UUID

from attrs import define, evolve, field, frozen

from gateway.sms.alphabet import BINARY, alphabet_of
from gateway.sms.pdu import Pdu
from gateway.sms.udh import SAR_NUMBER, SAR_REFERENCE, SAR_TOTAL, Header, Ports, read_header

#: Messages of which parts are missing, kept at once; the oldest is given up for a new one.
MOST_OPEN = 1000

_UDHI = 0x40
_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_PORT_TLVS = (0x020B, 0x020A)


@frozen
class ShortMessage:
    """One message, or one part of it: C{data} without header; the number of its SMSC in C{id}.

    C{destination} is as the other side wrote it, without its kind of number; C{service}, C{validity} and C{replace}
    are the fields of the submit.
    """

    source: str
    destination: str
    data: bytes
    coding: int = 0
    header: Header = field(factory=Header)
    id: int = 0
    service: str = ""
    validity: str = ""
    replace: bool = False

    @property
    def text(self) -> str:
        """The text, in the alphabet that the message is in."""
        return alphabet_of(self.coding).decode(self.data)

    @property
    def guid(self) -> str:
        """The GUID of a trigger, in lower case: the first one written out, or else the last sixteen octets of what
        goes to a port; empty if there is none."""
        found = _GUID.search(self.text)
        if found:
            return found[0].lower()
        if self.header.ports is not None and alphabet_of(self.coding) is BINARY and len(self.data) >= 16:
            return str(UUID(bytes=self.data[-16:]))
        return ""


def read_submit(pdu: Pdu, id: int) -> ShortMessage:
    """The message of a C{submit_sm} or C{data_sm}.

    @raise ValueError: its header is broken.
    """
    data = pdu.message
    header = Header()
    if pdu.number("esm_class") & _UDHI:
        header, data = read_header(data)
    return ShortMessage(
        pdu.text("source_addr"),
        pdu.text("destination_addr"),
        data,
        pdu.number("data_coding"),
        _with_tlvs(header, pdu),
        id,
        pdu.text("service_type"),
        pdu.text("validity_period"),
        bool(pdu.number("replace_if_present_flag")),
    )


def _with_tlvs(header: Header, pdu: Pdu) -> Header:
    """What the TLVs say that stand in the place of a header."""
    if pdu.tlv(SAR_TOTAL) is not None:
        place = [pdu.tlv_number(tag) or 0 for tag in (SAR_REFERENCE, SAR_TOTAL, SAR_NUMBER)]
        header = evolve(header, reference=place[0], total=place[1], number=place[2])
    destination, source = (pdu.tlv_number(tag) for tag in _PORT_TLVS)
    if destination is not None:
        header = evolve(header, ports=Ports(destination, source or 0))
    return header


@define(eq=False)
class Assembly:
    """Puts the parts of long messages together, in whatever order they come."""

    _open: dict[tuple[str, str, int, int], dict[int, ShortMessage]] = field(factory=dict, init=False)

    def add(self, part: ShortMessage) -> ShortMessage | None:
        """The whole message if this was its last part (or it has only one), else C{None}."""
        header = part.header
        if header.total < 2:
            return part
        name = (part.source, part.destination, header.reference, header.total)
        parts = self._open.setdefault(name, {})
        parts[header.number] = part
        if len(parts) < header.total:
            if len(self._open) > MOST_OPEN:
                del self._open[next(iter(self._open))]
            return None
        del self._open[name]
        return evolve(part, data=b"".join(parts[number].data for number in sorted(parts)))
