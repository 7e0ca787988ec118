"""The kinds of value an option can have: each reads what TOML gives, writes TOML, and says what it takes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Protocol

from attrs import frozen

from gateway.core.wakerules import DAY_MINUTES, Hours

Network = IPv4Network | IPv6Network

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_TRANSPORTS = ("tcp", "tcp6", "unix", "systemd", "ssl", "haproxy")


class Wrong(Exception):
    """A value does not fit: what is the matter with it, and what to do about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


Broken = tuple[tuple[str, ...], Wrong]
"""A key whose value breaks a rule, and which."""


class Kind(Protocol):
    """What an option takes."""

    @property
    def word(self) -> str:
        """The kind in a word or two, for a table."""

    @property
    def bounds(self) -> str:
        """Which values of the kind are allowed, in words; empty if all are."""

    @property
    def textual(self) -> bool:
        """Whether a bare word of the command line is meant as text, whatever TOML makes of it."""

    def read(self, value: object) -> Any:
        """The typed value of what TOML gave; raises L{Wrong}."""

    def write(self, value: Any) -> str:
        """The typed value as TOML."""


def quoted(text: str) -> str:
    """A text as a basic string of TOML."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def described(value: object) -> str:
    """A value that was given, as an error names it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value if len(value) <= 60 else value[:57] + "...")
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    return str(value)


def _needed(value: object, noun: str) -> Wrong:
    return Wrong(f"{described(value)} does not fit", f"Give {noun}")


