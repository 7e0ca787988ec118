"""Properties of a client become a draft."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.compose import Sender
from gateway.convert.draft import MAX_ATTACHMENTS, Drafted, drafted, has_content, marks_alone
from gateway.convert.flags import ConversionError
from gateway.element import Element
from tests.convert import odd
from tests.convert.samples import multipart, part

SENDER = Sender(
    owns=lambda address: address == "ann@example.org",
    primary="ann@example.org",
    now=datetime(2024, 5, 1, 8, tzinfo=UTC),
    token="token1",
)


def email(name: str, text: str = "") -> Element:
    return Element(f"Email:{name}", text)


def base(name: str, *content: Element | str | bytes | int | None) -> Element:
    return Element(f"AirSyncBase:{name}", *content)


def body(text: str | bytes, kind: int = 1) -> Element:
    return base("Body", base("Type", kind), base("Data", text))


def add(client: str, content: bytes | str, **more: str | int) -> Element:
    return base("Add", base("ClientId", client), base("Content", content), *(base(k, v) for k, v in more.items()))


def delete(reference: str) -> Element:
    return base("Delete", base("FileReference", reference))


def data(*properties: Element) -> Element:
    return Element("AirSync:ApplicationData", *properties)


class DraftCase(SynchronousTestCase):
    def make(self, *properties: Element, before: Drafted | None = None, id: str = "5:1") -> Drafted:
        return drafted(data(*properties), SENDER, id, None if before is None else before.message)

    def read(self, draft: Drafted) -> EmailMessage:
        found: EmailMessage = message_from_bytes(draft.message, policy=SMTP)  # type: ignore[assignment]
        return found

    def text(self, draft: Drafted, kind: str = "plain") -> str:
        found = self.read(draft).get_body((kind,))
        assert found is not None
        return str(found.get_content()).strip()

    def files(self, draft: Drafted) -> list[tuple[str | None, bytes]]:
        """Names and contents of the attachments."""
        leaves = [leaf for leaf in self.read(draft).walk() if leaf.get_content_disposition()]
        return [(leaf.get_filename(), leaf.get_payload(decode=True)) for leaf in leaves]


class NewTests(DraftCase):
    def test_whole(self) -> None:
        """A draft has the properties that it was given, Bcc too, and all that a mail needs."""
        draft = self.make(
            email("To", '"J\xf6rg" <bob@example.net>, eve@example.net'),
            email("Cc", "carol@example.net"),
            Element("Email2:Bcc", "dave@example.net"),
            email("Subject", "Gr\xfc\xdfe"),
            email("Importance", "2"),
            body("H\xe4llo."),
        )
        found = self.read(draft)
        self.assertEqual(found["To"], "J\xf6rg <bob@example.net>, eve@example.net")
        self.assertEqual((found["Cc"], found["Bcc"]), ("carol@example.net", "dave@example.net"))
        self.assertEqual((found["Subject"], found["Importance"]), ("Gr\xfc\xdfe", "high"))
        self.assertEqual((found["From"], found["Message-ID"]), ("ann@example.org", "<token1@example.org>"))
        self.assertEqual((self.text(draft), draft.attachments), ("H\xe4llo.", ()))

    def test_html(self) -> None:
        """A body of type 2 is HTML."""
        draft = self.make(body("<p>Hi</p>", 2))
        self.assertEqual((self.read(draft).get_content_type(), self.text(draft, "html")), ("text/html", "<p>Hi</p>"))

    def test_mime(self) -> None:
        """A body of type 4 is the whole message; properties beside it go over its fields."""
        raw = multipart(
            "mixed", part("text/plain", "Hi"), part("x/y", "z"), headers="To: bob@x\nSubject: Old\nX-Odd: 1"
        )
        draft = self.make(body(raw, 4), email("Subject", "New"))
        found = self.read(draft)
        self.assertEqual((found["To"], found["Subject"], found["X-Odd"]), ("bob@x", "New", "1"))
        self.assertTrue(draft.message.endswith(raw.partition(b"\r\n\r\n")[2]))
        self.assertEqual(self.read(self.make(body(raw.decode(), 4)))["To"], "bob@x")

    def test_conversation(self) -> None:
        """A new draft begins a conversation, and is in it for good; a message that tells its own stays in that."""
        draft = self.make(email("Subject", "Old"))
        self.assertEqual((len(draft.conversation), len(draft.index)), (16, 5))
        later = evolve(SENDER, now=SENDER.now + timedelta(days=1), token="token2")
        changed = drafted(data(email("Subject", "New")), later, "5:1", draft.message)
        self.assertEqual((changed.conversation, changed.index), (draft.conversation, draft.index))
        given = base64.b64encode(b"\1" + bytes(range(26))).decode()
        whole = self.make(body(f"Thread-Index: {given}\r\nReferences: <a@x>\r\nTo: b@x\r\n\r\nHi", 4))
        self.assertEqual((self.read(whole)["Thread-Index"], len(whole.index)), (given, 10))
        self.assertEqual(whole.conversation, self.make(body("References: <a@x>\r\n\r\n", 4)).conversation)

    def test_empty(self) -> None:
        """A draft of nothing is an empty mail."""
        for properties in ((), (email("Subject"),), (base("Body", base("Type", 1)),)):
            draft = self.make(*properties)
            self.assertEqual((self.text(draft), self.read(draft)["To"]), ("", None))

    def test_attachments(self) -> None:
        """Attachments are added with their names and types; each is told by its ClientId, with its number."""
        draft = self.make(
            body("Hi"),
            base(
                "Attachments",
                add("a1", b"\0\xff" * 100, DisplayName="\xfc.bin", ContentType="application/x-odd"),
                add("a 2", "SGk=", DisplayName='q".txt', ContentType="nonsense"),
            ),
        )
        self.assertEqual(self.files(draft), [("\xfc.bin", b"\0\xff" * 100), ('q".txt', b"Hi")])
        kinds = [leaf.get_content_type() for leaf in self.read(draft).walk()]
        self.assertEqual(kinds, ["multipart/mixed", "text/plain", "application/x-odd", "application/octet-stream"])
        self.assertEqual((draft.attachments, draft.numbered), ((("a1", 2), ("a 2", 3)), True))

    def test_inline(self) -> None:
        """A picture in the HTML is related to it; in plain text it is attached."""
        picture = base("Attachments", add("p", b"PNG", ContentId="<pic@x>", IsInline="", ContentType="image/png"))
        kinds = [
            leaf.get_content_type() for leaf in self.read(self.make(body("<img src='cid:pic@x'>", 2), picture)).walk()
        ]
        self.assertEqual(kinds, ["multipart/related", "text/html", "image/png"])
        kinds = [leaf.get_content_type() for leaf in self.read(self.make(body("Hi"), picture)).walk()]
        self.assertEqual(kinds, ["multipart/mixed", "text/plain", "image/png"])

    def test_embedded(self) -> None:
        """A message in a message (Method 5) is one, if it is one."""
        for content, kind in ((b"Subject: x\r\n\r\ny", "message/rfc822"), (b"no message", "application/octet-stream")):
            draft = self.make(base("Attachments", add("m", content, Method=5)))
            self.assertEqual(list(self.read(draft).iter_parts())[1].get_content_type(), kind)

    def test_wrong(self) -> None:
        """What cannot be is refused: other bodies, importances, attachments without what they need, too many."""
        attachments = lambda *children: base("Attachments", *children)  # noqa: E731
        for properties in (
            (body("x", 3),),
            (body("x", 4),),
            (body(b"\0: \r\n\r\n", 4),),
            (email("Importance", "3"),),
            (attachments(base("Add", base("ClientId", "a"))),),
            (attachments(add("", b"x")),),
            (attachments(add("a" * 256, b"x")),),
            (attachments(add("a", b"x", Method=6)),),
            (attachments(add("a", "no base64!")),),
            (attachments(*(add(f"a{n}", b"") for n in range(MAX_ATTACHMENTS + 1))),),
        ):
            self.assertRaises(ConversionError, self.make, *properties)

    def test_injection(self) -> None:
        """No text of a client makes a field of its own."""
        evil = "x\r\nBcc: eve@example.net\r\n"
        draft = self.make(
            email("To", f"{evil} <a@b>"),
            email("Subject", evil),
            base(
                "Attachments", add(evil, b"x", DisplayName=evil, ContentId=evil, ContentLocation=evil, ContentType=evil)
            ),
        )
        self.assertEqual(self.read(draft)["Bcc"], None)
        self.assertTrue(all(leaf["Bcc"] is None for leaf in self.read(draft).walk()))


class ChangedTests(DraftCase):
    def setUp(self) -> None:
        self.before = self.make(
            email("To", "bob@example.net"),
            email("Cc", "carol@example.net"),
            email("Subject", "Old"),
            body("Old text"),
            base("Attachments", add("a1", b"one", DisplayName="1.txt"), add("a2", b"two", DisplayName="2.txt")),
        )

    def test_header(self) -> None:
        """With fields of the header all of them are given: what is absent, or empty, goes; the content stays."""
        for properties in ((email("To", "eve@example.net"),), (email("To", "eve@example.net"), email("Cc"))):
            draft = self.make(*properties, before=self.before)
            found = self.read(draft)
            self.assertEqual((found["To"], found["Cc"], found["Subject"]), ("eve@example.net", None, None))
            self.assertEqual((self.text(draft), len(self.files(draft))), ("Old text", 2))
            self.assertEqual(found["Message-ID"], self.read(self.before)["Message-ID"])

    def test_body(self) -> None:
        """With a body alone the header and the attachments stay."""
        draft = self.make(body("<p>New</p>", 2), before=self.before)
        self.assertEqual((self.read(draft)["To"], self.read(draft)["Subject"]), ("bob@example.net", "Old"))
        self.assertEqual((self.text(draft, "html"), self.files(draft)), ("<p>New</p>", self.files(self.before)))

    def test_added(self) -> None:
        """An attachment is added to those that are there; one with the same ClientId only once."""
        more = base("Attachments", add("a3", b"three", DisplayName="3.txt"), add("a1", b"again"))
        draft = self.make(more, before=self.before)
        self.assertEqual([name for name, _ in self.files(draft)], ["1.txt", "2.txt", "3.txt"])
        self.assertEqual(dict(draft.attachments)["a3"], 4)
        self.assertEqual(self.make(more, before=draft).attachments, draft.attachments)
        self.assertEqual(self.text(draft), "Old text")

    def test_deleted(self) -> None:
        """An attachment is deleted by its FileReference; one of another mail, or none at all, is passed over."""
        draft = self.make(
            base("Attachments", delete("5:1:2"), delete("5:9:3"), delete("x"), delete("5:1:99")), before=self.before
        )
        self.assertEqual([name for name, _ in self.files(draft)], ["2.txt"])
        draft = self.make(base("Attachments", delete("5:1:2")), before=draft)
        self.assertEqual((self.files(draft), draft.numbered, self.text(draft)), ([], False, "Old text"))

    def test_marks(self) -> None:
        """Marks are told apart from the content."""
        marks = data(Element("Email:Read", 1), Element("Email:Flag"))
        self.assertFalse(has_content(marks))
        self.assertTrue(has_content(data(Element("Email:Read", 1), email("Subject", "x"))))
        self.assertEqual(
            marks_alone(data(Element("Email:Read", 1), email("Subject", "x"), body("x"))).children, marks.children[:1]
        )

    def test_odd(self) -> None:
        """Whatever lies in the folder for drafts can be changed, or is refused."""
        for name, raw in odd.mails():
            for properties in ((email("Subject", "x"),), (body("x"),), (base("Attachments", add("a", b"x")),)):
                try:
                    self.make(*properties, before=Drafted(raw))
                except ConversionError:
                    continue
                except Exception as error:
                    raise AssertionError(name) from error
