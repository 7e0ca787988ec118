"""Answers that are written piece by piece: at the pace of the client, and to a clear end in every case."""

from __future__ import annotations

# As a name in this module C{suppress} would mean something to trial.
import contextlib
import os
from collections.abc import Iterator

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred

from gateway.eas.call import Answer, Call, Stream
from gateway.eas.channel import STALLED
from gateway.eas.dispatch import LARGEST_HELD
from gateway.eas.outgoing import Outgoing
from gateway.eas.spool import Spools
from gateway.element import Element
from tests.eas.lane import SYNC, LaneCase, raw
from tests.support import Connection


@define(eq=False)
class Source:
    """A stream whose transport has enough after each piece that is listed in C{pauses}."""

    count: int = 5
    pauses: tuple[int, ...] = ()
    fails: bool = False
    connection: Connection | None = None
    made: int = 0
    closed: int = 0
    heard: list[bool] = field(factory=list)

    def answer(self) -> Answer:
        """The answer that it makes."""
        stream = Stream(10 * self.count, self._pieces(), self._close)
        return Answer(stream=stream, content_type="image/png", written=self.heard.append)

    def _pieces(self) -> Iterator[bytes]:
        for number in range(self.count):
            if self.fails and number == 2:
                raise OSError("disk")
            self.made += 1
            if number in self.pauses:
                assert self.connection is not None
                self.connection.protocol.pauseProducing()
            yield b"%010d" % number

    def _close(self) -> None:
        self.closed += 1


