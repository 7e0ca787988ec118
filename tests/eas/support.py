"""A world for the commands: a real store in memory, a mailbox in memory, and devices that call commands directly."""

from __future__ import annotations

import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from gateway.core.heartbeat import HeartbeatWindow
from gateway.core.partnerships import Partnerships
from gateway.core.policy import Policy
from gateway.core.switchboard import Switchboard
from gateway.eas import wbxml
from gateway.eas.call import Answer, Call, Refused, Version
from gateway.eas.parked import Parking
from gateway.element import Element
from gateway.model import DeviceKey, FolderType, Found, FoundFolder
from gateway.store import Store
from gateway.testing import MemoryMailbox, Reports
from tests.stores import new_store, result_of

NOW = 1_714_550_400  # 2024-05-01T08:00:00Z
ANN = DeviceKey("ann", "phone")
MAIL = b"From: Bob <bob@example.org>\r\nTo: Ann <ann@example.org>\r\nSubject: %b\r\n\r\nHi.\r\n"

FOLDERS = (
    FoundFolder("", "Inbox", FolderType.INBOX),
    FoundFolder(".Sent", "Sent Items", FolderType.SENT),
    FoundFolder(".Trash", "Deleted Items", FolderType.DELETED),
)

VECTORS: dict[str, bytes] = {
    vector["name"]: bytes.fromhex(vector["hex"])
    for vector in json.loads((Path(__file__).parent.parent / "data" / "command-vectors.json").read_text())
}


def decoded(name: str) -> Element:
    """The document of a vector."""
    return wbxml.decode(VECTORS[name])


def renamed(element: Element, names: dict[str, str]) -> Element:
    """The same document with other ids."""
    copy = Element(element.tag, *(renamed(child, names) for child in element))
    copy.value = names.get(element.text, element.value) if element.value is not None else None
    return copy


def refused(work: Coroutine[Deferred[Any], Any, Any]) -> Refused:
    """The refusal that it ends in."""
    try:
        result_of(work)
    except Refused as error:
        return error
    raise AssertionError("it was not refused")


def text(element: Element | None) -> str:
    """The whole element in one line, in short: C{Sync(Status=1)}."""
    if element is None:
        return ""
    inner = " ".join(text(child) for child in element) or element.text
    return f"{element.name}({inner})" if element.children else f"{element.name}={inner}"


def parking_of(store: Any) -> Parking:
    """A place to park for devices that are in that store, with a clock and a Switchboard of its own."""
    clock = Clock()
    board, partnerships = Switchboard(clock), Partnerships(store)
    return Parking(clock, lambda: NOW, store, partnerships, board, Policy(), lambda device: True, HeartbeatWindow())


@define(eq=False, slots=False)
class Sources:
    """The folders of users with their mails, in a store and a mailbox that agree."""

    store: Store = field(factory=lambda: new_store(lambda: NOW))
    mailbox: MemoryMailbox = field(factory=MemoryMailbox)
    reports: Reports = field(factory=Reports)
    now: int = NOW
    names: dict[int, str] = field(factory=dict)

    def make(self, user: str = "ann", found: tuple[FoundFolder, ...] = FOLDERS) -> dict[str, int]:
        """Make the folders of a user; their ids by path."""
        folders, _ = result_of(self.store.record_hierarchy(user, found))
        return {folder.path: folder.id for folder in folders}

    def mail(
        self,
        folder: int,
        name: str,
        raw: bytes = b"",
        *,
        state: str = "",
        age: int = 0,
        path: str = "",
        user: str = "ann",
    ) -> None:
        """Have a mail arrive, C{age} seconds ago; or have it change."""
        self.mailbox.put(user, path, name, raw or MAIL % name.encode(), state)
        result_of(self.store.record({folder: ([Found(name, state, self.now - age)], [])}))
        self.look(user)

    def look(self, user: str = "ann") -> None:
        """Learn the names of the items that there are."""
        self.names.update((item.id, item.name) for item in self.items(*range(1, 100), user=user))

    def named(self, name: str) -> int:
        """The id of the item that had this name last."""
        return max(id for id, known in self.names.items() if known == name)

    def gone(self, folder: int, name: str, path: str = "", user: str = "ann") -> None:
        """Have a mail removed by somebody else."""
        del self.mailbox.folder(user, path)[name]
        result_of(self.store.record({folder: ([], [name])}))

    def items(self, *ids: int, user: str = "ann") -> list[Any]:
        """The live items with these ids."""
        return list(result_of(self.store.items(user, ids)))


def call_of(
    command: str,
    body: Element | None,
    version: Version = Version.V14_1,
    device: DeviceKey = ANN,
    **more: Any,
) -> Call:
    """A call as the HTTP lanes would make it."""
    return evolve(Call(device, command, version), body=body, **more)


def sent(answer: Answer) -> bytes:
    """The document of an answer as it goes over the wire, and have it be written."""
    if answer.written is not None:
        answer.written(True)
    return b"" if answer.element is None else wbxml.encode(answer.element)
