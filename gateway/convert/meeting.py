"""What a device is told of an invitation in a mail: MeetingRequest ([MS-ASEMAIL] 2.2.2.48).

Everything comes from the calendar text in the mail; the calendar of the user is not looked at.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from attrs import define, evolve, frozen

from gateway.convert.charset import clean
from gateway.convert.headers import Address
from gateway.convert.ical import Component, calendar
from gateway.convert.mime import read
from gateway.convert.outline import Outline, Text
from gateway.convert.recurring import WEEKLY, Recurrence, recurrence
from gateway.convert.zones import UNIVERSAL, Zone, zone_of
from gateway.element import Element

MAX_LOCATION = 32768
"""Characters of a Location ([MS-ASEMAIL] 2.2.2.46)."""

MAX_UID = 300
"""Characters of a UID ([MS-ASCAL] 2.2.2.46)."""

SINGLE, MASTER, EXCEPTION = 0, 1, 3
UNSPECIFIED, INITIAL, UPDATE = 0, 1, 2

_CLASS_ID = bytes.fromhex("040000008200E00074C5B7101A82E008")
_OUTLOOK = re.compile(r"040000008200E00074C5B7101A82E008[0-9A-F]{48,1000}", re.IGNORECASE)
_BUSY = {"FREE": 0, "TENTATIVE": 1, "BUSY": 2, "OOF": 3, "WORKINGELSEWHERE": 4}
_BUSY_DEFAULT = 2
_ELSEWHERE = 4
_SENSITIVITY = {"PRIVATE": 2, "CONFIDENTIAL": 3, "X-PERSONAL": 1, "PERSONAL": 1}
_LARGEST_REMINDER = 2**31 - 1
_MOST_ATTENDEES = 500


@define(eq=False)
class _Event:
    """An event: its component, its zone, and its times in that zone; a date if it takes whole days."""

    component: Component
    zone: Zone
    start: date
    end: date

    @property
    def all_day(self) -> bool:
        """Whether it takes whole days."""
        return not isinstance(self.start, datetime) or self.flag("X-MICROSOFT-CDO-ALLDAYEVENT")

    def text(self, name: str) -> str:
        """The value of a line."""
        return self.component.text(name)

    def flag(self, name: str) -> bool:
        """Whether a line says TRUE."""
        return self.text(name).upper() == "TRUE"

    def instant(self, name: str) -> datetime | None:
        """The moment in a line, in UTC."""
        return _instant(self.component, name, self.zone)


@frozen
class Meeting:
    """An invitation, or its cancellation."""

    event: _Event
    cancelled: bool = False

    def element(self, version: int, received: int) -> Element:
        """MeetingRequest for a protocol version; C{received} is when the mail came, in seconds since the epoch."""
        return Element("Email:MeetingRequest", *_children(self, version, received))


def meeting(text: str, *, cancelled: bool = False) -> Meeting | None:
    """The invitation in a calendar text, or C{None} if it is none that can be answered: without a UID or a start."""
    found = calendar(text)
    if found is None:
        return None
    events = list(found.of("VEVENT"))
    main = next((event for event in events if not event.all("RECURRENCE-ID")), events[0] if events else None)
    event = None if main is None else _event(main, found)
    return None if event is None else Meeting(event, cancelled)


def described(seen: Outline) -> Outline:
    """The mail; one that is a calendar alone has its DESCRIPTION as its text ([MS-OXCICAL] 2.1.3.1.1.20.11)."""
    if seen.text or seen.calendar is None:
        return seen
    found = calendar(seen.calendar.decoded[0])
    events = () if found is None else found.of("VEVENT")
    text = next((description for event in events if (description := event.text("DESCRIPTION"))), "")
    if not text:
        return seen
    part = read(b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode("utf-8", "replace"))
    return evolve(seen, text=Text((part,), (part,)))


def _event(component: Component, found: Component) -> _Event | None:
    given = component.time("DTSTART")
    if given is None or not component.text("UID"):
        return None
    start, name = given
    if isinstance(start, timedelta):
        return None
    zone = _zone(start, name, found)
    try:
        first = _local(start, zone)
        end = _end(component, first, zone)
        # What follows may add some days and hours.
        in_reach = 1601 < first.year < 9990 and 1601 < end.year < 9990
    except OverflowError:
        return None
    return _Event(component, zone, first, end) if in_reach else None


def _zone(start: date, name: str, found: Component) -> Zone:
    if isinstance(start, datetime) and start.tzinfo is not None:
        return UNIVERSAL
    if not name:
        # A time without a zone is that of who reads it, whose zone nobody knows; the calendar may name one.
        zones = [part.text("TZID") for part in found.of("VTIMEZONE")]
        name = found.text("X-WR-TIMEZONE") or (zones[0] if len(zones) == 1 else "")
    return zone_of(name, found, min(max(start.year, 1970), 2200))


def _local(moment: date, zone: Zone) -> date:
    """A moment in the zone; a date stays one."""
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        return zone.local(moment)
    return moment


def _end(component: Component, start: date, zone: Zone) -> date:
    given = component.time("DTEND")
    end = None if given is None else given[0]
    if isinstance(end, date) and isinstance(end, datetime) == isinstance(start, datetime):
        return max(_local(end, zone), start)
    lasting = component.time("DURATION")
    length = lasting[0] if lasting is not None else None
    if isinstance(length, timedelta) and length >= timedelta():
        return start + length
    return start if isinstance(start, datetime) else start + timedelta(days=1)


def _utc(moment: date, zone: Zone) -> datetime:
    local = moment if isinstance(moment, datetime) else datetime.combine(moment, time())
    return zone.utc(local) if local.tzinfo is None else local.astimezone(UTC)


def _instant(component: Component, name: str, zone: Zone) -> datetime | None:
    found = component.time(name)
    if found is None or not isinstance(found[0], date):
        return None
    try:
        return _utc(found[0], zone)
    except OverflowError:
        return None


# The element.


def _children(found: Meeting, version: int, received: int) -> Iterator[Element]:
    """The children in the order of the specification."""
    event = found.event
    again = recurrence(event.text("RRULE"), event.start, event.zone) if event.text("RRULE") else None
    # From 16.0 on a whole day is a date that is the same everywhere.
    zone = UNIVERSAL if event.all_day and version >= 160 else event.zone
    exception = event.instant("RECURRENCE-ID")
    stamp = event.instant("DTSTAMP") or datetime.fromtimestamp(max(received, 0), UTC)
    yield _email("AllDayEvent", int(event.all_day))
    yield _email("StartTime", _dashed(_utc(event.start, zone)))
    yield _email("DtStamp", _dashed(stamp))
    yield _email("EndTime", _dashed(_utc(event.end, zone)))
    yield _email("InstanceType", EXCEPTION if exception else MASTER if again else SINGLE)
    yield from _place(event, version)
    yield from _filled("Organizer", _organizer(event))
    if exception:
        yield _email("RecurrenceId", _dashed(exception))
    yield from _reminder(event)
    yield _email("ResponseRequested", int(not found.cancelled and _wants_response(event)))
    if again and not exception:
        yield _email("Recurrences", _email("Recurrence", *_pattern(again, version)))
    yield _email("Sensitivity", _SENSITIVITY.get(event.text("CLASS").upper(), 0))
    yield _email("BusyStatus", _busy(event, version))
    yield _email("TimeZone", zone.blob())
    yield from _identified(found, version)


def _identified(found: Meeting, version: int) -> Iterator[Element]:
    """The identity, which stands before the other two up to 14.1, and after them from 16.0 on."""
    others = []
    if version >= 140:
        others.append(_email("DisallowNewTimeProposal", int(found.event.flag("X-MICROSOFT-DISALLOW-COUNTER"))))
    if version >= 141:
        others.append(Element("Email2:MeetingMessageType", _kind(found)))
    identity = _identity(found.event, version)
    yield from [*others, identity] if version >= 160 else [identity, *others]


def _email(name: str, *content: Element | str | int) -> Element:
    return Element(f"Email:{name}", *content)


def _filled(name: str, text: str) -> Iterator[Element]:
    if text:
        yield _email(name, text)


def _dashed(moment: datetime) -> str:
    """dateTime ([MS-ASDTYPE] 2.3)."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _place(event: _Event, version: int) -> Iterator[Element]:
    text = event.text("LOCATION")[:MAX_LOCATION]
    if text and version >= 160:
        yield Element("AirSyncBase:Location", Element("AirSyncBase:DisplayName", text))
    elif text:
        yield _email("Location", text)


