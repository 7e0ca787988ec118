"""What the protocol's owner asks of fetches and of invitations in its suites ([MS-ASCMD], [MS-ASAIRS], [MS-ASEMAIL])."""

from __future__ import annotations

import base64

from gateway.element import Element
from tests.eas.fetches import Fetched, fetch, of_file, of_item, op, preference, taken_apart
from tests.eas.interop import (
    MAIL,
    SINCE_14,
    SINCE_14_1,
    VERSIONS,
    Client,
    InteropCase,
    air,
    base,
    change,
    collection,
    data,
    name_of,
    options,
    server_commands,
    sync_of,
)
from tests.eas.test_interop_mail import MEETING, PARTS

WORDS = "Words of the text 12345"
PLAIN = MAIL.format("Plain", WORDS)
FILE = PARTS.format(
    'Content-Type: image/jpeg; name="number1.jpg"\r\nContent-Disposition: attachment; filename="number1.jpg"\r\n'
)
#: What [MS-ASAIRS] 3.2.5.1 calls invalid XML: Type behind the others or no number, AllOrNone twice, one in another.
MALFORMED = (
    base("BodyPreference", base("TruncationSize", 100), base("AllOrNone", 1), base("Type", 1)),
    base("BodyPreference", base("Type", "a"), base("TruncationSize", 100), base("AllOrNone", 1)),
    preference(1, base("TruncationSize", 100), base("AllOrNone", 1), base("AllOrNone", 1)),
    preference(1, base("TruncationSize", 100), base("AllOrNone", 1), preference(2)),
)


class FetchCase(InteropCase):
    def ask(self, phone: Client, *operations: Element, parts: bool = False) -> Fetched:
        """Send an ItemOperations."""
        more = {"MS_ASAcceptMultiPart": "T"} if parts else {}
        answer = phone.http("ItemOperations", op("ItemOperations", *operations), **more)
        self.assertEqual(answer.status, 200)
        return taken_apart(answer.body, answer.headers["content-type"])

    def item(self, phone: Client, inbox: int) -> str:
        """The ServerId of the only mail."""
        (command,) = server_commands(phone.begin(inbox))
        return name_of(command)

    def file(self, phone: Client, inbox: int) -> Element:
        """The only attachment of the only mail, as it is listed."""
        (command,) = server_commands(phone.begin(inbox))
        (listed,) = data(command).child("AirSyncBase:Attachments") or ()
        return listed


