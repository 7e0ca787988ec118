"""A small Exchange ActiveSync server to try phones on: one user, some mail folders, answers that can be scripted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from gateway.eas import wbxml
from gateway.element import Element
from gateway.simulator.errors import Lost
from gateway.simulator.events import Event, IOnlooker
from gateway.simulator.line import Account, ILine, Post, Reply

INBOX = "5"
ARCHIVE = "7"

Scripted = Reply | Element | Exception | Callable[[], "Scripted | None"]


def reply(element: Element | None = None, status: int = 200, **headers: str) -> Reply:
    """A reply with that document; underscores in header names stand for hyphens."""
    body = b"" if element is None else wbxml.encode(element)
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def status(command: str, number: int) -> Element:
    """A document that holds nothing but a Status."""
    page = {"Sync": "AirSync", "FolderSync": "FolderHierarchy"}.get(command, command)
    return Element(f"{page}:{command}", Element(f"{page}:Status", number))


def ping(number: int, **extra: int) -> Element:
    """The answer to a Ping with that Status and a limit."""
    return Element("Ping:Ping", Element("Ping:Status", number), *(Element(f"Ping:{k}", v) for k, v in extra.items()))


@define(eq=False)
class ToyFolder:
    """A mail folder: what happened to its items, in order, and how far each key has come."""

    id: str
    name: str
    type: int
    log: list[Element] = field(factory=list)
    keys: dict[str, int] = field(factory=dict)
    newest: int = 0

    def add(self, id: str, subject: str, received: str = "2024-05-01T08:00:00.000Z") -> None:
        data = [Element("Email:Subject", subject), Element("Email:DateReceived", received), Element("Email:Read", 0)]
        parts = (Element("AirSync:ServerId", id), Element("AirSync:ApplicationData", *data))
        self.log.append(Element("AirSync:Add", *parts))

    def remove(self, id: str) -> None:
        self.log.append(Element("AirSync:Delete", Element("AirSync:ServerId", id)))

    def issue(self, position: int) -> str:
        self.newest += 1
        key = f"k{self.newest}"
        self.keys[key] = position
        return key

    @property
    def news(self) -> bool:
        return self.newest == 0 or self.keys[f"k{self.newest}"] < len(self.log)


@define(eq=False)
class ToyServer:
    """Answers posts. C{script} has per command what to answer first, one after the other.

    C{asked} holds every post with its document; C{parked} the Ping that waits, or the Sync C{hanging}.
    """

    versions: str = "2.5,12.0,12.1,14.0,14.1"
    policy_key: int = 0
    wipe: str = ""
    folders: dict[str, ToyFolder] = field(factory=dict)
    script: dict[str, list[Scripted]] = field(factory=lambda: defaultdict(list))
    asked: list[tuple[Post, Element | None]] = field(factory=list)
    options: int = 0
    hierarchy: int = 1
    parked: Deferred[Reply] | None = None
    watched: tuple[str, ...] = ()
    hanging: Element | None = None

    def __attrs_post_init__(self) -> None:
        self.folders = {INBOX: ToyFolder(INBOX, "Posteingang", 2), ARCHIVE: ToyFolder(ARCHIVE, "Archive", 12)}

    @property
    def inbox(self) -> ToyFolder:
        return self.folders[INBOX]

    def commands(self) -> list[str]:
        """The names of all commands asked so far."""
        return [post.command for post, _ in self.asked]

    def documents(self, command: str) -> list[Element]:
        """The documents of all posts of that command."""
        return [root for post, root in self.asked if post.command == command and root is not None]

    def deliver(self, id: str, subject: str, folder: str = INBOX) -> None:
        """A mail comes in, and ends the Ping that waits for it."""
        self.folders[folder].add(id, subject)
        self.wake()

    def wake(self) -> None:
        """End the parked request if a folder that it watches has news."""
        changed = [id for id in self.watched if id in self.folders and self.folders[id].news]
        if changed and self.hanging is not None:
            self.answer_ping(self._brought(self.hanging, changed))
        elif changed:
            folders = Element("Ping:Folders", *(Element("Ping:Folder", id) for id in changed))
            self.answer_ping(Element("Ping:Ping", Element("Ping:Status", 2), folders))

    def answer_ping(self, outcome: Element | Exception | None) -> None:
        """End the parked request, with C{None} by an empty answer."""
        parked, self.parked = self.parked, None
        if parked is not None:
            if isinstance(outcome, Exception):
                parked.errback(outcome)
            else:
                parked.callback(reply(outcome))

    def answer_options(self) -> Deferred[Reply]:
        self.options += 1
        scripted = self._scripted("OPTIONS")
        return scripted or succeed(Reply(200, {"ms-asprotocolversions": self.versions}))

    def answer(self, post: Post) -> Deferred[Reply]:
        root = wbxml.decode(post.body) if post.body else None
        self.asked.append((post, root))
        scripted = self._scripted(post.command)
        if scripted is not None:
            return scripted
        if post.command == "Ping":
            return self._ping(root)
        if post.command == "Provision":
            assert root is not None
            return succeed(reply(self._provision(root)))
        if self.wipe or (self.policy_key and post.policy_key != self.policy_key):
            old = post.version in ("2.5", "12.0", "12.1")
            return succeed(Reply(449) if old else reply(status(post.command, 140 if self.wipe else 142)))
        if post.command == "Sync" and (root is None or len(root.children) > 1):
            return self._hang(root)
        assert root is not None
        answer = self._folder_sync(root) if post.command == "FolderSync" else self._sync(root)
        return succeed(reply(answer))

    def _scripted(self, command: str) -> Deferred[Reply] | None:
        outcome: Scripted | None = self.script[command].pop(0) if self.script[command] else None
        if callable(outcome):
            outcome = outcome()
        if outcome is None:
            return None
        if isinstance(outcome, Exception):
            failed: Deferred[Reply] = Deferred()
            failed.errback(outcome)
            return failed
        assert isinstance(outcome, (Reply, Element))
        return succeed(reply(outcome) if isinstance(outcome, Element) else outcome)

    def _ping(self, root: Element | None) -> Deferred[Reply]:
        if root is not None:
            listed = root.child("Ping:Folders")
            self.watched = tuple(f.text_of("Ping:Id") or "" for f in listed or ())
        self.hanging = None
        return self._park()

    def _hang(self, root: Element | None) -> Deferred[Reply]:
        if root is not None:
            self.hanging = root
            self.watched = tuple(c.text_of("AirSync:CollectionId") or "" for c in root.children[0])
        return self._park()

    def _brought(self, root: Element, changed: list[str]) -> Element:
        """What a Sync that hung is answered about folders that have changed."""
        asked = [c for c in root.children[0] if c.text_of("AirSync:CollectionId") in changed]
        answers = [self._sync(Element("AirSync:Sync", Element("AirSync:Collections", one))) for one in asked]
        found = [answer.children[0].children[0] for answer in answers]
        return Element("AirSync:Sync", Element("AirSync:Collections", *found))

    def _park(self) -> Deferred[Reply]:
        self.parked = Deferred(self._left)
        parked = self.parked
        self.wake()
        return parked

    def _left(self, parked: Deferred[Reply]) -> None:
        if self.parked is parked:
            self.parked = None

    def _provision(self, root: Element) -> Element:
        one = Element("Provision:Status", 1)
        if self.wipe:
            if root.child(f"Provision:{self.wipe}") is not None:
                return Element("Provision:Provision", one)
            return Element("Provision:Provision", one, Element(f"Provision:{self.wipe}"))
        policies = root.child("Provision:Policies")
        policy = policies and policies.child("Provision:Policy")
        assert policy
        key = policy.text_of("Provision:PolicyKey")
        if not self.policy_key:
            answer = Element("Provision:Policy", Element("Provision:Status", 2))
        else:
            given = self.policy_key if key == "11" else 11
            answer = Element("Provision:Policy", Element("Provision:Status", 1), Element("Provision:PolicyKey", given))
        return Element("Provision:Provision", one, Element("Provision:Policies", answer))

    def _folder_sync(self, root: Element) -> Element:
        key = root.text_of("FolderHierarchy:SyncKey")
        ok = Element("FolderHierarchy:Status", 1)
        now = Element("FolderHierarchy:SyncKey", f"h{self.hierarchy}")
        if key == f"h{self.hierarchy}":
            changes = Element("FolderHierarchy:Changes", Element("FolderHierarchy:Count", 0))
        elif key == "0":
            rows = [_row(folder) for folder in self.folders.values()]
            changes = Element("FolderHierarchy:Changes", Element("FolderHierarchy:Count", len(rows)), *rows)
        else:
            return status("FolderSync", 9)
        return Element("FolderHierarchy:FolderSync", ok, now, changes)

    def _sync(self, root: Element) -> Element:
        collection = root.children[0].children[0]
        folder = self.folders.get(collection.text_of("AirSync:CollectionId") or "")
        if folder is None:
            return status("Sync", 12)
        key = collection.text_of("AirSync:SyncKey") or ""
        parts = []
        if key == "0":
            given, number = folder.issue(0), 1
        elif key not in folder.keys:
            given, number = "0", 3
        else:
            given, number = self._advance(folder, collection, folder.keys[key], parts), 1
        found = (
            Element("AirSync:SyncKey", given),
            Element("AirSync:CollectionId", folder.id),
            Element("AirSync:Status", number),
            *parts,
        )
        return Element("AirSync:Sync", Element("AirSync:Collections", Element("AirSync:Collection", *found)))

    def _advance(self, folder: ToyFolder, collection: Element, position: int, parts: list[Element]) -> str:
        if collection.text_of("AirSync:GetChanges", "1") == "0":
            commands = collection.child("AirSync:Commands") or ()
            responses = [_fetched(command) for command in commands if command.name == "Fetch"]
            if responses:
                parts.append(Element("AirSync:Responses", *responses))
            return folder.issue(position)
        window = int(collection.text_of("AirSync:WindowSize", "100") or "100")
        rows = folder.log[position : position + window]
        if rows:
            parts.append(Element("AirSync:Commands", *rows))
        if position + len(rows) < len(folder.log):
            parts.append(Element("AirSync:MoreAvailable"))
        return folder.issue(position + len(rows))


def _fetched(command: Element) -> Element:
    id = command.text_of("AirSync:ServerId") or ""
    if id == "gone":
        return Element("AirSync:Fetch", Element("AirSync:ServerId", id), Element("AirSync:Status", 8))
    data = Element("AirSync:ApplicationData", Element("Email:Subject", "whole"))
    return Element("AirSync:Fetch", Element("AirSync:ServerId", id), Element("AirSync:Status", 1), data)


def _row(folder: ToyFolder) -> Element:
    return Element(
        "FolderHierarchy:Add",
        Element("FolderHierarchy:ServerId", folder.id),
        Element("FolderHierarchy:ParentId", "0"),
        Element("FolderHierarchy:DisplayName", folder.name),
        Element("FolderHierarchy:Type", folder.type),
    )


@implementer(ILine)
@define(eq=False)
class ToyLine:
    """Carries posts to a L{ToyServer} without a network; C{down} makes it break instead."""

    server: ToyServer
    down: Exception | None = None
    places: list[str] = field(factory=list)
    timeouts: list[float] = field(factory=list)

    def options(self, timeout: float) -> Deferred[Reply]:
        return self.server.answer_options() if self.down is None else self._broken()

    def post(self, post: Post) -> Deferred[Reply]:
        self.timeouts.append(post.timeout)
        return self.server.answer(post) if self.down is None else self._broken()

    def move(self, url: str) -> None:
        if not url.startswith("https://"):
            raise ValueError(f"{url} is not https")
        self.places.append(url)

    def close(self) -> None:
        """Nothing is kept open."""

    def _broken(self) -> Deferred[Reply]:
        failed: Deferred[Reply] = Deferred()
        failed.errback(self.down or Lost("broken"))
        return failed


@implementer(IOnlooker)
@define(eq=False)
class Notes:
    """Keeps every event."""

    events: list[Event] = field(factory=list)

    def happened(self, account: Account, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type) -> list:
        """The events of that kind."""
        return [event for event in self.events if isinstance(event, kind)]
