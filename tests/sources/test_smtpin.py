"""Tests of the SMTP intake, in memory."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from email import message_from_bytes

from attrs import define, field
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import ITLSTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides, implementer

from gateway.interfaces import IAccounts, IMailbox
from gateway.model import Intent
from gateway.sources.smtpconnection import LINGER
from gateway.sources.smtpin import Post, Recipients, SmtpFactory, SmtpLimits

NOW = datetime(2026, 5, 1, 12, 30, tzinfo=timezone(timedelta(hours=2)))
MAIL = b"From: a@b.example\r\nSubject: hello\r\n\r\nbody\r\n"
FEW = SmtpLimits(message=1000, recipients=3, per_minute=5, connections=2, total=3, command=200, line=100, errors=4)


@implementer(IAccounts)
@define(eq=False)
class Names:
    """Accounts without passwords."""

    all: list[str]

    def names(self) -> list[str]:
        return sorted(self.all)

    def enabled(self, name: str) -> bool:
        return name in self.all


@implementer(IMailbox)
@define(eq=False)
class Shelf:
    """A mailbox in memory; when held, a delivery waits until it is let go."""

    mails: list[tuple[str, bytes]] = field(factory=list)
    held: list[Deferred[None]] | None = None
    broken: dict[str, Exception] = field(factory=dict)

    def deliver(self, user: str, message: bytes) -> Deferred[None]:
        done: Deferred[None] = succeed(None) if self.held is None else Deferred()
        if self.held is not None:
            self.held.append(done)
        return done.addCallback(lambda _: self._put(user, message))

    def _put(self, user: str, message: bytes) -> None:
        if user in self.broken:
            raise self.broken[user]
        self.mails.append((user, message))

    def place(self, user: str, path: str, name: str, message: bytes, state: str, again: bool) -> Deferred[None]:
        raise NotImplementedError

    def stage(self, user: str, path: str, name: str, message: bytes) -> Deferred[None]:
        raise NotImplementedError

    def discard(self, user: str, path: str, names: Sequence[str]) -> Deferred[None]:
        raise NotImplementedError

    def read(self, user: str, path: str, name: str, state: str) -> Deferred[bytes]:
        raise NotImplementedError

    def carry_out(self, intents: Iterable[Intent]) -> Deferred[list[int]]:
        raise NotImplementedError


class Wire(StringTransport):
    """A transport that can begin TLS and tells when it was aborted."""

    tls: object = None

    def startTLS(self, context: object) -> None:
        self.tls = context


class Client:
    """Someone who speaks SMTP: C{says} gives the answers to what is sent."""

    def __init__(self, factory: SmtpFactory, address: str = "192.0.2.9", tls: bool = False) -> None:
        kind = IPv6Address if ":" in address else IPv4Address
        host = kind("TCP", "2001:db8::1" if ":" in address else "192.0.2.1", 25)
        self.wire = Wire(host, kind("TCP", address, 5000))
        if tls:
            directlyProvides(self.wire, ITLSTransport)
        self.session = factory.buildProtocol(None)
        self.session.makeConnection(self.wire)
        self.greeting = self.heard()

    def heard(self) -> str:
        value = self.wire.value().decode("ascii")
        self.wire.clear()
        return value

    def raw(self, data: bytes) -> str:
        self.session.dataReceived(data)
        return self.heard()

    def says(self, *lines: str) -> str:
        """The last line of the answer to the last of these lines, each sent for itself."""
        answer = ""
        for line in lines:
            answer = self.raw(line.encode() + b"\r\n")
        return answer.removesuffix("\r\n").rpartition("\r\n")[2]

    def ready(self, *recipients: str) -> Client:
        """Said what comes before the content."""
        self.says("EHLO me.example", "MAIL FROM:<a@b.example>")
        for recipient in recipients or ("ann@example.org",):
            assert self.says(f"RCPT TO:<{recipient}>").startswith("250 ")
        assert self.says("DATA").startswith("354 ")
        return self

    def sends(self, content: bytes) -> str:
        return self.raw(content + b".\r\n").strip()

    @property
    def gone(self) -> bool:
        return bool(self.wire.disconnecting)

    def lose(self) -> None:
        self.session.connectionLost(Failure(ConnectionError()))


class IntakeCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.names = Names(["ann", "bob@example.org", "cid+x"])
        self.shelf = Shelf()
        self.recipients = Recipients(self.names, self.names.enabled, ["Example.org", "localhost"])
        self.post = Post(self.recipients, self.shelf, self.clock, lambda: NOW, "mx.example.org", FEW)
        self.factory = SmtpFactory(self.post)
        self.clients: list[Client] = []

    def client(self, address: str = "192.0.2.9", tls: bool = False) -> Client:
        self.clients.append(Client(self.factory, address, tls))
        return self.clients[-1]

    def tearDown(self) -> None:
        for client in self.clients:
            client.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.factory.sessions, set())
        self.assertIsNone(self.post.enter("192.0.2.9"))


class CommandTests(IntakeCase):
    def test_greeting(self) -> None:
        """The server greets with its name."""
        self.assertEqual(self.client().greeting, "220 mx.example.org ESMTP pushgw\r\n")

    def test_extensions(self) -> None:
        """EHLO names the extensions, each with what it needs; HELO none."""
        client = self.client()
        self.assertEqual(
            client.raw(b"EHLO me\r\n"),
            "250-mx.example.org\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n",
        )
        self.assertEqual(client.raw(b"HELO me\r\n"), "250 mx.example.org\r\n")

    def test_order(self) -> None:
        """Commands out of order are 503."""
        client = self.client()
        for lines in (
            ("MAIL FROM:<a@b>",),
            ("EHLO me", "RCPT TO:<ann@example.org>"),
            ("DATA",),
            ("MAIL FROM:<a@b>", "DATA"),
        ):
            self.post.limit(SmtpLimits())
            self.assertRegex(client.says(*lines), "^503 5.5.1 ", lines)
        self.assertRegex(client.says("MAIL FROM:<a@b>"), "^503 5.5.1 ")

    def test_syntax(self) -> None:
        """Malformed commands have the code that RFC 5321 gives them."""
        for lines, code in {
            ("EHLO",): "501 5.5.4",
            ("HELO ",): "501 5.5.4",
            ("FOO bar",): "500 5.5.1",
            ("",): "500 5.5.1",
            ("UNKNOWN",): "500",
            ("__init__ x",): "500 5.5.1",
            ("EXPN all",): "502 5.5.1",
            ("AUTH PLAIN x",): "502 5.5.1",
            ("STARTTLS",): "502 5.5.1",
            ("VRFY ann",): "252 2.5.2",
            ("HELP",): "214 2.0.0",
            ("NOOP x",): "250 2.0.0",
            ("noop",): "250 2.0.0",
            ("EHLO me", "MAIL"): "501 5.1.7",
            ("EHLO me", "MAIL TO:<a@b>"): "501 5.1.7",
            ("EHLO me", "MAIL FROM:a@b"): "501 5.1.7",
            ("EHLO me", "MAIL FROM:<a@b"): "501 5.1.7",
            ("EHLO me", "MAIL FROM:<a@b>>"): "501 5.1.7",
            ("EHLO me", "MAIL FROM:<a b@c>"): "501 5.1.7",
            ("EHLO me", "MAIL FROM:<@a>"): "501 5.1.7",
            ("EHLO me", "MAIL FROM:<a@b> FOO=1"): "555 5.5.4",
            ("EHLO me", "MAIL FROM:<a@b> SMTPUTF8"): "555 5.5.4",
            ("EHLO me", "MAIL FROM:<a@b> SIZE=x"): "501 5.5.4",
            ("EHLO me", "MAIL FROM:<a@b> SIZE=1 SIZE=1"): "501 5.5.4",
            ("EHLO me", "MAIL FROM:<a@b> BODY=9BIT"): "501 5.5.4",
            ("EHLO me", "MAIL FROM:<a@b> SIZE=1001"): "552 5.3.4",
            ("EHLO me", "MAIL FROM:<a@b> SIZE=1000 BODY=8BITMIME"): "250 2.1.0",
            ("EHLO me", "mail from: <a@b> body=7bit"): "250 2.1.0",
            ("EHLO me", "MAIL FROM:<>"): "250 2.1.0",
            ("EHLO me", "MAIL FROM:<root>"): "250 2.1.0",
            ("EHLO me", 'MAIL FROM:<"a b>\\"@"@c>'): "250 2.1.0",
            ("EHLO me", "MAIL FROM:<a@[192.0.2.1]>"): "250 2.1.0",
            ("EHLO me", "MAIL FROM:<@x,@y:a@b>"): "250 2.1.0",
            ("EHLO me", "MAIL FROM:<a@b>", "RCPT TO:<>"): "501 5.1.3",
            ("EHLO me", "MAIL FROM:<a@b>", "RCPT FROM:<ann@example.org>"): "501 5.1.3",
            ("EHLO me", "MAIL FROM:<a@b>", "RCPT TO:<ann@example.org> NOTIFY=NEVER"): "555 5.5.4",
            ("EHLO me", "MAIL FROM:<a@b>", "RCPT TO:<ann@example.org>", "DATA x"): "501 5.5.4",
        }.items():
            self.post.limit(SmtpLimits(message=1000))
            client = self.client()
            self.assertRegex(client.says(*lines), f"^{code} ", lines)
            client.lose()

    def test_notASCII(self) -> None:
        """A command with other than printable ASCII is 500, and the session goes on."""
        client = self.client()
        for line in (b"EHLO m\xc3\xbc", b"\xff\xfe", b"NOOP \0", b"NOOP a\rb"):
            self.post.limit(SmtpLimits())
            self.assertRegex(client.raw(line + b"\r\n"), "^500 5.5.2 ")
        self.assertRegex(client.says("NOOP"), "^250 ")

    def test_quit(self) -> None:
        """QUIT is answered and ends the connection; what follows is not looked at."""
        client = self.client()
        self.assertEqual(client.raw(b"QUIT\r\nNOOP\r\n"), "221 2.0.0 mx.example.org goodbye\r\n")
        self.assertTrue(client.gone)

    def test_reset(self) -> None:
        """RSET and EHLO forget the mail, not the rest."""
        client = self.client()
        for line in ("RSET", "EHLO me"):
            client.says("EHLO me", "MAIL FROM:<a@b>", "RCPT TO:<ann@example.org>")
            self.assertRegex(client.says(line), "^250 ")
            self.assertRegex(client.says("RCPT TO:<ann@example.org>"), "^503 ")

    def test_pipelined(self) -> None:
        """Commands in one packet are answered in their order."""
        answers = self.client().raw(
            b"EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<eve@example.org>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n"
        )
        codes = [line[:3] for line in answers.splitlines() if line[3] == " "]
        self.assertEqual(codes, ["250", "250", "550", "250", "354"])

    def test_byteByByte(self) -> None:
        """It does not matter how the bytes come in."""
        client = self.client()
        talk = b"EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n" + MAIL + b".\r\nQUIT\r\n"
        answers = "".join(client.raw(bytes([byte])) for byte in talk)
        self.assertEqual(
            [line[:3] for line in answers.splitlines() if line[3] == " "], ["250", "250", "250", "354", "250", "221"]
        )
        self.assertTrue(self.shelf.mails[0][1].endswith(MAIL))


class RecipientTests(IntakeCase):
    def answer(self, recipient: str) -> str:
        self.post.limit(SmtpLimits())
        client = self.client()
        answer = client.says("EHLO me", "MAIL FROM:<a@b.example>", f"RCPT TO:<{recipient}>")
        client.lose()
        return answer[:9]

    def deliveredTo(self, recipient: str) -> list[str]:
        self.client().ready(recipient).sends(MAIL)
        return [user for user, _ in self.shelf.mails]

    def test_ours(self) -> None:
        """Mail for an account is taken, in any case, with anything after a plus sign, quoted or not."""
        for recipient, user in {
            "ann@example.org": "ann",
            "Ann@EXAMPLE.org": "ann",
            "ann+lists@localhost": "ann",
            '"ann"@example.org': "ann",
            "@relay.example:ann@example.org": "ann",
            "bob@example.org": "bob@example.org",
            "bob+x@example.org": "bob@example.org",
            "cid+x@example.org": "cid+x",
            "ann@[192.0.2.1]": "ann",
        }.items():
            self.post.limit(SmtpLimits())
            self.shelf.mails.clear()
            self.assertEqual(self.deliveredTo(recipient), [user], recipient)
            self.clients.pop().lose()

    def test_unknown(self) -> None:
        """An unknown mailbox of ours is 550 5.1.1."""
        for recipient in ("eve@example.org", "cid@example.org", "ann", '"../ann"@example.org', "bob@localhost"):
            self.assertEqual(self.answer(recipient), "550 5.1.1", recipient)

    def test_relay(self) -> None:
        """Mail for other hosts is 554 5.7.1, with every trick."""
        for recipient in (
            *("eve@other.example", "ann@example.org.other", "ann@[192.0.2.2]", "eve%other.example@x.example"),
            *("@example.org:eve@other.example", '"eve@other.example"@x.example', "postmaster@other.example"),
        ):
            self.assertEqual(self.answer(recipient), "554 5.7.1", recipient)
        for recipient in ("eve%other.example@example.org", '"eve@other.example"@example.org'):
            self.assertEqual(self.answer(recipient), "550 5.1.1", recipient)

    def test_domainOfAnAccount(self) -> None:
        """The domain of an account's name is ours without being configured."""
        self.recipients.domains = ()
        self.assertEqual(self.answer("bob@example.org"), "250 2.1.5")
        self.assertEqual(self.answer("eve@example.org"), "550 5.1.1")
        self.assertEqual(self.answer("ann@other.example"), "554 5.7.1")
        self.assertEqual(self.answer("ann@localhost"), "554 5.7.1")

    def test_postmaster(self) -> None:
        """There always is a postmaster, with and without a domain: the one that is set, or else the first account."""
        self.assertEqual(self.deliveredTo("Postmaster"), ["ann"])
        self.recipients.postmaster = "bob@example.org"
        self.assertEqual(self.deliveredTo("postmaster@example.org"), ["ann", "bob@example.org"])

    def test_noPostmaster(self) -> None:
        """Without any account even the postmaster is unknown."""
        self.names.all.clear()
        self.assertEqual(self.answer("postmaster"), "550 5.1.1")

    def test_tooMany(self) -> None:
        """Recipients over the limit are 452; the others get the mail."""
        self.names.all += ["dan", "eve"]
        client = self.client()
        client.says("EHLO me", "MAIL FROM:<a@b>", *(f"RCPT TO:<{name}@localhost>" for name in ("ann", "dan", "eve")))
        self.assertRegex(client.says("RCPT TO:<bob@example.org>"), "^452 4.5.3 ")
        client.says("DATA")
        client.sends(MAIL)
        self.assertEqual([user for user, _ in self.shelf.mails], ["ann", "dan", "eve"])

    def test_twice(self) -> None:
        """An account that is named twice gets the mail once."""
        self.client().ready("ann@example.org", "ann+x@localhost").sends(MAIL)
        self.assertEqual([user for user, _ in self.shelf.mails], ["ann"])


