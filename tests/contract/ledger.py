"""The contract of L{ILedger} as far as sources use it: folders, records, intents, and what is forgotten."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from gateway.interfaces import ILedger
from gateway.model import Amend, Change, FolderType, Found, FoundFolder, IntentKind, Remove, Standing, SyncOutcome
from tests.contract.store import ANN, BOB, DAY, INBOX, NOW, TABLET, TRASH, WORK, StoreCase


class LedgerContract(StoreCase):
    """Recording what sources see."""

    def test_interface(self) -> None:
        """The store provides L{ILedger}."""
        self.assertTrue(verifyObject(ILedger, self.store))

    def test_unknownUser(self) -> None:
        """A user never recorded has no folders."""
        self.assertEqual(self.result(self.store.folders("nobody")), [])

    def test_newItems(self) -> None:
        """New items get the next numbers and are listed with their states, the letters sorted."""
        changes = self.record(self.mail("a", "SF"), self.mail("b"))
        self.assertEqual(changes, [Change(self.inbox, 2)])
        self.assertEqual(self.result(self.store.listing(self.inbox)), {"a": "FS", "b": ""})
        self.assertEqual(sorted(item.number for item in self.items().values()), [1, 2])

    def test_nothingNew(self) -> None:
        """Recording what is already so costs no number and reports no Change."""
        self.record(self.mail("a", "S"))
        self.assertEqual(self.record(self.mail("a", "S"), gone=["never-there"]), [])

    def test_changedState(self) -> None:
        """A changed state moves the item up to a new number under the same id."""
        self.record(self.mail("a"), self.mail("b"))
        before = self.items()["a"]
        self.assertEqual(self.record(self.mail("a", "S")), [Change(self.inbox, 3)])
        after = self.items()["a"]
        self.assertEqual((after.id, after.number, after.state), (before.id, 3, "S"))

    def test_receivedIsKept(self) -> None:
        """The time of reception is that of the first sight."""
        self.record(self.mail("a", age=3))
        self.record(self.mail("a", "S", age=0))
        self.assertEqual(self.items()["a"].received, NOW - 3 * DAY)

    def test_gone(self) -> None:
        """What is gone is in no listing and cannot be read by its id."""
        self.record(self.mail("a"))
        id = self.id_of("a")
        self.assertEqual(self.record(gone=["a"]), [Change(self.inbox, 2)])
        self.assertEqual(self.result(self.store.listing(self.inbox)), {})
        self.assertEqual(self.result(self.store.items("ann", [id])), [])

    def test_comesBack(self) -> None:
        """A name that comes back is a new item with a new id."""
        self.record(self.mail("a"))
        first = self.id_of("a")
        self.record(gone=["a"])
        self.record(self.mail("a"))
        self.assertNotEqual(self.id_of("a"), first)

    def test_foundWins(self) -> None:
        """A name that was both found and gone is there."""
        self.record(self.mail("a"), gone=["a"])
        self.assertEqual(list(self.result(self.store.listing(self.inbox))), ["a"])

    def test_severalFolders(self) -> None:
        """One call records several folders, each with its own numbers."""
        seen = {
            self.inbox: ([self.mail("a", age=2), self.mail("b", age=2)], []),
            self.trash: ([self.mail("c", age=2)], []),
        }
        self.assertEqual(self.result(self.store.record(seen)), [Change(self.inbox, 2), Change(self.trash, 1)])

    def test_fresh(self) -> None:
        """A Change is fresh if its Version is that of an item received within every window."""
        for found, gone, fresh in (
            ([self.mail("old", age=2)], [], False),
            ([self.mail("older", age=3), self.mail("new")], [], True),
            ([self.mail("new", "S")], [], False),
            ([], ["new"], False),
            ([self.mail("newer")], ["old"], True),
        ):
            [change] = self.result(self.store.record({self.inbox: (found, gone)}))
            self.assertEqual(change.fresh, fresh, (found, gone))

    def test_unknownFolder(self) -> None:
        """A folder that is not there any more is passed over."""
        self.assertEqual(self.record(self.mail("a"), folder=4711), [])

    def test_itemsInTheOrderAsked(self) -> None:
        """Items come in the order asked, those that are not there left out."""
        first, second = self.deliver("a", "b")
        found = self.result(self.store.items("ann", [second, 4711, first]))
        self.assertEqual([item.id for item in found], [second, first])

    def test_itemsOfOthers(self) -> None:
        """Nobody reads the items of another user."""
        [id] = self.deliver("a")
        self.assertEqual(self.result(self.store.items("bob", [id])), [])

    def test_manyItems(self) -> None:
        """More items at once than fit into one statement are recorded, listed and read."""
        many = [Found(f"m{n}", "", NOW + n) for n in range(1500)]
        self.record(*many)
        self.assertEqual(self.record(*many), [])
        self.assertEqual(len(self.result(self.store.listing(self.inbox))), 1500)
        self.record(gone=[one.name for one in many[10:]])
        self.assertEqual(len(self.result(self.store.items("ann", range(1, 3000)))), 10)

    def test_timesOutOfReason(self) -> None:
        """A time of reception that no clock can show does not break the ledger."""
        self.record(Found("past", "", -(1 << 70)), Found("future", "", 1 << 70))
        self.assertEqual(self.names(self.sync(self.sync("0").key)), ["future", "past"])

    def test_listed(self) -> None:
        """What the source noted is kept per folder."""
        self.result(self.store.listed({self.inbox: "17.5", self.trash: "3"}))
        noted = {folder.path: folder.listed for folder in self.result(self.store.folders("ann"))}
        self.assertEqual(noted, {"": "17.5", ".Trash": "3"})

    def test_listedNothing(self) -> None:
        """Nothing to note is no failure."""
        self.assertIsNone(self.result(self.store.listed({})))

    def test_everything(self) -> None:
        """All live folders of all users, without those removed."""
        self.folders(INBOX, WORK)
        self.folders(INBOX, user="bob")
        found = [(folder.user, folder.path) for folder in self.result(self.store.everything())]
        self.assertEqual(found, [("ann", ""), ("ann", ".Work"), ("bob", "")])

    def test_survivesRestart(self) -> None:
        """What was recorded is there after a kill, and the keys are still of the same database."""
        self.record(self.mail("a", "S"))
        key = self.start()
        self.store = self.restart()
        self.assertEqual(self.result(self.store.listing(self.inbox)), {"a": "S"})
        self.assertEqual(self.sync(key).status, 1)


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


class IntentContract(StoreCase):
    """What the source has still to do: the ledger is ahead of the files, and an echo does not turn it back."""

    def ask(self, *commands: Amend | Remove, **more: int) -> SyncOutcome:
        """A Sync with commands, whose intents are not carried out yet."""
        return self.sync(self.start(), *commands, carried_out=False, **more)

    def test_flags(self) -> None:
        """A client's change of letters is to be done to the file, and pending until it is."""
        [id] = self.deliver("a")
        self.record(self.mail("a", "FR"))
        outcome = self.ask(Amend(id, add="S", remove="F"))
        [intent] = outcome.intents
        self.assertEqual((intent.kind, intent.user, intent.path, intent.name), (IntentKind.FLAGS, "ann", "", "a"))
        self.assertEqual((intent.add, intent.remove), ("S", "F"))
        self.assertEqual(self.result(self.store.pending()), [intent])
        self.result(self.store.done([intent.id]))
        self.assertEqual(self.result(self.store.pending()), [])

    def test_pendingAfterRestart(self) -> None:
        """What was not done before a kill is still known."""
        [id] = self.deliver("a")
        outcome = self.ask(Remove(id))
        self.store = self.restart()
        self.assertEqual(self.result(self.store.pending()), list(outcome.intents))

    def test_echoOfPendingFlags(self) -> None:
        """A file seen before its letters were changed is no news, and other letters on it are."""
        [id] = self.deliver("a")
        self.ask(Amend(id, add="S"))
        self.assertEqual(self.record(self.mail("a", "")), [])
        self.record(self.mail("a", "F"))
        self.assertEqual(self.items()["a"].state, "FS")

    def test_echoAfterFlags(self) -> None:
        """The echo of a file that was changed as asked is no news."""
        [id] = self.deliver("a")
        outcome = self.ask(Amend(id, add="S"))
        self.result(self.store.done([intent.id for intent in outcome.intents]))
        self.assertEqual(self.record(self.mail("a", "S")), [])

    def test_delete(self) -> None:
        """Without a folder for deletions the file is to be deleted, and until then it is no new item."""
        [id] = self.deliver("a")
        outcome = self.ask(Remove(id))
        self.assertEqual([intent.kind for intent in outcome.intents], [IntentKind.DELETE])
        self.assertEqual(self.record(self.mail("a")), [])
        self.result(self.store.done([intent.id for intent in outcome.intents]))
        self.assertEqual(self.record(self.mail("a")), [Change(self.inbox, 3)])

    def test_move(self) -> None:
        """With one the file is to be moved there; it is new in the trash, with its state, and gone here."""
        [id] = self.deliver("a")
        self.record(self.mail("a", "S"))
        outcome = self.ask(Remove(id), trash=self.trash)
        [intent] = outcome.intents
        self.assertEqual((intent.kind, intent.to, intent.to_name), (IntentKind.MOVE, ".Trash", "a"))
        self.assertEqual(outcome.changes, (Change(self.inbox, 3), Change(self.trash, 1)))
        self.assertEqual(self.result(self.store.listing(self.trash)), {"a": "S"})
        self.assertEqual(self.result(self.store.listing(self.inbox)), {})

    def test_echoOfPendingMove(self) -> None:
        """Until the file is moved it is neither new where it was nor gone where it is to be."""
        [id] = self.deliver("a")
        outcome = self.ask(Remove(id), trash=self.trash)
        self.assertEqual(self.record(self.mail("a")), [])
        self.assertEqual(self.record(gone=["a"], folder=self.trash), [])
        self.result(self.store.done([intent.id for intent in outcome.intents]))
        self.assertEqual(self.record(gone=["a"], folder=self.trash), [Change(self.trash, 2)])

    def test_nameTakenInTrash(self) -> None:
        """A name that is taken in the trash is changed so that its size (C{,S=}) can still be read."""
        self.deliver("1.M2.host,S=7", folder=self.trash)
        self.record(self.mail("1.M2.host,S=7"))
        [id] = [item.id for item in self.result(self.store.items("ann", range(99))) if item.folder == self.inbox]
        [intent] = self.ask(Remove(id), trash=self.trash).intents
        self.assertEqual(intent.to_name, f"1.M2.host-{id},S=7")
        self.assertEqual(set(self.result(self.store.listing(self.trash))), {"1.M2.host,S=7", intent.to_name})

    def test_deletingInTheTrash(self) -> None:
        """What is deleted in the trash is deleted for good."""
        [id] = self.deliver("a", folder=self.trash)
        key = self.start(folder=self.trash)
        outcome = self.sync(key, Remove(id), folder=self.trash, trash=self.trash)
        self.assertEqual([intent.kind for intent in outcome.intents], [IntentKind.DELETE])

    def test_flagThenDelete(self) -> None:
        """A mail that is marked and deleted in one request arrives marked in the trash."""
        [id] = self.deliver("a")
        outcome = self.ask(Amend(id, add="S"), Remove(id), trash=self.trash)
        self.assertEqual([intent.kind for intent in outcome.intents], [IntentKind.FLAGS, IntentKind.MOVE])
        self.assertEqual(self.result(self.store.pending()), list(outcome.intents))
        self.assertEqual(self.result(self.store.listing(self.trash)), {"a": "S"})

    def test_detailsOfAFlag(self) -> None:
        """What the file cannot hold is kept beside it, until another program clears or sets the flag."""
        [id] = self.deliver("a")
        details = {"flag": {"FlagType": "Follow up"}}
        self.sync(self.start(), Amend(id, add="F", extra=details))
        self.assertEqual(self.items()["a"].extra, details)
        self.record(self.mail("a", "FS"))
        self.assertEqual(self.items()["a"].extra, details)
        self.record(self.mail("a", "S"))
        self.assertEqual(self.items()["a"].extra, {})

    def test_detailsGoWithTheFlag(self) -> None:
        """A client that clears the flag clears its details, and nothing else that is kept."""
        [id] = self.deliver("a")
        key = self.sync(self.start(), Amend(id, add="F", extra={"flag": {"a": "b"}, "other": 1})).key
        self.sync(key, Amend(id, remove="F"))
        self.assertEqual(self.items()["a"].extra, {"other": 1})


