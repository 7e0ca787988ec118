"""The process itself: start and its failures, the control socket, the metrics."""

from __future__ import annotations

import asyncio
import re
import socket
import stat
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from twisted.trial.unittest import SynchronousTestCase

from gateway.config import Config
from tests.functional.phones import Phone
from tests.functional.running import PASSWORD, PATIENCE, Running, eventually, played, shared, started, until


class StartTests(SynchronousTestCase):
    """What a start says, and what one that fails says."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="pushgw test ")
        self.addCleanup(folder.cleanup)
        self.gateway = Running(Path(folder.name) / "data")
        self.addCleanup(self.gateway.kill)
        self.gateway.make()

    def refused(self, *wanted: str) -> None:
        """It ends with status 1 and one clear line."""
        self.gateway.launch()
        assert self.gateway.process is not None
        self.assertEqual(self.gateway.process.wait(PATIENCE), 1, self.gateway.log)
        self.assertNotIn("Traceback", self.gateway.log)
        for word in wanted:
            self.assertIn(word, self.gateway.log)

    def test_loaded(self) -> None:
        """Event 3002 with the process id, where everything listens, and that it is ready."""
        self.gateway.start()
        assert self.gateway.process is not None
        self.assertIn(f"started with process id {self.gateway.process.pid}", self.gateway.log)
        self.assertIn("event 3002", self.gateway.log)
        for name, addresses in self.gateway.addresses.items():
            self.assertIn(f"{name} listens on {addresses[0]}", self.gateway.log)
        until(lambda: "ready after" in self.gateway.log, "the line that it is ready")

    def test_noConfiguration(self) -> None:
        """Without a configuration file the line names it."""
        self.gateway.config.unlink()
        self.refused("pushgw.toml")

    def test_wrongKey(self) -> None:
        """An unknown key is refused with the nearest known one."""
        self.gateway.write_config(smtp={"max_mesage_bytes": "5000"})
        self.refused("smtp.max_mesage_bytes", "max_message_bytes")

    def test_modeWithoutTriggers(self) -> None:
        """A mode that needs SMS is refused until there is SMS."""
        for mode in ("sms", "both", "auto"):
            self.gateway.write_config(policy={"default_mode": f'"{mode}"'})
            self.refused("policy.default_mode", mode)

    def test_accounts(self) -> None:
        """A wrong accounts file is named with its line."""
        (self.gateway.folder / "accounts").write_text("nonsense\n")
        self.refused("accounts", "line 1")

    def test_certificate(self) -> None:
        """A missing certificate is named, with what makes one."""
        (self.gateway.folder / "certificate.pem").unlink()
        self.refused("certificate.pem", "pushgw init")

    def test_port(self) -> None:
        """A port that somebody has is named."""
        with closing(socket.create_server(("127.0.0.1", 0))) as server:
            port = server.getsockname()[1]
            self.gateway.write_config(https={"listen": f'["tcp:{port}:interface=127.0.0.1"]'})
            self.refused(str(port), "in use")

    def test_set(self) -> None:
        """C{--set} goes over the file for this run, and over what a reload reads."""
        self.gateway.start("--set", "direct_push.max_heartbeat=77")
        self.gateway.write_config(direct_push={"max_heartbeat": "99"})
        self.assertEqual(self.gateway.ask("reload"), {"error": ""})
        asyncio.run(self.beyond("77"))

    async def beyond(self, bound: str) -> None:
        phone = Phone(self.gateway, "ann")
        await phone.ready()
        refusal = await phone.ping(2000)
        self.assertEqual((refusal.ping, refusal.element.text_of("Ping:HeartbeatInterval")), ("5", bound))

    def test_logFile(self) -> None:
        """C{twistd --logfile} takes JSON lines too."""
        self.gateway.write_config(log={"format": '"json"'})
        log = self.gateway.folder / "twistd.log"
        self.gateway.launch(twistd=("--logfile", str(log)))
        until(lambda: log.exists() and '"event_id": 3002' in log.read_text(), "the event in the file")


class AdminTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.gateway = shared()

    def test_mode(self) -> None:
        """Only the owner may open the control socket."""
        mode = stat.S_IMODE((self.gateway.folder / "pushgw.sock").stat().st_mode)
        self.assertEqual(oct(mode), "0o600")

    def test_loopback(self) -> None:
        """Metrics listen on the loopback address unless something else is configured."""
        gateway = started(self, settings={"admin": {"listen": '"' + Config().admin.listen.replace("8080", "0") + '"'}})
        self.assertEqual(gateway.address("admin")[0], "127.0.0.1")

    def test_off(self) -> None:
        """An empty endpoint turns the metrics off; the commands go on."""
        gateway = started(self, settings={"admin": {"listen": '""'}})
        self.assertNotIn("admin", gateway.addresses)
        self.assertEqual(gateway.parked(), 0)

    def test_nothingElse(self) -> None:
        """The admin port has the metrics and nothing else: no orders."""
        host, port = self.gateway.address("admin")
        for path in ("", "devices", "wipe", "status", "reload"):
            for data in (None, b"{}"):
                with self.assertRaises(HTTPError) as refused:
                    urlopen(f"http://{host}:{port}/{path}", data, timeout=PATIENCE)
                self.assertEqual(refused.exception.code, 404)

    def value(self, name: str) -> float:
        """The value of a counter, 0 if it has not begun."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.gateway.metrics(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    @played
    async def test_metrics(self) -> None:
        """Parked requests, endings by kind, requests by command and status, latency and heartbeats are counted."""
        user = self.gateway.newcomer()
        names = {
            "pushgw_parked": 0,
            'pushgw_watch_endings_total{ending="changed"}': 1,
            'pushgw_watch_endings_total{ending="expired"}': 1,
            'pushgw_watch_endings_total{ending="replaced"}': 1,
            'pushgw_watch_endings_total{ending="lost"}': 1,
            'pushgw_watch_endings_total{ending="recalled"}': 1,
            'pushgw_requests_total{cmd="Ping",http="200",status="2"}': 1,
            'pushgw_requests_total{cmd="FolderSync",http="200",status="1"}': 1,
            "pushgw_change_to_answer_seconds_count": 1,
            "pushgw_heartbeat_seconds_count": 5,
            'pushgw_request_seconds_count{cmd="Sync"}': 3,
        }
        before = {name: self.value(name) for name in names}
        phone, other = Phone(self.gateway, user), Phone(self.gateway, user)
        await phone.ready()
        self.assertEqual((await phone.ping(10**6)).ping, "5")
        self.assertEqual((await phone.ping(1)).ping, "1")
        answer = await phone.park()
        self.assertEqual(self.value("pushgw_parked"), before["pushgw_parked"] + 1)
        await asyncio.to_thread(self.gateway.send_mail, user)
        self.assertEqual((await answer).ping, "2")
        await phone.sync()
        answer = await phone.park()
        other.folders = phone.folders
        again = await other.park()
        self.assertEqual((await answer).ping, "1")
        await asyncio.to_thread(self.gateway.ask, "forget", user=user, device="phone1", by="tests")
        self.assertEqual((await again).ping, "7")
        phone.hierarchy, phone.keys = "0", {}
        await phone.ready()
        answer = await phone.park()
        phone.close()
        await asyncio.wait([answer])
        self.assertIsNotNone(answer.exception())
        await eventually(lambda: not phone.parked(), "the Ping to be gone")
        after = {name: self.value(name) for name in names}
        lacking = {name: after[name] - before[name] for name in names if after[name] - before[name] < names[name]}
        self.assertEqual(lacking, {})
        heartbeats = "pushgw_heartbeat_seconds_count"
        self.assertEqual(after[heartbeats] - before[heartbeats], names[heartbeats], "only those that were accepted")

    def test_secrets(self) -> None:
        """No password is in the log."""
        self.assertNotIn(PASSWORD, self.gateway.log)

    def test_openFiles(self) -> None:
        """The process takes as many connections as it may have, whatever the soft limit was."""
        assert self.gateway.process is not None
        limits = Path(f"/proc/{self.gateway.process.pid}/limits").read_text()
        soft, hard = re.search(r"Max open files\s+(\S+)\s+(\S+)", limits).groups()  # type: ignore[union-attr]
        self.assertEqual(soft, hard)
