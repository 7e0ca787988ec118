"""Elements of ActiveSync written as tables of TOML, for whatever a step has no key of its own for."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from gateway.eas.codepages import TOKENS
from gateway.element import Element
from gateway.simulator.script.fields import Field, Wrong, named, nearest

DEEPEST = 16
_LOCAL = {tag.partition(":")[2]: tag for tag in reversed(TOKENS)}
_SECRETS = frozenset({"Settings:Password", "Search:Password", "ItemOperations:Password"})
_SHOWN = 200


def known(tag: str) -> str:
    """That tag, if there is one.

    @raise Wrong: there is none.
    """
    if tag in TOKENS:
        return tag
    local = _LOCAL.get(tag.rpartition(":")[2])
    remedy = f"did you mean {local!r}?" if local else nearest(tag, tuple(TOKENS))
    raise Wrong(f"there is no element of that name; {remedy}", (tag,))


@frozen
class Tree:
    """A table whose keys are tags (C{"Email:Read"}) and whose values are texts, numbers, booleans (1 or 0), tables of
    the same kind, arrays for elements that are there several times, or C{{ base64 = "..." }} for opaque data."""

    def check(self, value: object) -> dict[str, Any]:
        """See L{Field}."""
        if not isinstance(value, dict):
            raise Wrong(f'a table of elements is expected, as {{ "Email:Read" = 1 }}, not {named(value)}')
        _check_children(value, 0)
        return value


def _check_children(table: dict[str, Any], depth: int) -> None:
    if depth > DEEPEST:
        raise Wrong(f"more than {DEEPEST} elements are inside each other")
    for tag, value in table.items():
        known(tag)
        try:
            for one in value if isinstance(value, list) else [value]:
                _check_one(one, depth)
        except Wrong as error:
            raise error.under(tag) from None


def _check_one(value: object, depth: int) -> None:
    if isinstance(value, dict) and set(value) == {"base64"}:
        octets(value["base64"])
    elif isinstance(value, dict):
        _check_children(value, depth + 1)
    elif not isinstance(value, (str, int)):
        raise Wrong(f"a text, a whole number or a table is expected, not {named(value)}")


def octets(text: object) -> bytes:
    """What stands in base64; a text with a reference is not looked at.

    @raise Wrong: it is no base64.
    """
    if not isinstance(text, str):
        raise Wrong(f"base64 in quotes is expected, not {named(text)}")
    try:
        return b"" if "${" in text else base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error as error:
        raise Wrong(f"this is no base64: {error}") from None


def elements(table: Mapping[str, Any]) -> list[Element]:
    """The elements that a checked table stands for, in its order."""
    return [
        _element(tag, one) for tag, value in table.items() for one in (value if isinstance(value, list) else [value])
    ]


def _element(tag: str, value: Any) -> Element:
    if not isinstance(value, dict):
        return Element(tag, value)
    if set(value) == {"base64"}:
        return Element(tag, octets(value["base64"]))
    return Element(tag, *elements(value))


@frozen
class Base64:
    """Opaque data in base64."""

    def check(self, value: object) -> str:
        """See L{Field}."""
        octets(value)
        return str(value)


@frozen
class Tags:
    """A table whose keys are tags, with values of one kind."""

    of: Field

    def check(self, value: object) -> dict[str, Any]:
        """See L{Field}."""
        if not isinstance(value, dict):
            raise Wrong(f'a table of elements is expected, as {{ "Email:Read" = 1 }}, not {named(value)}')
        found = {}
        for tag, one in value.items():
            try:
                found[known(tag)] = self.of.check(one)
            except Wrong as error:
                raise (error if error.path == (tag,) else error.under(tag)) from None
        return found


@frozen
class Tag:
    """The name of one element."""

    def check(self, value: object) -> str:
        """See L{Field}."""
        if not isinstance(value, str):
            raise Wrong(f'the name of an element is expected, as "AirSync:ServerId", not {named(value)}')
        try:
            return known(value)
        except Wrong as error:
            raise Wrong(str(error)) from None


def walk(element: Element) -> Iterator[Element]:
    """An element and all below it, in the order of the document."""
    stack = [element]
    while stack:
        one = stack.pop()
        yield one
        stack += one.children[::-1]


def shown(element: Element) -> Iterator[str]:
    """An element as lines for people, indented; long values are cut, passwords left out."""
    stack = [(element, 0)]
    while stack:
        one, depth = stack.pop()
        text = "*" if one.tag in _SECRETS and one.value else _cut(one.value)
        yield f"{'  ' * depth}{one.tag}{text and ' = '}{text}"
        stack += [(child, depth + 1) for child in one.children[::-1]]


def _cut(value: str | bytes | None) -> str:
    if not value:
        return ""
    text = repr(value[:_SHOWN])
    return text if len(value) <= _SHOWN else f"{text} ... {len(value)} in all"
