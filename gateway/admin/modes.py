"""Modes by command: put over the configuration, effective at once, and undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define
from twisted.logger import Logger

from gateway.admin.errors import Refused, Unknown
from gateway.core.policy import Policy, Standing
from gateway.core.switchboard import Switchboard
from gateway.interfaces import IAccounts, IDevices, IOverrides, ITriggers
from gateway.model import DeviceKey, Mode
from gateway.trigger import Override

_SMS = (Mode.SMS, Mode.BOTH, Mode.AUTO)


def _nothing() -> None:
    """There is nobody to be told."""


@define(eq=False)
class Modes:
    """The modes that commands set.

    C{sends_sms}: whether there is anybody who takes SMS; C{board} is C{None} when no gateway runs; C{changed} is told
    after a change.
    """

    log = Logger()

    overrides: IOverrides
    triggers: ITriggers
    devices: IDevices
    policy: Policy
    accounts: IAccounts
    now: Callable[[], int]
    board: Switchboard | None = None
    sends_sms: bool = False
    changed: Callable[[], None] = _nothing

    async def load(self) -> None:
        """Take over what is stored.

        @raise gateway.interfaces.BackendDown: the store does not answer.
        """
        self.policy.load(await self.overrides.overrides())

    async def show(self, user: str, device: str = "") -> dict[str, Any]:
        """The mode in force for a device, or for a user and for each of its devices, and where each comes from."""
        key = await self._known(user, device)
        row = self._row(key.user, key.device)
        if not device:
            row["devices"] = [self._row(key.user, each) for each in await self._devices(key.user)]
        return row

    async def set(self, user: str, device: str, mode: str, by: str) -> dict[str, Any]:
        """Put a mode over the configuration, or with an empty C{mode} take it away; what is then in force.

        @raise Unknown: no such user or device. @raise Refused: no such mode, or nobody who takes SMS.
        """
        wanted = self._wanted(mode)
        key = await self._known(user, device)
        before = self.policy.mode(key.user, key.device)
        override = None if wanted is None else Override(key.user, key.device, wanted, by, self.now())
        await self.overrides.override(key.user, key.device, override)
        moved = self.policy.override(key.user, key.device, override)
        now = self.policy.mode(key.user, key.device)
        self.log.warn(
            "mode of {device} of {user} set to {wanted} by {by}: it was {before}, it is {now}",
            device=key.device or "all devices",
            user=key.user,
            wanted=mode or "the default",
            by=by,
            before=before.value,
            now=now.value,
        )
        if self.board is not None:
            self.board.recall(moved, "mode")
        self.changed()
        return await self.show(key.user, key.device)

    def _wanted(self, mode: str) -> Mode | None:
        if not mode:
            return None
        try:
            wanted = Mode(mode)
        except ValueError:
            raise Refused(f"there is no mode {mode!r}: it is one of {', '.join(m.value for m in Mode)}") from None
        if wanted in _SMS and not self.sends_sms:
            raise Refused(
                f"mode {mode} needs somebody who takes SMS, and there is no operator: "
                "add a section [operators.NAME] to the configuration"
            )
        return wanted

    async def _known(self, user: str, device: str) -> DeviceKey:
        key = DeviceKey(user.lower(), device.lower())
        there = await self._devices(key.user)
        if key.device and key.device not in there:
            raise Unknown(f"user {user!r} has no device {device!r}; 'pushgw devices {user}' lists what there is")
        if not there and key.user not in self.accounts.names():
            raise Unknown(f"there is no user {user!r}; 'pushgw user list' lists who there is")
        return key

    async def _devices(self, user: str) -> list[str]:
        """The devices of a user that were seen or registered."""
        seen = {each.key.device for each in await self.devices.devices(user)}
        return sorted(seen.union(line.key.device for line in await self.triggers.lines(user)))

    def _row(self, user: str, device: str) -> dict[str, Any]:
        found = self.policy.source(user, device)
        in_force = self.policy.in_force(DeviceKey(user, device))
        return {"user": user, "device": device, **mode_row(found), "in_force": in_force.value}


def mode_row(found: Standing) -> dict[str, Any]:
    """A mode and where it comes from, as JSON values; C{by} and C{at} are those of a command."""
    override = found.override
    return {
        "mode": found.mode.value,
        "from": str(found),
        "scope": found.scope.value,
        "by": override.by if override else None,
        "at": override.at if override else None,
    }
