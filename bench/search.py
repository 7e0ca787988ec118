"""Searching a mailbox of 100,000 mails, on SQLite and, where it is installed, on PostgreSQL.

The mails are made of words as people use them: few very often, most hardly ever.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import accumulate
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from attrs import define, evolve, field
from sqlalchemy import text
from twisted.internet.defer import execute

from bench.gateway import progress, report
from gateway.convert.searchable import document
from gateway.index import Document, Matches, Phrase, Place, Sought
from gateway.model import FolderType, Found, FoundFolder, Item
from gateway.service.indexing import MAILS
from gateway.store import Store, open_store
from tests.postgresql import cluster, missing
from tests.stores import result_of

MAILBOX = 100_000
CONVERTED = 1000
TIMES = 20
SPACING = 300
FOLDERS = (
    FoundFolder("", "Inbox", FolderType.INBOX),
    FoundFolder(".Archive", "Archive", FolderType.USER_MAIL),
    FoundFolder(".Sent", "Sent Items", FolderType.SENT),
)
_LETTERS = "etaoinsrhldcumfpgwybvkxjqz"


def _word(number: int) -> str:
    """The word of that rank; the most frequent ones are the shortest."""
    found = ""
    number += len(_LETTERS)
    while number:
        number, letter = divmod(number, len(_LETTERS))
        found += _LETTERS[letter]
    return found


@define(eq=False)
class Writer:
    """Makes mails: 20 to 400 words out of 60,000, by Zipf's law."""

    random: Random = field(factory=lambda: Random(1))
    words: list[str] = field(factory=lambda: [_word(number) for number in range(60_000)])
    weights: list[float] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.weights = list(accumulate(1 / (rank + 2) for rank in range(len(self.words))))

    def texts(self) -> tuple[str, str]:
        """A subject and a text."""
        length = self.random.choice((20, 60, 120, 200, 400))
        found = self.random.choices(self.words, cum_weights=self.weights, k=length)
        return " ".join(found[:5]), " ".join(found)

    def document(self, item: Item) -> Document:
        """A mail for the index."""
        subject, said = self.texts()
        sender = f"{self.words[item.id % 997]} <p{item.id % 997}@example.org>"
        return Document(item.id, item.received, subject, sender, "Ann <ann@example.org>", said, item.id.to_bytes(16))

    def mail(self) -> bytes:
        """A mail as it is stored, with HTML beside the text."""
        subject, said = self.texts()
        return (
            f"From: Bob <bob@example.org>\r\nTo: Ann <ann@example.org>\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
            'Content-Type: multipart/alternative; boundary="-b-"\r\n\r\n---b-\r\nContent-Type: text/plain\r\n\r\n'
            f"{said}\r\n---b-\r\nContent-Type: text/html\r\n\r\n<p>{said}</p>\r\n---b---\r\n"
        ).encode()


def fill(store: Store, writer: Writer, mails: int) -> dict[str, float]:
    """Record mails, one every few minutes, and put them into the index as the indexer does; what that takes."""
    folders, _ = result_of(store.record_hierarchy("ann", FOLDERS))
    now = int(time.time())
    for place, folder in enumerate(folders):
        mine = range(place, mails, len(folders))
        for first in range(0, len(mine), 5000):
            found = [Found(f"m{n}", "", now - n * SPACING) for n in mine[first : first + 5000]]
            result_of(store.record({folder.id: (found, [])}))
    longest = spent = 0.0
    began, done = time.process_time(), 0
    for id in result_of(store.index.behind(None)):
        while (portion := result_of(store.index.portions([id], MAILS))[0]) is not None:
            documents = [writer.document(item) for item in portion.items]
            before = time.perf_counter()
            result_of(store.index.put([(portion, documents)]))
            took = time.perf_counter() - before
            longest, spent, done = max(longest, took), spent + took, done + len(documents)
            if done % 20_000 < len(documents):
                progress(f"{done} mails in the index")
    return {
        "put_ms_per_mail": round(spent / max(1, done) * 1000, 3),
        "longest_put_ms": round(longest * 1000, 1),
        "cpu_s": round(time.process_time() - began, 1),
    }


