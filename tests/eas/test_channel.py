"""Bounds on what a client can send, and for how long: each with its answer, no traceback, no timer left."""

from __future__ import annotations

import tracemalloc
import zlib

from attrs import evolve
from twisted.internet.interfaces import IPushProducer
from zope.interface.verify import verifyObject

from gateway.eas import wbxml
from gateway.eas.call import Answer
from gateway.eas.channel import AHEAD, LINGER, SLOWEST
from gateway.eas.content import BodyLimits
from gateway.eas.incoming import IN_MEMORY, ChannelLimits
from gateway.element import Element
from tests.eas.lane import SYNC, LaneCase, raw
from tests.support import Connection

HEAD = 20.0
IDLE = 120.0
LIMITS = ChannelLimits(header_timeout=HEAD, header_bytes=4096, body_bytes=200_000)


class ChannelCase(LaneCase):
    def setUp(self) -> None:
        super().setUp()
        self.world.site.limits = LIMITS

    def timers(self) -> int:
        """How many timers run."""
        return len(self.world.clock.getDelayedCalls())

    def refused(self, status: int, *parts: bytes) -> Connection:
        """Send parts on a new connection: there is this one answer, then a while to read it, then the end."""
        connection = self.connect()
        for part in parts:
            connection.send(part)
        (answer,) = connection.answers()
        self.assertEqual((answer.status, answer.headers["connection"]), (status, "close"))
        self.assertEqual((answer.headers["content-length"], answer.body), ("0", b""))
        self.ends(connection)
        self.assertEqual(self.sync.calls, [])
        return connection

    def ends(self, connection: Connection) -> None:
        """What else the client sends is dropped; the connection is closed soon, then broken if it does not go."""
        self.assertFalse(connection.closing)
        connection.send(raw("OPTIONS") * 3 + b"\x00" * 100_000)
        self.world.clock.advance(LINGER)
        self.assertTrue(connection.closing)
        self.assertFalse(connection.aborted)
        connection.send(raw("OPTIONS") * 3)
        self.world.clock.advance(HEAD + 0.1)
        self.assertTrue(connection.aborted)
        self.assertEqual(connection.answers(), [])
        self.assertEqual(self.timers(), 0)


