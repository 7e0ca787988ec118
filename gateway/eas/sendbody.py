"""What a SendMail, SmartReply or SmartForward asks for, in either of its forms ([MS-ASCMD] 2.2.1.17 to 2.2.1.20)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType

from attrs import frozen

from gateway.eas.call import Call, Refused, Version
from gateway.eas.collection import LONGEST_ID, folder_id, item_id
from gateway.element import Element

INVALID, BAD_DATE, BAD_COMBINATION, BAD_ID, BAD_MIME = 103, 104, 105, 106, 107
NO_RECURRENCE, BAD_ACCOUNT, NO_RIGHTS, MIXED, BAD_FORWARD = 146, 166, 168, 178, 179
NO_BODY = 101

LONGEST_CLIENT_ID = 40
DAY = 86400
#: For how many seconds a mail that comes again is one that was sent: by its ClientId, by its Message-ID, and by all of
#: its octets, which a person may mean to send once more.
BY_CLIENT_ID, BY_MESSAGE_ID, BY_OCTETS = 30 * DAY, DAY, 600

_OF_SEND = frozenset(("ClientId", "AccountId", "SaveInSentItems", "Mime", "TemplateID"))
_OF_SMART = _OF_SEND | {"Source", "ReplaceMime"}
_SINCE: Mapping[str, Version] = MappingProxyType(
    {
        "AccountId": Version.V14_1,
        "TemplateID": Version.V14_1,
        "Forwardees": Version.V16_0,
        "Body": Version.V16_0,
    }
)
_OF_SOURCE = frozenset(("FolderId", "ItemId", "LongId", "InstanceId"))
_LONG_ID = re.compile(r"([1-9][0-9]{0,17}):[1-9][0-9]{0,17}", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z|\d{8}T\d{6}Z", re.ASCII)
_MESSAGE_ID = re.compile(rb"^message-id:[ \t]*(?:\r?\n[ \t]+)?(<[^<>\s]{1,990}>)", re.IGNORECASE | re.MULTILINE)
_BLANK = re.compile(rb"\r?\n\r?\n")


@frozen
class Source:
    """The mail that is answered or passed on."""

    folder: int
    item: int


@frozen
class Wanted:
    """A mail to be sent; C{name} tells it from all others of the device for C{seconds}.

    C{save}: a copy is to be kept; C{source} is C{None} for SendMail; C{replace}: C{mime} has all that is to be sent.
    """

    mime: bytes
    name: str
    seconds: int
    save: bool = False
    source: Source | None = None
    forward: bool = False
    replace: bool = False


def read(call: Call) -> Wanted:
    """What is asked for; a message that comes by itself is taken in every version.

    @raise Refused: 101, 103 to 107, 146, 166, 168, 178, 179.
    """
    smart, forward = call.command != "SendMail", call.command == "SmartForward"
    if call.body is not None:
        return _document(call.body, call.command, call.version)
    if not call.raw:
        raise Refused(NO_BODY, f"a {call.command} without a body")
    given = call.parameters
    if given.get("Occurrence"):
        raise Refused(NO_RECURRENCE, "an Occurrence of a mail")
    source = _source(given.get("CollectionId"), given.get("ItemId"), given.get("LongId")) if smart else None
    name, seconds = _name(call)
    return Wanted(call.raw, name, seconds, given.get("SaveInSent", "").upper() == "T", source, forward)


def _name(call: Call) -> tuple[str, int]:
    """What tells a message apart that has no ClientId, and for how long."""
    end = _BLANK.search(call.raw)
    found = _MESSAGE_ID.search(call.raw, 0, end.start() if end else len(call.raw))
    if found:
        return f"m:{sha256(found[1]).hexdigest()}", BY_MESSAGE_ID
    about = "\0".join((call.command, *(call.parameters.get(name, "") for name in ("CollectionId", "ItemId", "LongId"))))
    return f"o:{sha256(about.encode() + call.raw).hexdigest()}", BY_OCTETS


# The form of 14.0 and later.


def _document(body: Element, command: str, version: Version) -> Wanted:
    smart = command != "SendMail"
    if body.tag != f"ComposeMail:{command}":
        raise Refused(INVALID, f"the root is not {command}")
    given = _children(body, _OF_SMART if smart else _OF_SEND, version, command == "SmartForward")
    _no_meeting(given)
    name = _text(given, "ClientId", LONGEST_CLIENT_ID)
    if "AccountId" in given:
        raise Refused(BAD_ACCOUNT, "there is one account only, which has no AccountId")
    if "TemplateID" in given:
        raise Refused(NO_RIGHTS, "rights management is not offered")
    mime = given.get("Mime")
    if mime is None or (smart and "Source" not in given):
        raise Refused(INVALID, "no Mime, or no Source")
    octets = mime.value if isinstance(mime.value, bytes) else (mime.value or "").encode()
    if not octets:
        raise Refused(BAD_MIME, "an empty Mime")
    return Wanted(
        octets,
        f"c:{name}",
        BY_CLIENT_ID,
        "SaveInSentItems" in given,
        _source_element(given["Source"]) if smart else None,
        command == "SmartForward",
        "ReplaceMime" in given,
    )


def _children(body: Element, known: frozenset[str], version: Version, forward: bool) -> dict[str, Element]:
    """The children by their names; those that are not of the version, and those that are there twice, are none."""
    if forward:
        known = known | {"Forwardees", "Body"}
    found: dict[str, Element] = {}
    for child in body:
        if child.name not in known or child.name in found or version < _SINCE.get(child.name, version):
            raise Refused(INVALID, f"{child.tag} does not belong there, or not twice")
        found[child.name] = child
    return found


def _no_meeting(given: Mapping[str, Element]) -> None:
    """Forwardees and Body pass a meeting on, which no mail is ([MS-ASCMD] 2.2.3.24.2, 2.2.3.72)."""
    if not given.keys() & {"Forwardees", "Body"}:
        return
    if given.keys() & {"Mime", "ReplaceMime", "SaveInSentItems"}:
        raise Refused(MIXED, "Forwardees or Body together with a message")
    raise Refused(BAD_FORWARD, "Forwardees or Body for something else than a meeting")


def _text(given: Mapping[str, Element], name: str, most: int) -> str:
    text = given[name].text if name in given else ""
    if not 0 < len(text) <= most:
        raise Refused(INVALID, f"{name} needs 1 to {most} characters")
    return text


def _source_element(element: Element) -> Source:
    given: dict[str, str] = {}
    for child in element:
        if child.name not in _OF_SOURCE or child.name in given:
            raise Refused(INVALID, f"{child.tag} does not belong into a Source, or not twice")
        given[child.name] = child.text
    source = _source(given.get("FolderId"), given.get("ItemId"), given.get("LongId"))
    if "InstanceId" in given:
        if not _INSTANT.fullmatch(given["InstanceId"]):
            raise Refused(BAD_DATE, "an InstanceId that is no time")
        raise Refused(NO_RECURRENCE, "an InstanceId of a mail")
    return source


def _source(folder: str | None, item: str | None, long: str | None) -> Source:
    """The mail that is meant by these ids, of which C{long} is the LongId of a search."""
    if long:
        if folder or item:
            raise Refused(BAD_COMBINATION, "a LongId together with other ids")
        item, folder = long, long.partition(":")[0]
    elif not folder or not item:
        raise Refused(INVALID, "a Source without its ids")
    if len(item) > LONGEST_ID or not _LONG_ID.fullmatch(item) or not folder_id(folder):
        raise Refused(BAD_ID, "ids that no mail can have")
    # An item of another folder than the one named is not there.
    return Source(folder_id(folder), item_id(item, folder_id(folder)) or 0)
