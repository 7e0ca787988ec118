"""Tests of folders that devices make, move and remove: the plans, the directories, and the source between them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gateway.arrangement import Arranged, Arrangement, Turn
from gateway.interfaces import BackendDown, Impossible, ItemGone, NameTaken, Protected
from gateway.model import Folder, Intent, IntentKind
from gateway.sources import arranging
from gateway.sources.arranging import encoded
from gateway.sources.disk import MailRoot
from gateway.sources.files import MailFiles
from gateway.sources.folders import decoded, hierarchy, is_folder_name
from gateway.sources.maildir import MaildirOptions, MaildirSource
from tests.sources.mailboxes import DEVICE, USER, Mailboxes, Synced

M1, M2 = "1700000001.M1.h", "1700000002.M2.h"
SPECIAL = ("", ".Drafts", ".Junk", ".Sent", ".Trash")


def folders(*paths: str) -> list[Folder]:
    """The folders of a mailbox with these directories, as the ledger would have them."""
    ids: dict[str, int] = {}
    made = []
    for number, found in enumerate(hierarchy(paths), 1):
        ids[found.path] = number
        made.append(Folder(number, USER, found.path, found.name, found.type, ids.get(found.parent or "-", 0)))
    for number, found in enumerate(hierarchy(paths)):
        if found.parent is not None:
            one = made[number]
            made[number] = Folder(one.id, USER, one.path, one.name, one.type, ids[found.parent])
    return made


class NameTests(SynchronousTestCase):
    """Names as parts of directory names."""

    def test_plain(self) -> None:
        """Printable ASCII stays as it is, but for what has a meaning there."""
        self.assertEqual(encoded("Old stuff, 2024 (a-b)~"), "Old stuff, 2024 (a-b)~")
        self.assertEqual(encoded("R&D"), "R&-D")

    def test_shifted(self) -> None:
        """What is not ASCII is modified UTF-7 (RFC 3501 5.1.3), and so are dots and slashes, which separate."""
        self.assertEqual(encoded("Entw\xfcrfe"), "Entw&APw-rfe")
        self.assertEqual(encoded("\u65e5\u672c\u8a9e"), "&ZeVnLIqe-")
        self.assertEqual(encoded("v1.2"), "v1&AC4-2")
        self.assertEqual(encoded("a/b"), "a&AC8-b")
        self.assertEqual(encoded("\xfc&\xfc"), "&APw-&-&APw-")

    @given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40))
    def test_backAgain(self, name: str) -> None:
        """Devices see the name again that they gave, and the directory has one level."""
        part = encoded(name)
        self.assertEqual(decoded(part), name)
        self.assertNotIn(".", part)
        self.assertNotIn("/", part)
        self.assertTrue(part.isascii())


class PlanTests(SynchronousTestCase):
    """Plans, made of names alone."""

    def setUp(self) -> None:
        self.folders = folders(*SPECIAL, ".Work", ".Work.Sub", ".Work.Sub.Deep", ".Home")

    def at(self, path: str) -> Folder:
        return next(one for one in self.folders if one.path == path)

    def paths(self, plan: Arrangement) -> set[str]:
        return {one.path for one in plan.found}

    def test_make(self) -> None:
        """A folder at the top is a directory of its own."""
        plan = arranging.making(self.folders, None, "New")
        self.assertEqual((plan.user, plan.main, plan.made), (USER, ".New", (".New",)))
        self.assertEqual(plan.before, {one.path for one in self.folders})
        self.assertEqual(self.paths(plan), {*plan.before, ".New"})

    def test_makeBelow(self) -> None:
        """One below another has its parent in its name, and so do those below special folders."""
        self.assertEqual(arranging.making(self.folders, self.at(".Work"), "v1.2").main, ".Work.v1&AC4-2")
        self.assertEqual(arranging.making(self.folders, self.at(".Trash"), "Old").main, ".Trash.Old")

    def test_makeBelowTheInbox(self) -> None:
        """One below the Inbox is named as IMAP servers name it, and devices see it there."""
        plan = arranging.making(self.folders, self.at(""), "New")
        self.assertEqual(plan.main, ".INBOX.New")
        [found] = [one for one in plan.found if one.path == ".INBOX.New"]
        self.assertEqual((found.name, found.parent), ("New", ""))

    def test_makeBelowTheInboxBesideADirectory(self) -> None:
        """If there is a folder INBOX beside the Inbox, none can be told to be below the Inbox."""
        self.folders = folders("", ".INBOX")
        self.assertRaises(NameTaken, arranging.making, self.folders, self.at(""), "New")

    def test_taken(self) -> None:
        """A name is taken whether in upper or lower case, as directories or as devices see them."""
        for name in ("Work", "work", "WORK", "inbox", "Deleted items", "Trash", "sent", "Junk E-mail"):
            self.assertRaises(NameTaken, arranging.making, self.folders, None, name)
        self.assertRaises(NameTaken, arranging.making, self.folders, self.at(".Work"), "sub")
        self.assertEqual(arranging.making(self.folders, self.at(".Home"), "Sub").main, ".Home.Sub")

    def test_wouldBeSpecial(self) -> None:
        """A name under which the folder would become a special one is taken."""
        plain = folders("", ".Deleted Items", ".Work")
        self.assertRaises(NameTaken, arranging.making, plain, None, "Trash")
        self.assertRaises(NameTaken, arranging.making, plain, None, "Sent Messages")
        work = next(one for one in plain if one.path == ".Work")
        self.assertRaises(NameTaken, arranging.moving, plain, work, None, "Drafts")

    def test_impossible(self) -> None:
        """Names that no directory can have are refused: control characters, lone surrogates, blanks, too long ones."""
        for name in ("a\nb", "a\x7f", "\ud800", "  ", "x" * 255, "\u65e5" * 100):
            self.assertRaises(Impossible, arranging.making, self.folders, None, name)

    def test_tooDeep(self) -> None:
        """Folders are not nested without end."""
        path = ".a" * arranging.DEEPEST
        deep = folders("", *(path[: 2 * n] for n in range(1, arranging.DEEPEST + 1)))
        self.assertRaises(Impossible, arranging.making, deep, deep[-1], "b")
        self.assertEqual(arranging.making(deep, deep[-2], "b").main, path[:-2] + ".b")

    def test_rename(self) -> None:
        """A folder takes with it those below it."""
        plan = arranging.moving(self.folders, self.at(".Work"), None, "Job")
        pairs = ((".Work", ".Job"), (".Work.Sub", ".Job.Sub"), (".Work.Sub.Deep", ".Job.Sub.Deep"))
        self.assertEqual((plan.main, plan.moved), (".Job", pairs))
        self.assertEqual(self.paths(plan), {*SPECIAL, ".Home", ".Job", ".Job.Sub", ".Job.Sub.Deep"})

    def test_otherCase(self) -> None:
        """Its own name in upper case is not taken."""
        self.assertEqual(arranging.moving(self.folders, self.at(".Home"), None, "HOME").moved, ((".Home", ".HOME"),))

    def test_move(self) -> None:
        """It goes below another one, or to the top."""
        plan = arranging.moving(self.folders, self.at(".Work.Sub"), self.at(".Home"), "Sub")
        self.assertEqual(plan.moved, ((".Work.Sub", ".Home.Sub"), (".Work.Sub.Deep", ".Home.Sub.Deep")))
        plan = arranging.moving(self.folders, self.at(".Work.Sub"), None, "Sub")
        self.assertEqual(plan.moved, ((".Work.Sub", ".Sub"), (".Work.Sub.Deep", ".Sub.Deep")))

    def test_moveWithAGap(self) -> None:
        """Those that hang below it without a directory between them go too."""
        self.folders = folders("", ".A", ".A.B.C")
        plan = arranging.moving(self.folders, self.at(".A"), None, "Z")
        self.assertEqual(plan.moved, ((".A", ".Z"), (".A.B.C", ".Z.B.C")))

    def test_staysAsItIs(self) -> None:
        """What is so already is no move."""
        plan = arranging.moving(self.folders, self.at(".Work.Sub"), self.at(".Work"), "Sub")
        self.assertEqual((plan.main, plan.moved, self.paths(plan)), (".Work.Sub", (), plan.before))

    def test_moveBelowItself(self) -> None:
        """A folder cannot be below itself."""
        for parent in (".Work", ".Work.Sub.Deep"):
            self.assertRaises(Impossible, arranging.moving, self.folders, self.at(".Work"), self.at(parent), "Work")

    def test_moveTaken(self) -> None:
        """A name that another folder has there is taken."""
        self.assertRaises(NameTaken, arranging.moving, self.folders, self.at(".Work"), None, "home")

    def test_tooLongBelow(self) -> None:
        """Those below it must have room for their names, too."""
        self.folders = folders("", ".A", ".A." + "x" * 200)
        self.assertRaises(Impossible, arranging.moving, self.folders, self.at(".A"), None, "y" * 60)

    def test_protected(self) -> None:
        """The Inbox and the special folders stay where they are, the one for junk too."""
        for path in SPECIAL:
            self.assertRaises(Protected, arranging.moving, self.folders, self.at(path), None, "Other")
            self.assertRaises(Protected, arranging.removing, self.folders, self.at(path))

    def test_remove(self) -> None:
        """A folder goes with those below it, and what they hold goes to the deleted items."""
        plan = arranging.removing(self.folders, self.at(".Work"))
        self.assertEqual((plan.main, plan.trash), (".Work", ".Trash"))
        self.assertEqual(plan.removed, (".Work.Sub.Deep", ".Work.Sub", ".Work"))
        self.assertEqual(self.paths(plan), {*SPECIAL, ".Home"})

    def test_removeFromTheTrash(self) -> None:
        """What is below the deleted items is removed for good, at any depth; without that folder everything is."""
        self.folders = folders(*SPECIAL, ".Trash.A", ".Trash.A.B")
        for path in (".Trash.A", ".Trash.A.B"):
            self.assertIsNone(arranging.removing(self.folders, self.at(path)).trash)
        self.folders = folders("", ".Work")
        self.assertIsNone(arranging.removing(self.folders, self.at(".Work")).trash)

    def test_clear(self) -> None:
        """All below a folder is removed for good; if there is nothing, there is no plan."""
        plan = arranging.clearing(self.folders, self.at(".Work"))
        assert plan is not None
        self.assertEqual((plan.removed, plan.trash), ((".Work.Sub.Deep", ".Work.Sub"), None))
        self.assertIsNone(arranging.clearing(self.folders, self.at(".Home")))


class DirectoryTests(SynchronousTestCase):
    """Folders on the disk."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp()).resolve()
        boxes = Mailboxes(self.path)
        self.top = boxes.folder()
        for path in (".Work", ".Work.Sub", ".Trash"):
            boxes.folder(path)
        self.files = MailFiles(MailRoot(str(self.path)))

    def carry_out(self, kind: IntentKind, path: str, to: str = "", id: int = 7) -> list[int]:
        """Do it; the ids of what is done."""
        done, self.astray = self.files.carry_out([Intent(id, USER, kind, path, path, to=to)])
        return done

    def directories(self) -> set[str]:
        return {one.name for one in self.top.iterdir() if one.name not in ("cur", "new", "tmp")}

    def mail(self, name: str, text: str = "x") -> Path:
        file = self.top / name
        file.write_text(text)
        return file

    def test_make(self) -> None:
        """A folder is made with all that belongs to it, and on the disk; twice is no failure."""
        synced = Synced(self)
        for _ in range(2):
            self.assertEqual(self.carry_out(IntentKind.MAKE_FOLDER, ".New"), [7])
        self.assertEqual({one.name for one in (self.top / ".New").iterdir()}, {"cur", "new", "tmp", "maildirfolder"})
        self.assertIn(self.top, synced)
        self.assertIn(self.top / ".New", synced)

    def test_completed(self) -> None:
        """A folder that was only half made is completed."""
        (self.top / ".New").mkdir()
        self.carry_out(IntentKind.MAKE_FOLDER, ".New")
        self.assertTrue((self.top / ".New" / "cur").is_dir())

    def test_move(self) -> None:
        """A folder takes its mails with it, and leaves those below it; twice is no failure."""
        self.mail(".Work/cur/a:2,S")
        synced = Synced(self)
        for _ in range(2):
            self.assertEqual(self.carry_out(IntentKind.MOVE_FOLDER, ".Work", ".Job"), [7])
        self.assertEqual(self.directories(), {".Job", ".Work.Sub", ".Trash"})
        self.assertTrue((self.top / ".Job/cur/a:2,S").exists())
        self.assertIn(self.top, synced)

    def test_moveOnto(self) -> None:
        """Nothing is overwritten: what is there already stays, and the user's folders are looked at again."""
        mine, theirs = self.mail(".Work/cur/a:2,S"), self.mail(".Trash/cur/b:2,")
        self.assertEqual(self.carry_out(IntentKind.MOVE_FOLDER, ".Work", ".Trash"), [7])
        self.assertEqual(self.astray, {(USER, ".Work")})
        self.assertTrue(mine.exists() and theirs.exists())

    def test_remove(self) -> None:
        """A folder is gone, its mails are in the other one under names of their own, with their letters."""
        self.mail(".Work/cur/a,S=1:2,FS", "one")
        self.mail(".Work/new/b", "two")
        self.mail(".Work/dovecot.index", "no mail")
        self.mail(".Trash/cur/a,S=1:2,", "three")
        self.assertEqual(self.carry_out(IntentKind.REMOVE_FOLDER, ".Work", ".Trash"), [7])
        self.assertEqual(self.directories(), {".Work.Sub", ".Trash"})
        cur, new = (sorted(one.name for one in (self.top / ".Trash" / sub).iterdir()) for sub in ("cur", "new"))
        self.assertEqual((cur, new), (["a,S=1:2,", "a-r7,S=1:2,FS"], ["b-r7"]))

    def test_removeForGood(self) -> None:
        """With itself as destination what it holds is deleted."""
        self.mail(".Work/cur/a:2,")
        self.assertEqual(self.carry_out(IntentKind.REMOVE_FOLDER, ".Work", ".Work"), [7])
        self.assertEqual(self.directories(), {".Work.Sub", ".Trash"})
        self.assertEqual(list((self.top / ".Trash/cur").iterdir()), [])

    def test_removedBefore(self) -> None:
        """What is gone is done."""
        self.assertEqual(self.carry_out(IntentKind.REMOVE_FOLDER, ".Nothing", ".Trash"), [7])

    def test_removeInterrupted(self) -> None:
        """After a kill between any two steps it goes on, and leaves alone what has the old name by then."""
        self.mail(".Work/cur/a:2,S", "one")
        self.mail(".Work/cur/b:2,", "two")
        (self.top / ".Work").rename(self.top / "removed.7")
        (self.top / "removed.7/cur/a:2,S").rename(self.top / ".Trash/cur/a-r7:2,S")
        self.mail("new/in", "three")
        self.carry_out(IntentKind.MAKE_FOLDER, ".Work", id=8)
        self.mail(".Work/new/c", "four")
        self.assertEqual(self.carry_out(IntentKind.REMOVE_FOLDER, ".Work", ".Trash"), [7])
        self.assertEqual(sorted(os.listdir(self.top / ".Trash/cur")), ["a-r7:2,S", "b-r7:2,"])
        self.assertEqual(os.listdir(self.top / ".Work/new"), ["c"])
        self.assertEqual(self.directories(), {".Work", ".Work.Sub", ".Trash"})

    def test_removeWithoutTrash(self) -> None:
        """A destination that is gone meanwhile is made: no mail is lost."""
        self.mail(".Work/cur/a:2,")
        for sub in ("cur", "new", "tmp"):
            (self.top / ".Trash" / sub).rmdir()
        (self.top / ".Trash").rmdir()
        self.carry_out(IntentKind.REMOVE_FOLDER, ".Work", ".Trash")
        self.assertEqual(os.listdir(self.top / ".Trash/cur"), ["a-r7:2,"])

    def test_links(self) -> None:
        """No symbolic link is followed out of the mailbox."""
        away = Path(self.mktemp()).resolve()
        for sub in ("cur", "new", "tmp"):
            (away / sub).mkdir(parents=True)
        (away / "cur/a:2,").write_text("x")
        (self.top / ".Link").symlink_to(away)
        (self.top / ".Work/cur").rmdir()
        (self.top / ".Work/cur").symlink_to(away / "cur")
        self.carry_out(IntentKind.REMOVE_FOLDER, ".Work", ".Trash")
        self.carry_out(IntentKind.REMOVE_FOLDER, ".Work.Sub", ".Link", id=8)
        self.assertEqual(os.listdir(away / "cur"), ["a:2,"])

    def test_oddNames(self) -> None:
        """A name that is no folder's is never touched."""
        self.assertFalse(is_folder_name("cur"))
        for path, to in (("cur", ".X"), (".Work", "../x"), ("..", ".X"), ("", ".X"), (".Work", "new")):
            self.assertEqual(self.carry_out(IntentKind.MOVE_FOLDER, path, to), [7])
            self.assertEqual(self.carry_out(IntentKind.REMOVE_FOLDER, path, to), [7])
        self.assertEqual(self.directories(), {".Work", ".Work.Sub", ".Trash"})
        self.assertTrue((self.top / "cur").is_dir())

    def test_noAccount(self) -> None:
        """A user without a directory has nothing to be done."""
        intent = Intent(7, "nobody", IntentKind.MAKE_FOLDER, ".X", ".X")
        self.assertEqual(self.files.carry_out([intent])[0], [7])

    def test_readMeanwhile(self) -> None:
        """Who reads a mail finds it under the path that its folder had, or will have, as long as the moves last."""
        self.mail(".Work/cur/a:2,S", "one")
        self.assertRaises(ItemGone, self.files.read, USER, ".Job", "a", "S")
        for path, to in ((".Work", ".Job"), (".Job", ".Job 2"), (".Trash", ".Bin")):
            self.carry_out(IntentKind.MOVE_FOLDER, path, to)
        for path in (".Work", ".Job", ".Job 2"):
            self.assertEqual(self.files.read(USER, path, "a", "S"), b"one")
        self.assertRaises(ItemGone, self.files.read, USER, ".Trash", "a", "S")
        self.assertRaises(ItemGone, self.files.read, "bob", ".Work", "a", "S")
        self.patch(os, "rename", self._refuse)
        self.carry_out(IntentKind.MOVE_FOLDER, ".Job 2", ".Job 3")
        self.assertEqual(self.files.read(USER, ".Job 3", "a", "S"), b"one")

    def test_movedInACircle(self) -> None:
        """A folder that has its first name again is found under it."""
        self.mail(".Work/cur/a:2,S", "one")
        for path, to in ((".Work", ".Job"), (".Job", ".Work")):
            self.carry_out(IntentKind.MOVE_FOLDER, path, to)
        for path in (".Work", ".Job"):
            self.assertEqual(self.files.read(USER, path, "a", "S"), b"one")
        self.assertRaises(ItemGone, self.files.read, USER, ".Work", "b", "S")

    def test_failure(self) -> None:
        """What the disk refuses is left to be done, and so is what follows it."""
        self.patch(os, "rename", self._refuse)
        self.assertEqual(self.carry_out(IntentKind.MOVE_FOLDER, ".Work", ".Job"), [])

    def _refuse(self, *args: Any, **more: Any) -> None:
        raise OSError(28, "no space")


