"""The check that a Ping makes: does a device lack anything of its folders?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, and_, bindparam, exists, false, or_, select, true

from gateway.model import DeviceKey, Look, Looked, Standing
from gateway.store.awareness import Span
from gateway.store.concern import Terms, arrived, changed
from gateway.store.rows import chunks, possible
from gateway.store.schema import collection, device, folder, item, sync_key
from gateway.store.wanted import chosen as of_dialect
from gateway.store.wanted import for_each, given_keys

P = TypeVar("P", int, tuple[int, int])

_COLUMNS = (
    folder.c.id,
    folder.c.path,
    folder.c.head,
    folder.c.compacted,
    sync_key.c.id.label("key"),
    sync_key.c.counter,
    sync_key.c.number,
    sync_key.c.added,
    sync_key.c.filling,
    sync_key.c.given,
)

# The folders asked for and the hierarchy, each with up to two keys, newest first.
_KEYS: Select[Any] = (
    select(*_COLUMNS)
    .select_from(
        folder.outerjoin(device, (device.c.user == folder.c.user) & (device.c.name == bindparam("the_name")))
        .outerjoin(collection, (collection.c.folder == folder.c.id) & (collection.c.device == device.c.id))
        .outerjoin(sync_key, sync_key.c.collection == collection.c.id)
    )
    .where(
        folder.c.user == bindparam("the_user"),
        folder.c.removed.is_(None),
        or_(folder.c.id.in_(bindparam("ids", expanding=True)), folder.c.path.is_(None)),
    )
    .order_by(folder.c.id, sync_key.c.counter.desc())
)

KEPT = Terms(
    collection.c.folder,
    collection.c.device,
    sync_key.c.number,
    sync_key.c.added,
    sync_key.c.floor_received,
    sync_key.c.floor_id,
    sync_key.c.head,
)


Aware = tuple[int, int, int]
"""A key, and the first and last of some numbers above it which are no reason to wake the device that has it."""


def _news(adds_only: bool, aware: Sequence[Aware] = ()) -> Select[Any]:
    woken = and_(
        true(), *(~and_(sync_key.c.id == key, item.c.number.between(first, last)) for key, first, last in aware)
    )
    came = exists(select(item.c.id).where(arrived(KEPT), woken))
    other = false() if adds_only else exists(select(item.c.id).where(changed(KEPT), woken))
    return (
        select(sync_key.c.id)
        .join(collection, collection.c.id == sync_key.c.collection)
        .where(sync_key.c.id.in_(bindparam("ids", expanding=True)), or_(came, other))
    )


_NEWS = {adds_only: _news(adds_only) for adds_only in (False, True)}

# The same for pairs of a device's row and a folder.
_MANY: Mapping[str, Select[Any]] = for_each(
    lambda wanted: (
        select(*_COLUMNS, wanted.number[0].label("owner"))
        .select_from(
            wanted.keys.join(folder, folder.c.id == wanted.number[1])
            .outerjoin(collection, (collection.c.folder == folder.c.id) & (collection.c.device == wanted.number[0]))
            .outerjoin(sync_key, sync_key.c.collection == collection.c.id)
        )
        .where(folder.c.removed.is_(None), folder.c.path.isnot(None))
    )
)


def look(
    connection: Connection,
    owner: DeviceKey,
    folders: Sequence[int],
    adds_only: bool,
    given: Mapping[int, int],
    aware: Mapping[int, Sequence[Span]] = MappingProxyType({}),
) -> Looked:
    """Compare with what the device has been given; two statements, however many folders.

    C{given} are the counters given by folder (0: the hierarchy) that may not be in the database yet. It was asked
    before this transaction began, or a flush in between could be missed in both places. Only items count: what
    leaves the window of the device is no reason to wake it, nor is what it is C{aware} of, by folder. The hierarchy
    counts with all its changes.
    """
    rows = connection.execute(_KEYS, {"the_name": owner.device, "the_user": owner.user, "ids": possible(folders)}).all()
    places: dict[int, list[Row[Any]]] = {}
    for row in rows:
        places.setdefault(row.id, []).append(row)
    home = next((id for id, kept in places.items() if kept[0].path is None), 0)
    chosen = {id: _chosen(kept, given.get(0 if id == home else id, 0)) for id, kept in places.items()}
    behind: dict[bool, list[int]] = {}
    for id, keys in chosen.items():
        behind.setdefault(adds_only and id != home, []).extend(row.key for row in keys if _behind(row))
    news = _with_news(connection, behind, _known({id: chosen[id] for id in aware if id in chosen}, aware))
    looks = {id: _judge(kept[0], chosen[id], news) for id, kept in places.items()}
    asked = {id: looks[id] if id in looks and id != home else Look(Standing.UNKNOWN) for id in folders}
    return Looked(home, looks.get(home, Look(Standing.UNSYNCED)), asked)


def look_many(
    connection: Connection,
    asked: Mapping[tuple[int, int], bool],
    given: Mapping[tuple[int, int], int],
    aware: Mapping[tuple[int, int], Sequence[Span]] = MappingProxyType({}),
) -> dict[tuple[int, int], Look]:
    """The same for many devices, given by the numbers of their rows, each with a folder: whether only additions
    count. What is gone is left out. Three statements at most, however many they are; the rest as for L{look}."""
    places: dict[tuple[int, int], list[Row[Any]]] = {}
    for row in connection.execute(of_dialect(connection, _MANY), given_keys(asked)):
        places.setdefault((row.owner, row.id), []).append(row)
    chosen, behind = {}, dict[bool, list[int]]()
    for place, kept in places.items():
        kept.sort(key=lambda row: row.counter or 0, reverse=True)
        chosen[place] = _chosen(kept, given.get(place, 0))
        behind.setdefault(asked[place], []).extend(row.key for row in chosen[place] if _behind(row))
    news = _with_news(connection, behind, _known({place: chosen[place] for place in aware if place in chosen}, aware))
    return {place: _judge(kept[0], chosen[place], news) for place, kept in places.items()}


def _known(chosen: Mapping[P, Sequence[Row[Any]]], aware: Mapping[P, Sequence[Span]]) -> list[Aware]:
    return [(row.key, first, last) for at, rows in chosen.items() for row in rows for first, last in aware[at]]


def _with_news(connection: Connection, behind: Mapping[bool, Sequence[int]], aware: Sequence[Aware]) -> set[int]:
    """Those of the keys (by whether only additions count) above which there is an item for the device."""
    news: set[int] = set()
    for adds_only, ids in behind.items():
        for some in chunks(ids):
            here = [one for one in aware if one[0] in some]
            query = _news(adds_only, here) if here else _NEWS[adds_only]
            news.update(connection.execute(query, {"ids": list(some)}).scalars())
    return news


def _chosen(kept: Sequence[Row[Any]], given: int) -> Sequence[Row[Any]]:
    """The keys that the device may have; none if it may have none that the ledger still reaches back to.

    The newest, if it was given. Otherwise (rule 7) the one before it, which the device has used; and the newest as
    well, for the answer may have come through without our knowing, and what it added may be gone again by now.
    """
    newest = kept[0]
    if newest.key is None:
        return ()
    keys = [newest] if newest.given or newest.counter == given else kept
    certain = len(keys) > 1 or keys is not kept
    return keys if certain and all(row.number >= row.compacted for row in keys) else ()


def _behind(row: Row[Any]) -> bool:
    """Whether the items have to be asked: not if nothing was numbered since, nor if there is more in any case."""
    return bool(row.head > min(row.number, row.added)) and not row.filling


def _judge(place: Row[Any], keys: Sequence[Row[Any]], news: set[int]) -> Look:
    if not keys:
        return Look(Standing.UNSYNCED, place.head)
    some = any(row.filling or row.key in news for row in keys)
    return Look(Standing.SYNCED, place.head, some, keys[-1].counter)
