"""The structure of a mail: which octets belong to which part."""

from __future__ import annotations

import base64
import email
import time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.mime import MAX_DEPTH, MAX_PARTS, Part, read, read_head, sections, unread
from tests.convert.samples import multipart, part, text


def tree(found: Part) -> object:
    """Types (and for leaves the octets) of a mail."""
    return (found.type, [tree(child) for child in found.children]) if found.children else (found.type, found.content())


class ReadTests(SynchronousTestCase):
    def test_single(self) -> None:
        """A mail without a type is one text, number 1."""
        found = read(b"Subject: x\r\n\r\nHi.\r\n")
        self.assertEqual((found.type, found.content(), found.number), ("text/plain", b"Hi.\r\n", 1))

    def test_nested(self) -> None:
        """Parts within parts come out with their octets, without the line end before a delimiter; leaves count."""
        raw = multipart(
            "mixed",
            multipart("alternative", part("text/plain", "a\r\n"), part("text/html", "<p>b")),
            part("image/png", "c"),
        )
        found = read(raw)
        self.assertEqual(
            tree(found),
            (
                "multipart/mixed",
                [
                    ("multipart/alternative", [("text/plain", b"a\r\n"), ("text/html", b"<p>b")]),
                    ("image/png", b"c"),
                ],
            ),
        )
        self.assertEqual([(leaf.number, leaf.type) for leaf in found.leaves()][2], (3, "image/png"))
        self.assertEqual([leaf.number for leaf in found.leaves()], [1, 2, 3])

    def test_lineFeeds(self) -> None:
        """A mail stored with LF has the same parts as with CRLF, and so has one with CR."""
        raw = multipart("mixed", part("text/plain", "a"), part("text/html", "b"))
        self.assertEqual(tree(read(raw.replace(b"\r\n", b"\n"))), tree(read(raw)))
        self.assertEqual(tree(read(raw.replace(b"\r\n", b"\r"))), tree(read(raw)))

    def test_delimiters(self) -> None:
        """A delimiter stands at the beginning of a line, blanks may follow it, other text may not."""
        head = b"Content-Type: multipart/mixed; boundary=b\n\n"
        for body, expected in (
            (b"pre\n--b\n\none\n--b \t\r\n\ntwo\n--b--\nafter", [b"one", b"two"]),
            (b"--b\n\none --b\n--bc\n-- b\n--b--", [b"one --b\n--bc\n-- b"]),
            (b"--b\n\none", [b"one"]),
            (b"--b\n\none\n--b", [b"one", b""]),
            (b"--b\n--b\n\nx\n--b--\n--b\n\nafter", [b"", b"x"]),
            (b"--b\n\none\n--b-- \nafter", [b"one"]),
            (b"--b\n\none\n--b--x\n--b--", [b"one\n--b--x"]),
        ):
            with self.subTest(body):
                self.assertEqual([leaf.content() for leaf in read(head + body).leaves()], expected)

    def test_sameAsTheStandardLibrary(self) -> None:
        """Structure and decoded content of well-formed mails are what C{email} finds."""
        raw = multipart(
            "mixed",
            part("text/plain; charset=utf-8", "=C3=A4=\r\nx\r\n", "Content-Transfer-Encoding: quoted-printable"),
            multipart(
                "related",
                part("text/html", "<p>"),
                part("image/png", base64.encodebytes(bytes(range(256))), "Content-Transfer-Encoding: base64"),
            ),
            part("application/pdf", "", "Content-Transfer-Encoding: base64"),
            headers="From: a@b",
        )
        ours = [(leaf.type, leaf.content()) for leaf in read(raw).leaves()]
        theirs = [
            (leaf.get_content_type(), leaf.get_payload(decode=True))
            for leaf in email.message_from_bytes(raw).walk()
            if not leaf.is_multipart()
        ]
        self.assertEqual(ours, theirs)

    def test_withoutParts(self) -> None:
        """A multipart without a boundary, or in which it does not stand, is shown as a text."""
        for kind in ("multipart/mixed", "multipart/mixed; boundary=b", 'multipart/mixed; boundary=""'):
            found = read(text(f"Content-Type: {kind}", "all of it"))
            self.assertEqual((found.type, found.content(), found.number), ("text/plain", b"all of it", 1))

    def test_digest(self) -> None:
        """The parts of a digest are messages unless they say otherwise (RFC 2046 5.1.5)."""
        found = read(multipart("digest", b"\r\nSubject: one\r\n\r\nx", part("text/plain", "y")))
        self.assertEqual([child.type for child in found.children], ["message/rfc822", "text/plain"])

    def test_badType(self) -> None:
        """A Content-Type that is none counts as text/plain, so that it never reaches an answer's header."""
        for kind in ("text", "/", "text/", "te xt/html", "text/ht\0ml", "täxt/html", "a" * 200 + "/b"):
            self.assertEqual(read(text(f"Content-Type: {kind}")).type, "text/plain", kind)

    def test_depth(self) -> None:
        """Multiparts deeper than the bound are one part of unknown type; nothing recurses without bound."""
        raw = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3000))
        found = read(raw)
        leaves = list(found.leaves())
        self.assertEqual([leaf.type for leaf in leaves], ["application/octet-stream"])
        depth = 0
        while found.children:
            found, depth = found.children[0], depth + 1
        self.assertEqual(depth, MAX_DEPTH)

    def test_number(self) -> None:
        """No more than a bounded number of parts is told apart."""
        raw = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 5000
        self.assertLessEqual(len(list(read(raw).leaves())), MAX_PARTS)

    def test_falseDelimiters(self) -> None:
        """A million lines that begin like a delimiter cost a moment."""
        started = time.process_time()
        raw = b"x\n--bc" * 1_000_000
        self.assertEqual(list(sections(raw, 0, len(raw), b"b")), [])
        self.assertLess(time.process_time() - started, 1)

    def test_large(self) -> None:
        """A mail of 20 MB is taken apart without reading its lines."""
        octets = base64.encodebytes(bytes(15 * 2**20))
        raw = multipart(
            "mixed", part("text/plain", "Hi."), part("application/pdf", octets, "Content-Transfer-Encoding: base64")
        )
        started = time.process_time()
        found = read(raw)
        self.assertLess(time.process_time() - started, 0.5)
        self.assertEqual(found.children[1].size(), 15 * 2**20)

    @given(st.binary(max_size=300))
    @settings(max_examples=200, deadline=None)
    def test_anyOctets(self, body: bytes) -> None:
        """Any octets have parts that lie within them, in order, each with a number of its own."""
        raw = b"Content-Type: multipart/mixed; boundary=-\n\n---\n" + body
        for found in (read(body), read(raw)):
            leaves = list(found.leaves())
            self.assertEqual([leaf.number for leaf in leaves], list(range(1, len(leaves) + 1)))
            for leaf in leaves:
                self.assertTrue(0 <= leaf.start <= leaf.body <= leaf.end <= len(leaf.raw))
                leaf.content()
                self.assertGreaterEqual(leaf.size(), 0)


