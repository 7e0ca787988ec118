"""Notify, and the GUID in answers to Sync: devices that are woken by SMS."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas import wbxml
from gateway.eas.call import Version
from gateway.eas.commands import COMMANDS
from gateway.eas.notify import Notify, NotifyTerms
from gateway.element import Element
from gateway.interfaces import BackendDown
from gateway.model import DeviceKey
from gateway.store import Store
from gateway.trigger import Line
from tests.eas.support import ANN, NOW, call_of, result_of, sent, text
from tests.eas.test_collection import air, sync
from tests.eas.test_sync import SyncCase
from tests.stores import new_store

EMPTY_ANSWER = bytes.fromhex("03016a000003 45 50 03 31 00 01 0e 01")
REQUEST = bytes.fromhex(
    "03016a000003 45 49 4a 03 31 00 01 4d 03 2b343931373031323334353637 00 01"
    "4f 03 4578616d706c654e6574 00 01 57 03 535031 00 01 01 01"
)
DAY = 86400
GUID = "35395ce4-1504-4ac4-9721-f152c646ea35"


def notify(**info: str) -> Element:
    names = {"enable": "Enable", "address": "DeviceAddress", "profile": "CarrierProfile", "name": "DeviceFriendlyName"}
    children = [Element(f"AirNotify:{names[name]}", value) for name, value in info.items()]
    return Element("AirNotify:Notify", Element("AirNotify:DeviceInfo", *children))


def enabled(address: str = "+491701234567", profile: str = "ExampleNet", **more: str) -> Element:
    return notify(enable="1", address=address, profile=profile, **more)


class NotifyCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = NOW
        self.store: Store = new_store(lambda: self.now)
        self.terms = NotifyTerms({"ExampleNet": "example", "Other Net": "other"}, lease=30 * DAY)
        self.told: list[tuple[str, DeviceKey]] = []
        self.command = Notify(
            self.store.triggers,
            self.terms,
            lambda: self.now,
            registered=lambda key: self.told.append(("registered", key)),
            dropped=lambda key: self.told.append(("dropped", key)),
        )

    def ask(self, body: Element | None, device: DeviceKey = ANN) -> Element:
        answer = result_of(self.command(call_of("Notify", body, Version.V2_5, device)))
        assert answer.element is not None
        self.assertEqual(answer.log["St"], int(answer.element.text_of("AirNotify:Status") or ""))
        return answer.element

    def status(self, body: Element | None) -> int:
        return int(self.ask(body).text_of("AirNotify:Status") or "")

    def lines(self) -> list[Line]:
        return list(result_of(self.store.triggers.lines(None)))


class NotifyTests(NotifyCase):
    def test_emptyAnswer(self) -> None:
        """Where there is no operator the answer is the one that other servers give, octet by octet."""
        self.terms.carriers = {}
        for body in (None, Element("AirNotify:Notify")):
            answer = result_of(self.command(call_of("Notify", body, Version.V2_5)))
            self.assertEqual(sent(answer).hex(), EMPTY_ANSWER.hex())

    def test_example(self) -> None:
        """The example of a request registers its number with the operator of that name."""
        self.assertEqual(
            text(self.ask(wbxml.decode(REQUEST))),
            "Notify(Status=1 ValidCarrierProfiles(CarrierProfile=ExampleNet CarrierProfile=Other Net) "
            "Responses(Devices(Device(Id=phone Expiry=2024-05-31T08:00:00.000Z DeviceFriendlyName=SP1))))",
        )
        self.assertEqual(
            self.lines(), [Line(ANN, "+491701234567", "example", "", "", "SP1", NOW, NOW + 30 * DAY, "device")]
        )
        self.assertEqual(self.told, [("registered", ANN)])
        self.assertEqual(wbxml.encode(enabled(name="SP1")), REQUEST)

    def test_onlyIn25(self) -> None:
        """The command is of version 2.5."""
        entry = COMMANDS["Notify"]
        self.assertEqual((entry.first, entry.last, entry.root), (Version.V2_5, Version.V2_5, "AirNotify:Notify"))

    def test_asksOnly(self) -> None:
        """A request without DeviceInfo is told what is registered, and changes nothing."""
        self.ask(enabled())
        self.now += DAY
        before = self.lines()
        answer = text(self.ask(Element("AirNotify:Notify")))
        self.assertIn("Device(Id=phone Expiry=2024-05-31T08:00:00.000Z)", answer)
        self.assertEqual((self.lines(), len(self.told)), (before, 1))
        other = text(self.ask(Element("AirNotify:Notify"), DeviceKey("ann", "tablet")))
        self.assertNotIn("Responses", other)

    def test_neverLapses(self) -> None:
        """Without a lease there is no Expiry."""
        self.terms.lease = 0
        self.assertNotIn("Expiry", text(self.ask(enabled())))
        self.assertEqual(self.lines()[0].expires, 0)

    def test_disabled(self) -> None:
        """Enable 0 ends the registration, and is well also where there is none."""
        self.ask(enabled())
        for _ in range(2):
            answer = self.ask(notify(enable="0"))
            self.assertEqual(answer.text_of("AirNotify:Status"), "1")
            self.assertIsNone(answer.child("AirNotify:Responses"))
        self.assertEqual(self.lines(), [])
        self.assertEqual(self.told, [("registered", ANN), ("dropped", ANN)])

    def test_again(self) -> None:
        """A registration that is repeated is renewed, and keeps its beginning and its format; another number is new."""
        self.ask(enabled())
        result_of(self.store.triggers.keep_line(evolve(self.lines()[0], format="si", by="root")))
        self.now += DAY
        self.ask(enabled())
        [line] = self.lines()
        self.assertEqual((line.since, line.expires, line.format, line.by), (NOW, NOW + 31 * DAY, "si", "device"))
        self.ask(enabled("+491709999999"))
        [line] = self.lines()
        self.assertEqual((line.number, line.since, line.format), ("+491709999999", NOW + DAY, "si"))

    def test_numbers(self) -> None:
        """Numbers are taken as people write them, with the code of the country: else Status 3, and nothing changes."""
        for written in ("+49 170 123-4567", "0049 (170) 1234567", " +491701234567 "):
            self.assertEqual(self.status(enabled(written)), 1, written)
            self.assertEqual(self.lines()[0].number, "+491701234567")
        before = self.lines()
        for written in ("", "01701234567", "+0170", "+49170x", "+" + "1" * 16, "x" * 10000, "+49170123456٣"):
            self.assertEqual(self.status(enabled(written)), 3, written)
        self.assertEqual(self.status(notify(enable="1", profile="ExampleNet")), 3)
        self.assertEqual(self.lines(), before)

    def test_profiles(self) -> None:
        """The operator is one of those offered, in any case of letters: else Status 4."""
        self.assertEqual(self.status(enabled(profile="other net")), 1)
        self.assertEqual(self.lines()[0].operator, "other")
        for profile in ("", "example", "Nobody"):
            self.assertEqual(self.status(enabled(profile=profile)), 4, profile)
        self.assertEqual(self.status(notify(enable="1", address="+491701234567")), 4)

    def test_ownAddresses(self) -> None:
        """A mail address of the user's own is taken where that is allowed, without an operator: else Status 5."""
        self.assertEqual(self.status(enabled("4917@sms.example.net")), 5)
        self.assertEqual(self.lines(), [])
        self.terms.own_addresses = True
        self.assertEqual(self.status(enabled("4917@sms.example.net")), 1)
        [line] = self.lines()
        self.assertEqual((line.number, line.operator, line.address), ("", "", "4917@sms.example.net"))
        for address in ("@", "a@", "@b", "a b@c", "a@b\r\nX: y", "a@b,c@d", f"a@{'b' * 63}.{'c' * 200}"):
            self.assertEqual(self.status(enabled(address)), 3, address)

    def test_malformed(self) -> None:
        """What is not understood: Status 2."""
        info = Element("AirNotify:DeviceInfo")
        for body in (
            Element("AirSync:Sync"),
            Element("AirNotify:Notify", info),
            Element("AirNotify:Notify", info, info),
            notify(enable="2"),
            notify(enable="", address="+491701234567", profile="ExampleNet"),
        ):
            self.assertEqual(self.status(body), 2, text(body))
        answer = result_of(self.command(call_of("Notify", None, Version.V2_5, raw=b"x")))
        self.assertEqual(answer.log["St"], 2)
        self.assertEqual((self.lines(), self.told), ([], []))

    def test_names(self) -> None:
        """Of the name that is shown only what can be printed is kept, 64 characters of it."""
        self.ask(enabled(name=" my\r\n\x1b[31m phone\u202e "))
        self.assertEqual(self.lines()[0].name, "my[31m phone")
        self.ask(enabled(name="x" * 1000))
        self.assertEqual(self.lines()[0].name, "x" * 64)

    def test_otherThings(self) -> None:
        """What else is in a request is passed over: LifeTime, folders, elements of unknown meaning."""
        body = enabled()
        folder = Element("AirNotify:Folder", Element("AirNotify:ServerId", "5"))
        body.children.append(Element("AirNotify:Notification", Element("AirNotify:LifeTime", "60"), folder))
        self.assertEqual(self.status(body), 1)
        self.assertEqual(self.lines()[0].expires, NOW + 30 * DAY)

    def test_guid(self) -> None:
        """Where GUIDs are told, a registered device gets its own."""
        self.command.guid_of = lambda key: succeed(f"guid of {key.device}")
        self.assertIn("NotifyGUID=guid of phone", text(self.ask(enabled())))
        self.assertNotIn("NotifyGUID", text(self.ask(notify(enable="0"))))

    def test_leaving(self) -> None:
        """What is under way is done even if the client leaves meanwhile."""
        waiting: Deferred[list[Line]] = Deferred()
        slow = _Slow(self.store.triggers, waiting)
        command = Notify(slow, self.terms, lambda: self.now)
        asking = Deferred.fromCoroutine(command(call_of("Notify", enabled(), Version.V2_5)))
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        waiting.callback([])
        self.assertEqual(len(self.lines()), 1)

    def test_backendDown(self) -> None:
        """When the store does not answer, that is for the dispatcher to say."""
        command = Notify(_Slow(self.store.triggers, fail(BackendDown("away"))), self.terms, lambda: self.now)
        self.assertRaises(BackendDown, result_of, command(call_of("Notify", enabled(), Version.V2_5)))


