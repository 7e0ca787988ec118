"""Bodies by themselves."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

from twisted.trial.unittest import SynchronousTestCase

from gateway.eas import content, wbxml
from gateway.eas.call import Refused, Version
from gateway.eas.commands import COMMANDS
from gateway.eas.request import BadRequest, Head


class InflateTests(SynchronousTestCase):
    def test_bound(self) -> None:
        """What unpacks to exactly the bound is taken, and one byte more is HTTP 413."""
        data = bytes(range(256)) * 40
        self.assertEqual(content.inflate(gzip.compress(data), len(data)), data)
        error = self.assertRaises(BadRequest, content.inflate, gzip.compress(data), len(data) - 1)
        self.assertEqual(error.answer.status, 413)

    def test_memory(self) -> None:
        """Of a bomb no more than the bound is unpacked."""
        bomb = zlib.compressobj(9, wbits=31)
        packed = bomb.compress(b"\0" * 20_000_000) + bomb.flush()
        tracemalloc.start()
        self.assertRaises(BadRequest, content.inflate, packed, 100_000)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        self.assertLess(peak, 1_000_000)

    def test_broken(self) -> None:
        """What is cut short, damaged, followed by something or no gzip at all is Status 101."""
        packed = gzip.compress(b"x" * 100)
        for data in (
            b"x",
            packed[:-1],
            packed[:5],
            packed + b"\0",
            packed + packed,
            packed[:20] + b"\xff" + packed[21:],
        ):
            error = self.assertRaises(Refused, content.inflate, data, 1000)
            self.assertEqual(error.status, 101)

    def test_empty(self) -> None:
        """A packed nothing is nothing."""
        self.assertEqual(content.inflate(gzip.compress(b""), 0), b"")


class PackTests(SynchronousTestCase):
    def test_roundTrip(self) -> None:
        """What is packed is a gzip stream without name and time: the same bytes give the same stream."""
        self.assertEqual(gzip.decompress(content.gzip(b"x" * 5000)), b"x" * 5000)
        self.assertEqual(content.gzip(b"x" * 5000), content.gzip(b"x" * 5000))

    def test_worth(self) -> None:
        """Small bodies are not packed, nor those for clients that did not ask."""
        least = content.WORTH_COMPRESSING
        self.assertIsNone(content.packed(b"x" * (least - 1), b"gzip"))
        self.assertIsNotNone(content.packed(b"x" * least, b"gzip"))
        self.assertIsNone(content.packed(b"x" * least, None))


class ReadTests(SynchronousTestCase):
    def read(self, command: str, data: bytes, version: Version = Version.V14_1, kind: bytes | None = None):
        headers = {b"Content-Type": kind}
        return content.read(data, Head(command, version, "phone1", "SP"), headers.get, content.BodyLimits())

    def test_emptyByCommand(self) -> None:
        """Which commands may come without a body, and from which version on."""
        allowed = {}
        for name, entry in COMMANDS.items():
            for version in Version:
                if not entry.first <= version <= entry.last:
                    continue
                try:
                    self.read(name, b"", version)
                except Refused as error:
                    self.assertEqual(error.status, 101)
                else:
                    allowed.setdefault(name, version)
        self.assertEqual(
            {name: str(version) for name, version in allowed.items()},
            {"Sync": "12.1", "Ping": "2.5", "GetAttachment": "2.5", "GetHierarchy": "2.5"},
        )

    def test_limits(self) -> None:
        """The bounds of WBXML hold for the unpacked body."""
        limits = content.BodyLimits(1000, wbxml.Limits(depth=2))
        head = Head("Ping", Version.V14_1, "phone1", "SP")
        deep = b"\x03\x01\x6a\x00\x00\x0d\x45\x49\x4a\x4b\x03\x35\x00\x01\x01\x01\x01"
        error = self.assertRaises(BadRequest, content.read, deep, head, {}.get, limits)
        self.assertEqual(error.answer.element.text_of("Ping:Status"), "4")
