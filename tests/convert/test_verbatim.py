"""MIME text for a device: unchanged where it can be, and losing nothing where it cannot."""

from __future__ import annotations

import email
import email.policy

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.mime import read
from gateway.convert.verbatim import MAX_LINE, message, whole_lines
from tests.convert.samples import multipart, part, text


def sent(raw: bytes, limit: int | None = None) -> str:
    """The MIME text of a mail."""
    return message(raw, read(raw), limit)[0]


def contents(raw: bytes) -> list[tuple[str, bytes]]:
    """Type and decoded octets of every part, by the standard library."""
    found = email.message_from_bytes(raw, policy=email.policy.compat32)
    return [
        (leaf.get_content_type(), leaf.get_payload(decode=True)) for leaf in found.walk() if not leaf.is_multipart()
    ]


class VerbatimTests(SynchronousTestCase):
    def test_unchanged(self) -> None:
        """A message of ASCII or UTF-8 is not touched."""
        for raw in (
            text("Subject: x", "a\r\n"),
            text("Subject: grün", "ä €\r\n"),
            multipart("mixed", part("text/plain", "ä")),
        ):
            self.assertEqual(sent(raw).encode(), raw)

    def test_lineEnds(self) -> None:
        """Line ends become CRLF, and the length that is told counts them."""
        raw = b"Subject: x\nTo: y\n\na\nb" + b"\n" * 20
        found, missing = message(raw, read(raw), 12)
        self.assertTrue(found.startswith("Subject: x\r\nTo: y\r\n"))
        self.assertEqual(len(found) + missing, 25 + 40)

    def test_otherOctets(self) -> None:
        """Parts that a string cannot hold are sent in base64, the others as they are; the content stays the same."""
        for octets, encoding in ((b"gr\xfcn\n", "8bit"), (b"a\0b\xff", "binary"), (b"a\x0cb", "7bit")):
            odd = part("text/plain; charset=iso-8859-1", octets, f"Content-Transfer-Encoding: {encoding}", "X-Last: 1")
            for raw in (
                multipart("mixed", part("text/plain", "before"), odd, part("text/html", "after"), headers="Subject: x"),
                b"Subject: x\r\n" + odd,
            ):
                with self.subTest(octets, raw=raw):
                    found = sent(raw).encode()
                    self.assertEqual(contents(found), contents(raw))
                    self.assertIn(b"Content-Transfer-Encoding: base64", found)
                    self.assertNotIn(encoding.encode(), found)
                    self.assertIn(b"X-Last: 1", found)

    def test_oddHeader(self) -> None:
        """Octets of another charset in a header become UTF-8."""
        self.assertEqual(sent(b"Subject: gr\xfcn\r\n\r\nx"), "Subject: grün\r\n\r\nx")

    def test_embedded(self) -> None:
        """A message in a message is never put into base64, which RFC 2046 forbids; it becomes UTF-8."""
        raw = multipart("mixed", part("message/rfc822", b"Subject: x\r\n\r\ngr\xfcn"))
        self.assertIn("\r\n\r\ngrün\r\n", sent(raw))

    def test_limit(self) -> None:
        """Of a long message not much more than the limit is looked at."""
        raw = text("Subject: x", b"a" * 1_000_000 + b"\xff\0")
        found, missing = message(raw, read(raw), 100)
        self.assertLess(len(found), 200)
        self.assertEqual(len(found) + missing, len(raw))
        self.assertEqual(found.encode(), raw[: len(found)])

    def test_cutCharacter(self) -> None:
        """A limit in the middle of a character does not make it an odd one."""
        raw = text("Subject: x", "ä" * 100)
        for limit in range(20, 30):
            self.assertNotIn("\ufffd", sent(raw, limit))
            self.assertNotIn("base64", sent(raw, limit))

    def test_cutLastOctet(self) -> None:
        """A message that ends within a character is an odd one, and loses nothing."""
        self.assertEqual(contents(sent(text("Subject: x", b"a\xc3")).encode()), [("text/plain", b"a\xc3")])

    def test_mixedCharsets(self) -> None:
        """Octets that fit in no string leave the rest of the message as it is."""
        raw = multipart(
            "mixed", part("text/plain", "ä"), part("text/plain", b"\xff"), headers="Subject: grün\nX: a\n b"
        )
        found = sent(raw)
        self.assertTrue(found.startswith("Subject: grün\r\nX: a\r\n b\r\n"))
        self.assertEqual([octets for _, octets in contents(found.encode())], ["ä".encode(), b"\xff"])

    def test_wholeLines(self) -> None:
        """A cut message ends with a whole line, and in its header with a whole field, on however many lines that is."""
        for cut, expected in (
            ("A: 1\r\nB: 2\r\n 3\r\nC", "A: 1\r\nB: 2\r\n 3\r\n"),
            ("A: 1\r\nB: 2\r\n 3\r\n", "A: 1\r\n"),
            ("A: 1", ""),
            ("A: 1\r\n\r\n", "A: 1\r\n\r\n"),
            ("A: 1\r\n\r\none\r\ntwo", "A: 1\r\n\r\none\r\n"),
            ("\r\none\r\ntwo", "\r\none\r\n"),
            ("A: 1\r\n\r\n" + "x" * MAX_LINE, "A: 1\r\n\r\n" + "x" * MAX_LINE),
        ):
            with self.subTest(cut):
                self.assertEqual(whole_lines(cut), expected)

    @given(st.binary(max_size=200))
    @settings(max_examples=200, deadline=None)
    def test_anyOctets(self, body: bytes) -> None:
        """Any octets give text that XML can hold."""
        raw = b"Content-Type: multipart/mixed; boundary=-\n\n---\n" + body
        for limit in (None, 40, 60):
            found = sent(raw, limit)
            self.assertNotIn("\0", found)
            found.encode("utf-8")
