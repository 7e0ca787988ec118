"""Tests of the pump from the outbox to a server that takes mail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.core.retrying import Retry
from gateway.interfaces import BackendDown, IOutbox
from gateway.mail.pump import LONGEST_TIMER, Pump, message_id
from gateway.mail.server import Fate, Result, Said, Unreachable
from gateway.model import DeviceKey
from gateway.trigger import Letter, LetterState, Outcome
from tests.mail.outbox import Hand, MemoryOutbox

ROUTE = "smtp:big"
EPOCH = 1_700_000_000.0
LETTER = Letter(DeviceKey("ann", "PHONE"), ROUTE, "+491701234567", guid="abc")
TO = "491701234567@sms.example.net"

TAKEN = Result({TO: Said(Fate.TAKEN, "250 2.0.0 queued")})
LATER = Result({TO: Said(Fate.LATER, "451 4.3.0 later")})
REFUSED = Result({TO: Said(Fate.REFUSED, "550 5.1.1 no")})
DOUBT = Result({TO: Said(Fate.DOUBT, "the connection broke")}, broken=True)
BROKEN = Result({TO: Said(Fate.LATER, "421 4.3.2 going down")}, broken=True)
GONE = Unreachable("mail.example.net: no connection")

QUEUED, SENT, FAILED = LetterState.QUEUED, LetterState.SENT, LetterState.FAILED


def rendered(letter: Letter) -> tuple[str, Sequence[str], bytes]:
    if not letter.guid:
        raise ValueError("no GUID")
    to = letter.recipients or (TO,)
    return "me@example.org", to, f"From: x\r\nMessage-ID: <{letter.id}@example.org>\r\n\r\n{letter.guid}\r\n".encode()


class PumpCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.outbox = MemoryOutbox(self.now)
        self.hand = Hand()
        self.told: list[Outcome] = []
        self.pump = Pump(
            ROUTE,
            self.outbox,
            self.hand,
            rendered,
            self.clock,
            self.now,
            Retry(longest=3600.0),
            lambda letter, outcome: self.told.append(outcome),
        )

    def tearDown(self) -> None:
        self.hand.aborted = LATER
        stopped = Deferred.fromCoroutine(self.pump.stop())
        self.clock.advance(5)
        self.successResultOf(stopped)
        self.assertEqual(self.hand.closed, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def now(self) -> float:
        return EPOCH + self.clock.seconds()

    def put(self, *letters: Letter) -> None:
        self.successResultOf(self.outbox.put(letters))

    def answer(self, result: Result) -> None:
        held, self.hand.held = self.hand.held, None
        assert held is not None
        held.callback(result)

    def states(self) -> list[LetterState]:
        return [letter.state for letter in self.outbox.all.values()]

    def letter(self, id: int = 1) -> Letter:
        return self.outbox.all[id]


class SendingTests(PumpCase):
    def test_outbox(self) -> None:
        """The outbox of these tests has the interface of the real one."""
        self.assertTrue(verifyObject(IOutbox, self.outbox))

    def test_sent(self) -> None:
        """What the server takes is SENT, with the Message-ID and the server's words."""
        self.put(LETTER)
        self.pump.start()
        self.assertEqual(self.states(), [LetterState.DOUBT])
        self.answer(TAKEN)
        expected = Outcome(1, SENT, EPOCH, "<1@example.org>", "250 2.0.0 queued")
        self.assertEqual(self.told, [expected])
        self.assertEqual((self.letter().state, self.letter().message_id), (SENT, "<1@example.org>"))
        self.assertEqual(self.hand.mails[0].recipients, (TO,))

    def test_oneAfterTheOther(self) -> None:
        """Letters go out in order, and each is settled as soon as its answer is there."""
        self.put(*[LETTER] * 15)
        self.pump.start()
        for number in range(15):
            self.assertEqual(self.states().count(SENT), number)
            self.answer(TAKEN)
        self.assertEqual([mail.content.count(b"<%d@" % (n + 1)) for n, mail in enumerate(self.hand.mails)], [1] * 15)

    def test_onlyItsRoute(self) -> None:
        """Letters of other routes stay where they are."""
        self.put(evolve(LETTER, route="relay"))
        self.pump.start()
        self.assertEqual(self.hand.mails, [])

    def test_kicked(self) -> None:
        """A letter that is queued later goes out when the pump is told of it, also while it is at work."""
        self.pump.start()
        self.put(LETTER)
        self.assertEqual(self.hand.mails, [])
        self.pump.kick()
        self.assertEqual(len(self.hand.mails), 1)
        self.put(LETTER)
        self.pump.kick()
        self.answer(TAKEN)
        self.answer(TAKEN)
        self.assertEqual(self.states(), [SENT, SENT])

    def test_due(self) -> None:
        """A letter that is due later goes out then, however far off that is, and nothing is asked meanwhile."""
        self.put(evolve(LETTER, due=EPOCH + 2000))
        self.pump.start()
        for _ in range(3):
            self.assertLessEqual(len(self.clock.getDelayedCalls()), 1)
            self.clock.advance(LONGEST_TIMER)
        self.clock.advance(199)
        self.assertEqual(self.hand.mails, [])
        self.clock.advance(1)
        self.assertEqual(len(self.hand.mails), 1)

    def test_quiet(self) -> None:
        """With nothing to send nothing is waited for."""
        self.pump.start()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_notStarted(self) -> None:
        """Before the start nothing goes out."""
        self.put(LETTER)
        self.pump.kick()
        self.assertEqual(self.hand.mails, [])


