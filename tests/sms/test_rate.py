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
        """Throttling halves the rate, once for all answers of a second."""
        rate = Rate(self.clock, 80)
        self.assertFalse(rate.reduced)
        for _ in range(5):
            rate.throttled()
        self.assertEqual((rate.now, rate.reduced), (40, True))

    def test_halvesAgain(self) -> None:
        """While most submits are refused the rate is halved every second, but not to nothing."""
        rate = Rate(self.clock, 80)
        for _ in range(40):
            rate.take()
            rate.throttled()
            self.clock.advance(1)
        self.assertLess(rate.now, 1)
        self.assertGreaterEqual(rate.now, 0.1)

    def test_someRefused(self) -> None:
        """While some submits are refused, however long, the rate comes back to near where it was each time."""
        rate = Rate(self.clock, 400)
        sent = 0
        for _ in range(6000):
            while rate.wait() == 0:
                rate.take()
                sent += 1
                if sent % 10 == 0:
                    rate.throttled()
            self.clock.advance(0.01)
        self.assertGreater(sent, 60 * 200)
        self.assertGreaterEqual(rate.now, 100)

    def test_limitOfTheSmsc(self) -> None:
        """An SMSC that takes less than was agreed on gets most of what it takes, and few submits are refused."""
        rate = Rate(self.clock, 400)
        taken = refused = 0
        room = 50.0
        for _ in range(12_000):
            room = min(50.0, room + 0.5)
            while rate.wait() == 0:
                rate.take()
                if room >= 1:
                    room -= 1
                    taken += 1
                else:
                    refused += 1
                    rate.throttled()
            self.clock.advance(0.01)
        self.assertGreater(taken, 120 * 50 * 0.6)
        self.assertLess(refused, taken / 4)

    def test_growsAgain(self) -> None:
        """Without throttling the rate comes back in seconds, and never above the limit."""
        rate = Rate(self.clock, 80)
        rate.throttled()
        self.assertLess(self.sent(rate, 1), 60)
        self.sent(rate, 4.1)
        self.assertEqual(rate.now, 80)
        self.sent(rate, 20)
        self.assertEqual((rate.now, rate.reduced), (80, False))

    def test_growsFromLittle(self) -> None:
        """Also from very little it comes back within a minute."""
        rate = Rate(self.clock, 400)
        for _ in range(8):
            rate.take()
            rate.throttled()
            self.clock.advance(1)
        self.assertLess(rate.now, 10)
        self.sent(rate, 30)
        self.assertEqual(rate.now, 400)

    def test_findsOut(self) -> None:
        """Where no limit is set, half of what went out in the last second is the beginning; it is forgotten again."""
        rate = Rate(self.clock)
        for _ in range(3):
            for _ in range(256):
                rate.wait()
                rate.take()
            self.clock.advance(1)
        rate.throttled()
        self.assertIn(round(rate.now), range(90, 140))
        for _ in range(60):
            self.clock.advance(1)
            rate.wait()
        self.assertEqual((rate.now, rate.reduced), (inf, False))

    def test_findsOutAtOnce(self) -> None:
        """That is so in the first second, too."""
        rate = Rate(self.clock)
        for _ in range(100):
            rate.take()
        rate.throttled()
        self.assertIn(round(rate.now), range(30, 60))

    def test_congestion(self) -> None:
        """A congested SMSC is spared before it throttles: first the rate stays, then it is halved."""
        rate = Rate(self.clock, 80)
        rate.congested(79)
        self.assertEqual(rate.now, 80)
        rate.congested(95)
        rate.congested(95)
        self.assertEqual(rate.now, 40)
        for _ in range(10):
            self.clock.advance(0.9)
            rate.congested(85)
            rate.wait()
        self.assertEqual(rate.now, 40)
        self.clock.advance(20)
        rate.wait()
        self.assertEqual(rate.now, 80)
