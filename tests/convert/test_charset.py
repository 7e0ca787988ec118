"""Charsets: names, fallbacks, code pages, and the characters that XML can hold."""

from __future__ import annotations

import encodings

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.charset import clean, crlf, decoded

NAMES = ("utf-8", "us-ascii", "iso-8859-1", "utf-7", "utf-16", "iso-2022-jp", "gb2312", "hz", "punycode", "", "x-\0y")


class DecodedTests(SynchronousTestCase):
    def test_namesOfSenders(self) -> None:
        """The names that mail programs write for charsets are understood, with their Windows code pages."""
        for name, octets, text, page in (
            ("UTF-8", "ä€".encode(), "ä€", 65001),
            ('"utf8"', "ä€".encode(), "ä€", 65001),
            ("us-ascii", b"a", "a", 20127),
            ("ISO-8859-1", b"\xe4", "ä", 28591),
            ("iso-8859-15", b"\xa4", "€", 28605),
            ("windows-1252", b"\x80", "€", 1252),
            ("Windows-1251", "Привет".encode("cp1251"), "Привет", 1251),
            ("koi8-r", "Привет".encode("koi8_r"), "Привет", 20866),
            ("iso-2022-jp", "日本".encode("iso2022_jp"), "日本", 50220),
            ("Shift_JIS", "日本".encode("cp932"), "日本", 932),
            ("gb2312", "中文".encode("gb18030"), "中文", 936),
            ("GBK", "中文".encode("gbk"), "中文", 936),
            ("big5", "中文".encode("big5"), "中文", 950),
            ("ks_c_5601-1987", "한국".encode("cp949"), "한국", 949),
            ("euc-kr", "한국".encode("euc_kr"), "한국", 51949),
            ("utf-16le", "ä".encode("utf-16-le"), "ä", 1200),
            ("utf-7", b"+AOQ-", "ä", 65000),
        ):
            with self.subTest(name):
                self.assertEqual(decoded(octets, name), (text, page))

    def test_noCharset(self) -> None:
        """Octets without a charset are ASCII, else UTF-8, else windows-1252."""
        self.assertEqual(decoded(b"a", ""), ("a", 20127))
        self.assertEqual(decoded("ä".encode(), ""), ("ä", 65001))
        self.assertEqual(decoded(b"\xe4", ""), ("ä", 1252))

    def test_wrongCharset(self) -> None:
        """Octets that do not fit their charset are read as UTF-8 where they are that, else with replacements."""
        self.assertEqual(decoded("ä".encode(), "us-ascii"), ("ä", 65001))
        self.assertEqual(decoded("日本語".encode(), "iso-2022-jp"), ("日本語", 65001))
        self.assertEqual(decoded(b"\xe4x", "utf-8"), ("äx", 1252))
        text, page = decoded(b"a\xff\xff", "big5")
        self.assertTrue(text.startswith("a\ufffd"))
        self.assertEqual(page, 950)

    def test_latinWithControls(self) -> None:
        """Latin-1 that uses the octets of C1 controls is read as windows-1252."""
        self.assertEqual(decoded(b"\x93\xe4\x94", "iso-8859-1"), ("\u201cä\u201d", 28591))

    def test_unknownNamesLeaveNoTrace(self) -> None:
        """A name from a mail is never handed to the codec machinery, which would remember each one."""
        before = len(encodings._cache)
        for number in range(100):
            self.assertEqual(decoded(b"a", f"x-no-such-{number}"), ("a", 20127))
        for name in ("punycode", "idna", "unicode_escape", "rot13", "zlib", "undefined", "mbcs"):
            self.assertEqual(decoded(b"a-\\u0041", name), ("a-\\u0041", 20127))
        self.assertEqual(len(encodings._cache), before)

    @given(st.binary(max_size=200), st.sampled_from(NAMES))
    @settings(max_examples=200, deadline=None)
    def test_anyOctets(self, octets: bytes, name: str) -> None:
        """Any octets in any charset give text."""
        text, page = decoded(octets, name)
        self.assertIsInstance(text, str)
        self.assertGreater(page, 0)


class CleanTests(SynchronousTestCase):
    def test_replaced(self) -> None:
        """Characters that XML 1.0 does not allow become U+FFFD, each one."""
        self.assertEqual(clean("a\0b\x0cc\x1b\ud800\uffff\ufffed"), "a\ufffdb\ufffdc\ufffd\ufffd\ufffd\ufffdd")

    def test_kept(self) -> None:
        """Everything else stays, line ends, tabs and characters beyond the first plane too."""
        text = "a\tb\r\nä\u200b\x7f\x85\U0001f600\ue000\ufffd"
        self.assertEqual(clean(text), text)

    def test_lineEnds(self) -> None:
        """Every kind of line end becomes CRLF, and CRLF stays."""
        self.assertEqual(crlf("a\nb\r\nc\rd"), "a\r\nb\r\nc\r\nd")
        self.assertEqual(crlf("a\r\nb"), "a\r\nb")
        self.assertEqual(crlf("\n\r"), "\r\n\r\n")
