"""Notify: a phone of the first generation registers the number that an SMS reaches it by (code page AirNotify).

No specification of this command was ever published but for the names of its elements; what is said with them here is
this gateway's own. A request holds C{DeviceInfo} with C{Enable} (0 or 1), C{DeviceAddress} (a number with the code of
its country, or a mail address of the user's own), C{CarrierProfile} (one of those that the answer lists) and
C{DeviceFriendlyName}; without C{DeviceInfo} it asks what is registered. C{Notification} and what is in it is passed
over: nothing is known of the unit of its C{LifeTime}.

The answer has a C{Status}, C{ValidCarrierProfiles} with a C{CarrierProfile} for each operator that can be chosen, and
for a device that is registered C{Responses/Devices/Device} with C{Id} (its device id), C{Expiry} (UTC; none if the
registration never lapses), C{NotifyGUID} where that is switched on, and C{DeviceFriendlyName}.

Status values: 1 done; 2 the request is not understood; 3 the address is neither a number with the code of its country
nor a mail address; 4 no such carrier profile, or none with a number; 5 addresses of users' own are not taken here.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from attrs import define, evolve, field
from twisted.logger import Logger

from gateway.core.numbers import BadNumber, e164, masked
from gateway.eas.call import Answer, Call
from gateway.eas.turns import Turns, shielded
from gateway.element import Element
from gateway.interfaces import ITriggers
from gateway.model import DeviceKey
from gateway.trigger import Line

SUCCESS, PROTOCOL, BAD_ADDRESS, BAD_PROFILE, NOT_ALLOWED = 1, 2, 3, 4, 5

#: Characters of a friendly name that are kept.
LONGEST_NAME = 64
#: Who registered a line that came by this command.
BY_DEVICE = "device"

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")
_LONGEST_ADDRESS = 254

#: The GUID that the next trigger of a device will have, now that it has synchronised; C{None}: it is not told.
GuidOf = Callable[[DeviceKey], Awaitable[str | None]]


async def no_guid(device: DeviceKey) -> str | None:
    """No device is told a GUID."""
    return None


def _nobody(device: DeviceKey) -> None:
    """There is nobody to be told."""


class _Wrong(ValueError):
    """The request is answered with that Status."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@define(eq=False)
class NotifyTerms:
    """What is configured; every attribute may be set anew while devices are served.

    C{carriers}: names of operators by the names that people choose from; C{own_addresses}: whether mail addresses of
    users' own are taken; C{lease}: seconds after which a registration lapses without a sync, 0: never.
    """

    carriers: Mapping[str, str] = field(factory=dict)
    own_addresses: bool = False
    lease: int = 0


