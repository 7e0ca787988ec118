"""GetItemEstimate: how many changes wait for a device, folder by folder ([MS-ASCMD] 2.2.1.9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import define, evolve, field, frozen

from gateway.eas.call import Answer, Call, Refused, Version
from gateway.eas.collection import LONGEST_ID
from gateway.eas.gate import Rules
from gateway.eas.options import CLASSES, Malformed, WrongClasses, WrongFilter, filter_type, flag, options_of
from gateway.eas.policydoc import restrict
from gateway.element import Element
from gateway.interfaces import BackendDown, ILedger
from gateway.model import DeviceKey, Folder, SyncOptions

SUCCESS, NO_FOLDER, NOT_PRIMED, BAD_KEY, BAD_CLASSES = 1, 2, 3, 4, 4
NO_BODY, INVALID, UNFIT, RETRY_LATER = 101, 103, 110, 111
MOST = 1000


@frozen
class Wanted:
    """A collection to be estimated; C{item_class} is what the answer has to repeat."""

    id: str
    key: str
    element: Element
    item_class: str | None = None


@define(eq=False)
class GetItemEstimate:
    """The GetItemEstimate command; C{now} is wall-clock time in seconds, C{most} how many collections it takes."""

    ledger: ILedger
    now: Callable[[], int]
    rules: Rules = field(factory=Rules)
    most: int = MOST

    async def __call__(self, call: Call) -> Answer:
        """Estimate every collection; no key advances.

        @raise Refused: 101, 103 (malformed, or too many collections), 110 (a FilterType of another class), 111 (the
            ledger does not answer), and 4 for options of classes that do not go together.
        """
        if call.body is None:
            raise Refused(NO_BODY, "a GetItemEstimate without a body")
        wanted = parse(call.body, call.version, self.most)
        try:
            found = await self.ledger.folders(call.device.user)
            folders = {str(folder.id): folder for folder in found}
            results = [await self._estimate(call, each, folders.get(each.id)) for each in wanted]
        except BackendDown as error:
            raise Refused(RETRY_LATER, str(error)) from error
        responses = [_response(each, *result) for each, result in zip(wanted, results, strict=True)]
        return Answer(
            Element("GetItemEstimate:GetItemEstimate", *responses),
            log={"Fc": len(wanted), "St": max(status for status, _ in results)},
        )

    async def _estimate(self, call: Call, wanted: Wanted, folder: Folder | None) -> tuple[int, int]:
        if folder is None:
            return NO_FOLDER, 0
        try:
            options = _options(wanted.element, folder.type.item_class, call.version)
        except WrongClasses as error:
            raise Refused(BAD_CLASSES, str(error)) from error
        except WrongFilter as error:
            raise Refused(UNFIT, str(error), http=400) from error
        except Malformed as error:
            if call.version < Version.V14_0:
                raise Refused(INVALID, str(error)) from error
            return INVALID, 0
        if wanted.key == "0":
            return NOT_PRIMED, 0
        options = restrict(options, self.rules.policy_for(call.device.user))
        return await self._count(call.device, folder, wanted.key, options)

    async def _count(self, device: DeviceKey, folder: Folder, key: str, options: SyncOptions) -> tuple[int, int]:
        return await self.ledger.estimate(device, folder.id, key, options, self.now())


def parse(body: Element, version: Version, most: int = MOST) -> list[Wanted]:
    """Read the body, whatever order the children of a Collection come in.

    @raise Refused: 103.
    """
    groups = body.all("GetItemEstimate:Collections")
    if body.tag != "GetItemEstimate:GetItemEstimate" or len(groups) != 1 or not groups[0].children:
        raise Refused(INVALID, "a GetItemEstimate without Collections")
    if len(groups[0].children) > most:
        raise Refused(INVALID, f"more than {most} collections")
    return [_wanted(element, version) for element in groups[0]]


def _wanted(element: Element, version: Version) -> Wanted:
    if element.tag != "GetItemEstimate:Collection":
        raise Refused(INVALID, f"{element.tag} is no Collection")
    texts = _texts(element)
    name, key = texts.get("CollectionId", ""), texts.get("SyncKey", "")
    if not 0 < len(name) <= LONGEST_ID or not 0 < len(key) <= LONGEST_ID:
        raise Refused(INVALID, f"a Collection needs CollectionId and SyncKey, of 1 to {LONGEST_ID} characters")
    item_class = texts.get("Class") if version < Version.V14_0 else None
    if item_class is not None and item_class not in CLASSES:
        raise Refused(INVALID, "a Collection of an unknown Class")
    return Wanted(name, key, element, item_class)


def _texts(element: Element) -> Mapping[str, str]:
    """The children by local name: clients have sent them in the page of AirSync as well as in that of the command."""
    return {child.name: child.text for child in reversed(element.children)}


def _options(element: Element, item_class: str, version: Version) -> SyncOptions:
    """The options of the collection; before 14.0 the FilterType stands outside of Options.

    Those of the last Sync do not hold here: without options everything counts ([MS-ASCMD] 2.2.3.125.2).

    @raise Malformed: they, or ConversationMode, do not go with the folder.
    """
    if flag(element, "AirSync:ConversationMode") and item_class != "Email":
        raise Malformed("ConversationMode for a folder of something else than mail")
    options = options_of(element, item_class, version) or SyncOptions()
    window = filter_type(element, item_class)
    return options if window is None else evolve(options, filter=window)


def _response(wanted: Wanted, status: int, count: int) -> Element:
    collection = Element(
        "GetItemEstimate:Collection",
        wanted.item_class and Element("GetItemEstimate:Class", wanted.item_class),
        Element("GetItemEstimate:CollectionId", wanted.id),
        Element("GetItemEstimate:Estimate", count) if status == SUCCESS else None,
    )
    return Element("GetItemEstimate:Response", Element("GetItemEstimate:Status", status), collection)
