"""Tests of streams of changes."""

from __future__ import annotations

from io import StringIO
from itertools import pairwise

from gateway.rehearsal.stream import DAY, HOUR, BadStream, Event, Pattern, generate, read, together, write
from tests.rehearsal.worlds import START, NearCase


class PatternTests(NearCase):
    def times(self, pattern: Pattern, user: int = 1, days: float = 100.0, seed: str = "s") -> list[float]:
        return [event.time for event in generate(pattern, user, START, days, seed)]

    def test_rate(self) -> None:
        """The mails of a day are as many as asked for on average, bursts and nights included."""
        pattern = Pattern(30.0, night=0.2, burst=0.3, spread=0.0)
        self.assertNear(len(self.times(pattern, days=400)) / 400, 30.0, 1.0)

    def test_same(self) -> None:
        """The same arguments give the same mails, another user or seed others."""
        first = self.times(Pattern())
        self.assertEqual(first, self.times(Pattern()))
        self.assertNotEqual(first, self.times(Pattern(), user=2))
        self.assertNotEqual(first, self.times(Pattern(), seed="t"))

    def test_order(self) -> None:
        """They come in order, within the days."""
        times = self.times(Pattern(burst=0.5, burst_seconds=7200))
        self.assertTrue(all(a <= b for a, b in pairwise(times)))
        self.assertTrue(all(START <= time < START + 100 * DAY for time in times))

    def test_nights(self) -> None:
        """At night only a share of the rate of the day is left."""
        hours = [time % DAY / HOUR for time in self.times(Pattern(night=0.1, burst=0.0, spread=0.0), days=300)]
        night = sum(not 6 <= hour < 22 for hour in hours) / 8
        day = sum(6 <= hour < 22 for hour in hours) / 16
        self.assertNear(night / day, 0.1, 0.02)

    def test_bursts(self) -> None:
        """With bursts more mails come within two minutes of the one before."""

        def close(pattern: Pattern) -> float:
            times = self.times(pattern)
            return sum(b - a < 120 for a, b in pairwise(times)) / len(times)

        self.assertGreater(close(Pattern(burst=0.5)), 3 * close(Pattern(burst=0.0)))

    def test_users(self) -> None:
        """Users differ: some get twice as many as others."""
        counts = sorted(len(self.times(Pattern(spread=0.5), user, days=10)) for user in range(20))
        self.assertGreater(counts[-1], 2 * counts[0])

    def test_none(self) -> None:
        """A pattern without mails is an empty stream."""
        self.assertEqual(self.times(Pattern(0.0)), [])

    def test_together(self) -> None:
        """Streams of several users become one, in order."""
        events = list(together([generate(Pattern(), user, START, 2, "s") for user in (1, 2, 3)]))
        self.assertEqual(events, sorted(events))
        self.assertEqual({event.user for event in events}, {1, 2, 3})


class FileTests(NearCase):
    def test_thereAndBack(self) -> None:
        """What was written is read again, in order of time."""
        events = [Event(5.0, 2, "Calendar", "change"), Event(3.5, 1), Event(4.0, 1, kind="remove")]
        file = StringIO()
        self.assertEqual(write(events, file), 3)
        self.assertEqual(read(file.getvalue().splitlines()), sorted(events))

    def test_anonymous(self) -> None:
        """A line has a time, a number, a class and a kind, and nothing else."""
        file = StringIO()
        write([Event(5.0, 2)], file)
        self.assertEqual(file.getvalue(), '{"time": 5.0, "user": 2, "class": "Email", "kind": "add"}\n')

    def test_wrong(self) -> None:
        """A line that is none is named."""
        good = '{"time": 5, "user": 2}'
        for bad in ("{", "[]", '{"time": "x", "user": 1}', '{"user": 1}', '{"time": 1, "user": 1, "kind": "eat"}'):
            error = self.assertRaises(BadStream, read, [good, "", bad])
            self.assertIn("line 3", str(error))

    def test_shortForm(self) -> None:
        """Class and kind may be left out."""
        self.assertEqual(read(['{"time": 5, "user": 2}']), [Event(5.0, 2, "Email", "add")])
