"""The contract of L{ILedger} as far as devices use it: keys, windows, commands, looks."""

from __future__ import annotations

from gateway.interfaces import BackendDown
from gateway.model import Amend, BodyPreference, Change, Found, Op, Remove, Result, Standing, SyncOptions, SyncRequest
from tests.contract.store import ANN, BOB, DAY, INBOX, NOW, TABLET, StoreCase


class KeyContract(StoreCase):
    """Rules 1 and 6: what a key is, which are taken, and what a repetition does."""

    def test_first(self) -> None:
        """Key 0 gives a key and nothing else; the next request gets the items."""
        self.deliver("a")
        first = self.sync("0")
        self.assertEqual((first.status, first.advanced, first.batch, first.more), (1, True, (), False))
        second = self.sync(first.key)
        self.assertEqual((self.names(second), second.more, second.advanced), (["a"], False, True))
        self.assertNotEqual(first.key, second.key)

    def test_form(self) -> None:
        """A key is the epoch of the database and a counter, at most 64 characters."""
        key = self.sync("0").key
        self.assertRegex(key, r"\A\{[0-9a-f]+\}[0-9]+\Z")
        self.assertLessEqual(len(key), 64)

    def test_nothingToSay(self) -> None:
        """With nothing to say the key stays the same."""
        key = self.start()
        outcome = self.sync(key)
        self.assertEqual((outcome.status, outcome.key, outcome.advanced, outcome.batch), (1, key, False, ()))

    def test_advancesWithTheBatch(self) -> None:
        """Each batch comes with a new key, and nothing is told twice."""
        key = self.start()
        [a] = self.deliver("a")
        second = self.sync(key)
        self.assertEqual(self.told(second), [("Add", a)])
        self.assertNotEqual(second.key, key)
        self.assertEqual(self.sync(second.key).batch, ())

    def test_responds(self) -> None:
        """The key advances when the answer has something to say that the ledger knows nothing of."""
        key = self.start()
        outcome = self.sync(key, responds=True)
        self.assertTrue(outcome.advanced)
        self.assertNotEqual(outcome.key, key)

    def test_wrongKeys(self) -> None:
        """Any key but the newest and the one before it is Status 3 with key 0."""
        keys = [self.start()]
        for name in "abc":
            self.deliver(name)
            keys.append(self.sync(keys[-1]).key)
        epoch = keys[0].partition("}")[0]
        invented = ["", "1", "00", epoch + "}99", epoch + "}", "{" + keys[-1], "{0}1", keys[-1] + " ", "x" * 1000]
        arabic = epoch + "}\u0661"
        newest = keys[-1].partition("}")[2]
        invented += [f"{{0}}{newest}", f"{{}}{newest}", newest, f"{epoch}}}0{newest}x", f"{epoch}}}{'9' * 18}"]
        for key in (keys[0], keys[1], *invented, arabic):
            outcome = self.sync(key)
            self.assertEqual((outcome.status, outcome.key, outcome.batch), (3, "0", ()), key)
        self.assertEqual(self.sync(keys[-1]).status, 1)

    def test_keysOfOthers(self) -> None:
        """The key of another device or of another folder is Status 3."""
        key = self.start()
        self.sync("0", device=TABLET)
        for _ in range(5):
            self.sync("0", folder=self.trash)
        self.assertEqual(self.sync(key, device=TABLET).status, 1, "the same text, because both made one key")
        self.assertEqual(self.sync(key, folder=self.trash).status, 3)

    def test_unknownFolder(self) -> None:
        """A folder that is not there, or is another user's, is Status 12."""
        self.assertEqual(self.sync("0", folder=4711).status, 12)
        self.assertEqual(self.sync("0", device=BOB).status, 12)

    def test_counterGoesOn(self) -> None:
        """Not even key 0 sets the counter back: no key is ever made twice."""
        keys = [self.sync("0").key for _ in range(3)]
        self.deliver("a")
        keys.append(self.sync(keys[-1]).key)
        keys.append(self.sync("0").key)
        self.assertEqual(len(set(keys)), 5)
        self.assertEqual([self.sync(key).status for key in keys], [3, 3, 3, 3, 1])

    def test_startsAnew(self) -> None:
        """After key 0 the device gets everything again."""
        ids = self.deliver("a", "b")
        self.start()
        again = self.sync(self.sync("0").key)
        self.assertEqual(sorted(self.told(again)), [("Add", id) for id in ids])

    def test_optionsAreSticky(self) -> None:
        """Options hold until they are replaced, as a whole."""
        options = SyncOptions(
            filter=2,
            mime_support=2,
            bodies=(BodyPreference(1, 512), BodyPreference(4, None, True)),
            part=BodyPreference(2),
        )
        key = self.sync("0", options=options).key
        self.assertEqual(self.sync(key).options, options)
        self.deliver("a")
        outcome = self.sync(key)
        self.assertEqual(outcome.options, options)
        outcome = self.sync(outcome.key, options=SyncOptions(truncation=3))
        self.assertEqual(self.sync(outcome.key).options, SyncOptions(truncation=3))
        self.assertEqual(self.sync("0").options, SyncOptions())

    def test_optionsOfAQuietRequest(self) -> None:
        """Options hold also if there was nothing to say to the request that brought them."""
        key, options = self.start(), SyncOptions(mime_support=1)
        self.assertEqual(self.sync(key, options=options).key, key)
        self.assertEqual(self.sync(key).options, options)

    def test_replay(self) -> None:
        """The same request again gets the same answer: key, results, batch; and executes nothing."""
        a, b = self.deliver("a", "b")
        key = self.start()
        [c] = self.deliver("c")
        first = self.sync(key, Amend(a, add="S"), Amend(4711, add="S"), Remove(b), digest=b"same", given=False)
        self.record(self.mail("a", ""))
        again = self.sync(key, Amend(a, add="S"), Amend(4711, add="S"), Remove(b), digest=b"same")
        self.assertTrue(again.replayed)
        self.assertEqual((again.key, again.results), (first.key, (Result(1, 8),)))
        self.assertEqual((self.told(again), self.told(first)), ([("Add", c)], [("Add", c)]))
        self.assertEqual((again.intents, again.changes), ((), ()))
        self.assertEqual(self.items()["a"].state, "", "not set a second time")

    def test_replayAfterRestart(self) -> None:
        """A repetition is recognised after a kill."""
        [a] = self.deliver("a")
        key = self.start()
        first = self.sync(key, Remove(a), digest=b"same", given=False)
        self.store = self.restart()
        again = self.sync(key, Remove(a), digest=b"same")
        self.assertEqual((again.replayed, again.key, again.results), (True, first.key, ()))

    def test_replayTellsTheItemsAsTheyAre(self) -> None:
        """A repeated batch holds the items as they are now; what is gone is left out, and deleted with the next."""
        key = self.start()
        a, b = self.deliver("a", "b")
        self.sync(key, digest=b"same", given=False)
        self.record(self.mail("a", "S"), gone=["b"])
        again = self.sync(key, digest=b"same")
        self.assertEqual([(row.op, row.id, row.item and row.item.state) for row in again.batch], [(Op.ADD, a, "S")])
        self.assertEqual(self.told(self.sync(again.key)), [("Delete", b), ("Change", a)])

    def test_replaySaysMore(self) -> None:
        """MoreAvailable is repeated too."""
        key = self.sync("0").key
        self.deliver("a", "b")
        self.sync(key, window=1, digest=b"same")
        again = self.sync(key, window=1, digest=b"same")
        self.assertEqual((again.replayed, again.more, len(again.batch)), (True, True, 1))

    def test_otherRequestWithTheOldKey(self) -> None:
        """Another request with the key before starts from there, and the dropped key is never valid again."""
        key = self.start()
        [a] = self.deliver("a")
        lost = self.sync(key, given=False)
        [b] = self.deliver("b")
        other = self.sync(key)
        self.assertEqual(self.told(other), [("Add", a), ("Add", b)])
        self.assertFalse(other.replayed)
        self.assertNotIn(other.key, (key, lost.key))
        self.assertEqual(self.sync(lost.key).status, 3)
        self.assertEqual(self.sync(other.key).status, 1)

    def test_otherRequestWithNothingToSay(self) -> None:
        """Going back with nothing to say keeps the old key, and the dropped one is gone."""
        key = self.start()
        lost = self.sync(key, responds=True, given=False)
        again = self.sync(key)
        self.assertEqual((again.key, again.advanced), (key, False))
        self.assertEqual(self.sync(lost.key).status, 3)
        self.assertEqual(self.look().standing, Standing.SYNCED)
        self.deliver("b")
        self.assertNotEqual(self.sync(key).key, lost.key)

    def test_usedKeyConfirms(self) -> None:
        """Once the newest key has been used, the one before it is invalid."""
        key = self.start()
        self.deliver("a")
        second = self.sync(key).key
        self.sync(second)
        self.assertEqual(self.sync(key).status, 3)

    def test_estimate(self) -> None:
        """An estimate counts what the next batches hold, without limit, and moves nothing."""
        self.deliver("a", "b", "c")
        key = self.sync("0").key

        def estimate(key: str, options: SyncOptions | None = None) -> tuple[int, int]:
            return self.result(self.store.estimate(ANN, self.inbox, key, options, NOW))

        self.assertEqual(estimate(key), (1, 3))
        key = self.sync(key).key
        self.assertEqual(estimate(key), (1, 0))
        self.record(self.mail("a", "S"), self.mail("d"), self.mail("e", age=5), gone=["b"])
        self.assertEqual(estimate(key), (1, 4))
        self.assertEqual(estimate(key, SyncOptions(filter=2)), (1, 3))
        self.assertEqual(estimate(key), (1, 4))
        self.assertEqual(len(self.sync(key).batch), 4)

    def test_estimateKeys(self) -> None:
        """Status 3 before the first key and for key 0, 4 for a wrong key, 2 for a folder that is not there."""

        def status(key: str, folder: int) -> int:
            return self.result(self.store.estimate(ANN, folder, key, None, NOW))[0]

        self.assertEqual(status("{0}1", self.inbox), 3)
        key = self.start()
        self.assertEqual([status(key, self.inbox), status("0", self.inbox), status("x", self.inbox)], [1, 3, 4])
        self.assertEqual(status(key, 4711), 2)

    def test_impossibleIds(self) -> None:
        """Ids that no row can have are of nothing, wherever a client writes them."""
        key = self.start()
        for id in (0, -1, 1 << 63, 10**30):
            self.assertEqual(self.sync("0", folder=id or -2).status, 12)
            self.assertEqual(self.sync(key, Amend(id, add="S"), Remove(id)).results, (Result(0, 8), Result(1, 8)))
            key = self.start()
            self.assertEqual(self.look(folder=id or -2).standing, Standing.UNKNOWN)
            self.assertEqual(self.result(self.store.items("ann", [id])), [])
            self.assertEqual(self.result(self.store.estimate(ANN, id, key, None, NOW)), (2, 0))


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


