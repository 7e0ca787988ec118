"""Tests of estimates and their errors."""

from __future__ import annotations

from random import Random

from gateway.rehearsal.statistics import Spread, mean, quantile, share
from tests.rehearsal.worlds import NearCase


class QuantileTests(NearCase):
    def test_values(self) -> None:
        """The quantile is the smallest value that enough others do not exceed."""
        ordered = [1.0, 2.0, 3.0, 4.0]
        self.assertEqual([quantile(ordered, part) for part in (0.0, 0.25, 0.5, 0.51, 1.0)], [1, 1, 2, 3, 4])
        self.assertEqual(quantile([], 0.5), 0.0)


class IntervalTests(NearCase):
    """Samples of clusters that differ: the interval holds the truth about as often as it says."""

    def holds(self, truth: float, estimate: object, rounds: int = 300) -> float:
        random = Random(5)
        hits = 0
        for _ in range(rounds):
            users = [self.user(random) for _ in range(60)]
            found = estimate(users)  # type: ignore[operator]
            hits += found.low <= truth <= found.high
        return hits / rounds

    def user(self, random: Random) -> list[float]:
        """A user has 1 to 40 values around a mean of its own: 0.5 for all."""
        middle = random.gauss(0.5, 0.2)
        return [random.gauss(middle, 0.1) for _ in range(random.randint(1, 40))]

    def test_mean(self) -> None:
        """The mean number of values is 20.5."""
        self.assertNear(self.holds(20.5, lambda users: mean([float(len(values)) for values in users])), 0.95, 0.04)

    def test_share(self) -> None:
        """Half of all values are below the middle."""

        def below(users: list[list[float]]) -> object:
            return share([float(sum(v <= 0.5 for v in values)) for values in users], [float(len(v)) for v in users])

        self.assertNear(self.holds(0.5, below), 0.95, 0.05)

    def test_median(self) -> None:
        """The median of all values is 0.5, although values of a user are alike."""
        self.assertNear(self.holds(0.5, lambda users: Spread.of(users).quantile(0.5)), 0.95, 0.05)

    def test_few(self) -> None:
        """Nothing and one user have no interval."""
        self.assertEqual(mean([]).error, 0.0)
        self.assertEqual(mean([3.0]).error, 0.0)
        self.assertEqual(share([], []).value, 0.0)
        self.assertEqual(Spread.of([]).quantile(0.5).value, 0.0)
        self.assertEqual(Spread.of([[1.0, 2.0]]).quantile(0.5).error, 0.0)
