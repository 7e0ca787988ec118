"""Tests of the phone's HTTP client, on a server in memory."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

from OpenSSL import SSL
from service_identity import VerificationError
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.error import ConnectionLost, ConnectionRefusedError, DNSLookupError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import URI, ResponseNeverReceived
from twisted.web.iweb import IAgent
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer
from zope.interface.verify import verifyObject

from gateway.simulator import connection
from gateway.simulator.connection import HTTPLine, Route
from gateway.simulator.errors import Garbled, Lost, Unreachable, Untrusted
from gateway.simulator.line import Account, ILine, Post
from gateway.simulator.trust import TrustAnyone

URL = "https://mail.example.org/Microsoft-Server-ActiveSync"
ACCOUNT = Account("änn", "pässword", "DEV1", "SP")


class Page(Resource):
    """Keeps what was asked and answers as told; C{parked} answers nothing."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.bodies: list[bytes] = []
        self.body = b"answer"
        self.headers: dict[bytes, bytes] = {}
        self.code = 200
        self.parked = False

    def render(self, request: Request) -> bytes | int:
        self.requests.append(request)
        self.bodies.append(request.content.read())
        request.setResponseCode(self.code)
        for name, value in self.headers.items():
            request.setHeader(name, value)
        return NOT_DONE_YET if self.parked else self.body


class LineTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.page = Page()
        self.clock = Clock()
        self.agent = RequestTraversalAgent(self.page)
        self.line = HTTPLine(ACCOUNT, URL, self.agent, self.clock)

    def ask(self, d: Deferred) -> object:
        self.agent.flush()
        return self.successResultOf(d)

    def header(self, name: str) -> str | None:
        return self.page.requests[-1].getHeader(name)

    def test_interface(self) -> None:
        """It is a line."""
        self.assertTrue(verifyObject(ILine, self.line))

    def test_options(self) -> None:
        """OPTIONS goes to the page without a query, signed in from the start."""
        self.page.headers = {b"MS-ASProtocolVersions": b"2.5,14.1"}
        reply = self.ask(self.line.options(60))
        self.assertEqual(reply.headers["ms-asprotocolversions"], "2.5,14.1")
        request = self.page.requests[0]
        self.assertEqual((request.method, request.uri), (b"OPTIONS", b"/Microsoft-Server-ActiveSync"))
        self.assertEqual(self.header("authorization"), "Basic w6Rubjpww6Rzc3dvcmQ=")

    def test_plain(self) -> None:
        """A command in the plain form has version and policy key in headers."""
        reply = self.ask(self.line.post(Post("FolderSync", "14.1", b"\x03\x01", 77)))
        self.assertEqual((reply.status, reply.body), (200, b"answer"))
        self.assertEqual(
            self.page.requests[0].uri.partition(b"?")[2], b"Cmd=FolderSync&User=%C3%A4nn&DeviceId=DEV1&DeviceType=SP"
        )
        names = ("ms-asprotocolversion", "x-ms-policykey", "content-type", "content-length", "accept-encoding")
        found = [self.header(name) for name in names]
        self.assertEqual(found, ["14.1", "77", "application/vnd.ms-sync.wbxml", "2", "gzip"])
        self.assertEqual(self.page.bodies, [b"\x03\x01"])

    def test_message(self) -> None:
        """A body that is no document says what it is, and further parameters are in the query."""
        parameters = (("SaveInSent", "T"),)
        self.ask(self.line.post(Post("SendMail", "12.1", b"x", parameters=parameters, content_type="message/rfc822")))
        self.assertEqual(self.header("content-type"), "message/rfc822")
        self.assertTrue(self.page.requests[0].uri.endswith(b"&DeviceType=SP&SaveInSent=T"))

    def test_multipart(self) -> None:
        """An answer in parts is asked for in a header, or in the base64 form in the query."""
        self.ask(self.line.post(Post("ItemOperations", "12.1", b"x", multipart=True)))
        self.assertEqual(self.header("ms-asacceptmultipart"), "T")
        line = HTTPLine(ACCOUNT, URL, self.agent, self.clock, compact=True)
        self.ask(line.post(Post("ItemOperations", "12.1", b"x", multipart=True)))
        self.assertIsNone(self.header("ms-asacceptmultipart"))

    def test_emptyBody(self) -> None:
        """An empty request has a length of 0 and no type; no policy key is sent where there is none."""
        self.ask(self.line.post(Post("Ping", "14.1")))
        found = [self.header(name) for name in ("content-type", "content-length", "x-ms-policykey")]
        self.assertEqual(found, [None, "0", None])

    def test_compact(self) -> None:
        """The base64 form has neither version nor key in headers; below 12.1 the plain form is used."""
        line = HTTPLine(ACCOUNT, URL, self.agent, self.clock, compact=True)
        self.ask(line.post(Post("Sync", "14.0", b"x", 7)))
        self.assertRegex(self.page.requests[0].uri, rb"\?[A-Za-z0-9+/=]+$")
        self.assertEqual([self.header(name) for name in ("ms-asprotocolversion", "x-ms-policykey")], [None, None])
        self.ask(line.post(Post("Sync", "12.0", b"x", 7)))
        self.assertIn(b"Cmd=Sync", self.page.requests[1].uri)

    def test_status(self) -> None:
        """A status other than 200 is a reply too, with the reason's headers."""
        self.page.code, self.page.headers = 503, {b"Retry-After": b"30"}
        reply = self.ask(self.line.options(60))
        self.assertEqual((reply.status, reply.headers["retry-after"]), (503, "30"))

    def test_compressed(self) -> None:
        """Compressed answers are unpacked."""
        for name, packed in ((b"gzip", gzip.compress(b"hello")), (b"deflate", zlib.compress(b"hello"))):
            self.page.headers, self.page.body = {b"Content-Encoding": name}, packed
            self.assertEqual(self.ask(self.line.options(60)).body, b"hello")

    def test_badlyCompressed(self) -> None:
        """An answer that cannot be unpacked, is cut short or grows without bound is garbled."""
        self.patch(connection, "LARGEST", 1000)
        whole = gzip.compress(b"hello" * 10)
        for body in (b"hello", whole[:-9], gzip.compress(b"x" * 2000)):
            self.page.headers, self.page.body = {b"Content-Encoding": b"gzip"}, body
            d = self.line.options(60)
            self.agent.flush()
            self.failureResultOf(d, Garbled)

    def test_tooLarge(self) -> None:
        """An answer beyond the bound is cut off."""
        self.patch(connection, "LARGEST", 1000)
        self.page.body = b"x" * 1001
        d = self.line.options(60)
        self.agent.flush()
        self.failureResultOf(d, Lost)

    def test_timeOut(self) -> None:
        """Without an answer in time the request is given up as lost; no timer stays."""
        self.page.parked = True
        d = self.line.post(Post("Ping", "14.1", timeout=490))
        self.clock.advance(489)
        self.assertNoResult(d)
        self.clock.advance(1)
        self.assertIn("490 s", str(self.failureResultOf(d, Lost).value))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_timeOutWithinTheBody(self) -> None:
        """An answer that begins and does not end in time is lost too."""
        self.page.parked = True
        d = self.line.options(60)
        self.page.requests[0].write(b"x")
        self.agent.flush()
        self.clock.advance(60)
        self.failureResultOf(d, Lost)

    def test_cancel(self) -> None:
        """A request that is cancelled fails as that, and leaves no timer."""
        self.page.parked = True
        d = self.line.options(60)
        d.cancel()
        self.failureResultOf(d, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_move(self) -> None:
        """After a redirect the new address is asked; one that is none is refused."""
        self.line.move("https://other.example.org")
        self.ask(self.line.options(60))
        self.assertEqual(self.page.requests[0].getRequestHostname(), b"other.example.org")
        with self.assertRaises(ValueError):
            self.line.move("ftp://x")


@implementer(IAgent)
class Waiting:
    """An agent that asks a function for each answer."""

    def __init__(self, answer: Callable[[], Deferred]) -> None:
        self.answer = answer
        self.asked = 0

    def request(self, method, uri, headers=None, bodyProducer=None) -> Deferred:
        self.asked += 1
        return self.answer()


class FailureTests(SynchronousTestCase):
    def failing(self, error: Exception) -> Failure:
        line = HTTPLine(ACCOUNT, URL, Waiting(lambda: fail(error)), Clock())
        return self.failureResultOf(line.options(60))

    def wrapped(self, error: Exception) -> Exception:
        return ResponseNeverReceived([Failure(error)])

    def test_unreachable(self) -> None:
        """No connection: the server cannot be reached."""
        for error in (ConnectionRefusedError(), DNSLookupError("no such name")):
            self.failing(error).trap(Unreachable)

    def test_lost(self) -> None:
        """A connection that breaks is lost, also within the TLS handshake."""
        for error in (ConnectionLost(), SSL.Error([("SSL routines", "", "unexpected eof")])):
            self.failing(self.wrapped(error)).trap(Lost)

    def test_untrusted(self) -> None:
        """A certificate that does not verify, or names another host, is not trusted."""
        bad = SSL.Error([("SSL routines", "", "certificate verify failed")])
        for error in (bad, VerificationError(errors=[])):
            self.failing(self.wrapped(error)).trap(Untrusted)

    def test_cancelled(self) -> None:
        """A request that is cancelled fails as that, even if the client says that its connection broke."""
        waiting: Deferred = Deferred(lambda d: d.errback(self.wrapped(ConnectionLost())))
        line = HTTPLine(ACCOUNT, URL, Waiting(lambda: waiting), Clock())
        d = line.options(60)
        d.cancel()
        self.failureResultOf(d, CancelledError)
        self.assertTrue(waiting.called)


class StaleTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.first: Deferred = Deferred()
        self.second: Deferred = Deferred()
        self.agent = Waiting(iter([self.first, self.second]).__next__)
        self.result = HTTPLine(ACCOUNT, URL, self.agent, self.clock).post(Post("Ping", "14.1", timeout=490))

    def test_again(self) -> None:
        """A request that meets a connection which the server has just closed is sent once more at once."""
        self.first.errback(ResponseNeverReceived([Failure(ConnectionLost())]))
        self.assertEqual(self.agent.asked, 2)
        self.assertNoResult(self.result)
        self.second.errback(ResponseNeverReceived([Failure(ConnectionLost())]))
        self.failureResultOf(self.result, Lost)
        self.assertEqual(self.agent.asked, 2)

    def test_notLater(self) -> None:
        """A connection that breaks later is lost."""
        self.clock.advance(1)
        self.first.errback(ResponseNeverReceived([Failure(ConnectionLost())]))
        self.failureResultOf(self.result, Lost)
        self.assertEqual(self.agent.asked, 1)

    def test_notWhenCancelled(self) -> None:
        """What was cancelled is not sent again."""
        self.result.cancel()
        self.failureResultOf(self.result, CancelledError)
        self.assertEqual(self.agent.asked, 1)

    def test_bothInTime(self) -> None:
        """The time-out counts from the first one."""
        self.clock.advance(0.5)
        self.first.errback(ResponseNeverReceived([Failure(ConnectionLost())]))
        self.clock.advance(489.5)
        self.failureResultOf(self.result, Lost)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class RouteTests(SynchronousTestCase):
    def test_detour(self) -> None:
        """One host may be reached by another address; TLS still names the host."""
        route = Route(object(), TrustAnyone(), {("mail.example.org", 443): ("127.0.0.1", 9999)})
        urls = (b"http://mail.example.org:443/x", b"http://mail.example.org/x", b"http://[::1]:8/x")
        found = [str(route.endpointForURI(URI.fromBytes(url))) for url in urls]
        targets = ("127.0.0.1:9999", "mail.example.org:80", "[::1]:8")
        self.assertEqual(found, [f"<HostnameEndpoint {target}>" for target in targets])
