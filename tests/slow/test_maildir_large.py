"""The Maildir source with large mailboxes, and with many."""

from __future__ import annotations

import os
import time
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import LoopingCall, deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from gateway.sources.maildir import MaildirOptions, MaildirSource, directory_events
from gateway.store import open_store
from gateway.testing import Reports

MAILS = 100_000
ACCOUNTS = 300


def mailbox(account: Path, mails: int) -> None:
    """An Inbox with so many mails, of which nothing changed for long."""
    for sub in ("new", "cur", "tmp"):
        (account / sub).mkdir(parents=True)
    directory = os.open(account / "cur", os.O_RDONLY)
    for number in range(mails):
        name = f"17{number:08}.M{number}P1.host.example.org:2,S"
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=directory))
    os.close(directory)
    for sub in ("new", "cur"):
        os.utime(account / sub, (time.time() - 100, time.time() - 100))


class LargeTests(TestCase):
    timeout = 300

    def setUp(self) -> None:
        self.path = Path(self.mktemp()).resolve()
        self.path.mkdir(parents=True)
        self.store = open_store(f"sqlite:///{self.path}/ledger.sqlite", deferToThread)
        self.users: list[str] = []
        self.longest = 0.0
        self._beat = time.monotonic()

    async def tearDown(self) -> None:
        if self.source.running:
            await self.source.stopService()
        self.store.close()

    def beat(self) -> None:
        now = time.monotonic()
        self.longest = max(self.longest, now - self._beat)
        self._beat = now

    async def start(self) -> float:
        """Start a new source; the seconds of CPU until everything is compared."""
        self.source = MaildirSource(
            str(self.path),
            self.store,
            Reports(),
            reactor,
            deferToThread,
            lambda: self.users,
            directory_events(reactor),
            MaildirOptions(create=False),
        )
        beats = LoopingCall(self.beat)
        self.longest, self._beat = 0.0, time.monotonic()
        done = beats.start(0.02)
        before = time.process_time()
        self.source.startService()
        await self.source.whenStarted()
        beats.stop()
        await done
        return time.process_time() - before

    async def again(self) -> float:
        await self.source.stopService()
        return await self.start()

    async def test_largeFolder(self) -> None:
        """100,000 mails in a folder are found while the reactor lives, not listed again, and one more is seen at once."""
        self.users = ["alice"]
        mailbox(self.path / "alice", MAILS)
        await self.start()
        (inbox,) = await self.store.folders("alice")
        self.assertEqual(inbox.head, MAILS)
        self.assertLess(self.longest, 2.0)
        seconds = await self.again()
        self.assertEqual(self.source.recorder.listings, 0)
        self.assertLess(seconds, 1.0)
        (self.path / "alice" / "new" / "1800000000.h").write_text("x")
        before = time.process_time()
        while (await self.store.folders("alice"))[0].head == MAILS:
            await deferLater(reactor, 0.01)
        self.assertLess(time.process_time() - before, 1.0)

    async def test_manyAccounts(self) -> None:
        """The start of many accounts of which nothing changed costs little for each, whatever they hold."""
        self.users = [f"user{number}" for number in range(ACCOUNTS)]
        for user in self.users:
            mailbox(self.path / user, 100)
        await self.start()
        self.assertEqual(len(await self.store.everything()), ACCOUNTS)
        seconds = await self.again()
        self.assertEqual(self.source.recorder.listings, 0)
        self.assertLess(seconds / ACCOUNTS, 0.005)
