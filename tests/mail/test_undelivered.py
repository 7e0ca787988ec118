"""What users are told of mail that was not delivered."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.mail.dsn import read_notice
from gateway.mail.undelivered import MAX_RETURNED, undelivered
from gateway.model import DeviceKey
from gateway.trigger import Letter

NOW = datetime(2024, 5, 1, 8, tzinfo=UTC)
CONTENT = b"From: ann@example.org\r\nTo: bob@example.net\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@x>\r\n\r\nHi.\r\n"
LETTER = Letter(
    DeviceKey("ann", "phone"),
    "relay",
    content=CONTENT,
    sender="ann@example.org",
    recipients=("bob@example.net", "eve@example.net"),
    created=NOW.timestamp() - 60,
)
REFUSED = {"bob@example.net": "550 5.1.1 no such user"}


class ReportTests(SynchronousTestCase):
    def told(self, letter: Letter = LETTER, faults: dict[str, str] = REFUSED) -> EmailMessage:
        """The report, as an independent reader sees it."""
        made = undelivered(letter, faults, "mx.example.org", NOW)
        assert made is not None
        self.made = made
        found: EmailMessage = message_from_bytes(made.content, policy=default)  # type: ignore[assignment]
        return found

    def test_letter(self) -> None:
        """It goes to the Inbox of the user whose mail it was, and to nobody by mail."""
        self.told()
        self.assertEqual((self.made.key, self.made.route, self.made.recipients), (LETTER.key, "local", (".",)))
        self.assertEqual(self.made.sender, "")

    def test_header(self) -> None:
        """It says what it is, about which mail, and that nobody is to answer it by a program (RFC 3834)."""
        found = self.told()
        self.assertEqual(found["Subject"], "Undelivered: Gr\xfc\xdfe")
        self.assertEqual((found["To"], found["Return-Path"]), ("ann@example.org", "<>"))
        self.assertEqual((found["Auto-Submitted"], found["Date"]), ("auto-replied", "Wed, 01 May 2024 08:00:00 +0000"))
        self.assertEqual(
            (found.get_content_type(), found.get_param("report-type")), ("multipart/report", "delivery-status")
        )

    def test_words(self) -> None:
        """People read who did not get it, and why."""
        text = str(next(iter(self.told().iter_parts())).get_content())
        self.assertIn("  bob@example.net\n    550 5.1.1 no such user\n", text)
        self.assertNotIn("eve", text)

    def test_fields(self) -> None:
        """Programs read the same (RFC 3464 2.2, 2.3), each recipient by itself."""
        parts = list(self.told(faults={**REFUSED, "eve@example.net": "given up, no connection"}).iter_parts())
        self.assertEqual(parts[1].get_content_type(), "message/delivery-status")
        whole, *each = parts[1].get_payload()
        self.assertEqual(whole["Reporting-MTA"], "dns; mx.example.org")
        self.assertEqual(whole["Arrival-Date"], "Wed, 01 May 2024 07:59:00 +0000")
        said = [[str(one[name]) for name in ("Final-Recipient", "Action", "Status", "Diagnostic-Code")] for one in each]
        self.assertEqual(
            said,
            [
                ["rfc822; bob@example.net", "failed", "5.1.1", "smtp; 550 5.1.1 no such user"],
                ["rfc822; eve@example.net", "failed", "5.0.0", "x-pushgw; given up, no connection"],
            ],
        )

    def test_returned(self) -> None:
        """The mail is there as it was; of a large one its header is."""
        inner = list(self.told().iter_parts())[2].get_payload(0)
        self.assertEqual((inner["Message-ID"], inner.get_payload().strip()), ("<1@x>", "Hi."))
        parts = list(self.told(evolve(LETTER, content=CONTENT + b"x" * MAX_RETURNED)).iter_parts())
        self.assertEqual(parts[2].get_content_type(), "text/rfc822-headers")
        self.assertIn("Message-ID: <1@x>", parts[2].get_content())
        self.assertLess(len(self.made.content), 5000)

    def test_ours(self) -> None:
        """Our own reader of notices understands it."""
        self.told()
        notice = read_notice(self.made.content)
        assert notice is not None
        self.assertEqual((notice.action, notice.status, notice.message_id), ("failed", "5.1.1", "<1@x>"))

    def test_nobody(self) -> None:
        """Nobody is told of what has no sender, such as a report, nor of copies that could not be kept."""
        self.assertIsNone(undelivered(evolve(LETTER, sender=""), REFUSED, "x", NOW))
        self.assertIsNone(undelivered(LETTER, {}, "x", NOW))
        self.assertIsNone(undelivered(LETTER, {".Sent": "no such folder"}, "x", NOW))

    def test_hostile(self) -> None:
        """Whatever the mail holds and the server says, there is a report, and no field of it is made by others."""
        contents = (
            b"",
            b"\xff\0" * 300,
            b"Subject: a\r\n\tb\r\n\r\n",
            b"Subject: \xfc\r\n\r\nx",
            b"a" * 300_000,
            b"--\r\n" * 99,
        )
        for content in contents:
            for why in ("", "550 \xfc\r\nX: y\r\n\r\n", "5" * 5000, "\0\x1b[2J"):
                self.told(evolve(LETTER, content=content, created=1e300), {"b@x\r\nBcc: c@x": why})
                found: EmailMessage = message_from_bytes(self.made.content, policy=SMTP)  # type: ignore[assignment]
                self.assertEqual((found["Bcc"], found["X"]), (None, None))
                fields = list(found.iter_parts())[1].get_payload()[1]
                self.assertEqual((fields["Bcc"], fields["X"]), (None, None))
