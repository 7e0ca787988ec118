"""What came of a rehearsal: as a document and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf
from typing import Any

from attrs import asdict

from gateway.rehearsal import plots
from gateway.rehearsal.document import Document, Picture, Table, duration, estimated, percent, plain
from gateway.rehearsal.measures import Measures, Traffic, UserMeasures
from gateway.rehearsal.plan import Made, Outcome
from gateway.rehearsal.sizes import LEVELS
from gateway.rehearsal.statistics import Estimate

#: So many users are listed on the page and on the terminal; JSON has all of them.
LISTED = 50

NOTES = (
    "Exact: the Switchboard, the Ping command, the policy, the rule of who is knocked when, the outbox, and the ledger "
    "with its looks and Syncs are those of the gateway, with a store in memory and a virtual clock.",
    "Modelled: networks and SMS (see the presets); a phone needs one trip from waking up to an answer; heartbeats "
    "between changes are counted, not played, and a change that falls between the answer to one and the next counts as "
    "told at once; nobody reads, flags or deletes mail unless the stream says so; TLS, HTTP and the "
    "disk take no time; limits on the triggers of a whole operator or of everybody, and budgets, are left out.",
    "Bytes: requests and answers are made with the codecs of gateway and phone (protocol 2.5, repeated Pings without a "
    "body) for three sample mails of 0.3 to 4 KiB. application: HTTP headers and bodies; tls: and 29 bytes for each "
    "record and 620 for each handshake, which resumes a session; wire: and 52 for each TCP/IP packet, acknowledgements "
    "included. SMS are not in the bytes.",
    "Radio wake-ups: times the radio begins to send or receive data after 10 s of rest or more; an SMS alone is none.",
    "± is half the width of a 95 % interval for users like these, from how much those played differ.",
    "late: synchronised later than the limit, or never. never: not synchronised two hours after the end.",
)


def document(outcome: Outcome, pictures: bool = True) -> Document:
    """For people."""
    return Document(
        "Rehearsal of push and SMS triggers",
        _lead(outcome),
        [_versions(outcome), _bytes(outcome), *_heartbeats(outcome), *_movable(outcome)],
        _pictures(outcome.measures) if pictures else (),
        NOTES,
    )


def _lead(outcome: Outcome) -> list[str]:
    plan, stream = outcome.plan, outcome.plan.stream
    kind = f"{stream.pattern.mails:g} mails a day on average" if isinstance(stream, Made) else "a recorded stream"
    sampled = "" if outcome.users == outcome.population else f", drawn by lot from {outcome.population:,}"
    rate = outcome.device_days / outcome.seconds if outcome.seconds else 0.0
    return [
        f"{outcome.users:,} users{sampled}, {stream.days:g} days, {kind}; "
        f"data networks: {', '.join(one.name for one in plan.data)}; "
        f"SMS networks: {', '.join(one.name for one in plan.sms)}; seed {plan.seed}.",
        f"{outcome.device_days:,.0f} device-days in {outcome.seconds:.1f} s of processor time ({rate:,.0f} a second).",
    ]


def _versions(outcome: Outcome) -> Table:
    head = ["VERSION", "P50", "P95", "P99", "LATE", "NEVER", "SMS/USER/MONTH", "COST", "KB/DAY", "WAKE-UPS/DAY"]
    rows = [
        [
            one.version,
            *(_time(wait) for wait in one.waits),
            percent(one.late.value),
            percent(one.never.value),
            estimated(one.sms_month),
            estimated(one.cost_month),
            plain(one.gzip.total["wire"].value / 1000),
            estimated(one.wakeups_day),
        ]
        for one in outcome.measures
    ]
    late = duration(outcome.plan.criteria.late)
    return Table(
        "From change to synchronised, and what it costs",
        head,
        rows,
        f"times with their 95 % interval; late is more than {late}; KB of a device on the wire, with gzip",
    )


def _time(wait: Estimate) -> str:
    low, high = duration(wait.low), duration(wait.high)
    return duration(wait.value) if low == high else f"{duration(wait.value)} [{low}, {high}]"


def _bytes(outcome: Outcome) -> Table:
    def row(name: str, kind: str, traffic: Traffic) -> list[str]:
        cells = [name, kind]
        for part in (traffic.heartbeats, traffic.syncs):
            cells += [plain(part[level] / 1000) for level in LEVELS]
        return [*cells, *(plain(traffic.total[level].value * 30 / 1e6) for level in LEVELS)]

    head = ["VERSION", "CODING", *(f"{part}, {level}" for part in ("PINGS", "SYNCS") for level in LEVELS)]
    rows = []
    for one in outcome.measures:
        rows += [row(one.version, "plain", one.plain), row("", "gzip", one.gzip)]
    return Table(
        "Kilobytes of a device and day",
        [*head, *(f"MB A MONTH, {level}" for level in LEVELS)],
        rows,
        "both directions; the months have the connections too",
        left=2,
    )


def _heartbeats(outcome: Outcome) -> list[Table]:
    parked = [one for one in outcome.measures if one.heartbeats]
    if not parked:
        return []
    values = sorted({value for one in parked for value in one.heartbeats})
    head = ["VERSION", *("none lives" if value == 0 else duration(value) for value in values)]
    rows = [[one.version, *(str(one.heartbeats.get(value, 0)) for value in values)] for one in parked]
    return [Table("Phones by the longest heartbeat that lived", head, rows)]


def _movable(outcome: Outcome) -> list[Table]:
    for one in outcome.measures:
        if any(user.move is not None for user in one.users):
            return [users_table(one.users, one.movable)]
    return []


def users_table(users: Sequence[UserMeasures], movable: int) -> Table:
    """Who is safe to move; those who are not come first."""
    ordered = sorted(users, key=lambda user: (user.move is not None and user.move.safe, user.user))
    rows = [
        [
            user.user,
            user.data,
            str(user.changes),
            duration(user.waits[0]),
            duration(user.waits[1]),
            str(user.late),
            "-" if user.heartbeat is None else f"{user.heartbeat} s",
            "yes" if user.move is not None and user.move.safe else "no",
            ", ".join(user.move.why) if user.move is not None else "",
        ]
        for user in ordered[:LISTED]
    ]
    rest = len(ordered) - LISTED
    note = f"{movable} of {len(users)} users" + (f"; {rest} more are in the JSON" if rest > 0 else "")
    head = ["USER", "NETWORK", "CHANGES", "P50", "P95", "LATE", "HEARTBEAT", "SAFE", "WHY NOT"]
    return Table("Safe to move to Direct Push alone", head, rows, note, left=2)


def _pictures(measures: Sequence[Measures]) -> list[Picture]:
    names = [one.version for one in measures]
    made = [
        Picture(
            "Time from change to synchronised",
            plots.distributions([(one.version, one.points) for one in measures]),
        ),
        Picture("SMS of a user and month", _estimates(names, "SMS", [one.sms_month for one in measures])),
        Picture("Data of a device and day", plots.bars(names, _traffic(measures), "KB on the wire, with gzip")),
        Picture(
            "Radio wake-ups of a device and day", _estimates(names, "wake-ups", [one.wakeups_day for one in measures])
        ),
    ]
    beats = {one.version: one.heartbeats for one in measures if one.heartbeats}
    if beats:
        made.append(Picture("Longest heartbeat that lived", plots.histogram(beats, "phones")))
    return made


def _estimates(names: Sequence[str], unit: str, found: Sequence[Estimate]) -> str:
    return plots.bars(names, {unit: [one.value for one in found]}, unit, [one.error for one in found])


def _traffic(measures: Sequence[Measures]) -> dict[str, list[float]]:
    """Kilobytes by what they are for."""
    pings = [one.gzip.heartbeats["wire"] / 1000 for one in measures]
    syncs = [one.gzip.syncs["wire"] / 1000 for one in measures]
    total = [one.gzip.total["wire"].value / 1000 for one in measures]
    rest = [whole - ping - sync for whole, ping, sync in zip(total, pings, syncs, strict=True)]
    return {"pings": pings, "syncs": syncs, "connections": rest}


def as_json(outcome: Outcome) -> dict[str, Any]:
    """For programs: everything; times in seconds, C{null} for never."""
    stream = outcome.plan.stream
    return {
        "users": outcome.users,
        "population": outcome.population,
        "days": stream.days,
        "start": stream.start,
        "seed": outcome.plan.seed,
        "cpu_seconds": round(outcome.seconds, 3),
        "device_days": outcome.device_days,
        "criteria": asdict(outcome.plan.criteria),
        "networks": _finite([asdict(one) for one in outcome.plan.data]),
        "sms_networks": _finite([asdict(one) for one in outcome.plan.sms]),
        "versions": [_finite(asdict(one)) for one in outcome.measures],
    }


def _finite(value: Any) -> Any:
    """JSON knows no infinity, and keys are text."""
    if isinstance(value, dict):
        return {str(key): _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    if isinstance(value, float) and isinf(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(getattr(value, "value", value))
