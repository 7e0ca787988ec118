"""The address file, and the directory that is made of it and of the accounts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from gateway.core.directory import Person
from gateway.cred import addresses
from gateway.cred.addresses import AddressBook, BadAddresses, of_accounts, read_addresses, read_pictures, together
from gateway.interfaces import IAccounts

HEAD = "email,name,first_name,last_name,phone,picture\n"
BOB = "bob@example.org,Bob Builder,Bob,Builder,+49 30 1,bob.jpg\n"


@implementer(IAccounts)
@define(eq=False)
class Names:
    """Accounts by their names."""

    found: list[str] = field(factory=list)

    def names(self) -> list[str]:
        """All of them."""
        return self.found


class FileTests(SynchronousTestCase):
    """Reading the address file."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def write(self, text: str, encoding: str = "utf-8") -> None:
        self.path.write_text(text, encoding=encoding)

    def test_read(self) -> None:
        """Columns are known by their names; a picture lies beside the file."""
        self.write(HEAD + BOB)
        self.assertEqual(
            read_addresses(self.path),
            (
                [
                    Person(
                        ("bob@example.org",),
                        "Bob Builder",
                        "bob",
                        "Bob",
                        "Builder",
                        phone="+49 30 1",
                        picture=str(self.path.parent / "bob.jpg"),
                    )
                ],
                0,
            ),
        )

    def test_otherTables(self) -> None:
        """Columns may be in any order and any case, with others between, short lines, and a mark of Unicode in front."""
        self.write("Shoe size,Last_Name,EMAIL,name\n43,Doe,doe@example.org\n", "utf-8-sig")
        ((person,), _) = read_addresses(self.path)
        self.assertEqual((person.address, person.name, person.alias), ("doe@example.org", "Doe", "doe"))

    def test_withoutAddress(self) -> None:
        """Lines without a mail address are passed over, and counted; empty ones are not."""
        self.write("email,name\n,Nobody\nno address,Nobody\n\na@b@c,Nobody\nann@example.org,Ann\n")
        people, skipped = read_addresses(self.path)
        self.assertEqual(([person.name for person in people], skipped), (["Ann"], 3))

    def test_odd(self) -> None:
        """Control characters and endless texts do not get into the directory."""
        self.write(f'email,name\nann@example.org,"A\x00n\nn{"x" * 1000}"\n')
        ((person,), _) = read_addresses(self.path)
        self.assertEqual(person.name[:6], "A n nx")
        self.assertEqual(len(person.name), 256)

    def test_refused(self) -> None:
        """A file that cannot be used is refused with its name and what to do."""
        for text, expected in {
            "name\nAnn\n": "no column of the first line is called email",
            "": "no column",
            'email\n"a"b\n': "comma-separated",
        }.items():
            self.write(text)
            with self.assertRaises(BadAddresses) as caught:
                read_addresses(self.path)
            self.assertIn(expected, str(caught.exception))
            self.assertIn(str(self.path), str(caught.exception))
        self.write("email\nü@example.org\n", "latin-1")
        self.assertRaises(BadAddresses, read_addresses, self.path)
        self.path.unlink()
        self.assertRaises(BadAddresses, read_addresses, self.path)
        self.path.mkdir()
        self.assertRaises(BadAddresses, read_addresses, self.path)

    def test_tooMany(self) -> None:
        """A file without end is not read to its end."""
        self.patch(addresses, "MOST_PEOPLE", 2)
        self.write("email\na@example.org\nb@example.org\n")
        self.assertEqual(len(read_addresses(self.path)[0]), 2)
        self.write("email\na@example.org\nb@example.org\nc@example.org\n")
        self.assertRaises(BadAddresses, read_addresses, self.path)


class PictureTests(SynchronousTestCase):
    """Reading pictures ([MS-ASCMD] 2.2.3.104, 2.2.3.105)."""

    def setUp(self) -> None:
        self.small, self.large = self.mktemp(), self.mktemp()
        Path(self.small).write_bytes(b"123")
        Path(self.large).write_bytes(b"12345")

    def statuses(self, paths: list[str], largest: int = 4, most: int = 9) -> list[int]:
        return [picture.status for picture in read_pictures(paths, largest, most)]

    def test_statuses(self) -> None:
        """1 with the picture, 173 there is none, 174 it is too large."""
        self.assertEqual(self.statuses([self.small, "", self.large, self.mktemp()]), [1, 173, 174, 173])
        self.assertEqual(read_pictures([self.small], 3, 1)[0].data, b"123")

    def test_limit(self) -> None:
        """Beyond the number that is wanted it is 175 for who has a picture that fits, and only those count."""
        paths = ["", self.large, self.small, self.small, "", self.large]
        self.assertEqual(self.statuses(paths, most=1), [173, 174, 1, 175, 173, 174])
        self.assertEqual(self.statuses([self.small], most=0), [175])

    def test_largest(self) -> None:
        """No picture of more than 100 KB is sent, whatever is asked for."""
        Path(self.large).write_bytes(bytes(102_401))
        self.assertEqual(self.statuses([self.large], largest=10**9), [174])

    def test_unreadable(self) -> None:
        """What is no file, or an empty one, is no picture."""
        empty = self.mktemp()
        Path(empty).touch()
        self.assertEqual(self.statuses(["/", empty]), [173, 173])