class ItemOperationsTests(FetchCase):
    """Scenario 8 of [MS-ASCMD]."""

    def test_wrongOption(self) -> None:
        """An option that does not go with what is fetched is Status 2 (case 2)."""

        def check(phone: Client, inbox: int) -> None:
            self.assertEqual(self.ask(phone, of_item("", op("Range"), folder=str(inbox))).status, "2")

        self.each(VERSIONS, check)

    def test_wrongStore(self) -> None:
        """A store that nobody knows is Status 9 (case 3)."""

        def check(phone: Client, inbox: int) -> None:
            asked = fetch(air("CollectionId", inbox), air("ServerId", "x"), store="InvalidStore")
            found = self.ask(phone, asked)
            self.assertEqual((found.status, found.statuses), ("1", ["9"]))

        self.each(VERSIONS, check)

    def test_wrongItem(self) -> None:
        """An item that is not there is Status 6 (case 4)."""

        def check(phone: Client, inbox: int) -> None:
            found = self.ask(phone, of_item("InvalidServerID", folder=str(inbox)))
            self.assertEqual((found.status, found.statuses), ("1", ["6"]))

        self.each(VERSIONS, check)

    def test_fetch(self) -> None:
        """An item comes with its properties (case 5), in one part or in several (case 7)."""

        def check(phone: Client, inbox: int) -> None:
            name = self.item(phone, inbox)
            found = self.ask(phone, of_item(name))
            self.assertEqual(found.properties.text_of("Email:Subject"), "Plain")
            found = self.ask(phone, of_item(name), parts=True)
            self.assertEqual(found.properties.text_of("Email:Subject"), "Plain")
            self.assertEqual(found.parts[0].decode().strip(), WORDS)

        self.each(VERSIONS, check, PLAIN)

    def test_mimeSupport(self) -> None:
        """MIME comes where MIMESupport is 2, with its size; with 0 and 1 an ordinary mail has no Data (case 8).

        Without MIMESupport it comes to who asks for nothing else.
        """

        def check(phone: Client, inbox: int) -> None:
            name = self.item(phone, inbox)
            for value in (0, 1):
                found = self.ask(phone, of_item(name, air("MIMESupport", value), preference(4))).body
                self.assertEqual(list(found), ["Type", "EstimatedDataSize", "Truncated"])
                self.assertNotEqual(found["Type"], "4")
                both = self.ask(phone, of_item(name, air("MIMESupport", value), preference(1), preference(4))).body
                self.assertEqual((both["Type"], both["Data"].strip()), ("1", WORDS))
            self.assertEqual(self.ask(phone, of_item(name, preference(4))).body["Type"], "4")
            either = self.ask(phone, of_item(name, preference(1), preference(4))).body
            self.assertEqual(either["Type"], "1")
            asked = of_item(name, air("MIMESupport", 2), preference(4))
            found = self.ask(phone, asked).body
            self.assertEqual((found["Type"], found["Data"]), ("4", PLAIN))
            self.assertEqual(found["EstimatedDataSize"], str(len(PLAIN)))
            several = self.ask(phone, asked, parts=True)
            self.assertEqual((several.body["Part"], several.parts), ("1", [PLAIN.encode()]))

        self.each(VERSIONS, check, PLAIN)

    def test_part(self) -> None:
        """Part stands in answers of several parts only, and Data in the others only ([MS-ASAIRS] scenario 2, case 14)."""

        def check(phone: Client, inbox: int) -> None:
            asked = of_item(self.item(phone, inbox), air("MIMESupport", 2), preference(4))
            self.assertNotIn("Part", self.ask(phone, asked).body)
            self.assertNotIn("Data", self.ask(phone, asked, parts=True).body)

        self.each(VERSIONS, check, PLAIN)

    def test_range(self) -> None:
        """Bytes are counted from 0 (case 11); a Range behind the end is Status 8 (case 14)."""

        def check(phone: Client, inbox: int) -> None:
            name = self.file(phone, inbox).text_of("AirSyncBase:FileReference") or ""
            whole = self.ask(phone, of_file(name)).data
            found = self.ask(phone, of_file(name, op("Range", "0-0")))
            self.assertEqual(
                (found.data, found.properties.text_of("ItemOperations:Total")), (whole[:1], str(len(whole)))
            )
            self.assertEqual(self.ask(phone, of_file(name, op("Range", "99-99"))).statuses, ["8"])

        self.each(VERSIONS, check, FILE)

    def test_wrongFile(self) -> None:
        """An attachment that cannot be is Status 15 (case 17), also one without a name."""

        def check(phone: Client, inbox: int) -> None:
            for name in ("InvalidAttachmentID", ""):
                found = self.ask(phone, of_file(name))
                self.assertEqual((found.status, found.statuses), ("1", ["15"]))

        self.each(VERSIONS, check)

    def test_twoFiles(self) -> None:
        """Two attachments in one Fetch are Status 2 for the whole (case 18)."""

        def check(phone: Client, inbox: int) -> None:
            name = base("FileReference", self.file(phone, inbox).text_of("AirSyncBase:FileReference"))
            self.assertEqual(self.ask(phone, fetch(name, name)).status, "2")

        self.each(VERSIONS, check, FILE)

    def test_attachment(self) -> None:
        """An attachment comes with type and content under the name that Sync gave ([MS-ASAIRS] scenario 3, case 1)."""

        def check(phone: Client, inbox: int) -> None:
            listed = self.file(phone, inbox)
            self.assertEqual(listed.text_of("AirSyncBase:DisplayName"), "number1.jpg")
            found = self.ask(phone, of_file(listed.text_of("AirSyncBase:FileReference") or ""))
            self.assertEqual(found.properties.text_of("AirSyncBase:ContentType"), "image/jpeg")
            self.assertEqual(found.data, base64.b64decode("MQ=="))

        self.each(VERSIONS, check, FILE)

    def test_schema(self) -> None:
        """A Schema of one property brings that one ([MS-ASEMAIL] scenario 1, case 19)."""

        def check(phone: Client, inbox: int) -> None:
            found = self.ask(phone, of_item(self.item(phone, inbox), op("Schema", Element("Email:Subject"))))
            self.assertEqual([(child.name, child.text) for child in found.properties], [("Subject", "Plain")])

        self.each(VERSIONS, check, PLAIN)

    def test_allOrNone(self) -> None:
        """AllOrNone holds for fetched items ([MS-ASEMAIL] scenario 1, cases 20 to 22)."""

        def check(phone: Client, inbox: int) -> None:
            name = self.item(phone, inbox)
            for size, whole, expected in ((5120, 1, WORDS), (10, 0, WORDS[:10]), (10, 1, None), (100, 1, WORDS)):
                asked = preference(1, base("TruncationSize", size), base("AllOrNone", whole))
                found = self.ask(phone, of_item(name, asked)).body.get("Data")
                self.assertEqual(found.strip() if found else found, expected)

        self.each(VERSIONS, check, PLAIN)

    def test_malformed(self) -> None:
        """A BodyPreference of the wrong order, type, number or place is Status 2 of the whole ([MS-ASAIRS] scenario 4)."""

        def check(phone: Client, inbox: int) -> None:
            name = self.item(phone, inbox)
            for wrong in MALFORMED:
                self.assertEqual(self.ask(phone, of_item(name, wrong)).status, "2", wrong)

        self.each(VERSIONS, check, PLAIN)

    def test_marks(self) -> None:
        """What a client has marked is fetched as it is marked."""

        def check(phone: Client, inbox: int) -> None:
            name = self.item(phone, inbox)
            read = change(name, Element("Email:Read", 1))
            phone.ask("Sync", sync_of(collection(phone.keys[inbox], inbox, air("Commands", read))))
            self.assertEqual(self.ask(phone, of_item(name)).properties.text_of("Email:Read"), "1")

        self.each(VERSIONS, check, PLAIN)


