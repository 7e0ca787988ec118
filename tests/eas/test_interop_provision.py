"""What the protocol's owner asks of Provision in its interoperability suites ([MS-ASPROV])."""

from __future__ import annotations

from attrs import evolve

from gateway.eas.gate import Rules
from gateway.eas.policydoc import Policy
from gateway.element import Element
from gateway.model import Wipe, WipeState
from tests.eas.interop import SINCE_14, SINCE_14_1, VERSIONS, Client, InteropCase, names
from tests.eas.support import VECTORS, decoded
from tests.eas.test_interop_commands import KEY_0, own_status

TYPE = "MS-EAS-Provisioning-WBXML"
POLICY = Policy({"DevicePasswordEnabled": True, "MinDevicePasswordLength": 4})
INFORMATION = Element(
    "Settings:DeviceInformation",
    Element("Settings:Set", Element("Settings:Model", "m"), Element("Settings:UserAgent", "a")),
)


def provision(name: str, *content: Element | str | None) -> Element:
    """An element of Provision."""
    return Element(f"Provision:{name}", *content)


class ProvisionCase(InteropCase):
    """A phone in a world with a policy."""

    def phone(self, version: str) -> Client:
        """A phone that has not done anything yet."""
        phone, _ = self.client(version, rules=Rules(policy_for=lambda user: POLICY, allow_non_provisionable=False))
        return phone

    def ask(self, phone: Client, *policy: Element, kind: str | None = TYPE, informed: bool = True) -> Element:
        """A Provision with such a Policy, and with DeviceInformation where it is due."""
        information = INFORMATION if informed and phone.version in SINCE_14_1 else None
        kinds = [provision("PolicyType", kind)] if kind else []
        policies = provision("Policies", provision("Policy", *kinds, *policy))
        answer = phone.ask("Provision", provision("Provision", information, policies))
        assert answer is not None
        return answer

    def acknowledge(self, phone: Client, status: str = "1", key: str = "") -> Element:
        """Ask for the policy, if there is no key yet, and say how that went."""
        key = key or self.policy(self.ask(phone)).text_of("Provision:PolicyKey") or ""
        return self.ask(phone, provision("PolicyKey", key), provision("Status", status), informed=False)

    def policy(self, answer: Element) -> Element:
        """The Policy of an answer."""
        policies = answer.child("Provision:Policies")
        assert policies is not None
        (policy,) = policies.children
        return policy


