"""Ping cycles per CPU second: parked, ended by a Change, answered; beside a bare twisted.web page in the same run.

The server is the whole gateway with TLS. What the ledger needs to write a mail down, and the Sync that follows an
answer, are measured apart: the cycle is the Ping's own. So is the very first Ping of a device, which looks at the
ledger and has its parameters written there, once in a device's life: like the page, the gateway is asked once by each
before the rounds that count. The Sync is that of a mail without a file, for which the source searches the whole folder.
"""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import define

from bench.fleet import Fleet, Phone
from bench.gateway import cpu_seconds, made, progress, report

ROUNDS = 5
FLUSH_SECONDS = 1.0
CONSTANT = bytes.fromhex("03016A00000D45470331000101")


def serve(folder: str) -> None:
    """Be the gateway, and do what standard input says: record N, change, parked."""
    from twisted.internet import reactor
    from twisted.internet.defer import ensureDeferred
    from twisted.internet.stdio import StandardIO
    from twisted.protocols.basic import LineReceiver

    from gateway.config import load
    from gateway.model import Change, Found
    from gateway.service import GatewayService

    reactor.seconds = time.monotonic
    file = Path(folder) / "pushgw.toml"
    service = GatewayService(load(file), partial(load, file), reactor)

    class Orders(LineReceiver):
        delimiter = b"\n"
        count = 0

        def lineReceived(self, line: bytes) -> None:
            ensureDeferred(self.obey(line.decode().split())).addErrback(lambda failure: failure.printTraceback())

        async def obey(self, words: list[str]) -> None:
            assert service.parts is not None
            if words[0] == "record":
                self.count += 1
                name, now = f"{self.count}.bench", int(time.time())
                folders = [f.id for f in await service.parts.store.everything() if f.path == ""][: int(words[1])]
                self.changes: list[Change] = await service.parts.store.record(
                    {folder: ([Found(name, "", now)], []) for folder in folders}
                )
            elif words[0] == "change":
                service.parts.board.changed(*self.changes)
            self.sendLine(b"parked %d" % service.parts.board.parked)

    service.startService()
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    StandardIO(Orders())
    reactor.run()


def serve_constant(folder: str) -> None:
    """Be a twisted.web page that answers a constant, with the gateway's TLS."""
    from twisted.internet import reactor
    from twisted.protocols.tls import TLSMemoryBIOFactory
    from twisted.web.resource import Resource
    from twisted.web.server import Request, Site

    from gateway.tls import KeyPair, ServerContext

    class Page(Resource):
        isLeaf = True

        def render_POST(self, request: Request) -> bytes:
            assert request.content is not None
            request.content.read()
            request.setHeader(b"Content-Type", b"application/vnd.ms-sync.wbxml")
            return CONSTANT

    context = ServerContext([KeyPair(Path(folder) / "certificate.pem", Path(folder) / "private_key.pem")])
    port: Any = reactor.listenTCP(0, TLSMemoryBIOFactory(context, False, Site(Page())), interface="127.0.0.1")
    print(port.getHost().port, flush=True)
    reactor.run()


@define(eq=False)
class Orders:
    """The other end of L{serve}."""

    process: subprocess.Popen[str]

    def ask(self, order: str) -> int:
        """Give an order; how many are parked afterwards."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        while not (line := self.process.stdout.readline()).startswith("parked"):
            if not line:
                raise SystemExit("the server is gone")
        return int(line.split()[1])


def _start(role: str, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.cycle", role, str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _answered(fleet: Fleet) -> None:
    while any(phone.answer is None for phone in fleet.phones):
        fleet.poll(1.0)


def _cycles(fleet: Fleet, orders: Orders, number: int, rounds: int) -> dict[str, float]:
    """CPU seconds of the server for parking, recording, answering and the Syncs, over so many rounds."""
    spent = dict.fromkeys(("park", "record", "answer", "sync"), 0.0)
    pid = orders.process.pid

    def clocked(name: str, before: float) -> float:
        now = cpu_seconds(pid)
        spent[name] += now - before
        return now

    for _ in range(rounds):
        at = cpu_seconds(pid)
        fleet.park_all()
        while orders.ask("parked") < number:
            fleet.poll(0.1)
        at = clocked("park", at)
        orders.ask(f"record {number}")
        at = clocked("record", at)
        orders.ask("change")
        _answered(fleet)
        at = clocked("answer", at)
        fleet.ask_all(Phone.sync, Phone.take_key)
        # Which answers went out is written down within a second; that belongs to the Syncs.
        time.sleep(FLUSH_SECONDS + 0.5)
        clocked("sync", at)
    return spent


def main(number: int = 1000) -> None:
    """Measure both and print the line."""
    with TemporaryDirectory(prefix="pushgw-cycle-") as name:
        gateway = made(Path(name) / "gateway", number)
        bare_process = _start("constant", gateway.folder)
        orders = Orders(_start("serve", gateway.folder))
        try:
            gateway.process = orders.process  # type: ignore[assignment]
            gateway.wait_ready()
            fleet = Fleet(gateway.address("https"), [Phone(index) for index in range(number)])
            fleet.set_up()
            progress(f"{number} phones are ready")
            first = _cycles(fleet, orders, number, 1)
            spent = _cycles(fleet, orders, number, ROUNDS)
            assert bare_process.stdout is not None
            bare = Fleet(("127.0.0.1", int(bare_process.stdout.readline())), [Phone(index) for index in range(number)])
            bare.ask_all(lambda phone: phone.ping(60), lambda phone: None)
            before = cpu_seconds(bare_process.pid)
            for _ in range(ROUNDS):
                bare.ask_all(lambda phone: phone.ping(60), lambda phone: None)
            page = ROUNDS * number / (cpu_seconds(bare_process.pid) - before)
        finally:
            orders.process.kill()
            bare_process.kill()
    each = {key: round(value / ROUNDS / number * 1e6) for key, value in spent.items()}
    cycles = ROUNDS * number / (spent["park"] + spent["answer"])
    report(
        "cycle",
        cycles_per_cpu_second=round(cycles),
        bare_page_per_cpu_second=round(page),
        ratio=round(cycles / page, 2),
        park_us=each["park"],
        first_park_us=round(first["park"] / number * 1e6),
        answer_us=each["answer"],
        record_us=each["record"],
        sync_us=each["sync"],
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2])
    elif sys.argv[1:2] == ["constant"]:
        serve_constant(sys.argv[2])
    else:
        main(*(int(word) for word in sys.argv[1:]))
