"""The stand-ins that we offer for tests keep the contracts of the real ones."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.interfaces import BackendDown, IReporter
from gateway.model import Change, Found
from gateway.sources.maildir import MaildirSource
from gateway.testing import MemoryMailbox, Reports
from tests.contract.mailbox import RAW, MailboxContract
from tests.sources.mailboxes import FedEvents
from tests.stores import new_store


class MemoryMailboxTests(MailboxContract, SynchronousTestCase):
    def setUp(self) -> None:
        self.mailbox = MemoryMailbox()

    def put(self, path: str, name: str, raw: bytes, state: str) -> None:
        self.mailbox.put("ann", path, name, raw, state)

    def mails(self, path: str) -> dict[str, tuple[bytes, str]]:
        return {name: (mail.raw, mail.state) for name, mail in self.mailbox.folder("ann", path).items()}

    def test_failure(self) -> None:
        """Every call fails with what it is told to fail with."""
        self.put("", "m1", RAW, "")
        self.mailbox.failure = BackendDown("no disk")
        calls = (self.read("", "m1", ""), self.mailbox.carry_out([]), self.mailbox.deliver("ann", RAW))
        for call in calls:
            self.failureResultOf(call, BackendDown)

    def test_found(self) -> None:
        """The mails of a folder can be reported to a ledger, and what was read is on record."""
        self.put("", "m1", RAW, "S")
        self.assertEqual(self.mailbox.found("ann", "", 5), [Found("m1", "S", 5)])
        self.read("", "m1", "S")
        self.assertEqual(self.mailbox.reads, ["m1"])


class MaildirSourceTests(MailboxContract, SynchronousTestCase):
    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        for path in ("ann", "ann/.Trash"):
            for sub in ("cur", "new", "tmp"):
                (self.root / path / sub).mkdir(parents=True)
        self.mailbox = MaildirSource(
            str(self.root), new_store(), Reports(), Clock(), execute, lambda: ["ann"], FedEvents()
        )
        self.mailbox.startService()

    def put(self, path: str, name: str, raw: bytes, state: str) -> None:
        (self.root / "ann" / path / "cur" / f"{name}:2,{state}").write_bytes(raw)

    def mails(self, path: str) -> dict[str, tuple[bytes, str]]:
        found = sorted(file for sub in ("cur", "new") for file in (self.root / "ann" / path / sub).iterdir())
        parts = [(file, *file.name.partition(":2,")) for file in found]
        return {name: (file.read_bytes(), letters) for file, name, _, letters in parts}


class ReportsTests(SynchronousTestCase):
    def test_interface(self) -> None:
        """It provides L{IReporter}, and keeps what it is told."""
        reports = Reports()
        self.assertTrue(verifyObject(IReporter, reports))
        reports.changed(Change(5, 7))
        self.assertEqual(reports.changes, [Change(5, 7)])
