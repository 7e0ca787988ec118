"""Tests of the TLS context and of the certificate to begin with, over connections in memory."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.tls import BadCertificate, KeyPair, ServerContext, bare_context, self_signed

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def write_pair(folder: Path, *names: str, mode: int = 0o600, now: datetime = NOW) -> KeyPair:
    """Write a new self-signed certificate for these names, and its key."""
    folder.mkdir(exist_ok=True)
    pair = KeyPair(folder / "certificate.pem", folder / "key.pem")
    certificate, key = self_signed(names or ("localhost",), (), now)
    pair.certificate.write_bytes(certificate)
    pair.key.write_bytes(key)
    pair.key.chmod(mode)
    return pair


def rsa_pair(folder: Path) -> KeyPair:
    """Write a certificate of RSA, and its key."""
    pair = write_pair(folder)
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name.from_rfc4514_string("CN=rsa")
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + timedelta(days=100))
    pair.certificate.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    pair.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pair


class Pair:
    """A client and a server connected in memory."""

    def __init__(self, context: ServerContext, version: int | None = None, ciphers: str = "") -> None:
        client = SSL.Context(SSL.TLS_CLIENT_METHOD)
        if version is not None:
            client.set_min_proto_version(version)
            client.set_max_proto_version(version)
        if ciphers:
            client.set_cipher_list(ciphers.encode())
        self.client = SSL.Connection(client, None)
        self.client.set_connect_state()
        self.server = context.serverConnectionForTLS(None)  # type: ignore[arg-type]
        self.server.set_accept_state()

    def shake(self) -> Pair:
        """Do the handshake; raises L{SSL.Error} if it fails on either side."""
        for _ in range(4):
            for end, other in ((self.client, self.server), (self.server, self.client)):
                with contextlib.suppress(SSL.WantReadError):
                    end.do_handshake()
                self.move(end, other)
        return self

    @staticmethod
    def move(end: SSL.Connection, other: SSL.Connection) -> None:
        with contextlib.suppress(SSL.WantReadError):
            other.bio_write(end.bio_read(1 << 20))

    def names(self) -> list[str]:
        """The names in the certificate that the client was shown."""
        certificate = self.client.get_peer_certificate(as_cryptography=True)
        assert certificate is not None
        return alternatives(certificate).get_values_for_type(x509.DNSName)

    def says(self, data: bytes) -> bytes:
        """What the client receives of what the server sends."""
        self.server.send(data)
        self.move(self.server, self.client)
        return self.client.recv(1000)


def alternatives(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


class ServerContextTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.pair = write_pair(self.folder, "old.example")

    def make(self, *pairs: KeyPair, minimum: str = "1.2", now: datetime = NOW) -> ServerContext:
        return ServerContext(pairs or (self.pair,), minimum, lambda: now)

    def test_interface(self) -> None:
        """The context is what Twisted's TLS takes for a server."""
        self.assertTrue(verifyObject(IOpenSSLServerConnectionCreator, self.make()))

    def test_versions(self) -> None:
        """TLS 1.2 and 1.3 are spoken; 1.2 is refused if 1.3 is the lowest."""
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            self.assertEqual(Pair(self.make(), version).shake().server.get_protocol_version(), version)
        with self.assertRaises(SSL.Error):
            Pair(self.make(minimum="1.3"), SSL.TLS1_2_VERSION).shake()

    def test_weakCiphers(self) -> None:
        """Ciphers without forward secrecy or authenticated encryption are refused."""
        for cipher in ("AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA"):
            with self.assertRaises(SSL.Error):
                Pair(self.make(), SSL.TLS1_2_VERSION, cipher).shake()

    def test_order(self) -> None:
        """The server's order counts, but a client that prefers ChaCha20 gets it."""
        aes = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"
        shaken = Pair(self.make(), SSL.TLS1_2_VERSION, aes).shake()
        self.assertEqual(shaken.server.get_cipher_name(), "ECDHE-ECDSA-AES128-GCM-SHA256")
        chacha = Pair(self.make(), SSL.TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305:" + aes).shake()
        self.assertEqual(chacha.server.get_cipher_name(), "ECDHE-ECDSA-CHACHA20-POLY1305")

    def test_buffersReleased(self) -> None:
        """Idle connections give their buffers back."""
        self.assertTrue(bare_context(SSL.TLS1_2_VERSION).set_mode(0) & SSL.MODE_RELEASE_BUFFERS)

    def test_options(self) -> None:
        """Tickets are on; compression and renegotiation are off."""
        options = bare_context(SSL.TLS1_2_VERSION).set_options(0)
        self.assertFalse(options & SSL.OP_NO_TICKET)
        self.assertTrue(options & SSL.OP_NO_COMPRESSION)
        self.assertTrue(options & SSL.OP_NO_RENEGOTIATION)

    def test_reload(self) -> None:
        """After a reload new connections get the new certificate, and old ones go on."""
        context = self.make()
        old = Pair(context).shake()
        write_pair(self.folder, "new.example")
        context.reload()
        self.assertEqual(Pair(context).shake().names(), ["new.example"])
        self.assertEqual(old.names(), ["old.example"])
        self.assertEqual(old.says(b"still here"), b"still here")

    def test_reloadDuringHandshake(self) -> None:
        """A handshake that is under way is finished with the certificate it began with."""
        context = self.make()
        begun = Pair(context)
        write_pair(self.folder, "new.example")
        context.reload()
        self.assertEqual(begun.shake().names(), ["old.example"])

    def test_wrongReloadKeepsOld(self) -> None:
        """A wrong file at a reload is an error, and the certificate stays what it was."""
        context = self.make()
        self.pair.certificate.write_text("nonsense")
        self.assertRaises(BadCertificate, context.reload)
        self.assertEqual(Pair(context).shake().names(), ["old.example"])

    def test_wrongFiles(self) -> None:
        """Each way in which files can be wrong has an error that names the file and says what to do."""
        other = write_pair(self.folder / "other", "other.example")
        broken = self.folder / "broken.pem"
        broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        empty = self.folder / "empty.pem"
        empty.touch()
        missing = self.folder / "missing.pem"
        for pair, named, told in (
            (KeyPair(missing, self.pair.key), missing, "No such file"),
            (KeyPair(self.pair.certificate, missing), missing, "No such file"),
            (KeyPair(broken, self.pair.key), broken, "no certificate"),
            (KeyPair(empty, self.pair.key), empty, "no certificate"),
            (KeyPair(self.pair.certificate, broken), broken, "no private key"),
            (KeyPair(self.pair.key, self.pair.certificate), self.pair.key, "no certificate"),
            (KeyPair(self.pair.certificate, other.key), other.key, "does not belong"),
        ):
            error = str(self.assertRaises(BadCertificate, self.make, pair))
            self.assertTrue(error.startswith(f"{named}: "), error)
            self.assertIn(told, error)

    def test_encryptedKey(self) -> None:
        """A key with a password is refused; nobody is asked for the password at a terminal."""
        key = serialization.load_pem_private_key(self.pair.key.read_bytes(), None)
        self.pair.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            )
        )
        self.assertIn("encrypted", str(self.assertRaises(BadCertificate, self.make)))

    def test_chain(self) -> None:
        """Intermediate certificates in the file are sent."""
        other = write_pair(self.folder / "other", "intermediate.example")
        with self.pair.certificate.open("ab") as stream:
            stream.write(other.certificate.read_bytes())
        chain = Pair(self.make()).shake().client.get_peer_cert_chain(as_cryptography=True)
        assert chain is not None
        self.assertEqual(len(chain), 2)

    def test_bothKinds(self) -> None:
        """With an ECDSA and an RSA certificate each client gets the one it can use, ECDSA if both."""
        context = self.make(rsa_pair(self.folder / "rsa"), self.pair)
        for version, ciphers, algorithm in (
            (SSL.TLS1_3_VERSION, "", "ecdsa-with-SHA256"),
            (SSL.TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256", "ecdsa-with-SHA256"),
            (SSL.TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", "sha256WithRSAEncryption"),
        ):
            shown = Pair(context, version, ciphers).shake().client.get_peer_certificate(as_cryptography=True)
            assert shown is not None
            self.assertEqual(shown.signature_algorithm_oid._name, algorithm)

    def warnings(self, **more: datetime) -> list[str]:
        with capturedLogs() as events:
            self.make(**more)
        return [event["log_format"] for event in events if event["log_level"] is LogLevel.warn]

    def test_openKey(self) -> None:
        """A key that others may read is taken, with a warning."""
        self.assertEqual(self.warnings(), [])
        self.pair.key.chmod(0o644)
        self.assertEqual(len(self.warnings()), 1)

    def test_runsOut(self) -> None:
        """Two weeks before a certificate runs out there is a warning."""
        expires = self.make().expires
        self.assertEqual(self.warnings(now=expires - timedelta(days=15)), [])
        self.assertEqual(len(self.warnings(now=expires - timedelta(days=13))), 1)


class SelfSignedTests(SynchronousTestCase):
    def setUp(self) -> None:
        addresses = [ip_address("192.0.2.1"), ip_address("2001:db8::1")]
        certificate, self.key = self_signed(["mail.example.org", "*.example.org"], addresses, NOW)
        self.certificate = x509.load_pem_x509_certificate(certificate)

    def test_names(self) -> None:
        """The certificate is for the names and addresses that were given, and called by the first name."""
        found = alternatives(self.certificate)
        self.assertEqual(found.get_values_for_type(x509.DNSName), ["mail.example.org", "*.example.org"])
        self.assertEqual(
            [str(address) for address in found.get_values_for_type(x509.IPAddress)], ["192.0.2.1", "2001:db8::1"]
        )
        self.assertEqual(self.certificate.subject.rfc4514_string(), "CN=mail.example.org")

    def test_span(self) -> None:
        """It is valid now, since the day before, and for no more than 825 days."""
        begin, end = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
        self.assertEqual(begin, NOW - timedelta(days=1))
        self.assertLessEqual(end - begin + timedelta(seconds=1), timedelta(days=825))

    def test_usage(self) -> None:
        """It is for servers, and no authority."""
        extensions = self.certificate.extensions
        usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        self.assertEqual(list(usage), [ExtendedKeyUsageOID.SERVER_AUTH])
        self.assertFalse(extensions.get_extension_for_class(x509.BasicConstraints).value.ca)

    def test_key(self) -> None:
        """The key is ECDSA on P-256, and the certificate's."""
        key = serialization.load_pem_private_key(self.key, None)
        self.assertEqual(key.public_key(), self.certificate.public_key())
        self.assertEqual(key.curve.name, "secp256r1")  # type: ignore[union-attr]

    def test_onlyAddress(self) -> None:
        """An address alone is enough, and so is a name too long for a title; nothing at all is not."""
        for names, addresses in (((), [ip_address("::1")]), (["x" * 60 + ".example.org"], [])):
            certificate = x509.load_pem_x509_certificate(self_signed(names, addresses)[0])
            self.assertEqual(certificate.subject.rfc4514_string(), "CN=pushgw")
        self.assertRaises(ValueError, self_signed, [], [])
        self.assertRaises(ValueError, self_signed, ["bücher.example"], [])
