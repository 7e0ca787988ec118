"""What an operator asks and orders, the same with and without a running gateway."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

from attrs import define, evolve, field
from twisted.logger import Logger

from gateway.admin.access import access_row
from gateway.admin.errors import Unknown
from gateway.admin.lines import Lines
from gateway.admin.modes import mode_row
from gateway.core.admission import Admission
from gateway.core.policy import Policy
from gateway.core.switchboard import Switchboard
from gateway.interfaces import IDevices
from gateway.model import Device, DeviceKey, Wipe, WipeState


def autd_state(device: Device) -> str:
    """The Ping parameters in force for a device, as the XML document that Exchange 2003 kept in the mailbox."""
    folders = "".join(
        f"\n  <Folder><Id>{folder}</Id><Class>{escape(word)}</Class></Folder>" for folder, word in device.folders or ()
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<AutdState xmlns="Ping:">\n <Version>1.0</Version>\n'
        f" <HeartbeatInterval>{device.heartbeat or ''}</HeartbeatInterval>\n"
        f" <Folders>{folders}\n </Folders>\n</AutdState>\n"
    )


@define(eq=False)
class Operations:
    """Listing, wiping and forgetting devices; C{board} is C{None} when no gateway runs, C{lines} where nothing is sent
    by SMS. C{admission} says which of them may synchronise."""

    log = Logger()

    devices: IDevices
    policy: Policy
    now: Callable[[], int]
    board: Switchboard | None = None
    lines: Lines | None = None
    admission: Admission = field(factory=Admission)

    async def list(self, user: str | None) -> list[dict[str, Any]]:
        """The devices of a user, or of all, as JSON values; times in seconds since the epoch.

        A device that was registered, or of which was decided, and that was never seen is one of them.
        """
        found = {device.key: device for device in await self.devices.devices(user)}
        lines = await self.lines.list(user) if self.lines is not None else []
        registered = {DeviceKey(line["user"], line["device"]): line for line in lines}
        decided = {key for key in self.admission.decisions if user in (None, key.user)}
        return [
            {**self._row(found.get(key) or Device(key)), "line": registered.get(key)}
            for key in sorted({*found, *registered, *decided})
        ]

    def _row(self, device: Device) -> dict[str, Any]:
        standing = self.policy.source(device.key.user, device.key.device)
        claim = self.board.claim_of(device.key) if self.board else None
        parked, heartbeat, folders = None, device.heartbeat, device.folders
        if claim is not None and claim.parked and self.board is not None:
            parked = round(self.board.clock.seconds() - claim.since)
            if claim.parameters is not None:
                heartbeat, folders = claim.parameters.interval, claim.parameters.folders
        return {
            "user": device.key.user,
            "device": device.key.device,
            "type": device.type,
            "agent": device.agent,
            "version": device.version,
            "mode": standing.mode.value,
            "mode_from": mode_row(standing),
            "parked_seconds": parked,
            "heartbeat": heartbeat,
            "folders": [[folder, word] for folder, word in folders or ()],
            "first_seen": device.first_seen,
            "last_seen": device.last_seen,
            "last_ping": device.last_ping,
            "last_sync": device.last_sync,
            "provisioned": device.policy.key != 0,
            **access_row(self.admission.verdict(device)),
            "information": dict(device.information),
            "wipe": None if device.wipe is None else _wipe_row(device.wipe),
        }

    async def _device(self, user: str, device: str) -> Device:
        found = await self.devices.device(DeviceKey(user.lower(), device.lower()))
        if found is None:
            raise Unknown(f"user {user!r} has no device {device!r}; 'pushgw devices {user}' lists what there is")
        return found

    async def state(self, user: str, device: str) -> str:
        """The AUTD state document of a device."""
        return autd_state(await self._device(user, device))

    async def recovery(self, user: str, device: str, by: str) -> str:
        """The password that unlocks a device whose owner has forgotten the own one."""
        found = await self._device(user, device)
        if not found.recovery:
            raise Unknown(
                f"there is no recovery password of {found.key.device} of {found.key.user}: a device sends one if its "
                "policy has PasswordRecoveryEnabled = 1"
            )
        self.log.warn(
            "the recovery password of {device} of {user} was shown to {by}",
            device=found.key.device,
            user=found.key.user,
            by=by,
        )
        return found.recovery

    async def wipe(self, user: str, device: str, by: str, account_only: bool = False) -> dict[str, Any]:
        """Ask for a remote wipe; a parked Ping of the device ends, so that it comes for it at once."""
        found = await self._device(user, device)
        wiped = evolve(found, wipe=Wipe(WipeState.REQUESTED, by, self.now(), account_only))
        await self.devices.keep(wiped, durable=True)
        self.log.warn(
            "wipe of {device} of {user} requested by {by} (account only: {account_only})",
            device=found.key.device,
            user=found.key.user,
            by=by,
            account_only=account_only,
        )
        if self.board is not None:
            self.board.recall(lambda key: key == found.key, "wipe")
        return self._row(wiped)

    async def cancel_wipe(self, user: str, device: str, by: str) -> dict[str, Any]:
        """Take a wipe back that the device has not acknowledged, or clear one that is over."""
        found = await self._device(user, device)
        if found.wipe is None:
            raise Unknown(f"no wipe of device {device!r} of user {user!r} is in hand")
        await self.devices.keep(evolve(found, wipe=None), durable=True)
        self.log.warn(
            "wipe of {device} of {user} ({state}) cancelled by {by}",
            device=found.key.device,
            user=found.key.user,
            state=found.wipe.state.value,
            by=by,
        )
        return self._row(evolve(found, wipe=None))

    async def forget(self, user: str, device: str, by: str) -> None:
        """End a partnership: the device has to begin anew."""
        found = await self._device(user, device)
        await self.devices.forget(found.key)
        self.log.warn(
            "device {device} of {user} forgotten by {by}", device=found.key.device, user=found.key.user, by=by
        )
        if self.lines is not None:
            self.lines.dropped(found.key)
        if self.board is not None:
            self.board.recall(lambda key: key == found.key, "forgotten")


def _wipe_row(wipe: Wipe) -> dict[str, Any]:
    return {
        "state": wipe.state.value,
        "by": wipe.by,
        "account_only": wipe.account_only,
        "requested": wipe.requested,
        "sent": wipe.sent,
        "acknowledged": wipe.acknowledged,
    }
