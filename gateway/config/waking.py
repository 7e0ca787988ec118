"""The options that say what may wake a device, and when: for all users, for a group, and for one user."""

from __future__ import annotations

from enum import Enum
from typing import Any

from attrs import frozen

from gateway.config.kinds import Choice, Daily, Kind, Several, Text
from gateway.config.option import option
from gateway.config.texts import zone
from gateway.core.wakerules import Hours


class ItemClass(Enum):
    """[MS-ASCMD] 2.2.3.27: the classes of items."""

    EMAIL = "Email"
    CALENDAR = "Calendar"
    CONTACTS = "Contacts"
    TASKS = "Tasks"
    NOTES = "Notes"


_CLASSES: Kind = Several(Choice(ItemClass))
_FOLDERS: Kind = Several(Text())
_HOURS: Kind = Several(Daily())

_WAKE_CLASSES = "Classes of items whose changes send a trigger"
_WAKE_FOLDERS = (
    "The only folders whose changes send a trigger, by name or path, with all below them; Inbox is one; []: all folders"
)
_NEVER_FOLDERS = (
    "Folders whose changes send none: by name or path, or Junk, Sent, Drafts, Deleted Items and Outbox for the "
    "special ones, whatever they are called; Sent and Outbox never send one"
)
_QUIET_HOURS = "Hours of the day in which no trigger is sent; one that is wanted goes when they end"
_TIME_ZONE = "The time zone of these hours"
_EVENING = (Hours(22 * 60, 7 * 60),)


@frozen(kw_only=True)
class WakeDefaults:
    """What may wake devices of users for whom nothing else is said."""

    wake_classes: tuple[ItemClass, ...] = option(
        (ItemClass.EMAIL, ItemClass.CALENDAR, ItemClass.CONTACTS), _CLASSES, _WAKE_CLASSES, live=True
    )
    wake_folders: tuple[str, ...] = option((), _FOLDERS, _WAKE_FOLDERS, example=("Inbox", "Alarms"), live=True)
    never_folders: tuple[str, ...] = option(
        ("Junk", "Sent", "Drafts", "Deleted Items"), _FOLDERS, _NEVER_FOLDERS, live=True
    )
    quiet_hours: tuple[Hours, ...] = option((), _HOURS, _QUIET_HOURS, example=_EVENING, live=True)
    time_zone: str = option(
        "",
        Text(zone, empty=True),
        f"{_TIME_ZONE}, and of the days for which limits count; empty: that of the machine",
        example="Europe/Berlin",
        live=True,
    )


def _own(kind: Kind, text: str, name: str, example: Any) -> Any:
    return option(None, kind, text, unset=f"as the group, or policy.{name}", example=example, live=True)


@frozen(kw_only=True)
class WakeExceptions:
    """What differs of that; C{None}: nothing."""

    wake_classes: tuple[ItemClass, ...] | None = _own(_CLASSES, _WAKE_CLASSES, "wake_classes", (ItemClass.EMAIL,))
    wake_folders: tuple[str, ...] | None = _own(_FOLDERS, _WAKE_FOLDERS, "wake_folders", ("Inbox", "Alarms"))
    never_folders: tuple[str, ...] | None = _own(_FOLDERS, _NEVER_FOLDERS, "never_folders", ("Junk", "Archive/Lists"))
    quiet_hours: tuple[Hours, ...] | None = _own(_HOURS, _QUIET_HOURS, "quiet_hours", _EVENING)
    time_zone: str | None = _own(Text(zone), _TIME_ZONE, "time_zone", "Europe/Berlin")
