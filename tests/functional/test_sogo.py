"""The simulated phone against a server that others wrote: SOGo."""

from __future__ import annotations

import time

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from gateway.simulator import events
from gateway.simulator.connection import Connections, HTTPLine, Route
from gateway.simulator.device import Device, Outcome
from gateway.simulator.errors import SignInRefused
from gateway.simulator.heartbeat import Heartbeat, HeartbeatSet
from gateway.simulator.line import Account
from gateway.simulator.synchroniser import Habits
from gateway.simulator.trust import TrustAnyone
from tests.functional.sogo import PASSWORD, USER, missing, running
from tests.simulator.toy import Notes


class SogoTests(TestCase):
    """One SOGo for all tests: starting it takes seconds."""

    skip = missing()
    timeout = 120

    def setUp(self) -> None:
        self.sogo = running()

    def phone(self, version: str, password: str = PASSWORD, compact: bool = False) -> Device:
        account = Account(USER, password, f"TEST{version.replace('.', '')}{'B' if compact else ''}")
        self.notes = Notes()
        connections = Connections(Route(reactor, TrustAnyone()))
        self.addCleanup(connections.close)
        line = HTTPLine(account, self.sogo.url, connections.agent, reactor, compact)
        heartbeat = Heartbeat(HeartbeatSet.fixed(60))
        return Device(account, line, reactor, self.notes, heartbeat, habits=Habits(version=version))

    async def until(self, condition) -> None:
        for _ in range(6000):
            if condition():
                return
            await deferLater(reactor, 0.01)
        self.fail(f"it never came to that: {self.notes.events}")

    def quiet(self) -> bool:
        """The phone has been parked for a second."""
        return isinstance(self.notes.events[-1], events.Parked)

    async def story(self, version: str, compact: bool = False) -> None:
        """Synchronise, park, be woken, carry out commands on the new mail."""
        phone = self.phone(version, compact=compact)
        done = phone.start()
        await self.until(lambda: self.notes.of(events.Parked))
        # SOGo announces what the first Sync has brought once more.
        await deferLater(reactor, 1)
        await self.until(self.quiet)
        self.sogo.deliver(f"sent={time.time():.6f} for {version}")
        await self.until(lambda: any(event.added for event in self.notes.of(events.Woken)))
        woken = next(event for event in self.notes.of(events.Woken) if event.added)
        self.assertLess(woken.latency, 60)
        folder = next(folder for folder in phone.memory.folders.values() if folder.type == 2)
        item = next(id for id, item in folder.items.items() if item.subject.endswith(f"for {version}"))
        await phone.mark_read(folder.id, item)
        await phone.delete(folder.id, item)
        self.assertNotIn(item, folder.items)
        phone.stop()
        self.assertIs(await done, Outcome.STOPPED)

    async def test_oldest(self) -> None:
        """A phone of 2.5 is woken by SOGo."""
        await self.story("2.5")

    async def test_middle(self) -> None:
        """A phone of 12.1 is woken by SOGo."""
        await self.story("12.1")

    async def test_newest(self) -> None:
        """A phone of 14.1 is woken by SOGo."""
        await self.story("14.1")

    async def test_compactQuery(self) -> None:
        """SOGo understands our base64 queries."""
        await self.story("14.0", compact=True)

    async def test_refused(self) -> None:
        """SOGo refuses a wrong password, and the phone says so."""
        with self.assertRaises(SignInRefused):
            await self.phone("14.1", "wrong").start()
