"""The AUTD state of a device: which Ping parameters hold, and when a device asks in a senseless loop."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, field, frozen

from gateway.model import DeviceKey


@frozen
class Parameters:
    """[MS-ASCMD] 2.2.1.13: what a Ping asks: seconds to wait, and folders as (id, class word)."""

    interval: int
    folders: tuple[tuple[int, str], ...]


def merge(
    interval: int | None,
    folders: tuple[tuple[int, str], ...] | None,
    cached_interval: int | None,
    cached_folders: tuple[tuple[int, str], ...] | None,
) -> Parameters | None:
    """What holds for a request: its own elements, else the ones of the last accepted Ping.

    A folder list replaces the older one as a whole. C{None} if one of the two is known from nowhere.
    """
    interval = cached_interval if interval is None else interval
    folders = folders or cached_folders
    if interval is None or not folders:
        return None
    return Parameters(interval, folders)


#: A device may be told of the same unfetched change so often before answers are held back.
HASTY_FREE = 3
HASTY_MOST = 60.0


@define(eq=False)
class HasteGuard:
    """Holds back answers to a device that pings again and again without fetching what it was told of.

    The reference is the set of (folder, key counter) of the last answer given without parking; of C{size} devices,
    those that were told last.
    """

    size: int = 20_000
    _seen: dict[DeviceKey, tuple[frozenset[tuple[int, int]], int]] = field(init=False, factory=dict)

    def delay(self, device: DeviceKey, told: Iterable[tuple[int, int]]) -> float:
        """Seconds to hold back the answer that tells of these folders at these keys: 0 at first, then growing."""
        now = frozenset(told)
        before, count = self._seen.pop(device, (frozenset(), 0))
        count = count + 1 if before & now else 1
        self._seen[device] = (now, count)
        if len(self._seen) > self.size:
            del self._seen[next(iter(self._seen))]
        if count <= HASTY_FREE:
            return 0.0
        return float(min(HASTY_MOST, 2 ** min(count - HASTY_FREE - 1, 6)))

    def parked(self, device: DeviceKey) -> None:
        """The device found nothing new: it behaves."""
        self._seen.pop(device, None)
