"""Many phones in one thread: TLS connections that send one request each and wait for the answers."""

from __future__ import annotations

import selectors
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable

from attrs import define, field

from bench.gateway import user_name
from gateway.eas import wbxml
from tests.functional.phones import Reply, folder_sync_body, hang_body, ping_body, sync_body
from tests.functional.running import PASSWORD
from tests.support import PATH, basic, request

#: Connections that shake hands, or requests that are under way, at a time.
AT_A_TIME = 64


class Failed(Exception):
    """The server answered what a phone cannot use."""


@define(eq=False)
class Phone:
    """One device with one connection; C{answer} is the last one, its C{at} is time.time()."""

    number: int
    sock: ssl.SSLSocket | None = None
    buffer: bytearray = field(factory=bytearray)
    answer: Reply | None = None
    folder: str = ""
    key: str = "0"

    def request(self, command: str, body: bytes) -> bytes:
        """The bytes of a request."""
        user = user_name(self.number)
        line = f"POST {PATH}?Cmd={command}&User={user}&DeviceId=dev{self.number}&DeviceType=Bench HTTP/1.1"
        fields = {"Host": "localhost", "Authorization": basic(user, PASSWORD), "User-Agent": "bench/1.0"}
        return request(line, body, fields)

    def folder_sync(self) -> bytes:
        """The first FolderSync."""
        return self.request("FolderSync", wbxml.encode(folder_sync_body("0")))

    def sync(self) -> bytes:
        """A Sync of the Inbox with the newest key."""
        return self.request("Sync", wbxml.encode(sync_body(self.folder, self.key)))

    def ping(self, interval: int) -> bytes:
        """A Ping of the Inbox with all its parameters."""
        return self.request("Ping", wbxml.encode(ping_body(interval, self.folder)))

    def hang(self, interval: int) -> bytes:
        """A Sync of the Inbox with the newest key that waits."""
        return self.request("Sync", wbxml.encode(hang_body(interval, {self.folder: self.key})))

    def take_folder(self) -> None:
        """Remember the id of the Inbox that a FolderSync answer names."""
        assert self.answer is not None
        changes = self.answer.element.child("FolderHierarchy:Changes")
        assert changes is not None
        self.folder = next(
            add.text_of("FolderHierarchy:ServerId") or ""
            for add in changes.all("FolderHierarchy:Add")
            if add.text_of("FolderHierarchy:Type") == "2"
        )

    def take_key(self) -> None:
        """Remember the key of a Sync answer; an empty one brings none."""
        assert self.answer is not None
        if self.answer.body:
            self.key = self.answer.collection.text_of("AirSync:SyncKey") or self.key


@define(eq=False)
class Fleet:
    """All phones of a measurement."""

    address: tuple[str, int]
    phones: list[Phone]
    on_answer: Callable[[Phone], None] = lambda phone: None
    _selector: selectors.BaseSelector = field(factory=selectors.EpollSelector)
    _context: ssl.SSLContext = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._context = ssl.create_default_context()
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE

    def connect(self, phone: Phone) -> None:
        """Open the connection of a phone."""
        plain = socket.create_connection(self.address)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        phone.sock = self._context.wrap_socket(plain, server_hostname="localhost")
        phone.sock.setblocking(False)
        self._selector.register(phone.sock, selectors.EVENT_READ, phone)

    def disconnect(self, phones: Iterable[Phone]) -> None:
        """Close connections."""
        for phone in phones:
            if phone.sock is not None:
                self._selector.unregister(phone.sock)
                phone.sock.close()
                phone.sock = None

    def send(self, phone: Phone, data: bytes) -> None:
        """Send a request; requests are small, so they fit into the socket's buffer."""
        assert phone.sock is not None
        phone.answer = None
        phone.buffer.clear()
        phone.sock.sendall(data)

    def poll(self, timeout: float) -> None:
        """Take in what comes within that time, in seconds."""
        for key, _ in self._selector.select(timeout):
            self._read(key.data)

    def _read(self, phone: Phone) -> None:
        assert phone.sock is not None
        try:
            while data := phone.sock.recv(65536):
                phone.buffer += data
        except (ssl.SSLWantReadError, BlockingIOError):
            pass
        else:
            raise Failed(f"the server closed the connection of phone {phone.number}")
        head, end, rest = phone.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(rest) >= length:
            phone.answer = Reply(int(head.split()[1]), {}, bytes(rest[:length]), length, time.time())
            phone.buffer.clear()
            self.on_answer(phone)

    def ask_all(self, make: Callable[[Phone], bytes], use: Callable[[Phone], None]) -> None:
        """One request of each phone, some at a time, connecting where need be; C{use} gets each answer."""
        todo = deque(self.phones)
        under_way: set[Phone] = set()
        while todo or under_way:
            while todo and len(under_way) < AT_A_TIME:
                phone = todo.popleft()
                if phone.sock is None:
                    self.connect(phone)
                self.send(phone, make(phone))
                under_way.add(phone)
            self.poll(5.0)
            for phone in [phone for phone in under_way if phone.answer is not None]:
                under_way.discard(phone)
                assert phone.answer is not None
                if phone.answer.status == 503:
                    todo.append(phone)
                    continue
                if phone.answer.status != 200:
                    raise Failed(f"HTTP {phone.answer.status} for phone {phone.number}")
                use(phone)

    def set_up(self) -> None:
        """FolderSync and first Syncs of every phone, so that a Ping parks."""
        self.ask_all(Phone.folder_sync, Phone.take_folder)
        for _ in range(2):
            self.ask_all(Phone.sync, Phone.take_key)

    def park_all(self, interval: int = 2700, make: Callable[[Phone, int], bytes] = Phone.ping) -> None:
        """Send a Ping of every phone, or another request that parks; returns when all are sent."""
        for count, phone in enumerate(self.phones):
            if phone.sock is None:
                self.connect(phone)
            self.send(phone, make(phone, interval))
            if count % AT_A_TIME == 0:
                self.poll(0)


def wait_parked(count: Callable[[], int], wanted: int, fleet: Fleet, patience: float = 300.0) -> float:
    """Wait until so many are parked; the seconds that it took."""
    began = time.monotonic()
    while count() < wanted:
        if time.monotonic() - began > patience:
            raise Failed(f"only {count()} of {wanted} are parked")
        fleet.poll(0.05)
    return time.monotonic() - began
