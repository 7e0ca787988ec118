"""Tests of the models of networks."""

from __future__ import annotations

from math import inf
from random import Random
from statistics import median

from gateway.rehearsal.networks import (
    DATA_NETWORKS,
    SMS_NETWORKS,
    Coverage,
    DataNetwork,
    SmsNetwork,
    assigned,
    parse,
)
from gateway.simulator.network import Mode
from tests.rehearsal.worlds import DAY, NearCase


class ParseTests(NearCase):
    def test_presets(self) -> None:
        """Each preset is read by its name."""
        for name, preset in {**DATA_NETWORKS}.items():
            self.assertEqual(parse(name, DATA_NETWORKS), preset)
        for name, one in SMS_NETWORKS.items():
            self.assertEqual(parse(name, SMS_NETWORKS), one)

    def test_changed(self) -> None:
        """Values of a preset can be replaced, and show in the name; the weight does not."""
        found = parse("good,idle=13m,cut=reset,gaps=2,weight=0.5", DATA_NETWORKS)
        self.assertEqual((found.idle, found.cut, found.gaps, found.weight), (780.0, Mode.RESET, 2.0, 0.5))
        self.assertEqual(found.name, "good,idle=13m,cut=reset,gaps=2")
        self.assertEqual(parse("usual,loss=0.5,price=0", SMS_NETWORKS).loss, 0.5)
        self.assertEqual(parse("carrier-13min,idle=never", DATA_NETWORKS).idle, 0.0)

    def test_wrong(self) -> None:
        """An unknown name or key and a value that is none are refused."""
        for text in ("bad", "good,speed=3", "good,idle=x", "good,cut=soft", "good,gaps=-1", "good,name=x", "good,idle"):
            self.assertRaises(ValueError, parse, text, DATA_NETWORKS)
        self.assertRaises(ValueError, parse, "usual,loss=1.5", SMS_NETWORKS)


class CoverageTests(NearCase):
    def coverage(self, network: DataNetwork) -> Coverage:
        return Coverage(network, Random(7), 0.0)

    def test_none(self) -> None:
        """Without gaps there is always a network."""
        coverage = self.coverage(DataNetwork())
        self.assertEqual(coverage.next(5.0), (inf, inf))
        self.assertEqual(coverage.back(5.0), 5.0)
        self.assertEqual(coverage.without(0.0, DAY), 0.0)

    def test_gaps(self) -> None:
        """There are as many gaps as asked for, as long as asked for on average."""
        coverage = self.coverage(DataNetwork(gaps=10.0, gap=600.0))
        lost = coverage.without(0.0, 400 * DAY)
        # Each gap delays the next one by its own length.
        self.assertNear(lost / 400, 10 * 600 * DAY / (DAY + 6000), 400)

    def test_anyOrder(self) -> None:
        """The same is answered whatever was asked before."""
        late, early = (self.coverage(DataNetwork(gaps=10.0)) for _ in range(2))
        late.next(30 * DAY)
        times = [hour * 3600.0 for hour in range(700)]
        self.assertEqual([late.next(time) for time in times], [early.next(time) for time in times])

    def test_back(self) -> None:
        """In a gap the phone is back at its end."""
        coverage = self.coverage(DataNetwork(gaps=10.0))
        begin, end = coverage.next(0.0)
        self.assertEqual(coverage.back((begin + end) / 2), end)
        self.assertEqual(coverage.back(begin - 1), begin - 1)
        self.assertEqual(coverage.next(begin), (begin, end))
        self.assertGreater(coverage.next(end)[0], end)


class SmsTests(NearCase):
    def test_latency(self) -> None:
        """The median is as asked for, and the loss."""
        random, network = Random(3), SmsNetwork(median=8.0, sigma=1.0, loss=0.1)
        found = [network.latency(random) for _ in range(4000)]
        arrived = [one for one in found if one is not None]
        self.assertNear(1 - len(arrived) / 4000, 0.1, 0.02)
        self.assertNear(median(arrived), 8.0, 0.6)

    def test_lot(self) -> None:
        """Users get networks by weight, each always the same."""
        lot = [assigned(("a", "b"), (3.0, 1.0), user, "s") for user in range(2000)]
        self.assertNear(lot.count("a") / 2000, 0.75, 0.04)
        self.assertEqual(lot[:50], [assigned(("a", "b"), (3.0, 1.0), user, "s") for user in range(50)])