class ContentTests(IntakeCase):
    def stored(self, content: bytes) -> bytes:
        """What is stored of a content, without the lines that are put before it."""
        self.post.limit(SmtpLimits())
        client = self.client()
        self.assertRegex(client.ready().sends(content), "^250 2.0.0 ")
        client.lose()
        return self.shelf.mails[-1][1].partition(b"+0200\r\n")[2]

    def test_trace(self) -> None:
        """The mail begins with Return-Path, Delivered-To and Received, and is otherwise as it was sent."""
        self.assertEqual(self.stored(MAIL), MAIL)
        mail = message_from_bytes(self.shelf.mails[0][1])
        self.assertEqual(mail.keys(), ["Return-Path", "Delivered-To", "Received", "From", "Subject"])
        self.assertEqual(mail["Return-Path"], "<a@b.example>")
        self.assertEqual(mail["Delivered-To"], "ann@example.org")
        self.assertRegex(
            mail["Received"],
            r"^from me\.example \(\[192\.0\.2\.9\]\)\s+by mx\.example\.org with ESMTP id [0-9a-f]{16}\s+"
            r"for <ann@example\.org>; Fri, 01 May 2026 12:30:00 \+0200$",
        )

    def test_traceOfEach(self) -> None:
        """Each recipient's mail names that recipient and no other."""
        self.client().ready("ann@example.org", "bob@example.org").sends(MAIL)
        (_, first), (_, second) = self.shelf.mails
        self.assertNotIn(b"bob@", first)
        self.assertNotIn(b"ann@", second)

    def test_traceOfIPv6(self) -> None:
        """An IPv6 address is written as the standard has it."""
        self.client("2001:db8::9").ready("ann@[IPv6:2001:db8::1]").sends(MAIL)
        self.assertIn(b"([IPv6:2001:db8::9])", self.shelf.mails[0][1])

    def test_traceOfHELO(self) -> None:
        """What a client says that it is cannot break the trace; its protocol is told."""
        client = self.client()
        client.says("HELO evil) by (x\t<y>", "MAIL FROM:<>", "RCPT TO:<ann@localhost>", "DATA")
        client.sends(MAIL)
        mail = message_from_bytes(self.shelf.mails[0][1])
        self.assertTrue(mail["Received"].startswith("from evil??by??x??y? ([192.0.2.9])"))
        self.assertIn("with SMTP id", mail["Received"])
        self.assertEqual(mail["Return-Path"], "<>")

    def test_dots(self) -> None:
        """The dots that the client doubled are single again, wherever they are."""
        self.assertEqual(
            self.stored(b"..\r\nA: b\r\n\r\n..a\r\n...\r\n. \r\n"), b"\r\n.\r\nA: b\r\n\r\n.a\r\n..\r\n \r\n"
        )

    def test_withoutHeader(self) -> None:
        """A content without a header does not become part of ours."""
        for content in (b"just text\r\n", b" folded: x\r\n", b"no header: here\r\n", b""):
            self.assertEqual(self.stored(content), b"\r\n" + content)

    def test_everySplit(self) -> None:
        """The end is found wherever the packets are cut, and what follows is a command."""
        content = b"A: b\r\n\r\n..x\r\n\r\n"
        talk = content + b".\r\nNOOP\r\n"
        for cut in range(len(talk)):
            self.post.limit(SmtpLimits())
            client = self.client().ready()
            answers = client.raw(talk[:cut]) + client.raw(talk[cut:])
            self.assertRegex(answers, r"^250 2\.0\.0 Taken as \w+\r\n250 2\.0\.0 Yes\r\n$")
            self.assertTrue(self.shelf.mails[-1][1].endswith(b"\r\nA: b\r\n\r\n.x\r\n\r\n"))
            client.lose()

    def test_smuggling(self) -> None:
        """Nothing but CR LF dot CR LF ends a mail, and a mail with a CR or LF that stands alone is refused whole."""
        for end in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n\n.\r\n", b"\r\n\0.\r\n"):
            self.post.limit(SmtpLimits())
            client = self.client().ready()
            answers = client.raw(b"A: b\r\n\r\nx" + end + b"MAIL FROM:<evil@x>\r\nRCPT TO:<ann@localhost>\r\n")
            self.assertEqual(answers, "", end)
            self.assertRegex(client.sends(b"\r\n"), "^554 5.6.0 ", end)
            self.assertEqual(client.heard(), "")
            client.lose()
        self.assertEqual(self.shelf.mails, [])

    def test_long(self) -> None:
        """A line that is too long does not make commands of the rest: the mail is refused at its end."""
        client = self.client().ready()
        self.assertEqual(client.raw(b"A: " + b"x" * 60), "")
        self.assertEqual(client.raw(b"x" * 60 + b"\r\nMAIL FROM:<evil@x>\r\n"), "")
        self.assertRegex(client.sends(b""), "^554 5.6.0 A line is longer than 100 bytes")
        self.assertRegex(client.ready().sends(b"A: " + b"x" * 97 + b"\r\n"), "^250 ")

    def test_tooLarge(self) -> None:
        """A mail that is larger than it may be is 552 at its end, and the session goes on."""
        line = b"x" * 98 + b"\r\n"
        client = self.client().ready()
        self.assertRegex(client.sends(line * 10), "^250 ")
        self.assertRegex(client.ready().sends(line * 10 + b"\r\n"), "^552 5.3.4 ")
        self.assertEqual(len(self.shelf.mails), 1)

    def test_endless(self) -> None:
        """Who sends on and on is sent away."""
        client = self.client().ready()
        self.assertRegex(client.raw(b"x\r\n" * 700), "^552 5.3.4 ")
        self.assertTrue(client.gone)

    def test_bytes(self) -> None:
        """Bytes over 127 are kept as they are (8BITMIME)."""
        content = b"Subject: gr\xc3\xbcn\r\n\r\n" + bytes(range(128, 256)) + b"\r\n"
        self.post.limit(SmtpLimits())
        self.assertEqual(self.stored(content), content)

    def test_large(self) -> None:
        """A mail larger than what is kept in memory arrives whole."""
        content = b"A: b\r\n\r\n" + b"..%070d\r\n" % 7 * 20_000
        client = self.client()
        self.post.limit(SmtpLimits())
        client.ready()
        for start in range(0, len(content), 65_536):
            client.raw(content[start : start + 65_536])
        client.sends(b"")
        self.assertTrue(self.shelf.mails[0][1].endswith(content.replace(b"..", b".")))


