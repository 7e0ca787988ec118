"""The JSON log."""

from __future__ import annotations

import json
from io import StringIO

from twisted.logger import FileLogObserver, Logger, LogLevel, LogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from gateway.service.logs import json_line


class JSONLogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stream = StringIO()
        self.log = Logger("here", observer=LogPublisher(FileLogObserver(self.stream, json_line)))

    def lines(self) -> list[dict]:
        """What was written."""
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def test_fields(self) -> None:
        """A line has time, level, origin, message, and the event's own fields that JSON knows."""
        self.log.info("{cmd} of {user}", cmd="Ping", user="änn", fields={"Hb": 480}, thing=object())
        (line,) = self.lines()
        self.assertEqual((line["level"], line["from"], line["message"]), ("info", "here", "Ping of änn"))
        self.assertEqual((line["cmd"], line["fields"]), ("Ping", {"Hb": 480}))
        self.assertNotIn("thing", line)
        self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$")

    def test_oneLineEach(self) -> None:
        """Newlines in a message stay inside the JSON: one event is one line."""
        self.log.warn("a\nb")
        self.log.error("c")
        self.assertEqual([line["message"] for line in self.lines()], ["a\nb", "c"])

    def test_failure(self) -> None:
        """A failure brings its traceback along."""
        try:
            raise ValueError("broken")
        except ValueError:
            self.log.failure("it failed", Failure())
        (line,) = self.lines()
        self.assertEqual(line["level"], LogLevel.critical.name)
        self.assertIn("ValueError: broken", line["traceback"])
