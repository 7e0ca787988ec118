"""The seam between the HTTP lanes and the commands: what was asked, what is answered, and how to refuse."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from enum import IntEnum
from typing import Protocol

from attrs import define, field, frozen

from gateway.element import Element
from gateway.model import DeviceKey


class Version(IntEnum):
    """Protocol versions as the base64 query writes them ([MS-ASHTTP] 2.2.1.1.1.1.1)."""

    V2_5 = 25
    V12_0 = 120
    V12_1 = 121
    V14_0 = 140
    V14_1 = 141
    V16_0 = 160
    V16_1 = 161

    def __str__(self) -> str:
        """The form of the MS-ASProtocolVersion header: C{"14.1"}."""
        return f"{self.value // 10}.{self.value % 10}"


@frozen
class Call:
    """One command of one device, authenticated and decoded; it knows nothing of the connection it came by.

    C{policy_key} is C{None} if the client sent none at all; C{body} is C{None} for an empty body, and C{raw} then
    holds the bytes of a body that is no WBXML (a MIME message). C{parameters} are the command parameters of the
    query in their [MS-ASHTTP] names (C{AttachmentName}, C{SaveInSent}, ...).
    """

    device: DeviceKey
    command: str
    version: Version
    policy_key: int | None = None
    body: Element | None = None
    raw: bytes = b""
    content_type: str = ""
    parameters: Mapping[str, str] = field(factory=dict)
    device_type: str = ""
    agent: str = ""
    address: str = ""
    multipart: bool = False


@define(eq=False)
class Stream:
    """A body too large to be held: how many bytes it has, and its pieces, of which each is made when it is sent.

    Whoever sends it, or does not, calls C{close} once. C{packed}, for a body that is to be sent as gzip to who takes
    that, makes the same body packed, which takes its time; then that is sent, and closed, in place of this one.
    """

    length: int
    pieces: Iterator[bytes]
    close: Callable[[], None]
    packed: Callable[[], Stream] | None = None


@frozen
class Answer:
    """What a command answers.

    Either C{element} (sent as WBXML), or C{raw} or C{stream} with its C{content_type}, or none of them: an empty
    body. C{levels} are, per folder, the Versions up to which the device lacks nothing once it has the answer; C{None}
    if only a look at the ledger can tell. C{log} are fields for the access line. C{written} is called once: with
    C{True} when the answer was written to a live connection, with C{False} when the connection was gone before.
    """

    element: Element | None = None
    status: int = 200
    raw: bytes = b""
    stream: Stream | None = None
    content_type: str = ""
    headers: Mapping[str, str] = field(factory=dict)
    log: Mapping[str, str | int] = field(factory=dict)
    written: Callable[[bool], None] | None = None
    levels: Mapping[int, int] | None = None

    @property
    def empty(self) -> bool:
        """Whether the body is an empty one."""
        return self.element is None and self.stream is None and not self.raw


class Command(Protocol):
    """A command is called with what was asked; a cancelled call (the client left) raises CancelledError."""

    def __call__(self, call: Call) -> Awaitable[Answer]:
        """Answer the call, raising L{Refused} for the common statuses."""


class Refused(Exception):
    """The call is refused with a common Status ([MS-ASCMD] 2.2.2).

    For 14.0 and later it becomes the Status under the root of the command, before that an HTTP status.
    C{http} overrides the HTTP status of the table, C{retry_after} is in seconds; C{why} goes to the log.
    """

    def __init__(self, status: int, why: str = "", *, http: int | None = None, retry_after: int | None = None) -> None:
        super().__init__(f"status {status}: {why}" if why else f"status {status}")
        self.status = status
        self.why = why
        self.http = http
        self.retry_after = retry_after


class Unavailable(Exception):
    """The call cannot be taken now: HTTP 503 for every version, with Retry-After in seconds."""

    def __init__(self, why: str, retry_after: int) -> None:
        super().__init__(why)
        self.why = why
        self.retry_after = retry_after
