"""Levels: what a device lacks nothing up to."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.core.levels import Levels
from gateway.core.switchboard import Switchboard
from gateway.model import Change, DeviceKey

PHONE = DeviceKey("ann", "phone")
HIERARCHY, INBOX, SENT = 1, 5, 6


class LevelsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.board = Switchboard(Clock())
        self.levels = Levels(self.board)
        self.noted = {HIERARCHY: 3, INBOX: 7}
        self.levels.note(PHONE, self.noted)

    def test_recall(self) -> None:
        """What a look found holds for the same folders until something is heard of."""
        self.assertIs(self.levels.recall(PHONE, [INBOX]), self.noted)
        self.assertIsNone(self.levels.recall(PHONE, [SENT]))
        self.assertIsNone(self.levels.recall(PHONE, [INBOX, SENT]))
        self.assertIsNone(self.levels.recall(DeviceKey("bob", "phone"), [INBOX]))
        self.board.changed(Change(INBOX, 7), Change(SENT, 99))
        self.assertIs(self.levels.recall(PHONE, [INBOX]), self.noted)
        self.board.changed(Change(INBOX, 8))
        self.assertIsNone(self.levels.recall(PHONE, [INBOX]))

    def test_hierarchy(self) -> None:
        """A change of the hierarchy needs a look too."""
        self.board.changed(Change(HIERARCHY, 4))
        self.assertIsNone(self.levels.recall(PHONE, [INBOX]))

    def test_certain(self) -> None:
        """Items just received are news for certain; anything else among the changes needs a look."""
        self.board.changed(Change(INBOX, 8, fresh=True))
        self.assertEqual(self.levels.certain(PHONE, self.noted), [INBOX])
        self.board.changed(Change(HIERARCHY, 4))
        self.assertIsNone(self.levels.certain(PHONE, self.noted))

    def test_certainOnlyWhileNothingWasGiven(self) -> None:
        """As soon as another command of the device comes nothing is certain: it may be giving just that."""
        self.board.changed(Change(INBOX, 8, fresh=True))
        before = self.levels.begin(PHONE)
        self.assertIsNone(self.levels.certain(PHONE, self.noted))
        self.levels.finish(PHONE, before, {INBOX: 8})
        self.assertIsNone(self.levels.certain(PHONE, self.noted))

    def test_freshBelowTheLevel(self) -> None:
        """An item received before the look is no news, whatever changed since."""
        self.board.changed(Change(INBOX, 6, fresh=True))
        self.board.changed(Change(INBOX, 8))
        self.assertIsNone(self.levels.certain(PHONE, self.noted))

    def test_finish(self) -> None:
        """An answer that was written moves the levels of its folders; folders never looked at are not added."""
        before = self.levels.begin(PHONE)
        self.assertIsNone(self.levels.recall(PHONE, [INBOX]))
        self.levels.finish(PHONE, before, {INBOX: 9, SENT: 2})
        self.assertEqual(self.levels.recall(PHONE, [INBOX]), {HIERARCHY: 3, INBOX: 9})

    def test_unknownAfterwards(self) -> None:
        """An answer that does not say how far it went leaves nothing known."""
        begun = self.levels.begin(PHONE)
        self.levels.end(PHONE, begun)
        self.levels.finish(PHONE, begun, None)
        self.assertIsNone(self.levels.recall(PHONE, [INBOX]))

    def test_nothingKnownBefore(self) -> None:
        """Levels of one folder alone are not enough to wait with."""
        self.levels.forget(PHONE)
        self.levels.finish(PHONE, self.levels.begin(PHONE), {INBOX: 9})
        self.assertIsNone(self.levels.recall(PHONE, [INBOX]))

    def test_forgetAll(self) -> None:
        """When the meaning of news changes, everything is looked at again."""
        self.levels.forget_all()
        self.assertIsNone(self.levels.recall(PHONE, [INBOX]))

    def test_overtaken(self) -> None:
        """When another command began meanwhile, an answer that goes out late says nothing of what that one did."""
        slow = self.levels.begin(PHONE)
        self.levels.end(PHONE, slow)
        quick = self.levels.begin(PHONE)
        self.levels.end(PHONE, quick)
        self.levels.finish(PHONE, slow, {INBOX: 9})
        self.levels.finish(PHONE, quick, {INBOX: 8})
        self.assertIsNone(self.levels.recall(PHONE, [INBOX]))

    def test_lookedMeanwhile(self) -> None:
        """What a look found while a command was executed may be from before; what one finds afterwards holds."""
        begun = self.levels.begin(PHONE)
        self.levels.note(PHONE, self.noted)
        self.levels.end(PHONE, begun)
        self.assertIsNone(self.levels.recall(PHONE, [INBOX]))
        self.levels.note(PHONE, self.noted)
        self.levels.finish(PHONE, begun, {INBOX: 9})
        self.assertIs(self.levels.recall(PHONE, [INBOX]), self.noted)

    def test_changedMeaning(self) -> None:
        """What was begun before the meaning of news changed adds nothing afterwards."""
        begun = self.levels.begin(PHONE)
        self.levels.forget_all()
        self.levels.finish(PHONE, begun, {INBOX: 9})
        self.assertIsNone(self.levels.recall(PHONE, [INBOX]))

    def test_bounded(self) -> None:
        """Names that clients make up do not fill the memory: who was looked at longest ago is forgotten first."""
        self.levels.size = 2
        self.levels.note(DeviceKey("ann", "other"), self.noted)
        self.levels.note(PHONE, self.noted)
        self.levels.note(DeviceKey("ann", "third"), self.noted)
        self.assertIsNone(self.levels.recall(DeviceKey("ann", "other"), [INBOX]))
        self.assertIs(self.levels.recall(PHONE, [INBOX]), self.noted)
