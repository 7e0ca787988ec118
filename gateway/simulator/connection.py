"""The phone's HTTPS client: keep-alive, Basic authentication, both forms of the query, gzip in answers."""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import partial

from attrs import define, field
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import (
    IConsumer,
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    Agent,
    HTTPConnectionPool,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseNeverReceived,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IBodyProducer, IPolicyForHTTPS, IResponse
from zope.interface import implementer

from gateway import __version__
from gateway.simulator.errors import Garbled, Lost, Unreachable, Untrusted
from gateway.simulator.line import Account, ILine, Post, Reply
from gateway.simulator.query import base64_query, endpoint_url, plain_query

WBXML = b"application/vnd.ms-sync.wbxml"
AGENT = f"pushgw-device/{__version__}".encode()
#: Bytes of one answer, before and after decompression; a server that sends more is cut off.
LARGEST = 64 * 1024 * 1024
#: A connection that breaks within this many seconds of a request was closed before it.
STALE = 1.0
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


@implementer(IAgentEndpointFactory)
@define(eq=False)
class Route:
    """Opens connections to the host of the URL, or to what C{detours} has in the place of that host and port.

    TLS and the Host header name the host of the URL in either case.
    """

    reactor: IReactorPluggableNameResolver | IReactorTCP
    trust: IPolicyForHTTPS
    detours: Mapping[tuple[str, int], tuple[str, int]] = field(factory=dict)

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """The endpoint of a connection for that URL."""
        target = (uri.host.decode("ascii").strip("[]"), uri.port)
        host, port = self.detours.get(target, target)
        endpoint = HostnameEndpoint(self.reactor, host, port)
        if uri.scheme == b"https":
            return wrapClientTLS(self.trust.creatorForNetloc(uri.host, uri.port), endpoint)
        return endpoint


@define(eq=False)
class Connections:
    """The connections of any number of phones; C{idle} is how many unused ones to one host are kept open."""

    route: Route
    idle: int = 4
    agent: IAgent = field(init=False)
    _pool: HTTPConnectionPool = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._pool = HTTPConnectionPool(self.route.reactor)
        self._pool.maxPersistentPerHost = self.idle
        self.agent = Agent.usingEndpointFactory(self.route.reactor, self.route, self._pool)

    def close(self) -> Deferred[None]:
        """Close the unused ones; fires when that is done."""
        closing: Deferred[None] = self._pool.closeCachedConnections()
        return closing


@implementer(ILine)
@define(eq=False)
class HTTPLine:
    """One phone's way to its server over a shared agent; C{compact} takes the base64 query where there is one.

    Redirects (L{move}) are of this line alone.
    """

    _account: Account
    _url: str
    _agent: IAgent
    _clock: IReactorTime
    _compact: bool = False

    def options(self, timeout: float) -> Deferred[Reply]:
        """See L{ILine}."""
        return self._send(b"OPTIONS", self._url, self._headers(), b"", timeout)

    def post(self, post: Post) -> Deferred[Reply]:
        """See L{ILine}."""
        headers = self._headers()
        query = base64_query(self._account, post) if self._compact else None
        if query is None:
            query = plain_query(self._account, post.command, post.parameters)
            headers.addRawHeader(b"MS-ASProtocolVersion", post.version.encode())
            if post.policy_key is not None:
                headers.addRawHeader(b"X-MS-PolicyKey", str(post.policy_key).encode())
            if post.multipart:
                headers.addRawHeader(b"MS-ASAcceptMultiPart", b"T")
        if post.body:
            headers.addRawHeader(b"Content-Type", post.content_type.encode() or WBXML)
        return self._send(b"POST", f"{self._url}?{query}", headers, post.body, post.timeout)

    def move(self, url: str) -> None:
        """See L{ILine}."""
        self._url = endpoint_url(url)

    def close(self) -> None:
        """See L{ILine}: connections belong to the shared agent, which closes them when they were idle for long."""

    def _headers(self) -> Headers:
        secret = b64encode(f"{self._account.user}:{self._account.password}".encode())
        return Headers(
            {b"Authorization": [b"Basic " + secret], b"User-Agent": [AGENT], b"Accept-Encoding": [b"gzip"]},
        )

    def _send(self, method: bytes, url: str, headers: Headers, body: bytes, timeout: float) -> Deferred[Reply]:
        producer = _Bytes(body) if method == b"POST" else None
        ask = partial(self._agent.request, method, url.encode("ascii"), headers, producer)
        answer: Deferred[IResponse] = ask()
        # One of its own, because a request that is cancelled may end as if its connection had broken.
        result: Deferred[Reply] = Deferred(partial(_drop, answer))
        answer.addErrback(self._again, ask, result, self._clock.seconds() + min(STALE, timeout / 2))
        whole: Deferred[Reply] = answer.addCallback(_whole)
        whole.addTimeout(timeout, self._clock, _timed_out)
        whole.addErrback(_translate).addBoth(partial(_settle, result))
        return result

    def _again(
        self, failure: Failure, ask: Callable[[], Deferred[IResponse]], result: Deferred[Reply], until: float
    ) -> Failure | Deferred[IResponse]:
        """Ask once more if the connection broke at once: the server had closed it while it was unused."""
        failure.trap(RequestTransmissionFailed, ResponseNeverReceived)
        if result.called or self._clock.seconds() >= until:
            return failure
        return ask()


@implementer(IBodyProducer)
@define(eq=False)
class _Bytes:
    """A request body that is at hand."""

    body: bytes

    @property
    def length(self) -> int:
        """Bytes."""
        return len(self.body)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """Write the whole."""
        if self.body:
            consumer.write(self.body)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Nothing to pause: all was written."""

    def resumeProducing(self) -> None:
        """Nothing to resume: all was written."""

    def stopProducing(self) -> None:
        """Nothing to stop: all was written."""


@define(eq=False)
class _Collector(Protocol):
    """Collects a body up to L{LARGEST} bytes."""

    done: Deferred[bytes]
    parts: list[bytes] = field(factory=list)
    size: int = 0

    def dataReceived(self, data: bytes) -> None:
        """Keep a piece; drop the connection when there are too many."""
        self.size += len(data)
        if self.size > LARGEST:
            self.parts = []
            self.drop()
        else:
            self.parts.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The body is over, or broken off."""
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss) and self.size <= LARGEST:
            self.done.callback(b"".join(self.parts))
        else:
            self.done.errback(reason)

    def drop(self) -> None:
        """Close the connection without further ado."""
        abort = getattr(self.transport, "abortConnection", None)
        if abort is not None:
            abort()


