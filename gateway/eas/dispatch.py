"""From an HTTP request to a command and back to an HTTP answer, whatever lane the request came by.

The order of checks: who is it (401, 503), what is it (400 and the common statuses), how often (503), provisioning,
the body, the command itself. Whatever goes wrong becomes a documented answer; nothing becomes a traceback.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from math import ceil
from typing import Protocol

from attrs import define, evolve, field, frozen
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from gateway.core.levels import Levels
from gateway.core.newcomers import Full
from gateway.core.rate import Rate
from gateway.eas import content, wbxml
from gateway.eas.access import AccessLog, Entry
from gateway.eas.call import Answer, Call, Command, Refused, Stream, Unavailable, Version
from gateway.eas.commands import COMMANDS, root_of
from gateway.eas.content import BodyLimits, Header
from gateway.eas.giving import giving
from gateway.eas.incoming import Content
from gateway.eas.request import BadRequest, Head, parse_query, read_head
from gateway.eas.spool import Spools
from gateway.eas.status import refusal
from gateway.eas.users import names_another, parse_basic
from gateway.interfaces import BackendDown, Busy, IAuthenticator
from gateway.model import Device, DeviceKey

VERSIONS = ",".join(str(version) for version in Version)
SERVER_VERSION = str(max(Version))
#: When to come back after trouble of ours, in seconds.
RETRY_LATER = 60
#: Commands whose requests may be parked.
PARKED = frozenset({"Ping", "Sync"})
#: The common status of a device that is one too many ([MS-ASCMD] 2.2.2).
MAXIMUM_DEVICES = 177
#: Bytes of an answer that is held in memory while it is sent.
LARGEST_HELD = 2**20
#: Characters of a User-Agent that are kept.
LONGEST_AGENT = 256


@frozen
class Arrival:
    """A complete POST: the query, the headers, the body, and the client's address.

    The body stays where it is until it is known who has sent it; whoever takes the arrival closes it.
    """

    query: bytes
    header: Header
    body: Content
    address: str


@frozen
class Reply:
    """A complete HTTP answer; C{entry} becomes the access line, C{written} wants to know whether it went out.

    C{stream}, if there is one, is sent in place of C{body}.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    entry: Entry
    written: Callable[[bool], None] | None = None
    stream: Stream | None = None


class Meeting(Protocol):
    """Who notes that devices come, as L{gateway.core.partnerships.Partnerships.met} does."""

    def met(
        self, key: DeviceKey, now: int, kind: str, agent: str, version: str, pinged: bool = False
    ) -> Awaitable[Device]:
        """Note a request of a device with what it says of itself.

        @raise Full: it is new, and there is no room for it.
        """


