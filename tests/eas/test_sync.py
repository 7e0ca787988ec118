"""Sync for mail ([MS-ASCMD] 2.2.1.21), against a real store and a mailbox in memory."""

from __future__ import annotations

import re

from twisted.internet.defer import CancelledError, Deferred, execute
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.call import Answer, Unavailable, Version
from gateway.eas.gate import Rules
from gateway.eas.policydoc import Policy
from gateway.eas.sync import Sync
from gateway.eas.syncbody import SyncLimits
from gateway.element import Element
from gateway.interfaces import BackendDown
from gateway.model import Change, DeviceKey, FolderType, FoundFolder, Item
from tests.eas.support import ANN, FOLDERS, NOW, Sources, call_of, parking_of, refused, result_of, sent, text
from tests.eas.test_collection import air, base, collection, sync

DAY = 86400
TABLET = DeviceKey("ann", "tablet")


def read(value: int) -> Element:
    return Element("Email:Read", value)


def change(server_id: str, *properties: Element) -> Element:
    return air("Change", air("ServerId", server_id), air("ApplicationData", *properties))


def delete(server_id: str) -> Element:
    return air("Delete", air("ServerId", server_id))


def fetch(server_id: str) -> Element:
    return air("Fetch", air("ServerId", server_id))


def add(client_id: str) -> Element:
    return air("Add", air("ClientId", client_id), air("ApplicationData", Element("Email:Subject", "x")))


class SyncCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.sources = Sources()
        self.folders = self.sources.make()
        self.inbox, self.trash = self.folders[""], self.folders[".Trash"]
        self.rules = Rules()
        self.synced: list[DeviceKey] = []
        self.limits = SyncLimits()
        self.keys: dict[tuple[DeviceKey, int], str] = {}
        self.last = Answer()
        self.restart()

    def restart(self) -> None:
        """Begin anew with what the store holds."""
        self.command = Sync(
            parking_of(self.sources.store),
            self.sources.store,
            self.sources.mailbox,
            self.sources.reports,
            lambda: self.sources.now,
            execute,
            self.rules,
            self.limits,
            self._synchronised,
        )

    async def _synchronised(self, device: DeviceKey) -> None:
        self.synced.append(device)

    def ask(self, body: Element | None, version: Version = Version.V14_1, device: DeviceKey = ANN) -> Element | None:
        """Send a request; the answer, which is taken for written."""
        self.last = result_of(self.command(call_of("Sync", body, version, device)))
        sent(self.last)
        self.learn(self.last.element, device)
        return self.last.element

    def learn(self, answer: Element | None, device: DeviceKey = ANN) -> None:
        """Take the keys of an answer."""
        for found in (answer or air("x")).child("AirSync:Collections") or ():
            folder, key = found.text_of("AirSync:CollectionId"), found.text_of("AirSync:SyncKey")
            if found.text_of("AirSync:Status") == "1" and folder and key:
                self.keys[device, int(folder)] = key

    def of(self, *more: Element, folder: int = 0, key: str = "", device: DeviceKey = ANN) -> Element:
        """A Collection with the newest key of the device."""
        folder = folder or self.inbox
        return collection(*more, id=str(folder), key=key or self.keys.get((device, folder), "0"))

    def sync(
        self,
        *more: Element,
        folder: int = 0,
        key: str = "",
        version: Version = Version.V14_1,
        device: DeviceKey = ANN,
    ) -> str:
        """Synchronise one folder; the answer in short, with its keys and ids as names."""
        answer = self.ask(sync(self.of(*more, folder=folder, key=key, device=device)), version, device)
        return self.short(answer, folder or self.inbox)

    def short(self, answer: Element | None, folder: int = 0) -> str:
        folder = folder or self.inbox
        found = text(answer).removeprefix("Sync(Collections(Collection(").removesuffix(")))")
        for (_, known), key in self.keys.items():
            if known == folder:
                found = found.replace(f"SyncKey={key} ", "key ")
        found = found.replace(f"CollectionId={folder} ", "")
        return re.sub(r"ServerId=\d+:(\d+)", lambda match: f"ServerId={self.name(int(match[1]))}", found)

    def name(self, id: int) -> str:
        """What an item is called in the tests."""
        return self.sources.names.get(id, str(id))

    def primed(self, *options: Element, device: DeviceKey = ANN, version: Version = Version.V14_1) -> None:
        """Begin with a folder and bring it up to date."""
        self.sync(*options, device=device, version=version, key="0")
        while "Commands" in self.sync(device=device, version=version):
            pass

    def names(self, answer: str) -> str:
        """The server commands of an answer: C{"Add m1, Delete m2"}."""
        element = self.last.element
        assert element is not None, answer
        commands = [
            f"{command.name} {self.name(int((command.text_of('AirSync:ServerId') or '').split(':')[1]))}"
            for found in element.child("AirSync:Collections") or ()
            for command in found.child("AirSync:Commands") or ()
        ]
        return ", ".join(commands)

    def item(self, name: str) -> Item:
        found: Item = self.sources.items(self.sources.named(name))[0]
        return found

    def named(self, name: str) -> str:
        """The ServerId of an item, in whatever folder it is."""
        return f"{self.item(name).folder}:{self.sources.named(name)}"

    def property(self, tag: str) -> list[str]:
        """The values of a property, or of an element within, in the first item of the last answer."""
        element = self.last.element
        assert element is not None
        data = self.find(element, "AirSync:ApplicationData")
        return [found.text for found in self.every(data[0]) if found.tag == tag]

    def every(self, element: Element) -> list[Element]:
        return [element, *(found for child in element for found in self.every(child))]

    def find(self, element: Element, tag: str) -> list[Element]:
        return [found for found in self.every(element) if found.tag == tag]


