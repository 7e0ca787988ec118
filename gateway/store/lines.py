"""Lines, and what is kept of the devices that have one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.core.waking import LONGEST
from gateway.model import DeviceKey, Folder
from gateway.store.keys import enrol_devices
from gateway.store.queue import withdraw
from gateway.store.rows import chunks, folder_of, possible, storable
from gateway.store.schema import device, folder
from gateway.store.schema_sms import line as table
from gateway.store.schema_sms import wake as wakes_table
from gateway.store.wakes import PUT_OFF, WAKE_COLUMNS, wake_of
from gateway.store.wanted import chosen, for_each, given_devices
from gateway.trigger import Concerned, Line, Wake

_LINE_COLUMNS = (
    device.c.user,
    device.c.name.label("device_name"),
    table.c.number,
    table.c.operator,
    table.c.address,
    table.c.format,
    table.c.name,
    table.c.since,
    table.c.expires,
    table.c.by,
)
_LINES = (
    select(*_LINE_COLUMNS)
    .select_from(table.join(device, device.c.id == table.c.device))
    .order_by(device.c.user, device.c.name)
)
_OF_USER = _LINES.where(device.c.user == bindparam("the_user"))
_OF_NUMBER = _LINES.where(table.c.number == bindparam("the_number"))
_BOTH = select(*_LINE_COLUMNS, *WAKE_COLUMNS).select_from(
    device.join(table, table.c.device == device.c.id).join(wakes_table, wakes_table.c.device == device.c.id)
)
_BOTH_OF_USERS = _BOTH.where(device.c.user.in_(bindparam("users", expanding=True)))
_BOTH_OF_DEVICES = for_each(
    lambda wanted: select(*_LINE_COLUMNS, *WAKE_COLUMNS).select_from(
        wanted.keys.join(device, (device.c.user == wanted.text[0]) & (device.c.name == wanted.text[1]))
        .join(table, table.c.device == device.c.id)
        .join(wakes_table, wakes_table.c.device == device.c.id)
    )
)
_DUE = _BOTH.where(PUT_OFF, wakes_table.c.due <= bindparam("now")).order_by(wakes_table.c.due).limit(bindparam("most"))
_MISDATED = _BOTH.where(PUT_OFF, wakes_table.c.due > bindparam("too_late")).limit(bindparam("most"))
_LIVE = select(folder).where(folder.c.path.isnot(None), folder.c.removed.is_(None))
_FOLDERS = _LIVE.where(folder.c.id.in_(bindparam("ids", expanding=True)))
_FOLDERS_OF = _LIVE.where(folder.c.user.in_(bindparam("users", expanding=True))).order_by(folder.c.id)
_HEADS = (
    select(folder.c.user, folder.c.id, folder.c.head)
    .where(
        folder.c.path.isnot(None),
        folder.c.removed.is_(None),
        folder.c.head > 0,
        folder.c.user.in_(select(device.c.user).join(table, table.c.device == device.c.id)),
    )
    .order_by(folder.c.id)
)
_ID = select(device.c.id).where(device.c.user == bindparam("the_user"), device.c.name == bindparam("the_name"))


def line_of(row: Sequence[Any]) -> Line:
    """The first columns of a row as a value."""
    return Line(DeviceKey(row[0], row[1]), *row[2:10])


def _pair(row: Sequence[Any]) -> tuple[Line, Wake]:
    line = line_of(row)
    return line, wake_of(line.key, row[10:])


def lines(connection: Connection, user: str | None) -> list[Line]:
    """All lines, or those of one user, by user and device."""
    rows = connection.execute(_LINES) if user is None else connection.execute(_OF_USER, {"the_user": user})
    return [line_of(row) for row in rows]


def lines_of(connection: Connection, number: str) -> list[Line]:
    """The lines with that number."""
    return [line_of(row) for row in connection.execute(_OF_NUMBER, {"the_number": storable(number)})]


def device_id(connection: Connection, key: DeviceKey) -> int | None:
    """The number of a device's row, if it has one."""
    found = connection.execute(_ID, {"the_user": key.user, "the_name": key.device}).scalar_one_or_none()
    return None if found is None else int(found)


