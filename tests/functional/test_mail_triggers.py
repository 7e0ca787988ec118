"""Triggers by mail on a running gateway: out to a server that nobody here wrote, in from an older one, and bounces."""

from __future__ import annotations

import asyncio
import json
import smtplib
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.functional.phones import Phone
from tests.functional.postfix import NO_SINK, addresses, sink
from tests.functional.running import PATIENCE, Running, eventually, played, pushgw
from tests.mail.notices import FAILED, report

NUMBER = "+491701234567"
GUIDS = ["35395ce4-1504-4ac4-9721-f152c646ea35", "35395ce4-1504-4ac4-9721-f152c646ea36"]


class MailTriggerTests(SynchronousTestCase):
    skip = NO_SINK

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="pushgw test ")
        self.addCleanup(folder.cleanup)
        self.sink = sink(self)
        operator = {
            "smtp_address": '"{number}@sms.example.net"',
            "smtp_server": f'"tcp:127.0.0.1:{self.sink.port}"',
            "smtp_security": '"none"',
            "smtp_sender": '"sms@example.org"',
            "door_domains": '["old.example.net"]',
            "door_networks": '["127.0.0.1"]',
        }
        settings = {"operators.big": operator, 'users."ann"': {"mode": '"sms"'}}
        self.gateway = Running(Path(folder.name) / "data", ["ann"], settings)
        self.addCleanup(self.gateway.kill)
        self.gateway.make()
        self.gateway.start()

    async def registered(self) -> Phone:
        """A phone with a line."""
        phone = Phone(self.gateway, "ann", "phone1")
        await phone.ready()
        words = ("sms", "register", "ann", "phone1", NUMBER, "--config", self.gateway.config)
        done = await asyncio.to_thread(pushgw, *words)
        self.assertEqual(done.status, 0, done.err)
        return phone

    def letters(self, state: str) -> list[dict[str, object]]:
        """The letters in that state, newest first."""
        return [letter for letter in self.gateway.ask("outbox") if letter["state"] == state]

    def kinds(self) -> list[str]:
        """What the trace says."""
        done = pushgw("trace", "ann", "--json", "--config", self.gateway.config)
        return [json.loads(line)["kind"] for line in done.out.splitlines()]

    def bring(self, text: bytes, recipient: str, sender: str = "exchange@old.example") -> dict[str, object]:
        """Somebody brings a mail."""
        with smtplib.SMTP(*self.gateway.address("smtp"), timeout=PATIENCE) as client:
            return client.sendmail(sender, [recipient], text)

    @played
    async def test_out(self) -> None:
        """A new mail sends a trigger to the operator's address; the trace tells it, and the bounce that comes back."""
        phone = await self.registered()
        await asyncio.to_thread(self.gateway.send_mail, "ann", "a secret")
        sent = await eventually(lambda: self.letters("sent"), "the trigger to be sent")
        mail = self.sink.mails()[0]
        self.assertEqual(addresses([mail]), [f"{NUMBER}@sms.example.net"])
        self.assertRegex(mail, "\n\nPUSHGW [0-9a-f-]{36}\n*$")
        self.assertNotIn("secret", mail)
        await eventually(lambda: "taken" in self.kinds(), "the trace")
        self.assertEqual([one for one in self.kinds() if one != "came"][:4], ["noticed", "decided", "queued", "taken"])
        sender = mail.partition("X-Mail-Args: <")[2].partition(">")[0]
        self.assertIn(sent[0]["message_id"], f"<{sender.partition('+')[2]}>")
        await asyncio.to_thread(self.bring, report(FAILED), sender, "")
        gone = await eventually(lambda: self.letters("undelivered"), "the bounce")
        self.assertRegex(str(gone[0]["result"]), "^failed 5.1.1 550 ")
        await eventually(lambda: "receipt" in self.kinds(), "the trace of the bounce")
        self.assertNotIn(NUMBER, self.gateway.log)
        phone.close()

    @played
    async def test_in(self) -> None:
        """A trigger of an older server goes out as it is, once for each GUID; strangers and others are refused."""
        phone = await self.registered()
        address = f"{NUMBER}@old.example.net"
        for guid in (GUIDS[0], GUIDS[0], GUIDS[1]):
            await asyncio.to_thread(self.bring, b"Subject: x\r\n\r\nAUTD " + guid.encode() + b"\r\n", address)
        await eventually(lambda: len(self.letters("sent")) == 2, "the triggers")
        bodies = sorted(mail.rstrip().rpartition("\n\n")[2] for mail in self.sink.mails())
        self.assertEqual(bodies, [f"AUTD {guid}" for guid in GUIDS])
        with self.assertRaises(smtplib.SMTPRecipientsRefused) as caught:
            await asyncio.to_thread(self.bring, b"x", "+4912345678@old.example.net")
        self.assertEqual(caught.exception.recipients["+4912345678@old.example.net"][0], 550)
        metrics = await asyncio.to_thread(self.gateway.metrics)
        self.assertIn('pushgw_door_triggers_total{operator="big",result="taken"} 3.0', metrics)
        self.assertIn('pushgw_door_triggers_total{operator="big",result="unknown"} 1.0', metrics)
        self.assertNotIn(NUMBER, self.gateway.log)
        phone.close()

    @played
    async def test_olderServerAlone(self) -> None:
        """Of a device that has only to do with an older server the doctor walks that chain, from the intake to the
        delivery."""
        words = ("--config", self.gateway.config)
        done = await asyncio.to_thread(pushgw, "sms", "register", "ann", "OLD1", NUMBER, *words)
        self.assertEqual(done.status, 0, done.err)
        broken = await asyncio.to_thread(pushgw, "doctor", "ann", "old1", *words)
        self.assertIn("if an older server is to wake it, see whether its triggers come in", broken.out)
        await asyncio.to_thread(self.bring, b"\r\nAUTD " + GUIDS[0].encode(), f"{NUMBER}@old.example.net")
        await eventually(lambda: self.letters("sent"), "the trigger")
        found = await asyncio.to_thread(pushgw, "doctor", "ann", "old1", *words)
        self.assertEqual((found.status, "Nothing is broken." in found.out), (0, True), found.out)
        self.assertRegex(found.out, r"ok +older server +the last trigger that it sent came in \d+ seconds ago")
        self.assertNotRegex(found.out, "  (listener|certificate|folder watch|device) ")

    @played
    async def test_limit(self) -> None:
        """At a limit a trigger waits for the next day, and the user finds one mail about it in the Inbox."""
        phone = await self.registered()
        self.gateway.write_config(sms={"per_device_day": "1"})
        done = await asyncio.to_thread(pushgw, "reload", "--config", self.gateway.config)
        self.assertEqual(done.status, 0, done.err)
        address = f"{NUMBER}@old.example.net"
        for number in range(3):
            text = b"\r\nAUTD " + GUIDS[0][:-1].encode() + b"%d" % number
            await asyncio.to_thread(self.bring, text, address)
        new = self.gateway.inbox("ann") / "new"
        (path,) = await eventually(lambda: list(new.iterdir()), "the mail about the limit")
        self.assertIn("Your device is not woken by SMS any more today", path.read_text())
        self.assertEqual(self.gateway.log.count("event 3103"), 1)
        # The mail about the limit goes through the outbox too, but is for no device.
        sent = await eventually(
            lambda: [one for one in self.letters("sent") if one["device"]], "the first trigger to be sent"
        )
        self.assertEqual((len(sent), len(self.letters("queued"))), (1, 1), self.gateway.ask("outbox"))
        phone.close()

    @played
    async def test_killed(self) -> None:
        """A trigger that waits for its server survives a kill of the gateway, and goes out once."""
        phone = await self.registered()
        self.sink.stop()
        await asyncio.to_thread(self.gateway.send_mail, "ann")
        await eventually(lambda: "has no connection" in self.gateway.log, "the first attempt")
        await asyncio.to_thread(self.gateway.kill)
        self.sink.start()
        await asyncio.to_thread(self.gateway.start)
        await eventually(lambda: self.letters("sent"), "the trigger to be sent")
        self.assertEqual(len(self.sink.mails()), 1)
        phone.close()
