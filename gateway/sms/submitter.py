"""Letters on their way to the SMSC: submitted within window and rate, and what came of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from math import ceil, inf
from typing import Final

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from gateway.core.numbers import masked
from gateway.sms.bind import Parting
from gateway.sms.meters import Meters
from gateway.sms.operator import Operator
from gateway.sms.pdu import BadField, Pdu
from gateway.sms.receipts import MessageIds
from gateway.sms.session import Session
from gateway.sms.settings import OperatorSettings
from gateway.sms.status import RTHROTTLED, Remedy, action
from gateway.sms.submit import Submits, destination
from gateway.sms.udh import Part
from gateway.trigger import DOUBTED_TWICE, Hop, Letter, LetterState, Outcome

MOST_READY: Final = 2000
"""So many letters are taken ahead at most; all of them are in doubt if the process is killed."""
AHEAD_SECONDS: Final = 0.5
"""With a limited rate letters are taken for so long ahead."""
CAREFUL: Final = 3
"""So many times no more is taken than can be submitted at once, since the last letter in doubt was seen: the first
may have been under way already, and those behind it show whether the SMSC answers."""
STALL_SECONDS: Final = 3.0
"""After so long without an answer what was taken ahead is put back."""
GROWTH: Final = 1.5
LONGEST: Final = 10
"""Each wait for another attempt is longer than the last by the first, up to so many times the first one."""

_SILENT: Final = (None, Parting.MUTE, Parting.DEAD)

Render = Callable[[Letter], Sequence[Part]]
Settled = Callable[[Outcome, Hop | None], None]


@define(eq=False)
class _InHand:
    """A letter that was taken: its parts once they are made, how many of them the SMSC has, and since when."""

    letter: Letter
    parts: Sequence[Part] = ()
    number: str = ""
    done: int = 0
    since: float = 0.0


@define(eq=False)
class Submitter:
    """Submits what is C{ready} whenever there is room, and tells C{settled} what came of each letter.

    C{render} makes the parts of a letter, and raises ValueError for one that cannot be made.
    """

    log = Logger()

    settings: OperatorSettings
    _operator: Operator
    _render: Render
    _ids: MessageIds
    _settled: Settled
    _clock: IReactorTime
    _now: Callable[[], float]
    _meters: Meters
    in_flight: int = field(default=0, init=False)
    _ready: deque[_InHand] = field(factory=deque, init=False)
    _submits: Submits = field(init=False)
    _sent: int = field(default=0, init=False)
    _careful: int = field(default=0, init=False)
    _answers: int = field(default=0, init=False)
    _stalled: bool = field(default=False, init=False)
    _stall: IDelayedCall | None = field(default=None, init=False)
    _waiting: IDelayedCall | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._submits = Submits(self.settings)

    # What is ready.

    @property
    def hungry(self) -> bool:
        """Whether nothing is ready though there is room."""
        return not self._ready and self._operator.room > 0

    @property
    def careful(self) -> bool:
        """Whether a letter was in doubt lately."""
        return self._careful > 0

    def appetite(self) -> int:
        """How many letters should be taken now: enough to be busy while the next ones are taken.

        What is taken is in doubt if the process is killed, and what was in doubt twice is given up. So of letters that
        were in doubt, and from an SMSC that answers nothing, no more are taken than can be submitted at once.
        """
        if not self._operator.transmitting:
            return 0
        most = max(self._operator.room, 0 if self._careful or self._stalled else max(1, 2 * self._sent))
        most = min(most, MOST_READY)
        if self._operator.rate.now != inf:
            most = min(most, max(1, ceil(self._operator.rate.now * AHEAD_SECONDS)))
        return most - len(self._ready) if 2 * len(self._ready) <= most else 0

    def add(self, letters: Sequence[Letter]) -> None:
        """Submit these."""
        self._sent = 0
        self._careful = CAREFUL if any(letter.doubted for letter in letters) else max(0, self._careful - 1)
        self._ready.extend(_InHand(letter) for letter in letters)
        self.go_on()

    def give_back(self) -> None:
        """Put back what was not submitted yet, to the place where it was."""
        while self._ready:
            hand = self._ready.popleft()
            id, due = hand.letter.id, hand.letter.due
            self._settled(
                Outcome(id, LetterState.QUEUED, self._now(), "", "not submitted", due, untried=not hand.done), None
            )

    def go_on(self) -> None:
        """Submit what there is room for."""
        rate = self._operator.rate
        while self._ready:
            session = self._operator.choose()
            if session is None:
                break
            for _ in range(min(session.room, len(self._ready))):
                wait = rate.wait()
                if wait:
                    self._wait(wait)
                    return
                self._submit(session, self._ready.popleft())
        if self._ready and not self._operator.transmitting:
            self.give_back()
        if self._ready and self._stall is None:
            self._stall = self._clock.callLater(STALL_SECONDS, self._look_for_answers, self._answers)

    def stop(self) -> None:
        """Wait for nothing any more."""
        for call in (self._waiting, self._stall):
            if call is not None:
                call.cancel()
        self._waiting = self._stall = None

    def _wait(self, seconds: float) -> None:
        if self._waiting is None:
            self._waiting = self._clock.callLater(seconds, self._waited)

    def _waited(self) -> None:
        self._waiting = None
        self.go_on()

    def _look_for_answers(self, before: int) -> None:
        self._stall = None
        if self._answers == before and self.in_flight:
            self._stalled = True
            self.give_back()
        elif self._ready:
            self._stall = self._clock.callLater(STALL_SECONDS, self._look_for_answers, self._answers)

    # A submit.

    def _submit(self, session: Session, hand: _InHand) -> None:
        now = self._now()
        letter = hand.letter
        if letter.expires and letter.expires <= now:
            self._fail(hand, "it is too old to be of use")
            return
        try:
            if not hand.parts:
                self._prepare(hand)
            part = hand.parts[hand.done]
            last = hand.done + 1 == len(hand.parts)
            session.submit(
                partial(
                    self._submits.template(part, last).frame,
                    destination=hand.number,
                    validity=self._submits.validity(letter, now),
                    message=part.short_message,
                    tlvs=part.tlvs,
                ),
                partial(self._answered, session, hand),
            )
        except BadField as error:
            self._fail(hand, str(error))
            return
        except ValueError as error:
            self._fail(hand, f"it cannot be made: {error}")
            return
        except Exception:
            self.log.failure("{name}: a letter cannot be made", name=self.settings.name)
            self._fail(hand, "it cannot be made")
            return
        hand.since = self._clock.seconds()
        self._operator.rate.take()
        self.in_flight += 1
        self._sent += 1

    def _prepare(self, hand: _InHand) -> None:
        hand.number = destination(hand.letter.number, self.settings)
        hand.parts = self._render(hand.letter)
        if not hand.parts:
            raise ValueError("there is nothing in it")

    def _answered(self, session: Session, hand: _InHand, answer: Pdu | None) -> None:
        self.in_flight -= 1
        if answer is None:
            self._doubt(session, hand)
        else:
            self._answers += 1
            self._stalled = False
            self._meters.latency(self.settings.name, self._clock.seconds() - hand.since)
            if answer.status:
                self._refused(session, hand, answer.status)
            else:
                self._taken(session, hand, answer)
        if self._ready and session.room > 0 and self._operator.takes(session) and not self._operator.rate.wait():
            self._submit(session, self._ready.popleft())
        else:
            self.go_on()

    def _taken(self, session: Session, hand: _InHand, answer: Pdu) -> None:
        self._meters.submitted(self.settings.name, Remedy.TAKEN.value)
        hand.done += 1
        if hand.done < len(hand.parts):
            self._ready.appendleft(hand)
            return
        given = answer.text("message_id")
        seconds = self._clock.seconds() - hand.since
        text = f"message id {given or 'none'} from {session.name} after {seconds:.3f} s"
        self._settle(hand, LetterState.SENT, "", "taken", text, message_id=self._ids.given(given))

    def _doubt(self, session: Session, hand: _InHand) -> None:
        """It is not known what became of it: once more, but only once.

        It keeps its place if the connection is gone. From an SMSC that is silent it goes behind the others, which show
        meanwhile whether any answers: what is in doubt must not be what that is tried with.
        """
        due = self._now() if session.parting in _SILENT else hand.letter.due
        self._meters.submitted(self.settings.name, "doubt")
        why = session.parting.value if session.parting is not None else Parting.MUTE.value
        kind = "failed" if hand.letter.doubted else "retry"
        self._careful = CAREFUL
        text = f"{DOUBTED_TWICE}: {why}" if hand.letter.doubted else f"in doubt: {why}"
        self._settle(hand, LetterState.DOUBT, why, kind, text, due=due)

    def _refused(self, session: Session, hand: _InHand, status: int) -> None:
        what = action(status)
        self._meters.submitted(self.settings.name, what.remedy.value)
        if status == RTHROTTLED:
            self._operator.rate.throttled()
            self._meters.throttled(self.settings.name)
        if what.remedy is Remedy.LATER:
            self._later(hand, what.name, self._pause(hand.letter.attempts, what.patience))
        elif what.remedy is Remedy.REBIND:
            self._later(hand, what.name, 0.0)
            session.part(Parting.UNFIT, what.name)
        elif what.remedy is Remedy.ACCOUNT:
            self._operator.bar(status)
            self._later(hand, what.name, 0.0)
        else:
            if what.remedy is Remedy.ASK:
                self._meters.alarm(self.settings.name, f"{session.name} refuses a message with {what.name}; ask why")
            self._fail(hand, what.name)

    def _pause(self, attempts: int, patience: float) -> float:
        first = self.settings.retry_seconds * patience
        return float(min(first * GROWTH ** min(max(0, attempts - 1), 50), first * LONGEST))

    # What came of a letter.

    def _later(self, hand: _InHand, why: str, pause: float) -> None:
        due = self._now() + pause
        if hand.letter.attempts > self.settings.retries:
            self._fail(hand, f"{why}, after {hand.letter.attempts} attempts")
        elif hand.letter.expires and due >= hand.letter.expires:
            self._fail(hand, f"{why}, and it would be too old for another attempt")
        else:
            self._settle(hand, LetterState.QUEUED, why, "retry", f"{why}, again in {pause:.0f} s", due=due)

    def _fail(self, hand: _InHand, why: str) -> None:
        self.log.warn("{name}: {number}: {why}", name=self.settings.name, number=masked(hand.letter.number), why=why)
        self._settle(hand, LetterState.FAILED, why, "failed", why)

    def _settle(
        self,
        hand: _InHand,
        state: LetterState,
        result: str,
        kind: str = "",
        text: str = "",
        due: float = 0.0,
        message_id: str = "",
    ) -> None:
        now = self._now()
        letter = hand.letter
        hop = Hop(now, letter.key, kind, text, letter=letter.id) if kind else None
        self._settled(Outcome(letter.id, state, now, message_id, result, due), hop)
