"""Partnerships in memory."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.core.partnerships import Partnerships
from gateway.interfaces import BackendDown, IDevices
from gateway.model import Device, DeviceKey
from gateway.store import Store
from tests.stores import new_store

PHONE = DeviceKey("ann", "phone")


class SlowStore:
    """A store whose writes are carried out when a test says so, in any order."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.waiting: list[Deferred[None]] = []

    def __getattr__(self, name: str) -> Callable[..., Deferred[None]]:
        def later(*args: object) -> Deferred[None]:
            gate: Deferred[None] = Deferred()
            self.waiting.append(gate)
            return gate.addCallback(lambda _: getattr(self.store, name)(*args))

        return later


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
        return ensureDeferred(self.partnerships.flush())

    def test_met(self) -> None:
        """A request is noted with its time; a Ping also as the last Ping, which other requests leave alone."""
        for now, pinged in ((5, False), (6, True), (7, False)):
            met = ensureDeferred(self.partnerships.met(PHONE, now, "SP", "agent/1", "14.1", pinged))
            device = self.successResultOf(met)
        self.assertEqual((device.first_seen, device.last_seen, device.last_ping), (5, 7, 6))
        self.assertEqual((device.type, device.agent, device.version), ("SP", "agent/1", "14.1"))

    def test_keptAfterSeen(self) -> None:
        """A note does not undo what was kept after it."""
        device = Device(PHONE)
        self.partnerships.seen(device)
        self.successResultOf(self.partnerships.keep(evolve(device, heartbeat=60), durable=False))
        self.successResultOf(self.flush())
        self.assertEqual(self.stored().heartbeat, 60)

    def test_inOrder(self) -> None:
        """Writes reach the store in the order in which they were asked for, however long each of them takes."""
        slow = SlowStore(self.store)
        partnerships = Partnerships(slow)
        partnerships.seen(Device(PHONE, last_seen=7))
        noted = Deferred.fromCoroutine(partnerships.flush())
        wiped = partnerships.keep(Device(PHONE, last_seen=8, heartbeat=480), durable=True)
        gone = partnerships.forget(DeviceKey("ann", "other"))
        while slow.waiting:
            slow.waiting.pop().callback(None)  # the youngest first: threads keep no order
        for done in (noted, wiped, gone):
            self.successResultOf(done)
        self.assertEqual(self.stored().heartbeat, 480)

    def test_writtenThoughNobodyWaits(self) -> None:
        """What is kept is written, also if whoever asked for it leaves before its turn."""
        slow = SlowStore(self.store)
        partnerships = Partnerships(slow)
        first = partnerships.keep(Device(PHONE, heartbeat=60), durable=False)
        second = partnerships.keep(Device(PHONE, heartbeat=480), durable=False)
        for done in (first, second):
            done.cancel()
            self.failureResultOf(done, CancelledError)
        while slow.waiting:
            slow.waiting.pop().callback(None)
        self.assertEqual(self.stored().heartbeat, 480)

    def test_flushFails(self) -> None:
        """What a flush could not write is written by the next one, in its newest state."""
        other = DeviceKey("ann", "other")
        slow = SlowStore(self.store)
        self.partnerships.store = slow
        self.partnerships.seen(Device(PHONE, last_seen=7))
        self.partnerships.seen(Device(other, last_seen=7))
        done = self.flush()
        self.partnerships.seen(Device(PHONE, last_seen=8))
        slow.waiting.pop().errback(BackendDown("the disk is full"))
        self.failureResultOf(done, BackendDown)
        self.partnerships.store = self.store
        self.successResultOf(self.flush())
        self.assertEqual(self.stored().last_seen, 8)
        self.assertEqual(self.successResultOf(self.store.device(other)).last_seen, 7)

    def test_nothingToFlush(self) -> None:
        """With nothing noted a flush does not trouble the store."""
        self.partnerships.store = None
        self.successResultOf(self.flush())

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
