"""HTTP in memory for the tests of the lane: raw requests, connections that are closed afterwards, told commands."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas import wbxml
from gateway.eas.access import Entry
from gateway.eas.call import Answer, Call
from gateway.element import Element
from tests.support import PATH, Connection, HTTPAnswer, World, basic, request

SYNC = wbxml.encode(Element("AirSync:Sync", Element("AirSync:Collections")))
FIRST_PING = wbxml.encode(Element("Ping:Ping", Element("Ping:HeartbeatInterval", 60)))


def query(command: str = "Sync", **more: str) -> str:
    """A plain query of the phone."""
    fields = {"Cmd": command, "User": "ann", "DeviceId": "phone1", "DeviceType": "SP", **more}
    return "&".join(f"{name}={value}" for name, value in fields.items() if value)


def raw(
    method: str = "POST",
    target: str | None = None,
    body: bytes = b"",
    version: str = "HTTP/1.1",
    **fields: str | None,
) -> bytes:
    """A request as bytes: a field C{Content_Type="x"} becomes a header, one that is C{None} is left out."""
    asked = target if target is not None else f"{PATH}?{query()}" if method == "POST" else PATH
    bare = {} if method == "POST" else {"MS-ASProtocolVersion": None, **({} if body else {"Content-Length": None})}
    said = {name.replace("_", "-"): value for name, value in fields.items()}
    return request(f"{method} {asked} {version}", body, {"Authorization": basic(), **bare, **said})


@define(eq=False)
class Told:
    """A command that does what it is told: C{answer} is answered or raised, C{None} waits for L{say}.

    C{heard} are the values that C{written} was called with, C{stubborn} answers although it was cancelled.
    """

    answer: Answer | Exception | None = field(factory=lambda: Answer(element=Element("AirSync:Sync")))
    stubborn: bool = False
    levels: dict[int, int] | None = None
    calls: list[Call] = field(init=False, factory=list)
    heard: list[bool] = field(init=False, factory=list)
    cancelled: int = field(init=False, default=0)
    _waiting: Deferred[Answer] | None = field(init=False, default=None)

    async def __call__(self, call: Call) -> Answer:
        """Answer, sooner or later."""
        self.calls.append(call)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        self._waiting = Deferred()
        try:
            return await self._waiting
        except CancelledError:
            self.cancelled += 1
            if self.stubborn:
                return self.good()
            raise

    def good(self) -> Answer:
        """An answer that wants to know whether it was written."""
        return Answer(element=Element("AirSync:Sync"), written=self.heard.append, levels=self.levels)

    def say(self, answer: Answer | Exception) -> None:
        """Answer the call that waits."""
        waiting, self._waiting = self._waiting, None
        assert waiting is not None
        if isinstance(answer, Exception):
            waiting.errback(answer)
        else:
            waiting.callback(answer)


class LaneCase(SynchronousTestCase):
    """A world whose connections are all lost in the end, and then nothing is left of them."""

    def setUp(self) -> None:
        self.world = World()
        self.sync = self.world.commands["Sync"] = Told()
        self.lines: list[tuple[Entry, int, float]] = []
        self.world.dispatcher.access.count = lambda *line: self.lines.append(line)
        self.connections: list[Connection] = []

    def tearDown(self) -> None:
        """No traceback was logged; with the connections every timer and every claim is gone."""
        for connection in self.connections:
            connection.lose()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(self.world.clock.getDelayedCalls(), [])
        self.assertEqual(self.world.board.claims(), [])

    def connect(self, host: str = "192.0.2.1") -> Connection:
        """A new connection of that client."""
        self.connections.append(Connection(self.world, host))
        return self.connections[-1]

    def send(self, data: bytes) -> list[HTTPAnswer]:
        """Send bytes on a new connection; the answers that came at once."""
        connection = self.connect()
        connection.send(data)
        return connection.answers()

    def ask(self, *args: str, body: bytes = b"", **fields: str | None) -> HTTPAnswer:
        """Send a request on a new connection; its answer."""
        (answer,) = self.send(raw(*args, body=body, **fields))
        return answer

    def post(self, body: bytes = SYNC, **fields: str | None) -> HTTPAnswer:
        """Send a Sync on a new connection; its answer."""
        return self.ask("POST", body=body, **fields)

    def http(self) -> list[int]:
        """The HTTP statuses of the access lines so far."""
        return [http for _, http, _ in self.lines]
