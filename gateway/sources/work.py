"""What is under way in a source, so that it can be waited for."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure


@define(eq=False)
class Work:
    """The running pieces of work; C{stopping} asks the long ones to end early."""

    clock: IReactorTime
    log = Logger()
    stopping: bool = field(default=False, init=False)
    _running: int = field(default=0, init=False)
    _waiting: list[Deferred[None]] = field(factory=list, init=False)
    _pauses: set[Deferred[None]] = field(factory=set, init=False)

    def start(self, piece: Coroutine[Deferred[Any], Any, None], what: str) -> None:
        """Let a piece run; that it failed is logged with what it was."""
        self._running += 1  # before the piece runs: it may ask to be waited for
        Deferred.fromCoroutine(piece).addErrback(self._failed, what).addBoth(self._ended)

    def finished(self) -> Deferred[None]:
        """Fires when nothing is running (any more)."""
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        self._tell()
        return done

    async def pause(self, seconds: float) -> None:
        """Wait. Raises L{CancelledError} when everything stops meanwhile."""
        if self.stopping:
            raise CancelledError
        pause: Deferred[None] = deferLater(self.clock, seconds)
        self._pauses.add(pause)
        try:
            await pause
        finally:
            self._pauses.discard(pause)

    def stop(self) -> None:
        """End what pauses now, and ask the rest to end."""
        self.stopping = True
        for pause in list(self._pauses):
            pause.cancel()

    def _failed(self, failure: Failure, what: str) -> None:
        if not failure.check(CancelledError):
            self.log.failure("Failed: {what}", failure, what=what)

    def _ended(self, _: object) -> None:
        self._running -= 1
        self._tell()

    def _tell(self) -> None:
        if not self._running:
            waiting, self._waiting = self._waiting, []
            for done in waiting:
                done.callback(None)
