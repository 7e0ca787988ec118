"""Answers too large to be held: written piece by piece, as fast as the client takes them."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from zope.interface import implementer

from gateway.eas.call import Stream


@implementer(IPushProducer)
@define(eq=False)
class Outgoing:
    """A stream on its way.

    C{ended} is called once: with C{True} when all of it has been written, with C{False} when it could not be, and then
    the connection is of no use any more.
    """

    log = Logger()

    stream: Stream
    write: Callable[[bytes], None]
    ended: Callable[[bool], None]
    _paused: bool = field(init=False, default=False)
    _over: bool = field(init=False, default=False)

    def resumeProducing(self) -> None:
        """Write until there is nothing left, or the transport has enough for now."""
        self._paused = False
        while not (self._paused or self._over):
            try:
                piece = next(self.stream.pieces, None)
            except Exception:
                self.log.failure("An answer broke off")
                self._end(False)
                return
            if piece is None:
                self._end(True)
            else:
                self.write(piece)

    def pauseProducing(self) -> None:
        """The transport has enough."""
        self._paused = True

    def stopProducing(self) -> None:
        """The connection is gone."""
        self._end(False)

    def _end(self, complete: bool) -> None:
        if not self._over:
            self._over = True
            self.stream.close()
            self.ended(complete)
