"""Claims, Watches and their Endings."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.core.switchboard import REPLACEMENTS, Crowded, Ended, Switchboard
from gateway.interfaces import IReporter
from gateway.model import Change, DeviceKey, Ending

PHONE = DeviceKey("ann", "phone")
TABLET = DeviceKey("ann", "tablet")
INBOX, SENT = 5, 6


class SwitchboardTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.endings: list[Ended] = []
        self.board = Switchboard(self.clock, lambda claim, ended: self.endings.append(ended))

    def tearDown(self) -> None:
        """Nothing is left behind: no timer, no claim, no parked Watch, no index entry."""
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.board.claims(), [])
        self.assertEqual(self.board.parked, 0)
        self.assertEqual(self.board._watching, {})

    def test_interface(self) -> None:
        """The Switchboard is what sources report to."""
        self.assertTrue(verifyObject(IReporter, self.board))

    def test_change(self) -> None:
        """A Change above the number looked up to ends the Watch, once."""
        claim = self.board.claim(PHONE)
        done = claim.watch({INBOX: 3, SENT: 1}, 60)
        self.assertNoResult(done)
        self.board.changed(Change(INBOX, 4))
        self.board.changed(Change(INBOX, 5))
        self.assertIs(self.successResultOf(done).ending, Ending.CHANGED)
        self.assertEqual(len(self.endings), 1)
        claim.release()

    def test_changeBeforeWatch(self) -> None:
        """A Change heard of between the look and the Watch is not lost."""
        claim = self.board.claim(PHONE)
        self.board.changed(Change(INBOX, 4))
        self.assertIs(self.successResultOf(claim.watch({INBOX: 3}, 60)).ending, Ending.CHANGED)
        claim.release()

    def test_lateNews(self) -> None:
        """A Change that the look has already seen ends nothing, however late it is heard of."""
        claim = self.board.claim(PHONE)
        done = claim.watch({INBOX: 4}, 60)
        self.board.changed(Change(INBOX, 4))
        self.board.changed(Change(INBOX, 2))
        self.assertNoResult(done)
        claim.release()
        self.assertIs(self.successResultOf(done).ending, Ending.LOST)

    def test_otherFolder(self) -> None:
        """A folder that is not watched ends nothing."""
        claim = self.board.claim(PHONE)
        done = claim.watch({INBOX: 4}, 60)
        self.board.changed(Change(SENT, 9))
        self.assertNoResult(done)
        claim.release()
        self.successResultOf(done)

    def test_severalDevicesOfOneFolder(self) -> None:
        """A Change ends the Watch of each device of that folder; those that remain stay indexed."""
        claims = [self.board.claim(DeviceKey("ann", f"d{n}")) for n in range(3)]
        watches = [claim.watch({INBOX: n}, 60) for n, claim in enumerate(claims)]
        self.board.changed(Change(INBOX, 1))
        self.assertIs(self.successResultOf(watches[0]).ending, Ending.CHANGED)
        self.assertNoResult(watches[1])
        self.board.changed(Change(INBOX, 3))
        for done in watches[1:]:
            self.assertIs(self.successResultOf(done).ending, Ending.CHANGED)
        for claim in claims:
            claim.release()

    def test_expires(self) -> None:
        """A Watch without Change ends at its interval."""
        claim = self.board.claim(PHONE)
        done = claim.watch({INBOX: 3}, 60)
        self.clock.pump([1] * 59)
        self.assertNoResult(done)
        self.clock.pump([1, 1])
        self.assertIs(self.successResultOf(done).ending, Ending.EXPIRED)
        claim.release()

    def test_replaced(self) -> None:
        """A newer claim of the same device ends the older Watch; the older one's release frees nothing."""
        older = self.board.claim(PHONE)
        done = older.watch({INBOX: 3}, 60)
        newer = self.board.claim(PHONE)
        self.assertIs(self.successResultOf(done).ending, Ending.REPLACED)
        older.release()
        self.assertIs(self.board.claim_of(PHONE), newer)
        newer.release()

    def test_replacedWhileLooking(self) -> None:
        """A claim that lost its slot while it looked at the ledger does not park."""
        older = self.board.claim(PHONE)
        newer = self.board.claim(PHONE)
        self.assertIs(self.successResultOf(older.watch({INBOX: 3}, 60)).ending, Ending.REPLACED)
        older.release()
        newer.release()

    def test_otherDevicesAreNotReplaced(self) -> None:
        """Another device of the user, or the same DeviceId of another user, has a slot of its own."""
        claims = [self.board.claim(key) for key in (PHONE, TABLET, DeviceKey("bob", "phone"))]
        watches = [claim.watch({INBOX: 3}, 60) for claim in claims]
        for done in watches:
            self.assertNoResult(done)
        self.assertEqual(self.board.parked, 3)
        for claim, done in zip(claims, watches, strict=True):
            claim.release()
            self.successResultOf(done)

    def test_crowded(self) -> None:
        """Two live requests that replace each other are stopped: the newer is turned away, the older stays."""
        claim = self.board.claim(PHONE)
        for _ in range(REPLACEMENTS):
            older, claim = claim, self.board.claim(PHONE)
            older.release()
        done = claim.watch({INBOX: 3}, 60)
        refused = self.assertRaises(Crowded, self.board.claim, PHONE)
        self.assertGreater(refused.retry_after, 0)
        self.assertNoResult(done)
        self.clock.advance(11)
        newer = self.board.claim(PHONE)
        self.assertIs(self.successResultOf(done).ending, Ending.REPLACED)
        claim.release()
        newer.release()

    def test_recall(self) -> None:
        """A recall ends the chosen Watches with its reason, and no others."""
        first, second = self.board.claim(PHONE), self.board.claim(TABLET)
        one, other = first.watch({INBOX: 3}, 60), second.watch({INBOX: 3}, 60)
        self.assertEqual(self.board.recall(lambda device: device == PHONE, "wipe"), 1)
        ended = self.successResultOf(one)
        self.assertEqual((ended.ending, ended.why), (Ending.RECALLED, "wipe"))
        self.assertNoResult(other)
        first.release()
        second.release()
        self.successResultOf(other)

    def test_recallWhileLooking(self) -> None:
        """A recall reaches a request that is just looking at the ledger."""
        claim = self.board.claim(PHONE)
        self.board.recall(lambda device: True, "shutdown")
        self.assertEqual(self.successResultOf(claim.watch({INBOX: 3}, 60)).why, "shutdown")
        claim.release()

    def test_lost(self) -> None:
        """Cancelling the Watch (the client left) ends it as lost, at once."""
        claim = self.board.claim(PHONE)
        done = claim.watch({INBOX: 3}, 60)
        done.cancel()
        self.assertIs(self.successResultOf(done).ending, Ending.LOST)
        claim.release()

    def test_quiet(self) -> None:
        """A quiet Watch is ended by no Change, does not count as a Watch, and expires at its interval."""
        claim = self.board.claim(PHONE)
        self.board.changed(Change(INBOX, 9))
        done = claim.watch({INBOX: 3}, 60, quiet=True)
        self.board.changed(Change(INBOX, 10))
        self.assertNoResult(done)
        self.assertFalse(self.board.watched(PHONE))
        self.clock.pump([1] * 61)
        self.assertIs(self.successResultOf(done).ending, Ending.EXPIRED)
        claim.release()

    def test_watched(self) -> None:
        """A device counts as watched exactly while its Watch is parked."""
        claim = self.board.claim(PHONE)
        self.assertFalse(self.board.watched(PHONE))
        done = claim.watch({INBOX: 3}, 60)
        self.assertTrue(self.board.watched(PHONE))
        claim.release()
        self.assertFalse(self.board.watched(PHONE))
        self.successResultOf(done)

    def test_whenItEnded(self) -> None:
        """An Ending says when it happened, on the clock."""
        claim = self.board.claim(PHONE)
        done = claim.watch({INBOX: 3}, 60)
        self.clock.advance(7.5)
        self.board.changed(Change(INBOX, 4))
        self.assertEqual(self.successResultOf(done).at, 7.5)
        claim.release()


