"""Verifying passwords in a few threads: as many at once as there are workers, one per user, in a bounded line."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from gateway.interfaces import Busy

Run = Callable[[Callable[[], bool]], "Deferred[bool]"]
FIRST_GUESS = 0.15
"""Seconds that a verification costs with the usual argon2 costs; it is measured from then on."""
LONGEST_PROMISE = 300.0
"""Nobody is told to come back later than in so many seconds."""
SOON = 2
"""Nor earlier than in so many."""


@define(eq=False, repr=False)
class _Job:
    user: str
    key: bytes
    work: Callable[[], bool]
    waiting: list[Deferred[bool]] = field(factory=list)


@define(eq=False, repr=False)
class Verifier:
    """Runs verifications.

    Requests for the same user with the same password share one verification; others for the same user come after
    it, so that the guesses at one account never take more than one worker. When the line is full, each further
    request is told another time to come back, as far apart as the verifications are: ten thousand phones after a
    restart come as fast as they can be verified, not all at once again.

    @param clock: monotonic time.
    @param run: runs a function in a thread, such as C{partial(deferToThreadPool, reactor, pool)}.
    @param workers: how many at once.
    @param queue: how many users' verifications may wait.
    @param per_user: how many of them for one user.
    """

    clock: IReactorTime
    run: Run
    workers: int = 2
    queue: int = 64
    per_user: int = 8
    _line: deque[_Job] = field(init=False, factory=deque)
    _busy: set[str] = field(init=False, factory=set)
    _jobs: dict[tuple[str, bytes], _Job] = field(init=False, factory=dict)
    _seconds_each: float = field(init=False, default=FIRST_GUESS)
    _promised: float = field(init=False, default=0.0)

    def verify(self, user: str, key: bytes, work: Callable[[], bool]) -> Deferred[bool]:
        """What C{work} finds; C{key} tells the passwords of a user apart. Fails with L{Busy} if the line is full.

        Cancelling takes the request out of the line if nobody else waits for the same; what runs runs to its end.
        """
        job = self._jobs.get((user, key))
        if job is None:
            refusal = self._refusal(user)
            if refusal is not None:
                return fail(refusal)
            job = self._jobs[user, key] = _Job(user, key, work)
            self._line.append(job)
        answer: Deferred[bool] = Deferred(lambda asked: self._cancelled(job, asked))
        job.waiting.append(answer)
        self._start()
        return answer

    def _refusal(self, user: str) -> Busy | None:
        if len(self._busy) < self.workers and user not in self._busy:
            return None
        if len(self._line) >= self.queue:
            return Busy("too many passwords to verify", self._promise())
        if sum(job.user == user for job in self._line) >= self.per_user:
            return Busy("too many passwords of one user to verify", SOON)
        return None

    def _promise(self) -> int:
        now = self.clock.seconds()
        each = self._seconds_each / self.workers
        first = now + len(self._line) * each
        self._promised = min(max(self._promised + each, first), now + LONGEST_PROMISE)
        return max(SOON, math.ceil(self._promised - now))

    def _start(self) -> None:
        while len(self._busy) < self.workers:
            job = next((job for job in self._line if job.user not in self._busy), None)
            if job is None:
                return
            self._line.remove(job)
            self._busy.add(job.user)
            self.run(job.work).addBoth(self._done, job, self.clock.seconds())

    def _done(self, result: bool | Failure, job: _Job, began: float) -> None:
        self._seconds_each += (self.clock.seconds() - began - self._seconds_each) / 16
        self._busy.discard(job.user)
        del self._jobs[job.user, job.key]
        waiting, job.waiting = job.waiting, []
        for answer in waiting:
            answer.callback(result)
        self._start()

    def _cancelled(self, job: _Job, asked: Deferred[bool]) -> None:
        job.waiting.remove(asked)
        if not job.waiting and job in self._line:
            self._line.remove(job)
            del self._jobs[job.user, job.key]