class KeyTests(SyncCase):
    def test_zero(self) -> None:
        """Key 0 is answered with a new key, Status 1, and nothing else."""
        self.sources.mail(self.inbox, "m1")
        self.assertEqual(self.sync(), "key Status=1")

    def test_first(self) -> None:
        """The first real key brings the items, and a new key."""
        self.sources.mail(self.inbox, "m1")
        self.sync()
        before = self.keys[ANN, self.inbox]
        self.assertIn("Commands(Add(ServerId=m1 ApplicationData(", self.sync())
        self.assertNotEqual(self.keys[ANN, self.inbox], before)

    def test_unknown(self) -> None:
        """A key that was never issued: Status 3 with SyncKey 0, in that collection."""
        self.primed()
        self.assertEqual(self.sync(key="{0}77"), "SyncKey=0 Status=3")

    def test_tooOld(self) -> None:
        """Only the newest key and the one before it are good."""
        self.primed()
        oldest = self.keys[ANN, self.inbox]
        for name in ("m1", "m2"):
            self.sources.mail(self.inbox, name)
            self.sync()
        self.assertEqual(self.sync(key=oldest), "SyncKey=0 Status=3")

    def test_repeated(self) -> None:
        """The same request again is answered with the same: same key, same items."""
        self.primed()
        before = self.keys[ANN, self.inbox]
        self.sources.mail(self.inbox, "m1")
        first = self.sync()
        key = self.keys[ANN, self.inbox]
        self.sources.mail(self.inbox, "m2")
        self.assertEqual(self.sync(key=before), first)
        self.assertEqual(self.keys[ANN, self.inbox], key)
        self.assertEqual(self.last.log["St"], "R")

    def test_repeatedCommands(self) -> None:
        """Repeated commands are not executed again, and their answers are given again."""
        self.sources.mail(self.inbox, "m1")
        self.primed()
        before = self.keys[ANN, self.inbox]
        commands = air("Commands", change("5:1", read(1)), delete(self.named("m1")), add("c1"), delete("x"))
        first = self.sync(commands)
        changes = len(self.sources.reports.changes)
        self.assertEqual(self.sync(commands, key=before), first)
        self.assertEqual(len(self.sources.reports.changes), changes)
        self.assertEqual(list(self.sources.mailbox.folder("ann", ".Trash")), ["m1"])

    def test_goneMeanwhile(self) -> None:
        """The answers fit their commands also when an item went away before the repetition."""
        for name in ("m1", "m2"):
            self.sources.mail(self.inbox, name)
        self.primed()
        before = self.keys[ANN, self.inbox]
        commands = air(
            "Commands", change(self.named("m1"), read(1)), change(f"{self.inbox}:99", read(1)), delete(f"{self.inbox}:98")
        )  # fmt: skip
        first = self.sync(commands)
        self.assertEqual(first, "key Status=1 Responses(Change(ServerId=99 Status=8) Delete(ServerId=98 Status=8))")
        self.sources.gone(self.inbox, "m1")
        self.assertEqual(self.sync(commands, key=before), first)

    def test_lostThenOther(self) -> None:
        """Another request with the key before the newest begins from there: what was lost comes again."""
        self.primed()
        before = self.keys[ANN, self.inbox]
        self.sources.mail(self.inbox, "m1")
        self.sync()
        self.sources.mail(self.inbox, "m2")
        self.assertEqual(self.names(self.sync(air("WindowSize", 5), key=before)), "Add m1, Add m2")

    def test_malformed(self) -> None:
        """A request that breaks the protocol: Status 4 for the whole, and nothing is done."""
        self.sources.mail(self.inbox, "m1")
        self.primed()
        good = self.of(air("Commands", delete(self.named("m1"))))
        for bad in (
            self.of(air("Options", air("FilterType", 6)), folder=self.trash),
            self.of(air("GetChanges", 1), folder=self.trash, key="0"),
            self.of(air("WindowSize", "x"), folder=self.trash),
        ):
            self.assertEqual(text(self.ask(sync(good, bad))), "Sync(Status=4)")
        self.item("m1")
        self.assertEqual(self.last.log["St"], 4)

    def test_synced(self) -> None:
        """Who keeps account of devices is told of each that was served, and of no other."""
        self.ask(sync(self.of()))
        self.ask(air("Sync"))
        self.assertEqual(self.synced, [ANN])

    def test_given(self) -> None:
        """A key counts as given only when the answer was written out."""
        self.primed()
        self.sources.mail(self.inbox, "m1")

        def news() -> bool:
            looked = result_of(self.sources.store.look(ANN, [self.inbox], False))
            return bool(looked.folders[self.inbox].news)

        self.assertTrue(news())
        answer = result_of(self.command(call_of("Sync", sync(self.of()))))
        answer.written(False)
        self.assertTrue(news())
        answer.written(True)
        self.assertFalse(news())


