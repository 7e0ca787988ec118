"""Tests of virtual time."""

from __future__ import annotations

from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IReactorTime
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.rehearsal.clock import StillClock, VirtualClock


class VirtualClockTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = VirtualClock(1000.0)
        self.done: list[tuple[str, float]] = []

    def note(self, what: str) -> None:
        self.done.append((what, self.clock.seconds()))

    def test_interface(self) -> None:
        """Both clocks provide L{IReactorTime}."""
        self.assertTrue(verifyObject(IReactorTime, self.clock))
        self.assertTrue(verifyObject(IReactorTime, StillClock(self.clock)))

    def test_order(self) -> None:
        """Calls are made in order of time, each at its time, and at the same moment in the order they were asked for."""
        self.clock.callLater(50.0, self.note, "late")
        self.clock.callLater(5.0, self.note, "first")
        self.clock.call_at(1005.0, self.note, "second")
        self.clock.run(1100.0)
        self.assertEqual(self.done, [("first", 1005.0), ("second", 1005.0), ("late", 1050.0)])
        self.assertEqual(self.clock.seconds(), 1100.0)

    def test_until(self) -> None:
        """What is due later is not done yet."""
        self.clock.callLater(10.5, self.note, "later")
        self.clock.run(1010.0)
        self.assertEqual(self.done, [])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_past(self) -> None:
        """What should have been done in the past is done now."""
        self.clock.call_at(1.0, self.note, "at once")
        self.clock.run(1000.0)
        self.assertEqual(self.done, [("at once", 1000.0)])

    def test_cancel(self) -> None:
        """A call that was cancelled is not made, and cannot be cancelled again."""
        call = self.clock.callLater(1.0, self.note, "never")
        call.cancel()
        self.clock.run(2000.0)
        self.assertEqual(self.done, [])
        self.assertRaises(AlreadyCancelled, call.cancel)

    def test_moved(self) -> None:
        """A call that was put off, or on, is made once, at its last time."""
        off, on = self.clock.callLater(5.0, self.note, "off"), self.clock.callLater(100.0, self.note, "on")
        off.delay(10.0)
        on.reset(2.0)
        self.clock.run(2000.0)
        self.assertEqual(self.done, [("on", 1002.0), ("off", 1015.0)])
        self.assertRaises(AlreadyCalled, off.cancel)

    def test_still(self) -> None:
        """On the still clock it is the same time, and nothing comes due."""
        still = StillClock(self.clock)
        call = still.callLater(1.0, self.note, "never")
        self.clock.run(5000.0)
        self.assertEqual(still.seconds(), 5000.0)
        self.assertEqual(self.done, [])
        call.cancel()
