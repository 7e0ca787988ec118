"""The wheel of one-second slots."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.core.wheel import SLICE, Wheel


class WheelTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.25)
        self.expired: list[object] = []
        self.wheel: Wheel[object] = Wheel(self.clock, self.expired.append)

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def advance(self, seconds: float) -> None:
        """Let time pass in steps that no deadline can hide in."""
        self.clock.pump([0.125] * int(seconds / 0.125))

    def test_neverEarlyAndWithinASecond(self) -> None:
        """A thing expires at its deadline or less than a second after it, never before."""
        self.wheel.add("a", 60)
        self.advance(59.875)
        self.assertEqual(self.expired, [])
        self.advance(1.0)
        self.assertEqual(self.expired, ["a"])

    def test_removedDoesNotExpire(self) -> None:
        """What was taken out never expires, and an empty wheel has no timer."""
        slot = self.wheel.add("a", 5)
        self.wheel.remove("a", slot)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.advance(10)
        self.assertEqual(self.expired, [])

    def test_removingWhatIsNotThere(self) -> None:
        """Removing a thing twice is no fault."""
        slot = self.wheel.add("a", 5)
        self.wheel.remove("a", slot)
        self.wheel.remove("a", slot)

    def test_oneTimerForAll(self) -> None:
        """However much waits, the clock has one call."""
        for index in range(1000):
            self.wheel.add(index, 1 + index % 7)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.advance(9)
        self.assertEqual(len(self.expired), 1000)

    def test_oldestFirst(self) -> None:
        """Earlier deadlines expire first, and in one slot in the order of arrival."""
        self.wheel.add("late", 3)
        self.wheel.add("first", 1)
        self.wheel.add("second", 1)
        self.clock.advance(10)
        self.assertEqual(self.expired, ["first", "second", "late"])

    def test_massExpiryInSlices(self) -> None:
        """Thousands in one slot leave the reactor its turns."""
        wheel: Wheel[object] = Wheel(self.clock, self.expire)
        for index in range(SLICE + 1):
            wheel.add(index, 1)
        self.clock.advance(2)
        self.assertEqual(self.expired.index("other traffic"), SLICE)
        self.assertEqual(len(self.expired), SLICE + 2)

    def expire(self, thing: object) -> None:
        """The first expiry makes other traffic that waits for its turn."""
        if not self.expired:
            self.clock.callLater(0, self.expired.append, "other traffic")
        self.expired.append(thing)

    def test_removedWhileDue(self) -> None:
        """What is taken out between two slices does not expire."""
        wheel: Wheel[object] = Wheel(self.clock, self.expire)
        slots = [wheel.add(index, 1) for index in range(SLICE + 1)]
        wheel.expired = lambda thing: (self.expired.append(thing), wheel.remove(SLICE, slots[SLICE]))[0]
        self.clock.advance(2)
        self.assertNotIn(SLICE, self.expired)
        self.assertEqual(len(self.expired), SLICE)

    def test_addedWhileExpiring(self) -> None:
        """What is parked again from within an expiry waits its whole time."""
        wheel: Wheel[str] = Wheel(self.clock, lambda thing: (self.expired.append(thing), wheel.add("again", 2))[0])
        slot = wheel.add("a", 1)
        self.advance(2)
        self.assertEqual((self.expired, slot > 0), (["a"], True))
        wheel.expired = self.expired.append
        self.advance(3)
        self.assertEqual(self.expired, ["a", "again"])
