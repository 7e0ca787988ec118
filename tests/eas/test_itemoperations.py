"""ItemOperations: what is fetched, in which form, and every Status that the server gives."""

from __future__ import annotations

import base64
import tracemalloc

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas import wbxml
from gateway.eas.call import Unavailable, Version
from gateway.eas.folderoperations import FolderOperations
from gateway.eas.itemoperations import FetchLimits, multipart_head
from gateway.eas.reading import Reading
from gateway.eas.spool import IN_MEMORY, Spool, Spools
from gateway.element import Element
from gateway.interfaces import BackendDown
from gateway.model import FolderType, FoundFolder
from tests.convert.samples import multipart, part
from tests.eas.fetches import (
    FILE,
    PDF,
    TWO,
    Desk,
    air,
    air_base,
    fetch,
    octets,
    of_file,
    of_item,
    op,
    preference,
    taken_apart,
)
from tests.eas.support import FOLDERS, call_of, decoded, refused, renamed
from tests.stores import result_of

VERSIONS = [version for version in Version if version >= Version.V12_0]
TEXT = "Words and words. " * 20
MAIL = b"From: b@example.org\r\nSubject: x\r\nContent-Type: %b\r\n\r\n%b"
HTML = MAIL % (b"text/html", f"<html><body><p>{TEXT}</p></body></html>".encode())
PLAIN = MAIL % (b"text/plain", TEXT.encode())


class FetchCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.desk = Desk()

    def tearDown(self) -> None:
        """Nothing was logged, and nothing is kept of any answer."""
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(len(self.desk.spools), 0)

    def with_policy(self, **elements: object) -> None:
        """Have a policy in force."""
        self.desk.elements = elements


