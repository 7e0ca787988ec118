"""Everything a phone does but wait: versions, policy, hierarchy, items, and how it gets over setbacks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from attrs import define, field, frozen
from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from gateway.element import Element
from gateway.simulator import events
from gateway.simulator.backoff import Backoff
from gateway.simulator.collection import SyncNews, SyncWishes, apply_sync, ask_sync
from gateway.simulator.conversation import Conversation, choose_version
from gateway.simulator.errors import (
    AccessDenied,
    Garbled,
    GivenUp,
    HierarchyStale,
    Hindered,
    Moved,
    PolicyWanted,
    Setback,
    StateGone,
    VersionStale,
    Wiped,
)
from gateway.simulator.hierarchy import apply_hierarchy, ask_hierarchy, chosen
from gateway.simulator.line import Account
from gateway.simulator.memory import UNSYNCED, Memory, PhoneFolder
from gateway.simulator.policy import PolicyGiven, acknowledge_policy, acknowledge_wipe, ask_policy, read_policy

#: Cures (Provision, FolderSync ...) in a row that help nothing before the phone gives up.
CURES = 6
#: Answers in a row that promise more and bring nothing.
EMPTY_ROUNDS = 3

T = TypeVar("T")


@frozen
class Habits:
    """What phones of one kind have in common.

    C{folders} are names as L{chosen} takes them, C{version} C{None} takes the highest, C{patience} is how long the
    answer to a command may take and C{slack} how much longer than its heartbeat a Ping may, in seconds. C{brief}
    sends an empty Ping when nothing is different from the one before. C{hang}: it has a Sync hang instead, in versions
    that can. C{information} is what the phone tells of
    itself when it asks for its policy (names of [MS-ASCMD] 2.2.3.45).
    """

    folders: tuple[str, ...] = ("Inbox",)
    version: str | None = None
    wishes: SyncWishes = field(factory=SyncWishes)
    patience: float = 60.0
    slack: float = 10.0
    brief: bool = False
    hang: bool = False
    information: dict[str, str] = field(factory=lambda: {"Model": "Simulated", "OS": "pushgw", "UserAgent": "pushgw"})


@define(eq=False)
class Synchroniser:
    """Brings the memory of a phone up to date; one thing at a time.

    C{keep} is called whenever the memory has moved, before the next request.
    """

    account: Account
    memory: Memory
    habits: Habits
    onlooker: events.IOnlooker
    _conversation: Conversation
    _clock: IReactorTime
    _keep: Callable[[Memory], None] | None = None
    _news: list[tuple[str, SyncNews]] = field(factory=list, init=False)
    _backoff: Backoff = field(init=False)
    _cures: int = field(init=False, default=0)
    _hierarchy_due: bool = field(init=False, default=True)
    _stale: set[str] = field(factory=set, init=False)
    _lock: DeferredLock = field(factory=DeferredLock, init=False)

    def __attrs_post_init__(self) -> None:
        self._backoff = Backoff(self.account.device_id)

    # What is due.

    def watched(self) -> list[PhoneFolder]:
        """The folders that the phone keeps up to date."""
        return chosen(self.memory, self.habits.folders)

    def all_is_stale(self) -> None:
        """Everything may have changed: the phone was off, or has just been told so."""
        self._hierarchy_due = True
        self._stale.update(self.memory.folders)

    def hierarchy_is_stale(self) -> None:
        """The server has said that FolderSync is due."""
        self._hierarchy_due = True

    def folders_are_stale(self, ids: Sequence[str]) -> None:
        """The server has said that these folders have changed."""
        self._stale.update(ids)

    def progressed(self) -> None:
        """Something went as it should: waits and cures count from the start again."""
        self._backoff.reset()
        self._cures = 0

    def take_news(self) -> list[tuple[str, SyncNews]]:
        """What Syncs have brought since this was asked last, by name of the folder."""
        news, self._news = self._news, []
        return news

    # Getting over setbacks.

    async def persevere(self, step: Callable[[], Awaitable[T]], trouble: Setback | None = None) -> T:
        """Get over the trouble, then take the step, again and again until it succeeds; one caller at a time.

        @raise GivenUp: nothing helps. @raise Wiped: the phone was erased.
        """
        await self._lock.acquire()
        try:
            while True:
                try:
                    if trouble is not None:
                        await self._recover(trouble)
                    return await step()
                except Setback as setback:
                    trouble = setback
        finally:
            self._lock.release()

    async def pause(self, why: str, seconds: float | None = None) -> None:
        """Wait as long as the server asked, or else as is the turn, and say so."""
        wait = self._backoff.next() if seconds is None else seconds
        self.tell(events.Hitch(why, wait))
        if wait > 0:
            await deferLater(self._clock, wait)

    def tell(self, event: events.Event) -> None:
        """Tell the onlooker."""
        self.onlooker.happened(self.account, event)

    async def _recover(self, trouble: Setback) -> None:
        if isinstance(trouble, Hindered):
            await self.pause(str(trouble), trouble.seconds)
            return
        self._cures += 1
        if self._cures > CURES:
            raise GivenUp(f"the server says the same again and again: {trouble}")
        self.tell(events.Hitch(str(trouble), 0.0))
        await self._cure(trouble)
        self._save()

    async def _cure(self, trouble: Setback) -> None:
        match trouble:
            case PolicyWanted():
                if trouble.forbidden and self._cures > 1:
                    raise AccessDenied(f"the server keeps this user or phone out ({trouble})")
                await self._provision()
            case HierarchyStale():
                self._hierarchy_due = True
                if trouble.restart:
                    self.memory.hierarchy_key = UNSYNCED
            case StateGone():
                if trouble.everything:
                    self.memory.restart()
                    self.all_is_stale()
            case VersionStale():
                self.memory.version = ""
            case Moved():
                self._move(trouble.url)

    def _move(self, url: str) -> None:
        try:
            self._conversation.line.move(url)
        except ValueError as error:
            raise GivenUp(f"the mailbox has moved to a place we cannot go to: {error}") from error
        self.memory.url = url

    # The steps.

    async def catch_up(self) -> None:
        """Do all that is due: versions, hierarchy, the folders that are stale or were never synchronised."""
        await self._prepare()
        for folder in self.watched():
            if folder.id in self._stale or folder.key == UNSYNCED or folder.doubtful:
                await self.sync(folder)
        self._stale.clear()

    async def sync(self, folder: PhoneFolder) -> None:
        """Synchronise a folder until the server has nothing more."""
        empty = 0
        while empty <= EMPTY_ROUNDS:
            began = folder.key
            news = await self.exchange(folder)
            if began == UNSYNCED:
                continue
            if not news.more:
                break
            empty = empty + 1 if not news.count else 0
        gone = folder.forget_doubtful()
        if gone:
            self._news.append((folder.name, SyncNews(deleted=gone)))
            self._save()
        self._stale.discard(folder.id)

    async def command(self, folder_id: str, item: str, command: Element) -> SyncNews:
        """Have the server carry out one command on an item; a repeat after a setback is byte by byte the same.

        @raise KeyError: the phone has no such folder.
        """
        await self._prepare()
        folder = self.memory.folders[folder_id]
        if folder.key == UNSYNCED or folder.doubtful:
            await self.sync(folder)
        news = await self.exchange(folder, (command,))
        self.progressed()
        return news

    async def exchange(self, folder: PhoneFolder, commands: Sequence[Element] = ()) -> SyncNews:
        """One Sync and its answer."""
        began = folder.key
        asked = ask_sync(folder, self.memory.version, self.habits.wishes, commands)
        answer = await self._conversation.ask("Sync", asked)
        try:
            news = apply_sync(folder, answer)
            self.memory.guid = news.guid or self.memory.guid
        finally:
            self._save()
        if folder.key == UNSYNCED:
            raise Garbled("the answer to Sync with key 0 gives no key")
        if news.count:
            self.progressed()
            self._news.append((folder.name, news))
        if began != UNSYNCED:
            self.tell(events.FolderSynced(folder.id, folder.name, news))
        return news

    def take_over(self, folders: Sequence[PhoneFolder], answer: Element | None) -> tuple[str, ...]:
        """Take over an answer about several folders; the ids of those for which the server has more."""
        more = []
        try:
            for folder in folders:
                news = apply_sync(folder, answer)
                if news.more:
                    more.append(folder.id)
                if news.count:
                    self._news.append((folder.name, news))
                    self.tell(events.FolderSynced(folder.id, folder.name, news))
        finally:
            self._save()
        return tuple(more)

    async def _prepare(self) -> None:
        """A version and an up-to-date hierarchy: what every other step stands on."""
        if not self.memory.version:
            offered = await self._conversation.offered()
            self.memory.version = choose_version(offered, self.habits.version)
            self.tell(events.Connected(self.memory.version, offered))
        if self._hierarchy_due:
            answer = await self._conversation.ask("FolderSync", ask_hierarchy(self.memory))
            if answer is None:
                raise Garbled("the answer to FolderSync is empty")
            changed = apply_hierarchy(self.memory, answer)
            self._hierarchy_due = False
            self._save()
            self.tell(events.HierarchySynced(len(self.memory.folders), changed))
        if not self.watched():
            names = ", ".join(sorted(folder.name for folder in self.memory.folders.values())) or "none"
            raise GivenUp(f"there is no folder {' or '.join(self.habits.folders)}; the server has: {names}")

    async def _provision(self) -> None:
        """Both phases of Provision, or the wipe that comes in its place."""
        version = self.memory.version
        self.memory.policy_key = 0
        given = await self._policy(ask_policy(version, self.habits.information))
        if given.key is not None:
            self.memory.policy_key = given.key
            given = await self._policy(acknowledge_policy(version, given.key))
        self.memory.policy_key = given.key or 0
        self._save()
        self.tell(events.Provisioned(self.memory.policy_key))

    async def _policy(self, asked: Element) -> PolicyGiven:
        answer = await self._conversation.ask("Provision", asked)
        if answer is None:
            raise Garbled("the answer to Provision is empty")
        given = read_policy(answer)
        if given.wipe:
            await self._conversation.ask("Provision", acknowledge_wipe(given.wipe))
            self.memory.erase()
            self._save()
            self.tell(events.Erased(given.wipe))
            raise Wiped(given.wipe)
        return given

    def _save(self) -> None:
        if self._keep is not None:
            self._keep(self.memory)
