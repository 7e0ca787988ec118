"""An attachment of 20 MB fetched over TLS, and its mail synchronised: how fast, and how much memory, with phones that
are quick or stall."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.fleet import Fleet, Phone
from bench.gateway import Gateway, made, progress, report
from gateway.eas import wbxml
from gateway.element import Element
from tests.functional.phones import sync_body

MEGABYTE = 10**6
TIMES = 5
PIECE = 2**18
STALLED = 20
AT_ONCE = 8
SYNCS = 24
#: Seconds after which new mails have been seen, and those of one person taken into the index.
SEEN = 5.0


def mail(size: int) -> bytes:
    """A mail with an attachment of that many bytes."""
    head = (
        "From: b@example.org\r\nTo: a@example.org\r\nSubject: Large\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="-b-"\r\n\r\n---b-\r\nContent-Type: text/plain\r\n\r\nHi.\r\n'
        '---b-\r\nContent-Type: application/pdf; name="a.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
        "Content-Disposition: attachment\r\n\r\n"
    )
    body = base64.encodebytes(os.urandom(size)).replace(b"\n", b"\r\n")
    return head.encode() + body + b"\r\n---b---\r\n"


def fetch_body(*content: Element) -> bytes:
    """An ItemOperations with one Fetch."""
    store = Element("ItemOperations:Store", "Mailbox")
    fetch = Element("ItemOperations:Fetch", store, *content)
    return wbxml.encode(Element("ItemOperations:ItemOperations", fetch))


def mime_options() -> Element:
    """A mail as MIME."""
    kind = Element("AirSyncBase:BodyPreference", Element("AirSyncBase:Type", 4))
    return Element("ItemOperations:Options", Element("AirSync:MIMESupport", 2), kind)


def whole_sync(phone: Phone) -> bytes:
    """The body of a Sync that brings mails as MIME, all of it."""
    kind = Element("AirSyncBase:BodyPreference", Element("AirSyncBase:Type", 4))
    options = Element("AirSync:Options", Element("AirSync:MIMETruncation", 8), Element("AirSync:MIMESupport", 2), kind)
    body = sync_body(phone.folder, phone.key)
    body.children[0].children[0].children.append(options)
    return wbxml.encode(body)


def connected(address: tuple[str, int]) -> ssl.SSLSocket:
    """A TLS connection."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(address), server_hostname="localhost")


def download(address: tuple[str, int], request: bytes) -> int:
    """Send a request and read its answer to the end; how many bytes the body had."""
    buffer = bytearray(PIECE)
    with connected(address) as connection:
        connection.sendall(request)
        data = connection.recv(PIECE)
        while b"\r\n\r\n" not in data:
            data += connection.recv(PIECE)
        head, _, rest = data.partition(b"\r\n\r\n")
        assert b" 200 " in head.split(b"\r\n")[0] + b" ", head
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
        read = len(rest)
        while read < length:
            read += connection.recv_into(buffer)
        return length


