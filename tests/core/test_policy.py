"""Modes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.core.policy import Policy, Scope
from gateway.model import DeviceKey, Mode
from gateway.trigger import Override

ANN, TABLET = DeviceKey("ann", "phone1"), DeviceKey("ann", "tablet")
BOB = DeviceKey("bob", "phone1")


def override(user: str, device: str, mode: Mode) -> Override:
    """A mode that root has set."""
    return Override(user, device, mode, "root", 7)


class ModeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.policy = Policy(
            Mode.OFF,
            users={"ann": Mode.SMS},
            groups={"ann": ("field", Mode.AUTO), "bob": ("field", Mode.AUTO)},
            devices={TABLET: Mode.BOTH},
        )

    def test_scopes(self) -> None:
        """A device's own mode holds before its user's, that before the group's and that before the default."""
        for user, device, mode, scope in (
            ("ann", "tablet", Mode.BOTH, Scope.DEVICE),
            ("ann", "phone1", Mode.SMS, Scope.USER),
            ("bob", "tablet", Mode.AUTO, Scope.GROUP),
            ("dan", "tablet", Mode.OFF, Scope.DEFAULT),
            ("ann", "", Mode.SMS, Scope.USER),
        ):
            found = self.policy.source(user, device)
            self.assertEqual((found.mode, found.scope, found.override), (mode, scope, None))
            self.assertIs(self.policy.mode(user, device), mode)

    def test_overrides(self) -> None:
        """A command beats the configuration at the same scope, and not what is given for a device."""
        self.policy.load([override("ann", "", Mode.OFF), override("bob", "tablet", Mode.SMS)])
        modes = [self.policy.mode(*names) for names in (("ann", "phone1"), ("ann", "tablet"), ("bob", "tablet"))]
        self.assertEqual(modes, [Mode.OFF, Mode.BOTH, Mode.SMS])
        self.policy.override("ann", "tablet", override("ann", "tablet", Mode.DIRECT_PUSH))
        self.assertIs(self.policy.mode("ann", "tablet"), Mode.DIRECT_PUSH)
        self.policy.override("ann", "tablet", None)
        self.assertIs(self.policy.mode("ann", "tablet"), Mode.BOTH)

    def test_words(self) -> None:
        """Where a mode comes from is told in words."""
        self.policy.load([override("dan", "", Mode.OFF)])
        told = [
            str(self.policy.source(*names)) for names in (("ann", "tablet"), ("bob", "x"), ("dan", "x"), ("eve", ""))
        ]
        self.assertEqual(
            told,
            [
                "the configuration of the device",
                "the configuration of the group field",
                "set for the user by root",
                "policy.default_mode",
            ],
        )


class SwitchTests(SynchronousTestCase):
    def test_quietModes(self) -> None:
        """Pings of who is told by SMS or not at all are parked quietly."""
        quiet = {mode: Policy(mode).parks_quietly(ANN) for mode in Mode}
        self.assertEqual({mode for mode, is_quiet in quiet.items() if is_quiet}, {Mode.OFF, Mode.SMS})

    def test_directPushOff(self) -> None:
        """With Direct Push off for everybody all Pings are parked quietly, and what needs both is SMS alone."""
        for mode in Mode:
            self.assertTrue(Policy(mode, direct_push=False).parks_quietly(ANN))
        left = {mode: Policy(mode, direct_push=False).in_force(ANN) for mode in Mode}
        self.assertEqual({mode for mode in Mode if left[mode] is Mode.SMS}, {Mode.SMS, Mode.BOTH, Mode.AUTO})
        self.assertEqual({mode for mode in Mode if left[mode] is Mode.OFF}, {Mode.OFF, Mode.DIRECT_PUSH})

    def test_smsOff(self) -> None:
        """With SMS off for everybody, what needs both is Direct Push alone."""
        left = {mode: Policy(mode, sms=False).in_force(ANN) for mode in Mode}
        self.assertEqual({mode for mode in Mode if left[mode] is Mode.OFF}, {Mode.OFF, Mode.SMS})
        self.assertEqual({mode for mode in Mode if left[mode] is Mode.DIRECT_PUSH}, {*Mode} - {Mode.OFF, Mode.SMS})

    def test_bothOn(self) -> None:
        """With nothing switched off each mode is what it is, and with everything off none is left."""
        self.assertEqual([Policy(mode).in_force(ANN) for mode in Mode], [*Mode])
        self.assertEqual({Policy(mode, direct_push=False, sms=False).in_force(ANN) for mode in Mode}, {Mode.OFF})


class ReplaceTests(SynchronousTestCase):
    def moved(self, policy: Policy, new: Policy) -> list[DeviceKey]:
        """The devices that a new policy parks in another way."""
        moved = policy.replace(new)
        return [key for key in (ANN, TABLET, BOB) if moved(key)]

    def test_replace(self) -> None:
        """Replacing says whose parked Pings are concerned, and no others."""
        policy = Policy(Mode.DIRECT_PUSH, {"ann": Mode.OFF})
        self.assertEqual(self.moved(policy, Policy(Mode.OFF, {"ann": Mode.SMS})), [BOB])
        self.assertEqual(self.moved(policy, Policy(Mode.OFF, devices={TABLET: Mode.BOTH})), [TABLET])
        self.assertEqual(self.moved(policy, Policy(Mode.OFF, groups={"ann": ("a", Mode.AUTO)})), [ANN])
        self.assertEqual(self.moved(policy, Policy(Mode.OFF, groups={"ann": ("b", Mode.BOTH)})), [])
        self.assertEqual(self.moved(policy, Policy(Mode.AUTO, direct_push=False)), [ANN, TABLET])
        self.assertEqual(self.moved(policy, Policy(Mode.AUTO, sms=False)), [ANN, TABLET, BOB])
        self.assertIs(policy.in_force(ANN), Mode.DIRECT_PUSH)

    def test_overridesStay(self) -> None:
        """What commands have set stays over a new configuration."""
        policy = Policy()
        policy.load([override("ann", "", Mode.OFF)])
        self.assertEqual(self.moved(policy, Policy(Mode.SMS)), [BOB])
        self.assertIs(policy.mode("ann"), Mode.OFF)

    def test_override(self) -> None:
        """An override says whose parked Pings are concerned: those of the device, or of the user's other devices."""
        policy = Policy(devices={TABLET: Mode.BOTH})
        for device, mode, expected in (
            ("", Mode.SMS, [ANN]),
            ("", Mode.OFF, []),
            ("tablet", Mode.OFF, [TABLET]),
            ("", Mode.BOTH, [ANN]),
        ):
            moved = policy.override("ann", device, override("ann", device, mode))
            self.assertEqual([key for key in (ANN, TABLET, BOB) if moved(key)], expected)
        moved = policy.override("ann", "tablet", None)
        self.assertEqual([key for key in (ANN, TABLET, BOB) if moved(key)], [TABLET])
