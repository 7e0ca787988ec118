"""What searches in all stores have in common: the part of the results that is asked for, and what was found."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from typing import Protocol

from attrs import frozen

from gateway.eas.call import Call
from gateway.element import Element

SUCCESS = 1

MOST = 100
"""Results that a search gives at most ([MS-ASCMD] 2.2.3.143.3)."""

_RANGE = re.compile(r"([0-9]{1,9})-([0-9]{1,9})", re.ASCII)


class Failed(Exception):
    """The search ends with that Status of its store, and with nothing found."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@frozen
class Span:
    """The results that are asked for, counted from 0; both ends belong to it."""

    first: int = 0
    last: int = MOST - 1

    @property
    def size(self) -> int:
        """How many there are at most."""
        return self.last - self.first + 1


@frozen
class Hits:
    """What was found: C{results} are the Result elements of the span that was asked for, which begins at C{first};
    C{total} is how many there are in all."""

    results: tuple[Element, ...] = ()
    first: int = 0
    total: int = 0

    def range(self) -> str | None:
        """The Range of the answer, or C{None} if there is nothing in it."""
        return f"{self.first}-{self.first + len(self.results) - 1}" if self.total and self.results else None


class Searcher(Protocol):
    """Searches one store; C{asked} is the Store of a Search, or the criterion of a Find."""

    def __call__(self, call: Call, asked: Element, /) -> Awaitable[Hits]:
        """Find what is asked for.

        Raises L{Failed} with a Status of the store, and L{gateway.interfaces.BackendDown} if it cannot be searched
        now.
        """


def span(text: str | None) -> Span | None:
    """The span that a Range means (C{"0-19"}), or C{None} if it is none; without a text the first L{MOST}."""
    if text is None:
        return Span()
    found = _RANGE.fullmatch(text.strip())
    if found is None or int(found[1]) > int(found[2]):
        return None
    return Span(int(found[1]), int(found[2]))
