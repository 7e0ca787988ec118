"""Tests of the bounded line of verifications."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.cred.verifier import Verifier
from gateway.interfaces import Busy
from tests.cred.fixtures import Worker


class VerifierTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.worker = Worker()
        self.verifier = Verifier(self.clock, self.worker.run, workers=2, queue=3, per_user=2)

    def verify(self, user: str, password: str = "right") -> Deferred[bool]:
        return self.verifier.verify(user, password.encode(), lambda: password == "right")

    def test_result(self) -> None:
        """A verification tells what was found."""
        right, wrong = self.verify("ann"), self.verify("bob", "wrong")
        self.worker.finish()
        self.assertTrue(self.successResultOf(right))
        self.assertFalse(self.successResultOf(wrong))

    def test_workers(self) -> None:
        """Only so many run at once; the next comes when one is done."""
        for user in ("ann", "bob", "cid"):
            self.verify(user)
        self.assertEqual(len(self.worker.pending), 2)
        self.worker.step()
        self.assertEqual(len(self.worker.pending), 2)

    def test_onePerUser(self) -> None:
        """Two passwords of one user are verified one after another; others pass by."""
        first, second, other = self.verify("ann", "1"), self.verify("ann", "2"), self.verify("bob")
        self.assertEqual(len(self.worker.pending), 2)
        self.worker.pending.reverse()
        self.worker.step()
        self.successResultOf(other)
        self.assertNoResult(first)
        self.assertEqual(len(self.worker.pending), 1)
        self.worker.finish()
        self.assertEqual((self.successResultOf(first), self.successResultOf(second)), (False, False))

    def test_shared(self) -> None:
        """The same password of the same user is verified once for all who ask meanwhile."""
        asked = [self.verify("ann") for _ in range(50)]
        self.worker.finish()
        self.assertEqual([self.successResultOf(answer) for answer in asked], [True] * 50)
        self.assertEqual(self.worker.done, 1)

    def test_sharedFailure(self) -> None:
        """A verification that breaks fails for all who wait, and the worker is free again."""
        asked = [self.verifier.verify("ann", b"", lambda: bool(1 // 0)) for _ in range(2)]
        self.worker.finish()
        for answer in asked:
            self.failureResultOf(answer, ZeroDivisionError)
        right = self.verify("ann")
        self.worker.finish()
        self.assertTrue(self.successResultOf(right))

    def test_full(self) -> None:
        """Over the queue's limit a request is Busy, with a time to come back; there is room again afterwards."""
        for number in range(5):
            self.verify(f"user{number}")
        busy = self.failureResultOf(self.verify("ann"), Busy)
        self.assertGreaterEqual(busy.value.retry_after, 2)
        self.worker.finish()
        late = self.verify("ann")
        self.worker.finish()
        self.assertTrue(self.successResultOf(late))

    def test_comeBackSpread(self) -> None:
        """Those who are turned away come back as fast as passwords are verified, and none later than a limit."""
        for number in range(5):
            self.verify(f"user{number}")
        times = [self.failureResultOf(self.verify(f"late{n}"), Busy).value.retry_after for n in range(10_000)]
        self.assertEqual(times, sorted(times))
        self.assertTrue(70 < times[1000] < 80, times[1000])
        self.assertEqual(times[-1], 300)
        self.worker.finish()

    def test_perUser(self) -> None:
        """One user's guesses never fill the line."""
        for number in range(3):
            self.verify("ann", str(number))
        self.failureResultOf(self.verify("ann", "more"), Busy)
        other = self.verify("bob")
        self.worker.finish()
        self.assertTrue(self.successResultOf(other))

    def test_cancelled(self) -> None:
        """Who leaves while waiting gives the place free; who shares it stays."""
        running = [self.verify("ann"), self.verify("bob")]
        leaver, first, second = self.verify("cid"), self.verify("dan"), self.verify("dan")
        leaver.cancel()
        self.failureResultOf(leaver, CancelledError)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.worker.finish()
        self.assertTrue(self.successResultOf(second))
        self.assertEqual([self.successResultOf(answer) for answer in running], [True, True])
        self.assertEqual(self.worker.done, 3)

    def test_cancelledWhileRunning(self) -> None:
        """What runs runs to its end, and the user's next is verified after it."""
        self.verify("ann").addErrback(lambda failure: failure.trap(CancelledError)).cancel()
        after = self.verify("ann", "wrong")
        self.assertEqual(len(self.worker.pending), 1)
        self.worker.finish()
        self.assertFalse(self.successResultOf(after))
