"""Finding people: the global address list for Search and Find ([MS-ASCMD] 2.2.1.16, 2.2.1.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import define, field, frozen
from twisted.internet.defer import Deferred

from gateway.core.directory import LONGEST, Directory, Person, Picture
from gateway.eas.call import Call, Version
from gateway.eas.finding import MOST, Failed, Hits, span
from gateway.eas.options import Malformed, number
from gateway.element import Element

INVALID, TOO_COMPLEX, PAST_THE_END = 2, 8, 12

LARGEST_PICTURE = 102_400
"""Bytes of the largest picture that a client may ask for ([MS-ASCMD] 2.2.3.105)."""

Pictures = Callable[[Sequence[str], int, int], Deferred[list[Picture]]]
"""The pictures in files, C{""} for none, up to a size in bytes and up to a number of them."""


@frozen
class Wanted:
    """Which pictures are wanted: up to a size in bytes, and up to a number of them."""

    size: int = LARGEST_PICTURE
    count: int = MOST


def wanted_pictures(options: Element | None, version: Version) -> Wanted | None:
    """What Options say of pictures, in the page that they are of; C{None}: none are wanted.

    @raise Malformed: a number is none.
    """
    page = "" if options is None else options.tag.partition(":")[0]
    asked = None if options is None else options.child(f"{page}:Picture")
    if asked is None or version < Version.V14_1:
        return None
    size, count = number(asked, f"{page}:MaxSize"), number(asked, f"{page}:MaxPictures")
    return Wanted(
        LARGEST_PICTURE if size is None else min(size, LARGEST_PICTURE), MOST if count is None else min(count, MOST)
    )


def picture_element(page: str, picture: Picture) -> Element:
    """A Picture, in the page of the elements within it."""
    data = Element(f"{page}:Data", picture.data) if picture.data else None
    return Element(f"{page}:Picture", Element(f"{page}:Status", picture.status), data)


def properties(page: str, person: Person) -> Element:
    """The Properties of somebody: all of them that are not empty; C{page} is that of the command."""
    told = (
        ("DisplayName", person.name),
        ("Phone", person.phone),
        ("Office", person.office),
        ("Title", person.title),
        ("Company", person.company),
        ("Alias", person.alias),
        ("FirstName", person.first_name),
        ("LastName", person.last_name),
        ("HomePhone", person.home_phone),
        ("MobilePhone", person.mobile_phone),
        ("EmailAddress", person.address),
    )
    return Element(f"{page}:Properties", *(Element(f"Gal:{name}", text) for name, text in told if text))


@define(eq=False)
class GalSearcher:
    """Finds people whose fields begin with the Query, for the command of that C{page}."""

    page: str
    directory: Directory
    pictures: Pictures
    most: int = field(default=MOST)

    async def __call__(self, call: Call, asked: Element) -> Hits:
        """The people of the Range.

        @raise Failed: 2 for a Query or Options that cannot be, 8 for a Query that is too long, 12 for a Range that
            begins beyond what can be had.
        """
        query, options = self._query(asked), asked.child(f"{self.page}:Options")
        wanted = span(None if options is None else options.text_of(f"{self.page}:Range"))
        if wanted is None:
            raise Failed(INVALID, "the Range is none")
        if wanted.first >= self.most:
            raise Failed(PAST_THE_END, f"no more than {self.most} people are told of")
        try:
            shown = wanted_pictures(options, call.version)
        except Malformed as error:
            raise Failed(INVALID, str(error)) from error
        people, total = self.directory.find(query, min(wanted.last + 1, self.most))
        results = await self._results(people[wanted.first :], shown)
        return Hits(results, wanted.first, total)

    def _query(self, asked: Element) -> str:
        queries = asked.all(f"{self.page}:Query")
        if len(queries) != 1 or queries[0].children or not queries[0].text.strip():
            raise Failed(INVALID, "one Query with a text is wanted")
        if len(queries[0].text) > LONGEST:
            raise Failed(TOO_COMPLEX, "the Query is too long")
        return queries[0].text

    async def _results(self, people: Sequence[Person], shown: Wanted | None) -> tuple[Element, ...]:
        found = [properties(self.page, person) for person in people]
        if shown is not None and people:
            pictures = await self.pictures([person.picture for person in people], shown.size, shown.count)
            for element, picture in zip(found, pictures, strict=True):
                element.children.append(picture_element("Gal", picture))
        return tuple(Element(f"{self.page}:Result", element) for element in found)
