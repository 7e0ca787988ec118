"""The contract of L{ILedger} about what clients change."""

from __future__ import annotations

from gateway.interfaces import BackendDown
from gateway.model import Amend, Change, Op, Remove, Result, SyncOptions, SyncRequest
from tests.contract.store import ANN, INBOX, NOW, TABLET, StoreCase


class CommandContract(StoreCase):
    """Rules 3 and 6: who made a change, who must be told, and who wins."""

    def test_ownChange(self) -> None:
        """A device's own change is not told to it and does not wake it, but the others are told."""
        [a] = self.deliver("a")
        key, other = self.start(), self.start(TABLET)
        outcome = self.sync(key, Amend(a, add="S"))
        self.assertEqual((outcome.results, outcome.batch, outcome.advanced), ((), (), True))
        self.assertEqual(outcome.changes, (Change(self.inbox, 2),))
        self.assertFalse(self.look().news)
        self.assertTrue(self.look(TABLET).news)
        [row] = self.sync(other, device=TABLET).batch
        self.assertEqual((row.op, row.item and row.item.state), (Op.CHANGE, "S"))

    def test_ownDeletion(self) -> None:
        """The same for a deletion; and the trash is news to all, for nobody has it there yet."""
        [a] = self.deliver("a")
        key, other = self.start(), self.start(TABLET)
        trash = self.start(folder=self.trash)
        outcome = self.sync(key, Remove(a), trash=self.trash)
        self.assertEqual((outcome.results, outcome.batch), ((), ()))
        self.assertFalse(self.look().news)
        self.assertTrue(self.look(folder=self.trash).news)
        self.assertEqual(self.names(self.sync(trash, folder=self.trash)), ["a"])
        self.assertEqual(self.told(self.sync(other, device=TABLET)), [("Delete", a)])

    def test_ownChangesWithoutAnAnswer(self) -> None:
        """Many own changes in requests that want no changes never wake the device."""
        ids = self.deliver("a", "b", "c")
        key = self.start()
        for id in ids:
            key = self.sync(key, Amend(id, add="S"), get_changes=False).key
            self.assertFalse(self.look().news)
        self.assertEqual(self.sync(key).batch, ())

    def test_oneDoesNotHideTheOther(self) -> None:
        """Phone A's flag does not hide phone B's read mark: A is told of the mail, which it does not hold exactly."""
        [a] = self.deliver("a")
        key, other = self.start(), self.start(TABLET)
        self.sync(other, Amend(a, add="S"), device=TABLET)
        outcome = self.sync(key, Amend(a, add="F"), get_changes=False)
        self.assertEqual(outcome.results, ())
        self.assertEqual(self.items()["a"].state, "FS")
        self.assertTrue(self.look().news)
        [row] = self.sync(outcome.key).batch
        self.assertEqual((row.op, row.item and row.item.state), (Op.CHANGE, "FS"))
        self.assertTrue(self.look(TABLET).news)

    def test_changeAfterOwnChange(self) -> None:
        """A second own change on top of the first is still the device's own."""
        [a] = self.deliver("a")
        key = self.sync(self.start(), Amend(a, add="S"), get_changes=False).key
        self.sync(key, Amend(a, add="F"), get_changes=False)
        self.assertFalse(self.look().news)

    def test_changedByAnotherProgramAfterwards(self) -> None:
        """What another program does to an item that the device changed is news to it."""
        [a] = self.deliver("a")
        key = self.sync(self.start(), Amend(a, add="S")).key
        self.record(self.mail("a", ""))
        self.assertTrue(self.look().news)
        self.assertEqual(self.told(self.sync(key)), [("Change", a)])

    def test_removedByAnotherProgramAfterwards(self) -> None:
        """And so is that it removes it."""
        [a] = self.deliver("a")
        key = self.sync(self.start(), Amend(a, add="S")).key
        self.record(gone=["a"])
        self.assertTrue(self.look().news)
        self.assertEqual(self.told(self.sync(key)), [("Delete", a)])

    def test_changeOfWhatIsNotHeld(self) -> None:
        """A device that changes what it does not hold for certain (the answer with it was lost) is still given it."""
        key = self.start()
        _, b = self.deliver("a", "b")
        key = self.sync(key, window=1).key
        self.assertEqual(self.told(self.sync(key, given=False)), [("Add", b)])
        outcome = self.sync(key, Amend(b, add="S"))
        self.assertEqual([(row.op, row.item and row.item.state) for row in outcome.batch], [(Op.ADD, "S")])

    def test_nothingChanged(self) -> None:
        """A command that changes nothing costs no number and leaves nothing to do."""
        [a] = self.deliver("a")
        outcome = self.sync(self.start(), Amend(a, remove="S"), Amend(a))
        self.assertEqual((outcome.results, outcome.intents, outcome.changes), ((), (), ()))
        self.assertEqual(self.items()["a"].number, 1)

    def test_clearWhatWasSet(self) -> None:
        """Letters that are set and cleared in one request leave nothing to do for the file."""
        [a] = self.deliver("a")
        outcome = self.sync(self.start(), Amend(a, add="S"), Amend(a, remove="S"))
        self.assertEqual((outcome.results, outcome.intents, self.items()["a"].state), ((), (), ""))

    def test_notFound(self) -> None:
        """Items that are not there, are in another folder or are another user's get Status 8; the rest is done."""
        [a] = self.deliver("a")
        [elsewhere] = self.deliver("b", folder=self.trash)
        [inbox] = self.folders(INBOX, user="bob")
        self.record(self.mail("c"), folder=inbox.id)
        foreign = self.items("bob")["c"].id
        commands = (
            Amend(4711, add="S"),
            Remove(elsewhere),
            Amend(foreign, add="S"),
            Remove(foreign),
            Amend(a, add="S"),
        )
        outcome = self.sync(self.start(), *commands)
        self.assertEqual(outcome.results, tuple(Result(index, 8) for index in range(4)))
        self.assertEqual((self.items()["a"].state, self.items("bob")["c"].state), ("S", ""))

    def test_goneMeanwhile(self) -> None:
        """Changing or deleting what somebody else deleted is Status 8, and the device is told of the deletion."""
        a, b = self.deliver("a", "b")
        key = self.start()
        self.record(gone=["a", "b"])
        outcome = self.sync(key, Amend(a, add="S"), Remove(b))
        self.assertEqual(outcome.results, (Result(0, 8), Result(1, 8)))
        self.assertEqual(self.told(outcome), [("Delete", a), ("Delete", b)])

    def test_conflict(self) -> None:
        """When somebody else changed the same letter, the server wins: Status 7, and its version follows."""
        [a] = self.deliver("a")
        self.record(self.mail("a", "S"))
        key = self.start()
        self.record(self.mail("a", ""))
        self.record(self.mail("a", "R"))
        outcome = self.sync(key, Amend(a, remove="R"), Amend(a, add="F"))
        self.assertEqual(outcome.results, (Result(0, 7),))
        [row] = outcome.batch
        self.assertEqual((row.op, row.item and row.item.state), (Op.CHANGE, "FR"))

    def test_conflictClientWins(self) -> None:
        """With Conflict 0 the client wins."""
        [a] = self.deliver("a")
        key = self.start()
        self.record(self.mail("a", "S"))
        outcome = self.sync(key, Amend(a, remove="S"), options=SyncOptions(conflict=0))
        self.assertEqual((outcome.results, self.items()["a"].state), ((), ""))

    def test_conflictOfOtherFields(self) -> None:
        """Different letters are no conflict, nor is wanting what the other one has done already."""
        [a] = self.deliver("a")
        key = self.start()
        self.record(self.mail("a", "S"))
        outcome = self.sync(key, Amend(a, add="F"), Amend(a, add="S"))
        self.assertEqual((outcome.results, self.items()["a"].state), ((), "FS"))

    def test_conflictOfDetails(self) -> None:
        """The details of a flag are one field: two devices that write different ones are in conflict."""
        [a] = self.deliver("a")
        key, other = self.start(), self.start(TABLET)
        self.sync(other, Amend(a, add="F", extra={"flag": {"Subject": "one"}}), device=TABLET)
        outcome = self.sync(key, Amend(a, add="F", extra={"flag": {"Subject": "two"}}))
        self.assertEqual(outcome.results, (Result(0, 7),))
        self.assertEqual(self.items()["a"].extra, {"flag": {"Subject": "one"}})

    def test_otherDetails(self) -> None:
        """But the details of a flag and the categories are two fields."""
        [a] = self.deliver("a")
        key, other = self.start(), self.start(TABLET)
        self.sync(other, Amend(a, add="F", extra={"flag": {"Subject": "one"}}), device=TABLET)
        extra = {"flag": {"Subject": "one"}, "categories": ["red"]}
        self.assertEqual(self.sync(key, Amend(a, extra=extra)).results, ())
        self.assertEqual(self.items()["a"].extra, extra)

    def test_fields(self) -> None:
        """A Change says which letters and which of the details are new to the device."""
        [a] = self.deliver("a")
        key, other = self.start(), self.start(TABLET)
        for amend, expected in (
            (Amend(a, add="S"), {"S"}),
            (Amend(a, add="F", extra={"flag": {"Subject": "one"}}), {"F", "flag"}),
            (Amend(a, extra={"flag": {"Subject": "two"}, "categories": ["red"]}), {"flag", "categories"}),
            (Amend(a, add="R", remove="F", extra={"categories": ["red"]}), {"F", "R", "flag"}),
            (Amend(a, extra={}), {"categories"}),
        ):
            other = self.sync(other, amend, device=TABLET).key
            outcome = self.sync(key)
            self.assertEqual([row.fields for row in outcome.batch], [expected])
            key = outcome.key

    def test_fieldsByAnotherProgram(self) -> None:
        """The same for what another program does; with a flag go the details that were not meant for the new one."""
        [a] = self.deliver("a")
        key = self.sync(self.start(), Amend(a, add="F", extra={"flag": {"Subject": "one"}})).key
        self.record(self.mail("a", "ST"))
        [row] = self.sync(key).batch
        self.assertEqual(row.fields, {"F", "S", "T", "flag"})

    def test_fieldsAddUp(self) -> None:
        """What happened in several steps since the device was told is in one Change, its own part too."""
        [a] = self.deliver("a")
        key = self.start()
        self.record(self.mail("a", "S"))
        self.record(self.mail("a", "RS"))
        [row] = self.sync(key, Amend(a, add="F")).batch
        self.assertEqual(row.fields, {"F", "R", "S"})

    def test_fieldsBehindABatch(self) -> None:
        """What was changed of an item counts too if a batch ended between that and its next change."""
        a, b = self.deliver("a", "b")
        key, other = self.start(), self.start(TABLET)
        for command in (Amend(a, add="S"), Amend(b, add="S"), Amend(a, add="F")):
            other = self.sync(other, command, device=TABLET).key
        first = self.sync(key, window=1, digest=b"x", given=False)
        self.assertEqual([(row.id, row.fields) for row in first.batch], [(b, {"S"})])
        for outcome in (self.sync(first.key, window=1, digest=b"y"), self.sync(first.key, window=1, digest=b"y")):
            self.assertEqual([(row.id, row.fields) for row in outcome.batch], [(a, {"F", "S"})])

    def test_fieldsOfOtherRows(self) -> None:
        """Only a Change says what is new."""
        _, b = self.deliver("a", "b")
        key = self.start()
        self.record(self.mail("c", "S"), gone=["a"])
        self.record(self.mail("b", "S"))
        rows = self.sync(key).batch
        self.assertEqual([(row.op, row.fields) for row in rows if row.id != b], [(Op.DELETE, None), (Op.ADD, None)])

    def test_noConflictWithOneself(self) -> None:
        """A device is never in conflict with itself, nor with what it has been told."""
        [a] = self.deliver("a")
        key = self.sync(self.start(), Amend(a, add="S"), get_changes=False).key
        outcome = self.sync(key, Amend(a, remove="S"))
        self.assertEqual(outcome.results, ())
        self.record(self.mail("a", "S"))
        key = self.sync(outcome.key).key
        self.assertEqual(self.sync(key, Amend(a, remove="S")).results, ())

    def test_deletionWins(self) -> None:
        """A deletion wins over a concurrent change."""
        [a] = self.deliver("a")
        key = self.start()
        self.record(self.mail("a", "S"))
        outcome = self.sync(key, Remove(a))
        self.assertEqual((outcome.results, outcome.batch, self.items()), ((), (), {}))
        self.assertFalse(self.look().news)

    def test_trashOfNobody(self) -> None:
        """If the folder for deletions is not there any more, nothing is deleted, and the device tries again."""
        [a] = self.deliver("a")
        key = self.start()
        [inbox] = self.folders(INBOX, user="bob")
        for trash in (4711, inbox.id):
            request = SyncRequest(key, b"", NOW, commands=(Remove(a),), trash=trash)
            self.failureResultOf(self.store.sync(ANN, self.inbox, request), BackendDown)
            self.assertEqual(self.sync(key, trash=trash).status, 1, "nothing is to be deleted")
        self.assertEqual(list(self.items()), ["a"])

    def test_repeatedDeletionInAnotherRequest(self) -> None:
        """A deletion whose answer was lost is no failure when the device asks for it again, with other things."""
        a, b = self.deliver("a", "b")
        key = self.start()
        self.sync(key, Remove(a), given=False)
        outcome = self.sync(key, Remove(a), Remove(b), get_changes=False)
        self.assertEqual(outcome.results, ())
        self.assertFalse(self.look().news)
        self.assertEqual(self.sync(outcome.key).batch, ())

    def test_repeatedChangeInAnotherRequest(self) -> None:
        """A change whose answer was lost stays the device's own when it makes it again, with other things."""
        a, b = self.deliver("a", "b")
        key = self.start()
        self.sync(key, Amend(a, add="S"), given=False)
        self.sync(key, Amend(a, add="S"), Amend(b, add="S"), get_changes=False)
        self.assertFalse(self.look().news)

    def test_givenUpChange(self) -> None:
        """A change whose answer was lost and that the device does not make again is told to it: it may not hold it."""
        a, b = self.deliver("a", "b")
        key = self.start()
        self.sync(key, Amend(a, add="S"), Remove(b), given=False)
        self.assertTrue(self.look().news)
        self.assertEqual(self.told(self.sync(key)), [("Change", a), ("Delete", b)])

    def test_givenUpPartly(self) -> None:
        """The same if it makes another change to the same item instead."""
        [a] = self.deliver("a")
        key = self.start()
        self.sync(key, Amend(a, add="FS"), given=False)
        outcome = self.sync(key, Amend(a, add="S"))
        self.assertEqual((outcome.results, self.told(outcome)), ((), [("Change", a)]))

    def test_confirmedChangeStaysOwn(self) -> None:
        """Going back one key does not make older changes foreign: those were confirmed."""
        a, b = self.deliver("a", "b")
        key = self.sync(self.start(), Amend(a, add="S"), get_changes=False).key
        self.sync(key, Amend(b, add="S"), given=False, get_changes=False)
        self.assertEqual(self.told(self.sync(key)), [("Change", b)])
