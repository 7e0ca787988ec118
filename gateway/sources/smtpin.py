"""The SMTP intake: mail for local accounts comes in and is on disk before it is answered with 250.

L{Intake} is Twisted's ESMTP server with its framing, its order of answers, its addresses and its data phase replaced.
What was the matter with those: after a line that is too long the rest of the mail was taken for commands, and so was
what came in one packet with STARTTLS; answers came out of order when a command had to wait; a command that is not
ASCII raised; address literals were refused; a failed delivery was answered 550, so that the sender gave up.

Of several recipients all have the mail or the answer is 451. The sender then tries again, and those who had it get it
twice: that is what RFC 5321 (6.1) prefers to a loss. The extensions are SIZE (RFC 1870), 8BITMIME (RFC 6152),
PIPELINING (RFC 2920), ENHANCEDSTATUSCODES (RFC 2034) and, with a TLS context, STARTTLS (RFC 3207).
"""

from __future__ import annotations

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory

from gateway.sources.smtpconnection import SmtpConnection
from gateway.sources.smtppost import Envelope, Post, SmtpLimits
from gateway.sources.smtpsession import Intake
from gateway.sources.smtpto import NotHere, Recipients

__all__ = ["Envelope", "Intake", "NotHere", "Post", "Recipients", "SmtpFactory", "SmtpLimits"]


class SmtpFactory(ServerFactory):
    """Listens for SMTP clients.

    When it stops listening, clients that wait are told so (421) and go; a mail that is being delivered is answered
    first.
    """

    noisy = False

    def __init__(self, post: Post) -> None:
        self.post = post
        self.sessions: set[SmtpConnection] = set()

    def buildProtocol(self, addr: IAddress | None) -> Intake:
        """A session with one client."""
        return Intake(self.post, self.sessions)

    def stopFactory(self) -> None:
        """Say farewell to all clients."""
        for session in list(self.sessions):
            session.farewell()
