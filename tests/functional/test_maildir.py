"""The Maildir source on the real inotify, the real reactor, threads and a SQLite file."""

from __future__ import annotations

import errno
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest, TestCase
from zope.interface import implementer

from gateway.interfaces import IReporter
from gateway.model import Change
from gateway.sources import disk
from gateway.sources.disk import SUBS
from gateway.sources.inotify import IDirectoryEvents, NoEvents
from gateway.sources.maildir import MaildirOptions, MaildirSource, directory_events
from gateway.sources.names import split, state_of
from gateway.store import open_store

USER = "alice"
OPTIONS = MaildirOptions(settle=0.05, rescan=0.3)


@implementer(IReporter)
@define(eq=False)
class Reports:
    """What was reported, and when."""

    changes: list[tuple[float, Change]] = field(factory=list)

    def changed(self, *changes: Change) -> None:
        self.changes.extend((time.monotonic(), change) for change in changes)


def on_disk(folder: Path) -> dict[str, str]:
    """Name to state of the mails that lie in a folder."""
    return {split(f.name)[0]: state_of(f.name) for sub in ("new", "cur") for f in (folder / sub).iterdir()}


def make_folder(folder: Path) -> Path:
    """Make a folder as a mail program does."""
    for sub in SUBS:
        (folder / sub).mkdir(parents=True)
    return folder


def deliver(folder: Path, name: str, state: str | None = None) -> Path:
    """Deliver a mail as a mail program does."""
    (folder / "tmp" / name).write_text("Subject: x\n\nx\n")
    return (folder / "tmp" / name).rename(
        folder / "new" / name if state is None else folder / "cur" / f"{name}:2,{state}"
    )


