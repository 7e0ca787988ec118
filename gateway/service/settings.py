"""From the words of the configuration to those of the rooms."""

from __future__ import annotations

from gateway.config import Config
from gateway.core.berths import BerthLimits
from gateway.core.heartbeat import HeartbeatLimits
from gateway.eas import policydoc, wbxml
from gateway.eas.content import BodyLimits
from gateway.eas.gate import Rules
from gateway.eas.incoming import ChannelLimits
from gateway.eas.ping import PingLimits
from gateway.eas.syncbody import SyncLimits
from gateway.model import Mode


def ping_limits(config: Config) -> tuple[PingLimits, bool]:
    """What is configured for Ping, and whether the pair of heartbeat limits was right."""
    push = config.direct_push
    limits, right = HeartbeatLimits.configured(push.min_heartbeat, push.max_heartbeat)
    adds_only = any(word.value == "Email" for word in push.adds_only)
    return PingLimits(limits, push.max_folders, push.grace, adds_only), right


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
    rules.allow_non_provisionable = config.provisioning.allow_non_provisionable
    rules.refresh = config.provisioning.refresh_hours * 3600


def sync_limits(config: Config) -> SyncLimits:
    """Bounds of one Sync request."""
    limits = config.limits
    return SyncLimits(limits.sync_collections, limits.sync_commands, window=limits.max_window)


def channel_limits(config: Config) -> ChannelLimits:
    """Bounds of sizes and times on a connection."""
    https = config.https
    return ChannelLimits(https.header_timeout, https.max_header_bytes, config.limits.max_body_bytes)


def modes(config: Config) -> dict[str, Mode]:
    """The modes of the users that have one of their own."""
    return {name: config.user_mode(name) for name in config.users}
