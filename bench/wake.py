"""From a mail's rename into new/ to the last byte of the Ping answer, with many parked; and all woken at once."""

from __future__ import annotations

import os
import random
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import define, field

from bench.fleet import Failed, Fleet, Phone, wait_parked
from bench.gateway import Gateway, made, progress, report, user_name

DELIVERIES, PER_SECOND = 1000, 100.0
MAIL = b"From: a@example.org\nTo: you@example.org\nSubject: hello\nMessage-ID: <1@example.org>\n\nHello.\n"
HEARTBEAT = 2700


@define(eq=False)
class Mails:
    """Delivers to Maildirs as any other program does: written in tmp/, renamed into new/."""

    gateway: Gateway
    _count: int = field(init=False, default=0)

    def prepare(self, number: int) -> tuple[str, str]:
        """Write a mail for a user; what to rename to what."""
        self._count += 1
        inbox = self.gateway.inbox(user_name(number))
        name = f"{int(time.time())}.M{self._count}P{os.getpid()}.bench"
        (inbox / "tmp" / name).write_bytes(MAIL)
        return str(inbox / "tmp" / name), str(inbox / "new" / name)


@define(eq=False)
class Life:
    """What the phones do when they are answered: Sync, then Ping again."""

    fleet: Fleet
    delivered: dict[int, float] = field(factory=dict)
    latencies: list[float] = field(factory=list)
    go_on: bool = True
    _pinging: set[int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._pinging = {phone.number for phone in self.fleet.phones}
        self.fleet.on_answer = self.answered

    def answered(self, phone: Phone) -> None:
        """Take an answer and send what follows it."""
        assert phone.answer is not None
        if phone.answer.status != 200:
            raise Failed(f"HTTP {phone.answer.status}")
        if phone.number in self._pinging:
            if phone.answer.ping != "2":
                raise Failed(f"Ping was answered {phone.answer.element}")
            if phone.number in self.delivered:
                self.latencies.append(phone.answer.at - self.delivered.pop(phone.number))
            self._pinging.discard(phone.number)
            if self.go_on:
                self.fetch(phone)
        else:
            phone.take_key()
            self._pinging.add(phone.number)
            self.fleet.send(phone, phone.ping(HEARTBEAT))

    def fetch(self, phone: Phone) -> None:
        """Have a phone that was woken fetch its mail."""
        self.fleet.send(phone, phone.sync())

    def parked(self, number: int) -> bool:
        """Whether that phone waits for a change."""
        return number in self._pinging and number not in self.delivered


def main(number: int = 10_000) -> None:
    """Park that many, deliver, and print the lines."""
    with TemporaryDirectory(prefix="pushgw-wake-") as folder:
        gateway = made(Path(folder) / "gateway", number)
        gateway.timed_start()
        try:
            fleet = Fleet(gateway.address("https"), [Phone(index) for index in range(number)])
            fleet.set_up()
            fleet.park_all(HEARTBEAT)
            wait_parked(gateway.parked, number, fleet)
            progress(f"{number} parked")
            life = Life(fleet)
            _singly(gateway, life, number)
            wait_parked(gateway.parked, number, fleet)
            _at_once(gateway, life, number)
        finally:
            gateway.kill()


def _singly(gateway: Gateway, life: Life, number: int) -> None:
    draw, mails, before = random.Random(2), Mails(gateway), gateway.cpu()
    began = time.time()
    for count in range(DELIVERIES):
        due = began + count / PER_SECOND
        while (left := due - time.time()) > 0:
            life.fleet.poll(left)
        who = draw.randrange(number)
        while not life.parked(who):
            who = draw.randrange(number)
        here, there = mails.prepare(who)
        life.delivered[who] = time.time()
        os.rename(here, there)
    deadline = time.time() + 30
    while life.delivered and time.time() < deadline:
        life.fleet.poll(0.1)
    cuts = statistics.quantiles(life.latencies, n=100)
    report(
        "wake",
        parked=number,
        deliveries=DELIVERIES,
        per_second=PER_SECOND,
        unanswered=len(life.delivered),
        p50_ms=round(cuts[49] * 1000, 1),
        p90_ms=round(cuts[89] * 1000, 1),
        p99_ms=round(cuts[98] * 1000, 1),
        max_ms=round(max(life.latencies) * 1000, 1),
        cpu_ms_per_delivery_answer_sync_and_ping=round((gateway.cpu() - before) / DELIVERIES * 1000, 2),
    )


def _at_once(gateway: Gateway, life: Life, number: int) -> None:
    """One mail for each; the clock runs from the first rename. When all are answered, all fetch their mail."""
    mails = Mails(gateway)
    renames = [mails.prepare(index) for index in range(number)]
    life.latencies.clear()
    life.go_on = False
    before = gateway.cpu()
    began = time.time()
    for index, (here, there) in enumerate(renames):
        life.delivered[index] = began
        os.rename(here, there)
    renamed = time.time() - began
    while life.delivered and time.time() - began < 300:
        life.fleet.poll(0.1)
    report(
        "wake_all",
        parked=number,
        unanswered=len(life.delivered),
        seconds_until_all_answered=round(max(life.latencies), 2),
        seconds_to_deliver=round(renamed, 2),
        first_answer_seconds=round(min(life.latencies), 3),
        cpu_seconds=round(gateway.cpu() - before, 2),
    )
    life.go_on = True
    before, began = gateway.cpu(), time.time()
    for phone in life.fleet.phones:
        life.fetch(phone)
        life.fleet.poll(0)
    wait_parked(gateway.parked, number, life.fleet)
    report(
        "fetch_all",
        phones=number,
        seconds_until_all_parked_again=round(time.time() - began, 1),
        cpu_ms_per_sync_and_ping=round((gateway.cpu() - before) / number * 1000, 2),
    )


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
