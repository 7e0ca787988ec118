"""What is counted while SMS go out, by whoever wants to count it."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen


def _nothing(*what: object) -> None:
    """Nobody counts."""


@frozen
class Meters:
    """Callables, each called with the name of the operator first.

    C{submitted}: what came of a submit, in the words of L{gateway.sms.status.Remedy} or C{"doubt"}; C{receipt}: its
    state; C{throttled}: nothing more; C{latency}: seconds from a submit to its answer; C{binds}: how many there are
    now; C{alarm}: what somebody has to look at, in words.
    """

    submitted: Callable[[str, str], None] = _nothing
    receipt: Callable[[str, str], None] = _nothing
    throttled: Callable[[str], None] = _nothing
    latency: Callable[[str, float], None] = _nothing
    binds: Callable[[str, int], None] = _nothing
    alarm: Callable[[str, str], None] = _nothing