class HeadTests(ChannelCase):
    """Request line and header."""

    def test_largestHead(self) -> None:
        """A head of the size allowed is served."""
        lines = raw(X_Filler="").count(b"\r\n") * 2
        filler = "x" * (LIMITS.header_bytes - len(raw(X_Filler="", body=SYNC)) + len(SYNC) + lines - 10)
        self.assertEqual(self.post(X_Filler=filler).status, 200)

    def test_tooLarge(self) -> None:
        """More bytes than allowed in all lines together are 400."""
        self.refused(400, raw(body=SYNC, X_One="x" * 2000, X_Two="x" * 2000))

    def test_endlessLine(self) -> None:
        """A line without an end is 400 as soon as it is longer than the whole head may be."""
        self.refused(400, b"POST /" + b"x" * LIMITS.header_bytes)
        self.refused(400, b"POST / HTTP/1.1\r\nX: ", *([b"x" * 500] * 9))
        self.refused(400, b"x" * LIMITS.header_bytes + b"\r\n")

    def test_endlessContinuation(self) -> None:
        """Folded lines count like any others."""
        self.refused(400, b"POST / HTTP/1.1\r\nX: y\r\n" + b" z\r\n" * 3000)

    def test_manyFields(self) -> None:
        """More header fields than anybody needs are 400."""
        self.world.site.limits = evolve(LIMITS, header_bytes=1_000_000)
        self.refused(400, b"POST / HTTP/1.1\r\n" + b"X: y\r\n" * 600 + b"\r\n")

    def test_slowHead(self) -> None:
        """A head has an absolute time, whatever trickles: then 408."""
        connection = self.connect()
        data = raw(body=SYNC, X_Filler="x" * 3000)
        for step in range(int(HEAD * 2)):
            self.assertEqual(connection.answers(), [])
            connection.send(data[step * 20 : step * 20 + 20])
            self.world.clock.advance(0.5)
        (answer,) = connection.answers()
        self.assertEqual(answer.status, 408)
        self.ends(connection)

    def test_slowFirstLine(self) -> None:
        """When not even the request line has come in time there is nothing to answer: the connection is closed."""
        connection = self.connect()
        connection.send(b"POST /Micro")
        self.world.clock.advance(HEAD)
        self.assertEqual(connection.transport.value(), b"")
        self.assertTrue(connection.closing)

    def test_slowHandshake(self) -> None:
        """A client that says nothing, or does not finish its handshake, is closed, then broken, without a byte."""
        connection = self.connect()
        self.world.clock.advance(HEAD - 0.1)
        self.assertFalse(connection.closing)
        self.world.clock.advance(0.1)
        self.assertTrue(connection.closing)
        self.world.clock.advance(HEAD)
        self.assertTrue(connection.aborted)
        self.assertEqual((connection.transport.value(), self.timers()), (b"", 0))

    def test_slowSecondHead(self) -> None:
        """The second head on a connection has the same time from its first byte on."""
        connection = self.connect()
        connection.send(raw(body=SYNC))
        connection.answers()
        self.world.clock.advance(IDLE - 1)
        connection.send(b"POST / HTTP/1.1\r\n")
        for _ in range(int(HEAD)):
            self.assertEqual(connection.answers(), [])
            connection.send(b"X: y\r\n")
            self.world.clock.advance(1)
        self.assertEqual([answer.status for answer in connection.answers()], [408])

    def test_garbage(self) -> None:
        """What is no HTTP is 400: TLS on the plain port, other protocols, wrong lines, wrong fields."""
        for data in (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
            b"EHLO mail.example.org\r\n",
            b"\x00\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"POST  / HTTP/1.1\r\n",
            b"POST / HTTP/9.9\r\n\r\n",
            b"POST /\xff\xfe HTTP/1.1\r\n\r\n",
            b"P\x00ST / HTTP/1.1\r\n\r\n",
            b"POST /\r\n\r\n",
            b"POST / HTTP/1.1\r\nno colon\r\n\r\n",
            b"POST / HTTP/1.1\r\nno colon\r\nHost: x\r\n\r\n",
            b"POST / HTTP/1.1\r\n: empty\r\n\r\n",
            b"POST / HTTP/1.1\r\nSpace : x\r\n\r\n",
            b"POST / HTTP/1.1\r\nX: a\x00b\r\n\r\n",
            b"POST / HTTP/1.1\r\nX: a\rb\r\n\r\n",
        ):
            self.refused(400, data)

    def test_emptyLinesOnly(self) -> None:
        """Empty lines without end are no request."""
        self.refused(400, b"\r\n\r\n\r\n")

    def test_afterAGoodRequest(self) -> None:
        """Garbage behind a request does not harm the request."""
        connection = self.connect()
        connection.send(raw(body=SYNC) + b"\x00\x01\x02\r\n")
        self.assertEqual([answer.status for answer in connection.answers()], [200, 400])
        self.sync.calls.clear()
        self.ends(connection)


class LengthTests(ChannelCase):
    """How long a body is must be said once, and so that everybody understands the same."""

    def test_absurd(self) -> None:
        """A Content-Length that is no number, or one of thousands of digits, is 400."""
        for length in ("x", "-1", "+5", "1e3", "0x10", "1 1", "5, 5", "9" * 3000, "\u00b2"):
            status = 413 if length.isdigit() and length.isascii() else 400
            self.refused(status, raw(Content_Length=length))
        self.world.site.limits = evolve(LIMITS, header_bytes=16384)
        self.refused(400, raw(Content_Length="9" * 5000))
        self.refused(400, raw(Content_Length="9" * 5000).replace(b"Host", b"X: y\r\nHost"))

    def test_twice(self) -> None:
        """Two lengths, or a length and chunks, are 400: somebody on the way may have read the other one."""
        self.refused(400, raw(body=SYNC, Transfer_Encoding="chunked"))
        self.refused(400, raw(body=SYNC, content_length=str(len(SYNC))))
        self.refused(400, raw(Content_Length=None, Transfer_Encoding="chunked", transfer_encoding="chunked"))

    def test_otherEncodings(self) -> None:
        """Transfer encodings other than chunked are 400."""
        for encoding in ("gzip", "gzip, chunked", "chunked, chunked", "x"):
            self.refused(400, raw(Content_Length=None, Transfer_Encoding=encoding))

    def test_brokenChunks(self) -> None:
        """What is no chunk is 400."""
        head = raw(Content_Length=None, Transfer_Encoding="chunked")
        for data in (
            b"x\r\n",
            b"-1\r\n",
            b"1\r\nab\r\n",
            b" 1\r\na\r\n",
            b"1" * 2000,
            b"1;\x00\r\n",
            b"0\r\n" + b"X: y\r\n" * 20000,
        ):
            self.refused(400, head + data)

    def test_missing(self) -> None:
        """A POST without any length has no body."""
        answer = self.ask("POST", Content_Length=None, MS_ASProtocolVersion="14.1")
        self.assertEqual((answer.status, len(self.sync.calls)), (200, 1))
        self.assertIsNone(self.sync.calls[0].body)


