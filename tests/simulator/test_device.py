"""Tests of the life of a phone, on a toy server without a network."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.element import Element
from gateway.simulator import events
from gateway.simulator.collection import SyncWishes
from gateway.simulator.device import Device, Outcome
from gateway.simulator.errors import (
    AccessDenied,
    Declined,
    GivenUp,
    Later,
    Lost,
    NotAServer,
    SignInRefused,
    Unreachable,
)
from gateway.simulator.heartbeat import WORKED_EXAMPLE, Heartbeat, HeartbeatSet
from gateway.simulator.line import Account, ILine, Reply
from gateway.simulator.memory import Memory
from gateway.simulator.synchroniser import Habits
from tests.simulator.toy import ARCHIVE, INBOX, Notes, ToyFolder, ToyLine, ToyServer, ping, reply, status


class DeviceTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.server = ToyServer()
        self.line = ToyLine(self.server)
        self.notes = Notes()
        self.kept: list[str] = []
        self.phone = self.makePhone()
        self.done: Deferred[Outcome] | None = None

    def makePhone(self, memory: Memory | None = None, set: HeartbeatSet = WORKED_EXAMPLE, **habits: object) -> Device:
        self.phone = Device(
            Account("ann", "secret"),
            self.line,
            self.clock,
            self.notes,
            Heartbeat(set),
            memory or Memory(),
            Habits(**habits),  # type: ignore[arg-type]
            lambda memory: self.kept.append(memory.hierarchy_key),
            lambda: 1714550410.5,
        )
        return self.phone

    def tearDown(self) -> None:
        self.phone.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def start(self) -> Deferred[Outcome]:
        self.done = self.phone.start()
        return self.done

    def begin(self) -> None:
        """Start, and forget everything up to the first parked Ping."""
        self.start()
        self.assertIsNotNone(self.server.parked)
        self.forget()

    def forget(self) -> None:
        self.server.asked.clear()
        self.notes.events.clear()

    def hitches(self) -> list[float]:
        return [round(event.wait) for event in self.notes.of(events.Hitch)]


class StartTests(DeviceTestCase):
    def test_interface(self) -> None:
        """The line of these tests is one."""
        self.assertTrue(verifyObject(ILine, self.line))

    def test_fromNothing(self) -> None:
        """A new phone asks for versions and folders, then for a key and the items, and then parks."""
        self.server.inbox.add("5:1", "Hello")
        self.start()
        self.assertEqual(self.server.options, 1)
        self.assertEqual(self.server.commands(), ["FolderSync", "Sync", "Sync", "Ping"])
        self.assertEqual(self.phone.memory.version, "14.1")
        self.assertEqual(self.phone.memory.folders[INBOX].items["5:1"].subject, "Hello")

    def test_inboxByType(self) -> None:
        """C{Inbox} is the folder of that type, whatever the server calls it; other folders are left alone."""
        self.start()
        (document,) = self.server.documents("Ping")
        self.assertEqual([f.text_of("Ping:Id") for f in document.child("Ping:Folders") or ()], [INBOX])
        self.assertEqual(self.phone.memory.folders[ARCHIVE].key, "0")

    def test_manyFolders(self) -> None:
        """All folders chosen are synchronised and watched, in the order chosen."""
        self.makePhone(folders=("archive", "Inbox"))
        self.start()
        (document,) = self.server.documents("Ping")
        self.assertEqual([f.text_of("Ping:Id") for f in document.child("Ping:Folders") or ()], [ARCHIVE, INBOX])

    def test_noSuchFolder(self) -> None:
        """A phone that is to watch what is not there gives up and names what is there."""
        self.makePhone(folders=("Nowhere",))
        failure = self.failureResultOf(self.start(), GivenUp)
        self.assertIn("Archive, Posteingang", str(failure.value))

    def test_untilNoMore(self) -> None:
        """The first Sync goes on for as long as there is more."""
        for number in range(5):
            self.server.inbox.add(f"5:{number}", "m")
        self.makePhone(wishes=SyncWishes(window=2))
        self.start()
        self.assertEqual(self.server.commands().count("Sync"), 4)
        self.assertEqual(len(self.phone.memory.folders[INBOX].items), 5)

    def test_moreWithoutEnd(self) -> None:
        """A server that promises more for ever and brings nothing does not hold the phone up."""

        def promise() -> Element:
            found = [Element("AirSync:SyncKey", "k1"), Element("AirSync:MoreAvailable")]
            return Element("AirSync:Sync", Element("AirSync:Collections", Element("AirSync:Collection", *found)))

        self.server.script["Sync"] = [promise for _ in range(100)]
        self.start()
        self.assertEqual(self.server.commands()[:7], ["FolderSync", *["Sync"] * 5, "Ping"])

    def test_patience(self) -> None:
        """A Ping is waited for as long as its heartbeat and the slack, other commands as long as the habit is."""
        self.makePhone(slack=7.0, patience=33.0)
        self.start()
        self.assertEqual(self.line.timeouts, [33.0, 33.0, 33.0, 907.0])

    def test_policyKeyNotWithPing(self) -> None:
        """The policy key goes with every command but Ping."""
        self.start()
        self.assertEqual([post.policy_key for post, _ in self.server.asked], [0, 0, 0, None])

    def test_keepsAtOnce(self) -> None:
        """Whatever is learnt is kept before the next request."""
        before: list[int] = []
        self.server.script["Sync"] = [lambda: before.append(len(self.kept))] * 2  # type: ignore[list-item]
        self.start()
        self.assertEqual(before, [1, 2])
        self.assertEqual(len(self.kept), 3)

    def test_goesOn(self) -> None:
        """A phone with a memory goes on with its keys, and asks for no versions."""
        self.begin()
        self.phone.stop()
        self.server.inbox.add("5:1", "meanwhile")
        self.makePhone(Memory.from_json(self.phone.memory.to_json()))
        self.start()
        self.assertEqual(self.server.options, 1)
        self.assertEqual(self.server.commands(), ["FolderSync", "Sync", "Ping"])
        self.assertIn("5:1", self.phone.memory.folders[INBOX].items)

    def test_stop(self) -> None:
        """A phone switched off leaves its Ping, and says that it was stopped."""
        self.begin()
        self.phone.stop()
        self.assertIsNone(self.server.parked)
        self.assertIs(self.successResultOf(self.done), Outcome.STOPPED)

    def test_stopWhileWaiting(self) -> None:
        """A phone that waits for its next try can be switched off."""
        self.line.down = Unreachable("refused")
        self.start()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.phone.stop()
        self.assertIs(self.successResultOf(self.done), Outcome.STOPPED)


class VersionTests(DeviceTestCase):
    def test_wanted(self) -> None:
        """The version wanted is spoken."""
        self.makePhone(version="12.1")
        self.start()
        self.assertEqual({post.version for post, _ in self.server.asked}, {"12.1"})

    def test_notOffered(self) -> None:
        """A version that the server does not offer is an error that says what it offers."""
        self.makePhone(version="16.1")
        failure = self.failureResultOf(self.start(), NotAServer)
        self.assertIn("14.1", str(failure.value))

    def test_nothingInCommon(self) -> None:
        """A server with strange versions only is an error."""
        self.server.versions = "1.0,2.0"
        self.failureResultOf(self.start(), NotAServer)

    def test_noVersions(self) -> None:
        """An answer without versions is no ActiveSync server."""
        self.server.script["OPTIONS"] = [Reply(200)]
        self.failureResultOf(self.start(), NotAServer)

    def test_refused(self) -> None:
        """After Status 138 or HTTP 505 the versions are asked for again."""
        self.server.versions = "14.0"
        for number, refusal in enumerate((status("FolderSync", 138), Reply(505)), 1):
            self.makePhone(Memory(version="14.1"))
            self.server.script["FolderSync"] = [refusal]
            self.start()
            self.assertEqual(self.server.options, number)
            self.assertEqual(self.phone.memory.version, "14.0")
            self.phone.stop()

    def test_oldestClassFirst(self) -> None:
        """A phone of 2.5 names the class first and truncates by its scale; it has no BodyPreference."""
        self.makePhone(version="2.5")
        self.start()
        first, second = (root.children[0].children[0] for root in self.server.documents("Sync"))
        self.assertEqual([c.name for c in first], ["Class", "SyncKey", "CollectionId"])
        options = second.child("AirSync:Options")
        assert options
        self.assertEqual([c.name for c in options], ["FilterType", "Truncation", "MIMESupport"])

    def test_newOptions(self) -> None:
        """A newer phone names no class, and asks for plain text."""
        self.start()
        first, second = (root.children[0].children[0] for root in self.server.documents("Sync"))
        self.assertEqual([c.name for c in first], ["SyncKey", "CollectionId"])
        options = second.child("AirSync:Options")
        assert options
        self.assertEqual([c.name for c in options], ["FilterType", "BodyPreference", "MIMESupport"])


class ProvisionTests(DeviceTestCase):
    def test_both(self) -> None:
        """Asked for by Status 142, the policy is fetched and acknowledged, and the command repeated with the key."""
        self.server.policy_key = 77
        self.start()
        keys = [(post.command, post.policy_key) for post, _ in self.server.asked]
        self.assertEqual(keys[:4], [("FolderSync", 0), ("Provision", 0), ("Provision", 11), ("FolderSync", 77)])
        self.assertEqual(self.phone.memory.policy_key, 77)
        self.assertEqual(self.notes.of(events.Provisioned), [events.Provisioned(77)])

    def test_by449(self) -> None:
        """For older versions HTTP 449 asks for the same."""
        self.server.policy_key = 77
        self.makePhone(version="12.1")
        self.start()
        self.assertEqual(self.server.commands()[:4], ["FolderSync", "Provision", "Provision", "FolderSync"])

    def test_policyTypeOfOldest(self) -> None:
        """A phone of 2.5 asks for the WAP document."""
        self.server.policy_key = 77
        self.makePhone(version="2.5")
        self.start()
        for document in self.server.documents("Provision"):
            policy = document.children[0].children[0]
            self.assertEqual(policy.text_of("Provision:PolicyType"), "MS-WAP-Provisioning-XML")

    def test_deviceInformation(self) -> None:
        """From 14.1 on, and not before, the first request tells about the phone."""
        told = {}
        for version in ("14.0", "14.1"):
            self.server.policy_key = 77
            self.makePhone(version=version)
            self.begin_over()
            self.start()
            first, second = self.server.documents("Provision")
            told[version] = [first.child("Settings:DeviceInformation"), second.child("Settings:DeviceInformation")]
            self.phone.stop()
        self.assertEqual(told["14.0"], [None, None])
        self.assertIsNotNone(told["14.1"][0])
        self.assertIsNone(told["14.1"][1])

    def begin_over(self) -> None:
        self.server.asked.clear()

    def test_noPolicy(self) -> None:
        """A server that has no policy for the phone is believed."""
        self.server.script["FolderSync"] = [status("FolderSync", 142)]
        self.start()
        self.assertEqual(self.server.commands().count("Provision"), 1)
        self.assertIsNotNone(self.server.parked)

    def test_while_parked(self) -> None:
        """A policy that changes while the Ping is parked: Status 7, FolderSync, Provision, and parked again."""
        self.begin()
        self.server.policy_key = 88
        self.server.answer_ping(ping(7))
        self.assertEqual(self.server.commands(), ["FolderSync", "Provision", "Provision", "FolderSync", "Ping"])

    def test_forbidden(self) -> None:
        """HTTP 403 is tried to be mended by Provision, once."""
        self.server.script["FolderSync"] = [Reply(403)]
        self.start()
        self.assertIsNotNone(self.server.parked)

    def test_stillForbidden(self) -> None:
        """HTTP 403 after Provision keeps the phone out."""
        self.server.script["FolderSync"] = [Reply(403), Reply(403)]
        self.failureResultOf(self.start(), AccessDenied)

    def test_provisionForbidden(self) -> None:
        """HTTP 403 to Provision itself keeps the phone out."""
        self.server.script["FolderSync"] = [Reply(449)]
        self.server.script["Provision"] = [Reply(403)]
        self.failureResultOf(self.start(), AccessDenied)

    def test_emptyAnswer(self) -> None:
        """An empty answer to Provision is a fault of the moment."""
        self.server.policy_key = 77
        self.server.script["Provision"] = [Reply(200)]
        self.start()
        self.assertEqual(self.phone.memory.policy_key, 77)

    def test_noEnd(self) -> None:
        """A server that is never satisfied makes the phone give up, and not ask for ever."""
        self.server.script["FolderSync"] = [Reply(449)] * 50
        self.failureResultOf(self.start(), GivenUp)
        self.assertLess(len(self.server.asked), 30)

    def test_everyStatus(self) -> None:
        """Each of the statuses that want a policy leads to Provision."""
        for number in (140, 141, 142, 143, 144):
            self.server.script["Sync"] = [status("Sync", number)]
            self.server.asked.clear()
            self.makePhone()
            self.start()
            self.assertIn("Provision", self.server.commands(), number)
            self.phone.stop()

    def test_wipe(self) -> None:
        """A wipe is acknowledged, everything is erased, and the phone stops."""
        self.begin()
        self.server.wipe = "RemoteWipe"
        self.server.answer_ping(ping(7))
        self.assertIs(self.successResultOf(self.done), Outcome.WIPED)
        self.assertEqual(self.server.commands(), ["FolderSync", "Provision", "Provision"])
        acknowledged = self.server.documents("Provision")[1].child("Provision:RemoteWipe")
        assert acknowledged
        self.assertEqual(acknowledged.text_of("Provision:Status"), "1")
        self.assertEqual(self.phone.memory, Memory())
        self.assertEqual(self.notes.of(events.Erased), [events.Erased("RemoteWipe")])

    def test_wipeOfTheAccount(self) -> None:
        """An account-only wipe is acknowledged as such."""
        self.server.wipe = "AccountOnlyRemoteWipe"
        self.assertIs(self.successResultOf(self.start()), Outcome.WIPED)
        last = self.server.documents("Provision")[-1]
        self.assertIsNotNone(last.child("Provision:AccountOnlyRemoteWipe"))

    def test_wipeNotAcknowledged(self) -> None:
        """A wipe whose acknowledgement is lost is acknowledged again; until then nothing is erased."""
        self.server.wipe = "RemoteWipe"
        self.server.script["Provision"] = [lambda: None, Lost("reset")]
        self.assertIs(self.successResultOf(self.start()), Outcome.WIPED)
        self.assertEqual(self.server.commands().count("Provision"), 4)


class PingTests(DeviceTestCase):
    def test_woken(self) -> None:
        """Status 2: the folder is synchronised, the wake-up told with its latency, and the same heartbeat asked."""
        self.begin()
        self.clock.advance(30)
        self.server.deliver("5:9", "x sent=1714550410.25 y")
        self.assertEqual(self.server.commands(), ["Sync", "Ping"])
        (woken,) = self.notes.of(events.Woken)
        self.assertEqual(woken, events.Woken(("Posteingang",), 30.0, 1, 0, 0, 0.25))
        self.assertEqual(self.notes.of(events.Parked)[-1].heartbeat, 900)

    def test_latencyByDate(self) -> None:
        """Without a token in the subject the latency counts from the date received."""
        self.begin()
        self.server.deliver("5:9", "plain")
        (woken,) = self.notes.of(events.Woken)
        self.assertEqual(woken.latency, 10.5)

    def test_deletionHasNoLatency(self) -> None:
        """A wake-up that brings no new mail has no latency."""
        self.server.inbox.add("5:1", "m")
        self.begin()
        self.server.inbox.remove("5:1")
        self.server.wake()
        (woken,) = self.notes.of(events.Woken)
        self.assertEqual((woken.deleted, woken.latency), (1, None))

    def test_onlyNamedFolders(self) -> None:
        """Only the folders that the answer names are synchronised."""
        self.makePhone(folders=("Inbox", "Archive"))
        self.begin()
        self.server.deliver("7:1", "m", ARCHIVE)
        (document,) = self.server.documents("Sync")
        self.assertEqual(document.children[0].children[0].text_of("AirSync:CollectionId"), ARCHIVE)

    def test_expired(self) -> None:
        """Status 1 at the end of the interval raises the heartbeat."""
        self.begin()
        self.clock.advance(900)
        self.server.answer_ping(ping(1))
        self.assertEqual(self.server.commands(), ["Ping"])
        self.assertEqual(self.phone.heartbeat.seconds, 1140)
        self.assertEqual(self.notes.of(events.HeartbeatMoved), [events.HeartbeatMoved(900, 1140, False)])

    def test_endedEarly(self) -> None:
        """Status 1 long before the end (another Ping took its place) proves nothing."""
        self.begin()
        self.clock.advance(100)
        self.server.answer_ping(ping(1))
        self.assertEqual(self.phone.heartbeat.seconds, 900)

    def test_lost(self) -> None:
        """A Ping that got no answer lowers the heartbeat, and a new one is sent at once."""
        self.begin()
        self.clock.advance(910)
        self.server.answer_ping(Lost("no answer within 910 s"))
        self.assertEqual(self.server.commands(), ["Ping"])
        self.assertEqual(self.phone.heartbeat.seconds, 480)

    def test_lostSoon(self) -> None:
        """A connection that breaks long before the heartbeat (a restart of the server) says nothing about it."""
        self.begin()
        self.clock.advance(60)
        self.server.answer_ping(Lost("reset"))
        self.assertEqual(self.phone.heartbeat.seconds, 900)
        self.assertIsNotNone(self.server.parked)

    def test_story(self) -> None:
        """15, 8, 12, 16 and then 12 minutes, on a network that drops after 13 minutes of silence."""
        self.start()
        for _ in range(5):
            heartbeat = self.phone.heartbeat.seconds
            if heartbeat < 780:
                self.clock.advance(heartbeat)
                self.server.answer_ping(ping(1))
            else:
                self.clock.advance(heartbeat + 10)
                self.server.answer_ping(Lost("nothing"))
        minutes = [event.heartbeat // 60 for event in self.notes.of(events.Parked)]
        self.assertEqual(minutes, [15, 8, 12, 16, 12, 12])

    def test_incomplete(self) -> None:
        """After Status 3 to an empty Ping the whole one is sent."""
        self.makePhone(brief=True)
        self.begin()
        self.clock.advance(100)
        self.server.deliver("5:1", "m")
        self.clock.advance(100)
        self.server.answer_ping(ping(3))
        bodies = [root is not None for post, root in self.server.asked if post.command == "Ping"]
        self.assertEqual(bodies, [False, True])

    def test_briefOnlyWhenTheSame(self) -> None:
        """A brief phone sends the whole Ping again when its heartbeat is another one."""
        self.makePhone(brief=True)
        self.begin()
        self.clock.advance(900)
        self.server.answer_ping(ping(1))
        self.assertEqual([event.empty for event in self.notes.of(events.Parked)], [False])

    def test_wholeEachTime(self) -> None:
        """Other phones send the whole Ping each time."""
        self.begin()
        self.server.deliver("5:1", "m")
        self.assertEqual(len(self.server.documents("Ping")), 1)

    def test_outOfBounds(self) -> None:
        """Status 5 is obeyed."""
        self.begin()
        self.clock.advance(1)
        self.server.answer_ping(ping(5, HeartbeatInterval=600))
        self.assertEqual(self.server.documents("Ping")[-1].text_of("Ping:HeartbeatInterval"), "600")

    def test_tooManyFolders(self) -> None:
        """After Status 6 only as many folders are watched as the server takes, the first ones."""
        self.makePhone(folders=("Inbox", "Archive"))
        self.begin()
        self.clock.advance(1)
        self.server.answer_ping(ping(6, MaxFolders=1))
        listed = self.server.documents("Ping")[-1].child("Ping:Folders")
        self.assertEqual([f.text_of("Ping:Id") for f in listed or ()], [INBOX])

    def test_hierarchy(self) -> None:
        """Status 7: FolderSync; a folder that came and is chosen is synchronised and watched."""
        self.makePhone(folders=("*",))
        self.begin()
        self.server.folders["8"] = ToyFolder("8", "New", 12)
        self.server.hierarchy = 2
        self.phone.memory.hierarchy_key = "0"
        self.clock.advance(1)
        self.server.answer_ping(ping(7))
        self.assertEqual(self.server.commands(), ["FolderSync", "Sync", "Sync", "Ping"])
        self.assertEqual(self.notes.of(events.Parked)[-1].folders, 3)

    def test_serverError(self) -> None:
        """Status 8, 3 and 4 are followed by another Ping, first at once and then with growing pauses."""
        self.begin()
        self.server.script["Ping"] = [ping(number) for number in (8, 8, 4, 3, 8)]
        self.clock.advance(1)
        self.server.answer_ping(ping(8))
        self.assertIsNone(self.server.parked)
        self.assertEqual(self.server.commands().count("Ping"), 5)
        self.clock.pump([1.3, 1.3, 1.3, 5, 5])
        self.assertIsNotNone(self.server.parked)

    def test_unknownStatus(self) -> None:
        """A Status that the specification does not know makes the phone give up and say so."""
        self.begin()
        self.server.answer_ping(ping(55))
        failure = self.failureResultOf(self.done, GivenUp)
        self.assertIn("55", str(failure.value))

    def test_garbled(self) -> None:
        """An empty answer to Ping is an error of the server, which is asked again."""
        self.begin()
        self.server.script["Ping"] = [Reply(200)]
        self.clock.advance(1)
        self.server.answer_ping(ping(1))
        self.assertEqual(self.server.commands(), ["Ping", "Ping"])
        self.assertIn("empty", self.notes.of(events.Hitch)[0].why)

    def test_wokenForNothing(self) -> None:
        """A server that announces changes again and again, and has none, is asked more and more slowly."""
        self.begin()
        nothing = Element("Ping:Folders", Element("Ping:Folder", INBOX))
        answer = Element("Ping:Ping", Element("Ping:Status", 2), nothing)
        self.server.script["Ping"] = [answer] * 100
        self.clock.advance(1)
        self.server.answer_ping(answer)
        self.clock.advance(10)
        self.assertLess(self.server.commands().count("Ping"), 12)

    def test_manyRealWakeups(self) -> None:
        """Wake-ups that bring something are never slowed."""
        self.begin()
        for number in range(20):
            self.server.deliver(f"5:{number}", "m")
        self.assertEqual(len(self.notes.of(events.Woken)), 20)
        self.assertIsNotNone(self.server.parked)

    def test_networkChanged(self) -> None:
        """On another network the phone leaves its Ping, sends a new one at once and begins its heartbeats anew."""
        self.begin()
        self.clock.advance(900)
        self.server.answer_ping(ping(1))
        first = self.server.parked
        self.phone.network_changed()
        self.assertIsNot(self.server.parked, first)
        self.assertIsNotNone(self.server.parked)
        self.assertEqual(self.notes.of(events.Parked)[-1].heartbeat, 900)
        self.assertEqual(len(self.notes.of(events.NetworkChanged)), 1)

    def test_networkChangedWhileOff(self) -> None:
        """A phone that is not parked only begins its heartbeats anew."""
        self.phone.network_changed()
        self.begin()
        self.server.answer_ping(Lost("reset"))
        self.assertIsNotNone(self.server.parked)


class SetbackTests(DeviceTestCase):
    def test_backOff(self) -> None:
        """An unreachable server is tried at once, then after 1, 2, 4 ... seconds, and at most every minute."""
        self.line.down = Unreachable("refused")
        self.start()
        self.clock.pump([1] * 400)
        expected = [0, 1, 2, 4, 8, 16, 30, 60, 60]
        for wait, about in zip(self.notes.of(events.Hitch), expected, strict=False):
            self.assertTrue(0.8 * about <= wait.wait <= 1.2 * about, wait)
        self.assertGreater(len(self.notes.of(events.Hitch)), len(expected))

    def test_comesBack(self) -> None:
        """When the server is there again, the phone parks, and the next trouble is tried at once again."""
        self.begin()
        self.line.down = Unreachable("refused")
        self.server.answer_ping(Lost("reset"))
        self.clock.advance(2)
        self.line.down = None
        self.clock.advance(5)
        self.assertIsNotNone(self.server.parked)
        self.clock.advance(5)
        self.forget()
        self.server.answer_ping(Lost("reset"))
        self.clock.advance(0)
        self.assertEqual(self.hitches()[-1:], [0])

    def test_retryAfter(self) -> None:
        """A 503 with Retry-After is obeyed."""
        self.server.script["FolderSync"] = [Reply(503, {"retry-after": "90"})]
        self.start()
        self.clock.advance(89)
        self.assertEqual(self.server.commands(), ["FolderSync"])
        self.clock.advance(1)
        self.assertIsNotNone(self.server.parked)

    def test_retryAfterBounded(self) -> None:
        """Nobody makes the phone wait for longer than an hour; a date is not understood."""
        self.server.script["FolderSync"] = [
            Reply(503, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}),
            Reply(503, {"retry-after": "999999999"}),
        ]
        self.start()
        self.assertEqual(self.hitches(), [0, 3600])
        self.clock.advance(3600)
        self.assertIsNotNone(self.server.parked)

    def test_busyStatuses(self) -> None:
        """HTTP errors of the server and the statuses for later are followed by another try."""
        busy = [Reply(code) for code in (500, 502, 503, 504, 507, 429)]
        self.server.script["FolderSync"] = [*busy, status("FolderSync", 111), status("FolderSync", 6)]
        self.start()
        self.clock.pump([2] * 100)
        self.assertIsNotNone(self.server.parked)

    def test_refused(self) -> None:
        """401 stops the phone with a clear message."""
        self.server.script["OPTIONS"] = [Reply(401)]
        failure = self.failureResultOf(self.start(), SignInRefused)
        self.assertIn("password", str(failure.value))

    def test_anonymous(self) -> None:
        """Status 124 means the same."""
        self.server.script["FolderSync"] = [status("FolderSync", 124)]
        self.failureResultOf(self.start(), SignInRefused)

    def test_refusedWhileParked(self) -> None:
        """401 to a later Ping stops it too."""
        self.begin()
        self.server.script["Ping"] = [Reply(401)]
        self.server.deliver("5:1", "m")
        self.failureResultOf(self.done, SignInRefused)

    def test_denied(self) -> None:
        """The statuses of a user or phone that is kept out stop it."""
        for number in (126, 127, 128, 129, 130, 131, 139, 177):
            self.server.script["FolderSync"] = [status("FolderSync", number)]
            self.makePhone()
            self.failureResultOf(self.start(), AccessDenied)

    def test_notAServer(self) -> None:
        """Anything else there is no ActiveSync server."""
        for code in (404, 405, 501, 302):
            self.server.script["OPTIONS"] = [Reply(code)]
            self.makePhone()
            self.failureResultOf(self.start(), NotAServer)

    def test_malformed(self) -> None:
        """HTTP 400 and the statuses that call our request wrong are not repeated."""
        for answer in (Reply(400), reply(status("FolderSync", 103)), reply(status("FolderSync", 137))):
            self.server.script["FolderSync"] = [answer]
            self.makePhone()
            self.failureResultOf(self.start(), GivenUp)

    def test_moved(self) -> None:
        """451 names the new address, which is kept."""
        self.server.script["OPTIONS"] = [Reply(451, {"x-ms-location": "https://other.example/x"})]
        self.start()
        self.assertEqual(self.line.places, ["https://other.example/x"])
        self.assertEqual(self.phone.memory.url, "https://other.example/x")
        self.assertIsNotNone(self.server.parked)
        self.phone.stop()
        self.makePhone(self.phone.memory)
        self.assertEqual(len(self.line.places), 2)

    def test_movedNowhere(self) -> None:
        """451 without an address, or with a bad one, makes the phone give up."""
        for headers in ({}, {"x-ms-location": "ftp://x"}):
            self.server.script["OPTIONS"] = [Reply(451, headers)]
            self.makePhone()
            self.failureResultOf(self.start(), GivenUp)

    def test_notWbxml(self) -> None:
        """An answer that is no WBXML is treated as a fault of the moment."""
        self.server.script["FolderSync"] = [Reply(200, {}, b"<html>"), Reply(200)]
        self.start()
        self.clock.advance(2)
        self.assertIsNotNone(self.server.parked)


class KeyTests(DeviceTestCase):
    def test_keyRefused(self) -> None:
        """Status 3: the folder begins again with key 0; what the server does not name any more is gone."""
        for id in ("5:1", "5:2"):
            self.server.inbox.add(id, "m")
        self.begin()
        self.server.inbox.keys.clear()
        del self.server.inbox.log[0]
        self.server.inbox.newest = 10
        self.server.inbox.keys["k10"] = 0
        self.server.wake()
        keys = [root.children[0].children[0].text_of("AirSync:SyncKey") for root in self.server.documents("Sync")]
        self.assertEqual(keys, ["k2", "0", "k11"])
        self.assertEqual(set(self.phone.memory.folders[INBOX].items), {"5:2"})
        self.assertEqual(self.notes.of(events.Woken)[-1].added, 0)

    def test_keysNeverGood(self) -> None:
        """A server that refuses every key makes the phone give up."""
        self.begin()
        refuse = status("Sync", 3)
        self.server.script["Sync"] = [answer for _ in range(20) for answer in (refuse, lambda: None)]
        self.server.deliver("5:1", "m")
        self.failureResultOf(self.done, GivenUp)

    def test_folderGone(self) -> None:
        """Status 12 and 8: FolderSync, then Sync again."""
        for number in (12, 8):
            self.server.script["Sync"] = [status("Sync", number)]
            self.server.asked.clear()
            self.makePhone()
            self.start()
            self.assertEqual(self.server.commands()[:3], ["FolderSync", "Sync", "FolderSync"])
            self.assertIsNotNone(self.server.parked)
            self.phone.stop()

    def test_hierarchyKeyRefused(self) -> None:
        """FolderSync Status 9: once more with key 0; folders named keep their items."""
        self.server.inbox.add("5:1", "m")
        self.begin()
        self.server.hierarchy = 3
        self.server.answer_ping(ping(7))
        keys = [root.text_of("FolderHierarchy:SyncKey") for root in self.server.documents("FolderSync")]
        self.assertEqual(keys, ["h1", "0"])
        self.assertIn("5:1", self.phone.memory.folders[INBOX].items)
        self.assertEqual(self.server.commands(), ["FolderSync", "FolderSync", "Ping"])

    def test_stateGone(self) -> None:
        """Status 132, 134 and 136: every key begins again."""
        for number in (132, 134, 136):
            self.makePhone()
            self.begin()
            self.server.script["Ping"] = [status("Ping", number)]
            self.server.deliver(f"5:{number}", "m")
            keys = [root.text_of("FolderHierarchy:SyncKey") for root in self.server.documents("FolderSync")]
            self.assertEqual(keys, ["0"])
            self.assertIsNotNone(self.server.parked)
            self.phone.stop()

    def test_sameBytesAfterLoss(self) -> None:
        """A Sync whose answer was lost is repeated byte by byte."""
        self.begin()
        self.server.script["Sync"] = [Lost("reset")]
        self.server.deliver("5:1", "m")
        first, second = (post.body for post, _ in self.server.asked if post.command == "Sync")
        self.assertEqual(first, second)

    def test_emptyAnswer(self) -> None:
        """An empty answer to Sync says that there is nothing new, and the key stays."""
        self.begin()
        self.server.script["Sync"] = [Reply(200)]
        self.server.deliver("5:1", "m")
        keys = [root.children[0].children[0].text_of("AirSync:SyncKey") for root in self.server.documents("Sync")]
        self.assertEqual(keys[0], keys[1])

    def test_noFirstKey(self) -> None:
        """A server that answers key 0 with nothing is asked again, with pauses."""
        self.server.script["Sync"] = [Reply(200)] * 3
        self.start()
        self.assertEqual(self.server.commands().count("Sync"), 2)
        self.clock.pump([2, 3])
        self.assertIsNotNone(self.server.parked)

    def test_syncStatuses(self) -> None:
        """Status 5 and 16 are tried again with the same key; 4 begins again with key 0."""
        self.begin()
        self.server.script["Sync"] = [status("Sync", 5), status("Sync", 16), status("Sync", 4)]
        self.server.deliver("5:1", "m")
        self.clock.pump([2, 3])
        keys = [root.children[0].children[0].text_of("AirSync:SyncKey") for root in self.server.documents("Sync")]
        self.assertEqual(keys, ["k2", "k2", "k2", "0", "k3"])


class CommandTests(DeviceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.server.inbox.add("5:1", "m")
        self.begin()

    def sent(self) -> Element:
        (document,) = self.server.documents("Sync")
        collection = document.children[0].children[0]
        self.assertEqual(collection.text_of("AirSync:GetChanges"), "0")
        commands = collection.child("AirSync:Commands")
        assert commands
        return commands.children[0]

    def test_markRead(self) -> None:
        """A mail is marked as read at the server and on the phone, while the Ping stays parked."""
        parked = self.server.parked
        self.successResultOf(self.phone.mark_read(INBOX, "5:1"))
        data = self.sent().child("AirSync:ApplicationData")
        assert data
        self.assertEqual(data.text_of("Email:Read"), "1")
        self.assertTrue(self.phone.memory.folders[INBOX].items["5:1"].read)
        self.assertIs(self.server.parked, parked)

    def test_flag(self) -> None:
        """A flag is set and cleared."""
        self.successResultOf(self.phone.mark_flag(INBOX, "5:1"))
        self.assertTrue(self.phone.memory.folders[INBOX].items["5:1"].flagged)
        flag = self.sent().children[1].child("Email:Flag")
        assert flag
        self.assertEqual(flag.text_of("Email:Status"), "2")
        self.server.asked.clear()
        self.successResultOf(self.phone.mark_flag(INBOX, "5:1", False))
        self.assertFalse(self.phone.memory.folders[INBOX].items["5:1"].flagged)
        self.assertEqual(self.sent().children[1].children, [Element("Email:Flag")])

    def test_delete(self) -> None:
        """An item is deleted at the server and on the phone."""
        self.successResultOf(self.phone.delete(INBOX, "5:1"))
        self.assertEqual(self.sent().name, "Delete")
        self.assertEqual(self.phone.memory.folders[INBOX].items, {})

    def test_fetch(self) -> None:
        """A whole mail is fetched."""
        data = self.successResultOf(self.phone.fetch(INBOX, "5:1"))
        self.assertEqual(data.text_of("Email:Subject"), "whole")

    def test_declined(self) -> None:
        """A Status other than 1 is handed to the caller."""
        failure = self.failureResultOf(self.phone.fetch(INBOX, "gone"), Declined)
        self.assertEqual(failure.value.status, 8)

    def test_notFetched(self) -> None:
        """A Fetch that the server does not answer is declined."""
        self.server.script["Sync"] = [Reply(200)]
        self.failureResultOf(self.phone.fetch(INBOX, "5:1"), Declined)

    def test_noSuchFolder(self) -> None:
        """A folder that the phone does not have is declined, and nothing is sent."""
        self.failureResultOf(self.phone.delete("99", "5:1"), Declined)
        self.assertEqual(self.server.asked, [])

    def test_afterLoss(self) -> None:
        """A command whose answer was lost is repeated byte by byte until it is answered."""
        self.server.script["Sync"] = [Lost("reset"), Later("busy", 5.0)]
        done = self.phone.delete(INBOX, "5:1")
        self.assertNoResult(done)
        self.clock.advance(5)
        self.successResultOf(done)
        self.assertEqual(len({post.body for post, _ in self.server.asked}), 1)

    def test_oneAtATime(self) -> None:
        """A command waits for the Sync that is under way, so that each uses a key of its own."""
        self.server.script["Sync"] = [Later("busy", 5.0)]
        self.server.deliver("5:2", "m")
        done = self.phone.mark_read(INBOX, "5:1")
        self.assertNoResult(done)
        self.clock.advance(5)
        self.successResultOf(done)
        keys = [root.children[0].children[0].text_of("AirSync:SyncKey") for root in self.server.documents("Sync")]
        self.assertEqual(keys, ["k2", "k2", "k3"])

    def test_withoutStart(self) -> None:
        """A phone that is not started synchronises once when told to, and carries out commands."""
        self.phone.stop()
        self.makePhone()
        self.server.asked.clear()
        ((name, news),) = self.successResultOf(self.phone.synchronise())
        self.assertEqual((name, list(news.added)), ("Posteingang", ["5:1"]))
        self.successResultOf(self.phone.delete(INBOX, "5:1"))
        self.assertNotIn("Ping", self.server.commands())

    def test_folderNotYetSynchronised(self) -> None:
        """A command in a folder without a key synchronises it first."""
        self.server.folders[ARCHIVE].add("7:1", "old")
        self.successResultOf(self.phone.delete(ARCHIVE, "7:1"))
        self.assertEqual(self.server.commands(), ["Sync", "Sync", "Sync"])
