"""Rates, and berths for parked requests."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.core.berths import BerthLimits, Berths
from gateway.core.rate import Rate


class RateTests(SynchronousTestCase):
    def test_burst(self) -> None:
        """A burst passes at once, the next is told when to come."""
        rate = Rate(per_second=2, burst=3)
        self.assertEqual([rate.wait("a", 10.0) for _ in range(3)], [0, 0, 0])
        self.assertAlmostEqual(rate.wait("a", 10.0), 0.5)
        self.assertEqual(rate.wait("b", 10.0), 0)

    def test_average(self) -> None:
        """Over time no more than the rate passes."""
        rate = Rate(per_second=2, burst=3)
        passed = sum(rate.wait("a", 10 + step / 10) == 0 for step in range(1000))
        self.assertIn(passed, range(200, 205))

    def test_refusedDoesNotCount(self) -> None:
        """Who was refused and waits as told is welcome."""
        rate = Rate(per_second=1, burst=1)
        rate.wait("a", 0.0)
        for _ in range(50):
            rate.wait("a", 0.5)
        self.assertEqual(rate.wait("a", 1.0), 0)

    def test_noLimit(self) -> None:
        """A rate of 0 limits nothing."""
        self.assertEqual({Rate(0, 1).wait("a", 0.0) for _ in range(99)}, {0.0})

    def test_bounded(self) -> None:
        """Who came long ago is not remembered."""
        rate = Rate(per_second=10, burst=1)
        for who in range(10_000):
            rate.wait(who, float(who))
        self.assertLess(len(rate._next), 2048)


class BerthsTests(SynchronousTestCase):
    def test_limits(self) -> None:
        """Each limit is named when it is reached, and a place that was left is free again."""
        berths = Berths(BerthLimits(per_user=1, per_address=2, total=3))
        self.assertIsNone(berths.take("ann", "a"))
        self.assertEqual(berths.take("ann", "b"), "user")
        self.assertIsNone(berths.take("bob", "a"))
        self.assertEqual(berths.take("eve", "a"), "address")
        self.assertIsNone(berths.take("eve", "b"))
        self.assertEqual(berths.take("joe", "c"), "process")
        berths.leave("ann", "a")
        self.assertIsNone(berths.take("joe", "a"))

    def test_leavesNothing(self) -> None:
        """When all have left, nothing is kept."""
        berths = Berths()
        berths.take("ann", "a")
        berths.leave("ann", "a")
        self.assertEqual((len(berths._users), len(berths._addresses), berths._total), (0, 0, 0))
