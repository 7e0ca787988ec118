"""Phones that send, on a running gateway, with a Postfix that wants TLS and a password as the relay."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from gateway.element import Element
from tests.functional.phones import Phone
from tests.functional.postfix import NO_SASL, NO_SINK, addresses, postfix, sink
from tests.functional.running import PASSWORD as OF_USERS
from tests.functional.running import PATIENCE, Running, eventually, played, until

REFUSE = "check_recipient_access inline:{ nobody@example.net=REJECT }"


def compose(name: str, *content: Element | str | bytes | None) -> Element:
    """An element of ComposeMail."""
    return Element(f"ComposeMail:{name}", *content)


def mime(subject: str, *to: str, text: str = "Hello.") -> bytes:
    """A message as a phone writes it."""
    return f"From: ann@example.org\r\nTo: {', '.join(to)}\r\nSubject: {subject}\r\n\r\n{text}\r\n".encode()


def document(command: str, client: str, message: bytes, *more: Element) -> Element:
    """The document of 14.0 and later."""
    return compose(command, compose("ClientId", client), *more, compose("SaveInSentItems"), compose("Mime", message))


def air(name: str, *content: Element | str | bytes) -> Element:
    """An element of AirSyncBase."""
    return Element(f"AirSyncBase:{name}", *content)


def text(name: str, value: str) -> Element:
    """A property of a mail."""
    return Element(f"Email:{name}", value)


def command(verb: str, id: str, value: str, *properties: Element, send: bool = False) -> Element:
    """A client command of a Sync."""
    data = Element("AirSync:ApplicationData", *properties)
    return Element(f"AirSync:{verb}", Element(f"AirSync:{id}", value), data, Element("Email2:Send") if send else None)


class SendingCase(SynchronousTestCase):
    skip = NO_SASL or NO_SINK

    def setUp(self) -> None:
        self.sink = sink(self)
        routes = {"example.net": self.sink.port}
        self.postfix = postfix(self, routes, login=True, smtpd_recipient_restrictions=REFUSE)
        folder = tempfile.TemporaryDirectory(prefix="pushgw test ")
        self.addCleanup(folder.cleanup)
        settings = {"relay": self.postfix.relay, "maildir": {"create_special": "true"}}
        self.gateway = Running(Path(folder.name) / "data", ["ann", "carol"], settings)
        self.addCleanup(self.gateway.kill)
        self.gateway.make()
        self.gateway.start()

    async def phone(self, version: str = "14.1", device: str = "phone1") -> Phone:
        """A phone that knows its folders, with the newest keys of Inbox and Sent Items."""
        phone = Phone(self.gateway, "ann", device, version)
        await phone.ready()
        for _ in range(2):
            await phone.sync(folder="Sent Items")
        return phone

    async def arrived(self, count: int) -> list[str]:
        """The mails in the world, once there are so many."""
        return await eventually(
            lambda: mails if len(mails := self.sink.mails()) >= count else None,
            f"{count} mails:\n{self.postfix.log[-2000:]}\n{self.gateway.log[-2000:]}",
        )

    def files(self, user: str, folder: str = "") -> Iterator[Path]:
        """The mails in a folder of a Maildir."""
        for sub in ("new", "cur"):
            yield from (self.gateway.inbox(user) / folder / sub).iterdir()

    def read(self, path: Path) -> EmailMessage:
        found: EmailMessage = message_from_bytes(path.read_bytes(), policy=SMTP)  # type: ignore[assignment]
        return found

    def reports(self) -> list[EmailMessage]:
        """What Ann was told of mail that was not delivered."""
        return [one for path in self.files("ann") if (one := self.read(path)).get_content_type() == "multipart/report"]


class SendMailTests(SendingCase):
    @played
    async def test_everyVersion(self) -> None:
        """A mail of a phone of each version reaches the world, a neighbour, and the folder of sent mails."""
        for number, version in enumerate(("2.5", "12.1", "14.0", "14.1", "16.1"), 1):
            phone = await self.phone(version, f"phone{number}")
            message = mime(f"From {version}", "bob@example.net", "carol@example.org")
            if float(version) < 14:
                target = f"{phone.line('SendMail')}&SaveInSent=T"
                reply = await phone.ask("SendMail", message, target=target, Content_Type="message/rfc822")
            else:
                reply = await phone.ask("SendMail", document("SendMail", "one", message))
            self.assertEqual((reply.status, reply.body), (200, b""))
            mails = await self.arrived(number)
            self.assertEqual(len([mail for mail in mails if f"Subject: From {version}" in mail]), 1)
            await eventually(lambda number=number: len(list(self.files("carol"))) == number, "the neighbour's mail")
            await eventually(lambda number=number: len(list(self.files("ann", ".Sent"))) == number, "the copy")
            phone.close()
        self.assertEqual(set(addresses(self.sink.mails())), {"bob@example.net"})
        [copy] = [path for path in self.files("ann", ".Sent") if self.read(path)["Subject"] == "From 16.1"]
        self.assertTrue(copy.name.endswith(":2,S"))
        self.assertEqual(self.read(copy)["From"], "ann@example.org")
        [mail] = [one for path in self.files("carol") if (one := self.read(path))["Subject"] == "From 2.5"]
        self.assertEqual((mail["Return-Path"], mail["Delivered-To"]), ("<ann@example.org>", "carol@example.org"))
        self.assertIn("with HTTPS", mail["Received"])
        self.assertIn("Anonymous TLS connection established from", self.postfix.log)

    @played
    async def test_shownInSent(self) -> None:
        """The phone that has sent is shown the copy by its next Sync, and woken for it if it watches the folder."""
        phone = await self.phone()
        parked = await phone.park(30, phone.folders["Sent Items"])
        other = Phone(self.gateway, "ann", "phone1")
        await other.ask("SendMail", document("SendMail", "one", mime("Seen", "carol@example.org")))
        self.assertEqual((await parked).ping, "2")
        reply = await phone.sync(folder="Sent Items")
        [(_, data)] = reply.commands("Add")
        assert data is not None
        self.assertEqual((data.text_of("Email:Subject"), data.text_of("Email:Read")), ("Seen", "1"))
        phone.close()
        other.close()

    @played
    async def test_refused(self) -> None:
        """Of several recipients one is refused by the relay: the others get the mail, the sender a report."""
        phone = await self.phone()
        message = mime("Party", "bob@example.net", "nobody@example.net")
        reply = await phone.ask("SendMail", document("SendMail", "one", message))
        self.assertEqual(reply.body, b"")
        self.assertEqual(addresses(await self.arrived(1)), ["bob@example.net"])
        [report] = await eventually(self.reports, "the report")
        self.assertEqual((report["Subject"], report["To"]), ("Undelivered: Party", "ann@example.org"))
        fields = list(report.iter_parts())[1].get_payload()[1]
        self.assertEqual(fields["Final-Recipient"], "rfc822; nobody@example.net")
        self.assertEqual((fields["Status"], fields["Action"]), ("5.7.1", "failed"))
        await asyncio.to_thread(until, lambda: len(list(self.files("ann"))) == 1, "nothing else")
        found = await phone.sync()
        while not (found.body and list(found.commands("Add"))):
            await asyncio.sleep(0.05)
            found = await phone.sync()
        [(_, data)] = found.commands("Add")
        assert data is not None
        self.assertEqual(data.text_of("Email:MessageClass"), "REPORT.IPM.Note.NDR")
        phone.close()

    @played
    async def test_killed(self) -> None:
        """A gateway that is killed between its answer and the relay sends the mail once, whatever the phone does."""
        self.postfix.stop()
        phone = await self.phone()
        body = document("SendMail", "one", mime("Once", "bob@example.net", "carol@example.org"))
        self.assertEqual((await phone.ask("SendMail", body)).body, b"")
        await asyncio.to_thread(self.gateway.kill)
        await asyncio.to_thread(self.gateway.start)
        phone = await self.phone()
        again = await phone.ask("SendMail", body)
        self.assertEqual(again.element.text_of("ComposeMail:Status"), "118")
        await asyncio.to_thread(self.gateway.kill)
        await asyncio.to_thread(self.postfix.start)
        await asyncio.to_thread(self.gateway.start)
        await self.arrived(1)
        phone = await self.phone()
        reply = await phone.ask("SendMail", document("SendMail", "two", mime("Twice", "bob@example.net")))
        self.assertEqual(reply.body, b"")
        mails = await self.arrived(2)
        self.assertEqual(sorted(mail.partition("Subject: ")[2].split("\n")[0] for mail in mails), ["Once", "Twice"])
        await eventually(lambda: len(list(self.files("ann", ".Sent"))) == 2, "the copies")
        self.assertEqual((len(list(self.files("carol"))), self.reports()), (1, []))
        phone.close()

    @played
    async def test_large(self) -> None:
        """A mail of 10 MB goes out and into the folder of sent mails; a larger one than is taken is Status 122."""
        phone = await self.phone()
        big = mime("Big", "bob@example.net", text="x" * 70 + "\r\n" + ("y" * 76 + "\r\n") * 130_000)
        self.assertEqual((await phone.ask("SendMail", document("SendMail", "one", big))).body, b"")
        await eventually(lambda: sum(map(len, self.sink.mails())) > 10_000_000, "the mail")
        huge = await phone.ask("SendMail", document("SendMail", "two", big * 3))
        self.assertEqual(huge.element.text_of("ComposeMail:Status"), "122")
        await eventually(lambda: len(list(self.files("ann", ".Sent"))) == 1, "the copy")
        phone.close()


class SmartTests(SendingCase):
    @played
    async def test_marks(self) -> None:
        """What is answered and passed on goes out with the original, whose file and properties say so."""
        phone = await self.phone("16.1")
        await asyncio.to_thread(self.gateway.send_mail, "ann", "Question")
        found = await phone.sync()
        while not (found.body and list(found.commands("Add"))):
            await asyncio.sleep(0.05)
            found = await phone.sync()
        [(item, _)] = found.commands("Add")
        named = compose("Source", compose("FolderId", phone.inbox), compose("ItemId", item))
        for command, verb, letters in (("SmartReply", "1", "R"), ("SmartForward", "3", "PR")):
            message = mime(f"{command} of it", "bob@example.net", text="Yes.")
            self.assertEqual((await phone.ask(command, document(command, command, message, named))).body, b"")
            reply = await phone.sync()
            [(changed, data)] = reply.commands("Change")
            assert data is not None
            self.assertEqual((changed, data.text_of("Email2:LastVerbExecuted")), (item, verb))
            self.assertTrue(data.text_of("Email2:LastVerbExecutionTime"))
            [path] = list(self.files("ann"))
            self.assertEqual(path.name.partition(":2,")[2], letters)
        replied, passed = sorted(await self.arrived(2), key=lambda mail: "SmartForward" in mail)
        self.assertIn("\nHello.", replied)
        self.assertIn("\nHello.", passed)
        phone.close()


class PyActiveSyncTests(SendingCase):
    def client(self) -> Any:
        from pyactivesync.client import Client

        certificate: Any = str(self.gateway.folder / "certificate.pem")
        server = f"localhost:{self.gateway.address('https')[1]}"
        client = Client(server, "ann", OF_USERS, device_id="py1", verify_ssl=certificate, timeout=PATIENCE)
        client._transport.session.trust_env = False
        client._provisioned = True
        self.addCleanup(client.close)
        return client

    def test_send(self) -> None:
        """A client that others wrote sends by 16.1; the same ClientId once more is refused with 118."""
        if find_spec("pyactivesync") is None:
            raise SkipTest("pyactivesync is not installed")
        from pyactivesync.exceptions import StatusError

        client = self.client()
        message = EmailMessage()
        message["To"], message["Subject"] = "J\xf6rg <bob@example.net>", "Gr\xfc\xdfe"
        message.set_content("H\xe4llo.\n")
        message.add_attachment(b"\0\xff" * 1000, maintype="application", subtype="octet-stream", filename="\xfc.bin")
        client.send_mail(message, client_id="py-1")
        [mail] = until(lambda: self.sink.mails(), f"the mail:\n{self.gateway.log[-2000:]}")
        self.assertIn("filename*=utf-8''%C3%BC.bin", mail)
        with self.assertRaises(StatusError) as refused:
            client.send_mail(message, client_id="py-1")
        self.assertEqual(refused.exception.code, "118")
        until(lambda: len(list(self.files("ann", ".Sent"))) == 1, "the copy")

    def test_draft(self) -> None:
        """It creates a draft with an attachment, which is in the Maildir, and shown to it as it was."""
        if find_spec("pyactivesync") is None:
            raise SkipTest("pyactivesync is not installed")
        client = self.client()
        folder = next(folder.id for folder in client.list_folders() if folder.name == "Drafts")
        key = client.sync_folder(folder, client.sync_folder(folder).sync_key).sync_key
        message = EmailMessage()
        message["To"], message["Subject"] = "bob@example.net", "Gr\xfc\xdfe"
        message.set_content("H\xe4llo.\n")
        message.add_attachment(b"\0\xff" * 1000, maintype="application", subtype="octet-stream", filename="x.bin")
        made = client.create_email_draft(folder, key, message, flagged=True)
        self.assertEqual(made.status, "1")
        [path] = list(self.files("ann", ".Drafts"))
        self.assertEqual(path.name.partition(":2,")[2], "DF")
        self.assertEqual((self.read(path)["Subject"], self.read(path)["From"]), ("Gr\xfc\xdfe", "ann@example.org"))
        fetched = client.fetch_item(folder, made.server_id)
        self.assertIn("H\xe4llo.", fetched.body.data)
        self.assertEqual([attachment.display_name for attachment in fetched.attachments], ["x.bin"])
        again = client.sync_folder(folder, made.sync_key)
        self.assertEqual((again.added, again.changed), ([], []))


class DraftTests(SendingCase):
    @played
    async def test_life(self) -> None:
        """A draft is written, changed, survives a kill, and is sent: once, with its attachment, and then it is gone."""
        phone = await self.phone("16.1")
        for _ in range(2):
            await phone.sync(folder="Drafts")
        files = air(
            "Attachments", air("Add", air("ClientId", "a1"), air("Content", b"\0\xff" * 9), air("DisplayName", "x"))
        )
        reply = await phone.sync(
            command("Add", "ClientId", "c1", text("To", "bob@example.net"), files), folder="Drafts"
        )
        responses = reply.collection.child("AirSync:Responses")
        assert responses is not None
        item = responses.children[0].text_of("AirSync:ServerId") or ""
        change = command(
            "Change", "ServerId", item, text("To", "eve@example.net"), text("Subject", "Ready"), send=False
        )
        await phone.sync(change, folder="Drafts")
        await asyncio.to_thread(self.gateway.kill)
        await asyncio.to_thread(self.gateway.start)
        key = phone.keys[phone.folders["Drafts"]]
        phone = await self.phone("16.1")
        phone.keys[phone.folders["Drafts"]] = key
        [path] = list(self.files("ann", ".Drafts"))
        self.assertEqual((self.read(path)["To"], path.name.partition(":2,")[2]), ("eve@example.net", "D"))
        send = command("Change", "ServerId", item, send=True)
        for _ in range(2):
            phone.keys[phone.folders["Drafts"]] = key
            reply = await phone.sync(send, folder="Drafts")
            self.assertIsNone(reply.collection.child("AirSync:Responses") if reply.body else None)
        [mail] = await self.arrived(1)
        self.assertEqual(addresses([mail]), ["eve@example.net"])
        self.assertIn("Subject: Ready", mail)
        await eventually(lambda: len(list(self.files("ann", ".Sent"))) == 1, "the copy")
        self.assertEqual((list(self.files("ann", ".Drafts")), len(self.sink.mails())), ([], 1))
        reply = await phone.sync(folder="Drafts")
        self.assertEqual([name for name, _ in reply.commands("Delete")], [item])
        phone.close()


class WithoutRelayTests(SynchronousTestCase):
    @played
    async def test_neighbours(self) -> None:
        """Without a relay users of one gateway write to each other; what would go elsewhere is refused."""
        folder = tempfile.TemporaryDirectory(prefix="pushgw test ")
        self.addCleanup(folder.cleanup)
        gateway = Running(Path(folder.name) / "data", ["ann", "carol"])
        self.addCleanup(gateway.kill)
        gateway.make()
        gateway.start()
        ann, carol = Phone(gateway, "ann"), Phone(gateway, "carol")
        await carol.ready()
        parked = await carol.park(30)
        reply = await ann.ask("SendMail", document("SendMail", "one", mime("Hi", "carol@example.org")))
        self.assertEqual(reply.body, b"")
        self.assertEqual((await parked).ping, "2")
        far = await ann.ask("SendMail", document("SendMail", "two", mime("Hi", "carol@example.org", "bob@example.net")))
        self.assertEqual(far.element.text_of("ComposeMail:Status"), "120")
        old = Phone(gateway, "ann", version="12.1")
        refused = await old.ask("SendMail", mime("Hi", "bob@example.net"), Content_Type="message/rfc822")
        self.assertEqual((refused.status, refused.body), (500, b""))
        for phone in (ann, carol, old):
            phone.close()
