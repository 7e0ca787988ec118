"""Ping parameters and the guard against senseless loops."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.core.autd import HASTY_FREE, HASTY_MOST, HasteGuard, Parameters, merge
from gateway.model import DeviceKey

PHONE = DeviceKey("ann", "phone")
INBOX = ((5, "Email"),)
BOTH = ((5, "Email"), (1, "Calendar"))


class MergeTests(SynchronousTestCase):
    def test_bothGiven(self) -> None:
        """What the request brings holds, whatever is cached."""
        self.assertEqual(merge(480, INBOX, 900, BOTH), Parameters(480, INBOX))

    def test_intervalOnly(self) -> None:
        """An interval alone goes with the cached folders."""
        self.assertEqual(merge(480, None, 900, BOTH), Parameters(480, BOTH))

    def test_foldersOnly(self) -> None:
        """A folder list alone goes with the cached interval and replaces the cached list as a whole."""
        self.assertEqual(merge(None, INBOX, 900, BOTH), Parameters(900, INBOX))

    def test_nothing(self) -> None:
        """An empty request takes everything from the cache."""
        self.assertEqual(merge(None, None, 900, BOTH), Parameters(900, BOTH))

    def test_missing(self) -> None:
        """What is known from nowhere is missing: both, the interval, or the folders."""
        for case in ((None, None, None, None), (None, INBOX, None, BOTH), (480, None, 900, None), (480, (), 1, ())):
            self.assertIsNone(merge(*case))


class HasteGuardTests(SynchronousTestCase):
    def test_freeAtFirst(self) -> None:
        """The same news is told at once a few times: answers get lost."""
        guard = HasteGuard()
        self.assertEqual([guard.delay(PHONE, [(5, 1)]) for _ in range(HASTY_FREE)], [0.0] * HASTY_FREE)

    def test_growsToAMinute(self) -> None:
        """After that each answer is held back longer, up to a bound."""
        guard = HasteGuard()
        delays = [guard.delay(PHONE, [(5, 1)]) for _ in range(12)][HASTY_FREE:]
        self.assertEqual(delays[:4], [1.0, 2.0, 4.0, 8.0])
        self.assertEqual(delays[-1], HASTY_MOST)

    def test_anotherKeyStartsAgain(self) -> None:
        """A device that synchronised in between has another key, and is told at once."""
        guard = HasteGuard()
        for _ in range(9):
            guard.delay(PHONE, [(5, 1)])
        self.assertEqual(guard.delay(PHONE, [(5, 2)]), 0.0)

    def test_parkedStartsAgain(self) -> None:
        """A device that parked is no loop."""
        guard = HasteGuard()
        for _ in range(9):
            guard.delay(PHONE, [(5, 1)])
        guard.parked(PHONE)
        self.assertEqual(guard.delay(PHONE, [(5, 1)]), 0.0)
        self.assertEqual(guard.delay(DeviceKey("bob", "phone"), [(5, 1)]), 0.0)

    def test_bounded(self) -> None:
        """Of devices that never come back the oldest are forgotten."""
        guard = HasteGuard(size=2)
        for name in ("a", "b", "c"):
            for _ in range(9):
                guard.delay(DeviceKey("ann", name), [(5, 1)])
        self.assertEqual(guard.delay(DeviceKey("ann", "a"), [(5, 1)]), 0.0)
        self.assertGreater(guard.delay(DeviceKey("ann", "c"), [(5, 1)]), 0.0)
