"""Tests of the simulated SMSC: what it does by its terms, and each way in which it misbehaves."""

from __future__ import annotations

from attrs import define, field
from smpplib import smpp
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from gateway.simulator.shortmessage import ShortMessage
from gateway.simulator.smsc import Session, Smsc
from gateway.simulator.terms import Carrier, Ids, Misbehaviour, Terms
from gateway.sms import pdu
from gateway.sms.alphabet import GSM
from gateway.sms.pdu import Frames, Pdu
from gateway.sms.udh import Concatenation, in_parts

NUMBER = "491701234567"


class Wire(StringTransport):
    """A transport that remembers that it was broken off."""

    def abortConnection(self) -> None:
        self.loseConnection()
        self.aborting = True


@define(eq=False)
class Client:
    """A client at the other end of a session."""

    session: Session
    wire: Wire = field(factory=Wire)
    frames: Frames = field(factory=Frames)
    sequence: int = 0

    def __attrs_post_init__(self) -> None:
        self.session.makeConnection(self.wire)

    def send(self, command: str, tlvs: tuple[tuple[int, bytes], ...] = (), **fields: pdu.Value) -> int:
        self.sequence += 1
        self.session.dataReceived(pdu.build(Pdu(command, sequence=self.sequence, fields=fields, tlvs=tlvs)))
        return self.sequence

    def raw(self) -> bytes:
        data = self.wire.value()
        self.wire.clear()
        return data

    def heard(self) -> list[Pdu]:
        return [pdu.parse(frame) for frame in self.frames.feed(self.raw())]

    def bind(self, command: str = "bind_transceiver", **fields: str) -> list[Pdu]:
        self.send(command, **{"system_id": "test", "password": "secret", "interface_version": 0x34, **fields})
        return self.heard()

    def submit(self, to: str = NUMBER, message: bytes = b"PUSHGW 1f3a", receipt: int = 1, **fields: pdu.Value) -> int:
        return self.send(
            "submit_sm",
            source_addr="pushgw",
            destination_addr=to,
            short_message=message,
            registered_delivery=receipt,
            **fields,
        )


class SmscTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.got: list[ShortMessage] = []
        self.clients: list[Client] = []
        self.smsc = Smsc(self.clock)

    def tearDown(self) -> None:
        """When everybody is gone, and what was on its way forgotten, no timer is left."""
        self.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def stop(self) -> None:
        for client in self.clients:
            client.session.connectionLost()
        self.assertEqual(self.smsc.sessions, [])
        self.clients.clear()
        self.smsc.close()

    def start(self, terms: Terms | None = None, **wrong: object) -> Client:
        self.stop()
        self.smsc = Smsc(self.clock, self.got.append, terms or Terms(), Misbehaviour(**wrong))
        client = self.another()
        client.bind()
        return client

    def another(self) -> Client:
        session = self.smsc.buildProtocol(None)
        self.clients.append(Client(session))
        return self.clients[-1]


