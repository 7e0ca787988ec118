"""The words of mails in FTS5, the full text index of SQLite (https://www.sqlite.org/fts5.html).

A document is packed into C{search_document.words} as well: FTS5 keeps no texts, and wants to be told again what it
has to forget.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, TextClause, text

from gateway.index import Place
from gateway.store.entries import Entry, Term, Terms
from gateway.store.words import key_of

_PUT = "INSERT INTO search_words (rowid, subject, sender, recipients, body, marks) VALUES (?, ?, ?, ?, ?, ?)"
_TAKE = (
    "INSERT INTO search_words (search_words, rowid, subject, sender, recipients, body, marks)"
    " VALUES ('delete', ?, ?, ?, ?, ?, ?)"
)
_NAMES = {Place.SUBJECT: "subject", Place.SENDER: "sender", Place.RECIPIENT: "recipients"}

HITS: TextClause = text(
    "SELECT rowid AS number FROM search_words WHERE search_words MATCH :query AND rowid BETWEEN :low AND :high"
    " ORDER BY rowid DESC LIMIT :most"
)
"""The numbers of what was found, the highest first."""


def packed(owner: int, entry: Entry) -> bytes:
    """What is kept of a document."""
    return zlib.compress("\n".join(_lines(entry)).encode(), 1)


def _lines(entry: Entry) -> list[str]:
    return [*(" ".join(found) for found in entry.texts), " ".join(entry.marks)]


def put(connection: Connection, entries: Iterable[tuple[int, Entry]]) -> None:
    """Put documents into the index, each with its owner."""
    rows = [(entry.number, *_columns(owner, _lines(entry))) for owner, entry in entries]
    if rows:
        connection.exec_driver_sql(_PUT, rows)


def take(connection: Connection, documents: Iterable[Row[Any]]) -> None:
    """Take documents out of the index, given by their rows."""
    rows = [(row.number, *_columns(row.owner, _unpacked(row.words))) for row in documents]
    if rows:
        connection.exec_driver_sql(_TAKE, rows)


def _unpacked(words: bytes) -> list[str]:
    return zlib.decompress(words).decode().split("\n")


def _columns(owner: int, lines: Sequence[str]) -> Iterator[str]:
    """The columns of a document; every word with what the words of this user begin with."""
    *texts, marks = lines
    key = key_of(owner)
    for found in texts:
        yield " ".join(f"{key}w{word}" for word in found.split())
    yield " ".join(f"{key}{mark}" for mark in marks.split())


def query(owner: int, terms: Terms) -> str:
    """What is looked for in the language of FTS5; the words are quoted, and have nothing but letters and digits."""
    key = key_of(owner)
    needed = " AND ".join(_any(key, clause) for clause in terms.needed)
    return f"({needed}) NOT {_any(key, terms.without)}" if terms.without else needed


def _any(key: str, terms: Sequence[Term]) -> str:
    return "(" + " OR ".join(_phrase(key, term) for term in terms) + ")"


def _phrase(key: str, term: Term) -> str:
    kind = "" if term.mark else "w"
    place = f"{_NAMES[term.place]} : " if term.place in _NAMES else ""
    words = " ".join(f"{key}{kind}{word}" for word in term.words)
    return f'{place}"{words}"' + (" *" if term.prefix else "")
