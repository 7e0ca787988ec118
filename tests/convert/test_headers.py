"""Header fields: where a header ends, encoded words, addresses, parameters."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.headers import MAX_CONTENT, MAX_REPEATS, MAX_VALUE, Address, addresses, words
from gateway.convert.mime import Part, read
from tests.convert.samples import text


def header(raw: bytes) -> Part:
    """A mail with that header."""
    return read(raw + b"\r\n\r\nbody")


def shown(value: str) -> list[str]:
    """The addresses of a list as they are sent."""
    return [str(address) for address in addresses([value])]


class ReadableTests(SynchronousTestCase):
    def test_folded(self) -> None:
        """A folded value is one line with a blank at each fold."""
        self.assertEqual(header(b"Subject: a\r\n b\r\n\tc")["subject"], "a b c")

    def test_first(self) -> None:
        """Of fields that stand twice the first is read."""
        self.assertEqual(header(b"Subject: a\nsubject: b")["subject"], "a")

    def test_eightBit(self) -> None:
        """Octets outside ASCII are read as UTF-8, else as windows-1252."""
        self.assertEqual(header("Subject: grün".encode())["subject"], "grün")
        self.assertEqual(header(b"Subject: gr\xfcn")["subject"], "grün")

    def test_controls(self) -> None:
        """Characters that XML does not allow become U+FFFD."""
        self.assertEqual(header(b"Subject: a\0b\x1bc")["subject"], "a\ufffdb\ufffdc")

    def test_bounds(self) -> None:
        """No more than a length of each value is read; what follows is found all the same."""
        for name, limit in (("Subject", MAX_VALUE), ("Content-Type", MAX_CONTENT)):
            found = header(text(f"{name}: {'a' * (2 * limit)}\nTo: a@b").removesuffix(b"\r\n\r\nHi."))
            self.assertEqual((found[name], found["to"]), ("a" * limit, "a@b"))


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
        """What is no encoded word stays as it stands; base64 without padding gives what it can."""
        for value in ("=?utf-8?x?abc?=", "=?utf-8?q?abc", "=?utf-8?b?S?=", "x =?utf-8?b?SGk?= =?utf-8?b?S?="):
            self.assertEqual(words(value), value)
        self.assertEqual(words("=?utf-8?b?SGk?="), "Hi")
        self.assertEqual(words("=?utf-8?b?SGk=====?="), "Hi")
        self.assertEqual(words("=?utf-8?b?S*G*k?="), "Hi")
        self.assertEqual(words("=?no-such?q?abc=E4?="), "abcä")

    def test_mixed(self) -> None:
        """What stands beside encoded words is kept as it is: any character, and what looks like an escape."""
        self.assertEqual(words("ä € \\u0041 =?utf-8?q?x?= C:\\users"), "ä € \\u0041 x C:\\users")
        self.assertEqual(words("=?utf-8?q?x?= " + "€" * MAX_VALUE), "x " + "€" * MAX_VALUE)

    def test_linear(self) -> None:
        """Texts made to be slow are read in a moment."""
        started = time.process_time()
        for piece in ("=?a?q?", "?= =?a?q? ", "=?", "=?a?q?a?= "):
            words("?= " + piece * (MAX_VALUE // len(piece)))
        self.assertLess(time.process_time() - started, 1)

    @given(st.text(max_size=100), st.text("=?utf-8bq _A\u20ac", max_size=100))
    @settings(max_examples=200, deadline=None)
    def test_anyText(self, before: str, value: str) -> None:
        """Any text gives text."""
        self.assertIsInstance(words(before + "=?" + value), str)

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
            ("Ann, Bob, c@x, d@x", ['"Ann"', '"Bob"', '"c@x" <c@x>', '"d@x" <d@x>']),
            ("Doe Smith, Jane <j@x>", ['"Doe Smith, Jane" <j@x>']),
            ("Ann Lee, b@x", ['"Ann Lee"', '"b@x" <b@x>']),
            ("Team [x] <a@x>, [Y] Z <b@x>", ['"Team [x]" <a@x>', '"[Y] Z" <b@x>']),
            ("root (Cron Daemon)", ['"Cron Daemon" <root>']),
            ("a@b <a@b>", ['"a@b" <a@b>']),
            ('"Doe, Jane <j@y>" <j@x>', ['"Doe, Jane <j@y>" <j@x>']),
            ("Ann (x) Lee <a@x>", ['"Ann Lee (x)" <a@x>']),
            ("a@x; b@x", ['"a@x" <a@x>', '"b@x" <b@x>']),
            ("Ann <a@x> <b@x>", ['"Ann" <a@x>', '"b@x" <b@x>']),
            ("<>", []),
            ("Ann <>", ['"Ann"']),
            (",,;:", []),
            ("", []),
            ('"open <a@x>', ['"open <a@x>"']),
            ("a@b@c", ['"@c"']),
        ):
            with self.subTest(value):
                self.assertEqual(shown(value), expected)

    def test_repeated(self) -> None:
        """The addresses of all fields of a name are put together, up to a number of fields."""
        self.assertEqual([found.spec for found in addresses(["a@x", "b@x, c@x"])], ["a@x", "b@x", "c@x"])
        self.assertEqual(len(addresses(["a@x"] * 1000)), MAX_REPEATS)

    def test_nested(self) -> None:
        """A list nested so deeply that the library gives up goes out as it is written."""
        for value in ("(" * 2000 + "a@b" + ")" * 2000, "a:" * 2000 + "b@x"):
            self.assertEqual(addresses([value]), [Address(value, "")])

    def test_linear(self) -> None:
        """Lists made to be slow are read in a moment: brackets, quotes, commas and broken words by the thousand."""
        started = time.process_time()
        for piece in ("(", '"', '\\"', "<", "a,", "a:", "=?a?q?", "(\\", "=?", ",", "a <", "@"):
            addresses(['"' + piece * (MAX_VALUE // len(piece))])
            addresses(["g:" + piece * (MAX_VALUE // len(piece))])
        self.assertLess(time.process_time() - started, 3)
        self.assertEqual(len(addresses(["a@b.example," * (MAX_VALUE // 12)])), MAX_VALUE // 12)

    @given(st.text(max_size=100), st.text('"<>(),;:@\\ a', max_size=100))
    @settings(max_examples=200, deadline=None)
    def test_anyText(self, before: str, value: str) -> None:
        """Any text gives addresses."""
        for found in addresses([before, value]):
            self.assertTrue(found.name or found.spec)


class ParametersTests(SynchronousTestCase):
    def parameters(self, value: str) -> dict[str, str]:
        """The parameters of a Content-Disposition."""
        return header(f"Content-Disposition: {value}".encode()).parameters("content-disposition")

    def test_plain(self) -> None:
        """Names are lower-cased, quotes and quoted pairs undone, blanks around = and ; passed over."""
        self.assertEqual(
            self.parameters('Inline; FileName = "utf-8" ;name="a\\"b; c";x=y z'),
            {"filename": "utf-8", "name": 'a"b; c', "x": "y z"},
        )
        for value in ("inline", "", ";;; a"):
            self.assertEqual("".join(self.parameters(value).values()), "")
        self.assertEqual(read(b"x").parameters(), {})

    def test_extended(self) -> None:
        """RFC 2231: charset, percent encoding and numbered segments in any order; no charset does harm."""
        for value, expected in (
            ("a; filename*=utf-8''gr%C3%BCn.txt", "grün.txt"),
            ("a; filename*=iso-8859-1'de'gr%FCn.txt", "grün.txt"),
            ("a; filename*1=b.txt; filename*0=a-", "a-b.txt"),
            ("a; filename*0*=utf-8''%C3; filename*1*=%A4; filename*2=.txt", "ä.txt"),
            ("a; filename=plain; filename*=utf-8''better", "better"),
            ("a; filename*=no-quotes%20here", "no-quotes here"),
            ("a; filename*=x-none''a%E4", "aä"),
            ("a; filename*=undefined''a%E4", "aä"),
            ("a; filename*=zlib''a", "a"),
        ):
            with self.subTest(value):
                self.assertEqual(self.parameters(value)["filename"], expected)

    def test_contradictory(self) -> None:
        """Segments that the library raises for give no parameters; the parts of such a mail are its text."""
        for value in ("a; filename*=x; filename*0=b; filename*0*=c", f"a; filename*{'9' * 5000}=x"):
            self.assertEqual(self.parameters(value), {})
        found = read(text("Content-Type: multipart/mixed; boundary=b; x*=a; x*0=b", "--b\n\nx\n--b--"))
        self.assertEqual((found.type, found.content()), ("text/plain", b"--b\n\nx\n--b--"))

    def test_linear(self) -> None:
        """Parameters made to be slow are read in a moment."""
        started = time.process_time()
        for piece in (";", '";', 'a="', ";a=b", "a*0=b;"):
            self.parameters("a;" + piece * (MAX_VALUE // len(piece)))
        self.assertLess(time.process_time() - started, 1)
