"""What a gateway does again and again while it runs."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.config import Config
from gateway.interfaces import BackendDown
from gateway.service.gateway import (
    COMPACT_SECONDS,
    FIRST_SWEEP_SECONDS,
    FLUSH_SECONDS,
    LOOK_SECONDS,
    NOTES_SECONDS,
    SWEEP_SECONDS,
    GatewayService,
)


@define(eq=False)
class Noted:
    """A part of which is only noted what it is asked to do, and when; C{failing} is what it fails in."""

    clock: Clock
    calls: list[tuple[str, float]] = field(factory=list)
    failing: set[str] = field(factory=set)

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: object) -> Deferred[None]:
            self.calls.append((name, self.clock.seconds()))
            return fail(BackendDown("locked")) if name in self.failing else succeed(None)

        return call

    def times(self, name: str) -> list[float]:
        return [at for called, at in self.calls if called == name]


@define(eq=False)
class NotedParts:
    """Of the parts of a gateway those that have something to do again and again."""

    clock: Clock
    config: Config = field(factory=Config)
    accounts: Noted = field(init=False)
    store: Noted = field(init=False)
    partnerships: Noted = field(init=False)
    marks: Noted = field(init=False)
    knocking: Noted = field(init=False)
    source: Noted = field(init=False)
    indexer: Noted = field(init=False)

    def __attrs_post_init__(self) -> None:
        for name in ("accounts", "store", "partnerships", "marks", "knocking", "source", "indexer"):
            setattr(self, name, Noted(self.clock))


class LoopTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.parts = NotedParts(self.clock)
        self.service = GatewayService(self.parts.config, lambda: self.parts.config, self.clock)
        self.service.parts = self.parts  # type: ignore[assignment]
        self.service.begin_loops()

    def tearDown(self) -> None:
        self.service.end_loops()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_sweep(self) -> None:
        """What was left half-written is looked for some minutes after the start, and then every few hours."""
        self.clock.advance(FIRST_SWEEP_SECONDS - 1)
        self.assertEqual(self.parts.source.calls, [])
        self.clock.advance(1)
        for _ in range(2):
            self.clock.advance(SWEEP_SECONDS - 1)
            self.clock.advance(1)
        first = FIRST_SWEEP_SECONDS
        self.assertEqual(self.parts.source.times("sweep"), [first, first + SWEEP_SECONDS, first + 2 * SWEEP_SECONDS])

    def test_sweepFails(self) -> None:
        """A sweep that fails is logged, and the next one comes all the same."""
        self.parts.source.failing.add("sweep")
        self.clock.advance(FIRST_SWEEP_SECONDS)
        self.clock.advance(SWEEP_SECONDS)
        self.assertEqual(len(self.parts.source.calls), 2)
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 2)

    def test_endBeforeSweep(self) -> None:
        """A gateway that ends soon after its start does not sweep any more."""
        self.service.end_loops()
        self.clock.advance(FIRST_SWEEP_SECONDS)
        self.assertEqual(self.parts.source.calls, [])

    def test_others(self) -> None:
        """Everything else is done each time that its time is over, and not at the start."""
        wanted = [
            (self.parts.accounts, "look", FLUSH_SECONDS),
            (self.parts.store, "flush", FLUSH_SECONDS),
            (self.parts.knocking, "flush", FLUSH_SECONDS),
            (self.parts.partnerships, "flush", NOTES_SECONDS),
            (self.parts.marks, "note", NOTES_SECONDS),
            (self.parts.knocking, "look_after", LOOK_SECONDS),
            (self.parts.store, "compact", COMPACT_SECONDS),
            (self.parts.knocking, "forget_old", COMPACT_SECONDS),
            (self.parts.indexer, "look", COMPACT_SECONDS),
        ]
        self.assertEqual([part.calls for part, _, _ in wanted], [[]] * len(wanted))
        for seconds in (FLUSH_SECONDS, NOTES_SECONDS, LOOK_SECONDS, COMPACT_SECONDS, 2 * COMPACT_SECONDS):
            self.clock.advance(seconds - self.clock.seconds())
        for part, name, seconds in wanted:
            self.assertEqual(part.times(name)[0], seconds, name)
            self.assertGreaterEqual(len(part.times(name)), 2, name)
