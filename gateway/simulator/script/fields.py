"""What may stand behind a key of a script, and what is said of what may not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Protocol

from attrs import field, frozen

#: The longest text: of a mail that is written into the script itself.
LONGEST = 1024 * 1024


class Wrong(ValueError):
    """A value that cannot be; C{path} are the keys that lead to it, the outermost first."""

    def __init__(self, what: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(what)
        self.path = path

    def under(self, key: str) -> Wrong:
        """The same, seen from the table above."""
        return Wrong(str(self), (key, *self.path))


class Field(Protocol):
    """One kind of value."""

    def check(self, value: object) -> Any:
        """The value as the steps take it.

        @raise Wrong: it is of another kind.
        """


def named(value: object) -> str:
    """A value of TOML as an error shows it, cut where it is long."""
    kinds = {bool: "a boolean", dict: "a table", list: "an array"}
    text = repr(value)
    return kinds.get(type(value), text if len(text) <= 60 else f"{text[:57]}...")


def nearest(key: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    """The remedy for a key that nobody knows: the one that was meant, or all that there are."""
    close = get_close_matches(key, list(known), n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are {', '.join(sorted(known))}" if len(known) <= 40 else "see the reference"


@frozen
class Text:
    """Text of so many characters."""

    least: int = 1
    most: int = 4096

    def check(self, value: object) -> str:
        """See L{Field}."""
        if not isinstance(value, str):
            raise Wrong(f'a text in quotes is expected, as "Inbox", not {named(value)}')
        if not self.least <= len(value) <= self.most:
            raise Wrong(f"the text has {len(value)} characters, {self.least} to {self.most} are allowed")
        return value


@frozen
class Whole:
    """A whole number."""

    least: int = 0
    most: int = 2**31 - 1

    def check(self, value: object) -> int:
        """See L{Field}."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise Wrong(f"a whole number without quotes is expected, not {named(value)}")
        if not self.least <= value <= self.most:
            raise Wrong(f"{value} is not between {self.least} and {self.most}")
        return value


@frozen
class Seconds:
    """A time in seconds, with a fraction if wanted."""

    most: float = 3600.0

    def check(self, value: object) -> float:
        """See L{Field}."""
        if not isinstance(value, (int, float)) or isinstance(value, bool) or math.isnan(value):
            raise Wrong(f"seconds are expected, as 2.5, not {named(value)}")
        if not 0 <= value <= self.most:
            raise Wrong(f"{value} is not between 0 and {self.most:g} seconds")
        return float(value)


@frozen
class Flag:
    """Yes or no; C{wanted}: only this one has a meaning."""

    wanted: bool | None = None

    def check(self, value: object) -> bool:
        """See L{Field}."""
        if not isinstance(value, bool):
            raise Wrong(f"true or false is expected, not {named(value)}")
        if self.wanted not in (None, value):
            raise Wrong(f"only {str(self.wanted).lower()} has a meaning: leave the key out instead")
        return value


@frozen
class Choice:
    """One of some words."""

    words: tuple[str, ...]

    def check(self, value: object) -> str:
        """See L{Field}."""
        if not isinstance(value, str) or value not in self.words:
            raise Wrong(f"one of {', '.join(map(repr, self.words))} is expected, not {named(value)}")
        return value


@frozen
class Plain:
    """Text, a whole number or a boolean, as the value of an element."""

    def check(self, value: object) -> str:
        """See L{Field}."""
        if not isinstance(value, (str, int)):
            raise Wrong(f"a text, a whole number or a boolean is expected, not {named(value)}")
        return value if isinstance(value, str) else str(int(value))


@frozen
class Either:
    """Text, or else a value of another kind."""

    other: Field
    text: Field = Text()

    def check(self, value: object) -> Any:
        """See L{Field}."""
        return self.text.check(value) if isinstance(value, str) else self.other.check(value)


@frozen
class Several:
    """An array; one value alone stands for an array of it."""

    of: Field
    most: int = 100

    def check(self, value: object) -> list[Any]:
        """See L{Field}."""
        if not isinstance(value, list):
            return [self.of.check(value)]
        if not 1 <= len(value) <= self.most:
            raise Wrong(f"the array has {len(value)} values, 1 to {self.most} are allowed")
        found = []
        for number, one in enumerate(value, 1):
            try:
                found.append(self.of.check(one))
            except Wrong as error:
                raise error.under(str(number)) from None
        return found


@frozen
class Table:
    """A table with known keys, those of C{needed} among them."""

    fields: Mapping[str, Field] = field(factory=dict)
    needed: tuple[str, ...] = ()

    def check(self, value: object) -> dict[str, Any]:
        """See L{Field}."""
        if not isinstance(value, dict):
            raise Wrong(f"a table is expected, as {{ key = 1 }}, not {named(value)}")
        for key in self.needed:
            if key not in value:
                raise Wrong("this key is missing", (key,))
        return {key: self._one(key, each) for key, each in value.items()}

    def _one(self, key: str, value: object) -> Any:
        if key not in self.fields:
            raise Wrong(f"there is no such key; {nearest(key, self.fields)}", (key,))
        try:
            return self.fields[key].check(value)
        except Wrong as error:
            raise error.under(key) from None


#: A folder: by its type in the hierarchy, or by name or ServerId ("Inbox" is also the folder of type 2).
FOLDER = Either(Whole(1, 19))
