"""From an HTTP request to a command and back to an HTTP answer, whatever lane the request came by.

The order of checks: who is it (401, 503), what is it (400 and the common statuses), how often (503), provisioning,
the body, the command itself. Whatever goes wrong becomes a documented answer; nothing becomes a traceback.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from math import ceil

from attrs import define, evolve, field, frozen
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from gateway.core.partnerships import Partnerships
from gateway.core.rate import Rate
from gateway.eas import wbxml
from gateway.eas.access import AccessLog, Entry
from gateway.eas.call import Answer, Call, Command, Refused, Unavailable, Version
from gateway.eas.commands import COMMANDS, root_of
from gateway.eas.request import BadRequest, Head, parse_query, read_head
from gateway.eas.status import malformed, refusal
from gateway.eas.users import names_another, parse_basic
from gateway.element import Element
from gateway.interfaces import BackendDown, Busy, IAuthenticator
from gateway.model import Device, DeviceKey

VERSIONS = ",".join(str(version) for version in Version)
SERVER_VERSION = str(max(Version))
WBXML_TYPES = ("application/vnd.ms-sync.wbxml", "application/vnd.ms-sync")
#: Commands whose body may be something else than WBXML, for versions that send it so.
RAW_COMMANDS = frozenset({"SendMail", "SmartForward", "SmartReply"})
#: Commands that may come without a body ([MS-ASHTTP] 2.2.1.2).
EMPTY_BODY = frozenset({"Sync", "Ping", "GetAttachment", "GetHierarchy"})
#: Smaller answers than this are not worth compressing, in bytes.
WORTH_COMPRESSING = 1024
RETRY_LATER = 60

Header = Callable[[bytes], bytes | None]


@frozen
class Arrival:
    """A complete POST: the query, the headers, the body, and the client's address."""

    query: bytes
    header: Header
    body: bytes
    address: str