class GoodTests(SmscTestCase):
    def test_message(self) -> None:
        """A message is answered at once, and is at the phone, with a receipt, after the delay."""
        client = self.start()
        sequence = client.submit()
        [answer] = client.heard()
        self.assertEqual((answer.command, answer.status, answer.sequence), ("submit_sm_resp", 0, sequence))
        self.assertEqual(self.got, [])
        self.clock.advance(1)
        [message] = self.got
        self.assertEqual((message.source, message.destination, message.text), ("pushgw", NUMBER, "PUSHGW 1f3a"))
        [receipt] = client.heard()
        id = answer.text("message_id")
        self.assertEqual((receipt.number("esm_class"), receipt.text("source_addr")), (4, NUMBER))
        self.assertEqual(receipt.tlv_text(pdu.RECEIPTED_MESSAGE_ID), id)
        self.assertEqual(receipt.tlv_number(pdu.MESSAGE_STATE), 2)
        self.assertEqual(
            receipt.message.decode(),
            f"id:{id} sub:001 dlvrd:001 submit date:7001010000 done date:7001010000 stat:DELIVRD err:000 text:",
        )
        client.session.dataReceived(pdu.build(pdu.response(receipt)))
        self.assertEqual(self.smsc.counts, {"binds": 1, "submits": 1, "receipts": 1, "acknowledged": 1})

    def test_unreached(self) -> None:
        """A phone that cannot be reached gets nothing, and the receipt says so."""
        client = self.start()
        client.submit("4905")
        self.clock.advance(1)
        receipt = client.heard()[1]
        self.assertEqual((self.got, receipt.tlv_number(pdu.MESSAGE_STATE)), ([], 5))
        self.assertIn(b"stat:UNDELIV", receipt.message)

    def test_receiptsAskedFor(self) -> None:
        """A receipt comes if it was asked for: always, on failure only, or never."""
        client = self.start()
        for to, asked, count in ((NUMBER, 0, 0), (NUMBER, 2, 0), ("4905", 2, 1), ("4905", 1, 1), ("4905", 0, 0)):
            client.submit(to, receipt=asked)
            self.clock.advance(1)
            self.assertEqual(len(client.heard()) - 1, count, (to, asked))

    def test_refusedNumbers(self) -> None:
        """The end of a number, and whether anybody has it, decides on the status."""
        client = self.start()
        self.smsc.knows = lambda number: number.startswith("49")
        for to, status in (("4958", 0x58), ("4914", 0x14), ("4911", 0x0B), ("4712", 0x0B), (NUMBER, 0)):
            client.submit(to)
            self.assertEqual([answer.status for answer in client.heard()], [status], to)
        self.assertEqual(self.smsc.counts["refused"], 4)

    def test_ids(self) -> None:
        """Ids of answers and receipts are the same number, each written as the terms say."""
        for ids, bases in ((Ids.HEX, (16, 16)), (Ids.HEX_THEN_DECIMAL, (16, 10)), (Ids.DECIMAL_THEN_HEX, (10, 16))):
            client = self.start(Terms(ids=ids))
            client.submit()
            self.clock.advance(1)
            answer, receipt = client.heard()
            answered, received = answer.text("message_id"), receipt.tlv_text(pdu.RECEIPTED_MESSAGE_ID)
            self.assertEqual(int(answered, bases[0]), int(received or "", bases[1]))
            self.assertEqual(answered == received, ids is Ids.HEX)

    def test_carriers(self) -> None:
        """The facts of a receipt come in parameters, in the text, or in both."""
        for carrier, tlvs, text in ((Carrier.BOTH, 3, True), (Carrier.TLVS, 3, False), (Carrier.TEXT, 0, True)):
            client = self.start(Terms(carrier=carrier))
            client.submit()
            self.clock.advance(1)
            receipt = client.heard()[1]
            self.assertEqual((len(receipt.tlvs), bool(receipt.message)), (tlvs, text))

    def test_binds(self) -> None:
        """A bind wants the right account, and no more of them at once than allowed."""
        client = self.start(Terms(binds=1))
        self.assertEqual(client.bind()[0].status, 0x05)
        for fields, status in (({"system_id": "x"}, 0x0F), ({"password": "x"}, 0x0E), ({}, 0x05)):
            other = self.another()
            [answer] = other.bind(**fields)
            self.assertEqual((answer.status, other.wire.disconnecting), (status, True))
        self.smsc.terms = Terms(accounts={})
        [answer] = self.another().bind(system_id="anybody")
        self.assertEqual((answer.status, answer.tlv_number(pdu.SC_INTERFACE_VERSION)), (0, 0x34))

    def test_bindModes(self) -> None:
        """A receiver may not submit, and gets the receipts of the transmitter's messages; none is lost before that."""
        self.start()
        sender = self.another()
        sender.bind("bind_transmitter", system_id="test")
        self.clients[0].session.dataReceived(pdu.build(Pdu("unbind", sequence=9)))
        self.clients.pop(0).session.connectionLost()
        sender.submit()
        self.clock.advance(1)
        self.assertEqual([one.command for one in sender.heard()], ["submit_sm_resp"])
        receiver = self.another()
        self.assertEqual([one.command for one in receiver.bind("bind_receiver")], ["bind_receiver_resp", "deliver_sm"])
        receiver.submit()
        self.assertEqual(receiver.heard()[0].status, 0x04)

    def test_unbind(self) -> None:
        """An unbind is answered, and then the connection ends."""
        client = self.start()
        client.send("unbind")
        self.assertEqual([one.command for one in client.heard()], ["unbind_resp"])
        self.assertTrue(client.wire.disconnecting)

    def test_maintenance(self) -> None:
        """Before a maintenance every session is unbound; it ends with the answer."""
        client = self.start()
        self.smsc.unbind()
        [request] = client.heard()
        self.assertEqual(request.command, "unbind")
        client.session.dataReceived(pdu.build(pdu.response(request)))
        self.assertTrue(client.wire.disconnecting)

    def test_enquiries(self) -> None:
        """It answers enquiries, and sends its own if its terms say so."""
        client = self.start(Terms(enquiry=30))
        sequence = client.send("enquire_link")
        self.assertEqual([(one.command, one.sequence) for one in client.heard()], [("enquire_link_resp", sequence)])
        self.clock.pump([30, 30])
        self.assertEqual([one.command for one in client.heard()], ["enquire_link", "enquire_link"])

    def test_rate(self) -> None:
        """Above its rate a session is throttled, until the next second."""
        client = self.start(Terms(rate=2))
        statuses = []
        for _ in range(2):
            for _ in range(3):
                client.submit(receipt=0)
            statuses += [one.status for one in client.heard()]
            self.clock.advance(1)
        self.assertEqual(statuses, [0, 0, 0x58] * 2)

    def test_parts(self) -> None:
        """The parts of a long message reach the phone as one, however they are joined and in whatever order."""
        client = self.start()
        for how in (Concatenation.UDH8, Concatenation.UDH16, Concatenation.SAR, Concatenation.PAYLOAD):
            self.got.clear()
            for part in reversed(in_parts("[long]" * 50, GSM, how, 7)):
                client.send(
                    "submit_sm",
                    part.tlvs,
                    source_addr="pushgw",
                    destination_addr=NUMBER,
                    esm_class=0x40 * part.udhi,
                    short_message=part.short_message,
                )
            self.clock.advance(1)
            self.assertEqual([message.text for message in self.got], ["[long]" * 50], how)

    def test_replaced(self) -> None:
        """A message that asks for it takes the place of one for the same phone that is on its way."""
        client = self.start()
        for text, replace in ((b"one", 0), (b"two", 1), (b"three", 1)):
            client.submit(message=text, replace_if_present_flag=replace)
        client.submit("4912", message=b"other", replace_if_present_flag=1)
        self.clock.advance(1)
        self.assertEqual([message.text for message in self.got], ["three", "other"])

    def test_wrongRequests(self) -> None:
        """An unknown command, a broken header and an impossible length are refused as the protocol says."""
        client = self.start()
        client.session.dataReceived(pdu.raw(0x1234, sequence=77))
        [answer] = client.heard()
        self.assertEqual((answer.command, answer.status, answer.sequence), ("generic_nack", 0x03, 77))
        client.submit(message=b"\x09x", esm_class=0x40)
        self.assertEqual(client.heard()[0].status, 0x43)
        client.session.dataReceived(b"\0\0\0\x03")
        self.assertEqual([(one.command, one.status) for one in client.heard()], [("generic_nack", 0x02)])
        self.assertTrue(client.wire.disconnecting)

    def test_killed(self) -> None:
        """A killed SMSC breaks its sessions off and forgets what was on its way."""
        client = self.start()
        client.submit()
        self.smsc.close()
        self.clock.advance(10)
        self.assertTrue(client.wire.disconnecting)
        self.assertEqual(self.got, [])


