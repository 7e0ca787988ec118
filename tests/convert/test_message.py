"""A mail as EAS properties: which, in what order, for which protocol version."""

from __future__ import annotations

import json
import time
import tracemalloc
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from gateway.convert import message
from gateway.convert.message import MAX_LIST, Mail, properties
from gateway.eas.wbxml import encode
from gateway.element import Element
from gateway.model import BodyPreference, SyncOptions
from tests.convert.samples import PLAIN, RECEIVED, VERSIONS, made, multipart, part, shown, text

HELLO = text(
    "From: Bob <bob@example.org>\nTo: Ann <ann@example.org>\nSubject: Hello\n"
    "Message-ID: <1@example.org>\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8",
    "Hi.",
)
FULL = multipart(
    "mixed",
    part("text/plain; charset=iso-8859-1", b"gr\xfcn"),
    part("application/pdf", "x", "Content-Disposition: attachment; filename=a.pdf"),
    headers="From: Bob <bob@example.org>\nSender: Eve <eve@example.org>\nTo: Ann <ann@example.org>, carl@example.org\n"
    "Cc: Dora <dora@example.org>\nReply-To: r@example.org, s@example.org\nSubject: Re: Hello\nImportance: high\n"
    "Message-ID: <1@example.org>\nDelivered-To: me@example.org\nBcc: Me@example.org",
)

ENVELOPE = "To Cc From Subject ReplyTo DateReceived DisplayTo ThreadTopic Importance Read Attachments".split()  # noqa: SIM905
FROM_25 = [*ENVELOPE, "Body", "BodySize", "BodyTruncated", "MessageClass", "InternetCPID"]
FROM_120 = [*ENVELOPE, "Body", "MessageClass", "InternetCPID", "Flag", "ContentClass", "NativeBodyType"]
FROM_140 = [
    *FROM_120,
    "ConversationId",
    "ConversationIndex",
    "Categories",
    "LastVerbExecuted",
    "Sender",
    "ReceivedAsBcc",
]
FROM_160 = [*FROM_140, "Bcc", "IsDraft"]


class VectorTests(SynchronousTestCase):
    def test_bytes(self) -> None:
        """The mail of the documented answer gives that answer, byte by byte."""
        data = Path(__file__).parent.parent / "data" / "command-vectors.json"
        vector = next(each for each in json.loads(data.read_text()) if each["name"] == "sync-response-mail")
        mail = Mail(HELLO, "", {}, RECEIVED, "5:1")
        options = SyncOptions(bodies=(BodyPreference(1, truncation=512),))
        add = Element(
            "AirSync:Add",
            Element("AirSync:ServerId", "5:1"),
            Element("AirSync:ApplicationData", *properties(mail, 121, options)),
        )
        collection = Element(
            "AirSync:Collection",
            Element("AirSync:SyncKey", "2"),
            Element("AirSync:CollectionId", "5"),
            Element("AirSync:Status", 1),
            Element("AirSync:MoreAvailable"),
            Element("AirSync:Commands", add),
        )
        self.assertEqual(
            encode(Element("AirSync:Sync", Element("AirSync:Collections", collection))).hex(), vector["hex"]
        )


class VersionTests(SynchronousTestCase):
    def test_elements(self) -> None:
        """Each protocol version has the elements that it knows, in one order."""
        expected = dict.fromkeys((25,), FROM_25) | dict.fromkeys((120, 121), FROM_120)
        expected |= dict.fromkeys((140, 141), FROM_140) | dict.fromkeys((160, 161), FROM_160)
        for version in VERSIONS:
            found = [child.name for child in made(FULL, version, state="DR")]
            self.assertEqual(found, expected[version], version)

    def test_encodable(self) -> None:
        """What is sent to a version has a token in the code pages, with opaque data where it is due."""
        for version in VERSIONS:
            encode(Element("AirSync:Sync", made(FULL, version, state="DFRS")))
        opaque = [child.name for child in made(FULL, 161) if isinstance(child.value, bytes)]
        self.assertEqual(opaque, ["ConversationId", "ConversationIndex"])

    def test_noEmptyElements(self) -> None:
        """A mail without a header has no empty element but Flag and Categories, which say that there are none."""
        for version in VERSIONS:
            for raw in (b"", b"\r\n\r\n", b"To:\r\nSubject:\r\nFrom: <>\r\n\r\n"):
                empty = [child.name for child in made(raw, version) if not child.children and not child.value]
                self.assertEqual(empty, ["Flag", "Categories"][: (version >= 120) + (version >= 140)])