class ItemTests(FetchCase):
    """A Fetch of an item."""

    def test_whole(self) -> None:
        """Status 1: without a preference all properties come, and all of the text as plain text."""
        name = self.desk.arrive("a", HTML)
        for version in VERSIONS:
            with self.subTest(version):
                found = self.desk.ask(of_item(name), version=version)
                self.assertEqual((found.status, found.statuses), ("1", ["1"]))
                self.assertEqual(
                    [child.name for child in found.only], ["Status", "CollectionId", "ServerId", "Class", "Properties"]
                )
                self.assertEqual(found.only.text_of("AirSync:ServerId"), name)
                self.assertEqual(found.properties.text_of("Email:Subject"), "x")
                self.assertEqual((found.body["Type"], found.body["Data"].strip()), ("1", TEXT.strip()))

    def test_vector(self) -> None:
        """The request for a mail as MIME is answered with the MIME."""
        self.desk.arrive("a", PLAIN)
        name = self.desk.arrive("b", PLAIN)
        request = renamed(decoded("itemoperations-request-item"), {"5": str(self.desk.inbox), "5:1": name})
        found = self.desk.send(request, Version.V14_1)
        self.assertEqual((found.body["Type"], found.body["Data"]), ("4", PLAIN.decode()))

    def test_preferences(self) -> None:
        """BodyPreference says in which format, and how much ([MS-ASAIRS] 2.2.2.12)."""
        name = self.desk.arrive("a", HTML)
        found = self.desk.ask(of_item(name, preference(2)))
        self.assertEqual(found.body["Type"], "2")
        self.assertIn("<p>", found.body["Data"])
        found = self.desk.ask(of_item(name, preference(1, air_base("TruncationSize", 10))))
        self.assertEqual((found.body["Data"], found.body["Truncated"]), (TEXT[:10], "1"))

    def test_longText(self) -> None:
        """A text that was never asked to be short comes as a whole, however long it is."""
        name = self.desk.arrive("a", MAIL % (b"text/plain", b"line\r\n" * 300_000))
        self.assertEqual(len(self.desk.ask(of_item(name)).body["Data"]), 1_800_000)
        self.assertEqual(len(self.desk.ask(of_item(name, preference(1))).body["Data"]), 1_800_000)

    def test_oddText(self) -> None:
        """A long text is put into the answer without the characters that XML does not allow."""
        name = self.desk.arrive("a", MAIL % (b"text/plain; charset=utf-8", ("ä\x01€" * 100_000).encode()))
        self.assertEqual(self.desk.ask(of_item(name)).body["Data"], "ä\ufffd€" * 100_000)

    def test_mimeSupport(self) -> None:
        """MIME comes only where MIMESupport allows it; to a phone that says nothing of MIMESupport a text that every
        phone can show, to one that forbids MIME and takes nothing else only the size, also in several parts."""
        name = self.desk.arrive("a", PLAIN)
        self.assertIn("Data", self.desk.ask(of_item(name, preference(4))).body)
        for value, kind, data in ((0, "1", False), (1, "1", False), (2, "4", True)):
            asked = of_item(name, air("MIMESupport", value), preference(4))
            found = self.desk.ask(asked)
            self.assertEqual(
                (found.body["Type"], "Data" in found.body, "Truncated" in found.body), (kind, data, not data)
            )
            self.assertEqual(len(self.desk.ask(asked, parts=True).parts), int(data))

    def test_secure(self) -> None:
        """A signed or encrypted mail comes as it is stored, in octets that a phone can check."""
        signed = multipart(
            "signed",
            part("text/plain", "Hi.\r\n"),
            part("application/pkcs7-signature", base64.encodebytes(b"x" * 100), "Content-Transfer-Encoding: base64"),
            parameters='; protocol="application/pkcs7-signature"; micalg=sha-256',
        )
        sealed = MAIL % (b"application/pkcs7-mime; smime-type=enveloped-data", base64.encodebytes(b"y" * 5000))
        for raw, kind in ((signed, "IPM.Note.SMIME.MultipartSigned"), (sealed, "IPM.Note.SMIME")):
            name = self.desk.arrive(kind, raw)
            found = self.desk.ask(of_item(name, air("MIMESupport", 1), preference(4)))
            self.assertEqual(found.properties.text_of("Email:MessageClass"), kind)
            self.assertEqual(found.body["Data"].replace("\r\n", "\n"), raw.decode().replace("\r\n", "\n"))

    def test_rights(self) -> None:
        """A protected mail comes with its protected part as an attachment, also if the phone knows of rights."""
        raw = multipart("mixed", part("text/plain", "Protected."), part("application/x-microsoft-rpmsg-message", "xyz"))
        name = self.desk.arrive("a", raw)
        rights = Element("RightsManagement:RightsManagementSupport", 1)
        found = self.desk.ask(of_item(name, rights))
        (listed,) = found.properties.child("AirSyncBase:Attachments") or ()
        self.assertEqual(self.desk.ask(of_file(listed.text_of("AirSyncBase:FileReference") or "")).data, b"xyz")

    def test_part(self) -> None:
        """From 14.1 on BodyPartPreference brings a BodyPart; Body comes too only if it was asked for."""
        name = self.desk.arrive("a", HTML)
        asked = preference(2, air_base("TruncationSize", 30), name="BodyPartPreference")
        found = self.desk.ask(of_item(name, asked)).properties
        body_part = found.child("AirSyncBase:BodyPart")
        assert body_part is not None
        self.assertEqual(body_part.text_of("AirSyncBase:Status"), "1")
        self.assertEqual(len(body_part.text_of("AirSyncBase:Data") or ""), 30)
        self.assertIsNone(found.child("AirSyncBase:Body"))
        found = self.desk.ask(of_item(name, preference(1), asked)).properties
        self.assertIsNotNone(found.child("AirSyncBase:Body"))
        found = self.desk.ask(of_item(name, asked), version=Version.V14_0).properties
        self.assertIsNone(found.child("AirSyncBase:BodyPart"))

    def test_schema(self) -> None:
        """Schema names the properties that come; all come if it names none ([MS-ASCMD] 2.2.3.158)."""
        name = self.desk.arrive("a", HTML)
        found = self.desk.ask(of_item(name, op("Schema", Element("Email:Subject"), Element("AirSyncBase:Body"))))
        self.assertEqual({child.name for child in found.properties}, {"Subject", "Body"})
        found = self.desk.ask(of_item(name, op("Schema", Element("Email:Subject")), op("Schema", Element("Email:To"))))
        self.assertEqual([child.name for child in found.properties], ["Subject"])
        self.assertGreater(len(self.desk.ask(of_item(name, op("Schema"))).properties.children), 5)

    def test_longId(self) -> None:
        """A LongId, as a Search gives it, names an item too."""
        name = self.desk.arrive("a", PLAIN)
        found = self.desk.ask(fetch(Element("Search:LongId", name)))
        self.assertEqual([child.name for child in found.only], ["Status", "LongId", "Class", "Properties"])
        self.assertEqual(found.properties.text_of("Email:Subject"), "x")

    def test_state(self) -> None:
        """The marks of the mail are those that it has now."""
        name = self.desk.arrive("a", PLAIN)
        self.desk.mail(self.desk.inbox, "a", PLAIN, state="FS")
        found = self.desk.ask(of_item(name)).properties
        self.assertEqual(found.text_of("Email:Read"), "1")
        self.assertEqual((found.child("Email:Flag") or Element("")).text_of("Email:Status"), "2")

    def test_notFound(self) -> None:
        """Status 6: no such item, folder or LongId, another user's, or gone since ([MS-ASCMD] 2.2.3.177.8)."""
        name = self.desk.arrive("a", PLAIN)
        self.desk.make("bob")
        other = self.desk.make("bob")[""]
        self.desk.mail(other, "b", PLAIN, user="bob")
        theirs = f"{other}:{self.desk.named('b')}"
        sent = self.desk.ids[".Sent"]
        for asked in (
            of_item("InvalidServerID", folder=str(self.desk.inbox)),
            of_item(f"{self.desk.inbox}:999"),
            of_item(f"{self.desk.inbox}:{'9' * 40}"),
            of_item(name, folder="999"),
            of_item(name, folder=""),
            of_item(name, folder="RI"),
            of_item(name, folder=str(sent)),
            of_item(f"{sent}:{name.partition(':')[2]}"),
            of_item(theirs),
            fetch(Element("Search:LongId", "x")),
            fetch(Element("Search:LongId", theirs)),
            fetch(Element("Search:LongId")),
        ):
            with self.subTest(asked):
                found = self.desk.ask(asked)
                self.assertEqual((found.status, found.statuses), ("1", ["6"]))
                self.assertIsNone(found.only.child("ItemOperations:Properties"))
        del self.desk.mailbox.folder("ann", "")["a"]
        self.assertEqual(self.desk.ask(of_item(name)).statuses, ["6"])

    def test_otherClass(self) -> None:
        """Status 6: an item of a folder that does not hold mail."""
        calendar = self.desk.make(found=(*FOLDERS, FoundFolder(".Cal", "Calendar", FolderType.CALENDAR)))[".Cal"]
        self.desk.mail(calendar, "c", PLAIN, path=".Cal")
        self.assertEqual(self.desk.ask(of_item(f"{calendar}:{self.desk.named('c')}")).statuses, ["6"])

    def test_wrongPart(self) -> None:
        """Status 164: a BodyPartPreference for something else than HTML, from 14.1 on."""
        name = self.desk.arrive("a", PLAIN)
        found = self.desk.ask(of_item(name, preference(3, name="BodyPartPreference")))
        self.assertEqual((found.status, found.statuses), ("1", ["164"]))

    def test_policy(self) -> None:
        """What the policy says of HTML and of sizes holds for fetched items too."""
        name = self.desk.arrive("a", HTML)
        self.with_policy(AllowHTMLEmail=False)
        found = self.desk.ask(of_item(name, air("MIMESupport", 2), preference(2), preference(4)))
        self.assertEqual(found.body["Type"], "1")
        self.with_policy(MaxEmailBodyTruncationSize=12)
        self.assertEqual(self.desk.ask(of_item(name, preference(1))).body["Data"], TEXT[:12])


