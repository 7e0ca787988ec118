"""The ResolveRecipients command ([MS-ASCMD] 2.2.1.15)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.core.directory import Directory, Index, Person
from gateway.eas import resolving
from gateway.eas.call import Version
from gateway.eas.resolving import ResolveRecipients
from gateway.element import Element
from tests.eas.support import VECTORS, call_of, decoded, refused, sent, text
from tests.eas.test_gal import pictures
from tests.stores import result_of

BOB = Person(("bob@example.org", "bob@example.net"), "Bob", "bob", picture="12")
ANNS = [Person((f"ann{n}@example.org",), f"Ann {n}", f"ann{n}", picture="123" * (n % 2)) for n in range(5)]


def part(name: str, *content: Element | str | int) -> Element:
    """An element of ResolveRecipients."""
    return Element(f"ResolveRecipients:{name}", *content)


def resolve(*names: str, options: list[Element] | None = None) -> Element:
    """The body of a ResolveRecipients."""
    more = [] if options is None else [part("Options", *options)]
    return part("ResolveRecipients", *(part("To", name) for name in names), *more)


def times(start: str | None, end: str | None) -> Element:
    """Availability between two times."""
    given = (("StartTime", start), ("EndTime", end))
    return part("Availability", *(part(name, value) for name, value in given if value is not None))


DAY = times("2024-05-01T08:00:00.000Z", "2024-05-02T08:00:00.000Z")


class ResolveRecipientsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.command = ResolveRecipients(Directory(Index.of([BOB, *ANNS])), pictures)

    def ask(self, body: Element, version: Version = Version.V14_1) -> str:
        return text(result_of(self.command(call_of("ResolveRecipients", body, version))).element)

    def one(self, name: str, *options: Element, version: Version = Version.V14_1) -> str:
        """The Response of one recipient."""
        answer = self.ask(resolve(name, options=list(options)), version)
        start = "ResolveRecipients(Status=1 Response("
        self.assertTrue(answer.startswith(start), answer)
        return answer.removeprefix(start).removesuffix("))")

    def test_vectors(self) -> None:
        """The documented request is answered as documented, in every version."""
        for version in Version:
            asked = call_of("ResolveRecipients", decoded("resolverecipients-request"), version)
            self.assertEqual(sent(result_of(self.command(asked))), VECTORS["resolverecipients-response"])

    def test_status1(self) -> None:
        """Status 1: any address of somebody, in any case, or a beginning that only one person has."""
        for name in ("bob", "BOB@example.org", "bob@example.net", "Bo"):
            self.assertEqual(
                self.one(name),
                f"To={name} Status=1 RecipientCount=1 Recipient(Type=1 DisplayName=Bob EmailAddress=bob@example.org)",
            )

    def test_status2(self) -> None:
        """Status 2: several fit, and all of them are told, with their number."""
        answer = self.one("ann")
        self.assertTrue(answer.startswith("To=ann Status=2 RecipientCount=5 "), answer)
        self.assertEqual(answer.count("Recipient(Type=1"), 5)

    def test_status3(self) -> None:
        """Status 3: several fit, more than are wanted; the number is that of all."""
        for most in (0, 2, 4):
            answer = self.one("ann", part("MaxAmbiguousRecipients", most))
            self.assertTrue(answer.startswith("To=ann Status=3 RecipientCount=5"), answer)
            self.assertEqual(answer.count("Recipient(Type=1"), most)
        self.assertIn("Status=2", self.one("ann", part("MaxAmbiguousRecipients", 5)))

    def test_status4(self) -> None:
        """Status 4: nobody fits; an address of somebody unknown is nobody's."""
        for name in ("zz", "bob@example.com", " "):
            self.assertEqual(self.one(name), f"To={name} Status=4 RecipientCount=0")

    def test_alone(self) -> None:
        """One who is alone is no suggestion, so MaxAmbiguousRecipients does not count."""
        self.assertIn("Status=1 RecipientCount=1 Recipient(", self.one("bob", part("MaxAmbiguousRecipients", 0)))

    def test_exact(self) -> None:
        """An address that somebody has means nobody else, whatever other fields begin with."""
        self.command = ResolveRecipients(
            Directory(Index.of([BOB, Person(("x@example.org",), "bob@example.org and friends")])), pictures
        )
        self.assertIn("Status=1 RecipientCount=1", self.one("bob@example.org"))

    def test_order(self) -> None:
        """Recipients are answered in the order in which they were written."""
        answer = self.ask(resolve("zz", "bob", "zz"))
        self.assertEqual([each.split()[0] for each in answer.split("To=")[1:]], ["zz", "bob", "zz"])

    def test_status5(self) -> None:
        """Status 5 of the whole: no recipient or more than 100, one that is empty or of more than 256 characters, a
        number that is none or out of range."""
        for body in (
            resolve(),
            resolve(*["bob"] * 101),
            resolve("bob", ""),
            resolve("x" * 257),
            Element("Ping:Ping"),
            *(
                resolve("bob", options=[part(name, value)])
                for name, value in (
                    ("CertificateRetrieval", "0"),
                    ("CertificateRetrieval", "4"),
                    ("CertificateRetrieval", "x"),
                    ("MaxCertificates", "10000"),
                    ("MaxAmbiguousRecipients", "-1"),
                    ("MaxAmbiguousRecipients", "10000"),
                )
            ),
            resolve("bob", options=[part("Picture", part("MaxSize", "x"))]),
            part("ResolveRecipients", part("To", "bob"), part("Options"), part("Options")),
        ):
            self.assertEqual(self.ask(body), "ResolveRecipients(Status=5)", text(body)[:99])
        self.assertIn("Status=1", self.ask(resolve(*["bob"] * 100)))
        self.assertIn("Status=1", self.ask(resolve("x" * 256)))

    def test_refused(self) -> None:
        """101 without a body."""
        self.assertEqual(refused(self.command(call_of("ResolveRecipients", None))).status, 101)

    def test_certificates(self) -> None:
        """Certificates of Status 7 for one person, none for suggestions, and none if none are wanted."""
        for retrieval in (2, 3):
            self.assertTrue(
                self.one("bob", part("CertificateRetrieval", retrieval), part("MaxCertificates", 9)).endswith(
                    "Certificates(Status=7 CertificateCount=0 RecipientCount=1))"
                )
            )
            self.assertNotIn("Certificates", self.one("ann", part("CertificateRetrieval", retrieval)))
        self.assertNotIn("Certificates", self.one("bob", part("CertificateRetrieval", 1)))

    def test_availability(self) -> None:
        """Availability of Status 163 for one person, from 14.0 on: there is no calendar; none for suggestions."""
        for version in (Version.V14_0, Version.V14_1, Version.V16_1):
            self.assertIn("Availability(Status=163)", self.one("bob", DAY, version=version))
        self.assertNotIn("Availability", self.one("ann", DAY))
        self.assertNotIn("Availability", self.one("bob", DAY, version=Version.V12_1))

    def test_times(self) -> None:
        """Status 5 for times that are none, nearer than half an hour or further than 42 days; without an end it is a
        week."""
        start = "2024-05-01T08:00:00.000Z"
        for first, last, right in (
            (start, "2024-05-01T08:30:00.000Z", True),
            (start, "2024-05-01T08:29:59.000Z", False),
            (start, "2024-06-12T08:00:00Z", True),
            (start, "2024-06-12T08:00:01.000Z", False),
            (start, "2024-04-01T08:00:00.000Z", False),
            (start, "never", False),
            ("never", "2024-05-02T08:00:00.000Z", False),
            (None, "2024-05-02T08:00:00.000Z", False),
            (start, None, True),
        ):
            answer = self.ask(resolve("bob", options=[times(first, last)]))
            self.assertEqual("Availability(" in answer, right, (first, last))
            self.assertEqual(answer == "ResolveRecipients(Status=5)", not right)

    def test_pictures(self) -> None:
        """Pictures from 14.1 on: 1 with Data, 173 none, 174 too large, 175 enough of them for this recipient."""
        wanted = part("Picture", part("MaxSize", 3), part("MaxPictures", 1))
        self.assertTrue(self.one("bob", wanted).endswith("Picture(Status=1 Data=12))"))
        found = [each.partition(")")[0] for each in self.one("ann", wanted).split("Picture(")[1:]]
        self.assertEqual(found, ["Status=173", "Status=1 Data=123", "Status=173", "Status=175", "Status=173"])
        small = part("Picture", part("MaxSize", 2))
        self.assertIn("Picture(Status=174)", self.one("ann1", small))
        self.assertNotIn("Picture", self.one("bob", wanted, version=Version.V14_0))

    def test_picturesForEach(self) -> None:
        """MaxPictures is for each recipient; in all there is a bounded number."""
        wanted = part("Picture", part("MaxPictures", 1))
        self.assertEqual(self.ask(resolve("bob", "ann", options=[wanted])).count("Data="), 2)
        self.patch(resolving, "MOST_PICTURES", 3)
        self.assertEqual(self.ask(resolve(*["bob"] * 5, options=[wanted])).count("Data="), 3)
        self.assertEqual(self.ask(resolve(*["bob"] * 5, options=[wanted])).count("Status=175"), 2)
