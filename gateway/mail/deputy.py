"""Answering for users who are away (RFC 3834): once, and never a machine."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.parser import BytesHeaderParser
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from attrs import define
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from gateway.absence import Audience, Reply
from gateway.interfaces import IAbsences

#: Octets of a header that are read, and characters of one field.
MOST, LONGEST = 65_536, 32_768
#: Characters of the subject that an answer repeats.
LONGEST_SUBJECT = 200

_BLANK = re.compile(rb"\r?\n\r?\n")
_ID = re.compile(r"<[!-;=?-~]{1,250}>")
_MACHINE = re.compile(
    r"mailer-?daemon|postmaster|root|listserv|majordomo|mailman|(owner|bounces?|errors?|return)[-+=].*"
    r"|.*[-+](owner|request|bounces?|errors?|return)|(do[._-]?)?not?[._-]?reply([-+._].*)?",
    re.IGNORECASE,
)
_LIST = re.compile(r"list-(id|post|help|owner|archive|subscribe|unsubscribe)|mailing-list", re.IGNORECASE)
_SUPPRESSED = re.compile(r"\b(all|oof|autoreply)\b", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
#: What the stdlib raises for fields that nobody should send.
_UNREADABLE = (MessageError, ValueError, LookupError, AttributeError, TypeError, RecursionError)

Send = Callable[[str, str, bytes], Awaitable[None]]
"""Sends a mail of a user to somebody, from nobody: what cannot be delivered is told to no one."""


def fit(head: Message, sender: str, addresses: Sequence[str]) -> str:
    """Why a mail is not to be answered by a machine, or an empty text.

    @param sender: the envelope sender. @param addresses: those of the user; one of them must have been written to.
    """
    local, at, _ = sender.rpartition("@")
    if not at:
        return "it has no sender"
    if _MACHINE.fullmatch(local) or sender.lower() in (address.lower() for address in addresses):
        return "its sender is a machine, or the user"
    if _field(head, "auto-submitted").partition(";")[0].strip().lower() not in ("", "no"):
        return "it was sent by a machine"
    if _field(head, "precedence").strip().lower() in ("bulk", "list", "junk"):
        return "it went to many"
    if any(_LIST.fullmatch(name) for name in head.keys()):  # noqa: SIM118 (iterating a Message is not defined)
        return "it is of a mailing list"
    if _SUPPRESSED.search(_field(head, "x-auto-response-suppress")):
        return "it wants no answer"
    if "yes" in (_field(head, name).strip().lower()[:3] for name in ("x-spam-flag", "x-spam-status")):
        return "it is spam"
    if _field(head, "content-type").strip().lower().startswith("multipart/report"):
        return "it is a report"
    written = " ".join(_field(head, name) for name in ("to", "cc", "resent-to", "resent-cc")).lower()
    return "" if any(_named(address, written) for address in addresses) else "it is not addressed to the user"


def _field(head: Message, name: str) -> str:
    return " ".join(str(value) for value in head.get_all(name, [])[:16])[:LONGEST]


def _named(address: str, fields: str) -> bool:
    local, _, domain = re.escape(address.lower()).partition("@")
    return re.search(rf"(?<![\w.+%-]){local}(\+[^\s@,<>]*)?@{domain}(?![\w.-])", fields) is not None


def read_head(content: bytes) -> Message:
    """The header of a mail, as far as it is read."""
    found = _BLANK.search(content, 0, MOST)
    return BytesHeaderParser().parsebytes(content[: found.end() if found else MOST])


def _subject(head: Message) -> str:
    text = _field(head, "subject")
    try:
        text = str(make_header(decode_header(text[:2000])))
    except _UNREADABLE:
        text = text.encode("ascii", "replace").decode()
    text = _CONTROL.sub(" ", text).encode("utf-8", "replace").decode().strip()
    return f"Auto: {text}"[:LONGEST_SUBJECT] if text else "Auto: (no subject)"


def answer(head: Message, reply: Reply, author: str, recipient: str, now: datetime, host: str) -> bytes:
    """The mail that answers another one (RFC 3834 3.1)."""
    message = EmailMessage(policy=SMTP)
    message["From"] = author
    message["To"] = recipient
    message["Subject"] = _subject(head)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid(domain=host)
    identifier = _ID.search(_field(head, "message-id"))
    if identifier is not None:
        message["In-Reply-To"] = identifier[0]
        message["References"] = identifier[0]
    message["Auto-Submitted"] = "auto-replied"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(reply.text.encode("utf-8", "replace").decode() + "\n", cte="base64")
    if reply.html:
        message.add_alternative(reply.html.encode("utf-8", "replace").decode() + "\n", subtype="html", cte="base64")
    return message.as_bytes()


@define(eq=False)
class Deputy:
    """Answers mail for those who are away, each sender once.

    @param addresses: the mail addresses of a user, the primary one first.
    @param audience: what somebody is to a user, by mail address.
    @param now: the time of day, with its zone. @param host: the name of this host.
    """

    log = Logger()

    absences: IAbsences
    addresses: Callable[[str], Sequence[str]]
    audience: Callable[[str], Audience]
    send: Send
    now: Callable[[], datetime]
    host: str

    async def delivered(self, user: str, sender: str, content: bytes) -> None:
        """A mail with that envelope sender has come for a user. Nothing is raised: the mail is there."""
        # Nothing but the header is kept of it while the store is asked; a source route (RFC 5321 4.1.2) is dropped.
        content, sender = content[:MOST], sender.rpartition(":")[2] if sender.startswith("@") else sender
        try:
            await self._delivered(user, sender, content)
        except CancelledError:
            raise
        except Exception:
            self.log.failure("A mail for {user}, who is away, was not answered", user=user)

    async def _delivered(self, user: str, sender: str, content: bytes) -> None:
        if not sender:
            return
        absence, now = await self.absences.absence(user), self.now()
        if not absence.holds(now.timestamp()):
            return
        addresses = self.addresses(user)
        head = read_head(content)
        why = fit(head, sender, addresses)
        if why:
            self.log.debug("{user} is away, but a mail is not answered: {why}", user=user, why=why)
            return
        reply = absence.reply(self.audience(sender))
        if not (reply.enabled and reply.text.strip()):
            return
        mail = answer(head, reply, addresses[0], sender, now, self.host)
        if await self.absences.first_answer(user, absence.period, sender):
            await self.send(user, sender, mail)
