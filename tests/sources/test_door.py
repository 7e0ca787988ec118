"""Tests of the legacy door and of the address for bounces, in memory, beside mailboxes."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from ipaddress import ip_network
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.core.bounces import Bounces
from gateway.interfaces import BackendDown
from gateway.model import DeviceKey
from gateway.sms.alphabet import septets
from gateway.sources.door import DoorRule, TriggerDoor, trigger_text
from gateway.sources.doors import BounceDoor, IMailDoor
from gateway.sources.smtpin import Envelope, Post, Recipients, SmtpFactory, SmtpLimits
from gateway.trigger import Letter, Line
from tests.sources.test_smtpin import MAIL, NOW, Client, Names, Shelf
from tests.stores import new_store, result_of

EPOCH = 1_700_000_000
PHONE = DeviceKey("ann", "phone")
NUMBER = "+491701234567"
GUID = "35395ce4-1504-4ac4-9721-f152c646ea35"
TRIGGER = b"From: old@old.example\r\nSubject: x\r\n\r\nAUTD " + GUID.encode() + b"\r\n"
BOUNCES = Bounces("pushgw-bounce", "example.org")
TOKEN = BOUNCES.token(Letter(PHONE, "smtp:big", NUMBER, guid=GUID, id=7))

RULE = DoorRule(
    "big",
    ("SMS.example.net", "sms2.example.net"),
    ("old@old.example", "@branch.example"),
    (ip_network("192.0.2.0/28"), ip_network("2001:db8::/64")),
    5,
)
OTHER = DoorRule("small", ("tiny.example.net",), (), (ip_network("192.0.2.9"),), 0)


class DoorCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.store = new_store(lambda: float(EPOCH))
        self.shelf = Shelf()
        self.knocks: list[tuple[Line, str, bytes]] = []
        self.held: list[Deferred[None]] | None = None
        self.broken: Exception | None = None
        self.counts: list[tuple[str, str]] = []
        self.bounced: list[tuple[Bounces, str, bytes]] = []
        self.door = TriggerDoor(
            [RULE, OTHER],
            self.store.triggers,
            self.knock,
            septets,
            self.clock,
            lambda: EPOCH,
            lambda: 1000,
            lambda *what: self.counts.append(what),
        )
        names = Names(["ann"])
        self.post = Post(
            Recipients(names, names.enabled, ["example.org"]),
            self.shelf,
            self.clock,
            lambda: NOW,
            "mx.example.org",
            SmtpLimits(recipients=3),
            doors=[self.door, BounceDoor((BOUNCES,), self.bounce)],
        )
        self.factory = SmtpFactory(self.post)
        self.clients: list[Client] = []
        self.register(NUMBER)

    def tearDown(self) -> None:
        for client in self.clients:
            client.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def register(self, number: str, key: DeviceKey = PHONE, **fields: Any) -> None:
        result_of(self.store.triggers.keep_line(Line(key, number, "acme", **fields)))

    async def knock(self, line: Line, guid: str, text: bytes) -> None:
        if self.held is not None:
            self.held.append(Deferred())
            await self.held[-1]
        if self.broken is not None:
            raise self.broken
        self.knocks.append((line, guid, text))

    async def bounce(self, bounces: Bounces, token: str, content: bytes) -> None:
        self.bounced.append((bounces, token, content))

    def client(self, address: str = "192.0.2.9", sender: str = "old@old.example") -> Client:
        client = Client(self.factory, address)
        self.clients.append(client)
        client.says("EHLO me", f"MAIL FROM:<{sender}>")
        return client

    def answer(self, recipient: str, address: str = "192.0.2.9", sender: str = "old@old.example") -> str:
        return self.client(address, sender).says(f"RCPT TO:<{recipient}>")[:9]

    def send(self, content: bytes = TRIGGER, recipient: str = "+491701234567@sms.example.net") -> str:
        client = self.client()
        self.assertRegex(client.says(f"RCPT TO:<{recipient}>"), "^250 2.1.5")
        client.says("DATA")
        return client.sends(content)

    def envelope(self) -> Envelope:
        """What the newest client has said of its mail."""
        found = self.clients[-1].session.envelope
        assert found is not None
        return found

    def new_guid(self, guid: str) -> bool:
        """Whether the store has not seen that GUID as the last one."""
        return bool(result_of(self.store.triggers.outside_guid(Line(PHONE), guid, EPOCH, 1000)))


class TriggerTests(DoorCase):
    def test_interface(self) -> None:
        """The doors have the interface of a door."""
        for door in self.post.doors:
            self.assertTrue(verifyObject(IMailDoor, door))

    def test_knocks(self) -> None:
        """A trigger knocks at the line of its number, with its GUID and its text, by the operator of its domain."""
        self.assertRegex(self.send(), "^250 2.0.0 Taken as ")
        line, guid, text = self.knocks[0]
        self.assertEqual((line.key, line.number, line.operator), (PHONE, NUMBER, "big"))
        self.assertEqual((guid, text), (GUID, b"AUTD " + GUID.encode()))
        self.assertEqual(self.counts, [("big", "taken")])
        self.assertFalse(self.new_guid(GUID))
        self.assertEqual(self.shelf.mails, [])

    def test_lease(self) -> None:
        """A new GUID means that the device is there, so a line that has lapsed is in use again."""
        self.register(NUMBER, expires=EPOCH - 1)
        self.send()
        self.assertEqual(self.knocks[0][0].expires, EPOCH + 1000)
        self.assertEqual(result_of(self.store.triggers.lines("ann"))[0].expires, EPOCH + 1000)
        self.register(NUMBER, expires=EPOCH - 1)
        self.send()
        self.assertEqual(self.knocks[1][0].expires, EPOCH - 1)

    def test_numbers(self) -> None:
        """A number may be written with a plus sign, with 00, with the digits alone, and as people write it."""
        self.door.replace([OTHER])
        for local in ("+491701234567", "00491701234567", "491701234567", '"+49 (170) 123-4567"', "49170-123-4567"):
            self.assertEqual(self.answer(f"{local}@TINY.example.net"), "250 2.1.5", local)

    def test_otherNumbers(self) -> None:
        """How a number is written is said for each operator: something around it, or the 0 of its country."""
        taken, refused = "250 2.1.5", "550 5.1.1"
        national = evolve(OTHER, country="49")
        around = evolve(national, number=re.compile(r"sms\.([0-9]+)"))
        for rule, local, code in (
            (OTHER, "01701234567", refused),
            (national, "01701234567", taken),
            (national, "0170-123.4567", taken),
            (national, "00491701234567", taken),
            (national, NUMBER, taken),
            (evolve(OTHER, country="43"), "01701234567", refused),
            (around, "sms.01701234567", taken),
            (around, "sms.491701234567", taken),
            (around, "01701234567", refused),
            (around, "xsms.01701234567", refused),
        ):
            self.door.replace([rule])
            self.assertEqual(self.answer(f"{local}@tiny.example.net"), code, (rule, local))

    def test_unknown(self) -> None:
        """A number that no device has, and what is no number, is 550 5.1.1."""
        for local in ("+491701234568", "0170123456", "ann", "+49", "1234567890123456789"):
            self.assertEqual(self.answer(f"{local}@tiny.example.net"), "550 5.1.1", local)
        self.assertEqual(set(self.counts), {("small", "unknown")})

    def test_strangers(self) -> None:
        """Whoever is not named is 550 5.7.1: by sender and by network, and where both are given both must fit."""
        known, stranger = "250 2.1.5", "550 5.7.1"
        for address, sender, code in (
            ("192.0.2.9", "OLD@Old.Example", known),
            ("192.0.2.9", "x@branch.example", known),
            ("192.0.2.9", "@relay.example:old@old.example", known),
            ("2001:db8::7", "old@old.example", known),
            ("::ffff:192.0.2.9", "old@old.example", known),
            ("192.0.2.16", "old@old.example", stranger),
            ("2001:db8:1::7", "old@old.example", stranger),
            ("local", "old@old.example", stranger),
            ("192.0.2.9", "other@old.example", stranger),
            ("192.0.2.9", "x@sub.branch.example", stranger),
            ("192.0.2.9", "", stranger),
        ):
            self.door.replace([RULE])
            self.assertEqual(self.answer(f"{NUMBER}@sms.example.net", address, sender), code, (address, sender))
        self.assertEqual(self.counts.count(("big", "stranger")), 6)
        self.door.replace([OTHER])
        self.assertEqual(self.answer(f"{NUMBER}@tiny.example.net", "192.0.2.9", ""), known)
        self.assertEqual(self.answer(f"{NUMBER}@tiny.example.net", "192.0.2.8", ""), stranger)

    def test_nobody(self) -> None:
        """A rule that names nobody lets nobody in."""
        self.door.replace([DoorRule("big", ("sms.example.net",))])
        self.assertEqual(self.answer(f"{NUMBER}@sms.example.net"), "550 5.7.1")

    def test_neverRelayed(self) -> None:
        """Domains that are not an operator's are as before; a number in a domain of ours is no mailbox."""
        self.assertEqual(self.answer(f"{NUMBER}@other.example"), "554 5.7.1")
        self.assertEqual(self.answer(f"{NUMBER}@x.sms.example.net"), "554 5.7.1")
        self.assertEqual(self.answer("491701234567@example.org"), "550 5.1.1")

    def test_postmaster(self) -> None:
        """The postmaster of an operator's domain is whoever is that here."""
        self.post.recipients.domains = ("example.org", "sms.example.net")
        self.assertEqual(self.answer("Postmaster@sms.example.net", "198.51.100.1", "a@b"), "250 2.1.5")

    def test_flood(self) -> None:
        """Triggers over the rate of an operator are 451; after a while they come in again, and others always do."""
        for _ in range(5):
            self.assertEqual(self.answer(f"{NUMBER}@sms.example.net"), "250 2.1.5")
        self.assertEqual(self.answer(f"{NUMBER}@sms2.example.net"), "451 4.7.1")
        self.assertEqual(self.answer(f"{NUMBER}@tiny.example.net"), "250 2.1.5")
        self.clock.advance(12)
        self.assertEqual(self.answer(f"{NUMBER}@sms.example.net"), "250 2.1.5")
        self.assertEqual(self.counts, [("big", "flood")])

    def test_floodEndsNoSession(self) -> None:
        """Somebody who is told to come back is not taken for somebody who makes errors."""
        self.post.limit(SmtpLimits(errors=3))
        client = self.client()
        for _ in range(12):
            answer = client.says(f"RCPT TO:<{NUMBER}@sms.example.net>")
        self.assertRegex(answer, "^451 4.7.1")
        self.assertFalse(client.gone)

    def test_twoDevices(self) -> None:
        """If two devices were registered with a number the newer one has it."""
        self.register(NUMBER, DeviceKey("bob", "new"), since=EPOCH)
        self.send()
        self.assertEqual([line.key.device for line, _, _ in self.knocks], ["new"])

    def test_takenByADevice(self) -> None:
        """A device that registers itself with the number of another one, which an administrator has registered, does
        not get its triggers."""
        self.register(NUMBER, by="root", since=EPOCH - 99)
        self.register(NUMBER, DeviceKey("eve", "new"), by="device", since=EPOCH)
        self.send()
        self.assertEqual([line.key for line, _, _ in self.knocks], [PHONE])


