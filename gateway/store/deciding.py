"""Decisions for many devices in one transaction: what is known is read, the rule applied, what came of it written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import define, field
from sqlalchemy import Connection

from gateway.core.waking import Judgement, Sight, decide, looks
from gateway.model import DeviceKey, Look, Standing
from gateway.store.awareness import Span
from gateway.store.look import look_many
from gateway.store.queue import enqueue
from gateway.store.spending import Till
from gateway.store.wakes import lock_wakes, write_wakes
from gateway.trigger import Decided, Letter, Order, Verdict, Wake

_UNSEEN = Sight(False)
_DOOR = Sight(True)


def decide_all(
    connection: Connection,
    orders: Sequence[Order],
    now: int,
    given: Mapping[tuple[DeviceKey, int], int],
    aware: Mapping[tuple[DeviceKey, int], Sequence[Span]],
) -> list[Decided]:
    """Decide for each order, one after the other; C{given} are the counters of keys that may not be in the database
    yet, C{aware} the numbers that devices know of, both by device and folder."""
    desk = _Desk(connection, now, lock_wakes(connection, (order.line.key for order in orders)))
    desk.look(orders, given, aware)
    desk.till.open(connection, orders)
    judged = [desk.judge(order) for order in orders]
    numbers = desk.write()
    return [
        Decided(order, one.verdict, one.wake, numbers.get(place, 0), one.switched, one.reason, one.limit)
        for place, (order, one) in enumerate(zip(orders, judged, strict=True))
    ]


@define(eq=False)
class _Desk:
    """The decisions of one transaction; C{wakes} are the devices' rows by key."""

    connection: Connection
    now: int
    wakes: dict[DeviceKey, tuple[int, Wake]]
    till: Till = field(factory=Till)
    _sights: dict[tuple[int, int], Look] = field(factory=dict)
    _changed: dict[int, Wake] = field(factory=dict)
    _letters: list[Letter] = field(factory=list)
    _counted: list[tuple[int, float]] = field(factory=list)
    _places: list[int] = field(factory=list)
    _judged: int = 0

    def look(
        self,
        orders: Sequence[Order],
        given: Mapping[tuple[DeviceKey, int], int],
        aware: Mapping[tuple[DeviceKey, int], Sequence[Span]],
    ) -> None:
        """See what the devices lack."""
        asked: dict[tuple[int, int], bool] = {}
        written: dict[tuple[int, int], int] = {}
        told: dict[tuple[int, int], Sequence[Span]] = {}
        for order in orders:
            known = self.wakes.get(order.line.key)
            if known is not None and looks(order):
                for folder in order.folders:
                    asked[known[0], folder] = order.rule.adds_only
                    counter = given.get((order.line.key, folder))
                    if counter:
                        written[known[0], folder] = counter
                    if (order.line.key, folder) in aware:
                        told[known[0], folder] = aware[order.line.key, folder]
        if asked:
            self._sights = look_many(self.connection, asked, written, told)

    def judge(self, order: Order) -> Judgement:
        """Decide, and remember what is to be written."""
        place, self._judged = self._judged, self._judged + 1
        known = self.wakes.get(order.line.key)
        if known is None:
            return Judgement(Wake(order.line.key, ""), Verdict.OFF, "the device has no line any more")
        id, wake = known
        judged = decide(order, wake, self._sight(id, order), self.till.spent(order), self.now)
        if judged.wake is not wake and judged.wake != wake:
            self.wakes[order.line.key] = id, judged.wake
            self._changed[id] = judged.wake
        if judged.guid:
            self._places.append(place)
            self._letters.append(_letter(order, judged, self.now))
            self._counted.append((order.rule.day, order.rule.price))
            self.till.add(order.rule.day, order.line.key, order.route, order.rule.price)
        return judged

    def _sight(self, id: int, order: Order) -> Sight:
        if not order.folders:
            return _DOOR if order.guid else _UNSEEN
        seen = {folder: self._sights[id, folder] for folder in order.folders if (id, folder) in self._sights}
        news = any(one.news and one.standing is Standing.SYNCED for one in seen.values())
        return Sight(news, {folder: one.number for folder, one in seen.items()})

    def write(self) -> dict[int, int]:
        """Write everything; the numbers of the letters by the places of their orders."""
        ids = enqueue(self.connection, self._letters, self.now, self.till, self._counted)
        write_wakes(self.connection, sorted(self._changed.items(), key=lambda one: one[0]))
        self.till.close(self.connection)
        return dict(zip(self._places, ids, strict=True))


def _letter(order: Order, judged: Judgement, now: int) -> Letter:
    line = order.line
    return Letter(
        key=line.key,
        route=order.route,
        number=line.number,
        address=line.address,
        guid=judged.guid,
        format=line.format,
        content=order.content,
        created=now,
        due=judged.due,
    )