class AttachmentTests(FetchCase):
    """A Fetch of an attachment."""

    def setUp(self) -> None:
        super().setUp()
        self.file = f"{self.desk.arrive('two', TWO)}:2"

    def test_inline(self) -> None:
        """Status 1: an attachment comes in base64 with its type."""
        for version in VERSIONS:
            found = self.desk.ask(of_file(self.file), version=version)
            self.assertEqual((found.status, found.statuses), ("1", ["1"]))
            self.assertEqual([child.name for child in found.only], ["Status", "FileReference", "Properties"])
            self.assertEqual([child.name for child in found.properties], ["ContentType", "Data"])
            self.assertEqual(found.properties.text_of("AirSyncBase:ContentType"), "application/pdf")
            self.assertEqual(found.data, PDF)

    def test_vector(self) -> None:
        """Request and answer for an attachment are those of the vectors, octet by octet."""
        raw = multipart("mixed", part("text/html", "x"), part("text/plain", "Hi", "Content-Disposition: attachment"))
        names = {"5:1:2": f"{self.desk.arrive('v', raw)}:2"}
        request = renamed(decoded("itemoperations-request-attachment"), names)
        answer = result_of(self.desk.items_command(call_of("ItemOperations", request, Version.V12_1)))
        expected = renamed(decoded("itemoperations-response-attachment"), names)
        self.assertEqual(octets(answer), wbxml.encode(expected))

    def test_sameAlways(self) -> None:
        """The FileReference of a mail is the same in every answer, and after the gateway was started again."""
        name = self.file.rpartition(":")[0]
        for parts in (False, True):
            (listed,) = self.desk.ask(of_item(name), parts=parts).properties.child("AirSyncBase:Attachments") or ()
            self.assertEqual(listed.text_of("AirSyncBase:FileReference"), self.file)

    def test_empty(self) -> None:
        """An attachment without content is a success: there is nothing wrong with it."""
        empty = part("application/x", "", "Content-Disposition: attachment; filename=a")
        name = self.desk.arrive("e", multipart("mixed", part("text/plain", "x"), empty))
        self.assertEqual(self.desk.ask(of_file(f"{name}:2")).data, b"")
        self.assertEqual(self.desk.ask(of_file(f"{name}:2"), parts=True).parts, [b""])
        answer = self.desk.attachment(f"{name}:2")
        self.assertEqual((answer.status, octets(answer), answer.content_type), (200, b"", "application/x"))

    def test_message(self) -> None:
        """A message in a message is fetched as it is."""
        inner = b"Subject: inner\r\n\r\nHi.\r\n"
        name = self.desk.arrive("m", multipart("mixed", part("text/plain", "x"), part("message/rfc822", inner)))
        found = self.desk.ask(of_file(f"{name}:2"))
        self.assertEqual((found.properties.text_of("AirSyncBase:ContentType"), found.data), ("message/rfc822", inner))

    def test_range(self) -> None:
        """Range says from which byte to which, both included; the answer says which, and how many there are."""
        for asked, told, expected in (
            ("0-0", "0-0", PDF[:1]),
            ("0-9", "0-9", PDF[:10]),
            ("10-99", "10-99", PDF[10:100]),
            ("1000-5000", "1000-1023", PDF[1000:]),
            ("0-99999999999", "0-1023", PDF),
        ):
            with self.subTest(asked):
                found = self.desk.ask(of_file(self.file, op("Range", asked)))
                self.assertEqual([child.name for child in found.properties], ["Range", "Total", "ContentType", "Data"])
                self.assertEqual(found.properties.text_of("ItemOperations:Range"), told)
                self.assertEqual(found.properties.text_of("ItemOperations:Total"), str(len(PDF)))
                self.assertEqual(found.data, expected)
                self.assertEqual(self.desk.ask(of_file(self.file, op("Range", asked)), parts=True).parts, [expected])

    def test_everyByte(self) -> None:
        """The bytes of several Ranges together are the attachment, whatever pieces it is read in."""
        large = bytes(range(251)) * 1000
        body = base64.encodebytes(large)
        file = part("application/x", body, "Content-Transfer-Encoding: base64")
        name = self.desk.arrive("l", multipart("mixed", part("text/plain", "x"), file))
        found = b""
        while len(found) < len(large):
            asked = op("Range", f"{len(found)}-{len(found) + 70_000}")
            found += self.desk.ask(of_file(f"{name}:2", asked), parts=True).parts[0]
        self.assertEqual(found, large)

    def test_badRange(self) -> None:
        """Status 8: a Range that begins behind the end, or ends before it begins."""
        for asked in ("1024-1024", "99999-100000", "9-8", "0-0"):
            name = self.file if asked != "0-0" else None
            if name is None:
                empty = part("application/x", "", "Content-Disposition: attachment")
                name = f"{self.desk.arrive('e', multipart('mixed', part('text/plain', 'x'), empty))}:2"
            found = self.desk.ask(of_file(name, op("Range", asked)))
            self.assertEqual((found.status, found.statuses), ("1", ["8"]), asked)

    def test_missing(self) -> None:
        """Status 15: no such attachment, a FileReference that cannot be one, an empty one, a mail that is gone."""
        mail = self.file.rpartition(":")[0]
        for name in (
            f"{mail}:3",
            f"{mail}:0",
            f"{mail}:-1",
            f"{mail}:{'9' * 30}",
            mail,
            "InvalidAttachmentID",
            "",
            "::",
        ):
            found = self.desk.ask(of_file(name))
            self.assertEqual((found.status, found.statuses), ("1", ["15"]), name)
            self.assertEqual(found.only.text_of("AirSyncBase:FileReference"), name)
        self.assertEqual(
            self.desk.ask(of_file(f"{self.desk.ids['.Sent']}:{self.file.partition(':')[2]}")).statuses, ["15"]
        )
        del self.desk.mailbox.folder("ann", "")["two"]
        self.assertEqual(self.desk.ask(of_file(self.file)).statuses, ["15"])

    def test_otherUser(self) -> None:
        """Status 15: somebody else's attachment."""
        other = self.desk.make("bob")[""]
        self.desk.mail(other, "b", TWO, user="bob")
        self.assertEqual(self.desk.ask(of_file(f"{other}:{self.desk.named('b')}:2")).statuses, ["15"])

    def test_denied(self) -> None:
        """Status 16: the policy allows no attachments."""
        self.with_policy(AttachmentsEnabled=False)
        self.assertEqual(self.desk.ask(of_file(self.file)).statuses, ["16"])
        self.with_policy(AttachmentsEnabled=True)
        self.assertEqual(self.desk.ask(of_file(self.file)).statuses, ["1"])

    def test_tooLarge(self) -> None:
        """Status 11: the policy allows no attachments of that size."""
        self.with_policy(MaxAttachmentSize=len(PDF) - 1)
        self.assertEqual(self.desk.ask(of_file(self.file)).statuses, ["11"])
        self.with_policy(MaxAttachmentSize=len(PDF))
        self.assertEqual(self.desk.ask(of_file(self.file)).statuses, ["1"])

    def test_answerTooLarge(self) -> None:
        """Status 11: what comes after an answer has become large enough."""
        self.desk.items_command.limits = FetchLimits(answer_bytes=len(PDF))
        self.assertEqual(self.desk.ask(of_file(self.file), of_file(self.file)).statuses, ["1", "11"])


