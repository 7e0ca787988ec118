"""Drafts by Sync, from 16.0 on ([MS-ASCMD] 2.2.3.7.2, 2.2.3.24; [MS-ASEMAIL] 2.2.2.72)."""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.internet.defer import execute

from gateway.eas.call import Version
from gateway.eas.drafts import Drafts
from gateway.eas.moving import Moving
from gateway.eas.sending import Sending, SendingLimits
from gateway.element import Element
from gateway.interfaces import BackendDown
from gateway.model import FolderType, FoundFolder
from gateway.trigger import Letter
from tests.convert.test_draft import add as attached
from tests.convert.test_draft import base, body, delete, email
from tests.eas.support import FOLDERS, NOW, result_of, text
from tests.eas.test_collection import air, sync
from tests.eas.test_sending import Book
from tests.eas.test_sync import TABLET, SyncCase

NEW = (Version.V16_0, Version.V16_1)
SEND = Element("Email2:Send")
DRAFTS = FoundFolder(".Drafts", "Drafts", FolderType.DRAFTS)


def adding(client: str, *properties: Element, send: bool = False) -> Element:
    data = air("ApplicationData", *properties)
    return air("Commands", air("Add", air("ClientId", client), data, *([SEND] if send else [])))


def changing(id: str, *properties: Element, send: bool = False) -> Element:
    data = air("ApplicationData", *properties)
    return air("Commands", air("Change", air("ServerId", id), data, *([SEND] if send else [])))


class DraftsCase(SyncCase):
    def setUp(self) -> None:
        super().setUp()
        self.folders = self.sources.make(found=(*FOLDERS, DRAFTS))
        self.inbox, self.others = self.folders[".Drafts"], self.folders[""]
        self.restart()
        self.primed(version=Version.V16_1)

    def restart(self) -> None:
        super().restart()
        self.book, self.kicks = Book(), list[str]()
        store = self.sources.store
        moving = Moving(store, self.sources.mailbox, self.sources.reports, lambda: NOW, self.command.changes)
        now = lambda: datetime.fromtimestamp(NOW, UTC)  # noqa: E731
        self.sending = Sending(moving, store.postings, self.book, now, execute, self.kicks.append)
        self.command.drafts = Drafts(self.sources.mailbox, self.sending)

    def do(self, *more: Element, version: Version = Version.V16_1, key: str = "") -> str:
        """Synchronise the drafts; the answer in short, ids as they are."""
        answer = self.ask(sync(self.of(*more, key=key)), version)
        found = text(answer).removeprefix("Sync(Collections(Collection(").removesuffix(")))")
        for (_, known), key in self.keys.items():
            found = found.replace(f"SyncKey={key} ", "key ") if known == self.inbox else found
        return found.replace(f"CollectionId={self.inbox} ", "")

    def newest(self) -> str:
        """The newest key of the drafts."""
        return next(key for (_, folder), key in self.keys.items() if folder == self.inbox)

    def mails(self) -> dict[str, bytes]:
        return {name: mail.raw for name, mail in self.sources.mailbox.folder("ann", ".Drafts").items()}

    def one(self) -> bytes:
        [raw] = self.mails().values()
        return raw

    def created(self, *properties: Element) -> str:
        """Create a draft; its ServerId."""
        answer = self.do(adding(f"c{len(self.mails())}", *properties))
        return answer.partition("ServerId=")[2].partition(" ")[0].rstrip(")")

    def letters(self, route: str = "relay") -> list[Letter]:
        return result_of(self.sources.store.outbox.take(route, NOW, 100))  # type: ignore[no-any-return]

    def settled(self) -> None:
        """Nothing is held ready, and all is carried out."""
        self.assertEqual(self.sources.mailbox.staged, {})
        self.assertEqual(result_of(self.sources.store.pending()), [])


