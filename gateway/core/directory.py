"""The people that users can find: sorted once, so that a question costs by its answer, not by how many there are."""

from __future__ import annotations

import re
import unicodedata
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge, nsmallest
from itertools import islice
from typing import TypeVar

from attrs import define, field, frozen

LONGEST = 256
"""Characters that a field of a person has at most."""

MOST_KEYS = 10_000
"""Keys that are looked through for one question; who asks for a single letter need not be told everybody."""

T = TypeVar("T", bound=tuple[object, ...])

_KEY = 48
_PIECE = 10_000
_WORDS = 6
_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"(?<=[\s,.;:/_@\"'()-])\w")
_TELEPHONE = re.compile(r"\+?[0-9][0-9 ()/.-]*", re.ASCII)
_PUNCTUATION = re.compile(r"[ ()/.-]")


@frozen
class Person:
    """Somebody whom users can find.

    C{addresses}: mail addresses, the first is the one that mail goes to; C{picture} is the path of a file.
    """

    addresses: tuple[str, ...]
    name: str = ""
    alias: str = ""
    first_name: str = ""
    last_name: str = ""
    title: str = ""
    office: str = ""
    company: str = ""
    phone: str = ""
    home_phone: str = ""
    mobile_phone: str = ""
    picture: str = ""

    @property
    def address(self) -> str:
        """Where mail goes to."""
        return self.addresses[0]


@frozen
class Picture:
    """A picture that was asked for: C{status} 1, 173 there is none, 174 it is too large, 175 it would be one too
    many ([MS-ASCMD] 2.2.3.177.13)."""

    status: int
    data: bytes = field(default=b"", repr=False)


def folded(text: str) -> str:
    """The text without case, accents and extra white space; two texts that fold alike are the same to who searches."""
    plain = text if text.isascii() else _plain(text)
    return _SPACE.sub(" ", plain).strip().casefold()


def _plain(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def question(text: str) -> str:
    """What keys begin with that a person means who writes this; a telephone number may be written in any way."""
    asked = folded(text)
    return (_PUNCTUATION.sub("", asked) if _TELEPHONE.fullmatch(asked) else asked)[:_KEY]


def _keys(person: Person) -> Iterator[str]:
    """What a person can be found by: each field from its beginning, and names from each of their words."""
    for text in (person.name, person.company):
        key = folded(text)
        yield key
        yield from (key[found.start() :] for _, found in zip(range(_WORDS), _WORD.finditer(key), strict=False))
    for text in (person.first_name, person.last_name, person.alias, person.title, person.office, *person.addresses):
        yield folded(text)
    for text in (person.phone, person.home_phone, person.mobile_phone):
        yield _PUNCTUATION.sub("", folded(text))


def _sorted(values: Iterable[T]) -> Iterator[T]:
    """The values in order. They are sorted in pieces: one long sort would let no other thread run."""
    rest, pieces = iter(values), []
    while piece := sorted(islice(rest, _PIECE)):
        pieces.append(piece)
    return merge(*pieces)


@frozen(eq=False)
class Index:
    """People in the order of their names, and all their keys in order; C{ranks} says whose each key is."""

    people: Sequence[Person] = ()
    keys: Sequence[str] = ()
    ranks: Sequence[int] = ()

    @classmethod
    def of(cls, people: Iterable[Person]) -> Index:
        """The index of these people. Of 100,000 people it takes some seconds: make it in a thread."""
        by_name = _sorted((folded(person.name), person.address, number, person) for number, person in enumerate(people))
        ordered = [person for _, _, _, person in by_name]
        known: dict[str, str] = {}
        entries: list[tuple[str, int]] = []
        for rank, person in enumerate(ordered):
            found = {key[:_KEY] for key in _keys(person) if key}
            # What several people have (a company, a first name) is kept once.
            entries += [(known.setdefault(key, key), rank) for key in found]
        keys: list[str] = []
        ranks = array("L")
        for key, rank in _sorted(entries):
            keys.append(key)
            ranks.append(rank)
        return cls(ordered, keys, ranks)

    def starting(self, text: str) -> set[int]:
        """The ranks of those of whom a key begins with what is asked for."""
        asked = question(text)
        if not asked:
            return set()
        first = bisect_left(self.keys, asked)
        last = bisect_left(self.keys, asked + "\U0010ffff", first, min(len(self.keys), first + MOST_KEYS))
        return set(self.ranks[first:last])

    def at(self, address: str) -> Person | None:
        """Who has that mail address."""
        wanted, key = address.strip().lower(), folded(address)[:_KEY]
        place = bisect_left(self.keys, key)
        while place < len(self.keys) and self.keys[place] == key:
            person = self.people[self.ranks[place]]
            if wanted in (one.lower() for one in person.addresses):
                return person
            place += 1
        return None


@define(eq=False)
class Directory:
    """Everybody who can be found; C{look} is called before each question, and may have a newer index made."""

    index: Index = field(factory=Index)
    look: Callable[[], None] = lambda: None

    def find(self, text: str, most: int) -> tuple[list[Person], int]:
        """Those of whom some field begins with the text, the first C{most} by name, and how many there are."""
        self.look()
        index = self.index
        ranks = index.starting(text)
        return [index.people[rank] for rank in nsmallest(most, ranks)], len(ranks)

    def at(self, address: str) -> Person | None:
        """Who has that mail address, in any case of letters."""
        self.look()
        return self.index.at(address)
