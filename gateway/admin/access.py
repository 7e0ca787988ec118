"""Which devices may synchronise, by command: over all rules, effective at once, and undone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from attrs import define
from twisted.logger import Logger

from gateway.admin.errors import Refused, Unknown
from gateway.core.admission import Admission, Verdict
from gateway.core.switchboard import Switchboard
from gateway.interfaces import IAccounts, IDecisions, IDevices
from gateway.model import Access, Decision, Device, DeviceKey

_DEVICE = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")


def _nothing() -> None:
    """There is nobody to be told."""


@define(eq=False)
class Entry:
    """What commands decide of devices; C{board} is C{None} when no gateway runs, C{changed} is told after a change."""

    log = Logger()

    store: IDecisions
    devices: IDevices
    admission: Admission
    accounts: IAccounts
    now: Callable[[], int]
    board: Switchboard | None = None
    changed: Callable[[], None] = _nothing

    async def load(self) -> None:
        """Take over what is stored.

        @raise gateway.interfaces.BackendDown: the store does not answer.
        """
        self.admission.load(await self.store.decisions())

    async def decide(self, user: str, device: str, access: str, by: str) -> dict[str, Any]:
        """Decide of a device, which may not have come yet, or with an empty C{access} take the decision back; what
        is then in force.

        @raise Unknown: no such user, or no decision to take back. @raise Refused: no such access, or no DeviceId.
        """
        key = DeviceKey(user.lower(), device.lower())
        wanted = _wanted(access)
        found = await self._found(key, wanted)
        decision = None if wanted is None else Decision(key, wanted, by, self.now())
        await self.store.decide(key, decision)
        self.admission.decide(key, decision)
        verdict = self.admission.verdict(found)
        self.log.warn(
            "access of {device} of {user} decided by {by}: {wanted}; in force is {access} ({why})",
            device=key.device,
            user=key.user,
            by=by,
            wanted=access or "by the rules",
            access=verdict.access.value,
            why=str(verdict),
        )
        if self.board is not None and not verdict.admits:
            self.board.recall(lambda each: each == key, "access")
        self.changed()
        return {"user": key.user, "device": key.device, "known": found.first_seen > 0, **access_row(verdict)}

    async def _found(self, key: DeviceKey, wanted: Access | None) -> Device:
        found = await self.devices.device(key)
        if found is not None or key in self.admission.decisions:
            return found or Device(key)
        if wanted is None:
            raise Unknown(f"nothing was decided of device {key.device!r} of user {key.user!r}")
        if key.user not in self.accounts.names():
            raise Unknown(f"there is no user {key.user!r}; 'pushgw user list' lists who there is")
        if not _DEVICE.fullmatch(key.device):
            raise Refused(f"{key.device!r} cannot be a DeviceId: it has 1 to 32 letters and digits")
        return Device(key)


def _wanted(access: str) -> Access | None:
    if not access:
        return None
    try:
        return Access(access)
    except ValueError:
        raise Refused(f"there is no access {access!r}: it is one of {', '.join(a.value for a in Access)}") from None


def access_row(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON values; C{access_by} and C{access_at} are those of a command."""
    decision = verdict.decision
    return {
        "access": verdict.access.value,
        "access_from": str(verdict),
        "access_by": decision.by if decision else None,
        "access_at": decision.at if decision else None,
    }
