"""What changes while devices stay parked: accounts, configuration, certificates; and what a log looks like."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl

from twisted.trial.unittest import SynchronousTestCase

from tests.functional.phones import Phone, Reply, subject
from tests.functional.running import PASSWORD, Ran, Running, eventually, played, pushgw, started


class ReloadCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.gateway = started(self, users=["ann", "bob", "dan", "eve"])

    async def parked(self, user: str = "ann") -> tuple[Phone, asyncio.Task[Reply]]:
        phone = Phone(self.gateway, user)
        await phone.ready()
        return phone, await phone.park(900)

    async def reload(self) -> Ran:
        return await self.command("reload")

    async def command(self, *words: str, text: str = "") -> Ran:
        return await asyncio.to_thread(pushgw, *words, "--config", self.gateway.config, text=text)

    async def still(self, phone: Phone, answer: asyncio.Task[Reply]) -> None:
        """The Ping is parked as it was, and is told of a mail over its old connection."""
        self.assertFalse(answer.done())
        self.assertTrue(phone.parked())
        await asyncio.to_thread(self.gateway.send_mail, phone.user)
        self.assertEqual((await answer).ping, "2")


class AccountTests(ReloadCase):
    @played
    async def test_added(self) -> None:
        """An account that is added comes in without a reload, and its mail is watched."""
        phone, answer = await self.parked()
        for part in ("cur", "new", "tmp"):
            (self.gateway.inbox("cem") / part).mkdir(parents=True)
        done = await self.command("user", "add", "cem", "--password-stdin", text=PASSWORD + "\n")
        self.assertEqual(done.status, 0, done.err)
        newcomer = Phone(self.gateway, "cem")
        while (await newcomer.folder_sync()).status != 200 or "Inbox" not in newcomer.folders:
            await asyncio.sleep(0.1)
        await newcomer.sync()
        await newcomer.sync()
        told = await newcomer.park()
        await asyncio.to_thread(self.gateway.send_mail, "cem", "welcome")
        self.assertEqual((await told).ping, "2")
        self.assertEqual([subject(data) for _, data in (await newcomer.sync()).commands("Add")], ["welcome"])
        await self.still(phone, answer)

    @played
    async def test_leaving(self) -> None:
        """The parked Ping of an account that is disabled, removed or has another password ends with Status 8 without
        a reload, and the device is refused; other devices stay parked."""
        phone, answer = await self.parked()
        for words, text in (
            (("user", "disable", "bob"), ""),
            (("user", "remove", "dan"), ""),
            (("user", "password", "eve", "--password-stdin"), "another one\n"),
        ):
            other, ended = await self.parked(words[2])
            done = await self.command(*words, text=text)
            self.assertEqual(done.status, 0, done.err)
            self.assertEqual((await ended).ping, "8", words)
            self.assertEqual((await other.ping(60)).status, 401, words)
        await self.still(phone, answer)

    @played
    async def test_wrongAccounts(self) -> None:
        """A wrong accounts file keeps the accounts that were, the log says why, and so does the command."""
        phone, answer = await self.parked()
        with (self.gateway.folder / "accounts").open("a") as file:
            file.write("nonsense\n")
        done = await self.reload()
        self.assertEqual(done.status, 1)
        self.assertIn("line 5", done.err)
        self.assertIn("a line is NAME:HASH", done.err)
        self.assertIn("line 5", self.gateway.log)
        await self.still(phone, answer)
        self.assertEqual((await phone.ping(60)).ping, "2")


class ConfigurationTests(ReloadCase):
    @played
    async def test_limits(self) -> None:
        """New limits hold for the next request; who is parked stays so, also beyond them."""
        phone, answer = await self.parked()
        self.gateway.write_config(direct_push={"max_heartbeat": "100", "max_folders": "1"})
        done = await self.reload()
        self.assertEqual((done.status, done.out), (0, "Reloaded.\n"), done.err)
        other = Phone(self.gateway, "ann", "phone2")
        await other.ready()
        reply = await other.ping(101)
        self.assertEqual((reply.ping, reply.element.text_of("Ping:HeartbeatInterval")), ("5", "100"))
        self.assertEqual((await other.ping(60, "1", "2")).ping, "6")
        await self.still(phone, answer)

    @played
    async def test_modes(self) -> None:
        """Who is switched off, by user or for all, is parked quietly from now on; nobody else's Ping ends."""
        phone, answer = await self.parked()
        other, ended = await self.parked("bob")
        self.gateway.write_config(**{"users.bob": {"mode": '"off"'}})
        self.gateway.poke(signal.SIGHUP)
        self.assertEqual((await ended).ping, "7")
        quiet = await other.park(900)
        await asyncio.to_thread(self.gateway.send_mail, "bob")
        await self.still(phone, answer)
        self.assertFalse(quiet.done())
        await phone.sync()
        answer = await phone.park(900)
        self.gateway.write_config(direct_push={"enabled": "false"})
        self.gateway.poke(signal.SIGHUP)
        self.assertEqual((await answer).ping, "7")
        self.assertFalse(quiet.done())

    @played
    async def test_policy(self) -> None:
        """A policy that comes into force ends the Pings of those who have to fetch it, and of nobody else."""
        phone, answer = await self.parked()
        _, ended = await self.parked("bob")
        policy = {'provisioning.policies."strict"': {"DevicePasswordEnabled": "true"}}
        self.gateway.write_config(provisioning={"policy": '"strict"', "exceptions": '["ann"]'}, **policy)
        self.assertEqual((await self.reload()).status, 0)
        self.assertEqual((await ended).ping, "7")
        await self.still(phone, answer)

    @played
    async def test_wrong(self) -> None:
        """A wrong configuration is not taken: log and command name file, key and remedy, and all stays in force."""
        phone, answer = await self.parked()
        before = self.gateway.config.read_text()
        for text, wanted in (
            (before.replace("min_heartbeat", "min_hartbeat"), ("min_hartbeat", "min_heartbeat")),
            (before + "\n[ledger]\nkeep = 0\n", ("ledger.keep", "1 to 3650")),
            (before + "\n[nonsense\n", ("pushgw.toml",)),
            (before + '\n[policy]\ndefault_mode = "sms"\n', ("policy.default_mode", "direct-push")),
        ):
            self.gateway.config.write_text(text)
            done = await self.reload()
            self.assertEqual(done.status, 1)
            for word in ("pushgw.toml", *wanted):
                self.assertIn(word, done.err)
        # The command reads the file itself; SIGHUP has the gateway read it.
        self.gateway.poke(signal.SIGHUP)
        await eventually(lambda: "what was in force stays in force" in self.gateway.log, "the log to say so")
        self.assertIn("policy.default_mode", self.gateway.log)
        self.assertEqual((await phone_of(phone).ping(0)).ping, "5")
        await self.still(phone, answer)

    @played
    async def test_restart(self) -> None:
        """What only a restart changes is named in the log."""
        self.gateway.write_config(store={"threads": "2"})
        self.assertEqual((await self.reload()).status, 0)
        self.assertIn("only a restart changes store.threads", self.gateway.log)


