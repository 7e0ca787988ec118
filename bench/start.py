"""Start-up with many accounts and a ledger full of mails, nothing changed since the last stop."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.gateway import Gateway, made, progress, report

MAIL = b"From: a@example.org\nSubject: hello\n\nHello.\n"


def _fill(gateway: Gateway, mails: int) -> None:
    """Put the mails into the Inboxes: hard links to one file for each, as only names count at start."""
    each = mails // len(gateway.users)
    now = int(time.time())
    for user in gateway.users:
        cur = gateway.inbox(user) / "cur"
        origin = cur.parent / "tmp" / "origin"
        origin.write_bytes(MAIL)
        for count in range(each):
            os.link(origin, cur / f"{now - count}.M{count}.bench:2,S")


def measure(accounts: int, mails: int, folder: Path) -> dict[str, float]:
    """First start (everything is listed), then the start that counts."""
    gateway = made(folder, accounts)
    _fill(gateway, mails)
    progress(f"{accounts} accounts, {mails} mails")
    first = gateway.timed_start()
    time.sleep(15)
    gateway.stop()
    seconds = gateway.timed_start()
    figures = {
        "accounts": accounts,
        "mails": mails,
        "first_start_seconds": round(first, 1),
        "start_seconds": round(seconds, 2),
        "start_cpu_seconds": round(gateway.cpu(), 2),
        "mib": round(gateway.memory() / 2**20, 1),
    }
    gateway.kill()
    return figures


def main(accounts: int = 1000, mails: int = 1_000_000) -> None:
    """Measure a tenth and the whole, and print the lines."""
    for part in (10, 1):
        with TemporaryDirectory(prefix="pushgw-start-") as name:
            report("start", **measure(accounts // part, mails // part, Path(name) / "gateway"))


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
