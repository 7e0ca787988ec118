"""Tests of what events say of mails, without files, without a kernel and without a clock."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.sources.folding import GRACE, Folding
from gateway.sources.inotify import CREATE, DELETE, ISDIR, MOVED_FROM, MOVED_TO, Event
from gateway.sources.place import REMEMBERED, Place


class FoldingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folding = Folding()
        self.inbox = Place("alice", "", id=1, stale=False)
        self.sent = Place("alice", ".Sent", id=2, stale=False)

    def feed(
        self, mask: int, sub: str, name: str, cookie: int = 0, place: Place | None = None, now: float = 0.0
    ) -> bool:
        return self.folding.fold(place or self.inbox, sub, Event(1, mask, cookie, name), now)

    def test_delivery(self) -> None:
        """A mail that is renamed into new/ is there."""
        self.assertTrue(self.feed(MOVED_TO, "new", "1.h", 7))
        self.assertEqual(self.inbox.take(100), {"1.h": ("new", "1.h")})
        self.assertEqual(self.inbox.news, {})

    def test_linkedDelivery(self) -> None:
        """A mail that is linked into new/ is there."""
        self.feed(CREATE, "new", "1.h")
        self.assertEqual(self.inbox.take(100), {"1.h": ("new", "1.h")})

    def test_deleted(self) -> None:
        """A deleted mail is gone at once."""
        self.feed(DELETE, "cur", "1.h:2,S")
        self.assertEqual(self.inbox.take(100), {"1.h": None})

    def test_flagged(self) -> None:
        """A rename in cur/ is a new state of the same mail, never a removal."""
        self.feed(MOVED_FROM, "cur", "1.h:2,", 7)
        self.assertEqual((self.inbox.news, list(self.inbox.held)), ({}, ["1.h"]))
        self.feed(MOVED_TO, "cur", "1.h:2,S", 7)
        self.assertEqual((self.inbox.take(100), self.inbox.held), ({"1.h": ("cur", "1.h:2,S")}, {}))
        self.assertIsNone(self.folding.next)

    def test_splitRename(self) -> None:
        """The halves of a rename that come in two reads are one rename, if the second comes within the grace time."""
        self.feed(MOVED_FROM, "cur", "1.h:2,", 7, now=10.0)
        self.assertEqual(self.folding.release(10.0 + GRACE / 2), [])
        self.feed(MOVED_TO, "cur", "1.h:2,S", 7, now=10.0 + GRACE / 2)
        self.assertEqual(self.folding.release(11.0), [])
        self.assertEqual(self.inbox.take(100), {"1.h": ("cur", "1.h:2,S")})

    def test_movedAway(self) -> None:
        """A mail that is renamed to where nobody looks is gone after the grace time, and not before."""
        self.feed(MOVED_FROM, "cur", "1.h:2,", 7, now=10.0)
        self.assertEqual(self.folding.next, 10.0 + GRACE)
        self.assertFalse(self.inbox.quiet)
        self.assertEqual(self.folding.release(10.0 + GRACE), [self.inbox])
        self.assertEqual(self.inbox.take(100), {"1.h": None})

    def test_movedToOtherFolder(self) -> None:
        """A mail that is renamed into another folder is gone here and there at once."""
        self.feed(MOVED_FROM, "cur", "1.h:2,S", 7)
        self.feed(MOVED_TO, "cur", "1.h:2,S", 7, place=self.sent)
        self.assertEqual(self.inbox.take(100), {"1.h": None})
        self.assertEqual(self.sent.take(100), {"1.h": ("cur", "1.h:2,S")})
        self.assertIsNone(self.folding.next)

    def test_otherBase(self) -> None:
        """A rename to another base name is a removal and a new mail."""
        self.feed(MOVED_FROM, "cur", "1.h:2,S", 7)
        self.feed(MOVED_TO, "cur", "2.h:2,S", 7)
        self.assertEqual(self.inbox.take(100), {"2.h": ("cur", "2.h:2,S"), "1.h": None})

    def test_newToCur(self) -> None:
        """A mail that a mail program takes out of new/ stays the same mail."""
        self.feed(MOVED_TO, "new", "1.h", 6)
        self.feed(MOVED_FROM, "new", "1.h", 7)
        self.feed(MOVED_TO, "cur", "1.h:2,S", 7)
        self.assertEqual(self.inbox.take(100), {"1.h": ("cur", "1.h:2,S")})

    def test_order(self) -> None:
        """The last event counts: delivered and deleted is gone, deleted and restored is there."""
        self.feed(MOVED_TO, "new", "1.h", 6)
        self.feed(DELETE, "new", "1.h")
        self.feed(DELETE, "cur", "2.h:2,")
        self.feed(CREATE, "cur", "2.h:2,S")
        self.assertEqual(self.inbox.take(100), {"1.h": None, "2.h": ("cur", "2.h:2,S")})

    def test_linkAndUnlink(self) -> None:
        """A program that renames by link and unlink does not remove the mail, also when the halves come apart."""
        self.feed(CREATE, "cur", "1.h:2,S")
        self.assertEqual(self.inbox.take(100), {"1.h": ("cur", "1.h:2,S")})
        self.feed(DELETE, "new", "1.h")
        self.assertEqual(self.inbox.take(100), {})
        self.feed(DELETE, "cur", "1.h:2,S")
        self.assertEqual(self.inbox.take(100), {"1.h": None})

    def test_movedTwice(self) -> None:
        """The end of the wait for an older rename says nothing about a newer one."""
        self.feed(MOVED_FROM, "cur", "1.h:2,", 7, now=0.0)
        self.feed(CREATE, "cur", "1.h:2,F", now=0.0)
        self.feed(MOVED_FROM, "cur", "1.h:2,F", 8, now=0.04)
        self.folding.release(GRACE)
        self.assertEqual(self.inbox.take(100), {})
        self.feed(MOVED_TO, "cur", "1.h:2,S", 8, now=0.06)
        self.assertEqual(self.inbox.take(100), {"1.h": ("cur", "1.h:2,S")})

    def test_notAMail(self) -> None:
        """Directories, dot files and the files of Dovecot say nothing."""
        self.assertFalse(self.feed(CREATE | ISDIR, "cur", "sub"))
        self.assertFalse(self.feed(MOVED_TO, "cur", ".tmp123", 3))
        self.assertFalse(self.feed(CREATE, "cur", "dovecot.index.log"))
        self.assertTrue(self.inbox.quiet)

    def test_renamedToNoMail(self) -> None:
        """A mail that is renamed to a name that no mail has is gone."""
        self.feed(MOVED_FROM, "cur", "1.h:2,", 7)
        self.feed(MOVED_TO, "cur", ".hidden", 7)
        self.folding.release(GRACE)
        self.assertEqual(self.inbox.take(100), {"1.h": None})

    def test_putBack(self) -> None:
        """What could not be written down is pending again; what came meanwhile counts more."""
        self.feed(MOVED_TO, "new", "1.h", 1)
        self.feed(MOVED_TO, "new", "2.h", 2)
        self.feed(MOVED_TO, "new", "3.h", 3)
        taken = self.inbox.take(100)
        self.feed(DELETE, "new", "2.h")
        self.feed(MOVED_FROM, "new", "3.h", 4)
        self.inbox.put_back(taken)
        self.assertEqual(self.inbox.news, {"1.h": ("new", "1.h"), "2.h": None})
        self.assertEqual(list(self.inbox.held), ["3.h"])

    def test_overflow(self) -> None:
        """After a loss of events nothing that was pending is believed, and the folder is to be listed."""
        self.feed(MOVED_FROM, "cur", "1.h:2,", 7)
        self.feed(DELETE, "cur", "2.h:2,")
        taken = {"4.h": None}
        self.inbox.overflowed()
        self.inbox.put_back(taken)
        self.folding.release(GRACE)
        self.assertEqual((self.inbox.news, self.inbox.held, self.inbox.stale), ({}, {}, True))

    def test_takenInPieces(self) -> None:
        """No more is taken at once than is asked for, the oldest first, and the rest stays pending."""
        for number in range(5):
            self.feed(MOVED_TO, "new", f"{number}.h", number)
        self.assertEqual(list(self.inbox.take(3)), ["0.h", "1.h", "2.h"])
        self.assertEqual(list(self.inbox.take(3)), ["3.h", "4.h"])

    def test_bounded(self) -> None:
        """The memory of names is bounded."""
        for number in range(REMEMBERED + 10):
            self.feed(MOVED_TO, "new", f"{number}.h", number)
        self.assertLessEqual(len(self.inbox._where), REMEMBERED)
