"""The answers of Sync, byte by byte as in the vectors, and what goes into them."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, execute, succeed
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.call import Version
from gateway.eas.collection import Verb
from gateway.eas.rendering import headers_only, size_of
from gateway.eas.sync import Sync
from gateway.eas.syncanswer import Part, Response, collections
from gateway.eas.syncbody import SyncLimits, parse
from gateway.element import Element
from gateway.model import (
    BatchRow,
    BodyPreference,
    DeviceKey,
    Folder,
    FolderType,
    Item,
    Look,
    Looked,
    Op,
    Standing,
    SyncOptions,
    SyncOutcome,
    SyncRequest,
)
from gateway.testing import MemoryMailbox, Reports
from tests.eas.support import ANN, NOW, VECTORS, call_of, decoded, parking_of, result_of, sent, text
from tests.eas.test_collection import air, collection, sync

MAIL = (
    b'To: "Ann" <ann@example.org>\r\nFrom: "Bob" <bob@example.org>\r\nSubject: Hello\r\n'
    b"Content-Type: text/plain; charset=utf-8\r\n\r\nHi."
)


@define(eq=False)
class Scripted:
    """The part of a ledger that Sync uses, which answers what it is told to."""

    outcome: SyncOutcome
    asked: list[SyncRequest] = field(factory=list)

    def folders(self, user: str) -> Deferred[list[Folder]]:
        return succeed([Folder(5, user, "", "Inbox", FolderType.INBOX)])

    def sync(self, device: DeviceKey, folder: int, request: SyncRequest) -> Deferred[SyncOutcome]:
        self.asked.append(request)
        return succeed(self.outcome)

    def given(self, device: DeviceKey, folder: int, key: str) -> None:
        """Nobody asks."""

    def look(self, device: DeviceKey, folders: Sequence[int], adds_only: bool) -> Deferred[Looked]:
        synced = Look(Standing.SYNCED, 1)
        return succeed(Looked(1, synced, dict.fromkeys(folders, synced)))

    def device(self, key: DeviceKey) -> Deferred[None]:
        return succeed(None)


class VectorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.mailbox = MemoryMailbox()

    def answered(
        self, request: str | Element | None, outcome: SyncOutcome, version: Version = Version.V12_1
    ) -> tuple[bytes, list[SyncRequest]]:
        """The bytes of the answer to a request, and what the ledger was asked."""
        ledger = Scripted(outcome)
        command = Sync(parking_of(ledger), ledger, self.mailbox, Reports(), lambda: NOW, execute)
        body = decoded(request) if isinstance(request, str) else request
        return sent(result_of(command(call_of("Sync", body, version)))), ledger.asked

    def test_initial(self) -> None:
        """The first answer."""
        answer, asked = self.answered("sync-request-initial", SyncOutcome(1, "1", advanced=True))
        self.assertEqual(answer, VECTORS["sync-response-initial"])
        self.assertEqual((asked[0].key, asked[0].get_changes, asked[0].options), ("0", False, None))

    def test_initial25(self) -> None:
        """The first answer of 2.5, with the Class in front."""
        outcome = SyncOutcome(1, "1", advanced=True)
        answer, _ = self.answered("sync-request-initial-2.5", outcome, Version.V2_5)
        self.assertEqual(answer, VECTORS["sync-response-initial-2.5"])

    def test_mail(self) -> None:
        """A mail, with more to come."""
        self.mailbox.put("ann", "", "m1", MAIL)
        item = Item(1, 5, "m1", "", NOW, 1)
        options = SyncOptions(filter=3, bodies=(BodyPreference(1, 512),))
        outcome = SyncOutcome(1, "2", True, options, batch=(BatchRow(Op.ADD, 1, item),), more=True)
        answer, asked = self.answered("sync-request-get", outcome)
        self.assertEqual(answer, VECTORS["sync-response-mail"])
        self.assertEqual((asked[0].key, asked[0].window, asked[0].options), ("1", 50, options))

    def test_badKey(self) -> None:
        """A key that is not good any more."""
        answer, _ = self.answered("sync-request-initial", SyncOutcome(3, "0"))
        self.assertEqual(answer, VECTORS["sync-response-bad-key"])

    def test_waitLimit(self) -> None:
        """A Wait that is too long; the ledger is not asked."""
        body = sync(collection(), more=(air("Wait", 60),))
        answer, asked = self.answered(body, SyncOutcome(1, "2"))
        self.assertEqual((answer, asked), (VECTORS["sync-response-wait-limit"], []))

    def test_resend(self) -> None:
        """A partial request with nothing to go on from, and an empty one."""
        for request in ("sync-request-partial-14.0", None):
            answer, asked = self.answered(request, SyncOutcome(1, "2"), Version.V14_0)
            self.assertEqual((answer, asked), (VECTORS["sync-response-resend-full"], []))

    def test_folderSync(self) -> None:
        """A folder that is not there, also if it went away only just now."""
        answer, asked = self.answered(sync(collection(id="6")), SyncOutcome(1, "2"))
        self.assertEqual((answer, asked), (VECTORS["sync-response-foldersync"], []))
        answer, _ = self.answered(sync(collection()), SyncOutcome(12, "0"))
        self.assertEqual(answer, VECTORS["sync-response-foldersync"])

    def test_hanging(self) -> None:
        """A request that waits for ten minutes in vain: an empty answer after that."""
        ledger = Scripted(SyncOutcome(1, "2"))
        parking = parking_of(ledger)
        command = Sync(parking, ledger, self.mailbox, Reports(), lambda: NOW, execute)
        call = call_of("Sync", decoded("sync-request-hanging-12.1"), Version.V12_1)
        waiting = Deferred.fromCoroutine(command(call))
        parking.clock.pump([599.0])
        self.assertNoResult(waiting)
        parking.clock.pump([1.0, 1.0])
        self.assertEqual(sent(self.successResultOf(waiting)), b"")
        self.assertEqual([asked.key for asked in ledger.asked], ["2"])
        self.assertIsNone(parking.board.claim_of(ANN))

    def test_clientCommands(self) -> None:
        """The results of client commands; the vector's Add succeeded, which one of a mail cannot."""
        asked = parse(decoded("sync-request-client-commands"), Version.V14_1, SyncLimits()).collections[0]
        responses = [Response(Verb.DELETE, "9:5", 8), Response(Verb.ADD, "17", 6)]
        part = Part(asked, 1, "3", advanced=True, responses=responses)
        expected = text(decoded("sync-response-client-commands"))
        expected = expected.replace("ClientId=17 ServerId=9:8 Status=1", "ClientId=17 Status=6")
        self.assertEqual(text(collections([part])), expected)


