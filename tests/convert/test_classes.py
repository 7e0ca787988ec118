"""What kind of message a mail is."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.convert.samples import made, multipart, part, text

TEXT = part("text/plain", "text")
EVENT = "UID:a@b\r\nDTSTART:20240506T080000Z"


def classes(raw: bytes) -> tuple[str, str]:
    """MessageClass and ContentClass of a mail."""
    found = made(raw)
    return (found.text_of("Email:MessageClass") or "", found.text_of("Email:ContentClass") or "")


def kind(raw: bytes) -> str:
    """The MessageClass of a mail."""
    return classes(raw)[0]


def calendar(method: str, content: str = "", parameter: bool = True) -> bytes:
    """A mail with a scheduling message of that method."""
    body = f"BEGIN:VCALENDAR\r\nMETHOD:{method}\r\nBEGIN:VEVENT\r\n{content}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    given = f"; method={method}" if parameter else ""
    return multipart("alternative", TEXT, part(f"text/calendar; charset=utf-8{given}", body))


def report(action: str) -> bytes:
    """A report on delivery."""
    status = f"Reporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; a@b\r\nAction: {action}\r\nStatus: 5.0.0\r\n"
    return multipart(
        "report", TEXT, part("message/delivery-status", status), parameters="; report-type=delivery-status"
    )


class MessageClassTests(SynchronousTestCase):
    def test_note(self) -> None:
        """An ordinary mail is a note."""
        for raw in (b"", TEXT, multipart("mixed", TEXT, part("image/png", "x"))):
            self.assertEqual(classes(raw), ("IPM.Note", "urn:content-classes:message"))

    def test_smime(self) -> None:
        """Encrypted and opaquely signed mail is S/MIME, also where only the name of the file tells it."""
        for head in (
            "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m",
            "application/x-pkcs7-mime; smime-type=signed-data",
            "application/octet-stream; name=SMIME.P7M",
        ):
            self.assertEqual(kind(part(head, "x")), "IPM.Note.SMIME")
        self.assertEqual(kind(part("application/octet-stream; name=a.bin", "x")), "IPM.Note")

    def test_signed(self) -> None:
        """Clearly signed mail is S/MIME of its own class; one signed with OpenPGP is a note to an EAS device."""
        signature = part("application/pkcs7-signature", "x")
        raw = multipart("signed", TEXT, signature, parameters="; protocol=application/pkcs7-signature")
        self.assertEqual(kind(raw), "IPM.Note.SMIME.MultipartSigned")
        self.assertEqual(kind(multipart("signed", TEXT, signature)), "IPM.Note.SMIME.MultipartSigned")
        pgp = multipart(
            "signed", TEXT, part("application/pgp-signature", "x"), parameters="; protocol=application/pgp-signature"
        )
        self.assertEqual(kind(pgp), "IPM.Note")

    def test_meetings(self) -> None:
        """A scheduling message has the class of its method, from the header or from the calendar itself."""
        for method, expected in (
            ("REQUEST", "IPM.Schedule.Meeting.Request"),
            ("CANCEL", "IPM.Schedule.Meeting.Canceled"),
            ("request", "IPM.Schedule.Meeting.Request"),
        ):
            for parameter in (True, False):
                found = classes(calendar(method, EVENT, parameter=parameter))
                self.assertEqual(found, (expected, "urn:content-classes:calendarmessage"))
        for method in ("PUBLISH", "COUNTER", "x"):
            self.assertEqual(classes(calendar(method, EVENT)), ("IPM.Note", "urn:content-classes:message"))

    def test_noEvent(self) -> None:
        """An invitation that nobody could answer, because it has no event in it, is a note."""
        for content in ("", "UID:a", "DTSTART:20240506T080000Z"):
            for method in ("REQUEST", "CANCEL"):
                self.assertEqual(classes(calendar(method, content)), ("IPM.Note", "urn:content-classes:message"))

    def test_replies(self) -> None:
        """A reply to a meeting has the class of the answer, also where the line is folded."""
        for answer, expected in (("ACCEPTED", "Pos"), ("TENTATIVE", "Tent"), ("DECLINED", "Neg")):
            content = f"ATTENDEE;CN=Ann;PART\r\n STAT={answer}:mailto:a@b"
            self.assertEqual(kind(calendar("REPLY", content)), f"IPM.Schedule.Meeting.Resp.{expected}")
        self.assertEqual(kind(calendar("REPLY", "ATTENDEE;PARTSTAT=DELEGATED:mailto:a@b")), "IPM.Note")
        self.assertEqual(kind(calendar("REPLY")), "IPM.Note")

    def test_reports(self) -> None:
        """Reports on delivery and on reading have their classes; a delay is a note."""
        for action, expected in (
            ("failed", "REPORT.IPM.Note.NDR"),
            ("Failed", "REPORT.IPM.Note.NDR"),
            ("delivered", "REPORT.IPM.Note.DR"),
            ("relayed", "REPORT.IPM.Note.DR"),
            ("delayed", "IPM.Note"),
        ):
            self.assertEqual(kind(report(action)), expected)
        read = multipart(
            "report", TEXT, part("message/disposition-notification", "Disposition: manual-action/MDN-sent; displayed")
        )
        self.assertEqual(kind(read), "REPORT.IPM.Note.IPNRN")
        self.assertEqual(kind(multipart("report", TEXT)), "IPM.Note")


class ImportanceTests(SynchronousTestCase):
    def test_importance(self) -> None:
        """Importance comes from the field of that name, else from X-Priority, else it is normal."""
        for headers, expected in (
            ("Importance: High", "2"),
            ("Importance: low", "0"),
            ("Importance: normal\nX-Priority: 1", "1"),
            ("X-Priority: 1 (Highest)", "2"),
            ("X-Priority: 2", "2"),
            ("X-Priority: 3", "1"),
            ("X-Priority: 4", "0"),
            ("X-Priority: 5 (Lowest)", "0"),
            ("X-Priority:", "1"),
            ("Importance: very", "1"),
            ("Subject: x", "1"),
        ):
            with self.subTest(headers):
                self.assertEqual(made(text(headers)).text_of("Email:Importance"), expected)