class MessagePartTests(FetchCase):
    """Scenario 3 of [MS-ASCON]."""

    def test_wrongType(self) -> None:
        """A BodyPartPreference of another type than HTML is Status 164 of the Fetch (case 7)."""

        def check(phone: Client, inbox: int) -> None:
            found = self.ask(phone, of_item(self.item(phone, inbox), preference(3, name="BodyPartPreference")))
            self.assertEqual((found.status, found.statuses), ("1", ["164"]))

        self.each(SINCE_14_1, check, PLAIN)

    def test_preferences(self) -> None:
        """Body and BodyPart come as each of them was asked for (case 8)."""

        def check(phone: Client, inbox: int) -> None:
            name = self.item(phone, inbox)
            part = preference(2, base("TruncationSize", 12), name="BodyPartPreference")
            for asked, expected in (
                ((), (True, False)),
                ((preference(2),), (True, False)),
                ((part,), (False, True)),
                ((preference(2), part), (True, True)),
            ):
                found = self.ask(phone, of_item(name, *asked)).properties
                there = tuple(found.child(f"AirSyncBase:{tag}") is not None for tag in ("Body", "BodyPart"))
                self.assertEqual(there, expected)
            found = self.ask(phone, of_item(name, part)).properties.child("AirSyncBase:BodyPart")
            assert found is not None
            self.assertEqual(len(found.text_of("AirSyncBase:Data") or ""), 12)
            self.assertEqual(found.text_of("AirSyncBase:Truncated"), "1")

        self.each(SINCE_14_1, check, PLAIN)


class GetAttachmentTests(FetchCase):
    """Scenario 6 of [MS-ASCMD]."""

    def get(self, phone: Client, name: str) -> tuple[int, bytes]:
        """GetAttachment; HTTP status and body."""
        query = f"Cmd=GetAttachment&AttachmentName={name}&User=ann&DeviceId=phone1&DeviceType=SP"
        (answer,) = phone.post("GetAttachment", query=query)
        return answer.status, answer.body

    def test_success(self) -> None:
        """The attachment that Sync listed is the answer (case 1)."""
        for version in ("2.5", "12.0", "12.1"):
            phone, inbox = self.client(version)
            phone.folder_sync()
            phone.world.arrive(inbox, "m", FILE)
            (command,) = server_commands(phone.begin(inbox))
            old = version == "2.5"
            (listed,) = data(command).child("Email:Attachments" if old else "AirSyncBase:Attachments") or ()
            name = listed.text_of("Email:AttName" if old else "AirSyncBase:FileReference") or ""
            self.assertEqual(self.get(phone, name), (200, b"1"))

    def test_deleted(self) -> None:
        """Of a mail that was deleted since it is HTTP 500 (case 2)."""

        def check(phone: Client, inbox: int) -> None:
            name = self.file(phone, inbox).text_of("AirSyncBase:FileReference") or ""
            self.assertEqual(self.get(phone, name)[0], 200)
            delete = air("Delete", air("ServerId", name.rpartition(":")[0]))
            phone.ask("Sync", sync_of(collection(phone.keys[inbox], inbox, air("Commands", delete))))
            self.assertEqual(self.get(phone, name), (500, b""))

        self.each(("12.1",), check, FILE)

    def test_later(self) -> None:
        """From 14.0 on there is no such command."""

        def check(phone: Client, inbox: int) -> None:
            self.assertEqual(self.get(phone, "1:1:1")[0], 400)

        self.each(SINCE_14, check)


