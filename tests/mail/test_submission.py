"""Tests of the submission client, in memory."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.mail.conversation import LINES, Answer
from gateway.mail.server import Fate, Login, Mail, Result, Said, Security, Server, Unreachable
from gateway.mail.session import wire_form
from gateway.mail.submission import Submission
from tests.mail.wire import Dial

TEXT = b"Subject: x\r\n\r\nhello\r\n"
MAIL = Mail("me@example.org", ("ann@example.net",), TEXT)
TWO = Mail("me@example.org", ("ann@example.net", "bob@example.net"), TEXT)
ALL = ("SIZE 1000", "8BITMIME", "AUTH PLAIN LOGIN")
LOGIN = Login("user", "secret")


class SubmissionCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.dial = Dial(self.clock)

    def tearDown(self) -> None:
        closed = Deferred.fromCoroutine(self.submission.close())
        self.clock.advance(6)
        self.clock.advance(0)
        self.successResultOf(closed)
        self.assertTrue(all(wire.lost for wire in self.dial.wires))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def make(self, **changed: Any) -> None:
        self.submission = Submission(self.dial.server(**changed), self.clock)

    def send(self, mail: Mail = MAIL) -> Deferred[Result]:
        if not hasattr(self, "submission"):
            self.make()
        return Deferred.fromCoroutine(self.submission.send(mail))

    def begun(self, *offers: str, mail: Mail = MAIL) -> Deferred[Result]:
        """A mail whose MAIL was said."""
        done = self.send(mail)
        self.dial.greets(*(offers or ALL))
        return done

    def unreachable(self, done: Deferred[Result]) -> str:
        self.clock.advance(0)
        return str(self.failureResultOf(done, Unreachable).value)

    def fate(self, done: Deferred[Result]) -> Fate:
        return self.successResultOf(done).fate


class ConversationTests(SubmissionCase):
    def test_whole(self) -> None:
        """A mail goes out as RFC 5321 has it, and the server's words come back."""
        done = self.send()
        self.assertEqual(self.dial.heard(), "")
        self.assertEqual(self.dial.says("220-hello", "220 there"), "EHLO me\r\n")
        self.assertEqual(
            self.dial.says("250-mail", "250-size 1000", "250 8BITMIME"), "MAIL FROM:<me@example.org> SIZE=21\r\n"
        )
        self.assertEqual(self.dial.says("250 ok"), "RCPT TO:<ann@example.net>\r\n")
        self.assertEqual(self.dial.says("250 ok"), "DATA\r\n")
        self.assertEqual(self.dial.says("354 go"), TEXT.decode() + ".\r\n")
        self.assertEqual(self.dial.says("250-2.0.0 Ok:", "250 queued as 1"), "")
        self.assertEqual(
            self.successResultOf(done), Result({"ann@example.net": Said(Fate.TAKEN, "250 2.0.0 Ok: queued as 1")})
        )

    def test_nullSender(self) -> None:
        """A mail without a sender goes out with the empty one."""
        self.send(Mail("", ("ann@example.net",), TEXT))
        self.dial.says("220 hello")
        self.assertEqual(self.dial.says("250 mail"), "MAIL FROM:<>\r\n")

    def test_old(self) -> None:
        """A server that does not know EHLO is greeted with HELO; one that is only not ready is not."""
        self.send()
        self.dial.says("220 hello")
        self.assertEqual(self.dial.says("502 what?"), "HELO me\r\n")
        self.assertEqual(self.dial.says("250 mail"), "MAIL FROM:<me@example.org>\r\n")

    def test_notReady(self) -> None:
        """A server that does not greet is unreachable, and the mail is not to blame."""
        for lines in (
            ("554 no",),
            ("421 busy",),
            ("220 hi", "421 busy"),
            ("220 hi", "500 no", "550 no"),
            ("nonsense",),
        ):
            done = self.send()
            self.dial.says(*lines)
            self.assertIn("mail.example.net: ", self.unreachable(done), lines)

    def test_noConnection(self) -> None:
        """If there is no connection the reason is told."""
        self.dial.refuse = ConnectionRefusedError()
        self.assertIn("no connection: Connection was refused", self.unreachable(self.send()))

    def test_connectionTakesTooLong(self) -> None:
        """A connection that does not come about is given up in time."""
        self.dial.held = []
        done = self.send()
        self.clock.advance(29)
        self.assertNoResult(done)
        self.clock.advance(1)
        self.assertIn("no connection: ", self.unreachable(done))
        self.dial.held = None

    def test_several(self) -> None:
        """The next mail takes the connection that is there, and so do mails that are sent at the same time."""
        first = self.begun()
        second = self.send(TWO)
        self.dial.takes()
        self.assertEqual(self.fate(first), Fate.TAKEN)
        self.assertNoResult(second)
        self.dial.takes(TWO.recipients)
        self.assertEqual(self.fate(second), Fate.TAKEN)
        third = self.send()
        self.dial.takes()
        self.assertEqual(self.fate(third), Fate.TAKEN)
        self.assertEqual(len(self.dial.wires), 1)

    def test_idle(self) -> None:
        """A connection that nobody needs is left politely after a while."""
        self.begun()
        self.dial.takes()
        self.clock.advance(14)
        self.assertEqual(self.dial.heard(), "")
        self.clock.advance(1)
        self.assertEqual(self.dial.says(), "QUIT\r\n")
        self.dial.says("221 bye")
        self.clock.advance(0)
        self.assertTrue(self.dial.wires[0].lost)

    def test_deafAtTheEnd(self) -> None:
        """A server that does not answer QUIT is left all the same."""
        self.begun()
        self.dial.takes()
        self.clock.advance(15)
        self.clock.advance(5)
        self.clock.advance(0)
        self.assertTrue(self.dial.wires[0].lost)

    def test_wornOut(self) -> None:
        """After some mails a new connection is made."""
        self.make(mails=2)
        self.begun()
        self.dial.takes()
        self.send()
        self.dial.takes()
        self.assertEqual(self.dial.last, "QUIT\r\n")
        self.dial.says("221 bye")
        third = self.begun()
        self.dial.takes()
        self.assertEqual(self.fate(third), Fate.TAKEN)
        self.assertEqual(len(self.dial.wires), 2)

    def test_closedWhileIdle(self) -> None:
        """A connection that the server closed meanwhile is replaced, before or after MAIL was said."""
        self.begun()
        self.dial.takes()
        self.dial.vanishes()
        second = self.begun()
        self.dial.takes()
        self.assertEqual(self.fate(second), Fate.TAKEN)
        for end in (self.dial.vanishes, lambda: self.dial.says("421 4.4.2 timeout")):
            third = self.send()
            self.assertIn("MAIL FROM", self.dial.heard())
            end()
            self.dial.greets()
            self.dial.takes()
            self.assertEqual(self.fate(third), Fate.TAKEN)
        self.assertEqual(len(self.dial.wires), 4)

    def test_brokenAfterAnAnswer(self) -> None:
        """A connection that breaks after an answer about the mail is not replaced at once."""
        self.begun()
        self.dial.takes()
        second = self.send()
        self.dial.says("250 ok")
        self.dial.vanishes()
        self.assertEqual(self.successResultOf(second).fate, Fate.LATER)
        self.assertEqual(len(self.dial.wires), 1)


