"""Putting a configuration in force that was read again, while devices stay parked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from twisted.logger import Logger

import gateway.service.settings as settings
from gateway.config import (
    Auto,
    Config,
    DeviceRule,
    Devices,
    Moving,
    Operator,
    Relay,
    Sms,
    Trace,
    WakeDefaults,
    WakeExceptions,
)
from gateway.config.option import options
from gateway.cred.accounts import load_accounts
from gateway.service.mail import apply_smtp
from gateway.service.orders import apply_orders
from gateway.service.parts import Parts
from gateway.service.people import apply_addresses, public_url
from gateway.service.posting import sending_limits
from gateway.tls import BadCertificate, KeyPair

log = Logger()

Apply = Callable[[Parts, Config], None]


def check_heartbeats(config: Config) -> None:
    """Say so (event 3016) if the bounds of the heartbeat contradict each other."""
    limits, right = settings.parking_limits(config)
    if not right:
        log.warn(
            "event 3016: direct_push.min_heartbeat {minimum} is above max_heartbeat {maximum};"
            " the defaults {used_minimum} and {used_maximum} are used for both",
            event_id=3016,
            minimum=config.direct_push.min_heartbeat,
            maximum=config.direct_push.max_heartbeat,
            used_minimum=limits.heartbeat.minimum,
            used_maximum=limits.heartbeat.maximum,
        )


def reload_files(parts: Parts, config: Config) -> None:
    """Take accounts and certificates anew, all of them or none.

    @raise BadAccounts: the accounts file is wrong. @raise BadCertificate: the certificate or its key is.
    """
    load_accounts(parts.accounts.path)
    parts.knocking.check(config)
    context, https = parts.context, config.https
    before = (context.pairs, context.minimum)
    context.pairs, context.minimum = [KeyPair(https.certificate, https.private_key)], https.minimum_tls.value
    try:
        context.reload()
    except BadCertificate:
        context.pairs, context.minimum = before
        raise
    parts.accounts.reload()


def apply(parts: Parts, config: Config) -> None:
    """Put every option in force that needs no restart."""
    parts.config = config
    for put_in_force in dict.fromkeys(APPLIED.values()):
        put_in_force(parts, config)


def _nothing(parts: Parts, config: Config) -> None:
    """What is read where it is used, or was taken with the files."""


def _connections(parts: Parts, config: Config) -> None:
    parts.site.limits = settings.channel_limits(config)
    parts.site.idle_timeout = config.https.idle_timeout
    parts.proxies.networks = config.https.trusted_proxies
    parts.dispatcher.realm = config.https.server_name
    parts.autodiscover.public_url = public_url(config)
    parts.dispatcher.access.enabled = config.log.access


def _requests(parts: Parts, config: Config) -> None:
    limits = config.limits
    parts.dispatcher.limits = settings.body_limits(config)
    parts.dispatcher.rate.per_second = limits.requests_per_second
    parts.dispatcher.rate.burst = limits.request_burst
    parts.sync.limits = settings.sync_limits(config)
    parts.estimate.most = limits.estimate_collections
    parts.sending.limits = sending_limits(config)


def _mail(parts: Parts, config: Config) -> None:
    apply_smtp(parts.post, config)
    parts.accounts.domains = config.smtp.domains
    parts.ours.apply(config)
    _people(parts, config)


def _people(parts: Parts, config: Config) -> None:
    """Who is found where, and who vouches for them."""
    apply_addresses(parts.addresses, config)
    parts.autodiscover.public_url = public_url(config)
    parts.trust.path = config.smime.ca


def _passwords(parts: Parts, config: Config) -> None:
    cred, authenticator = config.cred, parts.authenticator
    parts.verifier.queue = cred.queue
    authenticator.size, authenticator.remember = cred.cache_size, float(cred.cache_seconds)
    authenticator.throttle.after, authenticator.throttle.longest = cred.slow_after, cred.slow_seconds


def _pings(parts: Parts, config: Config) -> None:
    push = config.direct_push
    check_heartbeats(config)
    parts.parking.limits, _ = settings.parking_limits(config)
    parts.sync.limits = settings.sync_limits(config)
    parts.parking.levels.forget_all()
    parts.parking.berths.limits = settings.berth_limits(config)
    parts.window.resize(push.sample_size, push.alert_threshold)


def _modes(parts: Parts, config: Config) -> None:
    """Pings of those who are told of changes in another way now end; all others stay parked."""
    apply_orders(parts.orders, config)
    _triggers(parts, config)
    parts.board.recall(parts.policy.replace(settings.modes(config)), "mode")


def _triggers(parts: Parts, config: Config) -> None:
    """Triggers are decided and sent by other rules from now on."""
    apply_orders(parts.orders, config)
    parts.knocking.reload(config)
    parts.notify.terms = parts.knocking.notify_terms()
    parts.sync.tells_guid = config.sms.notify_guid


def _operators(parts: Parts, config: Config) -> None:
    """Operators, the doors that take mail for them, and the relay."""
    _triggers(parts, config)
    parts.ours.apply(config)
    apply_smtp(parts.post, config)


def _policies(parts: Parts, config: Config) -> None:
    """Pings of those who have another device policy now end, so that their devices come for it."""
    users = {claim.device.user for claim in parts.board.claims()}
    before = {user: parts.rules.policy_for(user) for user in users}
    settings.apply_rules(parts.rules, config)
    for user, policy in before.items():
        now = parts.rules.policy_for(user)
        if (policy and policy.hash) != (now and now.hash):
            parts.board.recall_claims([c for c in parts.board.claims() if c.device.user == user], "policy")


def _devices(parts: Parts, config: Config) -> None:
    """Parked requests of devices that may not synchronise any more now end."""
    parts.doorkeeper.apply(config, parts.board)


def _section(name: str, put_in_force: Apply, *options: str) -> dict[str, Apply]:
    return {f"{name}.{option}": put_in_force for option in options}


def _names(section: type[Any]) -> list[str]:
    return [name for name, _ in options(section)]


#: What puts each option in force that needs no restart.
APPLIED: Mapping[str, Apply] = MappingProxyType(
    {
        **_section("https", _nothing, "certificate", "private_key", "minimum_tls"),
        **_section("https", _people, "public_url"),
        **_section("smime", _people, "ca"),
        **_section("directory", _people, "file"),
        **_section(
            "https",
            _connections,
            "trusted_proxies",
            "header_timeout",
            "idle_timeout",
            "max_header_bytes",
            "server_name",
        ),
        **_section("log", _connections, "access"),
        **_section("limits", _requests, "max_body_bytes", "max_query_bytes", "wbxml_depth", "wbxml_elements"),
        **_section("limits", _requests, "requests_per_second", "request_burst", "sync_commands", "sync_collections"),
        **_section("limits", _requests, "estimate_collections", "max_window"),
        **_section("limits", _requests, "sent_bytes", "sent_recipients", "sent_per_hour"),
        **_section("smtp", _mail, "domains", "max_message_bytes", "max_recipients", "messages_per_minute"),
        **_section("smtp", _mail, "connections"),
        **_section("cred", _passwords, "queue", "cache_size", "cache_seconds", "slow_after", "slow_seconds"),
        **_section("direct_push", _nothing, "farewell_seconds"),
        **_section("direct_push", _pings, "min_heartbeat", "max_heartbeat", "max_folders", "grace", "adds_only"),
        **_section("direct_push", _pings, "sample_size", "alert_threshold"),
        **_section("direct_push", _pings, "parked_per_user", "parked_per_address", "parked_total"),
        **_section("direct_push", _modes, "enabled"),
        **_section("policy", _modes, "default_mode"),
        **_section("groups.NAME", _modes, "members", "mode"),
        **_section("users.NAME", _modes, "mode"),
        **_section("users.NAME.devices.NAME", _modes, "mode"),
        **_section("policy", _triggers, *_names(WakeDefaults)),
        **_section("groups.NAME", _triggers, *_names(WakeExceptions)),
        **_section("users.NAME", _triggers, *_names(WakeExceptions)),
        **_section("sms", _triggers, *_names(Sms)),
        **_section("sms", _modes, "enabled"),
        **_section("auto", _triggers, *_names(Auto)),
        **_section("operators.NAME", _operators, *_names(Operator)),
        **_section("relay", _operators, *_names(Relay)),
        **_section("trace", _triggers, *_names(Trace)),
        **_section("users.NAME", _policies, "provisioning"),
        **_section("provisioning", _policies, "policy", "refresh_hours", "allow_non_provisionable", "exceptions"),
        "provisioning.policies.NAME": _policies,
        **_section("devices", _devices, *_names(Devices)),
        **_section("devices.rules.NAME", _devices, *_names(DeviceRule)),
        **_section("ledger", _nothing, "keep"),
        **_section("moving", _nothing, *_names(Moving)),
    }
)
