"""One after another, and to the end: what must not overlap, and what must not stop half-way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredLock, ensureDeferred
from twisted.python.failure import Failure

from gateway.eas.call import Unavailable

T = TypeVar("T")


#: When somebody is to come again for whom there is no place in the line, in seconds.
LINE_RETRY = 5


@define(eq=False)
class Turns:
    """Locks by name, each of which is there only while somebody holds it or waits for it.

    At most C{longest} may wait for one name: a client can ask by any number of connections, and what it asked is done
    also when it has left.
    """

    longest: int = 20
    _locks: dict[Hashable, DeferredLock] = field(init=False, factory=dict)

    async def take(self, name: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work when everybody who asked for that name before has done theirs.

        @raise Unavailable: too many wait already; the work was not begun.
        """
        lock = self._locks.setdefault(name, DeferredLock())
        if len(lock.waiting) >= self.longest:
            raise Unavailable("too many requests wait for each other", LINE_RETRY)
        await lock.acquire()
        try:
            return await work()
        finally:
            lock.release()
            # Releasing may have let others have their turn already, and the last of them removed the lock.
            if not lock.locked and self._locks.get(name) is lock:
                del self._locks[name]

    def __len__(self) -> int:
        return len(self._locks)


def shielded(work: Coroutine[Deferred[Any], Any, T]) -> Deferred[T]:
    """Start the work and wait for it; who waits may be cancelled, the work goes on to its end.

    A failure that nobody waits for any more is logged by the Deferred that holds it.
    """
    waiting: Deferred[T] = Deferred()

    def pass_on(outcome: T | Failure) -> T | Failure | None:
        if waiting.called:
            return outcome
        if isinstance(outcome, Failure):
            waiting.errback(outcome)
        else:
            waiting.callback(outcome)
        return None

    ensureDeferred(work).addBoth(pass_on)
    return waiting
