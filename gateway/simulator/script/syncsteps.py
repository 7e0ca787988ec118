"""Steps that bring items and tell of them: Sync, also one that hangs, and Ping."""

from __future__ import annotations

from typing import Any

from gateway.element import Element
from gateway.simulator.memory import UNSYNCED, PhoneFolder
from gateway.simulator.script.answer import Answer
from gateway.simulator.script.fields import Either, Flag, Several, Table, Text, Whole, Wrong
from gateway.simulator.script.phone import Given, Kind, Phone, Request
from gateway.simulator.script.syncoptions import OPTIONS, sync_options
from gateway.simulator.script.tree import Tree, elements

_COMMANDS = ("add", "change", "delete", "fetch")
_ADD = Table({"client": Text(), "data": Tree(), "send": Flag()})
_CHANGE = Table(
    {"item": Text(), "read": Flag(), "flag": Flag(), "data": Tree(), "send": Flag()},
    ("item",),
)
_FOLDERS = Several(Either(Whole(1, 19)), 300)


def _air(name: str, *content: Element | str | int | None) -> Element:
    return Element(f"AirSync:{name}", *content)


def key_of(folder: PhoneFolder, given: Given) -> str:
    """The key that a Sync of that folder has."""
    return str(given.get("key", folder.key))


def unsynced(phone: Phone, given: Given) -> list[PhoneFolder]:
    """The folders of a Sync that need a key first, because the step does not name one."""
    if "key" in given or given.get("empty"):
        return []
    return [folder for wanted in given["folder"] if (folder := phone.folder(wanted)).key == UNSYNCED]


def first_sync(phone: Phone, folders: list[PhoneFolder]) -> Request:
    """The Sync with key 0 that brings nothing but keys."""
    collections = [_air("Collection", *_opening(phone, folder, UNSYNCED)) for folder in folders]
    return Request("Sync", _air("Sync", _air("Collections", *collections)))


def _sync(phone: Phone, given: Given) -> Request:
    patience = given.get("wait", 0) * 60.0 + given.get("heartbeat", 0)
    if given.get("empty"):
        phone.least(12.1, "an empty Sync")
        return Request("Sync", patience=3600)
    if "wait" in given or "partial" in given:
        phone.least(12.1, "wait or partial")
    if "heartbeat" in given:
        phone.least(14.0, "heartbeat in a Sync")
    collections = [_air("Collection", *_collection(phone, phone.folder(one), given)) for one in given["folder"]]
    more = (
        _air("Wait", given["wait"]) if "wait" in given else None,
        _air("HeartbeatInterval", given["heartbeat"]) if "heartbeat" in given else None,
        _air("WindowSize", given["total"]) if "total" in given else None,
        _air("Partial") if given.get("partial") else None,
    )
    return Request("Sync", _air("Sync", _air("Collections", *collections), *more), patience=patience)


def _opening(phone: Phone, folder: PhoneFolder, key: str) -> list[Element]:
    kind = [_air("Class", folder.item_class)] if phone.version < 12.1 else []
    return [*kind, _air("SyncKey", key), _air("CollectionId", folder.id)]


def _collection(phone: Phone, folder: PhoneFolder, given: Given) -> list[Element]:
    key = key_of(folder, given)
    parts = _opening(phone, folder, key)
    if "deletes_as_moves" in given:
        parts.append(_air("DeletesAsMoves", given["deletes_as_moves"]))
    if key != UNSYNCED:
        get = given.get("get_changes", True)
        parts.append(_air("GetChanges") if get else _air("GetChanges", 0))
    if "window" in given:
        parts.append(_air("WindowSize", given["window"]))
    options = sync_options(given)
    commands = _client_commands(phone, given)
    parts += [one for one in (options, _air("Commands", *commands) if commands else None) if one is not None]
    return parts


