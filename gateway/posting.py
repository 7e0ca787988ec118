"""Values of mail that users send: what is written down at once when a device hands a mail over."""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen

from gateway.arrangement import Moved, Shift
from gateway.model import DeviceKey
from gateway.trigger import Letter


@frozen
class Mark:
    """What is to be noted of the mail that was answered or passed on: a letter, and LastVerbExecuted
    ([MS-ASEMAIL] 2.2.2.43)."""

    item: int
    letter: str
    verb: int


@frozen(kw_only=True)
class Posting:
    """A mail that a device hands over.

    C{name} tells it from all others of the device; one that was handed over before C{since} does not count any more.
    C{gone} is the draft that is sent, which goes with it (0: none). C{shift}: the mail that is answered goes to
    another folder. C{recipients} is their number, C{quota} how many a user may write to from C{counted} on (0: any
    number). All times in seconds since the epoch.
    """

    key: DeviceKey
    name: str
    now: float
    since: float
    letters: tuple[Letter, ...]
    recipients: int
    quota: int = 0
    counted: float = 0.0
    mark: Mark | None = None
    gone: int = 0
    shift: Shift | None = None


class Reception(Enum):
    """What became of a posting: it was taken, it was here before, or it is more than the user may send."""

    TAKEN = "taken"
    REPEATED = "repeated"
    TOO_MUCH = "too much"


@frozen
class Posted:
    """What the store says of a posting; C{moved} is what else it has changed."""

    reception: Reception
    moved: Moved = field(factory=Moved)
