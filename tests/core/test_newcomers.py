"""Devices that come: who is new, whether there is room, whether they may stay."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from gateway.core.admission import Admission, AdmissionTerms, DeviceRule
from gateway.core.newcomers import Full, Newcomers
from gateway.core.partnerships import Partnerships
from gateway.interfaces import BackendDown
from gateway.model import Access, Decision, Device, DeviceKey, Wipe, WipeState
from tests.core.test_partnerships import SlowStore
from tests.stores import new_store

PHONE = DeviceKey("ann", "phone")
NOW = 1_700_000_000
DAY = 86400


class NewcomersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = new_store()
        self.told: list[Any] = []
        self.admission = Admission()
        self.newcomers = Newcomers(
            Partnerships(self.store),
            self.admission,
            lambda device, verdict: self.told.append((device.key.device, verdict.access)),
            lambda key, count: self.told.append((key.device, count)),
            lambda device: self.told.append(("recycled", device.key.device)),
        )

    def terms(self, new: Access = Access.ALLOW, *rules: DeviceRule, most: int = 0, idle: int = 0) -> None:
        """Have these terms be in force."""
        self.admission.terms = AdmissionTerms(new, rules, most, idle)

    def meeting(self, name: str = "phone", now: int = NOW, user: str = "ann", kind: str = "SP") -> Deferred[Device]:
        """A request of a device comes."""
        return ensureDeferred(self.newcomers.met(DeviceKey(user, name), now, kind, "agent/1", "14.1"))

    def met(self, name: str = "phone", now: int = NOW, user: str = "ann", kind: str = "SP") -> Device:
        """What is known of a device once its request was noted."""
        return self.successResultOf(self.meeting(name, now, user, kind))

    def names(self, user: str | None = "ann") -> list[str]:
        """The devices that the store knows."""
        return [device.key.device for device in self.successResultOf(self.store.devices(user))]

    def flushed(self, key: DeviceKey = PHONE) -> Device:
        """A device as the store has it, once all was written."""
        self.successResultOf(ensureDeferred(self.newcomers.partnerships.flush()))
        found = self.successResultOf(self.store.device(key))
        assert found is not None
        return found


class JudgedTests(NewcomersTests):
    def test_letIn(self) -> None:
        """A device that comes while new ones are let in is let in for good."""
        self.assertTrue(self.met().admitted)
        self.assertTrue(self.flushed().admitted)
        self.terms(Access.BLOCK)
        self.assertTrue(self.met().admitted)
        self.assertEqual(self.told, [])

    def test_keptOut(self) -> None:
        """A device that comes while new ones wait is kept out, and told of with every request until its user was."""
        self.terms(Access.QUARANTINE)
        self.assertFalse(self.met().admitted)
        self.met(now=NOW + 5)
        self.assertEqual(self.told, [("phone", Access.QUARANTINE)] * 2)
        told = evolve(self.flushed(), told="quarantine")
        self.successResultOf(self.newcomers.partnerships.keep(told, durable=True))
        self.met(now=NOW + 9)
        self.assertEqual(len(self.told), 2)
        self.assertEqual(self.names(), ["phone"])

    def test_otherwise(self) -> None:
        """That a device which waited is blocked now is told too; what was told of is forgotten once it may come in."""
        self.terms(Access.QUARANTINE)
        self.met()
        self.successResultOf(self.newcomers.partnerships.keep(evolve(self.flushed(), told="quarantine"), durable=True))
        self.admission.decide(PHONE, Decision(PHONE, Access.BLOCK, "root", NOW))
        self.met()
        self.assertEqual(self.told[-1], ("phone", Access.BLOCK))
        self.admission.decide(PHONE, Decision(PHONE, Access.ALLOW, "root", NOW))
        self.assertEqual(self.met().told, "")
        self.assertEqual(self.flushed().told, "")

    def test_openedUp(self) -> None:
        """Devices that waited come in for good once new ones are let in."""
        self.terms(Access.QUARANTINE)
        self.met()
        self.terms(Access.ALLOW)
        self.assertTrue(self.met().admitted)
        self.terms(Access.BLOCK)
        self.assertTrue(self.met().admitted)
        self.assertTrue(self.flushed().admitted)

    def test_byExceptionOnly(self) -> None:
        """What a rule or a command lets in is in as long as that holds, not for good."""
        self.terms(Access.BLOCK, DeviceRule("ours", Access.ALLOW, types=("SP",)))
        self.assertFalse(self.met().admitted)
        self.assertEqual(self.told, [])
        self.terms(Access.BLOCK)
        self.admission.decide(PHONE, Decision(PHONE, Access.ALLOW, "root", NOW))
        self.assertFalse(self.met().admitted)
        self.admission.decide(PHONE, None)
        self.met()
        self.assertEqual(self.told, [("phone", Access.BLOCK)])

    def test_whatItSays(self) -> None:
        """A device is judged by what it says of itself now, not by what it said first."""
        self.terms(Access.ALLOW, DeviceRule("old", Access.BLOCK, types=("Old*",)))
        self.met()
        self.met(kind="OldPhone")
        self.assertEqual(self.told, [("phone", Access.BLOCK)])

    def test_toBeWiped(self) -> None:
        """Of a device that is to be wiped its user is told nothing: that comes first."""
        self.met()
        wiped = evolve(self.flushed(), wipe=Wipe(WipeState.REQUESTED, "root", NOW))
        self.successResultOf(self.newcomers.partnerships.keep(wiped, durable=True))
        self.admission.decide(PHONE, Decision(PHONE, Access.BLOCK, "root", NOW))
        self.met()
        self.assertEqual(self.told, [])

    def test_withoutStore(self) -> None:
        """A device that is known and let in needs no database."""
        self.met()
        self.newcomers.partnerships.store = None  # type: ignore[assignment]
        self.assertEqual(self.met(now=NOW + 1).last_seen, NOW + 1)


class RoomTests(NewcomersTests):
    def test_full(self) -> None:
        """With as many devices as a user may have, one more finds no room, and nothing is kept of it; the others, and
        other users, come in."""
        self.terms(most=2)
        self.met("one")
        self.met("two")
        failure = self.failureResultOf(self.meeting("three"), Full)
        self.assertIn("2 devices", str(failure.value))
        self.assertEqual(self.names(), ["one", "two"])
        self.assertEqual(self.told, [("three", 2)])
        self.met("one", now=NOW + 1)
        self.met("three", user="bob")

    def test_anyNumber(self) -> None:
        """0 stands for any number."""
        for number in range(150):
            self.met(f"phone{number}")
        self.assertEqual(len(self.names()), 150)

    def test_recycled(self) -> None:
        """The device that did not come for the longest makes room, if that is longer than configured."""
        self.terms(most=3, idle=30 * DAY)
        for name, days in (("old", 31), ("older", 40), ("young", 29)):
            self.met(name, now=NOW - days * DAY)
        self.met("new")
        self.assertEqual(self.names(), ["new", "old", "young"])
        self.assertEqual(self.told, [("recycled", "older")])
        self.met("newer")
        self.assertEqual(self.names(), ["new", "newer", "young"])
        self.failureResultOf(self.meeting("newest"), Full)

    def test_never(self) -> None:
        """With 0 days none is ever forgotten."""
        self.terms(most=1)
        self.met("old", now=0)
        self.failureResultOf(self.meeting("new"), Full)
        self.assertEqual(self.names(), ["old"])

    def test_boundLowered(self) -> None:
        """With more devices than there may be now, either enough of them make room or none goes."""
        for number in range(4):
            self.met(f"phone{number}", now=NOW - number * DAY)
        self.terms(most=2, idle=2 * DAY - 1)
        self.failureResultOf(self.meeting("new"), Full)
        self.assertEqual(len(self.names()), 4)
        self.terms(most=3, idle=2 * DAY - 1)
        self.met("new")
        self.assertEqual(self.names(), ["new", "phone0", "phone1"])

    def test_toBeWiped(self) -> None:
        """A device that is to be wiped makes no room: it has to be known when it comes."""
        self.terms(most=1, idle=DAY)
        self.met("lost", now=NOW - 9 * DAY)
        lost = DeviceKey("ann", "lost")
        wiped = evolve(self.flushed(lost), wipe=Wipe(WipeState.REQUESTED, "root", NOW))
        self.successResultOf(self.newcomers.partnerships.keep(wiped, durable=True))
        self.failureResultOf(self.meeting("new"), Full)

    def test_lately(self) -> None:
        """What was only noted in memory counts: a device that has just come makes no room."""
        self.terms(most=1, idle=DAY)
        self.met("phone", now=NOW - 9 * DAY)
        self.met("phone", now=NOW)
        self.failureResultOf(self.meeting("new"), Full)

    def test_together(self) -> None:
        """Of two new devices that come at the same time only one finds the last place; a second request of the one
        that found it takes none."""
        slow = SlowStore(self.store)
        self.newcomers.partnerships.store = slow  # type: ignore[assignment]
        self.terms(most=1)
        comings = [self.meeting(name) for name in ("one", "two", "one")]
        while slow.waiting:
            slow.waiting.pop().callback(None)
        one, again = self.successResultOf(comings[0]), self.successResultOf(comings[2])
        self.assertEqual((one.key, again.key), (DeviceKey("ann", "one"),) * 2)
        self.failureResultOf(comings[1], Full)
        self.assertEqual(self.names(), ["one"])

    def test_down(self) -> None:
        """A store that fails lets nobody in who is new, and the next one is served when it is back."""

        class Down:
            def __getattr__(self, name: str) -> Any:
                def fail(*args: object) -> Deferred[None]:
                    raise BackendDown("on purpose")

                return fail

        partnerships = self.newcomers.partnerships
        there, partnerships.store = partnerships.store, Down()  # type: ignore[assignment]
        self.terms(most=1)
        self.failureResultOf(self.meeting(), BackendDown)
        partnerships.store = there
        self.met()

    def test_leaving(self) -> None:
        """A request whose client leaves while it waits for its turn holds up nobody."""
        slow = SlowStore(self.store)
        self.newcomers.partnerships.store = slow  # type: ignore[assignment]
        self.terms(most=5)
        first, second, third = (self.meeting(name) for name in ("one", "two", "three"))
        for _ in range(3):
            slow.waiting.pop(0).callback(None)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        while slow.waiting:
            slow.waiting.pop(0).callback(None)
        self.successResultOf(first)
        self.successResultOf(third)
        self.assertEqual(self.names(), ["one", "three"])