@define(eq=False)
class Notify:
    """The Notify command; C{now} is wall-clock time in seconds, C{registered} and C{dropped} are told of devices."""

    log = Logger()

    triggers: ITriggers
    terms: NotifyTerms
    now: Callable[[], int]
    guid_of: GuidOf = no_guid
    registered: Callable[[DeviceKey], None] = _nobody
    dropped: Callable[[DeviceKey], None] = _nobody
    _turns: Turns = field(init=False, factory=Turns)

    async def __call__(self, call: Call) -> Answer:
        """Register the device, end its registration, or tell it what is registered.

        What was written stays written if the client leaves meanwhile.
        """
        return await shielded(self._turns.take(call.device, lambda: self._serve(call)))

    async def _serve(self, call: Call) -> Answer:
        try:
            line = await self._carry_out(call)
        except _Wrong as wrong:
            return self._answer(wrong.status, None, log={"E": str(wrong)})
        return self._answer(SUCCESS, await self._device(line) if line is not None else None)

    async def _carry_out(self, call: Call) -> Line | None:
        """Do what is asked; the registration that there is then."""
        key = call.device
        known = next((line for line in await self.triggers.lines(key.user) if line.key == key), None)
        asked = _device_info(call)
        if asked is None:
            return known
        enable = asked.text_of("AirNotify:Enable", "")
        if enable == "0":
            await self._drop(key)
            return None
        if enable != "1":
            raise _Wrong(PROTOCOL, "Enable is neither 0 nor 1")
        line = self._line(key, asked, known)
        await self.triggers.keep_line(line)
        self.log.info(
            "device {device} of {user} has registered {to} with {operator}",
            device=key.device,
            user=key.user,
            to=masked(line.number) if line.number else "an address",
            operator=line.operator or "the relay",
        )
        self.registered(key)
        return line

    async def _drop(self, key: DeviceKey) -> None:
        if await self.triggers.drop_line(key):
            self.log.info("device {device} of {user} has ended its registration", device=key.device, user=key.user)
            self.dropped(key)

    def _line(self, key: DeviceKey, asked: Element, known: Line | None) -> Line:
        now = self.now()
        line = known or Line(key)
        number, operator, address = self._way(
            (asked.text_of("AirNotify:DeviceAddress", "") or "").strip(),
            (asked.text_of("AirNotify:CarrierProfile", "") or "").strip(),
        )
        same = (line.number, line.operator, line.address) == (number, operator, address)
        return evolve(
            line,
            number=number,
            operator=operator,
            address=address,
            name=_shown(asked.text_of("AirNotify:DeviceFriendlyName", "") or ""),
            since=line.since if same else now,
            expires=now + self.terms.lease if self.terms.lease else 0,
            by=BY_DEVICE,
        )

    def _way(self, text: str, profile: str) -> tuple[str, str, str]:
        """Number and operator, or else the mail address."""
        if "@" in text:
            if not self.terms.own_addresses:
                raise _Wrong(NOT_ALLOWED, "addresses of users' own are not taken")
            if len(text) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(text):
                raise _Wrong(BAD_ADDRESS, "no mail address")
            return "", "", text
        try:
            number = e164(text)
        except BadNumber:
            raise _Wrong(BAD_ADDRESS, "no number with the code of its country") from None
        operators = {name.casefold(): operator for name, operator in self.terms.carriers.items()}
        if profile.casefold() not in operators:
            raise _Wrong(BAD_PROFILE, "no such carrier profile")
        return number, operators[profile.casefold()], ""

    async def _device(self, line: Line) -> Element:
        """What a device is told of its registration."""
        guid = await self.guid_of(line.key)
        return Element(
            "AirNotify:Device",
            Element("AirNotify:Id", line.key.device),
            Element("AirNotify:Expiry", _utc(line.expires)) if line.expires else None,
            Element("AirNotify:NotifyGUID", guid) if guid else None,
            Element("AirNotify:DeviceFriendlyName", line.name) if line.name else None,
        )

    def _answer(self, status: int, device: Element | None, log: Mapping[str, str | int] | None = None) -> Answer:
        profiles = [Element("AirNotify:CarrierProfile", name) for name in sorted(self.terms.carriers)]
        devices = None if device is None else Element("AirNotify:Devices", device)
        return Answer(
            Element(
                "AirNotify:Notify",
                Element("AirNotify:Status", status),
                Element("AirNotify:ValidCarrierProfiles", *profiles),
                None if devices is None else Element("AirNotify:Responses", devices),
            ),
            log={"St": status, **(log or {})},
        )


def _device_info(call: Call) -> Element | None:
    """The DeviceInfo of a request, C{None} if it only asks."""
    if call.raw or (call.body is not None and call.body.tag != "AirNotify:Notify"):
        raise _Wrong(PROTOCOL, "the root is not Notify")
    found = [] if call.body is None else call.body.all("AirNotify:DeviceInfo")
    if len(found) > 1:
        raise _Wrong(PROTOCOL, "more than one DeviceInfo")
    return found[0] if found else None


def _shown(name: str) -> str:
    return "".join(filter(str.isprintable, name)).strip()[:LONGEST_NAME]


def _utc(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.000Z"
