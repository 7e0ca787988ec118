"""Find: the search of protocol version 16.1 ([MS-ASCMD] 2.2.1.2)."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping

from attrs import define, field
from twisted.logger import Logger

from gateway.eas.call import Answer, Call, Refused
from gateway.eas.finding import SUCCESS, Failed, Hits, Searcher, span
from gateway.element import Element
from gateway.interfaces import BackendDown
from gateway.model import DeviceKey

MAILBOX, GAL = "Find:MailBoxSearchCriterion", "Find:GalSearchCriterion"
INVALID, FOLDERS_CHANGED, NOT_FROM_ZERO = 2, 3, 4
NO_BODY, RETRY_LATER = 101, 111

#: Devices of which it is remembered what they searched for last.
REMEMBERED = 1000

_GUID = re.compile(r"\{?[0-9A-Fa-f]{8}(-?[0-9A-Fa-f]{4}){3}-?[0-9A-Fa-f]{12}\}?", re.ASCII)


@define(eq=False)
class Find:
    """The Find command; C{searchers} are those that there are, by the tag of their criterion.

    A searcher that raises L{Failed} with Status 3 says that the device has to run FolderSync first.
    """

    log = Logger()

    searchers: Mapping[str, Searcher] = field(factory=dict)
    _last: OrderedDict[DeviceKey, str] = field(init=False, factory=OrderedDict)

    async def __call__(self, call: Call) -> Answer:
        """Search as the criterion says.

        @raise Refused: 101 without a body, 111 if the store cannot be searched now.
        """
        if call.body is None:
            raise Refused(NO_BODY, "a Find without a body")
        try:
            identifier, criterion = _request(call.body)
        except Failed as failed:
            return _failed(failed)
        try:
            self._continued(call.device, identifier, criterion)
            hits = await self.searchers[criterion.tag](call, criterion)
        except Failed as failed:
            # That folders are missing is said of the request, anything else of what it searched.
            return _failed(failed) if failed.status == FOLDERS_CHANGED else _answer(failed.status, why=str(failed))
        except BackendDown as error:
            raise Refused(RETRY_LATER, str(error)) from error
        return _answer(SUCCESS, hits)

    def _continued(self, device: DeviceKey, identifier: str, criterion: Element) -> None:
        """A search begins with its first results ([MS-ASCMD] 2.2.3.143.1), and goes on under the same SearchId."""
        if criterion.tag not in self.searchers:
            raise Failed(INVALID, "this cannot be searched")
        options = criterion.child("Find:Options")
        wanted = span(None if options is None else options.text_of("Find:Range"))
        if wanted is None:
            raise Failed(INVALID, "the Range is none")
        if wanted.first and self._last.get(device) != identifier:
            raise Failed(NOT_FROM_ZERO, "a search that was not begun goes on")
        self._last[device] = identifier
        self._last.move_to_end(device)
        if len(self._last) > REMEMBERED:
            self._last.popitem(last=False)


def _request(body: Element) -> tuple[str, Element]:
    """The SearchId and the criterion."""
    identifiers, searches = body.all("Find:SearchId"), body.all("Find:ExecuteSearch")
    if body.tag != "Find:Find" or len(identifiers) != 1 or len(searches) != 1 or len(searches[0].children) != 1:
        raise Failed(INVALID, "a Find has one SearchId and one criterion")
    if not _GUID.fullmatch(identifiers[0].text):
        raise Failed(INVALID, "the SearchId is no GUID")
    criterion = searches[0].children[0]
    if criterion.tag not in (MAILBOX, GAL) or len(criterion.all("Find:Query")) != 1:
        raise Failed(INVALID, "a criterion is one of two, with one Query")
    return identifiers[0].text, criterion


def _failed(failed: Failed) -> Answer:
    root = Element("Find:Find", Element("Find:Status", failed.status))
    return Answer(root, log={"St": failed.status, "E": str(failed)})


def _answer(status: int, hits: Hits | None = None, *, why: str = "") -> Answer:
    # Of whatever was searched: the specification allows no other name here (2.2.3.178.1).
    response = Element("Find:Response", Element("ItemOperations:Store", "Mailbox"), Element("Find:Status", status))
    log: dict[str, str | int] = {"St": status}
    if hits is not None:
        response.children += hits.results
        if hits.range() is not None:
            response.children.append(Element("Find:Range", hits.range()))
        response.children.append(Element("Find:Total", hits.total))
        log["Hits"] = hits.total
    if why:
        log["E"] = why
    return Answer(Element("Find:Find", Element("Find:Status", SUCCESS), response), log=log)
