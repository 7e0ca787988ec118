"""The first lane: device requests on twisted.web. What is parked behind it never sees a request of twisted.web.

A leaner lane may stand beside it: it makes an L{Arrival} and writes a L{Reply}, and that is all it has to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address

from attrs import define, field
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import RESPONSES
from twisted.web.http import Request as HTTPRequest
from twisted.web.http_headers import Headers
from twisted.web.resource import NoResource, Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from gateway.eas.channel import BoundedChannel, BoundedRequest, ChannelLimits
from gateway.eas.dispatch import Arrival, Dispatcher, Reply
from gateway.eas.status import REASONS

PATH = b"microsoft-server-activesync"
Networks = Sequence[IPv4Network | IPv6Network]


def client_address(request: Request, trusted: Networks) -> str:
    """The client's address: the peer's, or what a trusted proxy in front says ("unix" for a Unix socket)."""
    peer = request.getClientAddress()
    address = peer.host if isinstance(peer, IPv4Address | IPv6Address) else "unix"
    if not trusted:
        return address
    hops = (request.getHeader(b"X-Forwarded-For") or b"").decode("latin-1").split(",")
    for hop in reversed(hops):
        if not _within(address, trusted):
            break
        hop = hop.strip()
        if not _is_address(hop):
            break
        address = hop
    return address


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _within(address: str, networks: Networks) -> bool:
    return _is_address(address) and any(ip_address(address) in network for network in networks)


@define(eq=False)
class TrustedProxies:
    """The networks whose X-Forwarded-For is believed; replaced when the configuration is read again."""

    networks: Networks = field(default=())


class ActiveSync(Resource):
    """The endpoint /Microsoft-Server-ActiveSync ([MS-ASHTTP] 2.2.1.1.1)."""

    isLeaf = True
    log = Logger()

    def __init__(self, dispatcher: Dispatcher, proxies: TrustedProxies) -> None:
        super().__init__()
        self.dispatcher = dispatcher
        self.proxies = proxies

    def render(self, request: Request) -> int:
        """Answer any method: OPTIONS and POST are served, GET is told so, what is unknown is not implemented."""
        address = client_address(request, self.proxies.networks)
        if request.method == b"OPTIONS":
            answering = ensureDeferred(self.dispatcher.options(request.getHeader, address))
        elif request.method == b"POST":
            answering = ensureDeferred(self.dispatcher.post(self._arrival(request, address)))
        else:
            known = request.method in (b"GET", b"HEAD", b"PUT", b"DELETE", b"TRACE", b"PATCH")
            request.setResponseCode(405 if known else 501)
            request.setHeader(b"Allow", b"OPTIONS,POST")
            request.setHeader(b"Content-Length", b"0")
            request.finish()
            return NOT_DONE_YET
        if isinstance(request, BoundedRequest):
            request.slim()
        self._await(request, answering)
        return NOT_DONE_YET

    def _arrival(self, request: Request, address: str) -> Arrival:
        assert request.content is not None
        headers = request.requestHeaders
        return Arrival(
            query=request.uri.partition(b"?")[2],
            header=partial(_first, headers),
            body=request.content.read(),
            address=address,
        )

    def _await(self, request: Request, answering: Deferred[Reply]) -> None:
        gone = request.notifyFinish()
        gone.addErrback(lambda _: answering.cancel())
        answering.addCallback(partial(self._write, request))
        answering.addErrback(partial(self._broken, request))

    def _write(self, request: Request, reply: Reply) -> None:
        live = not request._disconnected
        if live:
            reason = REASONS.get(reply.status)
            request.setResponseCode(reply.status, reason.encode() if reason else RESPONSES.get(reply.status))
            for name, value in reply.headers.items():
                request.setHeader(name.encode(), value.encode())
            if not reply.body and "Content-Type" not in reply.headers:
                # twisted.web would put text/html there, which breaks devices.
                request.defaultContentType = None
            request.setHeader(b"Content-Length", str(len(reply.body)).encode())
            request.write(reply.body)
            request.finish()
        if reply.written is not None:
            reply.written(live)
        clock = self.dispatcher.clock
        self.dispatcher.access.write(reply.entry, reply.status if live else 0, len(reply.body), clock.seconds())

    def _broken(self, request: Request, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        self.log.failure("an answer could not be written", failure=failure)
        if not request._disconnected:
            request.loseConnection()


def _first(headers: Headers, name: bytes) -> bytes | None:
    values = headers.getRawHeaders(name)
    return values[0] if values else None


class Root(Resource):
    """The tree of paths; names are compared without regard to case."""

    def __init__(self, active_sync: ActiveSync) -> None:
        super().__init__()
        self.active_sync = active_sync

    def getChild(self, path: bytes, request: Request) -> Resource:
        """The endpoint, also with a trailing slash or default.eas; nothing else is here."""
        rest = [part.lower() for part in request.postpath or [] if part]
        if path.lower() == PATH and rest in ([], [b"default.eas"]):
            return self.active_sync
        return NoResource()


class QuietSite(Site):
    """A site without the common log format: the access line is ours."""

    def log(self, request: HTTPRequest) -> None:
        """Write nothing."""


def make_site(
    root: Resource,
    clock: IReactorTime,
    limits: ChannelLimits,
    idle_timeout: float | None,
    channel: type = BoundedChannel,
) -> Site:
    """The factory of the lane's connections; C{idle_timeout} in seconds is for connections without a request."""
    site = QuietSite(root, requestFactory=BoundedRequest, timeout=idle_timeout, reactor=clock)
    site.protocol = type("Channel", (channel,), {"limits": limits})  # type: ignore[method-assign]
    site.displayTracebacks = False
    return site
