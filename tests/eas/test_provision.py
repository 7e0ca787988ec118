"""Provision: both phases and the wipe ([MS-ASPROV] 3.1.5.1, 3.2.5)."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.call import Answer, Refused, Version
from gateway.eas.gate import Gate, Rules
from gateway.eas.phases import WAP, WBXML
from gateway.eas.policydoc import Policy, wap_document
from gateway.eas.provision import LARGEST_KEY, Provision, random_key
from gateway.element import Element
from gateway.interfaces import BackendDown
from gateway.model import Device, DeviceKey, PolicyState, Wipe, WipeState
from gateway.store import Store
from tests.eas.support import ANN, NOW, VECTORS, call_of, decoded, refused, result_of, sent, text
from tests.eas.test_policydoc import VECTOR
from tests.stores import new_store

POLICY = Policy(VECTOR)
TEMPORARY, PERMANENT = 1307199584, 3942919513
INFORMATION = Element(
    "Settings:DeviceInformation",
    Element("Settings:Set", Element("Settings:Model", "Sim"), Element("Settings:IMEI", "490154203237518")),
)


def provision(*content: Element) -> Element:
    return Element("Provision:Provision", *content)


def policies(kind: str | None = WBXML, key: int | str | None = None, status: int | str | None = None) -> Element:
    return Element(
        "Provision:Policies",
        Element(
            "Provision:Policy",
            None if kind is None else Element("Provision:PolicyType", kind),
            None if key is None else Element("Provision:PolicyKey", key),
            None if status is None else Element("Provision:Status", status),
        ),
    )


def wipe_ack(status: str, kind: str = "RemoteWipe") -> Element:
    return provision(Element(f"Provision:{kind}", Element("Provision:Status", status)))


@define(eq=False)
class Kept:
    """L{IDevices} that notes what had to be durable; it can be made slow, or fail."""

    store: Store
    durable: list[Device] = field(factory=list)
    failure: Exception | None = None
    slow: list[Deferred[None]] | None = None

    def device(self, key: DeviceKey) -> Deferred[Device | None]:
        return fail(self.failure) if self.failure else self.store.device(key)

    def keep(self, device: Device, durable: bool) -> Deferred[None]:
        if durable:
            self.durable.append(device)
        if self.slow is None:
            return self.store.keep(device, durable)
        waiting: Deferred[None] = Deferred()
        self.slow.append(waiting)
        return waiting.addCallback(lambda _: self.store.keep(device, durable))


class ProvisionCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.devices = Kept(new_store(lambda: NOW))
        self.now = NOW
        self.rules = Rules(lambda user: POLICY if user == "ann" else None)
        self.keys: Iterator[int] = iter((TEMPORARY, PERMANENT, *range(100, 200)))
        self.command = Provision(self.devices, self.rules, lambda: self.now, lambda: next(self.keys))

    def ask(
        self, body: Element | None, version: Version = Version.V12_1, device: DeviceKey = ANN, key: int | None = 0
    ) -> str:
        return text(self.answer(body, version, device, key).element)

    def answer(
        self, body: Element | None, version: Version = Version.V12_1, device: DeviceKey = ANN, key: int | None = 0
    ) -> Answer:
        done: Answer = result_of(self.command(call_of("Provision", body, version, device, policy_key=key)))
        return done

    def refused(self, body: Element | None, version: Version = Version.V12_1) -> Refused:
        return refused(self.command(call_of("Provision", body, version)))

    @property
    def device(self) -> Device:
        found: Device | None = result_of(self.devices.store.device(ANN))
        assert found is not None
        return found

    def put(self, device: Device) -> None:
        result_of(self.devices.store.keep(device, False))

    def provisioned(self, status: int = 1, version: Version = Version.V12_1) -> None:
        """Go through both phases."""
        self.ask(provision(policies()), version)
        self.ask(provision(policies(WBXML, self.device.policy.temporary, status)), version)


class PhasesTests(ProvisionCase):
    def test_vectors(self) -> None:
        """Status 1 of Provision and of the policy: the four messages of 12.1, byte by byte."""
        first = self.answer(decoded("provision-request-1-12.1"))
        self.assertEqual(sent(first), VECTORS["provision-response-1-12.1"])
        second = self.answer(decoded("provision-request-2"), key=TEMPORARY)
        self.assertEqual(sent(second), VECTORS["provision-response-2"])

    def test_state(self) -> None:
        """The temporary key comes with the hash of the policy; the permanent one takes hash, time and what was said."""
        self.ask(provision(policies()))
        self.assertEqual(self.device.policy, PolicyState(temporary=TEMPORARY, temporary_hash=POLICY.hash))
        self.now += 5
        self.ask(provision(policies(WBXML, TEMPORARY, 1)))
        self.assertEqual(
            self.device.policy,
            PolicyState(TEMPORARY, "", PERMANENT, POLICY.hash, NOW + 5, 1),
        )

    def test_durable(self) -> None:
        """Both keys are on disk before they are sent."""
        self.provisioned()
        self.assertEqual([device.policy.key for device in self.devices.durable], [0, PERMANENT])

    def test_passesGate(self) -> None:
        """With the permanent key the device passes the gate, with the temporary one it did not."""
        gate = Gate(self.rules, lambda: self.now)
        self.ask(provision(policies()))
        with self.assertRaises(Refused):
            gate.check(call_of("Sync", None, policy_key=TEMPORARY), self.device)
        self.ask(provision(policies(WBXML, TEMPORARY, 1)))
        gate.check(call_of("Sync", None, policy_key=PERMANENT), self.device)

    def test_oldKeyStays(self) -> None:
        """While a device provisions again its permanent key stays as it was."""
        self.provisioned()
        self.ask(provision(policies()))
        self.assertEqual((self.device.policy.key, self.device.policy.hash), (PERMANENT, POLICY.hash))

    def test_again(self) -> None:
        """Provisioning again gives other keys, and begins the refresh interval anew."""
        self.provisioned()
        self.now += 100
        self.provisioned()
        self.assertEqual((self.device.policy.temporary, self.device.policy.key), (100, 101))
        self.assertEqual(self.device.policy.granted, NOW + 100)

    def test_lostAnswer(self) -> None:
        """An acknowledgement that is repeated because its answer was lost gets the same key."""
        self.provisioned()
        self.now += 5
        again = self.ask(provision(policies(WBXML, TEMPORARY, 1)))
        self.assertIn(f"PolicyKey={PERMANENT}", again)
        self.assertEqual(self.device.policy.granted, NOW)

    def test_keysDiffer(self) -> None:
        """The permanent key is never the temporary one."""
        self.keys = iter((5, 5, 5, 6))
        self.provisioned()
        self.assertEqual(self.device.policy.key, 6)

    def test_typeFirstOrLast(self) -> None:
        """PolicyType may come after PolicyKey and Status."""
        self.ask(provision(policies()))
        policy = Element(
            "Provision:Policy",
            Element("Provision:PolicyKey", TEMPORARY),
            Element("Provision:Status", 1),
            Element("Provision:PolicyType", WBXML),
        )
        self.assertIn(f"PolicyKey={PERMANENT}", self.ask(provision(Element("Provision:Policies", policy))))

    def test_wrongKey(self) -> None:
        """An acknowledgement with another key is Policy Status 5, and gives none."""
        self.ask(provision(policies()))
        self.assertEqual(
            self.ask(provision(policies(WBXML, TEMPORARY + 1, 1))),
            f"Provision(Status=1 Policies(Policy(PolicyType={WBXML} Status=5)))",
        )
        self.assertEqual(self.device.policy.key, 0)

    def test_noKeyGiven(self) -> None:
        """So is one of a device that was never sent a key, also with 0."""
        for key in (0, TEMPORARY):
            self.assertIn("Status=5", self.ask(provision(policies(WBXML, key, 1))))

    def test_policyChangedBetween(self) -> None:
        """A policy that changes between the phases: the key is one for the policy that was sent."""
        self.ask(provision(policies()))
        self.rules.policy_for = lambda user: Policy({"DevicePasswordEnabled": False})
        self.ask(provision(policies(WBXML, TEMPORARY, 1)))
        self.assertEqual(self.device.policy.hash, POLICY.hash)

    def test_newKeys(self) -> None:
        """Keys are at random between 1 and 2147483647."""
        keys = {random_key() for _ in range(100)}
        self.assertGreater(len(keys), 90)
        self.assertTrue(all(1 <= key <= LARGEST_KEY for key in keys))

    def test_log(self) -> None:
        """The access line tells the Status of the policy, never a key."""
        answer = self.answer(provision(policies()))
        self.assertEqual(answer.log, {"St": 1, "Pol": "1"})


class NoPolicyTests(ProvisionCase):
    """No policy is in force, or not for this user."""

    BOB = DeviceKey("bob", "phone")

    def test_vector(self) -> None:
        """A user who is excepted from the policy: Policy Status 2, byte by byte."""
        self.rules.excepted = lambda user: user == "bob"
        answer = self.answer(decoded("provision-request-1-12.1"), device=self.BOB)
        self.assertEqual(sent(answer), VECTORS["provision-response-nopolicy"])

    def test_acknowledged(self) -> None:
        """So it is for an acknowledgement that comes when the user has been excepted."""
        self.ask(provision(policies()))
        self.rules.policy_for = lambda user: None
        self.rules.excepted = lambda user: True
        self.assertIn("Status=2", self.ask(provision(policies(WBXML, TEMPORARY, 1))))

    def test_open(self) -> None:
        """Where no policy is in force a client that provisions before anything else gets its keys, and one that asks
        for nothing."""
        self.rules.policy_for = lambda user: None
        doc = "EASProvisionDoc(DevicePasswordEnabled=0)"
        first = self.ask(provision(policies()))
        self.assertIn(f"Status=1 PolicyKey={TEMPORARY} Data({doc})", first)
        self.assertIn(f"Status=1 PolicyKey={PERMANENT}", self.ask(provision(policies(WBXML, TEMPORARY, 1))))
        self.assertEqual(self.device.policy.key, PERMANENT)

    def test_openWAP(self) -> None:
        """So does one of 2.5."""
        self.rules.policy_for = lambda user: None
        first = self.ask(provision(policies(WAP)), Version.V2_5)
        self.assertIn('<parm name="4131" value="1"/>', first)

    def test_takenBack(self) -> None:
        """An acknowledgement that comes when the policy has been taken back is confirmed."""
        self.ask(provision(policies()))
        self.rules.policy_for = lambda user: None
        self.assertIn(f"Status=1 PolicyKey={PERMANENT}", self.ask(provision(policies(WBXML, TEMPORARY, 1))))


class WAPTests(ProvisionCase):
    def test_vector(self) -> None:
        """2.5 gets the policy as text, byte by byte."""
        self.rules.policy_for = lambda user: Policy({"DevicePasswordEnabled": False})
        answer = self.answer(decoded("provision-request-1-2.5"), Version.V2_5)
        self.assertEqual(sent(answer), VECTORS["provision-response-1-2.5"])

    def test_acknowledgement(self) -> None:
        """Its second phase is like that of the others."""
        first = self.ask(provision(policies(WAP)), Version.V2_5)
        self.assertIn(f"Data={wap_document(POLICY)}", first)
        self.assertEqual(
            self.ask(provision(policies(WAP, TEMPORARY, 1)), Version.V2_5),
            f"Provision(Status=1 Policies(Policy(PolicyType={WAP} Status=1 PolicyKey={PERMANENT})))",
        )

    def test_otherType(self) -> None:
        """A PolicyType that is unknown, or of another version, is Policy Status 3."""
        for kind, version in ((WBXML, Version.V2_5), (WAP, Version.V12_0), (WAP, Version.V14_1), ("X", Version.V12_1)):
            asked = provision(INFORMATION, policies(kind)) if version >= Version.V14_1 else provision(policies(kind))
            self.assertIn(f"Policy(PolicyType={kind} Status=3)", self.ask(asked, version))


class AcknowledgementTests(ProvisionCase):
    """What becomes of a device that could not apply all of the policy."""

    def test_allowed(self) -> None:
        """Partly or not applied: a permanent key all the same, if devices need not be provisionable."""
        for said in (2, 3):
            self.provisioned(said)
            self.assertEqual(self.device.policy.acknowledged, said)
            self.assertNotEqual(self.device.policy.key, 0)

    def test_refused(self) -> None:
        """Otherwise 139, of Provision itself; the old key is gone and what was said is on record."""
        self.rules.allow_non_provisionable = False
        for said in (2, 3):
            self.provisioned()
            self.ask(provision(policies()))
            key = self.device.policy.temporary
            self.assertEqual(self.ask(provision(policies(WBXML, key, said))), "Provision(Status=139)")
            state = self.device.policy
            self.assertEqual((state.key, state.acknowledged, state.temporary_hash), (0, said, POLICY.hash))
            self.assertEqual(self.devices.durable[-1].policy, state)

    def test_secondThoughts(self) -> None:
        """A device that was refused may try again, and pass."""
        self.rules.allow_non_provisionable = False
        self.ask(provision(policies()))
        self.ask(provision(policies(WBXML, TEMPORARY, 2)))
        self.provisioned()
        Gate(self.rules, lambda: self.now).check(call_of("Sync", None, policy_key=self.device.policy.key), self.device)

    def test_managed(self) -> None:
        """Managed by others: 145 unless that is allowed."""
        self.ask(provision(policies()))
        self.assertEqual(self.ask(provision(policies(WBXML, TEMPORARY, 4))), "Provision(Status=145)")
        self.rules.allow_external = True
        self.provisioned(4)
        self.assertNotEqual(self.device.policy.key, 0)

    def test_unsatisfiable(self) -> None:
        """A client too old for a restriction gets the policy without it, or 139 if that is not enough."""
        self.rules.policy_for = lambda user: Policy({"DevicePasswordEnabled": True, "AllowCamera": False})
        first = self.ask(provision(policies()), Version.V12_0)
        self.assertIn("EASProvisionDoc(DevicePasswordEnabled=1))", first)
        self.rules.allow_non_provisionable = False
        self.assertEqual(self.refused(provision(policies()), Version.V12_0).status, 139)


class MalformedTests(ProvisionCase):
    """Status 2 under Provision."""

    def bad(self, body: Element) -> None:
        self.assertEqual(self.ask(body), "Provision(Status=2)")
        self.assertIsNone(result_of(self.devices.store.device(ANN)))

    def test_noType(self) -> None:
        """A first request without PolicyType."""
        self.bad(provision(policies(None)))

    def test_noPolicies(self) -> None:
        """A request that holds something, but neither Policies nor RemoteWipe."""
        self.bad(provision(Element("Provision:Status", 1)))
        self.bad(provision(INFORMATION))

    def test_notOnePolicy(self) -> None:
        """Policies without a Policy, and with two."""
        self.bad(provision(Element("Provision:Policies")))
        two = policies().children * 2
        self.bad(provision(Element("Provision:Policies", *two)))

    def test_longType(self) -> None:
        """A PolicyType of more than 64 characters."""
        self.bad(provision(policies("x" * 65)))

    def test_acknowledgement(self) -> None:
        """An acknowledgement without key, without Status, with another Status, or with a key that is no number."""
        for key, status in ((None, 1), (5, None), (5, 0), (5, 5), (5, ""), ("x", 1), ("-5", 1), ("9" * 11, 1)):
            self.bad(provision(policies(WBXML, key, status)))

    def test_otherRoot(self) -> None:
        """The body of another command."""
        self.bad(Element("Settings:Settings"))


class InformationTests(ProvisionCase):
    """DeviceInformation within Provision, from 14.1 on."""

    def test_first(self) -> None:
        """It is stored and confirmed before everything else in the answer."""
        first = self.ask(provision(INFORMATION, policies()), Version.V14_1)
        self.assertTrue(first.startswith("Provision(DeviceInformation(Status=1) Status=1 Policies("), first)
        self.assertEqual(self.device.information, {"Model": "Sim", "IMEI": "490154203237518"})

    def test_vector(self) -> None:
        """The request of the vector is understood."""
        self.assertIn(f"PolicyKey={TEMPORARY}", self.ask(decoded("provision-request-1-14.1"), Version.V14_1))
        self.assertEqual(self.device.information, {"Model": "Sim"})

    def test_missing(self) -> None:
        """Without it the first request gets 165, from 14.1 on, where all devices have to be provisionable."""
        self.rules.allow_non_provisionable = False
        self.assertEqual(self.refused(provision(policies()), Version.V14_1).status, 165)
        self.assertEqual(self.refused(provision(policies()), Version.V16_1).status, 165)
        self.assertIn("PolicyKey", self.ask(provision(policies()), Version.V14_0))

    def test_neverSaid(self) -> None:
        """Where others are let in too, so are the clients that never say what they are."""
        for version in (Version.V14_1, Version.V16_1):
            self.assertIn("PolicyKey", self.ask(provision(policies()), version))

    def test_known(self) -> None:
        """A device that has said it before says it again with every first request ([MS-ASPROV] 2.2.2.53)."""
        self.rules.allow_non_provisionable = False
        self.ask(provision(INFORMATION, policies()), Version.V14_1)
        self.assertEqual(self.refused(provision(policies()), Version.V14_1).status, 165)
        self.assertEqual(self.device.information["Model"], "Sim")

    def test_older(self) -> None:
        """From older clients, which must not send it, it is neither stored nor answered."""
        for version in (Version.V12_0, Version.V12_1, Version.V14_0):
            self.assertNotIn("DeviceInformation", self.ask(provision(INFORMATION, policies()), version))
            self.assertEqual(self.device.information, {})

    def test_noPolicy(self) -> None:
        """It is stored also where there is no policy to be given."""
        self.rules.policy_for = lambda user: None
        self.assertIn("DeviceInformation(Status=1)", self.ask(provision(INFORMATION, policies()), Version.V14_1))
        self.assertEqual(self.device.information["Model"], "Sim")

    def test_bounded(self) -> None:
        """Unknown, empty and overlong texts are not stored, and none that would confuse a terminal."""
        told = Element(
            "Settings:Set",
            Element("Settings:Model", "Sim"),
            Element("Settings:OS", "x" * 1025),
            Element("Settings:PhoneNumber"),
            Element("Settings:FriendlyName", "\x1b[2J"),
            Element("Settings:Password", "secret"),
        )
        self.ask(provision(Element("Settings:DeviceInformation", told), policies()), Version.V14_1)
        self.assertEqual(self.device.information, {"Model": "Sim"})

    def test_noSet(self) -> None:
        """DeviceInformation without Set is a protocol error."""
        body = provision(Element("Settings:DeviceInformation"), policies())
        self.assertEqual(self.ask(body, Version.V14_1), "Provision(Status=2)")


class WipeTests(ProvisionCase):
    def ordered(self, account_only: bool = False, state: WipeState = WipeState.REQUESTED) -> None:
        self.put(Device(ANN, policy=PolicyState(key=5), wipe=Wipe(state, "root", NOW - 60, account_only)))

    def test_vectors(self) -> None:
        """The empty request is told to wipe, and its acknowledgement is confirmed, byte by byte."""
        self.ordered()
        asked = self.answer(decoded("provision-request-wipe-empty"))
        self.assertEqual(sent(asked), VECTORS["provision-response-wipe"])
        done = self.answer(decoded("provision-request-wipe-ack"))
        self.assertEqual(sent(done), VECTORS["provision-response-wipe-ack"])

    def test_accountVector(self) -> None:
        """A device of 16.1 is told to wipe the account alone, byte by byte."""
        self.ordered(account_only=True)
        answer = self.answer(decoded("provision-request-wipe-empty"), Version.V16_1)
        self.assertEqual(sent(answer), VECTORS["provision-response-accountwipe"])
        self.assertEqual(self.ask(wipe_ack("1", "AccountOnlyRemoteWipe"), Version.V16_1), "Provision(Status=1)")
        self.assertEqual(self.wipe.state, WipeState.DONE)

    @property
    def wipe(self) -> Wipe:
        assert self.device.wipe is not None
        return self.device.wipe

    def test_times(self) -> None:
        """Requested, sent, acknowledged: each with its time, each on disk before the answer."""
        self.ordered()
        self.ask(provision())
        self.assertEqual(self.wipe, Wipe(WipeState.SENT, "root", NOW - 60, False, NOW))
        self.now += 30
        self.ask(provision())
        self.ask(wipe_ack("1"))
        self.assertEqual(self.wipe, Wipe(WipeState.DONE, "root", NOW - 60, False, NOW, NOW + 30))
        assert all(device.wipe for device in self.devices.durable)
        self.assertEqual(
            [device.wipe.state for device in self.devices.durable if device.wipe], [WipeState.SENT, WipeState.DONE]
        )

    def test_firstRequest(self) -> None:
        """A normal first request is told so too, in every version, and gets no policy."""
        for version in Version:
            self.ordered()
            self.assertEqual(self.ask(provision(policies()), version), "Provision(Status=1 RemoteWipe=)")

    def test_emptyBody(self) -> None:
        """So is a request without a body."""
        self.ordered()
        self.assertEqual(self.ask(None), "Provision(Status=1 RemoteWipe=)")

    def test_keysGone(self) -> None:
        """A device that has wiped itself has no policy key any more."""
        self.ordered()
        self.ask(wipe_ack("1"))
        self.assertEqual(self.device.policy, PolicyState())

    def test_goesOn(self) -> None:
        """After a success the wipe is sent again to the device that comes back, until it is taken back."""
        self.ordered()
        self.ask(wipe_ack("1"))
        self.assertEqual(self.ask(provision(policies())), "Provision(Status=1 RemoteWipe=)")
        self.assertEqual(self.wipe.state, WipeState.DONE)

    def test_failed(self) -> None:
        """A failure is recorded, and answered with Status 2 and the wipe again."""
        self.ordered()
        self.ask(provision())
        self.assertEqual(self.ask(wipe_ack("2")), "Provision(Status=2 RemoteWipe=)")
        self.assertEqual((self.wipe.state, self.wipe.acknowledged), (WipeState.FAILED, NOW))
        self.assertEqual(self.device.policy.key, 5)

    def test_cancelled(self) -> None:
        """When it was taken back no RemoteWipe is sent, and an acknowledgement is a protocol error."""
        self.ordered()
        self.ask(provision())
        self.put(evolve(self.device, wipe=None))
        self.assertEqual(self.ask(provision()), "Provision(Status=1)")
        self.assertEqual(self.ask(wipe_ack("1")), "Provision(Status=2)")
        self.assertIsNone(self.device.wipe)

    def test_badAcknowledgement(self) -> None:
        """An acknowledgement with another Status, or of the other kind of wipe, changes nothing."""
        self.ordered()
        for body in (wipe_ack("3"), wipe_ack(""), wipe_ack("1", "AccountOnlyRemoteWipe")):
            self.assertEqual(self.ask(body), "Provision(Status=2)")
        self.assertEqual(self.wipe.state, WipeState.REQUESTED)

    def test_accountOnOlder(self) -> None:
        """An account-only wipe is not sent below 16.1: access is denied."""
        self.ordered(account_only=True)
        self.assertEqual(self.refused(provision(), Version.V16_0).status, 126)
        self.assertEqual(self.wipe.state, WipeState.REQUESTED)

    def test_otherDevice(self) -> None:
        """The wipe of one device is no business of another one of the same user."""
        self.ordered()
        other = DeviceKey("ann", "tablet")
        self.assertNotIn("RemoteWipe", self.ask(provision(policies()), device=other))


class TroubleTests(ProvisionCase):
    def test_storeDown(self) -> None:
        """When the store does not answer: Status 3."""
        self.devices.failure = BackendDown("no database")
        self.assertEqual(self.ask(provision(policies())), "Provision(Status=3)")

    def test_clientLeaves(self) -> None:
        """A client that leaves while its key is being written leaves it written, and the next one waits for that."""
        self.ask(provision(policies()))
        self.devices.slow = []
        ack = call_of("Provision", provision(policies(WBXML, TEMPORARY, 1)), Version.V12_1)
        first = Deferred.fromCoroutine(self.command(ack))
        second = Deferred.fromCoroutine(self.command(ack))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertNoResult(second)
        self.assertEqual(len(self.devices.slow), 1)
        self.devices.slow[0].callback(None)
        self.assertIn(f"PolicyKey={PERMANENT}", text(self.successResultOf(second).element))
