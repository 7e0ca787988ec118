"""Log lines as JSON: one object per line."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

from twisted.logger import FileLogObserver, LogEvent, formatEvent

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


def json_observer(stream: TextIO) -> Callable[[], FileLogObserver]:
    """What twistd takes as a logger: makes an observer that writes JSON lines to the stream."""
    return lambda: FileLogObserver(stream, json_line)
