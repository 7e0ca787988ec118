"""Who plays in a rehearsal: users, their phones, the versions of push, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import define, field, frozen

from gateway.core.heartbeat import HeartbeatLimits
from gateway.core.wakerules import Hours
from gateway.model import Mode
from gateway.rehearsal.networks import DataNetwork, SmsNetwork
from gateway.rehearsal.pager import COALESCE, Pager
from gateway.rehearsal.parking import Parking
from gateway.rehearsal.phone import Phone
from gateway.rehearsal.timetable import Timetable
from gateway.simulator.heartbeat import PHONES, HeartbeatSet
from gateway.trigger import Limits


class Version(Enum):
    """How the phones of a fleet learn of changes: the versions and modes of AUTD, and scheduled synchronisation."""

    SMS = "sms"
    DIRECT_PUSH = "direct-push"
    BOTH = "both"
    AUTO = "auto"
    EVERY_5 = "every-5-min"
    EVERY_15 = "every-15-min"

    @property
    def mode(self) -> Mode:
        """The mode that the gateway has for these phones."""
        return Mode.OFF if self.interval else Mode(self.value)

    @property
    def interval(self) -> float:
        """Seconds from one scheduled synchronisation to the next, 0 if there are none."""
        return {Version.EVERY_5: 300.0, Version.EVERY_15: 900.0}.get(self, 0.0)

    @property
    def pushes(self) -> bool:
        """Whether the phones park requests."""
        return self in (Version.DIRECT_PUSH, Version.BOTH, Version.AUTO)

    @property
    def pages(self) -> bool:
        """Whether the phones can be reached by SMS."""
        return self in (Version.SMS, Version.BOTH, Version.AUTO)


@frozen
class Terms:
    """What holds for the gateway and the phones of a rehearsal; times in seconds, C{quiet} in minutes of the day.

    C{late}: a change that is synchronised later than that counts as late. C{coalesce}: how long a phone may wait
    after a trigger.
    """

    batch: int = 900
    repeats: int = 0
    adds_only: bool = True
    settle: int = 60
    absent: int = 900
    young: int = 3
    young_seconds: float = 300.0
    limits: Limits = field(factory=Limits)
    quiet: tuple[Hours, ...] = ()
    heartbeats: HeartbeatSet = PHONES
    heartbeat_limits: HeartbeatLimits = field(factory=HeartbeatLimits)
    late: float = 1200.0
    coalesce: float = COALESCE


@frozen
class Owner:
    """A user of a rehearsal: a number, and the networks of the phone."""

    number: int
    data: DataNetwork
    sms: SmsNetwork

    @property
    def name(self) -> str:
        """The name of the account."""
        return f"user{self.number}"


@define(eq=False)
class Member:
    """The phone of an owner, by the ways that its version has."""

    owner: Owner
    phone: Phone
    folders: Mapping[str, int]
    parking: Parking | None = None
    pager: Pager | None = None
    timetable: Timetable | None = None
    names: dict[str, list[str]] = field(factory=dict)
