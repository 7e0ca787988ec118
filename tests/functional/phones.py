"""Lean phones: one TLS connection each, one request at a time, and no more of the protocol than a test wants."""

from __future__ import annotations

import asyncio
import functools
import ssl
import time
from collections.abc import Iterator, Mapping
from gzip import decompress

from attrs import define, field, frozen

from gateway.eas import wbxml
from gateway.element import Element
from tests.functional.running import PASSWORD, PATIENCE, Running, eventually
from tests.support import PATH, basic, request


class Gone(Exception):
    """The connection ended before the answer was complete."""


@functools.cache
def _trust(certificate: str) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=certificate)


@frozen
class Reply:
    """An HTTP answer; C{body} is unpacked, C{size} that of what was sent, C{at} the time that it was complete."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    size: int
    at: float

    @property
    def element(self) -> Element:
        """The document in the body."""
        return wbxml.decode(self.body)

    @property
    def ping(self) -> str:
        """The Status of a Ping answer."""
        return self.element.text_of("Ping:Status") or ""

    @property
    def changed(self) -> list[str]:
        """The folders that a Ping answer names."""
        folders = self.element.child("Ping:Folders")
        return [folder.text for folder in folders or ()]

    @property
    def collection(self) -> Element:
        """The one collection of a Sync answer."""
        collections = self.element.child("AirSync:Collections")
        assert collections is not None, self.element
        return collections.children[0]

    def commands(self, name: str) -> Iterator[tuple[str, Element | None]]:
        """ServerId and ApplicationData of the Adds, Changes or Deletes of a Sync answer; nothing if it is empty."""
        commands = self.collection.child("AirSync:Commands") if self.body else None
        for command in commands.all(f"AirSync:{name}") if commands else ():
            yield command.text_of("AirSync:ServerId") or "", command.child("AirSync:ApplicationData")


def subject(data: Element | None) -> str:
    """The Subject of a mail's properties."""
    return "" if data is None else data.text_of("Email:Subject") or ""


def folder_sync_body(key: str) -> Element:
    """FolderSync with a key."""
    return Element("FolderHierarchy:FolderSync", Element("FolderHierarchy:SyncKey", key))


def sync_body(folder: str, key: str, *commands: Element, item_class: str | None = None) -> Element:
    """A Sync of one folder with client commands; before 14.0 the class of the items is wanted."""
    parts = (
        item_class and Element("AirSync:Class", item_class),
        Element("AirSync:SyncKey", key),
        Element("AirSync:CollectionId", folder),
        None if key == "0" else Element("AirSync:GetChanges"),
        Element("AirSync:Commands", *commands) if commands else None,
    )
    return Element("AirSync:Sync", Element("AirSync:Collections", Element("AirSync:Collection", *parts)))


def hang_body(interval: int, keys: Mapping[str, str]) -> Element:
    """A Sync of some folders, by their keys, that waits for changes so many seconds."""
    body = Element("AirSync:Sync", Element("AirSync:Collections"), Element("AirSync:HeartbeatInterval", interval))
    for folder, key in keys.items():
        body.children[0].children += sync_body(folder, key).children[0].children
    return body


def read_command(item: str) -> Element:
    """The client command that marks a mail as read."""
    return Element(
        "AirSync:Change",
        Element("AirSync:ServerId", item),
        Element("AirSync:ApplicationData", Element("Email:Read", "1")),
    )


def delete_command(item: str) -> Element:
    """The client command that deletes an item."""
    return Element("AirSync:Delete", Element("AirSync:ServerId", item))


def ping_body(interval: int | None, *folders: str) -> Element:
    """A Ping of some folders."""
    named = [Element("Ping:Folder", Element("Ping:Id", each), Element("Ping:Class", "Email")) for each in folders]
    heartbeat = None if interval is None else Element("Ping:HeartbeatInterval", interval)
    return Element("Ping:Ping", heartbeat, Element("Ping:Folders", *named) if named else None)


