"""Carrying out what the ledger intends to happen to files; what cannot be done now is done later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from gateway.interfaces import ILedger
from gateway.model import Intent
from gateway.sources.files import MailFiles, names_of
from gateway.sources.work import Work

AGAIN = 60.0
"""Seconds until an intent that failed (a full disk, missing rights) is tried again."""


@define(eq=False)
class Carrier:
    """Carries out intents in threads. C{astray} is told of the folders (user, path) that keep a mail which the
    ledger believes to be elsewhere, once the intent is struck out; C{arranged} of users whose folders are now what the
    ledger says, when that took longer."""

    ledger: ILedger
    files: MailFiles
    clock: IReactorTime
    run: Callable[..., Deferred[Any]]
    work: Work
    astray: Callable[[str, str], None]
    arranged: Callable[[str], None]
    _undone: dict[int, Intent] = field(factory=dict, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)

    async def carry_out(self, intents: Sequence[Intent]) -> list[int]:
        """Do what the intents say; the ids of those that are done. The others are tried again by and by.

        What failed before at the same mails is done first, and its ids are among those.
        """
        todo = [*self._before(intents), *intents]
        self._undone.update((intent.id, intent) for intent in todo)
        try:
            done, astray = await self.run(self.files.carry_out, todo)
            for id in done:
                self._undone.pop(id, None)
            if astray:
                await self.ledger.done(done)  # as long as they are pending, their mails are not seen where they are
                for user, path in astray:
                    self.astray(user, path)
        finally:
            self._arm()
        return list(done)

    def _before(self, intents: Sequence[Intent]) -> list[Intent]:
        if not self._undone:
            return []
        names = {name for intent in intents for name in names_of(intent)}
        ids = {intent.id for intent in intents}
        return [one for one in self._undone.values() if one.id not in ids and not names.isdisjoint(names_of(one))]

    async def finish(self, intents: Sequence[Intent]) -> None:
        """Carry out and strike out."""
        done = await self.carry_out(intents)
        if done:
            await self.ledger.done(done)
        struck = set(done)
        for user in {intent.user for intent in intents if intent.kind.of_folder and intent.id in struck}:
            self.arranged(user)

    def stop(self) -> None:
        """Leave no timer behind; the ledger has what is not done."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _arm(self) -> None:
        if self._undone and self._timer is None and not self.work.stopping:
            self._timer = self.clock.callLater(AGAIN, self._due)

    def _due(self) -> None:
        self._timer = None
        self.work.start(self._retry(), "carrying out what failed before")

    async def _retry(self) -> None:
        try:
            await self.finish(list(self._undone.values()))
        finally:
            self._arm()
