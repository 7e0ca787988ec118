"""Tests of the simulated phone that is woken by SMS, over real sockets: the command, HTTPS and SMPP."""

from __future__ import annotations

import time
from pathlib import Path

from smpplib.client import Client
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from gateway.simulator.memory import MemoryFile
from tests.functional.test_device import ServedTestCase
from tests.functional.toyweb import PASSWORD, Command

GUID = "35395ce4-1504-4ac4-9721-f152c646ea35"


class TextedCommandTests(ServedTestCase):
    def text(self, port: int, number: str, text: str) -> list[int]:
        """Send an SMS with somebody else's client; the statuses of the answers."""
        statuses: list[int] = []
        client = Client("127.0.0.1", port, timeout=10)
        client.set_message_sent_handler(lambda pdu: statuses.append(pdu.status))
        client.set_error_pdu_handler(lambda pdu: None)
        client.connect()
        client.bind_transceiver(system_id="anyone", password="any")
        client.send_message(source_addr="pushgw", destination_addr=number, short_message=text.encode())
        client.read_once()
        client.unbind()
        client.disconnect()
        return statuses

    async def test_woken(self) -> None:
        """A trigger that an SMPP client submits makes the phone synchronise and print the wake-up; no Ping is sent."""
        command = Command(
            reactor,
            self.url,
            *("--user", "ann", "--ca", str(self.ca), "--mode", "sms", "--number", "+491701234567", "--coalesce", "0.2"),
            *("--sms-listen", "tcp:0:interface=127.0.0.1", "--state", state := self.mktemp(), "--wakeups", "1", "-v"),
            password=PASSWORD,
        )
        self.addCleanup(self.end, command)
        await self.until(lambda: "SMS come in" in command.err and "CSyncEngine" in command.err)
        port = int(command.err.partition("127.0.0.1:")[2].split()[0])
        self.toy.deliver("5:1", f"sent={time.time():.6f}")
        self.assertEqual(await deferToThread(self.text, port, "491701", f"PUSHGW {GUID}"), [0x0B])
        self.assertEqual(await deferToThread(self.text, port, "491701234567", f"PUSHGW {GUID}"), [0])
        self.assertEqual(await command.done, 0)
        self.assertRegex(command.out, r"^woken after 0\.\d s: Posteingang \(1 new, .*\), latency \d\.\d{3} s\n$")
        self.assertIn(f"CSms trigger {GUID}: synchronise", command.err)
        self.assertNotIn("Ping", self.toy.commands())
        self.assertEqual(MemoryFile(Path(state)).load().spent, GUID)

    async def end(self, command: Command) -> None:
        if not command.done.called:
            command.process.signalProcess("KILL")
            await command.done

    async def test_listening(self) -> None:
        """An endpoint that is none, and mode and endpoint without one another, are refused."""
        taken = str(self.port)
        for arguments in (
            ("--mode", "sms", "--sms-listen", f"tcp:{taken}:interface=127.0.0.1"),
            ("--mode", "sms", "--sms-listen", "nonsense:1"),
            ("--mode", "sms"),
            ("--sms-listen", "tcp:0"),
            ("--mode", "sms", "--sms-listen", "tcp:0", "--number", "ann"),
        ):
            command = Command(reactor, self.url, "--user", "ann", "--insecure", *arguments, password=PASSWORD)
            self.addCleanup(self.end, command)
            self.assertIn(await command.done, (1, 2))
            self.assertNotIn("Traceback", command.err)
