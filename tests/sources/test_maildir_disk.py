"""Tests of the directories of mailboxes, on a real disk."""

from __future__ import annotations

import os
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from gateway.model import Found
from gateway.sources.disk import SETTLED, MailRoot, Stamp
from tests.sources.mailboxes import Mailboxes, Synced


class DiskTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()).resolve()
        self.path.mkdir()
        self.boxes = Mailboxes(self.path, store=None)
        self.now = time.time()
        self.root = MailRoot(str(self.path), now=lambda: self.now)

    def paths(self) -> list[str]:
        return [one.path for one in self.root.survey("alice") or [] if one.complete]


class PrepareTests(DiskTests):
    def test_makesEverything(self) -> None:
        """A new account gets an Inbox and all special folders, each with its three directories."""
        self.assertTrue(self.root.prepare("alice", make=True, anew=True))
        self.assertEqual(self.paths(), ["", ".Drafts", ".Junk", ".Sent", ".Trash"])
        for path in self.paths():
            self.assertTrue((self.path / "alice" / path / "tmp").is_dir())
        self.assertTrue((self.path / "alice" / ".Sent" / "maildirfolder").is_file())
        self.assertEqual((self.path / "alice").stat().st_mode & 0o777, 0o700)

    def test_durable(self) -> None:
        """What is made is on disk: each directory in which something was made, and nothing when nothing was."""
        synced = Synced(self)
        self.root.prepare("alice", make=True, anew=True)
        account = self.path / "alice"
        self.assertEqual(set(synced), {self.path, account, *(account / path for path in self.paths())})
        synced.clear()
        self.root.prepare("alice", make=True, anew=True)
        self.assertEqual(list(synced), [])

    def test_makesTheRoot(self) -> None:
        """The mail root itself is made too."""
        root = MailRoot(str(self.path / "some" / "mail"))
        self.assertTrue(root.prepare("alice", make=True, anew=True))

    def test_keepsWhatIsThere(self) -> None:
        """A special folder under another conventional name is not made a second time."""
        self.boxes.folder()
        self.boxes.folder(".Deleted Items")
        self.root.prepare("alice", make=True, anew=True)
        self.assertEqual(self.paths(), ["", ".Deleted Items", ".Drafts", ".Junk", ".Sent"])

    def test_completes(self) -> None:
        """An account whose making was interrupted is completed."""
        (self.path / "alice" / "cur").mkdir(parents=True)
        self.root.prepare("alice", make=True, anew=True)
        self.assertIn("", self.paths())

    def test_makesNothing(self) -> None:
        """Without leave to make folders nothing is made."""
        self.assertFalse(self.root.prepare("alice", make=False, anew=True))
        self.boxes.folder()
        self.assertTrue(self.root.prepare("alice", make=False, anew=True))
        self.assertEqual(self.paths(), [""])

    def test_notAnew(self) -> None:
        """Neither the directory nor the Inbox of an account that was there before is made again."""
        self.assertFalse(self.root.prepare("alice", make=True, anew=False))
        (self.path / "alice").mkdir()
        self.root.prepare("alice", make=True, anew=False)
        self.assertEqual(os.listdir(self.path / "alice"), [])
        self.boxes.folder()
        self.root.prepare("alice", make=True, anew=False)
        self.assertIn(".Sent", self.paths())

    def test_hostileUsers(self) -> None:
        """A user name that leads elsewhere makes nothing and has nothing."""
        for user in ("../elsewhere", "..", "", ".", "a/b", "/tmp/x"):
            self.assertFalse(self.root.prepare(user, make=True, anew=True), user)
            self.assertIsNone(self.root.survey(user), user)
        self.assertEqual(os.listdir(self.path), [])


class SurveyTests(DiskTests):
    def test_folders(self) -> None:
        """Folders are the directories whose names begin with a dot; incomplete ones are told apart."""
        self.boxes.folder()
        self.boxes.folder(".A")
        self.boxes.folder("sieve")
        (self.path / "alice" / ".B" / "cur").mkdir(parents=True)
        (self.path / "alice" / ".file").write_text("x")
        found = {one.path: one.complete for one in self.root.survey("alice") or []}
        self.assertEqual(found, {"": True, ".A": True, ".B": False})

    def test_identity(self) -> None:
        """A folder that was swapped for another one of the same name has another identity."""
        self.boxes.folder()
        first = self.boxes.folder(".A")
        second = self.boxes.folder(".B")
        before = {one.path: one.identity for one in self.root.survey("alice") or []}
        first.rename(first.with_name(".C"))
        second.rename(first)
        after = {one.path: one.identity for one in self.root.survey("alice") or []}
        self.assertEqual((after[".C"], after[".A"]), (before[".A"], before[".B"]))

    def test_missing(self) -> None:
        """An account without a directory is not one without folders."""
        self.assertIsNone(self.root.survey("alice"))

    def test_symbolicLinks(self) -> None:
        """Folders and directories that are symbolic links are none, and the account's only where that is allowed."""
        bob = self.boxes.folder(user="bob")
        self.boxes.folder()
        (self.path / "alice" / ".Bob").symlink_to(bob)
        half = self.path / "alice" / ".Half"
        half.mkdir()
        (half / "new").symlink_to(bob / "new")
        (half / "cur").symlink_to(bob / "cur")
        self.assertEqual(self.paths(), [""])
        (self.path / "carol").symlink_to(bob)
        self.assertIsNone(self.root.survey("carol"))
        allowed = MailRoot(str(self.path), links=True)
        self.assertEqual([one.path for one in allowed.survey("carol") or []], [""])


