"""Counters."""

from __future__ import annotations

from attrs import define
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from gateway.core.switchboard import Claim, Ended
from gateway.eas.access import Entry
from gateway.interfaces import IReporter
from gateway.metrics import Metrics
from gateway.model import Change, DeviceKey, Ending
from gateway.service.parts import Reporter, counted, ended
from tests.support import World


@implementer(IReporter)
@define(eq=False)
class Told:
    """Notes what it is told, with its name."""

    name: str
    told: list[str]

    def changed(self, *changes: Change) -> None:
        """See L{IReporter}."""
        self.told.append(" ".join([self.name, *(str(change.folder) for change in changes)]))


class MetricsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.metrics = Metrics()

    def line(self, name: str) -> float:
        """The value of a sample, by its name with labels."""
        for line in self.metrics.render().decode().splitlines():
            if line.rpartition(" ")[0] == name:
                return float(line.rpartition(" ")[2])
        raise AssertionError(f"{name} is not there")

    def test_endings(self) -> None:
        """Endings are counted by kind; those that never happened are there with 0."""
        claim = World().board.claim(DeviceKey("ann", "phone1"))
        noted: list[tuple[Claim, Ended]] = []
        end = Ended(Ending.CHANGED, 0.0)
        ended(self.metrics, [lambda *what: noted.append(what)], claim, end)
        self.assertEqual(noted, [(claim, end)])
        self.assertEqual(self.line('pushgw_watch_endings_total{ending="changed"}'), 1)
        self.assertEqual(self.line('pushgw_watch_endings_total{ending="lost"}'), 0)

    def test_requests(self) -> None:
        """Requests are counted by command and status; the time of a Ping, or of a Sync that hung, is no service time."""
        ping = Entry(0.0, "192.0.2.1", command="Ping", fields={"Hb": 480, "St": 2})
        counted(self.metrics, ping, 200, 300.0)
        hung = Entry(0.0, "192.0.2.1", command="Sync", fields={"Hb": 480, "Pt": 300, "St": "S"})
        counted(self.metrics, hung, 200, 300.0)
        counted(self.metrics, Entry(0.0, "192.0.2.1", command="Sync"), 503, 0.5)
        self.assertEqual(self.line('pushgw_requests_total{cmd="Ping",http="200",status="2"}'), 1)
        self.assertEqual(self.line('pushgw_requests_total{cmd="Sync",http="503",status="-"}'), 1)
        self.assertEqual(self.line('pushgw_request_seconds_count{cmd="Sync"}'), 1)
        self.assertNotIn(b'pushgw_request_seconds_count{cmd="Ping"}', self.metrics.render())

    def test_gauge(self) -> None:
        """A gauge is asked for its value when it is rendered."""
        values = [3.0, 4.0]
        self.metrics.gauge("pushgw_parked", "Requests parked now", lambda: values.pop(0))
        self.assertEqual((self.line("pushgw_parked"), self.line("pushgw_parked")), (3, 4))

    def test_changes(self) -> None:
        """Changes are counted on their way; the Waker is told before the Switchboard."""
        told: list[str] = []
        waker, board = Told("waker", told), Told("board", told)
        Reporter(board, waker, self.metrics).changed(Change(5, 1), Change(6, 1))
        self.assertEqual(self.line("pushgw_changes_total"), 2)
        self.assertEqual(told, ["waker 5 6", "board 5 6"])
