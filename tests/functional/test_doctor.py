"""The doctor names the broken hop of a gateway that runs, whatever is broken on purpose."""

from __future__ import annotations

import asyncio
import atexit
import copy
import functools
import json
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from unittest import SkipTest

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from gateway.commands.doctor import doctor
from gateway.tls import self_signed
from tests.functional.counterparts import beside
from tests.functional.phones import Gone, Phone
from tests.functional.running import LOOPBACK, Running, pushgw, started, until

#: So many directories the kernel watches for the gateway, where the limit can be set for it alone.
WATCHES = 180
LIMITED = ("unshare", "--user", "--map-root-user", "sh", "-c")
SET_LIMIT = f'echo {WATCHES} > /proc/sys/user/max_inotify_watches && exec "$@"'
DAY = 86400.0
#: The prefix of the numbers of each operator.
PREFIXES = {"good": "+491", "slow": "+492", "locked": "+493", "mute": "+494", "mail": "+495", "gone": "+496"}


@functools.cache
def limited() -> bool:
    """Whether a process can be given a limit of watches of its own."""
    try:
        return subprocess.run([*LIMITED, SET_LIMIT, "sh", "true"], capture_output=True).returncode == 0
    except OSError:
        return False


@functools.cache
def whole() -> Running:
    """One gateway with operators, for all faults that leave it whole afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="pushgw test "))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    mail = folder / "mail server"
    mail.mkdir()
    for name, pem in zip(("certificate", "private_key"), self_signed(["localhost"], []), strict=True):
        (mail / f"{name}.pem").write_bytes(pem)
    smsc, mute, server = beside("operators", mail)
    wrapper = (*LIMITED, SET_LIMIT, "sh") if limited() else ()
    settings = {
        "sms": {"default_operator": '"good"', "late_seconds": "60"},
        "maildir": {"create_special": "false", "rescan_seconds": "1"},
        "operators.mail": {
            "prefixes": f'["{PREFIXES["mail"]}"]',
            "smtp_address": '"{number}@sms.example.net"',
            "smtp_server": f'"tcp:127.0.0.1:{server}"',
            "smtp_security": '"tls"',
            "smtp_user": '"push"',
            "smtp_password": '"wrong"',
            "ca": f'"{mail}/certificate.pem"',
            "server_name": '"localhost"',
        },
        "operators.good": operator("good", smsc),
        "operators.slow": operator("slow", smsc, system_id='"slow"'),
        "operators.locked": operator("locked", smsc, password='"wrong"'),
        "operators.mute": operator("mute", mute, window="1"),
        "operators.gone": operator("gone", 1),
    }
    running = Running(folder / "data", [f"u{number:02d}" for number in range(40)], settings, wrapper=wrapper)
    atexit.register(running.kill)
    running.make()
    running.start()
    return running


def operator(name: str, port: int, **more: str) -> dict[str, str]:
    """The section of an operator with SMPP."""
    common = {"system_id": '"push"', "password": '"secret"', "prefixes": f'["{PREFIXES[name]}"]'}
    return {"smpp": f'["tcp:127.0.0.1:{port}"]', **common, **more}


class DoctorCase(SynchronousTestCase):
    """A gateway that is shared, and a user of it for each test."""

    def setUp(self) -> None:
        self.gateway = whole()
        self.user = self.gateway.newcomer()

    def examined(self, *more: str, user: str = "", gateway: Running | None = None) -> tuple[int, list[dict[str, Any]]]:
        """Exit status and, for each device, what the command says as JSON."""
        config = str((gateway or self.gateway).config)
        ran = CliRunner().invoke(doctor, [user or self.user, *more, "--json", "--config", config])
        told = ran.stdout[ran.stdout.index("{") :]
        return ran.exit_code, json.loads(told)["devices"]

    def assertBroken(self, hop: str, *words: str, more: tuple[str, ...] = ()) -> None:
        """The doctor names that hop, with those words, and a remedy; the status is 1."""
        status, (chain,) = self.examined(*more)
        found = next((each for each in chain["hops"] if each["hop"] == chain["broken"]), None)
        self.assertEqual((chain["broken"], status), (hop, 1), chain)
        assert found is not None
        for word in words:
            self.assertIn(word, found["text"])
        self.assertTrue(found["remedy"])

    def assertWhole(self) -> None:
        """Nothing is broken."""
        status, (chain,) = self.examined()
        self.assertEqual((chain["broken"], status), (None, 0), chain)

    @contextmanager
    def configured(self, **changed: dict[str, str]) -> Iterator[None]:
        """The gateway has other settings meanwhile."""
        before = {name: dict(section) for name, section in self.gateway.settings.items()}
        self.gateway.write_config(**changed)
        self.reload()
        try:
            yield
        finally:
            self.gateway.settings = before
            self.gateway.write_config()
            self.reload()

    def reload(self) -> None:
        self.assertEqual(self.gateway.ask("reload"), {"error": ""})

    def parked(self, *folders: str) -> Phone:
        """A phone of the user that has synchronised and pinged."""

        async def live() -> Phone:
            phone = Phone(self.gateway, self.user)
            await phone.ready()
            for name in folders:
                await phone.sync(folder=name)
                await phone.sync(folder=name)
            await phone.park(60, *(phone.folders[name] for name in folders or ("Inbox",)))
            phone.close()
            return phone

        phone = asyncio.run(live())
        until(lambda: not phone.parked(), "the connection to be lost")
        return phone

    def reached_by_sms(self, operator: str = "good", ending: str = "0000001", trigger: bool = True) -> None:
        """The user's device is woken by SMS; a mail comes."""
        self.parked()
        names = {"user": self.user, "device": "phone1", "by": "test"}
        words = dict.fromkeys(("operator", "address", "format", "name"), "")
        self.gateway.ask("register", **names, **words, number=f"{PREFIXES[operator]}{self.user[1:]}{ending}")
        self.gateway.ask("set-mode", **names, mode="sms")
        if trigger:
            self.gateway.send_mail(self.user)
            until(self.letters, "the trigger")

    def letters(self) -> list[dict[str, Any]]:
        letters: list[dict[str, Any]] = self.gateway.ask("outbox", user=self.user)
        return letters

    def until_letter(self, *states: str) -> None:
        """Wait until the trigger has come so far."""
        until(lambda: self.letters()[0]["state"] in states, f"a letter that is {states}")

    def database(self, statement: str, *values: object) -> None:
        """Change the store behind the gateway's back."""
        with closing(sqlite3.connect(self.gateway.folder / "pushgw.sqlite", timeout=30)) as connection, connection:
            self.assertGreater(connection.execute(statement, values).rowcount, 0)


