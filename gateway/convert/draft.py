"""Drafts: the properties that a client sends become a mail, or change one ([MS-ASEMAIL] 3.1.5, protocol 16.0 on)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.utils import encode_rfc2231
from urllib.parse import quote, unquote

from attrs import evolve, frozen

from gateway.convert import mime
from gateway.convert.attachments import EMBEDDED, NORMAL
from gateway.convert.body import HTML_TYPE, MIME_TYPE, PLAIN_TYPE, Body
from gateway.convert.compose import Sender, complete
from gateway.convert.conversation import (
    CONVERSATION_BYTES,
    conversation_id,
    conversation_index,
    first_thread_index,
)
from gateway.convert.fields import BadMessage, Field, Message, address_field, in_ascii, taken_apart, text_field
from gateway.convert.flags import ConversionError
from gateway.convert.headers import addresses
from gateway.convert.marks import DRAFT_CONTENT
from gateway.convert.message import MAX_LIST, MAX_SUBJECT
from gateway.convert.mime import Part
from gateway.convert.outline import Attached, outline
from gateway.convert.parts import (
    Entity,
    content_field,
    entity_of,
    in_base64,
    part_entity,
    text_entity,
    together,
    with_entity,
)
from gateway.element import Element

MAX_ATTACHMENTS = 100
_LONGEST = 255
_CLIENT = "content-pushgw-client"
_LISTS = (("To", "Email:To"), ("Cc", "Email:Cc"), ("Bcc", "Email2:Bcc"), ("Reply-To", "Email:ReplyTo"))
_IMPORTANCE = {"0": "low", "1": "", "2": "high"}
_KIND = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}")
_PRINTABLE = re.compile(r"[!-~]{1,255}")


@frozen
class Drafted:
    """A draft: the mail, and its attachments that a client has named: the ClientId, and the number of the part.

    C{conversation} and C{index} are the ConversationId and the ConversationIndex.
    """

    message: bytes
    attachments: tuple[tuple[str, int], ...] = ()
    conversation: bytes = b""
    index: bytes = b""

    @property
    def numbered(self) -> bool:
        """Whether the client knows parts of it by their numbers."""
        return bool(outline(mime.read(self.message)).attachments)


def has_content(properties: Element) -> bool:
    """Whether there is more than marks in ApplicationData."""
    return any(properties.child(tag) is not None for tag in DRAFT_CONTENT)


def marks_alone(properties: Element) -> Element:
    """ApplicationData without what makes up the content of a draft."""
    return Element(properties.tag, *(child for child in properties if child.tag not in DRAFT_CONTENT))


def drafted(properties: Element, sender: Sender, server_id: str, base: bytes | None = None) -> Drafted:
    """The mail that is made of properties, or of a draft that they change.

    What is a text of the header and is not among them goes ([MS-ASCMD] 2.2.3.24); Body and Attachments stay as they are
    without them. An attachment that is in the draft already, by its ClientId, is not added again.

    @param server_id: that of the draft, to which its FileReferences belong.
    @raise ConversionError: they are not what they should be.
    """
    try:
        message = _base(properties, base)
        content = _content(message, properties, server_id, sender.token)
        whole = complete(_header(with_entity(message, content), properties, base is None), sender)
        if base is None and not whole.value("thread-index"):
            # Else it would tell another ConversationIndex whenever it is changed.
            whole = whole.having(text_field("Thread-Index", _begun(whole.octets(), sender.now)))
        made = whole.octets()
        root = mime.taken_apart(made)
        conversation = conversation_id(root, made[:CONVERSATION_BYTES])
        index = conversation_index(root, int(sender.now.timestamp()))
        return Drafted(made, tuple(_named(root)), conversation, index)
    except (BadMessage, mime.TooLarge, ValueError) as error:
        raise ConversionError(str(error)) from error


def _begun(made: bytes, now: datetime) -> str:
    """Thread-Index of a draft that is new."""
    return first_thread_index(mime.taken_apart(made), now.timestamp(), made[:CONVERSATION_BYTES])


def _base(properties: Element, base: bytes | None) -> Message:
    """The message to begin with: one that the client sends whole, the draft, or nothing."""
    body = properties.child("AirSyncBase:Body")
    if body is not None and body.text_of("AirSyncBase:Type") == str(MIME_TYPE):
        data = body.child("AirSyncBase:Data")
        octets = b"" if data is None else data.value if isinstance(data.value, bytes) else data.text.encode()
        return taken_apart(octets or b"")
    return Message((), b"") if base is None else taken_apart(base)


def _header(message: Message, properties: Element, new: bool) -> Message:
    """The fields of the header that clients know of. A new draft may have them from the message that was sent whole."""
    for name, tag in _LISTS:
        given = properties.child(tag)
        if given is not None:
            found = in_ascii(addresses([given.text[:MAX_LIST]]))
            message = message.having(address_field(name, found)) if found else message.without(name.lower())
        elif not new and _is_whole(properties):
            message = message.without(name.lower())
    subject = properties.child("Email:Subject")
    if subject is not None:
        message = message.having(text_field("Subject", subject.text[:MAX_SUBJECT]))
    elif not new and _is_whole(properties):
        message = message.without("subject")
    importance = properties.text_of("Email:Importance")
    if importance is None:
        return message
    if importance not in _IMPORTANCE:
        raise ConversionError("Importance is neither 0 nor 1 nor 2")
    message = message.without("importance", "x-priority")
    return message.having(text_field("Importance", _IMPORTANCE[importance])) if _IMPORTANCE[importance] else message


def _is_whole(properties: Element) -> bool:
    """Whether what is absent is meant to go: not if only the body, or an attachment, is sent."""
    return any(properties.child(tag) is not None for tag in DRAFT_CONTENT[:5])


def _content(message: Message, properties: Element, server_id: str, token: str) -> Entity:
    """Text and attachments."""
    body = properties.child("AirSyncBase:Body")
    given = body.child("AirSyncBase:Data") if body is not None else None
    kind = None if body is None or given is None else body.text_of("AirSyncBase:Type")
    changes = properties.child("AirSyncBase:Attachments")
    if kind == str(MIME_TYPE):
        kind = None
    if kind not in (None, str(PLAIN_TYPE), str(HTML_TYPE)):
        raise ConversionError(f"a draft with a body of type {kind}")
    if kind is None and changes is None and message.fields:
        return entity_of(message)
    root = mime.taken_apart(entity_of(message).octets())
    seen = outline(root)
    if kind is None:
        old = Body(message.body, seen)
        html, text = old.native == HTML_TYPE, old.rendered(old.native, None).text
    else:
        html, text = kind == str(HTML_TYPE), given.text if given is not None else ""
    entity = text_entity("html" if html else "plain", text)
    return _with_attachments(entity, html, seen.attachments, changes, server_id, token)


def _with_attachments(
    entity: Entity,
    html: bool,
    before: Sequence[Attached],
    changes: Element | None,
    server_id: str,
    token: str,
) -> Entity:
    gone = set(_deleted(changes, server_id))
    kept = [one for one in before if one.part.number not in gone]
    known = {str(one.part.get(_CLIENT, "")) for one in before}
    shown = [part_entity(one.part) for one in kept if html and _is_inline(one.part)]
    files = [part_entity(one.part) for one in kept if not (html and _is_inline(one.part))]
    for added in _added(changes):
        if quote(added.client, "") not in known:
            (shown if html and added.inline and added.content_id else files).append(added.entity())
    if len(shown) + len(files) > MAX_ATTACHMENTS:
        raise ConversionError(f"more than {MAX_ATTACHMENTS} attachments")
    if shown:
        entity = together("related", [entity, *shown], f"=_related_{token}")
    return together("mixed", [entity, *files], f"=_mixed_{token}") if files else entity


def _is_inline(part: Part) -> bool:
    return part.get_content_disposition() == "inline" and bool(part.get("content-id"))


def _deleted(changes: Element | None, server_id: str) -> Iterator[int]:
    for deletion in changes.all("AirSyncBase:Delete") if changes is not None else ():
        item, _, number = (deletion.text_of("AirSyncBase:FileReference") or "").rpartition(":")
        if item == server_id and number.isascii() and number.isdigit() and len(number) < 7:
            yield int(number)


@frozen
class _Added:
    """An attachment that a client adds."""

    client: str
    content: bytes
    name: str = ""
    kind: str = ""
    method: int = NORMAL
    content_id: str = ""
    location: str = ""
    inline: bool = False

    def entity(self) -> Entity:
        """The part of the mail."""
        kind = "application/octet-stream" if self.kind.startswith(("message/", "multipart/")) else self.kind
        disposition = "inline" if self.inline else "attachment"
        if self.name:
            plain = self.name.isascii() and not set(self.name) & set('"\\')
            filename = f'filename="{self.name}"' if plain else f"filename*={encode_rfc2231(self.name, 'utf-8')}"
            disposition = f"{disposition}; {filename}"
        encoding, body = "base64", in_base64(self.content)
        if self.method == EMBEDDED and _sendable(self.content):
            kind, encoding, body = "message/rfc822", "8bit", self.content
        fields = [content_field("Type", kind), content_field("Transfer-Encoding", encoding)]
        fields.append(content_field("Disposition", disposition))
        if self.content_id:
            fields.append(content_field("ID", f"<{self.content_id}>"))
        if self.location:
            fields.append(content_field("Location", self.location))
        fields.append(Field(_CLIENT, f"Content-Pushgw-Client: {quote(self.client, '')}\r\n".encode("ascii")))
        return Entity(tuple(fields), body)


def _sendable(content: bytes) -> bool:
    try:
        return taken_apart(content).octets() == content
    except BadMessage:
        return False


def _added(changes: Element | None) -> Iterator[_Added]:
    for element in changes.all("AirSyncBase:Add") if changes is not None else ():
        client = element.text_of("AirSyncBase:ClientId") or ""
        content = element.child("AirSyncBase:Content")
        method = element.text_of("AirSyncBase:Method", str(NORMAL))
        if not 0 < len(client) <= _LONGEST or content is None or method not in (str(NORMAL), str(EMBEDDED)):
            raise ConversionError("an attachment without ClientId or Content, or of another Method than 1 or 5")
        found = _Added(client, _octets(content), method=int(method or NORMAL))
        name = "".join(filter(str.isprintable, element.text_of("AirSyncBase:DisplayName") or ""))[:_LONGEST]
        kind = (element.text_of("AirSyncBase:ContentType") or "").strip()
        content_id = (element.text_of("AirSyncBase:ContentId") or "").strip("<> ")
        location = element.text_of("AirSyncBase:ContentLocation") or ""
        inline = element.child("AirSyncBase:IsInline")
        yield evolve(
            found,
            name=name,
            kind=kind.lower() if _KIND.fullmatch(kind) else "application/octet-stream",
            content_id=content_id if _PRINTABLE.fullmatch(content_id) else "",
            location=location if _PRINTABLE.fullmatch(location) else "",
            inline=inline is not None and inline.text != "0",
        )


def _octets(content: Element) -> bytes:
    """Opaque data, or base64 from a client that writes it as text."""
    if isinstance(content.value, bytes):
        return content.value
    try:
        return base64.b64decode(content.text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConversionError("an attachment that is neither opaque data nor base64") from error


def _named(root: Part) -> Iterator[tuple[str, int]]:
    for number, leaf in enumerate(root.leaves(), 1):
        if leaf.get(_CLIENT):
            yield unquote(str(leaf.get(_CLIENT))), number
