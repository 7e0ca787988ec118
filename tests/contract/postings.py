"""The contract of L{IPostings}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from zope.interface.verify import verifyObject

from gateway.arrangement import Shift
from gateway.interfaces import IPostings
from gateway.model import Found, Intent, IntentKind, SyncRequest
from gateway.posting import Mark, Posted, Posting, Reception
from gateway.trigger import Letter
from tests.contract.store import ANN, BOB, NOW, TABLET, StoreCase

TAKEN, REPEATED, TOO_MUCH = Posted(Reception.TAKEN), Posted(Reception.REPEATED), Posted(Reception.TOO_MUCH)
MAIL = Letter(ANN, "relay", content=b"Subject: x\r\n\r\nHi", sender="ann@example.org", recipients=("bob@example.net",))
POSTING = Posting(key=ANN, name="c:1", now=NOW, since=NOW - 100, letters=(MAIL,), recipients=1)


class PostingsContract(StoreCase):
    """Taken once, with all that belongs to it."""

    def setUp(self) -> None:
        super().setUp()
        self.record(Found("m1", "S", NOW - 9))
        self.id = self.id_of("m1")

    def post(self, **more: Any) -> Posted:
        found: Posted = self.result(self.store.postings.post(evolve(POSTING, **more)))
        return found

    def queued(self) -> int:
        return len(self.result(self.store.outbox.letters(None, None, 100)))

    def item(self) -> Any:
        return self.result(self.store.items("ann", [self.id]))[0]

    def test_interface(self) -> None:
        """The store provides L{IPostings}."""
        self.assertTrue(verifyObject(IPostings, self.store.postings))

    def test_once(self) -> None:
        """A mail that comes again, after a kill too, is not queued again; of another device or user it is."""
        self.assertEqual(self.post(), TAKEN)
        self.assertEqual(self.post(), REPEATED)
        self.store = self.restart()
        self.assertEqual(self.post(now=NOW + 100, since=NOW), REPEATED)
        self.assertEqual(self.queued(), 1)
        for key in (TABLET, BOB):
            self.assertEqual(self.post(key=key), TAKEN)
        self.assertEqual(self.post(name="c:2"), TAKEN)
        self.assertEqual(self.queued(), 4)

    def test_aWhile(self) -> None:
        """One that came too long ago does not count; the new one does from then on."""
        self.assertEqual(self.post(), TAKEN)
        self.assertEqual(self.post(now=NOW + 200, since=NOW + 1), TAKEN)
        self.assertEqual(self.post(now=NOW + 250, since=NOW + 150), REPEATED)

    def test_anyName(self) -> None:
        """Whatever a client thinks up is a name."""
        self.assertEqual(self.post(name="\0x\ud800"), TAKEN)
        self.assertEqual(self.post(name="\0x\ud800"), REPEATED)

    def test_letters(self) -> None:
        """The letters are queued together, and come back as they were."""
        self.post(letters=(MAIL, evolve(MAIL, route="local")))
        [local] = self.result(self.store.outbox.take("local", NOW, 9))
        self.assertEqual((local.content, local.recipients, local.sender), (MAIL.content, MAIL.recipients, MAIL.sender))
        self.assertEqual(self.queued(), 2)

    def test_quota(self) -> None:
        """A user may write to so many in a while, from whatever device; what is repeated is not too much."""
        self.assertEqual(self.post(recipients=3, quota=5, counted=NOW - 50), TAKEN)
        more = {"recipients": 3, "quota": 5, "counted": NOW - 50}
        self.assertEqual(self.post(key=TABLET, **more), TOO_MUCH)
        self.assertEqual(self.post(**more), REPEATED)
        self.assertEqual(self.post(key=TABLET, **{**more, "recipients": 2}), TAKEN)
        self.assertEqual(self.post(key=BOB, **more), TAKEN)
        self.assertEqual(self.post(name="c:3", now=NOW + 60, **{**more, "counted": NOW + 10}), TAKEN)
        self.assertEqual(self.queued(), 4)

    def test_shift(self) -> None:
        """The mail that is answered goes to another folder in the same transaction; its file is to follow."""
        posted = self.post(shift=Shift(self.id, self.inbox, self.trash)).moved
        [(status, id)] = posted.results
        [moved] = self.result(self.store.items("ann", [id]))
        self.assertEqual((status, moved.folder, moved.name), (3, self.trash, "m1"))
        [intent] = posted.intents
        self.assertEqual((intent.kind, intent.name, intent.path), (IntentKind.MOVE, "m1", ""))
        self.assertEqual({change.folder for change in posted.changes}, {self.inbox, self.trash})
        self.assertEqual(self.post(shift=Shift(id, self.trash, self.inbox)), REPEATED)
        self.assertEqual(self.queued(), 1)

    def test_mark(self) -> None:
        """The original is marked in the same transaction; its file is to follow."""
        posted = self.post(mark=Mark(self.id, "R", 1)).moved
        self.assertEqual(posted.intents, (Intent(posted.intents[0].id, "ann", IntentKind.FLAGS, "", "m1", add="R"),))
        number = self.item().number
        self.assertEqual((posted.changes[0].version, posted.spans), (number, ((self.inbox, number, number),)))
        self.assertEqual((self.item().state, dict(self.item().extra)), ("RS", {"verb": [1, NOW]}))

    def test_markTwice(self) -> None:
        """One that has the letter gets the newer verb, and its file is left alone."""
        self.post(mark=Mark(self.id, "R", 1))
        posted = self.post(name="c:2", now=NOW + 7, mark=Mark(self.id, "R", 2)).moved
        self.assertEqual((posted.intents, len(posted.changes)), ((), 1))
        self.assertEqual(dict(self.item().extra), {"verb": [2, NOW + 7]})

    def test_markIsNews(self) -> None:
        """Each device is told of the mark, also the one that sent; nobody is told of what was repeated."""
        key = self.result(self.store.sync(ANN, self.inbox, SyncRequest("0", b"0", NOW))).key
        key = self.result(self.store.sync(ANN, self.inbox, SyncRequest(key, b"1", NOW))).key
        self.post(mark=Mark(self.id, "P", 3))
        outcome = self.result(self.store.sync(ANN, self.inbox, SyncRequest(key, b"2", NOW)))
        self.assertEqual([row.fields for row in outcome.batch], [frozenset({"P", "verb"})])
        self.assertEqual(self.post(mark=Mark(self.id, "P", 3)), REPEATED)

    def test_markOfNothing(self) -> None:
        """An original that is gone, or somebody else's, is left alone; the mail is taken."""
        for number, (key, id) in enumerate(((ANN, 99), (ANN, 0), (ANN, 1 << 70), (BOB, self.id))):
            self.assertEqual(self.post(key=key, name=f"c:{number}", mark=Mark(id, "R", 1)), TAKEN)
        self.assertEqual(self.item().state, "S")

    def test_draft(self) -> None:
        """The draft that is sent goes in the same transaction, for every device; its file is to follow."""
        posted = self.post(gone=self.id).moved
        self.assertEqual([(one.kind, one.name) for one in posted.intents], [(IntentKind.DELETE, "m1")])
        self.assertEqual((len(posted.changes), posted.spans[0][0]), (1, self.inbox))
        self.assertEqual(self.items(), {})
        self.assertEqual(self.post(name="c:2", gone=self.id), TAKEN)

    def test_draftOfOthers(self) -> None:
        """What is not the user's stays."""
        self.assertEqual(self.post(key=BOB, gone=self.id), TAKEN)
        self.assertEqual(list(self.items()), ["m1"])

    def test_known(self) -> None:
        """It is told whether a mail came before, of that device and lately."""
        for expected in (False, True):
            self.assertEqual(self.result(self.store.postings.known(POSTING)), expected)
            self.post()
        self.assertFalse(self.result(self.store.postings.known(evolve(POSTING, key=TABLET))))
        self.assertFalse(self.result(self.store.postings.known(evolve(POSTING, since=NOW + 1))))

    def test_forget(self) -> None:
        """What is old is forgotten."""
        self.post()
        self.assertEqual(self.result(self.store.postings.forget_postings(NOW)), 0)
        self.assertEqual(self.result(self.store.postings.forget_postings(NOW + 1)), 1)
        self.assertEqual(self.post(), TAKEN)
