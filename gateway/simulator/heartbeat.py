"""How a phone finds the longest heartbeat that its network lets live: arithmetic alone, no clock, no socket."""

from __future__ import annotations

from attrs import define, field, frozen

#: Losses in a row at a heartbeat that was good before, after which the network counts as another one.
DOUBT = 2


@frozen
class HeartbeatSet:
    """What an operator puts into the phone: all in seconds; C{step} 0 keeps the first value."""

    initial: int
    minimum: int
    step: int
    maximum: int

    @classmethod
    def fixed(cls, seconds: int) -> HeartbeatSet:
        """One heartbeat for ever, whatever the network does (the server's limits still hold)."""
        return cls(seconds, seconds, 0, seconds)


#: What phones of the first generation were seen to do: 480, 780, 1080 ... seconds.
PHONES = HeartbeatSet(initial=480, minimum=480, step=300, maximum=1680)
#: The example that the operators' guide works through: 15 minutes, then 8, 12, 16, and back to 12.
WORKED_EXAMPLE = HeartbeatSet(initial=900, minimum=480, step=240, maximum=3540)


@define(eq=False)
class Heartbeat:
    """The convergence of one phone on one network.

    C{seconds} is the heartbeat to ask for next, C{good} the longest one known to live (C{None}: none yet),
    C{settled} tells that a longer one failed, so that no longer one is tried on this network.
    """

    parameters: HeartbeatSet = PHONES
    seconds: int = field(init=False)
    good: int | None = field(init=False, default=None)
    settled: bool = field(init=False, default=False)
    _floor: int = field(init=False)
    _ceiling: int = field(init=False)
    _doubts: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Another network, or a restart: begin again, and forget the server's limits too."""
        self.seconds = self.parameters.initial
        self._floor, self._ceiling = self.parameters.minimum, self.parameters.maximum
        self.good = None
        self.settled = False
        self._doubts = 0

    def expired(self) -> None:
        """The server answered at the end of the interval: this heartbeat lives, try a longer one unless settled."""
        self._doubts = 0
        self.good = self.seconds
        if not self.settled:
            self.seconds = max(self.seconds, min(self.seconds + self.parameters.step, self._ceiling))

    def changed(self) -> None:
        """The Ping was ended by a change: that says nothing about the network, so nothing moves."""

    def lost(self) -> None:
        """No answer, or the connection broke while parked.

        Right after an increase the last good value is the ceiling of this network. Without a good value the
        minimum is tried. A good value that fails twice in a row is good no more.
        """
        if self.good is None:
            self.seconds = self._floor
        elif self.seconds > self.good:
            self.seconds = self.good
            self.settled = True
        else:
            self._doubts += 1
            if self._doubts >= DOUBT:
                self._start_over()

    def limited(self, limit: int) -> None:
        """Status 5: the server names the nearest interval that it takes, which is obeyed and never passed again."""
        if limit < self.seconds:
            self._ceiling = limit
            self._floor = min(self._floor, limit)
            self.good = None if self.good is None else min(self.good, limit)
        else:
            self._floor = limit
            self._ceiling = max(self._ceiling, limit)
            self.good = None if self.good is None or self.good < limit else self.good
        self.seconds = limit

    def _start_over(self) -> None:
        self.seconds = self._floor
        self.good = None
        self.settled = False
        self._doubts = 0
