"""The contract of L{IDevices}."""

from __future__ import annotations

from attrs import evolve
from zope.interface.verify import verifyObject

from gateway.interfaces import IDevices
from gateway.model import Device, DeviceKey, PolicyState, Wipe, WipeState
from tests.contract.store import ANN, BOB, NOW, TABLET, StoreCase

FULL = Device(
    key=ANN,
    type="iPhone",
    agent="Apple-iPhone/1",
    version="14.1",
    first_seen=NOW,
    last_seen=NOW + 1,
    last_sync=NOW + 2,
    last_ping=NOW + 3,
    heartbeat=480,
    folders=((5, "Email"), (1, "Calendar")),
    information={"Model": "X", "FriendlyName": "Änn's \U0001f4f1"},
    policy=PolicyState(4294967295, "abc", 3, "def", NOW, 1),
    wipe=Wipe(WipeState.SENT, "root", NOW, True, NOW + 4, None),
    admitted=True,
    told="quarantine",
    recovery="0000 Ä",
)


class DevicesContract(StoreCase):
    """Partnerships."""

    def test_interface(self) -> None:
        """The store provides L{IDevices}."""
        self.assertTrue(verifyObject(IDevices, self.store))

    def test_unknown(self) -> None:
        """A device never kept is not there, even if it has synchronised."""
        self.start()
        self.assertIsNone(self.result(self.store.device(ANN)))
        self.assertEqual(self.result(self.store.devices(None)), [])

    def test_kept(self) -> None:
        """All that is kept comes back, durable or not, also after a restart."""
        for durable in (False, True):
            for device in (FULL, Device(TABLET), evolve(FULL, folders=(), wipe=None, heartbeat=None)):
                self.result(self.store.keep(device, durable))
                self.store = self.restart()
                self.assertEqual(self.result(self.store.device(device.key)), device)

    def test_keptAgain(self) -> None:
        """The newer partnership replaces the older as a whole."""
        self.result(self.store.keep(FULL, True))
        self.result(self.store.keep(Device(ANN, type="other"), False))
        self.assertEqual(self.result(self.store.device(ANN)), Device(ANN, type="other"))

    def test_anyText(self) -> None:
        """Whatever a client says of itself can be kept; what is no text is left out."""
        self.result(self.store.keep(Device(ANN, agent="a\0b\ud800", information={"Model": "\0\ud800"}), False))
        self.assertEqual(self.result(self.store.device(ANN)).agent, "ab?")

    def test_keepAll(self) -> None:
        """Many are written at once, new and known ones."""
        self.result(self.store.keep(Device(ANN), True))
        self.result(self.store.keep_all([FULL, Device(BOB, agent="x")]))
        self.assertEqual(self.result(self.store.devices(None)), [FULL, Device(BOB, agent="x")])
        self.result(self.store.keep_all([]))

    def test_list(self) -> None:
        """All partnerships or those of one user, sorted; two accounts may share a device."""
        shared = DeviceKey("bob", ANN.device)
        for key in (shared, TABLET, BOB, ANN):
            self.result(self.store.keep(Device(key), False))
        self.assertEqual([one.key for one in self.result(self.store.devices(None))], [ANN, TABLET, shared, BOB])
        self.assertEqual([one.key for one in self.result(self.store.devices("ann"))], [ANN, TABLET])

    def test_forget(self) -> None:
        """A forgotten device is gone, with its policy keys and its wipe."""
        self.result(self.store.keep(FULL, True))
        self.result(self.store.forget(ANN))
        self.assertIsNone(self.result(self.store.device(ANN)))
        self.assertEqual(self.result(self.store.devices(None)), [])

    def test_forgetUnknown(self) -> None:
        """Forgetting a device that nobody knows is no failure."""
        self.assertIsNone(self.result(self.store.forget(ANN)))

    def test_keysAfterForget(self) -> None:
        """The keys of a forgotten device are invalid for ever, also when it has come back."""
        self.result(self.store.keep(FULL, True))
        hierarchy = self.result(self.store.sync_folders(ANN, "0"))
        old = [self.sync("0").key for _ in range(3)]
        other = self.start(TABLET)
        self.result(self.store.forget(ANN))
        self.assertEqual([self.sync(key).status for key in old], [3, 3, 3])
        self.result(self.store.keep(FULL, True))
        fresh = self.sync("0").key
        self.assertNotIn(fresh, old)
        self.assertEqual([self.sync(key).status for key in (*old, fresh)], [3, 3, 3, 1])
        self.assertEqual(self.result(self.store.sync_folders(ANN, hierarchy.key)).status, 9)
        self.assertEqual(self.sync(other, device=TABLET).status, 1)
