"""What takes mail for addresses that are no mailboxes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import define, frozen
from zope.interface import Interface, implementer

from gateway.core.bounces import Bounces


@frozen
class Taker:
    """Who takes a mail for one such address: C{name} is the same for addresses that are the same; C{take} is called
    with the content, and has it safe when it is done. It may
    raise L{gateway.sources.smtpto.NotHere}, and then nothing has happened."""

    name: str
    take: Callable[[bytes], Awaitable[None]]


class IMailDoor(Interface):
    """Takes mail for addresses that are no mailboxes."""

    def serves(local: str, domain: str) -> bool:
        """Whether an address belongs here, and nowhere else."""

    async def open(local: str, domain: str, sender: str, peer: str) -> Taker:
        """Who takes mail for an address that belongs here, from that envelope sender (empty for a notice) and that
        client.

        @raise gateway.sources.smtpto.NotHere: it is refused.
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
        """Whether the address has a token of ours; without one it may be anybody's."""
        return self._heard(local, domain) is not None

    async def open(self, local: str, domain: str, sender: str, peer: str) -> Taker:
        """The address takes a mail from anybody: many servers send bounces with a sender."""
        heard = self._heard(local, domain)
        assert heard is not None
        bounces, token = heard

        async def take(content: bytes) -> None:
            await self.take(bounces, token, content)

        return Taker(f"bounce {bounces.named(token)}", take)

    def _heard(self, local: str, domain: str) -> tuple[Bounces, str] | None:
        for bounces in self.addresses:
            token = bounces.heard(local, domain)
            if token is not None:
                return bounces, token
        return None
