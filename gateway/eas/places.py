"""Places: what costs much is done by a few at a time, some wait for it, and who comes beyond these is put off."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from twisted.internet.defer import DeferredSemaphore

from gateway.eas.call import Unavailable

T = TypeVar("T")

#: When a client is to come again for whom there is no place in the line, in seconds.
RETRY = 10


class Places(DeferredSemaphore):
    """So many places, and a line before them; who came first has the next one."""

    @property
    def free(self) -> bool:
        """Whether there is a place that nobody has to wait for."""
        return self.tokens > 0

    def admit(self, waiting: int, why: str) -> None:
        """Let somebody in who may have to wait, unless so many are waiting already.

        @raise Unavailable: they are, which C{why} says in words.
        """
        if len(self.waiting) >= waiting:
            raise Unavailable(why, RETRY)

    async def take(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work when there is a place for it; who is cancelled leaves the place, or the line."""
        await self.acquire()
        try:
            return await work()
        finally:
            self.release()
