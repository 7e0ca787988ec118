"""Settings: what a device says of itself, and what a user sets and asks by it ([MS-ASCMD] 2.2.1.18)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from attrs import define, evolve, field
from twisted.logger import Logger

from gateway.eas.call import Answer, Call, Refused, Version
from gateway.eas.gate import Rules
from gateway.eas.oof import Wrong, asked_form, changed, oof_element
from gateway.eas.phases import LONGEST_TEXT, information
from gateway.eas.turns import Turns, shielded
from gateway.element import Element
from gateway.interfaces import BackendDown, IAbsences, IDevices
from gateway.model import Device, DeviceKey

SUCCESS, MALFORMED, UNAVAILABLE, INVALID, DENIED_BY_POLICY = 1, 2, 4, 5, 7
NO_BODY = 101

LONGEST_PASSWORD = 255

_RIGHTS = "Settings:RightsManagementInformation"

#: What each property can be asked to do.
_VERBS = {
    _RIGHTS: ("Get",),
    "Settings:Oof": ("Get", "Set"),
    "Settings:DevicePassword": ("Set",),
    "Settings:DeviceInformation": ("Set",),
    "Settings:UserInformation": ("Get",),
}


class _Malformed(ValueError):
    """The request is not understood, so nothing of it is done: Status 2 of the whole."""


@define(eq=False)
class Settings:
    """The Settings command; C{addresses} gives the mail addresses of a user, the primary one first."""

    log = Logger()

    devices: IDevices
    absences: IAbsences
    addresses: Callable[[str], Sequence[str]]
    rules: Rules
    now: Callable[[], int]
    _turns: Turns = field(init=False, factory=Turns)

    async def __call__(self, call: Call) -> Answer:
        """Carry out the properties in the order in which they are there, each of which has a Status of its own.

        What was written stays written if the client leaves meanwhile.

        @raise Refused: 101 without a body.
        """
        if call.body is None:
            raise Refused(NO_BODY, "a Settings without a body")
        try:
            properties = _properties(call.body, call.version)
        except _Malformed as error:
            root = Element("Settings:Settings", Element("Settings:Status", MALFORMED))
            return Answer(root, log={"St": MALFORMED, "E": str(error)})
        return await shielded(self._turns.take(call.device, lambda: self._all(call, properties)))

    async def _all(self, call: Call, properties: Sequence[tuple[Element, Element]]) -> Answer:
        answers = [await self._one(call, property, verb) for property, verb in properties]
        statuses = ",".join(answer.text_of("Settings:Status") or "" for answer in answers)
        root = Element("Settings:Settings", Element("Settings:Status", SUCCESS), *answers)
        return Answer(root, log={"St": statuses or SUCCESS})

    async def _one(self, call: Call, property: Element, verb: Element) -> Element:
        """The answer to one property."""
        status, got = SUCCESS, None
        try:
            got = await self._work(property)(call, verb)
        except Wrong as wrong:
            status = wrong.status
            self.log.debug("{what} of {device}: {why}", what=property.name, device=call.device, why=str(wrong))
        except BackendDown as error:
            status = UNAVAILABLE
            self.log.warn("{what} of {device} put off: {why}", what=property.name, device=call.device, why=str(error))
        return Element(property.tag, Element("Settings:Status", status), got)

    def _work(self, property: Element) -> Callable[[Call, Element], Awaitable[Element | None]]:
        return {
            "RightsManagementInformation": self._rights,
            "Oof": self._oof,
            "DevicePassword": self._password,
            "DeviceInformation": self._information,
            "UserInformation": self._user,
        }[property.name]

    async def _rights(self, call: Call, get: Element) -> Element:
        """There are no templates: rights are not managed here."""
        return Element("Settings:Get", Element("RightsManagement:RightsManagementTemplates"))

    async def _oof(self, call: Call, verb: Element) -> Element | None:
        user = call.device.user
        if verb.name == "Get":
            form = asked_form(verb)
            return oof_element(await self.absences.absence(user), form)
        kept = await self.absences.keep_absence(user, changed(verb, await self.absences.absence(user)))
        self.log.info("{user} is {away}", user=user, away={0: "not away", 1: "away"}.get(kept.away, "away for a time"))
        return None

    async def _password(self, call: Call, set_: Element) -> None:
        """Keep the password that unlocks the device, if the policy of the user wants that; an empty one is none."""
        policy = self.rules.policy_for(call.device.user)
        if policy is None or policy.number("PasswordRecoveryEnabled") != 1:
            raise Wrong(DENIED_BY_POLICY, "the policy has no recovery of passwords")
        password = set_.text_of("Settings:Password") or ""
        if len(password) > LONGEST_PASSWORD:
            raise Wrong(INVALID, "the password is too long")
        device = await self._device(call.device)
        await self.devices.keep(evolve(device, recovery=password), durable=True)

    async def _information(self, call: Call, set_: Element) -> None:
        """Keep what the device says of itself. A number in it is no registration for SMS."""
        if any(len(child.text) > LONGEST_TEXT for child in set_):
            raise Wrong(INVALID, "a text is too long")
        device = await self._device(call.device)
        told = information(Element("Settings:DeviceInformation", set_))
        await self.devices.keep(evolve(device, information=told), durable=False)

    async def _device(self, key: DeviceKey) -> Device:
        return await self.devices.device(key) or Device(key, first_seen=self.now())

    async def _user(self, call: Call, get: Element) -> Element:
        """The addresses of the user, since 14.1 those of the one account there is ([MS-ASCMD] 2.2.3.5)."""
        found = self.addresses(call.device.user)
        listed = [Element("Settings:SMTPAddress", address) for address in found]
        if call.version < Version.V14_1:
            return Element("Settings:Get", Element("Settings:EmailAddresses", *listed))
        listed += [Element("Settings:PrimarySmtpAddress", address) for address in found[:1]]
        account = Element("Settings:Account", Element("Settings:EmailAddresses", *listed))
        return Element("Settings:Get", Element("Settings:Accounts", account))


def _properties(body: Element, version: Version) -> list[tuple[Element, Element]]:
    """The properties, each with its Get or Set; the schema has none of them as required.

    @raise _Malformed: for one that there is not, one that is there twice, and one that is to do what it cannot.
    """
    tags = [child.tag for child in body]
    if body.tag != "Settings:Settings" or len(set(tags)) != len(tags):
        raise _Malformed("no Settings, or a property twice")
    if _RIGHTS in tags and version < Version.V14_1:
        raise _Malformed("a version that knows of no rights ([MS-ASRM] 3.2.5)")
    return [(property, _verb(property)) for property in body]


def _verb(property: Element) -> Element:
    allowed = [f"Settings:{name}" for name in _VERBS.get(property.tag, ())]
    if len(property.children) != 1 or property.children[0].tag not in allowed:
        raise _Malformed(f"{property.name} does not do this")
    verb = property.children[0]
    if property.tag == "Settings:DevicePassword" and [child.tag for child in verb] != ["Settings:Password"]:
        raise _Malformed("a DevicePassword has one Password")
    repeatable = property.tag == "Settings:Oof"
    names = [child.tag for child in verb if not (repeatable and child.tag == "Settings:OofMessage")]
    if len(set(names)) != len(names):
        raise _Malformed(f"something is twice in {property.name}")
    return verb
