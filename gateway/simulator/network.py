"""A network in front of a server: forwards TCP, and drops connections the way carriers and firewalls do."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import cast

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IListeningPort,
    IProtocol,
    IPushProducer,
    IReactorTime,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

#: Silent connections kept open after they were dropped, before the oldest of them is closed.
KEPT_DEAD = 1000


class Mode(Enum):
    """How a connection is dropped: both ends hear nothing any more, or both get a reset."""

    SILENT = "silent"
    RESET = "reset"


@frozen
class Carrier:
    """What a network does to connections; times in seconds.

    C{idle}: a connection is dropped when no byte flowed for that long. C{loss}: all connections are dropped once,
    that long after the start. C{change}: the phone gets another network, that long after the start. C{None}: never.
    """

    idle: float | None = None
    mode: Mode = Mode.SILENT
    loss: float | None = None
    change: float | None = None

    @classmethod
    def parse(cls, text: str) -> Carrier:
        """Read C{idle=13m,mode=reset,loss=60,change=1h}; C{""} and C{"none"} are a network without faults.

        @raise ValueError: an unknown word, or a time that is none.
        """
        given: dict[str, float | Mode] = {}
        for word in () if text in ("", "none") else text.split(","):
            name, _, value = word.strip().partition("=")
            if name == "mode":
                given[name] = _mode(value)
            elif name in ("idle", "loss", "change"):
                given[name] = seconds(value)
            else:
                raise ValueError(f"a network has no {name!r}: it has idle, mode, loss and change")
        return cls(**given)  # type: ignore[arg-type]


def _mode(text: str) -> Mode:
    try:
        return Mode(text)
    except ValueError:
        raise ValueError(f"mode is silent or reset, not {text!r}") from None


def seconds(text: str) -> float:
    """A time like C{90}, C{90s}, C{13m} or C{1.5h}, in seconds.

    @raise ValueError: it is none, or not positive, or more than a month.
    """
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], units[text[-1]]) if text and text[-1] in units else (text, 1)
    if not number.replace(".", "", 1).isdecimal() or not 0 < float(number) * unit <= 31 * 86400:
        raise ValueError(f"{text!r} is no time: give 90, 90s, 13m or 1.5h")
    return float(number) * unit


@define(eq=False)
class Network:
    """Listens, and forwards each connection to the server, as the carrier lets it.

    A side is read only while the other one takes what was read: nothing is stored here.
    """

    carrier: Carrier
    clock: IReactorTime
    _server: IStreamClientEndpoint
    _port: IListeningPort | None = field(init=False, default=None)
    _links: dict[_Link, None] = field(factory=dict, init=False)
    _calls: list[IDelayedCall] = field(factory=list, init=False)
    _listeners: list[Callable[[], None]] = field(factory=list, init=False)

    async def start(self, endpoint: IStreamServerEndpoint) -> IListeningPort:
        """Listen at that endpoint; the port, whose address phones are to connect to."""
        self._port = await endpoint.listen(Factory.forProtocol(self._accept))
        if self.carrier.loss is not None:
            self._calls.append(self.clock.callLater(self.carrier.loss, self.lose))
        if self.carrier.change is not None:
            self._calls.append(self.clock.callLater(self.carrier.change, self.change))
        return self._port

    async def stop(self) -> None:
        """Listen no more, and close every connection."""
        for call in self._calls:
            if call.active():
                call.cancel()
        for link in list(self._links):
            link.reset()
        if self._port is not None:
            await maybeDeferred(self._port.stopListening)

    def lose(self) -> None:
        """Drop every connection there is, in the mode of the carrier."""
        for link in list(self._links):
            link.drop(self.carrier.mode)

    def change(self) -> None:
        """The phone gets another network: its listeners hear of it, and every old connection is reset."""
        for listener in self._listeners:
            listener()
        for link in list(self._links):
            link.drop(Mode.RESET)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call this at every change of network, before the connections break."""
        self._listeners.append(listener)

    @property
    def connections(self) -> int:
        """Connections that the network still knows, those dropped silently not counted."""
        return sum(not link.dead for link in self._links)

    def _accept(self) -> Protocol:
        link = _Link(self.clock, self.carrier, self._server, self._closed)
        self._links[link] = None
        self._bury()
        return _End(link, far=False)

    def _closed(self, link: _Link) -> None:
        self._links.pop(link, None)

    def _bury(self) -> None:
        dead = [link for link in self._links if link.dead]
        for link in dead[:-KEPT_DEAD]:
            link.reset()