class HoldTests(SynchronousTestCase):
    """A device that is being answered something while it waits."""

    def setUp(self) -> None:
        self.board = Switchboard(Clock())
        self.claim = self.board.claim(PHONE)
        self.addCleanup(self.claim.release)
        self.sync = object()

    def test_held(self) -> None:
        """A Change while the device is being answered ends its Watch only when the answer went out."""
        done = self.claim.watch({INBOX: 3}, 60)
        self.board.hold(PHONE, self.sync)
        self.board.changed(Change(INBOX, 4))
        self.assertNoResult(done)
        self.board.free(PHONE, self.sync)
        self.assertIs(self.successResultOf(done).ending, Ending.CHANGED)

    def test_others(self) -> None:
        """The Watches of other devices end at once."""
        other = self.board.claim(TABLET)
        self.addCleanup(other.release)
        done = other.watch({INBOX: 3}, 60)
        self.board.hold(PHONE, self.sync)
        self.board.changed(Change(INBOX, 4))
        self.assertIs(self.successResultOf(done).ending, Ending.CHANGED)

    def test_watchMeanwhile(self) -> None:
        """A Watch that begins meanwhile is parked although there is news, and ends with the answer."""
        self.board.hold(PHONE, self.sync)
        self.board.changed(Change(INBOX, 4))
        done = self.claim.watch({INBOX: 3}, 60)
        self.assertNoResult(done)
        self.board.free(PHONE, self.sync)
        self.assertIs(self.successResultOf(done).ending, Ending.CHANGED)

    def test_nothingNew(self) -> None:
        """Without a Change the Watch goes on, and so does a quiet one in any case."""
        done = self.claim.watch({INBOX: 3}, 60)
        self.board.hold(PHONE, self.sync)
        self.board.free(PHONE, self.sync)
        self.assertNoResult(done)
        self.claim.end(Ending.EXPIRED)
        quiet = self.claim.watch({INBOX: 3}, 60, quiet=True)
        self.board.hold(PHONE, self.sync)
        self.board.changed(Change(INBOX, 4))
        self.board.free(PHONE, self.sync)
        self.assertNoResult(quiet)

    def test_lastCounts(self) -> None:
        """An answer that never goes out holds nothing any more once a later command was answered."""
        done = self.claim.watch({INBOX: 3}, 60)
        later = object()
        self.board.hold(PHONE, self.sync)
        self.board.hold(PHONE, later)
        self.board.changed(Change(INBOX, 4))
        self.board.free(PHONE, self.sync)
        self.assertNoResult(done)
        self.board.free(PHONE, later)
        self.assertIs(self.successResultOf(done).ending, Ending.CHANGED)

    def test_otherEndings(self) -> None:
        """Recall, replacement and expiry do not wait for the answer."""
        done = self.claim.watch({INBOX: 3}, 60)
        self.board.hold(PHONE, self.sync)
        self.board.recall(lambda key: True, "wipe")
        self.assertIs(self.successResultOf(done).ending, Ending.RECALLED)
