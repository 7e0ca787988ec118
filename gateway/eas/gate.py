"""The gate: which devices may not come in, and which requests have to wait until the device is provisioned, or wiped
([MS-ASCMD] 2.2.2, [MS-ASPROV] 3.1.5.1)."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define

from gateway.core.admission import Ground, Verdict
from gateway.eas.call import Call, Refused, Version
from gateway.eas.policydoc import Policy, satisfiable
from gateway.model import Access, Device, PolicyState

WIPE, NOT_FULLY, LEGACY, UNPROVISIONED, REFRESH, INVALID, EXTERNAL = 140, 139, 141, 142, 143, 144, 145
DISABLED, BLOCKED, DENIED = 126, 129, 130

APPLIED, PARTLY, NOT_APPLIED, MANAGED = 1, 2, 3, 4
"""What a device says of the policy that it was given ([MS-ASPROV] 2.2.2.54.1)."""

EXEMPT = frozenset({"Provision", "Ping", "OPTIONS"})
"""Commands that are not judged by their policy key: Provision must work without one, a Ping does not send it."""

WAITING = frozenset({"Provision", "Settings"})
"""What a device may do that is in quarantine: apply the policy, and say what it is."""


@define(eq=False)
class Rules:
    """What is configured of provisioning; every attribute may be set anew while devices are served.

    C{policy_for} gives the policy of a user or C{None}; C{refresh} is the age in seconds at which a device must
    fetch the policy again, 0 for never; C{allow_non_provisionable} lets devices in that send no policy key at all, or
    that cannot apply all of the policy, or that do not say what they are; C{allow_external} those that another system
    manages; C{excepted} says who gets no policy, whatever the others get.
    """

    policy_for: Callable[[str], Policy | None] = lambda user: None
    excepted: Callable[[str], bool] = lambda user: False
    allow_non_provisionable: bool = True
    allow_external: bool = False
    refresh: int = 0

    def refused(self, said: int) -> int | None:
        """The common status for a device that said this of the policy, or C{None} if it may pass."""
        if said in (PARTLY, NOT_APPLIED) and not self.allow_non_provisionable:
            return NOT_FULLY
        if said == MANAGED and not self.allow_external:
            return EXTERNAL
        return None

    def reaches(self, policy: Policy, version: Version) -> bool:
        """Whether a client of that version may have the policy although it may not know all of it."""
        return self.allow_non_provisionable or satisfiable(policy, version)


def everybody(device: Device) -> Verdict:
    """All devices may come in."""
    return Verdict(Access.ALLOW, Ground.NEW)


@define(eq=False)
class Gate:
    """Lets requests pass, or refuses them with the common status that says why, or that makes the device provision.

    C{now} is wall-clock time in seconds; C{verdict} says which devices may come in.
    """

    rules: Rules
    now: Callable[[], int]
    verdict: Callable[[Device], Verdict] = everybody

    def check(self, call: Call, device: Device) -> None:
        """Judge a request by the device that it is of, and by the policy key that it came with.

        @raise Refused: 126, 129, 130 and 139 to 145 ([MS-ASCMD] 2.2.2), a pending wipe before everything else: who may
            not come in may still come for that.
        """
        if device.wipe is None:
            self._admit(call, self.verdict(device))
        if call.command in EXEMPT:
            return
        if device.wipe is not None:
            raise _wiped(call, device.wipe.account_only)
        policy = self.rules.policy_for(call.device.user)
        if policy is None:
            self._match(call, device.policy)
            return
        if not self.rules.reaches(policy, call.version):
            raise Refused(NOT_FULLY, f"version {call.version} cannot be told all of the policy")
        if call.policy_key is None:
            if not self.rules.allow_non_provisionable:
                raise Refused(LEGACY, "no policy key was sent")
            return
        status = self._judge(device.policy, policy, call.policy_key)
        if status is not None:
            raise Refused(status, "the policy key is not current")

    def _match(self, call: Call, state: PolicyState) -> None:
        """Where no policy is in force nobody needs a key, but one that sends a key sends its own ([MS-ASPROV] 3.2.5.2);
        who is excepted could not get another one."""
        if call.policy_key and state.key not in (0, call.policy_key) and not self.rules.excepted(call.device.user):
            raise Refused(INVALID, "the policy key is another one than was given")

    def _admit(self, call: Call, verdict: Verdict) -> None:
        if verdict.admits:
            return
        if verdict.access is Access.QUARANTINE:
            if call.command not in WAITING:
                raise Refused(DENIED, f"the device is in quarantine ({verdict})")
            return
        if verdict.of_user:
            raise Refused(DISABLED, f"the user has no access ({verdict})")
        raise Refused(BLOCKED, f"the device is blocked ({verdict})")

    def stands(self, device: Device) -> bool:
        """Whether a device may be parked: a Ping comes without its key, so what is on record decides."""
        if device.wipe is not None or not self.verdict(device).admits:
            return False
        policy = self.rules.policy_for(device.key.user)
        if policy is None:
            return True
        state = device.policy
        if self.rules.allow_non_provisionable and not state.key and not state.temporary:
            return True
        return self._judge(state, policy, state.key) is None

    def _judge(self, state: PolicyState, policy: Policy, key: int) -> int | None:
        """The common status for a key, or C{None} if it is the current one."""
        if policy.hash == (state.hash if state.key else state.temporary_hash):
            refused = self.rules.refused(state.acknowledged)
            if refused is not None:
                return refused
        if not key or not state.key:
            return UNPROVISIONED
        if key != state.key or state.hash != policy.hash:
            return INVALID
        return REFRESH if self._stale(state.granted) else None

    def _stale(self, granted: int) -> bool:
        """Whether a refresh is due; a grant that lies further ahead than the interval is of a clock set back."""
        return self.rules.refresh > 0 and not -self.rules.refresh < self.now() - granted < self.rules.refresh


def _wiped(call: Call, account_only: bool) -> Refused:
    if account_only and call.version < Version.V16_1:
        return Refused(DISABLED, "the account is to be wiped, which this version cannot do")
    return Refused(WIPE, "a wipe is pending", http=403 if call.policy_key is None else None)
