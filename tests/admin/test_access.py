"""Which devices may synchronise, by command."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from gateway.admin.access import Entry
from gateway.admin.errors import Refused, Unknown
from gateway.admin.operations import Operations
from gateway.core.admission import Admission, AdmissionTerms
from gateway.core.policy import Policy
from gateway.core.switchboard import Switchboard
from gateway.model import Access, Decision, Device, DeviceKey, Ending
from tests.admin.fixtures import Names
from tests.stores import new_store

PHONE = DeviceKey("ann", "phone1")
NOW = 1_700_000_000


class EntryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = new_store()
        self.board = Switchboard(Clock())
        self.admission = Admission(AdmissionTerms(Access.QUARANTINE))
        self.changes = 0
        self.entry = Entry(
            self.store.decisions,
            self.store,
            self.admission,
            Names(["ann", "bob"]),
            lambda: NOW,
            self.board,
            self.changed,
        )
        self.operations = Operations(self.store, Policy(), lambda: NOW, self.board, None, self.admission)
        self.successResultOf(self.store.keep(Device(PHONE, "SP", first_seen=5), True))
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def changed(self) -> None:
        self.changes += 1

    def ask(self, asked: Any) -> Any:
        """The result of an order."""
        return self.successResultOf(ensureDeferred(asked))

    def refused(self, kind: type[Exception], *words: str) -> str:
        """The message of a decision that is refused."""
        return str(self.failureResultOf(ensureDeferred(self.entry.decide(*words)), kind).value)

    def stored(self) -> list[Decision]:
        return self.successResultOf(self.store.decisions.decisions())

    def test_decided(self) -> None:
        """A decision is stored with who made it and when, in force at once, logged, and told."""
        row = self.ask(self.entry.decide("ANN", "Phone1", "allow", "root"))
        decision = Decision(PHONE, Access.ALLOW, "root", NOW)
        self.assertEqual(self.stored(), [decision])
        self.assertEqual(self.admission.decisions, {PHONE: decision})
        said = {"access": "allow", "access_from": "decided by root", "access_by": "root", "access_at": NOW}
        self.assertEqual(row, {"user": "ann", "device": "phone1", "known": True, **said})
        self.assertTrue(any(event.get("by") == "root" and event.get("wanted") == "allow" for event in self.events))
        self.assertEqual(self.changes, 1)

    def test_recalled(self) -> None:
        """The Watch of a device that may not come in any more ends at once, that of no other device does; to let it
        in ends none."""
        claim, other = self.board.claim(PHONE), self.board.claim(DeviceKey("ann", "phone2"))
        mine, others = claim.watch({5: 1}, 60), other.watch({5: 1}, 60)
        self.ask(self.entry.decide("ann", "phone1", "allow", "root"))
        self.assertNoResult(mine)
        self.ask(self.entry.decide("ann", "phone1", "block", "root"))
        ended = self.successResultOf(mine)
        self.assertEqual((ended.ending, ended.why), (Ending.RECALLED, "access"))
        self.assertNoResult(others)
        claim.release()
        other.release()
        self.successResultOf(others)

    def test_reset(self) -> None:
        """A decision that is taken back leaves what the rules say, which may end the Watch too."""
        self.ask(self.entry.decide("ann", "phone1", "allow", "root"))
        claim = self.board.claim(PHONE)
        done = claim.watch({5: 1}, 60)
        row = self.ask(self.entry.decide("ann", "phone1", "", "root"))
        self.assertEqual((row["access"], row["access_from"], row["access_by"]), ("quarantine", "devices.new", None))
        self.assertEqual(self.stored(), [])
        self.assertIs(self.successResultOf(done).ending, Ending.RECALLED)
        claim.release()
        self.successResultOf(self.store.keep(Device(PHONE, "SP", first_seen=5, admitted=True), True))
        self.ask(self.entry.decide("ann", "phone1", "block", "root"))
        self.assertEqual(self.ask(self.entry.decide("ann", "phone1", "", "root"))["access_from"], "let in before")

    def test_beforehand(self) -> None:
        """A device may be decided of before it comes; it is listed, and the decision can be taken back."""
        row = self.ask(self.entry.decide("bob", "ipad7", "allow", "root"))
        self.assertEqual((row["known"], row["access"]), (False, "allow"))
        for user, names in (("bob", ["ipad7"]), (None, ["phone1", "ipad7"]), ("ann", ["phone1"])):
            self.assertEqual([row["device"] for row in self.ask(self.operations.list(user))], names)
        self.ask(self.entry.decide("bob", "ipad7", "", "root"))
        self.assertEqual(self.ask(self.operations.list("bob")), [])

    def test_load(self) -> None:
        """What is stored holds after a restart."""
        self.ask(self.entry.decide("ann", "phone1", "block", "root"))
        self.admission.load([])
        self.ask(self.entry.load())
        self.assertTrue(self.admission.barred(PHONE))

    def test_refused(self) -> None:
        """Refused are an access that there is not, users that there are not, ids that no device can have, and to take
        back what was not decided."""
        self.assertIn("allow, quarantine, block", self.refused(Refused, "ann", "phone1", "maybe", "root"))
        self.assertIn("pushgw user list", self.refused(Unknown, "cem", "phone1", "allow", "root"))
        self.assertIn("32 letters", self.refused(Refused, "ann", "x" * 33, "allow", "root"))
        self.assertIn("32 letters", self.refused(Refused, "ann", "a/b", "block", "root"))
        self.assertIn("nothing was decided", self.refused(Unknown, "ann", "phone2", "", "root"))
        self.assertEqual((self.stored(), self.changes), ([], 0))

    def test_withoutAccount(self) -> None:
        """A device that is known can be decided of although its user has no account any more."""
        gone = DeviceKey("gone", "phone")
        self.successResultOf(self.store.keep(Device(gone), True))
        self.assertEqual(self.ask(self.entry.decide("gone", "phone", "block", "root"))["access"], "block")

    def test_listed(self) -> None:
        """The list tells of each device whether it may come in, who says so, and when it was seen first."""
        (row,) = self.ask(self.operations.list("ann"))
        self.assertEqual((row["access"], row["access_from"], row["first_seen"]), ("quarantine", "devices.new", 5))
        self.ask(self.entry.decide("ann", "phone1", "block", "root"))
        (row,) = self.ask(self.operations.list("ann"))
        self.assertEqual((row["access"], row["access_by"], row["access_at"]), ("block", "root", NOW))

    def test_forgotten(self) -> None:
        """A device that is forgotten stays blocked."""
        self.ask(self.entry.decide("ann", "phone1", "block", "root"))
        self.ask(self.operations.forget("ann", "phone1", "root"))
        self.assertTrue(self.admission.barred(PHONE))
        (row,) = self.ask(self.operations.list("ann"))
        self.assertEqual((row["access"], row["first_seen"]), ("block", 0))

    def test_told(self) -> None:
        """What the user was told of is no part of what decides."""
        self.successResultOf(self.store.keep(evolve(Device(PHONE, "SP"), told="block"), True))
        self.assertEqual(self.ask(self.operations.list("ann"))[0]["access"], "quarantine")
