"""The endpoint over HTTP in memory: paths, methods, OPTIONS, what answers look like, who is told what became of them."""

from __future__ import annotations

import gc
import weakref
from base64 import b64encode
from collections.abc import Iterable
from ipaddress import ip_network
from traceback import clear_frames

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from gateway.eas import wbxml
from gateway.eas.access import AccessLog
from gateway.eas.call import Answer, Call, Refused
from gateway.eas.dispatch import Arrival
from gateway.eas.http import PATH as LOWER_PATH
from gateway.eas.http import TrustedProxies, client_address
from gateway.eas.incoming import IN_MEMORY, Content, DeviceRequest, Fields, Incoming
from gateway.element import Element
from tests.eas.lane import SYNC, LaneCase, Told, query, raw
from tests.support import PATH, WBXML, Connection, basic

EVERY_VERSION = "2.5,12.0,12.1,14.0,14.1,16.0,16.1"
BIG = Answer(raw=bytes(range(256)) * 8, content_type="image/png")


class OptionsTests(LaneCase):
    """[MS-ASHTTP] 2.2.3."""

    def test_capabilities(self) -> None:
        """OPTIONS lists the versions ascending and without blanks, and the commands that work and no others."""
        answer = self.ask("OPTIONS")
        self.assertEqual(
            {name: value for name, value in answer.headers.items() if name != "date"},
            {
                "ms-asprotocolversions": EVERY_VERSION,
                "ms-asprotocolcommands": "Sync,Ping",
                "ms-server-activesync": "16.1",
                "public": "OPTIONS,POST",
                "allow": "OPTIONS,POST",
                "cache-control": "private",
                "content-length": "0",
            },
        )
        self.assertEqual((answer.status, answer.body), (200, b""))

    def test_namesAsTheSpecificationWritesThem(self) -> None:
        """Header names keep the specification's letters, for clients that compare them so."""
        connection = self.connect()
        connection.send(raw("OPTIONS"))
        head = connection.transport.value()
        self.assertIn(b"\r\nMS-ASProtocolVersions: ", head)
        self.assertIn(b"\r\nMS-ASProtocolCommands: ", head)
        self.assertIn(b"\r\nMS-Server-ActiveSync: ", head)

    def test_withoutCredentials(self) -> None:
        """OPTIONS without credentials is 401 and says how to come in."""
        answer = self.ask("OPTIONS", Authorization=None)
        self.assertEqual((answer.status, answer.headers["www-authenticate"]), (401, 'Basic realm="pushgw"'))

    def test_queryIsIgnored(self) -> None:
        """A query of OPTIONS means nothing."""
        self.assertEqual(self.ask("OPTIONS", f"{PATH}?Cmd=OPTIONS&User=bob&DeviceId=!").status, 200)

    def test_line(self) -> None:
        """OPTIONS has an access line of its own."""
        self.ask("OPTIONS")
        (entry, http, _), *more = self.lines
        self.assertEqual((entry.command, entry.user, http, more), ("OPTIONS", "ann", 200, []))

    def test_clientLeaves(self) -> None:
        """A client that leaves while its password is verified is noted with HTTP 0."""
        self.world.dispatcher.authenticator = Slow()
        connection = self.connect()
        connection.send(raw("OPTIONS"))
        connection.lose()
        self.assertEqual(self.http(), [0])


class Slow:
    """An authenticator that never comes to an end."""

    def check(self, user: str, password: str, address: str) -> Deferred[str]:
        """Wait."""
        return Deferred()


