"""Memory of a parked request over TLS, and CPU while nothing happens: here of a Ping."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.fleet import Fleet, Phone, wait_parked
from bench.gateway import Gateway, made, progress, report

QUIET_SECONDS = 60.0
#: When devices were seen last is written down by then.
SETTLE_SECONDS = 35.0


def main(number: int = 10_000) -> None:
    """Park that many and print the line."""
    measure("park", Phone.ping, number)


def measure(name: str, make: Callable[[Phone, int], bytes], number: int) -> None:
    """Park that many requests of a kind and print the line."""
    with TemporaryDirectory(prefix=f"pushgw-{name}-") as folder:
        gateway = made(Path(folder) / "gateway", number)
        gateway.timed_start()
        try:
            report(name, **_measure(gateway, make, number))
        finally:
            gateway.kill()


def _measure(gateway: Gateway, make: Callable[[Phone, int], bytes], number: int) -> dict[str, float]:
    fleet = Fleet(gateway.address("https"), [Phone(index) for index in range(number)])
    base = gateway.memory()
    first = max(1, number // 10)
    sizes = {}
    for start, end in ((0, first), (first, number)):
        part = Fleet(gateway.address("https"), fleet.phones[start:end])
        part.set_up()
        part.park_all(make=make)
        wait_parked(gateway.parked, end, part)
        sizes[end] = gateway.memory()
        progress(f"{end} parked, {sizes[end] / 2**20:.0f} MiB")
    time.sleep(SETTLE_SECONDS)
    before, began = gateway.cpu(), time.monotonic()
    time.sleep(QUIET_SECONDS)
    quiet = (gateway.cpu() - before) * 60 / (time.monotonic() - began)
    return {
        "parked": gateway.parked(),
        "kib_per_parked": round((sizes[number] - base) / number / 1024, 1),
        "kib_per_parked_slope": round((sizes[number] - sizes[first]) / (number - first) / 1024, 1),
        "base_mib": round(base / 2**20, 1),
        "cpu_seconds_per_minute_quiet": round(quiet, 3),
        "quiet_percent_of_a_core": round(quiet / 60 * 100, 3),
    }


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
