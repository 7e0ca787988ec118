"""iCalendar text: components, lines and values, whatever strangers write."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.ical import MAX_LINES, MAX_TEXT, Component, calendar, moment


def read(*lines: str) -> Component:
    """A calendar of these lines."""
    found = calendar("\r\n".join(("BEGIN:VCALENDAR", *lines, "END:VCALENDAR")))
    assert found is not None
    return found


class CalendarTests(SynchronousTestCase):
    def test_tree(self) -> None:
        """Components stand in each other, and lines in components, in order."""
        found = read(
            "METHOD:REQUEST",
            "BEGIN:VEVENT",
            "UID:a",
            "BEGIN:VALARM",
            "TRIGGER:-PT5M",
            "END:VALARM",
            "X:b",
            "END:VEVENT",
            "begin:vevent",
            "uid:c",
            "end:vevent",
        )
        events = list(found.of("VEVENT"))
        self.assertEqual([event.text("UID") for event in events], ["a", "c"])
        self.assertEqual([alarm.text("TRIGGER") for alarm in events[0].of("VALARM")], ["-PT5M"])
        self.assertEqual((events[0].text("X"), found.text("METHOD")), ("b", "REQUEST"))

    def test_lines(self) -> None:
        """Lines are unfolded, escapes undone, parameters read with and without quotes; of several values the first."""
        found = read(
            "LOCATION;LANGUAGE=en:Room 1\\, le",
            " ft\\; up\\nstairs",
            'ORGANIZER;CN="Doe, Jane";ROLE=CHAIR:mailto:j@x',
            "ATTENDEE;MEMBER=a,b:x",
            "SUMMARY:",
        )
        self.assertEqual(found.text("LOCATION"), "Room 1, left; up\nstairs")
        parameters, value = found.all("ORGANIZER")[0].parts()
        self.assertEqual((parameters["CN"], parameters["ROLE"], value), ("Doe, Jane", "CHAIR", "mailto:j@x"))
        self.assertEqual(found.all("ATTENDEE")[0].parts()[0]["MEMBER"], "a")
        self.assertEqual((found.text("SUMMARY"), found.text("NOTHING"), found.all("NOTHING")), ("", "", []))

    def test_times(self) -> None:
        """Dates, times, durations; with the zone that is named."""
        found = read(
            "A;TZID=Europe/Berlin:20240506T100000", "B:20240506T080000Z", "C;VALUE=DATE:20240506", "D:-PT15M", "E:x"
        )
        self.assertEqual(found.time("A"), (datetime(2024, 5, 6, 10), "Europe/Berlin"))
        self.assertEqual(found.time("B"), (datetime(2024, 5, 6, 8, tzinfo=UTC), ""))
        self.assertEqual(found.time("C"), (date(2024, 5, 6), ""))
        self.assertEqual(found.time("D"), (timedelta(minutes=-15), ""))
        self.assertIsNone(found.time("E"))
        self.assertIsNone(found.time("F"))

    def test_noTimes(self) -> None:
        """What is no time is none."""
        for text in (
            "",
            "x",
            "20241399",
            "20240230T000000",
            "20240506T2500",
            "20240506T080000Z/PT1H",
            "080000",
            "9" * 500,
            "99999999",
        ):
            self.assertIsNone(moment(text), text)

    def test_broken(self) -> None:
        """Lines that are none are passed over, what is not closed is taken, what is closed too often does no harm."""
        found = read("no line", ":x", "=;", "X;;:y", "BEGIN:VEVENT", "UID;BROKEN:a", "\x00", "END:X", "END:Y", "END:Z")
        self.assertEqual([event.text("UID") for event in found.of("VEVENT")], [""])
        self.assertIsNone(calendar(""))
        self.assertIsNone(calendar("BEGIN:VEVENT\nUID:a\nEND:VEVENT"))
        found = calendar("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a")
        assert found is not None
        self.assertEqual(next(found.of("VEVENT")).text("UID"), "a")

    def test_bounds(self) -> None:
        """Depth, lines and length have bounds."""
        deep = read(*["BEGIN:VEVENT"] * 3000)
        depth = 0
        while deep.components:
            deep, depth = deep.components[0], depth + 1
        self.assertLess(depth, 10)
        self.assertLess(len(read(*["X:y"] * (2 * MAX_LINES)).all("X")), MAX_LINES)
        found = read("A:" + "x" * MAX_TEXT, "B:y")
        self.assertLess(len(found.text("A")), 40_000)

    @given(st.text(max_size=300))
    @settings(max_examples=200, deadline=None)
    def test_anyText(self, text: str) -> None:
        """Any text is read."""
        for whole in (text, f"BEGIN:VCALENDAR\n{text}\nEND:VCALENDAR", f"BEGIN:VCALENDAR\nX;{text}:{text}"):
            found = calendar(whole)
            for lines in [] if found is None else found.lines.values():
                for line in lines:
                    line.parts()
                    moment(line.value)
