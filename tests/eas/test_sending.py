"""SendMail, SmartReply and SmartForward ([MS-ASCMD] 2.2.1.17, 2.2.1.19, 2.2.1.20), against a real store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from attrs import define
from twisted.internet.defer import CancelledError, Deferred, execute
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas import sending
from gateway.eas.call import Answer, Refused, Unavailable, Version
from gateway.eas.moving import Moving
from gateway.eas.sending import COMMANDS, LARGE_WAITING, Sending, SendingLimits
from gateway.eas.status import refusal
from gateway.element import Element
from gateway.interfaces import BackendDown
from gateway.model import DeviceKey, FolderType, FoundFolder, SyncRequest
from gateway.trigger import Letter
from tests.eas.support import ANN, FOLDERS, NOW, Sources, call_of, decoded, refused, result_of, sent, text

NEW_VERSIONS = (Version.V14_0, Version.V14_1, Version.V16_0, Version.V16_1)
TABLET = DeviceKey("ann", "tablet")
MIME = b"From: ann@example.org\r\nTo: bob@example.net\r\nSubject: Hi\r\n\r\nHello.\r\n"
ORIGINAL = b"From: Bob <bob@example.net>\r\nTo: ann@example.org\r\nMessage-ID: <1@example.net>\r\n\r\nHow are you?\r\n"


@define(eq=False, slots=False)
class Book:
    """Ann, Bob and Carol at example.org, and perhaps a relay."""

    relay: bool = True
    all_by_relay: bool = False

    def account(self, address: str) -> str | None:
        local, _, domain = address.lower().rpartition("@")
        return local.partition("+")[0] if domain == "example.org" and local[:3] in ("ann", "bob", "car") else None

    def ours(self, address: str) -> bool:
        return address.endswith("@example.org")

    def primary(self, user: str) -> str:
        return f"{user}@example.org"


def compose(name: str, *content: Element | str | bytes | int | None) -> Element:
    return Element(f"ComposeMail:{name}", *content)


def source(*ids: str, **more: str) -> Element:
    named = dict(zip(("FolderId", "ItemId"), ids, strict=False)) | more
    return compose("Source", *(compose(name, value) for name, value in named.items()))


class SendingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.sources = Sources()
        self.folders = self.sources.make()
        self.inbox = self.folders[""]
        self.book = Book()
        self.kicks: list[str] = []
        self.seconds = float(NOW)
        self.clients = 0
        self.restart()

    def restart(self) -> None:
        """Begin anew with what the store holds."""
        self.moving = Moving(self.sources.store, self.sources.mailbox, self.sources.reports, lambda: NOW)
        self.sending = Sending(
            self.moving,
            self.sources.store.postings,
            self.book,
            lambda: datetime.fromtimestamp(self.seconds, UTC),
            execute,
            self.kicks.append,
        )

    def original(self, raw: bytes = ORIGINAL, state: str = "S") -> str:
        """Have a mail in the Inbox; its ServerId."""
        self.sources.mail(self.inbox, "m1", raw, state=state)
        return f"{self.inbox}:{self.sources.named('m1')}"

    def body(self, command: str, *more: Element, mime: bytes = MIME, client: str = "") -> Element:
        """The document of 14.0, with a ClientId of its own."""
        self.clients += 1
        return compose(command, compose("ClientId", client or f"c{self.clients}"), *more, compose("Mime", mime))

    def ask(
        self, body: Element, version: Version = Version.V14_1, device: DeviceKey = ANN, answered: bool = True
    ) -> Answer:
        """Send a document; the answer, which is taken for written."""
        answer: Answer = result_of(self.sending(call_of(body.name, body, version, device)))
        if answered:
            sent(answer)
        return answer

    def raw(
        self, command: str = "SendMail", mime: bytes = MIME, version: Version = Version.V12_1, **given: str
    ) -> Answer:
        """Send a message by itself."""
        call = call_of(command, None, version, raw=mime, content_type="message/rfc822", parameters=given)
        return result_of(self.sending(call))  # type: ignore[no-any-return]

    def status(self, body: Element, version: Version = Version.V14_1, device: DeviceKey = ANN) -> int:
        """The Status of a document that is refused."""
        return refused(self.sending(call_of(body.name, body, version, device))).status

    def raw_status(self, command: str = "SendMail", mime: bytes = MIME, **given: str) -> Refused:
        call = call_of(command, None, Version.V12_1, raw=mime, content_type="message/rfc822", parameters=given)
        return refused(self.sending(call))

    def letters(self, route: str) -> list[Letter]:
        """What waits to go out, oldest first."""
        return result_of(self.sources.store.outbox.take(route, self.seconds, 100))  # type: ignore[no-any-return]

    def nothing(self) -> None:
        """Nothing was queued."""
        self.assertEqual(result_of(self.sources.store.outbox.waiting()), {})


class SendMailTests(SendingCase):
    def test_document(self) -> None:
        """From 14.0 on a document holds the message: HTTP 200 without a body, and a letter for the relay."""
        for version in NEW_VERSIONS:
            answer = self.ask(self.body("SendMail"), version)
            self.assertEqual((answer.status, answer.element, answer.raw), (200, None, b""))
            [letter] = self.letters("relay")
            self.assertEqual((letter.sender, letter.recipients), ("ann@example.org", ("bob@example.net",)))
            self.assertEqual((letter.key, letter.created, letter.due), (ANN, NOW, NOW))
            self.assertTrue(
                letter.content.startswith(b"From: ann@example.org\r\nTo: bob@example.net\r\nSubject: Hi\r\n")
            )
            self.assertTrue(letter.content.endswith(b"\r\n\r\nHello.\r\n"))
        self.assertEqual(set(self.kicks), {"relay"})

    def test_vector(self) -> None:
        """The request of the samples is taken; here Bob has an account, so that it goes to his mailbox."""
        self.ask(decoded("sendmail-request"))
        [letter] = self.letters("local")
        self.assertEqual(letter.recipients, ("bob@example.org", ".Sent"))
        again = refused(self.sending(call_of("SendMail", decoded("sendmail-request"))))
        element = refusal("ComposeMail:SendMail", Version.V14_1, again).element
        self.assertEqual(text(element), text(decoded("sendmail-response-duplicate")))

    def test_message(self) -> None:
        """Before 14.0 the message comes by itself, and so it may in every version."""
        for number, version in enumerate(Version):
            self.assertEqual(self.raw(mime=b"X-Odd: %d\r\n" % number + MIME, version=version).raw, b"")
        self.assertEqual(len(self.letters("relay")), len(Version))

    def test_saved(self) -> None:
        """SaveInSentItems, or SaveInSent=T, keeps a copy in the folder for sent mails, with the Bcc field."""
        mime = b"Bcc: eve@example.net\r\n" + MIME
        self.ask(self.body("SendMail", compose("SaveInSentItems"), mime=mime))
        self.raw(mime=mime, SaveInSent="T")
        relayed, kept = self.letters("relay"), self.letters("local")
        self.assertEqual([letter.recipients for letter in kept], [(".Sent",)] * 2)
        self.assertEqual(
            [b"\r\nBcc:" in b"\r\n" + letter.content for letter in (*kept, *relayed)], [True] * 2 + [False] * 2
        )
        self.assertEqual(sorted(relayed[0].recipients), ["bob@example.net", "eve@example.net"])

    def test_notSaved(self) -> None:
        """Without it, or with SaveInSent=F, no copy is kept."""
        self.ask(self.body("SendMail"))
        self.raw(SaveInSent="F")
        self.assertEqual(self.letters("local"), [])

    def test_nowhereToSave(self) -> None:
        """A mailbox without a folder for sent mails keeps no copy; the mail goes out."""
        self.sources.make(found=(FOLDERS[0],))
        self.ask(self.body("SendMail", compose("SaveInSentItems")))
        self.assertEqual((len(self.letters("relay")), self.letters("local")), (1, []))

    def test_local(self) -> None:
        """Recipients with an account get it in their mailboxes, each account once, others by the relay."""
        mime = b"To: bob@example.org, Bob+x@example.org, carol@example.org, dave@example.net\r\n\r\nHi.\r\n"
        self.ask(self.body("SendMail", mime=mime))
        [local], [relayed] = self.letters("local"), self.letters("relay")
        self.assertEqual(local.recipients, ("bob@example.org", "carol@example.org"))
        self.assertEqual(relayed.recipients, ("dave@example.net",))

    def test_allByRelay(self) -> None:
        """Where the relay takes all mail nobody's mailbox is written to past its filters."""
        self.book.all_by_relay = True
        self.ask(self.body("SendMail", mime=b"To: bob@example.org\r\n\r\nHi.\r\n"))
        self.assertEqual((len(self.letters("relay")), self.letters("local")), (1, []))

    def test_sender(self) -> None:
        """From is an address of the account, whatever the client says."""
        self.ask(self.body("SendMail", mime=b"From: Boss <boss@example.net>\r\nTo: bob@example.net\r\n\r\nHi.\r\n"))
        [letter] = self.letters("relay")
        self.assertEqual(letter.sender, "ann@example.org")
        self.assertIn(b"From: Boss <ann@example.org>\r\n", letter.content)