class TextTests(DoorCase):
    def test_forms(self) -> None:
        """The text is that of the first plain part, however it is encoded, without the line ends behind it."""
        text = f"AUTD {GUID}"
        for content in (
            TRIGGER,
            TRIGGER + b"\r\n\r\n",
            text.encode() + b"\r\n",
            b"\r\n" + text.encode(),
            b'Content-Type: text/plain; charset="iso-8859-1"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
            + b64encode(text.encode()),
            b"Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
            + text.replace("-", "=2D").encode(),
            b'Content-Type: multipart/alternative; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n'
            b"--b\r\n\r\n" + text.encode() + b"\r\n--b--\r\n",
        ):
            self.assertEqual(trigger_text(content), text, content)

    def test_asItIs(self) -> None:
        """What is in front of the text and in it goes out as it is."""
        self.send(b"A: b\r\n\r\n  a\r\n\r\nb \r\n")
        self.assertEqual(self.knocks[0][2], b"  a\r\n\r\nb ")

    def test_alphabet(self) -> None:
        """Letters of the GSM alphabet are taken, however they are encoded; 160 septets are, and not one more."""
        head = b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\n"
        for text, code in {
            "\xe4" * 160: "250",
            "{" * 80: "250",
            "x" * 161: "554 5.6.0 The text takes 161 septets",
            "{" * 80 + "x": "554 5.6.0 The text takes 161 septets",
            "\xb2": "554 5.6.0 The text has a character",
        }.items():
            self.door.replace([RULE])
            self.assertRegex(self.send(head + text.encode("latin-1") + b"\r\n"), f"^{code}", text)
        self.assertEqual(self.knocks[0][2].decode(), "\xe4" * 160)
        self.assertEqual([what for _, what in self.counts], ["taken", "taken", "unfit", "unfit", "unfit"])

    def test_unreadable(self) -> None:
        """A mail without a text that can be read is refused, whatever it is."""
        for content in (
            b"A: b\r\n\r\n",
            b"A: b\r\n\r\n\r\n\r\n",
            b"Content-Type: text/html\r\n\r\n<p>x\r\n",
            b"Content-Type: text/plain; charset=nonsense\r\n\r\nx\r\n",
            b"Content-Type: text/plain; charset=utf-8\r\n\r\n\xff\xff\r\n",
            b"A: b\r\n\r\nK\xf6ln\r\n",
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--\r\n",
            b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(900)),
        ):
            self.door.replace([RULE])
            self.assertRegex(self.send(content), "^554 5.6.0 ", content[:60])
        self.assertEqual(self.knocks, [])

    def test_large(self) -> None:
        """A mail that is far larger than a trigger is 552."""
        self.assertRegex(self.send(b"A: b\r\n\r\n" + b"x\r\n" * 30_000), "^552 5.3.4 ")

    def test_guids(self) -> None:
        """A GUID is found with hyphens or without, in braces, in any case, and not in the middle of other digits."""
        plain = GUID.replace("-", "")
        for text, guid in {
            f"x{{{GUID.upper()}}}y": GUID.upper(),
            f"SYNC:{plain};": plain,
            f"1.{GUID}.2": GUID,
        }.items():
            self.door.replace([RULE])
            self.send(f"A: b\r\n\r\n{text}\r\n".encode())
            self.assertEqual(self.knocks[-1][1], guid)

    def test_noGuid(self) -> None:
        """Without a GUID the text is what tells one trigger from another."""
        for text in ("one", "one", "two", f"0{GUID}"):
            self.send(f"A: b\r\n\r\n{text}\r\n".encode())
        guids = [guid for _, guid, _ in self.knocks]
        self.assertEqual((guids[0], len(set(guids))), (guids[1], 3))
        self.assertNotIn(GUID, guids)

    def test_otherGuids(self) -> None:
        """What a GUID looks like is said for each operator: the group of the pattern, or what fits; where nothing fits,
        or the group is empty, the text is what tells one trigger from another."""
        for pattern, guid in (("id=([a-z]+)", "abc"), ("id=[a-z]+", "id=abc"), ("id=(z*)", None), (GUID, None)):
            self.door.replace([evolve(RULE, guid=re.compile(pattern))])
            self.send(b"A: b\r\n\r\nsync id=abc now\r\n")
            self.assertEqual(self.knocks[-1][1], guid or sha256(b"sync id=abc now").hexdigest()[:32])


