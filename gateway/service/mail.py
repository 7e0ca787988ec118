"""The SMTP intake of a gateway."""

from __future__ import annotations

import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from gateway.config import Config, Operator
from gateway.core.bounces import Bounces
from gateway.cred.accounts import Accounts
from gateway.interfaces import IMailbox, ITriggers
from gateway.service.mailout import bounce_addresses
from gateway.sms.alphabet import septets
from gateway.sources.door import ANYTHING, GUID, DoorRule, TriggerDoor
from gateway.sources.doors import BounceDoor, IMailDoor
from gateway.sources.smtpin import Post, Recipients, SmtpLimits
from gateway.tls import ServerContext
from gateway.trigger import Line


def host_name(config: Config) -> str:
    """The name of this host."""
    return config.smtp.host_name or socket.getfqdn()


def smtp_limits(config: Config) -> SmtpLimits:
    """What a client that brings mail may do."""
    smtp = config.smtp
    return SmtpLimits(
        message=smtp.max_message_bytes,
        recipients=smtp.max_recipients,
        per_minute=smtp.messages_per_minute,
        connections=smtp.connections,
    )


def make_post(
    config: Config,
    accounts: Accounts,
    mailbox: IMailbox,
    reactor: Any,
    tls: ServerContext,
    doors: Sequence[IMailDoor] = (),
    delivered: Callable[[str, str, bytes], object] = lambda account, sender, content: None,
) -> Post:
    """What all SMTP sessions share: mail for the accounts goes to their Inbox, other mail to the doors.

    @param delivered: told of each mail that is in a mailbox.
    """
    return Post(
        Recipients(accounts, accounts.enabled, mail_domains(config)),
        mailbox,
        reactor,
        lambda: datetime.now().astimezone(),
        host_name(config),
        smtp_limits(config),
        tls,
        doors=doors,
        delivered=delivered,
    )


def apply_smtp(post: Post, config: Config) -> None:
    """Put changed settings in force, for open sessions too."""
    post.recipients.domains = mail_domains(config)
    post.limit(smtp_limits(config))
    for door in post.doors:
        if isinstance(door, TriggerDoor):
            door.replace(door_rules(config))
        elif isinstance(door, BounceDoor):
            door.addresses = bounce_addresses(config)


def mail_domains(config: Config) -> tuple[str, ...]:
    """The domains that are ours; in those of operators only the postmaster is no number."""
    doors = (domain for operator in config.operators.values() for domain in operator.door_domains)
    return (*config.smtp.domains, *doors)


def door_rules(config: Config) -> list[DoorRule]:
    """Who may send triggers here, for the numbers of which operator."""
    return [_door_rule(name, operator) for name, operator in config.operators.items() if operator.door_domains]


def _door_rule(name: str, operator: Operator) -> DoorRule:
    return DoorRule(
        name,
        operator.door_domains,
        operator.door_senders,
        operator.door_networks,
        operator.door_per_minute,
        re.compile(operator.door_number) if operator.door_number else ANYTHING,
        operator.door_country,
        re.compile(operator.door_guid) if operator.door_guid else GUID,
    )


def make_doors(
    config: Config,
    triggers: ITriggers,
    knock: Callable[[Line, str, bytes], Awaitable[object]],
    returned: Callable[[Bounces, str, bytes], Awaitable[None]],
    reactor: Any,
    now: Callable[[], int],
    lease: Callable[[], int],
    counted: Callable[[str, str], None],
) -> list[IMailDoor]:
    """What takes mail for addresses that are no mailboxes: triggers of older servers, and bounces.

    @param knock: is given the triggers. @param returned: is given the bounces.
    @param lease: seconds that a lease is renewed to, 0: for ever.
    @param counted: told of each trigger, with its operator and what was done with it.
    """
    return [
        TriggerDoor(door_rules(config), triggers, knock, septets, reactor, now, lease, counted),
        BounceDoor(bounce_addresses(config), returned),
    ]
