"""What a sync means for the triggers of a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import uuid4

from attrs import evolve
from sqlalchemy import Connection, bindparam, literal_column, select, update

from gateway.core.waking import came, renewed
from gateway.model import DeviceKey
from gateway.store.lines import device_id
from gateway.store.queue import withdraw
from gateway.store.rows import storable
from gateway.store.schema_sms import line as lines_table
from gateway.store.schema_sms import outbox
from gateway.store.schema_sms import wake as wakes_table
from gateway.store.wakes import lock_wakes, read_wakes, write_wakes
from gateway.trigger import Wake, WakeRule, Way

_EXPIRES = select(lines_table.c.expires).where(lines_table.c.device == bindparam("the_device"))
_RENEW = (
    update(lines_table).where(lines_table.c.device == bindparam("the_device")).values(expires=bindparam("new_expires"))
)
_OUTSIDE = (
    update(wakes_table)
    .where(wakes_table.c.device == bindparam("the_device"), wakes_table.c.outside != bindparam("the_guid"))
    .values(outside=bindparam("the_guid"))
)
# The trigger of a letter is late only once; this looks at each delivered one a single time.
_LOOKED = (
    update(outbox)
    .where(
        outbox.c.state == literal_column("'delivered'"),
        outbox.c.watched == literal_column("1"),
        outbox.c.at < bindparam("before"),
    )
    .values(watched=0)
    .returning(outbox.c.user, outbox.c.device, outbox.c.guid, outbox.c.at)
)


def unmoved(connection: Connection, key: DeviceKey, now: int, rule: WakeRule, lease: int) -> tuple[bool, Wake | None]:
    """Whether a sync changes nothing, and what is kept of the device."""
    found = read_wakes(connection, [key]).get(key)
    if found is None:
        return True, None
    id, wake = found
    expires = connection.execute(_EXPIRES, {"the_device": id}).scalar_one()
    return came(wake, "", rule, now) is wake and renewed(expires, lease, now) == expires, wake


def synced(connection: Connection, key: DeviceKey, now: int, rule: WakeRule, lease: int) -> Wake | None:
    """The device has synchronised: see L{gateway.interfaces.ITriggers.synced}."""
    found = lock_wakes(connection, [key]).get(key)
    if found is None:
        return None
    id, wake = found
    after = came(wake, str(uuid4()), rule, now)
    if after is not wake:
        write_wakes(connection, [(id, after)])
    if after.guid != wake.guid:
        withdraw(connection, key, now, "the device came before", foreign=False)
    _renew(connection, id, lease, now)
    return after


def _renew(connection: Connection, id: int | None, lease: int, now: int) -> None:
    """The device has shown that it is there."""
    expires = connection.execute(_EXPIRES, {"the_device": id}).scalar_one_or_none()
    if expires is not None and renewed(expires, lease, now) != expires:
        connection.execute(_RENEW, {"the_device": id, "new_expires": renewed(expires, lease, now)})


def outside_guid(connection: Connection, key: DeviceKey, guid: str, now: int, lease: int) -> bool:
    """Whether a GUID of another server is new; then what waits of that server is out of date, and the device is there:
    its lease is renewed."""
    id, guid = device_id(connection, key), storable(guid)
    new = connection.execute(_OUTSIDE, {"the_device": id, "the_guid": guid}).rowcount > 0
    if new:
        withdraw(connection, key, now, "the device came before", foreign=True)
        _renew(connection, id, lease, now)
    return new


def parks(connection: Connection, fared: Mapping[DeviceKey, tuple[int, int, bool]]) -> list[DeviceKey]:
    """Write down how the parks of devices fared; those that are back to Direct Push."""
    changed, back = [], []
    for key, (id, wake) in lock_wakes(connection, fared).items():
        parked, young, succeeded = fared[key]
        if succeeded and wake.way is Way.SMS:
            back.append(key)
        after = evolve(wake, parked=parked, young=young, way=Way.PUSH if succeeded else wake.way)
        if after != wake:
            changed.append((id, after))
    write_wakes(connection, changed)
    return back


def late(connection: Connection, before: int) -> Sequence[tuple[DeviceKey, float]]:
    """Devices that have not synchronised since a trigger was delivered before that time, with the first such time;
    these triggers are not named again."""
    rows = connection.execute(_LOOKED, {"before": before}).all()
    wakes = read_wakes(connection, {DeviceKey(row.user, row.device) for row in rows})
    found: dict[DeviceKey, float] = {}
    for row in sorted(rows, key=lambda row: float(row.at)):
        key = DeviceKey(row.user, row.device)
        if key in wakes and row.guid == wakes[key][1].guid:
            found.setdefault(key, row.at)
    return list(found.items())
