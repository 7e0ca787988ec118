"""Answers to invitations, as organizers get them."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from icalendar import Calendar
from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.answering import Answered, Choice, Invitation, answer, invitation
from tests.convert.test_meeting import mail

NOW = datetime(2024, 5, 1, 8, tzinfo=UTC)
OWN = ("ann@example.org", "ann@example.net")


def found(raw: bytes) -> Invitation:
    """The invitation in a mail."""
    invited = invitation(raw)
    assert invited is not None
    return invited


def sent(raw: bytes, answered: Answered, own: tuple[str, ...] = OWN) -> EmailMessage:
    """The mail that answers an invitation."""
    message = message_from_bytes(answer(found(raw), answered, own, NOW, "mail.example.org"), policy=default)
    assert isinstance(message, EmailMessage)
    return message


def event(message: EmailMessage) -> tuple[str, Any]:
    """The method, and the event."""
    part = next(part for part in message.walk() if part.get_content_type() == "text/calendar")
    calendar = Calendar.from_ical(part.get_payload(decode=True))  # type: ignore[arg-type]
    assert str(calendar["METHOD"]) == part.get_param("method")
    (only,) = calendar.walk("VEVENT")
    return str(calendar["METHOD"]), only


class InvitationTests(SynchronousTestCase):
    def test_found(self) -> None:
        """An invitation has its organizer, without what stands around the address; one to a series says so."""
        self.assertEqual(found(mail()).organizer, "jane@example.org")
        self.assertFalse(found(mail()).recurs)
        self.assertTrue(found(mail(RRULE="FREQ=DAILY")).recurs)

    def test_others(self) -> None:
        """Other mails are none: without a calendar, with a cancellation or an answer, with a broken one."""
        for raw in (
            b"Subject: x\r\n\r\nHi.",
            b"",
            mail(method="CANCEL"),
            mail(method="REPLY"),
            mail(UID=None),
            mail(DTSTART=None),
        ):
            self.assertIsNone(invitation(raw), raw)

    def test_withoutOrganizer(self) -> None:
        """If the calendar names no organizer that mail can go to, who sent the mail is."""
        for organizer in (None, "urn:x", "MAILTO:nobody", "mailto:a@b, c@d"):
            raw = b"From: Jim <jim@example.org>\r\n" + mail(ORGANIZER=organizer)
            self.assertEqual(found(raw).organizer, "jim@example.org")
        self.assertEqual(found(mail(ORGANIZER=None)).organizer, "")


class AnswerTests(SynchronousTestCase):
    def test_reply(self) -> None:
        """The organizer is told by a mail that people can read, and by a calendar that programs can (RFC 5546 3.2.3)."""
        message = sent(mail(SUMMARY="Plans\\, big", SEQUENCE="3"), Answered(Choice.ACCEPTED, "Fine. Ä"))
        fields = [str(message[name]) for name in ("From", "To", "Subject", "Date")]
        self.assertEqual(
            fields,
            ["ann@example.org", "jane@example.org", "Accepted: Plans, big", "Wed, 01 May 2024 08:00:00 +0000"],
        )
        body = message.get_body(("plain",))
        assert body is not None
        self.assertEqual(body.get_content().strip(), "Fine. Ä")
        method, told = event(message)
        self.assertEqual(method, "REPLY")
        self.assertEqual(
            [str(told[name]) for name in ("UID", "SEQUENCE", "SUMMARY", "COMMENT", "ORGANIZER", "ATTENDEE")],
            ["abc@example.org", "3", "Plans, big", "Fine. Ä", "mailto:jane@example.org", "mailto:ann@example.org"],
        )
        self.assertEqual(told["ATTENDEE"].params["PARTSTAT"], "ACCEPTED")
        self.assertEqual(told["DTSTAMP"].dt, NOW)
        self.assertEqual(told["DTSTART"].dt, datetime(2024, 5, 6, 8, tzinfo=UTC))
        self.assertEqual(told["DTEND"].dt, datetime(2024, 5, 6, 8, 30, tzinfo=UTC))

    def test_choices(self) -> None:
        """Each choice has its word, for people and for the calendar."""
        for choice, word in ((Choice.TENTATIVE, "Tentative"), (Choice.DECLINED, "Declined")):
            message = sent(mail(SUMMARY="Plans"), Answered(choice))
            self.assertEqual(message["Subject"], f"{word}: Plans")
            self.assertEqual(event(message)[1]["ATTENDEE"].params["PARTSTAT"], choice.value[0])
            self.assertNotIn("COMMENT", event(message)[1])

    def test_proposed(self) -> None:
        """Another time is proposed with a COUNTER (RFC 5546 3.2.7)."""
        times = datetime(2024, 5, 7, 8, tzinfo=UTC), datetime(2024, 5, 7, 9, tzinfo=UTC)
        message = sent(mail(), Answered(Choice.DECLINED, proposed=times))
        method, told = event(message)
        self.assertEqual((method, message["Subject"]), ("COUNTER", "New Time Proposed"))
        self.assertEqual((told["DTSTART"].dt, told["DTEND"].dt), times)

    def test_invitedAs(self) -> None:
        """The answer is from the address that was invited, with the name there; of a list's member it is the primary
        one."""
        for attendee, expected in (
            (';CN="E, Ann":mailto:ANN@example.net', "ANN@example.net"),
            (":mailto:all@example.org", "ann@example.org"),
        ):
            message = sent(mail(ATTENDEE=attendee), Answered(Choice.ACCEPTED))
            self.assertEqual(
                (str(message["From"]), str(event(message)[1]["ATTENDEE"])), (expected, f"mailto:{expected}")
            )
        told = event(sent(mail(ATTENDEE=';CN="E, Ann":mailto:ann@example.org'), Answered(Choice.ACCEPTED)))[1]
        self.assertEqual(told["ATTENDEE"].params["CN"], "E, Ann")

    def test_days(self) -> None:
        """Whole days stay dates; an instance of a series is named."""
        raw = mail(
            "RECURRENCE-ID;TZID=Europe/Berlin:20240505T100000",
            DTSTART=";VALUE=DATE:20240506",
            DTEND=";VALUE=DATE:20240508",
        )
        told = event(sent(raw, Answered(Choice.ACCEPTED)))[1]
        self.assertEqual((str(told["DTSTART"].dt), str(told["DTEND"].dt)), ("2024-05-06", "2024-05-08"))
        self.assertIn("RECURRENCE-ID", told)

    def test_odd(self) -> None:
        """What strangers write cannot add fields or lines to the answer."""
        raw = mail(
            SUMMARY="x\\nBcc: eve@example.org\\, y" + "z" * 500,
            UID="a\\nATTENDEE:mailto:eve@example.org",
            SEQUENCE="many",
            ATTENDEE=';CN="a\tb":mailto:ann@example.org',
        )
        message = sent(raw, Answered(Choice.ACCEPTED, "a\r\nBcc: eve@example.org\r\n\r\nx\ud800"))
        self.assertNotIn("Bcc", message)
        self.assertEqual(len([line for line in message.as_string().splitlines() if line.startswith("Bcc:")]), 0)
        told = event(message)[1]
        self.assertEqual(str(told["ATTENDEE"]), "mailto:ann@example.org")
        self.assertEqual(int(told["SEQUENCE"]), 0)
        self.assertLessEqual(len(str(message["Subject"])), 270)
