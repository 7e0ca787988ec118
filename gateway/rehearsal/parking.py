"""Direct Push on a simulated phone: parks a Ping, finds its heartbeat, and loses connections as its network does."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from gateway.core.switchboard import Switchboard
from gateway.eas.call import Answer, Call, Unavailable, Version
from gateway.element import Element
from gateway.model import Ending
from gateway.rehearsal.clock import Call as Timer
from gateway.rehearsal.phone import Phone
from gateway.simulator.heartbeat import Heartbeat
from gateway.simulator.network import Mode
from gateway.simulator.parking import CHANGED, EXPIRED, HIERARCHY, OUT_OF_BOUNDS, read_ping

#: How much longer than its heartbeat a phone waits for the answer, in seconds.
SLACK = 10.0
#: After an answer that helps nothing the phone asks again so much later, in seconds.
AGAIN = 60.0


@define(eq=False)
class Parking:
    """The parked request of one phone; at most one is under way.

    What happens to it is foreseen when it is parked: the end of its interval, a cut, a gap in the coverage. Once the
    heartbeat grows no more and lives, nothing but a gap or a Change can end the chain of equal rounds, so that they
    are counted when one of these comes.
    """

    phone: Phone
    board: Switchboard
    ping: Callable[[Call], Deferred[Answer]]
    heartbeat: Heartbeat
    history: list[int] = field(init=False, factory=list)
    _turn: int = field(init=False, default=0)
    _since: float = field(init=False, default=0.0)
    _fate: Timer | None = field(init=False, default=None)
    _steady: bool = field(init=False, default=False)
    _counting: bool = field(init=False, default=False)
    _dead: float = field(init=False, default=0.0)
    _connected: bool = field(init=False, default=False)
    _calls: dict[int, Call] = field(init=False, factory=dict)
    _broken: Failure | None = field(init=False, default=None)

    def park(self) -> None:
        """Ask, as soon as there is a network."""
        phone = self.phone
        if not phone.online():
            self._later(phone.coverage.back(phone.clock.now), self.park)
            return
        self._turn += 1
        self._since, self._dead, self._counting = phone.clock.now, float("inf"), False
        phone.tally.active(self._since)
        if not self._connected:
            phone.tally.connects += 1
            self._connected = True
        if not self.history or self.history[-1] != self.heartbeat.seconds:
            self.history.append(self.heartbeat.seconds)
        self._foresee()
        try:
            answering = self.ping(self._call(self.heartbeat.seconds))
        except Unavailable as busy:
            self._later(self._since + busy.retry_after, self.park)
            return
        answering.addCallbacks(self._answered, self._failed, (self._turn,))

    def over(self) -> None:
        """The days are over: count what has lived until now.

        @raise Exception: what went wrong with a Ping.
        """
        if self._broken is not None:
            self._broken.raiseException()
        self._count()
        tally = self.phone.tally
        tally.heartbeat = self.heartbeat.good or 0
        tally.settled = self.heartbeat.settled or self._steady

    def _call(self, interval: int) -> Call:
        """The request; the same again is not made again."""
        if interval not in self._calls:
            self._calls[interval] = self._made(interval)
        return self._calls[interval]

    def _made(self, interval: int) -> Call:
        folders = [
            Element("Ping:Folder", Element("Ping:Id", folder), Element("Ping:Class", "Email"))
            for folder in self.phone.folders
        ]
        body = Element("Ping:Ping", Element("Ping:HeartbeatInterval", interval), Element("Ping:Folders", *folders))
        return Call(self.phone.key, "Ping", Version.V2_5, body=body)

    # What will happen to it.

    def _later(self, time: float, what: Callable[[], None]) -> None:
        if self._fate is not None and self._fate.active():
            self._fate.cancel()
        self._fate = self.phone.clock.call_at(time, what)

    def _foresee(self) -> None:
        """Set the fate of the request that is parked now."""
        network, interval = self.phone.network, self.heartbeat.seconds
        gap, _ = self.phone.coverage.next(self._since)
        if network.lives(interval):
            end, fate = self._since + interval, self._expire
            if self._steady:
                self._counting, end = True, float("inf")
        elif network.cut is Mode.RESET:
            end, fate = self._since + network.idle, self._reset
        else:
            self._dead = self._since + network.idle
            end, fate = self._since + interval + SLACK, self._given_up
        if gap < end:
            end, fate = gap, self._gone
            self._dead = min(self._dead, gap)
        if end < float("inf"):
            self._later(end, fate)
        elif self._fate is not None and self._fate.active():
            self._fate.cancel()

    def _expire(self) -> None:
        """The interval is over, and the connection lives."""
        claim = self.board.claim_of(self.phone.key)
        if claim is not None:
            claim.end(Ending.EXPIRED)

    def _reset(self) -> None:
        """Both ends are told that the connection is cut."""
        claim = self.board.claim_of(self.phone.key)
        if claim is not None:
            claim.end(Ending.LOST)
        self._lost()

    def _given_up(self) -> None:
        """No answer came: the connection must have been cut, and the server does not know it."""
        self._lost()

    def _lost(self) -> None:
        self.heartbeat.lost()
        self._steady = self._connected = False
        self.phone.tally.lost_parks += 1
        self.park()

    def _gone(self) -> None:
        """No network any more: the phone knows and comes back with it; the server learns it then."""
        self._count()
        self._connected = False
        self.phone.tally.lost_parks += 1
        self._later(self.phone.coverage.back(self.phone.clock.now), self.park)

    def _count(self) -> None:
        """Count the rounds of the same heartbeat that were not played."""
        if self._counting:
            rounds = int((self.phone.clock.now - self._since) // (self.heartbeat.seconds + self.phone.network.trip))
            self.phone.tally.heartbeats += rounds
            self.phone.tally.wakeups += rounds
            self._counting = False

    # What is answered.

    def _failed(self, failure: Failure) -> None:
        """A request that was lost is cancelled; anything else has no place in a rehearsal."""
        if not failure.check(CancelledError):
            self._broken = failure

    def _answered(self, answer: Answer, turn: int) -> None:
        if turn != self._turn:
            # The older request, whose place a newer one took: nobody waits for its answer.
            return
        said = read_ping(answer.element)
        self._count()
        if said.status == CHANGED:
            if self.phone.clock.now >= self._dead:
                self.phone.tally.lost_answers += 1
                return
            self._told()
        elif said.status == EXPIRED:
            self._expired()
        elif said.status == OUT_OF_BOUNDS:
            self.heartbeat.limited(said.limit)
            self._soon(self.park)
        elif said.status == HIERARCHY:
            self.phone.refolder()
            self._soon(self.park)
        else:
            self._later(self.phone.clock.now + AGAIN, self.park)

    def _soon(self, what: Callable[[], None]) -> None:
        self._later(self.phone.clock.now + self.phone.network.trip, what)

    def _told(self) -> None:
        self._turn += 1
        if self._fate is not None and self._fate.active():
            self._fate.cancel()
        self.heartbeat.changed()
        self.phone.tally.told += 1
        self.phone.tally.active(self.phone.clock.now)
        self.phone.heard()
        self.phone.synchronise(self.park)

    def _expired(self) -> None:
        before = self.heartbeat.seconds
        self.heartbeat.expired()
        self._steady = self.heartbeat.seconds == before
        self.phone.tally.heartbeats += 1
        self.phone.tally.active(self.phone.clock.now)
        self._soon(self.park)
