"""Rules of iCalendar in the numbers of ActiveSync."""

from __future__ import annotations

from datetime import UTC, date, datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.ical import Component
from gateway.convert.recurring import Recurrence, recurrence
from gateway.convert.zones import zone_of

START = datetime(2024, 5, 6, 10)  # a Monday, the first of its month
BERLIN = zone_of("Europe/Berlin", Component("VCALENDAR"), 2024)
SCRAPS = (
    *("FREQ=DAILY", "FREQ=YEARLY", "FREQ=MONTHLY", "FREQ=WEEKLY", "BYDAY=-53SU", "BYDAY=MO,X", "BYMONTHDAY=-31,1"),
    *("BYMONTH=0", "BYSETPOS=-366", "UNTIL=99991231", "UNTIL=x", "COUNT=-1", "INTERVAL=-5", "WKST=XX", "=", ";"),
)


class RecurrenceTests(SynchronousTestCase):
    def test_types(self) -> None:
        """Every type of ActiveSync has its rule."""
        for rule, expected in (
            ("FREQ=DAILY", Recurrence(0)),
            ("FREQ=DAILY;INTERVAL=3", Recurrence(0, 3)),
            ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", Recurrence(1, days=62)),
            ("FREQ=WEEKLY", Recurrence(1, days=2)),
            ("FREQ=WEEKLY;BYDAY=SU,SA;INTERVAL=2;WKST=SU", Recurrence(1, 2, days=65, first_day=0)),
            ("FREQ=MONTHLY", Recurrence(2, day=6)),
            ("FREQ=MONTHLY;BYMONTHDAY=31", Recurrence(2, day=31)),
            ("FREQ=MONTHLY;BYMONTHDAY=-1", Recurrence(3, days=127, week=5)),
            ("FREQ=MONTHLY;BYDAY=2TU", Recurrence(3, days=4, week=2)),
            ("FREQ=MONTHLY;BYDAY=-1FR", Recurrence(3, days=32, week=5)),
            ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", Recurrence(3, days=62, week=5)),
            ("FREQ=MONTHLY;BYDAY=MO", Recurrence(3, days=2, week=1)),
            ("FREQ=YEARLY", Recurrence(5, day=6, month=5)),
            ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", Recurrence(5, day=29, month=2)),
            ("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", Recurrence(6, days=16, week=4, month=11)),
            ("FREQ=YEARLY;BYDAY=SU;BYSETPOS=1;BYMONTH=1", Recurrence(6, days=1, week=1, month=1)),
        ):
            with self.subTest(rule):
                self.assertEqual(recurrence(rule, START), expected)

    def test_end(self) -> None:
        """COUNT becomes Occurrences, and counts more than UNTIL; both have bounds."""
        for rule, occurrences, until in (
            ("COUNT=10", 10, None),
            ("COUNT=5000", 999, None),
            ("COUNT=10;UNTIL=20240601T080000Z", 10, None),
            ("UNTIL=20240601T080000Z", None, datetime(2024, 6, 1, 8, tzinfo=UTC)),
            ("UNTIL=20240601T100000", None, datetime(2024, 6, 1, 8, tzinfo=UTC)),
            ("UNTIL=20240601", None, datetime(2024, 6, 1, 8, tzinfo=UTC)),
            ("UNTIL=00010101T000000", None, None),
        ):
            with self.subTest(rule):
                found = recurrence(f"FREQ=DAILY;{rule}", START, BERLIN)
                assert found is not None
                self.assertEqual((found.occurrences, found.until), (occurrences, until))
        found = recurrence("FREQ=DAILY;UNTIL=20240601", date(2024, 5, 6), BERLIN)
        assert found is not None
        self.assertEqual(found.until, datetime(2024, 5, 31, 22, tzinfo=UTC))

    def test_none(self) -> None:
        """A rule that a device cannot be told of, or that is none, is none."""
        for rule in ("", "x", "FREQ=SECONDLY", "FREQ=HOURLY", "FREQ=X", "COUNT=3", "FREQ=DAILY;COUNT=x"):
            self.assertIsNone(recurrence(rule, START), rule)

    def test_odd(self) -> None:
        """Numbers out of range come into range."""
        for rule, expected in (
            ("FREQ=DAILY;INTERVAL=0", Recurrence(0)),
            ("FREQ=DAILY;INTERVAL=99999", Recurrence(0, 999)),
            ("FREQ=MONTHLY;BYDAY=53MO", Recurrence(3, days=2, week=5)),
            ("FREQ=YEARLY;BYMONTH=99", Recurrence(5, day=6, month=12)),
            ("FREQ=MONTHLY;BYMONTHDAY=99", Recurrence(2, day=31)),
        ):
            found = recurrence(rule, START)
            self.assertIn(found, (expected, None), rule)

    @given(st.lists(st.sampled_from(SCRAPS), max_size=6))
    @settings(max_examples=200, deadline=None)
    def test_anyRule(self, parts: list[str]) -> None:
        """Any rule is read, or none; its numbers are those that devices know."""
        found = recurrence(";".join(parts), START, BERLIN)
        if found is not None:
            self.assertIn(found.type, (0, 1, 2, 3, 5, 6))
            self.assertIn(found.week, (None, 1, 2, 3, 4, 5))
            self.assertTrue(found.days is None or 0 < found.days < 128)
            self.assertTrue(found.month is None or 0 < found.month < 13)
            self.assertTrue(found.day is None or 0 < found.day < 32)
