"""Quantiles and means over users, with the error that comes from having seen only some of them.

The users are what was drawn, not their changes: the changes of one user are alike. So errors are computed from how
much users differ (a sample of clusters). All intervals are 95 % intervals for users of which those seen are a sample,
and rest on the normal approximation: below some thirty users they are too narrow.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import ceil, sqrt

from attrs import frozen

#: Standard errors to either side of a 95 % interval.
NORMAL = 1.96


@frozen
class Estimate:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def error(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least that share of the values does not exceed; 0 if there are none."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, max(0, ceil(share * len(ordered)) - 1))]


def mean(values: Sequence[float]) -> Estimate:
    """The mean over users."""
    count = len(values)
    if not count:
        return Estimate(0.0, 0.0, 0.0)
    middle = sum(values) / count
    if count < 2:
        return Estimate(middle, middle, middle)
    error = NORMAL * sqrt(sum((value - middle) ** 2 for value in values) / (count - 1) / count)
    return Estimate(middle, middle - error, middle + error)


def share(parts: Sequence[float], wholes: Sequence[float]) -> Estimate:
    """The share that parts have of their wholes, one pair for each user (a ratio estimate)."""
    count, total = len(wholes), sum(wholes)
    if not total:
        return Estimate(0.0, 0.0, 0.0)
    ratio = sum(parts) / total
    error = NORMAL * _ratio_error(parts, wholes, ratio) if count > 1 else 0.0
    return Estimate(ratio, max(0.0, ratio - error), min(1.0, ratio + error))


def _ratio_error(parts: Sequence[float], wholes: Sequence[float], ratio: float) -> float:
    count = len(wholes)
    squares = sum((part - ratio * whole) ** 2 for part, whole in zip(parts, wholes, strict=True))
    return sqrt(count / (count - 1) * squares) / sum(wholes)


@frozen
class Spread:
    """The values of all users together, and each user's apart, all in order."""

    together: Sequence[float]
    users: Sequence[Sequence[float]]

    @classmethod
    def of(cls, users: Sequence[Sequence[float]]) -> Spread:
        """Of the values of each user, in any order."""
        ordered = [sorted(values) for values in users]
        return cls(sorted(value for values in ordered for value in values), ordered)

    def quantile(self, part: float) -> Estimate:
        """A quantile of all values; its interval is that of Woodruff (1952): the quantiles at the ends of the
        interval of the share that lies at or below the estimate."""
        value = quantile(self.together, part)
        if len(self.users) < 2 or not self.together:
            return Estimate(value, value, value)
        below = [float(bisect_right(values, value)) for values in self.users]
        sizes = [float(len(values)) for values in self.users]
        error = NORMAL * _ratio_error(below, sizes, sum(below) / sum(sizes))
        low, high = quantile(self.together, max(0.0, part - error)), quantile(self.together, min(1.0, part + error))
        return Estimate(value, min(low, value), max(high, value))
