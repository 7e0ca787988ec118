"""FolderCreate, FolderUpdate, FolderDelete and GetHierarchy ([MS-ASCMD] 2.2.1.3, 2.2.1.6, 2.2.1.4, 2.2.1.8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from gateway.arrangement import Arranged
from gateway.eas import wbxml
from gateway.eas.call import Answer, Unavailable, Version
from gateway.eas.foldercommands import FolderCommand, FolderCreate, FolderDelete, FolderUpdate
from gateway.eas.folders import FolderSync, GetHierarchy
from gateway.eas.moving import Moving
from gateway.eas.turns import Turns
from gateway.element import Element
from gateway.interfaces import BackendDown
from gateway.model import DeviceKey, Folder, FolderType, FoundFolder, Intent
from gateway.store import Store
from gateway.testing import MemoryMailbox
from tests.eas.interop import Client, Gateway, air, collection, sync_of
from tests.eas.support import ANN, FOLDERS, NOW, VECTORS, Sources, call_of, decoded, refused, result_of, sent, text
from tests.support import status_of

TABLET = DeviceKey("ann", "tablet")
COMMANDS = {"FolderCreate": FolderCreate, "FolderUpdate": FolderUpdate, "FolderDelete": FolderDelete}


def tree(name: str, *content: Element | str | int | None) -> Element:
    return Element(f"FolderHierarchy:{name}", *content)


class FolderCase(SynchronousTestCase):
    """A device that has synchronised the hierarchy."""

    def setUp(self) -> None:
        self.sources = Sources()
        self.ids = self.sources.make()
        self.turns = Turns(2)
        self.moving = Moving(self.sources.store, self.sources.mailbox, self.sources.reports, lambda: NOW, self.turns)
        self.keys: dict[DeviceKey, str] = {}
        for device in (ANN, TABLET):
            self.keys[device] = "0"
            self.sync(device)

    def sync(self, device: DeviceKey = ANN, key: str = "") -> str:
        """A FolderSync; its Changes in short."""
        body = tree("FolderSync", tree("SyncKey", key or self.keys[device]))
        answer = result_of(FolderSync(self.sources.store)(call_of("FolderSync", body, device=device)))
        assert answer.element is not None
        sent(answer)
        self.keys[device] = answer.element.text_of("FolderHierarchy:SyncKey") or ""
        return text(answer.element.child("FolderHierarchy:Changes"))

    def body(self, command: str, key: str = "", device: DeviceKey = ANN, **fields: Any) -> Element:
        children = [tree(name, value) for name, value in fields.items()]
        return tree(command, tree("SyncKey", key or self.keys[device]), *children)

    def answer(self, command: str, body: Element, version: Version = Version.V14_1, **more: Any) -> Answer:
        made: FolderCommand = COMMANDS[command](self.moving, **more)
        return result_of(made(call_of(command, body, version)))  # type: ignore[no-any-return]

    def do(self, command: str, key: str = "", given: bool = True, **fields: Any) -> str:
        """A command of the device; the answer in short, without its key."""
        answer = self.answer(command, self.body(command, key, **fields))
        self.log = answer.log
        assert answer.element is not None
        if given and answer.written is not None:
            answer.written(True)
        new = answer.element.text_of("FolderHierarchy:SyncKey")
        if new and given:
            self.keys[ANN] = new
        return text(answer.element).replace(f" SyncKey={new}", "")

    def create(self, name: str, parent: int = 0, type: int | str = 12, **more: Any) -> str:
        return self.do("FolderCreate", ParentId=parent, DisplayName=name, Type=type, **more)

    def update(self, id: Any, name: str, parent: Any = 0, **more: Any) -> str:
        return self.do("FolderUpdate", ServerId=id, ParentId=parent, DisplayName=name, **more)

    def delete(self, id: Any, **more: Any) -> str:
        return self.do("FolderDelete", ServerId=id, **more)

    def folders(self) -> dict[str, Folder]:
        return {folder.path: folder for folder in result_of(self.sources.store.folders("ann"))}

    def made(self, name: str, parent: int = 0) -> int:
        """The id of a folder that is made."""
        answer = self.create(name, parent)
        self.assertRegex(answer, r"^FolderCreate\(Status=1 ServerId=[0-9]+\)$")
        return int(answer.rpartition("=")[2][:-1])


class CreateTests(FolderCase):
    def test_created(self) -> None:
        """Status 1 with the ServerId: the folder is in the ledger and in the mailbox."""
        id = self.made("Projects", self.ids[""])
        self.assertEqual(
            self.folders()[".Projects"], Folder(id, "ann", ".Projects", "Projects", FolderType.USER_MAIL, self.ids[""])
        )
        self.assertIn(("ann", ".Projects"), self.sources.mailbox.mails)
        self.assertEqual(result_of(self.sources.store.pending()), [])
        self.assertEqual(self.log, {"St": 1})

    def test_told(self) -> None:
        """FolderSync does not tell it again; another device is told of it."""
        id = self.made("Projects")
        self.assertEqual(self.sync(), "Changes(Count=0)")
        add = f"Add(ServerId={id} ParentId=0 DisplayName=Projects Type=12)"
        self.assertEqual(self.sync(TABLET), f"Changes(Count=1 {add})")

    def test_reported(self) -> None:
        """The Switchboard hears of it."""
        self.made("Projects")
        self.assertEqual(len(self.sources.reports.changes), 1)

    def test_generic(self) -> None:
        """A folder of type 1 is one for mail, too."""
        self.assertIn("Status=1", self.create("Projects", type=1))
        self.assertEqual(self.sync(), "Changes(Count=0)")

    def test_taken(self) -> None:
        """Status 2: a folder of that name is there, in upper or lower case; below another parent it is not."""
        id = self.made("Projects")
        self.assertEqual(self.create("projects"), "FolderCreate(Status=2)")
        self.assertEqual(self.create("INBOX"), "FolderCreate(Status=2)")
        self.made("Projects", id)

    def test_noParent(self) -> None:
        """Status 5: the parent is not there, or what is given is no id of a folder at all."""
        removed = self.made("Gone")
        self.delete(removed)
        for parent in (4711, removed, "x", "-1", "5:1", "1" * 65, "9" * 30, ""):
            self.assertEqual(self.create("New", parent), "FolderCreate(Status=5)", parent)

    def test_types(self) -> None:
        """Status 10: default folders and what is no type; 3: the recipient cache; 12: what is not kept here."""
        for type in (*range(2, 12), 0, 18, 20, 255, "x", "", "-1", "1.0", "\u0661"):
            self.assertEqual(self.create("New", type=type), "FolderCreate(Status=10)", type)
        self.assertEqual(self.create("New", type=19), "FolderCreate(Status=3)")
        for type in range(13, 18):
            self.assertEqual(self.create("New", type=type), "FolderCreate(Status=12)", type)

    def test_recipientCache(self) -> None:
        """Status 3: below the recipient information cache."""
        self.assertEqual(self.create("New", "RI"), "FolderCreate(Status=3)")  # type: ignore[arg-type]

    def test_names(self) -> None:
        """A DisplayName has 1 to 256 characters (Status 10); one that the mailbox cannot hold is Status 11."""
        for name in ("", "x" * 257):
            self.assertEqual(self.create(name), "FolderCreate(Status=10)")
        self.assertEqual(self.create("x" * 201), "FolderCreate(Status=11)")
        self.made("x" * 200)

    def test_tooMany(self) -> None:
        """Status 151: no more folders than 1000, or than are configured, the special ones included."""
        self.assertEqual(FolderCreate(self.moving).most, 1000)
        body = self.body("FolderCreate", ParentId=0, DisplayName="New", Type=12)
        error = refused(FolderCreate(self.moving, 3)(call_of("FolderCreate", body)))
        self.assertEqual(error.status, 151)
        self.assertIn("Status=1", text(self.answer("FolderCreate", body, most=4).element))


class UpdateTests(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.work = self.made("Work")
        self.sub = self.made("Sub", self.work)
        self.sync(TABLET)

    def test_renamed(self) -> None:
        """Status 1: the folder keeps its id and its mails, and so do those below it."""
        self.sources.mail(self.sub, "m", path=".Work.Sub")
        item = self.sources.named("m")
        self.assertEqual(self.update(self.work, "Job"), "FolderUpdate(Status=1)")
        self.assertEqual(
            {path: one.id for path, one in self.folders().items()},
            {**self.ids, ".Job": self.work, ".Job.Sub": self.sub},
        )
        self.assertEqual(list(self.sources.mailbox.folder("ann", ".Job.Sub")), ["m"])
        self.assertEqual(self.sources.items(item)[0].folder, self.sub)

    def test_told(self) -> None:
        """FolderSync does not tell it again; another device is told of the one folder that looks different."""
        self.update(self.work, "Job")
        self.assertEqual(self.sync(), "Changes(Count=0)")
        update = f"Update(ServerId={self.work} ParentId=0 DisplayName=Job Type=12)"
        self.assertEqual(self.sync(TABLET), f"Changes(Count=1 {update})")

    def test_moved(self) -> None:
        """A folder goes below another one, special or not, or to the top."""
        for parent in (self.ids[".Trash"], self.ids[""], self.work, 0):
            self.assertEqual(self.update(self.sub, "Sub", parent), "FolderUpdate(Status=1)")
            [found] = [one for one in self.folders().values() if one.id == self.sub]
            self.assertEqual(found.parent, parent)

    def test_asItIs(self) -> None:
        """What is so already is Status 1 with a new key."""
        before = self.keys[ANN]
        self.assertEqual(self.update(self.sub, "Sub", self.work), "FolderUpdate(Status=1)")
        self.assertNotEqual(self.keys[ANN], before)
        self.assertEqual(self.sync(TABLET), "Changes(Count=0)")

    def test_otherCase(self) -> None:
        """A name may be changed into upper case."""
        self.assertEqual(self.update(self.work, "WORK"), "FolderUpdate(Status=1)")

    def test_taken(self) -> None:
        """Status 2: a folder of that name is there."""
        self.assertEqual(self.update(self.sub, "work"), "FolderUpdate(Status=2)")

    def test_special(self) -> None:
        """Status 2: special folders stay as they are."""
        for id in self.ids.values():
            self.assertEqual(self.update(id, "Other"), "FolderUpdate(Status=2)")

    def test_recipientCache(self) -> None:
        """Status 3: the recipient information cache, as folder or as parent."""
        self.assertEqual(self.update("RI", "Other"), "FolderUpdate(Status=3)")
        self.assertEqual(self.update(self.work, "Other", "RI"), "FolderUpdate(Status=3)")

    def test_unknown(self) -> None:
        """Status 4: no such folder; 5: no such parent; the folder counts first."""
        for id in (4711, "x", "0", "1" * 65, ""):
            self.assertEqual(self.update(id, "Other"), "FolderUpdate(Status=4)", id)
            if id != "0":
                self.assertEqual(self.update(self.work, "Other", id), "FolderUpdate(Status=5)", id)
        self.assertEqual(self.update(4711, "Other", 4711), "FolderUpdate(Status=4)")

    def test_belowItself(self) -> None:
        """Status 10: a folder cannot be below itself."""
        self.assertEqual(self.update(self.work, "Work", self.work), "FolderUpdate(Status=10)")
        self.assertEqual(self.update(self.work, "Work", self.sub), "FolderUpdate(Status=10)")

    def test_names(self) -> None:
        """As for FolderCreate: Status 10 and 11."""
        self.assertEqual(self.update(self.work, ""), "FolderUpdate(Status=10)")


class DeleteTests(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.work = self.made("Work")
        self.sync(TABLET)

    def test_deleted(self) -> None:
        """Status 1: the folder is gone, and what it held is in Deleted Items."""
        self.sources.mail(self.work, "m", path=".Work")
        self.assertEqual(self.delete(self.work), "FolderDelete(Status=1)")
        self.assertEqual(set(self.folders()), set(self.ids))
        self.assertEqual(list(self.sources.mailbox.folder("ann", ".Trash")), ["m"])

    def test_told(self) -> None:
        """FolderSync does not tell it again; another device is told."""
        self.delete(self.work)
        self.assertEqual(self.sync(), "Changes(Count=0)")
        self.assertEqual(self.sync(TABLET), f"Changes(Count=1 Delete(ServerId={self.work}))")

    def test_below(self) -> None:
        """Folders below it go too; of these the device is told as well, lest it should have kept them."""
        sub = self.made("Sub", self.work)
        self.assertEqual(self.delete(self.work), "FolderDelete(Status=1)")
        self.assertEqual(self.sync(), f"Changes(Count=1 Delete(ServerId={sub}))")

    def test_fromTheTrash(self) -> None:
        """What is below Deleted Items is deleted for good."""
        old = self.made("Old", self.ids[".Trash"])
        self.sources.mail(old, "m", path=".Trash.Old")
        self.assertEqual(self.delete(old), "FolderDelete(Status=1)")
        self.assertNotIn("m", self.sources.mailbox.folder("ann", ".Trash"))

    def test_special(self) -> None:
        """Status 3: special folders, and the recipient information cache."""
        for id in (*self.ids.values(), "RI"):
            self.assertEqual(self.delete(id), "FolderDelete(Status=3)")

    def test_unknown(self) -> None:
        """Status 4: no such folder; a folder that was deleted is none."""
        self.delete(self.work)
        for id in (self.work, 4711, "x", "0", "1" * 65, ""):
            self.assertEqual(self.delete(id), "FolderDelete(Status=4)", id)


class KeyTests(FolderCase):
    def test_wrong(self) -> None:
        """Status 9: a key that is not the device's newest or the one before it; nothing is done."""
        for key in ("0", "1", "x", "y" * 65, self.keys[TABLET] + "1"):
            self.assertEqual(self.create("New", key=key), "FolderCreate(Status=9)", key)
        self.assertEqual(set(self.folders()), set(self.ids))

    def test_empty(self) -> None:
        """So is an empty one."""
        for command in COMMANDS:
            fields = dict.fromkeys(COMMANDS[command].names, "1")
            body = tree(command, tree("SyncKey", ""), *(tree(name, value) for name, value in fields.items()))
            self.assertEqual(text(self.answer(command, body).element), f"{command}(Status=9)")

    def test_old(self) -> None:
        """A key older than the one before the newest is Status 9."""
        old = self.keys[ANN]
        self.made("A")
        self.made("B")
        self.assertEqual(self.create("C", key=old), "FolderCreate(Status=9)")

    def test_repeated(self) -> None:
        """The same command again, because its answer was lost, has the same answer and is not executed again."""
        for command, fields in (
            ("FolderCreate", {"ParentId": 0, "DisplayName": "New", "Type": 12}),
            ("FolderUpdate", {"ServerId": 0, "ParentId": 0, "DisplayName": "Newer"}),
            ("FolderDelete", {"ServerId": 0}),
        ):
            if "ServerId" in fields:
                fields["ServerId"] = next(one.id for one in self.folders().values() if one.path.startswith(".New"))
            body = self.body(command, **fields)
            first, again = (self.answer(command, body) for _ in range(2))
            self.assertEqual(text(first.element), text(again.element))
            self.assertIn("Status=1", text(first.element))
            sent(again)
            assert again.element is not None
            self.keys[ANN] = again.element.text_of("FolderHierarchy:SyncKey") or ""
            self.assertEqual(self.sync(), "Changes(Count=0)")

    def test_lost(self) -> None:
        """A device whose answer was lost and that synchronises instead is told what it has done."""
        before = self.keys[ANN]
        self.create("New", given=False)
        self.assertIn("DisplayName=New", self.sync(key=before))

    def test_otherNews(self) -> None:
        """What others did before is told by the next FolderSync, without what the device did itself."""
        self.sources.make(found=(*FOLDERS, FoundFolder(".Archive", "Archive", FolderType.USER_MAIL)))
        self.made("New")
        changes = self.sync()
        self.assertIn("DisplayName=Archive", changes)
        self.assertNotIn("DisplayName=New", changes)


