"""The properties of a mail in a list of results."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.convert import glance as module
from gateway.convert.glance import PREVIEW, glance
from gateway.convert.message import Mail
from gateway.eas.wbxml import encode
from gateway.element import Element
from tests.convert.odd import mails
from tests.convert.samples import RECEIVED, multipart, part, text


def shown(raw: bytes, state: str = "") -> dict[str, str]:
    return {element.tag: element.text for element in glance(Mail(raw, state, {}, RECEIVED, "5:17"))}


class GlanceTests(SynchronousTestCase):
    """L{glance}."""

    def test_all(self) -> None:
        """Everything that Find can tell of a mail."""
        raw = multipart(
            "mixed",
            part("text/plain", "Hello there,\r\n\r\nthe text."),
            part("image/png", "x", "Content-Disposition: attachment; filename=a.png"),
            headers="From: Bob <bob@example.org>\nTo: Ann <ann@example.org>, x@example.org\nCc: Carl <c@example.org>\n"
            "Bcc: Dora <d@example.org>, e@example.org\nSubject: =?utf-8?q?=C3=BCber?=\nX-Priority: 1",
        )
        self.assertEqual(
            shown(raw, "DS"),
            {
                "Email:Subject": "über",
                "Email:DateReceived": "2024-05-01T08:00:00.000Z",
                "Email:DisplayTo": "Ann;x@example.org",
                "Find:DisplayCc": "Carl",
                "Find:DisplayBcc": "Dora;e@example.org",
                "Email:Importance": "2",
                "Email:Read": "1",
                "Email2:IsDraft": "1",
                "Find:Preview": "Hello there, the text.",
                "Find:HasAttachments": "1",
                "Email:From": '"Bob" <bob@example.org>',
            },
        )

    def test_little(self) -> None:
        """What a mail does not have is left out; it is neither read nor a draft, and has no attachment."""
        self.assertEqual(
            shown(text("")),
            {
                "Email:DateReceived": "2024-05-01T08:00:00.000Z",
                "Email:Importance": "1",
                "Email:Read": "0",
                "Email2:IsDraft": "0",
                "Find:Preview": "Hi.",
                "Find:HasAttachments": "0",
            },
        )

    def test_preview(self) -> None:
        """The preview has at most 255 characters, of HTML only what is text."""
        self.assertEqual(
            shown(text("Content-Type: text/html", "<b>" + "ab" * 500))["Find:Preview"], ("ab" * 500)[:PREVIEW]
        )

    def test_odd(self) -> None:
        """No mail fails, however odd, and all can be sent."""
        for name, raw in mails():
            with self.subTest(name):
                encode(Element("Find:Find", *glance(Mail(raw))))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_failure(self) -> None:
        """A mail that cannot be taken apart is shown as text, and that is logged."""

        def broken(*args: object) -> None:
            raise ValueError("broken")

        self.patch(module, "outline", broken)
        self.assertEqual(shown(b"Subject: x\r\n\r\nWords.")["Find:Preview"], "Subject: x Words.")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
