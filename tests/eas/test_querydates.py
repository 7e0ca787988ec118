"""Dates in what is looked for."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.querydates import BadDate, after, before, instant, span_of
from tests.eas.support import NOW

DAY = 86400
MAY = NOW - 8 * 3600  # a Wednesday


class InstantTests(SynchronousTestCase):
    """L{instant}, L{after}, L{before}."""

    def test_forms(self) -> None:
        """Both forms of a dateTime are read, with and without fractions of a second."""
        for text in (
            "2024-05-01T08:00:00.000Z",
            "2024-05-01T08:00:00Z",
            "20240501T080000Z",
            "2024-05-01T10:00:00+02:00",
        ):
            self.assertEqual(instant(text), NOW)

    def test_comparisons(self) -> None:
        """Later and earlier leave the second itself out, and no other."""
        self.assertEqual((after("2024-05-01T08:00:00.000Z"), before("2024-05-01T08:00:00.000Z")), (NOW + 1, NOW))
        self.assertEqual((after("2024-05-01T08:00:00.500Z"), before("2024-05-01T08:00:00.500Z")), (NOW + 1, NOW + 1))

    def test_bad(self) -> None:
        """What is no dateTime is refused."""
        for text in (
            "",
            "50",
            "2024-05-01",
            "2024-13-01T00:00:00Z",
            "2024-05-01T25:00:00Z",
            "2024-05-01T08:00:00Zx",
            "x",
        ):
            self.assertRaises(BadDate, instant, text)


class SpanTests(SynchronousTestCase):
    """L{span_of}."""

    def test_named(self) -> None:
        """Days, weeks from Monday on, months and years have names."""
        for text, first, last in (
            ("today", 0, 1),
            ("yesterday", -1, 0),
            ("this week", -2, 5),
            ("Last Week", -9, -2),
            ("this month", 0, 31),
            ("last month", -30, 0),
            ("this year", -121, 245),
            ("last year", -486, -121),
        ):
            self.assertEqual(span_of(":", text, NOW), (MAY + first * DAY, MAY + last * DAY), text)

    def test_turnOfTheYear(self) -> None:
        """The month before January is December."""
        self.assertEqual(span_of(":", "last month", 1704110400), (1701388800, 1704067200))

    def test_bad(self) -> None:
        """What is no date, no range of dates, or no comparison is refused."""
        for operator, text in ((":", ""), (":", "soon"), (":", "2024-02-30"), (":", "2024-05-01.."), ("<>", "today")):
            self.assertRaises(BadDate, span_of, operator, text, NOW)
        self.assertRaises(BadDate, span_of, ":", "9999-12-31", NOW)
