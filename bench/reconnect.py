"""All phones come back after the gateway was killed."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.fleet import Fleet, Phone, wait_parked
from bench.gateway import made, progress, report


def main(number: int = 10_000) -> None:
    """Park, kill, start, park again, and print the line."""
    with TemporaryDirectory(prefix="pushgw-reconnect-") as folder:
        gateway = made(Path(folder) / "gateway", number)
        gateway.timed_start()
        try:
            fleet = Fleet(gateway.address("https"), [Phone(index) for index in range(number)])
            fleet.set_up()
            fleet.park_all()
            wait_parked(gateway.parked, number, fleet)
            progress(f"{number} parked")
            time.sleep(3)
            gateway.kill()
            fleet.disconnect(fleet.phones)
            started = gateway.timed_start()
            again = Fleet(gateway.address("https"), fleet.phones)
            before, began = gateway.cpu(), time.monotonic()
            again.park_all()
            wait_parked(gateway.parked, number, again)
            report(
                "reconnect",
                phones=number,
                seconds_to_start=round(started, 2),
                seconds_until_all_parked=round(time.monotonic() - began, 1),
                cpu_seconds_until_all_parked=round(gateway.cpu() - before, 1),
                password_hash="argon2 t=1 m=8KiB; a default one adds its own cost once per phone",
            )
        finally:
            gateway.kill()


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
