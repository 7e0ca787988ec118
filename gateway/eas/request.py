"""What request line and headers of an EAS request say ([MS-ASHTTP] 2.2.1.1), as values.

Two steps, so that there is something to log when the second one refuses: L{parse_query} reads the query in either of
its forms, L{read_head} adds the headers and checks the whole. Both raise L{BadRequest}, which carries the answer.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from attrs import define, field, frozen

from gateway.eas.call import Answer, Refused, Version
from gateway.eas.commands import COMMANDS, NAMES, root_of
from gateway.eas.status import refusal

MAX_QUERY = 4096
"""Bytes of the longest query that is read, unless something else is configured."""

_MAX_FIELDS = 32
_MAX_DEVICE_TYPE = 32
_GUID = 16
_UINT32 = 0xFFFFFFFF

_PARAMETERS: Mapping[int, str] = MappingProxyType(
    {0: "AttachmentName", 1: "CollectionId", 3: "ItemId", 4: "LongId", 6: "Occurrence"}
)
_OPTIONS = 7
_USER = 8
_SAVE_IN_SENT = 0x01
_MULTIPART = 0x02
_PLAIN = MappingProxyType({name.lower(): name for name in (*_PARAMETERS.values(), "SaveInSent")})

_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_COMMAND = re.compile(r"[A-Za-z]{1,32}")
_VERSION = re.compile(r"([0-9]{1,2})\.([0-9])")
_KNOWN = frozenset(map(str, Version))
# The specification has letters and digits only; clients that put words together with a hyphen are about as well.
_DEVICE_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")


class BadRequest(Exception):
    """The request is refused before there is a L{gateway.eas.call.Call}; C{answer} is what the client gets."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.log.get("E", ""))
        self.answer = answer


@frozen
class Query:
    """What a query says, unchecked.

    C{command} is a name, or C{""} for a code without one. C{device} is lower-cased. C{version}, C{policy_key},
    C{multipart} and C{locale} (a Windows LCID) are only in the base64 form, and C{None} where the query does not
    say them. C{parameters} have their [MS-ASHTTP] names; SaveInSent is C{"T"} or C{"F"}.
    """

    command: str
    device: str = ""
    device_type: str = ""
    user: str = ""
    version: str | None = None
    policy_key: int | None = None
    multipart: bool | None = None
    locale: int | None = None
    parameters: Mapping[str, str] = field(factory=dict)


@frozen
class Head:
    """What request line and headers say together, checked: the command exists in the version, the device is valid.

    C{policy_key} is C{None} if the client sent none; one that is no number is 0, which is no key of anybody.
    """

    command: str
    version: Version
    device: str
    device_type: str
    user: str = ""
    policy_key: int | None = None
    multipart: bool = False
    parameters: Mapping[str, str] = field(factory=dict)


def parse_query(query: bytes, most: int = MAX_QUERY) -> Query:
    """The query of a POST, which is plain text if it names a Cmd and otherwise one base64 string.

    @param most: bytes of the longest query that is read.
    @raise BadRequest: HTTP 400, it is too long or neither of the two.
    """
    if len(query) > most:
        raise _bad("query too long")
    fields = _plain_fields(query)
    if "cmd" in fields:
        return _plain(fields)
    text = unquote_to_bytes(query.strip()).replace(b" ", b"+")
    if not _BASE64.fullmatch(text):
        raise _bad("query without Cmd")
    try:
        return _Bytes(binascii.a2b_base64(text.rstrip(b"=") + b"==")).query()
    except (binascii.Error, IndexError):
        raise _bad("query is cut short") from None


def _bad(why: str) -> BadRequest:
    return BadRequest(Answer(status=400, log={"E": why}))