class FolderTests(SyncCase):
    def test_unknownAlone(self) -> None:
        """An unknown folder alone: Status 12 for the whole."""
        for id in ("999", "x", "RI", f"0{self.inbox}"):
            self.assertEqual(text(self.ask(sync(collection(id=id)))), "Sync(Status=12)")

    def test_unknownAmongOthers(self) -> None:
        """Among others it is told in its Collection, and the others are served."""
        answer = self.ask(sync(collection(id="999", key="7"), self.of()))
        unknown, known = self.find(answer or air("x"), "AirSync:Collection")
        self.assertEqual(text(unknown), "Collection(SyncKey=7 CollectionId=999 Status=12)")
        self.assertEqual(known.text_of("AirSync:Status"), "1")

    def test_removed(self) -> None:
        """A folder that was removed is unknown."""
        self.primed()
        self.sources.make(found=FOLDERS[1:])
        self.assertEqual(text(self.ask(sync(self.of()))), "Sync(Status=12)")

    def test_ofOthers(self) -> None:
        """So is one of another user."""
        theirs = self.sources.make("bob")[""]
        self.sources.mail(theirs, "m1", user="bob")
        self.assertEqual(text(self.ask(sync(collection(id=str(theirs), key="0")))), "Sync(Status=12)")

    def test_notMail(self) -> None:
        """A folder of something else than mail: Status 4."""
        found = (*FOLDERS, FoundFolder("c", "Calendar", FolderType.CALENDAR))
        calendar = self.sources.make(found=found)["c"]
        self.assertEqual(text(self.ask(sync(self.of(folder=calendar)))), "Sync(Status=4)")

    def test_class(self) -> None:
        """Class is repeated, in front, to clients before 14.0 that sent it."""
        body = sync(air("Collection", air("Class", "Email"), air("SyncKey", "0"), air("CollectionId", self.inbox)))
        for version in (Version.V2_5, Version.V12_0, Version.V12_1):
            self.assertTrue(text(self.ask(body, version)).startswith("Sync(Collections(Collection(Class=Email SyncKey"))
        self.assertNotIn("Class", text(self.ask(body, Version.V14_0)))


class WindowTests(SyncCase):
    def setUp(self) -> None:
        super().setUp()
        for number in range(1, 6):
            self.sources.mail(self.inbox, f"m{number}", age=100 - number)
        for number in range(6, 9):
            self.sources.mail(self.folders[".Sent"], f"m{number}", path=".Sent", age=100 - number)

    def test_window(self) -> None:
        """A batch holds as many as WindowSize says, newest first; MoreAvailable comes before Commands."""
        self.sync()
        first = self.sync(air("WindowSize", 2))
        self.assertTrue(first.startswith("key Status=1 MoreAvailable= Commands("), first)
        self.assertEqual(self.names(first), "Add m5, Add m4")
        self.assertEqual(self.names(self.sync(air("WindowSize", 2))), "Add m3, Add m2")
        last = self.sync(air("WindowSize", 2))
        self.assertEqual(self.names(last), "Add m1")
        self.assertNotIn("MoreAvailable", last)

    def test_limit(self) -> None:
        """A batch is never larger than what is configured, whatever WindowSize says."""
        self.limits = SyncLimits(window=2)
        self.restart()
        self.sync()
        answer = self.sync(air("WindowSize", 100))
        self.assertEqual(self.names(answer), "Add m5, Add m4")
        self.assertIn("MoreAvailable", answer)

    def both(self, window: int) -> list[Element]:
        body = sync(self.of(), self.of(folder=self.folders[".Sent"]), more=(air("WindowSize", window),))
        return self.find(self.ask(body) or air("x"), "AirSync:Collection")

    def test_whole(self) -> None:
        """The WindowSize of the request holds for all collections together, in their order."""
        self.both(512)
        first, second = self.both(6)
        self.assertEqual([len(list(found.child("AirSync:Commands") or ())) for found in (first, second)], [5, 1])
        self.assertIsNone(first.child("AirSync:MoreAvailable"))
        self.assertIsNotNone(second.child("AirSync:MoreAvailable"))

    def test_wholeUsedUp(self) -> None:
        """When it is used up, collections that have something say so, and no more."""
        self.both(512)
        first, second = self.both(3)
        self.assertEqual(len(list(first.child("AirSync:Commands") or ())), 3)
        self.assertIsNone(second.child("AirSync:Commands"))
        self.assertIsNotNone(second.child("AirSync:MoreAvailable"))
        self.assertEqual(second.text_of("AirSync:Status"), "1")

    def test_usedUpCommands(self) -> None:
        """Client commands of such a collection are executed all the same."""
        self.both(512)
        while self.find(air("x", *self.both(512)), "AirSync:Commands"):
            pass
        sent_items = self.folders[".Sent"]
        self.sources.mail(self.inbox, "m9")
        gone = self.of(air("Commands", delete(self.named("m6"))), folder=sent_items)
        self.ask(sync(self.of(), gone, more=(air("WindowSize", 1),)))
        self.assertEqual(list(self.sources.mailbox.folder("ann", ".Trash")), ["m6"])

    def test_getChanges(self) -> None:
        """With GetChanges 0 nothing of the server's is sent; there is nothing to say then."""
        self.sync()
        self.assertEqual(self.sync(air("GetChanges", 0)), "")
        self.assertEqual(self.names(self.sync(air("GetChanges"))), "Add m5, Add m4, Add m3, Add m2, Add m1")


