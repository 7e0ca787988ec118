"""Which devices may synchronise: quarantine, decisions by command, rules and limits, on a gateway that runs."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.functional.phones import Phone, Reply, subject
from tests.functional.running import Ran, Running, eventually, played, pushgw, started


def own_status(reply: Reply) -> str:
    """The Status of an answer as a whole; of old clients the HTTP status."""
    if reply.status != 200:
        return f"HTTP {reply.status}"
    return reply.element.text_of(f"{reply.element.tag.partition(':')[0]}:Status") or ""


class AccessCase(SynchronousTestCase):
    def start(self, **devices: str) -> Running:
        self.gateway = started(self, users=["ann", "bob"], settings={"devices": devices})
        return self.gateway

    async def command(self, *words: str) -> Ran:
        done = await asyncio.to_thread(pushgw, *words, "--config", self.gateway.config)
        self.assertNotIn("Traceback", done.err)
        return done

    async def right(self, *words: str) -> str:
        """What a command prints that has to go well."""
        done = await self.command(*words)
        self.assertEqual(done.status, 0, done.err)
        return done.out

    async def rows(self, user: str = "ann") -> dict[str, dict[str, Any]]:
        """What is known of the devices of a user, by DeviceId."""
        return {row["device"]: row for row in json.loads(await self.right("devices", user, "--json"))}

    def inbox(self) -> list[str]:
        """The mails in the Inbox of ann."""
        return [file.read_text() for file in (self.gateway.inbox("ann") / "new").iterdir()]


class QuarantineTests(AccessCase):
    @played
    async def test_story(self) -> None:
        """A new device gets nothing but refusals, its user one mail, and the operator a line in list, log and metrics;
        allowed, the device begins by itself, and that mail is the first that it shows."""
        gateway = self.start(new='"quarantine"', contact='"the help desk"')
        phone = Phone(gateway, "ann")
        for command in ("FolderSync", "Sync", "Ping"):
            self.assertEqual(own_status(await phone.ask(command)), "130", command)
        old = Phone(gateway, "ann", "oldphone", "2.5")
        self.assertEqual((await old.folder_sync()).status, 403)
        mails = await eventually(lambda: self.inbox() if len(self.inbox()) == 2 else [], "the mails about both")
        self.assertEqual(sum("phone1" in mail and "the help desk" in mail for mail in mails), 1)
        rows = await self.rows()
        self.assertEqual({name: row["access"] for name, row in rows.items()}, dict.fromkeys(rows, "quarantine"))
        self.assertIn("phone1 of ann: quarantine (devices.new)", await self.right("devices", "ann"))
        self.assertIn("event 3111", gateway.log)
        self.assertIn('pushgw_devices_kept_out_total{access="quarantine"} 2.0', gateway.metrics())
        self.assertIn("allow (decided by ", await self.right("devices", "allow", "ann", "phone1"))
        await phone.ready()
        await phone.sync()
        self.assertEqual((await phone.folder_sync()).status, 200)
        self.assertEqual((await old.folder_sync()).status, 403)
        self.assertEqual(len(self.inbox()), 2)

    @played
    async def test_mailIsShown(self) -> None:
        """The mail is what the device of the user that is allowed shows."""
        gateway = self.start(new='"quarantine"')
        await self.right("devices", "allow", "ann", "phone1")
        phone = Phone(gateway, "ann")
        await phone.ready()
        answer = await phone.park()
        stranger = Phone(gateway, "ann", "stranger")
        await stranger.folder_sync()
        self.assertEqual((await answer).ping, "2")
        ((_, data),) = (await phone.sync()).commands("Add")
        self.assertEqual(subject(data), "A device waits to be allowed to synchronise your mail")

    @played
    async def test_known(self) -> None:
        """Devices that are known when new ones are to wait go on; so they do after a restart. Those that waited come
        in when new ones are let in again."""
        gateway = self.start()
        phone = Phone(gateway, "ann")
        await phone.ready()
        answer = await phone.park(600)
        gateway.write_config(devices={"new": '"quarantine"'})
        await self.right("reload")
        newer = Phone(gateway, "ann", "phone2")
        self.assertEqual(own_status(await newer.folder_sync()), "130")
        # That mail is the first thing that the device which is in hears of.
        self.assertEqual((await answer).ping, "2")
        gateway.stop(signal.SIGTERM)
        gateway.start()
        for each in (phone, newer):
            each.close()
        await phone.sync()
        self.assertEqual(own_status(await phone.folder_sync()), "1")
        self.assertEqual(own_status(await newer.folder_sync()), "130")
        gateway.write_config(devices={"new": '"allow"'})
        await self.right("reload")
        await newer.ready()
        self.assertEqual(len(self.inbox()) + len(list((gateway.inbox("ann") / "cur").iterdir())), 1)


class DecisionTests(AccessCase):
    @played
    async def test_parked(self) -> None:
        """To block a device ends its parked Ping at once, and no other; then it is refused, in its version's words.
        Allowed again it goes on with the keys that it has."""
        gateway = self.start()
        phone, other = Phone(gateway, "ann"), Phone(gateway, "bob")
        for each in (phone, other):
            await each.ready()
        answer, others = await phone.park(600), await other.park(600)
        said = await self.right("devices", "block", "ann", "PHONE1")
        self.assertRegex(said, r"^phone1 of ann: block \(decided by \w+\)$")
        self.assertEqual((await answer).ping, "7")
        self.assertEqual(own_status(await phone.folder_sync()), "129")
        self.assertEqual(own_status(await phone.ask("Ping")), "129")
        phone.version = "12.1"
        self.assertEqual(own_status(await phone.folder_sync()), "HTTP 403")
        phone.version = "14.1"
        self.assertFalse(others.done())
        await asyncio.to_thread(gateway.send_mail, "ann", "while blocked")
        await self.right("devices", "allow", "ann", "phone1")
        subjects = [subject(data) for _, data in (await phone.sync()).commands("Add")]
        self.assertIn("while blocked", subjects)
        self.assertEqual(len(subjects), 2, "the mail that came, and the one about the device")

    @played
    async def test_hanging(self) -> None:
        """A Sync that hangs ends at once, without items."""
        gateway = self.start()
        phone = Phone(gateway, "ann")
        await phone.ready()
        answer = await phone.hang(600)
        await self.right("devices", "quarantine", "ann", "phone1")
        self.assertEqual(((await answer).status, (await answer).body), (200, b""))
        self.assertEqual(own_status(await phone.folder_sync()), "130")

    @played
    async def test_durable(self) -> None:
        """A decision is in force after kill -9, also one about a device that has not come yet, and outlives that the
        device is forgotten; reset takes it back."""
        gateway = self.start()
        phone = Phone(gateway, "ann")
        await phone.ready()
        await self.right("devices", "block", "ann", "phone1")
        self.assertIn("it has not come yet", await self.right("devices", "block", "bob", "tablet"))
        await self.right("forget", "ann", "phone1")
        gateway.stop(signal.SIGKILL)
        gateway.start()
        phone.close()
        tablet = Phone(gateway, "bob", "Tablet")
        for each in (phone, tablet):
            self.assertEqual(own_status(await each.folder_sync()), "129")
        row = (await self.rows())["phone1"]
        self.assertEqual((row["access"], bool(row["access_by"]), row["access_at"] > 0), ("block", True, True))
        self.assertIn("allow (devices.new)", await self.right("devices", "reset", "ann", "phone1"))
        phone.hierarchy = "0"
        phone.keys.clear()
        await phone.ready()

    @played
    async def test_offline(self) -> None:
        """Without a running gateway the commands decide in its store, and say so."""
        gateway = self.start()
        phone = Phone(gateway, "ann")
        await phone.ready()
        gateway.stop()
        done = await self.command("devices", "block", "ann", "phone1")
        self.assertEqual(done.status, 0, done.err)
        self.assertIn("No gateway is running", done.err)
        self.assertEqual((await self.rows())["phone1"]["access"], "block")
        gateway.start()
        phone.close()
        self.assertEqual(own_status(await phone.folder_sync()), "129")

    @played
    async def test_refused(self) -> None:
        """What cannot be decided is refused with what to do instead."""
        self.start()
        for words, said in (
            (("allow", "nobody", "phone1"), "pushgw user list"),
            (("block", "ann", "a/b"), "32 letters"),
            (("reset", "ann", "phone1"), "nothing was decided"),
        ):
            done = await self.command("devices", *words)
            self.assertEqual(done.status, 1)
            self.assertIn(said, done.err)


class RuleTests(AccessCase):
    @played
    async def test_reload(self) -> None:
        """A rule that a reload brings holds at once for who is parked, and concerns nobody else; without it the device
        is back. The doctor names it."""
        gateway = self.start()
        phone, other = Phone(gateway, "ann"), Phone(gateway, "bob")
        phone.headers["User-Agent"] = "Android/2.3"
        for each in (phone, other):
            await each.ready()
        answer, others = await phone.park(600), await other.park(600)
        rule = {'devices.rules."old-androids"': {"access": '"block"', "agents": '["android/2.*"]'}}
        gateway.write_config(**rule)
        await self.right("reload")
        self.assertEqual((await answer).ping, "7")
        self.assertEqual(own_status(await phone.folder_sync()), "129")
        self.assertFalse(others.done())
        doctor = await self.command("doctor", "ann")
        self.assertEqual(doctor.status, 1)
        self.assertIn("First broken hop: access: it is blocked (devices.rules.old-androids)", doctor.out)
        gateway.settings.pop('devices.rules."old-androids"')
        gateway.write_config()
        await self.right("reload")
        self.assertEqual(own_status(await phone.folder_sync()), "1")

    @played
    async def test_user(self) -> None:
        """A user who may have no device at all is told that."""
        gateway = self.start()
        gateway.write_config(**{'devices.rules."nobody"': {"access": '"block"', "users": '["ann"]'}})
        await self.right("reload")
        self.assertEqual(own_status(await Phone(gateway, "ann").folder_sync()), "126")
        self.assertEqual(own_status(await Phone(gateway, "bob").folder_sync()), "1")


class LimitTests(AccessCase):
    @played
    async def test_limit(self) -> None:
        """One device more than a user may have is refused, until another one is forgotten; the others go on."""
        gateway = self.start(per_user="2")
        phones = [Phone(gateway, "ann", f"phone{number}") for number in range(3)]
        for phone in phones[:2]:
            await phone.ready()
        self.assertEqual(own_status(await phones[2].folder_sync()), "177")
        for version, said in (("14.0", "129"), ("12.1", "HTTP 403")):
            self.assertEqual(own_status(await Phone(gateway, "ann", "more", version).folder_sync()), said)
        self.assertEqual(own_status(await phones[0].folder_sync()), "1")
        self.assertEqual(set(await self.rows()), {"phone0", "phone1"})
        self.assertIn("event 3112", gateway.log)
        await self.right("forget", "ann", "phone0")
        await phones[2].ready()
        self.assertEqual(own_status(await phones[0].folder_sync()), "177")