class MalformedTests(FolderCase):
    def status(self, command: str, *children: Element, version: Version = Version.V14_1) -> str:
        return text(self.answer(command, tree(command, *children), version).element)

    def test_missing(self) -> None:
        """Status 10: an element is missing, in every version."""
        for version in Version:
            for command, made in COMMANDS.items():
                names = ("SyncKey", *made.names)
                for missing in names:
                    children = [tree(name, "1") for name in names if name != missing]
                    self.assertEqual(self.status(command, *children, version=version), f"{command}(Status=10)")

    def test_twice(self) -> None:
        """Status 10: an element is there twice, or one that does not belong there, or one with children."""
        for command, made in COMMANDS.items():
            children = [tree(name, "1") for name in ("SyncKey", *made.names)]
            for more in (children[0], tree("Count", "1"), Element("AirSync:SyncKey", "1")):
                self.assertEqual(self.status(command, *children, more), f"{command}(Status=10)")
            nested = tree(made.names[0], tree("Count", "1"))
            self.assertEqual(self.status(command, children[0], nested, *children[2:]), f"{command}(Status=10)")

    def test_otherRoot(self) -> None:
        """Status 10: the body is that of another command."""
        body = self.body("FolderDelete", ServerId=1)
        self.assertEqual(text(self.answer("FolderUpdate", body).element), "FolderUpdate(Status=10)")

    def test_noBody(self) -> None:
        """An empty body is the common Status 101."""
        for command, made in COMMANDS.items():
            self.assertEqual(refused(made(self.moving)(call_of(command, None))).status, 101)


