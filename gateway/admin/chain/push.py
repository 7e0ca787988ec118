"""Direct Push: what a device has watched, and whether its connections last."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.admin.chain.finding import Finding, broken, good, note, span
from gateway.admin.facts import Facts

#: So many lost connections in a row are no accident.
CUTS = 3
#: Connections lasted alike if they differ by no more than these seconds, or this share of the longest.
ALIKE_SECONDS, ALIKE = 15.0, 0.1


def folders(facts: Facts) -> Iterator[Finding]:
    """Whether the device has folders watched."""
    device = facts.device or {}
    if not device.get("folders"):
        find = note if facts.falls_back else broken
        yield find(
            "watched folders",
            "the device has never sent a Ping that was accepted",
            "Choose push (not manual, nor every N minutes) in the mail settings of the phone",
        )
    elif facts.missing:
        yield broken(
            "watched folders",
            f"it watches folders that are not there any more: {', '.join(facts.missing)}",
            "The next FolderSync mends that; if it does not come, remove and add the account on the phone",
        )
    else:
        yield good("watched folders", f"it watches {len(device['folders'])}")


def parks(facts: Facts) -> Iterator[Finding]:
    """Whether requests of the device stay parked."""
    device = facts.device or {}
    if len(facts.cuts) >= CUTS:
        yield _cut(facts)
    elif facts.heartbeat_alarm:
        yield note(
            "parked requests",
            f"heartbeats of all devices are short on average: {span(facts.heartbeat_alarm)} (event 3033)",
            "Raise the idle time-out of the firewall to 30 minutes",
        )
    elif device.get("parked_seconds") is not None:
        yield good("parked requests", f"one has been parked for {span(device['parked_seconds'])}")
    else:
        ago = f", the last Ping came {span(facts.now - device['last_ping'])} ago" if device.get("last_ping") else ""
        remedy = "The phone is off, without a network, or saves its battery; its next Ping is answered at once"
        yield note("parked requests", f"none is parked now{ago}", remedy)


def _cut(facts: Facts) -> Finding:
    """Connections that last alike are cut by a rule, others by chance."""
    shortest, longest = min(facts.cuts[:CUTS]), max(facts.cuts[:CUTS])
    text = f"the last {len(facts.cuts)} lost their connection after {span(shortest)}"
    if longest - shortest > max(ALIKE_SECONDS, ALIKE * longest):
        remedy = (
            "The phone has a bad network, or goes from one to another; if all phones have this, look at the firewall"
        )
        return note("parked requests", f"{text} to {span(longest)}", remedy)
    text += f" to {span(longest)}" if span(longest) != span(shortest) else ""
    remedy = "Something on the way cuts idle connections: raise the idle time-out of firewall, proxy or load balancer"
    find = note if facts.falls_back else broken
    return find("parked requests", text, f"{remedy} to 30 minutes")