class PartTests(SynchronousTestCase):
    def test_encodings(self) -> None:
        """Base64 and quoted-printable are undone, also where they are broken; other encodings are none."""
        for encoding, body, expected in (
            ("base64", "SGk=", b"Hi"),
            ("BASE64", "SGk", b"Hi"),
            ("base64 ; x", "SG\r\nk=\r\n-- \r\nlist", b"Hi"),
            ("quoted-printable", "=48i=2E=\r\n=\r\n", b"Hi."),
            ("quoted-printable", "100% =Z =", b"100% =Z "),
            ("8bit", "Hi=", b"Hi="),
            ("x-unknown", "Hi", b"Hi"),
        ):
            with self.subTest(encoding, body=body):
                self.assertTrue(
                    read(part("text/plain", body, f"Content-Transfer-Encoding: {encoding}"))
                    .content()
                    .startswith(expected)
                )

    def test_size(self) -> None:
        """The size is that of the decoded octets, without decoding them."""
        for count in (0, 1, 2, 3, 100, 10_000):
            octets = base64.encodebytes(bytes(count)).replace(b"\n", b"\r\n")
            found = read(part("application/x", octets, "Content-Transfer-Encoding: base64"))
            self.assertEqual(found.size(), count)
        self.assertEqual(read(part("text/plain", "=C3=A4x", "Content-Transfer-Encoding: quoted-printable")).size(), 3)
        self.assertEqual(read(part("text/plain", "abc")).size(), 3)

    def test_limit(self) -> None:
        """Of a long body no more is decoded than asked."""
        found = read(part("text/plain", base64.encodebytes(b"x" * 10_000), "Content-Transfer-Encoding: base64"))
        self.assertLess(len(found.content(100)), 100)
        self.assertEqual(found.content(100), b"x" * len(found.content(100)))

    def test_filename(self) -> None:
        """The name is that of the disposition, else of the type, in every encoding that is in use."""
        for header in (
            'Content-Disposition: attachment; filename="grün.txt"',
            "Content-Disposition: attachment; filename*=utf-8''gr%C3%BCn.txt",
            'Content-Disposition: attachment; filename="=?utf-8?q?gr=C3=BCn.txt?="',
            "Content-Type: text/plain; name*=iso-8859-1''gr%FCn.txt",
            'Content-Type: text/plain; name="=?utf-8?b?Z3LDvG4udHh0?="',
        ):
            with self.subTest(header):
                self.assertEqual(read(text(header)).filename, "grün.txt")

    def test_unread(self) -> None:
        """A mail that is not taken apart is one text of all its octets."""
        found = unread(b"Subject: x\n\ny")
        self.assertEqual((found.type, found.content(), found.fields.values), ("text/plain", b"Subject: x\n\ny", {}))

    def test_head(self) -> None:
        """The header of a mail can be read alone."""
        self.assertEqual(read_head(b"Subject: x\n\ny").text("subject"), "x")
