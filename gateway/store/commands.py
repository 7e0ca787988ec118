"""What a client asks for in a Sync: changes and deletions of items, and who has to be told of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import Factory, evolve, field, frozen, mutable
from sqlalchemy import Connection, Row, bindparam, insert, select, update

from gateway.model import Amend, Change, Create, Intent, IntentKind, Remove, Result
from gateway.store.intents import write_intents
from gateway.store.keys import Position, Told
from gateway.store.moving import NOTHING, free_names
from gateway.store.rows import next_numbers, possible, write_changes
from gateway.store.schema import item

CONFLICT = 7
NOT_FOUND = 8

SUCCESS = 1

Command = Amend | Create | Remove

# The marks in item.touched beside the letters of the state and the keys of what is kept beside them.
REMOVAL = "-"
CONTENT = "content"


@frozen
class Executed:
    """What came of the commands of one request; C{head} is the folder's highest number afterwards, C{said} what is
    kept of the commands (see L{spelled})."""

    head: int
    results: tuple[Result, ...] = ()
    intents: tuple[Intent, ...] = ()
    changes: tuple[Change, ...] = ()
    said: Mapping[str, Any] = field(factory=dict)


def spelled(commands: Sequence[Command]) -> dict[str, Any]:
    """The commands by item in a form that can be kept and compared: the key is the item's id as text.

    What was created is kept by what the client calls it, behind a plus sign: its name, and its id.
    """
    by_item: dict[str, Any] = {}
    for command in commands:
        if isinstance(command, Create):
            continue
        if isinstance(command, Amend):
            extra = None if command.extra is None else dict(command.extra)
            words: list[Any] = ["amend", command.add, command.remove, extra, *filter(None, [command.name])]
        else:
            words = ["remove"]
        by_item.setdefault(str(command.item), []).append(words)
    return by_item


_DISOWN = (
    update(item)
    .where(
        item.c.folder == bindparam("the_folder"),
        item.c.number > bindparam("the_head"),
        item.c.device == bindparam("the_owner"),
        item.c.id.not_in(bindparam("again", expanding=True)),
    )
    .values(device=None)
)


def disown(connection: Connection, folder: int, owner: int, head: int, again: Sequence[int]) -> None:
    """The answer to the commands that made rows above C{head} was lost and the client asks for something else.

    It may have given them up, so that it no longer holds their results; only the items in C{again}, for which it
    repeats its commands to the letter, remain its own.
    """
    given = {"the_folder": folder, "the_owner": owner, "the_head": head, "again": list(again)}
    connection.execute(_DISOWN, given)


@mutable(eq=False)
class _Draft:
    """An item while the commands of a request work on it; it is written once, at the end."""

    row: Row[Any]
    owner: int
    informed: bool
    letters: set[str] = Factory(lambda self: set(self.row.state), takes_self=True)
    extra: dict[str, Any] = Factory(lambda self: dict(self.row.extra or {}), takes_self=True)
    touched: dict[str, Any] = Factory(lambda self: dict(self.row.touched or {}), takes_self=True)
    fields: set[str] = field(factory=set)
    name: str = ""
    told: bool = False
    gone: bool = Factory(lambda self: self.row.removed is not None, takes_self=True)

    def amend(self, command: Amend, number: int, client_wins: bool) -> int:
        """Set and clear letters, and what is kept beside them; 0 or the Status that tells the client why not.

        It is a conflict (rule 6) when somebody else has changed the same field since C{number}. A field that is
        as the client wants it is not touched, whoever made it so.
        """
        if self.gone:
            return NOT_FOUND
        letters = (self.letters | set(command.add)) - set(command.remove)
        extra = dict(self.extra if command.extra is None else command.extra)
        fields = letters ^ self.letters
        if "F" not in letters and command.extra is None:
            extra.pop("flag", None)
        fields |= {key for key in extra.keys() | self.extra.keys() if extra.get(key) != self.extra.get(key)}
        if command.name and command.name != (self.name or self.row.name):
            fields.add(CONTENT)
        if not client_wins and any(self._foreign(name, number) for name in fields):
            return CONFLICT
        self.letters, self.extra = letters, extra
        self.fields |= fields
        if CONTENT in fields:
            self.name, self.told = command.name, self.told or command.told
        return 0

    def remove(self) -> int:
        """Delete, which wins over everything; doing it twice is no failure for the device that did it."""
        if not self.gone:
            self.gone = True
            self.fields.add(REMOVAL)
            return 0
        _, remover = self.touched.get(REMOVAL, (0, None))
        return 0 if REMOVAL in self.fields or remover == self.owner else NOT_FOUND

    def _foreign(self, name: str, number: int) -> bool:
        at, by = self.touched.get(name, (0, None))
        return name not in self.fields and at > number and by != self.owner

    @property
    def state(self) -> str:
        return "".join(sorted(self.letters))

    @property
    def renamed(self) -> bool:
        """Whether it has another content, and is still there."""
        return bool(self.name) and REMOVAL not in self.fields

    def change(self, number: int, now: int) -> dict[str, Any]:
        """The row as it is to be written.

        The device is named (rule 3) if it holds the result exactly: it had been told the state that its change was
        made on; and what it deleted, it does not hold, whatever that was like.
        """
        removed = REMOVAL in self.fields
        touched = {} if removed else self.touched
        owner = None if self.told else self.owner
        touched.update((name, [number, owner]) for name in ([REMOVAL] if removed else self.fields))
        return {
            "id": self.row.id,
            "state": self.state,
            "extra": self.extra or None,
            "number": number,
            "removed": now if removed else None,
            "device": self.owner if (self.informed and not self.told) or removed else None,
            "touched": touched,
        }


_ITEMS = select(item).where(item.c.folder == bindparam("the_folder"), item.c.id.in_(bindparam("ids", expanding=True)))


_CREATE = insert(item).returning(item.c.id)
_RENAME = update(item).where(item.c.id == bindparam("the_id")).values(name=bindparam("new_name"))


@mutable(eq=False)
class _Making:
    """What came of creating items."""

    results: list[Result] = field(factory=list)
    intents: list[Intent] = field(factory=list)
    changes: list[Change] = field(factory=list)
    said: dict[str, Any] = field(factory=dict)

    def added_to(self, executed: Executed) -> Executed:
        """The same with what was done to other items, which comes after it."""
        heads = {change.folder: change for change in (*self.changes, *executed.changes)}
        return Executed(
            max(executed.head, *(change.version for change in self.changes), 0),
            (*executed.results, *self.results),
            (*self.intents, *executed.intents),
            tuple(heads.values()),
            {**executed.said, **self.said},
        )


@frozen
class Desk:
    """Where the commands of a request are executed: the locked rows of the folder and of the one for deletions.

    C{known} is what was kept of commands whose answer was lost: what was created by them is not created again.
    """

    connection: Connection
    here: Row[Any]
    trash: Row[Any] | None
    owner: int
    told: Told
    now: int
    known: Mapping[str, Any] = field(factory=dict)

    def execute(self, commands: Sequence[Command], client_wins: bool) -> Executed:
        """Carry the commands out in the ledger and note down what the source has to do."""
        amended = [command for command in commands if not isinstance(command, Create)]
        ids = possible(command.item for command in amended)
        rows = self.connection.execute(_ITEMS, {"the_folder": self.here.id, "ids": ids}).all()
        drafts = {row.id: _Draft(row, self.owner, self._informed(row)) for row in rows}
        results, created = [], []
        for index, command in enumerate(commands):
            if isinstance(command, Create):
                created.append((index, command))
                continue
            status = self._one(drafts.get(command.item), command, client_wins)
            if status:
                results.append(Result(index, status))
        making = self._made(created)
        written = self._write([draft for draft in drafts.values() if draft.fields], tuple(results))
        executed = evolve(written, said=spelled(commands))
        return making.added_to(executed) if created else executed

    def _made(self, created: Sequence[tuple[int, Create]]) -> _Making:
        """The items that are created appear; the device that creates them holds them."""
        making = _Making()
        for index, command in created:
            words = self.known.get(f"+{command.client}")
            id = words[1] if words and words[0] == command.name and self._is_there(words[1]) else 0
            if not id:
                head = next_numbers(self.connection, self.here.id, 1)
                id = self._insert(command, head)
                making.changes = [Change(self.here.id, head)]
                to = {"to_folder": self.here.id, "to_path": self.here.path, "to_name": command.name}
                wish = self._wish(IntentKind.FILL, command.name, **to, letters_set=command.state)
                making.intents += write_intents(self.connection, [wish])
            making.results.append(Result(index, SUCCESS, id))
            making.said[f"+{command.client}"] = [command.name, id]
        return making

    def _is_there(self, id: int) -> bool:
        rows = self.connection.execute(_ITEMS, {"the_folder": self.here.id, "ids": [id]}).all()
        return any(row.removed is None for row in rows)

    def _insert(self, command: Create, number: int) -> int:
        row = {
            "folder": self.here.id,
            "name": command.name,
            "state": "".join(sorted(set(command.state))),
            "extra": dict(command.extra) if command.extra else None,
            "received": self.now,
            "number": number,
            "added": number,
            "device": self.owner,
        }
        return int(self.connection.execute(_CREATE, row).scalar_one())

    def _one(self, draft: _Draft | None, command: Amend | Remove, client_wins: bool) -> int:
        if draft is None:
            return NOT_FOUND
        if isinstance(command, Remove):
            return draft.remove()
        return draft.amend(command, self.told.number, client_wins)

    def _informed(self, row: Row[Any]) -> bool:
        """Whether the device holds the item as it stands in the ledger."""
        told = self.told
        held = row.added <= told.added and Position(row.received, row.id) >= told.floor
        return held and (row.number <= told.number or row.device == self.owner)

    def _write(self, drafts: Sequence[_Draft], results: tuple[Result, ...]) -> Executed:
        if not drafts:
            return Executed(self.here.head, results)
        head = next_numbers(self.connection, self.here.id, len(drafts))
        first = head - len(drafts) + 1
        write_changes(self.connection, [draft.change(first + n, self.now) for n, draft in enumerate(drafts)])
        renamed = [{"the_id": draft.row.id, "new_name": draft.name} for draft in drafts if draft.renamed]
        if renamed:
            self.connection.execute(_RENAME, renamed)
        changes = [Change(self.here.id, head)]
        names: Mapping[int, str] = {}
        gone = [draft for draft in drafts if REMOVAL in draft.fields]
        if gone and self.trash is not None and self.trash.id != self.here.id:
            names = free_names(self.connection, self.trash.id, {draft.row.id: draft.row.name for draft in gone})
            changes.append(self._move(self.trash.id, gone, names))
        todo = [wish for draft in drafts for wish in self._wishes(draft, names.get(draft.row.id))]
        return Executed(head, results, write_intents(self.connection, todo), tuple(changes))

    def _move(self, trash: int, gone: Sequence[_Draft], names: Mapping[int, str]) -> Change:
        """The items appear in the trash, as news to every device: the one that deleted them does not have them."""
        head = next_numbers(self.connection, trash, len(gone))
        first = head - len(gone) + 1
        rows = [
            {
                "folder": trash,
                "name": names[draft.row.id],
                "state": draft.state,
                "extra": draft.extra or None,
                "received": draft.row.received,
                "number": first + n,
                "added": first + n,
            }
            for n, draft in enumerate(gone)
        ]
        self.connection.execute(insert(item), rows)
        return Change(trash, head)

    def _wishes(self, draft: _Draft, moved: str | None) -> Iterator[dict[str, Any]]:
        """What the source has to do for one item, in order; C{moved} is its name in the trash."""
        before, gone = set(draft.row.state), REMOVAL in draft.fields
        name = draft.row.name
        if draft.renamed:
            to = {"to_folder": self.here.id, "to_path": self.here.path, "to_name": draft.name}
            yield self._wish(IntentKind.FILL, draft.name, **to, letters_set=draft.state)
            yield self._wish(IntentKind.DELETE, name)
            return
        if draft.letters != before and (moved or not gone):
            add, clear = sorted(draft.letters - before), sorted(before - draft.letters)
            letters = {"letters_set": "".join(add), "letters_cleared": "".join(clear)}
            yield self._wish(IntentKind.FLAGS, name, **letters)
        if gone and moved and self.trash is not None:
            to = {"to_folder": self.trash.id, "to_path": self.trash.path, "to_name": moved}
            yield self._wish(IntentKind.MOVE, name, **to)
        elif gone:
            yield self._wish(IntentKind.DELETE, name)

    def _wish(self, kind: IntentKind, name: str, **more: Any) -> dict[str, Any]:
        here = {"user": self.here.user, "folder": self.here.id, "path": self.here.path, "name": name}
        return {"kind": kind.value, **here, **NOTHING, **more}
