"""The HTTP/1.1 side of the device lane: twisted.web's reading of requests, with bounds on sizes and times.

A client gets an absolute time for a request head, and for a body as much as its bytes earn; a body over the limit is
refused before it is read; what is sent while a request is being answered is bounded; a connection that is being closed
has its time too. One timer serves for all of these, and none runs while a request waits for its answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel

from gateway.eas.incoming import DeviceRequest, Doorway, host_of
from gateway.eas.outgoing import Outgoing

#: A body must come at this rate at least, in bytes per second, on top of the time for the head; so must an answer go.
SLOWEST = 1024
#: What a client may send ahead while its request is being answered, in bytes.
AHEAD = 16384
#: How long a client may take nothing of an answer that is sent piece by piece, in seconds: a phone may be in a tunnel.
STALLED = 300.0
#: How long a client that was refused may go on sending, in seconds: closing at once could destroy the answer.
LINGER = 2.0

# Older releases of twisted.web let these through (RFC 9110 5.5).
_UNSAFE = re.compile(rb"[\x00\r\n]")
_CLOSE = re.compile(rb"(^|[,\s])close([,\s]|$)", re.IGNORECASE)


class BoundedChannel(HTTPChannel):
    """One connection of a device."""

    log = Logger()

    requestFactory: Any = DeviceRequest
    transport: Any

    def __init__(self, door: Doorway) -> None:
        super().__init__()
        self.door = door
        self._deadline: IDelayedCall | None = None
        self._idle = self._closing = False
        self._ahead = self._sent = 0
        self._telling: tuple[Callable[[bool], None], ...] = ()

    @property
    def totalHeadersSize(self) -> int:  # type: ignore[override]
        """The most bytes of a head."""
        return self.door.limits.header_bytes

    #: Lines are what is buffered before the sum of the head is checked.
    MAX_LENGTH = totalHeadersSize

    def setTimeout(self, period: float | None) -> None:
        """twisted.web's own timer is not used."""

    def resetTimeout(self) -> None:
        """twisted.web's own timer is not used."""

    # Reading.

    def connectionMade(self) -> None:
        """Begin: the handshake and the first head have their time."""
        super().connectionMade()
        self._allow(self.door.limits.header_timeout, self._late)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes of a request, or, while one is being answered, of the next one."""
        if self._closing:
            return
        if self._idle:
            self._idle = False
            self._allow(None)
        super().dataReceived(data)
        if self._deadline is None and not (self._handlingRequest or self._idle or self._closing):
            # Only what did not come at once needs a timer.
            self._allow(self.door.limits.header_timeout, self._late)

    def lineReceived(self, line: bytes) -> None:
        """Take a line of the head."""
        if not self._closing:
            super().lineReceived(line)

    def rawDataReceived(self, data: bytes) -> None:
        """Take a part of a body, or what is sent ahead while a request is being answered."""
        if self._handlingRequest:
            self._ahead += len(data)
            if self._ahead > AHEAD:
                self._abort()
                return
        super().rawDataReceived(data)

    def headerReceived(self, line: bytes) -> bool:
        """Take a field of the head; whether it could be read."""
        try:
            if not _UNSAFE.search(line):
                return bool(super().headerReceived(line))
        except ValueError:
            # A Content-Length with more digits than Python reads.
            pass
        self._respondToBadRequestAndDisconnect()
        return False

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line is longer than the whole head may be."""
        self._respondToBadRequestAndDisconnect()

    def checkPersistence(self, request: DeviceRequest, version: bytes) -> bool:
        """Whether the connection stays open after the answer."""
        assert request.requestHeaders is not None
        wish = request.requestHeaders.get(b"Connection")
        return version == b"HTTP/1.1" and not (wish and _CLOSE.search(wish))

    def allHeadersReceived(self) -> None:
        """The head is complete: refuse a body that says it is too large, else wait for it."""
        if self.length is not None and self.length > self.door.limits.body_bytes:
            self.refuse(b"413 Content Too Large")
            return
        self.requests[-1].patience = self.door.limits.header_timeout
        self._allow(None)
        super().allHeadersReceived()

    def allContentReceived(self) -> None:
        """The request is complete: it may be answered late."""
        if not self._closing:
            self._allow(None)
            super().allContentReceived()

    # Answering.

    def when_sent(self, tell: Callable[[bool], None]) -> None:
        """Call with whether everything written so far was sent: at once if the transport took it without ado.

        What a transport holds back is lost when the connection breaks, and then was not sent.
        """
        if self._waitingForTransport:
            self._telling += (tell,)
        else:
            tell(True)

    def produce(self, outgoing: Outgoing) -> None:
        """Have something written as fast as the client takes it; one that takes nothing for long is given up."""
        self.registerProducer(outgoing, True)
        if self._waitingForTransport:
            self._allow(STALLED, self._abort)
        else:
            outgoing.resumeProducing()

    def produced(self, complete: bool) -> None:
        """It has been written, or else the client cannot be told any other way than by breaking the connection."""
        self.unregisterProducer()
        self._allow(None)
        if not complete and not self._closing:
            self._abort()

    def pauseProducing(self) -> None:
        """The transport holds back enough."""
        super().pauseProducing()
        if self._requestProducer is not None:
            self._allow(STALLED, self._abort)

    def resumeProducing(self) -> None:
        """The transport has sent what it held back."""
        self._tell(True)
        if self._requestProducer is not None:
            self._allow(None)
        super().resumeProducing()

    def _tell(self, sent: bool) -> None:
        telling, self._telling = self._telling, ()
        for tell in telling:
            tell(sent)

    # Ending.

    def requestDone(self, request: DeviceRequest) -> None:
        """A request is answered: the client may take its time to read that, and to ask again."""
        self._ahead, self._sent, self._idle = 0, request.sent, True
        if self.persistent and self.door.idle_timeout is not None:
            self._allow(self.door.idle_timeout + request.sent / SLOWEST, self.loseConnection)
        super().requestDone(request)

    def refuse(self, status: bytes) -> None:
        """Answer a request that is not read to its end; the client may read that before the connection is closed."""
        if self._closing:
            return
        self._closing = True
        peer = host_of(self.getPeer())
        self.log.info("{peer}: {status}, the request was not read to its end", peer=peer, status=status.decode())
        self.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        self._allow(LINGER, self.loseConnection)

    def loseConnection(self) -> None:
        """Close politely; a client that does not take what is still to be sent has its time."""
        self._closing = True
        self._allow(self.door.limits.header_timeout + self._sent / SLOWEST, self._abort)
        super().loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End: no timer stays, and who works on an answer may stop."""
        # A connection that we wanted to close ends cleanly when everything is sent.
        self._tell(self._closing and reason.check(ConnectionDone) is not None)
        self._closing = True
        self._allow(None)
        # A decoder in the middle of a body would keep the channel alive.
        self._transferDecoder = None
        requests, self.requests = self.requests, []
        for request in requests:
            request.connectionLost(reason)
        super().connectionLost(reason)

    def _allow(self, seconds: float | None, late: Callable[[], None] | None = None) -> None:
        """Have one thing called after so many seconds, and nothing else, or nothing at all."""
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None
        if seconds is not None and late is not None:
            self._deadline = self.door.clock.callLater(seconds, late)

    def _late(self) -> None:
        """Head or body did not come in time, unless what came of the body has earned more time."""
        if not self.requests:
            self.loseConnection()
            return
        request = self.requests[-1]
        more = self.door.limits.header_timeout + request.received / SLOWEST - request.patience
        if request.patience > 0 and more > 0:
            more = max(more, 1.0)
            request.patience += more
            self._allow(more, self._late)
        else:
            self.refuse(b"408 Request Timeout")

    def _abort(self) -> None:
        """End at once. An answer that is produced before the transport says so is not written any more."""
        self.connectionLost(Failure(ConnectionAborted()))
        self.transport.abortConnection()

    def _respondToBadRequestAndDisconnect(self) -> None:
        # What twisted.web calls for everything that cannot be read; its own answer has no length.
        self.refuse(b"400 Bad Request")
