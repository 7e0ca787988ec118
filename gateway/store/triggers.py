"""The store as L{ITriggers}."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import define
from sqlalchemy import Connection, func, select
from twisted.internet.defer import Deferred
from zope.interface import implementer

import gateway.store.arrivals as arrivals
import gateway.store.deciding as deciding
import gateway.store.lines as lines
from gateway.core.waking import LONGEST
from gateway.interfaces import ITriggers
from gateway.model import DeviceKey
from gateway.store.awareness import Awareness
from gateway.store.database import Database
from gateway.store.given import Given
from gateway.store.schema_sms import wake
from gateway.store.wakes import PUT_OFF
from gateway.trigger import Concerned, Decided, Line, Order, Wake, WakeRule

_NEXT = select(func.min(wake.c.due)).where(PUT_OFF)


@implementer(ITriggers)
@define(eq=False)
class Triggers:
    """Lines and wakes of one database; C{given} are the keys given that are not written yet, C{aware} is what devices
    know of without a key."""

    database: Database
    given: Given
    aware: Awareness
    seconds: Callable[[], float]

    def lines(self, user: str | None) -> Deferred[list[Line]]:
        """See L{ITriggers}."""
        return self.database.read(lines.lines, user)

    def lines_of(self, number: str) -> Deferred[list[Line]]:
        """See L{ITriggers}."""
        return self.database.read(lines.lines_of, number)

    def keep_line(self, line: Line) -> Deferred[None]:
        """See L{ITriggers}."""
        return self.database.write_durably(lines.keep_line, line, self.seconds())

    def drop_line(self, key: DeviceKey) -> Deferred[bool]:
        """See L{ITriggers}."""
        return self.database.write_durably(lines.drop_line, key, self.seconds())

    def concerned(self, folders: Sequence[int]) -> Deferred[list[Concerned]]:
        """See L{ITriggers}."""
        return self.database.read(lines.concerned, folders)

    def wakes(self, keys: Sequence[DeviceKey]) -> Deferred[list[Concerned]]:
        """See L{ITriggers}."""
        return self.database.read(lines.wakes, keys)

    def decide(self, orders: Sequence[Order], now: int) -> Deferred[list[Decided]]:
        """See L{ITriggers}."""
        given = {
            (order.line.key, folder): counter
            for order in orders
            for folder in order.folders
            if (counter := self.given.counter(order.line.key, folder))
        }
        aware = {
            (order.line.key, folder): spans
            for order in orders
            for folder in order.folders
            if (spans := self.aware.of(order.line.key, folder))
        }
        return self.database.write_durably(deciding.decide_all, orders, now, given, aware)

    def synced(self, key: DeviceKey, now: int, rule: WakeRule, lease: int) -> Deferred[Wake | None]:
        """See L{ITriggers}; a sync that changes nothing is not written."""
        return self.database.run(self._synced, key, now, rule, lease)

    def _synced(self, key: DeviceKey, now: int, rule: WakeRule, lease: int) -> Wake | None:
        unmoved, wake = self.database.reading(arrivals.unmoved, key, now, rule, lease)
        return wake if unmoved else self.database.writing(True, arrivals.synced, key, now, rule, lease)

    def outside_guid(self, line: Line, guid: str, now: int, lease: int) -> Deferred[bool]:
        """See L{ITriggers}."""
        return self.database.write_durably(arrivals.outside_guid, line.key, guid, now, lease)

    def due(self, now: int, most: int) -> Deferred[list[Concerned]]:
        """See L{ITriggers}."""
        return self.database.read(lines.due, now, most)

    def next_due(self) -> Deferred[int | None]:
        """See L{ITriggers}; one that no clock meant is due now."""
        return self.database.read(self._next_due)

    def _next_due(self, connection: Connection) -> int | None:
        found = connection.execute(_NEXT).scalar_one()
        now = int(self.seconds())
        return None if found is None else now if found > now + LONGEST else int(found)

    def unsure(self) -> Deferred[list[Concerned]]:
        """See L{ITriggers}."""
        return self.database.read(lines.unsure)

    def parks(self, wakes: Mapping[DeviceKey, tuple[int, int, bool]]) -> Deferred[list[DeviceKey]]:
        """See L{ITriggers}."""
        return self.database.write(arrivals.parks, wakes)

    def late(self, before: int) -> Deferred[list[tuple[Line, float]]]:
        """See L{ITriggers}."""
        return self.database.write(self._late, before)

    def _late(self, connection: Connection, before: int) -> list[tuple[Line, float]]:
        found = arrivals.late(connection, before)
        leading = {one.line.key: one.line for one in lines.wakes(connection, [key for key, _ in found])}
        return [(leading[key], at) for key, at in found]
