"""Tests of what an answer to Sync does to a folder, and of FolderSync, Provision and Ping answers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.element import Element
from gateway.simulator.collection import SyncWishes, apply_sync, ask_sync
from gateway.simulator.errors import AccessDenied, Garbled, HierarchyStale, Later
from gateway.simulator.hierarchy import apply_hierarchy, chosen
from gateway.simulator.memory import Memory, PhoneFolder, PhoneItem
from gateway.simulator.parking import PingAnswer, read_ping
from gateway.simulator.policy import PolicyGiven, read_policy
from tests.eas.support import decoded


def sync(*parts: Element, key: str | None = "k2") -> Element:
    """An answer for folder 5."""
    found = [Element("AirSync:SyncKey", key)] if key else []
    collection = Element("AirSync:Collection", *found, Element("AirSync:CollectionId", "5"), *parts)
    return Element("AirSync:Sync", Element("AirSync:Collections", collection))


def command(name: str, id: str, *data: Element) -> Element:
    """One command of the server."""
    parts = [Element("AirSync:ServerId", id)]
    if data:
        parts.append(Element("AirSync:ApplicationData", *data))
    return Element("AirSync:Commands", Element(f"AirSync:{name}", *parts))


class SyncTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = PhoneFolder(
            "5", "0", "Inbox", 2, "k1", {"5:1": PhoneItem("old", received="2024-05-01T08:00:00Z")}
        )

    def test_add(self) -> None:
        """A new mail is shown with subject, read mark, flag and date."""
        flag = Element("Email:Flag", Element("Email:Status", 2))
        date = Element("Email:DateReceived", "2024-05-01T08:00:00.000Z")
        data = (Element("Email:Subject", "Hi"), date, Element("Email:Read", 1), flag)
        news = apply_sync(self.folder, sync(command("Add", "5:2", *data)))
        item = PhoneItem("Hi", True, True, "2024-05-01T08:00:00.000Z", 1714550400.0)
        self.assertEqual(news.added, {"5:2": item})
        self.assertEqual(self.folder.items["5:2"], item)
        self.assertEqual(self.folder.key, "k2")

    def test_vector(self) -> None:
        """The documented answer of a calendar brings a meeting with its subject, and the next key."""
        calendar = PhoneFolder("1", "0", "Calendar", 8, "k1")
        news = apply_sync(calendar, decoded("item-calendar-weekly"))
        self.assertEqual((news.added, news.more), ({"1:33": PhoneItem("Stand-up")}, False))
        self.assertEqual(calendar.key, "2")

    def test_addOfKnown(self) -> None:
        """An Add of an item that the phone has is a change."""
        news = apply_sync(self.folder, sync(command("Add", "5:1", Element("Email:Subject", "new"))))
        self.assertEqual((news.added, news.changed), ({}, ["5:1"]))

    def test_changeKeepsTheRest(self) -> None:
        """A change of the read mark leaves subject and date as they are; an empty Flag clears it."""
        self.folder.items["5:1"] = PhoneItem("old", False, True, "2024-05-01T08:00:00Z", 3.0)
        apply_sync(self.folder, sync(command("Change", "5:1", Element("Email:Read", 1), Element("Email:Flag"))))
        item = self.folder.items["5:1"]
        self.assertEqual(item, PhoneItem("old", True, False, "2024-05-01T08:00:00Z", 3.0))

    def test_gone(self) -> None:
        """Delete and SoftDelete take the item away, also one that the phone does not have."""
        for name in ("Delete", "SoftDelete"):
            self.folder.items["5:1"] = PhoneItem()
            news = apply_sync(self.folder, sync(command(name, "5:1")))
            self.assertEqual((self.folder.items, news.deleted), ({}, ["5:1"]))
        apply_sync(self.folder, sync(command("Delete", "5:77")))

    def test_otherClasses(self) -> None:
        """Items that are no mail are shown by what names them."""
        apply_sync(self.folder, sync(command("Add", "1", Element("Contacts:FileAs", "Doe, Jane"))))
        apply_sync(self.folder, sync(command("Add", "2", Element("Calendar:Subject", "Lunch"))))
        self.assertEqual([self.folder.items[id].subject for id in "12"], ["Doe, Jane", "Lunch"])

    def test_sentInBody(self) -> None:
        """The time of sending is also found in the body, of both generations."""
        new = Element("AirSyncBase:Body", Element("AirSyncBase:Data", "a\r\nsent=12.5\r\n"))
        apply_sync(self.folder, sync(command("Add", "1", Element("Email:Subject", "s"), new)))
        apply_sync(
            self.folder, sync(command("Add", "2", Element("Email:Subject", "s"), Element("Email:Body", "sent=13")))
        )
        self.assertEqual([self.folder.items[id].sent for id in "12"], [12.5, 13.0])

    def test_badDate(self) -> None:
        """A date that is none leaves the time of sending unknown."""
        news = apply_sync(self.folder, sync(command("Add", "1", Element("Email:DateReceived", "yesterday"))))
        self.assertIsNone(news.added["1"].sent)

    def test_leftOut(self) -> None:
        """An answer that leaves the folder out brings nothing, and the key stays."""
        news = apply_sync(self.folder, Element("AirSync:Sync", Element("AirSync:Status", 1)))
        self.assertEqual((news.count, self.folder.key), (0, "k1"))

    def test_statusInside(self) -> None:
        """A Status inside the collection counts like one outside."""
        with self.assertRaises(HierarchyStale):
            apply_sync(self.folder, sync(Element("AirSync:Status", 12)))

    def test_garbled(self) -> None:
        """An answer without a key, or with a Status that is no number, is garbled; the folder stays as it was."""
        for answer in (sync(key=None), sync(Element("AirSync:Status", "x"))):
            with self.assertRaises(Garbled):
                apply_sync(self.folder, answer)
        self.assertEqual(self.folder.key, "k1")

    def test_badKeyAtStart(self) -> None:
        """Status 3 to key 0 itself is not answered with key 0 once more, but later."""
        self.folder.key = "0"
        with self.assertRaises(Later):
            apply_sync(self.folder, sync(Element("AirSync:Status", 3)))

    def test_contacts(self) -> None:
        """A folder that holds no mail is asked for without the options of mail."""
        contacts = PhoneFolder("9", "0", "Contacts", 9, "k1")
        request = ask_sync(contacts, "12.1", SyncWishes())
        collection = request.children[0].children[0]
        self.assertIsNone(collection.child("AirSync:DeletesAsMoves"))
        options = collection.child("AirSync:Options")
        assert options
        self.assertEqual([c.name for c in options], ["BodyPreference"])

    def test_truncationScale(self) -> None:
        """The scale of 2.5 is the smallest that is enough; beyond it nothing is cut."""
        found = []
        for size in (0, 1000, 1024, 102400, 102401):
            request = ask_sync(self.folder, "2.5", SyncWishes(truncation=size))
            options = request.children[0].children[0].child("AirSync:Options")
            assert options
            found.append(options.text_of("AirSync:Truncation"))
        self.assertEqual(found, ["0", "2", "2", "8", "9"])


class HierarchyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.memory = Memory(hierarchy_key="h1", folders={"5": PhoneFolder("5", "0", "Inbox", 2, "k1")})

    def answer(self, *changes: Element, number: int = 1, key: str = "h2") -> Element:
        return Element(
            "FolderHierarchy:FolderSync",
            Element("FolderHierarchy:Status", number),
            Element("FolderHierarchy:SyncKey", key),
            Element("FolderHierarchy:Changes", Element("FolderHierarchy:Count", len(changes)), *changes),
        )

    def change(self, name: str, id: str, title: str = "x") -> Element:
        texts = {"ServerId": id, "ParentId": "0", "DisplayName": title, "Type": "12"}
        return Element(f"FolderHierarchy:{name}", *(Element(f"FolderHierarchy:{k}", v) for k, v in texts.items()))

    def test_changes(self) -> None:
        """Folders come, are renamed and go; a renamed one keeps its key."""
        self.assertTrue(
            apply_hierarchy(self.memory, self.answer(self.change("Add", "6"), self.change("Update", "5", "In")))
        )
        self.assertEqual(
            {f.id: (f.name, f.key) for f in self.memory.folders.values()}, {"5": ("In", "k1"), "6": ("x", "0")}
        )
        self.assertTrue(apply_hierarchy(self.memory, self.answer(self.change("Delete", "5"))))
        self.assertEqual(list(self.memory.folders), ["6"])

    def test_nothing(self) -> None:
        """An answer without changes changes nothing but the key."""
        self.assertFalse(apply_hierarchy(self.memory, self.answer()))
        self.assertEqual(self.memory.hierarchy_key, "h2")

    def test_complete(self) -> None:
        """After key 0 what is not named is gone."""
        self.memory.hierarchy_key = "0"
        apply_hierarchy(self.memory, self.answer(self.change("Add", "6")))
        self.assertEqual(list(self.memory.folders), ["6"])

    def test_chosen(self) -> None:
        """Folders are chosen by name whatever the case, by ServerId, by being the Inbox, or all; each once."""
        apply_hierarchy(self.memory, self.answer(self.change("Add", "6", "News")))
        names = [("inbox",), ("NEWS", "6"), ("*", "Inbox"), ("Inbo",)]
        found = [[f.id for f in chosen(self.memory, wanted)] for wanted in names]
        self.assertEqual(found, [["5"], ["6"], ["5", "6"], []])

    def test_drafts(self) -> None:
        """All folders are without the drafts below 16.0, unless they are named."""
        self.memory.folders["3"] = PhoneFolder("3", "0", "Drafts", 3)
        found = []
        for version, name in (("14.1", "*"), ("14.1", "drafts"), ("16.1", "*")):
            self.memory.version = version
            found.append([folder.id for folder in chosen(self.memory, (name,))])
        self.assertEqual(found, [["5"], ["3"], ["5", "3"]])

    def test_statuses(self) -> None:
        """A refused key is begun again with 0; key 0 refused, or a server error, is for later; no key is garbled."""
        with self.assertRaises(HierarchyStale) as caught:
            apply_hierarchy(self.memory, self.answer(number=9))
        self.assertTrue(caught.exception.restart)
        with self.assertRaises(Later):
            apply_hierarchy(self.memory, self.answer(number=6))
        with self.assertRaises(Garbled):
            apply_hierarchy(self.memory, self.answer(key=""))
        self.memory.hierarchy_key = "0"
        with self.assertRaises(Later):
            apply_hierarchy(self.memory, self.answer(number=9))


class PolicyTests(SynchronousTestCase):
    def answer(self, number: int, key: str = "") -> Element:
        parts = [Element("Provision:Status", number)]
        if key:
            parts.append(Element("Provision:PolicyKey", key))
        return Element("Provision:Provision", Element("Provision:Policies", Element("Provision:Policy", *parts)))

    def test_read(self) -> None:
        """A key, and none."""
        self.assertEqual(read_policy(self.answer(1, "4294967295")), PolicyGiven(4294967295))
        self.assertEqual(read_policy(self.answer(2)), PolicyGiven())

    def test_refused(self) -> None:
        """A phone of the wrong kind is kept out; a policy that came between is for later."""
        with self.assertRaises(AccessDenied):
            read_policy(self.answer(3))
        with self.assertRaises(AccessDenied):
            read_policy(Element("Provision:Provision", Element("Provision:Status", 139)))
        with self.assertRaises(Later):
            read_policy(self.answer(5))
        with self.assertRaises(Later):
            read_policy(Element("Provision:Provision", Element("Provision:Status", 3)))

    def test_garbled(self) -> None:
        """A key that is none, or no policy at all, is garbled."""
        for answer in (
            self.answer(1, "-1"),
            self.answer(1, "4294967296"),
            self.answer(1),
            Element("Provision:Provision"),
        ):
            with self.assertRaises(Garbled):
                read_policy(answer)


class PingAnswerTests(SynchronousTestCase):
    def test_garbled(self) -> None:
        """What a Status promises must be there, and a limit must be one."""
        for number, extra in (
            (2, ()),
            (2, (Element("Ping:Folders"),)),
            (5, ()),
            (6, ()),
            (5, (Element("Ping:HeartbeatInterval", 0),)),
        ):
            with self.assertRaises(Garbled):
                read_ping(Element("Ping:Ping", Element("Ping:Status", number), *extra))
        with self.assertRaises(Garbled):
            read_ping(Element("Ping:Ping"))

    def test_read(self) -> None:
        """Folders and limits are read."""
        folders = Element("Ping:Folders", Element("Ping:Folder", "5"), Element("Ping:Folder", "1"))
        self.assertEqual(read_ping(Element("Ping:Ping", Element("Ping:Status", 2), folders)), PingAnswer(2, ("5", "1")))
        limit = Element("Ping:HeartbeatInterval", 60)
        self.assertEqual(read_ping(Element("Ping:Ping", Element("Ping:Status", 5), limit)), PingAnswer(5, limit=60))
