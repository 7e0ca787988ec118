"""What the contract tests about triggers and what goes out have in common."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from gateway.model import DeviceKey, Folder, FolderType, FoundFolder, Mode
from gateway.trigger import Cause, Concerned, Decided, Letter, LetterState, Line, Order, WakeRule
from tests.contract.store import ANN, INBOX, NOW, TRASH, StoreCase

DAY = 24 * 3600
ROUTE = "smpp:example"
RULE = WakeRule(Mode.SMS, day=NOW - 100, tomorrow=NOW - 100 + DAY, price=0.25)
BOBS = FoundFolder("", "Inbox", FolderType.INBOX)

# What is sent, for tests.
GUID = "35395ce4-1504-4ac4-9721-f152c646ea35"


def line(key: DeviceKey = ANN, number: str = "+491701234567", **more: Any) -> Line:
    """The line of a device."""
    return Line(key, number, "example", **more)


def letter(key: DeviceKey = ANN, **more: Any) -> Letter:
    """A trigger, made and due now."""
    return evolve(Letter(key, ROUTE, "+491701234567", guid=GUID, created=NOW, due=NOW), **more)


class LineCase(StoreCase):
    """The store with the folders of ann, her phone on a line and synchronised."""

    def setUp(self) -> None:
        super().setUp()
        self.triggers, self.outbox = self.store.triggers, self.store.outbox
        self.result(self.triggers.keep_line(line()))
        self.key = self.start()

    def again(self) -> None:
        """The same database after a kill, a moment after a flush."""
        self.result(self.store.flush())
        self.store = self.restart()
        self.triggers, self.outbox = self.store.triggers, self.store.outbox

    def concerned(self, *folders: int) -> list[Concerned]:
        return self.result(self.triggers.concerned(folders or [self.inbox]))

    def wake(self, key: DeviceKey = ANN) -> Any:
        """What is kept of a device."""
        [found] = self.result(self.triggers.wakes([key]))
        return found.wake

    def order(self, key: DeviceKey = ANN, cause: Cause = Cause.CHANGE, **more: Any) -> Order:
        """An order about the Inbox; what is no field of it is one of the rule."""
        [found] = self.result(self.triggers.wakes([key]))
        names = {"folders", "watched", "route", "guid", "content"}
        own = {name: more.pop(name) for name in names & more.keys()}
        return Order(found.line, cause, evolve(RULE, **more), **{"folders": (self.inbox,), "route": ROUTE, **own})

    def decide(self, *orders: Order, **more: Any) -> list[Decided]:
        return self.result(self.triggers.decide(orders or [self.order(**more)], int(self.now)))

    def verdict(self, **more: Any) -> str:
        [decided] = self.decide(**more)
        return str(decided.verdict.value)

    def sent(self, **more: Any) -> Decided:
        """A trigger for a new mail; it is in the outbox now."""
        self.deliver(f"m{self.now}-{self._requests}")
        [decided] = self.decide(**more)
        self.assertTrue(decided.letter, decided)
        return decided

    def synced(self, key: DeviceKey = ANN, lease: int = 0, **more: Any) -> Any:
        """The device has synchronised everything."""
        return self.result(self.triggers.synced(key, int(self.now), evolve(RULE, **more), lease))

    def letters(self) -> list[tuple[int, LetterState]]:
        """All letters, in the order of their numbers."""
        return [(one.id, one.state) for one in self.result(self.outbox.letters(None, None, 1000))][::-1]

    def take(self, most: int = 500, route: str = ROUTE) -> list[Letter]:
        return self.result(self.outbox.take(route, self.now, most))

    def user(self, name: str) -> list[Folder]:
        """Folders of another user."""
        return self.folders(INBOX, TRASH, user=name)
