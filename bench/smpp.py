"""Submits per second with receipts, beside a bare sender on the same codec in the same run, and memory.

The SMSC is the npm package C{smpp} in a process of its own. Ours is the whole way: letters out of an outbox in a SQLite
file, marked in doubt before they go, settled after the answer, receipts matched and answered when they are on the disk,
and the trace. The time ends when all of that is written. The bare sender keeps nothing at all; it makes each PDU with
smpplib, as ours does once for all that are alike. Both take turns, as other work on the machine comes and goes; the
ratio is the median of the turns.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList, DeferredSemaphore, ensureDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from bench.gateway import progress, report
from gateway.model import DeviceKey
from gateway.sms.formats import Carriage, TriggerFormat, letter_parts
from gateway.sms.meters import Meters
from gateway.sms.pdu import Frames, Pdu, Value, build, parse, response
from gateway.sms.pump import Pump
from gateway.sms.settings import IdForm, OperatorSettings
from gateway.sms.udh import Part
from gateway.store import Store, open_store
from gateway.trigger import Letter
from tests.functional.smsc import NodeSmsc, missing

WINDOWS = (1, 10, 100)
TURNS = 5
GUID = "0f1e2d3c-0000-4000-8000-000000000000"
RECEIPT_MILLISECONDS = 50
TEXT = f"PUSHGW {GUID}".encode()
FIXED: dict[str, Value] = {
    "source_addr_ton": 5,
    "source_addr": "pushgw",
    "dest_addr_ton": 1,
    "dest_addr_npi": 1,
    "validity_period": "000000001500000R",
    "registered_delivery": 1,
}


class Bare(Protocol):
    """What it takes at least: submits within a window, and an answer to each receipt."""

    def connectionMade(self) -> None:
        self.frames = Frames()
        self.sequence = self.receipts = 0
        self.waiting: dict[int, Deferred[Pdu]] = {}
        self.transport.setTcpNoDelay(True)

    def request(self, frame: bytes) -> Deferred[Pdu]:
        answered = self.waiting[self.sequence] = Deferred()
        self.transport.write(frame)
        return answered

    def next(self) -> int:
        self.sequence += 1
        return self.sequence

    def dataReceived(self, data: bytes) -> None:
        for frame in self.frames.feed(data):
            pdu = parse(frame)
            if pdu.is_response:
                self.waiting.pop(pdu.sequence).callback(pdu)
            elif pdu.command == "deliver_sm":
                self.transport.write(build(response(pdu)))
                self.receipts += 1

    async def send(self, count: int, window: int) -> None:
        places = DeferredSemaphore(window)
        answers = []
        for number in range(count):
            await places.acquire()
            fields = FIXED | {"destination_addr": f"49170{number:07}", "short_message": TEXT}
            frame = build(Pdu("submit_sm", 0, self.next(), fields))
            answers.append(self.request(frame).addCallback(lambda answer: places.release()))
        await DeferredList(answers)


async def bare(reactor: Any, port: int, count: int, window: int) -> float:
    """Submits per second of the bare sender."""
    sender = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), Bare())
    bind = Pdu("bind_transceiver", 0, sender.next(), {"system_id": "test", "password": "secret"})
    await sender.request(build(bind))
    gc.collect()
    began = time.monotonic()
    await sender.send(count, window)
    while sender.receipts < count:
        await deferLater(reactor, 0.005)
    seconds = time.monotonic() - began
    sender.transport.loseConnection()
    return count / seconds


@define(eq=False)
class Sender:
    """The pump of one operator, on the store."""

    reactor: Any
    store: Store
    port: int
    window: int
    receipts: int = 0
    pump: Pump = field(init=False)

    def __attrs_post_init__(self) -> None:
        settings = OperatorSettings("acme", "test", "secret", source="pushgw", window=self.window, id_form=IdForm.AS_IS)
        form, carriage = TriggerFormat(), Carriage()

        def render(letter: Letter) -> Sequence[Part]:
            return letter_parts(letter, form, carriage, time.time())

        place = ("node", TCP4ClientEndpoint(self.reactor, "127.0.0.1", self.port))
        meters = Meters(receipt=self._came)
        outbox, trace = self.store.outbox, self.store.trace
        self.pump = Pump(settings, [place], outbox, trace, render, self.reactor, time.time, meters)

    def _came(self, name: str, word: str) -> None:
        self.receipts += 1

    async def put(self, count: int) -> None:
        """Queue so many letters, each for a device of its own."""
        now = time.time()
        for first in range(0, count, 1000):
            numbers = range(first, min(first + 1000, count))
            keys = [(DeviceKey(f"user{number:06}", "phone"), f"+49170{number:07}") for number in numbers]
            await self.store.outbox.put(
                [Letter(key, "smpp:acme", to, guid=GUID, created=now, expires=now + 900) for key, to in keys]
            )

    async def arrive(self, count: int) -> None:
        """Wait for so many receipts in all."""
        while self.receipts < count:
            await deferLater(self.reactor, 0.005)


async def ours(reactor: Any, store: Store, port: int, count: int, window: int) -> float:
    """Submits per second of the pump, until all that is known of them is on the disk."""
    sender = Sender(reactor, store, port, window)
    sender.pump.startService()
    await sender.put(100)
    sender.pump.kick()
    await sender.arrive(100)
    await deferLater(reactor, 0.5)
    await sender.put(count)
    gc.collect()
    began = time.monotonic()
    sender.pump.kick()
    await sender.arrive(100 + count)
    await sender.pump.stopService()
    return count / (time.monotonic() - began)


async def compare(reactor: Any, store: Store, port: int, window: int, count: int) -> None:
    """Have both take turns, and print a line."""
    pairs = []
    for _ in range(TURNS):
        theirs = await bare(reactor, port, count, window)
        mine = await ours(reactor, store, port, count, window)
        pairs.append((mine, theirs))
        progress(f"window {window}: {mine:.0f}/s, bare {theirs:.0f}/s")
    report(
        "smpp",
        window=window,
        submits=count * TURNS,
        per_second=round(median(mine for mine, _ in pairs)),
        bare_per_second=round(median(theirs for _, theirs in pairs)),
        ratio=round(median(mine / theirs for mine, theirs in pairs), 2),
    )


def resident() -> float:
    """MiB of memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


