"""What a phone sees of the gateway over a real TLS connection: the important rows of the Ping tables once more."""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode

from twisted.trial.unittest import SynchronousTestCase

from gateway.element import Element
from tests.functional.phones import Gone, Phone, Reply, ping_body, read_command, subject
from tests.functional.running import eventually, played, shared
from tests.support import PATH


class SocketTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.gateway = shared()
        self.user = self.gateway.newcomer()

    def phone(self, version: str = "14.1", device: str = "phone1", user: str = "") -> Phone:
        return Phone(self.gateway, user or self.user, device, version)

    async def parked(self, interval: int = 60, version: str = "14.1") -> tuple[Phone, asyncio.Task[Reply]]:
        phone = self.phone(version)
        await phone.ready()
        return phone, await phone.park(interval)

    async def mail(self, title: str = "hello") -> None:
        await asyncio.to_thread(self.gateway.send_mail, self.user, title)


class PingTests(SocketTests):
    @played
    async def test_expires(self) -> None:
        """A Ping without a change is answered with Status 1 at its interval, not before, and at once after it."""
        phone = self.phone()
        await phone.ready()
        began = time.monotonic()
        reply = await phone.ping(2)
        self.assertEqual((reply.status, reply.ping, reply.changed), (200, "1", []))
        self.assertGreaterEqual(reply.at - began, 2.0)
        self.assertLess(reply.at - began, 5.0)

    @played
    async def test_changed(self) -> None:
        """A mail that comes by SMTP ends the parked Ping with Status 2 and the folder, and a Sync brings it."""
        phone, answer = await self.parked()
        await self.mail("good news")
        reply = await answer
        self.assertEqual((reply.ping, reply.changed), ("2", [phone.inbox]))
        brought = [subject(data) for _, data in (await phone.sync()).commands("Add")]
        self.assertEqual(brought, ["good news"])
        await phone.park()

    @played
    async def test_changedBefore(self) -> None:
        """A change between a Sync and the Ping is told at once, whatever the interval is."""
        phone = self.phone()
        await phone.ready()
        await self.mail()
        self.assertEqual((await phone.ping(2700)).ping, "2")

    @played
    async def test_dropped(self) -> None:
        """A mail that another program renames into the Maildir ends the Ping."""
        phone, answer = await self.parked()
        inbox = self.gateway.inbox(self.user)
        (inbox / "tmp" / "1.M1P1.other").write_bytes(b"Subject: dropped\r\n\r\nHello.\r\n")
        (inbox / "tmp" / "1.M1P1.other").rename(inbox / "new" / "1.M1P1.other")
        self.assertEqual((await answer).ping, "2")
        self.assertEqual([subject(data) for _, data in (await phone.sync()).commands("Add")], ["dropped"])

    @played
    async def test_ownChange(self) -> None:
        """What a device changed itself wakes the other devices of the user, and never itself."""
        await self.mail()
        phone, other = self.phone(), self.phone(device="other1")
        await other.ready()
        await phone.folder_sync()
        await phone.sync()
        item = next(id for id, _ in (await phone.sync()).commands("Add"))
        again = self.phone()
        again.folders, again.keys = phone.folders, phone.keys
        answer, others = await phone.park(), await other.park()
        await again.sync(read_command(item))
        self.assertEqual((await others).ping, "2")
        self.assertFalse(answer.done())
        self.assertTrue(phone.parked())

    @played
    async def test_superseded(self) -> None:
        """A newer Ping of the same device completes the older one at once with Status 1, and parks."""
        older, answer = await self.parked()
        newer = self.phone()
        newer.folders = older.folders
        waiting = await newer.park()
        self.assertEqual((await answer).ping, "1")
        self.assertFalse(waiting.done())
        await self.mail()
        self.assertEqual((await waiting).ping, "2")

    @played
    async def test_otherUser(self) -> None:
        """Two users with one DeviceId do not supersede each other."""
        _, answer = await self.parked()
        neighbour = self.phone(user=self.gateway.newcomer())
        await neighbour.ready()
        await neighbour.park()
        self.assertFalse(answer.done())

    @played
    async def test_left(self) -> None:
        """A phone that disconnects frees its slot at once."""
        phone, answer = await self.parked(2700)
        phone.close()
        with self.assertRaises(Gone):
            await answer
        await eventually(lambda: not phone.parked(), "the slot to be free")

    @played
    async def test_hierarchy(self) -> None:
        """A folder that appears ends the Ping with Status 7; FolderSync brings it, and the next Ping parks."""
        phone, answer = await self.parked()
        for part in ("", "/cur", "/new", "/tmp"):
            (self.gateway.inbox(self.user) / f".Work{part}").mkdir()
        self.assertEqual((await answer).ping, "7")
        await phone.folder_sync()
        self.assertIn("Work", phone.folders)
        await phone.sync(folder="Work")
        await phone.sync(folder="Work")
        await phone.park(60, phone.inbox, phone.folders["Work"])

    @played
    async def test_wiped(self) -> None:
        """A wipe ends the parked Ping with Status 7; the next command gets 449 or 140 by its version."""
        for version, device in (("12.1", "old1"), ("14.1", "new1")):
            phone = self.phone(version, device)
            phone.headers = {"X-MS-PolicyKey": "0"}
            await phone.ready()
            answer = await phone.park()
            await asyncio.to_thread(self.gateway.ask, "wipe", user=self.user, device=device, by="tests")
            self.assertEqual((await answer).ping, "7")
            reply = await phone.folder_sync()
            if version == "12.1":
                self.assertEqual(reply.status, 449)
            else:
                self.assertEqual((reply.status, reply.element.text_of("FolderHierarchy:Status")), (200, "140"))
            self.assertEqual((await phone.ping()).ping, "7")

    @played
    async def test_off(self) -> None:
        """A Ping of a user in mode off parks quietly: no change ends it, Status 1 comes at its interval."""
        self.user = "quiet"
        _, answer = await self.parked(2)
        await self.mail()
        self.assertEqual((await answer).ping, "1")