@define(eq=False)
class _Link:
    """One connection of a phone with its counterpart to the server."""

    clock: IReactorTime
    carrier: Carrier
    server: IStreamClientEndpoint
    closed: Callable[[_Link], None]
    ends: list[_End] = field(factory=list)
    dead: bool = False
    _connecting: Deferred[None] | None = None
    _joined: bool = False
    _moved: float = 0.0
    _timer: IDelayedCall | None = None

    log = Logger()

    def connected(self, end: _End) -> None:
        """An end is up. The near one waits, unread, for the far one; then both are joined."""
        if end.far and not self.ends:
            end.abort()
            return
        self.ends.append(end)
        if not end.far:
            end.producer.pauseProducing()
            connecting = self.server.connect(Factory.forProtocol(lambda: _End(self, far=True)))
            self._connecting = connecting.addCallbacks(self._reached, self._failed)
        elif not self.dead:
            self._join(*self.ends)

    def _join(self, near: _End, far: _End) -> None:
        self._joined = True
        near.consumer.registerProducer(far.producer, True)
        far.consumer.registerProducer(near.producer, True)
        near.producer.resumeProducing()
        self._moved = self.clock.seconds()
        if self.carrier.idle is not None:
            self._timer = self.clock.callLater(self.carrier.idle, self._look, self.carrier.idle)

    def _part(self) -> None:
        """Neither end is slowed by the other any more."""
        if self._joined:
            self._joined = False
            for end in self.ends:
                end.consumer.unregisterProducer()

    def _reached(self, far: IProtocol) -> None:
        self._connecting = None

    def _failed(self, reason: Failure) -> None:
        """The server cannot be reached, and so it is for the phone."""
        self._connecting = None
        self.log.info("The way to the server failed: {why}", why=reason.getErrorMessage())
        self.reset()

    def moved(self, end: _End, data: bytes) -> None:
        """Bytes came in at an end: let them out at the other, unless the link is dead."""
        self._moved = self.clock.seconds()
        if not self.dead:
            for other in self.ends:
                if other is not end:
                    other.consumer.write(data)

    def lost(self, end: _End) -> None:
        """An end is gone; the other one is told, unless the link is dead, and then it never hears of it."""
        if end not in self.ends:
            return
        self.ends.remove(end)
        self._part()
        for other in list(self.ends):
            if not self.dead:
                other.close()
        if self._connecting is not None:
            self._connecting.cancel()
        if not self.ends:
            self._over()

    def drop(self, mode: Mode) -> None:
        """Be lost to the network."""
        if mode is Mode.RESET:
            self.reset()
            return
        self.dead = True
        self._cancel()
        self._part()
        for end in self.ends:
            # What arrives is read and thrown away, so that each end can still be seen to close.
            end.producer.resumeProducing()

    def reset(self) -> None:
        """Break both ends off."""
        if self._connecting is not None:
            self._connecting.cancel()
        for end in list(self.ends):
            end.abort()

    def _look(self, idle: float) -> None:
        left = self._moved + idle - self.clock.seconds()
        if left > 0:
            self._timer = self.clock.callLater(left, self._look, idle)
        else:
            self._timer = None
            self.drop(self.carrier.mode)

    def _over(self) -> None:
        self._cancel()
        self.closed(self)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _End(Protocol):
    """One side of a link."""

    consumer: IConsumer
    producer: IPushProducer

    def __init__(self, link: _Link, far: bool) -> None:
        self.link = link
        self.far = far

    def connectionMade(self) -> None:
        """This side is up."""
        self.consumer, self.producer = IConsumer(self.transport), IPushProducer(self.transport)
        self.link.connected(self)

    def dataReceived(self, data: bytes) -> None:
        """Hand over what came in."""
        self.link.moved(self, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """This side is gone."""
        self.link.lost(self)

    def close(self) -> None:
        """End in good order, after what is still to be sent."""
        if self.transport is not None:
            self.transport.loseConnection()

    def abort(self) -> None:
        """Break off with a reset."""
        if self.transport is not None:
            cast(ITCPTransport, self.transport).abortConnection()
