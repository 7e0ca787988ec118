"""Tests of the trigger formats."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.model import DeviceKey
from gateway.sms.alphabet import ASCII, LATIN1
from gateway.sms.formats import (
    KINDS,
    Carriage,
    TriggerFormat,
    content_text,
    letter_parts,
    letter_text,
    trigger_parts,
)
from gateway.sms.udh import Concatenation, Part
from gateway.trigger import Letter
from tests.sms.test_wappush import EMN, SI, at

GUID = "35395ce4-1504-4ac4-9721-f152c646ea35"
NOW = at("2006-04-03T08:18")
LETTER = Letter(DeviceKey("ann", "phone"), "smpp:example", "+491701234567", guid=GUID, id=0x1234)
BINARY = TriggerFormat("binary", port=16000, source_port=9200, binary="5047 {guid}")


class TextTests(SynchronousTestCase):
    def test_vector(self) -> None:
        """The default text with a GUID takes 43 septets, in one SMS with data_coding 0."""
        [part] = trigger_parts(TriggerFormat(), GUID, NOW)
        self.assertEqual(part, Part(b"PUSHGW 35395ce4-1504-4ac4-9721-f152c646ea35", 0))
        self.assertEqual(len(part.short_message), 43)

    def test_longest(self) -> None:
        """A text of 160 septets is a trigger, one more is refused, and so is what the alphabet lacks."""
        self.assertEqual(TriggerFormat(template="x" * 124 + "{guid}").text(GUID), "x" * 124 + GUID)
        self.assertRaises(ValueError, TriggerFormat, template="x" * 125 + "{guid}")
        self.assertRaises(ValueError, TriggerFormat, template="[" * 63 + "{guid}")
        self.assertRaises(ValueError, TriggerFormat, template="λ {guid}")
        self.assertRaises(ValueError, TriggerFormat().text, "x" * 154)

    def test_place(self) -> None:
        """A text that does not hold the GUID once is no trigger."""
        self.assertRaises(ValueError, TriggerFormat, template="PUSHGW")
        self.assertRaises(ValueError, TriggerFormat, template="{guid} {guid}")

    def test_braces(self) -> None:
        """Nothing but the place of the GUID is replaced."""
        self.assertEqual(TriggerFormat(template="{0} {guid} %s").text("{guid}"), "{0} {guid} %s")

    def test_alphabetOfTheOperator(self) -> None:
        """A text goes in the alphabet that the SMSC wants, whole or not at all."""
        [part] = trigger_parts(TriggerFormat(template="_{guid}"), GUID, NOW, Carriage(alphabet=LATIN1))
        self.assertEqual((part.short_message, part.data_coding), (b"_" + GUID.encode(), 3))
        [part] = trigger_parts(TriggerFormat(template="_{guid}"), GUID, NOW)
        self.assertEqual(part.short_message[0], 0x11)
        long = TriggerFormat(template="x" * 124 + "{guid}")
        self.assertRaises(ValueError, trigger_parts, long, GUID, NOW, Carriage(alphabet=LATIN1))
        self.assertEqual(len(trigger_parts(long, GUID, NOW, Carriage(alphabet=ASCII))), 1)


class PushTests(SynchronousTestCase):
    def test_indicationVector(self) -> None:
        """A Service Indication is the known 90 octets to port 2948."""
        form = TriggerFormat("si", si_href="https://mail.example.org/s?g={guid}", si_id="autd-{guid}")
        self.assertEqual(trigger_parts(form, "1f3a", NOW), [Part(SI, 4, True)])

    def test_notificationVector(self) -> None:
        """An E-Mail Notification is the known 51 octets."""
        form = TriggerFormat("emn", emn_mailbox="mailat:{guid}@example.org")
        self.assertEqual(trigger_parts(form, "alice", NOW), [Part(EMN, 4, True)])

    def test_oneMessage(self) -> None:
        """Each format as it is by default fits into one SMS with a GUID of full length."""
        for kind in KINDS:
            [part] = trigger_parts(TriggerFormat(kind, port=16000), GUID, NOW)
            self.assertLessEqual(len(part.short_message), 140)

    def test_forEver(self) -> None:
        """An indication that holds for ever says no end."""
        short, long = (trigger_parts(TriggerFormat("si", si_seconds=n), GUID, NOW)[0].short_message for n in (0, 900))
        self.assertNotIn(b"\x10\xc3", short)
        self.assertIn(b"\x10\xc3", long)

    def test_inParts(self) -> None:
        """What does not fit goes as the operator takes it, every part with the ports."""
        form = TriggerFormat("si", si_href="https://mail.example.org/" + "x" * 90, si_id="{guid}")
        parts = trigger_parts(form, GUID, NOW, Carriage(Concatenation.UDH16), 0xABCD)
        heads = [part.short_message[:13].hex() for part in parts]
        self.assertEqual(heads, ["0c05040b8423f00804abcd0201", "0c05040b8423f00804abcd0202"])
        self.assertRaises(ValueError, trigger_parts, form, GUID, NOW, Carriage(Concatenation.NONE))

    def test_carriage(self) -> None:
        """Octets go with the data_coding that the operator wants, and ports in TLVs where it wants that."""
        [part] = trigger_parts(TriggerFormat("emn"), GUID, NOW, Carriage(binary_coding=0xF5, port_tlvs=True))
        self.assertEqual((part.data_coding, part.udhi), (0xF5, False))
        self.assertEqual(part.tlvs, ((0x020A, b"\x23\xf0"), (0x020B, b"\x0b\x84")))


class BinaryTests(SynchronousTestCase):
    def test_octets(self) -> None:
        """A port, the octets that the configuration says, and those of the GUID."""
        [part] = trigger_parts(BINARY, GUID, NOW)
        self.assertEqual(part.short_message.hex(), "0605043e8023f0" + "5047" + GUID.replace("-", ""))
        self.assertEqual((part.data_coding, part.udhi), (4, True))

    def test_withoutGUID(self) -> None:
        """Octets without the GUID are taken, for phones that know one trigger only."""
        [part] = trigger_parts(evolve(BINARY, binary="00ff"), "no guid", NOW)
        self.assertEqual(part.short_message[7:], b"\x00\xff")

    def test_refused(self) -> None:
        """Octets that are none, no port, and a GUID that is none."""
        self.assertRaises(ValueError, TriggerFormat, "binary", port=16000, binary="5")
        self.assertRaises(ValueError, TriggerFormat, "binary", port=0)
        self.assertRaises(ValueError, TriggerFormat, "binary", port=65536)
        self.assertRaises(ValueError, trigger_parts, BINARY, "no guid", NOW)
        self.assertRaises(ValueError, TriggerFormat, "smoke")


class LetterTests(SynchronousTestCase):
    def test_ownFormat(self) -> None:
        """A device's own format stands in the place of the operator's, with its settings."""
        self.assertEqual(
            letter_parts(LETTER, TriggerFormat(), Carriage(), NOW), trigger_parts(TriggerFormat(), GUID, NOW)
        )
        own = letter_parts(evolve(LETTER, format="emn"), TriggerFormat(), Carriage(), NOW)
        self.assertEqual(own, trigger_parts(TriggerFormat("emn"), GUID, NOW))
        self.assertEqual(letter_text(evolve(LETTER, format="emn"), TriggerFormat()), f"PUSHGW {GUID}")

    def test_contentAsItIs(self) -> None:
        """What another server wrote goes out as it is, whatever the format: the phone obeys only its own server."""
        letter = evolve(LETTER, content=b"XYZ $1@[2]\r\n_", format="si")
        [part] = letter_parts(letter, TriggerFormat(), Carriage(), NOW)
        self.assertEqual(part, Part(b"XYZ \x021\x00\x1b\x3c2\x1b\x3e\r\n\x11", 0))
        self.assertEqual(letter_text(letter, TriggerFormat()), "XYZ $1@[2]\r\n_")

    def test_longestContent(self) -> None:
        """Of another server's text 160 septets are taken, counted in septets and not in characters."""
        self.assertEqual(content_text(b"x" * 160), "x" * 160)
        self.assertEqual(content_text(b"[" * 80), "[" * 80)
        for content in (b"x" * 161, b"[" * 81, b"", b"`", b"\xff", "λ".encode()):
            self.assertRaises(ValueError, content_text, content)
