"""What is kept of each device with a line, as rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, update

from gateway.model import DeviceKey
from gateway.store.schema import device
from gateway.store.schema_sms import wake as table
from gateway.store.wanted import chosen, device_pairs, for_each
from gateway.trigger import Wake, Way

#: In the order of the fields of L{Wake}, without the key.
WAKE_COLUMNS = (
    table.c.guid,
    table.c.told,
    table.c.until,
    table.c.numbers,
    table.c.pending,
    table.c.due,
    table.c.why,
    table.c.repeats,
    table.c.way,
    table.c.young,
    table.c.parked,
)
_NAMES = tuple(column.name for column in WAKE_COLUMNS)
_WAYS = {way.value: way for way in Way}

_READ = for_each(
    lambda wanted: (
        select(device.c.user, device.c.name, device.c.id, *WAKE_COLUMNS)
        .select_from(
            wanted.pairs.join(device, (device.c.user == wanted.text[0]) & (device.c.name == wanted.text[1])).join(
                table, table.c.device == device.c.id
            )
        )
        .order_by(device.c.id)
    )
)
_LOCK = {dialect: statement.with_for_update(of=table) for dialect, statement in _READ.items()}
_WRITE = (
    update(table).where(table.c.device == bindparam("the_device")).values({n: bindparam(f"new_{n}") for n in _NAMES})
)


def wake_of(key: DeviceKey, columns: Sequence[Any]) -> Wake:
    """The columns of a row as a value."""
    guid, told, until, numbers, pending, due, why, repeats, way, young, parked = columns
    counted = {int(folder): number for folder, number in numbers.items()}
    return Wake(key, guid, told, until, counted, pending, due, why, repeats, _WAYS[way], young, parked)


def read_wakes(connection: Connection, keys: Iterable[DeviceKey]) -> dict[DeviceKey, tuple[int, Wake]]:
    """Number of the device's row and what is kept of it, of those that have a line."""
    return _found(connection, _READ, keys)


def lock_wakes(connection: Connection, keys: Iterable[DeviceKey]) -> dict[DeviceKey, tuple[int, Wake]]:
    """The same, locked until the commit, in the order of the numbers."""
    return _found(connection, _LOCK, keys)


def _found(
    connection: Connection, statements: Mapping[str, Select[Any]], keys: Iterable[DeviceKey]
) -> dict[DeviceKey, tuple[int, Wake]]:
    found = {}
    for row in connection.execute(chosen(connection, statements), device_pairs(set(keys))):
        key = DeviceKey(row[0], row[1])
        found[key] = (row[2], wake_of(key, row[3:]))
    return found


def write_wakes(connection: Connection, wakes: Sequence[tuple[int, Wake]]) -> None:
    """Write them by the numbers of their devices."""
    if wakes:
        connection.execute(_WRITE, [_columns(id, wake) for id, wake in wakes])


def _columns(id: int, wake: Wake) -> dict[str, Any]:
    return {
        "the_device": id,
        "new_guid": wake.guid,
        "new_told": wake.told,
        "new_until": wake.until,
        "new_numbers": {str(folder): number for folder, number in wake.numbers.items()},
        "new_pending": wake.pending,
        "new_due": wake.due,
        "new_why": wake.why,
        "new_repeats": wake.repeats,
        "new_way": wake.way.value,
        "new_young": wake.young,
        "new_parked": wake.parked,
    }
