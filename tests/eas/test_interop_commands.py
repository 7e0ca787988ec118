"""What the protocol's owner asks of the other commands, and of HTTP, in its interoperability suites."""

from __future__ import annotations

import base64
import gzip

from gateway.eas import wbxml
from gateway.element import Element
from gateway.model import FolderType, FoundFolder
from tests.eas.interop import (
    DAY,
    MAIL,
    SINCE_14,
    VERSIONS,
    Client,
    InteropCase,
    air,
    options,
    server_commands,
)
from tests.support import FOLDERS, WBXML, HTTPAnswer, status_of

HELLO = MAIL.format("Hello", "Hi.")
EVERY = ("2.5", "12.0", *VERSIONS)


def own_status(answer: Element | None) -> str | None:
    """The Status of an answer as a whole."""
    return None if answer is None else answer.text_of(f"{answer.tag.split(':')[0]}:Status")


def hierarchy(*children: Element) -> Element:
    """The body of a FolderSync."""
    return Element("FolderHierarchy:FolderSync", *children)


KEY_0 = hierarchy(Element("FolderHierarchy:SyncKey", "0"))


class FolderSyncTests(InteropCase):
    """FolderSync ([MS-ASCMD] 2.2.1.5)."""

    def test_keys(self) -> None:
        """A SyncKey that is empty or was not given is Status 9, none at all Status 10 (2.2.3.177.5)."""

        def check(phone: Client, _: int) -> None:
            for children, expected in (
                ([Element("FolderHierarchy:SyncKey")], "9"),
                ([Element("FolderHierarchy:SyncKey", "12345")], "9"),
                ([], "10"),
            ):
                self.assertEqual(own_status(phone.ask("FolderSync", hierarchy(*children))), expected)

        self.each(EVERY, check)

    def test_unknown(self) -> None:
        """What does not belong there, known or not, is Status 102 (2.2.2)."""
        open_root, close = b"\x03\x01\x6a\x00\x00\x07\x56", b"\x030\x00\x01\x01"

        def check(phone: Client, _: int) -> None:
            for body in (
                open_root + b"\xff" + close,
                open_root + b"\x7f" + close,
                hierarchy(Element("AirSyncBase:FileReference", "0")),
            ):
                self.assertEqual(own_status(phone.ask("FolderSync", body)), "102")

        self.each(SINCE_14, check)

    def test_changes(self) -> None:
        """A folder that is new, renamed or gone is told once, and Count is how many there are (2.2.3.37)."""

        def check(phone: Client, _: int) -> None:
            key = phone.folder_sync().text_of("FolderHierarchy:SyncKey") or ""
            new = FoundFolder(".New", "New", FolderType.USER_MAIL)
            renamed = FoundFolder(".New", "Newer", FolderType.USER_MAIL)
            for found, verb in (([new], "Add"), ([renamed], "Update"), ([], "Delete"), ([], None)):
                phone.world.result(phone.world.store.record_hierarchy("ann", [*FOLDERS, *found]))
                answer = phone.folder_sync(key)
                key = answer.text_of("FolderHierarchy:SyncKey") or ""
                changes = answer.child("FolderHierarchy:Changes")
                assert changes is not None
                self.assertEqual([child.name for child in changes], ["Count", *([verb] if verb else [])])
                self.assertEqual(changes.text_of("FolderHierarchy:Count"), str(int(verb is not None)))

        self.each(EVERY, check)


