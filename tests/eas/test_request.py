"""Request line and headers: the plain and the base64 query, the headers, and what is refused with which answer."""

from __future__ import annotations

import base64
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.call import Answer, Version
from gateway.eas.request import MAX_QUERY, BadRequest, Head, Query, parse_query, read_head
from gateway.element import Element

SPECIFIED = b"jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l"
PLAIN = b"Cmd=Sync&User=ann&DeviceId=Phone1&DeviceType=SP"


def packed(
    version: int = 141,
    code: int = 18,
    device: bytes = b"Phone1",
    key: bytes = b"",
    kind: bytes = b"SP",
    rest: bytes = b"",
) -> bytes:
    """A base64 query, not yet encoded."""
    head = bytes((version, code, 0x09, 0x04))
    return head + b"".join(bytes((len(part),)) + part for part in (device, key, kind)) + rest


def encoded(rest: bytes = b"", **fields: object) -> bytes:
    """A base64 query."""
    return base64.b64encode(packed(rest=rest, **fields))  # type: ignore[arg-type]


def headers(**values: str) -> Callable[[bytes], bytes | None]:
    """Headers by name, with underscores for dashes."""
    given = {name.replace("_", "-").lower().encode(): value.encode() for name, value in values.items()}
    return lambda name: given.get(name.lower())


def head(query: bytes, version: str | None = "14.1", **values: str) -> Head:
    """The head of a request with that query and these headers."""
    if version is not None:
        values["MS_ASProtocolVersion"] = version
    return read_head(parse_query(query), headers(**values))


class QueryTestCase(SynchronousTestCase):
    def refused(self, query: bytes, version: str | None = "14.1") -> Answer:
        """The answer to a request that is refused."""
        return self.assertRaises(BadRequest, head, query, version).answer

    def assertStatus(self, answer: Answer, tag: str, status: int) -> None:
        """The answer is a Status under the root of a command."""
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.element, Element(tag, Element(tag.partition(":")[0] + ":Status", status)))


class PlainQueryTests(QueryTestCase):
    def test_fields(self) -> None:
        """Command, user, device and type are read; the device is lower-cased."""
        self.assertEqual(parse_query(PLAIN), Query("Sync", "phone1", "SP", "ann"))

    def test_anyOrder(self) -> None:
        """The order of the fields, and the case of their names, does not matter."""
        parts = PLAIN.split(b"&")
        self.assertEqual(parse_query(b"&".join(reversed(parts))), parse_query(PLAIN))
        self.assertEqual(
            parse_query(PLAIN.replace(b"Cmd", b"CMD").replace(b"DeviceId", b"deviceid")), parse_query(PLAIN)
        )

    def test_escapes(self) -> None:
        """Values are URL-decoded, as UTF-8 or else as Latin-1."""
        for written, user in (
            (b"EXAMPLE%5Cann", "EXAMPLE\\ann"),
            (b"ann%40example.org", "ann@example.org"),
            (b"J%C3%BCrgen", "Jürgen"),
            (b"J%FCrgen", "Jürgen"),
            (b"a+b", "a b"),
            (b"100%", "100%"),
        ):
            self.assertEqual(parse_query(b"Cmd=Sync&User=" + written).user, user)

    def test_parameters(self) -> None:
        """The parameters of commands have their names whatever case was sent; others are ignored."""
        query = parse_query(
            PLAIN + b"&attachmentname=5%3a1%3A0&CollectionId=5&ItemId=7&LongId=x&Occurrence=y&SaveInSent=T&Log=V1"
        )
        self.assertEqual(
            query.parameters,
            {
                "AttachmentName": "5:1:0",
                "CollectionId": "5",
                "ItemId": "7",
                "LongId": "x",
                "Occurrence": "y",
                "SaveInSent": "T",
            },
        )

    def test_firstOfSeveralCounts(self) -> None:
        """A field that is sent twice is read once."""
        self.assertEqual(parse_query(b"Cmd=Ping&Cmd=Sync&cmd=Search").command, "Ping")

    def test_saysNothingElse(self) -> None:
        """Version, policy key, multipart and locale are not in this form."""
        query = parse_query(PLAIN)
        self.assertEqual((query.version, query.policy_key, query.multipart, query.locale), (None, None, None, None))

    def test_commandIsNoName(self) -> None:
        """What cannot be a command is HTTP 400 and never reaches a log."""
        for name in (b"", b"Sy%0Anc", b"S" * 33, b"%C3%BC"):
            self.assertEqual(self.refused(b"Cmd=" + name + b"&DeviceId=a&DeviceType=b").status, 400)


