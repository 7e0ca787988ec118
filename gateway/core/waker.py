"""Who is knocked by SMS when something changed: from Changes to orders for a decision, one round at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from gateway.core.parks import Parks
from gateway.core.retrying import backoff
from gateway.core.switchboard import Switchboard
from gateway.core.tracer import Tracer
from gateway.interfaces import IReporter, ITriggers
from gateway.model import Change, DeviceKey, Folder, Mode
from gateway.trigger import Cause, Concerned, Decided, Line, Order, Verdict, WakeRule

#: So many decisions go into one transaction.
MOST = 500
#: Modes in which nothing but Direct Push reaches a device, if that does.
_NO_SMS = (Mode.OFF, Mode.DIRECT_PUSH)


@define(eq=False)
class Settings:
    """What the configuration says of triggers; replaced as a whole when it is read anew.

    C{rule}: what holds for a line now; C{may_wake}: whether a folder may wake a device of that user; C{route}: by
    whom a trigger for a line goes out, empty if nobody takes it; C{lease}: seconds that a sync renews a lease to,
    0: for ever.
    """

    rule: Callable[[Line], WakeRule]
    may_wake: Callable[[str, Folder], bool]
    route: Callable[[Line], str]
    lease: int = 0


@implementer(IReporter)
@define(eq=False)
class Waker:
    """Gathers what changed, finds the devices with a line that it concerns, and has it decided for them.

    One round is under way at a time; what comes meanwhile goes into the next. A round that the store refuses is tried
    again, with growing pauses. C{kick} is told of the routes for which letters were queued; C{counted} counts. C{keys}
    are the devices with a line, which who else needs them may look at.
    """

    log = Logger()

    triggers: ITriggers
    board: Switchboard
    parks: Parks
    clock: IReactorTime
    now: Callable[[], int]
    settings: Settings
    tracer: Tracer
    kick: Callable[[str], None]
    counted: Callable[[Decided], None] = lambda decided: None
    keys: set[DeviceKey] = field(factory=set)
    _changed: dict[int, tuple[int, float, float]] = field(init=False, factory=dict)
    _orders: list[Order] = field(init=False, factory=list)
    _unconcerned: set[int] = field(init=False, factory=set)
    _overdue: bool = field(init=False, default=False)
    _expected: dict[DeviceKey, int] = field(init=False, factory=dict)
    _round: Deferred[None] | None = field(init=False, default=None)
    _again: IDelayedCall | None = field(init=False, default=None)
    _timer: IDelayedCall | None = field(init=False, default=None)
    _failures: int = field(init=False, default=0)
    _stopped: bool = field(init=False, default=True)

    async def start(self) -> None:
        """Learn the lines, and decide what was left undecided at the last stop.

        @raise gateway.interfaces.BackendDown: the store does not answer.
        """
        self.keys.update(line.key for line in await self.triggers.lines(None))
        self._stopped = False
        self._order(await self.triggers.unsure(), Cause.START)
        self._arm(await self.triggers.next_due())
        self._go()

    async def stop(self) -> None:
        """Finish the round under way; what was not begun is found again at the next start."""
        self._stopped = True
        for call in (self._again, self._timer):
            if call is not None and call.active():
                call.cancel()
        self._again = self._timer = None
        if self._round is not None:
            await self._round

    # What others tell.

    def changed(self, *changes: Change) -> None:
        """Folders have new Versions. To be called before the Switchboard is told, so that it is known which parked
        requests the Changes end."""
        if self._stopped or not self.keys:
            return
        at, wall = self.clock.seconds(), self.tracer.now()
        for change in changes:
            if change.folder not in self._unconcerned:
                first = self._changed.get(change.folder)
                self._changed[change.folder] = (change.version, *(first[1:] if first else (at, wall)))
        self._go()

    def registered(self, key: DeviceKey) -> None:
        """A device has a line from now on, or another one."""
        self.keys.add(key)
        self._unconcerned.clear()

    def dropped(self, key: DeviceKey) -> None:
        """A device has no line any more."""
        self.keys.discard(key)
        self._expected.pop(key, None)
        self.parks.forget(key)

    def reconsider(self, settings: Settings) -> None:
        """Other settings hold: who was let off may be wanted now, and the other way round."""
        self.settings = settings
        self._unconcerned.clear()
        self._overdue = True
        self._go()

    def came(self, key: DeviceKey, command: str) -> None:
        """A device has made a request: the first one after a trigger is worth a hop."""
        letter = self._expected.pop(key, None)
        if letter is not None:
            self.tracer.note(key, "came", command, letter=letter)

    def synced(self, key: DeviceKey) -> Deferred[str | None] | None:
        """A device has synchronised: nothing is outstanding any more. C{None} for one without a line, else fires
        with its GUID before the answer may go out, so that a crash cannot leave a trigger outstanding that was
        obeyed."""
        if key not in self.keys:
            return None
        return Deferred.fromCoroutine(self._synced(key))

    async def _synced(self, key: DeviceKey) -> str | None:
        found = [line for line in await self.triggers.lines(key.user) if line.key == key]
        if not found:
            return None
        wake = await self.triggers.synced(key, self.now(), self.settings.rule(found[0]), self.settings.lease)
        self.tracer.note(key, "synchronised")
        if wake is None:
            return None
        if wake.due:
            self._arm(wake.due)
        return wake.guid

    async def knock(self, line: Line, guid: str, content: bytes) -> Decided:
        """A trigger of another server came in for that line; what was decided is durable when this returns.

        @raise gateway.interfaces.BackendDown: the store does not answer.
        """
        route = self.settings.route(line)
        watched = self.board.watched(line.key)
        order = Order(line, Cause.DOOR, self.settings.rule(line), (), watched, route, guid, content)
        decided = await self.triggers.decide([order], self.now())
        self._tell(decided)
        return decided[0]

    # Rounds.

    def _go(self) -> None:
        if self._round is not None or self._stopped or self._again is not None:
            return
        if self._changed or self._orders or self._overdue:
            self._round = Deferred.fromCoroutine(self._run())
            self._round.addErrback(lambda failure: self.log.failure("a round of decisions failed", failure))
            self._round.addCallback(self._done)

    def _done(self, _: None) -> None:
        self._round = None
        self._go()

    async def _run(self) -> None:
        changed, self._changed = self._changed, {}
        orders, self._orders = self._orders, []
        overdue, self._overdue = self._overdue, False
        try:
            if changed:
                orders += await self._concerning(changed)
            if overdue:
                orders += self._ordered(await self.triggers.due(self.now(), MOST), Cause.DUE)
            while orders:
                self._tell(await self.triggers.decide(orders[:MOST], self.now()))
                orders = orders[MOST:]
            if overdue:
                self._arm(await self.triggers.next_due())
        except CancelledError:
            raise
        except Exception:
            self._changed = {**changed, **self._changed}
            self._orders = orders + self._orders
            self._overdue = self._overdue or overdue
            self._failures += 1
            pause = backoff(self._failures)
            self.log.failure("decisions about triggers are put off for {pause} s", pause=pause)
            self._again = self.clock.callLater(pause, self._try_again)
        else:
            self._failures = 0

    def _try_again(self) -> None:
        self._again = None
        self._go()

    async def _concerning(self, changed: dict[int, tuple[int, float, float]]) -> list[Order]:
        concerned = await self.triggers.concerned(list(changed))
        self._unconcerned.update(changed.keys() - {folder.id for one in concerned for folder in one.folders})
        at = min(at for _, at, _ in changed.values())
        orders = self._ordered(concerned, Cause.CHANGE, at)
        for order in orders:
            for folder in order.folders:
                if folder in changed:
                    number, _, wall = changed[folder]
                    self.tracer.noticed(order.line.key, wall, folder, number)
        return orders

    def _order(self, concerned: Iterable[Concerned], cause: Cause) -> None:
        self._orders += self._ordered(concerned, cause)

    def _ordered(self, concerned: Iterable[Concerned], cause: Cause, at: float | None = None) -> list[Order]:
        """Orders for those whose mode and wake rules have something to decide."""
        orders = []
        for one in concerned:
            rule = self.settings.rule(one.line)
            key = one.line.key
            folders = tuple(folder.id for folder in one.folders if self.settings.may_wake(key.user, folder))
            if cause is Cause.CHANGE and (not folders or rule.mode in _NO_SMS):
                continue
            watched = self.board.watched(key) or (at is not None and self.parks.was_told(key, at))
            route = self.settings.route(one.line)
            orders.append(Order(one.line, cause, rule, folders, watched, route=route))
        return orders

    def _tell(self, decided: Sequence[Decided]) -> None:
        """Trace what was decided, and wake up whoever sends it."""
        routes = set()
        for one in decided:
            key = one.order.line.key
            self.counted(one)
            if one.switched:
                self.log.info(
                    "{device} of {user} is reached by SMS from now on: {reason}",
                    device=key.device,
                    user=key.user,
                    reason=one.reason,
                )
                self.tracer.note(key, "switched", f"sms: {one.reason}")
            if one.verdict is not Verdict.NOTHING:
                reason = f"{one.verdict.value}: {one.reason}" if one.reason else one.verdict.value
                self.tracer.note(key, "decided", reason, letter=one.letter)
            if one.letter:
                self.tracer.note(key, "queued", one.order.route, letter=one.letter)
                self._expected[key] = one.letter
                routes.add(one.order.route)
            if one.wake.due:
                self._arm(one.wake.due)
        for route in routes:
            self.kick(route)

    # Decisions that were put off.

    def _arm(self, due: int | None) -> None:
        """Come back when a decision is due (seconds since the epoch)."""
        if due is None or self._stopped:
            return
        delay = max(0, due - self.now())
        if self._timer is not None and self._timer.active():
            if self._timer.getTime() <= self.clock.seconds() + delay:
                return
            self._timer.cancel()
        self._timer = self.clock.callLater(delay, self._is_due)

    def _is_due(self) -> None:
        self._timer = None
        self._overdue = True
        self._go()

    async def write_parks(self) -> None:
        """Write down how parks fared.

        @raise gateway.interfaces.BackendDown: the store does not answer; it is kept for the next time.
        """
        taken = self.parks.take()
        if not taken:
            return
        try:
            back = await self.triggers.parks(taken)
        except BaseException:
            self.parks.put_back(taken)
            raise
        for key in back:
            self.log.info("{device} of {user} is reached by Direct Push again", device=key.device, user=key.user)
            self.tracer.note(key, "switched", "direct push: a park succeeded")