class OnceTests(SendingCase):
    """What comes again is not sent again."""

    def test_clientId(self) -> None:
        """118: a ClientId that was used is answered so, after a restart and whatever the message is by then."""
        self.ask(self.body("SendMail", client="one"))
        self.assertEqual(self.status(self.body("SendMail", client="one", mime=MIME + b"More.\r\n")), 118)
        self.restart()
        self.seconds += 20 * 86400
        self.assertEqual(self.status(self.body("SendMail", client="one")), 118)
        self.assertEqual(len(self.letters("relay")), 1)

    def test_others(self) -> None:
        """Another ClientId, or the same one of another device, is another mail."""
        self.ask(self.body("SendMail", client="one"))
        self.ask(self.body("SendMail", client="two"))
        self.ask(self.body("SendMail", client="one"), device=TABLET)
        self.assertEqual(len(self.letters("relay")), 3)

    def test_refusedIsNotSent(self) -> None:
        """A mail that was refused may come again with its ClientId."""
        self.book.relay = False
        self.assertEqual(self.status(self.body("SendMail", client="one")), 120)
        self.book.relay = True
        self.ask(self.body("SendMail", client="one"))

    def test_messageId(self) -> None:
        """Before 14.0 a Message-ID that was sent is answered with success for a day, and not sent."""
        mime = b"Message-ID: <1@phone>\r\n" + MIME
        self.raw(mime=mime)
        again = self.raw_status(mime=mime.replace(b"Hello", b"Hello again"))
        self.assertEqual(again.status, 118)
        answer = refusal("ComposeMail:SendMail", Version.V12_1, again)
        self.assertEqual((answer.status, answer.element, answer.raw), (200, None, b""))
        self.seconds += 86401
        self.raw(mime=mime)
        self.assertEqual(len(self.letters("relay")), 2)

    def test_octets(self) -> None:
        """One without a Message-ID is the same for ten minutes if all its octets are, and its parameters."""
        self.raw()
        self.assertEqual(self.raw_status().status, 118)
        self.raw(mime=MIME + b"Also: this.\r\n")
        self.seconds += 601
        self.raw()
        self.assertEqual(len(self.letters("relay")), 3)

    def test_twoOriginals(self) -> None:
        """The same words in answer to two mails are two mails."""
        first = self.original()
        self.sources.mail(self.inbox, "m2", ORIGINAL)
        second = f"{self.inbox}:{self.sources.named('m2')}"
        for item in (first, second):
            self.raw("SmartReply", CollectionId=str(self.inbox), ItemId=item)
        again = self.raw_status("SmartReply", CollectionId=str(self.inbox), ItemId=second)
        self.assertEqual(again.status, 118)

    def test_clientLeft(self) -> None:
        """A client that leaves while its mail is written down has sent it: the letters go out at once."""
        waiting: Deferred[None] = Deferred()
        postings = self.sources.store.postings

        @define(eq=False)
        class Slow:
            def known(self, posting: Any) -> Deferred[Any]:
                return postings.known(posting)

            def post(self, posting: Any) -> Deferred[Any]:
                return waiting.addCallback(lambda _: postings.post(posting))

        self.sending.postings = Slow()  # type: ignore[assignment]
        asked = Deferred.fromCoroutine(self.sending(call_of("SendMail", self.body("SendMail"))))
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        waiting.callback(None)
        self.assertEqual((self.kicks, len(self.letters("relay"))), (["relay"], 1))


