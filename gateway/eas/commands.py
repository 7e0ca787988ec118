"""The commands of ActiveSync: their names, codes, roots, and the protocol versions that have them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attrs import frozen

from gateway.eas.call import Version


@frozen
class Entry:
    """A command: its code in the base64 query and the tag of its root, where it has one; first and last version."""

    name: str
    code: int | None
    root: str | None
    first: Version
    last: Version


# Name, code ([MS-ASHTTP] 2.2.1.1.1.1.2), page of the root, first version, last version; a dash stands for none.
# Commands without a code can be named by the plain query only.
_TABLE = """
    Sync              0   AirSync            2.5   16.1
    SendMail          1   ComposeMail        2.5   16.1
    SmartForward      2   ComposeMail        2.5   16.1
    SmartReply        3   ComposeMail        2.5   16.1
    GetAttachment     4   -                  2.5   12.1
    GetHierarchy      -   -                  2.5   12.1
    CreateCollection  -   -                  2.5   16.1
    DeleteCollection  -   -                  2.5   16.1
    MoveCollection    -   -                  2.5   16.1
    FolderSync        9   FolderHierarchy    2.5   16.1
    FolderCreate      10  FolderHierarchy    2.5   16.1
    FolderDelete      11  FolderHierarchy    2.5   16.1
    FolderUpdate      12  FolderHierarchy    2.5   16.1
    MoveItems         13  Move               2.5   16.1
    GetItemEstimate   14  GetItemEstimate    2.5   16.1
    MeetingResponse   15  MeetingResponse    2.5   16.1
    Search            16  Search             2.5   16.1
    Settings          17  Settings           12.0  16.1
    Ping              18  Ping               2.5   16.1
    ItemOperations    19  ItemOperations     12.0  16.1
    Provision         20  Provision          2.5   16.1
    ResolveRecipients 21  ResolveRecipients  2.5   16.1
    ValidateCert      22  ValidateCert       2.5   16.1
    Find              23  Find               16.1  16.1
    Notify            -   AirNotify          2.5   2.5
"""


def version_of(text: str) -> Version:
    """The version that C{"14.1"} names.

    @raise ValueError: it is none of ours.
    """
    major, _, minor = text.partition(".")
    return Version(int(major) * 10 + int(minor))


def _entry(name: str, code: str, page: str, first: str, last: str) -> Entry:
    return Entry(
        name,
        None if code == "-" else int(code),
        None if page == "-" else f"{page}:{name}",
        version_of(first),
        version_of(last),
    )


COMMANDS: Mapping[str, Entry] = MappingProxyType(
    {entry.name: entry for entry in (_entry(*row.split()) for row in _TABLE.strip().splitlines())}
)
"""Every command by its name, in the order in which they are listed to clients."""

NAMES: Mapping[int, str] = MappingProxyType(
    {entry.code: entry.name for entry in COMMANDS.values() if entry.code is not None}
)
"""The names of the commands by their codes."""


def root_of(command: str) -> str | None:
    """The tag of the root of a command, or C{None} if it has none or is not known."""
    entry = COMMANDS.get(command)
    return None if entry is None else entry.root