class OddMailbox(MemoryMailbox):
    """A mailbox that carries out as it is told, and that may have a fault."""

    carrying: Callable[[Sequence[Intent]], Deferred[list[int]]] | None = None
    fault: Exception | None = None

    def carry_out(self, intents: Sequence[Intent]) -> Deferred[list[int]]:
        return super().carry_out(intents) if self.carrying is None else self.carrying(intents)

    def making(self, *args: Any) -> Any:
        if self.fault is not None:
            raise self.fault
        return super().making(*args)


class TroubleTests(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.mailbox = self.sources.mailbox = self.moving.mailbox = OddMailbox()

    def test_mailboxAway(self) -> None:
        """Status 6: the mailbox is not there; the key stays, and nothing is done."""
        self.sources.mailbox.failure = BackendDown("no disk")
        before = self.keys[ANN]
        self.assertEqual(self.create("New"), "FolderCreate(Status=6)")
        self.sources.mailbox.failure = None
        self.assertEqual(self.keys[ANN], before)
        self.made("New")

    def test_fault(self) -> None:
        """Status 11: a fault of ours, which is logged."""
        self.mailbox.fault = ValueError("nonsense")
        self.assertEqual(self.create("New"), "FolderCreate(Status=11)")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_notCarriedOut(self) -> None:
        """What cannot be done to the directories now is written down all the same, and will be done."""
        self.mailbox.carrying = lambda intents: fail(BackendDown("no disk"))
        self.made("New")
        [intent] = result_of(self.sources.store.pending())
        self.assertEqual(intent.path, ".New")
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 1)

    def test_left(self) -> None:
        """A client that leaves meanwhile does not keep it from being done to its end."""
        waiting: Deferred[list[int]] = Deferred()
        self.mailbox.carrying = lambda intents: waiting
        body = self.body("FolderCreate", ParentId=0, DisplayName="New", Type=12)
        asked = Deferred.fromCoroutine(FolderCreate(self.moving)(call_of("FolderCreate", body)))
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        waiting.callback([intent.id for intent in result_of(self.sources.store.pending())])
        self.assertEqual(result_of(self.sources.store.pending()), [])
        self.assertEqual(len(self.turns), 0)
        self.assertEqual(len(self.sources.reports.changes), 1)

    def test_crowded(self) -> None:
        """When too many requests of the user wait for each other, the next one is put off."""
        held: Deferred[list[int]] = Deferred()
        self.mailbox.carrying = lambda intents: held
        waiting = []
        for name in "abc":
            body = self.body("FolderCreate", ParentId=0, DisplayName=name, Type=12)
            waiting.append(Deferred.fromCoroutine(FolderCreate(self.moving)(call_of("FolderCreate", body))))
        body = self.body("FolderCreate", ParentId=0, DisplayName="d", Type=12)
        self.failureResultOf(
            Deferred.fromCoroutine(FolderCreate(self.moving)(call_of("FolderCreate", body))), Unavailable
        )
        for one in waiting:
            one.cancel()
            self.failureResultOf(one, CancelledError)
        self.mailbox.carrying = None
        held.callback([])

    def test_changingAllTheTime(self) -> None:
        """Status 6: the folders change each time before they can be written down."""
        self.patch(Store, "arrange", lambda *args: succeed(Arranged(0)))
        self.assertEqual(self.create("New"), "FolderCreate(Status=6)")


