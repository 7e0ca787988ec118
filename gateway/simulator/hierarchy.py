"""FolderSync from the phone's side ([MS-ASCMD] 2.2.1.4): the request, and what an answer does to the memory."""

from __future__ import annotations

from gateway.element import Element
from gateway.simulator.errors import Garbled, HierarchyStale, Later
from gateway.simulator.memory import UNSYNCED, Memory, PhoneFolder

_INBOX = 2
_DRAFTS = 3
_OK = 1
_SERVER_ERROR = 6


def ask_hierarchy(memory: Memory) -> Element:
    """The request with the key of the memory."""
    return Element("FolderHierarchy:FolderSync", Element("FolderHierarchy:SyncKey", memory.hierarchy_key))


def apply_hierarchy(memory: Memory, answer: Element) -> bool:
    """Take over an answer; whether anything changed.

    Folders that a complete answer (key 0) does not name are forgotten; one that is named keeps key and items.

    @raise HierarchyStale: the key is refused (Status 9): begin with 0.
    @raise Later: the server cannot now.
    @raise Garbled: the answer has no Status or no key.
    """
    status = number(answer, "FolderHierarchy:Status")
    key = answer.text_of("FolderHierarchy:SyncKey")
    if status != _OK:
        if status == _SERVER_ERROR or memory.hierarchy_key == UNSYNCED:
            raise Later(f"FolderSync status {status}")
        raise HierarchyStale(f"FolderSync status {status}", restart=True)
    if not key:
        raise Garbled("the answer to FolderSync has no key")
    changes = answer.child("FolderHierarchy:Changes")
    complete = memory.hierarchy_key == UNSYNCED
    changed = _apply_changes(memory, changes if changes is not None else Element("FolderHierarchy:Changes"), complete)
    memory.hierarchy_key = key
    return changed


def _apply_changes(memory: Memory, changes: Element, complete: bool) -> bool:
    changed = False
    named = set()
    for change in changes:
        id = change.text_of("FolderHierarchy:ServerId", "") or ""
        if change.name in ("Add", "Update") and id:
            changed |= _put(memory, id, change)
            named.add(id)
        elif change.name == "Delete":
            changed |= memory.folders.pop(id, None) is not None
    if complete:
        for id in memory.folders.keys() - named:
            del memory.folders[id]
            changed = True
    return changed


def _put(memory: Memory, id: str, change: Element) -> bool:
    parent = change.text_of("FolderHierarchy:ParentId", "0") or "0"
    name = change.text_of("FolderHierarchy:DisplayName", "") or id
    type = number(change, "FolderHierarchy:Type", 1)
    known = memory.folders.get(id)
    if known is None:
        memory.folders[id] = PhoneFolder(id, parent, name, type)
        return True
    changed = (known.parent, known.name, known.type) != (parent, name, type)
    known.parent, known.name, known.type = parent, name, type
    return changed


def chosen(memory: Memory, names: tuple[str, ...]) -> list[PhoneFolder]:
    """The folders of these names in this order; C{Inbox} is also the folder of that type, C{*} means all.

    A name matches whatever its case, or is the ServerId itself. All does not include the drafts below 16.0, which
    such phones must not synchronise.
    """
    drafts = memory.version.startswith("16")
    found: dict[str, PhoneFolder] = {}
    for name in names:
        for folder in memory.folders.values():
            inbox = name.lower() == "inbox" and folder.type == _INBOX
            every = name == "*" and (drafts or folder.type != _DRAFTS)
            if inbox or every or name == folder.id or name.lower() == folder.name.lower():
                found[folder.id] = folder
    return list(found.values())


def number(element: Element, tag: str, default: int | None = None) -> int:
    """The number that a child holds, or the default where there is no such child.

    @raise Garbled: no such child and no default, or no number in it.
    """
    text = element.text_of(tag)
    if text is None and default is not None:
        return default
    try:
        return int(text or "")
    except ValueError:
        raise Garbled(f"{element.name} has no number in {tag}") from None
