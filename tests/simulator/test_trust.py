"""Tests of which servers a phone believes."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.test.iosim import FakeTransport, connect
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.simulator.trust import Trust, TrustAnyone
from tests.simulator.certificates import self_signed


class Listener(Protocol):
    """Notes that the handshake is done, and why the connection went."""

    def __init__(self) -> None:
        self.data = b""
        self.reason = None

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason) -> None:
        self.reason = reason


class TrustTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.pem, self.certificate = self_signed("127.0.0.1", "mail.example.org")
        self.file = Path(self.mktemp())
        self.file.write_bytes(self.pem)

    def shake(self, policy, host: bytes) -> Listener:
        """Connect to a server with the certificate of these tests, calling it by that name."""
        creator = policy.creatorForNetloc(host, 443)
        here, there, clock = Listener(), Listener(), Clock()
        client = TLSMemoryBIOFactory(creator, True, Factory.forProtocol(lambda: here), clock).buildProtocol(None)
        options = PrivateCertificate.loadPEM(self.certificate).options()
        server = TLSMemoryBIOFactory(options, False, Factory.forProtocol(lambda: there), clock).buildProtocol(None)
        pump = connect(server, FakeTransport(server, True), client, FakeTransport(client, False))
        there.transport.write(b"hello")
        clock.advance(0)
        pump.flush()
        return here

    def test_ownAuthority(self) -> None:
        """A self-signed certificate is believed if it is in the file, by name and by address."""
        trust = Trust.from_file(self.file)
        for host in (b"127.0.0.1", b"mail.example.org"):
            self.assertEqual(self.shake(trust, host).data, b"hello")

    def test_wrongName(self) -> None:
        """A certificate for another host is not believed."""
        self.assertEqual(self.shake(Trust.from_file(self.file), b"other.example.org").data, b"")

    def test_strangers(self) -> None:
        """The system's authorities do not know it; nor does another file."""
        other = Path(self.mktemp())
        other.write_bytes(self_signed("127.0.0.1")[0])
        for trust in (Trust(), Trust.from_file(other)):
            self.assertEqual(self.shake(trust, b"127.0.0.1").data, b"")

    def test_anyone(self) -> None:
        """With checks switched off everybody is believed."""
        for host in (b"other.example.org", b"192.0.2.1"):
            self.assertEqual(self.shake(TrustAnyone(), host).data, b"hello")

    def test_shared(self) -> None:
        """All connections to a host share one context, which is what makes many phones cheap."""
        trust = Trust.from_file(self.file)
        first = trust.creatorForNetloc(b"h", 443)
        self.assertIs(trust.creatorForNetloc(b"h", 443), first)
        anyone = TrustAnyone()
        contexts = {id(anyone.creatorForNetloc(host, 443).context) for host in (b"a", b"b")}
        self.assertEqual(len(contexts), 1)

    def test_interface(self) -> None:
        """Both are policies for HTTPS."""
        from twisted.web.iweb import IPolicyForHTTPS

        self.assertTrue(verifyObject(IPolicyForHTTPS, Trust()))
        self.assertTrue(verifyObject(IPolicyForHTTPS, TrustAnyone()))

    def test_badFile(self) -> None:
        """A file without a certificate, or with a broken one, is refused."""
        for text in (
            "",
            "nothing",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----END CERTIFICATE-----",
        ):
            self.file.write_text(text)
            with self.assertRaises(ValueError, msg=text):
                Trust.from_file(self.file)
        with self.assertRaises(OSError):
            Trust.from_file(Path(self.mktemp()))
