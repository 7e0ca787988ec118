"""A gateway with every command for the interoperability tests: phones that speak HTTP, mails that arrive by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, field
from twisted.internet.defer import execute
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.call import Call, Version
from gateway.eas.commands import version_of
from gateway.eas.estimate import GetItemEstimate
from gateway.eas.foldercommands import FolderCreate, FolderDelete, FolderUpdate
from gateway.eas.folderoperations import FolderOperations
from gateway.eas.folders import FolderSync, GetHierarchy
from gateway.eas.gate import Gate, Rules
from gateway.eas.getattachment import GetAttachment
from gateway.eas.itemoperations import ItemOperations
from gateway.eas.moveitems import MoveItems
from gateway.eas.moving import Moving
from gateway.eas.provision import Provision
from gateway.eas.reading import Reading
from gateway.eas.spool import Spools
from gateway.eas.status import STATUSES
from gateway.eas.sync import Sync
from gateway.element import Element
from gateway.model import Change, Device, Found
from gateway.testing import MemoryMailbox
from tests.eas.support import text
from tests.support import WBXML, HTTPAnswer, Phone, World
from tests.versions import unknown_to

#: What the tests are run in; versions between these behave as one of them.
VERSIONS = ("12.1", "14.0", "14.1", "16.1")
SINCE_14 = VERSIONS[1:]
SINCE_14_1 = VERSIONS[2:]
DAY = 86400

MAIL = (
    "From: Bob <bob@example.org>\r\nTo: Ann <ann@example.org>\r\nSubject: {0}\r\nMIME-Version: 1.0\r\n"
    'Content-Type: text/plain; charset="us-ascii"\r\nMessage-ID: <{0}@example.org>\r\n\r\n{1}\r\n'
)


def air(name: str, *content: Element | str | int | None) -> Element:
    """An element of AirSync."""
    return Element(f"AirSync:{name}", *content)


def base(name: str, *content: Element | str | int | None) -> Element:
    """An element of AirSyncBase."""
    return Element(f"AirSyncBase:{name}", *content)


def email(name: str, *content: Element | str | int | None) -> Element:
    """An element of Email."""
    return Element(f"Email:{name}", *content)


def options(*content: Element) -> Element:
    """An Options element."""
    return air("Options", *content)


def collection(key: str, folder: int | str, *more: Element) -> Element:
    """A Collection as a Sync asks for it."""
    return air("Collection", air("SyncKey", key), air("CollectionId", folder), *more)


def sync_of(*collections: Element, more: Iterable[Element] = ()) -> Element:
    """The body of a Sync."""
    return air("Sync", air("Collections", *collections), *more)


def change(server_id: str, *properties: Element) -> Element:
    """A client's Change of an item."""
    return air("Change", air("ServerId", server_id), air("ApplicationData", *properties))


