"""From the configuration to what the rooms work with: modes and wake rules."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from twisted.trial.unittest import SynchronousTestCase

from gateway.config import Config, DirectPush, Group, ItemClass, ModePolicy, Sms, User, UserDevice
from gateway.core.wakerules import Hours
from gateway.model import DeviceKey, Folder, FolderType, Mode
from gateway.service.settings import modes, wake_rules

NIGHT, NOON = Hours(1320, 420), Hours(720, 780)
INBOX = Folder(1, "ann", "", "Inbox", FolderType.INBOX)
JUNK = Folder(2, "ann", ".Junk", "Junk E-mail", FolderType.USER_MAIL)
CALENDAR = Folder(3, "ann", ".cal", "Calendar", FolderType.CALENDAR)


class ModeTests(SynchronousTestCase):
    def test_scopes(self) -> None:
        """Modes come from device, user, group and default; names are taken in lower case."""
        config = Config(
            policy=ModePolicy(default_mode=Mode.OFF),
            groups={"field": Group(members=("Ann", "bob"), mode=Mode.AUTO), "other": Group(members=("dan",))},
            users={"Bob": User(mode=Mode.SMS, devices={"ABC1": UserDevice(mode=Mode.BOTH), "x": UserDevice()})},
        )
        policy = modes(config)
        for user, device, mode in (
            ("ann", "x", Mode.AUTO),
            ("bob", "x", Mode.SMS),
            ("bob", "abc1", Mode.BOTH),
            ("dan", "x", Mode.OFF),
            ("eve", "x", Mode.OFF),
        ):
            self.assertIs(policy.mode(user, device), mode, f"{user} {device}")
        self.assertEqual(policy.source("ann").group, "field")

    def test_switches(self) -> None:
        """Each mechanism has a switch for everybody."""
        phone = DeviceKey("ann", "x")
        both = ModePolicy(default_mode=Mode.BOTH)
        self.assertIs(modes(Config(policy=both, sms=Sms(enabled=False))).in_force(phone), Mode.DIRECT_PUSH)
        self.assertIs(modes(Config(policy=both, direct_push=DirectPush(enabled=False))).in_force(phone), Mode.SMS)


class WakeRuleTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """Without a line the inbox and the calendar wake a device at any hour, and junk does not."""
        rule = wake_rules(Config()).of("ann")
        self.assertEqual([rule.folders.may_wake(each) for each in (INBOX, JUNK, CALENDAR)], [True, False, True])
        self.assertEqual((rule.quiet, rule.zone), ((), None))

    def test_inherited(self) -> None:
        """Each option comes from the user, else from the group, else from the policy."""
        config = Config(
            policy=ModePolicy(quiet_hours=(NIGHT,), time_zone="Europe/Berlin", wake_classes=(ItemClass.EMAIL,)),
            groups={"field": Group(members=("ann", "Bob"), quiet_hours=(NOON,), never_folders=())},
            users={"Ann": User(time_zone="Asia/Tokyo", quiet_hours=()), "dan": User(wake_folders=("Alarms",))},
        )
        rules = wake_rules(config)
        ann, bob, dan, eve = (rules.of(name) for name in ("ann", "bob", "dan", "eve"))
        self.assertEqual([rule.quiet for rule in (ann, bob, dan, eve)], [(), (NOON,), (NIGHT,), (NIGHT,)])
        zones = [ZoneInfo(name) for name in ("Asia/Tokyo", "Europe/Berlin", "Europe/Berlin")]
        self.assertEqual([rule.zone for rule in (ann, bob, eve)], zones)
        self.assertEqual([rule.folders.may_wake(JUNK) for rule in (ann, bob, dan, eve)], [True, True, False, False])
        self.assertEqual([rule.folders.may_wake(INBOX) for rule in (ann, dan, eve)], [True, False, True])
        self.assertFalse(any(rule.folders.may_wake(CALENDAR) for rule in (ann, bob, dan, eve)))

    def test_shared(self) -> None:
        """The members of a group share one rule."""
        rules = wake_rules(Config(groups={"field": Group(members=("ann", "bob"))}))
        self.assertIs(rules.of("ann"), rules.of("bob"))