def _whole(response: IResponse) -> Deferred[Reply]:
    """The reply with its body read and unpacked."""
    done: Deferred[bytes] = Deferred(lambda _: collector.drop())
    collector = _Collector(done)
    response.deliverBody(collector)
    headers = {
        name.decode("latin-1").lower(): values[-1].decode("utf-8", "replace")
        for name, values in response.headers.getAllRawHeaders()
    }
    return done.addCallback(lambda body: Reply(response.code, headers, _unpacked(body, headers)))


def _unpacked(body: bytes, headers: dict[str, str]) -> bytes:
    """The body as it was before compression."""
    if not body or headers.get("content-encoding", "identity").lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    unpack = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        plain = unpack.decompress(body, LARGEST)
    except zlib.error as error:
        raise Garbled(f"the answer says that it is compressed, and is not: {error}") from error
    if not unpack.eof:
        raise Garbled("the compressed answer is cut short or too large")
    return plain


def _timed_out(result: object, timeout: float) -> object:
    """What a request becomes that was cancelled because its time was over."""
    raise TimeoutError(f"no answer within {timeout:g} s")


def _drop(whole: Deferred[IResponse], result: Deferred[Reply]) -> None:
    """The result is not wanted any more: say so first, and then drop the request, however that ends."""
    result.errback(CancelledError())
    whole.cancel()


def _settle(result: Deferred[Reply], outcome: Reply | Failure) -> None:
    """Hand the outcome of a request over, unless it was cancelled."""
    if result.called:
        return
    if isinstance(outcome, Failure):
        result.errback(outcome)
    else:
        result.callback(outcome)


def _translate(failure: Failure) -> Failure:
    """A failure of Twisted's client in the words of the simulator."""
    reasons = _reasons(failure.value)
    if isinstance(reasons[0], Garbled):
        return failure
    for reason in reasons:
        if isinstance(reason, (SSL.Error, VerificationError)) and _is_distrust(reason):
            return Failure(Untrusted(f"the certificate of the server is not trusted: {_text(reason)}"))
    last = reasons[-1]
    if isinstance(last, (ConnectError, OSError)) and not isinstance(last, TimeoutError):
        return Failure(Unreachable(_text(last)))
    return Failure(Lost(_text(last)))


def _reasons(error: BaseException | None) -> list[BaseException]:
    """An error and everything that it wraps, the innermost last."""
    if error is None:
        return []
    found = [error]
    for wrapped in getattr(error, "reasons", None) or ():
        found += _reasons(getattr(wrapped, "value", wrapped))
    return found


def _is_distrust(error: BaseException) -> bool:
    """Whether a failure of TLS is about the certificate, and not a broken connection."""
    return isinstance(error, VerificationError) or "certificate" in str(error.args)


def _text(error: BaseException) -> str:
    """What an error says, in one line."""
    text = " ".join(str(error).split())
    return text or type(error).__name__