class PathTests(LaneCase):
    def test_forms(self) -> None:
        """The path counts in any case of letters, with a trailing slash, with default.eas, escaped, with a host."""
        for path in (
            PATH,
            PATH.lower(),
            PATH.upper(),
            PATH + "/",
            PATH + "/default.eas",
            PATH + "/Default.EAS",
            PATH + "/default.eas/",
            "/Microsoft%2DServer-ActiveSync",
            "https://mail.example.org" + PATH,
            "HTTP://mail.example.org:8443" + PATH + "/",
        ):
            self.assertEqual(self.ask("OPTIONS", path).status, 200, path)
            self.assertEqual(self.ask("POST", f"{path}?{query()}", body=SYNC).status, 200, path)

    def test_others(self) -> None:
        """Any other path is 404, with a line of plain text for who looks."""
        for path in ("/", "*", "/favicon.ico", PATH + "x", PATH + "/other", "/x" + PATH, "//" + PATH[1:], "/%00", "/%"):
            for method in ("OPTIONS", "GET", "POST"):
                answer = self.ask(method, path)
                self.assertEqual((answer.status, answer.reason), (404, "Not Found"), path)
                self.assertEqual(answer.headers["content-type"], "text/plain; charset=utf-8")
                self.assertIn(b"/Microsoft-Server-ActiveSync", answer.body)
        self.assertEqual(self.lines, [])

    def test_addressInTheQuery(self) -> None:
        """What looks like an address in the query is left alone."""
        self.assertEqual(self.ask("POST", f"{PATH}?{query()}&ItemId=http://y/z", body=SYNC).status, 200)
        self.assertEqual(self.sync.calls[0].parameters["ItemId"], "http://y/z")

    def test_constant(self) -> None:
        """The path is that of the specification."""
        self.assertEqual(LOWER_PATH.decode(), PATH.lower())


class MethodTests(LaneCase):
    def test_known(self) -> None:
        """Methods of HTTP other than OPTIONS and POST are 405, and are told which there are."""
        for method in ("GET", "PUT", "DELETE", "PATCH", "TRACE"):
            answer = self.ask(method)
            self.assertEqual((answer.status, answer.headers["allow"]), (405, "OPTIONS,POST"), method)
            self.assertEqual(answer.headers["content-type"], "text/plain; charset=utf-8")

    def test_unknown(self) -> None:
        """Methods that HTTP does not know, or writes otherwise, are 501."""
        for method in ("PROPFIND", "BREW", "post"):
            answer = self.ask(method)
            self.assertEqual((answer.status, answer.headers["allow"]), (501, "OPTIONS,POST"), method)

    def test_head(self) -> None:
        """HEAD is 405 and has no body, here and elsewhere."""
        for path, status in ((PATH, 405), ("/", 404)):
            answer = self.ask("HEAD", path)
            self.assertEqual((answer.status, answer.headers["content-length"], answer.body), (status, "0", b""))

    def test_connectionStays(self) -> None:
        """After such an answer the connection takes the next request."""
        connection = self.connect()
        connection.send(raw("GET") + raw("OPTIONS"))
        self.assertEqual([answer.status for answer in connection.answers()], [405, 200])


class AnswerTests(LaneCase):
    """[MS-ASHTTP] 2.2.2: what an answer looks like."""

    def test_document(self) -> None:
        """A document is application/vnd.ms-sync.wbxml without parameter, private, with its length, not chunked."""
        answer = self.post()
        self.assertEqual(answer.headers["content-type"], WBXML)
        self.assertEqual(answer.headers["cache-control"], "private")
        self.assertEqual(answer.headers["content-length"], str(len(answer.body)))
        self.assertEqual(answer.headers["ms-server-activesync"], "16.1")
        self.assertNotIn("transfer-encoding", answer.headers)
        self.assertEqual(answer.body, wbxml.encode(Element("AirSync:Sync")))

    def test_empty(self) -> None:
        """An empty 200 has no Content-Type at all, and Content-Length 0."""
        self.sync.answer = Answer()
        answer = self.post()
        self.assertEqual((answer.status, answer.headers["content-length"]), (200, "0"))
        self.assertNotIn("content-type", answer.headers)

    def test_raw(self) -> None:
        """Bytes go out with the type that the command says, as they are."""
        self.sync.answer = BIG
        answer = self.post()
        self.assertEqual((answer.headers["content-type"], answer.body), ("image/png", BIG.raw))

    def test_everyError(self) -> None:
        """Every error answer has its length, and an empty one never a Content-Type."""
        for status, fields in {401: {"Authorization": None}, 403: {"target": f"{PATH}?{query(User='bob')}"}}.items():
            answer = self.post(**fields)
            self.assertEqual((answer.status, answer.headers["content-length"], answer.body), (status, "0", b""))
            self.assertNotIn("content-type", answer.headers)
            self.assertEqual(answer.headers["cache-control"], "private")

    def test_date(self) -> None:
        """The Date is that of the answer, not of the request that waited for it."""
        self.sync.answer = None
        connection = self.connect()
        connection.send(raw(body=SYNC))
        self.world.clock.advance(600)
        self.sync.say(Answer())
        (answer,) = connection.answers()
        self.assertEqual(answer.headers["date"], "Tue, 14 Nov 2023 23:46:40 GMT")

    def test_provision(self) -> None:
        """449 has the reason phrase that clients were taught."""
        self.sync.answer = Refused(142, "provision first")
        answer = self.post(MS_ASProtocolVersion="12.1")
        self.assertEqual((answer.status, answer.reason), (449, "Retry after sending a PROVISION command"))

    def test_reasons(self) -> None:
        """Every status has a reason phrase, also one that nobody knows."""
        for status, reason in {507: "Insufficient Storage", 299: "Unknown"}.items():
            self.sync.answer = Answer(status=status)
            self.assertEqual(self.post().reason, reason)

    def test_noSecondLine(self) -> None:
        """What a header says cannot begin another one."""
        self.sync.answer = Answer(raw=b"x", content_type="text/x\r\nSet-Cookie: a=b\x00\x1b")
        answer = self.post()
        self.assertEqual(answer.headers["content-type"], "text/x  Set-Cookie: a=b")
        self.assertNotIn("set-cookie", answer.headers)

    def test_oneWrite(self) -> None:
        """Head and body leave together: one record, one packet."""
        connection = self.connect()
        writes: list[object] = []
        self.patch(connection.transport, "writeSequence", writes.append)
        self.patch(connection.transport, "write", writes.append)
        connection.send(raw(body=SYNC))
        self.assertEqual(len(writes), 1)


