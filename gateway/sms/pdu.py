"""SMPP 3.4 protocol data units: frames out of a stream, bytes in and values out.

smpplib makes the PDUs, and its tables (commands, fields, sizes, tags) are what is read by. The reading is our own:
smpplib raises on parameters that it does not expect in a PDU, and misreads without a word what has no terminator or
another length than its table says. Optional parameters (TLVs) stay raw bytes for the same reason, in both directions.

Strings are C{str} (Latin-1, one character an octet), messages are C{bytes}.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import define, field, frozen
from smpplib import command_codes, consts, exceptions, smpp
from smpplib.ptypes import ostr

HEADER: Final = struct.Struct(">LLLL")
MOST: Final = 64 * 1024
"""The longest PDU that is read, in octets with its header."""
LAST_SEQUENCE: Final = 0x7FFFFFFF
LONGEST_MESSAGE: Final = 254
RESPONSE: Final = 0x80000000

BROADCAST = {
    "broadcast_sm": 0x111,
    "broadcast_sm_resp": 0x80000111,
    "query_broadcast_sm": 0x112,
    "query_broadcast_sm_resp": 0x80000112,
    "cancel_broadcast_sm": 0x113,
    "cancel_broadcast_sm_resp": 0x80000113,
}
CODES: Final[Mapping[str, int]] = {**command_codes.commands, **BROADCAST}
"""Command names and their ids, also of those whose fields are not known here."""
NAMES: Final[Mapping[int, str]] = {code: name for name, code in CODES.items()}

RECEIPTED_MESSAGE_ID: Final[int] = consts.OPTIONAL_PARAMS["receipted_message_id"]
MESSAGE_STATE: Final[int] = consts.OPTIONAL_PARAMS["message_state"]
NETWORK_ERROR_CODE: Final[int] = consts.OPTIONAL_PARAMS["network_error_code"]
MESSAGE_PAYLOAD: Final[int] = consts.OPTIONAL_PARAMS["message_payload"]
SC_INTERFACE_VERSION: Final[int] = consts.OPTIONAL_PARAMS["sc_interface_version"]
CONGESTION_STATE: Final = 0x0428

Value = str | int | bytes
Tlvs = tuple[tuple[int, bytes], ...]
"""Optional parameters: tag and value of each, in order."""


class BadField(ValueError):
    """A value cannot be put into a PDU as it is; nothing is ever cut to fit."""


@frozen
class Pdu:
    """One PDU. C{command} is the name in the specification, or the id as C{0x0000abcd} where that has none.

    C{fields} are the mandatory parameters by name, C{tlvs} the optional ones (tag, value) in their order.
    C{damaged} says what is wrong with the body of one that was read; what could be read before that place is there.
    """

    command: str
    status: int = 0
    sequence: int = 0
    fields: Mapping[str, Value] = field(factory=dict)
    tlvs: Tlvs = ()
    damaged: str = ""

    @property
    def code(self) -> int:
        """The command id."""
        code = CODES.get(self.command)
        return int(self.command, 16) if code is None else code

    @property
    def is_response(self) -> bool:
        """Whether it answers something."""
        return self.code >= RESPONSE

    def text(self, name: str) -> str:
        """A string field; empty if it is not there."""
        value = self.fields.get(name, "")
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int:
        """An integer field; 0 if it is not there."""
        value = self.fields.get(name, 0)
        return value if isinstance(value, int) else 0

    @property
    def message(self) -> bytes:
        """What it carries, in C{short_message} or in the TLV C{message_payload}."""
        value = self.fields.get("short_message")
        return value if isinstance(value, bytes) and value else self.tlv(MESSAGE_PAYLOAD) or b""

    def tlv(self, tag: int) -> bytes | None:
        """The value of the first TLV with that tag."""
        for found, value in self.tlvs:
            if found == tag:
                return value
        return None

    def tlv_number(self, tag: int) -> int | None:
        """A TLV as an integer of whatever length it has; C{None} without one, or for more than eight octets."""
        value = self.tlv(tag)
        return int.from_bytes(value, "big") if value and len(value) <= 8 else None

    def tlv_text(self, tag: int) -> str | None:
        """A TLV as a string, which ends at its NUL or, where that was forgotten, with the value."""
        value = self.tlv(tag)
        return None if value is None else value.partition(b"\0")[0].decode("latin-1")


@define(eq=False)
class Frames:
    """Cuts a stream into frames, whatever pieces it comes in.

    C{refused}: the length that a header claimed and that no PDU has; what follows it in the stream can never be
    read. C{refused_sequence} is the sequence number in that header, 0 if it was not complete.
    """

    refused: int | None = None
    refused_sequence: int = 0
    _held: bytearray = field(factory=bytearray, init=False)

    @property
    def partial(self) -> bool:
        """Whether a frame has begun and is not complete."""
        return bool(self._held) and self.refused is None

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are complete now, each with its header; none any more after one was refused."""
        if self.refused is not None:
            return []
        held = self._held
        held += data
        frames = []
        start, end = 0, len(held)
        while end - start >= 4:
            length = int.from_bytes(held[start : start + 4], "big")
            if not HEADER.size <= length <= MOST:
                self._refuse(length, bytes(held[start + 12 : start + 16]))
                break
            if end - start < length:
                break
            frames.append(bytes(held[start : start + length]))
            start += length
        del held[:start]
        return frames

    def _refuse(self, length: int, sequence: bytes) -> None:
        self.refused = length
        self.refused_sequence = int.from_bytes(sequence, "big") if length >= HEADER.size and len(sequence) == 4 else 0


