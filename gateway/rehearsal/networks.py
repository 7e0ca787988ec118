"""Models of the networks between gateway and phone: how long connections live, where there is none, and SMS."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from math import exp, log
from random import Random
from types import MappingProxyType
from typing import Any, TypeVar

from attrs import define, evolve, field, fields, frozen

from gateway.simulator.network import Mode, seconds

T = TypeVar("T")
DAY = 86400.0


@frozen
class DataNetwork:
    """What carries a phone's data; times in seconds.

    C{idle}: a connection is cut when no byte flowed for that long, 0: never; C{cut}: C{silent} (neither end is told)
    or C{reset} (both are). C{gaps} a day, each C{gap} long on average (exponentially), in which the phone has no
    network at all, neither data nor SMS. C{trip}: from the phone's waking up to the answer of a request.
    C{weight}: how many users have this one, among those named.
    """

    name: str = "good"
    idle: float = 0.0
    cut: Mode = Mode.SILENT
    gaps: float = 0.0
    gap: float = 300.0
    trip: float = 1.5
    weight: float = 1.0

    def lives(self, interval: float) -> bool:
        """Whether a connection that is idle for so long is there at the end."""
        return not self.idle or interval < self.idle


@frozen
class SmsNetwork:
    """What carries SMS: log-normal latency with C{median} seconds and C{sigma}, C{loss} as a share, C{price} of one.

    What is on its way to a phone without coverage comes when it is back.
    """

    name: str = "usual"
    median: float = 8.0
    sigma: float = 0.9
    loss: float = 0.005
    price: float = 0.05
    weight: float = 1.0

    def latency(self, random: Random) -> float | None:
        """Seconds from the SMSC's taking an SMS to the phone, C{None} if it is lost."""
        if random.random() < self.loss:
            return None
        return exp(random.gauss(log(self.median), self.sigma))


DATA_NETWORKS: Mapping[str, DataNetwork] = MappingProxyType(
    {
        one.name: one
        for one in (
            DataNetwork("good"),
            DataNetwork("carrier-30min", idle=1800.0),
            DataNetwork("carrier-13min", idle=780.0),
            DataNetwork("firewall-8min", idle=481.0, cut=Mode.RESET),
            DataNetwork("firewall-4min", idle=240.0, cut=Mode.RESET),
            DataNetwork("nat-4min", idle=240.0),
            DataNetwork("patchy", idle=1800.0, gaps=6.0, gap=600.0),
            DataNetwork("rural", idle=1800.0, gaps=20.0, gap=900.0, trip=4.0),
        )
    }
)
"""Named data networks: C{carrier-13min} is that of the worked example in the operators' guide."""

SMS_NETWORKS: Mapping[str, SmsNetwork] = MappingProxyType(
    {
        one.name: one
        for one in (
            SmsNetwork("usual"),
            SmsNetwork("fast", median=4.0, sigma=0.4, loss=0.001),
            SmsNetwork("slow", median=30.0, sigma=1.5, loss=0.02),
            SmsNetwork("perfect", median=1.0, sigma=0.0, loss=0.0),
            SmsNetwork("free", price=0.0),
        )
    }
)
"""Named SMS networks; the prices are examples."""

_NAMED = re.compile(r"[a-z0-9.-]+")


def parse(text: str, presets: Mapping[str, T]) -> T:
    """Read C{NAME} or C{NAME,key=value,...}: a preset with some of its values replaced.

    @raise ValueError: the name or a key is unknown, or a value is none for it.
    """
    name, *changes = [word.strip() for word in text.split(",")]
    if name not in presets:
        raise ValueError(f"there is no network {name!r}; there are {', '.join(presets)}")
    preset: Any = presets[name]
    known = {one.name for one in fields(type(preset))} - {"name"}
    values: dict[str, Any] = {}
    for change in changes:
        key, _, value = change.partition("=")
        if key not in known:
            raise ValueError(f"a network has no {key!r}; it has {', '.join(sorted(known))}")
        values[key] = _value(key, value)
    shown = [change for change in changes if not change.startswith("weight=")]
    values["name"] = ",".join([name, *shown])
    made: T = evolve(preset, **values)
    return made


def _value(key: str, text: str) -> float | Mode:
    if key == "cut":
        try:
            return Mode(text)
        except ValueError:
            raise ValueError(f"cut is silent or reset, not {text!r}") from None
    if key in ("idle", "gap", "trip", "median") and text not in ("0", "never"):
        return seconds(text)
    try:
        value = 0.0 if text == "never" else float(text)
    except ValueError:
        raise ValueError(f"{key}={text!r} is no number") from None
    if not 0 <= value < 1e9 or (key == "loss" and value > 1):
        raise ValueError(f"{key}={text!r} is out of range")
    return value


@define(eq=False)
class Coverage:
    """When one phone has no network: gaps in order of time, made as they are asked for."""

    network: DataNetwork
    random: Random
    start: float
    _begins: list[float] = field(init=False, factory=list)
    _ends: list[float] = field(init=False, factory=list)

    def next(self, time: float) -> tuple[float, float]:
        """The gap that lasts at that time, or else the next one: begin and end; infinite if there is none."""
        if not self.network.gaps:
            return float("inf"), float("inf")
        while not self._ends or self._ends[-1] <= time:
            begin = (self._ends[-1] if self._ends else self.start) + self.random.expovariate(self.network.gaps / DAY)
            self._begins.append(begin)
            self._ends.append(begin + self.random.expovariate(1 / self.network.gap))
        place = bisect_right(self._ends, time)
        return self._begins[place], self._ends[place]

    def back(self, time: float) -> float:
        """That time, or the end of the gap that it lies in."""
        begin, end = self.next(time)
        return end if begin <= time else time

    def without(self, start: float, end: float) -> float:
        """Seconds without a network in that time."""
        lost, time = 0.0, start
        while time < end:
            gap, over = self.next(time)
            lost += max(0.0, min(over, end) - max(gap, start))
            time = over
        return lost


def assigned(choices: tuple[T, ...], weights: tuple[float, ...], user: int, seed: str) -> T:
    """The network of a user: by lot, always the same."""
    random = Random(f"{seed}/network/{user}")  # noqa: S311
    return random.choices(choices, weights)[0]
