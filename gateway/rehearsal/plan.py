"""A whole rehearsal: which fleets play which stream, and what came out for each."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from random import Random

from attrs import define, field, frozen

from gateway.rehearsal.criteria import Criteria
from gateway.rehearsal.fleet import Member, Owner, Terms, Version
from gateway.rehearsal.measures import Measures, Seen, measure
from gateway.rehearsal.networks import DATA_NETWORKS, SMS_NETWORKS, DataNetwork, SmsNetwork, assigned
from gateway.rehearsal.sizes import measure as measure_sizes
from gateway.rehearsal.stream import DAY, Event, Pattern, generate, together
from gateway.rehearsal.world import World

#: A Monday, midnight UTC: where made-up streams begin.
MONDAY = 1_142_208_000.0


@frozen
class Made:
    """A stream made up from a pattern, for C{users} users and C{days} days."""

    pattern: Pattern
    users: int
    days: float
    start: float = MONDAY

    def numbers(self) -> Sequence[int]:
        """The numbers of all users."""
        return range(1, self.users + 1)

    def classes(self) -> tuple[str, ...]:
        """What changes."""
        return ("Email",)

    def events(self, users: Sequence[int], seed: str) -> Iterator[Event]:
        """What happens to these users, in order of time."""
        return together([generate(self.pattern, user, self.start, self.days, seed) for user in users])


@frozen
class Recorded:
    """A stream that was read from a file; it begins at the full hour before its first event."""

    recorded: Sequence[Event]

    @property
    def start(self) -> float:
        """When it begins, in seconds since the epoch."""
        return self.recorded[0].time // 3600 * 3600

    @property
    def days(self) -> float:
        """How long it lasts."""
        return max(1, -int((self.start - self.recorded[-1].time) // 3600)) / 24

    def numbers(self) -> Sequence[int]:
        """The numbers of all users."""
        return sorted({event.user for event in self.recorded})

    def classes(self) -> tuple[str, ...]:
        """What changes."""
        return tuple(sorted({event.item_class for event in self.recorded}))

    def events(self, users: Sequence[int], seed: str) -> Iterator[Event]:
        """What happened to these users, in order of time."""
        chosen = set(users)
        return (event for event in self.recorded if event.user in chosen)


@frozen
class Plan:
    """What is to be rehearsed; of the stream's users C{sample} are drawn by lot, 0: all of them play.

    Each version has every user's mailbox, networks and luck again, in a gateway of its own.
    """

    stream: Made | Recorded
    versions: tuple[Version, ...] = tuple(Version)
    sample: int = 0
    data: tuple[DataNetwork, ...] = (DATA_NETWORKS["good"],)
    sms: tuple[SmsNetwork, ...] = (SMS_NETWORKS["usual"],)
    terms: Terms = field(factory=Terms)
    criteria: Criteria = field(factory=Criteria)
    truncation: int = 4
    seed: str = "1"

    def owners(self) -> list[Owner]:
        """Those who play, each with networks by lot."""
        numbers = list(self.stream.numbers())
        if 0 < self.sample < len(numbers):
            numbers = sorted(Random(f"{self.seed}/sample").sample(numbers, self.sample))  # noqa: S311
        return [Owner(number, self._data(number), self._sms(number)) for number in numbers]

    def _data(self, number: int) -> DataNetwork:
        return assigned(self.data, tuple(one.weight for one in self.data), number, f"{self.seed}/data")

    def _sms(self, number: int) -> SmsNetwork:
        return assigned(self.sms, tuple(one.weight for one in self.sms), number, f"{self.seed}/sms")


@frozen
class Outcome:
    """What came of a plan: C{population} users of whom C{users} played; C{seconds} of processor time."""

    plan: Plan
    population: int
    users: int
    measures: Sequence[Measures]
    seconds: float

    @property
    def device_days(self) -> float:
        """Devices times days, over all versions."""
        return len(self.measures) * self.users * self.plan.stream.days


@frozen
class Progress:
    """How far a rehearsal is: the version that plays now, and device-days."""

    version: Version
    done: float
    whole: float


@define(eq=False)
class Rehearsal:
    """Plays a plan; C{progress} is told now and then."""

    plan: Plan
    progress: Callable[[Progress], None] = lambda progress: None
    _done: float = field(init=False, default=0.0)

    def play(self) -> Outcome:
        """Play all versions, one after another."""
        plan, began = self.plan, time.process_time()
        owners = plan.owners()
        measures = [self._version(version, owners) for version in plan.versions]
        return Outcome(plan, len(plan.stream.numbers()), len(owners), measures, time.process_time() - began)

    def _version(self, version: Version, owners: Sequence[Owner]) -> Measures:
        plan, stream = self.plan, self.plan.stream
        end = stream.start + stream.days * DAY
        world = World(version, owners, plan.terms, stream.start, plan.seed, stream.classes())
        # What was made until now lives to the end: no use in looking at it again and again.
        gc.freeze()
        try:
            events = stream.events([owner.number for owner in owners], plan.seed)
            world.play(events, end, lambda at: self._tell(version, (at - stream.start) / DAY, len(owners)))
        finally:
            gc.unfreeze()
            world.close()
        self._done += stream.days * len(owners)
        seen = [_seen(member) for member in world.members.values()]
        sizes = (measure_sizes(False, plan.truncation), measure_sizes(True, plan.truncation))
        return measure(version.value, seen, stream.days, sizes, plan.criteria, version is Version.DIRECT_PUSH)

    def _tell(self, version: Version, days: float, users: int) -> None:
        whole = len(self.plan.versions) * users * self.plan.stream.days
        self.progress(Progress(version, self._done + days * users, whole))


def _seen(member: Member) -> Seen:
    sms = member.owner.sms.name if member.pager is not None else ""
    return Seen(member.owner.name, member.phone.tally, member.owner.data.name, sms)