class AddTests(DraftsCase):
    def test_added(self) -> None:
        """An Add makes a draft and is answered with its ServerId, in 16.0 and 16.1; the device is not told of it."""
        for number, version in enumerate(NEW, 1):
            answer = self.do(
                adding("c1", email("To", "bob@example.net"), email("Subject", "Hi"), body("Text")), version=version
            )
            self.assertRegex(
                answer,
                rf"(?s)^key Status=1 Responses\(Add\(ClientId=c1 ServerId={self.inbox}:\d+ Status=1 "
                rf"ApplicationData\(ConversationId=.+ ConversationIndex=.+\)\)\)$",
            )
            self.assertEqual(len(self.mails()), number)
            self.assertEqual(self.do(), "")
        self.assertIn(b"To: bob@example.net\r\n", next(iter(self.mails().values())))
        self.assertEqual({mail.state for mail in self.sources.mailbox.folder("ann", ".Drafts").values()}, {"D"})
        self.settled()

    def test_shown(self) -> None:
        """Another device is shown the draft: IsDraft, and its Bcc (16.0 on)."""
        self.primed(device=TABLET, version=Version.V16_1)
        self.created(email("To", "bob@example.net"), Element("Email2:Bcc", "eve@example.net"), Element("Email:Read", 1))
        answer = text(self.ask(sync(self.of(device=TABLET)), Version.V16_1, TABLET))
        for part in (
            "IsDraft=1",
            'Bcc="eve@example.net" <eve@example.net>',
            "Read=1",
            'To="bob@example.net" <bob@example.net>',
        ):
            self.assertIn(part, answer)

    def test_conversation(self) -> None:
        """The answer tells the conversation of the new draft, which stays ([MS-ASEMAIL] 2.2.2.21, 2.2.2.22)."""
        self.primed(device=TABLET, version=Version.V16_1)
        answer = self.do(adding("c1", email("Subject", "Old"), body("Text")))
        id = answer.partition("ServerId=")[2].partition(" ")[0]
        told = "ConversationId=" + answer.partition("ConversationId=")[2].removesuffix(")))")
        self.assertIn(told, text(self.ask(sync(self.of(device=TABLET)), Version.V16_1, TABLET)))
        self.assertNotIn("Conversation", self.do(changing(id, email("Subject", "New"))))
        self.assertIn(told, text(self.ask(sync(self.of(device=TABLET)), Version.V16_1, TABLET)))

    def test_attachments(self) -> None:
        """Attachments are told by their ClientIds with the FileReferences that they have."""
        files = base("Attachments", attached("a1", b"one", DisplayName="1.txt"), attached("a2", b"two"))
        answer = self.do(adding("c1", body("Text"), files))
        id = answer.partition("ServerId=")[2].partition(" ")[0]
        rows = " ".join(f"Attachment(ClientId=a{n} FileReference={id}:{n + 1})" for n in (1, 2))
        self.assertIn(f"ServerId={id} Status=1 ApplicationData(Attachments({rows}) Conv", answer)

    def test_repeated(self) -> None:
        """The same request again makes no second draft, and tells the same ServerId and FileReferences."""
        key = (
            self.keys[next(iter(self.keys))] if False else next(k for (_, f), k in self.keys.items() if f == self.inbox)
        )
        command = adding("c1", body("x"), base("Attachments", attached("a1", b"one")))
        first = self.do(command, key=key)
        self.assertEqual(self.do(command, key=key), first)
        self.assertEqual(len(self.mails()), 1)

    def test_anotherRequest(self) -> None:
        """An Add that comes again in another request, as its answer was lost, makes no second draft."""
        key = self.newest()
        first = self.do(adding("c1", body("x")), key=key)
        again = self.do(adding("c1", body("x")), air("WindowSize", 5), key=key)
        self.assertEqual(again, first)
        self.assertEqual(len(self.mails()), 1)

    def test_refused(self) -> None:
        """Status 6: an Add before 16.0, into another folder, without properties, or with some that cannot be."""
        good = adding("c1", body("x"))
        for version in (Version.V12_1, Version.V14_1):
            self.assertIn("Add(ClientId=c1 Status=6)", self.do(good, version=version))
        for command in (air("Commands", air("Add", air("ClientId", "c1"))), adding("c1", body("x", 3))):
            self.assertIn("Add(ClientId=c1 Status=6)", self.do(command))
        self.inbox, drafts = self.others, self.inbox
        self.primed(version=Version.V16_1)
        self.assertIn("Add(ClientId=c1 Status=6)", self.do(good))
        self.inbox = drafts
        self.assertEqual(self.mails(), {})
        self.settled()

    def test_badKey(self) -> None:
        """With a key that is none nothing is made, and nothing is left behind."""
        self.assertIn("Status=3", self.do(adding("c1", body("x")), key="{0}99"))
        self.assertEqual(self.mails(), {})
        self.settled()

    def test_large(self) -> None:
        """122: a draft that is larger than may be sent."""
        self.sending.limits = SendingLimits(message=1000)
        self.assertIn("Add(ClientId=c1 Status=122)", self.do(adding("c1", body("x" * 1000))))
        self.settled()

    def test_trouble(self) -> None:
        """16: while the disk takes nothing nothing is made, and the client keeps its key."""
        self.sources.mailbox.failure = BackendDown("full")
        self.assertIn("Status=16", self.do(adding("c1", body("x"))))
        self.sources.mailbox.failure = None
        self.assertIn("Status=1", self.do(adding("c1", body("x"))))
        self.assertEqual(len(self.mails()), 1)


