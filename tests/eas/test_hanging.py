"""The hanging Sync over HTTP in memory: every row of its tables, one test each."""

from __future__ import annotations

import gc
from collections.abc import Iterable

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from gateway.admin.operations import Operations
from gateway.core.berths import BerthLimits
from gateway.core.heartbeat import HeartbeatLimits
from gateway.core.policy import Policy
from gateway.core.switchboard import Claim, Ended
from gateway.eas.call import Answer, Call
from gateway.eas.dispatch import Arrival
from gateway.eas.parked import RETRY_FIRST, ParkingLimits
from gateway.eas.policydoc import Policy as DevicePolicy
from gateway.eas.syncbody import Asked, SyncLimits
from gateway.element import Element
from gateway.interfaces import BackendDown
from gateway.model import Change, DeviceKey, FolderType, FoundFolder, Mode
from gateway.store import Store
from tests.eas.interop import Client, Gateway, air, change, collection, part, sync_of
from tests.eas.support import text
from tests.support import FOLDERS, Connection, HTTPAnswer, status_of

SINCE_12_1 = ("12.1", "14.0", "14.1", "16.0", "16.1")
MINUTE = 60
BOTH = HeartbeatLimits(60, 3540)


class Between:
    """What Syncs ask of the ledger: counted, held up while there are C{gates}, refused while it is C{down}."""

    def __init__(self, store: Store) -> None:
        self.store, self.gates, self.down, self.asked = store, None, False, 0

    def folders(self, user: str) -> Deferred:
        """The first thing that is asked."""
        if self.down:
            return fail(BackendDown("no database"))
        if self.gates is None:
            return self.store.folders(user)
        self.gates.append(Deferred())
        return self.gates[-1].addCallback(lambda _: self.store.folders(user))

    def sync(self, *args: object) -> Deferred:
        """Execute it."""
        self.asked += 1
        return self.store.sync(*args)

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)


class HangingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = Gateway()
        self.endings: list[tuple[str, str]] = []
        self.world.board.ended = self.over
        self.sync = self.world.commands["Sync"]
        self.inbox, self.sent, self.trash = (self.world.mailbox()[path] for path in ("", ".Sent", ".Trash"))
        self.connections: list[Connection] = []
        self.phone = self.client()

    def tearDown(self) -> None:
        """When the connections are gone nothing waits any more, and no place is taken."""
        for connection in {*self.connections, self.phone.connection}:
            connection.lose()
        self.assertEqual((self.world.board.claims(), self.world.board.parked), ([], 0))
        self.assertEqual(self.world.parking.berths._total, 0)
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def over(self, claim: Claim, ended: Ended) -> None:
        self.endings.append((claim.command, ended.ending.value))

    def client(self, version: str = "14.1", device: str = "phone1") -> Client:
        """A phone that has everything there is."""
        phone = Client(self.world, version=version, device=device)
        phone.synchronise(self.inbox, self.sent)
        self.connections.append(phone.connection)
        return phone

    def body(self, *folders: int, wait: Element | None = None, more: Iterable[Element] = ()) -> Element:
        """A hanging Sync of one minute."""
        keys = self.phone.keys
        found = [collection(keys[folder], folder, *more) for folder in folders or (self.inbox,)]
        return sync_of(*found, more=[wait or air("Wait", 1)])

    def hang(self, *folders: int, wait: Element | None = None, more: Iterable[Element] = ()) -> list[HTTPAnswer]:
        return self.phone.post("Sync", self.body(*folders, wait=wait, more=more))

    def parked(self, *folders: int, wait: Element | None = None, more: Iterable[Element] = ()) -> None:
        """Have the phone park."""
        self.assertEqual(self.hang(*folders, wait=wait, more=more), [])
        self.assertEqual(self.world.board.parked, 1)

    def later(self, seconds: float) -> list[HTTPAnswer]:
        """Let time pass in small steps; the answers that came."""
        self.world.clock.pump([0.25] * int(seconds / 0.25))
        return self.answers()

    def answers(self) -> list[HTTPAnswer]:
        return self.phone.connection.answers()

    def reconnect(self) -> Connection:
        older = self.phone.reconnect()
        self.connections.append(older)
        return older

    def item(self, name: str) -> int:
        """The id of a mail."""
        items = self.world.result(self.world.store.items("ann", range(1, 99)))
        return next(item.id for item in items if item.name == name)

    def empty(self, answers: list[HTTPAnswer]) -> None:
        """It is an empty answer."""
        (answer,) = answers
        self.assertEqual((answer.status, answer.body, answer.headers["content-length"]), (200, b"", "0"))
        self.assertNotIn("content-type", answer.headers)

    def status(self, answers: list[HTTPAnswer]) -> str:
        """The Status of the whole answer."""
        (answer,) = answers
        self.assertEqual(answer.status, 200)
        return answer.element.text_of("AirSync:Status") or ""

    def items(self, answers: list[HTTPAnswer]) -> list[str]:
        """The Subjects of the mails that an answer brings; the key is learnt."""
        (answer,) = answers
        subjects = []
        for found in answer.element.child("AirSync:Collections") or ():
            self.phone.keys[int(found.text_of("AirSync:CollectionId") or 0)] = found.text_of("AirSync:SyncKey") or ""
            for command in found.child("AirSync:Commands") or ():
                data = command.child("AirSync:ApplicationData") or Element("none")
                subjects.append(data.text_of("Email:Subject") or command.name)
        return subjects


