"""A mail as the properties that EAS knows of it ([MS-ASEMAIL]), for every protocol version.

Pure functions: octets in, elements out. No mail makes them fail: what cannot be read goes out as plain text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from attrs import field, frozen
from twisted.logger import Logger

from gateway.convert import attachments, body, classes, conversation, marks, mime, voice
from gateway.convert.attachments import attachment
from gateway.convert.body import Body
from gateway.convert.flags import ConversionError, flag_element
from gateway.convert.headers import Address, addresses, words
from gateway.convert.marks import amendment
from gateway.convert.meeting import Meeting, described, meeting
from gateway.convert.mime import Part
from gateway.convert.outline import Outline, Text, outline
from gateway.convert.times import clamped, date_time
from gateway.element import Element
from gateway.model import SyncOptions

__all__ = ["ConversionError", "Mail", "amendment", "attachment", "changed_properties", "date_time", "properties"]

MAX_LIST = 32768
"""Characters of To, Cc, From and ReplyTo ([MS-ASEMAIL] 2.2.2.80)."""

MAX_SUBJECT = 4096
"""Characters of a Subject; mail programs send less than a thousand."""

_log = Logger()


@frozen
class Mail:
    """A stored mail: its octets (line ends LF or CRLF), Maildir letters, and what is kept beside them.

    C{received} is in seconds since the epoch; C{server_id} is the item's ServerId (C{"5:17"}); C{extra} holds the
    details of a follow-up flag and the categories (see L{gateway.convert.marks}). C{own}: the user has written it.
    """

    raw: bytes
    state: str = ""
    extra: Mapping[str, Any] = field(factory=dict)
    received: int = 0
    server_id: str = ""
    own: bool = False


def properties(mail: Mail, version: int, options: SyncOptions, *, whole: bool = False) -> list[Element]:
    """The children of ApplicationData for an Add, or with C{whole} for a Fetch, where nothing of the text is cut.

    C{version} is the protocol version times ten (C{25}, C{141}).
    """
    try:
        return list(_properties(mail, described(outline(mime.read(mail.raw))), version, options, whole))
    except Exception:
        _log.failure("Mail {item} could not be read and goes out as plain text", item=mail.server_id)
    root = mime.unread(mail.raw)
    return list(_properties(mail, Outline(root, Text((root,), (root,))), version, options, whole))


def changed_properties(mail: Mail, version: int, fields: Collection[str] | None = None) -> list[Element]:
    """The children of ApplicationData for a Change: of a mail only the marks ever change.

    C{fields} are the letters and the keys of C{extra} that have changed (C{None}: any). There may be no child, if the
    protocol version does not know what has changed.
    """
    return marks.changes(mail.state, mail.extra, version, fields)


def _properties(mail: Mail, seen: Outline, version: int, options: SyncOptions, whole: bool) -> Iterator[Element]:
    kind, invitation = _kind(seen, mail.own)
    text = Body(mail.raw, seen, classes.is_smime(kind))
    yield from _envelope(mail, seen)
    yield marks.read_element(mail.state)
    yield from _attachments(mail, seen, kind, version)
    yield from body.elements(text, version, options, whole)
    yield Element("Email:MessageClass", kind)
    if invitation is not None:
        yield invitation.element(version, clamped(mail.received))
    yield Element("Email:InternetCPID", text.code_page)
    if version >= 120:
        yield flag_element(mail.state, mail.extra)
        yield Element("Email:ContentClass", classes.content_class(kind))
        yield Element("AirSyncBase:NativeBodyType", text.native)
    if version >= 140:
        yield from _conversation(mail, seen)
        yield from voice.caller(seen.root) if voice.message_class(seen.root) == kind else ()
    if version >= 141 and options.part is not None:
        yield body.part_element(text, options.part, whole)
    if version >= 160:
        yield from _draft(mail, seen)


def _attachments(mail: Mail, seen: Outline, kind: str, version: int) -> Iterator[Element]:
    listed = attachments.elements(seen.attachments, mail.server_id, version)
    if listed is not None:
        if version >= 140 and voice.message_class(seen.root) == kind:
            voice.mark(listed, seen, mail.server_id)
        yield listed


def _kind(seen: Outline, own: bool) -> tuple[str, Meeting | None]:
    """The MessageClass, and the invitation or cancellation that the mail is; one that nobody can answer is none.

    The user is an attendee ([MS-ASEMAIL] 2.2.2.48): the copy of an invitation of the user's own is an ordinary mail.
    """
    kind = classes.message_class(seen)
    if seen.calendar is None or kind not in (classes.REQUEST, classes.CANCELLED):
        return kind, None
    found = None if own else meeting(seen.calendar.decoded[0], cancelled=kind == classes.CANCELLED)
    return (classes.NOTE, None) if found is None else (kind, found)


def _envelope(mail: Mail, seen: Outline) -> Iterator[Element]:
    """To to Importance: what the header tells."""
    root = seen.root
    to = _addresses(root, "to")
    subject = words(root.get("subject", ""))[:MAX_SUBJECT]
    yield from _filled("Email:To", listed(to))
    yield from _filled("Email:Cc", listed(_addresses(root, "cc")))
    yield from _filled("Email:From", listed(_addresses(root, "from")))
    yield from _filled("Email:Subject", subject)
    yield from _filled("Email:ReplyTo", listed(_addresses(root, "reply-to"), ";"))
    yield Element("Email:DateReceived", date_time(mail.received))
    yield from _filled("Email:DisplayTo", fitting([address.name or address.spec for address in to], ";"))
    yield from _filled("Email:ThreadTopic", conversation.thread_topic(root, subject)[:MAX_SUBJECT])
    yield Element("Email:Importance", classes.importance(root))


def _conversation(mail: Mail, seen: Outline) -> Iterator[Element]:
    """The properties that protocol 14.0 brought."""
    root = seen.root
    yield Element(
        "Email2:ConversationId", conversation.conversation_id(root, mail.raw[: conversation.CONVERSATION_BYTES])
    )
    yield Element("Email2:ConversationIndex", conversation.conversation_index(root, clamped(mail.received)))
    yield marks.categories_element(mail.extra)
    yield from marks.verb_elements(mail.state, mail.extra)
    sender = _addresses(root, "sender")
    if sender and sender[0].spec.lower() not in [address.spec.lower() for address in _addresses(root, "from")]:
        yield from _filled("Email2:Sender", listed(sender[:1]))
    if _blind(seen):
        yield Element("Email2:ReceivedAsBcc", 1)


def _blind(seen: Outline) -> bool:
    """Whether the mail says itself that it came to this account by its Bcc field."""
    root = seen.root
    delivered = {address.spec.lower() for address in _addresses(root, "delivered-to")}
    return any(address.spec.lower() in delivered for address in _addresses(root, "bcc"))


def _draft(mail: Mail, seen: Outline) -> Iterator[Element]:
    """The properties that protocol 16.0 brought: whether it is a draft, and what only a draft has."""
    draft = marks.DRAFT in mail.state
    if draft:
        yield from _filled("Email2:Bcc", listed(_addresses(seen.root, "bcc")))
    yield Element("Email2:IsDraft", int(draft))


def _addresses(root: Part, name: str) -> list[Address]:
    return addresses(root.get_all(name, []))


def _filled(tag: str, text: str) -> tuple[Element, ...]:
    """The element, or nothing for an empty text: an empty element would tell the device to remove something."""
    return (Element(tag, text),) if text else ()


def listed(found: list[Address], separator: str = ", ") -> str:
    """The addresses in one line of at most L{MAX_LIST} characters."""
    return fitting([str(address) for address in found], separator)


def fitting(texts: list[str], separator: str) -> str:
    """As many of the texts as fit into L{MAX_LIST} characters."""
    line = separator.join(texts)
    if len(line) <= MAX_LIST:
        return line
    kept = line.rfind(separator, 0, MAX_LIST + 1)
    return line[: kept if kept > 0 else MAX_LIST]
