"""iCalendar text as a tree of components (RFC 5545 3.1, 3.6), for calendars of strangers.

Lines and values are read by the library. Its own tree is not used: it makes time zones of what a calendar says of them,
keeps them for all calendars to come, and expands their rules, which a calendar can make endless.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from attrs import define, field, frozen
from icalendar.parser import Contentline, Contentlines
from icalendar.prop import vDDDTypes

from gateway.convert.charset import clean

MAX_TEXT = 2**18
"""Characters of a calendar that are read; an invitation has a few thousand."""

MAX_LINES = 5000
"""Lines of a calendar that are read."""

MAX_VALUE = 2**15
"""Characters of a line that are read."""

_MAX_DEPTH = 8
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}(?=[;:])")


@frozen
class Line:
    """A line of a component, as it stands there."""

    text: str

    def parts(self) -> tuple[dict[str, str], str]:
        """The parameters by their upper-cased names, and the value with its escapes undone; empty if it is broken."""
        try:
            _, parameters, value = Contentline(self.text[:MAX_VALUE]).parts()
        except ValueError:
            return {}, ""
        found: dict[str, Any] = dict(parameters)
        return {name.upper(): _first(value) for name, value in found.items()}, clean(str(value))

    @property
    def value(self) -> str:
        """The value."""
        return self.parts()[1].strip()


def _first(value: Any) -> str:
    """A parameter may have several values."""
    return clean(str(value[0] if isinstance(value, list) and value else value))


@define(eq=False)
class Component:
    """A component: its lines by their upper-cased names, and the components in it."""

    name: str
    lines: dict[str, list[Line]] = field(factory=dict)
    components: list[Component] = field(factory=list)

    def all(self, name: str) -> list[Line]:
        """The lines of a name, in order."""
        return self.lines.get(name, [])

    def text(self, name: str) -> str:
        """The value of the first line of a name; empty if there is none."""
        found = self.all(name)
        return found[0].value if found else ""

    def time(self, name: str) -> tuple[date | datetime | timedelta, str] | None:
        """The date, time or duration of the first line of a name, and its TZID; a time is in UTC or has no zone."""
        found = self.all(name)
        if not found:
            return None
        parameters, text = found[0].parts()
        value = moment(text.strip())
        return None if value is None else (value, parameters.get("TZID", ""))

    def of(self, name: str) -> Iterator[Component]:
        """The components in it of a name."""
        return (component for component in self.components if component.name == name)


def moment(text: str) -> date | datetime | timedelta | None:
    """A date, time or duration, or C{None} if it is none."""
    try:
        found = vDDDTypes.from_ical(text)
    except (ValueError, OverflowError, TypeError):
        return None
    return found if isinstance(found, date | timedelta) else None


def calendar(text: str) -> Component | None:
    """The first calendar in a text, or C{None}; what is not closed is taken as it is."""
    root = Component("")
    stack = [root]
    for number, line in enumerate(Contentlines.from_ical(text[:MAX_TEXT].replace("\0", ""))):
        found = _NAME.match(line)
        if number >= MAX_LINES:
            break
        if found is None:
            continue
        name, rest = found[0].upper(), line[found.end() + 1 :].strip().upper()
        if name == "BEGIN":
            stack.append(_begun(stack, rest))
        elif name == "END":
            if len(stack) > 1:
                stack.pop()
        else:
            stack[-1].lines.setdefault(name, []).append(Line(line))
    return next(root.of("VCALENDAR"), None)


def _begun(stack: list[Component], name: str) -> Component:
    component = Component(name)
    if len(stack) <= _MAX_DEPTH:
        stack[-1].components.append(component)
    return component
