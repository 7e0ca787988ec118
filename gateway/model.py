"""The words of the gateway: values that every room speaks in, without behaviour of their own."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum
from typing import Any

from attrs import field, frozen


class Mode(Enum):
    """How a user's devices are told of a change."""

    OFF = "off"
    DIRECT_PUSH = "direct-push"
    SMS = "sms"
    BOTH = "both"
    AUTO = "auto"


class Ending(Enum):
    """Why a Watch is over; each Watch ends exactly once."""

    CHANGED = "changed"
    EXPIRED = "expired"
    REPLACED = "replaced"
    LOST = "lost"
    RECALLED = "recalled"


class FolderType(IntEnum):
    """[MS-ASCMD] 2.2.3.186.2: the Type of a folder in the hierarchy."""

    GENERIC = 1
    INBOX = 2
    DRAFTS = 3
    DELETED = 4
    SENT = 5
    OUTBOX = 6
    TASKS = 7
    CALENDAR = 8
    CONTACTS = 9
    NOTES = 10
    USER_MAIL = 12
    USER_CALENDAR = 13
    USER_CONTACTS = 14
    USER_TASKS = 15
    USER_NOTES = 17

    @property
    def item_class(self) -> str:
        """The class of the folder's items: Email, Calendar, Contacts, Tasks or Notes."""
        return _CLASSES.get(self, "Email")


_CLASSES = {
    FolderType.TASKS: "Tasks",
    FolderType.USER_TASKS: "Tasks",
    FolderType.CALENDAR: "Calendar",
    FolderType.USER_CALENDAR: "Calendar",
    FolderType.CONTACTS: "Contacts",
    FolderType.USER_CONTACTS: "Contacts",
    FolderType.NOTES: "Notes",
    FolderType.USER_NOTES: "Notes",
}


@frozen(order=True)
class DeviceKey:
    """One partnership: the authenticated user and the lower-cased DeviceId (two accounts may share one)."""

    user: str
    device: str


@frozen
class Change:
    """Something in a folder changed: the folder's id and its new Version, never content.

    C{fresh}: the Version is that of an item just received, which no device has been given and every window shows.
    """

    folder: int
    version: int
    fresh: bool = False


@frozen
class Folder:
    """A folder of the ledger.

    C{id} is the ServerId of the folder, C{path} its name at the source (Maildir++: C{""} is the Inbox,
    C{".Archive.2024"} a folder), C{parent} the id of the parent or 0, C{head} the highest number given,
    C{listed} what the source noted when it last listed the folder completely.
    """

    id: int
    user: str
    path: str
    name: str
    type: FolderType
    parent: int = 0
    head: int = 0
    listed: str = ""


@frozen
class FoundFolder:
    """A folder as the source sees it; C{parent} is the path of the parent or C{None} at the top."""

    path: str
    name: str
    type: FolderType
    parent: str | None = None


@frozen
class Found:
    """An item as the source sees it.

    C{name} never changes while the item stays in its folder; C{state} is what may change (for mail the sorted
    Maildir flag letters); C{received} is in seconds since the epoch and is kept from the first sight.
    """

    name: str
    state: str
    received: int


@frozen
class Item:
    """A live row of the ledger; C{extra} is what the source cannot hold (details of a follow-up flag)."""

    id: int
    folder: int
    name: str
    state: str
    received: int
    number: int
    extra: Mapping[str, Any] = field(factory=dict)


@frozen
class BodyPreference:
    """[MS-ASAIRS] 2.2.2.12: one body format that the client takes; sizes in bytes."""

    type: int
    truncation: int | None = None
    all_or_none: bool = False
    preview: int | None = None


@frozen
class SyncOptions:
    """[MS-ASCMD] 2.2.3.125.5: what a client asked for in Options; sticky per device and folder.

    C{truncation} is the 2.5 scale 0-9, C{mime_truncation} the scale 0-8, C{filter} the FilterType.
    """

    filter: int = 0
    conflict: int = 1
    truncation: int | None = None
    mime_support: int = 0
    mime_truncation: int | None = None
    bodies: tuple[BodyPreference, ...] = ()
    part: BodyPreference | None = None


