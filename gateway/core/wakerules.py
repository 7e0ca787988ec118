"""Which folders may wake the devices of a user, and when: pure rules, the clock and the zone are arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime, timedelta, tzinfo

from attrs import field, frozen

from gateway.model import Folder, FolderType

DAY_MINUTES = 1440

#: What people call a special folder, and what it is called in mailboxes.
_CALLED: Mapping[str, tuple[str, ...]] = {
    "junk": ("junk", "spam", "junk e-mail"),
    "sent": ("sent", "sent items", "sent messages"),
    "drafts": ("drafts",),
    "deleted items": ("trash", "deleted items", "deleted messages"),
    "outbox": ("outbox",),
}
_TYPES: Mapping[str, FolderType] = {
    "inbox": FolderType.INBOX,
    "sent": FolderType.SENT,
    "drafts": FolderType.DRAFTS,
    "deleted items": FolderType.DELETED,
    "outbox": FolderType.OUTBOX,
}


@frozen
class Hours:
    """A span of every day in minutes after midnight, by the clock on the wall.

    C{end} is not part of it; an end at or before the start is on the next day.
    """

    start: int
    end: int


@frozen
class Folders:
    """Names of folders, as an administrator writes them.

    A name stands for the folder that shows it or whose path in the mailbox it is (C{Archive.2024} or
    C{Archive/2024}), and for all folders below that; C{Inbox}, C{Junk}, C{Sent}, C{Drafts}, C{Deleted Items} and
    C{Outbox} stand for the special folder, whatever it is called. Case does not matter.
    """

    names: tuple[str, ...] = ()
    _types: Set[FolderType] = field(init=False, eq=False, repr=False)
    _words: Set[str] = field(init=False, eq=False, repr=False)

    @_types.default
    def _find_types(self) -> Set[FolderType]:
        return frozenset(_TYPES[name.lower()] for name in self.names if name.lower() in _TYPES)

    @_words.default
    def _find_words(self) -> Set[str]:
        plain = [name.lower().replace("/", ".").lstrip(".") for name in self.names]
        return frozenset(word for name in plain for word in _CALLED.get(name, (name,)))

    def __contains__(self, folder: Folder) -> bool:
        if folder.type in self._types or folder.name.lower() in self._words:
            return True
        parts = folder.path.lower().lstrip(".").split(".")
        return any(".".join(parts[:depth]) in self._words for depth in range(1, len(parts) + 1))


@frozen
class WakeFolders:
    """Which folders may wake a device: those of the classes, of these only the ones in C{only} if it names any, and
    none that C{never} names."""

    classes: frozenset[str] = frozenset({"Email", "Calendar", "Contacts"})
    only: Folders = field(factory=Folders)
    never: Folders = Folders(("Junk", "Sent", "Drafts", "Deleted Items"))

    def may_wake(self, folder: Folder) -> bool:
        """Whether a change in that folder may wake a device; what a user has sent or not sent yet never does."""
        if folder.type in (FolderType.SENT, FolderType.OUTBOX) or folder.type.item_class not in self.classes:
            return False
        return folder not in self.never and (not self.only.names or folder in self.only)


@frozen
class UserRule:
    """What holds for the devices of a user; C{zone} is that of its hours and days, C{None} that of the machine."""

    folders: WakeFolders = field(factory=WakeFolders)
    quiet: tuple[Hours, ...] = ()
    zone: tzinfo | None = None


@frozen
class WakeRules:
    """The rules of all users: those that have one of their own, and the one for everybody else."""

    default: UserRule = field(factory=UserRule)
    users: Mapping[str, UserRule] = field(factory=dict)

    def of(self, user: str) -> UserRule:
        """The rule of a user."""
        return self.users.get(user, self.default)


def quiet_until(now: float, hours: Sequence[Hours], zone: tzinfo | None = None) -> int:
    """When the quiet hours end that hold now, in seconds since the epoch; 0 if none do.

    Hours that follow one another are one. Where a clock is put back, an hour that comes twice ends quiet hours the
    second time; where it is put forward, an end that is left out comes as much later.
    """
    until = 0
    for _ in range(2 * len(hours)):
        end = max((_end_of(max(now, until), each, zone) for each in hours), default=0)
        if end <= until:
            break
        until = end
    return until


def _end_of(now: float, hours: Hours, zone: tzinfo | None) -> int:
    """The end of these hours if they hold now, else 0."""
    today = datetime.fromtimestamp(now, zone).date()
    length = (hours.end - hours.start) % DAY_MINUTES or DAY_MINUTES
    for day in (today, today - timedelta(days=1)):
        start = _instant(day, hours.start, zone, 0)
        last = hours.start + length
        end = max(_instant(day, last, zone, fold) for fold in (0, 1))
        if start <= now < end:
            return end
    return 0


def day_bounds(now: float, zone: tzinfo | None = None) -> tuple[int, int]:
    """The first second of the day that it is now and that of the next, in seconds since the epoch."""
    today = datetime.fromtimestamp(now, zone).date()
    return _instant(today, 0, zone, 0), _instant(today, DAY_MINUTES, zone, 0)


def _instant(day: date, minutes: int, zone: tzinfo | None, fold: int) -> int:
    """The seconds since the epoch at which a clock in that zone shows that day and minute."""
    days, rest = divmod(minutes, DAY_MINUTES)
    shown = datetime.combine(day, datetime.min.time(), zone) + timedelta(days=days, minutes=rest)
    return int(shown.replace(fold=fold).timestamp())
