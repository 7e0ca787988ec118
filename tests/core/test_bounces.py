"""Tests of the addresses that bounces come back to."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.core.bounces import Bounces
from gateway.model import DeviceKey
from gateway.trigger import Letter

LETTER = Letter(DeviceKey("ann", "PHONE"), "smtp:big", "+491701234567", guid="35395ce4", id=77)
BOUNCES = Bounces("Bounce", "Example.ORG")


class BouncesTests(SynchronousTestCase):
    def test_roundTrip(self) -> None:
        """The envelope sender leads back to Message-ID and route, in any case."""
        local, _, domain = BOUNCES.sender(LETTER).partition("@")
        for local_, domain_ in ((local, domain), (local.upper(), domain.upper())):
            token = BOUNCES.heard(local_, domain_)
            assert token is not None
            self.assertEqual(BOUNCES.named(token), BOUNCES.message_id(LETTER))
            self.assertEqual(BOUNCES.route(token, ["smtp:small", "smtp:big"]), "smtp:big")
            self.assertIsNone(BOUNCES.route(token, ["smtp:small"]))

    def test_plusSign(self) -> None:
        """The local part may have a plus sign of its own."""
        bounces = Bounces("ops+sms", "example.org")
        local = bounces.sender(LETTER).partition("@")[0]
        self.assertEqual(bounces.heard(local, "example.org"), bounces.token(LETTER))
        self.assertIsNone(bounces.heard(local.replace("+sms", ""), "example.org"))

    def test_form(self) -> None:
        """Sender and Message-ID name the letter and nothing of the device, in at most 64 octets of a local part."""
        sender = Bounces().sender(evolve(LETTER, id=2**40))
        self.assertRegex(sender, r"^pushgw-bounce\+[0-9a-f.]+@localhost$")
        self.assertLessEqual(len(sender.partition("@")[0]), 64)
        self.assertNotIn("4567", sender)
        self.assertRegex(BOUNCES.message_id(LETTER), r"^<4d\.[0-9a-f.]+@example\.org>$")

    def test_steady(self) -> None:
        """The token stays the same while the letter is tried again and again."""
        self.assertEqual(BOUNCES.token(evolve(LETTER, attempts=4, doubted=True, due=5.0)), BOUNCES.token(LETTER))

    def test_unguessable(self) -> None:
        """Letters that differ in GUID, number or route have other tokens."""
        others = [evolve(LETTER, guid="x"), evolve(LETTER, id=78), evolve(LETTER, route="smtp:small")]
        self.assertEqual(len({BOUNCES.token(letter) for letter in (LETTER, *others)}), 4)

    def test_notOurs(self) -> None:
        """Other addresses are not for bounces, nor is ours with anything but a token."""
        token = BOUNCES.token(LETTER)
        for local, domain in ((f"ann+{token}", "example.org"), (f"bounce+{token}", "example.net")):
            self.assertIsNone(BOUNCES.heard(local, domain), local)
        for local in ("bounce", "bounce+", "bounce+x", "bounce+4d.abcdef", f"bounce+{token}a", f"bounce{token}"):
            self.assertIsNone(BOUNCES.heard(local, "example.org"), local)
