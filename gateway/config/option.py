"""How a section of the schema declares its options: attrs fields that carry a kind, a unit and a description."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import attrs
from attrs import frozen

from gateway.config.kinds import Kind

T = TypeVar("T")

_OPTION = "gateway.config.option"
_PART = "gateway.config.part"


@frozen
class Option:
    """Everything that is known of an option but its name.

    C{default} is a typed value or C{None} (nothing is set); C{live}: a reload puts a new value in force, without
    it a restart does; C{example} is a typed value for the sample file where the default shows nothing.
    """

    kind: Kind
    default: Any
    text: str
    unit: str = ""
    live: bool = False
    secret: bool = False
    example: Any = None
    unset: str = ""


@frozen
class Part:
    """A section within the schema; C{table}: there are several by name, C{example} being one."""

    type: type[Any]
    text: str
    table: bool = False
    example: str = ""


def option(default: T, kind: Kind, text: str, **more: Any) -> T:
    """Declare an option; C{more} are the fields of L{Option}."""
    described = Option(kind=kind, default=default, text=text, **more)
    declared: T = attrs.field(default=default, metadata={_OPTION: described}, repr=not described.secret)
    return declared


def section(cls: type[T], text: str) -> T:
    """Declare a section that is there once."""
    declared: T = attrs.field(factory=cls, metadata={_PART: Part(cls, text)})
    return declared


def table(cls: type[T], text: str, example: str) -> Mapping[str, T]:
    """Declare sections that the administrator names."""
    part = Part(cls, text, table=True, example=example)
    declared: Mapping[str, T] = attrs.field(factory=lambda: MappingProxyType({}), metadata={_PART: part})
    return declared


def options(cls: type[Any]) -> Iterable[tuple[str, Option]]:
    """The options of a section in the order of their declaration; what it shares with others comes last."""
    own_first = sorted(attrs.fields(cls), key=lambda field: field.inherited)
    return [(field.name, field.metadata[_OPTION]) for field in own_first if _OPTION in field.metadata]


def parts(cls: type[Any]) -> Iterable[tuple[str, Part]]:
    """The sections within a section in the order of their declaration."""
    return [(field.name, field.metadata[_PART]) for field in attrs.fields(cls) if _PART in field.metadata]
