"""The story of the tutorial, command by command, with and without a running gateway."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
import tomllib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.functional.phones import Phone
from tests.functional.running import PASSWORD, Ran, Running, background, eventually, played, pushgw, started, until


class TutorialTests(SynchronousTestCase):
    """C{pushgw init}, C{user add}, twistd, mail by SMTP, C{pushgw device}."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="pushgw test ")
        self.addCleanup(folder.cleanup)
        self.gateway = Running(Path(folder.name) / "my data")
        self.addCleanup(self.gateway.kill)

    def run_pushgw(self, *words: str | Path, text: str = "") -> str:
        done = pushgw(*words, text=text)
        self.assertEqual(done.status, 0, done.err)
        return done.out

    def made(self) -> None:
        """A folder as init makes it, with an account."""
        folder = str(self.gateway.folder)
        listen = ("--https", "127.0.0.1:0", "--smtp", "127.0.0.1:0", "--domain", "example.org")
        told = self.run_pushgw("init", folder, *listen)
        self.assertIn(f"twistd -n pushgw --config '{folder}/pushgw.toml'", told)
        told = self.run_pushgw(
            "user", "add", "ann", "--config", self.gateway.config, "--password-stdin", text=PASSWORD + "\n"
        )
        self.assertIn("ann@example.org", told)

    def test_story(self) -> None:
        """A mail that comes by SMTP wakes the simulated phone, which prints the wake-up with its latency."""
        self.made()
        self.gateway.start("--set", "direct_push.min_heartbeat=1", "--set", "admin.listen=tcp:0:interface=127.0.0.1")
        host, port = self.gateway.address("https")
        certificate = str(self.gateway.folder / "certificate.pem")
        arguments = ("device", f"https://{host}:{port}", "--user", "ann", "--password-stdin", "--ca", certificate)
        phone = background(self, *arguments, "--wakeups", "1", "--duration", "60", text=PASSWORD + "\n")
        until(lambda: self.gateway.parked() == 1, "the phone to park")
        self.gateway.send_mail("ann")
        out, err = phone.communicate(timeout=60)
        self.assertEqual(phone.returncode, 0, err)
        self.assertRegex(out, r"Inbox.*1 new")
        self.assertRegex(out, r"\d+(\.\d+)? (ms|s)\b")
        self.listed()

    def listed(self) -> None:
        """The phone is among the devices."""
        rows = json.loads(self.run_pushgw("devices", "ann", "--json", "--config", self.gateway.config))
        self.assertEqual([(row["user"], row["mode"], row["version"]) for row in rows], [("ann", "direct-push", "16.1")])
        self.assertTrue(rows[0]["last_sync"] and rows[0]["last_ping"])

    def test_initTwice(self) -> None:
        """A second init in the same folder changes nothing and says what is there."""
        self.made()
        before = {path.name: path.read_bytes() for path in self.gateway.folder.iterdir() if path.is_file()}
        done = pushgw("init", self.gateway.folder)
        self.assertEqual(done.status, 1)
        self.assertIn("pushgw.toml", done.err)
        after = {path.name: path.read_bytes() for path in self.gateway.folder.iterdir() if path.is_file()}
        self.assertEqual(before, after)

    def test_defaults(self) -> None:
        """The folder that init makes holds a right configuration, and nobody else may read key and accounts."""
        self.made()
        self.assertIn("right", self.run_pushgw("config", "check", "--config", self.gateway.config))
        for name in ("private_key.pem", "accounts"):
            self.assertEqual((self.gateway.folder / name).stat().st_mode & 0o077, 0, name)
        self.assertNotIn(PASSWORD, (self.gateway.folder / "accounts").read_text())


class DeviceCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.gateway = started(self, users=["ann", "bob"])

    def run_pushgw(self, *words: str) -> Ran:
        return pushgw(*words, "--config", self.gateway.config)

    async def command(self, *words: str) -> Ran:
        return await asyncio.to_thread(self.run_pushgw, *words)

    async def parked(self, user: str = "ann", device: str = "phone1") -> tuple[Phone, asyncio.Task]:
        phone = Phone(self.gateway, user, device)
        phone.headers = {"X-MS-PolicyKey": "0"}
        await phone.ready()
        return phone, await phone.park(300)


