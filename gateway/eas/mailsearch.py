"""Finding mails: the mailbox for Search and Find ([MS-ASCMD] 2.2.1.16, 2.2.1.2).

The LongId of a result is the ServerId of the item; so it is good for whatever takes either of them, until the item
goes to another folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from attrs import define, evolve

from gateway.convert.glance import glance
from gateway.convert.message import Mail
from gateway.eas.call import Call, Refused
from gateway.eas.collection import server_id
from gateway.eas.finding import MOST, Failed, Hits, Span, span
from gateway.eas.gate import Rules
from gateway.eas.mailquery import parse_query
from gateway.eas.options import Malformed, view_options
from gateway.eas.policydoc import restrict
from gateway.eas.querytext import TooComplex, Unreadable, keywords
from gateway.eas.reading import Reading
from gateway.eas.rendering import Rendering
from gateway.element import Element
from gateway.index import Matches, Sought
from gateway.interfaces import ILedger, ISearchIndex, ItemGone, TooSlow
from gateway.model import BodyPreference, Folder, Item, SyncOptions

INVALID, FOLDERS_MISSING, TIMED_OUT, FOLDERS_CHANGED, PAST_THE_END = 2, 3, 10, 11, 12
EMAIL = "Email"

UNASKED = 1024
"""Bytes of the text of a mail in a Search that says nothing of the text: enough to tell what it is about."""

ANSWER_BYTES = 4 * 2**20
"""So many bytes of properties an answer to Search may have; what is beyond goes without its text."""


@define(eq=False)
class Mails:
    """The mails of users, found by their words. C{now} is wall-clock time in seconds."""

    index: ISearchIndex
    ledger: ILedger
    reading: Reading
    rules: Rules
    now: Callable[[], int]

    async def find(self, user: str, sought: Sought, wanted: Span) -> tuple[list[tuple[Folder, Item]], Matches]:
        """The mails of a span of those in which that is found, and how many there are.

        @raise TooSlow: it took too long.
        """
        matches = await self.index.search(user, sought, wanted.first, min(wanted.size, MOST))
        folders = {folder.id: folder for folder in await self.ledger.folders(user)}
        items = await self.ledger.items(user, matches.items)
        return [(folders[item.folder], item) for item in items if item.folder in folders], matches


async def chosen(ledger: ILedger, user: str, ids: Sequence[str], deep: bool) -> tuple[int, ...] | None:
    """The folders that CollectionIds name, with C{deep} also those below them; C{None} for all folders.

    C{"0"} is what stands above them all. @raise LookupError: there is no such folder.
    """
    if not ids or "0" in ids:
        return None
    folders = {str(folder.id): folder for folder in await ledger.folders(user)}
    named = [folders[id] for id in ids]
    return tuple(folder.id for folder in (_below(named, folders.values()) if deep else named))


def _below(named: Iterable[Folder], folders: Iterable[Folder]) -> list[Folder]:
    """These folders and those below them; C{folders} has parents before children."""
    found = {folder.id: folder for folder in named}
    for folder in folders:
        if folder.parent in found:
            found[folder.id] = folder
    return list(found.values())


@define(eq=False)
class MailSearcher:
    """Searches the mailbox for the Search command: Class, LongId, CollectionId, and the properties as a Sync gives
    them in the form that Options ask for."""

    mails: Mails

    async def __call__(self, call: Call, asked: Element) -> Hits:
        """The mails of the Range.

        RebuildResults changes nothing: no results are kept, each answer is made of what there is.

        @raise Failed: 2 for a Query or Options that make no sense, 8 for a Query that is too complex, 10 if it took
            too long, 11 for a folder that there is not, 12 for a Range that begins beyond what was found, and 164.
        """
        query = parse_query(asked, call.version)
        given = asked.child("Search:Options")
        wanted = span(None if given is None else given.text_of("Search:Range"))
        if wanted is None:
            raise Failed(INVALID, "the Range is none")
        options = self._options(call, given)
        deep = given is not None and given.child("Search:DeepTraversal") is not None
        user = call.device.user
        try:
            folders = await chosen(self.mails.ledger, user, query.folders, deep)
            if query.classes and EMAIL not in query.classes:
                return _none()
            found, matches = await self.mails.find(user, evolve(query.sought, folders=folders), wanted)
        except LookupError as error:
            raise Failed(FOLDERS_CHANGED, "there is no such folder") from error
        except TooSlow as error:
            raise Failed(TIMED_OUT, str(error)) from error
        if wanted.first and wanted.first >= matches.total:
            raise Failed(PAST_THE_END, f"there are {matches.total}")
        if not matches.total:
            return _none()
        return Hits(await self._results(call, found, options), wanted.first, matches.total)

    def _options(self, call: Call, given: Element | None) -> SyncOptions:
        try:
            options = view_options(given, call.version)
        except Malformed as error:
            raise Failed(INVALID, str(error)) from error
        except Refused as error:
            raise Failed(error.status, error.why) from error
        if not options.bodies and options.part is None:
            options = evolve(options, bodies=(BodyPreference(1, truncation=UNASKED),))
        return restrict(options, self.mails.rules.policy_for(call.device.user))

    async def _results(
        self, call: Call, found: Iterable[tuple[Folder, Item]], options: SyncOptions
    ) -> tuple[Element, ...]:
        rendering = Rendering(self.mails.reading, call.version, ANSWER_BYTES)
        results = []
        for folder, item in found:
            properties = await rendering.item(folder, item, options)
            if properties is not None:
                results.append(_result(folder, item, properties))
        return tuple(results)


def _none() -> Hits:
    """Nothing was found: one Result without anything in it ([MS-ASCMD] 2.2.3.155.3)."""
    return Hits((Element("Search:Result"),))


def _result(folder: Folder, item: Item, properties: Iterable[Element]) -> Element:
    return Element(
        "Search:Result",
        Element("AirSync:Class", folder.type.item_class),
        Element("Search:LongId", server_id(folder.id, item.id)),
        Element("AirSync:CollectionId", folder.id),
        Element("Search:Properties", *properties),
    )


@define(eq=False)
class MailFinder:
    """Searches the mailbox for the Find command, with queries in the Keyword Query Language."""

    mails: Mails

    async def __call__(self, call: Call, asked: Element) -> Hits:
        """The mails of the Range.

        @raise Failed: 2 for a criterion that makes no sense, is too complex or takes too long, 3 for a folder that
            there is not.
        """
        sought, ids = self._criterion(asked)
        options = asked.child("Find:Options")
        wanted = span(None if options is None else options.text_of("Find:Range"))
        if wanted is None:
            raise Failed(INVALID, "the Range is none")
        deep = options is not None and options.child("Find:DeepTraversal") is not None
        user = call.device.user
        try:
            folders = await chosen(self.mails.ledger, user, ids, deep)
            found, matches = await self.mails.find(user, evolve(sought, folders=folders), wanted)
        except LookupError as error:
            raise Failed(FOLDERS_MISSING, "there is no such folder") from error
        except TooSlow as error:
            raise Failed(INVALID, str(error)) from error
        return Hits(await self._results(found), wanted.first, matches.total)

    def _criterion(self, asked: Element) -> tuple[Sought, tuple[str, ...]]:
        (query,) = asked.all("Find:Query")
        texts, ids = query.all("Find:FreeText"), query.all("AirSync:CollectionId")
        classes = {element.text for element in query.all("AirSync:Class")}
        if len(texts) != 1 or len(ids) > 1 or not classes <= {EMAIL}:
            raise Failed(INVALID, "a Query has one FreeText, at most one CollectionId, and the Class Email")
        try:
            sought = keywords(texts[0].text, self.mails.now())
        except (TooComplex, Unreadable) as error:
            raise Failed(INVALID, str(error)) from error
        if sought == Sought():
            raise Failed(INVALID, "nothing is looked for")
        return sought, tuple(element.text for element in ids)

    async def _results(self, found: Iterable[tuple[Folder, Item]]) -> tuple[Element, ...]:
        results = []
        for folder, item in found:
            name = server_id(folder.id, item.id)
            try:
                properties = await self.mails.reading.convert(folder, item, partial(_glance, item, name))
            except ItemGone:
                continue
            results.append(
                Element(
                    "Find:Result",
                    Element("AirSync:Class", folder.type.item_class),
                    Element("AirSync:ServerId", name),
                    Element("AirSync:CollectionId", folder.id),
                    Element("Find:Properties", *properties),
                )
            )
        return tuple(results)


def _glance(item: Item, name: str, raw: bytes) -> list[Element]:
    return glance(Mail(raw, item.state, item.extra, item.received, name))
