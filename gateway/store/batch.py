"""The next batch for a device: what it has not been told, as far as its window size goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve, field, frozen, mutable
from sqlalchemy import Connection, Row, Select, bindparam, func, select

from gateway.model import BatchRow, FolderType, Op, SyncOptions
from gateway.store.concern import TERMS, arrived, below, between, changed, leaving, parameters
from gateway.store.keys import BOTTOM, TOP, Position, Told
from gateway.store.rows import item_of
from gateway.store.schema import item

DAY = 24 * 3600

# [MS-ASCMD] 2.2.3.68.2: the time windows of FilterType in days; 0 and whatever is not here means everything.
_DAYS = {1: 1, 2: 3, 3: 7, 4: 14, 5: 30, 6: 90, 7: 180}

UNLIMITED = 1 << 31


def target(type: int, options: SyncOptions, now: int) -> Position:
    """Where the floor should be; C{type} is that of the folder ([MS-ASCMD] 2.2.3.68.2: only mail and calendars)."""
    days = _DAYS.get(options.filter)
    if days is None or FolderType(type).item_class not in ("Email", "Calendar"):
        return BOTTOM
    return Position(now - days * DAY, 0)


@frozen
class Batch:
    """The rows to send, what the device will have been told with them, and whether there are more.

    C{since} is the number up to which the device has been told of every change before.
    """

    told: Told
    rows: Sequence[tuple[Op, Row[Any]]] = ()
    more: bool = False
    since: int = 0

    @property
    def sent(self) -> tuple[tuple[Op, int], ...]:
        """The batch in short, as it is kept to be sent again."""
        return tuple((op, row.id) for op, row in self.rows)

    @property
    def lines(self) -> tuple[BatchRow, ...]:
        """The batch as the answer needs it."""
        return tuple(line(op, row, self.since) for op, row in self.rows)


def line(op: Op, row: Row[Any], since: int) -> BatchRow:
    """One line of a batch from the item's row as it is now, for a device that was told of changes up to C{since}."""
    if op is not Op.CHANGE:
        return BatchRow(op, row.id, item_of(row) if op is Op.ADD else None)
    fields = frozenset(name for name, (number, _) in (row.touched or {}).items() if number > since)
    return BatchRow(op, row.id, item_of(row), fields or None)


def idle(told: Told, goal: Position) -> Batch:
    """No batch: the client wants none. A wider window still leaves something to be told."""
    return Batch(evolve(told, filling=told.floor > goal))


def fill(
    connection: Connection, folder: int, owner: int | None, told: Told, head: int, goal: Position, window: int
) -> Batch:
    """The next batch of a device that has been told C{told} of a folder whose highest number is C{head}.

    C{goal} is where the floor should be and C{window} how many changes fit; with 0 it is only found out whether
    there are any. The caller has made sure that nobody numbers items meanwhile.
    """
    filling = _Filling(connection, folder, owner, told, window)
    if told.floor != TOP and told.floor < goal:
        filling.rise(goal, window if head == told.number == told.added else (window + 1) // 2)
    if filling.change(head) and filling.arrive(head) and filling.told.floor > goal:
        filling.sink(goal)
    final = evolve(filling.told, filling=filling.told.floor > goal)
    return Batch(final, filling.rows, filling.more)


_CHANGED = select(item).where(changed(TERMS)).order_by(item.c.number).limit(bindparam("most"))
_ARRIVED = select(item).where(arrived(TERMS)).order_by(item.c.added).limit(bindparam("most"))
_LEAVING = select(item).where(leaving(TERMS)).order_by(item.c.received, item.c.id).limit(bindparam("most"))
_BELOW = select(item).where(below(TERMS)).order_by(item.c.received.desc(), item.c.id.desc()).limit(bindparam("most"))


@mutable(eq=False)
class _Filling:
    """A batch in the making: the steps move C{told} on by exactly what they put into C{rows}."""

    connection: Connection
    folder: int
    owner: int | None
    told: Told
    left: int
    rows: list[tuple[Op, Row[Any]]] = field(factory=list)
    more: bool = False

    def rise(self, goal: Position, share: int) -> None:
        """The window's edge has moved up: take leave of what lies below it, oldest first.

        This comes before the rows, so that what lies below the edge is not added just to be taken away; but it has
        only a share of the batch while there is other news, or a narrowed filter would hold up new mail.
        """
        rows, finished = self._fetch(_LEAVING, share, between(self.told.floor, goal))
        self._put((Op.SOFT_DELETE if row.removed is None else Op.DELETE, row) for row in rows)
        if finished:
            self.told = evolve(self.told, floor=goal)
        elif rows:
            self.told = evolve(self.told, floor=Position(rows[-1].received, rows[-1].id + 1))

    def change(self, head: int) -> bool:
        """Changes and removals of what the device holds, in order of their numbers; whether that was all."""
        if head == self.told.number:
            return True
        rows, finished = self._fetch(_CHANGED, self.left, {})
        self._put((Op.CHANGE if row.removed is None else Op.DELETE, row) for row in rows)
        if finished:
            self.told = evolve(self.told, number=head)
        elif rows:
            self.told = evolve(self.told, number=rows[-1].number)
        return finished

    def arrive(self, head: int) -> bool:
        """New items in view, in the order of their arrival; whether that was all."""
        if head == self.told.added:
            return True
        rows, finished = self._fetch(_ARRIVED, self.left, {})
        self._put((Op.ADD, row) for row in rows)
        if finished:
            self.told = evolve(self.told, added=head)
        elif rows:
            self.told = evolve(self.told, added=rows[-1].added)
        return finished

    def sink(self, goal: Position) -> None:
        """Nothing new is left: lower the floor towards the edge of the window, newest items first."""
        rows, finished = self._fetch(_BELOW, self.left, between(goal, self.told.floor))
        self._put((Op.ADD, row) for row in rows)
        if finished:
            self.told = evolve(self.told, floor=goal)
        elif rows:
            self.told = evolve(self.told, floor=Position(rows[-1].received, rows[-1].id))

    def _fetch(self, query: Select[Any], most: int, edges: dict[str, Any]) -> tuple[Sequence[Row[Any]], bool]:
        """At most so many rows of a query, and whether these were all; one more is asked for to know that."""
        terms = parameters(self.folder, self.owner, self.told)
        rows = self.connection.execute(query, {**terms, **edges, "most": most + 1}).all()
        finished = len(rows) <= most
        self.more = self.more or not finished
        return rows[:most], finished

    def _put(self, rows: Any) -> None:
        before = len(self.rows)
        self.rows.extend(rows)
        self.left -= len(self.rows) - before


_COUNTS = {
    query: select(func.count()).select_from(item).where(query(TERMS)) for query in (changed, arrived, leaving, below)
}


def count(connection: Connection, folder: int, owner: int | None, told: Told, goal: Position) -> int:
    """How many changes a batch without limit would hold."""

    def counted(what: Any, **edges: int) -> int:
        return int(connection.execute(_COUNTS[what], {**parameters(folder, owner, told), **edges}).scalar_one())

    total = 0
    if told.floor != TOP and told.floor < goal:
        total += counted(leaving, **between(told.floor, goal))
        told = evolve(told, floor=goal)
    total += counted(changed) + counted(arrived)
    if told.floor > goal:
        total += counted(below, **between(goal, told.floor))
    return total
