"""What every L{IMailbox} promises."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from gateway.arrangement import Arrangement
from gateway.interfaces import IMailbox, Impossible, ItemGone, NameTaken, Protected
from gateway.model import Folder, FolderType, FoundFolder, Intent, IntentKind

RAW = b"Subject: hello\n\nHi.\n"


class MailboxContract:
    """For a user C{ann} with the folders C{""} and C{".Trash"}; mixed into a C{SynchronousTestCase}."""

    mailbox: Any

    def put(self, path: str, name: str, raw: bytes, state: str) -> None:
        """Have a mail there."""
        raise NotImplementedError

    def mails(self, path: str) -> dict[str, tuple[bytes, str]]:
        """The mails of a folder: bytes and letters by name."""
        raise NotImplementedError

    def carry_out(self, *intents: Intent) -> list[int]:
        """The ids of those that are done."""
        done: list[int] = self.successResultOf(self.mailbox.carry_out(intents))
        return done

    def read(self, path: str, name: str, state: str, user: str = "ann") -> Deferred[bytes]:
        found: Deferred[bytes] = self.mailbox.read(user, path, name, state)
        return found

    def test_interface(self) -> None:
        """It provides L{IMailbox}."""
        self.assertTrue(verifyObject(IMailbox, self.mailbox))

    def test_read(self) -> None:
        """A mail is read by its name, byte by byte, also if its state is another one by now."""
        self.put("", "m1", RAW, "S")
        for state in ("S", "", "FS"):
            self.assertEqual(self.successResultOf(self.read("", "m1", state)), RAW)

    def test_readGone(self) -> None:
        """One that is not there, in this folder, of this user, is gone."""
        self.put("", "m1", RAW, "")
        for found in (self.read("", "m2", ""), self.read(".Trash", "m1", ""), self.read("", "m1", "", "bob")):
            self.failureResultOf(found, ItemGone)

    def test_flags(self) -> None:
        """FLAGS sets and clears letters and leaves the others."""
        self.put("", "m1", RAW, "RS")
        done = self.carry_out(Intent(7, "ann", IntentKind.FLAGS, "", "m1", add="F", remove="S"))
        self.assertEqual(done, [7])
        self.assertEqual(self.mails(""), {"m1": (RAW, "FR")})

    def test_move(self) -> None:
        """MOVE takes a mail, with its letters, to another folder under another name."""
        self.put("", "m1", RAW, "S")
        done = self.carry_out(Intent(7, "ann", IntentKind.MOVE, "", "m1", to=".Trash", to_name="m9"))
        self.assertEqual(done, [7])
        self.assertEqual(self.mails(""), {})
        self.assertEqual(self.mails(".Trash"), {"m9": (RAW, "S")})

    def test_delete(self) -> None:
        """DELETE removes a mail."""
        self.put("", "m1", RAW, "")
        self.put("", "m2", RAW, "")
        self.assertEqual(self.carry_out(Intent(7, "ann", IntentKind.DELETE, "", "m1")), [7])
        self.assertEqual(list(self.mails("")), ["m2"])

    def test_twice(self) -> None:
        """What is done already, or cannot be because the mail is gone, counts as done."""
        self.put("", "m1", RAW, "")
        flags = Intent(7, "ann", IntentKind.FLAGS, "", "m1", add="F")
        self.assertEqual(self.carry_out(flags, flags), [7, 7])
        kinds = (IntentKind.FLAGS, IntentKind.DELETE)
        gone = [Intent(number, "ann", kind, "", "m2") for number, kind in enumerate(kinds)]
        gone.append(Intent(9, "ann", IntentKind.MOVE, "", "m2", to=".Trash", to_name="m2"))
        self.assertEqual(self.carry_out(*gone), [0, 1, 9])

    def test_inOrder(self) -> None:
        """Intents are carried out in their order."""
        self.put("", "m1", RAW, "")
        done = self.carry_out(
            Intent(1, "ann", IntentKind.FLAGS, "", "m1", add="S"),
            Intent(2, "ann", IntentKind.MOVE, "", "m1", to=".Trash", to_name="m1"),
            Intent(3, "ann", IntentKind.FLAGS, ".Trash", "m1", add="F"),
        )
        self.assertEqual(done, [1, 2, 3])
        self.assertEqual(self.mails(".Trash"), {"m1": (RAW, "FS")})

    # Folders.

    def folders(self, *more: Folder) -> list[Folder]:
        """The folders as the ledger has them, with others."""
        trash = Folder(2, "ann", ".Trash", "Deleted Items", FolderType.DELETED)
        return [Folder(1, "ann", "", "Inbox", FolderType.INBOX), trash, *more]

    def arrange(self, plan: Arrangement) -> None:
        """Carry out what a plan intends, with the kinds of intents in the order in which the ledger writes them."""
        kinds = [
            *((IntentKind.MAKE_FOLDER, path, "") for path in plan.made),
            *((IntentKind.MOVE_FOLDER, path, to) for path, to in plan.moved),
            *((IntentKind.REMOVE_FOLDER, path, path if plan.trash is None else plan.trash) for path in plan.removed),
        ]
        intents = [Intent(n, "ann", kind, path, path, to=to) for n, (kind, path, to) in enumerate(kinds, 1)]
        self.assertEqual(self.carry_out(*intents), [intent.id for intent in intents])

    def make(self, name: str, id: int = 3) -> Folder:
        """Make a folder at the top."""
        plan = self.mailbox.making(self.folders(), None, name)
        self.arrange(plan)
        return Folder(id, "ann", plan.main, name, FolderType.USER_MAIL)

    def test_makeFolder(self) -> None:
        """A folder is planned with the name and the parent asked for, then made, and holds mails."""
        plan = self.mailbox.making(self.folders(), None, "Work")
        self.assertEqual((plan.user, plan.before, plan.made), ("ann", frozenset(("", ".Trash")), (plan.main,)))
        [made] = [one for one in plan.found if one.path == plan.main]
        self.assertEqual((made.name, made.type, made.parent), ("Work", FolderType.USER_MAIL, None))
        self.arrange(plan)
        self.put(plan.main, "m1", RAW, "S")
        self.assertEqual(self.mails(plan.main), {"m1": (RAW, "S")})

    def test_makeFolderBelow(self) -> None:
        """Its parent may be any folder."""
        work = self.make("Work")
        for parent in (*self.folders(), work):
            plan = self.mailbox.making(self.folders(work), parent, "Sub")
            self.assertIn(FoundFolder(plan.main, "Sub", FolderType.USER_MAIL, parent.path), plan.found)

    def test_makeFolderTwice(self) -> None:
        """A name that is taken there, in upper or lower case, is refused, and so is one that cannot be."""
        work = self.make("Work")
        for name in ("Work", "WORK", "Inbox"):
            self.assertRaises(NameTaken, self.mailbox.making, self.folders(work), None, name)
        self.assertRaises(Impossible, self.mailbox.making, self.folders(work), None, "x" * 256)

    def test_moveFolder(self) -> None:
        """A folder moves with its mails and with the folders below it, and keeps its place among those found."""
        work = self.make("Work")
        below = self.mailbox.making(self.folders(work), work, "Sub")
        self.arrange(below)
        sub = Folder(4, "ann", below.main, "Sub", FolderType.USER_MAIL, 3)
        self.put(work.path, "m1", RAW, "S")
        self.put(sub.path, "m2", RAW, "")
        trash = self.folders()[1]
        plan = self.mailbox.moving(self.folders(work, sub), work, trash, "Old")
        self.assertIn(FoundFolder(plan.main, "Old", FolderType.USER_MAIL, trash.path), plan.found)
        moved = dict(plan.moved)
        self.assertIn(FoundFolder(moved[sub.path], "Sub", FolderType.USER_MAIL, plan.main), plan.found)
        self.arrange(plan)
        self.assertEqual(self.mails(plan.main), {"m1": (RAW, "S")})
        self.assertEqual(self.mails(moved[sub.path]), {"m2": (RAW, "")})

    def test_moveFolderWrongly(self) -> None:
        """Special folders stay, names are taken once, and no folder is below itself."""
        work, home = self.make("Work"), self.make("Home", 5)
        known = self.folders(work, home)
        for special in self.folders():
            self.assertRaises(Protected, self.mailbox.moving, known, special, None, "Other")
        self.assertRaises(NameTaken, self.mailbox.moving, known, work, None, "home")
        self.assertRaises(Impossible, self.mailbox.moving, known, work, work, "Work")

    def test_removeFolder(self) -> None:
        """The mails of a removed folder go to the deleted items, with their letters; from there they are gone."""
        work = self.make("Work")
        self.put(work.path, "m1", RAW, "S")
        plan = self.mailbox.removing(self.folders(work), work)
        self.assertEqual((plan.main, plan.removed, plan.trash), (work.path, (work.path,), ".Trash"))
        self.arrange(plan)
        self.assertEqual(list(self.mails(".Trash").values()), [(RAW, "S")])
        old = Folder(3, "ann", ".Trash.Old", "Old", FolderType.USER_MAIL, 2)
        self.arrange(self.mailbox.making(self.folders(), self.folders()[1], "Old"))
        self.put(old.path, "m2", RAW, "")
        self.arrange(self.mailbox.removing(self.folders(old), old))
        self.assertEqual(len(self.mails(".Trash")), 1)
        for special in self.folders():
            self.assertRaises(Protected, self.mailbox.removing, self.folders(), special)

    def test_clearFolder(self) -> None:
        """All folders below one are planned to be removed for good; none, and there is no plan."""
        old = Folder(3, "ann", ".Trash.Old", "Old", FolderType.USER_MAIL, 2)
        trash = self.folders()[1]
        plan = self.mailbox.clearing(self.folders(old), trash)
        self.assertEqual(
            (plan.removed, plan.trash, {one.path for one in plan.found}), ((old.path,), None, {"", ".Trash"})
        )
        self.assertIsNone(self.mailbox.clearing(self.folders(), trash))

    def test_steadily(self) -> None:
        """What is done steadily is done, and tells how it ended."""

        async def work() -> str:
            return "done"

        async def trouble() -> str:
            raise ValueError("no")

        self.assertEqual(self.successResultOf(self.mailbox.steadily("ann", work)), "done")
        self.failureResultOf(self.mailbox.steadily("ann", trouble), ValueError)
        self.assertEqual(self.successResultOf(self.mailbox.steadily("ann", work)), "done")

    def test_place(self) -> None:
        """A mail is put into a folder under the name and with the state that were given."""
        self.successResultOf(self.mailbox.place("ann", ".Trash", "1.p.x", RAW, "S", False))
        self.successResultOf(self.mailbox.place("ann", "", "1.p.x", RAW, "", False))
        self.assertEqual((self.mails(".Trash"), self.mails("")), ({"1.p.x": (RAW, "S")}, {"1.p.x": (RAW, "")}))

    def test_placeAgain(self) -> None:
        """One that is there already stays as it is, with the marks that it has by now."""
        self.put("", "1.p.x", RAW, "FS")
        for _ in range(2):
            self.successResultOf(self.mailbox.place("ann", "", "1.p.x", RAW, "", True))
        self.assertEqual(self.mails(""), {"1.p.x": (RAW, "FS")})

    def test_stage(self) -> None:
        """What is held ready is seen by nobody before it is filled in, with its letters; twice does no harm."""
        for _ in range(2):
            self.successResultOf(self.mailbox.stage("ann", ".Trash", "1.p", RAW))
        self.assertEqual(self.mails(".Trash"), {})
        for _ in range(2):
            self.assertEqual(self.carry_out(Intent(7, "ann", IntentKind.FILL, ".Trash", "1.p", add="DS")), [7])
            self.assertEqual(self.mails(".Trash"), {"1.p": (RAW, "DS")})

    def test_discard(self) -> None:
        """What is not wanted after all does not appear; what was never there neither."""
        self.successResultOf(self.mailbox.stage("ann", "", "1.p", RAW))
        self.successResultOf(self.mailbox.discard("ann", "", ["1.p", "2.p"]))
        self.assertEqual(self.carry_out(Intent(7, "ann", IntentKind.FILL, "", "1.p", add="D")), [7])
        self.assertEqual(self.mails(""), {})

    def test_deliver(self) -> None:
        """Delivered mails are in the Inbox, unseen, each under a name of its own."""
        for raw in (RAW, b"Subject: other\n\n"):
            self.successResultOf(self.mailbox.deliver("ann", raw))
        found = sorted(self.mails("").values())
        self.assertEqual(found, [(RAW, ""), (b"Subject: other\n\n", "")])
