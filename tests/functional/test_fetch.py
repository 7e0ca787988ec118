"""Fetching over real connections: attachments in every way, phones that stall, and ones that leave."""

from __future__ import annotations

import asyncio
import base64
import os
import smtplib
from email.message import EmailMessage
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from gateway.element import Element
from tests.eas.fetches import Fetched, of_file, of_item, op, preference, taken_apart
from tests.functional.phones import Phone, Reply, sync_body
from tests.functional.running import DOMAIN, PASSWORD, PATIENCE, Running, eventually, played, shared, started, until
from tests.functional.test_pyactivesync import POLICY

LARGE = os.urandom(6_000_000)


def send(gateway: Running, user: str, content: bytes, name: str = "grün.pdf") -> None:
    """Deliver a mail with an attachment."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "bob@example.net", f"{user}@{DOMAIN}", "A file"
    message.set_content("See the file.\n")
    message.add_attachment(content, "application", "pdf", filename=name)
    with smtplib.SMTP(*gateway.address("smtp"), timeout=PATIENCE) as server:
        server.send_message(message)


async def reference(phone: Phone) -> str:
    """The name of the only attachment of the only mail, as a Sync tells it."""
    await phone.folder_sync()
    await phone.sync()
    while True:
        reply = await phone.sync()
        for _, data in reply.commands("Add"):
            assert data is not None
            old = float(phone.version) < 12
            (listed,) = data.child("Email:Attachments" if old else "AirSyncBase:Attachments") or ()
            return listed.text_of("Email:AttName" if old else "AirSyncBase:FileReference") or ""


async def ask(phone: Phone, operation: Element, **headers: str) -> tuple[Reply, Fetched]:
    """Send an ItemOperations with one operation."""
    reply = await phone.ask("ItemOperations", op("ItemOperations", operation), **headers)
    return reply, taken_apart(reply.body, reply.headers["content-type"])


def spools(gateway: Running) -> int:
    """How many files without a name the gateway has open."""
    assert gateway.process is not None
    found = 0
    for file in Path(f"/proc/{gateway.process.pid}/fd").iterdir():
        try:
            target = os.readlink(file)
        except OSError:
            continue
        found += target.startswith(str(gateway.folder)) and target.endswith("(deleted)")
    return found


class FetchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.gateway = shared()
        self.user = self.gateway.newcomer()

    @played
    async def test_everyVersion(self) -> None:
        """Every version fetches the same attachment in the ways that it has."""
        send(self.gateway, self.user, LARGE)
        for version in ("2.5", "12.0", "12.1", "14.0", "14.1", "16.0", "16.1"):
            phone = Phone(self.gateway, self.user, f"phone{version}", version)
            name = await reference(phone)
            if float(version) < 14:
                target = phone.line("GetAttachment") + f"&AttachmentName={name}"
                reply = await phone.ask("GetAttachment", target=target)
                self.assertEqual((reply.status, reply.headers["content-type"]), (200, "application/pdf"))
                self.assertTrue(reply.body == LARGE)
            if float(version) >= 12:
                reply, found = await ask(phone, of_file(name))
                self.assertTrue(found.data == LARGE)
                self.assertEqual(reply.headers["content-type"], "application/vnd.ms-sync.wbxml")
                reply, found = await ask(phone, of_file(name), MS_ASAcceptMultiPart="T")
                self.assertTrue(found.parts == [LARGE])
                self.assertEqual(reply.headers["content-type"], "application/vnd.ms-sync.multipart")
                _, found = await ask(phone, of_file(name, op("Range", "5999990-99999999")))
                self.assertEqual(found.data, LARGE[-10:])
            phone.close()

    @played
    async def test_multipartByQuery(self) -> None:
        """The base64 query asks for several parts too, and names the attachment of a GetAttachment."""
        send(self.gateway, self.user, b"small")
        phone = Phone(self.gateway, self.user, version="14.1")
        name = await reference(phone)
        path = phone.line("").partition("?")[0]

        def query(version: int, command: int, *parameters: tuple[int, bytes]) -> str:
            head = bytes((version, command, 9, 4, 6)) + b"phone1" + bytes((0, 4)) + b"Test"
            return base64.b64encode(
                head + b"".join(bytes((tag, len(value))) + value for tag, value in parameters)
            ).decode()

        reply = await phone.ask(
            "ItemOperations", op("ItemOperations", of_file(name)), target=f"{path}?{query(141, 19, (7, bytes((2,))))}"
        )
        self.assertEqual(taken_apart(reply.body, reply.headers["content-type"]).parts, [b"small"])
        reply = await phone.ask("GetAttachment", target=f"{path}?{query(121, 4, (0, name.encode()))}")
        self.assertEqual((reply.status, reply.body), (200, b"small"))
        reply = await phone.ask("GetAttachment", target=f"{path}?{query(121, 4, (0, b'9:9:9'))}")
        self.assertEqual((reply.status, reply.body), (500, b""))
        phone.close()

    @played
    async def test_mime(self) -> None:
        """A large mail comes as MIME, octet by octet what is stored."""
        send(self.gateway, self.user, LARGE)
        phone = Phone(self.gateway, self.user)
        name = (await reference(phone)).rpartition(":")[0]
        _, found = await ask(phone, of_item(name, Element("AirSync:MIMESupport", 2), preference(4)))
        (stored,) = (self.gateway.inbox(self.user) / "new").iterdir()
        self.assertTrue(
            found.body["Data"].encode().replace(b"\r\n", b"\n") == stored.read_bytes().replace(b"\r\n", b"\n")
        )
        phone.close()

    @played
    async def test_leavingPhones(self) -> None:
        """Phones that ask for a large attachment and leave, or take nothing for a while, cost no more than a file, which
        is gone with them; the connection of one that takes its time serves the next request."""
        send(self.gateway, self.user, LARGE)
        first = Phone(self.gateway, self.user)
        name = await reference(first)
        phones = [Phone(self.gateway, self.user, f"slow{number}") for number in range(3)]
        for phone in phones:
            await phone.send("ItemOperations", op("ItemOperations", of_file(name)))
        await eventually(lambda: spools(self.gateway) == len(phones), "the files of the answers")
        phones[0].close()
        await eventually(lambda: spools(self.gateway) == len(phones) - 1, "the file of the phone that left")
        for phone in phones[1:]:
            reply = await phone.receive()
            self.assertTrue(taken_apart(reply.body, reply.headers["content-type"]).data == LARGE)
            self.assertEqual((await phone.folder_sync()).status, 200)
        await eventually(lambda: spools(self.gateway) == 0, "the files to be gone")
        for phone in (first, *phones):
            phone.close()

    @played
    async def test_slowSyncs(self) -> None:
        """Phones to whom a Sync brings a large mail as MIME, and that take nothing for a while, cost a file each,
        packed or not, and nobody waits for them."""
        send(self.gateway, self.user, LARGE)
        first = Phone(self.gateway, self.user)
        await reference(first)
        (stored,) = (self.gateway.inbox(self.user) / "new").iterdir()
        phones = [Phone(self.gateway, self.user, f"slow{number}") for number in range(6)]
        for number, phone in enumerate(phones):
            await phone.folder_sync()
            await phone.sync()
            body = sync_body(phone.inbox, phone.keys[phone.inbox])
            options = Element("AirSync:Options", Element("AirSync:MIMESupport", 2), preference(4))
            body.children[0].children[0].children.append(options)
            await phone.send("Sync", body, Accept_Encoding="gzip" if number % 2 else "")
        await eventually(lambda: spools(self.gateway) == len(phones), "the files of the answers")
        self.assertEqual((await first.sync()).status, 200)
        for number, phone in enumerate(phones):
            reply = await asyncio.wait_for(phone.receive(), PATIENCE)
            self.assertEqual(reply.headers.get("content-encoding"), "gzip" if number % 2 else None)
            ((_, data),) = reply.commands("Add")
            found = data and data.child("AirSyncBase:Body")
            text = (found and found.text_of("AirSyncBase:Data")) or ""
            self.assertTrue(text.encode().replace(b"\r\n", b"\n") == stored.read_bytes().replace(b"\r\n", b"\n"))
        await eventually(lambda: spools(self.gateway) == 0, "the files to be gone")
        for phone in (first, *phones):
            phone.close()


class PyActiveSyncTests(SynchronousTestCase):
    def test_fetch(self) -> None:
        """An independent client fetches mails and attachments."""
        if find_spec("pyactivesync") is None:
            raise SkipTest("pyactivesync is not installed")
        from pyactivesync.client import Client

        gateway = started(self, settings=POLICY)
        send(gateway, "ann", b"%PDF" * 1000)
        certificate: Any = str(gateway.folder / "certificate.pem")
        server = f"localhost:{gateway.address('https')[1]}"
        client = Client(server, "ann", PASSWORD, device_id="pyactivesync1", verify_ssl=certificate, timeout=PATIENCE)
        client._transport.session.trust_env = False
        self.addCleanup(client.close)
        inbox = next(folder.id for folder in client.list_folders() if folder.name == "Inbox")
        key = client.sync_folder(inbox).sync_key
        items = until(lambda: client.sync_folder(inbox, key).added, "the mail")
        item = client.fetch_item(inbox, items[0].server_id)
        self.assertEqual(item.fields["Email.Subject"], "A file")
        self.assertIn("See the file.", item.body.data)
        (attachment,) = item.attachments
        self.assertEqual(attachment.display_name, "grün.pdf")
        self.assertEqual(client.fetch_attachment(attachment.file_reference), b"%PDF" * 1000)