class Base64QueryTests(QueryTestCase):
    def test_specified(self) -> None:
        """The example of the specification means what it says."""
        query = parse_query(SPECIFIED)
        self.assertEqual(query, Query("Sync", "v140device", "SmartPhone", version="14.0", locale=0x0409))
        plain = head(b"Cmd=Sync&DeviceId=v140Device&DeviceType=SmartPhone", "14.0")
        self.assertEqual(head(SPECIFIED, None), plain)

    def test_escaped(self) -> None:
        """The three characters that are not safe in a URL may be escaped; a plus sign is no space."""
        query = encoded(b"", device=b"abc", kind=b"SP\xfb\xef\xbe\xff\xff\xffx")
        self.assertIn(b"+", query)
        self.assertIn(b"/", query)
        self.assertIn(b"=", query)
        escaped = query.replace(b"+", b"%2B").replace(b"/", b"%2f").replace(b"=", b"%3D")
        for form in (query, escaped, query.replace(b"+", b" "), query.rstrip(b"=")):
            self.assertEqual(parse_query(form).device_type, "SPûï¾ÿÿÿx")

    def test_padding(self) -> None:
        """Padding may be there or not, for each length."""
        for kind in (b"a", b"ab", b"abc"):
            query = encoded(b"", kind=kind)
            self.assertEqual(parse_query(query).device_type, kind.decode())
            self.assertEqual(parse_query(query.rstrip(b"=")).device_type, kind.decode())

    def test_versions(self) -> None:
        """The version is a number, ten times the one that is meant."""
        for number, version in (
            (120, "12.0"),
            (121, "12.1"),
            (140, "14.0"),
            (141, "14.1"),
            (160, "16.0"),
            (161, "16.1"),
        ):
            self.assertEqual(str(head(encoded(version=number), None).version), version)

    def test_policyKey(self) -> None:
        """No key, and a key of four bytes, the lowest first; any other length is HTTP 400."""
        self.assertIsNone(parse_query(encoded()).policy_key)
        self.assertEqual(parse_query(encoded(key=b"\0\0\0\0")).policy_key, 0)
        self.assertEqual(parse_query(encoded(key=b"\x20\x1c\xea\x4d")).policy_key, 1307188256)
        self.assertEqual(parse_query(encoded(key=b"\xff\xff\xff\xff")).policy_key, 0xFFFFFFFF)
        for key in (b"\0", b"\0\0\0", b"\0\0\0\0\0"):
            self.assertEqual(self.refused(encoded(key=key)).status, 400)

    def test_deviceIds(self) -> None:
        """Letters and digits are text, anything else is a GUID; both in lower case."""
        guid = bytes.fromhex("00FFA1B2C3D4E5F60718293A4B5C6D7E")
        for raw, device in ((b"ApplDNPX", "appldnpx"), (guid, guid.hex()), (b"a-b", "612d62")):
            self.assertEqual(parse_query(encoded(device=raw)).device, device)

    def test_longDeviceIds(self) -> None:
        """What is longer than a GUID is the text that it would be in the plain form; in hexadecimal it has no room."""
        query = parse_query(encoded(device=b"Go-ActiveSync-example"))
        self.assertEqual(query.device, "go-activesync-example")
        self.assertEqual(parse_query(encoded(device=b"go activesync example")).device, b"go activesync example".hex())

    def test_parameters(self) -> None:
        """Tagged values get the names that they have in the plain form; a User is read too."""
        values = {0: b"5:1:0", 1: b"5", 2: b"old", 3: b"7", 4: b"x", 5: b"old", 6: b"y", 8: b"EXAMPLE\\ann", 99: b""}
        query = parse_query(encoded(b"".join(bytes((tag, len(value))) + value for tag, value in values.items())))
        self.assertEqual(query.user, "EXAMPLE\\ann")
        self.assertEqual(
            query.parameters,
            {"AttachmentName": "5:1:0", "CollectionId": "5", "ItemId": "7", "LongId": "x", "Occurrence": "y"},
        )

    def test_options(self) -> None:
        """Options is a byte of flags: save in sent, accept multipart."""
        for flags, save, multipart in ((0, "F", False), (1, "T", False), (2, "F", True), (3, "T", True)):
            query = parse_query(encoded(bytes((7, 1, flags))))
            self.assertEqual((query.parameters, query.multipart), ({"SaveInSent": save}, multipart))
        for rest in (b"", b"\x07\x00"):
            query = parse_query(encoded(rest))
            self.assertEqual((query.parameters, query.multipart), ({}, None))

    def test_cutShort(self) -> None:
        """A length that runs past the end is HTTP 400, wherever it is."""
        whole = packed(key=b"abcd", rest=b"\x01\x015")
        parse_query(base64.b64encode(whole))
        complete = (len(whole), len(whole) - 3)
        for length in range(1, len(whole)):
            if length not in complete:
                self.assertEqual(self.refused(base64.b64encode(whole[:length])).status, 400)

    def test_unknownCodes(self) -> None:
        """Codes without a command, 5 to 8 among them, are not supported."""
        for code in (5, 6, 7, 8, 24, 255):
            for version in (121, 141):
                answer = self.refused(encoded(code=code, version=version), None)
                self.assertEqual((answer.status, answer.element), (501, None))

    def test_neither(self) -> None:
        """What is neither plain nor base64 is HTTP 400."""
        for query in (b"", b"User=ann", b"=", b"====", b"abc!", b"a", b"jAAJ=BAp2", b"\xff", b"%00"):
            self.assertEqual(self.refused(query).status, 400)


