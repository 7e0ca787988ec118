"""The only index of who waits for which folder: Changes come in, Watches end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from gateway.core.autd import Parameters
from gateway.core.wheel import Wheel
from gateway.interfaces import IReporter
from gateway.model import Change, DeviceKey, Ending

#: So many replacements within so many seconds, and the newer request is turned away: two live connections of one
#: device would otherwise end each other for ever.
REPLACEMENTS = 3
REPLACEMENT_SECONDS = 10.0


@frozen
class Ended:
    """How a Watch ended: the Ending, when on the clock, and for C{RECALLED} why ("wipe", "shutdown" ...)."""

    ending: Ending
    at: float
    why: str = ""


class Crowded(Exception):
    """Requests of one device replace each other too quickly; C{retry_after} in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many parked requests of one device, retry after {retry_after} s")
        self.retry_after = retry_after


@define(eq=False)
class Claim:
    """The one slot of a device, held from the arrival of a request to its answer.

    It outlives the single Watches of that request, so that a newer request, or a recall, also reaches one that is
    just looking at the ledger. C{command} is what the request is, C{parameters} what it asks if that is not what the
    AUTD state of the device says.
    """

    device: DeviceKey
    board: Switchboard
    replaced: tuple[float, ...]
    command: str = "Ping"
    parameters: Parameters | None = None
    over: Ended | None = None
    looked: Mapping[int, int] = field(factory=dict)
    quiet: bool = True
    since: float = 0.0
    held: object = None
    _slot: int = 0
    _done: Deferred[Ended] | None = None

    def watch(self, looked: Mapping[int, int], seconds: float, quiet: bool = False) -> Deferred[Ended]:
        """Wait until a folder has a Version above the number looked up to, or the time is over.

        Comparing with what was heard of meanwhile and parking are one step, so nothing falls between them. A quiet
        Watch ends by no Change. Cancelling ends it as C{LOST}.
        """
        done: Deferred[Ended] = Deferred(self._lost)
        self._done, self.looked, self.quiet = done, looked, quiet
        if self.over is not None:
            self._fire(self.over)
        elif not quiet and self.held is None and self.board.news(looked):
            self._fire(Ended(Ending.CHANGED, self.board.clock.seconds()))
        else:
            self._slot = self.board.park(self, seconds)
        return done

    @property
    def parked(self) -> bool:
        """Whether a Watch is waiting now."""
        return self._done is not None

    def end(self, ending: Ending, why: str = "") -> None:
        """End the Watch; replaced and recalled stay in force for the Watches that would follow."""
        ended = Ended(ending, self.board.clock.seconds(), why)
        if ending in (Ending.REPLACED, Ending.RECALLED) and self.over is None:
            self.over = ended
        if self._done is not None:
            self.board.unpark(self, self._slot)
            self._fire(ended)

    def _lost(self, done: Deferred[Ended]) -> None:
        self.end(Ending.LOST)

    def _fire(self, ended: Ended) -> None:
        done, self._done = self._done, None
        self.looked = {}
        self.board.ended(self, ended)
        if done is not None:
            done.callback(ended)

    def release(self) -> None:
        """Give the slot back; a Watch that still waits ends as C{LOST}."""
        if self._done is not None:
            self.end(Ending.LOST)
        self.board.released(self)


def _ignore(claim: Claim, ended: Ended) -> None:
    """Nobody counts the endings."""


