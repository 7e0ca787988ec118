"""What came out of a rehearsal for one version: for all users together and for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from attrs import field, frozen

from gateway.rehearsal.criteria import Criteria, Move
from gateway.rehearsal.sizes import LEVELS, Bytes, Sizes
from gateway.rehearsal.statistics import Estimate, Spread, mean, quantile, share
from gateway.rehearsal.tally import COUNTS, Tally

#: Days of a month.
MONTH = 30.0
SHARES = (0.5, 0.95, 0.99)
#: So many points of the distribution of latencies are kept for the plot.
POINTS = 200


@frozen
class Seen:
    """One user's part: the phone's counts and the networks that it was on."""

    user: str
    tally: Tally
    data: str = ""
    sms: str = ""

    @property
    def waits(self) -> list[float]:
        """Seconds from each change to its being synchronised; infinite for those that never were."""
        return [*self.tally.waits, *([inf] * self.tally.never)]


@frozen
class UserMeasures:
    """One user: latencies in seconds, counts for the month or day, and whether the phone may be moved.

    C{move} is C{None} where there is nothing to decide: the version has no parked requests.
    """

    user: str
    data: str
    sms: str
    changes: int
    waits: tuple[float, float, float]
    late: int
    never: int
    heartbeat: int | None
    settled: bool
    sms_month: float
    cost_month: float
    bytes_day: float
    wakeups_day: float
    move: Move | None = None


@frozen
class Traffic:
    """Bytes of a device and day by the way of counting: of heartbeats, of Syncs, and all with connections."""

    heartbeats: Mapping[str, float]
    syncs: Mapping[str, float]
    total: Mapping[str, Estimate]


@frozen
class Measures:
    """One version: estimates over its users.

    C{waits}: seconds from change to synchronised at p50, p95 and p99, C{announced} until the phone knew of it; C{late}
    and C{never} as shares of the changes; C{heartbeats}: how many phones arrived at which; C{points}: the distribution
    of the waits; C{counts}: sums over all users, of what was counted.
    """

    version: str
    users: Sequence[UserMeasures]
    days: float
    changes: int
    waits: Sequence[Estimate]
    announced: Sequence[Estimate]
    late: Estimate
    never: Estimate
    sms_month: Estimate
    cost_month: Estimate
    plain: Traffic
    gzip: Traffic
    wakeups_day: Estimate
    heartbeats: Mapping[int, int]
    points: Sequence[float] = ()
    counts: Mapping[str, float] = field(factory=dict)

    @property
    def movable(self) -> int:
        """How many users are safe to move."""
        return sum(one.move is not None and one.move.safe for one in self.users)


def traffic(sizes: Sizes, tallies: Sequence[Tally], days: float) -> Traffic:
    """Bytes of a device and day."""
    each = 1 / (days * max(1, len(tallies)))

    def sums(kind: Any) -> Mapping[str, float]:
        found = [kind(tally) for tally in tallies]
        return {level: sum(getattr(one, level) for one in found) * each for level in LEVELS}

    totals: list[Bytes] = [sizes.total(tally) for tally in tallies]
    total = {level: mean([getattr(one, level) / days for one in totals]) for level in LEVELS}
    return Traffic(sums(sizes.heartbeats), sums(sizes.syncs), total)


def measure(
    version: str,
    seen: Sequence[Seen],
    days: float,
    sizes: tuple[Sizes, Sizes],
    criteria: Criteria,
    pushes: bool,
) -> Measures:
    """Put together what was counted; C{sizes} without and with gzip."""
    tallies = [one.tally for one in seen]
    spread = Spread.of([one.waits for one in seen])
    announced = Spread.of([[*tally.announced, *([inf] * tally.never)] for tally in tallies])
    users = [_user(one, days, sizes[1], criteria, pushes) for one in seen]
    changes = [float(one.changes) for one in users]
    beats = Counter(tally.heartbeat for tally in tallies if tally.heartbeat is not None)
    return Measures(
        version=version,
        users=users,
        days=days,
        changes=int(sum(changes)),
        waits=[spread.quantile(part) for part in SHARES],
        announced=[announced.quantile(part) for part in SHARES],
        late=share([float(one.late) for one in users], changes),
        never=share([float(one.never) for one in users], changes),
        sms_month=mean([one.sms_month for one in users]),
        cost_month=mean([one.cost_month for one in users]),
        plain=traffic(sizes[0], tallies, days),
        gzip=traffic(sizes[1], tallies, days),
        wakeups_day=mean([one.wakeups_day for one in users]),
        heartbeats=dict(sorted(beats.items())),
        points=[quantile(spread.together, number / POINTS) for number in range(1, POINTS + 1)],
        counts=_counts(tallies),
    )


def _user(seen: Seen, days: float, sizes: Sizes, criteria: Criteria, pushes: bool) -> UserMeasures:
    tally, ordered = seen.tally, sorted(seen.waits)
    waits = (quantile(ordered, 0.5), quantile(ordered, 0.95), quantile(ordered, 0.99))
    late = sum(wait > criteria.late for wait in ordered)
    return UserMeasures(
        user=seen.user,
        data=seen.data,
        sms=seen.sms,
        changes=len(ordered),
        waits=waits,
        late=late,
        never=tally.never,
        heartbeat=tally.heartbeat,
        settled=tally.settled,
        sms_month=tally.sms / days * MONTH,
        cost_month=tally.cost / days * MONTH,
        bytes_day=sizes.total(tally).wire / days,
        wakeups_day=tally.wakeups / days,
        move=criteria.judge(waits[1], late, tally.never, tally.heartbeat, len(ordered)) if pushes else None,
    )


def _counts(tallies: Sequence[Tally]) -> dict[str, float]:
    return {name: sum(getattr(tally, name) for tally in tallies) for name in COUNTS}
