"""Which way each device is told of changes, and who says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum

from attrs import define, evolve, field, frozen

from gateway.model import DeviceKey, Mode
from gateway.trigger import Override

_PUSHES = frozenset((Mode.DIRECT_PUSH, Mode.BOTH, Mode.AUTO))
_KNOCKS = frozenset((Mode.SMS, Mode.BOTH, Mode.AUTO))

Moved = Callable[[DeviceKey], bool]
"""Whether Pings of a device are parked in another way than before."""


class Scope(Enum):
    """Whom a mode is given for, the narrowest first."""

    DEVICE = "device"
    USER = "user"
    GROUP = "group"
    DEFAULT = "default"


@frozen
class Standing:
    """The mode of a device, and where it comes from: C{override} if a command gave it, C{group} the name of one."""

    mode: Mode
    scope: Scope
    override: Override | None = None
    group: str = ""

    def __str__(self) -> str:
        """Where it comes from, in words."""
        if self.override is not None:
            return f"set for the {self.scope.value} by {self.override.by}"
        if self.scope is Scope.DEFAULT:
            return "policy.default_mode"
        named = f" {self.group}" if self.group else ""
        return f"the configuration of the {self.scope.value}{named}"


@define(eq=False)
class Policy:
    """The modes of all devices, and the switches that turn a mechanism off for everybody.

    What is given for a device comes before what is given for its user, that before its group and that before the
    C{default}; at the same scope a command comes before the configuration. C{groups} has for each member the name and
    the mode of its group; C{overrides} has an empty device for those of a whole user. Users and devices are in lower
    case. Each question costs the same however many of them there are. C{barred} says which devices may not synchronise
    at all, whatever their mode: they are told of nothing.
    """

    default: Mode = Mode.DIRECT_PUSH
    users: Mapping[str, Mode] = field(factory=dict)
    direct_push: bool = True
    sms: bool = True
    groups: Mapping[str, tuple[str, Mode]] = field(factory=dict)
    devices: Mapping[DeviceKey, Mode] = field(factory=dict)
    overrides: Mapping[tuple[str, str], Override] = field(factory=dict)
    barred: Callable[[DeviceKey], bool] = lambda key: False

    def mode(self, user: str, device: str = "") -> Mode:
        """The mode of a device, or of a user's devices for which nothing else is said."""
        return self.source(user, device).mode

    def source(self, user: str, device: str = "") -> Standing:
        """That mode, and where it comes from."""
        found = self._own(user, device) if device else None
        if found is not None:
            return found
        override = self.overrides.get((user, ""))
        if override is not None:
            return Standing(override.mode, Scope.USER, override)
        mode = self.users.get(user)
        if mode is not None:
            return Standing(mode, Scope.USER)
        group = self.groups.get(user)
        if group is not None:
            return Standing(group[1], Scope.GROUP, group=group[0])
        return Standing(self.default, Scope.DEFAULT)

    def _own(self, user: str, device: str) -> Standing | None:
        override = self.overrides.get((user, device))
        if override is not None:
            return Standing(override.mode, Scope.DEVICE, override)
        mode = self.devices.get(DeviceKey(user, device))
        return None if mode is None else Standing(mode, Scope.DEVICE)

    def in_force(self, key: DeviceKey) -> Mode:
        """What the switches leave of a device's mode: with one mechanism off, C{both} and C{auto} are the other."""
        if self.barred(key):
            return Mode.OFF
        mode = self.mode(key.user, key.device)
        pushes, knocks = self.direct_push and mode in _PUSHES, self.sms and mode in _KNOCKS
        if pushes and knocks:
            return mode
        if pushes:
            return Mode.DIRECT_PUSH
        return Mode.SMS if knocks else Mode.OFF

    def parks_quietly(self, key: DeviceKey) -> bool:
        """Whether Pings of that device are parked without any Change ending them."""
        return not self.direct_push or self.mode(key.user, key.device) not in _PUSHES

    def replace(self, new: Policy) -> Moved:
        """Take everything over but the overrides; which devices are parked in another way from now on."""
        before = evolve(self)
        self.default, self.users, self.groups, self.devices = new.default, new.users, new.groups, new.devices
        self.direct_push, self.sms = new.direct_push, new.sms
        return self._moved_since(before)

    def load(self, overrides: Iterable[Override]) -> None:
        """Take over the overrides that are stored."""
        self.overrides = {(each.user, each.device): each for each in overrides}

    def override(self, user: str, device: str, override: Override | None) -> Moved:
        """Put a mode over the configuration, or take it away; which devices are parked in another way now."""
        before = evolve(self)
        others = {at: each for at, each in self.overrides.items() if at != (user, device)}
        self.overrides = others if override is None else {**others, (user, device): override}
        return self._moved_since(before)

    def _moved_since(self, before: Policy) -> Moved:
        return lambda key: self.parks_quietly(key) is not before.parks_quietly(key)
