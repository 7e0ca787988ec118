"""Dates in what is looked for: of the Search command, and as users write them in a query ([MS-KQL] 2.1.5)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

Span = tuple[int | None, int | None]
"""A time received then or later, and one received before; in seconds since the epoch."""

_DAY = timedelta(days=1)
_ISO = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_AMERICAN = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)
_TIME = re.compile(r"T?(\d{2}):?(\d{2})(?::?(\d{2})(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?", re.ASCII)


class BadDate(ValueError):
    """This is no date."""


def instant(text: str) -> float:
    """The time that a dateTime or a Compact DateTime ([MS-ASDTYPE] 2.3, 2.7.2) tells, in seconds since the epoch.

    @raise BadDate: it is none.
    """
    start, end = _moment(text)
    if end - start == _DAY:
        raise BadDate(f"{text!r} has no time")
    return start.timestamp()


def after(text: str) -> int:
    """The first second that is later than a dateTime. Raises L{BadDate}."""
    return math.floor(instant(text)) + 1


def before(text: str) -> int:
    """The first second that is not earlier than a dateTime. Raises L{BadDate}."""
    return math.ceil(instant(text))


def span_of(operator: str, text: str, now: int) -> Span:
    """The span of time that is meant with a word for a comparison and a date, two with C{..} between, or a word.

    @raise BadDate: it is none, or the comparison cannot be made.
    """
    start, end = _extent(text.strip().lower(), datetime.fromtimestamp(now, UTC))
    first, last = math.floor(start.timestamp()), math.ceil(end.timestamp())
    spans: Mapping[str, Span] = {
        ":": (first, last),
        "=": (first, last),
        ">=": (first, None),
        ">": (last, None),
        "<": (None, first),
        "<=": (None, last),
    }
    if operator not in spans:
        raise BadDate(f"{operator} is no comparison for dates")
    return spans[operator]


def _extent(text: str, now: datetime) -> tuple[datetime, datetime]:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if text in _NAMED:
        return _NAMED[text](today)
    first, dots, last = text.partition("..")
    start, end = _moment(first)
    return (start, _moment(last)[1]) if dots else (start, end)


def _moment(text: str) -> tuple[datetime, datetime]:
    """When a date or a date with a time begins, and when it ends: a day or a second later."""
    text = text.strip().upper()
    for form, order in ((_ISO, (1, 2, 3)), (_COMPACT, (1, 2, 3)), (_AMERICAN, (3, 1, 2))):
        found = form.match(text)
        if found is None:
            continue
        rest = text[found.end() :].strip()
        try:
            year, month, date = (int(found[group]) for group in order)
            day = datetime(year, month, date, tzinfo=UTC)
            return (day, day + _DAY) if not rest else _timed(day, rest)
        except (ValueError, OverflowError) as error:
            raise BadDate(f"{text!r} is no date") from error
    raise BadDate(f"{text!r} is no date")


def _timed(day: datetime, rest: str) -> tuple[datetime, datetime]:
    found = _TIME.fullmatch(rest)
    if found is None:
        raise BadDate(f"{rest!r} is no time")
    hour, minute, second, fraction, zone = found.groups()
    if int(hour) > 23 or int(minute) > 59 or int(second or 0) > 60:
        raise BadDate(f"{rest!r} is no time")
    span = timedelta(hours=int(hour), minutes=int(minute), seconds=int(second or 0) + float(fraction or 0))
    if zone and zone != "Z":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
        span += -offset if zone[0] == "+" else offset
    return day + span, day + span + timedelta(seconds=1)


def _week(today: datetime, weeks: int) -> tuple[datetime, datetime]:
    start = today - timedelta(days=today.weekday()) + timedelta(weeks=weeks)
    return start, start + timedelta(weeks=1)


def _month(today: datetime, months: int) -> tuple[datetime, datetime]:
    def first(month: int) -> datetime:
        return today.replace(year=today.year + month // 12, month=month % 12 + 1, day=1)

    return first(today.month - 1 + months), first(today.month + months)


def _year(today: datetime, years: int) -> tuple[datetime, datetime]:
    start = today.replace(month=1, day=1, year=today.year + years)
    return start, start.replace(year=start.year + 1)


_NAMED: Mapping[str, Callable[[datetime], tuple[datetime, datetime]]] = MappingProxyType(
    {
        "today": lambda today: (today, today + _DAY),
        "yesterday": lambda today: (today - _DAY, today),
        "this week": lambda today: _week(today, 0),
        "last week": lambda today: _week(today, -1),
        "this month": lambda today: _month(today, 0),
        "last month": lambda today: _month(today, -1),
        "this year": lambda today: _year(today, 0),
        "last year": lambda today: _year(today, -1),
    }
)
