"""Tests of the simulated phone that is woken by SMS."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas import wbxml
from gateway.element import Element
from gateway.simulator import events
from gateway.simulator.autdv1 import TextedDevice
from gateway.simulator.device import Outcome
from gateway.simulator.errors import GivenUp, Lost
from gateway.simulator.line import Account, Post, Reply
from gateway.simulator.memory import Memory
from gateway.simulator.shortmessage import ShortMessage
from gateway.sms.udh import Header, Ports
from tests.simulator.toy import Notes, ToyLine, ToyServer, reply

G1, G2, G3 = (f"{n:08x}-1504-4ac4-9721-f152c646ea35" for n in (1, 2, 3))


class Server(ToyServer):
    """Gives C{given} with every Sync; holds what it is asked while C{held} is a list."""

    given = ""
    held: list[tuple[Post, Deferred[Reply]]] | None = None

    def answer(self, post: Post) -> Deferred[Reply]:
        if self.held is not None:
            self.held.append((post, Deferred()))
            return self.held[-1][1]
        answered = super().answer(post)
        return answered.addCallback(self._tell) if post.command == "Sync" and self.given else answered

    def _tell(self, plain: Reply) -> Reply:
        root = wbxml.decode(plain.body)
        root.children[0].children[0].children.append(Element("AirSync:NotifyGUID", self.given))
        return reply(root)

    def release(self) -> None:
        """Answer what is held."""
        held, self.held = self.held or [], None
        for post, waiting in held:
            self.answer(post).chainDeferred(waiting)


def sms(guid: str, text: str = "PUSHGW {}") -> ShortMessage:
    return ShortMessage("pushgw", "4917", text.format(guid).encode())


class TextedDeviceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.server = Server()
        self.notes = Notes()
        self.memory = Memory()
        self.kept: list[str] = []
        self.line = ToyLine(self.server)
        self.phone = self.make()

    def make(self, schedule: float | None = None, coalesce: float = 180) -> TextedDevice:
        return TextedDevice(
            Account("ann", "secret"),
            self.line,
            self.clock,
            self.notes,
            coalesce,
            schedule,
            self.memory,
            keep=lambda memory: self.kept.append(memory.spent),
            wall=lambda: 1_714_550_400.0 + self.clock.seconds(),
        )

    def start(self) -> Deferred[Outcome]:
        running = self.phone.start()
        self.addCleanup(self.finish)
        return running

    def finish(self) -> None:
        """A phone that is off has no timer."""
        self.phone.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def syncs(self) -> int:
        return self.server.commands().count("Sync")

    def test_trigger(self) -> None:
        """After a trigger it synchronises, not at once but when the time for others to come is over."""
        self.start()
        self.server.deliver("m1", "hello")
        before = self.syncs()
        self.phone.receive(sms(G1))
        self.clock.advance(179)
        self.assertEqual(self.syncs(), before)
        self.clock.advance(1)
        self.assertEqual(self.syncs(), before + 1)
        [woken] = self.notes.of(events.Woken)
        self.assertEqual((woken.folders, woken.added, woken.waited, woken.latency), (("Posteingang",), 1, 180, 180))
        self.assertEqual(self.notes.of(events.Texted), [events.Texted(G1, True)])

    def test_neverParks(self) -> None:
        """It sends no Ping."""
        self.start()
        self.phone.receive(sms(G1))
        self.clock.advance(180)
        self.assertNotIn("Ping", self.server.commands())

    def test_burst(self) -> None:
        """All triggers that come while one is held make one synchronisation, counted from the first."""
        self.start()
        before = self.syncs()
        for guid in (G1, G1, G2):
            self.phone.receive(sms(guid))
            self.clock.advance(60)
        self.assertEqual(self.syncs(), before + 1)
        self.clock.advance(1000)
        self.assertEqual(self.syncs(), before + 1)
        self.assertEqual(self.memory.spent, G2)

    def test_oldTrigger(self) -> None:
        """A trigger with the GUID of the last synchronisation is ignored, one with another GUID is not."""
        self.start()
        self.phone.receive(sms(G1))
        self.clock.advance(180)
        before = self.syncs()
        self.phone.receive(sms(G1))
        self.clock.advance(180)
        self.assertEqual(self.syncs(), before)
        self.phone.receive(sms(G2))
        self.clock.advance(180)
        self.assertEqual(self.syncs(), before + 1)
        self.assertEqual([one.news for one in self.notes.of(events.Texted)], [True, False, True])

    def test_remembers(self) -> None:
        """What it has synchronised for is kept, so that it is ignored after a restart too."""
        self.start()
        self.phone.receive(sms(G1))
        self.clock.advance(180)
        self.assertEqual(self.kept[-1], G1)
        self.phone.stop()
        self.memory = Memory.from_json(self.memory.to_json())
        self.phone = self.make()
        self.start()
        self.phone.receive(sms(G1))
        self.assertEqual(self.notes.of(events.Texted)[-1], events.Texted(G1, False))

    def test_latestGUID(self) -> None:
        """Of a server that gives GUIDs with Sync it obeys the latest one only."""
        self.server.given = G1.upper()
        self.start()
        self.phone.receive(sms(G2))
        self.phone.receive(sms(G1))
        self.server.given = G3
        self.clock.advance(180)
        self.phone.receive(sms(G1))
        self.phone.receive(sms(G3))
        self.assertEqual(
            self.notes.of(events.Texted),
            [events.Texted(guid, news) for guid, news in ((G2, False), (G1, True), (G1, False), (G3, True))],
        )

    def test_noTrigger(self) -> None:
        """A text without a GUID is not for this phone's server; another text around the GUID does not matter."""
        self.start()
        for text, guid in (("hello", ""), ("", ""), (f"Subj: x / {G1.upper()} -- sent by", G1)):
            self.phone.receive(sms("", text))
            self.assertEqual(self.notes.of(events.Texted)[-1], events.Texted(guid, bool(guid)))

    def test_binary(self) -> None:
        """The octets of a GUID that come to a port are one."""
        self.start()
        octets = bytes.fromhex("5047" + G1.replace("-", ""))
        message = ShortMessage("pushgw", "4917", octets, 4)
        self.phone.receive(message)
        self.phone.receive(evolve(message, header=Header(ports=Ports(16000))))
        self.assertEqual(self.notes.of(events.Texted), [events.Texted("", False), events.Texted(G1, True)])

    def test_schedule(self) -> None:
        """It synchronises every so often even if no trigger comes."""
        self.phone = self.make(schedule=300)
        self.start()
        before = self.syncs()
        self.server.deliver("m1", "hello")
        self.clock.pump([299, 1])
        self.assertEqual(self.syncs(), before + 1)
        self.assertEqual([one.added for one in self.notes.of(events.Woken)], [1])
        self.clock.pump([300, 300])
        self.assertEqual(self.syncs(), before + 3)

    def test_scheduleServesTheTrigger(self) -> None:
        """A trigger that is still held when the time comes needs no synchronisation of its own."""
        self.phone = self.make(schedule=300)
        self.start()
        self.clock.advance(200)
        self.phone.receive(sms(G1))
        before = self.syncs()
        self.clock.advance(100)
        self.assertEqual((self.syncs(), self.memory.spent), (before + 1, G1))
        self.clock.advance(299)
        self.assertEqual(self.syncs(), before + 1)

    def test_triggerWhileSynchronising(self) -> None:
        """A trigger whose time comes during a synchronisation makes another one after it; its repeat does not."""
        self.start()
        self.phone.receive(sms(G1))
        self.server.held = []
        self.clock.advance(180)
        self.phone.receive(sms(G1))
        self.phone.receive(sms(G2))
        self.clock.advance(180)
        self.assertEqual([one.news for one in self.notes.of(events.Texted)], [True, False, True])
        self.assertEqual(self.memory.spent, "")
        before = self.syncs()
        self.server.release()
        self.assertEqual(self.memory.spent, G2)
        self.assertEqual(self.syncs(), before + 2)

    def test_setback(self) -> None:
        """A synchronisation that fails is tried again until it succeeds; only then the trigger is old."""
        self.start()
        self.line.down = Lost("no coverage")
        self.phone.receive(sms(G1))
        self.clock.pump([180] + [10] * 10)
        self.assertEqual(self.memory.spent, "")
        self.line.down = None
        self.clock.advance(60)
        self.assertEqual(self.memory.spent, G1)

    def test_off(self) -> None:
        """What comes while the phone is off is never seen, and what was held when it was switched off is lost."""
        self.phone.receive(sms(G1))
        self.assertEqual(self.notes.events, [])
        running = self.start()
        self.phone.receive(sms(G1))
        self.phone.stop()
        self.assertIs(self.successResultOf(running), Outcome.STOPPED)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_wiped(self) -> None:
        """A wipe ends its life, and it forgets the GUIDs."""
        self.server.policy_key = 12
        running = self.start()
        self.phone.receive(sms(G1))
        self.clock.advance(180)
        self.server.wipe = "RemoteWipe"
        self.phone.receive(sms(G2))
        self.clock.advance(180)
        self.assertIs(self.successResultOf(running), Outcome.WIPED)
        self.assertEqual((self.memory.spent, self.memory.guid), ("", ""))

    def test_givesUp(self) -> None:
        """Where nothing helps it says so."""
        self.server.script["OPTIONS"] = [Reply(401)]
        self.failureResultOf(self.phone.start(), GivenUp)
