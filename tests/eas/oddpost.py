"""Odd mails on the way of all mails: synchronised, fetched, found and taken apart, in every version and every form."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator

from attrs import define, field
from twisted.internet.defer import execute

from gateway.eas.call import Version
from gateway.eas.gate import Rules
from gateway.eas.mailsearch import Mails, MailSearcher
from gateway.eas.searching import MAILBOX, Search
from gateway.eas.sync import Sync
from gateway.eas.wbxml import decode
from gateway.element import Element
from gateway.model import Found
from tests.convert.odd import texts
from tests.eas.fetches import Desk, air, air_base, octets, of_file, of_item, op, preference
from tests.eas.indexed import catch_up
from tests.eas.support import call_of, parking_of, sent
from tests.stores import result_of

FORMS = (
    (),
    (air("Truncation", 3), air("MIMESupport", 2), air("MIMETruncation", 2)),
    (preference(1, air_base("TruncationSize", 500)),),
    (preference(2, air_base("TruncationSize", 100), air_base("AllOrNone", 1)), preference(1)),
    (preference(2),),
    (air("MIMESupport", 2), preference(4, air_base("TruncationSize", 300))),
    (air("MIMESupport", 2), preference(4)),
    (air("MIMESupport", 1), preference(3), preference(4)),
)
FETCHES = (
    (),
    (preference(1, air_base("TruncationSize", 500)),),
    (preference(2),),
    (air("MIMESupport", 2), preference(4)),
)
PART = preference(2, air_base("TruncationSize", 200), name="BodyPartPreference")
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_AT_ONCE = 100


def said(name: str, *content: Element | str) -> Element:
    """An element of Search."""
    return Element(f"Search:{name}", *content)


@define(eq=False)
class Figures:
    """How many there were of what, and how long it took."""

    mails: int = 0
    synced: int = 0
    fetched: int = 0
    found: int = 0
    attachments: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    slowest_name: str = ""


@define(eq=False)
class OddPost:
    """An Inbox full of odd mails, and a phone of each version that wants them all."""

    mails: list[tuple[str, bytes]]
    desk: Desk = field(factory=Desk)
    figures: Figures = field(factory=Figures)
    names: dict[str, str] = field(init=False, factory=dict)
    sync: Sync = field(init=False)
    search: Search = field(init=False)

    def __attrs_post_init__(self) -> None:
        desk = self.desk
        found = []
        for number, (_, raw) in enumerate(self.mails):
            desk.mailbox.put("ann", "", f"m{number}", raw)
            found.append(Found(f"m{number}", "FRS"[: number % 4], desk.now - number))
        result_of(desk.store.record({desk.inbox: (found, [])}))
        for item in result_of(desk.store.items("ann", range(1, len(found) + 100))):
            self.names[f"{desk.inbox}:{item.id}"] = self.mails[int(item.name[1:])][0]
        self.sync = Sync(parking_of(desk.store), desk.store, desk.mailbox, desk.reports, lambda: desk.now, execute)
        self.figures.mails = len(self.mails)
        began = time.process_time()
        catch_up(desk.store, desk.mailbox)
        self.figures.seconds += time.process_time() - began
        mails = Mails(desk.store.index, desk.store, desk.reading, Rules(), lambda: desk.now)
        self.search = Search({MAILBOX: MailSearcher(mails)})

    def timed(self, name: str, began: float) -> None:
        """Something was answered."""
        spent = time.process_time() - began
        self.figures.seconds += spent
        if spent > self.figures.slowest:
            self.figures.slowest, self.figures.slowest_name = spent, name

    def synchronise(self, version: Version, form: Iterable[Element]) -> None:
        """Have a new phone get everything."""
        options = air("Options", *form, *([PART] if version >= Version.V14_1 else []))
        key, seen, window = "0", set(), 10
        while True:
            item_class = air("Class", "Email") if version < Version.V14_0 else None
            head = (item_class, air("SyncKey", key), air("CollectionId", self.desk.inbox))
            more = () if key == "0" else (air("WindowSize", window), options)
            body = air("Sync", air("Collections", air("Collection", *head, *more)))
            began = time.process_time()
            document = sent(result_of(self.sync(call_of("Sync", body, version))))
            self.timed(f"Sync in {version}", began)
            (collection,) = (decode(document).child("AirSync:Collections") or Element("")).children
            assert collection.text_of("AirSync:Status") == "1", (version, collection)
            key = collection.text_of("AirSync:SyncKey") or ""
            for command in collection.child("AirSync:Commands") or ():
                seen.add(command.text_of("AirSync:ServerId"))
                self.check(command, command.text_of("AirSync:ServerId") or "")
            if seen and collection.child("AirSync:MoreAvailable") is None:
                break
        assert seen == set(self.names), set(self.names) - seen
        self.figures.synced += len(seen)

    def check(self, element: Element, name: str) -> None:
        """An XML document can hold it."""
        for text in texts(element):
            assert not _UNFIT.search(text), (self.names[name], text[:200])

    def fetch(self, version: Version, form: tuple[Element, ...], parts: bool) -> None:
        """Have a phone fetch every mail."""
        for names in self._portions():
            operations = [of_item(name, *form) for name in names]
            began = time.process_time()
            found = self.desk.ask(*operations, version=version, parts=parts)
            self.timed(f"fetch in {version}", began)
            assert found.statuses == ["1"] * len(names), found.statuses
            for name, operation in zip(names, found.operations, strict=True):
                self.check(operation, name)
            for part in found.parts:
                assert not _UNFIT.search(part.decode()), part[:200]
            self.figures.fetched += len(names)

    def seek(self, version: Version, form: tuple[Element, ...]) -> None:
        """Have a phone find every mail, by its date."""
        date = said("GreaterThan", Element("Email:DateReceived"), said("Value", "1990-01-01T00:00:00.000Z"))
        query = said("Query", said("And", air("Class", "Email"), date))
        found: set[str] = set()
        while len(found) < len(self.names):
            wanted = said("Range", f"{len(found)}-{len(found) + _AT_ONCE - 1}")
            store = said("Store", said("Name", "Mailbox"), query, said("Options", wanted, *form))
            began = time.process_time()
            document = sent(result_of(self.search(call_of("Search", said("Search", store), version))))
            self.timed(f"search in {version}", began)
            response = decode(document).child("Search:Response") or Element("")
            results = (response.child("Search:Store") or Element("")).all("Search:Result")
            names = {result.text_of("Search:LongId") or "" for result in results}
            assert names and not names & found, (version, decode(document))
            found |= names
            for result in results:
                self.check(result, result.text_of("Search:LongId") or "")
        assert found == set(self.names)
        self.figures.found += len(found)

    def attachments(self, version: Version) -> None:
        """Have a phone fetch attachments of every mail, in each of the ways that there are."""
        schema = op("Schema", Element("AirSyncBase:Attachments"))
        for names in self._portions():
            for operation in self.desk.ask(*[of_item(name, schema) for name in names], version=version).operations:
                properties = operation.child("ItemOperations:Properties") or Element("")
                listed = list(properties.child("AirSyncBase:Attachments") or ())
                # The first ones and the last one of a mail are enough.
                for item in [*listed[:8], *listed[8:][-1:]]:
                    self._attachment(item.text_of("AirSyncBase:FileReference") or "", version)

    def _attachment(self, reference: str, version: Version) -> None:
        name = self.names[reference.rpartition(":")[0]]
        began = time.process_time()
        inline = self.desk.ask(of_file(reference), version=version)
        self.timed(name, began)
        parts = self.desk.ask(of_file(reference), version=version, parts=True)
        assert (inline.statuses, parts.statuses) == (["1"], ["1"]), name
        old = octets(self.desk.attachment(reference))
        assert [inline.data] == parts.parts == [old], name
        self.figures.attachments += 1

    def _portions(self) -> Iterator[list[str]]:
        names = list(self.names)
        return (names[at : at + _AT_ONCE] for at in range(0, len(names), _AT_ONCE))


def play(mails: Iterable[tuple[str, bytes]], versions: Iterable[Version] = Version, forms: int = len(FORMS)) -> Figures:
    """Have phones of these versions get the mails in the first so many forms; every answer must be a good one."""
    post = OddPost(list(mails))
    for version in versions:
        for form in FORMS[:forms]:
            post.synchronise(version, form)
        if version >= Version.V12_0:
            for form in FETCHES[:forms]:
                for parts in (False, True):
                    post.fetch(version, form, parts)
                post.seek(version, form)
            post.attachments(version)
    return post.figures