class MisbehaviourTests(SmscTestCase):
    def submitted(self, client: Client, count: int) -> list[int]:
        """Submit so often; the sequence numbers."""
        return [client.submit(receipt=0) for _ in range(count)]

    def test_pieces(self) -> None:
        """Everything goes out in pieces with pauses, and is whole in the end."""
        client = self.start()
        self.smsc.misbehaviour = Misbehaviour(pieces=5, pause=0.1)
        sequences = self.submitted(client, 2)
        answers = []
        for _ in range(40):
            self.assertLessEqual(len(client.wire.value()), 5)
            answers += client.heard()
            self.clock.advance(0.1)
        self.assertEqual([answer.sequence for answer in answers], sequences)

    def test_throttled(self) -> None:
        """Every so many-th submit is throttled, and none of those reaches a phone."""
        client = self.start(throttled=3)
        self.submitted(client, 7)
        self.assertEqual([one.status for one in client.heard()], [0, 0, 0x58, 0, 0, 0x58, 0])
        self.clock.advance(1)
        self.assertEqual(len(self.got), 5)

    def test_missing(self) -> None:
        """An answer is missing though the phone gets the message."""
        client = self.start(missing=2)
        sequences = self.submitted(client, 3)
        self.assertEqual([one.sequence for one in client.heard()], [sequences[0], sequences[2]])
        self.clock.advance(1)
        self.assertEqual(len(self.got), 3)

    def test_lost(self) -> None:
        """A submit is not heard: no answer, and nothing for the phone."""
        client = self.start(lost=2)
        self.submitted(client, 3)
        self.assertEqual(len(client.heard()), 2)
        self.clock.advance(1)
        self.assertEqual(len(self.got), 2)

    def test_wrongSequence(self) -> None:
        """An answer comes under a number that was not asked."""
        client = self.start(wrong_sequence=2)
        sequences = self.submitted(client, 2)
        first, second = client.heard()
        self.assertEqual(first.sequence, sequences[0])
        self.assertNotIn(second.sequence, sequences)

    def test_shuffled(self) -> None:
        """Answers come in another order, the last ones after a while."""
        client = self.start(shuffled=3, held=2)
        sequences = self.submitted(client, 4)
        self.assertEqual([one.sequence for one in client.heard()], sequences[2::-1])
        self.clock.advance(2)
        self.assertEqual([one.sequence for one in client.heard()], sequences[3:])

    def test_early(self) -> None:
        """The receipt is there before the answer."""
        client = self.start(early=True)
        client.submit()
        receipt, answer = client.heard()
        self.assertEqual((receipt.command, answer.command), ("deliver_sm", "submit_sm_resp"))
        self.assertEqual(receipt.tlv_text(pdu.RECEIPTED_MESSAGE_ID), answer.text("message_id"))

    def test_twiceElsewhere(self) -> None:
        """Receipts come twice, and on another bind of the account if there is one."""
        client = self.start(twice=True, elsewhere=True)
        client.submit()
        self.clock.advance(1)
        self.assertEqual(len(client.heard()), 3)
        other = self.another()
        other.bind()
        client.submit()
        self.clock.advance(1)
        self.assertEqual((len(client.heard()), len(other.heard())), (1, 2))

    def test_oddTlvs(self) -> None:
        """The parameters are such that smpplib fails over them or misreads them, and a reader of our own does not."""
        client = self.start(odd_tlvs=True)
        client.submit()
        self.clock.advance(1)
        raw = client.raw()
        answer, receipt = Frames().feed(raw)
        for frame in (answer, receipt):
            self.assertRaises(KeyError, smpp.parse_pdu, frame, client=_Numbers(), allow_unknown_opt_params=True)
        read = pdu.parse(receipt)
        self.assertEqual(
            (read.damaged, read.tlv_number(pdu.MESSAGE_STATE), read.tlv_text(pdu.RECEIPTED_MESSAGE_ID)),
            ("", 2, pdu.parse(answer).text("message_id")),
        )
        [bound] = self.another().bind()
        self.assertEqual(bound.tlv_number(pdu.CONGESTION_STATE), 7)

    def test_silentAfter(self) -> None:
        """From then on it says nothing, not even to an enquiry; the connection stays."""
        client = self.start(silent_after=2)
        self.submitted(client, 4)
        client.send("enquire_link")
        self.assertEqual(len(client.heard()), 2)
        self.assertFalse(client.wire.disconnecting)

    def test_halfAfter(self) -> None:
        """It stops in the middle of an answer."""
        client = self.start(half_after=1)
        self.submitted(client, 3)
        self.assertEqual(len(client.heard()), 1)
        self.assertTrue(client.frames.partial)

    def test_dropAfter(self) -> None:
        """It breaks off instead of an answer."""
        client = self.start(drop_after=1)
        self.submitted(client, 2)
        self.assertEqual(len(client.heard()), 1)
        self.assertTrue(client.wire.disconnecting)

    def test_unbindAfter(self) -> None:
        """It unbinds though nobody asked."""
        client = self.start(unbind_after=2)
        self.submitted(client, 2)
        self.assertEqual([one.command for one in client.heard()], ["submit_sm_resp", "submit_sm_resp", "unbind"])

    def test_lengthAfter(self) -> None:
        """A PDU begins that no client can read."""
        for length in (3, 2**31):
            client = self.start(length=length, length_after=1)
            self.submitted(client, 2)
            client.heard()
            self.assertEqual(client.frames.refused, length)

    def test_everySession(self) -> None:
        """Each session counts anew, so that who comes back gets as far again."""
        self.start(silent_after=1)
        client = self.another()
        client.bind()
        self.submitted(client, 2)
        self.assertEqual(len(client.heard()), 1)

    def test_binding(self) -> None:
        """A bind is refused, not answered, or preceded by an enquiry."""
        self.start()
        for wrong, heard in (
            (Misbehaviour(bind_status=0x0D), [("bind_transceiver_resp", 0x0D)]),
            (Misbehaviour(bind_silent=True), []),
            (Misbehaviour(enquires_first=True), [("enquire_link", 0), ("bind_transceiver_resp", 0)]),
        ):
            self.smsc.misbehaviour = wrong
            self.assertEqual([(one.command, one.status) for one in self.another().bind()], heard)


class _Numbers:
    """What smpplib takes sequence numbers from."""

    sequence = 0

    def next_sequence(self) -> int:
        return 1
