"""The gateway itself: whether it runs, and can write down what it does."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.admin.chain.finding import Finding, broken, good, span
from gateway.admin.facts import Facts

#: A clock that is this far behind what was written down with it is wrong.
CLOCK_SLACK = 120.0


def running(facts: Facts) -> Iterator[Finding]:
    """Whether it runs."""
    if facts.running:
        yield good("gateway", "it is running")
    else:
        yield broken(
            "gateway", "no gateway is running", "Start it: systemctl start pushgw, or twistd -n pushgw --config FILE"
        )


def clock(facts: Facts) -> Iterator[Finding]:
    """Whether the clock was set back."""
    behind = facts.newest - facts.now
    if behind > CLOCK_SLACK:
        yield broken(
            "clock",
            f"the clock of this host is {span(behind)} behind what was written down with it",
            "Set the clock (timedatectl, chrony); triggers and leases go by it",
        )
    else:
        yield good("clock", "it has not been set back")


def store(facts: Facts) -> Iterator[Finding]:
    """Whether the database takes changes."""
    if facts.store:
        yield broken(
            "store",
            f"the database takes no changes: {facts.store}",
            "See that the disk is neither full nor mounted read-only, and that pushgw owns the file and its folder",
        )
    else:
        yield good("store", "it takes changes")
