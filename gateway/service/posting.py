"""Mail that users send: whose addresses are whose, and the commands that take it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from attrs import define

from gateway.config import Config
from gateway.cred.accounts import Accounts
from gateway.eas.moving import Moving
from gateway.eas.sending import Sending, SendingLimits
from gateway.interfaces import IMailbox, IPostings
from gateway.mail.local import LocalPost
from gateway.service.mail import host_name, mail_domains
from gateway.sources.smtpin import Recipients
from gateway.sources.smtpto import NotHere


@define(eq=False)
class OurAddresses:
    """Whose addresses are whose, as L{gateway.eas.sending.Addresses}; C{domain} is that of accounts without one."""

    recipients: Recipients
    relay: bool = False
    all_by_relay: bool = False
    domain: str = "localhost"

    def account(self, address: str) -> str | None:
        """The account of an address, C{None} if it has none."""
        local, _, domain = address.rpartition("@")
        if not local or not domain:
            return None
        try:
            return self.recipients.account(local, domain, "")
        except NotHere:
            return None

    def ours(self, address: str) -> bool:
        """Whether an address is in a domain of ours."""
        domain = address.rpartition("@")[2].lower()
        return domain in self.recipients.domains or any(
            name.endswith(f"@{domain}") for name in self.recipients.accounts.names()
        )

    def primary(self, user: str) -> str:
        """The name of the account, in the first of our domains if it is in none."""
        return user if "@" in user else f"{user}@{self.domain}"

    def apply(self, config: Config) -> None:
        """Put settings in force."""
        self.recipients.domains = tuple(domain.lower() for domain in mail_domains(config))
        self.relay = bool(config.relay.endpoint)
        self.all_by_relay = self.relay and config.relay.all_mail
        self.domain = next(iter(config.smtp.domains), "localhost")


def our_addresses(config: Config, accounts: Accounts) -> OurAddresses:
    """Whose addresses are whose, by accounts and configuration."""
    found = OurAddresses(Recipients(accounts, accounts.enabled))
    found.apply(config)
    return found


def make_local(config: Config, mailbox: IMailbox, addresses: OurAddresses) -> LocalPost:
    """What puts mail into our own mailboxes."""
    return LocalPost(mailbox, addresses.account, host_name(config), _now)


def make_sending(
    config: Config,
    moving: Moving,
    postings: IPostings,
    addresses: OurAddresses,
    run: Any,
    kick: Callable[[str], None],
) -> Sending:
    """SendMail, SmartReply and SmartForward."""
    return Sending(moving, postings, addresses, _now, run, kick, sending_limits(config))


def sending_limits(config: Config) -> SendingLimits:
    """What may be sent."""
    limits = config.limits
    return SendingLimits(limits.sent_bytes, limits.sent_recipients, limits.sent_per_hour)


def _now() -> datetime:
    return datetime.now().astimezone()
