"""Tests of plans, what comes of them, and how it is told."""

from __future__ import annotations

import json
from math import inf

from twisted.trial.unittest import SynchronousTestCase

from gateway.rehearsal.criteria import Criteria
from gateway.rehearsal.document import Document, Picture, Table, as_html, as_text, duration, percent, plain
from gateway.rehearsal.fleet import Version
from gateway.rehearsal.measures import Seen
from gateway.rehearsal.measures import measure as measured
from gateway.rehearsal.networks import DATA_NETWORKS
from gateway.rehearsal.plan import Made, Plan, Progress, Recorded, Rehearsal
from gateway.rehearsal.report import as_json, document
from gateway.rehearsal.sizes import measure
from gateway.rehearsal.stream import Event, Pattern
from gateway.rehearsal.tally import RADIO_TAIL, Tally
from tests.rehearsal.worlds import DAY, START, NearCase


class PlanTests(NearCase):
    def test_whole(self) -> None:
        """A rehearsal plays each version, tells how far it is, and can be told to people and programs."""
        plan = Plan(
            Made(Pattern(10.0), 3, 0.5),
            (Version.DIRECT_PUSH, Version.EVERY_15),
            data=(DATA_NETWORKS["good"], DATA_NETWORKS["nat-4min"]),
            criteria=Criteria(changes=1),
        )
        told: list[Progress] = []
        outcome = Rehearsal(plan, told.append).play()
        self.assertEqual([one.version for one in outcome.measures], ["direct-push", "every-15-min"])
        self.assertEqual((told[-1].done, told[-1].whole), (3.0, 3.0))
        self.assertEqual(outcome.device_days, 3.0)
        text = as_text(document(outcome, pictures=False))
        for words in ("direct-push", "every-15-min", "Safe to move", "3 users, 0.5 days", "MB A MONTH, wire"):
            self.assertIn(words, text)
        data = json.loads(json.dumps(as_json(outcome), allow_nan=False))
        self.assertEqual(len(data["versions"][0]["users"]), 3)
        self.assertEqual(data["versions"][0]["changes"], data["versions"][1]["changes"])

    def test_repeated(self) -> None:
        """The same plan gives the same result; another seed another."""

        def play(seed: str) -> object:
            data = as_json(Rehearsal(Plan(Made(Pattern(10.0), 2, 0.5), (Version.DIRECT_PUSH,), seed=seed)).play())
            return data["versions"]

        self.assertEqual(play("1"), play("1"))
        self.assertNotEqual(play("1"), play("2"))

    def test_sample(self) -> None:
        """Some of the users are drawn, always the same; their mails and networks are those they have in any case."""
        everybody = Plan(Made(Pattern(), 1000, 1.0), data=tuple(DATA_NETWORKS.values()))
        some = Plan(Made(Pattern(), 1000, 1.0), data=tuple(DATA_NETWORKS.values()), sample=50)
        self.assertEqual(len(some.owners()), 50)
        self.assertEqual(some.owners(), some.owners())
        self.assertTrue(set(some.owners()) <= set(everybody.owners()))

    def test_sampleError(self) -> None:
        """The error of a sample holds what the whole fleet has."""
        pattern = Made(Pattern(20.0), 40, 0.5)
        whole, sample = (
            Rehearsal(Plan(pattern, (Version.EVERY_15,), sample=size)).play().measures[0] for size in (0, 15)
        )
        for name in ("wakeups_day", "sms_month"):
            estimate = getattr(sample, name)
            self.assertLessEqual(abs(estimate.value - getattr(whole, name).value), estimate.error * 1.5 + 1e-9)
        self.assertLess(sample.waits[1].low, whole.waits[1].value)
        self.assertGreater(sample.waits[1].high + 60, whole.waits[1].value)

    def test_recorded(self) -> None:
        """A recorded stream has its own users, classes, begin and length."""
        stream = Recorded([Event(START + 1800, 7), Event(START + DAY, 3, "Calendar"), Event(START + DAY + 10, 7)])
        self.assertEqual(list(stream.numbers()), [3, 7])
        self.assertEqual(stream.classes(), ("Calendar", "Email"))
        self.assertEqual((stream.start, stream.days), (START, 25 / 24))
        self.assertEqual([event.user for event in stream.events([7], "")], [7, 7])
        outcome = Rehearsal(Plan(stream, (Version.DIRECT_PUSH,))).play()
        self.assertEqual(outcome.measures[0].changes, 3)