@frozen
class Amend:
    """A client's change of a mail: letters to set and to clear; C{extra} replaces what is kept beside them.

    C{name}: the mail has another content, which the source holds ready under that name (L{IMailbox.stage}); with
    C{told} the device that has sent it needs to be told of the result too.
    """

    item: int
    add: str = ""
    remove: str = ""
    extra: Mapping[str, Any] | None = None
    name: str = ""
    told: bool = False


@frozen
class Create:
    """A client's new mail: what the client calls it, the name under which the source holds it ready
    (L{IMailbox.stage}), its letters, and what is kept beside them."""

    client: str
    name: str
    state: str = ""
    extra: Mapping[str, Any] | None = None


@frozen
class Remove:
    """A client's deletion of an item."""

    item: int


@frozen
class Result:
    """The outcome of one client command: its index in the request and a Sync item Status; C{item} was created."""

    index: int
    status: int
    item: int = 0


class Op(Enum):
    """What a batch tells the device about an item."""

    ADD = "Add"
    CHANGE = "Change"
    DELETE = "Delete"
    SOFT_DELETE = "SoftDelete"


@frozen
class BatchRow:
    """One line of a batch; C{item} is C{None} for Delete and SoftDelete.

    For a Change C{fields} says what is new to the device: letters of the state and keys of what is kept beside them,
    and never less than that; C{None} means anything.
    """

    op: Op
    id: int
    item: Item | None = None
    fields: frozenset[str] | None = None


class IntentKind(Enum):
    """What the source has still to do so that the files say what the ledger says."""

    FLAGS = "flags"
    MOVE = "move"
    DELETE = "delete"
    FILL = "fill"
    MAKE_FOLDER = "make-folder"
    MOVE_FOLDER = "move-folder"
    REMOVE_FOLDER = "remove-folder"

    @property
    def of_folder(self) -> bool:
        """Whether it is about a folder, not about a mail."""
        return self in (IntentKind.MAKE_FOLDER, IntentKind.MOVE_FOLDER, IntentKind.REMOVE_FOLDER)


@frozen
class Intent:
    """A pending operation on a file or folder, written with the ledger row and struck out when it is done.

    FLAGS: set C{add} and clear C{remove}; MOVE: to folder C{to} (a path of the same user) as C{to_name}; FILL: what is
    held ready under C{name} (L{IMailbox.stage}) appears with the letters C{add}.
    MAKE_FOLDER: the folder C{path}; MOVE_FOLDER: the folder C{path}, without those below it, becomes C{to};
    REMOVE_FOLDER: the folder C{path}, without those below it, and what it holds goes to C{to}, or is deleted if C{to}
    is C{path}.
    """

    id: int
    user: str
    kind: IntentKind
    path: str
    name: str
    add: str = ""
    remove: str = ""
    to: str = ""
    to_name: str = ""


@frozen
class SyncRequest:
    """One collection of a Sync request, as the ledger needs it.

    C{key} is the client's SyncKey; C{digest} tells repeated requests apart from others with the same key;
    C{options} is C{None} when the request has none (the sticky ones apply); C{window} is the largest number of
    changes in the answer (0: only say whether there are more); C{trash} is the folder that deletions move to,
    or C{None} to delete for good; C{now} is wall-clock seconds. C{responds}: the answer will have Responses that the
    ledger knows nothing of (a Fetch, a refused Add), so the key must advance ([MS-ASCMD] 2.2.3.181).
    """

    key: str
    digest: bytes
    now: int
    window: int = 100
    get_changes: bool = True
    options: SyncOptions | None = None
    commands: tuple[Amend | Create | Remove, ...] = ()
    trash: int | None = None
    responds: bool = False


@frozen
class SyncOutcome:
    """What the ledger answers to a collection.

    C{status} 1, 3 (invalid key) or 12 (no such folder of the user); C{key} the key to send;
    C{advanced} tells whether the key is a new one;
    C{results} only of commands that need an answer, each L{Create} among them; C{intents} are to be carried out by the
    source before the answer goes out; C{changes} are to be reported to the Switchboard; C{level} is the folder's
    Version up to which the device lacks nothing once it has the answer, 0 if it will still lack something.
    """

    status: int
    key: str
    advanced: bool = False
    options: SyncOptions = field(factory=SyncOptions)
    results: tuple[Result, ...] = ()
    batch: tuple[BatchRow, ...] = ()
    more: bool = False
    intents: tuple[Intent, ...] = ()
    changes: tuple[Change, ...] = ()
    replayed: bool = False
    level: int = 0