class DeviceTests(DeviceCase):
    @played
    async def test_table(self) -> None:
        """C{pushgw devices} shows who is parked, with mode, heartbeat, folders and times; of one user on request."""
        _phone, _answer = await self.parked()
        _other, _waiting = await self.parked("bob", "tablet1")
        done = await self.command("devices")
        head, *rows = done.out.splitlines()
        self.assertEqual(head.split()[:8], ["USER", "DEVICE", "TYPE", "EAS", "ACCESS", "MODE", "SMS", "PARKED"])
        self.assertEqual(len(rows), 2)
        self.assertRegex(rows[0], r"^ann +phone1 +Test +14\.1 +allow +direct-push +- +\d+ s +300 s +1( +\d+ s ago){3}$")
        self.assertEqual(done.err, "")
        done = await self.command("devices", "bob")
        self.assertNotIn("ann", done.out)
        self.assertIn("tablet1", done.out)

    @played
    async def test_json(self) -> None:
        """C{--json} gives the same for programs."""
        _phone, _answer = await self.parked()
        rows = json.loads((await self.command("devices", "--json")).out)
        self.assertEqual(len(rows), 1)
        self.assertEqual(rows[0]["heartbeat"], 300)
        self.assertEqual([word for _, word in rows[0]["folders"]], ["Email"])
        self.assertIsInstance(rows[0]["parked_seconds"], int)
        self.assertIsNone(rows[0]["wipe"])

    @played
    async def test_autdState(self) -> None:
        """C{--autd-state} prints the Ping parameters in force as AutdState.xml."""
        phone, _answer = await self.parked()
        done = await self.command("devices", "ann", "phone1", "--autd-state")
        self.assertIn("<HeartbeatInterval>300</HeartbeatInterval>", done.out)
        self.assertIn(f"<Id>{phone.inbox}</Id>", done.out)
        done = await self.command("devices", "ann", "--autd-state")
        self.assertEqual(done.status, 2)

    @played
    async def test_wipe(self) -> None:
        """A wipe ends the parked Ping, shows in the list with who asked for it, and can be taken back."""
        phone, answer = await self.parked()
        done = await self.command("wipe", "ann", "PHONE1")
        self.assertEqual(done.status, 0, done.err)
        self.assertEqual((await answer).ping, "7")
        self.assertIn("WIPE requested", (await self.command("devices")).out)
        self.assertEqual((await phone.folder_sync()).element.text_of("FolderHierarchy:Status"), "140")
        self.assertRegex(self.gateway.log, r"wipe of phone1 of ann requested by \w+")
        done = await self.command("wipe", "ann", "phone1", "--cancel")
        self.assertEqual(done.status, 0, done.err)
        self.assertEqual((await phone.folder_sync()).element.text_of("FolderHierarchy:Status"), "1")
        self.assertEqual((await self.command("wipe", "ann", "phone1", "--cancel")).status, 1)

    @played
    async def test_forget(self) -> None:
        """A device that is forgotten is not listed any more and has to begin anew."""
        phone, answer = await self.parked()
        done = await self.command("forget", "ann", "phone1")
        self.assertEqual(done.status, 0, done.err)
        self.assertEqual((await answer).ping, "7")
        self.assertIn("No devices yet", (await self.command("devices")).out)
        self.assertEqual((await phone.folder_sync()).element.text_of("FolderHierarchy:Status"), "9")

    @played
    async def test_unknown(self) -> None:
        """A device that is not there is named, with what lists those that are."""
        for words in (("wipe", "ann", "nothing"), ("forget", "ann", "nothing"), ("wipe", "zoe", "x", "--cancel")):
            done = await self.command(*words)
            self.assertEqual((done.status, done.out), (1, ""))
            self.assertIn(f"user '{words[1]}' has no device '{words[2]}'", done.err)
            self.assertNotIn("Traceback", done.err)

    @played
    async def test_stopped(self) -> None:
        """With no gateway running the commands work on its store and say so; the gateway finds what was ordered."""
        phone, _answer = await self.parked()
        await eventually(lambda: self.gateway.ask("devices", user="ann")[0]["last_sync"], "the device to be noted")
        await asyncio.to_thread(self.gateway.stop)
        phone.close()
        done = await self.command("devices")
        self.assertIn("No gateway is running; working on its store.", done.err)
        self.assertRegex(done.out, r"ann +phone1 +Test +14\.1 +allow +direct-push +- +- +300 s")
        self.assertEqual((await self.command("wipe", "ann", "phone1")).status, 0)
        done = await self.command("reload")
        self.assertEqual(done.status, 1)
        self.assertIn("no gateway is running", done.err)
        await asyncio.to_thread(self.gateway.start)
        self.assertEqual((await phone.folder_sync()).element.text_of("FolderHierarchy:Status"), "140")


class ConfigTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="pushgw test ")
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "pushgw.toml"

    def test_check(self) -> None:
        """A wrong file is told about whole: each fault with its key and what to do, and exit status 1."""
        self.file.write_text('[direct_push]\nmin_hartbeat = 5\nmax_folders = "many"\n[htps]\nlisten = []\n')
        done = pushgw("config", "check", "--config", self.file)
        self.assertEqual(done.status, 1)
        for word in (str(self.file), "min_hartbeat", "min_heartbeat", "max_folders", "htps", "https"):
            self.assertIn(word, done.err)
        self.assertNotIn("Traceback", done.err)

    def test_show(self) -> None:
        """C{config show} prints what is in force and where it comes from; passwords are masked."""
        self.file.write_text('[store]\nurl = "postgresql+psycopg://ann:hush@db/pushgw"\n[ledger]\nkeep = 9\n')
        done = pushgw("config", "show", "--config", self.file)
        self.assertEqual(done.status, 0, done.err)
        self.assertNotIn("hush", done.out)
        self.assertRegex(done.out, r"keep = 9 +# file")
        self.assertIn("min_heartbeat = 60  # default", done.out)
        self.assertEqual(tomllib.loads(done.out)["direct_push"]["max_heartbeat"], 2700)

    def test_sample(self) -> None:
        """C{config sample} prints a file that is right, without any being there."""
        done = pushgw("config", "sample", "--config", self.file)
        self.assertEqual(done.status, 0, done.err)
        uncommented = re.sub(r"(?m)^#(?=\w+ = |\[)", "", done.out)
        self.assertEqual(tomllib.loads(uncommented)["direct_push"]["min_heartbeat"], 60)

    def test_missing(self) -> None:
        """Without its file every command says which one is missing, and how to name it."""
        for words in (("config", "check"), ("devices",), ("user", "list"), ("reload",)):
            done = pushgw(*words, "--config", self.file)
            self.assertEqual(done.status, 1, words)
            self.assertIn(str(self.file), done.err)
            self.assertNotIn("Traceback", done.err)

    def test_help(self) -> None:
        """Every command has a help that begins with what it does."""
        listed = re.findall(r"(?m)^  (\w+)  +(\S.*)$", pushgw("--help").out.partition("Commands:")[2])
        self.assertLessEqual(
            {"init", "user", "config", "devices", "wipe", "forget", "device", "demo"}, dict(listed).keys()
        )
        for name, _ in listed:
            self.assertEqual(pushgw(name, "--help").status, 0, name)
