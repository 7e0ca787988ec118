"""The contract of L{IOverrides}."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from gateway.interfaces import IOverrides
from gateway.model import Mode
from gateway.trigger import Override
from tests.contract.store import NOW, StoreCase


class OverridesContract(StoreCase):
    """Modes set by command."""

    def all(self) -> list[Override]:
        return self.result(self.store.overrides.overrides())

    def test_interface(self) -> None:
        """The store provides L{IOverrides}."""
        self.assertTrue(verifyObject(IOverrides, self.store.overrides))

    def test_kept(self) -> None:
        """Those of users and of devices are kept apart, and after a kill; a newer one replaces the older."""
        old = Override("ann", "", Mode.OFF, "root", NOW - 5)
        both = [Override("ann", "", Mode.AUTO, "admin", NOW), Override("ann", "phone", Mode.SMS, "root", NOW)]
        for one in (old, *both):
            self.result(self.store.overrides.override(one.user, one.device, one))
        self.store = self.restart()
        self.assertEqual(self.all(), both)

    def test_undone(self) -> None:
        """One that is taken away is gone, the others stay; there may be none."""
        for device in ("", "phone"):
            one = Override("ann", device, Mode.SMS, "root", NOW)
            self.result(self.store.overrides.override("ann", device, one))
        for _ in range(2):
            self.result(self.store.overrides.override("ann", "", None))
        self.assertEqual([one.device for one in self.all()], ["phone"])
