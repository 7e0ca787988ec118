"""What is sent as mail, to whom, and by which server."""

from __future__ import annotations

from email import message_from_bytes
from ipaddress import ip_network
from pathlib import Path

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.config import Config, Operator, Relay, Sms, Smtp
from gateway.config.sending import NumberForm, Security
from gateway.mail.server import Security as Secured
from gateway.mail.submission import Submission
from gateway.model import DeviceKey
from gateway.service.mail import door_rules, mail_domains
from gateway.service.mailout import MailOut, bounce_addresses, ways
from gateway.sources.door import ANYTHING, GUID
from gateway.tls import BadCertificate
from gateway.trigger import Letter
from tests.mail.outbox import MemoryOutbox
from tests.test_tls import write_pair

EPOCH = 1_700_000_000.0
BIG = Operator(
    smtp_address="{number}@sms.example.net",
    number_form=NumberForm.DIGITS,
    smtp_sender="sms@Example.org",
    smtp_subject="wake",
    smtp_server="tcp:smtp.example.net:2525",
    smtp_security=Security.TLS,
    smtp_user="u",
    smtp_password="secret",
)
SMALL = Operator(smtp_address="x{number}@tiny.example.net")
SMSC = Operator(
    smpp=("tcp:localhost:2775",),
    door_domains=("old.example.net",),
    door_senders=("@old.example",),
    door_networks=(ip_network("192.0.2.0/24"),),
    door_per_minute=7,
)
RELAY = Relay(endpoint="tcp:\\:\\:1:587", sender="pushgw@example.net", hello_name="gw.example.org")
CONFIG = Config(
    smtp=Smtp(domains=("example.org",)),
    sms=Sms(text_template="GO {guid}"),
    operators={"big": BIG, "small": SMALL, "smsc": SMSC},
    relay=RELAY,
)
LETTER = Letter(
    DeviceKey("ann", "PHONE"), "smtp:big", "+491701234567", guid="35395ce4", created=EPOCH, id=7, attempts=1
)


class MailOutCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.outbox = MemoryOutbox(lambda: EPOCH)
        self.out = MailOut(CONFIG, self.outbox, self.clock, lambda: EPOCH, "gw", lambda *_: None)
        self.pumps = self.out.pumps


class RenderTests(MailOutCase):
    def test_trigger(self) -> None:
        """A trigger is as the operator wants it, and its bounces tell which it was."""
        sender, recipients, content = self.out.render(LETTER)
        mail = message_from_bytes(content)
        self.assertEqual(recipients, ("491701234567@sms.example.net",))
        self.assertRegex(sender, r"^sms\+7\.[0-9a-f]{6}\.[0-9a-f]{16}@example\.org$")
        self.assertEqual(mail["Message-ID"], f"<{sender.partition('+')[2]}>")
        self.assertEqual((mail["From"], mail["Subject"]), ("<sms@Example.org>", "wake"))
        self.assertEqual(mail.get_payload(), "GO 35395ce4\r\n")

    def test_steady(self) -> None:
        """Another attempt is the same mail, so that whoever has it knows it again."""
        again = evolve(LETTER, attempts=2, doubted=True, due=EPOCH + 60)
        self.assertEqual(self.out.render(again), self.out.render(LETTER))

    def test_noSender(self) -> None:
        """Without a sender it is the null sender, and the author is this host."""
        sender, recipients, content = self.out.render(evolve(LETTER, route="smtp:small"))
        mail = message_from_bytes(content)
        self.assertEqual((sender, recipients), ("", ("x+491701234567@tiny.example.net",)))
        self.assertEqual(mail["From"], "<pushgw@gw>")
        self.assertRegex(mail["Message-ID"], r"^<7\.[0-9a-f.]+@gw>$")

    def test_bouncesElsewhere(self) -> None:
        """A sender whose mail does not come here is as it was configured."""
        letter = evolve(LETTER, route="relay", number="", address="ann@phone.example")
        sender, recipients, _ = self.out.render(letter)
        self.assertEqual((sender, recipients), ("pushgw@example.net", ("ann@phone.example",)))

    def test_otherServers(self) -> None:
        """The text of another server's trigger goes out as it is."""
        _, _, content = self.out.render(evolve(LETTER, content=b"AUTD 1\r\nx"))
        self.assertTrue(content.endswith(b"\r\n\r\nAUTD 1\r\nx\r\n"))

    def test_mail(self) -> None:
        """A mail of a user is what it is."""
        letter = Letter(LETTER.key, "relay", content=b"x", sender="ann@example.org", recipients=("b@x", "c@x"))
        self.assertEqual(self.out.render(letter), ("ann@example.org", ("b@x", "c@x"), b"x"))

    def test_impossible(self) -> None:
        """What cannot be sent raises."""
        for letter in (
            evolve(LETTER, route="smtp:gone"),
            evolve(LETTER, route="smtp:smsc"),
            evolve(LETTER, number="170"),
            evolve(LETTER, content="\u00e4".encode()),
        ):
            self.assertRaises(ValueError, self.out.render, letter)


