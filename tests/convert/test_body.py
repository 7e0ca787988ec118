"""The text of a mail in the format and of the length that a device asked for."""

from __future__ import annotations

import base64

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.convert import html
from gateway.convert.body import MAX_UNASKED, shortened
from gateway.element import Element
from gateway.model import BodyPreference, SyncOptions
from tests.convert.samples import HTML, MIME, PLAIN, data, made, multipart, part, shown, text

TEXT = part("text/plain; charset=utf-8", "plain ä")
RICH = part("text/html; charset=utf-8", "<p>rich ä</p>")
BOTH = multipart("alternative", TEXT, RICH)
SIGNED = multipart("signed", TEXT, part("application/pkcs7-signature", "sig"))

UNASKED = SyncOptions()


def asked(*bodies: BodyPreference, mime_support: int = 0) -> SyncOptions:
    """Options with these preferences."""
    return SyncOptions(bodies=bodies, mime_support=mime_support)


def body(raw: bytes, options: SyncOptions, version: int = 141, whole: bool = False) -> dict[str, str]:
    """The children of the Body that is sent."""
    found = made(raw, version, options, whole=whole).child("AirSyncBase:Body")
    assert found is not None
    return shown(found)


def old(raw: bytes, options: SyncOptions = UNASKED, whole: bool = False) -> dict[str, str]:
    """What of a 2.5 mail is about its text."""
    wanted = ("Body", "BodySize", "BodyTruncated", "MIMEData", "MIMESize", "MIMETruncated")
    return {name: value for name, value in shown(made(raw, 25, options, whole=whole)).items() if name in wanted}


