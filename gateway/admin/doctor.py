"""The doctor: walks the chain from a change to a device, hop by hop, and names the first that is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from gateway.admin.chain import account, itself, push, sms, wayin
from gateway.admin.chain.finding import Finding, Health, span
from gateway.admin.chain.wayin import names_fit
from gateway.admin.facts import Facts

__all__ = ["Finding", "Health", "examine", "first_broken", "names_fit", "span"]

Check = Callable[[Facts], Iterator[Finding]]


def examine(facts: Facts) -> list[Finding]:
    """All hops of the user's chain in order; the first broken one is what to mend first.

    Of a gateway that does not run, and of a store that cannot be read, only what is known all the same is told.
    """
    return [finding for check in _checks(facts) for finding in check(facts)]


def _checks(facts: Facts) -> list[Check]:
    if not facts.readable:
        return [itself.running, itself.store]
    live = facts.running
    checks: list[Check] = [itself.running, itself.clock, itself.store, account.account, account.mode]
    by_sms: list[Check] = [sms.line, sms.operator, sms.queue, sms.delivery] if live else [sms.line, sms.delivery]
    if facts.elsewhere:
        return [*checks, wayin.intake, account.access, *(by_sms if facts.knocks else [])]
    checks += [wayin.source, wayin.door, wayin.certificate] if live else []
    checks += [account.device] if facts.device is None else [account.access, account.device]
    if facts.device is not None:
        if facts.pushes:
            checks += [push.folders, push.parks] if live else [push.folders]
        if facts.knocks:
            checks += by_sms
    return checks


def first_broken(findings: Iterable[Finding]) -> Finding | None:
    """The hop to mend first, or C{None} if the chain is whole."""
    return next((one for one in findings if one.health is Health.BROKEN), None)
