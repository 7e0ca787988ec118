"""Requests that wait for their answers."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from attrs import define, field

from gateway.sms.pdu import LAST_SEQUENCE, Pdu

Answered = Callable[[Pdu | None], None]
"""What gets the answer, or C{None} if there will be none."""


@define(eq=False)
class Request:
    """One: the command that answers it, when it was sent, and until when an answer counts."""

    command: str
    sent: float
    deadline: float
    answered: Answered


@define(eq=False)
class Requests:
    """Those of one session, by their sequence numbers, oldest first."""

    _open: dict[int, Request] = field(factory=dict, init=False)
    _sequence: int = field(default=0, init=False)

    def next(self) -> int:
        """The number for the next one: from 1 to the last one, and again."""
        self._sequence = self._sequence % LAST_SEQUENCE + 1
        return self._sequence

    def add(self, sequence: int, command: str, sent: float, patience: float, answered: Answered) -> None:
        """One was sent."""
        self._open[sequence] = Request(command, sent, sent + patience, answered)

    def answer(self, pdu: Pdu) -> Request | None:
        """Strike out the one that this answers; C{None} if it answers nothing."""
        found = self._open.get(pdu.sequence)
        if found is None or pdu.command not in (f"{found.command}_resp", "generic_nack"):
            return None
        del self._open[pdu.sequence]
        return found

    def late(self, now: float) -> list[Request]:
        """Strike out those whose time has run out."""
        numbers = [number for number, request in self._open.items() if now >= request.deadline]
        return [self._open.pop(number) for number in numbers]

    def all(self) -> list[Request]:
        """Strike out all."""
        ended = list(self._open.values())
        self._open.clear()
        return ended

    def extend(self, deadline: float) -> None:
        """Give each until then at least."""
        for request in self._open.values():
            request.deadline = max(request.deadline, deadline)

    def first_deadline(self) -> float:
        """When the first one is late."""
        return min((request.deadline for request in self._open.values()), default=inf)

    def asks(self, command: str) -> bool:
        """Whether there is one of that command."""
        return any(request.command == command for request in self._open.values())