class PolicyTests(ProvisionCase):
    def test_phases(self) -> None:
        """Policy and temporary key, then the acknowledgement and the key that lets the phone in (3.1.5.1)."""
        for version in VERSIONS:
            phone = self.phone(version)
            first = self.ask(phone)
            self.assertEqual(own_status(first), "1")
            self.assertEqual(names(self.policy(first)), ["PolicyType", "Status", "PolicyKey", "Data"])
            second = self.acknowledge(phone, key=self.policy(first).text_of("Provision:PolicyKey") or "")
            self.assertEqual(own_status(second), "1")
            self.assertEqual(names(self.policy(second)), ["PolicyType", "Status", "PolicyKey"])
            key = self.policy(second).text_of("Provision:PolicyKey") or ""
            self.assertEqual(own_status(phone.ask("FolderSync", KEY_0, X_MS_PolicyKey=key)), "1")
            self.assertEqual(self.denied(phone, key[:1]), "144")

    def denied(self, phone: Client, key: str) -> str | None:
        """The Status of a FolderSync with that key; HTTP 449, which says the same before 14.0, counts as 144."""
        answer = phone.http("FolderSync", KEY_0, X_MS_PolicyKey=key)
        return "144" if answer.status == 449 and phone.version == "12.1" else own_status(answer.element)

    def test_syntax(self) -> None:
        """No PolicyType, and a Policy outside of Policies, are Status 2 (2.2.2.54.2)."""
        for version in VERSIONS:
            phone = self.phone(version)
            self.assertEqual(own_status(self.ask(phone, kind=None)), "2")
            information = INFORMATION if version in SINCE_14_1 else None
            outside = provision("Provision", information, provision("Policy", provision("PolicyType", TYPE)))
            self.assertEqual(own_status(phone.ask("Provision", outside)), "2")

    def test_type(self) -> None:
        """A PolicyType that does not exist is Status 3 of the Policy (2.2.2.54.1)."""
        for version in VERSIONS:
            answer = self.policy(self.ask(self.phone(version), kind="Invalid"))
            self.assertEqual(answer.text_of("Provision:Status"), "3")

    def test_key(self) -> None:
        """To acknowledge with another key than one's own is Status 5 of the Policy (2.2.2.54.1)."""
        for version in VERSIONS:
            phone = self.phone(version)
            key = self.policy(self.ask(phone)).text_of("Provision:PolicyKey") or ""
            other = Client(phone.world, version=version, device="device2")
            self.made.append(other)
            for wrong in (key, "1234567890"):
                answer = self.policy(self.acknowledge(other, key=wrong))
                self.assertEqual(answer.text_of("Provision:Status"), "5")

    def test_notFollowed(self) -> None:
        """A phone that says it does not follow the policy is told 139, one that is managed elsewhere 145 (3.1.5.1)."""
        for version in VERSIONS:
            self.assertEqual(own_status(self.acknowledge(self.phone(version), "2")), "139")
            self.assertEqual(own_status(self.acknowledge(self.phone(version), "4")), "145")

    def test_information(self) -> None:
        """From 14.1 on every first request has DeviceInformation, else it is 165 ([MS-ASCMD] 2.2.2)."""
        for version in SINCE_14_1:
            phone = self.phone(version)
            self.assertEqual(own_status(self.ask(phone, informed=False)), "165")
            self.acknowledge(phone)
            self.assertEqual(own_status(self.ask(phone, informed=False)), "165")

    def test_notProvisionable(self) -> None:
        """A phone that asks without a key is told 141, also one that has one ([MS-ASCMD] 2.2.2; S03 case 7)."""
        for version in SINCE_14:
            phone = self.phone(version)
            self.assertEqual(own_status(phone.ask("FolderSync", KEY_0)), "141")
            self.policy(self.acknowledge(phone))
            self.assertEqual(own_status(phone.ask("FolderSync", KEY_0)), "141")

    def test_lenient(self) -> None:
        """Where phones may come that cannot provision, one without a key may do everything (S01 case 2)."""
        for version in VERSIONS:
            phone, _ = self.client(version, rules=Rules(policy_for=lambda user: POLICY, allow_non_provisionable=True))
            self.assertEqual(own_status(phone.ask("FolderSync", KEY_0)), "1")

    def test_unset(self) -> None:
        """What is not limited any more is told as an empty element, or with the value that limits nothing (S01 case 3;
        3.2.5.1.1)."""
        unset = Policy({"AttachmentsEnabled": True, "MinDevicePasswordLength": None, "DevicePasswordHistory": 0})
        for version in VERSIONS:
            phone, _ = self.client(version, rules=Rules(policy_for=lambda user: unset))
            data = self.policy(self.ask(phone)).child("Provision:Data")
            assert data is not None
            (document,) = data.children
            self.assertEqual(
                [(one.name, one.text) for one in document],
                [("AttachmentsEnabled", "1"), ("MinDevicePasswordLength", ""), ("DevicePasswordHistory", "0")],
            )

    def test_vector(self) -> None:
        """A phone with a key that is none has to provision: Status 142, octet by octet."""
        for version in SINCE_14:
            answer = self.phone(version).http("FolderSync", decoded("foldersync-request-initial"), X_MS_PolicyKey="0")
            self.assertEqual((answer.status, answer.body), (200, VECTORS["foldersync-response-142"]))


class WipeTests(ProvisionCase):
    """RemoteWipe (3.1.5.1.2)."""

    def order(self, phone: Client, wipe: Wipe | None) -> None:
        """Have the phone wiped, or not any more."""
        partnerships = phone.world.partnerships
        device = phone.world.result(partnerships.device(phone.key))
        phone.world.result(partnerships.keep(evolve(device, wipe=wipe), durable=True))  # type: ignore[arg-type]

    def wipe(self, phone: Client, name: str, status: str = "") -> tuple[str | None, list[str]]:
        """A Provision that asks, or says how the wipe went: its Status and what else the answer has."""
        told = [provision(name, provision("Status", status))] if status else []
        answer = phone.ask("Provision", provision("Provision", *told))
        assert answer is not None
        return own_status(answer), [child for child in names(answer) if child != "Status"]

    def test_wipe(self) -> None:
        """The order is repeated until the phone says that it was followed."""
        for version in VERSIONS:
            phone = self.phone(version)
            self.acknowledge(phone)
            self.order(phone, Wipe(WipeState.REQUESTED, "admin", phone.world.now()))
            self.assertEqual(self.wipe(phone, "RemoteWipe"), ("1", ["RemoteWipe"]))
            self.assertEqual(self.wipe(phone, "RemoteWipe", "2")[0], "2")
            self.assertEqual(self.wipe(phone, "RemoteWipe"), ("1", ["RemoteWipe"]))
            self.assertEqual(self.wipe(phone, "RemoteWipe", "1")[0], "1")
            self.order(phone, None)
            self.assertEqual(self.wipe(phone, "RemoteWipe"), ("1", []))

    def test_account(self) -> None:
        """The same for a wipe of the account alone, from 16.1 on (2.2.2.1)."""
        phone = self.phone("16.1")
        self.acknowledge(phone)
        self.order(phone, Wipe(WipeState.REQUESTED, "admin", phone.world.now(), account_only=True))
        self.assertEqual(self.wipe(phone, "AccountOnlyRemoteWipe"), ("1", ["AccountOnlyRemoteWipe"]))
        self.assertEqual(self.wipe(phone, "AccountOnlyRemoteWipe", "2")[0], "2")
        self.assertEqual(self.wipe(phone, "AccountOnlyRemoteWipe", "1")[0], "1")
