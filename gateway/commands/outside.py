"""A look at the door from outside: whether it answers, and with which certificate."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from ipaddress import ip_address

from attrs import frozen
from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

from gateway.admin.facts import Certificate

#: How long an answer may take.
SECONDS = 5.0
#: The PROXY protocol lets the addresses out after UNKNOWN; Twisted's reader of it does not.
_PROXY = b"PROXY UNKNOWN 127.0.0.1 127.0.0.1 1 1\r\n"


@frozen
class Door:
    """An address where phones come in: C{name} is what they connect to; C{tls}: whether TLS begins there; C{proxied}:
    whether a proxy has to say first who comes (the PROXY protocol)."""

    host: str
    port: int
    name: str = ""
    tls: bool = True
    proxied: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@frozen
class Sight:
    """What was seen of a door: why it cannot be passed (empty: it can), and the certificate."""

    trouble: str = ""
    certificate: Certificate | None = None


def read_address(text: str) -> tuple[str, int]:
    """Host and port of C{HOST:PORT} or C{[HOST]:PORT}.

    @raise ValueError: it is neither.
    """
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is no address: write HOST:PORT")
    return host, int(port)


def look(doors: Iterable[Door], seconds: float = SECONDS) -> Sight:
    """Look at doors until one has trouble; otherwise what the first of them shows."""
    seen = Sight()
    for door in doors:
        sight = _look(door, seconds)
        if sight.trouble:
            return Sight(f"{door}: {sight.trouble}", sight.certificate)
        seen = seen if seen.certificate else sight
    return seen


def reachable(host: str) -> str:
    """Where to connect to for what listens at that host: whoever listens at every address does so at loopback."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"


def _look(door: Door, seconds: float) -> Sight:
    try:
        with socket.create_connection((reachable(door.host), door.port), seconds) as link:
            if door.proxied:
                link.sendall(_PROXY)
            return Sight("", _certificate(link, door.name)) if door.tls else Sight()
    except TimeoutError:
        return Sight(f"no answer within {seconds:g} s")
    except ssl.SSLError as error:
        return Sight(f"no TLS: {error.reason or error}")
    except (OSError, ValueError) as error:
        return Sight(getattr(error, "strerror", None) or str(error))


def _certificate(link: socket.socket, name: str) -> Certificate:
    """The certificate that is shown, whoever has signed it: what is wrong with it is for the doctor to say."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(link, server_hostname=name or None) as secured:
        shown = secured.getpeercert(True)
    assert shown is not None
    certificate = x509.load_der_x509_certificate(shown)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return Certificate(names(certificate), begins.timestamp(), ends.timestamp())


def names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Whom it is for: the alternative names, or, as old phones read it, the common name if there are none."""
    try:
        found = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except x509.ExtensionNotFound:
        return tuple(str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME))
    assert isinstance(found, x509.SubjectAlternativeName)
    hosts = found.get_values_for_type(x509.DNSName)
    return tuple(dict.fromkeys((*hosts, *map(str, found.get_values_for_type(x509.IPAddress)))))
