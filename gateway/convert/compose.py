"""What a client wrote becomes what is sent: its sender, its recipients, and the mail that it answers or passes on.

Pure functions: octets in, octets out. What the client wrote stays as it is, in its encodings and its structure, but
for what is said here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime

from attrs import field, frozen

from gateway.convert import classes, mime, quoting
from gateway.convert.body import Body
from gateway.convert.conversation import CONVERSATION_BYTES, thread_index
from gateway.convert.fields import (
    BadMessage,
    Field,
    Message,
    Owner,
    author,
    fitting,
    has_long_lines,
    is_address,
    listed,
    taken_apart,
    text_field,
)
from gateway.convert.headers import addresses, words
from gateway.convert.mime import Part
from gateway.convert.outline import HTML, Attached, Outline, outline
from gateway.convert.parts import (
    Entity,
    appended,
    entity_of,
    in_base64,
    message_entity,
    part_entity,
    rewritten,
    serialised,
    text_entity,
    together,
    with_entity,
)

REPLY, REPLY_ALL, FORWARD = 1, 2, 3
"""LastVerbExecuted ([MS-ASEMAIL] 2.2.2.43)."""

MAX_ATTACHMENTS = 300
"""A mail with more of them is passed on as a whole."""

MAX_REFERENCES = 50
_ID = re.compile(r"<[^<>\s]{1,990}>")
_SEALED = frozenset(("multipart/signed", "multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"))
_ENCRYPTED = _SEALED - {"multipart/signed"}
_UNFIT = re.compile(r"[^A-Za-z0-9 ._-]+")


@frozen
class Original:
    """The mail that is answered (C{forward}: passed on); C{replace}: the client has put in what it wants of it.

    C{received} is when it came, in seconds since the epoch.
    """

    raw: bytes = field(repr=False)
    forward: bool = False
    replace: bool = False
    received: int = 0


@frozen(kw_only=True)
class Sender:
    """Who sends, when, and what is to be found in nothing else that was ever sent.

    @param owns: whether an address is the sender's. @param primary: the address that stands for the sender.
    @param now: the time, with its zone. @param token: ASCII letters and digits.
    """

    owns: Owner
    primary: str
    now: datetime
    token: str


@frozen
class Composed:
    """What is to be sent.

    C{recipients}: the addresses in To, Cc and Bcc, each once; C{strangers}: what stands there and is no address;
    C{sender} the address in From; C{copy} is the message with its Bcc fields; C{verb} what was done to the original.
    """

    sender: str
    recipients: tuple[str, ...]
    strangers: tuple[str, ...]
    message: bytes = field(repr=False)
    copy: bytes = field(repr=False)
    identifier: str = ""
    verb: int = 0


def composed(raw: bytes, sender: Sender, original: Original | None = None) -> Composed:
    """What is to be sent of what a client wrote.

    @raise BadMessage: that is no message.
    @raise gateway.convert.fields.TooMany: it has more recipients than are read.
    """
    message = taken_apart(raw).without("return-path", "delivered-to")
    recipients = listed(message, "to", "cc", "bcc")
    seen = None if original is None else outline(mime.read(original.raw))
    if seen is not None and original is not None:
        message = _threaded(message, seen.root, original, sender.now)
        if not original.replace:
            message = _joined(message, original, seen, sender.token)
    message = complete(message, sender)
    if has_long_lines(message.body):
        message = _short_lines(message)
    specs = {address.spec.lower(): address.spec for address in recipients if is_address(address.spec)}
    strange = tuple(str(address.spec or address.name)[:100] for address in recipients if not is_address(address.spec))
    return Composed(
        sender=listed(message, "from")[0].spec,
        recipients=tuple(specs.values()),
        strangers=strange,
        message=message.without("bcc", "resent-bcc").octets(),
        copy=message.octets(),
        identifier=message.value("message-id"),
        verb=0 if seen is None or original is None else _verb(seen.root, original, list(specs), sender.owns),
    )


def complete(message: Message, sender: Sender) -> Message:
    """The message as one of its sender, with all that it needs, in a form that every server takes."""
    message = author(message, sender.owns, sender.primary)
    missing = []
    if not _is_date(message.value("date")):
        missing.append(Field("date", f"Date: {format_datetime(sender.now)}\r\n".encode("ascii")))
    if not _ID.fullmatch(message.value("message-id").strip()):
        domain = sender.primary.rpartition("@")[2] or "localhost"
        missing.append(Field("message-id", f"Message-ID: <{sender.token}@{domain}>\r\n".encode("ascii", "replace")))
    if not message.value("mime-version"):
        missing.append(Field("mime-version", b"MIME-Version: 1.0\r\n"))
    message = message.having(*missing)
    return Message(tuple(fitting(field) for field in message.fields), message.body)


def _is_date(value: str) -> bool:
    try:
        return bool(value) and parsedate_to_datetime(value) is not None
    except (ValueError, TypeError, IndexError, OverflowError):
        return False


def _verb(root: Part, original: Original, recipients: Sequence[str], owns: Owner) -> int:
    """What was done to the original: an answer that goes to others than its sender went to all."""
    if original.forward:
        return FORWARD
    senders = {one.spec.lower() for name in ("from", "reply-to") for one in addresses(root.get_all(name, []))}
    others = {one.spec.lower() for name in ("to", "cc") for one in addresses(root.get_all(name, []))} - senders
    return REPLY_ALL if any(spec in others and not owns(spec) for spec in recipients) else REPLY


def _threaded(message: Message, root: Part, original: Original, now: datetime) -> Message:
    """The message as one of the same conversation (RFC 5322 3.6.4, [MS-ASCON] 2.2.2.4), unless it is said in it."""
    if not message.value("thread-index"):
        index = thread_index(root, original.received, original.raw[:CONVERSATION_BYTES], now.timestamp())
        message = message.having(text_field("Thread-Index", index))
    own = _ID.search(str(root.get("message-id", "")))
    if own is None:
        return message
    before = _ID.findall(str(root.get("references", "")) or str(root.get("in-reply-to", "")))
    # The first one names the conversation.
    before = before if len(before) < MAX_REFERENCES else [before[0], *before[-MAX_REFERENCES:]]
    fields = []
    if not message.value("references"):
        fields.append(text_field("References", " ".join(dict.fromkeys([*before, own[0]]))))
    if not original.forward and not message.value("in-reply-to"):
        fields.append(text_field("In-Reply-To", own[0]))
    return message.having(*fields) if fields else message


# The original in what is sent.


def _joined(message: Message, original: Original, seen: Outline, token: str) -> Message:
    """The message with the original: its text below the new one, and if it is passed on with what was attached."""
    entity = entity_of(message)
    new = outline(_read(entity))
    sealed = new.root.type in _SEALED
    if original.forward and (sealed or _only_whole(seen)):
        return with_entity(message, _mixed(entity, [_as_a_whole(original.raw, seen.root)], token))
    if sealed or seen.root.type in _ENCRYPTED or len(seen.root) == 0:
        # What is signed must not be changed, and of what is encrypted there is nothing to be shown.
        return message
    entity, html = _quoted(entity, new, Body(original.raw, seen), not original.forward, token)
    pictures = [one.part for one in seen.attachments if html and _is_shown(one, html)]
    files = [one.part for one in seen.attachments if one.part not in pictures] if original.forward else []
    if pictures and not _is_mixed(entity):
        entity = together("related", [entity, *map(part_entity, pictures)], f"=_related_{token}")
    else:
        files = [*pictures, *files]
    return with_entity(message, _mixed(entity, [part_entity(part) for part in files], token))


def _read(entity: Entity) -> Part:
    try:
        return mime.taken_apart(entity.octets())
    except mime.TooLarge as error:
        raise BadMessage(f"it has too many {error}") from error


def _only_whole(seen: Outline) -> bool:
    """Whether only the whole mail is of use to others: it is signed or encrypted, a report, or cannot be read."""
    return (
        classes.is_smime(classes.message_class(seen))
        or seen.root.type in _SEALED | {"multipart/report"}
        or len(seen.root) == 0
        or len(seen.attachments) > MAX_ATTACHMENTS
    )


def _as_a_whole(raw: bytes, root: Part) -> Entity:
    subject = _UNFIT.sub("_", words(str(root.get("subject", ""))))[:60].strip(" ._")
    return message_entity(raw, f"{subject or 'message'}.eml")


def _quoted(entity: Entity, new: Outline, original: Body, reply: bool, token: str) -> tuple[Entity, str]:
    """The new content with the text of the original, and the HTML of it, if it is HTML."""
    targets = dict.fromkeys([*new.text.plain[-1:], *new.text.rich[-1:]])
    if not targets:
        written = text_entity("plain", quoting.plain("", original))
        return together("mixed", [written, entity], f"=_quoted_{token}"), ""
    html = ""
    for part in targets:
        if part.type == HTML:
            html = quoting.rich(part.decoded[0], original, reply)
            rewritten(part, html)
        else:
            rewritten(part, quoting.plain(part.decoded[0], original))
    return entity_of(taken_apart(serialised(new.root))), html


def _is_shown(attached: Attached, html: str) -> bool:
    name = str(attached.part.get("content-id", "")).strip("<> ")
    return bool(name) and f"cid:{name}" in html


def _is_mixed(entity: Entity) -> bool:
    return _head(entity).get_content_type() == "multipart/mixed"


def _head(entity: Entity) -> Part:
    return mime.read(Entity(entity.fields, b"").octets())


def _mixed(entity: Entity, more: Sequence[Entity], token: str) -> Entity:
    """The content with further parts behind it."""
    if not more:
        return entity
    if _is_mixed(entity):
        longer = appended(entity, _head(entity).get_boundary(""), more)
        if longer is not None:
            return longer
    return together("mixed", [entity, *more], f"=_mixed_{token}")


def _short_lines(message: Message) -> Message:
    """The message with those parts encoded whose lines are too long; what is signed stays as it is."""
    root = _read(entity_of(message))
    if root.type in _SEALED:
        return message
    for part in root.leaves():
        plainly = part.encoding not in ("base64", "quoted-printable") and not part.type.startswith("message/")
        if plainly and has_long_lines(part.transferred()):
            content = in_base64(part.content()).decode("ascii")
            del part["Content-Transfer-Encoding"]
            part["Content-Transfer-Encoding"] = "base64"
            part.set_payload(content)
    return with_entity(message, entity_of(taken_apart(serialised(root))))
