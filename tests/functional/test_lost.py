"""Answers that get lost on their way."""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from gateway.element import Element
from tests.functional.phones import Phone
from tests.functional.running import Running, eventually, played, started

#: More than the buffers of any socket hold, in bytes.
LARGE = 12_000_000


def greedy_body(folder: str, key: str) -> Element:
    """A Sync that wants whole mails, as they are."""
    body = Element(
        "AirSyncBase:BodyPreference", Element("AirSyncBase:Type", 4), Element("AirSyncBase:TruncationSize", 2 * LARGE)
    )
    return Element(
        "AirSync:Sync",
        Element(
            "AirSync:Collections",
            Element(
                "AirSync:Collection",
                Element("AirSync:SyncKey", key),
                Element("AirSync:CollectionId", folder),
                Element("AirSync:GetChanges"),
                Element("AirSync:Options", Element("AirSync:MIMESupport", 2), body),
            ),
        ),
    )


def large_mail(gateway: Running) -> None:
    """Have a mail arrive that does not shrink."""
    made = random.Random(1)
    lines = (f"{made.getrandbits(280):070x}" for _ in range(LARGE // 72))
    message = "From: bob@example.net\r\nSubject: large\r\n\r\n" + "\r\n".join(lines)
    (gateway.inbox("ann") / "tmp" / "1.large").write_text(message)
    (gateway.inbox("ann") / "tmp" / "1.large").rename(gateway.inbox("ann") / "new" / "1.large")


class LostTests(SynchronousTestCase):
    @played
    async def test_half(self) -> None:
        """A mail in an answer that was still being sent when the connection broke is announced by the next Ping; once
        it has come through, it is not."""
        gateway = started(self)
        phone = Phone(gateway, "ann")
        await phone.ready()
        parked = await phone.park()
        large_mail(gateway)
        self.assertEqual((await parked).ping, "2")
        body = greedy_body(phone.inbox, phone.keys[phone.inbox])
        await phone.send("Sync", body)
        assert phone._reader is not None and phone._writer is not None
        await phone._reader.readexactly(1000)
        phone._writer.transport.abort()
        phone.close()
        self.assertEqual((await phone.ping()).ping, "2")
        reply = await phone.ask("Sync", body)
        phone.keys[phone.inbox] = reply.collection.text_of("AirSync:SyncKey") or ""
        self.assertEqual(len(list(reply.commands("Add"))), 1)
        parked = await phone.park(5)
        self.assertEqual((await parked).ping, "1")
        self.assertNotIn("Traceback", gateway.log)
        await eventually(lambda: gateway.parked() == 0, "nothing to be left")
