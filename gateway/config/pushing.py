"""The sections for how devices are told of changes, and what they must apply before."""

# ruff: noqa: RUF009 (a declaration of an option is meant to be made once, when the class is)

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from gateway.config.device_policy import Policy
from gateway.config.kinds import (
    Choice,
    Decimal,
    Flag,
    Number,
    Several,
    Text,
)
from gateway.config.option import option, table
from gateway.config.waking import ItemClass, WakeDefaults, WakeExceptions
from gateway.model import Mode

NO_POLICY = "none"
"""The policy name that stands for no policy at all."""


_HEARTBEAT = Number(1, 3540)


@frozen(kw_only=True)
class DirectPush:
    """Parked requests: Pings and hanging Syncs."""

    enabled: bool = option(
        True,
        Flag(),
        "Whether changes end parked requests; with false each of them is parked quietly until its heartbeat is over",
        live=True,
    )
    min_heartbeat: int = option(
        60,
        _HEARTBEAT,
        "The shortest heartbeat a device may ask for; if it is above max_heartbeat, event 3016 is logged and both "
        "defaults are used",
        unit="seconds",
        live=True,
    )
    max_heartbeat: int = option(
        2700,
        _HEARTBEAT,
        "The longest heartbeat a device may ask for; firewalls and proxies must leave connections idle for longer",
        unit="seconds",
        live=True,
    )
    max_folders: int = option(
        300, Number(1, 10000), "Folders in one Ping; more are answered with Status 6", unit="folders", live=True
    )
    sample_size: int = option(
        200, Number(1, 100000), "How many of the latest heartbeats event 3033 looks at", unit="heartbeats", live=True
    )
    alert_threshold: int = option(
        540, _HEARTBEAT, "Event 3033 is logged when their average is not above this", unit="seconds", live=True
    )
    grace: float = option(
        0.0, Decimal(0, 60), "How long an answer waits for further changes to go with it", unit="seconds", live=True
    )
    adds_only: tuple[ItemClass, ...] = option(
        (),
        Several(Choice(ItemClass)),
        "Classes of items for which only new items end a parked request, not changed or removed ones",
        example=(ItemClass.EMAIL,),
        live=True,
    )
    farewell_seconds: float = option(
        3.0, Decimal(0, 60), "The time over which parked requests are answered before a stop", unit="seconds", live=True
    )
    parked_per_user: int = option(
        32, Number(0, 1000000), "Parked requests of one user; more are answered with 503; 0: any number", live=True
    )
    parked_per_address: int = option(
        0,
        Number(0, 1000000),
        "Parked requests from one address; more are answered with 503; 0: any number, as all phones of a carrier may "
        "come from one address",
        live=True,
    )
    parked_total: int = option(
        100000, Number(0, 1000000), "Parked requests altogether; more are answered with 503; 0: any number", live=True
    )


@frozen(kw_only=True)
class ModePolicy(WakeDefaults):
    """How users are told of changes, and what may wake a device by SMS."""

    default_mode: Mode = option(
        Mode.DIRECT_PUSH,
        Choice(Mode),
        "The mode of users that have none of their own and are in no group that has one",
        live=True,
    )


@frozen(kw_only=True)
class Group(WakeExceptions):
    """Users for whom the same holds."""

    members: tuple[str, ...] = option(
        (), Several(Text()), "The names of their accounts; nobody may be in two groups", example=("bob",), live=True
    )
    mode: Mode | None = option(
        None,
        Choice(Mode),
        "How their devices are told of changes",
        unset="as policy.default_mode",
        example=Mode.OFF,
        live=True,
    )


@frozen(kw_only=True)
class UserDevice:
    """What differs for one device of a user; the name of the section is its DeviceId."""

    mode: Mode | None = option(
        None,
        Choice(Mode),
        "How this device is told of changes",
        unset="as the user",
        example=Mode.OFF,
        live=True,
    )


@frozen(kw_only=True)
class User(WakeExceptions):
    """What differs for one user."""

    mode: Mode | None = option(
        None,
        Choice(Mode),
        "How the devices of this user are told of changes",
        unset="as the group, or policy.default_mode",
        example=Mode.OFF,
        live=True,
    )
    provisioning: str | None = option(
        None,
        Text(),
        'The policy of the devices of this user: the name of one, or "none"',
        unset="as provisioning.policy",
        example=NO_POLICY,
        live=True,
    )
    devices: Mapping[str, UserDevice] = table(UserDevice, "What differs for one device of a user.", example="phone1")


@frozen(kw_only=True)
class Provisioning:
    """What devices must put up with before they may synchronise."""

    policy: str = option(NO_POLICY, Text(), 'The policy of all devices: the name of one, or "none"', live=True)
    refresh_hours: int = option(
        0, Number(0, 87600), "How often devices must fetch the policy again; 0: never", unit="hours", live=True
    )
    allow_non_provisionable: bool = option(
        True, Flag(), "Whether devices that cannot apply the policy, or not all of it, may synchronise", live=True
    )
    exceptions: tuple[str, ...] = option(
        (), Several(Text()), "Users whose devices get no policy", example=("bob@example.org",), live=True
    )
    policies: Mapping[str, Policy] = table(
        Policy,
        "A named policy: elements of EASProvisionDoc under the names of MS-ASPROV. What is not set is not sent. "
        "Protocol 2.5 knows the password settings only.",
        example="strict",
    )
