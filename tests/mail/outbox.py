"""An outbox in memory, and a server that takes what tests let it take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from gateway.interfaces import BackendDown, IOutbox
from gateway.mail.server import Mail, Result
from gateway.trigger import Letter, LetterState, Outcome, Receipt

_QUEUED, _DOUBT = LetterState.QUEUED, LetterState.DOUBT


@implementer(IOutbox)
@define(eq=False)
class MemoryOutbox:
    """Keeps letters; while it is C{down} it answers nothing; C{looked} are the routes that were asked for."""

    now: Callable[[], float]
    all: dict[int, Letter] = field(factory=dict)
    receipts: list[Receipt] = field(factory=list)
    down: bool = False
    looked: list[str] = field(factory=list)

    def put(self, letters: Sequence[Letter]) -> Deferred[list[int]]:
        ids = list(range(len(self.all) + 1, len(self.all) + 1 + len(letters)))
        for id, letter in zip(ids, letters, strict=True):
            self.all[id] = evolve(letter, id=id, created=letter.created or self.now(), state=_QUEUED)
        return succeed(ids)

    def take(self, route: str, now: float, most: int) -> Deferred[list[Letter]]:
        self.looked.append(route)
        if self.down:
            return fail(BackendDown("no disk"))
        due = [one for one in self.all.values() if one.route == route and one.state is _QUEUED and one.due <= now]
        taken = [evolve(one, state=_DOUBT, attempts=one.attempts + 1) for one in due[:most]]
        self.all.update({one.id: one for one in taken})
        return succeed(taken)

    def stuck(self, route: str, after: float, upto: float, id: int, most: int) -> Deferred[list[Letter]]:
        waiting = [one for one in self.all.values() if one.state in (_QUEUED, _DOUBT) and one.recipients]
        found = [one for one in waiting if one.route == route and after < one.created <= upto and one.id > id]
        return succeed(found[:most])

    def settle(self, outcomes: Sequence[Outcome], letters: Sequence[Letter] = ()) -> Deferred[None]:
        if self.down:
            return fail(BackendDown("no disk"))
        self.put(letters)
        for outcome in outcomes:
            letter = self.all[outcome.id]
            doubted = letter.doubted or outcome.state is _DOUBT
            state = _QUEUED if outcome.state is _DOUBT else outcome.state
            self.all[outcome.id] = evolve(
                letter,
                state=state,
                doubted=doubted,
                due=outcome.due,
                attempts=letter.attempts - outcome.untried,
                message_id=outcome.message_id or letter.message_id,
                result=outcome.result,
            )
        return succeed(None)

    def receive(self, receipts: Sequence[Receipt]) -> Deferred[list[Letter | None]]:
        if self.down:
            return fail(BackendDown("no disk"))
        self.receipts += receipts
        return succeed([None] * len(receipts))

    def reopen(self, now: float) -> Deferred[tuple[int, int]]:
        raise NotImplementedError

    def next_due(self, route: str) -> Deferred[float | None]:
        due = [one.due for one in self.all.values() if one.route == route and one.state is _QUEUED]
        return succeed(min(due, default=None))

    def waiting(self) -> Deferred[Mapping[str, tuple[int, float]]]:
        raise NotImplementedError

    def letters(self, user: str | None, device: str | None, most: int) -> Deferred[list[Letter]]:
        raise NotImplementedError

    def forget(self, before: float) -> Deferred[int]:
        raise NotImplementedError


@define(eq=False)
class Hand:
    """Takes mails one by one when a test lets it."""

    mails: list[Mail] = field(factory=list)
    answers: list[Result | Exception] = field(factory=list)
    held: Deferred[Result] | None = None
    aborted: Result | Exception | None = None
    closed: int = 0

    async def send(self, mail: Mail) -> Result:
        self.mails.append(mail)
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        self.held = Deferred()
        return await self.held

    async def close(self) -> None:
        self.closed += 1

    def abort(self) -> None:
        held, self.held = self.held, None
        assert held is not None
        if isinstance(self.aborted, Exception):
            held.errback(self.aborted)
        elif self.aborted is not None:
            held.callback(self.aborted)
