"""Tests of the comparison of SMS and Direct Push from a trace."""

from __future__ import annotations

import json
from math import inf

from twisted.trial.unittest import SynchronousTestCase

from gateway.model import DeviceKey
from gateway.rehearsal.comparing import Compared, Tracks, Waits, compare, over_all
from gateway.rehearsal.comparison import Comparison, as_json, document
from gateway.rehearsal.criteria import Criteria
from gateway.rehearsal.document import as_text
from gateway.trigger import Hop, LetterState

KEY = DeviceKey("ann", "phone1")
ROUTE = "smpp:examplenet"
EASY = Criteria(p95=10.0, late=600.0, changes=1)


def hop(at: float, kind: str, text: str = "", letter: int = 0) -> Hop:
    return Hop(1000.0 + at, KEY, kind, text, folder=5, number=int(at), letter=letter)


def woken(at: float, letter: int, delivered: float) -> list[Hop]:
    """The hops of a trigger that is delivered."""
    return [
        hop(at, "decided", "sms", letter),
        hop(at, "queued", ROUTE, letter),
        hop(at + 0.1, "taken", "id", letter),
        hop(delivered, "receipt", "DELIVRD err 000", letter),
    ]


class CompareTests(SynchronousTestCase):
    def compare(
        self, *hops: Hop, states: dict[int, LetterState] | None = None, criteria: Criteria = EASY
    ) -> tuple[Compared, Waits]:
        tracks = Tracks(states or {})
        tracks.read(hops)
        return compare("ann", "phone1", tracks, {ROUTE: 0.05}, criteria, 720)

    def test_pushFirst(self) -> None:
        """A Ping told of the change, the device came, and the SMS was later."""
        found, waits = self.compare(
            hop(0, "noticed"), *woken(0.2, 7, 9.0), hop(0.5, "announced"), hop(2, "came"), hop(2, "synchronised")
        )
        self.assertEqual((found.changes, found.push_first, found.sms_first, found.neither), (1, 1, 0, 0))
        self.assertEqual((waits.push, waits.sms, waits.synchronised), ([0.5], [9.0], [2.0]))
        self.assertEqual((found.sent, found.cost, found.push_missed, found.sms_missed), (1, 0.05, 0, 0))
        self.assertTrue(found.move.safe)

    def test_smsFirst(self) -> None:
        """The connection was dead: the SMS told of the change, and Direct Push missed it."""
        found, waits = self.compare(hop(0, "noticed"), *woken(0.2, 7, 9.0), hop(60, "synchronised"))
        self.assertEqual((found.push_first, found.sms_first, found.push_missed, found.late), (0, 1, 1, 1))
        self.assertEqual(waits.push, [inf])
        self.assertFalse(found.move.safe)

    def test_batched(self) -> None:
        """A change for which the outstanding trigger stands is told of by that one, when it is delivered."""
        found, waits = self.compare(
            hop(0, "noticed"),
            *woken(0.2, 7, 30.0),
            hop(10, "noticed"),
            hop(10.1, "decided", "trigger outstanding: for 890 s more"),
            hop(40, "noticed"),
            hop(40.1, "decided", "trigger outstanding: for 860 s more"),
            hop(90, "synchronised"),
        )
        self.assertEqual(waits.sms, [30.0, 20.0, 0.0])
        self.assertEqual((found.sent, found.unsent), (1, 0))

    def test_lost(self) -> None:
        """An SMS that was not delivered told of nothing; the state of the letter says so, or the words."""
        for states, words in (({7: LetterState.UNDELIVERED}, "DELIVRD"), ({}, "UNDELIV err 001")):
            hops = [*woken(0.2, 7, 9.0)[:3], hop(9, "receipt", words, 7)]
            found, _ = self.compare(
                hop(0, "noticed"), *hops, hop(0.5, "announced"), hop(2, "synchronised"), states=states
            )
            self.assertEqual((found.sms_missed, found.push_first, found.sent), (1, 1, 1))

    def test_noReceipts(self) -> None:
        """From an operator that sends no receipts, an SMS counts when it was taken."""
        _, waits = self.compare(hop(0, "noticed"), *woken(0.2, 7, 9.0)[:3], hop(60, "synchronised"))
        self.assertEqual([round(wait, 3) for wait in waits.sms], [0.3])

    def test_unsent(self) -> None:
        """A change for which nothing was sent is told of by neither, unless a Ping does."""
        found, _ = self.compare(hop(0, "noticed"), hop(0, "decided", "quiet hours"), hop(60, "synchronised"))
        self.assertEqual((found.unsent, found.sms_missed, found.neither), (1, 1, 1))

    def test_open(self) -> None:
        """What was noticed just before the end and is still open is left out; what is open for long is late."""
        found, waits = self.compare(hop(0, "noticed"), hop(1000, "noticed"), hop(1001, "decided", "limit reached"))
        self.assertEqual((found.changes, found.late), (1, 1))
        self.assertEqual(waits.synchronised, [inf])

    def test_reordered(self) -> None:
        """Hops are taken by their times, whatever their order."""
        hops = [hop(0, "noticed"), *woken(0.2, 7, 9.0), hop(0.5, "announced"), hop(2, "synchronised")]
        self.assertEqual(self.compare(*hops), self.compare(*reversed(hops)))

    def test_nothing(self) -> None:
        """A trace without changes compares nothing."""
        found, _ = self.compare(hop(0, "synchronised"))
        self.assertEqual((found.changes, found.sent, found.move.safe), (0, 0, False))


class ReportTests(CompareTests):
    def comparison(self) -> Comparison:
        devices = [
            self.compare(hop(0, "noticed"), *woken(0.2, 7, 9.0), hop(0.5, "announced"), hop(2, "synchronised")),
            self.compare(hop(0, "noticed"), *woken(0.2, 7, 9.0), hop(60, "synchronised")),
        ]
        return Comparison([one for one, _ in devices], [waits for _, waits in devices], EASY)

    def test_text(self) -> None:
        """The report has a line for each way and for each device."""
        text = as_text(document(self.comparison(), pictures=False))
        self.assertRegex(text, r"told by Direct Push +0\.5 s +never +never +50 % +50 %")
        self.assertRegex(text, r"ann +phone1 +1 +0 +1 .* no +p95 never, 1 late")
        self.assertIn("2 devices, 2 changes; 1 may be moved", text)

    def test_json(self) -> None:
        """JSON has everything, and null for never."""
        data = json.loads(json.dumps(as_json(self.comparison()), allow_nan=False))
        self.assertEqual(data["ways"]["push"], {"p50": 0.5, "p95": None, "p99": None})
        self.assertEqual([device["safe"] for device in data["devices"]], [True, False])

    def test_over(self) -> None:
        """All devices together have quantiles for each way."""
        self.assertEqual(set(over_all(self.comparison().waits)), {"push", "sms", "synchronised"})
