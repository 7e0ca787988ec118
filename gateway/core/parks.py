"""How the parked requests of devices with a line fare, for mode C{auto}."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field

from gateway.model import DeviceKey, Ending

_CUT = (Ending.LOST, Ending.REPLACED)
_ANSWERED = (Ending.CHANGED, Ending.EXPIRED)


@define
class Park:
    """What is remembered of a device: when a park was seen last (wall clock), when one ended last and by what (on
    the clock of the core), how many died young in a row, and whether one succeeded since that was written down."""

    seen: int = 0
    over: float = float("-inf")
    ending: Ending | None = None
    young: int = 0
    succeeded: bool = False


@define(eq=False)
class Parks:
    """Remembers only devices that C{remembered} asks for: those with a line.

    A park dies young if its connection is lost, or a newer request takes its place, before C{young_seconds}: somebody
    on the way cuts connections. One that is answered, or that lasts longer, ends the row; only that a change came
    early enough says nothing of a network that cuts.
    """

    remembered: Callable[[DeviceKey], bool]
    now: Callable[[], int]
    young_seconds: float = 300.0
    _parks: dict[DeviceKey, Park] = field(init=False, factory=dict)
    _unwritten: set[DeviceKey] = field(init=False, factory=set)

    def ended(self, key: DeviceKey, ending: Ending, since: float, at: float) -> None:
        """A Watch is over; C{since} and C{at} on the clock of the core."""
        if not self.remembered(key):
            return
        park = self._parks.setdefault(key, Park())
        park.seen, park.over, park.ending = self.now(), at, ending
        young = at - since < self.young_seconds
        if young and ending in _CUT:
            park.young += 1
        elif not (young and park.young and ending is Ending.CHANGED):
            park.young = 0
            park.succeeded = park.succeeded or ending in _ANSWERED
        self._unwritten.add(key)

    def was_told(self, key: DeviceKey, since: float) -> bool:
        """Whether a Change ended a Watch of that device at that time or later: Direct Push has it."""
        park = self._parks.get(key)
        return park is not None and park.ending is Ending.CHANGED and park.over >= since

    def forget(self, key: DeviceKey) -> None:
        """The device has no line any more."""
        self._parks.pop(key, None)
        self._unwritten.discard(key)

    def take(self) -> dict[DeviceKey, tuple[int, int, bool]]:
        """What is to be written down, as L{gateway.interfaces.ITriggers.parks} wants it."""
        unwritten, self._unwritten = self._unwritten, set()
        taken = {key: (park.seen, park.young, park.succeeded) for key, park in self._parks.items() if key in unwritten}
        for key in taken:
            self._parks[key].succeeded = False
        return taken

    def put_back(self, taken: dict[DeviceKey, tuple[int, int, bool]]) -> None:
        """It could not be written down."""
        for key, (_, _, succeeded) in taken.items():
            park = self._parks.get(key)
            if park is not None:
                park.succeeded = park.succeeded or succeeded
                self._unwritten.add(key)
