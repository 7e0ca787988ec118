"""Which keys were written to a live connection, in memory until they are flushed."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

from attrs import define, field
from sqlalchemy import Connection, and_, bindparam, or_, select, update

from gateway.model import DeviceKey
from gateway.store.schema import collection, device, folder, sync_key

_MARK = (
    update(sync_key)
    .where(
        sync_key.c.counter == bindparam("the_counter"),
        sync_key.c.collection
        == select(collection.c.id)
        .join(device, device.c.id == collection.c.device)
        .join(folder, folder.c.id == collection.c.folder)
        .where(
            device.c.user == bindparam("the_user"),
            device.c.name == bindparam("the_name"),
            or_(folder.c.id == bindparam("the_folder"), and_(bindparam("the_folder") == 0, folder.c.path.is_(None))),
        )
        .scalar_subquery(),
    )
    .values(given=True)
)

Place = tuple[DeviceKey, int]


@define(eq=False)
class Given:
    """The counters given since the last flush, by device and folder; used by the reactor and the store's threads.

    Losing them does no harm: a look then compares with the key before, and the device is woken once for nothing.
    """

    _counters: dict[Place, int] = field(factory=dict, init=False)
    _lock: Lock = field(factory=Lock, init=False)

    def add(self, device: DeviceKey, folder: int, counter: int) -> None:
        """The answer with that key was written out."""
        with self._lock:
            self._counters[device, folder] = max(counter, self._counters.get((device, folder), 0))

    def counter(self, device: DeviceKey, folder: int) -> int:
        """The highest counter given, 0 if none is waiting here."""
        return self._counters.get((device, folder), 0)

    def waiting(self) -> dict[Place, int]:
        """What is to be written."""
        with self._lock:
            return dict(self._counters)

    def written(self, written: Mapping[Place, int]) -> None:
        """Forget what has been committed and not gone on since."""
        with self._lock:
            for place, counter in written.items():
                if self._counters.get(place) == counter:
                    del self._counters[place]


def mark(connection: Connection, given: Mapping[Place, int]) -> None:
    """Write down which keys were given."""
    rows = [
        {"the_counter": counter, "the_user": device.user, "the_name": device.device, "the_folder": folder}
        for (device, folder), counter in sorted(given.items())
    ]
    if rows:
        connection.execute(_MARK, rows)
