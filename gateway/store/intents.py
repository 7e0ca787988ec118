"""What the source has still to do to its files, kept until it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen
from sqlalchemy import Connection, Row, bindparam, delete, insert, or_, select

from gateway.model import Intent, IntentKind
from gateway.store.rows import chunks
from gateway.store.schema import intent

_WRITE = insert(intent).returning(intent.c.id, intent.c.kind, intent.c.name)
_PENDING = select(intent).order_by(intent.c.id)
_STRIKE = delete(intent).where(intent.c.id.in_(bindparam("ids", expanding=True)))
_UNSETTLED = select(intent.c.id).where(intent.c.folder == bindparam("home")).limit(1)
_WAITING = select(intent).where(
    or_(
        intent.c.folder.in_(bindparam("folders", expanding=True)),
        intent.c.to_folder.in_(bindparam("folders", expanding=True)),
    ),
)


def _intent(row: Row[Any] | Mapping[str, Any], id: int) -> Intent:
    values = row if isinstance(row, Mapping) else row._mapping
    return Intent(
        id=id,
        user=values["user"],
        kind=IntentKind(values["kind"]),
        path=values["path"],
        name=values["name"],
        add=values["letters_set"],
        remove=values["letters_cleared"],
        to=values["to_path"],
        to_name=values["to_name"],
    )


def write_intents(connection: Connection, rows: Sequence[dict[str, Any]]) -> tuple[Intent, ...]:
    """Keep the intents of one folder, given as the columns of their rows, at most one of a kind for a name."""
    if not rows:
        return ()
    ids = {(row.kind, row.name): row.id for row in connection.execute(_WRITE, list(rows))}
    return tuple(_intent(row, ids[row["kind"], row["name"]]) for row in rows)


def pending(connection: Connection) -> list[Intent]:
    """All intents in the order in which they are to be carried out."""
    return [_intent(row, row.id) for row in connection.execute(_PENDING)]


def done(connection: Connection, ids: Sequence[int]) -> None:
    """Strike intents out."""
    for some in chunks(list(ids)):
        connection.execute(_STRIKE, {"ids": list(some)})


def unsettled(connection: Connection, home: int) -> bool:
    """Whether folders of a hierarchy are still to be made, moved or removed."""
    return connection.execute(_UNSETTLED, {"home": home}).first() is not None


@frozen
class Waiting:
    """What is still to be done in one folder: the ledger is ahead of the files there.

    C{flags} are the letters to set and to clear by name, C{leaving} the names that are to vanish and C{coming}
    the names that are to appear.
    """

    flags: dict[str, list[tuple[str, str]]] = field(factory=dict)
    leaving: set[str] = field(factory=set)
    coming: set[str] = field(factory=set)

    def expected(self, name: str, state: str) -> str:
        """The state of a file once everything is done that is to be done to it."""
        letters = set(state)
        for add, remove in self.flags.get(name, ()):
            letters = (letters | set(add)) - set(remove)
        return "".join(sorted(letters))


def waiting(connection: Connection, folders: Sequence[int]) -> dict[int, Waiting]:
    """What is still to be done, by folder."""
    found = {folder: Waiting() for folder in folders}
    rows = connection.execute(_WAITING, {"folders": list(folders)}).all()
    for row in sorted(rows, key=lambda row: int(row.id)):
        here = found.get(row.folder)
        there = found.get(row.to_folder)
        if there is not None:
            there.coming.add(row.to_name)
        if here is None:
            continue
        if row.kind == IntentKind.FLAGS.value:
            here.flags.setdefault(row.name, []).append((row.letters_set, row.letters_cleared))
        else:
            here.leaving.add(row.name)
    return found