class AddressBookTests(SynchronousTestCase):
    """The directory follows the accounts and the file."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.path.write_text(HEAD + BOB)
        self.clock = Clock()
        self.accounts = Names(["ann"])
        self.book = self.make()

    def make(self, run: Callable[..., Deferred[Any]] = execute) -> AddressBook:
        return AddressBook(self.accounts, ("example.org", "example.net"), self.path, self.clock, run)

    def names(self) -> list[str]:
        people = [self.book.directory.find(letter, 100)[0] for letter in "abc"]
        return [person.name for some in people for person in some if person.name[:1].lower() in "abc"]

    def test_both(self) -> None:
        """Accounts and the people of the file are found; an account has an address in each domain."""
        self.assertEqual(self.names(), ["ann", "Bob Builder"])
        for domain in ("example.org", "example.net"):
            person = self.book.directory.at(f"ann@{domain}")
            assert person is not None
            self.assertEqual((person.address, person.alias), ("ann@example.org", "ann"))

    def test_accountNames(self) -> None:
        """The address of an account may be its name; one that has none is nobody."""
        self.assertEqual([p.addresses for p in of_accounts(["cy@example.com", "dan"], [])], [("cy@example.com",)])

    def test_listedAccount(self) -> None:
        """An account that is listed too is there once, as it is listed, with the addresses of both."""
        (account,) = of_accounts(["ann"], ["example.net", "example.org"])
        listed = Person(("Ann@example.org",), "Ann Example")
        (person,) = together([listed], [account])
        self.assertEqual((person.name, person.addresses), ("Ann Example", ("Ann@example.org", "ann@example.net")))

    def test_fileChanges(self) -> None:
        """Another file is noticed within a second, and no file leaves the accounts."""
        self.names()
        self.path.write_text(HEAD + "cyd@example.org,Cyd\n")
        self.assertEqual(self.names(), ["ann", "Bob Builder"])
        self.clock.advance(1)
        self.assertEqual(self.names(), ["ann", "Cyd"])
        self.book.path = None
        self.book.refresh()
        self.assertEqual(self.names(), ["ann"])

    def test_wrongFile(self) -> None:
        """A file that is wrong is not taken, and is told of once."""
        self.names()
        self.path.write_text("nonsense\n")
        with capturedLogs() as logs:
            for _ in range(3):
                self.clock.advance(1)
                self.assertEqual(self.names(), ["ann", "Bob Builder"])
        self.assertEqual([log["log_level"] for log in logs], [LogLevel.error])
        self.path.write_text(HEAD + "cyd@example.org,Cyd\n")
        self.clock.advance(1)
        self.assertEqual(self.names(), ["ann", "Cyd"])

    def test_linesWithoutAddress(self) -> None:
        """How many lines have no address is logged."""
        self.path.write_text(HEAD + "nobody\n")
        with capturedLogs() as logs:
            self.names()
        self.assertEqual([log["count"] for log in logs], [1])

    def test_gone(self) -> None:
        """A file that is gone leaves the people as they were."""
        self.names()
        self.path.unlink()
        self.clock.advance(1)
        with capturedLogs() as logs:
            self.assertEqual(self.names(), ["ann", "Bob Builder"])
        self.assertEqual(len(logs), 1)

    def test_accountsChange(self) -> None:
        """New accounts are found once the directory is told of them, without the file being read again."""
        self.names()
        self.accounts.found.append("cyd")
        self.patch(addresses, "read_addresses", None)
        self.book.refresh()
        self.assertEqual(self.names(), ["ann", "Bob Builder", "cyd"])

    def test_meanwhile(self) -> None:
        """While a directory is made the one before is in force; what changes meanwhile is taken after it."""
        waiting: list[tuple[Deferred[Any], Callable[[], Any]]] = []

        def run(work: Callable[..., Any], *args: Any) -> Deferred[Any]:
            done: Deferred[Any] = Deferred()
            waiting.append((done, lambda: work(*args)))
            return done

        self.book = self.make(run)
        self.assertEqual(self.names(), [])
        self.accounts.found.append("cyd")
        self.book.refresh()
        self.assertEqual(len(waiting), 1)
        for expected in (["ann", "Bob Builder"], ["ann", "Bob Builder", "cyd"]):
            done, work = waiting.pop(0)
            done.callback(work())
            self.assertEqual(self.names(), expected)
        self.assertEqual(waiting, [])

    def test_trouble(self) -> None:
        """Trouble of ours is logged, and the next change is taken."""
        self.patch(addresses, "of_accounts", lambda names, domains: [Person(())])
        self.names()
        self.assertEqual(len(self.flushLoggedErrors(IndexError)), 1)
        self.patch(addresses, "of_accounts", of_accounts)
        self.book.refresh()
        self.assertEqual(self.names(), ["ann", "Bob Builder"])
