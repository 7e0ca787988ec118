"""The contract of L{ILedger} about what a Ping asks."""

from __future__ import annotations

from gateway.model import Amend, Standing
from tests.contract.store import ANN, BOB, StoreCase


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

    def test_nothingToFetch(self) -> None:
        """A key alone is enough in a folder without anything for the device: it is woken when something comes."""
        self.record(self.mail("old", age=20), folder=self.trash)
        for folder, window in ((self.inbox, 0), (self.trash, 3)):
            key = self.sync("0", folder=folder, filter=window).key
            looked = self.look(folder=folder)
            self.assertEqual((looked.standing, looked.news), (Standing.SYNCED, False))
            self.record(self.mail("new"), folder=folder)
            self.assertTrue(self.look(folder=folder).news)
            self.assertEqual(self.names(self.sync(key, folder=folder)), ["new"])
        wider = self.sync(self.sync("0", folder=self.trash, filter=3).key, folder=self.trash, filter=5)
        self.assertEqual(self.names(wider), ["new", "old"])

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
