"""Up to which Version of each folder a device lacks nothing, as far as that is known without the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import define, field

from gateway.core.switchboard import Switchboard
from gateway.model import DeviceKey


@define(eq=False)
class Levels:
    """What was found by looks and given by answers, so that the same Ping again needs no ledger.

    A level never becomes wrong by what happens later in the folder; only commands of the device itself move it. While
    one is being answered nothing is known, and afterwards what its answer says.
    """

    board: Switchboard
    _known: dict[DeviceKey, Mapping[int, int]] = field(init=False, factory=dict)

    def recall(self, device: DeviceKey, folders: Sequence[int]) -> Mapping[int, int] | None:
        """The levels to wait above (hierarchy included), if the last look was at these folders and nothing was heard
        of since."""
        known = self._known.get(device)
        if known is None or len(known) != len(folders) + 1 or any(folder not in known for folder in folders):
            return None
        return None if self.board.news(known) else known

    def certain(self, device: DeviceKey, levels: Mapping[int, int]) -> list[int] | None:
        """The folders with something that the device cannot have, or C{None} if only a look can tell: as soon as
        another command of the device came, or if something else than new items did."""
        return self.board.certain(levels) if self._known.get(device) is levels else None

    def note(self, device: DeviceKey, levels: Mapping[int, int]) -> None:
        """A look found nothing for the device up to these levels."""
        self._known[device] = levels

    def begin(self, device: DeviceKey) -> Mapping[int, int] | None:
        """A command that may give the device something is being answered; what was known before, for L{finish}."""
        return self._known.pop(device, None)

    def finish(self, device: DeviceKey, before: Mapping[int, int] | None, given: Mapping[int, int] | None) -> None:
        """The answer was written: C{given} are the levels that it brought folders to, C{None} if that is not known."""
        if before is not None and given is not None:
            known = {folder: level for folder, level in given.items() if folder in before}
            self._known[device] = {**before, **known}

    def forget(self, device: DeviceKey) -> None:
        """Only a look can tell."""
        self._known.pop(device, None)

    def forget_all(self) -> None:
        """What counts as news has changed."""
        self._known.clear()
