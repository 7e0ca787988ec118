"""Scheduled synchronisation, the baseline: every so many minutes, whether there is anything new or not."""

from __future__ import annotations

from attrs import define, field

from gateway.rehearsal.phone import Phone


@define(eq=False)
class Timetable:
    """A phone that synchronises every C{interval} seconds, C{offset} seconds after the start for the first time.

    Synchronisations that find nothing are counted when the rehearsal is over, and not played.
    """

    phone: Phone
    interval: float
    offset: float
    start: float
    _due: bool = field(init=False, default=False)
    _played: int = field(init=False, default=0)

    def changed(self) -> None:
        """There is something new: the next synchronisation is to be played."""
        if not self._due:
            self._due = True
            self.phone.clock.call_at(self._next(self.phone.clock.now), self._synchronise)

    def _next(self, time: float) -> float:
        """The next moment of the timetable at which the phone has a network."""
        first = self.start + self.offset
        while True:
            rounds = max(0.0, -((first - time) // self.interval))
            at = first + rounds * self.interval
            back = self.phone.coverage.back(at)
            if back == at:
                return at
            time = back

    def _synchronise(self) -> None:
        self._due = False
        self._played += 1
        self.phone.tally.connects += 1
        self.phone.synchronise()

    def over(self, end: float) -> None:
        """Count the synchronisations of the timetable that found nothing."""
        phone = self.phone
        with_network = end - self.start - phone.coverage.without(self.start, end)
        idle = max(0, int(with_network / self.interval) - self._played)
        tally = phone.tally
        tally.syncs += idle * len(phone.folders)
        tally.empty_syncs += idle * len(phone.folders)
        tally.connects += idle
        tally.wakeups += idle
