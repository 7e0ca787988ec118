"""Who it is: the account, how its devices are told of changes, and the device."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.admin.chain.finding import Finding, broken, good, note, span
from gateway.admin.facts import Facts
from gateway.model import Mode


def account(facts: Facts) -> Iterator[Finding]:
    """Whether the user may come in."""
    if not facts.account:
        yield broken(
            "credentials",
            f"there is no enabled account {facts.user}",
            f"pushgw user add {facts.user}, or pushgw user enable {facts.user}",
        )
    elif facts.locked_out:
        yield note(
            "credentials",
            f"wrong passwords slow the user down for another {span(facts.locked_out)}",
            "Somebody types, or a device keeps, an old password",
        )
    else:
        yield good("credentials", "the account is enabled")


def mode(facts: Facts) -> Iterator[Finding]:
    """Whether changes are told to the device at all."""
    where = f"mode {facts.mode.value} ({facts.mode_from})"
    if facts.mode is Mode.OFF:
        remedy = f"pushgw mode {facts.user} direct-push, or another mode"
        yield broken("mode", f"{where}: nothing tells the devices of a change", remedy)
    elif facts.elsewhere and facts.pushes and not facts.knocks:
        remedy = f"pushgw mode {facts.user} DEVICE sms"
        yield broken("mode", f"{where}, while the device never comes here: only an SMS reaches it", remedy)
    elif facts.pushes or facts.knocks:
        yield good("mode", where)
    else:
        off = {} if facts.push_enabled or facts.mode is Mode.SMS else {"Direct Push": "direct_push.enabled = true"}
        off |= {} if facts.sms_enabled or facts.mode is Mode.DIRECT_PUSH else {"SMS": "sms.enabled = true"}
        names, options = " and ".join(off), " or ".join(off.values())
        yield broken("mode", f"{where}, but switched off for everybody: {names}", f"Set {options} and reload")


def access(facts: Facts) -> Iterator[Finding]:
    """Whether the device may synchronise."""
    device = facts.device or {}
    access, why = device.get("access", "allow"), device.get("access_from", "")
    if access == "allow":
        yield good("access", f"it may synchronise ({why})" if why else "it may synchronise")
        return
    state = "is in quarantine" if access == "quarantine" else "is blocked"
    yield broken("access", f"it {state} ({why})", f"pushgw devices allow {facts.user} {device['device']}")


def device(facts: Facts) -> Iterator[Finding]:
    """Whether the device has come, and synchronised."""
    if facts.device is None:
        others = f"; known are {', '.join(facts.devices)}" if facts.devices else ""
        yield broken(
            "device",
            f"no such device of {facts.user} has ever come{others}",
            "See that server name, user and password on the phone are right; every request has a line in the log",
        )
    elif not facts.device.get("first_seen"):
        older = "; if an older server is to wake it, see whether its triggers come in" if facts.door else ""
        yield broken(
            "device",
            "it is registered, and has never come",
            "Set the account up on the phone; if it is, see that the device id is that in the log of its requests"
            + older,
        )
    elif not facts.device.get("last_sync"):
        yield broken(
            "device",
            "it has come, but has never synchronised",
            "Look for its lines in the log: the St field says what it was answered",
        )
    else:
        yield good("device", f"it synchronised {span(max(0.0, facts.now - facts.device['last_sync']))} ago")
