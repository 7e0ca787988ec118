"""Requests that are parked until a folder changes: what Ping and the hanging Sync have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from gateway.core.autd import HasteGuard
from gateway.core.berths import Berths
from gateway.core.heartbeat import HeartbeatLimits, HeartbeatWindow
from gateway.core.levels import Levels
from gateway.core.partnerships import Partnerships
from gateway.core.policy import Policy
from gateway.core.switchboard import Claim, Crowded, Ended, Switchboard
from gateway.eas.call import Unavailable
from gateway.interfaces import ILedger
from gateway.model import Device, DeviceKey, Ending, Look, Looked, Standing

#: Seconds between looks while the ledger does not answer: doubled up to the last.
RETRY_FIRST, RETRY_LAST = 1.0, 60.0
#: So many looks in a row may find less than was heard of: changes come while a look is under way.
BEHIND_FREE = 3
#: How long after its interval a request still waits for a look, in seconds.
LOOK_GRACE = 0.5
#: What a device is told that comes when all berths are taken.
FULL_RETRY = 60


@frozen
class ParkingLimits:
    """What can be configured: bounds of the interval, folders of a Ping, seconds of grace, whether only adds count."""

    heartbeat: HeartbeatLimits = field(factory=HeartbeatLimits)
    max_folders: int = 300
    grace: float = 0.0
    adds_only: bool = False


class Why(Enum):
    """Why a request waits no longer; C{EXPIRED} also because a newer one took its place, C{FAILED} because nothing
    could be watched until its time was over."""

    EXPIRED = "expired"
    CHANGED = "changed"
    HIERARCHY = "hierarchy"
    FAILED = "failed"
    RECALLED = "recalled"


@frozen
class Over:
    """The waiting is over.

    With C{CHANGED} C{told} are the folders with news, and the counters of the keys that say so; C{at} is when the
    Change came, C{None} if it was there already. C{reason} is that of a recall.
    """

    why: Why
    told: tuple[tuple[int, int], ...] = ()
    at: float | None = None
    reason: str = ""


@define(eq=False)
class Parking:
    """What parked requests share.

    C{stands} tells whether a device may be parked as far as policy and wipe go; C{announced} is told of each answer
    that tells a device of changed folders, C{delivered} the seconds from the Change to it, if the device was parked.
    All but the Switchboard may be replaced while devices are parked.
    """

    log = Logger()

    clock: IReactorTime
    now: Callable[[], int]
    ledger: ILedger
    partnerships: Partnerships
    board: Switchboard
    policy: Policy
    stands: Callable[[Device], bool]
    window: HeartbeatWindow
    berths: Berths = field(factory=Berths)
    limits: ParkingLimits = field(factory=ParkingLimits)
    delivered: Callable[[float], None] = lambda seconds: None
    announced: Callable[[DeviceKey, Sequence[int]], None] = lambda device, folders: None
    levels: Levels = field(init=False)
    haste: HasteGuard = field(init=False, factory=HasteGuard)

    def __attrs_post_init__(self) -> None:
        self.levels = Levels(self.board)

    def take(self, device: DeviceKey, address: str, command: str) -> Held:
        """Take the device's place for a request that has arrived; an older one that is parked is over.

        @raise Unavailable: requests of the device replace each other too quickly.
        """
        try:
            claim = self.board.claim(device, command)
        except Crowded as crowded:
            raise Unavailable(str(crowded), crowded.retry_after) from crowded
        return Held(self, claim, address, self.clock.seconds())

    def accepted(self, interval: int) -> None:
        """Count a heartbeat that was accepted, and raise the alarm when they are too short."""
        if self.window.add(interval):
            self.log.warn(
                "event 3033: the last {count} heartbeats were {average:.0f} s long on average,"
                " at or under {threshold} s: something on the way cuts idle connections early",
                event_id=3033,
                count=len(self.window),
                average=self.window.average,
                threshold=self.window.threshold,
            )

    def told_of(
        self, device: DeviceKey, over: Over, written: Callable[[bool], None] | None = None
    ) -> Callable[[bool], None]:
        """What is to be called when the answer was written that tells of a Change, C{written} included."""
        at, folders = over.at, [folder for folder, _ in over.told]

        def tell(live: bool) -> None:
            if written is not None:
                written(live)
            if live:
                self.announced(device, folders)
            if live and at is not None:
                self.delivered(self.clock.seconds() - at)

        return tell


@define(eq=False)
class Held:
    """One request from its arrival until it is known what to answer.

    It waits until C{interval} seconds after it C{began}, for changes of C{folders}; C{quiet}: for none of them.
    """

    parking: Parking
    claim: Claim
    address: str
    began: float
    interval: int = 0
    folders: tuple[int, ...] = ()
    quiet: bool = False
    failed: bool = False
    berth: bool = False

    def moor(self) -> None:
        """Take one of the places that there are for parked requests, if it has none yet.

        @raise Unavailable: all are taken.
        """
        if not self.berth:
            full = self.parking.berths.take(self.claim.device.user, self.address)
            if full is not None:
                raise Unavailable(f"too many parked requests ({full})", FULL_RETRY)
            self.berth = True

    def leave(self) -> None:
        """Give everything back; always called in the end."""
        self.claim.release()
        if self.berth:
            self.parking.berths.leave(self.claim.device.user, self.address)

    @property
    def waited(self) -> float:
        """Seconds since it began."""
        return self.parking.clock.seconds() - self.began

    async def begin(self, recall: bool = True) -> Over | Mapping[int, int]:
        """Whether there is something already; otherwise the numbers for L{wait} to wait above.

        @param recall: what is known of the device without a look is good enough.
        """
        self.quiet = self.parking.policy.parks_quietly(self.claim.device)
        numbers = self.parking.levels.recall(self.claim.device, self.folders) if recall else None
        return await self._look() if numbers is None else numbers

    async def wait(self, numbers: Mapping[int, int]) -> Over:
        """Watch, look when something changed, and watch again if it was nothing for this device.

        @raise CancelledError: the client is gone.
        """
        behind = 0
        while self._left() > 0:
            ended = await self.claim.watch(numbers, self._left(), self.quiet)
            if ended.ending is not Ending.CHANGED:
                return self._over(ended)
            # A look that stays behind what was heard of before is a ledger that has lost something: do not spin.
            grace = self.parking.limits.grace
            over = await self.pause(grace if behind < BEHIND_FREE else max(grace, RETRY_FIRST))
            if over is not None:
                return over
            certain = self.parking.levels.certain(self.claim.device, numbers)
            if certain:
                return Over(Why.CHANGED, tuple((folder, 0) for folder in certain), ended.at)
            found = await self._look(ended.at)
            if isinstance(found, Over):
                return found
            numbers = found
            behind = behind + 1 if self.parking.board.news(numbers) else 0
        return Over(Why.EXPIRED)

    async def pause(self, seconds: float) -> Over | None:
        """Let time pass, within the interval, in which only a recall or a newer request ends the waiting.

        @raise CancelledError: the client is gone.
        """
        seconds = min(seconds, self._left())
        if seconds <= 0:
            return None
        ended = await self.claim.watch({}, seconds, quiet=True)
        return None if ended.ending is Ending.EXPIRED else self._over(ended)

    async def _look(self, at: float | None = None) -> Over | Mapping[int, int]:
        """Look until the ledger answers, or the time ran out, or the Watch ended meanwhile."""
        delay = RETRY_FIRST
        while True:
            limits = self.parking.limits
            try:
                look = self.parking.ledger.look(self.claim.device, self.folders, limits.adds_only)
                looked = await look.addTimeout(max(0.0, self._left()) + LOOK_GRACE, self.parking.clock)
            except CancelledError:
                raise
            except Exception:
                # The client is not told of our trouble while there is time left: the ledger may come back.
                self.parking.log.failure("the ledger does not answer; looking again in {delay} s", delay=delay)
                self.failed = True
            else:
                self.failed = False
                return self._judge(looked, limits, at)
            ended = await self.claim.watch({}, min(delay, self._left()), quiet=True)
            if ended.ending is not Ending.EXPIRED or self._left() <= 0:
                return self._over(ended)
            delay = min(delay * 2, RETRY_LAST)

    def _judge(self, looked: Looked, limits: ParkingLimits, at: float | None) -> Over | Mapping[int, int]:
        """Read a look: hierarchy and unknown folders first, then news; a quiet device is told of no news."""
        if looked.hierarchy.standing is not Standing.SYNCED or looked.hierarchy.news:
            return Over(Why.HIERARCHY)
        if any(look.standing is Standing.UNKNOWN for look in looked.folders.values()):
            return Over(Why.HIERARCHY)
        told = tuple((folder, look.counter) for folder, look in looked.folders.items() if _is_news(look))
        if told and not self.quiet:
            return Over(Why.CHANGED, told, at)
        numbers = {folder: look.number for folder, look in looked.folders.items()}
        numbers[looked.hierarchy_folder] = looked.hierarchy.number
        if not told and limits is self.parking.limits:
            self.parking.levels.note(self.claim.device, numbers)
        return numbers

    def _left(self) -> float:
        return self.interval - self.waited

    def _over(self, ended: Ended) -> Over:
        if ended.ending is Ending.LOST:
            raise CancelledError
        if ended.ending is Ending.RECALLED:
            self.parking.levels.forget(self.claim.device)
            return Over(Why.RECALLED, reason=ended.why)
        if ended.ending is Ending.EXPIRED and self.failed:
            return Over(Why.FAILED)
        return Over(Why.EXPIRED)


def _is_news(look: Look) -> bool:
    return look.news or look.standing is Standing.UNSYNCED
