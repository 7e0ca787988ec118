"""One simulated phone at the terminal: what the command line asked for, its life, and what is printed of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import click
from attrs import asdict, define, field, frozen
from twisted.internet.address import IPv4Address
from twisted.internet.base import ReactorBase
from twisted.internet.endpoints import HostnameEndpoint, TCP4ServerEndpoint
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from gateway.commands.texting import Exchange, Texting
from gateway.simulator import events
from gateway.simulator.autdv1 import TextedDevice
from gateway.simulator.connection import Connections, HTTPLine, Route
from gateway.simulator.device import Device, Outcome
from gateway.simulator.heartbeat import Heartbeat, HeartbeatSet
from gateway.simulator.journal import Journal, describe
from gateway.simulator.line import Account
from gateway.simulator.memory import Memory, MemoryFile
from gateway.simulator.network import Carrier, Network
from gateway.simulator.synchroniser import Habits


@frozen
class Settings:
    """What the command line asked for; times in seconds. C{texting}: the phone is woken by SMS."""

    url: str
    account: Account
    habits: Habits
    heartbeats: HeartbeatSet
    trust: IPolicyForHTTPS
    compact: bool = False
    carrier: Carrier | None = None
    texting: Texting | None = None
    wakeups: int | None = None
    duration: float | None = None
    state: MemoryFile | None = None
    as_json: bool = False
    verbose: bool = False


@implementer(events.IOnlooker)
@define(eq=False)
class Console:
    """Prints wake-ups (or, as JSON, every event), and calls C{enough} when there were as many as asked.

    C{trouble}: why there was no answer from the server, empty if there was one, or nothing was asked.
    """

    _settings: Settings
    _enough: Callable[[], object]
    _journal: Journal | None
    wakeups: int = field(init=False, default=0)
    trouble: str = field(init=False, default="")
    _answered: bool = field(init=False, default=False)

    def happened(self, account: Account, event: events.Event) -> None:
        """See L{events.IOnlooker}."""
        if self._journal is not None:
            self._journal.happened(account, event)
        self._reach(event)
        if self._settings.as_json:
            click.echo(json.dumps({"event": type(event).__name__.lower(), "time": time.time(), **_fields(event)}))
        elif isinstance(event, events.Erased):
            click.echo(describe(event))
        if isinstance(event, events.Woken) and event.added + event.changed + event.deleted:
            self._count(event)

    def _reach(self, event: events.Event) -> None:
        """Tell of the first try without an answer; who has had one is a phone out of coverage, and nothing special."""
        if isinstance(event, events.Hitch) and not self._answered:
            if not self.trouble and self._journal is None and not self._settings.as_json:
                click.echo(
                    f"No answer yet: {event.why.rstrip('.')}. Trying again and again; -v shows each time.", err=True
                )
            self.trouble = event.why
        elif not isinstance(event, events.Hitch | events.Parked | events.HeartbeatMoved | events.NetworkChanged):
            self._answered, self.trouble = True, ""

    def _count(self, event: events.Woken) -> None:
        """A wake-up that brought something."""
        if not self._settings.as_json:
            click.echo(describe(event))
        self.wakeups += 1
        if self.wakeups == self._settings.wakeups:
            self._enough()


def _fields(event: events.Event) -> dict[str, Any]:
    """An event as JSON shows it; of what a Sync brought, the new items and counts."""
    if not isinstance(event, events.FolderSynced):
        return asdict(event)
    added = {id: asdict(item) for id, item in event.news.added.items()}
    counts = {"changed": len(event.news.changed), "deleted": len(event.news.deleted), "more": event.news.more}
    return {"id": event.id, "name": event.name, "added": added, **counts}


class Short(Exception):
    """The time was over before there were as many wake-ups as asked, or before the server gave an answer."""


async def run(settings: Settings, reactor: ReactorBase) -> Outcome:
    """The life of one phone as the command line asked for it.

    @raise GivenUp: nothing helps. @raise Short: too few wake-ups came, or no answer. @raise ValueError: the state file
        is wrong.
    """
    memory = Memory() if settings.state is None else settings.state.load()
    network, detours = await carried(settings, reactor)
    console = Console(
        settings,
        # Not at once: the phone that tells of its wake-up has still to come to rest.
        lambda: reactor.callLater(0, phone.stop),
        Journal(lambda line: click.echo(line, err=True), time.time) if settings.verbose else None,
    )
    connections = Connections(Route(reactor, settings.trust, detours))
    line = HTTPLine(settings.account, settings.url, connections.agent, reactor, settings.compact)
    phone, exchange = _phone(settings, line, reactor, console, memory)
    if exchange is not None:
        await exchange.start()
    if network is not None:
        network.on_change(phone.network_changed)
    if settings.duration is not None:
        reactor.callLater(settings.duration, phone.stop)
    outcome = await phone.start()
    await connections.close()
    if exchange is not None:
        await exchange.stop()
    if network is not None:
        await network.stop()
    if outcome is Outcome.STOPPED and console.trouble:
        raise Short(f"the server gave no answer: {console.trouble}")
    if outcome is Outcome.STOPPED and console.wakeups < (settings.wakeups or 0):
        raise Short(f"{console.wakeups} of {settings.wakeups} wake-ups in {settings.duration:g} s")
    return outcome


def _phone(
    settings: Settings, line: HTTPLine, reactor: ReactorBase, console: Console, memory: Memory
) -> tuple[Device | TextedDevice, Exchange | None]:
    """The phone of the kind that was asked for, and what its SMS come by."""
    keep = None if settings.state is None else settings.state.save
    if settings.texting is None:
        heartbeat = Heartbeat(settings.heartbeats)
        return Device(settings.account, line, reactor, console, heartbeat, memory, settings.habits, keep), None
    phone = TextedDevice(
        settings.account,
        line,
        reactor,
        console,
        settings.texting.coalesce,
        settings.texting.schedule,
        memory,
        settings.habits,
        keep,
    )
    return phone, Exchange(settings.texting, phone, reactor)


async def carried(
    settings: Settings, reactor: ReactorBase
) -> tuple[Network | None, dict[tuple[str, int], tuple[str, int]]]:
    """The carrier in front of the server, if one was asked for, and how to go by it."""
    if settings.carrier is None:
        return None, {}
    parts = urlsplit(settings.url)
    server = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    network = Network(settings.carrier, reactor, HostnameEndpoint(reactor, *server))
    port = await network.start(TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"))
    address = port.getHost()
    assert isinstance(address, IPv4Address)
    return network, {server: (address.host, address.port)}
