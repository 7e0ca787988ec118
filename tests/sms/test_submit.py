"""Tests of what is submitted around a message."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.core.numbers import masked
from gateway.model import DeviceKey
from gateway.sms.pdu import BadField, parse
from gateway.sms.settings import OperatorSettings
from gateway.sms.submit import (
    BadNumber,
    Submits,
    destination,
    relative_time,
    source,
)
from gateway.sms.udh import Part
from gateway.trigger import Letter

SETTINGS = OperatorSettings("acme", "sys", "secret")
LETTER = Letter(DeviceKey("alice", "phone"), "smpp:acme", created=1000.0, expires=1900.0)


class SubmitTests(SynchronousTestCase):
    def test_source(self) -> None:
        """The type of the sender is that of its form: international, short code, name, or nothing."""
        forms = {
            "": ("", 0, 0),
            "+491701234567": ("491701234567", 1, 1),
            "491701234567": ("491701234567", 1, 1),
            "72345": ("72345", 3, 0),
            "pushgw": ("pushgw", 5, 0),
        }
        for given, seen in forms.items():
            self.assertEqual(source(evolve(SETTINGS, source=given)), seen)

    def test_sourceSet(self) -> None:
        """What the operator wants counts before the form."""
        self.assertEqual(source(evolve(SETTINGS, source="72345", source_ton=6, source_npi=1)), ("72345", 6, 1))
        self.assertEqual(source(evolve(SETTINGS, source="pushgw", source_ton=0)), ("pushgw", 0, 0))

    def test_destination(self) -> None:
        """A number goes out as digits; what is to be stripped and added is."""
        self.assertEqual(destination("+491701234567", SETTINGS), "491701234567")
        national = evolve(SETTINGS, number_strip="49", number_add="0")
        self.assertEqual(destination("+491701234567", national), "01701234567")
        self.assertEqual(destination("+431701234567", national), "431701234567")
        self.assertEqual(destination("+491701234567", evolve(SETTINGS, number_add="00")), "00491701234567")

    def test_badNumbers(self) -> None:
        """What is no number, or too long for one, goes nowhere; nothing is cut."""
        for number in ("", "+", "+49170x", "+" + "1" * 21, "49 170", "٤٩"):
            with self.assertRaises(BadNumber):
                destination(number, SETTINGS)
        with self.assertRaises(BadNumber):
            destination("+" + "1" * 20, evolve(SETTINGS, number_add="00"))
        with self.assertRaises(BadNumber):
            destination("+49", evolve(SETTINGS, number_strip="49"))

    def test_relativeTime(self) -> None:
        """Times are written as the specification has them, within what it has room for."""
        self.assertEqual(relative_time(900), "000000001500000R")
        self.assertEqual(relative_time(0.2), "000000000001000R")
        self.assertEqual(relative_time(-5), "000000000001000R")
        self.assertEqual(relative_time(90061), "000001010101000R")
        self.assertEqual(relative_time(10**9), "000030000000000R")

    def test_validity(self) -> None:
        """A trigger is valid as long as its letter, or as the operator is to be told, or as the SMSC likes."""
        submits = Submits(SETTINGS)
        self.assertEqual(submits.validity(LETTER, 1300.0), relative_time(600))
        self.assertEqual(submits.validity(evolve(LETTER, expires=0.0), 1300.0), "")
        self.assertEqual(submits.validity(LETTER, 1400.0), relative_time(500))
        self.assertEqual(submits.validity(LETTER, 1900.0), relative_time(0))
        self.assertEqual(Submits(evolve(SETTINGS, validity=60)).validity(LETTER, 1300.0), relative_time(60))
        self.assertEqual(Submits(evolve(SETTINGS, validity=0)).validity(LETTER, 1300.0), "")

    def test_fields(self) -> None:
        """All fields of a submit are where they belong."""
        settings = evolve(SETTINGS, source="pushgw", replace_if_present=True, protocol_id=0x41, service_type="WAP")
        part = Part(b"\x06\x05\x04\x0b\x84\x23\xf0x", 4, True, ((0x020B, b"\x0b\x84"),))
        template = Submits(settings).template(part, True)
        pdu = parse(template.frame(1, "49170", relative_time(900), part.short_message, part.tlvs))
        self.assertEqual(
            {name: value for name, value in pdu.fields.items() if value},
            {
                "service_type": "WAP", "source_addr": "pushgw", "source_addr_ton": 5, "dest_addr_ton": 1, "dest_addr_npi": 1,
                "destination_addr": "49170", "esm_class": 0x40, "protocol_id": 0x41, "registered_delivery": 1, "sm_length": 8,
                "validity_period": "000000001500000R", "replace_if_present_flag": 1, "data_coding": 4,
                "short_message": part.short_message,
            },
        )  # fmt: skip
        self.assertEqual(pdu.tlvs, part.tlvs)

    def test_receiptOfTheLastPart(self) -> None:
        """A receipt is asked for once for a message in several parts."""
        submits = Submits(SETTINGS)
        asked = [parse(submits.template(Part(b"x"), last).frame(1, "1", "", b"x")) for last in (False, True)]
        self.assertEqual([pdu.number("registered_delivery") for pdu in asked], [0, 1])

    def test_kinds(self) -> None:
        """Parts of different kinds have their own fields, and settings that fit into no PDU are refused."""
        submits = Submits(SETTINGS)
        for part in (Part(b"x"), Part(b"x", 8), Part(b"x", 0, True), Part(b"x")):
            pdu = parse(submits.template(part, True).frame(1, "1", "", b"x"))
            self.assertEqual((pdu.number("data_coding"), pdu.number("esm_class")), (part.data_coding, part.udhi * 0x40))
        with self.assertRaises(BadField):
            Submits(evolve(SETTINGS, service_type="too long")).template(Part(b"x"), True)

    def test_masked(self) -> None:
        """Logs show the country and three digits of a number at most."""
        self.assertEqual(masked("+491701234567"), "+49...567")
        self.assertEqual(masked("+4917012"), "...012")

    def test_passwordIsNotShown(self) -> None:
        """The settings do not show the password when they are printed."""
        self.assertNotIn("secret", repr(SETTINGS))
