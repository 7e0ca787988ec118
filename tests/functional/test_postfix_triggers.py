"""Postfix as the mail server beside an older Exchange: it brings its triggers, and what is refused bounces there."""

from __future__ import annotations

import smtplib
from datetime import UTC, datetime
from email.message import EmailMessage
from ipaddress import ip_network

from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from gateway.interfaces import BackendDown
from gateway.model import DeviceKey
from gateway.sms.alphabet import septets
from gateway.sources.door import DoorRule, TriggerDoor
from gateway.sources.smtpin import Post, Recipients, SmtpFactory
from gateway.trigger import Line
from tests.functional.postfix import NO_POSTFIX, NO_SINK, postfix, sink, soon
from tests.sources.test_smtpin import Names, Shelf
from tests.stores import new_store

PHONE = DeviceKey("ann", "phone")
NUMBER = "+491701234567"
GUID = "35395ce4-1504-4ac4-9721-f152c646ea35"
RULE = DoorRule("big", ("sms.example.org",), ("@old.example",), (ip_network("127.0.0.0/8"),), 0)


class TriggersTests(TestCase):
    """The intake of a gateway, and a Postfix that brings mail to it; what it cannot deliver goes to a sink."""

    skip = NO_POSTFIX or NO_SINK
    timeout = 120

    async def setUp(self) -> None:
        self.knocks: list[tuple[DeviceKey, str, bytes]] = []
        self.counts: list[tuple[str, str]] = []
        self.failures = 0
        store = new_store()
        await store.triggers.keep_line(Line(PHONE, NUMBER, "big"))
        self.door = TriggerDoor(
            [RULE],
            store.triggers,
            self.knock,
            septets,
            reactor,  # type: ignore[arg-type]
            lambda: int(datetime.now(UTC).timestamp()),
            lambda: 0,
            lambda *what: self.counts.append(what),
        )
        self.shelf, names = Shelf(), Names(["ann"])
        post = Post(
            Recipients(names, names.enabled, ["example.org"]),
            self.shelf,
            reactor,  # type: ignore[arg-type]
            lambda: datetime.now(UTC),
            doors=[self.door],
        )
        intake = reactor.listenTCP(0, SmtpFactory(post), interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(intake.stopListening)
        port = intake.getHost().port
        self.returned = sink(self)
        routes = {"sms.example.org": port, "example.org": port, "old.example": self.returned.port}
        self.postfix = postfix(self, routes)

    async def knock(self, line: Line, guid: str, text: bytes) -> None:
        if self.failures:
            self.failures -= 1
            raise BackendDown("not now")
        self.knocks.append((line.key, guid, text))

    async def send(self, text: str, *recipients: str, sender: str = "exchange@old.example") -> None:
        """The old server gives its Postfix a mail."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = sender, ", ".join(recipients), "sync"
        mail.set_content(text)

        def talk() -> None:
            with smtplib.SMTP("127.0.0.1", self.postfix.port, timeout=30) as client:
                client.send_message(mail, sender, recipients)

        await deferToThread(talk)

    async def test_trigger(self) -> None:
        """Triggers come in as they were made, several in one mail too, and so does mail beside them."""
        text = f"AUTD{{{GUID}}} \u00e4\u00f6\u00fc"
        await self.send(text, f"{NUMBER}@sms.example.org", "ann@example.org")
        await soon(lambda: self.knocks and self.shelf.mails, f"the trigger:\n{self.postfix.log}")
        self.assertEqual(self.knocks, [(PHONE, GUID, text.encode())])
        self.assertEqual([user for user, _ in self.shelf.mails], ["ann"])
        self.assertEqual(self.counts, [("big", "taken")])

    async def test_again(self) -> None:
        """While the store does not answer Postfix keeps the trigger, and brings it once it does."""
        self.failures = 1
        await self.send(GUID, f"{NUMBER}@sms.example.org")
        await soon(lambda: self.knocks, f"the trigger:\n{self.postfix.log}")
        self.assertIn("451 4.3.0", self.postfix.log)
        self.assertEqual([text for _, _, text in self.knocks], [GUID.encode()])
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 1)

    async def test_flood(self) -> None:
        """What is too much is kept by Postfix, and not refused for good."""
        self.door.replace([DoorRule("big", RULE.domains, RULE.senders, RULE.networks, 30)])
        for _ in range(31):
            await self.send(GUID, f"{NUMBER}@sms.example.org")
        await soon(lambda: len(self.knocks) == 31, f"the triggers:\n{self.postfix.log}")
        self.assertIn("451 4.7.1", self.postfix.log)
        self.assertEqual(self.returned.mails(), [])

    async def test_refused(self) -> None:
        """Unknown numbers, strangers and what is no trigger are refused for good: the sender gets them back."""
        for text, number, sender, answer in (
            (GUID, "+4912345678", "exchange@old.example", "550 5.1.1"),
            (GUID, NUMBER, "stranger@other.example", "550 5.7.1"),
            ("x" * 161, NUMBER, "exchange@old.example", "554 5.6.0"),
        ):
            await self.send(text, f"{number}@sms.example.org", sender=sender)
            await soon(lambda answer=answer: answer in self.postfix.log, f"{answer}:\n{self.postfix.log}")
        await soon(lambda: len(self.returned.mails()) == 2, "the bounces")
        self.assertEqual(self.knocks, [])
        self.assertEqual(sorted(what for _, what in self.counts), ["stranger", "unfit", "unknown"])
