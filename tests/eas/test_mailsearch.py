"""Search and Find of mails."""

from __future__ import annotations

import base64

from attrs import evolve
from twisted.internet.defer import execute
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.call import Answer, Call, Refused, Unavailable, Version
from gateway.eas.find import MAILBOX as CRITERION
from gateway.eas.find import Find
from gateway.eas.gate import Rules
from gateway.eas.mailsearch import ANSWER_BYTES, UNASKED, MailFinder, Mails, MailSearcher
from gateway.eas.policydoc import Policy
from gateway.eas.reading import Reading
from gateway.eas.searching import MAILBOX, Search
from gateway.element import Element
from gateway.interfaces import BackendDown
from gateway.model import DeviceKey, FolderType, FoundFolder
from tests.convert.samples import multipart, part
from tests.eas.indexed import catch_up
from tests.eas.support import FOLDERS, NOW, Sources, call_of, decoded, refused, renamed, text
from tests.stores import result_of

HOUR = 3600
TREE = (
    *FOLDERS,
    FoundFolder(".Work", "Work", FolderType.USER_MAIL),
    FoundFolder(".Work.Old", "Old", FolderType.USER_MAIL, ".Work"),
    FoundFolder(".Calendar", "Calendar", FolderType.CALENDAR),
)
GUID = "01234567-89ab-cdef-0123-456789abcdef"
MAIL = (
    "From: Bob <bob@example.org>\r\nTo: Ann <ann@example.org>\r\nSubject: {}\r\n"
    "Message-ID: <{}@x>\r\nReferences: {}\r\n\r\n{}\r\n"
)


def said(tag: str, *content: Element | str | bytes | int | None) -> Element:
    """An element of the page Search, if no other is named."""
    return Element(tag if ":" in tag else f"Search:{tag}", *content)


def store(*conditions: Element, options: tuple[Element, ...] = (), query: Element | None = None) -> Element:
    """A Search of the mailbox."""
    given = said("Query", said("And", *conditions)) if query is None else query
    chosen = said("Options", *options) if options else None
    return said("Search", said("Store", said("Name", "Mailbox"), given, chosen))


def words(what: str) -> Element:
    """FreeText."""
    return said("FreeText", what)


def folder(id: int | str) -> Element:
    """CollectionId."""
    return said("AirSync:CollectionId", id)


def compared(name: str, value: str) -> Element:
    """GreaterThan or LessThan."""
    return said(name, said("Email:DateReceived"), said("Value", value))


def criterion(what: str | None, *more: Element, options: tuple[Element, ...] = (), id: str = GUID) -> Element:
    """A Find in the mailbox."""
    query = Element("Find:Query", None if what is None else Element("Find:FreeText", what), *more)
    chosen = Element("Find:Options", *options) if options else None
    return Element(
        "Find:Find",
        Element("Find:SearchId", id),
        Element("Find:ExecuteSearch", Element(CRITERION, query, chosen)),
    )


class MailCase(SynchronousTestCase):
    """Mails of ann in some folders, which are in the index."""

    def setUp(self) -> None:
        self.sources = Sources()
        self.folders = self.sources.make(found=TREE)
        self.rules = Rules()
        reading = Reading(self.sources.mailbox, execute)
        self.mails = Mails(self.sources.store.index, self.sources.store, reading, self.rules, lambda: NOW)
        self.search = Search({MAILBOX: MailSearcher(self.mails)})
        self.find = Find({CRITERION: MailFinder(self.mails)})
        self.mail("", "one", "The annual report", "Figures and words.", age=3)
        self.mail("", "two", "Lunch", "No report on this.", age=2)
        self.mail(".Work", "three", "Reports", "Nothing of value.", age=1)
        self.mail(".Work.Old", "four", "Old report", "Words.", age=4, state="S")

    def mail(
        self, path: str, name: str, subject: str, body: str, *, age: int = 0, state: str = "", root: str = ""
    ) -> None:
        """Have a mail arrive so many hours ago, and be put into the index."""
        raw = MAIL.format(subject, name, root or f"<{name}@x>", body).encode()
        self.raw(path, name, raw, age=age, state=state)

    def raw(self, path: str, name: str, raw: bytes, *, age: int = 0, state: str = "") -> None:
        self.sources.mail(self.folders[path], name, raw, path=path, age=age * HOUR, state=state)
        self.catch_up()

    def catch_up(self) -> None:
        catch_up(self.sources.store, self.sources.mailbox)

    def item(self, name: str) -> str:
        """The ServerId of a mail."""
        id = self.sources.named(name)
        (item,) = self.sources.items(id)
        return f"{item.folder}:{id}"