class FateTests(SubmissionCase):
    def test_recipients(self) -> None:
        """Each recipient has its own fate; the mail has the best of them."""
        done = self.begun(mail=Mail("", ("a@x", "b@x", "c@x", "d@x"), TEXT))
        self.dial.says("250 ok", "250 ok", "450 4.2.1 later", "550 5.1.1 unknown", "552 5.5.3 too many")
        self.dial.says("354 go", "250 2.0.0 queued")
        result = self.successResultOf(done)
        self.assertEqual([said.fate.value for said in result.said.values()], ["taken", "later", "refused", "later"])
        self.assertEqual(result.fate, Fate.TAKEN)
        self.assertEqual(
            result.text,
            "250 2.0.0 queued; b@x: 450 4.2.1 later; c@x: 550 5.1.1 unknown; d@x: 452 5.5.3 too many",
        )
        self.assertEqual(result.of(Fate.LATER), ("b@x", "d@x"))

    def test_refused(self) -> None:
        """5xx is for good and 4xx for now, whatever it answers, and the connection goes on."""
        for lines, fate in {
            ("550 5.7.1 no",): Fate.REFUSED,
            ("451 4.3.0 later",): Fate.LATER,
            ("530 5.7.0 log in first",): Fate.LATER,
            ("250 ok", "550 5.1.1 no"): Fate.REFUSED,
            ("250 ok", "452 4.3.1 later"): Fate.LATER,
            ("250 ok", "250 ok", "554 5.5.1 no"): Fate.REFUSED,
            ("250 ok", "250 ok", "354 go", "554 5.6.0 no"): Fate.REFUSED,
            ("250 ok", "250 ok", "354 go", "451 4.3.0 later"): Fate.LATER,
        }.items():
            done = self.begun() if not self.dial.wires else self.send()
            self.dial.says(*lines[:-1])
            self.assertIn("RSET", self.dial.says(lines[-1]), lines)
            self.dial.says("250 ok")
            result = self.successResultOf(done)
            self.assertEqual((result.fate, result.text), (fate, lines[-1]), lines)
            self.assertFalse(result.broken)
        self.assertEqual(len(self.dial.wires), 1)

    def test_goes(self) -> None:
        """421 at any time is for now, and the connection is over."""
        for lines in ((), ("250 ok",), ("250 ok",) * 2, ("250 ok", "250 ok", "354 go")):
            done = self.begun()
            self.dial.says(*lines, "421 4.3.2 shutting down")
            result = self.successResultOf(done)
            self.assertEqual((result.fate, result.broken), (Fate.LATER, True), lines)
            self.assertIn("421 4.3.2 shutting down", result.text)

    def test_brokenBefore(self) -> None:
        """A connection that breaks before the end of the mail was sent: the server cannot have it."""
        for lines in ((), ("250 ok",), ("250 ok",) * 2):
            done = self.begun()
            self.dial.says(*lines)
            self.dial.vanishes()
            self.assertEqual(self.fate(done), Fate.LATER, lines)

    def test_brokenInTheMiddle(self) -> None:
        """A connection that breaks while the content is sent: the server cannot have it."""
        done = self.begun("AUTH PLAIN", mail=Mail("", ("a@x",), b"x" * 100_000))
        self.dial.wires[-1].stalled = True
        self.dial.says("250 ok", "250 ok", "354 go")
        self.dial.wires[-1].producer.resumeProducing()
        self.assertNoResult(done)
        self.dial.vanishes()
        self.assertEqual(self.fate(done), Fate.LATER)

    def test_brokenAfter(self) -> None:
        """A connection that breaks after the end of the mail was sent: the server may have it."""
        for end in (self.dial.vanishes, lambda: self.clock.advance(600), lambda: self.dial.says("what?")):
            done = self.begun()
            self.dial.says("250 ok", "250 ok", "354 go")
            end()
            result = self.successResultOf(done)
            self.assertEqual((result.fate, result.broken), (Fate.DOUBT, True))

    def test_doubtIsForThoseAccepted(self) -> None:
        """A recipient that was refused before is not in doubt."""
        done = self.begun(mail=TWO)
        self.dial.says("250 ok", "550 5.1.1 no", "250 ok", "354 go")
        self.dial.vanishes()
        self.assertEqual(
            [said.fate.value for said in self.successResultOf(done).said.values()], ["refused", "in doubt"]
        )

    def test_early(self) -> None:
        """An answer before the end of the mail counts, and the rest is not sent."""
        for line, fate in {
            "552 5.3.4 too big": Fate.REFUSED,
            "452 4.3.1 full": Fate.LATER,
            "250 ok": Fate.LATER,
        }.items():
            done = self.begun("8BITMIME", mail=Mail("", ("a@x",), b"x" * 100_000))
            self.dial.wires[-1].stalled = True
            self.dial.says("250 ok", "250 ok", "354 go")
            self.dial.says(line)
            result = self.successResultOf(done)
            self.assertEqual((result.fate, result.broken), (fate, True), line)

    def test_silent(self) -> None:
        """A server that is silent is given up in time, at every step."""
        for lines, seconds in (((), 120), (("250 ok",), 120), (("250 ok",) * 2, 120)):
            done = self.begun()
            self.dial.says(*lines)
            self.clock.advance(seconds - 1)
            self.assertNoResult(done)
            self.clock.advance(1)
            self.assertEqual(self.successResultOf(done).text, "the server did not answer in time")
        done = self.send()
        self.clock.advance(120)
        self.assertIn("in time", self.unreachable(done))

    def test_slow(self) -> None:
        """A server that takes the content slowly has time for each block."""
        done = self.begun("8BITMIME", mail=Mail("", ("a@x",), b"x" * 100_000))
        wire = self.dial.wires[-1]
        wire.stalled = True
        self.dial.says("250 ok", "250 ok", "354 go")
        for _ in range(3):
            self.clock.advance(179)
            wire.producer.resumeProducing()
        self.assertNoResult(done)
        self.clock.advance(180)
        self.assertEqual(self.fate(done), Fate.LATER)

    def test_dataTaken(self) -> None:
        """A server that answers DATA as if it had the mail already is not believed."""
        done = self.begun()
        self.dial.says("250 ok", "250 ok", "250 ok")
        result = self.successResultOf(done)
        self.assertEqual((result.fate, result.broken), (Fate.LATER, True))

    def test_stopped(self) -> None:
        """What is being sent when we have to stop ends at once with what is known of it."""
        self.dial.held = []
        done = self.send()
        self.submission.abort()
        self.assertIn("we have to stop", self.unreachable(done))
        self.dial.held = None
        for lines, fate in (((), Fate.LATER), (("250 ok", "250 ok", "354 go"), Fate.DOUBT)):
            done = self.begun()
            self.dial.says(*lines)
            self.submission.abort()
            self.assertEqual(self.fate(done), fate)
        done = self.send()
        self.submission.abort()
        self.assertIn("we have to stop", self.unreachable(done))

    def test_stoppedOnAnOldConnection(self) -> None:
        """What is stopped on a connection that is used again does not make a new one."""
        self.begun()
        self.dial.takes()
        done = self.send()
        self.submission.abort()
        self.assertEqual(self.fate(done), Fate.LATER)
        self.assertEqual(len(self.dial.wires), 1)

    def test_cancelled(self) -> None:
        """Whoever cancels is told so."""
        self.dial.held = []
        done = self.send()
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.dial.held = None


