"""Tests of frames and PDUs; each trap of smpplib that is avoided has one that says so, and shows the trap."""

from __future__ import annotations

import struct
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from smpplib import smpp
from twisted.trial.unittest import SynchronousTestCase

from gateway.sms.pdu import (
    CODES,
    CONGESTION_STATE,
    MESSAGE_PAYLOAD,
    MESSAGE_STATE,
    MOST,
    RECEIPTED_MESSAGE_ID,
    SC_INTERFACE_VERSION,
    BadField,
    Frames,
    Pdu,
    Template,
    build,
    parse,
    parse_tlvs,
    raw,
    refusal,
    response,
)

ENQUIRE = raw(0x15, sequence=7)
SUBMIT = Pdu(
    "submit_sm",
    0,
    9,
    {"source_addr": "pushgw", "source_addr_ton": 5, "destination_addr": "491701234567", "short_message": b"PUSHGW 1f"},
)


class Shim:
    """The least that smpplib wants of a client."""

    sequence = 0

    def next_sequence(self) -> int:
        self.sequence += 1
        return self.sequence


def tlv(tag: int, value: bytes, length: int | None = None) -> bytes:
    return struct.pack(">HH", tag, len(value) if length is None else length) + value


def deliver(*tlvs: bytes) -> bytes:
    """A deliver_sm whose optional parameters are these octets."""
    whole = build(Pdu("deliver_sm", 0, 5, {"source_addr": "1", "destination_addr": "2", "esm_class": 4}))
    return raw(CODES["deliver_sm"], 0, 5, whole[16:] + b"".join(tlvs))


class FramesTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """Several frames in one piece come out in order."""
        frames = Frames()
        self.assertEqual(frames.feed(ENQUIRE + build(SUBMIT)), [ENQUIRE, build(SUBMIT)])
        self.assertFalse(frames.partial)

    def test_octets(self) -> None:
        """Frames that come octet by octet are whole when their last octet is there, not before."""
        frames = Frames()
        stream = ENQUIRE + build(SUBMIT)
        seen = [len(frames.feed(stream[n : n + 1])) for n in range(len(stream))]
        self.assertEqual([n for n, count in enumerate(seen) if count], [len(ENQUIRE) - 1, len(stream) - 1])

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.binary(max_size=40), max_size=8), st.lists(st.integers(0, 400), max_size=8))
    def test_pieces(self, bodies: list[bytes], cuts: list[int]) -> None:
        """Trap: the blocking client forgets the half of a PDU that it has when the rest comes late. Any pieces of a
        stream give the same frames."""
        whole = [raw(0x4, sequence=n, body=body) for n, body in enumerate(bodies)]
        stream = b"".join(whole)
        ends = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
        frames = Frames()
        self.assertEqual([frame for a, b in pairwise(ends) for frame in frames.feed(stream[a:b])], whole)

    def test_partial(self) -> None:
        """It is told that a frame has begun."""
        frames = Frames()
        self.assertFalse(frames.partial)
        frames.feed(ENQUIRE + b"\0")
        self.assertTrue(frames.partial)
        frames.feed(ENQUIRE[1:])
        self.assertFalse(frames.partial)

    def test_tooShort(self) -> None:
        """Trap: a length below 4 raises struct.error in the blocking client. Every length below 16 is refused, after
        the frames before it, and nothing is read any more."""
        for length in (0, 3, 4, 15):
            frames = Frames()
            self.assertEqual(frames.feed(ENQUIRE + struct.pack(">L", length) + ENQUIRE), [ENQUIRE])
            self.assertEqual(frames.refused, length)
            self.assertEqual(frames.refused_sequence, 0)
            self.assertEqual(frames.feed(ENQUIRE), [])

    def test_tooLong(self) -> None:
        """A length above 64 KiB is refused at once, however much of it is there."""
        for length in (MOST + 1, 2**31, 2**32 - 1):
            frames = Frames()
            self.assertEqual(frames.feed(struct.pack(">LLLL", length, 4, 0, 11)), [])
            self.assertEqual((frames.refused, frames.refused_sequence), (length, 11))

    def test_longest(self) -> None:
        """64 KiB are taken."""
        frame = raw(0x4, body=b"x" * (MOST - 16))
        self.assertEqual(Frames().feed(frame), [frame])


