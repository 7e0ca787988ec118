"""The contract of the ids that are given, whatever becomes of the database."""

from __future__ import annotations

from gateway.store.marks import FOLDERS, ITEMS, Marks
from tests.contract.store import INBOX, TABLET, TRASH, WORK, StoreCase


class MarksContract(StoreCase):
    """A database that knows less than another did goes on behind it."""

    def marks(self) -> Marks:
        return self.result(self.store.marks())

    def test_removed(self) -> None:
        """They are those of the last folder and the last item; what is gone counts too, as its id was given."""
        *_, work = self.folders(INBOX, TRASH, WORK)
        _, two = self.deliver("one", "two")
        before = self.marks()
        self.assertEqual(before, Marks(work.id, two))
        self.record(gone=["one", "two"])
        self.folders(INBOX, TRASH)
        self.assertEqual(self.marks(), before)

    def test_asItWas(self) -> None:
        """A database that knows as much or more goes on as it did."""
        self.deliver("one")
        before = self.marks()
        for past in (before, Marks(), Marks(before.folder, 0), Marks(0, before.item)):
            self.assertFalse(self.result(self.store.go_on(past)))
        self.assertEqual(self.marks(), before)

    def test_less(self) -> None:
        """One that knows less gives neither the ids that were given, nor those that may have been given since that was
        noted; also one that has never given any."""
        past = Marks(500, 70_000)
        self.assertTrue(self.result(self.store.go_on(past)))
        *_, work = self.folders(INBOX, TRASH, WORK)
        self.assertGreater(work.id, past.folder + FOLDERS)
        self.record(self.mail("one"))
        self.assertGreater(self.result(self.store.marks()).item, past.item + ITEMS)
        self.assertFalse(self.result(self.store.go_on(past)))
        self.store = self.restart()
        self.assertFalse(self.result(self.store.go_on(past)))

    def test_oneOfThem(self) -> None:
        """It is enough that it knows less of folders, or of items."""
        self.deliver("one")
        before = self.marks()
        self.assertTrue(self.result(self.store.go_on(Marks(before.folder + 1, 0))))
        after = self.marks()
        self.assertTrue(self.result(self.store.go_on(Marks(0, after.item + 1))))
        self.assertGreater(self.marks().item, after.item + 1)

    def test_keys(self) -> None:
        """The keys that are kept stay valid, so that devices go on which have not come since; the next ones are none
        that were made since, and those are refused."""
        self.deliver("one")
        key = self.start()
        other = self.start(TABLET)
        self.result(self.store.go_on(Marks(0, self.marks().item + 1)))
        lost = key.replace(key.rpartition("}")[2], str(int(key.rpartition("}")[2]) + 1))
        self.assertEqual(self.sync(lost).status, 3)
        self.assertEqual(self.sync(other, device=TABLET).batch, ())
        self.record(self.mail("two"))
        for device, last in ((None, key), (TABLET, other)):
            outcome = self.sync(last, **({"device": device} if device else {}))
            self.assertEqual((outcome.status, self.names(outcome)), (1, ["two"]))
            self.assertGreater(int(outcome.key.rpartition("}")[2]), 1_000_000)