class MaildirTests(TestCase):
    timeout = 60

    async def setUp(self) -> None:
        self.path = Path(self.mktemp()).resolve()
        self.mail = self.path / USER
        self.reports = Reports()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.store = open_store(f"sqlite:///{self.path}.sqlite", deferToThread)
        await self.start()

    def events(self) -> IDirectoryEvents:
        return directory_events(reactor)

    async def start(self) -> None:
        self.source = MaildirSource(
            str(self.path),
            self.store,
            self.reports,
            reactor,
            deferToThread,
            lambda: [USER],
            self.events(),
            OPTIONS,
        )
        self.source.startService()
        await self.source.whenStarted()

    async def stop(self) -> None:
        await self.source.stopService()

    async def tearDown(self) -> None:
        if self.source.running:
            await self.stop()
        self.store.close()

    async def ledger(self) -> dict[str, dict[str, str]]:
        """Path to name to state of everything that the ledger has."""
        return {folder.path: await self.store.listing(folder.id) for folder in await self.store.folders(USER)}

    async def until(self, promised: Callable[[dict[str, dict[str, str]]], bool], seconds: float = 20) -> None:
        """Wait until the ledger is as promised."""
        end = time.monotonic() + seconds
        while not promised(await self.ledger()):
            if time.monotonic() > end:
                self.fail(f"the ledger never came to be as promised: {await self.ledger()}")
            await deferLater(reactor, 0.01)

    async def until_inbox(self, states: dict[str, str]) -> None:
        await self.until(lambda ledger: ledger[""] == states)

    async def looked(self) -> None:
        """Wait for what the source does before a stop that it could not do at the stop."""

    def age(self) -> None:
        """Have all directories look as if nothing had happened to them for long."""
        for directory, _, _ in os.walk(self.mail):
            os.utime(directory, (time.time() - 100, time.time() - 100))

    async def test_life(self) -> None:
        """A mail is delivered, read, flagged, moved and deleted, and keeps its id as long as it stays in its folder."""
        file = deliver(self.mail, "1.h")
        await self.until_inbox({"1.h": ""})
        (before,) = await self.store.items(USER, range(100))
        file = file.rename(self.mail / "cur" / "1.h:2,S")
        await self.until_inbox({"1.h": "S"})
        file = file.rename(self.mail / "cur" / "1.h:2,FS")
        await self.until_inbox({"1.h": "FS"})
        (after,) = await self.store.items(USER, range(100))
        self.assertEqual(after.id, before.id)
        file = file.rename(self.mail / ".Trash" / "cur" / "1.h:2,FS")
        await self.until(lambda ledger: (ledger[""], ledger[".Trash"]) == ({}, {"1.h": "FS"}))
        file.unlink()
        await self.until(lambda ledger: ledger[".Trash"] == {})

    async def test_ownDelivery(self) -> None:
        """A mail delivered by the source itself is reported."""
        self.reports.changes.clear()
        await self.source.deliver(USER, b"Subject: x\r\n\r\n")
        await self.until(lambda ledger: len(ledger[""]) == 1)
        self.assertEqual(len(self.reports.changes), 1)

    async def test_folders(self) -> None:
        """Folders that are made, renamed with those below them, and removed are seen with their mails."""
        make_folder(self.mail / ".A")
        deliver(make_folder(self.mail / ".A.B"), "1.h", "S")
        await self.until(lambda ledger: ledger.get(".A.B") == {"1.h": "S"})
        (self.mail / ".A").rename(self.mail / ".Z")
        (self.mail / ".A.B").rename(self.mail / ".Z.B")
        deliver(self.mail / ".Z.B", "2.h")
        await self.until(lambda ledger: ledger.get(".Z.B") == {"1.h": "S", "2.h": ""} and ".A" not in ledger)
        folders = {folder.path: folder for folder in await self.store.folders(USER)}
        self.assertEqual(folders[".Z.B"].parent, folders[".Z"].id)
        shutil.rmtree(self.mail / ".Z.B")
        await self.until(lambda ledger: ".Z.B" not in ledger)
        deliver(self.mail, "3.h")
        await self.until_inbox({"3.h": ""})

    async def test_overflow(self) -> None:
        """When more happens at once than the kernel keeps, everything is found nevertheless."""
        limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        if limit > 65_536:
            raise SkipTest(f"{limit} events would take too long")
        deliver(self.mail, "1.h", "S")
        deliver(self.mail, "2.h", "S")
        await self.until_inbox({"1.h": "S", "2.h": "S"})
        file = self.mail / "cur" / "1.h:2,S"
        for _ in range(limit // 4 + 1):
            file = file.rename(self.mail / "cur" / "1.h:2,FS").rename(self.mail / "cur" / "1.h:2,S")
        file.rename(self.mail / "cur" / "1.h:2,R")
        (self.mail / "cur" / "2.h:2,S").unlink()
        deliver(make_folder(self.mail / ".New"), "3.h")
        await self.until(lambda ledger: ledger[""] == {"1.h": "R"} and ledger.get(".New") == {"3.h": ""})
        self.assertGreaterEqual(self.source.observer.overflows, 1)
        self.flushLoggedErrors()

    async def test_restart(self) -> None:
        """Changes made while the gateway is down are found at the start, and only what changed is listed."""
        for number in range(5):
            deliver(self.mail, f"{number}.h")
        await self.until(lambda ledger: len(ledger[""]) == 5)
        self.age()
        await self.looked()
        await self.stop()
        await self.start()
        self.assertEqual(self.source.recorder.listings, 0)
        await self.stop()
        deliver(self.mail, "9.h", "S")
        (self.mail / "new" / "1.h").unlink()
        await self.start()
        self.assertEqual(self.source.recorder.listings, 1)
        await self.until_inbox({"0.h": "", "2.h": "", "3.h": "", "4.h": "", "9.h": "S"})

    async def test_accountRemoved(self) -> None:
        """A mailbox that is removed and made again is looked after again."""
        deliver(self.mail, "1.h")
        await self.until_inbox({"1.h": ""})
        shutil.rmtree(self.mail)
        await deferLater(reactor, 0.3)
        deliver(make_folder(self.mail), "2.h")
        await self.until_inbox({"2.h": ""})

    async def test_storm(self) -> None:
        """After thousands of random changes, made as quickly as a program can, the ledger is what the disk is."""
        folders = [self.mail, self.mail / ".Sent", make_folder(self.mail / ".A")]
        await deferToThread(self.storm, random.Random(4711), folders, 6000)
        await self.until(lambda ledger: self.is_on_disk(ledger, folders))
        self.assertEqual(set(await self.ledger()), {"", ".Sent", ".A", ".Drafts", ".Junk", ".Trash"})

    async def test_stormAndRestarts(self) -> None:
        """Whatever happens while the source runs, starts, stops and is down: no folder is believed to be unchanged
        that is not. (Directories count as settled after a twentieth of a second here.)"""
        self.patch(disk, "SETTLED", 0.05)
        folders = [self.mail, self.mail / ".Sent", make_folder(self.mail / ".A")]
        chance = random.Random(815)
        for _ in range(12):
            changing = deferToThread(self.bursts, random.Random(chance.random()), folders)
            for _ in range(3):
                await deferLater(reactor, chance.random() * 0.15)
                await self.stop()
                await deferLater(reactor, chance.random() * 0.05)
                await self.start()
            await changing
            await self.until(lambda ledger: self.is_on_disk(ledger, folders))

    def bursts(self, chance: random.Random, folders: list[Path]) -> None:
        for _ in range(8):
            self.storm(chance, folders, 12)
            time.sleep(chance.random() * 0.12)

    def is_on_disk(self, ledger: dict[str, dict[str, str]], folders: list[Path]) -> bool:
        names = {folder: folder.name if folder != self.mail else "" for folder in folders}
        return all(ledger.get(name) == on_disk(folder) for folder, name in names.items())

    def storm(self, chance: random.Random, folders: list[Path], changes: int) -> None:
        files = [file for folder in folders for sub in ("new", "cur") for file in sorted((folder / sub).iterdir())]
        for number in range(changes):
            what = chance.random()
            if what < 0.4 or not files:
                name = f"{number}.{chance.randrange(1_000_000)}.h"
                files.append(deliver(chance.choice(folders), name, chance.choice([None, "", "S"])))
                continue
            file = files.pop(chance.randrange(len(files)))
            if what < 0.7:
                letters = chance.choice(["", "S", "FS", "R", "RSab"])
                files.append(file.rename(file.parent.parent / "cur" / f"{split(file.name)[0]}:2,{letters}"))
            elif what < 0.85:
                files.append(file.rename(chance.choice(folders) / "cur" / f"{split(file.name)[0]}:2,S"))
            elif what < 0.99:
                file.unlink()
            else:
                files.append(file)
                folder = folders[2].rename(folders[2].with_name(".B")).rename(folders[2])
                self.assertEqual(folder, folders[2])


class UnwatchedTests(MaildirTests):
    """The same where the kernel has no inotify to give: everything is seen by directory times."""

    def events(self) -> IDirectoryEvents:
        return NoEvents(OSError(errno.EMFILE, "none left"))

    async def looked(self) -> None:
        await deferLater(reactor, 3 * OPTIONS.rescan)

    async def test_overflow(self) -> None:
        """There is nothing that could overflow: folders are looked at again and again."""
        await deferLater(reactor, 3 * OPTIONS.rescan)
        self.assertEqual(self.source.observer.overflows, 0)
        self.assertEqual(len(self.source.watches), 0)
