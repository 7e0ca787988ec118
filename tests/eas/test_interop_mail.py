"""What the protocol's owner asks of a mail that is sent, in its interoperability suites ([MS-ASEMAIL], [MS-ASAIRS])."""

from __future__ import annotations

import base64

from gateway.element import Element
from tests.eas.interop import (
    MAIL,
    SINCE_14,
    SINCE_14_1,
    VERSIONS,
    Client,
    InteropCase,
    air,
    base,
    names,
    only,
    options,
    responses,
    whole_status,
)

WORDS = "Words of the text 12345"
PLAIN = MAIL.format("Plain", WORDS)
HTML = PLAIN.replace("text/plain", "text/html").replace(WORDS, f'<html><body><b style="x">{WORDS}</b></body></html>')
PARTS = (
    "From: a@example.org\r\nTo: b@example.org\r\nSubject: Parts\r\nMIME-Version: 1.0\r\n"
    'Content-Type: multipart/mixed; boundary="-b-"; type="text/html"\r\n\r\n'
    '---b-\r\nContent-Type: text/html\r\n\r\n<html><body><img src=3D"cid:i@x"></body></html>\r\n'
    "---b-\r\n{0}Content-Transfer-Encoding: base64\r\n\r\nMQ==\r\n\r\n---b---\r\n"
)
PICTURE = PARTS.format(
    'Content-Type: image/jpeg; name="a.jpg"\r\nContent-ID: i@x\r\nContent-Disposition: inline; filename="a.jpg"\r\n'
)
EMBEDDED = PARTS.format(
    'Content-Type: message/rfc822; name="A mail"\r\nContent-Disposition: attachment; filename="A mail"\r\n'
)
MEETING = (
    "From: a@example.org\r\nTo: ann@example.org\r\nSubject: Meet\r\nMIME-Version: 1.0\r\n"
    'Content-Type: text/calendar; charset="utf-8"; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\n'
    "BEGIN:VEVENT\r\nUID:abc\r\nDTSTART:20240601T080000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)

VOICE = (
    "From: a@example.org\r\nTo: ann@example.org\r\nSubject: Voice\r\nContent-Class: voice\r\n"
    "X-CallingTelephoneNumber: 7125550123\r\nX-VoiceMessageDuration: 2\r\nX-AttachmentOrder: a.mp3;b.mp3\r\n"
    'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="-b-"\r\n\r\n'
    "---b-\r\nContent-Type: text/plain\r\n\r\nWords.\r\n"
    + "".join(
        f'---b-\r\nContent-Type: audio/mp3\r\nContent-Disposition: attachment; filename="{name}.mp3"\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\nMQ==\r\n"
        for name in "ab"
    )
    + "---b---\r\n"
)


def preference(kind: int, *more: Element, part: bool = False) -> Element:
    """A BodyPreference or BodyPartPreference for a type."""
    return base("BodyPartPreference" if part else "BodyPreference", base("Type", kind), *more)


def cut(size: int, whole: int | None = None) -> tuple[Element, ...]:
    """TruncationSize, and AllOrNone if it is given."""
    size_of = base("TruncationSize", size)
    return (size_of,) if whole is None else (size_of, base("AllOrNone", whole))


class BodyTests(InteropCase):
    """Body ([MS-ASAIRS] 2.2.2.9)."""

    def body(self, phone: Client, inbox: int, *preferences: Element, name: str = "Body") -> dict[str, str]:
        """The children of the Body, or of another element, that the only mail has then."""
        found = only(phone.begin(inbox, options(*preferences) if preferences else air("GetChanges", 1)))
        body = found.child(f"AirSyncBase:{name}")
        assert body is not None
        return {child.name: child.text for child in body}

    def test_allOrNone(self) -> None:
        """AllOrNone: a text that does not fit is not sent; without it the text is cut ([MS-ASAIRS] 2.2.2.1)."""

        def check(phone: Client, inbox: int) -> None:
            whole = self.body(phone, inbox, preference(1))
            self.assertEqual((whole["Data"].strip(), whole.get("Truncated")), (WORDS, None))
            for more in (cut(100, 1), cut(100, 0), cut(100)):
                self.assertEqual(self.body(phone, inbox, preference(1, *more)), whole)
            found = self.body(phone, inbox, preference(1, *cut(2, 1)))
            self.assertEqual(list(found), ["Type", "EstimatedDataSize", "Truncated"])
            for more in (cut(8, 0), cut(8)):
                found = self.body(phone, inbox, preference(1, *more))
                self.assertEqual((found["Data"], found["Truncated"]), (WORDS[:8], "1"))

        self.each(VERSIONS, check, PLAIN)

    def test_choice(self) -> None:
        """A type that does not fit with AllOrNone leaves the choice to the next one ([MS-ASAIRS] 2.2.2.1)."""

        def check(phone: Client, inbox: int) -> None:
            found = self.body(phone, inbox, preference(2, *cut(8, 1)), preference(1, *cut(18)))
            self.assertEqual((found["Type"], found["Data"], found["Truncated"]), ("1", WORDS[:18], "1"))

        self.each(VERSIONS, check, PLAIN)

    def test_preview(self) -> None:
        """Preview is at most so many characters of plain text, if the text itself is not sent as such (2.2.2.35)."""

        def check(phone: Client, inbox: int) -> None:
            preview = base("Preview", 18)
            self.assertEqual(self.body(phone, inbox, preference(2, preview))["Preview"], WORDS[:18].strip())
            self.assertNotIn("Preview", self.body(phone, inbox, preference(1, preview)))

        self.each(SINCE_14, check, PLAIN)

    def test_noPreference(self) -> None:
        """Without a BodyPreference there is a Body all the same ([MS-ASAIRS] 2.2.2.9)."""
        self.each(VERSIONS, lambda phone, inbox: self.assertEqual(self.body(phone, inbox)["Type"], "1"), PLAIN)

    def test_native(self) -> None:
        """NativeBodyType is the stored format, whatever is asked for ([MS-ASAIRS] 2.2.2.32)."""

        def check(phone: Client, inbox: int) -> None:
            for kind in (1, 2, 4):
                mail = only(phone.begin(inbox, options(air("MIMESupport", 2), preference(kind))))
                body = mail.child("AirSyncBase:Body")
                assert body is not None
                self.assertEqual(body.text_of("AirSyncBase:Type"), str(kind))
                self.assertEqual(mail.text_of("AirSyncBase:NativeBodyType"), "2")

        self.each(VERSIONS, check, HTML)

    def test_part(self) -> None:
        """BodyPart is sent when it is asked for, and Body then only if it is asked for too ([MS-ASAIRS] 2.2.2.10)."""

        def check(phone: Client, inbox: int) -> None:
            for wanted, expected in (
                ([], {"Body"}),
                ([preference(2)], {"Body"}),
                ([preference(2, part=True)], {"BodyPart"}),
                ([preference(2, part=True), preference(2)], {"Body", "BodyPart"}),
            ):
                found = names(only(phone.begin(inbox, options(*wanted))))
                self.assertEqual({"Body", "BodyPart"} & set(found), expected)
            for more, data in ((cut(8), True), (cut(8, 0), True), (cut(2, 1), False)):
                part = self.body(phone, inbox, preference(2, *more, part=True), name="BodyPart")
                self.assertEqual((part["Status"], part["Truncated"], "Data" in part), ("1", "1", data))

        self.each(SINCE_14_1, check, HTML)

    def test_malformed(self) -> None:
        """A BodyPreference without Type, with a second AllOrNone, a wrong one, for a type twice or with another one in
        it is Status 4."""

        def check(phone: Client, inbox: int) -> None:
            for wrong in (
                [base("BodyPreference", *cut(100, 1), base("Type", 1))],
                [preference(1, base("AllOrNone", "a"))],
                [preference(1, *cut(100, 1), base("AllOrNone", 1))],
                [preference(1, *cut(100)), preference(1, *cut(100))],
                [preference(1, *cut(100), preference(2))],
            ):
                phone.sync(inbox, key="0")
                self.assertEqual(whole_status(phone.sync(inbox, options(*wrong))), "4")

        self.each(VERSIONS, check, PLAIN)


class AttachmentTests(InteropCase):
    """Attachments ([MS-ASAIRS] 2.2.2.7)."""

    def attachment(self, phone: Client, inbox: int) -> dict[str, str]:
        """The children of the only Attachment."""
        listed = only(phone.begin(inbox)).child("AirSyncBase:Attachments")
        assert listed is not None
        (attachment,) = listed.children
        return {child.name: child.text for child in attachment}

    def test_inline(self) -> None:
        """A picture has Method 1, its ContentId and IsInline ([MS-ASAIRS] 2.2.2.31.2)."""

        def check(phone: Client, inbox: int) -> None:
            found = self.attachment(phone, inbox)
            self.assertEqual((found["Method"], found["ContentId"], found["IsInline"]), ("1", "i@x", "1"))

        self.each(VERSIONS, check, PICTURE)

    def test_embedded(self) -> None:
        """A mail in a mail has Method 5 and a name that ends in .eml ([MS-ASAIRS] 2.2.2.31.2)."""

        def check(phone: Client, inbox: int) -> None:
            found = self.attachment(phone, inbox)
            self.assertEqual((found["Method"], found["DisplayName"]), ("5", "A mail.eml"))
            self.assertNotIn("IsInline", found)

        self.each(VERSIONS, check, EMBEDDED)


class VoiceTests(InteropCase):
    """Voice mails ([MS-ASEMAIL] S02)."""

    def test_recordings(self) -> None:
        """The newest recording is number 1 and has a duration, the others have a number; the caller is told (TC01)."""

        def check(phone: Client, inbox: int) -> None:
            mail = only(phone.begin(inbox))
            listed = mail.child("AirSyncBase:Attachments")
            assert listed is not None
            old = phone.version == "12.1"
            orders = [attachment.text_of("Email2:UmAttOrder") for attachment in listed]
            lengths = [attachment.text_of("Email2:UmAttDuration") for attachment in listed]
            self.assertEqual((orders, lengths), ([None] * 2, [None] * 2) if old else (["2", "1"], [None, "2"]))
            self.assertEqual(mail.text_of("Email2:UmCallerID"), None if old else "7125550123")
            self.assertRegex(mail.text_of("Email:MessageClass") or "", r"^IPM\.Note\.Microsoft\.Voicemail")

        self.each(VERSIONS, check, VOICE)


class PropertyTests(InteropCase):
    """The properties of a mail ([MS-ASEMAIL] 2.2.2)."""

    def test_empty(self) -> None:
        """A mail without flag and categories has an empty Flag and, from 14.0 on, Categories (2.2.2.34, 2.2.2.13)."""

        def check(phone: Client, inbox: int) -> None:
            mail = only(phone.begin(inbox))
            self.assertEqual(mail.child("Email:Flag"), Element("Email:Flag"))
            expected = None if phone.version == "12.1" else Element("Email:Categories")
            self.assertEqual(mail.child("Email:Categories"), expected)

        self.each(VERSIONS, check, PLAIN)

    def test_lists(self) -> None:
        """To and Cc are separated by commas, ReplyTo and DisplayTo by semicolons (2.2.2.80, 2.2.2.28)."""
        raw = (
            "From: a@example.org\r\nTo: b@example.org, c@example.org\r\nCc: d@example.org, e@example.org\r\n"
            "Reply-To: f@example.org, g@example.org\r\nSubject: Lists\r\n\r\n.\r\n"
        )

        def check(phone: Client, inbox: int) -> None:
            mail = only(phone.begin(inbox))
            for name, separator, other in (
                ("To", ",", ";"),
                ("Cc", ",", ";"),
                ("ReplyTo", ";", ","),
                ("DisplayTo", ";", ","),
            ):
                value = mail.text_of(f"Email:{name}") or ""
                self.assertEqual((value.count(separator), value.count(other)), (1, 0), name)

        self.each(VERSIONS, check, raw)

    def test_conversation(self) -> None:
        """ConversationId has 16 bytes; ConversationIndex five for the first mail ([MS-ASCON] 2.2.2.4)."""

        def check(phone: Client, inbox: int) -> None:
            mail = only(phone.begin(inbox))
            lengths = []
            for name in ("ConversationId", "ConversationIndex"):
                found = mail.child(f"Email2:{name}")
                assert found is not None and isinstance(found.value, bytes)
                lengths.append(len(found.value))
            self.assertEqual(lengths, [16, 5])

        self.each(SINCE_14, check, PLAIN)

    def test_reply(self) -> None:
        """Each reply adds five bytes to ConversationIndex ([MS-ASCON] 2.2.2.4)."""
        index = base64.b64encode(b"\x01" + bytes(range(21)) + b"reply").decode()

        def check(phone: Client, inbox: int) -> None:
            found = only(phone.begin(inbox)).child("Email2:ConversationIndex")
            self.assertEqual(found and found.value, b"\0\x01\x02\x03\x04reply")

        self.each(SINCE_14, check, f"Thread-Index: {index}\r\n{PLAIN}")

    def test_sender(self) -> None:
        """Sender is not sent if it is who the mail is from, and ReceivedAsBcc only if it is so (2.2.2.69, 2.2.2.60)."""

        def check(phone: Client, inbox: int) -> None:
            found = names(only(phone.begin(inbox)))
            self.assertEqual({"Sender", "ReceivedAsBcc"} & set(found), set())

        self.each(SINCE_14, check, f"Sender: bob@example.org\r\n{PLAIN}")

    def test_isDraft(self) -> None:
        """From 16.0 on a mail says that it is no draft (2.2.2.42, S01 TC27)."""

        def check(phone: Client, inbox: int) -> None:
            expected = "0" if phone.version == "16.1" else None
            self.assertEqual(only(phone.begin(inbox)).text_of("Email2:IsDraft"), expected)

        self.each(VERSIONS, check, PLAIN)

    def test_meetingText(self) -> None:
        """An invitation without any other text brings what its calendar says."""

        def check(phone: Client, inbox: int) -> None:
            body = only(phone.begin(inbox, options(preference(1)))).child("AirSyncBase:Body")
            self.assertEqual(body and body.text_of("AirSyncBase:Data"), "Room 1\r\nat eight")

        self.each(VERSIONS, check, MEETING.replace("UID:abc", "UID:abc\r\nDESCRIPTION:Room 1\\nat eight"))

    def test_meeting(self) -> None:
        """An invitation has a class of its own (2.2.2.49)."""

        def check(phone: Client, inbox: int) -> None:
            mail = only(phone.begin(inbox))
            self.assertEqual(mail.text_of("Email:MessageClass"), "IPM.Schedule.Meeting.Request")
            self.assertEqual(mail.text_of("Email:ContentClass"), "urn:content-classes:calendarmessage")

        self.each(VERSIONS, check, MEETING)

    def test_addWithBody(self) -> None:
        """A mail that a client adds is refused whatever Body it has: Status 6 ([MS-ASAIRS] 2.2.2.9)."""
        for_add = (
            [base("Type", "a"), base("Data", "x")],
            [base("Type", 1), base("Type", 1), base("Data", "x")],
            [base("Data", "x"), base("Type", 1)],
            [base("Type", 1), base("Data", "x"), base("Body", base("Type", 2))],
        )

        def check(phone: Client, inbox: int) -> None:
            for children in for_add:
                phone.sync(inbox, key="0")
                add = air("Add", air("ClientId", "c"), air("ApplicationData", base("Body", *children)))
                answer = phone.sync(inbox, air("Commands", add))
                self.assertEqual(responses(answer), "Responses(Add(ClientId=c Status=6))")

        self.each(("12.1", "14.1"), check)
