"""The people whom users can find: those with an account, and those in the address file.

The address file is a table of comma-separated values in UTF-8, as every address book and every personnel office can
write one. Its first line names the columns, of which C{email} has to be there::

    email,name,first_name,last_name,alias,title,office,company,phone,home_phone,mobile_phone,picture
    bob@example.org,Bob Builder,Bob,Builder,bob,Engineer,B 12,Example Ltd,+49 30 1234,,+49 171 1234,photos/bob.jpg

Other columns are passed over, and so are lines without a mail address. C{picture} is a file beside the address file.
Somebody who has an account too is told of as the file says.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from gateway.core.directory import LONGEST, Directory, Index, Person, Picture
from gateway.cred.accounts import LOOK_SECONDS, Signature, lower, signed
from gateway.interfaces import IAccounts

MOST_PEOPLE = 500_000
LARGEST_PICTURE = 102_400
"""Bytes of the largest picture that is sent ([MS-ASCMD] 2.2.3.105.3)."""

_COLUMNS = (
    *("name", "alias", "first_name", "last_name", "title", "office", "company"),
    *("phone", "home_phone", "mobile_phone", "picture"),
)
_ADDRESS = re.compile(r"[^\s@<>,;\"]{1,64}@[^\s@<>,;\"]{1,189}")


class BadAddresses(Exception):
    """The address file cannot be used; the message names the file, what is wrong and what to do."""


def read_addresses(path: Path) -> tuple[list[Person], int]:
    """The people in an address file, and how many lines have no mail address.

    @raise BadAddresses: it cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return _read(stream, path)
    except FileNotFoundError as error:
        raise BadAddresses(f"{path}: there is no such file. Put it there, or take directory.file out") from error
    except OSError as error:
        raise BadAddresses(f"{path}: {error.strerror}. The gateway has to be able to read it") from error
    except UnicodeDecodeError as error:
        raise BadAddresses(f"{path}: it is not UTF-8. Save it as UTF-8") from error
    except csv.Error as error:
        raise BadAddresses(f"{path}: {error}. Write it as comma-separated values, quotes doubled") from error


def _read(stream: TextIO, path: Path) -> tuple[list[Person], int]:
    rows = csv.reader(stream, strict=True)
    columns = [name.strip().lower() for name in next(rows, [])]
    if "email" not in columns:
        raise BadAddresses(f"{path}: no column of the first line is called email. Name the columns there")
    people: list[Person] = []
    known: dict[str, str] = {}
    skipped = 0
    for row in rows:
        # What several people have (a company, a first name) is kept once.
        texts = (known.setdefault(text, text) for text in row)
        person = _person(dict(zip(columns, texts, strict=False)), path.parent)
        if person is not None:
            people.append(person)
        elif row:
            skipped += 1
        if len(people) > MOST_PEOPLE:
            raise BadAddresses(f"{path}: there are more than {MOST_PEOPLE} people in it. Leave some out")
    return people, skipped


def _person(row: dict[str, str], folder: Path) -> Person | None:
    """The person of one line, or C{None} if it has no mail address."""
    given = {name: _clean(row.get(name, "")) for name in ("email", *_COLUMNS)}
    address = given.pop("email")
    if not _ADDRESS.fullmatch(address):
        return None
    if given["picture"]:
        given["picture"] = str(folder / given["picture"])
    return _named(Person((address,), **given))


def _clean(text: str) -> str:
    text = text[:LONGEST]
    return (text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)).strip()


def _named(person: Person) -> Person:
    """The person with a name and an alias, which everybody has ([MS-ASCMD] 2.2.1.16)."""
    name = person.name or f"{person.first_name} {person.last_name}".strip() or person.address
    return evolve(person, name=name, alias=person.alias or person.address.partition("@")[0])


def mail_addresses(name: str, domains: Sequence[str]) -> tuple[str, ...]:
    """The mail addresses of an account, the primary one first: its name, or NAME@DOMAIN for each domain."""
    return (name,) if "@" in name else tuple(f"{name}@{domain}" for domain in domains)


def of_accounts(names: Sequence[str], domains: Sequence[str]) -> Iterator[Person]:
    """The people of accounts, but for those that have no mail address."""
    for name in names:
        addresses = mail_addresses(name, domains)
        if addresses:
            yield _named(Person(addresses, name=name.partition("@")[0]))


