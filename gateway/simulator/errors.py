"""What may go wrong on a phone: setbacks that it gets over by itself, and what makes it give up."""

from __future__ import annotations


class Setback(Exception):
    """Something failed that the phone can mend: by waiting, by another command, or by beginning again."""


class Hindered(Setback):
    """Waiting and asking again may help; C{seconds} is how long the server asked to wait, or C{None}."""

    def __init__(self, why: str, seconds: float | None = None) -> None:
        super().__init__(why)
        self.seconds = seconds


class Later(Hindered):
    """The server answered that it cannot now."""


class Unreachable(Hindered):
    """No connection came about: refused, no such name, no route."""


class Lost(Hindered):
    """The connection broke, or no answer came in time; whether the server has acted is not known."""


class Garbled(Hindered):
    """The answer came, but it is not what the command answers."""


class PolicyWanted(Setback):
    """The server wants Provision first; C{forbidden} tells that it was a bare 403, which may mean other things."""

    def __init__(self, why: str, forbidden: bool = False) -> None:
        super().__init__(why)
        self.forbidden = forbidden


class HierarchyStale(Setback):
    """FolderSync is due; C{restart} tells that it has to begin with key 0."""

    def __init__(self, why: str, restart: bool = False) -> None:
        super().__init__(why)
        self.restart = restart


class StateGone(Setback):
    """The server does not know a key; C{everything} tells that this goes for all keys of this phone."""

    def __init__(self, why: str, everything: bool = False) -> None:
        super().__init__(why)
        self.everything = everything


class VersionStale(Setback):
    """The server does not speak the version any more: ask for its versions again."""


class Moved(Setback):
    """The mailbox lives at another address, C{url}."""

    def __init__(self, url: str) -> None:
        super().__init__(f"the server says that the mailbox is at {url}")
        self.url = url


class GivenUp(Exception):
    """Nothing the phone can do helps; the message is for the one who holds it."""


class SignInRefused(GivenUp):
    """401: the password is wrong, or the account may not come in."""


class AccessDenied(GivenUp):
    """The account is known, and this phone or user is kept out."""


class NotAServer(GivenUp):
    """What answers at that address is no Exchange ActiveSync server, or it shares no version with us."""


class Untrusted(GivenUp):
    """The certificate of the server is not trusted."""


class Wiped(Exception):
    """The server had the phone erased, and the phone has done so; C{kind} is the element that asked for it."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Declined(Exception):
    """The server did not carry out one command on one item; C{status} is the one it gave ([MS-ASCMD] 2.2.3.177.17)."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status
