"""Tests of the pauses between attempts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.core.retrying import Retry, backoff


class RetryTests(SynchronousTestCase):
    def test_grows(self) -> None:
        """Pauses grow from a minute to an hour, which holds for all further attempts."""
        pauses = [Retry().again(attempts, 0.0, 1000.0) for attempts in (1, 2, 3, 4, 5, 6, 100)]
        self.assertEqual(pauses, [1060.0, 1300.0, 1900.0, 2800.0, 4600.0, 4600.0, 4600.0])

    def test_unknownCount(self) -> None:
        """Who does not count attempts waits as after the first."""
        self.assertEqual(Retry().again(0, 0.0, 0.0), 60.0)

    def test_tooOld(self) -> None:
        """What would be tried again after the longest time is given up; exactly then it is tried once more."""
        retry = Retry(longest=100.0)
        self.assertEqual(retry.again(1, 0.0, 40.0), 100.0)
        self.assertIsNone(retry.again(1, 0.0, 40.1))

    def test_over(self) -> None:
        """Whether it is too late can be asked for itself."""
        retry = Retry(longest=100.0)
        self.assertEqual([retry.over(at, 0.0, 0.0, 90.0) for at in (90.0, 91.0)], [False, True])
        self.assertEqual([retry.over(at, 0.0, 0.0) for at in (100.0, 101.0)], [False, True])

    def test_expired(self) -> None:
        """What is worth nothing any more at the next attempt is given up."""
        self.assertEqual(Retry().again(1, 0.0, 0.0, 60.0), 60.0)
        self.assertIsNone(Retry().again(1, 0.0, 0.0, 59.0))

    def test_noEnd(self) -> None:
        """Without a longest time it is tried for ever."""
        self.assertEqual(Retry(longest=0).again(9, 0.0, 1e9), 1e9 + 3600)

    def test_clockSetBack(self) -> None:
        """A beginning in the future neither lengthens the time nor ends it at once."""
        self.assertEqual(Retry(longest=3600).again(1, 1e9, 0.0), 60.0)
        self.assertIsNone(Retry(longest=59).again(1, 1e9, 0.0))

    def test_noPauses(self) -> None:
        """There is at least one pause."""
        self.assertRaises(ValueError, Retry, ())


class BackoffTests(SynchronousTestCase):
    def test_grows(self) -> None:
        """Pauses double up to a minute, and stay there however often it fails."""
        self.assertEqual([backoff(failures) for failures in (1, 2, 3, 6, 7, 5000)], [1, 2, 4, 32, 60, 60])