def phone_of(phone: Phone) -> Phone:
    """Another phone of the same user."""
    other = Phone(phone.gateway, phone.user, "another1")
    other.folders = phone.folders
    return other


class CertificateTests(ReloadCase):
    @played
    async def test_new(self) -> None:
        """New connections are shown the new certificate; who is parked over the old one stays so."""
        phone, answer = await self.parked()
        shown = phone.certificate
        self.gateway.write_certificate("other.example")
        self.assertEqual((await self.reload()).status, 0)
        other = Phone(self.gateway, "bob")
        await other.connect()
        self.assertNotEqual(other.certificate, shown)
        pem = ssl.DER_cert_to_PEM_cert(other.certificate)
        self.assertEqual(pem.strip(), (self.gateway.folder / "certificate.pem").read_text().strip())
        await self.still(phone, answer)

    @played
    async def test_wrong(self) -> None:
        """A certificate that is none, or that is not of the key, keeps the old one, and the accounts too."""
        phone, answer = await self.parked()
        shown = phone.certificate
        file = self.gateway.folder / "certificate.pem"
        right, key = file.read_bytes(), (self.gateway.folder / "private_key.pem").read_bytes()
        self.gateway.write_certificate("other.example")
        (self.gateway.folder / "private_key.pem").write_bytes(key)
        foreign = file.read_bytes()
        for content, why in ((b"nonsense", "no certificate in PEM form"), (foreign, "does not belong")):
            file.write_bytes(content)
            done = await self.reload()
            self.assertEqual(done.status, 1)
            self.assertIn(why, done.err)
            self.assertIn("pem", done.err)
            self.assertIn(why, self.gateway.log)
        file.write_bytes(right)
        other = Phone(self.gateway, "bob")
        await other.connect()
        self.assertEqual(other.certificate, shown)
        await self.still(phone, answer)


