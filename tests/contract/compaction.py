"""The contract of L{ILedger} about what is forgotten."""

from __future__ import annotations

from gateway.model import Amend, Standing
from tests.contract.store import ANN, INBOX, NOW, TABLET, TRASH, StoreCase


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