class ChangesTests(SyncCase):
    def setUp(self) -> None:
        super().setUp()
        for name in ("m1", "m2", "m3", "m4"):
            self.sources.mail(self.inbox, name)
        self.primed()

    def test_order(self) -> None:
        """Delete, then SoftDelete, then Change, then Add."""
        self.sources.mail(self.inbox, "m5")
        self.sources.mail(self.inbox, "m2", state="S")
        self.sources.gone(self.inbox, "m3")
        self.assertEqual(self.names(self.sync()), "Delete m3, Change m2, Add m5")

    def test_change(self) -> None:
        """A Change of a mail has the mark that has changed and nothing else; the mail is not read for it."""
        self.sources.mailbox.reads.clear()
        self.sources.mail(self.inbox, "m2", state="S")
        self.assertEqual(self.sync(), "key Status=1 Commands(Change(ServerId=m2 ApplicationData(Read=1)))")
        self.assertEqual(self.sources.mailbox.reads, [])

    def test_softDelete(self) -> None:
        """Items that leave a narrower window are soft-deleted in the same answer."""
        self.sources.mail(self.inbox, "m5", age=5 * DAY)
        self.assertEqual(self.names(self.sync()), "Add m5")
        self.assertEqual(
            self.sync(air("Options", air("FilterType", 1))), "key Status=1 Commands(SoftDelete(ServerId=m5))"
        )

    def test_itemGone(self) -> None:
        """A mail that is gone before it was read is left out."""
        self.sources.mail(self.inbox, "m5")
        self.sources.mail(self.inbox, "m6")
        del self.sources.mailbox.folder("ann", "")["m5"]
        self.assertEqual(self.names(self.sync()), "Add m6")

    def test_allGone(self) -> None:
        """If that was the only one, there are no Commands, but a new key."""
        self.sources.mail(self.inbox, "m5")
        del self.sources.mailbox.folder("ann", "")["m5"]
        self.assertEqual(self.sync(), "key Status=1")

    def test_unreadable(self) -> None:
        """A mail that is none is delivered as well as can be."""
        self.sources.mail(self.inbox, "m5", b"\xff\x00 no mail at all")
        self.assertEqual(self.names(self.sync()), "Add m5")

    def test_nothing(self) -> None:
        """Nothing to say is an empty answer from 12.1 on, and a body before."""
        for version in (Version.V12_1, Version.V14_0, Version.V14_1, Version.V16_1):
            self.assertEqual(self.sync(version=version), "")
            self.assertEqual((self.last.raw, self.last.status), (b"", 200))
        for version in (Version.V2_5, Version.V12_0):
            self.assertEqual(self.sync(version=version), "key Status=1")

    def test_leftOut(self) -> None:
        """Of several collections those with nothing to say are left out, before 12.1 they are not."""
        self.sync(folder=self.trash)
        self.sync(folder=self.trash)
        for version, count in ((Version.V14_1, 1), (Version.V12_0, 2)):
            self.sources.mail(self.inbox, f"for {version}")
            answer = self.ask(sync(self.of(), self.of(folder=self.trash)), version)
            self.assertEqual(len(self.find(answer or air("x"), "AirSync:Collection")), count)

    def test_waiting(self) -> None:
        """A request that would wait is answered at once if there is anything; the access line tells how long it was to
        wait."""
        for name, more in (("a", air("Wait", 5)), ("b", air("HeartbeatInterval", 300))):
            self.sources.mail(self.inbox, name)
            self.learn(self.ask(sync(self.of(), more=(more,))))
            self.assertEqual((self.names(""), self.last.log["Hb"]), (f"Add {name}", 300))


class OptionsTests(SyncCase):
    def setUp(self) -> None:
        super().setUp()
        self.sources.mail(self.inbox, "new", b"Subject: a\r\n\r\n0123456789")
        self.sources.mail(self.inbox, "old", b"Subject: b\r\n\r\n0123456789", age=5 * DAY)

    BODY = base("BodyPreference", base("Type", 1), base("TruncationSize", 4))

    def test_sticky(self) -> None:
        """Options hold until others come, which replace them all."""
        self.sync(air("Options", air("FilterType", 2), self.BODY))
        self.assertEqual(self.names(self.sync()), "Add new")
        self.assertEqual(self.property("AirSyncBase:Data"), ["0123"])
        self.assertEqual(self.names(self.sync(air("Options"))), "Add old")
        self.assertEqual(self.property("AirSyncBase:Data"), ["0123456789"])

    def test_filterInSameRequest(self) -> None:
        """Another FilterType takes effect in the same request."""
        self.primed(air("Options", air("FilterType", 0)))
        narrower = self.sync(air("Options", air("FilterType", 1)))
        self.assertEqual(self.names(narrower), "SoftDelete old")
        self.assertEqual(self.names(self.sync(air("Options", air("FilterType", 4)))), "Add old")

    def test_25(self) -> None:
        """Truncation cuts the text for 2.5, which has elements of its own."""
        self.sources.mail(self.inbox, "long", b"Subject: c\r\n\r\n" + b"x" * 600)
        self.sync(air("Options", air("Truncation", 1)), version=Version.V2_5)
        self.sync(version=Version.V2_5)
        self.assertEqual(self.property("Email:BodySize"), ["600"])
        self.assertEqual(self.property("Email:BodyTruncated"), ["1"])
        self.assertEqual([len(body) for body in self.property("Email:Body")], [512])

    def test_mime(self) -> None:
        """Type 4 with MIMESupport brings the message itself."""
        mime = base("BodyPreference", base("Type", 4))
        self.sync(air("Options", air("MIMESupport", 2), mime))
        self.sync()
        self.assertEqual(self.property("AirSyncBase:Data"), ["Subject: a\r\n\r\n0123456789"])

    def test_wrongPart(self) -> None:
        """A BodyPartPreference of another Type than HTML is refused with 164."""
        part = base("BodyPartPreference", base("Type", 1))
        call = call_of("Sync", sync(self.of(air("Options", part))))
        self.assertEqual(refused(self.command(call)).status, 164)

    def test_policy(self) -> None:
        """A policy narrows window and text, whatever was asked for."""
        self.rules.policy_for = lambda user: Policy({"MaxEmailAgeFilter": 1, "MaxEmailBodyTruncationSize": 3})
        self.sync(air("Options", air("FilterType", 0), self.BODY))
        self.assertEqual(self.names(self.sync()), "Add new")
        self.assertEqual(self.property("AirSyncBase:Data"), ["012"])

    def test_answerBound(self) -> None:
        """When an answer has become too large, the rest comes without its text, marked as truncated."""
        self.limits = SyncLimits(answer_bytes=1)
        self.restart()
        self.sync(air("Options", air("FilterType", 0)))
        answer = self.sync()
        self.assertEqual(self.names(answer), "Add new, Add old")
        assert self.last.element is not None
        whole, cut = self.find(self.last.element, "AirSyncBase:Body")
        self.assertEqual(whole.text_of("AirSyncBase:Data"), "0123456789")
        self.assertEqual(cut.text_of("AirSyncBase:Data", ""), "")
        self.assertEqual(cut.text_of("AirSyncBase:Truncated"), "1")
        self.assertEqual(cut.text_of("AirSyncBase:EstimatedDataSize"), "10")


