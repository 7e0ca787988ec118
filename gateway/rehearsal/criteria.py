"""Which users are safe to move from SMS to Direct Push: what an operator asks for, and who has it."""

from __future__ import annotations

from attrs import frozen

from gateway.rehearsal.document import duration


@frozen
class Move:
    """Whether a user may be moved, and if not, why not."""

    safe: bool
    why: tuple[str, ...] = ()


@frozen
class Criteria:
    """What a user's phone must reach by Direct Push alone.

    C{p95}: 95 % of the changes are synchronised within so many seconds; C{late}: seconds from which on a change counts
    as late, C{late_most}: how large a share of them may be; C{heartbeat}: seconds of the converged heartbeat, at
    least; C{changes}: fewer say nothing.
    """

    p95: float = 60.0
    late: float = 1200.0
    late_most: float = 0.01
    heartbeat: int = 480
    changes: int = 20

    def judge(self, p95: float, late: int, never: int, heartbeat: int | None, changes: int) -> Move:
        """Judge one user; C{heartbeat} C{None} if it is not known."""
        why = []
        if changes < self.changes:
            why.append(f"only {changes} changes")
        if p95 > self.p95:
            why.append(f"p95 {duration(p95)}")
        if late > self.late_most * changes:
            why.append(f"{late} late")
        if never:
            why.append(f"{never} never")
        if heartbeat is not None and heartbeat < self.heartbeat:
            why.append(f"heartbeat {heartbeat} s")
        return Move(not why, tuple(why))
