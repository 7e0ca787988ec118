"""Tests of what is done with bounces."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from gateway.core.bounces import Bounces
from gateway.interfaces import BackendDown
from gateway.mail.returns import Returns
from gateway.model import DeviceKey
from gateway.trigger import Letter, LetterState, Receipt
from tests.mail.notices import DELAYED, FAILED, NAME, PERSON, report
from tests.mail.outbox import MemoryOutbox

BOUNCES = Bounces("sms", "example.org")
LETTER = Letter(DeviceKey("ann", "PHONE"), "smtp:big", "+491701234567", guid="abc", id=77)
TOKEN = BOUNCES.token(LETTER)


class Knowing(MemoryOutbox):
    """Knows the letter."""

    def receive(self, receipts: list[Receipt]) -> Deferred[list[Letter | None]]:  # type: ignore[override]
        got = super().receive(receipts)
        return succeed([LETTER]) if not self.down else got  # type: ignore[list-item]


class ReturnsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.outbox = Knowing(lambda: 0.0)
        self.heard: list[tuple[Letter, Receipt]] = []
        self.returns = Returns(
            self.outbox, lambda: ["smtp:small", "smtp:big"], lambda: 9.0, lambda *one: self.heard.append(one)
        )

    def take(self, content: bytes, token: str = TOKEN) -> Deferred[None]:
        return Deferred.fromCoroutine(self.returns.take(BOUNCES, token, content))

    def test_failed(self) -> None:
        """A failure makes the letter UNDELIVERED, by the address it came to and by the mail it is about."""
        self.successResultOf(self.take(report(FAILED)))
        found = self.outbox.receipts[0]
        self.assertEqual((found.route, found.state, found.at), ("smtp:big", LetterState.UNDELIVERED, 9.0))
        self.assertEqual(found.message_ids, (BOUNCES.message_id(LETTER), NAME))
        self.assertEqual(self.heard, [(LETTER, found)])

    def test_nothingFinal(self) -> None:
        """A delay, a letter of somebody and a mail about a route that is gone change nothing."""
        other = BOUNCES.token(evolve(LETTER, route="smtp:gone"))
        for content, token in ((report(DELAYED), TOKEN), (PERSON, TOKEN), (report(FAILED), other)):
            self.successResultOf(self.take(content, token))
        self.assertEqual(self.outbox.receipts, [])

    def test_unknown(self) -> None:
        """A bounce about a letter that nobody knows is left with the outbox."""
        self.returns.outbox = MemoryOutbox(lambda: 0.0)
        self.successResultOf(self.take(report(FAILED)))
        self.assertEqual(len(self.returns.outbox.receipts), 1)
        self.assertEqual(self.heard, [])

    def test_down(self) -> None:
        """If the outbox does not answer the one who brings the bounce learns it."""
        self.outbox.down = True
        self.failureResultOf(self.take(report(FAILED)), BackendDown)
