"""What of a mail can be searched."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.convert import searchable
from gateway.convert.searchable import MAX_TEXT, document
from gateway.index import Document
from gateway.model import Item
from tests.convert.odd import mails
from tests.convert.samples import multipart, part, text

ITEM = Item(17, 5, "m", "", 1714550400, 3)


class SearchableTests(SynchronousTestCase):
    """L{document}."""

    def test_whole(self) -> None:
        """Subject, people, text, names of attachments, conversation and time go into the index."""
        raw = multipart(
            "mixed",
            part("text/plain; charset=utf-8", "Grüße aus Köln."),
            part("application/pdf", "%PDF", 'Content-Disposition: attachment; filename="Plan 7.pdf"'),
            headers="From: =?utf-8?q?J=C3=B6rg?= <j@example.org>\nTo: Ann <ann@example.org>\nCc: Bob <bob@example.org>\n"
            "Bcc: carl@example.org\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nMessage-ID: <a@b>",
        )
        found = document(raw, ITEM)
        self.assertEqual((found.item, found.received, found.subject), (17, 1714550400, "Grüße"))
        self.assertEqual(found.sender, '"Jörg" <j@example.org>, ')
        for one in ("ann@example.org", '"Bob"', "carl@example.org"):
            self.assertIn(one, found.recipients)
        self.assertEqual(found.text, "Grüße aus Köln.\nPlan 7.pdf")
        self.assertEqual(len(found.conversation), 16)

    def test_conversation(self) -> None:
        """The answer to a mail has its conversation."""
        first = document(text("Message-ID: <a@b>"), ITEM)
        answer = document(text("Message-ID: <c@d>\nReferences: <a@b>"), ITEM)
        self.assertEqual(answer.conversation, first.conversation)

    def test_html(self) -> None:
        """Of HTML the text is taken, without what is hidden; of alternatives one."""
        raw = multipart(
            "alternative",
            part("text/html", "<style>x{}</style><p>Seen</p><p style='display:none'>hidden</p>"),
        )
        self.assertEqual(document(raw, ITEM).text.split(), ["Seen"])
        both = multipart("alternative", part("text/plain", "once"), part("text/html", "<p>once</p>"))
        self.assertEqual(document(both, ITEM).text, "once")

    def test_bounded(self) -> None:
        """Of a long text only the beginning is taken, without a character being cut, in any transfer encoding."""
        line = "Grüße, Wörter\r\n"
        for encoding, body in (("8bit", line * 100_000), ("8bit", "ü" * 700_000)):
            raw = text(f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {encoding}", body)
            found = document(raw, ITEM).text
            self.assertEqual(len(found), MAX_TEXT)
            self.assertEqual(found, body[:MAX_TEXT])
        many = multipart("mixed", *(part("text/plain", "a" * 9999) for _ in range(20)))
        self.assertLessEqual(len(document(many, ITEM).text), MAX_TEXT + 20)

    def test_odd(self) -> None:
        """No mail fails, however odd."""
        for name, raw in mails():
            with self.subTest(name):
                found = document(raw, ITEM)
                self.assertLess(len(found.text), 2 * MAX_TEXT)
                self.assertEqual((found.item, found.received), (17, 1714550400))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_failure(self) -> None:
        """If a mail cannot be taken apart, its beginning is searched as it stands, and that is logged."""

        def broken(*args: object) -> None:
            raise ValueError("broken")

        self.patch(searchable, "outline", broken)
        self.assertEqual(
            document(b"Subject: x\r\n\r\nWords.", ITEM), Document(17, 1714550400, text="Subject: x\r\n\r\nWords.")
        )
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
