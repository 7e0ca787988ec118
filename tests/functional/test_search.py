"""Searching the mails of a real gateway, through arrivals, removals and kills."""

from __future__ import annotations

import asyncio
import signal
import time
from hashlib import sha256

from twisted.trial.unittest import SynchronousTestCase

from gateway.element import Element
from tests.functional.phones import Phone
from tests.functional.running import PATIENCE, Running, played, started

MANY = 120
TALK = sha256(b"<lunch@example.net>").digest()[:16]
MOVE = ("SrcMsgId", "SrcFldId", "DstFldId")


def text(subject: str, words: str) -> bytes:
    """A mail."""
    return f"From: bob@example.net\r\nTo: ann@example.org\r\nSubject: {subject}\r\n\r\n{words}\r\n".encode()


def talking(words: str) -> bytes:
    """A mail of a conversation."""
    return b"Message-ID: <%s@example.net>\r\nReferences: <lunch@example.net>\r\n" % words.encode() + text(
        "Lunch", words
    )


def move_always(conversation: bytes, target: str) -> Element:
    """An ItemOperations that has a conversation go to a folder, now and later."""
    options = Element("ItemOperations:Options", Element("ItemOperations:MoveAlways"))
    parts = Element("ItemOperations:ConversationId", conversation), Element("ItemOperations:DstFldId", target), options
    return Element("ItemOperations:ItemOperations", Element("ItemOperations:Move", *parts))


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


def smart(command: str, long_id: str) -> Element:
    """A mail to the user that answers one that was found, or passes it on."""
    text = f"From: ann@example.org\r\nTo: ann@example.org\r\nSubject: Re\r\n\r\n{command.lower()}\r\n"
    source = Element("ComposeMail:Source", Element("ComposeMail:LongId", long_id))
    parts = Element("ComposeMail:ClientId", command), source, Element("ComposeMail:Mime", text.encode())
    return Element(f"ComposeMail:{command}", *parts)


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
        (fetched,) = answer.all("ItemOperations:Response")[0].children
        self.assertEqual(fetched.text_of("ItemOperations:Status"), "1")
        subject = store.all("Search:Result")[0].children[-1].text_of("Email:Subject") or ""
        for command in ("SmartReply", "SmartForward"):
            self.assertEqual((await phone.ask(command, smart(command, id))).size, 0)
            again = (await self.found(gateway, command.lower(), 1)).all("Search:Result")[0]
            found = (await phone.ask("ItemOperations", fetch(again.text_of("Search:LongId") or ""))).element
            self.assertIn("needle1", str(found), command)
            self.assertIn(subject, str(found), command)
        phone.close()
        self.assertNotIn("Traceback", gateway.log)

    @played
    async def test_conversation(self) -> None:
        """A conversation that a phone has moved for good goes on where it was moved to: mails that come later are taken
        there, also after a kill; one that the phone takes back from there stays where it is then."""
        gateway = started(self)
        phone = Phone(gateway, "ann")
        for sub in ("new", "cur", "tmp"):
            (gateway.inbox("ann") / ".Trash" / sub).mkdir(parents=True)
        while "Deleted Items" not in phone.folders:
            await phone.folder_sync()
        trash = phone.folders["Deleted Items"]
        self.put(gateway, "1700000000.1.host", talking("noon1"))
        await self.where(gateway, "noon1", phone.inbox)
        answer = (await phone.ask("ItemOperations", move_always(TALK, trash))).element
        self.assertEqual(answer.children[1].children[0].text_of("ItemOperations:Status"), "1")
        await self.where(gateway, "noon1", trash)
        for words in ("noon2", "noon3"):
            self.put(gateway, f"{int(time.time())}.{words}.host", talking(words))
            id = await self.where(gateway, words, trash)
            gateway.stop(signal.SIGKILL)
            gateway.start()
        phone.close()
        shift = [Element(f"Move:{tag}", value) for tag, value in zip(MOVE, (id, trash, phone.inbox), strict=True)]
        moved = (await phone.ask("MoveItems", Element("Move:MoveItems", Element("Move:Move", *shift)))).element
        self.assertEqual(moved.children[0].text_of("Move:Status"), "3")
        self.put(gateway, f"{int(time.time())}.last.host", talking("noon4"))
        await self.where(gateway, "noon4", trash)
        await self.where(gateway, "noon3", phone.inbox)
        phone.close()
        self.assertNotIn("Traceback", gateway.log)

    async def where(self, gateway: Running, words: str, folder: str) -> str:
        """The id of the one mail with these words, as soon as it is in that folder."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = (await self.found(gateway, words, 1)).all("Search:Result")[0]
            if found.text_of("AirSync:CollectionId") == folder:
                return found.text_of("Search:LongId") or ""
            self.assertLess(time.monotonic(), deadline, f"{words} is not in {folder}")
            await asyncio.sleep(0.1)

    @played
    async def test_off(self) -> None:
        """Store Status 6: without an index there is nothing to be found in the mailbox; people are found all the same."""
        gateway = started(self, settings={"search": {"index": "false"}})
        gateway.send_mail("ann", "needle")
        self.assertEqual((await self.store(gateway, "needle")).text_of("Search:Status"), "6")
        self.assertNotIn("pushgw_search", gateway.metrics())
