"""SMS against Direct Push for real users in mode C{both}: what the trace says of the same changes on both ways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf

from attrs import define, field, frozen

from gateway.rehearsal.criteria import Criteria, Move
from gateway.rehearsal.statistics import Estimate, Spread, quantile
from gateway.trigger import Hop, LetterState, Verdict

DAY = 86400.0
MONTH = 30.0
#: What stands in a receipt of which only the words are known.
_DELIVERED = ("delivrd", "delivered")


@define(eq=False)
class Track:
    """One change on its way to one device; times in seconds since the epoch, C{None} for what did not happen.

    C{push}: a Ping told of it; C{letter}: the trigger that stood for it, which may have gone out before.
    """

    noticed: float
    push: float | None = None
    letter: int = 0
    synchronised: float | None = None


@define
class Paper:
    """One trigger: by whom it went, when it was taken there, and when it was delivered."""

    route: str = ""
    taken: float | None = None
    delivered: float | None = None
    failed: bool = False


@define(eq=False)
class Tracks:
    """The hops of one device, read in order."""

    states: Mapping[int, LetterState] = field(factory=dict)
    tracks: list[Track] = field(factory=list)
    papers: dict[int, Paper] = field(factory=dict)
    first: float = inf
    last: float = 0.0
    _open: list[Track] = field(factory=list)
    _undecided: list[Track] = field(factory=list)
    _outstanding: int = 0

    def read(self, hops: Iterable[Hop]) -> None:
        """Read hops; they may bring times that are a little out of order."""
        for hop in sorted(hops, key=lambda hop: hop.at):
            self.first, self.last = min(self.first, hop.at), max(self.last, hop.at)
            read = getattr(self, f"_{hop.kind}", None)
            if read is not None:
                read(hop)

    def _noticed(self, hop: Hop) -> None:
        track = Track(hop.at)
        self.tracks.append(track)
        self._open.append(track)
        self._undecided.append(track)

    def _decided(self, hop: Hop) -> None:
        batched = hop.text.partition(":")[0] == Verdict.BATCHED.value
        if hop.letter:
            self._outstanding = hop.letter
        for track in self._undecided:
            track.letter = hop.letter or (self._outstanding if batched else 0)
        self._undecided = []

    def _queued(self, hop: Hop) -> None:
        self._paper(hop).route = hop.text

    def _taken(self, hop: Hop) -> None:
        paper = self._paper(hop)
        paper.taken = paper.taken or hop.at

    def _failed(self, hop: Hop) -> None:
        self._paper(hop).failed = True

    def _receipt(self, hop: Hop) -> None:
        paper, state = self._paper(hop), self.states.get(hop.letter)
        words = hop.text.lower().startswith(_DELIVERED)
        if state is LetterState.DELIVERED or (state is not LetterState.UNDELIVERED and words):
            paper.delivered = paper.delivered or hop.at
        else:
            paper.failed = True

    def _announced(self, hop: Hop) -> None:
        for track in self._open:
            track.push = track.push or hop.at

    def _synchronised(self, hop: Hop) -> None:
        for track in self._open:
            track.synchronised = hop.at
        self._open = []
        self._undecided = []

    def _paper(self, hop: Hop) -> Paper:
        return self.papers.setdefault(hop.letter, Paper())

    def by_sms(self, track: Track) -> float | None:
        """When an SMS told of that change: when it was delivered, or if no receipts come, taken."""
        paper = self.papers.get(track.letter)
        if paper is None or paper.failed:
            return None
        at = paper.delivered if paper.delivered is not None or self._receipts(paper.route) else paper.taken
        return None if at is None else max(at, track.noticed)

    def _receipts(self, route: str) -> bool:
        return any(paper.delivered is not None for paper in self.papers.values() if paper.route == route)


@frozen
class Compared:
    """One device; latencies are from the change, at p50 and p95.

    C{push_first}, C{sms_first}, C{neither}: what told of how many changes first; C{push_missed}: a Ping did not tell
    before the device synchronised otherwise; C{sms_missed}: a trigger for it was lost, or none went out (C{unsent} of
    them: quiet hours, limits, or the device had synchronised before).
    """

    user: str
    device: str
    days: float
    changes: int
    push_first: int
    sms_first: int
    neither: int
    push_missed: int
    sms_missed: int
    unsent: int
    push: tuple[float, float]
    sms: tuple[float, float]
    synchronised: tuple[float, float]
    late: int
    sent: int
    cost: float
    heartbeat: int | None
    move: Move

    @property
    def sms_month(self) -> float:
        """Triggers of a month at this rate."""
        return self.sent / self.days * MONTH

    @property
    def cost_month(self) -> float:
        """What those cost."""
        return self.cost / self.days * MONTH


@frozen
class Waits:
    """Seconds from each change of one device to each way's telling of it, infinite where it did not."""

    push: Sequence[float]
    sms: Sequence[float]
    synchronised: Sequence[float]


def compare(
    user: str, device: str, tracks: Tracks, prices: Mapping[str, float], criteria: Criteria, heartbeat: int | None
) -> tuple[Compared, Waits]:
    """Judge one device; C{prices} of an SMS by route.

    Changes that nobody has told of yet and that are younger than what counts as late are left out.
    """
    known = [one for one in tracks.tracks if one.synchronised is not None or tracks.last - one.noticed > criteria.late]
    by_sms = [tracks.by_sms(one) for one in known]
    waits = Waits(
        [_since(one, one.push) for one in known],
        [_since(one, at) for one, at in zip(known, by_sms, strict=True)],
        [_since(one, one.synchronised) for one in known],
    )
    firsts = [_first(push, sms) for push, sms in zip(waits.push, waits.sms, strict=True)]
    sent = [paper for paper in tracks.papers.values() if paper.taken is not None]
    late, push = sum(wait > criteria.late for wait in waits.push), _middle(waits.push)
    found = Compared(
        user,
        device,
        days=max(1 / 24, (tracks.last - tracks.first) / DAY) if known else 1.0,
        changes=len(known),
        push_first=firsts.count("push"),
        sms_first=firsts.count("sms"),
        neither=firsts.count(""),
        push_missed=waits.push.count(inf),
        sms_missed=waits.sms.count(inf),
        unsent=sum(not one.letter for one in known),
        push=push,
        sms=_middle(waits.sms),
        synchronised=_middle(waits.synchronised),
        late=late,
        sent=len(sent),
        cost=sum(prices.get(paper.route, 0.0) for paper in sent),
        heartbeat=heartbeat,
        move=criteria.judge(push[1], late, 0, heartbeat, len(known)),
    )
    return found, waits


def _since(track: Track, at: float | None) -> float:
    return inf if at is None else max(0.0, at - track.noticed)


def _first(push: float, sms: float) -> str:
    if push == sms == inf:
        return ""
    return "push" if push <= sms else "sms"


def _middle(waits: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(waits)
    return quantile(ordered, 0.5), quantile(ordered, 0.95)


def over_all(waits: Sequence[Waits]) -> Mapping[str, tuple[Spread, Sequence[Estimate]]]:
    """All devices together, by way: the values, and p50, p95 and p99."""
    found = {}
    for name in ("push", "sms", "synchronised"):
        spread = Spread.of([getattr(one, name) for one in waits])
        found[name] = spread, [spread.quantile(part) for part in (0.5, 0.95, 0.99)]
    return found