class ConnectionTests(LaneCase):
    """Several requests on one connection."""

    def test_reuse(self) -> None:
        """A connection serves request after request, whatever became of the one before."""
        connection = self.connect()
        for fields, status in (
            ({}, 200),
            ({"Authorization": None}, 401),
            ({"MS_ASProtocolVersion": "9.9"}, 400),
            ({}, 200),
        ):
            connection.send(raw(body=SYNC, **fields))
            self.assertEqual([answer.status for answer in connection.answers()], [status])
            self.assertFalse(connection.closing)
        self.assertEqual(len(self.sync.calls), 2)

    def test_pipelined(self) -> None:
        """Requests sent ahead are answered in their order."""
        connection = self.connect()
        connection.send(raw("OPTIONS") + raw(body=SYNC) + raw(Authorization=None) + raw("OPTIONS"))
        self.assertEqual([answer.status for answer in connection.answers()], [200, 200, 401, 200])

    def test_byteByByte(self) -> None:
        """Requests that come in single bytes are the same requests."""
        connection = self.connect()
        for byte in raw(body=SYNC) + raw("OPTIONS"):
            connection.send(bytes((byte,)))
        self.assertEqual([answer.status for answer in connection.answers()], [200, 200])

    def test_behindAParkedOne(self) -> None:
        """A request behind one that waits on the same connection has its turn when that is answered."""
        self.sync.answer = None
        connection = self.connect()
        connection.send(raw(body=SYNC))
        connection.send(raw("OPTIONS"))
        self.assertEqual(connection.answers(), [])
        self.sync.say(Answer(status=299))
        self.assertEqual([answer.status for answer in connection.answers()], [299, 200])

    def test_toldBeforeTheNext(self) -> None:
        """A command knows that its answer was written before the next request of the connection is looked at."""
        seen: list[list[bool]] = []
        self.world.commands["FolderSync"] = lambda call: seen.append(list(self.sync.heard)) or Told()(call)
        folders = wbxml.encode(Element("FolderHierarchy:FolderSync"))
        behind = raw("POST", f"{PATH}?{query('FolderSync')}", folders)
        connection = self.connect()
        self.sync.answer = self.sync.good()
        connection.send(raw(body=SYNC) + behind)
        self.sync.answer = None
        connection.send(raw(body=SYNC) + behind)
        self.sync.say(self.sync.good())
        self.assertEqual(seen, [[True], [True, True]])

    def test_emptyLine(self) -> None:
        """The empty line that some clients send after a POST is forgiven."""
        connection = self.connect()
        connection.send(raw(body=SYNC) + b"\r\n" + raw("OPTIONS"))
        self.assertEqual([answer.status for answer in connection.answers()], [200, 200])

    def test_close(self) -> None:
        """Who asks for it finds the connection closed after the answer, which says so."""
        for wish in ("close", "Close", "keep-alive, close", "close,TE"):
            connection = self.connect()
            connection.send(raw(body=SYNC, Connection=wish))
            (answer,) = connection.answers()
            self.assertEqual((answer.status, answer.headers["connection"]), (200, "close"), wish)
            self.assertTrue(connection.closing)

    def test_keepAlive(self) -> None:
        """Any other wish leaves the connection open."""
        for wish in ("keep-alive", "Keep-Alive", "closet", ""):
            connection = self.connect()
            connection.send(raw(body=SYNC, Connection=wish))
            (answer,) = connection.answers()
            self.assertNotIn("connection", answer.headers)
            self.assertFalse(connection.closing, wish)

    def test_http10(self) -> None:
        """A client of HTTP/1.0 is answered, also late and without a Host, and the connection is closed."""
        self.sync.answer = None
        connection = self.connect()
        connection.send(raw(body=SYNC, version="HTTP/1.0", Host=None))
        self.sync.say(Answer(element=Element("AirSync:Sync")))
        (answer,) = connection.answers()
        self.assertEqual((answer.status, answer.headers["content-length"]), (200, "5"))
        self.assertTrue(connection.closing)

    def test_noHost(self) -> None:
        """The name of the host is not needed."""
        self.assertEqual(self.post(Host=None).status, 200)

    def test_chunked(self) -> None:
        """A chunked body is a body, with extensions and trailers too."""
        data = b"%x;name=value\r\n%b\r\n2\r\n%b\r\n0\r\nX-Trailer: 1\r\n\r\n" % (len(SYNC) - 2, SYNC[:-2], SYNC[-2:])
        head = raw(Content_Length=None, Transfer_Encoding="chunked", Content_Type=WBXML)
        connection = self.connect()
        connection.send(head + data + raw("OPTIONS"))
        self.assertEqual([answer.status for answer in connection.answers()], [200, 200])
        self.assertEqual(self.sync.calls[0].body, wbxml.decode(SYNC))

    def test_expect(self) -> None:
        """Who asks whether to send the body is told to, and is answered after it."""
        connection = self.connect()
        head, _, body = raw(body=SYNC, Expect="100-continue").partition(b"\r\n\r\n")
        connection.send(head + b"\r\n\r\n")
        self.assertEqual([answer.status for answer in connection.answers()], [100])
        connection.send(body)
        self.assertEqual([answer.status for answer in connection.answers()], [200])

    def test_expectWithoutCredentials(self) -> None:
        """Without credentials the answer after the body is 401, with the way in."""
        connection = self.connect()
        connection.send(raw(body=SYNC, Expect="100-continue", Authorization=None))
        first, answer = connection.answers()
        self.assertEqual((first.status, answer.status), (100, 401))
        self.assertEqual(answer.headers["www-authenticate"], 'Basic realm="pushgw"')

    def test_negotiation(self) -> None:
        """TLS may negotiate HTTP/1.1 and nothing else."""
        self.assertTrue(verifyObject(IProtocolNegotiationFactory, self.world.site))
        self.assertEqual(self.world.site.acceptableProtocols(), [b"http/1.1"])


