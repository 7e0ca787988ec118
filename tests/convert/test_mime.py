"""The structure of a mail: which octets belong to which part."""

from __future__ import annotations

import base64

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.mime import MAX_DEPTH, MAX_FIELDS, MAX_LINES, MAX_PARTS, PIECE, Part, read, read_head, unread
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
            (b"--b\n--b\n\nx\n--b--\n--b\n\nafter", [b"x"]),
            (b"--b\n\none\n--b-- \nafter", [b"one"]),
            (b"--b\n\none\n--b--x\n--b--", [b"one\n--b--x"]),
        ):
            with self.subTest(body):
                self.assertEqual([leaf.content() for leaf in read(head + body).leaves()], expected)

    def test_headerEnd(self) -> None:
        """A header ends at a blank line, or where it is broken, so that nothing of the text is lost."""
        for raw, subject, body in (
            (b"Subject: x\r\n\r\ny", "x", b"y"),
            (b"Subject: x\nTo: a\r\n\ny", "x", b"y"),
            (b"Subject: x\nbroken\nTo: a\n\ny", "x", b"broken\nTo: a\n\ny"),
            (b"Hello there\nfriend: x\n", None, b"Hello there\nfriend: x\n"),
            (b"\n\nx", None, b"\nx"),
            (b"From a@b Wed May 1 08:00:00 2024\nSubject: x\n\ny", "x", b"y"),
        ):
            with self.subTest(raw):
                found = read(raw)
                self.assertEqual((found["subject"], found.content()), (subject, body))

    def test_embedded(self) -> None:
        """A message in a message is one part, octet by octet, whatever is in it, and so is a report on delivery."""
        inner = multipart("mixed", part("text/plain", "a\r\n"), headers="Subject: " + "x " * 200 + "\n  folded\nX:y")
        for kind in ("message/rfc822", "message/delivery-status", "message/x"):
            found = read(multipart("mixed", part(kind, inner), part("text/plain", "b")))
            self.assertEqual(next((leaf.type, leaf.content()) for leaf in found.leaves()), (kind, inner))

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
        """Multiparts deeper than the bound are text; nothing recurses without bound."""
        raw = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3000))
        found = read(raw)
        leaves = list(found.leaves())
        self.assertEqual([leaf.type for leaf in leaves], ["text/plain"])
        self.assertTrue(raw.rstrip().endswith(leaves[0].content()))
        self.assertIn(b"--b%d\n" % (MAX_DEPTH + 1), leaves[0].content())
        depth = 0
        while found.children:
            found, depth = found.children[0], depth + 1
        self.assertEqual(depth, MAX_DEPTH)

    def test_tooLarge(self) -> None:
        """A mail of more parts, fields or lines than there can be in good faith is one text, with nothing left out."""
        head = b"Content-Type: multipart/mixed; boundary=b\n\n"
        for raw in (
            head + b"--b\n\nx\n" * (MAX_PARTS + 1),
            b"X: y\n" * (MAX_FIELDS + 1) + b"Subject: late\n\nbody",
            head + b"--b\n\nx\n--b\n\n" + b"--\n" * MAX_LINES,
            head + b"--b\n\nx\n--b\n\n" + b"--\r" * (MAX_LINES + 1),
        ):
            found = read(raw)
            self.assertEqual((found.type, found.children, found.number), ("text/plain", [], 1))
            self.assertEqual(found.content(), raw)

    def test_justFits(self) -> None:
        """Up to the bounds a mail is taken apart."""
        raw = b"Content-Type: multipart/mixed; boundary=b\n" + b"X: y\n" * (MAX_FIELDS - 1)
        raw += b"\n" + b"--b\n\nx\n" * (MAX_PARTS - 1)
        self.assertEqual(len(list(read(raw).leaves())), MAX_PARTS - 1)

    @given(st.binary(max_size=300))
    @settings(max_examples=200, deadline=None)
    def test_anyOctets(self, body: bytes) -> None:
        """Any octets have parts, each with a number of its own and with content."""
        raw = b"Content-Type: multipart/mixed; boundary=-\n\n---\n" + body
        for found in (read(body), read(raw)):
            leaves = list(found.leaves())
            self.assertEqual([leaf.number for leaf in leaves], list(range(1, len(leaves) + 1)))
            for leaf in leaves:
                self.assertIn(leaf.transferred(), raw)
                self.assertIsInstance(leaf.content(), bytes)
                self.assertGreaterEqual(leaf.size(), 0)

    @given(st.binary(max_size=300), st.integers(0, 100))
    @settings(max_examples=100, deadline=None)
    def test_pieces(self, octets: bytes, gap: int) -> None:
        """Where the pieces end in which the parser gets a mail makes no difference."""
        raw = b"A: b\r\n\r\n" + b"x" * (PIECE - gap) + octets
        self.assertEqual(read(raw).content(), raw[8:])


class PartTests(SynchronousTestCase):
    def test_encodings(self) -> None:
        """Base64 and quoted-printable are undone, also where they are broken; other encodings are none."""
        for encoding, body, expected in (
            ("base64", "SGk=", b"Hi"),
            ("BASE64", "SGk", b"Hi"),
            ("base64 ", "SG\r\nk=\r\n-- \r\nlist", b"Hi"),
            ("base64", "S", b"S"),
            ("x-uuencode", "begin 644 a\n#86)C\n`\nend", b"abc"),
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

    def test_decoded(self) -> None:
        """The text comes with the code page of its charset, in characters that XML allows."""
        self.assertEqual(read(part("text/plain; charset=koi8-r", b"\xd1\0")).decoded, ("я\ufffd", 20866))

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
        self.assertEqual((found.type, found.content(), found.items()), ("text/plain", b"Subject: x\n\ny", []))

    def test_head(self) -> None:
        """The header of a mail can be read alone."""
        self.assertEqual(read_head(b"Subject: x\n\ny")["subject"], "x")
