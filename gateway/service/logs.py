"""Log lines as JSON: one object per line."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

from twisted.application.service import MultiService
from twisted.logger import FileLogObserver, ILogObserver, LogEvent, formatEvent
from twisted.python.logfile import LogFile

_KEPT = (str, int, float, bool, type(None))


def json_line(event: LogEvent) -> str:
    """An event as one JSON object: time, level, from, message, the traceback of a failure, and its named fields."""
    value: dict[str, Any] = {
        "time": datetime.fromtimestamp(event.get("log_time", 0.0), UTC).isoformat(timespec="milliseconds"),
        "level": event["log_level"].name if "log_level" in event else "info",
        "from": event.get("log_namespace", "-"),
        "message": formatEvent(event),
    }
    failure = event.get("log_failure")
    if failure is not None:
        value["traceback"] = failure.getTraceback()
    for name, field in event.items():
        if not name.startswith("log_") and name not in value and _plain(field):
            value[name] = field
    return json.dumps(value, ensure_ascii=False) + "\n"


def _plain(field: Any) -> bool:
    if isinstance(field, dict):
        return all(isinstance(key, str) and isinstance(value, _KEPT) for key, value in field.items())
    return isinstance(field, _KEPT)


class JSONLogged(MultiService):
    """Has twistd write the log of the application that it is put into as JSON lines.

    C{path} is what C{twistd --logfile} was given; C{None} or C{"-"} is the standard output. An observer that was
    chosen with C{twistd --logger} comes before this one.
    """

    def __init__(self, path: str | None) -> None:
        super().__init__()
        self.path = path

    def setServiceParent(self, parent: Any) -> None:
        """Become a part of the application, before its log is begun."""
        stream = LogFile.fromFullPath(self.path) if self.path and self.path != "-" else sys.stdout
        parent.setComponent(ILogObserver, FileLogObserver(stream, json_line))
        super().setServiceParent(parent)