class RequestTests(SynchronousTestCase):
    """What the ledger is told of a request."""

    def asked(self, *more: Element) -> SyncRequest:
        ledger = Scripted(SyncOutcome(1, "2", advanced=True))
        command = Sync(parking_of(ledger), ledger, MemoryMailbox(), Reports(), lambda: NOW, execute)
        result_of(command(call_of("Sync", sync(collection(*more)))))
        return ledger.asked[0]

    def test_responds(self) -> None:
        """An answer that will have Responses of its own makes the key advance."""

        def commands(*elements: Element) -> Element:
            return air("Commands", *elements)

        self.assertFalse(self.asked().responds)
        self.assertFalse(self.asked(commands(air("Delete", air("ServerId", "5:1")))).responds)
        self.assertTrue(self.asked(commands(air("Add", air("ClientId", "1")))).responds)
        self.assertTrue(self.asked(commands(air("Delete", air("ServerId", "x")))).responds)

    def test_digest(self) -> None:
        """Requests with the same content have the same digest, others do not."""
        self.assertEqual(self.asked().digest, self.asked().digest)
        self.assertNotEqual(self.asked().digest, self.asked(air("WindowSize", 5)).digest)

    def test_now(self) -> None:
        """The time is that of the clock that was given."""
        self.assertEqual(self.asked().now, NOW)


class BoundTests(SynchronousTestCase):
    def test_size(self) -> None:
        """The size of elements grows with every element, every value and every byte in it."""
        small = [Element("Email:To", "ann")]
        self.assertLess(size_of([]), size_of(small))
        self.assertEqual(size_of([Element("Email:To", "ann" + "x" * 1000)]), size_of(small) + 1000)
        nested = [Element("AirSyncBase:Body", Element("AirSyncBase:Data", b"x" * 5000))]
        self.assertGreater(size_of(nested), 5000)

    def test_headersOnly(self) -> None:
        """Every kind of text is cut to nothing, whatever was asked for; what is not text stays as it was."""
        options = SyncOptions(
            filter=3,
            truncation=9,
            mime_support=2,
            mime_truncation=8,
            bodies=(BodyPreference(2, 500, True, 20), BodyPreference(4)),
            part=BodyPreference(2, 5, True),
        )
        self.assertEqual(
            headers_only(options),
            evolve(
                options,
                truncation=0,
                mime_truncation=0,
                bodies=(BodyPreference(2, 0, False, 20), BodyPreference(4, 0)),
                part=BodyPreference(2, 0),
            ),
        )

    def test_headersOnlyUnasked(self) -> None:
        """Who asked for no format gets no text either."""
        self.assertEqual(headers_only(SyncOptions()).bodies, (BodyPreference(1, 0),))
