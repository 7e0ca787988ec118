"""Tests of one SMPP session, against a clock and a wire that is read with the real codec."""

from __future__ import annotations

import socket

from twisted.internet.interfaces import IProtocol
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.sms.bind import Bind, Parting, State
from gateway.sms.pdu import CONGESTION_STATE, SC_INTERFACE_VERSION, BadField, Pdu, build, raw, refusal, response
from gateway.sms.session import MOST_UNANSWERED, ISessionUser
from gateway.sms.settings import Timing
from tests.sms.fixtures import Seen, Socketed, Wire, answer, deliver

TIMING = Timing()


class SessionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.wires: list[Wire] = []

    def tearDown(self) -> None:
        for wire in self.wires:
            if wire.session not in wire.seen.over:
                wire.lose()
            self.assertEqual(wire.seen.over, [wire.session])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def wire(self, window: int = 10, command: str = "bind_transceiver") -> Wire:
        """A connection that has just been made."""
        wire = Wire(self.clock, Bind(command, "sys", "secret", "sms"), window)
        self.wires.append(wire)
        return wire

    def bound(self, window: int = 10) -> Wire:
        """A session that is bound, and whose window is open."""
        return self.wire(window).bind().warm()

    def pass_time(self, seconds: float) -> None:
        """Let so many seconds pass, one after the other."""
        for _ in range(round(seconds * 2)):
            self.clock.advance(0.5)

    # Binding.

    def test_interfaces(self) -> None:
        """The session is a protocol, and the tests' user of it a user."""
        self.assertTrue(verifyObject(IProtocol, self.wire().session))
        self.assertTrue(verifyObject(ISessionUser, Seen()))

    def test_bind(self) -> None:
        """The first thing sent is the bind; with its answer the session is bound and submits."""
        wire = self.wire()
        (pdu,) = wire.sent()
        self.assertEqual(
            (pdu.command, pdu.text("system_id"), pdu.text("password")), ("bind_transceiver", "sys", "secret")
        )
        self.assertEqual((pdu.text("system_type"), pdu.number("interface_version")), ("sms", 0x34))
        self.assertEqual((wire.session.state, wire.session.room), (State.OPEN, 0))
        wire.receive(response(pdu, system_id="SIM"))
        self.assertEqual((wire.session.state, wire.session.room), (State.BOUND, 1))
        self.assertEqual(wire.seen.sessions, [wire.session])

    def test_version(self) -> None:
        """What version the SMSC speaks is known if it says so."""
        self.assertEqual(self.wire().bind((SC_INTERFACE_VERSION, b"\x50")).session.version, 0x50)
        self.assertIsNone(self.wire().bind().session.version)

    def test_receiver(self) -> None:
        """A receiver submits nothing."""
        wire = self.wire(command="bind_receiver").bind()
        self.assertEqual((wire.session.state, wire.session.room), (State.BOUND, 0))

    def test_refused(self) -> None:
        """A refused bind ends the session, and its status can be read."""
        wire = self.wire()
        wire.receive(answer(wire.sent()[0], 0x0E))
        self.assertTrue(wire.closing)
        session = wire.session
        self.assertEqual((session.parting, session.bind_status, session.trouble), (Parting.REFUSED, 0x0E, "RINVPASWD"))

    def test_refusedByNack(self) -> None:
        """An SMSC that does not know the bind says so with a generic_nack."""
        wire = self.wire()
        wire.receive(refusal(3, wire.sent()[0].sequence))
        self.assertEqual((wire.session.parting, wire.session.bind_status), (Parting.REFUSED, 3))

    def test_bindUnanswered(self) -> None:
        """A bind that is not answered in time ends the session."""
        wire = self.wire()
        self.pass_time(TIMING.bind - 0.5)
        self.assertFalse(wire.closing)
        self.pass_time(1)
        self.assertTrue(wire.closing)
        self.assertIs(wire.session.parting, Parting.MUTE)

    def test_beforeTheBindAnswer(self) -> None:
        """Trap: the blocking client takes whatever comes first for the answer to its bind. Here enquire_link is
        answered before, a message is refused, a stray answer is passed over, and the bind goes on."""
        wire = self.wire()
        (bind,) = wire.sent()
        wire.receive(raw(0x15, 0, 7), deliver(8), raw(0x80000004, 0, bind.sequence, b"1\0"), raw(0x80000015, 0, 99))
        self.assertEqual([(p.command, p.status, p.sequence) for p in wire.sent()],
                         [("enquire_link_resp", 0, 7), ("deliver_sm_resp", 4, 8)])  # fmt: skip
        self.assertEqual((wire.session.state, wire.seen.messages), (State.OPEN, []))
        wire.receive(response(bind, system_id="SIM"))
        self.assertIs(wire.session.state, State.BOUND)

    def test_messageRightAfterTheBindAnswer(self) -> None:
        """A message in the same piece as the answer to the bind is handed over."""
        wire = self.wire()
        wire.receive(response(wire.sent()[0], system_id="SIM"), deliver(1))
        self.assertEqual([pdu.sequence for pdu in wire.seen.messages], [1])

    def test_unfitBind(self) -> None:
        """A password that fits into no PDU is not cut: nothing is sent, and it is said why."""
        wire = Wire(self.clock, Bind("bind_transceiver", "sys", "far too long"))
        self.wires.append(wire)
        self.assertEqual((wire.sent(), wire.closing), ([], True))
        self.assertIn("password", wire.session.trouble)
        self.assertNotIn("far too", wire.session.trouble)

    def test_passwordIsNotShown(self) -> None:
        """The bind does not show the password when it is printed."""
        self.assertNotIn("secret", repr(Bind("bind_receiver", "sys", "secret")))

    # Submits and their answers.

    def test_submit(self) -> None:
        """A submit is answered once, with its own answer."""
        wire = self.bound()
        (pdu,) = wire.submit()
        self.assertEqual((pdu.command, pdu.text("destination_addr")), ("submit_sm", "491701234567"))
        self.assertEqual(wire.session.outstanding, 1)
        wire.receive(response(pdu, message_id="77"), response(pdu, message_id="78"))
        self.assertEqual([a and a.text("message_id") for a in wire.answers], ["77"])
        self.assertEqual(wire.session.outstanding, 0)

    def test_outOfOrder(self) -> None:
        """Answers in any order find their requests."""
        wire = self.bound()
        pdus = wire.submit(5)
        order = [3, 0, 4, 1, 2]
        wire.receive(*(response(pdus[n], message_id=str(n)) for n in order))
        self.assertEqual([a and a.text("message_id") for a in wire.answers], [str(n) for n in order])

    def test_window(self) -> None:
        """There is room for one submit until the SMSC has answered one, then for the window."""
        wire = self.wire(window=5).bind()
        self.assertEqual(wire.session.room, 1)
        (pdu,) = wire.submit()
        self.assertEqual(wire.session.room, 0)
        wire.receive(response(pdu, message_id="1"))
        self.assertEqual(wire.session.room, 5)
        wire.submit(5)
        self.assertEqual(wire.session.room, 0)

    def test_errors(self) -> None:
        """An answer that refuses is the answer, with or without a body, or as a generic_nack."""
        wire = self.bound()
        first, second, third = wire.submit(3)
        wire.receive(answer(first, 0x58), answer(second, 0x14, b"\0"), refusal(0x45, third.sequence))
        self.assertEqual([a and a.status for a in wire.answers], [0x58, 0x14, 0x45])

    def test_wrongAnswers(self) -> None:
        """Answers to nothing, of another command, or without a number are passed over."""
        wire = self.bound()
        (pdu,) = wire.submit()
        wire.receive(
            raw(0x80000004, 0, 4711, b"1\0"), raw(0x80000005, 0, pdu.sequence, b"\0"), refusal(2, 0), raw(0x80009999)
        )
        self.assertEqual((wire.answers, wire.closing), ([], False))
        wire.receive(response(pdu, message_id="1"))
        self.assertEqual(len(wire.answers), 1)

    def test_unfit(self) -> None:
        """What cannot be put into a PDU is refused without a trace on the wire."""
        wire = self.bound()
        with self.assertRaises(BadField):
            wire.session.submit(
                lambda n: build(Pdu("submit_sm", 0, n, {"service_type": "123456"})), wire.answers.append
            )
        self.assertEqual((wire.sent(), wire.session.outstanding), ([], 0))

    def test_sequenceNumbers(self) -> None:
        """Sequence numbers count up."""
        first, second = self.bound().submit(2)
        self.assertEqual(second.sequence, first.sequence + 1)

    def test_lost(self) -> None:
        """When the connection is lost, every open submit is told that nothing is known, before the user is."""
        wire = self.bound()
        wire.submit(3)
        wire.lose()
        self.assertEqual(wire.answers, [None] * 3)
        self.assertIs(wire.session.parting, Parting.LOST)
        self.assertEqual((wire.session.outstanding, wire.session.room), (0, 0))

    def test_oneUnanswered(self) -> None:
        """A submit without an answer is given up after its time, and the session goes on if others were answered;
        a late answer is passed over."""
        wire = self.bound()
        lost, pdu = wire.submit(2)
        self.pass_time(20)
        wire.receive(response(pdu, message_id="1"))
        for _ in range(3):
            self.pass_time(15)
            wire.receive(raw(0x15, 0, 1))
        self.assertEqual(wire.answers[1:], [None])
        self.assertFalse(wire.closing)
        wire.receive(response(lost, message_id="2"))
        self.assertEqual((len(wire.answers), wire.session.outstanding), (2, 0))

    def test_inQuestion(self) -> None:
        """When a submit is left without an answer nothing is submitted until the SMSC gives a sign, for which it is
        asked at once: what is in doubt must not go to one that has fallen silent."""
        wire = self.bound()
        wire.submit()
        for _ in range(4):
            self.pass_time(14)
            (other,) = (pdu for pdu in wire.submit() if pdu.command == "submit_sm")
            wire.receive(response(other, message_id="1"))
        self.pass_time(5)
        self.assertEqual((wire.answers[-1], wire.session.outstanding, wire.session.room), (None, 0, 0))
        (asked,) = (pdu for pdu in wire.sent() if pdu.command == "enquire_link")
        self.assertEqual(wire.seen.willings, [])
        wire.receive(response(asked))
        self.assertEqual((wire.seen.willings, wire.session.room), ([wire.session], 10))

    def test_noneAnswered(self) -> None:
        """An SMSC that lives but answers no submit is left."""
        wire = self.bound()
        wire.submit(2)
        for _ in range(7):
            self.pass_time(10)
            if not wire.closing:
                wire.receive(raw(0x15, 0, 1))
        self.assertTrue(wire.closing)
        self.assertIs(wire.session.parting, Parting.MUTE)
        wire.lose()
        self.assertEqual(wire.answers, [None, None])

    def test_congestion(self) -> None:
        """What the SMSC says of its congestion is handed on, from any answer."""
        wire = self.bound()
        (pdu,) = wire.submit()
        wire.receive(Pdu("submit_sm_resp", 0, pdu.sequence, {"message_id": "1"}, ((CONGESTION_STATE, b"\x55"),)))
        self.assertEqual(wire.seen.congestion, [0x55])

    def test_failedSubmit(self) -> None:
        """Trap: the blocking client tells of a failed submit that it was sent, too. Here there is one answer."""
        wire = self.bound()
        (pdu,) = wire.submit()
        wire.receive(answer(pdu, 0x0B))
        self.assertEqual([a and a.status for a in wire.answers], [0x0B])

    # Messages from the SMSC.

    def test_message(self) -> None:
        """A message is handed over, and is answered when the user says so, with what he says."""
        wire = self.bound()
        wire.receive(deliver(5), deliver(6))
        self.assertEqual(wire.sent(), [])
        wire.session.answer(wire.seen.messages[1], 0x64)
        wire.session.answer(wire.seen.messages[0])
        self.assertEqual([(p.command, p.status, p.sequence) for p in wire.sent()],
                         [("deliver_sm_resp", 0x64, 6), ("deliver_sm_resp", 0, 5)])  # fmt: skip

    def test_dataSm(self) -> None:
        """A data_sm is a message too, and has an answer of its own name."""
        wire = self.bound()
        wire.receive(build(Pdu("data_sm", 0, 5, {"esm_class": 4})))
        wire.session.answer(wire.seen.messages[0])
        self.assertEqual([pdu.command for pdu in wire.sent()], ["data_sm_resp"])

    def test_acknowledged(self) -> None:
        """Small PDUs go out at once; and what is answered later is acknowledged by TCP at once, if nothing is sent that
        does so: the SMSC may wait for it before it sends more."""
        transport = Socketed()
        wire = Wire(self.clock, window=10, transport=transport)
        self.wires.append(wire)
        self.assertEqual(transport.told, [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)])
        wire.bind().warm()
        wire.session.submit(lambda number: build(Pdu("submit_sm", 0, number)), lambda answered: wire.submit())
        (asked,) = wire.sent()
        transport.told.clear()
        wire.receive(deliver(5), response(asked, message_id="2"))
        self.assertEqual(transport.told, [])
        wire.receive(deliver(6))
        self.assertEqual(transport.told, [(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)])
        for message in wire.seen.messages:
            wire.session.answer(message)
        wire.receive(raw(0x15, 0, 7))
        self.assertEqual(len(transport.told), 1)

    def test_damagedMessage(self) -> None:
        """A damaged message is handed over too: it has to be answered, or it comes again for ever."""
        wire = self.bound()
        wire.receive(raw(0x5, 0, 9, b"\0\1"))
        self.assertEqual([pdu.sequence for pdu in wire.seen.messages], [9])

    def test_oddSequence(self) -> None:
        """A request with a number that no request should have is answered with the same one."""
        wire = self.bound()
        wire.receive(raw(0x15, 0, 0xFFFFFFFF), raw(0x15, 0, 0))
        self.assertEqual([pdu.sequence for pdu in wire.sent()], [0xFFFFFFFF, 0])

    def test_answerAfterTheEnd(self) -> None:
        """An answer that comes when the connection is gone does no harm."""
        wire = self.bound()
        wire.receive(deliver(5))
        wire.lose()
        wire.session.answer(wire.seen.messages[0])
        self.assertEqual(wire.sent(), [])

    def test_flood(self) -> None:
        """While too many messages wait for their answer, no more are read; silence then means nothing."""
        wire = self.bound()
        wire.receive(*(deliver(n) for n in range(1, MOST_UNANSWERED + 1)))
        self.assertEqual(wire.transport.producerState, "paused")
        wire.submit()
        self.pass_time(200)
        self.assertEqual((wire.closing, wire.answers), (False, []))
        for pdu in wire.seen.messages[: MOST_UNANSWERED // 2]:
            wire.session.answer(pdu)
        self.assertEqual(wire.transport.producerState, "producing")
        wire.sent()
        self.pass_time(TIMING.silence)
        self.assertEqual(wire.commands(), ["enquire_link"])

    def test_others(self) -> None:
        """What no ESME serves is refused; what has no answer gets none; unknown commands too are refused."""
        wire = self.bound()
        wire.receive(
            raw(0x102, 0, 1, b"\0" * 7),
            raw(0x0B, 0, 2),
            build(Pdu("submit_sm", 0, 3)),
            raw(0x1234, 0, 4),
            raw(0x111, 0, 5),
        )
        self.assertEqual([(p.command, p.status, p.sequence) for p in wire.sent()],
                         [("generic_nack", 3, n) for n in (3, 4, 5)])  # fmt: skip
        self.assertFalse(wire.closing)

    def test_oddities(self) -> None:
        """Of odd PDUs the first, the tenth, the hundredth are logged."""
        wire = self.bound()
        with capturedLogs() as events:
            for number in range(150):
                wire.receive(raw(0x80000004, 0, 5000 + number, b"1\0"))
        self.assertEqual([event["odd"] for event in events if "odd" in event], [1, 10, 100])

    def test_userThatFails(self) -> None:
        """A fault of ours with one PDU is logged, and the next one is dealt with."""
        wire = self.bound()
        wire.session.submit(lambda n: build(Pdu("submit_sm", 0, n)), lambda answer: 1 / 0)  # type: ignore[func-returns-value]
        (first,) = wire.sent()
        (second,) = wire.submit()
        wire.receive(response(first, message_id="1"), response(second, message_id="2"))
        self.assertEqual(len(wire.answers), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    # The link.

    def test_enquireLink(self) -> None:
        """After silence the SMSC is asked for a sign; with it the session goes on, and is silent as long again."""
        wire = self.bound()
        for _ in range(3):
            self.pass_time(TIMING.silence - 0.5)
            self.assertEqual(wire.commands(), [])
            self.pass_time(0.5)
            (pdu,) = wire.sent()
            self.assertEqual(pdu.command, "enquire_link")
            wire.receive(answer(pdu))
        self.assertFalse(wire.closing)

    def test_deadPeer(self) -> None:
        """Trap: the blocking client never notices that enquire_link is not answered. Here the link is dropped."""
        wire = self.bound()
        self.pass_time(2 * TIMING.silence - 1)
        self.assertFalse(wire.closing)
        self.pass_time(1.5)
        self.assertTrue(wire.closing)
        self.assertIs(wire.session.parting, Parting.DEAD)

    def test_busyPeer(self) -> None:
        """A link on which something else comes is not dead, though enquire_link is not answered; while things come,
        nobody asks."""
        wire = self.bound()
        self.pass_time(TIMING.silence)
        self.assertEqual(wire.commands(), ["enquire_link"])
        for _ in range(10):
            self.pass_time(10)
            wire.receive(raw(0x15, 0, 1))
        self.assertFalse(wire.closing)
        self.assertEqual(set(wire.commands()), {"enquire_link_resp"})

    def test_trickle(self) -> None:
        """A PDU that comes too slowly ends the session, however often an octet of it comes."""
        wire = self.bound()
        frame = deliver(5)
        for octet in frame[:19]:
            wire.receive(bytes((octet,)))
            self.pass_time(0.5)
        self.assertFalse(wire.closing)
        wire.receive(frame[19:21])
        self.pass_time(1)
        self.assertTrue(wire.closing)
        self.assertIs(wire.session.parting, Parting.GARBLED)

    def test_pieces(self) -> None:
        """PDUs in pieces that come in time are whole; the time of each begins with its own first octet."""
        wire = self.bound()
        frame = deliver(5)
        for _ in range(10):
            wire.receive(frame[:20])
            self.pass_time(6)
            wire.receive(frame[20:] + frame[:10])
            self.pass_time(6)
            wire.receive(frame[10:])
        self.assertEqual(len(wire.seen.messages), 20)
        self.assertFalse(wire.closing)

    def test_garbage(self) -> None:
        """A length that no PDU has is refused with RINVCMDLEN, and the connection is closed, after what came before
        it was dealt with."""
        for length in (3, 15, 0x80000000):
            wire = self.bound()
            wire.receive(raw(0x15, 0, 6) + length.to_bytes(4, "big") + b"\0" * 12)
            self.assertEqual([(p.command, p.status) for p in wire.sent()],
                             [("enquire_link_resp", 0), ("generic_nack", 2)])  # fmt: skip
            self.assertTrue(wire.closing)
            self.assertIs(wire.session.parting, Parting.GARBLED)
            wire.receive(deliver(1))
            self.assertEqual((wire.seen.messages, wire.sent()), ([], []))

    def test_closedSlowly(self) -> None:
        """A connection that does not close by itself is cut."""
        wire = self.bound()
        wire.session.close(Parting.UNFIT)
        self.assertFalse(wire.transport.aborted)
        self.pass_time(TIMING.linger)
        self.assertTrue(wire.transport.aborted)

    # The end.

    def test_leave(self) -> None:
        """Unbinding waits for the answer, still answers messages, and submits nothing more."""
        wire = self.bound()
        wire.receive(deliver(5))
        left = wire.session.leave()
        (pdu,) = wire.sent()
        self.assertEqual((pdu.command, wire.session.room), ("unbind", 0))
        wire.session.answer(wire.seen.messages[0])
        self.assertEqual(wire.commands(), ["deliver_sm_resp"])
        self.assertNoResult(left)
        wire.receive(answer(pdu))
        self.successResultOf(left)
        self.assertTrue(wire.closing)
        self.assertIs(wire.session.parting, Parting.LEFT)

    def test_leaveUnanswered(self) -> None:
        """An SMSC that does not answer the unbind is not waited for longer than its time; nor one that hangs up."""
        wire = self.bound()
        left = [wire.session.leave(), wire.session.leave()]
        self.assertEqual(wire.commands(), ["unbind"])
        self.pass_time(TIMING.unbind)
        for one in left:
            self.successResultOf(one)
        self.assertTrue(wire.closing)
        wire = self.bound()
        gone = wire.session.leave()
        wire.lose()
        self.successResultOf(gone)
        self.assertIs(wire.session.parting, Parting.LEFT)
        self.successResultOf(wire.session.leave())

    def test_leaveBeforeTheBind(self) -> None:
        """A session that is not bound yet just closes."""
        wire = self.wire()
        left = wire.session.leave()
        self.assertTrue(wire.closing)
        wire.lose()
        self.successResultOf(left)

    def test_unbound(self) -> None:
        """Trap: the blocking client does not answer an unbind. Here it is answered, and the connection is closed."""
        wire = self.bound()
        wire.receive(raw(0x6, 0, 3))
        self.assertEqual([(p.command, p.sequence) for p in wire.sent()], [("unbind_resp", 3)])
        self.assertTrue(wire.closing)
        self.assertIs(wire.session.parting, Parting.UNBOUND)

    def test_unboundWithSubmits(self) -> None:
        """Answers that come after the SMSC's unbind still count, for a little while."""
        wire = self.bound()
        first, second = wire.submit(2)
        wire.receive(raw(0x6, 0, 3))
        self.assertEqual((wire.closing, wire.session.room), (False, 0))
        wire.receive(response(first, message_id="1"))
        self.assertEqual(len(wire.answers), 1)
        self.pass_time(TIMING.linger)
        self.assertTrue(wire.closing)
        wire.lose()
        self.assertEqual(wire.answers[1:], [None])
        self.assertEqual(second.command, "submit_sm")

    def test_anything(self) -> None:
        """Every command with bodies of rubbish leaves the session alive, and the process too."""
        wire = self.bound()
        for code in (*range(0x18), 0x21, 0x102, 0x103, 0x111, 0x80000000, *range(0x80000001, 0x80000018), 0xFFFFFFFF):
            for body in (b"", b"\0", b"\xff" * 7, b"abc"):
                if code != 0x6:
                    wire.receive(raw(code, 0, 77, body))
        self.assertFalse(wire.closing)
        (pdu,) = wire.submit()[-1:]
        wire.receive(response(pdu, message_id="1"))
        self.assertEqual(len(wire.answers), 1)