class ChoiceTests(SynchronousTestCase):
    def test_native(self) -> None:
        """Of the formats on offer the one that the mail was written in is sent, in whatever order they are."""
        for preferences in ((BodyPreference(1), BodyPreference(2)), (BodyPreference(2), BodyPreference(1))):
            self.assertEqual(body(BOTH, asked(*preferences))["Data"], "<p>rich ä</p>")
            self.assertEqual(body(TEXT, asked(*preferences))["Type"], "1")

    def test_converted(self) -> None:
        """A mail without the format on offer is converted: HTML to text, text to HTML."""
        self.assertEqual(body(RICH, PLAIN), {"Type": "1", "EstimatedDataSize": "7", "Data": "rich ä"})
        self.assertEqual(body(TEXT, HTML)["Data"], "<html><body>plain ä</body></html>")
        self.assertEqual(body(TEXT, HTML)["Type"], "2")

    def test_alternative(self) -> None:
        """A device that takes plain text gets the plain alternative that the sender wrote."""
        self.assertEqual(data(BOTH, PLAIN), "plain ä")

    def test_mime(self) -> None:
        """MIMESupport 2 sends MIME for every mail to a device that takes it."""
        both = (BodyPreference(2), BodyPreference(4))
        self.assertEqual(body(BOTH, asked(*both, mime_support=2))["Type"], "4")
        self.assertEqual(body(BOTH, asked(BodyPreference(2), mime_support=2))["Type"], "2")

    def test_mimeForSmime(self) -> None:
        """MIMESupport 1 sends MIME for S/MIME only, 0 never."""
        both = (BodyPreference(2), BodyPreference(4))
        self.assertEqual(body(SIGNED, asked(*both, mime_support=1))["Type"], "4")
        self.assertEqual(body(BOTH, asked(*both, mime_support=1))["Type"], "2")
        self.assertEqual(body(SIGNED, asked(*both, mime_support=0))["Type"], "2")

    def test_nothingFits(self) -> None:
        """RTF is never sent, nor MIME that is not allowed: such a device gets plain text of the size it asked for."""
        for kind in (3, 4):
            found = body(BOTH, asked(BodyPreference(kind, truncation=5)))
            self.assertEqual((found["Type"], found["Data"]), ("1", "plain"))
        self.assertEqual(body(RICH, asked(BodyPreference(3), BodyPreference(2)))["Type"], "2")

    def test_noPreference(self) -> None:
        """A device of 12.0 or later that names no format gets plain text, uncut up to the limit of the server."""
        self.assertEqual(body(BOTH, SyncOptions(), 120), {"Type": "1", "EstimatedDataSize": "8", "Data": "plain ä"})
        long = body(part("text/plain", "x" * (MAX_UNASKED + 1)), SyncOptions())
        self.assertEqual((len(long["Data"]), long["Truncated"]), (MAX_UNASKED, "1"))
        self.assertEqual(long["EstimatedDataSize"], str(MAX_UNASKED + 1))

    def test_allOrNone(self) -> None:
        """A preference that takes all or nothing is passed over for a longer text, and the next one taken."""
        options = asked(BodyPreference(2, 5, all_or_none=True), BodyPreference(1, 5))
        self.assertEqual((body(BOTH, options)["Type"], body(BOTH, options)["Data"]), ("1", "plain"))
        self.assertEqual(body(BOTH, asked(BodyPreference(2, 100, all_or_none=True), BodyPreference(1)))["Type"], "2")

    def test_allOrNoneFits(self) -> None:
        """A text of exactly the size is not larger than the size."""
        found = body(TEXT, asked(BodyPreference(1, 8, all_or_none=True)))
        self.assertEqual(found, {"Type": "1", "EstimatedDataSize": "8", "Data": "plain ä"})

    def test_allOrNoneLeft(self) -> None:
        """When no preference is left no data is sent, but what there would be."""
        options = asked(BodyPreference(2, 5, all_or_none=True), BodyPreference(1, 5, all_or_none=True))
        self.assertEqual(body(BOTH, options), {"Type": "2", "EstimatedDataSize": "14", "Truncated": "1"})

    def test_wholeIsUncut(self) -> None:
        """A Fetch ignores TruncationSize and AllOrNone, but keeps to the formats."""
        options = asked(BodyPreference(2, 5, all_or_none=True), BodyPreference(1, 5))
        self.assertEqual(
            body(BOTH, options, whole=True), {"Type": "2", "EstimatedDataSize": "14", "Data": "<p>rich ä</p>"}
        )
        long = part("text/plain", "x" * (2 * MAX_UNASKED))
        self.assertEqual(len(body(long, SyncOptions(), whole=True)["Data"]), 2 * MAX_UNASKED)

    def test_oneBody(self) -> None:
        """Each protocol version has the body of its own kind, once."""
        for version in (25, 120, 121, 140, 141, 160, 161):
            tags = [child.tag for child in made(BOTH, version, PLAIN)]
            self.assertEqual(tags.count("AirSyncBase:Body"), int(version >= 120))
            self.assertEqual(tags.count("Email:Body"), int(version < 120))


