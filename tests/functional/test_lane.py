"""The device lane on real sockets: what only a real peer can show, with short times."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.interfaces import IReactorTCP
from twisted.internet.threads import deferToThread
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import TestCase

from gateway.eas.http import ActiveSync, Root, TrustedProxies, make_site
from gateway.eas.incoming import ChannelLimits
from gateway.tls import ServerContext, utc_now
from tests.eas.lane import SYNC, Told, raw
from tests.support import World
from tests.test_tls import write_pair

LIMITS = ChannelLimits(header_timeout=0.4, body_bytes=100_000)


class LaneTests(TestCase):
    timeout = 30

    def setUp(self) -> None:
        self.world = World()
        self.sync = self.world.commands["Sync"] = Told()
        root = Root(ActiveSync(self.world.dispatcher, TrustedProxies()))
        self.site = make_site(root, reactor, LIMITS, 0.4)  # type: ignore[arg-type]
        self.plain = self.listen(self.site)

    def listen(self, factory: Any) -> int:
        """Listen on loopback until the test is over; the port."""
        port = IReactorTCP(reactor).listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return port.getHost().port

    def secured(self) -> int:
        """The same lane behind TLS."""
        context = ServerContext([write_pair(Path(self.mktemp()), now=utc_now())])
        return self.listen(TLSMemoryBIOFactory(context, False, self.site, reactor))  # type: ignore[arg-type]

    @inlineCallbacks
    def test_handshakeThatNeverComes(self) -> Any:
        """A client that opens a TLS connection and says nothing, or half a handshake, is gone after its time."""
        port = self.secured()

        def silent(first: bytes) -> float:
            with socket.create_connection(("127.0.0.1", port), 10) as client:
                began = time.monotonic()
                client.sendall(first)
                with contextlib.suppress(ConnectionResetError):
                    self.assertEqual(client.recv(1), b"")
                return time.monotonic() - began

        for first in (b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
            taken = yield deferToThread(silent, first)
            self.assertTrue(0.3 < taken < 5, taken)

    @inlineCallbacks
    def test_refusalArrives(self) -> Any:
        """Who is still sending a body that is too large reads the 413 before the connection ends."""

        def upload() -> bytes:
            with socket.create_connection(("127.0.0.1", self.plain), 10) as client:
                client.sendall(raw(Content_Length="50000000"))
                for _ in range(40):
                    client.sendall(b"x" * 50_000)
                return _all(client)

        answer = yield deferToThread(upload)
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)

    @inlineCallbacks
    def test_idleOverTLS(self) -> Any:
        """A kept-alive TLS connection serves several requests, and ends with close_notify when it is idle."""
        port = self.secured()

        def talk() -> list[bytes]:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_alpn_protocols(["h2", "http/1.1"])
            tcp = socket.create_connection(("127.0.0.1", port), 10)
            with context.wrap_socket(tcp, suppress_ragged_eofs=False) as client:
                self.assertIn(client.selected_alpn_protocol(), (None, "http/1.1"))
                answers = []
                for _ in range(3):
                    client.sendall(raw(body=SYNC))
                    answers.append(client.recv(4096))
                return [*answers, _all(client)]

        *answers, rest = yield deferToThread(talk)
        self.assertEqual(([answer[:12] for answer in answers], rest), ([b"HTTP/1.1 200"] * 3, b""))

    @inlineCallbacks
    def test_clientLeavesWhileParked(self) -> Any:
        """A client that leaves while its command waits is noticed at once, over TLS too."""
        self.sync.answer = None
        self.site.limits = evolve(LIMITS, header_timeout=10)
        for port in (self.plain, self.secured()):

            def leave(port: int = port) -> None:
                with socket.create_connection(("127.0.0.1", port), 10) as tcp:
                    client: socket.socket = tcp
                    if port != self.plain:
                        context = ssl.create_default_context()
                        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                        client = context.wrap_socket(tcp)
                    client.sendall(raw(body=SYNC))
                    time.sleep(0.3)
                    client.close()

            self.sync.cancelled = 0
            yield deferToThread(leave)
            yield deferToThread(time.sleep, 0.3)
            self.assertEqual(self.sync.cancelled, 1)


def _all(client: socket.socket) -> bytes:
    data = b""
    while True:
        part = client.recv(65536)
        if not part:
            return data
        data += part
