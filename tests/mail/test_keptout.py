"""The mail of devices that may not synchronise."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from twisted.trial.unittest import SynchronousTestCase

from gateway.mail.keptout import kept_out_mail
from gateway.mail.notice import Envelope
from gateway.model import Access, Device, DeviceKey

AT = datetime(2026, 11, 21, 12, 58, tzinfo=UTC)
PHONE = Device(DeviceKey("ann", "phone1"), "iPhone", "Apple-iPhone9C1/1402.92")
HERE = Envelope("host.example.net", "example.org")


class KeptOutTests(SynchronousTestCase):
    def read(
        self, device: Device = PHONE, access: Access = Access.QUARANTINE, envelope: Envelope = HERE
    ) -> EmailMessage:
        """The mail, as its reader has it."""
        raw = kept_out_mail(device, access, AT, envelope)
        self.assertTrue(all(len(line) <= 998 for line in raw.split(b"\r\n")))
        self.assertNotIn(b"\n", raw.replace(b"\r\n", b""))
        message = message_from_bytes(raw, policy=default)
        assert isinstance(message, EmailMessage)
        return message

    def test_headers(self) -> None:
        """It is from the postmaster to the user, dated, with an id of its own, and says that a machine made it."""
        message = self.read()
        self.assertEqual(message["From"], "pushgw <postmaster@example.org>")
        self.assertEqual(message["To"], "ann@example.org")
        self.assertEqual(message["Auto-Submitted"], "auto-generated")
        self.assertEqual(message["Date"].datetime, AT)
        self.assertRegex(message["Message-ID"], r"@host\.example\.net>$")

    def test_address(self) -> None:
        """An account whose name is an address gets it there."""
        self.assertEqual(self.read(Device(DeviceKey("ann@example.net", "x")))["To"], "ann@example.net")

    def test_text(self) -> None:
        """It says which device came and when, what happened, and what to do whether or not the device is one's own."""
        for access, words in (
            (Access.QUARANTINE, ("until it is allowed", "allow it")),
            (Access.BLOCK, ("is blocked",)),
        ):
            text = " ".join(self.read(access=access).get_content().split())
            for word in ("phone1", "iPhone", "Apple-iPhone9C1", "2026-11-21 12:58:00", "password", *words):
                self.assertIn(word, text)
            self.assertIn("the administrator of this server", text)
        self.assertNotEqual(self.read()["Subject"], self.read(access=Access.BLOCK)["Subject"])

    def test_contact(self) -> None:
        """Whom to ask is what is configured."""
        text = " ".join(self.read(envelope=Envelope("h", "d", "the help desk {x}, Grüße")).get_content().split())
        self.assertIn("ask the help desk {x}, Grüße", text)
        self.assertNotIn("administrator", text)

    def test_odd(self) -> None:
        """What a device says of itself cannot break the mail, nor can it say nothing."""
        odd = Device(DeviceKey("ann", "x"), "{contact}", "ü" * 256)
        text = self.read(odd).get_content()
        self.assertIn("{contact}", text)
        self.assertIn("ü" * 256, text.replace("\r", "").replace("\n", ""))
        self.assertIn("it does not say", self.read(Device(DeviceKey("ann", "x"))).get_content())
