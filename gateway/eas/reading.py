"""Mails that are read to be converted as a whole: a few at a time, because each is in memory meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred

from gateway.eas.places import Places
from gateway.interfaces import IMailbox
from gateway.model import Folder, Item

T = TypeVar("T")

#: Bytes of a mail that is large, and how many large ones are in memory at a time.
LARGE, LARGE_AT_ONCE = 2**20, 2

Run = Callable[..., Deferred[Any]]
"""Calls a function with arguments where it may take its time, and gives a Deferred of what it returns."""


@define(eq=False)
class Reading:
    """Reads mails and has them converted where that may take its time.

    At most C{at_once} are in memory, and at most C{waiting} wait for their turn. Of large ones there are fewer: they
    take their places among the C{large}, which several may share.
    """

    mailbox: IMailbox
    run: Run
    at_once: int = 4
    waiting: int = 200
    large: Places = field(factory=lambda: Places(LARGE_AT_ONCE))
    _turns: Places = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._turns = Places(self.at_once)

    async def convert(self, folder: Folder, item: Item, work: Callable[[bytes], T]) -> T:
        """What the work makes of the octets of a mail.

        @raise ItemGone: it is not there any more.
        @raise Unavailable: too many wait.
        """
        why = "too many mails wait to be read"
        self._turns.admit(self.waiting, why)
        found = await self._turns.take(partial(self._at_once, folder, item, work))
        if found is None:
            self.large.admit(self.waiting, why)
            found = (await self.large.take(partial(self._converted, folder, item, work)),)
        return found[0]

    async def _at_once(self, folder: Folder, item: Item, work: Callable[[bytes], T]) -> tuple[T] | None:
        """What the work makes of it, or C{None} for a large one that has to wait.

        How large a mail is nobody knows before it is read. It is not kept while it waits, but read once more.
        """
        raw = await self._read(folder, item)
        if len(raw) <= LARGE:
            return (await self.run(work, raw),)
        return (await self.large.take(partial(self.run, work, raw)),) if self.large.free else None

    async def _converted(self, folder: Folder, item: Item, work: Callable[[bytes], T]) -> T:
        raw = await self._read(folder, item)
        found: T = await self.run(work, raw)
        return found

    def _read(self, folder: Folder, item: Item) -> Deferred[bytes]:
        return self.mailbox.read(folder.user, folder.path, item.name, item.state)
