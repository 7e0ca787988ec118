"""Waiting for the disk, in groups: what has been committed to SQLite's write-ahead log becomes durable."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from attrs import define, field


@define(eq=False)
class Journal:
    """The write-ahead log of a database file.

    With C{PRAGMA synchronous=FULL} SQLite syncs this very file once after each commit, while it still has the write
    lock: every other writer, and so every new mail, would wait for the disk with it. Here the commit is done with
    NORMAL, and the log is synced afterwards, without the lock and once for all commits that wait at the time. The
    log is one sequence: what is synced makes everything before it durable too, and a loss of power takes away a tail
    of the commits, never one out of the middle. A checkpoint needs no care: before SQLite starts the log anew it has
    synced the log and the database.

    @param database: the database file. @param sync: makes what was written to a file descriptor durable.
    """

    database: Path
    sync: Callable[[int], None] = os.fdatasync
    _count: Lock = field(factory=Lock, init=False)
    _disk: Lock = field(factory=Lock, init=False)
    _asked: int = field(default=0, init=False)
    _done: int = field(default=0, init=False)

    def settle(self) -> None:
        """Return when everything that this thread has committed is on the disk. Raises L{OSError}."""
        with self._count:
            self._asked += 1
            mine = self._asked
        with self._disk:
            if self._done >= mine:
                return
            with self._count:
                all_so_far = self._asked
            self._sync_log()
            self._done = all_so_far

    def _sync_log(self) -> None:
        log = os.open(f"{self.database}-wal", os.O_RDONLY)
        try:
            self.sync(log)
        finally:
            os.close(log)
        if not self._done:
            # The first time the log itself may be new, and its name in the directory has to be durable too.
            directory = os.open(self.database.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
