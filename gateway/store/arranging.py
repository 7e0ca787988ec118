"""Changes of the hierarchy that a device asks for: written down before they are made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import evolve, frozen
from sqlalchemy import Connection, Row, bindparam, update

from gateway.arrangement import Arranged, Arrangement, Turn
from gateway.model import Folder, Intent, IntentKind, SyncOptions
from gateway.store.commands import disown
from gateway.store.hierarchy import INVALID_KEY, SUCCESS, Census, folders_by_path, home_of
from gateway.store.intents import write_intents
from gateway.store.keys import BOTTOM, HIERARCHY, Chain, Key, Said, Told, keep_next, key_counter, key_text, load_chain
from gateway.store.moving import NOTHING
from gateway.store.schema import folder

CHANGED = 0

# What the source knew of a folder's directories is void when they are others.
_MOVE = update(folder).where(folder.c.id == bindparam("the_id")).values(path=bindparam("to"), listed="")


def repeated(connection: Connection, epoch: str, turn: Turn) -> Arranged | None:
    """What was answered to the same command before, Status 9, or C{None} if it is to be executed."""
    home = home_of(connection, turn.device.user)
    chain = load_chain(connection, turn.device, home.id)
    return _answered(epoch, home, chain, turn)


def _base(epoch: str, home: Row[Any], chain: Chain, turn: Turn) -> Key | None:
    base = chain.find(key_counter(epoch, HIERARCHY, turn.key))
    return None if base is None or base.told.number < home.compacted else base


def _answered(epoch: str, home: Row[Any], chain: Chain, turn: Turn) -> Arranged | None:
    base, newest = _base(epoch, home, chain, turn), chain.newest
    if base is None or newest is None:
        return Arranged(INVALID_KEY)
    if newest is base or newest.digest != turn.digest:
        return None
    return Arranged(
        SUCCESS, key_text(epoch, HIERARCHY, newest.counter), newest.said.commands.get("folder", 0), replayed=True
    )


def arrange(connection: Connection, epoch: str, arrangement: Arrangement, turn: Turn | None, now: int) -> Arranged:
    """Write down an arrangement and what the source has to do; the device of the turn gets its next key."""
    home = home_of(connection, arrangement.user)
    chain = Chain() if turn is None else load_chain(connection, turn.device, home.id)
    answered = None if turn is None else _answered(epoch, home, chain, turn)
    if answered is not None:
        return answered
    known = folders_by_path(connection, arrangement.user)
    if known.keys() != arrangement.before:
        return Arranged(CHANGED)
    before = dict(known)
    base = None if turn is None else _base(epoch, home, chain, turn)
    if base is not None:
        _give_up(connection, home.id, chain, base)
    _move(connection, arrangement, known)
    found = {one.path: one for one in arrangement.found}
    own = frozenset() if turn is None else frozenset([arrangement.main])
    census = Census(connection, arrangement.user, home.id, found, known, chain.owner, own)
    changes = tuple(census.compare(now))
    there = census.known.get(arrangement.main) or before[arrangement.main]
    intents = _intents(connection, arrangement, home.id)
    if turn is None or base is None:
        return Arranged(SUCCESS, folder=there.id, intents=intents, changes=changes)
    head = changes[-1].version if changes else home.head
    key = _next(turn, base, home.head, head, census.differing <= own, there.id)
    counter = keep_next(connection, chain, base, key)
    return Arranged(SUCCESS, key_text(epoch, HIERARCHY, counter), there.id, intents, changes)


def _give_up(connection: Connection, home: int, chain: Chain, base: Key) -> None:
    """The answer to another command was lost: the device may not hold what that made."""
    newest = chain.newest
    if newest is not None and newest is not base and newest.said.commands and chain.owner is not None:
        disown(connection, home, chain.owner, base.head, ())


def _next(turn: Turn, base: Key, before: int, head: int, own: bool, folder_id: int) -> Key:
    """The key of the answer: the device lacks what it lacked before, its own doing left out."""
    told = base.told
    if own and told.number == told.added == before:
        told = Told(head, head, BOTTOM, False)
    return Key(0, 0, told, head, False, SyncOptions(), turn.digest, Said(commands={"folder": folder_id}))


def _move(connection: Connection, arrangement: Arrangement, known: dict[str, Folder]) -> None:
    moved = [(known.pop(path), to) for path, to in arrangement.moved]
    for one, to in moved:
        connection.execute(_MOVE, {"the_id": one.id, "to": to})
        known[to] = evolve(one, path=to, listed="")


def _intents(connection: Connection, arrangement: Arrangement, home: int) -> tuple[Intent, ...]:
    rows = []
    for wish in _wishes(arrangement):
        row = {"kind": wish.kind.value, "user": arrangement.user, "folder": home, "path": wish.path, "name": wish.path}
        rows.append({**row, **NOTHING, "to_path": wish.to})
    return write_intents(connection, rows)


@frozen
class _Wish:
    kind: IntentKind
    path: str
    to: str = ""


def _wishes(arrangement: Arrangement) -> Iterator[_Wish]:
    for path in arrangement.made:
        yield _Wish(IntentKind.MAKE_FOLDER, path)
    for path, to in arrangement.moved:
        yield _Wish(IntentKind.MOVE_FOLDER, path, to)
    for path in arrangement.removed:
        yield _Wish(IntentKind.REMOVE_FOLDER, path, path if arrangement.trash is None else arrangement.trash)
