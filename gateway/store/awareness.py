"""Which changes devices know of by the answer to a command other than Sync, so that nobody need wake them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from threading import Lock

from attrs import define, field

from gateway.model import DeviceKey

Span = tuple[int, int]
"""The first and the last of some Versions of one folder."""

Place = tuple[DeviceKey, int]


@define(eq=False)
class Awareness:
    """Spans of Versions by device and folder; used by the reactor and the store's threads.

    They live in memory alone, at most C{spans} for a folder and C{places} in all: forgetting one does no harm, the
    device is woken once for nothing.
    """

    spans: int = 16
    places: int = 20_000
    _known: dict[Place, tuple[Span, ...]] = field(factory=dict, init=False)
    _lock: Lock = field(factory=Lock, init=False)

    def add(self, device: DeviceKey, numbers: Iterable[tuple[int, int, int]]) -> None:
        """The device knows of these numbers: folder, first, last."""
        with self._lock:
            for folder, first, last in numbers:
                known = self._known.pop((device, folder), ())
                if known and known[-1][1] + 1 == first:
                    first, known = known[-1][0], known[:-1]
                self._known[device, folder] = (*known, (first, last))[-self.spans :]
            while len(self._known) > self.places:
                del self._known[next(iter(self._known))]

    def remove(self, device: DeviceKey, numbers: Iterable[tuple[int, int, int]]) -> None:
        """The device does not know of these after all."""
        with self._lock:
            for folder, first, last in numbers:
                known = self._known.pop((device, folder), ())
                left = tuple(part for span in known for part in _without(span, first, last))
                if left:
                    self._known[device, folder] = left

    def of(self, device: DeviceKey, folder: int) -> Sequence[Span]:
        """What the device knows of in that folder."""
        return self._known.get((device, folder), ())


def _without(span: Span, first: int, last: int) -> list[Span]:
    """What is left of a span without the numbers from C{first} to C{last}."""
    parts = [(span[0], min(span[1], first - 1)), (max(span[0], last + 1), span[1])]
    return [part for part in parts if part[0] <= part[1]]
