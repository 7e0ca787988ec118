"""A mail that a client wrote, taken apart into the fields of its header and its body, as octets.

What is not touched goes out as it came: nothing is read and written anew. Fields that have to be written here, and
those that no server takes as they are (octets that are not ASCII, lines that are too long), are written by the rules
of RFC 5322 and RFC 2047.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from email.header import Header
from email.utils import quote

from attrs import evolve, frozen

from gateway.convert.headers import MAX_VALUE, READABLE, Address, addresses, words

MAX_HEADER = 2**20
"""Octets of a header, and L{MAX_FIELDS} fields: more was not written by a mail program."""

MAX_FIELDS = 500
LONGEST_LINE = 998
"""Octets of a line (RFC 5322 2.1.1)."""

ADDRESS_FIELDS = frozenset(("from", "sender", "reply-to", "to", "cc", "bcc"))
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")
_PLACE = re.compile(r"(?<=[ ,;])")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_ADDRESS = re.compile(r"[!-;=?-~]{1,320}")
_QUOTED = re.compile(r'"([^"]*[^\x00-\x7f"][^"]*)"')
_WIDTH = 76


class BadMessage(ValueError):
    """The octets are no message that can be sent; the text says why."""


@frozen
class Field:
    """A field as it stands: its lower-cased name, and its octets with CRLF at the end of each line."""

    name: str
    octets: bytes

    @property
    def value(self) -> str:
        """The value in one line, encoded words as they are."""
        raw = self.octets.partition(b":")[2].decode("ascii", "surrogateescape")
        return READABLE.header_fetch_parse(self.name, raw)

    @property
    def fit(self) -> bool:
        """Whether every server takes it as it is."""
        return self.octets.isascii() and b"\0" not in self.octets and not has_long_lines(self.octets)


@frozen
class Message:
    """A message: the fields of its header, and the octets after the empty line; all lines end with CRLF."""

    fields: tuple[Field, ...]
    body: bytes

    def all(self, *names: str) -> list[Field]:
        """The fields with one of these names, in order."""
        return [field for field in self.fields if field.name in names]

    def value(self, name: str) -> str:
        """The value of the first field of that name; empty if there is none."""
        return next((field.value for field in self.fields if field.name == name), "")

    def without(self, *names: str) -> Message:
        """The message without the fields of these names."""
        return evolve(self, fields=tuple(field for field in self.fields if field.name not in names))

    def having(self, *fields: Field) -> Message:
        """The message with these fields in place of all of the same names; new ones stand before the Content fields,
        where MIME-Version stands too."""
        names = {field.name for field in fields}
        head = [field for field in self.fields if field.name not in names]
        place = next((n for n, field in enumerate(head) if field.name.startswith(("content-", "mime-"))), len(head))
        return evolve(self, fields=(*head[:place], *fields, *head[place:]))

    def octets(self) -> bytes:
        """The message as one piece."""
        return b"".join([*(field.octets for field in self.fields), b"\r\n", self.body])


def crlf(octets: bytes) -> bytes:
    """The octets with CRLF at the end of each line."""
    if octets.count(b"\r") == octets.count(b"\n") == octets.count(b"\r\n"):
        return octets
    return octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def has_long_lines(octets: bytes) -> bool:
    """Whether there is a line that is too long."""
    # Not by a regular expression: that tries every octet as a beginning, for seconds in which nothing else goes on.
    start, most = 0, LONGEST_LINE + 1
    while start + most <= len(octets):
        end = max(octets.rfind(b"\n", start, start + most), octets.rfind(b"\r", start, start + most))
        if end < 0:
            return True
        start = end + 1
    return False


def taken_apart(raw: bytes) -> Message:
    """A message by its fields. White space before the header, and the line that mbox files have there, are left out.

    @raise BadMessage: it has no header, or one that is none; or it has a NUL.
    """
    if b"\0" in raw:
        raise BadMessage("there is a NUL in it")
    octets = crlf(raw).lstrip(b"\r\n")
    end = 0 if not octets else octets.find(b"\r\n\r\n", 0, MAX_HEADER)
    if end < 0 and len(octets) > MAX_HEADER:
        raise BadMessage("its header is too long")
    head, body = (octets, b"") if end < 0 else (octets[:end], octets[end + 4 :])
    fields = _fields(head.removesuffix(b"\r\n"))
    if not fields:
        raise BadMessage("it has no header")
    return Message(tuple(fields), body)


def _fields(head: bytes) -> list[Field]:
    found: list[tuple[str, list[bytes]]] = []
    for number, line in enumerate(head.split(b"\r\n") if head else ()):
        named = _FIELD.match(line)
        if line[:1] in (b" ", b"\t") and found:
            found[-1][1].append(line)
        elif named:
            found.append((named[1].decode("ascii").lower(), [line]))
        elif number or not line.startswith((b"From ", b">From ")):
            raise BadMessage(f"line {number + 1} of its header is no field")
    if len(found) > MAX_FIELDS:
        raise BadMessage(f"its header has more than {MAX_FIELDS} fields")
    return [Field(name, b"\r\n".join([*lines, b""])) for name, lines in found]


def text_field(name: str, text: str) -> Field:
    """A field with a text; encoded (RFC 2047) if it is not ASCII."""
    clean = " ".join(text.split())
    if clean.isascii():
        return _folded(name, clean)
    encoded = Header(clean, "utf-8", _WIDTH, name).encode(linesep="\r\n")
    return Field(name.lower(), f"{name}: {encoded}\r\n".encode("ascii", "replace"))


def address_field(name: str, found: Sequence[Address]) -> Field:
    """A field with addresses, each on a line of its own if they do not fit into one."""
    texts = [_mailbox(address) for address in found]
    line = f"{name}: {', '.join(texts)}"
    if len(line) > _WIDTH or "\r\n" in line:
        line = f"{name}: " + ",\r\n ".join(texts)
    return Field(name.lower(), line.encode("ascii", "replace") + b"\r\n")


def _mailbox(address: Address) -> str:
    name = " ".join(address.name.split())
    if not name:
        return address.spec
    if not name.isascii():
        shown = Header(name, "utf-8", _WIDTH - 2).encode(linesep="\r\n")
    else:
        shown = name if _ATOMS.fullmatch(name) else f'"{quote(name)}"'
    return f"{shown} <{address.spec}>" if address.spec else shown


def _folded(name: str, text: str) -> Field:
    """The text in lines, folded where there is white space, or behind commas."""
    lines, line = [], f"{name}:"
    for piece in _PLACE.split(f" {text}"):
        if len(line) + len(piece.rstrip()) > _WIDTH and line.strip() and line != f"{name}:":
            lines.append(line.rstrip())
            line = " "
        line += piece if len(line) > 1 else piece.lstrip()
    lines.append(line.rstrip())
    octets = "\r\n".join(line for line in lines if line.strip()).encode("ascii", "replace")
    return Field(name.lower(), octets + b"\r\n")


def fitting(field: Field) -> Field:
    """The field so that every server takes it."""
    if field.fit:
        return field
    name = field.octets.partition(b":")[0].decode("ascii").strip()
    if field.name in ADDRESS_FIELDS:
        return address_field(name, in_ascii(addresses([field.value])))
    value = field.value
    if field.name.startswith("content-"):
        return _folded(name, _QUOTED.sub(_encoded, value))
    return text_field(name, value if value.isascii() else words(value))


def _encoded(found: re.Match[str]) -> str:
    """A quoted parameter in characters of its own, as mail programs write and read it (against RFC 2047 5)."""
    return f'"{Header(found[1], "utf-8", 10**6).encode()}"'


def in_ascii(found: Iterable[Address]) -> list[Address]:
    """The addresses with their domains as they stand in the DNS (RFC 5890), where they have other characters."""
    return [evolve(address, spec=ascii_address(address.spec)) for address in found]


def ascii_address(spec: str) -> str:
    """An address with its domain as it stands in the DNS; one that cannot be written so stays as it is."""
    local, at, domain = spec.rpartition("@")
    if spec.isascii() or not at or len(domain) > 253:
        return spec
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return spec


def is_address(spec: str) -> bool:
    """Whether mail can be sent to it by SMTP: ASCII, with something on both sides of an @."""
    local, _, domain = spec.rpartition("@")
    return bool(local and domain and not spec.startswith(".") and _ADDRESS.fullmatch(spec))


def listed(message: Message, *names: str) -> list[Address]:
    """The addresses in the fields of these names, all of them.

    @raise TooMany: there is more than is read.
    """
    found: list[Address] = []
    for field in message.all(*names):
        if len(field.octets) > MAX_VALUE:
            raise TooMany(f"the field {field.name} is longer than {MAX_VALUE} bytes")
        found += addresses([field.value])
    return in_ascii(found)


class TooMany(ValueError):
    """There are more recipients than are taken; the text says what is too much."""


Owner = Callable[[str], bool]
"""Whether an address is one of the sender's own."""


def author(message: Message, owns: Owner, primary: str) -> Message:
    """The message as one of its sender: From is an address of theirs, else the first name there with their primary
    address; and there is no Sender who is somebody else."""
    found = listed(message, "from")
    if not (len(found) == 1 and owns(found[0].spec) and len(message.all("from")) == 1):
        name = next((address.name for address in found if address.name), "")
        spec = next((address.spec for address in found if owns(address.spec)), primary)
        message = message.having(address_field("From", [Address(name, spec)]))
    if not all(owns(address.spec) for address in listed(message, "sender")):
        message = message.without("sender")
    return message
