"""Synchronisation keys: what they look like, what they stand for, and where they are kept.

A key is no number of the ledger (rule 1): it is C{{epoch-folder}counter}, the epoch made with the database and the
counter counting the keys of one device and folder, for ever; that of the hierarchy has no folder. Two are kept, the
newest and the one before it, for the case that the answer with the newest was lost; any other is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import astuple, evolve, field, frozen
from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.model import DeviceKey, Op, Result, SyncOptions
from gateway.store.codec import dump_options, load_options
from gateway.store.schema import collection, device, sync_key

_PATTERN = re.compile(r"\{([0-9a-f]{1,32}(?:-[0-9]{1,10})?)\}([0-9]{1,18})", re.ASCII)


HIERARCHY = 0
"""The folder of the keys of the hierarchy."""


def key_text(epoch: str, folder: int, counter: int) -> str:
    """The SyncKey as it is sent; C{folder} may be L{HIERARCHY}."""
    return f"{{{_scope(epoch, folder)}}}{counter}"


def key_counter(epoch: str, folder: int, text: str) -> int | None:
    """The counter of a SyncKey of this database and folder, or C{None} for any other text."""
    found = _PATTERN.fullmatch(text)
    return int(found[2]) if found and found[1] == _scope(epoch, folder) else None


def _scope(epoch: str, folder: int) -> str:
    """What a key is of: two folders with as many keys would have the same ones otherwise."""
    return f"{epoch}-{folder}" if folder else epoch


@frozen(order=True)
class Position:
    """A place in the order of reception; the id decides between items of the same second."""

    received: int
    id: int


TOP = Position(1 << 62, 0)
BOTTOM = Position(-(1 << 62), 0)


@frozen
class Told:
    """What a device has been told of a folder (rule 2).

    The device holds exactly the items that came with a number up to C{added} and lie at or above C{floor}, each
    as it was at C{number}. Two numbers, because a batch may end before everything is told: an item that came and
    was then changed stands at the number of its change, and when only a part of the rows below that was sent, one
    number alone would count it as held. C{filling}: there may be more below the floor within the device's window.
    """

    number: int
    added: int
    floor: Position = TOP
    filling: bool = True


@frozen
class Said:
    """The answer that carried a key, as far as it is needed to say it again.

    C{commands} are the client's commands by item (see L{gateway.store.commands.spelled}).
    """

    results: tuple[Result, ...] = ()
    sent: tuple[tuple[Op, int], ...] = ()
    more: bool = False
    commands: Mapping[str, Any] = field(factory=dict)


@frozen
class Key:
    """A kept key: C{head} is the folder's when the key was made, C{given} whether the answer was written out."""

    id: int
    counter: int
    told: Told
    head: int
    given: bool
    options: SyncOptions
    digest: bytes
    said: Said

    @property
    def since(self) -> int:
        """The number above which a change of an item may be news, 0 for any.

        A batch that leaves something over ends below an item that was changed once more meanwhile, and so passes over
        what was changed of it before.
        """
        return self.told.number if self.told.number == self.head else 0


@frozen
class Chain:
    """The keys of one device and folder; C{counter} is that of the last key ever made."""

    owner: int | None = None
    collection: int | None = None
    counter: int = 0
    newest: Key | None = None
    previous: Key | None = None

    def find(self, counter: int | None) -> Key | None:
        """The kept key with that counter."""
        return next((key for key in (self.newest, self.previous) if key is not None and key.counter == counter), None)

    def beside(self, key: Key) -> Key | None:
        """The kept key that is not this one."""
        return self.previous if key is self.newest else self.newest


_LOAD = (
    select(device.c.id.label("owner"), collection.c.id.label("chain"), collection.c.counter.label("last"), sync_key)
    .select_from(
        device.outerjoin(
            collection, (collection.c.device == device.c.id) & (collection.c.folder == bindparam("the_folder"))
        ).outerjoin(sync_key, sync_key.c.collection == collection.c.id)
    )
    .where(device.c.user == bindparam("the_user"), device.c.name == bindparam("the_name"))
    .order_by(sync_key.c.counter.desc())
)


def load_chain(connection: Connection, owner: DeviceKey, folder: int) -> Chain:
    """The keys of a device and a folder; writers have locked the folder's row before."""
    rows = connection.execute(_LOAD, {"the_folder": folder, "the_user": owner.user, "the_name": owner.device}).all()
    if not rows:
        return Chain()
    kept: list[Key | None] = [_key(row) for row in rows if row.id is not None]
    newest, previous, *_ = [*kept, None, None]
    return Chain(rows[0].owner, rows[0].chain, rows[0].last or 0, newest, previous)