class DeliveryTests(IntakeCase):
    def test_durable(self) -> None:
        """The 250 comes when every delivery is done, and not before; meanwhile nothing is read."""
        self.shelf.held = []
        client = self.client().ready("ann@example.org", "bob@example.org")
        self.assertEqual(client.sends(MAIL), "")
        self.assertEqual(client.wire.producerState, "paused")
        self.shelf.held.pop().callback(None)
        self.assertEqual(client.heard(), "")
        self.shelf.held.pop().callback(None)
        self.assertRegex(client.heard(), "^250 2.0.0 ")
        self.assertEqual(client.wire.producerState, "producing")

    def test_answersInOrder(self) -> None:
        """Commands that come during a delivery are answered after it."""
        self.shelf.held = []
        client = self.client().ready()
        self.assertEqual(client.raw(MAIL + b".\r\nNOOP\r\nMAIL FROM:<a@b>\r\n"), "")
        self.assertEqual(client.raw(b"QUIT\r\n"), "")
        self.shelf.held.pop().callback(None)
        self.assertEqual([line[:3] for line in client.heard().splitlines()], ["250", "250", "250", "221"])

    def test_failure(self) -> None:
        """If one delivery fails the answer is 451, so that the sender tries again; the log says why."""
        self.shelf.broken["bob@example.org"] = OSError(errno.ENOSPC, "No space left on device")
        client = self.client().ready("ann@example.org", "bob@example.org")
        self.assertRegex(client.sends(MAIL), "^451 4.3.0 ")
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.shelf.broken.clear()
        self.assertRegex(client.ready("bob@example.org").sends(MAIL), "^250 ")

    def test_gone(self) -> None:
        """A mail whose end never came is not delivered."""
        client = self.client().ready()
        client.raw(MAIL)
        client.lose()
        self.assertEqual(self.shelf.mails, [])

    def test_goneDuringDelivery(self) -> None:
        """A client that leaves during the delivery leaves nothing behind; the mail is delivered."""
        self.shelf.held = []
        client = self.client().ready()
        client.sends(MAIL)
        client.lose()
        self.shelf.held.pop().callback(None)
        self.assertEqual([user for user, _ in self.shelf.mails], ["ann"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bounded(self) -> None:
        """Only so many mails are handed over at a time; the others wait."""
        self.shelf.held = []
        self.post.limit(SmtpLimits())
        clients = [self.client().ready() for _ in range(6)]
        for client in clients:
            client.sends(MAIL)
        self.assertEqual(len(self.shelf.held), 4)
        while self.shelf.held:
            self.shelf.held.pop(0).callback(None)
        self.assertEqual(len(self.shelf.mails), 6)


class LimitTests(IntakeCase):
    def test_longCommand(self) -> None:
        """A command that is too long is 500; one that never ends ends the session."""
        client = self.client()
        self.assertRegex(client.says("NOOP " + "x" * 200), "^500 5.5.2 ")
        self.assertRegex(client.says("NOOP"), "^250 ")
        self.assertRegex(client.raw(b"x" * 201), "^500 5.5.2 ")
        self.assertTrue(client.gone)

    def test_loneLF(self) -> None:
        """Lines that end with LF alone are told what is wrong at once."""
        client = self.client()
        self.assertRegex(client.raw(b"EHLO me\n"), "^500 5.5.2 .*CR LF")
        self.assertTrue(client.gone)

    def test_errors(self) -> None:
        """After some refused commands the session is over."""
        client = self.client()
        self.assertEqual([client.says("FOO")[:3] for _ in range(4)], ["500", "500", "500", "421"])
        self.assertTrue(client.gone)
        self.assertEqual(client.says("NOOP"), "")

    def test_chatter(self) -> None:
        """A client that asks for very many answers and sends no mail is sent away."""
        self.post.limit(SmtpLimits(answers=50, recipients=10))
        answers = self.client().raw(b"NOOP\r\n" * 1000)
        self.assertEqual(len(answers.splitlines()), 61)
        self.assertIn("\r\n421 4.7.0 ", answers)

    def test_manyMails(self) -> None:
        """A session may bring any number of mails."""
        self.post.limit(SmtpLimits(answers=10, recipients=5))
        client = self.client()
        for _ in range(20):
            self.assertRegex(client.ready().sends(MAIL), "^250 ")

    def test_browser(self) -> None:
        """A browser that was sent here by a web page is cut off at once."""
        client = self.client()
        answers = client.raw(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO me\r\nMAIL FROM:<a@b>\r\n")
        self.assertEqual(len(answers.splitlines()), 1)
        self.assertTrue(client.gone)

    def test_earlyContent(self) -> None:
        """Content that comes along with DATA is never taken for commands."""
        client = self.client()
        client.says("EHLO me", "MAIL FROM:<a@b>", "RCPT TO:<ann@localhost>")
        self.assertRegex(client.raw(b"DATA\r\n" + MAIL + b".\r\n"), "^503 5.5.0 ")
        self.assertTrue(client.gone)

    def test_perAddress(self) -> None:
        """Connections of one address over the limit are 421; a place is free again when one leaves."""
        first, _, third = self.client(), self.client(), self.client()
        self.assertRegex(third.greeting, "^421 4.7.0 .*your address")
        self.assertTrue(third.gone)
        first.lose()
        self.clients.remove(first)
        self.assertRegex(self.client().greeting, "^220 ")

    def test_total(self) -> None:
        """Connections over the limit for all are 421."""
        greetings = [self.client(f"192.0.2.{n}").greeting[:4] for n in range(4)]
        self.assertEqual(greetings, ["220 ", "220 ", "220 ", "421 "])

    def test_rate(self) -> None:
        """Mails of one address over the rate are 451; others come in, and after the time it does too."""
        client, other = self.client(), self.client("192.0.2.8")
        for _ in range(5):
            self.assertRegex(client.ready().sends(MAIL), "^250 ")
        self.assertRegex(client.says("EHLO me", "MAIL FROM:<a@b>"), "^451 4.7.1 .* 12 s")
        self.assertRegex(other.ready().sends(MAIL), "^250 ")
        self.clock.advance(12)
        self.assertRegex(client.ready().sends(MAIL), "^250 ")

    def test_silent(self) -> None:
        """A client that is silent is told 421 and closed; what it says puts that off."""
        client = self.client()
        self.clock.advance(299)
        client.says("NOOP")
        self.clock.advance(299)
        self.assertFalse(client.gone)
        self.clock.advance(1)
        self.assertRegex(client.heard(), "^421 4.4.2 ")
        self.assertTrue(client.gone)

    def test_slow(self) -> None:
        """A client that sends a byte now and then is closed when its session is too old."""
        client = self.client()
        for _ in range(36):
            self.clock.advance(100)
            client.raw(b"N")
        self.assertTrue(client.gone)

    def test_deaf(self) -> None:
        """A client that does not read its last answer is cut off after a while."""
        client = self.client()
        client.says("QUIT")
        self.clock.advance(LINGER - 1)
        self.assertFalse(client.wire.disconnected)
        self.clock.advance(1)
        self.assertTrue(client.wire.disconnected)

    def test_noTimeOutDuringDelivery(self) -> None:
        """A delivery that takes long does not time the client out; an old session ends after the answer."""
        self.shelf.held = []
        client = self.client().ready()
        client.sends(MAIL)
        self.clock.pump([100] * 40)
        self.assertEqual(client.heard(), "")
        self.shelf.held.pop().callback(None)
        self.assertRegex(client.heard(), "^250 ")
        self.assertTrue(client.gone)

    def test_farewell(self) -> None:
        """When the service stops clients are told 421; a mail that is being delivered is answered first."""
        self.shelf.held = []
        idle, busy = self.client(), self.client()
        busy.ready().sends(MAIL)
        self.factory.stopFactory()
        self.assertRegex(idle.heard(), "^421 4.3.2 ")
        self.assertEqual(busy.heard(), "")
        self.assertFalse(busy.gone)
        self.shelf.held.pop().callback(None)
        self.assertRegex(busy.heard(), "^250 ")
        self.assertTrue(busy.gone)


class DeliveredTests(IntakeCase):
    """Who wants to know of mails that are in a mailbox."""

    def test_told(self) -> None:
        """Each mail that is on disk is told of, once for each account, with its sender and without its trace."""
        told: list[tuple[str, str, bytes]] = []
        self.post.delivered = lambda *what: told.append(what)
        self.shelf.held = []
        client = self.client().ready()
        client.sends(MAIL)
        self.assertEqual(told, [])
        self.shelf.held.pop().callback(None)
        self.assertEqual([account for account, _, _ in told], [user for user, _ in self.shelf.mails])
        self.assertTrue(all(sender and not content.startswith(b"Return-Path") for _, sender, content in told))

    def test_notTold(self) -> None:
        """A mail that could not be delivered is not told of."""
        told: list[object] = []
        self.post.delivered = lambda *what: told.append(what)
        self.shelf.broken["ann"] = OSError("no space")
        self.client().ready().sends(MAIL)
        self.assertEqual(told, [])
        self.flushLoggedErrors(OSError)


class STARTTLSTests(IntakeCase):
    def setUp(self) -> None:
        super().setUp()
        self.post.tls = object()  # type: ignore[assignment]

    def test_begins(self) -> None:
        """STARTTLS is offered, begins TLS, and then is offered no more; the mail's trace tells."""
        client = self.client(tls=True)
        self.assertIn("STARTTLS", client.raw(b"EHLO me\r\n"))
        self.assertRegex(client.says("STARTTLS"), "^220 2.0.0 ")
        self.assertIs(client.wire.tls, self.post.tls)
        self.assertNotIn("STARTTLS", client.raw(b"EHLO me\r\n"))
        self.assertRegex(client.says("STARTTLS"), "^503 5.5.1 ")
        client.ready().sends(MAIL)
        self.assertIn(b"with ESMTPS id", self.shelf.mails[0][1])

    def test_forgets(self) -> None:
        """What was said in the clear is forgotten."""
        client = self.client(tls=True)
        client.says("EHLO me", "MAIL FROM:<a@b>", "STARTTLS")
        self.assertRegex(client.says("MAIL FROM:<a@b>"), "^503 ")

    def test_injected(self) -> None:
        """What came in the clear along with STARTTLS is never taken for what comes in TLS."""
        client = self.client(tls=True)
        self.assertRegex(client.raw(b"STARTTLS\r\nEHLO evil\r\n"), "^503 5.5.0 ")
        self.assertTrue(client.gone)
        self.assertIsNone(client.wire.tls)

    def test_noTransport(self) -> None:
        """A connection that cannot do TLS is not offered it."""
        client = self.client()
        self.assertNotIn("STARTTLS", client.raw(b"EHLO me\r\n"))
        self.assertRegex(client.says("STARTTLS"), "^502 ")


del IntakeCase
