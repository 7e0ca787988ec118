"""Invitations in mails, as a device is told of them."""

from __future__ import annotations

import base64
import struct
import time
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.meeting import MAX_LOCATION, global_object_id
from gateway.eas.wbxml import encode
from gateway.element import Element
from tests.convert.samples import RECEIVED, VERSIONS, made, multipart, part, shown, text
from tests.convert.test_zones import BERLIN

UTC_BLOB = base64.b64encode(bytes(172)).decode()
EVENT = {
    "UID": "abc@example.org",
    "DTSTAMP": "20240501T070000Z",
    "DTSTART": ";TZID=Europe/Berlin:20240506T100000",
    "DTEND": ";TZID=Europe/Berlin:20240506T103000",
    "ORGANIZER": ';CN="Doe, Jane":MAILTO:jane@example.org',
    "LOCATION": "Room 1\\, left",
    "ATTENDEE": ";RSVP=TRUE;PARTSTAT=NEEDS-ACTION:mailto:ann@example.org",
}


def mail(*more: str, method: str = "REQUEST", head: str = "", **changed: str | None) -> bytes:
    """An invitation with these properties changed, left out (C{None}) or, as lines, added."""
    properties = {**EVENT, **{name.replace("_", "-"): value for name, value in changed.items()}}
    lines = [
        f"{name}{value if value[:1] in (';', ':') else ':' + value}" for name, value in properties.items() if value
    ]
    calendar = ["BEGIN:VCALENDAR", f"METHOD:{method}", *([head] if head else []), "BEGIN:VEVENT", *lines, *more]
    body = "\r\n".join([*calendar, "END:VEVENT", "END:VCALENDAR", ""])
    return multipart("alternative", part("text/plain", "Come."), part(f"text/calendar; method={method}", body))


def request(raw: bytes, version: int = 161) -> Element:
    """MeetingRequest of a mail."""
    found = made(raw, version).child("Email:MeetingRequest")
    assert found is not None
    return found


def told(raw: bytes, version: int = 161) -> dict[str, str]:
    """The children of MeetingRequest by their names."""
    return shown(request(raw, version))


class FormTests(SynchronousTestCase):
    """Forms that are not those of the standard, as the suites of the protocol's owner write them."""

    def test_odd(self) -> None:
        """A space before the name of a component, a zone in quotation marks that changes nothing, an empty CN."""
        lines = (
            "BEGIN: VCALENDAR",
            "METHOD:REQUEST",
            "BEGIN:VTIMEZONE",
            "TZID:Universal Time",
            "BEGIN:STANDARD",
            "DTSTART:16011104T020000",
            "RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=11",
            "TZOFFSETFROM:-0000",
            "TZOFFSETTO:+0000",
            "END:STANDARD",
            "END:VTIMEZONE",
            "BEGIN:VEVENT",
            "UID:abc",
            'ATTENDEE;CN="";RSVP=FALSE:mailto:ann@example.org',
            'DTSTART;TZID="Universal Time":20240601T100000',
            'DTEND;TZID="Universal Time":20240601T110000',
            'RECURRENCE-ID;TZID="Universal Time":20240601T100000',
            "BEGIN:VALARM",
            "TRIGGER:-PT10M",
            "END:VALARM",
            "END:VEVENT",
            "END:VCALENDAR",
        )
        calendar = part('text/calendar; charset="us-ascii"; method=REQUEST', "\r\n".join(lines))
        found = told(multipart("alternative", part("text/plain", "Come."), calendar), 141)
        expected = {
            "StartTime": "2024-06-01T10:00:00.000Z",
            "EndTime": "2024-06-01T11:00:00.000Z",
            "RecurrenceId": "2024-06-01T10:00:00.000Z",
            "InstanceType": "3",
            "Reminder": "600",
            "ResponseRequested": "0",
        }
        self.assertEqual({name: found.get(name) for name in expected}, expected)


