"""What is left in C{tmp} goes after a while."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import BackendDown
from gateway.model import Create, FolderType, FoundFolder, SyncRequest
from gateway.sources.sweeping import DRAFT, OLD, OLD_DRAFT
from gateway.store import Store
from tests.sources.mailboxes import DEVICE, USER, Mailboxes


class SweepTests(SynchronousTestCase):
    """A mailbox with an Inbox and a folder for drafts, in whose C{tmp} there are files."""

    def setUp(self) -> None:
        self.boxes = Mailboxes(Path(self.mktemp()).resolve())
        self.inbox, self.drafts = self.boxes.folder(), self.boxes.folder(".Drafts")
        self.source = self.boxes.source()
        self.source.startService()
        self.addCleanup(lambda: self.successResultOf(self.source.stopService()))
        self.boxes.turn()

    def left(self, folder: Path) -> list[str]:
        return sorted(os.listdir(folder / "tmp"))

    def put(self, folder: Path, *names: str) -> None:
        for name in names:
            (folder / "tmp" / name).write_text("Subject: half")

    def sweep(self, age: float) -> None:
        """Look for what is left, so many seconds later."""
        self.boxes.age = age
        self.successResultOf(self.source.sweep())

    def test_old(self) -> None:
        """A file that nobody has touched for 36 hours goes, a draft after an hour; a younger one stays."""
        for folder in (self.inbox, self.drafts):
            self.put(folder, "other", f"ours{DRAFT}")
        self.sweep(OLD_DRAFT - 60)
        self.assertEqual(self.left(self.inbox), ["other", f"ours{DRAFT}"])
        self.sweep(OLD_DRAFT + 60)
        self.assertEqual((self.left(self.inbox), self.left(self.drafts)), (["other"], ["other"]))
        self.sweep(OLD + 60)
        self.assertEqual((self.left(self.inbox), self.left(self.drafts)), ([], []))

    def test_setBack(self) -> None:
        """A file whose time was set back is as old as that makes it: not at all."""
        self.put(self.inbox, "appended")
        os.utime(self.inbox / "tmp" / "appended", (1, 1))
        self.sweep(60)
        self.assertEqual(self.left(self.inbox), ["appended"])

    def test_wanted(self) -> None:
        """A draft that is in the ledger and could not appear yet is kept, however long that takes."""
        folders, _ = self.successResultOf(
            self.boxes.store.record_hierarchy(
                USER,
                [
                    FoundFolder("", "Inbox", FolderType.INBOX),
                    FoundFolder(".Drafts", "Drafts", FolderType.DRAFTS),
                ],
            )
        )
        drafts = next(folder for folder in folders if folder.path == ".Drafts")
        for name in ("kept", "dropped"):
            self.successResultOf(self.source.stage(USER, ".Drafts", f"{name}{DRAFT}", b"Subject: x\n\n"))
        key = self.successResultOf(self.boxes.store.sync(DEVICE, drafts.id, SyncRequest("0", b"0", 1_700_000_000))).key
        request = SyncRequest(key, b"1", 1_700_000_000, commands=(Create("c1", f"kept{DRAFT}"),))
        outcome = self.successResultOf(self.boxes.store.sync(DEVICE, drafts.id, request))
        self.sweep(OLD + 60)
        self.assertEqual(self.left(self.drafts), [f"kept{DRAFT}"])
        self.successResultOf(self.source.carry_out(outcome.intents))
        self.assertEqual(self.left(self.drafts), [])

    def test_leavesOthers(self) -> None:
        """What is no file stays, and so does what is in other directories; a folder without C{tmp} is no trouble."""
        (self.inbox / "tmp" / "directory").mkdir()
        (self.inbox / "tmp" / "link").symlink_to(self.inbox / "new")
        self.boxes.write("new/1700000001.M1.h")
        (self.drafts / "tmp").rmdir()
        self.sweep(OLD + 60)
        self.assertEqual(self.left(self.inbox), ["directory", "link"])
        self.assertEqual(len(os.listdir(self.inbox / "new")), 1)

    def test_ledgerDown(self) -> None:
        """As long as the ledger does not say what is wanted, nothing goes."""
        self.put(self.inbox, "other")
        self.patch(Store, "pending", lambda store: fail(BackendDown("away")))
        self.boxes.age = OLD + 60
        self.failureResultOf(self.source.sweep(), BackendDown)
        self.assertEqual(self.left(self.inbox), ["other"])
