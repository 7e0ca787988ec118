"""Tests of the reader of inotify, with a real kernel and without a reactor that runs."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.testing import MemoryReactor
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.sources.inotify import (
    CREATE,
    DELETE,
    DELETE_SELF,
    IGNORED,
    ISDIR,
    MOVED_FROM,
    MOVED_TO,
    Q_OVERFLOW,
    READ_SIZE,
    READS_PER_TURN,
    Event,
    IDirectoryEvents,
    Inotify,
    NoEvents,
)
from tests.sources.mailboxes import FedEvents


class InotifyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()).resolve()
        self.path.mkdir()
        self.reactor = MemoryReactor()
        self.inotify = Inotify(self.reactor)
        self.addCleanup(self.inotify.stop)
        self.seen: list[Event] = []
        self.inotify.start(self.seen.extend)

    def watch(self) -> int:
        return self.inotify.watch(str(self.path))

    def test_interfaces(self) -> None:
        """The reader, its fake and its substitute provide what they say."""
        self.assertTrue(verifyObject(IReadDescriptor, self.inotify))
        for events in (self.inotify, FedEvents(), NoEvents(OSError())):
            self.assertTrue(verifyObject(IDirectoryEvents, events))

    def test_onTheReactor(self) -> None:
        """It reads on the reactor from start to stop."""
        self.assertEqual(self.reactor.getReaders(), [self.inotify])
        self.assertGreaterEqual(self.inotify.fileno(), 0)
        self.inotify.stop()
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(self.inotify.fileno(), -1)
        self.inotify.stop()

    def test_files(self) -> None:
        """Names that come and go are seen in order."""
        wd = self.watch()
        (self.path / "a").write_text("")
        (self.path / "a").unlink()
        (self.path / "d").mkdir()
        self.inotify.doRead()
        self.assertEqual(
            self.seen,
            [Event(wd, CREATE, 0, "a"), Event(wd, DELETE, 0, "a"), Event(wd, CREATE | ISDIR, 0, "d")],
        )

    def test_renames(self) -> None:
        """The halves of a rename have one cookie, another one for each rename."""
        (self.path / "a").write_text("")
        self.watch()
        (self.path / "a").rename(self.path / "b")
        (self.path / "b").rename(self.path / "c")
        self.inotify.doRead()
        self.assertEqual([e.mask for e in self.seen], [MOVED_FROM, MOVED_TO] * 2)
        self.assertEqual([e.name for e in self.seen], ["a", "b", "b", "c"])
        first, second, third, fourth = (e.cookie for e in self.seen)
        self.assertTrue(first == second != third == fourth)

    def test_sameDirectory(self) -> None:
        """A directory has one descriptor, also after it was renamed."""
        wd = self.watch()
        self.assertEqual(self.watch(), wd)
        moved = self.path.rename(self.path.with_name("moved"))
        self.assertEqual(self.inotify.watch(str(moved)), wd)

    def test_removed(self) -> None:
        """The end of a watched directory is seen, and taking its watch away then is no error."""
        wd = self.watch()
        self.path.rmdir()
        self.inotify.doRead()
        self.assertEqual([e.mask for e in self.seen], [DELETE_SELF, IGNORED])
        self.inotify.unwatch(wd)

    def test_unwatched(self) -> None:
        """A directory that is no longer watched tells nothing but that."""
        wd = self.watch()
        self.inotify.unwatch(wd)
        (self.path / "a").write_text("")
        self.inotify.doRead()
        self.assertEqual(self.seen, [Event(wd, IGNORED, 0, "")])

    def test_noLinks(self) -> None:
        """A symbolic link, a file and nothing cannot be watched."""
        link = self.path / "link"
        link.symlink_to(self.path)
        (self.path / "file").write_text("")
        for name, number in (("link", errno.ENOTDIR), ("file", errno.ENOTDIR), ("none", errno.ENOENT)):
            with self.assertRaises(OSError) as caught:
                self.inotify.watch(str(self.path / name))
            self.assertEqual(caught.exception.errno, number)

    def test_undecodableName(self) -> None:
        """A name that is not UTF-8 is seen in the form in which Python names files."""
        self.watch()
        os.close(os.open(os.fsencode(self.path) + b"/\xff", os.O_CREAT))
        self.inotify.doRead()
        self.assertEqual(self.seen[0].name, "\udcff")

    def test_drain(self) -> None:
        """Draining hands over all there is; with nothing there it does nothing."""
        self.assertTrue(self.inotify.drain())
        self.watch()
        for number in range(1500):
            os.close(os.open(self.path / f"a-name-of-forty-characters-or-nearly-{number}", os.O_CREAT))
        self.assertTrue(self.inotify.drain())
        self.assertEqual(len(self.seen), 1500)

    def test_boundedTurn(self) -> None:
        """One turn of the reactor reads a bounded number of bytes; the rest is read in the next ones."""
        self.watch()
        each = struct.calcsize("iIII") + 64
        number = READS_PER_TURN * (READ_SIZE // each) + 10
        for n in range(number):
            os.close(os.open(self.path / f"{n:060}", os.O_CREAT))
        self.inotify.doRead()
        self.assertLess(len(self.seen), number)
        self.inotify.doRead()
        self.assertEqual(len(self.seen), number)

    def test_overflow(self) -> None:
        """When the kernel drops events, that is seen."""
        limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        if limit > 65_536:
            raise SkipTest(f"{limit} events would take too long")
        self.watch()
        a, b = self.path / "a", self.path / "b"
        a.write_text("")
        for _ in range(limit // 4 + 2):
            os.rename(a, b)
            os.rename(b, a)
        while not self.inotify.drain():
            pass
        self.assertEqual(len(self.seen), limit + 1)
        self.assertEqual(self.seen[-1], Event(-1, Q_OVERFLOW, 0, ""))

    def test_lost(self) -> None:
        """When the reactor gives it up, it is closed and stays so."""
        self.inotify.connectionLost(Failure(OSError()))
        self.assertEqual(self.inotify.fileno(), -1)
        self.inotify.doRead()
        self.assertTrue(self.inotify.drain())


class NoEventsTests(SynchronousTestCase):
    def test_refuses(self) -> None:
        """Without inotify nothing can be watched, and all else does nothing."""
        events = NoEvents(OSError(errno.EMFILE, "too many"))
        events.start(self.fail)
        with self.assertRaises(OSError) as caught:
            events.watch("/")
        self.assertEqual(caught.exception.errno, errno.EMFILE)
        events.unwatch(1)
        self.assertTrue(events.drain())
        events.stop()
