"""What the contract tests of the store have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gateway.model import (
    Amend,
    Change,
    DeviceKey,
    Folder,
    FolderType,
    Found,
    FoundFolder,
    Item,
    Look,
    Op,
    Remove,
    SyncOptions,
    SyncOutcome,
    SyncRequest,
)

DAY = 24 * 3600
NOW = 1_700_000_000

INBOX = FoundFolder("", "Inbox", FolderType.INBOX)
TRASH = FoundFolder(".Trash", "Deleted Items", FolderType.DELETED)
WORK = FoundFolder(".Work", "Work", FolderType.USER_MAIL)

ANN = DeviceKey("ann", "anns-phone")
TABLET = DeviceKey("ann", "anns-tablet")
BOB = DeviceKey("bob", "bobs-phone")


class StoreCase(SynchronousTestCase):
    """A store, with the folders of ann in it; C{now} is its clock."""

    now = NOW

    def makeStore(self) -> Any:
        """A new store on an empty database, whose clock is L{seconds} and whose calls are answered at once."""
        raise NotImplementedError

    def restart(self) -> Any:
        """Another store on the database of the last one, as after a kill."""
        raise NotImplementedError

    def seconds(self) -> float:
        return self.now

    def setUp(self) -> None:
        self.store = self.makeStore()
        self.inbox, self.trash = (folder.id for folder in self.folders(INBOX, TRASH))
        self._requests = 0

    def result(self, deferred: Deferred[Any]) -> Any:
        return self.successResultOf(deferred)

    def folders(self, *found: FoundFolder, user: str = "ann") -> list[Folder]:
        """Make these the folders of a user."""
        live, _ = self.result(self.store.record_hierarchy(user, found))
        return live

    def record(self, *found: Found, gone: Sequence[str] = (), folder: int | None = None) -> list[Change]:
        """Somebody else's doings in the Inbox or another folder; the Changes without their freshness."""
        changes = self.result(self.store.record({folder or self.inbox: (found, gone)}))
        return [evolve(change, fresh=False) for change in changes]

    def mail(self, name: str, state: str = "", age: int = 0) -> Found:
        """A mail that came so many days ago."""
        return Found(name, state, NOW - age * DAY)

    def deliver(self, *names: str, folder: int | None = None) -> list[int]:
        """New mails, one after the other; their ids."""
        for place, name in enumerate(names):
            self.record(Found(name, "", NOW - len(names) + place), folder=folder)
        return [self.id_of(name) for name in names]

    def items(self, user: str = "ann") -> dict[str, Item]:
        """All live items by name."""
        return {item.name: item for item in self.result(self.store.items(user, range(1, 2000)))}

    def id_of(self, name: str) -> int:
        return self.items()[name].id

    def sync(
        self,
        key: str,
        *commands: Amend | Remove,
        device: DeviceKey = ANN,
        folder: int | None = None,
        given: bool = True,
        carried_out: bool = True,
        digest: bytes | None = None,
        filter: int | None = None,
        options: SyncOptions | None = None,
        **more: Any,
    ) -> SyncOutcome:
        """One Sync, different from all before unless C{digest} says otherwise.

        Its answer is written out if C{given}, and the source has done its part at once if C{carried_out}.
        """
        self._requests += 1
        if filter is not None:
            options = SyncOptions(filter=filter)
        request = SyncRequest(
            key,
            digest or b"%d" % self._requests,
            int(self.now),
            commands=commands,
            options=options,
            get_changes=more.pop("get_changes", key != "0"),
            **more,
        )
        outcome = self.result(self.store.sync(device, folder or self.inbox, request))
        if given and outcome.status == 1:
            self.store.given(device, folder or self.inbox, outcome.key)
        if carried_out:
            self.result(self.store.done([intent.id for intent in outcome.intents]))
        return outcome

    def start(self, device: DeviceKey = ANN, folder: int | None = None, filter: int | None = None) -> str:
        """A first synchronisation up to the end; the key."""
        outcome = self.sync("0", device=device, folder=folder, filter=filter)
        more = True
        while more:
            outcome = self.sync(outcome.key, device=device, folder=folder)
            more = outcome.more
        return outcome.key

    def look(self, device: DeviceKey = ANN, folder: int | None = None, adds_only: bool = False) -> Look:
        """How a device stands to one folder."""
        place = folder or self.inbox
        return self.result(self.store.look(device, [place], adds_only)).folders[place]

    def told(self, outcome: SyncOutcome) -> list[tuple[str, int]]:
        """A batch as (word, id)."""
        return [(row.op.value, row.id) for row in outcome.batch]

    def names(self, outcome: SyncOutcome) -> list[str]:
        """The names of what a batch adds."""
        return [row.item.name for row in outcome.batch if row.item is not None and row.op is Op.ADD]