class MultipartTests(FetchCase):
    """Answers of several parts ([MS-ASCMD] 2.2.1.10.1.1)."""

    def test_head(self) -> None:
        """The count, then offset and length of each part, in 32 bits with the lowest byte first."""
        self.assertEqual(multipart_head([3]).hex(), "010000000c00000003000000")
        self.assertEqual(multipart_head([0x0102, 5]).hex(), "0200000014000000020100001601000005000000")

    def test_parts(self) -> None:
        """Attachments and texts are parts of their own, in the order of the operations, and Part tells which."""
        first, second = self.desk.arrive("a", TWO), self.desk.arrive("b", HTML)
        found = self.desk.ask(
            of_file(f"{first}:2"),
            of_item(f"{first}:9"),
            of_item(second, preference(2)),
            of_file(f"{first}:1"),
            parts=True,
        )
        self.assertEqual(found.statuses, ["1", "6", "1", "1"])
        self.assertEqual(len(found.parts), 3)
        self.assertEqual((found.parts[0], found.parts[2]), (PDF, b"Hi."))
        self.assertIn(b"<p>Words", found.parts[1])
        attachment, item, text = (
            operation.child("ItemOperations:Properties") or Element("")
            for operation in found.operations
            if len(operation.children) > 3 or operation.child("ItemOperations:Properties")
        )
        self.assertEqual(attachment.text_of("ItemOperations:Part"), "1")
        self.assertIsNone(attachment.child("ItemOperations:Data"))
        body = item.child("AirSyncBase:Body")
        assert body is not None
        self.assertEqual([child.name for child in body], ["Type", "EstimatedDataSize", "Part"])
        self.assertEqual(body.text_of("ItemOperations:Part"), "2")
        self.assertEqual(text.text_of("ItemOperations:Part"), "3")

    def test_nothing(self) -> None:
        """An answer without data, also one that says that the request is malformed, has the document as its one part."""
        self.assertEqual(self.desk.ask(of_file("x"), parts=True).parts, [])
        found = self.desk.ask(op("Fetch"), parts=True)
        self.assertEqual((found.status, found.parts), ("2", []))


