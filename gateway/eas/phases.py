"""The two phases in which a device gets its policy ([MS-ASPROV] 3.1.5.1.1, 3.2.5.1)."""

from __future__ import annotations

import re
from collections.abc import Callable

from attrs import define, evolve

from gateway.eas.call import Answer, Call, Refused, Version
from gateway.eas.gate import NOT_FULLY, Rules
from gateway.eas.policydoc import OPEN, Policy, provision_doc, wap_document
from gateway.element import Element
from gateway.interfaces import IDevices
from gateway.model import Device, PolicyState

SUCCESS = 1
NO_POLICY, UNKNOWN_TYPE, WRONG_KEY = 2, 3, 5
NO_INFORMATION = 165

WAP = "MS-WAP-Provisioning-XML"
WBXML = "MS-EAS-Provisioning-WBXML"

LONGEST_TEXT = 1024
_UNSIGNED = re.compile(r"[0-9]{1,10}", re.ASCII)

INFORMATION = (
    "Model",
    "IMEI",
    "FriendlyName",
    "OS",
    "OSLanguage",
    "PhoneNumber",
    "UserAgent",
    "EnableOutboundSMS",
    "MobileOperator",
)
"""What a device says of itself ([MS-ASCMD] 2.2.3.45)."""


class Malformed(ValueError):
    """The body is no Provision request: Status 2."""


def information(given: Element) -> dict[str, str]:
    """What settings:DeviceInformation tells, as far as it is known, of reasonable length, and fit to be shown.

    @raise Malformed: there is no Set in it.
    """
    told = given.child("Settings:Set")
    if told is None:
        raise Malformed("DeviceInformation without Set")
    texts = ((name, told.text_of(f"Settings:{name}")) for name in INFORMATION)
    return {name: text for name, text in texts if text and len(text) <= LONGEST_TEXT and text.isprintable()}