class CommandTests(SyncCase):
    def setUp(self) -> None:
        super().setUp()
        for name in ("m1", "m2", "m3"):
            self.sources.mail(self.inbox, name)
        self.primed()
        self.sources.reports.changes.clear()

    def do(self, *commands: Element, version: Version = Version.V14_1, device: DeviceKey = ANN) -> str:
        """Have commands executed, without asking for changes."""
        return self.sync(air("GetChanges", 0), air("Commands", *commands), version=version, device=device)

    def test_read(self) -> None:
        """A mail is marked as read: in the ledger, at the source, and everybody hears of it; the key advances."""
        before = self.keys[ANN, self.inbox]
        self.assertEqual(self.do(change(self.named("m1"), read(1))), "key Status=1")
        self.assertNotEqual(self.keys[ANN, self.inbox], before)
        self.assertEqual(self.item("m1").state, "S")
        self.assertEqual(self.sources.mailbox.folder("ann", "")["m1"].state, "S")
        self.assertEqual(self.sources.reports.changes, [Change(self.inbox, 4)])
        self.assertEqual(result_of(self.sources.store.pending()), [])

    def test_unread(self) -> None:
        """And as unread again, in one request with the other."""
        self.do(change(self.named("m1"), read(1)), change(self.named("m1"), read(0)))
        self.assertEqual(self.item("m1").state, "")

    def test_flag(self) -> None:
        """A follow-up flag keeps its details, and comes back to other devices."""
        flag = Element("Email:Flag", Element("Email:Status", 2), Element("Email:FlagType", "for Bob"))
        self.primed(device=TABLET)
        self.do(change(self.named("m1"), flag))
        self.assertEqual(
            (self.item("m1").state, self.item("m1").extra), ("F", {"flag": {"Status": "2", "FlagType": "for Bob"}})
        )
        self.sync(device=TABLET)
        self.assertEqual(self.property("Email:FlagType"), ["for Bob"])

    def test_flagThenRead(self) -> None:
        """Two changes of one mail in one request add up."""
        flag = Element("Email:Flag", Element("Email:Status", 2), Element("Email:FlagType", "x"))
        self.do(change(self.named("m1"), flag), change(self.named("m1"), read(1)))
        self.assertEqual(self.item("m1").state, "FS")
        self.assertEqual(self.item("m1").extra["flag"]["FlagType"], "x")

    def test_ownChange(self) -> None:
        """The device's own change does not come back to it."""
        self.do(change(self.named("m1"), read(1)))
        self.assertEqual(self.sync(), "")

    def test_delete(self) -> None:
        """A deletion moves to Deleted Items, if nothing else is said."""
        self.assertEqual(self.do(delete(self.named("m1"))), "key Status=1")
        self.assertEqual(list(self.sources.mailbox.folder("ann", ".Trash")), ["m1"])
        self.assertNotIn("m1", self.sources.mailbox.folder("ann", ""))
        self.sync(folder=self.trash)
        self.assertIn("Subject=m1", self.sync(folder=self.trash))

    def test_deleteForGood(self) -> None:
        """With DeletesAsMoves 0 it is for good."""
        self.sync(air("DeletesAsMoves", 0), air("Commands", delete(self.named("m1"))))
        self.assertEqual(self.sources.mailbox.folder("ann", ".Trash"), {})
        self.assertNotIn("m1", self.sources.mailbox.folder("ann", ""))

    def test_deleteInTrash(self) -> None:
        """So it is in Deleted Items itself, and where there is no such folder."""
        self.do(delete(self.named("m1")))
        self.sync(folder=self.trash)
        self.sync(folder=self.trash)
        self.sources.look()
        self.sync(air("Commands", delete(self.named("m1"))), folder=self.trash)
        self.assertEqual(self.sources.mailbox.folder("ann", ".Trash"), {})
        self.sources.make(found=FOLDERS[:1])
        self.do(delete(self.named("m2")))
        self.assertEqual(list(self.sources.mailbox.folder("ann", "")), ["m3"])

    def test_addMail(self) -> None:
        """A mail cannot be added: Status 6 for the ClientId, with the Class if it was sent."""
        self.assertEqual(self.do(add("c1")), "key Status=1 Responses(Add(ClientId=c1 Status=6))")
        sms = air("Add", air("Class", "SMS"), air("ClientId", "c2"), air("ApplicationData"))
        self.assertEqual(self.do(sms), "key Status=1 Responses(Add(Class=SMS ClientId=c2 Status=6))")

    def test_fetch(self) -> None:
        """A Fetch brings the whole mail, whatever Options say of its length, and a new key."""
        self.sources.mail(self.inbox, "m4", b"Subject: long\r\n\r\n0123456789")
        self.sync(air("Options", OptionsTests.BODY))
        before = self.keys[ANN, self.inbox]
        answer = self.do(fetch(self.named("m4")))
        self.assertTrue(answer.startswith("key Status=1 Responses(Fetch(ServerId=m4 Status=1 ApplicationData("), answer)
        self.assertEqual(self.property("AirSyncBase:Data"), ["0123456789"])
        self.assertNotEqual(self.keys[ANN, self.inbox], before)

    def test_fetchNothing(self) -> None:
        """A Fetch of what is not there, never was, or is gone from the disk: Status 8."""
        del self.sources.mailbox.folder("ann", "")["m1"]
        other = self.named("m2").replace(str(self.inbox), str(self.trash), 1)
        for wrong in (self.named("m1"), f"{self.inbox}:99", other, "2", "x"):
            answer = self.do(fetch(wrong))
            self.assertRegex(answer, r"^key Status=1 Responses\(Fetch\(ServerId=\w+ Status=8\)\)$")

    def test_unknown(self) -> None:
        """Change and Delete of an unknown item, or of one in another folder: Status 8."""
        self.sources.mail(self.trash, "t1", path=".Trash")
        there = self.named("t1")
        here = there.replace(str(self.trash), str(self.inbox), 1)
        for wrong in (f"{self.inbox}:99", there, here, "x", "2"):
            answer = self.do(change(wrong, read(1)), delete(wrong))
            self.assertRegex(answer, r"^key Status=1 Responses\(Change\(\S+ Status=8\) Delete\(\S+ Status=8\)\)$")
        self.assertEqual(self.item("t1").state, "")
        self.assertEqual(self.sources.reports.changes, [])

    def test_ofOthers(self) -> None:
        """The items of another user are unknown too, under whatever name."""
        theirs = self.sources.make("bob")[""]
        self.sources.mail(theirs, "b1", user="bob")
        id = self.sources.named("b1")
        for name in (f"{theirs}:{id}", f"{self.inbox}:{id}"):
            for command in (change(name, read(1)), delete(name), fetch(name)):
                self.assertIn("Status=8", self.do(command))
        self.assertEqual(self.sources.items(id, user="bob")[0].state, "")

    def test_conversionError(self) -> None:
        """A Change that cannot be kept, or that has no ApplicationData: Status 6, and nothing changes."""
        bad = air("Change", air("ServerId", self.named("m1")))
        self.assertEqual(
            self.do(change(self.named("m1"), read(7)), bad),
            "key Status=1 Responses(Change(ServerId=m1 Status=6) Change(ServerId=m1 Status=6))",
        )
        self.assertEqual(self.item("m1").number, 1)

    def test_instance(self) -> None:
        """To delete one instance of a mail does not delete the mail: Status 6."""
        instance = air("Delete", air("ServerId", self.named("m1")), base("InstanceId", "20240101T000000Z"))
        self.assertIn("Delete(ServerId=m1 Status=6)", self.do(instance))
        self.item("m1")

    def test_order(self) -> None:
        """Responses: Change, Add, Delete, Fetch, whatever the order of the commands; those done are not named."""
        answer = self.do(
            fetch("x"), delete("x"), add("c1"), change("x", read(1)), change(self.named("m1"), read(1)), add("c2")
        )
        self.assertEqual(
            answer,
            "key Status=1 Responses(Change(ServerId=x Status=8) Add(ClientId=c1 Status=6) Add(ClientId=c2 Status=6)"
            " Delete(ServerId=x Status=8) Fetch(ServerId=x Status=8))",
        )

    def test_changesToo(self) -> None:
        """With GetChanges the changes of others come in the same answer, Commands before Responses."""
        self.sources.mail(self.inbox, "m2", state="S")
        answer = self.sync(air("Commands", delete("x")))
        self.assertEqual(
            answer,
            "key Status=1 Commands(Change(ServerId=m2 ApplicationData(Read=1))) Responses(Delete(ServerId=x Status=8))",
        )

    def conflicted(self, conflict: int) -> str:
        """Two devices change the same flag; the answer to the second."""
        self.primed(air("Options", air("Conflict", conflict)), device=TABLET)
        self.do(change(self.named("m1"), read(1)))
        self.sources.mail(self.inbox, "m1", state="")
        return self.sync(air("Commands", change(self.named("m1"), read(1))), device=TABLET)

    def test_serverWins(self) -> None:
        """Conflict 1: Status 7, and the server's version follows in the same answer."""
        self.assertEqual(
            self.conflicted(1),
            "key Status=1 Commands(Change(ServerId=m1 ApplicationData(Read=0)))"
            " Responses(Change(ServerId=m1 Status=7))",
        )
        self.assertEqual(self.item("m1").state, "")

    def test_clientWins(self) -> None:
        """Conflict 0: the client's change is made."""
        self.assertNotIn("Responses", self.conflicted(0))
        self.assertEqual(self.item("m1").state, "S")

    def test_supported(self) -> None:
        """Supported and ConversationMode are accepted for mail."""
        supported = air("Supported", Element("Email:Subject"))
        self.assertEqual(self.sync(supported, air("ConversationMode", 1), key="0"), "key Status=1")


