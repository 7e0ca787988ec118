"""The contract of L{ILedger} about items that go to other folders, or for good."""

from __future__ import annotations

from gateway.arrangement import DIVERTED, Moved, Shift
from gateway.model import Amend, Change, DeviceKey, IntentKind, Op
from tests.contract.store import ANN, BOB, INBOX, NOW, TABLET, TRASH, WORK, StoreCase


class MovingContract(StoreCase):
    """Ann has the folder Work beside Inbox and trash."""

    def setUp(self) -> None:
        super().setUp()
        self.work = next(one.id for one in self.folders(INBOX, TRASH, WORK) if one.path == ".Work")

    def move(self, *shifts: tuple[int, int, int], strike: bool = True, user: str = "ann") -> Moved:
        moved: Moved = self.result(self.store.move(user, [Shift(*one) for one in shifts], NOW))
        if strike:
            self.result(self.store.done([intent.id for intent in moved.intents]))
        return moved

    def statuses(self, *shifts: tuple[int, int, int], user: str = "ann") -> list[int]:
        return [status for status, _ in self.move(*shifts, user=user).results]

    def clear(self, upto: int = 1 << 40, most: int = 100, folder: int = 0) -> Moved:
        moved: Moved = self.result(self.store.clear("ann", folder or self.inbox, upto, most, NOW))
        self.result(self.store.done([intent.id for intent in moved.intents]))
        return moved

    # Moving.

    def test_moved(self) -> None:
        """An item leaves its folder and has another id in the other one; its name, letters and time stay."""
        self.record(self.mail("a", "FS", age=3))
        id = self.id_of("a")
        moved = self.move((id, self.inbox, self.work), strike=False)
        [(status, new)] = moved.results
        self.assertEqual((status, new != id), (3, True))
        [item] = self.result(self.store.items("ann", [id, new]))
        self.assertEqual((item.id, item.folder, item.name, item.state), (new, self.work, "a", "FS"))
        self.assertEqual(item.received, self.mail("a", age=3).received)
        [intent] = moved.intents
        self.assertEqual((intent.kind, intent.path, intent.name), (IntentKind.MOVE, "", "a"))
        self.assertEqual((intent.to, intent.to_name), (".Work", "a"))
        self.assertEqual(self.result(self.store.pending()), [intent])
        self.assertEqual(
            sorted(moved.changes, key=lambda one: one.folder), [Change(self.inbox, 2), Change(self.work, 1)]
        )
        self.assertEqual(sorted(moved.spans), [(self.inbox, 2, 2), (self.work, 1, 1)])

    def test_diverted(self) -> None:
        """That an item was diverted is kept with it, beside what else is, wherever it goes later."""
        [id] = self.deliver("a")
        for source, target in ((self.inbox, self.work), (self.work, self.inbox)):
            shift = Shift(id, source, target, diverted=target == self.work)
            [(_, id)] = self.result(self.store.move("ann", [shift], NOW)).results
            [item] = self.result(self.store.items("ann", [id]))
            self.assertEqual((item.folder, dict(item.extra)), (target, {DIVERTED: True}))

    def test_details(self) -> None:
        """What is kept beside the letters goes with the item."""
        [id] = self.deliver("a")
        self.sync(self.start(), Amend(id, add="F", extra={"flag": {"Subject": "x"}}))
        [(_, new)] = self.move((id, self.inbox, self.work)).results
        self.assertEqual(self.result(self.store.items("ann", [new]))[0].extra, {"flag": {"Subject": "x"}})

    def test_several(self) -> None:
        """Several items from and to several folders, in one transaction with a number for each."""
        a, b, c = self.deliver("a", "b", "c")
        [d] = self.deliver("d", folder=self.work)
        moved = self.move(
            (a, self.inbox, self.work),
            (d, self.work, self.inbox),
            (b, self.inbox, self.trash),
            (c, self.inbox, self.work),
        )
        self.assertEqual([status for status, _ in moved.results], [3, 3, 3, 3])
        found = self.result(self.store.items("ann", [id for _, id in moved.results]))
        self.assertEqual(
            [(one.name, one.folder) for one in found],
            [("a", self.work), ("d", self.inbox), ("b", self.trash), ("c", self.work)],
        )
        self.assertEqual({change.folder for change in moved.changes}, {self.inbox, self.work, self.trash})
        for folder, head in ((self.inbox, 7), (self.work, 4), (self.trash, 1)):
            self.assertIn(Change(folder, head), moved.changes)

    def test_noSource(self) -> None:
        """Status 1: no such item, an item of another folder, no such folder, another user's, or moved before."""
        [a] = self.deliver("a")
        [d] = self.deliver("d", folder=self.work)
        bobs = self.folders(INBOX, user="bob")[0].id
        for shift in (
            (4711, self.inbox, self.work),
            (d, self.inbox, self.work),
            (a, 4711, self.work),
            (0, 0, self.work),
        ):
            self.assertEqual(self.statuses(shift), [1], shift)
        self.assertEqual(self.statuses((a, self.inbox, bobs), user="bob"), [1])
        self.assertEqual(self.statuses((1 << 70, self.inbox, self.work), (-1, self.inbox, self.work)), [1, 1])
        self.assertEqual(self.statuses((a, self.inbox, self.work)), [3])
        self.assertEqual(self.statuses((a, self.inbox, self.work)), [1])

    def test_noTarget(self) -> None:
        """Status 2: no such folder, another user's, one that was removed, or the hierarchy."""
        [a] = self.deliver("a")
        bobs = self.folders(INBOX, user="bob")[0].id
        home = self.result(self.store.look(ANN, [], False)).hierarchy_folder
        for target in (4711, bobs, home, 0):
            self.assertEqual(self.statuses((a, self.inbox, target)), [2], target)
        self.folders(INBOX, TRASH)
        self.assertEqual(self.statuses((a, self.inbox, self.work)), [2])

    def test_sameFolder(self) -> None:
        """Status 4: source and destination are the same."""
        [a] = self.deliver("a")
        self.assertEqual(self.statuses((a, self.inbox, self.inbox)), [4])

    def test_twice(self) -> None:
        """Status 5: an item cannot go to two places; the first one counts."""
        [a] = self.deliver("a")
        moved = self.move((a, self.inbox, self.work), (a, self.inbox, self.trash))
        self.assertEqual([status for status, _ in moved.results], [3, 5])
        self.assertEqual([change.folder for change in moved.changes].count(self.trash), 0)

    def test_someFail(self) -> None:
        """What fails does not keep the others from being moved."""
        a, b = self.deliver("a", "b")
        self.assertEqual(self.statuses((a, self.inbox, 4711), (b, self.inbox, self.work)), [2, 3])

    def test_nothing(self) -> None:
        """Without anything to move nothing is numbered."""
        self.assertEqual(self.move(), Moved())
        self.assertEqual(self.move((4711, self.inbox, self.work)).changes, ())

    def test_nameTaken(self) -> None:
        """A name that is taken in the destination is changed so that its size can still be read, for each of several."""
        self.deliver("1.M2.host,S=7", folder=self.work)
        self.record(self.mail("1.M2.host,S=7"))
        mine = next(one for one in self.result(self.store.items("ann", range(99))) if one.folder == self.inbox)
        [intent] = self.move((mine.id, self.inbox, self.work)).intents
        self.assertEqual(intent.to_name, f"1.M2.host-{mine.id},S=7")

    def test_manyItems(self) -> None:
        """More items than fit into one statement are moved at once."""
        self.record(*(self.mail(f"m{n}") for n in range(1200)))
        ids = [one.id for one in self.items().values()]
        moved = self.move(*((id, self.inbox, self.work) for id in ids))
        self.assertEqual({status for status, _ in moved.results}, {3})
        self.assertEqual(len({id for _, id in moved.results}), 1200)
        self.assertEqual(len(self.result(self.store.listing(self.work))), 1200)

    def test_notYetCarriedOut(self) -> None:
        """Until the file is moved it is neither new where it was nor gone where it is to be."""
        [a] = self.deliver("a")
        self.move((a, self.inbox, self.work), strike=False)
        self.assertEqual(self.record(self.mail("a")), [])
        self.assertEqual(self.record(gone=["a"], folder=self.work), [])

    # Who is told.

    def start_both(self, device: DeviceKey) -> tuple[str, str]:
        return self.start(device), self.start(device, self.work)

    def test_told(self) -> None:
        """Every device, the one that moved it too, is told Delete in the one folder and Add in the other
        ([MS-ASCMD] 2.2.1.12)."""
        [a] = self.deliver("a")
        keys = {device: self.start_both(device) for device in (ANN, TABLET)}
        [(_, new)] = self.move((a, self.inbox, self.work)).results
        for device, (here, there) in keys.items():
            gone = self.sync(here, device=device)
            self.assertEqual([(row.op, row.id) for row in gone.batch], [(Op.DELETE, a)])
            come = self.sync(there, device=device, folder=self.work)
            self.assertEqual([(row.op, row.id) for row in come.batch], [(Op.ADD, new)])

    def looks(self, device: DeviceKey = ANN) -> tuple[bool, bool]:
        folders = self.result(self.store.look(device, [self.inbox, self.work], False)).folders
        return folders[self.inbox].news, folders[self.work].news

    def test_aware(self) -> None:
        """A device that is aware of a move is not woken by it; all others are."""
        [a] = self.deliver("a")
        for device in (ANN, TABLET):
            self.start_both(device)
        moved = self.move((a, self.inbox, self.work))
        self.assertEqual(self.looks(), (True, True))
        self.store.aware(ANN, moved.spans)
        self.assertEqual(self.looks(), (False, False))
        self.assertEqual(self.looks(TABLET), (True, True))

    def test_awareAddsOnly(self) -> None:
        """So it is when only additions count."""
        [a] = self.deliver("a")
        self.start_both(ANN)
        moved = self.move((a, self.inbox, self.work))
        self.assertTrue(self.look(folder=self.work, adds_only=True).news)
        self.store.aware(ANN, moved.spans)
        self.assertFalse(self.look(folder=self.work, adds_only=True).news)

    def test_awareOfTheMoveAlone(self) -> None:
        """What others do to the item afterwards wakes the device, and so does any other item."""
        [a] = self.deliver("a")
        self.start_both(ANN)
        self.store.aware(ANN, self.move((a, self.inbox, self.work)).spans)
        self.record(self.mail("b"))
        self.assertEqual(self.looks(), (True, False))
        self.record(self.mail("a", "S"), folder=self.work)
        self.assertEqual(self.looks(), (True, True))

    def test_awareOfSeveral(self) -> None:
        """Moves one after the other, with foreign news between them, are told apart."""
        a, b = self.deliver("a", "b")
        self.start_both(ANN)
        self.store.aware(ANN, self.move((a, self.inbox, self.work)).spans)
        self.record(self.mail("x"), folder=self.work)
        self.store.aware(ANN, self.move((b, self.inbox, self.work)).spans)
        self.assertEqual(self.looks(), (False, True))

    def test_unaware(self) -> None:
        """A device whose answer was lost is woken after all."""
        [a] = self.deliver("a")
        self.start_both(ANN)
        moved = self.move((a, self.inbox, self.work))
        self.store.aware(ANN, moved.spans)
        self.store.unaware(ANN, moved.spans)
        self.assertEqual(self.looks(), (True, True))

    def test_awarenessIsNoMemory(self) -> None:
        """After a kill nobody is aware of anything: rather one wake too many than a change that is missed."""
        [a] = self.deliver("a")
        self.start_both(ANN)
        self.result(self.store.flush())
        self.store.aware(ANN, self.move((a, self.inbox, self.work)).spans)
        self.store = self.restart()
        self.assertEqual(self.looks(), (True, True))

    # Clearing.

    def test_cleared(self) -> None:
        """Items are removed for good, and devices are told."""
        ids = self.deliver("a", "b")
        key = self.start()
        cleared = self.clear()
        self.assertEqual(
            [(one.kind, one.name) for one in cleared.intents], [(IntentKind.DELETE, "a"), (IntentKind.DELETE, "b")]
        )
        self.assertEqual((cleared.changes, cleared.spans), ((Change(self.inbox, 4),), ((self.inbox, 3, 4),)))
        self.assertEqual([(row.op, row.id) for row in self.sync(key).batch], [(Op.DELETE, id) for id in ids])
        self.assertEqual(self.result(self.store.listing(self.inbox)), {})

    def test_clearedInPortions(self) -> None:
        """At most so many at once, until there is none."""
        self.deliver("a", "b", "c")
        self.assertEqual([len(self.clear(most=2).intents) for _ in range(3)], [2, 1, 0])

    def test_clearedUpTo(self) -> None:
        """What came after the number stays."""
        self.deliver("a", "b")
        self.record(self.mail("a", "S"))
        self.deliver("c")
        self.clear(upto=2)
        self.assertEqual(set(self.result(self.store.listing(self.inbox))), {"c"})

    def test_clearedWrongly(self) -> None:
        """A folder that is not there, another user's, or the hierarchy holds nothing to remove."""
        self.deliver("a")
        bobs = self.folders(INBOX, user="bob")[0].id
        home = self.result(self.store.look(ANN, [], False)).hierarchy_folder
        for folder in (4711, bobs, home):
            self.assertEqual(self.clear(folder=folder), Moved())
        self.result(self.store.record({bobs: ([self.mail("b")], [])}))
        self.assertEqual(self.result(self.store.clear("ann", bobs, 99, 99, NOW)), Moved())
        self.assertEqual(self.result(self.store.look(BOB, [bobs], False)).folders[bobs].number, 1)
