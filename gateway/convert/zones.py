"""Time zones: what a calendar means by a TZID, and how a device is told of it ([MS-ASDTYPE] 2.7.6).

A device knows a zone by its offsets and by two rules for the days on which the clock is changed.
"""

from __future__ import annotations

import base64
import re
import struct
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from attrs import frozen
from icalendar.prop import vRecur, vUTCOffset
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from gateway.convert.ical import Component

LAST = 5
"""The week of a month that is its last one."""

_LAYOUT = struct.Struct("<i64s8Hi64s8Hi")
_KEY = re.compile(r"[A-Za-z0-9_+-]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){0,3}")
_BYDAY = re.compile(r"([+-]?[1-5])?(SU|MO|TU|WE|TH|FR|SA)")
_WEEKDAYS = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")
_YEARS = 8
_STEP = timedelta(days=7)
_LARGEST = timedelta(hours=15)


@frozen
class Change:
    """When the clock is changed: on the nth (5: last) weekday (0 Sunday) of a month, in the time until then."""

    month: int
    week: int
    weekday: int
    hour: int = 0
    minute: int = 0

    def on(self, year: int) -> datetime:
        """The moment in that year, without a zone."""
        first, days = monthrange(year, self.month)
        day = 1 + (self.weekday - 1 - first) % 7 + 7 * (self.week - 1)
        while day > days:
            day -= 7
        return datetime(year, self.month, day, self.hour, self.minute)


@frozen
class Zone:
    """Offsets to UTC, and the changes to standard and to daylight time; both or none."""

    standard: timedelta = timedelta()
    daylight: timedelta = timedelta()
    to_standard: Change | None = None
    to_daylight: Change | None = None
    named: tzinfo | None = None

    def utc(self, local: datetime) -> datetime:
        """The instant that a local time is."""
        if self.named is not None:
            return local.replace(tzinfo=self.named).astimezone(UTC)
        return local.replace(tzinfo=UTC) - self._offset(local)

    def local(self, instant: datetime) -> datetime:
        """The local time of an instant, without a zone."""
        if self.named is not None:
            return instant.astimezone(self.named).replace(tzinfo=None)
        plain = instant.replace(tzinfo=None)
        return plain + self._offset(plain + self.standard)

    def _offset(self, local: datetime) -> timedelta:
        if self.to_standard is None or self.to_daylight is None:
            return self.standard
        begins, ends = self.to_daylight.on(local.year), self.to_standard.on(local.year)
        inside = begins <= local < ends if begins < ends else not ends <= local < begins
        return self.daylight if inside else self.standard

    def blob(self) -> str:
        """The zone as a device takes it; UTC is nothing but zeros."""
        bias = -_minutes(self.standard)
        saved = _minutes(self.standard) - _minutes(self.daylight) if self.to_daylight else 0
        dates = _date(self.to_standard), _date(self.to_daylight)
        return base64.b64encode(_LAYOUT.pack(bias, b"", *dates[0], 0, b"", *dates[1], saved)).decode()


UNIVERSAL = Zone(named=UTC)


def _minutes(offset: timedelta) -> int:
    return round(offset.total_seconds() / 60)


def _date(change: Change | None) -> tuple[int, ...]:
    """A SYSTEMTIME that is a rule: the year is 0, the day is the week."""
    return (0, change.month, change.weekday, change.week, change.hour, change.minute, 0, 0) if change else (0,) * 8


def zone_of(name: str, calendar: Component, year: int) -> Zone:
    """The zone that a TZID names in a calendar, with its rules of that year; UTC if nobody knows it."""
    key = name.strip("/")
    found = _known(key) or _known(WINDOWS_TO_OLSON.get(key, ""))
    own = next((part for part in calendar.of("VTIMEZONE") if part.text("TZID").strip("/") == key), None)
    if found is not None:
        return _by_name(found, year)
    return (_described(own, year) if own is not None else None) or UNIVERSAL


def _known(key: str) -> tzinfo | None:
    """The zone of the database with that name."""
    if not _KEY.fullmatch(key):
        return None
    try:
        return ZoneInfo(key)
    except (LookupError, ValueError, OSError):
        return None


# Zones of the database: their rules are found by looking at them.


def _by_name(zone: tzinfo, year: int) -> Zone:
    changes = _changes(zone, year)
    low, high = (edge(offset for _, _, offset in changes) for edge in (min, max)) if changes else (None, None)
    summer = next((change for change in changes if change[2] == high), None)
    winter = next((change for change in changes if change[2] == low), None)
    if low is None or high is None or low == high or summer is None or winter is None:
        offset = datetime(year, 7, 1, tzinfo=zone).utcoffset() or timedelta()
        return Zone(offset, offset, named=zone)
    return Zone(low, high, _rule(zone, winter), _rule(zone, summer), zone)


