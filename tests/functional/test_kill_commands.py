"""kill -9 while phones make folders, move and send mails, and write drafts: nothing lost, nothing twice, nothing half."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from attrs import define, field
from twisted.trial.unittest import SynchronousTestCase

from gateway.element import Element
from tests.functional.phones import Gone, Phone, Reply, subject, sync_body
from tests.functional.running import Running, eventually, played, started
from tests.functional.test_folders import make, move_body

KILLS = 6
MAILS = 40
SEED = 2025
MARK = "the very end"
_SUBJECT = re.compile(rb"^Subject: ([^\r\n]*)", re.MULTILINE)


@define(eq=False)
class Life:
    """A phone of ann's that repeats what got no answer, byte for byte, until the killing is over."""

    phone: Phone
    over: asyncio.Event
    done: dict[str, str] = field(factory=dict)
    repeated: int = 0

    async def ask(self, command: str, body: Element) -> Reply:
        """Ask until there is an answer."""
        while True:
            try:
                reply = await self.phone.ask(command, body)
            except (Gone, OSError, TimeoutError):
                self.phone.close()
                self.repeated += 1
            else:
                if reply.status == 200:
                    return reply
                assert reply.status == 503, reply.status
            await asyncio.sleep(0.05)

    async def learn(self) -> None:
        """Learn the folders."""
        while not {"Deleted Items", "Sent Items", "Drafts", "Work"} <= self.phone.folders.keys():
            await self.phone.folder_sync()

    async def sync(self, folder: str, *commands: Element) -> Reply:
        """Synchronise a folder once."""
        id = self.phone.folders[folder]
        reply = await self.ask("Sync", sync_body(id, self.phone.keys.get(id, "0"), *commands))
        if reply.body:
            self.phone.keys[id] = reply.collection.text_of("AirSync:SyncKey") or "0"
        return reply

    async def shown(self, folder: str) -> dict[str, str]:
        """Subjects in a folder by ServerId, from the beginning."""
        self.phone.keys[self.phone.folders[folder]] = "0"
        await self.sync(folder)
        found: dict[str, str] = {}
        while True:
            reply = await self.sync(folder)
            added = [(id, subject(data)) for id, data in reply.commands("Add")]
            if not added:
                return found
            found.update(added)

    async def make_folders(self) -> None:
        """Make one folder after another."""
        for number in range(1000):
            if self.over.is_set():
                return
            parts = {"SyncKey": self.phone.hierarchy, "ParentId": "0", "DisplayName": f"New{number}", "Type": "12"}
            body = Element(
                "FolderHierarchy:FolderCreate", *(Element(f"FolderHierarchy:{k}", v) for k, v in parts.items())
            )
            answer = (await self.ask("FolderCreate", body)).element
            assert answer.text_of("FolderHierarchy:Status") == "1", answer
            self.phone.hierarchy = answer.text_of("FolderHierarchy:SyncKey") or ""
            self.done[f"New{number}"] = answer.text_of("FolderHierarchy:ServerId") or ""

    async def move_mails(self) -> None:
        """Move each mail of the Inbox there and back again."""
        here, there = self.phone.folders["Inbox"], self.phone.folders["Work"]
        names = [id for id, text in (await self.shown("Inbox")).items() if text.startswith("mail")]
        while not self.over.is_set():
            for place, name in enumerate(names):
                before = self.repeated
                moved = (await self.ask("MoveItems", move_body(name, here, there))).element.children[0]
                status = moved.text_of("Move:Status")
                # What got no answer may have been done: then it is there no more under this name.
                assert status == "3" or (status == "1" and self.repeated > before), moved
                names[place] = moved.text_of("Move:DstMsgId") or ""
            here, there = there, here
            if "" in names:
                folder = "Inbox" if here == self.phone.folders["Inbox"] else "Work"
                names = [id for id, text in (await self.shown(folder)).items() if text.startswith("mail")]
                assert len(names) == MAILS, names

    async def send_mails(self) -> None:
        """Send one mail after another to carol."""
        for number in range(10_000):
            if self.over.is_set():
                return
            head = f"From: ann@example.org\r\nTo: carol@example.org\r\nSubject: sent{number}\r\n\r\n"
            parts = [
                Element("ComposeMail:ClientId", f"c{number}"),
                Element("ComposeMail:SaveInSentItems"),
                Element("ComposeMail:Mime", (head + "x\r\n" * 2000 + MARK).encode()),
            ]
            before = self.repeated
            reply = await self.ask("SendMail", Element("ComposeMail:SendMail", *parts))
            status = reply.element.text_of("ComposeMail:Status") if reply.body else ""
            assert status == "" or (status == "118" and self.repeated > before), status
            self.done[f"sent{number}"] = ""

    async def write_drafts(self) -> None:
        """Write one draft after another, and change some of them."""
        await self.shown("Drafts")
        for number in range(1000):
            if self.over.is_set():
                return
            reply = await self.sync("Drafts", drafted("Add", "ClientId", f"d{number}", f"draft{number}"))
            responses = reply.collection.child("AirSync:Responses")
            assert responses is not None, reply.element
            id = responses.children[0].text_of("AirSync:ServerId") or ""
            assert id, reply.element
            if number % 2:
                await self.sync("Drafts", drafted("Change", "ServerId", id, f"draft{number} changed"))
            self.done[f"draft{number}{' changed' if number % 2 else ''}"] = id