class ParseTests(SynchronousTestCase):
    def test_submit(self) -> None:
        """What was built is read, with all fields."""
        pdu = parse(build(SUBMIT))
        self.assertEqual((pdu.command, pdu.status, pdu.sequence, pdu.damaged), ("submit_sm", 0, 9, ""))
        self.assertEqual(pdu.text("source_addr"), "pushgw")
        self.assertEqual(pdu.number("source_addr_ton"), 5)
        self.assertEqual(pdu.number("sm_length"), 9)
        self.assertEqual(pdu.message, b"PUSHGW 1f")

    def test_asSmpplib(self) -> None:
        """Well-formed PDUs of every command are read as smpplib reads them."""
        fields = {"message_id": "a1", "system_id": "sys", "password": "pw", "source_addr": "12", "addr_ton": 1}
        for command in CODES:
            known = {name: value for name, value in fields.items() if _has(command, name)}
            try:
                frame = build(Pdu(command, 0, 3, known))
            except BadField:
                self.assertNotIn(command, ("submit_sm", "deliver_sm", "bind_transceiver"))
                continue
            theirs = smpp.parse_pdu(frame, client=Shim(), allow_unknown_opt_params=True)
            ours = parse(frame)
            self.assertEqual((ours.command, ours.sequence, ours.damaged), (command, 3, ""))
            for name, value in ours.fields.items():
                seen = getattr(theirs, name)
                self.assertEqual(value, seen.decode() if isinstance(value, str) else seen or value, name)

    def test_withoutClient(self) -> None:
        """Trap: smpplib makes and parses requests only for a client that counts, and parsing uses up one of its
        numbers. Here neither needs anything, and sequence numbers are the session's."""
        with self.assertRaises(AttributeError):
            smpp.make_pdu("submit_sm", short_message=b"x").generate()
        with self.assertRaises(AttributeError):
            smpp.parse_pdu(build(SUBMIT))
        self.assertEqual([parse(build(SUBMIT)).sequence for _ in range(2)], [9, 9])

    def test_parameterOfAnotherPdu(self) -> None:
        """Trap: a TLV that smpplib knows from other PDUs raises KeyError. Here it is there to be read."""
        answer = raw(CODES["submit_sm_resp"], 0, 9, b"id\0" + tlv(0x001D, b"why\0"))
        for frame in (answer, deliver(tlv(0x0005, b"\x01"))):
            with self.assertRaises(KeyError):
                smpp.parse_pdu(frame, client=Shim(), allow_unknown_opt_params=True)
        pdu = parse(answer)
        self.assertEqual((pdu.text("message_id"), pdu.tlv_text(0x001D), pdu.damaged), ("id", "why", ""))
        self.assertEqual(parse(deliver(tlv(0x0005, b"\x01"))).tlv_number(0x0005), 1)

    def test_unknownParameter(self) -> None:
        """Trap: TLVs that smpplib does not know raise by default. Those of vendors and of SMPP 5.0 are read."""
        frame = raw(
            CODES["bind_transceiver_resp"],
            0,
            1,
            b"SIM\0" + tlv(0x1400, b"v") + tlv(CONGESTION_STATE, b"\x50") + tlv(SC_INTERFACE_VERSION, b"\x50"),
        )
        with self.assertRaises(Exception):  # noqa: B017 - whichever
            smpp.parse_pdu(frame, client=Shim())
        pdu = parse(frame)
        self.assertEqual([tag for tag, _ in pdu.tlvs], [0x1400, CONGESTION_STATE, SC_INTERFACE_VERSION])
        self.assertEqual((pdu.tlv_number(CONGESTION_STATE), pdu.tlv_number(SC_INTERFACE_VERSION)), (80, 0x50))

    def test_stringWithoutEnd(self) -> None:
        """Trap: smpplib takes the last character of a TLV string for its NUL, also where there is none."""
        frame = deliver(tlv(RECEIPTED_MESSAGE_ID, b"ABC123"))
        self.assertEqual(smpp.parse_pdu(frame, client=Shim()).receipted_message_id, b"ABC12")
        self.assertEqual(parse(frame).tlv_text(RECEIPTED_MESSAGE_ID), "ABC123")
        self.assertEqual(
            parse(deliver(tlv(RECEIPTED_MESSAGE_ID, b"ABC123\0"))).tlv_text(RECEIPTED_MESSAGE_ID), "ABC123"
        )

    def test_integerOfAnotherLength(self) -> None:
        """Trap: smpplib reads integer TLVs with the size of its table, and from there on everything wrong."""
        frame = deliver(tlv(MESSAGE_STATE, b"\0\0\0\x02"), tlv(RECEIPTED_MESSAGE_ID, b"ABC123\0"))
        try:
            theirs = smpp.parse_pdu(frame, client=Shim(), allow_unknown_opt_params=True)
        except Exception as error:
            self.assertNotIsInstance(error, AssertionError)
        else:
            self.assertNotEqual((theirs.message_state, theirs.receipted_message_id), (2, b"ABC123"))
        pdu = parse(frame)
        self.assertEqual((pdu.tlv_number(MESSAGE_STATE), pdu.tlv_text(RECEIPTED_MESSAGE_ID)), (2, "ABC123"))
        self.assertIsNone(parse(deliver(tlv(MESSAGE_STATE, b""))).tlv_number(MESSAGE_STATE))
        self.assertIsNone(parse(deliver(tlv(MESSAGE_STATE, b"x" * 9))).tlv_number(MESSAGE_STATE))

    def test_damagedBody(self) -> None:
        """Trap: smpplib reads bodies without terminators into garbage, and leaves what is missing C{None}, without a
        word. Here it is said what is wrong, and what came before that is there."""
        code = CODES["submit_sm"]
        cases = (
            (b"", "there is no end of service_type", {}),
            (b"WAP", "there is no end of service_type", {"service_type": "WAP"}),
            (b"\0\1", "it ends before source_addr_ton", {"service_type": ""}),
            (b"\0\1\1" + b"123", "there is no end of source_addr", {"source_addr": "123", "source_addr_ton": 1}),
            (build(SUBMIT)[16:-1], "it ends within short_message", {"short_message": b"PUSHGW 1"}),
        )
        for body, damage, fields in cases:
            pdu = parse(raw(code, 0, 1, body))
            self.assertEqual(pdu.damaged, damage)
            self.assertEqual({name: pdu.fields[name] for name in fields}, fields)
        self.assertIsNone(smpp.parse_pdu(raw(code, 0, 1, b"\0"), client=Shim()).short_message)

    def test_idWithoutEnd(self) -> None:
        """The message id of an answer can be used also where its NUL is missing."""
        pdu = parse(raw(CODES["submit_sm_resp"], 0, 9, b"4F2A"))
        self.assertEqual((pdu.text("message_id"), pdu.damaged), ("4F2A", "there is no end of message_id"))

    def test_refusalsWithoutBody(self) -> None:
        """A response that refuses has no body, and nothing is wrong with that."""
        self.assertEqual(parse(raw(CODES["submit_sm_resp"], 0x58, 9)), Pdu("submit_sm_resp", 0x58, 9))
        self.assertEqual(parse(raw(CODES["submit_sm_resp"], 0, 9)).damaged, "there is no end of message_id")

    def test_damagedParameters(self) -> None:
        """The TLVs before the damage are there, and so are the fields."""
        good = tlv(MESSAGE_STATE, b"\x02")
        for bad, damage in ((b"\0\x1e\0", "head of an"), (tlv(0x1E, b"ab", 9), "optional parameter 0x001e")):
            pdu = parse(deliver(good, bad))
            self.assertIn(damage, pdu.damaged)
            self.assertEqual(pdu.tlvs, ((MESSAGE_STATE, b"\x02"),))
            self.assertEqual(pdu.text("source_addr"), "1")

    def test_unknownCommands(self) -> None:
        """A command that nobody knows, or whose fields are not known, has a name, and its body is left alone."""
        pdu = parse(raw(0x00010203, 0, 4, b"\xff"))
        self.assertEqual((pdu.command, pdu.code, pdu.is_response), ("0x00010203", 0x10203, False))
        self.assertEqual(parse(raw(0x0B, 0, 4, b"abc")), Pdu("outbind", 0, 4))
        self.assertTrue(parse(raw(0x80010203)).is_response)
        self.assertEqual(parse(raw(0x111)).command, "broadcast_sm")

    def test_payload(self) -> None:
        """The message of a PDU is in either of two places."""
        self.assertEqual(parse(deliver(tlv(MESSAGE_PAYLOAD, b"id:1"))).message, b"id:1")
        self.assertEqual(parse(deliver()).message, b"")

    @settings(max_examples=200, deadline=None)
    @given(st.sampled_from(sorted(CODES.values())), st.integers(0, 2**32 - 1), st.binary(max_size=120))
    def test_anything(self, code: int, status: int, body: bytes) -> None:
        """No octets raise anything."""
        pdu = parse(raw(code, status, 1, body))
        self.assertEqual((pdu.code, pdu.status), (code, status))
        self.assertIsInstance(pdu.message, bytes)

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=20)), max_size=5))
    def test_parameters(self, tlvs: list[tuple[int, bytes]]) -> None:
        """Any TLVs are read as they were written."""
        pdu = Pdu("deliver_sm", 0, 5, {"source_addr": "1"}, tuple(tlvs))
        self.assertEqual(parse(build(pdu)).tlvs, tuple(tlvs))
        self.assertEqual(parse_tlvs(b"".join(tlv(tag, value) for tag, value in tlvs)), (tuple(tlvs), ""))


