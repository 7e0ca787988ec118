"""The contracts between the rooms: who implements them is decided by the composition root alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from twisted.internet.defer import Deferred
from zope.interface import Interface

from gateway.absence import Absence
from gateway.arrangement import Arranged, Arrangement, Diversion, Moved, Shift, Turn
from gateway.index import Document, Matches, Portion, Sought
from gateway.model import (
    Change,
    Decision,
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
from gateway.posting import Posted, Posting
from gateway.trigger import Concerned, Decided, Hop, Letter, Line, Order, Outcome, Override, Receipt, Wake, WakeRule

T = TypeVar("T")


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


class NameTaken(Exception):
    """There is a folder of that name already, as far as the source can tell names apart."""


class Protected(Exception):
    """The folder is one that every mailbox has."""


class Impossible(Exception):
    """The source cannot hold a folder of that name at that place."""


class TooSlow(Exception):
    """A search took longer than is waited for; asking for something else may help."""


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

    def repeated(turn: Turn) -> Deferred[Arranged | None]:
        """What was answered when the same command came before, Status 9 for a wrong key; C{None}: it is to be
        executed."""

    def arrange(arrangement: Arrangement, turn: Turn | None) -> Deferred[Arranged]:
        """Write down a change of the folders before it is made; a folder that moves keeps its id and its items.

        With C{turn} the device is told by the answer: FolderSync does not repeat it. To all others it is news.
        """

    def move(user: str, shifts: Sequence[Shift], now: int) -> Deferred[Moved]:
        """Move items to other folders, where they get new ids; each device is told by its next Syncs."""

    def clear(user: str, folder: int, upto: int, most: int, now: int) -> Deferred[Moved]:
        """Remove the items for good that came with a number up to C{upto}, at most so many."""

    def aware(device: DeviceKey, spans: Sequence[tuple[int, int, int]]) -> None:
        """The device did this itself: what has these numbers (folder, first, last) is no reason to wake it. Its next
        Sync tells of it all the same."""

    def unaware(device: DeviceKey, spans: Sequence[tuple[int, int, int]]) -> None:
        """The answer that would have told of it was lost, so it is a reason."""

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

    def place(user: str, path: str, name: str, message: bytes, state: str, again: bool) -> Deferred[None]:
        """Put a message into a folder under that name, with that state; fired when it is on disk.

        With C{again} it may be there already, in whatever state, and then nothing happens. Fails with L{ItemGone} if
        there is no such folder.
        """

    def stage(user: str, path: str, name: str, message: bytes) -> Deferred[None]:
        """Hold a message ready for a folder, on disk, where nobody sees it until an L{Intent} FILL is carried out. To
        do so again changes nothing. Fails with L{ItemGone} if there is no such folder."""

    def discard(user: str, path: str, names: Sequence[str]) -> Deferred[None]:
        """What is held ready under these names is not wanted after all."""

    def making(folders: Sequence[Folder], parent: Folder | None, name: str) -> Arrangement:
        """Plan a folder of that name below C{parent}, or at the top; C{folders} are those of the user.

        @raise NameTaken: and L{Impossible}.
        """

    def moving(folders: Sequence[Folder], folder: Folder, parent: Folder | None, name: str) -> Arrangement:
        """Plan to move a folder, with those below it, and to give it that name.

        @raise Protected: and L{NameTaken}; L{Impossible} also if C{parent} is the folder or below it.
        """

    def removing(folders: Sequence[Folder], folder: Folder) -> Arrangement:
        """Plan to remove a folder and those below it; what they hold goes to the folder for deleted items, unless
        they are below that.

        @raise Protected: the folder is special.
        """

    def clearing(folders: Sequence[Folder], folder: Folder) -> Arrangement | None:
        """Plan to remove all folders below one for good; C{None} if there are none."""

    def steadily(user: str, work: Callable[[], Awaitable[T]]) -> Deferred[T]:
        """Do the work while the source does not look for the user's folders, and look for them afterwards.

        Fails with L{BackendDown} when the mailbox is not there.
        """


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


class ITriggers(Interface):
    """Lines, and what is kept of each device so that it is knocked neither too often nor too seldom."""

    def lines(user: str | None) -> Deferred[list[Line]]:
        """All lines, or those of one user, sorted by user and device."""

    def lines_of(number: str) -> Deferred[list[Line]]:
        """The lines with that number (E.164 with its plus sign)."""

    def keep_line(line: Line) -> Deferred[None]:
        """Register a line, or change it, durably; a device that was never seen is enrolled."""

    def drop_line(key: DeviceKey) -> Deferred[bool]:
        """End a registration and withdraw what is queued for it; whether there was one."""

    def concerned(folders: Sequence[int]) -> Deferred[list[Concerned]]:
        """The devices with a line whose user owns one of these folders (one read for all of them)."""

    def wakes(keys: Sequence[DeviceKey]) -> Deferred[list[Concerned]]:
        """The same for certain devices with a line, with all folders of their users."""

    def decide(orders: Sequence[Order], now: int) -> Deferred[list[Decided]]:
        """Decide for each device, in one durable transaction that also holds the letters queued.

        For an order with folders the ledger is looked at as for a Ping. A trigger that is still queued for the same
        device is folded into the new one.
        """

    def synced(key: DeviceKey, now: int, rule: WakeRule, lease: int) -> Deferred[Wake | None]:
        """The device has synchronised: a GUID that was told is renewed, durably, what is queued is withdrawn, the
        lease is renewed to C{now + lease} (0: never expires; only if less than 9/10 of it are left), and if a change
        was held back meanwhile a look is due after C{rule.settle}; C{None} for a device without a line."""

    def outside_guid(line: Line, guid: str, now: int, lease: int) -> Deferred[bool]:
        """A trigger of another server came in with this GUID; whether it is new, which means that the device has
        synchronised with that server since the last one, and renews the lease as L{synced} does."""

    def due(now: int, most: int) -> Deferred[list[Concerned]]:
        """The devices whose decision was put off until now at the latest, oldest first, with all folders of their
        users."""

    def next_due() -> Deferred[int | None]:
        """When the next decision is due."""

    def unsure() -> Deferred[list[Concerned]]:
        """At start: the devices with a line whose folders changed after their last decision (C{Wake.numbers})."""

    def parks(wakes: Mapping[DeviceKey, tuple[int, int, bool]]) -> Deferred[list[DeviceKey]]:
        """Note of devices with a line when a park was seen last, how many died young in a row, and whether one
        succeeded, which takes mode C{auto} back to Direct Push; those that were taken back. A loss of power may undo
        it."""

    def late(before: int) -> Deferred[list[tuple[Line, float]]]:
        """Devices whose trigger was delivered before that time and who have not synchronised since, with the time
        of delivery; each trigger is named once."""


class IOutbox(Interface):
    """What has to go out, durable: triggers by SMPP and by SMTP, and the users' own mail."""

    def put(letters: Sequence[Letter]) -> Deferred[list[int]]:
        """Queue letters durably; their numbers. A queued trigger of the same device and route is folded."""

    def take(route: str, now: float, most: int) -> Deferred[list[Letter]]:
        """The oldest letters of a route that are due, marked in doubt (durably, before anything is sent)."""

    def settle(outcomes: Sequence[Outcome], letters: Sequence[Letter] = ()) -> Deferred[None]:
        """Write down what became of letters, and queue others, in one transaction; a receipt that came early is
        applied now. What a mail held is not kept once it was SENT, or FAILED.

        It may also be what a receipt says of a letter that is known; no C{message_id} leaves the one that it has, and
        what said the end of a letter stays.

        DOUBT says that the link broke before the answer came: the letter is queued again for C{Outcome.due} as one
        that was in doubt (C{Letter.doubted}), or is FAILED if it was in doubt before.
        """

    def receive(receipts: Sequence[Receipt]) -> Deferred[list[Letter | None]]:
        """Match receipts with letters, in one durable transaction; C{None} for one that matches nothing yet, which is
        kept for a letter that gets this id within a day. A receipt that was there already changes nothing."""

    def reopen(now: float) -> Deferred[tuple[int, int]]:
        """At start: what is in doubt is queued again in the place where it was, or is FAILED if it was in doubt before,
        with a hop in the trace; how many of each. Mails of users are always queued again: to get one twice is better
        than not at all."""

    def next_due(route: str) -> Deferred[float | None]:
        """When the next queued letter of a route is due."""

    def waiting() -> Deferred[Mapping[str, tuple[int, float]]]:
        """Per route how many letters are queued, and when the oldest was made."""

    def letters(user: str | None, device: str | None, most: int) -> Deferred[list[Letter]]:
        """The newest letters of a device, a user or everybody, newest first; without what mails of users hold."""

    def stuck(route: str, after: float, upto: float, id: int, most: int) -> Deferred[list[Letter]]:
        """The mails of users that were made later than C{after}, up to C{upto}, and have still to go out, in the order
        of their numbers from above C{id} on; each with its first 32 KiB alone."""

    def forget(before: float) -> Deferred[int]:
        """Delete letters whose life is over and that are older than that; how many."""


