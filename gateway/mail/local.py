"""Mail for our own mailboxes: what users send to each other, the copies that they keep, and what they are told."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime
from hashlib import sha256

from attrs import define
from twisted.logger import Logger

from gateway.interfaces import BackendDown, IMailbox, ItemGone
from gateway.mail.server import Fate, Mail, Result, Said
from gateway.mail.undelivered import OWN_INBOX
from gateway.trigger import Letter

_BLANK = re.compile(rb"\r?\n\r?\n")
_BLIND = re.compile(rb"^(?:resent-)?bcc[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*", re.IGNORECASE | re.MULTILINE)
_TAKEN = Said(Fate.TAKEN, "250 2.0.0 delivered")
#: Octets of a mail that tell it from others, with who sent it when, and to whom.
_TELLING = 2**16


@define(eq=False)
class LocalPost:
    """Puts mails into mailboxes, as L{gateway.mail.pump.Sender} of a pump.

    The recipients of a letter are addresses of accounts, and folders of the user whose letter it is, by their paths:
    these begin with a dot, which addresses never do; one dot alone is the Inbox. Such a folder gets the mail with its
    Bcc fields and marked as read, the Inbox gets it as new.

    A mail that is delivered once more, as it was in doubt, has the same name in the mailbox, so that it is there once.

    @param account: the account of an address, C{None} if it has none (any more).
    @param host: the name of this host. @param now: the time of day, with its zone.
    @param delivered: told of each mail that came to an account: to which, the envelope sender, and the mail.
    """

    log = Logger()

    mailbox: IMailbox
    account: Callable[[str], str | None]
    host: str
    now: Callable[[], datetime]
    delivered: Callable[[str, str, bytes], object] = lambda account, sender, content: None

    async def send(self, mail: Mail) -> Result:
        """Deliver to each recipient."""
        assert mail.letter is not None
        return Result({recipient: await self._deliver(mail, mail.letter, recipient) for recipient in mail.recipients})

    async def close(self) -> None:
        """There is nothing to close."""

    def abort(self) -> None:
        """A delivery that has begun takes a moment, and is then at its end."""

    async def _deliver(self, mail: Mail, letter: Letter, recipient: str) -> Said:
        name, again = _name(letter, recipient), letter.attempts > 1
        try:
            if recipient.startswith(OWN_INBOX):
                path, state = recipient.removeprefix(OWN_INBOX) and recipient, "S" if recipient != OWN_INBOX else ""
                await self.mailbox.place(letter.key.user, path, name, mail.content, state, again)
                return _TAKEN
            account = self.account(recipient)
            if account is None:
                return Said(Fate.REFUSED, "550 5.1.1 there is no such mailbox")
            content = self._trace(mail.sender, recipient, name) + without_bcc(mail.content)
            await self.mailbox.place(account, "", name, content, "", again)
            self.delivered(account, mail.sender, mail.content)
        except ItemGone:
            return Said(Fate.REFUSED, "550 5.2.0 there is no such folder")
        except BackendDown as error:
            self.log.warn("Letter {id} cannot be delivered now: {why}", id=letter.id, why=str(error))
            return Said(Fate.LATER, "451 4.3.0 the mailbox cannot be written to")
        return _TAKEN

    def _trace(self, sender: str, address: str, name: str) -> bytes:
        """The lines of the final delivery (RFC 5321 4.4, RFC 9228)."""
        return (
            f"Return-Path: <{sender}>\r\n"
            f"Delivered-To: {address}\r\n"
            f"Received: by {self.host} with HTTPS id {name.split('.')[1]}\r\n"
            f"\tfor <{address}>; {format_datetime(self.now())}\r\n"
        ).encode("ascii", "replace")


def without_bcc(content: bytes) -> bytes:
    """The message without the fields that its recipients must not see."""
    found = _BLANK.search(content)
    end = found.start() + 2 if found else len(content)
    return _BLIND.sub(b"", content[:end]) + content[end:]


def _name(letter: Letter, recipient: str) -> str:
    """What the mail is called in a Maildir: the same each time, and in no other case."""
    about = f"{letter.key.user}\0{letter.key.device}\0{letter.created!r}\0{recipient}\0".encode()
    return f"{int(letter.created)}.{sha256(about + letter.content[:_TELLING]).hexdigest()[:20]}.pushgw"
