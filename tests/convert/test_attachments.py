"""Attachments: how they are listed, named, referred to and read."""

from __future__ import annotations

import base64

from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.attachments import MAX_LISTED, MAX_NAME, MAX_REFERENCE
from gateway.convert.message import attachment
from gateway.element import Element
from tests.convert.samples import VERSIONS, made, multipart, part, shown, text

TEXT = part("text/plain", "Hi.")
PDF = part(
    'application/pdf; name="a.pdf"',
    base64.encodebytes(b"%PDF"),
    "Content-Transfer-Encoding: base64",
    'Content-Disposition: attachment; filename="report.pdf"',
)
PICTURE = part("image/png", "picture", "Content-ID: <logo@example.org>", "Content-Disposition: inline; filename=l.png")
INNER = part("message/rfc822", text("Subject: =?utf-8?q?F=C3=BCr_dich?=", "inner"))


def listed(raw: bytes, version: int = 141, server_id: str = "5:17") -> list[Element]:
    """The attachments that a device sees."""
    found = made(raw, version, server_id=server_id).child(
        "AirSyncBase:Attachments" if version >= 120 else "Email:Attachments"
    )
    return [] if found is None else found.children


def named(*headers: str, kind: str = "application/x-foo") -> str:
    """The name of an attachment with these header lines."""
    return listed(multipart("mixed", TEXT, part(kind, "x", *headers)))[0].child("AirSyncBase:DisplayName").text  # type: ignore[union-attr]


class ListedTests(SynchronousTestCase):
    def test_new(self) -> None:
        """From 12.0 on an attachment has name, reference, method and size, in this order."""
        found = listed(multipart("mixed", TEXT, PDF))
        self.assertEqual(found[0].tag, "AirSyncBase:Attachment")
        self.assertEqual(
            list(shown(found[0]).items()),
            [("DisplayName", "report.pdf"), ("FileReference", "5:17:2"), ("Method", "1"), ("EstimatedDataSize", "4")],
        )

    def test_old(self) -> None:
        """Protocol 2.5 has elements of its own for the same."""
        found = listed(multipart("mixed", TEXT, PDF), 25)
        self.assertEqual(found[0].tag, "Email:Attachment")
        self.assertEqual(
            list(shown(found[0]).items()),
            [("AttName", "5:17:2"), ("AttSize", "4"), ("AttMethod", "1"), ("DisplayName", "report.pdf")],
        )

    def test_none(self) -> None:
        """A mail without attachments has no list of them."""
        for version in VERSIONS:
            self.assertEqual(listed(TEXT, version), [])
            names = [child.name for child in made(TEXT, version)]
            self.assertNotIn("Attachments", names)

    def test_inline(self) -> None:
        """A picture of a HTML text has its ContentId without brackets and is marked as inline."""
        raw = multipart("related", part("text/html", '<img src="cid:logo@example.org">'), PICTURE)
        found = shown(listed(raw)[0])
        self.assertEqual((found["ContentId"], found["IsInline"]), ("logo@example.org", "1"))
        self.assertEqual(list(found)[-2:], ["ContentId", "IsInline"])

    def test_relatedFile(self) -> None:
        """A picture of a HTML text is inline also where the sender called it an attachment."""
        file = part("image/png", "x", "Content-ID: <a>", "Content-Disposition: attachment; filename=a.png")
        self.assertEqual(shown(listed(multipart("related", part("text/html", "x"), file))[0])["IsInline"], "1")

    def test_notInline(self) -> None:
        """A file with a ContentId, as some programs give to each, is not inline if it is related to nothing."""
        file = part("image/png", "x", "Content-ID: <a>", "Content-Disposition: attachment; filename=a.png")
        found = shown(listed(multipart("mixed", TEXT, file))[0])
        self.assertEqual(found["ContentId"], "a")
        self.assertNotIn("IsInline", found)

    def test_location(self) -> None:
        """ContentLocation is passed on (RFC 2557)."""
        file = part("image/png", "x", "Content-Location: https://example.org/a.png")
        found = shown(listed(multipart("related", part("text/html", "x"), file))[0])
        self.assertEqual((found["ContentLocation"], found["IsInline"]), ("https://example.org/a.png", "1"))

    def test_embedded(self) -> None:
        """A message in a message has Method 5 and is named after its subject."""
        found = shown(listed(multipart("mixed", TEXT, INNER))[0])
        self.assertEqual((found["Method"], found["DisplayName"]), ("5", "Für dich.eml"))
        nameless = part("message/rfc822", text("From: a@b", "x"))
        self.assertEqual(shown(listed(multipart("mixed", TEXT, nameless))[0])["DisplayName"], "message.eml")

    def test_embeddedName(self) -> None:
        """A message in a message has a name with .eml also if its sender gave another ([MS-ASAIRS] 2.2.2.31.2)."""
        for given, expected in (
            ("A mail", "A mail.eml"),
            ("a.EML", "a.EML"),
            ("x" * 300, "x" * (MAX_NAME - 4) + ".eml"),
        ):
            inner = part(
                "message/rfc822", text("From: a@b", "x"), f'Content-Disposition: attachment; filename="{given}"'
            )
            self.assertEqual(shown(listed(multipart("mixed", TEXT, inner))[0])["DisplayName"], expected)

    def test_bounded(self) -> None:
        """A mail of thousands of files lists a bounded number of them."""
        raw = multipart("mixed", TEXT, *(part("image/png", "x") for _ in range(MAX_LISTED + 50)))
        self.assertEqual(len(listed(raw)), MAX_LISTED)

    def test_reference(self) -> None:
        """A FileReference has at most 64 characters; a longer one, which no device could use, is not sent."""
        self.assertEqual(len(listed(multipart("mixed", TEXT, PDF), server_id="5" * (MAX_REFERENCE - 2))), 1)
        self.assertEqual(len(listed(multipart("mixed", TEXT, PDF), server_id="5" * (MAX_REFERENCE - 1))), 0)


