"""What takes mail for addresses that are no mailboxes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import define, frozen
from zope.interface import Interface, implementer

from gateway.core.bounces import Bounces
from gateway.sources.smtpto import NotHere


@frozen
class Taker:
    """Who takes a mail for one such address: C{name} is the same for addresses that are the same; C{take} is called
    with the content, and has it safe when it is done. It may raise L{NotHere}, and then nothing has happened."""

    name: str
    take: Callable[[bytes], Awaitable[None]]


class IMailDoor(Interface):
    """Takes mail for addresses that are no mailboxes."""

    def serves(local: str, domain: str) -> bool:
        """Whether an address belongs here, and nowhere else."""

    async def open(local: str, domain: str, sender: str, peer: str) -> Taker:
        """Who takes mail for an address that belongs here, from that envelope sender (empty for a notice) and that
        client.

        @raise NotHere: it is refused.
        """


@implementer(IMailDoor)
@define(eq=False)
class BounceDoor:
    """Takes the bounces of mails that the gateway has sent.

    @param addresses: where they come to; may be replaced while mails come in.
    @param take: is given the address, the token in it, and the mail.
    """

    addresses: tuple[Bounces, ...]
    take: Callable[[Bounces, str, bytes], Awaitable[None]]

    def serves(self, local: str, domain: str) -> bool:
        """Whether this is the address for bounces, with anything behind a plus sign."""
        return self._bounces(local, domain) is not None

    async def open(self, local: str, domain: str, sender: str, peer: str) -> Taker:
        """The address with a token takes a mail from anybody: many servers send bounces with a sender."""
        bounces = self._bounces(local, domain)
        token = bounces.heard(local) if bounces else None
        if bounces is None or token is None:
            raise NotHere(550, "5.1.1", "This address takes only the bounces of certain mails")
        found, known = bounces, token

        async def take(content: bytes) -> None:
            await self.take(found, known, content)

        return Taker(f"bounce {found.named(known)}", take)

    def _bounces(self, local: str, domain: str) -> Bounces | None:
        return next((one for one in self.addresses if one.ours(local, domain)), None)
