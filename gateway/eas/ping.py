"""Ping, the heart of Direct Push: park a request until a watched folder changes ([MS-ASCMD] 2.2.1.13)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence

from attrs import define, evolve, field, frozen
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from gateway.core.autd import HasteGuard, Parameters, merge
from gateway.core.berths import Berths
from gateway.core.heartbeat import HeartbeatLimits, HeartbeatWindow
from gateway.core.levels import Levels
from gateway.core.partnerships import Partnerships
from gateway.core.policy import Policy
from gateway.core.switchboard import Claim, Crowded, Ended, Switchboard
from gateway.eas.call import Answer, Call, Refused, Unavailable
from gateway.element import Element
from gateway.interfaces import BackendDown, ILedger
from gateway.model import Device, Ending, Look, Looked, Standing

EXPIRED, CHANGED, MISSING, MALFORMED, INTERVAL, FOLDERS, HIERARCHY, FAILED = range(1, 9)

CLASSES = frozenset({"Email", "Calendar", "Contacts", "Tasks", "Notes"})
LONGEST_ID = 64
_NUMBER = re.compile(r"-?[0-9]{1,9}", re.ASCII)
_ID = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)

#: Seconds between looks while the ledger does not answer: doubled up to the last.
RETRY_FIRST, RETRY_LAST = 1.0, 60.0
#: So many looks in a row may find less than was heard of: changes come while a look is under way.
BEHIND_FREE = 3
#: How long after its interval a Ping still waits for a look, in seconds.
LOOK_GRACE = 0.5
#: What a device is told that comes when all berths are taken.
FULL_RETRY = 60
#: Why a Watch was recalled, to the Status that ends it; any other reason is answered with 7.
RECALLED = {"shutdown": EXPIRED, "account": FAILED}


class Malformed(ValueError):
    """The body is no Ping: Status 4."""


@frozen
class Asked:
    """What the body of a Ping brings; C{None} where it brings nothing. C{bare} tells an empty body."""

    interval: int | None = None
    folders: tuple[tuple[int, str], ...] | None = None
    bare: bool = True


@frozen
class PingLimits:
    """What can be configured: bounds of the interval, how many folders, seconds of grace, adds only."""

    heartbeat: HeartbeatLimits = field(factory=HeartbeatLimits)
    max_folders: int = 300
    grace: float = 0.0
    adds_only: bool = False


def parse(body: Element | None) -> Asked:
    """Read the body of a Ping.

    @raise Malformed: Status 4: an unknown, misplaced or repeated element, a bad number, Id or Class.
    """
    if body is None:
        return Asked()
    if body.tag != "Ping:Ping" or body.value is not None:
        raise Malformed("the root is not Ping")
    if not body.children:
        raise Malformed("neither HeartbeatInterval nor Folders")
    interval = folders = None
    for child in body:
        if child.tag == "Ping:HeartbeatInterval" and interval is None:
            interval = _number(child)
        elif child.tag == "Ping:Folders" and folders is None:
            folders = tuple(_folder(folder) for folder in _no_text(child))
        else:
            raise Malformed(f"{child.tag} is out of place")
    names = [name for name, _ in folders or ()]
    if len(set(names)) != len(names):
        raise Malformed("two folders with the same Id")
    known = tuple((int(name) if _ID.fullmatch(name) else 0, word) for name, word in folders or ())
    return Asked(interval, known or None, bare=False)


def _number(element: Element) -> int:
    if element.children or not _NUMBER.fullmatch(element.text):
        raise Malformed("HeartbeatInterval is no number")
    return int(element.text)


def _no_text(element: Element) -> Sequence[Element]:
    if element.value is not None:
        raise Malformed(f"text in {element.tag}")
    return element.children


def _folder(element: Element) -> tuple[str, str]:
    children = {child.tag: child for child in _no_text(element)}
    if (
        element.tag != "Ping:Folder"
        or len(children) != len(element.children)
        or not children.keys() <= {"Ping:Id", "Ping:Class"}
        or any(child.children for child in children.values())
    ):
        raise Malformed("a Folder holds one Id and one Class")
    name = element.text_of("Ping:Id") or ""
    if not 0 < len(name) <= LONGEST_ID:
        raise Malformed("a folder Id has 1 to 64 characters")
    word = element.text_of("Ping:Class", "Email") or ""
    if word not in CLASSES:
        raise Malformed("the Class is unknown")
    return name, word


def status(code: int, *content: Element) -> Element:
    """A Ping response: the Status, then what belongs to it."""
    return Element("Ping:Ping", Element("Ping:Status", code), *content)


@frozen
class Verdict:
    """What a look means for a Ping: a Status to answer at once, or the numbers to wait above.

    C{told} are the folders with news, and the counters of the keys that say so; a quiet device is not told of them.
    """

    status: int | None
    told: tuple[tuple[int, int], ...] = ()
    numbers: Mapping[int, int] = field(factory=dict)


def judge(looked: Looked, quiet: bool) -> Verdict:
    """Read a look: hierarchy and unknown folders first, then news; a quiet device is told of no news."""
    if looked.hierarchy.standing is not Standing.SYNCED or looked.hierarchy.news:
        return Verdict(HIERARCHY)
    if any(look.standing is Standing.UNKNOWN for look in looked.folders.values()):
        return Verdict(HIERARCHY)
    told = tuple((folder, look.counter) for folder, look in looked.folders.items() if _is_news(look))
    if told and not quiet:
        return Verdict(CHANGED, told)
    numbers = {folder: look.number for folder, look in looked.folders.items()}
    numbers[looked.hierarchy_folder] = looked.hierarchy.number
    return Verdict(None, told, numbers)


def _is_news(look: Look) -> bool:
    return look.news or look.standing is Standing.UNSYNCED


@define(eq=False)
class Ping:
    """The Ping command.

    C{stands} tells whether a device may be parked as far as policy and wipe go; C{delivered} is told the seconds
    from a Change to the answer that tells of it.
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
    limits: PingLimits = field(factory=PingLimits)
    delivered: Callable[[float], None] = lambda seconds: None
    levels: Levels = field(init=False)
    haste: HasteGuard = field(init=False, factory=HasteGuard)

    def __attrs_post_init__(self) -> None:
        self.levels = Levels(self.board)

    def __call__(self, call: Call) -> Awaitable[Answer]:
        """Answer a Ping; what waits afterwards holds nothing of the call but the names."""
        if call.body is None and call.raw:
            raise Refused(101, "a Ping with a body that is no WBXML")
        try:
            asked = parse(call.body)
        except Malformed as error:
            return _malformed(error)
        try:
            claim = self.board.claim(call.device)
        except Crowded as crowded:
            raise Unavailable(str(crowded), crowded.retry_after) from crowded
        return self._hold(claim, asked, call.address)

    async def _hold(self, claim: Claim, asked: Asked, address: str) -> Answer:
        began = self.clock.seconds()
        user = claim.device.user
        full = self.berths.take(user, address)
        try:
            if full is not None:
                raise Unavailable(f"too many parked requests ({full})", FULL_RETRY)
            device = await self.partnerships.device(claim.device) or Device(claim.device, first_seen=self.now())
            held = Held(self, claim, began)
            found = await held.begin(device, asked)
            # What waits is as little as possible: this, and one frame below.
            del device, asked
            return found if isinstance(found, Answer) else await held.wait(found)
        finally:
            claim.release()
            if full is None:
                self.berths.leave(user, address)


