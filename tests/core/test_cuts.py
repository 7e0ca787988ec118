"""What is remembered of parked requests that were cut."""

from __future__ import annotations

from sys import getsizeof

from twisted.trial.unittest import SynchronousTestCase

from gateway.core.cuts import KEPT, LONGEST, Cuts
from gateway.model import DeviceKey, Ending

PHONE, TABLET = DeviceKey("ann", "phone"), DeviceKey("ann", "tablet")


class CutsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.cuts = Cuts()

    def cut(self, *seconds: float, key: DeviceKey = PHONE, ending: Ending = Ending.LOST) -> None:
        for each in seconds:
            self.cuts.ended(key, ending, 1000.0, 1000.0 + each)

    def test_newestFirst(self) -> None:
        """The last one comes first, in whole seconds; one that was replaced is among them."""
        self.cut(240.2, 241)
        self.cut(300, ending=Ending.REPLACED)
        self.assertEqual(self.cuts.of(PHONE), (300.0, 241.0, 240.0))
        self.assertEqual(self.cuts.of(TABLET), ())

    def test_answered(self) -> None:
        """One that was answered ends the row; a recall says nothing."""
        for ending in (Ending.CHANGED, Ending.EXPIRED):
            self.cut(240)
            self.cut(9, ending=Ending.RECALLED)
            self.assertEqual(self.cuts.of(PHONE), (240.0,))
            self.cut(60, ending=ending)
            self.assertEqual(self.cuts.of(PHONE), ())

    def test_bounded(self) -> None:
        """However many there are, a device takes a few bytes, and only so many devices are remembered."""
        self.cut(*range(100), 10.0**9)
        self.assertEqual(self.cuts.of(PHONE), (float(LONGEST), *(float(99 - n) for n in range(KEPT - 1))))
        self.assertLess(getsizeof(self.cuts._cuts[PHONE]), 64)
        self.cuts.most = 1
        self.cut(5, key=TABLET)
        self.assertEqual((self.cuts.of(PHONE), self.cuts.of(TABLET)), ((), (5.0,)))
        self.cut(6, key=TABLET)
        self.assertEqual(self.cuts.of(TABLET), (6.0, 5.0))