class OutgoingTests(LaneCase):
    def begin(self, source: Source, **fields: str) -> Connection:
        """Ask for it on a new connection."""
        self.sync.answer = source.answer()
        connection = source.connection = self.connect()
        connection.send(raw(**fields))
        return connection

    def over(self, source: Source, live: bool) -> None:
        """It ended in this way, once."""
        self.assertEqual((source.closed, source.heard), (1, [live]))

    def test_atOnce(self) -> None:
        """A client that takes everything gets everything, and may ask again on the same connection."""
        source = Source()
        connection = self.begin(source)
        (answer,) = connection.answers()
        self.assertEqual((answer.status, answer.headers["content-type"]), (200, "image/png"))
        self.assertEqual(answer.headers["content-length"], "50")
        self.assertEqual(answer.body, b"".join(b"%010d" % number for number in range(5)))
        self.assertNotIn("content-encoding", answer.headers)
        self.over(source, True)
        self.assertEqual(self.http(), [200])
        self.sync.answer = Answer()
        connection.send(raw())
        self.assertEqual(len(connection.answers()), 1)

    def test_pace(self) -> None:
        """Nothing is made before the client takes it; what it is told last is told when the transport has sent it."""
        source = Source(pauses=(1, 4))
        connection = self.begin(source)
        self.assertEqual(source.made, 2)
        connection.protocol.resumeProducing()
        self.assertEqual(source.made, 5)
        self.assertEqual((source.closed, source.heard), (0, []))
        connection.protocol.resumeProducing()
        (answer,) = connection.answers()
        self.assertEqual(len(answer.body), 50)
        self.over(source, True)

    def test_pausedBefore(self) -> None:
        """A transport that has enough already gets the head and then nothing until it wants more."""
        source = Source()
        self.sync.answer = None
        connection = self.connect()
        connection.send(raw())
        connection.protocol.pauseProducing()
        self.sync.say(source.answer())
        self.assertEqual(source.made, 0)
        connection.protocol.resumeProducing()
        self.assertEqual(len(connection.answers()[0].body), 50)
        self.over(source, True)

    def test_slow(self) -> None:
        """A client that takes a little now and then has as long as it needs."""
        source = Source(pauses=(0, 1, 2, 3))
        connection = self.begin(source)
        for _ in range(4):
            self.world.clock.advance(STALLED - 1)
            self.assertFalse(connection.aborted)
            connection.protocol.resumeProducing()
        self.assertEqual(len(connection.answers()[0].body), 50)
        self.over(source, True)

    def test_large(self) -> None:
        """A large document waits in a file while the client takes it, and comes as it is; without room for a file, or
        on a full disk, it is sent from memory."""
        spools = self.world.dispatcher.spools = Spools(self.mktemp())
        os.mkdir(spools.directory or "")
        text = "x" * LARGEST_HELD
        heard: list[bool] = []
        for folder, most in ((spools.directory, 20), (spools.directory, 0), ("/dev/null/none", 20)):
            spools.directory, spools.of_user = folder, most
            self.sync.answer = None
            connection = self.connect()
            connection.send(raw(body=SYNC))
            connection.protocol.pauseProducing()
            self.sync.say(
                Answer(element=Element("AirSync:Sync", Element("AirSync:Status", text)), written=heard.append)
            )
            self.assertEqual(len(spools), 1 if folder != "/dev/null/none" and most else 0)
            connection.protocol.resumeProducing()
            (answer,) = connection.answers()
            self.assertEqual((answer.status, answer.element.text_of("AirSync:Status")), (200, text))
            self.assertEqual(answer.headers["content-type"], "application/vnd.ms-sync.wbxml")
            self.assertEqual(len(spools), 0)
        self.assertEqual(heard, [True, True, True])

    def test_stalled(self) -> None:
        """A client that takes nothing for long is given up."""
        for before in (False, True):
            source = Source(pauses=(1,))
            if before:
                self.sync.answer = None
                connection = self.connect()
                connection.send(raw())
                connection.protocol.pauseProducing()
                self.sync.say(source.answer())
            else:
                connection = self.begin(source)
            self.world.clock.advance(STALLED + 1)
            self.assertTrue(connection.aborted)
            self.over(source, False)

    def test_lost(self) -> None:
        """The connection breaks half-way: nothing more is made, and the answer was not written."""
        source = Source(pauses=(1,))
        connection = self.begin(source)
        connection.lose()
        self.assertEqual(source.made, 2)
        self.over(source, False)
        self.assertEqual(self.http(), [0])

    def test_stoppedByTheTransport(self) -> None:
        """The transport says that it is gone before the connection is lost: that is one end, not two."""
        source = Source(pauses=(1,))
        connection = self.begin(source)
        connection.protocol.stopProducing()
        connection.lose()
        self.over(source, False)
        self.assertEqual(self.http(), [0])

    def test_goneBefore(self) -> None:
        """The client has left before the answer was there: it is closed all the same."""
        source = Source()
        waiting: Deferred[None] = Deferred()

        async def stubborn(call: Call) -> Answer:
            with contextlib.suppress(CancelledError):
                await waiting
            return source.answer()

        self.world.commands["Sync"] = stubborn
        connection = self.connect()
        connection.send(raw())
        connection.lose()
        self.assertEqual(source.made, 0)
        self.over(source, False)

    def test_broken(self) -> None:
        """What cannot be read to its end breaks the connection, so that nobody takes half of it for the whole."""
        source = Source(fails=True)
        connection = self.begin(source)
        self.assertTrue(connection.aborted)
        self.over(source, False)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertEqual(self.http(), [0])

    def test_close(self) -> None:
        """A client that wants the connection closed gets everything before that."""
        source = Source()
        connection = self.begin(source, Connection="close")
        (answer,) = connection.answers()
        self.assertEqual((len(answer.body), answer.headers["connection"]), (50, "close"))
        self.assertTrue(connection.closing)
        self.over(source, True)

    def test_ahead(self) -> None:
        """What a client asks ahead is answered after the stream, and not into the middle of it."""
        source = Source(pauses=(1,))
        connection = self.begin(source)
        self.sync.answer = Answer(raw=b"next", content_type="x/y")
        connection.send(raw())
        self.assertEqual(len(self.sync.calls), 1)
        connection.protocol.resumeProducing()
        answers = connection.answers()
        self.assertEqual([len(answer.body) for answer in answers], [50, 4])
        self.assertEqual(len(self.sync.calls), 2)

    def test_resumedTwice(self) -> None:
        """Whoever resumes what is over gets nothing."""
        written: list[bytes] = []
        ended: list[bool] = []
        source = Source(count=1)
        stream = source.answer().stream
        assert stream is not None
        outgoing = Outgoing(stream, written.append, ended.append)
        for _ in range(3):
            outgoing.resumeProducing()
        outgoing.stopProducing()
        self.assertEqual((len(written), ended, source.closed), (1, [True], 1))