@implementer(IReporter)
@define(eq=False)
class Switchboard:
    """At most one Claim per device, and per folder the Claims whose Watch that folder ends."""

    clock: IReactorTime
    ended: Callable[[Claim, Ended], None] = _ignore
    _claims: dict[DeviceKey, Claim] = field(init=False, factory=dict)
    _heads: dict[int, int] = field(init=False, factory=dict)
    _fresh: dict[int, int] = field(init=False, factory=dict)
    _watching: dict[int, Claim | set[Claim]] = field(init=False, factory=dict)
    _wheel: Wheel[Claim] = field(init=False)
    _parked: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self._wheel = Wheel(self.clock, lambda claim: claim.end(Ending.EXPIRED))

    # What sources call.

    def changed(self, *changes: Change) -> None:
        """End the Watches of those folders whose device was looked up to a smaller number.

        All are noted before the first Watch ends, so that its request can tell of all of them.
        """
        for change in changes:
            if change.version > self._heads.get(change.folder, 0):
                self._heads[change.folder] = change.version
            if change.fresh and change.version > self._fresh.get(change.folder, 0):
                self._fresh[change.folder] = change.version
        for change in changes:
            self._end_watches(change)

    def _end_watches(self, change: Change) -> None:
        watching = self._watching.get(change.folder)
        if watching is None:
            return
        claims = (watching,) if isinstance(watching, Claim) else tuple(watching)
        for claim in claims:
            if change.version > claim.looked.get(change.folder, change.version) and claim.held is None:
                claim.end(Ending.CHANGED)

    # What requests call.

    def claim(self, device: DeviceKey, command: str = "Ping") -> Claim:
        """Take the device's slot; the older holder's Watch ends as C{REPLACED}.

        @raise Crowded: the slot changed hands too often in a short time; the older holder stays.
        """
        older = self._claims.get(device)
        replaced: tuple[float, ...] = ()
        if older is not None:
            now = self.clock.seconds()
            recent = tuple(at for at in older.replaced if now - at < REPLACEMENT_SECONDS)
            if len(recent) >= REPLACEMENTS:
                raise Crowded(max(1, int(REPLACEMENT_SECONDS - (now - recent[0])) + 1))
            replaced = (*recent, now)
        claim = self._claims[device] = Claim(device, self, replaced, command)
        if older is not None:
            older.end(Ending.REPLACED)
        return claim

    def hold(self, device: DeviceKey, command: object) -> None:
        """Changes do not end the Watch of that device while it is being answered something else: what it is just
        being given, or has just done itself, is not known to be the device's before the answer went out.

        If several commands are being answered, the last one counts. Who claims the slot afterwards is not held: a
        device that pings again waits for no older answer.
        """
        claim = self._claims.get(device)
        if claim is not None:
            claim.held = command

    def free(self, device: DeviceKey, command: object) -> None:
        """The answer to the command went out, or never will: what was heard of since L{hold} ends the Watch now."""
        claim = self._claims.get(device)
        if claim is None or claim.held is not command:
            return
        claim.held = None
        if claim.parked and not claim.quiet and self.news(claim.looked):
            claim.end(Ending.CHANGED)

    def recall(self, chosen: Callable[[DeviceKey], bool], why: str) -> int:
        """End the Watches of the chosen devices as C{RECALLED}; how many claims that concerned."""
        return self.recall_claims([claim for device, claim in self._claims.items() if chosen(device)], why)

    def recall_claims(self, claims: Iterable[Claim], why: str) -> int:
        """End the Watches of these claims as C{RECALLED}."""
        count = 0
        for claim in claims:
            claim.end(Ending.RECALLED, why)
            count += 1
        return count

    # What operators see.

    @property
    def parked(self) -> int:
        """How many Watches wait now."""
        return self._parked

    def claims(self) -> list[Claim]:
        """The claims of all devices."""
        return list(self._claims.values())

    def claim_of(self, device: DeviceKey) -> Claim | None:
        """The claim of a device, if one of its requests is in hand."""
        return self._claims.get(device)

    def watched(self, device: DeviceKey) -> bool:
        """Whether a Change would reach that device now: a quiet Watch does not count."""
        claim = self._claims.get(device)
        return claim is not None and claim.parked and not claim.quiet

    def heard(self, folder: int) -> int:
        """The highest Version heard of for a folder, 0 if none."""
        return self._heads.get(folder, 0)

    def certain(self, looked: Mapping[int, int]) -> list[int] | None:
        """The folders that changed since a look, if an item just received tells it of each; C{None}: only another
        look can tell."""
        changed = [folder for folder, number in looked.items() if self._heads.get(folder, 0) > number]
        if all(self._fresh.get(folder, 0) > looked[folder] for folder in changed):
            return changed
        return None

    def news(self, looked: Mapping[int, int]) -> bool:
        """Whether one of the folders has been heard of with a Version above the number looked up to."""
        heads = self._heads
        return any(heads.get(folder, 0) > number for folder, number in looked.items())

    # What claims call.

    def park(self, claim: Claim, seconds: float) -> int:
        """Put a claim into the index and the wheel."""
        self._parked += 1
        claim.since = self.clock.seconds()
        if not claim.quiet:
            for folder in claim.looked:
                self._index(folder, claim)
        return self._wheel.add(claim, seconds)

    def unpark(self, claim: Claim, slot: int) -> None:
        """Take a claim out of the index and the wheel, before its Watch is told."""
        self._parked -= 1
        if not claim.quiet:
            for folder in claim.looked:
                self._unindex(folder, claim)
        self._wheel.remove(claim, slot)

    def released(self, claim: Claim) -> None:
        """The request is answered: the slot is free unless a newer one has it."""
        if self._claims.get(claim.device) is claim:
            del self._claims[claim.device]

    def _index(self, folder: int, claim: Claim) -> None:
        there = self._watching.get(folder)
        if there is None:
            self._watching[folder] = claim
        elif isinstance(there, Claim):
            self._watching[folder] = {there, claim}
        else:
            there.add(claim)

    def _unindex(self, folder: int, claim: Claim) -> None:
        there = self._watching.get(folder)
        if there is claim:
            del self._watching[folder]
        elif isinstance(there, set):
            there.discard(claim)
            if not there:
                del self._watching[folder]
