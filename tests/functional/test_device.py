"""Tests of the simulated phone over real sockets: the command, HTTPS, and the network in between."""

from __future__ import annotations

import json
import time
from pathlib import Path

from click.testing import CliRunner
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.server import Site

from gateway.commands.device import device
from gateway.element import Element
from gateway.simulator import events
from gateway.simulator.connection import Connections, HTTPLine, Route
from gateway.simulator.device import Device, Outcome
from gateway.simulator.errors import Declined, SignInRefused, Untrusted
from gateway.simulator.heartbeat import Heartbeat, HeartbeatSet
from gateway.simulator.line import Account
from gateway.simulator.network import Carrier, Mode, Network
from gateway.simulator.query import endpoint_url
from gateway.simulator.synchroniser import Habits
from gateway.simulator.trust import Trust
from tests.functional.toyweb import PASSWORD, Command, ToyPage
from tests.simulator.certificates import self_signed
from tests.simulator.toy import INBOX, Notes, ToyServer


class ServedTestCase(TestCase):
    """A toy server at C{https://127.0.0.1:self.port}; its certificate is in C{self.ca}."""

    timeout = 60

    async def setUp(self) -> None:
        self.toy = ToyServer()
        pem, both = self_signed("127.0.0.1")
        self.ca = Path(self.mktemp())
        self.ca.write_bytes(pem)
        self.page = ToyPage(self.toy)
        options = PrivateCertificate.loadPEM(both).options()
        self.listening = reactor.listenSSL(0, Site(self.page), options, interface="127.0.0.1")
        self.port = self.listening.getHost().port
        self.url = f"https://127.0.0.1:{self.port}"

    async def tearDown(self) -> None:
        self.page.break_off()
        await self.listening.stopListening()
        await deferLater(reactor, 0.05)

    async def until(self, condition) -> None:
        """Wait until that holds."""
        for _ in range(1000):
            if condition():
                return
            await deferLater(reactor, 0.01)
        self.fail("it never came to that")


