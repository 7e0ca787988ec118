"""FolderSync: what a device lacks of the folder hierarchy ([MS-ASCMD] 2.2.1.5); GetHierarchy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import define
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from gateway.eas.call import Answer, Call, Refused, Version
from gateway.element import Element
from gateway.interfaces import BackendDown, ILedger
from gateway.model import Folder, FolderOutcome, FolderType

SUCCESS, FAILED, BAD_KEY, MALFORMED = 1, 6, 9, 10
LONGEST_KEY = 64

_KNOWN = frozenset({"FolderHierarchy:SyncKey"})

HIERARCHY = 0
"""What stands for the hierarchy where a folder is asked for, and for the parent of a folder at the top."""


def _nothing() -> Mapping[str, str]:
    return {}


@define(eq=False)
class FolderSync:
    """The FolderSync command.

    C{greeting} gives the headers with versions and commands, which go with the answer to a first request.
    """

    log = Logger()

    ledger: ILedger
    greeting: Callable[[], Mapping[str, str]] = _nothing

    async def __call__(self, call: Call) -> Answer:
        """Answer with what the device lacks.

        @raise Refused: 101 for a request without a body, 102 for one with what does not belong there.
        """
        if call.body is None:
            raise Refused(101, "a FolderSync without a body")
        if call.version >= Version.V14_0 and any(child.tag not in _KNOWN for child in call.body):
            raise Refused(102, "a FolderSync with something else than a SyncKey")
        key = _key(call.body)
        if key is None:
            return _failed(MALFORMED)
        if not 0 < len(key) <= LONGEST_KEY:
            return _failed(BAD_KEY)
        try:
            outcome = await self.ledger.sync_folders(call.device, key)
        except CancelledError:
            raise
        except Exception:
            # Transient as far as the device is concerned; it keeps its key and asks again.
            self.log.failure("FolderSync of {device} failed", device=call.device)
            return _failed(FAILED)
        if outcome.status != SUCCESS:
            return _failed(BAD_KEY)
        return self._answer(call, key, outcome)

    def _headers(self, key: str) -> Mapping[str, str]:
        """What goes with the answer to a first request ([MS-ASHTTP] 2.2.2.1.2.9): versions twice, and commands."""
        if key != "0":
            return {}
        greeting = self.greeting()
        return {**greeting, "X-MS-RP": greeting["MS-ASProtocolVersions"]} if greeting else {}

    def _answer(self, call: Call, key: str, outcome: FolderOutcome) -> Answer:
        def written(live: bool) -> None:
            if live:
                self.ledger.given(call.device, HIERARCHY, outcome.key)

        changes = _changes(outcome, call.version)
        return Answer(
            Element(
                "FolderHierarchy:FolderSync",
                Element("FolderHierarchy:Status", SUCCESS),
                Element("FolderHierarchy:SyncKey", outcome.key),
                changes,
            ),
            headers=self._headers(key),
            log={"St": SUCCESS, "Fc": changes.text_of("FolderHierarchy:Count") or ""},
            written=written,
        )


@define(eq=False)
class GetHierarchy:
    """The GetHierarchy command, up to 12.1: all folders for mail, without a key ([MS-ASCMD] 2.2.1.8)."""

    ledger: ILedger

    async def __call__(self, call: Call) -> Answer:
        """List them.

        @raise Refused: HTTP 500 when the ledger does not answer; 101 for a request with a body.
        """
        if call.body is not None or call.raw:
            raise Refused(101, "a GetHierarchy with a body")
        try:
            folders = await self.ledger.folders(call.device.user)
        except BackendDown as error:
            raise Refused(110, str(error)) from error
        listed = [_listed(folder) for folder in folders if folder.type.item_class == "Email"]
        return Answer(Element("FolderHierarchy:Folders", *listed), log={"Fc": len(listed)})


def _listed(folder: Folder) -> Element:
    """A folder of GetHierarchy, which knows the types 1 to 6 only ([MS-ASCMD] 2.2.3.186.4)."""
    type = folder.type if folder.type <= FolderType.OUTBOX else FolderType.GENERIC
    return Element(
        "FolderHierarchy:Folder",
        Element("FolderHierarchy:DisplayName", folder.name),
        Element("FolderHierarchy:ServerId", folder.id),
        Element("FolderHierarchy:Type", int(type)),
        Element("FolderHierarchy:ParentId", folder.parent),
    )


def _key(body: Element) -> str | None:
    """The SyncKey, or C{None} if the body is no FolderSync; one that is empty or too long is nobody's key."""
    keys = body.all("FolderHierarchy:SyncKey")
    if body.tag != "FolderHierarchy:FolderSync" or len(keys) != 1:
        return None
    return keys[0].text


def _failed(status: int) -> Answer:
    return Answer(
        Element("FolderHierarchy:FolderSync", Element("FolderHierarchy:Status", status)),
        log={"St": status},
    )


def _changes(outcome: FolderOutcome, version: Version) -> Element:
    updated, added = _known(outcome.updated, version), parents_first(_known(outcome.added, version))
    elements = [_folder("Update", folder) for folder in updated]
    elements += [Element("FolderHierarchy:Delete", Element("FolderHierarchy:ServerId", id)) for id in outcome.deleted]
    elements += [_folder("Add", folder) for folder in added]
    return Element("FolderHierarchy:Changes", Element("FolderHierarchy:Count", len(elements)), *elements)


def _known(folders: Sequence[Folder], version: Version) -> list[Folder]:
    """The folders of classes that the version has: notes came with 14.0."""
    return [folder for folder in folders if version >= Version.V14_0 or folder.type.item_class != "Notes"]


def parents_first(folders: Sequence[Folder]) -> list[Folder]:
    """The folders in the same order, but each after its parent."""
    waiting = {folder.id: folder for folder in folders}
    ordered: list[Folder] = []
    for folder in folders:
        line: list[Folder] = []
        at: Folder | None = folder
        while at is not None and waiting.pop(at.id, None) is not None:
            line.append(at)
            at = waiting.get(at.parent)
        ordered += reversed(line)
    return ordered


def _folder(tag: str, folder: Folder) -> Element:
    return Element(
        f"FolderHierarchy:{tag}",
        Element("FolderHierarchy:ServerId", folder.id),
        Element("FolderHierarchy:ParentId", folder.parent),
        Element("FolderHierarchy:DisplayName", folder.name),
        Element("FolderHierarchy:Type", int(folder.type)),
    )
