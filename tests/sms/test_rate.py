"""Tests of how many submits a second go out."""

from __future__ import annotations

from math import inf

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.sms.rate import Rate


class RateTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def sent(self, rate: Rate, seconds: float, step: float = 0.01) -> int:
        """How many go out in so many seconds, when as many as possible do."""
        count = 0
        for _ in range(round(seconds / step)):
            while rate.wait() == 0:
                rate.take()
                count += 1
            self.clock.advance(step)
        return count

    def test_limit(self) -> None:
        """No more than the limit goes out in a second, and no fewer."""
        self.assertIn(self.sent(Rate(self.clock, 50), 10), range(490, 511))

    def test_slow(self) -> None:
        """Less than one a second is possible; it is said when the next one may go."""
        rate = Rate(self.clock, 0.5)
        self.assertEqual(rate.wait(), 0)
        rate.take()
        self.assertAlmostEqual(rate.wait(), 2)
        self.clock.advance(rate.wait())
        self.assertEqual(rate.wait(), 0)

    def test_noSavings(self) -> None:
        """A quiet time does not allow a flood afterwards."""
        rate = Rate(self.clock, 100)
        self.clock.advance(1000)
        count = 0
        while rate.wait() == 0:
            rate.take()
            count += 1
        self.assertLessEqual(count, 10)

    def test_unlimited(self) -> None:
        """Without a limit everything goes out at once."""
        rate = Rate(self.clock)
        for _ in range(10000):
            self.assertEqual(rate.wait(), 0)
            rate.take()

    def test_lately(self) -> None:
        """It is remembered for a while that it was too much."""
        rate = Rate(self.clock, 80)
        self.assertFalse(rate.throttled_lately)
        rate.throttled()
        self.clock.advance(59)
        self.assertTrue(rate.throttled_lately)
        self.clock.advance(1)
        self.assertFalse(rate.throttled_lately)

    def test_halves(self) -> None:
        """Throttling halves the rate, once for all answers of one second, and not below a floor."""
        rate = Rate(self.clock, 80)
        for _ in range(5):
            rate.throttled()
        self.assertEqual(rate.now, 40)
        self.clock.advance(1)
        rate.throttled()
        self.assertAlmostEqual(rate.now, 22)
        for _ in range(100):
            self.clock.advance(1)
            rate.throttled()
        self.assertGreaterEqual(rate.now, 0.1)

    def test_growsAgain(self) -> None:
        """Without throttling the rate grows step by step to its limit and not above it."""
        rate = Rate(self.clock, 80)
        rate.throttled()
        self.assertLess(self.sent(rate, 1), 50)
        self.sent(rate, 20)
        self.assertEqual(rate.now, 80)

    def test_findsOut(self) -> None:
        """Where no limit is set, half of what went out in the last second is the beginning; it is forgotten again."""
        rate = Rate(self.clock)
        for _ in range(3):
            for _ in range(200):
                rate.wait()
                rate.take()
            self.clock.advance(1)
        rate.throttled()
        self.assertLess(abs(rate.now - 100), 5)
        self.clock.advance(200)
        rate.wait()
        self.assertEqual(rate.now, inf)

    def test_congestion(self) -> None:
        """A congested SMSC is spared before it throttles: first the rate stays, then it is halved."""
        rate = Rate(self.clock, 80)
        rate.congested(79)
        self.assertEqual(rate.now, 80)
        rate.congested(95)
        self.assertEqual(rate.now, 40)
        for _ in range(10):
            self.clock.advance(0.9)
            rate.congested(85)
            rate.wait()
        self.assertEqual(rate.now, 40)
