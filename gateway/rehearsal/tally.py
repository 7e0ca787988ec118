"""What is counted of one phone while a rehearsal goes on."""

from __future__ import annotations

from array import array

from attrs import define, field

#: The radio stays awake for so many seconds after the last byte: what comes within is no new wake-up.
RADIO_TAIL = 10.0
#: What is counted by the day.
COUNTS = (
    *("heartbeats", "told", "lost_parks", "lost_answers", "syncs", "empty_syncs", "items", "connects", "folder_syncs"),
    *("sms", "sms_lost", "sms_received", "sms_ignored", "cost", "wakeups", "switches"),
)


@define(eq=False)
class Tally:
    """Counts of one phone, and the latencies of its changes in seconds.

    C{waits}: from change to synchronised; C{announced}: from change to the phone's learning that there is one.
    C{never}: changes that it had not been given at the end of the rehearsal. C{heartbeat}: the longest one that was
    seen to live, in seconds, 0 if none did, C{None} for a phone that parks no requests.
    """

    waits: array[float] = field(factory=lambda: array("f"))
    announced: array[float] = field(factory=lambda: array("f"))
    changes: int = 0
    never: int = 0
    heartbeats: int = 0
    told: int = 0
    lost_parks: int = 0
    lost_answers: int = 0
    syncs: int = 0
    empty_syncs: int = 0
    items: int = 0
    connects: int = 0
    folder_syncs: int = 0
    sms: int = 0
    sms_lost: int = 0
    sms_received: int = 0
    sms_ignored: int = 0
    cost: float = 0.0
    wakeups: int = 0
    switches: int = 0
    heartbeat: int | None = None
    settled: bool = False
    _awake: float = field(init=False, default=float("-inf"))

    def counts(self) -> dict[str, float]:
        """Everything that is counted by the day, by name."""
        return {name: getattr(self, name) for name in COUNTS}

    def active(self, time: float) -> None:
        """The radio sends or receives data now."""
        if time > self._awake + RADIO_TAIL:
            self.wakeups += 1
        self._awake = max(self._awake, time)
