"""Texts that wait in a file: what goes there, what stays, and the Syncs that are answered from there."""

from __future__ import annotations

import gzip
import os
import weakref
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas import wbxml
from gateway.eas.call import Answer, Stream, Unavailable
from gateway.eas.reading import LARGE_AT_ONCE
from gateway.eas.spool import IN_MEMORY, PACKED_AT_ONCE, SHORT, Shelf, Spool, Spools
from gateway.element import Element
from tests.eas.fetches import octets
from tests.eas.interop import Client, air, collection, only, options, sync_of
from tests.eas.test_hanging import HangingCase
from tests.support import HTTPAnswer

#: Characters that stay in memory.
ROOM = IN_MEMORY
#: A text that is too long for that.
LONG = "Gr\xfc\xdfe.\r\n" * (ROOM // 8 + 1)
MIME = options(air("MIMESupport", 2), Element("AirSyncBase:BodyPreference", Element("AirSyncBase:Type", 4)))


def status(text: str) -> Element:
    """An element with a text."""
    return Element("AirSync:Status", text)


class ShelfTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.spools = Spools(self.mktemp())
        os.mkdir(self.spools.directory or "")
        self.shelf = Shelf(self.spools, "ann", ROOM)

    def tearDown(self) -> None:
        """No spool is left open."""
        self.shelf.close()
        self.assertEqual(len(self.spools), 0)

    def kept(self, *texts: str) -> list[bool]:
        """Have the shelf keep these texts in one document; which of them stayed."""
        self.root = Element("AirSync:Sync", *map(status, texts))
        self.expected = wbxml.encode(self.root)
        self.shelf.keep([self.root])
        return [child.value is not None for child in self.root]

    def test_small(self) -> None:
        """An answer that is not large takes no spool, and is a document."""
        self.assertEqual(self.kept("a" * ROOM, "b" * SHORT), [True, True])
        self.assertEqual(len(self.spools), 0)
        self.assertIs(self.shelf.answer(self.root).element, self.root)

    def test_large(self) -> None:
        """The first long texts stay and those beyond them do not, but short ones do; what is sent is the same, and all
        of it waits in the file."""
        texts = ("a" * (ROOM - SHORT), LONG, "b" * (SHORT + 1), "c" * SHORT, "d\0" * SHORT, "\ud800" * ROOM, "")
        self.assertEqual(self.kept(*texts), [True, False, False, True, False, False, True])
        answer = self.shelf.answer(self.root)
        self.assertIsNone(answer.element)
        assert answer.stream is not None
        frame = answer.stream.pieces.gi_frame  # type: ignore[attr-defined]
        held = sum(len(part) for part in frame.f_locals["segments"] if isinstance(part, bytes))
        self.assertLess(held, 2 * SHORT)
        self.assertTrue(octets(answer) == self.expected)

    def test_packed(self) -> None:
        """The same as gzip, also when nothing of it was packed because the disk was full at first."""
        self.kept(LONG, "x", LONG)
        stream = self.shelf.answer(self.root).stream
        assert stream is not None and stream.packed is not None
        spool = self.shelf._spool
        assert spool is not None
        file, spool.file = spool.file, open("/dev/full", "r+b", buffering=0)  # noqa: SIM115 (closed below)
        with spool.file:
            self.assertRaises(OSError, stream.packed)
        spool.file = file
        packed = stream.packed()
        self.assertLess(packed.length, stream.length // 10)
        self.assertTrue(gzip.decompress(octets(Answer(stream=packed))) == self.expected)

    def test_forgotten(self) -> None:
        """An element that is not sent after all is kept for as long as its text is known by its id, which another one
        could get."""
        element = status(LONG)
        there = weakref.ref(element)
        self.shelf.keep([element])
        del element
        self.assertIsNotNone(there())

    def test_noPlace(self) -> None:
        """Without a place for a spool everything stays, also what comes when there is one; the log says so once."""
        said: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(said.append)
        self.addCleanup(globalLogPublisher.removeObserver, said.append)
        self.spools.of_user = 0
        self.assertEqual(self.kept(LONG, LONG), [True, True])
        self.spools.of_user = 1
        self.assertEqual(self.kept(LONG), [True])
        self.assertEqual(len(said), 1)
        self.assertIs(self.shelf.answer(self.root).element, self.root)

    def test_noSpools(self) -> None:
        """So it does where there is nothing of that kind."""
        self.shelf = Shelf(None, "ann", ROOM)
        self.assertEqual(self.kept(LONG), [True])

    def test_fullDisk(self) -> None:
        """What the disk does not take stays, and the answer is the same."""
        full = open("/dev/full", "r+b", buffering=0)  # noqa: SIM115 (closed with the spool)
        self.patch(Spools, "open", lambda spools, user: Spool(full, full.close))
        self.assertEqual(self.kept(LONG, LONG), [True, True])
        self.assertTrue(octets(self.shelf.answer(self.root)) == self.expected)

    def test_noDirectory(self) -> None:
        """A folder that is not there costs no place."""
        self.spools.directory = "/dev/null/none"
        self.assertEqual(self.kept(LONG), [True])
        self.assertTrue(octets(self.shelf.answer(self.root)) == self.expected)

    def test_closed(self) -> None:
        """Who goes on with an answer that is given up opens no spool."""
        self.shelf.close()
        self.assertEqual(self.kept(LONG), [True])
        self.assertEqual(len(self.spools), 0)


class PackingTests(SynchronousTestCase):
    def test_few(self) -> None:
        """However many answers are to be packed, a few are at a time."""
        begun: list[Deferred[None]] = []

        def run(work: Callable[[], Any]) -> Deferred[Any]:
            begun.append(Deferred())
            return begun[-1].addCallback(lambda _: work())

        spools = Spools(run=run)
        stream = Stream(0, iter(()), lambda: None)
        asked = [Deferred.fromCoroutine(spools.packed(lambda: stream)) for _ in range(3 * PACKED_AT_ONCE)]
        for number, one in enumerate(asked):
            self.assertEqual(len(begun), min(number + PACKED_AT_ONCE, len(asked)))
            begun[number].callback(None)
            self.assertIs(self.successResultOf(one), stream)


class SyncCase(HangingCase):
    def setUp(self) -> None:
        super().setUp()
        self.spools = self.world.dispatcher.spools = self.sync.spools = Spools(self.mktemp())
        os.mkdir(self.spools.directory or "")

    def tearDown(self) -> None:
        """No spool is left open."""
        super().tearDown()
        self.assertEqual(len(self.spools), 0)

    def arrive(self, name: str = "large") -> str:
        """Have a large mail come; what of it is sent."""
        raw = f"From: b@example.org\r\nSubject: {name}\r\n\r\n" + "x" * 70 * 20_000
        self.world.arrive(self.inbox, name, raw)
        return raw

    def ask(self, packed: bool = False) -> list[HTTPAnswer]:
        """Ask for it as MIME, perhaps by a phone that takes gzip."""
        key = self.phone.keys[self.inbox]
        fields = {"Accept-Encoding": "gzip"} if packed else {}
        return self.phone.post("Sync", sync_of(collection(key, self.inbox, MIME)), fields)

    def text_of(self, document: Element) -> str | None:
        """The text of the only mail of an answer."""
        body = only(document).child("AirSyncBase:Body")
        assert body is not None
        return body.text_of("AirSyncBase:Data")


class LargeSyncTests(SyncCase):
    """A Sync whose answer is large."""

    def test_whole(self) -> None:
        """It brings the same as one from memory, and is accounted for in the same way."""
        raw = self.arrive()
        for spools in (None, self.spools):
            self.sync.spools = spools
            (answer,) = self.ask()
            self.assertEqual((answer.status, answer.headers["content-type"]), (200, "application/vnd.ms-sync.wbxml"))
            self.assertNotIn("content-encoding", answer.headers)
            self.assertTrue(self.text_of(answer.element) == raw)
        self.items([answer])
        self.phone.sync(self.inbox)
        self.parked()

    def test_inTheFile(self) -> None:
        """While the client takes nothing, the text is in the file alone, and its place among the large mails is free."""
        self.arrive()
        call = self.world.dispatcher.commands["Sync"]
        given: list[Answer] = []

        async def seen(asked: Any) -> Answer:
            given.append(await call(asked))
            return given[-1]

        self.world.commands["Sync"] = seen
        self.phone.connection.protocol.pauseProducing()
        self.assertEqual([answer.body for answer in self.ask()], [b""])
        (answer,) = given
        self.assertIsNone(answer.element)
        self.assertEqual(len(self.spools), 1)
        self.assertEqual(self.sync.reading.large.tokens, LARGE_AT_ONCE)
        self.phone.connection.protocol.resumeProducing()
        self.assertEqual(len(self.spools), 0)

    def test_packed(self) -> None:
        """Who takes gzip gets it as gzip, with its length; while it is being packed others are served."""
        raw = self.arrive()
        packing: list[Deferred[None]] = []

        def run(work: Callable[[], Any]) -> Deferred[Any]:
            packing.append(Deferred())
            return packing[-1].addCallback(lambda _: work())

        self.spools.run = run
        self.assertEqual(len(self.ask(packed=True)), 0)
        tablet = Client(self.world, device="tablet")
        self.connections.append(tablet.connection)
        tablet.folder_sync()
        packing[0].callback(None)
        (answer,) = self.answers()
        self.assertEqual(answer.headers["content-encoding"], "gzip")
        self.assertEqual(len(answer.body), int(answer.headers["content-length"]))
        self.assertLess(len(answer.body), len(raw) // 10)
        self.assertTrue(self.text_of(wbxml.decode(gzip.decompress(answer.body))) == raw)

    def test_leftWhilePacked(self) -> None:
        """Who leaves meanwhile gets the same with the next request: nothing was given."""
        raw = self.arrive()
        self.spools.run = lambda work: Deferred()
        self.assertEqual(len(self.ask(packed=True)), 0)
        self.assertEqual(len(self.spools), 1)
        self.reconnect().lose()
        self.assertEqual(len(self.spools), 0)
        self.spools.run = execute
        (answer,) = self.ask()
        self.assertTrue(self.text_of(answer.element) == raw)

    def test_notPacked(self) -> None:
        """If the disk is full it is not packed; if packing fails in another way the client comes again."""
        raw = self.arrive()
        for error in (OSError("full"), ValueError("broken")):

            def run(work: object, error: Exception = error) -> Deferred[Any]:
                return execute(_raise, error)

            self.spools.run = run
            (answer,) = self.ask(packed=True)
            if isinstance(error, OSError):
                self.assertTrue(self.text_of(answer.element) == raw)
                self.assertNotIn("content-encoding", answer.headers)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(self.status([answer]), "111")

    def test_hanging(self) -> None:
        """A parked Sync that a large mail ends is answered with it."""
        self.ask()
        self.parked(more=[MIME])
        raw = self.arrive()
        (answer,) = self.later(1)
        self.assertTrue(self.text_of(answer.element) == raw)
        self.assertEqual(self.world.board.parked, 0)

    def test_manyOfAUser(self) -> None:
        """Those for which there is no place are sent from memory; nobody is refused."""
        raw = self.arrive()
        self.spools.of_user = 0
        (answer,) = self.ask()
        self.assertTrue(self.text_of(answer.element) == raw)

    def test_fails(self) -> None:
        """A Sync that fails after its mail was read leaves no spool."""
        self.arrive()
        self.sync.synced = _unavailable
        (answer,) = self.ask()
        self.assertEqual(answer.status, 503)
        self.assertEqual(len(self.spools), 0)


def _raise(error: Exception) -> None:
    raise error


async def _unavailable(device: object) -> str | None:
    raise Unavailable("not now", 1)
