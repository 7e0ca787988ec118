"""The doctor: walks the chain from a change to a device, hop by hop, and names the first that is broken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from enum import Enum

from attrs import asdict, frozen

from gateway.admin.facts import Facts
from gateway.model import Mode
from gateway.trigger import DOUBTED_TWICE


class Health(Enum):
    """What the doctor says of a hop."""

    GOOD = "good"
    NOTE = "note"
    BROKEN = "broken"


@frozen
class Finding:
    """One hop: what was found, and what to do about it (empty if nothing is to be done)."""

    hop: str
    health: Health
    text: str
    remedy: str = ""

    def row(self) -> dict[str, str]:
        """As JSON has it."""
        return {**asdict(self), "health": self.health.value}


#: A clock that is this far behind what was written down with it is wrong.
CLOCK_SLACK = 120.0
#: So long may a letter wait for its operator.
STUCK = 600.0
#: So many lost connections in a row are no accident.
CUTS = 3
#: Connections lasted alike if they differ by no more than these seconds, or this share of the longest.
ALIKE_SECONDS, ALIKE = 15.0, 0.1
#: A certificate that ends this soon is worth a word.
SOON = 14 * 86400.0

#: Words about a trigger that nobody refused for good.
_GIVEN_UP = re.compile(r"after \d+ attempts|too (?:old|late)|^given up")

Check = Callable[[Facts], Iterator[Finding]]


def examine(facts: Facts) -> list[Finding]:
    """All hops of the user's chain in order; the first broken one is what to mend first.

    Of a gateway that does not run, and of a store that cannot be read, only what is known all the same is told.
    """
    return [finding for check in _checks(facts) for finding in check(facts)]


def _checks(facts: Facts) -> list[Check]:
    if not facts.readable:
        return [_gateway, _store]
    live = facts.running
    checks: list[Check] = [_gateway, _clock, _store, _account, _mode]
    sms: list[Check] = [_line, _operator, _queue, _delivery] if live else [_line, _delivery]
    if facts.elsewhere:
        return [*checks, _intake, _access, *(sms if facts.knocks else [])]
    checks += [_source, _door, _certificate] if live else []
    checks += [_device] if facts.device is None else [_access, _device]
    if facts.device is not None:
        if facts.pushes:
            checks += [_folders, _parks] if live else [_folders]
        if facts.knocks:
            checks += sms
    return checks


def first_broken(findings: Iterable[Finding]) -> Finding | None:
    """The hop to mend first, or C{None} if the chain is whole."""
    return next((one for one in findings if one.health is Health.BROKEN), None)


def _good(hop: str, text: str) -> Finding:
    return Finding(hop, Health.GOOD, text)


def _note(hop: str, text: str, remedy: str = "") -> Finding:
    return Finding(hop, Health.NOTE, text, remedy)


def _broken(hop: str, text: str, remedy: str) -> Finding:
    return Finding(hop, Health.BROKEN, text, remedy)


def span(seconds: float) -> str:
    """A span of time in words, rounded."""
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def _gateway(facts: Facts) -> Iterator[Finding]:
    if facts.running:
        yield _good("gateway", "it is running")
    else:
        yield _broken(
            "gateway", "no gateway is running", "Start it: systemctl start pushgw, or twistd -n pushgw --config FILE"
        )


def _clock(facts: Facts) -> Iterator[Finding]:
    behind = facts.newest - facts.now
    if behind > CLOCK_SLACK:
        yield _broken(
            "clock",
            f"the clock of this host is {span(behind)} behind what was written down with it",
            "Set the clock (timedatectl, chrony); triggers and leases go by it",
        )
    else:
        yield _good("clock", "it has not been set back")


def _store(facts: Facts) -> Iterator[Finding]:
    if facts.store:
        yield _broken(
            "store",
            f"the database takes no changes: {facts.store}",
            "See that the disk is neither full nor mounted read-only, and that pushgw owns the file and its folder",
        )
    else:
        yield _good("store", "it takes changes")


def _account(facts: Facts) -> Iterator[Finding]:
    if not facts.account:
        yield _broken(
            "credentials",
            f"there is no enabled account {facts.user}",
            f"pushgw user add {facts.user}, or pushgw user enable {facts.user}",
        )
    elif facts.locked_out:
        yield _note(
            "credentials",
            f"wrong passwords slow the user down for another {span(facts.locked_out)}",
            "Somebody types, or a device keeps, an old password",
        )
    else:
        yield _good("credentials", "the account is enabled")


def _mode(facts: Facts) -> Iterator[Finding]:
    where = f"mode {facts.mode.value} ({facts.mode_from})"
    if facts.mode is Mode.OFF:
        remedy = f"pushgw mode {facts.user} direct-push, or another mode"
        yield _broken("mode", f"{where}: nothing tells the devices of a change", remedy)
    elif facts.elsewhere and facts.pushes and not facts.knocks:
        remedy = f"pushgw mode {facts.user} DEVICE sms"
        yield _broken("mode", f"{where}, while the device never comes here: only an SMS reaches it", remedy)
    elif facts.pushes or facts.knocks:
        yield _good("mode", where)
    else:
        off = {} if facts.push_enabled or facts.mode is Mode.SMS else {"Direct Push": "direct_push.enabled = true"}
        off |= {} if facts.sms_enabled or facts.mode is Mode.DIRECT_PUSH else {"SMS": "sms.enabled = true"}
        names, options = " and ".join(off), " or ".join(off.values())
        yield _broken("mode", f"{where}, but switched off for everybody: {names}", f"Set {options} and reload")


def _source(facts: Facts) -> Iterator[Finding]:
    if not facts.mailbox:
        yield _broken(
            "folder watch",
            f"{facts.user} has no mail directory with an Inbox",
            "See whether the disk with data.folder/mail is mounted; a new mailbox wants cur, new and tmp",
        )
    elif facts.unwatched and not facts.watch_limit:
        yield _broken(
            "folder watch",
            "inotify cannot be had: changes are noticed late, by looking at the times of directories",
            "sysctl fs.inotify.max_user_instances=1024, a line of that in /etc/sysctl.d/, and restart the gateway",
        )
    elif facts.unwatched:
        yield _broken(
            "folder watch",
            f"{facts.unwatched} folders are not watched by the kernel: its limit of {facts.watch_limit} is reached;"
            " changes there are noticed late",
            "sysctl fs.inotify.max_user_watches=1048576, and a line of that in /etc/sysctl.d/",
        )
    else:
        yield _good("folder watch", "the kernel watches every folder")


def _door(facts: Facts) -> Iterator[Finding]:
    if not facts.listening:
        yield _broken("listener", "nothing listens for HTTPS", "See https.listen, and the log of the start")
    elif facts.probe:
        yield _broken(
            "listener",
            f"the HTTPS port cannot be reached from this host: {facts.probe}",
            "See https.listen, and whether a firewall of this host is in the way",
        )
    else:
        yield _good("listener", "the HTTPS port answers")


def _certificate(facts: Facts) -> Iterator[Finding]:
    shown = facts.certificate
    if shown is None:
        return
    if shown.ends < facts.now:
        yield _broken(
            "certificate",
            f"it ended {span(facts.now - shown.ends)} ago",
            "Put a new one at https.certificate, then pushgw reload",
        )
    elif shown.begins > facts.now:
        yield _broken("certificate", "it does not hold yet", "Set the clock of this host, or wait")
    elif facts.server_name and not names_fit(facts.server_name, shown.names):
        names = ", ".join(shown.names) or "nobody"
        yield _broken(
            "certificate",
            f"it is for {names}, while phones connect to {facts.server_name}",
            f"Get one for {facts.server_name}, or set https.server_name to the name that phones use",
        )
    elif shown.ends - facts.now < SOON:
        yield _note("certificate", f"it ends in {span(shown.ends - facts.now)}", "Renew it")
    else:
        yield _good("certificate", f"it is for {facts.server_name or ', '.join(shown.names)} and holds")


def names_fit(name: str, names: Iterable[str]) -> bool:
    """RFC 6125 6.4: whether a certificate for these names is one for that host; a star stands for one label."""
    wanted = name.lower().rstrip(".").split(".")
    for one in names:
        labels = one.lower().rstrip(".").split(".")
        if labels == wanted or (labels[0] == "*" and len(labels) > 2 and labels[1:] == wanted[1:]):
            return True
    return False


def _intake(facts: Facts) -> Iterator[Finding]:
    """How triggers of the older server come in, for a device that comes to that server and never here."""
    if facts.running and not facts.intake:
        yield _broken("older server", "nothing listens for the triggers that it sends by SMTP", "See smtp.listen")
    elif not facts.brought:
        yield _broken(
            "older server",
            "no trigger that it sent for this device has gone out",
            "Look into its queue of mail, and at what was refused here: the log, and pushgw_door_triggers_total",
        )
    else:
        yield _good(
            "older server", f"the last trigger that it sent came in {span(max(0.0, facts.now - facts.brought))} ago"
        )


def _access(facts: Facts) -> Iterator[Finding]:
    device = facts.device or {}
    access, why = device.get("access", "allow"), device.get("access_from", "")
    if access == "allow":
        yield _good("access", f"it may synchronise ({why})" if why else "it may synchronise")
        return
    state = "is in quarantine" if access == "quarantine" else "is blocked"
    yield _broken("access", f"it {state} ({why})", f"pushgw devices allow {facts.user} {device['device']}")


def _device(facts: Facts) -> Iterator[Finding]:
    if facts.device is None:
        others = f"; known are {', '.join(facts.devices)}" if facts.devices else ""
        yield _broken(
            "device",
            f"no such device of {facts.user} has ever come{others}",
            "See that server name, user and password on the phone are right; every request has a line in the log",
        )
    elif not facts.device.get("first_seen"):
        older = "; if an older server is to wake it, see whether its triggers come in" if facts.door else ""
        yield _broken(
            "device",
            "it is registered, and has never come",
            "Set the account up on the phone; if it is, see that the device id is that in the log of its requests"
            + older,
        )
    elif not facts.device.get("last_sync"):
        yield _broken(
            "device",
            "it has come, but has never synchronised",
            "Look for its lines in the log: the St field says what it was answered",
        )
    else:
        yield _good("device", f"it synchronised {span(max(0.0, facts.now - facts.device['last_sync']))} ago")


def _folders(facts: Facts) -> Iterator[Finding]:
    device = facts.device or {}
    if not device.get("folders"):
        find = _note if facts.falls_back else _broken
        yield find(
            "watched folders",
            "the device has never sent a Ping that was accepted",
            "Choose push (not manual, nor every N minutes) in the mail settings of the phone",
        )
    elif facts.missing:
        yield _broken(
            "watched folders",
            f"it watches folders that are not there any more: {', '.join(facts.missing)}",
            "The next FolderSync mends that; if it does not come, remove and add the account on the phone",
        )
    else:
        yield _good("watched folders", f"it watches {len(device['folders'])}")


def _parks(facts: Facts) -> Iterator[Finding]:
    device = facts.device or {}
    if len(facts.cuts) >= CUTS:
        yield _cut(facts)
    elif facts.heartbeat_alarm:
        yield _note(
            "parked requests",
            f"heartbeats of all devices are short on average: {span(facts.heartbeat_alarm)} (event 3033)",
            "Raise the idle time-out of the firewall to 30 minutes",
        )
    elif device.get("parked_seconds") is not None:
        yield _good("parked requests", f"one has been parked for {span(device['parked_seconds'])}")
    else:
        ago = f", the last Ping came {span(facts.now - device['last_ping'])} ago" if device.get("last_ping") else ""
        remedy = "The phone is off, without a network, or saves its battery; its next Ping is answered at once"
        yield _note("parked requests", f"none is parked now{ago}", remedy)


def _cut(facts: Facts) -> Finding:
    """Connections that last alike are cut by a rule, others by chance."""
    shortest, longest = min(facts.cuts[:CUTS]), max(facts.cuts[:CUTS])
    text = f"the last {len(facts.cuts)} lost their connection after {span(shortest)}"
    if longest - shortest > max(ALIKE_SECONDS, ALIKE * longest):
        remedy = (
            "The phone has a bad network, or goes from one to another; if all phones have this, look at the firewall"
        )
        return _note("parked requests", f"{text} to {span(longest)}", remedy)
    text += f" to {span(longest)}" if span(longest) != span(shortest) else ""
    remedy = "Something on the way cuts idle connections: raise the idle time-out of firewall, proxy or load balancer"
    find = _note if facts.falls_back else _broken
    return find("parked requests", text, f"{remedy} to 30 minutes")


def _line(facts: Facts) -> Iterator[Finding]:
    if facts.line is None:
        yield _broken(
            "line", "no number is registered for the device", f"pushgw sms register {facts.user} DEVICE NUMBER"
        )
    elif facts.line.get("expires") and facts.line["expires"] <= facts.now:
        yield _broken(
            "line",
            f"its lease lapsed {span(facts.now - facts.line['expires'])} ago, as the device has not synchronised",
            "Any sync of the device renews it; or register it anew",
        )
    elif not facts.route:
        yield _broken("line", "no operator takes its number", "Name one: pushgw sms register USER DEVICE NUMBER NAME")
    else:
        yield _good("line", f"registered with {facts.route}")


def _operator(facts: Facts) -> Iterator[Finding]:
    binds = [bind for bind in facts.binds if bind.route == facts.route]
    up = [bind for bind in binds if bind.up]
    refused = next((bind for bind in binds if bind.refused), None)
    if not facts.route:
        return
    if not binds:
        yield _broken("operator", f"the gateway that runs has nothing that sends by {facts.route}", "pushgw reload")
    elif refused is not None:
        find = _note if up else _broken
        yield find(
            "operator",
            f"{refused.route} does not let us in{' everywhere' if up else ''}: {refused.trouble}",
            "See system_id, password and system_type (or user and password of the relay) with the operator",
        )
    elif not up:
        yield _broken(
            "operator",
            f"{facts.route} cannot be reached: {binds[0].trouble or 'no connection'}",
            "See the endpoint, the firewall, and whether the operator lets this address in",
        )
    elif any(bind.throttled for bind in binds):
        yield _broken(
            "operator",
            f"{facts.route} takes fewer messages than there are (throttled)",
            "Lower operators.NAME.rate to what was agreed, or agree on more",
        )
    else:
        yield _good("operator", f"{len(up)} of {len(binds)} connections are up")


def _queue(facts: Facts) -> Iterator[Finding]:
    if not facts.route:
        return
    waits = facts.waiting.get(facts.route, 0.0)
    if waits > STUCK:
        yield _broken(
            "queue",
            f"the oldest letter for {facts.route} has been waiting for {span(waits)}",
            "pushgw outbox shows why; the log of the operator's connection says more",
        )
    else:
        yield _good("queue", "nothing waits for long")


def _delivery(facts: Facts) -> Iterator[Finding]:
    if facts.refusal.startswith(DOUBTED_TWICE):
        yield _broken(
            "delivery",
            f"the last trigger was given up, {facts.refusal}",
            "See in the log why the connection to the operator broke; the next change, or sms.repeats, sends another",
        )
    elif _GIVEN_UP.search(facts.refusal):
        yield _broken(
            "delivery",
            f"the last trigger was given up: {facts.refusal}",
            "The operator did not take it in time: agree on a higher operators.NAME.rate, or see why it was away",
        )
    elif facts.refusal:
        yield _broken(
            "delivery",
            f"the last trigger was refused: {facts.refusal}",
            "See the number (E.164 with its plus sign), and operators.NAME for prefixes, TON and NPI",
        )
    elif not facts.delivered:
        yield _broken(
            "delivery",
            f"the last trigger did not reach the phone: {facts.receipt or 'the receipt does not say why'}",
            "The phone is off, has no network for longer than operators.NAME.validity_seconds, or has another number",
        )
    elif facts.late:
        yield _broken(
            "delivery",
            f"a trigger was delivered {span(facts.late)} ago, and no sync followed",
            "The phone does not know the trigger's format (operators.NAME.trigger_format), or has no data connection",
        )
    elif facts.receipt:
        yield _good("delivery", f"the last receipt: {facts.receipt}")
    elif facts.sent:
        yield _note("delivery", "the operator has taken the last trigger, and no receipt has come for it")
    else:
        yield _note("delivery", "no trigger has been sent yet")