def drafted(verb: str, kind: str, name: str, title: str) -> Element:
    """A client command that writes a draft."""
    text = Element("AirSyncBase:Data", "x\r\n" * 2000 + MARK)
    body = Element("AirSyncBase:Body", Element("AirSyncBase:Type", 1), text)
    data = Element("AirSync:ApplicationData", Element("Email:Subject", title), body)
    return Element(f"AirSync:{verb}", Element(f"AirSync:{kind}", name), data)


class KillTests(SynchronousTestCase):
    """A gateway that is killed again and again."""

    kills = KILLS

    def files(self, gateway: Running, user: str, folder: str = "") -> Iterator[Path]:
        """The mails in a folder."""
        for sub in ("new", "cur"):
            yield from (gateway.inbox(user) / folder / sub).iterdir()

    def subjects(self, gateway: Running, user: str, folder: str = "") -> Counter[str]:
        """What they are about; each is there to its end."""
        found = []
        for path in self.files(gateway, user, folder):
            raw = path.read_bytes()
            self.assertTrue(raw.rstrip().endswith(MARK.encode()), f"{path} is cut short")
            match = _SUBJECT.search(raw)
            assert match is not None
            found.append(match[1].decode())
        return Counter(found)

    @played
    async def test_commands(self) -> None:
        """Each folder that was made is there once, each mail is where it was moved to, each mail that was sent came
        once, each draft is there once with all its text; and phones are shown just that."""
        gateway = started(self, users=["ann", "carol"], settings={"maildir": {"create_special": "true"}})
        home = gateway.inbox("ann")
        make(home / ".Work")
        for number in range(MAILS):
            text = f"Subject: mail{number}\r\n\r\n{MARK}"
            (home / "new" / f"1700000000.{number}.host").write_text(text)
        over = asyncio.Event()
        lives = [Life(Phone(gateway, "ann", f"phone{n}", "16.1"), over) for n in range(4)]
        folders, moves, sender, drafts = lives
        for life in lives:
            await life.learn()
        killing = asyncio.create_task(self.kill(gateway, over))
        works = folders.make_folders(), moves.move_mails(), sender.send_mails(), drafts.write_drafts()
        await asyncio.gather(killing, *works)
        await eventually(lambda: self.subjects(gateway, "carol").keys() >= sender.done.keys(), "the mails to carol")
        await self.verify(gateway, folders, sender, drafts)
        for life in lives:
            life.phone.close()
        self.assertNotIn("Traceback", gateway.log)

    async def kill(self, gateway: Running, over: asyncio.Event) -> None:
        draw = random.Random(SEED)
        for _ in range(self.kills):
            await asyncio.sleep(draw.uniform(0.2, 1.2))
            await asyncio.to_thread(gateway.kill)
            await asyncio.to_thread(gateway.start)
        over.set()

    async def verify(self, gateway: Running, folders: Life, sender: Life, drafts: Life) -> None:
        home = gateway.inbox("ann")
        self.assertEqual(min(len(folders.done), len(sender.done), len(drafts.done)) > 3, True)
        phone = Life(Phone(gateway, "ann", "witness", "16.1"), asyncio.Event())
        await phone.learn()
        made = {path.name[1:] for path in home.glob(".New*")}
        self.assertEqual(made, folders.done.keys())
        shown = {name: id for name, id in phone.phone.folders.items() if name.startswith("New")}
        self.assertEqual(shown, folders.done)
        for title, user, folder, expected in (
            ("Inbox", "ann", "", None),
            ("Work", "ann", ".Work", None),
            ("Drafts", "ann", ".Drafts", Counter(drafts.done)),
            ("Sent Items", "ann", ".Sent", Counter(sender.done)),
        ):
            there = self.subjects(gateway, user, folder)
            if expected is not None:
                self.assertEqual(there, Counter(expected.keys()), title)
            self.assertEqual(Counter((await phone.shown(title)).values()), there, title)
        mails = self.subjects(gateway, "ann") + self.subjects(gateway, "ann", ".Work")
        self.assertEqual(mails, Counter(f"mail{number}" for number in range(MAILS)))
        self.assertEqual(self.subjects(gateway, "carol"), Counter(sender.done.keys()))
        phone.phone.close()
