"""What the protocol's owner asks of Sync in its interoperability suites ([MS-ASCMD] 2.2.1.21)."""

from __future__ import annotations

from gateway.element import Element
from tests.eas.interop import (
    DAY,
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
    email,
    name_of,
    names,
    only,
    options,
    part,
    responses,
    server_commands,
    status,
    sync_of,
    whole_status,
)

HELLO = MAIL.format("Hello", "Hi.")
EVERY = ("2.5", "12.0", *VERSIONS)
NOBODY = "0f8fad5b-d9cb-469f-a165-70867728950e"


def subjects(answer: Element | None) -> list[str | None]:
    """The subjects of the mails that are added."""
    return [data(command).text_of("Email:Subject") for command in server_commands(answer)]


class RequestTests(InteropCase):
    """The request as a whole."""

    def test_nothing(self) -> None:
        """A Sync without content is Status 4 ([MS-ASCMD] 2.2.3.177.17)."""
        self.each(VERSIONS, lambda phone, _: self.assertEqual(whole_status(phone.ask("Sync", air("Sync"))), "4"))

    def test_empty(self) -> None:
        """A request without a body repeats the last one if nothing came of that, else it is Status 13 (2.2.1.21.1)."""

        def check(phone: Client, inbox: int) -> None:
            phone.sync(inbox, key="0")
            self.assertEqual(whole_status(phone.ask("Sync")), "13")
            self.assertEqual(len(server_commands(phone.sync(inbox))), 1)
            self.assertIsNone(phone.sync(inbox))
            self.assertIsNone(phone.ask("Sync"))

        self.each(VERSIONS, check, HELLO)

    def test_wait(self) -> None:
        """Wait is 1 to 59 minutes; else Status 14 and Limit with the nearest (2.2.3.197, 2.2.3.90)."""

        def check(phone: Client, inbox: int) -> None:
            for given, nearest in (("0", "1"), ("60", "59")):
                answer = phone.sync(inbox, key="0", whole=[air("Wait", given)])
                self.assertEqual(answer, air("Sync", air("Status", 14), air("Limit", nearest)))

        self.each(VERSIONS, check)

    def test_heartbeat(self) -> None:
        """HeartbeatInterval is 60 to 3540 seconds; else Status 14, and with Wait Status 4 (2.2.3.79.2)."""

        def check(phone: Client, inbox: int) -> None:
            for given, nearest in (("59", "60"), ("3541", "3540")):
                answer = phone.sync(inbox, key="0", whole=[air("HeartbeatInterval", given)])
                self.assertEqual(answer, air("Sync", air("Status", 14), air("Limit", nearest)))
            both = [air("HeartbeatInterval", 1000), air("Wait", 10)]
            self.assertEqual(whole_status(phone.sync(inbox, key="0", whole=both)), "4")

        self.each(SINCE_14, check)

    def test_noFolder(self) -> None:
        """A Collection without CollectionId is Status 4 (2.2.3.30.5)."""
        body = sync_of(air("Collection", air("SyncKey", "0"), air("Supported", Element("Contacts:JobTitle"))))
        self.each(EVERY, lambda phone, _: self.assertEqual(whole_status(phone.ask("Sync", body)), "4"))

    def test_tooMany(self) -> None:
        """Too many collections are Status 15 with the Limit, which versions before 12.1 do not know (2.2.3.90)."""

        def check(phone: Client, inbox: int) -> None:
            answer = phone.ask("Sync", sync_of(*(collection("0", number) for number in range(1, 302))))
            limit = air("Limit", 300) if phone.version in VERSIONS else None
            self.assertEqual(answer, air("Sync", air("Status", 15), limit))

        self.each(EVERY, check)

    def test_unknownKey(self) -> None:
        """A SyncKey that was never given is Status 3, in whatever form (2.2.3.177.17)."""
        self.each(EVERY, lambda phone, inbox: self.assertEqual(status(phone.sync(inbox, key=NOBODY)), "3"))

    def test_window(self) -> None:
        """WindowSize of the whole request goes for all collections together; MoreAvailable while there is more."""

        def check(phone: Client, inbox: int) -> None:
            phone.sync(inbox, key="0")
            for more in (True, False):
                answer = phone.sync(inbox, whole=[air("WindowSize", 1)])
                self.assertEqual(len(server_commands(answer)), 1)
                self.assertEqual("MoreAvailable" in names(part(answer) or air("none")), more)

        self.each(VERSIONS, check, HELLO, HELLO)

    def test_noWindow(self) -> None:
        """Without WindowSize it is 100 (2.2.3.199)."""

        def check(phone: Client, inbox: int) -> None:
            answer = phone.begin(inbox)
            self.assertEqual(len(server_commands(answer)), 100)
            self.assertIn("MoreAvailable", names(part(answer) or air("none")))

        self.each(("14.1",), check, *[HELLO] * 101)

    def test_getChanges(self) -> None:
        """GetChanges cannot be true with key 0; later it is true when it is empty or absent (2.2.3.75)."""

        def check(phone: Client, inbox: int) -> None:
            for element in (air("GetChanges"), air("GetChanges", 1)):
                self.assertEqual(whole_status(phone.sync(inbox, element, key="0")), "4")
            self.assertEqual(status(phone.sync(inbox, air("GetChanges", 0), key="0")), "1")
            self.assertEqual(server_commands(phone.sync(inbox, key="0")), [])
            first = phone.keys[inbox]
            for wanted in ([], [air("GetChanges")], [air("GetChanges", 1)]):
                self.assertEqual(len(server_commands(phone.sync(inbox, *wanted, key=first))), 1)
            self.assertIsNone(phone.sync(inbox, air("GetChanges", 0), key=first))

        self.each(VERSIONS, check, HELLO)


