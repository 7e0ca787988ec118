"""A gateway in memory for tests: real store, core and commands, HTTP without sockets, time that tests move."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.core.heartbeat import HeartbeatWindow
from gateway.core.partnerships import Partnerships
from gateway.core.policy import Policy
from gateway.core.switchboard import Switchboard
from gateway.eas import wbxml
from gateway.eas.access import AccessLog
from gateway.eas.call import Call, Command
from gateway.eas.dispatch import Dispatcher
from gateway.eas.http import ActiveSync, Root, TrustedProxies, make_site
from gateway.eas.incoming import ChannelLimits
from gateway.eas.parked import Parking, ParkingLimits
from gateway.eas.ping import Ping
from gateway.element import Element
from gateway.interfaces import IAuthenticator
from gateway.model import Device, DeviceKey, FolderType, Found, FoundFolder, SyncRequest
from tests.stores import new_store, result_of

PATH = "/Microsoft-Server-ActiveSync"
WBXML = "application/vnd.ms-sync.wbxml"
EPOCH = 1_700_000_000
FOLDERS = [
    FoundFolder("", "Inbox", FolderType.INBOX),
    FoundFolder(".Sent", "Sent Items", FolderType.SENT),
    FoundFolder(".Trash", "Deleted Items", FolderType.DELETED),
]


def request(line: str, body: bytes, fields: Mapping[str, str | None]) -> bytes:
    """A request as bytes, with what every device sends beside C{fields}; what is C{None} there is left out."""
    usual = {
        "Host": "mail.example.org",
        "MS-ASProtocolVersion": "14.1",
        "Content-Length": str(len(body)),
        "Content-Type": WBXML if body else None,
    }
    head = [f"{name}: {value}" for name, value in {**usual, **fields}.items() if value is not None]
    return "\r\n".join([line, *head, "", ""]).encode("latin-1") + body


def basic(user: str = "ann", password: str = "secret", encoding: str = "utf-8") -> str:
    """The value of an Authorization header."""
    return "Basic " + b64encode(f"{user}:{password}".encode(encoding)).decode()


@implementer(IAuthenticator)
@define(eq=False)
class Passwords:
    """Knows users and passwords in plain text, and answers at once."""

    users: dict[str, str] = field(factory=lambda: {"ann": "secret", "bob": "geheim"})

    def check(self, user: str, password: str, address: str) -> Deferred[str]:
        """The user, if the password is right."""
        name = user.rpartition("\\")[2].partition("@")[0].lower()
        if self.users.get(name) != password:
            return fail(UnauthorizedLogin(user))
        return succeed(name)

    def check_any(self, candidates: Sequence[tuple[str, str]], address: str) -> Deferred[str]:
        """The first that is right."""
        for user, password in candidates:
            if self.users.get(user.lower()) == password:
                return succeed(user.lower())
        return fail(UnauthorizedLogin("none fits"))


@define(eq=False)
class HTTPAnswer:
    """One answer as it came over the connection."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes

    @property
    def element(self) -> Element:
        """The document in the body."""
        return wbxml.decode(self.body)


class Connection:
    """A client's connection to a site, without a socket."""

    def __init__(self, world: World, host: str = "192.0.2.1") -> None:
        address = IPv4Address("TCP", host, 40000)
        self.transport = StringTransport(peerAddress=address)
        self.protocol = world.site.buildProtocol(address)
        self.protocol.makeConnection(self.transport)

    @property
    def closing(self) -> bool:
        """Whether the server has closed its side."""
        return self.transport.disconnecting

    @property
    def aborted(self) -> bool:
        """Whether the server has broken the connection, whatever was still to be sent."""
        return self.transport.disconnected

    def send(self, data: bytes) -> None:
        """Have bytes arrive at the server."""
        self.protocol.dataReceived(data)

    def answers(self) -> list[HTTPAnswer]:
        """The complete answers that the server has written since the last call."""
        data = self.transport.value()
        found = []
        while b"\r\n\r\n" in data:
            head, _, rest = data.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            _, status, reason = first.split(" ", 2)
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            length = int(headers.get("content-length", "0"))
            found.append(HTTPAnswer(int(status), reason, headers, rest[:length]))
            data = rest[length:]
        self.transport.clear()
        return found

    def lose(self) -> None:
        """Have the connection break."""
        self.protocol.connectionLost(Failure(ConnectionLost()))


