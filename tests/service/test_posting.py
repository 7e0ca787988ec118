"""Whose addresses are whose."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.config import Config, Relay, Smtp
from gateway.service.posting import OurAddresses, sending_limits
from gateway.sources.smtpin import Recipients
from tests.sources.test_smtpin import Names


class AddressTests(SynchronousTestCase):
    def setUp(self) -> None:
        names = Names(["ann", "bob@example.com"])
        self.config = Config()
        self.ours = OurAddresses(Recipients(names, names.enabled))
        self.apply("example.org", "example.net")

    def apply(self, *domains: str, **relay: Any) -> None:
        self.ours.apply(Config(smtp=Smtp(domains=domains), relay=Relay(**relay)))

    def test_account(self) -> None:
        """An account has its name at each domain, or its name where that is an address, and what follows a plus."""
        for address, account in (
            ("ann@example.org", "ann"),
            ("Ann@Example.NET", "ann"),
            ("ann+shop@example.org", "ann"),
            ("bob@example.com", "bob@example.com"),
            ("bob@example.org", None),
            ("ann@example.com", "ann"),
            ("zoe@example.org", None),
            *((bad, None) for bad in ("ann", "@example.org", "ann@", "", "ann@elsewhere.example")),
        ):
            self.assertEqual(self.ours.account(address), account, address)

    def test_ours(self) -> None:
        """Domains of ours are those configured, and those in names of accounts."""
        for address, ours in (
            ("x@example.org", True),
            ("x@EXAMPLE.COM", True),
            ("x@elsewhere.example", False),
            ("x", False),
        ):
            self.assertEqual(self.ours.ours(address), ours, address)

    def test_primary(self) -> None:
        """The address that stands for an account is its name, in the first domain if it has none."""
        self.assertEqual(
            [self.ours.primary(name) for name in ("ann", "bob@example.com")], ["ann@example.org", "bob@example.com"]
        )
        self.apply()
        self.assertEqual(self.ours.primary("ann"), "ann@localhost")

    def test_relay(self) -> None:
        """There is a relay if it has an endpoint; all mail goes there only if there is one."""
        for relay, expected in (
            ({}, (False, False)),
            ({"all_mail": True}, (False, False)),
            ({"endpoint": "tcp:a:25"}, (True, False)),
            ({"endpoint": "tcp:a:25", "all_mail": True}, (True, True)),
        ):
            self.apply("example.org", **relay)
            self.assertEqual((self.ours.relay, self.ours.all_by_relay), expected)

    def test_limits(self) -> None:
        """The limits are those of the configuration."""
        found, limits = sending_limits(self.config), self.config.limits
        self.assertEqual(
            (found.message, found.recipients, found.per_hour),
            (limits.sent_bytes, limits.sent_recipients, limits.sent_per_hour),
        )