def queries(words: list[str], now: int, folder: int) -> Iterator[tuple[str, Sought]]:
    """What is measured, by name."""

    def said(*texts: str, **more: Any) -> Sought:
        return Sought(tuple((Phrase(text, **more),) for text in texts))

    yield "frequent", said(words[0])
    yield "common", said(words[200])
    yield "rare", said(words[50_000])
    yield "absent", said("zzzzzzzzzz")
    yield "two_frequent", said(words[0], words[1])
    yield "frequent_and_rare", said(words[0], words[20_000])
    yield "phrase", said(f"{words[0]} {words[1]}")
    yield "prefix_2", said(words[300][:2], prefix=True)
    yield "prefix_3", said(words[30_000][:3], prefix=True)
    yield "subject", said(words[0], place=Place.SUBJECT)
    yield "sender", said("p77", place=Place.SENDER)
    yield "without", evolve(said(words[10]), without=(Phrase(words[0]),))
    yield "folder", evolve(said(words[0]), folders=(folder,))
    yield "old", evolve(said(words[0]), until=now - 95_000 * SPACING)
    yield "week", evolve(said(words[0]), since=now - 50_000 * SPACING, until=now - 50_000 * SPACING + 7 * 86400)
    yield "all_of_a_month", Sought(since=now - 60_000 * SPACING, until=now - 60_000 * SPACING + 30 * 86400)
    yield "conversation", Sought(conversation=(4711).to_bytes(16))


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Milliseconds of a search, the middle and the worst of some."""
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    taken.sort()
    return {"median": round(taken[TIMES // 2], 2), "worst": round(taken[-1], 2)}


def measure(url: str, mails: int, size: Callable[[Store], int]) -> dict[str, Any]:
    """The figures of one database."""
    store = open_store(url, execute)
    writer = Writer()
    figures: dict[str, Any] = fill(store, writer, mails)
    figures["bytes_per_mail"] = round(size(store) / mails)
    folders = result_of(store.folders("ann"))
    now = int(time.time())
    found = {}
    for name, sought in queries(writer.words, now, folders[-1].id):
        ask = partial(_total, store, sought)
        found[name] = {**timed(ask), "total": ask()}
        progress(f"{name}: {found[name]}")
    store.close()
    return {**figures, "search_ms": found, "slowest_ms": max(each["median"] for each in found.values())}


def _total(store: Store, sought: Sought) -> int:
    """Search, and say how many there are."""
    matches: Matches = result_of(store.index.search("ann", sought, 0, 100))
    return matches.total


def conversion() -> float:
    """CPU milliseconds to take what can be searched out of a mail."""
    writer = Writer()
    raws = [writer.mail() for _ in range(CONVERTED)]
    began = time.process_time()
    for number, raw in enumerate(raws, 1):
        document(raw, Item(number, 1, "m", "", 0, number))
    return (time.process_time() - began) / CONVERTED * 1000


def main(mails: int = MAILBOX) -> None:
    """Measure and print the line."""
    figures: dict[str, Any] = {"mails": mails, "document_cpu_ms": round(conversion(), 2)}
    with TemporaryDirectory(prefix="pushgw-search-") as name:
        path = Path(name) / "bench.sqlite"
        progress("SQLite")

        def size(store: Store) -> int:
            with store.database.engine.connect() as connection:
                rows = connection.execute(text("SELECT sum(pgsize) FROM dbstat WHERE name LIKE 'search%'"))
                return int(rows.scalar_one())

        figures["sqlite"] = measure(f"sqlite:///{path}", mails, size)
    if missing() is None:
        progress("PostgreSQL")

        def occupied(store: Store) -> int:
            with store.database.engine.connect() as connection:
                connection.execute(text("ANALYZE"))
                rows = connection.execute(text("SELECT pg_total_relation_size('search_document')"))
                connection.commit()
                return int(rows.scalar_one())

        figures["postgresql"] = measure(cluster().url(cluster().database()), mails, occupied)
    report("search", **figures)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:2]))
