"""What operators ask and order."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from gateway.admin.errors import Unknown
from gateway.admin.operations import Operations, autd_state
from gateway.core.policy import Policy
from gateway.core.switchboard import Switchboard
from gateway.model import Device, DeviceKey, Ending, Mode, WipeState
from tests.stores import new_store

PHONE = DeviceKey("ann", "phone1")
NOW = 1_700_000_000


class OperationsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = new_store()
        self.clock = Clock()
        self.board = Switchboard(self.clock)
        self.operations = Operations(self.store, Policy(Mode.OFF), lambda: NOW, self.board)
        device = Device(PHONE, "SP", "agent/1", "14.1", 1, 2, 3, 4, heartbeat=480, folders=((5, "Email"),))
        self.successResultOf(self.store.keep(device, True))
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def ask(self, asked):
        """The result of an operation."""
        return self.successResultOf(ensureDeferred(asked))

    def refused(self, asked) -> str:
        """The message of an operation that is refused."""
        return str(self.failureResultOf(ensureDeferred(asked), Unknown).value)

    def test_list(self) -> None:
        """A device is listed with its mode, heartbeat, folders and times; not parked without a Watch."""
        (row,) = self.ask(self.operations.list("ann"))
        self.assertEqual((row["user"], row["device"], row["mode"]), ("ann", "phone1", "off"))
        self.assertEqual((row["heartbeat"], row["folders"], row["last_ping"]), (480, [[5, "Email"]], 4))
        self.assertEqual((row["parked_seconds"], row["wipe"], row["provisioned"]), (None, None, False))
        self.assertEqual(self.ask(self.operations.list("bob")), [])

    def test_parked(self) -> None:
        """A parked device is listed with the seconds it has waited."""
        claim = self.board.claim(PHONE)
        done = claim.watch({5: 1}, 60)
        self.clock.advance(7)
        self.assertEqual(self.ask(self.operations.list(None))[0]["parked_seconds"], 7)
        claim.release()
        self.successResultOf(done)

    def test_autdState(self) -> None:
        """The AUTD state is printed as the XML document with interval and folders."""
        text = self.ask(self.operations.state("ANN", "PHONE1"))
        self.assertIn('<AutdState xmlns="Ping:">', text)
        self.assertIn("<HeartbeatInterval>480</HeartbeatInterval>", text)
        self.assertIn("<Folder><Id>5</Id><Class>Email</Class></Folder>", text)
        self.assertEqual(autd_state(Device(PHONE)).count("<Folder>"), 0)

    def test_recovery(self) -> None:
        """A recovery password is shown, and who asked is logged, not what was shown; one that there is not is said so."""
        self.assertIn("no recovery password", self.refused(self.operations.recovery("ann", "phone1", "root")))
        device = self.ask(self.operations.devices.device(PHONE))
        self.ask(self.operations.devices.keep(evolve(device, recovery="2468-1"), durable=True))
        self.assertEqual(self.ask(self.operations.recovery("ANN", "Phone1", "root")), "2468-1")
        self.assertEqual(self.events[-1]["by"], "root")
        self.assertNotIn("2468", "".join(map(str, self.events)))
        self.assertNotIn("2468", str(self.ask(self.operations.list("ann"))))

    def test_wipe(self) -> None:
        """A wipe is stored with who asked and when, logged, and ends the device's Watch, no other."""
        claim, other = self.board.claim(PHONE), self.board.claim(DeviceKey("ann", "tablet"))
        mine, others = claim.watch({5: 1}, 60), other.watch({5: 1}, 60)
        row = self.ask(self.operations.wipe("ann", "phone1", "root"))
        self.assertEqual((row["wipe"]["state"], row["wipe"]["by"]), ("requested", "root"))
        stored = self.successResultOf(self.store.device(PHONE))
        self.assertEqual((stored.wipe.state, stored.wipe.requested), (WipeState.REQUESTED, NOW))
        ended = self.successResultOf(mine)
        self.assertEqual((ended.ending, ended.why), (Ending.RECALLED, "wipe"))
        self.assertNoResult(others)
        self.assertTrue(any(event.get("by") == "root" for event in self.events))
        claim.release()
        other.release()
        self.successResultOf(others)

    def test_cancel(self) -> None:
        """A wipe can be taken back, once."""
        self.ask(self.operations.wipe("ann", "phone1", "root"))
        self.assertIsNone(self.ask(self.operations.cancel_wipe("ann", "phone1", "root"))["wipe"])
        self.assertIn("no wipe", self.refused(self.operations.cancel_wipe("ann", "phone1", "root")))

    def test_cancelClearsWhatIsDone(self) -> None:
        """A wipe that was acknowledged is cleared, so that the device may come back."""
        self.ask(self.operations.wipe("ann", "phone1", "root"))
        stored = self.successResultOf(self.store.device(PHONE))
        done = evolve(stored, wipe=evolve(stored.wipe, state=WipeState.DONE))
        self.successResultOf(self.store.keep(done, True))
        self.ask(self.operations.cancel_wipe("ann", "phone1", "root"))
        self.assertIsNone(self.successResultOf(self.store.device(PHONE)).wipe)

    def test_forget(self) -> None:
        """A forgotten device is gone, and its Watch ends."""
        claim = self.board.claim(PHONE)
        done = claim.watch({5: 1}, 60)
        self.ask(self.operations.forget("ann", "phone1", "root"))
        self.assertIsNone(self.successResultOf(self.store.device(PHONE)))
        self.assertIs(self.successResultOf(done).ending, Ending.RECALLED)
        claim.release()

    def test_unknown(self) -> None:
        """A device that is not there is named, with what lists the others."""
        for asked in (
            self.operations.wipe("ann", "nope", "root"),
            self.operations.forget("ann", "nope", "root"),
            self.operations.state("ann", "nope"),
        ):
            self.assertIn("pushgw devices ann", self.refused(asked))
