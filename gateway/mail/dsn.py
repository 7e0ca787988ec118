"""Reading what mail servers send back: delivery status notifications (RFC 3464) and bounces in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from email import message_from_bytes, message_from_string
from email.errors import MessageError
from email.message import Message

from attrs import evolve, frozen

from gateway.trigger import LetterState, Receipt

#: Octets of a notice that are looked at, parts of it, and characters of its words that are kept.
MOST = 256 * 1024
PARTS = 50
WORDS = 300

_ID = re.compile(r"<[^<>\s]{1,990}>")
_QUOTED_ID = re.compile(r"^[>\s]*message-id:\s*(<[^<>\s]{1,990}>)", re.I | re.M)
_STATUS = re.compile(r"(?<![\d.])[245]\.[0-7]\.\d{1,3}(?![\d.])")
_CODE = re.compile(r"(?<![\d.@-])[45]\d\d[ -]")
_UNPRINTABLE = re.compile(r"[^!-~]+")
_DAEMON = re.compile(r"mailer-?daemon|postmaster|mail delivery (sub)?system|mdaemon", re.I)
_BOUNCE = re.compile(
    r"undeliver|not deliver|deliver\w* (status|fail)|fail\w* (notice|deliver)|returned mail|bounce", re.I
)
_DELAY = re.compile(r"delayed|will be retried|still trying|no action is required|warning message", re.I)
#: What the stdlib raises for mails that nobody should send.
_UNREADABLE = (MessageError, ValueError, LookupError, AttributeError, TypeError, RecursionError)


@frozen
class Notice:
    """What a notice says about a mail of ours.

    C{action} is C{failed}, C{delayed}, C{delivered}, C{relayed} or C{expanded} (RFC 3464 2.3.3); C{status} an enhanced
    status code (RFC 3463) or empty; C{message_id} that of our mail with its angle brackets, empty if it is not told;
    C{words} what the other server said, in one line.
    """

    action: str
    status: str = ""
    message_id: str = ""
    words: str = ""


_STATES = {"failed": LetterState.UNDELIVERED, "delivered": LetterState.DELIVERED}


def receipt(notice: Notice, route: str, at: float, known: Sequence[str] = ()) -> Receipt | None:
    """What a notice means for the letter that it is about; C{None} if nothing is final yet, or nobody knows which.

    @param known: Message-IDs that the letter has for other reasons, such as the address that the notice came to.
    """
    names = tuple(dict.fromkeys(name for name in (*known, notice.message_id) if name))
    state = _STATES.get(notice.action)
    if state is None or not names:
        return None
    return Receipt(route, names, state, at, " ".join(filter(None, (notice.action, notice.status, notice.words))))


def read_notice(content: bytes) -> Notice | None:
    """What a mail says about the delivery of another; C{None} if that is not what it is about. Never raises."""
    content = content[:MOST]
    if content.lower().count(b"boundary") > PARTS:
        # Parts within parts take the stdlib a time that grows with the square of their number.
        return None
    try:
        return _read(message_from_bytes(content))
    except _UNREADABLE:
        return None


def _read(message: Message) -> Notice | None:
    parts = list(_parts(message))
    for part in parts:
        if part.get_content_type() in ("message/delivery-status", "message/global-delivery-status"):
            notice = _status(part)
            if notice is not None:
                return evolve(notice, message_id=_original(parts) or _answered(message))
    return _plain(message, parts)


def _parts(message: Message) -> Iterator[Message]:
    for number, part in enumerate(message.walk()):
        if number >= PARTS:
            return
        yield part


def _header(message: Message, name: str) -> str:
    return str(message.get(name, "")).strip()


# Delivery status notifications.


def _status(part: Message) -> Notice | None:
    """What the blocks of a delivery status say together: one failure is one."""
    notices = [notice for block in _blocks(part) if (notice := _block(block)) is not None]
    for action in ("failed", "delayed", "delivered", "relayed", "expanded"):
        for notice in notices:
            if notice.action == action:
                return notice
    return None


def _blocks(part: Message) -> list[Message]:
    payload = part.get_payload()
    if not isinstance(payload, list):
        return []
    blocks = [block for block in payload[:PARTS] if isinstance(block, Message)]
    # The stdlib takes the international form (RFC 6533) for a mail: a block, and the others as its text.
    rest = [text for block in blocks if isinstance(text := block.get_payload(), str) and ":" in text]
    return blocks + [message_from_string(text) for one in rest for text in re.split(r"\r?\n\r?\n", one)[:PARTS]]


def _block(block: Message) -> Notice | None:
    action = _header(block, "Action").lower().partition(" ")[0]
    if not action:
        return None
    found = _STATUS.search(_header(block, "Status"))
    words = _header(block, "Diagnostic-Code")
    kind, semicolon, rest = words.partition(";")
    return Notice(action, found[0] if found else "", words=_line(rest if semicolon and len(kind) < 20 else words))


def _original(parts: Sequence[Message]) -> str:
    """The Message-ID of the mail that is returned, or of its headers."""
    for part in parts:
        kind = part.get_content_type()
        if kind in ("message/rfc822", "message/global"):
            payload = part.get_payload()
            inner = payload[0] if isinstance(payload, list) and payload else None
            if isinstance(inner, Message):
                return _id(_header(inner, "Message-ID"))
        elif kind in ("text/rfc822-headers", "message/global-headers"):
            return _id(_header(message_from_string(_text(part)), "Message-ID"))
    return ""


def _answered(message: Message) -> str:
    """The mail that a notice is an answer to, as some servers tell it."""
    return _id(_header(message, "In-Reply-To")) or _id(_header(message, "References"))


def _id(text: str) -> str:
    found = _ID.search(text)
    return found[0] if found else ""


# Bounces in plain words.


def _plain(message: Message, parts: Sequence[Message]) -> Notice | None:
    """A bounce of a server that does not know RFC 3464 (qmail, Exim, and the scripts in front of SMS gateways)."""
    told = "\n".join(_text(part) for part in parts if part.get_content_type() == "text/plain")
    head = f"{_header(message, 'Subject')}\n{told}"
    from_server = _DAEMON.search(_header(message, "From")) or _header(message, "Return-Path") == "<>"
    failed = _header(message, "X-Failed-Recipients")
    # Servers say this of their reports too (RFC 3834 5.1), but in plain words it is somebody's holidays.
    replied = _header(message, "Auto-Submitted").lower().startswith("auto-replied")
    if not (failed or (from_server and _BOUNCE.search(head) and not replied)):
        return None
    action = "delayed" if _DELAY.search(head) and not failed else "failed"
    status = _STATUS.search(told)
    quoted = _QUOTED_ID.search(told)
    name = _original(parts) or (quoted[1] if quoted else "") or _answered(message)
    words = next((line for line in told.splitlines() if _STATUS.search(line) or _CODE.search(line)), "")
    return Notice(action, status[0] if status else "", name, _line(words))


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if isinstance(payload, bytes):
        return payload.decode("utf-8", "replace")
    # A part that the stdlib took for a mail: its headers are what it is about.
    inner = part.get_payload()
    return str(inner[0]) if isinstance(inner, list) and inner else ""


def _line(words: str) -> str:
    return _UNPRINTABLE.sub(" ", words).strip()[:WORDS]
