"""From the words of the configuration to those of the rooms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar
from zoneinfo import ZoneInfo

from gateway.config import Config, WakeDefaults, WakeExceptions
from gateway.core.berths import BerthLimits
from gateway.core.heartbeat import HeartbeatLimits
from gateway.core.policy import Policy
from gateway.core.wakerules import Folders, UserRule, WakeFolders, WakeRules
from gateway.eas import policydoc, wbxml
from gateway.eas.content import BodyLimits
from gateway.eas.gate import Rules
from gateway.eas.incoming import ChannelLimits
from gateway.eas.parked import ParkingLimits
from gateway.eas.syncbody import SyncLimits
from gateway.model import DeviceKey

T = TypeVar("T")


def parking_limits(config: Config) -> tuple[ParkingLimits, bool]:
    """What is configured for requests that are parked, and whether the pair of heartbeat limits was right."""
    push = config.direct_push
    limits, right = HeartbeatLimits.configured(push.min_heartbeat, push.max_heartbeat)
    adds_only = any(word.value == "Email" for word in push.adds_only)
    return ParkingLimits(limits, push.max_folders, push.grace, adds_only), right


def berth_limits(config: Config) -> BerthLimits:
    """How many requests may be parked."""
    push = config.direct_push
    return BerthLimits(push.parked_per_user, push.parked_per_address, push.parked_total)


def body_limits(config: Config) -> BodyLimits:
    """Bounds of what a device may send."""
    limits = config.limits
    return BodyLimits(
        limits.max_body_bytes,
        wbxml.Limits(limits.wbxml_depth, limits.wbxml_elements, limits.max_body_bytes),
        limits.max_query_bytes,
    )


def apply_rules(rules: Rules, config: Config) -> None:
    """Put the configured device policies in force."""
    made = {name: policydoc.Policy(policy.elements()) for name, policy in config.provisioning.policies.items()}
    rules.policy_for = lambda user: made.get(config.policy_name(user))
    rules.excepted = config.excepted
    rules.allow_non_provisionable = config.provisioning.allow_non_provisionable
    rules.refresh = config.provisioning.refresh_hours * 3600


def sync_limits(config: Config) -> SyncLimits:
    """Bounds of one Sync request."""
    limits = config.limits
    heartbeat = parking_limits(config)[0].heartbeat
    return SyncLimits(limits.sync_collections, limits.sync_commands, window=limits.max_window, heartbeat=heartbeat)


def channel_limits(config: Config) -> ChannelLimits:
    """Bounds of sizes and times on a connection."""
    https = config.https
    return ChannelLimits(https.header_timeout, https.max_header_bytes, config.limits.max_body_bytes)


def modes(config: Config) -> Policy:
    """The modes that are configured."""
    return Policy(
        config.policy.default_mode,
        {name.lower(): user.mode for name, user in config.users.items() if user.mode},
        config.direct_push.enabled,
        config.sms.enabled,
        {
            member.lower(): (name, group.mode)
            for name, group in config.groups.items()
            if group.mode
            for member in group.members
        },
        {
            DeviceKey(name.lower(), id.lower()): device.mode
            for name, user in config.users.items()
            for id, device in user.devices.items()
            if device.mode
        },
    )


def wake_rules(config: Config) -> WakeRules:
    """What may wake whose devices, and when; what is said for a user comes before what is said for the group."""
    common = (config.policy,)
    groups = {member.lower(): group for group in config.groups.values() for member in group.members}
    of_group = {name: _wake_rule((group, *common)) for name, group in config.groups.items()}
    rules = {member.lower(): of_group[name] for name, group in config.groups.items() for member in group.members}
    for name, user in config.users.items():
        above = groups.get(name.lower())
        rules[name.lower()] = _wake_rule((user, *((above,) if above else ()), *common))
    return WakeRules(_wake_rule(common), rules)


def _wake_rule(scopes: Sequence[WakeDefaults | WakeExceptions]) -> UserRule:
    """The rule that several scopes make together, the narrowest first."""
    classes = _first(scope.wake_classes for scope in scopes)
    name = _first(scope.time_zone for scope in scopes)
    return UserRule(
        WakeFolders(
            frozenset(word.value for word in classes),
            Folders(_first(scope.wake_folders for scope in scopes)),
            Folders(_first(scope.never_folders for scope in scopes)),
        ),
        _first(scope.quiet_hours for scope in scopes),
        ZoneInfo(name) if name else None,
    )


def _first(values: Iterable[T | None]) -> T:
    """The first value that is given; the last one always is."""
    return next(value for value in values if value is not None)