class MeetingTests(FetchCase):
    """Scenario 4 of [MS-ASEMAIL]: invitations as attendees meet them."""

    def meeting(self, phone: Client, inbox: int) -> Element:
        """MeetingRequest of the only mail, which Sync and ItemOperations give alike."""
        (command,) = server_commands(phone.begin(inbox, options(preference(1))))
        synced = data(command).child("Email:MeetingRequest")
        fetched = self.ask(phone, of_item(name_of(command))).properties.child("Email:MeetingRequest")
        assert synced is not None and fetched is not None
        self.assertEqual(synced, fetched)
        self.assertEqual(data(command).text_of("Email:MessageClass"), "IPM.Schedule.Meeting.Request")
        return synced

    def test_single(self) -> None:
        """A meeting that does not recur: no whole day, other times may be proposed, no RecurrenceId (case 2)."""

        def check(phone: Client, inbox: int) -> None:
            found = self.meeting(phone, inbox)
            self.assertEqual((found.text_of("Email:AllDayEvent"), found.text_of("Email:InstanceType")), ("0", "0"))
            self.assertIsNone(found.child("Email:RecurrenceId"))
            if phone.version != "12.1":
                self.assertEqual(found.text_of("Email:DisallowNewTimeProposal"), "0")
            self.assertEqual(found.child("Email:GlobalObjId") is None, phone.version == "16.1")
            self.assertEqual(found.child("Calendar:UID") is None, phone.version != "16.1")

        self.each(VERSIONS, check, MEETING)

    def test_weekly(self) -> None:
        """A weekly one has the first day of its weeks from 14.1 on (case 3)."""

        def check(phone: Client, inbox: int) -> None:
            (found,) = self.meeting(phone, inbox).child("Email:Recurrences") or ()
            self.assertEqual((found.text_of("Email:Type"), found.text_of("Email:DayOfWeek")), ("1", "2"))
            first = None if phone.version in ("12.1", "14.0") else "1"
            self.assertEqual(found.text_of("Email2:FirstDayOfWeek"), first)

        self.each(VERSIONS, check, self.recurring("FREQ=WEEKLY;BYDAY=MO"))

    def test_monthly(self) -> None:
        """Monthly ones by day and by week have their numbers, and from 14.0 on a CalendarType (cases 4 and 5)."""
        for rule, expected in (
            ("FREQ=MONTHLY;BYMONTHDAY=2;COUNT=3", {"Type": "2", "DayOfMonth": "2", "Occurrences": "3"}),
            ("FREQ=MONTHLY;BYDAY=1MO;COUNT=3", {"Type": "3", "WeekOfMonth": "1", "DayOfWeek": "2"}),
        ):

            def check(phone: Client, inbox: int, expected: dict[str, str] = expected) -> None:
                (found,) = self.meeting(phone, inbox).child("Email:Recurrences") or ()
                for name, value in expected.items():
                    self.assertEqual(found.text_of(f"Email:{name}"), value)
                self.assertEqual(found.child("Email2:CalendarType") is None, phone.version == "12.1")

            self.each(VERSIONS, check, self.recurring(rule))

    def test_yearly(self) -> None:
        """A yearly one has IsLeapMonth from 14.0 on, which is 0 (cases 6 and 7)."""

        def check(phone: Client, inbox: int) -> None:
            (found,) = self.meeting(phone, inbox).child("Email:Recurrences") or ()
            self.assertEqual((found.text_of("Email:Type"), found.text_of("Email:MonthOfYear")), ("6", "6"))
            self.assertEqual(found.text_of("Email2:IsLeapMonth"), None if phone.version == "12.1" else "0")

        self.each(VERSIONS, check, self.recurring("FREQ=YEARLY;BYMONTH=6;BYDAY=1MO"))

    def test_exception(self) -> None:
        """An exception has the start that it had, and its day in the GlobalObjId (cases 10 and 15)."""

        def check(phone: Client, inbox: int) -> None:
            found = self.meeting(phone, inbox)
            self.assertEqual(found.text_of("Email:RecurrenceId"), "2024-06-08T08:00:00.000Z")
            self.assertEqual(found.text_of("Email:InstanceType"), "3")
            identity = found.text_of("Email:GlobalObjId")
            if identity is not None:
                self.assertEqual(base64.b64decode(identity)[16:20].hex(), "07e80608")

        self.each(VERSIONS, check, MEETING.replace("UID:abc", "UID:abc\r\nRECURRENCE-ID:20240608T080000Z"))

    def test_update(self) -> None:
        """The first invitation and a full update are told apart, from 14.1 on (case 11)."""
        for sequence, expected in ((0, "1"), (3, "2")):

            def check(phone: Client, inbox: int, expected: str = expected) -> None:
                self.assertEqual(self.meeting(phone, inbox).text_of("Email2:MeetingMessageType"), expected)

            self.each(SINCE_14_1, check, MEETING.replace("UID:abc", f"UID:abc\r\nSEQUENCE:{sequence}"))

    def recurring(self, rule: str) -> str:
        """An invitation to a series."""
        return MEETING.replace("UID:abc", f"UID:abc\r\nRRULE:{rule}")