@define(eq=False, slots=False)
class World:
    """Store, core, Ping and HTTP; further commands are added to C{commands}."""

    clock: Clock = field(factory=Clock)
    policy: Policy = field(factory=Policy)
    limits: ParkingLimits = field(factory=ParkingLimits)
    channel: ChannelLimits = field(factory=ChannelLimits)
    commands: dict[str, Command] = field(factory=dict)
    stands: dict[str, bool] = field(factory=dict)
    latencies: list[float] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.clock.advance(5000)
        self.store = new_store(self.now)
        self.board = Switchboard(self.clock)
        self.partnerships = Partnerships(self.store)
        self.window = HeartbeatWindow()
        self.parking = Parking(
            clock=self.clock,
            now=self.now,
            ledger=self.store,
            partnerships=self.partnerships,
            board=self.board,
            policy=self.policy,
            stands=lambda device: self.stands.get(device.key.user, True),
            window=self.window,
            limits=self.limits,
            delivered=self.latencies.append,
        )
        self.commands["Ping"] = Ping(self.parking)
        self.dispatcher = Dispatcher(
            clock=self.clock,
            now=self.now,
            authenticator=Passwords(),
            partnerships=self.partnerships,
            commands=self.commands,
            gate=self.gate,
            levels=self.parking.levels,
            access=AccessLog(),
        )
        self.site = make_site(Root(ActiveSync(self.dispatcher, TrustedProxies())), self.clock, self.channel, 120)

    def now(self) -> int:
        """Wall-clock seconds, moved by the same clock."""
        return EPOCH + int(self.clock.seconds())

    def gate(self, call: Call, device: Device) -> None:
        """Everybody may pass."""

    def result(self, done: Deferred[Any]) -> Any:
        """What a Deferred of the store has fired with."""
        return result_of(done)

    # What happens at the source.

    def mailbox(self, user: str = "ann") -> dict[str, int]:
        """Make the folders of a user; their ids by path."""
        folders, changes = self.result(self.store.record_hierarchy(user, FOLDERS))
        for change in changes:
            self.board.changed(change)
        return {folder.path: folder.id for folder in folders}

    def found(self, folder: int, *names: str, state: str = "", gone: Sequence[str] = ()) -> None:
        """Have items be found in a folder, or gone from it."""
        found = [Found(name, state, self.now()) for name in names]
        self.board.changed(*self.result(self.store.record({folder: (found, list(gone))})))


@define(eq=False, slots=False)
class Phone:
    """A device that says what a test tells it to, on one connection or on several."""

    world: World
    user: str = "ann"
    password: str = "secret"
    device: str = "phone1"
    version: str = "14.1"
    connection: Connection = field(init=False)
    hierarchy_key: str = field(init=False, default="0")
    keys: dict[int, str] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.connection = Connection(self.world)

    def reconnect(self) -> Connection:
        """Use a new connection; the old one stays as it is and is returned."""
        old, self.connection = self.connection, Connection(self.world)
        return old

    def post(
        self,
        command: str,
        body: Element | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: str | None = None,
    ) -> list[HTTPAnswer]:
        """Send a command; the answers that have come, none while it is parked."""
        data = wbxml.encode(body) if isinstance(body, Element) else body or b""
        query = query or f"Cmd={command}&User={self.user}&DeviceId={self.device}&DeviceType=SP"
        fields = {
            "Authorization": basic(self.user, self.password),
            "MS-ASProtocolVersion": self.version,
            **{name: value or None for name, value in (headers or {}).items()},
        }
        self.connection.send(request(f"POST {PATH}?{query} HTTP/1.1", data, fields))
        return self.connection.answers()

    def ping(self, interval: int | None = 60, *folders: int | str, **words: str) -> list[HTTPAnswer]:
        """Send a Ping with these elements; with neither, an empty body."""
        parts = [] if interval is None else [Element("Ping:HeartbeatInterval", interval)]
        if folders:
            rows = [
                Element("Ping:Folder", Element("Ping:Id", str(f)), Element("Ping:Class", words.get("word", "Email")))
                for f in folders
            ]
            parts.append(Element("Ping:Folders", *rows))
        return self.post("Ping", Element("Ping:Ping", *parts) if parts else None)

    def synchronise(self, *folders: int) -> None:
        """Bring hierarchy and folders up to date in the ledger, as FolderSync and Sync would."""
        world, key = self.world, self.key
        outcome = world.result(world.store.sync_folders(key, self.hierarchy_key))
        self.hierarchy_key = outcome.key
        world.store.given(key, 0, self.hierarchy_key)
        for folder in folders:
            more = True
            while more:
                now, asked = world.now(), self.keys.get(folder, "0")
                request = SyncRequest(asked, str(world.clock.seconds()).encode(), now, get_changes=asked != "0")
                done = world.result(world.store.sync(key, folder, request))
                self.keys[folder] = done.key
                world.store.given(key, folder, done.key)
                more = asked == "0" or done.more
        world.parking.levels.forget(key)

    @property
    def key(self) -> DeviceKey:
        """The partnership."""
        return DeviceKey(self.user, self.device)


def status_of(answers: list[HTTPAnswer]) -> str:
    """The Status of the only answer, which must be a Ping response with HTTP status 200."""
    (answer,) = answers
    assert answer.status == 200, (answer.status, answer.headers)
    assert answer.element.tag == "Ping:Ping", answer.element
    return answer.element.text_of("Ping:Status") or ""


def folders_of(answers: list[HTTPAnswer]) -> list[str]:
    """The folders that a Status 2 names."""
    (answer,) = answers
    folders = answer.element.child("Ping:Folders")
    return [] if folders is None else [folder.text for folder in folders]
