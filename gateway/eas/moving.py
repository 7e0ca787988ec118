"""What commands other than Sync do to mails and folders: written down, carried out, and told to everybody else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from gateway.arrangement import Arranged, Arrangement, Moved, Shift, Turn
from gateway.eas.call import Unavailable
from gateway.eas.turns import Turns, shielded
from gateway.interfaces import BackendDown, ILedger, IMailbox, IReporter
from gateway.model import DeviceKey, Folder, Intent

T = TypeVar("T")

SUCCESS = 1
CHANGED = 0

#: How often folders are planned anew when others have changed them meanwhile.
TRIES = 3
#: So many mails of a folder are removed at once: others have their turn between two portions.
PORTION = 500

Plan = Callable[[Sequence[Folder]], Arrangement | None]
"""What is to become of the folders of a user, or C{None} if they may stay; it may raise anything."""


@define(eq=False)
class Own:
    """What one request of a device has done, which the device knows by its answer: no reason to wake it.

    C{written} is for L{gateway.eas.call.Answer}: when the answer is lost, it is a reason after all.
    """

    device: DeviceKey
    ledger: ILedger
    lost: bool = False
    _spans: list[tuple[int, int, int]] = field(init=False, factory=list)

    def did(self, moved: Moved) -> None:
        """Another part of the request is in the ledger; nobody was told of it yet."""
        if not self.lost:
            self._spans.extend(moved.spans)
            self.ledger.aware(self.device, moved.spans)

    def written(self, live: bool) -> None:
        """The answer went out, or never will."""
        if not live:
            self.lost = True
            self.ledger.unaware(self.device, self._spans)


@define(eq=False)
class Moving:
    """Moves mails, empties folders, and changes the folders of a user.

    C{changes} are the turns of everything that changes mails of a user, that of Sync included; C{now} is wall-clock
    time in seconds. What was begun is done to its end even if the client leaves meanwhile.
    """

    log = Logger()

    ledger: ILedger
    mailbox: IMailbox
    reporter: IReporter
    now: Callable[[], int]
    changes: Turns = field(factory=Turns)
    portion: int = PORTION

    def own(self, device: DeviceKey) -> Own:
        """For a request of that device; its C{written} has to become that of the answer."""
        return Own(device, self.ledger)

    async def shift(self, own: Own, shifts: Sequence[Shift]) -> Moved:
        """Move mails from folder to folder; see L{ILedger.move}. Fails with L{BackendDown}."""
        return await self._begun(own, self._shift(own.device.user, own, shifts))

    async def divert(self, user: str, shifts: Sequence[Shift]) -> Moved:
        """The same, of nobody's own doing: all devices of the user are told."""
        return await self._begun(None, self._shift(user, None, shifts))

    async def _shift(self, user: str, own: Own | None, shifts: Sequence[Shift]) -> Moved:
        async def move() -> Moved:
            moved = await self.ledger.move(user, shifts, self.now())
            await self._make_true(own, moved)
            return moved

        return await self._in_turn(user, move)

    async def doing(self, own: Own, work: Callable[[], Awaitable[tuple[T, Moved]]]) -> T:
        """Have something done that changes mails of the device's user too; what it gives beside that. Fails as it
        does."""

        async def do() -> T:
            found, moved = await work()
            await self._make_true(own, moved)
            return found

        return await self._begun(own, self._in_turn(own.device.user, do))

    async def clear(self, own: Own | None, folder: Folder) -> int:
        """Remove what is in a folder now, for good; how many mails that were. Without C{own} the device that has
        asked for it is woken as all others are.

        Fails with L{BackendDown} or L{Unavailable} if nothing was removed, with L{Incomplete} after some were.
        """
        return await self._begun(own, self._clear(own, folder))

    async def _clear(self, own: Own | None, folder: Folder) -> int:
        count = 0

        async def portion() -> int:
            moved = await self.ledger.clear(folder.user, folder.id, folder.head, self.portion, self.now())
            await self._make_true(own, moved)
            return len(moved.intents)

        try:
            while found := await self._in_turn(folder.user, portion):
                count += found
        except (BackendDown, Unavailable) as error:
            if not count:
                raise
            raise Incomplete(str(error), count) from error
        return count

    async def arrange(self, user: str, plan: Plan, turn: Turn | None = None) -> Arranged:
        """Change the folders of a user; see L{ILedger.arrange}. Fails with L{BackendDown}, or as the plan does."""
        steady = lambda: self.mailbox.steadily(user, lambda: self._arrange(user, plan, turn))  # noqa: E731
        return await shielded(self._in_turn(user, steady))

    async def _arrange(self, user: str, plan: Plan, turn: Turn | None) -> Arranged:
        for _ in range(TRIES):
            before = None if turn is None else await self.ledger.repeated(turn)
            if before is not None:
                return before
            arrangement = plan(await self.ledger.folders(user))
            if arrangement is None:
                return Arranged(SUCCESS)
            arranged = await self.ledger.arrange(arrangement, turn)
            if arranged.status != CHANGED:
                await self._carry_out(arranged.intents)
                self.reporter.changed(*arranged.changes)
                return arranged
        raise BackendDown(f"the folders of {user} change all the time")

    async def _in_turn(self, user: str, work: Callable[[], Awaitable[T]]) -> T:
        return await self.changes.take(user, work)

    async def _begun(self, own: Own | None, work: Coroutine[Deferred[Any], Any, T]) -> T:
        try:
            return await shielded(work)
        except CancelledError:
            if own is not None:
                own.written(False)
            raise

    async def _make_true(self, own: Own | None, moved: Moved) -> None:
        if own is not None:
            own.did(moved)
        await self._carry_out(moved.intents)
        self.reporter.changed(*moved.changes)

    async def _carry_out(self, intents: Sequence[Intent]) -> None:
        """Do to the files what the ledger says already; what fails stays pending there."""
        if not intents:
            return
        try:
            await self.ledger.done(await self.mailbox.carry_out(intents))
        except CancelledError:
            raise
        except Exception:
            self.log.failure("{count} changes of files are left to be done", count=len(intents))


class Incomplete(BackendDown):
    """It broke off: C{removed} mails were removed before."""

    def __init__(self, why: str, removed: int) -> None:
        super().__init__(why)
        self.removed = removed