def resident(gateway: Gateway, name: str = "VmRSS") -> int:
    """Memory of the process in bytes; C{"VmHWM"} is the most that it has had since L{forget_peak}."""
    for line in Path(f"/proc/{gateway.pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"no {name}")


def forget_peak(gateway: Gateway) -> None:
    """Begin to measure the most memory."""
    Path(f"/proc/{gateway.pid}/clear_refs").write_text("5")


def learnt(gateway: Gateway) -> tuple[Phone, str]:
    """A phone that has synchronised, and the ServerId of its mail."""
    phone = Phone(0)
    fleet = Fleet(gateway.address("https"), [phone])
    fleet.ask_all(Phone.folder_sync, Phone.take_folder)
    fleet.ask_all(Phone.sync, Phone.take_key)
    fleet.connect(phone)
    fleet.send(phone, phone.request("Sync", wbxml.encode(sync_body(phone.folder, phone.key))))
    while phone.answer is None:
        fleet.poll(1.0)
    ((name, _),) = phone.answer.commands("Add")
    fleet.disconnect([phone])
    return phone, name


def measured(gateway: Gateway, work: Callable[[], int], size: int, base: int) -> dict[str, float]:
    """Megabytes of the attachment each second, CPU for each, and the most memory above C{base}, one after another."""
    forget_peak(gateway)
    cpu, began = gateway.cpu(), time.monotonic()
    for _ in range(TIMES):
        work()
    seconds, spent = time.monotonic() - began, gateway.cpu() - cpu
    return {
        "mb_per_s": round(TIMES * size / MEGABYTE / seconds, 1),
        "cpu_s_each": round(spent / TIMES, 3),
        "peak_mib": round((resident(gateway, "VmHWM") - base) / 2**20, 1),
    }


def at_once(gateway: Gateway, requests: list[bytes], size: int, base: int) -> dict[str, float]:
    """Megabytes of the attachments each second, of all together, and the most memory above C{base}."""
    forget_peak(gateway)
    began = time.monotonic()
    with ThreadPoolExecutor(len(requests)) as pool:
        list(pool.map(lambda request: download(gateway.address("https"), request), requests))
    return {
        "phones": len(requests),
        "mb_per_s": round(len(requests) * size / MEGABYTE / (time.monotonic() - began), 1),
        "peak_mib": round((resident(gateway, "VmHWM") - base) / 2**20, 1),
    }


def stalled(gateway: Gateway, requests: list[bytes]) -> dict[str, float]:
    """Memory while phones have asked and take nothing."""
    base = resident(gateway)
    forget_peak(gateway)
    connections = []
    for request in requests:
        connection = connected(gateway.address("https"))
        connection.sendall(request)
        connection.recv(1)
        connections.append(connection)
    growth = resident(gateway) - base
    most = resident(gateway, "VmHWM") - base
    for connection in connections:
        connection.close()
    return {
        "phones": len(requests),
        "mib_each": round(growth / 2**20 / len(requests), 2),
        "peak_mib": round(most / 2**20, 1),
    }


def main(megabytes: int = 20) -> None:
    """Measure, and print the line."""
    size = megabytes * MEGABYTE
    with TemporaryDirectory(prefix="pushgw-fetch-") as folder:
        gateway = made(Path(folder) / "gateway", SYNCS)
        raw = mail(size)
        deliver(gateway, 0, raw)
        gateway.timed_start()
        try:
            time.sleep(SEEN)
            report("fetch", megabytes=megabytes, **_measure(gateway, size, raw))
        finally:
            gateway.kill()


def deliver(gateway: Gateway, number: int, raw: bytes) -> None:
    """Put a mail into an Inbox."""
    (gateway.inbox(gateway.users[number]) / "new" / "1.large").write_bytes(raw)


def syncs(gateway: Gateway, size: int, raw: bytes) -> dict[str, float]:
    """Many phones that synchronise at once, of which each gets the whole mail."""
    for number in range(1, SYNCS):
        deliver(gateway, number, raw)
    time.sleep(SEEN)
    fleet = Fleet(gateway.address("https"), [Phone(number) for number in range(SYNCS)])
    fleet.ask_all(Phone.folder_sync, Phone.take_folder)
    fleet.ask_all(Phone.sync, Phone.take_key)
    fleet.disconnect(fleet.phones)
    requests = [phone.request("Sync", whole_sync(phone)) for phone in fleet.phones]
    return at_once(gateway, requests, size, resident(gateway))


def _measure(gateway: Gateway, size: int, raw: bytes) -> dict[str, object]:
    phone, name = learnt(gateway)
    address = gateway.address("https")
    file = phone.request("ItemOperations", fetch_body(Element("AirSyncBase:FileReference", f"{name}:2")))
    parts = file.replace(b"\r\nHost:", b"\r\nMS-ASAcceptMultiPart: T\r\nHost:", 1)
    item = (Element("AirSync:CollectionId", phone.folder), Element("AirSync:ServerId", name), mime_options())
    mime = phone.request("ItemOperations", fetch_body(*item))
    base = resident(gateway)
    figures: dict[str, object] = {"mail_mib": round(len(raw) / 2**20, 1)}
    for kind, request in (("inline", file), ("multipart", parts), ("mime", mime)):
        figures[kind] = measured(gateway, lambda request=request: download(address, request), size, base)  # type: ignore[misc]
        progress(f"{kind}: {figures[kind]}")
    figures["at_once"] = at_once(gateway, [file] * AT_ONCE, size, base)
    progress(f"at once: {figures['at_once']}")
    figures["syncs"] = syncs(gateway, size, raw)
    progress(f"syncs: {figures['syncs']}")
    figures["stalled"] = stalled(gateway, [file] * STALLED)
    progress(f"stalled: {figures['stalled']}")
    return figures


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
