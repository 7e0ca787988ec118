"""One connection to a server that takes mail: its beginning, and mails one after the other."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from io import BytesIO

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IReactorTime
from twisted.protocols.basic import FileSender

from gateway.mail.conversation import Answer, Broken, Conversation
from gateway.mail.server import Fate, Mail, Result, Said, Security, Server, Unreachable

_ADDRESS = re.compile(r"[!-;=?-~]{1,320}")
_LINE_END = re.compile(rb"\r\n|\r|\n")


class NotLetIn(Broken):
    """The server does not want us, or not with this user name and password."""


def wire_form(content: bytes) -> bytes:
    """A message as it goes over the wire after DATA, but for the dot at its end: lines end with CR LF, and a dot at
    the beginning of a line is doubled (RFC 5321 4.5.2)."""
    if not content.count(b"\r") == content.count(b"\n") == content.count(b"\r\n"):
        content = _LINE_END.sub(b"\r\n", content)
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    return (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:]


class Session(Conversation):
    """L{open} it, L{send} mails one after the other, L{leave}; C{heard}: whether the last mail had an answer."""

    def __init__(self, server: Server, tls: IOpenSSLClientConnectionCreator, clock: IReactorTime) -> None:
        super().__init__(server, clock)
        self.tls = tls
        self.offers: Mapping[str, str] = {}
        self.mails = 0
        self.secure = server.security is Security.TLS
        self._ended = False

    # The beginning.

    async def open(self) -> None:
        """Come so far that mail may be sent.

        @raise Unreachable: that cannot be.
        """
        try:
            greeting = await self._answer(self.server.timeouts.command)
            if greeting.code != 220:
                fault = NotLetIn if greeting.code >= 500 else Broken
                raise fault(f"the server does not want us: {greeting.code} {greeting.text}")
            await self._hello()
            if self.server.security is Security.STARTTLS:
                await self._start_tls()
            if self.server.login is not None:
                await self._log_in(self.server.login.user, self.server.login.password)
        except Broken as broken:
            if self.usable:
                self.leave()
            raise Unreachable(f"{self.server.name}: {broken}", isinstance(broken, NotLetIn)) from None

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
            fault = NotLetIn if answer.code >= 500 else Broken
            raise fault(f"the server does not take user name and password: {answer.code} {answer.text}")

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