class QueryTests(LaneCase):
    """The query reaches the command undamaged."""

    def encoded(self, device_type: bytes = b"SP") -> str:
        # Locale and policy key are such that plus signs and slashes appear in the text.
        named = bytes((len(device_type),)) + device_type
        data = b"\x8d\x00\xff\xfb\x06phone1\x04\xfb\xef\xbe\xff" + named + b"\x08\x03ann\x07\x01\x01"
        return b64encode(data).decode()

    def check(self, text: str) -> None:
        answer = self.ask("POST", f"{PATH}?{text}", body=SYNC, MS_ASProtocolVersion=None)
        self.assertEqual(answer.status, 200, text)
        call = self.sync.calls[-1]
        self.assertEqual((call.device.device, call.policy_key, str(call.version)), ("phone1", 0xFFBEEFFB, "14.1"))
        self.assertEqual(call.parameters["SaveInSent"], "T")

    def test_base64(self) -> None:
        """A base64 query is decoded as it is: neither its plus signs nor its padding are damaged by the way."""
        text = self.encoded()
        self.assertIn("+", text)
        self.assertIn("/", text)
        self.check(text)

    def test_base64Escaped(self) -> None:
        """A base64 query may come with its special characters escaped."""
        self.check(self.encoded().replace("+", "%2B").replace("/", "%2F").replace("=", "%3D"))

    def test_base64WithoutPadding(self) -> None:
        """A base64 query may come without its padding."""
        padded = self.encoded(b"PPC")
        self.assertIn("=", padded)
        self.check(padded.rstrip("="))

    def test_plain(self) -> None:
        """A plain query is decoded once; the order of its fields does not matter."""
        target = f"{PATH}?User=EXAMPLE%5Cann&DeviceId=Phone1&DeviceType=Smart%20Phone&CollectionId=a%252Bb&Cmd=Sync"
        self.assertEqual(self.ask("POST", target, body=SYNC).status, 200)
        (call,) = self.sync.calls
        self.assertEqual((call.device.device, call.device_type), ("phone1", "Smart Phone"))
        self.assertEqual(call.parameters["CollectionId"], "a%2Bb")

    def test_questionMarks(self) -> None:
        """Only the first question mark ends the path."""
        self.assertEqual(self.ask("POST", f"{PATH}?{query()}&ItemId=a?b", body=SYNC).status, 200)
        self.assertEqual(self.sync.calls[0].parameters["ItemId"], "a?b")