class _Numbers:
    """What smpplib takes sequence numbers from; each PDU gets its own afterwards, so these mean nothing."""

    sequence = 0

    def next_sequence(self) -> int:
        """Always the same."""
        return 1


_NUMBERS: Final = _Numbers()


@frozen
class _Layout:
    """The mandatory fields of a command, and how they are read: integers that follow one another in one step."""

    limits: Mapping[str, int]
    strings: frozenset[str]
    steps: tuple[tuple[struct.Struct | None, tuple[str, ...]], ...]
    message: bool

    def read(self, body: bytes, values: dict[str, Value]) -> tuple[int, str]:
        """Read what is there into C{values}; where that ended, and what is wrong with it."""
        at = 0
        for numbers, names in self.steps:
            if numbers is not None:
                if len(body) - at < numbers.size:
                    return at, f"it ends before {names[0]}"
                values.update(zip(names, numbers.unpack_from(body, at), strict=True))
                at += numbers.size
                continue
            end = body.find(0, at)
            if end < 0:
                if at < len(body):
                    values[names[0]] = body[at:].decode("latin-1")
                return len(body), f"there is no end of {names[0]}"
            values[names[0]] = body[at:end].decode("latin-1")
            at = end + 1
        return self._read_message(body, at, values) if self.message else (at, "")

    def _read_message(self, body: bytes, at: int, values: dict[str, Value]) -> tuple[int, str]:
        length = values["sm_length"]
        assert isinstance(length, int)
        values["short_message"] = body[at : at + length]
        return min(at + length, len(body)), "it ends within short_message" if at + length > len(body) else ""


def _mandatory(pdu: Any) -> Iterator[tuple[str, Any]]:
    for name in pdu.params_order:
        if name in consts.OPTIONAL_PARAMS and name not in getattr(pdu, "mandatory_fields", ()):
            return
        yield name, pdu.params[name]


def _layout(command: str) -> _Layout:
    """What smpplib's table says of a command."""
    limits: dict[str, int] = {}
    steps: list[tuple[struct.Struct | None, tuple[str, ...]]] = []
    numbers: list[tuple[str, str]] = []
    message = False

    def close() -> None:
        if numbers:
            steps.append(
                (struct.Struct(">" + "".join(form for _, form in numbers)), tuple(name for name, _ in numbers))
            )
            numbers.clear()

    for name, parameter in _mandatory(smpp.make_pdu(command, client=_NUMBERS)):
        if parameter.type is int:
            numbers.append((name, consts.INT_PACK_FORMATS[parameter.size]))
            limits[name] = 256**parameter.size - 1
        elif parameter.type is ostr:
            message = True
        else:
            close()
            steps.append((None, (name,)))
            limits[name] = parameter.max - 1
    close()
    strings = frozenset(names[0] for form, names in steps if form is None)
    return _Layout(limits, strings, tuple(steps), message)


def _layouts() -> Iterator[tuple[str, _Layout]]:
    for command in CODES:
        try:
            yield command, _layout(command)
        except exceptions.UnknownCommandError:
            continue


_LAYOUTS: Final[Mapping[str, _Layout]] = dict(_layouts())


def parse(frame: bytes) -> Pdu:
    """Read one frame (of at least a header). Never raises: see L{Pdu.damaged}.

    The body of a command whose fields are not known is not looked at.
    """
    _, code, status, sequence = HEADER.unpack_from(frame)
    command = NAMES.get(code) or f"0x{code:08x}"
    layout = _LAYOUTS.get(command)
    if layout is None or (len(frame) == HEADER.size and (status or not layout.steps)):
        return Pdu(command, status, sequence)
    values: dict[str, Value] = {}
    body = frame[HEADER.size :]
    at, damaged = layout.read(body, values)
    if damaged or at == len(body):
        return Pdu(command, status, sequence, values, (), damaged)
    tlvs, damaged = parse_tlvs(body, at)
    return Pdu(command, status, sequence, values, tlvs, damaged)


def parse_tlvs(body: bytes, at: int = 0) -> tuple[Tlvs, str]:
    """The TLVs from a place on to the end: what could be read, and what is wrong with the rest."""
    tlvs: list[tuple[int, bytes]] = []
    while len(body) - at >= 4:
        tag, length = struct.unpack_from(">HH", body, at)
        value = body[at + 4 : at + 4 + length]
        if len(value) < length:
            return tuple(tlvs), f"it ends within the optional parameter {tag:#06x}"
        tlvs.append((tag, value))
        at += 4 + length
    return tuple(tlvs), "" if at == len(body) else "it ends within the head of an optional parameter"


