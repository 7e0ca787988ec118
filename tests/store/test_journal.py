"""Waiting for the disk in groups."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event, Thread

from twisted.trial.unittest import SynchronousTestCase

from gateway.store.journal import Journal


class JournalTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.database = folder / "x.sqlite"
        (folder / "x.sqlite-wal").write_bytes(b"log")
        self.synced: list[str] = []
        self.began, self.may_end = Event(), Event()

    def sync(self, log: int) -> None:
        """Note which file is synced, and take as long as the test says."""
        self.synced.append(os.readlink(f"/proc/self/fd/{log}"))
        self.began.set()
        self.assertTrue(self.may_end.wait(10))

    def test_syncsTheLog(self) -> None:
        """It is the write-ahead log that is synced, each time somebody asks."""
        self.may_end.set()
        journal = Journal(self.database, self.sync)
        journal.settle()
        journal.settle()
        self.assertEqual([Path(name).name for name in self.synced], ["x.sqlite-wal"] * 2)

    def test_inGroups(self) -> None:
        """Those who ask while the disk is busy share one sync: not the one that began before they asked."""
        journal = Journal(self.database, self.sync)
        threads = [Thread(target=journal.settle) for _ in range(8)]
        threads[0].start()
        self.assertTrue(self.began.wait(10))
        for thread in threads[1:]:
            thread.start()
        while journal._asked < len(threads):
            pass
        self.may_end.set()
        for thread in threads:
            thread.join(10)
        self.assertEqual(len(self.synced), 2)

    def test_failure(self) -> None:
        """A disk that fails is told to everybody who asked; the next asks the disk again."""

        def broken(log: int) -> None:
            raise OSError(5, "Input/output error")

        journal = Journal(self.database, broken)
        for _ in range(2):
            self.assertRaises(OSError, journal.settle)