class IPostings(Interface):
    """Mail that devices hand over to be sent, each only once."""

    def post(posting: Posting) -> Deferred[Posted]:
        """Take a mail: in one durable transaction it is written down that it came, its letters are queued, and the
        original is marked or moved, or the draft removed. One that came before, or that is too much, changes
        nothing."""

    def known(posting: Posting) -> Deferred[bool]:
        """Whether a mail of that name came before."""

    def forget_postings(before: float) -> Deferred[int]:
        """Forget what came before that time; how many."""


class IAbsences(Interface):
    """Who is away, and who was answered."""

    def absence(user: str) -> Deferred[Absence]:
        """Whether a user is away; one who never said so is not."""

    def keep_absence(user: str, absence: Absence) -> Deferred[Absence]:
        """Write it down durably, and give it with its period: a new one, unless the user is not away, or is away as
        before."""

    def first_answer(user: str, period: int, sender: str) -> Deferred[bool]:
        """Note durably that somebody is answered in that period; whether that is to be done: nobody is answered
        twice, and no more than some thousands are answered at all."""


class ITrace(Interface):
    """What happened to each change on its way to each device."""

    def note(hops: Sequence[Hop]) -> Deferred[None]:
        """Append, in one transaction that a loss of power may take back."""

    def read(user: str, device: str | None, after: int, most: int) -> Deferred[list[Hop]]:
        """The hops with a number above C{after}, oldest first; with C{after} negative the newest C{most} of all."""

    def forget_hops(before: float) -> Deferred[int]:
        """Delete hops older than that; how many."""


