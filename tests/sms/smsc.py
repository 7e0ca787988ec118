"""An SMSC without sockets for tests of what talks to one: it answers as it is told to, with the real codec."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionLost, ConnectionRefusedError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.sms.pdu import CODES, Frames, Pdu, build, parse, raw, response
from tests.sms.fixtures import Cable

HERE = IPv4Address("TCP", "192.0.2.1", 2775)


@define(eq=False)
class Link:
    """One connection, at the SMSC's end."""

    smsc: Smsc
    protocol: IProtocol
    transport: Cable = field(factory=Cable)
    bound: str = ""
    open: bool = True
    answers: list[Pdu] = field(factory=list)
    _frames: Frames = field(factory=Frames)

    def serve(self) -> bool:
        """Read what was written, and answer; whether there was anything."""
        if not self.open:
            return False
        octets = self.transport.value()
        self.transport.clear()
        for frame in self._frames.feed(octets):
            self._request(parse(frame))
        if self.transport.disconnecting:
            self.cut()
        return bool(octets)

    def send(self, octets: bytes) -> None:
        """Have the other side receive something."""
        if self.open:
            self.protocol.dataReceived(octets)

    def cut(self) -> None:
        """End the connection."""
        if self.open:
            self.open = False
            self.smsc.links.remove(self)
            self.protocol.connectionLost(Failure(ConnectionLost()))

    def _request(self, pdu: Pdu) -> None:
        if pdu.is_response:
            self.answers.append(pdu)
        elif self.smsc.silent:
            self.smsc.swallowed.append(pdu)
        elif pdu.command.startswith("bind_"):
            if not self.smsc.bind_status:
                self.bound = pdu.command
            self.send(raw(pdu.code | 0x80000000, self.smsc.bind_status, pdu.sequence, b"SIM\0"))
        elif pdu.command == "submit_sm":
            self.smsc.take(self, pdu)
        elif pdu.command in ("enquire_link", "unbind"):
            self.send(raw(pdu.code | 0x80000000, 0, pdu.sequence))


@implementer(IStreamClientEndpoint)
@define(eq=False)
class Smsc:
    """An SMSC and the way to it.

    C{up}: whether connections are taken; C{silent}: requests are read and not answered; C{holding}: submits are kept
    in C{held} until L{release}; C{status}: what submits are answered with, a function of the PDU.
    """

    clock: Clock
    name: str = "m"
    up: bool = True
    silent: bool = False
    holding: bool = False
    bind_status: int = 0
    status: Callable[[Pdu], int] = lambda pdu: 0
    attempts: int = 0
    links: list[Link] = field(factory=list)
    taken: list[Pdu] = field(factory=list)
    held: list[tuple[Link, Pdu]] = field(factory=list)
    swallowed: list[Pdu] = field(factory=list)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        self.attempts += 1
        if not self.up:
            return fail(ConnectionRefusedError("nobody listens"))
        protocol = protocolFactory.buildProtocol(HERE)
        assert protocol is not None
        link = Link(self, protocol)
        self.links.append(link)
        protocol.makeConnection(link.transport)
        return succeed(protocol)

    def take(self, link: Link, pdu: Pdu) -> None:
        """Take a submit."""
        if self.holding:
            self.held.append((link, pdu))
            return
        code = self.status(pdu)
        if code:
            link.send(raw(CODES["submit_sm_resp"], code, pdu.sequence))
            return
        self.taken.append(pdu)
        link.send(build(response(pdu, message_id=f"{self.name}{len(self.taken)}")))

    def release(self) -> None:
        """Answer what was held."""
        self.holding = False
        held, self.held = self.held, []
        for link, pdu in held:
            self.take(link, pdu)

    def receipt(self, message_id: str, link: int = 0, stat: str = "DELIVRD", sequence: int = 1) -> None:
        """Send a receipt."""
        text = f"id:{message_id} stat:{stat} err:000".encode()
        self.links[link].send(build(Pdu("deliver_sm", 0, sequence, {"esm_class": 4, "short_message": text})))

    def kill(self) -> None:
        """End all connections, and take none."""
        self.up = False
        for link in list(self.links):
            link.cut()

    @property
    def numbers(self) -> list[str]:
        """Where the messages taken went."""
        return [pdu.text("destination_addr") for pdu in self.taken]


def settle(clock: Clock, *smscs: Smsc) -> None:
    """Let everything happen that happens now."""
    for _ in range(10_000):
        clock.advance(0)
        if not any([link.serve() for smsc in smscs for link in list(smsc.links)]):
            return
    raise AssertionError("they never stop talking")


def run(clock: Clock, seconds: float, *smscs: Smsc) -> None:
    """Let so many seconds pass, from one thing that happens to the next."""
    end = clock.seconds() + seconds
    settle(clock, *smscs)
    while True:
        due = min((call.getTime() for call in clock.getDelayedCalls()), default=end)
        clock.advance(max(0.0, min(due, end) - clock.seconds()))
        settle(clock, *smscs)
        if due >= end:
            return