class WholeTests(DoctorCase):
    def test_push(self) -> None:
        """Of a phone that is well nothing is broken; the command says so in words, with status 0."""
        self.parked()
        ran = pushgw("doctor", self.user, "--config", self.gateway.config)
        self.assertEqual((ran.status, ran.err), (0, ""))
        self.assertRegex(ran.out, rf"^phone1 of {self.user}\n  ok      gateway +it is running\n")
        self.assertIn("\nNothing is broken.\n", ran.out)

    def test_sms(self) -> None:
        """Nor of one that an SMS has woken; the last receipt is told."""
        self.reached_by_sms()
        self.until_letter("delivered")
        self.assertWhole()
        self.assertIn("DELIVRD", str(self.examined()[1]))

    def test_words(self) -> None:
        """The first broken hop and its remedy stand at the end."""
        ran = pushgw("doctor", "nobody", "--config", self.gateway.config)
        self.assertEqual(ran.status, 1)
        self.assertRegex(ran.out, r"  BROKEN  credentials +there is no enabled account nobody\n")
        self.assertIn(
            "\nFirst broken hop: credentials: there is no enabled account nobody.\nRemedy: pushgw user", ran.out
        )

    def test_many(self) -> None:
        """Without a device all of the user are examined; one that never came is named with those that did."""
        self.parked()
        asyncio.run(Phone(self.gateway, self.user, "phone2").ready())
        status, chains = self.examined()
        self.assertEqual(
            [(chain["device"], chain["broken"]) for chain in chains], [("phone1", None), ("phone2", "watched folders")]
        )
        self.assertEqual(status, 1)
        self.assertEqual(self.examined("phone1")[0], 0)
        self.assertBroken("device", "known are phone1, phone2", more=("phone3",))


