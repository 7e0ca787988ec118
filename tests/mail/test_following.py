"""What follows when not all recipients of a mail get it: others are tried again, and the sender is told."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.core.retrying import Retry
from gateway.mail.pump import Pump
from gateway.mail.server import Fate, Mail, Result, Said, Unreachable
from gateway.model import DeviceKey
from gateway.trigger import Letter, LetterState
from tests.mail.outbox import Hand, MemoryOutbox

EPOCH = 1_700_000_000.0
BOB, EVE, FAY = "bob@example.net", "eve@example.net", "fay@example.net"
LETTER = Letter(
    DeviceKey("ann", "phone"),
    "relay",
    content=b"x",
    sender="ann@example.org",
    recipients=(BOB, EVE, FAY),
    created=EPOCH,
)
TAKEN, DOUBT = Said(Fate.TAKEN, "250 ok"), Said(Fate.DOUBT, "broke")
LATER, REFUSED = Said(Fate.LATER, "451 later"), Said(Fate.REFUSED, "550 5.1.1 no")
QUEUED, SENT, FAILED = LetterState.QUEUED, LetterState.SENT, LetterState.FAILED


class FollowingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.outbox = MemoryOutbox(self.now)
        self.hand = Hand()
        self.told: list[Mapping[str, str]] = []
        self.routes: list[str] = []
        self.pump = Pump(
            "relay",
            self.outbox,
            self.hand,
            lambda letter: (letter.sender, letter.recipients, letter.content),
            self.clock,
            self.now,
            Retry((60.0,), longest=3600.0),
            undelivered=self.undelivered,
            queued=self.routes.append,
        )

    def tearDown(self) -> None:
        self.hand.aborted = Result.same((BOB,), LATER)
        stopped = Deferred.fromCoroutine(self.pump.stop())
        self.clock.advance(5)
        self.successResultOf(stopped)

    def now(self) -> float:
        return EPOCH + self.clock.seconds()

    def undelivered(self, letter: Letter, faults: Mapping[str, str]) -> Letter | None:
        self.told.append(dict(faults))
        return Letter(letter.key, "local", content=b"told", recipients=(".",))

    def send(self, *said: Said, broken: bool = False, letter: Letter = LETTER) -> None:
        """Have the server say so of the recipients of a letter."""
        self.outbox.put([letter])
        self.pump.start()
        self.answer(*said, broken=broken)

    def answer(self, *said: Said, broken: bool = False) -> None:
        held, self.hand.held = self.hand.held, None
        assert held is not None
        mail: Mail = self.hand.mails[-1]
        held.callback(Result(dict(zip(mail.recipients, said, strict=True)), broken))

    def letters(self) -> list[tuple[str, LetterState, tuple[str, ...]]]:
        return [(one.route, one.state, one.recipients) for one in self.outbox.all.values()]

    def test_allTaken(self) -> None:
        """Nothing follows when all of them get it."""
        self.send(TAKEN, TAKEN, TAKEN)
        self.assertEqual((self.letters(), self.told), ([("relay", SENT, LETTER.recipients)], []))

    def test_oneRefused(self) -> None:
        """Who is refused while others get the mail is told to the sender, in the transaction that settles it."""
        self.send(TAKEN, REFUSED, TAKEN)
        self.assertEqual(self.letters(), [("relay", SENT, LETTER.recipients), ("local", QUEUED, (".",))])
        self.assertEqual((self.told, self.routes), ([{EVE: "550 5.1.1 no"}], ["local"]))

    def test_allRefused(self) -> None:
        """Of a mail that nobody gets each recipient is told, with the words about it."""
        self.send(REFUSED, Said(Fate.REFUSED, "552 full"), REFUSED)
        self.assertEqual(self.told, [{BOB: "550 5.1.1 no", EVE: "552 full", FAY: "550 5.1.1 no"}])
        self.assertEqual(self.letters()[0][1], FAILED)

    def test_onePutOff(self) -> None:
        """Who is put off gets a letter of its own, and the sender is not bothered."""
        self.send(TAKEN, LATER, TAKEN)
        self.assertEqual(self.letters(), [("relay", SENT, LETTER.recipients), ("relay", QUEUED, (EVE,))])
        self.assertEqual(self.told, [])
        self.clock.advance(60)
        self.answer(REFUSED)
        self.assertEqual(self.told, [{EVE: "550 5.1.1 no"}])

    def test_putOffAndRefused(self) -> None:
        """Who is refused is told at once, also while all the others are put off; these are tried again alone."""
        self.send(LATER, REFUSED, LATER)
        self.assertEqual(
            self.letters(),
            [("relay", FAILED, LETTER.recipients), ("relay", QUEUED, (BOB, FAY)), ("local", QUEUED, (".",))],
        )
        self.assertEqual(self.told, [{EVE: "550 5.1.1 no"}])

    def test_allThree(self) -> None:
        """Taken, put off and refused: each their own way."""
        self.send(TAKEN, LATER, REFUSED)
        self.assertEqual([state for _, state, _ in self.letters()], [SENT, QUEUED, QUEUED])
        self.assertEqual((self.letters()[1][2], self.told), ((EVE,), [{FAY: "550 5.1.1 no"}]))

    def test_givenUp(self) -> None:
        """A mail that was put off for too long is given up, and its sender is told."""
        self.send(LATER, LATER, LATER)
        self.assertEqual((self.told, len(self.letters())), ([], 1))
        self.clock.advance(3599)
        self.answer(LATER, LATER, LATER)
        self.assertEqual(self.told, [dict.fromkeys(LETTER.recipients, "given up, 451 later")])
        self.assertEqual(self.letters()[0][1], FAILED)

    def test_partlyGivenUp(self) -> None:
        """So it is for those who would have to be tried again too late."""
        self.clock.advance(3599)
        self.send(TAKEN, LATER, REFUSED)
        self.assertEqual(self.told, [{EVE: "given up, 451 later", FAY: "550 5.1.1 no"}])
        self.assertEqual([state for _, state, _ in self.letters()], [SENT, QUEUED])

    def test_noConnection(self) -> None:
        """A mail that waits for a connection for too long is given up, and all that wait behind it."""
        self.hand.answers = [Unreachable("no connection")] * 2
        self.clock.advance(3700)
        self.outbox.put([LETTER] * 3)
        self.pump.start()
        self.clock.advance(5)
        self.assertEqual([next(iter(told.values())) for told in self.told], ["given up, no connection"] * 3)

    def test_doubtTwice(self) -> None:
        """A mail whose answer got lost twice may have arrived or not: its sender is told so."""
        self.send(DOUBT, DOUBT, DOUBT, broken=True)
        self.assertEqual(self.told, [])
        self.clock.advance(60)
        self.answer(DOUBT, DOUBT, DOUBT, broken=True)
        self.assertEqual(self.told, [dict.fromkeys(LETTER.recipients, "in doubt twice: broke")])

    def test_trigger(self) -> None:
        """Triggers have no sender who could be told, and are not taken apart."""
        for said in (REFUSED, LATER):
            self.outbox.put([evolve(LETTER, recipients=(), guid="x")])
            self.pump.render = lambda letter: ("", (BOB,), b"x")
            self.pump.start()
            self.answer(said)
        self.assertEqual((self.told, len(self.letters())), ([], 2))

    def test_nobodyToTell(self) -> None:
        """That nobody can be told does not keep the letters behind it waiting."""

        def broken(letter: Letter, faults: Mapping[str, str]) -> Letter | None:
            raise ValueError("odd")

        self.pump.undelivered = broken
        self.send(REFUSED, REFUSED, REFUSED)
        self.assertEqual(self.letters(), [("relay", FAILED, LETTER.recipients)])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
