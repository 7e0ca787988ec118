"""Tests of delivery receipts in all the ways in which vendors write them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.sms.pdu import MESSAGE_PAYLOAD, MESSAGE_STATE, NETWORK_ERROR_CODE, RECEIPTED_MESSAGE_ID, Pdu, build, parse
from gateway.sms.receipts import DOUBTFUL, RECENT, SURE, MessageIds, Report, canonical, in_form, read_report
from gateway.sms.settings import IdForm
from gateway.trigger import LetterState

TEXT = "id:4F2A sub:001 dlvrd:001 submit date:2601020304 done date:2601020305 stat:DELIVRD err:000 text:PUSHGW 1f"


def deliver(text: str | bytes = "", *tlvs: tuple[int, bytes], esm_class: int = 4, data_coding: int = 0) -> Pdu:
    """A deliver_sm as it is after its way over the wire."""
    message = text if isinstance(text, bytes) else text.encode("latin-1")
    fields = {"esm_class": esm_class, "data_coding": data_coding, "short_message": message}
    return parse(build(Pdu("deliver_sm", 0, 1, fields, tlvs)))


def report(text: str | bytes = "", *tlvs: tuple[int, bytes], esm_class: int = 4, data_coding: int = 0) -> Report:
    """What a receipt says."""
    found = read_report(deliver(text, *tlvs, esm_class=esm_class, data_coding=data_coding))
    assert found is not None
    return found


class ReportTests(SynchronousTestCase):
    def test_text(self) -> None:
        """The text as the specification suggests it."""
        self.assertEqual(report(TEXT), Report("4F2A", "DELIVRD"))
        self.assertIs(report(TEXT).state, LetterState.DELIVERED)

    def test_parameters(self) -> None:
        """Optional parameters alone are enough."""
        said = report(
            "", (RECEIPTED_MESSAGE_ID, b"4F2A\0"), (MESSAGE_STATE, b"\x05"), (NETWORK_ERROR_CODE, b"\x03\x00\x15")
        )
        self.assertEqual(said, Report("4F2A", "UNDELIV", "3/21"))
        self.assertEqual(said.result, "UNDELIV err 3/21")

    def test_parametersFirst(self) -> None:
        """Where parameters and text differ, the parameters count; the text gives what they lack."""
        self.assertEqual(
            report(TEXT, (RECEIPTED_MESSAGE_ID, b"77\0"), (MESSAGE_STATE, b"\x03")), Report("77", "EXPIRED")
        )
        self.assertEqual(report(TEXT, (MESSAGE_STATE, b"\x08")), Report("4F2A", "REJECTD"))
        self.assertEqual(report(TEXT, (RECEIPTED_MESSAGE_ID, b"77\0")), Report("77", "DELIVRD"))

    def test_missingTerminator(self) -> None:
        """An id without its NUL loses nothing; one with two gains nothing."""
        for value in (b"ABC123", b"ABC123\0", b"ABC123\0\0"):
            self.assertEqual(report("", (RECEIPTED_MESSAGE_ID, value)).message_id, "ABC123")

    def test_case(self) -> None:
        """Names and states may be in any case."""
        self.assertEqual(report(TEXT.lower()), Report("4f2a", "DELIVRD"))
        self.assertEqual(report(TEXT.upper()), Report("4F2A", "DELIVRD"))

    def test_order(self) -> None:
        """The fields may come in any order."""
        self.assertEqual(
            report("stat:EXPIRED err:012 done date:2601020305 dlvrd:000 id:9"), Report("9", "EXPIRED", "012")
        )

    def test_dates(self) -> None:
        """Dates with seconds, with the century or with other names do no harm."""
        for date in ("260102030405", "20260102030405", "2026-01-02T03:04:05", "0"):
            for name in ("submit date", "submit_date", "submitdate", "Submit Date"):
                self.assertEqual(report(f"id:9 {name}:{date} done date:{date} stat:DELETED"), Report("9", "DELETED"))

    def test_missingFields(self) -> None:
        """What is missing is not needed: a count of deliveries stands for the state, and without either nothing is
        known."""
        self.assertEqual(report("id:9 stat:DELIVRD"), Report("9", "DELIVRD"))
        self.assertEqual(report("id:9 sub:001 dlvrd:001"), Report("9", "DELIVRD"))
        self.assertEqual(report("id:9 sub:001 dlvrd:000"), Report("9", "UNKNOWN"))
        self.assertEqual(report("id:9"), Report("9", "UNKNOWN"))
        self.assertEqual(report("stat:DELIVRD"), Report("", "DELIVRD"))
        self.assertEqual(report(""), Report("", "UNKNOWN"))

    def test_spaces(self) -> None:
        """Spaces, line ends and commas between fields and after colons are passed over."""
        self.assertEqual(report("id: 9\r\nstat : DELIVRD,err: 001;text:"), Report("9", "DELIVRD", "001"))

    def test_firstCounts(self) -> None:
        """The text of the message itself cannot change what was said before it."""
        self.assertEqual(report("id:9 stat:UNDELIV text:id:8 stat:DELIVRD"), Report("9", "UNDELIV"))
        self.assertEqual(report("id:9 stat:UNDELIV text:paid:8 restat:DELIVRD").word, "UNDELIV")

    def test_states(self) -> None:
        """Each state has its number, its word, its long word, and what it makes of the letter."""
        moving, there, lost = LetterState.SENT, LetterState.DELIVERED, LetterState.UNDELIVERED
        states = (
            (0, "SCHEDULED", "SCHEDULED", moving),
            (1, "ENROUTE", "ENROUTE", moving),
            (2, "DELIVRD", "DELIVERED", there),
            (3, "EXPIRED", "EXPIRED", lost),
            (4, "DELETED", "DELETED", lost),
            (5, "UNDELIV", "UNDELIVERABLE", lost),
            (6, "ACCEPTD", "ACCEPTED", moving),
            (7, "UNKNOWN", "UNKNOWN", moving),
            (8, "REJECTD", "REJECTED", lost),
            (9, "SKIPPED", "SKIPPED", lost),
        )
        for number, word, long, state in states:
            for said in (
                report("id:9", (MESSAGE_STATE, bytes((number,)))),
                report(f"id:9 stat:{word}"),
                report(f"id:9 stat:{long}"),
                report(f"id:9 stat:{number}"),
            ):
                self.assertEqual((said.word, said.state), (word, state))
        self.assertEqual(report("id:9 stat:FAILED").word, "UNDELIV")
        self.assertEqual(report("id:9 stat:WHATEVER").word, "UNKNOWN")
        self.assertEqual(report("id:9", (MESSAGE_STATE, b"\x63")).word, "UNKNOWN")

    def test_errors(self) -> None:
        """An error of zeros is none; a parameter of another length is passed over for the text."""
        self.assertEqual(report("id:9 stat:UNDELIV err:0").error, "")
        self.assertEqual(report("id:9 stat:UNDELIV err:E1", (NETWORK_ERROR_CODE, b"\x03\x15")).error, "E1")
        self.assertEqual(report("id:9 stat:UNDELIV err:021", (NETWORK_ERROR_CODE, b"\x03\0\0")).error, "021")

    def test_intermediate(self) -> None:
        """A notification on the way does not end anything."""
        said = report(TEXT, esm_class=0x20)
        self.assertTrue(said.intermediate)
        self.assertIs(said.state, LetterState.SENT)

    def test_wrongClass(self) -> None:
        """A receipt that says only by its parameters that it is one is one."""
        self.assertEqual(report(TEXT, (RECEIPTED_MESSAGE_ID, b"9\0"), esm_class=0).message_id, "9")

    def test_messagesOfPeople(self) -> None:
        """A message that only looks like a receipt is none: anybody could send it."""
        self.assertIsNone(read_report(deliver(TEXT, esm_class=0)))
        self.assertIsNone(read_report(deliver("hello", esm_class=0x40)))
        self.assertIsNone(read_report(deliver("ack", esm_class=0x08)))

    def test_dataSm(self) -> None:
        """A data_sm reports in its parameters."""
        pdu = Pdu("data_sm", 0, 1, {"esm_class": 4}, ((RECEIPTED_MESSAGE_ID, b"9"), (MESSAGE_STATE, b"\x02")))
        self.assertEqual(read_report(parse(build(pdu))), Report("9", "DELIVRD"))
        pdu = Pdu("data_sm", 0, 1, {"esm_class": 4}, ((MESSAGE_PAYLOAD, TEXT.encode()),))
        self.assertEqual(read_report(parse(build(pdu))), Report("4F2A", "DELIVRD"))

    def test_encodings(self) -> None:
        """The text may be in UCS-2, in the payload parameter, or behind a header."""
        self.assertEqual(report(TEXT.encode("utf-16-be"), data_coding=8).message_id, "4F2A")
        self.assertEqual(report("", (MESSAGE_PAYLOAD, TEXT.encode())).message_id, "4F2A")
        self.assertEqual(report(b"\x05\x00\x03\x01\x01\x01" + TEXT.encode(), esm_class=0x44).message_id, "4F2A")

    def test_damaged(self) -> None:
        """A receipt whose parameters break off says what is there before."""
        frame = build(Pdu("deliver_sm", 0, 1, {"esm_class": 4, "short_message": TEXT.encode()}))
        pdu = parse((len(frame) + 5).to_bytes(4, "big") + frame[4:] + b"\0\x1e\0\x09x")
        self.assertTrue(pdu.damaged)
        self.assertEqual(read_report(pdu), Report("4F2A", "DELIVRD"))

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=120), st.integers(0, 255), st.integers(0, 255), st.binary(max_size=80))
    def test_anything(self, text: bytes, esm_class: int, data_coding: int, message_id: bytes) -> None:
        """Nothing that comes raises anything."""
        said = read_report(
            deliver(text, (RECEIPTED_MESSAGE_ID, message_id), esm_class=esm_class, data_coding=data_coding)
        )
        if said is not None:
            self.assertLessEqual(len(said.message_id), 65)
            self.assertIsInstance(said.result, str)
            MessageIds(IdForm.AUTO).candidates(said.message_id)


class IdTests(SynchronousTestCase):
    def test_canonical(self) -> None:
        """Case and leading zeros of digits do not count; other ids are as they are."""
        for given_id, kept in {
            "00004F2A": "4f2a",
            "4f2a": "4f2a",
            "0000": "0",
            " 12 ": "12",
            "aB-9Z": "aB-9Z",
            "": "",
        }.items():
            self.assertEqual(canonical(given_id), kept)

    def test_forms(self) -> None:
        """A receipt in decimal digits means the answer in hexadecimal ones, and the other way round."""
        self.assertEqual(in_form("0000020266", IdForm.DECIMAL), "4f2a")
        self.assertEqual(in_form("00004F2A", IdForm.HEX), "20266")
        self.assertEqual(in_form("4F2A", IdForm.AS_IS), "4f2a")
        self.assertIsNone(in_form("4F2A", IdForm.DECIMAL))
        self.assertIsNone(in_form("x-1", IdForm.HEX))
        self.assertIsNone(in_form("٤", IdForm.DECIMAL))
        self.assertIsNotNone(in_form("9" * 5000, IdForm.DECIMAL))

    def test_set(self) -> None:
        """Where the form is set, a receipt means one id; an id that is none in that form is taken as it is."""
        self.assertEqual(MessageIds(IdForm.DECIMAL).candidates("4097"), ("1001",))
        self.assertEqual(MessageIds(IdForm.HEX).candidates("1001"), ("4097",))
        self.assertEqual(MessageIds(IdForm.AS_IS).candidates("01001"), ("1001",))
        self.assertEqual(MessageIds(IdForm.DECIMAL).candidates("a-1"), ("a-1",))

    def test_unknown(self) -> None:
        """Where it is not, every form may be meant, the same one first."""
        self.assertEqual(MessageIds(IdForm.AUTO).candidates("4097"), ("4097", "1001", "16535"))
        self.assertEqual(MessageIds(IdForm.AUTO).candidates("4F2A"), ("4f2a", "20266"))
        self.assertEqual(MessageIds(IdForm.AUTO).candidates("5"), ("5",))

    def test_recent(self) -> None:
        """An id that was just given decides which form is meant, also where older messages have ids like the
        others."""
        ids = MessageIds(IdForm.AUTO)
        self.assertEqual(ids.given("00001001"), "1001")
        self.assertEqual(ids.candidates("4097"), ("1001",))
        ids.given("4097")
        self.assertEqual(ids.candidates("4097"), ("4097", "1001", "16535"))

    def learn(self, ids: MessageIds) -> int:
        """Match receipts in decimal digits until that is known; how many it took."""
        for count in range(1, 100):
            number = 0x1000 + count
            kept = ids.given(f"{number:08X}")
            if ids.matched(str(number), kept):
                return count
        self.fail("never known")

    def test_learnt(self) -> None:
        """After some receipts of one form that one is known, and the others are not tried any more."""
        ids = MessageIds(IdForm.AUTO)
        self.assertEqual(self.learn(ids), SURE)
        self.assertIs(ids.known, IdForm.DECIMAL)
        self.assertEqual(ids.candidates("5000"), ("1388",))

    def test_ambiguous(self) -> None:
        """Receipts that would mean the same in two forms teach nothing."""
        ids = MessageIds(IdForm.AUTO)
        for _ in range(3 * SURE):
            ids.matched("5", ids.given("5"))
        self.assertIsNone(ids.known)

    def test_forgotten(self) -> None:
        """When nothing matches any more, another form may be meant."""
        ids = MessageIds(IdForm.AUTO)
        self.learn(ids)
        for _ in range(DOUBTFUL):
            ids.missed()
        self.assertIsNone(ids.known)
        fixed = MessageIds(IdForm.HEX)
        for _ in range(DOUBTFUL):
            fixed.missed()
        self.assertIs(fixed.known, IdForm.HEX)

    def test_bounded(self) -> None:
        """Only so many of the last ids are remembered."""
        ids = MessageIds(IdForm.AUTO)
        ids.given("1001")
        for number in range(RECENT):
            ids.given(f"x{number}")
        self.assertEqual(ids.candidates("4097"), ("4097", "1001", "16535"))