async def memory(reactor: Any, store: Store, port: int, count: int) -> None:
    """Send that many in portions, and print how the memory grew after the first fifth."""
    sender = Sender(reactor, store, port, 100)
    sender.pump.startService()
    portion = count // 10
    sizes = []
    for turn in range(10):
        await sender.put(portion)
        sender.pump.kick()
        await sender.arrive(portion * (turn + 1))
        sizes.append(resident())
        progress(f"{portion * (turn + 1)}: {sizes[-1]:.0f} MiB")
    await sender.pump.stopService()
    report(
        "smpp_memory",
        submits=count,
        mib_after_a_fifth=round(sizes[1], 1),
        mib=round(sizes[-1], 1),
        growth_bytes_each=round((sizes[-1] - sizes[1]) * 2**20 / (count * 0.8), 1),
    )


async def measure(reactor: Any, count: int, folder: Path) -> None:
    """Everything, with one SMSC and one database."""
    smsc = NodeSmsc()
    await smsc.start(reactor, report=False, delay=RECEIPT_MILLISECONDS)
    store = open_store(f"sqlite:///{folder}/store.sqlite", deferToThread)
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        for window in WINDOWS:
            await compare(reactor, store, smsc.port, window, count // 2 if window == 1 else count)
        await memory(reactor, store, smsc.port, 5 * count)
    finally:
        store.close()
        await smsc.kill()


def main(count: int = 20_000) -> None:
    """Measure, and print the lines."""
    from twisted.internet import reactor

    reason = missing()
    if reason is not None:
        report("smpp", skipped=reason)
        return
    reactor.seconds = time.monotonic  # type: ignore[attr-defined]
    failed = []
    with TemporaryDirectory(prefix="pushgw-smpp-") as folder:

        def begin() -> None:
            done = ensureDeferred(measure(reactor, count, Path(folder)))
            done.addErrback(lambda failure: (failed.append(failure), failure.printTraceback()))
            done.addCallback(lambda _: reactor.stop())  # type: ignore[attr-defined]

        reactor.callWhenRunning(begin)  # type: ignore[attr-defined]
        reactor.run()  # type: ignore[attr-defined]
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
