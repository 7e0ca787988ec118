"""Reading the mails that the index lacks, and taking them apart, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from gateway.convert.searchable import document
from gateway.index import Document, Portion
from gateway.interfaces import BackendDown, IMailbox, ItemGone
from gateway.model import Item

Run = Callable[..., Deferred[Any]]

LOAD = 2**20
"""Octets of mails that wait for being taken apart; the one with which there are more is the last."""


@define(eq=False)
class Gathered:
    """A portion, what is in its mails, those that are not where they were, and those that could not be read."""

    portion: Portion
    documents: list[Document] = field(factory=list)
    missing: list[Item] = field(factory=list)
    failed: list[Item] = field(factory=list)

    @property
    def whole(self) -> bool:
        """Whether all mails could be read."""
        return not self.missing and not self.failed

    @property
    def blocked(self) -> bool:
        """Whether there were mails, and none could be read: it is not the mails."""
        return bool(self.failed) and len(self.failed) == len(self.portion.items)

    def given_up(self) -> Sequence[Document]:
        """What is put in if it is not tried any more: mails that could not be read stand there without words."""
        return [*self.documents, *(Document(item.id, item.received) for item in self.failed)]


@define(eq=False)
class Gatherer:
    """Reads mails from C{mailbox} for the index; C{run} takes them apart in a thread, small ones together."""

    mailbox: IMailbox
    run: Run
    log = Logger()

    async def gather(self, portions: Sequence[Portion]) -> list[Gathered]:
        """Read the mails of these portions."""
        found = [Gathered(portion) for portion in portions]
        waiting: list[tuple[Gathered, bytes, Item]] = []
        size = 0
        for one in found:
            for item in one.portion.items:
                raw = await self._raw(one, item)
                if raw is None:
                    continue
                waiting.append((one, raw, item))
                size += len(raw)
                if size >= LOAD:
                    await self._take_apart(waiting)
                    waiting, size = [], 0
        if waiting:
            await self._take_apart(waiting)
        return found

    async def _raw(self, one: Gathered, item: Item) -> bytes | None:
        folder = one.portion.folder
        assert folder is not None
        try:
            return await self.mailbox.read(folder.user, folder.path, item.name, item.state)
        except ItemGone:
            one.missing.append(item)
        except BackendDown as error:
            self.log.warn("Mail {item} cannot be read for the index: {error}", item=item.id, error=error)
            one.failed.append(item)
        return None

    async def _take_apart(self, mails: Sequence[tuple[Gathered, bytes, Item]]) -> None:
        found = await self.run(_documents, [(raw, item) for _, raw, item in mails])
        for (one, _, _), made in zip(mails, found, strict=True):
            one.documents.append(made)


def _documents(mails: Sequence[tuple[bytes, Item]]) -> list[Document]:
    return [document(raw, item) for raw, item in mails]