class SafetyTests(DoorCase):
    def test_durable(self) -> None:
        """The 250 comes when it is safe what becomes of the trigger, and not before."""
        self.held = []
        client = self.client()
        client.says(f"RCPT TO:<{NUMBER}@sms.example.net>", "DATA")
        self.assertEqual(client.sends(TRIGGER), "")
        self.held.pop().callback(None)
        self.assertRegex(client.heard(), "^250 2.0.0 ")

    def test_down(self) -> None:
        """If the store does not answer the sender is asked to come back."""
        self.broken = BackendDown("no disk")
        self.assertRegex(self.send(), "^451 4.3.0 ")
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 1)
        self.broken = None
        self.assertRegex(self.send(), "^250 ")

    def test_mixed(self) -> None:
        """One mail may be for a mailbox and for a number; both have it, and a number that is named twice knocks once."""
        client = self.client()
        for recipient in ("ann@example.org", f"{NUMBER}@sms.example.net", "0049170-1234567@sms2.example.net"):
            self.assertRegex(client.says(f"RCPT TO:<{recipient}>"), "^250 ")
        client.says("DATA")
        self.assertRegex(client.sends(TRIGGER), "^250 ")
        self.assertEqual(([user for user, _ in self.shelf.mails], len(self.knocks)), (["ann"], 1))

    def test_refusedForAll(self) -> None:
        """A text that is refused was delivered to nobody."""
        client = self.client()
        client.says("RCPT TO:<ann@example.org>", f"RCPT TO:<{NUMBER}@sms.example.net>", "DATA")
        self.assertRegex(client.sends(b"A: b\r\n\r\n" + b"x" * 161 + b"\r\n"), "^554 ")
        self.assertEqual((self.shelf.mails, self.knocks), ([], []))

    def test_someRefused(self) -> None:
        """A number that is refused does not keep a mail from its mailbox."""
        client = self.client()
        self.assertRegex(client.says("RCPT TO:<+4912345678@sms.example.net>"), "^550 5.1.1")
        client.says("RCPT TO:<ann@example.org>", "DATA")
        self.assertRegex(client.sends(MAIL), "^250 ")
        self.assertEqual(len(self.shelf.mails), 1)

    def test_tooMany(self) -> None:
        """Numbers count among the recipients of a mail."""
        self.register("+491701234568", DeviceKey("bob", "a"))
        self.register("+491701234569", DeviceKey("bob", "b"))
        client = self.client()
        recipients = ["ann@example.org", *(f"+49170123456{n}@sms.example.net" for n in (7, 8, 9))]
        answers = [client.says(f"RCPT TO:<{recipient}>")[:3] for recipient in recipients]
        self.assertEqual(answers, ["250", "250", "250", "452"])

    def test_pipelined(self) -> None:
        """Answers come in order when some had to wait, and any number may come in one packet."""
        self.post.limit(SmtpLimits(errors=5000, answers=5000))
        client = self.client()
        rcpt = b"RCPT TO:<+491701234567@sms.example.net>\r\nRCPT TO:<eve@example.org>\r\n"
        answers = client.raw(rcpt * 2 + b"RCPT TO:<+491701234567@tiny.example.net>\r\nNOOP\r\n" * 300)
        codes = [line[:3] for line in answers.splitlines()]
        self.assertEqual(codes[:4], ["250", "550", "250", "550"])
        self.assertEqual((len(codes), codes.count("250")), (604, 602))

    def test_waits(self) -> None:
        """While it is looked who has a number nothing is read and no time-out runs; who leaves leaves nothing."""
        waiting: Deferred[list[Line]] = Deferred()
        self.door.triggers = Slow(waiting)  # type: ignore[assignment]
        client = self.client()
        self.assertEqual(client.raw(b"RCPT TO:<+491701234567@sms.example.net>\r\nNOOP\r\n"), "")
        self.assertEqual(client.wire.producerState, "paused")
        self.clock.advance(301)
        self.assertFalse(client.gone)
        other = self.client()
        other.raw(b"RCPT TO:<+491701234567@sms.example.net>\r\n")
        other.lose()
        self.factory.stopFactory()
        waiting.callback([Line(PHONE, NUMBER)])
        self.assertRegex(client.heard(), "^250 2.1.5 ")
        self.assertTrue(client.gone)