class EmptyTests(SyncCase):
    """Requests without a body, or with a part of one."""

    def setUp(self) -> None:
        super().setUp()
        self.sources.mail(self.inbox, "m1")
        self.primed(version=Version.V14_1)

    def empty(self, version: Version = Version.V14_1) -> str:
        return self.short(self.ask(None, version))

    def partial(self, *collections: Element) -> str:
        return self.short(self.ask(sync(*collections, more=(air("Partial"), air("WindowSize", 9)))))

    def test_repeated(self) -> None:
        """After an empty answer an empty request repeats the one before, as often as it is sent."""
        self.assertEqual([self.empty(), self.empty()], ["", ""])
        self.sources.mail(self.inbox, "m2")
        self.assertEqual(self.names(self.empty()), "Add m2")

    def test_afterNews(self) -> None:
        """After an answer that said something: Status 13, for only the client knows whether it came."""
        self.sources.mail(self.inbox, "m2")
        self.empty()
        self.assertEqual(self.empty(), "Sync(Status=13)")
        self.assertEqual(self.sync(), "")
        self.assertEqual(self.empty(), "")

    def test_lostAnswer(self) -> None:
        """So an answer that was lost is not taken for received."""
        before = self.keys[ANN, self.inbox]
        self.sources.mail(self.inbox, "m2")
        self.empty()
        self.assertEqual(self.empty(), "Sync(Status=13)")
        self.assertEqual(self.names(self.sync(key=before)), "Add m2")

    def test_neverAsked(self) -> None:
        """Status 13 for a device that has asked for nothing yet."""
        self.assertEqual(text(self.ask(None, device=TABLET)), "Sync(Status=13)")

    def test_afterCommands(self) -> None:
        """Commands are never executed again by an empty request."""
        self.sync(air("Commands", change(self.named("m1"), read(1))))
        self.assertEqual(self.empty(), "Sync(Status=13)")

    def test_afterBadKey(self) -> None:
        """After Status 3 and 12 the client begins anew: Status 13."""
        self.sync(key="{0}9")
        self.assertEqual(self.empty(), "Sync(Status=13)")
        self.sync()
        self.ask(sync(collection(id="999")))
        self.assertEqual(self.empty(), "Sync(Status=13)")

    def test_afterRestart(self) -> None:
        """The gateway forgets the requests when it is restarted: Status 13."""
        self.restart()
        self.assertEqual(self.empty(), "Sync(Status=13)")

    def test_before121(self) -> None:
        """Before 12.1 there is no empty Sync, and no body of another kind in any version: 101."""
        for version in (Version.V2_5, Version.V12_0):
            self.assertEqual(refused(self.command(call_of("Sync", None, version))).status, 101)
        self.assertEqual(refused(self.command(call_of("Sync", None, raw=b"Subject: x"))).status, 101)

    def test_partial(self) -> None:
        """A partial request goes on with the collections that it does not name."""
        self.assertEqual(self.partial(), "")
        self.sources.mail(self.inbox, "m2")
        named = self.of(folder=self.trash, key="0")
        answer = self.ask(sync(named, more=(air("Partial"), air("WindowSize", 9))))
        ids = [found.text for found in self.find(answer or air("x"), "AirSync:CollectionId")]
        self.assertEqual(ids, [str(self.inbox), str(self.trash)])

    def test_partialNothing(self) -> None:
        """A partial request that says nothing else: Status 4."""
        self.assertEqual(text(self.ask(sync(more=(air("Partial"),)))), "Sync(Status=4)")


