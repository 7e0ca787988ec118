"""Tests of what the status of a response means."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.sms.status import NAMES, Remedy, action


class ActionTests(SynchronousTestCase):
    def all_are(self, remedy: Remedy, *statuses: int) -> None:
        self.assertEqual(
            {hex(status): action(status).remedy for status in statuses}, dict.fromkeys(map(hex, statuses), remedy)
        )

    def test_success(self) -> None:
        """0 is taken."""
        self.all_are(Remedy.TAKEN, 0)

    def test_later(self) -> None:
        """System errors, full queues, throttling, temporary errors and schedules are tried again later."""
        self.all_are(Remedy.LATER, 0x08, 0x14, 0x58, 0x64, 0x61)

    def test_patience(self) -> None:
        """A full queue is given longer than an error, and a throttled submit less, as the rate sinks."""
        self.assertLess(action(0x58).patience, action(0x08).patience)
        self.assertLess(action(0x08).patience, action(0x14).patience)

    def test_rebind(self) -> None:
        """A wrong state, a failed bind and too many binds want a new bind after a pause."""
        self.all_are(Remedy.REBIND, 0x04, 0x0D, 0x05)

    def test_refused(self) -> None:
        """Wrong numbers, lengths, classes, validities, codings and parameters are final for the message."""
        self.all_are(Remedy.REFUSED, 0x0A, 0x0B, 0x48, 0x49, 0x50, 0x51, 0x01, 0x43, 0x62, 0x65, 0x66, 0x104)
        self.all_are(Remedy.REFUSED, *range(0xC0, 0xC5))

    def test_account(self) -> None:
        """A wrong password, name, system or service type and what 5.0 says of authorisation stop the account."""
        self.all_are(Remedy.ACCOUNT, 0x0E, 0x0F, 0x53, 0x15, 0x100, 0x101, 0x102, 0x103)

    def test_ask(self) -> None:
        """Failures without a reason, and what vendors mean, have to be asked about."""
        self.all_are(Remedy.ASK, 0x45, 0xFF, *range(0x400, 0x500), 0xDEADBEEF)

    def test_others(self) -> None:
        """What else the specification names is final for the message."""
        self.all_are(Remedy.REFUSED, 0x02, 0x03, 0x0C, 0x11, 0x13, 0x33, 0x42, 0x54, 0x63, 0xFE, 0x112)

    def test_names(self) -> None:
        """A status is called by its name, or by its number."""
        self.assertEqual(action(0x58).name, "RTHROTTLED")
        self.assertEqual(action(0x103).name, "RSERTYPDENIED")
        self.assertEqual(action(0x4FF).name, "0x4ff")
        self.assertEqual(NAMES[0], "ROK")
