"""How a mailbox is watched, as the doctor asks."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from gateway.sources.inotify import NoEvents
from gateway.sources.maildir import MaildirOptions, MaildirSource
from gateway.sources.watching import Coverage
from tests.sources.mailboxes import USER, FedEvents, Mailboxes

RESCAN = 30.0


class CoverageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.boxes = Mailboxes(Path(self.mktemp()))
        self.boxes.folder()
        self.boxes.folder(".Work")
        self.boxes.folder(".Play")

    def start(self, **instead: object) -> MaildirSource:
        source = self.boxes.source(MaildirOptions(create=False, rescan=RESCAN), **instead)
        source.startService()
        self.addCleanup(lambda: self.successResultOf(source.stopService()))
        source.watches.limit = self.limit = Path(self.mktemp())
        self.limit.write_text("40\n")
        self.boxes.turn()
        return source

    def test_watched(self) -> None:
        """All is watched; nothing is said of a mailbox that nobody looks after."""
        source = self.start()
        self.assertEqual(source.coverage(USER), Coverage(limit=40))
        self.assertEqual(source.coverage("nobody"), Coverage(limit=40))

    def test_limit(self) -> None:
        """The folders for which the kernel had no watch are counted, until it has."""
        self.boxes.events.capacity = 3
        source = self.start()
        self.assertEqual(source.coverage(USER), Coverage(False, 2, 40))
        self.boxes.events.capacity = 100
        self.boxes.turn(RESCAN)
        self.assertEqual(source.coverage(USER), Coverage(limit=40))

    def test_noInotify(self) -> None:
        """Without inotify the kernel watches no directory."""
        self.assertEqual(self.start(events=NoEvents()).coverage(USER), Coverage(False, 3, 0))

    def test_missing(self) -> None:
        """A mailbox that has gone away is missing, and nothing else is said of it."""
        self.boxes.events = FedEvents()
        source = self.start()
        self.boxes.rename(self.boxes.path / USER, self.boxes.path / "elsewhere")
        source.surveyor.survey(source.surveyor.accounts[USER])
        self.boxes.turn()
        self.assertEqual(source.coverage(USER), Coverage(True, 0, 40))