class WayTests(MailOutCase):
    def test_servers(self) -> None:
        """Each route has its server, the relay where the operator has none; operators of SMPP have no route here."""
        found = ways(CONFIG, "gw")
        self.assertEqual(sorted(found), ["relay", "smtp:big", "smtp:small"])
        self.assertIs(found["smtp:small"], found["relay"])
        big, relay = found["smtp:big"].server(self.clock), found["relay"].server(self.clock)
        self.assertEqual((big.name, big.security, big.identity), ("smtp.example.net", Secured.TLS, "gw.example.org"))
        self.assertEqual(big.login and big.login.user, "u")
        self.assertEqual((relay.name, relay.security, relay.login), ("::1", Secured.STARTTLS, None))
        self.assertEqual((found["smtp:big"].host, found["smtp:big"].port), ("smtp.example.net", 2525))
        self.assertNotIn("secret", repr(found))

    def test_trust(self) -> None:
        """The certificates to trust are read, and what is wrong with them is told before anything changes."""
        pair = write_pair(Path(self.mktemp()), "smtp.example.net")
        operator = evolve(BIG, ca=pair.certificate, server_name="mx.example.net")
        way = ways(evolve(CONFIG, operators={"big": operator}), "gw")["smtp:big"]
        self.assertEqual((way.trust, way.name), (pair.certificate.read_bytes(), "mx.example.net"))
        for path in (pair.key, Path("/nowhere/ca.pem")):
            broken = evolve(CONFIG, operators={"big": evolve(BIG, ca=path)})
            self.assertRaisesRegex(BadCertificate, str(path), self.out.check, broken)
            self.assertRaises(BadCertificate, self.out.apply, broken)
        self.assertIs(self.out.config, CONFIG)

    def test_reload(self) -> None:
        """Where a server has changed another pump takes over; the others go on."""
        before = dict(self.pumps)
        self.assertEqual(sorted(before), ["relay", "smtp:big", "smtp:small"])
        self.out.start()
        new = evolve(BIG, smtp_server="tcp:other.example.net:25")
        self.out.apply(evolve(CONFIG, operators={"big": new, "more": SMALL}))
        self.assertEqual(sorted(self.pumps), ["relay", "smtp:big", "smtp:more"])
        self.assertIs(self.pumps["relay"], before["relay"])
        sender = self.pumps["smtp:big"].sender
        assert isinstance(sender, Submission)
        self.assertEqual(sender.server.name, "other.example.net")
        self.assertEqual(sorted(self.out.routes()), sorted(self.pumps))
        self.successResultOf(Deferred.fromCoroutine(self.out.stop()))

    def test_kick(self) -> None:
        """The pump of a route looks when it is told of a letter, once all has begun; others are not concerned."""
        self.out.kick("relay")
        self.out.start()
        self.out.kick("relay")
        self.out.kick("smpp:smsc")
        self.assertEqual(sorted(self.outbox.looked), ["relay", "relay", "smtp:big", "smtp:small"])
        self.successResultOf(Deferred.fromCoroutine(self.out.stop()))
        self.out.kick("relay")
        self.assertEqual(len(self.outbox.looked), 4)

    def test_subjectOnly(self) -> None:
        """What a mail looks like changes without another pump."""
        before = dict(self.pumps)
        self.out.apply(evolve(CONFIG, operators={**CONFIG.operators, "big": evolve(BIG, smtp_subject="up")}))
        self.assertEqual(before, self.pumps)
        self.assertIn(b"Subject: up", self.out.render(LETTER)[2])


class IntakeTests(SynchronousTestCase):
    def test_bounces(self) -> None:
        """Bounces are taken at the senders whose domains are ours."""
        self.assertEqual([(one.local, one.domain) for one in bounce_addresses(CONFIG)], [("sms", "example.org")])

    def test_doors(self) -> None:
        """Operators with domains of older servers have a rule, and their domains are ours."""
        self.assertEqual([rule.operator for rule in door_rules(CONFIG)], ["smsc"])
        rule = door_rules(CONFIG)[0]
        self.assertEqual((rule.number, rule.country, rule.guid), (ANYTHING, "", GUID))
        said = evolve(SMSC, door_number="x([0-9]+)", door_country="49", door_guid="y(.)")
        (other,) = door_rules(Config(operators={"smsc": said}))
        self.assertEqual((other.number.pattern, other.country, other.guid.pattern), ("x([0-9]+)", "49", "y(.)"))
        self.assertTrue(rule.allows("x@old.example", "192.0.2.7"))
        self.assertFalse(rule.allows("x@old.example", "198.51.100.7"))
        self.assertEqual(rule.per_minute, 7)
        self.assertEqual(mail_domains(CONFIG), ("example.org", "old.example.net"))


del MailOutCase
