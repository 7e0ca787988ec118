"""Ping over HTTP in memory: every row of its tables, one test each."""

from __future__ import annotations

import gc

from twisted.internet.defer import Deferred, TimeoutError, fail
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from gateway.core.berths import BerthLimits
from gateway.core.heartbeat import HeartbeatLimits
from gateway.core.policy import Policy
from gateway.eas.call import Answer, Call
from gateway.eas.dispatch import Arrival
from gateway.eas.giving import giving
from gateway.eas.parked import RETRY_FIRST, ParkingLimits
from gateway.element import Element
from gateway.interfaces import BackendDown
from gateway.model import Change, DeviceKey, FolderType, Found, FoundFolder, Mode, SyncOptions, SyncRequest
from tests.support import FOLDERS, Phone, World, folders_of, status_of

VERSIONS = ("2.5", "12.0", "12.1", "14.0", "14.1", "16.0", "16.1")


class PingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World()
        self.inbox, self.sent = (self.world.mailbox()[path] for path in ("", ".Sent"))
        self.phone = Phone(self.world)
        self.phone.synchronise(self.inbox, self.sent)

    def tearDown(self) -> None:
        """When the connections are gone nothing waits any more."""
        self.phone.connection.lose()
        self.assertEqual(self.world.board.claims(), [])
        self.assertEqual(self.world.board.parked, 0)

    def parked(self, *folders: int, interval: int = 60) -> None:
        """Have the phone park."""
        self.assertEqual(self.phone.ping(interval, *(folders or (self.inbox,))), [])
        self.assertEqual(self.world.board.parked, 1)

    def later(self, seconds: float) -> list:
        """Let time pass in small steps; the answers that came."""
        self.world.clock.pump([0.25] * int(seconds / 0.25))
        return self.phone.connection.answers()


class ParametersTests(PingCase):
    """The cache per (user, device)."""

    def cached(self) -> tuple:
        device = self.world.result(self.world.partnerships.device(self.phone.key))
        return (device.heartbeat, device.folders)

    def test_bothElements(self) -> None:
        """Interval and folders from the body hold, and both are remembered."""
        self.parked(self.inbox, self.sent, interval=480)
        self.assertEqual(self.cached(), (480, ((self.inbox, "Email"), (self.sent, "Email"))))

    def test_intervalOnly(self) -> None:
        """An interval alone goes with the remembered folders; only the interval is replaced."""
        self.parked(self.inbox)
        self.later(61)
        self.assertEqual(self.phone.ping(120), [])
        self.assertEqual(self.cached(), (120, ((self.inbox, "Email"),)))

    def test_foldersOnly(self) -> None:
        """Folders alone go with the remembered interval, and replace the list as a whole."""
        self.parked(self.inbox, interval=90)
        self.later(91)
        self.assertEqual(self.phone.ping(None, self.sent), [])
        self.assertEqual(self.cached(), (90, ((self.sent, "Email"),)))

    def test_emptyBody(self) -> None:
        """An empty body repeats the last accepted Ping, also after a restart."""
        self.parked(self.inbox)
        self.later(61)
        self.world.partnerships._known.clear()
        self.assertEqual(self.phone.post("Ping"), [])
        self.assertEqual(status_of(self.later(61)), "1")

    def test_emptyBodyUnknown(self) -> None:
        """An empty body of a device that never pinged is Status 3."""
        self.assertEqual(status_of(self.phone.post("Ping")), "3")

    def test_intervalWithoutFolders(self) -> None:
        """An interval without folders in body and memory is Status 3."""
        self.assertEqual(status_of(self.phone.ping(480)), "3")

    def test_foldersWithoutInterval(self) -> None:
        """Folders without an interval in body and memory are Status 3."""
        self.assertEqual(status_of(self.phone.ping(None, self.inbox)), "3")

    def test_emptyFolders(self) -> None:
        """An empty Folders element counts as absent; if nothing remains it is Status 3."""
        self.parked(self.inbox)
        self.later(61)
        body = Element("Ping:Ping", Element("Ping:HeartbeatInterval", 70), Element("Ping:Folders"))
        self.assertEqual(self.phone.post("Ping", body), [])
        self.assertEqual(status_of(self.later(71)), "1")
        self.assertEqual(status_of(self.phone.post("Ping", Element("Ping:Ping", Element("Ping:Folders")))), "3")

    def test_rejectedIsNotRemembered(self) -> None:
        """What is answered with Status 4, 5, 6 or 7 changes nothing of what is remembered."""
        self.parked(self.inbox)
        self.later(61)
        before = self.cached()
        self.world.parking.limits = ParkingLimits(max_folders=2)
        for status, answers in {
            "4": self.phone.ping(480, self.inbox, self.inbox),
            "5": self.phone.ping(10, self.sent),
            "6": self.phone.ping(480, 1001, 1002, 1003),
            "7": self.phone.ping(480, 1001),
        }.items():
            self.assertEqual(status_of(answers), status)
        self.assertEqual(self.cached(), before)

    def test_missingIsNotRemembered(self) -> None:
        """What is answered with Status 3 is not remembered, so that two halves never make a whole."""
        self.assertEqual(status_of(self.phone.ping(480)), "3")
        self.assertEqual(status_of(self.phone.ping(None, self.inbox)), "3")
        self.assertEqual(self.cached(), (None, None))

    def test_acceptedWithNews(self) -> None:
        """A Ping answered at once with Status 2 is remembered."""
        self.world.found(self.inbox, "1.a")
        self.assertEqual(status_of(self.phone.ping(480, self.inbox)), "2")
        self.assertEqual(self.cached(), (480, ((self.inbox, "Email"),)))

    def test_perUser(self) -> None:
        """Two accounts on one device do not share parameters, and do not replace each other."""
        self.world.mailbox("bob")
        self.parked(self.inbox)
        other = Phone(self.world, user="bob", password="geheim")
        self.assertEqual(status_of(other.post("Ping")), "3")
        self.assertEqual(self.phone.connection.answers(), [])


