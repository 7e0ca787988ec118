"""Which devices may synchronise: what a command has decided, what the rules say, and what becomes of new ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from fnmatch import translate
from re import Pattern

from attrs import Factory, define, field, frozen

from gateway.model import Access, Decision, Device, DeviceKey


def _pattern(globs: Sequence[str]) -> Pattern[str] | None:
    return re.compile("|".join(translate(glob.lower()) for glob in globs)) if globs else None


@frozen
class DeviceRule:
    """What holds for devices of some kind: those that fit one pattern of each sort that is given.

    Patterns are those of a shell (C{*}, C{?}, C{[a-z]}), for the whole text, in any case of letters. C{types} is what
    the device calls itself in the query, C{agents} its User-Agent, C{ids} its DeviceId.
    """

    name: str
    access: Access
    types: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    _patterns: tuple[Pattern[str] | None, ...] = field(
        init=False,
        eq=False,
        repr=False,
        default=Factory(
            lambda self: tuple(map(_pattern, (self.types, self.agents, self.users, self.ids))), takes_self=True
        ),
    )

    @property
    def of_users(self) -> bool:
        """Whether it goes by the user alone, whatever the device."""
        return bool(self.users) and not (self.types or self.agents or self.ids)

    def fits(self, device: Device) -> bool:
        """Whether it is about that device."""
        said = (device.type, device.agent, device.key.user, device.key.device)
        return all(
            pattern is None or pattern.match(text.lower()) is not None
            for pattern, text in zip(self._patterns, said, strict=True)
        )


class Ground(Enum):
    """What a verdict goes by."""

    COMMAND = "command"
    RULE = "rule"
    KNOWN = "known"
    NEW = "new"


@frozen
class Verdict:
    """Whether a device may synchronise, and why; C{rule} and C{decision} are those that say so."""

    access: Access
    ground: Ground
    decision: Decision | None = None
    rule: DeviceRule | None = None

    @property
    def admits(self) -> bool:
        """Whether it may."""
        return self.access is Access.ALLOW

    @property
    def of_user(self) -> bool:
        """Whether no device of that user would fare otherwise."""
        return self.rule is not None and self.rule.of_users

    def __str__(self) -> str:
        """Where it comes from, in words."""
        if self.decision is not None:
            return f"decided by {self.decision.by}"
        if self.rule is not None:
            return f"devices.rules.{self.rule.name}"
        return "let in before" if self.ground is Ground.KNOWN else "devices.new"


@frozen
class AdmissionTerms:
    """What is configured: what becomes of C{new} devices, the rules in their order, C{most} devices of a user (0: any
    number), and the seconds without contact after which one may make room for another, C{idle} (0: never)."""

    new: Access = Access.ALLOW
    rules: tuple[DeviceRule, ...] = ()
    most: int = 0
    idle: int = 0


@define(eq=False)
class Admission:
    """Judges devices; C{terms} may be replaced while they are served.

    A decision about the device comes first, then the first rule that fits. Where there is neither, who was let in once
    stays in, and C{terms.new} holds for all others.
    """

    terms: AdmissionTerms = field(factory=AdmissionTerms)
    decisions: dict[DeviceKey, Decision] = field(factory=dict)

    def verdict(self, device: Device) -> Verdict:
        """Whether a device may synchronise."""
        decision = self.decisions.get(device.key)
        if decision is not None:
            return Verdict(decision.access, Ground.COMMAND, decision=decision)
        for rule in self.terms.rules:
            if rule.fits(device):
                return Verdict(rule.access, Ground.RULE, rule=rule)
        if device.admitted:
            return Verdict(Access.ALLOW, Ground.KNOWN)
        return Verdict(self.terms.new, Ground.NEW)

    def barred(self, key: DeviceKey) -> bool:
        """Whether a command keeps that device out."""
        decision = self.decisions.get(key)
        return decision is not None and decision.access is not Access.ALLOW

    def load(self, decisions: Iterable[Decision]) -> None:
        """Take over the decisions that are stored."""
        self.decisions = {decision.key: decision for decision in decisions}

    def decide(self, key: DeviceKey, decision: Decision | None) -> None:
        """Put a decision over everything else, or take it away."""
        if decision is None:
            self.decisions.pop(key, None)
        else:
            self.decisions[key] = decision
