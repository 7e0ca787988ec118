"""Registrations: which number or address wakes which device."""

from __future__ import annotations

import re
from collections.abc import Callable, Set
from difflib import get_close_matches
from typing import Any

from attrs import define, frozen
from twisted.logger import Logger

from gateway.admin.errors import Refused, Unknown
from gateway.core.numbers import BadNumber, e164, masked
from gateway.interfaces import IAccounts, ITriggers
from gateway.model import DeviceKey
from gateway.trigger import Line

_DEVICE = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")
_FORMATS = ("text", "si", "emn", "binary")
LONGEST_NAME = 64


@frozen
class LineTerms:
    """What the configuration allows: the C{operators} there are, which of them takes a number (C{operator_of}, empty:
    none), whether addresses of users' own are taken, and the seconds of a C{lease} (0: for ever)."""

    operators: Set[str]
    operator_of: Callable[[str], str]
    own_addresses: bool
    lease: int


def _nobody(key: DeviceKey) -> None:
    """There is nobody to be told."""


@define(eq=False)
class Lines:
    """The registrations that commands make; C{registered} and C{dropped} are told of them."""

    log = Logger()

    triggers: ITriggers
    accounts: IAccounts
    terms: LineTerms
    now: Callable[[], int]
    registered: Callable[[DeviceKey], None] = _nobody
    dropped: Callable[[DeviceKey], None] = _nobody

    async def list(self, user: str | None) -> list[dict[str, Any]]:
        """The registrations of a user, or of all, as JSON values; times in seconds since the epoch."""
        return [line_row(line, self.terms) for line in await self.triggers.lines(user.lower() if user else None)]

    async def register(
        self,
        user: str,
        device: str,
        by: str,
        *,
        number: str = "",
        operator: str = "",
        address: str = "",
        format: str = "",
        name: str = "",
    ) -> dict[str, Any]:
        """Register a device with a number, or with an address of the user's own.

        @raise Unknown: no such user. @raise Refused: number, operator, address or format do not fit.
        """
        key = self._key(user, device)
        terms = self.terms
        if bool(number) == bool(address):
            raise Refused("a device is woken by a number or at an address: give one of them")
        if format and format not in _FORMATS:
            raise Refused(f"there is no trigger format {format!r}: it is one of {', '.join(_FORMATS)}")
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise Refused(f"a name has up to {LONGEST_NAME} characters that can be printed")
        if address:
            _check_address(address, operator, terms)
        else:
            number = _checked_number(number, operator, terms)
        since = self.now()
        expires = since + terms.lease if terms.lease else 0
        line = Line(key, number, operator, address, format, name, since, expires, by)
        await self.triggers.keep_line(line)
        self.log.warn(
            "device {device} of {user} is registered with {to} by {by}",
            device=key.device,
            user=key.user,
            to=masked(number) if number else "an address",
            by=by,
        )
        self.registered(key)
        return line_row(line, terms)

    async def remove(self, user: str, device: str, by: str) -> None:
        """End a registration; what is queued for it is not sent any more.

        @raise Unknown: there is none.
        """
        key = DeviceKey(user.lower(), device.lower())
        if not await self.triggers.drop_line(key):
            raise Unknown(f"device {device!r} of user {user!r} is not registered; 'pushgw sms list' lists what is")
        self.log.warn(
            "the registration of device {device} of {user} is ended by {by}", device=key.device, user=key.user, by=by
        )
        self.dropped(key)

    def _key(self, user: str, device: str) -> DeviceKey:
        key = DeviceKey(user.lower(), device.lower())
        if key.user not in self.accounts.names():
            raise Unknown(f"there is no user {user!r}; 'pushgw user list' lists who there is")
        if not _DEVICE.fullmatch(key.device):
            raise Refused(f"{device!r} is no device id: it has up to 32 letters and digits, as in 'pushgw devices'")
        return key


def _check_address(address: str, operator: str, terms: LineTerms) -> None:
    if not terms.own_addresses:
        raise Refused("addresses of users' own are not taken: set sms.allow_own_addresses = true, or give a number")
    if operator:
        raise Refused("an address goes to the relay: leave the operator out")
    if not _ADDRESS.fullmatch(address) or len(address) > 254:
        raise Refused(f"{address!r} is no mail address")


def _checked_number(number: str, operator: str, terms: LineTerms) -> str:
    try:
        number = e164(number)
    except BadNumber as error:
        raise Refused(str(error)) from None
    if operator and operator not in terms.operators:
        near = get_close_matches(operator, terms.operators, 1)
        known = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(sorted(terms.operators)) or 'none'}"
        raise Refused(f"no operator is called {operator!r}; {known}")
    if not operator and not terms.operator_of(number):
        raise Refused(
            f"no operator takes {number}: name one, give one the prefix of the number, or set sms.default_operator"
        )
    return number


def line_row(line: Line, terms: LineTerms) -> dict[str, Any]:
    """A registration as JSON values; C{operator} is the one that takes the number now, empty if none does."""
    return {
        "user": line.key.user,
        "device": line.key.device,
        "number": line.number,
        "operator": line.operator or (terms.operator_of(line.number) if line.number else ""),
        "address": line.address,
        "format": line.format,
        "name": line.name,
        "since": line.since,
        "expires": line.expires,
        "by": line.by,
    }