class StatusTests(SocketTests):
    async def status(self, body: Element | bytes | None) -> Reply:
        phone = self.phone()
        await phone.ready()
        return await phone.ask("Ping", body)

    @played
    async def test_missing(self) -> None:
        """An empty first Ping, and one without folders, are answered with Status 3."""
        for body in (None, ping_body(60)):
            self.assertEqual((await self.status(body)).ping, "3")

    @played
    async def test_empty(self) -> None:
        """An empty Ping after a full one takes what that asked for."""
        phone = self.phone()
        await phone.ready()
        self.assertEqual((await phone.ping(1)).ping, "1")
        self.assertEqual((await phone.ask("Ping")).ping, "1")

    @played
    async def test_malformed(self) -> None:
        """No WBXML, another root, a folder twice or a number that is none are answered with Status 4."""
        bodies = (b"\x03\x01\x6a\x00\xff", Element("FolderHierarchy:FolderSync"), ping_body(60, "1", "1"))
        for body in (*bodies, Element("Ping:Ping", Element("Ping:HeartbeatInterval", "soon"))):
            self.assertEqual((await self.status(body)).ping, "4")

    @played
    async def test_interval(self) -> None:
        """An interval out of bounds is answered with Status 5 and the bound, and never becomes the cached one."""
        for interval, bound in ((0, "1"), (2701, "2700")):
            reply = await self.status(ping_body(interval, "1"))
            self.assertEqual((reply.ping, reply.element.text_of("Ping:HeartbeatInterval")), ("5", bound))
        self.assertEqual((await self.status(None)).ping, "3")

    @played
    async def test_folders(self) -> None:
        """More folders than allowed are answered with Status 6 and how many may be."""
        reply = await self.status(ping_body(60, *map(str, range(1, 302))))
        self.assertEqual((reply.ping, reply.element.text_of("Ping:MaxFolders")), ("6", "300"))

    @played
    async def test_unknown(self) -> None:
        """A folder that is not there is answered with Status 7."""
        self.assertEqual((await self.status(ping_body(60, "999999"))).ping, "7")


class WireTests(SocketTests):
    @played
    async def test_versions(self) -> None:
        """From 2.5 to 16.1 a phone synchronises, parks and is told of a mail."""
        for version in ("2.5", "12.0", "12.1", "14.0", "14.1", "16.0", "16.1"):
            phone = self.phone(version, "v" + version.replace(".", ""))
            await phone.ready()
            answer = await phone.park()
            await self.mail(f"for {version}")
            self.assertEqual((await answer).changed, [phone.inbox], version)
            brought = [subject(data) for _, data in (await phone.sync()).commands("Add")]
            self.assertEqual(brought, [f"for {version}"], version)

    @played
    async def test_base64(self) -> None:
        """The base64 query does what the plain one does."""
        phone = self.phone()
        await phone.ready()
        device = phone.device.encode()
        query = bytes([141, 18, 0x09, 0x04, len(device)]) + device + b"\x00\x04Test"
        phone.headers = {"MS-ASProtocolVersion": ""}
        target = f"{PATH}?{b64encode(query).decode()}"
        reply = await phone.ask("Ping", ping_body(1, phone.inbox), target=target)
        self.assertEqual((reply.status, reply.ping), (200, "1"))

    @played
    async def test_options(self) -> None:
        """OPTIONS tells versions without blanks, ascending, and the commands that work."""
        reply = await self.phone().ask("", method="OPTIONS", target=PATH)
        self.assertEqual(reply.headers["ms-asprotocolversions"], "2.5,12.0,12.1,14.0,14.1,16.0,16.1")
        commands = reply.headers["ms-asprotocolcommands"].split(",")
        self.assertLessEqual({"Sync", "Ping", "FolderSync", "Provision", "GetItemEstimate"}, set(commands))

    @played
    async def test_gzip(self) -> None:
        """A long answer is compressed for who accepts that."""
        for number in range(8):
            await self.mail(f"number {number} " + "x" * 200)
        phone = self.phone()
        phone.headers = {"Accept-Encoding": "gzip"}
        await phone.folder_sync()
        await phone.sync()
        reply = await phone.sync()
        self.assertEqual(reply.headers.get("content-encoding"), "gzip")
        self.assertLess(reply.size, len(reply.body))
        self.assertEqual(len(list(reply.commands("Add"))), 8)

    @played
    async def test_keepAlive(self) -> None:
        """All requests of a phone, parked ones too, go over one connection."""
        phone = self.phone()
        await phone.connect()
        connection = phone._writer
        await phone.ready()
        for _ in range(2):
            self.assertEqual((await phone.ping(1)).ping, "1")
        self.assertIs(phone._writer, connection)

    @played
    async def test_credentials(self) -> None:
        """Without the right password the answer is 401, for a POST with a body too, and the connection goes on."""
        phone = self.phone()
        phone.password = "wrong"
        reply = await phone.ask("Ping", ping_body(60, "1"))
        self.assertEqual(reply.status, 401)
        self.assertTrue(reply.headers["www-authenticate"].startswith("Basic "))
        phone.password = "correct horse"
        self.assertEqual((await phone.folder_sync()).status, 200)
