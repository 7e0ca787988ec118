"""What came of a comparison: as a document and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf
from typing import Any

from attrs import asdict, frozen

from gateway.rehearsal import plots
from gateway.rehearsal.comparing import Compared, Waits, over_all
from gateway.rehearsal.criteria import Criteria
from gateway.rehearsal.document import Document, Picture, Table, duration, percent, plain
from gateway.rehearsal.measures import POINTS
from gateway.rehearsal.statistics import quantile

NAMES = {"push": "told by Direct Push", "sms": "told by SMS", "synchronised": "synchronised"}
NOTES = (
    "Times count from the moment the gateway noticed the change. An SMS has told of it when its receipt says that it "
    "was delivered, or, for an operator without receipts, when the operator took it.",
    "A change for which no SMS of its own was sent, because one was outstanding, counts as told by that one.",
    "push missed: no Ping told of the change before the device synchronised for another reason. Some of these are only "
    "SMS that were quicker; late counts those that Direct Push told of too late or never.",
    "A device that is told by both synchronises once for each change; a trigger that comes after that carries an old "
    "GUID and is ignored by the device, but was paid for.",
    "Changes of the last minutes that nobody has fetched yet are left out.",
)


@frozen
class Comparison:
    """All devices that were compared."""

    devices: Sequence[Compared]
    waits: Sequence[Waits]
    criteria: Criteria


def document(comparison: Comparison, pictures: bool = True) -> Document:
    """For people."""
    devices = comparison.devices
    changes = sum(one.changes for one in devices)
    movable = sum(one.move.safe for one in devices)
    lead = [
        f"{len(devices)} devices, {changes:,} changes; {movable} may be moved to Direct Push alone.",
    ]
    drawn = _pictures(comparison) if pictures and changes else ()
    return Document("SMS and Direct Push side by side", lead, [_ways(comparison), _devices(devices)], drawn, NOTES)


def _ways(comparison: Comparison) -> Table:
    devices = comparison.devices
    changes = max(1, sum(one.changes for one in devices))
    first = {"push": sum(one.push_first for one in devices), "sms": sum(one.sms_first for one in devices)}
    missed = {"push": sum(one.push_missed for one in devices), "sms": sum(one.sms_missed for one in devices)}
    rows = []
    for way, (_, estimates) in over_all(comparison.waits).items():
        rows.append(
            [
                NAMES[way],
                *(duration(one.value) for one in estimates),
                percent(first[way] / changes) if way in first else "",
                percent(missed[way] / changes) if way in missed else "",
            ]
        )
    return Table("From change to", ["", "P50", "P95", "P99", "FIRST", "MISSED"], rows)


def _devices(devices: Sequence[Compared]) -> Table:
    head = [
        *("USER", "DEVICE", "CHANGES", "PUSH FIRST", "SMS FIRST", "NEITHER", "PUSH P50", "P95", "SMS P50", "P95"),
        *("PUSH MISSED", "SMS MISSED", "LATE", "SMS/MONTH", "COST/MONTH", "HEARTBEAT", "SAFE", "WHY NOT"),
    ]
    rows = [
        [
            one.user,
            one.device,
            *(str(count) for count in (one.changes, one.push_first, one.sms_first, one.neither)),
            *(duration(wait) for wait in (*one.push, *one.sms)),
            *(str(count) for count in (one.push_missed, one.sms_missed, one.late)),
            plain(one.sms_month),
            plain(one.cost_month),
            "-" if one.heartbeat is None else f"{one.heartbeat} s",
            "yes" if one.move.safe else "no",
            ", ".join(one.move.why),
        ]
        for one in sorted(devices, key=lambda one: (one.move.safe, one.user, one.device))
    ]
    return Table("Devices", head, rows, left=2)


def _pictures(comparison: Comparison) -> list[Picture]:
    lines = [
        (NAMES[way], [quantile(spread.together, number / POINTS) for number in range(1, POINTS + 1)])
        for way, (spread, _) in over_all(comparison.waits).items()
    ]
    return [Picture("From change to", plots.distributions(lines))]


def as_json(comparison: Comparison) -> dict[str, Any]:
    """For programs; times in seconds, C{null} for never."""
    ways = {
        way: {f"p{share}": _finite(one.value) for share, one in zip((50, 95, 99), estimates, strict=True)}
        for way, (_, estimates) in over_all(comparison.waits).items()
    }
    return {
        "criteria": asdict(comparison.criteria),
        "ways": ways,
        "devices": [
            {
                **{
                    name: [_finite(part) for part in value] if isinstance(value, tuple) else value
                    for name, value in asdict(one, recurse=False).items()
                    if name != "move"
                },
                "sms_month": one.sms_month,
                "cost_month": one.cost_month,
                "safe": one.move.safe,
                "why": list(one.move.why),
            }
            for one in comparison.devices
        ],
    }


def _finite(value: float) -> float | None:
    return None if isinf(value) else value
