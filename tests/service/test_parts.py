"""What is counted of requests."""

from __future__ import annotations

from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.access import Entry
from gateway.metrics import Metrics
from gateway.service.parts import counted


class CountedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.metrics = Metrics()

    def statuses(self) -> dict[str, float]:
        """How often each status was counted."""
        (family,) = (f for f in self.metrics.registry.collect() if f.name == "pushgw_requests")
        return {sample.labels["status"]: sample.value for sample in family.samples if sample.name.endswith("_total")}

    def count(self, *statuses: str | int) -> None:
        for status in statuses:
            counted(self.metrics, Entry(0.0, "192.0.2.1", command="Sync", fields={"St": status}), 200, 0.1)

    def test_status(self) -> None:
        """Requests are counted by the Status of the answer; of several collections each kind counts once."""
        self.count(1, "S", "S,S,S", "S,F,S")
        self.assertEqual(self.statuses(), {"1": 1.0, "S": 2.0, "FS": 1.0})

    def test_bounded(self) -> None:
        """However many collections clients synchronise in whatever order, there are a few counters."""
        self.count(*(",".join(kinds) for kinds in product("FIRS", repeat=6)))
        self.assertLessEqual(len(self.statuses()), 15)