def build(pdu: Pdu) -> bytes:
    """The octets of a PDU of which smpplib knows the fields; those not given are empty or 0.

    Raises L{BadField} for a field that the command does not have, that is too long, or that is of another type.
    """
    layout = _LAYOUTS.get(pdu.command)
    if layout is None:
        raise BadField(f"{pdu.command} cannot be made")
    _check(pdu, layout)
    made = smpp.make_pdu(pdu.command, client=_NUMBERS)
    for name, value in pdu.fields.items():
        setattr(made, name, value)
    made.sequence = pdu.sequence
    made.status = pdu.status
    try:
        whole: bytes = made.generate()
    except ValueError as error:
        raise BadField(str(error)) from error
    return _with_tlvs(whole, pdu.tlvs) if pdu.tlvs else whole


def _check(pdu: Pdu, layout: _Layout) -> None:
    if not 0 <= pdu.sequence <= LAST_SEQUENCE:
        raise BadField(f"{pdu.sequence} is no sequence number")
    limits, strings = layout.limits, layout.strings
    for name, value in pdu.fields.items():
        if name == "short_message" and layout.message:
            _check_message(value, pdu.tlvs)
        elif name in strings:
            _check_string(name, value, limits[name])
        elif name not in limits:
            raise BadField(f"{pdu.command} has no {name}")
        elif not isinstance(value, int) or not 0 <= value <= limits[name]:
            raise BadField(f"{name} is no number from 0 to {limits[name]}")


def _check_string(name: str, value: Value, limit: int) -> None:
    if not isinstance(value, str):
        raise BadField(f"{name} is no string")
    if len(value) > limit:
        raise BadField(f"{name} has {len(value)} characters; there is room for {limit}")
    if not value.isascii() and max(value) > "\xff":
        raise BadField(f"{name} has a character that is not in Latin-1")
    if "\0" in value:
        raise BadField(f"{name} has a NUL")


def _check_message(value: Value, tlvs: Tlvs) -> None:
    if not isinstance(value, bytes):
        raise BadField("short_message is no octets")
    if len(value) > LONGEST_MESSAGE:
        raise BadField(f"short_message has {len(value)} octets; there is room for {LONGEST_MESSAGE}")
    if value and any(tag == MESSAGE_PAYLOAD for tag, _ in tlvs):
        raise BadField("short_message and message_payload exclude each other")


def _with_tlvs(whole: bytes, tlvs: Tlvs) -> bytes:
    for tag, value in tlvs:
        if not 0 <= tag <= 0xFFFF or len(value) > 0xFFFF:
            raise BadField(f"optional parameter {tag:#06x} of {len(value)} octets")
    added = b"".join(struct.pack(">HH", tag, len(value)) + value for tag, value in tlvs)
    return struct.pack(">L", len(whole) + len(added)) + whole[4:] + added


@frozen
class Template:
    """The submit_sm PDUs to an operator: most of each is the same, and is made once."""

    _head: bytes
    _middle: bytes
    _tail: bytes

    @classmethod
    def of(cls, fields: Mapping[str, Value]) -> Template:
        """Those with these fields, and with what L{frame} gets; raises L{BadField}."""
        body = build(Pdu("submit_sm", 0, 0, fields))[HEADER.size :]
        names = ("service_type", "source_addr", "destination_addr", "schedule_delivery_time", "validity_period")
        gaps = {"service_type": 2, "source_addr": 2, "destination_addr": 3}
        places, at = {}, 0
        for name in names:
            places[name] = at
            at = body.index(0, at) + 1 + gaps.get(name, 0)
        to, valid = places["destination_addr"], places["validity_period"]
        return cls(body[:to], body[body.index(0, to) : valid], body[body.index(0, valid) : -1])

    def frame(self, sequence: int, destination: str, validity: str, message: bytes, tlvs: Tlvs = ()) -> bytes:
        """One of them; raises L{BadField}."""
        _check_string("destination_addr", destination, 20)
        _check_message(message, tlvs)
        body = b"".join(
            (
                self._head,
                destination.encode("latin-1"),
                self._middle,
                validity.encode("latin-1"),
                self._tail,
                bytes((len(message),)),
                message,
            )
        )
        whole = raw(CODES["submit_sm"], 0, sequence, body)
        return _with_tlvs(whole, tlvs) if tlvs else whole


def raw(code: int, status: int = 0, sequence: int = 0, body: bytes = b"") -> bytes:
    """A frame of any command id around a body that is not looked at."""
    return HEADER.pack(HEADER.size + len(body), code, status, sequence) + body


def response(request: Pdu, status: int = 0, **fields: Value) -> Pdu:
    """The answer to a request, with the same sequence number."""
    return Pdu(f"{request.command}_resp", status, request.sequence, fields)


def refusal(status: int, sequence: int) -> bytes:
    """A C{generic_nack}."""
    return raw(CODES["generic_nack"], status, sequence)
