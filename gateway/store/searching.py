"""The store as L{ISearchIndex}."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from attrs import define, evolve
from sqlalchemy import BigInteger, Connection, Executable, Select, TextClause, bindparam, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from twisted.internet.defer import Deferred
from zope.interface import implementer

import gateway.store.backlog as backlog
import gateway.store.words_postgresql as words_postgresql
import gateway.store.words_sqlite as words_sqlite
from gateway.index import MOST, Cursor, Document, Matches, Portion, Sought
from gateway.interfaces import ISearchIndex, TooSlow
from gateway.store.database import Database
from gateway.store.entries import Entry, entry_of, span_of, terms_of
from gateway.store.rows import chunks, live
from gateway.store.schema import folder, item
from gateway.store.schema_search import cursor, document

PATIENCE = 5.0
"""Seconds that a search may take."""

# How frequent a word is decides which way is quick; and the planner does not know that to read all the words of a
# document takes far longer than to read its row.
_SETTINGS = ("plan_cache_mode = force_custom_plan", "enable_seqscan = off")

_HOME = select(folder.c.id).where(folder.c.user == bindparam("the_user"), folder.c.path.is_(None))
_HOMES = select(folder.c.user, folder.c.id).where(
    folder.c.user.in_(bindparam("users", expanding=True)), folder.c.path.is_(None)
)
_NUMBERS = select(document.c.number).where(document.c.number.in_(bindparam("numbers", expanding=True)))
_KNOWN = select(document.c.item).where(document.c.item.in_(bindparam("items", expanding=True)))
_DOCUMENTS = select(document.c.number, document.c.owner, document.c.words).where(
    document.c.item.in_(bindparam("items", expanding=True))
)
_TAKE = delete(document).where(document.c.item.in_(bindparam("items", expanding=True)))
_PUT = insert(document)
_FORGET = delete(cursor).where(cursor.c.folder == bindparam("the_folder"))


def _keeping(made: Any) -> Executable:
    """Keep how far folders are, for the Insert of a dialect."""
    columns = {name: made.excluded[name] for name in ("number", "floor_received", "floor_id")}
    statement: Executable = made.on_conflict_do_update(index_elements=[cursor.c.folder], set_=columns)
    return statement


_KEEP: Mapping[str, Executable] = MappingProxyType(
    {"sqlite": _keeping(sqlite.insert(cursor)), "postgresql": _keeping(postgresql.insert(cursor))}
)


def _items(hits: TextClause) -> Select[Any]:
    """The items of what was found, as far as they are still there, the newest first."""
    hit = hits.columns(number=BigInteger).subquery("hit")
    return (
        select(document.c.item)
        .select_from(
            hit.join(document, document.c.number == hit.c.number)
            .join(item, live(item.c.id == document.c.item))
            .join(folder, (folder.c.id == item.c.folder) & folder.c.removed.is_(None))
        )
        .order_by(hit.c.number.desc())
    )


_FOUND: Mapping[str, Select[Any]] = MappingProxyType(
    {"sqlite": _items(words_sqlite.HITS), "postgresql": _items(words_postgresql.HITS)}
)
_QUERY = MappingProxyType({"sqlite": words_sqlite.query, "postgresql": words_postgresql.query})


_Filled = tuple[Portion, Sequence[Entry]]


@implementer(ISearchIndex)
@define(eq=False)
class SearchIndex:
    """The index of the mails that one database knows.

    C{patience} is how many seconds a search may take, C{most} how many mails it finds, and C{scan} how many rows of the
    ledger are looked at for one portion.
    """

    database: Database
    patience: float = PATIENCE
    most: int = MOST
    scan: int = backlog.SCAN

    def behind(self, folders: Sequence[int] | None) -> Deferred[list[int]]:
        """See L{ISearchIndex}."""
        return self.database.read(backlog.behind, folders)

    def portions(self, folders: Sequence[int], most: int) -> Deferred[list[Portion | None]]:
        """See L{ISearchIndex}."""
        return self.database.read(backlog.portions, folders, most, self.scan)

    def put(self, done: Sequence[tuple[Portion, Sequence[Document]]]) -> Deferred[None]:
        """See L{ISearchIndex}."""
        return self.database.run(self._put, done)

    def _put(self, done: Sequence[tuple[Portion, Sequence[Document]]]) -> None:
        # Texts are taken apart before the database is asked, which then has others waiting.
        filled = [(one, [entry_of(one.id, document) for document in documents]) for one, documents in done]
        self.database.writing(False, _put, filled)

    def search(self, user: str, sought: Sought, offset: int, count: int) -> Deferred[Matches]:
        """See L{ISearchIndex}."""
        return self.database.read(self._search, user, sought).addCallback(_part, offset, count)

    def _search(self, connection: Connection, user: str, sought: Sought) -> Sequence[int]:
        owner = connection.execute(_HOME, {"the_user": user}).scalar_one_or_none()
        terms = terms_of(sought)
        low, high = span_of(sought)
        if owner is None or terms is None or low > high:
            return ()
        dialect = connection.dialect.name
        which = {"query": _QUERY[dialect](owner, terms), "low": low, "high": high, "most": self.most}
        with _limited(connection, self.patience):
            return connection.execute(_FOUND[dialect], which).scalars().all()


def _part(found: Sequence[int], offset: int, count: int) -> Matches:
    return Matches(tuple(found[offset : offset + count]), len(found))


def _put(connection: Connection, done: Sequence[_Filled]) -> None:
    _take(connection, [item for portion, _ in done for item in portion.gone])
    _add(connection, [(portion, entries) for portion, entries in done if portion.folder is not None])
    kept = [_kept(portion.id, portion.cursor) for portion, _ in done if portion.cursor is not None]
    if kept:
        connection.execute(_KEEP[connection.dialect.name], kept)
    for portion, _ in done:
        if portion.cursor is None and not portion.gone:
            connection.execute(_FORGET, {"the_folder": portion.id})


def _take(connection: Connection, items: Sequence[int]) -> None:
    for some in chunks(items):
        which = {"items": list(some)}
        if connection.dialect.name == "sqlite":
            words_sqlite.take(connection, connection.execute(_DOCUMENTS, which))
        connection.execute(_TAKE, which)


def _add(connection: Connection, done: Sequence[_Filled]) -> None:
    portions = {entry.item: portion for portion, entries in done for entry in entries}
    names = {item.id: item.name for portion, _ in done for item in portion.items}
    known = _known(connection, list(portions))
    entries = [entry for _, some in done for entry in some if entry.item not in known]
    owners = _owners(connection, entries, portions)
    new = [(owners[entry.item], entry) for entry in _numbered(connection, entries) if entry.item in owners]
    if not new:
        return
    on_sqlite = connection.dialect.name == "sqlite"
    pack: Callable[[int, Entry], Any] = words_sqlite.packed if on_sqlite else words_postgresql.vector
    columns = [
        {
            "number": one.number,
            "item": one.item,
            "name": names.get(one.item, ""),
            "words": pack(owner, one),
            "folder": portions[one.item].id,
            "owner": owner,
        }
        for owner, one in new
    ]
    connection.execute(_PUT, columns)
    if on_sqlite:
        words_sqlite.put(connection, new)


def _known(connection: Connection, items: Sequence[int]) -> set[int]:
    return set(connection.execute(_KNOWN, {"items": items}).scalars()) if items else set()


def _owners(connection: Connection, entries: Iterable[Entry], portions: Mapping[int, Portion]) -> dict[int, int]:
    """The hierarchies to which items belong; nothing of those of users that are gone."""
    users = {entry.item: here.user for entry in entries if (here := portions[entry.item].folder) is not None}
    if not users:
        return {}
    rows = connection.execute(_HOMES, {"users": sorted(set(users.values()))})
    homes = {user: id for user, id in rows}
    return {item: homes[user] for item, user in users.items() if user in homes}


def _numbered(connection: Connection, entries: Sequence[Entry]) -> list[Entry]:
    """The entries with numbers that are free. After a thousand million mails two of one second may want the same."""
    taken = _taken(connection, [entry.number for entry in entries])
    placed: dict[int, Entry] = {}
    for entry in entries:
        number = entry.number
        while number in placed or number in taken:
            number += 1
            taken |= _taken(connection, [number])
        placed[number] = evolve(entry, number=number)
    return list(placed.values())


def _taken(connection: Connection, numbers: Sequence[int]) -> set[int]:
    return set(connection.execute(_NUMBERS, {"numbers": numbers}).scalars()) if numbers else set()


def _kept(folder_id: int, at: Cursor) -> dict[str, int | None]:
    received, id = at.floor or (None, None)
    return {"folder": folder_id, "number": at.number, "floor_received": received, "floor_id": id}


@contextmanager
def _limited(connection: Connection, seconds: float) -> Iterator[None]:
    """Let statements fail that take longer. Raises L{TooSlow}."""
    try:
        if connection.dialect.name == "sqlite":
            with _interrupted(connection.connection.dbapi_connection, time.monotonic() + seconds):
                yield
        else:
            for setting in (*_SETTINGS, f"statement_timeout = {max(1, int(seconds * 1000))}"):
                connection.exec_driver_sql(f"SET LOCAL {setting}")
            yield
    except OperationalError as error:
        if _was_too_slow(error):
            raise TooSlow(f"a search took longer than {seconds} s") from error
        raise


@contextmanager
def _interrupted(connection: Any, deadline: float) -> Iterator[None]:
    # Not seldom, for FTS5 counts a page that it has read as a few instructions only.
    connection.set_progress_handler(lambda: int(time.monotonic() >= deadline), 100)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


def _was_too_slow(error: OperationalError) -> bool:
    """SQLITE_INTERRUPT, or query_canceled (57014)."""
    return getattr(error.orig, "sqlite_errorname", "") == "SQLITE_INTERRUPT" or getattr(error.orig, "sqlstate", "") == (
        "57014"
    )
