"""What holds for the triggers of a device."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.config import Auto, Config, ModePolicy, Operator, Relay, Sms, User
from gateway.core.policy import Policy
from gateway.core.wakerules import Hours
from gateway.model import DeviceKey, Folder, FolderType, Mode
from gateway.service.waking import Terms, trigger_route
from gateway.trigger import Limits, Line

BERLIN = ZoneInfo("Europe/Berlin")
NOW = int(datetime(2024, 5, 1, 23, 0, tzinfo=BERLIN).timestamp())
HOUR = 3600
LINE = Line(DeviceKey("ann", "phone1"), "+491701234567")
SMSC = Operator(smpp=("tcp:localhost:2775",), system_id="a", price=0.07, per_day=1000)
MAIL = Operator(smtp_address="{number}@sms.example.net", prefixes=("+4917",), price=0.5)


class RouteTests(SynchronousTestCase):
    def test_operator(self) -> None:
        """A line goes to the operator that it names, or to the one that its number belongs to."""
        config = Config(operators={"one": SMSC, "two": MAIL}, sms=Sms(default_operator="one"))
        for line, route in (
            (LINE, "smtp:two"),
            (evolve(LINE, operator="one"), "smpp:one"),
            (evolve(LINE, number="+33123456"), "smpp:one"),
            (evolve(LINE, operator="gone"), ""),
        ):
            self.assertEqual(trigger_route(config, line), route)
        self.assertEqual(trigger_route(Config(), LINE), "")

    def test_ownAddress(self) -> None:
        """A line with an address goes to the relay as long as that is allowed, and nowhere else."""
        line = evolve(LINE, address="ann@example.net", operator="one")
        relay, allowed = Relay(endpoint="tcp:localhost:25"), Sms(allow_own_addresses=True)
        self.assertEqual(trigger_route(Config(relay=relay, sms=allowed), line), "relay")
        for config in (Config(relay=relay), Config(sms=allowed), Config(operators={"one": SMSC})):
            self.assertEqual(trigger_route(config, line), "")


class RuleTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = NOW
        self.config = Config(
            policy=ModePolicy(default_mode=Mode.BOTH, quiet_hours=(Hours(1320, 420),), time_zone="Europe/Berlin"),
            users={"bob": User(quiet_hours=(), time_zone="Asia/Tokyo")},
            operators={"one": SMSC},
            sms=Sms(
                batch_seconds=60,
                repeats=2,
                adds_only=False,
                settle_seconds=5,
                per_device_day=1,
                per_user_day=2,
                per_day=3,
                budget_day=4.5,
                lease_days=2,
            ),
            auto=Auto(absent_seconds=7, young_parks=8),
        )
        self.terms = Terms(self.config, Policy(Mode.BOTH), lambda: self.now)

    def test_rule(self) -> None:
        """A rule has the mode in force, the times, the price and the limits."""
        rule = self.terms.rule(LINE)
        self.assertIs(rule.mode, Mode.BOTH)
        self.assertEqual((rule.batch, rule.repeats, rule.adds_only, rule.settle), (60, 2, False, 5))
        self.assertEqual((rule.absent, rule.young, rule.price), (7, 8, 0.07))
        self.assertEqual(rule.limits, Limits(device=1, user=2, operator=1000, total=3, budget=4.5))
        self.assertEqual(self.terms.settings().lease, 2 * 86400)

    def test_switch(self) -> None:
        """With SMS off for everybody the mode says so."""
        self.terms.policy.replace(Policy(Mode.BOTH, sms=False))
        self.assertIs(self.terms.rule(LINE).mode, Mode.DIRECT_PUSH)

    def test_quiet(self) -> None:
        """Quiet hours are those of the user."""
        self.assertEqual(self.terms.rule(LINE).quiet_until, NOW + 8 * HOUR)
        self.assertEqual(self.terms.rule(Line(DeviceKey("bob", "x"))).quiet_until, 0)

    def test_day(self) -> None:
        """The day of the limits is that of the gateway, whosever line it is, and moves on at midnight."""
        for user in ("ann", "bob"):
            rule = self.terms.rule(Line(DeviceKey(user, "x")))
            self.assertEqual((rule.day, rule.tomorrow), (NOW - 23 * HOUR, NOW + HOUR))
        self.now += HOUR
        self.assertEqual(self.terms.rule(LINE).day, NOW + HOUR)

    def test_nobodyTakesIt(self) -> None:
        """A line that nobody takes costs nothing."""
        rule = self.terms.rule(evolve(LINE, operator="gone"))
        self.assertEqual((rule.price, rule.limits.operator), (0.0, 0))

    def test_folders(self) -> None:
        """Folders wake by the rule of the user."""
        junk = Folder(1, "ann", ".Junk", "Junk E-mail", FolderType.USER_MAIL)
        self.assertFalse(self.terms.settings().may_wake("ann", junk))
        self.assertTrue(
            self.terms.settings().may_wake("ann", evolve(junk, path="", type=FolderType.INBOX, name="Inbox"))
        )