class LeavingTests(SyncCase):
    """Clients that leave before their answer, and back ends that fail."""

    def setUp(self) -> None:
        super().setUp()
        self.sources.mail(self.inbox, "m1")
        self.primed()
        self.sources.reports.changes.clear()

    def slowly(self) -> list[tuple[Deferred[None], object]]:
        """Have the store work only when the test says so."""
        waiting: list = []
        database = self.sources.store.database

        def run(work, *args, **kwargs):  # type: ignore[no-untyped-def]
            gate: Deferred[None] = Deferred(lambda _: None)
            waiting.append(gate)
            return gate.addCallback(lambda _: work(*args, **kwargs))

        self.patch(database, "run", run)
        return waiting

    def drain(self, waiting: list) -> None:
        while waiting:
            waiting.pop(0).callback(None)

    def test_changeIsReported(self) -> None:
        """A client that leaves while its change is being written: everybody else hears of it, and the file is changed."""
        body = sync(self.of(air("Commands", change(self.named("m1"), read(1)))))
        waiting = self.slowly()
        asked = Deferred.fromCoroutine(self.command(call_of("Sync", body)))
        waiting.pop(0).callback(None)  # the folders
        waiting.pop(0).callback(None)  # the items
        self.assertEqual(len(waiting), 1)
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.drain(waiting)
        self.assertEqual(self.sources.reports.changes, [Change(self.inbox, 2)])
        self.assertEqual(self.sources.mailbox.folder("ann", "")["m1"].state, "S")
        self.assertEqual(len(self.command.turns), 0)

    def test_oneAfterAnother(self) -> None:
        """Two requests of one device for one folder are served one after another; the second repeats the first."""
        body = sync(self.of(air("Commands", delete(self.named("m1")))))
        waiting = self.slowly()
        asked = [Deferred.fromCoroutine(self.command(call_of("Sync", body))) for _ in range(2)]
        self.drain(waiting)
        first, second = (text(self.successResultOf(each).element) for each in asked)
        self.assertEqual(first, second)
        self.assertIn("Status=1", first)
        self.assertEqual(len(self.command.turns), 0)

    def test_line(self) -> None:
        """So many requests of a device may wait for each other, also when it has left; one more has to come later, and
        is not done."""
        body = sync(self.of(air("Commands", change(self.named("m1"), read(1)))))
        longest = self.command.turns.longest
        waiting = self.slowly()
        asked = [Deferred.fromCoroutine(self.command(call_of("Sync", body))) for _ in range(longest + 2)]
        for _ in asked:
            waiting.pop(0).callback(None)  # the folders
        self.assertGreaterEqual(self.failureResultOf(asked.pop(), Unavailable).value.retry_after, 1)
        for each in asked[1:]:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        late = Deferred.fromCoroutine(self.command(call_of("Sync", body)))
        waiting.pop().callback(None)
        self.failureResultOf(late, Unavailable)
        self.drain(waiting)
        self.assertIn("Status=1", text(self.successResultOf(asked[0]).element))
        self.assertEqual((len(self.command.turns), len(self.command.changes)), (0, 0))

    def test_sourceDown(self) -> None:
        """A change that the source cannot make now is done as far as the device goes, and stays to be done."""
        self.sources.mailbox.failure = BackendDown("no disk")
        self.assertEqual(self.sync(air("Commands", change(self.named("m1"), read(1)))), "key Status=1")
        self.assertEqual(len(result_of(self.sources.store.pending())), 1)
        self.assertEqual(self.sources.reports.changes, [Change(self.inbox, 2)])
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 1)

    def test_readDown(self) -> None:
        """When mails cannot be read: Status 16 and the old key, with which all of it comes later."""
        self.sources.mail(self.inbox, "m2")
        self.sources.mailbox.failure = BackendDown("no disk")
        self.assertEqual(self.sync(), "key Status=16")
        self.sources.mailbox.failure = None
        self.assertEqual(self.names(self.sync()), "Add m2")

    def test_broken(self) -> None:
        """A failure of our own in one collection: Status 5 there, the old key, and a line in the log."""
        self.sources.mail(self.inbox, "m2")
        self.sync(folder=self.trash)
        self.sources.mail(self.trash, "t1", path=".Trash")
        self.sources.mailbox.failure = ZeroDivisionError()
        answer = self.ask(sync(self.of(), self.of(folder=self.trash)))
        statuses = [found.text for found in self.find(answer or air("x"), "AirSync:Status")]
        self.assertEqual(statuses, ["5", "5"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.sources.mailbox.failure = None
        self.assertEqual(self.names(self.sync()), "Add m2")

    def test_ledgerDown(self) -> None:
        """When the ledger does not answer: Status 16 for the whole."""

        def run(work, *args, **kwargs):  # type: ignore[no-untyped-def]
            raise BackendDown("no database")

        self.patch(self.sources.store.database, "run", lambda *a, **k: execute(run, *a, **k))
        self.assertEqual(text(self.ask(sync(self.of()))), "Sync(Status=16)")


class LogTests(SyncCase):
    def test_first(self) -> None:
        """The access line of a first request: class, folder, filter, kind, key, and nothing either way."""
        self.ask(sync(self.of(air("Options", air("FilterType", 3)))))
        self.assertEqual(
            self.last.log,
            {
                "Ty": "Em",
                "Fid": str(self.inbox),
                "Filt": "3",
                "St": "F",
                "Sk": "0",
                "Cli:": "0A0C0D0F0E",
                "Svr:": "0A0C0D0S",
            },
        )

    def test_counts(self) -> None:
        """Then what came and went: adds, changes, deletes, fetches and errors; the counter of the key, not the key."""
        for name in ("m1", "m2", "m3"):
            self.sources.mail(self.inbox, name)
        self.primed()
        counter = self.keys[ANN, self.inbox].rpartition("}")[2]
        self.sources.mail(self.inbox, "m4")
        self.sources.gone(self.inbox, "m2")
        self.sync(air("Commands", change(self.named("m1"), read(1)), delete("x"), fetch(self.named("m3")), add("c")))
        log = self.last.log
        self.assertEqual((log["St"], log["Sk"]), ("S", counter))
        self.assertEqual((log["Cli:"], log["Svr:"]), ("1A1C1D1F2E", "1A0C1D0S"))

    def test_several(self) -> None:
        """Of several collections there is one value after another, and their number."""
        self.ask(sync(self.of(), self.of(folder=self.trash)))
        self.assertEqual((self.last.log["Fc"], self.last.log["Fid"]), (2, f"{self.inbox},{self.trash}"))
        self.assertEqual(self.last.log["St"], "F,F")

    def test_errors(self) -> None:
        """A Status other than 1 is told; a key that was refused makes the kind I."""
        self.ask(sync(self.of(key="9"), self.of(folder=self.trash)))
        self.assertEqual((self.last.log["St"], self.last.log["Err"]), ("I,F", "3,"))

    def test_bounded(self) -> None:
        """Of very many collections the first are named."""
        self.ask(sync(self.of(), *(collection(id=str(id)) for id in range(1000, 1200))))
        self.assertEqual(str(self.last.log["Fid"]).count(","), 9)

    def test_now(self) -> None:
        """Time is that of the clock that was given."""
        self.assertEqual(self.sources.now, NOW)