class MeasureTests(SynchronousTestCase):
    def test_never(self) -> None:
        """A change that never came counts in the quantiles, and as late."""
        tally = Tally(changes=20, never=2)
        tally.waits.extend([1.0] * 18)
        sizes = measure(False), measure(True)
        found = measured("sms", [Seen("user1", tally)] * 2, 1.0, sizes, Criteria(), False)
        self.assertEqual([wait.value for wait in found.waits], [1.0, inf, inf])
        self.assertEqual((found.late.value, found.never.value), (0.1, 0.1))
        self.assertIsNone(found.users[0].move)

    def test_radio(self) -> None:
        """What follows within the tail is no new wake-up."""
        tally = Tally()
        for time in (0.0, 5.0, 14.0, 14.0 + RADIO_TAIL + 1, 100.0):
            tally.active(time)
        self.assertEqual(tally.wakeups, 3)


class CriteriaTests(SynchronousTestCase):
    def test_each(self) -> None:
        """Each criterion that is not met is named."""
        criteria = Criteria(p95=60.0, late_most=0.01, heartbeat=480, changes=20)
        self.assertTrue(criteria.judge(60.0, 1, 0, 480, 100).safe)
        self.assertTrue(criteria.judge(60.0, 0, 0, None, 100).safe)
        for arguments, why in (
            ((61.0, 0, 0, 480, 100), "p95 61.0 s"),
            ((inf, 0, 0, 480, 100), "p95 never"),
            ((1.0, 2, 0, 480, 100), "2 late"),
            ((1.0, 0, 1, 480, 100), "1 never"),
            ((1.0, 0, 0, 240, 100), "heartbeat 240 s"),
            ((1.0, 0, 0, 480, 19), "only 19 changes"),
        ):
            self.assertEqual(criteria.judge(*arguments).why, (why,))


class DocumentTests(SynchronousTestCase):
    document = Document(
        "A <title>",
        ["Lead & more."],
        [Table("Things", ["NAME", "N"], [["x<y", "10"], ["z", "5"]], "note")],
        notes=["n"],
    )

    def test_text(self) -> None:
        """Numbers are aligned to the right."""
        self.assertIn("NAME   N\n----  --\nx<y   10\nz      5\n(note)", as_text(self.document))

    def test_html(self) -> None:
        """Text is escaped, and nothing is loaded from anywhere."""
        page = as_html(
            Document(
                **{"title": "A <title>", "lead": ["&"], "tables": self.document.tables},
                pictures=[Picture("P", "<svg></svg>")],
            )
        )
        self.assertIn("<h1>A &lt;title&gt;</h1>", page)
        self.assertIn('<td class="l">x&lt;y</td><td>10</td>', page)
        self.assertIn("<svg></svg>", page)
        for word in ("<script", "<link", "src=", "href="):
            self.assertNotIn(word, page)

    def test_numbers(self) -> None:
        """Times, numbers and shares are short, and what is not nothing does not look like it."""
        self.assertEqual(
            [duration(x) for x in (1.5, 119, 120, 7200, inf)], ["1.5 s", "119.0 s", "2.0 min", "2.0 h", "never"]
        )
        self.assertEqual([plain(x) for x in (0, 0.1234, 1.234, 12.34, 1234)], ["0", "0.123", "1.23", "12.3", "1,234"])
        self.assertEqual([percent(x) for x in (0, 0.0012, 0.034, 0.5, 1)], ["0", "0.12 %", "3.4 %", "50 %", "100 %"])
