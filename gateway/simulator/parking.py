"""Ping from the phone's side ([MS-ASCMD] 2.2.1.13): the request and what an answer says."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from gateway.element import Element
from gateway.simulator.errors import Garbled
from gateway.simulator.hierarchy import number
from gateway.simulator.memory import PhoneFolder

EXPIRED, CHANGED, INCOMPLETE, MALFORMED, OUT_OF_BOUNDS, TOO_MANY, HIERARCHY, SERVER_ERROR = range(1, 9)


@frozen
class PingAnswer:
    """What a Ping was answered: C{folders} with Status 2, C{limit} with 5 (seconds) and 6 (folders)."""

    status: int
    folders: tuple[str, ...] = ()
    limit: int = 0


def ask_ping(heartbeat: int, folders: Sequence[PhoneFolder]) -> Element:
    """The whole request."""
    rows = [
        Element("Ping:Folder", Element("Ping:Id", folder.id), Element("Ping:Class", folder.item_class))
        for folder in folders
    ]
    return Element("Ping:Ping", Element("Ping:HeartbeatInterval", heartbeat), Element("Ping:Folders", *rows))


def read_ping(answer: Element | None) -> PingAnswer:
    """What the answer says.

    @raise Garbled: it is empty, or lacks what its Status promises.
    """
    if answer is None:
        raise Garbled("the answer to Ping is empty")
    status = number(answer, "Ping:Status")
    if status == CHANGED:
        listed = answer.child("Ping:Folders")
        folders = tuple(folder.text for folder in listed.all("Ping:Folder")) if listed is not None else ()
        if not folders:
            raise Garbled("Ping status 2 names no folder")
        return PingAnswer(status, folders)
    if status == OUT_OF_BOUNDS:
        return PingAnswer(status, limit=_positive(answer, "Ping:HeartbeatInterval"))
    if status == TOO_MANY:
        return PingAnswer(status, limit=_positive(answer, "Ping:MaxFolders"))
    return PingAnswer(status)


def _positive(answer: Element, tag: str) -> int:
    limit = number(answer, tag)
    if limit < 1:
        raise Garbled(f"Ping answers {limit} as a limit")
    return limit
