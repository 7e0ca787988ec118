"""Telling users of mail that waits for the relay."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.model import DeviceKey
from gateway.service.delays import HOUR, PORTION, Delays
from gateway.store import Store
from gateway.trigger import Letter, LetterState, Outcome
from tests.stores import new_store, result_of

NOW = 1_700_000_000.0
MAIL = Letter(
    DeviceKey("ann", "phone"),
    "relay",
    content=b"From: ann@example.org\r\nTo: bob@example.net\r\nSubject: Lunch\r\n\r\nAt noon?\r\n",
    sender="ann@example.org",
    recipients=("bob@example.net",),
    created=NOW,
    due=NOW,
)


class DelayTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = NOW
        self.store = new_store(lambda: self.now)
        self.kicked: list[str] = []
        self.delays = self.begin()

    def begin(self, hours: int = 4) -> Delays:
        """Begin anew on the same store."""
        store: Store = self.store
        return Delays(store.outbox, store.postings, self.kicked.append, lambda: self.now, "mx.example.org", hours)

    def put(self, *letters: Letter) -> list[int]:
        return list(result_of(self.store.outbox.put(letters)))

    def told(self) -> list[Letter]:
        """What waits for Inboxes, after another look."""
        result_of(self.delays.look())
        found = result_of(self.store.outbox.take("local", self.now + 1, 100))
        done = [Outcome(one.id, LetterState.SENT, self.now) for one in found]
        result_of(self.store.outbox.settle(done))
        return list(found)

    def test_once(self) -> None:
        """A mail that has waited so long is told of in the Inbox of its sender, once, also after a restart."""
        self.put(MAIL)
        self.now += 4 * HOUR - 1
        self.assertEqual(self.told(), [])
        self.now += 1
        [letter] = self.told()
        self.assertEqual((letter.key, letter.recipients, letter.sender), (MAIL.key, (".",), ""))
        self.assertEqual(self.kicked, ["local"])
        self.now += 4 * HOUR
        self.assertEqual(self.told(), [])
        self.delays = self.begin()
        self.assertEqual(self.told(), [])

    def test_words(self) -> None:
        """It says what waits, for whom, why, and until when it is tried (RFC 3464 2.3.3, 2.3.9); the mail itself is not
        there, but its header."""
        [id] = self.put(MAIL)
        result_of(self.store.outbox.take("relay", NOW, 1))
        again = Outcome(id, LetterState.QUEUED, NOW, result="connection refused", due=NOW)
        result_of(self.store.outbox.settle([again]))
        self.now += 4 * HOUR
        [letter] = self.told()
        found = message_from_bytes(letter.content, policy=default)
        self.assertEqual(found["Subject"], "Delayed: Lunch")
        text, status, header = found.iter_parts()  # type: ignore[attr-defined]
        self.assertIn("  bob@example.net\n    connection refused\n", text.get_content())
        fields = status.get_payload()[1]
        self.assertEqual((fields["Action"], fields["Status"]), ("delayed", "4.0.0"))
        self.assertIn("18 Nov 2023", fields["Will-Retry-Until"])
        self.assertEqual(header.get_content_type(), "text/rfc822-headers")
        self.assertNotIn(b"noon", letter.content)

    def test_sent(self) -> None:
        """Of a mail that went out meanwhile, of one that nobody sent, and of triggers nobody is told."""
        [id, _] = self.put(MAIL, evolve(MAIL, sender=""))
        self.put(Letter(MAIL.key, "relay", address="x@example.net", created=NOW, due=NOW))
        result_of(self.store.outbox.take("relay", NOW, 1))
        result_of(self.store.outbox.settle([Outcome(id, LetterState.SENT, NOW)]))
        self.now += 5 * HOUR
        self.assertEqual(self.told(), [])

    def test_many(self) -> None:
        """Of many mails each is told of."""
        self.put(*[MAIL] * (2 * PORTION + 1))
        self.now += 5 * HOUR
        self.assertEqual(len(self.told()), 2 * PORTION + 1)

    def test_off(self) -> None:
        """With no hours nobody is told."""
        self.put(MAIL)
        self.now += 90 * HOUR
        self.delays = self.begin(hours=0)
        self.assertEqual(self.told(), [])
        self.delays.hours = 4
        self.assertEqual(len(self.told()), 1)
