"""Folders and moves on a real gateway: Maildirs, inotify, sockets, kill -9, and a client that is not ours."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from gateway.element import Element
from tests.functional.phones import Gone, Phone, Reply
from tests.functional.running import PASSWORD, PATIENCE, Running, played, shared, started

VERSIONS = ("2.5", "12.1", "14.1", "16.1")
KILLS = 6
SEED = 2506


def tree(name: str, *content: Element | str | int | None) -> Element:
    return Element(f"FolderHierarchy:{name}", *content)


def make(place: Path) -> None:
    """A folder as a mail program makes it."""
    for sub in ("cur", "new", "tmp"):
        (place / sub).mkdir(parents=True)


def mails(place: Path) -> list[str]:
    """The mails of a folder."""
    return sorted(name for sub in ("cur", "new") for name in os.listdir(place / sub))


async def change(phone: Phone, command: str, **fields: str) -> Reply:
    """A folder command with the newest key, which is learnt."""
    children = [tree(name, value) for name, value in fields.items()]
    reply = await phone.ask(command, tree(command, tree("SyncKey", phone.hierarchy), *children))
    assert reply.status == 200, reply
    phone.hierarchy = reply.element.text_of("FolderHierarchy:SyncKey") or phone.hierarchy
    return reply


def status(reply: Reply) -> str:
    return reply.element.text_of("FolderHierarchy:Status") or ""


async def create(phone: Phone, name: str, parent: str = "0") -> str:
    """Make a folder; its id."""
    reply = await change(phone, "FolderCreate", ParentId=parent, DisplayName=name, Type="12")
    assert status(reply) == "1", reply.element
    phone.folders[name] = reply.element.text_of("FolderHierarchy:ServerId") or ""
    return phone.folders[name]


async def count(phone: Phone) -> str:
    """How many changes a FolderSync brings."""
    changes = (await phone.folder_sync()).element.child("FolderHierarchy:Changes")
    return "" if changes is None else changes.text_of("FolderHierarchy:Count") or ""


def move_body(item: str, source: str, target: str) -> Element:
    parts = (("SrcMsgId", item), ("SrcFldId", source), ("DstFldId", target))
    return Element("Move:MoveItems", Element("Move:Move", *(Element(f"Move:{name}", value) for name, value in parts)))


class FolderTests(SynchronousTestCase):
    """On the gateway that many tests share."""

    def setUp(self) -> None:
        self.gateway = shared()
        self.begin()

    def begin(self) -> None:
        """Another user, with the special folders that the tests need."""
        self.user = self.gateway.newcomer()
        self.home = self.gateway.inbox(self.user)
        for name in (".Trash", ".Sent"):
            make(self.home / name)

    def phone(self, device: str = "phone1", version: str = "14.1", **more: Any) -> Phone:
        return Phone(self.gateway, self.user, device, version, **more)

    async def ready(self, device: str = "phone1", version: str = "14.1") -> Phone:
        """A phone that knows the folders and has synchronised the Inbox."""
        phone = self.phone(device, version)
        while not {"Deleted Items", "Sent Items"} <= phone.folders.keys():
            await phone.folder_sync()
        for _ in range(2):
            await phone.sync()
        return phone

    @played
    async def test_everyVersion(self) -> None:
        """Made, renamed, moved, filled and deleted, in the Maildir as on the phone, in all versions."""
        for version in VERSIONS:
            await self.live(await self.ready(version=version))
            self.begin()

    async def live(self, phone: Phone) -> None:
        """The life of a folder."""
        id = await create(phone, "Pl\xe4ne 1.0")
        self.assertIn(".Pl&AOQ-ne 1&AC4-0", os.listdir(self.home))
        self.assertTrue((self.home / ".Pl&AOQ-ne 1&AC4-0/maildirfolder").exists())
        await create(phone, "Sub", id)
        reply = await change(phone, "FolderUpdate", ServerId=id, ParentId=phone.inbox, DisplayName="New")
        self.assertEqual(status(reply), "1")
        self.assertTrue({".INBOX.New", ".INBOX.New.Sub"} <= set(os.listdir(self.home)))
        self.assertEqual(await count(phone), "0")
        (self.home / ".INBOX.New.Sub/new/1700000001.M1.h").write_text("Subject: in\n\nx\n")
        await phone.sync(folder="Sub")
        added: list[str] = []
        while not added:
            added = [item for item, _ in (await phone.sync(folder="Sub")).commands("Add")]
        self.assertEqual(len(added), 1)
        reply = await change(phone, "FolderDelete", ServerId=id)
        self.assertEqual(status(reply), "1")
        self.assertEqual({name for name in os.listdir(self.home) if name[0] in ".r"}, {".Trash", ".Sent"})
        self.assertEqual(len(mails(self.home / ".Trash")), 1)

    @played
    async def test_parked(self) -> None:
        """A folder made by one phone, or by mkdir, ends the Ping of the other phone with Status 7; not its own."""
        one, other = await self.ready(), await self.ready("phone2")
        mine, theirs = await one.park(600), await other.park(600)
        hand = self.phone(hierarchy=one.hierarchy)
        await create(hand, "New")
        self.assertEqual((await theirs).ping, "7")
        self.assertTrue(one.parked())
        self.assertFalse(mine.done())
        await other.folder_sync()
        theirs = await other.park(600)
        make(self.home / ".Other")
        self.assertEqual([(await asked).ping for asked in (mine, theirs)], ["7", "7"])

    @played
    async def test_move(self) -> None:
        """A mail that is moved is in the other folder with its marks; only the other phone's Ping ends."""
        self.gateway.send_mail(self.user, "moving")
        one, other = await self.ready(), await self.ready("phone2")
        trash = one.folders["Deleted Items"]
        for phone in (one, other):
            for _ in range(2):
                await phone.sync(folder="Deleted Items")
        mine, theirs = await one.park(600, one.inbox, trash), await other.park(600, other.inbox, trash)
        item = await self.item()
        reply = await self.phone().ask("MoveItems", move_body(item, one.inbox, trash))
        [response] = reply.element.children
        self.assertEqual(response.text_of("Move:Status"), "3")
        answer = await theirs
        self.assertEqual((answer.ping, sorted(answer.changed)), ("2", sorted([other.inbox, trash])))
        self.assertFalse(mine.done())
        self.assertEqual((mails(self.home), len(mails(self.home / ".Trash"))), ([], 1))
        gone = [id for id, _ in (await other.sync()).commands("Delete")]
        come = [id for id, _ in (await other.sync(folder="Deleted Items")).commands("Add")]
        self.assertEqual((gone, come), ([item], [response.text_of("Move:DstMsgId")]))
        mine.cancel()

    async def item(self) -> str:
        """The one mail in the Inbox."""
        phone = await self.ready("phone3")
        phone.keys.clear()
        await phone.sync()
        [(id, _)] = (await phone.sync()).commands("Add")
        return id

    @played
    async def test_emptied(self) -> None:
        """Deleted Items is emptied for good, and the folders below it are gone; other phones are told."""
        for number in range(3):
            (self.home / f".Trash/cur/170000000{number}.M1.h:2,S").write_text("Subject: old\n\nx\n")
        make(self.home / ".Trash.Old")
        (self.home / ".Trash.Old/new/1700000009.M9.h").write_text("Subject: old\n\nx\n")
        phone, other = await self.ready(version="12.1"), await self.ready("phone2")
        while "Old" not in other.folders:
            await other.folder_sync()
        theirs = await other.park(600)
        trash = phone.folders["Deleted Items"]
        held: set[str] = set()
        while len(held) < 3:
            held.update(id for id, _ in (await phone.sync(folder="Deleted Items")).commands("Add"))
        options = Element("ItemOperations:Options", Element("ItemOperations:DeleteSubFolders"))
        wanted = Element("ItemOperations:EmptyFolderContents", Element("AirSync:CollectionId", trash), options)
        reply = await phone.ask("ItemOperations", Element("ItemOperations:ItemOperations", wanted))
        [done] = reply.element.child("ItemOperations:Response") or ()
        self.assertEqual(done.text_of("ItemOperations:Status"), "1")
        self.assertEqual((mails(self.home / ".Trash"), (self.home / ".Trash.Old").exists()), ([], False))
        self.assertEqual((await theirs).ping, "7")
        gone = {id for id, _ in (await phone.sync(folder="Deleted Items")).commands("Delete")}
        self.assertEqual(gone, held)

    @played
    async def test_elsewhere(self) -> None:
        """What another program does to folders and what the phone does go together."""
        phone = await self.ready()
        id = await create(phone, "Work")
        (self.home / ".Work").rename(self.home / ".Job")
        while (await count(phone)) == "0":
            await asyncio.sleep(0.05)
        reply = await change(phone, "FolderUpdate", ServerId=id, ParentId="0", DisplayName="Again")
        self.assertEqual(status(reply), "4")
        reply = await change(phone, "FolderUpdate", ServerId=phone.folders["Job"], ParentId="0", DisplayName="Again")
        self.assertEqual(status(reply), "1")
        self.assertTrue((self.home / ".Again").is_dir())


