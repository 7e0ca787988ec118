"""The contract of L{ILedger} about what a batch holds, in which order, and where it ends."""

from __future__ import annotations

from gateway.model import Found, Op, Remove
from tests.contract.store import DAY, NOW, StoreCase


class FloorContract(StoreCase):
    """Rule 2: new things first, then the past, newest first, down to the edge of the window."""

    def test_newestFirst(self) -> None:
        """The first batches bring the newest mail first, as much as the window size allows."""
        self.record(*(Found(f"m{n}", "", NOW - n) for n in range(25)))
        key = self.sync("0").key
        got: list[str] = []
        for size in (10, 10, 5):
            outcome = self.sync(key, window=10)
            self.assertEqual((len(outcome.batch), outcome.more), (size, size == 10))
            got += self.names(outcome)
            key = outcome.key
        self.assertEqual(got, [f"m{n}" for n in range(25)])

    def test_sameSecond(self) -> None:
        """Mails of the same second are told exactly once each."""
        self.record(*(Found(f"m{n}", "", NOW) for n in range(7)))
        key, got = self.sync("0").key, []
        for _ in range(4):
            outcome = self.sync(key, window=2)
            got += self.names(outcome)
            key = outcome.key
        self.assertEqual(sorted(got), [f"m{n}" for n in range(7)])
        self.assertFalse(outcome.more)

    def test_newMailBeforeThePast(self) -> None:
        """While the past is still coming, new mail comes first."""
        self.record(*(Found(f"m{n}", "", NOW - n) for n in range(10)))
        key = self.sync(self.sync("0").key, window=3).key
        self.deliver("new")
        self.assertEqual(self.names(self.sync(key, window=2)), ["new", "m3"])

    def test_changeInThePast(self) -> None:
        """A change of what the device does not hold yet is told when it comes, once."""
        self.record(*(Found(f"m{n}", "", NOW - n) for n in range(4)))
        key = self.sync(self.sync("0").key, window=2).key
        self.record(self.mail("m3", "S"), Found("m2", "F", NOW))
        outcome = self.sync(key)
        self.assertEqual(
            [(row.op, row.item and row.item.name) for row in outcome.batch], [(Op.ADD, "m2"), (Op.ADD, "m3")]
        )
        self.assertEqual(self.sync(outcome.key).batch, ())

    def test_removalInThePast(self) -> None:
        """The removal of what the device does not hold is not told and is no news."""
        self.record(self.mail("old", age=10), self.mail("new"))
        key = self.start(filter=2)
        self.record(gone=["old"])
        self.assertFalse(self.look().news)
        self.assertEqual(self.sync(key).batch, ())

    def test_rowsInOrder(self) -> None:
        """Changes and removals come in the order in which they happened."""
        a, b, c = self.deliver("a", "b", "c")
        key = self.start()
        self.record(self.mail("c", "S"))
        self.record(gone=["a"])
        self.record(self.mail("b", "S"))
        self.assertEqual(self.told(self.sync(key)), [("Change", c), ("Delete", a), ("Change", b)])

    def test_windowSize(self) -> None:
        """No batch is larger than the window, MoreAvailable says that there is more, and in the end all was told."""
        ids = self.deliver(*"abcdef")
        key = self.start()
        self.record(self.mail("a", "S"), self.mail("g"), self.mail("h"), gone=["b", "c"])
        got, more = [], True
        while more:
            outcome = self.sync(key, window=2)
            self.assertLessEqual(len(outcome.batch), 2)
            got += self.told(outcome)
            key, more = outcome.key, outcome.more
        self.assertEqual(sorted(got)[2:], [("Change", ids[0]), ("Delete", ids[1]), ("Delete", ids[2])])
        self.assertEqual([op for op, _ in sorted(got)[:2]], ["Add", "Add"])

    def test_windowThatFits(self) -> None:
        """A batch that fills the window exactly says that there is no more."""
        self.deliver("a", "b")
        outcome = self.sync(self.sync("0").key, window=2)
        self.assertEqual((len(outcome.batch), outcome.more), (2, False))

    def test_windowZero(self) -> None:
        """A window of 0 only says whether there is more."""
        key = self.start()
        self.assertFalse(self.sync(key, window=0).more)
        self.deliver("a")
        outcome = self.sync(key, window=0)
        self.assertEqual((outcome.more, outcome.batch, outcome.key), (True, (), key))
        self.assertEqual(self.names(self.sync(key)), ["a"])

    def test_changedWhileWaitingToBeTold(self) -> None:
        """A new item that is changed before its turn in a full batch is an addition, not a change of the unknown."""
        key = self.start()
        a, b = self.deliver("a", "b")
        self.record(self.mail("a", "S"))
        first = self.sync(key, window=1)
        second = self.sync(first.key, window=1)
        self.assertEqual(sorted(self.told(first) + self.told(second)), [("Add", a), ("Add", b)])
        self.assertEqual(self.sync(second.key).batch, ())

    def test_removedWhileWaitingToBeTold(self) -> None:
        """A new item that is gone before its turn is not told at all."""
        key = self.start()
        a, _ = self.deliver("a", "b")
        first = self.sync(key, window=1)
        self.record(gone=["b"])
        self.assertEqual((self.told(first), self.sync(first.key).batch), ([("Add", a)], ()))

    def test_filter(self) -> None:
        """Only what was received within the window is told."""
        ages = (0, 2, 5, 10, 20, 60, 150, 1000)
        self.record(*(self.mail(f"m{age}", age=age) for age in ages))
        for filter, days in (
            (0, 9999),
            (1, 1),
            (2, 3),
            (3, 7),
            (4, 14),
            (5, 30),
            (6, 90),
            (7, 180),
            (8, 9999),
            (99, 9999),
        ):
            outcome = self.sync(self.sync("0", filter=filter).key)
            self.assertEqual(self.names(outcome), [f"m{age}" for age in ages if age <= days], filter)

    def test_oldMailMovedIn(self) -> None:
        """A mail that is moved in is told if it is of the window's time, whenever that was."""
        key = self.start(filter=2)
        self.record(self.mail("older", age=4), self.mail("old", age=2))
        self.assertTrue(self.look().news)
        self.assertEqual(self.names(self.sync(key)), ["old"])
        self.record(self.mail("oldest", age=100))
        self.assertFalse(self.look().news)

    def test_narrowed(self) -> None:
        """A narrower filter takes away what falls out of the window, within the window size, in the same request."""
        self.record(*(self.mail(f"m{age}", age=age) for age in (0, 5, 10, 20)))
        ids = {name: item.id for name, item in self.items().items()}
        key = self.start()
        first = self.sync(key, filter=2, window=2)
        self.assertEqual(self.told(first), [("SoftDelete", ids["m20"]), ("SoftDelete", ids["m10"])])
        self.assertTrue(first.more)
        second = self.sync(first.key, window=2)
        self.assertEqual((self.told(second), second.more), ([("SoftDelete", ids["m5"])], False))
        self.record(self.mail("m20", "S"), gone=["m10"])
        self.assertFalse(self.look().news)
        self.assertEqual(self.sync(second.key).batch, ())

    def test_narrowedDoesNotHoldUpNewMail(self) -> None:
        """While a narrowed filter takes away much, new mail still comes with every batch."""
        self.record(*(Found(f"m{n}", "", NOW - 20 * DAY) for n in range(20)))
        key = self.start()
        self.deliver("new")
        outcome = self.sync(key, filter=2, window=4)
        self.assertEqual([op for op, _ in self.told(outcome)], ["SoftDelete", "SoftDelete", "Add"])

    def test_widened(self) -> None:
        """A wider filter brings what has come into the window, in the same request."""
        self.record(*(self.mail(f"m{age}", age=age) for age in (0, 5, 10, 20)))
        key = self.start(filter=2)
        outcome = self.sync(key, filter=4)
        self.assertEqual((self.names(outcome), outcome.more), (["m5", "m10"], False))

    def test_widenedWithoutChanges(self) -> None:
        """A wider filter in a request that wants no changes leaves something to be told."""
        self.record(self.mail("new"), self.mail("old", age=5))
        key = self.start(filter=2)
        outcome = self.sync(key, filter=0, get_changes=False)
        self.assertEqual((outcome.key, outcome.batch), (key, ()))
        self.assertTrue(self.look().news)
        self.assertEqual(self.names(self.sync(key)), ["old"])
        self.assertFalse(self.look().news)

    def test_narrowedAndWidenedAgain(self) -> None:
        """Back to the wider filter while the narrower is still at work: what was taken away comes back, no more."""
        self.record(*(self.mail(f"m{age}", age=age) for age in (0, 5, 10, 20)))
        key = self.sync(self.start(), filter=2, window=2).key
        self.assertEqual(self.names(self.sync(key, filter=0)), ["m10", "m20"])

    def test_timeGoesOn(self) -> None:
        """What the moving window leaves behind is taken away with the next answer, and wakes nobody."""
        [a] = self.deliver("a")
        key = self.start(filter=2)
        self.now += 4 * DAY
        self.assertFalse(self.look().news)
        self.assertEqual(self.told(self.sync(key)), [("SoftDelete", a)])

    def test_goneBelowTheEdge(self) -> None:
        """What left the window and is gone meanwhile is deleted, once."""
        [a] = self.deliver("a")
        key = self.start(filter=2)
        self.record(gone=["a"])
        self.now += 4 * DAY
        outcome = self.sync(key)
        self.assertEqual(self.told(outcome), [("Delete", a)])
        self.assertEqual(self.sync(outcome.key).batch, ())

    def test_ownDeletionBelowTheEdge(self) -> None:
        """What the device deleted itself is not deleted again when the window leaves it behind."""
        [a] = self.deliver("a")
        key = self.sync(self.start(filter=2), Remove(a), get_changes=False).key
        self.now += 4 * DAY
        self.assertEqual(self.sync(key).batch, ())

    def test_clockSetBack(self) -> None:
        """If the clock is set back, the window goes back with it."""
        key = self.start(filter=2)
        self.now -= 10 * DAY
        self.sync(key)
        self.record(self.mail("old", age=9))
        self.assertTrue(self.look().news)
        self.assertEqual(self.names(self.sync(key)), ["old"])

    def test_getChangesOff(self) -> None:
        """A request that wants no changes gets none, and misses none."""
        key = self.start()
        [a] = self.deliver("a")
        outcome = self.sync(key, get_changes=False)
        self.assertEqual((outcome.batch, outcome.more, outcome.key), ((), False, key))
        self.assertEqual(self.told(self.sync(key)), [("Add", a)])