class BodyTests(ChannelCase):
    def test_largestBody(self) -> None:
        """A body of the size allowed is served, declared or chunked."""
        self.world.dispatcher.limits = BodyLimits(LIMITS.body_bytes, wbxml.Limits())
        filler = LIMITS.body_bytes - len(wbxml.encode(Element("AirSync:Sync", b"x" * 150_000))) + 150_000
        body = wbxml.encode(Element("AirSync:Sync", b"x" * filler))
        self.assertEqual(len(body), LIMITS.body_bytes)
        self.assertEqual(self.post(body).status, 200)
        head = raw(Content_Length=None, Transfer_Encoding="chunked")
        (answer,) = self.send(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        self.assertEqual((answer.status, len(self.sync.calls)), (200, 2))

    def test_declaredTooLarge(self) -> None:
        """A body that says it is too large is 413 before any of it is read, without a word to go on."""
        head = raw(Content_Length=str(LIMITS.body_bytes + 1), Expect="100-continue")
        self.refused(413, head)
        self.refused(413, head + b"x" * 10_000)

    def test_chunkedTooLarge(self) -> None:
        """A chunked body that turns out too large is 413 as soon as it is."""
        head = raw(Content_Length=None, Transfer_Encoding="chunked")
        chunk = b"%x\r\n%b\r\n" % (50_000, b"x" * 50_000)
        self.refused(413, head, chunk, chunk, chunk, chunk, chunk)
        self.refused(413, head + chunk * 5 + b"0\r\n\r\n")
        self.refused(413, head + b"%x\r\n" % (LIMITS.body_bytes * 1000), b"x" * 100_000, b"x" * 100_001)

    def test_withoutCredentials(self) -> None:
        """A body that comes without credentials is not kept: the answer is 401 whatever it says."""
        connection = self.connect()
        body = b"x" * (LIMITS.body_bytes - 1)
        data = raw(body=body, Authorization=None)
        connection.send(data[:500])
        (request,) = connection.protocol.requests
        connection.send(data[500:-1])
        self.assertEqual((request.received > 100_000, request._content), (True, None))
        connection.send(data[-1:])
        self.assertEqual([answer.status for answer in connection.answers()], [401])

    def test_largeBodyWaitsOnDisk(self) -> None:
        """A large body that is on its way is not held in memory."""
        connection = self.connect()
        head = raw(Content_Length=None, Transfer_Encoding="chunked")
        connection.send(head + b"%x\r\n" % (IN_MEMORY + 10) + b"x" * (IN_MEMORY + 1))
        (request,) = connection.protocol.requests
        self.assertTrue(request._content._rolled)
        content = request._content
        connection.lose()
        self.assertTrue(content.closed)

    def test_slowBody(self) -> None:
        """A body that does not come is 408 after the time for a head."""
        connection = self.connect()
        connection.send(raw(body=SYNC)[:-1])
        self.world.clock.advance(HEAD - 0.1)
        self.assertEqual(connection.answers(), [])
        self.world.clock.pump([0.1, 1])
        self.assertEqual([answer.status for answer in connection.answers()], [408])
        self.ends(connection)

    def test_bodyEarnsTime(self) -> None:
        """A body may take as long as it likes if it comes quickly enough, and is 408 as soon as it does not."""
        connection = self.connect()
        connection.send(raw(Content_Length=str(SLOWEST * 190)))
        for _ in range(100):
            connection.send(b"x" * SLOWEST)
            self.world.clock.advance(1)
        self.assertEqual(connection.answers(), [])
        self.world.clock.advance(HEAD - 0.1)
        self.assertEqual(connection.answers(), [])
        self.world.clock.pump([0.1, 1])
        self.assertEqual([answer.status for answer in connection.answers()], [408])

    def test_bodyHasItsOwnTime(self) -> None:
        """What the head took is not taken from the body."""
        connection = self.connect()
        data = raw(body=SYNC)
        connection.send(data[: -len(SYNC) - 2])
        self.world.clock.advance(HEAD - 1)
        connection.send(data[-len(SYNC) - 2 : -1])
        self.world.clock.pump([1] * int(HEAD - 1))
        connection.send(data[-1:])
        self.assertEqual([answer.status for answer in connection.answers()], [200])

    def test_tricklingBody(self) -> None:
        """A body that trickles is 408, whatever length it says."""
        for fields in ({"Content_Length": "190000"}, {"Content_Length": None, "Transfer_Encoding": "chunked"}):
            connection = self.connect()
            connection.send(raw(**fields))
            for _ in range(int(HEAD) + 3):
                connection.send(b"1\r\nx\r\n" if fields["Content_Length"] is None else b"x")
                self.world.clock.advance(1)
            self.assertEqual([answer.status for answer in connection.answers()], [408])

    def test_bomb(self) -> None:
        """A small gzip body that becomes too large is 413 in every version, and is not unpacked beyond the bound."""
        self.world.dispatcher.limits = BodyLimits(1_000_000, wbxml.Limits())
        bomb = zlib.compressobj(9, wbits=31)
        packed = bomb.compress(b"\0" * 60_000_000) + bomb.flush()
        for version in ("2.5", "12.1", "14.1", "16.1"):
            tracemalloc.start()
            answer = self.post(packed, Content_Encoding="gzip", MS_ASProtocolVersion=version)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            self.assertEqual((answer.status, answer.headers["content-length"]), (413, "0"))
            self.assertLess(peak, 5_000_000)
        self.assertEqual(self.sync.calls, [])


class WaitingTests(ChannelCase):
    """While a request is being answered."""

    def waiting(self) -> Connection:
        connection = self.connect()
        self.sync.answer = None
        connection.send(raw(body=SYNC))
        return connection

    def test_noTimer(self) -> None:
        """No timer of the connection runs, however long it takes, and however the request came."""
        self.waiting()
        self.assertEqual(self.timers(), 0)
        connection, data = self.connect(), raw(body=SYNC)
        for part in (data[:10], data[10:-9], data[-9:-2], data[-2:]):
            self.assertEqual((len(self.sync.calls), self.timers()), (1, 1))
            connection.send(part)
        self.assertEqual((len(self.sync.calls), self.timers()), (2, 0))

    def test_flood(self) -> None:
        """A client that sends too much ahead is cut off, its command cancelled, and nothing is written any more."""
        connection = self.waiting()
        self.sync.stubborn = True
        connection.send(b"x" * AHEAD)
        self.assertFalse(connection.aborted)
        connection.send(b"x")
        self.assertTrue(connection.aborted)
        self.assertEqual((self.sync.cancelled, self.sync.heard), (1, [False]))
        connection.send(b"x" * 100_000)
        self.assertEqual((connection.transport.value(), self.timers()), (b"", 0))
        self.assertEqual(self.http(), [0])

    def test_floodInOneSegment(self) -> None:
        """The same with everything in one piece."""
        connection = self.connect()
        self.sync.answer = None
        connection.send(raw(Content_Length="0") + b"x" * (AHEAD + 1))
        self.assertEqual((connection.aborted, self.sync.cancelled), (True, 1))

    def test_paused(self) -> None:
        """What is sent ahead within bounds does not stop the reading, so that a client that leaves is noticed."""
        connection = self.waiting()
        connection.send(b"x" * AHEAD)
        self.assertTrue(verifyObject(IPushProducer, connection.transport))
        self.assertEqual(connection.transport.producerState, "producing")

    def test_counterStartsAgain(self) -> None:
        """The bound is for one wait, not for the connection."""
        connection = self.waiting()
        for _ in range(3):
            connection.send(raw(body=SYNC, X_Filler="x" * 3000) * 3)
            for _ in range(4):
                self.sync.say(Answer())
            self.assertEqual(len(connection.answers()), 4)
            connection.send(raw(body=SYNC))


class EndTests(ChannelCase):
    """How connections end."""

    def test_idle(self) -> None:
        """A connection without a request is closed after the idle time, without a word."""
        connection = self.connect()
        connection.send(raw(body=SYNC))
        connection.answers()
        self.world.clock.advance(IDLE - 0.1)
        self.assertFalse(connection.closing)
        self.world.clock.advance(0.2)
        self.assertTrue(connection.closing)
        self.assertEqual(connection.transport.value(), b"")
        connection.lose()
        self.assertEqual(self.timers(), 0)

    def test_idleStartsAgain(self) -> None:
        """Each answer begins the idle time anew."""
        connection = self.connect()
        for _ in range(4):
            connection.send(raw(body=SYNC))
            self.world.clock.advance(IDLE - 1)
        self.assertEqual([answer.status for answer in connection.answers()], [200] * 4)
        self.assertFalse(connection.closing)

    def test_idleForEver(self) -> None:
        """Without an idle time a connection stays, and yet each head has its time."""
        self.world.site.idle_timeout = None
        connection = self.connect()
        connection.send(raw(body=SYNC))
        connection.answers()
        self.assertEqual(self.timers(), 0)
        self.world.clock.advance(100_000)
        connection.send(b"POST / HTTP/1.1\r\n")
        self.world.clock.advance(HEAD)
        self.assertEqual([answer.status for answer in connection.answers()], [408])

    def test_largeAnswerHasItsTime(self) -> None:
        """Who reads a large answer slowly is not taken for idle."""
        self.sync.answer = Answer(raw=b"x" * 1_000_000, content_type="image/png")
        connection = self.connect()
        connection.send(raw(body=SYNC))
        self.world.clock.advance(IDLE + 900)
        self.assertFalse(connection.closing)
        self.world.clock.advance(100)
        self.assertTrue(connection.closing)

    def test_closedButNotRead(self) -> None:
        """A client that asked for the end and does not read its answer is cut off in the end."""
        self.sync.answer = Answer(raw=b"x" * 100 * SLOWEST, content_type="image/png")
        connection = self.connect()
        connection.send(raw(body=SYNC, Connection="close"))
        self.assertTrue(connection.closing)
        self.world.clock.advance(HEAD + 99)
        self.assertFalse(connection.aborted)
        self.world.clock.advance(1)
        self.assertEqual((connection.aborted, self.timers()), (True, 0))

    def test_afterTheEnd(self) -> None:
        """What comes after the end is not looked at."""
        connection = self.connect()
        connection.send(raw(body=SYNC, Connection="close") + raw(body=SYNC))
        connection.send(raw(body=SYNC))
        self.assertEqual([answer.status for answer in connection.answers()], [200])
        self.assertEqual(len(self.sync.calls), 1)

    def test_muchAfterTheEnd(self) -> None:
        """However much comes after the end, the answer goes out."""
        connection = self.connect()
        connection.send(raw(body=SYNC, Connection="close") + b"x" * AHEAD * 2)
        self.assertEqual([answer.status for answer in connection.answers()], [200])
        self.assertEqual((connection.closing, connection.aborted), (True, False))

    def test_oneTimer(self) -> None:
        """There is at most one timer for a connection."""
        connection = self.connect()
        seen = {self.timers()}
        for byte in raw(body=SYNC) + raw("OPTIONS"):
            connection.send(bytes((byte,)))
            seen.add(self.timers())
        self.assertEqual(seen, {1})