def keep_line(connection: Connection, line: Line, now: float) -> None:
    """Write a line, new or known; what was on its way to another number does not count any more."""
    enrol_devices(connection, [line.key])
    id = device_id(connection, line.key)
    columns = {
        "number": storable(line.number),
        "operator": storable(line.operator),
        "address": storable(line.address),
        "format": line.format,
        "name": storable(line.name),
        "since": line.since,
        "expires": line.expires,
        "by": line.by,
    }
    before = connection.execute(select(table).where(table.c.device == id)).one_or_none()
    if before is None:
        connection.execute(insert(table).values(device=id, **columns))
    else:
        connection.execute(update(table).where(table.c.device == id).values(**columns))
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    blank = {"told": "", "until": 0, "numbers": {}, "pending": False, "due": 0, "why": "", "repeats": 0}
    more = {"way": "push", "young": 0, "parked": 0, "outside": ""}
    made = dialect.insert(wakes_table).values(device=id, guid=str(uuid4()), **blank, **more)
    connection.execute(made.on_conflict_do_nothing())
    if before is not None and (before.number, before.address) != (line.number, line.address):
        connection.execute(update(wakes_table).where(wakes_table.c.device == id).values(told="", repeats=0))
        withdraw(connection, line.key, now, "the line leads elsewhere")


def drop_line(connection: Connection, key: DeviceKey, now: float) -> bool:
    """End a registration; whether there was one."""
    id = device_id(connection, key)
    dropped = id is not None and connection.execute(delete(table).where(table.c.device == id)).rowcount > 0
    if dropped:
        connection.execute(delete(wakes_table).where(wakes_table.c.device == id))
        withdraw(connection, key, now, "the line was given up")
    return dropped


def concerned(connection: Connection, folders: Sequence[int]) -> list[Concerned]:
    """The devices with a line whose user owns one of these folders, and which of them."""
    changed: dict[str, list[Folder]] = {}
    for some in chunks(possible(folders)):
        for row in connection.execute(_FOLDERS, {"ids": list(some)}):
            changed.setdefault(row.user, []).append(folder_of(row))
    found = []
    for users in chunks(sorted(changed)):
        for row in connection.execute(_BOTH_OF_USERS, {"users": list(users)}):
            line, wake = _pair(row)
            found.append(Concerned(line, tuple(changed[line.key.user]), wake))
    return found


def wakes(connection: Connection, keys: Sequence[DeviceKey]) -> list[Concerned]:
    """Those devices that have a line, with all folders of their users."""
    rows = connection.execute(chosen(connection, _BOTH_OF_DEVICES), given_devices(keys))
    return _with_folders(connection, [_pair(row) for row in rows])


def _with_folders(connection: Connection, found: Sequence[tuple[Line, Wake]]) -> list[Concerned]:
    folders = _folders_of(connection, {line.key.user for line, _ in found})
    return [Concerned(line, tuple(folders.get(line.key.user, ())), wake) for line, wake in found]


def _folders_of(connection: Connection, users: Iterable[str]) -> dict[str, list[Folder]]:
    folders: dict[str, list[Folder]] = {}
    for some in chunks(sorted(users)):
        for row in connection.execute(_FOLDERS_OF, {"users": list(some)}):
            folders.setdefault(row.user, []).append(folder_of(row))
    return folders


def due(connection: Connection, now: int, most: int) -> list[Concerned]:
    """The devices whose decision is due, oldest first; also those put off to a time that no clock meant."""
    rows = list(connection.execute(_DUE, {"now": now, "most": most}))
    if len(rows) < most:
        rows += connection.execute(_MISDATED, {"too_late": now + LONGEST, "most": most - len(rows)})
    return _with_folders(connection, [_pair(row) for row in rows])


def unsure(connection: Connection) -> list[Concerned]:
    """The devices with a line and those folders of their users that have changed since their last decision."""
    heads: dict[str, list[tuple[int, int]]] = {}
    for user, id, head in connection.execute(_HEADS):
        heads.setdefault(user, []).append((id, head))
    changed: dict[DeviceKey, list[int]] = {}
    pairs = []
    for row in connection.execute(_BOTH):
        line, wake = pair = _pair(row)
        ids = [id for id, head in heads.get(line.key.user, ()) if head > wake.numbers.get(id, 0)]
        if ids:
            changed[line.key] = ids
            pairs.append(pair)
    folders: dict[int, Folder] = {}
    for some in chunks(sorted({id for ids in changed.values() for id in ids})):
        folders.update((row.id, folder_of(row)) for row in connection.execute(_FOLDERS, {"ids": list(some)}))
    return [Concerned(line, tuple(folders[id] for id in changed[line.key]), wake) for line, wake in pairs]
