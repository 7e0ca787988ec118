"""What all SMTP sessions share: who may come how often, and handing a whole mail to the mailboxes."""

from __future__ import annotations

import math
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from email.utils import format_datetime

from attrs import define, field, frozen
from twisted.internet.defer import DeferredSemaphore
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from twisted.logger import Logger

from gateway.core.rate import Rate
from gateway.interfaces import IMailbox
from gateway.sources.doors import IMailDoor, Taker
from gateway.sources.smtpdata import Draft
from gateway.sources.smtpto import Recipients


@frozen(kw_only=True)
class SmtpLimits:
    """What a client may do; sizes in bytes, times in seconds.

    RFC 5321 4.5.3.1 asks for at least 512 of a command, 1000 of a line and 100 recipients; lines of mail may be
    longer here than it allows a sender to write, as some do. 4.5.3.2 asks for a time-out of at least five minutes.
    C{errors} is how many refused commands end a session, C{answers} how many answers without a mail, besides those to
    recipients; C{session} is the longest session.
    """

    message: int = 26_214_400
    recipients: int = 100
    per_minute: int = 600
    connections: int = 20
    total: int = 1000
    command: int = 2048
    line: int = 65_536
    errors: int = 20
    answers: int = 1000
    timeout: float = 300
    session: float = 3600


@frozen
class Envelope:
    """How a mail came: C{recipients} are the addresses by account, C{takers} who takes it for addresses that are no
    mailboxes, by name; C{protocol} is SMTP, ESMTP or ESMTPS."""

    sender: str
    recipients: Mapping[str, str]
    helo: str
    peer: str
    protocol: str
    takers: Mapping[str, Taker] = field(factory=dict)

    @property
    def count(self) -> int:
        """How many recipients there are."""
        return len(self.recipients) + len(self.takers)


@define(eq=False)
class Post:
    """The sessions' common part.

    @param recipients: finds the account of an address.
    @param mailbox: where mails go.
    @param clock: monotonic time.
    @param now: the time of day, with its zone.
    @param host: the name of this host.
    @param tls: the context for STARTTLS, if that shall be offered.
    @param at_once: how many mails may be handed over at a time, which bounds what is in memory.
    @param doors: who takes mail for addresses that are no mailboxes.
    @param delivered: told of each mail that is in a mailbox: of whom, the envelope sender, and the mail.
    """

    log = Logger()

    recipients: Recipients
    mailbox: IMailbox
    clock: IReactorTime
    now: Callable[[], datetime]
    host: str = "localhost"
    limits: SmtpLimits = field(factory=SmtpLimits)
    tls: IOpenSSLServerConnectionCreator | None = None
    at_once: int = 4
    doors: Sequence[IMailDoor] = ()
    delivered: Callable[[str, str, bytes], object] = lambda account, sender, content: None
    _turns: DeferredSemaphore = field(init=False)
    _rate: Rate = field(init=False)
    _here: Counter[str] = field(init=False, factory=Counter)

    def __attrs_post_init__(self) -> None:
        self._turns = DeferredSemaphore(self.at_once)
        self.limit(self.limits)

    def limit(self, limits: SmtpLimits) -> None:
        """Put other limits in force, for open sessions too."""
        self.limits = limits
        self._rate = Rate(limits.per_minute / 60, max(1, limits.per_minute))

    def enter(self, address: str) -> str | None:
        """Count a connection; the reason if it is refused, and then it is not counted."""
        if self._here.total() >= self.limits.total:
            return "too many connections, try again later"
        if self._here[address] >= self.limits.connections:
            return "too many connections from your address, try again later"
        self._here[address] += 1
        return None

    def leave(self, address: str) -> None:
        """Count a connection that is over."""
        self._here[address] -= 1
        if not self._here[address]:
            del self._here[address]

    def wait(self, address: str) -> int:
        """Count a mail and return 0, or do not count it and return the seconds until the next is welcome."""
        return math.ceil(self._rate.wait(address, self.clock.seconds()))

    def door(self, local: str, domain: str) -> IMailDoor | None:
        """Who takes mail for an address that is no mailbox."""
        return next((door for door in self.doors if door.serves(local, domain)), None)

    async def deliver(self, envelope: Envelope, draft: Draft) -> str:
        """Hand a mail to each recipient; the identifier that its trace and the log have.

        When this returns the mail is safe for each of them. If one delivery fails this does, though others may have
        been made.
        @raise gateway.sources.smtpto.NotHere: it is refused, and nobody has it: those who may do that come first.
        """
        identifier = secrets.token_hex(8)
        await self._turns.acquire()
        try:
            content = draft.read()
            for taker in envelope.takers.values():
                await taker.take(content)
            for account, address in envelope.recipients.items():
                await self.mailbox.deliver(account, self._trace(envelope, address, identifier) + content)
                self.delivered(account, envelope.sender, content)
        finally:
            self._turns.release()
        self.log.info(
            "Mail {id} of {size} bytes from <{sender}> ({peer}) for {count} of ours",
            id=identifier,
            size=draft.size,
            sender=envelope.sender,
            peer=envelope.peer,
            count=envelope.count,
        )
        return identifier

    def _trace(self, envelope: Envelope, address: str, identifier: str) -> bytes:
        """The lines of the final delivery (RFC 5321 4.4, RFC 9228). Other recipients are not named."""
        return (
            f"Return-Path: <{envelope.sender}>\r\n"
            f"Delivered-To: {address}\r\n"
            f"Received: from {envelope.helo} ({literal(envelope.peer)})\r\n"
            f"\tby {self.host} with {envelope.protocol} id {identifier}\r\n"
            f"\tfor <{address}>; {format_datetime(self.now())}\r\n"
        ).encode("ascii", "replace")


def literal(address: str) -> str:
    """An IP address as an address literal (RFC 5321 4.1.3)."""
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
