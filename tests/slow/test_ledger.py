"""The ledger at length: many random histories, and a folder of 100,000 mails."""

from __future__ import annotations

import time
from random import Random
from typing import Any

from twisted.internet.defer import execute
from twisted.trial.unittest import SynchronousTestCase

from gateway.model import DeviceKey, FolderType, Found, FoundFolder, SyncRequest
from gateway.store import Store, open_store
from tests.contract.history import World
from tests.stores import new_store, result_of

PHONE = DeviceKey("ann", "phone")
NOW = 1_700_000_000
HISTORIES = 400
MANY = 100_000


class HistoryTests(SynchronousTestCase):
    """See L{tests.contract.history}."""

    def history(self, seed: int) -> None:
        clock = [NOW]
        store = new_store(lambda: clock[0])
        world = World(store, lambda: Store(store.database, lambda: clock[0]), Random(seed), seed % 4 == 3, clock)
        world.begin(1 + seed % 3)
        try:
            world.run(80)
        except AssertionError as error:
            raise AssertionError(f"in the history of seed {seed}: {error}") from error

    def test_histories(self) -> None:
        """Whatever happens, a look knows what a phone lacks, and in the end each has exactly its window."""
        for seed in range(10_000, 10_000 + HISTORIES):
            self.history(seed)

    test_histories.timeout = 900  # type: ignore[attr-defined]


class LargeFolderTests(SynchronousTestCase):
    """A folder of 100,000 mails."""

    timeout = 600

    def setUp(self) -> None:
        self.store = open_store(f"sqlite:///{self.mktemp()}", execute, lambda: NOW)
        self.addCleanup(self.store.close)
        self.serial = 0

    def folder(self, user: str, size: int) -> int:
        [inbox], _ = result_of(self.store.record_hierarchy(user, [FoundFolder("", "Inbox", FolderType.INBOX)]))
        # In an order that is not that of their times.
        found = [Found(f"m{n}", "", NOW - (n * 7919) % size) for n in range(size)]
        result_of(self.store.record({inbox.id: (found, [])}))
        return inbox.id

    def sync(self, device: DeviceKey, folder: int, key: str, window: int = 512) -> Any:
        self.serial += 1
        request = SyncRequest(key, b"%d" % self.serial, NOW, window=window, get_changes=key != "0")
        return result_of(self.store.sync(device, folder, request))

    def test_newestFirst(self) -> None:
        """A first Sync brings the newest mails first, each once, and a mail that comes meanwhile before the rest."""
        folder = self.folder("ann", MANY)
        outcome = self.sync(PHONE, folder, self.sync(PHONE, folder, "0").key)
        times = [row.item.received for row in outcome.batch]
        self.assertEqual(times, [NOW - n for n in range(512)])
        result_of(self.store.record({folder: ([Found("new", "", NOW - 5)], [])}))
        seen = {row.id for row in outcome.batch}
        outcome = self.sync(PHONE, folder, outcome.key)
        self.assertEqual(outcome.batch[0].item.name, "new")
        while True:
            ids = {row.id for row in outcome.batch}
            self.assertEqual(len(ids), len(outcome.batch))
            self.assertFalse(ids & seen)
            seen |= ids
            if not outcome.more:
                break
            self.assertEqual(len(ids), 512)
            outcome = self.sync(PHONE, folder, outcome.key)
        self.assertEqual(len(seen), MANY + 1)

    def test_flat(self) -> None:
        """A Sync with one new mail, a look and a record cost the same in a folder of 100 and of 100,000, within 2x."""
        costs = {}
        for size in (100, MANY):
            device = DeviceKey(f"user{size}", "phone")
            folder = self.folder(device.user, size)
            outcome = self.sync(device, folder, self.sync(device, folder, "0").key, size)
            self.assertFalse(outcome.more)
            key, spent = outcome.key, []
            for n in range(60):
                before = time.process_time()
                result_of(self.store.record({folder: ([Found(f"new{n}", "", NOW)], [])}))
                looked = result_of(self.store.look(device, [folder], False))
                outcome = self.sync(device, folder, key)
                spent.append(time.process_time() - before)
                key = outcome.key
                self.assertEqual((looked.folders[folder].news, len(outcome.batch)), (True, 1))
            costs[size] = sorted(spent)[len(spent) // 2]
        self.assertLess(costs[MANY], 2 * costs[100], costs)