class WaitTests(HangingCase):
    """How long it waits, and for what."""

    def test_minutes(self) -> None:
        """Wait: nothing came, an empty answer with HTTP 200 after so many minutes, not before, within a second."""
        self.parked(wait=air("Wait", 2))
        self.assertEqual(self.later(2 * MINUTE - 0.25), [])
        self.empty(self.later(1.25))

    def test_seconds(self) -> None:
        """HeartbeatInterval: the same in seconds."""
        self.parked(wait=air("HeartbeatInterval", 61))
        self.assertEqual(self.later(60.75), [])
        self.empty(self.later(1.25))

    def test_everyVersion(self) -> None:
        """From 12.1 on every version waits, and is answered with the item itself as soon as it is there."""
        for number, version in enumerate(SINCE_12_1):
            self.phone.connection.lose()
            self.phone = self.client(version, f"v{number}")
            self.parked()
            before = self.phone.keys[self.inbox]
            self.world.arrive(self.inbox, f"mail {number}")
            self.assertEqual(self.items(self.answers()), [f"mail {number}"])
            self.assertNotEqual(self.phone.keys[self.inbox], before)

    def test_before(self) -> None:
        """Before 12.1 nothing waits: Wait and HeartbeatInterval are passed over."""
        for version in ("2.5", "12.0"):
            phone = self.client(version, f"old{version[0]}")
            body = sync_of(collection(phone.keys[self.inbox], self.inbox), more=[air("Wait", 1)])
            (answer,) = phone.post("Sync", body)
            self.assertEqual(part(answer.element).text_of("AirSync:Status"), "1")

    def test_heartbeatBefore14(self) -> None:
        """12.1 knows no HeartbeatInterval: it is answered at once."""
        self.phone.version = "12.1"
        self.empty(self.hang(wait=air("HeartbeatInterval", 60)))

    def test_already(self) -> None:
        """What is there already is answered at once."""
        self.world.arrive(self.inbox, "there")
        self.assertEqual(self.items(self.hang()), ["there"])
        self.assertEqual(self.endings, [])

    def test_firstKey(self) -> None:
        """Key 0 is answered at once with another."""
        body = sync_of(collection("0", self.trash), more=[air("Wait", 1)])
        self.assertIn("SyncKey={", text(self.phone.post("Sync", body)[0].element))

    def test_commands(self) -> None:
        """What the client changes is answered at once: only so it knows that it went well."""
        self.world.arrive(self.inbox, "m")
        self.phone.synchronise(self.inbox)
        self.world.arrive(self.sent, "other")
        item = self.item("m")
        read = air("Commands", change(f"{self.inbox}:{item}", Element("Email:Read", "1")))
        (answer,) = self.hang(more=[read])
        self.assertEqual(part(answer.element).text_of("AirSync:Status"), "1")

    def test_window(self) -> None:
        """What does not go into the WindowSize is told as MoreAvailable, and is there at once with the next key."""
        self.parked(more=[air("WindowSize", 1)])
        self.world.clock.advance(1)
        for name in ("one", "two"):
            self.world.mails.put("ann", "", name, b"Subject: %b\r\n\r\n" % name.encode())
        self.world.found(self.inbox, "one", "two")
        (answer,) = self.answers()
        self.assertIsNotNone(part(answer.element).child("AirSync:MoreAvailable"))
        first = self.items([answer])
        self.assertEqual(sorted([*first, *self.items(self.hang())]), ["one", "two"])

    def test_others(self) -> None:
        """Of several folders only those with something to say are in the answer."""
        self.parked(self.inbox, self.sent)
        self.world.arrive(self.sent, "sent", path=".Sent")
        answers = self.answers()
        self.assertEqual(part(answers[0].element).text_of("AirSync:CollectionId"), str(self.sent))
        self.assertEqual(self.items(answers), ["sent"])

    def test_notNamed(self) -> None:
        """A folder that is not in the request wakes nobody."""
        self.parked(self.inbox)
        self.world.arrive(self.sent, "sent", path=".Sent")
        self.assertEqual(self.answers(), [])

    def test_noChangesWanted(self) -> None:
        """A folder with GetChanges 0 wakes nobody."""
        self.parked(more=[air("GetChanges", 0)])
        self.world.arrive(self.inbox, "unwanted")
        self.assertEqual(self.later(59), [])
        self.empty(self.later(2))

    def test_flags(self) -> None:
        """Every change that a Sync would bring ends the waiting: another read mark, a removal."""
        self.world.arrive(self.inbox, "m")
        for step in ({"state": "S"}, {"gone": ["m"]}):
            self.phone.synchronise(self.inbox)
            self.parked()
            self.world.found(self.inbox, *([] if "gone" in step else ["m"]), **step)
            self.assertEqual(self.items(self.answers()), ["Change"] if "state" in step else ["Delete"])

    def test_addsOnly(self) -> None:
        """With the switch for adds only, a flag does not; it comes with the next new mail."""
        self.world.parking.limits = ParkingLimits(adds_only=True)
        self.world.arrive(self.inbox, "m")
        self.phone.synchronise(self.inbox)
        self.parked()
        self.world.found(self.inbox, "m", state="S")
        self.assertEqual(self.answers(), [])
        self.world.arrive(self.inbox, "new")
        self.assertEqual(self.items(self.answers()), ["Change", "new"])

    def test_grace(self) -> None:
        """A configured grace collects what comes together."""
        self.world.parking.limits = ParkingLimits(grace=2.0)
        self.parked(self.inbox, self.sent)
        self.world.arrive(self.inbox, "one")
        self.assertEqual(self.later(0.5), [])
        self.world.arrive(self.sent, "two", path=".Sent")
        self.assertEqual(self.items(self.later(2)), ["one", "two"])

    def test_syncedMeanwhile(self) -> None:
        """What the device was given in another way before the switchboard heard of it does not end the waiting."""
        self.parked()
        self.world.mails.put("ann", "", "m", b"Subject: m\r\n\r\n")
        changes = self.world.result(self.world.store.record({self.inbox: ([], [])}))
        self.world.board.changed(*changes, Change(self.inbox, 1))
        self.assertEqual((self.answers(), self.world.board.parked), ([], 1))

    def test_noLook(self) -> None:
        """A device that was looked at once needs no look any more: not after items, nor when its time was over."""
        self.parked()
        self.world.parking.ledger = None
        for name in ("one", "two"):
            self.world.arrive(self.inbox, name)
            self.assertEqual(self.items(self.answers()), [name])
            self.parked()
        self.empty(self.later(MINUTE + 1))
        self.assertEqual(self.phone.post("Sync"), [])
        self.assertEqual(self.world.board.parked, 1)

    def test_latency(self) -> None:
        """The time from the Change to the answer is counted, also of those that waited for the grace."""
        self.parked()
        self.world.arrive(self.inbox, "m")
        self.assertEqual(self.world.latencies, [0.0])


