"""Which changes devices know of without a key."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.model import DeviceKey
from gateway.store.awareness import Awareness

PHONE, TABLET = DeviceKey("ann", "phone"), DeviceKey("ann", "tablet")


class AwarenessTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.known = Awareness(spans=3, places=2)

    def of(self, folder: int = 5, device: DeviceKey = PHONE) -> list[tuple[int, int]]:
        return list(self.known.of(device, folder))

    def test_byDeviceAndFolder(self) -> None:
        """What one device knows of in one folder says nothing of others."""
        self.known.add(PHONE, [(5, 3, 4), (6, 1, 1)])
        self.assertEqual((self.of(), self.of(6), self.of(7), self.of(5, TABLET)), ([(3, 4)], [(1, 1)], [], []))

    def test_adjacent(self) -> None:
        """Spans that follow one another become one."""
        for number in (3, 4, 6):
            self.known.add(PHONE, [(5, number, number)])
        self.assertEqual(self.of(), [(3, 4), (6, 6)])

    def test_removed(self) -> None:
        """What is taken away leaves what lies around it."""
        self.known.add(PHONE, [(5, 1, 9)])
        self.known.remove(PHONE, [(5, 4, 5)])
        self.assertEqual(self.of(), [(1, 3), (6, 9)])
        self.known.remove(PHONE, [(5, 1, 3), (5, 8, 20), (6, 1, 1)])
        self.assertEqual(self.of(), [(6, 7)])
        self.known.remove(PHONE, [(5, 6, 7)])
        self.assertEqual(self.of(), [])

    def test_bounded(self) -> None:
        """Of too many spans the newest stay, and of too many folders those that were added to last."""
        for number in (1, 3, 5, 7):
            self.known.add(PHONE, [(5, number, number)])
        self.assertEqual(self.of(), [(3, 3), (5, 5), (7, 7)])
        self.known.add(PHONE, [(6, 1, 1)])
        self.known.add(PHONE, [(5, 9, 9), (7, 1, 1)])
        self.assertEqual((self.of()[-1], self.of(6), self.of(7)), ((9, 9), [], [(1, 1)]))
