"""The provisioning gate: one test for each row of its table ([MS-ASPROV] 3.1.5.1)."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.core.admission import Admission, AdmissionTerms, DeviceRule
from gateway.eas.call import Call, Refused, Version
from gateway.eas.gate import Gate, Rules
from gateway.eas.policydoc import Policy
from gateway.eas.status import refusal
from gateway.model import Access, Device, PolicyState, Wipe, WipeState
from tests.eas.support import ANN, NOW, text

POLICY = Policy({"DevicePasswordEnabled": True})
CAMERA = Policy({"AllowCamera": False})
KEY = 1307199584
CURRENT = PolicyState(key=KEY, hash=POLICY.hash, granted=NOW, acknowledged=1)
HOUR = 3600


class GateCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = NOW
        self.rules = Rules(lambda user: POLICY if user == "ann" else None)
        self.gate = Gate(self.rules, lambda: self.now)

    def judged(
        self,
        key: int | None,
        state: PolicyState = CURRENT,
        version: Version = Version.V14_1,
        command: str = "FolderSync",
        wipe: Wipe | None = None,
    ) -> int | None:
        """The Status that a call is refused with; for versions without statuses, the HTTP status."""
        call = Call(ANN, command, version, key)
        try:
            self.gate.check(call, Device(ANN, policy=state, wipe=wipe))
        except Refused as refused:
            answer = refusal("FolderHierarchy:FolderSync", version, refused)
            if version < Version.V14_0:
                self.assertIsNone(answer.element)
                return answer.status
            self.assertEqual(text(answer.element), f"FolderSync(Status={refused.status})")
            return refused.status
        return None

    def old(self, key: int | None, state: PolicyState = CURRENT, wipe: Wipe | None = None) -> set[int | None]:
        """The HTTP statuses that 2.5 to 12.1 get."""
        versions = (Version.V2_5, Version.V12_0, Version.V12_1)
        return {self.judged(key, state, version, wipe=wipe) for version in versions}


class PassingTests(GateCase):
    def test_currentKey(self) -> None:
        """The current permanent key passes in every version."""
        self.assertEqual({self.judged(KEY, version=version) for version in Version}, {None})

    def test_noPolicy(self) -> None:
        """Without a policy nobody is asked for a key, whatever key is sent."""
        self.rules.policy_for = lambda user: None
        self.assertEqual({self.judged(key, PolicyState()) for key in (None, 0, 5)}, {None})

    def test_noPolicyButKey(self) -> None:
        """Without a policy a device that has a key may leave it out, but sends no other one, unless it is of somebody
        who is excepted, who could not get another one."""
        self.rules.policy_for = lambda user: None
        self.assertEqual([self.judged(key) for key in (None, 0, KEY, KEY + 1)], [None, None, None, 144])
        self.assertEqual(self.old(KEY + 1), {449})
        self.assertEqual(self.old(KEY), {None})
        self.rules.excepted = lambda user: user == "ann"
        self.assertIsNone(self.judged(KEY + 1))

    def test_exempt(self) -> None:
        """Provision, Ping and OPTIONS are never judged, not even with a wipe pending."""
        self.rules.allow_non_provisionable = False
        wipe = Wipe(WipeState.REQUESTED, "root", NOW)
        for command in ("Provision", "Ping", "OPTIONS"):
            self.assertIsNone(self.judged(None, PolicyState(), command=command, wipe=wipe))

    def test_refreshNever(self) -> None:
        """Without a refresh interval a key does not grow old."""
        self.now += 10_000 * HOUR
        self.assertIsNone(self.judged(KEY))


class RefusedTests(GateCase):
    def test_neverProvisioned(self) -> None:
        """Key 0 of a device that has none: 449 or 142."""
        self.assertEqual(self.judged(0, PolicyState()), 142)
        self.assertEqual(self.old(0, PolicyState()), {449})

    def test_forgottenKey(self) -> None:
        """Key 0 of a device that has one on record: it has to provision again, 449 or 142."""
        self.assertEqual(self.judged(0), 142)
        self.assertEqual(self.old(0), {449})

    def test_betweenPhases(self) -> None:
        """The temporary key is good for nothing but its acknowledgement."""
        self.assertEqual(self.judged(7, PolicyState(temporary=7, temporary_hash=POLICY.hash)), 142)
        self.assertEqual(self.judged(7, evolve(CURRENT, temporary=7, temporary_hash=POLICY.hash)), 144)

    def test_policyChanged(self) -> None:
        """The key of a policy that is no longer in force: 449 or 144."""
        state = evolve(CURRENT, hash="older")
        self.assertEqual(self.judged(KEY, state), 144)
        self.assertEqual(self.old(KEY, state), {449})

    def test_otherKey(self) -> None:
        """A key that is not the one on record: 449 or 144."""
        self.assertEqual(self.judged(KEY - 1), 144)
        self.assertEqual(self.old(KEY - 1), {449})

    def test_refresh(self) -> None:
        """When the refresh interval is over: 449 or 143, and not a second before."""
        self.rules.refresh = 24 * HOUR
        self.now += 24 * HOUR - 1
        self.assertIsNone(self.judged(KEY))
        self.now += 1
        self.assertEqual(self.judged(KEY), 143)
        self.assertEqual(self.old(KEY), {449})

    def test_clockSetBack(self) -> None:
        """A grant that lies further in the future than the refresh interval counts as elapsed."""
        self.rules.refresh = HOUR
        self.now -= HOUR - 1
        self.assertIsNone(self.judged(KEY))
        self.now -= 1
        self.assertEqual(self.judged(KEY), 143)

    def test_noHeader(self) -> None:
        """No key header at all: let in if devices need not be provisionable, else 449 or 141."""
        self.assertIsNone(self.judged(None, PolicyState()))
        self.rules.allow_non_provisionable = False
        self.assertEqual(self.judged(None, PolicyState()), 141)
        self.assertEqual(self.old(None, PolicyState()), {449})

    def test_partly(self) -> None:
        """A device that could not apply all, or nothing, where that is not allowed: 403 or 139."""
        for said in (2, 3):
            state = evolve(CURRENT, acknowledged=said)
            self.rules.allow_non_provisionable = True
            self.assertIsNone(self.judged(KEY, state))
            self.rules.allow_non_provisionable = False
            self.assertEqual(self.judged(KEY, state), 139)
            self.assertEqual(self.old(KEY, state), {403})

    def test_partlyWithoutKey(self) -> None:
        """So it is for a device that got no key for that reason, until there is another policy."""
        self.rules.allow_non_provisionable = False
        state = PolicyState(temporary=7, temporary_hash=POLICY.hash, acknowledged=2)
        self.assertEqual(self.judged(0, state), 139)
        self.assertEqual(self.judged(0, evolve(state, temporary_hash="older")), 142)

    def test_partlyOfOlder(self) -> None:
        """What a device said of an older policy is not held against it."""
        self.rules.allow_non_provisionable = False
        self.assertEqual(self.judged(KEY, evolve(CURRENT, acknowledged=3, hash="older")), 144)

    def test_managed(self) -> None:
        """A device that says it is managed by others, where that is not allowed: 403 or 145."""
        state = evolve(CURRENT, acknowledged=4)
        self.assertEqual(self.judged(KEY, state), 145)
        self.assertEqual(self.old(KEY, state), {403})
        self.rules.allow_external = True
        self.assertIsNone(self.judged(KEY, state))

    def test_unsatisfiable(self) -> None:
        """A restriction that came with 12.1 keeps older clients out, unless devices need not be provisionable."""
        self.rules.policy_for = lambda user: CAMERA
        state = evolve(CURRENT, hash=CAMERA.hash)
        self.assertEqual({self.judged(KEY, state, version=version) for version in Version}, {None})
        self.rules.allow_non_provisionable = False
        refused = {version: self.judged(KEY, state, version=version) for version in Version}
        self.assertEqual([status for version, status in refused.items() if version < Version.V12_1], [403, 403])
        self.assertEqual({status for version, status in refused.items() if version >= Version.V12_1}, {None})


class AccessTests(GateCase):
    """Whether the device may come in at all ([MS-ASCMD] 2.2.2: 126, 129, 130)."""

    def setUp(self) -> None:
        super().setUp()
        self.admission = Admission()
        self.gate.verdict = self.admission.verdict

    def terms(self, new: Access, *rules: DeviceRule) -> None:
        self.admission.terms = AdmissionTerms(new, rules)

    def test_blocked(self) -> None:
        """A blocked device is told so, whatever it asks, Provision and Ping included: 403 or 129."""
        self.terms(Access.BLOCK)
        for command in ("FolderSync", "Sync", "Ping", "Provision", "Settings", "SendMail"):
            self.assertEqual(self.judged(KEY, command=command), 129, command)
        self.assertEqual(self.old(KEY), {403})

    def test_user(self) -> None:
        """A user none of whose devices may come in is told that: 403 or 126."""
        self.terms(Access.ALLOW, DeviceRule("nobody", Access.BLOCK, users=("ann",)))
        self.assertEqual(self.judged(KEY), 126)
        self.assertEqual(self.old(KEY), {403})

    def test_quarantine(self) -> None:
        """A device in quarantine may say what it is and fetch its policy, and nothing else: 403 or 130."""
        self.terms(Access.QUARANTINE)
        for command in ("FolderSync", "Sync", "Ping", "SendMail", "ItemOperations"):
            self.assertEqual(self.judged(KEY, command=command), 130, command)
        self.assertEqual(self.old(KEY), {403})
        for command in ("Provision", "Settings"):
            self.assertIsNone(self.judged(KEY, command=command), command)

    def test_beforeProvisioning(self) -> None:
        """Who may not come in is not sent to provision first; who waits has to, before Settings."""
        self.terms(Access.BLOCK)
        self.assertEqual(self.judged(0, PolicyState()), 129)
        self.terms(Access.QUARANTINE)
        self.assertEqual(self.judged(0, PolicyState()), 130)
        self.assertEqual(self.judged(0, PolicyState(), command="Settings"), 142)

    def test_wipe(self) -> None:
        """A blocked device may still come for its wipe."""
        self.terms(Access.BLOCK)
        wipe = Wipe(WipeState.REQUESTED, "root", NOW)
        self.assertEqual(self.judged(KEY, wipe=wipe), 140)
        self.assertIsNone(self.judged(KEY, wipe=wipe, command="Provision"))

    def test_stands(self) -> None:
        """Neither a blocked device nor one in quarantine may be parked."""
        for access in Access:
            self.terms(access)
            self.assertIs(self.gate.stands(Device(ANN, policy=CURRENT)), access is Access.ALLOW)


class WipeTests(GateCase):
    def test_pending(self) -> None:
        """A wipe keeps out a device with the right key: 449 or 140; without a key header 403 instead of 449."""
        wipe = Wipe(WipeState.REQUESTED, "root", NOW)
        self.assertEqual(self.judged(KEY, wipe=wipe), 140)
        self.assertEqual(self.judged(None, wipe=wipe), 140)
        self.assertEqual(self.old(KEY, wipe=wipe), {449})
        self.assertEqual(self.old(None, wipe=wipe), {403})

    def test_allStates(self) -> None:
        """It does so until it is taken back, also after it was acknowledged, and for users without a policy."""
        self.rules.policy_for = lambda user: None
        for state in WipeState:
            self.assertEqual(self.judged(KEY, wipe=Wipe(state, "root", NOW)), 140)

    def test_account(self) -> None:
        """An account-only wipe is for 16.1; older versions, which have no such thing, are denied access."""
        wipe = Wipe(WipeState.REQUESTED, "root", NOW, account_only=True)
        self.assertEqual(self.judged(KEY, version=Version.V16_1, wipe=wipe), 140)
        self.assertEqual(self.judged(KEY, version=Version.V16_0, wipe=wipe), 126)
        self.assertEqual(self.old(KEY, wipe=wipe), {403})


class StandsTests(GateCase):
    """Whether a Ping may be parked, which comes without a key."""

    def stands(self, state: PolicyState, wipe: Wipe | None = None) -> bool:
        return self.gate.stands(Device(ANN, policy=state, wipe=wipe))

    def test_current(self) -> None:
        """A device with a current permanent key on record may."""
        self.rules.allow_non_provisionable = False
        self.assertTrue(self.stands(CURRENT))

    def test_notCurrent(self) -> None:
        """One whose key was given for another policy, or is too old, may not."""
        self.assertFalse(self.stands(evolve(CURRENT, hash="older")))
        self.rules.refresh = HOUR
        self.now += HOUR
        self.assertFalse(self.stands(CURRENT))

    def test_noKey(self) -> None:
        """One that never provisioned may if devices need not be provisionable."""
        self.assertTrue(self.stands(PolicyState()))
        self.rules.allow_non_provisionable = False
        self.assertFalse(self.stands(PolicyState()))

    def test_halfWay(self) -> None:
        """One that has begun to provision has to finish."""
        self.assertFalse(self.stands(PolicyState(temporary=7, temporary_hash=POLICY.hash)))

    def test_noPolicy(self) -> None:
        """Without a policy every device may."""
        self.rules.allow_non_provisionable = False
        self.rules.policy_for = lambda user: None
        self.assertTrue(self.stands(PolicyState()))

    def test_wipe(self) -> None:
        """One that is to be wiped may not, with or without a policy."""
        wipe = Wipe(WipeState.REQUESTED, "root", NOW)
        self.assertFalse(self.stands(CURRENT, wipe))
        self.rules.policy_for = lambda user: None
        self.assertFalse(self.stands(CURRENT, wipe))
