"""Addresses that bounces come back to, so that it is known which letter could not be delivered."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256

from attrs import field, frozen

from gateway.trigger import Letter

_TOKEN = re.compile(r"[0-9a-f]{1,16}\.[0-9a-f]{6}\.[0-9a-f]{16}")


def _lower(text: str) -> str:
    return text.lower()


def _digest(text: str, digits: int) -> str:
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:digits]


@frozen
class Bounces:
    """The envelope senders and the Message-IDs of triggers that go out as mail.

    Each letter has a token of its own, the same at every attempt: C{LOCAL+TOKEN@DOMAIN} is its envelope sender and
    C{<TOKEN@DOMAIN>} its Message-ID, so that a bounce tells the letter even if it quotes nothing of the mail. The
    token ends in a digest of the GUID, which strangers do not know, so that they cannot make up bounces.

    @param local: the local part. @param domain: a mail domain of ours. Both in any case.
    """

    local: str = field(default="pushgw-bounce", converter=_lower)
    domain: str = field(default="localhost", converter=_lower)

    def token(self, letter: Letter) -> str:
        """The token of a letter that is in the outbox, in lower case."""
        secret = f"{letter.route}\0{letter.id}\0{letter.guid}"
        return f"{letter.id:x}.{_digest(letter.route, 6)}.{_digest(secret, 16)}"

    def sender(self, letter: Letter) -> str:
        """The envelope sender of a letter."""
        return f"{self.local}+{self.token(letter)}@{self.domain}"

    def message_id(self, letter: Letter) -> str:
        """The Message-ID of a letter, with its angle brackets."""
        return self.named(self.token(letter))

    def named(self, token: str) -> str:
        """The Message-ID that has this token."""
        return f"<{token}@{self.domain}>"

    def heard(self, local: str, domain: str) -> str | None:
        """The token in an address of ours; C{None} if the address is another, or cannot have been made here."""
        if domain.lower() != self.domain or not local.lower().startswith(f"{self.local}+"):
            return None
        token = local.lower().removeprefix(f"{self.local}+")
        return token if _TOKEN.fullmatch(token) else None

    def route(self, token: str, routes: Iterable[str]) -> str | None:
        """Which of these routes the letter with that token took, C{None} if none of them."""
        digest = token.split(".")[1]
        return next((route for route in routes if _digest(route, 6) == digest), None)