class StatusTests(HangingCase):
    """The statuses of a request that would wait."""

    def limited(self, minimum: int, maximum: int) -> None:
        self.sync.limits = SyncLimits(heartbeat=HeartbeatLimits(minimum, maximum))

    def refused(self, wait: Element) -> str:
        (answer,) = self.hang(wait=wait)
        return text(answer.element)

    def test_limit(self) -> None:
        """Status 14 with the nearest Limit, of the bounds of the heartbeat in the unit that was asked in."""
        self.limited(120, 2700)
        for wait, limit in (
            (air("Wait", 1), 2),
            (air("Wait", 46), 45),
            (air("HeartbeatInterval", 119), 120),
            (air("HeartbeatInterval", 2701), 2700),
        ):
            self.assertEqual(self.refused(wait), f"Sync(Status=14 Limit={limit})")
        for wait in (air("Wait", 2), air("Wait", 45), air("HeartbeatInterval", 120), air("HeartbeatInterval", 2700)):
            self.parked(wait=wait)
            self.reconnect().lose()

    def test_odd(self) -> None:
        """Bounds that hold no whole minutes leave one value for Wait all the same."""
        for bounds, minutes in (((90, 100), 2), ((1, 50), 1)):
            self.limited(*bounds)
            self.assertEqual(self.refused(air("Wait", minutes + 1)), f"Sync(Status=14 Limit={minutes})")
            self.parked(wait=air("Wait", minutes))
            self.reconnect().lose()

    def test_both(self) -> None:
        """Wait together with HeartbeatInterval: Status 4."""
        body = sync_of(
            collection(self.phone.keys[self.inbox], self.inbox), more=[air("Wait", 1), air("HeartbeatInterval", 60)]
        )
        self.assertEqual(self.status(self.phone.post("Sync", body)), "4")

    def test_tooMany(self) -> None:
        """More collections than are allowed: Status 15 with Limit."""
        self.sync.limits = SyncLimits(collections=1)
        (answer,) = self.hang(self.inbox, self.sent)
        self.assertEqual(text(answer.element), "Sync(Status=15 Limit=1)")

    def test_unknownFolder(self) -> None:
        """A folder that is not there: Status 12, at once."""
        body = sync_of(collection("{0}1", 999), more=[air("Wait", 1)])
        self.assertEqual(self.status(self.phone.post("Sync", body)), "12")

    def test_badKey(self) -> None:
        """A key that is none: Status 3 in the collection, at once."""
        self.phone.keys[self.inbox] = "{0}99"
        (answer,) = self.hang()
        self.assertEqual(part(answer.element).text_of("AirSync:Status"), "3")

    def test_nothingKept(self) -> None:
        """An empty or partial request of which nothing is kept: Status 13."""
        self.assertEqual(self.status(self.phone.post("Sync")), "13")
        body = air("Sync", air("HeartbeatInterval", 600), air("Partial"))
        self.assertEqual(self.status(self.phone.post("Sync", body)), "13")


