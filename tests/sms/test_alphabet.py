"""Tests of the alphabets of short messages."""

from __future__ import annotations

from random import Random

from smpplib import gsm
from twisted.trial.unittest import SynchronousTestCase

from gateway.sms.alphabet import ASCII, BINARY, GSM, LATIN1, UCS2, alphabet_for, alphabet_of, cut, septets

EXTENDED = "^{}\\[~]|€\f"


class GSMTests(SynchronousTestCase):
    def test_sectionSign(self) -> None:
        """Trap: smpplib sends a backtick as 0x5F, which is the section sign, and lacks that and the form feed. Here 0x5F
        is the section sign, and there is no backtick."""
        self.assertEqual(gsm.gsm_encode("`"), b"\x5f")
        for lacking in "§\f":
            self.assertRaises(UnicodeError, gsm.gsm_encode, lacking)
        self.assertEqual(GSM.encode("§"), b"\x5f")
        self.assertRaises(ValueError, GSM.encode, "`")
        self.assertIs(alphabet_for("`"), UCS2)

    def test_places(self) -> None:
        """Characters whose octet is not that of ASCII are where the standard has them."""
        for character, code in {"@": 0, "$": 2, "_": 0x11, "¤": 0x24, "Ç": 9, "Δ": 0x10, "É": 0x1F, "¿": 0x60}.items():
            self.assertEqual(GSM.encode(character), bytes((code,)))
        for character in "Aa09 !\"#%&'()*+,-./:;<=>?Zz\r\n":
            self.assertEqual(GSM.encode(character), character.encode())

    def test_extension(self) -> None:
        """The characters of the extension are two septets: an escape and a code."""
        self.assertEqual(GSM.encode(EXTENDED).hex(" ", 2), "1b14 1b28 1b29 1b2f 1b3c 1b3d 1b3e 1b40 1b65 1b0a")
        self.assertEqual(septets(EXTENDED + "a"), 21)

    def test_everyCharacterComesBack(self) -> None:
        """Every octet but the escape is a character of its own, and encoding undoes decoding."""
        data = bytes(code for code in range(128) if code != 0x1B)
        text = GSM.decode(data)
        self.assertEqual(len(set(text)), 127)
        self.assertEqual(GSM.encode(text), data)
        self.assertEqual(GSM.decode(GSM.encode(EXTENDED)), EXTENDED)

    def test_decodesWhatIsWrong(self) -> None:
        """An unknown extension is the plain character, a lonely escape a space, and the eighth bit is no character."""
        self.assertEqual(GSM.decode(b"\x1bA\x1b\x1b\x80\x1b"), "A \ufffd ")


class AlphabetTests(SynchronousTestCase):
    def test_room(self) -> None:
        """What fits: alone, beside a concatenation with an 8-bit and with a 16-bit reference."""
        for alphabet, rooms in {
            GSM: [160, 153, 152],
            ASCII: [160, 153, 152],
            LATIN1: [140, 134, 133],
            BINARY: [140, 134, 133],
            UCS2: [140, 134, 133],
        }.items():
            self.assertEqual([alphabet.room(header) for header in (0, 6, 7)], rooms)
        self.assertEqual(GSM.room(200), 0)

    def test_codings(self) -> None:
        """The alphabet of each data_coding, and 8-bit data for one that nobody knows."""
        for coding, alphabet in {0: GSM, 1: ASCII, 2: BINARY, 3: LATIN1, 4: BINARY, 8: UCS2, 0xF5: BINARY}.items():
            self.assertIs(alphabet_of(coding), alphabet)
        self.assertIs(alphabet_of(0x77), BINARY)

    def test_ucs2(self) -> None:
        """UCS-2 goes out as UTF-16 with the higher octet first; a character beyond 16 bits takes four octets."""
        self.assertEqual(UCS2.encode("Aλ\U0001f600").hex(), "004103bbd83dde00")
        self.assertEqual(UCS2.decode(bytes.fromhex("004103bbd83dde00")), "Aλ\U0001f600")
        self.assertRaises(ValueError, UCS2.encode, "\ud83d")

    def test_lacking(self) -> None:
        """What an alphabet lacks is an error, never a question mark."""
        for alphabet in (GSM, ASCII, LATIN1):
            self.assertRaises(ValueError, alphabet.encode, "λ漢")
        self.assertEqual(LATIN1.encode("é"), b"\xe9")


class CutTests(SynchronousTestCase):
    def test_escapePairs(self) -> None:
        """Trap: smpplib cuts wherever the length is reached. Here an escape is never
        parted from its code: the piece ends before it."""
        parts, *_ = gsm.make_parts("a" * 152 + "€" * 9)
        self.assertEqual([part[-1:] for part in parts][:1], [b"\x1b"])
        pieces = cut(GSM.units("a" * 152 + "€" * 2), 153)
        self.assertEqual([len(piece) for piece in pieces], [152, 4])
        self.assertEqual(pieces[1], b"\x1b\x65\x1b\x65")

    def test_surrogatePairs(self) -> None:
        """Trap: so are the halves of a surrogate pair by smpplib. Here they are not."""
        parts, *_ = gsm.make_parts("a" * 66 + "\U0001f600" + "a" * 10)
        self.assertEqual(parts[0][-2:], b"\xd8\x3d")
        pieces = cut(UCS2.units("a" * 66 + "\U0001f600"), 134)
        self.assertEqual([len(piece) for piece in pieces], [132, 4])
        self.assertEqual(len(cut(UCS2.units("a" * 67), 133)[0]), 132)

    def test_full(self) -> None:
        """A piece is filled to its last octet, and nothing makes one empty piece."""
        self.assertEqual([len(piece) for piece in cut(GSM.units("a" * 306), 153)], [153, 153])
        self.assertEqual(cut([], 10), [b""])
        self.assertRaises(ValueError, cut, [b"abc"], 2)

    def test_anyText(self) -> None:
        """Each piece of any text can be read alone, and together they are the text."""
        random = Random(3)
        for alphabet, characters in ((GSM, "ab€^{@ñ\r"), (UCS2, "aλ\U0001f600漢")):
            for _ in range(50):
                text = "".join(random.choices(characters, k=random.randint(0, 400)))
                room = alphabet.room(random.choice((6, 7, 11)))
                pieces = cut(alphabet.units(text), room)
                self.assertLessEqual(max(map(len, pieces)), room)
                self.assertEqual("".join(map(alphabet.decode, pieces)), text)
