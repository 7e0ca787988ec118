"""The words of the index of mails: what goes into it, how far it is, and what is looked for in it."""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen

from gateway.model import Folder, Item

MOST = 1000
"""So many mails are found at most, the newest: no device can ask for more ([MS-ASCMD] 2.2.3.143.1)."""


class Place(Enum):
    """Where in a mail words are looked for."""

    ANYWHERE = "anywhere"
    SUBJECT = "subject"
    SENDER = "from"
    RECIPIENT = "to"


@frozen
class Phrase:
    """Words that follow one another, however they are written; with C{prefix} the last one may be the beginning of
    a longer one. A text without words is found nowhere."""

    text: str
    place: Place = Place.ANYWHERE
    prefix: bool = False


@frozen
class Sought:
    """What is looked for: all of this has to hold.

    C{clauses}: of each, one phrase at least is there; C{without}: these are not. C{folders} are the ids of the
    folders (C{None}: all of the user's); C{since} and C{until} in seconds since the epoch: received then or later,
    and before; C{conversation} is the id of one, 16 bytes.
    """

    clauses: tuple[tuple[Phrase, ...], ...] = ()
    without: tuple[Phrase, ...] = ()
    folders: tuple[int, ...] | None = None
    since: int | None = None
    until: int | None = None
    conversation: bytes = b""


@frozen
class Matches:
    """What was found: the ids of some items, newest mail first, and how many there are in all, up to L{MOST}."""

    items: tuple[int, ...] = ()
    total: int = 0


@frozen
class Document:
    """A mail as the index takes it: C{received} in seconds since the epoch, texts as a person reads them."""

    item: int
    received: int
    subject: str = ""
    sender: str = ""
    recipients: str = ""
    text: str = ""
    conversation: bytes = b""


@frozen
class Cursor:
    """How far a folder is in the index.

    What has a number up to C{number} was looked at; but of the items that are live, those are still to come whose
    (received, id) is below C{floor}, as long as that is not C{None}.
    """

    number: int
    floor: tuple[int, int] | None = None


@frozen
class Portion:
    """What is to be done next for a folder of the index.

    C{items} are to be put in, newest mail first, C{gone} are items to be taken out; then the folder is at C{cursor}.
    C{folder} and C{cursor} are C{None} if there is no such folder any more.
    """

    id: int
    folder: Folder | None = None
    cursor: Cursor | None = None
    items: tuple[Item, ...] = field(default=())
    gone: tuple[int, ...] = field(default=())

    @property
    def last(self) -> bool:
        """Whether nothing more was to be done for the folder after this when it was looked for."""
        if self.folder is None or self.cursor is None:
            return False
        return self.cursor.floor is None and self.cursor.number >= self.folder.head
