"""Parts of a mail as octets: taken out as they stand, written anew, and put together."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence

from attrs import frozen

from gateway.convert.fields import Field, Message, crlf, fitting, has_long_lines
from gateway.convert.headers import READABLE
from gateway.convert.mime import Part

_SERIAL = READABLE.clone(max_line_length=None)
_FEW = 10
"""One character in so many may be no ASCII for quoted-printable: it is shorter then, and people can read it."""


@frozen
class Entity:
    """A part: its Content fields, and its body with CRLF at the end of each line."""

    fields: tuple[Field, ...]
    body: bytes

    def octets(self) -> bytes:
        """The part as it stands between delimiters."""
        return b"".join([*(field.octets for field in self.fields), b"\r\n", self.body])


def entity_of(message: Message) -> Entity:
    """The content of a message."""
    return Entity(tuple(field for field in message.fields if field.name.startswith("content-")), message.body)


def with_entity(message: Message, entity: Entity) -> Message:
    """The message with another content."""
    others = tuple(field for field in message.fields if not field.name.startswith("content-"))
    return Message((*others, *entity.fields), entity.body)


def content_field(name: str, value: str) -> Field:
    """A Content field of our own; the value is ASCII."""
    return Field(f"content-{name.lower()}", f"Content-{name}: {value}\r\n".encode("ascii"))


def encoded(text: str) -> tuple[str, bytes]:
    """The transfer encoding that a text needs, and the text in it."""
    octets = crlf(text.encode("utf-8", "replace"))
    if octets.isascii() and not has_long_lines(octets):
        return "7bit", octets
    if (len(octets) - len(text)) * _FEW < len(octets):
        return "quoted-printable", crlf(binascii.b2a_qp(octets, istext=True))
    return "base64", in_base64(octets)


def in_base64(octets: bytes) -> bytes:
    """The octets in base64, in lines."""
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


def text_entity(kind: str, text: str) -> Entity:
    """A part with a text: C{kind} is C{plain} or C{html}."""
    encoding, body = encoded(text)
    fields = content_field("Type", f"text/{kind}; charset=utf-8"), content_field("Transfer-Encoding", encoding)
    return Entity(fields, body)


def rewritten(part: Part, text: str) -> None:
    """Give a leaf another text, in UTF-8."""
    kind = part.type
    encoding, body = encoded(text)
    for name in ("Content-Type", "Content-Transfer-Encoding", "Content-MD5", "Content-Length"):
        del part[name]
    part["Content-Type"] = f"{kind}; charset=utf-8"
    part["Content-Transfer-Encoding"] = encoding
    part.set_payload(body.decode("ascii"))


def serialised(root: Part) -> bytes:
    """A message that was read, some of whose leaves were rewritten: all others as they were."""
    text = root.as_bytes(policy=_SERIAL).decode("ascii", "surrogateescape")
    return crlf(b"".join(octets[start:end] for octets, start, end in root.source.pieces(text)))


def part_entity(part: Part) -> Entity:
    """A part of another mail: as it stands there, but in base64 if no server takes it so."""
    body = crlf(part.transferred())
    sound = part.encoding in ("base64", "quoted-printable")
    if part.type.startswith("message/") or sound or not (b"\0" in body or has_long_lines(body)):
        fields = tuple(_content_fields(part))
        return Entity(fields or (content_field("Type", part.type),), body)
    fields = tuple(field for field in _content_fields(part) if field.name != "content-transfer-encoding")
    return Entity((*fields, content_field("Transfer-Encoding", "base64")), in_base64(part.content()))


def _content_fields(part: Part) -> Iterable[Field]:
    for name, value in part.raw_items():
        if name.lower().startswith("content-"):
            octets = crlf(f"{name}:{value if value[:1] == ' ' else f' {value}'}".encode("ascii", "surrogateescape"))
            yield fitting(Field(name.lower(), octets.rstrip(b"\r\n") + b"\r\n"))


def message_entity(raw: bytes, name: str) -> Entity:
    """A whole mail as a part; in base64 as a file if it could not be sent otherwise.

    @param name: what the file is called: ASCII without quotes.
    """
    disposition = content_field("Disposition", f'attachment; filename="{name}"')
    octets = crlf(raw)
    if b"\0" in octets or has_long_lines(octets):
        fields = content_field("Type", "application/octet-stream"), content_field("Transfer-Encoding", "base64")
        return Entity((*fields, disposition), in_base64(raw))
    encoding = "7bit" if octets.isascii() else "8bit"
    fields = content_field("Type", "message/rfc822"), content_field("Transfer-Encoding", encoding)
    return Entity((*fields, disposition), octets)


def together(kind: str, entities: Sequence[Entity], boundary: str) -> Entity:
    """A multipart of that kind.

    @param boundary: something that is in none of the parts.
    """
    pieces = [b"--%b\r\n%b\r\n" % (boundary.encode("ascii"), entity.octets()) for entity in entities]
    body = b"".join([*pieces, b"--%b--\r\n" % boundary.encode("ascii")])
    return Entity((content_field("Type", f'multipart/{kind}; boundary="{boundary}"'),), body)


def appended(entity: Entity, boundary: str, more: Sequence[Entity]) -> Entity | None:
    """A multipart/mixed with further parts; C{None} if its end cannot be found.

    @param boundary: its own.
    """
    end = entity.body.rfind(b"\r\n--%b--" % boundary.encode("ascii", "replace")) if boundary else -1
    if end < 0:
        return None
    delimiter = b"\r\n--%b" % boundary.encode("ascii", "replace")
    pieces = [b"%b\r\n%b" % (delimiter, one.octets()) for one in more]
    return Entity(entity.fields, b"".join([entity.body[:end], *pieces, entity.body[end:]]))