class WrittenTests(LaneCase):
    """C{Answer.written} is called exactly once, with what became of the answer."""

    def waiting(self, stubborn: bool = False) -> Told:
        self.connection = self.connect()
        self.sync.answer, self.sync.stubborn = None, stubborn
        self.connection.send(raw(body=SYNC))
        return self.sync

    def test_written(self) -> None:
        """True when the answer was written, at once or late."""
        self.sync.answer = self.sync.good()
        self.post()
        self.waiting().say(self.sync.good())
        self.assertEqual(self.sync.heard, [True, True])
        self.assertEqual(self.http(), [200, 200])

    def held(self, **fields: str) -> Connection:
        """A connection whose transport holds back a large answer."""
        connection = self.connect()
        self.sync.answer = self.sync.good()
        write = connection.transport.writeSequence

        def hold(data: Iterable[bytes]) -> None:
            write(data)
            connection.protocol.pauseProducing()

        connection.transport.writeSequence = hold
        connection.send(raw(body=SYNC, **fields))
        self.assertEqual((self.sync.heard, self.http()), ([], []))
        return connection

    def test_largeAnswer(self) -> None:
        """What the transport holds back is written when it has been sent."""
        self.held().protocol.resumeProducing()
        self.assertEqual((self.sync.heard, self.http()), ([True], [200]))

    def test_largeAnswerLost(self) -> None:
        """False when the connection breaks while the answer is still being sent, or is closed by the client."""
        self.held().lose()
        self.assertEqual((self.sync.heard, self.http()), ([False], [0]))
        self.sync.heard.clear()
        self.lines.clear()
        self.held().protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((self.sync.heard, self.http()), ([False], [0]))

    def test_largeLastAnswer(self) -> None:
        """An answer that closes the connection was written if that ends cleanly."""
        connection = self.held(Connection="close")
        self.assertTrue(connection.closing)
        connection.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((self.sync.heard, self.http()), ([True], [200]))
        self.sync.heard.clear()
        self.lines.clear()
        self.held(Connection="close").lose()
        self.assertEqual((self.sync.heard, self.http()), ([False], [0]))

    def test_goneWithoutAnswer(self) -> None:
        """A client that leaves has its command cancelled; the line has HTTP status 0, and nobody is told anything."""
        self.waiting()
        self.connection.lose()
        self.assertEqual((self.sync.cancelled, self.sync.heard, self.http()), (1, [], [0]))

    def test_goneWithAnswer(self) -> None:
        """False when there is an answer although the client has left; the line has HTTP status 0 and no bytes."""
        self.waiting(stubborn=True)
        self.connection.lose()
        self.assertEqual((self.sync.cancelled, self.sync.heard, self.http()), (1, [False], [0]))

    def test_goneThenFailed(self) -> None:
        """A command that fails after its client has left is logged, with HTTP status 0."""

        async def command(call: Call) -> Answer:
            try:
                await Deferred()
            except CancelledError:
                raise RuntimeError("no time to clean up") from None
            raise AssertionError

        self.world.commands["Sync"] = command
        connection = self.connect()
        connection.send(raw(body=SYNC))
        connection.lose()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.http(), [0])

    def test_goneWhileVerified(self) -> None:
        """A client that leaves before its password is verified is noted with HTTP status 0."""
        self.world.dispatcher.authenticator = Slow()
        connection = self.connect()
        connection.send(raw(body=SYNC))
        connection.lose()
        self.assertEqual((self.http(), self.sync.calls), ([0], []))

    def test_goneInTheHead(self) -> None:
        """A client that leaves within a head or a body leaves nothing behind."""
        whole = raw(body=SYNC)
        for end in (1, 40, len(whole) - len(SYNC), len(whole) - 1):
            connection = self.connect()
            connection.send(whole[:end])
            connection.lose()
            self.assertEqual(self.world.clock.getDelayedCalls(), [])
        self.assertEqual((self.lines, self.sync.calls), ([], []))

    def test_cannotBeEncoded(self) -> None:
        """An answer that cannot be encoded is never written: False, a line in the log, and a good answer."""
        self.sync.answer = Answer(element=Element("No:Tag"), written=self.sync.heard.append)
        answer = self.post()
        self.assertEqual((answer.status, answer.element.text_of("AirSync:Status")), (200, "111"))
        self.assertEqual(self.sync.heard, [False])
        self.assertEqual(len(self.flushLoggedErrors(wbxml.WBXMLError)), 1)

    def test_listenerFails(self) -> None:
        """When the one who is told fails, that is logged, and line and connection are as ever."""

        def fail(live: bool) -> None:
            raise RuntimeError("cannot bear it")

        self.sync.answer = Answer(written=fail)
        connection = self.connect()
        connection.send(raw(body=SYNC) + raw("OPTIONS"))
        self.assertEqual([answer.status for answer in connection.answers()], [200, 200])
        self.assertEqual(self.http(), [200, 200])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_counterFails(self) -> None:
        """When the metrics fail, that is logged, and the connection is as ever."""

        def fail(*line: object) -> None:
            raise RuntimeError("cannot count")

        self.world.dispatcher.access = AccessLog(True, fail)
        self.assertEqual(self.post().status, 200)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class LeakTests(LaneCase):
    """A parked request keeps nothing but the way back, and nothing is left of one that is over."""

    def setUp(self) -> None:
        super().setUp()
        # From here on the collector knows only what the test makes.
        gc.freeze()
        self.addCleanup(gc.unfreeze)

    def alive(self, *kinds: type) -> list[object]:
        """What the test has made of these kinds that is still there."""
        gc.collect()
        return [thing for thing in gc.get_objects() if isinstance(thing, kinds)]

    def test_parked(self) -> None:
        """While a command waits there is no arrival, no header field and no body any more."""
        self.sync.answer = None
        connection = self.connect()
        connection.send(raw(body=SYNC, Cookie="a=b"))
        self.sync.calls.clear()
        self.assertEqual(self.alive(Arrival, Incoming, Fields), [])
        (request,) = self.alive(DeviceRequest)
        self.assertIsNone(request.requestHeaders)
        connection.lose()

    def test_strangers(self) -> None:
        """The large body of who is not known yet waits on disk, is read once that is known, and else not at all."""
        checked: list[Deferred[str]] = []

        def check(*asked: str) -> Deferred[str]:
            checked.append(Deferred())
            return checked[-1]

        self.patch(type(self.world.dispatcher.authenticator), "check", check)
        body = SYNC + bytes(IN_MEMORY)
        for outcome in (UnauthorizedLogin("wrong"), "ann", None):
            connection = self.connect()
            connection.send(raw(body=body))
            (content,) = (one for one in self.alive(Content) if isinstance(one, Content) and not one._file.closed)
            self.assertEqual((content.length, content._file.tell()), (len(body), 0))
            if outcome is None:
                connection.lose()
            else:
                checked[-1].callback(outcome) if isinstance(outcome, str) else checked[-1].errback(outcome)
            self.assertTrue(content._file.closed)
            connection.answers()
            del content

    def test_over(self) -> None:
        """Nothing is left of requests that were answered, nor of those whose client left at some stage."""
        self.world.commands["FolderSync"] = slow = Told(None)
        self.post()
        self.sync.answer = error = RuntimeError("fails")
        self.post()
        for data in (
            raw(body=SYNC)[:60],
            raw("POST", f"{PATH}?{query('FolderSync')}", b"\x03\x01\x6a\x00\x00\x07\x16"),
        ):
            connection = self.connect()
            connection.send(data)
            connection.lose()
        self.assertEqual(slow.cancelled, 1)
        self.flushLoggedErrors(RuntimeError)
        # The error remembers where it was raised, and who watches the log may remember the error.
        clear_frames(error.__traceback__)
        self.sync.calls.clear()
        slow.calls.clear()
        self.assertEqual(self.alive(Arrival, Incoming, Fields, DeviceRequest, Call), [])

    def test_noCycles(self) -> None:
        """A request that waits and is answered leaves nothing for the garbage collector."""
        self.sync.answer = None
        connection = self.connect()
        for _ in range(3):
            gc.collect()
            gc.disable()
            try:
                connection.send(raw(body=SYNC))
                self.sync.calls.clear()
                self.sync.say(Answer(element=Element("AirSync:Sync")))
                found = gc.collect()
            finally:
                gc.enable()
        self.assertEqual(found, 0)

    def test_lostInTheBody(self) -> None:
        """A request that is lost within its body is let go of at once, without the garbage collector."""
        for fields in ({}, {"Content_Length": None, "Transfer_Encoding": "chunked"}):
            connection = self.connect()
            connection.send(raw(body=b"5\r\nabc", **fields)[:-1])
            (there,) = map(weakref.ref, connection.protocol.requests)
            connection.lose()
            self.assertIsNone(there())

    def test_connection(self) -> None:
        """A connection that is lost while it waits is let go of at once."""
        self.sync.answer = None
        connection = self.connect()
        connection.send(raw(body=SYNC))
        there = weakref.ref(connection.protocol)
        connection.lose()
        self.connections.remove(connection)
        del connection
        gc.collect()
        self.assertIsNone(there())