class KillTests(SynchronousTestCase):
    """kill -9 at any moment."""

    @played
    async def test_renames(self) -> None:
        """A folder that is renamed all the time keeps its id and its mails through every kill, under one of its names."""
        gateway = started(self)
        draw = random.Random(SEED)
        home = gateway.inbox("ann")
        phone = Phone(gateway, "ann")
        await phone.folder_sync()
        id = await create(phone, "N0")
        sub = await create(phone, "Sub", id)
        (home / ".N0.Sub/new/1700000001.M1.h").write_text("Subject: x\n\nx\n")
        number = 0
        for _ in range(KILLS):
            killer = asyncio.create_task(self.kill(gateway, draw.uniform(0.05, 0.4)))
            with contextlib.suppress(Gone, OSError, TimeoutError):
                while True:
                    number += 1
                    await change(phone, "FolderUpdate", ServerId=id, ParentId="0", DisplayName=f"N{number}")
            await killer
            phone.close()
            gateway.start()
            phone.hierarchy = "0"
            phone.folders.clear()
            await phone.folder_sync()
            named = {value: name for name, value in phone.folders.items()}
            self.assertIn(named.get(id), (f"N{number}", f"N{number - 1}"))
            self.assertEqual(named.get(sub), "Sub")
            directories = sorted(name for name in os.listdir(home) if name.startswith(".N"))
            self.assertEqual(directories, [f".{named[id]}", f".{named[id]}.Sub"])
            self.assertEqual(mails(home / f".{named[id]}.Sub"), ["1700000001.M1.h"])
        self.assertNotIn("Traceback", gateway.log)

    async def kill(self, gateway: Running, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await asyncio.to_thread(gateway.kill)


class PyActiveSyncTests(SynchronousTestCase):
    """pyactivesync does the same."""

    def setUp(self) -> None:
        if find_spec("pyactivesync") is None:
            raise SkipTest("pyactivesync is not installed")
        settings = {
            "provisioning": {"policy": '"strict"'},
            'provisioning.policies."strict"': {"DevicePasswordEnabled": "true"},
            "maildir": {"create_special": "true"},
        }
        self.gateway = started(self, settings=settings)
        from pyactivesync.client import Client

        server = f"localhost:{self.gateway.address('https')[1]}"
        certificate: Any = str(self.gateway.folder / "certificate.pem")
        self.client = Client(
            server, "ann", PASSWORD, device_id="pyactivesync1", verify_ssl=certificate, timeout=PATIENCE
        )
        self.client._transport.session.trust_env = False
        self.addCleanup(self.client.close)

    def test_story(self) -> None:
        """It makes a folder below the Inbox, renames it, moves a mail there, and deletes the folder."""
        from pyactivesync.exceptions import StatusError

        inbox = next(folder.id for folder in self.client.list_folders() if folder.name == "Inbox")
        made = self.client.create_folder("Projects", inbox)
        self.assertRaises(StatusError, self.client.create_folder, "projects", inbox)
        self.client.update_folder(made.id, "Old projects", "0")
        listed = {folder.id: (folder.name, folder.parent_id) for folder in self.client.list_folders()}
        self.assertEqual(listed[made.id], ("Old projects", "0"))
        home = self.gateway.inbox("ann")
        self.assertTrue((home / ".Old projects/cur").is_dir())
        self.gateway.send_mail("ann", "moving")
        key = self.client.sync_folder(inbox).sync_key
        result = self.client.sync_folder(inbox, key)
        item = result.added[0].server_id
        target = self.client.sync_folder(made.id).sync_key
        moved = self.client.move_item(item, inbox, made.id)
        self.assertNotEqual(moved, item)
        self.assertRaises(StatusError, self.client.move_item, item, inbox, made.id)
        self.assertEqual([one.server_id for one in self.client.sync_folder(made.id, target).added], [moved])
        self.assertEqual(len(mails(home / ".Old projects")), 1)
        self.client.delete_folder(made.id)
        self.assertFalse((home / ".Old projects").exists())
        self.assertEqual(len(mails(home / ".Trash")), 1)
        self.assertRaises(StatusError, self.client.delete_folder, inbox)
        self.assertNotIn("Traceback", self.gateway.log)
