"""Provision: giving a device its policy, and telling it to wipe itself ([MS-ASPROV] 3.1.5.1, 3.2.5)."""

from __future__ import annotations

import re
from collections.abc import Callable
from secrets import randbelow

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from gateway.eas.call import Answer, Call, Refused, Version
from gateway.eas.gate import DISABLED, NOT_FULLY, Rules
from gateway.eas.policydoc import Policy, provision_doc, wap_document
from gateway.eas.turns import Turns, shielded
from gateway.element import Element
from gateway.interfaces import BackendDown, IDevices
from gateway.model import Device, DeviceKey, PolicyState, Wipe, WipeState

SUCCESS, PROTOCOL, FAILED = 1, 2, 3
NO_POLICY, UNKNOWN_TYPE, WRONG_KEY = 2, 3, 5
NO_INFORMATION = 165

WAP = "MS-WAP-Provisioning-XML"
WBXML = "MS-EAS-Provisioning-WBXML"

LARGEST_KEY = 2**31 - 1
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

_WIPES = {"Provision:RemoteWipe": False, "Provision:AccountOnlyRemoteWipe": True}


def random_key() -> int:
    """A policy key: unpredictable, never 0, and the same number to clients that read it as signed."""
    return 1 + randbelow(LARGEST_KEY)


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
class Provision:
    """The Provision command; C{now} is wall-clock time in seconds, C{new_key} makes policy keys."""

    log = Logger()

    devices: IDevices
    rules: Rules
    now: Callable[[], int]
    new_key: Callable[[], int] = random_key
    _turns: Turns = field(init=False, factory=Turns)

    async def __call__(self, call: Call) -> Answer:
        """Answer a request of either phase, or one of a wipe.

        What was written stays written if the client leaves meanwhile.

        @raise Refused: 126, 139, 145 and 165.
        """
        try:
            return await shielded(self._turns.take(call.device, lambda: self._serve(call)))
        except (Refused, CancelledError):
            raise
        except Malformed as error:
            return _answer(PROTOCOL, why=str(error))
        except BackendDown as error:
            self.log.warn("Provision of {device}: {error}", device=call.device, error=error)
            return _answer(FAILED, why=str(error))

    async def _serve(self, call: Call) -> Answer:
        body = call.body or Element("Provision:Provision")
        if body.tag != "Provision:Provision" or call.raw:
            raise Malformed("the root is not Provision")
        device = await self.devices.device(call.device) or Device(call.device, first_seen=self.now())
        acknowledgement = next((child for child in body if child.tag in _WIPES), None)
        if acknowledgement is not None:
            return await self._wiped(device, acknowledgement)
        if device.wipe is not None:
            return await self._wipe(device, call.version)
        if not body.children:
            return _answer(SUCCESS)
        return await self._provision(Phase(self, call, device, body))

    async def _provision(self, phase: Phase) -> Answer:
        policies = phase.body.child("Provision:Policies")
        if policies is None:
            raise Malformed("neither Policies nor RemoteWipe")
        offered = policies.all("Provision:Policy")
        if len(offered) != 1:
            raise Malformed("Policies holds one Policy")
        policy = offered[0]
        if policy.child("Provision:PolicyKey") is None and policy.child("Provision:Status") is None:
            return await phase.first(policy)
        return await phase.second(policy)

    async def _wipe(self, device: Device, version: Version) -> Answer:
        """Tell a device to wipe itself, as often as it asks until the wipe is taken back."""
        wipe = device.wipe
        assert wipe is not None
        if wipe.account_only and version < Version.V16_1:
            raise Refused(DISABLED, "the account is to be wiped, which this version cannot do")
        if wipe.state is WipeState.REQUESTED:
            wipe = evolve(wipe, state=WipeState.SENT, sent=self.now())
            await self.devices.keep(evolve(device, wipe=wipe), durable=True)
        self._note(device.key, wipe)
        return _answer(SUCCESS, _wipe_element(wipe.account_only), log={"Wipe": "sent"})

    async def _wiped(self, device: Device, acknowledgement: Element) -> Answer:
        """A device says whether it wiped itself."""
        wipe = device.wipe
        if wipe is None or wipe.account_only is not _WIPES[acknowledgement.tag]:
            raise Malformed("no such wipe was asked for")
        said = acknowledgement.text_of("Provision:Status")
        if said not in ("1", "2"):
            raise Malformed("a wipe is acknowledged with 1 or 2")
        state = WipeState.DONE if said == "1" else WipeState.FAILED
        wiped = evolve(wipe, state=state, sent=wipe.sent or self.now(), acknowledged=self.now())
        # A device that erased itself has no policy key any more.
        policy = PolicyState() if state is WipeState.DONE else device.policy
        await self.devices.keep(evolve(device, wipe=wiped, policy=policy), durable=True)
        self._note(device.key, wiped)
        if state is WipeState.DONE:
            return _answer(SUCCESS, log={"Wipe": "done"})
        return _answer(PROTOCOL, _wipe_element(wipe.account_only), log={"Wipe": "failed"})

    def _note(self, device: DeviceKey, wipe: Wipe) -> None:
        self.log.info(
            "wipe of {user}'s {device}, asked for by {by}: {state}",
            user=device.user,
            device=device.device,
            by=wipe.by,
            state=wipe.state.value,
        )