Seen = tuple[datetime, timedelta, timedelta]
"""A change: its instant, the offset before and after it."""


def _changes(zone: tzinfo, year: int) -> list[Seen]:
    """The changes of a year, to the minute."""
    found = []
    at = datetime(year, 1, 1, tzinfo=UTC)
    while at.year == year:
        after = at + _STEP
        offsets = _offset_at(zone, at), _offset_at(zone, after)
        if offsets[0] != offsets[1]:
            found.append((_searched(zone, at, after), *offsets))
        at = after
    return found


def _offset_at(zone: tzinfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()


def _searched(zone: tzinfo, before: datetime, after: datetime) -> datetime:
    """The first minute between two instants with the offset that the second one has."""
    wanted = _offset_at(zone, after)
    while after - before > timedelta(minutes=1):
        middle = before + timedelta(minutes=int((after - before).total_seconds() // 120))
        before, after = (before, middle) if _offset_at(zone, middle) == wanted else (middle, after)
    return after


def _rule(zone: tzinfo, seen: Seen) -> Change:
    """The rule that the change follows: by the number of the week or the last one, whatever fits the next years."""
    instant, before, _ = seen
    local = (instant + before).replace(tzinfo=None)
    week = (local.day - 1) // 7 + 1
    rules = [Change(local.month, each, local.isoweekday() % 7, local.hour, local.minute) for each in (week, LAST)]

    def fits(rule: Change) -> int:
        last = min(local.year + _YEARS, 9998)
        dates = (rule.on(year) for year in range(local.year, last))
        moments = ((day - before).replace(tzinfo=UTC) for day in dates)
        minute = timedelta(minutes=1)
        return sum(_offset_at(zone, moment - minute) != _offset_at(zone, moment) for moment in moments)

    return max(rules, key=fits)


# Zones that the calendar describes.


def _described(part: Component, year: int) -> Zone | None:
    standard, daylight = _observance(part, "STANDARD", year), _observance(part, "DAYLIGHT", year)
    if standard is None or daylight is None:
        only = standard or daylight
        return None if only is None else Zone(only[0], only[0])
    if standard[1] is None or daylight[1] is None or standard[0] == daylight[0]:
        return Zone(standard[0], standard[0])
    return Zone(standard[0], daylight[0], standard[1], daylight[1])


def _observance(part: Component, name: str, year: int) -> tuple[timedelta, Change | None] | None:
    """Offset and rule of the newest observance that had begun by that year; no rule if it is over."""
    found: list[tuple[int, Component]] = []
    for each in part.of(name):
        begun = each.time("DTSTART")
        if begun is not None and isinstance(begun[0], date) and begun[0].year <= year:
            found.append((begun[0].toordinal(), each))
    if not found:
        return None
    newest = max(found, key=lambda pair: pair[0])[1]
    offset = _offset(newest.text("TZOFFSETTO"))
    return None if offset is None else (offset, _described_change(newest, year))


def _offset(text: str) -> timedelta | None:
    try:
        found = vUTCOffset.from_ical(text)
    except ValueError:
        return None
    return found if isinstance(found, timedelta) and abs(found) < _LARGEST else None


def _described_change(observance: Component, year: int) -> Change | None:
    begun = observance.time("DTSTART")
    try:
        rule = vRecur.from_ical(observance.text("RRULE"))
    except ValueError:
        return None
    if begun is None or not isinstance(begun[0], datetime) or rule.get("FREQ") != ["YEARLY"]:
        return None
    until = rule.get("UNTIL", [None])[0]
    if isinstance(until, date) and until.year < year:
        return None
    months, days = rule.get("BYMONTH", [begun[0].month]), rule.get("BYDAY", [])
    day = _BYDAY.fullmatch(str(days[0])) if len(days) == 1 else None
    month = int(months[0])
    if not 1 <= month <= 12:
        return None
    week, weekday = (begun[0].day - 1) // 7 + 1, begun[0].isoweekday() % 7
    if day is not None:
        weekday = _WEEKDAYS.index(day[2])
        number = int(day[1] or 1) if "BYMONTHDAY" not in rule else _week(rule["BYMONTHDAY"])
        week = LAST if number < 0 else number
    return Change(month, week, weekday, begun[0].hour, begun[0].minute)


def _week(days: list[int]) -> int:
    """The week that days of a month make up, as in BYMONTHDAY=8,9,10,11,12,13,14: the second."""
    first = min(days)
    return -1 if first < 0 or first > 22 else (first - 1) // 7 + 1