class CompactionContract(StoreCase):
    """Rule 5: removals are forgotten when nobody has to be told of them any more, or after a time."""

    def compact(self, before: int = 0) -> int:
        return self.result(self.store.compact(before))

    def test_noKeys(self) -> None:
        """Without devices nothing has to be remembered."""
        self.deliver("a", "b")
        self.record(gone=["a"])
        self.assertEqual(self.compact(), 1)
        self.assertEqual(self.result(self.store.listing(self.inbox)), {"b": ""})

    def test_needed(self) -> None:
        """A removal stays for as long as the key of one device is below it."""
        self.deliver("a", "b")
        key, other = self.start(), self.start(TABLET)
        self.record(gone=["a"])
        key = self.sync(key).key
        self.sync(key)
        self.assertEqual(self.compact(), 0)
        other = self.sync(other, device=TABLET).key
        self.sync(other, device=TABLET)
        self.assertEqual(self.compact(), 1)
        self.assertEqual((self.sync(key).status, self.sync(other, device=TABLET).status), (1, 1))

    def test_previousKeyNeedsItToo(self) -> None:
        """While the answer may be lost, the key before the newest still needs the removal."""
        [id] = self.deliver("a")
        key = self.start()
        self.record(gone=["a"])
        self.sync(key)
        self.assertEqual(self.compact(), 0)
        self.assertEqual(self.told(self.sync(key)), [("Delete", id)])

    def test_tooOld(self) -> None:
        """After the time to keep, a removal goes all the same; a key below it is then invalid."""
        self.deliver("a", "b")
        key = self.start()
        self.record(gone=["a"])
        self.assertEqual(self.compact(NOW), 0)
        self.assertEqual(self.compact(NOW + 1), 1)
        self.assertEqual(self.look().standing, Standing.UNSYNCED)
        self.assertEqual(self.result(self.store.estimate(ANN, self.inbox, key, None, NOW)), (4, 0))
        outcome = self.sync(key)
        self.assertEqual((outcome.status, outcome.key), (3, "0"))
        self.assertEqual(self.names(self.sync(self.sync("0").key)), ["b"])

    def test_quietDevice(self) -> None:
        """A device that was never concerned goes on with its key, however old what it did not need is."""
        self.deliver("new")
        key = self.start(filter=1)
        self.record(self.mail("old", age=5))
        self.record(gone=["old"])
        self.assertEqual(self.compact(NOW + 1), 1)
        self.assertEqual(self.look().standing, Standing.SYNCED)
        self.assertEqual(self.sync(key).status, 1)

    def test_behindOfOneWithNews(self) -> None:
        """A device that has been told of everything is not hurt by one that has not."""
        self.deliver("a", "b")
        key, other = self.start(), self.start(TABLET)
        self.record(gone=["a"])
        self.sync(self.sync(key).key)
        self.assertEqual(self.compact(NOW + 1), 1)
        self.assertEqual(self.look().standing, Standing.SYNCED)
        self.assertEqual(self.sync(other, device=TABLET).status, 3)

    def test_removedFolder(self) -> None:
        """A removed folder is forgotten with whatever was in it; devices are still told, its id is not used again."""
        first = self.result(self.store.sync_folders(ANN, "0"))
        self.deliver("a", "b")
        self.start()
        self.folders(TRASH)
        self.compact()
        second = self.result(self.store.sync_folders(ANN, first.key))
        self.assertEqual(second.deleted, (self.inbox,))
        self.result(self.store.sync_folders(ANN, second.key))
        self.compact()
        [again] = [folder for folder in self.folders(INBOX, TRASH) if folder.path == ""]
        self.assertGreater(again.id, self.trash)
        self.assertEqual(self.result(self.store.listing(again.id)), {})

    def test_missesNothing(self) -> None:
        """A device that has something to be told is told of it, whatever was forgotten."""
        self.deliver("a", "b")
        key = self.start()
        self.record(gone=["a"])
        key = self.sync(self.sync(key).key).key
        [c] = self.deliver("c")
        self.assertEqual(self.compact(), 1)
        self.assertEqual(self.told(self.sync(key)), [("Add", c)])

    def test_lostAnswer(self) -> None:
        """A change whose answer was lost is not taken for known when old things are forgotten."""
        a, _ = self.deliver("a", "b")
        self.record(gone=["b"])
        key = self.start()
        self.sync(key, Amend(a, add="S"), given=False)
        self.assertEqual(self.compact(), 1)
        self.assertEqual(self.told(self.sync(key)), [("Change", a)])

    def test_hierarchyTooOld(self) -> None:
        """A hierarchy key below what was forgotten is Status 9, and a look says so."""
        first = self.result(self.store.sync_folders(ANN, "0"))
        self.store.given(ANN, 0, first.key)
        self.folders(INBOX)
        self.compact(NOW + 1)
        self.assertEqual(self.result(self.store.look(ANN, [], False)).hierarchy.standing, Standing.UNSYNCED)
        self.assertEqual(self.result(self.store.sync_folders(ANN, first.key)).status, 9)
