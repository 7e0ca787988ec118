"""The first lane: device requests read by twisted.web. What is parked behind it never sees a request of twisted.web.

A leaner lane may stand beside it: it makes an L{Arrival} and writes a L{Reply}, and that is all it has to know.
"""

from __future__ import annotations

import re
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote_to_bytes

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, ensureDeferred
from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory, IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import datetimeToString
from zope.interface import implementer

from gateway.eas.autodiscover import JSON_PATH, LARGEST, XML_PATH, Autodiscover
from gateway.eas.channel import BoundedChannel
from gateway.eas.dispatch import RETRY_LATER, Arrival, Dispatcher, Reply
from gateway.eas.incoming import ChannelLimits, DeviceRequest, Incoming
from gateway.eas.status import REASONS

PATH = b"/microsoft-server-activesync"
KNOWN_METHODS = frozenset({b"GET", b"HEAD", b"PUT", b"DELETE", b"TRACE", b"PATCH", b"CONNECT"})
Networks = Sequence[IPv4Network | IPv6Network | str]
"""Networks; C{"unix"} is whoever comes by a Unix socket."""

_XML, _JSON = XML_PATH.encode(), JSON_PATH.encode()
_METHODS = KNOWN_METHODS | {b"POST", b"OPTIONS"}
_PATHS = frozenset({PATH, PATH + b"/default.eas"})
_AUTHORITY = re.compile(rb"\Ahttps?://[^/?]*", re.IGNORECASE)
_PHRASES = MappingProxyType({**{status.value: status.phrase for status in HTTPStatus}, **REASONS})
_TEXT = {"Content-Type": "text/plain; charset=utf-8"}
_NOBODY = b"This address is for phones: they speak ActiveSync to it.\n"
_NOTHING = b"There is nothing here. Phones ask for /Microsoft-Server-ActiveSync.\n"


def client_address(peer: str, forwarded: bytes | None, trusted: Networks) -> str:
    """The client's address as text: the peer's, or what trusted proxies in front say in X-Forwarded-For.

    From right to left every proxy is asked for who came before it, for as long as it is trusted.
    """
    if not trusted:
        return peer
    address = _parsed(peer) or peer
    for hop in reversed((forwarded or b"").decode("latin-1").split(",")):
        if not _believed(address, trusted):
            break
        before = _parsed(hop.strip())
        if before is None:
            break
        address = before
    return str(address)


def _believed(address: IPv4Address | IPv6Address | str, trusted: Networks) -> bool:
    if isinstance(address, str):
        return address in trusted
    return any(address in network for network in trusted if not isinstance(network, str))


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@define(eq=False)
class TrustedProxies:
    """The networks whose X-Forwarded-For is believed; replaced when the configuration is read again."""

    networks: Networks = field(default=())


def _status(code: int) -> str:
    """A status with its reason phrase."""
    return f"{code} {_PHRASES.get(code, 'Unknown')}"


@define(eq=False)
class ActiveSync:
    """The endpoint /Microsoft-Server-ActiveSync ([MS-ASHTTP] 2.2.1.1.1)."""

    log = Logger()

    dispatcher: Dispatcher
    proxies: TrustedProxies

    def serve(self, request: DeviceRequest, incoming: Incoming, query: bytes) -> None:
        """Answer any method: OPTIONS and POST are served, GET is told so, what is unknown is not implemented."""
        method, fields = incoming.method, incoming.fields
        if method not in (b"OPTIONS", b"POST"):
            self.say(request, 405 if method in KNOWN_METHODS else 501, _NOBODY, method, {"Allow": "OPTIONS,POST"})
            return
        address = self.client(request, incoming)
        if method == b"OPTIONS":
            self.answer(request, self.dispatcher.options(fields.get, address))
        else:
            arrival = Arrival(query, fields.get, incoming.content.keep(), address)
            self.answer(request, self.dispatcher.post(arrival))

    def client(self, request: DeviceRequest, incoming: Incoming) -> str:
        """The address of who asks."""
        return client_address(request.peer, incoming.fields.get(b"X-Forwarded-For"), self.proxies.networks)

    def answer(self, request: DeviceRequest, work: Coroutine[Any, Any, Reply]) -> None:
        """Have a reply made, and write it; who leaves before ends the work."""
        answering = ensureDeferred(work)
        if not answering.called:
            request.lost = answering.cancel
        answering.addCallbacks(self.write, self._broken, (request,), {}, (request,))

    def say(
        self, request: DeviceRequest, code: int, text: bytes, method: bytes = b"", headers: Mapping[str, str] = _TEXT
    ) -> None:
        """Answer who is no device."""
        date = {"Date": datetimeToString(self.dispatcher.now()).decode()}
        request.respond(_status(code), {**date, **_TEXT, **headers}, b"" if method == b"HEAD" else text)
        request.finish()

    def write(self, reply: Reply, request: DeviceRequest) -> None:
        """Write a reply and tell who wants to know, before the connection's next request is looked at."""
        status, account = _status(reply.status), partial(self._account, reply)
        headers = {"Date": datetimeToString(self.dispatcher.now()).decode(), **reply.headers}
        if reply.stream is not None:
            request.stream(status, headers, reply.stream, account)
            return
        try:
            request.respond(status, headers, reply.body)
            request.when_sent(account)
        finally:
            request.finish()

    def _account(self, reply: Reply, live: bool) -> None:
        try:
            if reply.written is not None:
                reply.written(live)
        except Exception:
            self.log.failure("an answer could not be accounted for")
        length = len(reply.body) if reply.stream is None else reply.stream.length
        http, sent = (reply.status, length) if live else (0, 0)
        try:
            self.dispatcher.access.write(reply.entry, http, sent, self.dispatcher.clock.seconds())
        except Exception:
            self.log.failure("an answer could not be accounted for")

    def _broken(self, failure: Failure, request: DeviceRequest) -> None:
        """There is no reply: the client left, or else this is a fault of ours."""
        if not failure.check(CancelledError):
            self.log.failure("a request could not be answered", failure=failure)
            request.respond(_status(503), {"Retry-After": str(RETRY_LATER)}, b"")
        request.finish()


