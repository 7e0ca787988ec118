"""Modes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.core.policy import Policy
from gateway.model import Mode


class PolicyTests(SynchronousTestCase):
    def test_modeOfAUser(self) -> None:
        """A user's own mode holds before the default."""
        policy = Policy(Mode.OFF, {"ann": Mode.DIRECT_PUSH})
        self.assertEqual((policy.parks_quietly("ann"), policy.parks_quietly("bob")), (False, True))

    def test_globalSwitch(self) -> None:
        """With Direct Push off for everybody all Pings are parked quietly."""
        self.assertTrue(Policy(Mode.DIRECT_PUSH, {}, direct_push=False).parks_quietly("ann"))

    def test_replace(self) -> None:
        """Replacing says whose parked devices are concerned; the empty name is everybody else."""
        policy = Policy(Mode.DIRECT_PUSH, {"ann": Mode.OFF})
        self.assertEqual(policy.replace(Mode.OFF, {"bob": Mode.DIRECT_PUSH}, True), {""})
        self.assertEqual(policy.replace(Mode.OFF, {}, True), {"bob"})
        self.assertEqual(policy.replace(Mode.OFF, {}, True), set())