class StatusTests(PingCase):
    """The statuses and their elements."""

    def test_expiry(self) -> None:
        """Nothing changed: Status 1 at the interval, not before, within a second after it."""
        self.parked(self.inbox, interval=60)
        self.assertEqual(self.later(59.75), [])
        (answer,) = self.later(1.25)
        self.assertEqual(answer.body, bytes.fromhex("03016A00000D45470331000101"))
        self.assertEqual(answer.headers["content-type"], "application/vnd.ms-sync.wbxml")
        self.assertEqual(answer.headers["content-length"], "13")
        self.assertNotIn("content-encoding", answer.headers)

    def test_change(self) -> None:
        """A change while parked: Status 2 with the folder, at once."""
        self.parked(self.inbox, self.sent)
        self.world.found(self.inbox, "1.a")
        answers = self.phone.connection.answers()
        self.assertEqual((status_of(answers), folders_of(answers)), ("2", [str(self.inbox)]))
        self.assertEqual(len(self.world.latencies), 1)

    def test_changeBefore(self) -> None:
        """A change between the Sync and the Ping: Status 2 at once, with every changed folder."""
        self.world.found(self.inbox, "1.a")
        self.world.found(self.sent, "2.a")
        answers = self.phone.ping(480, self.sent, self.inbox)
        self.assertEqual((status_of(answers), folders_of(answers)), ("2", [str(self.sent), str(self.inbox)]))

    def test_bytesOfStatus2(self) -> None:
        """Status 2 is byte for byte Status, then Folders with the ids as text."""
        self.world.found(self.inbox, "1.a")
        (answer,) = self.phone.ping(480, self.inbox)
        folder = str(self.inbox).encode().hex()
        self.assertEqual(answer.body.hex(), "03016a00000d4547033200014" + f"94a03{folder}00010101")

    def test_everyVersion(self) -> None:
        """Every protocol version parks and is told."""
        for number, version in enumerate(VERSIONS):
            phone = Phone(self.world, version=version, device=f"v{number}")
            phone.synchronise(self.inbox)
            self.assertEqual(phone.ping(480, self.inbox), [])
            self.world.found(self.inbox, f"{number}.v")
            self.assertEqual(status_of(phone.connection.answers()), "2")

    def test_syntax(self) -> None:
        """Status 4: unknown or misplaced elements, duplicates, long ids, bad numbers, a wrong root, bad WBXML."""

        def folder(*parts: Element) -> Element:
            return Element("Ping:Folder", *parts)

        name, word = Element("Ping:Id", self.inbox), Element("Ping:Class", "Email")
        interval = Element("Ping:HeartbeatInterval", 480)
        wrong: list[Element | bytes] = [
            Element("AirSync:Sync"),
            Element("Ping:Ping", interval, interval, Element("Ping:Folders", folder(name, word))),
            Element("Ping:Ping", interval, Element("Ping:Status", 1)),
            Element("Ping:Ping", Element("Ping:HeartbeatInterval")),
            Element("Ping:Ping", Element("Ping:HeartbeatInterval", "abc")),
            Element("Ping:Ping", Element("Ping:HeartbeatInterval", "1e3")),
            Element("Ping:Ping", Element("Ping:HeartbeatInterval", "9" * 40)),
            Element("Ping:Ping", interval, Element("Ping:Folders", folder(word))),
            Element("Ping:Ping", interval, Element("Ping:Folders", folder(Element("Ping:Id"), word))),
            Element("Ping:Ping", interval, Element("Ping:Folders", folder(Element("Ping:Id", "x" * 65), word))),
            Element("Ping:Ping", interval, Element("Ping:Folders", folder(name, Element("Ping:Class", "Mail")))),
            Element("Ping:Ping", interval, Element("Ping:Folders", folder(name, name))),
            Element("Ping:Ping", interval, Element("Ping:Folders", name)),
            Element("Ping:Ping", interval, Element("Ping:Folders", folder(name, word), folder(name, word))),
            Element("Ping:Ping", "text"),
            b"<Ping/>",
            bytes.fromhex("03016a00000d45480334"),
            bytes.fromhex("03016a00000d457f0331000101"),
            bytes.fromhex("03016a00454e0331000101"),
            bytes.fromhex("03016a00000dc50101"),
        ]
        for version in VERSIONS:
            phone = Phone(self.world, version=version)
            for body in wrong:
                self.assertEqual(status_of(phone.post("Ping", body)), "4", (version, body))

    def test_negativeAndZero(self) -> None:
        """Zero and negative intervals are too short: Status 5 with the minimum."""
        for interval in (0, -5, 59):
            answers = self.phone.ping(interval, self.inbox)
            self.assertEqual(status_of(answers), "5")
            self.assertEqual(answers[0].element.text_of("Ping:HeartbeatInterval"), "60")

    def test_tooLong(self) -> None:
        """An interval above the maximum, however large: Status 5 with the maximum."""
        for interval in (2701, 4294967295, 99999999999999999999):
            answers = self.phone.ping(interval, self.inbox)
            self.assertEqual(status_of(answers), "5")
            self.assertEqual(answers[0].body.hex(), "03016a00000d454703350001480332373030000101")

    def test_limitsThemselves(self) -> None:
        """An interval equal to a limit parks."""
        for interval in (60, 2700):
            self.assertEqual(Phone(self.world, device=f"d{interval}").ping(interval, 1)[0].status, 200)
            self.assertEqual(self.phone.ping(interval, self.inbox), [])
            self.later(interval + 1)

    def test_tooManyFolders(self) -> None:
        """More folders than allowed: Status 6 with MaxFolders, before anything else is looked at."""
        self.world.parking.limits = ParkingLimits(max_folders=300)
        answers = self.phone.ping(10, *range(1, 302))
        self.assertEqual(status_of(answers), "6")
        self.assertEqual(answers[0].body.hex(), "03016a00000d4547033600014d03333030000101")

    def test_tooManyRememberedFolders(self) -> None:
        """More remembered folders than allowed by now are Status 6 too; a Ping with fewer parks."""
        self.parked(self.inbox, self.sent)
        self.later(61)
        self.world.parking.limits = ParkingLimits(max_folders=1)
        for answers in (self.phone.post("Ping"), self.phone.ping(60)):
            self.assertEqual(status_of(answers), "6")
            self.assertEqual(answers[0].element.text_of("Ping:MaxFolders"), "1")
        self.parked(self.inbox)

    def test_order(self) -> None:
        """Checks come in order: syntax, folder count, missing parameters, interval, then the hierarchy."""
        self.world.parking.limits = ParkingLimits(max_folders=1)
        fresh = Phone(self.world, device="fresh")
        self.assertEqual(status_of(fresh.ping(1, 1, 1)), "4")
        self.assertEqual(status_of(fresh.ping(1, 1, 2)), "6")
        self.assertEqual(status_of(fresh.ping(1)), "3")
        self.assertEqual(status_of(fresh.ping(1, 1)), "5")
        self.assertEqual(status_of(fresh.ping(60, 1)), "7")

    def test_contentType(self) -> None:
        """A body that is no WBXML by its Content-Type: Status 101 from 14.0 on, HTTP 400 before."""
        answers = self.phone.post("Ping", b"hello", {"Content-Type": "text/plain"})
        self.assertEqual(status_of(answers), "101")
        old = Phone(self.world, version="12.1")
        self.assertEqual(old.post("Ping", b"hello", {"Content-Type": "text/plain"})[0].status, 400)

    def test_classIsOptionalAndNotHeldAgainstAnybody(self) -> None:
        """A Class that is absent or contradicts the folder changes nothing."""
        body = Element(
            "Ping:Ping",
            Element("Ping:Folders", Element("Ping:Folder", Element("Ping:Id", self.inbox))),
            Element("Ping:HeartbeatInterval", 60),
        )
        self.assertEqual(self.phone.post("Ping", body), [])
        self.later(61)
        self.assertEqual(self.phone.ping(60, self.inbox, word="Calendar"), [])
        self.world.found(self.inbox, "1.a")
        self.assertEqual(status_of(self.phone.connection.answers()), "2")

    def test_acceptedForms(self) -> None:
        """Legal forms that few clients send (redundant pages, string tables, opaque text) are read."""
        inbox = str(self.inbox)
        self.assertEqual(len(inbox), 1, "the bytes below name a folder with a one-digit id")
        digit = inbox.encode().hex()
        for number, form in enumerate(
            (
                f"03016a00000d4548033630000100 0d494a4b03{digit}00014c03456d61696c0001010101",
                f"03016a06456d61696c00000d45480336300001494a4b03{digit}00014c830001010101",
                f"02016a00000d45494a4c03456d61696c00014bc301{digit}0101014803363000 0101",
            )
        ):
            phone = Phone(self.world, device=f"f{number}")
            phone.synchronise(self.inbox)
            self.assertEqual(phone.post("Ping", bytes.fromhex(form.replace(" ", ""))), [])
            phone.connection.lose()


