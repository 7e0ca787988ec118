"""The store as L{IOutbox}."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define
from sqlalchemy import Connection
from twisted.internet.defer import Deferred
from zope.interface import implementer

import gateway.store.letters as letters
import gateway.store.outbox as outbox
import gateway.store.receipts as receipts
from gateway.interfaces import IOutbox
from gateway.store.database import Database
from gateway.store.queue import enqueue
from gateway.store.spending import Till
from gateway.trigger import Letter, Outcome, Receipt


@implementer(IOutbox)
@define(eq=False)
class Outbox:
    """The letters of one database."""

    database: Database
    seconds: Callable[[], float]

    def put(self, letters: Sequence[Letter]) -> Deferred[list[int]]:
        """See L{IOutbox}."""
        return self.database.write_durably(_put, letters, self.seconds())

    def take(self, route: str, now: float, most: int) -> Deferred[list[Letter]]:
        """See L{IOutbox}."""
        return self.database.write_durably(outbox.take, route, now, most)

    def settle(self, outcomes: Sequence[Outcome], letters: Sequence[Letter] = ()) -> Deferred[None]:
        """See L{IOutbox}; durable, or a letter that was sent would be sent again after a loss of power."""
        return self.database.write_durably(_settle, outcomes, letters, self.seconds())

    def receive(self, came: Sequence[Receipt]) -> Deferred[list[Letter | None]]:
        """See L{IOutbox}."""
        return self.database.write_durably(receipts.receive, came, self.seconds())

    def reopen(self, now: float) -> Deferred[tuple[int, int]]:
        """See L{IOutbox}."""
        return self.database.write_durably(outbox.reopen, now)

    def next_due(self, route: str) -> Deferred[float | None]:
        """See L{IOutbox}."""
        return self.database.read(outbox.next_due, route)

    def waiting(self) -> Deferred[Mapping[str, tuple[int, float]]]:
        """See L{IOutbox}."""
        return self.database.read(outbox.waiting)

    def letters(self, user: str | None, device: str | None, most: int) -> Deferred[list[Letter]]:
        """See L{IOutbox}."""
        return self.database.read(letters.letters, user, device, most)

    def stuck(self, route: str, after: float, upto: float, id: int, most: int) -> Deferred[list[Letter]]:
        """See L{IOutbox}."""
        return self.database.read(letters.stuck, route, after, upto, id, most)

    def forget(self, before: float) -> Deferred[int]:
        """See L{IOutbox}; what was counted on the days before goes too."""

        def transaction(work: Callable[..., Any], *args: Any) -> Any:
            return self.database.writing(False, work, *args)

        return self.database.run(outbox.forget, transaction, before, self.seconds())


def _put(connection: Connection, letters: Sequence[Letter], now: float) -> list[int]:
    till = Till()
    ids = enqueue(connection, letters, now, till)
    till.close(connection)
    return ids


def _settle(connection: Connection, outcomes: Sequence[Outcome], letters: Sequence[Letter], now: float) -> None:
    outbox.settle(connection, outcomes)
    _put(connection, letters, now)
