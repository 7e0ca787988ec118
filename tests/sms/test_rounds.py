"""Tests of when rounds of work begin."""

from __future__ import annotations

from math import inf

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.sms.rounds import FIRST_PAUSE, LAST, LONGEST_PAUSE, PACE, Rounds


class Trouble(Exception):
    """What a round fails with."""


class RoundsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.begun: list[float] = []
        self.wanted = inf
        self.gate: Deferred[None] | None = None
        self.failure: Exception | None = None
        self.rounds = Rounds(self.clock, self.work, lambda: self.wanted, "work")
        self.rounds.start()

    def tearDown(self) -> None:
        self.wanted = inf
        self.successResultOf(Deferred.fromCoroutine(self.rounds.finish()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def work(self) -> None:
        self.begun.append(self.clock.seconds())
        if self.gate is not None:
            await self.gate
        if self.failure is not None:
            raise self.failure

    def test_idle(self) -> None:
        """Where nothing is wanted nothing begins, and no timer waits."""
        self.assertEqual((self.begun, self.clock.getDelayedCalls()), ([], []))

    def test_soon(self) -> None:
        """A round begins at once, but after what comes at the same time."""
        self.clock.advance(7)
        self.rounds.soon()
        self.rounds.soon()
        self.assertEqual(self.begun, [])
        self.clock.advance(0)
        self.assertEqual(self.begun, [7])

    def test_paced(self) -> None:
        """The next one begins some time after the last one began."""
        self.rounds.soon()
        self.clock.advance(0)
        self.rounds.soon()
        self.clock.advance(PACE * 0.9)
        self.assertEqual(self.begun, [0])
        self.clock.advance(PACE * 0.2)
        self.assertEqual(len(self.begun), 2)

    def test_atOnce(self) -> None:
        """Where it is urgent there is no pace; but there is a pause after a failure."""
        self.rounds.soon()
        self.clock.advance(0)
        self.rounds.at_once()
        self.clock.advance(0)
        self.assertEqual(self.begun, [0, 0])
        self.failure = Trouble()
        self.rounds.at_once()
        self.clock.advance(0)
        self.rounds.at_once()
        self.clock.advance(0)
        self.assertEqual(len(self.begun), 3)
        self.assertEqual(len(self.flushLoggedErrors(Trouble)), 1)

    def test_by(self) -> None:
        """The earliest time that was asked for counts."""
        self.rounds.by(9.0)
        self.rounds.by(5.0)
        self.rounds.by(7.0)
        self.clock.advance(5)
        self.assertEqual(self.begun, [5])
        self.clock.advance(10)
        self.assertEqual(self.begun, [5])

    def test_wanted(self) -> None:
        """After each round it is asked when the next one is wanted."""
        self.wanted = 3.0
        self.rounds.soon()
        self.clock.advance(0)
        self.wanted = inf
        self.clock.advance(4)
        self.assertEqual(len(self.begun), 2)

    def test_neverTwo(self) -> None:
        """While one is under way no other begins; what was asked for meanwhile is asked again."""
        self.gate = gate = Deferred()
        self.rounds.soon()
        self.clock.advance(0)
        self.rounds.soon()
        self.clock.advance(10)
        self.assertEqual(len(self.begun), 1)
        self.wanted = 10.0
        self.gate = None
        gate.callback(None)
        self.wanted = inf
        self.clock.advance(0)
        self.assertEqual(self.begun, [0, 10])

    def test_failures(self) -> None:
        """After a failure the next one waits longer each time, though more is asked for; the first is logged in full."""
        self.failure = Trouble()
        self.wanted = 0.0
        self.rounds.soon()
        for _ in range(4000):
            self.clock.advance(0.05)
            self.rounds.soon()
        gaps = [round(b - a) for a, b in zip(self.begun, self.begun[1:], strict=False)]
        self.assertEqual(gaps[:5], [FIRST_PAUSE, 2, 4, 8, 16])
        self.assertEqual(set(gaps[5:]), {LONGEST_PAUSE})
        self.assertEqual(len(self.flushLoggedErrors(Trouble)), 1)

    def test_wellAgain(self) -> None:
        """A success ends the long waits."""
        self.failure = Trouble()
        self.wanted = 0.0
        self.rounds.soon()
        self.clock.advance(0)
        self.failure = None
        self.clock.advance(FIRST_PAUSE)
        self.clock.advance(PACE)
        self.assertEqual(len(self.begun), 3)
        self.assertEqual(len(self.flushLoggedErrors(Trouble)), 1)

    def test_cancelled(self) -> None:
        """A cancelled round is none that failed."""
        self.failure = CancelledError()
        self.rounds.soon()
        self.clock.advance(0)
        self.failure = None
        self.rounds.soon()
        self.clock.advance(PACE)
        self.assertEqual(len(self.begun), 2)

    def test_finish(self) -> None:
        """The end waits for the round under way, and does what is left."""
        self.gate = gate = Deferred()
        self.rounds.soon()
        self.clock.advance(0)
        self.wanted = 0.0
        done = Deferred.fromCoroutine(self.rounds.finish())
        self.assertNoResult(done)
        self.gate = None
        gate.callback(None)
        self.successResultOf(done)
        self.assertGreaterEqual(len(self.begun), 2)

    def test_finishFailing(self) -> None:
        """The end does not try for ever, and nothing begins after it."""
        self.failure = Trouble()
        self.wanted = 0.0
        self.successResultOf(Deferred.fromCoroutine(self.rounds.finish()))
        self.assertEqual(len(self.begun), LAST)
        self.rounds.soon()
        self.clock.advance(100)
        self.assertEqual(len(self.begun), LAST)
        self.assertEqual(len(self.flushLoggedErrors(Trouble)), 1)

    def test_again(self) -> None:
        """After the end it can be begun with again."""
        self.successResultOf(Deferred.fromCoroutine(self.rounds.finish()))
        self.rounds.start()
        self.rounds.soon()
        self.clock.advance(0)
        self.assertEqual(len(self.begun), 1)
