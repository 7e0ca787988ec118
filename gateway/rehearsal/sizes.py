"""How many bytes requests and answers take, found by making them with the codecs of gateway and phone.

Three ways to count: C{application} is HTTP with its headers and bodies; C{tls} adds the records and handshakes;
C{wire} adds the packets of TCP and IPv4, acknowledgements included.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from attrs import frozen

from gateway.convert.message import Mail, properties
from gateway.eas import wbxml
from gateway.eas.collection import server_id
from gateway.eas.content import WBXML, packed
from gateway.eas.dispatch import SERVER_VERSION
from gateway.eas.ping import CHANGED, EXPIRED, status
from gateway.element import Element
from gateway.model import SyncOptions
from gateway.rehearsal.sample import mails
from gateway.rehearsal.tally import Tally
from gateway.simulator.collection import SyncWishes, ask_sync
from gateway.simulator.connection import AGENT
from gateway.simulator.hierarchy import ask_hierarchy
from gateway.simulator.line import Account
from gateway.simulator.memory import Memory, PhoneFolder
from gateway.simulator.query import PATH, plain_query

#: Bytes that TLS adds to a record of at most 16 KiB (AES-GCM of TLS 1.2: header 5, nonce 8, tag 16).
RECORD, LARGEST_RECORD = 29, 16384
#: A packet's headers (IPv4 20, TCP 20 with 12 of time stamps), and how much it carries besides.
PACKET, CARRIED = 52, 1400
#: A handshake that resumes a session (TLS 1.2, tickets), and the packets that open and close a connection.
HANDSHAKE, OPEN_AND_CLOSE = 620, 7
VERSION = "2.5"
LEVELS = ("application", "tls", "wire")
_KEY = "{0123456789abcdef}17"


@frozen
class Bytes:
    """Bytes of one thing in both directions, by the way of counting."""

    application: float = 0.0
    tls: float = 0.0
    wire: float = 0.0

    def __add__(self, other: Bytes) -> Bytes:
        return Bytes(self.application + other.application, self.tls + other.tls, self.wire + other.wire)

    def __mul__(self, times: float) -> Bytes:
        return Bytes(self.application * times, self.tls * times, self.wire * times)


def exchange(request: int, answer: int) -> Bytes:
    """A request and its answer of so many bytes of HTTP."""
    sealed = [size + RECORD * ceil(size / LARGEST_RECORD) for size in (request, answer)]
    packets = sum(ceil(size / CARRIED) for size in sealed)
    # Each direction acknowledges every second packet, and at least one.
    acknowledged = sum(ceil(size / CARRIED / 2) for size in sealed)
    return Bytes(request + answer, sum(sealed), sum(sealed) + PACKET * (packets + acknowledged))


@frozen
class Sizes:
    """Bytes of what a phone does; C{item} is what each item of a Sync's answer adds."""

    expired: Bytes
    told: Bytes
    sync: Bytes
    item: Bytes
    empty: Bytes
    folders: Bytes
    connect: Bytes

    def heartbeats(self, tally: Tally) -> Bytes:
        """What the Pings of a phone took; one that was never answered counts as one that was."""
        return self.expired * (tally.heartbeats + tally.lost_parks) + self.told * tally.told

    def syncs(self, tally: Tally) -> Bytes:
        """What its Syncs took."""
        filled = tally.syncs - tally.empty_syncs
        return self.sync * filled + self.item * tally.items + self.empty * tally.empty_syncs

    def total(self, tally: Tally) -> Bytes:
        """Everything, with its connections."""
        rest = self.folders * tally.folder_syncs + self.connect * tally.connects
        return self.heartbeats(tally) + self.syncs(tally) + rest


