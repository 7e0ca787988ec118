"""ItemOperations on whole folders: EmptyFolderContents ([MS-ASCMD] 2.2.3.55)."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from gateway.arrangement import Arrangement
from gateway.eas.call import Call, Unavailable
from gateway.eas.collection import LONGEST_ID, folder_id
from gateway.eas.foldercommands import CACHE
from gateway.eas.moving import Incomplete, Moving, Own
from gateway.element import Element
from gateway.interfaces import BackendDown
from gateway.model import Folder

SUCCESS, PROTOCOL, FAILED, NOT_FOUND, DENIED, PARTLY = 1, 2, 3, 6, 16, 17

_PARTS = frozenset({"AirSync:CollectionId", "ItemOperations:Options"})


@define(eq=False)
class FolderOperations:
    """Operations of ItemOperations; C{own} is that of the request (L{Moving.own}), if its answer tells it whether it
    was written."""

    log = Logger()

    moving: Moving

    async def empty(self, call: Call, element: Element, own: Own | None = None) -> Element:
        """Execute an EmptyFolderContents: what the folder holds is gone for good, and with DeleteSubFolders the folders
        below it too; the element for the Response.

        @raise Unavailable: too many requests of the user are waiting, and nothing was done.
        """
        collections = element.all("AirSync:CollectionId")
        name = collections[0].text if len(collections) == 1 else ""
        subfolders = _subfolders(element)
        if subfolders is None or not 0 < len(name) <= LONGEST_ID:
            return _emptied(PROTOCOL, name)
        if name == CACHE:
            return _emptied(DENIED, name)
        return _emptied(await self._empty(call, folder_id(name), subfolders, own), name)

    async def _empty(self, call: Call, id: int, subfolders: bool, own: Own | None) -> int:
        moving = self.moving
        try:
            found = await moving.ledger.folders(call.device.user)
            folder = next((one for one in found if one.id == id), None)
            if folder is None:
                return NOT_FOUND
            await moving.clear(own, folder)
            if subfolders:
                await moving.arrange(folder.user, lambda folders: self._clearing(folders, id))
        except (CancelledError, Unavailable):
            raise
        except Incomplete as error:
            self.log.warn("{device} empties {folder}: {error}", device=call.device, folder=id, error=error)
            return PARTLY
        except BackendDown as error:
            self.log.warn("{device} empties {folder}: {error}", device=call.device, folder=id, error=error)
            return FAILED
        except Exception:
            self.log.failure("{device} cannot empty {folder}", device=call.device, folder=id)
            return FAILED
        return SUCCESS

    def _clearing(self, folders: Sequence[Folder], id: int) -> Arrangement | None:
        folder = next((one for one in folders if one.id == id), None)
        return None if folder is None else self.moving.mailbox.clearing(folders, folder)


def _subfolders(element: Element) -> bool | None:
    """Whether DeleteSubFolders is there; C{None} if anything is there that does not belong there."""
    options = element.all("ItemOperations:Options")
    inside = [child for one in options for child in one]
    if len(options) > 1 or any(child.tag not in _PARTS for child in element):
        return None
    if any(child.tag != "ItemOperations:DeleteSubFolders" or child.children for child in inside) or len(inside) > 1:
        return None
    return bool(inside)


def _emptied(status: int, name: str) -> Element:
    return Element(
        "ItemOperations:EmptyFolderContents",
        Element("ItemOperations:Status", status),
        Element("AirSync:CollectionId", name),
    )
