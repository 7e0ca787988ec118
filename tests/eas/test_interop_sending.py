"""What the protocol's owner asks of SendMail, SmartForward and SmartReply in its interoperability suites."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import execute

from gateway.eas import wbxml
from gateway.eas.moving import Moving
from gateway.eas.sending import COMMANDS, Sending
from gateway.element import Element
from gateway.trigger import Letter
from tests.eas.interop import MAIL, SINCE_14, SINCE_14_1, Client, InteropCase, air, data, only, server_commands
from tests.eas.test_sending import Book, compose, source

OLD = ("2.5", "12.0", "12.1")
ORIGINAL = MAIL.format("Question", "How are you?\r\n\r\nAnd the others?")


def mime(subject: str = "Hello", to: str = "bob@example.net") -> bytes:
    return f"From: ann@example.org\r\nTo: {to}\r\nSubject: {subject}\r\n\r\nThe new text.\r\n".encode()


class SendingCase(InteropCase):
    """A gateway whose phones can send; the world is an outbox."""

    def each_sending(self, versions: tuple[str, ...], check: Callable[[Client, int, str], None]) -> None:
        """Run a check in each version: with the id of the Inbox, and the ServerId of a mail in it."""

        def prepared(phone: Client, inbox: int) -> None:
            world: Any = phone.world
            moving = Moving(world.store, world.mails, world, world.now)
            now = lambda: datetime.fromtimestamp(world.now(), UTC)  # noqa: E731
            sending = Sending(moving, world.store.postings, Book(), now, execute, lambda route: None)
            world.commands.update(dict.fromkeys(COMMANDS, sending))
            world.arrive(inbox, "m1", ORIGINAL)
            [add] = server_commands(phone.begin(inbox))
            check(phone, inbox, add.text_of("AirSync:ServerId") or "")

        self.each(versions, prepared)

    def letters(self, phone: Client) -> list[Letter]:
        found: list[Letter] = phone.world.result(phone.world.store.outbox.take("relay", phone.world.now(), 10))
        return found

    def status(self, answer: Element | None) -> str | None:
        return None if answer is None else answer.text_of("ComposeMail:Status")


def document(command: str, *more: Element, client: str = "c1", message: bytes | None = None) -> Element:
    return compose(command, compose("ClientId", client), *more, compose("Mime", message or mime()))


class SendMailTests(SendingCase):
    def test_success(self) -> None:
        """A mail that was sent is answered with an empty body (2.2.3.177.14), in every version in its form."""

        def check(phone: Client, inbox: int, item: str) -> None:
            body = mime() if phone.version in OLD else document("SendMail")
            kind = "message/rfc822" if phone.version in OLD else "application/vnd.ms-sync.wbxml"
            answer = phone.http("SendMail", body, Content_Type=kind)
            self.assertEqual((answer.status, answer.body), (200, b""))
            self.assertEqual([letter.recipients for letter in self.letters(phone)], [("bob@example.net",)])

        self.each_sending((*OLD, *SINCE_14), check)

    def test_account(self) -> None:
        """An AccountId that is not valid is Status 166 (2.2.3.3)."""

        def check(phone: Client, inbox: int, item: str) -> None:
            self.assertEqual(self.status(phone.ask("SendMail", document("SendMail", compose("AccountId", "x")))), "166")

        self.each_sending(SINCE_14_1, check)

    def test_previously(self) -> None:
        """A message that was sent in an earlier request is Status 118 (2.2.2)."""

        def check(phone: Client, inbox: int, item: str) -> None:
            self.assertIsNone(phone.ask("SendMail", document("SendMail")))
            self.assertEqual(self.status(phone.ask("SendMail", document("SendMail"))), "118")
            self.assertEqual(len(self.letters(phone)), 1)

        self.each_sending(SINCE_14, check)

    def test_noMime(self) -> None:
        """A SendMail without Mime is Status 103, and HTTP 400 before 14.0 (2.2.2)."""

        def check(phone: Client, inbox: int, item: str) -> None:
            body = compose("SendMail", compose("ClientId", "c1"))
            answer = phone.http("SendMail", body)
            if phone.version in OLD:
                self.assertEqual(answer.status, 400)
            else:
                self.assertEqual(self.status(wbxml.decode(answer.body)), "103")

        self.each_sending((*OLD, *SINCE_14), check)

    def test_nobody(self) -> None:
        """A message without a recipient is Status 119 (2.2.2)."""

        def check(phone: Client, inbox: int, item: str) -> None:
            self.assertEqual(self.status(phone.ask("SendMail", document("SendMail", message=mime(to="")))), "119")

        self.each_sending(SINCE_14, check)


class SmartTests(SendingCase):
    def smart(self, phone: Client, inbox: int, item: str, command: str, *more: Element) -> Letter:
        """Answer the mail or pass it on."""
        if phone.version in OLD:
            query = (
                f"Cmd={command}&User=ann&DeviceId=phone1&DeviceType=SP&CollectionId={inbox}&ItemId={item}&SaveInSent=F"
            )
            [answer] = phone.post(command, mime(), {"Content-Type": "message/rfc822"}, query)
            self.assertEqual((answer.status, answer.body), (200, b""))
        else:
            self.assertIsNone(phone.ask(command, document(command, source(str(inbox), item), *more, client=command)))
        [letter] = self.letters(phone)
        return letter

    def test_fullText(self) -> None:
        """The full text of the original is in what is sent, of both commands (2.2.1.19, 2.2.1.20)."""

        def check(phone: Client, inbox: int, item: str) -> None:
            for command in ("SmartForward", "SmartReply"):
                content = self.smart(phone, inbox, item, command).content
                self.assertIn(b"The new text.", content)
                self.assertIn(b"How are you?\r\n\r\nAnd the others?", content)

        self.each_sending((*OLD, *SINCE_14), check)

    def test_shownText(self) -> None:
        """What a phone is shown of the original is, as it is, in what a phone is shown of the answer ([MS-ASCMD] S17
        TC01, S18 TC01)."""

        def check(phone: Client, inbox: int, item: str) -> None:
            original = self.shown(phone.begin(inbox))
            for number, command in enumerate(("SmartForward", "SmartReply")):
                letter = self.smart(phone, inbox, item, command)
                phone.world.arrive(inbox, f"answer{number}", letter.content.decode("latin-1"))
                self.assertIn(original, self.shown(phone.sync(inbox)))

        self.each_sending(("12.1", *SINCE_14), check)

    def shown(self, answer: Element | None) -> str:
        """The text of the only mail that is new."""
        body = only(answer).child("AirSyncBase:Body")
        assert body is not None
        return body.text_of("AirSyncBase:Data") or ""

    def test_replaceMime(self) -> None:
        """With ReplaceMime neither text nor attachments of the original are in it (2.2.3.137)."""

        def check(phone: Client, inbox: int, item: str) -> None:
            letter = self.smart(phone, inbox, item, "SmartForward", compose("ReplaceMime"))
            self.assertNotIn(b"How are you?", letter.content)

        self.each_sending(SINCE_14, check)

    def test_instance(self) -> None:
        """An InstanceId that is no time is Status 104 (2.2.3.88.2)."""

        def check(phone: Client, inbox: int, item: str) -> None:
            for command in ("SmartForward", "SmartReply"):
                body = document(command, source(str(inbox), item, InstanceId="1/20/2010 10:40:00 PM"))
                self.assertEqual(self.status(phone.ask(command, body)), "104")

        self.each_sending(SINCE_14_1, check)

    def test_gone(self) -> None:
        """An original that was deleted for good is Status 150 (2.2.2)."""

        def check(phone: Client, inbox: int, item: str) -> None:
            deletion = air("Commands", air("Delete", air("ServerId", item)))
            phone.sync(inbox, air("DeletesAsMoves", 0), deletion)
            body = document("SmartForward", source(str(inbox), item))
            self.assertEqual(self.status(phone.ask("SmartForward", body)), "150")

        self.each_sending(SINCE_14, check)

    def test_failure(self) -> None:
        """Whatever is the matter, a Status says so (2.2.3.177.16): here with an AccountId, and an empty Mime."""

        def check(phone: Client, inbox: int, item: str) -> None:
            body = compose(
                "SmartForward", compose("ClientId", "c"), source(str(inbox), item), compose("AccountId", "x")
            )
            body.children.append(compose("Mime"))
            self.assertEqual(self.status(phone.ask("SmartForward", body)), "166")

        self.each_sending(SINCE_14_1, check)

    def test_verb(self) -> None:
        """What was answered or passed on says so to every device: LastVerbExecuted and its time ([MS-ASEMAIL] 2.2.2.43)."""

        def check(phone: Client, inbox: int, item: str) -> None:
            for command, verb in (("SmartReply", "1"), ("SmartForward", "3")):
                self.smart(phone, inbox, item, command)
                changed = only(phone.sync(inbox), "Change")
                self.assertEqual(changed.text_of("Email2:LastVerbExecuted"), verb)
                self.assertRegex(changed.text_of("Email2:LastVerbExecutionTime") or "", r"^2023-11-\d\dT.*\.000Z$")

        self.each_sending(SINCE_14, check)

    def test_conversation(self) -> None:
        """An answer has the ConversationId of the original, and a ConversationIndex of five bytes more; so has what is
        passed on of the answer ([MS-ASCON] S01 TC05, [MS-ASEMAIL] S01 TC15 and 16)."""

        def check(phone: Client, inbox: int, item: str) -> None:
            before = self.conversation(phone.begin(inbox))
            for number, command in enumerate(("SmartReply", "SmartForward")):
                letter = self.smart(phone, inbox, item, command, compose("ReplaceMime"))
                phone.world.arrive(inbox, f"answer{number}", letter.content.decode("latin-1"))
                answer = phone.sync(inbox)
                [add] = server_commands(answer)
                item = add.text_of("AirSync:ServerId") or ""
                found = self.conversation(answer)
                self.assertEqual((found[0], found[1][:-5]), before)
                before = found

        self.each_sending(SINCE_14, check)

    def conversation(self, answer: Element | None) -> tuple[bytes, bytes]:
        """ConversationId and ConversationIndex of the only mail that is new."""
        found = [only(answer).child(f"Email2:Conversation{name}") for name in ("Id", "Index")]
        one, other = (element.value for element in found if element is not None)
        assert isinstance(one, bytes) and isinstance(other, bytes)
        return one, other

    def test_told(self) -> None:
        """Devices of versions that know no verbs are not told of them."""

        def check(phone: Client, inbox: int, item: str) -> None:
            self.smart(phone, inbox, item, "SmartReply")
            answer = phone.sync(inbox)
            self.assertEqual([data(one) for one in server_commands(answer, "Change")], [])

        self.each_sending(("12.1",), check)
