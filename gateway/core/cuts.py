"""After how long the parked requests of devices were cut: what tells a firewall from a phone that is off."""

from __future__ import annotations

from array import array

from attrs import define, field

from gateway.model import DeviceKey, Ending

#: So many are remembered of a device.
KEPT = 8
LONGEST = 0xFFFF
_CUT = (Ending.LOST, Ending.REPLACED)
_ANSWERED = (Ending.CHANGED, Ending.EXPIRED)


@define(eq=False)
class Cuts:
    """The last parked requests of each device that lost their connection, up to the last one that was answered.

    One that a newer request of the device replaced is among them: its connection was cut, and only the device has
    noticed. Nothing is remembered of a device whose last one was answered, and some 50 bytes of any other; of C{most}
    devices at most, those cut longest ago go first.
    """

    most: int = 100_000
    _cuts: dict[DeviceKey, bytes] = field(init=False, factory=dict)

    def ended(self, key: DeviceKey, ending: Ending, since: float, at: float) -> None:
        """A Watch is over; C{since} and C{at} on the clock of the core. One that a recall ended tells nothing."""
        if ending in _ANSWERED:
            self._cuts.pop(key, None)
        elif ending in _CUT:
            lasted = array("H", [min(LONGEST, max(0, round(at - since)))])
            row = lasted.tobytes() + self._cuts.pop(key, b"")
            if len(self._cuts) >= self.most:
                del self._cuts[next(iter(self._cuts))]
            self._cuts[key] = row[: KEPT * lasted.itemsize]

    def of(self, key: DeviceKey) -> tuple[float, ...]:
        """After how many seconds they were cut, in whole ones, the last one first."""
        return tuple(map(float, array("H", self._cuts.get(key, b""))))