def _client_commands(phone: Phone, given: Given) -> list[Element]:
    found = []
    for one in given.get("add", ()):
        data = _air("ApplicationData", *elements(one.get("data", {})))
        found.append(_air("Add", _air("ClientId", one.get("client") or phone.fresh()), data, _send(one)))
    for one in given.get("change", ()):
        data = _air("ApplicationData", *_marks(one), *elements(one.get("data", {})))
        found.append(_air("Change", _air("ServerId", one["item"]), data, _send(one)))
    found += [_air("Delete", _air("ServerId", item)) for item in given.get("delete", ())]
    found += [_air("Fetch", _air("ServerId", item)) for item in given.get("fetch", ())]
    return found


def _marks(change: dict[str, Any]) -> list[Element]:
    """What read and flag stand for."""
    found = [Element("Email:Read", change["read"])] if "read" in change else []
    if change.get("flag"):
        words = Element("Email:FlagType", "Flag for follow up")
        found.append(Element("Email:Flag", Element("Email:Status", 2), words))
    elif "flag" in change:
        found.append(Element("Email:Flag"))
    return found


def _send(command: dict[str, Any]) -> Element | None:
    return Element("Email2:Send") if command.get("send") else None


def learn_keys(phone: Phone, answer: Answer, own: bool = True) -> None:
    """The phone keeps the newest keys; its own that the server does not know (Status 3) begins again with 0."""
    for one in answer.elements():
        folder = phone.memory.folders.get(one.text_of("AirSync:CollectionId") or "")
        if one.tag == "AirSync:Collection" and folder is not None:
            status = one.text_of("AirSync:Status", "1")
            key = one.text_of("AirSync:SyncKey") if status == "1" else None
            folder.key = UNSYNCED if status == "3" and own else key or folder.key


def _learn(phone: Phone, given: Given, answer: Answer) -> None:
    learn_keys(phone, answer, "key" not in given)


def _check(given: Given) -> None:
    if given.get("empty"):
        if set(given) != {"empty"}:
            raise Wrong("an empty Sync has no other key")
        return
    if "folder" not in given:
        raise Wrong("this key is missing", ("folder",))
    several = len(given["folder"]) > 1
    for key in ("key", *_COMMANDS):
        if several and key in given:
            raise Wrong("this key goes with one folder only: make a step for each", (key,))


def _ping(phone: Phone, given: Given) -> Request:
    if given.get("empty"):
        return Request("Ping", patience=3600)
    folders = []
    for wanted in given.get("folder", ()):
        id = phone.place(wanted)
        known = phone.memory.folders.get(id)
        kind = Element("Ping:Class", known.item_class if known else "Email")
        folders.append(Element("Ping:Folder", Element("Ping:Id", id), kind))
    heartbeat = Element("Ping:HeartbeatInterval", given["heartbeat"]) if "heartbeat" in given else None
    listed = Element("Ping:Folders", *folders) if folders else None
    return Request("Ping", Element("Ping:Ping", heartbeat, listed), patience=given.get("heartbeat", 3600))


def _check_ping(given: Given) -> None:
    if given.get("empty") and set(given) != {"empty"}:
        raise Wrong("an empty Ping has no other key")


STEPS = {
    "Sync": Kind(
        _sync,
        {
            **OPTIONS,
            "folder": _FOLDERS,
            "key": Text(),
            "window": Whole(0, 99999),
            "total": Whole(0, 99999),
            "get_changes": Flag(),
            "deletes_as_moves": Flag(),
            "add": Several(_ADD),
            "change": Several(_CHANGE),
            "delete": Several(Text()),
            "fetch": Several(Text()),
            "wait": Whole(0, 60),
            "heartbeat": Whole(0, 3600),
            "partial": Flag(True),
            "empty": Flag(True),
        },
        learn=_learn,
        check=_check,
        parks=True,
    ),
    "Ping": Kind(
        _ping,
        {"folder": _FOLDERS, "heartbeat": Whole(0, 3600), "empty": Flag(True)},
        good=frozenset({"1", "2"}),
        check=_check_ping,
        parks=True,
    ),
}
