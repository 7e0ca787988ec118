"""The SMTP intake of a gateway."""

from __future__ import annotations

import socket
from datetime import datetime
from typing import Any

from gateway.config import Config
from gateway.cred.accounts import Accounts
from gateway.interfaces import IMailbox
from gateway.sources.smtpin import Post, Recipients, SmtpLimits
from gateway.tls import ServerContext


def smtp_limits(config: Config) -> SmtpLimits:
    """What a client that brings mail may do."""
    smtp = config.smtp
    return SmtpLimits(
        message=smtp.max_message_bytes,
        recipients=smtp.max_recipients,
        per_minute=smtp.messages_per_minute,
        connections=smtp.connections,
    )


def make_post(config: Config, accounts: Accounts, mailbox: IMailbox, reactor: Any, tls: ServerContext) -> Post:
    """What all SMTP sessions share: mail for the accounts goes to their Inbox."""
    return Post(
        Recipients(accounts, accounts.enabled, config.smtp.domains),
        mailbox,
        reactor,
        lambda: datetime.now().astimezone(),
        config.smtp.host_name or socket.getfqdn(),
        smtp_limits(config),
        tls,
    )


def apply_smtp(post: Post, config: Config) -> None:
    """Put changed settings in force, for open sessions too."""
    post.recipients.domains = config.smtp.domains
    post.limit(smtp_limits(config))