class TextTests(SynchronousTestCase):
    """The text of a mail that is a calendar."""

    def shown(self, content: bytes, headers: str = "Content-Type: text/calendar; charset=utf-8; method=REQUEST") -> str:
        """Data of the Body."""
        body = made(text(headers, content)).child("AirSyncBase:Body")
        assert body is not None
        return body.text_of("AirSyncBase:Data") or ""

    def event(self, *more: str) -> bytes:
        lines = ("BEGIN:VCALENDAR", "METHOD:REQUEST", "BEGIN:VEVENT", "UID:a", "DTSTART:20240501T080000Z", *more)
        return "\r\n".join([*lines, "END:VEVENT", "END:VCALENDAR", ""]).encode()

    def test_description(self) -> None:
        """Of a mail that is a calendar alone it is its DESCRIPTION, with its lines; without one there is none."""
        self.assertEqual(
            self.shown(self.event("DESCRIPTION:Bring c\u00e4ke\\, please.\\nBye")), "Bring c\u00e4ke, please.\r\nBye"
        )
        self.assertEqual(self.shown(self.event()), "")
        self.assertEqual(self.shown(b"no calendar"), "")

    def test_besideText(self) -> None:
        """Of a mail that has a text it is that."""
        raw = multipart("alternative", part("text/plain", "Come."), part("text/calendar", self.event("DESCRIPTION:Do")))
        body = made(raw).child("AirSyncBase:Body")
        self.assertEqual(body and body.text_of("AirSyncBase:Data"), "Come.")