@define(eq=False)
class Phase:
    """One request of a device that is to be given its policy."""

    command: Provision
    call: Call
    device: Device
    body: Element

    def told(self) -> Element | None:
        """What the device says of itself; clients before 14.1 must not say anything ([MS-ASPROV] 2.2.2.53)."""
        return self.body.child("Settings:DeviceInformation") if self.call.version >= Version.V14_1 else None

    async def first(self, asked: Element) -> Answer:
        """Phase 1: send the policy with a key that is good for its acknowledgement only."""
        if self.call.version >= Version.V14_1 and self.told() is None and not self.device.information:
            raise Refused(NO_INFORMATION, "the first Provision has no DeviceInformation")
        kind, policy = self._kind(asked), self._policy()
        device, status = self._informed(), self._unfit(kind, policy)
        if status is not None:
            if device is not self.device:
                await self.command.devices.keep(device, durable=False)
            return self._respond(_policy(kind, status))
        assert policy is not None
        if not self.command.rules.reaches(policy, self.call.version):
            raise Refused(NOT_FULLY, f"version {self.call.version} cannot be told all of the policy")
        key = self._another(device.policy.key)
        said = device.policy.acknowledged if device.policy.key else 0
        state = evolve(device.policy, temporary=key, temporary_hash=policy.hash, acknowledged=said)
        await self.command.devices.keep(evolve(device, policy=state), durable=True)
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
        refused, of = self.command.rules.refused(said), state.temporary_hash or state.hash
        if refused is not None:
            left = PolicyState(temporary=key, temporary_hash=of, acknowledged=said)
            await self._keep(left)
            raise Refused(refused, f"the device acknowledged the policy with {said}")
        granted = PolicyState(
            temporary=key,
            key=self._another(key),
            hash=of,
            granted=self.command.now(),
            acknowledged=said,
        )
        await self._keep(granted)
        return self._respond(_policy(kind, SUCCESS, granted.key))

    async def _keep(self, state: PolicyState) -> None:
        await self.command.devices.keep(evolve(self._informed(), policy=state), durable=True)

    def _another(self, key: int) -> int:
        """A new key that is not this one."""
        new = self.command.new_key()
        while new == key:
            new = self.command.new_key()
        return new

    def _policy(self) -> Policy | None:
        return self.command.rules.policy_for(self.call.device.user)

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


def _wipe_element(account_only: bool) -> Element:
    return Element("Provision:AccountOnlyRemoteWipe" if account_only else "Provision:RemoteWipe")


def _answer(
    status: int, content: Element | None = None, *, why: str = "", log: dict[str, str | int] | None = None
) -> Answer:
    fields: dict[str, str | int] = {"St": status, **(log or {})}
    if why:
        fields["E"] = why
    return Answer(Element("Provision:Provision", Element("Provision:Status", status), content), log=fields)
