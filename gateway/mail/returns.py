"""Bounces that come back: read, and matched with the letter that they are about."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import define
from twisted.logger import Logger

from gateway.core.bounces import Bounces
from gateway.interfaces import IOutbox
from gateway.mail.dsn import read_notice, receipt
from gateway.trigger import Letter, Receipt


@define(eq=False)
class Returns:
    """Tells the outbox what came back.

    @param routes: the routes by which mail goes out now.
    @param now: seconds since the epoch.
    @param received: told of each letter of which something final was heard.
    """

    log = Logger()

    outbox: IOutbox
    routes: Callable[[], Iterable[str]]
    now: Callable[[], float]
    received: Callable[[Letter, Receipt], None] = lambda letter, receipt: None

    async def take(self, bounces: Bounces, token: str, content: bytes) -> None:
        """A mail came to the address with that token; what it means is written down when this returns.

        Whatever it is, nobody is told anything: to answer a bounce would make mail go in circles.
        @raise gateway.interfaces.BackendDown: the outbox does not answer.
        """
        notice = read_notice(content)
        route = bounces.route(token, self.routes())
        if notice is None or route is None:
            self.log.info("A mail to the address of bounces was dropped: it is none of ours")
            return
        found = receipt(notice, route, self.now(), [bounces.named(token)])
        if found is None:
            self.log.info("{route}: a letter is {action}", route=route, action=notice.action)
            return
        for letter in await self.outbox.receive([found]):
            if letter is None:
                self.log.info("{route}: a bounce is about no letter that is known", route=route)
            else:
                self.received(letter, found)
