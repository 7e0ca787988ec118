"""The parts of a running gateway, made from its configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from gateway.admin.orders import Orders
from gateway.config import Config
from gateway.core.heartbeat import HeartbeatWindow
from gateway.core.partnerships import Partnerships
from gateway.core.policy import Policy
from gateway.core.switchboard import Claim, Ended, Switchboard
from gateway.cred.accounts import Accounts
from gateway.cred.addresses import AddressBook
from gateway.cred.authenticator import Authenticator
from gateway.cred.verifier import Verifier
from gateway.eas.access import Entry
from gateway.eas.autodiscover import Autodiscover
from gateway.eas.dispatch import Dispatcher
from gateway.eas.estimate import GetItemEstimate
from gateway.eas.gate import Rules
from gateway.eas.http import DeviceSite, TrustedProxies
from gateway.eas.notify import Notify
from gateway.eas.parked import Parking
from gateway.eas.sending import Sending
from gateway.eas.sync import Sync
from gateway.interfaces import IReporter
from gateway.metrics import Metrics
from gateway.model import Change
from gateway.service.admitting import Doorkeeper
from gateway.service.indexing import Indexer
from gateway.service.knocking import Knocking
from gateway.service.marks import MarksFile
from gateway.service.posting import OurAddresses
from gateway.service.trusting import TrustFile
from gateway.sources.maildir import MaildirSource
from gateway.sources.smtpin import Post
from gateway.store import Store
from gateway.tls import ServerContext


@define(eq=False)
class Pools:
    """The threads: for the database, for files and conversion, and for passwords."""

    reactor: Any
    sizes: dict[str, int]
    _pools: dict[str, ThreadPool] = field(init=False, factory=dict)

    def start(self) -> None:
        """Start all of them."""
        for name, size in self.sizes.items():
            pool = self._pools[name] = ThreadPool(1, size, name)
            pool.start()

    def run(self, name: str) -> Any:
        """A function that runs another in a thread of that pool and returns a Deferred."""
        return partial(deferToThreadPool, self.reactor, self._pools[name])

    async def stop(self) -> None:
        """Let all of them finish what they have begun."""
        for pool in self._pools.values():
            done: Deferred[None] = Deferred()
            self.reactor.callInThread(self._stop, pool, done)
            await done

    def _stop(self, pool: ThreadPool, done: Deferred[None]) -> None:
        pool.stop()
        self.reactor.callFromThread(done.callback, None)


@define(eq=False)
class Parts:
    """Everything that one gateway consists of, but the listeners."""

    config: Config
    reactor: Any
    metrics: Metrics
    pools: Pools
    store: Store
    partnerships: Partnerships
    board: Switchboard
    policy: Policy
    window: HeartbeatWindow
    rules: Rules
    accounts: Accounts
    addresses: AddressBook
    autodiscover: Autodiscover
    trust: TrustFile
    verifier: Verifier
    authenticator: Authenticator
    context: ServerContext
    source: MaildirSource
    parking: Parking
    sync: Sync
    estimate: GetItemEstimate
    notify: Notify
    dispatcher: Dispatcher
    proxies: TrustedProxies
    site: DeviceSite
    orders: Orders
    sending: Sending
    ours: OurAddresses
    post: Post
    knocking: Knocking
    doorkeeper: Doorkeeper
    marks: MarksFile
    indexer: Indexer | None


@implementer(IReporter)
@define(eq=False)
class Reporter:
    """Counts Changes on their way to the Waker and then to the Switchboard: in this order the Waker sees which parked
    requests they end. C{others} hear of them afterwards."""

    board: IReporter
    waker: IReporter
    metrics: Metrics
    others: list[IReporter] = field(factory=list)

    def changed(self, *changes: Change) -> None:
        """Pass Changes on."""
        self.metrics.changes.inc(len(changes))
        self.waker.changed(*changes)
        self.board.changed(*changes)
        for other in self.others:
            other.changed(*changes)


def counted(metrics: Metrics, entry: Entry, http: int, seconds: float) -> None:
    """Count a request that was answered."""
    # A Sync says how each collection fared; in that order there would be a counter for each that a client thinks up.
    kinds = str(entry.fields.get("St", "-")).split(",")
    status = "".join(sorted(set(kinds)))
    metrics.requests.labels(entry.command, http, status).inc()
    # How long a request was parked says nothing of how long it took.
    if entry.command != "Ping" and "Pt" not in entry.fields:
        metrics.seconds.labels(entry.command).observe(seconds)


def ended(metrics: Metrics, noted: Iterable[Callable[[Claim, Ended], None]], claim: Claim, end: Ended) -> None:
    """Count a Watch that ended, and have it noted how it fared."""
    for note in noted:
        note(claim, end)
    metrics.endings.labels(end.ending.value).inc()
