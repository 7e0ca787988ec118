"""How the phone of a script asks its server: one request and its answer, and what the phone learns of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from gateway.eas import wbxml
from gateway.element import Element
from gateway.simulator.conversation import choose_version
from gateway.simulator.errors import GivenUp, Setback
from gateway.simulator.line import ILine, Post, Reply
from gateway.simulator.policy import PolicyGiven, acknowledge_policy, acknowledge_wipe, ask_policy, read_policy
from gateway.simulator.script.answer import Answer
from gateway.simulator.script.phone import Phone, Request
from gateway.simulator.script.reading import Step
from gateway.simulator.script.syncsteps import first_sync, learn_keys, unsynced


@define(eq=False)
class Asker:
    """Asks for a phone. C{told} is shown every document, with the name of the command and whether it came back.

    Everything may fail with L{Setback<gateway.simulator.errors.Setback>} (of which the line knows some) or
    L{GivenUp<gateway.simulator.errors.GivenUp>}.
    """

    _phone: Phone
    _line: ILine
    _clock: IReactorTime
    _told: Callable[[str, Element, bool], object]

    async def options(self, step: Step, wanted: str | None) -> Answer:
        """Ask what the server speaks, and choose the version: the one wanted, or the highest that both know.

        @raise GivenUp: the server does not speak it.
        """
        begun = self._clock.seconds()
        answer = self._read(await self._line.options(step.patience), "OPTIONS", begun)
        if answer.http == 200:
            listed = answer.headers.get("ms-asprotocolversions", "")
            offered = tuple(version.strip() for version in listed.split(","))
            self._phone.memory.version = choose_version(offered, wanted)
        return answer

    async def provision(self, step: Step) -> Answer:
        """Both phases of Provision ([MS-ASPROV] 3.1.5.1), or as many as the step has; the last answer."""
        memory, given = self._phone.memory, step.values
        information = {"Model": self._phone.account.device_type, "OS": "pushgw", **given.get("information", {})}
        answer = await self.send(step, Request("Provision", ask_policy(memory.version, information)))
        policy = _policy(answer)
        if policy is None or given.get("phases", 2) == 1:
            return answer
        if policy.wipe:
            return await self.send(step, Request("Provision", acknowledge_wipe(policy.wipe)))
        if policy.key is None:
            memory.policy_key = 0
            return answer
        memory.policy_key = policy.key
        acknowledged = acknowledge_policy(memory.version, policy.key, given.get("acknowledge", 1))
        answer = await self.send(step, Request("Provision", acknowledged))
        policy = _policy(answer)
        memory.policy_key = memory.policy_key if policy is None or policy.key is None else policy.key
        return answer

    async def command(self, step: Step) -> Answer:
        """Send the command of a step; a Sync of folders that have no key yet fetches one first."""
        answer = await self.begin(step)
        step.kind.learn(self._phone, step.values, answer)
        return answer

    async def begin(self, step: Step) -> Answer:
        """The same, when nothing is to be learnt yet."""
        if step.name == "Sync":
            fresh = unsynced(self._phone, step.values)
            if fresh:
                learn_keys(self._phone, await self.send(step, first_sync(self._phone, fresh)))
        return await self.send(step, step.kind.compose(self._phone, step.values))

    async def send(self, step: Step, request: Request) -> Answer:
        """Send one request, with the policy key of the phone or that of the step (but for Ping, which has none)."""
        body = request.body
        if isinstance(body, Element):
            self._told(request.command, body, False)
            body = wbxml.encode(body)
        key = self._phone.memory.policy_key if step.policy_key is None else step.policy_key
        post = Post(
            request.command,
            self._phone.memory.version,
            body or b"",
            None if request.command == "Ping" else key,
            step.patience + request.patience,
            request.parameters,
            request.content_type,
            request.multipart,
        )
        begun = self._clock.seconds()
        sending: Deferred[Reply] = self._line.post(post)
        return self._read(await sending, request.command, begun)

    def _read(self, reply: Reply, command: str, begun: float) -> Answer:
        answer = Answer.read(reply, self._clock.seconds() - begun)
        if answer.root is not None:
            self._told(command, answer.root, True)
        return answer


def _policy(answer: Answer) -> PolicyGiven | None:
    """What an answer to Provision gives, C{None} if it gives nothing: the expectations of the step say more."""
    if answer.root is not None:
        with suppress(Setback, GivenUp):
            return read_policy(answer.root)
    return None
