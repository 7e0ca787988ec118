"""Keys given, in memory."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.model import DeviceKey
from gateway.store.given import Given

PHONE = DeviceKey("ann", "phone")


class GivenTests(SynchronousTestCase):
    """What is kept between two flushes."""

    def setUp(self) -> None:
        self.given = Given()

    def test_none(self) -> None:
        """Of what was never given nothing is known."""
        self.assertEqual((self.given.counter(PHONE, 1), self.given.waiting()), (0, {}))

    def test_highest(self) -> None:
        """An answer that is written out late does not hide a newer one."""
        self.given.add(PHONE, 1, 5)
        self.given.add(PHONE, 1, 3)
        self.assertEqual(self.given.counter(PHONE, 1), 5)

    def test_written(self) -> None:
        """What was flushed is forgotten here; what has been given meanwhile waits for the next flush."""
        self.given.add(PHONE, 1, 5)
        self.given.add(PHONE, 2, 7)
        waiting = self.given.waiting()
        self.given.add(PHONE, 1, 6)
        self.given.written(waiting)
        self.assertEqual(self.given.waiting(), {(PHONE, 1): 6})
