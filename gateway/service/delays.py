"""Telling users that their mail still waits: the server that takes it has not been reached for hours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from attrs import define, field
from twisted.logger import Logger

from gateway.core.retrying import Retry
from gateway.interfaces import IOutbox, IPostings
from gateway.mail.undelivered import delayed
from gateway.posting import Posting, Reception
from gateway.service.mailout import RELAY
from gateway.trigger import Letter

HOUR = 3600
PORTION = 20
"""Mails that are looked at together."""


@define(eq=False)
class Delays:
    """Looks for mails of users that wait for the relay, and has their senders told, of each once.

    That it was told is kept in the store, beside what devices hand over: a restart tells nobody again. C{hours}: after
    how long, 0: never. C{now} is wall clock in seconds; C{host} the name of this host; C{kick} is told of the routes
    that letters were queued for.
    """

    log = Logger()

    outbox: IOutbox
    postings: IPostings
    kick: Callable[[str], None]
    now: Callable[[], float]
    host: str
    hours: int
    retry: Retry = field(factory=Retry)
    _upto: float = field(init=False, default=0.0)

    async def look(self) -> None:
        """Tell of the mails that have waited so long since the last look.

        @raise gateway.interfaces.BackendDown: the store does not answer.
        """
        if not self.hours:
            return
        now = self.now()
        after, upto, last = min(self._upto, now), now - self.hours * HOUR, 0
        while letters := await self.outbox.stuck(RELAY, after, upto, last, PORTION):
            for letter in letters:
                await self._tell(letter, now)
            last = letters[-1].id
        self._upto = upto

    async def _tell(self, letter: Letter, now: float) -> None:
        told = delayed(letter, letter.created + self.retry.longest, self.host, datetime.fromtimestamp(now).astimezone())
        if told is None:
            return
        posted = await self.postings.post(
            Posting(key=letter.key, name=f"w:{letter.id}", now=now, since=0.0, letters=(told,), recipients=0)
        )
        if posted.reception is Reception.TAKEN:
            self.log.info(
                "letter {id} of {user} has waited for {hours} h, and its sender is told",
                id=letter.id,
                user=letter.key.user,
                hours=self.hours,
            )
            self.kick(told.route)
