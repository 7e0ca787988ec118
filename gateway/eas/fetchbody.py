"""What a Fetch of ItemOperations asks for ([MS-ASCMD] 2.2.3.67.1)."""

from __future__ import annotations

import re

from attrs import field, frozen

from gateway.eas.call import Refused, Version
from gateway.eas.collection import item_id
from gateway.eas.options import Malformed, only, view_options
from gateway.element import Element
from gateway.model import SyncOptions

MAILBOX, DOCUMENTS = "mailbox", "documentlibrary"

# \\server\share\file, or a file or a site by its address.
_LINK = re.compile(r"\\\\[^\\/]+[\\/].+|(?:file|https?)://.+", re.IGNORECASE | re.DOTALL)
_RANGE = re.compile(r"([0-9]{1,18})-([0-9]{1,18})", re.ASCII)
_REFERENCE = re.compile(r"([1-9][0-9]{0,17}):([1-9][0-9]{0,17}):([1-9][0-9]{0,8})", re.ASCII)
_FORMATS = (
    "ItemOperations:Schema",
    "AirSync:MIMESupport",
    "AirSyncBase:BodyPreference",
    "AirSyncBase:BodyPartPreference",
)
MIME = 4
_IDS = ("AirSync:ServerId", "Search:LongId", "DocumentLibrary:LinkId", "AirSyncBase:FileReference")


@frozen
class Name:
    """An item by folder and number, and where an attachment is meant, the number of the part, else 0."""

    folder: int
    item: int
    part: int = 0


@frozen
class Fetch:
    """A Fetch; C{echo} are the elements that say what is meant, for the answer.

    C{name} is C{None} if it can be the name of nothing. C{schema} are the tags that are wanted, none for all.
    C{range} is from which byte to which, both included. C{refused}: it fails with this Status whatever there is.
    C{mime_only}: MIMESupport is there, and no other format is taken than MIME. C{link_sound}: no LinkId is there that
    cannot lead to a document.
    """

    store: str
    echo: tuple[Element, ...]
    attachment: bool
    name: Name | None
    options: SyncOptions = field(factory=SyncOptions)
    schema: frozenset[str] = frozenset()
    range: tuple[int, int] | None = None
    refused: int | None = None
    mime_only: bool = False
    link_sound: bool = True

    @property
    def whole(self) -> bool:
        """Whether nothing was said of how much of the text is wanted."""
        return not self.options.bodies and self.options.part is None


def reference(text: str) -> Name | None:
    """What a FileReference or an AttachmentName stands for, or C{None}."""
    found = _REFERENCE.fullmatch(text)
    return Name(int(found[1]), int(found[2]), int(found[3])) if found else None


def parse_fetch(element: Element, version: Version) -> Fetch:
    """Read a Fetch.

    @raise Malformed: Status 2.
    """
    store = only(element, "ItemOperations:Store")
    given = [found for tag in ("AirSync:CollectionId", *_IDS) if (found := only(element, tag)) is not None]
    ids = [found for found in given if found.tag in _IDS]
    if store is None or len(ids) != 1 or (len(given) > 1) != (ids[0].tag == "AirSync:ServerId"):
        raise Malformed("a Fetch says where from and, in one way, what")
    options = only(element, "ItemOperations:Options")
    tag = ids[0].tag
    attachment = tag == "AirSyncBase:FileReference"
    _check(options, tag)
    refused = None
    try:
        view = view_options(options, version)
    except Refused as error:
        view, refused = SyncOptions(), error.status
    return Fetch(
        store=store.text.lower(),
        echo=tuple(given),
        attachment=attachment,
        name=_name(given, tag),
        options=view,
        schema=frozenset(child.tag for schema in _all(options, "ItemOperations:Schema") for child in schema),
        range=_range(options),
        refused=refused,
        mime_only=bool(_all(options, "AirSync:MIMESupport")) and [body.type for body in view.bodies] == [MIME],
        link_sound=tag != "DocumentLibrary:LinkId" or _LINK.fullmatch(ids[0].text) is not None,
    )


def _name(given: list[Element], tag: str) -> Name | None:
    text = given[-1].text
    if tag == "AirSyncBase:FileReference":
        return reference(text)
    folder = given[0].text if tag == "AirSync:ServerId" else text.partition(":")[0]
    if not (folder.isascii() and folder.isdigit() and len(folder) < 19):
        return None
    item = item_id(text, int(folder))
    return None if item is None else Name(int(folder), item)


def _check(options: Element | None, tag: str) -> None:
    """Every way to say what is wanted has options of its own ([MS-ASCMD] 2.2.3.125.3)."""
    if tag == "AirSyncBase:FileReference" and any(_all(options, name) for name in _FORMATS):
        raise Malformed("an attachment has no Schema and no format")
    if tag in ("AirSync:ServerId", "Search:LongId") and _all(options, "ItemOperations:Range"):
        raise Malformed("an item has no Range")


def _all(options: Element | None, tag: str) -> list[Element]:
    return [] if options is None else options.all(tag)


def _range(options: Element | None) -> tuple[int, int] | None:
    found = None if options is None else only(options, "ItemOperations:Range")
    if found is None:
        return None
    match = _RANGE.fullmatch(found.text)
    if match is None:
        raise Malformed("a Range is two numbers")
    return int(match[1]), int(match[2])
