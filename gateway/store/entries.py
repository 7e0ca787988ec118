"""Mails as rows of the index: their numbers, their words, and the marks by which they are told apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from attrs import frozen

from gateway.index import Document, Phrase, Place, Sought
from gateway.store.words import words

COLUMNS = (Place.SUBJECT, Place.SENDER, Place.RECIPIENT, Place.ANYWHERE)
"""What the words of a mail come from, in order; the last is its text."""

_MOST: Mapping[Place, int] = MappingProxyType(
    {Place.SUBJECT: 1000, Place.SENDER: 500, Place.RECIPIENT: 2000, Place.ANYWHERE: 12_000}
)
"""So many words of each can be found: PostgreSQL counts places in a text up to 16,383."""

_ITEM_BITS = 30
_LATEST = (1 << 33) - 1

ALL = "m"


@frozen
class Entry:
    """A row of the index: the words of each of L{COLUMNS}, and its marks."""

    number: int
    item: int
    texts: tuple[tuple[str, ...], ...]
    marks: tuple[str, ...]


def entry_of(folder: int, document: Document) -> Entry:
    """A mail of a folder as a row of the index."""
    texts = (document.subject, document.sender, document.recipients, document.text)
    found = (tuple(words(text, _MOST[place])) for place, text in zip(COLUMNS, texts, strict=True))
    return Entry(
        number_of(document.received, document.item),
        document.item,
        tuple(found),
        tuple(_marks(folder, document.conversation)),
    )


def number_of(received: int, item: int) -> int:
    """The number of a mail: those of the same second are told apart by the lower bits of their ids."""
    return _clamped(received) << _ITEM_BITS | item & ((1 << _ITEM_BITS) - 1)


def span_of(sought: Sought) -> tuple[int, int]:
    """The numbers that mails of that time have, first and last."""
    low = 0 if sought.since is None else sought.since
    high = _LATEST if sought.until is None else sought.until - 1
    if high < 0 or low > _LATEST:
        return 1, 0
    return _clamped(low) << _ITEM_BITS, (_clamped(high) + 1 << _ITEM_BITS) - 1


def _clamped(received: int) -> int:
    return min(max(received, 0), _LATEST)


def _marks(folder: int, conversation: bytes) -> Iterator[str]:
    yield ALL
    yield folder_mark(folder)
    if conversation:
        yield conversation_mark(conversation)


def folder_mark(folder: int) -> str:
    """The mark of all mails of a folder."""
    return f"mf{folder}"


def conversation_mark(conversation: bytes) -> str:
    """The mark of all mails of a conversation."""
    return f"mc{conversation.hex()}"


@frozen
class Term:
    """Words that follow one another somewhere in a mail, or a mark, which is one word; never empty."""

    words: tuple[str, ...]
    place: Place = Place.ANYWHERE
    prefix: bool = False
    mark: bool = False


@frozen
class Terms:
    """What is looked for: one of each of the C{needed}, which are at least one, and none of C{without}."""

    needed: tuple[tuple[Term, ...], ...]
    without: tuple[Term, ...] = ()


def terms_of(sought: Sought) -> Terms | None:
    """What is looked for in words; C{None} if nothing can be found.

    Phrases without any word are passed over, unless there are no others.
    """
    clauses = [found for clause in sought.clauses if (found := tuple(_terms(clause)))]
    if (sought.clauses and not clauses) or sought.folders == ():
        return None
    if sought.conversation:
        clauses.append((_mark(conversation_mark(sought.conversation)),))
    if sought.folders is not None:
        clauses.append(tuple(_mark(folder_mark(folder)) for folder in dict.fromkeys(sought.folders)))
    return Terms(tuple(clauses) or ((_mark(ALL),),), tuple(_terms(sought.without)))


def _terms(phrases: Iterable[Phrase]) -> Iterator[Term]:
    for phrase in phrases:
        found = tuple(words(phrase.text))
        if found:
            yield Term(found, phrase.place, phrase.prefix)


def _mark(mark: str) -> Term:
    return Term((mark,), mark=True)
