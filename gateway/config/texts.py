"""What texts of the configuration must look like; each check raises L{Wrong}."""

from __future__ import annotations

import re
from collections.abc import Callable
from zoneinfo import ZoneInfo

from gateway.config.kinds import Wrong, described

_HOST = re.compile(
    r"(?=.{1,253}\Z)[0-9A-Za-z_]([-0-9A-Za-z_]{0,61}[0-9A-Za-z_])?(\.[0-9A-Za-z]([-0-9A-Za-z]{0,61}[0-9A-Za-z])?)*"
)
_LOCAL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")
#: The characters of GSM 03.38 that are in ASCII too; those of the second table count twice.
_ONE_SEPTET = frozenset("\n\r !\"#$%&'()*+,-./:;<=>?@_") | frozenset(
    map(chr, (*range(0x30, 0x3A), *range(0x41, 0x5B), *range(0x61, 0x7B)))
)
_TWO_SEPTETS = frozenset("^{}\\[~]|")
_GUID = "0" * 36


def host(value: str) -> None:
    """A host name in ASCII."""
    if not _HOST.fullmatch(value):
        raise Wrong(f"{described(value)} is not a host name", "Write it in ASCII, such as mail.example.org")


def web_address(value: str) -> None:
    """The beginning of an address of HTTPS, up to its host and port."""
    name, colon, port = value.removeprefix("https://").partition(":")
    if not value.startswith("https://") or not _HOST.fullmatch(name) or (colon and not port.isdecimal()):
        raise Wrong(f"{described(value)} is not a server of HTTPS", "Write https://HOST or https://HOST:PORT")


def zone(value: str) -> None:
    """The name of a time zone."""
    try:
        ZoneInfo(value)
    except (OSError, ValueError, LookupError):
        raise Wrong(f"{described(value)} is not a time zone", "Write it as Europe/Berlin or UTC") from None


def address(value: str) -> None:
    """A mail address, not more than C{LOCAL@DOMAIN} in ASCII."""
    local, at, domain = value.rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or not _HOST.fullmatch(domain):
        raise Wrong(f"{described(value)} is not a mail address", "Write NAME@DOMAIN in ASCII")


def sender(value: str) -> None:
    """A mail address, or C{@DOMAIN} for all of a domain."""
    address(f"any{value}" if value.startswith("@") else value)


def number_rule(value: str) -> None:
    """A mail address with the place of the number."""
    if value.count("{number}") != 1:
        raise Wrong(f"{described(value)} does not say where the number goes", "Write {number}@sms.example.net")
    address(value.replace("{number}", "49"))


def digits(value: str) -> None:
    """Digits, as they stand at the front of a number."""
    if not (value.isascii() and value.isdigit() and len(value) <= 15):
        raise Wrong(f"{described(value)} are not digits", "Write the digits of the number without a plus sign")


def prefix(value: str) -> None:
    """The beginning of numbers in E.164 form."""
    digits(value.removeprefix("+"))


def source(value: str) -> None:
    """A sender of SMS: a number, a short code, or a name."""
    number = value.removeprefix("+")
    if number.isascii() and number.isdigit():
        if len(number) > 20:
            raise Wrong(f"{described(value)} has {len(number)} digits", "20 are allowed")
    elif len(value) > 11 or septets(value) is None:
        raise Wrong(
            f"{described(value)} cannot be a sender", "Write a number, or a name of up to 11 letters and digits"
        )


def ascii_up_to(longest: int) -> Callable[[str], None]:
    """A text of so many characters of ASCII at most, as a field of SMPP takes it."""

    def check(value: str) -> None:
        if not value.isascii() or len(value) > longest:
            raise Wrong(f"{described(value)} does not fit", f"Give up to {longest} characters of ASCII")

    return check


def septets(text: str) -> int | None:
    """How many septets a text of ASCII takes in GSM 03.38; C{None} if a character is not in it."""
    if not _ONE_SEPTET.union(_TWO_SEPTETS).issuperset(text):
        return None
    return len(text) + sum(letter in _TWO_SEPTETS for letter in text)


def trigger_text(value: str) -> None:
    """The text of a trigger: C{{guid}} once, and not longer than one SMS."""
    if value.count("{guid}") != 1:
        raise Wrong(f"{described(value)} does not say where the GUID goes", 'Write {guid} once, as in "PUSHGW {guid}"')
    length = septets(value.replace("{guid}", _GUID))
    if length is None:
        raise Wrong(f"{described(value)} has a character that is not in every SMS", "Use letters, digits and marks")
    if length > 160:
        raise Wrong(f"{described(value)} has {length} septets with the GUID", "160 are allowed in one SMS")


def trigger_bytes(value: str) -> None:
    """The octets of a binary trigger in hexadecimal digits: C{{guid}} once, which stands for 16 of them."""
    rest = value.replace("{guid}", "", 1)
    before = value.partition("{guid}")[0]
    if rest == value or not re.fullmatch(r"[0-9A-Fa-f]*", rest) or len(rest) % 2 or len(before) % 2:
        raise Wrong(f"{described(value)} is not the content of a trigger", "Write hexadecimal digits and {guid} once")
    if len(rest) // 2 + 16 > 133:
        raise Wrong(f"{described(value)} is too long for one SMS", "133 octets are allowed, 16 of them for the GUID")


def pattern(value: str) -> None:
    """A regular expression, with one group at most."""
    try:
        groups = re.compile(value).groups
    except (re.error, OverflowError, RecursionError) as error:
        raise Wrong(f"{described(value)} is no regular expression: {error}", "Write it as Python has them") from None
    if groups > 1:
        raise Wrong(f"{described(value)} has {groups} groups", "Leave one, and write (?:...) for the others")


def filled(*names: str) -> Callable[[str], None]:
    """A text of ASCII that has no other places to fill in than these."""

    def check(value: str) -> None:
        rest = value
        for name in names:
            rest = rest.replace(f"{{{name}}}", "")
        if not rest.isascii() or "{" in rest or "}" in rest:
            wanted = " and ".join(f"{{{name}}}" for name in names)
            raise Wrong(f"{described(value)} cannot be filled in", f"Use ASCII, and no places but {wanted}")

    return check
