"""How many mails are in memory at a time, whoever wants them."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.defer import Deferred, execute
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.call import Unavailable, Version
from gateway.eas.reading import Reading
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