class ChangeTests(PingCase):
    """What counts as a change."""

    def test_flagsAndRemovals(self) -> None:
        """Every change that a Sync would bring wakes: a new mail, a flag, a removal."""
        self.world.found(self.inbox, "1.a")
        self.phone.synchronise(self.inbox)
        for state, gone in (("S", ()), ("", ("1.a",))):
            self.parked(self.inbox)
            self.world.found(self.inbox, *([] if gone else ["1.a"]), state=state, gone=gone)
            self.assertEqual(status_of(self.phone.connection.answers()), "2")
            self.phone.synchronise(self.inbox)

    def test_addsOnly(self) -> None:
        """With the switch for adds only, flags and removals do not wake; a new mail does."""
        self.world.parking.limits = ParkingLimits(adds_only=True)
        self.world.found(self.inbox, "1.a")
        self.phone.synchronise(self.inbox)
        self.parked(self.inbox)
        self.world.found(self.inbox, "1.a", state="S")
        self.assertEqual(self.phone.connection.answers(), [])
        self.world.found(self.inbox, "2.a")
        self.assertEqual(status_of(self.phone.connection.answers()), "2")

    def test_removalOfWhatItNeverHad(self) -> None:
        """A mail that came and went while the device was parked elsewhere wakes it for the coming only."""
        self.world.found(self.inbox, "1.a")
        self.world.found(self.inbox, gone=["1.a"])
        self.parked(self.inbox)

    def test_syncedMeanwhile(self) -> None:
        """What another request's Sync brought does not end the parked Ping; the next change does."""
        self.parked(self.inbox)
        for change in self.world.result(self.world.store.record({self.inbox: ([], [])})):
            self.fail(f"nothing changed, but {change}")
        # The Sync of the same device is given the mail before the switchboard hears of it.
        changes = self.world.result(self.world.store.record({self.inbox: ([Found("1.a", "", 1)], [])}))
        self.phone.synchronise(self.inbox)
        for change in changes:
            self.world.board.changed(change)
        self.assertEqual(self.phone.connection.answers(), [])
        self.assertEqual(self.world.board.parked, 1)
        self.world.found(self.inbox, "2.a")
        self.assertEqual(status_of(self.phone.connection.answers()), "2")

    def test_togetherInOneAnswer(self) -> None:
        """What changed together is told in one answer."""
        self.parked(self.inbox, self.sent)
        found = {folder: ([Found("1.a", "", self.world.now())], []) for folder in (self.inbox, self.sent)}
        self.world.board.changed(*self.world.result(self.world.store.record(found)))
        self.assertEqual(folders_of(self.phone.connection.answers()), [str(self.inbox), str(self.sent)])

    def test_newMailNeedsNoLook(self) -> None:
        """A mail just received is news to whoever was parked: it is told without asking the ledger."""
        self.parked(self.inbox)
        self.world.parking.ledger = None
        self.world.found(self.inbox, "1.a")
        self.assertEqual(status_of(self.phone.connection.answers()), "2")

    def test_oldMailOutsideTheWindow(self) -> None:
        """A mail older than the device's window, put into a watched folder, wakes nobody."""
        request = SyncRequest(
            self.phone.keys[self.inbox], b"w", self.world.now(), options=SyncOptions(filter=1), get_changes=True
        )
        done = self.world.result(self.world.store.sync(self.phone.key, self.inbox, request))
        self.world.store.given(self.phone.key, self.inbox, done.key)
        self.parked(self.inbox)
        old = Found("1.old", "", self.world.now() - 10 * 86400)
        self.world.board.changed(*self.world.result(self.world.store.record({self.inbox: ([old], [])})))
        self.assertEqual(self.phone.connection.answers(), [])

    def test_fallsOutOfTheWindow(self) -> None:
        """A mail that grows older than the device's window while it is parked wakes nobody, nor does its next Ping."""
        self.world.found(self.inbox, "1.a")
        asked = SyncOptions(filter=1)
        for count in range(3):
            key = self.phone.keys[self.inbox] if count else "0"
            request = SyncRequest(key, b"%d" % count, self.world.now(), options=asked, get_changes=count > 0)
            done = self.world.result(self.world.store.sync(self.phone.key, self.inbox, request))
            self.phone.keys[self.inbox] = done.key
            self.world.store.given(self.phone.key, self.inbox, done.key)
        self.parked(self.inbox, interval=2700)
        for _ in range(50):
            self.world.clock.advance(2700)
            self.assertEqual(status_of(self.later(1)), "1")
            self.world.parking.levels.forget(self.phone.key)
            self.parked(self.inbox, interval=2700)

    def test_moreAvailable(self) -> None:
        """What the last Sync left for the next one, for it did not fit into the window, is news: Status 2 at once."""
        self.world.found(self.inbox, "1.a", "2.a", "3.a")
        request = SyncRequest(self.phone.keys[self.inbox], b"w", self.world.now(), window=1, get_changes=True)
        done = self.world.result(self.world.store.sync(self.phone.key, self.inbox, request))
        self.world.store.given(self.phone.key, self.inbox, done.key)
        self.assertTrue(done.more)
        answers = self.phone.ping(60, self.inbox)
        self.assertEqual((status_of(answers), folders_of(answers)), ("2", [str(self.inbox)]))

    def test_newestKeyUnconfirmed(self) -> None:
        """What was given with a key that the device has not used yet is no news: the newest key counts."""
        self.world.found(self.inbox, "1.a")
        request = SyncRequest(self.phone.keys[self.inbox], b"w", self.world.now(), get_changes=True)
        done = self.world.result(self.world.store.sync(self.phone.key, self.inbox, request))
        self.assertEqual(len(done.batch), 1)
        self.world.store.given(self.phone.key, self.inbox, done.key)
        self.parked(self.inbox)

    def test_folderNotWatched(self) -> None:
        """A change in a folder that the Ping does not name wakes nobody."""
        self.parked(self.inbox)
        self.world.found(self.sent, "1.a")
        self.assertEqual(self.phone.connection.answers(), [])

    def test_neverSynchronised(self) -> None:
        """A known folder that was never synchronised is reported changed, so that the device synchronises it."""
        trash = self.world.mailbox()[".Trash"]
        answers = self.phone.ping(60, self.inbox, trash)
        self.assertEqual((status_of(answers), folders_of(answers)), ("2", [str(trash)]))

    def test_unknownFolder(self) -> None:
        """An id that is no folder of the user is Status 7, also among known ones and when it is no number."""
        for folder in (1001, "abc", "05", f"0{self.inbox}"):
            self.assertEqual(status_of(self.phone.ping(60, self.inbox, folder)), "7")

    def test_folderOfAnotherUser(self) -> None:
        """Another user's folder is an unknown one."""
        foreign = self.world.mailbox("bob")[""]
        self.assertEqual(status_of(self.phone.ping(60, foreign)), "7")

    def test_neverFolderSynced(self) -> None:
        """A device that never did a FolderSync is sent to do one."""
        fresh = Phone(self.world, device="fresh")
        self.assertEqual(status_of(fresh.ping(60, self.inbox)), "7")

    def test_lostSyncAnswer(self) -> None:
        """A change whose Sync answer was never written to the device is announced by its next Ping."""
        self.world.found(self.inbox, "1.a")
        request = SyncRequest(self.phone.keys[self.inbox], b"x", self.world.now())
        outcome = self.world.result(self.world.store.sync(self.phone.key, self.inbox, request))
        self.assertEqual(len(outcome.batch), 1)
        self.world.parking.levels.forget(self.phone.key)
        self.assertEqual(status_of(self.phone.ping(60, self.inbox)), "2")

    def test_grace(self) -> None:
        """A configured grace collects changes into one answer, and never goes beyond the interval."""
        self.world.parking.limits = ParkingLimits(grace=2.0)
        self.parked(self.inbox, self.sent)
        self.world.found(self.inbox, "1.a")
        self.assertEqual(self.later(0.5), [])
        self.world.found(self.sent, "2.a")
        self.assertEqual(folders_of(self.later(3)), [str(self.inbox), str(self.sent)])

    def test_loop(self) -> None:
        """A device that pings again without a Sync is held back after a few answers, longer each time."""
        self.world.found(self.inbox, "1.a")
        for _ in range(3):
            self.assertEqual(status_of(self.phone.ping(60, self.inbox)), "2")
        waited = []
        for _ in range(3):
            self.assertEqual(self.phone.ping(60, self.inbox), [])
            began = self.world.clock.seconds()
            answers: list = []
            while not answers:
                answers = self.later(0.25)
            self.assertEqual(status_of(answers), "2")
            waited.append(round(self.world.clock.seconds() - began))
        self.assertEqual(waited, sorted(waited))
        self.assertGreaterEqual(waited[-1], 4)
        self.phone.synchronise(self.inbox)
        self.parked(self.inbox)

    def test_sameAgainNeedsNoLedger(self) -> None:
        """The same Ping again with nothing new parks without a look at the ledger."""
        self.parked(self.inbox)
        self.later(61)
        self.world.parking.ledger = None
        self.parked(self.inbox)

    def test_afterASyncNoLookIsNeeded(self) -> None:
        """A Sync that left nothing behind is as good as a look: the next Ping parks without one."""
        self.parked(self.inbox)
        self.world.commands["Sync"] = Syncing(self.world, self.inbox, self.phone.keys[self.inbox])
        other = self.phone.reconnect()
        self.world.found(self.inbox, "1.a")
        self.assertEqual(status_of(other.answers()), "2")
        self.assertEqual(self.phone.post("Sync")[0].status, 200)
        self.world.parking.ledger = None
        self.parked(self.inbox)
        other.lose()

    def test_ledgerDown(self) -> None:
        """While the ledger does not answer the Ping stays parked; when it is back, the change is told."""
        down = Down(self.world)
        self.world.found(self.inbox, "1.a")
        self.phone.synchronise(self.inbox)
        self.parked(self.inbox)
        down.begin()
        self.world.found(self.inbox, "1.a", state="S")
        self.assertEqual(self.phone.connection.answers(), [])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        down.end()
        self.assertEqual(status_of(self.later(RETRY_FIRST + 1)), "2")

    def test_ledgerThatLostSomething(self) -> None:
        """A Version that was heard of but is not in the ledger makes a Ping look again once a second, not all the time."""
        self.parked(self.inbox)
        looks = Counted(self.world)
        self.world.board.changed(Change(self.inbox, 99))
        self.assertEqual(self.later(30), [])
        self.assertLess(looks.count, 40)
        self.assertEqual(status_of(self.later(32)), "1")

    def test_ledgerDownToTheEnd(self) -> None:
        """If nothing could be watched until the interval is over, the answer is Status 8."""
        down = Down(self.world)
        down.begin()
        self.assertEqual(self.phone.ping(60, self.inbox), [])
        self.assertEqual(self.later(59), [])
        self.assertEqual(status_of(self.later(2)), "8")
        self.assertGreater(len(self.flushLoggedErrors(OSError)), 3)


