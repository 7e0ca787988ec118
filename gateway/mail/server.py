"""Where mail is handed over, what is handed over, and what became of it: values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

from attrs import field, frozen
from OpenSSL import crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates

from gateway.trigger import Letter

_BEGIN = b"-----BEGIN CERTIFICATE-----"


class Security(Enum):
    """How a connection is secured: not at all, by STARTTLS (RFC 3207), or by TLS from the first byte (RFC 8314)."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


@frozen
class Login:
    """Who we are to the server."""

    user: str
    password: str = field(repr=False)


@frozen(kw_only=True)
class Timeouts:
    """How long each step may take, in seconds.

    C{command} is for the answer to each command and for the greeting, C{block} for the server to take the next part
    of a mail, C{final} for its answer to the whole mail (RFC 5321 4.5.3.2.6 asks for ten minutes, as a mail that is
    given up here may have been taken there), C{idle} for how long an unused connection is kept.
    """

    connect: float = 30.0
    command: float = 120.0
    block: float = 180.0
    final: float = 600.0
    idle: float = 15.0
    farewell: float = 5.0


@frozen(kw_only=True)
class Server:
    """A server that takes mail of ours.

    @param name: the host name or address that its certificate must be for.
    @param endpoint: how to reach it, without TLS.
    @param trust: certificates in PEM form of those who may vouch for it; empty: those that the system trusts.
    @param clear_login: whether the password may go over a connection without TLS.
    @param identity: who we say we are (EHLO).
    @param mails: after so many mails a new connection is made, 0: never.
    """

    name: str
    endpoint: IStreamClientEndpoint = field(repr=False)
    security: Security = Security.STARTTLS
    login: Login | None = None
    trust: bytes = field(default=b"", repr=False)
    clear_login: bool = False
    identity: str = "localhost"
    mails: int = 100
    timeouts: Timeouts = field(factory=Timeouts)

    def tls(self) -> IOpenSSLClientConnectionCreator:
        """TLS to this server: its name is verified.

        @raise ValueError: C{trust} has no certificate in PEM form.
        """
        if not self.trust:
            return optionsForClientTLS(self.name)
        return optionsForClientTLS(self.name, trustRootFromCertificates(certificates(self.trust)))


def certificates(pem: bytes) -> list[Certificate]:
    """The certificates in a file in PEM form.

    @raise ValueError: there is none, or one that cannot be read.
    """
    parts = [_BEGIN + part for part in pem.split(_BEGIN)[1:]]
    try:
        found = [Certificate.loadPEM(part) for part in parts]
    except crypto.Error as error:
        raise ValueError("a certificate in it cannot be read") from error
    if not found:
        raise ValueError("there is no certificate in PEM form in it")
    return found


@frozen
class Mail:
    """One mail: envelope sender (empty: none), envelope recipients, and the message, with any line ends; C{letter} is
    what it was made of."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes = field(repr=False)
    letter: Letter | None = field(default=None, repr=False)


class Fate(Enum):
    """What became of a mail for a recipient: the server has it, or may have it, or was not ready, or will not."""

    TAKEN = "taken"
    DOUBT = "in doubt"
    LATER = "later"
    REFUSED = "refused"


@frozen
class Said:
    """The fate of one recipient, and the server's words: code, enhanced status code (RFC 3463) where it gave one, and
    text in one line."""

    fate: Fate
    text: str


@frozen
class Result:
    """What became of a mail, by recipient; C{broken}: the connection ended with it."""

    said: Mapping[str, Said]
    broken: bool = False

    @classmethod
    def same(cls, recipients: Iterable[str], said: Said) -> Result:
        """All of them fared alike."""
        return cls(dict.fromkeys(recipients, said))

    def of(self, fate: Fate) -> tuple[str, ...]:
        """The recipients with that fate."""
        return tuple(recipient for recipient, said in self.said.items() if said.fate is fate)

    @property
    def fate(self) -> Fate:
        """The fate of the mail: that of the recipient who fared best."""
        fates = {said.fate for said in self.said.values()}
        return next((fate for fate in Fate if fate in fates), Fate.REFUSED)

    @property
    def text(self) -> str:
        """What is to be told of the mail, and who fared worse."""
        if not self.said:
            return "there is no recipient"
        best = next(said.text for said in self.said.values() if said.fate is self.fate)
        worse = [f"{one}: {said.text}" for one, said in self.said.items() if said.fate is not self.fate]
        return "; ".join([best, *worse])


class Unreachable(Exception):
    """There is no connection over which mail can be sent, and the mail is not to blame; the message says why.

    C{refused}: the server answers, and does not let us in.
    """

    def __init__(self, why: str, refused: bool = False) -> None:
        super().__init__(why)
        self.refused = refused
