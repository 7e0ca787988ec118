"""The contract of L{ILedger} about mails that clients create and rewrite."""

from __future__ import annotations

from gateway.model import Amend, Create, Found, IntentKind, Op, Remove, Result
from tests.contract.store import TABLET, StoreCase


class DraftContract(StoreCase):
    """Created and rewritten: by whom, who is told, and what the source has to do."""

    def test_created(self) -> None:
        """The device is told the id by the answer and holds the item; others are told of it."""
        key, other = self.start(), self.start(TABLET)
        outcome = self.sync(key, Create("c1", "new", "D", {"flag": {"Status": 2}}), carried_out=False)
        [result], [intent] = outcome.results, outcome.intents
        self.assertEqual((result.index, result.status, outcome.batch), (0, 1, ()))
        self.assertEqual((intent.kind, intent.name, intent.add, intent.path), (IntentKind.FILL, "new", "D", ""))
        found = self.items()["new"]
        self.assertEqual((found.id, found.state, found.received), (result.item, "D", self.now))
        self.assertEqual(dict(found.extra), {"flag": {"Status": 2}})
        self.assertFalse(self.look().news)
        self.assertTrue(self.look(TABLET).news)
        self.assertEqual(self.told(self.sync(other, device=TABLET)), [("Add", result.item)])
        self.assertEqual(self.sync(outcome.key).batch, ())

    def test_createdQuietly(self) -> None:
        """A device that wants no changes holds what it creates too: it is told when that is changed, and when it goes."""
        key, other = self.start(), self.start(TABLET)
        outcome = self.sync(key, Create("c1", "one", "D"), Create("c2", "two", "D"), get_changes=False)
        one, two = (result.item for result in outcome.results)
        self.assertFalse(self.look().news)
        self.sync(self.sync(other, device=TABLET).key, Amend(one, add="S"), Remove(two), device=TABLET)
        self.assertTrue(self.look().news)
        self.assertEqual(sorted(self.told(self.sync(outcome.key))), [("Change", one), ("Delete", two)])

    def test_createdBesideNews(self) -> None:
        """What others have brought is not taken for told by creating something while no changes are wanted."""
        key = self.start()
        [a] = self.deliver("a")
        outcome = self.sync(key, Create("c1", "new", "D"), get_changes=False)
        self.assertEqual((outcome.batch, outcome.more, self.look().news), ((), False, True))
        self.assertEqual(self.told(self.sync(outcome.key)), [("Add", a)])

    def test_file(self) -> None:
        """Before and after its file appears the item is there once, under its id."""
        key = self.start()
        outcome = self.sync(key, Create("c1", "new", "D"), carried_out=False)
        [result] = outcome.results
        self.record(gone=["new"])
        self.record(Found("new", "D", self.now))
        self.assertEqual(self.id_of("new"), result.item)
        self.result(self.store.done([intent.id for intent in outcome.intents]))
        self.assertEqual(self.record(Found("new", "D", self.now)), [])
        self.assertFalse(self.look().news)

    def test_pending(self) -> None:
        """What the source has not done is still to be done after a kill."""
        key = self.start()
        self.sync(key, Create("c1", "new", "D"), carried_out=False)
        self.store = self.restart()
        self.assertEqual([intent.kind for intent in self.result(self.store.pending())], [IntentKind.FILL])

    def test_repeated(self) -> None:
        """The same request again creates nothing, and tells the same id."""
        key = self.start()
        first = self.sync(key, Create("c1", "new", "D"), digest=b"x", given=False)
        again = self.sync(key, Create("c1", "new", "D"), digest=b"x")
        self.assertEqual((again.results, again.replayed, again.intents), (first.results, True, ()))
        self.assertEqual(len(self.items()), 1)

    def test_createdAgain(self) -> None:
        """Another request after a lost answer finds what it creates again; what it does not, is told to it."""
        key = self.start()
        first = self.sync(key, Create("c1", "one", "D"), Create("c2", "two", "D"), given=False)
        again = self.sync(key, Create("c1", "one", "D"), Create("c3", "three", "D"))
        self.assertEqual(again.results[0], Result(0, 1, first.results[0].item))
        self.assertEqual(sorted(self.items()), ["one", "three", "two"])
        self.assertEqual(self.told(again), [("Add", first.results[1].item)])

    def test_anotherContent(self) -> None:
        """A client that calls another mail the same creates another one."""
        key = self.start()
        first = self.sync(key, Create("c1", "one", "D"), given=False)
        again = self.sync(key, Create("c1", "other", "D"))
        self.assertNotEqual(again.results[0].item, first.results[0].item)

    def test_rewritten(self) -> None:
        """A mail with another content keeps its id; the device is not told, others are told that all may be new."""
        [a] = self.deliver("a")
        key, other = self.start(), self.start(TABLET)
        outcome = self.sync(key, Amend(a, add="S", name="b"), carried_out=False)
        self.assertEqual((outcome.results, outcome.batch), ((), ()))
        kinds = [(intent.kind, intent.name, intent.add) for intent in outcome.intents]
        self.assertEqual(kinds, [(IntentKind.FILL, "b", "S"), (IntentKind.DELETE, "a", "")])
        self.assertEqual({name: item.id for name, item in self.items().items()}, {"b": a})
        self.assertFalse(self.look().news)
        [row] = self.sync(other, device=TABLET).batch
        self.assertEqual((row.op, row.id, row.fields), (Op.CHANGE, a, frozenset({"content", "S"})))
        self.assertEqual(self.record(Found("b", "S", self.now), gone=["a"]), [])

    def test_rewrittenAndTold(self) -> None:
        """A device that has to know the result is told, at once; until then it cannot rewrite it again."""
        [a] = self.deliver("a")
        key = self.start()
        outcome = self.sync(key, Amend(a, name="b", told=True), get_changes=False)
        self.assertTrue(self.look().news)
        conflict = self.sync(outcome.key, Amend(a, name="c", told=True), get_changes=False)
        self.assertEqual([result.status for result in conflict.results], [7])
        outcome = self.sync(conflict.key)
        self.assertEqual(self.told(outcome), [("Change", a)])
        self.assertEqual(self.sync(outcome.key, Amend(a, name="c", told=True)).results, ())

    def test_sameAgain(self) -> None:
        """A content that is there already is no other one: its file stays."""
        [a] = self.deliver("a")
        outcome = self.sync(self.start(), Amend(a, name="a"))
        self.assertEqual((outcome.intents, outcome.changes), ((), ()))

    def test_conflict(self) -> None:
        """What another device has rewritten meanwhile is not overwritten."""
        [a] = self.deliver("a")
        key, other = self.start(), self.start(TABLET)
        self.sync(other, Amend(a, name="b"), device=TABLET)
        self.assertEqual([result.status for result in self.sync(key, Amend(a, name="c")).results], [7])
        self.assertIn("b", self.items())

    def test_rewrittenAndDeleted(self) -> None:
        """A mail that is rewritten and deleted at once goes as it was."""
        [a] = self.deliver("a")
        outcome = self.sync(self.start(), Amend(a, name="b"), Remove(a), trash=self.trash)
        self.assertEqual([(one.kind, one.name) for one in outcome.intents], [(IntentKind.MOVE, "a")])
        self.assertEqual(list(self.items()), ["a"])

    def test_together(self) -> None:
        """Created, rewritten, marked and deleted in one request, each its own way."""
        a, b, c = self.deliver("a", "b", "c")
        outcome = self.sync(
            self.start(), Create("c1", "new", "D"), Amend(a, name="x"), Amend(b, add="S"), Remove(c), Remove(99)
        )
        self.assertEqual([(result.index, result.status) for result in outcome.results], [(4, 8), (0, 1)])
        self.assertEqual(sorted(self.items()), ["b", "new", "x"])
        self.assertEqual((len(outcome.changes), self.look().news), (1, False))
        self.assertEqual(self.sync(outcome.key).batch, ())