class BuildTests(SynchronousTestCase):
    def refused(self, command: str, **fields: object) -> str:
        """Why a PDU with these fields is refused."""
        with self.assertRaises(BadField) as caught:
            build(Pdu(command, 0, 1, fields))  # type: ignore[arg-type]
        return str(caught.exception)

    def test_vector(self) -> None:
        """The octets of a submit_sm are those of the specification."""
        self.assertEqual(
            build(SUBMIT).hex(),
            "0000003c"
            "00000004"
            "00000000"
            "00000009"
            "00"
            "0500"
            "70757368677700"
            "0000"
            "34393137303132333435363700"
            "000000"
            "00"
            "00"
            "00000000"
            "09"
            "505553484757203166",
        )

    def test_sequence(self) -> None:
        """Trap: smpplib ignores a sequence number given to it. Here it is the one given; none that is none is taken."""
        self.assertNotEqual(smpp.make_pdu("enquire_link", client=Shim(), sequence=77).sequence, 77)
        self.assertEqual(parse(build(Pdu("enquire_link", 0, 77))).sequence, 77)
        for number in (-1, 2**31):
            with self.assertRaises(BadField):
                build(Pdu("enquire_link", 0, number))

    def test_nothingIsCut(self) -> None:
        """Trap: smpplib cuts long numbers, passwords and names without a word. Here they are refused."""
        theirs = smpp.make_pdu("submit_sm", client=Shim(), destination_addr="1" * 25).generate()
        self.assertIn(b"\0" + b"1" * 20 + b"\0", theirs)
        self.assertIn("room for 20", self.refused("submit_sm", destination_addr="1" * 21))
        self.assertIn("room for 8", self.refused("bind_transceiver", password="123456789"))
        self.assertIn("room for 15", self.refused("bind_transceiver", system_id="s" * 16))
        self.assertIn(b"1" * 20 + b"\0", build(Pdu("submit_sm", 0, 1, {"destination_addr": "1" * 20})))

    def test_readAndWrittenAgain(self) -> None:
        """Trap: smpplib reads strings as bytes and writes them only as str, so that what it read it cannot write.
        Here every PDU that was read can be written again, to the same octets."""
        with self.assertRaises(TypeError):
            smpp.parse_pdu(build(SUBMIT), client=Shim()).generate()
        frame = deliver(tlv(MESSAGE_STATE, b"\x02"), tlv(0x1400, b"v"))
        self.assertEqual(build(parse(frame)), frame)
        self.assertEqual(build(parse(build(SUBMIT))), build(SUBMIT))

    def test_types(self) -> None:
        """A value of another type, out of its range or outside of Latin-1 is refused, not mangled."""
        self.assertIn("no string", self.refused("submit_sm", source_addr=b"1"))
        self.assertIn("no octets", self.refused("submit_sm", short_message="1"))
        self.assertIn("no number", self.refused("submit_sm", esm_class="1"))
        self.assertIn("no number", self.refused("submit_sm", esm_class=256))
        self.assertIn("Latin-1", self.refused("submit_sm", source_addr="\u20ac"))
        self.assertIn("NUL", self.refused("submit_sm", source_addr="a\0b"))
        self.assertIn("has no", self.refused("submit_sm", message_id="1"))
        self.assertIn(b"\xfc\0", build(Pdu("submit_sm", 0, 1, {"source_addr": "\xfc"})))

    def test_interfaceVersion(self) -> None:
        """Trap: smpplib always binds as 3.4. Here another version can be said."""
        self.assertEqual(smpp.make_pdu("bind_receiver", client=Shim(), interface_version=0x50).interface_version, 0x34)
        pdu = parse(build(Pdu("bind_receiver", 0, 1, {"interface_version": 0x50})))
        self.assertEqual(pdu.number("interface_version"), 0x50)
        self.assertEqual(parse(build(Pdu("bind_receiver", 0, 1))).number("interface_version"), 0x34)

    def test_longMessage(self) -> None:
        """Trap: smpplib takes 255 octets, which 3.4 does not allow, and raises struct.error for 256. Here the limit
        is 254."""
        self.assertIn(b"\xff", smpp.make_pdu("submit_sm", client=Shim(), short_message=b"x" * 255).generate())
        with self.assertRaises(struct.error):
            smpp.make_pdu("submit_sm", client=Shim(), short_message=b"x" * 256).generate()
        for length in (255, 256):
            self.assertIn("room for 254", self.refused("submit_sm", short_message=b"x" * length))
        self.assertEqual(parse(build(Pdu("submit_sm", 0, 1, {"short_message": b"x" * 254}))).number("sm_length"), 254)

    def test_parametersThatSmpplibGetsWrong(self) -> None:
        """Trap: smpplib never writes C{alert_on_message_delivery}, and gives C{source_addr_subunit} a wrong size. TLVs
        are written as they are given."""
        theirs = smpp.make_pdu("submit_sm", client=Shim(), alert_on_message_delivery=True, source_addr_subunit=1)
        self.assertNotIn(b"\x13\x0c", theirs.generate())
        self.assertIn(tlv(0x000D, b"\0\x01"), theirs.generate())
        frame = build(Pdu("submit_sm", 0, 1, {}, ((0x130C, b""), (0x000D, b"\x01"))))
        self.assertTrue(frame.endswith(tlv(0x130C, b"") + tlv(0x000D, b"\x01")))
        self.assertEqual(struct.unpack(">L", frame[:4])[0], len(frame))

    def test_twoMessages(self) -> None:
        """A message is in one place only."""
        with self.assertRaises(BadField):
            build(Pdu("submit_sm", 0, 1, {"short_message": b"x"}, ((MESSAGE_PAYLOAD, b"x"),)))
        self.assertEqual(parse(build(Pdu("submit_sm", 0, 1, {}, ((MESSAGE_PAYLOAD, b"x"),)))).message, b"x")

    def test_badParameters(self) -> None:
        """Tags and lengths have to fit."""
        for bad in ((0x10000, b""), (-1, b""), (1, b"x" * 0x10000)):
            with self.assertRaises(BadField):
                build(Pdu("submit_sm", 0, 1, {}, (bad,)))

    @settings(max_examples=100, deadline=None)
    @given(
        st.text("0123456789", max_size=20),
        st.sampled_from(["", "000000001500000R"]),
        st.binary(max_size=254),
        st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=20),
        st.integers(0, 255),
    )
    def test_template(self, to: str, validity: str, message: bytes, source: str, number: int) -> None:
        """A PDU from a template is the one that would have been made by itself."""
        fixed = {"source_addr": source, "source_addr_ton": number, "esm_class": number, "data_coding": number}
        varied = {"destination_addr": to, "validity_period": validity, "short_message": message}
        for tlvs in ((), ((0x020B, b"\x0b\x84"),)):
            self.assertEqual(
                Template.of(fixed).frame(7, to, validity, message, tlvs),
                build(Pdu("submit_sm", 0, 7, fixed | varied, tlvs)),
            )

    def test_templateRefuses(self) -> None:
        """A template refuses what does not fit, as everything else."""
        template = Template.of({})
        for to, message, tlvs in (("1" * 21, b"", ()), ("1", b"x" * 255, ()), ("1", b"x", ((MESSAGE_PAYLOAD, b"x"),))):
            with self.assertRaises(BadField):
                template.frame(1, to, "", message, tlvs)

    def test_unmade(self) -> None:
        """What smpplib cannot make is refused, and what it raises of itself is too."""
        self.assertIn("cannot be made", self.refused("outbind"))
        self.assertIn("message_id", self.refused("query_sm"))

    def test_answers(self) -> None:
        """A response has the sequence number of its request, and so has a refusal."""
        answer = response(parse(build(SUBMIT)), 0, message_id="77")
        self.assertEqual(parse(build(answer)), Pdu("submit_sm_resp", 0, 9, {"message_id": "77"}))
        self.assertEqual(parse(refusal(2, 9)), Pdu("generic_nack", 2, 9))


def _has(command: str, name: str) -> bool:
    try:
        build(Pdu(command, 0, 1, {name: "1" if name not in ("addr_ton",) else 1}))
    except BadField as error:
        return "has no" not in str(error) and "cannot be made" not in str(error)
    return True
