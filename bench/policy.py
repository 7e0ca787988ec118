"""Decisions about triggers per second, with 100,000 users in a SQLite file, groups and overrides.

The whole way of a change is measured, as the running gateway goes it: which devices are concerned, their mode, their
wake rules, the deciding transaction with its look at the ledger, and the letter that is queued.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import define, field
from twisted.internet.defer import execute
from twisted.internet.task import Clock

from bench.gateway import progress, report
from gateway.config import load
from gateway.core.parks import Parks
from gateway.core.policy import Policy
from gateway.core.switchboard import Switchboard
from gateway.core.tracer import Tracer
from gateway.core.waker import Waker
from gateway.model import Change, DeviceKey, FolderType, Found, FoundFolder, Mode, SyncRequest
from gateway.service import settings
from gateway.service.waking import Terms
from gateway.store import Store, open_store
from gateway.trigger import Decided, Line, Override, Verdict
from tests.stores import result_of

#: So many changes come together: a busy second.
TOGETHER = 500
ROUNDS = 20
GROUP_SIZE = 100
CONFIG = """
[policy]
default_mode = "sms"
quiet_hours = ["02:00-02:01"]
[operators.one]
smpp = ["tcp:127.0.0.1:2775"]
system_id = "pushgw"
price = 0.05
prefixes = ["+4917"]
[operators.two]
smpp = ["tcp:127.0.0.1:2776"]
system_id = "pushgw"
prefixes = ["+4916"]
[sms]
per_device_day = 1000
budget_day = 100000
"""


@define(eq=False)
class Town:
    """So many users, each with a device that has a line and has synchronised; every tenth with a mode by command."""

    store: Store
    users: int
    folders: list[int] = field(init=False, factory=list)
    mails: int = field(init=False, default=0)

    def settle(self) -> None:
        """Make everybody."""
        for number in range(self.users):
            self._make(number)
            if number % 10_000 == 9_999:
                progress(f"{number + 1} users")

    def _make(self, number: int) -> None:
        user = f"user{number:06d}"
        key = DeviceKey(user, "phone")
        folders, _ = result_of(self.store.record_hierarchy(user, [FoundFolder("", "Inbox", FolderType.INBOX)]))
        inbox = folders[0].id
        self.folders.append(inbox)
        primed = result_of(self.store.sync(key, inbox, SyncRequest("0", b"", int(time.time()))))
        synced = result_of(self.store.sync(key, inbox, SyncRequest(primed.key, b"", int(time.time()))))
        self.store.given(key, inbox, synced.key)
        prefix = "+4917" if number % 2 else "+4916"
        result_of(self.store.triggers.keep_line(Line(key, f"{prefix}{number:08d}")))
        if number % 10 == 0:
            override = Override(user, "", Mode.BOTH, "bench", int(time.time()))
            result_of(self.store.overrides.override(user, "", override))

    def change(self, folders: list[int]) -> list[Change]:
        """A new mail in each of these folders."""
        self.mails += 1
        found = [Found(f"{self.mails}.mail", "", int(time.time()))]
        changes: list[Change] = result_of(self.store.record({folder: (found, []) for folder in folders}))
        return changes


def policy_of(path: Path, users: int, store: Store) -> tuple[Any, Policy]:
    """The configuration with groups, and the policy with the overrides of the store."""
    groups = []
    for first in range(0, users, 10 * GROUP_SIZE):
        members = ", ".join(f'"user{number:06d}"' for number in range(first, first + GROUP_SIZE))
        groups.append(f'[groups."g{first}"]\nmode = "sms"\nmembers = [{members}]')
    path.write_text(CONFIG + "\n".join(groups))
    config = load(path)
    policy = settings.modes(config)
    policy.load(result_of(store.overrides.overrides()))
    return config, policy


def waker_of(config: Any, policy: Policy, store: Store, decided: list[Verdict]) -> tuple[Waker, Clock]:
    """A Waker as in the gateway, on a clock that stands still."""
    clock = Clock()
    board = Switchboard(clock)

    def now() -> int:
        return int(time.time())

    def counted(one: Decided) -> None:
        decided.append(one.verdict)

    terms = Terms(config, policy, now).settings()
    parks = Parks(lambda key: True, now)
    tracer = Tracer(store.trace, time.time)
    return Waker(store.triggers, board, parks, clock, now, terms, tracer, lambda route: None, counted), clock


def measured(town: Town, waker: Waker, clock: Clock) -> float:
    """CPU seconds for all rounds, each time of other users; called again, of the same ones in the same order."""
    draw = random.Random(1)
    order = draw.sample(town.folders, TOGETHER * ROUNDS)
    spent = 0.0
    for first in range(0, len(order), TOGETHER):
        changes = town.change(order[first : first + TOGETHER])
        began = time.process_time()
        waker.changed(*changes)
        clock.advance(0)
        result_of(waker.tracer.flush())
        spent += time.process_time() - began
    return spent


def main(users: int = 100_000) -> None:
    """Measure and print the line."""
    with TemporaryDirectory(prefix="pushgw-policy-") as name:
        store = open_store(f"sqlite:///{Path(name) / 'bench.sqlite'}", execute)
        # The measurement is of the processor; the disk is waited for in groups by other threads.
        store.database.journal = None
        town = Town(store, users)
        town.settle()
        config, policy = policy_of(Path(name) / "pushgw.toml", users, store)
        decided: list[Verdict] = []
        waker, clock = waker_of(config, policy, store, decided)
        result_of(waker.start())
        sent = measured(town, waker, clock)
        batched = measured(town, waker, clock)
        count = TOGETHER * ROUNDS
        if decided.count(Verdict.SMS) != count or decided.count(Verdict.BATCHED) != count:
            raise SystemExit(f"decided otherwise: { {verdict: decided.count(verdict) for verdict in set(decided)} }")
        report(
            "policy",
            users=users,
            sent_per_cpu_second=round(count / sent),
            batched_per_cpu_second=round(count / batched),
            sent_us=round(sent / count * 1e6),
            batched_us=round(batched / count * 1e6),
        )


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