class OptionsTests(InteropCase):
    """Options ([MS-ASCMD] 2.2.3.125.5)."""

    def test_filters(self) -> None:
        """Mail takes FilterType 0 to 5; those of calendars and tasks are Status 4 (2.2.3.68.2)."""

        def check(phone: Client, inbox: int) -> None:
            for given in range(9):
                answer = phone.sync(inbox, options(air("FilterType", given)), key="0")
                found = status(answer) if given < 6 else whole_status(answer)
                self.assertEqual(found, "1" if given < 6 else "4", given)

        self.each(EVERY, check)

    def test_twice(self) -> None:
        """An option that is there twice is no error; the first counts (2.2.3.68.2, 2.2.3.113, 2.2.3.115, 2.2.3.34)."""

        def check(phone: Client, inbox: int) -> None:
            phone.world.arrive(inbox, "old", age=20 * DAY)
            for name, first, second in (
                ("FilterType", 4, 0),
                ("MIMESupport", 0, 1),
                ("MIMETruncation", 2, 3),
                ("Conflict", 1, 0),
            ):
                answer = phone.begin(inbox, options(air(name, first), air(name, second)))
                self.assertEqual((status(answer), len(server_commands(answer))), ("1", 1 + (name != "FilterType")))

        self.each(VERSIONS, check, HELLO)

    def test_classes(self) -> None:
        """Options for two classes: Email and SMS are a pair, others are Status 4, and so is one class twice."""

        def check(phone: Client, inbox: int) -> None:
            phone.sync(inbox, key="0")
            for first, second, expected in (
                ("Email", "SMS", "1"),
                ("Email", "Email", "4"),
                ("Calendar", "Tasks", "4"),
                ("Email", "Tasks", "4"),
            ):
                answer = phone.sync(inbox, options(air("Class", first)), options(air("Class", second)))
                self.assertEqual(whole_status(answer) or status(answer), expected, (first, second))

        self.each(SINCE_14, check, HELLO)

    def test_classTwice(self) -> None:
        """Class twice in one Options is no error (2.2.3.27.5)."""
        twice = options(air("Class", "Email"), air("Class", "Email"))
        self.each(SINCE_14, lambda phone, inbox: self.assertTrue(server_commands(phone.begin(inbox, twice))), HELLO)

    def test_softDelete(self) -> None:
        """What a narrower filter leaves out is soft-deleted (2.2.3.168)."""

        def check(phone: Client, inbox: int) -> None:
            phone.world.arrive(inbox, "old", age=20 * DAY)
            self.assertEqual(len(server_commands(phone.begin(inbox))), 2)
            answer = phone.sync(inbox, options(air("FilterType", 4)))
            self.assertEqual([len(server_commands(answer, verb)) for verb in ("SoftDelete", "Delete")], [1, 0])

        self.each(EVERY, check, HELLO)

    def test_mimeTruncation(self) -> None:
        """MIMETruncation 0 to 7 cut at so many characters, 8 does not (2.2.3.114)."""
        sizes = (0, 4096, 5120, 7168, 10240, 20480, 51200, 102400)

        def check(phone: Client, inbox: int) -> None:
            for value, size in enumerate(sizes):
                body = self.mime(phone, inbox, value)
                self.assertEqual(len(body.text_of("AirSyncBase:Data") or ""), size)
                expected = ["Type", "EstimatedDataSize", "Truncated", "Data"]
                self.assertEqual(names(body), expected if size else expected[:3])
            self.assertNotIn("Truncated", names(self.mime(phone, inbox, 8)))

        self.each(("12.1", "16.1"), check, MAIL.format("Long", "X" * 102500))

    def mime(self, phone: Client, inbox: int, truncation: int) -> Element:
        """The Body of the only mail as MIME."""
        kind = base("BodyPreference", base("Type", 4))
        answer = phone.begin(inbox, options(air("MIMESupport", 2), kind, air("MIMETruncation", truncation)))
        body = only(answer).child("AirSyncBase:Body")
        assert body is not None
        return body

    def test_bodyPart(self) -> None:
        """A BodyPartPreference of another type than HTML is Status 164 for the request (2.2.2)."""

        def check(phone: Client, inbox: int) -> None:
            phone.sync(inbox, key="0")
            wrong = options(base("BodyPartPreference", base("Type", 3)))
            self.assertEqual(whole_status(phone.sync(inbox, wrong)), "164")

        self.each(SINCE_14_1, check)

    def test_conversationMode(self) -> None:
        """ConversationMode for mail is no error (2.2.3.36)."""
        more = (air("GetChanges", 1), air("ConversationMode", 1), options(air("FilterType", 1)))

        def check(phone: Client, inbox: int) -> None:
            phone.sync(inbox, key="0")
            self.assertEqual(len(server_commands(phone.sync(inbox, *more))), 1)

        self.each(SINCE_14, check, HELLO)


