"""Registrations by command."""

from __future__ import annotations

from twisted.internet.defer import ensureDeferred
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from gateway.admin.errors import Refused, Unknown
from gateway.admin.lines import Lines, LineTerms
from gateway.admin.operations import Operations
from gateway.core.policy import Policy
from gateway.model import Device, DeviceKey
from tests.admin.fixtures import Names
from tests.stores import new_store

PHONE = DeviceKey("ann", "phone1")
NOW = 1_700_000_000
NUMBER = "+491701234567"


def terms(own_addresses: bool = False, lease: int = 0) -> LineTerms:
    """Two operators, of which one takes German numbers."""
    return LineTerms({"one", "two"}, lambda number: "one" if number.startswith("+49") else "", own_addresses, lease)


class LinesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = new_store()
        self.told: list[tuple[str, DeviceKey]] = []
        self.lines = Lines(
            self.store.triggers,
            Names(["ann"]),
            terms(),
            lambda: NOW,
            lambda key: self.told.append(("registered", key)),
            lambda key: self.told.append(("dropped", key)),
        )
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def ask(self, asked):
        """The result of an operation."""
        return self.successResultOf(ensureDeferred(asked))

    def refused(self, **given: str) -> str:
        """Why a registration is refused."""
        asked = self.lines.register("ann", given.pop("device", "phone1"), "root", **given)
        return str(self.failureResultOf(ensureDeferred(asked), Refused).value)

    def test_register(self) -> None:
        """A device is registered with a number, as a lease, and the operator that takes the number is told."""
        self.lines.terms = terms(lease=86400)
        row = self.ask(self.lines.register("Ann", "PHONE1", "root", number="0049 170 1234567", name="Nokia"))
        self.assertEqual((row["user"], row["device"], row["number"]), ("ann", "phone1", NUMBER))
        self.assertEqual((row["operator"], row["since"], row["expires"]), ("one", NOW, NOW + 86400))
        (line,) = self.successResultOf(self.store.triggers.lines(None))
        self.assertEqual((line.key, line.number, line.operator, line.by), (PHONE, NUMBER, "", "root"))
        self.assertEqual(self.told, [("registered", PHONE)])
        self.assertEqual(self.ask(self.lines.list("ANN")), [row])
        self.assertEqual(self.ask(self.lines.list("bob")), [])

    def test_again(self) -> None:
        """A second registration of a device takes the place of the first."""
        self.ask(self.lines.register("ann", "phone1", "root", number=NUMBER))
        self.ask(self.lines.register("ann", "phone1", "root", number="+33612345678", operator="two", format="si"))
        (row,) = self.ask(self.lines.list(None))
        self.assertEqual((row["number"], row["operator"], row["format"]), ("+33612345678", "two", "si"))
        self.assertEqual(row["expires"], 0)

    def test_logged(self) -> None:
        """The log says who registered what, without the number."""
        self.ask(self.lines.register("ann", "phone1", "root", number=NUMBER))
        (event,) = [event for event in self.events if event.get("by") == "root"]
        self.assertEqual(event["to"], "+49...567")
        self.assertNotIn("1234567", str(event))

    def test_number(self) -> None:
        """A number needs the code of its country and somebody who takes it."""
        self.assertIn("+491701234567", self.refused(number="0170 1234567"))
        self.assertIn("no operator takes +33612345678", self.refused(number="+33612345678"))
        self.assertIn("did you mean 'two'?", self.refused(number=NUMBER, operator="tow"))
        self.assertIn("there are: one, two", self.refused(number=NUMBER, operator="zzz"))
        self.assertEqual(self.told, [])

    def test_words(self) -> None:
        """Format, name and device id are checked, and there is one way to reach a device."""
        self.assertIn("text, si, emn, binary", self.refused(number=NUMBER, format="mms"))
        self.assertIn("name", self.refused(number=NUMBER, name="x" * 65))
        self.assertIn("name", self.refused(number=NUMBER, name="a\nb"))
        self.assertIn("device id", self.refused(number=NUMBER, device="a b"))
        self.assertIn("give one of them", self.refused())
        self.assertIn("give one of them", self.refused(number=NUMBER, address="a@b"))

    def test_address(self) -> None:
        """An address of the user's own is taken where that is allowed, and goes to no operator."""
        self.assertIn("sms.allow_own_addresses", self.refused(address="ann@example.net"))
        self.lines.terms = terms(own_addresses=True)
        self.assertIn("no mail address", self.refused(address="ann"))
        self.assertIn("leave the operator out", self.refused(address="ann@example.net", operator="one"))
        row = self.ask(self.lines.register("ann", "phone1", "root", address="ann@example.net"))
        self.assertEqual((row["address"], row["number"], row["operator"]), ("ann@example.net", "", ""))

    def test_unknownUser(self) -> None:
        """A user without an account is named."""
        asked = self.lines.register("nobody", "phone1", "root", number=NUMBER)
        self.failureResultOf(ensureDeferred(asked), Unknown)

    def test_remove(self) -> None:
        """A registration is ended once."""
        self.ask(self.lines.register("ann", "phone1", "root", number=NUMBER))
        self.ask(self.lines.remove("ann", "PHONE1", "root"))
        self.assertEqual(self.ask(self.lines.list(None)), [])
        self.assertEqual(self.told, [("registered", PHONE), ("dropped", PHONE)])
        self.failureResultOf(ensureDeferred(self.lines.remove("ann", "phone1", "root")), Unknown)

    def test_devices(self) -> None:
        """A registered device is listed with its line, seen or not, and forgetting it ends the registration."""
        operations = Operations(self.store, Policy(), lambda: NOW, lines=self.lines)
        self.ask(self.lines.register("ann", "phone1", "root", number=NUMBER))
        (row,) = self.ask(operations.list(None))
        self.assertEqual((row["device"], row["line"]["number"]), ("phone1", NUMBER))
        self.successResultOf(self.store.keep(Device(PHONE), True))
        self.ask(operations.forget("ann", "phone1", "root"))
        self.assertEqual(self.ask(self.lines.list(None)), [])
        self.assertEqual(self.told[-1], ("dropped", PHONE))