class SmartTests(SendingCase):
    """A mail that answers another one, or passes it on."""

    def smart(self, command: str, *more: Element, mime: bytes = MIME, version: Version = Version.V14_1) -> Letter:
        item = self.original()
        self.ask(self.body(command, source(str(self.inbox), item), *more, mime=mime), version)
        [letter] = self.letters("relay")
        return letter

    def state(self) -> tuple[str, Any]:
        [item] = self.sources.items(self.sources.named("m1"))
        return item.state, dict(item.extra)

    def test_vectors(self) -> None:
        """The requests of the samples are taken, once their ids are those of a mail."""
        item = self.original()
        for name, version in (("smartreply-request", Version.V14_0), ("smartforward-request", Version.V16_1)):
            body = decoded(name)
            found = body.child("ComposeMail:Source")
            assert found is not None
            found.children = source(str(self.inbox), item).children
            self.ask(body, version)
        self.assertEqual(len(self.letters("local")), 1)
        [letter] = self.letters("relay")
        self.assertNotIn(b"How are you?", letter.content)

    def test_reply(self) -> None:
        """SmartReply adds the original below, and marks it as answered; the file is marked too."""
        self.assertIn(b"\r\nHow are you?", self.smart("SmartReply", version=Version.V14_0).content)
        self.assertEqual(self.state(), ("RS", {"verb": [1, NOW]}))
        self.assertEqual(self.sources.mailbox.folder("ann", "")["m1"].state, "RS")

    def test_forward(self) -> None:
        """SmartForward adds the original as it was, and marks it as forwarded."""
        self.assertIn(b"\r\nHow are you?", self.smart("SmartForward").content)
        self.assertEqual(self.state(), ("PS", {"verb": [3, NOW]}))

    def test_replyToAll(self) -> None:
        """An answer to others than the sender is one to all."""
        self.sources.mail(self.inbox, "m1", ORIGINAL.replace(b"To: ", b"Cc: eve@example.net\r\nTo: "))
        item = f"{self.inbox}:{self.sources.named('m1')}"
        mime = b"To: bob@example.net, eve@example.net\r\n\r\nYes.\r\n"
        self.ask(self.body("SmartReply", source(str(self.inbox), item), mime=mime))
        self.assertEqual(self.state()[1], {"verb": [2, NOW]})

    def test_replaceMime(self) -> None:
        """With ReplaceMime nothing of the original is added; it is marked all the same."""
        self.assertNotIn(b"How are you?", self.smart("SmartReply", compose("ReplaceMime")).content)
        self.assertEqual(self.state()[0], "RS")

    def test_longId(self) -> None:
        """A LongId names the mail by itself."""
        item = self.original()
        self.ask(self.body("SmartReply", source(LongId=item)))
        self.assertIn(b"\r\nHow are you?", self.letters("relay")[0].content)

    def test_message(self) -> None:
        """Before 14.0 the parameters name the mail: CollectionId and ItemId, or LongId."""
        item = self.original()
        for given in ({"CollectionId": str(self.inbox), "ItemId": item}, {"LongId": item}):
            self.raw("SmartForward", **given)
        self.assertEqual([b"How are you?" in letter.content for letter in self.letters("relay")], [True, True])
        self.assertEqual(self.state()[0], "PS")

    def test_repeated(self) -> None:
        """What comes again marks nothing again."""
        item = self.original()
        body = self.body("SmartReply", source(str(self.inbox), item), client="one")
        self.ask(body)
        before = self.sources.reports.changes[:]
        self.assertEqual(self.status(body), 118)
        self.assertEqual(self.sources.reports.changes, before)

    def test_repeatedLater(self) -> None:
        """118 also if the original is gone by now: the device must not believe that its mail was not sent."""
        item = self.original()
        body = self.body("SmartReply", source(str(self.inbox), item), client="one")
        self.ask(body)
        self.sources.gone(self.inbox, "m1")
        self.assertEqual(self.status(body), 118)
        self.assertEqual(self.status(self.body("SmartReply", source(str(self.inbox), item), client="two")), 150)

    def test_told(self) -> None:
        """The mark is reported; the device that made it need not be woken for it, unless its answer was lost."""
        item = self.original()
        store = self.sources.store
        looks = []
        for client, answered in (("one", True), ("two", False)):
            self.synced()
            body = self.body("SmartReply", source(str(self.inbox), item), client=client)
            answer = self.ask(body, answered=False)
            assert answer.written is not None
            answer.written(answered)
            looks.append(result_of(store.look(ANN, [self.inbox], False)).folders[self.inbox].news)
            self.assertEqual(self.sources.reports.changes[-1].folder, self.inbox)
        self.assertEqual(looks, [False, True])

    def synced(self) -> None:
        """Have the device know all of the Inbox."""
        store = self.sources.store
        key = result_of(store.sync(ANN, self.inbox, SyncRequest("0", b"", NOW))).key
        key = result_of(store.sync(ANN, self.inbox, SyncRequest(key, b"1", NOW))).key
        store.given(ANN, self.inbox, key)

    def test_gone(self) -> None:
        """150, HTTP 404: the mail is not there, its folder is not there, it is in another folder, or its file is gone."""
        item = self.original()
        number = item.partition(":")[2]
        trash = self.folders[".Trash"]
        for ids in (
            (str(self.inbox), f"{self.inbox}:999"),
            ("999", f"999:{number}"),
            (str(trash), f"{trash}:{number}"),
        ):
            self.assertEqual(self.status(self.body("SmartReply", source(*ids))), 150)
        self.assertEqual(self.status(self.body("SmartReply", source(str(self.inbox), f"{trash}:{number}"))), 150)
        del self.sources.mailbox.folder("ann", "")["m1"]
        gone = self.raw_status("SmartReply", CollectionId=str(self.inbox), ItemId=item)
        self.assertEqual((gone.status, refusal("ComposeMail:SmartReply", Version.V2_5, gone).status), (150, 404))
        self.nothing()

    def test_notMine(self) -> None:
        """150: a mail of another user is not there."""
        item = self.original()
        body = self.body("SmartForward", source(str(self.inbox), item))
        self.assertEqual(self.status(body, device=DeviceKey("bob", "phone")), 150)