class CommandTests(InteropCase):
    """Commands of the client ([MS-ASCMD] 2.2.3.32)."""

    def first(self, phone: Client, inbox: int) -> str:
        """The ServerId of the only mail, from the start."""
        (command,) = server_commands(phone.begin(inbox))
        return name_of(command)

    def test_none(self) -> None:
        """An empty Commands is no error, and there is no empty Responses (2.2.3.32, 2.2.3.154)."""

        def check(phone: Client, inbox: int) -> None:
            phone.sync(inbox, key="0")
            answer = phone.sync(inbox, air("Commands"))
            self.assertEqual((status(answer), responses(answer)), ("1", ""))

        self.each(VERSIONS, check, HELLO)

    def test_tooMany(self) -> None:
        """More than 200 commands are Status 4."""
        many = air("Commands", *(air("Fetch", air("ServerId", f"1:{n}")) for n in range(1, 202)))

        def check(phone: Client, inbox: int) -> None:
            phone.sync(inbox, key="0")
            self.assertEqual(whole_status(phone.sync(inbox, many)), "4")

        self.each(EVERY, check)

    def test_addMail(self) -> None:
        """A mail cannot be added: Status 6 with the ClientId (2.2.3.177.17)."""
        add = air("Add", air("ClientId", "c1"), air("ApplicationData", email("To", "a@example.org")))

        def check(phone: Client, inbox: int) -> None:
            phone.sync(inbox, key="0")
            answer = phone.sync(inbox, air("Commands", add))
            self.assertEqual(responses(answer), "Responses(Add(ClientId=c1 Status=6))")

        self.each(EVERY, check)

    def test_addToCache(self) -> None:
        """Nothing is added to the recipient information cache: Status 4 of the whole (2.2.3.7.2, S19 TC05)."""
        add = air("Commands", air("Add", air("ClientId", "c1"), air("ApplicationData", email("To", "a@example.org"))))
        body = sync_of(collection(NOBODY, "RI", add))
        self.each(SINCE_14, lambda phone, _: self.assertEqual(whole_status(phone.ask("Sync", body)), "4"))

    def test_classOfAdd(self) -> None:
        """The answer to an Add has its Class if that is not the one of the folder (2.2.3.27.6)."""

        def check(phone: Client, inbox: int) -> None:
            for kind, told in (("Email", ""), ("SMS", "Class=SMS ")):
                phone.sync(inbox, key="0")
                properties = air("ApplicationData", email("To", "a@example.org"))
                add = air("Add", air("Class", kind), air("ClientId", "c1"), properties)
                answer = phone.sync(inbox, air("Commands", add))
                self.assertEqual(responses(answer), f"Responses(Add({told}ClientId=c1 Status=6))")

        self.each(SINCE_14, check)

    def test_changeOfNothing(self) -> None:
        """A Change of an item that is not there is Status 8."""

        def check(phone: Client, inbox: int) -> None:
            phone.begin(inbox)
            answer = phone.sync(inbox, air("Commands", change(NOBODY, email("Read", 1))))
            self.assertEqual(responses(answer), f"Responses(Change(ServerId={NOBODY} Status=8))")

        self.each(EVERY, check, HELLO)

    def test_changeOfText(self) -> None:
        """Of a mail a Change changes the marks; the subject stays (2.2.3.24)."""

        def check(phone: Client, inbox: int) -> None:
            server_id = self.first(phone, inbox)
            answer = phone.sync(inbox, air("Commands", change(server_id, email("Read", 1), email("Subject", "x"))))
            self.assertEqual((status(answer), responses(answer)), ("1", ""))
            mail = only(phone.begin(inbox))
            self.assertEqual((mail.text_of("Email:Subject"), mail.text_of("Email:Read")), ("Hello", "1"))

        self.each(VERSIONS, check, HELLO)

    def test_deletesAsMoves(self) -> None:
        """What is deleted is in Deleted Items, unless DeletesAsMoves is 0 (2.2.3.44)."""

        def check(phone: Client, inbox: int) -> None:
            folders = phone.world.mailbox()
            for form, moved in (
                ([air("DeletesAsMoves", 0)], 0),
                ([air("DeletesAsMoves", 1)], 1),
                ([air("DeletesAsMoves")], 2),
                ([], 3),
            ):
                phone.world.arrive(inbox, f"d{moved}")
                delete = air("Delete", air("ServerId", self.first(phone, inbox)))
                self.assertEqual(status(phone.sync(inbox, *form, air("Commands", delete))), "1")
                self.assertEqual(subjects(phone.begin(inbox)), [])
                self.assertEqual(len(subjects(phone.begin(folders[".Trash"]))), moved)

        self.each(("2.5", "12.1", "14.1"), check)

    def test_fetch(self) -> None:
        """Fetch gives the item; one that is gone is Status 8 (2.2.3.63.2)."""

        def check(phone: Client, inbox: int) -> None:
            server_id = self.first(phone, inbox)
            fetch = air("Commands", air("Fetch", air("ServerId", server_id)))
            answer = responses(phone.sync(inbox, air("GetChanges", 1), fetch))
            self.assertTrue(answer.startswith(f"Responses(Fetch(ServerId={server_id} Status=1 ApplicationData("))
            gone = air("Commands", air("Delete", air("ServerId", server_id)))
            phone.sync(inbox, gone)
            answer = responses(phone.sync(inbox, air("GetChanges", 1), fetch))
            self.assertEqual(answer, f"Responses(Fetch(ServerId={server_id} Status=8))")

        self.each(EVERY, check, HELLO)

    def test_conflict(self) -> None:
        """Two devices flag a mail: the server wins, with Status 7 and its state, unless Conflict is 0 (2.2.3.34)."""

        def flag(server_id: str, words: str) -> Element:
            return air("Commands", change(server_id, email("Flag", email("Status", 2), email("FlagType", words))))

        def check(phone: Client, inbox: int) -> None:
            server_id = self.first(phone, inbox)
            key = phone.keys[inbox]
            other = Client(phone.world, version=phone.version, device="device2")
            self.made.append(other)
            other.begin(inbox)
            other.sync(inbox, flag(server_id, "other"))
            for form in ([], [options(air("Conflict", 1))]):
                answer = phone.sync(inbox, *form, flag(server_id, "mine"), key=key)
                self.assertEqual(responses(answer), f"Responses(Change(ServerId={server_id} Status=7))")
                self.assertEqual(names(only(answer, "Change")), ["Flag"])
            answer = phone.sync(inbox, options(air("Conflict", 0)), flag(server_id, "mine"), key=key)
            self.assertEqual(responses(answer), "")
            kept = only(phone.begin(inbox)).child("Email:Flag")
            self.assertEqual(kept and kept.text_of("Email:FlagType"), "mine")

        self.each(("12.1", "14.1"), check, HELLO)

    def test_severalCollections(self) -> None:
        """A collection that fails leaves the others alone (2.2.3.177.17)."""

        def check(phone: Client, inbox: int) -> None:
            answer = phone.ask("Sync", sync_of(collection("0", inbox), collection(NOBODY, inbox + 1)))
            assert answer is not None
            collections = answer.child("AirSync:Collections")
            assert collections is not None
            self.assertEqual([child.text_of("AirSync:Status") for child in collections], ["1", "3"])

        self.each(EVERY, check)