class ChangeTests(DraftsCase):
    def test_changed(self) -> None:
        """A Change of the content is not answered and keeps the ServerId; the old file goes."""
        id = self.created(email("To", "bob@example.net"), email("Subject", "Old"), body("Text"))
        self.assertEqual(self.do(changing(id, email("To", "eve@example.net"), email("Subject", "New"))), "key Status=1")
        self.assertIn(b"To: eve@example.net\r\nSubject: New\r\n", self.one())
        self.assertTrue(self.one().endswith(b"Text"))
        self.assertEqual(self.do(), "")
        self.settled()

    def test_others(self) -> None:
        """Other devices are told all of it anew."""
        id = self.created(email("Subject", "Old"), body("Text"))
        self.primed(device=TABLET, version=Version.V16_1)
        self.do(changing(id, email("Subject", "New"), body("Other")))
        answer = text(self.ask(sync(self.of(device=TABLET)), Version.V16_1, TABLET))
        self.assertIn(f"Change(ServerId={id} ApplicationData(", answer)
        for part in ("Subject=New", "Data=Other", "IsDraft=1"):
            self.assertIn(part, answer)

    def test_marks(self) -> None:
        """Marks go with the content, and alone leave the file as it is."""
        id = self.created(body("Text"))
        [name] = self.mails()
        self.do(changing(id, Element("Email:Read", 1)))
        self.assertEqual(list(self.mails()), [name])
        self.do(changing(id, Element("Email:Read", 0), email("Subject", "x")))
        [mail] = self.sources.mailbox.folder("ann", ".Drafts").values()
        self.assertEqual(mail.state, "D")
        self.assertNotEqual(list(self.mails()), [name])

    def test_attachments(self) -> None:
        """New attachments are told in the answer, and the device is told all of them anew, as their numbers change."""
        id = self.created(body("x"), base("Attachments", attached("a1", b"one"), attached("a2", b"two")))
        change = changing(id, base("Attachments", delete(f"{id}:2"), attached("a3", b"three")))
        answer = self.do(change)
        mapping = f"Attachment(ClientId=a2 FileReference={id}:2) Attachment(ClientId=a3 FileReference={id}:3)"
        self.assertIn(f"Responses(Change(ServerId={id} Status=1 ApplicationData(Attachments({mapping}))))", answer)
        self.assertIn(f"Commands(Change(ServerId={id} ApplicationData(", answer)
        self.assertNotIn(b"b25l", self.one())

    def test_staleReferences(self) -> None:
        """A device that was not told of the new numbers cannot delete by old ones: Status 7, and is told then."""
        id = self.created(body("x"), base("Attachments", attached("a1", b"one"), attached("a2", b"two")))
        self.do(air("GetChanges", 0), changing(id, base("Attachments", delete(f"{id}:2"))))
        answer = self.do(changing(id, base("Attachments", delete(f"{id}:3"))))
        self.assertIn(f"Change(ServerId={id} Status=7)", answer)
        self.assertIn(f"Commands(Change(ServerId={id}", answer)
        self.assertIn(b"dHdv", self.one())

    def test_repeated(self) -> None:
        """The same request again changes nothing and says the same."""
        id = self.created(body("x"))
        key = self.newest()
        command = changing(id, base("Attachments", attached("a1", b"one")))
        first = self.do(command, key=key)
        before = self.mails()
        self.assertEqual(self.do(command, key=key).partition("Responses")[2], first.partition("Responses")[2])
        self.assertEqual(self.mails(), before)

    def test_gone(self) -> None:
        """8: there is no such draft."""
        self.assertIn("Status=8", self.do(changing(f"{self.inbox}:999", email("Subject", "x"))))

    def test_fileGone(self) -> None:
        """8 or 6: its file is gone; there is nothing to be changed."""
        id = self.created(body("x"))
        self.sources.mailbox.folder("ann", ".Drafts").clear()
        self.assertRegex(self.do(changing(id, email("Subject", "x"))), "Status=[68]")

    def test_older(self) -> None:
        """6: before 16.0 the content of a draft cannot be changed."""
        id = self.created(body("x"))
        self.assertIn("Status=6", self.do(changing(id, email("Subject", "x")), version=Version.V14_1))

    def test_wrong(self) -> None:
        """6: a Change to what cannot be; the draft stays."""
        id = self.created(body("x"))
        before = self.mails()
        self.assertIn("Status=6", self.do(changing(id, body("x", 3))))
        self.assertEqual(self.mails(), before)
        self.settled()

    def test_deleted(self) -> None:
        """A Delete moves the draft to the deleted items."""
        id = self.created(body("x"))
        self.do(air("Commands", air("Delete", air("ServerId", id))))
        self.assertEqual((self.mails(), len(self.sources.mailbox.folder("ann", ".Trash"))), ({}, 1))


