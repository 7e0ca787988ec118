"""Time zones: what a calendar means, and how a device is told of it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.ical import Component, calendar
from gateway.convert.zones import LAST, UNIVERSAL, Change, zone_of

BERLIN = (
    "xP///wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAoAAAAF"
    "AAMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAMAAAAFAAIAAAAAAAAAxP///w=="
)
PACIFIC = (
    "4AEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAsAAAAB"
    "AAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAMAAAACAAIAAAAAAAAAxP///w=="
)
NOTHING = Component("VCALENDAR")
SUMMER, WINTER = "19810329T020000", "19961027T030000"


def described(*observances: str, name: str = "Mine") -> Component:
    """A calendar that describes a zone."""
    lines = ["BEGIN:VCALENDAR", "BEGIN:VTIMEZONE", f"TZID:{name}", *observances, "END:VTIMEZONE", "END:VCALENDAR"]
    found = calendar("\r\n".join(lines))
    assert found is not None
    return found


def observance(kind: str, start: str, offset: str, rule: str = "") -> str:
    """An observance of a zone."""
    lines = [f"BEGIN:{kind}", f"DTSTART:{start}", "TZOFFSETFROM:+0000", f"TZOFFSETTO:{offset}"]
    return "\r\n".join([*lines, *([f"RRULE:{rule}"] if rule else []), f"END:{kind}"])


def both(
    summer: str = "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", winter: str = "FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU"
) -> Component:
    """A calendar that describes a zone as it is in Berlin, with other rules."""
    return described(
        observance("STANDARD", WINTER, "+0100", winter),
        observance("DAYLIGHT", SUMMER, "+0200", summer),
    )


class BlobTests(SynchronousTestCase):
    def test_known(self) -> None:
        """Zones of the database come with the rules that they have in a year."""
        self.assertEqual(zone_of("Europe/Berlin", NOTHING, 2024).blob(), BERLIN)
        self.assertEqual(zone_of("America/Los_Angeles", NOTHING, 2024).blob(), PACIFIC)

    def test_universal(self) -> None:
        """UTC, and what nobody knows, is 172 bytes of nothing."""
        for name in ("UTC", "", "Nowhere", "Nowhere/Land", "../../etc/passwd", "a" * 5000, "posixrules\0", "Europe"):
            self.assertEqual(base64.b64decode(zone_of(name, NOTHING, 2024).blob()), bytes(172), name)

    def test_names(self) -> None:
        """The names that Windows has for zones are known, and names with a slash before them."""
        for name in ("W. Europe Standard Time", "/Europe/Berlin", "Europe/Berlin/"):
            self.assertEqual(zone_of(name, NOTHING, 2024).blob(), BERLIN)
        self.assertEqual(zone_of("Pacific Standard Time", NOTHING, 2024).blob(), PACIFIC)

    def test_described(self) -> None:
        """A zone that only the calendar knows is taken from there."""
        self.assertEqual(zone_of("Mine", both(), 2024).blob(), BERLIN)
        self.assertEqual(zone_of("Other", both(), 2024), UNIVERSAL)

    def test_otherRules(self) -> None:
        """Rules by the number of the week, by days of the month, and without a day, are all understood."""
        for rule, expected in (
            ("FREQ=YEARLY;BYMONTH=4;BYDAY=2SA", Change(4, 2, 6, 2)),
            ("FREQ=YEARLY;BYMONTH=4;BYDAY=+1MO", Change(4, 1, 1, 2)),
            ("FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=8,9,10,11,12,13,14;BYDAY=SU", Change(3, 2, 0, 2)),
            ("FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=25,26,27,28,29,30,31;BYDAY=SU", Change(3, LAST, 0, 2)),
            ("FREQ=YEARLY;BYMONTH=3", Change(3, 5, 0, 2)),
            ("FREQ=YEARLY", Change(3, 5, 0, 2)),
        ):
            self.assertEqual(zone_of("Mine", both(rule), 2024).to_daylight, expected, rule)

    def test_noRules(self) -> None:
        """Without rules that a device can know, the standard time holds all the year."""
        for rule in ("", "FREQ=SECONDLY", "FREQ=YEARLY;BYMONTH=77", "x", "FREQ=YEARLY;UNTIL=20200101T000000Z", "FREQ="):
            found = zone_of("Mine", both(rule), 2024)
            self.assertEqual((found.standard, found.to_daylight), (timedelta(hours=1), None), rule)

    def test_oneObservance(self) -> None:
        """A zone of one observance has its offset; one of none, or of impossible ones, is UTC."""
        found = zone_of("Mine", described(observance("DAYLIGHT", SUMMER, "+0530")), 2024)
        self.assertEqual((found.standard, found.blob()[:8]), (timedelta(hours=5, minutes=30), "tv7//wAA"))
        for wrong in ("+9900", "x", "", "+2359"):
            self.assertEqual(zone_of("Mine", described(observance("STANDARD", SUMMER, wrong)), 2024), UNIVERSAL)
        self.assertEqual(zone_of("Mine", described(), 2024), UNIVERSAL)
        self.assertEqual(zone_of("Mine", described("BEGIN:STANDARD", "END:STANDARD"), 2024), UNIVERSAL)

    def test_newest(self) -> None:
        """Of several observances that one holds which began last, by then."""
        found = described(
            observance("STANDARD", "19700101T000000", "+0300"),
            observance("STANDARD", "20100101T000000", "+0400"),
            observance("STANDARD", "20500101T000000", "+0500"),
        )
        for year, hours in ((1999, 3), (2024, 4), (2060, 5)):
            self.assertEqual(zone_of("Mine", found, year).standard, timedelta(hours=hours))

    def test_endless(self) -> None:
        """Rules that would take for ever to follow are not followed."""
        rule = "FREQ=SECONDLY;COUNT=999999999"
        found = described(
            observance("STANDARD", "00010101T000000", "+0100", rule), observance("DAYLIGHT", SUMMER, "+0200", rule)
        )
        self.assertEqual(zone_of("Mine", found, 2024).standard, timedelta(hours=1))


class TimeTests(SynchronousTestCase):
    def test_described(self) -> None:
        """Times in a zone that the calendar describes are those that they are in the zone itself."""
        zone, real = zone_of("Mine", both(), 2024), ZoneInfo("Europe/Berlin")
        for month in range(1, 13):
            for day in (1, 15, 28):
                instant = datetime(2024, month, day, 12, tzinfo=UTC)
                local = instant.astimezone(real).replace(tzinfo=None)
                self.assertEqual(zone.utc(local), instant)
                self.assertEqual(zone.local(instant), local)

    def test_south(self) -> None:
        """South of the equator the summer goes over the new year."""
        rules = "FREQ=YEARLY;BYMONTH=10;BYDAY=1SU", "FREQ=YEARLY;BYMONTH=4;BYDAY=1SU"
        zone = zone_of("Mine", both(*rules), 2024)
        for month, hours in ((1, 2), (3, 2), (5, 1), (9, 1), (11, 2)):
            self.assertEqual(zone.utc(datetime(2024, month, 15, 12)), datetime(2024, month, 15, 12 - hours, tzinfo=UTC))

    @given(st.sampled_from(sorted(available_timezones())), st.integers(1980, 2100))
    @settings(max_examples=60, deadline=None)
    def test_everyZone(self, name: str, year: int) -> None:
        """Every zone of the database has a form for devices, in any year."""
        found = zone_of(name, NOTHING, year)
        self.assertEqual(len(base64.b64decode(found.blob())), 172)
        self.assertEqual((found.to_standard is None), (found.to_daylight is None))

    def test_rules(self) -> None:
        """The rules of a zone give the times that the zone has, in this year and in the next ones."""
        for name in ("Europe/London", "America/New_York", "Australia/Sydney", "Pacific/Auckland", "Atlantic/Azores"):
            found, zone = zone_of(name, NOTHING, 2024), ZoneInfo(name)
            assert found.to_standard is not None and found.to_daylight is not None
            for year in range(2024, 2030):
                for rule, before in ((found.to_daylight, found.standard), (found.to_standard, found.daylight)):
                    instant = (rule.on(year) - before).replace(tzinfo=UTC)
                    minute = timedelta(minutes=1)
                    self.assertEqual((instant - minute).astimezone(zone).utcoffset(), before)
                    self.assertNotEqual(instant.astimezone(zone).utcoffset(), before)