class BoundTests(QueryTestCase):
    def test_length(self) -> None:
        """A query is read up to its limit, and refused with HTTP 400 beyond."""
        query = PLAIN + b"&LongId="
        query += b"x" * (MAX_QUERY - len(query))
        self.assertEqual(parse_query(query).command, "Sync")
        self.assertEqual(self.refused(query + b"x").status, 400)

    def test_fields(self) -> None:
        """Thirty-two fields are read; more are HTTP 400."""
        query = b"Cmd=Sync" + b"&a=b" * 31
        self.assertEqual(parse_query(query).command, "Sync")
        self.assertEqual(self.refused(query + b"&a=b").status, 400)

    @settings(max_examples=80, deadline=None, derandomize=True, database=None)
    @given(
        st.binary(max_size=60)
        | st.binary(max_size=60).map(base64.b64encode)
        | st.binary(max_size=20).map(lambda rest: encoded(rest))
        | st.text("Cmd=&%DeviceIdTypUsr+/0Aé", max_size=60).map(str.encode),
        st.text(max_size=6),
    )
    def test_anything(self, query: bytes, version: str) -> None:
        """Any bytes are a head or are refused with an answer."""
        try:
            read_head(parse_query(query), headers(MS_ASProtocolVersion=version.encode(errors="replace").decode()))
        except BadRequest as bad:
            self.assertTrue(bad.answer.status >= 400 or bad.answer.element is not None)


