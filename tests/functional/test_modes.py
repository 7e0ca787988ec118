"""Modes, registrations and the trace by command, on a running gateway."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.functional.phones import Phone
from tests.functional.running import Ran, Running, eventually, played, pushgw

NUMBER = "+491701234567"


class ModeCase(SynchronousTestCase):
    """A gateway of the test's own, with an operator that does not answer."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="pushgw test ")
        self.addCleanup(folder.cleanup)
        operator = {"smpp": '"tcp:127.0.0.1:1"', "system_id": '"a"'}
        self.gateway = Running(Path(folder.name) / "data", ["ann", "bob"], {"operators.one": operator})
        self.addCleanup(self.gateway.kill)
        self.gateway.make()
        self.gateway.start()

    async def command(self, *words: str) -> Ran:
        """What a command says that goes well."""
        done = await asyncio.to_thread(pushgw, *words, "--config", self.gateway.config)
        self.assertEqual(done.status, 0, done.err)
        return done

    async def parked(self, user: str) -> tuple[Phone, asyncio.Task]:
        phone = Phone(self.gateway, user, "phone1")
        await phone.ready()
        return phone, await phone.park(300)


class ModeTests(ModeCase):
    @played
    async def test_atOnce(self) -> None:
        """A mode that is set ends the parked Ping of that user alone, whose next one is quiet, until it is taken back."""
        phone, answer = await self.parked("ann")
        _, other = await self.parked("bob")
        done = await self.command("mode", "ann", "sms")
        self.assertIn("ann: sms (set for the user by ", done.out)
        self.assertEqual((await answer).ping, "7")
        await phone.folder_sync()
        quiet = await phone.park(300)
        await asyncio.to_thread(self.gateway.send_mail, "ann")
        await asyncio.to_thread(self.gateway.send_mail, "bob")
        self.assertEqual((await other).ping, "2")
        self.assertFalse(quiet.done())
        await self.command("mode", "ann", "--default")
        self.assertEqual((await quiet).ping, "7")
        await phone.folder_sync()
        self.assertEqual((await phone.ping(300)).ping, "2")
        self.assertRegex(
            self.gateway.log, r"mode of all devices of ann set to sms by \w+: it was direct-push, it is sms"
        )

    @played
    async def test_kept(self) -> None:
        """What was set holds after a restart and a reload, and what was set meanwhile on the store too."""
        await self.parked("ann")
        await self.command("mode", "ann", "phone1", "both")
        self.gateway.write_config(policy={"default_mode": '"off"'})
        await self.command("reload")
        self.assertIn("phone1 of ann: both", (await self.command("mode", "ann", "phone1")).out)
        await asyncio.to_thread(self.gateway.stop)
        done = await self.command("mode", "bob", "auto")
        self.assertIn("No gateway is running; working on its store.", done.err)
        await asyncio.to_thread(self.gateway.start)
        self.assertIn("phone1 of ann: both", (await self.command("mode", "ann", "phone1")).out)
        self.assertIn("bob: auto (set for the user", (await self.command("mode", "bob")).out)
        self.assertIn("both*", (await self.command("devices")).out)


class LineTests(ModeCase):
    @played
    async def test_traced(self) -> None:
        """A device in mode sms that is registered is sent a trigger at the next mail; trace and outbox tell of it."""
        phone, _ = await self.parked("ann")
        await self.command("sms", "register", "ann", "phone1", NUMBER)
        self.assertIn(NUMBER, (await self.command("devices", "ann")).out)
        await self.command("mode", "ann", "sms")
        await asyncio.to_thread(self.gateway.send_mail, "ann")
        await eventually(lambda: self.gateway.ask("outbox"), "the trigger to be queued")
        self.assertRegex((await self.command("outbox", "ann")).out, r"phone1 of ann +smpp:one +\+491701234567 +queued")
        await eventually(lambda: self.gateway.ask("trace", user="ann"), "the trace to be written")
        kinds = [json.loads(line)["kind"] for line in (await self.command("trace", "ann", "--json")).out.splitlines()]
        self.assertEqual(kinds[:3], ["noticed", "decided", "queued"])
        self.assertIn("smpp:one, letter 1", (await self.command("trace", "ann", "phone1")).out)
        self.assertNotIn(NUMBER, self.gateway.log)
        await self.command("sms", "remove", "ann", "phone1")
        self.assertIn("withdrawn", (await self.command("outbox")).out)
        phone.close()