@frozen
class FolderOutcome:
    """What the ledger answers to FolderSync: C{status} 1 or 9, the new key, and what the device lacks."""

    status: int
    key: str
    added: tuple[Folder, ...] = ()
    updated: tuple[Folder, ...] = ()
    deleted: tuple[int, ...] = ()


class Standing(Enum):
    """How a device stands to a folder that it wants watched."""

    SYNCED = "synced"
    UNSYNCED = "unsynced"
    UNKNOWN = "unknown"


@frozen
class Look:
    """What a look at the ledger found for one device and folder.

    C{number}: the folder's Version at that moment; C{news}: something that the device has not been given;
    C{counter}: of the key that was compared with.
    """

    standing: Standing
    number: int = 0
    news: bool = False
    counter: int = 0


@frozen
class Looked:
    """A look at the hierarchy and at the folders of a Ping."""

    hierarchy_folder: int
    hierarchy: Look
    folders: Mapping[int, Look]


#: [MS-ASPROV] 2.2.2.28: elements of a device policy that mean nothing while DevicePasswordEnabled is not set.
PASSWORD_ELEMENTS = frozenset(
    {
        "AlphanumericDevicePasswordRequired",
        "PasswordRecoveryEnabled",
        "MinDevicePasswordLength",
        "MaxInactivityTimeDeviceLock",
        "MaxDevicePasswordFailedAttempts",
        "AllowSimpleDevicePassword",
        "DevicePasswordExpiration",
        "DevicePasswordHistory",
        "MinDevicePasswordComplexCharacters",
    }
)


class WipeState(Enum):
    """[MS-ASPROV] 3.1.5.1: the life of a remote wipe."""

    REQUESTED = "requested"
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"


@frozen
class Wipe:
    """A remote wipe: what it erases, where it stands, who asked for it; times in seconds since the epoch."""

    state: WipeState
    by: str
    requested: int
    account_only: bool = False
    sent: int | None = None
    acknowledged: int | None = None


class Access(Enum):
    """Whether a device may synchronise: in quarantine it waits for somebody to decide."""

    ALLOW = "allow"
    QUARANTINE = "quarantine"
    BLOCK = "block"


@frozen
class Decision:
    """What a command has decided of one device, over all rules; C{at} in seconds since the epoch."""

    key: DeviceKey
    access: Access
    by: str
    at: int


@frozen
class PolicyState:
    """[MS-ASPROV] 3.1.5.1: the policy keys of a partnership; a key is current if its hash is that of the policy.

    C{acknowledged} is the Status the client reported (1 applied, 2 partly, 3 not, 4 externally managed).
    """

    temporary: int = 0
    temporary_hash: str = ""
    key: int = 0
    hash: str = ""
    granted: int = 0
    acknowledged: int = 0


@frozen
class Device:
    """Everything that is kept of a partnership but its sync keys; times in seconds since the epoch.

    C{heartbeat} and C{folders} are the AUTD state: the last accepted Ping parameters.
    C{information} is what the device said of itself ([MS-ASCMD] 2.2.3.45), C{recovery} the password that unlocks it
    when its owner has forgotten the own one (2.2.3.46). C{admitted}: it was let in while new devices are, and stays in
    whatever becomes of later ones; C{told} is the Access that its user was told of by mail, empty if there was nothing
    to tell.
    """

    key: DeviceKey
    type: str = ""
    agent: str = ""
    version: str = ""
    first_seen: int = 0
    last_seen: int = 0
    last_sync: int = 0
    last_ping: int = 0
    heartbeat: int | None = None
    folders: tuple[tuple[int, str], ...] | None = None
    information: Mapping[str, str] = field(factory=dict)
    policy: PolicyState = field(factory=PolicyState)
    wipe: Wipe | None = None
    admitted: bool = False
    told: str = ""
    recovery: str = field(default="", repr=False)