class PhoneTests(ServedTestCase):
    def phone(self, password: str = PASSWORD, heartbeats: HeartbeatSet | None = None, **how: object) -> Device:
        account = Account("ann", password)
        self.notes = Notes()
        route = Route(reactor, how.pop("trust", None) or Trust.from_file(self.ca), how.pop("detours", {}))
        self.connections = Connections(route)
        self.addCleanup(self.connections.close)
        line = HTTPLine(account, endpoint_url(self.url), self.connections.agent, reactor)
        self.device = Device(
            account, line, reactor, self.notes, Heartbeat(heartbeats or HeartbeatSet.fixed(600)), habits=Habits(**how)
        )
        return self.device

    async def test_woken(self) -> None:
        """A phone parks over HTTPS, is woken, and keeps using its connection."""
        done = self.phone().start()
        await self.until(lambda: self.toy.parked)
        self.toy.deliver("5:1", f"sent={time.time():.6f}")
        await self.until(lambda: self.notes.of(events.Woken))
        await self.until(lambda: self.toy.parked)
        (woken,) = self.notes.of(events.Woken)
        self.assertLess(woken.latency, 5)
        self.assertEqual(self.page.connections, 1)
        self.device.stop()
        self.assertIs(await done, Outcome.STOPPED)

    async def test_stopLeaves(self) -> None:
        """A phone switched off closes its connection, so that the server can let go of the Ping."""
        done = self.phone().start()
        await self.until(lambda: self.toy.parked)
        self.device.stop()
        await done
        await self.until(lambda: self.toy.parked is None)

    async def test_commands(self) -> None:
        """Commands go out beside the parked Ping, on a connection of their own."""
        self.toy.inbox.add("5:1", "m")
        done = self.phone().start()
        await self.until(lambda: self.toy.parked)
        parked = self.toy.parked
        await self.device.mark_read(INBOX, "5:1")
        self.assertEqual((await self.device.fetch(INBOX, "5:1")).text_of("Email:Subject"), "whole")
        with self.assertRaises(Declined):
            await self.device.fetch(INBOX, "gone")
        self.assertIs(self.toy.parked, parked)
        self.device.stop()
        await done

    async def test_refused(self) -> None:
        """A wrong password stops the phone."""
        with self.assertRaises(SignInRefused):
            await self.phone("wrong").start()

    async def test_untrusted(self) -> None:
        """A certificate that nobody vouches for stops the phone."""
        with self.assertRaises(Untrusted):
            await self.phone(trust=Trust()).start()

    async def test_serverAway(self) -> None:
        """When the server goes and comes back, the phone parks again."""
        done = self.phone().start()
        await self.until(lambda: self.toy.parked)
        self.page.break_off()
        await self.until(lambda: self.toy.commands().count("Ping") == 2)
        self.device.stop()
        await done

    async def test_silentCarrier(self) -> None:
        """On a network that silently drops what is idle the phone finds the heartbeat that lives, and settles."""
        server = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port)
        network = Network(Carrier(idle=1.5), reactor, server)
        port = await network.start(TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"))
        detours = {("127.0.0.1", self.port): ("127.0.0.1", port.getHost().port)}
        self.page.expiry = reactor
        heartbeats = HeartbeatSet(initial=1, minimum=1, step=1, maximum=9)
        done = self.phone(heartbeats=heartbeats, detours=detours, slack=0.7).start()
        network.on_change(self.device.network_changed)
        await self.until(lambda: self.device.heartbeat.settled)
        self.assertEqual([event.heartbeat for event in self.notes.of(events.Parked)][:2], [1, 2])
        self.assertEqual(self.device.heartbeat.seconds, 1)
        parked = len(self.notes.of(events.Parked))
        network.change()
        await self.until(lambda: len(self.notes.of(events.Parked)) > parked)
        self.assertFalse(self.device.heartbeat.settled)
        self.device.stop()
        await done
        await network.stop()

    async def test_resettingCarrier(self) -> None:
        """A network that resets what is idle is noticed at once."""
        network = Network(
            Carrier(idle=0.8, mode=Mode.RESET), reactor, TCP4ClientEndpoint(reactor, "127.0.0.1", self.port)
        )
        port = await network.start(TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"))
        detours = {("127.0.0.1", self.port): ("127.0.0.1", port.getHost().port)}
        done = self.phone(heartbeats=HeartbeatSet(3, 1, 1, 9), detours=detours).start()
        await self.until(lambda: self.notes.of(events.HeartbeatMoved))
        self.assertEqual(self.notes.of(events.HeartbeatMoved)[0], events.HeartbeatMoved(3, 1, False))
        self.device.stop()
        await done
        await network.stop()


class CommandTests(ServedTestCase):
    def run_device(self, *arguments: str, password: str = PASSWORD) -> Command:
        command = Command(reactor, self.url, "--user", "ann", *arguments, password=password)
        self.addCleanup(self.end, command)
        return command

    async def end(self, command: Command) -> None:
        if not command.done.called:
            command.process.signalProcess("KILL")
            await command.done

    async def test_wakeups(self) -> None:
        """The command prints each wake-up with its latency, and ends well after as many as asked."""
        command = self.run_device("--ca", str(self.ca), "--wakeups", "2", "-v")
        await self.until(lambda: self.toy.parked)
        self.toy.deliver("5:1", f"sent={time.time():.6f}")
        await command.line("1 new")
        await self.until(lambda: self.toy.parked)
        self.toy.deliver("5:2", f"sent={time.time():.6f}")
        self.assertEqual(await command.done, 0)
        lines = command.out.splitlines()
        self.assertEqual(len(lines), 2)
        self.assertRegex(lines[0], r"^woken after \d+\.\d s: Posteingang \(1 new, .*\), latency 0\.\d{3} s$")
        self.assertIn("CPingEngine Ping status = 2", command.err)
        self.assertNotIn(PASSWORD, command.out + command.err)

    async def test_json(self) -> None:
        """With --json each event is a line that programs can read."""
        command = self.run_device("--insecure", "--wakeups", "1", "--json")
        await command.line('"parked"')
        self.toy.deliver("5:1", "x")
        self.assertEqual(await command.done, 0)
        found = [json.loads(line) for line in command.out.splitlines()]
        names = [event["event"] for event in found]
        self.assertEqual(
            [name for name in names if name in ("parked", "pinganswered", "woken")][:3],
            ["parked", "pinganswered", "woken"],
        )
        self.assertEqual(next(event for event in found if event["event"] == "woken")["added"], 1)
        synced = [event for event in found if event["event"] == "foldersynced"]
        self.assertEqual(list(synced[-1]["added"]), ["5:1"])

    async def test_state(self) -> None:
        """A phone started again with its state file goes on where it was."""
        state = self.mktemp()
        first = self.run_device("--insecure", "--state", state, "--duration", "1000")
        await self.until(lambda: self.toy.parked)
        first.process.signalProcess("KILL")
        await first.done
        self.toy.inbox.add("5:1", "meanwhile")
        self.toy.asked.clear()
        second = self.run_device("--insecure", "--state", state, "--wakeups", "1")
        await self.until(lambda: self.toy.parked)
        self.assertEqual(self.toy.commands(), ["FolderSync", "Sync", "Ping"])
        self.toy.deliver("5:2", "x")
        self.assertEqual(await second.done, 0)

    async def test_tooFew(self) -> None:
        """When the time is over before the wake-ups came, the command says so and fails."""
        command = self.run_device("--insecure", "--wakeups", "3", "--duration", "1.5")
        self.assertEqual(await command.done, 1)
        self.assertIn("0 of 3 wake-ups in 1.5 s", command.err)

    async def test_duration(self) -> None:
        """Without a number of wake-ups the end of the time is the good end."""
        command = self.run_device("--insecure", "--duration", "1.5")
        self.assertEqual(await command.done, 0)

    async def test_wrongPassword(self) -> None:
        """A wrong password is a clear error, without a traceback."""
        command = self.run_device("--insecure", password="wrong")
        self.assertEqual(await command.done, 1)
        self.assertIn("refuses the user name or the password", command.err)
        self.assertNotIn("Traceback", command.err)

    async def test_untrusted(self) -> None:
        """A certificate that is not trusted is a clear error."""
        command = self.run_device()
        self.assertEqual(await command.done, 1)
        self.assertIn("is not trusted", command.err)
        self.assertNotIn("Traceback", command.err)

    async def test_wiped(self) -> None:
        """A wiped phone says so, and its state file is empty."""
        state = self.mktemp()
        command = self.run_device("--insecure", "--state", state)
        await self.until(lambda: self.toy.parked)
        self.toy.wipe = "RemoteWipe"
        self.toy.answer_ping(Element("Ping:Ping", Element("Ping:Status", 7)))
        self.assertEqual(await command.done, 3)
        self.assertIn("RemoteWipe", command.out)
        self.assertEqual(json.loads(Path(state).read_text())["folders"], {})

    async def test_network(self) -> None:
        """With --network the phone goes by a network of its own, which drops what is idle."""
        command = self.run_device(
            "--insecure", "--network", "idle=0.5,mode=reset", "--heartbeat-set", "900", "--wakeups", "1"
        )
        await self.until(lambda: self.toy.commands().count("Ping") >= 2)
        await self.until(lambda: self.toy.parked)
        self.toy.deliver("5:1", "x")
        self.assertEqual(await command.done, 0)


class OptionTests(SynchronousTestCase):
    def test_wrongOptions(self) -> None:
        """Options that make no sense are refused before anything is asked."""
        ca = self.mktemp()
        Path(ca).write_text("nothing")
        wrong = (
            ("--folders", ","),
            ("--heartbeat-set", "9999"),
            ("--network", "speed=3"),
            ("--device-id", "a,b"),
            ("--type", ""),
            ("--version", "3.0"),
            ("--ca", ca),
            ("--insecure", "--ca", ca),
            ("--version", "12.0", "--query", "base64"),
            ("--password-file", ca),
        )
        for arguments in wrong:
            result = CliRunner().invoke(device, ["localhost:1", "--user", "ann", "--password-stdin", *arguments])
            self.assertEqual((result.exit_code, result.stdout), (2, ""), arguments)
        for url in ("ftp://h", "h:99999"):
            self.assertEqual(CliRunner().invoke(device, [url, "--user", "ann", "--password-stdin"]).exit_code, 2)
