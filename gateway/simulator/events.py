"""What an onlooker of a phone is told of."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from zope.interface import Interface

from gateway.simulator.collection import SyncNews
from gateway.simulator.line import Account


@frozen
class Connected:
    """The server was asked what it speaks: the version chosen, and all that it offers."""

    version: str
    offered: tuple[str, ...]


@frozen
class Provisioned:
    """The policy was applied; C{key} 0 when the server has none for this phone."""

    key: int


@frozen
class HierarchySynced:
    """FolderSync is done: how many folders there are, and whether anything changed."""

    folders: int
    changed: bool


@frozen
class FolderSynced:
    """A Sync of a folder is done."""

    id: str
    name: str
    news: SyncNews


@frozen
class Parked:
    """A Ping, or a Sync that hangs, was sent: heartbeat in seconds, number of folders, whether it was empty."""

    heartbeat: int
    folders: int
    empty: bool


@frozen
class PingAnswered:
    """It was answered after C{waited} seconds; C{folders} are the ServerIds of Status 2, of a Sync those of which the
    server has more."""

    status: int
    waited: float
    folders: tuple[str, ...]


@frozen
class HeartbeatMoved:
    """The next heartbeat is another one, in seconds; C{settled}: no longer one will be tried on this network."""

    before: int
    after: int
    settled: bool


@frozen
class Woken:
    """A Ping or a trigger announced changes, or it was time to look, and the folders named were synchronised.

    C{waited}: seconds that the Ping was parked or the trigger held for others to come; counts of items; C{latency}:
    seconds from when the oldest new mail was sent (L{PhoneItem.sent}) to the end of the Sync, C{None} if no new mail
    says when.
    """

    folders: tuple[str, ...]
    waited: float
    added: int
    changed: int
    deleted: int
    latency: float | None

    @classmethod
    def of(cls, news: Sequence[tuple[str, SyncNews]], waited: float, now: float) -> Woken:
        """What Syncs brought, by name of the folder; C{now} in seconds since the epoch."""
        ages = [now - item.sent for _, one in news for item in one.added.values() if item.sent is not None]
        return cls(
            folders=tuple(dict.fromkeys(name for name, _ in news)),
            waited=waited,
            added=sum(len(one.added) for _, one in news),
            changed=sum(len(one.changed) for _, one in news),
            deleted=sum(len(one.deleted) for _, one in news),
            latency=max(0.0, max(ages)) if ages else None,
        )


@frozen
class Texted:
    """An SMS came in: the GUID in it, empty if it is no trigger, and whether it tells of news."""

    guid: str
    news: bool


@frozen
class Hitch:
    """Something failed that the phone mends by itself; C{wait} is after how many seconds it goes on."""

    why: str
    wait: float


@frozen
class NetworkChanged:
    """The phone has another network, and begins its heartbeats anew."""


@frozen
class Erased:
    """A remote wipe was acknowledged, and the phone is empty; C{kind} is the element that asked for it."""

    kind: str


@frozen
class Stepped:
    """A step of a script is done, or begun in the C{background}: number and number of all, what it is and is about.

    C{http} 0: there is no answer; C{status} as the step takes it, empty if there is none; C{seconds} that it took;
    counts of items; C{wrong}: what was not as expected, empty if all was.
    """

    number: int
    steps: int
    name: str
    about: str = ""
    http: int = 0
    status: str = ""
    seconds: float = 0.0
    added: int = 0
    changed: int = 0
    deleted: int = 0
    background: bool = False
    wrong: tuple[str, ...] = ()


Event = (
    Connected
    | Provisioned
    | HierarchySynced
    | FolderSynced
    | Parked
    | PingAnswered
    | HeartbeatMoved
    | Woken
    | Texted
    | Hitch
    | NetworkChanged
    | Erased
    | Stepped
)


class IOnlooker(Interface):
    """Who watches phones; one may watch any number of them."""

    def happened(account: Account, event: Event) -> None:
        """Something happened to the phone of that account, just now. Must not raise."""
