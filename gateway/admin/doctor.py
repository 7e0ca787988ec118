"""The doctor: walks the chain from a change to a device, hop by hop, and names the first that is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import Any

from attrs import asdict, field, frozen

from gateway.model import Mode


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


@frozen
class Certificate:
    """What a listener shows: its names, and from when until when it holds (seconds since the epoch)."""

    names: tuple[str, ...]
    begins: float
    ends: float


@frozen
class Bind:
    """How an operator's connection stands: C{route}, whether it is up, and the last trouble in words.

    C{refused}: the SMSC or relay does not let us in; C{throttled}: it took less than we wanted lately.
    """

    route: str
    up: bool
    trouble: str = ""
    refused: bool = False
    throttled: bool = False


@frozen
class Facts:
    """What is known when the doctor is called; times in seconds since the epoch, spans in seconds.

    C{probe} is why the HTTPS door could not be reached from this host (empty: it was), C{server_name} the configured
    name. C{cuts}: after how many seconds the last parks of the device lost their connection, newest first, up to the
    last one that was answered. C{unwatched}: folders that the kernel does not watch; C{missing}: folders that the
    device wants watched and that are not there. C{waiting}: per route the seconds that the oldest letter waits.
    C{refusal}: what the other side said of the last letter of this device, if it was refused for good.
    """

    user: str
    now: float
    running: bool = True
    account: bool = True
    locked_out: float = 0.0
    listening: bool = True
    probe: str = ""
    server_name: str = ""
    certificate: Certificate | None = None
    device: Mapping[str, Any] | None = None
    devices: Sequence[str] = ()
    mode: Mode = Mode.DIRECT_PUSH
    mode_from: str = "the default"
    push_enabled: bool = True
    sms_enabled: bool = True
    store: str = ""
    newest: float = 0.0
    watch_limit: int = 0
    unwatched: int = 0
    missing: Sequence[str] = ()
    cuts: Sequence[float] = ()
    heartbeat_alarm: float = 0.0
    line: Mapping[str, Any] | None = None
    route: str = ""
    binds: Sequence[Bind] = ()
    waiting: Mapping[str, float] = field(factory=lambda: MappingProxyType({}))
    refusal: str = ""
    receipt: str = ""
    late: float = 0.0


#: A clock that is this far behind what was written down with it is wrong.
CLOCK_SLACK = 120.0
#: So long may a letter wait for its operator.
STUCK = 600.0
#: So many lost connections in a row are no accident.
CUTS = 3
#: A certificate that ends this soon is worth a word.
SOON = 14 * 86400.0

Check = Callable[[Facts], Iterator[Finding]]


def examine(facts: Facts) -> list[Finding]:
    """All hops of the user's chain in order; the first broken one is what to mend first."""
    checks: list[Check] = [_gateway, _clock, _store, _account, _mode, _source, _door, _certificate, _device]
    if facts.device is not None:
        if _pushes(facts):
            checks += [_folders, _parks]
        if _knocks(facts):
            checks += [_line, _operator, _queue, _delivery]
    found: list[Finding] = []
    for check in checks:
        found.extend(check(facts))
        if check is _gateway and not facts.running:
            break
    return found


def first_broken(findings: Iterable[Finding]) -> Finding | None:
    """The hop to mend first, or C{None} if the chain is whole."""
    return next((one for one in findings if one.health is Health.BROKEN), None)


def _pushes(facts: Facts) -> bool:
    return facts.mode in (Mode.DIRECT_PUSH, Mode.BOTH, Mode.AUTO)


def _knocks(facts: Facts) -> bool:
    return facts.mode in (Mode.SMS, Mode.BOTH) or (facts.mode is Mode.AUTO and facts.line is not None)


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
    where = f"mode {facts.mode.value} (from {facts.mode_from})"
    turn_on = f"pushgw mode {facts.user} direct-push, or another mode"
    if facts.mode is Mode.OFF:
        yield _broken("mode", f"{where}: nothing tells the devices of a change", turn_on)
    elif facts.mode is Mode.DIRECT_PUSH and not facts.push_enabled:
        yield _broken("mode", f"{where}, but Direct Push is switched off", "Set direct_push.enabled = true and reload")
    elif facts.mode is Mode.SMS and not facts.sms_enabled:
        yield _broken("mode", f"{where}, but triggers are switched off", "Set sms.enabled = true and reload")
    else:
        yield _good("mode", where)


def _source(facts: Facts) -> Iterator[Finding]:
    if facts.unwatched:
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


def _device(facts: Facts) -> Iterator[Finding]:
    if facts.device is None:
        others = f"; known are {', '.join(facts.devices)}" if facts.devices else ""
        yield _broken(
            "device",
            f"no such device of {facts.user} has ever come{others}",
            "See that server name, user and password on the phone are right; every request has a line in the log",
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
        yield _broken(
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
        shortest, longest = min(facts.cuts[:CUTS]), max(facts.cuts[:CUTS])
        yield _broken(
            "parked requests",
            f"the last {len(facts.cuts)} lost their connection after {span(shortest)} to {span(longest)}",
            "Something on the way cuts idle connections: raise the idle time-out of firewall, proxy or load balancer"
            " to 30 minutes",
        )
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
    for bind in binds:
        if bind.refused:
            yield _broken(
                "operator",
                f"{bind.route} does not let us in: {bind.trouble}",
                "See system_id, password and system_type (or user and password of the relay) with the operator",
            )
            return
    if binds and not up:
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
    elif up:
        yield _good("operator", f"{len(up)} of {len(binds)} binds are up")


def _queue(facts: Facts) -> Iterator[Finding]:
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
    if facts.refusal:
        yield _broken(
            "delivery",
            f"the last trigger was refused: {facts.refusal}",
            "See the number (E.164 with its plus sign), and operators.NAME for prefixes, TON and NPI",
        )
    elif facts.late:
        yield _broken(
            "delivery",
            f"a trigger was delivered {span(facts.late)} ago, and no sync followed",
            "The phone does not know the trigger's format (operators.NAME.trigger_format), or has no data connection",
        )
    elif facts.receipt:
        yield _good("delivery", f"the last receipt: {facts.receipt}")
    else:
        yield _note("delivery", "no trigger has been sent yet")
