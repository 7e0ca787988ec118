"""The trace in the making: hops are gathered and appended to the store in groups."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from attrs import define, field
from twisted.logger import Logger

from gateway.interfaces import ITrace
from gateway.model import DeviceKey
from gateway.trigger import Hop

#: So many hops go into one transaction.
GROUP = 2000


@define(eq=False)
class Tracer:
    """Notes hops; whoever stops the process calls L{flush} once more.

    C{now} is wall clock, in seconds; C{most} hops are kept while the store does not take them, the oldest go first:
    a trace that cannot be written must not fill the memory. C{lost} is called for each of them.
    """

    log = Logger()

    store: ITrace
    now: Callable[[], float]
    most: int = 100_000
    lost: Callable[[], None] = lambda: None
    _hops: deque[Hop] = field(init=False, factory=deque)

    def note(
        self, key: DeviceKey, kind: str, text: str = "", *, folder: int = 0, number: int = 0, letter: int = 0
    ) -> None:
        """Note what happens now."""
        self.add(Hop(self.now(), key, kind, text, folder, number, letter))

    def noticed(self, key: DeviceKey, at: float, folder: int, number: int) -> None:
        """A Change was noticed at that time."""
        self.add(Hop(at, key, "noticed", folder=folder, number=number))

    def add(self, *hops: Hop) -> None:
        """Note hops that bring their own time."""
        self._hops.extend(hops)
        while len(self._hops) > self.most:
            self._hops.popleft()
            self.lost()

    async def flush(self) -> None:
        """Append what is gathered; what the store refuses stays gathered.

        @raise gateway.interfaces.BackendDown: the store does not answer.
        """
        while self._hops:
            group = [self._hops.popleft() for _ in range(min(GROUP, len(self._hops)))]
            try:
                await self.store.note(group)
            except BaseException:
                self._hops.extendleft(reversed(group))
                raise
