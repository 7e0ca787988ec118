"""What the doctor has to know of a user's devices: gathered from a running gateway, or from its store alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from attrs import define, evolve, frozen
from twisted.internet.defer import Deferred

from gateway.admin.facts import Bind, Facts
from gateway.admin.operations import Operations
from gateway.core.policy import Policy
from gateway.interfaces import BackendDown, IAccounts, IOutbox, ITrace, ITriggers
from gateway.model import DeviceKey, Folder
from gateway.trigger import Hop, Letter, LetterState, Line

#: So many of the newest letters and hops of a device are looked at.
LETTERS, HOPS = 20, 500
_SETTLED = (LetterState.SENT, LetterState.DELIVERED, LetterState.UNDELIVERED, LetterState.FAILED)


class Stored(Protocol):
    """What is asked of a store beside devices, triggers, outbox and trace."""

    @property
    def triggers(self) -> ITriggers:
        """The lines."""

    @property
    def outbox(self) -> IOutbox:
        """The letters."""

    @property
    def trace(self) -> ITrace:
        """The hops."""

    def folders(self, user: str) -> Deferred[list[Folder]]:
        """See L{gateway.interfaces.ILedger}."""

    def probe(self) -> Deferred[None]:
        """Write something; fails with L{BackendDown} if that cannot be."""

    def newest(self) -> Deferred[float]:
        """The latest time that was written down."""


class Coverage(Protocol):
    """How a mailbox is watched: whether it is there, how many folders the kernel does not watch, and its limit."""

    @property
    def missing(self) -> bool:
        """Whether it has no directory."""

    @property
    def unwatched(self) -> int:
        """How many folders are not watched."""

    @property
    def limit(self) -> int:
        """How many directories can be."""


@frozen
class ExaminationTerms:
    """What the configuration says: the C{name} that phones connect to (empty: unknown), who takes the triggers of a
    line (empty: nobody), after how many seconds a device that was woken should have come, and whether triggers of
    older servers are taken."""

    name: str
    route: Callable[[Line], str]
    late: float
    door: bool = False


@frozen
class Live:
    """What only a running gateway can tell.

    C{slowed}: for how many seconds wrong passwords slow a user down; C{coverage} of a user's mailbox; C{alarm}: the
    mean heartbeat, 0 unless it is alarming; C{cuts} of a device as in L{gateway.core.cuts.Cuts.of}; C{binds} of all
    routes.
    """

    slowed: Callable[[str], float]
    coverage: Callable[[str], Coverage]
    alarm: Callable[[], float]
    cuts: Callable[[DeviceKey], Sequence[float]]
    binds: Callable[[], Sequence[Bind]]


@define(eq=False)
class Examination:
    """Gathers L{Facts}; C{live} is C{None} where no gateway runs. C{now} is wall clock."""

    store: Stored
    devices: Operations
    policy: Policy
    accounts: IAccounts
    terms: ExaminationTerms
    now: Callable[[], float]
    live: Live | None = None

    async def facts(self, user: str, device: str = "") -> list[Facts]:
        """The facts of a device, or of each device of a user; of a user without any, or without that device, the facts
        without a device."""
        user, device = user.lower(), device.lower()
        common = await self._common(user)
        try:
            return await self._told(common, user, device)
        except BackendDown as error:
            return [evolve(common, store=_words(error), readable=False)]

    async def _common(self, user: str) -> Facts:
        common = Facts(
            user=user,
            now=self.now(),
            running=self.live is not None,
            account=user in self.accounts.names(),
            server_name=self.terms.name,
            push_enabled=self.policy.direct_push,
            sms_enabled=self.policy.sms,
            door=self.terms.door,
            store=await self._trouble(),
        )
        live = self.live
        if live is None:
            return common
        coverage = live.coverage(user)
        return evolve(
            common,
            locked_out=live.slowed(user),
            mailbox=not coverage.missing,
            watch_limit=coverage.limit,
            unwatched=coverage.unwatched,
            heartbeat_alarm=live.alarm(),
            binds=tuple(live.binds()),
        )

    async def _trouble(self) -> str:
        """Why the store takes no changes, empty if it does."""
        try:
            await self.store.probe()
        except BackendDown as error:
            return _words(error)
        return ""

    async def _told(self, common: Facts, user: str, device: str) -> list[Facts]:
        """What the store tells; fails with L{BackendDown}."""
        rows = await self.devices.list(user)
        waiting = await self.store.outbox.waiting()
        standing = self.policy.source(user, device)
        common = evolve(
            common,
            newest=await self.store.newest(),
            devices=tuple(row["device"] for row in rows),
            waiting={route: max(0.0, common.now - oldest) for route, (_, oldest) in waiting.items()},
            mode=standing.mode,
            mode_from=str(standing),
        )
        lines = {line.key: line for line in await self.store.triggers.lines(user)}
        ids = {folder.id for folder in await self.store.folders(user)}
        chosen = [row for row in rows if device in ("", row["device"])]
        return [await self._of(common, row, ids, lines) for row in chosen] or [common]

    async def _of(self, common: Facts, row: dict[str, Any], ids: set[int], lines: Mapping[DeviceKey, Line]) -> Facts:
        key = DeviceKey(row["user"], row["device"])
        line, standing = lines.get(key), self.policy.source(key.user, key.device)
        facts = evolve(
            common,
            device=row,
            mode=standing.mode,
            mode_from=str(standing),
            missing=tuple(str(folder) for folder, _ in row["folders"] if folder not in ids),
            cuts=self.live.cuts(key) if self.live is not None else (),
            line=row["line"],
            route=self.terms.route(line) if line is not None else "",
        )
        letters = await self.store.outbox.letters(key.user, key.device, LETTERS)
        triggers = [one for one in letters if not one.recipients]
        brought = max((one.created for one in triggers if one.content), default=0.0)
        last = next((one for one in triggers if one.state in _SETTLED), None)
        facts = evolve(facts, brought=brought, sent=last is not None)
        if last is None:
            return facts
        return self._sent(facts, last, await self.store.trace.read(key.user, key.device, -1, HOPS))

    def _sent(self, facts: Facts, letter: Letter, hops: Sequence[Hop]) -> Facts:
        """What became of the last trigger."""
        if letter.state is LetterState.FAILED:
            return evolve(facts, refusal=letter.result or "for no reason that was told")
        if letter.state is LetterState.SENT:
            return facts
        if letter.state is LetterState.UNDELIVERED:
            return evolve(facts, receipt=letter.result, delivered=False)
        delivered = next((hop.at for hop in hops if hop.letter == letter.id and hop.kind == "receipt"), letter.created)
        waited = facts.now - delivered
        came = facts.device is not None and facts.device["last_sync"] >= int(letter.created)
        # What a device does with a trigger of another server is not seen here.
        late = waited if waited > self.terms.late and not came and not letter.content else 0.0
        return evolve(facts, receipt=letter.result or "delivered", late=late)


def _words(error: BackendDown) -> str:
    """The first line: what follows is the statement that failed."""
    return str(error).partition("\n")[0].removeprefix("the database: ")