def measure(gzip: bool, truncation: int = 4) -> Sizes:
    """Make each request and answer once; C{truncation} on the scale of protocol 2.5 (4: 5 KiB of a mail's text)."""
    accepted = b"gzip" if gzip else None
    folder = PhoneFolder("5", "0", "Inbox", 2, key=_KEY)
    ping = _request("Ping", b"")
    sync = _request("Sync", wbxml.encode(ask_sync(folder, VERSION, SyncWishes())))
    known = Memory(hierarchy_key=_KEY)
    tell = Element("Ping:Folders", Element("Ping:Folder", "5"))
    # All together take less than each alone: the difference is what the answer takes beside its items.
    some = mails()
    alone = Bytes()
    for mail in some:
        alone += exchange(sync, _answer(_synced([mail], truncation), accepted)) * (1 / len(some))
    item = (exchange(sync, _answer(_synced(some, truncation), accepted)) + alone * -1.0) * (1 / (len(some) - 1))
    return Sizes(
        expired=exchange(ping, _answer(status(EXPIRED), accepted)),
        told=exchange(ping, _answer(status(CHANGED, tell), accepted)),
        sync=alone + item * -1.0,
        item=item,
        empty=exchange(sync, _answer(_synced([], truncation), accepted)),
        folders=exchange(
            _request("FolderSync", wbxml.encode(ask_hierarchy(known))), _answer(_hierarchy_unchanged(), accepted)
        ),
        connect=Bytes(0.0, HANDSHAKE, HANDSHAKE + PACKET * OPEN_AND_CLOSE),
    )


def _request(command: str, body: bytes) -> int:
    """Bytes of a request as the simulated phone makes it."""
    account = Account("paul.okafor", "correct horse", "4B6A2E81F03C9D57", "SmartPhone")
    lines = [
        f"POST {PATH}?{plain_query(account, command)} HTTP/1.1",
        "Host: mail.example.org",
        "Authorization: Basic cGF1bC5va2Fmb3I6Y29ycmVjdCBob3JzZQ==",
        f"User-Agent: {AGENT.decode()}",
        "Accept-Encoding: gzip",
        f"MS-ASProtocolVersion: {VERSION}",
        f"Content-Length: {len(body)}",
        *([f"Content-Type: {WBXML}"] if body else []),
    ]
    return len("\r\n".join(lines)) + 4 + len(body)


def _answer(element: Element, accepted: bytes | None) -> int:
    """Bytes of an answer as the gateway makes it."""
    body = wbxml.encode(element)
    zipped = packed(body, accepted)
    lines = [
        "HTTP/1.1 200 OK",
        "Date: Mon, 13 Mar 2006 09:10:00 GMT",
        f"MS-Server-ActiveSync: {SERVER_VERSION}",
        "Cache-Control: private",
        f"Content-Type: {WBXML}",
        *(["Content-Encoding: gzip"] if zipped is not None else []),
        f"Content-Length: {len(body)}",
    ]
    return len("\r\n".join(lines)) + 4 + len(body if zipped is None else zipped)


def _synced(brought: Sequence[bytes], truncation: int) -> Element:
    """The answer to a Sync that brings these mails."""
    options = SyncOptions(truncation=truncation)
    adds: Sequence[Element] = [
        Element(
            "AirSync:Add",
            Element("AirSync:ServerId", server_id(5, number)),
            Element("AirSync:ApplicationData", *properties(Mail(raw, received=1_142_241_000), 25, options)),
        )
        for number, raw in enumerate(brought, 100)
    ]
    parts = [
        Element("AirSync:Class", "Email"),
        Element("AirSync:SyncKey", _KEY),
        Element("AirSync:CollectionId", 5),
        Element("AirSync:Status", 1),
        *([Element("AirSync:Commands", *adds)] if adds else []),
    ]
    return Element("AirSync:Sync", Element("AirSync:Collections", Element("AirSync:Collection", *parts)))


def _hierarchy_unchanged() -> Element:
    count = Element("FolderHierarchy:Changes", Element("FolderHierarchy:Count", 0))
    return Element(
        "FolderHierarchy:FolderSync",
        Element("FolderHierarchy:Status", 1),
        Element("FolderHierarchy:SyncKey", _KEY),
        count,
    )
