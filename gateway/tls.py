"""TLS of the listeners: a context of our own, and the certificate to begin with.

Twisted's C{ssl:} endpoint and its C{CertificateOptions} switch session tickets off, so that a phone which comes back
pays for a whole handshake each time. A bare pyOpenSSL context keeps 34 KiB of buffers for each idle connection. Hence
L{ServerContext}. It is an L{IOpenSSLServerConnectionCreator} and no context factory of the old kind, because that
asks for one method which is called for each connection: what it answers can be replaced while others live on. It goes
where Twisted takes one: C{TLSMemoryBIOFactory(context, False, factory)}, C{transport.startTLS(context)}; and
L{ServerContext.context} goes to whoever puts TLS on the socket.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from attrs import define, field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

MINIMUM = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}

CIPHERS = ":".join(
    f"ECDHE-{kind}-{cipher}"
    for kind in ("ECDSA", "RSA")
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
)
"""What TLS 1.2 may use: forward secrecy and authenticated encryption only; the cheap signature first. The cipher suites
of TLS 1.3 are all good, and stay the library's."""

PRIORITIZE_CHACHA = 0x200000
"""OpenSSL's C{SSL_OP_PRIORITIZE_CHACHA}, which pyOpenSSL does not name: ours is the order of the ciphers, but a phone
that puts ChaCha20 first has no AES in hardware and gets it."""

TICKET_SECONDS = 12 * 3600
"""How long a session may be resumed; a phone with heartbeats of an hour comes back within it."""

SELF_SIGNED_DAYS = 824
"""Apple's devices take no certificate that is valid for more than 825 days."""


class BadCertificate(Exception):
    """A certificate or its key cannot be used; the message names the file, what is wrong and what to do."""


@frozen
class KeyPair:
    """The files of a certificate (followed by the intermediate ones) and of its private key, both in PEM form."""

    certificate: Path
    key: Path


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@implementer(IOpenSSLServerConnectionCreator)
@define(eq=False, repr=False)
class ServerContext:
    """The TLS of a listener.

    Sessions are resumed by tickets (RFC 5077, RFC 8446 2.2), so the server keeps none. The key of the tickets lives
    in the context and is replaced with it: a L{reload} makes phones do one whole handshake each.

    @param pairs: certificates, at most one of each kind of key; with an ECDSA and an RSA one, clients get the ECDSA
        one if they can.
    @param minimum: the lowest version, C{"1.2"} or C{"1.3"}. Older ones are for a terminator in front.
    @param now: the wall clock, for the warning that a certificate runs out.
    @raise BadCertificate: if a file cannot be used.
    """

    log = Logger()

    pairs: Sequence[KeyPair]
    minimum: str = "1.2"
    now: Callable[[], datetime] = utc_now
    context: SSL.Context = field(init=False)
    expires: datetime = field(init=False)
    """When the first of the certificates in force runs out."""

    def __attrs_post_init__(self) -> None:
        self.reload()

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """A connection with the certificate that is in force now."""
        return SSL.Connection(self.context, None)

    def reload(self) -> None:
        """Read the files again; connections from now on get what they say, others keep what they have.

        @raise BadCertificate: if a file cannot be used; all stays as it was.
        """
        context = bare_context(MINIMUM[self.minimum])
        expires = min(_use(context, pair) for pair in self.pairs)
        self.context, self.expires = context, expires
        self._warn()

    def _warn(self) -> None:
        left = self.expires - self.now()
        if left < timedelta(days=14):
            self.log.warn("The certificate is valid until {expires}: renew it", expires=self.expires.isoformat())
        for pair in self.pairs:
            if stat.S_IMODE(pair.key.stat().st_mode) & 0o077:
                self.log.warn("Others may read the private key {path}: chmod 600 it", path=str(pair.key))


def bare_context(minimum: int) -> SSL.Context:
    """A server's context with everything but a certificate.

    Each setting is here for a reason: a session id context, without which nothing is resumed; no cache, as tickets
    do without; buffers given back while a connection is idle; compression and renegotiation off, which only attacks
    need.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(minimum)
    context.set_cipher_list(CIPHERS.encode())
    context.set_options(
        SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE | PRIORITIZE_CHACHA
    )
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_id(b"pushgw")
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_timeout(TICKET_SECONDS)
    return context


def _use(context: SSL.Context, pair: KeyPair) -> datetime:
    """Put a certificate and its key into a context; the time until which the certificate is valid."""
    try:
        certificate = x509.load_pem_x509_certificates(_read(pair.certificate))[0]
    except ValueError as error:
        raise BadCertificate(f"{pair.certificate}: no certificate in PEM form. Check https.certificate") from error
    key = _key(pair.key)
    if key.public_key() != certificate.public_key():
        raise BadCertificate(
            f"{pair.key}: the key does not belong to the certificate in {pair.certificate}. "
            "Put the pair there, the server's certificate before the intermediate ones"
        )
    try:
        context.use_certificate_chain_file(str(pair.certificate))
        context.use_privatekey(key)
        context.check_privatekey()
    except SSL.Error as error:
        reasons = ", ".join(str(reason[-1]) for reason in error.args[0]) if error.args else "unknown reason"
        raise BadCertificate(f"{pair.certificate}: OpenSSL refuses it: {reasons}") from error
    return certificate.not_valid_after_utc


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadCertificate(
            f"{path}: {error.strerror}. Put it there, readable for the gateway (pushgw init makes one)"
        ) from error


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The private key in a file; never one with a password, which OpenSSL would ask for at the terminal."""
    try:
        key = serialization.load_pem_private_key(_read(path), None)
    except TypeError as error:
        raise BadCertificate(f"{path}: the key is encrypted. Take its password off: openssl pkey -in KEY") from error
    except ValueError as error:
        raise BadCertificate(f"{path}: no private key in PEM form. Check https.private_key") from error
    return key  # type: ignore[return-value]


def self_signed(
    names: Sequence[str], addresses: Sequence[IPv4Address | IPv6Address], now: datetime | None = None
) -> tuple[bytes, bytes]:
    """A certificate to begin with, and its key, both in PEM form: ECDSA P-256, for these hosts.

    It is valid from the day before, for phones whose clock is slow, and for less than 825 days.
    @param names: DNS names in ASCII.
    @raise ValueError: without any name or address, or with a name that is not ASCII.
    """
    if not names and not addresses:
        raise ValueError("a certificate needs a name or an address")
    hosts = [*map(x509.DNSName, names), *map(x509.IPAddress, addresses)]
    title = next((name for name in names if len(name) <= 64), "pushgw")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    key = ec.generate_private_key(ec.SECP256R1())
    begin = (now or utc_now()) - timedelta(days=1)
    builder = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=SELF_SIGNED_DAYS))
    )
    for extension, critical in _extensions(key.public_key(), hosts):
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _extensions(
    key: ec.EllipticCurvePublicKey, hosts: Sequence[x509.GeneralName]
) -> list[tuple[x509.ExtensionType, bool]]:
    identifier = x509.SubjectKeyIdentifier.from_public_key(key)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign"),
        False,
    )
    return [
        (x509.SubjectAlternativeName(hosts), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.KeyUsage(digital_signature=True, encipher_only=False, decipher_only=False, **usage), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (identifier, False),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False),
    ]
