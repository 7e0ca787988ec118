"""The contract of L{IDecisions}."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from gateway.interfaces import IDecisions
from gateway.model import Access, Decision, Device, DeviceKey
from tests.contract.store import ANN, BOB, NOW, TABLET, StoreCase


class DecisionsContract(StoreCase):
    """What commands have decided of devices."""

    def all(self) -> list[Decision]:
        return self.result(self.store.decisions.decisions())

    def decide(self, key: DeviceKey, access: Access, by: str = "root", at: int = NOW) -> Decision:
        decision = Decision(key, access, by, at)
        self.result(self.store.decisions.decide(key, decision))
        return decision

    def test_interface(self) -> None:
        """The store provides L{IDecisions}."""
        self.assertTrue(verifyObject(IDecisions, self.store.decisions))

    def test_kept(self) -> None:
        """They are kept after a kill, sorted by user and device; a newer one replaces the older."""
        self.decide(ANN, Access.ALLOW, at=NOW - 5)
        shared = DeviceKey("bob", ANN.device)
        wanted = {self.decide(key, access) for key, access in ((BOB, Access.ALLOW), (shared, Access.QUARANTINE))}
        wanted.add(self.decide(ANN, Access.BLOCK, "admin"))
        self.store = self.restart()
        self.assertEqual(self.all(), sorted(wanted, key=lambda decision: decision.key))

    def test_undone(self) -> None:
        """One that is taken away is gone, the others stay; there may be none."""
        other = self.decide(TABLET, Access.BLOCK)
        self.decide(ANN, Access.BLOCK)
        for _ in range(2):
            self.result(self.store.decisions.decide(ANN, None))
        self.assertEqual(self.all(), [other])

    def test_outlives(self) -> None:
        """A decision is there before the partnership, and stays when that ends."""
        decision = self.decide(ANN, Access.BLOCK)
        self.result(self.store.keep(Device(ANN), True))
        self.result(self.store.forget(ANN))
        self.assertEqual(self.all(), [decision])
