"""Device-days per CPU second of a rehearsal: a fleet of each version, with the same users, mails and networks.

python -m bench.rehearse USERS DAYS

The whole is what an operator waits for, set-up and statistics included; the versions are also measured apart.
"""

from __future__ import annotations

import sys

from bench.gateway import progress, report
from gateway.rehearsal.fleet import Version
from gateway.rehearsal.networks import DATA_NETWORKS
from gateway.rehearsal.plan import Made, Outcome, Plan, Rehearsal
from gateway.rehearsal.stream import Pattern

NETWORKS = ("good", "carrier-13min", "patchy")
#: A month of so many devices is to be rehearsed in so many seconds.
DEVICES, DAYS, SECONDS = 1000, 30, 900


def play(users: int, days: float, versions: tuple[Version, ...]) -> Outcome:
    """Rehearse."""
    networks = tuple(DATA_NETWORKS[name] for name in NETWORKS)
    return Rehearsal(Plan(Made(Pattern(), users, days), versions, data=networks)).play()


def rate(outcome: Outcome) -> float:
    """Device-days per CPU second."""
    return outcome.device_days / outcome.seconds


def main(users: int = 60, days: float = 7.0) -> None:
    """Measure, and print the line."""
    rates = {}
    seconds = device_days = changes = 0.0
    for version in Version:
        outcome = play(users, days, (version,))
        rates[version.value] = round(rate(outcome))
        seconds += outcome.seconds
        device_days += outcome.device_days
        changes += outcome.measures[0].changes
        progress(f"{version.value}: {rates[version.value]} device-days per CPU second")
    report(
        "rehearse",
        device_days_per_cpu_second=round(device_days / seconds, 1),
        changes_per_cpu_second=round(changes / seconds),
        month_of_1000_devices_seconds=round(DEVICES * DAYS * seconds / device_days),
        allowed_seconds=SECONDS,
        users=users,
        days=days,
        versions=rates,
    )


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
