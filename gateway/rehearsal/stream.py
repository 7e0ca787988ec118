"""The stream of mailbox changes that a rehearsal plays: made up from a pattern, or read from a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from random import Random
from typing import IO, Any

from attrs import frozen

DAY = 86400.0
HOUR = 3600.0
#: What may happen to an item.
KINDS = ("add", "change", "remove")
CLASSES = ("Email", "Calendar", "Contacts", "Tasks", "Notes")


class BadStream(ValueError):
    """A recorded stream cannot be read; the message names the line."""


@frozen(order=True)
class Event:
    """Something happened in a mailbox: when (seconds since the epoch), whose (a number), to what, and what."""

    time: float
    user: int
    item_class: str = "Email"
    kind: str = "add"


@frozen
class Pattern:
    """How mail comes to one user: C{mails} a day on average, the days alike.

    C{night}: share of the rate of the day that is left from 22 to 6 o'clock; C{burst}: share of mails that bring
    others after them, C{burst_mails} on average, within C{burst_seconds} each. C{spread}: how much users differ: the
    mean rate of a user is log-normal with that sigma around C{mails}.
    """

    mails: float = 30.0
    night: float = 0.1
    burst: float = 0.15
    burst_mails: float = 2.0
    burst_seconds: float = 120.0
    spread: float = 0.5

    @property
    def cluster(self) -> float:
        """How many mails come together on average."""
        return 1.0 + self.burst * self.burst_mails


def generate(pattern: Pattern, user: int, start: float, days: float, seed: str) -> Iterator[Event]:
    """The mails of one user in order of time; the same again for the same arguments."""
    random = Random(f"{seed}/mail/{user}")  # noqa: S311
    mean = pattern.mails * random.lognormvariate(-(pattern.spread**2) / 2, pattern.spread)
    awake, asleep = 16.0, 8.0
    # The rate by day is such that day and night together have the mean.
    by_day = mean / pattern.cluster / (awake + asleep * pattern.night) / HOUR
    return (Event(time, user) for time in _ordered(_clusters(random, pattern, by_day, start, days)))


def _clusters(random: Random, pattern: Pattern, by_day: float, start: float, days: float) -> Iterator[list[float]]:
    """The times of mails that come together; the clusters in order of their first ones."""
    time, end = start, start + days * DAY
    while by_day > 0:
        # Thinning: arrivals at the rate of the day, of which the night lets a share pass.
        time += random.expovariate(by_day)
        if time >= end:
            return
        hour = time % DAY / HOUR
        if not 6 <= hour < 22 and random.random() >= pattern.night:
            continue
        cluster = [time]
        if random.random() < pattern.burst:
            for _ in range(_geometric(random, pattern.burst_mails)):
                cluster.append(cluster[-1] + random.uniform(1.0, pattern.burst_seconds))
        yield [at for at in cluster if at < end]


def _geometric(random: Random, mean: float) -> int:
    """At least 1, and that many on average."""
    count = 1
    while mean > 1 and random.random() < 1 - 1 / mean:
        count += 1
    return count


def _ordered(clusters: Iterable[list[float]]) -> Iterator[float]:
    """The times of overlapping clusters in order."""
    waiting: list[float] = []
    for cluster in clusters:
        while waiting and waiting[0] <= cluster[0]:
            yield waiting.pop(0)
        waiting = sorted([*waiting, *cluster])
    yield from waiting


def together(streams: Sequence[Iterator[Event]]) -> Iterator[Event]:
    """Several streams as one, in order of time."""
    return merge(*streams)


def write(events: Iterable[Event], file: IO[str]) -> int:
    """Write events as JSON lines; how many."""
    count = 0
    for count, event in enumerate(events, 1):  # noqa: B007
        line = {"time": event.time, "user": event.user, "class": event.item_class, "kind": event.kind}
        file.write(json.dumps(line) + "\n")
    return count


def read(lines: Iterable[str]) -> list[Event]:
    """Read JSON lines, in any order; the events in order of time.

    @raise BadStream: a line is none.
    """
    events = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                events.append(_event(json.loads(line)))
            except (ValueError, TypeError, KeyError) as error:
                raise BadStream(f"line {number} is no event of a stream: {error}") from error
    return sorted(events)


def _event(fields: Any) -> Event:
    time, user = float(fields["time"]), int(fields["user"])
    item_class, kind = str(fields.get("class", "Email")), str(fields.get("kind", "add"))
    if kind not in KINDS or item_class not in CLASSES or not 0 <= time < 1e11 or user < 0:
        raise ValueError(f"{fields!r}")
    return Event(time, user, item_class, kind)
