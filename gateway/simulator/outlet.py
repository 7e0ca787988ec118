"""How a simulated SMSC lets octets out: whole, in small pieces, or answers in another order."""

from __future__ import annotations

from collections import deque
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from gateway.simulator.terms import Misbehaviour


@define(eq=False)
class Outlet:
    """The way out of one session. Whatever it holds is dropped when the connection is gone."""

    _clock: IReactorTime
    _transport: Any = field(init=False, default=None)
    _pieces: deque[bytes] = field(factory=deque, init=False)
    _answers: list[bytes] = field(factory=list, init=False)
    _pause: float = field(init=False, default=0.0)
    _next: IDelayedCall | None = field(init=False, default=None)
    _release: IDelayedCall | None = field(init=False, default=None)
    _last: bool = field(init=False, default=False)

    def open(self, transport: Any) -> None:
        """Begin: there is a connection."""
        self._transport = transport

    def write(self, data: bytes, size: int = 0, pause: float = 0.0) -> None:
        """Let octets out, so many at once with pauses between; what is still to go out goes first."""
        if self._transport is None:
            return
        if not size and not self._pieces:
            self._transport.write(data)
            return
        size = size or len(data)
        self._pieces += (data[at : at + size] for at in range(0, len(data), size))
        self._pause = pause
        if self._next is None:
            self._go_on()

    def hold(self, answer: bytes, wrong: Misbehaviour) -> None:
        """Let an answer out, or hold it until there are as many as shall be shuffled."""
        if not wrong.shuffled and not self._answers:
            self.write(answer, wrong.pieces, wrong.pause)
            return
        self._answers.append(answer)
        if len(self._answers) >= wrong.shuffled:
            self._let_go(wrong)
        elif self._release is None:
            self._release = self._clock.callLater(wrong.held, self._let_go, wrong)

    def finish(self) -> None:
        """Close the connection after what is still to go out."""
        self._last = True
        if not self._pieces and self._transport is not None:
            self._transport.loseConnection()

    def abort(self) -> None:
        """Break the connection off."""
        if self._transport is not None:
            self._transport.abortConnection()

    def close(self) -> None:
        """The connection is gone."""
        self._transport = None
        self._pieces.clear()
        self._answers.clear()
        for call in (self._next, self._release):
            if call is not None and call.active():
                call.cancel()
        self._next = self._release = None

    def _go_on(self) -> None:
        self._next = None
        self._transport.write(self._pieces.popleft())
        if self._pieces:
            self._next = self._clock.callLater(self._pause, self._go_on)
        elif self._last:
            self._transport.loseConnection()

    def _let_go(self, wrong: Misbehaviour) -> None:
        if self._release is not None and self._release.active():
            self._release.cancel()
        self._release = None
        answers, self._answers = self._answers[::-1], []
        for answer in answers:
            self.write(answer, wrong.pieces, wrong.pause)
