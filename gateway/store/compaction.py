"""Forgetting what is gone (rule 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, delete, exists, func, or_, select, update

from gateway.store.concern import arrived, changed
from gateway.store.look import KEPT
from gateway.store.rows import lock_folders
from gateway.store.schema import collection, folder, item, sync_key

Transaction = Callable[..., Any]

# The keys of a folder that have nothing above them that concerns their devices.
_QUIET = (
    select(sync_key.c.id)
    .join(collection, collection.c.id == sync_key.c.collection)
    .where(
        collection.c.folder == bindparam("the_folder"),
        or_(sync_key.c.number < bindparam("the_head"), sync_key.c.added < bindparam("the_head")),
        ~exists(select(item.c.id).where(changed(KEPT))),
        ~exists(select(item.c.id).where(arrived(KEPT))),
    )
)
_RAISE = (
    update(sync_key)
    .where(sync_key.c.id.in_(bindparam("ids", expanding=True)))
    .values(number=bindparam("the_head"), added=bindparam("the_head"))
)
_LOWEST = (
    select(func.min(sync_key.c.number))
    .join(collection, collection.c.id == sync_key.c.collection)
    .where(collection.c.folder == bindparam("the_folder"))
)
_FORGOTTEN = and_(
    item.c.folder == bindparam("the_folder"),
    item.c.removed.isnot(None),
    or_(item.c.removed < bindparam("before"), item.c.number <= bindparam("lowest")),
)
_HIGHEST = select(func.max(item.c.number)).where(_FORGOTTEN)
_FORGET = delete(item).where(_FORGOTTEN)
_MARK = (
    update(folder)
    .where(folder.c.id == bindparam("the_id"))
    .values(compacted=case((folder.c.compacted < bindparam("highest"), bindparam("highest")), else_=folder.c.compacted))
)


def compact(transaction: Transaction, before: int) -> int:
    """Forget removals folder by folder, each in a transaction of its own, so that nobody waits long; how many went.

    C{transaction} runs a function of this module with a connection.
    """
    total = 0
    for folder_id in transaction(_with_removals):
        total += transaction(_compact_folder, folder_id, before)
    for folder_id in transaction(_dead):
        while transaction(_clear, folder_id):
            pass
        transaction(_bury, folder_id)
    return total


def _with_removals(connection: Connection) -> list[int]:
    query = select(folder.c.id).where(
        folder.c.removed.is_(None),
        exists(select(item.c.id).where(item.c.folder == folder.c.id, item.c.removed.isnot(None))),
    )
    return list(connection.execute(query.order_by(folder.c.id)).scalars())


def _compact_folder(connection: Connection, folder_id: int, before: int) -> int:
    here: Row[Any] | None = lock_folders(connection, [folder_id]).get(folder_id)
    if here is None:
        return 0
    # A device that has missed nothing goes on with the folder, even if it never had a reason to ask.
    quiet = list(connection.execute(_QUIET, {"the_folder": folder_id, "the_head": here.head}).scalars())
    if quiet:
        connection.execute(_RAISE, {"ids": quiet, "the_head": here.head})
    lowest = connection.execute(_LOWEST, {"the_folder": folder_id}).scalar_one()
    which = {"the_folder": folder_id, "before": before, "lowest": here.head if lowest is None else lowest}
    highest = connection.execute(_HIGHEST, which).scalar_one()
    if highest is None:
        return 0
    connection.execute(_MARK, {"the_id": folder_id, "highest": highest})
    return connection.execute(_FORGET, which).rowcount


def _dead(connection: Connection) -> list[int]:
    """Removed folders; what has to be told of them is in the hierarchy, and their ids are not given again."""
    return list(connection.execute(select(folder.c.id).where(folder.c.removed.isnot(None))).scalars())


# So many items go at once; others can write in between.
PORTION = 5000


def _clear(connection: Connection, folder_id: int) -> int:
    some = select(item.c.id).where(item.c.folder == folder_id).limit(PORTION)
    return connection.execute(delete(item).where(item.c.id.in_(some))).rowcount


def _bury(connection: Connection, folder_id: int) -> None:
    connection.execute(delete(collection).where(collection.c.folder == folder_id))
    connection.execute(delete(folder).where(folder.c.id == folder_id))
