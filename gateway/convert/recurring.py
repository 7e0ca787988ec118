"""How often something happens: a rule of iCalendar as ActiveSync tells it ([MS-ASEMAIL] 2.2.2.60, RFC 5545 3.3.10).

ActiveSync knows fewer rules than iCalendar. A rule that it does not know becomes the nearest one that it does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from attrs import frozen
from icalendar.prop import vRecur

from gateway.convert.zones import LAST, UNIVERSAL, Zone

DAILY, WEEKLY, MONTHLY, MONTHLY_BY_WEEK, YEARLY, YEARLY_BY_WEEK = 0, 1, 2, 3, 5, 6

ANY_DAY = 127

_MOST_OCCURRENCES = 999
_MOST_INTERVAL = 999
_DAYS = {"SU": 1, "MO": 2, "TU": 4, "WE": 8, "TH": 16, "FR": 32, "SA": 64}
_FIRST_DAYS = {name: number for number, name in enumerate(_DAYS)}
_BYDAY = re.compile(r"([+-]?[0-9]{1,2})?(SU|MO|TU|WE|TH|FR|SA)")


@frozen
class Recurrence:
    """A recurrence in the numbers of ActiveSync; C{days} is a sum of days, C{until} is an instant."""

    type: int
    interval: int = 1
    days: int | None = None
    day: int | None = None
    week: int | None = None
    month: int | None = None
    first_day: int = 1
    until: datetime | None = None
    occurrences: int | None = None


def recurrence(text: str, start: date, zone: Zone = UNIVERSAL) -> Recurrence | None:
    """The recurrence that an RRULE means for what begins then, or C{None} if it means none that a device can know.

    C{start} is a local time or a date, C{zone} the zone of it.
    """
    try:
        rule: Mapping[str, Any] = vRecur.from_ical(text)
    except ValueError:
        return None
    made = _MAKERS.get(str(_first(rule, "FREQ", "")).upper())
    if made is None:
        return None
    interval = min(max(int(_first(rule, "INTERVAL", 1)), 1), _MOST_INTERVAL)
    count = int(_first(rule, "COUNT", 0))
    return Recurrence(
        interval=interval,
        first_day=_FIRST_DAYS.get(str(_first(rule, "WKST", "MO")).upper(), 1),
        until=None if count > 0 else _until(rule, start, zone),
        occurrences=min(count, _MOST_OCCURRENCES) if count > 0 else None,
        **made(rule, start, interval),
    )


def _first(rule: Mapping[str, Any], name: str, default: Any) -> Any:
    found = rule.get(name) or [default]
    return found[0]


def _until(rule: Mapping[str, Any], start: date, zone: Zone) -> datetime | None:
    """UNTIL as an instant: a date means the time of day at which it begins."""
    until = _first(rule, "UNTIL", None)
    try:
        if isinstance(until, datetime):
            return until.astimezone(UTC) if until.tzinfo else zone.utc(until)
        if isinstance(until, date):
            time = start.time() if isinstance(start, datetime) else datetime.min.time()
            return zone.utc(datetime.combine(until, time))
    except OverflowError:
        pass
    return None


def _by_day(rule: Mapping[str, Any]) -> tuple[int, int | None]:
    """The days of BYDAY as a sum, and their number in the month (5: the last), of which there may be one."""
    found = [match for day in rule.get("BYDAY", ()) if (match := _BYDAY.fullmatch(str(day)))]
    days = sum({_DAYS[match[2]] for match in found})
    numbers = {int(match[1]) for match in found if match[1]} | {int(each) for each in rule.get("BYSETPOS", ())}
    return days, _week(min(numbers)) if numbers else None


def _week(number: int) -> int:
    return LAST if number < 0 else min(max(number, 1), LAST)


def _weekday(start: date) -> int:
    return 1 << start.isoweekday() % 7


def _daily(rule: Mapping[str, Any], start: date, interval: int) -> dict[str, Any]:
    days, _ = _by_day(rule)
    return {"type": WEEKLY, "days": days} if days and interval == 1 else {"type": DAILY}


def _weekly(rule: Mapping[str, Any], start: date, interval: int) -> dict[str, Any]:
    return {"type": WEEKLY, "days": _by_day(rule)[0] or _weekday(start)}


def _monthly(rule: Mapping[str, Any], start: date, interval: int) -> dict[str, Any]:
    days, week = _by_day(rule)
    if days:
        return {"type": MONTHLY_BY_WEEK, "days": days, "week": week or _week((start.day - 1) // 7 + 1)}
    day = int(_first(rule, "BYMONTHDAY", start.day))
    if day < 0:
        return {"type": MONTHLY_BY_WEEK, "days": ANY_DAY, "week": LAST}
    return {"type": MONTHLY, "day": min(max(day, 1), 31)}


def _yearly(rule: Mapping[str, Any], start: date, interval: int) -> dict[str, Any]:
    month = {"month": min(max(int(_first(rule, "BYMONTH", start.month)), 1), 12)}
    found = _monthly(rule, start, interval) | month
    return found | {"type": YEARLY if found["type"] == MONTHLY else YEARLY_BY_WEEK}


_MAKERS = {"DAILY": _daily, "WEEKLY": _weekly, "MONTHLY": _monthly, "YEARLY": _yearly}
