"""Tests of reading, changing and delivering mails, on a real disk."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import BackendDown, ItemGone
from gateway.model import Intent, IntentKind
from gateway.sources.disk import MailRoot
from gateway.sources.files import INDEXES, MailFiles
from gateway.sources.names import is_message, split, time_in
from tests.sources.mailboxes import Mailboxes, Synced

FLAGS, MOVE, DELETE = IntentKind.FLAGS, IntentKind.MOVE, IntentKind.DELETE


class FileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()).resolve()
        self.path.mkdir()
        self.boxes = Mailboxes(self.path, store=None)
        self.inbox = self.boxes.folder()
        self.trash = self.boxes.folder(".Trash")
        self.files = MailFiles(MailRoot(str(self.path)), "host")

    def names(self, folder: Path | None = None) -> list[str]:
        return sorted(f"{sub}/{name}" for sub in ("new", "cur") for name in os.listdir((folder or self.inbox) / sub))

    def do(self, *intents: Intent) -> tuple[list[int], set[tuple[str, str]]]:
        return self.files.carry_out(intents)


class ReadTests(FileTests):
    def read(self, name: str = "1.h", state: str = "", path: str = "", user: str = "alice") -> bytes:
        return self.files.read(user, path, name, state)

    def test_whereverItIs(self) -> None:
        """A mail is read in new/, in cur/, with the letters the ledger knows, with others, and with none."""
        for name in (
            "new/1.h",
            "cur/1.h:2,",
            "cur/1.h:2,S",
            "cur/1.h:2,DFPRST",
            "cur/1.h",
            "cur/1.h:2,Sab",
            "new/1.h:2,S",
        ):
            file = self.boxes.write(name, text=name)
            self.assertEqual(self.read(state="S"), name.encode())
            file.unlink()

    def test_bytes(self) -> None:
        """The bytes are those of the file, whatever they are."""
        (self.inbox / "new" / "1.h").write_bytes(b"A: \xff\r\n\n\0")
        self.assertEqual(self.read(), b"A: \xff\r\n\n\0")

    def test_gone(self) -> None:
        """A mail that is not there, or whose folder or account is not there, is gone."""
        self.assertRaises(ItemGone, self.read)
        self.assertRaises(ItemGone, self.read, path=".Gone")
        self.assertRaises(ItemGone, self.read, user="nobody")

    def test_baseOnly(self) -> None:
        """A mail whose name only begins alike is another one."""
        self.boxes.write("cur/1.host:2,Sa")
        self.boxes.write("cur/x1.h:2,Sa")
        self.assertRaises(ItemGone, self.read)

    def test_keywordsChange(self) -> None:
        """A mail with keywords is found again after it was renamed, also if the time of the directory hides it."""
        file = self.boxes.write("cur/1.h:2,Sa")
        self.read()
        before = (self.inbox / "cur").stat()
        file.rename(file.with_name("1.h:2,Sb"))
        os.utime(self.inbox / "cur", ns=(before.st_atime_ns, before.st_mtime_ns))
        self.assertEqual(self.read(), b"Subject: x\n\nx\n")

    def test_boundedIndexes(self) -> None:
        """Only the listings of a few folders are kept."""
        for number in range(INDEXES + 3):
            path = f".F{number}"
            self.boxes.folder(path)
            self.boxes.write("cur/1.h:2,Sa", path)
            self.read(path=path)
        self.assertEqual(len(self.files._indexes), INDEXES)

    def test_cannotLeave(self) -> None:
        """No name, path or link leads to a file that is not a mail of that user."""
        secret = self.path / "secret"
        secret.write_text("secret")
        os.symlink(secret, self.inbox / "cur" / "1.h:2,S")
        os.symlink(self.path, self.path / "alice" / ".Link")
        (self.path / "cur").mkdir()
        (self.path / "new").mkdir()
        (self.path / "cur" / "2.h:2,").write_text("secret")
        self.assertRaises(ItemGone, self.read, state="S")
        self.assertRaises(ItemGone, self.read, "2.h", path=".Link")
        self.assertRaises(ItemGone, self.read, "../../secret")
        self.assertRaises(ItemGone, self.read, "secret", path="..")
        self.assertRaises(ItemGone, self.read, "2.h", path=".Trash/../..")
        self.assertRaises(ItemGone, self.read, "2.h", user="..")

    def test_noFile(self) -> None:
        """What has the name of a mail and is none does not hang the reader."""
        os.mkfifo(self.inbox / "new" / "1.h")
        self.assertRaises(ItemGone, self.read)

    def test_unreadable(self) -> None:
        """Trouble of the disk is not the end of the mail."""

        class Broken(MailFiles):
            def _contents(self, user: str, path: str, where: tuple[str, str]) -> bytes:
                raise OSError(errno.EIO, "broken")

        self.boxes.write("new/1.h")
        self.assertRaises(BackendDown, Broken(self.files.root, "host").read, "alice", "", "1.h", "")


class FlagTests(FileTests):
    def flags(self, add: str = "", remove: str = "", name: str = "1.h") -> None:
        self.assertEqual(self.do(Intent(1, "alice", FLAGS, "", name, add, remove)), ([1], set()))

    def test_seen(self) -> None:
        """A mail in new/ that gets a letter goes to cur/."""
        self.boxes.write("new/1.h")
        self.flags("S")
        self.assertEqual(self.names(), ["cur/1.h:2,S"])

    def test_union(self) -> None:
        """Letters that another program set meanwhile, and keywords, stay."""
        self.boxes.write("cur/1.h:2,RTab")
        self.flags("S", "F")
        self.assertEqual(self.names(), ["cur/1.h:2,RSTab"])
        self.flags("F", "S")
        self.assertEqual(self.names(), ["cur/1.h:2,FRTab"])

    def test_twice(self) -> None:
        """Carrying it out again changes nothing."""
        self.boxes.write("new/1.h")
        self.flags("S")
        before = (self.inbox / "cur").stat().st_mtime_ns
        self.flags("S")
        self.assertEqual((self.inbox / "cur").stat().st_mtime_ns, before)

    def test_withoutInfo(self) -> None:
        """A mail in cur/ that has no info gets it."""
        self.boxes.write("cur/1.h")
        self.flags(remove="S")
        self.assertEqual(self.names(), ["cur/1.h:2,"])

    def test_gone(self) -> None:
        """The flags of a mail that is gone are done."""
        self.flags("S")
        self.assertEqual(self.do(Intent(1, "nobody", FLAGS, "", "1.h", "S")), ([1], set()))


class MoveTests(FileTests):
    def move(self, to: str = ".Trash", path: str = "") -> tuple[list[int], set[tuple[str, str]]]:
        return self.do(Intent(4, "alice", MOVE, path, "1.h", to=to, to_name="9.new"))

    def test_read(self) -> None:
        """A mail with letters keeps them in the other folder."""
        self.boxes.write("cur/1.h:2,FSa")
        self.assertEqual(self.move(), ([4], set()))
        self.assertEqual((self.names(), self.names(self.trash)), ([], ["cur/9.new:2,FSa"]))

    def test_new(self) -> None:
        """A mail in new/ stays new in the other folder."""
        self.boxes.write("new/1.h")
        self.move()
        self.assertEqual(self.names(self.trash), ["new/9.new"])

    def test_toInbox(self) -> None:
        """A mail can move to the Inbox."""
        self.boxes.write("cur/1.h:2,S", ".Trash")
        self.move(to="", path=".Trash")
        self.assertEqual(self.names(), ["cur/9.new:2,S"])

    def test_twice(self) -> None:
        """Carrying it out again after a crash is done and changes nothing."""
        self.boxes.write("cur/1.h:2,S")
        self.move()
        self.assertEqual(self.move(), ([4], set()))
        self.assertEqual(self.names(self.trash), ["cur/9.new:2,S"])

    def test_noTarget(self) -> None:
        """No folder is made; the mail stays, and that its folder keeps it is told."""
        self.boxes.write("cur/1.h:2,S")
        self.assertEqual(self.move(to=".Gone"), ([4], {("alice", "")}))
        self.assertEqual(self.names(), ["cur/1.h:2,S"])
        self.assertFalse((self.path / "alice" / ".Gone").exists())

    def test_hostileNames(self) -> None:
        """A target name that leads elsewhere moves nothing."""
        self.boxes.write("cur/1.h:2,S")
        self.do(Intent(4, "alice", MOVE, "", "1.h", to=".Trash", to_name="../../../x"))
        self.do(Intent(5, "alice", MOVE, "", "1.h", to="../bob", to_name="9.h"))
        self.assertEqual(self.names(), ["cur/1.h:2,S"])


class DeleteTests(FileTests):
    def test_deleted(self) -> None:
        """A mail is deleted, and that is done also the second time."""
        self.boxes.write("cur/1.h:2,S")
        for _ in range(2):
            self.assertEqual(self.do(Intent(5, "alice", DELETE, "", "1.h")), ([5], set()))
        self.assertEqual(self.names(), [])


class ManyIntentsTests(FileTests):
    def test_durable(self) -> None:
        """The directories that were changed are written to the disk, each once, before anything counts as done."""
        for name in ("1.h", "2.h", "3.h"):
            self.boxes.write(f"new/{name}")
        synced = Synced(self)
        self.do(
            Intent(1, "alice", FLAGS, "", "1.h", "S"),
            Intent(2, "alice", FLAGS, "", "2.h", "S"),
            Intent(3, "alice", MOVE, "", "3.h", to=".Trash", to_name="9.h"),
        )
        self.assertEqual(sorted(synced), sorted([self.inbox / "new", self.inbox / "cur", self.trash / "new"]))

    def test_inOrder(self) -> None:
        """Intents of the same mail are carried out in their order."""
        self.boxes.write("new/1.h")
        done, _ = self.do(
            Intent(1, "alice", FLAGS, "", "1.h", "S"),
            Intent(2, "alice", FLAGS, "", "1.h", "F", "S"),
            Intent(3, "alice", MOVE, "", "1.h", to=".Trash", to_name="1.h"),
        )
        self.assertEqual(done, [1, 2, 3])
        self.assertEqual(self.names(self.trash), ["cur/1.h:2,F"])

    def test_failed(self) -> None:
        """One that fails is not done, and the others are; it is logged without the name of the mail's contents."""
        self.boxes.write("new/1.h")
        self.boxes.write("new/2.h")

        class Broken(MailFiles):
            def _rename(self, user: str, path: str, where: tuple[str, str], *rest: object) -> None:
                if where[1] == "1.h":
                    raise OSError(errno.EROFS, "read-only")
                super()._rename(user, path, where, *rest)

        done, _ = Broken(self.files.root, "host").carry_out(
            [Intent(1, "alice", FLAGS, "", "1.h", "S"), Intent(2, "alice", FLAGS, "", "2.h", "S")]
        )
        self.assertEqual(done, [2])
        self.assertEqual(self.names(), ["cur/2.h:2,S", "new/1.h"])

    def test_afterAFailure(self) -> None:
        """What is to be done to a mail after something that failed waits for that, also under the mail's new name;
        other mails do not wait."""
        self.boxes.write("cur/1.h:2,")
        self.boxes.write("cur/2.h:2,")
        rename = os.rename

        def refuse(source: str, *args: object, **more: object) -> None:
            if source.startswith("1.h"):
                raise OSError(errno.EDQUOT, "no room")
            rename(source, *args, **more)

        self.patch(os, "rename", refuse)
        intents = (
            Intent(1, "alice", MOVE, "", "1.h", to=".Trash", to_name="3.h"),
            Intent(2, "alice", DELETE, ".Trash", "3.h"),
            Intent(3, "alice", FLAGS, "", "2.h", add="S"),
        )
        self.assertEqual(self.do(*intents), ([3], set()))
        self.patch(os, "rename", rename)
        self.assertEqual(self.do(*intents), ([1, 2, 3], set()))
        self.assertEqual((self.names(), self.names(self.trash)), (["cur/2.h:2,S"], []))

    def test_missedOnce(self) -> None:
        """A mail that is renamed in just the moment in which it is looked for is there all the same."""
        self.boxes.write("cur/1.h:2,S")
        access, asked = os.access, []

        def blink(name: str, *args: object, **more: object) -> bool:
            asked.append(name)
            return len(asked) > 70 and access(name, *args, **more)

        self.patch(os, "access", blink)
        self.patch(os, "listdir", lambda directory: [])
        self.assertEqual(self.files.read("alice", "", "1.h", ""), b"Subject: x\n\nx\n")

    def test_renamedMeanwhile(self) -> None:
        """A mail that another program renames in between is found under its new name."""
        file = self.boxes.write("cur/1.h:2,")

        class Racing(MailFiles):
            def _find(self, *args: object) -> tuple[str, str] | None:
                where = super()._find(*args)
                if file.exists():
                    file.rename(file.with_name("1.h:2,R"))
                return where

        racing = Racing(self.files.root, "host")
        self.assertEqual(racing.carry_out([Intent(1, "alice", FLAGS, "", "1.h", "S")])[0], [1])
        self.assertEqual(self.names(), ["cur/1.h:2,RS"])