class IOverrides(Interface):
    """Modes that a command put over the configuration."""

    def overrides() -> Deferred[list[Override]]:
        """All of them."""

    def override(user: str, device: str, override: Override | None) -> Deferred[None]:
        """Set one durably, or take it away; C{device} is empty for the whole user."""


class IDecisions(Interface):
    """What commands have decided of devices."""

    def decisions() -> Deferred[list[Decision]]:
        """All of them, sorted by user and device."""

    def decide(key: DeviceKey, decision: Decision | None) -> Deferred[None]:
        """Write one down durably, in place of an older one, or take it away. It outlives the partnership."""


class ISearchIndex(Interface):
    """The words of the mails, by which they are found. It follows the ledger: what that has and this has not can be
    asked at any time, so that nothing is lost whenever either is stopped."""

    def behind(folders: Sequence[int] | None) -> Deferred[list[int]]:
        """Those of the folders (C{None}: of all, also such as are gone) for which there is something to do."""

    def portions(folders: Sequence[int], most: int) -> Deferred[list[Portion | None]]:
        """What is to be done next for folders, with at most so many items to be put in; C{None}: nothing for that one.

        Of many folders only the first are looked at: there are no more answers than fit into that.
        """

    def put(done: Sequence[tuple[Portion, Sequence[Document]]]) -> Deferred[None]:
        """Portions were done, with what was in their items: write them down, in one transaction. To do so again
        changes nothing."""

    def search(user: str, sought: Sought, offset: int, count: int) -> Deferred[Matches]:
        """The mails of a user in which that is found, so many of them after so many others, the newest first.

        Fails with L{TooSlow}.
        """


class IDiversions(Interface):
    """Conversations that always go to a folder."""

    def divert(diversion: Diversion) -> Deferred[None]:
        """Keep one durably, in place of an older one of the same conversation; a user has some thousand at most."""

    def diverted(asked: Sequence[tuple[str, bytes]]) -> Deferred[dict[tuple[str, bytes], Diversion]]:
        """What is kept of these conversations, each of the user named with it, as far as the folders are there."""
