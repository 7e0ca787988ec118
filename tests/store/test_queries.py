"""What the ledger asks the database: always the same number of statements, each a look into a narrow range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import event
from twisted.trial.unittest import SynchronousTestCase

from gateway.arrangement import Arrangement, Shift, Turn
from gateway.model import Amend, DeviceKey, FolderType, Found, FoundFolder, Remove, SyncOptions, SyncRequest
from gateway.store import counted
from tests.stores import new_store

PHONE = DeviceKey("ann", "phone")
NOW = 1_700_000_000
TRASH = FoundFolder(".Trash", "Trash", FolderType.DELETED)


class QueryTests(SynchronousTestCase):
    """Statements and their plans."""

    def setUp(self) -> None:
        self.store = new_store(lambda: NOW)
        found = [FoundFolder("", "Inbox", FolderType.INBOX), TRASH]
        self.inbox, self.trash = (one.id for one in self.successResultOf(self.store.record_hierarchy("ann", found))[0])
        self.serial = 0

    def deliver(self, count: int) -> None:
        self.serial += count
        found = [Found(f"m{self.serial - n}", "", NOW - n) for n in range(count)]
        self.successResultOf(self.store.record({self.inbox: (found, [])}))

    def sync(self, key: str, *commands: Any, **more: Any) -> Any:
        request = SyncRequest(key, b"%d" % self.serial, NOW, get_changes=key != "0", commands=commands, **more)
        return self.successResultOf(self.store.sync(PHONE, self.inbox, request))

    def prepare(self, size: int) -> str:
        """A device that has everything."""
        self.deliver(size)
        outcome = self.sync(self.sync("0").key, window=10_000)
        self.assertFalse(outcome.more)
        self.successResultOf(self.store.sync_folders(PHONE, "0"))
        self.store.given(PHONE, self.inbox, outcome.key)
        return outcome.key

    def statements(self, work: Callable[[], Any]) -> int:
        with counted(self.store.database.engine) as sent:
            work()
        return len(sent)

    def test_sync(self) -> None:
        """A Sync that brings one new mail costs six statements, whatever the folder holds."""
        counts = []
        for size in (1, 300):
            key = self.prepare(size)
            self.deliver(1)
            counts.append(self.statements(lambda key=key: self.sync(key)))
        self.assertEqual(counts, [6, 6])

    def test_look(self) -> None:
        """A look costs one statement if nothing happened, two if something did, whatever the folders hold."""
        for size in (1, 300):
            self.prepare(size)
            look = lambda: self.successResultOf(self.store.look(PHONE, [self.inbox, self.trash], False))  # noqa: E731
            self.assertEqual(self.statements(look), 1)
            self.deliver(1)
            self.assertEqual(self.statements(look), 2)

    def test_record(self) -> None:
        """Recording costs five statements for one new item or many, in a small folder or a large one."""
        counts = [self.statements(lambda size=size: self.deliver(size)) for size in (1, 300, 1, 900)]
        self.assertEqual(counts, [5, 5, 5, 5])

    def test_commands(self) -> None:
        """Commands cost the same number of statements however many they are."""
        counts = []
        for size in (2, 100):
            key = self.prepare(size)
            ids = [row.id for row in self.successResultOf(self.store.items("ann", range(1, 2000)))][-size:]
            commands = [*(Amend(id, add="S") for id in ids[1:]), Remove(ids[0])]
            counts.append(
                self.statements(lambda key=key, commands=commands: self.sync(key, *commands, trash=self.trash))
            )
        self.assertEqual(counts[0], counts[1])

    def test_move(self) -> None:
        """Moving costs the same number of statements however many items are moved, in folders of any size."""
        counts = []
        for size in (2, 100):
            self.prepare(size)
            ids = [row.id for row in self.successResultOf(self.store.items("ann", range(1, 2000)))][-size:]
            shifts = [Shift(id, self.inbox, self.trash) for id in ids]
            counts.append(self.statements(lambda shifts=shifts: self.store.move("ann", shifts, NOW)))
        self.assertEqual(counts[0], counts[1])

    def test_plans(self) -> None:
        """No statement of a Sync, a look, an estimate or a record runs through a whole table or sorts items."""
        sent: list[tuple[str, Any]] = []

        def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
            if not statement.startswith(("BEGIN", "PRAGMA")):
                sent.append((statement, parameters[0] if isinstance(parameters, list) else parameters))

        engine = self.store.database.engine
        event.listen(engine, "before_cursor_execute", note)
        self.everything()
        event.remove(engine, "before_cursor_execute", note)
        self.assertGreater(len({statement for statement, _ in sent}), 20)
        with engine.connect() as connection:
            for statement, parameters in sent:
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
                for step in plan:
                    self.assertNotRegex(step.detail, r"SCAN [a-z]", statement)
                    if "FROM item" in statement:
                        self.assertNotIn("TEMP B-TREE", step.detail, statement)

    def test_ranges(self) -> None:
        """Changes and arrivals are read by their numbers, the past by its time of reception."""
        self.prepare(5)
        ranges = {"number": "item_number (folder=? AND number>?)", "added": "item_added (folder=? AND added>?)"}
        sent: list[tuple[str, Any]] = []
        engine = self.store.database.engine
        listen = lambda c, k, statement, parameters, x, m: sent.append((statement, parameters))  # noqa: E731
        self.deliver(1)
        event.listen(engine, "before_cursor_execute", listen)
        self.sync("0")
        self.sync(self.sync("0").key)
        key = self.sync("0").key
        self.deliver(1)
        self.sync(key)
        self.successResultOf(self.store.look(PHONE, [self.inbox], False))
        event.remove(engine, "before_cursor_execute", listen)
        with engine.connect() as connection:
            plans = [
                step.detail
                for statement, parameters in sent
                if statement.startswith("SELECT") and "item" in statement
                for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            ]
        for wanted in (*ranges.values(), "item_received (folder=? AND received>? AND received<?)"):
            self.assertTrue(any(wanted in plan for plan in plans), (wanted, plans))

    def everything(self) -> None:
        """One of each."""
        key = self.prepare(20)
        self.store.given(PHONE, self.inbox, key)
        self.successResultOf(self.store.flush())
        seen = ([Found("m1", "S", NOW), Found("x", "", NOW)], ["m2"])
        self.successResultOf(self.store.record({self.inbox: seen}))
        self.successResultOf(self.store.look(PHONE, [self.inbox, self.trash], False))
        self.successResultOf(self.store.look(PHONE, [self.inbox], True))
        self.successResultOf(self.store.estimate(PHONE, self.inbox, key, SyncOptions(filter=1), NOW))
        ids = [item.id for item in self.successResultOf(self.store.items("ann", range(1, 99)))]
        first = self.sync(key, Amend(ids[3], add="S"), Remove(ids[4]), Remove(ids[5]), trash=self.trash)
        self.sync(key, Amend(ids[3], add="S"), options=SyncOptions(filter=1))
        self.sync(key, options=SyncOptions(filter=1), window=3)
        self.sync(first.key)
        self.successResultOf(self.store.listing(self.inbox))
        self.successResultOf(self.store.folders("ann"))
        self.successResultOf(self.store.record_hierarchy("ann", [FoundFolder("", "Mail", FolderType.INBOX)]))
        self.successResultOf(self.store.sync_folders(PHONE, "0"))
        self.successResultOf(self.store.device(PHONE))
        self.arrange()

    def arrange(self) -> None:
        """One of each that moves items or changes folders."""
        found = [FoundFolder("", "Mail", FolderType.INBOX), FoundFolder(".Work", "Work", FolderType.USER_MAIL)]
        live, _ = self.successResultOf(self.store.record_hierarchy("ann", found))
        work = live[1].id
        ids = [item.id for item in self.successResultOf(self.store.items("ann", range(1, 99)))]
        moved = self.successResultOf(self.store.move("ann", [Shift(id, self.inbox, work) for id in ids[:3]], NOW))
        self.store.aware(PHONE, moved.spans)
        self.successResultOf(self.store.look(PHONE, [self.inbox, work], False))
        self.successResultOf(self.store.clear("ann", work, 99, 2, NOW))
        key = self.successResultOf(self.store.sync_folders(PHONE, "0")).key
        home = FoundFolder(".Home", "Home", FolderType.USER_MAIL)
        plan = Arrangement("ann", frozenset(("", ".Work")), (found[0], home), ".Home", moved=((".Work", ".Home"),))
        self.successResultOf(self.store.arrange(plan, Turn(PHONE, key, b"1")))
        plan = Arrangement("ann", frozenset(("", ".Home")), (found[0],), ".Home", removed=(".Home",))
        self.successResultOf(self.store.arrange(plan, Turn(PHONE, key, b"2")))
        self.successResultOf(self.store.repeated(Turn(PHONE, key, b"2")))
