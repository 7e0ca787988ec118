"""The Settings command ([MS-ASCMD] 2.2.1.18)."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from gateway.absence import Absence, Audience, Away, Reply
from gateway.core.partnerships import Partnerships
from gateway.eas.call import Version
from gateway.eas.gate import Rules
from gateway.eas.policydoc import Policy
from gateway.eas.settings import Settings
from gateway.element import Element
from gateway.interfaces import BackendDown
from gateway.model import Device
from tests.eas.support import ANN, NOW, VECTORS, call_of, decoded, refused, sent, text
from tests.stores import new_store, result_of

START, END = "2024-05-01T08:00:00.000Z", "2024-05-02T08:00:00.000Z"


def settings(*properties: Element) -> Element:
    """The body of a Settings."""
    return Element("Settings:Settings", *properties)


def one(name: str, verb: str, *content: Element) -> Element:
    """A Settings with one property."""
    return settings(Element(f"Settings:{name}", Element(f"Settings:{verb}", *content)))


def field(name: str, value: str | None = None) -> Element:
    """An element of Settings."""
    return Element(f"Settings:{name}", value)


def message(audience: str, enabled: str | None = "1", said: str | None = None, form: str | None = None) -> Element:
    """An OofMessage."""
    parts = [field(f"AppliesTo{audience}")]
    given = (("Enabled", enabled), ("ReplyMessage", said), ("BodyType", form))
    return Element("Settings:OofMessage", *parts, *(field(name, value) for name, value in given if value is not None))


def oof(*content: Element) -> Element:
    """A Settings that sets Oof."""
    return one("Oof", "Set", *content)


class SettingsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = new_store(lambda: NOW)
        self.partnerships = Partnerships(self.store)
        self.rules = Rules()
        self.addresses = ["ann@example.org", "ann@example.net"]
        self.settings = Settings(
            self.partnerships, self.store.absences, lambda user: self.addresses, self.rules, lambda: NOW
        )

    def ask(self, body: Element, version: Version = Version.V14_1) -> Element:
        element = result_of(self.settings(call_of("Settings", body, version))).element
        assert isinstance(element, Element)
        return element

    def says(self, body: Element, version: Version = Version.V14_1) -> str:
        """The answer in short."""
        return text(self.ask(body, version))

    def device(self) -> Device:
        device = result_of(self.store.device(ANN))
        assert isinstance(device, Device)
        return device

    def absence(self) -> Absence:
        found = result_of(self.store.absences.absence("ann"))
        assert isinstance(found, Absence)
        return found


class FrameTests(SettingsCase):
    """The command as a whole."""

    def test_order(self) -> None:
        """Properties are carried out and answered in the order in which they were asked."""
        get = Element("Settings:Get", field("BodyType", "Text"))
        user = Element("Settings:UserInformation", Element("Settings:Get"))
        off = Element("Settings:DeviceInformation", Element("Settings:Set", field("Model", "X")))
        for body in ([Element("Settings:Oof", get), user, off], [off, user, Element("Settings:Oof", get)]):
            answer = self.ask(settings(*body))
            self.assertEqual([child.name for child in answer], ["Status", *(child.name for child in body)])
            self.assertEqual([child.children[0].text for child in answer.children[1:]], ["1"] * 3)

    def test_status2(self) -> None:
        """Status 2 of the whole, and no property: malformed, a property twice, unknown, with the wrong verb, with none
        or with two."""
        get, set_ = Element("Settings:Get"), Element("Settings:Set")
        user = Element("Settings:UserInformation", get)
        for body in (
            Element("Ping:Ping", user),
            settings(user, user),
            settings(user, Element("Settings:Password", "x")),
            one("UserInformation", "Set"),
            one("DeviceInformation", "Get"),
            one("DevicePassword", "Get"),
            one("RightsManagementInformation", "Set"),
            settings(user, Element("Settings:Oof")),
            settings(Element("Settings:Oof", get, set_)),
            settings(Element("Settings:Oof", "text")),
            one("DevicePassword", "Set"),
            one("DevicePassword", "Set", field("Password", "a"), field("Password", "b")),
            one("DeviceInformation", "Set", field("Model", "a"), field("Model", "b")),
            oof(field("OofState", "1"), field("OofState", "0")),
        ):
            self.assertEqual(self.says(body), "Settings(Status=2)", text(body))

    def test_empty(self) -> None:
        """Whoever asks for no property gets none, with Status 1."""
        self.assertEqual(self.says(settings()), "Settings(Status=1)")

    def test_refused(self) -> None:
        """101 without a body."""
        self.assertEqual(refused(self.settings(call_of("Settings", None))).status, 101)

    def test_status4(self) -> None:
        """Status 4 of a property while the store does not answer; the others are carried out."""

        def down(*args: object) -> Deferred[Absence]:
            return fail(BackendDown("away"))

        self.patch(self.store.absences.__class__, "absence", down)
        body = settings(
            Element("Settings:Oof", Element("Settings:Get", field("BodyType", "Text"))),
            Element("Settings:UserInformation", Element("Settings:Get")),
        )
        answer = self.ask(body)
        self.assertEqual([text(child)[:20] for child in answer.children[1:]], ["Oof(Status=4)", "UserInformation(Stat"])
        self.assertEqual(answer.children[2].text_of("Settings:Status"), "1")

    def test_rights(self) -> None:
        """RightsManagementInformation has no templates."""
        self.assertEqual(
            self.says(one("RightsManagementInformation", "Get")),
            "Settings(Status=1 RightsManagementInformation(Status=1 Get(RightsManagementTemplates=)))",
        )


class InformationTests(SettingsCase):
    """DeviceInformation, DevicePassword and UserInformation."""

    def test_vector(self) -> None:
        """The documented DeviceInformation is kept, and answered as documented."""
        answer = result_of(self.settings(call_of("Settings", decoded("settings-request-deviceinfo"), Version.V12_0)))
        self.assertEqual(sent(answer), VECTORS["settings-response-deviceinfo"])
        self.assertEqual(
            dict(self.device().information),
            {
                "Model": "Sim",
                "IMEI": "490154203237518",
                "FriendlyName": "Simulator",
                "OS": "Sim 1.0",
                "OSLanguage": "en",
                "PhoneNumber": "+15550100",
            },
        )

    def test_noLine(self) -> None:
        """A PhoneNumber registers no line for SMS."""
        self.ask(one("DeviceInformation", "Set", field("PhoneNumber", "+491701234567")))
        self.assertEqual(result_of(self.store.triggers.lines("ann")), [])

    def test_again(self) -> None:
        """What is said later takes the place of what was said before; all else of the device stays."""
        result_of(self.partnerships.keep(Device(ANN, agent="A/1", heartbeat=480), durable=False))
        for name in ("Model", "MobileOperator"):
            self.ask(one("DeviceInformation", "Set", field(name, "x")))
        self.assertEqual(self.device(), Device(ANN, agent="A/1", heartbeat=480, information={"MobileOperator": "x"}))

    def test_tooLong(self) -> None:
        """Status 5 for a text of more than 1024 characters, of which nothing is kept."""
        answer = one("DeviceInformation", "Set", field("Model", "x" * 1025), field("OS", "y"))
        self.assertEqual(self.says(answer), "Settings(Status=1 DeviceInformation(Status=5))")
        self.assertIsNone(result_of(self.store.device(ANN)))
        self.assertIn("Status=1)", self.says(one("DeviceInformation", "Set", field("Model", "x" * 1024))))

    def test_userVector(self) -> None:
        """Up to 14.0 the addresses of the user stand under Get, as documented."""
        self.addresses = ["ann@example.org"]
        for version in (Version.V12_0, Version.V12_1, Version.V14_0):
            answer = result_of(self.settings(call_of("Settings", decoded("settings-request-userinfo"), version)))
            self.assertEqual(sent(answer), VECTORS["settings-response-userinfo"])

    def test_user(self) -> None:
        """From 14.1 on they are those of the one account, with the primary one."""
        for version in (Version.V14_1, Version.V16_0, Version.V16_1):
            self.assertEqual(
                self.says(one("UserInformation", "Get"), version),
                "Settings(Status=1 UserInformation(Status=1 Get(Accounts(Account(EmailAddresses("
                "SMTPAddress=ann@example.org SMTPAddress=ann@example.net PrimarySmtpAddress=ann@example.org))))))",
            )

    def password(self, password: str) -> str:
        return self.says(one("DevicePassword", "Set", field("Password", password)))

    def recoverable(self, value: int) -> None:
        policy = Policy({"DevicePasswordEnabled": 1, "PasswordRecoveryEnabled": value})
        self.rules.policy_for = lambda user: policy

    def test_password(self) -> None:
        """A recovery password is kept if the policy wants that; an empty one takes it away."""
        self.recoverable(1)
        for password in ("1234", "Ä" * 255, ""):
            self.assertEqual(self.password(password), "Settings(Status=1 DevicePassword(Status=1))")
            self.assertEqual(self.device().recovery, password)

    def test_passwordTooLong(self) -> None:
        """Status 5 for a password of more than 255 characters; the one before stays."""
        self.recoverable(1)
        self.password("1234")
        self.assertEqual(self.password("x" * 256), "Settings(Status=1 DevicePassword(Status=5))")
        self.assertEqual(self.device().recovery, "1234")

    def test_passwordDenied(self) -> None:
        """Status 7 if there is no policy, or if it has no recovery; nothing is kept."""
        self.assertEqual(self.password("1234"), "Settings(Status=1 DevicePassword(Status=7))")
        self.recoverable(0)
        self.assertEqual(self.password("1234"), "Settings(Status=1 DevicePassword(Status=7))")
        self.assertIsNone(result_of(self.store.device(ANN)))

    def test_passwordIsNotShown(self) -> None:
        """The password is not in what a device looks like in a log."""
        self.assertNotIn("1234", repr(Device(ANN, recovery="1234")))


class OofTests(SettingsCase):
    """Oof ([MS-ASCMD] 2.2.3.122)."""

    def get(self, form: str = "Text") -> str:
        return text(self.ask(one("Oof", "Get", field("BodyType", form))).children[1])

    def status(self, *content: Element) -> str | None:
        return self.ask(oof(*content)).children[1].text_of("Settings:Status")

    def test_vectors(self) -> None:
        """The documented Set is kept; who never said anything is told that it is off, for each audience."""
        before = self.ask(one("Oof", "Get", field("BodyType", "Text")))
        documented = decoded("settings-response-oof-get")
        self.assertIn(text(documented.children[1]).removesuffix("))"), text(before))
        self.assertEqual(self.says(decoded("settings-request-oof-set")), "Settings(Status=1 Oof(Status=1))")
        self.assertEqual(
            self.absence(),
            Absence(Away.ON, replies={Audience.INTERNAL: Reply(True, "Away.")}, period=1),
        )

    def test_get(self) -> None:
        """All audiences are told, also one without a reply; a reply has its BodyType, and there are times if it is
        for a time."""
        self.status(
            field("OofState", "2"),
            field("StartTime", START),
            field("EndTime", END),
            message("Internal", "1", "In.", "TEXT"),
            message("ExternalKnown", "0"),
        )
        self.assertEqual(
            self.get(),
            f"Oof(Status=1 Get(OofState=2 StartTime={START} EndTime={END}"
            " OofMessage(AppliesToInternal= Enabled=1 ReplyMessage=In. BodyType=Text)"
            " OofMessage(AppliesToExternalKnown= Enabled=0) OofMessage(AppliesToExternalUnknown= Enabled=0)))",
        )

    def test_forms(self) -> None:
        """What was written as HTML can be had as text, and the other way round."""
        self.status(
            message("Internal", "1", "<p>Off &amp; away</p>", "HTML"), message("ExternalKnown", "1", "A < B", "Text")
        )
        self.assertIn("ReplyMessage=Off & away BodyType=Text", self.get("Text"))
        self.assertIn("ReplyMessage=<p>Off &amp; away</p> BodyType=HTML", self.get("html"))
        self.assertIn("ReplyMessage=<html><body>A &lt; B</body></html> BodyType=HTML", self.get("HTML"))

    def test_parts(self) -> None:
        """What a Set does not name stays; a message takes the place of the one before as a whole."""
        self.status(field("OofState", "1"), message("Internal", "1", "In.", "Text"))
        self.status(message("ExternalUnknown", "1", "Out.", "Text"))
        self.status(message("Internal", "0"))
        absence = self.absence()
        self.assertEqual(absence.away, Away.ON)
        self.assertEqual(absence.replies, {Audience.INTERNAL: Reply(False, ""), Audience.UNKNOWN: Reply(True, "Out.")})

    def test_several(self) -> None:
        """A message for several audiences is kept for each of them."""
        both = [field("AppliesToInternal"), field("AppliesToExternalKnown"), field("Enabled", "1")]
        said = [field("ReplyMessage", "Away."), field("BodyType", "Text")]
        self.assertEqual(self.status(Element("Settings:OofMessage", *both, *said)), "1")
        reply = Reply(True, "Away.")
        self.assertEqual(self.absence().replies, {Audience.INTERNAL: reply, Audience.KNOWN: reply})

    def test_nothingToSay(self) -> None:
        """A message without words is sent to nobody, so it is not enabled."""
        self.status(message("Internal", "1", "In.", "Text"))
        self.assertEqual(self.status(message("Internal", "1")), "1")
        self.assertIn("OofMessage(AppliesToInternal= Enabled=0)", self.get())

    def test_times(self) -> None:
        """Times are kept with state 2 only; with it those of before hold if none are given. If none were ever given
        the absence has not begun, and none are told."""
        times = field("StartTime", START), field("EndTime", "2024-05-02T08:00:00Z")
        self.assertEqual(self.status(field("OofState", "2")), "1")
        self.assertEqual((self.absence().away, self.absence().holds(NOW)), (Away.TIMED, False))
        self.assertIn("Get(OofState=2 OofMessage(", self.get())
        self.assertEqual(self.status(field("OofState", "1"), *times), "1")
        self.assertEqual((self.absence().start, self.absence().end), (0, 0))
        self.assertEqual(self.status(field("OofState", "2"), *times), "1")
        self.assertEqual((self.absence().start, self.absence().end), (NOW, NOW + 86400))
        self.assertEqual(self.status(field("OofState", "2")), "1")
        self.assertEqual(self.absence().end, NOW + 86400)

    def test_status2(self) -> None:
        """Status 2: one of two times, a message for no audience, a reply or a Get without BodyType."""
        for content in (
            [field("StartTime", START)],
            [field("EndTime", END)],
            [Element("Settings:OofMessage", field("Enabled", "1"))],
            [message("Internal", "1", "x")],
        ):
            self.assertEqual(self.status(*content), "2")
        self.assertEqual(self.says(one("Oof", "Get")), "Settings(Status=1 Oof(Status=2))")
        self.assertEqual(self.absence(), Absence())

    def test_status5(self) -> None:
        """Status 5: a value that cannot be: state, time, Enabled, BodyType; an end before the beginning; a reply
        without end."""
        for content in (
            [field("OofState", "3")],
            [field("OofState", "")],
            [field("OofState", "2"), field("StartTime", END), field("EndTime", START)],
            [field("OofState", "2"), field("StartTime", START), field("EndTime", START)],
            [field("OofState", "2"), field("StartTime", "May"), field("EndTime", END)],
            [message("Internal", "yes")],
            [message("Internal", "1", "x", "RTF")],
            [message("Internal", "1", "x" * 65_537, "Text")],
        ):
            self.assertEqual(self.status(*content), "5", [text(each)[:99] for each in content])
        self.assertEqual(self.says(one("Oof", "Get", field("BodyType", "RTF"))), "Settings(Status=1 Oof(Status=5))")
        self.assertEqual(self.absence(), Absence())

    def test_status6(self) -> None:
        """Status 6: an audience that is there twice, two replies to those outside, of which nothing is kept."""
        self.assertEqual(self.status(message("Internal", "1"), message("Internal", "0")), "6")
        again = [field("AppliesToInternal"), field("AppliesToInternal"), field("Enabled", "0")]
        self.assertEqual(self.status(Element("Settings:OofMessage", *again)), "6")
        known, unknown = (message(f"External{name}", "1", f"{name}.", "Text") for name in ("Known", "Unknown"))
        self.assertEqual(self.status(known, unknown), "6")
        self.assertEqual(self.absence(), Absence())
        self.assertEqual(self.status(known, message("ExternalUnknown", "0", "Unknown.", "Text")), "1")

    def test_ofTheUser(self) -> None:
        """Another device of the user is told the same, another user is not."""
        self.status(field("OofState", "1"))
        for device, expected in ((evolve(ANN, device="tablet"), "OofState=1"), (evolve(ANN, user="bob"), "OofState=0")):
            body = one("Oof", "Get", field("BodyType", "Text"))
            answer = result_of(self.settings(call_of("Settings", body, device=device)))
            self.assertIn(expected, text(answer.element))

    def test_oddText(self) -> None:
        """Whatever is written is kept as text that can be sent."""
        self.status(message("Internal", "1", "a\x00b\ud800", "Text"))
        self.assertIn("ReplyMessage=a\ufffdb", self.get())
