"""What the index of mails asks the database: looks into narrow ranges, whatever is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import event
from twisted.trial.unittest import SynchronousTestCase

from gateway.index import Document, Phrase, Sought
from gateway.model import FolderType, Found, FoundFolder
from gateway.store import counted
from tests.stores import new_store, result_of

NOW = 1_700_000_000


class QueryTests(SynchronousTestCase):
    """Statements and their plans."""

    def setUp(self) -> None:
        self.store = new_store(lambda: NOW)
        folders, _ = result_of(self.store.record_hierarchy("ann", [FoundFolder("", "Inbox", FolderType.INBOX)]))
        self.inbox = folders[0].id
        self.serial = 0

    def deliver(self, count: int) -> None:
        names = [f"m{self.serial + n}" for n in range(count)]
        self.serial += count
        result_of(self.store.record({self.inbox: ([Found(name, "", NOW - n) for n, name in enumerate(names)], [])}))

    def catch_up(self, most: int = 100) -> None:
        for id in result_of(self.store.index.behind([self.inbox])):
            while (portion := result_of(self.store.index.portions([id], most))[0]) is not None:
                documents = [Document(item.id, item.received, item.name, text="words") for item in portion.items]
                result_of(self.store.index.put([(portion, documents)]))

    def search(self) -> None:
        either = (Phrase("words"), Phrase("other"))
        result_of(self.store.index.search("ann", Sought((either,), folders=(self.inbox,), since=1, until=NOW), 0, 9))

    def statements(self, work: Callable[[], Any]) -> int:
        with counted(self.store.database.engine) as sent:
            work()
        return len(sent)

    def test_counts(self) -> None:
        """A new mail costs the same number of statements, and so does a search, whatever there is."""
        counts = []
        for size in (1, 300):
            self.deliver(size)
            self.catch_up()
            self.deliver(1)
            counts.append((self.statements(self.catch_up), self.statements(self.search)))
        self.assertEqual(counts[0], counts[1])
        self.assertEqual(counts[0][1], 2)

    def test_plans(self) -> None:
        """Nothing runs through a whole table or sorts one; FTS5 is asked by its own index."""
        sent: list[tuple[str, Any]] = []

        def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
            if statement.startswith(("SELECT", "UPDATE", "DELETE")):
                sent.append((statement, parameters[0] if isinstance(parameters, list) else parameters))

        engine = self.store.database.engine
        event.listen(engine, "before_cursor_execute", note)
        self.deliver(250)
        self.catch_up()
        self.deliver(3)
        result_of(self.store.record({self.inbox: ([], ["m1", "m251"])}))
        self.catch_up()
        self.search()
        event.remove(engine, "before_cursor_execute", note)
        plans = {}
        with engine.connect() as connection:
            for statement, parameters in sent:
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plans[statement] = [row.detail for row in rows]
        self.assertGreater(len(plans), 10)
        for statement, plan in plans.items():
            for step in plan:
                self.assertNotRegex(step, r"SCAN (?!hit$|search_words VIRTUAL TABLE INDEX)", statement)
                if "search_words" not in statement:
                    self.assertNotIn("TEMP B-TREE", step, statement)
