"""Tests of the waits between tries."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.simulator.backoff import Backoff


class BackoffTests(SynchronousTestCase):
    def test_grows(self) -> None:
        """The first try is at once; waits double up to a minute, and begin anew when things go well."""
        backoff = Backoff("phone")
        waits = [backoff.next() for _ in range(10)]
        self.assertEqual(waits[0], 0)
        for wait, about in zip(waits[1:], (1, 2, 4, 8, 16, 30, 60, 60, 60), strict=True):
            self.assertTrue(0.8 * about <= wait <= 1.2 * about, wait)
        backoff.reset()
        self.assertEqual(backoff.next(), 0)

    def test_spread(self) -> None:
        """Phones differ in their waits, and each is the same in every run."""
        waits = []
        for name in ("a", "b", "c", "a"):
            backoff = Backoff(name)
            backoff.next()
            waits.append(backoff.next())
        self.assertEqual(len(set(waits)), 3)
        self.assertEqual(waits[0], waits[3])