class RepeatedTests(HangingCase):
    """Requests that are empty or partial."""

    def test_empty(self) -> None:
        """After an empty answer an empty request waits as the last one did, as often as it is sent."""
        self.parked(wait=air("Wait", 2))
        self.empty(self.later(2 * MINUTE + 1))
        for _ in range(2):
            self.assertEqual(self.phone.post("Sync"), [])
            self.assertEqual(self.later(2 * MINUTE - 0.25), [])
            self.empty(self.later(1.25))
        self.assertEqual(self.phone.post("Sync"), [])
        self.world.arrive(self.inbox, "new")
        self.assertEqual(self.items(self.answers()), ["new"])

    def test_afterItems(self) -> None:
        """After items only the client knows whether they came: Status 13."""
        self.parked()
        self.world.arrive(self.inbox, "new")
        self.assertEqual(self.items(self.answers()), ["new"])
        self.assertEqual(self.status(self.phone.post("Sync")), "13")

    def test_partial(self) -> None:
        """A partial request waits for the folders of the last one, for as long as it says itself."""
        self.parked(self.inbox, self.sent)
        self.empty(self.later(MINUTE + 1))
        body = air("Sync", air("HeartbeatInterval", 600), air("Partial"))
        self.assertEqual(self.phone.post("Sync", body), [])
        self.assertEqual(self.later(599), [])
        self.world.arrive(self.sent, "sent", path=".Sent")
        self.assertEqual(self.items(self.answers()), ["sent"])

    def test_partialFolder(self) -> None:
        """One that names a folder goes on with the others as they were."""
        self.parked(self.inbox, self.sent)
        self.empty(self.later(MINUTE + 1))
        named = collection(self.phone.keys[self.sent], self.sent, air("GetChanges", 0))
        self.assertEqual(self.phone.post("Sync", sync_of(named, more=[air("Wait", 1), air("Partial")])), [])
        self.world.arrive(self.sent, "sent", path=".Sent")
        self.assertEqual(self.answers(), [])
        self.world.arrive(self.inbox, "new")
        self.assertEqual(self.items(self.answers()), ["new"])

    def test_otherLimits(self) -> None:
        """If it is not to wait so long any more, the client is asked for the whole: Status 13, and then 14."""
        self.parked(wait=air("Wait", 30))
        self.empty(self.later(30 * MINUTE + 1))
        self.sync.limits = SyncLimits(heartbeat=HeartbeatLimits(60, 600))
        self.assertEqual(self.status(self.phone.post("Sync")), "13")
        self.assertEqual(self.status(self.hang(wait=air("Wait", 30))), "14")

    def test_forgotten(self) -> None:
        """What is kept of requests may be lost while one is parked: it is answered all the same."""
        self.parked()
        self.sync.requests.drop(self.phone.key)
        self.world.arrive(self.inbox, "new")
        self.assertEqual(self.items(self.answers()), ["new"])


