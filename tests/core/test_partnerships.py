"""Partnerships in memory."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.core.partnerships import Partnerships
from gateway.interfaces import IDevices
from gateway.model import Device, DeviceKey
from tests.stores import new_store

PHONE = DeviceKey("ann", "phone")


class PartnershipsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = new_store()
        self.partnerships = Partnerships(self.store)

    def stored(self) -> Device | None:
        """What the store has."""
        return self.successResultOf(self.store.device(PHONE))

    def test_interface(self) -> None:
        """It is a drop-in for the store's own devices."""
        self.assertTrue(verifyObject(IDevices, self.partnerships))

    def test_writesThrough(self) -> None:
        """What is kept is in the store, and read from memory."""
        device = Device(PHONE, heartbeat=480, folders=((5, "Email"),))
        self.successResultOf(self.partnerships.keep(device, durable=True))
        self.assertEqual(self.stored(), device)
        self.partnerships.store = None
        self.assertEqual(self.successResultOf(self.partnerships.device(PHONE)), device)

    def test_readsOnce(self) -> None:
        """What the store knows is read once."""
        self.successResultOf(self.store.keep(Device(PHONE, type="SP"), False))
        self.successResultOf(self.partnerships.device(PHONE))
        self.partnerships.store = None
        self.assertEqual(self.successResultOf(self.partnerships.device(PHONE)).type, "SP")

    def test_seenIsWrittenByFlush(self) -> None:
        """Times are collected and written together; lists show them before that."""
        device = Device(PHONE)
        self.successResultOf(self.partnerships.keep(device, durable=False))
        self.partnerships.seen(evolve(device, last_seen=7))
        self.partnerships.synced(PHONE, 9)
        self.assertEqual(self.stored().last_seen, 0)
        self.assertEqual(self.successResultOf(self.partnerships.devices(None))[0].last_sync, 9)
        self.successResultOf(self.flush())
        self.assertEqual((self.stored().last_seen, self.stored().last_sync), (7, 9))

    def flush(self):
        """The Deferred of a flush."""
        from twisted.internet.defer import ensureDeferred

        return ensureDeferred(self.partnerships.flush())

    def test_keptAfterSeen(self) -> None:
        """A note does not undo what was kept after it."""
        device = Device(PHONE)
        self.partnerships.seen(device)
        self.successResultOf(self.partnerships.keep(evolve(device, heartbeat=60), durable=False))
        self.successResultOf(self.flush())
        self.assertEqual(self.stored().heartbeat, 60)

    def test_forgotten(self) -> None:
        """A forgotten device is gone from memory and store, and a flush does not bring it back."""
        self.successResultOf(self.partnerships.keep(Device(PHONE), durable=False))
        self.partnerships.seen(Device(PHONE, last_seen=1))
        self.successResultOf(self.partnerships.forget(PHONE))
        self.successResultOf(self.flush())
        self.assertIsNone(self.successResultOf(self.partnerships.device(PHONE)))

    def test_bounded(self) -> None:
        """No more partnerships are held in memory than allowed; the others are read again."""
        self.partnerships.size = 2
        for name in ("a", "b", "c"):
            self.successResultOf(self.partnerships.keep(Device(DeviceKey("ann", name)), durable=False))
        self.assertEqual(len(self.partnerships._known), 2)
        self.assertIsNotNone(self.successResultOf(self.partnerships.device(DeviceKey("ann", "a"))))
