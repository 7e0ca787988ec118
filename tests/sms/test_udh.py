"""Tests of the user data header and of messages in parts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.sms.alphabet import BINARY, GSM, UCS2
from gateway.sms.udh import Concatenation, Header, Part, Ports, in_parts, read_header


class PartsTests(SynchronousTestCase):
    def test_fits(self) -> None:
        """What fits into one message is one part without any header, however it would be cut."""
        for how in Concatenation:
            self.assertEqual(in_parts("a" * 160, GSM, how), [Part(b"a" * 160)])
            self.assertEqual(in_parts("λ" * 70, UCS2, how), [Part("λ".encode("utf-16-be") * 70, 8)])

    def test_udh8(self) -> None:
        """An 8-bit reference leaves 153 septets, 134 octets or 67 characters of UCS-2."""
        for alphabet, character, each in ((GSM, "a", 153), (BINARY, "a", 134), (UCS2, "λ", 67)):
            parts = in_parts(character * 161, alphabet, Concatenation.UDH8, 0x1FE)
            self.assertEqual(parts[0].short_message[:6].hex(" "), f"05 00 03 fe {len(parts):02x} 01")
            self.assertTrue(all(part.udhi for part in parts))
            self.assertEqual(len(alphabet.decode(parts[0].short_message[6:])), each)
            self.assertEqual(parts[1].short_message[:6].hex(" "), f"05 00 03 fe {len(parts):02x} 02")

    def test_udh16(self) -> None:
        """A 16-bit reference leaves 152, 133 or 66."""
        for alphabet, character, each in ((GSM, "a", 152), (BINARY, "a", 133), (UCS2, "λ", 66)):
            parts = in_parts(character * 161, alphabet, Concatenation.UDH16, 0x1ABCD)
            self.assertEqual(parts[0].short_message[:7].hex(" "), f"06 08 04 ab cd {len(parts):02x} 01")
            self.assertEqual(len(alphabet.decode(parts[0].short_message[7:])), each)

    def test_sar(self) -> None:
        """The TLVs for segmentation come without a header, and leave room for the longer one of the SMSC."""
        parts = in_parts("a" * 161, GSM, Concatenation.SAR, 0x1234)
        self.assertEqual([len(part.short_message) for part in parts], [152, 9])
        self.assertEqual([part.udhi for part in parts], [False, False])
        self.assertEqual(parts[1].tlvs, ((0x020C, b"\x12\x34"), (0x020E, b"\x02"), (0x020F, b"\x02")))

    def test_payload(self) -> None:
        """A payload takes the whole, beside an empty short message."""
        self.assertEqual(in_parts("a" * 161, GSM, Concatenation.PAYLOAD), [Part(b"", tlvs=((0x0424, b"a" * 161),))])
        self.assertRaises(ValueError, in_parts, "a" * 65536, BINARY, Concatenation.PAYLOAD)

    def test_neverTwoAtOnce(self) -> None:
        """A part is concatenated in one way only."""
        for how in Concatenation:
            if how is Concatenation.NONE:
                continue
            part = in_parts("a" * 200, GSM, how, 7)[0]
            header = read_header(part.short_message)[0].total if part.udhi else 0
            ways = [bool(header), 0x020C in dict(part.tlvs), 0x0424 in dict(part.tlvs)]
            self.assertEqual(sum(ways), 1, how)

    def test_refused(self) -> None:
        """A message that may not be cut, or into more parts than can be counted, is an error."""
        self.assertRaises(ValueError, in_parts, "a" * 161, GSM, Concatenation.NONE)
        self.assertRaises(ValueError, in_parts, "a" * (153 * 255 + 1), GSM, Concatenation.UDH8)
        self.assertEqual(len(in_parts("a" * (153 * 255), GSM, Concatenation.UDH8)), 255)

    def test_portsInEveryPart(self) -> None:
        """Ports and the place of a part share one header, and every part has both."""
        parts = in_parts("x" * 200, BINARY, Concatenation.UDH8, 5, Ports(2948, 9200), 0xF5)
        self.assertEqual(parts[1].short_message[:12].hex(), "0b05040b8423f00003050202")
        self.assertEqual([len(part.short_message) for part in parts], [140, 84])
        self.assertEqual({part.data_coding for part in parts}, {0xF5})

    def test_portsAsTlvs(self) -> None:
        """An SMSC that takes ports as TLVs gets no header, and no more text than fits beside the one it makes."""
        ports = Ports(2948, 9200, tlvs=True)
        tlvs = ((0x020A, b"\x23\xf0"), (0x020B, b"\x0b\x84"))
        self.assertEqual(in_parts("x", BINARY, ports=ports), [Part(b"x", 4, False, tlvs)])
        self.assertEqual(len(in_parts("x" * 134, BINARY, Concatenation.SAR, ports=ports)), 2)
        self.assertEqual(len(in_parts("x" * 133, BINARY, Concatenation.SAR, ports=ports)), 1)


class HeaderTests(SynchronousTestCase):
    def test_ports(self) -> None:
        """Ports of 16 bits, and of 8 bits where both fit."""
        self.assertEqual(Ports(2948, 9200).element().hex(), "05040b8423f0")
        self.assertEqual(Ports(240, 255).element().hex(), "0402f0ff")
        self.assertEqual(Ports(240).element().hex(), "050400f00000")
        self.assertRaises(ValueError, Ports(65536).element)

    def test_read(self) -> None:
        """What was written is read, and what nobody knows is passed over."""
        header, rest = read_header(bytes.fromhex("0e 05040b8423f0 0804abcd0201 7000 6162"))
        self.assertEqual((header.reference, header.total, header.number), (0xABCD, 2, 1))
        self.assertEqual((header.ports, rest), (Ports(2948, 9200), b"ab"))
        self.assertEqual(read_header(bytes.fromhex("040502f0f1ff")), (Header(((5, b"\xf0\xf1"),)), b"\xff"))
        self.assertEqual(read_header(b"\x04\x04\x02\xf0\xf1")[0].ports, Ports(240, 241))

    def test_broken(self) -> None:
        """A header that is cut short, or whose element leaves it, is an error."""
        for data in (b"", b"\x06\x05\x04\x0b", b"\x01\x05", b"\x03\x05\x04\x0b", b"\x02\x00\x03"):
            self.assertRaises(ValueError, read_header, data)
