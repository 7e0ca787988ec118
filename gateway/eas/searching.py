"""Search: finding people and mails ([MS-ASCMD] 2.2.1.16)."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field
from twisted.logger import Logger

from gateway.eas.call import Answer, Call, Refused, Version
from gateway.eas.finding import SUCCESS, Failed, Hits, Searcher
from gateway.element import Element
from gateway.interfaces import BackendDown

GAL, MAILBOX = "GAL", "Mailbox"
INVALID, SERVER_ERROR, NOT_FOUND = 2, 3, 6
NO_BODY, BAD_XML = 101, 103

_STORES = frozenset({GAL, MAILBOX, "DocumentLibrary"})


@define(eq=False)
class Search:
    """The Search command; C{searchers} are those that there are, by the Name of their store."""

    log = Logger()

    searchers: Mapping[str, Searcher] = field(factory=dict)

    async def __call__(self, call: Call) -> Answer:
        """Search the store that is named; of several, the first ([MS-ASCMD] 2.2.3.178.3).

        @raise Refused: 101 without a body, 103 if there is no Store, or one without a Name or with several.
        """
        asked = _store(call)
        try:
            hits = await self._searcher(call, asked)(call, asked)
        except Failed as failed:
            return _answer(failed.status, why=str(failed))
        except BackendDown as error:
            self.log.warn("Search of {user} failed: {why}", user=call.device.user, why=str(error))
            return _answer(SERVER_ERROR, why=str(error))
        return _answer(SUCCESS, hits)

    def _searcher(self, call: Call, asked: Element) -> Searcher:
        name = asked.text_of("Search:Name") or ""
        if name not in _STORES or (call.version < Version.V12_0 and name != GAL):
            raise Failed(INVALID, "there is no such store")
        if name not in self.searchers:
            raise Failed(NOT_FOUND, "there is nothing in this store")
        return self.searchers[name]


def _store(call: Call) -> Element:
    if call.body is None:
        raise Refused(NO_BODY, "a Search without a body")
    stores = call.body.all("Search:Store")
    if call.body.tag != "Search:Search" or not stores or len(stores[0].all("Search:Name")) != 1:
        raise Refused(BAD_XML, "a Search has a Store, and this one Name")
    return stores[0]


def _answer(status: int, hits: Hits | None = None, *, why: str = "") -> Answer:
    store = Element("Search:Store", Element("Search:Status", status))
    log: dict[str, str | int] = {"St": status}
    if hits is not None:
        store.children += hits.results
        if hits.range() is not None:
            store.children.append(Element("Search:Range", hits.range()))
        store.children.append(Element("Search:Total", hits.total))
        log["Hits"] = hits.total
    if why:
        log["E"] = why
    # The Status of the whole says whether the request could be looked at, not what came of it.
    root = Element("Search:Search", Element("Search:Status", SUCCESS), Element("Search:Response", store))
    return Answer(root, log=log)
