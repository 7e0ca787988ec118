"""Turns and shields."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.call import Unavailable
from gateway.eas.turns import Turns, shielded


class TurnsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.turns = Turns()
        self.steps: list[str] = []
        self.going: dict[str, Deferred[None]] = {}

    def start(self, lock: str, name: str) -> Deferred[str]:
        """Begin work that goes on until the test ends it."""

        async def work() -> str:
            self.steps.append(name)
            self.going[name] = Deferred()
            await self.going[name]
            return name

        return Deferred.fromCoroutine(self.turns.take(lock, work))

    def test_oneAfterAnother(self) -> None:
        """Work of the same name waits for its turn, in order."""
        first, second, third = (self.start("inbox", name) for name in "abc")
        self.assertEqual(self.steps, ["a"])
        self.going["a"].callback(None)
        self.assertEqual(self.successResultOf(first), "a")
        self.assertEqual(self.steps, ["a", "b"])
        self.going["b"].callback(None)
        self.going["c"].callback(None)
        self.assertEqual((self.successResultOf(second), self.successResultOf(third)), ("b", "c"))

    def test_otherNames(self) -> None:
        """Work of another name does not wait."""
        started = [self.start("inbox", "a"), self.start("sent", "b")]
        self.assertEqual(self.steps, ["a", "b"])
        for going in self.going.values():
            going.callback(None)
        self.assertEqual([self.successResultOf(each) for each in started], ["a", "b"])

    def test_nothingLeft(self) -> None:
        """Nothing is kept of a name that nobody asks for any more, also after a failure."""
        first, second = self.start("inbox", "a"), self.start("inbox", "b")
        self.assertEqual(len(self.turns), 1)
        self.going["a"].errback(ZeroDivisionError())
        self.failureResultOf(first, ZeroDivisionError)
        self.assertEqual(len(self.turns), 1)
        self.going["b"].callback(None)
        self.successResultOf(second)
        self.assertEqual(len(self.turns), 0)

    def test_atOnce(self) -> None:
        """Work that is done at once when its turn comes leaves nothing behind either, and the name can be used again."""

        async def work() -> str:
            return "quick"

        first = self.start("inbox", "a")
        others = [Deferred.fromCoroutine(self.turns.take("inbox", work)) for _ in range(3)]
        self.going["a"].callback(None)
        self.successResultOf(first)
        self.assertEqual([self.successResultOf(each) for each in others], ["quick"] * 3)
        self.assertEqual(len(self.turns), 0)
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(self.turns.take("inbox", work))), "quick")

    def test_longest(self) -> None:
        """So many may wait for a name; one more is told to come later, and others are as before."""
        self.turns = Turns(2)
        asked = [self.start("inbox", name) for name in "abc"]
        refused = self.failureResultOf(self.start("inbox", "d"), Unavailable).value
        self.assertGreaterEqual(refused.retry_after, 1)
        asked.append(self.start("sent", "e"))
        self.going["a"].callback(None)
        asked.append(self.start("inbox", "f"))
        for name in "bcef":
            self.going[name].callback(None)
        self.assertEqual([self.successResultOf(each) for each in asked], list("abcef"))
        self.assertEqual(self.steps, list("aebcf"))
        self.assertEqual(len(self.turns), 0)

    def test_cancelledWhileWaiting(self) -> None:
        """Who gives up waiting is not called."""
        first, second = self.start("inbox", "a"), self.start("inbox", "b")
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.going["a"].callback(None)
        self.successResultOf(first)
        self.assertEqual(self.steps, ["a"])
        self.assertEqual(len(self.turns), 0)


class ShieldedTests(SynchronousTestCase):
    def test_result(self) -> None:
        """The result of the work is that of the Deferred, and so is its failure."""

        async def good() -> int:
            return 5

        async def bad() -> int:
            raise ZeroDivisionError

        self.assertEqual(self.successResultOf(shielded(good())), 5)
        self.failureResultOf(shielded(bad()), ZeroDivisionError)

    def test_cancelled(self) -> None:
        """When who waits is cancelled the work goes on."""
        going: Deferred[None] = Deferred()
        done = []

        async def work() -> None:
            await going
            done.append(True)

        waiting = shielded(work())
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(done, [])
        going.callback(None)
        self.assertEqual(done, [True])
