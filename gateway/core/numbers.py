"""Phone numbers as people write them, and as they may be logged."""

from __future__ import annotations

import re

_NOISE = re.compile(r"[ ().\-/\u00a0]")
_E164 = re.compile(r"\+[1-9][0-9]{5,14}")


class BadNumber(ValueError):
    """The text is no phone number that is good anywhere; the message says why."""


def e164(text: str) -> str:
    """A number in E.164 form with its plus sign; blanks, hyphens, brackets and a leading C{00} are understood.

    @raise BadNumber: it does not begin with the code of its country, or is too short or too long.
    """
    number = _NOISE.sub("", text)
    if number.startswith("00"):
        number = f"+{number[2:]}"
    if not number.isascii() or not _E164.fullmatch(number):
        raise BadNumber(f"{text!r} is no number with the code of its country: write it as +491701234567")
    return number


def masked(number: str) -> str:
    """A number as it may be logged: C{+49...567}."""
    return f"{number[:3]}...{number[-3:]}" if len(number) > 8 else f"...{number[-3:]}"
