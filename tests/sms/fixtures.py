"""The SMSC's side of sessions in tests: what was written is read with the real codec."""

from __future__ import annotations

from socket import IPPROTO_TCP, TCP_NODELAY

from attrs import define, field
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.sms.bind import Bind
from gateway.sms.pdu import Frames, Pdu, Value, build, parse, raw, response
from gateway.sms.session import ISessionUser, Session
from gateway.sms.settings import Timing

BIND = Bind("bind_transceiver", "sys", "secret")
SUBMIT: dict[str, Value] = {"destination_addr": "491701234567", "short_message": b"PUSHGW 1f"}


@implementer(ISessionUser)
@define(eq=False)
class Seen:
    """What a session tells its user."""

    sessions: list[Session] = field(factory=list)
    messages: list[Pdu] = field(factory=list)
    willings: list[Session] = field(factory=list)
    congestion: list[int] = field(factory=list)
    over: list[Session] = field(factory=list)

    def bound(self, session: Session) -> None:
        self.sessions.append(session)

    def message(self, session: Session, pdu: Pdu) -> None:
        self.messages.append(pdu)

    def willing(self, session: Session) -> None:
        self.willings.append(session)

    def congested(self, session: Session, state: int) -> None:
        self.congestion.append(state)

    def ended(self, session: Session) -> None:
        self.over.append(session)


class Cable(StringTransport):
    """A transport that knows whether its connection was cut, and not only closed."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        self.loseConnection()


@implementer(ITCPTransport)
class Socketed(Cable):
    """A transport over TCP, which keeps what its socket was told."""

    def __init__(self) -> None:
        super().__init__()
        self.socket = self
        self.told: list[tuple[int, ...]] = []

    def setsockopt(self, *option: int) -> None:
        self.told.append(option)

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.told.append((IPPROTO_TCP, TCP_NODELAY, int(enabled)))


class Wire:
    """A session and the SMSC's end of its connection."""

    def __init__(
        self,
        clock: Clock,
        bind: Bind = BIND,
        window: int = 10,
        timing: Timing | None = None,
        transport: Cable | None = None,
    ) -> None:
        self.clock = clock
        self.seen = Seen()
        self.session = Session(bind, self.seen, clock, window, timing or Timing(), "acme")
        self.transport = transport or Cable()
        self._frames = Frames()
        self.answers: list[Pdu | None] = []
        self.session.makeConnection(self.transport)

    def sent(self) -> list[Pdu]:
        """What was written since the last time."""
        octets = self.transport.value()
        self.transport.clear()
        return [parse(frame) for frame in self._frames.feed(octets)]

    def commands(self) -> list[str]:
        """The names of what was written since the last time."""
        return [pdu.command for pdu in self.sent()]

    def receive(self, *pdus: Pdu | bytes) -> None:
        """Have the session receive something, in one piece."""
        self.session.dataReceived(b"".join(pdu if isinstance(pdu, bytes) else build(pdu) for pdu in pdus))

    def bind(self, *tlvs: tuple[int, bytes]) -> Wire:
        """Have the bind answered."""
        (asked,) = self.sent()
        self.receive(Pdu(f"{asked.command}_resp", 0, asked.sequence, {"system_id": "SIM"}, tlvs))
        return self

    def submit(self, count: int = 1) -> list[Pdu]:
        """Submit messages; what was written."""
        for _ in range(count):
            self.session.submit(lambda sequence: build(Pdu("submit_sm", 0, sequence, SUBMIT)), self.answers.append)
        return self.sent()

    def warm(self) -> Wire:
        """Have a first submit answered, so that the whole window is open."""
        (pdu,) = self.submit()
        self.receive(response(pdu, message_id="1"))
        self.answers.clear()
        return self

    def lose(self) -> None:
        """The connection is gone."""
        self.session.connectionLost(Failure(ConnectionLost()))

    @property
    def closing(self) -> bool:
        """Whether the session has closed its side."""
        return self.transport.disconnecting


def deliver(sequence: int, text: bytes = b"id:1 stat:DELIVRD", esm_class: int = 4) -> bytes:
    """A deliver_sm."""
    return build(Pdu("deliver_sm", 0, sequence, {"esm_class": esm_class, "short_message": text}))


def answer(pdu: Pdu, code: int = 0, body: bytes = b"") -> bytes:
    """The answer to a request, around any body."""
    return raw(pdu.code | 0x80000000, code, pdu.sequence, body)
