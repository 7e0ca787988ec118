"""What a client asks for in a Sync: options, collections, and whole requests ([MS-ASCMD] 2.2.1.21)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.call import Refused, Version
from gateway.eas.collection import Collection, Command, Verb, digest, item_id, parse_collection, server_id
from gateway.eas.options import Malformed, options_of
from gateway.eas.syncbody import Asked, Refusal, Requests, SyncLimits, parse
from gateway.element import Element
from gateway.model import BodyPreference, DeviceKey, Folder, FolderType, SyncOptions
from tests.eas.support import ANN, decoded

INBOX = Folder(5, "ann", "", "Inbox", FolderType.INBOX)


def air(name: str, *content: Element | str | int | None) -> Element:
    return Element(f"AirSync:{name}", *content)


def base(name: str, *content: Element | str | int | None) -> Element:
    return Element(f"AirSyncBase:{name}", *content)


def preference(kind: int | str | None = 1, *more: Element, name: str = "BodyPreference") -> Element:
    return base(name, None if kind is None else base("Type", kind), *more)


def collection(*more: Element, key: str = "1", id: str = "5") -> Element:
    return air("Collection", air("SyncKey", key), air("CollectionId", id), *more)


def sync(*collections: Element, more: tuple[Element, ...] = ()) -> Element:
    return air("Sync", air("Collections", *collections) if collections else None, *more)


_TWICE = ("FilterType", "Conflict", "MIMESupport", "MIMETruncation")


class OptionsCase(SynchronousTestCase):
    def options(
        self, *content: Element, version: Version = Version.V14_1, item_class: str = "Email"
    ) -> SyncOptions | None:
        """The options of a collection with one Options element."""
        return options_of(collection(air("Options", *content)), item_class, version)

    def bad(self, *content: Element, version: Version = Version.V14_1, item_class: str = "Email") -> None:
        """These options are a protocol error."""
        with self.assertRaises(Malformed, msg=str(content)):
            self.options(*content, version=version, item_class=item_class)


class OptionsTests(OptionsCase):
    def test_absent(self) -> None:
        """Without Options there are none, and the last ones apply."""
        self.assertIsNone(options_of(collection(), "Email", Version.V14_1))

    def test_empty(self) -> None:
        """An empty Options stands for the defaults, which replace what there was."""
        self.assertEqual(self.options(), SyncOptions(filter=0, conflict=1, mime_support=0))

    def test_filter(self) -> None:
        """FilterType: 0 to 5 for mail; 0 and 4 to 7 for the calendar; 0 and 8 for tasks; all else is Status 4."""
        fit = {"Email": range(6), "Calendar": (0, 4, 5, 6, 7), "Tasks": (0, 8)}
        for item_class, values in fit.items():
            for value in range(10):
                if value in values:
                    found = self.options(air("FilterType", value), item_class=item_class)
                    self.assertEqual(found, SyncOptions(filter=value))
                else:
                    self.bad(air("FilterType", value), item_class=item_class)

    def test_filterIgnored(self) -> None:
        """Contacts and notes have no window."""
        for item_class in ("Contacts", "Notes"):
            self.assertEqual(self.options(air("FilterType", 7), item_class=item_class), SyncOptions())

    def test_numbers(self) -> None:
        """Conflict, MIMESupport and MIMETruncation within their ranges."""
        for value in (0, 1):
            self.assertEqual(self.options(air("Conflict", value)), SyncOptions(conflict=value))
        for value in (0, 1, 2):
            self.assertEqual(self.options(air("MIMESupport", value)), SyncOptions(mime_support=value))
        for value in range(9):
            self.assertEqual(self.options(air("MIMETruncation", value)), SyncOptions(mime_truncation=value))
        for tag, value in (("Conflict", 2), ("MIMESupport", 3), ("MIMETruncation", 9)):
            self.bad(air(tag, value))

    def test_noNumbers(self) -> None:
        """What is no number is Status 4."""
        for tag in ("FilterType", "Conflict", "MIMESupport", "MIMETruncation"):
            for value in ("", "x", "-1", "1.0", "99999999999", "\N{ARABIC-INDIC DIGIT ONE}"):
                self.bad(air(tag, value))

    def test_twice(self) -> None:
        """Of an option that is there twice the first counts: that is no error ([MS-ASCMD] 2.2.3.68.2)."""
        found = [self.options(*(air(tag, value) for tag in _TWICE)) for value in (1, 0)]
        self.assertEqual(self.options(*(air(tag, value) for tag in _TWICE for value in (1, 0))), found[0])
        self.assertNotEqual(*found)
        self.assertEqual(self.options(air("Class", "Email"), air("Class", "Tasks")), SyncOptions())

    def test_truncation(self) -> None:
        """Truncation, 0 to 9, is of 2.5; later versions pass it over."""
        for value in range(10):
            found = self.options(air("Truncation", value), version=Version.V2_5)
            self.assertEqual(found, SyncOptions(truncation=value))
        self.bad(air("Truncation", 10), version=Version.V2_5)
        self.assertEqual(self.options(air("Truncation", 10), version=Version.V12_0), SyncOptions())

    def test_passedOver(self) -> None:
        """Elements that say nothing about mail are passed over, in any order."""
        found = self.options(
            air("MaxItems", 5), air("RTFTruncation", 5), Element("RightsManagement:RightsManagementSupport", 1),
            air("MIMESupport", 2), air("FilterType", 3),
        )  # fmt: skip
        self.assertEqual(found, SyncOptions(filter=3, mime_support=2))


class ClassTests(OptionsCase):
    def both(self, *classes: str | None, version: Version = Version.V14_1) -> SyncOptions | None:
        """The options of a collection with an Options for each class; the window tells which it is."""
        given = [
            air("Options", air("FilterType", window), None if name is None else air("Class", name))
            for window, name in enumerate(classes, 1)
        ]
        return options_of(collection(*given), "Email", version)

    def test_sms(self) -> None:
        """Options of SMS may stand beside those of mail, which are the ones that count."""
        self.assertEqual(self.both("Email", "SMS"), SyncOptions(filter=1))
        self.assertEqual(self.both("SMS", "Email"), SyncOptions(filter=2))
        self.assertEqual(self.both("SMS", None), SyncOptions(filter=2))

    def test_smsAlone(self) -> None:
        """Options of SMS alone leave those of mail as they were."""
        self.assertIsNone(self.both("SMS"))

    def test_same(self) -> None:
        """The same Class twice is Status 4, however it is said."""
        for classes in (("Email", "Email"), (None, "Email"), (None, None), ("SMS", "SMS"), ("SMS", "SMS", "Email")):
            with self.assertRaises(Malformed):
                self.both(*classes)

    def test_others(self) -> None:
        """Two Options of which none is for SMS are Status 4, and so is a Class that does not exist."""
        for classes in (("Email", "Calendar"), ("Pictures",)):
            with self.assertRaises(Malformed):
                self.both(*classes)

    def test_before14(self) -> None:
        """Before 14.0 there is no Class in Options."""
        self.assertEqual(self.both("Pictures", version=Version.V12_1), SyncOptions(filter=1))
        with self.assertRaises(Malformed):
            self.both("Email", "SMS", version=Version.V12_1)


class BodyPreferenceTests(OptionsCase):
    def test_values(self) -> None:
        """Type, TruncationSize, AllOrNone and Preview; the preferences stay in order."""
        found = self.options(
            preference(2, base("TruncationSize", 2**32 - 1), base("AllOrNone", 1), base("Preview", 255)),
            preference(1, base("AllOrNone", 0)),
            preference(4, base("TruncationSize", 0), base("AllOrNone")),
        )
        assert found is not None
        self.assertEqual(
            found.bodies,
            (BodyPreference(2, 2**32 - 1, True, 255), BodyPreference(1), BodyPreference(4, 0, True)),
        )

    def test_wrong(self) -> None:
        """No Type, an unknown one, the same one twice, sizes out of range: Status 4."""
        for wrong in (None, "", 0, 5, "x"):
            self.bad(preference(wrong))
        self.bad(preference(1), preference(2), preference(1, base("TruncationSize", 5)))
        for name, value in (("TruncationSize", 2**32), ("TruncationSize", -1), ("AllOrNone", 2), ("Preview", 256)):
            self.bad(preference(1, base(name, value)))

    def test_order(self) -> None:
        """Children out of order are Status 4."""
        self.bad(preference(1, base("AllOrNone", 1), base("TruncationSize", 5)))
        self.bad(base("BodyPreference", base("TruncationSize", 5), base("Type", 1)))

    def test_preview(self) -> None:
        """Preview is of 14.0."""
        found = self.options(preference(1, base("Preview", 9)), version=Version.V12_1)
        self.assertEqual(found, SyncOptions(bodies=(BodyPreference(1),)))

    def test_25(self) -> None:
        """2.5 knows no BodyPreference."""
        self.assertEqual(self.options(preference(9), version=Version.V2_5), SyncOptions())

    def test_part(self) -> None:
        """BodyPartPreference is of 14.1, for HTML; another Type is the common Status 164."""
        part = preference(2, base("TruncationSize", 7), name="BodyPartPreference")
        found = self.options(part)
        assert found is not None
        self.assertEqual(found.part, BodyPreference(2, 7))
        self.assertEqual(self.options(part, version=Version.V14_0), SyncOptions())
        error = self.assertRaises(Refused, self.options, preference(1, name="BodyPartPreference"))
        self.assertEqual(error.status, 164)
        self.bad(part, part)


class CollectionTests(SynchronousTestCase):
    def parsed(self, *more: Element, key: str = "1", version: Version = Version.V14_1) -> Collection:
        return parse_collection(collection(*more, key=key), version)

    def bad(self, *more: Element, key: str = "1", version: Version = Version.V14_1) -> None:
        with self.assertRaises(Malformed, msg=str(more)):
            self.parsed(*more, key=key, version=version)

    def test_defaults(self) -> None:
        """What is not said: a window of 100, changes are wanted, deletions are moves."""
        found = self.parsed()
        self.assertEqual(
            (found.id, found.key, found.folder, found.window, found.get_changes, found.trash, found.commands),
            ("5", "1", 5, 100, True, True, ()),
        )

    def test_anyOrder(self) -> None:
        """The children may come in any order; what is not known is passed over."""
        found = parse_collection(
            air(
                "Collection",
                air("WindowSize", 7),
                air("CollectionId", "5"),
                Element("Email:Subject", "?"),
                air("Supported"),
                air("SyncKey", "3"),
            ),
            Version.V14_1,
        )
        self.assertEqual((found.id, found.key, found.window), ("5", "3", 7))

    def test_needed(self) -> None:
        """SyncKey and CollectionId are there once, with 1 to 64 characters."""
        id, key = air("CollectionId", "5"), air("SyncKey", "1")
        wrong: list[tuple[Element, ...]] = [
            (id,),
            (key,),
            (id, key, key),
            (id, id, key),
            (air("CollectionId"), key),
            (id, air("SyncKey")),
            (air("CollectionId", "5" * 65), key),
            (id, air("SyncKey", "1" * 65)),
        ]
        for children in wrong:
            with self.assertRaises(Malformed):
                parse_collection(air("Collection", *children), Version.V14_1)

    def test_folder(self) -> None:
        """A CollectionId that cannot be the id of a folder names none."""
        for id in ("x", "05", "0", "-5", " 5", "5:1", "RI", "\N{ARABIC-INDIC DIGIT FIVE}", "9" * 19):
            self.assertEqual(parse_collection(collection(id=id), Version.V14_1).folder, 0, id)

    def test_window(self) -> None:
        """WindowSize: 0 and what is above 512 mean 512."""
        for said, meant in ((1, 1), (512, 512), (513, 512), (0, 512), (2**32 - 1, 512)):
            self.assertEqual(self.parsed(air("WindowSize", said)).window, meant)
        for wrong in ("", "x", "-1"):
            self.bad(air("WindowSize", wrong))

    def test_getChanges(self) -> None:
        """GetChanges: the empty element is true; with key 0 the default is false."""
        for said, meant in (("", True), ("1", True), ("0", False)):
            self.assertIs(self.parsed(air("GetChanges", said)).get_changes, meant)
        self.assertIs(self.parsed(key="0").get_changes, False)
        self.assertIs(self.parsed(air("GetChanges", 0), key="0").get_changes, False)
        self.bad(air("GetChanges", "yes"))

    def test_keyZero(self) -> None:
        """With key 0, asking for changes and bringing some are Status 4."""
        self.bad(air("GetChanges"), key="0")
        self.bad(air("GetChanges", 1), key="0")
        self.bad(air("Commands", air("Delete", air("ServerId", "5:1"))), key="0")
        self.bad(air("GetChanges", 1), air("Options"), air("Commands", air("Fetch", air("ServerId", "5:1"))), key="0")
        self.assertEqual(self.parsed(air("Commands"), key="0").commands, ())

    def test_sameEachTime(self) -> None:
        """A client that sends the same elements with every request may ask for changes with key 0: it gets none."""
        for beside in (air("WindowSize", 25), air("Options", air("FilterType", 3))):
            for asked in (air("GetChanges"), air("GetChanges", 1)):
                self.assertIs(self.parsed(asked, beside, key="0").get_changes, False)

    def test_deletesAsMoves(self) -> None:
        """DeletesAsMoves: absent and empty are true."""
        for said, meant in (("", True), ("1", True), ("0", False)):
            self.assertIs(self.parsed(air("DeletesAsMoves", said)).trash, meant)

    def test_class(self) -> None:
        """Class is of 2.5 to 12.1, where it must be one that exists and fit the folder."""
        found = self.parsed(air("Class", "Email"), version=Version.V2_5)
        self.assertEqual(found.item_class, "Email")
        found.options(INBOX, Version.V2_5)
        self.bad(air("Class", "Pictures"), version=Version.V12_1)
        other = self.parsed(air("Class", "Calendar"), version=Version.V12_1)
        self.assertRaises(Malformed, other.options, INBOX, Version.V12_1)
        self.assertIsNone(self.parsed(air("Class", "Pictures")).item_class)

    def test_conversations(self) -> None:
        """ConversationMode, from 14.0 on, goes with mail alone."""
        found = self.parsed(air("ConversationMode", 1))
        found.options(INBOX, Version.V14_1)
        calendar = Folder(5, "ann", "c", "Calendar", FolderType.CALENDAR)
        self.assertRaises(Malformed, found.options, calendar, Version.V14_1)
        self.parsed(air("ConversationMode", 0)).options(calendar, Version.V14_1)
        self.parsed(air("ConversationMode", "x"), version=Version.V12_1)
        self.bad(air("ConversationMode", "x"))


class CommandTests(SynchronousTestCase):
    def commands(self, *elements: Element, version: Version = Version.V14_1) -> tuple[Command, ...]:
        return parse_collection(collection(air("Commands", *elements)), version).commands

    def test_all(self) -> None:
        """Add, Change, Delete and Fetch in their order, with what each needs."""
        data = air("ApplicationData", Element("Email:Read", 1))
        found = self.commands(
            air("Delete", air("ServerId", "5:2")),
            air("Add", air("Class", "SMS"), air("ClientId", "c1"), data),
            air("Change", air("ServerId", "5:1"), data),
            air("Fetch", air("ServerId", "5:3")),
        )
        self.assertEqual(
            found,
            (
                Command(Verb.DELETE, "5:2"),
                Command(Verb.ADD, "c1", data, item_class="SMS"),
                Command(Verb.CHANGE, "5:1", data),
                Command(Verb.FETCH, "5:3"),
            ),
        )

    def test_send(self) -> None:
        """Send stands beside the properties or among them, from 16.0 on."""
        send = Element("Email2:Send")
        beside = air("Add", air("ClientId", "c1"), air("ApplicationData"), send)
        among = air("Change", air("ServerId", "5:1"), air("ApplicationData", send))
        for version, expected in ((Version.V16_0, True), (Version.V16_1, True), (Version.V14_1, False)):
            self.assertEqual([one.send for one in self.commands(beside, among, version=version)], [expected] * 2)
        self.assertFalse(self.commands(air("Change", air("ServerId", "5:1")), version=Version.V16_1)[0].send)

    def test_wrong(self) -> None:
        """Without its id, with a long or an empty one, or with another name: Status 4."""
        wrong = [
            air("Add"),
            air("Delete"),
            air("Change", air("ClientId", "1")),
            air("Fetch", air("ServerId")),
            air("Fetch", air("ServerId", "5" * 65)),
            air("SoftDelete", air("ServerId", "5:1")),
            Element("Email:Add", air("ClientId", "1")),
        ]
        for element in wrong:
            with self.assertRaises(Malformed, msg=str(element)):
                self.commands(element)

    def test_serverId(self) -> None:
        """A ServerId is the ids of folder and item, in one form only."""
        self.assertEqual(server_id(5, 17), "5:17")
        self.assertEqual(item_id("5:17", 5), 17)
        for wrong in ("5:", "5", "17", "6:17", "5:0", "5:017", "05:17", "5:17:1", "5: 17", "5:-1", "", ":17", "5:x"):
            self.assertIsNone(item_id(wrong, 5), wrong)


class DigestTests(SynchronousTestCase):
    def test_sameAndOther(self) -> None:
        """The same request has the same digest; whatever is different in it makes another one."""
        variants: list[Element] = [
            collection(),
            collection(key="2"),
            collection(id="6"),
            collection(air("GetChanges")),
            collection(air("GetChanges", 0)),
            collection(air("Options", air("FilterType", 1))),
            collection(air("Options"), air("FilterType", 1)),
            collection(air("Options", air("FilterType", "1\x00"))),
            collection(base("Data", "\ud800")),
        ]
        self.assertEqual(len({digest(element) for element in variants}), len(variants))
        self.assertEqual(digest(collection(air("GetChanges"))), digest(collection(air("GetChanges"))))


class RequestTests(SynchronousTestCase):
    """Whole requests."""

    def parsed(self, body: Element, version: Version = Version.V14_1, limits: SyncLimits | None = None) -> Asked:
        return parse(body, version, limits or SyncLimits())

    def refused(self, body: Element, version: Version = Version.V14_1, limits: SyncLimits | None = None) -> tuple:
        error = self.assertRaises(Refusal, self.parsed, body, version, limits)
        return error.status, error.limit

    def test_vectors(self) -> None:
        """The requests of the vectors are understood."""
        found = {name: self.parsed(decoded(f"sync-request-{name}")) for name in ("initial", "get", "mark-read")}
        self.assertEqual(
            [(c.id, c.key, c.get_changes, c.window) for asked in found.values() for c in asked.collections],
            [("5", "0", False, 100), ("5", "1", True, 50), ("5", "2", False, 100)],
        )
        options = found["get"].collections[0].options(INBOX, Version.V14_1)
        self.assertEqual(options, SyncOptions(filter=3, bodies=(BodyPreference(1, 512),)))
        old = self.parsed(decoded("sync-request-initial-2.5"), Version.V2_5)
        self.assertEqual(old.collections[0].item_class, "Email")
        self.assertEqual(self.parsed(decoded("sync-request-hanging-12.1"), Version.V12_1).wait, 600)
        partial = self.parsed(decoded("sync-request-partial-14.0"), Version.V14_0)
        self.assertEqual((partial.partial, partial.wait, partial.collections), (True, 600, ()))
        verbs = [c.verb for c in self.parsed(decoded("sync-request-client-commands")).collections[0].commands]
        self.assertEqual(verbs, [Verb.ADD, Verb.CHANGE, Verb.DELETE])

    def test_malformed(self) -> None:
        """Another root, nothing to go by, empty Collections, strangers in it: Status 4."""
        wrong = [
            Element("Ping:Ping"),
            sync(),
            air("Sync", air("Collections")),
            air("Sync", air("Collections", air("Folder"))),
            air("Sync", air("Collections", collection()), air("Collections", collection(id="6"))),
            sync(more=(air("Partial"),)),
            sync(more=(air("Wait", 5),)),
            sync(more=(air("WindowSize", 5),)),
            sync(collection(), more=(air("WindowSize", "x"),)),
        ]
        for body in wrong:
            self.assertEqual(self.refused(body), (4, None), body)

    def test_sameCollectionTwice(self) -> None:
        """Two collections with one CollectionId: Status 4."""
        self.assertEqual(self.refused(sync(collection(), collection(key="2"))), (4, None))

    def test_wait(self) -> None:
        """Wait counts minutes, HeartbeatInterval seconds."""
        self.assertEqual(self.parsed(sync(collection(), more=(air("Wait", 59),))).wait, 59 * 60)
        self.assertEqual(self.parsed(sync(collection(), more=(air("HeartbeatInterval", 60),))).wait, 60)
        self.assertIsNone(self.parsed(sync(collection())).wait)

    def test_waitRange(self) -> None:
        """Out of range: Status 14, with the nearest value that is allowed."""
        for tag, value, limit in (
            ("Wait", 0, 1), ("Wait", -1, 1), ("Wait", 60, 59), ("Wait", 999999999, 59),
            ("HeartbeatInterval", 59, 60), ("HeartbeatInterval", 3541, 3540),
        ):  # fmt: skip
            self.assertEqual(self.refused(sync(collection(), more=(air(tag, value),))), (14, limit))

    def test_waitWrong(self) -> None:
        """Both together, or no number: Status 4."""
        both = (air("Wait", 5), air("HeartbeatInterval", 300))
        self.assertEqual(self.refused(sync(collection(), more=both)), (4, None))
        for wrong in ("", "x", "1.5"):
            self.assertEqual(self.refused(sync(collection(), more=(air("Wait", wrong),))), (4, None))

    def test_versions(self) -> None:
        """What a version does not have is passed over: HeartbeatInterval before 14.0, the others before 12.1."""
        late = (air("HeartbeatInterval", 1), air("Wait", 5))
        self.assertEqual(self.parsed(sync(collection(), more=late), Version.V12_1).wait, 300)
        early = (air("Wait", 99), air("WindowSize", "x"), air("Partial"))
        asked = self.parsed(sync(collection(), more=early), Version.V12_0)
        self.assertEqual((asked.wait, asked.window, asked.partial), (None, None, False))
        self.assertEqual(self.refused(sync(more=(air("Partial"), air("Wait", 5))), Version.V12_0), (4, None))

    def test_window(self) -> None:
        """The WindowSize of the whole request has no default."""
        self.assertEqual(self.parsed(sync(collection(), more=(air("WindowSize", 9),))).window, 9)
        self.assertEqual(self.parsed(sync(collection(), more=(air("WindowSize", 0),))).window, 512)
        self.assertIsNone(self.parsed(sync(collection())).window)

    def test_tooManyCollections(self) -> None:
        """More collections than allowed: Status 15 and how many may be."""
        limits = SyncLimits(collections=2)
        three = [collection(id=str(id)) for id in (5, 6, 7)]
        self.assertEqual(self.refused(sync(*three), limits=limits), (15, 2))
        self.assertEqual(len(self.parsed(sync(*three[:2]), limits=limits).collections), 2)

    def test_tooManyCommands(self) -> None:
        """More than 200 client commands over all collections: Status 4."""

        def commands(count: int) -> Element:
            return air("Commands", *[air("Delete", air("ServerId", f"5:{id}")) for id in range(1, count + 1)])

        self.parsed(sync(collection(commands(150)), collection(commands(50), id="6")))
        self.assertEqual(self.refused(sync(collection(commands(150)), collection(commands(51), id="6"))), (4, None))


class RequestsTests(SynchronousTestCase):
    """The requests that empty and partial ones go on from."""

    LIMITS = SyncLimits(collections=3)

    def setUp(self) -> None:
        self.requests = Requests(size=2)

    def asked(self, *collections: Element, more: tuple[Element, ...] = ()) -> Asked:
        return parse(sync(*collections, more=more), Version.V14_1, self.LIMITS)

    def status(self, asked: Asked | None, device: DeviceKey = ANN) -> int:
        error = self.assertRaises(Refusal, self.requests.completed, device, asked, self.LIMITS)
        return error.status

    def completed(self, asked: Asked | None) -> list[tuple[str, str]]:
        found = self.requests.completed(ANN, asked, self.LIMITS)
        self.assertFalse(found.partial)
        return [(collection.id, collection.key) for collection in found.collections]

    PARTIAL = (air("Partial"), air("HeartbeatInterval", 600))

    def test_nothingKept(self) -> None:
        """Nothing kept: Status 13 for an empty and for a partial request."""
        self.assertEqual(self.status(None), 13)
        self.assertEqual(self.status(self.asked(more=self.PARTIAL)), 13)

    def test_whole(self) -> None:
        """A request that says everything stands for itself."""
        asked = self.asked(collection())
        self.assertIs(self.requests.completed(ANN, asked, self.LIMITS), asked)

    def test_empty(self) -> None:
        """An empty request repeats the one that was answered with nothing, its wait and window included."""
        self.requests.keep(ANN, self.asked(collection(), more=(air("Wait", 5), air("WindowSize", 9))), {})
        self.assertEqual(self.completed(None), [("5", "1")])
        again = self.requests.completed(ANN, None, self.LIMITS)
        self.assertEqual((again.wait, again.window), (300, 9))

    def test_optionsOnce(self) -> None:
        """What is asked for again has no commands, and leaves the options as they are by then."""
        asked = self.asked(collection(air("Options", air("FilterType", 1)), air("Commands")))
        self.requests.keep(ANN, asked, {})
        again = self.requests.completed(ANN, None, self.LIMITS).collections[0]
        self.assertIsNone(again.options(INBOX, Version.V14_1))

    def test_unsureKeys(self) -> None:
        """After an answer with a new key only the client can tell whether it has it: Status 13."""
        self.requests.keep(ANN, self.asked(collection(), collection(id="6")), {"5": "2"})
        self.assertEqual(self.status(None), 13)
        self.assertEqual(self.status(self.asked(collection(id="6"), more=self.PARTIAL)), 13)

    def test_commands(self) -> None:
        """A request that changed something cannot be repeated by an empty one; a Fetch can."""
        delete = air("Commands", air("Delete", air("ServerId", "5:1")))
        self.requests.keep(ANN, self.asked(collection(delete)), {})
        self.assertEqual(self.status(None), 13)
        fetch = air("Commands", air("Fetch", air("ServerId", "5:1")))
        self.requests.keep(ANN, self.asked(collection(fetch)), {})
        self.assertEqual(self.completed(None), [("5", "1")])

    def test_partial(self) -> None:
        """Collections that a partial request does not name are those kept; the named ones are taken from it."""
        self.requests.keep(ANN, self.asked(collection(), collection(id="6"), more=(air("WindowSize", 9),)), {"5": "2"})
        partial = self.asked(collection(key="2"), more=self.PARTIAL)
        self.assertEqual(self.completed(partial), [("6", "1"), ("5", "2")])
        found = self.requests.completed(ANN, partial, self.LIMITS)
        self.assertEqual((found.wait, found.window), (600, 9))

    def test_partialAlone(self) -> None:
        """A partial request that names none goes on with all."""
        self.requests.keep(ANN, self.asked(collection(), collection(id="6")), {})
        self.assertEqual(self.completed(self.asked(more=self.PARTIAL)), [("5", "1"), ("6", "1")])

    def test_partialTooMany(self) -> None:
        """Kept and named together may be too many: Status 15."""
        self.requests.size = 3
        self.requests.keep(ANN, self.asked(*[collection(id=str(id)) for id in (5, 6, 7)]), {})
        self.assertEqual(self.status(self.asked(collection(id="8"), more=self.PARTIAL)), 15)

    def test_dropped(self) -> None:
        """What was dropped is kept no more."""
        self.requests.keep(ANN, self.asked(collection()), {})
        self.requests.drop(ANN)
        self.requests.drop(ANN)
        self.assertEqual(self.status(None), 13)

    def test_bounded(self) -> None:
        """Only the requests of the latest devices are kept, as many as have so many collections together."""
        keys = [DeviceKey("ann", f"phone{number}") for number in range(3)]
        for key in (*keys[:2], keys[0], keys[2]):
            self.requests.keep(key, self.asked(collection()), {})
        self.assertEqual(len(self.requests), 2)
        self.assertEqual(self.status(None, keys[1]), 13)
        for key in (keys[0], keys[2]):
            self.requests.completed(key, None, self.LIMITS)
        self.requests.keep(ANN, self.asked(collection(), collection(id="6")), {})
        self.assertEqual(len(self.requests), 1)
        self.requests.told(ANN, "guid")
        for key in keys:
            self.requests.told(key, "another")
        self.assertEqual([self.requests.knows(key, "another") for key in keys], [False, True, True])
        self.assertFalse(self.requests.knows(ANN, "guid"))
