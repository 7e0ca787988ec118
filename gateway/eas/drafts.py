"""Drafts of 16.0 and later: what a Sync of the folder for drafts brings is kept as a mail, or sent
([MS-ASCMD] 2.2.3.7.2, 2.2.3.24, [MS-ASEMAIL] 2.2.2.72)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from hashlib import sha256

from attrs import define, frozen
from twisted.logger import Logger

from gateway.convert.draft import Drafted, drafted, has_content, marks_alone
from gateway.convert.flags import ConversionError
from gateway.convert.message import amendment
from gateway.eas.call import Version
from gateway.eas.collection import Collection, Command, Verb, digest, item_id, server_id
from gateway.eas.rendering import size_of
from gateway.eas.sending import Sending
from gateway.eas.syncanswer import CONVERSION, SUCCESS
from gateway.element import Element
from gateway.interfaces import IMailbox, ItemGone
from gateway.model import Amend, Create, DeviceKey, Folder, FolderType, Item

TOO_LARGE = 122


@frozen
class Prepared:
    """What a command means: for the ledger, and what is to be sent once that has taken it.

    C{status}: it is refused. C{draft} is the mail; C{send}: it goes out under the C{name}, C{item} is the draft that
    goes with it.
    """

    command: Amend | Create | None = None
    status: int = SUCCESS
    draft: Drafted | None = None
    name: str = ""
    send: bool = False
    item: int = 0

    @property
    def staged(self) -> str:
        """The name under which the source holds it ready, if it does."""
        return self.command.name if self.command is not None else ""

    def told(self, folder: Folder, item: int) -> Element | None:
        """The ApplicationData of the answer.

        It has the FileReferences of the attachments that a client has added, and of a new draft the conversation
        ([MS-ASEMAIL] 2.2.2.21, 2.2.2.22).
        """
        if self.draft is None or self.send:
            return None
        found = self._references(self.draft, folder, item) if self.draft.attachments else []
        if isinstance(self.command, Create):
            found.append(Element("Email2:ConversationId", self.draft.conversation))
            found.append(Element("Email2:ConversationIndex", self.draft.index))
        return Element("AirSync:ApplicationData", *found) if found else None

    def _references(self, draft: Drafted, folder: Folder, item: int) -> list[Element]:
        rows = [
            Element(
                "AirSyncBase:Attachment",
                Element("AirSyncBase:ClientId", client),
                Element("AirSyncBase:FileReference", f"{server_id(folder.id, item)}:{number}"),
            )
            for client, number in draft.attachments
        ]
        return [Element("AirSyncBase:Attachments", *rows)]


@define(eq=False)
class Drafts:
    """Makes mails of what clients write into the folder for drafts."""

    log = Logger()

    mailbox: IMailbox
    sending: Sending

    def serves(self, folder: Folder, version: Version) -> bool:
        """Whether that is a folder into which a client of that version may write."""
        return folder.type is FolderType.DRAFTS and version >= Version.V16_0

    async def prepare(
        self, device: DeviceKey, folder: Folder, collection: Collection, known: Mapping[int, Item]
    ) -> dict[int, Prepared]:
        """What those commands mean that are about more than marks, by their place in the request."""
        found: dict[int, Prepared] = {}
        for place, command in enumerate(collection.commands):
            if command.verb not in (Verb.ADD, Verb.CHANGE) or command.instance:
                continue
            item = known.get(item_id(command.id, folder.id) or 0) if command.verb is Verb.CHANGE else None
            one = await self._prepared(device, folder, collection.key, command, item)
            if one is not None:
                found[place] = one
        return found

    async def discard(self, folder: Folder, prepared: Mapping[int, Prepared]) -> None:
        """Nothing of it was taken."""
        names = [one.staged for one in prepared.values() if one.staged]
        if names:
            await self.mailbox.discard(folder.user, folder.path, names)

    async def send(self, device: DeviceKey, prepared: Mapping[int, Prepared]) -> dict[int, int]:
        """Send what is to be sent; the Status of each, by its place."""
        return {
            place: await self.sending.draft(device, one.draft.message if one.draft else b"", one.name, one.item)
            for place, one in prepared.items()
            if one.send
        }

    async def _prepared(
        self, device: DeviceKey, folder: Folder, key: str, command: Command, item: Item | None
    ) -> Prepared | None:
        if command.data is None and not (command.send and command.verb is Verb.CHANGE):
            return Prepared(status=CONVERSION) if command.verb is Verb.ADD else None
        data = command.data if command.data is not None else Element("AirSync:ApplicationData")
        if command.verb is Verb.CHANGE and not command.send and not has_content(data):
            return None
        # A draft is sent once, whatever key it comes with.
        name = _name(device, folder, "" if command.send else key, command, data)
        if command.verb is Verb.CHANGE and item is None:
            # It may have been sent by the request that this one repeats.
            return Prepared(Amend(item_id(command.id, folder.id) or 0), name=name, send=True) if command.send else None
        try:
            return await self._made(folder, command, data, item, name)
        except ItemGone:
            return None
        except ConversionError as error:
            self.log.debug("a draft of {user} is refused: {why}", user=device.user, why=str(error))
            return Prepared(Amend(item.id) if item is not None else None, CONVERSION)

    async def _made(self, folder: Folder, command: Command, data: Element, item: Item | None, name: str) -> Prepared:
        base = None
        if item is not None:
            base = await self.mailbox.read(folder.user, folder.path, item.name, item.state)
        sender = self.sending.sender(folder.user, name[:24])
        id = server_id(folder.id, item.id) if item is not None else ""
        size = size_of([data]) + len(base or b"")
        draft: Drafted = await self.sending.worked(partial(drafted, data, sender, id, base), size)
        if len(draft.message) > self.sending.limits.message:
            return Prepared(Amend(item.id) if item is not None else None, TOO_LARGE)
        state, extra = (item.state, item.extra) if item is not None else ("D", {})
        add, remove, changed = amendment(marks_alone(data), state, extra)
        if command.send:
            noop = Amend(item.id) if item is not None else None
            return Prepared(noop, draft=draft, name=name, send=True, item=item.id if item is not None else 0)
        staged = f"{name}.draft"
        await self.mailbox.stage(folder.user, folder.path, staged, draft.message)
        if item is None:
            return Prepared(Create(command.id, staged, "D" + add, changed), draft=draft)
        return Prepared(Amend(item.id, add, remove, changed, staged, told=draft.numbered), draft=draft)


def _name(device: DeviceKey, folder: Folder, key: str, command: Command, data: Element) -> str:
    """The same for the same command, also in another request with the same key; else another one."""
    about = "\0".join((device.user, device.device, str(folder.id), key, command.verb.value, command.id))
    return sha256(about.encode() + digest(data)).hexdigest()[:40]