def _organizer(event: _Event) -> str:
    """The organizer as an address with its name."""
    found = event.component.all("ORGANIZER")
    if not found:
        return ""
    parameters, value = found[0].parts()
    spec = re.sub(r"\Amailto:", "", value.strip(), flags=re.IGNORECASE)
    name = " ".join(parameters.get("CN", "").split())
    return str(Address(name, spec)) if name else spec


def _reminder(event: _Event) -> Iterator[Element]:
    """The seconds before the start, of the first alarm that there is."""
    for alarm in event.component.of("VALARM"):
        found = alarm.time("TRIGGER")
        if found is None:
            continue
        trigger = found[0]
        if isinstance(trigger, timedelta):
            parameters, _ = alarm.all("TRIGGER")[0].parts()
            at_end = parameters.get("RELATED", "").upper() == "END"
            before = -trigger - (event.end - event.start if at_end else timedelta())
        else:
            before = _utc(event.start, event.zone) - _utc(trigger, event.zone)
        seconds = before.total_seconds()
        if 0 <= seconds <= _LARGEST_REMINDER:
            yield _email("Reminder", int(seconds))
        return


def _wants_response(event: _Event) -> bool:
    """Whether somebody is asked for an answer; an invitation that says nothing of it asks for one (RFC 5546 3.2.2)."""
    lines = event.component.all("ATTENDEE")[:_MOST_ATTENDEES]
    said = {line.parts()[0].get("RSVP", "").upper() for line in lines} - {""}
    return not said or "TRUE" in said


