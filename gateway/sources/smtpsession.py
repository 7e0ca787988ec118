"""One SMTP session: the commands, their order, and the answers."""

from __future__ import annotations

import re
from collections.abc import Callable

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.mail.smtp import ESMTP
from twisted.protocols.basic import LineOnlyReceiver
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure

from gateway.sources.smtpdata import DataReader, Draft
from gateway.sources.smtppost import Envelope, Post, literal
from gateway.sources.smtpto import NotHere

_PATH = re.compile(r'(?:FROM|TO):[ ]*<((?:"(?:[^"\\]|\\.)*"|[^<>"\s])*)>(?:[ ]+(.*))?', re.I)
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_MAILBOX = re.compile(
    rf'(?:@[^:]*:)?({_ATOM}(?:\.{_ATOM})*|"(?:[^"\\]|\\.)*")(?:@([A-Za-z0-9_](?:[A-Za-z0-9._-]*)|\[[0-9A-Za-z.:]+\]))?'
)
_HTTP = frozenset(("GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS", "DELETE"))


def read_mailbox(path: str) -> tuple[str, str] | None:
    """Local part (without quotes) and domain (maybe empty) of the inside of a path; C{None} if it is none.

    A source route is dropped (RFC 5321 appendix C).
    """
    found = _MAILBOX.fullmatch(path)
    if found is None:
        return None
    local, domain = found[1], found[2] or ""
    return (re.sub(r"\\(.)", r"\1", local[1:-1]) if local.startswith('"') else local), domain


