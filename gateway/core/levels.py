"""Up to which Version of each folder a device lacks nothing, as far as that is known without the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import define, field

from gateway.core.switchboard import Switchboard
from gateway.model import DeviceKey


@define(eq=False)
class Begun:
    """A command that is being answered; C{before} is what was known until then."""

    before: Mapping[int, int] | None


@define(eq=False)
class Levels:
    """What was found by looks and given by answers, so that the same Ping again needs no ledger.

    A level never becomes wrong by what happens later in the folder; only commands of the device itself move it. While
    one is being answered nothing is known, and afterwards what its answer says.
    """

    board: Switchboard
    size: int = 200_000
    _known: dict[DeviceKey, Mapping[int, int] | Begun] = field(init=False, factory=dict)

    def recall(self, device: DeviceKey, folders: Sequence[int]) -> Mapping[int, int] | None:
        """The levels to wait above (hierarchy included), if the last look was at these folders and nothing was heard
        of since."""
        known = self._known.get(device)
        if known is None or isinstance(known, Begun):
            return None
        if len(known) != len(folders) + 1 or any(folder not in known for folder in folders):
            return None
        return None if self.board.news(known) else known

    def certain(self, device: DeviceKey, levels: Mapping[int, int]) -> list[int] | None:
        """The folders with something that the device cannot have, or C{None} if only a look can tell: as soon as
        another command of the device came, or if something else than new items did."""
        return self.board.certain(levels) if self._known.get(device) is levels else None

    def note(self, device: DeviceKey, levels: Mapping[int, int]) -> None:
        """A look found nothing for the device up to these levels."""
        self._set(device, levels)

    def begin(self, device: DeviceKey) -> Begun:
        """A command that may give the device something is being answered: wanted by L{end}, L{finish} and L{over}.

        The device's Watch is held until it is over.
        """
        before = self._known.get(device)
        begun = Begun(None if isinstance(before, Begun) else before)
        self._set(device, begun)
        self.board.hold(device, begun)
        return begun

    def end(self, device: DeviceKey, begun: Begun) -> None:
        """The command has done what it does; a look meanwhile may have been before that."""
        if self._known.get(device) is not begun:
            self.forget(device)

    def finish(self, device: DeviceKey, begun: Begun, given: Mapping[int, int] | None) -> None:
        """The answer was written: C{given} are the levels that it brought folders to, C{None} if that is not known.

        If anything else came in between, that stands.
        """
        if self._known.get(device) is not begun:
            return
        before = begun.before
        if before is None or given is None:
            self.forget(device)
            return
        known = {folder: level for folder, level in given.items() if folder in before}
        self._set(device, {**before, **known})

    def over(self, device: DeviceKey, begun: Begun) -> None:
        """The ledger knows whether the answer went out: a Watch of the device may look again."""
        self.board.free(device, begun)

    def forget(self, device: DeviceKey) -> None:
        """Only a look can tell."""
        self._known.pop(device, None)

    def forget_all(self) -> None:
        """What counts as news has changed."""
        self._known.clear()

    def _set(self, device: DeviceKey, known: Mapping[int, int] | Begun) -> None:
        self._known.pop(device, None)
        self._known[device] = known
        if len(self._known) > self.size:
            del self._known[next(iter(self._known))]
