"""The items of an answer: read from the source and converted, one after another, within a bound ([MS-ASCMD] 2.2.2.21).

What a batch says was chosen, and counted as given, before a single mail was read. So an answer that grows too large
is not cut short: what comes after the bound goes without its text, marked as truncated, and the device fetches the
text when its owner opens the mail. At most one mail of it is in memory as a whole, beside its properties.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, evolve, field

from gateway.convert.message import Mail, changed_properties, properties
from gateway.eas.call import Version
from gateway.eas.collection import server_id
from gateway.eas.reading import Reading
from gateway.eas.spool import Shelf
from gateway.element import Element
from gateway.interfaces import ItemGone
from gateway.model import BatchRow, BodyPreference, Folder, FolderType, Item, Op, SyncOptions

#: The field of a batch that says that a mail has another content, as drafts have.
CONTENT = "content"

_OWN = frozenset({FolderType.SENT, FolderType.DRAFTS, FolderType.OUTBOX})
"""What is there was written by the user."""

ORDER = (Op.DELETE, Op.SOFT_DELETE, Op.CHANGE, Op.ADD)


def size_of(elements: Sequence[Element]) -> int:
    """Roughly how many bytes elements take when they are sent."""
    stack, size = list(elements), 0
    while stack:
        node = stack.pop()
        size += 8 + len(node.value or "")
        stack += node.children
    return size


def headers_only(options: SyncOptions) -> SyncOptions:
    """The same options, but with nothing of the text of a mail; the device is told that it was cut."""
    bodies = options.bodies or (BodyPreference(1),)
    return evolve(
        options,
        truncation=0,
        mime_truncation=0,
        bodies=tuple(_emptied(body) for body in bodies),
        part=options.part and _emptied(options.part),
    )


def _emptied(body: BodyPreference) -> BodyPreference:
    return evolve(body, truncation=0, all_or_none=False)


@define(eq=False)
class Rendering:
    """Renders the items of one answer; C{left} is how many bytes of properties it may still hold.

    Long texts of theirs go to the C{shelf}.
    """

    reading: Reading
    version: Version
    left: int
    shelf: Shelf = field(factory=lambda: Shelf(None, ""))

    async def commands(self, folder: Folder, batch: Sequence[BatchRow], options: SyncOptions) -> list[Element]:
        """The server commands of a batch, grouped as the specification lists them.

        An item that is gone meanwhile is left out: its removal follows; and so is a Change of something that the
        protocol version does not know.
        """
        found: list[Element] = []
        for row in sorted(batch, key=lambda row: ORDER.index(row.op)):
            command = await self._command(folder, row, options)
            if command is not None:
                found.append(command)
        return found

    async def _command(self, folder: Folder, row: BatchRow, options: SyncOptions) -> Element | None:
        name = Element("AirSync:ServerId", server_id(folder.id, row.id))
        if row.item is None:
            return Element(f"AirSync:{row.op.value}", name)
        if row.op is Op.CHANGE and CONTENT not in (row.fields or ()):
            data = changed_properties(mail_of(folder, row.item, b""), self.version, row.fields)
        else:
            data = await self.item(folder, row.item, options) or []
        if not data:
            return None
        return Element(f"AirSync:{row.op.value}", name, Element("AirSync:ApplicationData", *data))

    async def item(
        self, folder: Folder, item: Item, options: SyncOptions, *, whole: bool = False
    ) -> list[Element] | None:
        """The properties of an item, C{whole} for a Fetch; C{None} if it is gone."""
        if self.left <= 0:
            options, whole = headers_only(options), False
        try:
            found, size = await self.reading.convert(
                folder, item, lambda raw: self._converted(mail_of(folder, item, raw), options, whole)
            )
        except ItemGone:
            return None
        self.left -= size
        return found

    # In a thread.

    def _converted(self, mail: Mail, options: SyncOptions, whole: bool) -> tuple[list[Element], int]:
        found = properties(mail, self.version, options, whole=whole)
        size = size_of(found)
        self.shelf.keep(found)
        return found, size


def mail_of(folder: Folder, item: Item, raw: bytes) -> Mail:
    """An item of a folder with its octets, for conversion."""
    own = folder.type in _OWN
    return Mail(raw, item.state, item.extra, item.received, server_id(folder.id, item.id), own)
