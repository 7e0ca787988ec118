"""The commands of an SMTP session."""

from __future__ import annotations

import re

from attrs import evolve
from twisted.internet.interfaces import ITLSTransport

from gateway.sources.doors import Taker
from gateway.sources.smtpconnection import SmtpConnection
from gateway.sources.smtpdata import DataReader, Draft
from gateway.sources.smtppost import Envelope, literal
from gateway.sources.smtpto import NotHere

_PATH = re.compile(r'(?:FROM|TO):[ ]*<((?:"(?:[^"\\]|\\.)*"|[^<>"\s])*)>(?:[ ]+(.*))?', re.I)
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_MAILBOX = re.compile(
    rf'(?:@[^:]*:)?({_ATOM}(?:\.{_ATOM})*|"(?:[^"\\]|\\.)*")(?:@([A-Za-z0-9_](?:[A-Za-z0-9._-]*)|\[[0-9A-Za-z.:]+\]))?'
)

NOBODY = Envelope("", {}, "", "", "")


def read_mailbox(path: str) -> tuple[str, str] | None:
    """Local part (without quotes) and domain (maybe empty) of the inside of a path; C{None} if it is none.

    A source route is dropped (RFC 5321 appendix C).
    """
    found = _MAILBOX.fullmatch(path)
    if found is None:
        return None
    local, domain = found[1], found[2] or ""
    return (re.sub(r"\\(.)", r"\1", local[1:-1]) if local.startswith('"') else local), domain


def _plain(path: str) -> str:
    """The address in the path of a sender, without its source route; empty for the sender of a notice."""
    local, domain = read_mailbox(path) or ("", "")
    return f"{local}@{domain}" if domain else local


