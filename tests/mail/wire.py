"""An SMTP server in memory whose answers a test gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.mail.server import Security, Server


class Wire(StringTransport):
    """A connection: pull producers are asked as long as they give, and what is closed here is closed."""

    tls: object = None
    lost = False
    stalled = False

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.session: Any = None

    def startTLS(self, context: object) -> None:
        self.tls = context

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        super().registerProducer(producer, streaming)
        while self.producer is not None and not self.stalled:
            producer.resumeProducing()

    def lose(self, reason: Exception) -> None:
        """The connection ends."""
        if not self.lost:
            self.lost = True
            if self.producer is not None:
                self.producer.stopProducing()
            self.session.connectionLost(Failure(reason))

    def loseConnection(self) -> None:
        self.clock.callLater(0, self.lose, ConnectionDone())

    def abortConnection(self) -> None:
        self.clock.callLater(0, self.lose, ConnectionAborted())


@implementer(IStreamClientEndpoint)
@define(eq=False)
class Dial:
    """Where connections go to; C{refuse} is why they do not come about."""

    clock: Clock
    refuse: Exception | None = None
    held: list[Deferred[Any]] | None = None
    wires: list[Wire] = field(factory=list)
    last: str = ""

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        if self.refuse is not None:
            return fail(self.refuse)
        if self.held is not None:
            self.held.append(Deferred())
            return self.held[-1]
        wire = Wire(self.clock)
        self.wires.append(wire)
        wire.session = factory.buildProtocol(None)  # type: ignore[arg-type]
        wire.session.makeConnection(wire)
        return succeed(wire.session)

    def server(self, **changed: Any) -> Server:
        """A server at the end of it."""
        return Server(
            **{"name": "mail.example.net", "endpoint": self, "security": Security.NONE, "identity": "me", **changed}
        )

    # What the server of the newest connection does.

    def heard(self) -> str:
        """What was said to it since the last time."""
        self.last = self.wires[-1].value().decode("latin-1")
        self.wires[-1].clear()
        return self.last

    def says(self, *lines: str) -> str:
        """It answers, line by line; what it hears after that."""
        for line in lines:
            self.wires[-1].session.dataReceived(line.encode("latin-1") + b"\r\n")
        return self.heard()

    def vanishes(self) -> None:
        """It is gone."""
        self.wires[-1].lose(ConnectionLost())

    def greets(self, *offers: str) -> None:
        """It says what it offers."""
        self.says("220 mail.example.net ESMTP")
        lines = ["mail.example.net", *offers]
        self.says(*(f"250{'-' if line is not lines[-1] else ' '}{line}" for line in lines))

    def takes(self, recipients: Sequence[str] = ("x",)) -> str:
        """It takes a mail whose MAIL it has heard; the content."""
        self.says("250 2.1.0 ok", *(["250 2.1.5 ok"] * len(recipients)))
        content = self.says("354 go on")
        self.says("250 2.0.0 queued as 1")
        return content
