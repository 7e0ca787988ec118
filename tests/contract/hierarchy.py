"""The contract of L{ILedger} about folders."""

from __future__ import annotations

from gateway.model import Change, FolderType, FoundFolder, Standing
from tests.contract.store import ANN, BOB, INBOX, NOW, TABLET, TRASH, WORK, StoreCase


class HierarchyContract(StoreCase):
    """Rule 8: the hierarchy is one more folder."""

    def hierarchy(self, key: str = "0", device: object = ANN) -> object:
        outcome = self.result(self.store.sync_folders(device, key))
        self.store.given(device, 0, outcome.key)
        return outcome

    def paths(self, folders: object) -> list[str]:
        return [folder.path for folder in folders]  # type: ignore[attr-defined]

    def test_idsStay(self) -> None:
        """A path keeps its id for as long as it is there, and gets a new one when it comes back."""
        [inbox, trash] = self.folders(INBOX, TRASH)
        self.assertEqual((inbox.id, trash.id), (self.inbox, self.trash))
        self.folders(INBOX)
        [_, again] = self.folders(INBOX, TRASH)
        self.assertGreater(again.id, trash.id)

    def test_nothingNew(self) -> None:
        """The same folders again are no Change."""
        self.assertEqual(self.result(self.store.record_hierarchy("ann", [INBOX, TRASH]))[1], [])

    def test_parentsFirst(self) -> None:
        """Folders come parents before children, in whatever order they were found."""
        deep = FoundFolder(".A.B.C", "C", FolderType.USER_MAIL, ".A.B")
        middle = FoundFolder(".A.B", "B", FolderType.USER_MAIL, ".A")
        top = FoundFolder(".A", "A", FolderType.USER_MAIL)
        live = self.folders(deep, middle, INBOX, top, user="bob")
        ids = {folder.path: folder.id for folder in live}
        self.assertLess(self.paths(live).index(".A"), self.paths(live).index(".A.B"))
        self.assertLess(self.paths(live).index(".A.B"), self.paths(live).index(".A.B.C"))
        self.assertEqual([folder.parent for folder in live if folder.path == ".A.B.C"], [ids[".A.B"]])
        bob = self.result(self.store.folders("bob"))
        self.assertEqual(
            {folder.path: folder.parent for folder in bob}, {folder.path: folder.parent for folder in live}
        )

    def test_parentThatIsNotThere(self) -> None:
        """A folder whose parent was not found is at the top, and so is one that is its own ancestor."""
        orphan = FoundFolder(".X.Y", "Y", FolderType.USER_MAIL, ".X")
        [found] = self.folders(orphan, user="bob")
        self.assertEqual(found.parent, 0)
        one = FoundFolder(".P", "P", FolderType.USER_MAIL, ".Q")
        two = FoundFolder(".Q", "Q", FolderType.USER_MAIL, ".P")
        self.assertEqual(len(self.folders(one, two, user="carl")), 2)

    def test_first(self) -> None:
        """Key 0 gives every folder."""
        outcome = self.hierarchy()
        self.assertEqual((outcome.status, self.paths(outcome.added)), (1, ["", ".Trash"]))
        self.assertEqual((outcome.updated, outcome.deleted), ((), ()))

    def test_noChange(self) -> None:
        """Without a change the key stays and nothing is told."""
        first = self.hierarchy()
        again = self.hierarchy(first.key)
        self.assertEqual((again.status, again.key), (1, first.key))
        self.assertEqual((again.added, again.updated, again.deleted), ((), (), ()))

    def test_changes(self) -> None:
        """A new, a renamed and a removed folder are told once, with a new key."""
        first = self.hierarchy()
        self.folders(FoundFolder("", "Posteingang", FolderType.INBOX), WORK)
        second = self.hierarchy(first.key)
        self.assertNotEqual(second.key, first.key)
        self.assertEqual(self.paths(second.added), [".Work"])
        self.assertEqual([folder.name for folder in second.updated], ["Posteingang"])
        self.assertEqual(second.deleted, (self.trash,))
        third = self.hierarchy(second.key)
        self.assertEqual((third.added, third.updated, third.deleted), ((), (), ()))

    def test_newParent(self) -> None:
        """A folder that moves below another is an update."""
        self.folders(INBOX, TRASH, WORK)
        first = self.hierarchy()
        self.folders(INBOX, TRASH, FoundFolder(".Work", "Work", FolderType.USER_MAIL, ""))
        [moved] = self.hierarchy(first.key).updated
        self.assertEqual((moved.path, moved.parent), (".Work", self.inbox))

    def test_severalChangesSeveralNumbers(self) -> None:
        """Each difference has a number of its own, and the Change names the last."""
        _, [before] = self.result(self.store.record_hierarchy("bob", [INBOX]))
        _, [change] = self.result(self.store.record_hierarchy("bob", [INBOX, TRASH, WORK]))
        self.assertEqual(change, Change(before.folder, before.version + 2))

    def test_lostAnswer(self) -> None:
        """The key before the newest is taken, and what its answer said is found out again."""
        first = self.hierarchy()
        self.folders(INBOX, TRASH, WORK)
        lost = self.hierarchy(first.key)
        again = self.hierarchy(first.key)
        self.assertEqual(self.paths(again.added), [".Work"])
        self.assertNotIn(again.key, (lost.key, first.key))
        self.assertEqual(self.hierarchy(lost.key).status, 9)

    def test_wrongKeys(self) -> None:
        """Any other key is Status 9: old ones, invented ones, those of other devices and folders."""
        first = self.hierarchy()
        self.folders(INBOX, TRASH, WORK)
        second = self.hierarchy(first.key)
        self.hierarchy(second.key)
        for key in (first.key, "1", "", "x" * 65, "{}1", second.key + "0", "{0}1"):
            self.assertEqual(self.hierarchy(key).status, 9, key)
        self.assertEqual(self.hierarchy(second.key, TABLET).status, 9)

    def test_folderForAnother(self) -> None:
        """The folders of one user are nothing to another."""
        first = self.hierarchy()
        self.folders(INBOX, WORK, user="bob")
        self.assertEqual(self.hierarchy(first.key).key, first.key)
        self.assertEqual(self.paths(self.hierarchy(device=BOB).added), ["", ".Work"])

    def test_userNeverRecorded(self) -> None:
        """A device of a user without folders gets an empty hierarchy, and is told when there are some."""
        first = self.hierarchy(device=BOB)
        self.assertEqual((first.status, first.added), (1, ()))
        self.folders(INBOX, user="bob")
        self.assertEqual(self.paths(self.hierarchy(first.key, BOB).added), [""])

    def test_look(self) -> None:
        """A look finds a change of the hierarchy, once it has been synchronised at all."""
        looked = self.result(self.store.look(ANN, [], False))
        self.assertEqual(looked.hierarchy.standing, Standing.UNSYNCED)
        first = self.hierarchy()
        looked = self.result(self.store.look(ANN, [], False))
        self.assertEqual((looked.hierarchy.standing, looked.hierarchy.news), (Standing.SYNCED, False))
        self.folders(INBOX)
        looked = self.result(self.store.look(ANN, [], True))
        self.assertTrue(looked.hierarchy.news)
        self.hierarchy(first.key)
        self.assertFalse(self.result(self.store.look(ANN, [], False)).hierarchy.news)

    def test_changeNamesTheHierarchy(self) -> None:
        """A Change of the hierarchy is of the folder that a look names."""
        _, [change] = self.result(self.store.record_hierarchy("ann", [INBOX]))
        looked = self.result(self.store.look(ANN, [], False))
        self.assertEqual(change, Change(looked.hierarchy_folder, looked.hierarchy.number))

    def test_hierarchyIsNoMailFolder(self) -> None:
        """The hierarchy's folder cannot be synchronised, estimated or watched as if it were one."""
        home = self.result(self.store.look(ANN, [], False)).hierarchy_folder
        self.assertEqual(self.sync("0", folder=home).status, 12)
        self.assertEqual(self.result(self.store.estimate(ANN, home, "0", None, NOW)), (2, 0))
        self.assertEqual(self.look(folder=home).standing, Standing.UNKNOWN)

    def test_removedFolder(self) -> None:
        """With a folder go its items and its keys."""
        [id] = self.deliver("a")
        key = self.start()
        self.folders(TRASH)
        self.assertEqual(self.result(self.store.items("ann", [id])), [])
        self.assertEqual(self.sync(key).status, 12)
        self.assertEqual(self.look().standing, Standing.UNKNOWN)
        self.assertEqual(self.record(self.mail("b")), [])
