"""The contract of L{ILedger} about folders that devices make, move and remove."""

from __future__ import annotations

from typing import Any

from gateway.arrangement import Arranged, Arrangement, Turn
from gateway.model import Change, DeviceKey, FolderType, FoundFolder, Intent, IntentKind
from tests.contract.store import ANN, BOB, INBOX, TABLET, TRASH, WORK, StoreCase

HOME = FoundFolder(".Home", "Home", FolderType.USER_MAIL)
SUB = FoundFolder(".Work.Sub", "Sub", FolderType.USER_MAIL, ".Work")


class ArrangingContract(StoreCase):
    """Ann has the Inbox, the trash, and the folder Work with Sub in it; her phone and her tablet know them."""

    def setUp(self) -> None:
        super().setUp()
        self.live = [INBOX, TRASH, WORK, SUB]
        self.ids = {folder.path: folder.id for folder in self.folders(*self.live)}
        self.keys = {device: "" for device in (ANN, TABLET)}
        for device in self.keys:
            self.told(device, "0")
        self.serial = 0

    def told(
        self, device: DeviceKey = ANN, key: str = "", given: bool = True
    ) -> tuple[list[str], list[str], list[int]]:
        """A FolderSync: what is added, updated and deleted."""
        outcome = self.result(self.store.sync_folders(device, key or self.keys[device]))
        self.assertEqual(outcome.status, 1)
        self.keys[device] = outcome.key
        if given:
            self.store.given(device, 0, outcome.key)
        return [one.name for one in outcome.added], [one.name for one in outcome.updated], list(outcome.deleted)

    def arrangement(self, *after: FoundFolder, main: str, **what: Any) -> Arrangement:
        return Arrangement("ann", frozenset(one.path for one in self.live), after, main, **what)

    def turn(self, device: DeviceKey = ANN, key: str = "") -> Turn:
        self.serial += 1
        return Turn(device, key or self.keys[device], b"turn %d" % self.serial)

    def arrange(self, arrangement: Arrangement, turn: Turn | None, given: bool = True, strike: bool = True) -> Arranged:
        arranged: Arranged = self.result(self.store.arrange(arrangement, turn))
        if arranged.status == 1:
            self.live = list(arrangement.found)
            if turn is not None and given:
                self.keys[turn.device] = arranged.key
                self.store.given(turn.device, 0, arranged.key)
        if strike:
            self.result(self.store.done([intent.id for intent in arranged.intents]))
        return arranged

    def make(self, turn: Turn | None, given: bool = True, strike: bool = True) -> Arranged:
        return self.arrange(self.arrangement(*self.live, HOME, main=".Home", made=(".Home",)), turn, given, strike)

    def rename(self, turn: Turn | None, given: bool = True, strike: bool = True) -> Arranged:
        after = [
            FoundFolder(".Job", "Job", FolderType.USER_MAIL),
            FoundFolder(".Job.Sub", "Sub", FolderType.USER_MAIL, ".Job"),
        ]
        moved = ((".Work", ".Job"), (".Work.Sub", ".Job.Sub"))
        return self.arrange(self.arrangement(INBOX, TRASH, *after, main=".Job", moved=moved), turn, given, strike)

    def remove(self, turn: Turn | None, trash: str | None = ".Trash", strike: bool = True) -> Arranged:
        removed = (".Work.Sub", ".Work")
        plan = self.arrangement(INBOX, TRASH, main=".Work", removed=removed, trash=trash)
        return self.arrange(plan, turn, strike=strike)

    def news(self, device: DeviceKey = ANN) -> bool:
        return bool(self.result(self.store.look(device, [], False)).hierarchy.news)

    # What is written.

    def test_made(self) -> None:
        """A folder that is made has an id and a number before the source makes it."""
        home = self.result(self.store.look(ANN, [], False)).hierarchy
        made = self.make(self.turn(), strike=False)
        [folder] = [one for one in self.result(self.store.folders("ann")) if one.path == ".Home"]
        self.assertEqual((made.status, made.folder, folder.name), (1, folder.id, "Home"))
        [intent] = made.intents
        self.assertEqual(intent, Intent(intent.id, "ann", IntentKind.MAKE_FOLDER, ".Home", ".Home"))
        self.assertEqual([change.version for change in made.changes], [home.number + 1])
        self.assertEqual(self.result(self.store.pending()), [intent])

    def test_moved(self) -> None:
        """A folder that moves keeps its id, its items and their keys, and so do those below it."""
        [id] = self.deliver("a", folder=self.ids[".Work.Sub"])
        key = self.start(folder=self.ids[".Work.Sub"])
        moved = self.rename(self.turn())
        live = {one.path: one.id for one in self.result(self.store.folders("ann"))}
        self.assertEqual(live[".Job"], self.ids[".Work"])
        self.assertEqual(live[".Job.Sub"], self.ids[".Work.Sub"])
        self.assertEqual(moved.folder, self.ids[".Work"])
        kinds = [(one.kind, one.path, one.to) for one in moved.intents]
        move = IntentKind.MOVE_FOLDER
        self.assertEqual(kinds, [(move, ".Work", ".Job"), (move, ".Work.Sub", ".Job.Sub")])
        self.assertEqual(self.sync(key, folder=self.ids[".Work.Sub"]).status, 1)
        self.assertEqual([one.id for one in self.result(self.store.items("ann", [id]))], [id])

    def test_noteOfAMovedFolder(self) -> None:
        """What the source had noted of a folder's directories is void once they are others."""
        self.result(self.store.listed({self.ids[".Work"]: "17.5", self.inbox: "3"}))
        self.rename(self.turn())
        noted = {one.path: one.listed for one in self.result(self.store.folders("ann"))}
        self.assertEqual((noted[".Job"], noted[""]), ("", "3"))

    def test_removed(self) -> None:
        """Removed folders are gone with their items and keys; the intents begin below."""
        [id] = self.deliver("a", folder=self.ids[".Work"])
        key = self.start(folder=self.ids[".Work"])
        removed = self.remove(self.turn(), strike=False)
        kinds = [(one.kind, one.path, one.to) for one in removed.intents]
        remove = IntentKind.REMOVE_FOLDER
        self.assertEqual(kinds, [(remove, ".Work.Sub", ".Trash"), (remove, ".Work", ".Trash")])
        self.assertEqual(removed.folder, self.ids[".Work"])
        self.assertEqual(self.result(self.store.items("ann", [id])), [])
        self.assertEqual(self.sync(key, folder=self.ids[".Work"]).status, 12)

    def test_removedForGood(self) -> None:
        """What removed folders hold is deleted if there is nowhere for it to go."""
        removed = self.remove(None, trash=None)
        self.assertEqual([one.to for one in removed.intents], [".Work.Sub", ".Work"])

    def test_changedMeanwhile(self) -> None:
        """A plan for folders that are no longer so is not executed."""
        self.folders(INBOX, TRASH, WORK)
        self.assertEqual(self.make(self.turn()), Arranged(0))
        self.assertEqual(self.result(self.store.pending()), [])

    def test_sideEffects(self) -> None:
        """What devices see of other folders may change too, which is news to all of them."""
        other = FoundFolder(".Work.Sub", "Sub (2)", FolderType.USER_MAIL, ".Work")
        self.arrange(self.arrangement(INBOX, TRASH, WORK, other, HOME, main=".Home", made=(".Home",)), self.turn())
        self.assertEqual(self.told(), ([], ["Sub (2)"], []))
        self.assertEqual(self.told(TABLET), (["Home"], ["Sub (2)"], []))

    # Who is told.

    def test_own(self) -> None:
        """FolderSync does not tell a device what it has done itself, and it is no news; others are told."""
        for what, told in (
            (self.make, (["Home"], [], [])),
            (self.remake, ([], ["House"], [])),
            (self.unmake, ([], [], [0])),
        ):
            what(self.turn())
            self.assertFalse(self.news())
            self.assertTrue(self.news(TABLET))
            self.assertEqual(self.told(), ([], [], []))
            added, updated, deleted = self.told(TABLET)
            self.assertEqual((added, updated, [0] * len(deleted)), told)
            self.assertFalse(self.news(TABLET))

    def remake(self, turn: Turn) -> Arranged:
        house = FoundFolder(".House", "House", FolderType.USER_MAIL)
        after = (*self.live[:-1], house)
        return self.arrange(self.arrangement(*after, main=".House", moved=((".Home", ".House"),)), turn)

    def unmake(self, turn: Turn) -> Arranged:
        return self.arrange(self.arrangement(*self.live[:-1], main=".House", removed=(".House",)), turn)

    def test_withFoldersBelow(self) -> None:
        """Of folders below one that it removes the device is told, in case it has kept them."""
        self.remove(self.turn())
        self.assertEqual(self.told(), ([], [], [self.ids[".Work.Sub"]]))
        self.assertEqual(sorted(self.told(TABLET)[2]), sorted([self.ids[".Work"], self.ids[".Work.Sub"]]))

    def test_withoutATurn(self) -> None:
        """What nobody did by a key is news to all."""
        self.assertEqual(self.make(None).key, "")
        self.assertTrue(self.news())
        self.assertEqual(self.told(), (["Home"], [], []))

    def test_otherNews(self) -> None:
        """What others have done before is still told afterwards."""
        other = FoundFolder(".Other", "Other", FolderType.USER_MAIL)
        self.live = [*self.live, other]
        self.folders(*self.live)
        self.make(self.turn())
        self.assertTrue(self.news())
        self.assertEqual(self.told(), (["Other"], [], []))
        self.assertFalse(self.news())

    def test_laterNews(self) -> None:
        """What others do to a folder afterwards is told."""
        self.make(self.turn())
        house = FoundFolder(".Home", "House", FolderType.USER_MAIL)
        self.folders(*self.live[:-1], house)
        self.assertTrue(self.news())
        self.assertEqual(self.told(), ([], ["House"], []))

    def test_nothingChanges(self) -> None:
        """A plan that changes nothing gives the next key all the same, and is no Change."""
        before = self.keys[ANN]
        outcome = self.arrange(self.arrangement(*self.live, main=".Work"), self.turn())
        self.assertEqual((outcome.status, outcome.folder, outcome.changes), (1, self.ids[".Work"], ()))
        self.assertNotEqual(outcome.key, before)
        self.assertEqual(self.told(), ([], [], []))

    def test_change(self) -> None:
        """A Change names the hierarchy and its new Version."""
        [change] = self.make(self.turn()).changes
        looked = self.result(self.store.look(ANN, [], False))
        self.assertEqual(change, Change(looked.hierarchy_folder, looked.hierarchy.number))

    # Keys.

    def test_key(self) -> None:
        """The key advances with the command: the one before it is still good, older ones are not."""
        first = self.keys[ANN]
        self.make(self.turn())
        second = self.keys[ANN]
        self.assertNotEqual(first, second)
        self.remake(self.turn())
        self.assertEqual(self.make(self.turn(key=first)).status, 9)
        self.assertEqual(self.result(self.store.sync_folders(ANN, first)).status, 9)

    def test_wrongKeys(self) -> None:
        """A key that is not this device's is Status 9, and nothing is done: 0, invented, of another device or user."""
        for key in ("0", "1", "x" * 65, "{0}1", self.keys[ANN] + "0"):
            self.assertEqual(self.make(self.turn(key=key)), Arranged(9))
            self.assertEqual(self.result(self.store.repeated(self.turn(key=key))), Arranged(9))
        self.assertEqual(self.make(self.turn(BOB, self.keys[ANN])).status, 9)
        self.assertEqual(len(self.result(self.store.folders("ann"))), 4)

    def test_repeated(self) -> None:
        """The same command again has the same answer, and is not executed twice."""
        turn = self.turn()
        self.assertIsNone(self.result(self.store.repeated(turn)))
        first = self.make(turn, given=False)
        again = self.result(self.store.repeated(turn))
        self.assertEqual(again, Arranged(1, first.key, first.folder, replayed=True))
        self.assertEqual(self.result(self.store.arrange(self.arrangement(main=""), turn)), again)

    def test_repeatedAfterAKill(self) -> None:
        """So it is after a restart."""
        turn = self.turn()
        first = self.make(turn, given=False)
        self.store = self.restart()
        self.assertEqual(self.result(self.store.repeated(turn)).key, first.key)

    def test_lostAnswer(self) -> None:
        """A device whose answer was lost is told by FolderSync with the key that it has."""
        before = self.keys[ANN]
        self.make(self.turn(), given=False)
        self.assertTrue(self.news())
        self.assertEqual(self.told(key=before), (["Home"], [], []))
        self.assertFalse(self.news())
        self.assertEqual(self.told(), ([], [], []))

    def test_lostAnswerOtherCommand(self) -> None:
        """If it gives another command instead, FolderSync tells it of the first one."""
        before = self.keys[ANN]
        self.make(self.turn(key=before), given=False)
        self.rename_with_home(self.turn(key=before))
        self.assertEqual(self.told(), (["Home"], [], []))

    def rename_with_home(self, turn: Turn) -> Arranged:
        job = FoundFolder(".Job", "Job", FolderType.USER_MAIL)
        sub = FoundFolder(".Job.Sub", "Sub", FolderType.USER_MAIL, ".Job")
        moved = ((".Work", ".Job"), (".Work.Sub", ".Job.Sub"))
        return self.arrange(self.arrangement(INBOX, TRASH, HOME, job, sub, main=".Job", moved=moved), turn)

    def test_lostRemoval(self) -> None:
        """A removal whose answer was lost is told, too."""
        before = self.keys[ANN]
        self.arrange(self.arrangement(INBOX, TRASH, WORK, main=".Work.Sub", removed=(".Work.Sub",)), self.turn(), False)
        self.assertEqual(self.told(key=before), ([], [], [self.ids[".Work.Sub"]]))

    # The directories.

    def test_notYetCarriedOut(self) -> None:
        """As long as directories are still to be changed, what is found of them is not believed."""
        for what in (self.make, self.rename, self.remove):
            with self.subTest(what.__name__):
                self.setUp()
                found = list(self.live)
                arranged = what(self.turn(), strike=False)
                live, changes = self.result(self.store.record_hierarchy("ann", found))
                self.assertEqual(changes, [])
                self.assertEqual({one.path for one in live}, {one.path for one in self.live})
                self.result(self.store.done([intent.id for intent in arranged.intents]))
                self.assertEqual(self.result(self.store.record_hierarchy("ann", self.live))[1], [])
                self.assertNotEqual(self.result(self.store.record_hierarchy("ann", found))[1], [])

    def test_notYetCarriedOutOfAnother(self) -> None:
        """That holds for the folders of this user alone."""
        self.make(self.turn(), strike=False)
        [found], changes = self.result(self.store.record_hierarchy("bob", [INBOX]))
        self.assertEqual((found.path, len(changes)), ("", 1))

    def test_itemsBesideAFolder(self) -> None:
        """A folder that is still to be changed is no mail that comes or goes."""
        self.make(self.turn(), strike=False)
        self.assertEqual(len(self.record(self.mail(".Home"), self.mail("a"))), 1)
        self.assertEqual(set(self.result(self.store.listing(self.inbox))), {".Home", "a"})

    def test_pendingAfterAKill(self) -> None:
        """What was not carried out is found after a kill, in order."""
        arranged = self.rename(self.turn(), strike=False)
        self.store = self.restart()
        self.assertEqual(self.result(self.store.pending()), list(arranged.intents))
