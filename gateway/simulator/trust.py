"""Which servers a phone believes: the system's authorities, a file of them, or everybody."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import define, field
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate, CertificateOptions, optionsForClientTLS, trustRootFromCertificates
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

_BEGIN = b"-----BEGIN CERTIFICATE-----"
_END = b"-----END CERTIFICATE-----"


@implementer(IPolicyForHTTPS)
@define(eq=False)
class Trust:
    """Verifies certificate and host name (or address); all connections to one host share one context.

    The certificates of C{roots}, and no others, may vouch for the server (a self-signed certificate vouches for
    itself); C{None} takes the system's authorities.
    """

    roots: Sequence[Certificate] | None = None
    _creators: dict[bytes, IOpenSSLClientConnectionCreator] = field(factory=dict, init=False)

    def creatorForNetloc(self, hostname: bytes, port: int) -> IOpenSSLClientConnectionCreator:
        """The creator of client connections to that host."""
        if hostname not in self._creators:
            name = hostname.decode("ascii").strip("[]")
            root = None if self.roots is None else trustRootFromCertificates(self.roots)
            self._creators[hostname] = optionsForClientTLS(name, trustRoot=root)
        return self._creators[hostname]

    @classmethod
    def from_file(cls, path: Path) -> Trust:
        """Trust in the certificates of a PEM file.

        @raise OSError: the file cannot be read.
        @raise ValueError: it holds no certificate, or one that cannot be read.
        """
        blocks = path.read_bytes().split(_END)[:-1]
        if not blocks:
            raise ValueError(f"{path} holds no certificate")
        try:
            return cls([Certificate.loadPEM(block[block.index(_BEGIN) :] + _END) for block in blocks])
        except (ValueError, crypto.Error) as error:
            raise ValueError(f"{path} holds a certificate that cannot be read") from error


@implementer(IPolicyForHTTPS)
@define(eq=False)
class TrustAnyone:
    """Believes every certificate, for tries on one's own machine; one context for all connections."""

    _context: SSL.Context = field(factory=lambda: CertificateOptions(verify=False).getContext(), init=False)

    def creatorForNetloc(self, hostname: bytes, port: int) -> IOpenSSLClientConnectionCreator:
        """A creator that checks nothing."""
        return _Unchecked(self._context, hostname)


@implementer(IOpenSSLClientConnectionCreator)
@define(eq=False)
class _Unchecked:
    """Makes connections that name the server (unless it is a bare address) and check nothing."""

    context: SSL.Context
    hostname: bytes

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """A connection of the shared context."""
        connection = SSL.Connection(self.context, None)
        connection.set_app_data(tlsProtocol)
        if not self.hostname.strip(b"[]").replace(b".", b"").replace(b":", b"").isdigit():
            connection.set_tlsext_host_name(self.hostname)
        return connection
