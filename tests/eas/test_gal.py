"""Search and Find of people, and the frames of both commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from gateway.core.directory import Directory, Index, Person, Picture
from gateway.eas import find
from gateway.eas.call import Call, Version
from gateway.eas.find import Find
from gateway.eas.finding import Failed, Hits, Span, span
from gateway.eas.gal import GalSearcher
from gateway.eas.searching import Search
from gateway.element import Element
from gateway.interfaces import BackendDown
from gateway.model import DeviceKey
from tests.eas.support import VECTORS, call_of, decoded, refused, sent, text
from tests.stores import result_of

ANN = Person(("ann@example.org",), "Ann Example", "ann", picture="ann.jpg")
ANTON = Person(("anton@example.org",), "Anton Other", "anton", "Anton", "Other", "T", "O", "C", "1", "2", "3")
PEOPLE = [ANN, ANTON, *(Person((f"x{n:03}@example.org",), f"X {n:03}", f"x{n:03}") for n in range(120))]
GUID = "01234567-89ab-cdef-0123-456789abcdef"


def pictures(paths: Sequence[str], size: int, count: int) -> Deferred[list[Picture]]:
    """Each path is the picture itself."""
    found, taken = [], 0
    for path in paths:
        status = 173 if not path else 174 if len(path) > size else 175 if taken >= count else 1
        taken += status == 1
        found.append(Picture(status, path.encode() if status == 1 else b""))
    return succeed(found)


def gal(page: str = "Search", people: Sequence[Person] = PEOPLE) -> GalSearcher:
    """The searcher of a directory with these people."""
    return GalSearcher(page, Directory(Index.of(people)), pictures)


def search(*store: Element | None) -> Element:
    """A Search of one store."""
    return Element("Search:Search", Element("Search:Store", *store))


def in_gal(query: str, *options: Element) -> Element:
    """A Search for people."""
    wanted = Element("Search:Options", *options) if options else None
    return search(Element("Search:Name", "GAL"), Element("Search:Query", query), wanted)


def range_(text: str) -> Element:
    """A Range of Search."""
    return Element("Search:Range", text)


def picture(size: int | None = None, count: int | None = None) -> Element:
    """A Picture of Search."""
    return Element(
        "Search:Picture",
        None if size is None else Element("Search:MaxSize", size),
        None if count is None else Element("Search:MaxPictures", count),
    )


class SearchTests(SynchronousTestCase):
    """The Search command ([MS-ASCMD] 2.2.1.16)."""

    def setUp(self) -> None:
        self.search = Search({"GAL": gal()})

    def answer(self, body: Element, version: Version = Version.V14_1) -> Element:
        answer = result_of(self.search(call_of("Search", body, version)))
        element = answer.element
        assert isinstance(element, Element)
        self.assertEqual(element.text_of("Search:Status"), "1")
        return element

    def store(self, body: Element, version: Version = Version.V14_1) -> Element:
        (store,) = self.answer(body, version).all("Search:Response")[0].children
        return store

    def status(self, body: Element, version: Version = Version.V14_1) -> str | None:
        return self.store(body, version).text_of("Search:Status")

    def names(self, body: Element) -> list[str]:
        found = [result.children[0] for result in self.store(body).all("Search:Result")]
        return [each.text_of("Gal:DisplayName") or "" for each in found]

    def test_vectors(self) -> None:
        """The documented request is answered in the form of the documented answer."""
        self.search = Search({"GAL": gal(people=[Person(("ann@example.org",), "Ann Example", "")])})
        answer = result_of(self.search(call_of("Search", decoded("search-request-gal"))))
        self.assertEqual(sent(answer), VECTORS["search-response-gal"])

    def test_everyVersion(self) -> None:
        """People are found in every version, 2.5 included."""
        for version in Version:
            store = self.store(in_gal("ann"), version)
            self.assertEqual(
                text(store.children[1]),
                "Result(Properties(DisplayName=Ann Example Alias=ann EmailAddress=ann@example.org))",
            )

    def test_properties(self) -> None:
        """All properties that are not empty are told, in the order of the schema."""
        self.assertEqual(
            text(self.store(in_gal("anton")).children[1]),
            "Result(Properties(DisplayName=Anton Other Phone=1 Office=O Title=T Company=C Alias=anton FirstName=Anton"
            " LastName=Other HomePhone=2 MobilePhone=3 EmailAddress=anton@example.org))",
        )

    def test_nobody(self) -> None:
        """Nobody found is Status 1 without a Result and without a Range, and Total 0."""
        self.assertEqual(text(self.store(in_gal("nobody"))), "Store(Status=1 Total=0)")

    def test_sorted(self) -> None:
        """People come in the order of their names."""
        self.assertEqual(self.names(in_gal("an")), ["Ann Example", "Anton Other"])

    def test_range(self) -> None:
        """A Range counts from 0 and both ends belong to it; the answer says what it has, and how many there are."""
        store = self.store(in_gal("x", range_("3-5")))
        self.assertEqual(
            [r.children[0].text_of("Gal:Alias") for r in store.all("Search:Result")], ["x003", "x004", "x005"]
        )
        self.assertEqual((store.text_of("Search:Range"), store.text_of("Search:Total")), ("3-5", "120"))

    def test_wideRange(self) -> None:
        """Without a Range there are 100 people, and with one that is wider too."""
        for options in ([], [range_("0-999")]):
            store = self.store(in_gal("x", *options))
            self.assertEqual((len(store.all("Search:Result")), store.text_of("Search:Range")), (100, "0-99"))

    def test_beyondWhatIsThere(self) -> None:
        """A Range that begins after the last one is an empty answer with the Total."""
        self.assertEqual(text(self.store(in_gal("ann", range_("5-9")))), "Store(Status=1 Total=1)")

    def test_status2(self) -> None:
        """Status 2: a Query that is empty, missing or no text, a Range that is none, a number that is none, a store
        that there is not."""
        name = Element("Search:Name", "GAL")
        for body in (
            in_gal(""),
            in_gal("  "),
            search(name),
            search(name, Element("Search:Query", Element("Search:And"))),
            search(name, Element("Search:Query", "a"), Element("Search:Query", "b")),
            in_gal("ann", range_("5-3")),
            in_gal("ann", range_("x")),
            in_gal("ann", range_("-1-3")),
            in_gal("ann", Element("Search:Picture", Element("Search:MaxSize", "x"))),
            in_gal("ann", Element("Search:Picture", Element("Search:MaxPictures", "-1"))),
            search(Element("Search:Name", "Attic"), Element("Search:Query", "ann")),
        ):
            self.assertEqual(self.status(body), "2", text(body))

    def test_oldMailbox(self) -> None:
        """Status 2: protocol 2.5 searches people only."""
        self.search = Search({"GAL": gal(), "Mailbox": gal()})
        body = search(Element("Search:Name", "Mailbox"), Element("Search:Query", "ann"))
        self.assertEqual(self.status(body, Version.V2_5), "2")
        self.assertEqual(self.status(body, Version.V12_0), "1")

    def test_status6(self) -> None:
        """Status 6: there are no document libraries."""
        self.assertEqual(self.status(search(Element("Search:Name", "DocumentLibrary"))), "6")

    def test_status8(self) -> None:
        """Status 8: a Query of more than 256 characters."""
        self.assertEqual(self.status(in_gal("a" * 256)), "1")
        self.assertEqual(self.status(in_gal("a" * 257)), "8")

    def test_status12(self) -> None:
        """Status 12: a Range that begins beyond the hundred that can be had."""
        self.assertEqual(self.status(in_gal("x", range_("99-105"))), "1")
        self.assertEqual(self.status(in_gal("x", range_("100-105"))), "12")

    def test_status3(self) -> None:
        """Status 3: what is searched does not answer."""

        async def down(call: Call, asked: Element) -> Hits:
            raise BackendDown("the index is away")

        self.search = Search({"Mailbox": down})
        self.assertEqual(self.status(search(Element("Search:Name", "Mailbox"))), "3")

    def test_searchersStatus(self) -> None:
        """The Status of the store is the one that its searcher says, such as 11."""

        async def wants(call: Call, asked: Element) -> Hits:
            raise Failed(11, "folders")

        self.search = Search({"Mailbox": wants})
        self.assertEqual(self.status(search(Element("Search:Name", "Mailbox"))), "11")

    def test_refused(self) -> None:
        """101 without a body; 103 without a Store or a Name, or with two Names."""
        self.assertEqual(refused(self.search(call_of("Search", None))).status, 101)
        name = Element("Search:Name", "GAL")
        for body in (
            Element("Search:Search"),
            search(),
            search(name, name),
            Element("Ping:Ping"),
        ):
            self.assertEqual(refused(self.search(call_of("Search", body))).status, 103)

    def pictures(self, *, version: Version = Version.V14_1, **wanted: int) -> list[str]:
        people = [
            Person((f"p{n}@example.org",), f"P{n}", f"p{n}", picture=path)
            for n, path in enumerate(("", "12345", "12", "34", ""))
        ]
        self.search = Search({"GAL": gal(people=people)})
        store = self.store(in_gal("p", picture(**wanted)), version)
        found = [result.children[0].child("Gal:Picture") for result in store.all("Search:Result")]
        return [text(each) for each in found]

    def test_pictures(self) -> None:
        """A picture is 1 with its Data; 173: there is none, 174: it is larger than MaxSize, 175: MaxPictures are
        there already."""
        self.assertEqual(
            self.pictures(size=3, count=1),
            [
                "Picture(Status=173)",
                "Picture(Status=174)",
                "Picture(Status=1 Data=12)",
                "Picture(Status=175)",
                "Picture(Status=173)",
            ],
        )

    def test_picturesWithoutLimits(self) -> None:
        """MaxSize and MaxPictures may be left out."""
        self.assertEqual(self.pictures()[1:4], [f"Picture(Status=1 Data={data})" for data in ("12345", "12", "34")])

    def test_picturesOfOldVersions(self) -> None:
        """Before 14.1 there are no pictures."""
        self.assertEqual(self.pictures(version=Version.V14_0), [""] * 5)


def find_of(*criterion: Element | None, identifier: str = GUID, tag: str = "GalSearchCriterion") -> Element:
    """A Find."""
    return Element(
        "Find:Find",
        Element("Find:SearchId", identifier),
        Element("Find:ExecuteSearch", Element(f"Find:{tag}", *criterion)),
    )


def people(query: str, range_: str | None = None, *options: Element, identifier: str = GUID) -> Element:
    """A Find of people."""
    wanted = None if range_ is None else Element("Find:Range", range_)
    return find_of(Element("Find:Query", query), Element("Find:Options", wanted, *options), identifier=identifier)


class FindTests(SynchronousTestCase):
    """The Find command ([MS-ASCMD] 2.2.1.2)."""

    def setUp(self) -> None:
        self.find = Find({find.GAL: gal("Find")})

    def answer(self, body: Element, device: DeviceKey | None = None, **more: Any) -> str:
        call = call_of("Find", body, Version.V16_1, **({"device": device} if device else {}))
        return text(result_of(self.find(call, **more)).element)

    def test_found(self) -> None:
        """People are told with their properties, the Range and the Total."""
        self.assertEqual(
            self.answer(people("ann", "0-4")),
            "Find(Status=1 Response(Store=Mailbox Status=1 Result(Properties(DisplayName=Ann Example Alias=ann"
            " EmailAddress=ann@example.org)) Range=0-0 Total=1))",
        )

    def test_nobody(self) -> None:
        """Nobody found is Status 1 without a Result."""
        self.assertEqual(self.answer(people("zz")), "Find(Status=1 Response(Store=Mailbox Status=1 Total=0))")

    def test_pictures(self) -> None:
        """Pictures are asked for in the page of Find, and told in that of the address list."""
        wanted = Element("Find:Picture", Element("Find:MaxSize", 3), Element("Find:MaxPictures", 1))
        self.assertIn("Picture(Status=174)", self.answer(people("ann", "0-4", wanted)))

    def test_vector(self) -> None:
        """The documented request for mails goes to the searcher of mails."""
        asked: list[str] = []

        async def mails(call: Call, criterion: Element) -> Hits:
            asked.append(text(criterion.child("Find:Query")))
            return Hits((Element("Find:Result"),), 0, 7)

        self.find = Find({find.MAILBOX: mails})
        self.assertEqual(
            self.answer(decoded("find-request-mailbox")),
            "Find(Status=1 Response(Store=Mailbox Status=1 Result= Range=0-0 Total=7))",
        )
        self.assertEqual(asked, ["Query(FreeText=report Class=Email)"])

    def test_status2(self) -> None:
        """Status 2 of the whole: no SearchId that is a GUID, no criterion or several, no Query or several."""
        query = Element("Find:Query", "ann")
        two = Element("Find:ExecuteSearch", *[Element("Find:GalSearchCriterion", query)] * 2)
        for body in (
            find_of(query, identifier=""),
            find_of(query, identifier="x" * 36),
            find_of(query, tag="Options"),
            find_of(),
            find_of(query, query),
            Element("Find:Find", Element("Find:SearchId", GUID)),
            Element("Find:Find", Element("Find:SearchId", GUID), two),
            Element("Find:Find", *find_of(query).children[1:]),
            Element("Ping:Ping"),
        ):
            self.assertEqual(self.answer(body), "Find(Status=2)", text(body))

    def test_status2OfWhatIsSearched(self) -> None:
        """Status 2 of the Response: a Query without a text, a Range that is none, nothing to be searched."""
        failed = "Find(Status=1 Response(Store=Mailbox Status=2))"
        for body in (
            people(""),
            people("ann", "5-3"),
            find_of(Element("Find:Query", "a"), tag="MailBoxSearchCriterion"),
        ):
            self.assertEqual(self.answer(body), failed, text(body))

    def test_status3(self) -> None:
        """Status 3: the searcher wants a FolderSync first."""

        async def wants(call: Call, criterion: Element) -> Hits:
            raise Failed(3, "folders")

        self.find = Find({find.GAL: wants})
        self.assertEqual(self.answer(people("ann")), "Find(Status=3)")

    def test_status4(self) -> None:
        """Status 4: a search that does not begin with 0, unless it goes on with the SearchId that began."""
        failed = "Find(Status=1 Response(Store=Mailbox Status=4))"
        other = GUID.replace("0", "1")
        self.assertEqual(self.answer(people("x", "2-3")), failed)
        self.answer(people("x", "0-1"))
        self.assertIn("Range=2-3", self.answer(people("x", "2-3")))
        self.assertEqual(self.answer(people("x", "2-3", identifier=other)), failed)
        self.assertEqual(self.answer(people("x", "2-3"), DeviceKey("bob", "phone")), failed)

    def test_remembersSome(self) -> None:
        """What was searched is remembered of a bounded number of devices; who is forgotten begins anew."""
        self.patch(find, "REMEMBERED", 2)
        keys = [DeviceKey("ann", f"phone{number}") for number in range(3)]
        for key in keys:
            self.answer(people("x", "0-1"), key)
        self.assertIn("Status=4", self.answer(people("x", "2-3"), keys[0]))
        self.assertIn("Range=2-3", self.answer(people("x", "2-3"), keys[2]))

    def test_refused(self) -> None:
        """101 without a body; 111 when what is searched does not answer."""

        async def down(call: Call, criterion: Element) -> Hits:
            raise BackendDown("away")

        self.assertEqual(refused(self.find(call_of("Find", None, Version.V16_1))).status, 101)
        self.find = Find({find.GAL: down})
        self.assertEqual(refused(self.find(call_of("Find", people("ann"), Version.V16_1))).status, 111)


class SpanTests(SynchronousTestCase):
    """Ranges ([MS-ASCMD] 2.2.3.143)."""

    def test_spans(self) -> None:
        """Two numbers, the first not above the second; without any, the first hundred."""
        self.assertEqual(span("0-0"), Span(0, 0))
        self.assertEqual(span(" 3-12 "), Span(3, 12))
        self.assertEqual(span(None), Span(0, 99))
        self.assertEqual(Span(3, 12).size, 10)
        for wrong in ("", "3", "3-", "-3", "4-3", "a-b", "0-9999999999", "٣-٤"):
            self.assertIsNone(span(wrong), wrong)
