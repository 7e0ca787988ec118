"""Plays a script against a server: one request after the other, and one event for each step."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from gateway.eas.wbxml import WBXMLError
from gateway.element import Element
from gateway.simulator import events
from gateway.simulator.errors import GivenUp, Hindered, NotAServer, Setback
from gateway.simulator.line import Account, ILine
from gateway.simulator.memory import Memory
from gateway.simulator.script.answer import Answer
from gateway.simulator.script.asking import Asker
from gateway.simulator.script.expecting import missed, recall
from gateway.simulator.script.fields import Wrong
from gateway.simulator.script.mailsteps import message_of
from gateway.simulator.script.phone import Kind, Phone, Unsent
from gateway.simulator.script.reading import Script, Step
from gateway.simulator.script.references import filled
from gateway.simulator.script.steps import AWAIT, DELIVER, OPTIONS, PROVISION, WAIT

#: Seconds between two tries of a step that is asked again.
PAUSE = 0.5
#: Keys that say what a step is about; the first of them that is there is shown.
_ABOUT = ("command", "folder", "name", "query", "of", "seconds", "attachment", "store", "to")

Deliver = Callable[[str, str, list[str], bytes], Awaitable[None]]


class StepFailed(GivenUp):
    """A step was not answered as the script expects; the message names file, step, and what was expected."""


@define(eq=False)
class Player:
    """Plays one script as one phone.

    C{salt} is different in each run, and makes the ClientIds different; C{deliver} has a mail delivered: by which
    server (C{"host:port"}), from whom, to whom; C{told}: see L{Asker}.
    """

    _account: Account
    _line: ILine
    _clock: IReactorTime
    _onlooker: events.IOnlooker
    _script: Script
    _salt: str
    _deliver: Deliver
    _told: Callable[[str, Element, bool], object] = lambda _command, _document, _answer: None
    _phone: Phone = field(init=False)
    _asker: Asker = field(init=False)
    _values: dict[str, str] = field(init=False)
    _parked: dict[str, tuple[Step, Deferred[Answer]]] = field(factory=dict, init=False)
    _step: int = field(init=False, default=0)
    _numbers: Iterator[int] = field(init=False, factory=itertools.count)

    def __attrs_post_init__(self) -> None:
        memory = Memory(version=self._script.version or "")
        self._phone = Phone(self._account, memory, self._fresh)
        self._asker = Asker(self._phone, self._line, self._clock, self._told)
        self._values = dict(self._script.values)

    def _fresh(self) -> str:
        """A ClientId; a step that is asked again has the same as before."""
        return f"{self._salt}-{self._step}-{next(self._numbers)}"

    async def play(self) -> None:
        """Do all steps.

        @raise StepFailed: one was not answered as expected; the rest is left.
        @raise GivenUp: nothing helps; the server is not trusted.
        """
        try:
            for step in self._script.steps:
                await self._play(step)
        finally:
            for _, answer in self._parked.values():
                answer.addErrback(_dropped)
                answer.cancel()

    async def _play(self, step: Step) -> None:
        step = self._filled(step)
        begun = self._clock.seconds()
        event = await self._once(step)
        while event.wrong and self._clock.seconds() + PAUSE <= begun + step.retry:
            await self._pause(PAUSE)
            event = await self._once(step)
        self._onlooker.happened(self._account, event)
        if event.wrong:
            raise StepFailed(f"{self._script.name}: step {step.number} ({step.name}): {'; '.join(event.wrong)}")

    def _filled(self, step: Step) -> Step:
        """The step with values in the place of references."""
        account = self._account
        known = {"user": account.user, "device": account.device_id, "run": self._salt}
        known["version"] = self._phone.memory.version
        keys = ("values", "expect", "remember")
        return evolve(step, **{key: filled(getattr(step, key), {**self._values, **known}) for key in keys})

    async def _once(self, step: Step) -> events.Stepped:
        """Do a step once; what is not as expected is in the event."""
        self._step, self._numbers = step.number, itertools.count(1)
        event = events.Stepped(step.number, len(self._script.steps), step.name, _about(self._phone, step.values))
        begun = self._clock.seconds()
        try:
            kind, answer = await self._answer(step)
        except (Wrong, Unsent, Hindered, NotAServer, WBXMLError) as error:
            return evolve(event, seconds=self._clock.seconds() - begun, wrong=(str(error),))
        if answer is None:
            return evolve(event, seconds=self._clock.seconds() - begun, background=bool(step.background))
        wrong = missed(step.expect, kind.good, self._phone, answer)
        return evolve(
            event,
            http=answer.http,
            status=answer.status(kind.good),
            seconds=answer.seconds,
            added=answer.count("Add"),
            changed=answer.count("Change"),
            deleted=answer.count("Delete"),
            wrong=tuple(wrong or self._remember(step, answer)),
        )

    def _remember(self, step: Step, answer: Answer) -> list[str]:
        """Keep what a step is to remember; what is not there."""
        found = {name: recall(source, self._phone, answer) for name, source in step.remember.items()}
        self._values.update({name: value for name, value in found.items() if value is not None})
        return [f"remember: there is nothing for {name}" for name, value in found.items() if value is None]

    async def _answer(self, step: Step) -> tuple[Kind, Answer | None]:
        """The answer to a step, C{None} if it has none, and the kind of what was asked."""
        if step.name == WAIT:
            await self._pause(step.values["seconds"])
            return step.kind, None
        if step.name == DELIVER:
            await self._post(step.values)
            return step.kind, None
        if step.name == AWAIT:
            asked, waiting = self._parked.pop(step.values["of"])
            answer = await waiting
            asked.kind.learn(self._phone, asked.values, answer)
            return asked.kind, answer
        if not self._phone.memory.version and step.name != OPTIONS:
            raise Unsent("the version is not known: OPTIONS has not told it")
        if step.background:
            self._parked[step.background] = step, Deferred.fromCoroutine(self._asker.begin(step))
            return step.kind, None
        if step.name == OPTIONS:
            return step.kind, await self._asker.options(step, self._script.version)
        if step.name == PROVISION:
            return step.kind, await self._asker.provision(step)
        return step.kind, await self._asker.command(step)

    async def _post(self, given: Mapping[str, Any]) -> None:
        await self._deliver(given["smtp"], given["from"], given["to"], message_of(given))

    async def _pause(self, seconds: float) -> None:
        waiting: Deferred[None] = deferLater(self._clock, seconds)
        await waiting


def _about(phone: Phone, given: Mapping[str, Any]) -> str:
    """What a step is about, in a word or two; folders by their names."""
    key = next((key for key in _ABOUT if key in given), "")
    found = given.get(key, "")
    words = [
        _named(phone, one) if key == "folder" else str(one) for one in (found if isinstance(found, list) else [found])
    ]
    text = ", ".join(words)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _named(phone: Phone, wanted: str | int) -> str:
    try:
        return phone.folder(wanted).name
    except Unsent:
        return str(wanted)


def _dropped(failure: Failure) -> None:
    """What becomes of a request that nobody asks for any more."""
    failure.trap(CancelledError, Setback, GivenUp, Wrong, Unsent, WBXMLError)
