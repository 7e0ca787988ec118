"""The toy server over real sockets, and the device command as a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from gateway.simulator.line import Post, Reply
from tests.simulator.toy import ToyServer, ping

PASSWORD = "Geheim é"


class ToyPage(Resource):
    """The one page of an ActiveSync server; with C{expiry} Pings are ended at their heartbeat by that clock."""

    isLeaf = True

    def __init__(self, toy: ToyServer) -> None:
        super().__init__()
        self.toy = toy
        self.expiry: IReactorTime | None = None
        self._connections: list[TLSMemoryBIOProtocol] = []

    @property
    def connections(self) -> int:
        """On how many connections requests came."""
        return len(set(map(id, self._connections)))

    def break_off(self) -> None:
        """Reset every connection."""
        for connection in self._connections:
            connection.transport.abortConnection()

    def render(self, request: Request) -> int:
        self._connections.append(request.channel.transport)
        gone = request.notifyFinish()
        answer = self._answer(request)
        self._expire(answer)
        answer.addCallback(self._send, request)
        gone.addErrback(lambda _: answer.cancel())
        answer.addErrback(lambda _: None)
        return NOT_DONE_YET

    def _expire(self, answer: Deferred[Reply]) -> None:
        parked = self.toy.parked
        if self.expiry is None or answer is not parked:
            return
        heartbeat = float(self.toy.documents("Ping")[-1].text_of("Ping:HeartbeatInterval") or 0)
        call = self.expiry.callLater(heartbeat, self.toy.answer_ping, ping(1))
        answer.addBoth(lambda result: (call.active() and call.cancel(), result)[1])

    def _answer(self, request: Request) -> Deferred[Reply]:
        if request.getPassword() != PASSWORD.encode():
            done: Deferred[Reply] = Deferred()
            done.callback(Reply(401))
            return done
        if request.method == b"OPTIONS":
            return self.toy.answer_options()
        key = request.getHeader("x-ms-policykey")
        post = Post(
            request.args[b"Cmd"][0].decode(),
            request.getHeader("ms-asprotocolversion") or "",
            request.content.read(),
            None if key is None else int(key),
        )
        return self.toy.answer(post)

    def _send(self, reply: Reply, request: Request) -> None:
        request.setResponseCode(reply.status)
        for name, value in reply.headers.items():
            request.setHeader(name, value)
        request.setHeader("content-type", "application/vnd.ms-sync.wbxml")
        request.setHeader("content-length", str(len(reply.body)))
        request.write(reply.body)
        request.finish()


class Command(ProcessProtocol):
    """Runs C{pushgw device}. C{done} fires with the exit status; C{line(text)} when such a line has come."""

    def __init__(self, reactor, *arguments: str, password: str = PASSWORD) -> None:
        self.out = self.err = ""
        self.done: Deferred[int] = Deferred()
        self._password = password
        self._waiting: list[tuple[str, Deferred[None]]] = []
        program = "from gateway.commands.device import device; device()"
        root = str(Path(__file__).parents[2])
        environment = {"PYTHONPATH": root, "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}
        argv = [sys.executable, "-c", program, *arguments, "--password-stdin"]
        self.process = reactor.spawnProcess(self, sys.executable, argv, environment)

    def line(self, text: str) -> Deferred[None]:
        """Fires when that text has been printed, on either stream."""
        found: Deferred[None] = Deferred()
        self._waiting.append((text, found))
        self._look()
        return found

    def connectionMade(self) -> None:
        self.transport.write(f"{self._password}\n".encode())
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        self.out += data.decode()
        self._look()

    def errReceived(self, data: bytes) -> None:
        self.err += data.decode()
        self._look()

    def processEnded(self, reason: Failure) -> None:
        reason.trap(ProcessDone, ProcessTerminated)
        self.done.callback(reason.value.exitCode)
        for text, found in self._waiting:
            found.errback(AssertionError(f"{text!r} was never printed; {self.out}\n{self.err}"))

    def _look(self) -> None:
        for pair in list(self._waiting):
            if pair[0] in self.out + self.err:
                self._waiting.remove(pair)
                pair[1].callback(None)
