"""Which parts of a mail are its text and which are attachments."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.mime import read
from gateway.convert.outline import Outline, outline
from tests.convert.samples import multipart, part, text

TEXT = part("text/plain", "text")
HTML = part("text/html", "html")
PICTURE = part("image/png", "picture", "Content-ID: <p>")
SHEET = part("text/csv", "sheet")
CALENDAR = part("text/calendar; method=REQUEST", "calendar")


def sorted_out(raw: bytes) -> tuple[list[str], list[str], list[str]]:
    """Plain texts, rich texts and attachments of a mail."""
    found = outline(read(raw))
    return (
        [leaf.content().decode() for leaf in found.text.plain],
        [leaf.content().decode() for leaf in found.text.rich],
        [item.part.content().decode() for item in found.attachments],
    )


def of(raw: bytes) -> Outline:
    """The outline of a mail."""
    return outline(read(raw))


class OutlineTests(SynchronousTestCase):
    def test_single(self) -> None:
        """A mail of one text has it as plain and as rich text; a mail of one file has no text."""
        self.assertEqual(sorted_out(TEXT), (["text"], ["text"], []))
        self.assertEqual(sorted_out(HTML), (["html"], ["html"], []))
        self.assertEqual(sorted_out(PICTURE), ([], [], ["picture"]))

    def test_alternative(self) -> None:
        """Of alternatives the plain one is the plain text and the HTML one the rich text, in any order."""
        for parts in ((TEXT, HTML), (HTML, TEXT)):
            self.assertEqual(sorted_out(multipart("alternative", *parts)), (["text"], ["html"], []))
        self.assertEqual(sorted_out(multipart("alternative", HTML)), (["html"], ["html"], []))
        self.assertEqual(sorted_out(multipart("alternative", PICTURE)), ([], [], ["picture"]))

    def test_otherAlternatives(self) -> None:
        """An alternative that is no text to read, as a calendar, is no attachment either."""
        found = of(multipart("alternative", TEXT, part("text/enriched", "e"), HTML, CALENDAR))
        self.assertEqual(found.attachments, ())
        file = part("text/csv", "x", "Content-Disposition: attachment; filename=x.csv")
        self.assertEqual(len(of(multipart("alternative", TEXT, file)).attachments), 1)
        assert found.calendar is not None
        self.assertEqual(found.calendar.content(), b"calendar")

    def test_mixed(self) -> None:
        """Texts in a row make up the text, as the footer of a mailing list does; files are attachments."""
        raw = multipart("mixed", multipart("alternative", TEXT, HTML), PICTURE, part("text/plain", "footer"), SHEET)
        self.assertEqual(sorted_out(raw), (["text", "footer"], ["html", "footer"], ["picture", "sheet"]))

    def test_mixedInAlternative(self) -> None:
        """HTML around a file, as an alternative, is rich text with an attachment."""
        rich = multipart("mixed", HTML, SHEET, part("text/html", "more"))
        self.assertEqual(sorted_out(multipart("alternative", TEXT, rich)), (["text"], ["html", "more"], ["sheet"]))

    def test_related(self) -> None:
        """What a HTML text is related to is attached, and known to belong to it."""
        found = of(multipart("alternative", TEXT, multipart("related", HTML, PICTURE)))
        self.assertEqual([leaf.content() for leaf in found.text.rich], [b"html"])
        self.assertEqual([(item.part.type, item.related) for item in found.attachments], [("image/png", True)])

    def test_relatedRoot(self) -> None:
        """The root of a relation is the one that it names, else its first text."""
        named = part("text/html", "root", "Content-ID: <r>")
        self.assertEqual(sorted_out(multipart("related", HTML, named, parameters='; start="<r>"'))[1], ["root"])
        self.assertEqual(sorted_out(multipart("related", PICTURE, HTML))[1:], (["html"], ["picture"]))
        self.assertEqual(sorted_out(multipart("related", HTML, TEXT)), (["html"], ["html"], ["text"]))

    def test_dispositions(self) -> None:
        """A text that is marked as an attachment is one, and so is a named text after the first one."""
        attached = part("text/plain", "file", "Content-Disposition: attachment; filename=a.txt")
        named = part("text/plain", "file", "Content-Disposition: inline; filename=a.txt")
        self.assertEqual(sorted_out(multipart("mixed", TEXT, attached)), (["text"], ["text"], ["file"]))
        self.assertEqual(sorted_out(multipart("mixed", attached)), ([], [], ["file"]))
        self.assertEqual(sorted_out(multipart("mixed", TEXT, named)), (["text"], ["text"], ["file"]))
        self.assertEqual(sorted_out(named), (["file"], ["file"], []))

    def test_messages(self) -> None:
        """A message in a message is an attachment and not looked into."""
        inner = part("message/rfc822", text("Subject: in", "inner"))
        self.assertEqual(sorted_out(multipart("mixed", TEXT, inner))[0], ["text"])
        self.assertEqual(
            [item.part.type for item in of(multipart("mixed", TEXT, inner)).attachments], ["message/rfc822"]
        )

    def test_signed(self) -> None:
        """The text of a signed mail is its text; the signature is attached."""
        raw = multipart("signed", TEXT, part("application/pgp-signature", "sig"))
        self.assertEqual(sorted_out(raw), (["text"], ["text"], ["sig"]))

    def test_native(self) -> None:
        """A mail with a HTML text was written as HTML."""
        self.assertTrue(of(multipart("alternative", TEXT, HTML)).is_html)
        self.assertTrue(of(HTML).is_html)
        self.assertFalse(of(TEXT).is_html)
        self.assertFalse(
            of(multipart("mixed", TEXT, part("text/html", "x", "Content-Disposition: attachment"))).is_html
        )

    def test_calendarFile(self) -> None:
        """A calendar that is sent as a file is a file, no scheduling message."""
        file = part("text/calendar; method=REQUEST", "c", "Content-Disposition: attachment; filename=invite.ics")
        self.assertIsNone(of(multipart("mixed", TEXT, file)).calendar)
        self.assertEqual(sorted_out(multipart("mixed", TEXT, CALENDAR))[2], ["calendar"])
