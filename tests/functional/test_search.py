"""Searching the mails of a real gateway, through arrivals, removals and kills."""

from __future__ import annotations

import asyncio
import signal
import time

from twisted.trial.unittest import SynchronousTestCase

from gateway.element import Element
from tests.functional.phones import Phone
from tests.functional.running import PATIENCE, Running, played, started

MANY = 120


def text(subject: str, words: str) -> bytes:
    """A mail."""
    return f"From: bob@example.net\r\nTo: ann@example.org\r\nSubject: {subject}\r\n\r\n{words}\r\n".encode()


def search(words: str, *options: Element) -> Element:
    """A Search for words in the mailbox."""
    query = Element("Search:Query", Element("Search:And", Element("Search:FreeText", words)))
    chosen = Element("Search:Options", *options) if options else None
    return Element("Search:Search", Element("Search:Store", Element("Search:Name", "Mailbox"), query, chosen))


def fetch(long_id: str) -> Element:
    """An ItemOperations that fetches a mail by its LongId."""
    store = Element("ItemOperations:Store", "Mailbox")
    return Element(
        "ItemOperations:ItemOperations", Element("ItemOperations:Fetch", store, Element("Search:LongId", long_id))
    )


class SearchTests(SynchronousTestCase):
    """A gateway with one mailbox."""

    def put(self, gateway: Running, name: str, raw: bytes) -> None:
        """Put a mail into the Maildir as another program does."""
        (gateway.inbox("ann") / "tmp" / name).write_bytes(raw)
        (gateway.inbox("ann") / "tmp" / name).rename(gateway.inbox("ann") / "new" / name)

    async def store(self, gateway: Running, words: str) -> Element:
        """The Store of the answer."""
        phone = Phone(gateway, "ann")
        await phone.connect()
        try:
            reply = await phone.ask("Search", search(words))
        finally:
            phone.close()
        return reply.element.children[1].children[0]

    async def found(self, gateway: Running, words: str, count: int) -> Element:
        """The Store of the answer in which so many mails are found at last."""
        deadline = time.monotonic() + PATIENCE
        while True:
            store = await self.store(gateway, words)
            if store.text_of("Search:Total") == str(count):
                return store
            self.assertLess(time.monotonic(), deadline, f"{store.text_of('Search:Total')} mails with {words}")
            await asyncio.sleep(0.1)

    @played
    async def test_life(self) -> None:
        """Mails are found that were there, that come, and that came while nothing ran; those that go are not, through
        kills at any time; what is found can be fetched by its LongId."""
        gateway = started(self)
        for n in range(MANY):
            self.put(gateway, f"{1_700_000_000 + n}.{n}.host", text(f"Mail {n}", f"needle{n % 2} number{n}"))
        gateway.stop(signal.SIGKILL)
        gateway.start()
        await self.found(gateway, "needle1", MANY // 2)
        gateway.send_mail("ann", "needle1 by post")
        await self.found(gateway, "needle1", MANY // 2 + 1)
        gateway.stop(signal.SIGKILL)
        self.put(gateway, "1800000000.1.host", text("needle1 while away", "x"))
        (path,) = [path for sub in ("new", "cur") for path in (gateway.inbox("ann") / sub).glob("1700000001.1.host*")]
        path.unlink()
        gateway.start()
        await self.found(gateway, "needle1 while", 1)
        store = await self.found(gateway, "needle1", MANY // 2 + 1)
        id = store.all("Search:Result")[0].text_of("Search:LongId") or ""
        phone = Phone(gateway, "ann")
        await phone.connect()
        answer = (await phone.ask("ItemOperations", fetch(id))).element
        phone.close()
        (fetched,) = answer.all("ItemOperations:Response")[0].children
        self.assertEqual(fetched.text_of("ItemOperations:Status"), "1")
        self.assertNotIn("Traceback", gateway.log)

    @played
    async def test_off(self) -> None:
        """Store Status 6: without an index there is nothing to be found in the mailbox; people are found all the same."""
        gateway = started(self, settings={"search": {"index": "false"}})
        gateway.send_mail("ann", "needle")
        self.assertEqual((await self.store(gateway, "needle")).text_of("Search:Status"), "6")
        self.assertNotIn("pushgw_search", gateway.metrics())