class CompareTests(DiskTests):
    def setUp(self) -> None:
        super().setUp()
        self.inbox = self.boxes.folder()

    def found(self, known: dict[str, str]) -> tuple[list[Found], list[str]]:
        difference = self.root.compare("alice", "", known)
        assert difference is not None
        return sorted(difference.found, key=lambda found: found.name), list(difference.gone)

    def test_differences(self) -> None:
        """New mails, other states and missing mails are found, and what is the same is not."""
        self.boxes.write("new/1700000001.h")
        self.boxes.write("cur/1700000002.h:2,S")
        self.boxes.write("cur/1700000003.h:2,FSa")
        found, gone = self.found({"1700000003.h": "FS", "1700000002.h": "", "1700000004.h": "S"})
        self.assertEqual(found, [Found("1700000001.h", "", 1_700_000_001), Found("1700000002.h", "S", 1_700_000_002)])
        self.assertEqual(gone, ["1700000004.h"])

    def test_oldFile(self) -> None:
        """A mail imported with its old date was received then."""
        file = self.boxes.write("cur/1700000001.h:2,S")
        os.utime(file, (1_200_000_000, 1_200_000_000))
        self.assertEqual(self.found({})[0], [Found("1700000001.h", "S", 1_200_000_000)])

    def test_noMails(self) -> None:
        """Directories, links, dot files and the files of Dovecot are no mails."""
        (self.inbox / "cur" / "dir").mkdir()
        (self.inbox / "cur" / ".dot").write_text("x")
        (self.inbox / "cur" / "dovecot-uidlist").write_text("x")
        (self.inbox / "cur" / "1.link:2,S").symlink_to("/etc/passwd")
        os.mkfifo(self.inbox / "new" / "1.fifo")
        self.assertEqual(self.found({}), ([], []))

    def test_inBoth(self) -> None:
        """A mail that is seen in new/ and in cur/ while it moves is one mail, with the state of cur/."""
        self.boxes.write("new/1700000001.h")
        self.boxes.write("cur/1700000001.h:2,S")
        self.assertEqual([f.state for f in self.found({})[0]], ["S"])

    def test_folderMissing(self) -> None:
        """A folder that is not there is not an empty one."""
        self.assertIsNone(self.root.compare("alice", ".Gone", {"1.h": ""}))
        (self.inbox / "new").rmdir()
        self.assertIsNone(self.root.compare("alice", "", {"1.h": ""}))

    def test_lookAtVanished(self) -> None:
        """A mail that is gone again when it is looked at is left out."""
        self.boxes.write("new/1700000001.h")
        found = self.root.look("alice", "", [("1.x", "new", "1.x"), ("1700000001.h", "new", "1700000001.h")])
        self.assertEqual([f.name for f in found], ["1700000001.h"])
        self.assertEqual(self.root.look("alice", ".Gone", [("1.x", "new", "1.x")]), [])


class StampTests(DiskTests):
    def stamp(self) -> Stamp:
        (stamp,) = self.root.stamps([("alice", "")])
        assert stamp is not None
        return stamp

    def test_differs(self) -> None:
        """Every change in new/ or cur/ gives another note, one in tmp/ or to the contents of a mail does not."""
        inbox = self.boxes.folder()
        for sub in ("new", "cur", "tmp"):
            os.utime(inbox / sub, (1_700_000_000, 1_700_000_000))
        notes = [self.stamp().note]
        for name in ("new/1.h", "cur/1.h:2,"):
            self.boxes.write(name)
            notes.append(self.stamp().note)
        (inbox / "tmp" / "x").write_text("x")
        (inbox / "new" / "1.h").write_text("y")
        self.assertEqual(len(set(notes)), 3)
        self.assertEqual(self.stamp().note, notes[-1])

    def test_setBack(self) -> None:
        """A change gives another note, though the time of the directory is set to what it was before."""
        inbox = self.boxes.folder()
        os.utime(inbox / "new", (1_700_000_000, 1_700_000_000))
        before = self.stamp().note
        self.boxes.write("new/1.h")
        os.utime(inbox / "new", (1_700_000_000, 1_700_000_000))
        self.assertNotEqual(self.stamp().note, before)

    def test_settled(self) -> None:
        """A folder that changed less than two seconds ago may change again without a sign of it."""
        inbox = self.boxes.folder()
        os.utime(inbox / "new", (1_700_000_000, 1_700_000_000))
        self.now = (inbox / "cur").stat().st_mtime + SETTLED - 0.1
        self.assertFalse(self.stamp().settled)
        self.now += 0.2
        self.assertTrue(self.stamp().settled)
        self.now = 1_600_000_000
        self.assertFalse(self.stamp().settled)

    def test_missing(self) -> None:
        """A folder that is not there has no stamp."""
        self.boxes.folder()
        self.assertEqual(self.root.stamps([("alice", ".Gone"), ("nobody", "")]), [None, None])


del DiskTests