class Intake(SmtpConnection):
    """A session with one client."""

    _greeted = NOBODY

    def do_HELO(self, rest: str) -> None:
        """RFC 5321 4.1.1.1."""
        if self._introduced(rest, "SMTP"):
            self.sendCode(250, self.host)

    def do_EHLO(self, rest: str) -> None:
        """RFC 5321 4.1.1.1: what is spoken here."""
        if self._introduced(rest, "ESMTPS" if self.secure else "ESMTP"):
            self.sendCode(250, self.host + b"\n" + self.listExtensions())

    def extensions(self) -> dict[bytes, list[bytes] | None]:
        """The extensions by their EHLO keywords."""
        offered: dict[bytes, list[bytes] | None] = {
            b"SIZE": [b"%d" % self.post.limits.message],
            b"8BITMIME": None,
            b"PIPELINING": None,
            b"ENHANCEDSTATUSCODES": None,
        }
        if self._may_start():
            offered[b"STARTTLS"] = None
        return offered

    def _may_start(self) -> bool:
        return self.post.tls is not None and not self.secure and ITLSTransport.providedBy(self.transport)

    def _introduced(self, rest: str, protocol: str) -> bool:
        if not rest:
            self.refuse(501, "5.5.4", "Say who you are")
            return False
        helo = re.sub(r"[^A-Za-z0-9._:\[\]-]", "?", rest[:255])
        self._greeted = Envelope("", {}, helo, self.peer, protocol)
        self.envelope = None
        return True

    def do_MAIL(self, rest: str) -> None:
        """RFC 5321 4.1.1.2: a mail begins; C{<>} is the sender of a notice."""
        if not self._greeted.helo:
            self.refuse(503, "5.5.1", "Say EHLO first")
            return
        if self.envelope is not None:
            self.refuse(503, "5.5.1", "There is a sender already")
            return
        found = _PATH.fullmatch(rest) if rest[:1] in "Ff" else None
        if found is None or (found[1] and read_mailbox(found[1]) is None):
            self.refuse(501, "5.1.7", "Write MAIL FROM:<address>")
            return
        fault = self._parameters(found[2] or "")
        if fault is not None:
            self.refuse(*fault)
            return
        wait = self.post.wait(self.peer)
        if wait:
            self.answer(451, "4.7.1", f"Too many mails from your address, come back in {wait} s")
            return
        self.envelope = evolve(self._greeted, sender=found[1], recipients={})
        self.answer(250, "2.1.0", "Sender taken")

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
        if self.envelope is None:
            self.refuse(503, "5.5.1", "Say MAIL first")
            return
        found = _PATH.fullmatch(rest) if rest[:1] in "Tt" else None
        mailbox = read_mailbox(found[1]) if found else None
        if found is None or mailbox is None:
            self.refuse(501, "5.1.3", "Write RCPT TO:<address>")
        elif found[2]:
            self.refuse(555, "5.5.4", "No such parameter")
        else:
            self._recipient(self.envelope, *mailbox)

    def _recipient(self, envelope: Envelope, local: str, domain: str) -> None:
        door = self.post.door(local, domain)
        if door is not None:
            opened = door.open(local, domain, _plain(envelope.sender), self.peer)
            self.wait_for(opened, lambda taker: self._taken(envelope, taker))
            return
        here = literal(getattr(self.transport.getHost(), "host", ""))
        try:
            account = self.post.recipients.account(local, domain, here.lower())
        except NotHere as refusal:
            self.journal.info(
                "Mail for <{local}@{domain}> refused: {why}", local=local, domain=domain, why=refusal.text
            )
            self.refused(refusal)
            return
        address = f"{local}@{domain}" if domain else local
        if account in envelope.recipients or self._room(envelope):
            first = envelope.recipients.get(account, address)
            self.envelope = evolve(envelope, recipients={**envelope.recipients, account: first})
            self.answer(250, "2.1.5", "Recipient taken")

    def _taken(self, envelope: Envelope, taker: Taker) -> None:
        if taker.name in envelope.takers or self._room(envelope):
            self.envelope = evolve(envelope, takers={**envelope.takers, taker.name: taker})
            self.answer(250, "2.1.5", "Recipient taken")

    def _room(self, envelope: Envelope) -> bool:
        """Whether there may be one more recipient; the client is told if not."""
        if envelope.count < self.post.limits.recipients:
            return True
        self.answer(452, "4.5.3", "Too many recipients: send the others another mail")
        return False

    def do_DATA(self, rest: str) -> None:
        """RFC 5321 4.1.1.4: the content follows."""
        if rest:
            self.refuse(501, "5.5.4", "DATA has no parameters")
        elif self.envelope is None or not self.envelope.count:
            self.refuse(503, "5.5.1", "Say MAIL and RCPT first")
        elif self.input:
            self.hang_up("5.5.0", "wait for the answer to DATA", 503)
        else:
            self.reader = DataReader()
            self.draft = Draft(self.post.limits.message, self.post.limits.line)
            self.sendCode(354, b"End the mail with a dot on a line of its own")

    def do_RSET(self, rest: str) -> None:
        """RFC 5321 4.1.1.5: forget the mail."""
        self.envelope = None
        self.answer(250, "2.0.0", "Forgotten")

    def do_NOOP(self, rest: str) -> None:
        """RFC 5321 4.1.1.9."""
        self.answer(250, "2.0.0", "Yes")

    def do_VRFY(self, rest: str) -> None:
        """RFC 5321 4.1.1.6: nobody is told who has a mailbox."""
        self.answer(252, "2.5.2", "Send a mail and see")

    def do_HELP(self, rest: str) -> None:
        """RFC 5321 4.1.1.8."""
        self.answer(214, "2.0.0", "EHLO HELO MAIL RCPT DATA RSET NOOP QUIT STARTTLS, as RFC 5321 has them")

    def do_EXPN(self, rest: str) -> None:
        """RFC 5321 4.1.1.7: there are no lists."""
        self.refuse(502, "5.5.1", "Not here")

    ext_AUTH = do_EXPN

    def do_QUIT(self, rest: str) -> None:
        """RFC 5321 4.1.1.10."""
        self.hang_up("2.0.0", "goodbye", 221)

    def ext_STARTTLS(self, rest: str) -> None:
        """RFC 3207: what came in the clear counts no more, and nothing may have come along with the command."""
        if rest:
            self.refuse(501, "5.5.4", "STARTTLS has no parameters")
        elif not self._may_start():
            self.refuse(503 if self.secure else 502, "5.5.1", "Not again" if self.secure else "Not here")
        elif self.input:
            self.hang_up("5.5.0", "wait for the answer to STARTTLS", 503)
        else:
            self.answer(220, "2.0.0", "Go ahead")
            self.secure = True
            self.envelope, self._greeted = None, NOBODY
            self.transport.startTLS(self.post.tls)
