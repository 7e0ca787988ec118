"""Bounds and the alarm."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.core.heartbeat import HeartbeatLimits, HeartbeatWindow


class HeartbeatLimitsTests(SynchronousTestCase):
    def test_boundsAreAccepted(self) -> None:
        """An interval equal to a limit is within bounds."""
        limits = HeartbeatLimits(60, 2700)
        self.assertEqual([limits.violated(i) for i in (60, 61, 2700)], [None, None, None])

    def test_violations(self) -> None:
        """Too short, zero and negative answer the minimum, too long the maximum."""
        limits = HeartbeatLimits(60, 2700)
        self.assertEqual([limits.violated(i) for i in (59, 0, -5, 2701, 10**9)], [60, 60, 60, 2700, 2700])

    def test_wrongPair(self) -> None:
        """A wrong pair is replaced by both defaults, and said to be wrong; 59 minutes is the most."""
        for pair in ((900, 60), (0, 60), (60, 3541)):
            self.assertEqual(HeartbeatLimits.configured(*pair), (HeartbeatLimits(60, 2700), False))
        self.assertEqual(HeartbeatLimits.configured(1, 3540), (HeartbeatLimits(1, 3540), True))


class HeartbeatWindowTests(SynchronousTestCase):
    def test_fullAndLow(self) -> None:
        """The alarm is raised when the window is full and the average at or under the threshold, once."""
        window = HeartbeatWindow(size=4, threshold=540)
        self.assertEqual([window.add(540) for _ in range(6)], [False, False, False, True, False, False])

    def test_slides(self) -> None:
        """Only the newest heartbeats count."""
        window = HeartbeatWindow(size=2, threshold=540)
        for interval in (60, 60, 1000, 2000):
            window.add(interval)
        self.assertEqual((window.average, len(window), window.alarmed), (1500.0, 2, False))

    def test_raisedAgain(self) -> None:
        """After the average has been above the threshold, the alarm can be raised again."""
        window = HeartbeatWindow(size=2, threshold=540)
        raised = [window.add(interval) for interval in (100, 100, 2000, 2000, 100, 100)]
        self.assertEqual(raised, [False, True, False, False, False, True])

    def test_noted(self) -> None:
        """Each is told to who counts them, also when they no longer count for the alarm."""
        noted: list[int] = []
        window = HeartbeatWindow(2, 540, noted.append)
        for interval in (100, 200, 300):
            window.add(interval)
        self.assertEqual(noted, [100, 200, 300])

    def test_high(self) -> None:
        """Long heartbeats raise nothing."""
        window = HeartbeatWindow(size=3, threshold=540)
        self.assertNotIn(True, [window.add(541) for _ in range(9)])

    def test_resize(self) -> None:
        """New settings keep the newest heartbeats."""
        window = HeartbeatWindow(size=4, threshold=540)
        for interval in (100, 200, 300, 400):
            window.add(interval)
        window.resize(2, 100)
        self.assertEqual((len(window), window.average), (2, 350.0))
