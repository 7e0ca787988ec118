"""Tests of the way from the outbox to the SMSC and back, on a store in memory and an SMSC without sockets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import define, evolve, field
from twisted.application.service import IService
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.interfaces import BackendDown
from gateway.model import DeviceKey
from gateway.sms import incoming, pump
from gateway.sms.meters import Meters
from gateway.sms.operator import IOperatorUser
from gateway.sms.pdu import Pdu
from gateway.sms.pump import LONGEST_REST, Pump
from gateway.sms.rounds import PACE
from gateway.sms.settings import Binding, IdForm, OperatorSettings, Patience, Timing
from gateway.sms.submitter import MOST_READY, STALL_SECONDS
from gateway.sms.udh import Part
from gateway.store.sending import Outbox
from gateway.store.trace import Trace
from gateway.trigger import Hop, Letter, LetterState, Outcome, Receipt
from tests.sms.fixtures import deliver
from tests.sms.smsc import Smsc, run, settle
from tests.stores import new_store, result_of

EPOCH = 1_700_000_000.0
SETTINGS = OperatorSettings(
    "acme",
    "sys",
    "secret",
    source="pushgw",
    retry_seconds=10.0,
    id_form=IdForm.AS_IS,
    timing=Timing(silence=10, response=20),
    patience=Patience(),
)


@define(eq=False)
class Flaky(Outbox):
    """The outbox of a store some of whose calls fail or wait, and that says what was taken at once."""

    failing: set[str] = field(factory=set)
    waiting_for: dict[str, Deferred[None]] = field(factory=dict)
    tried: list[str] = field(factory=list)
    sizes: list[int] = field(factory=list)
    received: list[str] = field(factory=list)

    def _try(self, name: str, call: Any, *args: Any) -> Any:
        self.tried.append(name)
        if name in self.waiting_for:
            return self.waiting_for.pop(name).addCallback(lambda _: call(*args))
        return fail(BackendDown("the disk is full")) if name in self.failing else call(*args)

    def take(self, route: str, now: float, most: int) -> Deferred[list[Letter]]:
        self.sizes.append(most)
        return self._try("take", super().take, route, now, most)

    def settle(self, outcomes: Sequence[Outcome]) -> Deferred[None]:
        return self._try("settle", super().settle, outcomes)

    def receive(self, came: Sequence[Receipt]) -> Deferred[list[Letter | None]]:
        self.received += [one.message_ids[0] for one in came]
        return self._try("receive", super().receive, came)


@define(eq=False)
class Counting(Trace):
    """The trace of a store, which says how many hops were written at once."""

    sizes: list[int] = field(factory=list)

    def note(self, hops: Sequence[Hop]) -> Deferred[None]:
        self.sizes.append(len(hops))
        return super().note(hops)


class PumpTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.smsc, self.other = Smsc(self.clock), Smsc(self.clock, "n")
        self.store = new_store(self.now)
        self.outbox = Flaky(self.store.outbox.database, self.now)
        self.trace = Counting(self.store.trace.database, self.now)
        self.alarms: list[str] = []
        self.counted: list[tuple[Any, ...]] = []
        self.pump: Pump | None = None

    def tearDown(self) -> None:
        if self.pump is not None:
            self.outbox.failing.clear()
            self.stop()
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.assertEqual(self.pump._letters, {})
        self.assertEqual(self.flushLoggedErrors(), [])

    def now(self) -> float:
        return EPOCH + self.clock.seconds()

    def put(self, count: int = 1, first: int = 0, **fields: Any) -> list[int]:
        """Put letters into the outbox, each for a device of its own."""
        letters = [
            Letter(
                DeviceKey(f"u{n}", "phone"), **{"route": "smpp:acme", "number": f"+49170{n:07}", "guid": f"{n:032x}",
                "created": self.now(), "expires": self.now() + 900} | fields,
            )
            for n in range(first, first + count)
        ]  # fmt: skip
        ids: list[int] = result_of(self.store.outbox.put(letters))
        if self.pump is not None:
            self.pump.kick()
        return ids

    def start(self, settings: OperatorSettings = SETTINGS, alone: bool = True, warm: bool = False) -> Pump:
        """Start the pump; C{warm}: with the window open."""
        meters = Meters(
            alarm=lambda name, text: self.alarms.append(text),
            submitted=lambda name, what: self.counted.append(("submitted", what)),
            receipt=lambda name, word: self.counted.append(("receipt", word)),
            throttled=lambda name: self.counted.append(("throttled",)),
            latency=lambda name, seconds: self.counted.append(("latency", seconds)),
        )
        places = [("first", self.smsc), ("second", self.other)][: 1 if alone else 2]
        self.pump = Pump(
            settings, places, self.outbox, self.trace, self.render, self.clock, self.now, meters, lambda: 0.0
        )
        self.pump.startService()
        self.pass_time(0.2)
        if warm:
            self.put(1, 999)
            self.pass_time(0.5)
            self.smsc.taken.clear()
            self.counted.clear()
        return self.pump

    def render(self, letter: Letter) -> Sequence[Part]:
        if letter.content == b"bad":
            raise ValueError("it is bad")
        if letter.content == b"broken":
            raise RuntimeError("a fault of ours")
        if letter.content == b"nothing":
            return []
        if letter.content == b"huge":
            return [Part(b"x" * 255)]
        if letter.content == b"long":
            return [Part(b"one", udhi=True), Part(b"two", udhi=True)]
        return [Part(f"PUSHGW {letter.guid}".encode())]

    def pass_time(self, seconds: float) -> None:
        run(self.clock, seconds, self.smsc, self.other)

    def stop(self) -> None:
        assert self.pump is not None
        done = self.pump.stopService()
        settle(self.clock, self.smsc, self.other)
        for _ in range(60):
            if done.called:
                break
            self.pass_time(1)
        self.successResultOf(done)

    def letters(self, ids: Sequence[int]) -> list[Letter]:
        """Letters as they are in the store."""
        every = {one.id: one for one in result_of(self.store.outbox.letters(None, None, 10_000))}
        return [every[id] for id in ids]

    def letter(self, id: int) -> Letter:
        return self.letters([id])[0]

    def states(self, ids: Sequence[int]) -> set[LetterState]:
        return {one.state for one in self.letters(ids)}

    def hops(self, n: int = 0) -> list[Hop]:
        """What the trace has of a device, when it has been written."""
        self.pass_time(0.5)
        hops: list[Hop] = result_of(self.store.trace.read(f"u{n}", "phone", 0, 100))
        return hops

    def kinds(self, n: int = 0) -> list[str]:
        return [hop.kind for hop in self.hops(n)]

    # The good way.

    def test_interfaces(self) -> None:
        """The pump is a service, and the user of an operator."""
        pump = self.start()
        self.assertTrue(verifyObject(IService, pump))
        self.assertTrue(verifyObject(IOperatorUser, pump))

    def test_submitted(self) -> None:
        """A letter is submitted with all its fields, and is SENT with the SMSC's id when it was taken."""
        (id,) = self.put()
        self.start()
        (pdu,) = self.smsc.taken
        self.assertEqual(pdu.text("destination_addr"), "491700000000")
        self.assertEqual(pdu.message, b"PUSHGW " + b"0" * 32)
        self.assertEqual((pdu.text("validity_period"), pdu.number("registered_delivery")), ("000000001500000R", 1))
        self.assertEqual((pdu.text("source_addr"), pdu.number("source_addr_ton")), ("pushgw", 5))
        letter = self.letter(id)
        self.assertEqual((letter.state, letter.message_id), (LetterState.SENT, "m1"))
        (hop,) = self.hops()
        self.assertEqual((hop.kind, hop.letter), ("taken", id))
        self.assertIn("message id m1 from acme at first after ", hop.text)
        self.assertIn(("submitted", "taken"), self.counted)

    def test_kick(self) -> None:
        """What is put into the outbox goes out at once when the pump is told."""
        self.start(warm=True)
        self.pass_time(30)
        self.put()
        self.pass_time(2 * PACE)
        self.assertEqual(self.smsc.numbers, ["491700000000"])

    def test_notKicked(self) -> None:
        """What another process put there goes out some time."""
        self.start(warm=True)
        pump, self.pump = self.pump, None
        self.put()
        self.pump = pump
        self.pass_time(LONGEST_REST + 1)
        self.assertEqual(self.smsc.numbers, ["491700000000"])

    def test_due(self) -> None:
        """A letter goes out when it is due, not before."""
        self.start(warm=True)
        self.put(due=self.now() + 40)
        self.pass_time(39)
        self.assertEqual(self.smsc.taken, [])
        self.pass_time(1.2)
        self.assertEqual(len(self.smsc.taken), 1)

    def test_idle(self) -> None:
        """With nothing to do the store is asked once a minute, and nothing ticks between the signs of life."""
        self.start(warm=True)
        self.pass_time(1)
        self.outbox.tried.clear()
        self.pass_time(300)
        self.assertLessEqual(len(self.outbox.tried), 6)
        self.assertLessEqual(len(self.clock.getDelayedCalls()), 2)

    def test_all(self) -> None:
        """Many letters all go out, each once, with few calls to the store."""
        ids = self.put(3000)
        self.start()
        self.pass_time(5)
        self.assertEqual(self.states(ids), {LetterState.SENT})
        self.assertEqual(len(set(self.smsc.numbers)), 3000)
        self.assertEqual(len(self.smsc.taken), 3000)
        self.assertLess(len(self.outbox.tried), 150)
        self.assertLessEqual(max(self.outbox.sizes), MOST_READY)

    def test_atOnce(self) -> None:
        """Where much is queued it does not wait for the next round."""
        self.put(500)
        self.start(warm=False)
        self.pass_time(3 * PACE)
        self.assertEqual(len(self.smsc.taken), 500)

    def test_window(self) -> None:
        """Never more than the window waits for answers."""
        self.start(evolve(SETTINGS, window=7), warm=True)
        self.smsc.holding = True
        self.put(50)
        self.pass_time(0.5)
        self.assertEqual(len(self.smsc.held), 7)
        self.smsc.release()
        self.pass_time(3)
        self.assertEqual(len(self.smsc.taken), 50)

    def test_slowStart(self) -> None:
        """A new session gets one submit until it has answered."""
        self.smsc.holding = True
        self.put(50)
        self.start()
        self.assertEqual(len(self.smsc.held), 1)
        self.smsc.release()
        self.pass_time(3)
        self.assertEqual(len(self.smsc.taken), 50)

    def test_rate(self) -> None:
        """No more goes out in a second than was agreed on, and little is taken ahead."""
        self.put(100)
        self.start(evolve(SETTINGS, rate=10.0))
        self.pass_time(4.8)
        self.assertIn(len(self.smsc.taken), range(44, 53))
        self.assertLessEqual(sum(self.outbox.sizes), 70)

    def test_parts(self) -> None:
        """The parts of a letter go one after the other; its id is that of the last one, and so is the receipt."""
        (id,) = self.put(content=b"long")
        self.start()
        self.assertEqual([pdu.message for pdu in self.smsc.taken], [b"one", b"two"])
        self.assertEqual([pdu.number("registered_delivery") for pdu in self.smsc.taken], [0, 1])
        self.assertEqual([pdu.number("esm_class") for pdu in self.smsc.taken], [0x40, 0x40])
        self.assertEqual((self.letter(id).state, self.letter(id).message_id), (LetterState.SENT, "m2"))
        self.assertEqual(self.kinds(), ["taken"])

    # Receipts.

    def test_receipt(self) -> None:
        """A receipt settles its letter, is answered when it is stored, and is in the trace."""
        (id,) = self.put()
        self.start()
        self.smsc.receipt("m1")
        self.assertEqual(self.smsc.links[0].answers, [])
        self.pass_time(0.5)
        self.assertEqual([pdu.status for pdu in self.smsc.links[0].answers], [0])
        self.assertIs(self.letter(id).state, LetterState.DELIVERED)
        self.assertEqual([(hop.kind, hop.text) for hop in self.hops()][1:], [("receipt", "DELIVRD")])
        self.assertIn(("receipt", "DELIVRD"), self.counted)

    def test_undelivered(self) -> None:
        """A receipt of failure says so."""
        (id,) = self.put()
        self.start()
        self.smsc.receipt("m1", stat="UNDELIV")
        self.pass_time(0.5)
        self.assertEqual((self.letter(id).state, self.letter(id).result), (LetterState.UNDELIVERED, "UNDELIV"))

    def test_earlyReceipt(self) -> None:
        """A receipt that comes before the answer to the submit counts when that is there, and is in the trace."""
        self.smsc.holding = True
        (id,) = self.put()
        self.start()
        self.smsc.receipt("m1")
        self.pass_time(0.5)
        self.assertEqual([pdu.status for pdu in self.smsc.links[0].answers], [0])
        self.smsc.release()
        self.pass_time(0.5)
        self.assertIs(self.letter(id).state, LetterState.DELIVERED)
        self.assertEqual(self.kinds(), ["taken", "receipt"])

    def test_receiptTwice(self) -> None:
        """A receipt that comes again changes nothing, and is answered again."""
        (id,) = self.put()
        self.start()
        for _ in range(2):
            self.smsc.receipt("m1")
            self.pass_time(0.5)
        self.smsc.receipt("m1", stat="UNDELIV")
        self.pass_time(0.5)
        self.assertEqual([pdu.status for pdu in self.smsc.links[0].answers], [0, 0, 0])
        self.assertIs(self.letter(id).state, LetterState.DELIVERED)

    def test_receiptOnAnotherBind(self) -> None:
        """A receipt counts on whichever bind it comes."""
        (id,) = self.put()
        self.start(evolve(SETTINGS, binding=Binding.PAIR, binds=2))
        receivers = [n for n, link in enumerate(self.smsc.links) if link.bound == "bind_receiver"]
        self.smsc.receipt("m1", receivers[-1])
        self.pass_time(0.5)
        self.assertIs(self.letter(id).state, LetterState.DELIVERED)

    def test_lateReceipt(self) -> None:
        """A receipt counts days later, and after a restart."""
        (id,) = self.put()
        self.start()
        self.pass_time(0.5)
        self.stop()
        self.clock.advance(3 * 24 * 3600)
        self.start()
        self.smsc.receipt("m1")
        self.pass_time(0.5)
        self.assertIs(self.letter(id).state, LetterState.DELIVERED)

    def test_receiptOnTheWay(self) -> None:
        """A receipt that says that the message is on its way does not end it."""
        (id,) = self.put()
        self.start()
        self.smsc.receipt("m1", stat="ENROUTE")
        self.pass_time(0.5)
        self.assertIs(self.letter(id).state, LetterState.SENT)
        self.smsc.receipt("m1")
        self.pass_time(0.5)
        self.assertIs(self.letter(id).state, LetterState.DELIVERED)

    def test_unknownReceipt(self) -> None:
        """Receipts for nothing, without an id, and messages of people are answered, and change nothing."""
        (id,) = self.put()
        self.start()
        self.smsc.receipt("nobody")
        self.smsc.receipt("", sequence=2)
        self.smsc.links[0].send(deliver(3, b"hello", 0))
        self.pass_time(0.5)
        self.assertEqual(sorted(pdu.sequence for pdu in self.smsc.links[0].answers), [1, 2, 3])
        self.assertEqual({pdu.status for pdu in self.smsc.links[0].answers}, {0})
        self.assertIs(self.letter(id).state, LetterState.SENT)

    def test_receiptNotStored(self) -> None:
        """While the store fails, receipts are answered with RX_T_APPN, so that they come again."""
        (id,) = self.put()
        self.start()
        self.outbox.failing.update(("settle", "receive"))
        self.smsc.receipt("m1")
        self.smsc.receipt("nobody", sequence=2)
        self.pass_time(0.5)
        self.assertEqual([pdu.status for pdu in self.smsc.links[0].answers], [0x64, 0x64])
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 1)
        self.outbox.failing.clear()
        self.pass_time(2)
        self.smsc.receipt("m1", sequence=3)
        self.pass_time(0.5)
        self.assertIs(self.letter(id).state, LetterState.DELIVERED)
        self.assertEqual(self.smsc.links[0].answers[-1].status, 0)

    def test_strangeReceiptNotStored(self) -> None:
        """Also one whose letter has to be looked for is answered so, and those beside it are not."""
        (id,) = self.put()
        self.start()
        self.outbox.failing.add("receive")
        self.smsc.receipt("m1")
        self.smsc.receipt("nobody", sequence=2)
        self.pass_time(0.5)
        self.assertEqual({pdu.sequence: pdu.status for pdu in self.smsc.links[0].answers}, {1: 0, 2: 0x64})
        self.assertIs(self.letter(id).state, LetterState.DELIVERED)
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 1)
        self.outbox.failing.clear()

    def test_receiptsAlone(self) -> None:
        """While what receipts say cannot be written, letters go out all the same."""
        self.put()
        self.start()
        self.outbox.failing.add("settle")
        self.smsc.receipt("m1")
        self.pass_time(0.5)
        self.put(1, 1)
        self.pass_time(5)
        self.assertEqual(len(self.smsc.taken), 2)
        self.assertTrue(self.flushLoggedErrors(BackendDown))
        self.outbox.failing.clear()

    def test_receiptWithItsAnswer(self) -> None:
        """A receipt that comes with the answer to the submit is written down with it, in one step."""
        self.smsc.holding = True
        (id,) = self.put()
        self.start()
        self.outbox.tried.clear()
        self.smsc.release()
        self.smsc.receipt("m1")
        self.pass_time(0.5)
        self.assertEqual([name for name in self.outbox.tried if name != "take"], ["settle"])
        letter = self.letter(id)
        self.assertEqual((letter.state, letter.message_id, letter.result), (LetterState.DELIVERED, "m1", "DELIVRD"))
        self.assertEqual(self.kinds(), ["taken", "receipt"])

    def test_firstEndCounts(self) -> None:
        """Of receipts that come together, the first one that says the end counts."""
        (id,) = self.put()
        self.start()
        for sequence, word in enumerate(("ENROUTE", "UNDELIV", "DELIVRD"), 1):
            self.smsc.receipt("m1", stat=word, sequence=sequence)
        self.pass_time(0.5)
        self.assertEqual((self.letter(id).state, self.letter(id).result), (LetterState.UNDELIVERED, "UNDELIV"))
        self.assertEqual([pdu.status for pdu in self.smsc.links[0].answers], [0, 0, 0])
        self.assertEqual([hop.text for hop in self.hops()][1:], ["ENROUTE", "UNDELIV", "DELIVRD"])

    def test_forgottenLetters(self) -> None:
        """Only the last letters are remembered; receipts for others find theirs in the store."""
        self.patch(incoming, "MOST_AWAITED", 2)
        ids = self.put(4)
        self.start()
        self.pass_time(0.5)
        for n in range(4):
            self.smsc.receipt(f"m{n + 1}", sequence=n + 1)
        self.pass_time(0.5)
        self.assertEqual(self.states(ids), {LetterState.DELIVERED})
        self.assertEqual(self.outbox.received, ["m1", "m2"])

    def test_formOfIds(self) -> None:
        """How receipts write ids is found out, and is said in the log."""
        self.smsc.name = "1f"
        ids = self.put(12)
        with capturedLogs() as events:
            self.start(evolve(SETTINGS, id_form=IdForm.AUTO))
            self.pass_time(1)
            for n in range(12):
                self.smsc.receipt(str(int(f"1f{n + 1}", 16)), sequence=n + 1)
                self.pass_time(0.1)
        self.pass_time(0.5)
        self.assertEqual(self.states(ids), {LetterState.DELIVERED})
        self.assertEqual([event["form"] for event in events if "form" in event], ["decimal"])

    # What the SMSC refuses.

    def refuse(self, status: int, times: int = 1) -> None:
        """Have the first submits refused."""
        left = [status] * times
        self.smsc.status = lambda pdu: left.pop() if left else 0

    def test_throttled(self) -> None:
        """A throttled letter goes out a little later, and fewer go out in a second."""
        self.start(evolve(SETTINGS, rate=50.0), warm=True)
        self.refuse(0x58)
        (id,) = self.put()
        self.pass_time(0.3)
        letter = self.letter(id)
        self.assertEqual((letter.state, letter.result), (LetterState.QUEUED, "RTHROTTLED"))
        assert self.pump is not None
        self.assertLess(self.pump.operator.rate.now, 30)
        self.assertIn(("throttled",), self.counted)
        self.pass_time(1.5)
        self.assertIs(self.letter(id).state, LetterState.SENT)
        self.assertEqual(self.kinds(), ["retry", "taken"])

    def test_later(self) -> None:
        """What is refused for the time being is tried again, each time after a longer wait."""
        self.start(warm=True)
        self.refuse(0x08, 2)
        self.put()
        waits = []
        for wait in (10, 15):
            self.pass_time(wait - 2)
            waits.append(len(self.smsc.taken))
            self.pass_time(3)
        self.assertEqual((waits, len(self.smsc.taken)), ([0, 0], 1))
        self.assertEqual(self.kinds(), ["retry", "retry", "taken"])

    def test_fullQueue(self) -> None:
        """A full queue is given more time."""
        self.start(warm=True)
        self.refuse(0x14)
        self.put()
        self.pass_time(50)
        self.assertEqual(self.smsc.taken, [])
        self.pass_time(15)
        self.assertEqual(len(self.smsc.taken), 1)

    def test_retriesEnd(self) -> None:
        """After so many attempts as are set a letter has failed."""
        self.start(evolve(SETTINGS, retries=2, retry_seconds=1.0), warm=True)
        self.refuse(0x08, 100)
        (id,) = self.put()
        self.pass_time(60)
        letter = self.letter(id)
        self.assertEqual((letter.state, letter.attempts), (LetterState.FAILED, 3))
        self.assertEqual(self.kinds(), ["retry", "retry", "failed"])

    def test_tooLate(self) -> None:
        """A trigger is not tried again when it would be too old, nor submitted when it is."""
        self.start(warm=True)
        self.refuse(0x08, 100)
        (again,) = self.put(expires=self.now() + 15)
        self.pass_time(20)
        self.assertIs(self.letter(again).state, LetterState.FAILED)
        self.refuse(0)
        (old,) = self.put(1, 5, expires=self.now() - 1)
        self.pass_time(0.5)
        self.assertEqual((self.letter(old).state, self.smsc.taken), (LetterState.FAILED, []))
        self.assertEqual(self.kinds(5), ["failed"])

    def test_refused(self) -> None:
        """A refusal for good is the end of the letter, and the next one goes out."""
        self.start(warm=True)
        self.refuse(0x0B)
        first, second = self.put(2)
        self.pass_time(0.5)
        self.assertEqual((self.letter(first).state, self.letter(first).result), (LetterState.FAILED, "RINVDSTADR"))
        self.assertIs(self.letter(second).state, LetterState.SENT)
        self.assertEqual((self.kinds(), self.alarms), (["failed"], []))

    def test_ask(self) -> None:
        """A refusal that nobody can read is the end of the letter, and somebody is told to ask."""
        self.start(warm=True)
        self.refuse(0x45)
        (id,) = self.put()
        self.pass_time(0.5)
        self.assertIs(self.letter(id).state, LetterState.FAILED)
        self.assertIn("RSUBMITFAIL", self.alarms[0])

    def test_account(self) -> None:
        """When the account is refused, nothing more goes out, nothing is lost, and there is an alarm; it is tried
        again after a long time."""
        self.start(warm=True)
        self.refuse(0x101)
        ids = self.put(20, expires=0.0)
        self.pass_time(60)
        self.assertLessEqual(len(self.smsc.taken), SETTINGS.window)
        self.assertEqual(self.states(ids) - {LetterState.SENT}, {LetterState.QUEUED})
        self.assertEqual(len(self.alarms), 1)
        self.pass_time(SETTINGS.patience.account)
        self.assertEqual(self.states(ids), {LetterState.SENT})

    def test_rebind(self) -> None:
        """When the SMSC says that it has no bind, there is a new one, and the letter goes out by that."""
        self.start(warm=True)
        self.refuse(0x04)
        (id,) = self.put()
        self.pass_time(0.3)
        self.assertEqual((self.letter(id).state, self.letter(id).doubted), (LetterState.QUEUED, False))
        self.pass_time(5)
        self.assertEqual((self.smsc.attempts, self.letter(id).state), (2, LetterState.SENT))

    def test_unfit(self) -> None:
        """Letters of which nothing can be made, or that go nowhere, fail without hurting others."""
        self.start(warm=True)
        bad = [
            *self.put(1, 1, content=b"bad"),
            *self.put(1, 2, content=b"nothing"),
            *self.put(1, 3, content=b"huge"),
            *self.put(1, 4, number="nobody"),
            *self.put(1, 5, number="+" + "1" * 21),
            *self.put(1, 6, content=b"broken"),
        ]
        (good,) = self.put()
        self.pass_time(0.5)
        self.assertEqual(self.states(bad), {LetterState.FAILED})
        self.assertIs(self.letter(good).state, LetterState.SENT)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_secondPartRefused(self) -> None:
        """A letter of which a part was refused has failed."""
        self.start(warm=True)
        self.smsc.status = lambda pdu: 0x0B if pdu.message == b"two" else 0
        (id,) = self.put(content=b"long")
        self.pass_time(0.5)
        self.assertIs(self.letter(id).state, LetterState.FAILED)

    def test_numbersAreMasked(self) -> None:
        """No log shows a whole number."""
        with capturedLogs() as events:
            self.start(warm=True)
            self.refuse(0x0B)
            self.put()
            self.pass_time(0.5)
            self.smsc.kill()
        said = [str({k: v for k, v in event.items() if k != "log_source"}) for event in events]
        self.assertTrue(any("+49...000" in one for one in said))
        self.assertFalse(any("1700000000" in one for one in said))

    # Broken links.

    def test_doubt(self) -> None:
        """What was submitted when the link broke is sent again, once, and is said to have been in doubt."""
        self.start(warm=True)
        self.smsc.holding = True
        (id,) = self.put()
        self.pass_time(0.3)
        self.assertEqual(len(self.smsc.held), 1)
        self.smsc.links[0].cut()
        self.pass_time(0.3)
        self.assertEqual((self.letter(id).state, self.letter(id).doubted), (LetterState.QUEUED, True))
        self.smsc.holding = False
        self.pass_time(5)
        self.assertEqual(self.smsc.numbers, ["491700000000"])
        self.assertIs(self.letter(id).state, LetterState.SENT)
        self.assertEqual(self.kinds(), ["retry", "retry", "taken"])

    def test_doubtTwice(self) -> None:
        """What was in doubt twice is not sent a third time."""
        self.start(warm=True)
        self.smsc.holding = True
        (id,) = self.put()
        for _ in range(3):
            self.pass_time(5)
            self.smsc.links[0].cut()
        self.pass_time(5)
        self.assertIs(self.letter(id).state, LetterState.FAILED)
        self.assertEqual(len(self.smsc.held), 2)
        self.assertEqual(self.kinds()[-1], "failed")

    def test_notSubmitted(self) -> None:
        """What was taken and not submitted yet when the link broke is put back to its place, and was never in doubt."""
        self.start(evolve(SETTINGS, window=5), warm=True)
        self.put(200, 100)
        self.pass_time(2)
        self.smsc.holding = True
        ids = self.put(200)
        self.pass_time(0.2)
        self.smsc.kill()
        self.pass_time(0.3)
        letters = self.letters(ids)
        self.assertEqual({one.state for one in letters}, {LetterState.QUEUED})
        self.assertEqual(sum(one.doubted for one in letters), 5)
        self.assertEqual({(one.due, one.attempts) for one in letters if not one.doubted}, {(0.0, 0)})

    def test_mute(self) -> None:
        """From an SMSC that answers nothing, what was taken ahead is put back, and no more is taken."""
        self.start(evolve(SETTINGS, window=5), warm=True)
        self.smsc.status = self.fall_silent
        self.put(400, 100)
        self.pass_time(STALL_SECONDS * 2 + 0.5)
        states = [one.state for one in self.letters(range(2, 400))]
        self.assertEqual(states.count(LetterState.DOUBT), 5)
        self.outbox.tried.clear()
        self.pass_time(5)
        self.assertEqual(self.outbox.tried, [])

    def fall_silent(self, pdu: Pdu) -> int:
        """Be silent after 200 submits."""
        self.smsc.silent = len(self.smsc.taken) > 200
        return 0

    def test_muteAgain(self) -> None:
        """After such an SMSC has been left, what it is tried with is not what was in doubt before."""
        self.start(evolve(SETTINGS, window=5), warm=True)
        self.smsc.holding = True
        ids = self.put(50)
        self.pass_time(SETTINGS.timing.response * 4)
        self.assertGreater(self.smsc.attempts, 2)
        self.assertGreater(len(self.smsc.held), 6)
        numbers = [pdu.text("destination_addr") for _, pdu in self.smsc.held]
        self.assertEqual(len(set(numbers)), len(numbers))
        self.assertNotIn(LetterState.FAILED, self.states(ids))

    def test_muteGoesOn(self) -> None:
        """When such an SMSC answers again, things go on."""
        self.start(evolve(SETTINGS, window=5), warm=True)
        self.smsc.holding = True
        ids = self.put(50)
        self.pass_time(5)
        self.smsc.release()
        self.pass_time(3)
        self.assertEqual(self.states(ids), {LetterState.SENT})

    def test_careful(self) -> None:
        """Of letters that were in doubt no more are taken than can be submitted at once."""
        ids = self.put(100)
        result_of(self.store.outbox.take("smpp:acme", self.now(), 100))
        result_of(self.store.outbox.reopen(self.now()))
        self.smsc.holding = True
        self.start(evolve(SETTINGS, window=5))
        self.smsc.release()
        for _ in range(100):
            self.smsc.holding = True
            self.pass_time(PACE)
            doubt = [one for one in self.letters(ids) if one.state is LetterState.DOUBT]
            self.assertLessEqual(len(doubt), 6)
            self.smsc.release()
        self.pass_time(1)
        self.assertEqual(self.states(ids), {LetterState.SENT})

    def test_carefulAfterABreak(self) -> None:
        """What was in doubt as a link broke goes first when there is one again, and while it does no more is taken than
        can be submitted at once: if the gateway is killed then, nothing is in doubt twice that was not sent twice."""
        self.start(evolve(SETTINGS, window=5), warm=True)
        self.put(200, 100)
        self.pass_time(2)
        self.smsc.holding = True
        ids = self.put(400, 300)
        self.pass_time(0.2)
        self.smsc.links[0].cut()
        self.smsc.held.clear()
        self.pass_time(0.2)
        doubted = [one.id for one in self.letters(ids) if one.doubted]
        self.assertEqual(doubted, ids[:5])
        self.smsc.taken.clear()
        for _ in range(50):
            self.smsc.release()
            self.smsc.holding = True
            self.pass_time(PACE)
            hand = [one for one in self.letters(ids) if one.state is LetterState.DOUBT]
            if any(one.doubted for one in hand):
                self.assertLessEqual(len(hand), 6)
        self.assertEqual(self.smsc.numbers[:5], [f"49170{n:07}" for n in range(300, 305)])
        self.smsc.release()
        self.pass_time(5)
        self.assertEqual(self.states(ids), {LetterState.SENT})

    def test_nothingAfterADoubt(self) -> None:
        """Before it is written down that a letter is in doubt, none is taken: it goes out first."""
        self.start(warm=True)
        self.smsc.holding = True
        self.put()
        self.pass_time(0.3)
        written = self.outbox.waiting_for["settle"] = Deferred()
        self.smsc.links[0].cut()
        self.smsc.holding = False
        self.put(3, 10)
        self.outbox.sizes.clear()
        self.pass_time(5)
        self.assertEqual((len(self.smsc.links), self.outbox.sizes), (1, []))
        written.callback(None)
        self.pass_time(1)
        self.assertEqual(self.smsc.numbers, [f"49170{n:07}" for n in (0, 10, 11, 12)])

    def test_secondSmsc(self) -> None:
        """When the first SMSC is gone, letters go out by the second one, those in doubt too."""
        self.start(alone=False, warm=True)
        self.smsc.holding = True
        ids = self.put(30)
        self.pass_time(0.3)
        self.smsc.kill()
        self.pass_time(SETTINGS.patience.failover + 3)
        self.assertEqual(self.states(ids), {LetterState.SENT})
        self.assertEqual(len(self.other.taken), 30)

    def test_dayWithoutSmsc(self) -> None:
        """While there is no SMSC nothing is taken, so that newer triggers fold the older ones."""
        self.smsc.up = False
        self.start()
        for _ in range(24):
            self.put(3, expires=0.0)
            self.pass_time(3)
        self.assertEqual(self.outbox.sizes, [])
        self.smsc.up = True
        self.pass_time(SETTINGS.patience.longest + 1)
        self.assertEqual(sorted(self.smsc.numbers), [f"49170{n:07}" for n in range(3)])

    # A store that takes its time.

    def test_takenWhileWriting(self) -> None:
        """Letters go out while what became of others is being written."""
        self.start(warm=True)
        written = self.outbox.waiting_for["settle"] = Deferred()
        (first,) = self.put()
        self.pass_time(1)
        self.put(1, 1)
        self.pass_time(1)
        self.assertEqual(len(self.smsc.taken), 2)
        self.assertIs(self.letter(first).state, LetterState.DOUBT)
        written.callback(None)
        self.pass_time(1)
        self.assertIs(self.letter(first).state, LetterState.SENT)

    def test_writtenWhileTaking(self) -> None:
        """What became of letters is written while others are being taken."""
        self.start(warm=True)
        (first,) = self.put()
        taken = self.outbox.waiting_for["take"] = Deferred()
        self.pass_time(1)
        self.assertIs(self.letter(first).state, LetterState.QUEUED)
        self.smsc.receipt("m1")
        self.pass_time(1)
        self.assertEqual([pdu.status for pdu in self.smsc.links[0].answers], [0])
        taken.callback(None)
        self.pass_time(1)
        self.assertIs(self.letter(first).state, LetterState.SENT)

    def test_hopsInPortions(self) -> None:
        """Very many hops are written in portions, between which letters can be taken; none is lost, also at the end."""
        self.patch(pump, "PORTION", 10)
        self.start(warm=True)
        self.trace.sizes.clear()
        self.put(25)
        self.pass_time(1)
        self.assertEqual((max(self.trace.sizes), sum(self.trace.sizes)), (10, 25))
        self.put(25, 100)
        self.pass_time(PACE)
        self.stop()
        self.assertEqual(sum(self.trace.sizes), 50)

    def test_dryWhileWriting(self) -> None:
        """A letter that is to be tried again is not forgotten when the outbox was found empty before that was
        written."""
        self.start(warm=True)
        self.smsc.status = lambda pdu: 0x08 if not self.smsc.taken else 0
        written = self.outbox.waiting_for["settle"] = Deferred()
        (id,) = self.put(expires=0.0)
        self.pass_time(5)
        self.smsc.status = lambda pdu: 0
        self.pump.kick()
        self.pass_time(1)
        written.callback(None)
        self.pass_time(SETTINGS.retry_seconds)
        self.assertIs(self.letter(id).state, LetterState.SENT)

    # A store that fails.

    def test_settleFails(self) -> None:
        """What became of letters is not lost when the store fails; nothing more is taken meanwhile."""
        self.start(warm=True)
        self.outbox.failing.add("settle")
        ids = self.put(3)
        self.pass_time(10)
        self.assertEqual(len(self.smsc.taken), 3)
        self.outbox.sizes.clear()
        self.put(3, 10)
        self.pass_time(20)
        self.assertEqual(self.outbox.sizes, [])
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 1)
        self.outbox.failing.clear()
        self.pass_time(40)
        self.assertEqual(self.states(ids), {LetterState.SENT})
        self.assertEqual(len(self.smsc.taken), 6)

    def test_takeFails(self) -> None:
        """A store that cannot be read is asked again, less and less often."""
        self.start(warm=True)
        self.outbox.failing.add("take")
        self.put()
        self.outbox.tried.clear()
        self.pass_time(300)
        self.assertIn(self.outbox.tried.count("take"), range(5, 20))
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 1)
        self.outbox.failing.clear()
        self.pass_time(40)
        self.assertEqual(len(self.smsc.taken), 1)

    # The end.

    def test_stop(self) -> None:
        """A stop waits for answers, settles, and unbinds; what was not submitted is put back."""
        pump = self.start(evolve(SETTINGS, window=5), warm=True)
        self.smsc.holding = True
        ids = self.put(50)
        self.pass_time(0.3)
        done = pump.stopService()
        self.pass_time(1)
        self.assertNoResult(done)
        self.smsc.release()
        self.pass_time(1)
        self.successResultOf(done)
        states = [one.state for one in self.letters(ids)]
        self.assertEqual(states.count(LetterState.SENT), 5)
        self.assertEqual(states.count(LetterState.QUEUED), 45)
        self.assertFalse(any(one.doubted for one in self.letters(ids)))
        self.assertEqual((self.smsc.links, self.kinds(0)), ([], ["taken"]))

    def test_stopUnanswered(self) -> None:
        """A stop does not wait for ever: what is not answered is in doubt."""
        pump = self.start(evolve(SETTINGS, window=5), warm=True)
        self.smsc.silent = True
        ids = self.put(10)
        self.pass_time(0.3)
        done = pump.stopService()
        self.pass_time(SETTINGS.patience.drain + SETTINGS.timing.unbind + 3)
        self.successResultOf(done)
        letters = self.letters(ids)
        self.assertEqual({one.state for one in letters}, {LetterState.QUEUED})
        self.assertEqual(sum(one.doubted for one in letters), 5)

    def test_stopWithoutStore(self) -> None:
        """A stop ends also while the store fails."""
        pump = self.start(warm=True)
        self.outbox.failing.add("settle")
        self.put()
        self.pass_time(0.3)
        done = pump.stopService()
        self.pass_time(1)
        self.successResultOf(done)
        self.assertGreaterEqual(len(self.flushLoggedErrors(BackendDown)), 1)
        self.pump = None

    def test_startAgain(self) -> None:
        """A pump that was stopped can be started again."""
        pump = self.start(warm=True)
        self.stop()
        (id,) = self.put()
        self.pass_time(30)
        self.assertIs(self.letter(id).state, LetterState.QUEUED)
        pump.startService()
        self.pass_time(2)
        self.assertIs(self.letter(id).state, LetterState.SENT)

    def test_states(self) -> None:
        """How the SMSCs do can be asked."""
        pump = self.start()
        (state,) = pump.states()
        self.assertEqual((state.name, state.bound, state.wanted, state.used), ("acme at first", 1, 1, True))
