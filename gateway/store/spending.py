"""How many triggers were sent on a day and what they cost, so that a limit never counts letters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from attrs import define, field
from sqlalchemy import Connection, and_, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.core.waking import Spent
from gateway.model import DeviceKey
from gateway.store.bulk import bulk
from gateway.store.schema_sms import spending as table
from gateway.store.wanted import chosen, for_each, given_keys, locking
from gateway.trigger import Limits, Order

# A day, a scope and a name.
Entry = tuple[int, str, str]

_READ = locking(
    for_each(
        lambda wanted: select(table.c.day, table.c.scope, table.c.name, table.c.count, table.c.cost).select_from(
            wanted.keys.join(
                table,
                and_(
                    table.c.day == wanted.number[0],
                    table.c.scope == wanted.text[1],
                    table.c.name == wanted.text[2],
                ),
            )
        )
    ),
    table,
    *(table.c.day, table.c.scope, table.c.name),
)


def _adding(dialect: Any) -> Any:
    made = dialect.insert(table)
    more = {"count": table.c.count + made.excluded.count, "cost": table.c.cost + made.excluded.cost}
    return made.on_conflict_do_update(index_elements=["day", "scope", "name"], set_=more)


_ADD = bulk({"sqlite": _adding(sqlite), "postgresql": _adding(postgresql)}, *("day", "scope", "name", "count", "cost"))


def entries(day: int, key: DeviceKey, route: str) -> tuple[Entry, Entry, Entry, Entry]:
    """What a trigger counts for: its device, its user, its operator and all together."""
    # A device's name has no space in it.
    device = f"{key.device} {key.user}"
    operator = route.partition(":")[2]
    return (day, "device", device), (day, "user", key.user), (day, "operator", operator), (day, "total", "")


@define(eq=False)
class Till:
    """What is spent while many decisions are taken in one transaction."""

    _known: dict[Entry, tuple[int, float]] = field(factory=dict)
    _more: dict[Entry, tuple[int, float]] = field(factory=dict)

    def open(self, connection: Connection, orders: Sequence[Order]) -> None:
        """Read what the limits of these orders are about, and keep others from counting there until the commit."""
        wanted = {entry for order in orders if order.rule.limits != _NO_LIMITS for entry in _limited(order)}
        if wanted:
            rows: Sequence[Any] = connection.execute(chosen(connection, _READ), given_keys(wanted)).all()
            self._known.update(((day, scope, name), (count, cost)) for day, scope, name, count, cost in rows)

    def spent(self, order: Order) -> Spent:
        """What is spent before this decision."""
        if order.rule.limits == _NO_LIMITS:
            return _NOTHING
        every = entries(order.rule.day, order.line.key, order.route)
        device, user, operator, total = (self._so_far(entry) for entry in every)
        return Spent(device[0], user[0], operator[0], *total)

    def _so_far(self, entry: Entry) -> tuple[int, float]:
        (count, cost), (more, dearer) = self._known.get(entry, _ZERO), self._more.get(entry, _ZERO)
        return count + more, cost + dearer

    def add(self, day: int, key: DeviceKey, route: str, cost: float, count: int = 1) -> None:
        """Count a trigger; or with C{count} -1 take back one that was counted and never went out."""
        for entry in entries(day, key, route):
            before, dear = self._more.get(entry, _ZERO)
            self._more[entry] = before + count, dear + count * cost

    def close(self, connection: Connection) -> None:
        """Write what was added."""
        _ADD.run(connection, [(*entry, *more) for entry, more in sorted(self._more.items())])


_ZERO = (0, 0.0)
_NOTHING = Spent()
_NO_LIMITS = Limits()


def _limited(order: Order) -> Iterable[Entry]:
    limits = order.rule.limits
    wanted = (limits.device, limits.user, limits.operator, limits.total or limits.budget)
    every = entries(order.rule.day, order.line.key, order.route)
    return (entry for entry, limit in zip(every, wanted, strict=True) if limit)


def forget_spending(connection: Connection, before: int) -> None:
    """Forget the days before that one."""
    connection.execute(delete(table).where(table.c.day < before))
