"""The contract of what the doctor asks a store."""

from __future__ import annotations

from gateway.model import Device
from gateway.trigger import Hop, Letter
from tests.contract.store import ANN, BOB, NOW, StoreCase


class HealthContract(StoreCase):
    """Whether it takes changes, and how new what it holds is."""

    def test_probe(self) -> None:
        """A store that takes changes takes the one that means nothing, as often as it is asked, and stays what it is."""
        self.deliver("one")
        for _ in range(3):
            self.now += 1
            self.assertIsNone(self.result(self.store.probe()))
        epoch = self.store.epoch
        self.store = self.restart()
        self.assertEqual(self.store.epoch, epoch)
        self.assertEqual(self.result(self.store.newest()), 0)

    def test_newest(self) -> None:
        """The latest time that was written down counts, wherever it stands."""
        self.result(self.store.keep(Device(ANN, last_seen=NOW), False))
        self.result(self.store.keep(Device(BOB, last_seen=NOW - 9), False))
        self.assertEqual(self.result(self.store.newest()), NOW)
        self.result(self.store.trace.note([Hop(NOW + 2.5, ANN, "noticed"), Hop(NOW - 7.0, ANN, "decided")]))
        self.assertEqual(self.result(self.store.newest()), NOW + 2.5)
        letters = [Letter(key, "smpp:one", created=at) for key, at in ((ANN, NOW + 5.0), (BOB, NOW - 5.0))]
        self.result(self.store.outbox.put(letters))
        self.assertEqual(self.result(self.store.newest()), NOW + 5)
