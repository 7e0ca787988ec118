"""The contract of L{ILedger} as far as sources use it: records and intents."""

from __future__ import annotations

from twisted.internet.defer import fail
from zope.interface.verify import verifyObject

from gateway.interfaces import BackendDown, ILedger
from gateway.model import Amend, Change, Found, IntentKind, Remove, SyncOutcome
from tests.contract.store import DAY, INBOX, NOW, WORK, StoreCase


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

    def test_struckOutLater(self) -> None:
        """What was done but could not be struck out is struck out by the next flush: as long as it is pending, what
        others do to that mail is not seen."""
        [id] = self.deliver("a")
        [intent] = self.ask(Amend(id, add="S")).intents
        run, self.store.database.run = self.store.database.run, lambda *work: fail(BackendDown("locked"))
        self.failureResultOf(self.store.done([intent.id]), BackendDown)
        self.failureResultOf(self.store.flush(), BackendDown)
        self.store.database.run = run
        self.assertEqual(self.result(self.store.pending()), [intent])
        self.result(self.store.flush())
        self.assertEqual(self.result(self.store.pending()), [])

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
