"""The partnerships."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from gateway.model import Device, DeviceKey
from gateway.store.codec import dump_admission, dump_policy, dump_wipe, load_admission, load_policy, load_wipe
from gateway.store.keys import enrol_devices
from gateway.store.rows import storable
from gateway.store.schema import collection, folder, sync_key
from gateway.store.schema import device as table

_KNOWN = select(table).where(table.c.known.is_(True))
_ONE = _KNOWN.where(table.c.user == bindparam("the_user"), table.c.name == bindparam("the_name"))
_ALL = _KNOWN.order_by(table.c.user, table.c.name)
_OF_USER = _ALL.where(table.c.user == bindparam("the_user"))
_WRITE = update(table).where(table.c.user == bindparam("the_user"), table.c.name == bindparam("the_name"))


def device(connection: Connection, key: DeviceKey) -> Device | None:
    """One partnership, or C{None}."""
    row = connection.execute(_ONE, {"the_user": key.user, "the_name": key.device}).one_or_none()
    return None if row is None else _device(row)


def devices(connection: Connection, user: str | None) -> list[Device]:
    """All partnerships, or those of one user."""
    rows = connection.execute(_ALL) if user is None else connection.execute(_OF_USER, {"the_user": user})
    return [_device(row) for row in rows]


def keep(connection: Connection, device: Device) -> None:
    """Write a partnership, new or known."""
    columns = _columns(device)
    where = {"the_user": device.key.user, "the_name": device.key.device}
    if not connection.execute(_WRITE, {**where, **columns}).rowcount:
        enrol_devices(connection, [device.key])
        connection.execute(_WRITE, {**where, **columns})


def keep_all(connection: Connection, devices: Sequence[Device]) -> None:
    """Write many partnerships, new or known."""
    if devices:
        enrol_devices(connection, [device.key for device in devices])
        rows = [{"the_user": one.key.user, "the_name": one.key.device, **_columns(one)} for one in devices]
        connection.execute(_WRITE, rows)


def forget(connection: Connection, key: DeviceKey) -> None:
    """End a partnership: nothing of it is left but the counters of its keys, so that none of them is made again."""
    # Whoever makes a key holds the lock of the folder; with all of them held, no key can come after this.
    connection.execute(select(folder.c.id).where(folder.c.user == key.user).order_by(folder.c.id).with_for_update())
    owner = select(table.c.id).where(table.c.user == key.user, table.c.name == key.device).scalar_subquery()
    chains = select(collection.c.id).where(collection.c.device == owner)
    connection.execute(delete(sync_key).where(sync_key.c.collection.in_(chains)))
    blank = _columns(Device(key))
    where = {"the_user": key.user, "the_name": key.device}
    connection.execute(_WRITE, {**where, **blank, "known": False})


def _columns(device: Device) -> dict[str, Any]:
    return {
        "known": True,
        "type": storable(device.type),
        "agent": storable(device.agent),
        "version": storable(device.version),
        "first_seen": device.first_seen,
        "last_seen": device.last_seen,
        "last_sync": device.last_sync,
        "last_ping": device.last_ping,
        "heartbeat": device.heartbeat,
        "folders": None if device.folders is None else [list(folder) for folder in device.folders],
        "information": dict(device.information),
        "policy": dump_policy(device.policy),
        "wipe": dump_wipe(device.wipe),
        "recovery": storable(device.recovery) or None,
        "admission": dump_admission(device.admitted, device.told),
    }


def _device(row: Row[Any]) -> Device:
    admitted, told = load_admission(row.admission)
    return Device(
        key=DeviceKey(row.user, row.name),
        type=row.type,
        agent=row.agent,
        version=row.version,
        first_seen=row.first_seen,
        last_seen=row.last_seen,
        last_sync=row.last_sync,
        last_ping=row.last_ping,
        heartbeat=row.heartbeat,
        folders=None if row.folders is None else tuple((int(id), name) for id, name in row.folders),
        information=row.information or {},
        policy=load_policy(row.policy),
        wipe=load_wipe(row.wipe),
        recovery=row.recovery or "",
        admitted=admitted,
        told=told,
    )
