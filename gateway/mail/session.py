"""One connection to a server that takes mail.

L{Session} is Twisted's SMTP client with its conversation replaced. What was the matter with that: dots at the edge of
a block were not doubled; line ends became CR CR LF; what came in one packet with the answer to STARTTLS was taken for
what came in TLS; answers could go on for ever; SIZE and 8BITMIME were not known; and it was not told whether a
connection broke before or after the end of a mail.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

from attrs import frozen
from OpenSSL.SSL import Error as SSLError
from service_identity import VerificationError
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IOpenSSLClientConnectionCreator, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.mail.smtp import SMTPClient
from twisted.protocols.basic import FileSender
from twisted.python.failure import Failure

from gateway.mail.server import Fate, Mail, Result, Said, Security, Server, Unreachable

_ADDRESS = re.compile(r"[!-;=?-~]{1,320}")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_UNPRINTABLE = re.compile(r"[^ -~]+")
#: Lines of an answer, and characters of it that are kept.
LINES = 200
TEXT = 400
#: Answers that are about us or about the connection, not about the mail (RFC 4954 4 and 6, RFC 3207 4).
_OURS = frozenset((530, 534, 535, 538))


class Broken(Exception):
    """The connection is of no use any more; the message says why."""


@frozen
class Answer:
    """An answer of the server, in one line."""

    code: int
    text: str

    @property
    def good(self) -> bool:
        """Whether the command was carried out."""
        return 200 <= self.code < 300

    def said(self) -> Said:
        """What it means for the recipient or the mail that it is about."""
        text = f"{self.code} {self.text}".strip()
        if self.good:
            return Said(Fate.TAKEN, text)
        lasting = 500 <= self.code < 600 and self.code not in _OURS
        return Said(Fate.REFUSED if lasting else Fate.LATER, text)


def wire_form(content: bytes) -> bytes:
    """A message as it goes over the wire after DATA, but for the dot at its end: lines end with CR LF, and a dot at
    the beginning of a line is doubled (RFC 5321 4.5.2)."""
    if not content.count(b"\r") == content.count(b"\n") == content.count(b"\r\n"):
        content = _LINE_END.sub(b"\r\n", content)
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    return (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:]


class Session(SMTPClient):
    """A conversation: L{open} it, L{send} mails one after the other, L{leave}.

    C{usable}: whether another mail may be sent; C{heard}: whether the server said anything about the last one;
    C{gone} fires when the connection is closed.
    """

    debug = False
    transport: Any

    def __init__(self, server: Server, tls: IOpenSSLClientConnectionCreator, clock: IReactorTime) -> None:
        super().__init__("")
        self.server = server
        self.tls = tls
        self.clock = clock
        self.offers: Mapping[str, str] = {}
        self.mails = 0
        self.usable = True
        self.heard = False
        self.secure = server.security is Security.TLS
        self.gone: Deferred[None] = Deferred()
        self._waiting: Deferred[Answer] | None = None
        self._lines = 0
        self._raw = b""
        self._why = "the connection was closed"
        self._leaving = False
        self._ended = False

    # The frame.

    def callLater(self, period: float, function: Callable[[], object]) -> IDelayedCall:
        """Time-outs run on the clock that was given."""
        return self.clock.callLater(period, function)

    def connectionMade(self) -> None:
        """The server speaks first: see L{open}."""
        self._expected = list(range(1000))
        self._okresponse = self._failresponse = self._answered

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Whoever waits is told."""
        if self.usable:
            self._why = _reason(reason, self.server.name)
        self.usable = False
        self.setTimeout(None)
        self._fail()
        self.gone.callback(None)

    def timeoutConnection(self) -> None:
        """The server was silent for too long."""
        self._break("the server did not answer in time")

    def lineReceived(self, line: bytes) -> None:
        """One line of an answer; those that never end are not listened to."""
        self._lines += 1
        if self._leaving:
            self.transport.loseConnection()
        elif self._lines > LINES:
            self._break("the server's answer is too long")
        elif self.usable:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line that never ends."""
        self._break("a line of the server's answer is too long")

    def sendError(self, exc: Exception) -> None:
        """What the frame calls for a line that is no answer."""
        self._break("what the server said is not SMTP")

    def _break(self, why: str) -> None:
        self._why, self.usable = why, False
        self.setTimeout(None)
        self.transport.abortConnection()
        self._fail()

    def _fail(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.errback(Broken(self._why))

    def _answered(self, code: int, text: bytes) -> None:
        words = _UNPRINTABLE.sub(" ", text.decode("ascii", "replace")).strip()
        answer = Answer(code, words[:TEXT])
        waiting, self._waiting = self._waiting, None
        self.setTimeout(None)
        self._lines = 0
        self._raw = text
        if waiting is None or code == 421 or not 200 <= code < 600:
            # Nobody asked, or it goes, or nobody knows what it means: what follows could not be told apart.
            self._break(f"the server said: {code} {answer.text}")
        else:
            self.heard = True
        if waiting is not None:
            waiting.callback(answer)

    async def _answer(self, seconds: float) -> Answer:
        if not self.usable:
            raise Broken(self._why)
        self.setTimeout(seconds)
        self._waiting = Deferred()
        return await self._waiting

    async def _ask(self, line: bytes) -> Answer:
        if self.usable:
            self.sendLine(line)
        return await self._answer(self.server.timeouts.command)

    # The beginning.

    async def open(self) -> None:
        """Come so far that mail may be sent.

        @raise Unreachable: that cannot be.
        """
        try:
            greeting = await self._answer(self.server.timeouts.command)
            if greeting.code != 220:
                raise Broken(f"the server does not want us: {greeting.code} {greeting.text}")
            await self._hello()
            if self.server.security is Security.STARTTLS:
                await self._start_tls()
            if self.server.login is not None:
                await self._log_in(self.server.login.user, self.server.login.password)
        except Broken as broken:
            if self.usable:
                self.leave()
            raise Unreachable(f"{self.server.name}: {broken}") from None

    async def _hello(self) -> None:
        self.offers = {}
        identity = self.server.identity.encode("ascii", "replace")
        answer = await self._ask(b"EHLO " + identity)
        if answer.good:
            lines = [line.decode("ascii", "replace").upper().partition(" ") for line in self._raw.split(b"\n")[1:]]
            self.offers = {keyword: rest.strip() for keyword, _, rest in lines}
            return
        if answer.code < 500:
            raise Broken(f"the server is not ready: {answer.code} {answer.text}")
        answer = await self._ask(b"HELO " + identity)
        if not answer.good:
            raise Broken(f"the server does not greet: {answer.code} {answer.text}")

    async def _start_tls(self) -> None:
        if "STARTTLS" not in self.offers:
            raise Broken("the server does not offer STARTTLS")
        answer = await self._ask(b"STARTTLS")
        if answer.code != 220:
            raise Broken(f"the server does not begin TLS: {answer.code} {answer.text}")
        if self.clearLineBuffer():
            raise Broken("something came in the clear after the answer to STARTTLS")
        self.transport.startTLS(self.tls)
        self.secure = True
        await self._hello()

    async def _log_in(self, user: str, password: str) -> None:
        if not self.secure and not self.server.clear_login:
            raise Broken("the password does not go over a connection without TLS")
        # AUTH=PLAIN is how some old servers write it.
        lines = (f"{word} {rest}" for word, rest in self.offers.items() if word.startswith("AUTH"))
        ways = " ".join(lines).replace("=", " ").split()
        if "PLAIN" in ways:
            answer = await self._ask(b"AUTH PLAIN " + b64encode(f"\0{user}\0{password}".encode()))
        elif "LOGIN" in ways:
            answer = await self._ask(b"AUTH LOGIN")
            for words in (user, password):
                if answer.code == 334:
                    answer = await self._ask(b64encode(words.encode()))
        else:
            raise Broken("the server takes the password in none of the ways PLAIN and LOGIN")
        if answer.code != 235:
            raise Broken(f"the server does not take user name and password: {answer.code} {answer.text}")

    # Mails.

    async def send(self, mail: Mail) -> Result:
        """Send a mail; whatever happens, this says what became of it. The session may be unusable afterwards."""
        self.mails += 1
        self.heard = False
        fault = self._fault(mail)
        if fault:
            return Result.same(mail.recipients, Said(Fate.REFUSED, fault))
        said: dict[str, Said] = {}
        try:
            answer = await self._ask(self._mail_from(mail))
            if answer.good:
                await self._recipients(mail, said)
            else:
                said.update(dict.fromkeys(mail.recipients, answer.said()))
            taken = [one for one in said if said[one].fate is Fate.TAKEN]
            if taken:
                said.update(dict.fromkeys(taken, await self._content(mail)))
            if not any(one.fate is Fate.TAKEN for one in said.values()) and self.usable:
                await self._ask(b"RSET")
        except Broken as broken:
            for one in mail.recipients:
                if one not in said or said[one].fate is Fate.TAKEN:
                    said[one] = Said(Fate.LATER, str(broken))
        return Result(said, broken=not self.usable)

    def _fault(self, mail: Mail) -> str:
        """Why this server cannot be asked to take the mail."""
        if not mail.recipients:
            return "there is no recipient"
        for address in (mail.sender or "x", *mail.recipients):
            if not _ADDRESS.fullmatch(address):
                return f"5.1.3 {address[:100]!r} cannot be written in SMTP"
        most = self.offers.get("SIZE", "")
        if most.isdecimal() and 0 < int(most[:20]) < len(mail.content):
            return f"5.3.4 the mail has {len(mail.content)} bytes, the server takes {most[:20]}"
        if not mail.content.isascii() and "8BITMIME" not in self.offers:
            return "5.6.3 the mail has 8-bit content, which the server does not take"
        return ""

    def _mail_from(self, mail: Mail) -> bytes:
        size = f" SIZE={len(mail.content)}" if "SIZE" in self.offers else ""
        body = "" if mail.content.isascii() else " BODY=8BITMIME"
        return f"MAIL FROM:<{mail.sender}>{size}{body}".encode("ascii")

    async def _recipients(self, mail: Mail, said: dict[str, Said]) -> None:
        for recipient in mail.recipients:
            answer = await self._ask(f"RCPT TO:<{recipient}>".encode("ascii"))
            # RFC 5321 4.5.3.1.10: some say 552 where they mean 452, too many recipients for one mail.
            said[recipient] = (Answer(452, answer.text) if answer.code == 552 else answer).said()

    async def _content(self, mail: Mail) -> Said:
        answer = await self._ask(b"DATA")
        if answer.code != 354:
            if answer.good:
                self._break(f"the server does not take content: {answer.code} {answer.text}")
                raise Broken(self._why)
            return answer.said()
        self._ended = False
        try:
            return (await self._transfer(wire_form(mail.content))).said()
        except Broken as broken:
            return Said(Fate.DOUBT if self._ended else Fate.LATER, str(broken))

    async def _transfer(self, content: bytes) -> Answer:
        """Write the content; the server may answer before it has all of it, and then the rest is not sent."""
        self.setTimeout(self.server.timeouts.block)
        waiting = self._waiting = Deferred()
        sender = FileSender()
        written = sender.beginFileTransfer(BytesIO(content), self.transport, self._block)
        # It ends by itself when the connection does, and then nobody wants to know.
        written.addCallbacks(self._end, lambda _: None)
        answer = await waiting
        if not self._ended:
            self._break("the server answered before the end of the mail")
            if answer.good:
                raise Broken(self._why)
        return answer

    def _block(self, block: bytes) -> bytes:
        self.setTimeout(self.server.timeouts.block)
        return block

    def _end(self, _: object) -> None:
        if self.usable:
            self._ended = True
            self.sendLine(b".")
            self.setTimeout(self.server.timeouts.final)

    # The end.

    def leave(self) -> None:
        """Say goodbye; L{gone} fires when the connection is closed, within the time-out."""
        if self.usable:
            self.usable, self._leaving = False, True
            self.sendLine(b"QUIT")
            self.setTimeout(self.server.timeouts.farewell)

    def abort(self, why: str) -> None:
        """Close at once; a mail that is being sent ends with that reason."""
        self._break(why)


def _reason(failure: Failure, name: str) -> str:
    """Why a connection was lost, in words."""
    error = failure.value
    if isinstance(error, VerificationError):
        return f"the certificate is not for {name}"
    if isinstance(error, SSLError):
        reasons = ", ".join(str(reason[-1]) for reason in error.args[0]) if error.args and error.args[0] else ""
        return f"TLS failed: {reasons or 'the server broke it off'}"
    if failure.check(ConnectionDone):
        return "the server closed the connection"
    return f"the connection broke: {failure.getErrorMessage()}"