async def _malformed(error: Malformed) -> Answer:
    return Answer(status(MALFORMED), log={"St": MALFORMED, "E": str(error)})


@define(eq=False)
class Held:
    """One Ping from its arrival to its answer."""

    ping: Ping
    claim: Claim
    began: float
    interval: int = 0
    folders: tuple[int, ...] = ()
    quiet: bool = False
    failed: bool = False

    async def begin(self, device: Device, asked: Asked) -> Answer | Mapping[int, int]:
        """Check in the documented order, and look: an answer, or the numbers to wait above."""
        limits = self.ping.limits
        if len(asked.folders or ()) > limits.max_folders:
            return self._say(FOLDERS, Element("Ping:MaxFolders", limits.max_folders))
        parameters = merge(asked.interval, asked.folders, device.heartbeat, device.folders)
        if parameters is None or (asked.interval is None and asked.folders is None and not asked.bare):
            return self._say(MISSING)
        self.interval, self.folders = parameters.interval, tuple(folder for folder, _ in parameters.folders)
        bound = limits.heartbeat.violated(parameters.interval)
        if bound is not None:
            return self._say(INTERVAL, Element("Ping:HeartbeatInterval", bound))
        if not self.ping.stands(device):
            return self._say(HIERARCHY)
        self.quiet = self.ping.policy.parks_quietly(device.key)
        return await self._first(device, parameters)

    async def _first(self, device: Device, parameters: Parameters) -> Answer | Mapping[int, int]:
        """The look before parking; what it accepts goes into the AUTD state."""
        key = device.key
        # A device without parameters is new, or was forgotten: what is known of it is from before.
        numbers = self.ping.levels.recall(key, self.folders) if device.folders is not None else None
        verdict = Verdict(None, (), numbers) if numbers is not None else await self._look()
        if isinstance(verdict, Answer):
            return verdict
        if verdict.status == HIERARCHY:
            return self._say(HIERARCHY)
        await self._accept(device, parameters)
        if verdict.status is None:
            self.ping.haste.parked(key)
            return verdict.numbers
        delay = self.ping.haste.delay(key, verdict.told)
        if delay:
            ended = await self.claim.watch({}, min(delay, self._left()), quiet=True)
            if ended.ending is not Ending.EXPIRED:
                return self._over(ended)
        return self._tell(verdict, None)

    async def _accept(self, device: Device, parameters: Parameters) -> None:
        if self.ping.window.add(parameters.interval):
            self.ping.log.warn(
                "event 3033: the last {count} heartbeats were {average:.0f} s long on average,"
                " at or under {threshold} s: something on the way cuts idle connections early",
                event_id=3033,
                count=len(self.ping.window),
                average=self.ping.window.average,
                threshold=self.ping.window.threshold,
            )
        current = await self.ping.partnerships.device(device.key) or device
        if (parameters.interval, parameters.folders) == (current.heartbeat, current.folders):
            return
        seen = evolve(current, heartbeat=parameters.interval, folders=parameters.folders)
        try:
            await self.ping.partnerships.keep(seen, durable=False)
        except BackendDown as error:
            # They hold as long as this process, which can park the device all the same; another try is made soon.
            self.ping.log.warn("the parameters of {device} are not written yet: {why}", device=device.key, why=error)
            self.ping.partnerships.seen(seen)

    async def _look(self) -> Verdict | Answer:
        """Look until the ledger answers; an Answer if the time ran out or the Watch ended meanwhile."""
        delay = RETRY_FIRST
        while True:
            limits = self.ping.limits
            try:
                look = self.ping.ledger.look(self.claim.device, self.folders, limits.adds_only)
                looked = await look.addTimeout(max(0.0, self._left()) + LOOK_GRACE, self.ping.clock)
            except CancelledError:
                raise
            except Exception:
                # The client is not told of our trouble while there is time left: the ledger may come back.
                self.ping.log.failure("the ledger does not answer; looking again in {delay} s", delay=delay)
                self.failed = True
            else:
                self.failed = False
                verdict = judge(looked, self.quiet)
                if verdict.status is None and not verdict.told and limits is self.ping.limits:
                    self.ping.levels.note(self.claim.device, verdict.numbers)
                return verdict
            ended = await self.claim.watch({}, min(delay, self._left()), quiet=True)
            if ended.ending is not Ending.EXPIRED or self._left() <= 0:
                return self._over(ended)
            delay = min(delay * 2, RETRY_LAST)

    async def wait(self, numbers: Mapping[int, int]) -> Answer:
        """Watch, look when something changed, and watch again if it was nothing for this device."""
        behind = 0
        while self._left() > 0:
            ended = await self.claim.watch(numbers, self._left(), self.quiet)
            if ended.ending is not Ending.CHANGED:
                return self._over(ended)
            # A look that stays behind what was heard of before is a ledger that has lost something: do not spin.
            pause = self.ping.limits.grace if behind < BEHIND_FREE else max(self.ping.limits.grace, RETRY_FIRST)
            over = await self._pause(pause)
            if over is not None:
                return over
            certain = self.ping.levels.certain(self.claim.device, numbers)
            if certain:
                return self._tell(Verdict(CHANGED, tuple((folder, 0) for folder in certain)), ended.at)
            verdict = await self._look()
            if isinstance(verdict, Answer):
                return verdict
            if verdict.status is not None:
                return self._tell(verdict, ended.at)
            numbers = verdict.numbers
            behind = behind + 1 if self.ping.board.news(numbers) else 0
        return self._say(EXPIRED)

    async def _pause(self, seconds: float) -> Answer | None:
        """Let further changes gather, within the interval."""
        seconds = min(seconds, self._left())
        if seconds <= 0:
            return None
        ended = await self.claim.watch({}, seconds, quiet=True)
        return None if ended.ending is Ending.EXPIRED else self._over(ended)

    def _left(self) -> float:
        return self.interval - (self.ping.clock.seconds() - self.began)

    def _over(self, ended: Ended) -> Answer:
        if ended.ending is Ending.LOST:
            raise CancelledError
        if ended.ending is Ending.RECALLED:
            self.ping.levels.forget(self.claim.device)
            return self._say(RECALLED.get(ended.why, HIERARCHY))
        if ended.ending is Ending.EXPIRED and self.failed:
            return self._say(FAILED)
        return self._say(EXPIRED)

    def _tell(self, verdict: Verdict, changed_at: float | None) -> Answer:
        if verdict.status == HIERARCHY:
            return self._say(HIERARCHY)
        folders = Element("Ping:Folders", *(Element("Ping:Folder", folder) for folder, _ in verdict.told))
        if changed_at is None:
            return self._say(CHANGED, folders)
        ping, at = self.ping, changed_at
        return self._say(
            CHANGED, folders, written=lambda live: ping.delivered(ping.clock.seconds() - at) if live else None
        )

    def _say(self, code: int, *content: Element, written: Callable[[bool], None] | None = None) -> Answer:
        waited = round(self.ping.clock.seconds() - self.began)
        log = {"Hb": self.interval, "Fc": len(self.folders), "St": code, "Pt": waited}
        return Answer(status(code, *content), log=log, written=written)
