"""Finding people in the directory."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.core.directory import MOST_KEYS, Directory, Index, Person, folded, question

ANN = Person(("ann@example.org", "ann@example.net"), "Ann Example", "ann", "Ann", "Example")
MUELLER = Person(
    ("j.mueller@example.org",), "Jürgen Müller-Lüdenscheidt", "jm", company="Bath & Tub Ltd", phone="+49 (30) 123-456"
)
JOHN = Person(("barry@example.org",), "Barry Johnson", "barry", office="Room 12")
LITTLEJOHN = Person(("james@example.org",), "James Littlejohn", "james", title="Clerk")
EVERYBODY = Directory(Index.of([MUELLER, ANN, LITTLEJOHN, JOHN]))


def names(text: str, most: int = 100) -> list[str]:
    """The first names of those who are found."""
    return [person.name.split()[0] for person in EVERYBODY.find(text, most)[0]]


class DirectoryTests(SynchronousTestCase):
    """What a question finds ([MS-ASCMD] 2.2.1.16, 2.2.3.142.2)."""

    def test_anyField(self) -> None:
        """A question is the beginning of any field, or of a word of a name or a company."""
        for asked, found in {
            "ann": "Ann",
            "ann ex": "Ann",
            "example": "Ann",
            "ann@example.n": "Ann",
            "jm": "Jürgen",
            "tub": "Jürgen",
            "lüd": "Jürgen",
            "room": "Barry",
            "clerk": "James",
        }.items():
            self.assertEqual(names(asked), [found], asked)

    def test_notWithinAWord(self) -> None:
        """ "John" is Barry Johnson, and not James Littlejohn."""
        self.assertEqual(names("John"), ["Barry"])

    def test_caseAndAccents(self) -> None:
        """Case, accents and white space do not count."""
        for asked in ("MÜLLER", "muller", "  jurgen   MULLER"):
            self.assertEqual(names(asked), ["Jürgen"], asked)

    def test_telephone(self) -> None:
        """A telephone number is found however it is written."""
        for asked in ("+4930123", "+49 30 12-34", "+49 (30)", "+49 30 123 456"):
            self.assertEqual(names(asked), ["Jürgen"], asked)

    def test_orderAndNumber(self) -> None:
        """People come by their names, no more than asked for, with the number of all."""
        people, total = EVERYBODY.find("j", 1)
        self.assertEqual([person.name for person in people], ["Barry Johnson"])
        self.assertEqual(total, 3)
        self.assertEqual(names("j"), ["Barry", "James", "Jürgen"])

    def test_nothing(self) -> None:
        """Nobody is found by an empty question, nor in an empty directory."""
        self.assertEqual(EVERYBODY.find("  ", 100), ([], 0))
        self.assertEqual(EVERYBODY.find("zz", 100), ([], 0))
        self.assertEqual(Directory().find("ann", 100), ([], 0))
        self.assertIsNone(Directory().at("ann@example.org"))

    def test_oneIsCountedOnce(self) -> None:
        """Who is found by several fields is there once."""
        self.assertEqual(EVERYBODY.find("ann", 100), ([ANN], 1))

    def test_bounded(self) -> None:
        """A question that fits a whole town looks at a bounded part of it."""
        many = Index.of(Person((f"p{number}@example.org",), "Same") for number in range(MOST_KEYS + 500))
        self.assertEqual(len(many.starting("same")), MOST_KEYS)

    def test_at(self) -> None:
        """An address, any of those that somebody has, names one person, in any case of letters."""
        for asked in ("ANN@example.org", " ann@example.net "):
            self.assertEqual(EVERYBODY.at(asked), ANN)
        for asked in ("ann", "ann@example.o", "nobody@example.org", ""):
            self.assertIsNone(EVERYBODY.at(asked))

    def test_longAddresses(self) -> None:
        """Addresses that begin alike for long are told apart."""
        start = "a" * 60
        people = [Person((f"{start}{number}@example.org",), f"P{number}") for number in range(3)]
        self.assertEqual(Index.of(people).at(f"{start}1@example.org"), people[1])

    def test_asksForNews(self) -> None:
        """Before each question it is looked whether there is another index."""
        directory = Directory()
        directory.look = lambda: setattr(directory, "index", Index.of([ANN]))
        self.assertEqual(directory.find("ann", 1), ([ANN], 1))
        directory.index = Index()
        self.assertEqual(directory.at("ann@example.org"), ANN)

    def test_folding(self) -> None:
        """What is written differently folds alike; what is no telephone number keeps its points."""
        self.assertEqual(folded(" Straße\tÉ "), "strasse e")
        self.assertEqual(question("+49 (30) 1-2.3"), "+4930123")
        self.assertEqual(question("a.b-c"), "a.b-c")