class RequestTests(FetchCase):
    """What may be asked, and trouble."""

    def test_order(self) -> None:
        """Operations are done in the order of the request, and each has a Status of its own."""
        first, second = self.desk.arrive("a", PLAIN), self.desk.arrive("b", PLAIN)
        found = self.desk.ask(of_item(second), of_item("1:x"), of_item(first), of_file("y"))
        self.assertEqual(found.statuses, ["1", "6", "1", "15"])
        self.assertEqual(self.desk.mailbox.reads, ["b", "a"])

    def test_others(self) -> None:
        """Operations beside Fetch are done by what was given for them, in their place; Move is of 14.0."""
        seen: list[str] = []

        async def done(call: object, operation: Element, own: object) -> Element:
            seen.append(operation.name)
            return Element(operation.tag, op("Status", 1))

        self.desk.others.update({"ItemOperations:EmptyFolderContents": done, "ItemOperations:Move": done})
        name = self.desk.arrive("a", PLAIN)
        found = self.desk.ask(op("Move"), of_item(name), op("EmptyFolderContents"))
        self.assertEqual([operation.name for operation in found.operations], ["Move", "Fetch", "EmptyFolderContents"])
        self.assertEqual(self.desk.ask(op("Move"), version=Version.V12_1).status, "2")
        self.assertEqual(self.desk.ask(op("EmptyFolderContents"), version=Version.V12_1).statuses, ["1"])
        self.assertEqual(seen, ["Move", "EmptyFolderContents", "EmptyFolderContents"])

    def test_empty(self) -> None:
        """EmptyFolderContents empties a folder, as the vectors say it; what came before it was fetched before."""
        trash = self.desk.ids[".Trash"]
        self.desk.others["ItemOperations:EmptyFolderContents"] = FolderOperations(self.desk.moving).empty
        self.desk.mail(trash, "old", PLAIN, path=".Trash")
        name = f"{trash}:{self.desk.named('old')}"
        request = renamed(decoded("itemoperations-request-empty"), {"4": str(trash)})
        request.children.insert(0, of_item(name))
        request.children.append(of_item(name))
        found = self.desk.send(request)
        self.assertEqual(found.statuses, ["1", "1", "6"])
        expected = renamed(decoded("itemoperations-response-empty"), {"4": str(trash)}).children[1].children[0]
        self.assertEqual(wbxml.encode(found.operations[1]), wbxml.encode(expected))
        self.assertEqual(self.desk.mailbox.folder("ann", ".Trash"), {})

    def test_malformed(self) -> None:
        """Status 2 for the whole, in every version: nothing of the request is done."""
        mail = self.desk.arrive("a", PLAIN)
        file = f"{mail}:1"
        reference = air_base("FileReference", file)
        for wrong in (
            (),
            (op("Status"),),
            (op("Fetch"),),
            (fetch(),),
            (fetch(reference, store=None),),
            (fetch(op("Store", "Mailbox"), reference),),
            (fetch(reference, reference),),
            (fetch(reference, Element("Search:LongId", mail)),),
            (fetch(reference, air("CollectionId", 1)),),
            (fetch(air("CollectionId", 1)),),
            (fetch(air("ServerId", mail)),),
            (of_item(mail, op("Range", "0-1")),),
            (of_item(mail, op("Range")),),
            (of_file(file, preference(1)),),
            (of_file(file, op("Schema", Element("Email:To"))),),
            (of_file(file, air("MIMESupport", 2)),),
            (of_file(file, op("Range", "1")),),
            (of_file(file, op("Range", "a-b")),),
            (of_file(file, op("Range", "-1-2")),),
            (of_file(file, op("Range", f"0-{'9' * 20}")),),
            (of_file(file, op("Range", "0-1"), op("Range", "0-1")),),
            (of_item(mail, preference(1), preference(1)),),
            (of_item(mail, preference(9)),),
            (of_item(mail, air_base("BodyPreference", air_base("TruncationSize", 1), air_base("Type", 1))),),
            (of_item(mail, air("MIMESupport", 3)),),
            (of_item(mail), of_item(mail), op("Fetch")),
        ):
            for version in (Version.V12_0, Version.V12_1, Version.V14_0, Version.V16_1):
                with self.subTest(wrong, version=version):
                    found = self.desk.ask(*wrong, version=version)
                    self.assertEqual((found.status, found.operations), ("2", []))
        self.assertEqual(self.desk.send(Element("Ping:Ping", Element("Ping:Status"))).status, "2")
        self.assertEqual(self.desk.mailbox.reads, [])

    def test_noBody(self) -> None:
        """Status 101: no body."""
        work = self.desk.items_command(call_of("ItemOperations", None))
        self.assertEqual(refused(work).status, 101)

    def test_tooMany(self) -> None:
        """Status 11 for the whole: more than 100 operations ([MS-ASCMD] 3.1.5.10)."""
        self.assertEqual(self.desk.ask(*(of_item("1:1"),) * 100).statuses, ["6"] * 100)
        found = self.desk.ask(*(of_item("1:1"),) * 101)
        self.assertEqual((found.status, found.operations), ("11", []))

    def test_unknownStore(self) -> None:
        """Status 9: another store than the mailbox; there is no document library."""
        link = Element("DocumentLibrary:LinkId", "\\\\server\\share")
        credentials = op("Options", op("UserName", "u"), op("Password", "p"), op("Range", "0-1"))
        for asked in (
            fetch(air("CollectionId", 1), air("ServerId", "1:1"), store="InvalidStore"),
            fetch(link, credentials, store="DocumentLibrary"),
            fetch(link, store="Document Library"),
            fetch(air_base("FileReference", "x"), store=""),
        ):
            self.assertEqual(self.desk.ask(asked).statuses, ["9"])

    def test_badLink(self) -> None:
        """Status 4: a link that leads to no document, whether or not there is a library ([MS-ASCMD] S08, case 12)."""
        for text, status in (
            ("//invalidURI", "4"),
            ("", "4"),
            ("\\\\server", "4"),
            ("1:1", "4"),
            ("\\\\server\\share\\file.txt", "9"),
            ("file://server/share/file.txt", "9"),
            ("HTTP://server/site", "9"),
        ):
            asked = fetch(Element("DocumentLibrary:LinkId", text), store="DocumentLibrary")
            self.assertEqual(self.desk.ask(asked).statuses, [status], text)

    def test_link(self) -> None:
        """Status 6: a link to a document in the mailbox, where there are none."""
        self.assertEqual(self.desk.ask(fetch(Element("DocumentLibrary:LinkId", "1:1"))).statuses, ["6"])

    def test_storeByAnyCase(self) -> None:
        """The store is the mailbox in any case of letters."""
        name = self.desk.arrive("a", PLAIN)
        asked = fetch(air("CollectionId", self.desk.inbox), air("ServerId", name), store="mailBOX")
        self.assertEqual(self.desk.ask(asked).statuses, ["1"])

    def test_backendDown(self) -> None:
        """Status 3: the mails cannot be read now; the other operations are not touched by that."""
        name = self.desk.arrive("a", TWO)
        self.desk.mailbox.failure = BackendDown("disk")
        self.assertEqual(self.desk.ask(of_item(name), of_file(f"{name}:2"), of_file("x")).statuses, ["3", "3", "15"])

    def test_broken(self) -> None:
        """Status 14: a fault of ours in the conversion, which is logged; the other operations go on."""
        name = self.desk.arrive("a", PLAIN)
        self.desk.mailbox.failure = RuntimeError("boom")
        found = self.desk.ask(of_item(name), of_file("x"))
        self.assertEqual(found.statuses, ["14", "15"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_unreadable(self) -> None:
        """Status 12: the file of the mail cannot be read; the other operations go on."""
        name = self.desk.arrive("a", PLAIN)
        self.desk.mailbox.failure = OSError("bad sector")
        self.assertEqual(self.desk.ask(of_item(name), of_file("x")).statuses, ["12", "15"])

    def test_ledgerDown(self) -> None:
        """Trouble with the database is Status 3 for what needs it."""
        name = self.desk.arrive("a", PLAIN)

        def down(user: str, ids: object) -> Deferred[object]:
            raise BackendDown("database")

        self.patch(type(self.desk.store), "items", lambda store, user, ids: down(user, ids))
        self.assertEqual(self.desk.ask(of_item(name)).statuses, ["3"])


class LargeTests(FetchCase):
    """Answers too large for memory."""

    def setUp(self) -> None:
        super().setUp()
        self.large = bytes(range(256)) * 8 * 1024
        body = base64.encodebytes(self.large)
        raw = multipart(
            "mixed", part("text/plain", "x"), part("application/x", body, "Content-Transfer-Encoding: base64")
        )
        self.size = len(raw)
        self.file = f"{self.desk.arrive('large', raw)}:2"

    def test_stream(self) -> None:
        """A large answer is a stream of as many bytes as it says, in pieces; so is one of several parts."""
        for parts in (False, True):
            call = call_of("ItemOperations", op("ItemOperations", of_file(self.file)), multipart=parts)
            answer = result_of(self.desk.items_command(call))
            assert answer.stream is not None
            self.assertEqual((answer.raw, answer.element), (b"", None))
            self.assertEqual(len(self.desk.spools), 1)
            pieces = list(answer.stream.pieces)
            answer.stream.close()
            self.assertLess(max(map(len, pieces)), IN_MEMORY)
            self.assertEqual(sum(map(len, pieces)), answer.stream.length)
            found = taken_apart(b"".join(pieces), answer.content_type)
            self.assertEqual(found.parts[0] if parts else found.data, self.large)

    def test_memory(self) -> None:
        """Beside the mail itself, fetching a large attachment takes a small part of its size."""
        call = call_of("ItemOperations", op("ItemOperations", of_file(self.file)))
        tracemalloc.start()
        try:
            answer = result_of(self.desk.items_command(call))
            for _ in answer.stream.pieces:
                pass
            answer.stream.close()
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        self.assertLess(most, 0.4 * self.size)

    def test_manyMails(self) -> None:
        """No more mails are read at a time than are to be in memory; who would wait too long is sent away."""
        reads: list[Deferred[bytes]] = []

        class Slow:
            """Gives mails when it is told to."""

            def read(self, *name: str) -> Deferred[bytes]:
                """Promise one."""
                reads.append(Deferred())
                return reads[-1]

        self.desk.items_command.reading = Reading(Slow(), self.desk.reading.run, at_once=2, waiting=1)  # type: ignore[arg-type]
        call = call_of("ItemOperations", op("ItemOperations", of_file(self.file)))
        asked = [Deferred.fromCoroutine(self.desk.items_command(call)) for _ in range(4)]
        self.assertEqual(len(reads), 2)
        self.failureResultOf(asked[3], Unavailable)
        asked[0].cancel()
        self.failureResultOf(asked[0])
        self.assertEqual(len(reads), 3)
        for read in reads[1:]:
            read.callback(TWO)
        for done in asked[1:3]:
            self.successResultOf(done)

    def test_manyAnswers(self) -> None:
        """No more answers are under way than there may be, of one user and in all."""
        self.desk.items_command.spools = spools = Spools(total=3, of_user=2)
        call = call_of("ItemOperations", op("ItemOperations", of_file(self.file)))
        under_way = [result_of(self.desk.items_command(call)) for _ in range(2)]
        with self.assertRaises(Unavailable):
            result_of(self.desk.items_command(call))
        spools.open("bob")
        with self.assertRaises(Unavailable):
            spools.open("carl")
        for answer in under_way:
            answer.stream.close()
            answer.stream.close()
        self.assertEqual(len(spools), 1)

    def test_fullDisk(self) -> None:
        """When the disk takes no more, what is being kept fails, and what came before it is not damaged."""
        small = self.desk.arrive("two", TWO)
        spool = self.desk.spools.open("ann")
        self.addCleanup(spool.close)

        def failing() -> object:
            yield b"abc"
            raise OSError("no space left")

        first = spool.add([b"first"])
        with self.assertRaises(OSError):
            spool.add(failing())  # type: ignore[arg-type]
        second = spool.add([b"second"])
        self.assertEqual(b"".join(spool._pieces([first, b"-", second])), b"first-second")
        self.assertEqual(self.desk.ask(of_file(f"{small}:2")).data, PDF)
        spool.close()

    def test_fullDiskWhileFetching(self) -> None:
        """Status 12 of an operation whose data the disk does not take; those that need no room are done."""
        file = f"{self.desk.arrive('two', TWO)}:2"
        full = open("/dev/full", "r+b", buffering=0)  # noqa: SIM115 (closed with the spool)
        self.patch(Spools, "open", lambda spools, user: Spool(full, full.close))
        found = self.desk.ask(of_file(file), of_file("x"), of_item(self.desk.arrive("a", PLAIN)))
        self.assertEqual((found.status, found.statuses), ("1", ["12", "15", "1"]))


class OldTests(FetchCase):
    """GetAttachment ([MS-ASCMD] 2.2.1.7)."""

    def setUp(self) -> None:
        super().setUp()
        self.file = f"{self.desk.arrive('two', TWO)}:2"

    def test_attachment(self) -> None:
        """The answer is the attachment, with its type."""
        for version in (Version.V2_5, Version.V12_0, Version.V12_1):
            answer = self.desk.attachment(self.file, version)
            self.assertEqual((octets(answer), answer.content_type, answer.status), (PDF, "application/pdf", 200))

    def test_large(self) -> None:
        """A large attachment is a stream."""
        file = part("application/x", b"x" * 2_000_000)
        answer = self.desk.attachment(f"{self.desk.arrive('l', multipart('mixed', part('text/plain', 'x'), file))}:2")
        self.assertIsNotNone(answer.stream)
        self.assertEqual(octets(answer), b"x" * 2_000_000)

    def test_missing(self) -> None:
        """HTTP 500: an attachment that is not there, or no name of one; that is what the specification says."""
        mail = self.file.rpartition(":")[0]
        for name in ("", "x", mail, f"{mail}:9", f"{self.desk.inbox}:999:1", "9:9:9"):
            with self.subTest(name):
                call = call_of("GetAttachment", None, Version.V2_5, parameters={"AttachmentName": name})
                self.assertEqual(refused(self.desk.attachment_command(call)).http, 500)
        del self.desk.mailbox.folder("ann", "")["two"]
        call = call_of("GetAttachment", None, Version.V2_5, parameters={"AttachmentName": self.file})
        self.assertEqual(refused(self.desk.attachment_command(call)).http, 500)
        self.assertEqual(refused(self.desk.attachment_command(call_of("GetAttachment", None))).http, 500)

    def test_denied(self) -> None:
        """HTTP 500 too for what the policy does not allow."""
        for elements in ({"AttachmentsEnabled": False}, {"MaxAttachmentSize": 5}):
            self.desk.elements = elements
            call = call_of("GetAttachment", None, Version.V12_1, parameters={"AttachmentName": self.file})
            self.assertEqual(refused(self.desk.attachment_command(call)).http, 500)


class FileTests(FetchCase):
    def test_listed(self) -> None:
        """Every attachment that a mail lists, in every version, can be fetched by the name it has there."""
        raw = multipart("mixed", part("text/plain", "x"), FILE, part("message/rfc822", TWO), multipart("mixed", FILE))
        name = self.desk.arrive("a", raw)
        for version in VERSIONS:
            listed = self.desk.ask(of_item(name), version=version).properties.child("AirSyncBase:Attachments")
            assert listed is not None
            self.assertEqual(len(listed.children), 3)
            for item in listed:
                reference = item.text_of("AirSyncBase:FileReference") or ""
                found = self.desk.ask(of_file(reference), version=version).data
                self.assertEqual(str(len(found)), item.text_of("AirSyncBase:EstimatedDataSize"))
                self.assertEqual(octets(self.desk.attachment(reference)), found)
