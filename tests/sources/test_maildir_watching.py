"""Tests of the watches and of what is said when there are not enough of them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from twisted.internet.testing import MemoryReactor
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from gateway.sources import maildir
from gateway.sources.inotify import Inotify, NoEvents
from gateway.sources.maildir import directory_events
from gateway.sources.place import Place
from gateway.sources.watching import TOP, WAITING, Account, Watches
from tests.sources.mailboxes import FedEvents


class WatchesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()).resolve()
        self.limit = self.path / "limit"
        self.account = Account("alice")
        self.events = FedEvents()
        self.watches = Watches(self.events, self.limit)
        self.place = Place("alice", "")
        self.owner = (self.account, self.place, "new")
        for name in ("a", "b", "c"):
            (self.path / name).mkdir(parents=True)
        self.limit.write_text("1000\n")

    def add(self, name: str, before: int = 0) -> int:
        return self.watches.add(self.owner, str(self.path / name), before)

    def report(self) -> list[str]:
        with capturedLogs() as events:
            self.watches.report()
        return [formatEvent(event) for event in events]

    def test_added(self) -> None:
        """A descriptor stands for its owner until it is dropped."""
        wd = self.add("a")
        self.assertEqual(self.watches.owner(wd), self.owner)
        self.watches.drop(wd, self.owner)
        self.assertIsNone(self.watches.owner(wd))
        self.assertEqual(self.events.watched, {})

    def test_otherOwner(self) -> None:
        """A descriptor that is somebody else's by now is not dropped."""
        wd = self.add("a")
        renamed = (self.account, Place("alice", ".A"), "new")
        self.watches.add(renamed, str(self.path / "a"))
        self.watches.drop(wd, self.owner)
        self.assertEqual(self.watches.owner(wd), renamed)

    def test_replaced(self) -> None:
        """When another directory has the path, the watch of the old one is given back."""
        wd = self.add("a")
        (self.path / "a").rename(self.path / "old")
        (self.path / "b").rename(self.path / "a")
        new = self.add("a", wd)
        self.assertNotIn(new, (0, wd))
        self.assertEqual(list(self.events.watched), [new])

    def test_ignored(self) -> None:
        """A watch that the kernel took away is nobody's; its folder has to be compared, and all are watched anew."""
        self.place.stale = False
        self.place.watches = (self.add("a"), self.watches.add((self.account, self.place, "cur"), str(self.path / "b")))
        self.account.top = self.watches.add((self.account, None, TOP), str(self.path))
        self.account.waiting = {".W": self.watches.add((self.account, None, WAITING), str(self.path / "c"))}
        new, cur = self.place.watches
        for wd in (new, self.account.top, self.account.waiting[".W"]):
            self.assertIs((self.watches.ignored(wd) or [None])[0], self.account)
            self.assertIsNone(self.watches.owner(wd))
        self.assertEqual((self.place.watches, self.place.stale), ((0, cur), True))
        self.assertEqual((self.account.top, self.account.waiting), (0, {}))
        self.assertIsNone(self.watches.ignored(new))

    def test_missing(self) -> None:
        """What is not there is not watched, without a word."""
        with capturedLogs() as events:
            self.assertEqual(self.add("none"), 0)
        self.assertEqual(events, [])

    def test_unwatchable(self) -> None:
        """Another reason is logged, once for a directory."""

        def refuse(path: str) -> None:
            raise PermissionError(errno.EACCES, "no")

        self.events.watching = refuse
        with capturedLogs() as events:
            self.add("a")
            self.add("a")
        self.assertEqual([event["log_level"] for event in events], [LogLevel.error])

    def test_limit(self) -> None:
        """When the kernel refuses, no more is asked for, and the log names the sysctl with a value that suffices."""
        self.limit.write_text("2")
        self.events.capacity = 2
        first = self.add("a")
        self.add("b")
        self.assertEqual((self.add("c"), self.add("c")), (0, 0))
        self.assertEqual(self.add("a", first), first)
        (text,) = self.report()
        self.assertIn("2 in use, 2 refused, fs.inotify.max_user_watches is 2.", text)
        self.assertIn("sysctl -w fs.inotify.max_user_watches=8 ", text)
        self.assertEqual(self.report(), [])

    def test_tryAgain(self) -> None:
        """When watches are to be had again, they are taken."""
        self.events.capacity = 1
        self.add("a")
        self.assertEqual(self.add("b"), 0)
        self.events.capacity = 2
        self.assertEqual(self.add("b"), 0)
        self.watches.try_again()
        self.assertNotEqual(self.add("b"), 0)

    def test_near(self) -> None:
        """Before the limit is reached it is said that it is near."""
        self.limit.write_text("3")
        self.add("a")
        self.add("b")
        self.assertEqual(self.report(), [])
        self.add("c")
        self.assertEqual(len(self.report()), 1)

    def test_unknownLimit(self) -> None:
        """A system that does not tell its limit is warned of when the kernel refuses."""
        os.unlink(self.limit)
        self.add("a")
        self.assertEqual(self.report(), [])
        self.events.capacity = 0
        self.add("b")
        self.assertIn("max_user_watches is unknown", self.report()[0])

    def test_withoutInotify(self) -> None:
        """Without inotify nothing is watched, and nothing is said of the number of watches."""
        watches = Watches(NoEvents(), self.limit)
        self.assertEqual(watches.add(self.owner, str(self.path / "a")), 0)
        with capturedLogs() as events:
            watches.report()
        self.assertEqual(events, [])


class DirectoryEventsTests(SynchronousTestCase):
    def test_inotify(self) -> None:
        """Where there is inotify it is used."""
        events = directory_events(MemoryReactor())
        self.addCleanup(events.stop)
        self.assertIsInstance(events, Inotify)

    def test_none(self) -> None:
        """Where there is none left, that is logged with what to set, and directory times are looked at instead."""

        def none(reactor: object) -> None:
            raise OSError(errno.EMFILE, "Too many open files")

        self.patch(maildir, "Inotify", none)
        with capturedLogs() as events:
            self.assertIsInstance(directory_events(MemoryReactor()), NoEvents)
        self.assertIn("fs.inotify.max_user_instances", formatEvent(events[0]))