class ListTests(FolderCase):
    def test_kinds(self) -> None:
        """GetHierarchy lists folders for mail, by the types it knows."""
        found = (
            *FOLDERS,
            FoundFolder("c", "Calendar", FolderType.CALENDAR),
            FoundFolder(".W", "W", FolderType.USER_MAIL),
        )
        ids = self.sources.make(found=found)
        answer = result_of(GetHierarchy(self.sources.store)(call_of("GetHierarchy", None, Version.V2_5)))
        listed = f"Folder(DisplayName=W ServerId={ids['.W']} Type=1 ParentId=0)"
        self.assertTrue(text(answer.element).endswith(f"{listed})"), text(answer.element))
        self.assertNotIn("Calendar", text(answer.element))
        self.assertEqual(answer.log, {"Fc": 4})

    def test_trouble(self) -> None:
        """When the ledger does not answer, that is HTTP 500."""
        store = _Down()
        error = refused(GetHierarchy(store)(call_of("GetHierarchy", None, Version.V12_1)))  # type: ignore[arg-type]
        self.assertEqual((error.status, error.http), (110, None))

    def test_body(self) -> None:
        """A body does not belong there: 101."""
        call = call_of("GetHierarchy", tree("Folders"), Version.V12_1)
        self.assertEqual(refused(GetHierarchy(self.sources.store)(call)).status, 101)


