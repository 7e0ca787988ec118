"""Syncs that hang, over real connections."""

from __future__ import annotations

import asyncio
import signal
import time

from twisted.trial.unittest import SynchronousTestCase

from gateway.element import Element
from tests.functional.phones import Phone, Reply, hang_body, read_command, subject
from tests.functional.running import PASSWORD, Running, background, eventually, played, started, until

BRIEF = {"direct_push": {"min_heartbeat": "1", "farewell_seconds": "1"}}


async def ready(gateway: Running, device: str = "phone1") -> Phone:
    """A phone that has everything there is."""
    phone = Phone(gateway, "ann", device)
    await phone.ready()
    return phone


def subjects(phone: Phone, reply: Reply) -> list[str]:
    """The new mails of an answer; its key is kept."""
    phone.keys[phone.inbox] = reply.collection.text_of("AirSync:SyncKey") or ""
    return [subject(data) for _, data in reply.commands("Add")]


class HangingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.gateway = started(self, settings=BRIEF)

    def tearDown(self) -> None:
        """Nobody complained."""
        self.assertNotIn("Traceback", self.gateway.log)

    def empty(self, reply: Reply) -> None:
        """It is an empty answer."""
        self.assertEqual((reply.status, reply.body, reply.headers["content-length"]), (200, b"", "0"))

    @played
    async def test_mail(self) -> None:
        """A mail ends it, and is in the answer; the next one hangs again, and has the next mail."""
        phone = await ready(self.gateway)
        for name in ("one", "two"):
            answer = await phone.hang()
            await asyncio.to_thread(self.gateway.send_mail, "ann", name)
            self.assertEqual(subjects(phone, await answer), [name])

    @played
    async def test_expiry(self) -> None:
        """Nothing came: an empty answer when the time is over; an empty request waits again."""
        phone = await ready(self.gateway)
        began = time.monotonic()
        reply = await (await phone.hang(2))
        self.empty(reply)
        self.assertGreaterEqual(reply.at - began, 2.0)
        self.assertLess(reply.at - began, 4.0)
        began = time.monotonic()
        reply = await phone.ask("Sync")
        self.empty(reply)
        self.assertGreaterEqual(reply.at - began, 2.0)

    @played
    async def test_minutes(self) -> None:
        """Wait counts minutes, with a Limit in minutes; what is there already is answered at once."""
        phone = await ready(self.gateway)
        await asyncio.to_thread(self.gateway.send_mail, "ann", "there")
        body = hang_body(60, {phone.inbox: phone.keys[phone.inbox]})
        for minutes, limit in ((46, "45"), (1, None)):
            body.children[1] = Element("AirSync:Wait", minutes)
            reply = await phone.ask("Sync", body)
            self.assertEqual(reply.element.text_of("AirSync:Limit"), limit)
        self.assertEqual(subjects(phone, reply), ["there"])

    @played
    async def test_replaced(self) -> None:
        """Another Sync of the same phone, hanging or not, or a Ping takes its place: an empty answer."""
        phone, again = await ready(self.gateway), Phone(self.gateway, "ann", "phone1")
        again.folders, again.keys = phone.folders, phone.keys
        answer = await phone.hang()
        newer = await again.hang()
        self.empty(await answer)
        self.empty(await phone.sync())
        self.empty(await newer)
        answer = await phone.hang()
        ping = await again.park()
        self.empty(await answer)
        answer = await phone.hang()
        self.assertEqual((await ping).ping, "1")
        again.close()
        phone.close()
        await asyncio.wait([answer])
        assert answer.exception() is not None
        await eventually(lambda: self.gateway.parked() == 0, "the place to be free")

    @played
    async def test_ownChange(self) -> None:
        """What another device of the user does ends it; what the phone itself has done does not end the next."""
        phone, tablet = await ready(self.gateway), await ready(self.gateway, "tablet")
        answer = await phone.hang()
        await asyncio.to_thread(self.gateway.send_mail, "ann", "mail")
        reply = await answer
        (item, _), *_ = list(reply.commands("Add"))
        subjects(phone, reply)
        await tablet.sync()
        answer = await tablet.hang()
        await phone.sync(read_command(item))
        own = await phone.hang(2)
        self.assertEqual([id for id, _ in (await answer).commands("Change")], [item])
        self.empty(await own)

    @played
    async def test_lost(self) -> None:
        """A phone that leaves while it hangs, or is killed off with the gateway, gets what came meanwhile at once."""
        phone = await ready(self.gateway)
        answer = await phone.hang()
        phone.close()
        await asyncio.wait([answer])
        assert answer.exception() is not None
        await asyncio.to_thread(self.gateway.send_mail, "ann", "meanwhile")
        self.assertEqual(subjects(phone, await (await self.repeated(phone))), ["meanwhile"])
        answer = await phone.hang()
        self.gateway.kill()
        await asyncio.wait([answer])
        assert answer.exception() is not None
        (self.gateway.inbox("ann") / "new" / "1.down").write_bytes(b"Subject: while it was down\r\n\r\n")
        await asyncio.to_thread(self.gateway.start)
        self.assertEqual(subjects(phone, await (await self.repeated(phone))), ["while it was down"])

    async def repeated(self, phone: Phone) -> asyncio.Task[Reply]:
        """The same request again."""
        phone.close()
        body = hang_body(60, {phone.inbox: phone.keys[phone.inbox]})
        return asyncio.create_task(phone.ask("Sync", body))

    @played
    async def test_hierarchy(self) -> None:
        """A folder made by another program ends it with Status 12."""
        phone = await ready(self.gateway)
        answer = await phone.hang()
        for name in ("tmp", "new", "cur"):
            (self.gateway.inbox("ann") / ".Made" / name).mkdir(parents=True)
        self.assertEqual((await answer).element.text_of("AirSync:Status"), "12")

    @played
    async def test_wipe(self) -> None:
        """A wipe ends it with an empty answer; the next request meets it."""
        phone = await ready(self.gateway)
        answer = await phone.hang()
        await asyncio.to_thread(self.gateway.ask, "wipe", user="ann", device="phone1", by="tests")
        self.empty(await answer)
        reply = await phone.ask("Sync", None, X_MS_PolicyKey="0")
        self.assertEqual(reply.element.text_of("AirSync:Status"), "140")

    def test_device(self) -> None:
        """C{pushgw device --hang} is woken by it in 12.1 and in later versions, and asks for nothing else."""
        host, port = self.gateway.address("https")
        certificate = str(self.gateway.folder / "certificate.pem")
        arguments = ("device", f"https://{host}:{port}", "--user", "ann", "--password-stdin", "--ca", certificate)
        for version in ("12.1", "16.1"):
            more = ("--hang", "--brief", "--version", version, "--wakeups", "1", "--duration", "60", "-v")
            phone = background(self, *arguments, *more, text=PASSWORD + "\n")
            until(lambda: self.gateway.parked() == 1, "the phone to park")
            self.gateway.send_mail("ann")
            out, err = phone.communicate(timeout=60)
            self.assertEqual(phone.returncode, 0, err)
            self.assertRegex(out, r"Inbox.*1 new")
        self.assertNotIn(" Ping ann", self.gateway.log)

    @played
    async def test_farewell(self) -> None:
        """SIGTERM ends it with an empty answer."""
        phone = await ready(self.gateway)
        answer = await phone.hang(900)
        self.gateway.poke(signal.SIGTERM)
        self.empty(await answer)
        await asyncio.to_thread(self.gateway.wait)