class GatewayTests(DoctorCase):
    """Faults of the gateway, whoever's device it is."""

    def setUp(self) -> None:
        super().setUp()
        self.parked()

    def test_wrongName(self) -> None:
        """A certificate for another name than phones connect to."""
        with self.configured(https={"listen": f"[{LOOPBACK}]", "server_name": '"mail.elsewhere.example"'}):
            self.assertBroken("certificate", "localhost", "mail.elsewhere.example")
        self.assertWhole()

    def test_expired(self) -> None:
        """A certificate that has ended."""
        old = datetime.now(UTC) - timedelta(days=900)
        certificate, key = self_signed(["localhost"], [ip_address("127.0.0.1")], old)
        (self.gateway.folder / "certificate.pem").write_bytes(certificate)
        (self.gateway.folder / "private_key.pem").write_bytes(key)
        self.reload()
        try:
            self.assertBroken("certificate", "it ended 77 days ago")
        finally:
            self.gateway.write_certificate("localhost")
            self.reload()
        self.assertWhole()

    def test_portClosed(self) -> None:
        """A door before the gateway, which phones connect to, that is closed, mute, or something else."""
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        self.assertBroken("listener", "Connection refused", more=("--at", f"localhost:{port}"))
        smtp = "{}:{}".format(*self.gateway.address("smtp"))
        self.assertBroken("listener", "no TLS", more=("--at", smtp))
        https = "localhost:{1}".format(*self.gateway.address("https"))
        self.assertEqual(self.examined("--at", https)[0], 0)

    def test_storeReadOnly(self) -> None:
        """A database that cannot be written, as on a disk that is full or mounted read-only."""
        assert self.gateway.process is not None
        pid, limit = self.gateway.process.pid, resource.RLIMIT_FSIZE
        before = resource.prlimit(pid, limit)
        resource.prlimit(pid, limit, (0, before[1]))
        try:
            self.assertBroken("store", "takes no changes", "disk I/O error")
        finally:
            resource.prlimit(pid, limit, before)
        self.assertWhole()

    def test_clock(self) -> None:
        """A clock that was set back since something was written down."""
        self.database("insert into hop values (null, ?, 'x', 'y', 'came', '', 0, 0, 0)", time.time() + 7300)
        try:
            self.assertBroken("clock", "2 hours behind")
        finally:
            self.database("delete from hop where user = 'x'")
        self.assertWhole()

    def test_inotifyLimit(self) -> None:
        """A mailbox with more directories than the kernel watches."""
        if not limited():
            raise SkipTest("no user namespace with a limit of its own can be made")
        folders = [self.gateway.inbox(self.user) / f".F{number}" for number in range(WATCHES)]
        for folder in folders:
            for part in ("cur", "new", "tmp"):
                (folder / part).mkdir(parents=True)
        try:
            until(lambda: self.examined()[1][0]["broken"] == "folder watch", "the limit to be reached")
            self.assertBroken("folder watch", f"its limit of {WATCHES} is reached")
        finally:
            for folder in folders:
                shutil.rmtree(folder)
        until(lambda: self.examined()[0] == 0, "the folders to be gone")


class UserTests(DoctorCase):
    """Faults of one user, or of one device, with Direct Push."""

    def test_modeOff(self) -> None:
        """A mode that tells of nothing."""
        self.parked()
        self.gateway.ask("set-mode", user=self.user, device="", mode="off", by="root")
        self.assertBroken("mode", "mode off (set for the user by root)")

    def test_wrongPasswords(self) -> None:
        """A user who is slowed down by wrong passwords is noted; nothing is broken."""
        self.parked()
        phone = Phone(self.gateway, self.user, "phone1", password="wrong")

        async def guess() -> None:
            for number in range(6):
                phone.password = f"wrong {number}"
                await phone.ask("Ping")

        asyncio.run(guess())
        status, (chain,) = self.examined()
        self.assertEqual([hop["health"] for hop in chain["hops"] if hop["hop"] == "credentials"], ["note"])
        self.assertEqual(status, 0)

    def test_neverPinged(self) -> None:
        """A phone that synchronises, and was never set to push."""
        asyncio.run(Phone(self.gateway, self.user).ready())
        self.assertBroken("watched folders", "never")

    def test_folderGone(self) -> None:
        """A device that watches a folder that was removed meanwhile."""
        work = self.gateway.inbox(self.user) / ".Work"
        for part in ("cur", "new", "tmp"):
            (work / part).mkdir(parents=True)

        async def told() -> bool:
            phone = Phone(self.gateway, self.user)
            await phone.folder_sync()
            return "Work" in phone.folders

        until(lambda: asyncio.run(told()), "the folder to be noticed")
        phone = self.parked("Work")
        shutil.rmtree(work)
        until(lambda: self.examined()[0] == 1, "its end to be noticed")
        self.assertBroken("watched folders", "not there any more", phone.folders["Work"])

    def test_mailboxGone(self) -> None:
        """A mailbox whose disk is not there."""
        self.parked()
        self.gateway.inbox(self.user).rename(self.gateway.folder / "elsewhere")
        until(lambda: self.examined()[0] == 1, "its end to be noticed")
        self.assertBroken("folder watch", "no mail directory")

    def test_firewall(self) -> None:
        """A firewall on the way that cuts connections when they have been idle for a while."""
        host, port = self.gateway.address("https")
        (front,) = beside("network", host, str(port), "idle=1,mode=reset")
        behind = copy.copy(self.gateway)
        behind.addresses = {**behind.addresses, "https": [f"127.0.0.1:{front}"]}

        async def cut() -> None:
            phone = Phone(behind, self.user)
            await phone.ready()
            for _ in range(3):
                with self.assertRaises(Gone):
                    await phone.ping(60)

        asyncio.run(cut())
        self.assertBroken("parked requests", "the last 3 lost their connection after 1 seconds")