class SupersedingTests(HangingCase):
    """At most one request of a device is parked."""

    def test_hanging(self) -> None:
        """A newer one of the same device replaces it: an empty answer, at once."""
        self.parked()
        older = self.reconnect()
        self.parked()
        self.empty(older.answers())
        self.assertEqual(self.endings, [("Sync", "replaced")])
        self.world.arrive(self.inbox, "new")
        self.assertEqual(self.items(self.answers()), ["new"])

    def test_ping(self) -> None:
        """So does a Ping."""
        self.parked()
        older = self.reconnect()
        self.assertEqual(self.phone.ping(60, self.inbox), [])
        self.empty(older.answers())
        self.assertEqual(self.world.board.parked, 1)

    def test_replacesPing(self) -> None:
        """And it replaces a Ping, which is answered Status 1."""
        self.assertEqual(self.phone.ping(60, self.inbox), [])
        older = self.reconnect()
        self.parked()
        self.assertEqual(status_of(older.answers()), "1")

    def test_plain(self) -> None:
        """A Sync that does not wait ends it, for it goes on from other keys; that is no cut connection."""
        self.parked()
        older = self.reconnect()
        self.assertIsNone(self.phone.sync(self.inbox))
        self.empty(older.answers())
        self.assertEqual(self.endings, [("Sync", "recalled")])

    def test_pingStays(self) -> None:
        """A Sync that does not wait leaves a Ping alone."""
        self.assertEqual(self.phone.ping(60, self.inbox), [])
        older = self.reconnect()
        self.assertIsNone(self.phone.sync(self.inbox))
        self.assertEqual((older.answers(), self.world.board.parked), ([], 1))

    def test_otherDevice(self) -> None:
        """Another device of the user parks beside it; both are told."""
        self.parked()
        first = self.reconnect()
        tablet = self.client(device="tablet")
        body = sync_of(collection(tablet.keys[self.inbox], self.inbox), more=[air("Wait", 1)])
        self.assertEqual(tablet.post("Sync", body), [])
        self.world.arrive(self.inbox, "new")
        self.assertEqual(self.items(first.answers()), ["new"])
        self.assertEqual(self.items(tablet.connection.answers()), ["new"])

    def test_malformed(self) -> None:
        """What is refused replaces nothing."""
        self.parked()
        older = self.reconnect()
        self.assertEqual(self.status(self.hang(wait=air("Wait", 60))), "14")
        self.assertEqual(self.status(self.phone.post("Sync", air("Sync"))), "4")
        self.assertEqual(older.answers(), [])

    def test_duel(self) -> None:
        """Two live connections that replace each other: the newer gets 503 with Retry-After, the older stays."""
        self.parked()
        for _ in range(3):
            self.reconnect()
            self.parked()
        survivor = self.reconnect()
        (refused,) = self.hang()
        self.assertEqual(refused.status, 503)
        self.assertGreater(int(refused.headers["retry-after"]), 0)
        self.assertEqual(survivor.answers(), [])

    def test_busyUser(self) -> None:
        """A phone that is in use, and sends what its owner does with waiting requests, is no duel."""
        self.world.arrive(self.inbox, "m")
        self.phone.synchronise(self.inbox)
        item = self.item("m")
        for read in (1, 0, 1, 0, 1, 0):
            self.parked()
            self.reconnect()
            mark = air("Commands", change(f"{self.inbox}:{item}", Element("Email:Read", read)))
            self.assertEqual(self.items(self.hang(more=[mark])), [])
        self.assertEqual({ending for _, ending in self.endings}, {"recalled"})

    def test_clientLeaves(self) -> None:
        """A client that breaks the connection frees its place at once; nothing is given to it."""
        self.parked()
        self.reconnect().lose()
        self.assertEqual(self.world.board.claims(), [])
        self.world.arrive(self.inbox, "new")
        self.assertEqual(self.items(self.hang()), ["new"])
        self.assertEqual(self.endings, [("Sync", "lost")])

    def test_overtaken(self) -> None:
        """A newer Sync that comes while the older one is being executed again: the older one's keys are not used."""
        self.parked()
        older = self.reconnect()
        slow = self.sync.ledger = Between(self.world.store)
        gates = slow.gates = []
        self.world.arrive(self.inbox, "new")
        self.assertEqual(len(gates), 1)
        self.assertEqual(self.phone.post("Sync", sync_of(collection(self.phone.keys[self.inbox], self.inbox))), [])
        gates[1].callback(None)
        self.assertEqual(self.items(self.answers()), ["new"])
        gates[0].callback(None)
        self.empty(older.answers())
        slow.gates = None
        self.assertIsNone(self.phone.sync(self.inbox), "the key of the newer one is good")


