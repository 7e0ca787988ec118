"""The words of mails in a C{tsvector} with a GIN index, the full text index of PostgreSQL.

Words of the subject and of addresses are there a second time, with a letter that says so, at the same places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from sqlalchemy import TextClause, text

from gateway.index import Place
from gateway.store.entries import COLUMNS, Entry, Term, Terms
from gateway.store.words import key_of

_LETTERS: Mapping[Place, str] = MappingProxyType(
    {Place.ANYWHERE: "w", Place.SUBJECT: "s", Place.SENDER: "f", Place.RECIPIENT: "t"}
)

#: Places between two texts, so that no phrase reaches from one into the other.
_GAP = 100
#: PostgreSQL keeps that many places of a word.
_PLACES = 255

HITS: TextClause = text(
    "SELECT number FROM search_document"
    " WHERE words @@ CAST(:query AS tsquery) AND number BETWEEN :low AND :high ORDER BY number DESC LIMIT :most"
)
"""The numbers of what was found, the highest first."""


def vector(owner: int, entry: Entry) -> str:
    """The words of a document as PostgreSQL reads a C{tsvector}; they have nothing but letters and digits."""
    key = key_of(owner)
    places: dict[str, list[int]] = {}
    at = 1
    for place, found in zip(COLUMNS, entry.texts, strict=True):
        for word in found:
            for letter in {"w", _LETTERS[place]}:
                places.setdefault(f"{letter}{word}", []).append(at)
            at += 1
        at += _GAP
    told = [f"'{key}{word}':{','.join(map(str, there[:_PLACES]))}" for word, there in places.items()]
    return " ".join([*told, *(f"'{key}{mark}'" for mark in entry.marks)])


def query(owner: int, terms: Terms) -> str:
    """What is looked for as PostgreSQL reads a C{tsquery}."""
    key = key_of(owner)
    needed = " & ".join(_any(key, clause) for clause in terms.needed)
    return f"{needed} & !{_any(key, terms.without)}" if terms.without else needed


def _any(key: str, terms: Sequence[Term]) -> str:
    return "(" + " | ".join(_phrase(key, term) for term in terms) + ")"


def _phrase(key: str, term: Term) -> str:
    kind = "" if term.mark else _LETTERS[term.place]
    words = [f"'{key}{kind}{word}'" for word in term.words]
    if term.prefix:
        words[-1] += ":*"
    return "(" + " <-> ".join(words) + ")"