def _key(row: Row[Any]) -> Key:
    answer = row.answer
    return Key(
        id=row.id,
        counter=row.counter,
        told=Told(row.number, row.added, Position(row.floor_received, row.floor_id), row.filling),
        head=row.head,
        given=row.given,
        options=load_options(row.options),
        digest=row.digest,
        said=Said(
            tuple(Result(*result) for result in answer.get("results", ())),
            tuple((Op(op), item) for op, item in answer.get("sent", ())),
            answer.get("more", False),
            answer.get("commands", {}),
        ),
    )


def _columns(key: Key) -> dict[str, Any]:
    said = key.said
    answer = {
        "results": [list(astuple(result)[: 3 if result.item else 2]) for result in said.results],
        "sent": [[op.value, item] for op, item in said.sent],
        "more": said.more,
        "commands": said.commands,
    }
    return {
        "counter": key.counter,
        "number": key.told.number,
        "added": key.told.added,
        "head": key.head,
        "floor_received": key.told.floor.received,
        "floor_id": key.told.floor.id,
        "filling": key.told.filling,
        "given": key.given,
        "options": dump_options(key.options),
        "digest": key.digest,
        "answer": {name: value for name, value in answer.items() if value},
    }


_INSERT = insert(sync_key)
_UPDATE = update(sync_key).where(sync_key.c.id == bindparam("the_id"))
_DELETE = delete(sync_key).where(sync_key.c.id == bindparam("the_id"))
_COUNT = update(collection).where(collection.c.id == bindparam("the_id")).values(counter=bindparam("last"))


def start_chain(connection: Connection, owner: DeviceKey, folder: int, chain: Chain, first: Key) -> int:
    """Drop the keys of the collection and keep a first one; its counter, which goes on from the last."""
    if chain.collection is None:
        chain = evolve(chain, collection=_enrol(connection, owner, folder))
    return keep_next(connection, chain, None, first)


def keep_next(connection: Connection, chain: Chain, base: Key | None, key: Key) -> int:
    """Keep C{key} as the newest and C{base} as the one before it, no other; the new key's counter.

    The row that is neither is written over, so an answer costs two statements.
    """
    counter = chain.counter + 1
    columns = _columns(evolve(key, counter=counter))
    spare = [old for old in (chain.newest, chain.previous) if old is not None and old is not base]
    if spare:
        connection.execute(_UPDATE, {"the_id": spare[0].id, **columns})
    else:
        connection.execute(_INSERT, {"collection": chain.collection, **columns})
    for old in spare[1:]:
        connection.execute(_DELETE, {"the_id": old.id})
    connection.execute(_COUNT, {"the_id": chain.collection, "last": counter})
    return counter


def keep_in_place(connection: Connection, chain: Chain, base: Key, key: Key) -> int:
    """Go on with C{base} as the only key, in the state of C{key}; its counter.

    That is safe whether or not the answer arrives: nothing was said, so the device holds the same items before and
    after. It used the key, so it was given it, and will not go back to the one before.
    """
    beside = chain.beside(base)
    if beside is not None:
        connection.execute(_DELETE, {"the_id": beside.id})
    if not base.given or _moved(base, key):
        columns = _columns(evolve(key, counter=base.counter, given=True, digest=base.digest, said=base.said))
        connection.execute(_UPDATE, {"the_id": base.id, **columns})
    return base.counter


def _moved(base: Key, key: Key) -> bool:
    """Whether anything is worth writing: not that the window's edge went on over no items."""
    before, after = base.told, key.told
    return (
        (before.number, before.added, before.filling) != (after.number, after.added, after.filling)
        or after.floor < before.floor
        or base.options != key.options
    )


def _enrol(connection: Connection, owner: DeviceKey, folder: int) -> int:
    enrol_devices(connection, [owner])
    found = select(device.c.id).where(device.c.user == owner.user, device.c.name == owner.device)
    who = connection.execute(found).scalar_one()
    made = insert(collection).values(device=who, folder=folder, counter=0).returning(collection.c.id)
    return int(connection.execute(made).scalar_one())


def enrol_devices(connection: Connection, owners: Sequence[DeviceKey]) -> None:
    """Give a row to the devices that have none yet."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    blank = {"type": "", "agent": "", "version": "", "first_seen": 0, "last_seen": 0, "last_sync": 0, "last_ping": 0}
    made = dialect.insert(device).on_conflict_do_nothing(index_elements=["user", "name"])
    rows = [{"user": owner.user, "name": owner.device, "known": False, **blank} for owner in owners]
    connection.execute(made, rows)
