"""Values of commands that move items between folders, and that make, move and remove folders."""

from __future__ import annotations

from attrs import frozen

from gateway.model import Change, DeviceKey, FoundFolder, Intent

DIVERTED = "diverted"
"""The key of what is kept beside an item (L{gateway.model.Item.extra}) that says that a L{Diversion} has moved it."""


@frozen
class Shift:
    """An item that is to go from one folder to another one of the same user.

    C{diverted}: because of a L{Diversion}, which is kept with the item (L{DIVERTED}), wherever it goes later.
    """

    item: int
    source: int
    target: int
    diverted: bool = False


@frozen
class Moved:
    """What the ledger answers to items that are moved or removed at once.

    C{results}: for each L{Shift} its Status ([MS-ASCMD] 2.2.3.177.10) and the item's id in its new folder, or 0;
    C{intents} and C{changes} as of a L{SyncOutcome}; C{spans} are the Versions that all this took: folder, first, last.
    """

    results: tuple[tuple[int, int], ...] = ()
    intents: tuple[Intent, ...] = ()
    changes: tuple[Change, ...] = ()
    spans: tuple[tuple[int, int, int], ...] = ()


@frozen
class Arrangement:
    """A change of the folders of a user, as a source has planned it; folders are named by their paths.

    C{before} are all folders that there were, C{found} all that there will be. C{main} is the one that it is about,
    where it is afterwards, or, if it is removed, where it was. C{moved} are pairs of paths, before and afterwards;
    what C{removed} folders hold goes to C{trash}, or is deleted if that is C{None}.
    """

    user: str
    before: frozenset[str]
    found: tuple[FoundFolder, ...]
    main: str
    made: tuple[str, ...] = ()
    moved: tuple[tuple[str, str], ...] = ()
    removed: tuple[str, ...] = ()
    trash: str | None = None


@frozen
class Turn:
    """A device's command about its hierarchy: C{key} is its SyncKey, C{digest} tells repeated commands from others."""

    device: DeviceKey
    key: str
    digest: bytes


@frozen
class Arranged:
    """What the ledger answers to an L{Arrangement}.

    C{status} 1, 9 (invalid key), or 0: the folders are no longer those that it was planned on, nothing was done.
    C{key} is the next key of the device; C{folder} the id of the main folder; C{replayed}: it was done before, when
    the same L{Turn} came.
    """

    status: int
    key: str = ""
    folder: int = 0
    intents: tuple[Intent, ...] = ()
    changes: tuple[Change, ...] = ()
    replayed: bool = False


@frozen
class Diversion:
    """A conversation (its id, 16 bytes) of which every mail received since then goes to a folder."""

    user: str
    conversation: bytes
    folder: int
    since: int
