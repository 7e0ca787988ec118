"""From the outbox to a server that takes mail: letters of one route, as they become due."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from gateway.core.numbers import masked
from gateway.core.retrying import Retry
from gateway.interfaces import IOutbox
from gateway.mail.server import Fate, Mail, Result, Unreachable
from gateway.trigger import DOUBTED_TWICE, Letter, LetterState, Outcome

_MESSAGE_ID = re.compile(rb"^message-id:[ \t]*(?:\r?\n[ \t]+)?(<[^<>\s]{1,990}>)[ \t]*\r?$", re.I | re.M)
_NUMBER = re.compile(r"\+?[0-9]{7,}")
_BODY = re.compile(rb"\r?\n\r?\n")
#: So many letters are taken at a time. All of them are in doubt until they are settled, so there are few.
MOST = 10
#: Timers are set for so many seconds at most, as the clock of the day may be put forward.
LONGEST_TIMER = 600.0
#: Characters of a result that are kept.
WORDS = 1000


class Sender(Protocol):
    """What a pump needs of L{gateway.mail.submission.Submission}."""

    async def send(self, mail: Mail) -> Result:
        """Send one mail; raises L{Unreachable}."""

    async def close(self) -> None:
        """Leave politely."""

    def abort(self) -> None:
        """End what is being sent."""


def message_id(content: bytes) -> str:
    """The Message-ID of a message, with its angle brackets; empty if it has none."""
    end = _BODY.search(content)
    found = _MESSAGE_ID.search(content, 0, end.start() + 1 if end else len(content))
    return found[1].decode("ascii", "replace") if found else ""


@define(eq=False)
class Pump:
    """Sends the letters of a route, one after the other.

    What the server takes is SENT, what it puts off is QUEUED again, what it refuses is FAILED. A letter whose answer
    did not come is in doubt: the outbox has it sent once more. While there is no connection the route rests, with
    growing pauses, and letters are not tried one by one.

    Of a mail with several recipients those who are put off while others are not get a letter of their own; who is
    refused, or given up, is told to its sender. Such letters are queued in the transaction that settles the mail.

    @param render: envelope sender, envelope recipients and message of a letter; raises for one that cannot be sent.
    @param clock: monotonic time. @param now: seconds since the epoch.
    @param settled: told of each outcome when it is written down.
    @param rests: the pauses of the route without a connection.
    @param undelivered: the letter that tells the sender of a mail who did not get it, and why; C{None}: nobody is told.
    @param queued: told of the routes that letters were queued for.
    """

    log = Logger()

    route: str
    outbox: IOutbox
    sender: Sender
    render: Callable[[Letter], tuple[str, Sequence[str], bytes]]
    clock: IReactorTime
    now: Callable[[], float]
    retry: Retry = field(factory=Retry)
    settled: Callable[[Letter, Outcome], None] = lambda letter, outcome: None
    rests: Retry = field(factory=lambda: Retry((5.0, 15.0, 60.0, 300.0), 0.0))
    most: int = MOST
    undelivered: Callable[[Letter, Mapping[str, str]], Letter | None] = lambda letter, faults: None
    queued: Callable[[str], None] = lambda route: None
    trouble: str = field(init=False, default="")
    """Why there is no connection; empty if the last attempt went well."""
    refused: bool = field(init=False, default=False)
    """Whether that is because the server does not let us in."""
    _outcomes: list[tuple[Letter, Outcome]] = field(init=False, factory=list)
    _letters: list[Letter] = field(init=False, factory=list)
    _troubles: int = field(init=False, default=0)
    _running: Deferred[None] | None = field(init=False, default=None)
    _again: bool = field(init=False, default=False)
    _timer: IDelayedCall | None = field(init=False, default=None)
    _rest: float = field(init=False, default=0.0)
    _stopped: bool = field(init=False, default=True)
    _careful: bool = field(init=False, default=True)

    def start(self) -> None:
        """Begin with what is due."""
        self._stopped = False
        self.kick()

    def kick(self) -> None:
        """Letters were queued: look at once, unless the route rests."""
        if self._stopped:
            return
        if self._running is not None:
            self._again = True
        elif self._rest <= self.clock.seconds():
            self._go()

    async def stop(self, patience: float = 5.0) -> None:
        """Send no further letter; the one that is being sent has some seconds, then its connection is cut."""
        self._stopped = True
        self._set_timer(None)
        if self._running is None and self._outcomes:
            self._go()
        if self._running is not None:
            cut = self.clock.callLater(patience, self.sender.abort)
            await self._running
            if cut.active():
                cut.cancel()
        await self.sender.close()

    # Rounds.

    def _go(self) -> None:
        self._set_timer(None)
        self._again = False
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(self._failed)
        self._running.addCallback(self._done)

    def _failed(self, failure: Failure) -> None:
        self.log.failure("{route} rests after a failure", failure, route=self.route)
        self._pause()

    def _done(self, _: object) -> None:
        self._running = None
        if self._stopped:
            return
        if self._again and self._rest <= self.clock.seconds():
            self._go()

    async def _run(self) -> None:
        """Work off what is due, and come back when the next is."""
        await self._write()
        while not self._stopped and self._rest <= self.clock.seconds():
            # One that was in doubt once should not be so again, and given up, only as it waits for others in hand.
            letters = await self.outbox.take(self.route, self.now(), 1 if self._careful else self.most)
            self._careful = any(letter.doubted for letter in letters)
            if not letters:
                due = await self.outbox.next_due(self.route)
                if due is not None:
                    self._set_timer(max(0.0, due - self.now()))
                return
            await self._batch(letters)

    async def _batch(self, letters: Sequence[Letter]) -> None:
        """Send these letters and write down what became of each; what was not offered goes back."""
        left = sorted(letters, key=lambda letter: not letter.doubted)
        try:
            while left and not self._stopped:
                outcome, broken, result = await self._attempt(left[0])
                if outcome is not None:
                    self._letters += self._following(left[0], outcome, result)
                    self._outcomes.append((left.pop(0), outcome))
                if broken and not self._stopped:
                    self._no_connection(broken)
                    for letter in left:
                        unoffered = self._unoffered(letter, broken)
                        self._letters += self._following(letter, unoffered, None)
                        self._outcomes.append((letter, unoffered))
                    left.clear()
                await self._write()
        finally:
            now = self.now()
            self._outcomes += [
                (one, Outcome(one.id, LetterState.QUEUED, now, due=one.due, untried=True)) for one in left
            ]
        await self._write()

    async def _write(self) -> None:
        """Settle; what cannot be written now is written before anything else is taken."""
        outcomes, letters = list(self._outcomes), list(self._letters)
        if outcomes:
            await self.outbox.settle([outcome for _, outcome in outcomes], letters)
            del self._outcomes[: len(outcomes)]
            del self._letters[: len(letters)]
            for letter, outcome in outcomes:
                self.settled(letter, outcome)
            for route in {letter.route for letter in letters}:
                self.queued(route)

    # One letter.

    async def _attempt(self, letter: Letter) -> tuple[Outcome | None, str, Result | None]:
        """What became of a letter, C{None} if it was not offered as we stop; why there is no connection now; and what
        the server said."""
        if 0 < letter.expires <= self.now():
            return self._failure(letter, "it was too late to send it"), "", None
        mail = self._mail(letter)
        if mail is None:
            return self._failure(letter, "no mail can be made of it"), "", None
        try:
            result = await self.sender.send(mail)
        except Unreachable as why:
            self.refused = why.refused
            return (None if self._stopped else self._unoffered(letter, str(why))), str(why), None
        except CancelledError:
            raise
        except Exception:
            self.log.failure("letter {id} could not be sent", id=letter.id)
            return self._later(letter, "it could not be sent, the log says why"), "", None
        self.refused = False
        if not result.broken:
            self._connected()
        return self._outcome(letter, mail, result), result.text if result.broken else "", result

    def _mail(self, letter: Letter) -> Mail | None:
        try:
            sender, recipients, content = self.render(letter)
        except Exception:
            # Whatever is the matter with it, the letters behind it do not wait for ever.
            self.log.failure("letter {id} cannot be sent", id=letter.id)
            return None
        return Mail(sender, tuple(recipients), content, letter)

    def _outcome(self, letter: Letter, mail: Mail, result: Result) -> Outcome:
        text, now, name = result.text[:WORDS], self.now(), message_id(mail.content)
        if result.fate is Fate.TAKEN:
            return Outcome(letter.id, LetterState.SENT, now, name, text)
        if result.fate is Fate.DOUBT and letter.doubted:
            return Outcome(letter.id, LetterState.FAILED, now, name, f"{DOUBTED_TWICE}: {text}")
        if result.fate is Fate.DOUBT:
            self._careful = True
            return Outcome(letter.id, LetterState.DOUBT, now, name, text, now + self.retry.pause(letter.attempts))
        # Who is refused is told at once, whoever is put off.
        if result.fate is Fate.LATER and not (letter.recipients and result.of(Fate.REFUSED)):
            return self._later(letter, text)
        return self._failure(letter, text)

    def _following(self, letter: Letter, outcome: Outcome, result: Result | None) -> list[Letter]:
        """The letters that follow from what became of a mail: to those who were put off while others were not, and to
        its sender about those who do not get it."""
        if not letter.recipients or outcome.state not in (LetterState.SENT, LetterState.FAILED):
            return []
        said = {} if result is None else result.said
        taken = [one for one in letter.recipients if one in said and said[one].fate is Fate.TAKEN]
        later = [one for one in letter.recipients if one in said and said[one].fate is Fate.LATER]
        due = self.retry.again(letter.attempts, letter.created, self.now(), letter.expires)
        if due is None or len(later) == len(letter.recipients):
            later = []
        words = {Fate.REFUSED: "{}", Fate.LATER: "given up, {}"}
        why = {one: words[fate].format(said[one].text) for one in said if (fate := said[one].fate) in words}
        missed = [one for one in letter.recipients if one not in taken and one not in later]
        found = [evolve(letter, id=0, recipients=tuple(later), due=due or 0.0, doubted=False)] if later else []
        told = self._told(letter, {one: why.get(one, outcome.result) for one in missed})
        return found if told is None else [*found, told]

    def _told(self, letter: Letter, faults: Mapping[str, str]) -> Letter | None:
        try:
            return self.undelivered(letter, faults) if faults else None
        except Exception:
            # Whatever is the matter with it, the letters behind it do not wait for ever.
            self.log.failure("nobody can be told what became of letter {id}", id=letter.id)
            return None

    def _later(self, letter: Letter, why: str) -> Outcome:
        now = self.now()
        due = self.retry.again(letter.attempts, letter.created, now, letter.expires)
        if due is None:
            return self._failure(letter, f"given up, {why}")
        return Outcome(letter.id, LetterState.QUEUED, now, result=why[:WORDS], due=due)

    def _unoffered(self, letter: Letter, why: str) -> Outcome:
        """It goes out as soon as the route is well again."""
        now = self.now()
        if self.retry.over(now, letter.created, now, letter.expires):
            return self._failure(letter, f"given up, {why}")
        return Outcome(letter.id, LetterState.QUEUED, now, result=why[:WORDS], due=letter.due, untried=True)

    def _failure(self, letter: Letter, why: str) -> Outcome:
        return Outcome(letter.id, LetterState.FAILED, self.now(), result=why[:WORDS])

    # The route.

    def _no_connection(self, why: str) -> None:
        if not self.trouble:
            # Servers repeat the addresses that they are asked about, and numbers are not logged.
            words = _NUMBER.sub(lambda found: masked(found[0]), why)
            self.log.warn("{route} has no connection: {why}", route=self.route, why=words)
        self.trouble = why
        self._pause()

    def _connected(self) -> None:
        if self.trouble:
            self.log.info("{route} has a connection again", route=self.route)
        self.trouble, self._troubles, self._rest = "", 0, 0.0

    def _pause(self) -> None:
        self._troubles += 1
        self._rest = self.clock.seconds() + self.rests.pause(self._troubles)
        self._set_timer(self._rest - self.clock.seconds())

    def _set_timer(self, delay: float | None) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if delay is not None and not self._stopped:
            self._timer = self.clock.callLater(min(delay, LONGEST_TIMER), self._due)

    def _due(self) -> None:
        self._timer = None
        self.kick()
