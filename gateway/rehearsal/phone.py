"""A simulated phone as far as a rehearsal needs it: what it lacks, and how it synchronises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from attrs import define, field

from gateway.model import DeviceKey, Op, SyncOutcome
from gateway.rehearsal.clock import VirtualClock
from gateway.rehearsal.networks import Coverage, DataNetwork
from gateway.rehearsal.tally import Tally

#: Nothing was heard of the change yet.
UNHEARD = -1.0


class Server(Protocol):
    """What a phone asks of the gateway: one folder's Sync, and the hierarchy."""

    def sync(self, key: DeviceKey, folder: int, sync_key: str) -> tuple[SyncOutcome, str]:
        """Execute a Sync; what came of it and the GUID that the device has from now on."""

    def sync_folders(self, key: DeviceKey, sync_key: str) -> str:
        """Execute a FolderSync; the next key."""


@define(eq=False)
class Phone:
    """One device: its folders with their keys, the network it is on, and what it has not been given yet.

    C{lacking}: names of items to when they changed and when the phone heard of that.
    """

    key: DeviceKey
    clock: VirtualClock
    server: Server
    network: DataNetwork
    coverage: Coverage
    folders: dict[int, str]
    hierarchy: str = "0"
    guid: str = ""
    tally: Tally = field(factory=Tally)
    lacking: dict[str, tuple[float, float]] = field(init=False, factory=dict)
    _afterwards: list[Callable[[], None]] = field(init=False, factory=list)
    _due: bool = field(init=False, default=False)

    def changed(self, name: str) -> None:
        """An item came that the phone is to have."""
        self.tally.changes += 1
        self.lacking[name] = (self.clock.now, UNHEARD)

    def heard(self) -> None:
        """The phone has learnt that there is something new."""
        now = self.clock.now
        for name, (changed, heard) in self.lacking.items():
            if heard == UNHEARD:
                self.lacking[name] = (changed, now)
                self.tally.announced.append(now - changed)

    def online(self) -> bool:
        """Whether the phone has a network now."""
        return self.coverage.next(self.clock.now)[0] > self.clock.now

    def prime(self) -> None:
        """The first synchronisation: all keys, nothing counted."""
        self.hierarchy = self.server.sync_folders(self.key, "0")
        for folder in self.folders:
            for _ in range(2):
                outcome, self.guid = self.server.sync(self.key, folder, self.folders[folder])
                self.folders[folder] = outcome.key

    def synchronise(self, afterwards: Callable[[], None] | None = None) -> None:
        """Synchronise as soon as there is a network; the answer is there one trip later."""
        if afterwards is not None:
            self._afterwards.append(afterwards)
        if not self._due:
            self._due = True
            self.clock.call_at(self.coverage.back(self.clock.now + self.network.trip), self._synchronise)

    def _synchronise(self) -> None:
        self._due = False
        self.tally.active(self.clock.now)
        # A phone that synchronises on its own account learns of everything by that.
        self.heard()
        for folder in self.folders:
            self._sync(folder)
        afterwards, self._afterwards = self._afterwards, []
        for call in afterwards:
            call()

    def _sync(self, folder: int) -> None:
        while True:
            outcome, self.guid = self.server.sync(self.key, folder, self.folders[folder])
            self.folders[folder] = outcome.key
            self._take(outcome)
            if outcome.status != 1 or not outcome.more:
                return

    def _take(self, outcome: SyncOutcome) -> None:
        tally, now = self.tally, self.clock.now
        tally.syncs += 1
        tally.empty_syncs += not outcome.batch
        for row in outcome.batch:
            tally.items += 1
            if row.op is Op.ADD and row.item is not None and row.item.name in self.lacking:
                changed, _ = self.lacking.pop(row.item.name)
                tally.waits.append(now - changed)

    def refolder(self) -> None:
        """The server has said that the folders are others."""
        self.tally.folder_syncs += 1
        self.hierarchy = self.server.sync_folders(self.key, self.hierarchy)

    def over(self, late: float) -> None:
        """The rehearsal is over: what the phone lacks for long, it never gets."""
        end = self.clock.now
        for changed, _ in self.lacking.values():
            if end - changed > late:
                self.tally.never += 1
            else:
                self.tally.changes -= 1