def _busy(event: _Event, version: int) -> int:
    """What the time is to be once the invitation is accepted."""
    for name in ("X-MICROSOFT-CDO-INTENDEDSTATUS", "X-MICROSOFT-CDO-BUSYSTATUS"):
        found = _BUSY.get(event.text(name).upper())
        if found is not None:
            return _BUSY_DEFAULT if found == _ELSEWHERE and version < 160 else found
    if event.text("TRANSP").upper() == "TRANSPARENT":
        return _BUSY["FREE"]
    return _BUSY["TENTATIVE"] if event.text("STATUS").upper() == "TENTATIVE" else _BUSY_DEFAULT


def _kind(found: Meeting) -> int:
    """MeetingMessageType ([MS-ASEMAIL] 2.2.2.47)."""
    if found.cancelled:
        return UNSPECIFIED
    sequence = found.event.text("SEQUENCE")
    return UPDATE if sequence.isascii() and sequence.isdigit() and int(sequence[:9]) > 0 else INITIAL


def _identity(event: _Event, version: int) -> Element:
    uid = event.text("UID")[:MAX_UID]
    if version >= 160:
        return Element("Calendar:UID", uid)
    found = event.component.time("RECURRENCE-ID")
    instance = None
    if found is not None and isinstance(found[0], date):
        instance = _local(found[0], event.zone)
    return _email("GlobalObjId", global_object_id(uid, instance))


def global_object_id(uid: str, instance: date | None = None) -> str:
    """The GlobalObjId of a UID, for one instance of a series its date too ([MS-ASEMAIL] 2.2.2.37)."""
    day = struct.pack(">HBB", instance.year, instance.month, instance.day) if instance else bytes(4)
    if _OUTLOOK.fullmatch(uid) and len(uid) % 2 == 0:
        octets = bytes.fromhex(uid)
        return base64.b64encode(octets[:16] + day + octets[20:]).decode()
    data = b"vCal-Uid\x01\0\0\0" + clean(uid).encode() + b"\0"
    return base64.b64encode(_CLASS_ID + day + bytes(16) + struct.pack("<i", len(data)) + data).decode()


def _pattern(found: Recurrence, version: int) -> Iterator[Element]:
    """The children of Recurrence ([MS-ASEMAIL] 2.2.2.60)."""
    yield _email("Type", found.type)
    yield _email("Interval", found.interval)
    if found.until is not None:
        yield _email("Until", found.until.strftime("%Y%m%dT%H%M%SZ"))
    for name, value in (
        ("Occurrences", found.occurrences),
        ("WeekOfMonth", found.week),
        ("DayOfMonth", found.day),
        ("DayOfWeek", found.days),
        ("MonthOfYear", found.month),
    ):
        if value is not None:
            yield _email(name, value)
    if version >= 140:
        yield Element("Email2:CalendarType", 0)
        yield Element("Email2:IsLeapMonth", 0)
    if version >= 141 and found.type == WEEKLY:
        yield Element("Email2:FirstDayOfWeek", found.first_day)
