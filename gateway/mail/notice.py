"""What mails of this server to its own users look like."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from textwrap import fill

from attrs import frozen

_WIDTH = 72


@frozen
class Envelope:
    """Of whom and to whom such a mail is: C{host} is the name of this one, C{contact} whom users may ask."""

    host: str
    domain: str
    contact: str = ""

    def address(self, user: str) -> str:
        """That of an account."""
        return user if "@" in user else f"{user}@{self.domain}"

    @property
    def asked(self) -> str:
        """Whom users may ask, in words."""
        return self.contact or "the administrator of this server"


def paragraph(text: str) -> str:
    """The text, in lines of a usual length."""
    return fill(text, _WIDTH)


def notice(recipient: str, subject: str, paragraphs: Iterable[str], at: datetime, envelope: Envelope) -> bytes:
    """A mail from the postmaster: RFC 5322 bytes. C{at} has a zone."""
    message = EmailMessage(SMTP)
    message["From"] = f"pushgw <postmaster@{envelope.domain}>"
    message["To"] = recipient
    message["Subject"] = subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = make_msgid(domain=envelope.host)
    # RFC 3834 5: nobody's absence is told in answer to this.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n\n".join(paragraphs) + "\n")
    return message.as_bytes()
