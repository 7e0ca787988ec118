"""What is kept of each device with a line, as rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, bindparam, literal_column, select, update

from gateway.model import DeviceKey
from gateway.store.bulk import bulk
from gateway.store.schema import device
from gateway.store.schema_sms import wake as table
from gateway.store.wanted import chosen, for_each, given_devices, locking
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
#: The condition of the index, as it has to be written to be used.
PUT_OFF = table.c.due > literal_column("0")
_WAYS = {way.value: way for way in Way}

_READ = for_each(
    lambda wanted: select(device.c.user, device.c.name, device.c.id, *WAKE_COLUMNS).select_from(
        wanted.keys.join(device, (device.c.user == wanted.text[0]) & (device.c.name == wanted.text[1])).join(
            table, table.c.device == device.c.id
        )
    )
)
_LOCK = locking(_READ, table, device.c.id)
_WRITE = bulk(
    update(table)
    .where(table.c.device == bindparam("the_device"))
    .values({column.name: bindparam(f"new_{column.name}") for column in WAKE_COLUMNS}),
    *(f"new_{column.name}" for column in WAKE_COLUMNS),
    "the_device",
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
    for row in connection.execute(chosen(connection, statements), given_devices(set(keys))).all():
        key = DeviceKey(row[0], row[1])
        found[key] = (row[2], wake_of(key, row[3:]))
    return found


def write_wakes(connection: Connection, wakes: Sequence[tuple[int, Wake]]) -> None:
    """Write them by the numbers of their devices."""
    _WRITE.run(connection, [_row(id, wake) for id, wake in wakes])


def _row(id: int, wake: Wake) -> tuple[Any, ...]:
    return (
        wake.guid,
        wake.told,
        wake.until,
        json.dumps(wake.numbers),
        wake.pending,
        wake.due,
        wake.why,
        wake.repeats,
        wake.way.value,
        wake.young,
        wake.parked,
        id,
    )