class _Slow:
    """Triggers whose lines come when the test says so."""

    def __init__(self, real: object, lines: Deferred[list[Line]]) -> None:
        self._real, self._lines = real, lines

    def lines(self, user: str | None) -> Deferred[list[Line]]:
        return self._lines

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


class SyncTests(SyncCase):
    def setUp(self) -> None:
        super().setUp()
        self.asked: list[DeviceKey] = []
        self.guid: str | None = GUID
        self.command.synced = self._tell
        self.command.tells_guid = True

    def _tell(self, device: DeviceKey) -> Deferred[str | None]:
        self.asked.append(device)
        return succeed(self.guid)

    def guids(self, answer: Element | None) -> list[str]:
        return [found.text for found in self.find(answer or air("x"), "AirSync:NotifyGUID")]

    def test_versions(self) -> None:
        """Versions up to 12.1 are told the GUID in each Collection; later ones are not."""
        for version in Version:
            self.asked.clear()
            answer = self.ask(sync(self.of(key="0"), self.of(folder=self.trash, key="0")), version)
            wanted = [GUID, GUID] if version <= Version.V12_1 else []
            self.assertEqual((self.guids(answer), len(self.asked)), (wanted, 1), version)
        self.assertEqual(self.sync(key="0", version=Version.V2_5).count("NotifyGUID"), 1)

    def test_nothingNew(self) -> None:
        """An answer of 12.1 that would be empty is not if there is a GUID to tell, and the client may go on."""
        self.primed(version=Version.V12_1)
        self.assertEqual(self.sync(version=Version.V12_1), f"key Status=1 NotifyGUID={GUID}")
        self.assertEqual(self.guids(self.ask(None, Version.V12_1)), [GUID])
        self.guid = None
        self.assertEqual(self.sync(version=Version.V12_1), "")

    def test_notTold(self) -> None:
        """Unless that is wanted, and for a device that is not registered, there is none; nor after a Sync that
        failed, which is no sign of a device that synchronised."""
        self.guid = None
        self.assertEqual(self.guids(self.ask(sync(self.of(key="0")), Version.V2_5)), [])
        self.guid = GUID
        self.asked.clear()
        self.assertEqual(self.guids(self.ask(sync(self.of(key="{0}99")), Version.V2_5)), [])
        self.assertEqual(self.asked, [])
        self.command.tells_guid = False
        self.assertEqual(self.guids(self.ask(sync(self.of(key="0")), Version.V2_5)), [])
        self.restart()
        self.assertEqual(self.guids(self.ask(sync(self.of(key="0")), Version.V2_5)), [])

    def test_backendDown(self) -> None:
        """A GUID that cannot be renewed spoils no Sync."""
        self.command.synced = lambda device: fail(BackendDown("away"))
        answer = self.ask(sync(self.of(key="0")), Version.V2_5)
        self.assertEqual((self.guids(answer), self.find(answer or air("x"), "AirSync:Status")[0].text), ([], "1"))
