"""What the protocol's owner asks of searching mails in its interoperability suites ([MS-ASCMD] S14 and S23, [MS-ASCON]
S05): Search in the mailbox, and Find."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import execute

from gateway.eas import find, searching
from gateway.eas.mailsearch import MailFinder, Mails, MailSearcher
from gateway.eas.reading import Reading
from gateway.element import Element
from gateway.model import FolderType, FoundFolder
from tests.eas.indexed import catch_up
from tests.eas.interop import MAIL, SINCE_14, SINCE_14_1, VERSIONS, Client, InteropCase, air, base
from tests.eas.support import text
from tests.eas.test_interop_fetch import MALFORMED
from tests.support import FOLDERS

GUID = "01234567-89ab-cdef-0123-456789abcdef"
KEYWORD = "MSASCMD3f2a1"
FIRST = MAIL.format(f"{KEYWORD}search1", "Body")
SECOND = MAIL.format(f"{KEYWORD}search2", "Body")
BELOW = FoundFolder(".Below", "Below", FolderType.USER_MAIL, "")
DEEP = Element("Search:DeepTraversal")
REBUILD = Element("Search:RebuildResults")


def search(name: str, *content: Element | str | bytes | int | None) -> Element:
    """An element of Search."""
    return Element(f"Search:{name}", *content)


def conditions(inbox: int, what: str = "FreeText", *more: Element) -> Element:
    """The And of the suites."""
    return search("And", air("Class", "Email"), air("CollectionId", inbox), search("FreeText", what), *more)


def compared(name: str, value: str) -> Element:
    """GreaterThan or LessThan."""
    return search(name, Element("Email:DateReceived"), search("Value", value))


def subjects(store: Element) -> list[str]:
    """What was found."""
    found = [result.child("Search:Properties") for result in store.all("Search:Result")]
    return [properties.text_of("Email:Subject") or "" for properties in found if properties is not None]


class MailCase(InteropCase):
    """Phones of a gateway that searches mails."""

    def client(self, version: str = "14.1", **more: Any) -> tuple[Client, int]:
        phone, inbox = super().client(version, **more)
        world: Any = phone.world
        mails = Mails(world.store.index, world.store, Reading(world.mails, execute), world.rules, world.now)
        world.commands["Search"] = searching.Search({searching.MAILBOX: MailSearcher(mails)})
        world.commands["Find"] = find.Find({find.MAILBOX: MailFinder(mails)})
        return phone, inbox

    def asked(self, phone: Client, command: str, body: Element) -> Element:
        """The answer, once everything is in the index."""
        world: Any = phone.world
        catch_up(world.store, world.mails)
        answer = phone.ask(command, body)
        assert answer is not None
        return answer

    def search(self, phone: Client, query: Element, *options: Element) -> Element:
        """The Store of the answer to a Search."""
        given = query if query.name == "Query" else search("Query", query)
        chosen = search("Options", *options) if options else None
        answer = self.asked(
            phone, "Search", search("Search", search("Store", search("Name", "Mailbox"), given, chosen))
        )
        self.assertEqual(answer.text_of("Search:Status"), "1")
        return answer.children[1].children[0]

    def status(self, phone: Client, query: Element, *options: Element) -> str:
        """The Status of the Store."""
        return self.search(phone, query, *options).text_of("Search:Status") or ""

    def find(self, phone: Client, inbox: int | str, what: str, range: str = "0-5", id: str = GUID) -> Element:
        """The answer to a Find."""
        query = Element("Find:Query", air("Class", "Email"), air("CollectionId", inbox), Element("Find:FreeText", what))
        options = Element("Find:Options", Element("Find:Range", range), Element("Find:DeepTraversal"))
        criterion = Element("Find:ExecuteSearch", Element("Find:MailBoxSearchCriterion", query, options))
        return self.asked(phone, "Find", Element("Find:Find", Element("Find:SearchId", id), criterion))


class SearchTests(MailCase):
    """[MS-ASCMD] S14, as far as it is about mails."""

    def test_success(self) -> None:
        """A Search that could be carried out is Status 1 (TC01)."""
        self.each(VERSIONS, lambda phone, inbox: self.assertEqual(self.status(phone, conditions(inbox), DEEP), "1"))

    def test_multipleAnds(self) -> None:
        """More than one And is Status 8 (TC02, R772)."""

        def check(phone: Client, inbox: int) -> None:
            self.assertEqual(self.status(phone, search("Query", conditions(inbox), search("And")), DEEP), "8")

        self.each(VERSIONS, check)

    def test_outsideOfAnd(self) -> None:
        """Class, CollectionId, FreeText, GreaterThan and LessThan outside of the And are Status 8 (TC03 to 05, 31, 32)."""

        def check(phone: Client, inbox: int) -> None:
            for outside in (
                air("Class", "Email"),
                air("CollectionId", inbox),
                search("FreeText", "x"),
                compared("GreaterThan", "2012-03-28T07:31:09.314Z"),
                compared("LessThan", "50"),
            ):
                self.assertEqual(self.status(phone, search("Query", outside, conditions(inbox))), "8", outside.name)

        self.each(VERSIONS, check)

    def test_conversationOutsideOfAnd(self) -> None:
        """So is a ConversationId (TC27, R2086)."""

        def check(phone: Client, inbox: int) -> None:
            query = search("Query", search("ConversationId", b"c" * 16), search("And", air("CollectionId", inbox)))
            self.assertEqual(self.status(phone, query, search("Range", "0-0"), REBUILD), "8")

        self.each(SINCE_14, check)

    def test_or(self) -> None:
        """An Or is Status 8 (TC30)."""

        def check(phone: Client, inbox: int) -> None:
            either = search("Or", air("Class", "Email"), search("FreeText", "x"))
            self.assertEqual(self.status(phone, search("Query", either)), "8")

        self.each(VERSIONS, check)

    def test_twice(self) -> None:
        """Options that are there twice are no error (TC06 to 09)."""

        def check(phone: Client, inbox: int) -> None:
            for option in (DEEP, REBUILD, search("Range", "0-9"), air("MIMESupport", 2)):
                self.assertEqual(self.status(phone, conditions(inbox), DEEP, option, option), "1", option.name)

        self.each(VERSIONS, check)

    def test_severalStores(self) -> None:
        """A second Store is no error; the first one counts (TC10, R4535)."""

        def check(phone: Client, inbox: int) -> None:
            query = search("Query", conditions(inbox, "keyword"))
            stores = (search("Store", search("Name", name), query) for name in ("Mailbox", "GAL"))
            answer = self.asked(phone, "Search", search("Search", *stores))
            self.assertIn("Response(Store(Status=1 ", text(answer))
            self.assertEqual(len(answer.children[1].children), 1)

        self.each(VERSIONS, check, MAIL.format("keyword", "Hi."))

    def test_invalid(self) -> None:
        """An element in the And that does not belong there is Status 2 (TC11, R4329)."""

        def check(phone: Client, inbox: int) -> None:
            self.assertEqual(self.status(phone, conditions(inbox, "x", Element("Email:To", "a@b"))), "2")

        self.each(VERSIONS, check)

    def test_malformed(self) -> None:
        """A BodyPreference of the wrong order, type, number or place is Status 2 of the Store ([MS-ASAIRS] S04)."""

        def check(phone: Client, inbox: int) -> None:
            for wrong in MALFORMED:
                self.assertEqual(self.status(phone, conditions(inbox), DEEP, wrong), "2", wrong)

        self.each(VERSIONS, check)

    def test_noMatch(self) -> None:
        """If nothing is found there is one empty Result (TC12, R3847)."""

        def check(phone: Client, inbox: int) -> None:
            self.assertEqual(text(self.search(phone, conditions(inbox, "other"))), "Store(Status=1 Result= Total=0)")

        self.each(VERSIONS, check, FIRST)

    def test_matches(self) -> None:
        """There is one Result for each mail, found by the beginning of a word, with folder and properties (TC13)."""

        def check(phone: Client, inbox: int) -> None:
            store = self.search(phone, conditions(inbox, KEYWORD), DEEP, REBUILD, search("Range", "0-2"))
            self.assertEqual(sorted(subjects(store)), [f"{KEYWORD}search1", f"{KEYWORD}search2"])
            self.assertEqual((store.text_of("Search:Range"), store.text_of("Search:Total")), ("0-1", "2"))
            for result in store.all("Search:Result"):
                self.assertEqual([child.name for child in result], ["Class", "LongId", "CollectionId", "Properties"])
                self.assertEqual(result.text_of("AirSync:CollectionId"), str(inbox))

        self.each(VERSIONS, check, FIRST, SECOND)

    def test_classes(self) -> None:
        """All classes may be named, before 14.0 those that there were; without any, each Result names its own
        (TC15 to 17)."""

        def check(phone: Client, inbox: int) -> None:
            named = ["Tasks", "Email", "Calendar", "Contacts", *(("Notes", "SMS") if phone.version != "12.1" else ())]
            words = search("FreeText", KEYWORD)
            for classes in ([air("Class", name) for name in named], []):
                store = self.search(phone, search("And", air("CollectionId", inbox), *classes, words), DEEP, REBUILD)
                self.assertEqual([result.text_of("AirSync:Class") for result in store.all("Search:Result")], ["Email"])

        self.each(VERSIONS, check, FIRST)

    def test_deepTraversal(self) -> None:
        """Folders below the one that is named are searched with DeepTraversal only (TC22, TC23)."""

        def check(phone: Client, inbox: int) -> None:
            world: Any = phone.world
            folders, _ = world.result(world.store.record_hierarchy("ann", (*FOLDERS, BELOW)))
            below = next(folder.id for folder in folders if folder.path == BELOW.path)
            world.arrive(below, "below", SECOND, path=BELOW.path)
            query = search("And", air("CollectionId", inbox), search("FreeText", KEYWORD))
            self.assertEqual(len(subjects(self.search(phone, query, DEEP, REBUILD))), 2)
            self.assertEqual(subjects(self.search(phone, query, REBUILD)), [f"{KEYWORD}search1"])

        self.each(VERSIONS, check, FIRST)

    def test_caseInsensitive(self) -> None:
        """Small letters find capitals; a Range of 0-0 is one item (TC28, R3699, R3729)."""

        def check(phone: Client, inbox: int) -> None:
            query = search("And", air("CollectionId", inbox), search("FreeText", f"{KEYWORD}SEARCH1".lower()))
            self.assertEqual(
                subjects(self.search(phone, query, search("Range", "0-0"), REBUILD)), [f"{KEYWORD}search1"]
            )

        self.each(VERSIONS, check, FIRST)

    def test_mimeSupport(self) -> None:
        """With MIMESupport there is a Body; of Type 4, with size, data and Truncated, where it is 2 (TC33)."""

        def check(phone: Client, inbox: int) -> None:
            preference = base("BodyPreference", base("Type", 4), base("TruncationSize", 100))
            for support, names in (
                (1, {"Type", "EstimatedDataSize", "Data"}),
                (2, {"Type", "EstimatedDataSize", "Truncated", "Data"}),
            ):
                options = (REBUILD, DEEP, air("MIMESupport", support), preference)
                store = self.search(phone, conditions(inbox, KEYWORD), *options)
                body = store.all("Search:Result")[0].children[3].child("AirSyncBase:Body")
                assert body is not None
                self.assertTrue(names <= {child.name for child in body})
                self.assertEqual(body.text_of("AirSyncBase:Type"), "4" if support == 2 else "1")

        self.each(VERSIONS, check, FIRST)


class ConversationTests(MailCase):
    """[MS-ASCON] S05."""

    def conversation(self, phone: Client, inbox: int) -> bytes:
        """The id of that of the first mail."""
        result = self.search(phone, conditions(inbox, KEYWORD)).all("Search:Result")[0]
        id = result.children[3].child("Email2:ConversationId")
        assert id is not None and isinstance(id.value, bytes)
        return id.value

    def test_folders(self) -> None:
        """A conversation is found in all folders (TC01, R176); more than one ConversationId is an error (S14 TC29)."""

        def check(phone: Client, inbox: int) -> None:
            world: Any = phone.world
            answer = MAIL.format("Re: it", "Yes.").replace(
                "\r\n\r\n", f"\r\nReferences: <{KEYWORD}search1@example.org>\r\n\r\n"
            )
            world.arrive(world.mailbox()[".Sent"], "answer", answer, path=".Sent")
            wanted = search("ConversationId", self.conversation(phone, inbox))
            store = self.search(phone, search("And", wanted))
            self.assertEqual(
                {result.text_of("AirSync:CollectionId") for result in store.all("Search:Result")},
                {str(inbox), str(world.mailbox()[".Sent"])},
            )
            self.assertEqual(sorted(subjects(store)), [f"{KEYWORD}search1", "Re: it"])
            self.assertNotEqual(self.status(phone, search("And", wanted, wanted, search("FreeText", "x"))), "1")

        self.each(SINCE_14, check, FIRST)

    def test_parts(self) -> None:
        """Which of Body and BodyPart there are is said by the preferences; without any there is a Body (TC02)."""
        part = base("BodyPartPreference", base("Type", 2), base("TruncationSize", 12))
        body = base("BodyPreference", base("Type", 2))

        def check(phone: Client, inbox: int) -> None:
            wanted = search("And", search("ConversationId", self.conversation(phone, inbox)))
            for options, names in (
                ((), {"Body"}),
                ((body,), {"Body"}),
                ((part,), {"BodyPart"}),
                ((part, body), {"Body", "BodyPart"}),
            ):
                result = self.search(phone, wanted, *options).all("Search:Result")[0]
                found = {child.name: child for child in result.children[3]}
                self.assertEqual(found.keys() & {"Body", "BodyPart"}, names)
                if "BodyPart" in names:
                    self.assertEqual(found["BodyPart"].text_of("AirSyncBase:Truncated"), "1")

        self.each(SINCE_14_1, check, FIRST)

    def test_status164(self) -> None:
        """A BodyPartPreference for another Type than 2 is Status 164 (TC03, R241)."""

        def check(phone: Client, inbox: int) -> None:
            part = base("BodyPartPreference", base("Type", 3))
            self.assertEqual(self.status(phone, conditions(inbox, KEYWORD), part), "164")

        self.each(SINCE_14_1, check, FIRST)


class FindTests(MailCase):
    """[MS-ASCMD] S23, as far as it is about mails; there is a Find in 16.1 only."""

    def check(self, check: Callable[[Client, int], None], *mails: str) -> None:
        self.each(("16.1",), check, *mails)

    def test_success(self) -> None:
        """A Find that could be carried out is Status 1 twice (TC01)."""

        def check(phone: Client, inbox: int) -> None:
            answer = self.find(phone, inbox, "ann")
            self.assertEqual(answer.text_of("Find:Status"), "1")
            self.assertEqual(answer.children[1].text_of("Find:Status"), "1")

        self.check(check)

    def test_invalid(self) -> None:
        """An empty SearchId is Status 2 (TC02)."""
        self.check(lambda phone, inbox: self.assertEqual(text(self.find(phone, inbox, "x", id="")), "Find(Status=2)"))

    def test_range(self) -> None:
        """A search that does not begin with 0 is Status 4 of the Response (TC03)."""

        def check(phone: Client, inbox: int) -> None:
            self.assertEqual(self.find(phone, inbox, "ann", "2-5").children[1].text_of("Find:Status"), "4")

        self.check(check)

    def test_matches(self) -> None:
        """There is one Result for each mail, found by the beginning of a word (TC05)."""

        def check(phone: Client, inbox: int) -> None:
            response = self.find(phone, inbox, KEYWORD).children[1]
            self.assertEqual(len(response.all("Find:Result")), 2)
            for result in response.all("Find:Result"):
                self.assertEqual([child.name for child in result], ["Class", "ServerId", "CollectionId", "Properties"])

        self.check(check, FIRST, SECOND)

    def test_noMatch(self) -> None:
        """If nothing is found there is no Result (TC06, R38391805)."""

        def check(phone: Client, inbox: int) -> None:
            response = self.find(phone, inbox, "other").children[1]
            self.assertEqual(text(response), "Response(Store=Mailbox Status=1 Total=0)")

        self.check(check, FIRST)

    def test_folderSync(self) -> None:
        """A folder that there is not is Status 3 (TC08)."""
        self.check(lambda phone, inbox: self.assertEqual(text(self.find(phone, "-1", "x")), "Find(Status=3)"))