class Syncing:
    """A Sync command that gives the device what there is."""

    def __init__(self, world: World, folder: int, key: str) -> None:
        self.world, self.folder, self.key = world, folder, key

    async def __call__(self, call: Call) -> Answer:
        """Sync once; the answer says how far that went."""
        return await giving(self.world.parking.levels, call.device, self.sync(call))

    async def sync(self, call: Call) -> Answer:
        request = SyncRequest(self.key, b"s", self.world.now())
        done = await self.world.store.sync(call.device, self.folder, request)
        self.world.store.given(call.device, self.folder, done.key)
        return Answer(levels={self.folder: done.level})


class Counted:
    """The ledger, counting how often it is asked by a Ping."""

    def __init__(self, world: World) -> None:
        self.ledger, self.count = world.parking.ledger, 0
        world.parking.ledger = self

    def look(self, *args: object) -> Deferred:
        """Count and ask."""
        self.count += 1
        return self.ledger.look(*args)


class Down:
    """A ledger that does not answer for a while."""

    def __init__(self, world: World) -> None:
        self.parking = world.parking
        self.ledger = world.parking.ledger

    def begin(self) -> None:
        """From now on a look fails."""
        self.parking.ledger = self

    def end(self) -> None:
        """The ledger answers again."""
        self.parking.ledger = self.ledger

    def look(self, *args: object) -> Deferred:
        """Fail."""
        return fail(OSError("disk on fire"))