class NameTests(SynchronousTestCase):
    def test_encodings(self) -> None:
        """Names come out of every encoding that mail programs use for them."""
        for header in (
            "Content-Disposition: attachment; filename*=utf-8''gr%C3%BCn.txt",
            "Content-Disposition: attachment; filename*0*=utf-8''gr%C3; filename*1*=%BCn.txt",
            "Content-Disposition: attachment; filename==?utf-8?q?gr=C3=BCn.txt?=",
            'Content-Disposition: attachment; filename="=?utf-8?q?gr=C3=BC?= =?utf-8?q?n.txt?="',
            'Content-Disposition: attachment; filename="grün.txt"',
        ):
            with self.subTest(header):
                self.assertEqual(named(header), "grün.txt")

    def test_unsafe(self) -> None:
        """A name that a device might take for a path, or cannot show, is made harmless."""
        for given, expected in (
            ("../../etc/passwd", "_.._etc_passwd"),
            ("C:\\\\x.txt", "C_x.txt"),
            ("a\tb*?.txt", "a b_.txt"),
            ("...", "attachment-2.bin"),
            ("x" * 1000, "x" * 255),
        ):
            with self.subTest(given):
                self.assertEqual(named(f'Content-Disposition: attachment; filename="{given}"'), expected)

    def test_nameless(self) -> None:
        """A part without a name gets one that tells its type."""
        for kind, expected in (
            ("image/png", "attachment-2.png"),
            ("application/pdf", "attachment-2.pdf"),
            ("application/octet-stream", "attachment-2.bin"),
            ("application/vnd.unheard-of", "attachment-2.bin"),
            ("message/delivery-status", "attachment-2.txt"),
        ):
            with self.subTest(kind):
                self.assertEqual(named(kind=kind), expected)


class ReadTests(SynchronousTestCase):
    def test_read(self) -> None:
        """The number of a FileReference gives type, decoded octets and name, for mail with CRLF and with LF."""
        raw = multipart("mixed", multipart("alternative", TEXT, part("text/html", "x")), PDF, INNER)
        for stored in (raw, raw.replace(b"\r\n", b"\n")):
            self.assertEqual(attachment(stored, 3), ("application/pdf", b"%PDF", "report.pdf"))
            self.assertEqual(attachment(stored, 4)[0], "message/rfc822")
        self.assertTrue(attachment(raw, 4)[1].endswith(b"inner"))

    def test_everyReference(self) -> None:
        """Every reference that is listed can be read, and has the size that was told."""
        raw = multipart("mixed", TEXT, PDF, PICTURE, INNER, multipart("mixed", PDF, PICTURE))
        found = listed(raw)
        self.assertEqual(len(found), 5)
        for item in found:
            properties = shown(item)
            _, octets, name = attachment(raw, int(properties["FileReference"].rpartition(":")[2]))
            self.assertEqual((name, len(octets)), (properties["DisplayName"], int(properties["EstimatedDataSize"])))

    def test_missing(self) -> None:
        """A number that the mail does not have raises LookupError."""
        for number in (0, -1, 3, 10**9):
            self.assertRaises(LookupError, attachment, multipart("mixed", TEXT, PDF), number)