class Slow:
    """Looks for lines as long as a test wants."""

    def __init__(self, waiting: Deferred[list[Line]]) -> None:
        self.waiting = waiting

    def lines_of(self, number: str) -> Deferred[list[Line]]:
        mine: Deferred[list[Line]] = Deferred()
        self.waiting.addCallback(lambda lines: (mine.callback(lines), lines)[1])
        return mine


class BounceTests(DoorCase):
    def test_taken(self) -> None:
        """A bounce is taken from anybody, in any case, and given on with its token."""
        sender = f"Pushgw-Bounce+{TOKEN.upper()}@Example.ORG"
        for peer, origin in (("198.51.100.1", ""), ("198.51.100.1", "mailer-daemon@x.example")):
            client = self.client(peer, origin)
            self.assertRegex(client.says(f"RCPT TO:<{sender}>"), "^250 2.1.5")
            client.says("DATA")
            self.assertRegex(client.sends(MAIL), "^250 2.0.0")
        self.assertEqual(self.bounced, [(BOUNCES, TOKEN, MAIL)] * 2)
        self.assertEqual(self.shelf.mails, [])

    def test_noToken(self) -> None:
        """Without a token it is an address like others; other domains are not ours."""
        for local in ("pushgw-bounce", "pushgw-bounce+", "pushgw-bounce+x"):
            self.assertEqual(self.answer(f"{local}@example.org"), "550 5.1.1")
        self.post.doors = [BounceDoor((Bounces("ann", "example.org"),), self.bounce)]
        self.assertEqual(self.answer("ann+x@example.org"), "250 2.1.5")
        self.assertEqual(list(self.envelope().recipients), ["ann"])
        self.assertEqual(self.answer(f"pushgw-bounce+{TOKEN}@example.net"), "554 5.7.1")


del DoorCase
