"""How SMS come to a simulated phone at the terminal: a small SMSC of its own, which an SMPP client connects to."""

from __future__ import annotations

import re

import click
from attrs import define, field, frozen
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.base import ReactorBase
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort

from gateway.simulator.autdv1 import COALESCE, USUAL_SCHEDULE, TextedDevice
from gateway.simulator.smsc import Smsc
from gateway.simulator.terms import Terms

_NUMBER = re.compile(r"\+?[0-9]{3,15}")


@frozen
class Texting:
    """What the command line asked for: where to listen (a server endpoint string), the digits of the phone's number,
    empty for any, and the times of the phone in seconds."""

    listen: str
    number: str = ""
    coalesce: float = COALESCE
    schedule: float | None = USUAL_SCHEDULE


def digits(text: str) -> str:
    """The digits of a phone number, as they stand in SMPP.

    @raise ValueError: it is none.
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is no phone number: give it as +491701234567")
    return text.lstrip("+")


@define(eq=False)
class Exchange:
    """The SMSC of one phone: any account may bind, any other number is unknown."""

    _texting: Texting
    _phone: TextedDevice
    _reactor: ReactorBase
    _smsc: Smsc = field(init=False)
    _port: IListeningPort | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        terms = Terms(accounts={}, delay=0.0, errors={}, undelivered=())
        self._smsc = Smsc(self._reactor, self._phone.receive, terms, knows=self._knows)

    async def start(self) -> None:
        """Listen, and say where; fails as the endpoint does."""
        self._port = await serverFromString(self._reactor, self._texting.listen).listen(self._smsc)
        address = self._port.getHost()
        where = f"{address.host}:{address.port}" if isinstance(address, IPv4Address | IPv6Address) else str(address)
        click.echo(f"SMS come in by SMPP at {where}", err=True)

    async def stop(self) -> None:
        """Listen no more, and end the sessions."""
        self._smsc.close()
        if self._port is not None:
            await maybeDeferred(self._port.stopListening)

    def _knows(self, number: str) -> bool:
        return not self._texting.number or number.lstrip("+") == self._texting.number
