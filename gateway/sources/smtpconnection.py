"""One connection of an SMTP client: lines and content in, answers out, in order and within bounds."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.mail.smtp import ESMTP
from twisted.protocols.basic import LineOnlyReceiver
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure

from gateway.sources.smtpdata import DataReader, Draft
from gateway.sources.smtppost import Envelope, Post
from gateway.sources.smtpto import NotHere

T = TypeVar("T")

_HTTP = frozenset(("GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS", "DELETE"))
_UNPRINTABLE = re.compile(rb"[\0-\x08\x0a-\x1f\x7f]")
LINGER = 30.0
"""Seconds that a client has to read the last answer."""


class SmtpConnection(ESMTP):
    """The frame of a session; what the commands mean is in L{gateway.sources.smtpsession.Intake}.

    @param sessions: the open connections; this one is in it while it lasts.
    """

    journal = Logger()
    transport: Any

    def __init__(self, post: Post, sessions: set[SmtpConnection]) -> None:
        super().__init__()
        self.post = post
        self.host = post.host.encode("ascii")
        self.secure = False
        self.envelope: Envelope | None = None
        self.draft: Draft | None = None
        self.reader = DataReader()
        self.input = b""
        self.peer = ""
        self._sessions = sessions
        self._entered = False
        self._closing = False
        self._busy = False
        self._working = False
        self._gone = False
        self._errors = 0
        self._answers = 0
        self._end: IDelayedCall | None = None

    def callLater(self, period: float, function: Callable[[], object]) -> IDelayedCall:
        """Time-outs run on the clock of the service."""
        return self.post.clock.callLater(period, function)

    def connectionMade(self) -> None:
        """Greet the client, or send it away."""
        self._sessions.add(self)
        self.secure = ISSLTransport.providedBy(self.transport)
        self.peer = getattr(self.transport.getPeer(), "host", "local")
        refusal = self.post.enter(self.peer)
        if refusal is not None:
            self.hang_up("4.7.0", refusal)
            return
        self._entered = True
        self.sendCode(220, self.host + b" ESMTP pushgw")
        TimeoutMixin.setTimeout(self, self.post.limits.timeout)
        self._until(self.callLater(self.post.limits.session, self.timeoutConnection))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The client is gone; a mail that was not whole is forgotten."""
        self._sessions.discard(self)
        self._closing = self._gone = True
        self._until(None)
        if self._entered:
            self._entered = False
            self.post.leave(self.peer)
        if not self._busy:
            self._drop()
        TimeoutMixin.setTimeout(self, None)

    def timeoutConnection(self) -> None:
        """The client was silent for too long, or the session is too old."""
        self._leave("4.4.2", "time-out")

    def farewell(self) -> None:
        """The service stops: say so now, or after the answer to the mail that is being delivered."""
        self._leave("4.3.2", "the service is going down")

    def _leave(self, status: str, text: str) -> None:
        if self._busy:
            self._closing = True
        else:
            self.hang_up(status, text)

    def hang_up(self, status: str, text: str, code: int = 421) -> None:
        """Give a last answer and close the connection, at the latest when the client has not read it for a while."""
        if not self._closing:
            self._closing = True
            self.answer(code, status, f"{self.post.host} {text}")
            self._close()

    def _close(self) -> None:
        TimeoutMixin.setTimeout(self, None)
        self._until(self.callLater(LINGER, self.transport.abortConnection))
        self.transport.loseConnection()

    def _until(self, call: IDelayedCall | None) -> None:
        if self._end is not None and self._end.active():
            self._end.cancel()
        self._end = call

    def dataReceived(self, data: bytes) -> None:
        """Take what came; while an answer has to wait for something so does this, and so does the client."""
        if self._closing:
            return
        self.input += data
        if not self._busy:
            self.resetTimeout()
            self._work()

    def _work(self) -> None:
        if self._working:
            return
        self._working = True
        try:
            while self.input and not self._closing and not self._busy:
                if self.draft is not None:
                    self._content(self.draft)
                elif not self._line():
                    return
        finally:
            self._working = False

    def _line(self) -> bool:
        """Work off one command; false if it has not come whole."""
        line, whole, rest = self.input.partition(b"\r\n")
        if not whole:
            if b"\n" in line.rstrip(b"\r"):
                self.hang_up("5.5.2", "lines end with CR LF", 500)
            elif len(line) > self.post.limits.command:
                self.hang_up("5.5.2", "the line is too long", 500)
            return False
        self.input = rest
        self.lineReceived(line)
        return True

    def lineReceived(self, line: bytes) -> None:
        """Work off one command, without its line end."""
        if self._answers > self.post.limits.answers + self.post.limits.recipients:
            self.hang_up("4.7.0", "too many commands")
        elif len(line) > self.post.limits.command:
            self.refuse(500, "5.5.2", "The line is too long")
        elif not line.isascii() or _UNPRINTABLE.search(line):
            self.refuse(500, "5.5.2", "Commands are in printable ASCII")
        else:
            verb, _, rest = line.decode("ascii").strip().partition(" ")
            method = self.lookupMethod(verb) if verb.isalpha() else None
            if method is not None:
                method(rest.strip())
            elif verb.upper() in _HTTP:
                self.hang_up("5.7.0", "this is no web server", 500)
            else:
                self.refuse(500, "5.5.1", "No such command")

    def sendLine(self, line: bytes) -> None:
        """Send one line of an answer; who asks for very many without ever sending a mail is sent away."""
        self._answers += 1
        LineOnlyReceiver.sendLine(self, line)

    def answer(self, code: int, status: str, text: str) -> None:
        """Send an answer with its enhanced status code."""
        self.sendCode(code, f"{status} {text}".encode("ascii", "replace"))

    def refuse(self, code: int, status: str, text: str) -> None:
        """Answer with an error; too many of them end the session."""
        self._errors += 1
        if self._errors >= self.post.limits.errors:
            self.hang_up("4.7.0", "too many errors")
        else:
            self.answer(code, status, text)

    def _content(self, draft: Draft) -> None:
        content, rest = self.reader.feed(self.input)
        self.input = b"" if rest is None else rest
        draft.add(content)
        if rest is not None:
            self._whole(draft)
        elif draft.size > 2 * draft.most:
            assert draft.fault is not None
            code, status, text = draft.fault
            self.hang_up(status, text, code)

    def _whole(self, draft: Draft) -> None:
        envelope, self.envelope = self.envelope, None
        if draft.fault is not None:
            self._drop()
            self.refuse(*draft.fault)
            return
        assert envelope is not None
        self.wait_for(self.post.deliver(envelope, draft), self._delivered)

    def _delivered(self, identifier: str) -> None:
        self._answers = 0
        self.answer(250, "2.0.0", f"Taken as {identifier}")

    def wait_for(self, work: Coroutine[Deferred[Any], Any, T], done: Callable[[T], None]) -> None:
        """Answer when something is done; until then nothing is read. What fails is refused, for now or for good."""
        self._busy = True
        self.transport.pauseProducing()
        TimeoutMixin.setTimeout(self, None)
        waiting = Deferred.fromCoroutine(work)
        waiting.addCallbacks(done, self._failed)
        waiting.addBoth(self._go_on)
        waiting.addErrback(lambda failure: self.journal.failure("SMTP session broke", failure))

    def _failed(self, failure: Failure) -> None:
        if isinstance(failure.value, NotHere):
            self.refused(failure.value)
        else:
            self.journal.failure("A mail could not be delivered; the sender is asked to try again", failure)
            self.answer(451, "4.3.0", "The mail could not be stored, try again later")

    def refused(self, refusal: NotHere) -> None:
        """Answer with a refusal; only one for good is an error of the client."""
        say = self.refuse if refusal.code >= 500 else self.answer
        say(refusal.code, refusal.status, refusal.text)

    def _go_on(self, result: object) -> object:
        self._busy = False
        self._drop()
        if self._gone:
            return result
        if self._closing:
            self._close()
        else:
            TimeoutMixin.setTimeout(self, self.post.limits.timeout)
            self.transport.resumeProducing()
            self._work()
        return result

    def _drop(self) -> None:
        if self.draft is not None:
            self.draft.close()
            self.draft = None