class EstimateTests(InteropCase):
    """GetItemEstimate ([MS-ASCMD] 2.2.1.9)."""

    def ask(self, phone: Client, inbox: int | str, *more: Element, key: str | None = None) -> tuple[str | None, ...]:
        """The Status of the answer, and Status and Estimate of its only Response."""
        folder = Element("GetItemEstimate:CollectionId", inbox)
        wanted = air("SyncKey", phone.keys.get(int(inbox), "") if key is None else key)
        answer = phone.estimate(Element("GetItemEstimate:Collection", wanted, folder, *more))
        response = answer.child("GetItemEstimate:Response")
        if response is None:
            return own_status(answer), None, None
        collection = response.child("GetItemEstimate:Collection")
        count = None if collection is None else collection.text_of("GetItemEstimate:Estimate")
        return own_status(answer), response.text_of("GetItemEstimate:Status"), count

    def test_filters(self) -> None:
        """The mails in the window; a filter for tasks or calendars is 110, an unknown one 103 (2.2.3.68.1)."""

        def check(phone: Client, inbox: int) -> None:
            phone.world.arrive(inbox, "old", age=20 * DAY)
            phone.sync(inbox, key="0")
            for given, expected in (
                (0, (None, "1", "3")),
                (1, (None, "1", "2")),
                (4, (None, "1", "2")),
                (5, (None, "1", "3")),
                (6, ("110", None, None)),
                (7, ("110", None, None)),
                (8, ("110", None, None)),
                (9, (None, "103", None)),
            ):
                self.assertEqual(self.ask(phone, inbox, options(air("FilterType", given))), expected, given)

        self.each(SINCE_14, check, HELLO, HELLO)

    def test_keys(self) -> None:
        """Key 0 is Status 3, one that was not given or is another folder's Status 4 (2.2.3.177.7)."""

        def check(phone: Client, inbox: int) -> None:
            trash = phone.world.mailbox()[".Trash"]
            phone.begin(inbox)
            self.assertEqual(self.ask(phone, inbox, key="0")[1], "3")
            self.assertEqual(self.ask(phone, inbox, key="invalid")[1], "4")
            phone.sync(trash, key="0")
            self.assertEqual(self.ask(phone, trash, key=phone.keys[inbox])[1], "4")

        self.each(SINCE_14, check, HELLO)

    def test_several(self) -> None:
        """A folder that is not there is Status 2, and the others are counted all the same."""

        def check(phone: Client, inbox: int) -> None:
            phone.sync(inbox, key="0")
            key = air("SyncKey", phone.keys[inbox])
            wanted = [Element("GetItemEstimate:CollectionId", id) for id in (inbox, "InvalidCollectionId")]
            answer = phone.estimate(*(Element("GetItemEstimate:Collection", key, folder) for folder in wanted))
            found = [child.text_of("GetItemEstimate:Status") for child in answer.all("GetItemEstimate:Response")]
            self.assertEqual(found, ["1", "2"])

        self.each(SINCE_14, check, HELLO)

    def test_tooMany(self) -> None:
        """More than a thousand collections are 103 (2.2.3.30.2)."""
        one = Element("GetItemEstimate:Collection", air("SyncKey", "1"), Element("GetItemEstimate:CollectionId", "1"))
        self.each(SINCE_14, lambda phone, _: self.assertEqual(own_status(phone.estimate(*[one] * 1001)), "103"))

    def test_classes(self) -> None:
        """Email and SMS are a pair; other classes together are Status 4 (2.2.3.27.3)."""

        def check(phone: Client, inbox: int) -> None:
            phone.sync(inbox, key="0")
            for first, second, expected in (
                ("Email", "SMS", (None, "1", "1")),
                ("Tasks", "Contacts", ("4", None, None)),
            ):
                both = [options(air("Class", name)) for name in (first, second)]
                self.assertEqual(self.ask(phone, inbox, *both), expected)

        self.each(SINCE_14, check, HELLO)

    def test_sameAsSync(self) -> None:
        """As many as are estimated are brought by the next Sync."""

        def check(phone: Client, inbox: int) -> None:
            phone.sync(inbox, key="0")
            _, _, count = self.ask(phone, inbox, options(air("Class", "Email")))
            self.assertEqual(count, str(len(server_commands(phone.sync(inbox)))))

        self.each(SINCE_14, check, HELLO, HELLO)


class PingTests(InteropCase):
    """Ping ([MS-ASCMD] 2.2.1.13)."""

    def test_forms(self) -> None:
        """A Ping with nothing in it is Status 4; without folders, when none are known, Status 3 (2.2.3.177.11)."""

        def check(phone: Client, _: int) -> None:
            self.assertEqual(status_of(phone.post("Ping", Element("Ping:Ping"))), "4")
            self.assertEqual(status_of(phone.ping(80)), "3")
            self.assertEqual(status_of(phone.ping(None)), "3")

        self.each(EVERY, check)

    def test_heartbeat(self) -> None:
        """An interval that is out of bounds, or no number, is Status 5 with the nearest (2.2.3.79.1)."""

        def check(phone: Client, inbox: int) -> None:
            for given, nearest in ((-100, "60"), (59, "60"), (6000000, "2700")):
                (answer,) = phone.ping(given, inbox)
                self.assertEqual(status_of([answer]), "5")
                self.assertEqual(answer.element.text_of("Ping:HeartbeatInterval"), nearest)

        self.each(EVERY, check)

    def test_hierarchy(self) -> None:
        """Status 7 before the first FolderSync and after a change of the folders."""
        for version in EVERY:
            phone, inbox = self.client(version)
            self.assertEqual(status_of(phone.ping(80, inbox)), "7")
            phone.folder_sync()
            phone.begin(inbox)
            new = FoundFolder(".New", "New", FolderType.USER_MAIL)
            phone.world.result(phone.world.store.record_hierarchy("ann", [*FOLDERS, new]))
            self.assertEqual(status_of(phone.ping(80, inbox)), "7")

    def test_again(self) -> None:
        """A Ping without a body repeats the one before; without news both end with Status 1."""

        def check(phone: Client, inbox: int) -> None:
            phone.begin(inbox)
            for answers in (phone.ping(60, inbox), phone.post("Ping")):
                self.assertEqual(answers, [])
                phone.world.clock.advance(60)
                self.assertEqual(status_of(phone.connection.answers()), "1")

        self.each(VERSIONS, check, HELLO)


