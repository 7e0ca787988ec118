"""Mail for our own mailboxes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from attrs import evolve
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.core.retrying import Retry
from gateway.interfaces import BackendDown, ItemGone
from gateway.mail.local import LocalPost, without_bcc
from gateway.mail.pump import Pump
from gateway.mail.server import Fate, Mail, Result
from gateway.model import DeviceKey
from gateway.testing import MemoryMailbox, Stored
from gateway.trigger import Letter, LetterState
from tests.mail.outbox import MemoryOutbox
from tests.stores import result_of

EPOCH = 1_714_550_400
CONTENT = (
    b"From: ann@example.org\r\nBcc: eve@example.org,\r\n fay@example.org\r\nSubject: Hi\r\n\r\nBcc: in the text\r\n"
)
BARE = b"From: ann@example.org\r\nSubject: Hi\r\n\r\nBcc: in the text\r\n"
LETTER = Letter(
    DeviceKey("ann", "phone"),
    "local",
    content=CONTENT,
    sender="ann@example.org",
    recipients=("bob@example.org", ".Sent"),
    created=EPOCH + 0.25,
    attempts=1,
    id=7,
)


class Full(MemoryMailbox):
    """Takes nothing for a user as long as C{full} says so."""

    def __init__(self, full: Callable[[str], bool]) -> None:
        super().__init__()
        self.full = full

    def place(self, user: str, path: str, name: str, message: bytes, state: str, again: bool) -> Deferred[None]:
        """See L{IMailbox}."""
        if self.full(user):
            return fail(BackendDown("disk full"))
        return super().place(user, path, name, message, state, again)


class LocalCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.mailbox = MemoryMailbox()
        self.accounts = {"bob@example.org": "bob", "carol@example.org": "carol"}
        self.post = LocalPost(
            self.mailbox, self.accounts.get, "mx.example.org", lambda: datetime.fromtimestamp(EPOCH, UTC)
        )

    def send(self, letter: Letter = LETTER) -> Result:
        mail = Mail(letter.sender, letter.recipients, letter.content, letter)
        return result_of(self.post.send(mail))  # type: ignore[no-any-return]

    def mails(self, user: str, path: str = "") -> list[Stored]:
        return list(self.mailbox.folder(user, path).values())


class DeliveryTests(LocalCase):
    def test_account(self) -> None:
        """An account gets it as new mail, with the lines of a delivery and without Bcc (RFC 5321 4.4)."""
        self.assertEqual(self.send().of(Fate.TAKEN), LETTER.recipients)
        [mail] = self.mails("bob")
        name = next(iter(self.mailbox.folder("bob", "")))
        trace = (
            "Return-Path: <ann@example.org>\r\nDelivered-To: bob@example.org\r\n"
            f"Received: by mx.example.org with HTTPS id {name.split('.')[1]}\r\n"
            "\tfor <bob@example.org>; Wed, 01 May 2024 08:00:00 +0000\r\n"
        )
        self.assertEqual(mail, Stored(trace.encode() + BARE, ""))
        self.assertTrue(name.startswith(f"{EPOCH}."))

    def test_copy(self) -> None:
        """The copy of the sender is as it was written, and read."""
        self.send()
        self.assertEqual(self.mails("ann", ".Sent"), [Stored(CONTENT, "S")])
        self.assertEqual(self.mails("ann"), [])

    def test_ownInbox(self) -> None:
        """What the user is told lies in the Inbox as new mail, as it is."""
        self.send(evolve(LETTER, recipients=(".",)))
        self.assertEqual(self.mails("ann"), [Stored(CONTENT, "")])

    def test_again(self) -> None:
        """What is delivered again, as it was in doubt, is there once, and as it was left."""
        self.send()
        name = next(iter(self.mailbox.folder("bob", "")))
        self.mailbox.put("bob", "", name, b"read", "S")
        self.send(evolve(LETTER, attempts=2, doubted=True))
        self.assertEqual(self.mails("bob"), [Stored(b"read", "S")])
        self.assertEqual(len(self.mails("ann", ".Sent")), 1)

    def test_names(self) -> None:
        """Mails of other senders, times, recipients and contents have other names."""
        others = (
            evolve(LETTER, created=EPOCH + 0.5),
            evolve(LETTER, key=DeviceKey("ann", "tablet")),
            evolve(LETTER, content=CONTENT + b"."),
            LETTER,
        )
        for letter in others:
            self.send(letter)
        self.assertEqual(len(self.mails("bob")), 4)
        self.assertEqual(len({*self.mailbox.folder("bob", ""), *self.mailbox.folder("ann", ".Sent")}), 8)

    def test_gone(self) -> None:
        """An account that is gone by now is refused, and so is a folder; the others get it."""
        del self.accounts["bob@example.org"]
        result = self.send()
        self.assertEqual((result.of(Fate.REFUSED), result.of(Fate.TAKEN)), (("bob@example.org",), (".Sent",)))
        self.mailbox.failure = ItemGone("ann.Sent")
        self.assertEqual(self.send().of(Fate.REFUSED), LETTER.recipients)

    def test_fullDisk(self) -> None:
        """While the disk takes nothing it is put off."""
        self.mailbox.failure = BackendDown("disk full")
        self.assertEqual(self.send().of(Fate.LATER), LETTER.recipients)

    def test_withoutBcc(self) -> None:
        """Bcc and Resent-Bcc are taken out of the header alone, whatever its line ends and its case."""
        for raw, expected in (
            (CONTENT, BARE),
            (CONTENT.replace(b"\r\n", b"\n"), BARE.replace(b"\r\n", b"\n")),
            (b"BCC : a@b\r\nTo: c@d\r\n\r\n", b"To: c@d\r\n\r\n"),
            (b"To: c@d\r\nResent-Bcc: a@b\r\n\r\nx", b"To: c@d\r\n\r\nx"),
            (b"To: c@d\r\nBcc: a@b\r\n\r\n", b"To: c@d\r\n\r\n"),
            (b"X-Bcc: c@d\r\n\r\n", b"X-Bcc: c@d\r\n\r\n"),
            (b"", b""),
        ):
            self.assertEqual(without_bcc(raw), expected)


class PumpedTests(LocalCase):
    """Mailboxes behind a pump."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.outbox = MemoryOutbox(lambda: EPOCH + self.clock.seconds())
        self.pump = Pump(
            "local",
            self.outbox,
            self.post,
            lambda letter: (letter.sender, letter.recipients, letter.content),
            self.clock,
            lambda: EPOCH + self.clock.seconds(),
            Retry((5.0, 60.0)),
        )

    def test_partly(self) -> None:
        """Whose mailbox takes nothing now gets it later, the others at once; nobody gets it twice."""
        self.mailbox = self.post.mailbox = Full(lambda user: user == "carol" and self.clock.seconds() < 60)
        self.outbox.put(
            [evolve(LETTER, id=0, attempts=0, recipients=("bob@example.org", "carol@example.org", ".Sent"))]
        )
        self.pump.start()
        self.assertEqual([len(self.mails(*place)) for place in (("bob",), ("carol",), ("ann", ".Sent"))], [1, 0, 1])
        self.clock.advance(5)
        self.clock.advance(60)
        self.assertEqual([len(self.mails(*place)) for place in (("bob",), ("carol",), ("ann", ".Sent"))], [1, 1, 1])
        self.assertEqual({letter.state for letter in self.outbox.all.values()}, {LetterState.SENT})
