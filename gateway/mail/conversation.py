"""The frame of a conversation with a server that takes mail: lines out, answers in, in time and within bounds.

L{Conversation} is Twisted's SMTP client with its course replaced. What was the matter with that: dots at the edge of a
block were not doubled; line ends became CR CR LF; what came in one packet with the answer to STARTTLS was taken for
what came in TLS; answers could go on for ever; SIZE and 8BITMIME were not known; and it was not told whether a
connection broke before or after the end of a mail.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from attrs import frozen
from OpenSSL.SSL import Error as SSLError
from service_identity import VerificationError
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.mail.smtp import SMTPClient
from twisted.python.failure import Failure

from gateway.mail.server import Fate, Said, Server

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


class Conversation(SMTPClient):
    """Commands and their answers, one at a time.

    C{usable}: whether anything may still be said; C{heard}: whether there was an answer since this was set to false;
    C{gone} fires when the connection is closed.
    """

    debug = False
    transport: Any

    def __init__(self, server: Server, clock: IReactorTime) -> None:
        super().__init__("")
        self.server = server
        self.clock = clock
        self.usable = True
        self.heard = False
        self.gone: Deferred[None] = Deferred()
        self._waiting: Deferred[Answer] | None = None
        self._lines = 0
        self._raw = b""
        self._why = "the connection was closed"
        self._leaving = False

    def callLater(self, period: float, function: Callable[[], object]) -> IDelayedCall:
        """Time-outs run on the clock that was given."""
        return self.clock.callLater(period, function)

    def connectionMade(self) -> None:
        """The server speaks first."""
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
