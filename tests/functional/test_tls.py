"""TLS as C{openssl s_client} sees it, over real sockets."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.protocol import Factory, ProcessProtocol, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from gateway.tls import ServerContext, utc_now
from tests.test_tls import write_pair

OPENSSL = shutil.which("openssl")


class Greeter(Protocol):
    """Answers each line, and hangs up at C{bye}."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(b"you said " + data)
        if b"bye" in data:
            self.transport.loseConnection()


class Client(ProcessProtocol):
    """C{openssl s_client}: what it prints, and its end."""

    def __init__(self) -> None:
        self.printed = ""
        self.ended: Deferred[str] = Deferred()
        self._awaited: list[tuple[str, Deferred[None]]] = []

    def prints(self, text: str) -> Deferred[None]:
        """Wait until it has printed that."""
        seen: Deferred[None] = Deferred()
        self._awaited.append((text, seen))
        self._look()
        return seen

    def outReceived(self, data: bytes) -> None:
        self.printed += data.decode("utf-8", "replace")
        self._look()

    errReceived = outReceived

    def _look(self) -> None:
        for text, seen in [pair for pair in self._awaited if pair[0] in self.printed]:
            self._awaited.remove((text, seen))
            seen.callback(None)

    def processEnded(self, reason: Failure) -> None:
        reason.trap(ProcessDone, ProcessTerminated)
        self.ended.callback(self.printed)


class ResumptionTests(TestCase):
    if OPENSSL is None:
        skip = "needs openssl"
    timeout = 30

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.pair = write_pair(self.folder, "old.example", now=utc_now())
        self.context = ServerContext([self.pair])
        factory = TLSMemoryBIOFactory(self.context, False, Factory.forProtocol(Greeter))
        self.port = reactor.listenTCP(0, factory, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(self.port.stopListening)

    def client(self, *options: str) -> Client:
        client = Client()
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port.getHost().port}", *options]
        reactor.spawnProcess(client, OPENSSL, command, env=None)  # type: ignore[attr-defined]
        return client

    def talk(self, *options: str) -> Awaitable[str]:
        """What a client prints that says goodbye at once and waits for the answer."""
        client = self.client("-ign_eof", *options)
        client.transport.write(b"bye\n")
        return client.ended

    async def test_resumes12(self) -> None:
        """A TLS 1.2 client that reconnects five times does one whole handshake."""
        printed = await self.talk("-tls1_2", "-reconnect")
        self.assertEqual(printed.count("New, TLSv1.2"), 1, printed)
        self.assertEqual(printed.count("Reused, TLSv1.2"), 5, printed)

    async def test_resumes13(self) -> None:
        """A TLS 1.3 client resumes its session on another connection."""
        session = str(self.folder / "session")
        first = await self.talk("-tls1_3", "-sess_out", session)
        second = await self.talk("-tls1_3", "-sess_in", session)
        self.assertIn("New, TLSv1.3", first)
        self.assertIn("Reused, TLSv1.3", second)
        self.assertIn("you said bye", second)

    async def test_reloadAsksForNewSession(self) -> None:
        """A ticket from before a reload is not refused: it costs a whole handshake, with the new certificate."""
        session = str(self.folder / "session")
        await self.talk("-tls1_3", "-sess_out", session)
        write_pair(self.folder, "new.example", now=utc_now())
        self.context.reload()
        printed = await self.talk("-tls1_3", "-sess_in", session)
        self.assertIn("New, TLSv1.3", printed)
        self.assertIn("new.example", printed)

    async def test_oldVersionsRefused(self) -> None:
        """TLS 1.0 and 1.1 are refused."""
        for version in ("-tls1", "-tls1_1"):
            printed = await self.talk(version, "-cipher", "ALL:@SECLEVEL=0")
            self.assertIn("alert protocol version", printed)
            self.assertNotIn("you said", printed)

    async def test_renegotiationRefused(self) -> None:
        """A client that asks to renegotiate gets no second handshake."""
        client = self.client("-tls1_2")
        await client.prints("Verify return code")
        client.transport.write(b"R\n")
        printed = await client.ended
        self.assertIn("no renegotiation", printed)

    async def test_reloadKeepsConnections(self) -> None:
        """A reload leaves a connection alone; the next one is shown the new certificate."""
        old = self.client("-tls1_3")
        old.transport.write(b"one\n")
        await old.prints("you said one")
        write_pair(self.folder, "new.example", now=utc_now())
        self.context.reload()
        self.assertIn("CN = new.example", await self.talk())
        old.transport.write(b"two bye\n")
        await old.prints("you said two")
        self.assertIn("CN = old.example", await old.ended)
