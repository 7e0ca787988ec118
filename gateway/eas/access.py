"""The access line: one per device request, in the shape of the log that Exchange 2007 wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from urllib.parse import quote

from attrs import define
from twisted.logger import Logger

NOTHING: Mapping[str, str | int] = MappingProxyType({})
#: Characters of a user, device or type in a line.
LONGEST = 64


@define(eq=False)
class Entry:
    """What is known of one request by the time it is answered."""

    began: float
    address: str
    user: str = "-"
    device: str = "-"
    type: str = "-"
    command: str = "-"
    version: int = 0
    received: int = 0
    fields: Mapping[str, str | int] = NOTHING


def elements(version: int, fields: Mapping[str, str | int]) -> str:
    """The letter-prefixed elements, URL-escaped: C{V141_Fc1_Hb480_St2}; readers skip those they do not know."""
    parts = [f"V{version}"] if version else []
    parts += [f"{name}{quote(str(value), safe=':,')}" for name, value in fields.items()]
    return "_".join(parts) or "-"


def _word(text: str) -> str:
    """What a client said, as one word: nothing in it can look like another column or another line."""
    return quote(text[:LONGEST], safe="@.,:+*\\") or "-"


@define(eq=False)
class AccessLog:
    """Writes the access lines, and tells who counts."""

    log = Logger()

    enabled: bool = True
    count: Callable[[Entry, int, float], None] = lambda entry, http, seconds: None

    def write(self, entry: Entry, http: int, sent: int, now: float) -> None:
        """Write the line of a request that was answered with this HTTP status and so many bytes.

        HTTP status 0: the client left before.
        """
        seconds = now - entry.began
        self.count(entry, http, seconds)
        if self.enabled:
            self.log.info(
                "{cmd} {user} {device} ({type}) {http} {elements} in={received} out={sent} s={seconds:.3f} {address}",
                cmd=entry.command,
                user=_word(entry.user),
                device=_word(entry.device),
                type=_word(entry.type),
                http=http,
                elements=elements(entry.version, entry.fields),
                received=entry.received,
                sent=sent,
                seconds=seconds,
                address=entry.address,
                fields=dict(entry.fields),
            )
