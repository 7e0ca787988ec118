"""Steps that send and fetch: SendMail, SmartReply, SmartForward, ItemOperations, GetAttachment, MeetingResponse."""

from __future__ import annotations

import re
from functools import partial

from gateway.element import Element
from gateway.simulator.script.fields import FOLDER, LONGEST, Field, Flag, Several, Text, Whole, Wrong
from gateway.simulator.script.phone import Given, Kind, Phone, Request, one_of
from gateway.simulator.script.syncoptions import BODY, preferences
from gateway.simulator.script.tree import Base64, Tag, octets

_ITEM: dict[str, Field] = {"item": Text(), "folder": FOLDER, "long_id": Text(), "instance": Text()}
_LINE = re.compile(r"\r?\n")
#: Keys of a message: the text itself, or a file beside the script.
MESSAGE: dict[str, Field] = {"message": Text(1, LONGEST), "file": Text()}


def message_of(given: Given) -> bytes:
    """The message of a step as it goes out; what stands in the script gets line ends of mail."""
    if isinstance(given["message"], bytes):
        return given["message"]
    return _LINE.sub("\r\n", given["message"]).encode()


def _compose(name: str, *content: Element | str | bytes | int | None) -> Element:
    return Element(f"ComposeMail:{name}", *content)


def _send(command: str, phone: Phone, given: Given) -> Request:
    message = message_of(given)
    if phone.version < 14:
        return Request(command, message, _parameters(phone, given), "message/rfc822")
    source = _source(phone, given)
    content = (
        _compose("ClientId", given.get("client") or phone.fresh()),
        _compose("Source", *source) if source else None,
        _compose("SaveInSentItems") if given.get("save", True) else None,
        _compose("ReplaceMime") if given.get("replace") else None,
        _compose("Mime", message),
    )
    return Request(command, _compose(command, *content))


def _parameters(phone: Phone, given: Given) -> tuple[tuple[str, str], ...]:
    """What the query says of a message that is the body itself ([MS-ASHTTP] 2.2.1.1.1.2.5)."""
    for key in ("client", "replace"):
        if key in given:
            phone.least(14.0, key)
    found = {"ItemId": "item", "LongId": "long_id", "Occurrence": "instance"}
    pairs = [(name, str(given[key])) for name, key in found.items() if key in given]
    if "folder" in given:
        pairs.append(("CollectionId", phone.place(given["folder"])))
    return (*pairs, ("SaveInSent", "T" if given.get("save", True) else "F"))


def _source(phone: Phone, given: Given) -> list[Element]:
    found = [_compose("FolderId", phone.place(given["folder"]))] if "folder" in given else []
    names = {"ItemId": "item", "LongId": "long_id", "InstanceId": "instance"}
    return found + [_compose(name, given[key]) for name, key in names.items() if key in given]


def _check_original(given: Given) -> None:
    one_of("message", "file")(given)
    if "long_id" not in given and not {"item", "folder"} <= set(given):
        raise Wrong("name the original: item and folder, or long_id")


def _sending(command: str) -> Kind:
    fields = {**MESSAGE, "save": Flag(), "client": Text()}
    if command == "SendMail":
        return Kind(partial(_send, command), fields, check=one_of("message", "file"))
    return Kind(partial(_send, command), {**fields, **_ITEM, "replace": Flag(True)}, check=_check_original)


def _operation(name: str, *content: Element | str | int | bytes | None) -> Element:
    return Element(f"ItemOperations:{name}", *content)


def _fetch(phone: Phone, given: Given) -> Request:
    options = [_operation("Schema", *(Element(tag) for tag in given["schema"]))] if "schema" in given else []
    options += [_operation("Range", given["range"])] if "range" in given else []
    options += [Element("AirSync:MIMESupport", given["mime"])] if "mime" in given else []
    options += preferences(given)
    what = (
        Element("AirSyncBase:FileReference", given["attachment"]) if "attachment" in given else None,
        Element("Search:LongId", given["long_id"]) if "long_id" in given else None,
        Element("AirSync:CollectionId", phone.place(given["folder"])) if "folder" in given else None,
        Element("AirSync:ServerId", given["item"]) if "item" in given else None,
        _operation("Options", *options) if options else None,
    )
    operation = _operation("Fetch", _operation("Store", "Mailbox"), *what)
    return Request("ItemOperations", _operation("ItemOperations", operation), multipart=given.get("multipart", False))


def _check_fetch(given: Given) -> None:
    one_of("attachment", "long_id", "item")(given)
    if ("item" in given) != ("folder" in given):
        raise Wrong("item and folder belong together")


def _empty(phone: Phone, given: Given) -> Request:
    below = _operation("Options", _operation("DeleteSubFolders")) if given.get("subfolders") else None
    id = Element("AirSync:CollectionId", phone.place(given["folder"]))
    return Request("ItemOperations", _operation("ItemOperations", _operation("EmptyFolderContents", id, below)))


def _move(phone: Phone, given: Given) -> Request:
    always = _operation("Options", _operation("MoveAlways")) if given.get("always") else None
    id = _operation("ConversationId", octets(given["conversation"]))
    target = _operation("DstFldId", phone.place(given["to"]))
    return Request("ItemOperations", _operation("ItemOperations", _operation("Move", id, target, always)))


def _attachment(_phone: Phone, given: Given) -> Request:
    return Request("GetAttachment", None, (("AttachmentName", given["attachment"]),))


def _respond(phone: Phone, given: Given) -> Request:
    def part(name: str, *content: Element | str | int | None) -> Element:
        return Element(f"MeetingResponse:{name}", *content)

    if "send" in given:
        phone.least(16.0, "send")
    send = part("SendResponse") if given.get("send") else None
    where = part("CollectionId", phone.place(given["folder"])) if "folder" in given else None
    request = (
        part("UserResponse", given["answer"]),
        where,
        part("RequestId", given["item"]) if "item" in given else None,
        Element("Search:LongId", given["long_id"]) if "long_id" in given else None,
        part("InstanceId", given["instance"]) if "instance" in given else None,
        send,
    )
    return Request("MeetingResponse", part("MeetingResponse", part("Request", *request)))


STEPS = {
    **{command: _sending(command) for command in ("SendMail", "SmartReply", "SmartForward")},
    "Fetch": Kind(
        _fetch,
        {
            **BODY,
            "item": Text(),
            "folder": FOLDER,
            "long_id": Text(),
            "attachment": Text(),
            "range": Text(),
            "schema": Several(Tag()),
            "multipart": Flag(),
        },
        versions=("12.0", "16.1"),
        check=_check_fetch,
    ),
    "EmptyFolderContents": Kind(
        _empty, {"folder": FOLDER, "subfolders": Flag()}, ("folder",), versions=("12.0", "16.1")
    ),
    "Move": Kind(
        _move,
        {"conversation": Base64(), "to": FOLDER, "always": Flag()},
        ("conversation", "to"),
        versions=("14.0", "16.1"),
    ),
    "GetAttachment": Kind(_attachment, {"attachment": Text()}, ("attachment",), versions=("2.5", "12.1")),
    "MeetingResponse": Kind(_respond, {**_ITEM, "answer": Whole(0, 9), "send": Flag()}, ("answer",)),
}
