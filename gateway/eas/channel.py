"""The HTTP/1.1 side of the device lane: twisted.web with bounds on sizes and times.

A client gets an absolute time for its request head and one for the body, whatever it trickles; a body over the limit
is refused before it is read; what is sent while a request is being answered is bounded.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from attrs import frozen
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.http_headers import Headers
from twisted.web.server import Request

#: A body must come at this rate at least, in bytes per second, on top of the time for the head.
SLOWEST_BODY = 1024


@frozen
class ChannelLimits:
    """Seconds for TLS handshake and request head, bytes of the head and of the body."""

    header_timeout: float = 30.0
    header_bytes: int = 16384
    body_bytes: int = 64 * 1024 * 1024


class BoundedRequest(Request):
    """A request that keeps no more of its body than the limit, and parses nothing that nobody asked for."""

    channel: BoundedChannel
    received = 0

    def gotLength(self, length: int | None) -> None:
        """Refuse a body that says it is too large."""
        super().gotLength(length)
        if length is not None and length > self.channel.limits.body_bytes:
            self.channel.refuse(b"413 Request Entity Too Large")

    def handleContentChunk(self, data: bytes) -> None:
        """Refuse a body that turns out too large."""
        self.received += len(data)
        if self.received > self.channel.limits.body_bytes:
            self.channel.refuse(b"413 Request Entity Too Large")
            return
        super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Hand the request over; neither query nor form is parsed here: the query may be base64."""
        assert self.content is not None
        self.content.seek(0, 0)
        self.args = {}
        self.method, self.uri, self.clientproto = command, path, version
        self.path = path.partition(b"?")[0]
        self.process()

    def slim(self) -> None:
        """Drop what a request that waits does not need any more."""
        if self.content is not None:
            self.content.close()
            self.content = BytesIO()
        self.requestHeaders = Headers()
        self.received_cookies.clear()


class BoundedChannel(HTTPChannel):
    """One connection of a device."""

    limits = ChannelLimits()
    requestFactory = BoundedRequest
    _deadline: IDelayedCall | None = None
    _refused = False

    def connectionMade(self) -> None:
        """Begin: the handshake and the first head have their time."""
        super().connectionMade()
        self.totalHeadersSize = self.limits.header_bytes
        # Lines are what LineReceiver buffers before the sum of the head is checked.
        self.MAX_LENGTH = self.limits.header_bytes
        self._allow(self.limits.header_timeout)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes of a request, or, while one is being answered, of the next one, within bounds."""
        if self._refused:
            return
        if self._handlingRequest:
            if len(data) + sum(map(len, self._dataBuffer)) > self.limits.header_bytes:
                self.forceAbortClient()
                return
        elif self._deadline is None:
            self._allow(self.limits.header_timeout)
        super().dataReceived(data)

    def allHeadersReceived(self) -> None:
        """The head is complete: the body has its own time."""
        self._allow(self.limits.header_timeout + (self.length or 0) / SLOWEST_BODY)
        super().allHeadersReceived()

    def allContentReceived(self) -> None:
        """The request is complete: it may be answered late."""
        self._allow(None)
        if self._refused:
            return
        super().allContentReceived()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End: no timer stays."""
        self._allow(None)
        super().connectionLost(reason)

    def refuse(self, status: bytes) -> None:
        """Answer a request that is not read to its end, and close."""
        if not self._refused:
            self._refused = True
            assert self.transport is not None
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            self.loseConnection()

    def _allow(self, seconds: float | None) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        later: Any = self.callLater
        self._deadline = None if seconds is None else later(seconds, self._late)

    def _late(self) -> None:
        self._deadline = None
        self.refuse(b"408 Request Timeout")
