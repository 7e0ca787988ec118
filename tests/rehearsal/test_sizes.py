"""Tests of what is counted as bytes."""

from __future__ import annotations

from gateway.eas import wbxml
from gateway.eas.content import WBXML
from gateway.eas.ping import EXPIRED, status
from gateway.rehearsal.sizes import LEVELS, VERSION, _answer, _request, exchange, measure
from gateway.rehearsal.tally import Tally
from tests.rehearsal.worlds import NearCase
from tests.support import Phone, World


class HTTPTests(NearCase):
    def test_answer(self) -> None:
        """What is counted for the answer to a heartbeat is what the gateway writes."""
        world = World()
        inbox = world.mailbox()[""]
        phone = Phone(world, version=VERSION)
        phone.synchronise(inbox)
        self.assertEqual(phone.ping(60, inbox), [])
        world.clock.pump([1.0] * 62)
        written = phone.connection.transport.value()
        self.assertIn(wbxml.encode(status(EXPIRED)), written)
        self.assertEqual(len(written), _answer(status(EXPIRED), b"gzip"))

    def test_request(self) -> None:
        """A request is its line, its headers and its body."""
        self.assertEqual(_request("Ping", b"12345") - _request("Ping", b""), 5 + len(f"\r\nContent-Type: {WBXML}"))


class SizesTests(NearCase):
    def test_month(self) -> None:
        """Heartbeats alone cost on the order of 1 MB a month at 15 minutes: 2,880 rounds of half a kilobyte."""
        sizes = measure(gzip=False)
        month = sizes.heartbeats(Tally(heartbeats=30 * 24 * 4))
        self.assertGreater(month.application, 0.7e6)
        self.assertLess(month.application, 1.5e6)
        self.assertLess(month.application, month.tls)
        self.assertLess(month.tls, month.wire)
        self.assertLess(month.wire, 3e6)

    def test_gzip(self) -> None:
        """Gzip halves what mails take in a Sync; a Ping is not worth compressing."""
        plain, zipped = measure(gzip=False), measure(gzip=True)
        self.assertNear(zipped.item.application / plain.item.application, 0.45, 0.1)
        self.assertEqual(zipped.expired, plain.expired)
        self.assertEqual(zipped.empty, plain.empty)
        # A Sync of three mails, with its headers.
        whole = [(sizes.sync + sizes.item * 3).application for sizes in (zipped, plain)]
        self.assertNear(whole[0] / whole[1], 0.5, 0.1)

    def test_levels(self) -> None:
        """TLS adds a record to each direction, the wire at least a packet and an acknowledgement to each."""
        found = exchange(1000, 20_000)
        self.assertEqual(found.application, 21_000)
        self.assertEqual(found.tls, 21_000 + 3 * 29)
        # 1 + 15 packets, acknowledged by 1 + 8.
        self.assertEqual(found.wire, 21_000 + 3 * 29 + (1 + 15 + 1 + 8) * 52)

    def test_total(self) -> None:
        """The total is the sum of what a phone did, connections included."""
        sizes = measure(gzip=False)
        tally = Tally(heartbeats=3, told=2, lost_parks=1, syncs=5, empty_syncs=1, items=9, connects=2, folder_syncs=1)
        for level in LEVELS:
            parts = (
                4 * getattr(sizes.expired, level),
                2 * getattr(sizes.told, level),
                4 * getattr(sizes.sync, level) + 9 * getattr(sizes.item, level) + getattr(sizes.empty, level),
                2 * getattr(sizes.connect, level) + getattr(sizes.folders, level),
            )
            self.assertNear(getattr(sizes.total(tally), level), sum(parts), 0.001)