class HostileTests(SubmissionCase):
    def test_endlessAnswer(self) -> None:
        """An answer that never ends is not listened to, nor is a line that never ends, nor one that is none."""
        for lines in (["250-x"] * (LINES + 1), ["0"] * (LINES + 1), ["x" * 20_000], ["\xff\xfe"], ["-12 x"], ["199 x"]):
            done = self.begun()
            self.dial.says(*lines)
            result = self.successResultOf(done)
            self.assertEqual((result.fate, result.broken), (Fate.LATER, True), lines[0][:9])

    def test_unasked(self) -> None:
        """An answer that nobody asked for ends the connection: what follows could be taken for something else."""
        self.begun()
        self.dial.takes()
        self.dial.says("250 ok")
        second = self.begun()
        self.dial.takes()
        self.assertEqual(self.fate(second), Fate.TAKEN)
        self.assertEqual(len(self.dial.wires), 2)

    def test_unprintable(self) -> None:
        """What the server says comes back in one line of printable ASCII of bounded length."""
        done = self.begun()
        self.dial.says("550-\x1b[31mr\xf6t\0", "550 " + "x" * 5000)
        self.dial.says("250 ok")
        text = self.successResultOf(done).text
        self.assertRegex(text, r"^550 \[31mr t\s+x+$")
        self.assertLess(len(text), 420)

    def test_addresses(self) -> None:
        """An address that would break the command out of its line is refused, and nothing is sent."""
        for address in ("a@x>\r\nDATA", "a@x\n", "<a@x>", "a b@x", "\xe4@x", "", "x" * 400):
            done = self.begun() if not self.dial.wires else None
            if done is not None:
                self.dial.takes()
            done = self.send(Mail("me@x", (address,), TEXT))
            self.assertEqual(self.fate(done), Fate.REFUSED, address)
            done = self.send(Mail(address or "a b", ("ann@x",), TEXT))
            self.assertEqual(self.fate(done), Fate.REFUSED, address)
        self.assertEqual(self.dial.heard(), "")

    def test_nobody(self) -> None:
        """A mail without recipients is refused."""
        done = self.begun(mail=Mail("me@x", (), TEXT))
        result = self.successResultOf(done)
        self.assertEqual((result.fate, result.text), (Fate.REFUSED, "there is no recipient"))