class OwnChangesTests(HangingCase):
    """What the device does by other commands does not end its own waiting."""

    def test_held(self) -> None:
        """While another command is being answered nothing ends it; then what the device lacks does."""
        self.parked()
        parked = self.reconnect()
        waiting: Deferred[Answer] = Deferred()

        async def slow(call: Call) -> Answer:
            return await waiting

        self.world.commands["FolderSync"] = slow
        self.assertEqual(self.phone.post("FolderSync", Element("FolderHierarchy:FolderSync")), [])
        self.world.arrive(self.inbox, "new")
        self.assertEqual(parked.answers(), [])
        waiting.callback(Answer())
        self.assertEqual(self.items(parked.answers()), ["new"])


class BoundTests(HangingCase):
    """Parked requests are bounded, and counted, like Pings."""

    def test_berths(self) -> None:
        """All places of the user are taken: 503 with Retry-After; the device's own newer request has room."""
        self.world.parking.berths.limits = BerthLimits(per_user=1)
        self.parked()
        tablet = self.client(device="tablet")
        body = sync_of(collection(tablet.keys[self.inbox], self.inbox), more=[air("Wait", 1)])
        (answer,) = tablet.post("Sync", body)
        self.assertEqual((answer.status, answer.headers["retry-after"]), (503, "60"))
        self.reconnect()
        self.parked()

    def test_noBerthNeeded(self) -> None:
        """Who is answered at once needs no place."""
        self.world.parking.berths.limits = BerthLimits(per_user=1)
        self.parked()
        tablet = self.client(device="tablet")
        body = sync_of(collection("0", self.inbox), more=[air("Wait", 1)])
        self.assertEqual(part(tablet.post("Sync", body)[0].element).text_of("AirSync:Status"), "1")

    def test_heartbeats(self) -> None:
        """How long it was to wait is one of the heartbeats that the alarm watches; only if it is parked."""
        self.parked(wait=air("HeartbeatInterval", 90))
        self.assertEqual((len(self.world.window), self.world.window.average), (1, 90))
        self.world.arrive(self.inbox, "new")
        self.assertEqual(self.items(self.answers()), ["new"])
        self.world.arrive(self.inbox, "newer")
        self.hang()
        self.assertEqual(len(self.world.window), 1)

    def test_listed(self) -> None:
        """The list of devices shows it as parked, with its interval and folders, and when it was."""
        self.parked(self.inbox, self.sent, wait=air("HeartbeatInterval", 90))
        self.later(10)
        operations = Operations(self.world.partnerships, self.world.policy, self.world.now, self.world.board)
        (row,) = self.world.result(Deferred.fromCoroutine(operations.list("ann")))
        self.assertEqual((row["parked_seconds"], row["heartbeat"]), (10, 90))
        self.assertEqual(row["folders"], [[self.inbox, "Email"], [self.sent, "Email"]])
        self.assertEqual(row["last_ping"], self.world.now() - 10)

    def test_noPing(self) -> None:
        """What it asks for is not what a Ping without a body stands for."""
        self.parked()
        self.empty(self.later(MINUTE + 1))
        self.assertEqual(status_of(self.phone.post("Ping")), "3")

    def test_line(self) -> None:
        """The access line says for how long it was to wait, and for how long it did."""
        lines: list = []
        self.world.dispatcher.access.count = lambda entry, http, seconds: lines.append((dict(entry.fields), http))
        self.parked(self.inbox, self.sent)
        self.empty(self.later(MINUTE + 1))
        self.parked(self.inbox)
        self.later(10)
        self.world.arrive(self.inbox, "new")
        self.answers()
        self.assertEqual(lines[0], ({"Hb": 60, "Fc": 2, "Pt": 60, "St": "S"}, 200))
        self.assertEqual(
            {name: lines[1][0][name] for name in ("Hb", "Pt", "Svr:")}, {"Hb": 60, "Pt": 10, "Svr:": "1A0C0D0S"}
        )

    def test_nothingIsLeftOfTheCall(self) -> None:
        """What is parked holds neither the request nor its body."""
        # From here on the collector knows only what the test makes.
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        self.parked()
        gc.collect()
        there = gc.get_objects()
        self.assertFalse([thing for thing in there if isinstance(thing, Arrival | Call)])
        self.assertFalse([thing for thing in there if isinstance(thing, Element) and thing.tag == "AirSync:SyncKey"])
        self.assertEqual(len([thing for thing in there if isinstance(thing, Asked)]), 1)