class LookContract(StoreCase):
    """What a Ping asks."""

    def test_standing(self) -> None:
        """A folder is unknown, not synchronised yet, or synchronised; the number is that of the folder."""
        self.assertEqual(self.look(folder=4711).standing, Standing.UNKNOWN)
        self.deliver("a")
        self.assertEqual((self.look().standing, self.look().number), (Standing.UNSYNCED, 1))
        self.start()
        looked = self.look()
        self.assertEqual((looked.standing, looked.news, looked.number), (Standing.SYNCED, False, 1))

    def test_foldersOfOthers(self) -> None:
        """The folders of another user are unknown."""
        self.assertEqual(self.look(BOB).standing, Standing.UNKNOWN)

    def test_severalFolders(self) -> None:
        """Each folder asked for is judged by itself."""
        self.start()
        self.start(folder=self.trash)
        self.deliver("a", folder=self.trash)
        looked = self.result(self.store.look(ANN, [self.inbox, self.trash, 4711], False)).folders
        self.assertEqual([looked[id].news for id in (self.inbox, self.trash)], [False, True])
        self.assertEqual(list(looked), [self.inbox, self.trash, 4711])

    def test_manyFolders(self) -> None:
        """A thousand folders are looked at together."""
        self.start()
        looked = self.result(self.store.look(ANN, range(1, 1500), False)).folders
        self.assertEqual(len(looked), 1499)
        self.assertEqual(looked[self.inbox].standing, Standing.SYNCED)

    def test_everyChangeIsNews(self) -> None:
        """Additions, changes and removals are news; with adds_only, additions alone."""
        self.deliver("a", "b")
        key = self.start()
        for doing, adds in (
            (lambda: self.record(self.mail("a", "S")), False),
            (lambda: self.record(gone=["b"]), False),
            (lambda: self.record(self.mail("c")), True),
        ):
            doing()
            self.assertEqual((self.look().news, self.look(adds_only=True).news), (True, adds))
            key = self.sync(key).key
            self.assertFalse(self.look().news)

    def test_deliveredChangeIsNoNews(self) -> None:
        """What a Sync has delivered does not wake the device any more."""
        key = self.start()
        self.deliver("a")
        self.sync(key)
        self.assertFalse(self.look().news)

    def test_moreAvailable(self) -> None:
        """As long as there is more available there is news."""
        self.deliver("a", "b", "c")
        key = self.sync("0").key
        self.assertTrue(self.look().news)
        key = self.sync(key, window=2).key
        self.assertTrue(self.look().news)
        self.assertTrue(self.look(adds_only=True).news)
        self.sync(key, window=2)
        self.assertFalse(self.look().news)

    def test_lostAnswer(self) -> None:
        """Rule 7: what was said in an answer that was not written out is still news."""
        key = self.start()
        self.deliver("a")
        answer = self.sync(key, given=False)
        self.assertTrue(self.look().news)
        self.store.given(ANN, self.inbox, answer.key)
        self.assertFalse(self.look().news)

    def test_lostFirstAnswer(self) -> None:
        """Without an answer that was written out the folder is not synchronised."""
        self.sync("0", given=False)
        self.assertEqual(self.look().standing, Standing.UNSYNCED)

    def test_level(self) -> None:
        """A Sync tells up to which number the device then lacks nothing, or 0 if it lacks something or was not asked."""
        self.deliver("a", "b", "c")
        first = self.sync("0")
        second = self.sync(first.key, window=2)
        third = self.sync(second.key)
        self.assertEqual([outcome.level for outcome in (first, second, third)], [0, 0, 3])
        self.record(self.mail("a", "S"))
        fourth = self.sync(third.key, get_changes=False)
        fifth = self.sync(fourth.key, Amend(self.id_of("b"), add="S"))
        self.assertEqual((fourth.level, fifth.level, self.look().number), (0, 5, 5))

    def test_usedKeyWasGiven(self) -> None:
        """A key that the device uses was given to it, whatever was seen of it."""
        key = self.sync("0", given=False).key
        self.sync(key, given=False)
        self.assertEqual(self.look().standing, Standing.SYNCED)
        key = self.sync(key, responds=True, given=False).key
        self.sync(key, given=False)
        self.assertEqual(self.look().standing, Standing.SYNCED)

    def test_arrivedUnseen(self) -> None:
        """If the answer may have come through, news for who got it are news too."""
        key = self.start()
        self.deliver("a")
        self.sync(key, given=False)
        self.record(gone=["a"])
        self.assertTrue(self.look().news)

    def test_counterOfTheKey(self) -> None:
        """A look tells the counter of the key it compared with, which changes with the key given."""
        key = self.start()
        first = self.look().counter
        self.deliver("a")
        answer = self.sync(key, given=False)
        self.assertEqual(self.look().counter, first)
        self.store.given(ANN, self.inbox, answer.key)
        self.assertGreater(self.look().counter, first)

    def test_flush(self) -> None:
        """Keys given survive a restart once they are flushed, those of the hierarchy too; without it, none is lost."""
        key = self.start()
        hierarchy = self.result(self.store.sync_folders(ANN, "0"))
        self.store.given(ANN, 0, hierarchy.key)
        self.deliver("a")
        self.sync(key)
        lost = self.result(self.restart().look(ANN, [self.inbox], False))
        self.assertTrue(lost.folders[self.inbox].news)
        self.assertEqual(lost.hierarchy.standing, Standing.UNSYNCED)
        self.result(self.store.flush())
        self.result(self.store.flush())
        kept = self.result(self.restart().look(ANN, [self.inbox], False))
        self.assertFalse(kept.folders[self.inbox].news)
        self.assertEqual(kept.hierarchy.standing, Standing.SYNCED)

    def test_givenNonsense(self) -> None:
        """A key that is none of this database is not given."""
        self.store.given(ANN, self.inbox, "0")
        self.store.given(ANN, self.inbox, "{0}1")
        self.assertIsNone(self.result(self.store.flush()))

    def test_sinceTheLook(self) -> None:
        """A change right after a look has a higher number than the look saw."""
        self.start()
        seen = self.look().number
        [change] = self.record(self.mail("a"))
        self.assertGreater(change.version, seen)
