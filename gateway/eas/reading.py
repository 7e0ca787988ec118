"""Mails that are read to be converted as a whole: a few at a time, because each is in memory meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredSemaphore

from gateway.eas.call import Unavailable
from gateway.interfaces import IMailbox
from gateway.model import Folder, Item

T = TypeVar("T")

Run = Callable[..., Deferred[Any]]
"""Calls a function with arguments where it may take its time, and gives a Deferred of what it returns."""

#: When a client is to come again for whom there is no place in the line, in seconds.
RETRY = 10


@define(eq=False)
class Reading:
    """Reads mails and has them converted where that may take its time.

    At most C{at_once} are in memory, and at most C{waiting} wait for their turn.
    """

    mailbox: IMailbox
    run: Run
    at_once: int = 4
    waiting: int = 200
    _turns: DeferredSemaphore = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._turns = DeferredSemaphore(self.at_once)

    async def convert(self, folder: Folder, item: Item, work: Callable[[bytes], T]) -> T:
        """What the work makes of the octets of a mail.

        @raise ItemGone: it is not there any more.
        @raise Unavailable: too many wait.
        """
        if len(self._turns.waiting) >= self.waiting:
            raise Unavailable("too many mails wait to be read", RETRY)
        await self._turns.acquire()
        try:
            raw = await self.mailbox.read(folder.user, folder.path, item.name, item.state)
            found: T = await self.run(work, raw)
            return found
        finally:
            self._turns.release()
