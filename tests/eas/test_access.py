"""The access line."""

from __future__ import annotations

from twisted.logger import LogEvent, Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.access import LONGEST, AccessLog, Entry, elements
from gateway.eas.call import Answer
from tests.eas.lane import LaneCase, query
from tests.support import PATH


class ElementsTests(SynchronousTestCase):
    def test_order(self) -> None:
        """The version comes first, then every field behind its letters, in the order in which they were given."""
        self.assertEqual(elements(141, {"Fc": 1, "Hb": 480, "St": 2}), "V141_Fc1_Hb480_St2")

    def test_escaped(self) -> None:
        """Values are escaped, so that one cannot pass for several, nor for another line."""
        text = elements(25, {"E": "a b%\n\u20ac", "Ty": "Em:3a0c,Ca:1"})
        self.assertEqual(text, "V25_Ea%20b%25%0A%E2%82%AC_TyEm:3a0c,Ca:1")

    def test_nothing(self) -> None:
        """Without version and fields there is a dash."""
        self.assertEqual(elements(0, {}), "-")


class LineTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.events: list[LogEvent] = []
        self.patch(AccessLog, "log", Logger("test", observer=self.events.append))
        self.counted: list[tuple[Entry, int, float]] = []
        self.access = AccessLog(True, lambda *line: self.counted.append(line))

    def line(self, entry: Entry, http: int = 200) -> str:
        self.access.write(entry, http, 13, 1002.25)
        return formatEvent(self.events[-1])

    def entry(self, **fields: object) -> Entry:
        known = {"user": "ann", "device": "phone1", "type": "iPhone", "command": "Ping", "version": 141, "received": 39}
        return Entry(1000.0, "192.0.2.1", **{**known, **fields})

    def test_shape(self) -> None:
        """Command, user, device, type, HTTP status, elements, bytes in and out, seconds, address."""
        line = self.line(self.entry(fields={"Hb": 480, "St": 1}))
        self.assertEqual(line, "Ping ann phone1 (iPhone) 200 V141_Hb480_St1 in=39 out=13 s=2.250 192.0.2.1")

    def test_unknown(self) -> None:
        """What was not known when the request ended is a dash."""
        line = self.line(Entry(1000.0, "192.0.2.1"), 401)
        self.assertEqual(line, "- - - (-) 401 - in=0 out=13 s=2.250 192.0.2.1")

    def test_fieldsByName(self) -> None:
        """A log in JSON has every part by its name, and the elements as numbers."""
        self.line(self.entry(fields={"Hb": 480}))
        event = self.events[-1]
        names = ("cmd", "user", "device", "type", "http", "received", "sent", "seconds", "address", "fields")
        self.assertEqual(
            [event[name] for name in names],
            ["Ping", "ann", "phone1", "iPhone", 200, 39, 13, 2.25, "192.0.2.1", {"Hb": 480}],
        )

    def test_oneLine(self) -> None:
        """What a client says of itself stays one word of bounded length, whatever it is."""
        line = self.line(self.entry(type="a b\r\nPing eve", device="x" * 5000, user="d\u00e9j\u00e0 vu"))
        self.assertIn("(a%20b%0D%0APing%20eve)", line)
        self.assertIn(" " + "x" * LONGEST + " (", line)
        self.assertIn("d%C3%A9j%C3%A0%20vu", line)
        self.assertEqual(len(line.split()), 10)

    def test_counted(self) -> None:
        """The counter is told entry, HTTP status and seconds."""
        entry = self.entry()
        self.line(entry, 0)
        self.assertEqual(self.counted, [(entry, 0, 2.25)])

    def test_disabled(self) -> None:
        """Lines may be turned off; the counter is told all the same."""
        self.access.enabled = False
        self.access.write(self.entry(), 200, 13, 1002.25)
        self.assertEqual((self.events, len(self.counted)), ([], 1))


class RequestTests(LaneCase):
    """The line of real requests."""

    def setUp(self) -> None:
        super().setUp()
        self.events: list[LogEvent] = []
        self.patch(AccessLog, "log", Logger("test", observer=self.events.append))

    def test_hostileType(self) -> None:
        """A DeviceType with a line break cannot write a line of its own."""
        self.post(target=f"{PATH}?{query(DeviceType='SP%0APing%20eve')}")
        (event,) = self.events
        self.assertNotIn("\n", formatEvent(event))
        self.assertNotIn("\n", event["type"])

    def test_noSecrets(self) -> None:
        """Neither passwords nor what was in bodies is in a line."""
        self.sync.answer = Answer(raw=b"body of mail", content_type="text/plain")
        self.post()
        self.post(Authorization="Basic YW5uOndyb25n")
        self.assertEqual(len(self.events), 2)
        for event in self.events:
            self.assertNotIn("secret", repr(event))
            self.assertNotIn("wrong", repr(event))
            self.assertNotIn("YW5u", repr(event))
            self.assertNotIn("body of mail", repr(event))
