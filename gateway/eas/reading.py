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

Run = Callable[..., Deferred[Any]]
"""Calls a function with arguments where it may take its time, and gives a Deferred of what it returns."""


@define(eq=False)
class Reading:
    """Reads mails and has them converted where that may take its time.

    At most C{at_once} are in memory, and at most C{waiting} wait for their turn.
    """

    mailbox: IMailbox
    run: Run
    at_once: int = 4
    waiting: int = 200
    _turns: Places = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._turns = Places(self.at_once)

    async def convert(self, folder: Folder, item: Item, work: Callable[[bytes], T]) -> T:
        """What the work makes of the octets of a mail.

        @raise ItemGone: it is not there any more.
        @raise Unavailable: too many wait.
        """
        self._turns.admit(self.waiting, "too many mails wait to be read")
        return await self._turns.take(partial(self._converted, folder, item, work))

    async def _converted(self, folder: Folder, item: Item, work: Callable[[bytes], T]) -> T:
        raw = await self.mailbox.read(folder.user, folder.path, item.name, item.state)
        found: T = await self.run(work, raw)
        return found
