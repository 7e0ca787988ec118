"""The seam between a phone and its connection: one request, one reply."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen
from twisted.internet.defer import Deferred
from zope.interface import Interface

VERSIONS = ("2.5", "12.0", "12.1", "14.0", "14.1", "16.0", "16.1")


@frozen
class Account:
    """Who the phone signs in as, and what it says that it is."""

    user: str
    password: str = field(repr=False)
    device_id: str = "PUSHGWDEVICE1"
    device_type: str = "PushgwDevice"


@frozen
class Post:
    """One command: C{body} empty for an empty request, C{policy_key} C{None} to send none, C{timeout} in seconds.

    C{parameters}: further ones of the query, by their names of [MS-ASHTTP] 2.2.1.1.1.2.5, SaveInSent among them;
    C{content_type} of the body, if it is no WBXML; C{multipart}: the answer may come in parts.
    """

    command: str
    version: str
    body: bytes = b""
    policy_key: int | None = None
    timeout: float = 60.0
    parameters: tuple[tuple[str, str], ...] = ()
    content_type: str = ""
    multipart: bool = False


@frozen
class Reply:
    """What came back; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = b""


class ILine(Interface):
    """A way to the server for one phone; a lean one may take the place of L{HTTPLine}.

    Both requests fail with L{Unreachable<gateway.simulator.errors.Unreachable>},
    L{Lost<gateway.simulator.errors.Lost>} or L{Untrusted<gateway.simulator.errors.Untrusted>}, and may be cancelled:
    the connection is then dropped.
    """

    def options(timeout: float) -> Deferred[Reply]:
        """Ask for the versions and commands of the server."""

    def post(post: Post) -> Deferred[Reply]:
        """Send a command; several may be under way at once."""

    def move(url: str) -> None:
        """Go to another address from now on.

        @raise ValueError: that is no address of a server.
        """

    def close() -> None:
        """Drop what is kept open; a request made later opens a connection again."""