class _Down:
    def folders(self, user: str) -> Deferred[list[Folder]]:
        raise BackendDown("no database")


class VectorTests(FolderCase):
    def test_requests(self) -> None:
        """The requests of the vectors are understood as they are meant."""
        for name, command, fields in (
            ("foldercreate-request", "FolderCreate", {"ParentId": 5, "DisplayName": "Projects", "Type": 12}),
            ("folderdelete-request", "FolderDelete", {"ServerId": 21}),
            ("folderupdate-request", "FolderUpdate", {"ServerId": 21, "ParentId": 0, "DisplayName": "Old projects"}),
        ):
            key = decoded(name).text_of("FolderHierarchy:SyncKey") or ""
            self.assertEqual(wbxml.encode(self.body(command, key, **fields)), VECTORS[name])
            self.assertEqual(text(self.answer(command, decoded(name)).element), f"{command}(Status=9)")

    def test_response(self) -> None:
        """The vector of an answer, byte by byte."""

        async def arranged(user: str, plan: object, turn: object) -> Arranged:
            return Arranged(1, "2", 21)

        class Settled(Moving):
            arrange = staticmethod(arranged)  # type: ignore[assignment]

        moving = Settled(self.sources.store, self.sources.mailbox, self.sources.reports, lambda: NOW)
        answer = result_of(FolderCreate(moving)(call_of("FolderCreate", decoded("foldercreate-request"))))
        assert answer.element is not None
        self.assertEqual(wbxml.encode(answer.element), VECTORS["foldercreate-response"])


