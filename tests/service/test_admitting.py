"""Who is told of devices that do not come in."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from gateway.config import Config, DeviceRule, Devices
from gateway.core.admission import Admission
from gateway.core.partnerships import Partnerships
from gateway.core.switchboard import Switchboard
from gateway.interfaces import BackendDown
from gateway.metrics import Metrics
from gateway.model import Access, Decision, Device, DeviceKey
from gateway.service.admitting import AGAIN, DAY, MOST, Doorkeeper, admission_terms, envelope
from gateway.testing import MemoryMailbox
from tests.stores import new_store, result_of

PHONE = DeviceKey("ann", "phone1")
NOW = 1_700_000_000


class TermsTests(SynchronousTestCase):
    def test_terms(self) -> None:
        """The configuration says what becomes of new devices, by which rules in which order, and how many there may
        be."""
        rules = {
            "b": DeviceRule(access=Access.BLOCK, types=("x",), agents=("y",)),
            "a": DeviceRule(access=Access.ALLOW, users=("u",), ids=("i",)),
        }
        terms = admission_terms(Config(devices=Devices(new=Access.QUARANTINE, per_user=7, forget_days=2, rules=rules)))
        self.assertEqual((terms.new, terms.most, terms.idle), (Access.QUARANTINE, 7, 2 * DAY))
        self.assertEqual([rule.name for rule in terms.rules], ["b", "a"])
        first, second = terms.rules
        self.assertEqual((first.access, first.types, first.agents), (Access.BLOCK, ("x",), ("y",)))
        self.assertEqual((second.access, second.users, second.ids), (Access.ALLOW, ("u",), ("i",)))

    def test_default(self) -> None:
        """With nothing configured everybody comes in, with up to 100 devices, as Exchange has it."""
        terms = admission_terms(Config())
        self.assertEqual((terms.new, terms.most, terms.rules), (Access.ALLOW, 100, ()))


class DoorkeeperTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store, self.mailbox, self.metrics, self.now = new_store(), MemoryMailbox(), Metrics(), NOW
        self.config = Config(devices=Devices(new=Access.QUARANTINE, per_user=1, forget_days=1))
        self.admission = Admission(admission_terms(self.config))
        self.partnerships = Partnerships(self.store)
        self.dropped: list[DeviceKey] = []
        self.keeper = Doorkeeper(
            self.admission,
            self.partnerships,
            self.mailbox,
            self.metrics,
            lambda: self.now,
            envelope(self.config),
            self.dropped.append,
        )
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def come(self, device: str = "phone1", user: str = "ann") -> Device:
        """A device makes a request."""
        met: Device = result_of(self.keeper.newcomers.met(DeviceKey(user, device), self.now, "SP", "a/1", "14.1"))
        return met

    def mails(self) -> list[bytes]:
        return [mail.raw for mail in self.mailbox.folder("ann", "").values()]

    def numbers(self) -> list[int]:
        """The events of the log."""
        return [event["event_id"] for event in self.events if "event_id" in event]

    def count(self, access: str) -> Any:
        return self.metrics.registry.get_sample_value("pushgw_devices_kept_out_total", {"access": access})

    def test_told(self) -> None:
        """The user of a device that waits gets one mail, whatever comes after; log and metrics tell of it once."""
        self.come()
        (mail,) = self.mails()
        self.assertIn(b"phone1", mail)
        for later in (1, AGAIN, 9 * DAY):
            self.now = NOW + later
            self.come()
        self.assertEqual((len(self.mails()), self.numbers(), self.count("quarantine")), (1, [3111], 1))

    def test_restarted(self) -> None:
        """A restart does not make a second mail of it."""
        self.come()
        self.partnerships = self.keeper.newcomers.partnerships = Partnerships(self.store)
        self.keeper._said.clear()
        self.come()
        self.assertEqual(len(self.mails()), 1)

    def test_blocked(self) -> None:
        """That it is blocked later is another mail; so is that it has to wait again after it was let in."""
        self.come()
        for access in (Access.BLOCK, Access.ALLOW, None):
            self.now += AGAIN
            self.admission.decide(PHONE, access and Decision(PHONE, access, "root", NOW))
            self.come()
        self.assertEqual(len(self.mails()), 3)
        self.assertIn(b"may not synchronise", self.mails()[1])

    def test_noMailbox(self) -> None:
        """A mail that cannot be delivered is tried again an hour later, not with every request."""
        self.mailbox.failure = BackendDown("the disk is not mounted")
        for _ in range(5):
            self.come()
        warned = [event for event in self.events if "why" in event and "not mounted" in str(event["why"])]
        self.assertEqual(len(warned), 1)
        self.mailbox.failure = None
        self.come()
        self.assertEqual(self.mails(), [])
        self.now += AGAIN
        self.come()
        self.assertEqual(len(self.mails()), 1)

    def test_forgottenMeanwhile(self) -> None:
        """A device that was forgotten while its user was told is not brought back by that."""
        device = self.come()
        result_of(self.partnerships.forget(PHONE))
        self.now += AGAIN
        result_of(self.keeper._tell(evolve(device, told=""), Access.BLOCK))
        self.assertIsNone(result_of(self.store.device(PHONE)))

    def test_full(self) -> None:
        """A device that finds no room is told of once in a while, without a mail."""
        self.config = Config(devices=Devices(per_user=1))
        self.keeper.apply(self.config, Switchboard(Clock()))
        self.come()
        for _ in range(3):
            with self.assertRaisesRegex(Exception, "1 devices"):
                self.come("phone2")
        self.assertEqual((self.numbers(), self.count("limit"), self.mails()), ([3112], 1, []))

    def test_recycled(self) -> None:
        """A device that makes room for another is logged, counted, and its triggers end."""
        self.come()
        self.now += 3 * DAY
        self.come("phone2")
        self.assertIn(3113, self.numbers())
        self.assertEqual(self.dropped, [PHONE])
        self.assertEqual(self.metrics.registry.get_sample_value("pushgw_devices_recycled_total"), 1)

    def test_bounded(self) -> None:
        """What is remembered of who was told is bounded."""
        for number in range(MOST + 5):
            self.keeper.full(DeviceKey("ann", f"d{number}"), 1)
        self.assertEqual(len(self.keeper._said), MOST)

    def test_reload(self) -> None:
        """Another configuration ends the parked requests of devices that may not come in by it, and of no others."""
        board = Switchboard(Clock())
        self.keeper.apply(Config(), board)
        for name in ("phone1", "other", "let-in"):
            self.come(name)
        self.admission.decide(DeviceKey("ann", "let-in"), Decision(DeviceKey("ann", "let-in"), Access.ALLOW, "root", 1))
        names = ("phone1", "other", "let-in", "unknown")
        claims = {name: board.claim(DeviceKey("ann", name)) for name in names}
        watches = {name: claim.watch({1: 1}, 60) for name, claim in claims.items()}
        self.keeper.apply(Config(devices=Devices(new=Access.BLOCK)), board)
        self.assertFalse(any(watch.called for watch in watches.values()))
        rules = {"x": DeviceRule(access=Access.BLOCK, ids=("phone*", "let*"))}
        self.keeper.apply(Config(devices=Devices(rules=rules)), board)
        self.assertEqual([name for name, watch in watches.items() if watch.called], ["phone1"])
        for claim in claims.values():
            claim.release()
