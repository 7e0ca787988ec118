"""Postfix as an operator's gateway of SMS, and the sink that comes with it: letters go out, bounces come back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.trial.unittest import TestCase

from gateway.config import Config, Operator, Smtp
from gateway.config.sending import NumberForm
from gateway.core.retrying import Retry
from gateway.mail.pump import Pump
from gateway.mail.returns import Returns
from gateway.mail.server import Fate, Login, Mail, Security, Server, Timeouts, Unreachable
from gateway.mail.submission import Submission
from gateway.model import DeviceKey
from gateway.service.mailout import MailOut, bounce_addresses
from gateway.sources.doors import BounceDoor
from gateway.sources.smtpin import Post, Recipients, SmtpFactory
from gateway.trigger import Letter, LetterState, Outcome
from tests.functional.postfix import NAME, NO_POSTFIX, NO_SASL, NO_SINK, PASSWORD, USER, addresses, postfix, sink, soon
from tests.sources.test_smtpin import Names, Shelf
from tests.stores import new_store

ROUTE = "smtp:big"
CONFIG = Config(
    smtp=Smtp(domains=("example.org",)),
    operators={
        "big": Operator(
            smtp_address="{number}@sms.example.net",
            number_form=NumberForm.DIGITS,
            smtp_sender="sms@example.org",
            smtp_server="tcp:127.0.0.1:25",
        )
    },
)
SENT, FAILED = LetterState.SENT, LetterState.FAILED


def letters(count: int) -> list[Letter]:
    """Triggers for so many devices."""
    return [
        Letter(DeviceKey("ann", f"phone{n}"), ROUTE, f"+4917012345{n:02d}", guid=f"35395ce4-{n}") for n in range(count)
    ]


class SendingCase(TestCase):
    """A store, and a pump to a server."""

    timeout = 120

    def setUp(self) -> None:
        self.store = new_store()
        self.outcomes: list[Outcome] = []
        self.out = MailOut(CONFIG, self.store.outbox, reactor, self.now, "gw.example.org", lambda *_: None)

    def now(self) -> float:
        return datetime.now(UTC).timestamp()

    def server(self, port: int, **changed: Any) -> Server:
        endpoint = HostnameEndpoint(reactor, "127.0.0.1", port)  # type: ignore[arg-type]
        return Server(**{"name": NAME, "endpoint": endpoint, "security": Security.NONE, **changed})

    def pump(self, port: int, **changed: Any) -> Pump:
        pump = Pump(
            ROUTE,
            self.store.outbox,
            Submission(self.server(port, **changed), reactor),  # type: ignore[arg-type]
            self.out.render,
            reactor,  # type: ignore[arg-type]
            self.now,
            Retry((0.2,), 60.0),
            lambda letter, outcome: self.outcomes.append(outcome),
            Retry((0.2,), 0.0),
        )
        self.addCleanup(lambda: Deferred.fromCoroutine(pump.stop(1.0)))
        return pump

    async def unreachable(self, port: int, **changed: Any) -> str:
        """Why a server cannot be used."""
        submission = Submission(self.server(port, **changed), reactor)  # type: ignore[arg-type]
        sent = Deferred.fromCoroutine(submission.send(Mail("", ("x@sms.example.net",), b"x\r\n")))
        return str(await self.assertFailure(sent, Unreachable))

    async def send(self, pump: Pump, count: int) -> None:
        """Queue letters and wait until all of them are settled for good."""
        await self.store.outbox.put(letters(count))
        pump.start()
        await soon(lambda: self.over() == count, f"{count} letters")

    def over(self) -> int:
        return sum(outcome.state in (SENT, FAILED) for outcome in self.outcomes)

    async def states(self) -> list[LetterState]:
        return [letter.state for letter in await self.store.outbox.letters(None, None, 100)]


class SinkTests(SendingCase):
    skip = NO_SINK

    async def test_sent(self) -> None:
        """Triggers arrive as they should, over one connection."""
        there = sink(self)
        await self.send(self.pump(there.port), 12)
        self.assertEqual(await self.states(), [SENT] * 12)
        mails = there.mails()
        self.assertEqual(addresses(mails), [f"4917012345{n:02d}@sms.example.net" for n in range(12)])
        self.assertEqual(len({mail.partition("Received: ")[0].partition("X-Mail-Args")[0] for mail in mails}), 1)
        named = {outcome.message_id for outcome in self.outcomes}
        self.assertEqual(
            {line for mail in mails for line in mail.splitlines() if line[12:] in named},
            {f"Message-ID: {name}" for name in named},
        )
        self.assertTrue(all(mail.rstrip().rpartition("\n\n")[2].startswith("PUSHGW 35395ce4-") for mail in mails))

    async def test_puttingOff(self) -> None:
        """A server that puts off at every step gets the triggers when it takes them."""
        there = sink(self, "-r", "mail")
        pump = self.pump(there.port)
        await self.store.outbox.put(letters(2))
        pump.start()
        for command in ("rcpt", "data", "."):
            before = len(self.outcomes)
            await soon(lambda before=before: len(self.outcomes) >= before + 2, "two refusals")
            self.assertEqual(set(await self.states()), {LetterState.QUEUED})
            there.start("-r", command)
        there.start()
        await soon(lambda: self.over() == 2, "both letters")
        self.assertEqual(len(there.mails()), 2)

    async def test_refusing(self) -> None:
        """What a server refuses is not tried again."""
        there = sink(self)
        pump = self.pump(there.port)
        pump.start()
        for command in ("mail", "rcpt", "data", "."):
            there.start("-f", command)
            self.outcomes.clear()
            await self.store.outbox.put(letters(2))
            pump.kick()
            await soon(lambda: self.over() == 2, "two refusals")
            self.assertRegex(self.outcomes[0].result, "^500 ", command)
        self.assertEqual(await self.states(), [FAILED] * 8)

    async def test_cutBeforeTheEnd(self) -> None:
        """A server that is gone before the end of the mail cannot have it: it is tried as if nothing had been."""
        there = sink(self, "-q", "data")
        pump = self.pump(there.port)
        await self.store.outbox.put(letters(1))
        pump.start()
        await soon(lambda: len(self.outcomes) > 2, "some attempts")
        there.start()
        await soon(lambda: self.over() == 1, "the letter")
        self.assertFalse((await self.store.outbox.letters(None, None, 1))[0].doubted)
        self.assertEqual(len(there.mails()), 1)

    async def test_cutAtTheEnd(self) -> None:
        """A server that is gone after the end of the mail may have it: it is sent once more, and not again."""
        there = sink(self, "-q", ".")
        await self.send(self.pump(there.port), 1)
        self.assertEqual([outcome.state for outcome in self.outcomes], [LetterState.DOUBT, FAILED])

    async def test_cutOnceAtTheEnd(self) -> None:
        """What was in doubt is sent again and taken; whoever has it twice knows it by its Message-ID."""
        there = sink(self, "-q", ".")
        pump = self.pump(there.port)
        await self.store.outbox.put(letters(1))
        pump.start()
        await soon(lambda: self.outcomes, "the first attempt")
        there.start()
        await soon(lambda: self.over() == 1, "the letter")
        self.assertEqual(self.outcomes[-1].state, SENT)
        self.assertEqual([mail.count(self.outcomes[-1].message_id) for mail in there.mails()], [1, 1])

    async def test_away(self) -> None:
        """A server that is not there is waited for; nothing is lost and nothing is sent twice."""
        there = sink(self)
        there.stop()
        pump = self.pump(there.port)
        await self.store.outbox.put(letters(5))
        pump.start()
        await soon(lambda: pump.trouble, "the trouble")
        self.assertIn("no connection", pump.trouble)
        there.start()
        await soon(lambda: self.over() == 5, "the letters")
        self.assertEqual((len(there.mails()), pump.trouble), (5, ""))

    async def test_slow(self) -> None:
        """A server that is too slow is given up in the middle, and left at once at the stop."""
        there = sink(self, "-w", "30")
        pump = self.pump(there.port, timeouts=Timeouts(command=0.3))
        await self.store.outbox.put(letters(1))
        pump.start()
        await soon(lambda: self.outcomes, "the first attempt")
        self.assertEqual(self.outcomes[0].state, LetterState.QUEUED)
        self.assertIn("in time", self.outcomes[0].result)


class PostfixTests(SendingCase):
    skip = NO_SASL

    def setUp(self) -> None:
        super().setUp()
        self.sink = sink(self)
        self.postfix = postfix(self, {"sms.example.net": self.sink.port}, login=True)
        self.secured = {
            "security": Security.STARTTLS,
            "trust": self.postfix.certificate.read_bytes(),
            "login": Login(USER, PASSWORD),
        }

    async def test_operator(self) -> None:
        """Triggers go by STARTTLS and with a password to Postfix, which hands them on; one connection is enough."""
        await self.send(self.pump(self.postfix.port, **self.secured), 15)
        self.assertEqual(await self.states(), [SENT] * 15)
        await soon(lambda: len(self.sink.mails()) == 15, "the SMS")
        log = self.postfix.log
        self.assertEqual(log.count(f"sasl_username={USER}@{NAME}"), 15)
        self.assertRegex(log, r"TLS connection established from \S+: TLSv1\.[23]")
        self.assertRegex(self.outcomes[0].result, r"^250 2\.0\.0 Ok: queued as ")

    async def test_implicit(self) -> None:
        """TLS from the first byte does as well."""
        await self.send(self.pump(self.postfix.wrapped, **{**self.secured, "security": Security.TLS}), 1)
        self.assertEqual(await self.states(), [SENT])

    async def test_large(self) -> None:
        """A large mail arrives as it is, in TLS too; one that is larger than the server takes is not even begun."""
        submission = Submission(self.server(self.postfix.port, **self.secured), reactor)  # type: ignore[arg-type]
        self.addCleanup(lambda: Deferred.fromCoroutine(submission.close()))
        body = "".join(f".{n}\n..\n" for n in range(300_000))
        content = f"Subject: large\n\n{body}".encode()
        result = await submission.send(Mail("", ("x@sms.example.net",), content))
        self.assertEqual(result.fate, Fate.TAKEN, result.text)
        await soon(self.sink.mails, "the mail")
        await soon(lambda: self.sink.mails()[0].endswith("..\n\n"), "all of it")
        self.assertTrue(self.sink.mails()[0].partition("\n\n")[2].rstrip() == body.rstrip())
        result = await submission.send(Mail("", ("x@sms.example.net",), content * 4))
        self.assertRegex(result.text, "^5.3.4 ")

    async def test_untrusted(self) -> None:
        """A certificate that nobody vouches for, or that is for another name, is not taken, in either way of TLS."""
        for security, port in ((Security.STARTTLS, self.postfix.port), (Security.TLS, self.postfix.wrapped)):
            secured = {**self.secured, "security": security}
            self.assertIn("certificate verify failed", await self.unreachable(port, **{**secured, "trust": b""}))
            self.assertIn("not for other.example", await self.unreachable(port, **{**secured, "name": "other.example"}))
        self.assertNotIn("sasl_username", self.postfix.log)

    async def test_login(self) -> None:
        """A wrong password is told with the server's words; without TLS none is sent, and without one nothing is
        taken."""
        wrong = {**self.secured, "login": Login(USER, "wrong")}
        self.assertRegex(await self.unreachable(self.postfix.port, **wrong), "535 5.7.8")
        clear = {"security": Security.NONE, "login": Login(USER, PASSWORD)}
        self.assertIn("without TLS", await self.unreachable(self.postfix.port, **clear))
        await self.send(self.pump(self.postfix.port, **{**self.secured, "login": None}), 1)
        self.assertRegex(self.outcomes[0].result, "^554 5.7.1 .*Relay access denied|^55. 5.7.1 ")


class BounceTests(SendingCase):
    skip = NO_POSTFIX or NO_SINK

    async def test_bounced(self) -> None:
        """What the operator takes and cannot deliver comes back, and the letter is undelivered."""
        heard: list[LetterState] = []
        returns = Returns(self.store.outbox, self.out.routes, self.now, lambda letter, one: heard.append(letter.state))
        names = Names(["ann"])
        post = Post(
            Recipients(names, names.enabled, ["example.org"]),
            Shelf(),
            reactor,  # type: ignore[arg-type]
            lambda: datetime.now(UTC),
            doors=[BounceDoor(bounce_addresses(CONFIG), returns.take)],
        )
        intake = reactor.listenTCP(0, SmtpFactory(post), interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(intake.stopListening)
        there = sink(self, "-f", "rcpt")
        operator = postfix(
            self, {"sms.example.net": there.port, "example.org": intake.getHost().port}, bounce_queue_lifetime="10s"
        )
        await self.send(self.pump(operator.port), 2)
        await soon(lambda: len(heard) == 2, f"the bounces:\n{operator.log}")
        found = await self.store.outbox.letters(None, None, 10)
        self.assertEqual([letter.state for letter in found], [LetterState.UNDELIVERED] * 2)
        self.assertRegex(found[0].result, r"^failed 5\.\d\.\d .*500 ")
        self.assertEqual(heard, [LetterState.UNDELIVERED] * 2)


del SendingCase
