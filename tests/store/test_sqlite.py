"""The contracts of the store on SQLite in memory."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from gateway.store import Store
from tests.contract import every
from tests.contract.history import World
from tests.stores import new_store


class InMemory:
    """Stores on one database in memory."""

    def makeStore(self) -> Store:
        self.made = new_store(self.seconds)
        return self.made

    def restart(self) -> Store:
        return Store(self.made.database, self.seconds)


globals().update(every.on("SQLite", InMemory, __name__))


class HistoryTests(SynchronousTestCase):
    """Random histories, a few of the many that tests/slow runs."""

    def history(self, seed: int, aged: bool = False) -> None:
        clock = [1_700_000_000]
        store = new_store(lambda: clock[0])
        world = World(store, lambda: Store(store.database, lambda: clock[0]), Random(seed), aged, clock=clock)
        world.begin(1 + seed % 3)
        try:
            world.run(40)
        except AssertionError as error:
            raise AssertionError(f"in the history of seed {seed}: {error}") from error

    def test_histories(self) -> None:
        """Whatever happens, a look knows what a phone lacks, and in the end each has exactly its window."""
        for seed in range(12):
            self.history(seed)

    def test_historiesWithForgetting(self) -> None:
        """The same when old removals are forgotten and keys become invalid by it."""
        for seed in range(100, 106):
            self.history(seed, aged=True)
