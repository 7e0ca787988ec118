"""What a trigger looks like in an SMS: text, Service Indication, E-Mail Notification or octets to a port.

None of them holds anything of a mail: only the GUID, times, and what the configuration says.
"""

from __future__ import annotations

import re
from uuid import UUID

from attrs import evolve, frozen

from gateway.sms.alphabet import BINARY, GSM, SEPTETS, Alphabet, septets
from gateway.sms.udh import Concatenation, Part, Ports, in_parts
from gateway.sms.wappush import PORTS, Indication, MailNotification
from gateway.trigger import Letter

TEXT, SI, EMN, OCTETS = "text", "si", "emn", "binary"
KINDS = (TEXT, SI, EMN, OCTETS)
PLACE = "{guid}"

_OCTETS = re.compile(r"(?:[0-9A-Fa-f]{2}| |\{guid\})*")
#: Any GUID serves to see whether a template fits.
_SOME_GUID = "00000000-0000-4000-8000-000000000000"


@frozen
class TriggerFormat:
    """One of the formats, with the settings of all four; C{{guid}} in a text stands for the GUID.

    C{template} is the text of C{text}; C{si_*} are the attributes of an indication, C{si_seconds} how long it holds
    (0: for ever) and C{si_text} what the phone may show; C{emn_mailbox} is the URI of a notification; C{binary} are
    octets in hexadecimal, with C{{guid}} for the sixteen octets of the GUID, to C{port} from C{source_port}.

    @raise ValueError: the text has no place for the GUID or is too long, the octets are none, or there is no such
        format or port.
    """

    kind: str = TEXT
    template: str = "PUSHGW {guid}"
    si_href: str = ""
    si_id: str = "{guid}"
    si_action: str = "signal-none"
    si_text: str = "New mail"
    si_seconds: int = 900
    emn_mailbox: str = "mailat:{guid}@push.invalid"
    port: int = 50000
    source_port: int = 0
    binary: str = "{guid}"

    def __attrs_post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"there is no trigger format {self.kind!r}: it is one of {', '.join(KINDS)}")
        if self.kind == TEXT:
            if self.template.count(PLACE) != 1:
                raise ValueError(f"the text of a trigger holds {PLACE} once")
            _fitting(self.template.replace(PLACE, _SOME_GUID))
        if self.kind == OCTETS:
            if not _OCTETS.fullmatch(self.binary) or not 0 < self.port <= 0xFFFF:
                raise ValueError("a binary trigger wants a port and octets in hexadecimal")
            Ports(self.port, self.source_port).element()

    def text(self, guid: str) -> str:
        """The trigger as text, whatever the format: what goes where nothing but text can go.

        @raise ValueError: it takes more than 160 septets, or has characters that the GSM alphabet lacks.
        """
        return _fitting(self.template.replace(PLACE, guid))

    def _user_data(self, guid: str, now: float) -> bytes:
        match self.kind:
            case "si":
                return Indication(
                    href=self.si_href.replace(PLACE, guid),
                    id=self.si_id.replace(PLACE, guid),
                    action=self.si_action,
                    created=now,
                    expires=now + self.si_seconds if self.si_seconds else 0,
                    text=self.si_text,
                ).encode()
            case "emn":
                return MailNotification(self.emn_mailbox.replace(PLACE, guid), now).encode()
            case _:
                return bytes.fromhex(self.binary.replace(PLACE, UUID(guid).hex if PLACE in self.binary else ""))

    def _ports(self) -> Ports:
        return Ports(self.port, self.source_port) if self.kind == OCTETS else PORTS


@frozen
class Carriage:
    """How an operator takes messages.

    C{alphabet}: what its SMSC takes for text; C{binary_coding}: the C{data_coding} of octets (4, or 0xF5 where class
    1 is wanted); C{port_tlvs}: ports go in TLVs, and the SMSC makes the header.
    """

    concatenation: Concatenation = Concatenation.UDH8
    alphabet: Alphabet = GSM
    binary_coding: int = BINARY.coding
    port_tlvs: bool = False


def trigger_parts(
    form: TriggerFormat, guid: str, now: float, carriage: Carriage = Carriage(), reference: int = 0
) -> list[Part]:
    """The messages of a trigger: always one for text, usually one for the others.

    C{now} in seconds since the epoch; C{reference} tells the parts of one message from those of another.

    @raise ValueError: a text of more than 160 septets, or what the operator's alphabet lacks; a binary format with a
        GUID that is none.
    """
    if form.kind == TEXT:
        return _text_parts(form.text(guid), carriage)
    ports = evolve(form._ports(), tlvs=carriage.port_tlvs)
    octets = form._user_data(guid, now).decode("latin-1")
    return in_parts(octets, BINARY, carriage.concatenation, reference, ports, carriage.binary_coding)


def letter_parts(letter: Letter, form: TriggerFormat, carriage: Carriage, now: float) -> list[Part]:
    """The messages of a letter of the outbox: its content as it is, or a trigger in its own format or the one given.

    @raise ValueError: see L{trigger_parts} and L{content_text}.
    """
    if letter.content:
        return _text_parts(content_text(letter.content), carriage)
    if letter.format:
        form = evolve(form, kind=letter.format)
    return trigger_parts(form, letter.guid, now, carriage, letter.id)


def letter_text(letter: Letter, form: TriggerFormat) -> str:
    """The same as text, for an operator that takes mail.

    @raise ValueError: see L{TriggerFormat.text} and L{content_text}.
    """
    return content_text(letter.content) if letter.content else form.text(letter.guid)


def content_text(content: bytes) -> str:
    """The text of a trigger that another server made, character by character.

    @raise ValueError: it is empty, no UTF-8, takes more than 160 septets, or has characters that the GSM alphabet
        lacks.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueError("the text is not UTF-8") from None
    if not text:
        raise ValueError("the text is empty")
    return _fitting(text)


def _fitting(text: str) -> str:
    length = septets(text)
    if length > SEPTETS:
        raise ValueError(f"the text takes {length} septets, {SEPTETS} are allowed")
    return text


def _text_parts(text: str, carriage: Carriage) -> list[Part]:
    return in_parts(text, carriage.alphabet, Concatenation.NONE)
