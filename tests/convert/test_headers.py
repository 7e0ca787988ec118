"""Header fields: where a header ends, encoded words, addresses, parameters."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.headers import (
    MAX_FIELDS,
    MAX_VALUE,
    Fields,
    addresses,
    parameters,
    read_fields,
    unbase64,
    words,
)


def fields(raw: bytes) -> Fields:
    """The fields of a header."""
    return read_fields(raw, 0, len(raw))[0]


def body(raw: bytes) -> bytes:
    """What follows the header."""
    return raw[read_fields(raw, 0, len(raw))[1] :]


def shown(value: str) -> list[str]:
    """The addresses of a list as they are sent."""
    return [str(address) for address in addresses(value)]


class ReadFieldsTests(SynchronousTestCase):
    def test_lineEnds(self) -> None:
        """CRLF, LF and both mixed end a line, and a blank line of either kind ends the header."""
        for raw in (b"A: 1\r\nB: 2\r\n\r\nx", b"A: 1\nB: 2\n\nx", b"A: 1\nB: 2\r\n\nx"):
            found, start = read_fields(raw, 0, len(raw))
            self.assertEqual((found.text("a"), found.text("b"), raw[start:]), ("1", "2", b"x"))

    def test_folded(self) -> None:
        """A folded value is one line with a blank at each fold."""
        self.assertEqual(fields(b"Subject: a\r\n b\r\n\tc\r\n\r\n").text("subject"), "a b c")

    def test_first(self) -> None:
        """Of fields that stand twice the first is read; addresses of all of them."""
        found = fields(b"Subject: a\nsubject: b\nTo: a@x\nTo: b@x\n\n")
        self.assertEqual(found.text("subject"), "a")
        self.assertEqual([address.spec for address in found.addresses("to")], ["a@x", "b@x"])

    def test_noHeader(self) -> None:
        """A mail that begins with its text has no fields, and its text is all there."""
        self.assertEqual(body(b"Hello there\nfriend: x\n"), b"Hello there\nfriend: x\n")
        self.assertEqual(fields(b"Hello there\nfriend: x\n").values, {})
        self.assertEqual(body(b"\n\nx"), b"\nx")

    def test_brokenLine(self) -> None:
        """A line in the header that is no field begins the text, so that nothing of it is lost."""
        self.assertEqual(body(b"A: 1\nbroken\nB: 2\n\nx"), b"broken\nB: 2\n\nx")

    def test_envelopeLine(self) -> None:
        """The line that a mailbox file puts before a mail is passed over."""
        self.assertEqual(fields(b"From a@b Wed May 1 08:00:00 2024\nSubject: x\n\n").text("subject"), "x")

    def test_eightBit(self) -> None:
        """Octets outside ASCII are read as UTF-8, else as windows-1252."""
        self.assertEqual(fields("Subject: grün\n\n".encode()).text("subject"), "grün")
        self.assertEqual(fields(b"Subject: gr\xfcn\n\n").text("subject"), "grün")

    def test_bounds(self) -> None:
        """No more than a number of fields and a length of each are read; the body is found all the same."""
        raw = b"X: y\n" * MAX_FIELDS + b"Subject: late\n\nbody"
        self.assertEqual(fields(raw).text("subject"), "")
        self.assertEqual(body(raw), b"body")
        raw = b"Subject: " + b"a" * (2 * MAX_VALUE) + b"\nTo: a@b\n\nbody"
        self.assertLessEqual(len(fields(raw).text("subject")), MAX_VALUE)
        self.assertEqual(fields(raw).addresses("to")[0].spec, "a@b")

    @given(st.binary(max_size=300))
    @settings(max_examples=200, deadline=None)
    def test_anyOctets(self, raw: bytes) -> None:
        """Any octets have a header, maybe an empty one, and a body within them."""
        found, start = read_fields(raw, 0, len(raw))
        self.assertLessEqual(start, len(raw))
        for name in found.values:
            found.text(name)
            found.addresses(name)
            parameters(found.raw(name))


class WordsTests(SynchronousTestCase):
    def test_decoded(self) -> None:
        """Encoded words become text, in base64 and in Q, with the language of RFC 2231 or without."""
        for value, expected in (
            ("=?utf-8?q?Hell=C3=B6_there?= you", "Hellö there you"),
            ("=?UTF-8?B?SMOkbGxv?=", "Hällo"),
            ("=?iso-8859-1*de?Q?gr=FCn?=", "grün"),
            ("a =?utf-8?q?b?= =?utf-8?q?c?= d", "a bc d"),
            ("=?utf-8?q?b?=\t =?iso-8859-1?q?=E4?=", "bä"),
            ("x=?utf-8?q?b?=y", "xby"),
            ("=?utf-8?q?with space?=", "with space"),
            ("=?utf-8?q??=", ""),
        ):
            with self.subTest(value):
                self.assertEqual(words(value), expected)

    def test_splitCharacter(self) -> None:
        """A character that is split between two words is put together."""
        self.assertEqual(words("=?utf-8?b?w6Q=?= =?utf-8?b?w7y=?="), "äü")
        self.assertEqual(words("=?utf-8?q?=C3?= =?utf-8?q?=A4?="), "ä")

    def test_broken(self) -> None:
        """What is no encoded word stays as it stands; broken base64 gives what it can."""
        for value in ("=?utf-8?x?abc?=", "=?utf-8?q?abc", "=??q?abc?=", "=?utf-8?b?ä?="):
            self.assertEqual(words(value), value)
        self.assertEqual(words("=?utf-8?b?SGk?="), "Hi")
        self.assertEqual(words("=?utf-8?b?SGk=====?="), "Hi")
        self.assertEqual(words("=?utf-8?b?S*G*k?="), "Hi")
        self.assertEqual(words("=?utf-8?b?S?="), "")
        self.assertEqual(words("=?no-such?q?abc=E4?="), "abcä")

    def test_controls(self) -> None:
        """Line ends in a word become blanks and other controls U+FFFD: a subject is one line."""
        self.assertEqual(words("=?utf-8?q?a=0D=0Ab=00c?="), "a b\ufffdc")


class AddressesTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """Every way to write an address becomes C{"Name" <a@b>}."""
        for value, expected in (
            ("Ann <ann@example.org>", ['"Ann" <ann@example.org>']),
            ('"Ann" <ann@example.org>', ['"Ann" <ann@example.org>']),
            ("ann@example.org", ['"ann@example.org" <ann@example.org>']),
            ("<ann@example.org>", ['"ann@example.org" <ann@example.org>']),
            ("ann@example.org (Ann B.)", ['"Ann B." <ann@example.org>']),
            ("Ann <a@x>, Bob <b@x>", ['"Ann" <a@x>', '"Bob" <b@x>']),
            ('"Doe, Jane" <j@x>', ['"Doe, Jane" <j@x>']),
            ("Doe, Jane <j@x>", ['"Doe, Jane" <j@x>']),
            (r'"Jane \"JD\" Doe" <j@x>', [r'"Jane \"JD\" Doe" <j@x>']),
            ("=?utf-8?q?Doe=2C_J=C3=A4ne?= <j@x>", ['"Doe, Jäne" <j@x>']),
            ("=?utf-8?q?Doe,_Jane?= <j@x>", ['"Doe, Jane" <j@x>']),
            ('"=?utf-8?q?J=C3=A4ne?=" <j@x>', ['"Jäne" <j@x>']),
            ("Friends: Ann <a@x>, b@x;", ['"Ann" <a@x>', '"b@x" <b@x>']),
            ("undisclosed-recipients:;", []),
            ("Ann", ['"Ann"']),
            ("Ann,", ['"Ann"']),
            ("Ann, b@x", ['"Ann"', '"b@x" <b@x>']),
            ("Ann, Bob, c@x, d@x", ['"Ann, Bob"', '"c@x" <c@x>', '"d@x" <d@x>']),
            ("a@x; b@x", ['"a@x" <a@x>', '"b@x" <b@x>']),
            ("Ann <a@x> <b@x>", ['"Ann" <b@x>']),
            ("<>", []),
            ("Ann <>", ['"Ann"']),
            (",,;:", []),
            ("", []),
            ('"open <a@x>', ['""open" <a@x>'.replace('""', '"\\"')]),
        ):
            with self.subTest(value):
                self.assertEqual(shown(value), expected)

    def test_linear(self) -> None:
        """Lists made to be slow are read in a moment: brackets, quotes, commas and broken words by the thousand."""
        started = time.process_time()
        for piece in ("(", '"', '\\"', "<", "a,", "a:", "=?a?q?", "(\\", "=?", ",", "a <"):
            list(addresses('"' + piece * (MAX_VALUE // len(piece))))
        self.assertLess(time.process_time() - started, 3)


class ParametersTests(SynchronousTestCase):
    def test_plain(self) -> None:
        """Names are lower-cased, quotes and quoted pairs undone, blanks around = and ; passed over."""
        self.assertEqual(
            parameters('Text/Plain; CharSet = "utf-8" ;name="a\\"b; c";x=y z'),
            ("text/plain", {"charset": "utf-8", "name": 'a"b; c', "x": "y z"}),
        )
        self.assertEqual(parameters("text/plain"), ("text/plain", {}))
        self.assertEqual(parameters(";;; a"), ("", {}))
        self.assertEqual(parameters('a/b; name="open'), ("a/b", {"name": "open"}))

    def test_extended(self) -> None:
        """RFC 2231: charset, percent encoding and numbered segments in any order."""
        for value, expected in (
            ("a; filename*=utf-8''gr%C3%BCn.txt", "grün.txt"),
            ("a; filename*=iso-8859-1'de'gr%FCn.txt", "grün.txt"),
            ("a; filename*1=b.txt; filename*0=a-", "a-b.txt"),
            ("a; filename*0*=utf-8''%C3; filename*1*=%A4; filename*2=.txt", "ä.txt"),
            ("a; filename=plain; filename*=utf-8''better", "better"),
            ("a; filename*=no-quotes%20here", "no-quotes here"),
            ("a; filename*=x-none''a%E4", "aä"),
        ):
            with self.subTest(value):
                self.assertEqual(parameters(value)[1]["filename"], expected)

    def test_contradictory(self) -> None:
        """Segments with and without numbers mixed, which the standard library's parser raises for, give something."""
        self.assertIn("filename", parameters("a; filename*=x; filename*0=b; filename*0*=c")[1])
        self.assertEqual(parameters("a; *=x; **=y; *0*=z")[1], {})


class Base64Tests(SynchronousTestCase):
    def test_lenient(self) -> None:
        """Blanks, foreign octets, missing and surplus padding do no harm."""
        for octets in (
            b"SGVsbG8=",
            b"SGVsbG8",
            b"SGVs\r\nbG8=",
            b"SG!Vsb-G8",
            b"SGVsbG8=\n--trailing",
            b"SGVsbG8A"[:7],
        ):
            self.assertTrue(unbase64(octets).startswith(b"Hello"), octets)
        self.assertEqual(unbase64(b"A"), b"")
        self.assertEqual(unbase64(b""), b"")