class MeetingRequestTests(SynchronousTestCase):
    def test_everything(self) -> None:
        """Version by version, the children in the order of the specification, and no others."""
        common = {
            "AllDayEvent": "0",
            "StartTime": "2024-05-06T08:00:00.000Z",
            "DtStamp": "2024-05-01T07:00:00.000Z",
            "EndTime": "2024-05-06T08:30:00.000Z",
            "InstanceType": "0",
            "Location": "Room 1, left",
            "Organizer": '"Doe, Jane" <jane@example.org>',
            "ResponseRequested": "1",
            "Sensitivity": "0",
            "BusyStatus": "2",
            "TimeZone": BERLIN,
        }
        for version in VERSIONS:
            expected = dict(common)
            if version < 160:
                expected["GlobalObjId"] = global_object_id("abc@example.org")
            if version >= 140:
                expected["DisallowNewTimeProposal"] = "0"
            if version >= 141:
                expected["MeetingMessageType"] = "1"
            if version >= 160:
                expected |= {"Location": "", "UID": "abc@example.org"}
            found = request(mail(), version)
            self.assertEqual(list(shown(found).items()), list(expected.items()), version)
            self.assertTrue(encode(found))

    def test_place(self) -> None:
        """MeetingRequest stands beside the class of an invitation, in every version; the text stays what it is."""
        for version in VERSIONS:
            found = made(mail(), version)
            names = [child.name for child in found]
            self.assertEqual(names.index("MeetingRequest"), names.index("MessageClass") + 1)
            self.assertEqual(found.text_of("Email:MessageClass"), "IPM.Schedule.Meeting.Request")

    def test_location(self) -> None:
        """From 16.0 on the place is an element of its own; it is not longer than a device takes, and may be missing."""
        found = request(mail(), 160).child("AirSyncBase:Location")
        assert found is not None
        self.assertEqual(shown(found), {"DisplayName": "Room 1, left"})
        self.assertEqual(len(told(mail(LOCATION="x" * 40_000), 141)["Location"]), MAX_LOCATION - len("LOCATION:"))
        self.assertNotIn("Location", told(mail(LOCATION=None), 141))
        self.assertNotIn("Location", told(mail(LOCATION=""), 160))

    def test_organizer(self) -> None:
        """The organizer with or without a name."""
        for value, expected in (
            ("mailto:j@x", "j@x"),
            (";CN=Jane:mailto:j@x", '"Jane" <j@x>'),
            (';CN="":mailto:j@x', "j@x"),
            (";CN=J:j@x", '"J" <j@x>'),
        ):
            self.assertEqual(told(mail(ORGANIZER=value))["Organizer"], expected)
        self.assertNotIn("Organizer", told(mail(ORGANIZER=None)))

    def test_times(self) -> None:
        """Start and end in UTC, by whatever says them."""
        for changed, start, end in (
            ({"DTSTART": "20240506T080000Z", "DTEND": "20240506T090000Z"}, "2024-05-06T08:00", "2024-05-06T09:00"),
            ({"DTEND": None, "DURATION": "PT90M"}, "2024-05-06T08:00", "2024-05-06T09:30"),
            ({"DTEND": None, "DURATION": "-PT90M"}, "2024-05-06T08:00", "2024-05-06T08:00"),
            ({"DTEND": None}, "2024-05-06T08:00", "2024-05-06T08:00"),
            ({"DTEND": "20240101T000000Z"}, "2024-05-06T08:00", "2024-05-06T08:00"),
            ({"DTEND": "nonsense"}, "2024-05-06T08:00", "2024-05-06T08:00"),
            ({"DTSTART": "20240506T100000", "DTEND": "20240506T110000"}, "2024-05-06T10:00", "2024-05-06T11:00"),
            (
                {"DTSTART": ";TZID=Asia/Tokyo:20240506T100000", "DTEND": "20240506T020000Z"},
                "2024-05-06T01:00",
                "2024-05-06T02:00",
            ),
        ):
            with self.subTest(changed):
                found = told(mail(**changed))
                self.assertEqual((found["StartTime"][:16], found["EndTime"][:16]), (start, end))

    def test_allDay(self) -> None:
        """A whole day begins and ends at midnight of its zone; from 16.0 on at midnight, wherever that is."""
        days = {"DTSTART": ";VALUE=DATE:20240506", "DTEND": ";VALUE=DATE:20240508"}
        for head, version, start, end, blob in (
            ("X-WR-TIMEZONE:Europe/Berlin", 141, "2024-05-05T22:00", "2024-05-07T22:00", BERLIN),
            ("X-WR-TIMEZONE:Europe/Berlin", 160, "2024-05-06T00:00", "2024-05-08T00:00", UTC_BLOB),
            ("", 141, "2024-05-06T00:00", "2024-05-08T00:00", UTC_BLOB),
        ):
            found = told(mail(head=head, **days), version)
            self.assertEqual((found["AllDayEvent"], found["TimeZone"]), ("1", blob))
            self.assertEqual((found["StartTime"][:16], found["EndTime"][:16]), (start, end))
        found = told(mail(DTSTART=days["DTSTART"], DTEND=None))
        self.assertEqual(found["EndTime"][:10], "2024-05-07")
        self.assertEqual(told(mail(X_MICROSOFT_CDO_ALLDAYEVENT="TRUE"))["AllDayEvent"], "1")

    def test_stamp(self) -> None:
        """DtStamp is required: without it, the time at which the mail came."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(RECEIVED))
        self.assertEqual(told(mail(DTSTAMP=None))["DtStamp"], moment)
        self.assertEqual(told(mail(DTSTAMP="x"))["DtStamp"], moment)

    def test_reminder(self) -> None:
        """The first alarm says how many seconds before the start; one that comes later is none."""
        for trigger, expected in (
            (":-PT15M", "900"),
            (":PT0S", "0"),
            (";RELATED=END:-PT40M", "600"),
            (";VALUE=DATE-TIME:20240506T070000Z", "3600"),
            (":PT15M", None),
            (":-P99999D", None),
            (":x", None),
        ):
            with self.subTest(trigger):
                found = told(mail("BEGIN:VALARM", f"TRIGGER{trigger}", "END:VALARM"))
                self.assertEqual(found.get("Reminder"), expected)
        self.assertNotIn("Reminder", told(mail("BEGIN:VALARM", "END:VALARM")))

    def test_response(self) -> None:
        """An answer is wanted if somebody is asked for one, or if nothing is said of it."""
        for attendee, expected in (
            (";RSVP=TRUE:x", "1"),
            (";RSVP=FALSE:x", "0"),
            (":x", "1"),
            (None, "1"),
            (";rsvp=true:x", "1"),
        ):
            self.assertEqual(told(mail(ATTENDEE=attendee))["ResponseRequested"], expected)
        self.assertEqual(told(mail("ATTENDEE;RSVP=TRUE:y", ATTENDEE=";RSVP=FALSE:x"))["ResponseRequested"], "1")

    def test_recurring(self) -> None:
        """A series has its pattern; what a version does not know of it is left out."""
        raw = mail("RRULE:FREQ=WEEKLY;BYDAY=MO,WE;INTERVAL=2;UNTIL=20241231T225959Z;WKST=SU")
        for version, more in (
            (25, {}),
            (121, {}),
            (140, {"CalendarType": "0", "IsLeapMonth": "0"}),
            (141, {"CalendarType": "0", "IsLeapMonth": "0", "FirstDayOfWeek": "0"}),
        ):
            found = request(raw, version)
            self.assertEqual(found.text_of("Email:InstanceType"), "1")
            (pattern,) = found.child("Email:Recurrences") or ()
            self.assertEqual(
                shown(pattern), {"Type": "1", "Interval": "2", "Until": "20241231T225959Z", "DayOfWeek": "10", **more}
            )
        (pattern,) = request(mail("RRULE:FREQ=YEARLY;COUNT=3;BYMONTH=5;BYDAY=1MO")).child("Email:Recurrences") or ()
        self.assertEqual(
            shown(pattern),
            {
                "Type": "6",
                "Interval": "1",
                "Occurrences": "3",
                "WeekOfMonth": "1",
                "DayOfWeek": "2",
                "MonthOfYear": "5",
                "CalendarType": "0",
                "IsLeapMonth": "0",
            },
        )

    def test_unknownRule(self) -> None:
        """A series that a device cannot be told of is told as what happens once."""
        found = told(mail("RRULE:FREQ=HOURLY"))
        self.assertEqual(found["InstanceType"], "0")
        self.assertNotIn("Recurrences", found)

    def test_exception(self) -> None:
        """One instance of a series has the time that it had in the series, and that day in its GlobalObjId."""
        raw = mail("RECURRENCE-ID;TZID=Europe/Berlin:20240507T003000")
        found = told(raw, 141)
        self.assertEqual((found["InstanceType"], found["RecurrenceId"]), ("3", "2024-05-06T22:30:00.000Z"))
        self.assertEqual(base64.b64decode(found["GlobalObjId"])[16:20], struct.pack(">HBB", 2024, 5, 7))
        self.assertNotIn("RecurrenceId", told(mail(), 141))

    def test_master(self) -> None:
        """Of a series that comes with its exceptions, the series is what the mail invites to."""
        exception = [
            "END:VEVENT",
            "BEGIN:VEVENT",
            "UID:abc@example.org",
            "RECURRENCE-ID:20240513T080000Z",
            "DTSTART:20240513T090000Z",
        ]
        self.assertEqual(told(mail("RRULE:FREQ=WEEKLY", *exception))["StartTime"][:10], "2024-05-06")
        raw = mail(
            *exception[:2],
            *(f"{name}:{value}" for name, value in (("UID", "x"), ("DTSTART", "20240601T080000Z"))),
            RECURRENCE_ID="20240506T080000Z",
        )
        self.assertEqual(told(raw)["UID"], "x")

    def test_busy(self) -> None:
        """What the time becomes when the invitation is accepted; elsewhere is known from 16.0 on."""
        for lines, expected in (
            ((), "2"),
            (("TRANSP:TRANSPARENT",), "0"),
            (("TRANSP:OPAQUE",), "2"),
            (("STATUS:TENTATIVE",), "1"),
            (("X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE", "X-MICROSOFT-CDO-INTENDEDSTATUS:OOF"), "3"),
            (("X-MICROSOFT-CDO-BUSYSTATUS:FREE",), "0"),
            (("X-MICROSOFT-CDO-BUSYSTATUS:X",), "2"),
            (("X-MICROSOFT-CDO-INTENDEDSTATUS:WORKINGELSEWHERE",), "4"),
        ):
            with self.subTest(lines):
                self.assertEqual(told(mail(*lines))["BusyStatus"], expected)
                self.assertEqual(told(mail(*lines), 141)["BusyStatus"], expected if expected != "4" else "2")

    def test_sensitivity(self) -> None:
        """CLASS says how confidential it is."""
        for value, expected in (("PUBLIC", "0"), ("PRIVATE", "2"), ("CONFIDENTIAL", "3"), ("x", "0"), ("private", "2")):
            self.assertEqual(told(mail(CLASS=value))["Sensitivity"], expected)

    def test_kind(self) -> None:
        """The first invitation and an update of it are told apart by their number, from 14.1 on."""
        for number, expected in (("0", "1"), ("1", "2"), ("99999999999999", "2"), ("x", "1"), ("-1", "1")):
            self.assertEqual(told(mail(SEQUENCE=number))["MeetingMessageType"], expected)

    def test_proposal(self) -> None:
        """Whether another time may be proposed, from 14.0 on."""
        self.assertEqual(told(mail(X_MICROSOFT_DISALLOW_COUNTER="TRUE"), 140)["DisallowNewTimeProposal"], "1")
        self.assertEqual(told(mail(X_MICROSOFT_DISALLOW_COUNTER="FALSE"), 140)["DisallowNewTimeProposal"], "0")

    def test_cancelled(self) -> None:
        """A cancellation says what is cancelled, and wants no answer."""
        found = made(mail(method="CANCEL"), 141)
        self.assertEqual(found.text_of("Email:MessageClass"), "IPM.Schedule.Meeting.Canceled")
        self.assertEqual(told(mail(method="CANCEL"))["ResponseRequested"], "0")
        self.assertEqual(told(mail(method="CANCEL"))["MeetingMessageType"], "0")

    def test_otherMethods(self) -> None:
        """Answers and announcements are no invitations."""
        for method in ("REPLY", "PUBLISH", "COUNTER", "REFRESH", "ADD"):
            self.assertIsNone(made(mail(method=method), 141).child("Email:MeetingRequest"))

    def test_unanswerable(self) -> None:
        """What cannot be answered, because it has no UID, no start or no event, is an ordinary mail with a file in it."""
        for raw in (
            mail(UID=None),
            mail(DTSTART=None),
            mail(DTSTART="PT5M"),
            mail(DTSTART="99991231T235959", DTEND=None),
            mail(DTSTART="00010101T000000Z"),
            part("text/calendar; method=REQUEST", ""),
            part("text/calendar; method=REQUEST", "BEGIN:VCALENDAR\nBEGIN:VTODO\nUID:a\nEND:VTODO\nEND:VCALENDAR"),
        ):
            found = made(raw, 141)
            self.assertEqual(found.text_of("Email:MessageClass"), "IPM.Note")
            self.assertIsNone(found.child("Email:MeetingRequest"))

    def test_alone(self) -> None:
        """A mail that is nothing but an invitation is one, in any charset."""
        body = mail().split(b"method=REQUEST\r\n\r\n")[1].split(b"\r\n--")[0].decode()
        raw = part("text/calendar; method=REQUEST; charset=utf-16", body.replace("Room", "Räum").encode("utf-16"))
        self.assertEqual(told(raw, 141)["Location"], "Räum 1, left")

    def test_quick(self) -> None:
        """A calendar made to be slow is not: what would take long is bounded."""
        began = time.process_time()
        for lines in (
            ["ATTENDEE;RSVP=FALSE:x"] * 100_000,
            ["X-A:" + "\\" * 1_000_000],
            ["BEGIN:VALARM"] * 50_000,
            ['LOCATION;A="' + "a" * 500_000],
            [" x"] * 300_000,
            ["\t"] * 300_000,
        ):
            made(mail(*lines), 141)
        self.assertLess(time.process_time() - began, 3.0)

    @given(
        st.lists(
            st.sampled_from(
                [
                    "DTSTART:",
                    "DTSTART;TZID=:20240506T080000",
                    "DTSTART;VALUE=DATE:99991231",
                    "RRULE:FREQ=YEARLY",
                    "RRULE:FREQ=DAILY;UNTIL=99991231",
                    "DTEND:00010101T000000Z",
                    "DURATION:P9999999D",
                    "RECURRENCE-ID:99991231",
                    "BEGIN:VALARM",
                    "TRIGGER:-P9999999D",
                    "END:VALARM",
                    "TRIGGER;VALUE=DATE-TIME:00010101T000000Z",
                    "ORGANIZER:",
                    "ORGANIZER;CN=\x00:mailto:",
                    "UID:\x01",
                    "CLASS:",
                    "SEQUENCE:\u0663",
                    "BEGIN:VTIMEZONE",
                    "TZID:Mine",
                    "END:VTIMEZONE",
                    "BEGIN:STANDARD",
                    "TZOFFSETTO:+1",
                    "END:STANDARD",
                    "END:VEVENT",
                    "BEGIN:VEVENT",
                    "X-WR-TIMEZONE:Mine",
                    "DTSTART;TZID=Mine:20240506T080000",
                    "DTSTAMP:99991231T235959",
                ]
            ),
            max_size=12,
        ),
        st.sampled_from(VERSIONS),
    )
    @settings(max_examples=300, deadline=None)
    def test_anyCalendar(self, lines: list[str], version: int) -> None:
        """Whatever an invitation says, the mail goes out."""
        for raw in (mail(*lines), mail(*lines, DTSTART=None, UID=None)):
            self.assertTrue(encode(Element("AirSync:Sync", *made(raw, version).children)))


class GlobalObjectIdTests(SynchronousTestCase):
    def test_foreign(self) -> None:
        """A UID of others is put behind its marker, with its length; the rest is zeros but for the class."""
        found = base64.b64decode(global_object_id("{UID}-ä"))
        data = b"vCal-Uid\x01\0\0\0{UID}-\xc3\xa4\0"
        self.assertEqual(found[:16].hex(), "040000008200e00074c5b7101a82e008")
        self.assertEqual(found[16:36], bytes(20))
        self.assertEqual(found[36:40], struct.pack("<i", len(data)))
        self.assertEqual(found[40:], data)

    def test_outlook(self) -> None:
        """A UID that is a GlobalObjId in hexadecimal digits becomes that, with the day of the instance."""
        uid = "040000008200E00074C5B7101A82E00800000000" + "10" * 8 + "00" * 8 + "04000000" + "DEADBEEF"
        self.assertEqual(base64.b64decode(global_object_id(uid)).hex().upper(), uid)
        found = base64.b64decode(global_object_id(uid, date(2004, 12, 31)))
        self.assertEqual(found[16:20].hex(), "07d40c1f")
        self.assertEqual(found[:16] + bytes(4) + found[20:], bytes.fromhex(uid))

    def test_nearly(self) -> None:
        """What only begins like one is a UID of others."""
        for uid in ("040000008200E00074C5B7101A82E008", "040000008200E00074C5B7101A82E008" + "0" * 49, "x"):
            self.assertIn(b"vCal-Uid", base64.b64decode(global_object_id(uid)))


class OtherMailTests(SynchronousTestCase):
    def test_attachedCalendar(self) -> None:
        """A calendar that is attached to a mail makes no invitation of it."""
        body = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTART:20240506T080000Z\r\nEND:VEVENT\r\nEND:VCALENDAR"
        attached = part("text/calendar; method=REQUEST", body, "Content-Disposition: attachment; filename=a.ics")
        found = made(multipart("mixed", part("text/plain", "x"), attached), 141)
        self.assertEqual(found.text_of("Email:MessageClass"), "IPM.Note")
        self.assertIsNone(made(text("Subject: x"), 141).child("Email:MeetingRequest"))