class Slow:
    """A ledger whose looks take as long as a test wants."""

    def __init__(self, world: World) -> None:
        self.ledger, self.waiting = world.parking.ledger, Deferred()
        world.parking.ledger = self

    def look(self, *args: object) -> Deferred:
        """Look now, and answer later."""
        looked = self.ledger.look(*args)
        return self.waiting.addCallback(lambda _: looked)


class Full:
    """A store of partnerships on a full disk: what is there can be read."""

    def __init__(self, world: World) -> None:
        self.device, self.devices = world.store.device, world.store.devices

    def keep(self, *args: object) -> Deferred:
        """Fail."""
        return fail(BackendDown("database or disk is full"))

    keep_all = keep


class TroubleTests(PingCase):
    """What is slow, full or in between."""

    def test_lookHangs(self) -> None:
        """A look that does not come back keeps no Ping beyond its interval: it ends with Status 8."""
        Slow(self.world)
        self.assertEqual(self.phone.ping(60, self.inbox), [])
        self.assertEqual(self.later(59.75), [])
        self.assertEqual(status_of(self.later(1.25)), "8")
        self.assertEqual(len(self.flushLoggedErrors(TimeoutError)), 1)

    def test_lookHangsAfterAChange(self) -> None:
        """The same when the look is for a change that was heard of while parked."""
        self.world.found(self.inbox, "1.a")
        self.phone.synchronise(self.inbox)
        self.parked(self.inbox)
        Slow(self.world)
        self.world.found(self.inbox, "1.a", state="S")
        self.assertEqual(self.later(59.75), [])
        self.assertEqual(status_of(self.later(1.25)), "8")
        self.assertEqual(len(self.flushLoggedErrors(TimeoutError)), 1)

    def test_limitsChangedWhileLooking(self) -> None:
        """What a look found by other rules than those in force now does not spare the next Ping its look."""
        self.world.parking.limits = ParkingLimits(adds_only=True)
        self.world.found(self.inbox, "1.a")
        self.phone.synchronise(self.inbox)
        self.world.found(self.inbox, "1.a", state="S")
        slow = Slow(self.world)
        self.assertEqual(self.phone.ping(60, self.inbox), [])
        self.world.parking.limits, self.world.parking.ledger = ParkingLimits(), slow.ledger
        self.world.parking.levels.forget_all()
        slow.waiting.callback(None)
        self.assertEqual(status_of(self.later(61)), "1")
        self.assertEqual(status_of(self.phone.ping(60, self.inbox)), "2")

    def test_diskFull(self) -> None:
        """Parameters that cannot be written now hold all the same, and are written later: the Ping parks."""
        self.assertEqual(status_of(self.phone.ping(60)), "3")
        self.world.partnerships.store = Full(self.world)
        self.parked(self.inbox)
        self.later(61)
        self.assertEqual(self.phone.post("Ping"), [])
        flushed = Deferred.fromCoroutine(self.world.partnerships.flush())
        self.failureResultOf(flushed, BackendDown)
        self.world.partnerships.store = self.world.store
        self.world.result(Deferred.fromCoroutine(self.world.partnerships.flush()))
        stored = self.world.result(self.world.store.device(self.phone.key))
        self.assertEqual((stored.heartbeat, stored.folders), (60, ((self.inbox, "Email"),)))

    def test_forgotten(self) -> None:
        """A device that was forgotten has to begin anew, although nothing is new in its folders."""
        self.parked(self.inbox)
        self.later(61)
        self.world.result(self.world.partnerships.forget(self.phone.key))
        self.assertEqual(status_of(self.phone.ping(60, self.inbox)), "7")


