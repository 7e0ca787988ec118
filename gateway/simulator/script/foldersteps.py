"""Steps about the folder list: FolderSync, FolderCreate, FolderUpdate, FolderDelete, GetItemEstimate, MoveItems."""

from __future__ import annotations

from contextlib import suppress

from gateway.element import Element
from gateway.simulator.errors import Setback
from gateway.simulator.hierarchy import apply_hierarchy
from gateway.simulator.memory import PhoneFolder
from gateway.simulator.script.answer import Answer
from gateway.simulator.script.fields import FOLDER, Either, Several, Text, Whole
from gateway.simulator.script.phone import Given, Kind, Phone, Request
from gateway.simulator.script.syncoptions import FILTER

_TOP = "0"
_KEY = Text()
_NEWEST = "0"


def _part(name: str, *content: Element | str | int | None) -> Element:
    return Element(f"FolderHierarchy:{name}", *content)


def _key(phone: Phone, given: Given) -> str:
    return str(given.get("key", phone.memory.hierarchy_key))


def _sync(phone: Phone, given: Given) -> Request:
    return Request("FolderSync", _part("FolderSync", _part("SyncKey", _key(phone, given))))


def _learn_sync(phone: Phone, given: Given, answer: Answer) -> None:
    if answer.root is None:
        return
    phone.memory.hierarchy_key = _key(phone, given)
    if answer.status({"1"}) == "9":
        phone.memory.hierarchy_key = _NEWEST
    # What the answer is worth is said by the expectations of the step.
    with suppress(Setback):
        apply_hierarchy(phone.memory, answer.root)


def _create(phone: Phone, given: Given) -> Request:
    content = (
        _part("SyncKey", _key(phone, given)),
        _part("ParentId", phone.place(given.get("parent", _TOP))),
        _part("DisplayName", given["name"]),
        _part("Type", given.get("type", 12)),
    )
    return Request("FolderCreate", _part("FolderCreate", *content))


def _learn_create(phone: Phone, given: Given, answer: Answer) -> None:
    id = _advance(phone, answer) and answer.root and answer.root.text_of("FolderHierarchy:ServerId")
    if id:
        parent = phone.place(given.get("parent", _TOP))
        phone.memory.folders[id] = PhoneFolder(id, parent, given["name"], given.get("type", 12))


def _update(phone: Phone, given: Given) -> Request:
    id = phone.place(given["folder"])
    known = phone.memory.folders.get(id)
    parent = phone.place(given["parent"]) if "parent" in given else known.parent if known else _TOP
    content = (
        _part("SyncKey", _key(phone, given)),
        _part("ServerId", id),
        _part("ParentId", parent),
        _part("DisplayName", given.get("name", known.name if known else "")),
    )
    return Request("FolderUpdate", _part("FolderUpdate", *content))


def _learn_update(phone: Phone, given: Given, answer: Answer) -> None:
    folder = phone.memory.folders.get(phone.place(given["folder"]))
    if _advance(phone, answer) and folder is not None:
        parent = phone.place(given["parent"]) if "parent" in given else folder.parent
        folder.parent, folder.name = parent, given.get("name", folder.name)


def _delete(phone: Phone, given: Given) -> Request:
    content = _part("SyncKey", _key(phone, given)), _part("ServerId", phone.place(given["folder"]))
    return Request("FolderDelete", _part("FolderDelete", *content))


def _learn_delete(phone: Phone, given: Given, answer: Answer) -> None:
    if _advance(phone, answer):
        phone.memory.folders.pop(phone.place(given["folder"]), None)


def _advance(phone: Phone, answer: Answer) -> bool:
    """Whether a change was carried out; the key goes on."""
    if answer.root is None or answer.status({"1"}) != "1":
        return False
    phone.memory.hierarchy_key = answer.root.text_of("FolderHierarchy:SyncKey") or phone.memory.hierarchy_key
    return True


def _move(phone: Phone, given: Given) -> Request:
    source, target = phone.place(given["from"]), phone.place(given["to"])
    moves = [
        Element(
            "Move:Move",
            Element("Move:SrcMsgId", item),
            Element("Move:SrcFldId", source),
            Element("Move:DstFldId", target),
        )
        for item in given["items"]
    ]
    return Request("MoveItems", Element("Move:MoveItems", *moves))


def _estimate(phone: Phone, given: Given) -> Request:
    tag = "GetItemEstimate"
    collections = []
    for wanted in given["folder"]:
        folder = phone.folder(wanted)
        key = Element("AirSync:SyncKey", given.get("key", folder.key))
        id = Element(f"{tag}:CollectionId", folder.id)
        filter = Element("AirSync:FilterType", given.get("filter", 0))
        if phone.version < 14:
            kind = Element(f"{tag}:Class", folder.item_class) if phone.version < 12.1 else None
            parts = [kind, id, filter, key] if kind else [id, filter, key]
        else:
            parts = [key, id, Element("AirSync:Options", filter)]
        collections.append(Element(f"{tag}:Collection", *parts))
    return Request(tag, Element(f"{tag}:{tag}", Element(f"{tag}:Collections", *collections)))


STEPS = {
    "FolderSync": Kind(_sync, {"key": _KEY}, learn=_learn_sync),
    "FolderCreate": Kind(
        _create,
        {"name": Text(0), "parent": FOLDER, "type": Whole(1, 255), "key": _KEY},
        ("name",),
        learn=_learn_create,
    ),
    "FolderUpdate": Kind(
        _update,
        {"folder": FOLDER, "name": Text(0), "parent": FOLDER, "key": _KEY},
        ("folder",),
        learn=_learn_update,
    ),
    "FolderDelete": Kind(_delete, {"folder": FOLDER, "key": _KEY}, ("folder",), learn=_learn_delete),
    "GetItemEstimate": Kind(
        _estimate, {"folder": Several(Either(Whole(1, 19))), "filter": FILTER, "key": _KEY}, ("folder",)
    ),
    "MoveItems": Kind(
        _move,
        {"items": Several(Text()), "from": FOLDER, "to": FOLDER},
        ("items", "from", "to"),
        good=frozenset({"3"}),
    ),
}