@define(eq=False)
class Phase:
    """One request of a device that is to be given its policy; C{now} is in seconds, C{new_key} makes policy keys."""

    devices: IDevices
    rules: Rules
    now: Callable[[], int]
    new_key: Callable[[], int]
    call: Call
    device: Device
    body: Element

    def told(self) -> Element | None:
        """What the device says of itself; clients before 14.1 must not say anything ([MS-ASPROV] 2.2.2.53)."""
        return self.body.child("Settings:DeviceInformation") if self.call.version >= Version.V14_1 else None

    async def answer(self) -> Answer:
        """Answer the request.

        @raise Malformed: it is neither phase.
        @raise Refused: 165, and 139 for a policy that the version cannot be told.
        """
        policies = self.body.child("Provision:Policies")
        offered = [] if policies is None else policies.all("Provision:Policy")
        if len(offered) != 1:
            raise Malformed("neither one Policy nor RemoteWipe")
        policy = offered[0]
        if policy.child("Provision:PolicyKey") is None and policy.child("Provision:Status") is None:
            return await self.first(policy)
        return await self.second(policy)

    async def first(self, asked: Element) -> Answer:
        """Phase 1: send the policy with a key that is good for its acknowledgement only.

        Clients of later versions must say what they are ([MS-ASPROV] 2.2.2.53). Some never do, so that is asked of
        them only where a device that does not do all it should is not let in.
        """
        wanted = self.call.version >= Version.V14_1 and not self.rules.allow_non_provisionable
        if wanted and self.told() is None:
            raise Refused(NO_INFORMATION, "the first Provision has no DeviceInformation")
        kind, policy = self._kind(asked), self._policy()
        device, status = self._informed(), self._unfit(kind, policy)
        if status is not None:
            if device is not self.device:
                await self.devices.keep(device, durable=False)
            return self._respond(_policy(kind, status))
        assert policy is not None
        if not self.rules.reaches(policy, self.call.version):
            raise Refused(NOT_FULLY, f"version {self.call.version} cannot be told all of the policy")
        key = self._another(device.policy.key)
        said = device.policy.acknowledged if device.policy.key else 0
        state = evolve(device.policy, temporary=key, temporary_hash=policy.hash, acknowledged=said)
        await self.devices.keep(evolve(device, policy=state), durable=True)
        return self._respond(_policy(kind, SUCCESS, key, _data(policy, self.call.version)))

    async def second(self, asked: Element) -> Answer:
        """Phase 2: the device says what became of the policy, and gets the key that it shall send from now on.

        An acknowledgement that comes again, because its answer was lost, gets the same key again.
        """
        kind, policy = self._kind(asked), self._policy()
        said, key = self._acknowledged(asked)
        status = self._unfit(kind, policy)
        state = self.device.policy
        if status is None and (not key or key != state.temporary):
            status = WRONG_KEY
        if status is not None:
            return self._respond(_policy(kind, status))
        if state.key and not state.temporary_hash and said == state.acknowledged:
            return self._respond(_policy(kind, SUCCESS, state.key))
        refused, of = self.rules.refused(said), state.temporary_hash or state.hash
        if refused is not None:
            await self._keep(PolicyState(temporary=key, temporary_hash=of, acknowledged=said))
            return self._declined(refused, said)
        granted = PolicyState(
            temporary=key,
            key=self._another(key),
            hash=of,
            granted=self.now(),
            acknowledged=said,
        )
        await self._keep(granted)
        return self._respond(_policy(kind, SUCCESS, granted.key))

    def _declined(self, status: int, said: int) -> Answer:
        """The device may not go on; this is a Status of Provision itself in every version ([MS-ASPROV] 3.1.5.2)."""
        root = Element("Provision:Provision", Element("Provision:Status", status))
        return Answer(root, log={"St": status, "E": f"the device acknowledged the policy with {said}"})

    async def _keep(self, state: PolicyState) -> None:
        await self.devices.keep(evolve(self._informed(), policy=state), durable=True)

    def _another(self, key: int) -> int:
        """A new key that is not this one."""
        new = self.new_key()
        while new == key:
            new = self.new_key()
        return new

    def _policy(self) -> Policy | None:
        """The policy of the user, or C{None} if he is excepted.

        Where none is in force it is one that asks for nothing: clients that provision before anything else stop when
        they get no key.
        """
        user = self.call.device.user
        policy = self.rules.policy_for(user)
        return OPEN if policy is None and not self.rules.excepted(user) else policy

    def _kind(self, asked: Element) -> str:
        kind = asked.text_of("Provision:PolicyType")
        if not kind or len(kind) > 64:
            raise Malformed("no PolicyType")
        return kind

    def _unfit(self, kind: str, policy: Policy | None) -> int | None:
        """The Status of a Policy that cannot be given."""
        if kind != (WAP if self.call.version < Version.V12_0 else WBXML):
            return UNKNOWN_TYPE
        return NO_POLICY if policy is None else None

    def _acknowledged(self, asked: Element) -> tuple[int, int]:
        said, key = asked.text_of("Provision:Status"), asked.text_of("Provision:PolicyKey")
        if said not in ("1", "2", "3", "4") or key is None or not _UNSIGNED.fullmatch(key):
            raise Malformed("an acknowledgement holds PolicyKey and a Status of 1 to 4")
        return int(said), int(key)

    def _informed(self) -> Device:
        """The device with what it says of itself."""
        told = self.told()
        return self.device if told is None else evolve(self.device, information=information(told))

    def _respond(self, policy: Element | None = None) -> Answer:
        told = None
        if self.told() is not None:
            told = Element("Settings:DeviceInformation", Element("Settings:Status", SUCCESS))
        policies = policy and Element("Provision:Policies", policy)
        root = Element("Provision:Provision", told, Element("Provision:Status", SUCCESS), policies)
        return Answer(root, log={"St": SUCCESS, **_logged(policy)})


def _logged(policy: Element | None) -> dict[str, str | int]:
    return {} if policy is None else {"Pol": policy.text_of("Provision:Status") or ""}


def _data(policy: Policy, version: Version) -> Element:
    return Element(
        "Provision:Data", wap_document(policy) if version < Version.V12_0 else provision_doc(policy, version)
    )


def _policy(kind: str, status: int, key: int | None = None, data: Element | None = None) -> Element:
    return Element(
        "Provision:Policy",
        Element("Provision:PolicyType", kind),
        Element("Provision:Status", status),
        key and Element("Provision:PolicyKey", key),
        data,
    )
