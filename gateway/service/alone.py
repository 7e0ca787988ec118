"""One gateway at a time on a data folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Taken(Exception):
    """The data folder cannot be had: another gateway runs on it, or there is none."""


def take(folder: Path) -> int:
    """Have the data folder for this process until it ends, however that comes; the descriptor of the lock.

    A name left behind by a process that was killed locks nobody out, as a process id in a file would.

    @raise Taken: another process has it, or there is no such folder. @raise OSError: it cannot be written.
    """
    try:
        lock = os.open(folder / "pushgw.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Taken(f"there is no folder {folder}. Check data.folder; 'pushgw init' makes one") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise Taken(f"another gateway runs on {folder}. Stop it first") from error
    return lock