class EnvelopeTests(SynchronousTestCase):
    def test_values(self) -> None:
        """The header gives addresses, subject, topic and importance."""
        found = shown(made(FULL))
        self.assertEqual(found["To"], '"Ann" <ann@example.org>, "carl@example.org" <carl@example.org>')
        self.assertEqual(found["Cc"], '"Dora" <dora@example.org>')
        self.assertEqual(found["From"], '"Bob" <bob@example.org>')
        self.assertEqual(found["ReplyTo"], '"r@example.org" <r@example.org>;"s@example.org" <s@example.org>')
        self.assertEqual(found["DisplayTo"], "Ann;carl@example.org")
        self.assertEqual((found["Subject"], found["ThreadTopic"], found["Importance"]), ("Re: Hello", "Hello", "2"))

    def test_received(self) -> None:
        """DateReceived is the time of delivery, not what the mail says."""
        raw = text("Date: Mon, 1 Jan 1990 00:00:00 +0000")
        self.assertEqual(made(raw).text_of("Email:DateReceived"), "2024-05-01T08:00:00.000Z")
        for received, expected in ((-5, "1970-01-01T00:00:00.000Z"), (10**15, "9999-12-31T23:59:59.000Z")):
            self.assertEqual(made(raw, received=received).text_of("Email:DateReceived"), expected)

    def test_long(self) -> None:
        """To has at most 32768 characters, and no address is cut."""
        raw = text("To: " + ", ".join(f"Name {n} <n{n}@example.org>" for n in range(1500)))
        found = shown(made(raw))
        self.assertLessEqual(len(found["To"]), MAX_LIST)
        self.assertGreater(len(found["To"]), MAX_LIST - 100)
        self.assertTrue(found["To"].endswith(".org>"))
        raw = text("To: " + "x" * 40_000 + "@example.org")
        self.assertEqual(len(shown(made(raw))["To"]), MAX_LIST)

    def test_codePage(self) -> None:
        """InternetCPID is the code page of the charset that the text was written in."""
        for charset, body, expected in (
            ("utf-8", b"x", "65001"),
            ("us-ascii", b"x", "20127"),
            ("iso-8859-1", b"\xe4", "28591"),
            ("us-ascii", "ä".encode(), "65001"),
            ("koi8-r", b"x", "20866"),
        ):
            raw = part(f"text/plain; charset={charset}", body)
            self.assertEqual(made(raw).text_of("Email:InternetCPID"), expected)
        self.assertEqual(made(b"").text_of("Email:InternetCPID"), "20127")

    def test_native(self) -> None:
        """NativeBodyType is the format that the mail was written in, whatever is sent."""
        raw = multipart("alternative", part("text/plain", "a"), part("text/html", "b"))
        self.assertEqual(made(raw).text_of("AirSyncBase:NativeBodyType"), "2")
        self.assertEqual(made(HELLO).text_of("AirSyncBase:NativeBodyType"), "1")

    def test_sender(self) -> None:
        """Sender is told only if it is somebody else than From."""
        self.assertEqual(shown(made(FULL))["Sender"], '"Eve" <eve@example.org>')
        same = text("From: Bob <bob@example.org>\nSender: Robert <BOB@example.org>")
        self.assertNotIn("Sender", shown(made(same)))

    def test_blind(self) -> None:
        """ReceivedAsBcc is told only when the mail itself names the receiver in its Bcc."""
        self.assertEqual(shown(made(FULL))["ReceivedAsBcc"], "1")
        for headers in ("Bcc: a@b", "Delivered-To: a@b", "Delivered-To: a@b\nBcc: c@d", "To: a@b"):
            self.assertNotIn("ReceivedAsBcc", shown(made(text(headers))))

    def test_draft(self) -> None:
        """Bcc belongs to drafts; IsDraft says of each mail whether it is one."""
        draft, other = shown(made(FULL, 160, state="D")), shown(made(FULL, 160))
        self.assertEqual((draft["Bcc"], draft["IsDraft"]), ('"Me@example.org" <Me@example.org>', "1"))
        self.assertNotIn("Bcc", other)
        self.assertEqual(other["IsDraft"], "0")
        self.assertNotIn("IsDraft", shown(made(FULL, 141, state="D")))

    def test_marks(self) -> None:
        """Read and Flag come from the Maildir letters."""
        found = made(HELLO, state="FS")
        self.assertEqual(found.text_of("Email:Read"), "1")
        flag = found.child("Email:Flag")
        assert flag is not None
        self.assertEqual(flag.text_of("Email:Status"), "2")


class FallbackTests(SynchronousTestCase):
    def test_unreadable(self) -> None:
        """A mail that a fault keeps from being read goes out as it is, as plain text, and the fault is logged."""

        def fault(raw: bytes) -> None:
            raise ZeroDivisionError

        self.patch(message.mime, "read", fault)
        for version in VERSIONS:
            found = made(HELLO, version, state="S")
            self.assertEqual(found.text_of("Email:DateReceived"), "2024-05-01T08:00:00.000Z")
            self.assertEqual(found.text_of("Email:Read"), "1")
            body = found.child("AirSyncBase:Body")
            sent = found.text_of("Email:Body") if body is None else body.text_of("AirSyncBase:Data")
            self.assertEqual((sent or "").encode(), HELLO)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), len(VERSIONS))


class CostTests(SynchronousTestCase):
    def test_small(self) -> None:
        """A plain mail of 2 KB is converted in well under a millisecond."""
        mail = Mail(HELLO + b" More of it.\r\n" * 150, "S", {}, RECEIVED, "5:1")
        best = min(self.measured(mail) for _ in range(5))
        self.assertLess(best, 0.001)

    def measured(self, mail: Mail) -> float:
        """CPU seconds of one conversion."""
        started = time.process_time()
        for _ in range(20):
            properties(mail, 141, PLAIN)
        return (time.process_time() - started) / 20

    def peak(self, raw: bytes, options: SyncOptions) -> int:
        """The most bytes of memory that a conversion takes beside the mail."""
        mail = Mail(raw, "", {}, RECEIVED, "5:1")
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.assertTrue(properties(mail, 141, options))
        return tracemalloc.get_traced_memory()[1]

    def test_large(self) -> None:
        """A large mail takes less than three further copies of itself: two in the parser, and one as text."""
        lines = b"".join([b"x" * 76 + b"\r\n"] * 50_000)
        raw = multipart("mixed", part("text/plain", "Hi."), part("application/zip", lines))
        mime = SyncOptions(bodies=(BodyPreference(4),), mime_support=2)
        self.assertLess(self.peak(raw, PLAIN), 3 * len(raw))
        self.assertLess(self.peak(raw, mime), 3 * len(raw))