class ModeTests(HangingCase):
    """Users who are told in another way, or not at all."""

    def test_quiet(self) -> None:
        """In the modes off and sms it is parked quietly: no change ends it, and it does not count as watching."""
        for mode in (Mode.OFF, Mode.SMS):
            self.world.policy.replace(Policy(mode))
            self.parked()
            self.world.arrive(self.inbox, f"unheard {mode.value}")
            self.assertFalse(self.world.board.watched(self.phone.key))
            self.assertEqual(self.later(59), [])
            self.empty(self.later(2))
            self.phone.synchronise(self.inbox)

    def test_already(self) -> None:
        """What is there when it comes is answered at once in every mode: it is a Sync."""
        self.world.policy.replace(Policy(Mode.OFF))
        self.world.arrive(self.inbox, "there")
        self.assertEqual(self.items(self.hang()), ["there"])


class EndTests(HangingCase):
    """What else ends it."""

    def add_folder(self) -> None:
        found = [*FOLDERS, FoundFolder(".New", "New", FolderType.USER_MAIL)]
        self.world.board.changed(*self.world.result(self.world.store.record_hierarchy("ann", found))[1])

    def test_hierarchy(self) -> None:
        """A folder made elsewhere ends it with Status 12; after a FolderSync it parks again."""
        self.parked()
        self.add_folder()
        self.assertEqual(self.status(self.answers()), "12")
        self.assertEqual(self.status(self.hang()), "12")
        self.phone.synchronise()
        self.parked()

    def test_hierarchyLater(self) -> None:
        """Items come first: a request that is answered at once is not told of the hierarchy."""
        self.add_folder()
        self.world.arrive(self.inbox, "new")
        self.assertEqual(self.items(self.hang()), ["new"])

    def test_folderGone(self) -> None:
        """A watched folder that goes away: Status 12."""
        self.parked(self.inbox, self.sent)
        self.world.board.changed(*self.world.result(self.world.store.record_hierarchy("ann", FOLDERS[:1]))[1])
        self.assertEqual(self.status(self.answers()), "12")

    def test_otherUsers(self) -> None:
        """Another user's folders wake nobody else."""
        self.parked()
        self.world.mailbox("bob")
        self.assertEqual(self.answers(), [])

    def test_recalled(self) -> None:
        """A wipe, another policy or mode, an account or device that is gone, the end of the gateway: an empty answer."""
        for why in ("wipe", "policy", "mode", "account", "forgotten", "shutdown"):
            self.parked()
            self.world.board.recall(lambda key: key == DeviceKey("ann", "phone1"), why)
            self.empty(self.answers())

    def test_policy(self) -> None:
        """The request that follows meets what there is to meet."""
        self.parked()
        policy = DevicePolicy({"DevicePasswordEnabled": "1"})
        self.world.rules.policy_for = lambda user: policy
        self.world.board.recall(lambda key: True, "policy")
        self.empty(self.answers())
        self.assertEqual(self.status(self.phone.post("Sync", None, {"X-MS-PolicyKey": "0"})), "142")

    def test_recalledWhileServed(self) -> None:
        """A recall while its first execution is under way is not missed."""
        slow = self.sync.ledger = Between(self.world.store)
        slow.gates = []
        self.assertEqual(self.hang(), [])
        self.world.board.recall(lambda key: True, "wipe")
        slow.gates[0].callback(None)
        self.empty(self.answers())


