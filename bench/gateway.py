"""A gateway in a process of its own, with many accounts, for the measurements."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from attrs import define

from tests.functional.running import Running


def user_name(number: int) -> str:
    """The account of a phone."""
    return f"u{number:05d}"


@define(eq=False)
class Gateway(Running):
    """A gateway, and what it costs."""

    def timed_start(self) -> float:
        """Start it; the seconds until it was ready."""
        began = time.monotonic()
        self.launch()
        self.wait_ready(1800)
        return time.monotonic() - began

    @property
    def pid(self) -> int:
        """The process."""
        assert self.process is not None
        return self.process.pid

    def cpu(self) -> float:
        """CPU seconds that the process has used."""
        return cpu_seconds(self.pid)

    def memory(self) -> int:
        """Proportional set size of the process, in bytes."""
        return pss(self.pid)


def made(folder: Path, accounts: int) -> Gateway:
    """A gateway with so many accounts, each with an empty Inbox, that has not been started."""
    settings = {
        "direct_push": {"min_heartbeat": "60", "farewell_seconds": "3"},
        "smtp": {"connections": "1000", "messages_per_minute": "0"},
        "admin": {"listen": '""'},
        "cred": {"queue": "100000"},
        "log": {"access": "false"},
    }
    users = [user_name(number) for number in range(accounts)]
    gateway = Gateway(folder, users, settings, {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "1048576"})
    gateway.make()
    return gateway


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss(pid: int) -> int:
    """Proportional set size of a process, in bytes."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise OSError("no Pss")


def report(name: str, **figures: object) -> None:
    """Print one measurement as one line of JSON."""
    print(json.dumps({"bench": name, **figures}), flush=True)


def progress(text: str) -> None:
    """Say on standard error what is under way."""
    print(f"  {text}", file=sys.stderr, flush=True)
