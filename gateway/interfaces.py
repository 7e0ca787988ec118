"""The contracts between the rooms: who implements them is decided by the composition root alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twisted.internet.defer import Deferred
from zope.interface import Interface

from gateway.model import (
    Change,
    Device,
    DeviceKey,
    Folder,
    FolderOutcome,
    Found,
    FoundFolder,
    Intent,
    Item,
    Looked,
    SyncOptions,
    SyncOutcome,
    SyncRequest,
)


class ItemGone(Exception):
    """The item is no longer where the ledger saw it last."""


class BackendDown(Exception):
    """A part that the answer depends on does not answer; asking again later may help."""


class Busy(BackendDown):
    """Too much is under way to look at this now; C{retry_after} is in seconds.

    For a device this is HTTP 503 with Retry-After, never 401: a phone that gets a 401 asks its owner for the password.
    """

    def __init__(self, why: str, retry_after: int) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class ILedger(Interface):
    """The numbered record of what happened to the items of each folder, and who was told of it.

    Every method that writes does so in one transaction; Changes are returned after the commit and are to be
    reported to the Switchboard by the caller.
    """

    def everything() -> Deferred[list[Folder]]:
        """All live folders of all users (for the start of a source)."""

    def folders(user: str) -> Deferred[list[Folder]]:
        """The live folders of a user, parents before children; empty for a user never recorded."""

    def record_hierarchy(user: str, found: Sequence[FoundFolder]) -> Deferred[tuple[list[Folder], list[Change]]]:
        """Make the live folders of a user equal to C{found}; a path keeps its id for as long as it is there."""

    def listing(folder: int) -> Deferred[dict[str, str]]:
        """Name to state of the live items of a folder."""

    def record(seen: Mapping[int, tuple[Sequence[Found], Sequence[str]]]) -> Deferred[list[Change]]:
        """Write down per folder what was found and which names are gone; what is already so costs nothing.

        A pending L{Intent} of an item is applied to the state found before it is compared.
        """

    def listed(notes: Mapping[int, str]) -> Deferred[None]:
        """Keep per folder what the source wants to know at the next start (L{Folder.listed})."""

    def items(user: str, ids: Sequence[int]) -> Deferred[list[Item]]:
        """The live items among these ids that belong to that user, in the order asked."""

    def sync(device: DeviceKey, folder: int, request: SyncRequest) -> Deferred[SyncOutcome]:
        """Execute one collection of a Sync: client commands, the next batch and the next key, in one transaction."""

    def estimate(
        device: DeviceKey, folder: int, key: str, options: SyncOptions | None, now: int
    ) -> Deferred[tuple[int, int]]:
        """GetItemEstimate: Status (1, 2 no such folder, 3 not primed, 4 bad key) and how many changes are pending."""

    def sync_folders(device: DeviceKey, key: str) -> Deferred[FolderOutcome]:
        """FolderSync: what the device lacks of the hierarchy, and the next key."""

    def look(device: DeviceKey, folders: Sequence[int], adds_only: bool) -> Deferred[Looked]:
        """Compare hierarchy and folders with what the device has been given (with its newest key, or with the
        key before it if the answer with the newest was never written to the connection)."""

    def given(device: DeviceKey, folder: int, key: str) -> None:
        """The answer that carried this key was written to a live connection. Folder 0 is the hierarchy."""

    def done(intents: Sequence[int]) -> Deferred[None]:
        """Strike out intents that were carried out; if that fails, the next L{flush} does it."""

    def pending() -> Deferred[list[Intent]]:
        """The intents that were not carried out before the last stop."""

    def compact(before: int) -> Deferred[int]:
        """Forget removal rows that no live key needs or that are older than C{before}; how many went."""

    def flush() -> Deferred[None]:
        """Write what is collected in memory (keys given, intents struck out)."""


class IDevices(Interface):
    """The partnerships."""

    def device(key: DeviceKey) -> Deferred[Device | None]:
        """One partnership, or C{None}."""

    def devices(user: str | None) -> Deferred[list[Device]]:
        """All partnerships, or those of one user."""

    def keep(device: Device, durable: bool) -> Deferred[None]:
        """Write a partnership; C{durable} survives a loss of power (policy keys, wipes)."""

    def keep_all(devices: Sequence[Device]) -> Deferred[None]:
        """Write many partnerships in one transaction that a loss of power may take back."""

    def forget(key: DeviceKey) -> Deferred[None]:
        """End a partnership: its keys become invalid for ever."""


class IMailbox(Interface):
    """Reading and changing what a source holds."""

    def read(user: str, path: str, name: str, state: str) -> Deferred[bytes]:
        """The message, RFC 5322 bytes as stored. Fails with L{ItemGone}."""

    def carry_out(intents: Sequence[Intent]) -> Deferred[list[int]]:
        """Do what the intents say; the ids of those that are done (also those whose item is gone), and of earlier
        ones that had to be done before."""

    def deliver(user: str, message: bytes) -> Deferred[None]:
        """Put a new message into the user's Inbox; fired when it is on disk."""


class IAccounts(Interface):
    """Who may come in."""

    def names() -> list[str]:
        """The enabled accounts, sorted."""


class IAuthenticator(Interface):
    """Who is it?"""

    def check(user: str, password: str, address: str) -> Deferred[str]:
        """The account name that a user name and password belong to; C{address} is the client's, as text.

        Fails with L{twisted.cred.error.UnauthorizedLogin} (wrong, unknown or disabled: never said which) or with
        L{Busy}. A password that was right before is answered at once, with a Deferred that has fired.
        """

    def check_any(candidates: Sequence[tuple[str, str]], address: str) -> Deferred[str]:
        """As L{check} for several readings of the same (user, password) bytes: the first that fits counts, and all
        of them together are one attempt."""


class IReporter(Interface):
    """Who is told of Changes."""

    def changed(*changes: Change) -> None:
        """Folders have new Versions; called in the reactor's thread after the commit, once for what came together."""
