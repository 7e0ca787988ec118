"""Tests of which SMSC is used, and of the binds to it."""

from __future__ import annotations

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from gateway.sms.centre import ICentreUser
from gateway.sms.meters import Meters
from gateway.sms.operator import IOperatorUser, Operator
from gateway.sms.pdu import Pdu, build
from gateway.sms.session import Session
from gateway.sms.settings import Binding, OperatorSettings, Patience, Timing
from tests.sms.smsc import Smsc, run, settle

SETTINGS = OperatorSettings("acme", "sys", "secret", timing=Timing(silence=10, response=20), patience=Patience())
PATIENCE = SETTINGS.patience


@implementer(IOperatorUser)
@define(eq=False)
class User:
    """What an operator tells its user."""

    called: int = 0
    messages: list[Pdu] = field(factory=list)

    def ready(self) -> None:
        self.called += 1

    def message(self, session: Session, pdu: Pdu) -> None:
        self.messages.append(pdu)
        session.answer(pdu)


class OperatorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.user = User()
        self.alarms: list[str] = []
        self.binds: list[int] = []
        self.first, self.second = Smsc(self.clock, "a"), Smsc(self.clock, "b")

    def tearDown(self) -> None:
        done = Deferred.fromCoroutine(self.operator.stop())
        self.pass_time(PATIENCE.drain)
        self.successResultOf(done)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.first.links + self.second.links, [])

    def start(self, settings: OperatorSettings = SETTINGS, alone: bool = False) -> Operator:
        meters = Meters(
            alarm=lambda name, text: self.alarms.append(text), binds=lambda name, count: self.binds.append(count)
        )
        places = [("first", self.first), ("second", self.second)]
        self.operator = Operator(settings, places[: 1 if alone else 2], self.user, self.clock, meters, lambda: 0.0)
        self.operator.start()
        settle(self.clock, self.first, self.second)
        return self.operator

    def pass_time(self, seconds: float) -> None:
        run(self.clock, seconds, self.first, self.second)

    def used(self) -> str:
        """The name of the SMSC that is used."""
        return self.operator.used.name.split()[-1] if self.operator.used is not None else ""

    def submit(self) -> list[int | None]:
        """Submit a message; what is answered will be in the list."""
        statuses: list[int | None] = []
        session = self.operator.choose()
        assert session is not None
        session.submit(
            lambda n: build(Pdu("submit_sm", 0, n, {"destination_addr": "1"})),
            lambda answer: statuses.append(None if answer is None else answer.status),
        )
        settle(self.clock, self.first, self.second)
        return statuses

    def test_interfaces(self) -> None:
        """The operator and its counterparts provide what they say."""
        self.assertTrue(verifyObject(ICentreUser, self.start()))
        self.assertTrue(verifyObject(IOperatorUser, self.user))
        self.assertTrue(verifyObject(IStreamClientEndpoint, self.first))

    def test_bound(self) -> None:
        """The first SMSC is bound to and used, the second is left alone, and nothing ticks."""
        operator = self.start()
        self.assertEqual((self.used(), operator.transmitting, operator.room), ("first", True, 1))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.pass_time(60)
        self.assertEqual((self.second.attempts, self.binds[-1]), (0, 1))

    def test_transceivers(self) -> None:
        """As many binds are made as the settings say, and their windows add up."""
        operator = self.start(evolve(SETTINGS, binds=3, window=5))
        self.assertEqual([link.bound for link in self.first.links], ["bind_transceiver"] * 3)
        self.assertEqual(operator.room, 3)
        for _ in range(6):
            self.submit()
        self.assertEqual(operator.room, 15)

    def test_pairs(self) -> None:
        """Pairs are a transmitter and a receiver each; only transmitters submit."""
        operator = self.start(evolve(SETTINGS, binding=Binding.PAIR, binds=2))
        self.assertEqual(
            sorted(link.bound for link in self.first.links), ["bind_receiver"] * 2 + ["bind_transmitter"] * 2
        )
        self.assertEqual(operator.room, 2)
        receiver = next(link for link in self.first.links if link.bound == "bind_receiver")
        receiver.send(build(Pdu("deliver_sm", 0, 1, {"esm_class": 4})))
        self.assertEqual(len(self.user.messages), 1)

    def test_onlyReceivers(self) -> None:
        """With a receiver alone nothing can be submitted."""
        operator = self.start(evolve(SETTINGS, binding=Binding.PAIR))
        next(link for link in self.first.links if link.bound == "bind_transmitter").cut()
        self.first.up = False
        settle(self.clock, self.first)
        self.assertEqual((operator.transmitting, operator.room, operator.choose()), (False, 0, None))

    def test_balance(self) -> None:
        """The session with the most room is chosen."""
        self.start(evolve(SETTINGS, binds=2))
        self.submit()
        self.submit()
        self.first.holding = True
        for _ in range(10):
            self.submit()
        self.assertEqual(sorted(session.outstanding for session in self.operator.centres[0].bound), [5, 5])
        self.first.release()

    def test_reconnects(self) -> None:
        """A lost bind is made again, later after each failure, and at most so late as it is set."""
        self.start(alone=True)
        self.first.kill()
        self.assertFalse(self.operator.transmitting)
        self.pass_time(300)
        self.assertIn(self.first.attempts, range(8, 16))
        self.first.up = True
        self.pass_time(PATIENCE.longest + 1)
        self.assertTrue(self.operator.transmitting)

    def test_flapping(self) -> None:
        """An SMSC that takes binds and drops them at once is not bound to faster and faster."""
        self.start(alone=True)
        for _ in range(400):
            for link in list(self.first.links):
                link.cut()
            self.pass_time(0.5)
        self.assertLess(self.first.attempts, 16)

    def test_ready(self) -> None:
        """The user is told when there may be room."""
        self.start()
        before = self.user.called
        self.first.links[0].cut()
        self.pass_time(2)
        self.assertGreater(self.user.called, before + 1)

    def test_failsOver(self) -> None:
        """While the first SMSC does not answer, the second is used after a while; not before."""
        self.first.up = False
        self.start()
        self.pass_time(PATIENCE.failover - 1)
        self.assertEqual(self.second.attempts, 0)
        self.pass_time(2)
        self.assertEqual((self.used(), self.operator.transmitting), ("second", True))

    def test_shortBreak(self) -> None:
        """A break that is soon over brings nobody else in."""
        self.start()
        self.first.links[0].cut()
        self.pass_time(60)
        self.assertEqual((self.used(), self.second.attempts), ("first", 0))

    def test_failsBack(self) -> None:
        """When the first SMSC has been back for a while it is used again; the second stays bound for its receipts, and
        is left after that."""
        self.start()
        self.first.kill()
        self.pass_time(PATIENCE.failover + 2)
        self.assertEqual(self.submit(), [0])
        self.assertEqual(self.second.numbers, ["1"])
        self.first.up = True
        self.pass_time(PATIENCE.longest)
        self.assertTrue(self.first.links)
        self.pass_time(PATIENCE.failback)
        self.assertEqual(self.used(), "first")
        self.assertEqual(len(self.second.links), 1)
        self.second.receipt("b1")
        self.assertEqual(len(self.user.messages), 1)
        self.pass_time(PATIENCE.retire)
        self.assertEqual((self.second.links, self.operator.centres[1].running), ([], False))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_notBackLongEnough(self) -> None:
        """A first SMSC that comes and goes does not take over; when the second goes, it does at once."""
        self.start()
        self.first.kill()
        self.pass_time(PATIENCE.failover + 2)
        self.first.up = True
        for _ in range(20):
            self.pass_time(PATIENCE.failback / 2)
            self.assertEqual(self.used(), "second")
            for link in list(self.first.links):
                link.cut()
        self.pass_time(PATIENCE.longest)
        self.second.kill()
        self.assertEqual(self.used(), "first")

    def test_mute(self) -> None:
        """An SMSC that takes binds and submits and answers nothing is the last choice for a while."""
        self.start()
        self.first.silent = True
        lost = self.submit()
        self.pass_time(2 * SETTINGS.timing.silence + 1)
        self.assertEqual(lost, [None])
        self.first.silent = False
        self.first.holding = True
        self.pass_time(PATIENCE.failover + 2)
        self.assertTrue(self.first.links)
        self.assertEqual(self.used(), "second")
        self.pass_time(PATIENCE.failback + 60)
        self.assertEqual(self.used(), "second")
        self.first.release()
        self.pass_time(PATIENCE.suspect)
        self.assertEqual(self.used(), "first")

    def test_muteAlone(self) -> None:
        """Where there is no other, the one under suspicion is used; an answer clears it."""
        self.start(alone=True)
        self.first.silent = True
        self.submit()
        self.pass_time(2 * SETTINGS.timing.silence + 1)
        self.first.silent = False
        self.pass_time(60)
        self.assertTrue(self.operator.transmitting)
        self.assertFalse(self.operator.centres[0].good)
        self.assertEqual(self.submit(), [0])
        self.assertTrue(self.operator.centres[0].good)

    def test_wrongPassword(self) -> None:
        """When the account is refused, there is one alarm for all binds, the next attempt comes after a long time, and
        the state says why; when it is set right, all is well."""
        self.first.bind_status = 0x0E
        self.start(evolve(SETTINGS, binds=3), alone=True)
        self.pass_time(PATIENCE.account - 10)
        self.assertEqual(self.first.attempts, 3)
        self.assertEqual(len(self.alarms), 1)
        self.assertIn("RINVPASWD", self.alarms[0])
        state = self.operator.states()[0]
        self.assertEqual((state.bound, state.wanted, state.used), (0, 3, False))
        self.assertIn("RINVPASWD", state.trouble)
        self.first.bind_status = 0
        self.pass_time(20)
        state = self.operator.states()[0]
        self.assertEqual((state.bound, state.trouble, state.used), (3, "", True))

    def test_tooManyBinds(self) -> None:
        """A bind that is refused for another reason is tried again with the usual back-off."""
        self.first.bind_status = 0x05
        self.start(alone=True)
        self.pass_time(30)
        self.assertGreater(self.first.attempts, 4)
        self.assertEqual(self.alarms, [])

    def test_unreachable(self) -> None:
        """Why there is no connection can be read."""
        self.first.up = False
        self.start(alone=True)
        self.assertIn("nobody listens", self.operator.states()[0].trouble)

    def test_barred(self) -> None:
        """While the account is barred nothing is submitted; after a long time it is tried again."""
        operator = self.start(alone=True)
        operator.bar(0x101)
        self.assertEqual((operator.transmitting, operator.barred, len(self.alarms)), (False, "RPROHIBITED", 1))
        self.assertIsNone(operator.choose())
        before = self.user.called
        self.pass_time(PATIENCE.account + 2)
        self.assertEqual((operator.transmitting, operator.barred), (True, ""))
        self.assertGreater(self.user.called, before)

    def test_congestion(self) -> None:
        """A congested SMSC is spared."""
        operator = self.start(evolve(SETTINGS, rate=100.0))
        session = operator.choose()
        assert session is not None
        operator.congested(session, 95)
        self.assertEqual(operator.rate.now, 50)

    def test_stop(self) -> None:
        """Stopping unbinds everywhere, and nothing is bound again."""
        operator = self.start(evolve(SETTINGS, binds=2))
        done = Deferred.fromCoroutine(operator.stop())
        settle(self.clock, self.first)
        self.successResultOf(done)
        self.assertEqual(self.first.links, [])
        attempts = self.first.attempts
        self.pass_time(300)
        self.assertEqual(self.first.attempts, attempts)

    def test_stopDeaf(self) -> None:
        """An SMSC that does not answer the unbind does not keep anybody."""
        operator = self.start()
        self.first.silent = True
        done = Deferred.fromCoroutine(operator.stop())
        self.pass_time(SETTINGS.timing.unbind - 1)
        self.assertNoResult(done)
        self.pass_time(1.5)
        self.successResultOf(done)
