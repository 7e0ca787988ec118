"""What the tests of passwords share: cheap hashes, a file of accounts, and a thread that runs when told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from argon2 import PasswordHasher
from attrs import define, field
from twisted.internet.defer import Deferred, execute

#: The cheapest hash there is; one with the usual costs takes some 0.1 s of CPU.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def write_accounts(path: Path, text: str) -> None:
    """Put a whole file in place, as the commands do."""
    draft = path.with_name("draft")
    draft.write_text(text)
    draft.chmod(0o600)
    draft.replace(path)


def line(name: str, password: str, more: str = "") -> str:
    """A line of the accounts file."""
    return f"{name}:{CHEAP.hash(password)}{more}\n"


@define(eq=False)
class Worker:
    """Runs work when told to, as a thread would at some time."""

    pending: list[tuple[Callable[[], bool], Deferred[bool]]] = field(factory=list)
    done: int = 0

    def run(self, work: Callable[[], bool]) -> Deferred[bool]:
        answer: Deferred[bool] = Deferred()
        self.pending.append((work, answer))
        return answer

    def step(self) -> None:
        """Finish the oldest work."""
        work, answer = self.pending.pop(0)
        self.done += 1
        execute(work).chainDeferred(answer)

    def finish(self) -> None:
        """Finish all work, also what comes by it."""
        while self.pending:
            self.step()
