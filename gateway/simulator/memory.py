"""What a phone remembers between two connections, and how it is kept in a file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from attrs import asdict, define, field, frozen

UNSYNCED = "0"
_FORMAT = 1


@frozen
class PhoneItem:
    """What a phone shows of an item; C{received} as the server wrote it, C{sent} seconds since the epoch.

    C{sent} is what the subject or body says after C{sent=}, or else C{received}; C{None} when neither tells.
    """

    subject: str = ""
    read: bool = False
    flagged: bool = False
    received: str = ""
    sent: float | None = None


@define
class PhoneFolder:
    """A folder of the phone: its place in the hierarchy, and for one that is synchronised its key and items.

    C{doubtful} are the items shown from before the key began again, which the server has not named since.
    """

    id: str
    parent: str
    name: str
    type: int
    key: str = UNSYNCED
    items: dict[str, PhoneItem] = field(factory=dict)
    doubtful: set[str] = field(factory=set)

    def restart(self) -> None:
        """Begin again with key 0; the items stay until the server has said which of them are there."""
        self.key = UNSYNCED
        self.doubtful = set(self.items)

    def forget_doubtful(self) -> list[str]:
        """The server has named everything: drop the items that it has not named."""
        gone = sorted(self.doubtful)
        self.doubtful = set()
        for id in gone:
            del self.items[id]
        return gone

    @property
    def item_class(self) -> str:
        """The class of the items ([MS-ASCMD] 2.2.3.186)."""
        return _CLASSES.get(self.type, "Email")


_CLASSES = {
    **{7: "Tasks", 15: "Tasks", 8: "Calendar", 13: "Calendar"},
    **{9: "Contacts", 14: "Contacts", 19: "Contacts", 10: "Notes", 17: "Notes"},
}


@define
class Memory:
    """All of it; an empty one is a phone out of the box. C{url} is where a redirect (451) has led.

    C{guid} is the GUID of triggers that the server gave in its last Sync, C{spent} that of the last trigger after which
    the phone has synchronised; empty if there is none.
    """

    version: str = ""
    policy_key: int = 0
    hierarchy_key: str = UNSYNCED
    url: str = ""
    folders: dict[str, PhoneFolder] = field(factory=dict)
    guid: str = ""
    spent: str = ""

    def erase(self) -> None:
        """Forget everything, as a remote wipe demands."""
        self.version = ""
        self.policy_key = 0
        self.hierarchy_key = UNSYNCED
        self.url = ""
        self.guid = self.spent = ""
        self.folders.clear()

    def restart(self) -> None:
        """Begin every key again with 0; what is shown stays until the server has said what is there."""
        self.hierarchy_key = UNSYNCED
        for folder in self.folders.values():
            folder.restart()

    def to_json(self) -> dict[str, Any]:
        """Plain data, for L{from_json}."""
        return {"format": _FORMAT, **asdict(self, value_serializer=_plain)}

    @classmethod
    def from_json(cls, data: Any) -> Memory:
        """What L{to_json} has made.

        @raise ValueError: the data is something else.
        """
        try:
            if data["format"] != _FORMAT:
                raise ValueError(f"format {data['format']!r} is not known")
            folders = {key: _folder(folder) for key, folder in data["folders"].items()}
            rest = {name: value for name, value in data.items() if name not in ("format", "folders")}
            return cls(**rest, folders=folders)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is no memory of a phone: {error}") from error


def _plain(_instance: object, _attribute: object, value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else value


def _folder(data: dict[str, Any]) -> PhoneFolder:
    items = {id: PhoneItem(**item) for id, item in data["items"].items()}
    return PhoneFolder(**{**data, "items": items, "doubtful": set(data["doubtful"]) & items.keys()})


@frozen
class MemoryFile:
    """A memory in a JSON file, replaced whole at each save, so that a phone killed at any moment has a right one."""

    path: Path

    def load(self) -> Memory:
        """The memory kept, or an empty one if there is no such file.

        @raise ValueError: the file holds something else.
        """
        try:
            text = self.path.read_text("utf-8")
        except FileNotFoundError:
            return Memory()
        return Memory.from_json(json.loads(text))

    def save(self, memory: Memory) -> None:
        """Write the memory down; only the owner may read it."""
        draft = self.path.with_name(f"{self.path.name}.new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            json.dump(memory.to_json(), out)
        draft.replace(self.path)
