"""What is submitted: the fields that an operator wants around the part of a letter."""

from __future__ import annotations

import re
from typing import Final

from attrs import define, field

from gateway.sms.pdu import Template, Value
from gateway.sms.settings import OperatorSettings
from gateway.sms.udh import Part
from gateway.trigger import Letter

UDHI: Final = 0x40
LONGEST_VALIDITY: Final = 30 * 24 * 3600

_INTERNATIONAL, _NETWORK, _ALPHANUMERIC = (1, 1), (3, 0), (5, 0)
_NUMBER = re.compile(r"\+?[0-9]+")
_SHORT = re.compile(r"[0-9]{1,6}")


class BadNumber(ValueError):
    """A number that no SMS can go to."""


def source(settings: OperatorSettings) -> tuple[str, int, int]:
    """The sender of an SMS, its type of number and its numbering plan, by its form where nothing else is set."""
    address = settings.source
    if not address:
        ton, npi = 0, 0
    elif _SHORT.fullmatch(address):
        ton, npi = _NETWORK
    elif _NUMBER.fullmatch(address):
        ton, npi = _INTERNATIONAL
    else:
        ton, npi = _ALPHANUMERIC
    ton = ton if settings.source_ton is None else settings.source_ton
    npi = npi if settings.source_npi is None else settings.source_npi
    return (address.removeprefix("+") if _NUMBER.fullmatch(address) else address), ton, npi


def destination(number: str, settings: OperatorSettings) -> str:
    """A number in E.164 form with its plus sign, as this operator wants it.

    Raises L{BadNumber} for what is no number, or is too long.
    """
    if not _NUMBER.fullmatch(number):
        raise BadNumber("it is no number")
    digits = number.removeprefix("+")
    if digits.startswith(settings.number_strip):
        digits = settings.number_add + digits.removeprefix(settings.number_strip)
    if not 0 < len(digits) <= 20:
        raise BadNumber("the operator takes numbers of up to 20 digits")
    return digits


def relative_time(seconds: float) -> str:
    """A time from now on, in the form that ends in R (SMPP 3.4 7.1.1.2); at least a second and at most 30 days."""
    left = min(max(1, round(seconds)), LONGEST_VALIDITY)
    minutes, second = divmod(left, 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"0000{day:02}{hour:02}{minute:02}{second:02}000R"


def fixed_fields(settings: OperatorSettings) -> dict[str, Value]:
    """The fields that all submits to an operator have in common."""
    address, ton, npi = source(settings)
    return {
        "service_type": settings.service_type,
        "source_addr_ton": ton,
        "source_addr_npi": npi,
        "source_addr": address,
        "dest_addr_ton": settings.destination_ton,
        "dest_addr_npi": settings.destination_npi,
        "protocol_id": settings.protocol_id,
        "replace_if_present_flag": int(settings.replace_if_present),
    }


def part_fields(part: Part, last: bool, settings: OperatorSettings) -> dict[str, Value]:
    """The fields that parts of a kind have in common; a receipt is asked for with the last one of a message."""
    return {
        "esm_class": UDHI if part.udhi else 0,
        "registered_delivery": settings.receipts if last else 0,
        "data_coding": part.data_coding,
    }


@define(eq=False)
class Submits:
    """What is submitted to an operator: a template for each kind of part, and how long it is valid."""

    _settings: OperatorSettings
    _seconds: int = field(default=0, init=False)
    _written: str = field(default="", init=False)
    _fixed: dict[str, Value] = field(init=False)
    _templates: dict[tuple[bool, int, bool], Template] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._fixed = fixed_fields(self._settings)

    def template(self, part: Part, last: bool) -> Template:
        """The one for a part; raises L{gateway.sms.pdu.BadField} if the settings or the part do not fit into a PDU."""
        kind = (part.udhi, part.data_coding, last)
        found = self._templates.get(kind)
        if found is None:
            found = self._templates[kind] = Template.of(self._fixed | part_fields(part, last, self._settings))
        return found

    def validity(self, letter: Letter, now: float) -> str:
        """How long the SMSC may try: empty for as long as it likes."""
        set_to = self._settings.validity
        if set_to == 0 or (set_to is None and not letter.expires):
            return ""
        seconds = round(letter.expires - now) if set_to is None else set_to
        if seconds != self._seconds or not self._written:
            self._seconds, self._written = seconds, relative_time(seconds)
        return self._written
