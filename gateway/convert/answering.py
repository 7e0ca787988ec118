"""Answers to invitations: the mail that tells an organizer whether somebody comes (RFC 5546 3.2.3, 3.2.7, RFC 6047)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from enum import Enum

from attrs import frozen
from icalendar import Calendar, Event, vCalAddress, vText

from gateway.convert import mime
from gateway.convert.classes import REQUEST, message_class
from gateway.convert.headers import addresses, words
from gateway.convert.ical import Component
from gateway.convert.meeting import Meeting, meeting
from gateway.convert.outline import outline

MAX_SUMMARY = 255
MAX_COMMENT = 65_536
"""Characters of a summary and of a comment that are repeated or sent."""

_PRODUCT = "-//pushgw//pushgw//EN"
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@[^\s@<>,;:\"()\[\]\\]{1,189}")
_MOST_ATTENDEES = 500
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class Choice(Enum):
    """What somebody says to an invitation: the word for the calendar, and that for people."""

    ACCEPTED = "ACCEPTED", "Accepted"
    TENTATIVE = "TENTATIVE", "Tentative"
    DECLINED = "DECLINED", "Declined"


@frozen(eq=False)
class Invitation:
    """An invitation in a mail; C{organizer} is the address of who asks."""

    meeting: Meeting
    organizer: str

    @property
    def recurs(self) -> bool:
        """Whether it is to a whole series."""
        event = self.meeting.event.component
        return bool(event.all("RRULE") or event.all("RDATE"))


@frozen
class Answered:
    """What is answered: C{proposed} are other times, C{text} a word to the organizer."""

    choice: Choice
    text: str = ""
    proposed: tuple[datetime, datetime] | None = None


def invitation(raw: bytes) -> Invitation | None:
    """The invitation in a mail, or C{None} if it is something else."""
    seen = outline(mime.read(raw))
    if seen.calendar is None or message_class(seen) != REQUEST:
        return None
    found = meeting(seen.calendar.decoded[0])
    if found is None:
        return None
    organizer = _address(found.event.text("ORGANIZER"))
    if not organizer:
        senders = addresses(seen.root.get_all("from", []))
        organizer = _address(senders[0].spec) if senders else ""
    return Invitation(found, organizer)


def _address(value: str) -> str:
    address = re.sub(r"\Amailto:", "", value.strip(), flags=re.IGNORECASE)
    return address if _ADDRESS.fullmatch(address) else ""


def answer(found: Invitation, answered: Answered, own: Sequence[str], now: datetime, host: str) -> bytes:
    """The mail to the organizer; C{own} are the addresses of who answers, the primary one first."""
    attendee, name = _attendee(found.meeting.event.component, own)
    method = "REPLY" if answered.proposed is None else "COUNTER"
    said = answered.choice.value[1] if answered.proposed is None else "New Time Proposed"
    summary = _CONTROL.sub(" ", words(found.meeting.event.text("SUMMARY")))[:MAX_SUMMARY]
    message = EmailMessage(policy=SMTP)
    message["From"] = attendee
    message["To"] = found.organizer
    message["Subject"] = f"{said}: {summary}" if summary else said
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid(domain=host)
    message.set_content(_sendable(answered.text[:MAX_COMMENT]) + "\n", cte="base64")
    calendar = _calendar(found, answered, method, (attendee, name), now)
    message.add_alternative(calendar.to_ical(), maintype="text", subtype="calendar", cte="base64")
    part = message.get_payload(1)
    assert isinstance(part, EmailMessage)
    part.set_param("charset", "utf-8")
    part.set_param("method", method)
    return message.as_bytes()


def _sendable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _attendee(event: Component, own: Sequence[str]) -> tuple[str, str]:
    """The address under which somebody was invited, and the name there; or else the primary one."""
    ours = {address.lower() for address in own}
    for line in event.all("ATTENDEE")[:_MOST_ATTENDEES]:
        parameters, value = line.parts()
        address = _address(value)
        if address.lower() in ours:
            return address, parameters.get("CN", "")
    return own[0], ""


def _calendar(found: Invitation, answered: Answered, method: str, attendee: tuple[str, str], now: datetime) -> Calendar:
    """The calendar of the answer; its times are in UTC, so that it needs no time zone."""
    event, given = Event(), found.meeting.event
    event.add("uid", given.text("UID"))
    event.add("dtstamp", now.astimezone(UTC))
    sequence = given.text("SEQUENCE")
    event.add("sequence", int(sequence[:9]) if sequence.isascii() and sequence.isdigit() else 0)
    start, end = answered.proposed or (_moment(found, given.start), _moment(found, given.end))
    event.add("dtstart", start)
    event.add("dtend", end)
    instance = given.component.time("RECURRENCE-ID")
    if instance is not None and isinstance(instance[0], date):
        event.add("recurrence-id", _moment(found, instance[0]))
    if given.text("SUMMARY"):
        event.add("summary", _sendable(given.text("SUMMARY")[:MAX_SUMMARY]))
    if answered.text:
        event.add("comment", _sendable(answered.text[:MAX_COMMENT]))
    event.add("organizer", vCalAddress(f"mailto:{found.organizer}"), encode=False)
    event.add("attendee", _calendar_address(*attendee, answered.choice), encode=False)
    calendar = Calendar()
    for name, value in (("prodid", _PRODUCT), ("version", "2.0"), ("method", method)):
        calendar.add(name, value)
    calendar.add_component(event)
    return calendar


def _calendar_address(address: str, name: str, choice: Choice) -> vCalAddress:
    found = vCalAddress(f"mailto:{address}")
    found.params["PARTSTAT"] = vText(choice.value[0])
    if name:
        found.params["CN"] = vText(_CONTROL.sub(" ", name).replace('"', "'")[:MAX_SUMMARY])
    return found


def _moment(found: Invitation, moment: date) -> date:
    """A time in UTC; a date, which is the same everywhere, as it is."""
    if not isinstance(moment, datetime):
        return moment
    return moment.astimezone(UTC) if moment.tzinfo is not None else found.meeting.event.zone.utc(moment)
