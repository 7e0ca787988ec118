"""The contract of L{ILedger} about keys: which are taken, and what a repetition does."""

from __future__ import annotations

from gateway.model import Amend, BodyPreference, Op, Remove, Result, Standing, SyncOptions
from tests.contract.store import ANN, BOB, NOW, TABLET, StoreCase


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
        """A key is the epoch of the database, the folder and a counter, at most 64 characters."""
        key = self.sync("0").key
        self.assertRegex(key, rf"\A\{{[0-9a-f]+-{self.inbox}\}}[0-9]+\Z")
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

    def test_replayTellsTheSameFields(self) -> None:
        """A Change that is repeated says as much as before, and what is new since."""
        self.deliver("a")
        key = self.start()
        self.record(self.mail("a", "S"))
        [row] = self.sync(key, digest=b"same", given=False).batch
        self.assertEqual(row.fields, {"S"})
        self.record(self.mail("a", "FS"))
        [row] = self.sync(key, digest=b"same").batch
        self.assertEqual(row.fields, {"F", "S"})

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