class AddressTests(LaneCase):
    """Who the client is, with proxies in front."""

    def address(self, forwarded: str | None, peer: str = "10.0.0.1") -> str:
        connection = self.connect(peer)
        connection.send(raw(body=SYNC, X_Forwarded_For=forwarded))
        return self.sync.calls[-1].address

    def trust(self, *networks: str) -> None:
        self.world.site.serve.__self__.active_sync.proxies.networks = [ip_network(network) for network in networks]

    def test_notTrusted(self) -> None:
        """X-Forwarded-For of anybody is not believed."""
        self.assertEqual(self.address("198.51.100.7"), "10.0.0.1")
        self.trust("192.0.2.0/24")
        self.assertEqual(self.address("198.51.100.7"), "10.0.0.1")

    def test_trusted(self) -> None:
        """What a trusted proxy says is believed, and what a client told the proxy is not."""
        self.trust("10.0.0.0/8", "2001:db8::/32")
        self.assertEqual(self.address("198.51.100.7"), "198.51.100.7")
        self.assertEqual(self.address("1.1.1.1, 198.51.100.7"), "198.51.100.7")
        self.assertEqual(self.address("1.1.1.1, 198.51.100.7, 10.2.3.4"), "198.51.100.7")
        self.assertEqual(self.address("2001:db9::1", "2001:db8::5"), "2001:db9::1")

    def test_nothingSaid(self) -> None:
        """A trusted proxy that says nothing, or nonsense, is the client itself."""
        self.trust("10.0.0.0/8")
        for forwarded in (None, "", "unknown", "198.51.100.7:80", ", ,", "x" * 500):
            self.assertEqual(self.address(forwarded), "10.0.0.1", forwarded)

    def test_onlyProxies(self) -> None:
        """When everybody on the way is a trusted proxy, the farthest one is the client."""
        self.trust("10.0.0.0/8")
        self.assertEqual(self.address("10.0.0.3, 10.0.0.2"), "10.0.0.3")

    def test_mapped(self) -> None:
        """An IPv4 address in the clothes of IPv6 is that IPv4 address."""
        trusted = [ip_network("127.0.0.0/8")]
        self.assertEqual(client_address("::ffff:127.0.0.1", b"198.51.100.7", trusted), "198.51.100.7")

    def test_severalHeaders(self) -> None:
        """Repeated headers count as one list, in their order."""
        self.trust("10.0.0.0/8")
        connection = self.connect("10.0.0.1")
        data = raw(body=SYNC, X_Forwarded_For="10.0.0.2")
        connection.send(data.replace(b"Host:", b"x-forwarded-for: 9.9.9.9, 1.1.1.1\r\nHost:"))
        self.assertEqual(self.sync.calls[0].address, "1.1.1.1")

    def test_unixSocket(self) -> None:
        """A peer without an address is called unix, and is believed if that name is trusted."""
        everybody = [ip_network("0.0.0.0/0"), ip_network("::/0")]
        self.assertEqual(client_address("unix", b"198.51.100.7", everybody), "unix")
        self.assertEqual(client_address("unix", b"198.51.100.7", ["unix"]), "198.51.100.7")
        self.assertEqual(client_address("unix", b"1.1.1.1, 198.51.100.7", ["unix"]), "198.51.100.7")
        self.assertEqual(client_address("unix", b"1.1.1.1, 10.0.0.1", ["unix", ip_network("10.0.0.0/8")]), "1.1.1.1")
        for nothing in (None, b"", b"unix", b"198.51.100.7, unix"):
            self.assertEqual(client_address("unix", nothing, ["unix"]), "unix", nothing)

    def test_unixIsNoNetwork(self) -> None:
        """Trusting Unix sockets trusts nobody that comes by an address."""
        self.assertEqual(client_address("10.0.0.1", b"198.51.100.7", ["unix"]), "10.0.0.1")
        self.assertEqual(client_address("10.0.0.1", b"198.51.100.7, unix", ["unix"]), "10.0.0.1")

    def test_reload(self) -> None:
        """The networks may be replaced while connections are open."""
        proxies = TrustedProxies()
        self.assertEqual(proxies.networks, ())
        connection = self.connect("10.0.0.1")
        connection.send(raw(body=SYNC, X_Forwarded_For="198.51.100.7"))
        self.trust("10.0.0.1/32")
        connection.send(raw(body=SYNC, X_Forwarded_For="198.51.100.7"))
        self.assertEqual([call.address for call in self.sync.calls], ["10.0.0.1", "198.51.100.7"])