class HeadTests(QueryTestCase):
    def test_plain(self) -> None:
        """A plain query is completed by the headers."""
        self.assertEqual(
            head(PLAIN, "12.1", X_MS_PolicyKey="1307199584", MS_ASAcceptMultiPart="T"),
            Head("Sync", Version.V12_1, "phone1", "SP", "ann", 1307199584, True),
        )

    def test_queryWins(self) -> None:
        """Where the base64 query says something the headers do not count."""
        query = encoded(b"\x07\x01\x00", key=b"\x01\0\0\0")
        found = head(query, "2.5", X_MS_PolicyKey="2", MS_ASAcceptMultiPart="T")
        self.assertEqual((found.version, found.policy_key, found.multipart), (Version.V14_1, 1, False))

    def test_noVersionInTheQuery(self) -> None:
        """Where the base64 query says a version that there is not, that of the header counts, if there is one."""
        self.assertIs(head(encoded(version=145), "14.1").version, Version.V14_1)
        for told in (None, "", "14.5"):
            self.assertEqual(self.refused(encoded(version=145), told).status, 400)

    def test_headersFillWhatTheQueryLacks(self) -> None:
        """Policy key and multipart of the headers count beside a base64 query without them."""
        found = head(encoded(), None, X_MS_PolicyKey="2", MS_ASAcceptMultiPart="T")
        self.assertEqual((found.policy_key, found.multipart), (2, True))

    def test_policyKeys(self) -> None:
        """A key is a decimal number of 32 bits; anything else is the key 0, none at all is C{None}."""
        for text, key in (
            ("0", 0),
            ("4294967295", 4294967295),
            (" 7 ", 7),
            ("", None),
            ("4294967296", 0),
            ("99999999999", 0),
            ("-1", 0),
            ("x", 0),
            ("²", 0),
        ):
            self.assertEqual(head(PLAIN, X_MS_PolicyKey=text).policy_key, key)
        self.assertIsNone(head(PLAIN).policy_key)

    def test_everyVersion(self) -> None:
        """All seven versions are known by their header, with blanks around it too."""
        for version in Version:
            self.assertIs(head(PLAIN, str(version)).version, version)
            self.assertIs(head(PLAIN, f" {version} ").version, version)

    def test_missingVersion(self) -> None:
        """Without a version a request is of 2.5 if that has the command; otherwise it is HTTP 400."""
        self.assertIs(head(PLAIN, None).version, Version.V2_5)
        for command in (b"Settings", b"Find", b"Sing"):
            self.assertEqual(self.refused(PLAIN.replace(b"Sync", command), None).status, 400)

    def test_unsupportedVersion(self) -> None:
        """A version that is none of ours: HTTP 400, and 505 for 1.0."""
        for version, status in (
            ("14.2", 400),
            ("16.2", 400),
            ("19.1", 400),
            ("99.9", 400),
            ("1.0", 505),
            ("2.0", 400),
            ("2.1", 400),
            ("12.2", 400),
            ("x", 400),
            ("14", 400),
            ("14.10", 400),
        ):
            answer = self.refused(PLAIN, version)
            self.assertEqual((answer.status, answer.element), (status, None))
        self.assertEqual(self.refused(encoded(version=191), None).status, 400)
        self.assertEqual(self.refused(encoded(version=10), None).status, 505)

    def test_unknownCommand(self) -> None:
        """A command that does not exist is HTTP 501 in every version, for it has no root."""
        for version in ("2.5", "12.1", "14.1", "16.1"):
            self.assertEqual(self.refused(PLAIN.replace(b"Sync", b"Sing"), version).status, 501)

    def test_commandOfAnotherVersion(self) -> None:
        """A command that the version does not have: Status 138, before 14.0 and without a root HTTP 400."""
        self.assertStatus(self.refused(PLAIN.replace(b"Sync", b"Find"), "14.1"), "Find:Find", 138)
        self.assertEqual(self.refused(PLAIN.replace(b"Sync", b"Settings"), "2.5").status, 400)
        self.assertEqual(self.refused(PLAIN.replace(b"Sync", b"GetAttachment"), "14.0").status, 400)

    def test_deviceIds(self) -> None:
        """A device id has 1 to 32 letters and digits (or a hyphen inside and the like): else Status 108, before 14.0 HTTP 400."""
        for device in (b"a", b"A" * 32, b"0123456789", b"some-client", b"a_b.c"):
            self.assertEqual(head(PLAIN.replace(b"Phone1", device)).device, device.decode().lower())
        for device in (b"", b"A" * 33, b"-a", b"a,b", b"a%0A", b"%C3%BC", b"a+b"):
            query = PLAIN.replace(b"Phone1", device)
            self.assertStatus(self.refused(query), "AirSync:Sync", 108)
            self.assertEqual(self.refused(query, "12.1").status, 400)
        self.assertStatus(self.refused(b"Cmd=Ping&DeviceType=SP"), "Ping:Ping", 108)
        self.assertStatus(self.refused(encoded(device=b""), None), "Ping:Ping", 108)
        self.assertStatus(self.refused(encoded(device=b"\xff" * 17), None), "Ping:Ping", 108)

    def test_deviceTypes(self) -> None:
        """A device type has 1 to 32 printable characters: else Status 109, before 14.0 HTTP 400."""
        for kind in (b"SP", b"iPhone", b"Windows+Phone", b"x" * 32):
            self.assertEqual(head(PLAIN.replace(b"SP", kind)).device_type, kind.decode().replace("+", " "))
        for kind in (b"", b"a%00", b"a%0Db", b"x" * 33):
            query = PLAIN.replace(b"SP", kind)
            self.assertStatus(self.refused(query), "AirSync:Sync", 109)
            self.assertEqual(self.refused(query, "2.5").status, 400)
        self.assertStatus(self.refused(b"Cmd=Ping&DeviceId=a"), "Ping:Ping", 109)