class HTTPTests(InteropCase):
    """HTTP ([MS-ASHTTP])."""

    def send(self, phone: Client, body: Element | bytes | None = KEY_0, query: str = "", **headers: str) -> HTTPAnswer:
        """A FolderSync with these headers."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        (answer,) = phone.post("FolderSync", body, fields, query or None)
        return answer

    def test_compressed(self) -> None:
        """An answer is compressed if the phone takes that, and not if it does not say so (2.2.1.1.2.1)."""

        def check(phone: Client, _: int) -> None:
            plain = self.send(phone)
            self.assertNotIn("content-encoding", plain.headers)
            packed = self.send(phone, Accept_Encoding="gzip")
            self.assertEqual(packed.headers["content-encoding"], "gzip")
            found = [wbxml.decode(gzip.decompress(packed.body)), plain.element]
            one, other = (element.child("FolderHierarchy:Changes") for element in found)
            self.assertTrue(one and one == other)

        self.each(("12.1", "14.1"), check)

    def test_headers(self) -> None:
        """An answer says what it is; the first FolderSync is told versions and commands (2.2.1.1.2.2, 2.2.1.1.2.4)."""

        def check(phone: Client, _: int) -> None:
            headers = self.send(phone).headers
            self.assertEqual(headers["content-type"], WBXML)
            for name in ("x-ms-rp", "ms-asprotocolversions", "ms-asprotocolcommands"):
                self.assertTrue(headers[name], name)

        self.each(EVERY, check)

    def test_versions(self) -> None:
        """A version that does not exist is HTTP 400, in both forms of the request line (2.2.2.1.2)."""

        def check(phone: Client, _: int) -> None:
            coded = base64.b64encode(b"\xbf\x09\x09\x04\x02d1\0\x02SP").decode()
            self.assertEqual(self.send(phone, query=coded, MS_ASProtocolVersion="").status, 400)
            self.assertEqual(self.send(phone, MS_ASProtocolVersion="19.1").status, 400)

        self.each(("14.1",), check)

    def test_unknown(self) -> None:
        """A command that does not exist is HTTP 501, another address HTTP 404, wrong credentials HTTP 401."""

        def check(phone: Client, _: int) -> None:
            self.assertEqual(phone.http("NotExist", KEY_0).status, 501)
            self.assertEqual(self.send(phone, Authorization="").status, 401)
            phone.password = "wrong"
            self.assertEqual(self.send(phone).status, 401)
            phone.connection.send(b"POST /NotSupport/Microsoft-Server-ActiveSync HTTP/1.1\r\nHost: x\r\n\r\n")
            (answer,) = phone.connection.answers()
            self.assertEqual(answer.status, 404)

        self.each(VERSIONS, check)

    def test_device(self) -> None:
        """DeviceId and DeviceType that are too long are Status 108 and 109 ([MS-ASCMD] 2.2.2)."""
        long = "123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

        def check(phone: Client, _: int) -> None:
            for device, kind, expected in ((long, "SP", "108"), ("d1", long, "109")):
                query = f"Cmd=FolderSync&User=ann&DeviceId={device}&DeviceType={kind}"
                self.assertEqual(own_status(self.send(phone, query=query).element), expected)

        self.each(SINCE_14, check)

    def test_noDocument(self) -> None:
        """A body that is no WBXML is Status 101, before 14.0 HTTP 400 ([MS-ASCMD] 2.2.2)."""

        def check(phone: Client, _: int) -> None:
            answer = self.send(phone, b"hello", Content_Type="text/plain")
            if phone.version == "12.1":
                self.assertEqual(answer.status, 400)
            else:
                self.assertEqual(own_status(answer.element), "101")

        self.each(VERSIONS, check)
