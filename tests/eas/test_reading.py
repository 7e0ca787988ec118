"""How many mails are in memory at a time, whoever wants them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, execute
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.call import Unavailable, Version
from gateway.eas.reading import LARGE, LARGE_AT_ONCE, Reading
from gateway.eas.sync import AT_ONCE, Sync
from gateway.interfaces import ItemGone
from gateway.model import DeviceKey, Folder, FolderType, Item
from tests.eas.fetches import air
from tests.eas.support import NOW, Sources, call_of, parking_of, sent
from tests.stores import result_of

FOLDER = Folder(5, "ann", "", "Inbox", FolderType.INBOX)
ITEM = Item(17, 5, "m", "S", NOW, 1)


@define(eq=False)
class SlowMailbox:
    """Gives mails when it is told to."""

    reads: list[Deferred[bytes]] = field(factory=list)

    def read(self, user: str, path: str, name: str, state: str) -> Deferred[bytes]:
        """Promise one."""
        self.reads.append(Deferred())
        return self.reads[-1]


class ReadingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.mailbox = SlowMailbox()
        self.reading = Reading(self.mailbox, execute, at_once=2, waiting=2)  # type: ignore[arg-type]

    def convert(self) -> Deferred[int]:
        """Have the length of the mail be found."""
        return Deferred.fromCoroutine(self.reading.convert(FOLDER, ITEM, len))

    def test_turns(self) -> None:
        """The next is read when one before it has been converted; who would wait too long is sent away."""
        asked = [self.convert() for _ in range(4)]
        self.failureResultOf(self.convert(), Unavailable)
        self.assertEqual(len(self.mailbox.reads), 2)
        self.mailbox.reads[0].callback(b"abc")
        self.assertEqual(self.successResultOf(asked[0]), 3)
        self.assertEqual(len(self.mailbox.reads), 3)

    def test_failures(self) -> None:
        """A mail that is gone, a conversion that fails, and somebody who leaves, free their places."""
        asked = [self.convert() for _ in range(4)]
        self.mailbox.reads[0].errback(ItemGone("m"))
        self.failureResultOf(asked[0], ItemGone)
        asked[1].cancel()
        self.failureResultOf(asked[1])
        self.assertEqual(len(self.mailbox.reads), 4)
        waiting = self.convert()
        broken = Deferred.fromCoroutine(self.reading.convert(FOLDER, ITEM, lambda raw: raw[99]))
        asked[2].cancel()
        self.failureResultOf(asked[2])
        self.mailbox.reads[4].callback(b"abc")
        self.assertEqual(self.successResultOf(waiting), 3)
        self.mailbox.reads[5].callback(b"abc")
        self.failureResultOf(broken, IndexError)

    def test_leavingTheLine(self) -> None:
        """Who leaves while waiting takes no place."""
        asked = [self.convert() for _ in range(3)]
        asked[2].cancel()
        self.failureResultOf(asked[2])
        for read in self.mailbox.reads:
            read.callback(b"a")
        self.assertEqual([self.successResultOf(done) for done in asked[:2]], [1, 1])
        self.assertEqual(len(self.mailbox.reads), 2)


class Octets(bytes):
    """The octets of a mail; how many there are is known."""

    there = 0

    def __new__(cls, size: int) -> Octets:
        """Make so many."""
        cls.there += 1
        return super().__new__(cls, size)

    def __del__(self) -> None:
        type(self).there -= 1


class LargeTests(SynchronousTestCase):
    """Large mails, whose octets are in memory while they are converted and no longer."""

    def setUp(self) -> None:
        self.mailbox, self.working = SlowMailbox(), list[tuple[Callable[..., Any], Octets, Deferred[Any]]]()
        self.devices = Reading(self.mailbox, self.run_later, 4, 1000)  # type: ignore[arg-type]
        self.others = Reading(self.mailbox, self.run_later, 4, 1000, self.devices.large)  # type: ignore[arg-type]
        self.addCleanup(lambda: self.assertEqual(Octets.there, 0))

    def run_later(self, work: Callable[..., Any], raw: Octets) -> Deferred[Any]:
        """Begin a conversion, which ends when it is told to."""
        self.working.append((work, raw, Deferred()))
        return self.working[-1][2]

    def convert(self, reading: Reading) -> Deferred[int]:
        """Have the length of a mail be found."""
        return Deferred.fromCoroutine(reading.convert(FOLDER, ITEM, len))

    def read(self, size: int) -> None:
        """Have all mails be read that are to be read now, one after another; they are of that size."""
        while self.mailbox.reads:
            self.mailbox.reads.pop(0).callback(Octets(size))
            self.assertLessEqual(Octets.there, LARGE_AT_ONCE + 8)

    def finish(self) -> None:
        """Finish the conversion that was begun first."""
        work, raw, done = self.working.pop(0)
        done.callback(work(raw))

    def test_few(self) -> None:
        """However many are wanted, by whatever command, a few are in memory, and each is converted in the end."""
        asked = [self.convert(reading) for _ in range(24) for reading in (self.devices, self.others)]
        for number in range(len(asked)):
            self.read(LARGE + 1)
            self.assertEqual(Octets.there, min(LARGE_AT_ONCE, len(asked) - number))
            self.assertEqual(len(self.working), Octets.there)
            self.finish()
        self.assertEqual([self.successResultOf(one) for one in asked], [LARGE + 1] * len(asked))

    def test_small(self) -> None:
        """Small ones do not wait for them, and are read once."""
        large = [self.convert(self.devices) for _ in range(3 * LARGE_AT_ONCE)]
        self.read(LARGE + 1)
        small = self.convert(self.devices)
        self.read(LARGE)
        self.assertEqual(len(self.working), LARGE_AT_ONCE + 1)
        self.working.insert(0, self.working.pop())
        self.finish()
        self.assertEqual(self.successResultOf(small), LARGE)
        for one in large:
            self.assertNoResult(one)
            self.finish()
            self.read(LARGE + 1)

    def test_putOff(self) -> None:
        """There is an end to how many wait for a place among the large ones."""
        asked = [self.convert(self.devices) for _ in range(LARGE_AT_ONCE + 3)]
        self.read(LARGE + 1)
        self.others.waiting = 3
        beyond = self.convert(self.others)
        self.read(LARGE + 1)
        self.failureResultOf(beyond, Unavailable)
        while self.working:
            self.finish()
            self.read(LARGE + 1)
        self.assertEqual([self.successResultOf(one) for one in asked], [LARGE + 1] * len(asked))

    def test_gone(self) -> None:
        """One that is gone when its turn comes leaves the place to the next."""
        asked = [self.convert(self.devices) for _ in range(LARGE_AT_ONCE + 2)]
        self.read(LARGE + 1)
        self.finish()
        self.mailbox.reads.pop(0).errback(ItemGone("m"))
        self.failureResultOf(asked[LARGE_AT_ONCE], ItemGone)
        self.read(LARGE + 1)
        while self.working:
            self.finish()
        self.assertEqual(self.successResultOf(asked[-1]), LARGE + 1)


class SyncTests(SynchronousTestCase):
    def test_manyDevices(self) -> None:
        """However many devices synchronise, a few mails are in memory, and every device gets its answer."""
        sources = Sources()
        inbox = sources.make()[""]
        sources.mail(inbox, "m1")
        slow = SlowMailbox()
        sync = Sync(parking_of(sources.store), sources.store, slow, sources.reports, lambda: NOW, execute)  # type: ignore[arg-type]
        asked = []
        for number in range(3 * AT_ONCE):
            device = DeviceKey("ann", f"phone{number}")

            def body(key: str) -> object:
                collection = air("Collection", air("SyncKey", key), air("CollectionId", inbox))
                return air("Sync", air("Collections", collection))

            first = result_of(sync(call_of("Sync", body("0"), Version.V14_1, device)))
            assert first.element is not None
            key = first.element.children[0].children[0].text_of("AirSync:SyncKey")
            asked.append(Deferred.fromCoroutine(sync(call_of("Sync", body(key), Version.V14_1, device))))
        self.assertEqual(len(slow.reads), AT_ONCE)
        for number in range(3 * AT_ONCE):
            self.assertLessEqual(len(slow.reads), number + AT_ONCE)
            slow.reads[number].callback(b"Subject: x\r\n\r\ny")
        for done in asked:
            self.assertIn(b"\x03x\x00", sent(self.successResultOf(done)))