class HierarchyTests(PingCase):
    """Folder hierarchy, policy and wipe."""

    def add_folder(self) -> None:
        """Another program makes a folder."""
        found = [*FOLDERS, FoundFolder(".New", "New", FolderType.USER_MAIL)]
        for change in self.world.result(self.world.store.record_hierarchy("ann", found))[1]:
            self.world.board.changed(change)

    def test_folderAddedWhileParked(self) -> None:
        """A folder made elsewhere ends the parked Ping with Status 7."""
        self.parked(self.inbox)
        self.add_folder()
        self.assertEqual(status_of(self.phone.connection.answers()), "7")

    def test_folderAddedBefore(self) -> None:
        """A folder made since the last FolderSync is Status 7 at once; after a FolderSync the Ping parks."""
        self.add_folder()
        self.assertEqual(status_of(self.phone.ping(60, self.inbox)), "7")
        self.phone.synchronise()
        self.parked(self.inbox)

    def test_folderRemovedWhileParked(self) -> None:
        """A folder removed elsewhere ends the parked Ping with Status 7."""
        self.parked(self.inbox, self.sent)
        for change in self.world.result(self.world.store.record_hierarchy("ann", FOLDERS[:1]))[1]:
            self.world.board.changed(change)
        self.assertEqual(status_of(self.phone.connection.answers()), "7")

    def test_folderRenamedOrMovedWhileParked(self) -> None:
        """A folder that gets another name or another parent ends the parked Ping with Status 7."""
        for folder in (
            FoundFolder(".New", "New", FolderType.USER_MAIL),
            FoundFolder(".Sent.New", "New", FolderType.USER_MAIL, ".Sent"),
        ):
            self.phone.synchronise()
            self.parked(self.inbox)
            for change in self.world.result(self.world.store.record_hierarchy("ann", [*FOLDERS, folder]))[1]:
                self.world.board.changed(change)
            self.assertEqual(status_of(self.phone.connection.answers()), "7")

    def test_hierarchyComesFirst(self) -> None:
        """If hierarchy and items changed together, Status 7 comes first, and Status 2 with the next Ping."""
        self.world.found(self.inbox, "1.a")
        self.add_folder()
        self.assertEqual(status_of(self.phone.ping(60, self.inbox)), "7")
        outcome = self.world.result(self.world.store.sync_folders(self.phone.key, self.phone.hierarchy_key))
        self.world.store.given(self.phone.key, 0, outcome.key)
        self.assertEqual(status_of(self.phone.ping(60, self.inbox)), "2")

    def test_otherUsersHierarchy(self) -> None:
        """Another user's folders wake nobody else."""
        self.parked(self.inbox)
        self.world.mailbox("bob")
        self.assertEqual(self.phone.connection.answers(), [])

    def test_wipeWhileParked(self) -> None:
        """A wipe, or a new policy, ends the parked Ping with Status 7; FolderSync then meets it."""
        for why in ("wipe", "policy", "mode"):
            self.parked(self.inbox)
            self.world.board.recall(lambda key: key == DeviceKey("ann", "phone1"), why)
            self.assertEqual(status_of(self.phone.connection.answers()), "7")

    def test_mustProvisionFirst(self) -> None:
        """A device that has to provision, or to be wiped, is not parked: Status 7."""
        self.world.stands["ann"] = False
        self.assertEqual(status_of(self.phone.ping(60, self.inbox)), "7")

    def test_accountGone(self) -> None:
        """A user who is disabled while parked gets Status 8; the next request meets 401."""
        self.parked(self.inbox)
        self.world.board.recall(lambda key: key.user == "ann", "account")
        self.assertEqual(status_of(self.phone.connection.answers()), "8")

    def test_shutdown(self) -> None:
        """A stop of the gateway ends the parked Ping with Status 1, which is harmless."""
        self.parked(self.inbox)
        self.world.board.recall(lambda key: True, "shutdown")
        self.assertEqual(status_of(self.phone.connection.answers()), "1")

    def test_policyKeyIsNotAsked(self) -> None:
        """Ping carries no policy key, and none is asked for: the gate is not even tried."""
        self.parked(self.inbox)


