"""The hanging Sync from the phone's side ([MS-ASCMD] 2.2.3.88.2, 2.2.3.198): one request for all folders that waits."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.element import Element
from gateway.simulator.collection import SyncWishes, ask_sync
from gateway.simulator.errors import Garbled
from gateway.simulator.hierarchy import number
from gateway.simulator.memory import PhoneFolder
from gateway.simulator.parking import EXPIRED, INCOMPLETE, OUT_OF_BOUNDS, PingAnswer

MINUTE = 60
_INCOMPLETE, _OUT_OF_BOUNDS = 13, 14


def hangs(version: str) -> bool:
    """Whether the version has such a Sync."""
    return version not in ("2.5", "12.0")


def in_minutes(version: str) -> bool:
    """Whether the version says in minutes how long to wait."""
    return version == "12.1"


def ask_hang(heartbeat: int, folders: Sequence[PhoneFolder], version: str, wishes: SyncWishes) -> Element:
    """The whole request."""
    collections = Element("AirSync:Collections")
    for folder in folders:
        collections.children += ask_sync(folder, version, wishes).children[0].children
    minutes = in_minutes(version)
    wait = Element("AirSync:Wait", heartbeat // MINUTE) if minutes else Element("AirSync:HeartbeatInterval", heartbeat)
    return Element("AirSync:Sync", collections, wait)


def read_hang(answer: Element | None, version: str) -> PingAnswer | None:
    """What an answer without items says, in the words of a Ping; C{None} for one that is to be applied to folders.

    @raise Garbled: it lacks what its Status promises.
    """
    if answer is None:
        return PingAnswer(EXPIRED)
    status = number(answer, "AirSync:Status", 1)
    if status == _INCOMPLETE:
        return PingAnswer(INCOMPLETE)
    if status != _OUT_OF_BOUNDS:
        return None
    limit = number(answer, "AirSync:Limit", 0)
    if limit < 1:
        raise Garbled("Sync status 14 without a limit")
    return PingAnswer(OUT_OF_BOUNDS, limit=limit * (MINUTE if in_minutes(version) else 1))
