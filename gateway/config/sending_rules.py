"""What must hold between the options of operators, relay and triggers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from gateway.config.kinds import Broken, Wrong, quoted
from gateway.config.schema import Config
from gateway.config.sending import Operator, Security

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
#: What address and words of a service indication may take, so that it is one SMS with the GUID.
_SI_OCTETS = 50


def broken(config: Config) -> Iterator[Broken]:
    """The rules about sending that a configuration breaks."""
    for name, operator in config.operators.items():
        for option, wrong in _operator(name, operator, config):
            yield ("operators", name, option), wrong
    yield from _prefixes(config)
    yield from _doors(config)
    yield from _relay(config)
    yield from _sms(config)


def _operator(name: str, operator: Operator, config: Config) -> Iterator[tuple[str, Wrong]]:
    if not _NAME.fullmatch(name):
        yield "title", Wrong(f"{quoted(name)} cannot be the name of an operator", "Use up to 32 letters and digits")
    if operator.smpp and operator.smtp_address:
        yield (
            "smtp_address",
            Wrong("an operator is reached in one way, and smpp is given too", "Make two operators of it, or leave one"),
        )
    elif operator.smpp:
        yield from _smpp(operator)
    elif operator.smtp_address:
        yield from _smtp(operator, config)
    else:
        yield (
            "smpp",
            Wrong(
                "nothing says how the operator is reached",
                'Give smpp = ["tls:HOST:PORT"], or smtp_address = "{number}@DOMAIN"',
            ),
        )


def _smpp(operator: Operator) -> Iterator[tuple[str, Wrong]]:
    if not operator.system_id:
        yield "system_id", Wrong("an SMSC wants to know who binds", "Give the name of the account at the operator")


def _smtp(operator: Operator, config: Config) -> Iterator[tuple[str, Wrong]]:
    if not operator.smtp_server and not config.relay.endpoint:
        yield "smtp_address", Wrong("no server takes these mails", "Give smtp_server, or a section [relay]")
    yield from _login("smtp_", operator.smtp_user, operator.smtp_password, operator.smtp_security)


def _login(prefix: str, user: str, password: str, security: Security) -> Iterator[tuple[str, Wrong]]:
    if bool(user) != bool(password):
        missing = "user" if password else "password"
        yield f"{prefix}{missing}", Wrong("user and password belong together", "Give both, or none")
    elif user and security is Security.NONE:
        yield f"{prefix}security", Wrong("the password would go over the network in the clear", "Use starttls or tls")


def _prefixes(config: Config) -> Iterator[Broken]:
    first: dict[str, str] = {}
    for name, operator in config.operators.items():
        for prefix in operator.prefixes:
            other = first.setdefault(prefix.lstrip("+"), name)
            if other != name:
                yield (
                    ("operators", name, "prefixes"),
                    Wrong(f"{quoted(prefix)} goes to the operator {quoted(other)} too", "Take it out of one"),
                )


def _doors(config: Config) -> Iterator[Broken]:
    taken = {domain.lower(): "smtp.domains" for domain in config.smtp.domains}
    for name, operator in config.operators.items():
        key = ("operators", name, "door_domains")
        for domain in operator.door_domains:
            other = taken.setdefault(domain.lower(), f"operators.{name}.door_domains")
            if other != f"operators.{name}.door_domains":
                yield key, Wrong(f"{quoted(domain)} is in {other} too", "Take it out of one")
        if operator.door_domains and not (operator.door_senders or operator.door_networks):
            yield key, Wrong("anybody could send SMS at your cost", "Give door_networks, door_senders or both")


def _relay(config: Config) -> Iterator[Broken]:
    relay = config.relay
    if not relay.endpoint and relay.user:
        yield ("relay", "endpoint"), Wrong("there is an account and no server", 'Write endpoint = "tcp:HOST:PORT"')
    for option, wrong in _login("", relay.user, relay.password, relay.security):
        yield ("relay", option), wrong
    if config.sms.allow_own_addresses and not relay.endpoint:
        yield (
            ("sms", "allow_own_addresses"),
            Wrong("mails to users' own addresses need a server that takes them", "Add a section [relay]"),
        )


def _sms(config: Config) -> Iterator[Broken]:
    sms = config.sms
    if sms.default_operator and sms.default_operator not in config.operators:
        near = get_close_matches(sms.default_operator, config.operators, 1)
        yield (
            ("sms", "default_operator"),
            Wrong(
                f"no operator is called {quoted(sms.default_operator)}",
                f"Did you mean {quoted(near[0])}?" if near else f"Add a section [operators.{sms.default_operator}]",
            ),
        )
    if len(sms.si_href) + len(sms.si_text) > _SI_OCTETS:
        yield (
            ("sms", "si_href"),
            Wrong(f"with si_text it is longer than one SMS has room for ({_SI_OCTETS} characters)", "Shorten them"),
        )
    if 0 < sms.lease_days <= sms.lease_warning_days:
        yield (
            ("sms", "lease_warning_days"),
            Wrong(f"registrations last {sms.lease_days} days", "Warn later than at once: give a smaller number"),
        )
