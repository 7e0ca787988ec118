"""GetItemEstimate ([MS-ASCMD] 2.2.1.9)."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.call import Answer, Version
from gateway.eas.estimate import GetItemEstimate
from gateway.eas.gate import Rules
from gateway.eas.policydoc import Policy
from gateway.element import Element
from gateway.interfaces import BackendDown
from gateway.model import DeviceKey, Folder, FolderType, SyncOptions, SyncRequest
from tests.eas.support import ANN, NOW, VECTORS, Sources, call_of, decoded, refused, result_of, sent, text

DAY = 86400


def item(name: str, *content: Element | str | int | None) -> Element:
    return Element(f"GetItemEstimate:{name}", *content)


def air(name: str, *content: Element | str | int | None) -> Element:
    return Element(f"AirSync:{name}", *content)


def wanted(*collections: Element) -> Element:
    return item("GetItemEstimate", item("Collections", *collections))


@define(eq=False)
class Counting:
    """The part of a ledger that GetItemEstimate uses, which answers what it is told to."""

    result: tuple[int, int] | Exception = (1, 12)
    asked: list[tuple[Any, ...]] = field(factory=list)

    def folders(self, user: str) -> Deferred[list[Folder]]:
        return succeed([Folder(5, user, "", "Inbox", FolderType.INBOX)])

    def estimate(
        self, device: DeviceKey, folder: int, key: str, options: SyncOptions | None, now: int
    ) -> Deferred[tuple[int, int]]:
        self.asked.append((device, folder, key, options, now))
        return fail(self.result) if isinstance(self.result, Exception) else succeed(self.result)


class FormTests(SynchronousTestCase):
    """The forms of the request, by version."""

    def setUp(self) -> None:
        self.ledger = Counting()
        self.rules = Rules()
        self.command = GetItemEstimate(self.ledger, lambda: NOW, self.rules)

    def ask(self, body: Element | None, version: Version = Version.V14_1) -> Answer:
        answer: Answer = result_of(self.command(call_of("GetItemEstimate", body, version)))
        return answer

    def options(self, body: Element, version: Version = Version.V14_1) -> SyncOptions | None:
        """The options that the ledger is asked with."""
        self.ask(body, version)
        found: SyncOptions | None = self.ledger.asked[-1][3]
        return found

    def refused(self, body: Element | None, version: Version = Version.V14_1) -> int:
        self.addCleanup(self.assertEqual, self.ledger.asked, [])
        return refused(self.command(call_of("GetItemEstimate", body, version))).status

    def test_vector(self) -> None:
        """The vectors of 14.0, byte by byte."""
        answer = self.ask(decoded("getitemestimate-request"))
        self.assertEqual(sent(answer), VECTORS["getitemestimate-response"])
        self.assertEqual(self.ledger.asked, [(ANN, 5, "1", SyncOptions(filter=3), NOW)])

    def test_old(self) -> None:
        """The form of 2.5 to 12.1: Class, which is repeated, CollectionId, FilterType outside of Options, SyncKey."""
        body = wanted(
            item(
                "Collection",
                item("Class", "Email"),
                item("CollectionId", "5"),
                air("FilterType", 2),
                air("SyncKey", "1"),
            )
        )
        for version in (Version.V2_5, Version.V12_0, Version.V12_1):
            answer = self.ask(body, version)
            self.assertEqual(
                text(answer.element),
                "GetItemEstimate(Response(Status=1 Collection(Class=Email CollectionId=5 Estimate=12)))",
            )
            self.assertEqual(self.ledger.asked[-1][3], SyncOptions(filter=2))

    def test_anyOrder(self) -> None:
        """The children may come in any order, and in the page of AirSync."""
        body = wanted(
            item("Collection", air("Options", air("FilterType", 1)), air("CollectionId", "5"), air("SyncKey", "1"))
        )
        self.assertEqual(self.options(body), SyncOptions(filter=1))

    def test_noOptions(self) -> None:
        """Without options and FilterType everything counts ([MS-ASCMD] 2.2.3.125.2)."""
        body = wanted(item("Collection", item("CollectionId", "5"), air("SyncKey", "1")))
        self.assertEqual(self.options(body), SyncOptions())

    def test_badOptions(self) -> None:
        """A filter that does not exist: Status 103 for the collection, and no Estimate; HTTP 400 before 14.0."""
        for bad in (air("FilterType", 9), air("Options", air("FilterType", "x"))):
            body = wanted(item("Collection", bad, item("CollectionId", "5"), air("SyncKey", "1")))
            expected = "GetItemEstimate(Response(Status=103 Collection(CollectionId=5)))"
            self.assertEqual(text(self.ask(body).element), expected)
            self.assertEqual(self.refused(body, Version.V12_1), 103)

    def test_otherFilter(self) -> None:
        """A filter for another class than mail: 110 ([MS-ASCMD] 2.2.3.68.1)."""
        for value in (6, 7, 8):
            filter = air("Options", air("FilterType", value))
            self.assertEqual(
                self.refused(wanted(item("Collection", filter, item("CollectionId", "5"), air("SyncKey", "1")))), 110
            )

    def test_policy(self) -> None:
        """The window of a policy holds here too."""
        self.rules.policy_for = lambda user: Policy({"MaxEmailAgeFilter": 1})
        self.assertEqual(self.options(decoded("getitemestimate-request")), SyncOptions(filter=1))

    def test_malformed(self) -> None:
        """Another root, no Collections, strangers in it, no id, no key, an unknown Class: 103."""
        fine = (item("CollectionId", "5"), air("SyncKey", "1"))
        wrong = [
            Element("Ping:Ping"),
            item("GetItemEstimate"),
            wanted(),
            wanted(item("Response")),
            wanted(item("Collection", *fine[:1])),
            wanted(item("Collection", *fine[1:])),
            wanted(item("Collection", item("CollectionId", "5" * 65), fine[1])),
            wanted(item("Collection", fine[0], air("SyncKey"))),
        ]
        for body in wrong:
            self.assertEqual(self.refused(body), 103)
        self.assertEqual(self.refused(wanted(item("Collection", item("Class", "X"), *fine)), Version.V12_1), 103)

    def test_tooMany(self) -> None:
        """More than 1000 collections: 103."""
        one = item("Collection", item("CollectionId", "7"), air("SyncKey", "1"))
        self.assertEqual(self.refused(wanted(*[one] * 1001)), 103)
        answer = self.ask(wanted(*[one] * 1000))
        assert answer.element is not None
        self.assertEqual(len(answer.element.children), 1000)
        self.command.most = 2
        self.assertEqual(self.refused(wanted(*[one] * 3)), 103)

    def test_noBody(self) -> None:
        """An empty body: 101."""
        self.assertEqual(self.refused(None), 101)

    def test_ledgerDown(self) -> None:
        """When the ledger does not answer: 111, which is 503 before 14.0."""
        self.ledger.result = BackendDown("no database")
        self.assertEqual(
            refused(self.command(call_of("GetItemEstimate", decoded("getitemestimate-request")))).status, 111
        )


class EstimateTests(SynchronousTestCase):
    """Against a real store."""

    def setUp(self) -> None:
        self.sources = Sources()
        self.inbox = self.sources.make()[""]
        self.command = GetItemEstimate(self.sources.store, lambda: NOW)

    def synced(self, key: str, **more: Any) -> str:
        """Synchronise with a key; the next one."""
        request = SyncRequest(key, key.encode(), NOW, get_changes=key != "0", **more)
        found: str = result_of(self.sources.store.sync(ANN, self.inbox, request)).key
        return found

    def estimate(self, key: str, *more: Element, folder: int | str = "") -> str:
        collection = item("Collection", air("SyncKey", key), item("CollectionId", folder or self.inbox), *more)
        answer = result_of(self.command(call_of("GetItemEstimate", wanted(collection))))
        return text(answer.element).replace(f"CollectionId={self.inbox}", "CollectionId=inbox")

    def counted(self, count: int) -> str:
        return f"GetItemEstimate(Response(Status=1 Collection(CollectionId=inbox Estimate={count})))"

    def failed(self, status: int) -> str:
        return f"GetItemEstimate(Response(Status={status} Collection(CollectionId=inbox)))"

    def test_count(self) -> None:
        """Status 1: what a Sync would bring, beyond its window, is counted; asking changes nothing."""
        for number in range(3):
            self.sources.mail(self.inbox, f"m{number}")
        key = self.synced("0")
        self.assertEqual(self.estimate(key), self.counted(3))
        self.assertEqual(self.estimate(key), self.counted(3))
        self.assertEqual(self.estimate(self.synced(key, window=2)), self.counted(1))

    def test_filter(self) -> None:
        """Only what lies in the window is counted; without one everything is, whatever the last Sync asked for."""
        self.sources.mail(self.inbox, "new")
        self.sources.mail(self.inbox, "old", age=5 * DAY)
        key = self.synced("0", options=SyncOptions(filter=2))
        self.assertEqual(self.estimate(key, air("Options", air("FilterType", 2))), self.counted(1))
        self.assertEqual(self.estimate(key), self.counted(2))

    def test_notPrimed(self) -> None:
        """Key 0, and a folder that was never synchronised: Status 3."""
        self.assertEqual(self.estimate("0"), self.failed(3))
        self.assertEqual(self.estimate("1"), self.failed(3))

    def test_badKey(self) -> None:
        """A key that was never issued: Status 4."""
        self.synced("0")
        self.assertEqual(self.estimate("17"), self.failed(4))

    def test_badFolder(self) -> None:
        """A folder that is not there, of somebody else, or no folder at all: Status 2."""
        bobs = self.sources.make("bob")[""]
        for folder in (999, bobs, "x", f"0{self.inbox}"):
            expected = f"GetItemEstimate(Response(Status=2 Collection(CollectionId={folder})))"
            self.assertEqual(self.estimate("1", folder=folder), expected)