class SendTests(DraftsCase):
    def test_newOne(self) -> None:
        """An Add with Send sends at once: no draft is left, and a copy is kept in the folder for sent mails."""
        for version in NEW:
            answer = self.do(
                adding("c1", email("To", "bob@example.net"), body(f"Text {version}"), send=True), version=version
            )
            self.assertEqual(answer, "key Status=1 Responses(Add(ClientId=c1 Status=1))")
            [letter], [kept] = self.letters(), self.letters("local")
            self.assertEqual((letter.recipients, kept.recipients), (("bob@example.net",), (".Sent",)))
            self.assertTrue(letter.content.endswith(f"Text {version}".encode()))
        self.assertEqual((self.mails(), self.kicks[:2]), ({}, ["relay", "local"]))
        self.settled()

    def test_changed(self) -> None:
        """A Change with Send sends the draft as it is then; it goes, and every device is told of that."""
        id = self.created(email("To", "bob@example.net"), Element("Email2:Bcc", "eve@example.net"), body("Old"))
        self.assertEqual(self.do(changing(id, body("New"), send=True)), "key Status=1")
        [letter] = self.letters()
        self.assertEqual(sorted(letter.recipients), ["bob@example.net", "eve@example.net"])
        self.assertTrue(letter.content.endswith(b"New"))
        self.assertNotIn(b"eve@", letter.content)
        self.assertEqual(self.mails(), {})
        self.assertIn(f"Commands(Delete(ServerId={id}))", self.do())
        self.settled()

    def test_afterQuietAdd(self) -> None:
        """A draft that was added with GetChanges 0 goes from the device too when it is sent."""
        added = self.do(air("GetChanges", 0), adding("c1", email("To", "bob@example.net"), body("Text")))
        id = added.partition("ServerId=")[2].partition(" ")[0]
        self.assertEqual(self.do(air("GetChanges", 0), changing(id, body("New"), send=True)), "key Status=1")
        self.assertIn(f"Commands(Delete(ServerId={id}))", self.do())

    def test_asItIs(self) -> None:
        """A Change with nothing but Send sends it as it is."""
        id = self.created(email("To", "bob@example.net"), body("Text"))
        self.do(air("Commands", air("Change", air("ServerId", id), SEND)))
        self.assertTrue(self.letters()[0].content.endswith(b"Text"))

    def test_once(self) -> None:
        """The same request again, or the same command in another one, sends nothing again, and is a success."""
        id = self.created(email("To", "bob@example.net"), body("Text"))
        for command in (changing(id, body("New"), send=True), adding("c1", email("To", "bob@example.net"), send=True)):
            key = self.newest()
            first = self.do(command, key=key)
            self.assertEqual(self.do(command, key=key), first)
            self.assertNotIn("Status=8", self.do(command, air("WindowSize", 5), key=key))
        self.assertEqual(len(self.letters()), 2)

    def test_nobody(self) -> None:
        """183: a draft without recipients, or with such as are no addresses; it stays."""
        for to in ((), (email("To", "bob, carol"),)):
            self.assertIn("Add(ClientId=c1 Status=183)", self.do(adding("c1", *to, body("x"), send=True)))
            id = self.created(*to, body("x"))
            self.assertIn(f"Change(ServerId={id} Status=183)", self.do(changing(id, send=True)))
        self.assertEqual((len(self.mails()), self.letters()), (2, []))

    def test_refused(self) -> None:
        """115, 120: too many recipients, and no relay; the draft stays, and can be sent later."""
        id = self.created(email("To", "bob@example.net"), body("x"))
        self.book.relay = False
        self.assertIn("Status=120", self.do(changing(id, send=True)))
        self.book.relay, self.sending.limits = True, SendingLimits(recipients=0)
        self.assertIn("Status=115", self.do(changing(id, send=True)))
        self.sending.limits = SendingLimits(per_hour=0)
        self.assertEqual(self.do(changing(id, send=True)), "key Status=1")
        self.assertEqual((self.mails(), len(self.letters())), ({}, 1))

    def test_gone(self) -> None:
        """8: a draft that is not there and was never sent."""
        self.assertIn("Status=8", self.do(changing(f"{self.inbox}:999", send=True)))

    def test_older(self) -> None:
        """Before 16.0 there is no Send: nothing is sent."""
        id = self.created(email("To", "bob@example.net"), body("x"))
        self.do(changing(id, Element("Email:Read", 1), send=True), version=Version.V14_1)
        self.assertEqual((self.letters(), len(self.mails())), ([], 1))
