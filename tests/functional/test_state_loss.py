"""State that is lost on either side comes back by itself: no mail twice, none missing, none hit that was not meant."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from attrs import define, field
from twisted.trial.unittest import SynchronousTestCase

from gateway.element import Element
from tests.functional.phones import Phone, Reply, delete_command, read_command, subject, sync_body
from tests.functional.running import PATIENCE, Running, eventually, played
from tests.functional.test_folders import make, move_body

POLICY = {'provisioning.policies."strict"': {"DevicePasswordEnabled": "true"}}
TYPE = "MS-EAS-Provisioning-WBXML"


@define(eq=False)
class Keeping(Phone):
    """A phone that keeps what it is given of the Inbox: C{items} are subjects by ServerId, C{fresh} how often it had
    to begin anew."""

    items: dict[str, str] = field(factory=dict)
    fresh: int = field(default=0)

    async def catch_up(self) -> None:
        """Do what phones do until there is nothing more to fetch."""
        hierarchy = await self.folder_sync()
        if hierarchy.element.text_of("FolderHierarchy:Status") == "9":
            self.begin_anew()
            await self.folder_sync()
        while await self.fetch():
            pass

    def begin_anew(self) -> None:
        """Forget everything, as what follows Status 9."""
        self.hierarchy, self.folders, self.keys, self.items = "0", {}, {}, {}
        self.fresh += 1

    async def fetch(self) -> bool:
        """One Sync of the Inbox; whether there was anything to be said, so that another one has to follow."""
        reply = await self.sync()
        if not reply.body:
            return False
        if reply.collection.text_of("AirSync:Status") == "3":
            assert self.keys[self.inbox] == "0"
            self.items.clear()
            self.fresh += 1
            return True
        for id, data in reply.commands("Add"):
            assert id not in self.items, f"{id} came twice"
            self.items[id] = subject(data)
        for id, _ in reply.commands("Delete"):
            del self.items[id]
        return True

    @property
    def subjects(self) -> list[str]:
        """What it shows."""
        return sorted(self.items.values())

    def id_of(self, wanted: str) -> str:
        """The ServerId of a mail that it shows."""
        return next(id for id, text in self.items.items() if text == wanted)


def names(*numbers: int) -> list[str]:
    """Subjects."""
    return [f"m{number}" for number in numbers]


class LossCase(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="pushgw test ")
        self.addCleanup(folder.cleanup)
        self.gateway = Running(Path(folder.name) / "data", users=["ann", "bob"])
        self.addCleanup(self.gateway.kill)
        self.gateway.make()
        make(self.archive)
        self.gateway.start()

    @property
    def archive(self) -> Path:
        return self.gateway.inbox("ann") / ".Archive"

    @property
    def database(self) -> Path:
        return self.gateway.folder / "pushgw.sqlite"

    async def mail(self, *subjects: str, user: str = "ann") -> None:
        """Have mails arrive."""
        for each in subjects:
            await asyncio.to_thread(self.gateway.send_mail, user, each)

    async def stopped(self, number: int = signal.SIGTERM) -> None:
        await asyncio.to_thread(self.gateway.stop, number)

    async def again(self, *phones: Phone) -> None:
        """Start the gateway; these phones connect anew."""
        await asyncio.to_thread(self.gateway.start)
        for phone in phones:
            phone.close()

    def drop_database(self) -> None:
        """Lose the database, or make room for another one."""
        for name in ("pushgw.sqlite", "pushgw.sqlite-wal", "pushgw.sqlite-shm"):
            (self.gateway.folder / name).unlink(missing_ok=True)

    def copy_database(self) -> bytes:
        """A copy of the database as an operator makes it while the gateway runs."""
        copy = self.gateway.folder / "copy.sqlite"
        source, target = sqlite3.connect(self.database), sqlite3.connect(copy)
        source.backup(target)
        target.close()
        source.close()
        return copy.read_bytes()

    def files(self, folder: Path) -> list[str]:
        """The mails in a folder, with their flags."""
        return sorted(file.name for place in ("new", "cur") for file in (folder / place).iterdir())

    def read_ones(self) -> int:
        """How many mails of the Inbox are marked as read."""
        return sum(name.endswith("S") for name in self.files(self.gateway.inbox("ann")))

    async def phone(self, *subjects: str) -> Keeping:
        """A phone that has these mails."""
        await self.mail(*subjects)
        phone = Keeping(self.gateway, "ann")
        await phone.catch_up()
        self.assertEqual(phone.subjects, sorted(subjects))
        return phone

    async def assertHolds(self, phones: Iterable[Keeping], *subjects: str) -> None:
        """After they have caught up, phones show exactly these mails; a Ping is parked, as nothing is left to tell."""
        for phone in phones:
            await phone.catch_up()
            self.assertEqual(phone.subjects, sorted(subjects))
            parked = await phone.park(1)
            self.assertEqual((await parked).ping, "1")


class DeviceTests(LossCase):
    """The device has lost something."""

    @played
    async def test_keyZero(self) -> None:
        """A device that begins anew gets each mail once, under the names that they had; what was read and removed
        stays so."""
        phone = await self.phone(*names(1, 2, 3))
        await phone.sync(read_command(phone.id_of("m1")), delete_command(phone.id_of("m2")))
        before = dict(phone.items)
        phone.items, phone.keys, phone.hierarchy = {}, {}, "0"
        await self.assertHolds([phone], "m1", "m3")
        self.assertEqual({id: before[id] for id in phone.items}, phone.items)
        self.assertEqual((self.read_ones(), phone.fresh), (1, 0))

    @played
    async def test_oldKeys(self) -> None:
        """A device restored from a backup, with keys that are long gone, is told so (Status 3 and 9) and has everything
        once afterwards; what it wanted to change with an old key is not done."""
        phone = await self.phone(*names(1, 2))
        old, hierarchy, items = dict(phone.keys), phone.hierarchy, dict(phone.items)
        for number in (3, 4, 5):
            await self.mail(f"m{number}")
            await phone.catch_up()
        make(self.gateway.inbox("ann") / ".Later")
        make(self.gateway.inbox("ann") / ".Even later")
        while "Later" not in phone.folders or "Even later" not in phone.folders:
            await phone.folder_sync()
        phone.keys, phone.items = dict(old), dict(items)
        reply = await phone.sync(delete_command(phone.id_of("m1")), read_command(phone.id_of("m2")))
        self.assertEqual(reply.collection.text_of("AirSync:Status"), "3")
        self.assertEqual((len(self.files(self.gateway.inbox("ann"))), self.read_ones()), (5, 0))
        phone.keys, phone.items, phone.hierarchy = dict(old), dict(items), hierarchy
        await self.assertHolds([phone], *names(1, 2, 3, 4, 5))
        self.assertEqual(phone.fresh, 1)

    @played
    async def test_oneKeyBack(self) -> None:
        """A device that has lost only the last answer goes on from the key before it, without beginning anew."""
        phone = await self.phone(*names(1, 2))
        key, items = phone.keys[phone.inbox], dict(phone.items)
        await self.mail("m3")
        await phone.fetch()
        phone.keys[phone.inbox], phone.items = key, items
        await self.mail("m4")
        await self.assertHolds([phone], *names(1, 2, 3, 4))
        self.assertEqual(phone.fresh, 0)

    @played
    async def test_otherUser(self) -> None:
        """A device that another user gets is another partnership: nothing of the first user's is shown or changed by
        it, even with that one's keys, and the first user's own goes on."""
        phone = await self.phone(*names(1, 2))
        await self.mail("b1", user="bob")
        taken = Keeping(self.gateway, "bob", hierarchy=phone.hierarchy)
        taken.keys, taken.folders = dict(phone.keys), dict(phone.folders)
        body = sync_body(phone.inbox, phone.keys[phone.inbox], delete_command(phone.id_of("m1")))
        self.assertEqual((await taken.ask("Sync", body)).element.text_of("AirSync:Status"), "12")
        await self.assertHolds([taken], "b1")
        self.assertNotEqual(taken.inbox, phone.inbox)
        await self.assertHolds([phone], *names(1, 2))
        self.assertEqual((phone.fresh, len(self.files(self.gateway.inbox("ann")))), (0, 2))

    @played
    async def test_policyKey(self) -> None:
        """A device that has lost its policy key fetches another one, and goes on with the mails that it has."""
        self.gateway.write_config(provisioning={"policy": '"strict"'}, **POLICY)
        await asyncio.to_thread(self.gateway.ask, "reload")
        phone = Keeping(self.gateway, "ann", version="12.1")
        await provision(phone)
        await self.mail(*names(1, 2))
        await phone.catch_up()
        for lost in ("0", "12345"):
            phone.headers["X-MS-PolicyKey"] = lost
            self.assertEqual((await phone.sync()).status, 449)
            await provision(phone)
        await self.mail("m3")
        await self.assertHolds([phone], *names(1, 2, 3))
        self.assertEqual(phone.fresh, 0)


class ServerTests(LossCase):
    """The server has lost something."""

    @played
    async def test_databaseDeleted(self) -> None:
        """Without its database the server tells every device to begin anew, in the words of each command, and each has
        every mail once; marks that are in the files are kept."""
        phone = await self.phone(*names(1, 2, 3))
        await phone.sync(read_command(phone.id_of("m2")))
        before = set(phone.items)
        await self.stopped()
        self.drop_database()
        await self.again(phone)
        await self.mail("m4")
        self.assertEqual((await phone.ping()).ping, "7")
        reply = await phone.ask("Sync", sync_body(phone.inbox, phone.keys[phone.inbox]))
        self.assertEqual(reply.element.text_of("AirSync:Status"), "12")
        await self.assertHolds([phone], *names(1, 2, 3, 4))
        self.assertEqual(self.read_ones(), 1)
        self.assertEqual(before & set(phone.items), set(), "a ServerId stands for one mail for ever")
        self.assertIn("the database knows less than it did", self.gateway.log)

    @played
    async def test_commandsOfBefore(self) -> None:
        """What a device has still to do with mails and folders of a lost database hits no other ones: they are not
        found, and the device begins anew."""
        phone = await self.phone(*names(1, 2, 3))
        archive, inbox = phone.folders["Archive"], phone.inbox
        await self.stopped()
        self.drop_database()
        # In another order than they came in, so that numbers from the start would be those of other mails.
        (file,) = (each for each in (self.gateway.inbox("ann") / "new").iterdir() if "m3" in each.read_text())
        file.rename(self.archive / "cur" / f"{file.name}:2,")
        await self.again(phone)
        before = self.files(self.gateway.inbox("ann")), self.files(self.archive)
        for id in list(phone.items):
            reply = await phone.ask("MoveItems", move_body(id, inbox, archive))
            (response,) = reply.element.children
            self.assertEqual(response.text_of("Move:Status"), "1")
        for folder in (inbox, archive):
            reply = await phone.ask("ItemOperations", emptying(folder))
            self.assertNotEqual(emptied(reply), "1")
        commands = (delete_command(phone.id_of("m1")), read_command(phone.id_of("m2")))
        await phone.ask("Sync", sync_body(inbox, phone.keys[inbox], *commands))
        self.assertEqual((self.files(self.gateway.inbox("ann")), self.files(self.archive)), before)
        await self.assertHolds([phone], "m1", "m2")

    @played
    async def test_olderCopy(self) -> None:
        """With an older copy of its database the server tells devices that came since to begin anew; one that did not
        goes on. Mails that came since are found, once, under names that no mail had."""
        phone, late = await self.phone(*names(1, 2)), Keeping(self.gateway, "ann", "late")
        await late.catch_up()
        copy = await asyncio.to_thread(self.copy_database)
        await self.mail(*names(3, 4))
        await phone.catch_up()
        await phone.sync(delete_command(phone.id_of("m3")), read_command(phone.id_of("m1")))
        await phone.catch_up()
        since = {id for id, text in phone.items.items() if text == "m4"}
        await self.stopped(signal.SIGKILL)
        await self.stopped_for(copy)
        await self.again(phone, late)
        await self.mail("m5")
        await self.assertHolds([phone, late], "m1", "m2", "m4", "m5")
        self.assertEqual((phone.fresh, late.fresh), (1, 0))
        self.assertEqual(phone.items, late.items)
        self.assertEqual(since & set(phone.items), set() if self.warned() else since)
        self.assertEqual(self.read_ones(), 1)

    async def stopped_for(self, copy: bytes) -> None:
        """Put a copy of the database into place."""
        self.drop_database()
        self.database.write_bytes(copy)

    def warned(self) -> bool:
        return "the database knows less than it did" in self.gateway.log

    @played
    async def test_mailRestored(self) -> None:
        """A Maildir that is put back as it was earlier, with the times of then, while the gateway is stopped or while it
        runs: mails that were removed since come back once, those that came since stay where they are not overwritten,
        and go with a mailbox that is replaced; the marks are those of then."""
        phone = await self.phone(*names(1, 2, 3))
        backup = self.gateway.folder / "backup"
        await self.stopped()
        subprocess.run(["cp", "--archive", self.gateway.inbox("ann"), backup], check=True)
        await self.again(phone)
        await phone.sync(delete_command(phone.id_of("m1")), read_command(phone.id_of("m2")))
        del phone.items[phone.id_of("m1")]
        await self.mail("m4")
        await self.assertHolds([phone], *names(2, 3, 4))
        await self.stopped()
        subprocess.run(["cp", "--archive", f"{backup}/.", self.gateway.inbox("ann")], check=True)
        await self.again(phone)
        await self.assertHolds([phone], *names(1, 2, 3, 4))
        shutil.rmtree(self.gateway.inbox("ann"))
        backup.rename(self.gateway.inbox("ann"))
        await eventually(lambda: len(self.files(self.gateway.inbox("ann"))) == 3, "the mailbox to be replaced")
        deadline = time.monotonic() + PATIENCE
        while phone.subjects != names(1, 2, 3) and time.monotonic() < deadline:
            await phone.catch_up()
        await self.assertHolds([phone], *names(1, 2, 3))

    @played
    async def test_olderCopyNoted(self) -> None:
        """The same after an orderly stop: what had been noted keeps old ServerIds from other mails, and keys of then
        from being taken for those of now."""
        phone = await self.phone(*names(1, 2))
        copy = await asyncio.to_thread(self.copy_database)
        await self.mail(*names(3, 4))
        await phone.catch_up()
        since, key = {phone.id_of("m3"), phone.id_of("m4")}, phone.keys[phone.inbox]
        await self.stopped()
        await self.stopped_for(copy)
        await self.again(phone)
        self.assertTrue(self.warned())
        for id in since:
            reply = await phone.ask("MoveItems", move_body(id, phone.inbox, phone.folders["Archive"]))
            self.assertEqual(reply.element.children[0].text_of("Move:Status"), "1")
        for _ in range(3):
            await phone.catch_up()
            await self.mail("more")
        phone.keys[phone.inbox] = key
        self.assertEqual((await phone.sync()).collection.text_of("AirSync:Status"), "3")
        phone.items.clear()
        await self.assertHolds([phone], *names(1, 2, 3, 4), "more", "more", "more")
        self.assertEqual(since & set(phone.items), set())

    @played
    async def test_policyLost(self) -> None:
        """With the database the policy keys are lost: devices provision again, then begin anew."""
        self.gateway.write_config(provisioning={"policy": '"strict"'}, **POLICY)
        await asyncio.to_thread(self.gateway.ask, "reload")
        phone = Keeping(self.gateway, "ann", version="12.1")
        await provision(phone)
        await self.mail("m1")
        await phone.catch_up()
        await self.stopped()
        self.drop_database()
        await self.again(phone)
        self.assertEqual((await phone.folder_sync()).status, 449)
        await provision(phone)
        await self.assertHolds([phone], "m1")

    @played
    async def test_hanging(self) -> None:
        """A Sync that hangs goes on to hang for who has nothing to lose, and one with a key that is lost is told."""
        phone = await self.phone("m1")
        key = phone.keys[phone.inbox]
        await self.stopped()
        self.drop_database()
        await self.again(phone)
        await phone.catch_up()
        hanging = await phone.hang(600)
        other = Keeping(self.gateway, "ann", "other", folders=dict(phone.folders))
        other.keys[phone.inbox] = key
        self.assertEqual((await other.sync()).collection.text_of("AirSync:Status"), "3")
        await self.mail("m2")
        self.assertEqual([subject(data) for _, data in (await hanging).commands("Add")], ["m2"])


def emptying(folder: str) -> Element:
    """The body of an ItemOperations that removes everything in a folder for good."""
    return Element(
        "ItemOperations:ItemOperations",
        Element("ItemOperations:EmptyFolderContents", Element("AirSync:CollectionId", folder)),
    )


def emptied(reply: Reply) -> str:
    """The Status of that."""
    response = reply.element.child("ItemOperations:Response")
    assert response is not None, reply.element
    return response.children[0].text_of("ItemOperations:Status") or ""


async def provision(phone: Phone) -> None:
    """Fetch the policy and apply it, as a device does that has no key."""
    phone.headers["X-MS-PolicyKey"] = "0"
    for status in (None, "1"):
        reply = await phone.ask(
            "Provision", provision_body(phone.headers["X-MS-PolicyKey"] if status else None, status)
        )
        policies = reply.element.child("Provision:Policies")
        assert policies is not None, reply.element
        phone.headers["X-MS-PolicyKey"] = policies.children[0].text_of("Provision:PolicyKey") or ""


def provision_body(key: str | None, status: str | None) -> Element:
    """A request of the first phase, or of the second with the key that the first has brought."""
    parts = [("PolicyType", TYPE), ("PolicyKey", key), ("Status", status)]
    policy = Element("Provision:Policy", *(Element(f"Provision:{name}", text) for name, text in parts if text))
    return Element("Provision:Provision", Element("Provision:Policies", policy))