class TruncationTests(SynchronousTestCase):
    def test_bytes(self) -> None:
        """TruncationSize counts bytes of UTF-8, and no character is cut."""
        for size, expected in ((0, ""), (1, "a"), (2, "a"), (3, "aä"), (4, "aä"), (6, "aä"), (7, "aä😀")):
            found = body(part("text/plain; charset=utf-8", "aä😀b"), asked(BodyPreference(1, size)))
            self.assertEqual(
                (found.get("Data", ""), found["Truncated"], found["EstimatedDataSize"]), (expected, "1", "8")
            )
        self.assertNotIn("Truncated", body(part("text/plain; charset=utf-8", "aä😀b"), asked(BodyPreference(1, 8))))

    def test_lineEnds(self) -> None:
        """Lines end with CRLF whatever the mail has, which counts, and is not cut in two."""
        raw = part("text/plain", "a\nb\r\nc")
        self.assertEqual(body(raw, PLAIN), {"Type": "1", "EstimatedDataSize": "7", "Data": "a\r\nb\r\nc"})
        self.assertEqual(body(raw, asked(BodyPreference(1, 2)))["Data"], "a")
        self.assertEqual(body(raw, asked(BodyPreference(1, 3)))["Data"], "a\r\n")

    def test_largeTexts(self) -> None:
        """Of a long text only the beginning is sent; the size of the whole is estimated."""
        octets = base64.encodebytes(b"word " * 1_000_000)
        found = body(part("text/plain", octets, "Content-Transfer-Encoding: base64"), asked(BodyPreference(1, 500)))
        self.assertEqual(found["Data"], "word " * 100)
        self.assertEqual(found["Truncated"], "1")
        self.assertAlmostEqual(int(found["EstimatedDataSize"]), 5_000_000, delta=50_000)

    def test_largeHtml(self) -> None:
        """HTML beyond what is converted is reported as cut, in a Fetch too."""
        raw = part("text/html", "<p>word</p>" * (html.MAX_SOURCE // 10))
        found = body(raw, PLAIN, whole=True)
        self.assertEqual(found["Truncated"], "1")
        self.assertGreater(int(found["EstimatedDataSize"]), len(found["Data"]))
        self.assertEqual(body(raw, HTML).get("Truncated"), None)
        self.assertTrue(body(raw, asked(BodyPreference(1, 5, all_or_none=True)), whole=True).get("Data"))

    def test_declaredCharset(self) -> None:
        """HTML that names another charset than it is sent in says UTF-8."""
        raw = part("text/html; charset=iso-8859-1", b'<meta charset="iso-8859-1">\xe4')
        self.assertEqual(data(raw, HTML), '<meta charset="utf-8">ä')

    def test_joined(self) -> None:
        """The texts of a mail in several parts are sent as one, and cut as one."""
        raw = multipart("mixed", TEXT, part("text/plain", "more"))
        self.assertEqual(data(raw), "plain ä\r\nmore")
        self.assertEqual(body(raw, asked(BodyPreference(1, 12)))["Data"], "plain ä\r\nmo")
        self.assertEqual(data(raw, HTML), "<html><body>plain ä</body></html><br>\r\n<html><body>more</body></html>")

    def test_empty(self) -> None:
        """A mail without text has a body of size 0 without data, not cut."""
        for raw in (b"", b"Subject: x\r\n\r\n", part("image/png", "x")):
            self.assertEqual(body(raw, PLAIN), {"Type": "1", "EstimatedDataSize": "0"})
            self.assertEqual(body(raw, asked(BodyPreference(1, 0))), {"Type": "1", "EstimatedDataSize": "0"})
            self.assertEqual(old(raw), {"BodySize": "0", "BodyTruncated": "0"})

    def test_unfit(self) -> None:
        """Characters that XML cannot hold are replaced."""
        self.assertEqual(data(part("text/plain", b"a\0b\x1bc")), "a\ufffdb\ufffdc")
        self.assertEqual(data(part("text/html", b"<p>a\0b"), HTML), "<p>a\ufffdb")

    @given(st.text(max_size=50), st.integers(0, 60))
    @settings(max_examples=200, deadline=None)
    def test_anyLimit(self, whole: str, limit: int) -> None:
        """What is cut is the longest beginning of whole characters that fits, but for a split line end."""
        whole = whole.encode("utf-8", "ignore").decode()
        found = shortened(whole, limit)
        size = len(whole.encode())
        self.assertEqual((found.size, found.truncated), (size, size > limit))
        self.assertTrue(whole.startswith(found.text))
        self.assertLessEqual(len(found.text.encode()), limit)
        if found.truncated:
            following = whole[len(found.text)]
            self.assertTrue(len((found.text + following).encode()) > limit or following == "\r")


class MimeTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """MIME is the message as it is, with CRLF line ends."""
        for raw in (BOTH, BOTH.replace(b"\r\n", b"\n")):
            found = body(raw, MIME)
            self.assertEqual(found["Data"].encode(), BOTH)
            self.assertEqual(found["EstimatedDataSize"], str(len(BOTH)))

    def test_cut(self) -> None:
        """MIME is cut between lines, and the size of the whole is told."""
        raw = text("Subject: x\nTo: a@b", "ä\r\n" + "ä" * 1000 + "\n" * 10)
        found = body(raw, asked(BodyPreference(4, 35), mime_support=2))
        self.assertEqual(found["Data"], "Subject: x\r\nTo: a@b\r\n\r\nä\r\n")
        self.assertEqual(found["EstimatedDataSize"], str(len(raw) + 10))
        self.assertEqual(found["Truncated"], "1")

    def test_headerLine(self) -> None:
        """MIME is never cut inside a field of the header, also where it is folded."""
        raw = text("Subject: abc\nTo: a@b,\n c@d\nX: y", "text")
        for size, expected in (
            (5, ""),
            (14, ""),
            (15, "Subject: abc\r\n"),
            (23, "Subject: abc\r\n"),
            (30, "Subject: abc\r\n"),
            (31, "Subject: abc\r\nTo: a@b,\r\n c@d\r\n"),
            (34, "Subject: abc\r\nTo: a@b,\r\n c@d\r\n"),
            (38, raw[:38].decode()),
            (40, raw[:38].decode()),
        ):
            with self.subTest(size):
                found = body(raw, asked(BodyPreference(4, size), mime_support=2))
                self.assertEqual(found.get("Data", ""), expected)
                self.assertEqual(found["Truncated"], "1")

    def test_mimeTruncation(self) -> None:
        """MIMETruncation holds for MIME where the preference gives no size, and gives way to one that does."""
        raw = text("Subject: x", "x" * 10_000)
        options = SyncOptions(bodies=(BodyPreference(4),), mime_support=2, mime_truncation=1)
        self.assertEqual(len(body(raw, options)["Data"]), 4096)
        options = SyncOptions(bodies=(BodyPreference(4, 5000),), mime_support=2, mime_truncation=1)
        self.assertEqual(len(body(raw, options)["Data"]), 5000)


class PreviewTests(SynchronousTestCase):
    def test_beside(self) -> None:
        """A Preview is plain text on one line, of at most the characters asked, beside HTML or MIME."""
        long = multipart("alternative", part("text/plain", "One\r\n  two three\r\n" * 50), RICH)
        for options in (asked(BodyPreference(2, preview=12)), asked(BodyPreference(4, preview=12), mime_support=2)):
            self.assertEqual(body(long, options)["Preview"], "One two thre")
        self.assertEqual(body(RICH, asked(BodyPreference(2, 0, preview=255)))["Preview"], "rich ä")

    def test_plain(self) -> None:
        """There is none beside plain text, but in its place where that is left out."""
        self.assertNotIn("Preview", body(TEXT, asked(BodyPreference(1, preview=12))))
        found = body(TEXT, asked(BodyPreference(1, 3, all_or_none=True, preview=3)))
        self.assertEqual(found, {"Type": "1", "EstimatedDataSize": "8", "Truncated": "1", "Preview": "pla"})

    def test_unasked(self) -> None:
        """Nobody gets one that did not ask, that asked for none, or that speaks a version before 14.0."""
        for options in (HTML, asked(BodyPreference(2, preview=0))):
            self.assertNotIn("Preview", body(BOTH, options))
        self.assertNotIn("Preview", body(BOTH, asked(BodyPreference(2, preview=9)), 121))

    def test_large(self) -> None:
        """The preview of a long HTML text costs only its beginning."""
        raw = part("text/html", "<style>" + "x{} " * 10_000 + "</style>" + "<p>word</p>" * 100_000)
        self.assertEqual(body(raw, asked(BodyPreference(2, 10, preview=9)))["Preview"], "word word")


class BodyPartTests(SynchronousTestCase):
    def part(self, raw: bytes, preference: BodyPreference, version: int = 141, **other: object) -> Element | None:
        """The BodyPart for that preference."""
        return made(raw, version, SyncOptions(part=preference), **other).child("AirSyncBase:BodyPart")

    def test_part(self) -> None:
        """BodyPart is the HTML of the message with a status of its own, cut as asked, with its preview."""
        found = self.part(BOTH, BodyPreference(2, 6, preview=5))
        assert found is not None
        self.assertEqual(
            list(shown(found).items()),
            [
                ("Status", "1"),
                ("Type", "2"),
                ("EstimatedDataSize", "14"),
                ("Truncated", "1"),
                ("Data", "<p>ric"),
                ("Preview", "plain"),
            ],
        )

    def test_allOrNone(self) -> None:
        """BodyPart that takes all or nothing has no data for a longer text; in a Fetch it has all."""
        found = self.part(BOTH, BodyPreference(2, 6, all_or_none=True))
        assert found is not None
        self.assertEqual(list(shown(found)), ["Status", "Type", "EstimatedDataSize", "Truncated"])
        whole = self.part(BOTH, BodyPreference(2, 6, all_or_none=True), whole=True)
        assert whole is not None
        self.assertEqual(whole.text_of("AirSyncBase:Data"), "<p>rich ä</p>")

    def test_versions(self) -> None:
        """BodyPart belongs to 14.1 and later; a device that asks for it alone gets no Body beside it."""
        self.assertIsNone(self.part(BOTH, BodyPreference(2), 140))
        alone = made(BOTH, 141, SyncOptions(part=BodyPreference(2)))
        self.assertIsNone(alone.child("AirSyncBase:Body"))
        both = made(BOTH, 141, SyncOptions(part=BodyPreference(2), bodies=(BodyPreference(1),)))
        self.assertIsNotNone(both.child("AirSyncBase:Body"))
        self.assertIsNotNone(both.child("AirSyncBase:BodyPart"))


class OldBodyTests(SynchronousTestCase):
    def test_plain(self) -> None:
        """Protocol 2.5 gets plain text, uncut when it names no size."""
        self.assertEqual(old(BOTH), {"Body": "plain ä", "BodySize": "8", "BodyTruncated": "0"})
        self.assertEqual(old(RICH)["Body"], "rich ä")

    def test_truncation(self) -> None:
        """Each step of Truncation has its size in bytes; 0 sends no text, 9 all of it."""
        raw = part("text/plain", "x" * 200_000)
        for step, size in enumerate((0, 512, 1024, 2048, 5120, 10240, 20480, 51200, 102400)):
            found = old(raw, SyncOptions(truncation=step))
            self.assertEqual((len(found.get("Body", "")), found["BodyTruncated"]), (size, "1"))
            self.assertEqual(found["BodySize"], "200000" if size > 20000 else found["BodySize"])
        self.assertEqual(len(old(raw, SyncOptions(truncation=9))["Body"]), 200_000)
        self.assertEqual(len(old(raw, SyncOptions(truncation=99))["Body"]), 200_000)

    def test_mime(self) -> None:
        """MIMESupport sends the message instead, cut by MIMETruncation, without a text beside it."""
        raw = text("Subject: x", "x" * 200_000)
        for step, size in enumerate((0, 4096, 5120, 7168, 10240, 20480, 51200, 102400)):
            found = old(raw, SyncOptions(mime_support=2, mime_truncation=step, truncation=1))
            self.assertEqual(len(found.pop("MIMEData", "")), size)
            self.assertEqual(found, {"MIMESize": str(len(raw)), "MIMETruncated": "1"})
        found = old(raw, SyncOptions(mime_support=2, mime_truncation=8))
        self.assertEqual((found["MIMEData"].encode(), found["MIMETruncated"]), (raw, "0"))

    def test_mimeForSmime(self) -> None:
        """MIMESupport 1 sends MIME for S/MIME only."""
        self.assertIn("MIMEData", old(SIGNED, SyncOptions(mime_support=1)))
        self.assertIn("Body", old(BOTH, SyncOptions(mime_support=1)))

    def test_wholeIsUncut(self) -> None:
        """A Fetch sends all of it."""
        self.assertEqual(old(BOTH, SyncOptions(truncation=0), whole=True)["Body"], "plain ä")
        found = old(BOTH, SyncOptions(mime_support=2, mime_truncation=0), whole=True)
        self.assertEqual(found["MIMEData"].encode(), BOTH)
