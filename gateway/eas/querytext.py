"""What users write to find mails: words and phrases; in Find also a part of the Keyword Query Language ([MS-KQL]).

Words have to be there all of them, a phrase in quotes as it stands. The last word may be the beginning of a longer
one, and so may any that ends with an asterisk, if there are two characters of it. Beyond that, Find knows:

  - C{subject:}, C{from:}, C{to:} before a word, a phrase or a group in parentheses; C{cc:}, C{bcc:} and
    C{recipients:} mean C{to:}, C{participants:} means C{from:} or C{to:}, C{body:} means anywhere;
  - C{received:} or C{sent:}, also with C{>}, C{>=}, C{<} or C{<=} in place of the colon, before what
    L{gateway.eas.querydates.span_of} takes, in UTC; but not below C{OR} and C{NOT};
  - C{AND}, C{OR}, C{NOT}, C{-}, C{+} and parentheses.

Other properties ask for what is not known here of mails, and are refused. A word with a colon that is no property is
a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from itertools import product
from types import MappingProxyType

from attrs import define, evolve, field, frozen

from gateway.eas.querydates import BadDate, span_of
from gateway.index import Phrase, Place, Sought

MAX_TEXT = 1024
MAX_PHRASES = 64
MAX_DEPTH = 8

_PLACES: Mapping[str, tuple[Place, ...]] = MappingProxyType(
    {
        "subject": (Place.SUBJECT,),
        "from": (Place.SENDER,),
        "sender": (Place.SENDER,),
        "to": (Place.RECIPIENT,),
        "cc": (Place.RECIPIENT,),
        "bcc": (Place.RECIPIENT,),
        "recipients": (Place.RECIPIENT,),
        "participants": (Place.SENDER, Place.RECIPIENT),
        "body": (Place.ANYWHERE,),
    }
)
_DATES = frozenset(("received", "sent"))
_UNKNOWN = frozenset(
    (
        "attachment",
        "attachmentnames",
        "category",
        "date",
        "folderid",
        "hasattachment",
        "hasattachments",
        "importance",
        "isflagged",
        "isread",
        "itemclass",
        "kind",
        "size",
        "type",
    )
)
_QUOTES = str.maketrans("\u201c\u201d\u201e\u00ab\u00bb", '"""""')
_WORDS = re.compile(r'"([^"]*)"?|([^\s"]+)')
_TOKEN = re.compile(r'([()])|"([^"]*)"?|([A-Za-z]+)(<>|<=|>=|[:=<>])\s*|([-+])(?=[^\s)])|([^\s()"]+)')
_END = re.compile(r'[\s()"]|\Z')
_EVERYWHERE = (Place.ANYWHERE,)


class TooComplex(ValueError):
    """More is asked for than can be looked for at once."""


class Unreadable(ValueError):
    """What is asked for makes no sense, or cannot be known."""


def free_text(text: str) -> tuple[tuple[Phrase, ...], ...]:
    """The clauses that words and phrases make.

    @raise TooComplex: it is too long.
    """
    _check(text)
    found = list(_WORDS.finditer(text.translate(_QUOTES)))
    clauses = []
    for place, match in enumerate(found, 1):
        clauses += _phrase(match[2] or match[1] or "", match[2] is not None and place == len(found))
    _check_count(clauses)
    return tuple((phrase,) for phrase in clauses)


def keywords(text: str, now: int) -> Sought:
    """What a query in the Keyword Query Language asks for; C{now} in seconds since the epoch.

    @raise TooComplex: and L{Unreadable}.
    """
    _check(text)
    meaning = _Parser(list(_tokens(text.translate(_QUOTES))), now).parse()
    clauses, without = [], []
    for clause in meaning.clauses:
        if not any(literal.negated for literal in clause):
            clauses.append(tuple(literal.phrase for literal in clause))
        elif len(clause) == 1:
            without.append(clause[0].phrase)
        else:
            raise TooComplex("alternatives of which one is that something is not there")
    return Sought(tuple(clauses), tuple(without), since=meaning.since, until=meaning.until)


def _check(text: str) -> None:
    if len(text) > MAX_TEXT:
        raise TooComplex(f"more than {MAX_TEXT} characters")


def _check_count(clauses: Iterable[object]) -> None:
    if sum(1 for _ in clauses) > MAX_PHRASES:
        raise TooComplex(f"more than {MAX_PHRASES} words")


def _phrase(text: str, last: bool) -> list[Phrase]:
    """A phrase, or none for nothing but asterisks."""
    bare = text.rstrip("*")
    open_ended = last or bare != text
    return [Phrase(bare, prefix=open_ended and len(bare.strip()) > 1)] if bare.strip() else []


@frozen
class _Literal:
    phrase: Phrase
    negated: bool = False


Clauses = tuple[tuple[_Literal, ...], ...]


