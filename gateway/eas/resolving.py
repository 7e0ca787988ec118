"""ResolveRecipients: who is meant by what a user writes into To ([MS-ASCMD] 2.2.1.15)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from attrs import define, frozen

from gateway.core.directory import LONGEST, Directory, Person
from gateway.eas.call import Answer, Call, Refused, Version
from gateway.eas.gal import Pictures, Wanted, picture_element, wanted_pictures
from gateway.eas.options import Malformed, number, only
from gateway.element import Element

SUCCESS, AMBIGUOUS, PARTLY, NOBODY, PROTOCOL = 1, 2, 3, 4, 5
NO_CERTIFICATE, NOT_AVAILABLE = 7, 163
NO_BODY = 101

MOST = 100
"""Recipients to be resolved, and suggestions for each."""

MOST_PICTURES = 100
"""Pictures in an answer."""

LARGEST_LIMIT = 9999
SHORTEST, LONGEST_SPAN = timedelta(minutes=30), timedelta(days=42)

_TIMES = ("%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%SZ")


@frozen
class _Options:
    """What is wanted: at most so many suggestions for each name, certificates, free and busy times, pictures."""

    most: int = MOST
    certificates: bool = False
    availability: bool = False
    pictures: Wanted | None = None


@frozen
class _Found:
    """Who is meant by what was written: people, and how many there are in all."""

    to: str
    people: Sequence[Person]
    total: int

    @property
    def status(self) -> int:
        """Whether there is one, some, more than are told of, or none."""
        if self.total > 1:
            return PARTLY if len(self.people) < self.total else AMBIGUOUS
        return SUCCESS if self.people else NOBODY


@define(eq=False)
class ResolveRecipients:
    """The ResolveRecipients command; C{pictures} reads pictures from files."""

    directory: Directory
    pictures: Pictures

    async def __call__(self, call: Call) -> Answer:
        """Resolve each recipient.

        There are no certificates of people here, and no calendars yet, so certificates are Status 7 and
        availability is Status 163.

        @raise Refused: 101 without a body.
        """
        if call.body is None:
            raise Refused(NO_BODY, "a ResolveRecipients without a body")
        try:
            names, options = _asked(call.body, call.version)
        except Malformed as error:
            root = Element("ResolveRecipients:ResolveRecipients", Element("ResolveRecipients:Status", PROTOCOL))
            return Answer(root, log={"St": PROTOCOL, "E": str(error)})
        found = [self._find(name, options.most) for name in names]
        left = MOST_PICTURES
        responses = []
        for each in found:
            pictures, left = await self._pictures(each, options, left)
            responses.append(_response(each, options, pictures))
        root = Element("ResolveRecipients:ResolveRecipients", Element("ResolveRecipients:Status", SUCCESS), *responses)
        return Answer(root, log={"St": ",".join(str(status) for status in sorted({each.status for each in found}))})

    def _find(self, name: str, most: int) -> _Found:
        """An address that somebody has means nobody else; anything else is the beginning of some field."""
        exact = self.directory.at(name) if "@" in name else None
        if exact is not None:
            return _Found(name, [exact], 1)
        # Of one who is alone all is told, however few suggestions are wanted.
        people, total = self.directory.find(name, max(most, 1))
        return _Found(name, people if total == 1 else people[:most], total)

    async def _pictures(self, found: _Found, options: _Options, left: int) -> tuple[list[Element], int]:
        """The pictures for the people found, and how many there may be in the rest of the answer."""
        wanted = options.pictures
        if wanted is None or not found.people:
            return [], left
        paths = [person.picture for person in found.people]
        pictures = await self.pictures(paths, wanted.size, min(wanted.count, left))
        taken = sum(picture.status == SUCCESS for picture in pictures)
        return [picture_element("ResolveRecipients", picture) for picture in pictures], left - taken


def _asked(body: Element, version: Version) -> tuple[list[str], _Options]:
    """What was written, and the options.

    @raise Malformed: Status 5.
    """
    if body.tag != "ResolveRecipients:ResolveRecipients":
        raise Malformed("it is something else")
    names = [child.text for child in body.all("ResolveRecipients:To")]
    if not 0 < len(names) <= MOST:
        raise Malformed(f"not 1 to {MOST} recipients")
    if any(not 0 < len(name) <= LONGEST for name in names):
        raise Malformed(f"a recipient is not of 1 to {LONGEST} characters")
    options = only(body, "ResolveRecipients:Options")
    return names, _Options() if options is None else _options(options, version)


def _options(options: Element, version: Version) -> _Options:
    retrieval = number(options, "ResolveRecipients:CertificateRetrieval")
    if retrieval not in (None, 1, 2, 3):
        raise Malformed("CertificateRetrieval is none of 1, 2 and 3")
    number(options, "ResolveRecipients:MaxCertificates", LARGEST_LIMIT)
    most = number(options, "ResolveRecipients:MaxAmbiguousRecipients", LARGEST_LIMIT)
    availability = only(options, "ResolveRecipients:Availability") if version >= Version.V14_0 else None
    if availability is not None:
        _check_span(availability)
    return _Options(
        most=MOST if most is None else min(most, MOST),
        certificates=retrieval in (2, 3),
        availability=availability is not None,
        pictures=wanted_pictures(options, version),
    )


def _check_span(availability: Element) -> None:
    """Half an hour to six weeks ([MS-ASCMD] 2.2.3.61.1); without an end it is a week."""
    start = _time(availability.text_of("ResolveRecipients:StartTime"))
    end = availability.text_of("ResolveRecipients:EndTime")
    if end is not None and not SHORTEST <= _time(end) - start <= LONGEST_SPAN:
        raise Malformed("the times are too near to each other, or too far")


def _time(text: str | None) -> datetime:
    for form in _TIMES:
        try:
            return datetime.strptime(text or "", form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise Malformed("a time is none")


def _response(found: _Found, options: _Options, pictures: Sequence[Element]) -> Element:
    told = [_recipient(person, found, options) for person in found.people]
    for recipient, picture in zip(told, pictures, strict=False):
        recipient.children.append(picture)
    return Element(
        "ResolveRecipients:Response",
        Element("ResolveRecipients:To", found.to),
        Element("ResolveRecipients:Status", found.status),
        Element("ResolveRecipients:RecipientCount", found.total),
        *told,
    )


def _recipient(person: Person, found: _Found, options: _Options) -> Element:
    """One recipient; what is to be known of one person is not told of suggestions."""
    alone = found.status == SUCCESS
    busy = certificates = None
    if options.availability and alone:
        busy = Element("ResolveRecipients:Availability", Element("ResolveRecipients:Status", NOT_AVAILABLE))
    if options.certificates and alone:
        certificates = Element(
            "ResolveRecipients:Certificates",
            Element("ResolveRecipients:Status", NO_CERTIFICATE),
            Element("ResolveRecipients:CertificateCount", 0),
            Element("ResolveRecipients:RecipientCount", 1),
        )
    return Element(
        "ResolveRecipients:Recipient",
        Element("ResolveRecipients:Type", 1),
        Element("ResolveRecipients:DisplayName", person.name),
        Element("ResolveRecipients:EmailAddress", person.address),
        busy,
        certificates,
    )