class ParkedTests(SynchronousTestCase):
    """What folder commands do to parked Pings."""

    def setUp(self) -> None:
        self.world = Gateway()
        self.inbox = self.world.mailbox()[""]
        self.phone, self.tablet = Client(self.world), Client(self.world, device="tablet")
        self.bob = Client(self.world, user="bob", password="geheim", device="bobs")
        self.world.mailbox("bob")
        self.parked = {}
        for client in (self.phone, self.tablet, self.bob):
            inbox = next(one.id for one in self.world.result(self.world.store.folders(client.user)) if one.path == "")
            client.synchronise(inbox)
            self.assertEqual(client.ping(600, inbox), [])
            self.parked[client] = client.reconnect()

    def tearDown(self) -> None:
        for client, connection in self.parked.items():
            connection.lose()
            client.connection.lose()
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def ended(self) -> list[str | None]:
        """The Status with which each Ping has ended, C{None} while it is parked."""
        answers = [connection.answers() for connection in self.parked.values()]
        return [status_of(answer) if answer else None for answer in answers]

    def ask(self, command: str, **fields: Any) -> None:
        children = [tree("SyncKey", self.phone.hierarchy_key), *(tree(name, value) for name, value in fields.items())]
        answer = self.phone.ask(command, tree(command, *children))
        assert answer is not None
        self.assertEqual(answer.text_of("FolderHierarchy:Status"), "1")
        self.phone.hierarchy_key = answer.text_of("FolderHierarchy:SyncKey") or ""

    def test_created(self) -> None:
        """A new folder ends the Pings of other devices of the user with Status 7, not that of the one that made it."""
        self.ask("FolderCreate", ParentId=0, DisplayName="New", Type=12)
        self.assertEqual(self.ended(), [None, "7", None])

    def test_updatedAndDeleted(self) -> None:
        """So do a folder's new name, and its end."""
        self.world.result(
            self.world.store.record_hierarchy("ann", [*self.found(), FoundFolder(".W", "W", FolderType.USER_MAIL)])
        )
        id = next(one.id for one in self.world.result(self.world.store.folders("ann")) if one.path == ".W")
        for command, fields in (
            ("FolderUpdate", {"ServerId": id, "ParentId": 0, "DisplayName": "X"}),
            ("FolderDelete", {"ServerId": id}),
        ):
            for client in (self.phone, self.tablet):
                client.connection.lose()
                self.parked[client].lose()
                client.reconnect()
                client.synchronise(self.inbox)
                self.assertEqual(client.ping(600, self.inbox), [])
                self.parked[client] = client.reconnect()
            self.ask(command, **fields)
            self.assertEqual(self.ended(), [None, "7", None], command)

    def found(self) -> list[FoundFolder]:
        live = self.world.result(self.world.store.folders("ann"))
        return [FoundFolder(one.path, one.name, one.type) for one in live]

    def test_pingAgain(self) -> None:
        """The next Ping of the device that made it parks, too."""
        self.ask("FolderCreate", ParentId=0, DisplayName="New", Type=12)
        self.assertEqual(self.phone.ping(600, self.inbox), [])
        self.assertEqual(self.ended(), ["1", "7", None])

    def test_hangingSync(self) -> None:
        """A Sync that hangs is treated as a Ping: that of another device ends, with Status 12, its own does not."""
        for client in (self.phone, self.tablet):
            self.parked[client].lose()
            client.connection.lose()
            client.reconnect()
            body = sync_of(collection(client.keys[self.inbox], self.inbox), more=[air("Wait", 10)])
            self.assertEqual(client.post("Sync", body), [])
            self.parked[client] = client.reconnect()
        self.ask("FolderCreate", ParentId=0, DisplayName="New", Type=12)
        self.assertEqual(self.parked[self.phone].answers(), [])
        [answer] = self.parked[self.tablet].answers()
        self.assertEqual(text(answer.element), "Sync(Status=12)")

    def test_elsewhere(self) -> None:
        """A folder that somebody else makes, in the Maildir, ends the Pings of all devices of the user."""
        _, changes = self.world.result(
            self.world.store.record_hierarchy("ann", [*self.found(), FoundFolder(".N", "N", FolderType.USER_MAIL)])
        )
        self.world.changed(*changes)
        self.assertEqual(self.ended(), ["7", "7", None])