class SmsTests(DoctorCase):
    """Faults on the way of an SMS."""

    def test_wrongPassword(self) -> None:
        """An SMSC that does not take our password."""
        self.reached_by_sms("locked")
        until(lambda: "RINVPASWD" in self.gateway.log, "the refusal")
        self.assertBroken("operator", "smpp:locked does not let us in", "RINVPASWD")

    def test_noSmsc(self) -> None:
        """An SMSC that cannot be reached."""
        self.reached_by_sms("gone")
        self.assertBroken("operator", "smpp:gone cannot be reached", "refused")

    def test_throttled(self) -> None:
        """An SMSC that says that it is sent too much."""
        self.reached_by_sms("slow", "58")
        until(lambda: "RTHROTTLED" in self.letters()[0]["result"], "the SMSC to say so")
        self.assertBroken("operator", "throttled")

    def test_numberRefused(self) -> None:
        """A number that the SMSC does not take."""
        self.reached_by_sms(ending="000011")
        self.until_letter("failed")
        self.assertBroken("delivery", "RINVDSTADR")

    def test_notDelivered(self) -> None:
        """A phone that the SMS did not reach."""
        self.reached_by_sms(ending="000005")
        self.until_letter("undelivered")
        self.assertBroken("delivery", "did not reach the phone", "UNDELIV")

    def test_notObeyed(self) -> None:
        """An SMS that was delivered, and no sync followed."""
        self.reached_by_sms()
        self.until_letter("delivered")
        until(lambda: "receipt" in str(self.gateway.ask("trace", user=self.user)), "the trace")
        self.database("update device set last_sync = last_sync - 700 where user = ?", self.user)
        self.database("update outbox set created = created - 600 where user = ?", self.user)
        self.database("update hop set at = at - 600 where user = ?", self.user)
        self.assertBroken("delivery", "10 minutes ago, and no sync followed")

    def test_leaseLapsed(self) -> None:
        """A registration that has lapsed."""
        self.reached_by_sms(trigger=False)
        days = int(time.time() - 3 * DAY)
        mine = "device = (select id from device where user = ?)"
        self.database(f"update line set expires = ? where {mine}", days, self.user)
        self.assertBroken("line", "lapsed 3 days ago")

    def test_noNumber(self) -> None:
        """A device that only an SMS wakes, and that has no number."""
        self.parked()
        self.gateway.ask("set-mode", user=self.user, device="", mode="sms", by="root")
        self.assertBroken("line", "no number")

    def test_queueStuck(self) -> None:
        """An SMSC that has taken the bind and answers nothing: what waits is named after ten minutes."""
        for _ in range(3):  # what the gateway takes out of the queue ahead of the answers, and one that waits
            self.reached_by_sms("mute")
            last, self.user = self.user, self.gateway.newcomer()
        self.user = last
        self.until_letter("queued")
        self.assertWhole()
        self.database("update outbox set created = created - 1000 where user = ?", self.user)
        self.assertBroken("queue", "smpp:mute has been waiting for 17 minutes")

    def test_relayRefuses(self) -> None:
        """A mail server that takes our mail only after a password, and not this one."""
        self.reached_by_sms("mail")
        until(lambda: "535" in self.letters()[0]["result"], "the refusal")
        self.assertBroken("operator", "smtp:mail does not let us in", "535 5.7.8")


class OtherTests(DoctorCase):
    """Gateways of their own."""

    def setUp(self) -> None:
        self.user = "ann"

    def test_proxied(self) -> None:
        """A door before which a proxy has to say who comes (the PROXY protocol) is passed as a proxy does it."""
        self.gateway = started(self, settings={"https": {"listen": '["haproxy:tcp:0:interface=127.0.0.1"]'}})
        status, (chain,) = self.examined()
        health = {hop["hop"]: hop["health"] for hop in chain["hops"]}
        self.assertEqual((health["listener"], health["certificate"], chain["broken"]), ("good", "good", "device"))
        self.assertEqual(status, 1)

    def test_notRunning(self) -> None:
        """Without a gateway that is what is broken; the rest is told from the store."""
        gateway = self.gateway = started(self)
        asyncio.run(Phone(gateway, "ann").ready())
        gateway.stop(signal.SIGTERM)
        ran = pushgw("doctor", "ann", "--config", gateway.config)
        self.assertEqual(ran.status, 1)
        self.assertIn("No gateway is running; working on its store.", ran.err)
        self.assertIn("First broken hop: gateway: no gateway is running.", ran.out)
        self.assertRegex(ran.out, r"ok +device +it synchronised \d+ seconds ago")
        self.assertNotIn("listener", ran.out)