class EventTests(SynchronousTestCase):
    @played
    async def test_heartbeats(self) -> None:
        """Event 3016 at start and at reload for bounds that contradict each other, with the numbers; the defaults
        hold for both."""
        settings = {"direct_push": {"min_heartbeat": "300", "max_heartbeat": "200"}}
        gateway = started(self, settings=settings)
        self.assertEqual(gateway.log.count("event 3016"), 1)
        line = next(line for line in gateway.log.splitlines() if "event 3016" in line)
        for number in ("300", "200", "60", "2700"):
            self.assertIn(number, line)
        phone = Phone(gateway, "ann")
        await phone.ready()
        for interval, bound in ((59, "60"), (2701, "2700")):
            reply = await phone.ping(interval)
            self.assertEqual((reply.ping, reply.element.text_of("Ping:HeartbeatInterval")), ("5", bound))
        gateway.poke(signal.SIGHUP)
        await eventually(lambda: gateway.log.count("event 3016") == 2, "the event at reload")

    @played
    async def test_alarm(self) -> None:
        """Event 3033 once the last heartbeats are short on average, and only once."""
        settings = {"direct_push": {"sample_size": "3", "alert_threshold": "2", "min_heartbeat": "1"}}
        gateway = started(self, settings=settings)
        phone = Phone(gateway, "ann")
        await phone.ready()
        await asyncio.to_thread(gateway.send_mail, "ann")
        for count in (0, 0, 1, 1):
            self.assertEqual((await phone.ping(2)).ping, "2")
            self.assertEqual(gateway.log.count("event 3033"), count)
            await phone.sync()
            await asyncio.to_thread(gateway.send_mail, "ann")
        self.assertIn("pushgw_heartbeat_alarm 1.0", gateway.metrics())

    @played
    async def test_json(self) -> None:
        """With log.format = json every line is an object, from start to end: events have their ids, access lines the
        fields of the request, failures their text."""
        gateway = started(self, settings={"log": {"format": '"json"'}})
        phone = Phone(gateway, "ann")
        await phone.ready()
        answer = await phone.park(900)
        await asyncio.to_thread(gateway.send_mail, "ann")
        await answer
        gateway.config.write_text("nonsense")
        gateway.poke(signal.SIGHUP)
        await eventually(lambda: "stays in force" in gateway.log, "the log to say so")
        await asyncio.to_thread(gateway.stop)
        events = [json.loads(line) for line in gateway.log.splitlines()]
        self.assertTrue(all({"time", "level", "from", "message"} <= event.keys() for event in events))
        start = [event for event in events if event.get("event_id") == 3002]
        self.assertEqual(len(start), 1)
        assert gateway.process is not None
        self.assertEqual(start[0]["pid"], gateway.process.pid)
        ping = next(event for event in events if event.get("cmd") == "Ping")
        self.assertEqual((ping["http"], ping["user"], ping["fields"]["St"], ping["fields"]["Hb"]), (200, "ann", 2, 900))
        self.assertEqual(ping["fields"]["Fc"], 1)


class AccessTests(SynchronousTestCase):
    @played
    async def test_line(self) -> None:
        """Each request has one line with its command, user, device and the lettered fields; no password is in it."""
        gateway: Running = started(self)
        phone = Phone(gateway, "ann")
        await phone.ready()
        await phone.ping(1)
        await eventually(lambda: "V141_Hb1_Fc1_St1" in gateway.log, "the line of the Ping")
        line = next(line for line in gateway.log.splitlines() if "Hb1_" in line)
        self.assertIn("Ping ann phone1 (Test) 200 V141_Hb1_Fc1_St1", line)
        self.assertNotIn(PASSWORD, gateway.log)