def text_of(raw: bytes) -> str:
    """Text as devices write it: UTF-8, or Latin-1 if it is not that."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _plain_fields(query: bytes) -> dict[str, str]:
    """The fields of a plain query by their lower-cased names; of several with one name the first counts."""
    parts = query.split(b"&")
    if len(parts) > _MAX_FIELDS:
        raise _bad("too many fields in the query")
    fields: dict[str, str] = {}
    for part in parts:
        name, separator, value = part.partition(b"=")
        if separator:
            fields.setdefault(text_of(name).lower(), text_of(unquote_to_bytes(value.replace(b"+", b" "))))
    return fields


def _plain(fields: Mapping[str, str]) -> Query:
    if not _COMMAND.fullmatch(fields["cmd"]):
        raise _bad("Cmd is no name")
    return Query(
        command=fields["cmd"],
        device=fields.get("deviceid", "").lower(),
        device_type=fields.get("devicetype", ""),
        user=fields.get("user", ""),
        parameters={name: fields[key] for key, name in _PLAIN.items() if key in fields},
    )


@define(eq=False)
class _Bytes:
    """A decoded base64 query that is read from front to back; C{IndexError} says that it is cut short."""

    data: bytes
    position: int = 0

    def take(self, length: int) -> bytes:
        end = self.position + length
        if end > len(self.data):
            raise IndexError
        start, self.position = self.position, end
        return self.data[start:end]

    def number(self, length: int = 1) -> int:
        return int.from_bytes(self.take(length), "little")

    def counted(self) -> bytes:
        return self.take(self.number())

    def query(self) -> Query:
        """[MS-ASHTTP] 2.2.1.1.1.1: version, command, locale, device, policy key, device type, parameters."""
        version, code, locale = self.number(), self.number(), self.number(2)
        device, key, device_type = self.counted(), self.counted(), self.counted()
        if len(key) not in (0, 4):
            raise _bad(f"policy key of {len(key)} bytes")
        found = self.parameters()
        options = found.pop(_OPTIONS, b"")[:1]
        parameters = {_PARAMETERS[tag]: text_of(value) for tag, value in found.items() if tag in _PARAMETERS}
        if options:
            parameters["SaveInSent"] = "T" if options[0] & _SAVE_IN_SENT else "F"
        return Query(
            command=NAMES.get(code, ""),
            device=_device(device),
            device_type=text_of(device_type),
            user=text_of(found.get(_USER, b"")),
            version=f"{version // 10}.{version % 10}",
            policy_key=int.from_bytes(key, "little") if key else None,
            multipart=bool(options[0] & _MULTIPART) if options else None,
            locale=locale,
            parameters=parameters,
        )

    def parameters(self) -> dict[int, bytes]:
        """The tagged values that fill the rest; tags that nobody uses any more are there too."""
        found: dict[int, bytes] = {}
        while self.position < len(self.data):
            tag = self.number()
            found.setdefault(tag, self.counted())
        return found


def _device(raw: bytes) -> str:
    """A device id: letters and digits as they are, anything else (a GUID) as hexadecimal digits; lower case.

    What is longer than a GUID is words that are put together, if the plain form may have it so.
    """
    text = raw.decode("latin-1").lower()
    together = len(raw) > _GUID and _DEVICE_ID.fullmatch(text)
    return text if raw.isalnum() or together else raw.hex()


def read_head(query: Query, header: Callable[[bytes], bytes | None]) -> Head:
    """The query with the headers MS-ASProtocolVersion, X-MS-PolicyKey and MS-ASAcceptMultiPart; the query wins.

    @param header: gives the value of a header, or C{None}.
    @raise BadRequest: the version is none of ours (HTTP 400, 505 for 1.0), the command is not supported, or not in
        the version (Status 137, 138), or DeviceId or DeviceType are missing or invalid (108, 109); before 14.0 the
        HTTP status in place of it.
    """
    version = _version(query, header(b"MS-ASProtocolVersion"))
    root = root_of(query.command)
    refused = _objection(query, version)
    if refused is not None:
        raise BadRequest(refusal(root, version, refused))
    key, multipart = query.policy_key, query.multipart
    return Head(
        command=query.command,
        version=version,
        device=query.device,
        device_type=query.device_type,
        user=query.user,
        policy_key=_policy_key(header(b"X-MS-PolicyKey")) if key is None else key,
        multipart=header(b"MS-ASAcceptMultiPart") == b"T" if multipart is None else multipart,
        parameters=query.parameters,
    )


def _version(query: Query, header: bytes | None) -> Version:
    """The version of the request; one that says none is of 2.5, if that has the command.

    One client writes a number in the base64 form that is no version's, and the right one in the header.
    """
    told = text_of(header or b"").strip()
    said = query.version if query.version in _KNOWN else told or query.version
    if not said:
        entry = COMMANDS.get(query.command)
        if entry is None or entry.first > Version.V2_5:
            raise _bad("no MS-ASProtocolVersion")
        return Version.V2_5
    match = _VERSION.fullmatch(said)
    if match is None:
        raise _bad("MS-ASProtocolVersion is no version")
    number = int(match[1]) * 10 + int(match[2])
    try:
        return Version(number)
    except ValueError:
        # Nobody knows what such a client understands; a Status is for those that ask for a command of another version.
        raise BadRequest(Answer(status=505 if number == 10 else 400, log={"E": f"version {said}"})) from None


def _objection(query: Query, version: Version) -> Refused | None:
    """What is wrong with a query for that version."""
    entry = COMMANDS.get(query.command)
    if entry is None:
        return Refused(137, f"unknown command {query.command}")
    if not entry.first <= version <= entry.last:
        return Refused(138, f"{query.command} in {version}")
    if not _DEVICE_ID.fullmatch(query.device):
        return Refused(108, "DeviceId missing or invalid")
    if not (0 < len(query.device_type) <= _MAX_DEVICE_TYPE and query.device_type.isprintable()):
        return Refused(109, "DeviceType missing or invalid")
    return None


def _policy_key(header: bytes | None) -> int | None:
    """The number in X-MS-PolicyKey."""
    text = (header or b"").strip()
    if not text:
        return None
    number = int(text) if text.isdigit() and len(text) <= 10 else 0
    return number if number <= _UINT32 else 0
