"""The store used from several threads on a file, as in production."""

from __future__ import annotations

from threading import Barrier, Thread
from typing import Any

from sqlalchemy import text
from twisted.internet.defer import execute
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import BackendDown
from gateway.model import DeviceKey, FolderType, Found, FoundFolder, SyncRequest
from gateway.store import Store, open_store
from tests.stores import result_of

PHONE = DeviceKey("ann", "phone")
NOW = 1_700_000_000
INBOX = FoundFolder("", "Inbox", FolderType.INBOX)


class ThreadTests(SynchronousTestCase):
    """Writers, readers and a device at the same time."""

    url = ""

    def setUp(self) -> None:
        self.store = open_store(self.url or f"sqlite:///{self.mktemp()}", execute, lambda: NOW)
        self.addCleanup(self.store.close)
        self.inbox = result_of(self.store.record_hierarchy("ann", [INBOX]))[0][0].id

    def sync(self, key: str) -> Any:
        request = SyncRequest(key, key.encode(), NOW, get_changes=key != "0")
        return result_of(self.store.sync(PHONE, self.inbox, request))

    def test_allAtOnce(self) -> None:
        """While three write and others look, a device gets each mail exactly once, and the numbers have no gap."""
        start = Barrier(5)
        failures: list[BaseException] = []

        def many(work: Any) -> None:
            try:
                start.wait(10)
                for n in range(15):
                    work(n)
            except BaseException as error:
                failures.append(error)

        def write(who: str) -> Any:
            return lambda n: result_of(self.store.record({self.inbox: ([Found(f"{who}{n}", "", NOW)], [])}))

        def look(n: int) -> None:
            result_of(self.store.look(PHONE, [self.inbox], False))

        works = [write("a"), write("b"), write("c"), look]
        threads = [Thread(target=many, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        key, got = self.sync("0").key, []
        start.wait(10)
        while not failures and (len(got) < 45 or any(thread.is_alive() for thread in threads)):
            outcome = self.sync(key)
            got += [row.item.name for row in outcome.batch if row.item is not None]
            key = outcome.key
        for thread in threads:
            thread.join(10)
        self.assertEqual(failures, [])
        self.assertEqual(sorted(got), sorted(f"{who}{n}" for who in "abc" for n in range(15)))
        numbers = sorted(item.number for item in result_of(self.store.items("ann", range(1, 100))))
        self.assertEqual(numbers, list(range(1, 46)))


class MemoryThreadTests(ThreadTests):
    """The same on the one connection of a database in memory."""

    url = "sqlite://"


class TroubleTests(SynchronousTestCase):
    """A database that does not answer."""

    def broken(self) -> Store:
        store = open_store("sqlite://", execute)
        self.addCleanup(store.close)
        with store.database.engine.begin() as connection:
            connection.execute(text("DROP TABLE sync_key"))
        return store

    def test_backendDown(self) -> None:
        """What cannot be asked is L{BackendDown}, in reading and in writing."""
        store = self.broken()
        result_of(store.record_hierarchy("ann", [INBOX]))
        self.failureResultOf(store.look(PHONE, [1], False), BackendDown)
        self.failureResultOf(store.sync_folders(PHONE, "0"), BackendDown)

    def test_usableAfterwards(self) -> None:
        """The next call is not hurt by one that failed."""
        store = self.broken()
        self.failureResultOf(store.sync_folders(PHONE, "0"), BackendDown)
        self.assertEqual(len(result_of(store.record_hierarchy("ann", [INBOX]))[0]), 1)