@frozen
class Root:
    """The paths, in any case of letters, also with a trailing slash: that of ActiveSync, also with default.eas, and
    those of Autodiscover, if there is such a thing."""

    active_sync: ActiveSync
    autodiscover: Autodiscover | None = None

    def serve(self, request: DeviceRequest, incoming: Incoming) -> None:
        """Have a request answered."""
        path, _, query = _AUTHORITY.sub(b"", incoming.target, count=1).partition(b"?")
        plain = unquote_to_bytes(path).lower().rstrip(b"/")
        if plain in _PATHS:
            self.active_sync.serve(request, incoming, query)
        elif self.autodiscover is not None and plain == _XML:
            self._xml(self.autodiscover, request, incoming)
        elif self.autodiscover is not None and (plain == _JSON or plain.startswith(_JSON + b"/")):
            self._json(self.autodiscover, request, incoming, path[len(_JSON) :], query)
        else:
            self.active_sync.say(request, 404, _NOTHING, incoming.method)

    def _xml(self, autodiscover: Autodiscover, request: DeviceRequest, incoming: Incoming) -> None:
        """Whoever comes without TLS is sent to where there is some: such a request is never answered with more."""
        method, fields = incoming.method, incoming.fields
        if method not in (b"GET", b"POST"):
            self._no_method(request, method, "GET,POST")
            return
        scheme = (fields.get(b"X-Forwarded-Proto") or (b"https" if request.secured else b"http")).strip().lower()
        if method == b"GET" and scheme == b"http":
            where = autodiscover.url(fields.get(b"Host"), XML_PATH)
            self.active_sync.say(request, 302, b"", method, {"Location": where})
            return
        address = self.active_sync.client(request, incoming)
        content = incoming.content.read(LARGEST + 1)
        self.active_sync.answer(request, autodiscover.xml(method, fields.get, content, address))

    def _json(
        self, autodiscover: Autodiscover, request: DeviceRequest, incoming: Incoming, path: bytes, query: bytes
    ) -> None:
        if incoming.method != b"GET":
            self._no_method(request, incoming.method, "GET")
            return
        host, address = incoming.fields.get(b"Host"), self.active_sync.client(request, incoming)
        rest, asked = path.decode("utf-8", "replace"), query.decode("utf-8", "replace")
        self.active_sync.write(autodiscover.json(rest, asked, host, address), request)

    def _no_method(self, request: DeviceRequest, method: bytes, allowed: str) -> None:
        self.active_sync.say(request, 405 if method in _METHODS else 501, _NOBODY, method, {"Allow": allowed})


@implementer(IProtocolNegotiationFactory)
class DeviceSite(Factory):
    """Makes the connections of the lane. C{idle_timeout} in seconds is for connections without a request."""

    noisy = False

    def __init__(self, root: Root, clock: IReactorTime, limits: ChannelLimits, idle_timeout: float | None) -> None:
        self.serve = root.serve
        self.clock = clock
        self.limits = limits
        self.idle_timeout = idle_timeout

    def buildProtocol(self, addr: IAddress | None) -> BoundedChannel:
        """A connection."""
        return BoundedChannel(self)

    def acceptableProtocols(self) -> list[bytes]:
        """What TLS may negotiate: this lane speaks HTTP/1.1 and nothing else."""
        return [b"http/1.1"]


def make_site(root: Root, clock: IReactorTime, limits: ChannelLimits, idle_timeout: float | None) -> DeviceSite:
    """The factory of the lane's connections."""
    return DeviceSite(root, clock, limits, idle_timeout)
