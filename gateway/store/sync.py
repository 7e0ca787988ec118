"""One collection of a Sync: commands, batch and key in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve, frozen
from sqlalchemy import Connection, Row, select

from gateway.interfaces import BackendDown
from gateway.model import BatchRow, Create, DeviceKey, Op, Remove, SyncOptions, SyncOutcome, SyncRequest
from gateway.store.batch import Batch, count, fill, idle, line, target
from gateway.store.commands import Desk, Executed, disown, spelled
from gateway.store.keys import (
    Chain,
    Key,
    Said,
    Told,
    keep_in_place,
    keep_next,
    key_counter,
    key_text,
    load_chain,
    start_chain,
)
from gateway.store.rows import CHUNK, lock_folders, possible
from gateway.store.schema import folder, item

SUCCESS = 1
INVALID_KEY = 3
NO_FOLDER = 12

ESTIMATE_NO_FOLDER = 2
ESTIMATE_NOT_PRIMED = 3
ESTIMATE_INVALID_KEY = 4


def sync(connection: Connection, epoch: str, device: DeviceKey, folder_id: int, request: SyncRequest) -> SyncOutcome:
    """Execute a request; Status 1, 3 (invalid key) or 12 (no such folder of the user)."""
    folders = lock_folders(connection, [folder_id, request.trash or 0])
    here = folders.get(folder_id)
    if here is None or here.user != device.user or here.path is None:
        return SyncOutcome(NO_FOLDER, "0")
    chain = load_chain(connection, device, folder_id)
    if request.key == "0":
        return _start(connection, epoch, device, here, chain, request)
    base = chain.find(key_counter(epoch, folder_id, request.key))
    if base is None or base.told.number < here.compacted:
        return SyncOutcome(INVALID_KEY, "0")
    newest = chain.newest
    if newest is not None and newest is not base and newest.digest == request.digest:
        return _again(connection, epoch, folder_id, newest, base.since)
    return _Turn(connection, epoch, here, _trash(folders, request, device.user), chain, base, request).take()


def _trash(folders: dict[int, Row[Any]], request: SyncRequest, user: str) -> Row[Any] | None:
    """The row of the folder for deletions, if the request deletes anything and wants it kept."""
    if request.trash is None or not any(isinstance(command, Remove) for command in request.commands):
        return None
    trash = folders.get(request.trash)
    if trash is None or trash.user != user or trash.path is None:
        # Without it the mail would be lost; the next request finds another folder or none at all.
        raise BackendDown(f"the folder {request.trash} for deleted items is gone")
    return trash


def _start(
    connection: Connection, epoch: str, device: DeviceKey, here: Row[Any], chain: Chain, request: SyncRequest
) -> SyncOutcome:
    """Key 0: whatever the device held, it begins with nothing, and gets it with the first real key.

    If there is nothing to get, it has been told so with that: some clients ask how much there is, and if it is
    nothing they wait for a change without fetching it.
    """
    options = request.options or SyncOptions()
    goal = target(here.type, options, request.now)
    told = fill(connection, here.id, chain.owner, Told(here.head, here.head), here.head, goal, 0).told
    first = Key(0, 0, told, here.head, False, options, request.digest, Said())
    counter = start_chain(connection, device, here.id, chain, first)
    return SyncOutcome(SUCCESS, key_text(epoch, here.id, counter), advanced=True, options=options)


def _again(connection: Connection, epoch: str, folder_id: int, newest: Key, since: int) -> SyncOutcome:
    """The same request again: its answer was lost. Say it again, with the items as they are now.

    An addition or change of an item that has been removed meanwhile is left out; its removal has a higher number
    and is told with the next key.
    """
    said = newest.said
    wanted = [id for op, id in said.sent if op in (Op.ADD, Op.CHANGE)]
    rows: dict[int, Row[Any]] = {}
    for start in range(0, len(wanted), CHUNK):
        ids = wanted[start : start + CHUNK]
        query = select(item).where(item.c.folder == folder_id, item.c.id.in_(ids), item.c.removed.is_(None))
        rows.update((row.id, row) for row in connection.execute(query))
    batch = tuple(
        BatchRow(op, id) if op in (Op.DELETE, Op.SOFT_DELETE) else line(op, rows[id], since)
        for op, id in said.sent
        if op in (Op.DELETE, Op.SOFT_DELETE) or id in rows
    )
    return SyncOutcome(
        SUCCESS,
        key_text(epoch, folder_id, newest.counter),
        advanced=True,
        options=newest.options,
        results=said.results,
        batch=batch,
        more=said.more,
        replayed=True,
    )


@frozen
class _Turn:
    """A request with a valid key that is not a repetition."""

    connection: Connection
    epoch: str
    here: Row[Any]
    trash: Row[Any] | None
    chain: Chain
    base: Key
    request: SyncRequest

    def take(self) -> SyncOutcome:
        """Execute the commands, choose the batch, keep the key."""
        request, base = self.request, self.base
        options = request.options or base.options
        executed = self._execute(spelled(request.commands), options)
        batch = self._batch(executed.head, options)
        answer = Said(executed.results, batch.sent, batch.more, executed.said)
        key = Key(0, 0, batch.told, executed.head, False, options, request.digest, answer)
        # Commands always make a new key, also those that need no answer: only so is a repetition recognised.
        advanced = bool(request.commands or batch.rows or request.responds)
        counter = (keep_next if advanced else keep_in_place)(self.connection, self.chain, base, key)
        return SyncOutcome(
            SUCCESS,
            key_text(self.epoch, self.here.id, counter),
            advanced=advanced,
            options=options,
            results=executed.results,
            batch=batch.lines,
            more=batch.more,
            intents=executed.intents,
            changes=executed.changes,
            level=batch.told.number if request.get_changes and not batch.more and not batch.told.filling else 0,
        )

    def _execute(self, said: dict[str, Any], options: SyncOptions) -> Executed:
        request, owner = self.request, self.chain.owner
        assert owner is not None
        newest = self.chain.newest
        dropped: Mapping[str, Any] = {}
        if newest is not None and newest is not self.base and newest.said.commands:
            dropped = newest.said.commands
            again = [int(id) for id, words in said.items() if dropped.get(id) == words]
            again += self._created_again(dropped)
            disown(self.connection, self.here.id, owner, self.base.head, again)
        if not request.commands:
            return Executed(self.here.head)
        desk = Desk(self.connection, self.here, self.trash, owner, self.base.told, request.now, dropped)
        return desk.execute(request.commands, client_wins=options.conflict == 0)

    def _created_again(self, dropped: Mapping[str, Any]) -> list[int]:
        """The items that commands of the dropped answer have created, and that the client would create again."""
        wanted = {f"+{one.client}": one.name for one in self.request.commands if isinstance(one, Create)}
        return [words[1] for name, words in dropped.items() if name in wanted and words[0] == wanted[name]]

    def _batch(self, head: int, options: SyncOptions) -> Batch:
        request, told = self.request, self.base.told
        goal = target(self.here.type, options, request.now)
        if not request.get_changes:
            if any(isinstance(one, Create) for one in request.commands):
                # What the device creates it holds: with nothing else to be told, that counts as told.
                told = fill(self.connection, self.here.id, self.chain.owner, told, head, goal, 0).told
            return idle(told, goal)
        batch = fill(self.connection, self.here.id, self.chain.owner, told, head, goal, request.window)
        return evolve(batch, since=self.base.since)


def estimate(
    connection: Connection,
    epoch: str,
    device: DeviceKey,
    folder_id: int,
    key: str,
    options: SyncOptions | None,
    now: int,
) -> tuple[int, int]:
    """Status and number of changes pending; the key stays as it is."""
    query = select(folder).where(folder.c.id.in_(possible([folder_id])), folder.c.user == device.user)
    here = connection.execute(query.where(folder.c.removed.is_(None))).one_or_none()
    if here is None or here.path is None:
        return ESTIMATE_NO_FOLDER, 0
    chain = load_chain(connection, device, folder_id)
    if key == "0" or chain.newest is None:
        return ESTIMATE_NOT_PRIMED, 0
    base = chain.find(key_counter(epoch, folder_id, key))
    if base is None or base.told.number < here.compacted:
        return ESTIMATE_INVALID_KEY, 0
    goal = target(here.type, options or base.options, now)
    return SUCCESS, count(connection, folder_id, chain.owner, base.told, goal)