class ContentTests(SubmissionCase):
    def test_dots(self) -> None:
        """Dots that begin a line are doubled, wherever they stand; lines end with CR LF."""
        for content, wire in {
            b".\r\n": b"..\r\n",
            b".x\r\n.\r\n..y\r\n": b"..x\r\n..\r\n...y\r\n",
            b"a\nb\n.c": b"a\r\nb\r\n..c\r\n",
            b"a\r.b\r\n": b"a\r\n..b\r\n",
            b"a\r\n\n.b\r\n": b"a\r\n\r\n..b\r\n",
            b"": b"\r\n",
            b"a": b"a\r\n",
        }.items():
            self.assertEqual(wire_form(content), wire, content)
        self.make()

    def test_blocks(self) -> None:
        """A large mail arrives as it is, with a dot at the edge of every block."""
        content = (b"x" * 126 + b"\r\n.") * 5000 + b"\r\n"
        done = self.begun("8BITMIME", mail=Mail("", ("a@x",), content))
        sent = self.dial.takes()
        self.assertEqual(self.fate(done), Fate.TAKEN)
        self.assertEqual(sent.encode(), content.replace(b"\r\n.", b"\r\n..") + b".\r\n")

    def test_size(self) -> None:
        """A mail that is larger than the server takes is refused without asking; without a limit it is asked."""
        done = self.begun("SIZE 20")
        self.assertRegex(self.successResultOf(done).text, "^5.3.4 the mail has 21 bytes")
        self.assertEqual(self.dial.heard(), "")
        for offers in ("SIZE", "SIZE 0", "SIZE x", "SIZE 21"):
            self.dial.vanishes()
            self.send()
            self.dial.says("220 hello")
            self.assertIn(" SIZE=21", self.dial.says("250-mail", f"250 {offers}"), offers)

    def test_eightBit(self) -> None:
        """8-bit content is announced, and refused if the server takes none."""
        mail = Mail("", ("a@x",), b"Subject: x\r\n\r\n\xe4\r\n")
        self.assertRegex(self.successResultOf(self.begun("SIZE", mail=mail)).text, "^5.6.3 ")
        self.dial.vanishes()
        self.send(mail)
        self.dial.says("220 hello")
        self.assertEqual(self.dial.says("250-mail", "250 8BITMIME"), "MAIL FROM:<> BODY=8BITMIME\r\n")