class SupersedingTests(PingCase):
    """What replaces a parked Ping, and what does not."""

    def test_secondPing(self) -> None:
        """A second Ping of the same device completes the older with Status 1 at once, and parks itself."""
        self.parked(self.inbox)
        older = self.phone.reconnect()
        self.assertEqual(self.phone.ping(120, self.inbox), [])
        self.assertEqual(status_of(older.answers()), "1")
        self.world.found(self.inbox, "1.a")
        self.assertEqual(status_of(self.phone.connection.answers()), "2")

    def test_otherDevice(self) -> None:
        """Another device of the same user parks beside it."""
        self.parked(self.inbox)
        tablet = Phone(self.world, device="tablet")
        tablet.synchronise(self.inbox)
        self.assertEqual(tablet.ping(60, self.inbox), [])
        self.assertEqual(self.phone.connection.answers(), [])
        self.world.found(self.inbox, "1.a")
        self.assertEqual(status_of(tablet.connection.answers()), "2")
        self.assertEqual(status_of(self.phone.connection.answers()), "2")

    def test_deviceIdCase(self) -> None:
        """DeviceIds are compared without regard to case."""
        self.parked(self.inbox)
        older = self.phone.reconnect()
        self.phone.device = "PHONE1"
        self.phone.ping(60, self.inbox)
        self.assertEqual(status_of(older.answers()), "1")
        self.phone.device = "phone1"

    def test_duel(self) -> None:
        """Two live connections that replace each other: the newer gets 503 with Retry-After, the older stays."""
        others = []
        self.parked(self.inbox)
        for _ in range(3):
            others.append(self.phone.reconnect())
            self.assertEqual(self.phone.ping(60, self.inbox), [])
        survivor = self.phone.reconnect()
        (refused,) = self.phone.ping(60, self.inbox)
        self.assertEqual(refused.status, 503)
        self.assertGreater(int(refused.headers["retry-after"]), 0)
        self.assertEqual(survivor.answers(), [])
        for connection in (*others, survivor):
            connection.lose()

    def test_clientLeaves(self) -> None:
        """A client that breaks the connection frees its slot at once; nothing is written."""
        self.parked(self.inbox)
        left = self.phone.reconnect()
        left.lose()
        self.assertEqual(self.world.board.parked, 0)
        self.assertEqual(left.answers(), [])
        self.world.found(self.inbox, "1.a")
        self.assertEqual(status_of(self.phone.ping(60, self.inbox)), "2")

    def test_malformedReplacesNothing(self) -> None:
        """A Ping that is no Ping leaves the parked one alone."""
        self.parked(self.inbox)
        older = self.phone.reconnect()
        self.assertEqual(status_of(self.phone.post("Ping", b"<Ping/>")), "4")
        self.assertEqual(older.answers(), [])
        older.lose()