@define(eq=False)
class Phone:
    """One device. C{folders} are ids by name, C{keys} the newest keys by folder id."""

    gateway: Running
    user: str
    device: str = "phone1"
    version: str = "14.1"
    password: str = PASSWORD
    headers: dict[str, str] = field(factory=dict)
    hierarchy: str = "0"
    folders: dict[str, str] = field(factory=dict)
    keys: dict[str, str] = field(factory=dict)
    _reader: asyncio.StreamReader | None = field(init=False, default=None)
    _writer: asyncio.StreamWriter | None = field(init=False, default=None)

    async def connect(self) -> None:
        """Open the connection.

        @raise OSError: nobody listens.
        """
        trust = _trust((self.gateway.folder / "certificate.pem").read_text())
        host, port = self.gateway.address("https")
        opening = asyncio.open_connection(host, port, ssl=trust, server_hostname="localhost")
        self._reader, self._writer = await asyncio.wait_for(opening, PATIENCE)

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""
        return self._writer is not None

    @property
    def certificate(self) -> bytes:
        """The certificate that the server of the connection has shown, as DER."""
        assert self._writer is not None
        shown: bytes = self._writer.get_extra_info("ssl_object").getpeercert(True)
        return shown

    def close(self) -> None:
        """Drop the connection, as a phone does that leaves its network."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None

    def line(self, command: str) -> str:
        """Path and plain query of a command."""
        return f"{PATH}?Cmd={command}&User={self.user}&DeviceId={self.device}&DeviceType=Test"

    async def send(
        self, command: str, body: Element | bytes | None = None, method: str = "POST", target: str = "", **headers: str
    ) -> None:
        """Send a request; C{headers} with C{_} for C{-} go over the usual ones."""
        if self._writer is None:
            await self.connect()
        data = wbxml.encode(body) if isinstance(body, Element) else body or b""
        fields = {
            "Host": "localhost",
            "Authorization": basic(self.user, self.password),
            "MS-ASProtocolVersion": self.version,
            **self.headers,
            **{name.replace("_", "-"): value or None for name, value in headers.items()},
        }
        assert self._writer is not None
        try:
            self._writer.write(request(f"{method} {target or self.line(command)} HTTP/1.1", data, fields))
            await self._writer.drain()
        except OSError as error:
            self.close()
            raise Gone(str(error)) from error

    async def receive(self) -> Reply:
        """The next answer.

        @raise Gone: the connection ended before it was complete.
        """
        reader = self._reader
        assert reader is not None
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            packed = await reader.readexactly(int(headers.get("content-length", "0")))
        except (asyncio.IncompleteReadError, OSError) as error:
            self.close()
            raise Gone(str(error)) from error
        body = decompress(packed) if headers.get("content-encoding") == "gzip" else packed
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Reply(int(head[0].split()[1]), headers, body, len(packed), time.monotonic())

    async def ask(self, command: str, body: Element | bytes | None = None, **more: str) -> Reply:
        """Send a request and wait for its answer."""
        await self.send(command, body, **more)
        return await asyncio.wait_for(self.receive(), PATIENCE)

    # What every phone does.

    async def folder_sync(self) -> Reply:
        """Bring the hierarchy up to date; new folders are learnt."""
        reply = await self.ask("FolderSync", folder_sync_body(self.hierarchy))
        if reply.status == 200 and reply.element.text_of("FolderHierarchy:Status") == "1":
            self.hierarchy = reply.element.text_of("FolderHierarchy:SyncKey") or self.hierarchy
            changes = reply.element.child("FolderHierarchy:Changes")
            for add in changes.all("FolderHierarchy:Add") if changes else ():
                name = add.text_of("FolderHierarchy:DisplayName") or ""
                self.folders[name] = add.text_of("FolderHierarchy:ServerId") or ""
        return reply

    async def sync(self, *commands: Element, folder: str = "Inbox") -> Reply:
        """Synchronise a folder; the key of the answer is kept."""
        id = self.folders[folder]
        early = "Email" if float(self.version) < 12.1 else None
        reply = await self.ask("Sync", sync_body(id, self.keys.get(id, "0"), *commands, item_class=early))
        if reply.status == 200 and reply.body:
            self.keys[id] = reply.collection.text_of("AirSync:SyncKey") or self.keys.get(id, "0")
        return reply

    async def ready(self) -> None:
        """Synchronise hierarchy and Inbox, so that a Ping parks."""
        await self.folder_sync()
        await self.sync()
        await self.sync()

    @property
    def inbox(self) -> str:
        """The id of the Inbox."""
        return self.folders["Inbox"]

    async def ping(self, interval: int | None = 60, *folders: str) -> Reply:
        """Ping the Inbox, or other folders, and wait for the answer."""
        return await self.ask("Ping", ping_body(interval, *(folders or (self.inbox,))))

    async def park(self, interval: int = 60, *folders: str) -> asyncio.Task[Reply]:
        """Ping, and come back when the gateway has parked that; the task brings the answer."""
        return await self._park("Ping", ping_body(interval, *(folders or (self.inbox,))))

    async def hang(self, interval: int = 60, *folders: str) -> asyncio.Task[Reply]:
        """The same with a Sync that waits, of the Inbox or other folders."""
        return await self._park("Sync", hang_body(interval, {id: self.keys[id] for id in folders or (self.inbox,)}))

    async def _park(self, command: str, body: Element | None) -> asyncio.Task[Reply]:
        await self.send(command, body)
        answer = asyncio.create_task(asyncio.wait_for(self.receive(), PATIENCE))
        await eventually(lambda: answer.done() or self.parked(), f"the {command} to park")
        assert not answer.done(), answer.result().element
        return answer

    def parked(self) -> bool:
        """Whether a request of this device is parked."""
        rows = self.gateway.ask("devices", user=self.user)
        return any(row["device"] == self.device and row["parked_seconds"] is not None for row in rows)