class RefusedTests(SendingCase):
    """What is wrong with a request."""

    def check(self, status: int, *bodies: Element, version: Version = Version.V14_1) -> None:
        for body in bodies:
            self.assertEqual(self.status(body, version), status, text(body))
        self.nothing()

    def test_noBody(self) -> None:
        """101, HTTP 400: there is no body."""
        for command in COMMANDS:
            self.assertEqual(refused(self.sending(call_of(command, None))).status, 101)

    def test_malformed(self) -> None:
        """103, HTTP 400: the document is not what the command wants."""
        good = self.body("SendMail").children
        name, mime = good
        reply = self.body("SmartReply", source("5", "5:1")).children
        self.check(
            103,
            *(compose("SmartReply", *good), compose("SmartForward", *good), compose("SendMail", name)),
            *(compose("SendMail", mime), compose("SendMail", compose("ClientId"), mime)),
            *(compose("SendMail", compose("ClientId", "x" * 41), mime), compose("SendMail", name, *good)),
            *(compose("SendMail", *reply), compose("SendMail", *good, compose("ReplaceMime"))),
            compose("SendMail", *good, Element("AirSync:SyncKey", "1")),
            *(compose("SmartReply", *good, source("5")), compose("SmartReply", *good, compose("Source"))),
            compose("SmartReply", *good, compose("Source", compose("FolderId", "5"), compose("FolderId", "5"))),
            compose("SmartReply", *good, compose("Source", Element("AirSync:SyncKey", "1"))),
            compose("SmartReply", *reply, compose("Forwardees")),
        )
        wrong_root = call_of("SendMail", self.body("SmartReply"))
        self.assertEqual(refused(self.sending(wrong_root)).status, 103)
        self.assertEqual(self.raw_status("SmartReply", CollectionId="5").status, 103)
        self.assertEqual(self.raw_status("SmartForward").status, 103)

    def test_versions(self) -> None:
        """103: what a version does not have yet does not belong there."""
        self.check(103, self.body("SendMail", compose("AccountId", "x")), version=Version.V14_0)
        self.check(103, self.body("SmartForward", source("5", "5:1"), compose("Forwardees")))

    def test_account(self) -> None:
        """166, from 14.1 on: there is no other account to send from."""
        self.check(
            166, self.body("SendMail", compose("AccountId", "x")), self.body("SmartReply", compose("AccountId", "x"))
        )

    def test_rights(self) -> None:
        """168, from 14.1 on: rights management is not offered."""
        self.check(168, self.body("SendMail", Element("RightsManagement:TemplateID", "x")))

    def test_ids(self) -> None:
        """106, HTTP 400: ids that nothing can have."""
        ids = (("x", "5:1"), ("5", "x"), ("5", "5:" + "1" * 99), ("0", "5:1"), ("5", "5:-1"))
        self.check(106, *(self.body("SmartReply", source(*pair)) for pair in ids))
        self.check(106, self.body("SmartReply", source(LongId="RgAAAA==")))
        error = self.raw_status("SmartReply", CollectionId="x", ItemId="y")
        self.assertEqual(refusal("ComposeMail:SmartReply", Version.V12_1, error).status, 400)

    def test_combination(self) -> None:
        """105, HTTP 400: a LongId together with other ids."""
        self.check(105, self.body("SmartReply", source("5", "5:1", LongId="5:1")))

    def test_instance(self) -> None:
        """104 for an InstanceId that is no time, 146 for one of a mail, which has no instances."""
        for value, status in (("tomorrow", 104), ("2024-05-01T08:00:00.000Z", 146), ("20240501T080000Z", 146)):
            self.check(status, self.body("SmartForward", source("5", "5:1", InstanceId=value)))
        self.assertEqual(self.raw_status("SmartReply", Occurrence="2024-05-01T08:00:00.000Z").status, 146)

    def test_forwardees(self) -> None:
        """178: Forwardees or a Body together with a message; 179: with nothing that is a meeting (16.0 on)."""
        forwardees = compose("Forwardees", compose("Forwardee", compose("Email", "eve@example.net")))
        name = compose("ClientId", "c")
        for more in (forwardees, Element("AirSyncBase:Body", Element("AirSyncBase:Type", "1"))):
            self.check(178, self.body("SmartForward", source("5", "5:1"), more), version=Version.V16_1)
            self.check(179, compose("SmartForward", name, source("5", "5:1"), more), version=Version.V16_0)

    def test_mime(self) -> None:
        """107, HTTP 400: the message is none."""
        for mime in (b"Just text.", b"\r\n\r\n", b"To: \0\r\n\r\n"):
            self.check(107, self.body("SendMail", mime=mime))
            error = self.raw_status(mime=mime)
            self.assertEqual((error.status, refusal(None, Version.V2_5, error).status), (107, 400))
        self.check(107, compose("SendMail", compose("ClientId", "x"), compose("Mime")))

    def test_nobody(self) -> None:
        """119, HTTP 400: there is no recipient."""
        self.check(119, self.body("SendMail", mime=b"Subject: x\r\n\r\nHi.\r\n"))
        self.check(119, self.body("SendMail", mime=b"To: undisclosed-recipients:;\r\n\r\nHi.\r\n"))

    def test_unresolved(self) -> None:
        """116, HTTP 500: a recipient is no address; nobody gets it."""
        self.check(116, self.body("SendMail", mime=b"To: bob@example.net, carol\r\n\r\nHi.\r\n"))

    def test_unknownHere(self) -> None:
        """116: without a relay there is nobody of that name in a domain of ours; a relay may know more."""
        body = self.body("SendMail", mime=b"To: zoe@example.org\r\n\r\nHi.\r\n")
        self.book.relay = False
        self.check(116, body)
        self.book.relay = True
        self.ask(body)

    def test_noRelay(self) -> None:
        """120, HTTP 500: without a relay mail for others is refused, also if some are here; mail for us is taken."""
        self.book.relay = False
        self.check(120, self.body("SendMail"), self.body("SendMail", mime=b"To: bob@example.org, x@y\r\n\r\nHi.\r\n"))
        error = self.raw_status()
        self.assertEqual(refusal("ComposeMail:SendMail", Version.V12_1, error).status, 500)
        self.ask(self.body("SendMail", mime=b"To: bob@example.org\r\n\r\nHi.\r\n"))

    def test_large(self) -> None:
        """122, HTTP 413: the mail is larger than is sent, by itself or with the original."""
        self.sending.limits = SendingLimits(message=1000)
        self.check(122, self.body("SendMail", mime=MIME + b"x" * 1000))
        item = self.original(ORIGINAL + b"text\r\n" * 160)
        self.check(122, self.body("SmartForward", source(str(self.inbox), item)))
        self.assertEqual(self.raw_status(mime=MIME + b"x" * 1000).status, 122)

    def test_crowd(self) -> None:
        """115, HTTP 507: more recipients than a mail may have, or than are read at all."""
        for count, limit in ((4, 3), (3000, 100_000)):
            self.sending.limits = SendingLimits(recipients=limit)
            crowd = ", ".join(f"p{number}@example.net" for number in range(count))
            self.check(115, self.body("SendMail", mime=f"To: {crowd}\r\n\r\nHi.\r\n".encode()))

    def test_quota(self) -> None:
        """115, HTTP 507: more recipients in an hour than a user may write to; afterwards it is taken."""
        self.sending.limits = SendingLimits(per_hour=2)
        self.ask(self.body("SendMail", mime=b"To: a@b, c@d\r\n\r\nHi.\r\n"))
        body = self.body("SendMail")
        self.assertEqual(self.status(body), 115)
        self.assertEqual(refusal("ComposeMail:SendMail", Version.V12_1, self.raw_status()).status, 507)
        self.seconds += 3601
        self.ask(body)
        self.assertEqual(len(self.letters("relay")), 2)

    def test_line(self) -> None:
        """HTTP 503: too many mails wait to be composed."""
        self.sending.waiting = 0
        self.sending._turns.tokens = 0
        body = self.body("SendMail")
        with self.assertRaises(Unavailable):
            result_of(self.sending(call_of("SendMail", body)))

    def test_largeAlone(self) -> None:
        """Of large mails one at a time is composed, for what that takes of memory, and a few wait, others are put off with
        HTTP 503; small ones do not wait for them."""
        begun: list[Deferred[Any]] = []

        def run(work: Any) -> Deferred[Any]:
            begun.append(Deferred())
            return begun[-1].addCallback(lambda _: work())

        self.sending.run = run
        self.patch(sending, "LARGE", 40_000)
        large = MIME + b"x" * 40_000
        asked = [
            Deferred.fromCoroutine(self.sending(call_of("SendMail", self.body("SendMail", mime=mime))))
            for mime in (large, large, MIME, MIME)
        ]
        self.assertEqual(len(begun), 3)
        for number, count in enumerate((4, 4, 4, 4)):
            begun[number].callback(None)
            self.assertEqual(len(begun), count)
        for one in asked:
            self.successResultOf(one)
        bodies = [self.body("SendMail", mime=large) for _ in range(LARGE_WAITING + 2)]
        asked = [Deferred.fromCoroutine(self.sending(call_of("SendMail", body))) for body in bodies]
        self.failureResultOf(asked.pop(), Unavailable)
        for one in asked:
            begun[-1].callback(None)
            self.successResultOf(one)

    def test_originals(self) -> None:
        """Of the mails that are answered few are in memory at a time, and too many answers are put off: HTTP 503."""
        item = self.original()
        waiting: list[Deferred[bytes]] = []

        def read(*args: object) -> Deferred[bytes]:
            waiting.append(Deferred())
            return waiting[-1]

        self.patch(type(self.sources.mailbox), "read", read)
        self.sending.waiting = 3
        asked = [
            Deferred.fromCoroutine(
                self.sending(call_of("SmartReply", self.body("SmartReply", source(str(self.inbox), item))))
            )
            for _ in range(self.sending.at_once + 4)
        ]
        self.failureResultOf(asked.pop(), Unavailable)
        self.assertEqual(len(waiting), self.sending.at_once)
        for one in asked:
            waiting.pop(0).callback(ORIGINAL)
            self.successResultOf(one)

    def test_trouble(self) -> None:
        """111, HTTP 503: while the store does not answer nothing is lost; the client comes again."""
        down, postings = BackendDown("no disk"), self.sending.postings

        @define(eq=False)
        class Down:
            def known(self, posting: Any) -> Deferred[Any]:
                return postings.known(posting)

            def post(self, posting: Any) -> Deferred[Any]:
                raise down

        self.sending.postings = Down()  # type: ignore[assignment]
        with self.assertRaises(BackendDown):
            result_of(self.sending(call_of("SendMail", self.body("SendMail"))))

    def test_bug(self) -> None:
        """107, or 121 for an answer: what cannot be composed for a reason that nobody knows is refused, and logged."""

        def broken(address: str) -> str | None:
            raise ValueError("a bug")

        self.book.account = broken  # type: ignore[method-assign]
        item = self.original()
        self.check(107, self.body("SendMail"))
        self.check(121, self.body("SmartReply", source(str(self.inbox), item)))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)


class FolderTests(SendingCase):
    def test_otherFolder(self) -> None:
        """The copy goes into the folder for sent mails, however it is called."""
        self.sources.make(found=(*FOLDERS[:1], FoundFolder(".Gesendet", "Sent Items", FolderType.SENT)))
        self.ask(self.body("SendMail", compose("SaveInSentItems")))
        self.assertEqual(self.letters("local")[0].recipients, (".Gesendet",))