class DeliverTests(FileTests):
    def test_delivered(self) -> None:
        """A message lies in new/ under a unique Maildir name, and nothing is left in tmp/."""
        for number in range(3):
            self.files.deliver("alice", b"Subject: %d\r\n\r\n" % number)
        names = os.listdir(self.inbox / "new")
        self.assertEqual(len(names), 3)
        self.assertEqual(os.listdir(self.inbox / "tmp"), [])
        for name in names:
            self.assertTrue(is_message(name) and split(name) == (name, ""))
            self.assertLess(abs((time_in(name, time.time()) or 0) - time.time()), 5)
        self.assertEqual(
            {(self.inbox / "new" / name).read_bytes() for name in names},
            {b"Subject: %d\r\n\r\n" % number for number in range(3)},
        )

    def test_durable(self) -> None:
        """The message and its name are written to the disk, in this order."""
        synced = Synced(self)
        self.files.deliver("alice", b"x")
        (name,) = os.listdir(self.inbox / "new")
        self.assertEqual(list(synced), [self.inbox / "tmp" / name, self.inbox / "new"])

    def test_hostName(self) -> None:
        """Characters of the host name that mean something in a file name are written otherwise."""
        MailFiles(self.files.root, "a/b:c").deliver("alice", b"x")
        (name,) = os.listdir(self.inbox / "new")
        self.assertTrue(name.endswith(".a\\057b\\072c"), name)

    def test_notPossible(self) -> None:
        """What the disk does not take is to be tried again later; nothing is left behind."""
        for user in ("nobody", "../alice", "", "alice/.Trash", "."):
            self.assertRaises(BackendDown, self.files.deliver, user, b"x")
        (self.inbox / "new").rmdir()
        self.assertRaises(BackendDown, self.files.deliver, "alice", b"x")
        self.assertEqual(os.listdir(self.inbox / "tmp"), [])

    def test_cannotLeave(self) -> None:
        """A mailbox whose directories are links gets nothing."""
        os.symlink(self.inbox, self.path / "bob")
        self.assertRaises(BackendDown, self.files.deliver, "bob", b"x")
        self.assertEqual(self.names(), [])


del FileTests