class AuthorizationTests(LaneCase):
    """Who comes in ([MS-ASHTTP] 2.2.1.1.2), by the bytes of the header."""

    def setUp(self) -> None:
        super().setUp()
        self.world.dispatcher.authenticator.users.update(ann="gr\u00fcn:\u20ac", eve="na\u00efve")

    def test_encodings(self) -> None:
        """UTF-8 is tried first, Latin-1 else; a colon belongs to the password; a domain does not matter."""
        for value in (
            basic("ann", "gr\u00fcn:\u20ac"),
            basic("EXAMPLE\\ann", "gr\u00fcn:\u20ac"),
            basic("Ann@example.org", "gr\u00fcn:\u20ac"),
            basic("ann", "gr\u00fcn:\u20ac").replace("Basic", "bAsIc"),
        ):
            self.assertEqual(self.post(Authorization=value).status, 200, value)
        latin = basic("eve", "na\u00efve", "latin-1")
        self.assertEqual(self.post(Authorization=latin, target=f"{PATH}?{query(User='eve')}").status, 200)

    def test_refused(self) -> None:
        """No credentials, wrong ones, other schemes and nonsense are 401 with the way in, body or no body."""
        for value in (
            None,
            "",
            "Basic",
            "Basic !",
            "Basic " + "A" * 3000,
            "Bearer abc",
            'Digest username="ann"',
            basic("ann", "wrong"),
            basic("nobody", "secret"),
            basic("", ""),
            "Basic YW5u",
            basic() + ", " + basic(),
        ):
            for body in (b"", SYNC):
                answer = self.post(body, Authorization=value)
                self.assertEqual(answer.status, 401, value)
                self.assertEqual(answer.headers["www-authenticate"], 'Basic realm="pushgw"')
        self.assertEqual(self.sync.calls, [])

    def test_beforeEverythingElse(self) -> None:
        """Who it is comes before what it wants."""
        self.assertEqual(self.ask("POST", f"{PATH}?nonsense", Authorization=None).status, 401)