class Down:
    """A ledger that does not answer looks for a while."""

    def __init__(self, world: Gateway) -> None:
        self.parking, self.ledger = world.parking, world.parking.ledger
        self.looks = 0

    def begin(self) -> None:
        self.parking.ledger = self

    def end(self) -> None:
        self.parking.ledger = self.ledger

    def look(self, *args: object) -> Deferred:
        self.looks += 1
        return fail(OSError("disk on fire"))


class TroubleTests(HangingCase):
    """Back ends that fail, and answers that are lost."""

    def test_down(self) -> None:
        """While the ledger does not answer it stays parked; when it is back, what came is told."""
        self.world.arrive(self.inbox, "m")
        self.phone.synchronise(self.inbox)
        down = Down(self.world)
        self.parked()
        down.begin()
        self.world.found(self.inbox, "m", state="S")
        self.assertEqual(self.answers(), [])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        down.end()
        self.assertEqual(self.items(self.later(RETRY_FIRST + 1)), ["Change"])

    def test_downToTheEnd(self) -> None:
        """If nothing could be watched until its time is over: Status 16."""
        Down(self.world).begin()
        self.assertEqual(self.hang(), [])
        self.assertEqual(self.later(59), [])
        self.assertEqual(self.status(self.later(2)), "16")
        self.assertGreater(len(self.flushLoggedErrors(OSError)), 3)

    def test_downAtOnce(self) -> None:
        """If it does not answer when the request comes, or when it is executed again: Status 16."""
        self.parked()
        ledger = self.sync.ledger = Between(self.world.store)
        ledger.down = True
        self.world.arrive(self.inbox, "new")
        self.assertEqual(self.status(self.answers()), "16")
        self.assertEqual(self.status(self.hang()), "16")
        ledger.down = False
        self.assertEqual(self.items(self.hang()), ["new"])

    def test_lostSomething(self) -> None:
        """A mail that was heard of and is not in the ledger makes nobody execute the request all the time."""
        self.parked()
        ledger = self.sync.ledger = Between(self.world.store)
        self.world.board.changed(Change(self.inbox, 99, fresh=True))
        self.assertEqual(self.later(58), [])
        self.assertLess(ledger.asked, 20)
        self.empty(self.later(3))

    def test_lostAnswer(self) -> None:
        """Items in an answer that was not written come again, with the same key, when the request is repeated."""
        self.parked()
        body, parked = self.body(), self.reconnect()
        # The transport holds it back, and then the connection breaks.
        parked.protocol.pauseProducing()
        self.world.arrive(self.inbox, "new")
        self.assertEqual(self.items(parked.answers()), ["new"])
        lost = self.phone.keys[self.inbox]
        parked.lose()
        self.assertEqual(status_of(self.phone.ping(60, self.inbox)), "2", "it was not given")
        self.assertEqual(self.items(self.phone.post("Sync", body)), ["new"])
        self.assertEqual(self.phone.keys[self.inbox], lost)
        self.assertIsNone(self.phone.sync(self.inbox))

    def test_repeatedEmpty(self) -> None:
        """An empty request cannot stand for one whose items may not have come: Status 13."""
        self.parked()
        self.world.arrive(self.inbox, "new")
        self.reconnect()
        self.assertEqual(self.status(self.phone.post("Sync")), "13")


class GuidTests(HangingCase):
    """The GUID of triggers by SMS, which 12.1 is told."""

    def setUp(self) -> None:
        super().setUp()
        self.guid = "a" * 32
        self.sync.tells_guid, self.sync.synced = True, self.synced
        self.count = 0
        self.phone.version = "12.1"

    async def synced(self, key: DeviceKey) -> str:
        self.count += 1
        return self.guid

    def test_told(self) -> None:
        """It is told at once, and not again before there is another: then the device waits."""
        for guid in ("a" * 32, "b" * 32):
            self.guid = guid
            (answer,) = self.hang()
            self.assertEqual(part(answer.element).text_of("AirSync:NotifyGUID"), guid)
            self.parked()
            self.empty(self.later(MINUTE + 1))

    def test_later(self) -> None:
        """What is parked has not synchronised again before it is given something."""
        self.hang()
        self.parked()
        self.assertEqual(self.count, 2)
        self.world.board.changed(Change(self.inbox, 99, fresh=True))
        self.later(5)
        self.assertEqual(self.count, 2)
        self.world.arrive(self.inbox, "new")
        self.assertEqual(self.items(self.later(30)), ["new"])
        self.assertEqual(self.count, 3)