class SearchTests(MailCase):
    """Search with the Name Mailbox ([MS-ASCMD] 2.2.1.16)."""

    def ask(self, body: Element, version: Version = Version.V14_1, **more: object) -> Answer:
        answer: Answer = result_of(self.search(call_of("Search", body, version, **more)))  # type: ignore[arg-type]
        return answer

    def answered(self, body: Element, version: Version = Version.V14_1) -> Element:
        """The Store of the answer."""
        answer = self.ask(body, version)
        assert answer.element is not None
        self.assertEqual(answer.element.text_of("Search:Status"), "1")
        found = answer.element.children[1].child("Search:Store")
        assert found is not None
        return found

    def found(
        self, *conditions: Element, options: tuple[Element, ...] = (), version: Version = Version.V14_1
    ) -> list[str]:
        """The subjects that are found."""
        answer = self.answered(store(*conditions, options=options), version)
        self.assertEqual(answer.text_of("Search:Status"), "1", text(answer))
        properties = [result.child("Search:Properties") for result in answer.all("Search:Result")]
        return [one.text_of("Email:Subject") or "" for one in properties if one is not None]

    def status(self, body: Element, version: Version = Version.V14_1) -> str:
        """The Status of the Store, which then has nothing else."""
        answer = self.answered(body, version)
        self.assertEqual(len(answer.children), 1)
        return answer.children[0].text

    def test_vector(self) -> None:
        """The vector of a Search finds what it asks for, and is answered as the vector of an answer, which shows one of
        the properties."""
        self.mail(".Sent", "five", "report", "report")
        names = {"5": str(self.folders[".Sent"]), "5:1": self.item("five")}
        answer = self.ask(renamed(decoded("search-request-mailbox"), names))
        assert answer.element is not None
        (result,) = answer.element.children[1].children[0].all("Search:Result")
        properties = result.children[3]
        self.assertIn("Body", [child.name for child in properties])
        properties.children = properties.all("Email:Subject")
        self.assertEqual(text(answer.element), text(renamed(decoded("search-response-mailbox"), names)))

    def test_result(self) -> None:
        """A Result has the class, a LongId that is the ServerId, the folder, and the properties with a short text."""
        self.mail("", "long", "Long", "needle " + "x" * 5000)
        answer = self.answered(store(words("needle")))
        (result,) = answer.all("Search:Result")
        self.assertEqual(
            [child.text for child in result.children[:3]], ["Email", self.item("long"), str(self.folders[""])]
        )
        properties = {child.name: child for child in result.children[3]}
        self.assertEqual(properties["DateReceived"].text, "2024-05-01T08:00:00.000Z")
        body = {child.name: child.text for child in properties["Body"]}
        self.assertEqual((body["Type"], body["Truncated"], len(body["Data"])), ("1", "1", UNASKED))

    def test_words(self) -> None:
        """All words have to be there, the newest mail comes first; the last word may go on."""
        self.assertEqual(self.found(words("report")), ["Reports", "Lunch", "The annual report", "Old report"])
        self.assertEqual(self.found(words("REPORT figures")), ["The annual report"])
        self.assertEqual(self.found(words('"annual report"')), ["The annual report"])
        self.assertEqual(self.found(words("report"), words("words")), ["The annual report", "Old report"])

    def test_nothing(self) -> None:
        """If nothing is found there is one empty Result, no Range, and a Total of 0 ([MS-ASCMD] 2.2.3.155.3)."""
        for conditions in ((words("nothing like that"),), (words("report"), said("AirSync:Class", "Calendar"))):
            self.assertEqual(text(self.answered(store(*conditions))), "Store(Status=1 Result= Total=0)")

    def test_folders(self) -> None:
        """Only the folders that are named are searched, with DeepTraversal also those below them; else all."""
        deep = said("DeepTraversal")
        work = folder(self.folders[".Work"])
        self.assertEqual(self.found(words("report"), work), ["Reports"])
        self.assertEqual(self.found(words("report"), work, options=(deep,)), ["Reports", "Old report"])
        self.assertEqual(
            self.found(words("report"), work, folder(self.folders[".Work.Old"])), ["Reports", "Old report"]
        )
        self.assertEqual(self.found(words("report"), folder(self.folders[".Calendar"])), [])
        self.assertEqual(len(self.found(words("report"), folder("0"), options=(deep, deep))), 4)

    def test_unknownFolder(self) -> None:
        """Store Status 11: a CollectionId that there is not; the device has to run FolderSync."""
        result_of(self.sources.store.record_hierarchy("bob", TREE))
        (others, *_) = result_of(self.sources.store.folders("bob"))
        for id in ("999", "x", "5:1", others.id):
            self.assertEqual(self.status(store(words("a"), folder(id))), "11")

    def test_classes(self) -> None:
        """Several classes may be named; only mails are found."""
        email, tasks = said("AirSync:Class", "Email"), said("AirSync:Class", "Tasks")
        self.assertEqual(self.found(words("lunch"), tasks, email), ["Lunch"])
        self.assertEqual(self.found(words("lunch"), tasks), [])
        notes = said("AirSync:Class", "Notes")
        self.assertEqual(self.found(words("lunch"), email, notes), ["Lunch"])
        self.assertEqual(self.status(store(words("lunch"), email, notes), Version.V12_1), "2")

    def test_dates(self) -> None:
        """GreaterThan and LessThan compare the time of arrival, without the time itself."""
        after, before = (
            compared("GreaterThan", "2024-05-01T05:00:00.000Z"),
            compared("LessThan", "2024-05-01T07:00:00.000Z"),
        )
        self.assertEqual(self.found(after), ["Reports", "Lunch"])
        self.assertEqual(self.found(before), ["Lunch", "The annual report", "Old report"])
        self.assertEqual(self.found(after, before, words("report")), ["Lunch"])
        self.assertEqual(self.found(after, compared("GreaterThan", "20240501T060000Z")), ["Reports"])

    def test_conversation(self) -> None:
        """A conversation is found in all folders, by its id as octets, in base64 or as a GUID."""
        self.mail(".Work", "answer", "Re: Lunch", "Yes.", root="<two@x>")
        properties = self.answered(store(words("lunch"))).all("Search:Result")[0].children[3]
        value = properties.child("Email2:ConversationId")
        assert value is not None and isinstance(value.value, bytes)
        octets = value.value
        digits = octets.hex()
        guid = f"{{{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}}}"
        for form in (octets, base64.b64encode(octets).decode(), digits.upper(), guid):
            self.assertEqual(self.found(said("ConversationId", form)), ["Re: Lunch", "Lunch"])
        self.assertEqual(self.found(said("ConversationId", octets), words("yes")), ["Re: Lunch"])

    def test_range(self) -> None:
        """A Range gives a part; both of them and the Total say what there is; without one the first hundred come."""
        for asked, expected in (("0-1", "0-1"), ("1-2", "1-2"), ("3-9", "3-3"), ("0-0", "0-0"), ("0-999", "0-3")):
            answer = self.answered(store(words("report"), options=(said("Range", asked),)))
            self.assertEqual((answer.text_of("Search:Range"), answer.text_of("Search:Total")), (expected, "4"))
        for n in range(120):
            self.sources.mail(self.folders[""], f"m{n}", b"Subject: many\r\n\r\n")
        self.catch_up()
        answer = self.answered(store(words("many")))
        self.assertEqual((answer.text_of("Search:Range"), answer.text_of("Search:Total")), ("0-99", "120"))
        answer = self.answered(store(words("many"), options=(said("Range", "100-299"),)))
        self.assertEqual((answer.text_of("Search:Range"), answer.text_of("Search:Total")), ("100-119", "120"))

    def test_pastTheEnd(self) -> None:
        """Store Status 12: the Range begins beyond what was found."""
        for first in ("4-9", "500-600", "999999999-999999999"):
            self.assertEqual(self.status(store(words("report"), options=(said("Range", first),))), "12")
        self.assertEqual(self.status(store(words("nothing"), options=(said("Range", "1-2"),))), "12")

    def test_badRange(self) -> None:
        """Store Status 2: a Range that is none."""
        for asked in ("", "5", "5-4", "-1", "a-b", "0-1-2", "0-9999999999"):
            self.assertEqual(self.status(store(words("report"), options=(said("Range", asked),))), "2")

    def test_repeatedOptions(self) -> None:
        """Options that are there twice are no error ([MS-ASCMD] 2.2.3.144)."""
        twice = tuple(said(name) for name in ("RebuildResults", "DeepTraversal") for _ in range(2))
        ranges = (
            said("Range", "0-0"),
            said("Range", "0-9"),
            said("AirSync:MIMESupport", 2),
            said("AirSync:MIMESupport", 2),
        )
        self.assertEqual(self.found(words("report"), options=(*twice, *ranges)), ["Reports"])

    def test_tooComplex(self) -> None:
        """Store Status 8: several Ands, an Or, conditions within or beside the And, far too many words or folders."""
        and_ = said("And", words("a"))
        value = compared("LessThan", "2024-05-01T05:00:00.000Z")
        for query in (
            said("Query", and_, and_),
            said("Query", said("Or", words("a"))),
            said("Query", and_, said("Or", words("a"))),
            said("Query", said("And", and_)),
            said("Query", said("And", said("Or", words("a")))),
            said("Query", said("And", words("a " * 100))),
            said("Query", said("And", words("a" * 2000))),
            said("Query", said("And", words("a"), *(folder(1) for _ in range(1001)))),
            *(
                said("Query", outside, and_)
                for outside in (
                    words("a"),
                    folder(1),
                    said("AirSync:Class", "Email"),
                    value,
                    said("ConversationId", "x"),
                )
            ),
        ):
            self.assertEqual(self.status(store(query=query)), "8", text(query))

    def test_invalid(self) -> None:
        """Store Status 2: what makes no sense as a Query or as Options."""
        for query in (
            said("Query"),
            said("Query", "report"),
            said("Query", said("And")),
            said("Query", said("EqualTo", said("Value", "x"))),
            said("Query", said("And", said("Email:To", "x"))),
            *(
                said("Query", said("And", condition))
                for condition in (
                    words(""),
                    words("**"),
                    said("AirSync:Class", "Email"),
                    said("AirSync:Class", "Cars"),
                    folder(""),
                    folder("9" * 65),
                    said("ConversationId", "x"),
                    said("ConversationId", b"12345"),
                    compared("LessThan", "50"),
                    said("LessThan", said("Value", "2024-05-01T05:00:00.000Z"), said("Email:DateReceived")),
                    said("GreaterThan"),
                )
            ),
            said("Query", said("And", *(said("ConversationId", b"c" * 16) for _ in range(2)))),
        ):
            self.assertEqual(self.status(store(query=query)), "2", text(query))
        self.assertEqual(self.status(store(said("ConversationId", b"c" * 16)), Version.V12_1), "2")
        self.assertEqual(self.status(said("Search", said("Store", said("Name", "Mailbox")))), "2")
        preference = Element("AirSyncBase:BodyPreference", Element("AirSyncBase:Type", 9))
        self.assertEqual(self.status(store(words("report"), options=(preference,))), "2")

    def test_wrongPart(self) -> None:
        """Store Status 164: a BodyPartPreference for another Type than HTML."""
        part = Element("AirSyncBase:BodyPartPreference", Element("AirSyncBase:Type", 3))
        self.assertEqual(self.status(store(words("report"), options=(part,))), "164")

    def test_timedOut(self) -> None:
        """Store Status 10: the search takes too long."""
        self.sources.store.index.patience = 0.0
        self.assertEqual(self.status(store(words("report"))), "10")

    def test_down(self) -> None:
        """Store Status 3: the store does not answer."""

        def down(*args: object) -> object:
            raise BackendDown("locked")

        self.search.searchers = {MAILBOX: down}  # type: ignore[assignment]
        self.assertEqual(self.status(store(words("report"))), "3")

    def test_bodies(self) -> None:
        """The text comes as BodyPreference, BodyPartPreference and MIMESupport ask for it, in every version."""

        def preference(kind: int, name: str = "BodyPreference") -> Element:
            size = Element("AirSyncBase:TruncationSize", 100)
            return Element(f"AirSyncBase:{name}", Element("AirSyncBase:Type", kind), size)

        def properties(*options: Element, version: Version = Version.V14_1) -> dict[str, Element]:
            answer = self.answered(store(words("figures"), options=options), version)
            return {child.name: child for child in answer.all("Search:Result")[0].children[3]}

        for version in (Version.V12_0, Version.V12_1, Version.V14_0, Version.V14_1, Version.V16_0, Version.V16_1):
            body = properties(preference(2), version=version)["Body"]
            self.assertEqual(body.text_of("AirSyncBase:Type"), "2")
            body = properties(said("AirSync:MIMESupport", 2), preference(4), version=version)["Body"]
            self.assertEqual((body.text_of("AirSyncBase:Type"), body.text_of("AirSyncBase:Truncated")), ("4", "1"))
            self.assertEqual(
                properties(said("AirSync:MIMESupport", 1), preference(4), version=version)["Body"].text_of(
                    "AirSyncBase:Type"
                ),
                "1",
            )
        both = properties(preference(1), preference(2, "BodyPartPreference"))
        self.assertTrue({"Body", "BodyPart"} <= both.keys())
        only = properties(preference(2, "BodyPartPreference"))
        self.assertTrue("BodyPart" in only and "Body" not in only)

    def test_policy(self) -> None:
        """What the policy of the device forbids of a mail is not in the answer."""
        self.rules.policy_for = lambda user: Policy({"AllowHTMLEmail": 0})
        preference = Element("AirSyncBase:BodyPreference", Element("AirSyncBase:Type", 2))
        answer = self.answered(store(words("figures"), options=(preference,)))
        body = answer.all("Search:Result")[0].children[3].child("AirSyncBase:Body")
        assert body is not None
        self.assertEqual(body.text_of("AirSyncBase:Type"), "1")

    def test_large(self) -> None:
        """An answer does not grow without bound: what comes after too much text goes without its own."""
        preference = Element("AirSyncBase:BodyPreference", Element("AirSyncBase:Type", 1))
        for name, size in (("last", 10), ("large", ANSWER_BYTES), ("first", 10)):
            self.mail("", name, "needle", "x" * size)
        answer = self.answered(store(words("needle"), options=(preference,)))
        bodies = [result.children[3].child("AirSyncBase:Body") for result in answer.all("Search:Result")]
        sizes = [len(body.text_of("AirSyncBase:Data", "") or "") for body in bodies if body is not None]
        self.assertEqual(sizes, [12, ANSWER_BYTES + 2, 0])

    def test_gone(self) -> None:
        """A mail that went while it was looked for is not among the results."""
        del self.sources.mailbox.folder("ann", "")["one"]
        self.assertEqual(self.found(words("report")), ["Reports", "Lunch", "Old report"])
        self.sources.store.record({self.folders[""]: ([], ["two"])})
        answer = self.answered(store(words("report")))
        self.assertEqual(answer.text_of("Search:Total"), "3")

    def test_others(self) -> None:
        """Nobody finds the mails of others."""
        self.sources.make("bob", TREE)
        answer = self.ask(store(words("report")), device=DeviceKey("bob", "phone"))
        self.assertEqual(text(answer.element), "Search(Status=1 Response(Store(Status=1 Result= Total=0)))")

    def test_oldVersion(self) -> None:
        """Protocol 2.5 searches for people only."""
        self.assertEqual(self.status(store(words("report")), Version.V2_5), "2")


