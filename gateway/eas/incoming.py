"""One request of a device on its way: from its head to the answer, holding no more than each stage needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Protocol

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime, ISSLTransport
from twisted.python.failure import Failure
from twisted.web.iweb import INonQueuedRequestFactory
from zope.interface import provider

from gateway.eas.call import Stream
from gateway.eas.outgoing import Outgoing

#: Larger bodies wait in a file until they are complete, in bytes.
IN_MEMORY = 100_000


@frozen
class ChannelLimits:
    """Seconds for TLS handshake and request head, bytes of the head and of the body."""

    header_timeout: float = 30.0
    header_bytes: int = 16384
    body_bytes: int = 64 * 1024 * 1024


@define(eq=False)
class Fields:
    """The header fields of a request by their lower-cased names; a repeated one is joined with commas."""

    _values: dict[bytes, bytes] = field(init=False, factory=dict)

    def addRawHeader(self, name: bytes, value: bytes) -> None:
        """Take a field: twisted.web calls this."""
        name = name.lower()
        there = self._values.get(name)
        self._values[name] = value if there is None else there + b", " + value

    def getRawHeaders(self, name: bytes) -> list[bytes] | None:
        """The value as a list of one, or C{None}: twisted.web asks for C{Expect}."""
        value = self._values.get(name.lower())
        return None if value is None else [value]

    def get(self, name: bytes) -> bytes | None:
        """The value of a field, or C{None}."""
        return self._values.get(name.lower())


@define(eq=False)
class Content:
    """A body that is complete, where it has waited for that: a large one is not in memory before it is read."""

    length: int
    _file: IO[bytes]
    _kept: bool = field(init=False, default=False)

    def keep(self) -> Content:
        """The same for somebody who reads it later, and then closes it."""
        self._kept = True
        return self

    def read(self, most: int = -1) -> bytes:
        """The body, or no more of it than so many bytes; once."""
        return self._file.read(most)

    def close(self) -> None:
        """Nobody reads it any more."""
        self._file.close()

    def release(self) -> None:
        """Close it, unless it is kept."""
        if not self._kept:
            self.close()


@frozen
class Incoming:
    """A request that is complete: what its line, its header and its body say. The giver releases C{content}."""

    method: bytes
    target: bytes
    fields: Fields
    content: Content


class Doorway(Protocol):
    """Where the requests of a connection go, and the limits and the time that hold for it."""

    limits: ChannelLimits
    idle_timeout: float | None
    clock: IReactorTime

    def serve(self, request: DeviceRequest, incoming: Incoming) -> None:
        """Have a request answered, sooner or later, by L{DeviceRequest.respond} and L{DeviceRequest.finish}."""


class Channel(Protocol):
    """What a request needs of its connection."""

    persistent: bool
    door: Doorway

    def getPeer(self) -> Any:
        """The address of the other end."""

    def refuse(self, status: bytes) -> None:
        """Answer without reading on."""

    def writeSequence(self, data: Sequence[bytes]) -> None:
        """Write to the client."""

    def write(self, data: bytes) -> None:
        """Write to the client."""

    def produce(self, outgoing: Outgoing) -> None:
        """Have something written as fast as the client takes it."""

    def produced(self, complete: bool) -> None:
        """It has been written, or else the connection is of no use any more."""

    def when_sent(self, tell: Callable[[bool], None]) -> None:
        """Call with whether everything written so far was sent, when that is known."""

    def requestDone(self, request: DeviceRequest) -> None:
        """The answer is complete."""


@provider(INonQueuedRequestFactory)
@define(eq=False)
class DeviceRequest:
    """One request of a device; once it is handed over, nothing of it is kept but the way back.

    What twisted.web calls has its names. C{lost} is called when the connection is gone before the answer; C{patience}
    are the seconds that the body has been granted so far, 0 while the head is not complete.
    """

    channel: Channel | None
    requestHeaders: Fields | None = field(init=False, factory=Fields)
    received: int = field(init=False, default=0)
    sent: int = field(init=False, default=0)
    patience: float = field(init=False, default=0.0)
    lost: Callable[[], None] | None = field(init=False, default=None)
    _content: IO[bytes] | None = field(init=False, default=None)

    # What the channel calls.

    def parseCookies(self) -> None:
        """Nobody asks for cookies."""

    def gotLength(self, length: int | None) -> None:
        """The head is complete. What comes without credentials is refused whatever it says, so it is not kept."""
        if self.requestHeaders is None or self.requestHeaders.get(b"Authorization") is None:
            return
        if length is not None and length <= IN_MEMORY:
            self._content = BytesIO()
        else:
            self._content = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 (closed when it is handed over or lost)

    def handleContentChunk(self, data: bytes) -> None:
        """Take a part of the body."""
        self.received += len(data)
        channel = self.channel
        assert channel is not None
        if self.received > channel.door.limits.body_bytes:
            channel.refuse(b"413 Content Too Large")
        elif self._content is not None:
            self._content.write(data)

    def requestReceived(self, method: bytes, target: bytes, version: bytes) -> None:
        """The request is complete: hand it over."""
        channel, fields, content = self.channel, self.requestHeaders, self._content or BytesIO()
        assert channel is not None and fields is not None
        self.requestHeaders = None
        body = Content(self.received if self._content is not None else 0, content)
        self._content = None
        content.seek(0)
        try:
            channel.door.serve(self, Incoming(method, target, fields, body))
        finally:
            body.release()

    def connectionLost(self, reason: Failure) -> None:
        """The connection is gone: whoever works on an answer may stop."""
        self.channel = self.requestHeaders = None
        content, self._content = self._content, None
        if content is not None:
            content.close()
        lost, self.lost = self.lost, None
        if lost is not None:
            lost()

    # What the answering side calls.

    @property
    def peer(self) -> str:
        """The address of the other end, or C{"unix"} for a socket without one."""
        assert self.channel is not None
        return host_of(self.channel.getPeer())

    @property
    def secured(self) -> bool:
        """Whether it came by TLS that ends here."""
        return ISSLTransport.providedBy(getattr(self.channel, "transport", None))

    def respond(self, status: str, headers: Mapping[str, str], body: bytes) -> None:
        """Write the answer, if there is a connection to write it to. C{status} is code and reason phrase."""
        self._write(status, headers, len(body), body)

    def stream(self, status: str, headers: Mapping[str, str], stream: Stream, tell: Callable[[bool], None]) -> None:
        """Write an answer piece by piece and finish; C{tell} is called with whether it was sent."""
        channel = self.channel
        if channel is None:
            stream.close()
            tell(False)
            return
        self._write(status, headers, stream.length)
        outgoing = Outgoing(stream, channel.write, partial(self._streamed, channel, tell))
        self.lost = outgoing.stopProducing
        channel.produce(outgoing)

    def _streamed(self, channel: Channel, tell: Callable[[bool], None], complete: bool) -> None:
        self.lost = None
        channel.produced(complete)
        if complete:
            self.when_sent(tell)
            self.finish()
        else:
            tell(False)

    def _write(self, status: str, headers: Mapping[str, str], length: int, *body: bytes) -> None:
        channel = self.channel
        if channel is None:
            return
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {_one_line(value)}" for name, value in headers.items())]
        lines.append(f"Content-Length: {length}")
        if not channel.persistent:
            lines.append("Connection: close")
        head = "\r\n".join(lines).encode("utf-8", "replace")
        self.sent = length
        channel.writeSequence((head, b"\r\n\r\n", *body))

    def when_sent(self, tell: Callable[[bool], None]) -> None:
        """Call with whether the answer was sent: at once, unless it is so large that it takes its time."""
        if self.channel is None:
            tell(False)
        else:
            self.channel.when_sent(tell)

    def finish(self) -> None:
        """The answer is complete: the connection is free for the next request."""
        channel, self.channel, self.lost = self.channel, None, None
        if channel is not None:
            channel.requestDone(self)


def host_of(peer: Any) -> str:
    """The address in an L{twisted.internet.interfaces.IAddress}, or C{"unix"} if it has none."""
    return str(getattr(peer, "host", "unix"))


def _one_line(value: str) -> str:
    return value if value.isprintable() else "".join(c if c.isprintable() else " " for c in value)