class ArrangingTests(SynchronousTestCase):
    """The source of a mailbox with the folder .Work while folders are changed by devices."""

    options = MaildirOptions(create=False)

    def setUp(self) -> None:
        self.path = Path(self.mktemp()).resolve()
        self.boxes = Mailboxes(self.path)
        self.boxes.folder()
        self.boxes.folder(".Work")
        self.boxes.age = 10.0
        self.source = self.start()
        key = self.boxes.now(self.boxes.store.sync_folders(DEVICE, "0")).key
        self.turn = Turn(DEVICE, key, b"1")

    def start(self) -> MaildirSource:
        source = self.boxes.source(self.options)
        source.startService()
        self.boxes.turn()
        self.boxes.reports.changes.clear()
        return source

    def tearDown(self) -> None:
        self.successResultOf(self.source.stopService())
        self.assertEqual(self.boxes.clock.getDelayedCalls(), [])

    def arrange(self, source: MaildirSource, plan: Any, carry_out: bool = True) -> Deferred[Arranged]:
        store = self.boxes.store

        async def work() -> Arranged:
            arranged = await store.arrange(plan(await store.folders(USER)), self.turn)
            if carry_out:
                await store.done(await source.carry_out(arranged.intents))
            self.boxes.reports.changed(*arranged.changes)
            return arranged

        return source.steadily(USER, work)

    def folder(self, path: str) -> Folder:
        return self.boxes.folders()[path]

    def rename(self, found: list[Folder]) -> Arrangement:
        return self.source.moving(found, next(one for one in found if one.path == ".Work"), None, "Job")

    def test_made(self) -> None:
        """A new folder is watched at once, and the survey finds nothing that is not in the ledger already."""
        made = self.successResultOf(self.arrange(self.source, lambda found: self.source.making(found, None, "New")))
        self.boxes.turn()
        self.assertEqual(len(self.boxes.reports.changes), 1)
        self.assertEqual(self.folder(".New").id, made.folder)
        self.boxes.write(f".New/new/{M1}")
        self.boxes.turn()
        self.assertEqual(self.boxes.states(".New"), {M1: ""})

    def test_moved(self) -> None:
        """A folder that moves keeps its id and its mails, the one that nobody had written down yet too."""
        self.boxes.write(f".Work/cur/{M1}:2,S")
        self.boxes.turn()
        before, [item] = self.folder(".Work"), self.boxes.items()
        self.boxes.write(f".Work/new/{M2}")
        self.boxes.events.queue.pop()
        self.successResultOf(self.arrange(self.source, self.rename))
        self.boxes.turn()
        self.assertEqual(self.folder(".Job").id, before.id)
        self.assertEqual(self.boxes.states(".Job"), {M1: "S", M2: ""})
        self.assertIn(item.id, [one.id for one in self.boxes.items()])
        self.boxes.write(".Job/new/1700000009.M9.h")
        self.boxes.turn()
        self.assertEqual(len(self.boxes.states(".Job")), 3)

    def test_movedByEvents(self) -> None:
        """The echo that the kernel gives of it finds nothing new either."""
        self.successResultOf(self.arrange(self.source, self.rename))
        top = (self.path / USER).stat().st_ino
        self.boxes.events.add(top, 0x40 | 0x40000000, ".Work", 3)
        self.boxes.events.add(top, 0x80 | 0x40000000, ".Job", 3)
        self.boxes.turn()
        self.boxes.turn()
        self.assertEqual(len(self.boxes.reports.changes), 1)

    def test_removed(self) -> None:
        """The mails of a folder that is removed are found in the deleted items."""
        self.boxes.folder(".Trash")
        self.boxes.write(f".Work/cur/{M1}:2,S")
        self.boxes.turn()

        def remove(found: list[Folder]) -> Arrangement:
            return self.source.removing(found, next(one for one in found if one.path == ".Work"))

        arranged = self.successResultOf(self.arrange(self.source, remove))
        inode = (self.path / USER / ".Trash/cur").stat().st_ino
        name = f"{M1}-r{arranged.intents[0].id}"
        self.boxes.events.add(inode, 0x80, f"{name}:2,S", 4)
        self.boxes.turn()
        self.assertEqual(set(self.boxes.folders()), {"", ".Trash"})
        self.assertEqual(self.boxes.states(".Trash"), {name: "S"})

    def test_killedBefore(self) -> None:
        """Killed between ledger and disk: the start does what is left to be done, and nothing changes its id."""
        before = self.folder(".Work").id
        self.boxes.write(f".Work/cur/{M1}:2,S")
        self.boxes.turn()
        self.successResultOf(self.arrange(self.source, self.rename, carry_out=False))
        self.killed()
        self.source = self.start()
        self.boxes.turn()
        self.assertTrue((self.path / USER / ".Job").is_dir())
        self.assertEqual({one.path: one.id for one in self.boxes.folders().values()}[".Job"], before)
        self.assertEqual(self.boxes.states(".Job"), {M1: "S"})
        self.assertEqual(self.boxes.now(self.boxes.store.pending()), [])
        self.assertEqual(self.boxes.reports.changes, [])

    def test_killedAfter(self) -> None:
        """Killed between disk and ledger: doing it once more does no harm."""
        before = self.folder(".Work").id
        self.successResultOf(self.arrange(self.source, self.rename, carry_out=False))
        self.killed()
        (self.path / USER / ".Work").rename(self.path / USER / ".Job")
        self.source = self.start()
        self.boxes.turn()
        self.assertEqual({one.path: one.id for one in self.boxes.folders().values()}, {"": 1 + 1, ".Job": before})

    def killed(self) -> None:
        """The process is gone, with everything that it had not written down."""
        for wd in list(self.boxes.events.watched):
            self.boxes.events.unwatch(wd)
        for call in self.boxes.clock.getDelayedCalls():
            call.cancel()

    def test_diskRefuses(self) -> None:
        """What the disk refuses is tried again; until then the directories are not believed."""
        rename, refuse = os.rename, [True]

        def renamed(*args: Any, **more: Any) -> None:
            if refuse:
                raise OSError(28, "no space")
            rename(*args, **more)

        self.patch(os, "rename", renamed)
        before = self.folder(".Work").id
        self.successResultOf(self.arrange(self.source, self.rename))
        self.boxes.turn()
        self.assertEqual(self.folder(".Job").id, before)
        refuse.clear()
        self.boxes.turn(60)
        self.boxes.turn(60)
        self.assertTrue((self.path / USER / ".Job").is_dir())
        self.assertEqual(self.folder(".Job").id, before)
        self.boxes.write(f".Job/new/{M1}")
        self.boxes.turn()
        self.assertEqual(self.boxes.states(".Job"), {M1: ""})

    def test_occupied(self) -> None:
        """A directory that somebody else has made there meanwhile is not overwritten; what there is, is found."""
        self.boxes.write(f".Work/cur/{M1}:2,S")
        self.boxes.turn()

        def plan(found: list[Folder]) -> Arrangement:
            job = self.boxes.folder(".Job")
            (job / "cur" / f"{M2}:2,").write_text("Subject: y\n\ny\n")
            return self.rename(found)

        self.successResultOf(self.arrange(self.source, plan))
        for _ in range(3):
            self.boxes.turn(60)
        self.assertEqual(self.boxes.states(".Work"), {M1: "S"})
        self.assertEqual(self.boxes.states(".Job"), {M2: ""})

    def test_surveyMeanwhile(self) -> None:
        """A survey that has seen the old directories is over before they are changed: it takes nothing back."""
        held: list[Any] = []

        def run(work: Any, *args: Any) -> Deferred[Any]:
            done: Deferred[Any] = Deferred()
            outcome = work(*args)
            if work.__name__ == "survey" and not held:
                held.append(lambda: done.callback(outcome))
                return done
            done.callback(outcome)
            return done

        self.successResultOf(self.source.stopService())
        self.killed()
        self.source = self.boxes.source(self.options, run=run)
        self.source.startService()
        before = self.folder(".Work").id
        waiting = self.arrange(self.source, self.rename)
        self.assertNoResult(waiting)
        held[0]()
        self.boxes.turn()
        self.successResultOf(waiting)
        self.boxes.turn()
        self.assertEqual(self.folder(".Job").id, before)

    def test_inTurn(self) -> None:
        """Two changes of the same user come one after the other, the second also if the first one fails."""
        first: Deferred[None] = Deferred()
        order = []

        async def one() -> None:
            order.append("one")
            await first

        async def two() -> str:
            order.append("two")
            return "done"

        failing = self.source.steadily(USER, one)
        second = self.source.steadily(USER, two)
        self.boxes.turn()
        self.assertEqual(order, ["one"])
        first.errback(ValueError("no"))
        self.failureResultOf(failing, ValueError)
        self.assertEqual((self.successResultOf(second), order), ("done", ["one", "two"]))

    def test_notThere(self) -> None:
        """Without a mailbox nothing is done: an unknown user, and one whose disk is away."""

        async def work() -> None:
            raise AssertionError("done")

        self.failureResultOf(self.source.steadily("nobody", work), BackendDown)
        (self.path / USER).rename(self.path / "away")
        self.source.surveyor.survey(self.source.surveyor.accounts[USER])
        self.boxes.turn()
        self.failureResultOf(self.source.steadily(USER, work), BackendDown)
        self.flushLoggedErrors()

    def test_stopped(self) -> None:
        """Who waits for a turn when the source is stopped is told."""
        first: Deferred[None] = Deferred()

        async def one() -> None:
            await first

        self.source.steadily(USER, one)
        second = self.source.steadily(USER, one)
        self.successResultOf(self.source.stopService())
        self.failureResultOf(second, BackendDown)
        first.callback(None)