class SecurityTests(SubmissionCase):
    def test_startTLS(self) -> None:
        """STARTTLS comes before everything else, and what was offered in the clear is forgotten."""
        self.make(security=Security.STARTTLS, login=LOGIN)
        done = self.send()
        self.dial.says("220 hello")
        self.assertEqual(self.dial.says("250-mail", "250-AUTH PLAIN", "250 STARTTLS"), "STARTTLS\r\n")
        self.assertIsNone(self.dial.wires[0].tls)
        self.assertEqual(self.dial.says("220 go"), "EHLO me\r\n")
        self.assertIsNotNone(self.dial.wires[0].tls)
        self.dial.says("250 mail")
        self.clock.advance(5)
        self.assertIn("PLAIN and LOGIN", self.unreachable(done))

    def test_noStartTLS(self) -> None:
        """A server that does not begin TLS gets nothing."""
        self.make(security=Security.STARTTLS)
        for lines in (("250 mail",), ("502 no", "250 mail"), ("250-mail", "250 STARTTLS", "454 4.7.0 not now")):
            done = self.send()
            self.dial.says("220 hello", *lines)
            self.assertNotIn("MAIL", self.dial.heard())
            self.clock.advance(5)
            self.assertIn("TLS", self.unreachable(done))
            self.assertIsNone(self.dial.wires[-1].tls)

    def test_injected(self) -> None:
        """What came in the clear along with the answer to STARTTLS is never taken for what comes in TLS."""
        self.make(security=Security.STARTTLS)
        done = self.send()
        self.dial.says("220 hello", "250-mail", "250 STARTTLS")
        self.dial.says("220 go\r\n250 evil")
        self.clock.advance(5)
        self.assertIn("in the clear", self.unreachable(done))
        self.assertIsNone(self.dial.wires[-1].tls)

    def logged_in(self, *offers: str, **changed: Any) -> str:
        self.make(login=LOGIN, clear_login=True, **changed)
        self.send()
        self.dial.says("220 hello")
        return self.dial.says("250-mail", *(f"250-{offer}" for offer in offers), "250 END")

    def test_plain(self) -> None:
        """PLAIN is taken before LOGIN, in the way that old servers write it too."""
        for offer in ("AUTH LOGIN PLAIN", "auth plain", "AUTH=LOGIN PLAIN"):
            said = self.logged_in(offer)
            self.assertEqual(b64decode(said.removeprefix("AUTH PLAIN ")), b"\0user\0secret")
            self.assertIn("MAIL FROM", self.dial.says("235 yes"))
            self.dial.vanishes()

    def test_login(self) -> None:
        """LOGIN tells the name and the password when it is asked for them."""
        for offer in ("AUTH LOGIN CRAM-MD5", "AUTH=LOGIN"):
            self.assertEqual(self.logged_in(offer), "AUTH LOGIN\r\n")
            self.assertEqual(b64decode(self.dial.says("334 VXNlcm5hbWU6")), b"user")
            self.assertEqual(b64decode(self.dial.says("334 UGFzc3dvcmQ6")), b"secret")
            self.assertIn("MAIL FROM", self.dial.says("235 yes"))
            self.dial.vanishes()

    def test_declined(self) -> None:
        """A password that is not taken is told, and it is not about the mail."""
        for offer, lines in (("AUTH PLAIN", ("535 5.7.8 no",)), ("AUTH LOGIN", ("334 x", "535 5.7.8 no"))):
            self.make(login=LOGIN, clear_login=True)
            done = self.send()
            self.dial.says("220 hello", "250-mail", f"250 {offer}", *lines)
            self.clock.advance(5)
            self.assertIn("535 5.7.8 no", self.unreachable(done))

    def test_clear(self) -> None:
        """The password does not go over a connection without TLS, unless that is allowed."""
        self.make(login=LOGIN)
        done = self.begun()
        self.assertEqual(self.dial.last, "QUIT\r\n")
        self.clock.advance(5)
        self.assertIn("without TLS", self.unreachable(done))

    def test_hidden(self) -> None:
        """The password is in no representation."""
        self.make(login=LOGIN)
        self.assertNotIn("secret", repr(self.submission))

    def test_trust(self) -> None:
        """Certificates that cannot be read are told at once."""
        self.make()
        for pem in (b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
            self.assertRaises(ValueError, self.make, trust=pem, security=Security.TLS)


class ValueTests(SynchronousTestCase):
    def test_bestFate(self) -> None:
        """The fate of a mail is that of the recipient who fared best."""
        ways = [Said(fate, fate.value) for fate in (Fate.REFUSED, Fate.LATER, Fate.DOUBT, Fate.TAKEN)]
        for number, best in enumerate(ways, 1):
            said = {str(n): one for n, one in enumerate(ways[:number])}
            self.assertEqual(Result(said).fate, best.fate)

    def test_answers(self) -> None:
        """Only 2xx is taken, only 5xx is for good."""
        fates = [Answer(code, "").said().fate for code in (200, 250, 354, 421, 450, 500, 554, 535)]
        taken, later, refused = Fate.TAKEN, Fate.LATER, Fate.REFUSED
        self.assertEqual(fates, [taken, taken, later, later, later, refused, refused, later])

    def test_server(self) -> None:
        """STARTTLS is asked for unless something else is said."""
        self.assertIs(Server(name="x", endpoint=Dial(Clock())).security, Security.STARTTLS)


del SubmissionCase