@frozen
class _Meaning:
    """What a part of a query means: all of the clauses, of each one literal, and a span of time."""

    clauses: Clauses = ()
    since: int | None = None
    until: int | None = None

    def __and__(self, other: _Meaning) -> _Meaning:
        clauses = self.clauses + other.clauses
        _check_count(clauses)
        since = [time for time in (self.since, other.since) if time is not None]
        until = [time for time in (self.until, other.until) if time is not None]
        return _Meaning(clauses, max(since, default=None), min(until, default=None))

    def __or__(self, other: _Meaning) -> _Meaning:
        self._check_timeless()
        other._check_timeless()
        if len(self.clauses) * len(other.clauses) > MAX_PHRASES:
            raise TooComplex("too many alternatives")
        return _Meaning(tuple(one + two for one, two in product(self.clauses, other.clauses)))

    def __invert__(self) -> _Meaning:
        self._check_timeless()
        opposites = [
            _Meaning(tuple((evolve(literal, negated=not literal.negated),) for literal in clause))
            for clause in self.clauses
        ]
        return reduce(_Meaning.__or__, opposites) if opposites else self

    def _check_timeless(self) -> None:
        if self.since is not None or self.until is not None:
            raise TooComplex("a date among alternatives")


@frozen
class _Token:
    """C{kind} is one of C{( ) - + AND OR NOT}, C{property}, C{word}, C{quoted}."""

    kind: str
    text: str = ""
    operator: str = ""


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while found := _TOKEN.search(text, at):
        at = found.end()
        bracket, quoted, name, operator, sign, word = found.groups()
        if name is not None and name.lower() not in _PLACES.keys() | _DATES | _UNKNOWN:
            # No property, but a word with a colon in it, such as an address in the web.
            end = _END.search(text, found.start())
            at = end.start() if end else len(text)
            yield _Token("word", text[found.start() : at])
        elif name is not None:
            yield _Token("property", name.lower(), operator)
        elif word is not None:
            yield _Token(word if word in ("AND", "OR", "NOT") else "word", word)
        else:
            yield _Token("quoted", quoted) if quoted is not None else _Token(bracket or sign)


@define(eq=False)
class _Parser:
    """Reads tokens; what stands in the wrong place is passed over."""

    tokens: list[_Token]
    now: int
    _at: int = field(default=0, init=False)
    _depth: int = field(default=0, init=False)

    def parse(self) -> _Meaning:
        meaning = _Meaning()
        while self._at < len(self.tokens):
            meaning &= self._alternatives(_EVERYWHERE)
            self._accept(")")
        return meaning

    def _accept(self, *kinds: str) -> _Token | None:
        if self._at < len(self.tokens) and self.tokens[self._at].kind in kinds:
            self._at += 1
            return self.tokens[self._at - 1]
        return None

    def _alternatives(self, places: tuple[Place, ...]) -> _Meaning:
        found = [self._all(places)]
        while self._accept("OR"):
            found.append(self._all(places))
        said = [meaning for meaning in found if meaning != _Meaning()]
        return reduce(_Meaning.__or__, said) if said else _Meaning()

    def _all(self, places: tuple[Place, ...]) -> _Meaning:
        meaning = _Meaning()
        while self._at < len(self.tokens) and self.tokens[self._at].kind not in ("OR", ")"):
            meaning &= self._one(places)
        return meaning

    def _one(self, places: tuple[Place, ...]) -> _Meaning:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TooComplex("too many parentheses")
        try:
            return self._read(places)
        finally:
            self._depth -= 1

    def _read(self, places: tuple[Place, ...]) -> _Meaning:
        if self._accept("NOT", "-"):
            return ~self._one(places) if self._more() else _Meaning()
        if self._accept("AND", "+"):
            return _Meaning()
        if self._accept("("):
            meaning = self._alternatives(places)
            self._accept(")")
            return meaning
        named = self._accept("property")
        if named is not None:
            return self._property(named)
        token = self._accept("word", "quoted")
        assert token is not None
        last = token.kind == "word" and self._at == len(self.tokens)
        return self._clause(_phrase(token.text, last), places)

    def _more(self) -> bool:
        return self._at < len(self.tokens) and self.tokens[self._at].kind not in ("OR", ")")

    def _property(self, named: _Token) -> _Meaning:
        if named.text in _UNKNOWN:
            raise Unreadable(f"nothing is known of {named.text}")
        if named.text in _DATES:
            return self._date(named.operator)
        if named.operator not in (":", "=", "<>"):
            raise Unreadable(f"{named.operator} is no comparison for words")
        meaning = self._one(_PLACES[named.text]) if self._more() else _Meaning()
        return ~meaning if named.operator == "<>" else meaning

    def _date(self, operator: str) -> _Meaning:
        token = self._accept("word", "quoted")
        try:
            since, until = span_of(operator, "" if token is None else token.text, self.now)
        except BadDate as error:
            raise Unreadable(str(error)) from error
        return _Meaning(since=since, until=until)

    def _clause(self, phrases: Iterable[Phrase], places: tuple[Place, ...]) -> _Meaning:
        return _Meaning(tuple(tuple(_Literal(evolve(phrase, place=place)) for place in places) for phrase in phrases))
