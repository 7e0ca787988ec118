"""Long bodies that the parser never sees: nothing comes out differently."""

from __future__ import annotations

import base64
import email
import tracemalloc
from email.errors import InvalidBase64LengthDefect

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.convert import abridge, transfer
from gateway.convert.abridge import LONG, abridged
from gateway.convert.headers import READABLE
from gateway.convert.message import Mail, properties
from gateway.convert.mime import Part, read
from gateway.convert.verbatim import message
from tests.convert.samples import MIME, PLAIN, multipart, part

B64 = "Content-Transfer-Encoding: base64"
SCRAPS = st.sampled_from(
    (
        b"\n",
        b"\r",
        b"\r\n",
        b"--",
        b"--b\n",
        b"\n--b\n\n",
        b"\r\n--b--\r\n",
        b"--c\n",
        b"a: b\n",
        b"Content-Type: multipart/mixed; boundary=c\n\n",
        b"Content-Type: message/rfc822\n\n",
        b"Content-Transfer-Encoding: base64\n\n",
        b"SGk=\n",
        b"text with words\n",
        b"\xe4\xff",
        b" ",
        b"x" * 30,
    )
)


def shape(found: Part) -> object:
    """Everything about the parts of a mail."""
    head = sorted(found.items())
    if found.children:
        return head, found.type, [shape(child) for child in found.children]
    return head, found.type, found.number, found.transferred(), found.content(), found.size()


def library(raw: bytes) -> bytes:
    """The body of a mail of one part, by the standard library alone."""
    return bytes(email.message_from_bytes(raw, policy=READABLE).get_payload(decode=True))


def cut_short(raw: bytes) -> bool:
    """Whether there is base64 with one character too many, of which the library decodes nothing at all."""
    for leaf in email.message_from_bytes(raw, policy=READABLE).walk():
        if not leaf.is_multipart():
            leaf.get_payload(decode=True)
            if any(isinstance(defect, InvalidBase64LengthDefect) for defect in leaf.defects):
                return True
    return False


class AbridgedTests(SynchronousTestCase):
    @given(st.lists(SCRAPS, max_size=40))
    @settings(max_examples=300, deadline=None)
    def test_same(self, scraps: list[bytes]) -> None:
        """A mail has the same parts, with the same octets, whatever was left out for the parser."""
        for raw in (b"".join(scraps), b"Content-Type: multipart/mixed; boundary=b\n\n" + b"".join(scraps)):
            assume(not cut_short(raw))
            whole = shape(read(raw))
            self.patch(abridge, "LONG", 3)
            try:
                found = read(raw)
                self.assertEqual(shape(found), whole)
                self.assertEqual(message(raw, found, None)[0].count("\n"), message(raw, read(raw), None)[0].count("\n"))
            finally:
                self.patch(abridge, "LONG", LONG)

    def test_leftOut(self) -> None:
        """Of a large mail the parser gets headers, delimiters and short bodies."""
        octets = base64.encodebytes(bytes(200_000))
        raw = multipart("mixed", part("text/plain", "Hi."), part("application/x", octets, B64), headers="Subject: x")
        found = abridged(raw)
        self.assertLess(len(found.text), 1000)
        self.assertIn(b"Hi.", found.text)
        self.assertEqual(list(read(raw).leaves())[1].content(), bytes(200_000))

    def test_forged(self) -> None:
        """A mail cannot name octets that the parser is to put in: what looks like a mark is text."""
        text = b"0" * 32 + b":0-10;\n"
        raw = part("text/plain", text + b"x" * LONG)
        self.assertEqual(read(raw).content(), text + b"x" * LONG)

    def test_written(self) -> None:
        """A mail that has to be written anew for a device has its long bodies in it, also those between the parts."""
        octets = base64.encodebytes(bytes(20_000))
        between = b"pre \xfc\r\n" * 2000
        raw = multipart("mixed", part("text/plain", b"\xfc" * LONG), part("application/x", octets, B64))
        raw = raw.replace(b"\r\n\r\n", b"\r\n\r\n" + between, 1)
        text = message(raw, read(raw), None)[0]
        self.assertIn(octets.decode().replace("\n", "\r\n"), text)
        self.assertEqual(text.count("pre ü"), 2000)
        self.assertIn(base64.encodebytes(b"\xfc" * LONG).decode().replace("\n", "\r\n"), text)

    def test_memory(self) -> None:
        """A mail with an attachment of megabytes is converted within a fraction of its size, and sent as MIME in one
        copy; the attachment comes out in pieces."""
        raw = multipart("mixed", part("application/x", base64.encodebytes(bytes(3 * 2**20)), B64))

        def most(work: object) -> float:
            tracemalloc.start()
            try:
                work()  # type: ignore[operator]
                return tracemalloc.get_traced_memory()[1] / len(raw)
            finally:
                tracemalloc.stop()

        self.assertLess(most(lambda: properties(Mail(raw), 141, PLAIN)), 0.1)
        self.assertLess(most(lambda: [len(chunk) for leaf in read(raw).leaves() for chunk in leaf.chunks()]), 0.15)
        self.assertLess(most(lambda: properties(Mail(raw), 141, MIME)), 3.1)


class TransferTests(SynchronousTestCase):
    @given(
        st.sampled_from(("base64", "quoted-printable", "x-uuencode", "8bit", "")),
        st.lists(
            st.sampled_from(
                (b"SGk=", b"SGkh", b"\n", b"\r\n", b"=", b"==", b"A", b"!", b"=48", b"=\n", b" \n", b"begin 644 a\n")
            ),
            max_size=30,
        ),
        st.integers(1, 12),
    )
    @settings(max_examples=300, deadline=None)
    def test_asTheLibrary(self, encoding: str, scraps: list[bytes], step: int) -> None:
        """Piece by piece, a body is what the standard library makes of it as a whole, as far as that can read it."""
        raw = part("application/x", b"".join(scraps), *([f"Content-Transfer-Encoding: {encoding}"] if encoding else []))
        self.patch(transfer, "STEP", step)
        expected = library(raw)
        found = read(raw).content()
        if encoding == "base64" and expected == b"".join(b"".join(scraps).splitlines()):
            # The library gives up on a length that cannot be; pieces before that have been read by then.
            return
        self.assertEqual(found, expected)

    def test_large(self) -> None:
        """Lines of any length, or none at all, are no different."""
        octets = bytes(range(256)) * 1000
        plain = base64.b64encode(octets)
        for body in (
            plain,
            base64.encodebytes(octets),
            b"\r\n".join(plain[n : n + 75] for n in range(0, len(plain), 75)),
        ):
            found = read(part("application/x", body, B64))
            self.assertEqual(found.content(), octets)
            self.assertEqual(found.size(), len(octets))
            self.assertGreater(len(list(found.chunks())), 3)
        quoted = b"=C3=A4 and =\r\nmore\r\n" * 10_000
        found = read(part("text/plain", quoted, "Content-Transfer-Encoding: quoted-printable"))
        self.assertEqual(found.content(), b"\xc3\xa4 and more\r\n" * 10_000)