class Intake(ESMTP):
    """A session with one client."""

    smtpLog = Logger()

    def __init__(self, post: Post) -> None:
        super().__init__()
        self.post = post
        self.host = post.host.encode("ascii")
        self._input = b""
        self._peer = ""
        self._entered = False
        self._closing = False
        self._delivering = False
        self._secure = False
        self._errors = 0
        self._end: IDelayedCall | None = None
        self._draft: Draft | None = None
        self._reader = DataReader()
        self._envelope: Envelope | None = None
        self._greeted = Envelope("", {}, "", "", "")

    # The connection

    def callLater(self, period: float, function: Callable[[], object]) -> IDelayedCall:
        """Time-outs run on the clock of the service."""
        return self.post.clock.callLater(period, function)

    def connectionMade(self) -> None:
        """Greet the client, or send it away."""
        self._peer = getattr(self.transport.getPeer(), "host", "local")
        refusal = self.post.enter(self._peer)
        if refusal is not None:
            self._farewell("4.7.0", refusal)
            return
        self._entered = True
        self.sendCode(220, self.host + b" ESMTP pushgw")
        TimeoutMixin.setTimeout(self, self.post.limits.timeout)
        self._end = self.callLater(self.post.limits.session, self.timeoutConnection)

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone; a mail that was not whole is forgotten."""
        self._closing = True
        if self._end is not None and self._end.active():
            self._end.cancel()
        if self._entered:
            self._entered = False
            self.post.leave(self._peer)
        if not self._delivering:
            self._drop()
        TimeoutMixin.setTimeout(self, None)

    def timeoutConnection(self) -> None:
        """The client was silent for too long, or the session is too old."""
        self._farewell("4.4.2", "time-out")

    def farewell(self) -> None:
        """The service stops: say so now, or after the answer to the mail that is being delivered."""
        if self._delivering:
            self._closing = True
        else:
            self._farewell("4.3.2", "the service is going down")

    def _farewell(self, status: str, text: str, code: int = 421) -> None:
        if not self._closing:
            self._closing = True
            self._answer(code, status, f"{self.post.host} {text}")
            self.transport.loseConnection()

    # Framing

    def dataReceived(self, data: bytes) -> None:
        """Take what came; while a mail is being delivered it waits, and so does the client."""
        if self._closing:
            return
        self._input += data
        if not self._delivering:
            self.resetTimeout()
            self._work()

    def _work(self) -> None:
        while self._input and not self._closing and not self._delivering:
            if self._draft is not None:
                self._content(self._draft)
            elif not self._line():
                return

    def _line(self) -> bool:
        """Work off one command; false if it has not come whole."""
        line, whole, rest = self._input.partition(b"\r\n")
        if not whole:
            if b"\n" in line.rstrip(b"\r"):
                self._farewell("5.5.2", "lines end with CR LF", 500)
            elif len(line) > self.post.limits.command:
                self._farewell("5.5.2", "the line is too long", 500)
            return False
        self._input = rest
        self.lineReceived(line)
        return True

    def lineReceived(self, line: bytes) -> None:
        """Work off one command, without its line end."""
        if len(line) > self.post.limits.command:
            self._refuse(500, "5.5.2", "The line is too long")
        elif not line.isascii() or re.search(rb"[\0-\x08\x0a-\x1f\x7f]", line):
            self._refuse(500, "5.5.2", "Commands are in printable ASCII")
        else:
            verb, _, rest = line.decode("ascii").strip().partition(" ")
            method = self.lookupMethod(verb) if verb.isalpha() else None
            if method is not None:
                method(rest.strip())
            elif verb.upper() in _HTTP:
                self._farewell("5.7.0", "this is no web server", 500)
            else:
                self._refuse(500, "5.5.1", "No such command")

    def sendLine(self, line: bytes) -> None:
        """Send one line of an answer."""
        LineOnlyReceiver.sendLine(self, line)

    def _answer(self, code: int, status: str, text: str) -> None:
        self.sendCode(code, f"{status} {text}".encode("ascii", "replace"))

    def _refuse(self, code: int, status: str, text: str) -> None:
        """Answer with an error; too many of them end the session."""
        self._errors += 1
        if self._errors >= self.post.limits.errors:
            self._farewell("4.7.0", "too many errors")
        else:
            self._answer(code, status, text)

    # Commands

    def do_HELO(self, rest: str) -> None:
        """RFC 5321 4.1.1.1."""
        if self._introduced(rest, "SMTP"):
            self.sendCode(250, self.host)

    def do_EHLO(self, rest: str) -> None:
        """RFC 5321 4.1.1.1: what is spoken here."""
        if self._introduced(rest, "ESMTPS" if self._secure else "ESMTP"):
            self.sendCode(250, self.host + b"\n" + self.listExtensions())

    def extensions(self) -> dict[bytes, list[bytes] | None]:
        """The extensions by their EHLO keywords."""
        offered: dict[bytes, list[bytes] | None] = {
            b"SIZE": [b"%d" % self.post.limits.message],
            b"8BITMIME": None,
            b"PIPELINING": None,
            b"ENHANCEDSTATUSCODES": None,
        }
        if self.post.tls is not None and not self._secure:
            offered[b"STARTTLS"] = None
        return offered

    def _introduced(self, rest: str, protocol: str) -> bool:
        if not rest:
            self._refuse(501, "5.5.4", "Say who you are")
            return False
        helo = re.sub(r"[^A-Za-z0-9._:\[\]-]", "?", rest[:255])
        self._greeted = Envelope("", {}, helo, self._peer, protocol)
        self._envelope = None
        return True

    def do_MAIL(self, rest: str) -> None:
        """RFC 5321 4.1.1.2: a mail begins; C{<>} is the sender of a notice."""
        if not self._greeted.helo:
            self._refuse(503, "5.5.1", "Say EHLO first")
            return
        if self._envelope is not None:
            self._refuse(503, "5.5.1", "There is a sender already")
            return
        found = _PATH.fullmatch(rest) if rest[:1] in "Ff" else None
        if found is None or (found[1] and read_mailbox(found[1]) is None):
            self._refuse(501, "5.1.7", "Write MAIL FROM:<address>")
            return
        fault = self._parameters(found[2] or "")
        if fault is not None:
            self._refuse(*fault)
            return
        wait = self.post.wait(self._peer)
        if wait:
            self._answer(451, "4.7.1", f"Too many mails from your address, come back in {wait} s")
            return
        self._envelope = evolve(self._greeted, sender=found[1], recipients={})
        self._answer(250, "2.1.0", "Sender taken")

    def _parameters(self, text: str) -> tuple[int, str, str] | None:
        """What is wrong with the parameters of MAIL, or C{None}."""
        seen = set()
        for parameter in text.split():
            name, _, value = parameter.upper().partition("=")
            if name in seen:
                return 501, "5.5.4", f"{name} is there twice"
            seen.add(name)
            if name == "SIZE" and re.fullmatch("[0-9]{1,20}", value):
                if int(value) > self.post.limits.message:
                    return 552, "5.3.4", f"The mail is larger than {self.post.limits.message} bytes"
            elif name in ("SIZE", "BODY"):
                if name == "SIZE" or value not in ("7BIT", "8BITMIME"):
                    return 501, "5.5.4", f"{name} cannot have this value"
            else:
                return 555, "5.5.4", "No such parameter"
        return None

    def do_RCPT(self, rest: str) -> None:
        """RFC 5321 4.1.1.3: one more recipient."""
        if self._envelope is None:
            self._refuse(503, "5.5.1", "Say MAIL first")
            return
        found = _PATH.fullmatch(rest) if rest[:1] in "Tt" else None
        mailbox = read_mailbox(found[1]) if found else None
        if found is None or mailbox is None:
            self._refuse(501, "5.1.3", "Write RCPT TO:<address>")
        elif found[2]:
            self._refuse(555, "5.5.4", "No such parameter")
        else:
            self._recipient(self._envelope, *mailbox)

    def _recipient(self, envelope: Envelope, local: str, domain: str) -> None:
        here = literal(self.transport.getHost().host) if domain.startswith("[") else "localhost"
        try:
            account = self.post.recipients.account(local, domain, here.lower())
        except NotHere as refusal:
            self._refuse(refusal.code, refusal.status, refusal.text)
            return
        if account not in envelope.recipients:
            if len(envelope.recipients) >= self.post.limits.recipients:
                self._answer(452, "4.5.3", "Too many recipients: send the others another mail")
                return
            address = f"{local}@{domain}" if domain else local
            self._envelope = evolve(envelope, recipients={**envelope.recipients, account: address})
        self._answer(250, "2.1.5", "Recipient taken")

    def do_DATA(self, rest: str) -> None:
        """RFC 5321 4.1.1.4: the content follows."""
        if rest:
            self._refuse(501, "5.5.4", "DATA has no parameters")
        elif self._envelope is None or not self._envelope.recipients:
            self._refuse(503, "5.5.1", "Say MAIL and RCPT first")
        elif self._input:
            self._farewell("5.5.0", "wait for the answer to DATA", 503)
        else:
            self._reader = DataReader()
            self._draft = Draft(self.post.limits.message, self.post.limits.line)
            self.sendCode(354, b"End the mail with a dot on a line of its own")

    def do_RSET(self, rest: str) -> None:
        """RFC 5321 4.1.1.5: forget the mail."""
        self._envelope = None
        self._answer(250, "2.0.0", "Forgotten")

    def do_NOOP(self, rest: str) -> None:
        """RFC 5321 4.1.1.9."""
        self._answer(250, "2.0.0", "Yes")

    def do_VRFY(self, rest: str) -> None:
        """RFC 5321 4.1.1.6: nobody is told who has a mailbox."""
        self._answer(252, "2.5.2", "Send a mail and see")

    def do_HELP(self, rest: str) -> None:
        """RFC 5321 4.1.1.8."""
        self._answer(214, "2.0.0", "EHLO HELO MAIL RCPT DATA RSET NOOP QUIT STARTTLS, as RFC 5321 has them")

    def do_EXPN(self, rest: str) -> None:
        """RFC 5321 4.1.1.7: there are no lists."""
        self._refuse(502, "5.5.1", "Not here")

    ext_AUTH = do_EXPN

    def do_QUIT(self, rest: str) -> None:
        """RFC 5321 4.1.1.10."""
        self._farewell("2.0.0", "goodbye", 221)

    def ext_STARTTLS(self, rest: str) -> None:
        """RFC 3207: what came in the clear counts no more, and nothing may have come along with the command."""
        if rest:
            self._refuse(501, "5.5.4", "STARTTLS has no parameters")
        elif self.post.tls is None or self._secure:
            self._refuse(502 if self.post.tls is None else 503, "5.5.1", "Not here, or not again")
        elif self._input:
            self._farewell("5.5.0", "wait for the answer to STARTTLS", 503)
        else:
            self._answer(220, "2.0.0", "Go ahead")
            self._secure = True
            self._envelope, self._greeted = None, Envelope("", {}, "", "", "")
            self.transport.startTLS(self.post.tls)

    # The content

    def _content(self, draft: Draft) -> None:
        content, rest = self._reader.feed(self._input)
        self._input = b"" if rest is None else rest
        draft.add(content)
        if rest is not None:
            self._whole(draft)
        elif draft.size > 2 * draft.most:
            assert draft.fault is not None
            code, status, text = draft.fault
            self._farewell(status, text, code)

    def _whole(self, draft: Draft) -> None:
        envelope, self._envelope = self._envelope, None
        if draft.fault is not None:
            self._drop()
            self._refuse(*draft.fault)
            return
        assert envelope is not None
        self._delivering = True
        self.transport.pauseProducing()
        TimeoutMixin.setTimeout(self, None)
        delivery = Deferred.fromCoroutine(self.post.deliver(envelope, draft))
        delivery.addCallbacks(self._delivered, self._failed)
        delivery.addBoth(self._go_on)
        delivery.addErrback(lambda failure: self.smtpLog.failure("SMTP session broke", failure))

    def _delivered(self, identifier: str) -> None:
        self._answer(250, "2.0.0", f"Taken as {identifier}")

    def _failed(self, failure: Failure) -> None:
        self.smtpLog.failure("A mail could not be delivered; the sender is asked to try again", failure)
        self._answer(451, "4.3.0", "The mail could not be stored, try again later")

    def _go_on(self, result: object) -> object:
        self._delivering = False
        self._drop()
        if self._closing:
            self.transport.loseConnection()
        else:
            TimeoutMixin.setTimeout(self, self.post.limits.timeout)
            self.transport.resumeProducing()
            self._work()
        return result

    def _drop(self) -> None:
        if self._draft is not None:
            self._draft.close()
            self._draft = None
