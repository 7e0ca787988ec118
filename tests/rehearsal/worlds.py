"""Small worlds for tests: a few phones, some mails, made in a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from twisted.internet.defer import execute
from twisted.trial.unittest import SynchronousTestCase

from gateway.rehearsal.fleet import Owner, Terms, Version
from gateway.rehearsal.networks import DATA_NETWORKS, SMS_NETWORKS, DataNetwork, SmsNetwork
from gateway.rehearsal.quick import QuickDatabase
from gateway.rehearsal.stream import Event
from gateway.rehearsal.world import World
from gateway.store.database import Database
from tests.stores import new_store

#: A Monday, midnight.
START = 1_142_208_000.0
HOUR = 3600.0
DAY = 24 * HOUR

GOOD, PERFECT = DATA_NETWORKS["good"], SMS_NETWORKS["perfect"]


def mails(*times: float, user: int = 1) -> list[Event]:
    """Mails of one user so many seconds after the start."""
    return [Event(START + time, user) for time in times]


class NearCase(SynchronousTestCase):
    """Tests of what is only about right."""

    def assertNear(self, found: float, expected: float, delta: float) -> None:
        """They differ by no more than that."""
        self.assertLessEqual(abs(found - expected), delta, f"{found} is not {expected} ± {delta}")


class WorldCase(NearCase):
    """Tests that play something."""

    def play(
        self,
        version: Version,
        events: Iterable[Event],
        days: float = 1.0,
        data: DataNetwork = GOOD,
        sms: SmsNetwork = PERFECT,
        terms: Terms | None = None,
        users: Sequence[int] = (1,),
        classes: tuple[str, ...] = ("Email",),
        kind: Callable[..., Database] = QuickDatabase,
    ) -> World:
        """The world after it was played."""
        database = kind(new_store().database.engine, execute)
        owners = [Owner(user, data, sms) for user in users]
        try:
            world = World(version, owners, terms or Terms(), START, "test", classes, database)
            world.play(events, START + days * DAY, lambda at: None)
        finally:
            database.close()
        return world