@define(eq=False, slots=False)
class Gateway(World):
    """The world with all commands that there are, put together as the real one is."""

    rules: Rules = field(factory=lambda: Rules(allow_non_provisionable=False))
    mails: MemoryMailbox = field(factory=MemoryMailbox)
    moving: Moving = field(init=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        sync = Sync(self.parking, self.store, self.mails, self, self.now, execute, self.rules)
        self.commands["Sync"] = sync
        self.commands["FolderSync"] = FolderSync(self.store, self.dispatcher.greeting)
        self.commands["GetItemEstimate"] = GetItemEstimate(self.store, self.now, self.rules)
        self.moving = Moving(self.store, self.mails, self, self.now, sync.changes)
        self.commands["FolderCreate"] = FolderCreate(self.moving)
        self.commands["FolderUpdate"] = FolderUpdate(self.moving)
        self.commands["FolderDelete"] = FolderDelete(self.moving)
        self.commands["GetHierarchy"] = GetHierarchy(self.store)
        self.commands["MoveItems"] = MoveItems(self.moving)
        fetching = self.store, Reading(self.mails, execute), Spools(), self.rules
        empty = {"ItemOperations:EmptyFolderContents": FolderOperations(self.moving).empty}
        self.commands["ItemOperations"] = ItemOperations(*fetching, empty, self.moving.own)
        self.commands["GetAttachment"] = GetAttachment(*fetching)
        self.commands["Provision"] = Provision(self.partnerships, self.rules, self.now)

    def changed(self, *changes: Change) -> None:
        """See L{gateway.interfaces.IReporter}."""
        self.board.changed(*changes)

    def gate(self, call: Call, device: Device) -> None:
        """Judge by the policy."""
        Gate(self.rules, self.now).check(call, device)

    def arrive(self, folder: int, name: str, raw: str = "", *, state: str = "", age: int = 0, path: str = "") -> None:
        """Have a mail arrive C{age} seconds ago; without C{raw} one whose subject is its name."""
        octets = (raw or MAIL.format(name, "Hi.")).encode("latin-1")
        self.mails.put("ann", path, name, octets, state)
        self.board.changed(
            *self.result(self.store.record({folder: ([Found(name, state, self.now() - age)], [])}))  # type: ignore[misc]
        )


@define(eq=False, slots=False)
class Client(Phone):
    """A phone with the commands of the suites; what they give is the document of the answer, C{None} for none."""

    def ask(self, command: str, body: Element | bytes | None = None, **headers: str) -> Element | None:
        """Send a command that must be answered at once with HTTP 200."""
        answer = self.http(command, body, **headers)
        assert answer.status == 200, (answer.status, answer.body)
        return answer.element if answer.body else None

    def http(self, command: str, body: Element | bytes | None = None, **headers: str) -> HTTPAnswer:
        """Send a command that must be answered at once; the HTTP answer. C{X_MS_PolicyKey="1"} is a header."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        (answer,) = self.post(command, body, fields)
        # The suites expect 139 and 145 for what a phone says of a policy in every version.
        if command != "Provision" and answer.body and answer.headers.get("content-type") == WBXML:
            version = version_of(self.version)
            unknown = newer(answer.element, version)
            # What a client says itself it knows, in whatever version; the answer has to have the root of its command.
            said = unknown_to(version, body) if isinstance(body, Element) else []
            if answer.element.tag not in said:
                unknown += [tag for tag in unknown_to(version, answer.element) if tag not in said]
            assert not unknown, (command, self.version, unknown)
        return answer

    def folder_sync(self, key: str = "0") -> Element:
        """FolderSync; the answer."""
        answer = self.ask("FolderSync", Element("FolderHierarchy:FolderSync", Element("FolderHierarchy:SyncKey", key)))
        assert answer is not None
        return answer

    def sync(self, folder: int, *more: Element, key: str = "", whole: Iterable[Element] = ()) -> Element | None:
        """Sync one folder with the newest key, which is learnt."""
        answer = self.ask("Sync", sync_of(collection(key or self.keys.get(folder, "0"), folder, *more), more=whole))
        found = part(answer)
        if found is not None and found.text_of("AirSync:Status") == "1":
            self.keys[folder] = found.text_of("AirSync:SyncKey") or ""
        return answer

    def begin(self, folder: int, *more: Element) -> Element | None:
        """Sync one folder from the start: the answer with its items."""
        self.sync(folder, key="0")
        return self.sync(folder, *more)

    def estimate(self, *collections: Element) -> Element:
        """GetItemEstimate; the answer."""
        body = Element("GetItemEstimate:GetItemEstimate", Element("GetItemEstimate:Collections", *collections))
        answer = self.ask("GetItemEstimate", body)
        assert answer is not None
        return answer


def newer(element: Element, version: Version) -> list[str]:
    """The values of Status, wherever in an answer, that are common ones which the version does not know."""
    found = [element.text] if element.name == "Status" and element.text.isdigit() else []
    unknown = [text for text in found if int(text) in STATUSES and STATUSES[int(text)].since > version]
    return unknown + [text for child in element for text in newer(child, version)]


def part(answer: Element | None) -> Element | None:
    """The first Collection of a Sync answer."""
    collections = None if answer is None else answer.child("AirSync:Collections")
    return None if collections is None or not collections.children else collections.children[0]


def whole_status(answer: Element | None) -> str:
    """The Status of a Sync as a whole."""
    return (answer or air("none")).text_of("AirSync:Status") or ""


def status(answer: Element | None) -> str:
    """The Status of the first Collection."""
    return (part(answer) or air("none")).text_of("AirSync:Status") or ""


def server_commands(answer: Element | None, verb: str = "Add") -> list[Element]:
    """The server's commands of that kind in the first Collection."""
    commands = (part(answer) or air("none")).child("AirSync:Commands")
    return [] if commands is None else commands.all(f"AirSync:{verb}")


def responses(answer: Element | None) -> str:
    """The Responses of the first Collection in short, or nothing."""
    return text((part(answer) or air("none")).child("AirSync:Responses"))


def data(command: Element) -> Element:
    """The ApplicationData of a command."""
    found = command.child("AirSync:ApplicationData")
    assert found is not None
    return found


def only(answer: Element | None, verb: str = "Add") -> Element:
    """The ApplicationData of the only server command of that kind in the first Collection."""
    (command,) = server_commands(answer, verb)
    return data(command)


def name_of(command: Element) -> str:
    """The ServerId of a command."""
    return command.text_of("AirSync:ServerId") or ""


def names(element: Element) -> list[str]:
    """The local names of the children."""
    return [child.name for child in element]


class InteropCase(SynchronousTestCase):
    """Each test makes its worlds by version, and leaves no timer behind."""

    def setUp(self) -> None:
        self.made: list[Client] = []

    def tearDown(self) -> None:
        for client in self.made:
            client.connection.lose()
        self.assertEqual(self.flushLoggedErrors(), [])
        for client in self.made:
            self.assertEqual(client.world.clock.getDelayedCalls(), [])

    def client(self, version: str = "14.1", **more: Any) -> tuple[Client, int]:
        """A phone in a new world, and the id of its Inbox."""
        world = Gateway(**more)
        inbox = world.mailbox()[""]
        phone = Client(world, version=version)
        self.made.append(phone)
        return phone, inbox

    def each(self, versions: Iterable[str], check: Callable[[Client, int], None], *mails: str) -> None:
        """Run a check in each of these versions: in a new world with these mails, where the phone knows its folders."""
        for version in versions:
            with self.subTest(version=version):
                phone, inbox = self.client(version)
                phone.folder_sync()
                for number, raw in enumerate(mails):
                    phone.world.arrive(inbox, f"m{number}", raw)
                check(phone, inbox)
