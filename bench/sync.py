"""Cost of a Sync that brings one new mail, and of a Ping's check, in folders of very different sizes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import define, field
from twisted.internet.defer import execute

from bench.gateway import progress, report
from gateway.model import DeviceKey, FolderType, Found, FoundFolder, SyncRequest
from gateway.store import Store, counted, open_store
from tests.stores import result_of

SIZES = (100, 10_000, 100_000)
TIMES = 100
PHONE = DeviceKey("ann", "phone")


@define(eq=False)
class Folder:
    """One folder of that many mails, and a phone that has them all."""

    store: Store
    size: int
    id: int = field(init=False)
    key: str = field(init=False, default="0")
    _count: int = field(init=False, default=0)

    def fill(self) -> None:
        """Record the mails, and give them to the phone."""
        folders, _ = result_of(self.store.record_hierarchy("ann", [FoundFolder("", "Inbox", FolderType.INBOX)]))
        self.id = folders[0].id
        now = int(time.time())
        for first in range(0, self.size, 5000):
            found = [Found(f"m{n}", "", now - n) for n in range(first, min(first + 5000, self.size))]
            result_of(self.store.record({self.id: (found, [])}))
        hierarchy = result_of(self.store.sync_folders(PHONE, "0"))
        self.store.given(PHONE, 0, hierarchy.key)
        self.sync(512)
        while self.sync(512).more:
            pass

    def sync(self, window: int = 100) -> Any:
        """One Sync of the folder."""
        self._count += 1
        request = SyncRequest(self.key, b"%d" % self._count, int(time.time()), window, get_changes=self.key != "0")
        outcome = result_of(self.store.sync(PHONE, self.id, request))
        self.key = outcome.key
        self.store.given(PHONE, self.id, self.key)
        return outcome

    def deliver(self) -> None:
        """One more mail."""
        self._count += 1
        result_of(self.store.record({self.id: ([Found(f"new{self._count}", "", int(time.time()))], [])}))


def timed(work: Callable[[], object], before: Callable[[], object]) -> float:
    """CPU milliseconds of a call, with something else done before each."""
    spent = 0.0
    for _ in range(TIMES):
        before()
        began = time.process_time()
        work()
        spent += time.process_time() - began
    return spent / TIMES * 1000


def measure(size: int) -> dict[str, float]:
    """The figures of one size."""
    with TemporaryDirectory(prefix="pushgw-sync-") as name:
        store = open_store(f"sqlite:///{Path(name) / 'bench.sqlite'}", execute)
        folder = Folder(store, size)
        folder.fill()
        progress(f"folder of {size} mails, {os.path.getsize(Path(name) / 'bench.sqlite') / 2**20:.0f} MiB of database")
        folder.deliver()
        with counted(store.database.engine) as sync_statements:
            assert len(folder.sync().batch) == 1
        with counted(store.database.engine) as look_statements:
            result_of(store.look(PHONE, [folder.id], False))
        sync = timed(folder.sync, folder.deliver)
        look = timed(lambda: result_of(store.look(PHONE, [folder.id], False)), lambda: None)
        store.close()
        return {
            "sync_cpu_ms": round(sync, 3),
            "sync_statements": len(sync_statements),
            "look_cpu_ms": round(look, 3),
            "look_statements": len(look_statements),
        }


def main(*sizes: int) -> None:
    """Measure all sizes and print the line."""
    figures = {size: measure(size) for size in sizes or SIZES}
    smallest, largest = figures[min(figures)], figures[max(figures)]
    report(
        "sync",
        sizes={str(size): figure for size, figure in figures.items()},
        sync_growth=round(largest["sync_cpu_ms"] / smallest["sync_cpu_ms"], 2),
        look_growth=round(largest["look_cpu_ms"] / smallest["look_cpu_ms"], 2),
    )


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
