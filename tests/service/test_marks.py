"""The file beside the database."""

from __future__ import annotations

from pathlib import Path

from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from gateway.model import FolderType, Found, FoundFolder
from gateway.service.marks import MarksFile
from gateway.store import Marks, Store
from tests.stores import new_store, result_of


class MarksFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "pushgw.marks"
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def started(self) -> tuple[MarksFile, Store]:
        """A new database in the folder, with a mail in it, after a start."""
        store = new_store()
        file = MarksFile(self.path, store)
        result_of(file.start())
        ((inbox,), _) = result_of(store.record_hierarchy("ann", [FoundFolder("", "Inbox", FolderType.INBOX)]))
        result_of(store.record({inbox.id: ([Found("one", "", 1)], [])}))
        return file, store

    def warned(self) -> list[str]:
        return [str(event["log_format"]) for event in self.events if event["log_level"].name == "warn"]

    def test_first(self) -> None:
        """Without a file nothing is to be gone behind, and one is made, for nobody else to read."""
        self.started()
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.warned(), [])

    def test_lost(self) -> None:
        """A new database goes on behind what the lost one has given, and the log says so."""
        file, store = self.started()
        result_of(file.note())
        first = result_of(store.marks())
        _, other = self.started()
        second = result_of(other.marks())
        self.assertGreater(second.folder, first.folder)
        self.assertGreater(second.item, first.item)
        (said,) = self.warned()
        self.assertIn("knows less than it did", said)

    def test_restarted(self) -> None:
        """The same database goes on as it did."""
        file, store = self.started()
        result_of(file.note())
        before = result_of(store.marks())
        again = MarksFile(self.path, store)
        result_of(again.start())
        self.assertEqual((result_of(store.marks()), self.warned()), (before, []))

    def test_nothingNew(self) -> None:
        """What has not gone on is not written again."""
        file, _ = self.started()
        result_of(file.note())
        self.path.unlink()
        result_of(file.note())
        self.assertFalse(self.path.exists())

    def test_broken(self) -> None:
        """A file that cannot be read is as good as none, and is replaced."""
        for content in ("", "nonsense", "[]", "{}", '{"folder": "x", "item": 1}', '{"folder": null, "item": 1}'):
            self.path.write_text(content)
            self.started()
            self.assertIn("cannot be read", self.warned()[-1])
            self.assertNotEqual(self.path.read_text(), content)

    def test_draft(self) -> None:
        """A draft that a crash has left behind is no obstacle."""
        self.path.with_suffix(".marks.new").write_text("half")
        self.started()
        self.assertEqual([each.name for each in self.folder.iterdir()], ["pushgw.marks"])

    def test_values(self) -> None:
        """The file holds the ids that were given last."""
        file, store = self.started()
        result_of(file.note())
        self.assertEqual(MarksFile(self.path, store)._read(), result_of(store.marks()))
        self.assertNotEqual(result_of(store.marks()), Marks())