class RetryTests(PumpCase):
    def test_later(self) -> None:
        """What the server puts off is queued again, with growing pauses, until it is too old."""
        self.hand.answers = [LATER] * 9
        self.put(LETTER)
        self.pump.start()
        seen = []
        while self.letter().state is QUEUED:
            seen.append(self.letter().due - self.now())
            self.clock.pump([seen[-1] / 4] * 4)
        self.assertEqual(seen[:2], [60.0, 300.0])
        self.assertEqual(len(self.hand.mails), 5)
        self.assertEqual(self.letter().state, FAILED)
        self.assertEqual(self.letter().result, "given up, 451 4.3.0 later")

    def test_othersGoOn(self) -> None:
        """A letter that is put off does not hold up the next."""
        self.hand.answers = [LATER, TAKEN]
        self.put(LETTER, LETTER)
        self.pump.start()
        self.assertEqual(self.states(), [QUEUED, SENT])

    def test_refused(self) -> None:
        """What the server refuses is FAILED with its words, and not tried again."""
        self.hand.answers = [REFUSED]
        self.put(LETTER)
        self.pump.start()
        self.assertEqual((self.letter().state, self.letter().result), (FAILED, "550 5.1.1 no"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_expired(self) -> None:
        """A letter that is worth nothing any more is not sent, and one that would be by then is not tried again."""
        self.hand.answers = [LATER]
        self.put(evolve(LETTER, expires=EPOCH - 1), evolve(LETTER, expires=EPOCH + 59))
        self.pump.start()
        self.assertEqual(self.states(), [FAILED, FAILED])
        self.assertEqual(len(self.hand.mails), 1)

    def test_cannotBeMade(self) -> None:
        """A letter of which no mail can be made is FAILED, the log says why, and the next goes out."""
        self.hand.answers = [TAKEN]
        self.put(evolve(LETTER, guid=""), LETTER)
        self.pump.start()
        self.assertEqual(self.states(), [FAILED, SENT])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_breaks(self) -> None:
        """An error of ours puts a letter off, is logged, and does not hold up the next."""
        self.hand.answers = [ZeroDivisionError(), TAKEN]
        self.put(LETTER, LETTER)
        self.pump.start()
        self.assertEqual(self.states(), [QUEUED, SENT])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_someRecipients(self) -> None:
        """Recipients that the server puts off get a letter of their own; those it refuses are named."""
        said = {
            "a@x": Said(Fate.TAKEN, "250 ok"),
            "b@x": Said(Fate.LATER, "450 no"),
            "c@x": Said(Fate.REFUSED, "550 no"),
        }
        self.hand.answers = [Result(said)]
        self.put(evolve(LETTER, recipients=("a@x", "b@x", "c@x")))
        self.pump.start()
        self.assertEqual(self.letter(1).result, "250 ok; b@x: 450 no; c@x: 550 no")
        self.assertEqual((self.letter(2).recipients, self.letter(2).due), (("b@x",), EPOCH + 60))
        self.assertEqual(self.states(), [SENT, QUEUED])


class DoubtTests(PumpCase):
    def test_onceMore(self) -> None:
        """A letter whose answer did not come is sent once more, as one that was in doubt, and then never again."""
        self.hand.answers = [DOUBT, DOUBT]
        self.put(LETTER)
        self.pump.start()
        self.assertEqual(self.told[0].state, LetterState.DOUBT)
        self.assertEqual((self.letter().state, self.letter().doubted, self.letter().due), (QUEUED, True, EPOCH + 60))
        self.clock.advance(60)
        self.assertEqual(len(self.hand.mails), 2)
        self.assertEqual(self.letter().state, FAILED)
        self.assertRegex(self.letter().result, "^in doubt twice: ")
        self.assertEqual(self.letter().message_id, "<1@example.org>")

    def test_taken(self) -> None:
        """A letter that was in doubt and is taken at last is SENT."""
        self.hand.answers = [DOUBT, TAKEN]
        self.put(LETTER)
        self.pump.start()
        self.clock.advance(60)
        self.assertEqual(self.states(), [SENT])

    def test_oneInHand(self) -> None:
        """Of triggers that were in doubt one at a time is taken: if the gateway is killed, no other one is in doubt a
        second time without having been sent again."""
        self.put(*[evolve(LETTER, doubted=True)] * 3, *[LETTER] * 3)
        self.pump.start()
        hands = []
        for _ in range(6):
            hands.append(sum(one.state is LetterState.DOUBT for one in self.outbox.all.values()))
            self.answer(TAKEN)
        self.assertEqual((hands, self.states()), ([1, 1, 1, 1, 2, 1], [SENT] * 6))

    def test_doubtfulFirst(self) -> None:
        """One that was in doubt and comes with others goes before them."""
        self.put(LETTER)
        self.pump.start()
        self.put(LETTER, evolve(LETTER, doubted=True))
        for _ in range(3):
            self.answer(TAKEN)
        self.assertEqual([mail.letter.id for mail in self.hand.mails if mail.letter], [1, 3, 2])


class RouteTests(PumpCase):
    def test_noConnection(self) -> None:
        """Without a connection all letters wait, and the route rests with growing pauses, whoever kicks it."""
        self.put(*[LETTER] * 12)
        self.hand.answers = [GONE] * 4
        self.pump.start()
        self.assertEqual(len(self.hand.mails), 1)
        self.assertEqual(self.states(), [QUEUED] * 12)
        self.assertEqual({one.attempts for one in self.outbox.all.values()}, {0})
        self.assertEqual(self.pump.trouble, str(GONE))
        self.pump.kick()
        for seconds, tries in ((4, 1), (1, 2), (14, 2), (1, 3), (59, 3), (1, 4)):
            self.clock.advance(seconds)
            self.assertEqual(len(self.hand.mails), tries, (seconds, tries))

    def test_backAgain(self) -> None:
        """When the connection is back everything goes out, and the next trouble begins with short pauses."""
        self.put(*[LETTER] * 3)
        self.hand.answers = [GONE, GONE]
        self.pump.start()
        self.clock.advance(5)
        self.hand.answers = [TAKEN] * 3
        self.clock.advance(15)
        self.assertEqual(self.states(), [SENT] * 3)
        self.assertEqual(self.pump.trouble, "")
        self.hand.answers = [GONE]
        self.put(LETTER, LETTER)
        self.pump.kick()
        self.assertEqual(self.clock.getDelayedCalls()[0].getTime() - self.clock.seconds(), 5)

    def test_refused(self) -> None:
        """It is told whether the server does not let us in, until it does, or cannot be reached."""
        self.put(*[LETTER] * 2)
        self.hand.answers = [Unreachable("535 no", True), GONE, Unreachable("535 no", True), TAKEN, TAKEN]
        self.pump.start()
        for seconds, refused in ((0, True), (5, False), (15, True), (60, False)):
            self.clock.advance(seconds)
            self.assertIs(self.pump.refused, refused)

    def test_tooLong(self) -> None:
        """Letters that wait too long for a connection are given up."""
        self.put(LETTER, evolve(LETTER, expires=EPOCH + 100))
        self.hand.answers = [GONE] * 30
        self.pump.start()
        self.clock.pump([20] * 20)
        self.assertEqual(self.states(), [QUEUED, FAILED])
        self.clock.pump([300] * 13)
        self.assertEqual(self.states(), [FAILED, FAILED])
        self.assertEqual(self.letter().result, f"given up, {GONE}")

    def test_broken(self) -> None:
        """A connection that breaks with a mail is not made again at once for the letters behind it."""
        self.put(LETTER, LETTER)
        self.hand.answers = [BROKEN]
        self.pump.start()
        self.assertEqual(len(self.hand.mails), 1)
        self.assertEqual(self.states(), [QUEUED, QUEUED])
        self.assertEqual(self.pump.trouble, "421 4.3.2 going down")

    def test_numbers(self) -> None:
        """Of a number that the server repeats only the ends are logged."""
        events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        said = Said(Fate.LATER, "421 4.7.0 <491701234567@sms.example.net>: come back")
        self.put(LETTER)
        self.hand.answers = [Result({TO: said}, broken=True)]
        self.pump.start()
        lines = [formatEvent(event) for event in events]
        self.assertTrue(any("491...567@sms" in line for line in lines), lines)
        self.assertFalse(any("491701234567" in line for line in lines), lines)
        self.assertIn("491701234567", self.letter().result)

    def test_outboxDown(self) -> None:
        """While the outbox does not answer the route rests; what became of letters is written later, and first."""
        self.put(LETTER, LETTER)
        self.pump.start()
        self.outbox.down = True
        self.answer(TAKEN)
        self.assertEqual(len(self.hand.mails), 1)
        self.assertEqual(self.told, [])
        self.clock.advance(5)
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 2)
        self.outbox.down = False
        self.hand.answers = [TAKEN]
        self.clock.advance(15)
        self.assertEqual(self.states(), [SENT, SENT])
        self.assertEqual(len(self.hand.mails), 2)


class StopTests(PumpCase):
    def stop(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.pump.stop(5.0))

    def tearDown(self) -> None:
        self.assertEqual(self.hand.closed, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_idle(self) -> None:
        """A pump that has nothing to do stops at once, and looks at nothing any more."""
        self.put(evolve(LETTER, due=EPOCH + 5))
        self.pump.start()
        self.successResultOf(self.stop())
        self.pump.kick()
        self.assertEqual(self.hand.mails, [])

    def test_finishes(self) -> None:
        """The letter that is being sent may finish; those behind it go back as they were."""
        self.put(LETTER, evolve(LETTER, due=EPOCH - 7))
        self.pump.start()
        stopped = self.stop()
        self.assertNoResult(stopped)
        self.answer(TAKEN)
        self.successResultOf(stopped)
        self.assertEqual(self.states(), [SENT, QUEUED])
        self.assertEqual(self.letter(2).due, EPOCH - 7)

    def test_cut(self) -> None:
        """A server that takes too long is cut off, and what is known then is written down."""
        for result, state in ((DOUBT, QUEUED), (BROKEN, QUEUED), (TAKEN, SENT)):
            self.setUp()
            self.put(LETTER, LETTER)
            self.pump.start()
            stopped = self.stop()
            self.hand.aborted = result
            self.clock.advance(5)
            self.successResultOf(stopped)
            self.assertEqual(self.states(), [state, QUEUED])
            self.assertEqual(self.letter().doubted, result is DOUBT)
            self.assertEqual(self.letter(2).due, 0)

    def test_cutBefore(self) -> None:
        """A letter that was never offered goes back as it was."""
        self.put(LETTER)
        self.pump.start()
        stopped = self.stop()
        self.hand.aborted = GONE
        self.clock.advance(5)
        self.successResultOf(stopped)
        self.assertEqual((self.letter().state, self.letter().due), (QUEUED, 0.0))

    def test_writesAtLast(self) -> None:
        """What could not be written down before is written at the stop."""
        self.put(LETTER)
        self.pump.start()
        self.outbox.down = True
        self.answer(TAKEN)
        self.outbox.down = False
        self.successResultOf(self.stop())
        self.assertEqual(self.states(), [SENT])
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 1)


class MessageIDTests(SynchronousTestCase):
    def test_found(self) -> None:
        """The Message-ID is that of the header, folded or not; there may be none."""
        for content, found in {
            b"Message-ID: <a@b>\r\n\r\nx": "<a@b>",
            b"A: b\r\nmessage-id:<a@b>  \r\nC: d\r\n\r\nx": "<a@b>",
            b"A: b\nMessage-Id:\n <a@b>\n\nx": "<a@b>",
            b"A: b\r\n\r\nMessage-ID: <a@b>\r\n": "",
            b"X-Message-ID: <a@b>\r\n\r\n": "",
            b"Message-ID: nonsense\r\n\r\n": "",
            b"": "",
            b"Message-ID: <a@b>": "<a@b>",
        }.items():
            self.assertEqual(message_id(content), found, content)


del PumpCase
