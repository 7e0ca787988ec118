"""A simulated phone: it keeps some folders up to date, and a Ping or a Sync parked while there is nothing to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from gateway.element import Element
from gateway.simulator import collection, events, hanging, parking
from gateway.simulator.collection import SyncNews
from gateway.simulator.conversation import Conversation
from gateway.simulator.errors import Declined, GivenUp, Lost, Setback, Wiped
from gateway.simulator.heartbeat import Heartbeat
from gateway.simulator.line import Account, ILine
from gateway.simulator.memory import Memory, PhoneFolder, PhoneItem
from gateway.simulator.parking import PingAnswer, ask_ping, read_ping
from gateway.simulator.synchroniser import Habits, Synchroniser

#: A Ping answered faster than this many seconds without bringing anything makes the phone slower ...
HASTY = 0.5
#: ... when it has happened that many times in a row.
HASTY_ANSWERS = 3
#: A Ping that was parked this many seconds shows that the server was there, even if it was lost then.
STEADY = 5.0
#: A loss says something about the heartbeat only if the Ping was parked for this share of it.
TELLING = 0.25
#: An end before this share of the interval is no proof that the network lives that long.
PROOF = 0.9


class Outcome(Enum):
    """How the life of a phone ended, other than with an error."""

    STOPPED = "stopped"
    WIPED = "wiped"


@define(eq=False)
class Device:
    """One phone. L{start} it once; commands on items may be given while it runs and also without.

    C{memory} is read and changed in place; C{keep} is called whenever it has moved.
    """

    account: Account
    line: ILine
    clock: IReactorTime
    onlooker: events.IOnlooker
    heartbeat: Heartbeat = field(factory=Heartbeat)
    memory: Memory = field(factory=Memory)
    habits: Habits = field(factory=Habits)
    _keep: Callable[[Memory], None] | None = None
    _wall: Callable[[], float] = time.time
    _conversation: Conversation = field(init=False)
    _synchroniser: Synchroniser = field(init=False)
    _running: Deferred[Outcome] | None = field(init=False, default=None)
    _parked: Deferred[Element | None] | None = field(init=False, default=None)
    _roamed: bool = field(init=False, default=False)
    _told: tuple[int, tuple[tuple[str, str], ...]] | None = field(init=False, default=None)
    _most: int | None = field(init=False, default=None)
    _waited: float | None = field(init=False, default=None)
    _hasty: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self._conversation = Conversation(self.line, self.memory, self.habits.patience)
        self._synchroniser = Synchroniser(
            self.account, self.memory, self.habits, self.onlooker, self._conversation, self.clock, self._keep
        )
        if self.memory.url:
            self.line.move(self.memory.url)

    def start(self) -> Deferred[Outcome]:
        """Switch the phone on: synchronise, then Ping for ever.

        Fires when it was stopped or wiped; fails with L{GivenUp} when nothing helps. Heartbeats begin anew.
        """
        self.heartbeat.reset()
        self._told = None
        self._synchroniser.all_is_stale()
        self._running = Deferred.fromCoroutine(self._live())
        return self._running.addBoth(self._ended)

    def stop(self) -> None:
        """Switch it off: drop what is under way."""
        if self._running is not None:
            self._running.cancel()

    def synchronise(self) -> Deferred[list[tuple[str, SyncNews]]]:
        """Bring hierarchy and watched folders up to date once (what a phone does that is not to park).

        Fires with what came, by name of the folder; fails with L{GivenUp} or L{Wiped}.
        """
        self._synchroniser.all_is_stale()
        done = Deferred.fromCoroutine(self._synchroniser.persevere(self._synchroniser.catch_up))
        return done.addCallback(lambda _: self._synchroniser.take_news())

    def network_changed(self) -> None:
        """The phone has another network: the parked Ping is lost, and heartbeats begin anew."""
        self.heartbeat.reset()
        self._synchroniser.tell(events.NetworkChanged())
        self.line.close()
        if self._parked is not None:
            self._roamed = True
            self._parked.cancel()

    def mark_read(self, folder: str, item: str, read: bool = True) -> Deferred[None]:
        """Mark a mail (ServerIds) as read or unread; fails with L{Declined} or L{GivenUp}."""
        return Deferred.fromCoroutine(
            self._command(folder, item, collection.mark_read(item, read), partial(evolve, read=read))
        )

    def mark_flag(self, folder: str, item: str, flagged: bool = True) -> Deferred[None]:
        """Set or clear the follow-up flag of a mail; fails with L{Declined} or L{GivenUp}."""
        return Deferred.fromCoroutine(
            self._command(folder, item, collection.mark_flag(item, flagged), partial(evolve, flagged=flagged))
        )

    def delete(self, folder: str, item: str) -> Deferred[None]:
        """Delete an item; fails with L{Declined} or L{GivenUp}."""
        return Deferred.fromCoroutine(self._delete(folder, item))

    def fetch(self, folder: str, item: str) -> Deferred[Element]:
        """The ApplicationData of a whole mail; fails with L{Declined} or L{GivenUp}."""
        return Deferred.fromCoroutine(self._fetch(folder, item))

    # Commands on items.

    async def _command(self, folder: str, item: str, command: Element, show: Callable[[PhoneItem], PhoneItem]) -> None:
        await self._carry_out(folder, item, command)
        items = self.memory.folders[folder].items
        if item in items:
            items[item] = show(items[item])

    async def _delete(self, folder: str, item: str) -> None:
        await self._carry_out(folder, item, collection.delete(item))
        self.memory.folders[folder].items.pop(item, None)

    async def _fetch(self, folder: str, item: str) -> Element:
        news = await self._carry_out(folder, item, collection.fetch(item))
        if item not in news.fetched:
            raise Declined(8)
        return news.fetched[item]

    async def _carry_out(self, folder: str, item: str, command: Element) -> SyncNews:
        async def step() -> SyncNews:
            return await self._synchroniser.command(folder, item, command)

        try:
            news = await self._synchroniser.persevere(step)
        except KeyError:
            raise Declined(8) from None
        status = news.statuses.get(item, 1)
        if status != 1:
            raise Declined(status)
        return news

    # The life of the phone.

    async def _live(self) -> Outcome:
        trouble: Setback | None = None
        try:
            while True:
                await self._synchroniser.persevere(self._synchroniser.catch_up, trouble)
                trouble = None
                self._report()
                if self._hasty > HASTY_ANSWERS:
                    await self._synchroniser.pause("the server answers Pings at once and has nothing new")
                try:
                    await self._park()
                except Setback as setback:
                    trouble = setback
        except Wiped:
            return Outcome.WIPED

    def _ended(self, result: Outcome | Failure) -> Outcome | Failure:
        """The phone is off; that it was stopped is no failure for the one who started it."""
        self._running = None
        self.line.close()
        if isinstance(result, Failure) and result.check(CancelledError):
            return Outcome.STOPPED
        return result

    async def _park(self) -> None:
        """One Ping or hanging Sync, and what its answer says is due."""
        folders = self._synchroniser.watched()[: self._most]
        hangs = self.habits.hang and hanging.hangs(self.memory.version)
        heartbeat = self.heartbeat.seconds
        if hangs and hanging.in_minutes(self.memory.version):
            heartbeat = max(1, heartbeat // hanging.MINUTE) * hanging.MINUTE
        asking = (heartbeat, tuple((folder.id, folder.key if hangs else "") for folder in folders))
        empty = self.habits.brief and self._told == asking
        self._synchroniser.tell(events.Parked(heartbeat, len(folders), empty))
        began = self.clock.seconds()
        try:
            answer = await (self._hang if hangs else self._ping)(folders, heartbeat, empty)
        except Lost:
            self._told = None
            if not self._roamed:
                self._lost(self.clock.seconds() - began, heartbeat)
            self._roamed = False
            raise
        waited = self.clock.seconds() - began
        self._synchroniser.tell(events.PingAnswered(answer.status, waited, answer.folders))
        self._told = asking if answer.status in (parking.EXPIRED, parking.CHANGED) else None
        if waited >= HASTY:
            self._hasty = 0
            self._synchroniser.progressed()
        else:
            self._hasty += 1
        self._judge(answer, waited, heartbeat)

    async def _ping(self, folders: Sequence[PhoneFolder], heartbeat: int, empty: bool) -> PingAnswer:
        return read_ping(await self._wait("Ping", None if empty else ask_ping(heartbeat, folders), heartbeat))

    async def _hang(self, folders: Sequence[PhoneFolder], heartbeat: int, empty: bool) -> PingAnswer:
        """A Sync that waits: what it brings is there already, but for what did not go into one answer."""
        version, wishes = self.memory.version, self.habits.wishes
        asked = None if empty else hanging.ask_hang(heartbeat, folders, version, wishes)
        answer = await self._wait("Sync", asked, heartbeat)
        read = hanging.read_hang(answer, version)
        return read or PingAnswer(parking.CHANGED, self._synchroniser.take_over(folders, answer))

    async def _wait(self, command: str, asked: Element | None, heartbeat: int) -> Element | None:
        """The answer to what is parked; a change of network on the way is a loss."""
        asking = self._conversation.ask(command, asked, heartbeat + self.habits.slack)
        self._parked = Deferred.fromCoroutine(asking)
        try:
            return await self._parked
        except CancelledError:
            if not self._roamed:
                raise
            raise Lost("the network has changed") from None
        finally:
            self._parked = None

    def _judge(self, answer: PingAnswer, waited: float, heartbeat: int) -> None:
        """Note what the status asks for ([MS-ASCMD] 2.2.3.177.11); common ones were raised before."""
        match answer.status:
            case parking.EXPIRED:
                if waited >= PROOF * heartbeat:
                    self._move(self.heartbeat.expired)
            case parking.CHANGED:
                self.heartbeat.changed()
                self._waited = waited
                self._synchroniser.folders_are_stale(answer.folders)
            case parking.OUT_OF_BOUNDS:
                self._move(lambda: self.heartbeat.limited(answer.limit))
            case parking.TOO_MANY:
                self._most = answer.limit
            case parking.HIERARCHY:
                self._synchroniser.hierarchy_is_stale()
            case parking.INCOMPLETE | parking.MALFORMED | parking.SERVER_ERROR:
                # The next one is whole; a server that stays like this is asked less and less often.
                self._told = None
            case _:
                raise GivenUp(f"the server answers Ping with status {answer.status}, which has no meaning")

    def _lost(self, waited: float, heartbeat: int) -> None:
        """A Ping got no answer: if it was parked for long enough, the heartbeat may be to blame."""
        if waited >= STEADY:
            self._synchroniser.progressed()
        if waited >= TELLING * heartbeat:
            self._move(self.heartbeat.lost)

    def _move(self, step: Callable[[], None]) -> None:
        before = self.heartbeat.seconds
        step()
        after = self.heartbeat.seconds
        if after != before:
            self._synchroniser.tell(events.HeartbeatMoved(before, after, self.heartbeat.settled))

    def _report(self) -> None:
        """After the synchronisation that a Ping has asked for: say what it brought."""
        news = self._synchroniser.take_news()
        if any(one.count for _, one in news):
            self._hasty = 0
        if self._waited is None:
            return
        waited, self._waited = self._waited, None
        self._synchroniser.tell(events.Woken.of(news, waited, self._wall()))
