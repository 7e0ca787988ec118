"""Provision: giving a device its policy, and telling it to wipe itself ([MS-ASPROV] 3.1.5.1, 3.2.5)."""

from __future__ import annotations

from collections.abc import Callable
from secrets import randbelow

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from gateway.eas.call import Answer, Call, Refused, Version
from gateway.eas.gate import DISABLED, Rules
from gateway.eas.phases import Malformed, Phase
from gateway.eas.turns import Turns, shielded
from gateway.element import Element
from gateway.interfaces import BackendDown, IDevices
from gateway.model import Device, DeviceKey, PolicyState, Wipe, WipeState

SUCCESS, PROTOCOL, FAILED = 1, 2, 3

LARGEST_KEY = 2**31 - 1

_WIPES = {"Provision:RemoteWipe": False, "Provision:AccountOnlyRemoteWipe": True}


def random_key() -> int:
    """A policy key: unpredictable, never 0, and the same number to clients that read it as signed."""
    return 1 + randbelow(LARGEST_KEY)


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

        @raise Refused: 126, 165, and 139 for a policy that the version cannot be told.
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
        return await Phase(self.devices, self.rules, self.now, self.new_key, call, device, body).answer()

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


def _wipe_element(account_only: bool) -> Element:
    return Element("Provision:AccountOnlyRemoteWipe" if account_only else "Provision:RemoteWipe")


def _answer(
    status: int, content: Element | None = None, *, why: str = "", log: dict[str, str | int] | None = None
) -> Answer:
    fields: dict[str, str | int] = {"St": status, **(log or {})}
    if why:
        fields["E"] = why
    return Answer(Element("Provision:Provision", Element("Provision:Status", status), content), log=fields)
