"""Which way a user's devices are told of changes."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field

from gateway.model import Mode


@define(eq=False)
class Policy:
    """The mode of each user, and the switch that turns Direct Push off for everybody."""

    default: Mode = Mode.DIRECT_PUSH
    users: Mapping[str, Mode] = field(factory=dict)
    direct_push: bool = True

    def mode(self, user: str) -> Mode:
        """The mode in force for a user."""
        return self.users.get(user, self.default)

    def parks_quietly(self, user: str) -> bool:
        """Whether Pings of that user are parked without any Change ending them."""
        return not self.direct_push or self.mode(user) is Mode.OFF

    def replace(self, default: Mode, users: Mapping[str, Mode], direct_push: bool) -> set[str]:
        """Take new settings over; the users named before or now whose devices are parked otherwise from now on.

        The empty name stands for everybody else.
        """
        names = {*self.users, *users, ""}
        before = {name: self.parks_quietly(name) for name in names}
        self.default, self.users, self.direct_push = default, dict(users), direct_push
        return {name for name in names if self.parks_quietly(name) is not before[name]}
