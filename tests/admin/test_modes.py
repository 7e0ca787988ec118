"""Modes by command."""

from __future__ import annotations

from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from gateway.admin.errors import Refused, Unknown
from gateway.admin.modes import Modes
from gateway.core.policy import Policy
from gateway.core.switchboard import Switchboard
from gateway.model import Device, DeviceKey, Ending, Mode
from gateway.trigger import Line
from tests.admin.fixtures import Names
from tests.stores import new_store

PHONE, TABLET = DeviceKey("ann", "phone1"), DeviceKey("ann", "tablet")
NOW = 1_700_000_000


class ModesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = new_store()
        self.board = Switchboard(Clock())
        self.policy = Policy()
        self.changes: list[None] = []
        self.modes = self.made(self.policy)
        for key in (PHONE, TABLET):
            self.successResultOf(self.store.keep(Device(key), True))
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def made(self, policy: Policy) -> Modes:
        return Modes(
            self.store.overrides,
            self.store.triggers,
            self.store,
            policy,
            Names(["ann", "bob"]),
            lambda: NOW,
            self.board,
            sends_sms=True,
            changed=lambda: self.changes.append(None),
        )

    def ask(self, asked):
        """The result of an operation."""
        return self.successResultOf(ensureDeferred(asked))

    def test_show(self) -> None:
        """The mode of a user is told with those of its devices, and where each comes from."""
        self.policy.replace(Policy(devices={TABLET: Mode.OFF}))
        row = self.ask(self.modes.show("ANN"))
        self.assertEqual((row["user"], row["mode"], row["from"]), ("ann", "direct-push", "policy.default_mode"))
        told = [(each["device"], each["mode"], each["scope"]) for each in row["devices"]]
        self.assertEqual(told, [("phone1", "direct-push", "default"), ("tablet", "off", "device")])
        self.assertEqual(self.ask(self.modes.show("ann", "TABLET"))["mode"], "off")

    def test_set(self) -> None:
        """A mode that is set holds at once, is stored with who and when, and is logged."""
        row = self.ask(self.modes.set("Ann", "", "sms", "root"))
        self.assertEqual((row["mode"], row["by"], row["at"], row["scope"]), ("sms", "root", NOW, "user"))
        self.assertIs(self.policy.mode("ann", "phone1"), Mode.SMS)
        again = Policy()
        self.ask(self.made(again).load())
        self.assertEqual(again.source("ann").override.by, "root")
        self.assertTrue(any(event.get("by") == "root" and event.get("wanted") == "sms" for event in self.events))
        self.assertEqual(self.changes, [None])

    def test_default(self) -> None:
        """What was set is taken back, for the next start too."""
        self.ask(self.modes.set("ann", "phone1", "off", "root"))
        row = self.ask(self.modes.set("ann", "phone1", "", "root"))
        self.assertEqual((row["mode"], row["by"]), ("direct-push", None))
        again = Policy()
        self.ask(self.made(again).load())
        self.assertIs(again.mode("ann", "phone1"), Mode.DIRECT_PUSH)

    def test_parked(self) -> None:
        """Pings end of the devices that are parked in another way from now on, and of no others."""
        claims = {key: self.board.claim(key) for key in (PHONE, TABLET, DeviceKey("bob", "phone1"))}
        waiting = {key: claim.watch({5: 1}, 60) for key, claim in claims.items()}
        self.ask(self.modes.set("ann", "tablet", "both", "root"))
        self.ask(self.modes.set("ann", "", "sms", "root"))
        ended = self.successResultOf(waiting[PHONE])
        self.assertEqual((ended.ending, ended.why), (Ending.RECALLED, "mode"))
        self.assertNoResult(waiting[TABLET])
        for claim in claims.values():
            claim.release()
        for key in (TABLET, DeviceKey("bob", "phone1")):
            self.successResultOf(waiting[key])

    def test_registered(self) -> None:
        """A device that was registered and never seen has a mode too."""
        self.successResultOf(self.store.triggers.keep_line(Line(DeviceKey("bob", "new"), "+491701234567")))
        self.assertEqual(self.ask(self.modes.set("bob", "new", "sms", "root"))["mode"], "sms")
        self.assertEqual([each["device"] for each in self.ask(self.modes.show("bob"))["devices"]], ["new"])

    def test_switchedOff(self) -> None:
        """What is in force is told where a mechanism is switched off for everybody."""
        self.policy.replace(Policy(Mode.BOTH, sms=False))
        row = self.ask(self.modes.show("ann", "phone1"))
        self.assertEqual((row["mode"], row["in_force"]), ("both", "direct-push"))

    def test_unknown(self) -> None:
        """A user or device that is not there is named; a user without an account may have devices."""
        for asked in (self.modes.set("nobody", "", "off", "root"), self.modes.show("ann", "nope")):
            self.failureResultOf(ensureDeferred(asked), Unknown)
        self.successResultOf(self.store.keep(Device(DeviceKey("gone", "phone1")), True))
        self.assertEqual(self.ask(self.modes.set("gone", "", "off", "root"))["mode"], "off")

    def test_refused(self) -> None:
        """A mode that is none is refused, and one that needs SMS where nobody takes it."""
        failure = self.failureResultOf(ensureDeferred(self.modes.set("ann", "", "loud", "root")), Refused)
        self.assertIn("off, direct-push, sms, both, auto", str(failure.value))
        self.modes.sends_sms = False
        for mode in ("sms", "both", "auto"):
            failure = self.failureResultOf(ensureDeferred(self.modes.set("ann", "", mode, "root")), Refused)
            self.assertIn("[operators.NAME]", str(failure.value))
        self.assertEqual(self.ask(self.modes.set("ann", "", "direct-push", "root"))["mode"], "direct-push")
        self.assertEqual(len(self.changes), 1)