def together(listed: Sequence[Person], accounts: Sequence[Person]) -> list[Person]:
    """Everybody once: an account whose address is listed is as it is listed, with all its addresses."""
    own = {address.lower(): person for person in accounts for address in person.addresses}
    found, met = [], set()
    for person in listed:
        account = own.get(person.address.lower())
        if account is not None:
            met.add(account.address)
            others = (one for one in account.addresses if one.lower() != person.address.lower())
            person = evolve(person, addresses=(person.address, *others))
        found.append(person)
    return [*found, *(person for person in accounts if person.address not in met)]


def read_pictures(paths: Sequence[str], largest: int, most: int) -> list[Picture]:
    """The pictures in these files, of which C{""} is none: those of up to C{largest} bytes, C{most} of them."""
    found: list[Picture] = []
    taken = 0
    for path in paths:
        picture = _picture(path, min(largest, LARGEST_PICTURE), taken < most)
        taken += picture.status == 1
        found.append(picture)
    return found


def _picture(path: str, largest: int, wanted: bool) -> Picture:
    if not path:
        return Picture(173)
    try:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if not 0 < size <= largest:
                return Picture(174 if size else 173)
            return Picture(1, stream.read(largest)) if wanted else Picture(175)
    except OSError:
        return Picture(173)


@define(eq=False)
class AddressBook:
    """Keeps a directory as the accounts and the address file say.

    A changed file is noticed when somebody is looked for, at most once a second; until it has been read, in a thread,
    the directory is what it was. One that is wrong is not taken, and the log says once what is the matter.

    @param domains: mail domains of accounts without one in their name; may be replaced, see L{refresh}.
    @param path: the address file, if there is one; may be replaced, see L{refresh}.
    @param run: runs a function in a thread.
    """

    log = Logger()

    accounts: IAccounts
    domains: tuple[str, ...] = field(converter=lower)
    path: Path | None
    clock: IReactorTime
    run: Callable[..., Deferred[Any]]
    directory: Directory = field(factory=Directory)
    _listed: Sequence[Person] = field(init=False, default=())
    _taken: tuple[Path | None, Signature | None] = field(init=False, default=(None, None))
    _read: tuple[Path | None, Signature | None] = field(init=False, default=(None, None))
    _looked: float = field(init=False, default=float("-inf"))
    _stale: bool = field(init=False, default=True)
    _making: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self.directory.look = self.look

    def of(self, user: str) -> tuple[str, ...]:
        """The mail addresses of a user, the primary one first."""
        return mail_addresses(user, self.domains)

    def refresh(self) -> None:
        """Accounts, domains or the path have changed: make the directory anew."""
        self._stale = True
        self._make()

    def look(self) -> None:
        """Make the directory anew if the file is another one, unless it was looked at just now."""
        now = self.clock.seconds()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._stale = self._stale or self._signed() != self._taken
            self._make()

    def _signed(self) -> tuple[Path | None, Signature | None]:
        if self.path is None:
            return None, None
        try:
            return self.path, signed(self.path.stat())
        except OSError:
            return self.path, None

    def _make(self) -> None:
        if self._making or not self._stale:
            return
        self._making, self._stale = True, False
        taken = self._taken = self._signed()
        path = None if self._read == taken else self.path
        listed = () if self.path is None else self._listed
        accounts = list(of_accounts(self.accounts.names(), self.domains))
        made = self.run(_made, path, listed, accounts)
        made.addCallback(self._put, taken)
        # What could not be made is not tried again before something changes.
        made.addErrback(lambda failure: self.log.failure("the directory was not made", failure))
        made.addCallback(self._again)

    def _put(self, made: tuple[Sequence[Person], Index, int, str], taken: tuple[Path | None, Signature | None]) -> None:
        self._listed, index, skipped, why = made
        self._read = taken
        self.directory.index = index
        if why:
            self.log.error("The addresses stay as they were: {why}", why=why)
        if skipped:
            self.log.warn("{path}: {count} lines have no mail address", path=str(self.path), count=skipped)

    def _again(self, _: object) -> None:
        self._making = False
        self._make()


def _made(
    path: Path | None, listed: Sequence[Person], accounts: Sequence[Person]
) -> tuple[Sequence[Person], Index, int, str]:
    """The people of the file, which is read if there is a path; the index; lines passed over; what was wrong."""
    skipped, why = 0, ""
    if path is not None:
        try:
            listed, skipped = read_addresses(path)
        except BadAddresses as error:
            why = str(error)
    return listed, Index.of(together(listed, accounts)), skipped, why