@frozen
class Flag:
    """C{true} or C{false}."""

    word = "true or false"
    bounds = ""
    textual = False

    def read(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise _needed(value, "true or false (without quotes)")
        return value

    def write(self, value: bool) -> str:
        return "true" if value else "false"


@frozen
class Number:
    """A whole number between two bounds, both included, or one of a few."""

    least: int
    most: int
    only: tuple[int, ...] = ()

    word = "whole number"
    textual = False

    @property
    def bounds(self) -> str:
        return ", ".join(map(str, self.only)) if self.only else f"{self.least} to {self.most}"

    def read(self, value: object) -> int:
        fits = isinstance(value, int) and not isinstance(value, bool) and self.least <= value <= self.most
        if not fits or (self.only and value not in self.only):
            span = f"one of {self.bounds}" if self.only else f"from {self.bounds}"
            raise _needed(value, f"a whole number {span} (without quotes)")
        assert isinstance(value, int)
        return value

    def write(self, value: int) -> str:
        return str(value)


@frozen
class Decimal:
    """A number, whole or not, between two bounds, both included."""

    least: float
    most: float

    word = "number"
    textual = False

    @property
    def bounds(self) -> str:
        return f"{self.least:g} to {self.most:g}"

    def read(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.least <= value <= self.most:
            raise _needed(value, f"a number from {self.bounds} (without quotes)")
        return float(value)

    def write(self, value: float) -> str:
        return repr(int(value)) if value == int(value) else repr(value)


@frozen
class Text:
    """A text without control characters; C{check} raises L{Wrong} for one that does not fit."""

    check: Callable[[str], None] | None = None
    empty: bool = False

    word = "text"
    bounds = ""
    textual = True

    def read(self, value: object) -> str:
        if not isinstance(value, str):
            raise _needed(value, "a text in quotes")
        if _UNPRINTABLE.search(value):
            raise Wrong(f"{described(value)} holds a control character", "Take it out")
        if not value.strip():
            if self.empty and not value:
                return value
            raise Wrong("the text is empty", "Give one, or leave the line out for the default")
        if self.check:
            self.check(value)
        return value

    def write(self, value: str) -> str:
        return quoted(value)


@frozen
class Choice:
    """One member of an enumeration, by its value."""

    members: type[Enum]

    word = "choice"
    textual = True

    @property
    def bounds(self) -> str:
        return ", ".join(quoted(member.value) for member in self.members)

    def read(self, value: object) -> Enum:
        for member in self.members:
            if member.value == value and isinstance(value, str):
                return member
        raise Wrong(f"{described(value)} is not known here", f"Give one of {self.bounds}")

    def write(self, value: Enum) -> str:
        return quoted(value.value)


@frozen
class Location:
    """A path; the reader of the file makes it absolute.

    A relative one starts at the folder of the configuration file. With C{in_data} only the default does not: it
    lies in the data folder, so that moving the data folder takes it along.
    """

    in_data: bool = False

    word = "path"
    bounds = ""
    textual = True

    def read(self, value: object) -> Path:
        return Path(Text().read(value))

    def write(self, value: Path) -> str:
        return quoted(str(value))


def _checked_endpoint(value: str, allowed: tuple[str, ...]) -> None:
    prefix, colon, rest = value.partition(":")
    if prefix in allowed and colon and rest:
        if prefix == "haproxy":
            _checked_endpoint(rest, tuple(name for name in allowed if name != "haproxy"))
        return
    if prefix == "ssl" and colon:
        raise Wrong(f"{described(value)} brings its own TLS", "Write tcp:PORT: the gateway puts TLS on top itself")
    raise Wrong(
        f"{described(value)} is not an endpoint",
        "Write tcp:PORT, tcp:PORT:interface=ADDRESS or unix:/PATH" + (", or haproxy:tcp:PORT" if colon else ""),
    )


@frozen
class Endpoint:
    """A Twisted server endpoint string; C{empty}: none at all may be given; C{tls}: it may bring TLS of its own."""

    empty: bool = False
    tls: bool = False

    word = "endpoint"
    bounds = ""
    textual = True

    def read(self, value: object) -> str:
        text = Text(empty=self.empty).read(value)
        if text:
            _checked_endpoint(text, tuple(name for name in _TRANSPORTS if self.tls or name != "ssl"))
        return text

    def write(self, value: str) -> str:
        return quoted(value)


@frozen
class Span:
    """An address, or a network as ADDRESS/BITS."""

    word = "address"
    bounds = ""
    textual = True

    def read(self, value: object) -> Network:
        text = Text().read(value)
        try:
            return ip_network(text, strict=False)
        except ValueError:
            raise _needed(value, "an IP address or a network such as 192.0.2.0/24") from None

    def write(self, value: Network) -> str:
        single = value.prefixlen == value.max_prefixlen
        return quoted(str(value.network_address if single else value))


@frozen
class Neighbour:
    """Who connects: an address, a network, or C{"unix"} for everybody that comes by a Unix socket."""

    word = "address"
    bounds = ""
    textual = True

    def read(self, value: object) -> Network | str:
        if value == "unix":
            return "unix"
        try:
            return Span().read(value)
        except Wrong:
            raise _needed(value, 'an IP address, a network such as 192.0.2.0/24, or "unix"') from None

    def write(self, value: Network | str) -> str:
        return quoted(value) if isinstance(value, str) else Span().write(value)


@frozen
class Several:
    """A list; a single value stands for a list of one."""

    each: Kind

    textual = True

    @property
    def word(self) -> str:
        return f"list of {self.each.word}{'es' if self.each.word.endswith('s') else 's'}"

    @property
    def bounds(self) -> str:
        return self.each.bounds

    def read(self, value: object) -> tuple[Any, ...]:
        values = value if isinstance(value, list) else [value]
        return tuple(self.each.read(one) for one in values)

    def write(self, value: tuple[Any, ...]) -> str:
        return "[" + ", ".join(map(self.each.write, value)) + "]"


_DIALLED = re.compile(r"(?:[^:\\\s]|\\:)+:([0-9]{1,5})")


@frozen
class Dialled:
    """A Twisted client endpoint string: what is connected to; C{empty}: none at all may be given."""

    transports: tuple[str, ...]
    empty: bool = False

    word = "endpoint"
    textual = True

    @property
    def bounds(self) -> str:
        return ", ".join(f"{transport}:HOST:PORT" for transport in self.transports)

    def read(self, value: object) -> str:
        text = Text(empty=self.empty).read(value)
        if text:
            transport, _, rest = text.partition(":")
            match = _DIALLED.fullmatch(rest)
            if transport not in self.transports or not match or not 1 <= int(match[1]) <= 65535:
                wanted = " or ".join(self.bounds.split(", "))
                raise Wrong(f"{described(value)} cannot be connected to", f"Write {wanted}")
        return text

    def write(self, value: str) -> str:
        return quoted(value)


@frozen
class Secret:
    """A text that is never shown, of so many characters of ASCII at most; empty: there is none."""

    longest: int = 255

    word = "text"
    textual = True

    @property
    def bounds(self) -> str:
        return f"up to {self.longest} characters of ASCII"

    def read(self, value: object) -> str:
        if not isinstance(value, str) or not value.isascii() or len(value) > self.longest or _UNPRINTABLE.search(value):
            raise Wrong("the text does not fit", f"Give a text in quotes, {self.bounds}")
        return value

    def write(self, value: str) -> str:
        return quoted(value)


_CLOCK = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])")


@frozen
class Daily:
    """Hours of every day, as C{"22:00-07:00"}."""

    word = "time span"
    bounds = "HH:MM-HH:MM"
    textual = True

    def read(self, value: object) -> Hours:
        ends = value.split("-") if isinstance(value, str) else []
        found = [_CLOCK.fullmatch(end.strip()) for end in ends]
        minutes = [int(match[1]) * 60 + int(match[2]) for match in found if match]
        fits = len(ends) == len(minutes) == 2 and max(minutes) <= DAY_MINUTES
        if not fits or minutes[0] % DAY_MINUTES == minutes[1] % DAY_MINUTES:
            raise _needed(value, 'two times of the day such as "22:00-07:00"')
        return Hours(minutes[0] % DAY_MINUTES, minutes[1])

    def write(self, value: Hours) -> str:
        return quoted("-".join(f"{end // 60:02}:{end % 60:02}" for end in (value.start, value.end)))
