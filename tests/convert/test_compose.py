"""What clients write becomes what is sent."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from random import Random
from time import process_time

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.compose import FORWARD, REPLY, REPLY_ALL, Composed, Original, Sender, composed
from gateway.convert.fields import BadMessage, TooMany, has_long_lines, taken_apart
from tests.convert import odd
from tests.convert.samples import multipart, part, text

SENDER = Sender(
    owns=lambda address: address.lower() == "ann@example.org",
    primary="ann@example.org",
    now=datetime(2024, 5, 1, 8, tzinfo=UTC),
    token="token1",
)
NEW = b"To: bob@example.org\r\nSubject: Re: Hi\r\n\r\nYes.\r\n"
HEAD = (
    "From: Bob <bob@example.org>\nTo: ann@example.org, Carol <carol@example.net>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n"
    "Date: Wed, 1 May 2024 07:00:00 +0000\nMessage-ID: <2@example.org>\nReferences: <1@example.org>"
)
PLAIN = text(HEAD, "How are you?\r\n> Fine.\r\n")
B64 = "Content-Transfer-Encoding: base64"
PDF = part("application/pdf; name=a.pdf", "QUJD", B64, 'Content-Disposition: attachment; filename="a.pdf"')
PICTURE = part("image/png", "UE5H", B64, "Content-ID: <pic@x>", "Content-Disposition: inline")
PAGE = (
    "<html><head><style>p {color: red}</style><title>t</title></head>"
    '<body bgcolor="#fff"><p>Look: <img src="cid:pic@x"></p></body></html>'
)
RICH = multipart(
    "mixed",
    multipart("related", multipart("alternative", part("text/plain", "Look"), part("text/html", PAGE)), PICTURE),
    PDF,
    headers=HEAD,
)
NEW_HTML = (
    b"To: bob@example.org\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n<html><body><b>J\xe4</b></body></html>"
)
NEW_BOTH = multipart(
    "alternative",
    part("text/plain; charset=utf-8", "Yes.\r\n"),
    part("text/html; charset=utf-8", "<p>Yes.</p>"),
    headers="To: bob@example.org",
)


def read(octets: bytes) -> EmailMessage:
    """What an independent reader sees."""
    found: EmailMessage = message_from_bytes(octets, policy=SMTP)  # type: ignore[assignment]
    return found


def made(raw: bytes, original: bytes | None = None, **more: int) -> Composed:
    return composed(raw, SENDER, None if original is None else Original(original, **more))  # type: ignore[arg-type]


def sent(raw: bytes, original: bytes | None = None, **more: bool) -> EmailMessage:
    return read(made(raw, original, **more).message)


def kinds(message: EmailMessage) -> list[str]:
    return [part.get_content_type() for part in message.walk()]


def words(message: EmailMessage, kind: str = "plain") -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


class NewTests(SynchronousTestCase):
    """A mail that answers nothing."""

    def test_asItIs(self) -> None:
        """What a client has written whole goes out to the octet, whatever its encodings and its structure."""
        whole = (
            "From: Ann <ann@example.org>\nDate: Wed, 1 May 2024 09:00:00 +0200\nMessage-ID: <x@y>\nMIME-Version: 1.0"
        )
        for raw in (
            text(f"To: b@c\n{whole}\nContent-Type: text/plain; charset=iso-8859-1", b"Gr\xfc\xdfe\r\n"),
            multipart("mixed", PDF, PICTURE, part("text/plain", "=C3", "X-Odd:  y"), headers=f"{whole}\nCc: b@c"),
        ):
            self.assertEqual(made(raw).message, raw)

    def test_completed(self) -> None:
        """From, Date, Message-ID and MIME-Version are added where they are missing, or are none."""
        for head in ("", "Date: yesterday\nMessage-ID: x\n"):
            mail = made(text(f"{head}To: bob@example.org", "Hi."))
            found = read(mail.message)
            self.assertEqual((found["From"], found["Date"]), ("ann@example.org", "Wed, 01 May 2024 08:00:00 +0000"))
            self.assertEqual((found["Message-ID"], mail.identifier), ("<token1@example.org>", "<token1@example.org>"))
            self.assertEqual((found["MIME-Version"], mail.sender), ("1.0", "ann@example.org"))

    def test_recipients(self) -> None:
        """Those of To, Cc and Bcc count, each once; those of Resent fields do not."""
        raw = text("To: b@x, C <c@x>\nCc: B@X, d@x\nBcc: e@x\nBcc: f@x\nResent-To: g@x\nReply-To: h@x", "Hi.")
        mail = made(raw)
        self.assertEqual([one.lower() for one in mail.recipients], ["b@x", "c@x", "d@x", "e@x", "f@x"])
        self.assertEqual((mail.strangers, mail.verb), ((), 0))

    def test_blind(self) -> None:
        """Bcc is in the copy that is kept and not in what is sent."""
        mail = made(text("To: b@x\nBcc: e@x,\n f@x\nResent-Bcc: g@x", "Hi."))
        self.assertNotIn(b"cc:", mail.message)
        self.assertEqual(read(mail.copy)["Bcc"], "e@x, f@x")

    def test_strangers(self) -> None:
        """What is no address is told apart."""
        mail = made(text('To: bob, Team:;, "a b"@x, J\xf6rg <j\xf6rg@x>, ok@x', "Hi."))
        self.assertEqual(mail.recipients, ("ok@x",))
        self.assertEqual(mail.strangers, ("bob", '"a b"@x', "j\xf6rg@x"))

    def test_nobody(self) -> None:
        """Nobody is among those who wrote no recipient, or only a group without members."""
        for head in ("Subject: x", "To: undisclosed-recipients:;"):
            self.assertEqual(made(text(head, "Hi.")).recipients, ())

    def test_delivered(self) -> None:
        """Fields of a delivery are not taken from a client."""
        found = sent(text("Return-Path: <x@y>\nDelivered-To: z@y\nTo: b@x", "Hi."))
        self.assertEqual((found["Return-Path"], found["Delivered-To"]), (None, None))

    def test_eightBit(self) -> None:
        """Fields that are not ASCII are encoded; the body stays as it is."""
        raw = "To: J\xf6rg <j@x>\nSubject: Gr\xfc\xdfe\nContent-Type: text/plain; charset=utf-8".encode()
        mail = made(raw.replace(b"\n", b"\r\n") + "\r\n\r\n\xfc\r\n".encode())
        head, _, body = mail.message.partition(b"\r\n\r\n")
        self.assertTrue(head.isascii())
        self.assertEqual((read(mail.message)["Subject"], body), ("Gr\xfc\xdfe", "\xfc\r\n".encode()))

    def test_longLines(self) -> None:
        """Parts with lines that no server takes are encoded, all others stay; what is signed is not touched."""
        long = part("text/plain; charset=utf-8", "\xe4" * 2000)
        mixed = multipart("mixed", long, PDF, headers="To: b@x")
        found = sent(mixed)
        self.assertEqual(str(next(iter(found.iter_parts())).get_content()).strip(), "\xe4" * 2000)
        self.assertFalse(has_long_lines(made(mixed).message))
        self.assertIn(PDF, made(mixed).message)
        signed = multipart("signed", long, PDF, headers="To: b@x")
        self.assertTrue(has_long_lines(made(signed).message))
        bare = made(text("To: b@x", "a" * 2000))
        self.assertEqual((has_long_lines(bare.message), read(bare.message).get_content().strip()), (False, "a" * 2000))

    def test_bad(self) -> None:
        """What is no message, or has too much of something, is refused."""
        for raw in (b"", b"Hi.", b"To: \0\r\n\r\n"):
            self.assertRaises(BadMessage, made, raw)
        parts = multipart("mixed", *[b"\r\n"] * 3000, headers="To: b@x")
        self.assertRaises(BadMessage, made, parts, PLAIN)
        crowd = b"To: " + b", ".join(b"p%d@example.org" % n for n in range(3000))
        self.assertRaises(TooMany, made, crowd + b"\r\n\r\nHi.")


class ReplyTests(SynchronousTestCase):
    """A mail that answers another one, without the text of it."""

    def test_plain(self) -> None:
        """To plain text the plain text of the original is added, as it is."""
        found = sent(NEW, PLAIN)
        self.assertEqual(kinds(found), ["text/plain"])
        expected = (
            'Yes.\n\n-----Original Message-----\nFrom: "Bob" <bob@example.org>\nSent: Wed, 1 May 2024 07:00:00 +0000\n'
            'To: "ann@example.org" <ann@example.org>; "Carol" <carol@example.net>\nSubject: Gr\xfc\xdfe\n\n'
            "How are you?\n> Fine.\n"
        )
        self.assertEqual(words(found), expected)

    def test_html(self) -> None:
        """To HTML the HTML of the original is added inside its body, with its styles, in UTF-8."""
        found = sent(NEW_HTML, RICH)
        page = words(found, "html")
        self.assertTrue(page.startswith("<html><body><b>J\xe4</b><br>\n<hr>"), page[:60])
        self.assertIn("<b>Subject:</b> Gr\xfc\xdfe", page)
        self.assertIn('<style>p {color: red}</style><p>Look: <img src="cid:pic@x"></p></blockquote>', page)
        self.assertTrue(page.endswith("</body></html>"))
        self.assertEqual(page.count("<body"), 1)

    def test_both(self) -> None:
        """An alternative has the original in each of its texts."""
        found = sent(NEW_BOTH, PLAIN)
        self.assertEqual(kinds(found), ["multipart/alternative", "text/plain", "text/html"])
        self.assertIn("\nHow are you?", words(found))
        self.assertIn("How are you?<br>", words(found, "html"))

    def test_plainOfHtml(self) -> None:
        """To plain text the text of a HTML mail is added, and HTML is made of plain text."""
        page = text(f"{HEAD}\nContent-Type: text/html", "<p>One &amp; <b>two</b></p>")
        self.assertIn("\nOne & two\n", words(sent(NEW, page)))
        self.assertIn("1 &lt; 2", words(sent(NEW_HTML, text(HEAD, "1 < 2")), "html"))

    def test_pictures(self) -> None:
        """Pictures in the quoted text go with it, other attachments do not."""
        found = sent(NEW_BOTH, RICH)
        self.assertEqual(
            kinds(found), ["multipart/related", "multipart/alternative", "text/plain", "text/html", "image/png"]
        )
        picture = list(found.walk())[-1]
        self.assertEqual((picture["Content-ID"], picture.get_content()), ("<pic@x>", b"PNG"))
        self.assertEqual(kinds(sent(NEW, RICH)), ["text/plain"])

    def test_attachments(self) -> None:
        """What is attached to the answer stays as it is; the original goes below its text."""
        new = multipart("mixed", part("text/plain", "See."), PDF, headers="To: bob@example.org")
        mail = made(new, PLAIN)
        self.assertIn(PDF, mail.message)
        self.assertEqual(kinds(read(mail.message)), ["multipart/mixed", "text/plain", "application/pdf"])
        self.assertIn("\nHow are you?", words(read(mail.message)))

    def test_noText(self) -> None:
        """An answer that is a picture alone gets a text with the original before it; an empty one is that text."""
        new = b"To: bob@example.org\r\n" + PICTURE
        found = sent(new, PLAIN)
        self.assertEqual(kinds(found), ["multipart/mixed", "text/plain", "image/png"])
        self.assertIn("\nHow are you?", words(found))
        self.assertIn("\nHow are you?", words(sent(b"To: bob@example.org\r\n\r\n", PLAIN)))

    def test_thread(self) -> None:
        """It belongs to the conversation; what the client said of that counts."""
        found = sent(NEW, PLAIN)
        self.assertEqual(
            (found["In-Reply-To"], found["References"]), ("<2@example.org>", "<1@example.org> <2@example.org>")
        )
        own = b"References: <7@x>\r\nIn-Reply-To: <7@x>\r\n" + NEW
        self.assertEqual((sent(own, PLAIN)["In-Reply-To"], sent(own, PLAIN)["References"]), ("<7@x>", "<7@x>"))
        nameless = text("From: bob@example.org", "Hi.")
        self.assertEqual((sent(NEW, nameless)["In-Reply-To"], sent(NEW, nameless)["References"]), (None, None))

    def test_index(self) -> None:
        """Thread-Index is that of the original and five bytes more, unless the client has one ([MS-ASCON] 2.2.2.4)."""
        for forward in (False, True):
            first = made(NEW, PLAIN, forward=forward, received=1714550000)
            again = made(NEW, first.message, forward=forward)
            found = [base64.b64decode(str(read(mail.message)["Thread-Index"])) for mail in (first, again)]
            self.assertEqual([len(index) for index in found], [27, 32])
            self.assertEqual(found[1][:27], found[0])
        self.assertEqual(sent(b"Thread-Index: QQ==\r\n" + NEW, PLAIN)["Thread-Index"], "QQ==")
        self.assertIsNone(sent(NEW)["Thread-Index"])

    def test_longThread(self) -> None:
        """Of a long conversation the first name and the last ones are kept."""
        ids = " ".join(f"<{n}@x>" for n in range(500))
        found = str(sent(NEW, text(f"From: b@x\nMessage-ID: <z@x>\nReferences: {ids}", "Hi."))["References"]).split()
        self.assertEqual((len(found), found[0], found[1], found[-1]), (52, "<0@x>", "<450@x>", "<z@x>"))

    def test_replace(self) -> None:
        """With ReplaceMime nothing of the original is added but the conversation."""
        found = sent(NEW_BOTH, RICH, replace=True)
        self.assertEqual(kinds(found), ["multipart/alternative", "text/plain", "text/html"])
        self.assertEqual((words(found), found["In-Reply-To"]), ("Yes.\n", "<2@example.org>"))

    def test_verb(self) -> None:
        """An answer to others than the sender is one to all."""
        for to, verb in (
            ("bob@example.org", REPLY),
            ("Bob@Example.org, Carol@example.net", REPLY_ALL),
            ("dave@x", REPLY),
        ):
            self.assertEqual(made(text(f"To: {to}", "Hi."), PLAIN).verb, verb)
        self.assertEqual(made(text("To: bob@example.org, ann@example.org", "Hi."), PLAIN).verb, REPLY)

    def test_encrypted(self) -> None:
        """Of what is encrypted nothing is quoted; an answer that is signed is not touched."""
        secret = part("application/octet-stream", "secret")
        pgp = multipart("encrypted", part("application/pgp-encrypted", "Version: 1"), secret, headers=HEAD)
        for original in (pgp, text(f"{HEAD}\nContent-Type: application/pkcs7-mime", "secret")):
            self.assertEqual(words(sent(NEW, original)), "Yes.\n")
        signed = multipart("signed", part("text/plain", "Yes."), PDF, headers="To: bob@example.org")
        body = signed.partition(b"\r\n\r\n")[2]
        self.assertTrue(made(signed, PLAIN).message.endswith(body))

    def test_signedOriginal(self) -> None:
        """The text of a signed mail is quoted as any other."""
        signed = multipart("signed", part("text/plain", "On my word."), PDF, headers=HEAD)
        self.assertIn("\nOn my word.", words(sent(NEW, signed)))

    def test_longText(self) -> None:
        """Of a very long original the beginning is quoted, and it is said so."""
        found = words(sent(NEW, text(HEAD, "All work and no play.\r\n" * 100_000)))
        self.assertTrue(found.endswith("[...]\n"))
        self.assertLess(len(found), 1_300_000)


class ForwardTests(SynchronousTestCase):
    """A mail that passes another one on, without the text of it."""

    def test_plain(self) -> None:
        """The text of the original is below the new one, as it was; the conversation is told, but it is no answer."""
        found = sent(NEW, PLAIN, forward=True)
        self.assertTrue(words(found).endswith("\n\nHow are you?\n> Fine.\n"))
        self.assertEqual((found["In-Reply-To"], found["References"]), (None, "<1@example.org> <2@example.org>"))
        self.assertEqual(made(NEW, PLAIN, forward=True).verb, FORWARD)

    def test_attachments(self) -> None:
        """The attachments go with it to the octet; pictures stay with the HTML that shows them."""
        mail = made(NEW_BOTH, RICH, forward=True)
        inner = ["multipart/related", "multipart/alternative", "text/plain", "text/html", "image/png"]
        self.assertEqual(kinds(read(mail.message)), ["multipart/mixed", *inner, "application/pdf"])
        for one in (PDF, PICTURE):
            self.assertIn(one, mail.message)
        self.assertNotIn("<blockquote", words(read(mail.message), "html"))

    def test_plainWithPictures(self) -> None:
        """In plain text nothing shows the pictures: they are attached."""
        self.assertEqual(
            kinds(sent(NEW, RICH, forward=True)), ["multipart/mixed", "text/plain", "image/png", "application/pdf"]
        )

    def test_ownAttachments(self) -> None:
        """What the client attaches comes before what was attached, in one multipart."""
        new = multipart("mixed", part("text/plain", "See."), PICTURE, headers="To: b@x")
        self.assertEqual(
            kinds(sent(new, multipart("mixed", part("text/plain", "x"), PDF, headers=HEAD), forward=True)),
            ["multipart/mixed", "text/plain", "image/png", "application/pdf"],
        )

    def test_attachmentsThatDoNotFit(self) -> None:
        """Attachments with octets or lines that no server takes are encoded, and names that are not ASCII too."""
        odd_one = text(
            'Content-Type: application/x; name="\xfc.bin"\nContent-Disposition: attachment', b"a\0b" + b"c" * 2000
        )
        mail = made(NEW, multipart("mixed", part("text/plain", "x"), odd_one, headers=HEAD), forward=True)
        found = list(read(mail.message).walk())[-1]
        self.assertEqual(found.get_content(), b"a\0b" + b"c" * 2000)
        self.assertEqual(found.get_filename(), "\xfc.bin")
        self.assertFalse(has_long_lines(mail.message))

    def test_whole(self) -> None:
        """Signed, encrypted and report mails are attached as they are, and so is all if the new mail is signed."""
        signed = multipart("signed", part("text/plain", "On my word."), PDF, headers=HEAD)
        secret = text(f"{HEAD}\nContent-Type: application/pkcs7-mime", "secret")
        report = multipart(
            "report", part("text/plain", "Failed."), headers=HEAD, parameters="; report-type=delivery-status"
        )
        for original in (signed, secret, report):
            mail = made(NEW, original, forward=True)
            self.assertIn(original, mail.message)
            attached = list(read(mail.message).iter_parts())[1]
            self.assertEqual((attached.get_content_type(), attached.get_filename()), ("message/rfc822", "Gr_e.eml"))
            self.assertEqual(words(read(mail.message)), "Yes.\n")
        new = multipart("signed", part("text/plain", "Yes."), PDF, headers="To: bob@example.org")
        self.assertEqual(kinds(sent(new, PLAIN, forward=True))[:2], ["multipart/mixed", "multipart/signed"])

    def test_wholeThatDoesNotFit(self) -> None:
        """A whole mail that no server would take as it is goes out as a file."""
        original = text(f"{HEAD}\nContent-Type: application/pkcs7-mime", b"\0" + b"x" * 2000)
        attached = list(sent(NEW, original, forward=True).iter_parts())[1]
        self.assertEqual((attached.get_content_type(), attached.get_content()), ("application/octet-stream", original))

    def test_replace(self) -> None:
        """With ReplaceMime the client has put in what it wants, the attachments too."""
        self.assertEqual(kinds(sent(NEW_BOTH, RICH, forward=True, replace=True)), kinds(sent(NEW_BOTH)))


class LineTests(SynchronousTestCase):
    """Lines that no server takes."""

    def test_long(self) -> None:
        """A line has up to 998 octets, however it ends."""
        chance = Random(998)
        for end in (b"\r\n", b"\n", b"\r"):
            for longest in (997, 998, 999, 1000, 3000):
                lines = [b"x" * chance.randrange(200) for _ in range(20)]
                lines.insert(chance.randrange(21), b"y" * longest)
                for octets in (end.join(lines), end.join([*lines, b""])):
                    self.assertEqual(has_long_lines(octets), longest > 998, (end, longest))

    def test_quick(self) -> None:
        """A large mail keeps nobody waiting: to pass on 16 MB takes less than a second."""
        line = b"QUFB" * 19 + b"\r\n"
        head = "Content-Disposition: attachment; filename=a"
        large = multipart("mixed", part("text/plain", "x"), part("application/x", line * 210_000, B64, head))
        began = process_time()
        found = made(NEW, large, forward=True)
        self.assertLess(process_time() - began, 1.0)
        self.assertGreater(len(found.message), 16_000_000)


class OddTests(SynchronousTestCase):
    """Mails as they should not be."""

    def check(self, mail: Composed) -> None:
        """It can be sent, and be read."""
        head = mail.message.partition(b"\r\n\r\n")[0]
        self.assertTrue(head.isascii())
        self.assertNotIn(b"\0", mail.message)
        self.assertEqual(mail.message.count(b"\r"), mail.message.count(b"\n"))
        self.assertEqual(mail.message.count(b"\r\n"), mail.message.count(b"\n"))
        taken_apart(mail.message)

    def test_written(self) -> None:
        """Whatever a client sends is refused as a message, or can be sent, with and without an original."""
        for name, raw in odd.mails():
            for original in (None, PLAIN):
                try:
                    mail = composed(raw, SENDER, original and Original(original))
                except (BadMessage, TooMany):
                    continue
                except Exception as error:
                    raise AssertionError(name) from error
                self.check(mail)

    def test_originals(self) -> None:
        """Whatever lies in a mailbox can be answered and passed on."""
        for name, raw in odd.mails():
            for new, forward in ((NEW, True), (NEW_BOTH, False)):
                try:
                    self.check(composed(new, SENDER, Original(raw, forward)))
                except Exception as error:
                    raise AssertionError(name) from error

    def test_tokens(self) -> None:
        """Delimiters are made of what nobody can have known, and are in no part."""
        mail = composed(NEW_BOTH, evolve(SENDER, token="secret1"), Original(RICH, forward=True))
        for name in (b"_mixed_", b"_related_"):
            self.assertGreater(mail.message.count(b"--=%bsecret1" % name), 2)