@define(eq=False)
class Dispatcher:
    """Everything between HTTP and the commands.

    C{gate} raises L{Refused} for a device that has to provision first; C{levels} are told of what commands bring a
    device to, but for those that may be parked, which tell them themselves; C{came} is told of each device that
    comes, and with which command; C{spools} are where large answers wait until they have been sent.
    """

    log = Logger()

    clock: IReactorTime
    now: Callable[[], int]
    authenticator: IAuthenticator
    partnerships: Meeting
    commands: Mapping[str, Command]
    gate: Callable[[Call, Device], None]
    levels: Levels
    access: AccessLog
    rate: Rate = field(factory=lambda: Rate(0, 1))
    limits: BodyLimits = field(factory=BodyLimits)
    realm: str = "pushgw"
    came: Callable[[DeviceKey, str], None] = lambda key, command: None
    spools: Spools | None = None
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
            self._left(entry)
            raise
        except Exception as error:
            return self._failed(error, None, None, entry)
        headers = {**self.greeting(), "Public": "OPTIONS,POST", "Allow": "OPTIONS,POST"}
        return self._reply(Answer(headers=headers), entry)

    async def post(self, arrival: Arrival) -> Reply:
        """Answer a command; while it waits nothing of the arrival is kept."""
        entry = Entry(self.clock.seconds(), arrival.address, received=arrival.body.length)
        root: str | None = None
        version: Version | None = None
        try:
            try:
                user = await self._user(arrival.header, entry)
                head = self._head(arrival, user, entry)
                root, version = root_of(head.command), head.version
                call = await self._call(arrival, head, user)
            finally:
                arrival.body.close()
            accepted = arrival.header(b"Accept-Encoding")
            del arrival
            answering = self._answering(call)
            # Nothing but the names is kept of what is parked.
            del call, head
            return self._reply(await self._packed(await answering, accepted), entry, accepted)
        except CancelledError:
            self._left(entry)
            raise
        except Exception as error:
            return self._failed(error, root, version, entry)

    def _answering(self, call: Call) -> Awaitable[Answer]:
        """Have the command answer."""
        answering = self.commands[call.command](call)
        return answering if call.command in PARKED else giving(self.levels, call.device, answering)

    def _left(self, entry: Entry) -> None:
        """The client has left before its answer: the line says so with HTTP status 0."""
        self.access.write(entry, 0, 0, self.clock.seconds())

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
        query = parse_query(arrival.query, self.limits.query)
        # An unknown name is nothing to count by.
        entry.command = query.command if query.command in COMMANDS else "-"
        entry.device, entry.type = query.device or "-", query.device_type or "-"
        if names_another(query.user, user):
            raise BadRequest(Answer(status=403, log={"E": "the User of the query is another one"}))
        head = read_head(query, arrival.header)
        entry.version = int(head.version)
        wait = self.rate.wait(DeviceKey(user, head.device), self.clock.seconds())
        if wait:
            raise Unavailable("too many requests of one device", ceil(wait))
        if head.command not in self.commands:
            raise BadRequest(refusal(root_of(head.command), head.version, Refused(137, "the command is not built")))
        return head

    async def _call(self, arrival: Arrival, head: Head, user: str) -> Call:
        agent = "".join(filter(str.isprintable, content.text(arrival.header(b"User-Agent"))))[:LONGEST_AGENT]
        call = Call(
            device=DeviceKey(user, head.device),
            command=head.command,
            version=head.version,
            policy_key=head.policy_key,
            content_type=content.content_type(arrival.header),
            parameters=head.parameters,
            device_type=head.device_type,
            agent=agent,
            address=arrival.address,
            multipart=head.multipart,
        )
        try:
            device = await self.partnerships.met(
                call.device, self.now(), call.device_type, agent, str(call.version), call.command == "Ping"
            )
        except Full as full:
            raise Refused(MAXIMUM_DEVICES, str(full)) from full
        self.came(call.device, call.command)
        self.gate(call, device)
        body = content.read(arrival.body.read(), head, arrival.header, self.limits)
        return evolve(call, body=body.element, raw=body.raw) if body.element is not None or body.raw else call

    # The answer.

    def _failed(self, error: Exception, root: str | None, version: Version | None, entry: Entry) -> Reply:
        """The answer to what went wrong; C{version} is C{None} if it did before that was known."""
        if isinstance(error, BadRequest):
            return self._reply(error.answer, entry)
        if isinstance(error, Refused):
            return self._reply(refusal(root, version, error), entry)
        if isinstance(error, UnauthorizedLogin) and version is None:
            return self._reply(Answer(status=401, headers={"WWW-Authenticate": f'Basic realm="{self.realm}"'}), entry)
        if isinstance(error, Unavailable | Busy):
            headers = {"Retry-After": str(error.retry_after)}
            return self._reply(Answer(status=503, headers=headers, log={"E": str(error)}), entry)
        if isinstance(error, BackendDown):
            self.log.warn("{cmd} of {user} put off: {why}", cmd=entry.command, user=entry.user, why=str(error))
        else:
            self.log.failure("{cmd} of {user} failed", cmd=entry.command, user=entry.user)
        later = Refused(8 if root == "Ping:Ping" else 111, type(error).__name__, http=503, retry_after=RETRY_LATER)
        return self._reply(refusal(root, version, later), entry)

    def _reply(self, answer: Answer, entry: Entry, accepted: bytes | None = None) -> Reply:
        try:
            body = answer.raw if answer.element is None else wbxml.encode(answer.element)
        except wbxml.WBXMLError:
            if answer.written is not None:
                answer.written(False)
            raise
        entry.fields = answer.log
        headers = {"MS-Server-ActiveSync": SERVER_VERSION, "Cache-Control": "private", **answer.headers}
        if body or answer.stream is not None:
            headers["Content-Type"] = answer.content_type if answer.element is None else content.WBXML
        packed = content.packed(body, accepted)
        if packed is not None:
            headers["Content-Encoding"] = "gzip"
            body = packed
        stream = answer.stream if len(body) <= LARGEST_HELD else self._stream(entry.user, body)
        return Reply(answer.status, headers, b"" if stream else body, entry, answer.written, stream)

    async def _packed(self, answer: Answer, accepted: bytes | None) -> Answer:
        """The answer, if it is a stream that is worth it as gzip for a client that takes that."""
        stream = answer.stream
        if stream is None or stream.packed is None or self.spools is None or not content.accepts_gzip(accepted):
            return answer
        try:
            packed = await self.spools.packed(stream.packed)
        except OSError as error:
            self.log.warn("a large answer is not packed: {error}", error=error)
            return answer
        except BaseException:
            stream.close()
            if answer.written is not None:
                answer.written(False)
            raise
        return evolve(answer, stream=packed, headers={**answer.headers, "Content-Encoding": "gzip"})

    def _stream(self, user: str, body: bytes) -> Stream | None:
        """A large body from a file, as a client may take its time; C{None} if there is no room for one."""
        if self.spools is None:
            return None
        try:
            spool = self.spools.open(user)
        except Unavailable:
            return None
        try:
            return spool.answer([spool.add((body,))], content.WBXML).stream
        except OSError as error:
            spool.close()
            self.log.warn("a large answer for {user} stays in memory: {error}", user=user, error=error)
            return None