@frozen
class Reply:
    """A complete HTTP answer; C{entry} becomes the access line, C{written} wants to know whether it went out."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    entry: Entry
    written: Callable[[bool], None] | None = None


@frozen
class BodyLimits:
    """Bounds of a body: bytes after decompression, and those of its WBXML."""

    bytes: int = 64 * 1024 * 1024
    wbxml: wbxml.Limits = field(factory=wbxml.Limits)


def inflate(data: bytes, most: int) -> bytes:
    """Undo gzip, refusing what becomes larger than C{most} bytes.

    @raise Refused: it is no gzip, or too large.
    """
    stream = zlib.decompressobj(wbits=31)
    try:
        plain = stream.decompress(data, most)
    except zlib.error as error:
        raise Refused(101, f"Content-Encoding gzip: {error}") from error
    if not stream.eof:
        raise Refused(101, "gzip data that is cut short or too large", http=413 if stream.unconsumed_tail else 400)
    return plain


def gzip(data: bytes) -> bytes:
    """The data as a gzip stream."""
    stream = zlib.compressobj(6, wbits=31)
    return stream.compress(data) + stream.flush()


@define(eq=False)
class Dispatcher:
    """Everything between HTTP and the commands.

    C{gate} raises L{Refused} for a device that has to provision first; C{done} is told of every device that was
    given something by another command than Ping.
    """

    log = Logger()

    clock: IReactorTime
    now: Callable[[], int]
    authenticator: IAuthenticator
    partnerships: Partnerships
    commands: Mapping[str, Command]
    gate: Callable[[Call, Device], None]
    done: Callable[[DeviceKey], None]
    access: AccessLog
    rate: Rate = field(factory=lambda: Rate(0, 1))
    limits: BodyLimits = field(factory=BodyLimits)
    realm: str = "pushgw"
    closing: bool = False

    def offered(self) -> str:
        """The value of MS-ASProtocolCommands: the commands that work."""
        return ",".join(name for name in COMMANDS if name in self.commands)

    def greeting(self) -> dict[str, str]:
        """The headers of OPTIONS ([MS-ASHTTP] 2.2.3): versions and commands."""
        return {
            "MS-ASProtocolVersions": VERSIONS,
            "MS-ASProtocolCommands": self.offered(),
            "MS-Server-ActiveSync": SERVER_VERSION,
        }

    async def options(self, header: Header, address: str) -> Reply:
        """Answer OPTIONS: what can be spoken, for who may come in."""
        entry = Entry(self.clock.seconds(), address, command="OPTIONS")
        try:
            await self._user(header, entry)
        except CancelledError:
            raise
        except Exception as error:
            return self._failed(error, None, None, entry)
        headers = {**self.greeting(), "Public": "OPTIONS,POST", "Allow": "OPTIONS,POST"}
        return Reply(200, headers, b"", entry)

    async def post(self, arrival: Arrival) -> Reply:
        """Answer a command."""
        entry = Entry(self.clock.seconds(), arrival.address, received=len(arrival.body))
        head: Head | None = None
        try:
            user = await self._user(arrival.header, entry)
            head = self._head(arrival, user, entry)
            call = await self._call(arrival, head, user)
            compress = "gzip" in _text(arrival.header(b"Accept-Encoding")).lower()
            del arrival
            answering = self.commands[head.command](call)
            key, version, command = call.device, head.version, head.command
            del call
            if command != "Ping":
                # Before and after: a Change in between may be part of what is just being given.
                self.done(key)
            answer = await answering
            if command != "Ping":
                self.done(key)
        except CancelledError:
            # The client has left; the line says so with HTTP status 0.
            self.access.write(entry, 0, 0, self.clock.seconds())
            raise
        except Exception as error:
            root, known = (root_of(head.command), head.version) if head is not None else (None, None)
            return self._failed(error, root, known, entry)
        return self._reply(answer, version, entry, compress)

    # The request.

    async def _user(self, header: Header, entry: Entry) -> str:
        if self.closing:
            raise Unavailable("the gateway is being stopped", 5)
        basic = parse_basic(header(b"Authorization"))
        if basic is None:
            raise UnauthorizedLogin("no credentials")
        entry.user = await self.authenticator.check(basic.user, basic.password, entry.address)
        return entry.user

    def _head(self, arrival: Arrival, user: str, entry: Entry) -> Head:
        query = parse_query(arrival.query)
        entry.command, entry.device, entry.type = query.command or "-", query.device or "-", query.device_type or "-"
        if names_another(query.user, user):
            raise BadRequest(Answer(status=403, log={"E": "the User of the query is another one"}))
        head = read_head(query, arrival.header)
        entry.version = int(head.version)
        if head.command not in self.commands:
            raise Refused(137, "the command is not supported")
        wait = self.rate.wait(DeviceKey(user, head.device), self.clock.seconds())
        if wait:
            raise Unavailable("too many requests of one device", ceil(wait))
        return head

    async def _call(self, arrival: Arrival, head: Head, user: str) -> Call:
        agent = _text(arrival.header(b"User-Agent"))[:256]
        content_type = _text(arrival.header(b"Content-Type")).partition(";")[0].strip().lower()
        call = Call(
            device=DeviceKey(user, head.device),
            command=head.command,
            version=head.version,
            policy_key=head.policy_key,
            content_type=content_type,
            parameters=head.parameters,
            device_type=head.device_type,
            agent=agent,
            address=arrival.address,
            multipart=head.multipart,
        )
        self.gate(call, await self._device(call))
        data = arrival.body
        if _text(arrival.header(b"Content-Encoding")).strip().lower() == "gzip" and data:
            data = inflate(data, self.limits.bytes)
        if data and content_type and content_type not in WBXML_TYPES:
            return evolve(call, raw=self._raw(head.command, content_type, data))
        return evolve(call, body=self._body(head, data))

    async def _device(self, call: Call) -> Device:
        """The partnership, noted as seen; one that is new is written at once."""
        now, version = self.now(), str(call.version)
        known = await self.partnerships.device(call.device)
        device = evolve(
            known or Device(call.device, first_seen=now),
            last_seen=now,
            type=call.device_type,
            agent=call.agent or (known.agent if known else ""),
            version=version,
        )
        if known is None:
            await self.partnerships.keep(device, durable=False)
        else:
            self.partnerships.seen(device)
        return device

    def _raw(self, command: str, content_type: str, data: bytes) -> bytes:
        """A body that is no WBXML: a message to send, in the versions that send it so."""
        if command not in RAW_COMMANDS:
            raise Refused(101, f"a body of type {content_type[:64]}")
        return data

    def _body(self, head: Head, data: bytes) -> Element | None:
        """The document in the body."""
        if not data:
            if head.command not in EMPTY_BODY:
                raise Refused(101, "an empty body")
            return None
        try:
            return wbxml.decode(data, self.limits.wbxml)
        except wbxml.WBXMLError as error:
            raise BadRequest(malformed(root_of(head.command), head.version, str(error))) from error

    # The answer.

    def _failed(self, error: Exception, root: str | None, version: Version | None, entry: Entry) -> Reply:
        if isinstance(error, UnauthorizedLogin):
            return Reply(401, {"WWW-Authenticate": f'Basic realm="{self.realm}"'}, b"", entry)
        if isinstance(error, Unavailable | Busy):
            entry.fields = {"E": str(error)}
            return Reply(503, {"Retry-After": str(error.retry_after)}, b"", entry)
        if isinstance(error, BadRequest):
            return self._reply(error.answer, version or Version.V14_0, entry, False)
        if isinstance(error, Refused):
            return self._reply(refusal(root, version, error), version or Version.V14_0, entry, False)
        if isinstance(error, BackendDown):
            self.log.warn("{cmd} of {user} put off: {why}", cmd=entry.command, user=entry.user, why=str(error))
        else:
            self.log.failure("{cmd} of {user} failed", cmd=entry.command, user=entry.user)
        later = Refused(8 if root == "Ping:Ping" else 111, type(error).__name__, http=503, retry_after=RETRY_LATER)
        return self._reply(refusal(root, version, later), version or Version.V14_0, entry, False)

    def _reply(self, answer: Answer, version: Version, entry: Entry, compress: bool) -> Reply:
        entry.fields = {**entry.fields, **answer.log}
        headers = {"MS-Server-ActiveSync": SERVER_VERSION, "Cache-Control": "private", **answer.headers}
        body = answer.raw
        if answer.element is not None:
            body = wbxml.encode(answer.element)
            headers["Content-Type"] = WBXML_TYPES[0]
        elif body:
            headers["Content-Type"] = answer.content_type
        if compress and len(body) >= WORTH_COMPRESSING:
            body = gzip(body)
            headers["Content-Encoding"] = "gzip"
        return Reply(answer.status, headers, body, entry, answer.written)


def _text(header: bytes | None) -> str:
    return (header or b"").decode("latin-1")