class ModeTests(PingCase):
    """A user whose mode is off."""

    def test_parkedQuietly(self) -> None:
        """With mode off no change ends the Ping, which expires with Status 1 and does not count as a Watch."""
        self.world.policy.replace(Policy(Mode.OFF))
        self.world.found(self.inbox, "1.a")
        self.parked(self.inbox)
        self.world.found(self.inbox, "2.a")
        self.assertFalse(self.world.board.watched(self.phone.key))
        self.assertEqual(self.later(59.75), [])
        self.assertEqual(status_of(self.later(1.25)), "1")

    def test_checkedAllTheSame(self) -> None:
        """With mode off a Ping is checked like any other."""
        self.world.policy.replace(Policy(Mode.OFF))
        self.assertEqual(status_of(self.phone.ping(1, self.inbox)), "5")
        self.assertEqual(status_of(self.phone.ping(60, 1001)), "7")

    def test_onAgain(self) -> None:
        """What came while nothing was told is told at once as soon as it may be."""
        self.world.policy.replace(Policy(Mode.OFF))
        self.world.found(self.inbox, "1.a")
        self.parked(self.inbox)
        self.world.policy.replace(Policy())
        self.world.board.recall(lambda key: True, "mode")
        self.assertEqual(status_of(self.phone.connection.answers()), "7")
        self.assertEqual(status_of(self.phone.ping(60, self.inbox)), "2")

    def test_onlyThatUser(self) -> None:
        """Another user's Ping is told of changes."""
        self.world.policy.replace(Policy(users={"bob": Mode.OFF}))
        self.parked(self.inbox)
        self.world.found(self.inbox, "1.a")
        self.assertEqual(status_of(self.phone.connection.answers()), "2")


class BoundTests(PingCase):
    """Parked requests are bounded, and heartbeats are watched."""

    def test_perUser(self) -> None:
        """More parked requests of a user than allowed: 503 with Retry-After."""
        self.world.parking.berths.limits = BerthLimits(per_user=1)
        self.parked(self.inbox)
        tablet = Phone(self.world, device="tablet")
        tablet.synchronise(self.inbox)
        (answer,) = tablet.ping(60, self.inbox)
        self.assertEqual((answer.status, answer.headers["retry-after"]), (503, "60"))
        older = self.phone.reconnect()
        self.assertEqual(self.phone.ping(60, self.inbox), [], "the device's own newer Ping has room")
        older.lose()

    def test_alarm(self) -> None:
        """Event 3033 is logged once when the last heartbeats were short on average."""
        events: list = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        self.world.window.resize(3, 540)
        for _ in range(5):
            self.parked(self.inbox)
            self.later(61)
        alarms = [event for event in events if event.get("event_id") == 3033]
        self.assertEqual([(event["count"], event["average"]) for event in alarms], [(3, 60.0)])

    def test_ownLimits(self) -> None:
        """Configured limits replace the defaults."""
        self.world.parking.limits = ParkingLimits(HeartbeatLimits(1, 3540))
        self.assertEqual(self.phone.ping(1, self.inbox), [])
        self.assertEqual(status_of(self.later(2.25)), "1")

    def test_nothingIsLeftOfTheCall(self) -> None:
        """What is parked holds neither the request nor its body."""
        # From here on the collector knows only what the test makes.
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        self.parked(self.inbox)
        gc.collect()
        there = gc.get_objects()
        self.assertFalse([thing for thing in there if isinstance(thing, Arrival)])
        self.assertFalse([thing for thing in there if isinstance(thing, Element) and thing.tag == "Ping:Id"])