class FindTests(MailCase):
    """Find with a MailBoxSearchCriterion ([MS-ASCMD] 2.2.1.2)."""

    def ask(self, body: Element) -> Element:
        answer = result_of(self.find(call_of("Find", body, Version.V16_1)))
        assert answer.element is not None
        element: Element = answer.element
        return element

    def response(self, body: Element) -> Element:
        answer = self.ask(body)
        self.assertEqual(answer.text_of("Find:Status"), "1", text(answer))
        found = answer.child("Find:Response")
        assert found is not None
        return found

    def found(self, what: str, *more: Element, options: tuple[Element, ...] = ()) -> list[str]:
        """The subjects that are found."""
        response = self.response(criterion(what, *more, options=options))
        self.assertEqual(response.text_of("Find:Status"), "1", text(response))
        return [result.children[3].text_of("Email:Subject") or "" for result in response.all("Find:Result")]

    def failed(self, body: Element) -> str:
        """The Status of the Response, which has nothing found."""
        response = self.response(body)
        self.assertEqual([child.name for child in response], ["Store", "Status"])
        return response.text_of("Find:Status") or ""

    def test_vector(self) -> None:
        """The vector of a Find finds what it asks for."""
        response = self.response(decoded("find-request-mailbox"))
        self.assertEqual([child.name for child in response], ["Store", "Status", *["Result"] * 4, "Range", "Total"])
        self.assertEqual((response.text_of("Find:Range"), response.text_of("Find:Total")), ("0-3", "4"))

    def test_result(self) -> None:
        """A Result has class, ServerId and folder, and what a list shows of a mail."""
        raw = multipart(
            "mixed",
            part("text/plain", "A needle."),
            part("image/png", "x", "Content-Disposition: attachment; filename=a.png"),
            headers="From: Bob <bob@example.org>\nTo: Ann <ann@example.org>\nCc: Carl <c@x.org>\nSubject: Hay",
        )
        self.raw(".Work", "hay", raw, state="S")
        (result,) = self.response(criterion("needle")).all("Find:Result")
        self.assertEqual(
            [child.tag for child in result][:3], ["AirSync:Class", "AirSync:ServerId", "AirSync:CollectionId"]
        )
        self.assertEqual([child.text for child in result][:3], ["Email", self.item("hay"), str(self.folders[".Work"])])
        self.assertEqual(
            {child.tag: child.text for child in result.children[3]},
            {
                "Email:Subject": "Hay",
                "Email:DateReceived": "2024-05-01T08:00:00.000Z",
                "Email:DisplayTo": "Ann",
                "Find:DisplayCc": "Carl",
                "Email:Importance": "1",
                "Email:Read": "1",
                "Email2:IsDraft": "0",
                "Find:Preview": "A needle.",
                "Find:HasAttachments": "1",
                "Email:From": '"Bob" <bob@example.org>',
            },
        )

    def test_queries(self) -> None:
        """The Keyword Query Language is understood as far as it is about subject, people and dates."""
        self.assertEqual(self.found("report"), ["Reports", "Lunch", "The annual report", "Old report"])
        self.assertEqual(self.found("subject:repo"), ["Reports", "The annual report", "Old report"])
        self.assertEqual(self.found("subject:report -old"), ["The annual report"])
        self.assertEqual(self.found("subject:lunch OR figures"), ["Lunch", "The annual report"])
        self.assertEqual(self.found("from:bob received>=2024-05-01T06:00:00Z"), ["Reports", "Lunch"])
        self.assertEqual(self.found("to:bob"), [])

    def test_nothing(self) -> None:
        """If nothing is found there is no Result ([MS-ASCMD] 2.2.3.155.1)."""
        response = self.response(criterion("zebra"))
        self.assertEqual(text(response), "Response(Store=Mailbox Status=1 Total=0)")

    def test_folders(self) -> None:
        """One folder is searched, with DeepTraversal also those below it; without a CollectionId all are."""
        deep = Element("Find:DeepTraversal")
        work = folder(self.folders[".Work"])
        self.assertEqual(self.found("report", work), ["Reports"])
        self.assertEqual(self.found("report", work, options=(deep,)), ["Reports", "Old report"])

    def test_unknownFolder(self) -> None:
        """Status 3 of the whole: a CollectionId that there is not; the device has to run FolderSync."""
        for id in ("-1", "999", ""):
            self.assertEqual(text(self.ask(criterion("report", folder(id)))), "Find(Status=3)")

    def test_range(self) -> None:
        """Results come in parts under one SearchId."""
        options = (Element("Find:Range", "0-1"),)
        self.assertEqual(self.found("report", options=options), ["Reports", "Lunch"])
        response = self.response(criterion("report", options=(Element("Find:Range", "2-3"),)))
        self.assertEqual((response.text_of("Find:Range"), response.text_of("Find:Total")), ("2-3", "4"))
        response = self.response(criterion("report", options=(Element("Find:Range", "4-9"),)))
        self.assertEqual(text(response), "Response(Store=Mailbox Status=1 Total=4)")

    def test_notFromZero(self) -> None:
        """Status 4: a search begins with another Range than 0."""
        options = (Element("Find:Range", "2-5"),)
        self.assertEqual(self.failed(criterion("report", options=options)), "4")

    def test_invalid(self) -> None:
        """Status 2 of the Response: a criterion that makes no sense, or that is too complex."""
        email = said("AirSync:Class", "Email")
        for body in (
            criterion(None, email),
            criterion(""),
            criterion("OR"),
            criterion("**"),
            criterion("received:soon"),
            criterion("hasattachment:true"),
            criterion("a OR received:today"),
            criterion("a" * 2000),
            criterion("a", said("AirSync:Class", "Calendar")),
            criterion("a", folder(1), folder(2)),
            criterion("a", Element("Find:FreeText", "b")),
            criterion("a", options=(Element("Find:Range", "5-4"),)),
        ):
            self.assertEqual(self.failed(body), "2", text(body))

    def test_timedOut(self) -> None:
        """Status 2 of the Response as well: it takes too long, for which Find has no other."""
        self.sources.store.index.patience = 0.0
        self.assertEqual(self.failed(criterion("report")), "2")

    def test_gone(self) -> None:
        """A mail that went while it was looked for is not among the results."""
        del self.sources.mailbox.folder("ann", "")["one"]
        self.assertEqual(self.found("report"), ["Reports", "Lunch", "Old report"])

    def test_down(self) -> None:
        """Common Status 111: the mails cannot be read."""
        self.sources.mailbox.failure = BackendDown("disk")
        error: Refused = refused(self.find(call_of("Find", criterion("report"), Version.V16_1)))
        self.assertEqual(error.status, 111)

    def test_busy(self) -> None:
        """HTTP 503: too many mails are being read already."""
        self.mails.reading.waiting = 0
        call: Call = evolve(call_of("Find", criterion("report"), Version.V16_1))
        self.assertRaises(Unavailable, result_of, self.find(call))
