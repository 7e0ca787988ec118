"""The contracts of the store on SQLite in memory."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from gateway.store import Store
from tests.contract import (
    absences,
    arranging,
    commands,
    compaction,
    decisions,
    devices,
    diversions,
    drafts,
    health,
    hierarchy,
    keys,
    ledger,
    looks,
    marks,
    moving,
    outbox,
    overrides,
    postings,
    searching,
    trace,
    triggers,
    windows,
)
from tests.contract.history import World
from tests.stores import new_store


class InMemory:
    """Stores on one database in memory."""

    def makeStore(self) -> Store:
        self.made = new_store(self.seconds)
        return self.made

    def restart(self) -> Store:
        return Store(self.made.database, self.seconds)


class SQLiteLedgerTests(InMemory, ledger.LedgerContract):
    """Records on SQLite."""


class SQLiteHierarchyTests(InMemory, hierarchy.HierarchyContract):
    """Hierarchies on SQLite."""


class SQLiteArrangingTests(InMemory, arranging.ArrangingContract):
    """Folders that devices change on SQLite."""


class SQLiteMovingTests(InMemory, moving.MovingContract):
    """Items that are moved on SQLite."""


class SQLiteDiversionTests(InMemory, diversions.DiversionContract):
    """Conversations that always go to a folder on SQLite."""


class SQLiteIntentTests(InMemory, ledger.IntentContract):
    """Intents on SQLite."""


class SQLiteCompactionTests(InMemory, compaction.CompactionContract):
    """Compaction on SQLite."""


class SQLiteKeyTests(InMemory, keys.KeyContract):
    """Keys on SQLite."""


class SQLiteFloorTests(InMemory, windows.FloorContract):
    """Windows on SQLite."""


class SQLiteCommandTests(InMemory, commands.CommandContract):
    """Commands on SQLite."""


class SQLiteBacklogTests(InMemory, searching.BacklogContract):
    """What the index lacks on SQLite."""


class SQLiteSearchTests(InMemory, searching.SearchContract):
    """Searches on SQLite."""


class SQLiteCursorTests(InMemory, searching.CursorContract):
    """How far the index is on SQLite."""


class SQLiteDecisionTests(InMemory, decisions.DecisionsContract):
    """What was decided of devices on SQLite."""


class SQLiteMarksTests(InMemory, marks.MarksContract):
    """Ids that go on on SQLite."""


class SQLiteLookTests(InMemory, looks.LookContract):
    """Looks on SQLite."""


class SQLiteDevicesTests(InMemory, devices.DevicesContract):
    """Partnerships on SQLite."""


class SQLiteHealthTests(InMemory, health.HealthContract):
    """What the doctor asks SQLite."""


class SQLiteLineTests(InMemory, triggers.LinesContract):
    """Lines on SQLite."""


class SQLiteConcernedTests(InMemory, triggers.ConcernedContract):
    """Whom changes concern on SQLite."""


class SQLiteDecideTests(InMemory, triggers.DecideContract):
    """Decisions on SQLite."""


class SQLiteSpendingTests(InMemory, triggers.SpendingContract):
    """Limits on SQLite."""


class SQLiteSyncTests(InMemory, triggers.SyncContract):
    """Syncs and triggers on SQLite."""


class SQLiteDoorTests(InMemory, triggers.DoorContract):
    """Triggers of other servers on SQLite."""


class SQLiteDueTests(InMemory, triggers.DueContract):
    """Decisions put off on SQLite."""


class SQLiteParkTests(InMemory, triggers.ParkContract):
    """Parks on SQLite."""


class SQLiteLateTests(InMemory, triggers.LateContract):
    """Triggers not obeyed on SQLite."""


class SQLiteOutboxTests(InMemory, outbox.OutboxContract):
    """The outbox on SQLite."""


class SQLiteSettleTests(InMemory, outbox.SettleContract):
    """Outcomes on SQLite."""


class SQLiteOvertakenTests(InMemory, outbox.OvertakenContract):
    """Triggers not needed any more on SQLite."""


class SQLiteReceiptTests(InMemory, outbox.ReceiptContract):
    """Receipts on SQLite."""


class SQLiteTraceTests(InMemory, trace.TraceContract):
    """The trace on SQLite."""


class SQLiteAbsencesTests(InMemory, absences.AbsencesContract):
    """Who is away, on SQLite."""


class SQLiteOverrideTests(InMemory, overrides.OverridesContract):
    """Modes set by command on SQLite."""


class SQLiteDraftTests(InMemory, drafts.DraftContract):
    """Drafts on SQLite."""


class SQLitePostingTests(InMemory, postings.PostingsContract):
    """Mail that is handed over on SQLite."""


class HistoryTests(SynchronousTestCase):
    """Random histories, a few of the many that tests/slow runs."""

    def history(self, seed: int, aged: bool = False) -> None:
        clock = [1_700_000_000]
        store = new_store(lambda: clock[0])
        world = World(store, lambda: Store(store.database, lambda: clock[0]), Random(seed), aged, clock=clock)
        world.begin(1 + seed % 3)
        try:
            world.run(40)
        except AssertionError as error:
            raise AssertionError(f"in the history of seed {seed}: {error}") from error

    def test_histories(self) -> None:
        """Whatever happens, a look knows what a phone lacks, and in the end each has exactly its window."""
        for seed in range(12):
            self.history(seed)

    def test_historiesWithForgetting(self) -> None:
        """The same when old removals are forgotten and keys become invalid by it."""
        for seed in range(100, 106):
            self.history(seed, aged=True)
